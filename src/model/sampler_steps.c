/* The single sampling steps: temperature, truncations, penalties. sampler.h defines each; here is
 * how.
 *
 * Order. "Better" is the total order (larger logit, then lower id), so the sorted prefix of a set
 * is unique whatever algorithm made it. No step sorts a vocabulary: top-k takes its k by
 * quickselect, and the mass filters (top-p, typical) by quickselect on mass, which looks at each
 * half once. All are O(count) on average.
 *
 * Sums run in double, in an order that is a function of the set alone. */
#include "base/memory.h"
#include <assay/sampler.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Probabilities come from float logits: a mass is taken as reached within their accuracy, so that
 * top_p = 0.7 of {0.4, 0.3, ...} keeps two tokens although 0.4f + 0.3f may fall short by a
 * rounding. */
#define MASS_TOLERANCE 1e-7
/* Parts of at most this size are sorted, not partitioned. */
#define SMALL 32
/* An input that keeps defeating the pivots is sorted in full after so many rounds. */
#define ROUNDS 64

/* What candidates are ordered by: the distance |centre - logit|, nearest first, better first on
 * ties. With centre = the largest logit that is "best first"; typical sampling has its own centre.
 */
static inline __attribute__((always_inline)) bool
before(const struct sampler_candidate *a, const struct sampler_candidate *b, double centre)
{
    double x = fabs(centre - (double)a->logit), y = fabs(centre - (double)b->logit);
    if (x != y)
        return x < y;
    return a->logit != b->logit ? a->logit > b->logit : a->id < b->id;
}

static int by_logit(const void *a, const void *b)
{
    const struct sampler_candidate *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static inline void swap(struct sampler_candidate *a, struct sampler_candidate *b)
{
    struct sampler_candidate t = *a;
    *a = *b;
    *b = t;
}

static void sort_small(struct sampler_candidate *at, size_t n, double centre)
{
    for (size_t i = 1; i < n; i++) {
        struct sampler_candidate x = at[i];
        size_t j = i;
        for (; j > 0 && before(&x, &at[j - 1], centre); j--)
            at[j] = at[j - 1];
        at[j] = x;
    }
}

/* Heapsort: for inputs that defeat the pivots. */
static void sort_any(struct sampler_candidate *at, size_t n, double centre)
{
    for (size_t end = n, start = n / 2; end > 1;) {
        if (start > 0)
            start--;
        else
            swap(&at[0], &at[--end]);
        for (size_t root = start, child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && before(&at[child], &at[child + 1], centre))
                child++;
            if (!before(&at[root], &at[child], centre))
                break;
            swap(&at[root], &at[child]);
        }
    }
}

/* Hoare's partition around the median of three, n > 2: returns k in 1..n-1 so that no one of
 * at[k..n) is before one of at[0..k). */
static size_t partition(struct sampler_candidate *at, size_t n, double centre)
{
    size_t middle = n / 2, i = 0, j = n - 1;
    if (before(&at[middle], &at[0], centre))
        swap(&at[middle], &at[0]);
    if (before(&at[n - 1], &at[0], centre))
        swap(&at[n - 1], &at[0]);
    if (before(&at[n - 1], &at[middle], centre))
        swap(&at[n - 1], &at[middle]);
    struct sampler_candidate pivot = at[middle];
    for (;;) {
        while (before(&at[i], &pivot, centre))
            i++;
        while (before(&pivot, &at[j], centre))
            j--;
        if (i >= j)
            return j + 1;
        swap(&at[i++], &at[j--]);
    }
}

/* Moves the k first of at[0..n) to the front, in no order. */
static void select_front(struct sampler_candidate *at, size_t n, size_t k, double centre)
{
    for (int round = 0; k > 0 && k < n; round++) {
        if (n <= SMALL || round == ROUNDS) {
            (n <= SMALL ? sort_small : sort_any)(at, n, centre);
            return;
        }
        size_t left = partition(at, n, centre);
        if (k < left) {
            n = left;
        } else {
            at += left;
            n -= left;
            k -= left;
        }
    }
}

/* Moves the first ones of at[0..n), as many as it takes for their p to add up to `mass`, to the
 * front, in no order; returns how many (n when all together fall short). strict: the sum must
 * exceed mass. */
