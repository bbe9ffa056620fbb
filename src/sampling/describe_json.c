/* A description as JSON. */
#include "base/json.h"
#include <assay/describe.h>
#include <math.h>
#include <string.h>

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *json_examples(const struct sampling_example *e, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "value", base_json_text(e[i].text, strlen(e[i].text)));
        if (e[i].count)
            json_object_set_new(o, "count", count(e[i].count));
        if (e[i].line)
            json_object_set_new(o, "line", count(e[i].line));
        json_array_append_new(list, o);
    }
    return list;
}

/* A number, or a date as text. */
static json_t *value(const struct sampling_column_description *c, double x)
{
    char text[24];
    if (c->kind != SAMPLING_KIND_DATE || isnan(x))
        return base_json_number(x);
    sampling_date_text(x, text, sizeof text);
    return json_string(text);
}

static json_t *json_column(const struct sampling_column_description *c)
{
    json_t *o = json_object();
    json_object_set_new(o, "name", base_json_text(c->name, strlen(c->name)));
    json_object_set_new(o, "type", json_string(sampling_kind_names[c->kind]));
    json_object_set_new(o, "missing", count(c->missing));
    json_object_set_new(o, "empty", count(c->empty));
    json_object_set_new(o, "cells",
                        json_pack("{s:o, s:o, s:o, s:o}", "integers", count(c->integers),
                                  "decimals", count(c->decimals), "dates", count(c->dates), "texts",
                                  count(c->texts)));
    json_object_set_new(o, "distinct",
                        c->exact ? count((uint64_t)c->distinct)
                                 : base_json_number(round(c->distinct)));
    json_object_set_new(o, "exact", json_boolean(c->exact));
    if (!c->exact)
        json_object_set_new(o, "distinct_error", base_json_number(0.0081));
    if (!isnan(c->min)) {
        json_t *q = json_object();
        json_object_set_new(o, "min", value(c, c->min));
        json_object_set_new(o, "max", value(c, c->max));
        json_object_set_new(o, "mean", value(c, c->mean));
        json_object_set_new(o, c->kind == SAMPLING_KIND_DATE ? "sd_seconds" : "sd",
                            base_json_number(c->sd));
        for (int k = 0; k < SAMPLING_DESCRIBE_QUANTILES; k++) {
            char name[16];
            snprintf(name, sizeof name, "%g", sampling_describe_q[k]);
            json_object_set_new(q, name, value(c, c->quantile[k]));
        }
        json_object_set_new(o, "quantiles", q);
        json_object_set_new(o, "quantile_error", base_json_number(c->quantile_error));
    }
    if (c->plausible)
        json_object_set_new(o, "plausible",
                            json_pack("{s:o, s:o, s:o}", "n", count(c->plausible), "mean",
                                      base_json_number(c->plausible_mean), "sd",
                                      base_json_number(c->plausible_sd)));
    json_object_set_new(o, "length",
                        json_pack("{s:o, s:o, s:o}", "min", count(c->shortest), "max",
                                  count(c->longest), "mean", base_json_number(c->mean_length)));
    json_object_set_new(o, "top", json_examples(c->top, c->n_top));
    json_object_set_new(o, "top_error", count(c->top_error));
    return o;
}

json_t *sampling_description_json(const struct sampling_description *d)
{
    json_t *o = json_object(), *columns = json_array(), *findings = json_array();
    json_object_set_new(o, "file", base_json_text(d->name, strlen(d->name)));
    json_object_set_new(o, "rows", count(d->rows));
    json_object_set_new(o, "bytes", count(d->bytes));
    json_object_set_new(o, "duplicate_rows", base_json_number(d->duplicates));
    json_object_set_new(o, "duplicate_rows_error", base_json_number(d->duplicates_error));
    for (size_t i = 0; i < d->findings; i++) {
        const struct sampling_finding *f = &d->finding[i];
        json_t *x = json_object();
        json_object_set_new(x, "severity", json_string(sampling_severity_names[f->severity]));
        json_object_set_new(x, "rule", json_string(sampling_rule_names[f->rule]));
        json_object_set_new(x, "column",
                            f->column ? base_json_text(f->column, strlen(f->column)) : json_null());
        json_object_set_new(x, "count", count(f->count));
        json_object_set_new(x, "at_least", json_boolean(f->at_least));
        json_object_set_new(x, "message", base_json_text(f->message, strlen(f->message)));
        json_object_set_new(x, "examples", json_examples(f->example, f->n));
        json_array_append_new(findings, x);
    }
    json_object_set_new(o, "findings", findings);
    for (size_t i = 0; i < d->columns; i++)
        json_array_append_new(columns, json_column(&d->column[i]));
    json_object_set_new(o, "columns", columns);
    return o;
}
