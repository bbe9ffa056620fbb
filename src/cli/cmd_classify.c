/* assay classify: strategies against imbalance on held-out rows, and a classifier to keep. */
#include "cli/cmd_classify.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "data/table.h"
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_classify = {
    .name = "classify",
    .synopsis = "(--text COL | --columns LIST) --label COL [--positive V] [--compare LIST] "
                "[options] FILE",
    .summary = "Imbalanced classes: text or columns to a linear classifier, strategies compared",
    .details =
        "Rows of a CSV, TSV or JSONL file become TF-IDF vectors of a text column, or numbers and "
        "categories; a linear support vector machine or logistic regression is trained on part of "
        "them and tested on the rest. --compare tries several ways of dealing with imbalance on "
        "the same rows: none; weights (class_weight=balanced); and the resamplings under, over, "
        "smote, borderline-1, borderline-2, adasyn, smotenc, nearmiss-1, nearmiss-2, nearmiss-3, "
        "tomek, enn, renn, allknn, ncr, smote-tomek and smote-enn, which change the training rows "
        "alone.\n\n"
        "Test rows: --test-every N takes rows 1, N+1, 2N+1 ...; --test-fraction F a random part "
        "of ceil(F rows), by class with --stratify; --folds K tests every row once. Without any of "
        "them it is --test-fraction 0.25 --stratify. --repeats R does it again with the seeds "
        "after --seed and shows how far chance moves the figures.\n\n"
        "Shares have Wilson's interval, all other measures a bootstrap's over the test rows; "
        "differences from the first strategy are paired: the same resamples, and McNemar's "
        "test.\n\n"
        "Terms are words as scikit-learn's TfidfVectorizer finds them. Terms and document "
        "frequencies come from all rows (they know no labels); --fit-on train takes them from the "
        "training rows alone. Numbers are standardised (--standardise) by the training rows.\n\n"
        "With --learner logistic probabilities are shown as trained and corrected for what the "
        "strategy did to the classes' shares. --save keeps a classifier trained on all rows; "
        "`assay classify predict` applies it.\n\n"
        "  assay classify --text ingredients --label cuisine --positive indian \\\n"
        "      --compare none,under,over,smote,weights builtin:recipes\n"
        "  assay classify --text ingredients --label cuisine --folds 5 builtin:recipes",
    .run = run,
};
static const struct cli_command *const self = &cli_command_classify;

enum { NOT_GIVEN = -1 }; /* of numbers whose default is the method's */
struct arguments {
    struct classify_columns columns;
    const char *numbers, *categories, *compare, *use, *learner, *solver, *ngrams, *min_df, *max_df;
    const char *norm, *stop, *fit_on, *save, *plots, *plot_format, *predictions, *vote;
    int64_t every, folds, repeats, iterations, neighbours, danger, resamples, max_terms;
    double fraction, ratio, c, tolerance, bias, level;
    bool stratify, standardise, keep_case, sublinear, binary, idf, smooth_idf;
    struct classify_file file;
};

/* What the arguments become. */
struct job {
    struct classify_list numbers, categories, names;
    struct classify_strategy *strategy;
    struct classify_words stop;
    struct classify_compare_options o;
    size_t use; /* the strategy to save */
};

static void job_free(struct job *j)
{
    classify_list_free(&j->numbers);
    classify_list_free(&j->categories);
    classify_list_free(&j->names);
    base_free(j->strategy);
    classify_words_free(&j->stop);
}

