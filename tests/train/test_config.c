/* The configuration file: values, defaults, overrides, and what a mistake is told. */
#include "base/file.h"
#include "base/memory.h"
#include "train/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const char *const good =
    "model:\n  init: {model_type: gpt2, n_layer: 2}\n"
    "tokenizer: tok.json\n"
    "data:\n  train: [a.txt, b.txt]\n  validation: v.txt\n"
    "sequence_length: 128\nsteps: 1e3\n"
    "optimiser: {lr: 3e-4, betas: [0.9, 0.95]}\n"
    "schedule:\n  name: cosine\n  convention: llmc\n  warmup_steps: 10\n"
    "output: out\n";

static int parse(struct train_config **c, const char *text, const char *set)
{
    return train_config_parse(c, text, strlen(text), "t.yaml", &set, set != NULL);
}
static void values_and_defaults(void **state)
{
    (void)state;
    struct train_config *c;
    assert_int_equal(parse(&c, good, NULL), 0);
    assert_string_equal(json_string_value(json_object_get(c->model_init, "model_type")), "gpt2");
    assert_int_equal(c->train.count, 2);
    assert_string_equal(c->train.at[1], "b.txt");
    assert_int_equal(c->validation.count, 1);
    assert_int_equal(c->steps, 1000);
    assert_int_equal(c->sequence_length, 128);
    assert_true(c->lr == 3e-4 && c->betas[0] == 0.9 && c->betas[1] == 0.95);
    assert_string_equal(train_schedule_names[c->schedule], "cosine");
    assert_string_equal(train_convention_names[c->convention], "llmc");
    assert_true(c->clip == 1.0 && c->eps == 1e-8 && c->mask_documents && c->shuffle);
    assert_int_equal(c->batch_rows, 8);
    assert_string_equal(c->separator, "<|endoftext|>");
    assert_int_equal(c->resume, TRAIN_RESUME_AUTO);
    assert_string_equal(train_config_output(c), "out");
    train_config_free(c);
}
static void overrides_win(void **state)
{
    (void)state;
    static const char *const set[] = { "optimiser.lr=0.5", "output=\"x: y\"", "dropout=0.1",
                                       "data.train=[one.txt]", "evaluation.every=7" };
    struct train_config *c;
    assert_int_equal(train_config_parse(&c, good, strlen(good), "t.yaml", set, 5), 0);
    assert_true(c->lr == 0.5 && c->dropout == 0.1);
    assert_string_equal(c->output, "x: y");
    assert_int_equal(c->train.count, 1);
    assert_int_equal(c->evaluation_every, 7);
    train_config_free(c);
    assert_int_equal(parse(&c, good, "optimiser.lr"), BASE_E_ARGUMENT);
    assert_int_equal(parse(&c, good, "optimizer.lr=1"), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "optimiser.lr"));
    assert_null(c);
}
/* Appends a line to the good file and expects the message to hold each of the words. */
static void refused(const char *line, const char *a, const char *b)
{
    char text[2048];
    struct train_config *c;
    snprintf(text, sizeof text, "%s%s\n", good, line);
    int rc = parse(&c, text, NULL);
    if (rc != BASE_E_FORMAT || !strstr(base_error_message(), a) || !strstr(base_error_message(), b))
        fail_msg("\"%s\": %d, \"%s\": expected \"%s\" and \"%s\"", line, rc, base_error_message(),
                 a, b);
    assert_null(c);
}
static void mistakes_are_named(void **state)
{
    (void)state;
    refused("warmup: 5", "t.yaml:15: warmup", "schedule.warmup_steps");
    refused("learning_rate: 1", "unknown key", "nearest");
    refused("clipp: 1", "nearest known key: clip", "t.yaml:15");
    refused("clip: fast", "t.yaml:15: clip: expected a number", "\"fast\"");
    refused("clip: -1", "t.yaml:15: clip", "from 0");
    refused("packing: yes please", "expected one of split, whole, none", "yes please");
    refused("recompute: 3", "true or false", "an integer");
    refused("batch_rows: 2.5", "an integer", "batch_rows");
    refused("checkpoint: 100", "t.yaml:15: checkpoint: expected a mapping", "an integer");
    refused("evaluation: {evry: 3}", "t.yaml:15: evaluation.evry", "evaluation.every");
    refused("epochs: 3", "exactly one of steps and epochs", "both");
    refused("micro_batch_rows: 9", "at most batch_rows = 8", "9");
    struct train_config *c;
    assert_int_equal(parse(&c, good, "model.base=dir"), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "exactly one of"));
    assert_int_equal(parse(&c, good, "optimiser.betas=[0.9, 1]"), BASE_E_FORMAT);
    assert_int_equal(parse(&c, good, "optimiser.betas=[0.9]"), BASE_E_FORMAT);
    assert_int_equal(parse(&c, "- a\n- b\n", NULL), BASE_E_FORMAT);
    assert_int_equal(parse(&c, "output: x\n", NULL), BASE_E_FORMAT);
}
/* What is printed parses to the same configuration; the recipe holds what a result depends on. */
static void prints_itself(void **state)
{
    (void)state;
    struct train_config *c, *again;
    assert_int_equal(parse(&c, good, NULL), 0);
    json_t *all = train_config_json(c);
    char *text = base_json_dump(all, true);
    assert_int_equal(parse(&again, text, NULL), 0);
    json_t *second = train_config_json(again);
    assert_true(json_equal(all, second));
    json_t *recipe = train_config_recipe(c);
    assert_non_null(json_object_get(recipe, "optimiser.lr"));
    assert_non_null(json_object_get(recipe, "seed"));
    assert_null(json_object_get(recipe, "threads"));
    assert_null(json_object_get(recipe, "output"));
    json_decref(recipe);
    json_decref(all);
    json_decref(second);
    base_free(text);
    train_config_free(c);
    train_config_free(again);
}
static void every_key_is_documented(void **state)
{
    (void)state;
    char *text, wanted[128];
    size_t bytes;
    assert_int_equal(base_file_read("docs/train.md", 0, &text, &bytes), 0);
    for (size_t i = 0; i < train_key_count(); i++) {
        snprintf(wanted, sizeof wanted, "`%s`", train_key_name(i));
        if (!strstr(text, wanted))
            fail_msg("docs/train.md does not describe %s", wanted);
    }
    base_free(text);
}
static void allocation_failures(void **state)
{
    (void)state;
    struct train_config *c;
    for (long n = 1;; n++) {
        long live = base_alloc_live();
        base_alloc_fail_after(n);
        int rc = parse(&c, good, "optimiser.lr=1");
        base_alloc_fail_after(0);
        if (rc == 0) {
            train_config_free(c);
            assert_int_equal(base_alloc_live(), live);
            assert_true(n > 5);
            break;
        }
        assert_null(c);
        assert_int_equal(base_alloc_live(), live);
        assert_true(n < 10000);
    }
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_defaults),     cmocka_unit_test(overrides_win),
        cmocka_unit_test(mistakes_are_named),      cmocka_unit_test(prints_itself),
        cmocka_unit_test(every_key_is_documented), cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
