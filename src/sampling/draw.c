/* Draws with equal probabilities, reservoirs, and the sizes of strata.
 *
 * Inclusion probabilities: n/N for random and systematic; with replacement a unit is expected n/N
 * times; a reservoir of n out of N seen gives n/N. */
#include "base/memory.h"
#include "base/rng.h"
#include <assay/sampling.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Floyd (Bentley & Floyd 1987): for j = N-n .. N-1 draw t in 0..j; t enters, or j when t is in
 * already. An open-addressing set of at least twice n places. */
static int draw_floyd(struct base_rng *rng, uint64_t N, uint64_t n, uint64_t *out)
{
    uint64_t places = 16;
    while (places < 2 * n)
        places *= 2;
    uint64_t *set = base_alloc(places, sizeof *set);
    if (!set)
        return BASE_E_MEMORY;
    memset(set, 0xff, places * sizeof *set);
    uint64_t k = 0;
    for (uint64_t j = N - n; j < N; j++) {
        uint64_t t = base_rng_below(rng, j + 1);
        for (int again = 0; again < 2; again++) {
            uint64_t at = (t * 0x9e3779b97f4a7c15u >> 20) & (places - 1);
            while (set[at] != UINT64_MAX && set[at] != t)
                at = (at + 1) & (places - 1);
            if (set[at] == UINT64_MAX) {
                set[at] = t;
                break;
            }
            t = j; /* cannot be in: it was not among the numbers to draw from */
        }
        out[k++] = t;
    }
    base_free(set);
    qsort(out, n, sizeof *out, ascending);
    return 0;
}

int sampling_draw_random(struct base_rng *rng, uint64_t N, uint64_t n, uint64_t *out)
{
    if (n > N)
        return base_error_set(BASE_E_ARGUMENT,
                              "%llu units are asked for, but there are only %llu: fewer, or with "
                              "replacement",
                              (unsigned long long)n, (unsigned long long)N);
    if (n <= N / 16)
        return draw_floyd(rng, N, n, out);
    /* unit i is taken with probability (still wanted) / (still to come) */
    for (uint64_t i = 0, k = 0; k < n; i++)
        if (base_rng_below(rng, N - i) < n - k)
            out[k++] = i;
    return 0;
}

int sampling_draw_replacement(struct base_rng *rng, uint64_t N, uint64_t n, uint64_t *out)
{
    if (N == 0 && n > 0)
        return base_error_set(BASE_E_ARGUMENT, "there is nothing to draw from");
    for (uint64_t k = 0; k < n; k++)
        out[k] = base_rng_below(rng, N);
    qsort(out, n, sizeof *out, ascending);
    return 0;
}

int sampling_draw_systematic(struct base_rng *rng, uint64_t N, uint64_t n, uint64_t *out)
{
    if (n > N)
        return base_error_set(BASE_E_ARGUMENT, "%llu units are asked for, but there are only %llu",
                              (unsigned long long)n, (unsigned long long)N);
    /* In whole numbers: a start s in 0..N-1 stands for the point s/n, unit k for floor((s + kN)/n);
     * each unit is hit by n of the N starts. */
    uint64_t start = n ? base_rng_below(rng, N) : 0;
    for (uint64_t k = 0; k < n; k++)
        out[k] = (uint64_t)(((wide)k * N + start) / n);
    return 0;
}

uint64_t sampling_skip_bernoulli(struct base_rng *rng, double p)
{
    if (p >= 1)
        return 0;
    double skip = floor(log(1 - base_rng_uniform(rng)) / log1p(-p));
    return skip < 0x1p63 ? (uint64_t)skip : UINT64_MAX / 2;
}

void sampling_permute(struct base_rng *rng, uint64_t n, uint64_t *out)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t j = base_rng_below(rng, i + 1);
        out[i] = out[j];
        out[j] = i;
    }
}

/* ---- Algorithm L ----
 * w is the largest of n uniform numbers as they would stand in a heap; the number of units passed
 * over is Geometric(w); a new largest is w times the largest of n uniforms, u^(1/n). */
void sampling_reservoir_begin(struct sampling_reservoir *r, uint64_t n)
{
    *r = (struct sampling_reservoir){ .n = n, .next = n, .w = 1 };
}

static void reservoir_jump(struct sampling_reservoir *r, struct base_rng *rng)
{
    r->w *= exp(log(1 - base_rng_uniform(rng)) / (double)r->n);
    double skip = floor(log(1 - base_rng_uniform(rng)) / log1p(-r->w));
    r->next = skip < 0x1p62 ? r->next + (uint64_t)skip : UINT64_MAX;
}

uint64_t sampling_reservoir_next(struct sampling_reservoir *r, struct base_rng *rng)
{
    uint64_t i = r->seen++;
    if (r->n == 0)
        return UINT64_MAX;
    if (i < r->n) {
        if (i + 1 == r->n)
            reservoir_jump(r, rng);
        return i;
    }
    if (i < r->next)
        return UINT64_MAX;
    uint64_t slot = base_rng_below(rng, r->n);
    r->next++;
    reservoir_jump(r, rng);
    return slot;
}

/* ---- A-ExpJ in ranks: rank = E/w with E exponential, the smallest are kept; the largest of them
 * is the threshold t. What must pass before a unit with a smaller rank comes is Exp(t) of weight;
 * that unit's rank is exponential of rate w, given that it is below t. ---- */
