/* Gradients of whole models: against PyTorch's, and bit for bit over batching, threads and gradient
 * checkpointing. The reference gradients lie in the layout of a model (tests/oracle/gradients.py),
 * so that loading them as one takes every name and permutation along. */
#include "gradient_support.h"
#include "base/memory.h"
#include <assay/base.h>

static const char *const WITH_GRADIENTS[] = { "gpt2", "gpt_neox", "opt", "llama" };

/* Each element within 1e-4 of its parameter's largest, or of itself. */
static void test_against_pytorch(void **state)
{
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct fixture f = fixture(WITH_GRADIENTS[k]);
        char path[256];
        snprintf(path, sizeof path, "tests/model/data/%s/gradient", WITH_GRADIENTS[k]);
        struct model *expected = fixture_load(path);
        const struct model_row row = fixture_row(&f);
        for (int recompute = 0; recompute < 2; recompute++) {
            const struct model_pass pass = { .scale = 1.0 / (double)f.labels,
                                             .recompute = recompute };
            model_gradients_zero(f.model);
            const double loss = backward(f.model, &row, 1, &pass);
            assert_true(fabs(loss - f.loss) < 1e-5 * f.loss);
            assert_int_equal(model_parameter_count(f.model), model_parameter_count(expected));
            double worst = 0;
            for (size_t i = 0; i < model_parameter_count(f.model); i++) {
                const struct model_parameter *p = model_parameter_at(f.model, i);
                const struct model_parameter *e = model_parameter_at(expected, i);
                assert_string_equal(p->name, e->name);
                assert_true(p->rows == e->rows && p->columns == e->columns);
                double largest = 0;
                for (size_t j = 0; j < p->rows * p->columns; j++)
                    largest = fmax(largest, fabs((double)e->value[j]));
                /* softmax does not feel a constant added to all keys: this gradient is 0 */
                if (largest < 1e-6)
                    largest = 1;
                for (size_t j = 0; j < p->rows * p->columns; j++) {
                    const double error =
                        fabs((double)p->gradient[j] - (double)e->value[j]) / largest;
                    if (!(error <= worst))
                        worst = error;
                    if (!(error <= 1e-4)) {
                        print_error("%s: %s[%zu] = %.8g, PyTorch %.8g\n", WITH_GRADIENTS[k],
                                    p->name, j, (double)p->gradient[j], (double)e->value[j]);
                        fail();
                    }
                }
            }
            printf("%s: loss %.7f, PyTorch %.7f; gradients differ by at most %.2g\n",
                   WITH_GRADIENTS[k], loss, f.loss, worst);
        }
        model_free(expected);
        model_free(f.model);
    }
}

/* Three ragged rows of two documents each, made of a fixture's ids. */
struct batch {
    int32_t ids[3][MOST_TOKENS], targets[3][MOST_TOKENS];
    bool start[3][MOST_TOKENS];
    struct model_row rows[3];
};
static void make_batch(struct batch *b, const struct fixture *f)
{
    memset(b, 0, sizeof *b);
    for (size_t r = 0; r < 3; r++) {
        const size_t n = f->n - r;
        for (size_t i = 0; i < n; i++) {
            b->ids[r][i] = f->ids[(i * (r + 1) + r) % f->n];
            b->targets[r][i] = i % 5 == 3 ? -1 : f->ids[(i + 2 * r) % f->n];
            b->start[r][i] = i == 0 || i == 5 + r;
        }
        b->rows[r] = (struct model_row){
            .ids = b->ids[r], .targets = b->targets[r], .document_start = b->start[r], .n = n
        };
    }
}

/* The same bits whether rows come in one call or several, with 1, 2 or 3 threads, with or without
 * checkpointing; also under dropout. */
static void test_bits(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_FAMILIES; k++) {
        struct fixture f = fixture(FAMILIES[k]);
        struct batch b;
        make_batch(&b, &f);
        for (int dropped = 0; dropped < 2; dropped++) {
            struct model_pass pass = {
                .scale = 0.05, .dropout = dropped ? 0.2 : 0, .seed = 7, .step = 3
            };
            size_t n;
            base_threads_set(1);
            model_gradients_zero(f.model);
            const double loss = backward(f.model, b.rows, 3, &pass);
            real *first = all_gradients(f.model, &n);
            for (int run = 0; run < 6; run++) {
                double again = 0;
                base_threads_set(run % 3 + 1);
                pass.recompute = run >= 2;
                model_gradients_zero(f.model);
                if (run < 4) { /* each row in a call of its own, or 1 + 2 */
                    const size_t split = run % 2 ? 1 : 3;
                    for (size_t r = 0; r < 3;) {
                        const size_t m = split == 3 ? 1 : r == 0 ? 1 : 2;
                        size_t labels = 0;
                        pass.row_offset = r;
                        assert_int_equal(
                            model_backward(f.model, b.rows + r, m, &pass, &again, &labels), 0);
                        r += m;
                    }
                    pass.row_offset = 0;
                } else {
                    again = backward(f.model, b.rows, 3, &pass);
                }
                size_t n2;
                real *other = all_gradients(f.model, &n2);
                if (memcmp(first, other, n * sizeof *first) != 0) {
                    for (size_t i = 0; i < n; i++)
                        if (first[i] != other[i]) {
                            print_error("%s: run %d, dropout %d: gradient %zu: %.9g, %.9g\n",
                                        FAMILIES[k], run, dropped, i, (double)first[i],
                                        (double)other[i]);
                            break;
                        }
                    fail();
                }
                if (again != loss) {
                    print_error("%s: run %d, dropout %d: loss %.17g, %.17g\n", FAMILIES[k], run,
                                dropped, loss, again);
                    fail();
                }
                free(other);
            }
            free(first);
        }
        base_threads_set(0);
        model_free(f.model);
    }
}

