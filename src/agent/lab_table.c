/* describe_table, sample_table and summarize_dataset: what a table holds, rows of it drawn by a
 * design, and its columns in figures with intervals, whole and by groups. */
#include "agent/lab.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include <assay/describe.h>
#include <math.h>
#include <string.h>

#define ROWS_MOST   1000
#define GROUPS_MOST 50

/* ---- describe_table ---- */

/* The columns of "columns", with the conditions of "where" and "top". */
static int describe(const struct agent_tool *tool, const json_t *arguments,
                    struct sampling_description *d)
{
    struct data_table_options table;
    struct sampling_describe_options o = { .top = (size_t)lab_integer(arguments, "top", 5),
                                           .where = lab_string(arguments, "where"),
                                           .on_progress = lab_progress };
    const json_t *ranges = json_object_get(arguments, "ranges");
    struct sampling_range *range = base_alloc_zero(json_array_size(ranges) + 1, sizeof *range);
    const char **columns = NULL, *path;
    int rc = range ? lab_check(arguments) : BASE_E_MEMORY;
    if (!rc)
        rc = lab_table(tool, arguments, &path, &table);
    if (!rc)
        rc = lab_strings(arguments, "columns", &columns, &o.n_columns);
    for (size_t i = 0; i < json_array_size(ranges) && !rc; i++) {
        const json_t *r = json_array_get(ranges, i);
        range[i] =
            (struct sampling_range){ lab_string(r, "column"), lab_number(r, "low", -INFINITY),
                                     lab_number(r, "high", INFINITY) };
        if (!(range[i].low <= range[i].high))
            rc = base_error_set(BASE_E_ARGUMENT, "the range of %.100s is empty: %g to %g",
                                range[i].column, range[i].low, range[i].high);
    }
    o.range = range;
    o.ranges = json_array_size(ranges);
    o.columns = columns;
    if (!rc)
        rc = sampling_describe(d, path, &table, &o);
    base_free(columns);
    base_free(range);
    return rc;
}

/* Cells may be 16 MiB long: what is shown of each is cut. */
static void cut_texts(json_t *v)
{
    const char *key;
    json_t *item;
    size_t i;
    json_array_foreach(v, i, item) if (json_is_string(item))
    {
        json_array_set_new(v, i, lab_text(json_string_value(item)));
    }
    else cut_texts(item);
    json_object_foreach(v, key, item) if (!json_is_string(item)) cut_texts(item);
    else if (json_string_length(item) > 200 && strcmp(key, "message") != 0)
        json_string_setn(item, json_string_value(lab_text(json_string_value(item))),
                         strlen(json_string_value(item)));
}

int lab_describe_table(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    struct sampling_description d = { 0 };
    int rc = describe(tool, arguments, &d);
    if (rc)
        return rc;
    json_t *o = sampling_description_json(&d);
    const char *where = lab_string(arguments, "where");
    if (o && where)
        json_object_set_new(o, "outside", lab_count((double)d.outside));
    if (o)
        cut_texts(o);
    sampling_description_free(&d);
    return lab_give(o, out);
}

/* ---- sample_table ---- */

struct drawn {
    json_t *rows;
};

static int begin(void *context, const struct data_table *table,
                 const struct sampling_options *options)
{
    (void)context, (void)table, (void)options;
    return 0;
}

/* The row as compact JSON: cells as text, numbers and nulls. */
static int keep(void *context, const struct data_table *table, const struct data_cell *cells,
                struct base_buffer *text)
{
    (void)context;
    json_t *o = json_object();
    for (size_t i = 0; o && i < data_table_columns(table); i++) {
        struct data_cell c = cells[i];
        double number;
        bool numeric = data_cell_number(c, &number);
        /* what reads back as it was written: 007 and +5 stay texts */
        bool plain = numeric && c.length &&
                     (c.bytes[0] != '0' || c.length == 1 || c.bytes[1] == '.') && c.bytes[0] != '+';
        char cut[201];
        size_t n = c.length <= 200 ? c.length : 200;
        memcpy(cut, c.bytes, n);
        cut[n] = 0;
        json_t *v = data_cell_missing(c) ? json_null()
                    : !plain             ? base_json_text(cut, n)
                    : number == floor(number) && fabs(number) < 9007199254740992.0
                        ? json_integer((json_int_t)number)
                        : base_json_number(number);
        json_object_set_new(o, data_table_column(table, i), v);
    }
    char *line = o ? base_json_dump(o, false) : NULL;
    int rc = line ? base_buffer_puts(text, line) : BASE_E_MEMORY;
    base_free(line);
    json_decref(o);
    return rc;
}

static json_t *cell_or_null(struct data_cell c)
{
    return c.bytes && c.length ? base_json_text(c.bytes, c.length < 200 ? c.length : 200)
                               : json_null();
}