static size_t select_mass(struct sampler_candidate *at, size_t n, double mass, bool strict,
                          double centre)
{
    size_t low = 0, high = n; /* the answer is within (low, high]; at[0..low) falls short */
    double sum = 0;           /* of at[0..low) */
    for (int round = 0; high - low > SMALL && round < ROUNDS; round++) {
        size_t left = partition(at + low, high - low, centre);
        double part = sum;
        for (size_t i = low; i < low + left; i++)
            part += at[i].p;
        if (strict ? part > mass : part >= mass) {
            high = low + left;
        } else {
            sum = part;
            low += left;
        }
    }
    (high - low <= SMALL ? sort_small : sort_any)(at + low, high - low, centre);
    while (low < high) {
        sum += at[low++].p;
        if (strict ? sum > mass : sum >= mass)
            break;
    }
    return low;
}

static size_t best(const struct sampler_candidates *c);

void sampler_sort(struct sampler_candidates *c, size_t n)
{
    if (n > c->count)
        n = c->count;
    if (c->sorted >= n)
        return;
    select_front(c->at + c->sorted, c->count - c->sorted, n - c->sorted,
                 (double)c->at[best(c)].logit);
    qsort(c->at + c->sorted, n - c->sorted, sizeof *c->at, by_logit);
    c->sorted = n;
}

static size_t best(const struct sampler_candidates *c)
{
    size_t b = 0;
    if (c->sorted == 0)
        for (size_t i = 1; i < c->count; i++)
            if (by_logit(&c->at[i], &c->at[b]) < 0)
                b = i;
    return b;
}

/* ln sum exp(logit) over the set. */
static double log_sum(const struct sampler_candidates *c)
{
    double max = c->at[best(c)].logit, sum = 0;
    for (size_t i = 0; i < c->count; i++)
        sum += exp((double)c->at[i].logit - max);
    return max + log(sum);
}

void sampler_softmax(struct sampler_candidates *c)
{
    if (c->count == 0)
        return;
    double max = c->at[best(c)].logit, sum = 0;
    for (size_t i = 0; i < c->count; i++) {
        c->at[i].p = exp((double)c->at[i].logit - max);
        sum += c->at[i].p;
    }
    for (size_t i = 0; i < c->count; i++)
        c->at[i].p /= sum;
}

void sampler_temperature(struct sampler_candidates *c, double t)
{
    if (c->count == 0 || t == 1)
        return;
    if (t <= 0) {
        size_t b = best(c);
        swap(&c->at[0], &c->at[b]);
        for (size_t i = 1; i < c->count; i++)
            c->at[i].logit = -(real)INFINITY;
        c->sorted = 1;
        return;
    }
    for (size_t i = 0; i < c->count; i++)
        c->at[i].logit = (real)((double)c->at[i].logit / t);
    c->sorted = 0; /* rounding may make two logits equal, whose order is then by id */
}

void sampler_temperature_dynamic(struct sampler_candidates *c, double t, double range,
                                 double exponent)
{
    if (range <= 0) {
        sampler_temperature(c, t);
        return;
    }
    if (c->count < 2)
        return;
    sampler_softmax(c);
    double entropy = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].p > 0)
            entropy -= c->at[i].p * log(c->at[i].p);
    double low = t > range ? t - range : 0, high = t + range;
    sampler_temperature(c, low + (high - low) * pow(entropy / log((double)c->count), exponent));
}

void sampler_top_k(struct sampler_candidates *c, int64_t k)
{
    if (k <= 0 || (uint64_t)k >= c->count)
        return;
    sampler_sort(c, (size_t)k);
    c->count = (size_t)k;
    c->sorted = c->sorted < c->count ? c->sorted : c->count;
}

static void cut(struct sampler_candidates *c, size_t count)
{
    c->count = count;
    if (c->sorted > count)
        c->sorted = count;
}

void sampler_top_p(struct sampler_candidates *c, double p, size_t min_keep)
{
    if (p >= 1 || c->count < 2)
        return;
    sampler_softmax(c);
    double max = (double)c->at[best(c)].logit;
    size_t kept = select_mass(c->at, c->count, p - MASS_TOLERANCE, false, max);
    c->sorted = 0;
    if (kept < min_keep) {
        sampler_sort(c, min_keep);
        kept = min_keep < c->count ? min_keep : c->count;
    }
    cut(c, kept);
}

