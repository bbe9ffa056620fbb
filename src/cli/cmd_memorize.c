/* assay memorize: exact against paraphrased prompts, counterfactual targets, dose and response. */
#include "base/memory.h"
#include "base/progress.h"
#include "cli/display.h"
#include "cli/input.h"
#include "cli/memorize.h"
#include <assay/memorize.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_memorize = {
    .name = "memorize",
    .synopsis = "-m MODEL [options] FILE",
    .summary = "Memorized or known: exact against paraphrased prompts, dose and response",
    .details =
        "FILE holds records (.jsonl, .json, .csv, .tsv, plain or compressed): a prompt as it stood "
        "in the training text, paraphrases of it, the target that follows, perhaps a plausible "
        "wrong target (counterfactual) and how often the text was told. A model that has memorized "
        "a text gives its target a high probability after the exact words only; one that knows the "
        "fact does so after any wording.\n\n"
        "For each kind of prompt: P(target), its logarithm and log-odds, whether greedy decoding "
        "writes the target, and how far it is ahead of the counterfactual. The two kinds are "
        "compared item by item: mean difference with a t interval and two tests, by t and by "
        "flipping signs. Several paraphrases of an item are averaged first; records of the same "
        "exact prompt and target are one cluster (or those that agree in --cluster), and the "
        "standard errors are over clusters.\n\n"
        "Keys are found by their usual names (exact, seen_prompt, prompt; paraphrases; target, "
        "answer; counterfactual; repeats), which the first lines of the output tell, or given. A "
        "key may be a path (doc.prompt) or a pattern (\"Q: {question}\").\n\n"
        "  assay memorize -m builtin:tiny models/heldout/facts.jsonl\n"
        "  assay memorize -m builtin:tiny models/heldout/lockers.jsonl\n"
        "  assay memorize -m gpt2 --exact quote --paraphrase said_otherwise --target end q.csv",
    .run = run,
};

static const char *const quantity_names[EVAL_MEMORIZE_QUANTITIES] = { "p",          "logp",
                                                                      "log_odds",   "extracted",
                                                                      "preference", "favoured" };
static const char *const quantity_titles[EVAL_MEMORIZE_QUANTITIES] = {
    "P(target)",        "ln P(target)",      "log-odds",
    "greedy writes it", "ln P ratio to cf.", "favoured over cf."
};

struct state {
    struct model *model;
    struct eval_memorize_set set;
    struct eval_memorize_options options;
    struct eval_memorize_record *records;
    struct eval_memorize_report report;
    struct base_progress *progress;
    const char *file;
    int64_t top;
};

static void on_progress(void *context, size_t done)
{
    struct state *s = context;
    base_progress_update(s->progress, done, NULL);
}

static json_t *json_value(const struct eval_memorize_value *v)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "p", base_json_number(v->p), "logp",
                     base_json_number(v->logp), "log_odds", base_json_number(v->odds), "extracted",
                     base_json_number(v->extracted), "preference", base_json_number(v->preference),
                     "favoured", base_json_number(v->favoured));
}

static json_t *json_means(const struct eval_memorize_report *r, int prompt)
{
    json_t *o = json_object();
    for (int q = 0; q < EVAL_MEMORIZE_QUANTITIES; q++)
        if (r->count[prompt][q])
            json_object_set_new(o, quantity_names[q],
                                json_pack("{s:o, s:o, s:I}", "mean",
                                          base_json_number(r->mean[prompt][q]), "ci",
                                          cli_json_interval(&r->mean_ci[prompt][q]), "n",
                                          (json_int_t)r->count[prompt][q]));
    return o;
}

