/* assay stats test, mcnemar, paired: is there a difference, and how large? */
#include "cli/cmd_stats.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

static int run_test(int argc, char **argv);
static int run_mcnemar(int argc, char **argv);
static int run_paired(int argc, char **argv);

const struct cli_command cli_command_stats_test = {
    .name = "stats test",
    .synopsis = "[--test NAME] FILE [FILE]",
    .summary = "t tests and permutation tests of means",
    .details =
        "--test one: the mean of one column against --mu. welch (the default for two samples): two "
        "independent samples with variances of their own. student: with a common variance. paired: "
        "the mean of the differences. permutation and paired-permutation assume no distribution: "
        "they shuffle who belongs to which sample, or the signs of the differences (all patterns "
        "up "
        "to 20 pairs).\n\n"
        "Two samples are two FILEs of one number a line, two columns of one FILE (--first, "
        "--second), or one column of a FILE by the two labels of another (--column, --group).\n\n"
        "  assay stats test before.txt after.txt\n"
        "  assay stats test runs.csv --column loss --group optimiser\n"
        "  assay stats test --test one --mu 0.25 scores.txt",
    .run = run_test,
};
const struct cli_command cli_command_stats_mcnemar = {
    .name = "stats mcnemar",
    .synopsis = "(--b B --c C | FILE)",
    .summary = "McNemar's test of two models on the same items; Cochran's Q for more",
    .details =
        "B items are right with the first model only, C with the second only. The mid-p "
        "value is the one to use (Fagerland 2013); exact is never too small, chi2 needs many "
        "items. FILE has two columns of 0 and 1 (--first, --second), an item a row; with "
        "--scores A,B,C three or more models are compared by Cochran's Q.\n\n"
        "  assay stats mcnemar --b 1 --c 7\n"
        "  assay stats mcnemar items.csv --first small --second large",
    .run = run_mcnemar,
};
const struct cli_command cli_command_stats_paired = {
    .name = "stats paired",
    .synopsis = "FILE [FILE] [--first NAME --second NAME]",
    .summary = "Difference of two models on the same items, with its interval",
    .details =
        "Scores of both models on the same items: two columns of a FILE, or two FILEs of one "
        "number "
        "a line in the same order. The standard error is that of the differences, which is smaller "
        "than for separate items when the models agree on what is hard. 0/1 scores also get the "
        "table, McNemar's test and Newcombe's interval, which is to be preferred below some 300 "
        "items. --cluster takes items in clusters (one text, many questions) into account.\n\n"
        "  assay stats paired items.csv --first small --second large --cluster passage",
    .run = run_paired,
};

enum { ONE, WELCH, STUDENT, PAIRED, PERMUTATION, PAIRED_PERMUTATION, TESTS };
static const char *const test_names[TESTS] = { "one",    "welch",       "student",
                                               "paired", "permutation", "paired-permutation" };

struct test_arguments {
    const char *test, *column, *group, *first, *second, *alternative;
    double mu, level;
    int64_t resamples;
    struct stats_how how;
    int kind, side;
};

struct samples {
    const double *x, *y; /* y NULL for one sample */
    size_t n, m, skipped;
    const char *first, *second;
};

