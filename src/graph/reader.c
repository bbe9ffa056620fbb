/* From pairs of names to a graph; see reader.h.
 *
 * Order of nodes. Names are plain whole numbers when they are "0" or digits without a leading zero,
 * of any length. Are all of them, nodes stand in ascending order of their numbers, so that the
 * order of a file's lines does not matter; else in the order in which the file first names them. */
#include "graph/reader.h"
#include "base/hash.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- interned strings ---- */
void graph_names_free(struct graph_names *t)
{
    base_free(t->bytes);
    base_free(t->at);
    base_free(t->hash);
    base_free(t->slot);
    memset(t, 0, sizeof *t);
}

static int names_grow(struct graph_names *t)
{
    size_t slots = t->slots ? t->slots * 2 : 1024, most = slots / 2;
    uint64_t *at = base_realloc(t->at, most, sizeof *at);
    if (!at)
        return BASE_E_MEMORY;
    t->at = at;
    uint32_t *hash = base_realloc(t->hash, most, sizeof *hash);
    if (!hash)
        return BASE_E_MEMORY;
    t->hash = hash;
    uint32_t *slot = base_alloc_zero(slots, sizeof *slot);
    if (!slot)
        return BASE_E_MEMORY;
    for (uint32_t i = 0; i < t->n; i++) {
        size_t k = hash[i] & (slots - 1);
        while (slot[k])
            k = (k + 1) & (slots - 1);
        slot[k] = i + 1;
    }
    base_free(t->slot);
    t->slot = slot;
    t->slots = slots;
    t->most = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
    return 0;
}

/* The slot of the name, or the free one where it belongs. */
static size_t names_slot(const struct graph_names *t, const char *name, size_t length,
                         uint32_t hash)
{
    size_t k = hash & (t->slots - 1);
    for (; t->slot[k]; k = (k + 1) & (t->slots - 1)) {
        uint32_t i = t->slot[k] - 1;
        const char *other = t->bytes + t->at[i];
        if (t->hash[i] == hash && strncmp(other, name, length) == 0 && other[length] == 0)
            break;
    }
    return k;
}

uint32_t graph_names_find(const struct graph_names *t, const char *name, size_t length)
{
    if (!t->slots)
        return UINT32_MAX;
    size_t k = names_slot(t, name, length, (uint32_t)base_hash64(name, length, 0));
    return t->slot[k] ? t->slot[k] - 1 : UINT32_MAX;
}

int graph_names_add(struct graph_names *t, const char *name, size_t length, uint32_t *index)
{
    if (t->n == t->most) {
        int rc = t->n >= UINT32_MAX - 1 ? base_error_set(BASE_E_LIMIT, "more than 2^32 - 2 nodes")
                                        : names_grow(t);
        if (rc)
            return rc;
    }
    uint32_t hash = (uint32_t)base_hash64(name, length, 0);
    size_t k = names_slot(t, name, length, hash);
    if (t->slot[k]) {
        *index = t->slot[k] - 1;
        return 0;
    }
    if (t->room - t->length <= length) {
        size_t room = t->room ? t->room * 2 : 16384;
        while (room - t->length <= length)
            room *= 2;
        char *bytes = base_realloc(t->bytes, room, 1);
        if (!bytes)
            return BASE_E_MEMORY;
        t->bytes = bytes;
        t->room = room;
    }
    memcpy(t->bytes + t->length, name, length);
    t->bytes[t->length + length] = 0;
    t->at[t->n] = t->length;
    t->hash[t->n] = hash;
    t->length += length + 1;
    t->slot[k] = ++t->n;
    *index = t->n - 1;
    return 0;
}

/* ---- collecting edges ---- */
static bool plain_number(const char *s, size_t n)
{
    if (n == 0 || (s[0] == '0' && n > 1))
        return false;
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9')
            return false;
    return true;
}

/* A plain whole number below 2^32 - 1. */
static bool small_number(struct data_cell c, uint32_t *out)
{
    if (c.length > 10 || !plain_number(c.bytes, c.length))
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < c.length; i++)
        v = v * 10 + (uint64_t)(c.bytes[i] - '0');
    *out = (uint32_t)v;
    return v < UINT32_MAX;
}

