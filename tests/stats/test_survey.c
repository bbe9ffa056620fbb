/* Survey estimates against R's package survey on its own data (survey_values.h, made by
 * tests/oracle/survey.R), and against the definition: over all samples that a design can draw from
 * a small population, estimates of totals and of their variance are unbiased. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support.h"
#include "base/memory.h"
#include <assay/data.h>
#include <assay/survey.h>

struct value {
    const char *name;
    double estimate, se, low, high, deff, deff_replace, df;
};
#include "survey_values.h"

#define TOLERANCE 1e-11 /* relative; the bar is six digits */
/* R stops raking when no cell of the table moves by 1e-9. */
#define RAKING 1e-8

static const struct value *expected(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const struct value *expected(const char *format, ...)
{
    char name[128];
    va_list list;
    va_start(list, format);
    vsnprintf(name, sizeof name, format, list);
    va_end(list);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcmp(values[i].name, name) == 0)
            return &values[i];
    fail_msg("no value is known of \"%s\"", name);
    return NULL;
}

static void near(const char *name, const char *what, double actual, double wanted, double tolerance)
{
    if (isnan(wanted) ? isnan(actual)
                      : fabs(actual - wanted) <= tolerance * fmax(1e-3, fabs(wanted)))
        return;
    fail_msg("%s: %s is %.15g, survey has %.15g", name, what, actual, wanted);
}

static void agrees(const struct stats_survey_estimate *e, const struct value *v, bool interval,
                   bool deff)
{
    const double tolerance = strstr(v->name, " rake ") ? RAKING : TOLERANCE;
    near(v->name, "estimate", e->estimate, v->estimate, tolerance);
    near(v->name, "se", e->se, v->se, tolerance);
    if (interval) {
        near(v->name, "low", e->interval.low, v->low, tolerance);
        near(v->name, "high", e->interval.high, v->high, tolerance);
        near(v->name, "df", e->df, v->df, 0);
    }
    if (deff) {
        near(v->name, "deff", e->deff, v->deff, tolerance);
        near(v->name, "deff_replace", e->deff_replace, v->deff_replace, tolerance);
    }
}

/* ---- tables out of CSV files ---- */

static json_t *read_rows(const char *name)
{
    json_t *rows;
    char path[128];
    snprintf(path, sizeof path, "sampling/rsurvey/%s", name);
    assert_int_equal(data_rows_read(&rows, test_shared_path(path), NULL, 0), 0);
    return rows;
}

static double *numbers(const json_t *rows, const char *column)
{
    size_t n = json_array_size(rows);
    double *x = base_alloc(n, sizeof *x);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_object_get(json_array_get(rows, i), column));
        assert_non_null(text);
        char *end;
        x[i] = strtod(text, &end);
        if (*end || !*text)
            x[i] = NAN;
    }
    return x;
}

/* Numbers of the values in order of first appearance. */
static uint32_t *codes(const json_t *rows, const char *column)
{
    size_t n = json_array_size(rows);
    uint32_t *c = base_alloc(n, sizeof *c);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_object_get(json_array_get(rows, i), column));
        assert_non_null(text);
        c[i] = (uint32_t)i;
        for (size_t j = 0; j < i; j++)
            if (strcmp(text, json_string_value(json_object_get(json_array_get(rows, j), column))) ==
                0) {
                c[i] = c[j];
                break;
            }
    }
    return c;
}

static uint8_t *equals(const json_t *rows, const char *column, const char *value)
{
    size_t n = json_array_size(rows);
    uint8_t *hit = base_alloc(n, 1);
    for (size_t i = 0; i < n; i++)
        hit[i] =
            strcmp(json_string_value(json_object_get(json_array_get(rows, i), column)), value) == 0;
    return hit;
}