static json_t *json_paired(const struct eval_memorize_report *r)
{
    json_t *o = json_object();
    for (int q = 0; q < EVAL_MEMORIZE_QUANTITIES; q++) {
        const struct eval_paired *d = &r->paired_of[q];
        if (d->n)
            json_object_set_new(o, quantity_names[q],
                                json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "difference",
                                          base_json_number(d->difference), "stderr",
                                          base_json_number(d->se), "ci", cli_json_interval(&d->ci),
                                          "p_t", base_json_number(d->p_t), "p_flip",
                                          base_json_number(d->p_flip), "n", (json_int_t)d->n,
                                          "clusters", (json_int_t)d->clusters));
    }
    return o;
}

static json_t *json_doses(const struct eval_memorize_report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_doses; i++) {
        const struct eval_memorize_dose *d = &r->doses[i];
        json_array_append_new(
            list,
            json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "dose",
                      base_json_number(d->dose), "n", (json_int_t)d->n, "p", base_json_number(d->p),
                      "p_ci", cli_json_interval(&d->p_ci), "logp", base_json_number(d->logp),
                      "log_odds", base_json_number(d->odds), "extracted", (json_int_t)d->extracted,
                      "extracted_share", base_json_number((double)d->extracted / (double)d->n),
                      "extracted_ci", cli_json_interval(&d->ex_ci), "p_paraphrase",
                      base_json_number(d->other)));
    }
    return list;
}

static json_t *json_keys(const struct eval_memorize_keys *k)
{
    json_t *paraphrases = json_array();
    for (size_t i = 0; i < k->n_paraphrases; i++)
        json_array_append_new(paraphrases, json_string(k->paraphrases[i]));
    return json_pack("{s:s, s:o, s:s, s:s?, s:s?, s:s?, s:s?, s:s}", "exact", k->exact,
                     "paraphrases", paraphrases, "target", k->target, "counterfactual",
                     k->counterfactual, "dose", k->dose, "id", k->id, "cluster", k->cluster,
                     "delimiter", k->delimiter);
}

static int print_json(const struct state *s)
{
    const struct eval_memorize_report *r = &s->report;
    json_t *records = json_array();
    for (size_t i = 0; i < s->set.n; i++) {
        const struct eval_memorize_record *x = &s->records[i];
        json_t *one =
            json_pack("{s:I, s:s, s:I, s:I, s:o}", "item", (json_int_t)i, "id", s->set.ids[i],
                      "cluster", (json_int_t)s->set.items[i].cluster, "tokens",
                      (json_int_t)x->tokens, "exact", json_value(&x->of[EVAL_PROMPT_EXACT]));
        if (one && s->set.items[i].n_paraphrases)
            json_object_set_new(one, "paraphrase", json_value(&x->of[EVAL_PROMPT_PARAPHRASE]));
        if (one && s->set.keys.dose)
            json_object_set_new(one, "dose", base_json_number(s->set.items[i].dose));
        json_array_append_new(records, one);
    }
    json_t *o = json_pack(
        "{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:{s:o, s:o}, s:I, s:I, s:I, s:o}",
        "model", cli_common.model, "file", s->file, "keys", json_keys(&s->set.keys), "items",
        (json_int_t)r->items, "paired", (json_int_t)r->paired, "clusters",
        (json_int_t)s->set.clusters, "tokens", (json_int_t)r->tokens, "exact",
        json_means(r, EVAL_PROMPT_EXACT), "paraphrase", json_means(r, EVAL_PROMPT_PARAPHRASE),
        "difference", json_paired(r), "ratio", "value", base_json_number(r->ratio), "ci",
        cli_json_interval(&r->ratio_ci), "boundary_retokenized", (json_int_t)r->retokenized, "cut",
        (json_int_t)r->cut, "clamped", (json_int_t)r->clamped, "level",
        base_json_number(s->options.level));
    if (o && r->n_doses) {
        json_object_set_new(o, "doses", json_doses(r));
        json_object_set_new(
            o, "slope",
            json_pack("{s:o, s:o, s:o, s:o}", "log_odds_per_doubling", base_json_number(r->slope),
                      "stderr", base_json_number(r->slope_se), "ci",
                      cli_json_interval(&r->slope_ci), "p_t", base_json_number(r->slope_p)));
    }
    if (o)
        json_object_set_new(o, "records", records);
    return cli_print_json(&cli_command_memorize, o);
}

