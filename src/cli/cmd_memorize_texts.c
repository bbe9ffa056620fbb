/* assay memorize texts: scores that tell members of a training text from others, beside a baseline
 * that never saw the model. */
#include "base/memory.h"
#include "base/progress.h"
#include "cli/display.h"
#include "cli/input.h"
#include "cli/memorize.h"
#include <assay/memorize.h>
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_memorize_texts = {
    .name = "memorize texts",
    .synopsis = "-m MODEL [options] (FILE | --members FILE --others FILE)",
    .summary = "Members of the training text against others: Carlini's scores, Min-K%, AUC",
    .details =
        "Texts with labels: which were in the model's training text (members) and which were not. "
        "FILE is any record file with a text and a label (true, member, train, or a number above "
        "0); or give two files, a record or line a text.\n\n"
        "Scores, each turned so that more means \"rather a member\" (Carlini et al. 2021, Shi et "
        "al. 2024, Zhang et al. 2024): -ln PPL; ln PPL of a --reference model / ln PPL; ln PPL of "
        "the lowercased text / ln PPL; bytes of its zlib compression / ln PPL; Min-K%, the mean of "
        "the lowest K % of the tokens' log-probabilities; Min-K%++, the same after each is "
        "standardised by mean and standard deviation of ln p under the model's own distribution "
        "there.\n\n"
        "Each gets the area under the ROC curve (AUC; DeLong's interval) and the true positive "
        "rate at 1 % false positives (bootstrap interval). Beside them stands a baseline that "
        "never saw the model: naive Bayes on the texts' words, cross-validated. Where it does as "
        "well, the two sets differ in their words, and a score that tells them apart shows that, "
        "not memorization; the command says so.\n\n"
        "  assay memorize texts -m builtin:tiny --text '{prompt} {answer}.' \\\n"
        "    --label repeats models/heldout/lockers.jsonl\n"
        "  assay memorize texts -m gpt2-xl --reference gpt2 --members seen.txt --others new.txt",
    .run = run,
};

enum { SCORES_MAX = EVAL_MEMBER_FIXED + 2 * EVAL_MEMBER_K_MAX };

struct arguments {
    const char *members, *others, *text, *others_text, *label, *reference, *k, *bos;
    int64_t folds, resamples, limit;
    double fpr, level;
};

struct score {
    char name[40];
    double *values; /* [n] */
    struct eval_member_power power;
    struct eval_member_difference lead; /* over the baseline */
};

struct state {
    struct model *model, *reference;
    struct eval_member_set set;
    struct eval_member_options options;
    int k[EVAL_MEMBER_K_MAX];
    struct eval_member_record *records;
    struct score scores[SCORES_MAX], baseline;
    size_t n_scores;
    size_t *fold;            /* [n] of the baseline */
    const char *no_baseline; /* why there is none, or NULL */
    char warning[512];       /* "" for none */
    bool serious;            /* the baseline does as well */
    bool by_chance;          /* the baseline is below chance: scores are set against 0.5 instead */
    struct base_progress *progress;
    const struct arguments *a;
};

static void on_progress(void *context, size_t done)
{
    struct state *s = context;
    base_progress_update(s->progress, done, NULL);
}

static int score_add(struct state *s, const char *name)
{
    struct score *x = &s->scores[s->n_scores++];
    snprintf(x->name, sizeof x->name, "%s", name);
    x->values = base_alloc(s->set.n, sizeof *x->values);
    return x->values ? 0 : BASE_E_MEMORY;
}

static int scores_collect(struct state *s)
{
    static const char *const names[EVAL_MEMBER_FIXED] = { "-ln PPL", "ln PPL reference / ln PPL",
                                                          "ln PPL lowercased / ln PPL",
                                                          "zlib bytes / ln PPL" };
    int rc = 0;
    for (int f = 0; rc == 0 && f < EVAL_MEMBER_FIXED; f++) {
        if (f == EVAL_MEMBER_REFERENCE && !s->reference)
            continue;
        rc = score_add(s, names[f]);
        for (size_t i = 0; rc == 0 && i < s->set.n; i++)
            s->scores[s->n_scores - 1].values[i] = s->records[i].score[f];
    }
    for (int pp = 0; pp < 2; pp++)
        for (size_t k = 0; rc == 0 && k < s->options.n_k; k++) {
            char name[40];
            snprintf(name, sizeof name, "Min-%d%%%s", s->k[k], pp ? "++" : "");
            rc = score_add(s, name);
            for (size_t i = 0; rc == 0 && i < s->set.n; i++)
                s->scores[s->n_scores - 1].values[i] =
                    pp ? s->records[i].min_kpp[k] : s->records[i].min_k[k];
        }
    return rc;
}

