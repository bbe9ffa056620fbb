/* Reading runs out of the store: the list, one run's record, columns, samples. What comes out of
 * the file is checked as any other input: a damaged store is an error, never a wrong number. */
#include "base/json.h"
#include "base/memory.h"
#include "eval/results_run.h"
#include "eval/store_database.h"
#include <string.h>

static int damaged(const struct eval_store *s, const char *what)
{
    return base_error_set(BASE_E_FORMAT,
                          "%s: the store is damaged (%s): move it away, and bring runs back with "
                          "`assay runs import DIR`",
                          s->name, what);
}

/* ---- the list ---- */

struct listing {
    struct eval_store *store;
    json_t *runs, *by_id;
};

static json_t *text_or_null(const struct store_value *v)
{
    return v->kind == STORE_TEXT ? base_json_text(v->data, v->bytes) : json_null();
}

static json_t *number_or_null(const struct store_value *v)
{
    return v->kind == STORE_REAL      ? base_json_number(v->real)
           : v->kind == STORE_INTEGER ? json_real((double)v->integer)
                                      : json_null();
}

static int list_run(void *context, const struct store_value *c, size_t n)
{
    struct listing *l = context;
    if (n < 6 || c[0].kind != STORE_TEXT)
        return damaged(l->store, "a run without id");
    json_t *run =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:{}}", "id", text_or_null(&c[0]), "time",
                  text_or_null(&c[1]), "source", text_or_null(&c[2]), "model", text_or_null(&c[3]),
                  "parent", text_or_null(&c[4]), "directory", text_or_null(&c[5]), "tasks");
    int failed = !run || json_array_append(l->runs, run) ||
                 json_object_set(l->by_id, store_string(&c[0]), run);
    json_decref(run);
    return failed ? base_error_set(BASE_E_MEMORY, "out of memory for the list of runs") : 0;
}

static int list_task(void *context, const struct store_value *c, size_t n)
{
    struct listing *l = context;
    json_t *run = n < 8 ? NULL : json_object_get(l->by_id, store_string(&c[0]));
    if (!run)
        return 0; /* added since the list was read */
    json_t *task =
        json_pack("{s:I, s:b}", "n", (json_int_t)c[2].integer, "samples", c[3].integer != 0);
    int failed = !task;
    if (task && c[4].kind == STORE_TEXT)
        failed =
            json_object_set_new(task, "metric", text_or_null(&c[4])) ||
            json_object_set_new(task, "value", number_or_null(&c[5])) ||
            json_object_set_new(task, "ci",
                                c[6].kind == STORE_NULL ? json_null()
                                                        : json_pack("[o, o]", number_or_null(&c[6]),
                                                                    number_or_null(&c[7])));
    failed |= json_object_set_new(json_object_get(run, "tasks"), store_string(&c[1]), task);
    return failed ? base_error_set(BASE_E_MEMORY, "out of memory for the list of runs") : 0;
}

int eval_store_list(struct eval_store *s, json_t **runs)
{
    struct listing l = { s, json_array(), json_object() };
    *runs = NULL;
    int rc = l.runs && l.by_id ? 0 : base_error_set(BASE_E_MEMORY, "out of memory for the list");
    if (rc == 0)
        rc = store_query(s,
                         "SELECT id, time, source, model, parent, directory FROM assay_run ORDER "
                         "BY time DESC, id",
                         NULL, 0, list_run, &l);
    if (rc == 0)
        rc = store_query(s,
                         "SELECT t.run, t.name, t.items, t.samples, m.metric, m.value, m.low, "
                         "m.high FROM assay_task t LEFT JOIN assay_metric m ON m.run = t.run AND "
                         "m.task = t.name AND m.position = 0 ORDER BY t.run, t.position",
                         NULL, 0, list_task, &l);
    json_decref(l.by_id);
    if (rc)
        json_decref(l.runs);
    else
        *runs = l.runs;
    return rc;
}

/* ---- one run ---- */

struct finding {
    struct eval_store *store;
    char *id;
    size_t n;
};

static int keep_id(void *context, const struct store_value *c, size_t n)
{
    struct finding *f = context;
    if (n && f->n++ == 0 && !(f->id = base_strdup(store_string(&c[0]))))
        return BASE_E_MEMORY;
    return 0;
}

