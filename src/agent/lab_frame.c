/* Arguments, results and columns of the laboratory's tools; see lab.h. */
#include "agent/lab.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MOST 200

/* ---- arguments ---- */

static int check_strings(const json_t *v)
{
    const char *key;
    json_t *item;
    size_t i;
    int rc = 0;
    if (json_is_string(v) && strlen(json_string_value(v)) != json_string_length(v))
        return base_error_set(BASE_E_ARGUMENT, "\"%.60s\": a NUL inside an argument",
                              json_string_value(v));
    if (json_is_array(v))
        json_array_foreach((json_t *)(uintptr_t)v, i, item) rc = rc ? rc : check_strings(item);
    if (json_is_object(v))
        json_object_foreach((json_t *)(uintptr_t)v, key, item) rc = rc ? rc : check_strings(item);
    return rc;
}

int lab_check(const json_t *arguments)
{
    base_error_set(0, "%s", "");
    return check_strings(arguments);
}

int lab_uses(const char *what, const json_t *arguments, const char *const *names, int n,
             unsigned required, unsigned allowed)
{
    struct base_buffer b = { 0 };
    int rc = 0;
    for (int i = 0; i < n && !rc; i++) {
        bool given = json_object_get(arguments, names[i]) != NULL;
        if (!given && (required >> i & 1))
            rc = base_error_set(BASE_E_ARGUMENT, "%s needs %s", what, names[i]);
        if (!given || ((required | allowed) >> i & 1))
            continue;
        for (int j = 0; j < n; j++)
            if ((required | allowed) >> j & 1)
                base_buffer_printf(&b, "%s%s", b.length ? ", " : "", names[j]);
        rc = base_error_set(BASE_E_ARGUMENT, "%s does not use %s; it uses %s", what, names[i],
                            b.data ? b.data : "nothing");
    }
    base_buffer_free(&b);
    return rc;
}

const char *lab_string(const json_t *arguments, const char *key)
{
    return json_string_value(json_object_get(arguments, key));
}

double lab_number(const json_t *arguments, const char *key, double otherwise)
{
    const json_t *v = json_object_get(arguments, key);
    return v ? json_number_value(v) : otherwise;
}

/* A schema's integer may be written 3.0. */
int64_t lab_integer(const json_t *arguments, const char *key, int64_t otherwise)
{
    const json_t *v = json_object_get(arguments, key);
    return v ? json_is_integer(v) ? json_integer_value(v) : (int64_t)json_real_value(v) : otherwise;
}

bool lab_flag(const json_t *arguments, const char *key, bool otherwise)
{
    const json_t *v = json_object_get(arguments, key);
    return v ? json_is_true(v) : otherwise;
}