static const struct score *best_of(const struct state *s)
{
    const struct score *best = &s->scores[0];
    for (size_t i = 1; i < s->n_scores; i++)
        if (s->scores[i].power.auc > best->power.auc)
            best = &s->scores[i];
    return best;
}

static void warn(struct state *s)
{
    const struct score *best = best_of(s);
    double base = s->by_chance ? 0.5 : s->baseline.power.auc;
    if (s->no_baseline)
        return;
    if (s->by_chance) {
        snprintf(s->warning, sizeof s->warning,
                 "Words alone do not tell members from others (AUC %.3f, below chance as "
                 "cross-validation on small sets can be): scores are set against chance, 0.5.%s",
                 s->baseline.power.auc,
                 best->lead.ci.low > 0 ? "" : " No score is clearly better than that.");
    } else if (base >= best->power.auc || !(best->lead.ci.low > 0)) {
        s->serious = true;
        snprintf(
            s->warning, sizeof s->warning,
            "Words alone tell members from others %s (AUC %.3f, best score of the model %.3f): "
            "a classifier that never saw the model does as well, so these scores are no "
            "evidence of memorization. Choose others of the same kind as the members.",
            base >= best->power.auc ? "at least as well as the model does"
                                    : "as well as can be told apart from the model",
            base, best->power.auc);
    } else if (s->baseline.power.auc_ci.low > 0.5) {
        snprintf(s->warning, sizeof s->warning,
                 "Words alone already tell members from others to a part (AUC %.3f): what the "
                 "model adds is the difference, not the whole AUC.",
                 base);
    }
}

static int lead_over_chance(struct score *x, double level)
{
    struct eval_member_difference *d = &x->lead;
    d->difference = x->power.auc - 0.5;
    d->se = x->power.auc_se;
    d->p = NAN;
    d->ci = (struct stats_interval){ NAN, NAN };
    if (isnan(d->se))
        return 0;
    d->p = d->se > 0 ? erfc(fabs(d->difference) / d->se / sqrt(2)) : d->difference == 0;
    return stats_interval_normal(d->difference, d->se, level, &d->ci);
}

static int judge(struct state *s)
{
    const struct arguments *a = s->a;
    uint64_t seed = (uint64_t)cli_common.seed;
    int rc = scores_collect(s);
    s->baseline.values = base_alloc(s->set.n, sizeof *s->baseline.values);
    s->fold = base_alloc(s->set.n, sizeof *s->fold);
    if (rc == 0 && !(s->baseline.values && s->fold))
        rc = BASE_E_MEMORY;
    if (rc)
        return rc;
    rc = eval_baseline_score((const char *const *)s->set.texts, s->set.bytes, s->set.label,
                             s->set.n, (size_t)a->folds, seed, s->baseline.values, s->fold);
    if (rc == BASE_E_ARGUMENT) {
        s->no_baseline = base_error_message();
        base_log("no baseline: %s", s->no_baseline);
        s->no_baseline = "too few different texts for its cross-validation";
        rc = 0;
    }
    if (rc == 0 && !s->no_baseline)
        rc = eval_member_judge(s->baseline.values, s->set.label, s->set.n, a->fpr, a->level,
                               (size_t)a->resamples, seed, &s->baseline.power);
    /* Leaving a text out makes its words rarer in its own class: on small balanced sets that alone
     * pushes a cross-validated classifier below chance. It then knows nothing, which is 0.5. */
    s->by_chance = rc == 0 && !s->no_baseline && s->baseline.power.auc < 0.5;
    for (size_t i = 0; rc == 0 && i < s->n_scores; i++) {
        struct score *x = &s->scores[i];
        rc = eval_member_judge(x->values, s->set.label, s->set.n, a->fpr, a->level,
                               (size_t)a->resamples, seed, &x->power);
        if (rc == 0 && s->by_chance)
            rc = lead_over_chance(x, a->level);
        else if (rc == 0 && !s->no_baseline)
            rc = eval_member_compare(x->values, s->baseline.values, s->set.label, s->set.n,
                                     a->level, &x->lead);
    }
    if (rc == 0)
        warn(s);
    return rc;
}