static int print_t(const struct test_arguments *a, const struct samples *s,
                   const struct stats_test *t)
{
    const struct cli_command *self = &cli_command_stats_test;
    if (cli_common.json) {
        json_t *out = json_pack(
            "{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "test", test_names[a->kind],
            "alternative", stats_alternative_names[a->side], "n", (json_int_t)s->n, "estimate",
            base_json_number(t->estimate), "stderr", base_json_number(t->se), "statistic",
            base_json_number(t->statistic), "df", base_json_number(t->df), "p",
            base_json_number(t->p), "ci", stats_json_interval(&t->interval), "effect",
            base_json_number(t->effect), "hedges", base_json_number(t->hedges));
        if (a->kind == ONE)
            json_object_set_new(out, "mu", base_json_number(a->mu));
        else
            json_object_set_new(out, "m", json_integer((json_int_t)s->m));
        json_object_set_new(out, "skipped", json_integer((json_int_t)s->skipped));
        return cli_print_json(self, out);
    }
    struct base_buffer b = { 0 };
    char head[32];
    snprintf(head, sizeof head, "%g %% interval", 100 * a->level);
    const struct cli_column columns[] = {
        { "", false, false },   { a->kind == ONE ? "mean" : "difference", true, false },
        { head, false, false }, { "t", true, false },
        { "df", true, false },  { "p", true, false }
    };
    struct cli_table table = { .columns = columns, .n_columns = 6 };
    cli_table_add(&table, "%s", test_names[a->kind]);
    cli_table_add(&table, "%s", stats_show(t->estimate));
    cli_table_add(&table, "%s", stats_show_interval(&t->interval));
    cli_table_add(&table, "%.4g", t->statistic);
    cli_table_add(&table, "%.4g", t->df);
    cli_table_add(&table, "%s", stats_show_p(t->p));
    int rc = cli_table_append(&b, &table);
    if (rc == 0 && a->kind == ONE)
        rc = stats_say(&b, "There is %s that the mean is %s %g (%s, %zu values, Cohen's d %s).",
                       stats_words_p(t->p),
                       a->side == STATS_TWO_SIDED ? "not"
                       : a->side == STATS_GREATER ? "above"
                                                  : "below",
                       a->mu, stats_alternative_names[a->side], s->n, stats_show(t->effect));
    else if (rc == 0)
        rc = stats_say(
            &b,
            "There is %s that the mean of %s (%zu values) %s that of %s (%zu); %s. Cohen's "
            "d is %s, Hedges's g %s.",
            stats_words_p(t->p), s->first, s->n,
            a->side == STATS_TWO_SIDED ? "differs from"
            : a->side == STATS_GREATER ? "is above"
                                       : "is below",
            s->second, s->m, stats_alternative_names[a->side], stats_show(t->effect),
            stats_show(t->hedges));
    if (rc == 0 && s->skipped)
        rc = stats_say(&b, "%zu rows with missing cells were left out.", s->skipped);
    return cli_print_text(self, &b, rc);
}

static int print_permutation(const struct test_arguments *a, const struct samples *s,
                             const struct stats_permutation *p)
{
    const struct cli_command *self = &cli_command_stats_test;
    if (cli_common.json)
        return cli_print_json(
            self,
            json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:b, s:I, s:I}", "test", test_names[a->kind],
                      "alternative", stats_alternative_names[a->side], "n", (json_int_t)s->n, "m",
                      (json_int_t)s->m, "estimate", base_json_number(p->statistic), "p",
                      base_json_number(p->p), "exact", p->exact, "patterns",
                      (json_int_t)p->patterns, "skipped", (json_int_t)s->skipped));
    struct base_buffer b = { 0 };
    const struct cli_column columns[] = { { "", false, false },
                                          { "difference", true, false },
                                          { "p", true, false } };
    struct cli_table table = { .columns = columns, .n_columns = 3 };
    cli_table_add(&table, "%s", test_names[a->kind]);
    cli_table_add(&table, "%s", stats_show(p->statistic));
    cli_table_add(&table, "%s", stats_show_p(p->p));
    int rc = cli_table_append(&b, &table);
    if (rc == 0)
        rc = stats_say(&b, "%s %zu %s; there is %s of a difference between %s and %s (%s).",
                       p->exact ? "All" : "Of", p->patterns,
                       p->exact ? "sign patterns counted" : "random permutations",
                       stats_words_p(p->p), s->first, s->second, stats_alternative_names[a->side]);
    return cli_print_text(self, &b, rc);
}

