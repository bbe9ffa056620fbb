/* assay contamination: which items of a task stand word for word in a corpus. */
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/display.h"
#include "cli/memorize.h"
#include <assay/contamination.h>
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_contamination = {
    .name = "contamination",
    .synopsis = "[options] ITEMS CORPUS...",
    .summary = "Find a task's items in a corpus: runs of 13 words, clean and dirty items",
    .details =
        "ITEMS holds the task's records (.jsonl, .json, .csv, .tsv, plain or compressed), or is a "
        "samples file of an evaluation, whose \"doc\" is then taken, or the name or YAML file of a "
        "task (see assay tasks). CORPUS are files and "
        "directories of the text a model was trained on: plain text, or records by the file's "
        "ending; .gz, .bz2 and .zst are unpacked on the way. The corpus is walked through once, in "
        "constant memory.\n\n"
        "An item is dirty when more than a share of --dirty of its runs of --ngram words is in the "
        "corpus; by default when one is (Brown et al. 2020). Words are compared without case, "
        "punctuation and the way accents are written. Items of fewer words cannot be judged and "
        "are counted.\n\n"
        "With --metric (a samples file's acc, say) the metric is shown for all, clean and dirty "
        "items: what is left of a score when the items that were read before are taken out. "
        "--clean-out and --exclude-out write the ids, one a line.\n\n"
        "  assay contamination --data sets lambada_openai /data/corpus\n"
        "  assay contamination --field question arc.jsonl.zst /data/corpus\n"
        "  assay contamination --metric acc samples_arc_easy.jsonl crawl-*.jsonl.gz",
    .run = run,
};

struct arguments {
    struct cli_strings fields;
    const char *id, *metric, *data, *corpus_field, *exclude, *clean;
    int64_t ngram, max_count, limit, show;
    double dirty, level;
};

struct state {
    const struct arguments *a;
    struct eval_contamination *c;
    struct eval_contamination_report report;
    struct base_progress *progress;
    const char *progress_file;
    double seconds;
    const char *items;
};

static void on_progress(void *context, const char *file, uint64_t done, uint64_t total)
{
    struct state *s = context;
    if (file != s->progress_file) {
        base_progress_end(s->progress);
        s->progress = base_progress_begin(base_path_name(file), "bytes", total);
        s->progress_file = file;
    }
    base_progress_update(s->progress, done, NULL);
}

/* ---- JSON ---- */

static json_t *json_group(const struct eval_contamination_group *g)
{
    return json_pack("{s:I, s:o, s:o}", "n", (json_int_t)g->n, "mean", base_json_number(g->mean),
                     "ci", cli_json_interval(&g->ci));
}

static json_t *json_item(const struct state *s, size_t i)
{
    struct eval_contamination_item x = eval_contamination_at(s->c, i);
    struct eval_contamination_hit h;
    json_t *hits = json_array();
    for (size_t k = 0; k < (size_t)s->a->show && eval_contamination_hit(s->c, i, k, &h); k++)
        json_array_append_new(
            hits, json_pack("{s:o, s:I, s:s, s:I, s:I}", "run", base_json_text(h.run, h.bytes),
                            "count", (json_int_t)h.count, "file", h.first.file, "line",
                            (json_int_t)h.first.line, "byte", (json_int_t)h.first.byte));
    json_t *o = json_pack(
        "{s:s, s:I, s:I, s:I, s:o, s:o, s:b, s:o}", "id", x.id, "words", (json_int_t)x.words,
        "runs", (json_int_t)x.runs, "hits", (json_int_t)x.hits, "share",
        base_json_number(x.runs ? (double)x.hits / (double)x.runs : NAN), "covered_words",
        base_json_number(x.words ? (double)x.covered / (double)x.words : NAN), "dirty", x.dirty,
        "first_hits", hits);
    if (o && s->report.scored)
        json_object_set_new(o, "score", base_json_number(x.score));
    return o;
}