int classify_list_split(struct classify_list *list, const char *text, const char *option,
                        bool unique)
{
    *list = (struct classify_list){ 0 };
    if (!text)
        return 0;
    size_t most = 1;
    for (const char *p = text; *p; p++)
        most += *p == ',';
    list->text = base_strdup(text);
    list->at = base_alloc(most, sizeof *list->at);
    if (!list->text || !list->at)
        return BASE_E_MEMORY;
    for (char *p = list->text;; p++) {
        p += strspn(p, " ");
        size_t n = strcspn(p, ",");
        bool more = p[n] == ',';
        p[n] = 0;
        size_t used = n;
        while (used && p[used - 1] == ' ')
            p[--used] = 0;
        if (!used)
            return base_error_set(BASE_E_ARGUMENT, "%s '%s': an empty name in the list", option,
                                  text);
        for (size_t i = 0; i < list->n && unique; i++)
            if (strcmp(list->at[i], p) == 0)
                return base_error_set(BASE_E_ARGUMENT, "%s: '%s' is there twice", option, p);
        list->at[list->n++] = p;
        p += n;
        if (!more)
            return 0;
    }
}

void classify_list_free(struct classify_list *list)
{
    base_free(list->text);
    base_free(list->at);
    *list = (struct classify_list){ 0 };
}

int classify_file_options(const struct classify_file *file, struct data_table_options *out)
{
    *out = (struct data_table_options){ 0 };
    int rc = file->format ? data_format_parse(file->format, &out->format) : 0;
    if (!rc && file->delimiter) {
        if (strcmp(file->delimiter, "\\t") == 0)
            out->delimiter = '\t';
        else if (strlen(file->delimiter) == 1)
            out->delimiter = file->delimiter[0];
        else
            rc = base_error_set(BASE_E_ARGUMENT, "--delimiter '%s': one character, or \\t",
                                file->delimiter);
    }
    return rc;
}

static int choose(const char *option, const char *value, const char *const *names, int n, int *out)
{
    char list[256] = "";
    for (int i = 0; i < n; i++) {
        if (strcmp(value, names[i]) == 0) {
            *out = i;
            return 0;
        }
        size_t at = strlen(list);
        snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", names[i]);
    }
    return base_error_set(BASE_E_ARGUMENT, "%s '%s': expected one of %s", option, value, list);
}

/* "2": up to pairs; "2-3": pairs and triples. */
static int parse_ngrams(const char *text, struct classify_text_options *o)
{
    if (!text)
        return 0;
    int64_t low = 1, high;
    const char *dash = strchr(text, '-');
    char first[16] = "";
    int rc = 0;
    if (dash) {
        snprintf(first, sizeof first, "%.*s", (int)(dash - text < 15 ? dash - text : 15), text);
        rc = base_parse_int(first, "--ngrams", 1, 16, &low);
    }
    if (!rc)
        rc = base_parse_int(dash ? dash + 1 : text, "--ngrams", low, 16, &high);
    if (!rc) {
        o->ngram_min = (size_t)low;
        o->ngram_max = (size_t)high;
    }
    return rc;
}

/* As scikit-learn: a whole number counts rows, one with a point is a share of them. */
static int parse_df(const char *text, const char *option, bool most, double *out, bool *share)
{
    if (!text)
        return 0;
    int rc = base_parse_double(text, option, out);
    *share = strpbrk(text, ".eE") != NULL;
    if (!rc && (!(*out >= 0) || (*share && *out > 1) || (most && *out == 0)))
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s %s: expected a number of rows, or a share from 0.0 to 1.0", option,
                            text);
    return rc;
}

static int text_options(const struct arguments *a, struct job *j)
{
    struct classify_text_options *t = &j->o.text;
    bool share = false;
    int rc = parse_ngrams(a->ngrams, t), norm = 0;
    if (!rc)
        rc = parse_df(a->min_df, "--min-df", false, &t->min_df, &share);
    if (!rc && share && t->min_df == 1)
        rc = base_error_set(BASE_E_ARGUMENT, "--min-df 1.0: no term is in every row and in more");
    if (!rc)
        rc = parse_df(a->max_df, "--max-df", true, &t->max_df, &t->max_df_share);
    if (!rc)
        rc = choose("--norm", a->norm ? a->norm : "l2", classify_norm_names, 3, &norm);
    t->norm = (enum classify_norm)norm;
    t->max_terms = a->max_terms > 0 ? (size_t)a->max_terms : 0;
    t->keep_case = a->keep_case;
    t->sublinear = a->sublinear;
    t->binary = a->binary;
    t->no_idf = !a->idf;
    t->no_smooth = !a->smooth_idf;
    if (!rc && a->stop) {
        rc = classify_words_stop(&j->stop, a->stop);
        j->o.stop = &j->stop;
    }
    return rc;
}

