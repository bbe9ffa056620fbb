/* assay describe: the OSMI survey with its impossible ages, made tables for each rule, quantiles
 * and moments beside exact ones, and the sketches that take over. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support.h"
#include "base/memory.h"
#include "base/rng.h"
#include <assay/describe.h>

static struct sampling_description describe(const char *text, const char *suffix)
{
    const char *path = test_temporary_path(suffix);
    struct sampling_description d;
    test_write_file(path, text, strlen(text));
    if (sampling_describe(&d, path, NULL, NULL))
        fail_msg("%s", base_error_message());
    unlink(path);
    return d;
}

static const struct sampling_finding *found(const struct sampling_description *d,
                                            enum sampling_rule rule, const char *column)
{
    for (size_t i = 0; i < d->findings; i++)
        if (d->finding[i].rule == rule &&
            (column ? d->finding[i].column && strcmp(d->finding[i].column, column) == 0
                    : d->finding[i].column == NULL))
            return &d->finding[i];
    return NULL;
}

static const struct sampling_column_description *column(const struct sampling_description *d,
                                                        const char *name)
{
    for (size_t i = 0; i < d->columns; i++)
        if (strcmp(d->column[i].name, name) == 0)
            return &d->column[i];
    fail_msg("no column %s", name);
    return NULL;
}

/* Values of R: summary(read.csv(...)$Age), of ages in 0..130 mean and sd. */
static void test_osmi(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/survey/osmi_2014_survey.csv");
    long live = base_alloc_live();
    struct sampling_description d;
    assert_int_equal(
        sampling_describe(&d, test_shared_path("sampling/survey/osmi_2014_survey.csv"), NULL, NULL),
        0);
    assert_int_equal(d.rows, 1259);
    assert_int_equal(d.columns, 27);
    assert_true(d.duplicates == 1 && d.duplicates_error == 0);
    const struct sampling_finding *f = found(&d, SAMPLING_RULE_RANGE, "Age");
    assert_non_null(f);
    assert_int_equal(f->severity, SAMPLING_IMPOSSIBLE);
    assert_int_equal(f->count, 5);
    assert_int_equal(f->n, 5);
    static const char *const ages[] = { "99999999999", "329", "-1726", "-29", "-1" };
    static const uint64_t lines[] = { 392, 366, 717, 145, 1129 };
    for (size_t i = 0; i < 5; i++) {
        bool there = false;
        for (size_t k = 0; k < 5; k++)
            there |= strcmp(f->example[k].text, ages[i]) == 0 && f->example[k].line == lines[i];
        assert_true(there);
    }
    const struct sampling_column_description *age = column(&d, "Age");
    assert_int_equal(age->kind, SAMPLING_KIND_INTEGER);
    assert_true(age->distinct == 53 && age->exact && age->missing == 0);
    assert_true(age->quantile[2] == 27 && age->quantile[3] == 31 && age->quantile[4] == 36);
    assert_true(age->min == -1726 && age->max == 99999999999);
    assert_int_equal(age->plausible, 1254);
    assert_true(fabs(age->plausible_mean - 32.01914) < 1e-5);
    assert_true(fabs(age->plausible_sd - 7.375004737) < 1e-5);
    f = found(&d, SAMPLING_RULE_VARIANTS, "Gender");
    assert_non_null(f);
    assert_int_equal(f->count, 826);
    assert_string_equal(f->example[0].text, "Male");
    assert_int_equal(f->example[0].count, 615);
    assert_non_null(found(&d, SAMPLING_RULE_SPELLING, "Gender"));
    f = found(&d, SAMPLING_RULE_SPREADSHEET, "no_employees");
    assert_non_null(f);
    assert_int_equal(f->count, 452);
    assert_int_equal(column(&d, "Timestamp")->kind, SAMPLING_KIND_DATE);
    assert_int_equal(column(&d, "treatment")->kind, SAMPLING_KIND_YES_NO);
    assert_int_equal(column(&d, "state")->missing, 515);
    assert_int_equal(column(&d, "Country")->top[0].count, 751);
    sampling_description_free(&d);
    assert_int_equal(base_alloc_live(), live);
}

/* A column of numbers 1..n with some more cells. */
static struct sampling_description numbers(const char *name, int n, const char *more)
{
    struct base_buffer {
        char text[20000];
    } b;
    size_t at = (size_t)snprintf(b.text, sizeof b.text, "%s,k\n", name);
    for (int i = 1; i <= n; i++)
        at += (size_t)snprintf(b.text + at, sizeof b.text - at, "%d,%d\n", i, i);
    snprintf(b.text + at, sizeof b.text - at, "%s", more);
    return describe(b.text, ".csv");
}

