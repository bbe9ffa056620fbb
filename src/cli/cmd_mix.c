/* assay mix: a benchmark's score under other mixes of its categories. */
#include "base/file.h"
#include "base/memory.h"
#include "cli/display.h"
#include "cli/memorize.h"
#include "report/chart.h"
#include <assay/mix.h>
#include <assay/results.h>
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_mix = {
    .name = "mix",
    .synopsis = "[options] (NAME=P[:N]... | RESULTS [RESULTS_B])",
    .summary = "Scores under other mixes of categories: simulated, resampled, rankings",
    .details =
        "A benchmark's score is a weighted mean over its categories; other weights give another "
        "score, and perhaps another winner. Results per category are stated (NAME=P, or NAME=P:N "
        "with the number of items), or come from a file of items (category and score, as a samples "
        "file has them), a file with a row per category (category, p, n), or an evaluation's run "
        "directory with --task.\n\n"
        "--mix gives weights: uniform, proportional (to the items), or NAME=WEIGHT,...; may "
        "repeat. For each: the weighted mean, its interval from the items there are (analytic, and "
        "a bootstrap within categories), the effective number of items, and what a benchmark of "
        "--items items drawn by this mix would show: the interval in which 95 % of such benchmarks "
        "fall. --target is the mix that matters to you: its mean is the line in the --plot, and "
        "the weights that carry the items there to it are listed.\n\n"
        "With two results: which one is ahead under which mix, and from which weight of a category "
        "on the order turns.\n\n"
        "  assay mix --mix easy=0.8,hard=0.2 --mix uniform easy=90%:500 hard=40%:100\n"
        "  assay mix --category doc.subject --score acc samples_a.jsonl samples_b.jsonl --plot "
        "m.svg",
    .run = run,
};

struct arguments {
    struct cli_strings mixes;
    const char *target, *task, *store, *plot;
    struct eval_mix_keys keys;
    struct eval_mix_options options;
    int64_t items, draws;
    double level;
};
struct mix {
    const char *name;
    double *w;
    struct eval_mix_score score[2];
    struct eval_mix_comparison comparison; /* with two models */
};
struct state {
    struct arguments a;
    struct eval_mix_model model[2];
    size_t models;
    struct mix *mixes;
    size_t n;
    double *target; /* weights */
    double truth[2];
};

static int usage(const char *message)
{
    return cli_usage(&cli_command_mix, "%s", message);
}

/* ---- input ---- */

static int run_read(struct eval_mix_model *m, const char *where, const struct arguments *a)
{
    struct eval_run *r = NULL;
    struct eval_samples *samples = NULL;
    const char *const *names, *task = a->task;
    struct eval_mix_keys keys = a->keys;
    json_t *sample;
    char filter[128] = "";
    int rc = eval_run_open(&r, where, a->store);
    if (rc)
        return rc;
    size_t n = eval_run_tasks(r, &names);
    if (!task && n == 1)
        task = names[0];
    if (!task) {
        rc = base_error_set(BASE_E_ARGUMENT, "%s holds %zu tasks: say which with --task (%s%s%s)",
                            where, n, n ? names[0] : "none", n > 1 ? ", " : "",
                            n > 1 ? names[1] : "");
        goto out;
    }
    if ((rc = eval_samples_open(&samples, r, task)))
        goto out;
    while ((rc = eval_samples_next(samples, &sample)) > 0) {
        const char *name = json_string_value(json_object_get(sample, "filter"));
        if (name && !*filter)
            snprintf(filter, sizeof filter, "%s", name);
        rc = name && strcmp(name, filter) != 0
                 ? 0
                 : eval_mix_read_row(m, sample, eval_samples_place(samples), &keys);
        json_decref(sample);
        if (rc)
            break;
    }
out:
    eval_samples_close(samples);
    eval_run_close(r);
    return rc;
}

static int inputs_read(struct state *s, char *const *at, size_t n)
{
    bool stated = strchr(at[0], '=') && !base_file_exists(at[0]);
    int rc = 0;
    s->models = stated ? 1 : n;
    for (size_t k = 0; rc == 0 && k < s->models; k++) {
        struct eval_mix_model *m = &s->model[k];
        const char *name = stated ? "stated" : base_path_name(at[k]);
        m->name = base_strdup(*name ? name : at[k]);
        if (!m->name)
            return BASE_E_MEMORY;
        for (size_t i = 0; rc == 0 && stated && i < n; i++)
            rc = eval_mix_state(m, at[i]);
        if (!stated)
            rc = base_file_is_directory(at[k]) || !base_file_exists(at[k])
                     ? run_read(m, at[k], &s->a)
                     : eval_mix_read(m, at[k], &s->a.keys);
        if (rc == 0)
            rc = eval_mix_finish(m);
    }
    return rc;
}