/* ---- for people ---- */

static int append_head(struct base_buffer *b, const struct state *s)
{
    const struct eval_memorize_keys *k = &s->set.keys;
    struct base_buffer t = { 0 };
    int rc = base_buffer_printf(&t, "%zu items of %s: exact = %s", s->set.n, s->file, k->exact);
    for (size_t i = 0; rc == 0 && i < k->n_paraphrases; i++)
        rc = base_buffer_printf(&t, "%s%s", i ? ", " : ", paraphrase = ", k->paraphrases[i]);
    if (rc == 0)
        rc = base_buffer_printf(&t, ", target = \"%s\" + %s", k->delimiter, k->target);
    if (rc == 0 && k->counterfactual)
        rc = base_buffer_printf(&t, ", counterfactual (cf.) = %s", k->counterfactual);
    if (rc == 0 && k->dose)
        rc = base_buffer_printf(&t, ", dose = %s", k->dose);
    if (rc == 0)
        rc = base_buffer_printf(&t, "; %zu clusters (%s).", s->set.clusters,
                                k->cluster ? k->cluster : "the same exact prompt and target");
    if (rc == 0)
        rc = cli_append_wrapped(b, 2, t.data);
    base_buffer_free(&t);
    return rc ? rc : base_buffer_puts(b, "\n");
}

/* Shares as percent, the rest with four digits. */
static void number_cell(struct cli_table *t, int q, double v, bool sign)
{
    bool share = q == EVAL_MEMORIZE_EXTRACTED || q == EVAL_MEMORIZE_FAVOURED;
    if (isnan(v))
        cli_table_add(t, "%s", "");
    else if (share)
        cli_table_add(t, sign ? "%+.1f %%" : "%.1f %%", 100 * v);
    else
        cli_table_add(t, sign ? "%+.4f" : "%.4f", v);
}

static void interval_cell(struct cli_table *t, int q, const struct stats_interval *i)
{
    bool share = q == EVAL_MEMORIZE_EXTRACTED || q == EVAL_MEMORIZE_FAVOURED;
    if (isnan(i->low) || isnan(i->high))
        cli_table_add(t, "%s", "none");
    else if (share)
        cli_table_add(t, "%.1f .. %.1f", 100 * i->low, 100 * i->high);
    else
        cli_table_add(t, "%.4f .. %.4f", i->low, i->high);
}

static int append_means(struct base_buffer *b, const struct state *s)
{
    const struct eval_memorize_report *r = &s->report;
    char level[40];
    snprintf(level, sizeof level, "%g %% interval", 100 * s->options.level);
    const struct cli_column columns[] = { { "", false, false },
                                          { "exact", true, false },
                                          { level, false, false },
                                          { "paraphrase", true, false },
                                          { level, false, false } };
    struct cli_table t = { .columns = columns, .n_columns = r->paired ? 5 : 3 };
    for (int q = 0; q < EVAL_MEMORIZE_QUANTITIES; q++) {
        if (r->count[EVAL_PROMPT_EXACT][q] == 0)
            continue;
        cli_table_add(&t, "%s", quantity_titles[q]);
        for (int k = 0; k < (r->paired ? EVAL_PROMPTS : 1); k++) {
            number_cell(&t, q, r->mean[k][q], false);
            interval_cell(&t, q, &r->mean_ci[k][q]);
        }
    }
    return cli_table_append(b, &t);
}