/* Documents of a packed row do not see each other: loss and gradients are those of separate rows.
 */
static void test_packing(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_FAMILIES; k++) {
        struct fixture f = fixture(FAMILIES[k]);
        struct batch b;
        make_batch(&b, &f);
        const struct model_pass pass = { .scale = 0.1 };
        model_gradients_zero(f.model);
        const double packed = backward(f.model, b.rows, 1, &pass);
        size_t n;
        real *g = all_gradients(f.model, &n);
        const struct model_row apart[2] = {
            { .ids = b.ids[0], .targets = b.targets[0], .n = 5 },
            { .ids = b.ids[0] + 5, .targets = b.targets[0] + 5, .n = f.n - 5 },
        };
        model_gradients_zero(f.model);
        const double separate = backward(f.model, apart, 2, &pass);
        real *h = all_gradients(f.model, &n);
        assert_true(fabs(packed - separate) <= 1e-6 * packed);
        double largest = 0;
        for (size_t i = 0; i < n; i++)
            largest = fmax(largest, fabs((double)h[i]));
        for (size_t i = 0; i < n; i++)
            assert_true(fabs((double)g[i] - (double)h[i]) <= 1e-6 * largest);
        free(g), free(h);
        model_free(f.model);
    }
}

/* forward_only gives the same loss and leaves gradients alone; frozen parameters get none;
 * gradients accumulate. */
static void test_passes(void **state)
{
    (void)state;
    struct fixture f = fixture("llama");
    const struct model_row row = fixture_row(&f);
    struct model_pass pass = { .scale = 1 };
    size_t n;
    model_gradients_zero(f.model);
    const double loss = backward(f.model, &row, 1, &pass);
    real *once = all_gradients(f.model, &n);
    pass.forward_only = true;
    assert_true(backward(f.model, &row, 1, &pass) == loss);
    real *still = all_gradients(f.model, &n);
    assert_memory_equal(once, still, n * sizeof *once);
    free(still);
    pass.forward_only = false;
    backward(f.model, &row, 1, &pass);
    real *twice = all_gradients(f.model, &n);
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)once[i]));
    for (size_t i = 0; i < n; i++)
        assert_true(fabs((double)twice[i] - 2 * (double)once[i]) <= 1e-6 * largest);
    free(twice);

    model_gradients_zero(f.model);
    /* frozen after its gradient was allocated */
    for (size_t i = 0; i < model_parameter_count(f.model); i += 2)
        model_parameter_at(f.model, i)->frozen = true;
    assert_true(backward(f.model, &row, 1, &pass) == loss);
    real *part = all_gradients(f.model, &n), *p = part, *o = once;
    for (size_t i = 0; i < model_parameter_count(f.model); i++) {
        const struct model_parameter *q = model_parameter_at(f.model, i);
        for (size_t j = 0; j < q->rows * q->columns; j++, p++, o++)
            assert_true(*p == (i % 2 ? *o : 0));
    }
    free(part), free(once);
    model_free(f.model);
}

static void test_errors(void **state)
{
    (void)state;
    struct fixture f = fixture("gpt2");
    struct model_row row = fixture_row(&f);
    const struct model_pass pass = { .scale = 1 };
    double loss = 0;
    size_t labels = 0;
    f.ids[3] = 1000;
    assert_int_equal(model_backward(f.model, &row, 1, &pass, &loss, &labels), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "1000"));
    f.ids[3] = -1;
    assert_int_equal(model_backward(f.model, &row, 1, &pass, &loss, &labels), BASE_E_ARGUMENT);
    f.ids[3] = 3;
    f.targets[2] = 21;
    assert_int_equal(model_backward(f.model, &row, 1, &pass, &loss, &labels), BASE_E_ARGUMENT);
    f.targets[2] = 2;
    /* more positions than gpt2's table has */
    int32_t ids[40] = { 0 }, targets[40] = { 0 };
    row = (struct model_row){ .ids = ids, .targets = targets, .n = 40 };
    assert_int_not_equal(model_backward(f.model, &row, 1, &pass, &loss, &labels), 0);
    model_free(f.model);
}

/* Every allocation of a pass fails once: a clean error, nothing lost, and the next pass is right.
 */
static void test_memory_failures(void **state)
{
    (void)state;
    static const char *const SOME[] = { "gpt2", "gemma2", "opt_post_norm" };
    for (size_t k = 0; k < 3; k++) {
        const long live = base_alloc_live();
        struct fixture f = fixture(SOME[k]), g = fixture(SOME[k]);
        const struct model_row row = fixture_row(&f);
        const struct model_pass pass = { .scale = 0.1, .dropout = 0.1 };
        size_t n;
        backward(f.model, &row, 1, &pass);
        real *expected = all_gradients(f.model, &n);
        long failures = 0;
        for (;; failures++) {
            double loss = 0;
            size_t labels = 0;
            model_gradients_zero(g.model);
            base_alloc_fail_after(failures + 1);
            const int rc = model_backward(g.model, &row, 1, &pass, &loss, &labels);
            base_alloc_fail_after(0);
            if (!rc)
                break;
            assert_int_equal(rc, BASE_E_MEMORY);
            assert_true(failures < 1000);
        }
        assert_true(failures > 3);
        real *after = all_gradients(g.model, &n);
        assert_memory_equal(after, expected, n * sizeof *after);
        free(after), free(expected);
        model_free(f.model);
        model_free(g.model);
        assert_int_equal(base_alloc_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_pytorch), cmocka_unit_test(test_bits),
        cmocka_unit_test(test_packing),         cmocka_unit_test(test_passes),
        cmocka_unit_test(test_errors),          cmocka_unit_test(test_memory_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
