/* Adding a run. Its samples are read once, before the store is locked: columns stay in memory
 * (some 28 bytes an item and 8 for each metric), the samples' text goes compressed to a temporary
 * file. Then one transaction writes everything. */
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/results_run.h"
#include "eval/store_database.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PART_BYTES ((size_t)1 << 20) /* of text in a compressed part */

struct spooled {
    size_t bytes, packed, records; /* text, compressed, lines */
};
struct added_task {
    const struct run_task *task;
    struct results_columns columns;
    struct spooled *parts;
    size_t n_parts, capacity;
    size_t items;
};
struct adding {
    struct eval_store *store;
    const struct eval_run *run;
    const char *id;
    struct added_task *tasks;
    FILE *spool;
    struct base_buffer text;
    size_t records;
};

static int fail_spool(void)
{
    return base_error_set(BASE_E_IO, "temporary file for samples: %s", strerror(errno));
}

/* Compresses the text gathered so far to the spool. */
static int flush(struct adding *a, struct added_task *t)
{
    char *packed;
    size_t n;
    if (a->text.length == 0)
        return 0;
    int rc = store_compress(a->text.data, a->text.length, &packed, &n);
    if (rc)
        return rc;
    if (t->n_parts == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 16;
        struct spooled *grown = base_realloc(t->parts, capacity, sizeof *grown);
        if (!grown) {
            base_free(packed);
            return BASE_E_MEMORY;
        }
        t->parts = grown;
        t->capacity = capacity;
    }
    if (!a->spool && !(a->spool = tmpfile()))
        rc = fail_spool();
    if (rc == 0 && fwrite(packed, 1, n, a->spool) != n)
        rc = fail_spool();
    base_free(packed);
    if (rc == 0)
        t->parts[t->n_parts++] = (struct spooled){ a->text.length, n, a->records };
    base_buffer_clear(&a->text);
    a->records = 0;
    return rc;
}

static int read_task(struct adding *a, struct added_task *t)
{
    struct eval_samples *s;
    json_t *sample;
    int rc = eval_samples_open(&s, a->run, t->task->name);
    while (rc == 0 && (rc = eval_samples_next(s, &sample)) > 0) {
        char *line = NULL;
        rc = results_columns_add(&t->columns, sample, eval_samples_place(s));
        if (rc == 0 && !(line = base_json_dump(sample, false)))
            rc = BASE_E_MEMORY;
        if (rc == 0 && (rc = base_buffer_puts(&a->text, line)) == 0)
            rc = base_buffer_puts(&a->text, "\n");
        base_free(line);
        json_decref(sample);
        a->records++;
        if (rc == 0 && a->text.length >= PART_BYTES)
            rc = flush(a, t);
    }
    eval_samples_close(s);
    if (rc == 0)
        rc = flush(a, t);
    if (rc == 0)
        rc = results_columns_sort(&t->columns);
    for (size_t k = 0; k < t->columns.n_filters; k++)
        t->items = t->columns.filters[k].n > t->items ? t->columns.filters[k].n : t->items;
    return rc;
}

/* ---- rows ---- */