int eval_store_find(struct eval_store *s, const char *id, char **full)
{
    struct finding f = { .store = s };
    *full = NULL;
    char *after = base_format("%sg", id); /* digits end at f */
    if (!after)
        return BASE_E_MEMORY;
    const struct store_value range[] = { store_text(id), store_text(after) };
    int rc =
        store_query(s, "SELECT id FROM assay_run WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 3",
                    range, 2, keep_id, &f);
    base_free(after);
    if (rc == 0 && f.n == 0)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s: no such file or directory, and the store %s has no run of that id "
                            "(`assay runs` lists those it has)",
                            id, s->name);
    else if (rc == 0 && f.n > 1 && strcmp(f.id, id) != 0)
        rc =
            base_error_set(BASE_E_ARGUMENT,
                           "%s: several runs in %s begin with that: give more digits", id, s->name);
    if (rc)
        base_free(f.id);
    else
        *full = f.id;
    return rc;
}

struct loading {
    struct eval_store *store;
    const char *id;
    json_t *record;
};

static int keep_record(void *context, const struct store_value *c, size_t n)
{
    struct loading *l = context;
    json_t *config = NULL, *results = NULL;
    int rc = n < 3 ? damaged(l->store, "a run without record") : 0;
    if (rc == 0)
        rc = base_json_parse(&l->record, store_string(&c[0]), c[0].bytes, l->id);
    if (rc == 0)
        rc = base_json_parse(&config, store_string(&c[1]), c[1].bytes, l->id);
    if (rc == 0)
        rc = base_json_parse(&results, store_string(&c[2]), c[2].bytes, l->id);
    if (rc == BASE_E_FORMAT || (rc == 0 && !json_is_object(l->record)))
        rc = damaged(l->store, "a run's record is not JSON");
    if (rc == 0 && (json_object_set(l->record, "config", config) ||
                    json_object_set(l->record, "results", results) ||
                    json_object_set_new(l->record, "tasks", json_array())))
        rc = base_error_set(BASE_E_MEMORY, "out of memory for run %s", l->id);
    json_decref(config);
    json_decref(results);
    return rc;
}

static int keep_task(void *context, const struct store_value *c, size_t n)
{
    struct loading *l = context;
    json_t *task =
        n < 2 ? NULL
              : json_pack("{s:o, s:b}", "name", text_or_null(&c[0]), "samples", c[1].integer != 0);
    return json_array_append_new(json_object_get(l->record, "tasks"), task)
               ? base_error_set(BASE_E_MEMORY, "out of memory for run %s", l->id)
               : 0;
}

int eval_store_load(struct eval_store *s, const char *id, json_t **record)
{
    struct loading l = { .store = s, .id = id };
    const struct store_value value = store_text(id);
    *record = NULL;
    int rc = store_query(s, "SELECT record, config, results FROM assay_run WHERE id = $1", &value,
                         1, keep_record, &l);
    if (rc == 0 && !l.record)
        rc = base_error_set(BASE_E_ARGUMENT, "%s: has no run %s", s->name, id);
    if (rc == 0)
        rc = store_query(s, "SELECT name, samples FROM assay_task WHERE run = $1 ORDER BY position",
                         &value, 1, keep_task, &l);
    if (rc)
        json_decref(l.record);
    else
        *record = l.record;
    return rc;
}

/* ---- columns ---- */

/* Which rows hold what: found among the first parts. */
struct looking {
    const char *metric; /* without its filter */
    size_t metric_bytes;
    const char *filter; /* wanted, or NULL: the first that has the metric */
    char *found;        /* the filter */
    int64_t hash, doc, cluster, value, weight;
    int64_t last_hash, last_doc, last_cluster;
    char *names; /* what there is, for the message */
    bool failed;
};