static int do_test(const struct test_arguments *a, const struct samples *s)
{
    const struct cli_command *self = &cli_command_stats_test;
    enum stats_alternative side = (enum stats_alternative)a->side;
    struct stats_test t;
    struct stats_permutation p;
    double *d = NULL;
    int rc = 0;
    if (a->kind == PAIRED || a->kind == PAIRED_PERMUTATION) {
        if (s->n != s->m) {
            base_error_set(BASE_E_ARGUMENT,
                           "pairs need equally many values: %s has %zu, %s has %zu", s->first, s->n,
                           s->second, s->m);
            return cli_fail(self);
        }
        if (!(d = base_alloc(s->n, sizeof *d)))
            return cli_fail(self);
        for (size_t i = 0; i < s->n; i++)
            d[i] = s->x[i] - s->y[i];
    }
    switch (a->kind) {
    case ONE:
        rc = stats_t_one(s->x, s->n, a->mu, side, a->level, &t);
        break;
    case WELCH:
        rc = stats_t_welch(s->x, s->n, s->y, s->m, side, a->level, &t);
        break;
    case STUDENT:
        rc = stats_t_student(s->x, s->n, s->y, s->m, side, a->level, &t);
        break;
    case PAIRED:
        rc = stats_t_one(d, s->n, 0, side, a->level, &t);
        break;
    case PERMUTATION:
        rc = stats_permutation_two(s->x, s->n, s->y, s->m, side, (size_t)a->resamples,
                                   (uint64_t)cli_common.seed, &p);
        break;
    default:
        rc = stats_permutation_paired(d, s->n, side, (size_t)a->resamples,
                                      (uint64_t)cli_common.seed, &p);
    }
    base_free(d);
    if (rc)
        return cli_fail(self);
    return a->kind == PERMUTATION || a->kind == PAIRED_PERMUTATION ? print_permutation(a, s, &p)
                                                                   : print_t(a, s, &t);
}

/* A column cut in two by the labels of another. */
static int test_by_group(const struct test_arguments *a, const char *path)
{
    const struct cli_command *self = &cli_command_stats_test;
    struct stats_field field[2] = { { .name = a->column, .option = "--column" },
                                    { .name = a->group, .option = "--group", .label = true } };
    struct stats_sample s;
    double *parted = NULL;
    int rc = stats_sample_read(&s, path, &a->how, field, 2);
    if (rc == 0 && field[1].n_labels != 2)
        rc = base_error_set(BASE_E_ARGUMENT, "column %s has %zu labels; a test needs 2",
                            field[1].title, field[1].n_labels);
    if (rc == 0 && !(parted = base_alloc(s.n, sizeof *parted)))
        rc = BASE_E_MEMORY;
    if (rc) {
        rc = cli_fail(self);
    } else {
        size_t n = 0, at = s.n;
        for (size_t i = 0; i < s.n; i++)
            n += field[1].id[i] == 0;
        at = n;
        size_t from = 0;
        for (size_t i = 0; i < s.n; i++)
            parted[field[1].id[i] == 0 ? from++ : at++] = field[0].x[i];
        struct samples both = {
            parted, parted + n, n, s.n - n, s.skipped, field[1].labels[0], field[1].labels[1]
        };
        rc = do_test(a, &both);
    }
    base_free(parted);
    stats_sample_free(&s);
    return rc;
}

