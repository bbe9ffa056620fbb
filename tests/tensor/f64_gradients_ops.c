/* Every op's backward against central finite differences of its own forward, in doubles.
 *
 * For L = sum_i c_i y_i with random c the backward called with dy = c must give dL/dx. Differences
 * (L(x+h) - L(x-h))/2h with h = 1e-5 carry about 1e-10; agreement is asked to 1e-6 of
 * the gradient, or of a hundredth of its largest element where an element is smaller than that. */
#include "ops_support.h"

struct problem;
typedef void forward_fn(const struct problem *p, real *y);
struct problem {
    forward_fn *forward;
    real *x, *w, *b; /* inputs; each may be perturbed */
    size_t rows, d;
    size_t n_y;
    const real *c; /* [n_y] */
    double number; /* offset, cap, probability */
    int kind;
    const struct tensor_rope *rope;
    const real *angles;
    const int32_t *ids;
};

static double objective(const struct problem *p)
{
    real *y = test_alloc(p->n_y);
    p->forward(p, y);
    long double sum = 0;
    for (size_t i = 0; i < p->n_y; i++)
        sum += (long double)p->c[i] * y[i];
    free(y);
    return (double)sum;
}
/* input: p->x, p->w or p->b, n elements. */
static void check(const char *what, const struct problem *p, real *input, size_t n,
                  const real *gradient)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)gradient[i]));
    const size_t step = n > 150 ? n / 97 : 1;
    for (size_t i = 0; i < n; i += step) {
        const double h = 1e-5, keep = input[i];
        input[i] = keep + h;
        const double up = objective(p);
        input[i] = keep - h;
        const double down = objective(p);
        input[i] = keep;
        const double numeric = (up - down) / (2 * h), analytic = (double)gradient[i];
        const double scale = fmax(fabs(analytic), 0.01 * largest) + 1e-9;
        if (!(fabs(numeric - analytic) <= 1e-6 * scale)) {
            print_error("%s (width %zu): element %zu: %.12g, difference quotient %.12g\n", what,
                        p->d, i, analytic, numeric);
            fail();
        }
    }
}
static real *zeros(size_t n)
{
    real *x = test_alloc(n);
    memset(x, 0, n * sizeof *x);
    return x;
}

#define EPS 1e-5
static void layer_norm(const struct problem *p, real *y)
{
    tensor_layer_norm(y, p->x, p->w, p->b, p->rows, p->d, EPS, NULL, NULL);
}
static void rms_norm(const struct problem *p, real *y)
{
    tensor_rms_norm(y, p->x, p->w, p->number, p->rows, p->d, EPS, NULL);
}
static const size_t WIDTHS[] = { 1, 7, 16, 17, 100 };

static void test_norms(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        const size_t rows = 4, d = WIDTHS[i], n = rows * d;
        struct problem p = { .rows = rows, .d = d, .n_y = n };
        p.x = test_normal(n, 1, 1), p.w = test_normal(d, 1, 2), p.b = test_normal(d, 1, 3);
        real *c = test_normal(n, 1, 4), *mean = test_alloc(rows), *rstd = test_alloc(rows);
        real *y = test_alloc(n), *dx = test_alloc(n), *dw = zeros(d), *db = zeros(d);
        p.c = c;
        p.forward = layer_norm;
        tensor_layer_norm(y, p.x, p.w, p.b, rows, d, EPS, mean, rstd);
        tensor_layer_norm_backward(dx, c, p.x, p.w, mean, rstd, rows, d, false);
        tensor_layer_norm_gradient(dw, db, c, p.x, mean, rstd, rows, d);
        check("layer norm x", &p, p.x, n, dx);
        check("layer norm w", &p, p.w, d, dw);
        check("layer norm b", &p, p.b, d, db);
        p.forward = rms_norm;
        for (p.number = 0; p.number <= 1; p.number++) {
            tensor_rms_norm(y, p.x, p.w, p.number, rows, d, EPS, rstd);
            tensor_rms_norm_backward(dx, c, p.x, p.w, p.number, rstd, rows, d, false);
            memset(dw, 0, d * sizeof *dw);
            tensor_rms_norm_gradient(dw, c, p.x, rstd, rows, d);
            check("rms norm x", &p, p.x, n, dx);
            check("rms norm w", &p, p.w, d, dw);
        }
        free(p.x), free(p.w), free(p.b), free(c), free(mean), free(rstd), free(y), free(dx);
        free(dw), free(db);
    }
}

