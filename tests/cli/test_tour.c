/* The tour as `./start` shows it: every stop ends well, the built-in model is what its README says
 * it is, the early checkpoint is worse, and the report is there. Needs nothing but the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

/* The result of the stop whose command begins with "assay NAME"; the n-th such. */
static const json_t *stop(const json_t *tour, const char *name, int n)
{
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(tour, "steps"), i, s)
    {
        const char *command = json_string_value(json_object_get(s, "command"));
        if (strncmp(command + strlen("assay "), name, strlen(name)) == 0 && n-- == 0)
            return json_object_get(s, "result");
    }
    fail_msg("no stop %s", name);
    return NULL;
}

static double metric(const json_t *run, const char *task, const char *name)
{
    const json_t *m = json_object_get(json_object_get(json_object_get(run, "results"), task), name);
    return json_number_value(json_object_get(m, "value"));
}

static void every_stop_ends_well(void **state)
{
    (void)state;
    char directory[512], page[600];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-tour"));
    snprintf(page, sizeof page, "%s/report.html", directory);
    struct test_run r = test_assay(NULL, "tour", "--results", directory, "--json", NULL);
    assert_int_equal(r.rc, 0);
    json_t *tour = test_run_json(&r);
    assert_non_null(tour);
    assert_int_equal(json_array_size(json_object_get(tour, "steps")), 16);
    assert_string_equal(json_string_value(json_object_get(tour, "report")), page);
    assert_int_equal(access(page, R_OK), 0);
    const json_t *trained = stop(tour, "eval", 0), *early = stop(tour, "eval", 1),
                 *compared = json_object_get(stop(tour, "compare", 0), "tasks");
    assert_true(metric(trained, "facts", "acc") >= 0.95);
    assert_true(metric(trained, "sentiment", "acc") >= 0.85);
    assert_true(metric(trained, "counting", "acc") >= 0.80);
    assert_true(metric(early, "facts", "acc") < 0.6);
    const json_t *facts = json_object_get(compared, "facts");
    assert_int_equal(json_integer_value(json_object_get(facts, "n")), 435);
    assert_string_equal(json_string_value(json_object_get(facts, "better")), "a");
    assert_true(json_number_value(json_object_get(facts, "p_adjusted")) < 1e-6);
    json_decref(tour);
    test_run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_stop_ends_well) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