/* 0 E, 1 H, 2 M */
static uint32_t *school_type(const json_t *rows)
{
    size_t n = json_array_size(rows);
    uint32_t *c = base_alloc(n, sizeof *c);
    for (size_t i = 0; i < n; i++) {
        const char *t = json_string_value(json_object_get(json_array_get(rows, i), "stype"));
        c[i] = *t == 'E' ? 0 : *t == 'H' ? 1 : 2;
    }
    return c;
}

enum { SRS, SRS_REPLACE, STRAT, CLUS1, CLUS2, CLUS2_REPLACE, DESIGNS };
static const char *const design_names[DESIGNS] = { "srs",   "srs_replace", "strat",
                                                   "clus1", "clus2",       "clus2_replace" };
static const char *const design_files[DESIGNS] = { "apisrs.csv",   "apisrs.csv",   "apistrat.csv",
                                                   "apiclus1.csv", "apiclus2.csv", "apiclus2.csv" };

struct api {
    json_t *rows;
    double *weight, *fpc[2];
    uint32_t *psu[2], *stratum;
    struct stats_survey *survey;
};

static void api_open(struct api *a, int kind)
{
    *a = (struct api){ .rows = read_rows(design_files[kind]) };
    struct stats_survey_design d = { .n = json_array_size(a->rows), .stages = 1 };
    if (kind != SRS && kind != CLUS2)
        d.weight = a->weight = numbers(a->rows, "pw");
    if (kind == SRS || kind == STRAT || kind == CLUS1)
        d.stage[0].fpc = a->fpc[0] = numbers(a->rows, "fpc");
    if (kind == STRAT)
        d.stage[0].stratum = a->stratum = codes(a->rows, "stype");
    if (kind >= CLUS1)
        d.stage[0].psu = a->psu[0] = codes(a->rows, "dnum");
    if (kind == CLUS2) {
        d.stages = 2;
        d.stage[1].psu = a->psu[1] = codes(a->rows, "snum");
        d.stage[0].fpc = a->fpc[0] = numbers(a->rows, "fpc1");
        d.stage[1].fpc = a->fpc[1] = numbers(a->rows, "fpc2");
    }
    assert_int_equal(stats_survey_new(&a->survey, &d), 0);
}

static void api_close(struct api *a)
{
    stats_survey_free(a->survey);
    json_decref(a->rows);
    base_free(a->weight);
    base_free(a->stratum);
    for (int i = 0; i < 2; i++) {
        base_free(a->fpc[i]);
        base_free(a->psu[i]);
    }
}

