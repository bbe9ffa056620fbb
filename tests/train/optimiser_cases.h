/* AdamW, the gradient norm and the schedules against PyTorch and transformers
 * (tests/oracle/train_optimiser.py), and against themselves for any number of threads. Included by
 * the float and the float64 test program. */
#include "base/json.h"
#include "base/memory.h"
#include "train/optimiser.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static json_t *fixture(void)
{
    json_t *o = NULL;
    assert_int_equal(base_json_load(&o, "tests/train/data/optimiser.json"), 0);
    return o;
}
static void assert_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance * fmax(1, fabs(b))))
        fail_msg("%.17g is not within %g of %.17g", a, tolerance, b);
}
static void adamw_equals_torch(void **state)
{
    (void)state;
    bool f64 = sizeof(real) == 8;
    double tolerance = f64 ? 1e-12 : 1e-6;
    real w[30], gw[30], b[5], gb[5];
    for (int i = 0; i < 35; i++)
        *(i < 30 ? &w[i] : &b[i - 30]) = (real)sin(1 + i);
    struct model_parameter list[] = {
        { .name = "w", .value = w, .gradient = gw, .rows = 5, .columns = 6, .decay = true },
        { .name = "b", .value = b, .gradient = gb, .rows = 1, .columns = 5 },
    };
    struct model_parameter *at[] = { &list[0], &list[1] };
    struct train_optimiser *o;
    assert_int_equal(train_optimiser_new(&o, at, 2, 0.9, 0.95, 1e-8, 0.1), 0);
    assert_int_equal(train_optimiser_bytes(o), 2 * (32 + 16) * sizeof(real));
    json_t *all = fixture(), *expected = json_object_get(all, f64 ? "f64" : "f32");
    for (int t = 0; t < 20; t++) {
        for (int i = 0; i < 35; i++) {
            real g = (real)(cos(0.7 * t + 0.3 * i) * (1 + t / 10.0));
            if (i < 30)
                gw[i] = g + (real)0.1 * w[i];
            else
                gb[i - 30] = g + (real)0.1 * b[i - 30];
        }
        double norm = train_optimiser_gradient_norm(o);
        assert_near(norm, json_real_value(json_array_get(json_object_get(expected, "norms"), t)),
                    f64 ? 1e-13 : 1e-6);
        train_optimiser_step(o, (uint64_t)t + 1, 0.01 * (1 - t / 40.0),
                             train_clip_factor(norm, 3.0));
    }
    for (int i = 0; i < 30; i++)
        assert_near(w[i], json_number_value(json_array_get(json_object_get(expected, "w"), i)),
                    tolerance);
    for (int i = 0; i < 5; i++)
        assert_near(b[i], json_number_value(json_array_get(json_object_get(expected, "b"), i)),
                    tolerance);
    train_optimiser_free(o);
    json_decref(all);
}
/* Several blocks, a frozen parameter between two others: the same bits for 1, 2 and 7 threads, and
 * the frozen one does not move nor count. */