static int give(void *context, const struct base_buffer *text, const struct sampling_row *row)
{
    struct drawn *d = context;
    json_t *values = NULL;
    int rc = json_array_size(d->rows) >= ROWS_MOST
                 ? base_error_set(BASE_E_LIMIT, "the sample has more than %d rows: ask for fewer",
                                  ROWS_MOST)
                 : base_json_parse_wire(&values, text->data, text->length, 0, "row");
    if (rc)
        return rc;
    return json_array_append_new(d->rows, json_pack("{s:o, s:o, s:o, s:o, s:o}", "row",
                                                    lab_count((double)row->number), "weight",
                                                    base_json_number(row->weight), "pi",
                                                    base_json_number(row->pi), "stratum",
                                                    cell_or_null(row->stratum), "values", values))
               ? BASE_E_MEMORY
               : 0;
}

static json_t *strata_of(const struct sampling_report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_strata && i < ROWS_MOST; i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o}", "name", lab_text(r->strata[i].name),
                                        "population", lab_count((double)r->strata[i].N), "n",
                                        lab_count((double)r->strata[i].n)));
    return list;
}

int lab_sample_table(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    struct data_table_options table;
    struct sampling_report report = { 0 };
    struct sampling_options o = { .n = (uint64_t)lab_integer(arguments, "n", 0),
                                  .seed = (uint64_t)lab_integer(arguments, "seed", 0),
                                  .where = lab_string(arguments, "where"),
                                  .weights = lab_string(arguments, "weights"),
                                  .cluster = lab_string(arguments, "cluster"),
                                  .second = (uint64_t)lab_integer(arguments, "second", 0),
                                  .replace = lab_flag(arguments, "replace", false),
                                  .singletons = lab_flag(arguments, "singletons", false),
                                  .on_progress = lab_progress };
    const char *method = lab_string(arguments, "method"), **by = NULL, *path;
    const char *allocation = lab_string(arguments, "allocation");
    struct drawn d = { .rows = json_array() };
    const struct sampling_sink sink = { begin, keep, give, &d };
    int rc = d.rows ? lab_check(arguments) : BASE_E_MEMORY;
    if (!rc)
        rc = lab_table(tool, arguments, &path, &table);
    if (!rc)
        rc = sampling_method_parse(method ? method : "random", &o.method);
    if (!rc)
        rc = lab_strings(arguments, "by", &by, &o.n_by);
    o.by = by;
    if (allocation && strcmp(allocation, "equal") == 0)
        o.allocation = SAMPLING_EQUAL;
    if (!rc)
        rc = sampling_run(&o, path, &table, &sink, &report);
    if (!rc)
        rc = lab_give(json_pack("{s:o, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:O}", "file",
                                lab_text(path), "method", sampling_method_name(o.method), "seed",
                                (json_int_t)o.seed, "file_rows", lab_count((double)report.rows),
                                "population", lab_count((double)report.population), "n",
                                lab_count((double)json_array_size(d.rows)), "strata",
                                strata_of(&report), "note", lab_text(report.note), "rows", d.rows),
                      out);
    sampling_report_free(&report);
    base_free(by);
    json_decref(d.rows);
    return rc;
}

/* ---- summarize_dataset ---- */

static bool has_numbers(const struct sampling_column_description *c)
{
    return c->kind == SAMPLING_KIND_INTEGER || c->kind == SAMPLING_KIND_NUMBER ||
           (c->kind == SAMPLING_KIND_MIXED && !isnan(c->mean));
}

static bool has_categories(const struct sampling_column_description *c)
{
    return c->kind == SAMPLING_KIND_CATEGORY || c->kind == SAMPLING_KIND_YES_NO;
}

static json_t *value_of(const struct sampling_column_description *c, double x)
{
    char text[24];
    if (c->kind != SAMPLING_KIND_DATE || isnan(x))
        return base_json_number(x);
    sampling_date_text(x, text, sizeof text);
    return json_string(text);
}

/* Most frequent values with shares of the cells that have one, and Wilson's intervals. */
static json_t *top_of(const struct sampling_column_description *c, double n, double level)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->n_top; i++) {
        double k = (double)c->top[i].count;
        struct stats_interval w = { NAN, NAN };
        if (k <= n)
            stats_interval_wilson(k, n, level, &w);
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o, s:o}", "value", lab_text(c->top[i].text),
                                        "count", lab_count(k), "share", base_json_number(k / n),
                                        "interval", lab_interval(w)));
    }
    return list;
}