static void test_api(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/rsurvey/apisrs.csv");
    long live = base_alloc_live();
    for (int k = 0; k < DESIGNS; k++) {
        struct api a;
        api_open(&a, k);
        const char *name = design_names[k];
        struct stats_survey_estimate e;
        size_t n = stats_survey_rows(a.survey);
        double *api00 = numbers(a.rows, "api00"), *stu = numbers(a.rows, "api.stu");
        double *enroll = numbers(a.rows, "enroll");
        uint8_t *elementary = equals(a.rows, "stype", "E"), *high = equals(a.rows, "stype", "H");
        uint8_t *wide = equals(a.rows, "sch.wide", "Yes"), *known = base_alloc(n, 1);
        for (size_t i = 0; i < n; i++)
            known[i] = !isnan(enroll[i]);
        assert_int_equal(stats_survey_mean(a.survey, api00, NULL, 0.95, &e), 0);
        agrees(&e, expected("%s mean api00", name), true, true);
        assert_int_equal(stats_survey_total(a.survey, stu, NULL, 0.95, &e), 0);
        agrees(&e, expected("%s total api.stu", name), true, true);
        assert_int_equal(stats_survey_ratio(a.survey, stu, enroll, known, 0.95, &e), 0);
        agrees(&e, expected("%s ratio api.stu/enroll", name), true, true);
        assert_int_equal(stats_survey_proportion(a.survey, wide, NULL, STATS_SURVEY_WALD, 0.95, &e),
                         0);
        agrees(&e, expected("%s share sch.wide=Yes", name), true, true);
        assert_int_equal(stats_survey_mean(a.survey, api00, elementary, 0.95, &e), 0);
        agrees(&e, expected("%s mean api00 in E", name), true, true);
        assert_int_equal(stats_survey_total(a.survey, stu, high, 0.95, &e), 0);
        agrees(&e, expected("%s total api.stu in H", name), true, true);
        static const double q[] = { 0.25, 0.5, 0.87 };
        for (int i = 0; i < 3; i++) {
            assert_int_equal(stats_survey_quantile(a.survey, api00, NULL, q[i],
                                                   STATS_QUANTILE_INVERSE, STATS_SURVEY_WALD, 0.95,
                                                   &e),
                             0);
            agrees(&e, expected("%s quantile %g", name, q[i]), true, false);
        }
        for (int rule = STATS_QUANTILE_MIDDLE; rule < STATS_QUANTILE_RULES; rule++) {
            assert_int_equal(stats_survey_quantile(a.survey, api00, NULL, 0.5, rule,
                                                   STATS_SURVEY_WALD, 0.95, &e),
                             0);
            agrees(&e, expected("%s quantile 0.5 %s", name, stats_quantile_rule_names[rule]), true,
                   false);
        }
        for (int i = STATS_SURVEY_WALD; i < STATS_SURVEY_INTERVALS; i++) {
            assert_int_equal(stats_survey_proportion(a.survey, wide, NULL, i, 0.95, &e), 0);
            agrees(&e,
                   expected("%s proportion %s", name,
                            i == STATS_SURVEY_WALD    ? "mean"
                            : i == STATS_SURVEY_LOGIT ? "xlogit"
                                                      : stats_survey_interval_names[i]),
                   true, false);
            if (i == STATS_SURVEY_WALD)
                continue;
            assert_int_equal(stats_survey_quantile(a.survey, api00, NULL, 0.13,
                                                   STATS_QUANTILE_INVERSE, i, 0.95, &e),
                             0);
            agrees(&e, expected("%s quantile 0.13 %s", name, stats_survey_interval_names[i]), true,
                   false);
        }
        void *const blocks[] = { api00, stu, enroll, elementary, high, wide, known };
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            base_free(blocks[i]);
        api_close(&a);
    }
    assert_int_equal(base_alloc_live(), live);
}

static void test_calibration(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/rsurvey/apisrs.csv");
    static const double types[] = { 4421, 755, 1018 }, wide_total[] = { 1072, 5122 };
    static const int kinds[] = { SRS, CLUS1, CLUS2 };
    for (int k = 0; k < 3; k++)
        for (int rake = 0; rake < 2; rake++) {
            struct api a;
            api_open(&a, kinds[k]);
            size_t n = stats_survey_rows(a.survey);
            uint32_t *type = school_type(a.rows), *wide = base_alloc(n, sizeof *wide);
            uint8_t *yes = equals(a.rows, "sch.wide", "Yes"), *both = equals(a.rows, "both", "Yes");
            for (size_t i = 0; i < n; i++)
                wide[i] = yes[i];
            const struct stats_survey_margin margin[] = { { type, 3, types, NULL },
                                                          { wide, 2, wide_total, NULL } };
            if (rake)
                assert_int_equal(stats_survey_rake(a.survey, margin, 2), 0);
            else
                assert_int_equal(stats_survey_poststratify(a.survey, type, 3, types, NULL), 0);
            const char *name = design_names[kinds[k]], *how = rake ? "rake" : "post";
            double *api00 = numbers(a.rows, "api00"), *stu = numbers(a.rows, "api.stu");
            struct stats_survey_estimate e;
            assert_int_equal(stats_survey_mean(a.survey, api00, NULL, 0.95, &e), 0);
            agrees(&e, expected("%s %s mean api00", name, how), true, true);
            assert_int_equal(stats_survey_total(a.survey, stu, NULL, 0.95, &e), 0);
            agrees(&e, expected("%s %s total api.stu", name, how), true, true);
            assert_int_equal(stats_survey_mean(a.survey, api00, both, 0.95, &e), 0);
            agrees(&e, expected("%s %s mean api00 in both", name, how), true, true);
            assert_int_equal(stats_survey_total(a.survey, stu, both, 0.95, &e), 0);
            agrees(&e, expected("%s %s total api.stu in both", name, how), true, true);
            base_free(type);
            base_free(wide);
            base_free(yes);
            base_free(both);
            base_free(api00);
            base_free(stu);
            api_close(&a);
        }
}