static int append_differences(struct base_buffer *b, const struct state *s)
{
    const struct eval_memorize_report *r = &s->report;
    char level[40];
    snprintf(level, sizeof level, "%g %% interval", 100 * s->options.level);
    const struct cli_column columns[] = { { "", false, false },
                                          { "exact - paraphrase", true, false },
                                          { level, false, false },
                                          { "p (t)", true, false },
                                          { "p (flips)", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 5 };
    int rc = base_buffer_puts(b, "\n");
    for (int q = 0; q < EVAL_MEMORIZE_QUANTITIES; q++) {
        const struct eval_paired *d = &r->paired_of[q];
        if (d->n == 0)
            continue;
        cli_table_add(&t, "%s", quantity_titles[q]);
        number_cell(&t, q, d->difference, true);
        interval_cell(&t, q, &d->ci);
        cli_table_add(&t, isnan(d->p_t) ? "-" : "%.2g", d->p_t);
        cli_table_add(&t, "%.2g", d->p_flip);
    }
    int failed = cli_table_append(b, &t);
    return rc ? rc : failed;
}

static int append_verdict(struct base_buffer *b, const struct state *s)
{
    const struct eval_memorize_report *r = &s->report;
    const struct eval_paired *odds = &r->paired_of[EVAL_MEMORIZE_ODDS];
    struct base_buffer t = { 0 };
    int rc = base_buffer_printf(&t,
                                "P(target) under the exact prompt is %.3g times that under the "
                                "paraphrase (geometric mean",
                                r->ratio);
    if (rc == 0 && !isnan(r->ratio_ci.low))
        rc = base_buffer_printf(&t, "; %.3g .. %.3g", r->ratio_ci.low, r->ratio_ci.high);
    if (rc == 0)
        rc = base_buffer_puts(&t, "). ");
    if (rc == 0 && isnan(odds->ci.low))
        rc = base_buffer_puts(&t, "With so few clusters there is no interval of the difference.");
    else if (rc == 0 && odds->ci.low > 0)
        rc = base_buffer_puts(&t, "The exact wording helps: part of what the model gives back is "
                                  "the text, not the fact.");
    else if (rc == 0 && odds->ci.high < 0)
        rc = base_buffer_puts(&t, "The paraphrases do better than the exact wording: nothing "
                                  "speaks for memorization of the wording.");
    else if (rc == 0)
        rc = base_buffer_puts(&t, "The interval of the difference in log-odds holds 0: on these "
                                  "items the wording makes no difference that can be told.");
    if (rc == 0)
        rc = base_buffer_puts(b, "\n");
    if (rc == 0)
        rc = cli_append_wrapped(b, 2, t.data);
    base_buffer_free(&t);
    return rc;
}

static int append_doses(struct base_buffer *b, const struct state *s)
{
    const struct eval_memorize_report *r = &s->report;
    char level[40];
    snprintf(level, sizeof level, "%g %% interval", 100 * s->options.level);
    const struct cli_column columns[] = {
        { s->set.keys.dose, true, false },
        { "items", true, false },
        { "P(target)", true, false },
        { level, false, false },
        { "greedy", true, false },
        { level, false, false },
        { "", false, false },
    };
    struct cli_table t = { .columns = columns, .n_columns = 7 };
    int rc = base_buffer_puts(b, "\n");
    for (size_t i = 0; rc == 0 && i < r->n_doses; i++) {
        const struct eval_memorize_dose *d = &r->doses[i];
        struct base_buffer bar = { 0 };
        cli_table_add(&t, "%g", d->dose);
        cli_table_add(&t, "%zu", d->n);
        cli_table_add(&t, d->p < 0.001 ? "%.1e" : "%.4f", d->p);
        if (isnan(d->p_ci.low))
            cli_table_add(&t, "%s", "none");
        else
            cli_table_add(&t, d->p < 0.001 ? "%.1e .. %.1e" : "%.3f .. %.3f", d->p_ci.low,
                          d->p_ci.high);
        cli_table_add(&t, "%.0f %%", 100 * (double)d->extracted / (double)d->n);
        cli_table_add(&t, "%.0f .. %.0f", 100 * d->ex_ci.low, 100 * d->ex_ci.high);
        rc = cli_append_bar(&bar, d->p, 10);
        cli_table_add(&t, "%s", bar.data ? bar.data : "");
        base_buffer_free(&bar);
    }
    int failed = cli_table_append(b, &t);
    rc = rc ? rc : failed;
    if (rc == 0 && !isnan(r->slope))
        rc = base_buffer_printf(b, "\n  Log-odds per doubling of 1 + %s: %+.3f", s->set.keys.dose,
                                r->slope);
    if (rc == 0 && !isnan(r->slope) && !isnan(r->slope_ci.low))
        rc = base_buffer_printf(b, " (%.3f .. %.3f, p = %.2g)", r->slope_ci.low, r->slope_ci.high,
                                r->slope_p);
    return rc || isnan(r->slope) ? rc : base_buffer_puts(b, ".\n");
}

struct gap {
    double gap;
    size_t item;
};

static int by_gap(const void *a, const void *b)
{
    const struct gap *x = a, *y = b;
    if (x->gap != y->gap)
        return x->gap > y->gap ? -1 : 1;
    return x->item < y->item ? -1 : 1;
}

/* The items that depend most on the wording. */
static int append_top(struct base_buffer *b, const struct state *s)
{
    const struct cli_column columns[] = { { "item", false, false },
                                          { "P exact", true, false },
                                          { "P paraphrase", true, false },
                                          { "target", false, false },
                                          { "paraphrase", false, true } };
    struct cli_table t = { .columns = columns, .n_columns = 5 };
    struct gap *gaps = base_alloc(s->set.n, sizeof *gaps);
    size_t n = 0;
    if (!gaps)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < s->set.n; i++) {
        double gap = s->records[i].of[EVAL_PROMPT_EXACT].odds -
                     s->records[i].of[EVAL_PROMPT_PARAPHRASE].odds;
        if (gap > 0)
            gaps[n++] = (struct gap){ gap, i };
    }
    qsort(gaps, n, sizeof *gaps, by_gap);
    n = n < (size_t)s->top ? n : (size_t)s->top;
    int rc = n ? base_buffer_puts(b, "\n  Most dependent on the exact wording:\n") : 0;
    for (size_t i = 0; i < n; i++) {
        const struct eval_memorize_item *item = &s->set.items[gaps[i].item];
        const struct eval_memorize_record *r = &s->records[gaps[i].item];
        cli_table_add(&t, "%s", s->set.ids[gaps[i].item]);
        cli_table_add(&t, "%.4f", r->of[EVAL_PROMPT_EXACT].p);
        cli_table_add(&t, "%.4f", r->of[EVAL_PROMPT_PARAPHRASE].p);
        cli_table_add(&t, "%.40s", item->target);
        cli_table_add(&t, "%s", item->paraphrases[0]);
    }
    base_free(gaps);
    int failed = n ? cli_table_append(b, &t) : 0;
    return rc ? rc : failed;
}