static int strategies(const struct arguments *a, struct job *j)
{
    int rc = classify_list_split(&j->names, a->compare, "--compare", true);
    if (!rc && !(j->strategy = base_alloc(j->names.n, sizeof *j->strategy)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; i < j->names.n && !rc; i++) {
        rc = classify_strategy_parse(j->names.at[i], &j->strategy[i]);
        for (size_t e = 0; e < i && !rc; e++)
            if (j->strategy[e].resampler == j->strategy[i].resampler &&
                j->strategy[e].weights == j->strategy[i].weights)
                rc = base_error_set(BASE_E_ARGUMENT, "--compare: %s and %s are the same",
                                    j->names.at[e], j->names.at[i]);
    }
    j->o.strategy = j->strategy;
    j->o.strategies = j->names.n;
    j->use = 0;
    if (!rc && a->use) {
        struct classify_strategy wanted;
        if ((rc = classify_strategy_parse(a->use, &wanted)))
            return rc;
        while (j->use < j->names.n && (j->strategy[j->use].resampler != wanted.resampler ||
                                       j->strategy[j->use].weights != wanted.weights))
            j->use++;
        if (j->use == j->names.n)
            rc = base_error_set(BASE_E_ARGUMENT, "--use %s is not in --compare %s", a->use,
                                a->compare);
    }
    return rc;
}

static const char *plot_format(const struct arguments *a)
{
    return a->plot_format ? a->plot_format : "png";
}

/* Options of resampling that none of the strategies looks at. */
static int check_strategies(const struct arguments *a, const struct job *j)
{
    bool neighbours = false, danger = false, vote = false, ratio = false;
    for (size_t i = 0; i < j->names.n; i++) {
        const enum classify_resampler r = j->strategy[i].resampler;
        if (j->strategy[i].weights || r == CLASSIFY_RESAMPLE_NONE)
            continue;
        neighbours |= r != CLASSIFY_RESAMPLE_UNDER && r != CLASSIFY_RESAMPLE_OVER &&
                      r != CLASSIFY_RESAMPLE_TOMEK;
        danger |= r == CLASSIFY_RESAMPLE_BORDERLINE1 || r == CLASSIFY_RESAMPLE_BORDERLINE2;
        vote |= r == CLASSIFY_RESAMPLE_ENN || r == CLASSIFY_RESAMPLE_RENN ||
                r == CLASSIFY_RESAMPLE_ALLKNN || r == CLASSIFY_RESAMPLE_SMOTE_ENN;
        ratio = true; /* those that aim at no size refuse it themselves */
    }
    if (a->neighbours != NOT_GIVEN && !neighbours)
        return base_error_set(BASE_E_ARGUMENT, "--neighbours is for resamplings that look at "
                                               "neighbours, none of which is in --compare");
    if (a->danger != NOT_GIVEN && !danger)
        return base_error_set(BASE_E_ARGUMENT, "--danger is for borderline-1 and borderline-2");
    if (a->vote && !vote)
        return base_error_set(BASE_E_ARGUMENT, "--vote is for enn, renn, allknn and smote-enn");
    if (a->ratio != NOT_GIVEN && !ratio)
        return base_error_set(BASE_E_ARGUMENT, "--ratio is for resamplings, none of which is in "
                                               "--compare");
    return 0;
}

static int job_make(const struct arguments *a, struct job *j)
{
    struct classify_compare_options *o = &j->o;
    int learner = 0, solver = 0, fit_on = 0, rc;
    static const char *const fits[] = { "all", "train" };
    if ((rc = classify_list_split(&j->numbers, a->numbers, "--columns", true)) ||
        (rc = classify_list_split(&j->categories, a->categories, "--categories", true)) ||
        (rc = strategies(a, j)) || (rc = check_strategies(a, j)) || (rc = text_options(a, j)) ||
        (rc = choose("--learner", a->learner, classify_learner_names, CLASSIFY_LEARNERS,
                     &learner)) ||
        (rc = choose("--solver", a->solver, classify_solver_names, CLASSIFY_SOLVERS, &solver)) ||
        (rc = choose("--fit-on",
                     a->fit_on         ? a->fit_on
                     : a->columns.text ? "all"
                                       : "train",
                     fits, 2, &fit_on)))
        return rc;
    o->columns = a->columns;
    o->columns.number = j->numbers.at;
    o->columns.numbers = j->numbers.n;
    o->columns.category = j->categories.at;
    o->columns.categories = j->categories.n;
    for (size_t i = 0; i < j->numbers.n + j->categories.n; i++) {
        const char *name = i < j->numbers.n ? j->numbers.at[i] : j->categories.at[i - j->numbers.n];
        if (strcmp(name, a->columns.label) == 0)
            return base_error_set(BASE_E_ARGUMENT, "%s is the label: it cannot be learnt from",
                                  name);
    }
    o->terms_from_train = fit_on == 1;
    o->standardise = a->standardise;
    o->repeats = (size_t)a->repeats;
    o->fit.linear = (struct classify_linear_options){ .learner = (enum classify_learner)learner,
                                                      .solver = (enum classify_solver)solver,
                                                      .c = a->c,
                                                      .tolerance = a->tolerance,
                                                      .max_iterations = (size_t)a->iterations,
                                                      .bias = a->bias };
    o->fit.k = a->neighbours > 0 ? (size_t)a->neighbours : 0;
    o->fit.m = a->danger > 0 ? (size_t)a->danger : 0;
    o->fit.ratio = a->ratio > 0 ? a->ratio : 0;
    o->fit.vote = a->vote && strcmp(a->vote, "mode") == 0 ? CLASSIFY_VOTE_MODE : CLASSIFY_VOTE_ALL;
    o->fit.seed = (uint64_t)cli_common.seed;
    o->split =
        (struct classify_split_options){ .kind = a->every   ? CLASSIFY_SPLIT_EVERY
                                                 : a->folds ? CLASSIFY_SPLIT_FOLDS
                                                            : CLASSIFY_SPLIT_FRACTION,
                                         .every = (size_t)a->every,
                                         .folds = (size_t)a->folds,
                                         .fraction = a->fraction > 0 ? a->fraction : 0.25,
                                         .stratify = a->stratify || a->folds || !(a->fraction > 0),
                                         .seed = (uint64_t)cli_common.seed };
    o->bootstrap = (struct stats_bootstrap_options){ .resamples = (size_t)a->resamples,
                                                     .seed = (uint64_t)cli_common.seed,
                                                     .level = a->level };
    return 0;
}

/* What the command line alone tells to be wrong. */
static int check(const struct arguments *a, int n)
{
    static const char *const extensions[] = { "png", "svg", "pdf" };
    int extension;
    if (n != 1)
        return cli_usage(self, "give one FILE (- is standard input)");
    if (!a->columns.label)
        return cli_usage(self, "give --label, the column of classes");
    if (!a->columns.text && !a->numbers && !a->categories)
        return cli_usage(self, "give --text, --columns or --categories to learn from");
    if (a->columns.text && strcmp(a->columns.text, a->columns.label) == 0)
        return cli_usage(self, "%s is the label: it cannot be learnt from", a->columns.label);
    if ((a->every != 0) + (a->folds != 0) + (a->fraction > 0) > 1)
        return cli_usage(self, "--test-every, --test-fraction and --folds exclude each other");
    if (a->every && a->every < 2)
        return cli_usage(self, "--test-every is at least 2");
    if (a->folds && a->folds < 2)
        return cli_usage(self, "--folds is at least 2");
    if (a->fraction != -1 && !(a->fraction > 0 && a->fraction < 1))
        return cli_usage(self, "--test-fraction is between 0 and 1, not %g", a->fraction);
    if (a->every && a->stratify)
        return cli_usage(self, "--test-every takes rows by their number: no --stratify");
    if (a->repeats < 1 || a->repeats > 100000)
        return cli_usage(self, "--repeats is 1 to 100000");
    if (a->resamples < 100 || a->resamples > 10000000)
        return cli_usage(self, "--resamples is 100 to 10000000");
    if (!(a->level > 0 && a->level < 1))
        return cli_usage(self, "--level is between 0 and 1, not %g", a->level);
    const struct {
        const char *name;
        int64_t value;
    } counts[] = { { "--max-iterations", a->iterations },
                   { "--neighbours", a->neighbours },
                   { "--danger", a->danger },
                   { "--max-terms", a->max_terms } };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].value < 1 && counts[i].value != NOT_GIVEN)
            return cli_usage(self, "%s is at least 1", counts[i].name);
    if (!a->columns.text &&
        (a->ngrams || a->min_df || a->max_df || a->norm || a->stop || a->max_terms != NOT_GIVEN ||
         a->keep_case || a->sublinear || a->binary || !a->idf || !a->smooth_idf))
        return cli_usage(self, "options of terms (--ngrams, --min-df, --norm, --idf ...) are for "
                               "--text");
    if (a->standardise && !a->numbers)
        return cli_usage(self, "--standardise is for --columns");
    if (a->plot_format && !a->plots)
        return cli_usage(self, "--plot-format is for --plots");
    if (a->vote && strcmp(a->vote, "all") && strcmp(a->vote, "mode"))
        return cli_usage(self, "--vote is all or mode, not %s", a->vote);
    if (a->ratio != NOT_GIVEN && !(a->ratio > 0 && a->ratio <= 1))
        return cli_usage(self, "--ratio is above 0 and at most 1, not %g", a->ratio);
    if (a->use && !a->save)
        return cli_usage(self, "--use says which strategy to --save");
    if (choose("--plot-format", plot_format(a), extensions, 3, &extension))
        return cli_usage(self, "%s", base_error_message());
    return 0;
}