static double *read_matrix(const char *name, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "sampling/rsurvey/%s", name);
    FILE *f = fopen(test_shared_path(path), "r");
    assert_non_null(f);
    double *m = base_alloc(n * n, sizeof *m);
    for (size_t i = 0; i < n * n; i++)
        assert_int_equal(fscanf(f, "%lf", &m[i]), 1);
    fclose(f);
    return m;
}

static void test_unequal_probabilities(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/rsurvey/election_pps.csv");
    json_t *rows = read_rows("election_pps.csv");
    size_t n = json_array_size(rows);
    double *p = numbers(rows, "p"), *weight = base_alloc(n, sizeof *weight);
    double *matrix = read_matrix("election_jointprob.txt", n);
    double *vote[3] = { numbers(rows, "Bush"), numbers(rows, "Kerry"), numbers(rows, "Nader") };
    double *votes = numbers(rows, "votes");
    for (size_t i = 0; i < n; i++)
        weight[i] = 1 / p[i];
    static const struct {
        const char *name;
        enum stats_joint joint;
        bool yates_grundy, fpc;
    } designs[] = { { "brewer", STATS_JOINT_NONE, false, true },
                    { "overton", STATS_JOINT_OVERTON, false, true },
                    { "hr", STATS_JOINT_HARTLEY_RAO, false, true },
                    { "ht", STATS_JOINT_MATRIX, false, true },
                    { "yg", STATS_JOINT_MATRIX, true, true },
                    { "hr_yg", STATS_JOINT_HARTLEY_RAO, true, true },
                    { "overton_yg", STATS_JOINT_OVERTON, true, true },
                    { "replace", STATS_JOINT_NONE, false, false } };
    for (size_t k = 0; k < sizeof designs / sizeof *designs; k++) {
        struct stats_survey_design d = {
            .n = n, .stages = 1, .joint = designs[k].joint, .yates_grundy = designs[k].yates_grundy
        };
        if (designs[k].fpc)
            d.stage[0].fpc = p;
        else
            d.weight = weight;
        if (d.joint == STATS_JOINT_MATRIX)
            d.joint_matrix = matrix;
        struct stats_survey *s;
        assert_int_equal(stats_survey_new(&s, &d), 0);
        static const char *const names[] = { "Bush", "Kerry", "Nader" };
        struct stats_survey_estimate e;
        for (int v = 0; v < 3; v++) {
            assert_int_equal(stats_survey_total(s, vote[v], NULL, 0.95, &e), 0);
            agrees(&e, expected("pps %s total %s", designs[k].name, names[v]), false, false);
        }
        assert_int_equal(stats_survey_mean(s, vote[0], NULL, 0.95, &e), 0);
        agrees(&e, expected("pps %s mean Bush", designs[k].name), false, false);
        assert_int_equal(stats_survey_ratio(s, vote[0], votes, NULL, 0.95, &e), 0);
        agrees(&e, expected("pps %s ratio Bush/votes", designs[k].name), false, false);
        stats_survey_free(s);
    }
    json_decref(rows);
    void *const blocks[] = { p, weight, matrix, vote[0], vote[1], vote[2], votes };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        base_free(blocks[i]);
}