static int run_test(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_stats_test;
    struct test_arguments a = { .alternative = "two-sided", .level = 0.95, .resamples = 10000 };
    int n;
    const struct cli_option options[] = {
        { "test", 0, CLI_STRING, &a.test, "NAME",
          "one, welch, student, paired, permutation or paired-permutation (default: one for one "
          "column, welch for two)." },
        { "mu", 0, CLI_DOUBLE, &a.mu, "M", "The mean that --test one tests against (default 0)." },
        { "alternative", 0, CLI_STRING, &a.alternative, "SIDE",
          "two-sided (default), greater or less (the first than the second)." },
        { "first", 0, CLI_STRING, &a.first, "NAME", "Column of the first sample." },
        { "second", 0, CLI_STRING, &a.second, "NAME", "Column of the second sample." },
        { "column", 0, CLI_STRING, &a.column, "NAME",
          "Column of the values, with --group or one." },
        { "group", 0, CLI_STRING, &a.group, "NAME", "Column with the two labels." },
        { "resamples", 0, CLI_INT, &a.resamples, "N", "Random permutations (default 10000)." },
        { "level", 0, CLI_DOUBLE, &a.level, "P", "Confidence of the interval (default 0.95)." },
        STATS_FILE_OPTIONS(a.how),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = stats_check_share(self, "--level", a.level)))
        return rc;
    if (a.resamples < 1 || a.resamples > 1000000000)
        return cli_usage(self, "--resamples is 1 to 1000000000");
    bool two = n == 2 || a.first || a.second || a.group;
    a.kind =
        !a.test ? (two ? WELCH : ONE) : stats_choose(self, "--test", a.test, test_names, TESTS);
    a.side = a.kind < 0
                 ? 0
                 : stats_choose(self, "--alternative", a.alternative, stats_alternative_names, 3);
    if (a.kind < 0 || a.side < 0)
        return 2;
    if (a.group && (n != 1 || a.first || a.second))
        return cli_usage(self, "--group goes with one FILE and --column");
    if (a.group && a.kind != ONE)
        return test_by_group(&a, argv[1]);
    if (a.kind == ONE) {
        if (n != 1 || a.first || a.second || a.group)
            return cli_usage(self, "--test one takes one FILE and --column");
        struct stats_field field = { .name = a.column, .option = "--column" };
        struct stats_sample s;
        if (stats_sample_read(&s, argv[1], &a.how, &field, 1)) {
            rc = cli_fail(self);
        } else {
            struct samples one = { .x = field.x, .n = s.n, .skipped = s.skipped };
            rc = do_test(&a, &one);
        }
        stats_sample_free(&s);
        return rc;
    }
    struct stats_two pair;
    rc = stats_two_read(self, &pair, argv, n, &a.how, a.first, a.second, NULL, false);
    if (rc == 0) {
        struct samples both = { pair.x[0],
                                pair.x[1],
                                pair.n[0],
                                pair.n[1],
                                pair.sample[0].skipped + pair.sample[1].skipped,
                                pair.title[0],
                                pair.title[1] };
        rc = do_test(&a, &both);
    }
    stats_two_free(&pair);
    return rc;
}

/* ---- mcnemar ---- */

static json_t *json_mcnemar(const struct stats_mcnemar *m, double b, double c)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "b", (json_int_t)b, "c",
                     (json_int_t)c, "exact", base_json_number(m->exact), "midp",
                     base_json_number(m->midp), "chi2", base_json_number(m->chi2), "chi2_corrected",
                     base_json_number(m->chi2_corrected), "chi2_statistic",
                     base_json_number(m->chi2_statistic), "chi2_corrected_statistic",
                     base_json_number(m->chi2_corrected_statistic), "odds_ratio",
                     base_json_number(m->odds_ratio), "odds_ratio_ci",
                     stats_json_interval(&m->odds_ratio_interval));
}

