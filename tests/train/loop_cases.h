/* Whole training runs: against PyTorch (tests/oracle/train_curve.py), stopped and continued,
 * killed, split into micro-batches, and with mistakes. Included by the float and the float64
 * program; run as "PROGRAM child DIRECTORY STEPS CHECKPOINT_EVERY" it is the process that others
 * kill. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "model/gradient.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static const char *const common =
    "data: {train: tests/train/data/documents.jsonl, format: ids, shuffle: false}\n"
    "sequence_length: 32\nbatch_rows: 4\noptimiser: {lr: 3e-3, betas: [0.9, 0.95], weight_decay: "
    "0.1}\n";

/* Trains with `common`, the given base model and directory, and further overrides up to NULL. */
static int train(const char *base, const char *directory, struct train_summary *summary, ...)
{
    const char *set[24];
    char base_set[600], output_set[600];
    size_t n = 0;
    snprintf(base_set, sizeof base_set, "model.base=%s", base);
    snprintf(output_set, sizeof output_set, "output=%s", directory);
    set[n++] = base_set;
    set[n++] = output_set;
    va_list arguments;
    va_start(arguments, summary);
    for (const char *s; n < 24 && (s = va_arg(arguments, const char *));)
        set[n++] = s;
    va_end(arguments);
    struct train_config *c;
    int rc = train_config_parse(&c, common, strlen(common), "common", set, n);
    if (!rc)
        rc = train_run(c, summary);
    train_config_free(c);
    return rc;
}
static void train_well(const char *base, const char *directory, struct train_summary *summary,
                       const char *a, const char *b, const char *c, const char *d)
{
    if (train(base, directory, summary, a, b, c, d, NULL))
        fail_msg("%s", base_error_message());
}
static void remove_all(const char *path)
{
    char *const argv[] = { "/bin/rm", "-rf", (char *)(uintptr_t)path, NULL };
    struct test_run r = test_spawn(argv, NULL);
    test_run_free(&r);
}
static const char *directory(void)
{
    static char names[4][512];
    static unsigned next;
    char *name = names[next++ % 4];
    snprintf(name, sizeof names[0], "%s", test_temporary_path("-train"));
    remove_all(name);
    return name;
}
static void same_file(const char *a, const char *b, const char *name)
{
    char path[2][1024], *data[2];
    size_t bytes[2];
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", i ? b : a, name);
        if (base_file_read(path[i], 0, &data[i], &bytes[i]))
            fail_msg("%s", base_error_message());
    }
    if (bytes[0] != bytes[1] || memcmp(data[0], data[1], bytes[0]) != 0)
        fail_msg("%s and %s differ", path[0], path[1]);
    base_free(data[0]);
    base_free(data[1]);
}
/* Weights, moments and state of step n are the same bytes in two runs. */
static void same_checkpoint(const char *a, const char *b, int n)
{
    char name[64];
    static const char *const files[] = { "weights.safetensors", "moments.safetensors",
                                         "state.json" };
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "checkpoints/step-%010d/%s", n, files[i]);
        same_file(a, b, name);
    }
}
/* The log's lines as a JSON array. */
static json_t *log_of(const char *output)
{
    char path[600], *text;
    size_t bytes;
    snprintf(path, sizeof path, "%s/log.jsonl", output);
    assert_int_equal(base_file_read(path, 0, &text, &bytes), 0);
    json_t *lines = json_array();
    for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1)
        json_array_append_new(lines, json_loadb(p, (size_t)(end - p), 0, NULL));
    base_free(text);
    return lines;
}
static double at(const json_t *lines, size_t i, const char *key)
{
    const json_t *v = json_object_get(json_array_get(lines, i), key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

/* 20 steps give PyTorch's losses and gradient norms. */
static void curve(const char *name)
{
    char base[64];
    struct train_summary s;
    const char *out = directory();
    json_t *all = NULL;
    snprintf(base, sizeof base, "tests/train/data/%s", name);
    assert_int_equal(base_json_load(&all, "tests/train/data/curve.json"), 0);
    const json_t *expected = json_object_get(json_object_get(all, name), "f64");
    train_well(base, out, &s, "steps=20", "schedule={name: cosine, warmup_steps: 3}",
               "data.validation=tests/train/data/validation.jsonl", "micro_batch_rows=3");
    json_t *lines = log_of(out);
    assert_int_equal(json_array_size(lines), 20);
    /* transformers computes Llama's norms and rotations in float whatever the model's type */
    double exact = strcmp(name, "llama") == 0 ? 1e-6 : 1e-10,
           tolerance = sizeof(real) == 8 ? exact : 1e-4, worst = 0;
    for (size_t i = 0; i < 20; i++) {
        double loss = json_number_value(json_array_get(json_object_get(expected, "loss"), i)),
               norm = json_number_value(json_array_get(json_object_get(expected, "grad_norm"), i));
        double off = fabs(at(lines, i, "loss") - loss);
        worst = off > worst ? off : worst;
        if (!(off <= tolerance) || !(fabs(at(lines, i, "grad_norm") - norm) <= tolerance * norm))
            fail_msg("%s step %zu: loss %.9g, PyTorch %.9g; norm %.9g, PyTorch %.9g", name, i + 1,
                     at(lines, i, "loss"), loss, at(lines, i, "grad_norm"), norm);
        assert_int_equal(at(lines, i, "step"), i + 1);
    }
    double validation = json_number_value(json_object_get(expected, "validation_loss"));
    assert_true(fabs(at(lines, 19, "validation_loss") - validation) <= tolerance);
    assert_true(fabs(s.validation_loss - validation) <= tolerance);
    printf("%s: largest difference from PyTorch in 20 losses %.3g\n", name, worst);
    assert_int_equal(s.step, 20);
    assert_true(s.predicted_bytes > 16 * s.parameters);
    char path[600];
    snprintf(path, sizeof path, "%s/loss.png", out);
    assert_true(base_file_exists(path));
    json_decref(lines);
    json_decref(all);
    remove_all(out);
}
static void gpt2_curve_equals_pytorch(void **state)
{
    (void)state;
    curve("gpt2");
}
static void llama_curve_equals_pytorch(void **state)
{
    (void)state;
    curve("llama");
}
static const char *const LLAMA = "tests/train/data/llama";

static void resuming_changes_nothing(void **state)
{
    (void)state;
    struct train_summary s;
    const char *straight = directory(), *stopped = directory();
    train_well("tests/train/data/gpt2", straight, &s, "steps=6", "dropout=0.1", "data.shuffle=true",
               NULL);
    double loss = s.loss;
    train_well("tests/train/data/gpt2", stopped, &s, "steps=3", "dropout=0.1", "data.shuffle=true",
               NULL);
    assert_int_equal(s.first_step, 0);
    train_well("tests/train/data/gpt2", stopped, &s, "steps=6", "dropout=0.1", "data.shuffle=true",
               "checkpoint.resume=always");
    assert_int_equal(s.first_step, 3);
    assert_int_equal(s.step, 6);
    assert_true(s.loss == loss);
    same_checkpoint(straight, stopped, 6);
    json_t *a = log_of(straight), *b = log_of(stopped);
    assert_int_equal(json_array_size(b), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(at(a, i, "loss") == at(b, i, "loss"));
        assert_int_equal(at(b, i, "step"), i + 1);
    }
    json_decref(a);
    json_decref(b);
    same_file(straight, stopped, "model/model.safetensors");
    remove_all(straight);
    remove_all(stopped);
}
static void micro_batches_and_threads_change_nothing(void **state)
{
    (void)state;
    struct train_summary s;
    const char *whole = directory(), *split = directory();
    train_well(LLAMA, whole, &s, "steps=4", "dropout=0.2", "threads=1", NULL);
    train_well(LLAMA, split, &s, "steps=4", "dropout=0.2", "threads=2", "micro_batch_rows=1");
    same_checkpoint(whole, split, 4);
    remove_all(split);
    split = directory();
    train_well(LLAMA, split, &s, "steps=4", "dropout=0.2", "recompute=true", "micro_batch_rows=3");
    same_checkpoint(whole, split, 4);
    base_threads_set(0);
    remove_all(whole);
    remove_all(split);
}
/* The final model is the last checkpoint's weights, readable by anyone. */
static void final_model_loads(void **state)
{
    (void)state;
    struct train_summary s;
    const char *out = directory();
    train_well(LLAMA, out, &s, "epochs=1", NULL, NULL, NULL);
    assert_int_equal(s.steps, (s.tokens + 32 * 4 - 1) / (32 * 4));
    struct model *m;
    struct model_options options = { .trainable = true };
    if (model_load(&m, s.model, &options))
        fail_msg("%s", base_error_message());
    assert_int_equal(model_parameters(m), s.parameters);
    size_t n = model_parameter_count(m);
    struct model_parameter **p = base_alloc(n, sizeof *p);
    real **values = base_alloc(n, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        p[i] = model_parameter_at(m, i);
        size_t bytes = p[i]->rows * p[i]->columns * sizeof(real);
        values[i] = base_alloc(1, bytes);
        memcpy(values[i], p[i]->value, bytes);
    }
    struct train_optimiser *o;
    assert_int_equal(train_optimiser_new(&o, p, n, 0.9, 0.95, 1e-8, 0), 0);
    if (train_checkpoint_load(s.checkpoint, o))
        fail_msg("%s", base_error_message());
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < p[i]->rows * p[i]->columns; k++)
            assert_true((float)p[i]->value[k] == (float)values[i][k]);
        base_free(values[i]);
    }
    base_free(values);
    base_free(p);
    train_optimiser_free(o);
    model_free(m);
    /* finished: the same command again does nothing but write the model once more */
    train_well(LLAMA, out, &s, "epochs=1", NULL, NULL, NULL);
    assert_true(s.first_step == s.steps && s.step == s.steps);
    remove_all(out);
}
static void expect_error(int rc, int code, const char *words)
{
    if (rc != code || !strstr(base_error_message(), words))
        fail_msg("%d \"%s\": expected %d \"%s\"", rc, base_error_message(), code, words);
}
static void mistakes_are_named(void **state)
{
    (void)state;
    struct train_summary s;
    const char *out = directory();
    expect_error(train(LLAMA, out, &s, "steps=2", "sequence_length=65", NULL), BASE_E_LIMIT,
                 "sequence_length: expected 1 to 64");
    expect_error(train("tests/train/data/none", out, &s, "steps=2", NULL), BASE_E_IO, "none");
    expect_error(train(LLAMA, out, &s, "steps=2", "checkpoint.resume=always", NULL),
                 BASE_E_ARGUMENT, "no checkpoint to resume");
    char ids[600], set[640];
    assert_int_equal(base_file_make_directories(out), 0);
    snprintf(ids, sizeof ids, "%s/ids", out);
    test_write_file(ids, "[1,64]\n", 7);
    snprintf(set, sizeof set, "data.train=%s", ids);
    expect_error(train(LLAMA, out, &s, "steps=2", set, NULL), BASE_E_ARGUMENT,
                 "id 64 is beyond the model's vocabulary of 64");
    train_well(LLAMA, out, &s, "steps=2", NULL, NULL, NULL);
    expect_error(train(LLAMA, out, &s, "steps=2", "seed=3", NULL), BASE_E_ARGUMENT,
                 "seed: the run in");
    expect_error(train(LLAMA, out, &s, "steps=2", set, NULL), BASE_E_ARGUMENT, "beyond");
    expect_error(train(LLAMA, out, &s, "steps=1", NULL), BASE_E_ARGUMENT, "beyond the 1 steps");
    expect_error(train(LLAMA, out, &s, "steps=3", "checkpoint.resume=never", NULL), BASE_E_ARGUMENT,
                 "never");
    expect_error(
        train(LLAMA, out, &s, "steps=3", "data.train=tests/train/data/validation.jsonl", NULL),
        BASE_E_ARGUMENT, "other data");
    remove_all(out);
}
/* A weight that is no number: the run stops before it changes anything. */
static void no_number_stops_the_run(void **state)
{
    (void)state;
    struct train_summary s;
    const char *out = directory();
    char path[700], base[600], *data;
    size_t bytes;
    snprintf(base, sizeof base, "%s/base", out);
    assert_int_equal(base_file_make_directories(base), 0);
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "model.safetensors" : "config.json";
        snprintf(path, sizeof path, "%s/%s", LLAMA, name);
        assert_int_equal(base_file_read(path, 0, &data, &bytes), 0);
        if (i)
            memset(data + bytes - 4, 0xff, 4);
        snprintf(path, sizeof path, "%s/%s", base, name);
        test_write_file(path, data, bytes);
        base_free(data);
    }
    expect_error(train(base, out, &s, "steps=2", NULL), BASE_E_NUMERIC, "step 1: the loss is");
    expect_error(0, 0, "nothing was saved yet");
    assert_int_equal(s.step, 0);
    remove_all(out);
}