static int add_run_row(struct adding *a)
{
    const struct eval_run *r = a->run;
    const json_t *record = r->record, *model = json_object_get(r->config, "model");
    char added[48];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(added, sizeof added, "%Y-%m-%dT%H:%M:%SZ", &utc);
    char *text[3] = { base_json_dump(record, false), base_json_dump(r->config, false),
                      base_json_dump(r->results, false) };
    const char *time_text = json_string_value(json_object_get(record, "time"));
    const char *source = json_string_value(json_object_get(record, "source"));
    const struct store_value values[] = {
        store_text(a->id),
        store_text(time_text ? time_text : added),
        store_text(source ? source : "assay"),
        store_text(eval_run_name(r)),
        store_text(json_string_value(json_object_get(model, "hash"))),
        store_text(json_string_value(json_object_get(model, "tokenizer_hash"))),
        store_text(json_string_value(json_object_get(record, "parent"))),
        store_text(r->directory),
        store_text(added),
        store_text(text[0]),
        store_text(text[1]),
        store_text(text[2]),
    };
    int rc = text[0] && text[1] && text[2]
                 ? store_run(a->store,
                             "INSERT INTO assay_run (id, time, source, model, model_hash, "
                             "tokenizer_hash, parent, directory, added, record, config, results) "
                             "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                             values, 12)
                 : BASE_E_MEMORY;
    for (size_t i = 0; i < 3; i++)
        base_free(text[i]);
    return rc;
}

static double number(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static int add_metrics(struct adding *a, const char *task)
{
    const json_t *config = json_object_get(json_object_get(a->run->config, "tasks"), task);
    json_t *metrics = json_object_get(a->run->results, task), *m;
    const char *key, *after;
    int64_t position = 0;
    json_object_foreach(metrics, key, m)
    {
        if (!json_is_object(m) || !json_object_get(m, "value"))
            continue;
        size_t n = eval_results_split_key(key, &after);
        const char *filter = json_string_value(json_object_get(m, "filter"));
        char *metric = base_strndup(key, after ? n : strlen(key));
        if (!metric)
            return BASE_E_MEMORY;
        filter = after ? after : filter ? filter : "none";
        const json_t *ci = json_object_get(m, "ci"),
                     *better = json_object_get(m, "higher_is_better");
        bool higher = json_is_boolean(better) ? json_is_true(better)
                                              : eval_results_higher_is_better(config, metric);
        const json_t *low = json_array_get(ci, 0), *high = json_array_get(ci, 1);
        const struct store_value values[] = {
            store_text(a->id),
            store_text(task),
            STORE_INT(position),
            store_text(metric),
            store_text(filter),
            store_number(number(m, "value")),
            store_number(number(m, "stderr")),
            store_number(json_is_number(low) ? json_number_value(low) : NAN),
            store_number(json_is_number(high) ? json_number_value(high) : NAN),
            store_text(json_string_value(json_object_get(m, "method"))),
            STORE_INT(json_integer_value(json_object_get(m, "n"))),
            STORE_INT(higher),
        };
        int rc = store_run(a->store,
                           "INSERT INTO assay_metric (run, task, position, metric, filter, value, "
                           "stderr, low, high, method, n, higher_is_better) VALUES ($1, $2, $3, "
                           "$4, $5, $6, $7, $8, $9, $10, $11, $12)",
                           values, 12);
        base_free(metric);
        if (rc)
            return rc;
        position++;
    }
    return 0;
}

static int add_part(struct adding *a, const char *task, int64_t position, size_t part,
                    const char *filter, const char *metric, size_t n, enum store_encoding encoding,
                    const void *data, size_t bytes)
{
    const struct store_value values[] = {
        store_text(a->id), store_text(task),    STORE_INT(position),
        STORE_INT(part),   store_text(filter),  store_text(metric),
        STORE_INT(n),      STORE_INT(encoding), STORE_BYTES(data, bytes),
    };
    return store_run(a->store,
                     "INSERT INTO assay_column (run, task, position, part, filter, metric, n, "
                     "encoding, data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                     values, 9);
}

static bool fits_byte(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!results_is_missing(x[i]) && !(x[i] >= 0 && x[i] < 255 && x[i] == floor(x[i])))
            return false;
    return true;
}

static int add_values(struct adding *a, const char *task, int64_t position, const char *filter,
                      const char *metric, const double *x, size_t n)
{
    bool small = fits_byte(x, n);
    uint8_t *bytes = small ? base_alloc(n, 1) : NULL;
    int rc = small && !bytes ? BASE_E_MEMORY : 0;
    for (size_t i = 0; i < n && bytes; i++)
        bytes[i] = results_is_missing(x[i]) ? 255 : (uint8_t)x[i];
    for (size_t part = 0; part * STORE_PART_ITEMS < n && rc == 0; part++) {
        size_t from = part * STORE_PART_ITEMS;
        size_t count = n - from < STORE_PART_ITEMS ? n - from : STORE_PART_ITEMS;
        rc = small ? add_part(a, task, position, part, filter, metric, count, STORE_U8,
                              bytes + from, count)
                   : add_part(a, task, position, part, filter, metric, count, STORE_F64, x + from,
                              count * sizeof *x);
    }
    base_free(bytes);
    return rc;
}

/* Machines Assay runs on are little-endian, as the encodings are. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "columns are stored as they lie in memory");

static int add_columns(struct adding *a, const struct added_task *t)
{
    const char *task = t->task->name;
    int64_t position = 0;
    int rc = 0;
    for (size_t k = 0; k < t->columns.n_filters && rc == 0; k++) {
        const struct results_filter *f = &t->columns.filters[k];
        for (size_t part = 0; part * STORE_PART_ITEMS < f->n && rc == 0; part++) {
            size_t from = part * STORE_PART_ITEMS;
            size_t count = f->n - from < STORE_PART_ITEMS ? f->n - from : STORE_PART_ITEMS;
            rc = add_part(a, task, position, part, f->name, STORE_COLUMN_HASH, count, STORE_HASH,
                          f->hash + from, count * sizeof *f->hash);
            if (rc == 0)
                rc = add_part(a, task, position + 1, part, f->name, STORE_COLUMN_DOC, count,
                              STORE_U32, f->doc + from, count * sizeof *f->doc);
            if (rc == 0 && f->clustered)
                rc = add_part(a, task, position + 2, part, f->name, STORE_COLUMN_CLUSTER, count,
                              STORE_U32, f->cluster + from, count * sizeof *f->cluster);
        }
        position += 2 + f->clustered;
        for (size_t i = 0; i < f->n_metrics && rc == 0; i++) {
            const struct results_metric *m = &f->metrics[i];
            if (m->other || m->count == 0)
                continue;
            rc = add_values(a, task, position++, f->name, m->name, m->value, f->n);
            if (rc == 0 && m->weight) {
                char *name = base_format(STORE_WEIGHT "%s", m->name);
                rc = name ? add_values(a, task, position++, f->name, name, m->weight, f->n)
                          : BASE_E_MEMORY;
                base_free(name);
            }
        }
    }
    return rc;
}

static int add_samples(struct adding *a, const struct added_task *t)
{
    int rc = 0;
    for (size_t i = 0; i < t->n_parts && rc == 0; i++) {
        const struct spooled *p = &t->parts[i];
        char *packed = base_alloc(p->packed, 1);
        if (!packed)
            return BASE_E_MEMORY;
        if (fread(packed, 1, p->packed, a->spool) != p->packed) {
            rc = fail_spool();
        } else {
            const struct store_value values[] = {
                store_text(a->id),     store_text(t->task->name), STORE_INT(i),
                STORE_INT(p->records), STORE_INT(p->bytes),       STORE_BYTES(packed, p->packed),
            };
            rc = store_run(a->store,
                           "INSERT INTO assay_sample (run, task, part, n, bytes, data) VALUES ($1, "
                           "$2, $3, $4, $5, $6)",
                           values, 6);
        }
        base_free(packed);
    }
    return rc;
}

static int add_task(struct adding *a, const struct added_task *t, size_t position)
{
    const json_t *counts = json_object_get(json_object_get(a->run->record, "n"), t->task->name);
    size_t items =
        t->items ? t->items : (size_t)json_integer_value(json_object_get(counts, "effective"));
    const struct store_value values[] = {
        store_text(a->id), store_text(t->task->name), STORE_INT(position),
        STORE_INT(items),  STORE_INT(t->n_parts > 0),
    };
    int rc = store_run(a->store,
                       "INSERT INTO assay_task (run, name, position, items, samples) VALUES ($1, "
                       "$2, $3, $4, $5)",
                       values, 5);
    if (rc == 0)
        rc = add_metrics(a, t->task->name);
    if (rc == 0)
        rc = add_columns(a, t);
    return rc ? rc : add_samples(a, t);
}

static int note_row(void *context, const struct store_value *columns, size_t n)
{
    (void)columns;
    *(bool *)context = n > 0;
    return 0;
}

/* Undoes the transaction without losing the message. */
static void roll_back(struct eval_store *s, int rc)
{
    char *message = base_strdup(base_error_message());
    store_run(s, "ROLLBACK", NULL, 0);
    if (message)
        base_error_set(rc, "%s", message);
    base_free(message);
}

static int begin(struct eval_store *s)
{
    int rc = store_run(s, s->kind->begin, NULL, 0);
    if (rc == 0 && s->kind->lock && (rc = store_run(s, s->kind->lock, NULL, 0)))
        roll_back(s, rc);
    return rc;
}

static int write_all(struct adding *a, bool *present)
{
    const struct store_value id = store_text(a->id);
    int rc = begin(a->store);
    if (rc)
        return rc;
    rc = store_query(a->store, "SELECT 1 FROM assay_run WHERE id = $1", &id, 1, note_row, present);
    if (rc == 0 && *present)
        return store_run(a->store, "ROLLBACK", NULL, 0);
    if (rc == 0)
        rc = add_run_row(a);
    for (size_t i = 0; i < a->run->n_tasks && rc == 0; i++)
        rc = add_task(a, &a->tasks[i], i);
    if (rc == 0)
        rc = store_run(a->store, "COMMIT", NULL, 0);
    if (rc)
        roll_back(a->store, rc);
    return rc;
}

int eval_store_add(struct eval_store *s, const struct eval_run *run)
{
    struct adding a = { .store = s, .run = run, .id = eval_run_id_of(run) };
    const struct store_value id = store_text(a.id);
    bool present = false;
    int rc = store_query(s, "SELECT 1 FROM assay_run WHERE id = $1", &id, 1, note_row, &present);
    if (rc || present)
        return rc ? rc : 1;
    if (!(a.tasks = base_alloc_zero(run->n_tasks, sizeof *a.tasks)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < run->n_tasks && rc == 0; i++) {
        a.tasks[i].task = &run->tasks[i];
        if (run->tasks[i].samples || run->tasks[i].stored)
            rc = read_task(&a, &a.tasks[i]);
    }
    if (rc == 0 && a.spool && (fflush(a.spool) || fseek(a.spool, 0, SEEK_SET)))
        rc = fail_spool();
    if (rc == 0)
        rc = write_all(&a, &present);
    for (size_t i = 0; i < run->n_tasks; i++) {
        results_columns_free(&a.tasks[i].columns);
        base_free(a.tasks[i].parts);
    }
    base_free(a.tasks);
    base_buffer_free(&a.text);
    if (a.spool)
        fclose(a.spool);
    return rc ? rc : present;
}

int eval_store_import(const char *store, const char *where, char **id)
{
    struct eval_run *run = NULL;
    struct eval_store *s = NULL;
    if (id)
        *id = NULL;
    int rc = eval_run_open(&run, where, store);
    if (rc == 0)
        rc = eval_store_open(&s, store, EVAL_STORE_WRITE);
    if (rc == 0 && id && !(*id = base_strdup(eval_run_id_of(run))))
        rc = BASE_E_MEMORY;
    if (rc == 0)
        rc = eval_store_add(s, run);
    eval_run_close(run);
    eval_store_close(s);
    if (rc < 0 && id) {
        base_free(*id);
        *id = NULL;
    }
    return rc;
}

int eval_store_delete(struct eval_store *s, const char *id)
{
    const struct store_value value = store_text(id);
    bool present = false;
    int rc = begin(s);
    if (rc)
        return rc;
    rc = store_query(s, "SELECT 1 FROM assay_run WHERE id = $1", &value, 1, note_row, &present);
    if (rc == 0 && !present)
        rc = base_error_set(BASE_E_ARGUMENT, "%s: has no run %s", s->name, id);
    /* tasks, metrics, columns and samples go with it: ON DELETE CASCADE */
    if (rc == 0)
        rc = store_run(s, "DELETE FROM assay_run WHERE id = $1", &value, 1);
    if (rc == 0)
        rc = store_run(s, "COMMIT", NULL, 0);
    if (rc)
        roll_back(s, rc);
    return rc;
}