static void test_lonely(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/rsurvey/apiclus1.csv");
    json_t *rows = read_rows("apiclus1.csv");
    size_t n = json_array_size(rows);
    double *weight = numbers(rows, "pw"), *api00 = numbers(rows, "api00");
    double *stu = numbers(rows, "api.stu"), *district = numbers(rows, "dnum");
    uint32_t *psu = base_alloc(n, sizeof *psu), *stratum = base_alloc(n, sizeof *stratum);
    for (size_t i = 0; i < n; i++) {
        psu[i] = (uint32_t)district[i];
        stratum[i] = psu[i] == 61 ? 9 : psu[i] % 3;
    }
    for (int k = 0; k < STATS_LONELIES; k++) {
        struct stats_survey_design d = {
            .n = n, .stages = 1, .weight = weight, .lonely = k, .stage = { { stratum, psu, NULL } }
        };
        struct stats_survey *s;
        struct stats_survey_estimate e;
        assert_int_equal(stats_survey_new(&s, &d), 0);
        int rc = stats_survey_mean(s, api00, NULL, 0.95, &e);
        if (k == STATS_LONELY_FAIL) {
            assert_int_equal(rc, BASE_E_ARGUMENT);
            assert_non_null(strstr(base_error_message(), "has one unit at stage 1"));
        } else {
            assert_int_equal(rc, 0);
            agrees(&e, expected("lonely %s mean api00", stats_lonely_names[k]), true, true);
            assert_int_equal(stats_survey_total(s, stu, NULL, 0.95, &e), 0);
            agrees(&e, expected("lonely %s total api.stu", stats_lonely_names[k]), true, true);
        }
        stats_survey_free(s);
    }
    json_decref(rows);
    void *const blocks[] = { weight, api00, stu, district, psu, stratum };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        base_free(blocks[i]);
}

static void test_fit(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/rsurvey/apisrs.csv");
    static const double share[] = { 4421 / 6194.0, 755 / 6194.0, 1018 / 6194.0 };
    static const int kinds[] = { SRS, CLUS1, CLUS2 };
    for (int k = 0; k < 3; k++) {
        struct api a;
        api_open(&a, kinds[k]);
        uint32_t *type = school_type(a.rows);
        struct stats_survey_fit f;
        assert_int_equal(stats_survey_fit(a.survey, type, 3, share, NULL, &f), 0);
        const struct value *v = expected("fit %s X2 F df1 df2 p G p", design_names[kinds[k]]);
        near(v->name, "X2", f.chi2, v->estimate, TOLERANCE);
        near(v->name, "F", f.f, v->se, TOLERANCE);
        near(v->name, "df1", f.df1, v->low, TOLERANCE);
        near(v->name, "df2", f.df2, v->high, TOLERANCE);
        near(v->name, "p", f.p, v->deff, TOLERANCE);
        near(v->name, "G", f.g, v->deff_replace, TOLERANCE);
        near(v->name, "p of G", f.g_corrected_p, v->df, TOLERANCE);
        base_free(type);
        api_close(&a);
    }
}

/* ---- twelve rows: two strata, three units of three each, two elements of each unit ---- */

static const uint32_t small_h[] = { 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2 };
static const uint32_t small_u[] = { 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6 };
static const double small_f1[] = { 10, 10, 10, 10, 10, 10, 8, 8, 8, 8, 8, 8 };
static const double small_f2[] = { 4, 4, 5, 5, 6, 6, 3, 3, 7, 7, 4, 4 };
static const double small_y[] = { 3, 5, 8, 1, 9, 4, 12, 15, 11, 7, 18, 10 };
static const double small_x[] = { 2, 3, 4, 2, 5, 2, 6, 8, 5, 4, 9, 6 };
static const uint32_t small_g[] = { 0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1 };

static struct stats_survey_design small_design(void)
{
    return (struct stats_survey_design){
        .n = 12, .stages = 2, .stage = { { small_h, small_u, small_f1 }, { NULL, NULL, small_f2 } }
    };
}