static int print_json(const struct state *s)
{
    const struct eval_contamination_report *r = &s->report;
    json_t *items = json_array();
    for (size_t i = 0; i < r->items; i++)
        json_array_append_new(items, json_item(s, i));
    json_t *o = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:f, s:{s:I, s:I, s:I, s:f}}",
        "items_file", s->items, "ngram", (json_int_t)s->a->ngram, "items", (json_int_t)r->items,
        "judged", (json_int_t)r->judged, "too_short", (json_int_t)(r->items - r->judged), "dirty",
        (json_int_t)r->dirty, "dirty_share", base_json_number(r->share), "ci",
        cli_json_interval(&r->share_ci), "runs", (json_int_t)r->runs, "runs_hit",
        (json_int_t)r->runs_hit, "boilerplate", (json_int_t)r->boilerplate, "max_count",
        (json_int_t)s->a->max_count, "dirty_above", s->a->dirty, "corpus", "files",
        (json_int_t)r->files, "bytes", (json_int_t)r->bytes, "words", (json_int_t)r->words,
        "seconds", s->seconds);
    if (o && r->scored)
        json_object_set_new(o, "metric",
                            json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name", s->a->metric, "all",
                                      json_group(&r->all), "clean", json_group(&r->clean), "dirty",
                                      json_group(&r->tainted), "clean_minus_all",
                                      base_json_number(r->change), "ci",
                                      cli_json_interval(&r->change_ci)));
    if (o)
        json_object_set_new(o, "item_list", items);
    return cli_print_json(&cli_command_contamination, o);
}

/* ---- for people ---- */

static void group_row(struct cli_table *t, const char *name,
                      const struct eval_contamination_group *g)
{
    cli_table_add(t, "%s", name);
    cli_table_add(t, "%zu", g->n);
    if (g->n)
        cli_table_add(t, "%.4f", g->mean);
    else
        cli_table_add(t, "%s", "-");
    if (isnan(g->ci.low))
        cli_table_add(t, "%s", "none");
    else
        cli_table_add(t, "%.4f .. %.4f", g->ci.low, g->ci.high);
}

static int append_metric(struct base_buffer *b, const struct state *s)
{
    const struct eval_contamination_report *r = &s->report;
    char level[40];
    snprintf(level, sizeof level, "%g %% interval", 100 * s->a->level);
    const struct cli_column columns[] = { { "judged items", false, false },
                                          { "items", true, false },
                                          { s->a->metric, true, false },
                                          { level, false, false } };
    struct cli_table t = { .columns = columns, .n_columns = 4 };
    group_row(&t, "all", &r->all);
    group_row(&t, "clean", &r->clean);
    group_row(&t, "dirty", &r->tainted);
    int rc = base_buffer_puts(b, "\n");
    int failed = cli_table_append(b, &t);
    rc = rc ? rc : failed;
    if (rc == 0 && !isnan(r->change) && r->clean.n < r->all.n)
        rc = base_buffer_printf(b, "\n  Clean less all: %+.4f", r->change);
    else
        return rc;
    if (rc == 0 && !isnan(r->change_ci.low))
        rc = base_buffer_printf(b, " (%.4f .. %.4f)", r->change_ci.low, r->change_ci.high);
    return rc ? rc : base_buffer_puts(b, ".\n");
}

static int append_items(struct base_buffer *b, const struct state *s)
{
    const struct cli_column columns[] = {
        { "item", false, false }, { "runs", true, false },      { "hit", true, false },
        { "words", true, false }, { "first at", false, false }, { "run", false, true },
    };
    struct cli_table t = { .columns = columns, .n_columns = 6 };
    size_t shown = 0;
    int rc = base_buffer_puts(b, "\n");
    for (size_t i = 0; i < s->report.items && shown < (size_t)s->a->show; i++) {
        struct eval_contamination_item x = eval_contamination_at(s->c, i);
        struct eval_contamination_hit h;
        if (!x.dirty || !eval_contamination_hit(s->c, i, 0, &h))
            continue;
        cli_table_add(&t, "%s", x.id);
        cli_table_add(&t, "%zu", x.runs);
        cli_table_add(&t, "%.0f %%", 100 * (double)x.hits / (double)x.runs);
        cli_table_add(&t, "%.0f %%", 100 * (double)x.covered / (double)x.words);
        cli_table_add(&t, "%.40s:%llu", base_path_name(h.first.file),
                      (unsigned long long)h.first.line);
        cli_table_add(&t, "%.*s", (int)h.bytes, h.run);
        shown++;
    }
    int failed = shown ? cli_table_append(b, &t) : 0;
    rc = rc ? rc : failed;
    if (rc == 0 && shown < s->report.dirty)
        rc = base_buffer_printf(b, "  ... and %zu more (--show, --json, --exclude-out).\n",
                                s->report.dirty - shown);
    return rc;
}