int lab_strings(const json_t *arguments, const char *key, const char ***out, size_t *n)
{
    const json_t *list = json_object_get(arguments, key);
    *out = NULL;
    *n = json_array_size(list);
    if (*n == 0)
        return 0;
    if (!(*out = base_alloc(*n, sizeof **out)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = json_string_value(json_array_get(list, i));
    return 0;
}

int lab_numbers(const json_t *arguments, const char *key, double **out, size_t *n)
{
    const json_t *list = json_object_get(arguments, key);
    *out = NULL;
    *n = json_array_size(list);
    if (*n == 0)
        return 0;
    if (!(*out = base_alloc(*n, sizeof **out)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = json_number_value(json_array_get(list, i));
    return 0;
}

enum stats_alternative lab_alternative(const json_t *arguments)
{
    const char *name = lab_string(arguments, "alternative");
    for (int i = 0; name && i < 3; i++)
        if (strcmp(name, stats_alternative_names[i]) == 0)
            return (enum stats_alternative)i;
    return STATS_TWO_SIDED;
}

int lab_table(const struct agent_tool *tool, const json_t *arguments, const char **path,
              struct data_table_options *out)
{
    const char *format = lab_string(arguments, "format");
    const char *delimiter = lab_string(arguments, "delimiter");
    *path = lab_string(arguments, "file");
    *out = (struct data_table_options){ .beneath = tool->context,
                                        .header = lab_flag(arguments, "header", true)
                                                      ? DATA_HEADER_AUTO
                                                      : DATA_HEADER_NO,
                                        .pad = lab_flag(arguments, "pad", false),
                                        .delimiter = delimiter ? *delimiter : 0,
                                        .max_record = (size_t)16 << 20 };
    if (!base_starts_with(*path, "builtin:") && !tool->context)
        return base_error_set(BASE_E_ARGUMENT,
                              "%.200s: no data directory was given to this server: only the "
                              "built-in tables can be read (builtin:survey, builtin:recipes ...)",
                              *path);
    return format ? data_format_parse(format, &out->format) : 0;
}

/* ---- results ---- */

json_t *lab_text(const char *s)
{
    if (!s)
        return json_null();
    size_t n = strlen(s);
    return base_json_text(s, n <= TEXT_MOST ? n : base_utf8_complete(s, TEXT_MOST));
}

json_t *lab_count(double n)
{
    return json_integer((json_int_t)n);
}

json_t *lab_interval(struct stats_interval i)
{
    return isnan(i.low) && isnan(i.high) ? json_null()
                                         : json_pack("{s:o, s:o}", "low", base_json_number(i.low),
                                                     "high", base_json_number(i.high));
}

void lab_add(json_t *o, const char *key, json_t *item)
{
    json_t *list = json_object_get(o, key);
    if (!list && json_object_set_new(o, key, json_array()) == 0)
        list = json_object_get(o, key);
    json_array_append_new(list, item);
}

void lab_say(json_t *o, const char *key, const char *format, ...)
{
    char text[1200];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t bytes = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    lab_add(o, key, base_json_text(text, base_utf8_complete(text, bytes)));
}

int lab_give(json_t *value, json_t **out)
{
    /* A value is put together by many calls that say nothing when memory is out: what they leave
     * out must not go unsaid, and the thread's message tells that something was. */
    bool whole = value && strncmp(base_error_message(), "out of memory", 13) != 0;
    *out = whole ? value : NULL;
    if (whole)
        return 0;
    json_decref(value);
    return base_error_set(BASE_E_MEMORY, "out of memory for the result");
}

void lab_progress(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    agent_tool_progress((double)done, (double)total, "reading");
}

/* ---- columns ---- */

static int judge(void *context, const struct data_table *table, const struct data_cell *cells)
{
    struct lab_frame *f = context;
    if (f->seen++ % 65536 == 65535) {
        uint64_t done, total;
        data_table_progress(table, &done, &total);
        lab_progress(NULL, done, total);
    }
    int holds = f->condition ? sampling_condition_test(f->condition, table, cells) : 1;
    return holds < 0 ? holds : holds == 1;
}

int lab_frame_open(struct lab_frame *f, const struct agent_tool *tool, const json_t *arguments)
{
    struct data_table_options table;
    *f = (struct lab_frame){ .where = lab_string(arguments, "where") };
    int rc = lab_table(tool, arguments, &f->path, &table);
    if (!rc)
        rc = sampling_columns_open(&f->columns, f->path, &table);
    if (!rc && f->where)
        rc = sampling_condition_parse(&f->condition, f->where, f->columns.table);
    return rc;
}

int lab_frame_want(struct lab_frame *f, const char *column, bool category, size_t *index)
{
    return sampling_columns_want(&f->columns, column, category, index);
}

static bool is_missing(const struct sampling_column *c, size_t row)
{
    return c->category ? c->code[row] == UINT32_MAX : isnan(c->number[row]);
}

int lab_frame_read(struct lab_frame *f, bool complete)
{
    struct sampling_columns *c = &f->columns;
    c->judge = judge;
    c->context = f;
    if (!(f->column_missing = base_alloc_zero(c->n + 1, sizeof *f->column_missing)))
        return BASE_E_MEMORY;
    int rc = sampling_columns_read(c);
    f->rows = c->rows;
    for (size_t i = 0; i < c->rows && !rc; i++) {
        bool hole = false;
        if (!c->keep[i]) {
            f->outside++;
            continue;
        }
        for (size_t k = 0; k < c->n; k++)
            if (is_missing(&c->column[k], i)) {
                f->column_missing[k]++;
                hole = true;
            }
        f->missing += complete && hole;
        if (complete && hole)
            continue;
        for (size_t k = 0; k < c->n; k++)
            if (c->column[k].category)
                c->column[k].code[f->n] = c->column[k].code[i];
            else
                c->column[k].number[f->n] = c->column[k].number[i];
        f->n++;
    }
    return rc;
}

void lab_frame_close(struct lab_frame *f)
{
    sampling_condition_free(f->condition);
    sampling_columns_close(&f->columns);
    base_free(f->column_missing);
    *f = (struct lab_frame){ 0 };
}

const double *lab_frame_number(const struct lab_frame *f, size_t index)
{
    return f->columns.column[index].number;
}

void lab_frame_report(const struct lab_frame *f, json_t *o)
{
    json_t *columns = json_array();
    for (size_t k = 0; k < f->columns.n; k++)
        json_array_append_new(columns,
                              json_pack("{s:o, s:o}", "column", lab_text(f->columns.column[k].name),
                                        "missing", lab_count((double)f->column_missing[k])));
    json_object_set_new(o, "file", lab_text(f->path));
    json_object_set_new(o, "rows", lab_count((double)f->rows));
    if (f->where) {
        json_object_set_new(o, "where", base_json_text(f->where, strlen(f->where)));
        json_object_set_new(o, "outside", lab_count((double)f->outside));
    }
    json_object_set_new(o, "n", lab_count((double)f->n));
    json_object_set_new(
        o, "missing",
        json_pack("{s:o, s:o}", "rows", lab_count((double)f->missing), "columns", columns));
}

/* ---- categories ---- */

struct named {
    char *name;
    double number;
    uint32_t old;
};

static int by_number(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static int by_bytes(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return strcmp(x->name, y->name);
}

int lab_category_make(struct lab_category *out, const struct lab_frame *f, size_t index,
                      size_t most)
{
    const struct sampling_column *c = &f->columns.column[index];
    *out = (struct lab_category){ .column = c->name, .numbers = true };
    struct named *level = base_alloc_zero(c->n_levels + 1, sizeof *level);
    uint32_t *code = base_alloc_zero(c->n_levels + 1, sizeof *code);
    out->code = base_alloc(f->n + 1, sizeof *out->code);
    int rc = level && code && out->code ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < f->n && !rc; i++)
        if (c->code[i] != UINT32_MAX)
            code[c->code[i]] = 1;
    for (size_t k = 0; k < c->n_levels && !rc; k++) {
        if (!code[k])
            continue;
        struct named *l = &level[out->n++];
        *l = (struct named){ .name = c->levels[k], .old = (uint32_t)k };
        struct data_cell cell = { l->name, strlen(l->name) };
        if (!data_cell_number(cell, &l->number)) {
            out->odd = out->odd ? out->odd : l->name;
            out->numbers = false;
        }
    }
    if (!rc && most && out->n > most)
        rc = base_error_set(BASE_E_LIMIT,
                            "column %s has %zu different values: at most %zu make categories "
                            "(choose another column, or some rows by where)",
                            c->name, out->n, most);
    out->name = rc ? NULL : base_alloc(out->n + 1, sizeof *out->name);
    out->count = rc ? NULL : base_alloc_zero(out->n + 1, sizeof *out->count);
    if (!rc && (!out->name || !out->count))
        rc = BASE_E_MEMORY;
    if (!rc)
        qsort(level, out->n, sizeof *level, out->numbers ? by_number : by_bytes);
    for (size_t k = 0; k < out->n && !rc; k++) {
        out->name[k] = level[k].name;
        code[level[k].old] = (uint32_t)k;
    }
    for (size_t i = 0; i < f->n && !rc; i++) {
        out->code[i] = c->code[i] == UINT32_MAX ? UINT32_MAX : code[c->code[i]];
        if (out->code[i] != UINT32_MAX)
            out->count[out->code[i]]++;
    }
    base_free(level);
    base_free(code);
    if (rc)
        lab_category_free(out);
    return rc;
}

void lab_category_free(struct lab_category *c)
{
    base_free(c->name);
    base_free(c->code);
    base_free(c->count);
    *c = (struct lab_category){ 0 };
}

int lab_category_find(const struct lab_category *c, const char *name, size_t *index)
{
    struct base_buffer b = { 0 };
    for (size_t k = 0; k < c->n; k++)
        if (strcmp(c->name[k], name) == 0) {
            *index = k;
            return 0;
        }
    for (size_t k = 0; k < c->n && k < 8; k++)
        base_buffer_printf(&b, "%s%.40s", k ? ", " : "", c->name[k]);
    int rc = base_error_set(BASE_E_ARGUMENT,
                            "column %s has no value \"%.60s\" in these rows: there "
                            "are %s%s",
                            c->column, name, b.data ? b.data : "none", c->n > 8 ? " ..." : "");
    base_buffer_free(&b);
    return rc;
}

int lab_category_part(const struct lab_category *c, size_t rows, size_t k, const double *x,
                      double **out, size_t *n)
{
    *n = 0;
    if (!(*out = base_alloc((size_t)c->count[k] + 1, sizeof **out)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < rows; i++)
        if (c->code[i] == k && !isnan(x[i]))
            (*out)[(*n)++] = x[i];
    return 0;
}
