/* The cube method. A sample is a corner of the cube [0, 1]^N; pi is a point in it. A random walk
 * from pi that is fair (a martingale) ends in a corner, and each unit is taken with probability pi.
 * As long as it can, the walk stays in the space in which sum_i x_i taken_i / pi_i keeps its value:
 * the sample is balanced on x.
 *
 * Flight (Chauvet & Tillé 2006): among any p + 1 undecided units there is a direction u with
 * sum_k (x_k / pi_k) u_k = 0. From the present point one may go as far as l1 along u and l2 against
 * it before a coordinate is 0 or 1; go along with probability l2/(l1 + l2), else against. One unit
 * at least is decided, and replaced by the next one. Work: N times p^3 at most.
 * Landing: when no more than p units are left, the last variable is dropped, and so on; the first,
 * pi itself, last of all. */
#include "base/memory.h"
#include "base/rng.h"
#include <assay/sampling.h>
#include <math.h>
#include <string.h>

#define DECIDED 1e-9

struct walk {
    size_t p;        /* balancing variables with pi */
    const double *a; /* [p * N] x / pi, pi's own being 1 */
    size_t N;
    double *at;      /* [N] the present point */
    uint64_t *group; /* [p + 1] units in hand */
    size_t held;
    double *matrix;    /* [p * (p + 1)] */
    double *direction; /* [p + 1] */
};

/* A vector u of `columns` places, not 0, with B u = 0; B [rows * columns] is destroyed; rows <
 * columns. Gauss and Jordan with complete choice of the pivot in each row's columns. */
static void null_vector(double *B, size_t rows, size_t columns, double *u)
{
    size_t pivot_of_row[64], rank = 0;
    bool used[65] = { false };
    for (size_t r = 0; r < rows; r++) {
        double largest = 0;
        size_t column = 0, row = rank;
        for (size_t i = rank; i < rows; i++)
            for (size_t c = 0; c < columns; c++)
                if (!used[c] && fabs(B[i * columns + c]) > largest) {
                    largest = fabs(B[i * columns + c]);
                    column = c;
                    row = i;
                }
        if (largest < 1e-11)
            break;
        for (size_t c = 0; c < columns; c++) {
            double t = B[row * columns + c];
            B[row * columns + c] = B[rank * columns + c];
            B[rank * columns + c] = t;
        }
        double pivot = B[rank * columns + column];
        for (size_t c = 0; c < columns; c++)
            B[rank * columns + c] /= pivot;
        for (size_t i = 0; i < rows; i++) {
            double f = B[i * columns + column];
            if (i == rank || f == 0)
                continue;
            for (size_t c = 0; c < columns; c++)
                B[i * columns + c] -= f * B[rank * columns + c];
        }
        used[column] = true;
        pivot_of_row[rank++] = column;
    }
    size_t free_column = 0;
    while (used[free_column])
        free_column++;
    memset(u, 0, columns * sizeof *u);
    u[free_column] = 1;
    for (size_t r = 0; r < rank; r++)
        u[pivot_of_row[r]] = -B[r * columns + free_column];
}

/* One step with the first `columns` units in hand and the first `rows` variables. */
static void step(struct walk *w, struct base_rng *rng, size_t rows, size_t columns)
{
    for (size_t r = 0; r < rows; r++) {
        double scale = 0; /* rows of one size: the pivots are comparable */
        for (size_t c = 0; c < columns; c++)
            scale = fmax(scale, fabs(w->a[r * w->N + w->group[c]]));
        for (size_t c = 0; c < columns; c++)
            w->matrix[r * columns + c] = scale > 0 ? w->a[r * w->N + w->group[c]] / scale : 0;
    }
    null_vector(w->matrix, rows, columns, w->direction);
    double along = INFINITY, against = INFINITY;
    for (size_t c = 0; c < columns; c++) {
        double u = w->direction[c], x = w->at[w->group[c]];
        if (fabs(u) < 1e-13)
            continue;
        along = fmin(along, u > 0 ? (1 - x) / u : -x / u);
        against = fmin(against, u > 0 ? x / u : (x - 1) / u);
    }
    double go = base_rng_uniform(rng) * (along + against) < against ? along : -against;
    for (size_t c = 0; c < columns; c++)
        w->at[w->group[c]] += go * w->direction[c];
    size_t kept = 0;
    for (size_t c = 0; c < w->held; c++) { /* decided units leave */
        uint64_t i = w->group[c];
        if (w->at[i] < DECIDED)
            w->at[i] = 0;
        else if (w->at[i] > 1 - DECIDED)
            w->at[i] = 1;
        else
            w->group[kept++] = i;
    }
    w->held = kept;
}

int sampling_draw_cube(struct base_rng *rng, const double *pi, const double *x, size_t N, size_t p,
                       unsigned char *taken)
{
    if (p > 62)
        return base_error_set(BASE_E_LIMIT, "%zu variables to balance on; at most 62", p);
    struct walk w = { .p = p + 1, .N = N };
    size_t cells;
    uint64_t *order = base_alloc(N + 1, sizeof *order);
    double *a = base_mul_size(N + 1, p + 1, &cells) ? NULL : base_alloc(cells, sizeof *a);
    w.at = base_alloc(N + 1, sizeof *w.at);
    w.group = base_alloc(p + 2, sizeof *w.group);
    w.matrix = base_alloc((p + 1) * (p + 2), sizeof *w.matrix);
    w.direction = base_alloc(p + 2, sizeof *w.direction);
    int rc = order && a && w.at && w.group && w.matrix && w.direction
                 ? 0
                 : base_error_set(BASE_E_MEMORY, "out of memory for the cube method");
    for (size_t i = 0; i < N && !rc; i++) {
        w.at[i] = pi[i];
        if (!(pi[i] >= 0 && pi[i] <= 1))
            rc = base_error_set(BASE_E_ARGUMENT,
                                "inclusion probability %g of unit %zu is not between 0 and 1",
                                pi[i], i + 1);
        a[i] = 1;
        for (size_t v = 0; v < p; v++)
            a[(v + 1) * N + i] = pi[i] > 0 ? x[v * N + i] / pi[i] : 0;
    }
    if (rc)
        goto out;
    w.a = a;
    sampling_permute(rng, N, order);
    size_t next = 0;
    for (size_t steps = 0;; steps++) { /* flight */
        if (steps % 256 == 0 && base_interrupted()) {
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted after %zu of %zu rows", next, N);
            goto out;
        }
        while (w.held < w.p + 1 && next < N) {
            uint64_t i = order[next++];
            if (w.at[i] > DECIDED && w.at[i] < 1 - DECIDED)
                w.group[w.held++] = i;
        }
        if (w.held < w.p + 1)
            break;
        step(&w, rng, w.p, w.p + 1);
    }
    while (w.held > 0) /* landing: one variable less than units */
        step(&w, rng, w.held - 1, w.held);
    for (size_t i = 0; i < N; i++)
        taken[i] = w.at[i] >= 0.5;
out:
    base_free(order);
    base_free(a);
    base_free(w.at);
    base_free(w.group);
    base_free(w.matrix);
    base_free(w.direction);
    return rc;
}