static void small_checks(bool post, const struct stats_survey *s)
{
    struct stats_survey_estimate e;
    uint8_t in[12];
    for (int i = 0; i < 12; i++)
        in[i] = small_g[i] == 0;
    assert_int_equal(stats_survey_mean(s, small_y, NULL, 0.95, &e), 0);
    agrees(&e, expected(post ? "small post mean" : "small mean"), true, true);
    assert_int_equal(stats_survey_total(s, small_y, NULL, 0.95, &e), 0);
    agrees(&e, expected(post ? "small post total" : "small total"), true, true);
    if (post)
        return;
    assert_int_equal(stats_survey_ratio(s, small_y, small_x, NULL, 0.95, &e), 0);
    agrees(&e, expected("small ratio"), true, true);
    assert_int_equal(stats_survey_mean(s, small_y, in, 0.95, &e), 0);
    agrees(&e, expected("small mean in a"), true, true);
    assert_int_equal(stats_survey_quantile(s, small_y, NULL, 0.5, STATS_QUANTILE_INVERSE,
                                           STATS_SURVEY_WALD, 0.95, &e),
                     0);
    agrees(&e, expected("small median"), true, false);
}

static void test_small(void **state)
{
    (void)state;
    struct stats_survey_design d = small_design();
    struct stats_survey *s;
    static const double totals[] = { 40, 47 };
    assert_int_equal(stats_survey_new(&s, &d), 0);
    small_checks(false, s);
    assert_int_equal(stats_survey_poststratify(s, small_g, 2, totals, NULL), 0);
    small_checks(true, s);
    stats_survey_free(s);
    /* every allocation that fails gives a clean error */
    long live = base_alloc_live();
    for (long n = 1; n < 100; n++) {
        base_alloc_fail_after(n);
        struct stats_survey_estimate e;
        int rc = stats_survey_new(&s, &d);
        if (rc == 0)
            rc = stats_survey_poststratify(s, small_g, 2, totals, NULL);
        if (rc == 0)
            rc = stats_survey_quantile(s, small_y, NULL, 0.5, 0, 0, 0.95, &e);
        stats_survey_free(s);
        base_alloc_fail_after(0);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        assert_int_equal(base_alloc_live(), live);
        if (rc == 0) {
            assert_true(n > 8);
            return;
        }
    }
    fail_msg("allocations never succeeded");
}

static void test_refusals(void **state)
{
    (void)state;
    struct stats_survey *s;
    struct stats_survey_design d = small_design();
    double bad[12];
#define REFUSED(text)                                                                              \
    do {                                                                                           \
        assert_int_equal(stats_survey_new(&s, &d), BASE_E_ARGUMENT);                               \
        assert_null(s);                                                                            \
        if (!strstr(base_error_message(), text))                                                   \
            fail_msg("\"%s\" does not say \"%s\"", base_error_message(), text);                    \
    } while (0)
    memcpy(bad, small_f1, sizeof bad);
    bad[3] = 9;
    d.stage[0].fpc = bad;
    REFUSED("10 in row 3 and 9 in row 4");
    bad[2] = 9;
    REFUSED("stratum");
    for (int i = 0; i < 12; i++)
        bad[i] = 2;
    REFUSED("3 units were sampled");
    bad[0] = 0.5;
    REFUSED("one or the other");
    bad[0] = -1;
    REFUSED("row 1, stage 1");
    bad[0] = NAN;
    REFUSED("row 1, stage 1");
    d = small_design();
    bad[0] = -1;
    d.weight = bad;
    REFUSED("row 1: weight -1");
    memset(bad, 0, sizeof bad);
    REFUSED("sum to 0");
    d = small_design();
    d.stages = 9;
    REFUSED("stages");
    d = small_design();
    d.joint = STATS_JOINT_HARTLEY_RAO;
    REFUSED("one stage");
    d.stages = 1;
    REFUSED("inclusion probability");
    d = small_design();
    assert_int_equal(stats_survey_new(&s, &d), 0);
    static const double none[] = { 40, 47, 3 }, zero[] = { 40, 0 };
    static const char *const names[] = { "a", "b", "c" };
    assert_int_equal(stats_survey_poststratify(s, small_g, 3, none, names), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "cell c has 3 in the population and no row"));
    assert_int_equal(stats_survey_poststratify(s, small_g, 2, zero, names), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "cell b has rows in the sample"));
    stats_survey_free(s);
}