static int look(void *context, const struct store_value *c, size_t n)
{
    struct looking *l = context;
    const char *metric = n < 3 ? "" : store_string(&c[1]),
               *filter = n < 3 ? "" : store_string(&c[2]);
    int64_t position = c[0].integer;
    size_t prefix = strlen(STORE_WEIGHT);
    if (strcmp(metric, STORE_COLUMN_HASH) == 0) {
        l->last_hash = position;
        l->last_cluster = -1;
    } else if (strcmp(metric, STORE_COLUMN_DOC) == 0) {
        l->last_doc = position;
    } else if (strcmp(metric, STORE_COLUMN_CLUSTER) == 0) {
        l->last_cluster = position;
    } else if (strncmp(metric, STORE_WEIGHT, prefix) == 0) {
        if (l->value >= 0 && l->weight < 0 && strcmp(l->found, filter) == 0 &&
            strlen(metric + prefix) == l->metric_bytes &&
            strncmp(metric + prefix, l->metric, l->metric_bytes) == 0)
            l->weight = position;
    } else {
        char *longer =
            base_format("%s%s%s,%s", l->names ? l->names : "", l->names ? " " : "", metric, filter);
        if (!longer)
            return BASE_E_MEMORY;
        base_free(l->names);
        l->names = longer;
        if (l->value < 0 && strlen(metric) == l->metric_bytes &&
            strncmp(metric, l->metric, l->metric_bytes) == 0 &&
            (!l->filter || strcmp(filter, l->filter) == 0)) {
            l->value = position;
            l->hash = l->last_hash;
            l->doc = l->last_doc;
            l->cluster = l->last_cluster;
            if (!(l->found = base_strdup(filter)))
                return BASE_E_MEMORY;
        }
    }
    return 0;
}

/* Collects the parts of one column. */
struct gathering {
    struct eval_store *store;
    size_t n, capacity; /* items so far; allocated */
    int64_t next_part;
    enum { GATHER_HASH, GATHER_DOC, GATHER_NUMBER } what;
    void *data;
};

static size_t unit(const struct gathering *g)
{
    return g->what == GATHER_HASH ? 16 : g->what == GATHER_DOC ? sizeof(uint32_t) : sizeof(double);
}

static int gather(void *context, const struct store_value *c, size_t n)
{
    struct gathering *g = context;
    if (n < 4 || c[0].integer != g->next_part || c[1].integer < 0 ||
        c[1].integer > STORE_PART_ITEMS || c[3].kind != STORE_BLOB)
        return damaged(g->store, "a part of a column is missing");
    size_t count = (size_t)c[1].integer;
    int64_t encoding = c[2].integer;
    size_t width = encoding == STORE_U8    ? 1
                   : encoding == STORE_U32 ? 4
                   : encoding == STORE_F64 ? 8
                                           : 16;
    bool fits = g->what == GATHER_HASH  ? encoding == STORE_HASH
                : g->what == GATHER_DOC ? encoding == STORE_U32
                                        : encoding == STORE_U8 || encoding == STORE_F64;
    if (!fits || c[3].bytes != count * width)
        return damaged(g->store, "a part of a column has the wrong length");
    if (g->n + count > g->capacity) {
        size_t capacity = g->n + count + g->capacity / 2;
        void *grown = base_realloc(g->data, capacity, unit(g));
        if (!grown)
            return BASE_E_MEMORY;
        g->data = grown;
        g->capacity = capacity;
    }
    char *to = (char *)g->data + g->n * unit(g);
    const uint8_t *bytes = c[3].data;
    if (encoding == STORE_U8)
        for (size_t i = 0; i < count; i++) {
            double v = bytes[i] == 255 ? results_missing() : bytes[i];
            memcpy(to + i * sizeof v, &v, sizeof v);
        }
    else if (count)
        memcpy(to, bytes, count * width);
    g->n += count;
    g->next_part++;
    return 0;
}

static int gather_column(struct eval_store *s, const char *id, const char *task, int64_t position,
                         struct gathering *g)
{
    const struct store_value values[] = { store_text(id), store_text(task), STORE_INT(position) };
    g->store = s;
    return store_query(s,
                       "SELECT part, n, encoding, data FROM assay_column WHERE run = $1 AND task = "
                       "$2 AND position = $3 ORDER BY part",
                       values, 3, gather, g);
}

