/* Snowball samples over a referral column: every row has an id, and may say who referred it. From
 * the seeds on, each person brings in those whom he or she referred (at most `coupons` of them, at
 * random), wave by wave.
 *
 * How likely a person was to come in is not known; RDS-II (Volz & Heckathorn 2008) takes it to be
 * in proportion to the number of acquaintances in the network, here the referrals a person gave and
 * received. The weight is 1/degree, scaled so that the weights of the sample add up to the
 * population; there is no pi. */
#include "base/memory.h"
#include "base/rng.h"
#include "sampling/run.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;
#define NOBODY UINT32_MAX

struct network {
    uint32_t n;
    struct base_table *index; /* id -> person */
    char **referrer_id;       /* [n] as read; NULL = nobody */
    uint32_t *referrer;       /* [n] */
    uint32_t *first, *child;  /* person i referred child[first[i] .. first[i+1]) */
    uint32_t *degree, *wave;  /* wave NOBODY: not in the sample */
    uint32_t *queue;          /* in order of coming in */
    uint32_t in;
    size_t capacity;
};

static void network_free(struct network *w)
{
    for (uint32_t i = 0; w->referrer_id && i < w->n; i++)
        base_free(w->referrer_id[i]);
    base_free(w->referrer_id);
    base_table_free(w->index);
    base_free(w->referrer);
    base_free(w->first);
    base_free(w->child);
    base_free(w->degree);
    base_free(w->wave);
    base_free(w->queue);
}

