/* assay estimate: designs out of columns, against R's survey (values of
 * tests/stats/survey_values.h) and by hand; what the columns of `assay sample` mean; refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support.h"
#include "base/memory.h"
#include <assay/estimate.h>
#include <assay/sampling.h>

struct value {
    const char *name;
    double estimate, se, low, high, deff, deff_replace, df;
};
#include "../stats/survey_values.h"

static const struct value *expected(const char *name)
{
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcmp(values[i].name, name) == 0)
            return &values[i];
    fail_msg("no value is known of \"%s\"", name);
    return NULL;
}

static bool close_to(double a, double b)
{
    return isnan(b) ? isnan(a) : fabs(a - b) <= 1e-8 * fmax(1e-3, fabs(b));
}

static void agrees(const struct sampling_estimate *x, const char *name)
{
    const struct value *v = expected(name);
    if (!close_to(x->e.estimate, v->estimate) || !close_to(x->e.se, v->se) ||
        !close_to(x->e.deff, v->deff) || !close_to(x->e.interval.low, v->low) ||
        !close_to(x->e.interval.high, v->high))
        fail_msg("%s: %.12g (%.12g), survey has %.12g (%.12g)", name, x->e.estimate, x->e.se,
                 v->estimate, v->se);
}

static const char *file(const char *name)
{
    static char path[64];
    snprintf(path, sizeof path, "sampling/rsurvey/%s", name);
    return test_shared_path(path);
}

/* One string as a list of one, and pairs. */
#define LIST(...) ((const char *const[]){ __VA_ARGS__ })

static void test_designs(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/rsurvey/apiclus2.csv");
    long live = base_alloc_live();
    struct sampling_estimates r;
    struct sampling_estimate_options o = SAMPLING_ESTIMATE_DEFAULT;
    o.what = SAMPLING_MEAN;
    o.variable = LIST("api00");
    o.n_variables = 1;
    o.by = LIST("stype");
    o.n_by = 1;
    o.design.psu = LIST("dnum", "snum");
    o.design.n_psu = 2;
    o.design.fpc = LIST("fpc1", "fpc2");
    o.design.n_fpc = 2;
    assert_int_equal(sampling_estimate(&r, file("apiclus2.csv"), NULL, &o), 0);
    assert_int_equal(r.n, 4);
    agrees(&r.at[0], "clus2 mean api00");
    agrees(&r.at[1], "clus2 mean api00 in E");
    assert_string_equal(r.at[1].domain, "E");
    assert_string_equal(r.at[3].domain, "M");
    assert_int_equal(r.units, 40);
    sampling_estimates_free(&r);
    /* rows as the second stage's units are the same thing */
    o.design.n_psu = 1;
    assert_int_equal(sampling_estimate(&r, file("apiclus2.csv"), NULL, &o), 0);
    agrees(&r.at[0], "clus2 mean api00");
    sampling_estimates_free(&r);
    /* a condition is a domain */
    o.n_by = 0;
    o.where = "stype = 'E'";
    assert_int_equal(sampling_estimate(&r, file("apiclus2.csv"), NULL, &o), 0);
    agrees(&r.at[0], "clus2 mean api00 in E");
    sampling_estimates_free(&r);
    o.where = NULL;
    /* a value that misses is an error, or left out as a domain */
    o.what = SAMPLING_RATIO;
    o.variable = LIST("api.stu");
    o.over = "enroll";
    assert_int_equal(sampling_estimate(&r, file("apiclus2.csv"), NULL, &o), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "enroll"));
    o.skip_missing = true;
    assert_int_equal(sampling_estimate(&r, file("apiclus2.csv"), NULL, &o), 0);
    agrees(&r.at[0], "clus2 ratio api.stu/enroll");
    assert_int_equal(r.skipped, 6);
    sampling_estimates_free(&r);
    assert_int_equal(base_alloc_live(), live);
}

static void write_text(const char *path, const char *text)
{
    test_write_file(path, text, strlen(text));
}