static int lay_out(struct base_buffer *b, const struct state *s)
{
    const struct eval_contamination_report *r = &s->report;
    int rc = base_buffer_printf(b, "  %zu items of %s, %zu different runs of %lld words.\n",
                                r->items, s->items, r->runs, (long long)s->a->ngram);
    if (rc == 0)
        rc = base_buffer_printf(b, "  Corpus: %llu file%s, %.1f MB, %llu words; %.0f MB/s.\n\n",
                                (unsigned long long)r->files, r->files == 1 ? "" : "s",
                                (double)r->bytes / 1e6, (unsigned long long)r->words,
                                s->seconds > 0 ? (double)r->bytes / 1e6 / s->seconds : 0);
    if (rc == 0 && r->judged)
        rc = base_buffer_printf(b,
                                "  dirty      %8zu   %.2f %% of the judged (%g %% interval "
                                "%.2f .. %.2f)\n",
                                r->dirty, 100 * r->share, 100 * s->a->level, 100 * r->share_ci.low,
                                100 * r->share_ci.high);
    if (rc == 0)
        rc = base_buffer_printf(b, "  clean      %8zu\n", r->judged - r->dirty);
    if (rc == 0 && r->judged < r->items)
        rc = base_buffer_printf(b,
                                "  too short  %8zu   fewer than %lld words in a row: not judged\n",
                                r->items - r->judged, (long long)s->a->ngram);
    if (rc == 0)
        rc = base_buffer_printf(b, "  runs found %8zu\n", r->runs_hit);
    if (rc == 0 && r->boilerplate)
        rc = base_buffer_printf(b, "  boilerplate%8zu   runs found more than %lld times: ignored\n",
                                r->boilerplate, (long long)s->a->max_count);
    if (rc == 0 && r->scored)
        rc = append_metric(b, s);
    if (rc == 0 && r->dirty && s->a->show)
        rc = append_items(b, s);
    return rc;
}

/* Ids of the dirty, or of all others, one a line. */
static int ids_write(const struct state *s, const char *path, bool dirty)
{
    struct base_buffer b = { 0 };
    int rc = base_buffer_puts(&b, "");
    for (size_t i = 0; rc == 0 && i < s->report.items; i++) {
        struct eval_contamination_item x = eval_contamination_at(s->c, i);
        if (x.dirty == dirty)
            rc = base_buffer_printf(&b, "%s\n", x.id);
    }
    if (rc == 0)
        rc = base_file_write(path, b.data, b.length);
    base_buffer_free(&b);
    return rc;
}