static bool counts_known(const struct eval_mix_model *m)
{
    for (size_t k = 0; k < m->n; k++)
        if (m->categories[k].n <= 0)
            return false;
    return true;
}

static int judge(struct state *s)
{
    static const char *const usual[] = { "proportional", "uniform" };
    struct arguments *a = &s->a;
    const struct eval_mix_model *m = &s->model[0];
    bool known = counts_known(m);
    const char *const *names = a->mixes.count ? a->mixes.at : known ? usual : usual + 1;
    int rc = 0;
    s->n = a->mixes.count ? a->mixes.count : known ? 2 : 1;
    s->mixes = base_alloc_zero(s->n, sizeof *s->mixes);
    s->target = base_alloc(m->n, sizeof *s->target);
    if (!s->mixes || !s->target)
        return BASE_E_MEMORY;
    if (!a->target)
        a->target = known ? "proportional" : "uniform";
    if ((rc = eval_mix_parse(m, a->target, s->target)))
        return base_error_prefix(rc, "--target");
    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        struct mix *x = &s->mixes[i];
        x->name = names[i];
        x->w = base_alloc(m->n, sizeof *x->w);
        rc = x->w ? eval_mix_parse(m, names[i], x->w) : BASE_E_MEMORY;
        if (rc == 0 && s->models == 2)
            rc = eval_mix_compare(m, &s->model[1], x->w, &a->options, &x->comparison);
        for (size_t k = 0; rc == 0 && k < s->models; k++) {
            /* B's categories may come in another order */
            double *w = base_alloc_zero(s->model[k].n, sizeof *w);
            for (size_t c = 0; w && c < m->n; c++)
                for (size_t j = 0; j < s->model[k].n; j++)
                    if (strcmp(m->categories[c].name, s->model[k].categories[j].name) == 0)
                        w[j] = x->w[c];
            rc = w ? eval_mix_judge(&s->model[k], w, &a->options, false, &x->score[k])
                   : BASE_E_MEMORY;
            base_free(w);
        }
    }
    for (size_t k = 0; rc == 0 && k < s->models; k++)
        for (size_t c = 0; c < m->n; c++)
            for (size_t j = 0; j < s->model[k].n; j++)
                if (strcmp(m->categories[c].name, s->model[k].categories[j].name) == 0)
                    s->truth[k] += s->target[c] * s->model[k].categories[j].mean;
    return rc;
}

/* ---- JSON ---- */

static json_t *json_categories(const struct state *s, size_t k)
{
    const struct eval_mix_model *m = &s->model[k];
    json_t *o = json_object();
    double total = 0;
    for (size_t c = 0; c < m->n; c++)
        total += m->categories[c].n;
    for (size_t c = 0; c < m->n; c++) {
        const struct eval_mix_category *x = &m->categories[c];
        json_t *one = json_pack("{s:o, s:o, s:o}", "mean", base_json_number(x->mean), "n",
                                x->n > 0 ? json_integer((json_int_t)x->n) : json_null(), "stderr",
                                base_json_number(sqrt(x->variance / x->n)));
        if (k == 0) {
            json_object_set_new(one, "target_weight", base_json_number(s->target[c]));
            json_object_set_new(one, "item_weight",
                                base_json_number(x->n > 0 ? s->target[c] * total / x->n : NAN));
        }
        json_object_set_new(o, x->name, one);
    }
    return o;
}

static json_t *json_score(const struct eval_mix_score *x)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:{s:I, s:o, s:o}, s:{s:o, s:o}}", "mean", base_json_number(x->mean),
        "stderr", base_json_number(x->se), "ci", cli_json_interval(&x->ci), "effective_items",
        base_json_number(x->effective), "simulated", "items", (json_int_t)x->items, "sd",
        base_json_number(x->simulated_sd), "interval", cli_json_interval(&x->simulated),
        "resampled", "sd", base_json_number(x->resampled_sd), "interval",
        cli_json_interval(&x->resampled));
}

