/* Whole models in doubles: the gradients of every architecture family against central finite
 * differences of the loss, a few elements of each parameter, also under dropout (whose mask is a
 * function of the seed) and with gradient checkpointing. */
#include "gradient_support.h"

static double loss_at(struct fixture *f, struct model_pass pass)
{
    const struct model_row row = fixture_row(f);
    pass.forward_only = true;
    return pass.scale * backward(f->model, &row, 1, &pass);
}

/* Differences with h = 1e-5 are good to 1e-9 here; 1e-6 of the element is asked, or of a hundredth
 * of the parameter's largest. */
static void check(struct fixture *f, const char *family, const struct model_pass *pass)
{
    const struct model_row row = fixture_row(f);
    model_gradients_zero(f->model);
    backward(f->model, &row, 1, pass);
    for (size_t i = 0; i < model_parameter_count(f->model); i++) {
        struct model_parameter *p = model_parameter_at(f->model, i);
        const size_t n = p->rows * p->columns;
        double largest = 0;
        size_t at = 0; /* the largest element is one of those looked at */
        for (size_t j = 0; j < n; j++) {
            if (fabs((double)p->gradient[j]) > largest) {
                largest = fabs((double)p->gradient[j]);
                at = j;
            }
        }
        const size_t look[] = { at, n / 3, n - 1 - n / 7 };
        for (size_t k = 0; k < 3; k++) {
            const size_t j = look[k];
            const double h = 1e-5, keep = (double)p->value[j];
            p->value[j] = (real)(keep + h);
            const double up = loss_at(f, *pass);
            p->value[j] = (real)(keep - h);
            const double down = loss_at(f, *pass);
            p->value[j] = (real)keep;
            const double numeric = (up - down) / (2 * h), analytic = (double)p->gradient[j];
            const double scale = fmax(fabs(analytic), 0.01 * largest) + 1e-4;
            if (!(fabs(numeric - analytic) <= 1e-6 * scale)) {
                print_error("%s: %s[%zu]: %.12g, difference quotient %.12g\n", family, p->name, j,
                            analytic, numeric);
                fail();
            }
        }
    }
}

static void test_finite_differences(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_FAMILIES; k++) {
        struct fixture f = fixture(FAMILIES[k]);
        check(&f, FAMILIES[k], &(struct model_pass){ .scale = 0.1 });
        model_free(f.model);
    }
}
static void test_dropout(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_FAMILIES; k++) {
        struct fixture f = fixture(FAMILIES[k]);
        check(&f, FAMILIES[k],
              &(struct model_pass){
                  .scale = 0.1, .dropout = 0.2, .seed = 5, .step = 9, .recompute = k % 2 });
        model_free(f.model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finite_differences),
        cmocka_unit_test(test_dropout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