void sampler_min_p(struct sampler_candidates *c, double p, size_t min_keep)
{
    if (p <= 0 || c->count < 2)
        return;
    double threshold = (double)c->at[best(c)].logit + log(p);
    size_t enough = 0;
    for (size_t i = 0; i < c->count; i++)
        enough += (double)c->at[i].logit >= threshold;
    if (enough < min_keep) {
        sampler_sort(c, min_keep);
        cut(c, min_keep < c->count ? min_keep : c->count);
        return;
    }
    /* stable, so that a sorted prefix stays one */
    size_t kept = 0, sorted = 0;
    for (size_t i = 0; i < c->count; i++) {
        if ((double)c->at[i].logit < threshold)
            continue;
        sorted += i < c->sorted;
        c->at[kept++] = c->at[i];
    }
    c->count = kept;
    c->sorted = sorted;
}

void sampler_typical(struct sampler_candidates *c, double p, size_t min_keep)
{
    if (p >= 1 || c->count < 2)
        return;
    double z = log_sum(c), entropy = 0;
    for (size_t i = 0; i < c->count; i++) {
        double logp = (double)c->at[i].logit - z;
        c->at[i].p = exp(logp);
        if (c->at[i].p > 0)
            entropy -= c->at[i].p * logp;
    }
    /* |-ln p - entropy| = |(z - entropy) - logit| */
    size_t kept = select_mass(c->at, c->count, p, true, z - entropy);
    if (kept < min_keep) {
        kept = min_keep < c->count ? min_keep : c->count;
        select_front(c->at, c->count, kept, z - entropy);
    }
    c->count = kept;
    c->sorted = 0;
}

void sampler_xtc(struct sampler_candidates *c, double probability, double threshold,
                 size_t min_keep, double draw)
{
    if (!(draw < probability) || threshold > 0.5 || c->count < 2)
        return;
    sampler_softmax(c);
    size_t above = 0, chunk = 64; /* tokens that reach the threshold: at most 1 / threshold */
    while (above < c->count) {
        if (above == c->sorted) {
            sampler_sort(c, chunk);
            chunk *= 4;
        }
        if (c->at[above].p < threshold)
            break;
        above++;
    }
    if (min_keep < 1)
        min_keep = 1;
    if (above < 2 || c->count - (above - 1) < min_keep)
        return;
    size_t removed = above - 1;
    c->count -= removed;
    memmove(c->at, c->at + removed, c->count * sizeof *c->at);
    c->sorted = c->sorted > removed ? c->sorted - removed : 0;
}

void sampler_top_n_sigma(struct sampler_candidates *c, double n)
{
    if (n < 0 || c->count < 2)
        return;
    double sum = 0, squares = 0;
    size_t finite = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].logit > -(real)INFINITY) {
            sum += c->at[i].logit;
            finite++;
        }
    if (finite == 0)
        return;
    double mean = sum / (double)finite;
    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].logit > -(real)INFINITY)
            squares += (c->at[i].logit - mean) * (c->at[i].logit - mean);
    double threshold = (double)c->at[best(c)].logit - n * sqrt(squares / (double)finite);
    size_t in_order = c->sorted;
    for (size_t i = 0; i < c->count; i++)
        if ((double)c->at[i].logit < threshold) {
            c->at[i].logit = -(real)INFINITY;
            if (i < in_order)
                in_order = i; /* masked entries are ordered by id among themselves */
        }
    c->sorted = in_order;
}

/* The candidate of a token, or NULL. A set that was never reordered holds token i at i. */
static struct sampler_candidate *find(const struct sampler_candidates *c, int32_t id)
{
    if (id >= 0 && (size_t)id < c->count && c->at[id].id == id)
        return &c->at[id];
    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].id == id)
            return &c->at[i];
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