static json_t *json_comparison(const struct state *s, const struct eval_mix_comparison *c)
{
    json_t *turns = json_object();
    for (size_t k = 0; k < c->n; k++) {
        const struct eval_mix_turn *t = &c->turns[k];
        struct stats_interval ahead = { t->low, t->high };
        json_object_set_new(turns, s->model[0].categories[k].name,
                            json_pack("{s:o, s:o, s:o}", "difference",
                                      base_json_number(t->difference), "stderr",
                                      base_json_number(t->se), "a_ahead_for_weight",
                                      t->low > t->high ? json_null() : cli_json_interval(&ahead)));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "difference",
                     base_json_number(c->difference), "stderr", base_json_number(c->se), "ci",
                     cli_json_interval(&c->ci), "p", base_json_number(c->p), "paired",
                     (json_int_t)c->paired, "a_ahead_share_of_mixes", base_json_number(c->share),
                     "categories", turns);
}

static int print_json(const struct state *s)
{
    json_t *mixes = json_array(), *models = json_array();
    for (size_t k = 0; k < s->models; k++)
        json_array_append_new(models, json_pack("{s:s, s:o, s:o}", "name", s->model[k].name,
                                                "categories", json_categories(s, k), "true_average",
                                                base_json_number(s->truth[k])));
    for (size_t i = 0; i < s->n; i++) {
        const struct mix *x = &s->mixes[i];
        json_t *weights = json_object(), *scores = json_array(), *one;
        for (size_t c = 0; c < s->model[0].n; c++)
            json_object_set_new(weights, s->model[0].categories[c].name, base_json_number(x->w[c]));
        for (size_t k = 0; k < s->models; k++)
            json_array_append_new(scores, json_score(&x->score[k]));
        one = json_pack("{s:s, s:o, s:o}", "mix", x->name, "weights", weights, "scores", scores);
        if (one && s->models == 2)
            json_object_set_new(one, "comparison", json_comparison(s, &x->comparison));
        json_array_append_new(mixes, one);
    }
    return cli_print_json(&cli_command_mix,
                          json_pack("{s:o, s:s, s:o, s:f, s:I, s:I}", "models", models, "target",
                                    s->a.target, "mixes", mixes, "level", s->a.level, "draws",
                                    (json_int_t)s->a.draws, "seed", (json_int_t)cli_common.seed));
}

/* ---- for people ---- */

static void interval_cell(struct cli_table *t, const struct stats_interval *i)
{
    if (isnan(i->low) || isnan(i->high))
        cli_table_add(t, "%s", "-");
    else
        cli_table_add(t, "%.3f .. %.3f", i->low, i->high);
}