/* ---- unbiased over all samples ---- */

/* Simple random samples of 3 out of 6. */
static void test_enumerate_random(void **state)
{
    (void)state;
    static const double population[] = { 3, 8, 1, 12, 7, 20 };
    double truth = 51, mean = 0, mean_v = 0, square = 0, samples = 0;
    static const double fpc[] = { 6, 6, 6 };
    for (int mask = 0; mask < 64; mask++) {
        if (__builtin_popcount((unsigned)mask) != 3)
            continue;
        double y[3];
        int n = 0;
        for (int i = 0; i < 6; i++)
            if (mask >> i & 1)
                y[n++] = population[i];
        struct stats_survey_design d = { .n = 3, .stages = 1, .stage = { { .fpc = fpc } } };
        struct stats_survey *s;
        struct stats_survey_estimate e;
        assert_int_equal(stats_survey_new(&s, &d), 0);
        assert_int_equal(stats_survey_total(s, y, NULL, 0.95, &e), 0);
        mean += e.estimate;
        mean_v += e.se * e.se;
        square += (e.estimate - truth) * (e.estimate - truth);
        samples++;
        stats_survey_free(s);
    }
    assert_true(samples == 20);
    assert_true(fabs(mean / samples - truth) < 1e-10);
    assert_true(fabs(mean_v / samples - square / samples) < 1e-9);
}

/* Two of three clusters (of 3, 2 and 4 elements), and two elements of each. */
static void test_enumerate_two_stages(void **state)
{
    (void)state;
    static const int size[] = { 3, 2, 4 };
    static const double element[3][4] = { { 1, 5, 9 }, { 2, 3 }, { 10, 4, 7, 6 } };
    double truth = 47, mean = 0, mean_v = 0, variance = 0, mass = 0;
    for (int skip = 0; skip < 3; skip++) {
        int a = skip == 0 ? 1 : 0, b = skip == 2 ? 1 : 2;
        double pairs_a = size[a] * (size[a] - 1) / 2.0, pairs_b = size[b] * (size[b] - 1) / 2.0;
        for (int i = 0; i < size[a]; i++)
            for (int j = i + 1; j < size[a]; j++)
                for (int k = 0; k < size[b]; k++)
                    for (int l = k + 1; l < size[b]; l++) {
                        const double y[] = { element[a][i], element[a][j], element[b][k],
                                             element[b][l] };
                        const uint32_t psu[] = { 7, 7, 2, 2 };
                        const double f1[] = { 3, 3, 3, 3 };
                        const double f2[] = { size[a], size[a], size[b], size[b] };
                        struct stats_survey_design d = {
                            .n = 4, .stages = 2, .stage = { { NULL, psu, f1 }, { NULL, NULL, f2 } }
                        };
                        struct stats_survey *s;
                        struct stats_survey_estimate e;
                        assert_int_equal(stats_survey_new(&s, &d), 0);
                        assert_int_equal(stats_survey_total(s, y, NULL, 0.95, &e), 0);
                        double p = 1 / (3 * pairs_a * pairs_b);
                        mean += p * e.estimate;
                        mean_v += p * e.se * e.se;
                        variance += p * (e.estimate - truth) * (e.estimate - truth);
                        mass += p;
                        stats_survey_free(s);
                    }
    }
    assert_true(fabs(mass - 1) < 1e-12);
    assert_true(fabs(mean - truth) < 1e-10);
    assert_true(fabs(mean_v - variance) < 1e-9);
}