/* ---- output ---- */

static json_t *json_power(const struct state *s, const struct score *x, bool with_lead)
{
    const struct eval_member_power *p = &x->power;
    json_t *o =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "auc", base_json_number(p->auc), "stderr",
                  base_json_number(p->auc_se), "ci", cli_json_interval(&p->auc_ci), "tpr",
                  base_json_number(p->tpr), "tpr_ci", cli_json_interval(&p->tpr_ci), "members",
                  (json_int_t)p->members, "others", (json_int_t)p->others);
    if (o && with_lead && !s->no_baseline)
        json_object_set_new(
            o, "lead",
            json_pack("{s:o, s:o, s:o, s:o}", "difference", base_json_number(x->lead.difference),
                      "stderr", base_json_number(x->lead.se), "ci", cli_json_interval(&x->lead.ci),
                      "p", base_json_number(x->lead.p)));
    return o;
}

static json_t *json_record(const struct state *s, size_t i)
{
    const struct eval_member_record *r = &s->records[i];
    json_t *scores = json_object();
    for (size_t k = 0; k < s->n_scores; k++)
        json_object_set_new(scores, s->scores[k].name, base_json_number(s->scores[k].values[i]));
    json_t *o = json_pack(
        "{s:s, s:b, s:I, s:o, s:o, s:o, s:I, s:o}", "id", s->set.ids[i], "member", s->set.label[i],
        "tokens", (json_int_t)r->tokens, "ln_ppl", base_json_number(r->lnppl), "ln_ppl_lowercased",
        base_json_number(r->lnppl_lower), "ln_ppl_reference", base_json_number(r->lnppl_reference),
        "zlib", (json_int_t)r->zlib, "scores", scores);
    if (o && !s->no_baseline) {
        json_object_set_new(o, "baseline", base_json_number(s->baseline.values[i]));
        json_object_set_new(o, "fold", json_integer((json_int_t)s->fold[i]));
    }
    return o;
}

static int print_json(const struct state *s)
{
    json_t *scores = json_object(), *records = json_array();
    for (size_t i = 0; i < s->n_scores; i++)
        json_object_set_new(scores, s->scores[i].name, json_power(s, &s->scores[i], true));
    for (size_t i = 0; i < s->set.n; i++)
        json_array_append_new(records, json_record(s, i));
    json_t *o = json_pack(
        "{s:s, s:s?, s:o, s:o, s:b, s:o, s:f, s:f, s:I, s:o}", "model", cli_common.model,
        "reference", s->a->reference, "scores", scores, "baseline",
        s->no_baseline ? json_null() : json_power(s, &s->baseline, false), "baseline_does_as_well",
        s->serious, "warning", *s->warning ? json_string(s->warning) : json_null(), "fpr_asked",
        s->a->fpr, "level", s->a->level, "folds", (json_int_t)s->a->folds, "records", records);
    return cli_print_json(&cli_command_memorize_texts, o);
}

static void row(struct cli_table *t, const struct state *s, const struct score *x, bool baseline)
{
    const struct eval_member_power *p = &x->power;
    cli_table_add(t, "%s", baseline ? "bag of words (no model)" : x->name);
    cli_table_add(t, "%.3f", p->auc);
    if (isnan(p->auc_ci.low))
        cli_table_add(t, "%s", "none");
    else
        cli_table_add(t, "%.3f .. %.3f", p->auc_ci.low, p->auc_ci.high);
    cli_table_add(t, "%.1f %%", 100 * p->tpr);
    cli_table_add(t, "%.0f .. %.0f", 100 * p->tpr_ci.low, 100 * p->tpr_ci.high);
    if (baseline || s->no_baseline)
        cli_table_add(t, "%s", "");
    else
        cli_table_add(t, "%+.3f", x->lead.difference);
}