static void activation(const struct problem *p, real *y)
{
    tensor_activate((enum tensor_activation)p->kind, y, p->x, p->n_y);
}
static void gate(const struct problem *p, real *y)
{
    tensor_gate((enum tensor_activation)p->kind, y, p->x, p->rows, p->d);
}
static void test_activations(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        for (int f = 0; f < TENSOR_ACTIVATIONS; f++) {
            const size_t rows = 3, d = WIDTHS[i], n = rows * d;
            struct problem p = { .rows = rows, .d = d, .n_y = n, .kind = f };
            p.x = test_normal(2 * n, 2, 1);
            real *c = test_normal(n, 1, 2), *dx = test_alloc(2 * n);
            for (size_t k = 0; k < 2 * n; k++) /* away from relu's kink */
                p.x[k] += p.x[k] > 0 ? 0.001 : -0.001;
            p.c = c;
            p.forward = activation;
            tensor_activate_backward((enum tensor_activation)f, dx, c, p.x, n);
            check(tensor_activation_name((enum tensor_activation)f), &p, p.x, n, dx);
            p.forward = gate;
            tensor_gate_backward((enum tensor_activation)f, dx, c, p.x, rows, d);
            check(tensor_activation_name((enum tensor_activation)f), &p, p.x, 2 * n, dx);
            free(p.x), free(c), free(dx);
        }
    }
}

/* The double build's functions themselves, against long double. */
static void test_activation_values(void **state)
{
    (void)state;
    for (int i = -6000; i <= 6000; i++) {
        const double x = i * 0.002 + 1e-4;
        const long double e = 1 / (1 + expl(-(long double)x)), u = 1.702L * x;
        const long double t =
            sqrtl(2 / 3.14159265358979323846264338327950288L) * (x + 0.044715L * x * x * x);
        const long double expected[TENSOR_ACTIVATIONS] = {
            [TENSOR_GELU] = 0.5L * x * erfcl(-x / sqrtl(2)),
            [TENSOR_GELU_TANH] = x / (1 + expl(-2 * t)),
            [TENSOR_GELU_QUICK] = x / (1 + expl(-u)),
            [TENSOR_SILU] = x * e,
            [TENSOR_RELU] = x > 0 ? x : 0,
            [TENSOR_RELU_SQUARED] = x > 0 ? (long double)x * x : 0,
            [TENSOR_SIGMOID] = e,
            [TENSOR_TANH] = tanhl(x),
            [TENSOR_IDENTITY] = x,
        };
        for (int f = 0; f < TENSOR_ACTIVATIONS; f++) {
            real y;
            tensor_activate((enum tensor_activation)f, &y, &x, 1);
            const double ex = (double)expected[f];
            test_close(tensor_activation_name((enum tensor_activation)f), &y, &ex, 1, 1e-15);
        }
    }
}

static void rotary(const struct problem *p, real *y)
{
    memcpy(y, p->x, p->n_y * sizeof *y);
    tensor_rope_apply(p->rope, y, p->angles, p->rows, p->d, 2, p->d / 2);
}
static void test_rotary(void **state)
{
    (void)state;
    for (int c = 0; c < 6; c++) {
        const size_t rotary_dims[] = { 4, 16, 34 }, r = rotary_dims[c / 2];
        struct tensor_rope *rope;
        assert_int_equal(
            tensor_rope_new(&rope, &(struct tensor_rope_options){ .rotary = r,
                                                                  .base = 100,
                                                                  .interleaved = c % 2,
                                                                  .attention_factor = 1.5 }),
            0);
        struct problem p = { .forward = rotary, .rows = 3, .d = 2 * (r + 3), .rope = rope };
        p.n_y = p.rows * p.d;
        const int32_t positions[] = { 0, 3, 1000 };
        real *angles = test_alloc(3 * r);
        tensor_rope_angles(rope, angles, positions, 3);
        p.angles = angles;
        p.x = test_normal(p.n_y, 1, 1);
        real *cot = test_normal(p.n_y, 1, 2), *dx = test_copy(cot, p.n_y);
        p.c = cot;
        tensor_rope_backward(rope, dx, angles, p.rows, p.d, 2, p.d / 2);
        check("rope", &p, p.x, p.n_y, dx);
        free(p.x), free(cot), free(dx), free(angles);
        tensor_rope_free(rope);
    }
}