static int append_mcnemar(struct base_buffer *out, const struct stats_mcnemar *m, double b,
                          double c)
{
    const struct cli_column columns[] = { { "McNemar", false, false },
                                          { "statistic", true, false },
                                          { "p", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 3 };
    const struct {
        const char *name;
        double statistic, p;
    } rows[] = { { "mid-p", NAN, m->midp },
                 { "exact", NAN, m->exact },
                 { "chi2", m->chi2_statistic, m->chi2 },
                 { "chi2, corrected", m->chi2_corrected_statistic, m->chi2_corrected } };
    for (int k = 0; k < 4; k++) {
        cli_table_add(&t, "%s", rows[k].name);
        cli_table_add(&t, "%s", k < 2 ? "" : stats_show(rows[k].statistic));
        cli_table_add(&t, "%s", stats_show_p(rows[k].p));
    }
    int rc = cli_table_append(out, &t);
    if (rc == 0 && b + c == 0)
        return stats_say(out, "The models agree on every item: nothing speaks for a difference.");
    if (rc == 0)
        rc = stats_say(out,
                       "Of %g items on which they differ the first is right on %g, the second on "
                       "%g: %s of a difference (mid-p). Odds %s, 95 %% interval %s.",
                       b + c, b, c, stats_words_p(m->midp), stats_show(m->odds_ratio),
                       stats_show_interval(&m->odds_ratio_interval));
    return rc;
}

static int print_mcnemar(double b, double c, size_t n)
{
    const struct cli_command *self = &cli_command_stats_mcnemar;
    struct stats_mcnemar m;
    if (stats_mcnemar(b, c, 0.95, &m))
        return cli_fail(self);
    if (cli_common.json) {
        json_t *out = json_mcnemar(&m, b, c);
        if (n)
            json_object_set_new(out, "n", json_integer((json_int_t)n));
        return cli_print_json(self, out);
    }
    struct base_buffer out = { 0 };
    int rc = append_mcnemar(&out, &m, b, c);
    return cli_print_text(self, &out, rc);
}

static int check_binary(const double *x, size_t n, const char *title)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != 0 && x[i] != 1)
            return base_error_set(BASE_E_ARGUMENT,
                                  "%s: value %zu is %g; McNemar's test is for scores of 0 and 1 "
                                  "(`assay stats paired` takes any)",
                                  title, i + 1, x[i]);
    return 0;
}