static int scan(struct state *s, const char *const *paths, size_t n)
{
    const struct arguments *a = s->a;
    struct eval_contamination_options o = EVAL_CONTAMINATION_OPTIONS_DEFAULT;
    o.ngram = (size_t)a->ngram;
    o.max_count = (uint64_t)a->max_count;
    o.dirty = a->dirty;
    o.level = a->level;
    o.corpus_field = a->corpus_field;
    o.on_progress = on_progress;
    o.context = s;
    int rc = eval_contamination_new(&s->c, &o);
    bool task = base_ends_with(s->items, ".yaml") || base_ends_with(s->items, ".yml") ||
                (!base_file_exists(s->items) && strcmp(s->items, "-") != 0);
    if (rc == 0 && task && (a->metric || a->id))
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s: there is no such file, and a task's documents "
                            "have neither --metric nor --id",
                            s->items);
    else if (rc == 0 && task)
        rc = eval_contamination_task(s->c, s->items, a->data, a->fields.at, a->fields.count,
                                     (size_t)a->limit);
    else if (rc == 0)
        rc = eval_contamination_read(s->c, s->items, a->fields.at, a->fields.count, a->id,
                                     a->metric, (size_t)a->limit);
    double start = base_clock();
    if (rc == 0)
        rc = eval_contamination_scan(s->c, paths, n);
    s->seconds = base_clock() - start;
    base_progress_end(s->progress);
    if (rc == 0)
        rc = eval_contamination_report(s->c, &s->report);
    if (rc == 0 && a->exclude)
        rc = ids_write(s, a->exclude, true);
    if (rc == 0 && a->clean)
        rc = ids_write(s, a->clean, false);
    return rc;
}

static int check(const struct arguments *a, int n)
{
    const struct cli_command *c = &cli_command_contamination;
    if (n < 2)
        return cli_usage(c, "give ITEMS and at least one CORPUS file or directory");
    if (a->ngram < 1 || a->ngram > 64)
        return cli_usage(c, "--ngram must be 1 to 64");
    if (a->max_count < 0 || a->limit < 0 || a->show < 0)
        return cli_usage(c, "--max-count, --limit and --show must not be negative");
    if (!(a->dirty >= 0 && a->dirty < 1))
        return cli_usage(c, "--dirty must be at least 0 and below 1");
    if (!(a->level > 0 && a->level < 1))
        return cli_usage(c, "--level must be between 0 and 1");
    return 0;
}

static int run(int argc, char **argv)
{
    struct arguments a = { .ngram = 13, .show = 5, .level = 0.95 };
    struct state s = { .a = &a };
    int n;
    const struct cli_option options[] = {
        { "field", 0, CLI_STRINGS, &a.fields, "KEY",
          "Text of an item: key, path or pattern ('{ctx} {ending}'); may repeat (default: all)." },
        { "id", 0, CLI_STRING, &a.id, "KEY", "Name of an item (default doc_id, id, its number)." },
        { "metric", 0, CLI_STRING, &a.metric, "KEY",
          "A number in each item's record to show for all, clean and dirty items." },
        { "data", 0, CLI_STRING, &a.data, "DIR", "Where a task's data files are." },
        { "ngram", 0, CLI_INT, &a.ngram, "N", "Words in a run (default 13)." },
        { "dirty", 0, CLI_DOUBLE, &a.dirty, "P",
          "An item is dirty above this share of hit runs (default 0: one suffices)." },
        { "max-count", 0, CLI_INT, &a.max_count, "N",
          "Runs that the corpus has more often do not count (default 0: all count)." },
        { "corpus-field", 0, CLI_STRING, &a.corpus_field, "KEY",
          "Text of the corpus' records (default text)." },
        { "exclude-out", 0, CLI_STRING, &a.exclude, "FILE", "Write the ids of dirty items." },
        { "clean-out", 0, CLI_STRING, &a.clean, "FILE", "Write the ids of all others." },
        { "show", 0, CLI_INT, &a.show, "N", "Dirty items to show; hits per item in JSON (5)." },
        { "limit", 0, CLI_INT, &a.limit, "N", "Only the first N items." },
        { "level", 0, CLI_DOUBLE, &a.level, "P", "Confidence of the intervals (default 0.95)." },
        { 0 }
    };
    int rc = cli_parse(&cli_command_contamination, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = check(&a, n)))
        return rc;
    s.items = argv[1];
    base_interrupt_install();
    if (scan(&s, (const char *const *)(argv + 2), (size_t)n - 1)) {
        rc = cli_fail(&cli_command_contamination);
    } else if (cli_common.json) {
        rc = print_json(&s);
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, &s);
        rc = cli_print_text(&cli_command_contamination, &b, rc);
    }
    eval_contamination_free(s.c);
    return rc;
}