static int intern_all(struct graph_reader *r)
{
    char text[16];
    for (size_t i = 0; i < r->edges; i++)
        for (int end = 0; end < 2; end++) {
            uint32_t *code = end ? &r->target[i] : &r->source[i];
            int n = snprintf(text, sizeof text, "%u", *code);
            int rc = graph_names_add(&r->names, text, (size_t)n, code);
            if (rc)
                return rc;
        }
    r->interned = true;
    return 0;
}

static int reader_grow(struct graph_reader *r)
{
    size_t room = r->room ? r->room * 2 : 8192;
    if (r->room >= UINT32_MAX - 1)
        return base_error_set(BASE_E_LIMIT, "more than 2^32 - 2 edges");
    uint32_t *s = base_realloc(r->source, room, sizeof *s);
    if (s)
        r->source = s;
    uint32_t *t = s ? base_realloc(r->target, room, sizeof *t) : NULL;
    if (t)
        r->target = t;
    double *w = t && r->weighted ? base_realloc(r->weight, room, sizeof *w) : NULL;
    if (w)
        r->weight = w;
    if (!t || (r->weighted && !w))
        return BASE_E_MEMORY;
    r->room = room;
    return 0;
}

int graph_reader_add(struct graph_reader *r, struct data_cell source, struct data_cell target,
                     double weight)
{
    uint32_t s, t;
    int rc = r->edges == r->room ? reader_grow(r) : 0;
    if (rc)
        return rc;
    if (!r->interned && !(small_number(source, &s) && small_number(target, &t)) &&
        (rc = intern_all(r)))
        return rc;
    if (r->interned && ((rc = graph_names_add(&r->names, source.bytes, source.length, &s)) ||
                        (rc = graph_names_add(&r->names, target.bytes, target.length, &t))))
        return rc;
    r->source[r->edges] = s;
    r->target[r->edges] = t;
    if (r->weighted)
        r->weight[r->edges] = weight;
    r->edges++;
    return 0;
}

void graph_reader_free(struct graph_reader *r)
{
    base_free(r->source);
    base_free(r->target);
    base_free(r->weight);
    graph_names_free(&r->names);
    memset(r, 0, sizeof *r);
}

/* ---- numbers to nodes ---- */
/* The distinct numbers among both ends, ascending, in *number [*n] (base_free), and every end
 * replaced by its rank. By a table when the numbers are dense, else by sorting. */