static void test_number_rules(void **state)
{
    (void)state;
    struct sampling_description d = numbers("height", 100, "999,a\n-999,b\n50000,c\n");
    const struct sampling_finding *f = found(&d, SAMPLING_RULE_SENTINEL, "height");
    assert_non_null(f);
    assert_int_equal(f->count, 2);
    assert_int_equal(f->severity, SAMPLING_IMPOSSIBLE);
    f = found(&d, SAMPLING_RULE_FAR, "height");
    assert_non_null(f);
    assert_int_equal(f->count, 1);
    assert_string_equal(f->example[0].text, "50000");
    assert_int_equal(f->example[0].line, 104);
    assert_null(found(&d, SAMPLING_RULE_RANGE, "height"));
    assert_int_equal(column(&d, "height")->plausible, 100);
    assert_true(fabs(column(&d, "height")->plausible_mean - 50.5) < 1e-12);
    sampling_description_free(&d);

    d = numbers("height", 200, "-3,a\n"); /* one of 201 */
    f = found(&d, SAMPLING_RULE_SIGN, "height");
    assert_true(f && f->count == 1 && f->severity == SAMPLING_SUSPECT);
    sampling_description_free(&d);

    d = numbers("height", 100, ""); /* nothing to find */
    assert_int_equal(d.findings, 0);
    assert_true(column(&d, "height")->quantile[3] == 50.5);
    assert_true(fabs(column(&d, "height")->quantile[0] - 1.99) < 1e-12);
    assert_true(fabs(column(&d, "height")->sd - 29.011491975882016) < 1e-12);
    sampling_description_free(&d);

    d = numbers("PCT", 100, "101,a\n200,b\nn/a,c\n,d\nmany,e\n");
    f = found(&d, SAMPLING_RULE_RANGE, "PCT");
    assert_true(f && f->count == 2);
    f = found(&d, SAMPLING_RULE_MIXED, "PCT");
    assert_true(f && f->count == 1 && strcmp(f->example[0].text, "many") == 0 &&
                f->example[0].line == 106);
    assert_true(column(&d, "PCT")->missing == 2 && column(&d, "PCT")->empty == 1);
    sampling_description_free(&d);

    /* a long tail is no error: exp of a ramp up to 3.3 interquartile ranges in logarithms */
    char text[8000];
    size_t at = (size_t)snprintf(text, sizeof text, "income\n");
    for (int i = 0; i < 300; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%.2f\n", exp(i * 0.03));
    d = describe(text, ".csv");
    assert_null(found(&d, SAMPLING_RULE_FAR, "income"));
    sampling_description_free(&d);

    const struct sampling_range range = { "k", -INFINITY, 50 };
    const struct sampling_describe_options o = { .range = &range, .ranges = 1 };
    const char *path = test_temporary_path(".csv");
    test_write_file(path, "k,age\n1,2\n60,3\n", 15);
    assert_int_equal(sampling_describe(&d, path, NULL, &o), 0);
    f = found(&d, SAMPLING_RULE_RANGE, "k");
    assert_true(f && f->count == 1);
    sampling_description_free(&d);
    unlink(path);
}

static void test_dates(void **state)
{
    (void)state;
    struct sampling_description d =
        describe("iso,us,eu,both\n"
                 "2014-08-27,8/27/2014 11:29,27.8.2014,27/8/2014\n"
                 "2014-08-28T11:29:31Z,8/28/2014 9:05 PM,28.8.2014,8/27/2014\n"
                 "2024-02-29 00:00:00.5+02:00,8/30/2014 12:00,1.9.2014,1/2/2014\n"
                 "1850-01-01,9/1/2014,2.9.2014,3/2/2014\n",
                 ".csv");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(d.column[i].kind, SAMPLING_KIND_DATE);
    char text[24];
    sampling_date_text(column(&d, "iso")->max, text, sizeof text);
    assert_string_equal(text, "2024-02-28 22:00:00");
    sampling_date_text(column(&d, "us")->min, text, sizeof text);
    assert_string_equal(text, "2014-08-27 11:29:00");
    sampling_date_text(column(&d, "us")->max, text, sizeof text);
    assert_string_equal(text, "2014-09-01");
    sampling_date_text(column(&d, "eu")->max, text, sizeof text);
    assert_string_equal(text, "2014-09-02");
    const struct sampling_finding *f = found(&d, SAMPLING_RULE_DATE, "iso");
    assert_true(f && f->count == 1 && strcmp(f->example[0].text, "1850-01-01") == 0);
    assert_non_null(found(&d, SAMPLING_RULE_ORDER, "both"));
    assert_null(found(&d, SAMPLING_RULE_ORDER, "us"));
    sampling_description_free(&d);
    /* one date that can only be day first settles the others */
    d = describe("when,x\n1/2/2014,1\n3/2/2014,2\n27/8/2014,3\n", ".csv");
    sampling_date_text(column(&d, "when")->min, text, sizeof text);
    assert_string_equal(text, "2014-02-01");
    sampling_description_free(&d);
    /* what is no date */
    d = describe("a,b,c,d\n2014-13-01,2014-02-30,31/4/2014,2014-1-1x\n", ".csv");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(d.column[i].dates, 0);
    sampling_description_free(&d);
}

static void test_texts(void **state)
{
    (void)state;
    struct sampling_description d =
        describe("{\"g\": \"yes\", \"z\": \"007\", \"w\": \"Straße\"}\n"
                 "{\"g\": \"No\", \"z\": \"012\", \"w\": \"STRASSE\"}\n"
                 "{\"g\": \"yes\", \"z\": \"099\", \"w\": \" strasse \"}\n"
                 "{\"g\": null, \"z\": \"100\", \"w\": \"weg\"}\n"
                 "{\"g\": \"yes\", \"z\": \"007\", \"w\": \"Straße\"}\n",
                 ".jsonl");
    assert_int_equal(column(&d, "g")->kind, SAMPLING_KIND_YES_NO);
    assert_int_equal(column(&d, "g")->missing, 1);
    assert_non_null(found(&d, SAMPLING_RULE_ZEROS, "z"));
    const struct sampling_finding *f = found(&d, SAMPLING_RULE_VARIANTS, "w");
    assert_true(f && f->count == 4 && f->n == 3);
    f = found(&d, SAMPLING_RULE_BLANKS, "w");
    assert_true(f && f->count == 1);
    f = found(&d, SAMPLING_RULE_DUPLICATES, NULL);
    assert_true(f && f->count == 1 && strcmp(f->example[0].text, "row 5 = row 1") == 0);
    json_t *o = sampling_description_json(&d);
    assert_int_equal(json_integer_value(json_object_get(o, "rows")), 5);
    assert_int_equal(json_array_size(json_object_get(o, "columns")), 3);
    json_decref(o);
    sampling_description_free(&d);
    d = describe("a,b\n", ".csv");
    assert_true(d.rows == 0 && d.columns == 2 && d.column[0].kind == SAMPLING_KIND_EMPTY);
    sampling_description_free(&d);
    d = describe("m,n\n1,x\n2,y\nx,3\ny,4\n", ".csv");
    assert_int_equal(d.column[0].kind, SAMPLING_KIND_MIXED);
    assert_true(d.column[0].max == 2);
    assert_non_null(found(&d, SAMPLING_RULE_MIXED, "m"));
    sampling_description_free(&d);
}

/* More different values than are kept: moments and ranges exact, the rest within what is said. */
static void test_sketched(void **state)
{
    (void)state;
    enum { N = 300000 };
    const char *path = test_temporary_path(".csv");
    FILE *f = fopen(path, "w");
    fprintf(f, "x,name,common\n");
    for (int i = 0; i < N; i++) {
        int x = (int)((uint64_t)i * 7919 % N); /* a permutation */
        fprintf(f, "%d.5,name%d,%d\n", x, i, i % 4 == 0 ? 7 : 100000 + i);
    }
    fclose(f);
    struct sampling_description d;
    assert_int_equal(sampling_describe(&d, path, NULL, NULL), 0);
    const struct sampling_column_description *x = column(&d, "x"), *c = column(&d, "common");
    assert_false(x->exact);
    assert_true(x->min == 0.5 && x->max == N - 0.5);
    assert_true(fabs(x->mean - N / 2.0) < 1e-6);
    assert_true(fabs(x->sd - sqrt((double)N * (N + 1) / 12)) < 1e-6);
    assert_true(fabs(x->distinct - N) < 4 * 0.0081 * N);
    assert_true(x->quantile_error > 0 && x->quantile_error < 0.003);
    for (int k = 0; k < SAMPLING_DESCRIBE_QUANTILES; k++)
        assert_true(fabs(x->quantile[k] / N - sampling_describe_q[k]) <= x->quantile_error + 1e-5);
    assert_int_equal(x->kind, SAMPLING_KIND_NUMBER);
    /* a quarter of the values is 7: found, and its count is within what is said */
    assert_string_equal(c->top[0].text, "7");
    assert_true(c->top[0].count <= N / 4 && c->top[0].count + c->top_error >= N / 4);
    assert_true(c->top_error < N / 100);
    assert_int_equal(column(&d, "name")->kind, SAMPLING_KIND_TEXT);
    assert_true(d.duplicates == 0 && d.duplicates_error == 0);
    sampling_description_free(&d);
    unlink(path);
}

static void test_memory(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".csv");
    static const char text[] = "age,g,when\n1,a,2014-08-27\n2,A,2014-08-28\n999,b ,x\n999,b ,x\n";
    test_write_file(path, text, sizeof text - 1);
    long live = base_alloc_live(), failed = 0;
    for (long n = 1; n < 150; n++) {
        struct sampling_description d;
        base_alloc_fail_after(n);
        int rc = sampling_describe(&d, path, NULL, NULL);
        base_alloc_fail_after(0);
        sampling_description_free(&d);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        failed += rc != 0;
        assert_int_equal(base_alloc_live(), live);
    }
    assert_true(failed > 50 && failed < 149);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_osmi),     cmocka_unit_test(test_number_rules),
        cmocka_unit_test(test_dates),    cmocka_unit_test(test_texts),
        cmocka_unit_test(test_sketched), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