static int summarize_column(json_t *out, const struct sampling_column_description *c, uint64_t rows,
                            double level)
{
    double n = (double)(rows - c->missing);
    json_t *o = json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:b}", "name", lab_text(c->name), "kind",
                          sampling_kind_names[c->kind], "n", lab_count(n), "missing",
                          lab_count((double)c->missing), "missing_share",
                          base_json_number(rows ? (double)c->missing / (double)rows : NAN),
                          "distinct", lab_count(round(c->distinct)), "distinct_exact", c->exact);
    if (!isnan(c->min)) {
        static const char *const names[SAMPLING_DESCRIBE_QUANTILES] = { "p01",    "p05", "q1",
                                                                        "median", "q3",  "p95",
                                                                        "p99" };
        json_object_set_new(o, "min", value_of(c, c->min));
        for (int k = 0; k < SAMPLING_DESCRIBE_QUANTILES; k++)
            json_object_set_new(o, names[k], value_of(c, c->quantile[k]));
        json_object_set_new(o, "max", value_of(c, c->max));
        json_object_set_new(o, "quantile_error", base_json_number(c->quantile_error));
    }
    if (has_numbers(c)) {
        struct stats_interval i = { NAN, NAN };
        double m = c->kind == SAMPLING_KIND_MIXED ? (double)(c->integers + c->decimals) : n;
        int rc = m >= 2 ? stats_interval_t(c->mean, c->sd / sqrt(m), m - 1, level, &i) : 0;
        if (rc) {
            json_decref(o);
            return rc;
        }
        json_object_set_new(o, "mean", base_json_number(c->mean));
        json_object_set_new(o, "sd", base_json_number(c->sd));
        json_object_set_new(o, "mean_interval", lab_interval(i));
    }
    if (has_categories(c)) {
        json_object_set_new(o, "values", top_of(c, n, level));
        json_object_set_new(o, "values_error", lab_count((double)c->top_error));
    }
    lab_add(out, "columns", o);
    return 0;
}

static void summarize_findings(json_t *out, const struct sampling_description *d)
{
    json_object_set_new(out, "findings", json_array());
    for (size_t i = 0; i < d->findings && i < 100; i++) {
        const struct sampling_finding *f = &d->finding[i];
        json_t *examples = json_array();
        for (size_t k = 0; k < f->n && k < 5; k++)
            json_array_append_new(examples, lab_text(f->example[k].text));
        lab_add(out, "findings",
                json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "severity",
                          sampling_severity_names[f->severity], "rule",
                          sampling_rule_names[f->rule], "column", lab_text(f->column), "count",
                          lab_count((double)f->count), "message", lab_text(f->message), "examples",
                          examples));
    }
}

/* One numeric column in one group. */
static int group_numbers(json_t *list, const char *name, const double *x, size_t n, size_t rows,
                         double level)
{
    struct stats_description s = {
        .mean = NAN, .sd = NAN, .min = NAN, .q1 = NAN, .median = NAN, .q3 = NAN, .max = NAN
    };
    struct stats_interval i = { NAN, NAN };
    int rc = n ? stats_describe(x, n, &s) : 0;
    if (!rc && n >= 2)
        rc = stats_interval_mean(x, n, level, &i);
    if (rc)
        return rc;
    return json_array_append_new(
               list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "column",
                               lab_text(name), "n", lab_count((double)n), "missing",
                               lab_count((double)(rows - n)), "mean", base_json_number(s.mean),
                               "mean_interval", lab_interval(i), "sd", base_json_number(s.sd),
                               "min", base_json_number(s.min), "q1", base_json_number(s.q1),
                               "median", base_json_number(s.median), "q3", base_json_number(s.q3),
                               "max", base_json_number(s.max)))
               ? BASE_E_MEMORY
               : 0;
}

/* One categorical column in one group: its most frequent values. */
static int group_shares(json_t *list, const struct lab_category *c, const struct lab_category *by,
                        uint32_t g, size_t rows, size_t top, double level)
{
    double *count = base_alloc_zero(c->n + 1, sizeof *count), n = 0;
    json_t *values = json_array();
    int rc = count && values ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < rows && !rc; i++)
        if (by->code[i] == g && c->code[i] != UINT32_MAX) {
            count[c->code[i]]++;
            n++;
        }
    for (size_t shown = 0; shown < top && !rc; shown++) {
        size_t best = c->n;
        for (size_t k = 0; k < c->n; k++)
            if (count[k] > 0 && (best == c->n || count[k] > count[best]))
                best = k;
        if (best == c->n)
            break;
        struct stats_interval w;
        if (!(rc = stats_interval_wilson(count[best], n, level, &w)))
            json_array_append_new(
                values, json_pack("{s:o, s:o, s:o, s:o}", "value", lab_text(c->name[best]), "count",
                                  lab_count(count[best]), "share",
                                  base_json_number(count[best] / n), "interval", lab_interval(w)));
        count[best] = 0;
    }
    base_free(count);
    if (rc) {
        json_decref(values);
        return rc;
    }
    return json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o}", "column",
                                                 lab_text(c->column), "n", lab_count(n), "missing",
                                                 lab_count(by->count[g] - n), "values", values))
               ? BASE_E_MEMORY
               : 0;
}