static int rank_dense(struct graph_reader *r, uint32_t largest, uint32_t **number, uint32_t *n)
{
    uint32_t *rank = base_alloc_zero((size_t)largest + 1, sizeof *rank), count = 0;
    if (!rank)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < r->edges; i++)
        rank[r->source[i]] = rank[r->target[i]] = 1;
    for (size_t v = 0; v <= largest; v++)
        count += rank[v];
    uint32_t *value = base_alloc(count, sizeof *value);
    if (!value) {
        base_free(rank);
        return BASE_E_MEMORY;
    }
    count = 0;
    for (size_t v = 0; v <= largest; v++)
        if (rank[v]) {
            value[count] = (uint32_t)v;
            rank[v] = count++;
        }
    for (size_t i = 0; count <= largest && i < r->edges; i++) {
        r->source[i] = rank[r->source[i]];
        r->target[i] = rank[r->target[i]];
    }
    base_free(rank);
    *number = value;
    *n = count;
    return 0;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t rank_of(const uint32_t *value, uint32_t n, uint32_t v)
{
    uint32_t low = 0, high = n;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (value[middle] <= v)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static int rank_sparse(struct graph_reader *r, uint32_t **number, uint32_t *n)
{
    uint32_t *value = base_alloc(r->edges, 2 * sizeof *value), count = 0;
    if (!value)
        return BASE_E_MEMORY;
    memcpy(value, r->source, r->edges * sizeof *value);
    memcpy(value + r->edges, r->target, r->edges * sizeof *value);
    qsort(value, 2 * r->edges, sizeof *value, compare_u32);
    for (size_t i = 0; i < 2 * r->edges; i++)
        if (i == 0 || value[i] != value[i - 1])
            value[count++] = value[i];
    for (size_t i = 0; i < r->edges; i++) {
        r->source[i] = rank_of(value, count, r->source[i]);
        r->target[i] = rank_of(value, count, r->target[i]);
    }
    *number = value;
    *n = count;
    return 0;
}

static int name_numbers(struct graph *g, const uint32_t *number)
{
    size_t bytes = 0;
    if (g->nodes == 0 || number[g->nodes - 1] == g->nodes - 1)
        return 0; /* ascending and distinct: they are 0, 1, ... */
    char *block = base_alloc(g->nodes, 11), **name = base_alloc(g->nodes, sizeof *name);
    if (!block || !name) {
        base_free(block);
        base_free(name);
        return BASE_E_MEMORY;
    }
    for (uint32_t v = 0; v < g->nodes; v++) {
        name[v] = block + bytes;
        bytes += (size_t)snprintf(block + bytes, 11, "%u", number[v]) + 1;
    }
    graph_names_set(g, name, block);
    return 0;
}

static int build(struct graph_reader *r, uint32_t nodes, struct graph **out)
{
    int rc = graph_build(out, nodes, r->source, r->target, r->weight, r->edges, r->directed);
    r->source = r->target = NULL;
    r->weight = NULL;
    return rc;
}

static int finish_numbers(struct graph_reader *r, struct graph **out)
{
    uint32_t largest = 0, n = 0, *number = NULL;
    for (size_t i = 0; i < r->edges; i++) {
        largest = r->source[i] > largest ? r->source[i] : largest;
        largest = r->target[i] > largest ? r->target[i] : largest;
    }
    int rc = largest / 16 <= r->edges ? rank_dense(r, largest, &number, &n)
                                      : rank_sparse(r, &number, &n);
    if (rc == 0 && (rc = build(r, n, out)) == 0 && (rc = name_numbers(*out, number))) {
        graph_free(*out);
        *out = NULL;
    }
    base_free(number);
    return rc;
}

/* ---- strings to nodes ---- */
static int compare_numbers(const void *a, const void *b, void *context)
{
    const struct graph_names *t = context;
    const char *x = t->bytes + t->at[*(const uint32_t *)a],
               *y = t->bytes + t->at[*(const uint32_t *)b];
    size_t n = strlen(x), m = strlen(y);
    return n != m ? (n > m) - (n < m) : strcmp(x, y);
}

static int finish_names(struct graph_reader *r, struct graph **out)
{
    struct graph_names *t = &r->names;
    const uint32_t n = t->n;
    uint32_t *order = base_alloc(n, sizeof *order), *rank = base_alloc(n, sizeof *rank);
    char **name = base_alloc(n, sizeof *name);
    int rc = order && rank && name ? 0 : BASE_E_MEMORY;
    bool numbers = true;
    for (uint32_t i = 0; !rc && i < n; i++) {
        order[i] = i;
        const char *text = t->bytes + t->at[i];
        numbers = numbers && plain_number(text, strlen(text));
    }
    if (!rc && numbers) {
        qsort_r(order, n, sizeof *order, compare_numbers, t);
        for (uint32_t i = 0; i < n; i++)
            rank[order[i]] = i;
        for (size_t i = 0; i < r->edges; i++) {
            r->source[i] = rank[r->source[i]];
            r->target[i] = rank[r->target[i]];
        }
    }
    if (!rc && (rc = build(r, n, out)) == 0) {
        for (uint32_t i = 0; i < n; i++)
            name[i] = t->bytes + t->at[order[i]];
        graph_names_set(*out, name, t->bytes);
        name = NULL;
        t->bytes = NULL;
    }
    base_free(order);
    base_free(rank);
    base_free(name);
    return rc;
}

int graph_reader_finish(struct graph_reader *r, struct graph **out)
{
    *out = NULL;
    return r->interned ? finish_names(r, out) : finish_numbers(r, out);
}