static int append_categories(struct base_buffer *b, const struct state *s)
{
    const struct eval_mix_model *m = &s->model[0];
    bool two = s->models == 2, known = counts_known(m);
    const struct cli_column columns[] = { { "category", false, true },
                                          { two ? "A" : "score", true, false },
                                          { "items", true, false },
                                          { two ? "B" : "", true, false },
                                          { two ? "A - B" : "", true, false },
                                          { "target", true, false },
                                          { "item weight", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 7 };
    double total = 0;
    for (size_t c = 0; c < m->n; c++)
        total += m->categories[c].n;
    for (size_t c = 0; c < m->n; c++) {
        const struct eval_mix_category *x = &m->categories[c];
        cli_table_add(&t, "%s", x->name);
        cli_table_add(&t, "%.4f", x->mean);
        if (x->n > 0)
            cli_table_add(&t, "%.0f", x->n);
        else
            cli_table_add(&t, "%s", "-");
        const struct eval_mix_turn *turn = two ? &s->mixes[0].comparison.turns[c] : NULL;
        if (turn) {
            cli_table_add(&t, "%.4f", x->mean - turn->difference);
            cli_table_add(&t, "%+.4f", turn->difference);
        } else {
            cli_table_add(&t, "%s", "");
            cli_table_add(&t, "%s", "");
        }
        cli_table_add(&t, "%.1f %%", 100 * s->target[c]);
        if (known)
            cli_table_add(&t, "%.3f", s->target[c] * total / x->n);
        else
            cli_table_add(&t, "%s", "-");
    }
    return cli_table_append(b, &t);
}

static int append_mixes(struct base_buffer *b, const struct state *s, size_t k)
{
    const bool items = s->model[k].items;
    char level[40], one[48];
    snprintf(level, sizeof level, "%g %% interval", 100 * s->a.level);
    snprintf(one, sizeof one, "of %zu items", s->mixes[0].score[k].items);
    const struct cli_column columns[] = { { s->models == 2 ? k ? "B" : "A" : "mix", false, true },
                                          { "score", true, false },
                                          { level, false, false },
                                          { items ? "bootstrap" : "", false, false },
                                          { "eff. n", true, false },
                                          { one, false, false } };
    struct cli_table t = { .columns = columns, .n_columns = 6 };
    for (size_t i = 0; i < s->n; i++) {
        const struct eval_mix_score *x = &s->mixes[i].score[k];
        cli_table_add(&t, "%s", s->mixes[i].name);
        cli_table_add(&t, "%.4f", x->mean);
        interval_cell(&t, &x->ci);
        if (items)
            interval_cell(&t, &x->resampled);
        else
            cli_table_add(&t, "%s", "");
        if (isnan(x->effective))
            cli_table_add(&t, "%s", "-");
        else
            cli_table_add(&t, "%.1f", x->effective);
        interval_cell(&t, &x->simulated);
    }
    int rc = base_buffer_puts(b, "\n"), failed = cli_table_append(b, &t);
    return rc ? rc : failed;
}

static int append_turns(struct base_buffer *b, const struct state *s, const struct mix *x)
{
    const struct eval_mix_comparison *c = &x->comparison;
    int rc = base_buffer_printf(b, "\n  %s: A - B = %+.4f", x->name, c->difference);
    if (rc == 0 && !isnan(c->ci.low))
        rc = base_buffer_printf(b, " (%.4f .. %.4f, p %s %.2g", c->ci.low, c->ci.high,
                                c->p > 0 ? "=" : "<", c->p > 0 ? c->p : 1e-300);
    if (rc == 0 && !isnan(c->ci.low))
        rc = base_buffer_puts(b, c->paired ? ", paired)" : ", independent items)");
    rc = rc ? rc : base_buffer_puts(b, "\n");
    for (size_t k = 0; rc == 0 && k < c->n; k++) {
        const struct eval_mix_turn *t = &c->turns[k];
        const char *name = s->model[0].categories[k].name;
        if (t->low > 0 && t->low < 1)
            rc = base_buffer_printf(b, "    A ahead once \"%s\" weighs more than %.1f %%\n", name,
                                    100 * t->low);
        else if (t->high < 1 && t->high > 0)
            rc = base_buffer_printf(b, "    A ahead until \"%s\" weighs %.1f %%\n", name,
                                    100 * t->high);
    }
    return rc;
}

static int append_ranking(struct base_buffer *b, const struct state *s)
{
    int rc = base_buffer_printf(b, "\n  A = %s, B = %s.\n", s->model[0].name, s->model[1].name);
    for (size_t i = 0; rc == 0 && i < s->n; i++)
        rc = append_turns(b, s, &s->mixes[i]);
    const struct eval_mix_comparison *c = &s->mixes[0].comparison;
    bool all = true, none = true;
    for (size_t k = 0; k < c->n; k++) {
        all = all && c->turns[k].difference > 0;
        none = none && c->turns[k].difference <= 0;
    }
    if (rc)
        return rc;
    if (all || none)
        return base_buffer_printf(b, "\n  %s is ahead in every category: no mix turns the order.\n",
                                  all ? "A" : "B");
    return base_buffer_printf(
        b, "\n  Of all mixes (uniform on the simplex) A is ahead in %.1f %%.\n", 100 * c->share);
}

static int lay_out(struct base_buffer *b, const struct state *s)
{
    int rc = append_categories(b, s);
    for (size_t k = 0; rc == 0 && k < s->models; k++)
        rc = append_mixes(b, s, k);
    if (rc == 0)
        rc = base_buffer_printf(b, "\n  True average under the target mix (%s): %.4f", s->a.target,
                                s->truth[0]);
    if (rc == 0 && s->models == 2)
        rc = base_buffer_printf(b, " and %.4f", s->truth[1]);
    if (rc == 0)
        rc = base_buffer_puts(b, ".\n");
    return rc || s->models < 2 ? rc : append_ranking(b, s);
}

/* Bars of the mixes with the interval of their scores, and the true average as a line. */
static int plot(const struct state *s)
{
    size_t cells = s->n * s->models;
    double *values = base_alloc(3 * cells, sizeof *values);
    const char **names = base_alloc(s->n, sizeof *names);
    const char *const groups[] = { s->model[0].name, s->models == 2 ? s->model[1].name : "" };
    bool items = s->model[0].items && (s->models == 1 || s->model[1].items);
    char subtitle[160], line[160];
    int rc = values && names ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        names[i] = s->mixes[i].name;
        for (size_t k = 0; k < s->models; k++) {
            const struct eval_mix_score *x = &s->mixes[i].score[k];
            const struct stats_interval *ci = items ? &x->resampled : &x->simulated;
            size_t at = i * s->models + k;
            values[at] = x->mean;
            values[cells + at] = ci->low;
            values[2 * cells + at] = ci->high;
        }
    }
    if (items)
        snprintf(subtitle, sizeof subtitle,
                 "Bars: weighted mean; whiskers: %g %% interval, bootstrap within categories",
                 100 * s->a.level);
    else
        snprintf(subtitle, sizeof subtitle,
                 "Bars: weighted mean; whiskers: %g %% of benchmarks of %zu items",
                 100 * s->a.level, s->mixes[0].score[0].items);
    snprintf(line, sizeof line, "true average%s, %.100s mix", s->models == 2 ? " of A" : "",
             s->a.target);
    struct report_bars bars = { .title = "Score by mix of categories",
                                .subtitle = subtitle,
                                .value = { .label = "score" },
                                .categories = names,
                                .n = s->n,
                                .groups = s->models == 2 ? groups : NULL,
                                .n_groups = s->models,
                                .values = values,
                                .low = values + cells,
                                .high = values + 2 * cells,
                                .reference = &s->truth[0],
                                .reference_name = line };
    if (rc == 0)
        rc = report_bars_write(&bars, s->a.plot);
    base_free(values);
    base_free(names);
    return rc;
}