int sampler_penalties(struct sampler_candidates *c, const int32_t *history, size_t n, double repeat,
                      double frequency, double presence)
{
    if (n == 0 || (repeat == 1 && frequency == 0 && presence == 0))
        return 0;
    int32_t *ids = base_alloc(n, sizeof *ids);
    if (!ids)
        return BASE_E_MEMORY;
    memcpy(ids, history, n * sizeof *ids);
    qsort(ids, n, sizeof *ids, by_id);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && ids[j] == ids[i];)
            j++;
        struct sampler_candidate *x = find(c, ids[i]);
        if (!x)
            continue;
        double logit = x->logit;
        logit = logit > 0 ? logit / repeat : logit * repeat;
        x->logit = (real)(logit - frequency * (double)(j - i) - presence);
    }
    c->sorted = 0;
    base_free(ids);
    return 0;
}

/* How many of the last tokens may belong to a repetition: those after the latest breaker. */
static size_t dry_reach(const int32_t *history, size_t n, const struct sampler_breaker *breakers,
                        size_t n_breakers)
{
    for (size_t after = 0; after < n; after++) { /* `after` tokens follow the place looked at */
        size_t start = n - 1 - after;
        size_t longest = 0;
        for (size_t b = 0; b < n_breakers; b++) {
            size_t length = breakers[b].count;
            if (length > longest && length <= n - start &&
                memcmp(history + start, breakers[b].ids, length * sizeof *history) == 0)
                longest = length;
        }
        if (longest > 0)
            return after + 1 - longest;
    }
    return n;
}

struct dry_follower {
    int32_t id;
    size_t length;
};

static int by_follower(const void *a, const void *b)
{
    const struct dry_follower *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->length > y->length ? -1 : x->length < y->length; /* longest first */
}

int sampler_dry(struct sampler_candidates *c, const int32_t *history, size_t n, double multiplier,
                double base, size_t allowed_length, const struct sampler_breaker *breakers,
                size_t n_breakers)
{
    if (multiplier == 0 || base < 1 || n < 2 || n <= allowed_length)
        return 0;
    size_t reach = dry_reach(history, n, breakers, n_breakers);
    if (reach < allowed_length)
        return 0;
    int rc = 0;
    size_t *z = base_alloc_zero(n, sizeof *z);
    struct dry_follower *followers = base_alloc(n, sizeof *followers);
    if (!z || !followers) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    /* Z-function of the reversed history r: z[i] = longest common prefix of r and r[i..], that is
     * how many tokens before (and with) the i-th from the end equal the history's end. O(n). */
#define R(i) history[n - 1 - (i)]
    for (size_t i = 1, left = 0, right = 0; i < n; i++) {
        if (i < right)
            z[i] = z[i - left] < right - i ? z[i - left] : right - i;
        while (i + z[i] < n && R(z[i]) == R(i + z[i]))
            z[i]++;
        if (i + z[i] > right) {
            left = i;
            right = i + z[i];
        }
    }
    size_t found = 0;
    for (size_t i = 1; i < n; i++) {
        size_t length = z[i] < reach ? z[i] : reach;
        if (length > 0 && length >= allowed_length)
            followers[found++] = (struct dry_follower){ R(i - 1), length };
    }
#undef R
    qsort(followers, found, sizeof *followers, by_follower);
    for (size_t i = 0; i < found; i++) {
        if (i > 0 && followers[i].id == followers[i - 1].id)
            continue;
        bool breaks = false;
        for (size_t b = 0; b < n_breakers && !breaks; b++)
            breaks = breakers[b].count == 1 && breakers[b].ids[0] == followers[i].id;
        struct sampler_candidate *x = breaks ? NULL : find(c, followers[i].id);
        if (!x)
            continue;
        /* bounded so that no logit turns infinite: the token is out of the question long before */
        double penalty = multiplier * pow(base, (double)(followers[i].length - allowed_length));
        x->logit = (real)(x->logit - fmin(penalty, 1e30));
    }
    c->sorted = 0;
out:
    base_free(z);
    base_free(followers);
    return rc;
}

size_t sampler_draw(struct sampler_candidates *c, double u)
{
    sampler_softmax(c);
    double mass = 0;
    size_t last = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->at[i].p <= 0)
            continue;
        last = i;
        mass += c->at[i].p;
        if (u < mass)
            return i;
    }
    return last; /* the sum fell short of u by a rounding */
}
