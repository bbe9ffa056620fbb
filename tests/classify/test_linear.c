/* Support vector machine and logistic regression against scikit-learn 1.9 at tight tolerance
 * (tests/oracle/classify_small.py), and the solvers against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include "base/memory.h"
#include "base/rng.h"
#include "classify/linear.h"
#include <math.h>

enum { N = 40 };
static double values[N * 3];
static bool positive[N];
static size_t positives;
static struct classify_matrix x;

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < 3; j++)
            values[3 * i + j] = ((i * 7 + j * 13) % 11 - 5) / 4.;
        const double *v = values + 3 * i;
        positive[i] = v[0] - 0.5 * v[1] + 0.25 * v[2] + ((i * 5) % 7 - 3) / 3. > 0.9;
        positives += positive[i];
    }
    return classify_matrix_dense(&x, values, N, 3);
}

static int teardown(void **state)
{
    (void)state;
    classify_matrix_free(&x);
    return 0;
}

static void test_reference(void **state)
{
    (void)state;
    assert_int_equal(positives, 7);
    double balanced[2] = { N / 2. / (N - 7), N / 2. / 7 };
    const struct {
        enum classify_learner learner;
        double c, bias;
        bool balanced;
        double w[4];
    } cases[] = {
        { CLASSIFY_SVM,
          1,
          1,
          false,
          { 0.7146999211037323, -0.33215535286021947, 0.30992389431472805, -0.7492872863263941 } },
        { CLASSIFY_SVM,
          10,
          1,
          true,
          { 1.2570848060258824, -0.4057005308136612, 0.7841877185977087, -0.6364192436920525 } },
        { CLASSIFY_SVM,
          1,
          0,
          false,
          { 0.5396295792786588, -0.32823242614618325, 0.22672403156929843, 0 } },
        { CLASSIFY_SVM,
          1,
          5,
          false,
          { 0.7500652311227199, -0.3282861756242357, 0.3306895586802442, -0.7806175187872256 } },
        { CLASSIFY_LOGISTIC,
          1,
          1,
          false,
          { 1.2751677511157653, -0.687668366138099, 0.5060963732625461, -1.5999332635838734 } },
        { CLASSIFY_LOGISTIC,
          2,
          1,
          true,
          { 2.1789701861091197, -0.9420273670895999, 1.2368873895813943, -0.9549443141070556 } },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int solver = 0; solver < CLASSIFY_SOLVERS; solver++) {
            if (cases[k].learner == CLASSIFY_LOGISTIC && solver == CLASSIFY_SOLVER_DUAL)
                continue;
            struct classify_linear_options o = CLASSIFY_LINEAR_OPTIONS_DEFAULT;
            struct classify_linear_problem p = { &x, positive, NULL, { 1, 1 } };
            struct classify_linear_result r;
            double w[4];
            o.learner = cases[k].learner;
            o.solver = (enum classify_solver)solver;
            o.c = cases[k].c;
            o.bias = cases[k].bias;
            o.tolerance = 1e-10;
            o.max_iterations = 1000000;
            if (cases[k].balanced)
                memcpy(p.weight, balanced, sizeof balanced);
            assert_int_equal(classify_linear_train(&p, &o, w, &r), 0);
            /* LIBLINEAR's own 1000 passes can be too few, and it says so */
            if (!r.converged && solver != CLASSIFY_SOLVER_LIBLINEAR_DUAL)
                fail_msg("case %zu, solver %s: not converged", k, classify_solver_names[solver]);
            for (int j = 0; j < 4 && r.converged; j++)
                if (!(fabs(w[j] - cases[k].w[j]) <= 1e-6 * fabs(cases[k].w[j])))
                    fail_msg("case %zu, solver %s, weight %d: %.12g, expected %.12g", k,
                             classify_solver_names[solver], j, w[j], cases[k].w[j]);
        }
}

/* Copies of rows are the same as rows written out, in every solver. */
static void test_copies(void **state)
{
    (void)state;
    uint32_t count[N], list[4 * N];
    bool labels[4 * N];
    size_t n = 0;
    for (uint32_t i = 0; i < N; i++) {
        count[i] = (i * 3) % 4;
        for (uint32_t k = 0; k < count[i]; k++) {
            labels[n] = positive[i];
            list[n++] = i;
        }
    }
    struct classify_matrix out;
    assert_int_equal(classify_matrix_begin(&out, 3), 0);
    assert_int_equal(classify_matrix_take(&out, &x, list, n), 0);
    double first[4], w[4];
    for (int solver = 0; solver < CLASSIFY_SOLVERS; solver++)
        for (int copies = 0; copies < 2; copies++) {
            struct classify_linear_options o = CLASSIFY_LINEAR_OPTIONS_DEFAULT;
            struct classify_linear_result r;
            struct classify_linear_problem p = { &x, positive, count, { 1, 2 } };
            struct classify_linear_problem q = { &out, labels, NULL, { 1, 2 } };
            o.solver = (enum classify_solver)solver;
            o.tolerance = 1e-11;
            o.max_iterations = 1000000;
            double *to = solver == 0 && !copies ? first : w;
            assert_int_equal(classify_linear_train(copies ? &q : &p, &o, to, &r), 0);
            if (to == w)
                for (int j = 0; j < 4; j++)
                    assert_true(fabs(w[j] - first[j]) < 1e-7);
            assert_true(fabs(classify_linear_objective(&p, &o, to) -
                             classify_linear_objective(&q, &o, to)) < 1e-12);
        }
    classify_matrix_free(&out);
}