static int add_person(struct network *w, struct sampling_source *s)
{
    struct data_cell id = s->cells[s->id], by = s->cells[s->referrer];
    if (data_cell_missing(id))
        return base_error_set(BASE_E_FORMAT, "%s: column %s has no value: every row needs its id",
                              data_table_place(s->table), s->o->id);
    if (base_table_get(w->index, id.bytes, id.length))
        return base_error_set(BASE_E_FORMAT, "%s: the id \"%.*s\" occurs a second time",
                              data_table_place(s->table), (int)(id.length < 60 ? id.length : 60),
                              id.bytes);
    if (w->n == w->capacity) {
        size_t more = w->capacity ? 2 * w->capacity : 1024;
        char **grown = base_realloc(w->referrer_id, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        w->referrer_id = grown;
        w->capacity = more;
    }
    if (w->n == NOBODY - 1)
        return base_error_set(BASE_E_LIMIT, "more than %u persons", NOBODY - 1);
    int rc = base_table_put(w->index, id.bytes, id.length, w->n);
    if (rc)
        return rc;
    w->referrer_id[w->n] = NULL;
    if (!data_cell_missing(by) && !(w->referrer_id[w->n] = base_strndup(by.bytes, by.length)))
        return BASE_E_MEMORY;
    w->n++;
    return 0;
}

/* Referrals as lists; *unknown = referrers who are not in the population. */
static int connect(struct network *w, uint64_t *unknown)
{
    uint32_t n = w->n;
    w->referrer = base_alloc(n + 1, sizeof *w->referrer);
    w->first = base_alloc_zero((size_t)n + 2, sizeof *w->first);
    w->child = base_alloc(n + 1, sizeof *w->child);
    w->degree = base_alloc_zero(n + 1, sizeof *w->degree);
    w->wave = base_alloc(n + 1, sizeof *w->wave);
    w->queue = base_alloc(n + 1, sizeof *w->queue);
    if (!w->referrer || !w->first || !w->child || !w->degree || !w->wave || !w->queue)
        return BASE_E_MEMORY;
    for (uint32_t i = 0; i < n; i++) {
        const int64_t *by = w->referrer_id[i] ? base_table_get(w->index, w->referrer_id[i],
                                                               strlen(w->referrer_id[i]))
                                              : NULL;
        *unknown += w->referrer_id[i] && !by;
        w->referrer[i] = by && *by != i ? (uint32_t)*by : NOBODY;
        w->wave[i] = NOBODY;
        if (w->referrer[i] != NOBODY) {
            w->degree[i]++;
            w->degree[w->referrer[i]]++;
            w->first[w->referrer[i] + 2]++;
        }
    }
    for (uint32_t i = 0; i < n; i++)
        w->first[i + 2] += w->first[i + 1];
    for (uint32_t i = 0; i < n; i++) /* first[k+1] walks to the end of k's list */
        if (w->referrer[i] != NOBODY)
            w->child[w->first[w->referrer[i] + 1]++] = i;
    return 0;
}

static int plant(struct network *w, const struct sampling_options *o, struct base_rng *rng)
{
    if (o->n_seeds) {
        for (size_t i = 0; i < o->n_seeds; i++) {
            const int64_t *at = base_table_get(w->index, o->seeds[i], strlen(o->seeds[i]));
            if (!at)
                return base_error_set(BASE_E_ARGUMENT, "no row has the id \"%s\" in column %s",
                                      o->seeds[i], o->id);
            if (w->wave[*at] == NOBODY)
                w->queue[w->in++] = (uint32_t)*at;
            w->wave[*at] = 0;
        }
        return 0;
    }
    uint64_t *drawn = base_alloc(o->n <= w->n ? o->n + 1 : 1, sizeof *drawn);
    int rc = drawn ? sampling_draw_random(rng, w->n, o->n, drawn) : BASE_E_MEMORY;
    for (uint64_t i = 0; i < o->n && !rc; i++) {
        w->queue[w->in++] = (uint32_t)drawn[i];
        w->wave[drawn[i]] = 0;
    }
    base_free(drawn);
    return rc;
}

static int spread(struct network *w, const struct sampling_options *o, struct base_rng *rng,
                  struct sampling_report *report)
{
    for (uint32_t k = 0; k < w->in; k++) {
        uint32_t person = w->queue[k], wave = w->wave[person];
        if (o->waves && wave >= o->waves)
            break;
        uint32_t *child = w->child + w->first[person];
        uint32_t n = w->first[person + 1] - w->first[person], free_ones = 0;
        for (uint32_t c = 0; c < n; c++) /* those not in yet come first */
            if (w->wave[child[c]] == NOBODY) {
                uint32_t t = child[free_ones];
                child[free_ones++] = child[c];
                child[c] = t;
            }
        uint64_t bring = o->coupons && o->coupons < free_ones ? o->coupons : free_ones;
        for (uint32_t c = 0; c < bring; c++) {
            if (o->size && w->in >= o->size)
                return 0;
            uint32_t j = c + (uint32_t)base_rng_below(rng, free_ones - c);
            uint32_t next = child[j];
            child[j] = child[c];
            child[c] = next;
            w->wave[next] = wave + 1;
            w->queue[w->in++] = next;
            if (wave + 1 > report->waves)
                report->waves = wave + 1;
        }
    }
    report->complete = !o->size || w->in >= o->size;
    return 0;
}

static int emit(struct network *w, struct sampling_source *s, const struct sampling_sink *sink,
                struct sampling_report *report)
{
    struct base_buffer text = { 0 };
    double sum = 0;
    for (uint32_t k = 0; k < w->in; k++)
        sum += 1 / fmax(1, w->degree[w->queue[k]]);
    int rc = sink->begin(sink->context, s->table, s->o);
    while (!rc && (rc = sampling_source_next(s)) == 1) {
        rc = 0;
        uint64_t i = s->population - 1;
        if (i >= w->n)
            rc = base_error_set(BASE_E_IO, "%s: the file changed while it was read",
                                data_table_place(s->table));
        else if (w->wave[i] != NOBODY) {
            struct sampling_row row = sampling_row_of(s);
            row.wave = w->wave[i];
            row.weight = (double)w->n / sum / fmax(1, w->degree[i]);
            base_buffer_clear(&text);
            if (!(rc = sink->keep(sink->context, s->table, s->cells, &text)))
                rc = sink->give(sink->context, &text, &row);
            report->n++;
            report->weights = (isnan(report->weights) ? 0 : report->weights) + row.weight;
        }
    }
    base_buffer_free(&text);
    return rc;
}

int sampling_run_referral(const struct sampling_options *o, const char *path,
                          const struct data_table_options *table, const struct sampling_sink *sink,
                          struct sampling_report *report)
{
    struct network w = { 0 };
    struct sampling_source s;
    struct base_rng rng = base_rng_make(o->seed, BASE_RNG_ROWS, SAMPLING_ITEM_MAIN);
    uint64_t unknown = 0;
    int rc = sampling_source_open(&s, o, path, table);
    if (rc)
        return rc;
    rc = base_table_new(&w.index, 1024);
    while (!rc && (rc = sampling_source_next(&s)) == 1)
        rc = add_person(&w, &s);
    report->rows = s.rows;
    report->population = s.population;
    sampling_source_close(&s);
    if (rc || (rc = connect(&w, &unknown)) || (rc = plant(&w, o, &rng)) ||
        (rc = spread(&w, o, &rng, report)) || (rc = sampling_source_open(&s, o, path, table)))
        goto out;
    rc = emit(&w, &s, sink, report);
    sampling_source_close(&s);
    if (!rc && unknown)
        rc = sampling_note(report, "%llu referrers are not in the population", (ull)unknown);
    if (!rc && !report->complete)
        rc = sampling_note(report, "the referrals end after %llu rows, before --stop-at",
                           (ull)report->n);
out:
    network_free(&w);
    return rc;
}
