/* The text form of an evaluation; see eval_show.h. Everything is read from the object that --json
 * prints, so the two cannot disagree. */
#include "cli/eval_show.h"
#include "base/memory.h"
#include "base/text.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

static double figure(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static long long whole(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static void add_value(struct cli_table *t, double x)
{
    if (isnan(x))
        cli_table_add(t, "-");
    else
        cli_table_add(t, fabs(x) < 1000 ? "%.4f" : "%.6g", x);
}

static void add_interval(struct cli_table *t, const json_t *object)
{
    const json_t *ci = json_object_get(object, "ci");
    double low = json_number_value(json_array_get(ci, 0)),
           high = json_number_value(json_array_get(ci, 1));
    if (json_array_size(ci) != 2 || !json_is_number(json_array_get(ci, 0)))
        cli_table_add(t, "-");
    else if (fabs(low) < 1000 && fabs(high) < 1000)
        cli_table_add(t, "%.4f .. %.4f", fabs(low) < 5e-5 ? 0 : low, fabs(high) < 5e-5 ? 0 : high);
    else
        cli_table_add(t, "%.5g .. %.5g", low, high);
}

static bool is_metric(const json_t *v)
{
    return json_is_object(v) && json_object_get(v, "value");
}

/* "95 % interval" */
static void interval_title(const json_t *report, char title[32])
{
    snprintf(title, 32, "%g %% interval", 100 * figure(report, "level"));
}

static int append_results(struct base_buffer *b, const json_t *report, const char *key,
                          const char *first_title)
{
    char title[32];
    interval_title(report, title);
    const struct cli_column columns[] = { { first_title, false, true }, { "metric", false, false },
                                          { "value", true, false },     { title, true, false },
                                          { "stderr", true, false },    { "n", true, false } };
    struct cli_table table = { .columns = columns, .n_columns = 6 };
    const char *task, *metric;
    json_t *metrics, *v, *results = json_object_get(report, key);
    json_object_foreach(results, task, metrics)
    {
        bool first = true;
        json_object_foreach(metrics, metric, v)
        {
            if (!is_metric(v))
                continue;
            cli_table_add(&table, "%s", first ? task : "");
            cli_table_add(&table, "%s", metric);
            add_value(&table, figure(v, "value"));
            add_interval(&table, v);
            add_value(&table, figure(v, "stderr"));
            cli_table_add(&table, "%lld",
                          json_object_get(v, "n") ? whole(v, "n") : whole(metrics, "n"));
            first = false;
        }
    }
    return cli_table_append(b, &table);
}

/* Metrics that could not be computed, with the reason. */
static int append_reasons(struct base_buffer *b, const json_t *report)
{
    const char *task, *metric;
    json_t *metrics, *v;
    int rc = 0;
    json_object_foreach(json_object_get(report, "results"), task, metrics)
    {
        json_object_foreach(metrics, metric, v)
        {
            if (rc == 0 && is_metric(v) && *text(v, "reason"))
                rc = base_buffer_printf(b, "  %s, %s: %s\n", task, metric, text(v, "reason"));
        }
    }
    return rc;
}

static int append_strategies(struct base_buffer *b, const json_t *report)
{
    char title[32];
    interval_title(report, title);
    const char *task;
    json_t *pairs, *p;
    size_t i;
    int rc = 0;
    json_object_foreach(json_object_get(report, "strategies"), task, pairs)
    {
        const struct cli_column columns[] = {
            { "a", false, false },  { "b", false, false },     { "b - a", true, false },
            { title, true, false }, { "only a", true, false }, { "only b", true, false },
            { "p", true, false },   { "Holm", true, false },
        };
        struct cli_table table = { .columns = columns, .n_columns = 8 };
        const json_t *some = json_array_get(pairs, 0);
        rc = rc ? rc
                : base_buffer_printf(b, "\n  %s: %s, pairs over the same %lld items\n", task,
                                     text(some, "metric"), whole(some, "n"));
        json_array_foreach(pairs, i, p)
        {
            const json_t *m = json_object_get(p, "mcnemar");
            cli_table_add(&table, "%s", text(p, "a"));
            cli_table_add(&table, "%s", text(p, "b"));
            if (isnan(figure(p, "difference")))
                cli_table_add(&table, "-");
            else
                cli_table_add(&table, "%+.4f", figure(p, "difference"));
            add_interval(&table, p);
            for (int k = 0; k < 2; k++)
                if (m)
                    cli_table_add(&table, "%lld", whole(m, k ? "c" : "b"));
                else
                    cli_table_add(&table, "%s", "");
            char value[32], adjusted[32];
            cli_p_text(value, sizeof value, figure(p, "p"));
            cli_p_text(adjusted, sizeof adjusted, figure(p, "p_adjusted"));
            cli_table_add(&table, "%s", value);
            cli_table_add(&table, "%s", adjusted);
        }
        rc = rc ? rc : cli_table_append(b, &table);
        json_array_foreach(pairs, i, p)
        {
            if (rc == 0 && *text(p, "reason"))
                rc = base_buffer_printf(b, "  %s, %s: %s\n", text(p, "a"), text(p, "b"),
                                        text(p, "reason"));
        }
        if (rc == 0)
            rc = base_buffer_printf(b, "  p: %s; Holm: adjusted over these pairs.\n",
                                    text(some, "test"));
    }
    return rc;
}

/* Blanks at the beginning made visible: whether a continuation has one decides its tokens. */
static void add_continuation(struct cli_table *t, const char *s)
{
    cli_table_add(t, "%s%s", *s == ' ' ? "␣" : "", *s == ' ' ? s + 1 : s);
}

/* The end of a prompt, which is where the continuation joins it. */
static void add_end(struct cli_table *t, const char *prompt, size_t most)
{
    size_t n = strlen(prompt), from = n > most ? n - most : 0;
    while (from > 0 && ((unsigned char)prompt[from] & 0xc0) == 0x80)
        from++;
    cli_table_add(t, "%s%s", from ? "…" : "", prompt + from);
}

static void add_small(struct cli_table *t, double x)
{
    if (isnan(x))
        cli_table_add(t, "-");
    else
        cli_table_add(t, "%.2g", x);
}

/* The first cloze items of each task: both continuations with their probabilities, and the odds of
 * the right one by the whole continuation and by its first token. Above 1 it is favoured. */
static int append_cloze(struct base_buffer *b, const json_t *report)
{
    const char *task;
    json_t *items, *item;
    size_t i;
    int rc = 0;
    json_object_foreach(json_object_get(report, "cloze"), task, items)
    {
        static const struct cli_column columns[] = {
            { "prompt", false, true },     { "right", false, false }, { "p", true, false },
            { "wrong", false, false },     { "p", true, false },      { "odds", true, false },
            { "by token 1", true, false },
        };
        struct cli_table table = { .columns = columns, .n_columns = 7 };
        rc = rc ? rc : base_buffer_printf(b, "\n  %s, the first items:\n", task);
        json_array_foreach(items, i, item)
        {
            add_end(&table, text(item, "prompt"), 26);
            add_continuation(&table, text(item, "correct"));
            add_small(&table, exp(figure(item, "logprob_correct")));
            add_continuation(&table, text(item, "incorrect"));
            add_small(&table, exp(figure(item, "logprob_incorrect")));
            add_small(&table, figure(item, "odds"));
            add_small(&table, figure(item, "odds_first"));
        }
        rc = rc ? rc : cli_table_append(b, &table);
    }
    return rc;
}

int cli_eval_lay_out(struct base_buffer *b, const json_t *report)
{
    json_t *note;
    size_t i;
    int rc = append_results(b, report, "results", "task");
    if (rc == 0 && json_object_size(json_object_get(report, "groups"))) {
        rc = base_buffer_puts(b, "\n");
        rc = rc ? rc : append_results(b, report, "groups", "group");
    }
    rc = rc ? rc : append_reasons(b, report);
    rc = rc ? rc : append_strategies(b, report);
    rc = rc ? rc : append_cloze(b, report);
    if (rc == 0 && json_array_size(json_object_get(report, "notes")))
        rc = base_buffer_puts(b, "\n");
    json_array_foreach(json_object_get(report, "notes"), i, note)
    {
        rc = rc ? rc : cli_append_wrapped(b, 2, json_string_value(note));
    }
    return rc;
}