static void threads_change_nothing(void **state)
{
    (void)state;
    enum { N = 100003 };
    real *value[3], *gradient[3], *first = NULL;
    double first_norm = 0;
    for (int i = 0; i < 3; i++) {
        value[i] = base_alloc(N, sizeof(real));
        gradient[i] = base_alloc(N, sizeof(real));
    }
    static const int threads[] = { 1, 2, 7 };
    for (int k = 0; k < 3; k++) {
        struct model_parameter list[3], *at[3];
        base_threads_set(threads[k]);
        for (int i = 0; i < 3; i++) {
            for (int j = 0; j < N; j++) {
                value[i][j] = (real)sin(i + j);
                gradient[i][j] = (real)cos(3 * i + 0.01 * j);
            }
            list[i] = (struct model_parameter){ .name = "p",
                                                .value = value[i],
                                                .gradient = gradient[i],
                                                .rows = 1,
                                                .columns = N,
                                                .frozen = i == 1 };
            at[i] = &list[i];
        }
        struct train_optimiser *o;
        assert_int_equal(train_optimiser_new(&o, at, 3, 0.9, 0.999, 1e-8, 0), 0);
        double norm = train_optimiser_gradient_norm(o), exact = 0;
        for (int i = 0; i < 3; i += 2)
            for (int j = 0; j < N; j++)
                exact += (double)gradient[i][j] * (double)gradient[i][j];
        assert_near(norm, sqrt(exact), 1e-12);
        train_optimiser_step(o, 1, 0.1, 1);
        train_optimiser_step(o, 2, 0.1, 1);
        if (!first) {
            first_norm = norm;
            first = base_alloc(3 * N, sizeof(real));
            for (int i = 0; i < 3; i++)
                memcpy(first + i * N, value[i], N * sizeof(real));
        }
        assert_true(norm == first_norm);
        for (int i = 0; i < 3; i++)
            assert_memory_equal(first + i * N, value[i], N * sizeof(real));
        assert_true(value[1][5] == (real)sin(6));
        assert_true(value[0][5] != (real)sin(5));
        train_optimiser_free(o);
    }
    base_threads_set(0);
    for (int i = 0; i < 3; i++) {
        base_free(value[i]);
        base_free(gradient[i]);
    }
    base_free(first);
}
static void clip_follows_the_formula(void **state)
{
    (void)state;
    assert_true(train_clip_factor(0.5, 1) == 1);
    assert_near(train_clip_factor(4, 1), 1 / (4 + 1e-6), 1e-15);
    assert_true(train_clip_factor(100, 0) == 1);
    assert_true(train_clip_factor(0, 1) == 1);
}
static double factor(const char *name, const char *convention, uint64_t s, uint64_t steps,
                     uint64_t warmup, uint64_t decay, double floor)
{
    double f = NAN;
    assert_int_equal(train_schedule_factor(name, convention, s, steps, warmup, decay, floor, &f),
                     0);
    return f;
}
static void schedules_equal_transformers(void **state)
{
    (void)state;
    static const struct {
        const char *key, *name;
        double floor;
    } cases[] = { { "constant", "constant", 0 },
                  { "linear", "linear", 0 },
                  { "cosine", "cosine", 0 },
                  { "cosine_floor", "cosine", 0.1 },
                  { "wsd_floor", "wsd", 0.1 } };
    json_t *all = fixture();
    for (size_t k = 0; k < 5; k++) {
        const json_t *list = json_object_get(json_object_get(all, "schedules"), cases[k].key);
        assert_int_equal(json_array_size(list), 30);
        for (size_t s = 0; s < 30; s++)
            assert_near(factor(cases[k].name, "hf", s, 30, 5, 10, cases[k].floor),
                        json_number_value(json_array_get(list, s)), 1e-14);
    }
    json_decref(all);
}
/* llm.c's formulas, evaluated by hand. */
static void schedules_equal_llmc(void **state)
{
    (void)state;
    assert_near(factor("cosine", "llmc", 0, 100, 10, 0, 0.1), 0.1, 1e-15);
    assert_near(factor("cosine", "llmc", 9, 100, 10, 0, 0.1), 1, 1e-15);
    assert_near(factor("cosine", "llmc", 10, 100, 10, 0, 0.1), 1, 1e-15);
    assert_near(factor("cosine", "llmc", 55, 100, 10, 0, 0.1), 0.1 + 0.5 * 0.9, 1e-15);
    assert_near(factor("linear", "llmc", 55, 100, 10, 0, 0.1), 1 - 0.5 * 0.9, 1e-15);
    assert_near(factor("constant", "llmc", 55, 100, 0, 0, 0.1), 1, 0);
    assert_near(factor("wsd", "llmc", 79, 100, 10, 20, 0), 1, 0);
    assert_near(factor("wsd", "llmc", 85, 100, 10, 20, 0), 1 - sqrt(0.25), 1e-15);
    double f;
    assert_int_equal(train_schedule_factor("step", "hf", 0, 1, 0, 0, 0, &f), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "\"step\""));
    assert_int_equal(train_schedule_factor("linear", "jax", 0, 1, 0, 0, 0, &f), BASE_E_ARGUMENT);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_equals_torch),       cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(clip_follows_the_formula), cmocka_unit_test(schedules_equal_transformers),
        cmocka_unit_test(schedules_equal_llmc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
