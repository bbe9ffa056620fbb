/* assay margins: shares and tests of R's api samples against their population, by hand and against
 * tests/stats/survey_values.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support.h"
#include "base/memory.h"
#include <assay/estimate.h>

#define LIST(...) ((const char *const[]){ __VA_ARGS__ })

static const char *file(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "sampling/rsurvey/%s", name);
    return test_shared_path(path);
}

/* "fit clus1" and "fit srs" of survey_values.h: X^2, F, df1, df2, p, G. */
static void test_api(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/rsurvey/apipop.csv.zst");
    long live = base_alloc_live();
    struct sampling_margins r;
    struct sampling_margins_options o = SAMPLING_MARGINS_DEFAULT;
    o.by = LIST("stype", "stype*sch.wide");
    o.n_by = 2;
    o.design.weights = "pw";
    o.design.psu = LIST("dnum");
    o.design.n_psu = 1;
    o.design.fpc = LIST("fpc");
    o.design.n_fpc = 1;
    assert_int_equal(sampling_margins(&r, file("apiclus1.csv"), file("apipop.csv.zst"), NULL, &o),
                     0);
    const struct sampling_margin *m = &r.at[0];
    assert_int_equal(r.population_rows, 6194);
    assert_int_equal(m->n, 3);
    assert_string_equal(m->cell[0].value, "E");
    assert_true(m->cell[0].population == 4421 && m->cell[0].n == 144);
    assert_true(fabs(m->cell[0].share - 4421 / 6194.0) < 1e-15);
    assert_true(fabs(m->cell[0].e.estimate - 144 / 183.0) < 1e-12);
    assert_true(fabs(m->fit.chi2 - 5.3210600336473357) < 1e-9);
    assert_true(fabs(m->fit.f - 2.0399474097005754) < 1e-8);
    assert_true(fabs(m->fit.df2 - 22.693682213766813) < 1e-7);
    assert_true(fabs(m->fit.p - 0.15955159644145614) < 1e-9);
    assert_true(fabs(m->fit.g - 5.8060421092434291) < 1e-9);
    assert_true(fabs(m->dissimilarity - (144 / 183.0 - 4421 / 6194.0)) < 1e-12);
    assert_int_equal(r.at[1].n, 6);
    double share = 0, all = 0;
    for (size_t i = 0; i < 6; i++) {
        share += r.at[1].cell[i].e.estimate;
        all += r.at[1].cell[i].share;
    }
    assert_true(fabs(share - 1) < 1e-12 && fabs(all - 1) < 1e-12);
    sampling_margins_free(&r);
    /* a simple random sample of a finite population */
    o.n_by = 1;
    o.design = (struct sampling_design){ 0 };
    o.fpc = true;
    assert_int_equal(sampling_margins(&r, file("apisrs.csv"), file("apipop.csv.zst"), NULL, &o), 0);
    assert_true(fabs(r.at[0].fit.f - 0.010316909400479544) < 1e-9);
    sampling_margins_free(&r);
    o.design.strata = LIST("stype"); /* which is not a simple random sample's */
    o.design.n_strata = 1;
    assert_int_equal(sampling_margins(&r, file("apisrs.csv"), file("apipop.csv.zst"), NULL, &o),
                     BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "of its own"));
    assert_int_equal(base_alloc_live(), live);
}

static void write_text(const char *path, const char *text)
{
    test_write_file(path, text, strlen(text));
}

static void test_counts(void **state)
{
    (void)state;
    const char *sample = test_temporary_path(".csv"), *population = test_temporary_path(".csv");
    write_text(sample, "g\na\na\na\nb\nNA\nz\n");
    write_text(population, "g,N\na,50\nb,30\nc,20\n,7\n");
    struct sampling_margins r;
    struct sampling_margins_options o = SAMPLING_MARGINS_DEFAULT;
    o.by = LIST("g");
    o.n_by = 1;
    o.count = "N";
    assert_int_equal(sampling_margins(&r, sample, population, NULL, &o), 0);
    const struct sampling_margin *m = &r.at[0];
    assert_true(m->n == 3 && m->sample_missing == 1 && m->population_missing == 1);
    assert_true(m->unknown == 1 && strcmp(m->unknown_value, "z") == 0);
    assert_true(m->cell[0].share == 0.5 && m->cell[0].e.estimate == 0.75 && m->cell[0].n == 3);
    assert_true(m->cell[2].e.estimate == 0 && m->cell[2].e.interval.low == 0);
    /* n = 4: 4 ((.25)^2/.5 + (.05)^2/.3 + .2^2/.2) */
    assert_true(fabs(m->fit.chi2 - 4 * (0.125 + 0.0025 / 0.3 + 0.2)) < 1e-12);
    sampling_margins_free(&r);
    o.fpc = true; /* more were sampled than there are */
    write_text(population, "g,N\na,1\nb,1\n");
    assert_int_equal(sampling_margins(&r, sample, population, NULL, &o), BASE_E_ARGUMENT);
    o.fpc = false;
    write_text(population, "g,N\na,-1\nb,1\n");
    assert_int_equal(sampling_margins(&r, sample, population, NULL, &o), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), ":2: column N"));
    write_text(population, "h,N\na,1\n");
    assert_int_equal(sampling_margins(&r, sample, population, NULL, &o), BASE_E_ARGUMENT);
    write_text(population, "g,N\na,50\nb,30\nc,20\n,7\n");
    long live = base_alloc_live(), failed = 0;
    for (long n = 1; n < 250; n++) {
        base_alloc_fail_after(n);
        int rc = sampling_margins(&r, sample, population, NULL, &o);
        base_alloc_fail_after(0);
        sampling_margins_free(&r);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        failed += rc != 0;
        assert_int_equal(base_alloc_live(), live);
    }
    assert_true(failed > 50 && failed < 249);
    unlink(sample);
    unlink(population);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_api),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