static int lay_out(struct base_buffer *b, const struct state *s)
{
    const struct eval_memorize_report *r = &s->report;
    int rc = append_head(b, s);
    if (rc == 0)
        rc = append_means(b, s);
    if (rc == 0 && r->paired)
        rc = append_differences(b, s);
    if (rc == 0 && r->paired)
        rc = append_verdict(b, s);
    if (rc == 0 && r->n_doses)
        rc = append_doses(b, s);
    if (rc == 0 && r->paired && s->top > 0)
        rc = append_top(b, s);
    if (rc == 0 && r->retokenized)
        rc = base_buffer_printf(b, "\n  In %zu of %zu questions a token spans prompt and target.\n",
                                r->retokenized, r->questions);
    if (rc == 0 && r->cut)
        rc =
            base_buffer_printf(b, "\n  %zu prompts were cut to fit the model's context.\n", r->cut);
    return rc;
}

static int run(int argc, char **argv)
{
    struct eval_memorize_keys keys = { 0 };
    struct cli_strings paraphrases = { 0 };
    struct cli_input input = { 0 };
    struct state s = { .options = EVAL_MEMORIZE_OPTIONS_DEFAULT, .top = 5 };
    double level = 0.95;
    int64_t limit = 0;
    int n;
    const struct cli_option options[] = {
        { "exact", 0, CLI_STRING, &keys.exact, "KEY", "The prompt as it stood in the text." },
        { "paraphrase", 0, CLI_STRINGS, &paraphrases, "KEY",
          "The same in other words: a text or a list of texts; may repeat." },
        { "target", 0, CLI_STRING, &keys.target, "KEY", "What follows the prompt." },
        { "counterfactual", 0, CLI_STRING, &keys.counterfactual, "KEY",
          "A plausible wrong target to set against it." },
        { "dose", 0, CLI_STRING, &keys.dose, "KEY", "How often the text was told: a number." },
        { "id", 0, CLI_STRING, &keys.id, "KEY", "What to call an item (default: its number)." },
        { "cluster", 0, CLI_STRING, &keys.cluster, "KEY",
          "Records that agree in it are not independent." },
        { "delimiter", 0, CLI_STRING, &keys.delimiter, "TEXT",
          "Between prompt and target (default: one blank)." },
        { "limit", 0, CLI_INT, &limit, "N", "Only the first N records." },
        { "top", 0, CLI_INT, &s.top, "N", "Items to show that depend most on the wording (5)." },
        { "level", 0, CLI_DOUBLE, &level, "P", "Confidence of the intervals (default 0.95)." },
        { "bos", 0, CLI_STRING, &input.bos, "WHEN",
          "Whether prompts begin with BOS: auto (default), yes, no." },
        { "overlength", 0, CLI_STRING, &input.overlength, "POLICY",
          "Prompts too long for the model: error (default), or drop from the left, right, "
          "middle." },
        { 0 }
    };
    int rc = cli_parse(&cli_command_memorize, options, true, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 1)
        return cli_usage(&cli_command_memorize, "give one FILE of items (- is standard input)");
    if (!(level > 0 && level < 1))
        return cli_usage(&cli_command_memorize, "--level must be between 0 and 1");
    if (limit < 0 || s.top < 0)
        return cli_usage(&cli_command_memorize, "--limit and --top must not be negative");
    if (cli_input_policies(&input, &s.options.bos, &s.options.overlength))
        return cli_usage(&cli_command_memorize, "%s", base_error_message());
    keys.paraphrases = paraphrases.at;
    keys.n_paraphrases = paraphrases.count;
    s.options.level = level;
    s.options.seed = (uint64_t)cli_common.seed;
    s.options.on_progress = on_progress;
    s.options.context = &s;
    s.file = argv[1];
    base_interrupt_install();
    if (eval_memorize_read(&s.set, argv[1], &keys, (size_t)limit))
        return cli_fail(&cli_command_memorize);
    if ((rc = cli_load_model(&cli_command_memorize, &s.model)) == 0) {
        s.records = base_alloc(s.set.n, sizeof *s.records);
        size_t questions = 0;
        for (size_t i = 0; i < s.set.n; i++)
            questions +=
                (1 + s.set.items[i].n_paraphrases) * (s.set.items[i].counterfactual ? 2 : 1);
        s.progress = base_progress_begin("memorize", "questions", questions);
        rc = s.records ? eval_memorize_run(s.model, s.set.items, s.set.n, &s.options, s.records,
                                           &s.report)
                       : BASE_E_MEMORY;
        base_progress_end(s.progress);
        if (rc) {
            rc = cli_fail(&cli_command_memorize);
        } else if (cli_common.json) {
            rc = print_json(&s);
        } else {
            struct base_buffer b = { 0 };
            rc = lay_out(&b, &s);
            rc = cli_print_text(&cli_command_memorize, &b, rc);
        }
    }
    eval_memorize_report_free(&s.report);
    base_free(s.records);
    eval_memorize_set_free(&s.set);
    model_free(s.model);
    return rc;
}