/* Memory that runs out anywhere ends the run with an error and leaves nothing allocated. */
static void allocation_failures(void **state)
{
    (void)state;
    struct train_summary s;
    int rc = -1;
    for (long n = 1; rc && n < 1000000; n += 1 + n / 6) {
        const char *out = directory();
        long live = base_alloc_live();
        base_alloc_fail_after(n);
        rc = train(LLAMA, out, &s, "steps=1", NULL);
        base_alloc_fail_after(0);
        if (rc > 0 || base_alloc_live() != live)
            fail_msg("allocation %ld: %d \"%s\", %ld blocks left", n, rc, base_error_message(),
                     base_alloc_live() - live);
        remove_all(out);
    }
    assert_int_equal(rc, 0);
}

/* ---- processes that are stopped ---- */

static const char *steps_set(int steps)
{
    static char text[2][32];
    static unsigned next;
    char *t = text[next++ % 2];
    snprintf(t, sizeof text[0], "steps=%d", steps);
    return t;
}
static int child(const char *output, const char *steps, const char *every)
{
    char steps_text[64], every_text[64];
    struct train_summary s;
    snprintf(steps_text, sizeof steps_text, "steps=%s", steps);
    snprintf(every_text, sizeof every_text, "checkpoint.every=%s", every);
    base_interrupt_install();
    int rc = train(LLAMA, output, &s, steps_text, every_text, NULL);
    fprintf(stderr, "%s\n", base_error_message());
    return -rc;
}
static pid_t start_child(const char *output, const char *steps, const char *every)
{
    char *argv[] = { "/proc/self/exe",          "child",
                     (char *)(uintptr_t)output, (char *)(uintptr_t)steps,
                     (char *)(uintptr_t)every,  NULL };
    pid_t pid;
    posix_spawn_file_actions_t actions;
    char err[600];
    snprintf(err, sizeof err, "%s.err", output);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, err, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}
