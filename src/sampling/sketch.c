/* Sketches of a stream; see sketch.h. */
#include "sampling/sketch.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- hash ---- */

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t word8(const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

static inline uint64_t word4(const char *p)
{
    uint32_t w;
    memcpy(&w, p, 4);
    return w;
}

#define SECRET_A 0xa0761d6478bd642fu
#define SECRET_B 0xe7037ed1a0b428dbu
#define SECRET_C 0x8ebc6af09c88c6e3u

uint64_t sampling_hash(const char *p, size_t n)
{
    uint64_t a, b, h = SECRET_C;
    if (n <= 16) {
        if (n >= 8) {
            a = word8(p);
            b = word8(p + n - 8);
        } else if (n >= 4) {
            a = word4(p);
            b = word4(p + n - 4);
        } else {
            a = n ? (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 |
                        (unsigned char)p[n - 1]
                  : 0;
            b = 0;
        }
    } else {
        size_t left = n;
        const char *q = p;
        for (; left > 16; left -= 16, q += 16)
            h = fold(word8(q) ^ SECRET_A, word8(q + 8) ^ h);
        a = word8(p + n - 16);
        b = word8(p + n - 8);
    }
    h = fold(fold(a ^ SECRET_B, b ^ h) ^ SECRET_A, n ^ SECRET_B);
    return h ? h : 1;
}

/* ---- different values ---- */

/* x + sum_k 2^(k-1) x^(2^k) */
static double ertl_sigma(double x)
{
    if (x == 1)
        return INFINITY;
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

/* (1 - x - sum_k 2^-k (1 - x^(2^-k))^2) / 3 */
static double ertl_tau(double x)
{
    if (x == 0 || x == 1)
        return 0;
    double y = 1, z = 1 - x, before;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

double sampling_distinct_count(const struct sampling_distinct *d)
{
    enum { REGISTERS = 1 << SAMPLING_DISTINCT_BITS, Q = 64 - SAMPLING_DISTINCT_BITS };
    double count[Q + 2] = { 0 };
    for (size_t i = 0; i < REGISTERS; i++)
        count[d->rank[i]]++;
    const double m = REGISTERS;
    double z = m * ertl_tau(1 - count[Q + 1] / m);
    for (int k = Q; k >= 1; k--)
        z = 0.5 * (z + count[k]);
    z += m * ertl_sigma(count[0] / m);
    return m * m / (2 * M_LN2 * z);
}

/* ---- quantiles ---- */

/* Bits of a double in an order that agrees with the numbers'. */
static inline uint64_t ordered(double x)
{
    uint64_t u;
    memcpy(&u, &x, 8);
    return u ^ ((uint64_t)((int64_t)u >> 63) | (uint64_t)1 << 63);
}

static inline double unordered(uint64_t u)
{
    double x;
    u ^= u >> 63 ? (uint64_t)1 << 63 : ~(uint64_t)0;
    memcpy(&x, &u, 8);
    return x;
}

/* Least significant digit first, eight bits at a time; digits that all values share cost nothing.
 */
static void sort_doubles(double *x, uint32_t n)
{
    uint64_t block[2][SAMPLING_QUANTILES_WIDTH];
    uint16_t count[8][256] = { { 0 } };
    uint64_t *from = block[0], *to = block[1];
    for (uint32_t i = 0; i < n; i++) {
        from[i] = ordered(x[i]);
        for (int d = 0; d < 8; d++)
            count[d][from[i] >> (8 * d) & 255]++;
    }
    for (int d = 0; d < 8; d++) {
        uint32_t start[256], sum = 0;
        if (count[d][from[0] >> (8 * d) & 255] == n)
            continue;
        for (int v = 0; v < 256; v++) {
            start[v] = sum;
            sum += count[d][v];
        }
        for (uint32_t i = 0; i < n; i++)
            to[start[from[i] >> (8 * d) & 255]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    for (uint32_t i = 0; i < n; i++)
        x[i] = unordered(from[i]);
}

static bool level_ready(struct sampling_quantiles *s, int h)
{
    if (s->rc == 0 && !s->level[h] &&
        !(s->level[h] = base_alloc(SAMPLING_QUANTILES_WIDTH, sizeof(double))))
        s->rc = BASE_E_MEMORY;
    return s->rc == 0;
}

/* Half of what level h holds goes to the next one; an odd value stays. */
static void halve(struct sampling_quantiles *s, int h)
{
    if (h + 1 == SAMPLING_QUANTILES_LEVELS) {
        s->rc =
            base_error_set(BASE_E_LIMIT, "more than 2^%d values", SAMPLING_QUANTILES_LEVELS + 11);
        return;
    }
    const uint32_t half = s->held[h] / 2, left = s->held[h] % 2;
    double *x = s->level[h];
    if (!level_ready(s, h + 1))
        return;
    if (s->held[h + 1] + half > SAMPLING_QUANTILES_WIDTH)
        halve(s, h + 1);
    if (s->rc)
        return;
    if (h == 0 || s->unsorted[h])
        sort_doubles(x, s->held[h]);
    const uint64_t key[] = { (uint64_t)h, s->compactions[h]++ };
    uint32_t odd = sampling_hash((const char *)key, sizeof key) >> 40 & 1;
    double *up = s->level[h + 1];
    uint32_t held = s->held[h + 1];
    if (s->unsorted[h + 1] || held == 0) {
        for (uint32_t i = 0; i < half; i++)
            up[held + i] = x[2 * i + odd];
    } else { /* merge from the end */
        uint32_t a = held, b = half;
        for (uint32_t to = held + half; to-- > 0;)
            up[to] =
                b == 0 || (a > 0 && up[a - 1] > x[2 * (b - 1) + odd]) ? up[--a] : x[2 * --b + odd];
    }
    s->held[h + 1] = held + half;
    if (left)
        x[0] = x[2 * half];
    s->held[h] = left;
    s->unsorted[h] = false;
}

void sampling_quantiles_room(struct sampling_quantiles *s, int h)
{
    if (level_ready(s, h) && s->held[h] == SAMPLING_QUANTILES_WIDTH)
        halve(s, h);
}

void sampling_quantiles_add_many(struct sampling_quantiles *s, double x, uint64_t count)
{
    s->n += count;
    for (int h = 0; count && s->rc == 0; h++, count >>= 1) {
        if (!(count & 1))
            continue;
        if (h >= SAMPLING_QUANTILES_LEVELS) {
            s->rc =
                base_error_set(BASE_E_LIMIT, "more than 2^%d values", SAMPLING_QUANTILES_LEVELS);
            return;
        }
        if (!s->level[h] || s->held[h] == SAMPLING_QUANTILES_WIDTH)
            sampling_quantiles_room(s, h);
        if (s->rc)
            return;
        if (s->held[h] && s->level[h][s->held[h] - 1] > x)
            s->unsorted[h] = true;
        s->level[h][s->held[h]++] = x;
    }
}

struct weighted {
    double x;
    uint64_t weight;
};

static int compare_weighted(const void *a, const void *b)
{
    const struct weighted *p = a, *q = b;
    return (p->x > q->x) - (p->x < q->x);
}

int sampling_quantiles_read(struct sampling_quantiles *s, const double *q, size_t k, double *out)
{
    size_t items = 0, n = 0;
    if (s->rc)
        return s->rc;
    for (int h = 0; h < SAMPLING_QUANTILES_LEVELS; h++)
        items += s->held[h];
    struct weighted *w = base_alloc(items, sizeof *w);
    if (!w)
        return BASE_E_MEMORY;
    uint64_t all = 0, below = 0;
    for (int h = 0; h < SAMPLING_QUANTILES_LEVELS; h++)
        for (uint32_t i = 0; i < s->held[h]; i++) {
            w[n++] = (struct weighted){ s->level[h][i], (uint64_t)1 << h };
            all += (uint64_t)1 << h;
        }
    qsort(w, n, sizeof *w, compare_weighted);
    size_t at = 0;
    for (size_t i = 0; i < k; i++) {
        double target = q[i] * (double)all;
        while (at + 1 < n && (double)(below + w[at].weight) < target)
            below += w[at++].weight;
        out[i] = n ? w[at].x : NAN;
    }
    base_free(w);
    return 0;
}

double sampling_quantiles_error(const struct sampling_quantiles *s)
{
    double sum = 0;
    for (int h = 0; h < SAMPLING_QUANTILES_LEVELS; h++)
        sum += ldexp((double)s->compactions[h], h);
    return s->n ? sum / (double)s->n : 0;
}

void sampling_quantiles_free(struct sampling_quantiles *s)
{
    for (int h = 0; h < SAMPLING_QUANTILES_LEVELS; h++)
        base_free(s->level[h]);
    *s = (struct sampling_quantiles){ 0 };
}

/* ---- rows that come again ---- */

static struct sampling_repeat *repeat_slot(const struct sampling_repeats *r, uint64_t hash)
{
    size_t i = hash & (r->capacity - 1);
    while (r->slot[i].hash && r->slot[i].hash != hash)
        i = (i + 1) & (r->capacity - 1);
    return &r->slot[i];
}

static bool repeat_kept(const struct sampling_repeats *r, uint64_t hash)
{
    return r->level == 0 || hash >> (64 - r->level) == 0;
}

/* Doubles the table, or raises the level when it may not grow. */
static int repeats_grow(struct sampling_repeats *r)
{
    struct sampling_repeats old = *r;
    if (r->held >= SAMPLING_REPEATS_MOST)
        r->level++;
    else
        r->capacity = r->capacity ? r->capacity * 2 : 1024;
    r->slot = base_alloc_large(r->capacity * sizeof *r->slot);
    if (!r->slot) {
        *r = old;
        return BASE_E_MEMORY;
    }
    r->held = 0;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slot[i].hash && repeat_kept(r, old.slot[i].hash)) {
            *repeat_slot(r, old.slot[i].hash) = old.slot[i];
            r->held++;
        }
    if (old.slot)
        base_free_large(old.slot, old.capacity * sizeof *old.slot);
    return 0;
}

static int repeat_enter(struct sampling_repeats *r, uint64_t hash, uint64_t number)
{
    while (repeat_kept(r, hash) &&
           (r->held * 2 >= r->capacity || r->held >= SAMPLING_REPEATS_MOST)) {
        int rc = repeats_grow(r);
        if (rc)
            return rc;
    }
    if (!repeat_kept(r, hash))
        return 0;
    uint32_t row = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    struct sampling_repeat *s = repeat_slot(r, hash);
    if (s->hash == 0) {
        *s = (struct sampling_repeat){ hash, 1, row };
        r->held++;
        return 0;
    }
    if (r->examples < sizeof r->example / sizeof *r->example) {
        r->example[r->examples].first = s->row;
        r->example[r->examples++].again = row;
    }
    s->count += s->count < UINT32_MAX;
    return 0;
}

int sampling_repeats_add(struct sampling_repeats *r, uint64_t hash)
{
    size_t at = r->rows++ % (sizeof r->waiting / sizeof *r->waiting);
    uint64_t old = r->waiting[at].hash, row = r->waiting[at].row;
    r->waiting[at].hash = hash;
    r->waiting[at].row = r->rows;
    if (r->slot)
        __builtin_prefetch(&r->slot[hash & (r->capacity - 1)], 1);
    return old ? repeat_enter(r, old, row) : 0;
}

int sampling_repeats_end(struct sampling_repeats *r)
{
    const size_t n = sizeof r->waiting / sizeof *r->waiting;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        size_t at = (r->rows + i) % n;
        if (r->waiting[at].hash)
            rc = repeat_enter(r, r->waiting[at].hash, r->waiting[at].row);
        r->waiting[at].hash = 0;
    }
    return rc;
}

double sampling_repeats_count(const struct sampling_repeats *r, double *error)
{
    double sum = 0, square = 0, factor = ldexp(1, r->level);
    for (size_t i = 0; i < r->capacity; i++)
        if (r->slot[i].hash) {
            double again = (double)r->slot[i].count - 1;
            sum += again;
            square += again * again;
        }
    *error = sqrt(square * factor * (factor - 1));
    return sum * factor;
}

void sampling_repeats_free(struct sampling_repeats *r)
{
    if (r->slot)
        base_free_large(r->slot, r->capacity * sizeof *r->slot);
    *r = (struct sampling_repeats){ 0 };
}