int eval_store_column(struct eval_store *s, const char *id, const char *task, const char *metric,
                      struct eval_column *out)
{
    struct looking l = { .metric = metric,
                         .hash = -1,
                         .doc = -1,
                         .cluster = -1,
                         .value = -1,
                         .weight = -1,
                         .last_hash = -1,
                         .last_doc = -1 };
    struct gathering hash = { .what = GATHER_HASH }, doc = { .what = GATHER_DOC },
                     cluster = { .what = GATHER_DOC }, value = { .what = GATHER_NUMBER },
                     weight = { .what = GATHER_NUMBER };
    char *place = NULL, *name = NULL;
    *out = (struct eval_column){ 0 };
    size_t n = eval_results_split_key(metric, &l.filter);
    l.metric_bytes = l.filter ? n : strlen(metric);
    const struct store_value values[] = { store_text(id), store_text(task) };
    int rc = store_query(s,
                         "SELECT position, metric, filter FROM assay_column WHERE run = $1 AND "
                         "task = $2 AND part = 0 ORDER BY position",
                         values, 2, look, &l);
    if (rc == 0 && l.value < 0)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "run %s: the samples of %s have no numbers of a metric %s, they have: "
                            "%s",
                            id, task, metric, l.names ? l.names : "none");
    if (rc || (rc = gather_column(s, id, task, l.hash, &hash)) ||
        (rc = gather_column(s, id, task, l.doc, &doc)) ||
        (rc = gather_column(s, id, task, l.value, &value)) ||
        (l.cluster >= 0 && (rc = gather_column(s, id, task, l.cluster, &cluster))) ||
        (l.weight >= 0 && (rc = gather_column(s, id, task, l.weight, &weight))))
        goto out;
    if (hash.n != value.n || doc.n != value.n || (l.cluster >= 0 && cluster.n != value.n) ||
        (l.weight >= 0 && weight.n != value.n)) {
        rc = damaged(s, "columns of different lengths");
        goto out;
    }
    place = base_format("run %s: %s", id, task);
    name = base_strndup(l.metric, l.metric_bytes);
    if (!place || !name) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    struct results_filter f = { .name = l.found,
                                .n = value.n,
                                .hash = hash.data,
                                .doc = doc.data,
                                .cluster = cluster.data,
                                .clustered = l.cluster >= 0 };
    struct results_metric m = { .name = name,
                                .value = value.data,
                                .weight = l.weight >= 0 ? weight.data : NULL };
    for (size_t i = 0; i < value.n; i++)
        m.count += !results_is_missing(m.value[i]);
    rc = results_column_take(&f, &m, place, out);
    for (size_t i = 1; i < out->n && rc == 0; i++)
        if (memcmp(out->hash[i - 1], out->hash[i], 16) > 0)
            rc = damaged(s, "a column out of order");
    if (rc)
        eval_column_free(out);
out:
    base_free(place);
    base_free(name);
    base_free(l.found);
    base_free(l.names);
    base_free(hash.data);
    base_free(doc.data);
    base_free(cluster.data);
    base_free(value.data);
    base_free(weight.data);
    return rc;
}

/* ---- samples ---- */

struct unpacking {
    struct eval_store *store;
    char *text;
    size_t bytes;
};

static int unpack(void *context, const struct store_value *c, size_t n)
{
    struct unpacking *u = context;
    if (n < 2 || c[0].integer < 0 || c[1].kind != STORE_BLOB || u->text)
        return damaged(u->store, "a part of the samples");
    u->bytes = (size_t)c[0].integer;
    return store_decompress(c[1].data, c[1].bytes, u->bytes, u->store->name, &u->text);
}

int eval_store_part(struct eval_store *s, const char *id, const char *task, size_t part,
                    char **text, size_t *bytes)
{
    struct unpacking u = { .store = s };
    const struct store_value values[] = { store_text(id), store_text(task), STORE_INT(part) };
    int rc = store_query(s,
                         "SELECT bytes, data FROM assay_sample WHERE run = $1 AND task = $2 AND "
                         "part = $3",
                         values, 3, unpack, &u);
    if (rc) {
        base_free(u.text);
        return rc;
    }
    *text = u.text;
    *bytes = u.bytes;
    return u.text != NULL;
}