/* "groups": every column in every value of the column `name`. */
static int summarize_groups(const struct agent_tool *tool, const json_t *arguments,
                            const struct sampling_description *d, const char *name, double level,
                            json_t *out)
{
    struct lab_frame f;
    struct lab_category by = { 0 };
    size_t group, *index = base_alloc_zero(d->columns + 1, sizeof *index);
    size_t top = (size_t)lab_integer(arguments, "top", 5);
    struct lab_category *category = base_alloc_zero(d->columns + 1, sizeof *category);
    json_t *groups = json_array();
    int rc = lab_frame_open(&f, tool, arguments);
    if (!rc && (!index || !category || !groups))
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = lab_frame_want(&f, name, true, &group);
    for (size_t i = 0; i < d->columns && !rc; i++)
        if ((has_numbers(&d->column[i]) && d->column[i].kind != SAMPLING_KIND_MIXED) ||
            has_categories(&d->column[i]))
            rc = lab_frame_want(&f, d->column[i].name, has_categories(&d->column[i]), &index[i]);
    if (!rc && !(rc = lab_frame_read(&f, false)))
        rc = lab_category_make(&by, &f, group, GROUPS_MOST);
    for (size_t i = 0; i < d->columns && !rc; i++)
        if (has_categories(&d->column[i]))
            rc = lab_category_make(&category[i], &f, index[i], 0);
    for (size_t g = 0; g < by.n && !rc; g++) {
        json_t *columns = json_array();
        for (size_t i = 0; i < d->columns && !rc; i++) {
            const struct sampling_column_description *c = &d->column[i];
            double *x = NULL;
            size_t n;
            if (strcmp(c->name, name) == 0)
                continue;
            if (has_categories(c)) {
                rc = group_shares(columns, &category[i], &by, (uint32_t)g, f.n, top, level);
            } else if (has_numbers(c) && c->kind != SAMPLING_KIND_MIXED) {
                rc = lab_category_part(&by, f.n, g, lab_frame_number(&f, index[i]), &x, &n);
                rc = rc ? rc : group_numbers(columns, c->name, x, n, (size_t)by.count[g], level);
            }
            base_free(x);
        }
        json_array_append_new(groups,
                              json_pack("{s:o, s:o, s:o}", "value", lab_text(by.name[g]), "rows",
                                        lab_count(by.count[g]), "columns", columns));
    }
    if (!rc) {
        json_object_set_new(out, "by", lab_text(name));
        json_object_set(out, "groups", groups);
        json_object_set_new(out, "no_group", lab_count((double)f.column_missing[group]));
    }
    for (size_t i = 0; category && i < d->columns; i++)
        lab_category_free(&category[i]);
    lab_category_free(&by);
    base_free(category);
    base_free(index);
    json_decref(groups);
    lab_frame_close(&f);
    return rc;
}

int lab_summarize_dataset(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    struct sampling_description d = { 0 };
    double level = lab_number(arguments, "level", 0.95);
    const char *by = lab_string(arguments, "by"), *where = lab_string(arguments, "where");
    int rc = describe(tool, arguments, &d);
    json_t *o = NULL;
    if (!rc && !(o = json_pack("{s:o, s:o, s:o, s:f, s:[]}", "file", lab_text(d.name), "rows",
                               lab_count((double)d.rows), "duplicate_rows",
                               lab_count(round(d.duplicates)), "level", level, "columns")))
        rc = BASE_E_MEMORY;
    if (!rc && where) {
        json_object_set_new(o, "where", base_json_text(where, strlen(where)));
        json_object_set_new(o, "outside", lab_count((double)d.outside));
    }
    for (size_t i = 0; i < d.columns && !rc; i++)
        rc = summarize_column(o, &d.column[i], d.rows, level);
    if (!rc) {
        summarize_findings(o, &d);
        json_object_set_new(o, "notes", json_array());
        lab_say(o, "notes",
                "Means have Student's t interval, shares Wilson's, at %g: as of a simple random "
                "sample. Missing cells are left out of each column on its own.",
                level);
        for (size_t i = 0; i < d.columns; i++)
            if (d.column[i].plausible)
                lab_say(o, "notes",
                        "%.80s: %llu value(s) look impossible or suspect and move the mean: "
                        "without them it is %.6g. Leave them out by where, or say why they stay.",
                        d.column[i].name,
                        (unsigned long long)(d.rows - d.column[i].missing - d.column[i].plausible),
                        d.column[i].plausible_mean);
    }
    if (!rc && by)
        rc = summarize_groups(tool, arguments, &d, by, level, o);
    sampling_description_free(&d);
    if (rc)
        json_decref(o);
    return rc ? rc : lab_give(o, out);
}