/* Cochran's Q over the columns that `list` names, divided by commas. */
static int cochran(const char *path, const struct stats_how *how, const char *list)
{
    const struct cli_command *self = &cli_command_stats_mcnemar;
    struct stats_field field[64] = { { 0 } };
    char *copy = base_strdup(list), *save = NULL;
    size_t k = 0;
    for (char *p = copy ? strtok_r(copy, ",", &save) : NULL; p && k < 64;
         p = strtok_r(NULL, ",", &save))
        field[k++] = (struct stats_field){ .name = p, .option = "--scores" };
    if (k < 2) {
        base_free(copy);
        return cli_usage(self, "--scores needs at least two columns: --scores A,B,C");
    }
    struct stats_sample s;
    struct stats_cochran q;
    double *x = NULL;
    int rc = stats_sample_read(&s, path, how, field, k);
    if (rc == 0 && !(x = base_alloc(s.n, k * sizeof *x)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < s.n; i++)
        for (size_t j = 0; j < k; j++)
            x[i * k + j] = field[j].x[i];
    if (rc == 0)
        rc = stats_cochran_q(x, s.n, k, &q);
    if (rc) {
        rc = cli_fail(self);
    } else if (cli_common.json) {
        json_t *means = json_object();
        for (size_t j = 0; j < k; j++)
            json_object_set_new(means, field[j].title,
                                base_json_number(stats_mean(field[j].x, s.n)));
        rc = cli_print_json(self,
                            json_pack("{s:o, s:o, s:o, s:I, s:I, s:o}", "q", base_json_number(q.q),
                                      "df", base_json_number(q.df), "p", base_json_number(q.p), "n",
                                      (json_int_t)s.n, "models", (json_int_t)k, "means", means));
    } else {
        struct base_buffer b = { 0 };
        const struct cli_column columns[] = { { "model", false, false },
                                              { "share right", true, false } };
        struct cli_table t = { .columns = columns, .n_columns = 2 };
        for (size_t j = 0; j < k; j++) {
            cli_table_add(&t, "%s", field[j].title);
            cli_table_add(&t, "%.4f", stats_mean(field[j].x, s.n));
        }
        rc = cli_table_append(&b, &t);
        if (rc == 0)
            rc =
                stats_say(&b,
                          "Cochran's Q = %s with %g degrees of freedom, p = %s: %s that any of the "
                          "models differs from the others (%zu items).",
                          stats_show(q.q), q.df, stats_show_p(q.p), stats_words_p(q.p), s.n);
        rc = cli_print_text(self, &b, rc);
    }
    base_free(x);
    base_free(copy);
    stats_sample_free(&s);
    return rc;
}

static int run_mcnemar(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_stats_mcnemar;
    struct stats_how how = { 0 };
    const char *first = NULL, *second = NULL, *scores = NULL;
    double b = NAN, c = NAN;
    int n;
    const struct cli_option options[] = {
        { "b", 0, CLI_DOUBLE, &b, "B", "Items right with the first model only." },
        { "c", 0, CLI_DOUBLE, &c, "C", "Items right with the second model only." },
        { "first", 0, CLI_STRING, &first, "NAME", "Column of the first model's scores." },
        { "second", 0, CLI_STRING, &second, "NAME", "Column of the second model's scores." },
        { "scores", 0, CLI_STRING, &scores, "A,B,C", "Columns of several models (Cochran's Q)." },
        STATS_FILE_OPTIONS(how),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    bool counts = !isnan(b) || !isnan(c);
    if (counts) {
        if (isnan(b) || isnan(c) || n || first || second || scores)
            return cli_usage(self, "give --b and --c, or a FILE with two columns");
        return print_mcnemar(b, c, 0);
    }
    if (scores)
        return n == 1 ? cochran(argv[1], &how, scores)
                      : cli_usage(self, "--scores takes one FILE with a column for each model");
    struct stats_two two;
    rc = stats_two_read(self, &two, argv, n, &how, first, second, NULL, true);
    if (rc == 0) {
        if (check_binary(two.x[0], two.n[0], two.title[0]) ||
            check_binary(two.x[1], two.n[1], two.title[1])) {
            rc = cli_fail(self);
        } else {
            b = c = 0;
            for (size_t i = 0; i < two.n[0]; i++) {
                b += two.x[0][i] > two.x[1][i];
                c += two.x[0][i] < two.x[1][i];
            }
            rc = print_mcnemar(b, c, two.n[0]);
        }
    }
    stats_two_free(&two);
    return rc;
}

/* ---- paired ---- */

/* Items that would show the seen difference with 80 % power at 5 %; NaN for none. */
static double items_needed(const struct stats_paired *p)
{
    struct stats_items items = { .w2 = p->se * p->se * (double)p->n, .k_a = 1, .k_b = 1 };
    double n;
    return p->difference != 0 && p->se > 0 &&
                   stats_sample_items(&items, p->difference, 0.05, 0.8, &n) == 0
               ? ceil(n)
               : NAN;
}

static int append_paired(struct base_buffer *b, const struct stats_two *two,
                         const struct stats_paired *p, const struct stats_mcnemar *m, double level)
{
    char head[32];
    snprintf(head, sizeof head, "%g %% interval", 100 * level);
    const struct cli_column columns[] = { { "", false, false },
                                          { "mean", true, false },
                                          { head, false, false } };
    struct cli_table t = { .columns = columns, .n_columns = 3 };
    const double means[2] = { p->mean_a, p->mean_b };
    for (int k = 0; k < 2; k++) {
        struct stats_interval i;
        int rc = p->binary ? stats_interval_wilson(round(means[k] * (double)p->n), (double)p->n,
                                                   level, &i)
                           : stats_interval_mean(two->x[k], p->n, level, &i);
        cli_table_add(&t, "%s", two->title[k]);
        cli_table_add(&t, "%s", stats_show(means[k]));
        cli_table_add(&t, "%s", rc ? "" : stats_show_interval(&i));
    }
    cli_table_add(&t, "%s", "difference");
    cli_table_add(&t, "%s", stats_show(p->difference));
    cli_table_add(&t, "%s", stats_show_interval(&p->interval));
    if (p->binary) {
        cli_table_add(&t, "%s", "  Newcombe");
        cli_table_add(&t, "%s", "");
        cli_table_add(&t, "%s", stats_show_interval(&p->newcombe));
    }
    int rc = cli_table_append(b, &t);
    if (rc == 0)
        rc = stats_say(b,
                       "%zu items%s: t = %.4g with %g degrees of freedom, p = %s, %s of a "
                       "difference. Standard error %s; unpaired it would be %s (correlation %s).",
                       p->n, two->cluster ? " in clusters" : "", p->t, p->df, stats_show_p(p->p),
                       stats_words_p(p->p), stats_show(p->se), stats_show(p->se_unpaired),
                       stats_show(p->correlation));
    if (rc == 0 && p->binary)
        rc = append_mcnemar(b, m, p->b, p->c);
    if (rc == 0 && p->binary && two->cluster)
        rc = stats_say(b, "McNemar's test and Newcombe's interval take the items as independent; "
                          "with clusters go by the difference's interval.");
    double needed = items_needed(p);
    if (rc == 0 && p->p > 0.05 && !isnan(needed))
        rc = stats_say(b,
                       "If the difference were as seen, %.0f items would show it with 80 %% power.",
                       needed);
    return rc;
}

static int run_paired(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_stats_paired;
    struct stats_how how = { 0 };
    const char *first = NULL, *second = NULL, *cluster = NULL;
    double level = 0.95;
    int n;
    const struct cli_option options[] = {
        { "first", 0, CLI_STRING, &first, "NAME", "Column of the first model's scores." },
        { "second", 0, CLI_STRING, &second, "NAME", "Column of the second model's scores." },
        { "cluster", 0, CLI_STRING, &cluster, "NAME", "Column that names each item's cluster." },
        { "level", 0, CLI_DOUBLE, &level, "P", "Confidence (default 0.95)." },
        STATS_FILE_OPTIONS(how),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = stats_check_share(self, "--level", level)))
        return rc;
    struct stats_two two;
    struct stats_paired p;
    struct stats_mcnemar m = { 0 };
    rc = stats_two_read(self, &two, argv, n, &how, first, second, cluster, true);
    if (rc)
        goto out;
    if (stats_paired(two.x[0], two.x[1], two.n[0], two.cluster, two.clusters, level, &p) ||
        (p.binary && stats_mcnemar(p.b, p.c, 0.95, &m))) {
        rc = cli_fail(self);
    } else if (cli_common.json) {
        json_t *out = json_pack(
            "{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "n",
            (json_int_t)p.n, "a", base_json_number(p.mean_a), "b", base_json_number(p.mean_b),
            "difference", base_json_number(p.difference), "stderr", base_json_number(p.se), "df",
            base_json_number(p.df), "ci", stats_json_interval(&p.interval), "t",
            base_json_number(p.t), "p", base_json_number(p.p), "correlation",
            base_json_number(p.correlation), "effect", base_json_number(p.effect),
            "stderr_unpaired", base_json_number(p.se_unpaired), "items_needed",
            base_json_number(items_needed(&p)));
        if (p.binary) {
            json_object_set_new(out, "newcombe", stats_json_interval(&p.newcombe));
            json_object_set_new(out, "table",
                                json_pack("[[I, I], [I, I]]", (json_int_t)p.both, (json_int_t)p.b,
                                          (json_int_t)p.c, (json_int_t)p.neither));
            json_object_set_new(out, "mcnemar", json_mcnemar(&m, p.b, p.c));
        }
        if (cluster)
            json_object_set_new(out, "clusters", json_integer((json_int_t)two.clusters));
        rc = cli_print_json(self, out);
    } else {
        struct base_buffer b = { 0 };
        rc = append_paired(&b, &two, &p, &m, level);
        rc = cli_print_text(self, &b, rc);
    }
out:
    stats_two_free(&two);
    return rc;
}