static int save(const struct arguments *a, const struct job *j, const struct classify_data *d)
{
    struct classify_model m;
    int rc = classify_model_train(&m, d, &j->o.columns, &j->o.text, j->o.stop, j->o.standardise,
                                  j->strategy[j->use], &j->o.fit);
    if (!rc)
        rc = classify_model_save(&m, a->save);
    if (!rc)
        base_log("saved %s: %s, %zu columns, trained on all %llu rows", a->save, m.strategy,
                 m.fitted.columns, (unsigned long long)m.rows);
    if (!rc && !m.fitted.converged)
        base_log("the saved classifier's training stopped before it met --tolerance");
    classify_model_free(&m);
    return rc;
}

/* Terms of the whole table by the options: the figure that a fit on all rows would have. */
static int count_terms(const struct job *j, const struct classify_data *d, size_t *out)
{
    struct classify_text t;
    *out = 0;
    if (!j->o.columns.text)
        return 0;
    int rc = classify_text_fit(&t, &d->texts, &j->o.text, j->o.stop, NULL, 0);
    if (!rc)
        *out = t.terms.n;
    classify_text_free(&t);
    return rc;
}

static int work(const struct arguments *a, const struct job *j, const char *path)
{
    struct classify_data data = { 0 };
    struct classify_comparison comparison = { 0 };
    struct data_table_options table;
    struct classify_shown shown = { .path = path,
                                    .data = &data,
                                    .comparison = &comparison,
                                    .options = &j->o,
                                    .has_text = a->columns.text != NULL };
    int rc = classify_file_options(&a->file, &table);
    if (!rc)
        rc = classify_data_read(&data, path, &table, &j->o.columns, &j->o.text, j->o.stop);
    if (!rc)
        rc = data_error_in(count_terms(j, &data, &shown.terms), path);
    if (!rc)
        rc = data_error_in(classify_compare(&comparison, &data, &j->o), path);
    if (!rc && a->plots)
        rc = classify_write_plots(&shown, a->plots, plot_format(a));
    if (!rc && a->predictions)
        rc = classify_write_predictions(&shown, a->predictions);
    if (!rc && a->save)
        rc = save(a, j, &data);
    int code = rc                ? cli_fail(self)
               : cli_common.json ? classify_print_json(self, &shown)
                                 : classify_print_text(self, &shown);
    classify_comparison_free(&comparison);
    classify_data_free(&data);
    return code;
}