/* The newest checkpoint's step in a directory, 0 when there is none. */
static uint64_t newest(const char *checkpoints, bool *writing)
{
    uint64_t step = 0;
    *writing = false;
    DIR *d = opendir(checkpoints);
    for (struct dirent *e; d && (e = readdir(d));) {
        uint64_t n = strncmp(e->d_name, "step-", 5) == 0 ? strtoull(e->d_name + 5, NULL, 10) : 0;
        step = n > step ? n : step;
        *writing = *writing || strncmp(e->d_name, ".writing-", 9) == 0;
    }
    if (d)
        closedir(d);
    return step;
}
/* Waits (at most four minutes: test machines can be busy) for a checkpoint of that step or later,
 * and then for one being written.
 */
static void wait_for(const char *checkpoints, uint64_t step, bool writing)
{
    bool seen;
    for (double start = base_clock(); newest(checkpoints, &seen) < step || (writing && !seen);)
        if (base_clock() - start > 240)
            fail_msg("%s: no checkpoint of step %" PRIu64, checkpoints, step);
}
static void interruption_saves(void **state)
{
    (void)state;
    const char *out = directory(), *straight = directory();
    char path[600], err[600], *text;
    size_t bytes;
    pid_t pid = start_child(out, "1000000", "3");
    snprintf(path, sizeof path, "%s/checkpoints", out);
    wait_for(path, 3, false);
    assert_int_equal(kill(pid, SIGINT), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), -BASE_E_INTERRUPTED);
    snprintf(err, sizeof err, "%s.err", out);
    assert_int_equal(base_file_read(err, 0, &text, &bytes), 0);
    assert_non_null(strstr(text, "the same command continues there"));
    base_free(text);
    unlink(err);
    char found[4096];
    assert_int_equal(train_checkpoint_find(path, found), 0);
    struct train_state s;
    assert_int_equal(train_checkpoint_state(found, &s), 0);
    assert_true(s.step >= 3 && s.step < 1000000);
    int end = (int)s.step + 2;
    train_state_free(&s);
    struct train_summary summary;
    train_well(LLAMA, out, &summary, steps_set(end), NULL, NULL, NULL);
    assert_int_equal(summary.first_step, end - 2);
    train_well(LLAMA, straight, &summary, steps_set(end), NULL, NULL, NULL);
    same_checkpoint(straight, out, end);
    json_t *lines = log_of(out);
    assert_int_equal(json_array_size(lines), end);
    json_decref(lines);
    remove_all(out);
    remove_all(straight);
}
/* kill -9 while a checkpoint is being written, several times over: what is there is whole, and the
 * run ends as if nothing had happened. */