static void test_calibration(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/rsurvey/apiclus1.csv");
    const char *types = test_temporary_path(".csv"), *wide = test_temporary_path(".csv");
    write_text(types, "stype,N\nE,4421\nH,755\nM,1018\n");
    write_text(wide, "sch.wide,N\nNo,1072\nYes,5122\n");
    struct sampling_estimates r;
    struct sampling_estimate_options o = SAMPLING_ESTIMATE_DEFAULT;
    o.what = SAMPLING_MEAN;
    o.variable = LIST("api00");
    o.n_variables = 1;
    o.design.weights = "pw";
    o.design.psu = LIST("dnum");
    o.design.n_psu = 1;
    o.design.fpc = LIST("fpc");
    o.design.n_fpc = 1;
    o.design.poststratify = types;
    assert_int_equal(sampling_estimate(&r, file("apiclus1.csv"), NULL, &o), 0);
    agrees(&r.at[0], "clus1 post mean api00");
    sampling_estimates_free(&r);
    o.design.poststratify = NULL;
    o.design.rake = LIST(types, wide);
    o.design.n_rake = 2;
    assert_int_equal(sampling_estimate(&r, file("apiclus1.csv"), NULL, &o), 0);
    agrees(&r.at[0], "clus1 rake mean api00");
    assert_true(fabs(r.weight_sum - 6194) < 1e-5);
    sampling_estimates_free(&r);
    /* shares keep the weights' sum: the mean is that of the totals */
    write_text(types, "stype,N\nE,0.71375524701\nH,0.12189215369\nM,0.16435259929\n");
    o.design.rake = NULL;
    o.design.n_rake = 0;
    o.design.poststratify = types;
    assert_int_equal(sampling_estimate(&r, file("apiclus1.csv"), NULL, &o), 0);
    assert_true(fabs(r.at[0].e.estimate - expected("clus1 post mean api00")->estimate) < 1e-5);
    assert_true(fabs(r.weight_sum - 6194) < 1 && fabs(r.weight_sum - 183 * 33.847) < 1e-3);
    sampling_estimates_free(&r);
    write_text(types, "stype,N\nE,4421\nH,755\nX,1018\n");
    o.design.rake = LIST(types);
    o.design.n_rake = 1;
    o.design.poststratify = NULL;
    assert_int_equal(sampling_estimate(&r, file("apiclus1.csv"), NULL, &o), BASE_E_ARGUMENT);
    assert_non_null(
        strstr(base_error_message(), "cell M has rows in the sample and none in the population"));
    unlink(types);
    unlink(wide);
}