int sampling_exponential_begin(struct sampling_exponential *x, uint64_t n)
{
    *x = (struct sampling_exponential){ .n = n };
    if (n >= SIZE_MAX / 64 || !(x->heap = base_alloc(n + 1, sizeof *x->heap)))
        return base_error_set(BASE_E_MEMORY, "out of memory for a sample of %llu rows",
                              (unsigned long long)n);
    return 0;
}

static void sift_down(struct sampling_exponential *x, size_t i)
{
    struct sampling_ranked moved = x->heap[i];
    for (size_t child; (child = 2 * i + 1) < x->held; i = child) {
        if (child + 1 < x->held && x->heap[child + 1].rank > x->heap[child].rank)
            child++;
        if (x->heap[child].rank <= moved.rank)
            break;
        x->heap[i] = x->heap[child];
    }
    x->heap[i] = moved;
}

uint64_t sampling_exponential_next(struct sampling_exponential *x, struct base_rng *rng,
                                   double weight)
{
    x->seen++;
    if (!(weight > 0))
        return UINT64_MAX;
    x->weight += weight;
    if (x->held <= x->n) {
        size_t i = x->held++;
        double rank = -log(1 - base_rng_uniform(rng)) / weight;
        uint64_t slot = i;
        for (; i > 0 && x->heap[(i - 1) / 2].rank < rank; i = (i - 1) / 2)
            x->heap[i] = x->heap[(i - 1) / 2];
        x->heap[i] = (struct sampling_ranked){ rank, weight, slot };
        if (x->held == x->n + 1)
            x->left = -log(1 - base_rng_uniform(rng)) / x->heap[0].rank;
        return slot;
    }
    x->left -= weight;
    if (x->left > 0)
        return UINT64_MAX;
    double threshold = x->heap[0].rank;
    /* -log(1 - u (1 - exp(-w t))) / w is exponential of rate w below t */
    double rank = -log1p(base_rng_uniform(rng) * expm1(-weight * threshold)) / weight;
    uint64_t slot = x->heap[0].slot;
    x->heap[0] = (struct sampling_ranked){ rank, weight, slot };
    sift_down(x, 0);
    x->left = -log(1 - base_rng_uniform(rng)) / x->heap[0].rank;
    return slot;
}

double sampling_exponential_threshold(const struct sampling_exponential *x, uint64_t *leave_out)
{
    *leave_out = UINT64_MAX;
    if (x->held <= x->n)
        return INFINITY;
    *leave_out = x->heap[0].slot;
    return x->heap[0].rank;
}

void sampling_exponential_free(struct sampling_exponential *x)
{
    base_free(x->heap);
    *x = (struct sampling_exponential){ 0 };
}

/* ---- sizes of strata ---- */
struct part {
    double rest;
    size_t h;
};

/* The largest remainder first, the earlier stratum when equal. */
static int by_remainder(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    if (x->rest != y->rest)
        return x->rest > y->rest ? -1 : 1;
    return (x->h > y->h) - (x->h < y->h);
}

int sampling_allocate(size_t H, const double *share, const uint64_t *most, uint64_t n,
                      uint64_t *out)
{
    struct part *order = base_alloc(H + 1, sizeof *order);
    if (!order)
        return BASE_E_MEMORY;
    uint64_t room = 0, left = n;
    for (size_t h = 0; h < H; h++) {
        out[h] = 0;
        room += most[h];
    }
    if (n > room) {
        base_free(order);
        return base_error_set(BASE_E_ARGUMENT, "%llu units are asked for, but there are only %llu",
                              (unsigned long long)n, (unsigned long long)room);
    }
    /* Strata whose part is more than they have are filled up, which changes the others' parts. */
    for (bool changed = true; changed && left > 0;) {
        double sum = 0;
        changed = false;
        for (size_t h = 0; h < H; h++)
            sum += out[h] < most[h] ? share[h] : 0;
        uint64_t shared = left;
        for (size_t h = 0; h < H && sum > 0; h++)
            if (out[h] < most[h] && (double)shared * share[h] / sum >= (double)most[h]) {
                out[h] = most[h];
                left -= most[h];
                changed = true;
            }
    }
    double sum = 0;
    for (size_t h = 0; h < H; h++)
        sum += out[h] < most[h] ? share[h] : 0;
    uint64_t whole = 0;
    size_t open = 0;
    for (size_t h = 0; h < H && left > 0; h++)
        if (out[h] < most[h]) {
            /* all shares 0: in proportion to what there is */
            double part = sum > 0 ? (double)left * share[h] / sum
                                  : (double)left * (double)most[h] / (double)room;
            /* 40 * (2/8) must be 10 and not 9.999...: rounding of the product is no remainder */
            double floored = floor(part * (1 + 4e-16) + 1e-12);
            if (floored > (double)most[h])
                floored = (double)most[h];
            out[h] = (uint64_t)floored;
            whole += out[h];
            order[open++] = (struct part){ round((part - floored) * 1e9), h };
        }
    qsort(order, open, sizeof *order, by_remainder);
    for (size_t k = 0; left > whole && open > 0; k = (k + 1) % open)
        if (out[order[k].h] < most[order[k].h]) {
            out[order[k].h]++;
            whole++;
        }
    base_free(order);
    return 0;
}