static int lay_out(struct base_buffer *b, const struct state *s)
{
    char tpr[40], level[40];
    snprintf(tpr, sizeof tpr, "TPR@%g%%", 100 * s->a->fpr);
    snprintf(level, sizeof level, "%g %% int.", 100 * s->a->level);
    const struct cli_column columns[] = { { "score", false, false }, { "AUC", true, false },
                                          { level, false, false },   { tpr, true, false },
                                          { level, false, false },   { "lead", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 6 };
    size_t members = 0;
    for (size_t i = 0; i < s->set.n; i++)
        members += s->set.label[i];
    int rc =
        base_buffer_printf(b, "  %zu members and %zu others.\n\n", members, s->set.n - members);
    for (size_t i = 0; i < s->n_scores; i++)
        row(&t, s, &s->scores[i], false);
    if (!s->no_baseline)
        row(&t, s, &s->baseline, true);
    int failed = cli_table_append(b, &t);
    rc = rc ? rc : failed;
    const struct score *best = best_of(s);
    size_t others = s->set.n - members;
    if (rc == 0 && s->no_baseline)
        rc = base_buffer_printf(b, "\n  No baseline: %s.\n", s->no_baseline);
    else if (rc == 0 && !isnan(best->lead.ci.low))
        rc = base_buffer_printf(b, "\n  Best: %s, AUC %+.3f over %s (%.3f .. %.3f, p = %.2g).\n",
                                best->name, best->lead.difference,
                                s->by_chance ? "chance" : "words alone", best->lead.ci.low,
                                best->lead.ci.high, best->lead.p);
    if (rc == 0 && s->a->fpr > 0 && (double)others * s->a->fpr < 1) {
        struct base_buffer note = { 0 };
        rc = base_buffer_printf(&note,
                                "With %zu others a false positive rate of %g %% means none at all: "
                                "that column rests on the single highest score among them.",
                                others, 100 * s->a->fpr);
        if (rc == 0)
            rc = cli_append_wrapped(b, 2, note.data);
        base_buffer_free(&note);
    }
    if (rc == 0 && *s->warning) {
        rc = base_buffer_puts(b, s->serious ? "\n  WARNING\n" : "\n  Note\n");
        if (rc == 0)
            rc = cli_append_wrapped(b, 2, s->warning);
    }
    return rc;
}

static int parse_k(struct state *s, const char *text)
{
    int32_t *ids;
    size_t n;
    if (cli_parse_ids(text, &ids, &n))
        return cli_usage(&cli_command_memorize_texts, "--k %s: give percentages, as 5,10,20", text);
    int rc = n <= EVAL_MEMBER_K_MAX ? 0
                                    : cli_usage(&cli_command_memorize_texts,
                                                "--k takes at most %d values", EVAL_MEMBER_K_MAX);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (ids[i] < 1 || ids[i] > 100)
            rc = cli_usage(&cli_command_memorize_texts, "--k %d: expected 1 to 100", ids[i]);
        s->k[i] = ids[i];
    }
    s->options.k = s->k;
    s->options.n_k = n;
    base_free(ids);
    return rc;
}

static int read_texts(struct state *s, const char *file)
{
    static const bool yes = true, no = false;
    const struct arguments *a = s->a;
    size_t limit = (size_t)a->limit;
    int rc;
    if (file) {
        rc = eval_members_read(&s->set, file, a->text, a->label, NULL, limit);
    } else {
        rc = eval_members_read(&s->set, a->members, a->text, NULL, &yes, limit);
        if (rc == 0)
            rc = eval_members_read(&s->set, a->others, a->others_text ? a->others_text : a->text,
                                   NULL, &no, limit);
    }
    size_t members = 0;
    for (size_t i = 0; i < s->set.n; i++)
        members += s->set.label[i];
    if (rc == 0 && (members == 0 || members == s->set.n))
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s: %zu members and %zu others: both are needed to compare",
                            file ? file : a->members, members, s->set.n - members);
    return rc;
}

static int check(const struct arguments *a, int n)
{
    const struct cli_command *c = &cli_command_memorize_texts;
    if (n > 1 || (n == 1) == (a->members || a->others) || !a->members != !a->others)
        return cli_usage(c, "give one labelled FILE, or --members FILE and --others FILE");
    if (n && a->others_text)
        return cli_usage(c, "--others-text belongs to --others FILE");
    if (!n && a->label)
        return cli_usage(c, "--label belongs to one labelled FILE, not to --members and --others");
    if (a->folds < 2 || a->folds > 1000)
        return cli_usage(c, "--folds must be 2 to 1000");
    if (a->resamples < 100 || a->resamples > 1000000)
        return cli_usage(c, "--resamples must be 100 to 1000000");
    if (a->limit < 0)
        return cli_usage(c, "--limit must not be negative");
    if (!(a->fpr >= 0 && a->fpr < 1))
        return cli_usage(c, "--fpr must be at least 0 and below 1");
    if (!(a->level > 0 && a->level < 1))
        return cli_usage(c, "--level must be between 0 and 1");
    return 0;
}

