/* assay train as a person runs it: Ctrl-C, going on, the JSON summary, mistakes. */
#include "base/progress.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"

static char output[512], config[600];

static int set_up(void **state)
{
    char yaml[1400];
    (void)state;
    snprintf(output, sizeof output, "%s", test_temporary_path("-train"));
    snprintf(config, sizeof config, "%s.yaml", output);
    snprintf(yaml, sizeof yaml,
             "model: {base: tests/train/data/llama}\n"
             "data: {train: tests/train/data/documents.jsonl, format: ids}\n"
             "sequence_length: 32\nsteps: 1000000\ncheckpoint: {every: 2}\noutput: %s\n",
             output);
    test_write_file(config, yaml, strlen(yaml));
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    char *const argv[] = { "/bin/rm", "-rf", output, config, NULL };
    struct test_run r = test_spawn(argv, NULL);
    test_run_free(&r);
    return 0;
}
static int checkpoints(void)
{
    char path[600];
    int n = 0;
    snprintf(path, sizeof path, "%s/checkpoints", output);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        n += strncmp(e->d_name, "step-", 5) == 0;
    if (d)
        closedir(d);
    return n;
}
static void control_c_saves_and_the_same_command_continues(void **state)
{
    (void)state;
    const char *program = getenv("ASSAY_PROGRAM");
    char *argv[] = { (char *)(uintptr_t)(program && *program ? program : "./assay"), "train",
                     config, NULL };
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, argv[0], NULL, NULL, argv, environ), 0);
    for (double start = base_clock(); !checkpoints();)
        if (base_clock() - start > 240)
            fail_msg("no checkpoint appeared in %s", output);
    assert_int_equal(kill(pid, SIGINT), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);

    struct test_run r =
        test_assay(NULL, "train", config, "--resume", "--json", "--set", "steps=1", NULL);
    assert_int_equal(r.rc, 1); /* it is further than that */
    assert_non_null(strstr(r.err, "beyond the 1 steps"));
    test_run_free(&r);
    /* a rate that changes is said */
    r = test_assay(NULL, "train", config, "--resume", "--json", "--set", "epochs=6", "--set",
                   "steps=null", "--set", "optimiser.lr=1e-4", NULL);
    assert_int_equal(r.rc, 0);
    json_t *o = test_run_json(&r);
    assert_non_null(o);
    assert_non_null(
        strstr(r.err, "resuming with another optimiser.lr: 0.0001, before it was 0.001"));
    json_int_t first = json_integer_value(json_object_get(o, "first_step")),
               step = json_integer_value(json_object_get(o, "step"));
    assert_true(first >= 2 && step > first);
    assert_int_equal(step, json_integer_value(json_object_get(o, "steps")));
    assert_true(json_is_real(json_object_get(o, "loss")));
    assert_true(json_is_null(json_object_get(o, "validation_loss")));
    assert_true(json_integer_value(json_object_get(o, "peak_bytes")) > 1000000);
    assert_int_equal(access(json_string_value(json_object_get(o, "model")), R_OK), 0);
    json_decref(o);
    test_run_free(&r);
}
static void mistakes_are_told(void **state)
{
    (void)state;
    struct test_run r = test_assay(NULL, "train", NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
    r = test_assay(NULL, "train", "tests/train/data/none.yaml", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "none.yaml"));
    test_run_free(&r);
    r = test_assay(NULL, "train", config, "--set", "optimiser.rate=1", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "optimiser.rate: unknown key"));
    assert_string_equal(r.out, "");
    test_run_free(&r);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(control_c_saves_and_the_same_command_continues, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