static void test_repeatable(void **state)
{
    (void)state;
    for (int solver = 0; solver < CLASSIFY_SOLVERS; solver++) {
        struct classify_linear_options o = CLASSIFY_LINEAR_OPTIONS_DEFAULT;
        struct classify_linear_problem p = { &x, positive, NULL, { 1, 1 } };
        struct classify_linear_result r;
        double w[3][4];
        o.solver = (enum classify_solver)solver;
        o.tolerance = 0.01; /* loose: the order of rows shows */
        for (int k = 0; k < 3; k++) {
            o.seed = k == 2;
            assert_int_equal(classify_linear_train(&p, &o, w[k], &r), 0);
        }
        assert_memory_equal(w[0], w[1], sizeof w[0]);
        if (solver == CLASSIFY_SOLVER_DUAL || solver == CLASSIFY_SOLVER_LIBLINEAR_DUAL)
            assert_true(memcmp(w[0], w[2], sizeof w[0]) != 0);
    }
}

/* Problems of all scales, C and overlaps: never worse than LIBLINEAR, in few steps. */
static void test_scales(void **state)
{
    (void)state;
    struct base_rng r = base_rng_make(1, BASE_RNG_USER, 0);
    for (int k = 0; k < 24; k++) {
        size_t n = 50 + base_rng_below(&r, k % 8 == 0 ? 9000 : 400);
        size_t d = 1 + base_rng_below(&r, 20);
        double scale = pow(10, (double)base_rng_below(&r, 6) - 2), shift = k % 3 ? 0 : 20 * scale;
        double *v = malloc(n * d * sizeof *v), best = INFINITY, objective = INFINITY;
        bool *y = malloc(n * sizeof *y);
        for (size_t i = 0; i < n; i++) {
            y[i] = i < 2 ? i == 1 : base_rng_below(&r, k % 2 ? 2 : 20) == 0;
            for (size_t j = 0; j < d; j++)
                v[i * d + j] = shift + scale * (base_rng_normal(&r) + (y[i] && j < 2 ? k % 4 : 0));
        }
        struct classify_matrix m;
        assert_int_equal(classify_matrix_dense(&m, v, n, d), 0);
        struct classify_linear_problem p = { &m, y, NULL, { 1, 1 } };
        struct classify_linear_options o = CLASSIFY_LINEAR_OPTIONS_DEFAULT;
        struct classify_linear_result result;
        double w[32];
        o.c = pow(10, (double)base_rng_below(&r, 7) - 3);
        o.learner = k % 2 ? CLASSIFY_LOGISTIC : CLASSIFY_SVM;
        o.tolerance = 1e-9;
        o.solver = CLASSIFY_SOLVER_LIBLINEAR;
        assert_int_equal(classify_linear_train(&p, &o, w, &result), 0);
        best = classify_linear_objective(&p, &o, w);
        o.solver = CLASSIFY_SOLVER_PRIMAL;
        assert_int_equal(classify_linear_train(&p, &o, w, &result), 0);
        objective = classify_linear_objective(&p, &o, w);
        assert_true(result.converged);
        assert_in_range(result.iterations, 1, 100);
        assert_true(objective <= best * (1 + 1e-9));
        free(v);
        free(y);
        classify_matrix_free(&m);
    }
}

static void test_refused(void **state)
{
    (void)state;
    struct classify_linear_options o = CLASSIFY_LINEAR_OPTIONS_DEFAULT;
    bool none[N] = { false };
    struct classify_linear_problem p = { &x, none, NULL, { 1, 1 } };
    struct classify_linear_result r;
    double w[4], s[N];
    assert_int_equal(classify_linear_train(&p, &o, w, &r), BASE_E_ARGUMENT);
    p.positive = positive;
    o.c = 0;
    assert_int_equal(classify_linear_train(&p, &o, w, &r), BASE_E_ARGUMENT);
    o.c = 1;
    p.weight[1] = NAN;
    assert_int_equal(classify_linear_train(&p, &o, w, &r), BASE_E_ARGUMENT);
    p.weight[1] = 1;
    o.learner = CLASSIFY_LOGISTIC;
    o.solver = CLASSIFY_SOLVER_DUAL;
    assert_int_equal(classify_linear_train(&p, &o, w, &r), BASE_E_ARGUMENT);
    o.learner = CLASSIFY_SVM;
    o.max_iterations = 1;
    o.tolerance = 1e-12;
    assert_int_equal(classify_linear_train(&p, &o, w, &r), 0);
    assert_false(r.converged);
    classify_linear_scores(&x, w, s);
    assert_true(fabs(s[1] - (w[0] * values[3] + w[1] * values[4] + w[2] * values[5] + w[3])) <
                1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),  cmocka_unit_test(test_copies),
        cmocka_unit_test(test_repeatable), cmocka_unit_test(test_scales),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