static void state_free(struct state *s)
{
    for (size_t i = 0; s->mixes && i < s->n; i++) {
        base_free(s->mixes[i].w);
        eval_mix_comparison_free(&s->mixes[i].comparison);
    }
    base_free(s->mixes);
    base_free(s->target);
    eval_mix_model_free(&s->model[0]);
    eval_mix_model_free(&s->model[1]);
}

static int check(const struct arguments *a, char *const *at, int n)
{
    if (n < 1)
        return usage("give NAME=P for every category, or one or two results");
    bool stated = strchr(at[0], '=') && !base_file_exists(at[0]);
    if (!stated && n > 2)
        return usage("give one or two results: files, run directories or ids");
    if (a->draws < 100 || a->draws > 10000000)
        return usage("--draws must be 100 to 10000000");
    if (a->items < 0 || a->items > 1000000000)
        return usage("--items must be 1 to 1000000000");
    if (!(a->level > 0 && a->level < 1))
        return usage("--level must be between 0 and 1");
    return 0;
}

static int run(int argc, char **argv)
{
    struct state s = { .a = { .draws = 10000, .level = 0.95 } };
    struct arguments *a = &s.a;
    int n;
    const struct cli_option options[] = {
        { "mix", 0, CLI_STRINGS, &a->mixes, "WEIGHTS",
          "uniform, proportional, or NAME=WEIGHT,...; may repeat (default: both)." },
        { "target", 0, CLI_STRING, &a->target, "WEIGHTS",
          "The mix that counts: its mean is the true average (default: proportional)." },
        { "category", 0, CLI_STRING, &a->keys.category, "KEY",
          "Category of an item: key, path or pattern (default category, subject)." },
        { "score", 0, CLI_STRING, &a->keys.score, "KEY",
          "Score of an item (default score, acc, exact_match, correct)." },
        { "id", 0, CLI_STRING, &a->keys.id, "KEY",
          "What items of two results are matched by (default doc_hash, id, doc_id)." },
        { "records", 0, CLI_STRING, &a->keys.records, "KEY",
          "The key of the list of items in a JSON file that is one object." },
        { "task", 0, CLI_STRING, &a->task, "NAME", "Task of a run with several." },
        { "store", 0, CLI_STRING, &a->store, "FILE", "Store that a run's id is looked up in." },
        { "items", 0, CLI_INT, &a->items, "N",
          "Items of a simulated benchmark (default: as many as there are, else 1000)." },
        { "draws", 0, CLI_INT, &a->draws, "N", "Simulations and resamples (default 10000)." },
        { "level", 0, CLI_DOUBLE, &a->level, "P", "Confidence of the intervals (default 0.95)." },
        { "plot", 0, CLI_STRING, &a->plot, "FILE", "Bar chart: .png, .svg or .pdf." },
        { 0 }
    };
    int rc = cli_parse(&cli_command_mix, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = check(a, argv + 1, n)))
        return rc;
    a->options = (struct eval_mix_options){ (size_t)a->draws, (size_t)a->items, a->level,
                                            (uint64_t)cli_common.seed };
    if (inputs_read(&s, argv + 1, (size_t)n) || judge(&s) || (a->plot && plot(&s))) {
        rc = cli_fail(&cli_command_mix);
    } else if (cli_common.json) {
        rc = print_json(&s);
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, &s);
        rc = cli_print_text(&cli_command_mix, &b, rc);
    }
    state_free(&s);
    return rc;
}