static int run(int argc, char **argv)
{
    struct arguments a = { .compare = "none",
                           .learner = "svm",
                           .solver = "primal",
                           .max_terms = NOT_GIVEN,
                           .neighbours = NOT_GIVEN,
                           .danger = NOT_GIVEN,
                           .ratio = NOT_GIVEN,
                           .repeats = 1,
                           .iterations = 1000,
                           .resamples = 1000,
                           .fraction = -1,
                           .c = 1,
                           .tolerance = 1e-4,
                           .bias = 1,
                           .level = 0.95,
                           .idf = true,
                           .smooth_idf = true };
    int n;
    const struct cli_option options[] = {
        { "text", 0, CLI_STRING, &a.columns.text, "COL", "Column of texts to learn from." },
        { "columns", 0, CLI_STRING, &a.numbers, "LIST", "Columns of numbers to learn from." },
        { "categories", 0, CLI_STRING, &a.categories, "LIST",
          "Columns of names to learn from, each name a column of 0 and 1." },
        { "label", 0, CLI_STRING, &a.columns.label, "COL", "Column of the classes." },
        { "positive", 0, CLI_STRING, &a.columns.positive, "V",
          "This class against all others (default: every class for itself)." },
        { "compare", 0, CLI_STRING, &a.compare, "LIST",
          "Strategies; differences are from the first (default none)." },
        { "test-every", 0, CLI_INT, &a.every, "N", "Test on rows 1, N+1, 2N+1 ..." },
        { "test-fraction", 0, CLI_DOUBLE, &a.fraction, "F", "Test on a random part of the rows." },
        { "stratify", 0, CLI_FLAG, &a.stratify, NULL,
          "The same shares of classes in training and test." },
        { "folds", 0, CLI_INT, &a.folds, "K", "Test every row once, in K stratified folds." },
        { "repeats", 0, CLI_INT, &a.repeats, "R",
          "Repeat with the following seeds and show the spread (default 1)." },
        { "learner", 0, CLI_STRING, &a.learner, "NAME",
          "svm (squared hinge; default) or logistic." },
        { "solver", 0, CLI_STRING, &a.solver, "NAME",
          "primal (own Newton; default), dual (own, svm), liblinear (-s 2, -s 0), liblinear-dual "
          "(-s 1, -s 7)." },
        { "C", 0, CLI_DOUBLE, &a.c, "C", "Weight of errors against the penalty (default 1)." },
        { "tolerance", 0, CLI_DOUBLE, &a.tolerance, "E", "Where training ends (default 1e-4)." },
        { "max-iterations", 0, CLI_INT, &a.iterations, "N",
          "Steps or passes of the own solvers (default 1000, which is also LIBLINEAR's)." },
        { "bias", 0, CLI_DOUBLE, &a.bias, "B",
          "Value of the constant feature, scikit-learn's intercept_scaling; 0: no intercept "
          "(default 1)." },
        { "ngrams", 0, CLI_STRING, &a.ngrams, "N",
          "Terms of 1 to N words, or LOW-HIGH (default 1)." },
        { "min-df", 0, CLI_STRING, &a.min_df, "N",
          "Terms in at least N rows, or (0.01) a share of the rows." },
        { "max-df", 0, CLI_STRING, &a.max_df, "N",
          "Terms in at most N rows, or (0.5) a share of the rows." },
        { "max-terms", 0, CLI_INT, &a.max_terms, "N", "The N most frequent terms." },
        { "stop-words", 0, CLI_STRING, &a.stop, "FILE",
          "Leave out words: english, or a file with a word a line." },
        { "sublinear", 0, CLI_FLAG, &a.sublinear, NULL, "1 + ln tf for tf." },
        { "binary", 0, CLI_FLAG, &a.binary, NULL, "1 for tf." },
        { "idf", 0, CLI_FLAG, &a.idf, NULL, "Weigh terms by rarity (default yes; --no-idf)." },
        { "smooth-idf", 0, CLI_FLAG, &a.smooth_idf, NULL,
          "Add one row that has every term (default yes; --no-smooth-idf)." },
        { "norm", 0, CLI_STRING, &a.norm, "NAME", "Length of rows: l2 (default), l1, none." },
        { "keep-case", 0, CLI_FLAG, &a.keep_case, NULL, "Do not lower-case." },
        { "standardise", 0, CLI_FLAG, &a.standardise, NULL, "Numbers to mean 0 and deviation 1." },
        { "fit-on", 0, CLI_STRING, &a.fit_on, "ROWS",
          "Rows that terms, their frequencies and standardisation come from: all (default with "
          "--text) or train (default without)." },
        { "neighbours", 0, CLI_INT, &a.neighbours, "K",
          "Neighbours in resampling (default: the method's own)." },
        { "danger", 0, CLI_INT, &a.danger, "M",
          "Neighbours that decide danger in borderline-1 and -2 (default 10)." },
        { "vote", 0, CLI_STRING, &a.vote, "NAME",
          "enn, renn, allknn, smote-enn: a row stays if all of its neighbours (all, default) or "
          "the "
          "commonest class among them (mode) agree." },
        { "ratio", 0, CLI_DOUBLE, &a.ratio, "R",
          "Smaller class to larger after resampling (default 1)." },
        { "resamples", 0, CLI_INT, &a.resamples, "N", "Bootstrap resamples (default 1000)." },
        { "level", 0, CLI_DOUBLE, &a.level, "P", "Confidence of the intervals (default 0.95)." },
        { "save", 0, CLI_STRING, &a.save, "MODEL",
          "Train on all rows and keep the classifier in a file." },
        { "use", 0, CLI_STRING, &a.use, "STRATEGY",
          "The strategy that --save trains with (default: the first)." },
        { "plots", 0, CLI_STRING, &a.plots, "PREFIX",
          "Write PREFIX-roc.png, -pr, -rates, -calibration, -confusion-STRATEGY." },
        { "plot-format", 0, CLI_STRING, &a.plot_format, "EXT", "png (default), svg or pdf." },
        { "predictions", 0, CLI_STRING, &a.predictions, "CSV",
          "Write what every strategy said of every test row." },
        CLASSIFY_FILE_OPTIONS(a.file),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = check(&a, n)) || (rc = cli_plain_name(self, "--predictions", a.predictions)))
        return rc;
    base_interrupt_install();
    struct job j = { 0 };
    rc = job_make(&a, &j);
    rc = rc == BASE_E_ARGUMENT ? cli_usage(self, "%s", base_error_message())
         : rc                  ? cli_fail(self)
                               : work(&a, &j, argv[1]);
    job_free(&j);
    return rc;
}