static void embedding(const struct problem *p, real *y)
{
    tensor_embed_real(y, p->w, p->ids, p->rows, p->d, 1.7, false);
    tensor_bias_add(y, p->b, p->rows, p->d, p->d);
}
static void test_embeddings(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        const int32_t ids[] = { 2, 0, 2, 2, 4 };
        struct problem p = { .forward = embedding, .rows = 5, .d = WIDTHS[i], .ids = ids };
        p.n_y = p.rows * p.d;
        p.w = test_normal(5 * p.d, 1, 1), p.b = test_normal(p.d, 1, 2);
        real *c = test_normal(p.n_y, 1, 3), *dw = zeros(5 * p.d), *db = zeros(p.d);
        p.c = c;
        tensor_embed_gradient(dw, c, ids, p.rows, p.d, 1.7);
        tensor_bias_gradient(db, c, p.rows, p.d, p.d);
        check("embedding", &p, p.w, 5 * p.d, dw);
        check("bias", &p, p.b, p.d, db);
        free(p.w), free(p.b), free(c), free(dw), free(db);
    }
}

static void losses(const struct problem *p, real *y)
{
    real *logits = test_copy(p->x, p->rows * p->d);
    tensor_cross_entropy(logits, p->ids, p->rows, p->d, p->d, 0.5, p->number, y, false);
    free(logits);
}
static void capped(const struct problem *p, real *y)
{
    tensor_softcap(y, p->x, p->number, p->n_y);
}
static void dropped(const struct problem *p, real *y)
{
    const struct base_rng stream = base_rng_make(3, BASE_RNG_DROPOUT, 4);
    tensor_dropout(y, p->x, p->n_y, &stream, 5, p->number);
}
static void test_losses(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        const size_t rows = 4, d = WIDTHS[i], n = rows * d;
        const int32_t ids[] = { 0, (int32_t)d - 1, -1, (int32_t)(d / 2) };
        const real scale[] = { 0.5, 0.5, 0.5, 0.5 };
        struct problem p = { .rows = rows, .d = d, .ids = ids, .c = scale, .n_y = rows };
        p.x = test_normal(n, 3, 1);
        p.forward = losses;
        for (p.number = 0; p.number <= 8; p.number += 4) {
            real *g = test_copy(p.x, n);
            double loss[4];
            tensor_cross_entropy(g, ids, rows, d, d, 0.5, p.number, loss, true);
            check("cross-entropy", &p, p.x, n, g);
            free(g);
        }
        real *c = test_normal(n, 1, 2), *y = test_alloc(n), *dx = test_alloc(n);
        p.c = c;
        p.n_y = n;
        p.number = 2;
        p.forward = capped;
        tensor_softcap(y, p.x, 2, n);
        tensor_softcap_backward(dx, c, y, 2, n);
        check("softcap", &p, p.x, n, dx);
        p.forward = dropped;
        p.number = 0.4;
        const struct base_rng stream = base_rng_make(3, BASE_RNG_DROPOUT, 4);
        tensor_dropout(dx, c, n, &stream, 5, 0.4);
        check("dropout", &p, p.x, n, dx);
        free(p.x), free(c), free(y), free(dx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_activation_values),
        cmocka_unit_test(test_rotary),
        cmocka_unit_test(test_embeddings),
        cmocka_unit_test(test_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