/* Unequal probabilities without replacement: successive draws of 2 of 5 in proportion to size,
 * whose inclusion probabilities follow by adding up. Horvitz-Thompson's total and both forms of its
 * variance are unbiased; so is the total in every domain. */
static void test_enumerate_unequal(void **state)
{
    (void)state;
    static const double size[] = { 1, 2, 3, 4, 5 }, y[] = { 2, 1, 6, 3, 11 };
    double p[5][5] = { { 0 } }, pi[5] = { 0 };
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++)
            if (i != j)
                p[i][j] = size[i] / 15 * size[j] / (15 - size[i]) +
                          size[j] / 15 * size[i] / (15 - size[j]);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++)
            pi[i] += p[i][j];
    for (int form = 0; form < 2; form++) {
        double truth = 23, mean = 0, mean_v = 0, variance = 0, domain = 0, mass = 0;
        for (int i = 0; i < 5; i++)
            for (int j = i + 1; j < 5; j++) {
                const double joint[] = { pi[i], p[i][j], p[i][j], pi[j] };
                const double sample[] = { y[i], y[j] };
                const uint8_t in[] = { i % 2 == 0, j % 2 == 0 };
                struct stats_survey_design d = { .n = 2,
                                                 .stages = 1,
                                                 .joint = STATS_JOINT_MATRIX,
                                                 .joint_matrix = joint,
                                                 .yates_grundy = form };
                struct stats_survey *s;
                struct stats_survey_estimate e;
                assert_int_equal(stats_survey_new(&s, &d), 0);
                assert_int_equal(stats_survey_total(s, sample, NULL, 0.95, &e), 0);
                const double *w = stats_survey_weights(s);
                double z[] = { w[0] * sample[0], w[1] * sample[1] }, v;
                assert_int_equal(stats_survey_covariance(s, z, 1, &v), 0);
                mean += p[i][j] * e.estimate;
                mean_v += p[i][j] * v;
                variance += p[i][j] * (e.estimate - truth) * (e.estimate - truth);
                mass += p[i][j];
                if (in[0] || in[1]) {
                    assert_int_equal(stats_survey_total(s, sample, in, 0.95, &e), 0);
                    domain += p[i][j] * e.estimate;
                }
                stats_survey_free(s);
            }
        assert_true(fabs(mass - 1) < 1e-12);
        assert_true(fabs(mean - truth) < 1e-10);
        assert_true(fabs(domain - 19) < 1e-10);
        assert_true(fabs(mean_v - variance) < 1e-9);
    }
}

/* A census has no error, whatever the policy for single units. */
static void test_census(void **state)
{
    (void)state;
    static const double fpc[] = { 1, 3, 3, 3 }, y[] = { 4, 1, 2, 6 };
    static const uint32_t stratum[] = { 0, 1, 1, 1 };
    struct stats_survey_design d = { .n = 4, .stages = 1, .stage = { { stratum, NULL, fpc } } };
    struct stats_survey *s;
    struct stats_survey_estimate e;
    assert_int_equal(stats_survey_new(&s, &d), 0);
    assert_int_equal(stats_survey_total(s, y, NULL, 0.95, &e), 0);
    assert_true(e.estimate == 13 && e.se == 0 && e.df == 2);
    const uint8_t all[] = { 1, 1, 1, 1 }, none[] = { 0, 0, 0, 0 };
    assert_int_equal(stats_survey_proportion(s, all, NULL, STATS_SURVEY_LOGIT, 0.95, &e), 0);
    assert_true(e.estimate == 1 && e.interval.high == 1 && e.interval.low > 0.3);
    assert_int_equal(stats_survey_mean(s, y, none, 0.95, &e), BASE_E_ARGUMENT);
    stats_survey_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_api),
        cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_unequal_probabilities),
        cmocka_unit_test(test_lonely),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_enumerate_random),
        cmocka_unit_test(test_enumerate_two_stages),
        cmocka_unit_test(test_enumerate_unequal),
        cmocka_unit_test(test_census),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