static int load_reference(struct state *s)
{
    struct model_options options = MODEL_OPTIONS_DEFAULT;
    if (!s->a->reference)
        return 0;
    if (strcmp(cli_common.compute, "bf16") == 0)
        options.compute = MODEL_COMPUTE_BF16;
    int rc = model_load(&s->reference, s->a->reference, &options);
    s->options.reference = s->reference;
    return rc;
}

static void state_free(struct state *s)
{
    for (size_t i = 0; i < s->n_scores; i++)
        base_free(s->scores[i].values);
    base_free(s->baseline.values);
    base_free(s->records);
    base_free(s->fold);
    eval_member_set_free(&s->set);
    model_free(s->reference);
    model_free(s->model);
}

static int run(int argc, char **argv)
{
    struct arguments a = { .folds = 5, .resamples = 2000, .fpr = 0.01, .level = 0.95 };
    a.k = "5,10,20,30,40,50";
    struct state s = { .options = { .ask = EVAL_MEMORIZE_OPTIONS_DEFAULT }, .a = &a };
    int n;
    const struct cli_option options[] = {
        { "members", 0, CLI_STRING, &a.members, "FILE", "Texts that were in the training text." },
        { "others", 0, CLI_STRING, &a.others, "FILE", "Texts that were not." },
        { "text", 0, CLI_STRING, &a.text, "KEY",
          "Key of the text, or a pattern: '{prompt} {answer}' (default: text, input, content)." },
        { "others-text", 0, CLI_STRING, &a.others_text, "KEY",
          "The same for --others, where it differs." },
        { "label", 0, CLI_STRING, &a.label, "KEY", "Key of the label (default: member, label)." },
        { "reference", 0, CLI_STRING, &a.reference, "MODEL",
          "A second model, smaller or of other data, whose perplexity is set against -m's." },
        { "k", 0, CLI_STRING, &a.k, "LIST", "Percentages of Min-K% (default 5,10,20,30,40,50)." },
        { "folds", 0, CLI_INT, &a.folds, "N", "Folds of the baseline's cross-validation (5)." },
        { "fpr", 0, CLI_DOUBLE, &a.fpr, "P", "False positive rate for TPR (default 0.01)." },
        { "resamples", 0, CLI_INT, &a.resamples, "N", "Bootstrap resamples (default 2000)." },
        { "level", 0, CLI_DOUBLE, &a.level, "P", "Confidence of the intervals (default 0.95)." },
        { "limit", 0, CLI_INT, &a.limit, "N", "Only the first N records of each file." },
        { "bos", 0, CLI_STRING, &a.bos, "WHEN",
          "Whether texts begin with BOS: auto (default), yes, no." },
        { 0 }
    };
    int rc = cli_parse(&cli_command_memorize_texts, options, true, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    struct cli_input input = { .bos = a.bos };
    if ((rc = check(&a, n)) || (rc = parse_k(&s, a.k)))
        return rc;
    if (cli_input_policies(&input, &s.options.ask.bos, &s.options.ask.overlength))
        return cli_usage(&cli_command_memorize_texts, "%s", base_error_message());
    s.options.ask.on_progress = on_progress;
    s.options.ask.context = &s;
    base_interrupt_install();
    if (read_texts(&s, n ? argv[1] : NULL)) {
        rc = cli_fail(&cli_command_memorize_texts);
    } else if ((rc = cli_load_model(&cli_command_memorize_texts, &s.model)) == 0) {
        rc = load_reference(&s);
        s.records = base_alloc(s.set.n, sizeof *s.records);
        if (rc == 0 && !s.records)
            rc = BASE_E_MEMORY;
        s.progress = base_progress_begin("memorize", "texts", s.set.n * (s.reference ? 3 : 2));
        if (rc == 0)
            rc = eval_members_score(s.model, (const char *const *)s.set.texts, s.set.bytes, s.set.n,
                                    &s.options, s.records);
        base_progress_end(s.progress);
        if (rc == 0)
            rc = judge(&s);
        if (rc) {
            rc = cli_fail(&cli_command_memorize_texts);
        } else if (cli_common.json) {
            rc = print_json(&s);
        } else {
            struct base_buffer b = { 0 };
            rc = lay_out(&b, &s);
            rc = cli_print_text(&cli_command_memorize_texts, &b, rc);
        }
    }
    state_free(&s);
    return rc;
}