static void test_unequal(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/rsurvey/election_pps.csv");
    char joint[1024];
    snprintf(joint, sizeof joint, "%s", file("election_jointprob.txt"));
    struct sampling_estimates r;
    struct sampling_estimate_options o = SAMPLING_ESTIMATE_DEFAULT;
    o.what = SAMPLING_TOTAL;
    o.variable = LIST("Bush");
    o.n_variables = 1;
    o.design.pi = "p";
    o.design.joint = joint;
    static const struct {
        enum sampling_unequal how;
        bool yates_grundy;
        const char *name;
    } cases[] = { { SAMPLING_UNEQUAL_AUTO, false, "pps brewer total Bush" },
                  { SAMPLING_UNEQUAL_REPLACE, false, "pps replace total Bush" },
                  { SAMPLING_UNEQUAL_BREWER, false, "pps brewer total Bush" },
                  { SAMPLING_UNEQUAL_HARTLEY_RAO, false, "pps hr total Bush" },
                  { SAMPLING_UNEQUAL_OVERTON, false, "pps overton total Bush" },
                  { SAMPLING_UNEQUAL_JOINT, false, "pps ht total Bush" },
                  { SAMPLING_UNEQUAL_JOINT, true, "pps yg total Bush" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        o.design.unequal = cases[i].how;
        o.design.yates_grundy = cases[i].yates_grundy;
        assert_int_equal(sampling_estimate(&r, file("election_pps.csv"), NULL, &o), 0);
        const struct value *v = expected(cases[i].name);
        assert_true(close_to(r.at[0].e.estimate, v->estimate) && close_to(r.at[0].e.se, v->se));
        sampling_estimates_free(&r);
    }
}

/* Samples of builtin:survey as `assay sample` writes them: what the columns say is the design. */
static void test_sampled(void **state)
{
    (void)state;
    static const char *const region[] = { "region" };
    static const struct {
        struct sampling_options options;
        const char *said;
        size_t strata;
    } cases[] = {
        { { .method = SAMPLING_RANDOM, .n = 300 }, "finite population", 1 },
        { { .method = SAMPLING_RANDOM, .n = 300, .replace = true }, "as with replacement", 1 },
        { { .method = SAMPLING_STRATIFIED, .n = 300, .by = region, .n_by = 1 },
          "finite population",
          4 },
        { { .method = SAMPLING_CLUSTER, .n = 40, .cluster = "company" }, "40 clusters", 1 },
        { { .method = SAMPLING_CLUSTER, .n = 40, .cluster = "company", .second = 4 },
          "rows within them",
          1 },
        { { .method = SAMPLING_PPS, .n = 300, .weights = "hours" }, "Brewer", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = test_temporary_path(".csv");
        struct sampling_options options = cases[i].options;
        options.seed = 4;
        FILE *stream = fopen(path, "w");
        struct sampling_writer *writer;
        struct sampling_report report;
        const struct sampling_writer_options how = { .format = DATA_FORMAT_CSV };
        assert_non_null(stream);
        assert_int_equal(sampling_writer_new(&writer, stream, &how), 0);
        const struct sampling_sink sink = sampling_writer_sink(writer);
        if (sampling_run(&options, "builtin:survey", NULL, &sink, &report))
            fail_msg("case %zu: %s", i, base_error_message());
        assert_int_equal(sampling_writer_finish(writer), 0);
        sampling_writer_free(writer);
        sampling_report_free(&report);
        fclose(stream);
        struct sampling_estimates r;
        struct sampling_estimate_options o = SAMPLING_ESTIMATE_DEFAULT;
        o.what = SAMPLING_MEAN;
        o.variable = LIST("age");
        o.n_variables = 1;
        o.skip_missing = true;
        if (sampling_estimate(&r, path, NULL, &o))
            fail_msg("case %zu: %s", i, base_error_message());
        if (!strstr(r.design, cases[i].said))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, r.design, cases[i].said);
        assert_int_equal(r.strata, cases[i].strata);
        assert_true(r.weight_sum > 1700 && r.weight_sum < 2400);
        assert_true(r.at[0].e.se > 0 && isfinite(r.at[0].e.interval.low));
        sampling_estimates_free(&r);
        unlink(path);
    }
}

static void refused(const struct sampling_estimate_options *o, const char *path, const char *text)
{
    struct sampling_estimates r;
    assert_true(sampling_estimate(&r, path, NULL, o) < 0);
    if (!strstr(base_error_message(), text))
        fail_msg("\"%s\" does not say \"%s\"", base_error_message(), text);
}

static void test_refusals(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".csv");
    static const char rows[] = "y,g,w,u\n1,a,2,1\n4,b,2,1\nNA,a,2,2\n7,b,2,2\n";
    test_write_file(path, rows, sizeof rows - 1);
    struct sampling_estimate_options o = SAMPLING_ESTIMATE_DEFAULT;
    o.what = SAMPLING_MEAN;
    refused(&o, path, "of what");
    o.variable = LIST("y");
    o.n_variables = 1;
    refused(&o, path, ":4: column y");
    o.skip_missing = true;
    o.variable = LIST("z");
    refused(&o, path, "no column \"z\"");
    o.variable = LIST("g");
    refused(&o, path, "\"a\" is not a number");
    o.variable = LIST("y");
    o.design.weights = "y";
    refused(&o, path, "the weight");
    o.design.weights = NULL;
    o.design.fpc = LIST("w", "w");
    o.design.n_fpc = 2;
    refused(&o, path, "one more at the most");
    o.design.n_fpc = 0;
    o.design.unequal = SAMPLING_UNEQUAL_BREWER;
    refused(&o, path, "inclusion probabilities");
    o.design.unequal = SAMPLING_UNEQUAL_AUTO;
    /* by hand: rows 1, 2, 4; mean 4, and as with replacement s^2 over rows with a value */
    struct sampling_estimates r;
    assert_int_equal(sampling_estimate(&r, path, NULL, &o), 0);
    assert_true(r.at[0].e.estimate == 4 && r.at[0].e.n == 3 && r.skipped == 1);
    assert_true(close_to(r.at[0].e.se, sqrt(4.0 / 3 * 18 / 9)));
    sampling_estimates_free(&r);
    /* the size of the population, by domain */
    o.what = SAMPLING_TOTAL;
    o.n_variables = 0;
    o.design.weights = "w";
    o.by = LIST("g*u");
    o.n_by = 1;
    assert_int_equal(sampling_estimate(&r, path, NULL, &o), 0);
    assert_int_equal(r.n, 5);
    assert_true(r.at[0].e.estimate == 8 && r.at[0].variable == NULL);
    assert_string_equal(r.at[1].domain, "a / 1");
    assert_true(r.at[1].e.estimate == 2);
    sampling_estimates_free(&r);
    /* every allocation that fails gives a clean error */
    long live = base_alloc_live(), failed = 0;
    for (long n = 1; n < 200; n++) {
        base_alloc_fail_after(n);
        int rc = sampling_estimate(&r, path, NULL, &o);
        base_alloc_fail_after(0);
        sampling_estimates_free(&r);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        failed += rc != 0;
        assert_int_equal(base_alloc_live(), live);
    }
    assert_true(failed > 40 && failed < 190);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_designs),  cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_unequal),  cmocka_unit_test(test_sampled),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