static void kill_while_saving(void **state)
{
    (void)state;
    const char *out = directory(), *straight = directory();
    char path[600], found[4096], err[600];
    struct train_summary summary;
    uint64_t before = 0;
    snprintf(path, sizeof path, "%s/checkpoints", out);
    snprintf(err, sizeof err, "%s.err", out);
    for (int round = 0; round < 3; round++) {
        pid_t pid = start_child(out, "1000000", "1");
        /* each round a few steps further, then in the middle of a write */
        wait_for(path, before + 2, true);
        kill(pid, SIGKILL);
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(train_checkpoint_find(path, found), 0);
        struct train_state s;
        assert_int_equal(train_checkpoint_state(found, &s), 0);
        assert_true(s.step >= before + 2);
        before = s.step;
        train_state_free(&s);
    }
    unlink(err);
    int end = (int)before + 2;
    train_well(LLAMA, out, &summary, steps_set(end), "checkpoint.every=1", NULL, NULL);
    assert_true((int)summary.first_step <= end);
    train_well(LLAMA, straight, &summary, steps_set(end), NULL, NULL, NULL);
    same_checkpoint(straight, out, end);
    remove_all(out);
    remove_all(straight);
}
int main(int argc, char **argv)
{
    base_progress_quiet(true);
    if (argc == 5 && strcmp(argv[1], "child") == 0)
        return child(argv[2], argv[3], argv[4]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_curve_equals_pytorch),
        cmocka_unit_test(llama_curve_equals_pytorch),
        cmocka_unit_test(resuming_changes_nothing),
        cmocka_unit_test(micro_batches_and_threads_change_nothing),
        cmocka_unit_test(final_model_loads),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(no_number_stops_the_run),
        cmocka_unit_test(allocation_failures),
        cmocka_unit_test(interruption_saves),
        cmocka_unit_test(kill_while_saving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
