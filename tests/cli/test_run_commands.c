/* next, score, generate, ppl as scripts see them: the contract of their JSON, that their figures
 * agree with each other, and one clear line with exit code 1 (or 2 for usage) for bad input. */
#include "base/memory.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "cli_support.h"
#include "tiny_model.h"

#define MODEL "-m", (char *)test_tiny_model(), "--json"

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_number(v))
        fail_msg("%s is no number", key);
    return json_number_value(v);
}
static json_t *list(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (!json_is_array(v))
        fail_msg("%s is no list", key);
    return v;
}

static void next_keeps_its_contract(void **state)
{
    (void)state;
    json_t *o = RUN("next", MODEL, "--top", "300", "--target", " cat", "--target", " dog ran",
                    "The cat and the");
    json_t *top = list(o, "top"), *targets = list(o, "targets"), *k;
    assert_int_equal(json_array_size(top), TEST_TINY_VOCABULARY);
    assert_true(json_array_size(list(o, "ids")) >= 2);
    double sum = 0, before = 1;
    size_t i;
    json_array_foreach(top, i, k)
    {
        double p = number(k, "p");
        assert_true(json_is_integer(json_object_get(k, "id")));
        assert_true(json_is_string(json_object_get(k, "token")));
        assert_true(p <= before);
        assert_true(fabs(log(p) - number(k, "logp")) < 1e-9);
        before = p;
        sum += p;
    }
    assert_true(fabs(sum - 1) < 1e-6);
    assert_int_equal(json_array_size(targets), 2);
    json_array_foreach(targets, i, k)
    {
        size_t rank = (size_t)number(k, "rank");
        json_t *at = json_array_get(top, rank - 1);
        assert_int_equal(number(at, "id"), number(k, "id"));
        assert_true(fabs(number(at, "logp") - number(k, "logp")) < 1e-12);
        assert_true(number(k, "whole_logp") <= number(k, "logp"));
    }
    assert_string_equal(json_string_value(json_object_get(json_array_get(targets, 0), "text")),
                        " cat");
    /* the same by score */
    json_t *s = RUN("score", MODEL, "--context", "The cat and the", "--continuation", " dog ran");
    assert_true(fabs(number(s, "sum") - number(json_array_get(targets, 1), "whole_logp")) < 1e-9);
    json_decref(s);
    /* from standard input, and by ids */
    json_t *piped = RUN_INPUT("The cat and the", "next", MODEL, "--top", "3", "-");
    assert_true(json_equal(list(piped, "ids"), list(o, "ids")));
    assert_int_equal(json_array_size(list(piped, "top")), 3);
    assert_int_equal(json_array_size(list(piped, "targets")), 0);
    for (i = 0; i < 3; i++)
        assert_true(json_equal(json_array_get(list(piped, "top"), i), json_array_get(top, i)));
    json_decref(piped);
    json_decref(o);
}

static void score_keeps_its_contract(void **state)
{
    (void)state;
    const char *npy = test_temporary_path(".npy");
    json_t *o = RUN("score", MODEL, "--ids", "5,9,270,33,12", "--logits", (char *)npy);
    json_t *ids = list(o, "ids"), *logprobs = list(o, "logprobs");
    assert_int_equal(json_array_size(ids), 5);
    assert_int_equal(json_integer_value(json_array_get(ids, 2)), 270);
    assert_int_equal(json_array_size(logprobs), 5);
    assert_true(json_is_null(json_array_get(logprobs, 0)));
    double sum = 0;
    for (size_t i = 1; i < 5; i++)
        sum += json_number_value(json_array_get(logprobs, i));
    assert_true(fabs(sum - number(o, "sum")) < 1e-12);
    assert_true(json_is_boolean(json_object_get(o, "greedy")));
    assert_true(fabs(number(o, "perplexity") - exp(-sum / 4)) < 1e-9 * exp(-sum / 4));
    /* the file: header, shape, and the log-probabilities again */
    FILE *f = fopen(npy, "rb");
    assert_non_null(f);
    unsigned char head[128];
    assert_int_equal(fread(head, 1, 128, f), 128);
    assert_memory_equal(head, "\x93NUMPY\x01\x00", 8);
    assert_int_equal(head[8] + 256 * head[9] + 10, 128);
    assert_int_equal(head[127], '\n');
    assert_non_null(strstr((char *)head + 10, "'descr': '<f4'"));
    assert_non_null(strstr((char *)head + 10, "'shape': (5, 300)"));
    float row[TEST_TINY_VOCABULARY];
    for (size_t i = 1; i < 5; i++) {
        assert_int_equal(fread(row, sizeof *row, TEST_TINY_VOCABULARY, f), TEST_TINY_VOCABULARY);
        double z = 0;
        for (int v = 0; v < TEST_TINY_VOCABULARY; v++)
            z += exp(row[v]);
        double want = row[json_integer_value(json_array_get(ids, i))] - log(z);
        assert_true(fabs(want - json_number_value(json_array_get(logprobs, i))) < 1e-5);
    }
    fclose(f);
    unlink(npy);
    /* without the file the figures are the same */
    json_t *again = RUN("score", MODEL, "--ids", "5,9,270,33,12");
    assert_true(fabs(number(again, "sum") - sum) < 1e-9);
    json_decref(again);
    json_decref(o);
    o = RUN("score", MODEL, "--ids", "7");
    assert_true(json_is_null(json_array_get(list(o, "logprobs"), 0)));
    assert_true(number(o, "sum") == 0);
    assert_int_equal(number(o, "tokens"), 0);
    json_decref(o);
    o = RUN("score", MODEL, "--context", "The cat ", "--continuation", "sat on");
    size_t context = (size_t)number(o, "context_tokens");
    for (size_t i = 0; i < json_array_size(list(o, "ids")); i++)
        assert_true(json_is_null(json_array_get(list(o, "logprobs"), i)) == (i < context));
    assert_false(json_boolean_value(json_object_get(o, "boundary_retokenized")));
    json_decref(o);
}

/* The greedy continuation is greedy, token for token. */
static void generate_agrees_with_score_and_next(void **state)
{
    (void)state;
    json_t *o =
        RUN("generate", MODEL, "--greedy", "--max-tokens", "6", "--ignore-eos", "The cat sat");
    json_t *ids = list(o, "ids");
    assert_int_equal(json_array_size(ids), 6);
    assert_true(json_is_string(json_object_get(o, "text")));
    char all[512] = "";
    for (int part = 0; part < 2; part++) {
        json_t *from = part ? ids : list(o, "prompt_ids");
        for (size_t i = 0; i < json_array_size(from); i++)
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%d", *all ? "," : "",
                     (int)json_integer_value(json_array_get(from, i)));
    }
    json_t *s = RUN("score", MODEL, "--ids", all);
    size_t n = json_array_size(list(s, "ids")), prompt = n - 6;
    double sum = 0;
    for (size_t i = prompt; i < n; i++) {
        assert_true(json_boolean_value(json_array_get(list(s, "greedy_tokens"), i)));
        double a = json_number_value(json_array_get(list(s, "logprobs"), i));
        assert_true(fabs(a - json_number_value(json_array_get(list(o, "logprobs"), i - prompt))) <
                    1e-9);
        sum += a;
    }
    assert_true(fabs(sum - number(o, "logprob")) < 1e-8);
    json_decref(s);
    json_decref(o);
}

static void generate_repeats_itself(void **state)
{
    (void)state;
    json_t *many = RUN("generate", MODEL, "--samples", "4", "--seed", "9", "--top-p", "0.9",
                       "--max-tokens", "12", "--threads", "2", "The dog");
    json_t *samples = list(many, "samples");
    assert_int_equal(json_array_size(samples), 4);
    assert_true(json_equal(list(many, "ids"), list(json_array_get(samples, 0), "ids")));
    for (int i = 0; i < 4; i++) {
        char stream[2] = { (char)('0' + i), 0 };
        json_t *one = RUN("generate", MODEL, "--stream", stream, "--seed", "9", "--top-p", "0.9",
                          "--max-tokens", "12", "--threads", "1", "The dog");
        assert_true(json_equal(list(one, "ids"), list(json_array_get(samples, (size_t)i), "ids")));
        assert_true(json_equal(json_object_get(one, "text"),
                               json_object_get(json_array_get(samples, (size_t)i), "text")));
        json_decref(one);
    }
    assert_false(json_equal(list(json_array_get(samples, 0), "ids"),
                            list(json_array_get(samples, 1), "ids")));
    json_decref(many);
}

static void generate_compare_says_what_is_reproducible(void **state)
{
    (void)state;
    json_t *o = RUN("generate", MODEL, "--compare", "--max-tokens", "8", "--repeats", "2",
                    "--ignore-eos", "The dog");
    json_t *strategies = list(o, "strategies"), *k;
    size_t i;
    assert_true(json_array_size(strategies) >= 6);
    json_array_foreach(strategies, i, k)
    {
        assert_true(json_boolean_value(json_object_get(k, "reproducible")));
        assert_true(json_boolean_value(json_object_get(k, "batch_independent")));
        bool greedy = strncmp(json_string_value(json_object_get(k, "strategy")), "greedy", 6) == 0;
        if (greedy)
            assert_int_equal(number(k, "distinct"), 1);
        assert_true(strlen(json_string_value(json_object_get(k, "why"))) > 10);
        assert_int_equal(json_array_size(list(k, "same_seed")), 2);
        assert_int_equal(json_array_size(list(k, "other_seeds")), 2);
    }
    k = json_array_get(strategies, 3); /* temperature 1 */
    assert_true(json_boolean_value(json_object_get(k, "seed_matters")));
    json_decref(o);
}

static void ppl_keeps_its_contract(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".txt");
    char text[8192] = "";
    for (int i = 0; i < 24; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "The cat sat on the %s, and the dog ran %d times to the house on the hill.\n\n",
                 i % 3 ? "mat" : "warm hill", i);
    test_write_file(path, text, strlen(text));
    json_t *o = RUN("ppl", MODEL, (char *)path);
    const char *const methods[] = { "rolling", "strided", "chunk" };
    for (int k = 0; k < 3; k++) {
        json_t *m = json_object_get(o, methods[k]);
        assert_true(json_is_object(m));
        assert_true(number(m, "ppl") > 1);
        assert_true(fabs(number(m, "ppl") - exp(number(m, "nll") / number(m, "tokens"))) <
                    1e-9 * number(m, "ppl"));
        assert_true(number(m, "tokens") >= 1);
        assert_true(json_is_object(json_object_get(m, "spec")));
        assert_string_equal(json_string_value(json_object_get(m, "ci_unit")), "window");
    }
    /* one window after another, by score: lm-eval's first window */
    json_decref(o);
    o = RUN("ppl", MODEL, "--split", "blank-line", "--method", "rolling", (char *)path);
    json_t *m = json_object_get(o, "rolling"), *ci = list(m, "ci");
    assert_int_equal(number(o, "documents"), 24);
    assert_string_equal(json_string_value(json_object_get(m, "ci_unit")), "document");
    assert_true(json_number_value(json_array_get(ci, 0)) < number(m, "ppl"));
    assert_true(json_number_value(json_array_get(ci, 1)) > number(m, "ppl"));
    assert_null(json_object_get(o, "chunk"));
    /* the same documents as JSONL are the same figures */
    const char *records = test_temporary_path(".jsonl");
    FILE *f = fopen(records, "w");
    for (const char *p = text; *p;) {
        const char *end = strstr(p, "\n\n");
        fprintf(f, "{\"id\": 1, \"body\": \"%.*s\"}\n", (int)(end - p), p);
        p = end + 2;
    }
    fclose(f);
    json_t *same = RUN("ppl", MODEL, "--field", "body", "--method", "rolling", (char *)records);
    assert_true(json_equal(json_object_get(same, "rolling"), m));
    json_decref(same);
    json_decref(o);
    /* one document without a window to spare: no interval, and the reason */
    test_write_file(path, "The cat sat.", 12);
    o = RUN("ppl", MODEL, (char *)path);
    m = json_object_get(o, "rolling");
    assert_true(json_is_null(json_object_get(m, "ci")));
    assert_true(json_is_string(json_object_get(m, "ci_note")));
    assert_true(json_is_null(json_object_get(json_object_get(o, "chunk"), "ppl")));
    json_decref(o);
    unlink(path);
    unlink(records);
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    char *m = (char *)test_tiny_model();
    char many[512] = "1";
    for (int i = 0; i < TEST_TINY_CONTEXT + 1; i++)
        strcat(many, ",2");
    REFUSED(1, "id 300 at position 1", "next", "-m", m, "--ids", "1,300");
    REFUSED(1, "-1 is not between 0", "score", "-m", m, "--ids=-1,3");
    REFUSED(1, "the prompt is empty", "next", "-m", m, "");
    REFUSED(1, "the prompt is empty", "generate", "-m", m, "");
    REFUSED(1, "the text is empty", "score", "-m", m, "--text", "");
    REFUSED(1, "not valid UTF-8", "generate", "-m", m, "ab\xff");
    REFUSED(1, "not valid UTF-8", "score", "-m", m, "--text", "\xc3");
    REFUSED(1, "50 tokens", "next", "-m", m, "--ids", many);
    REFUSED(1, "at most 48", "generate", "-m", m, "--ids", many);
    REFUSED(1, "--overlength", "score", "-m", m, "--ids", many);
    REFUSED(1, "top-p is 3", "generate", "-m", m, "--top-p", "3", "a");
    REFUSED(1, "stop string is empty", "generate", "-m", m, "--stop", "", "a");
    REFUSED(1, "cannot be run by this version", "next", "-m", "https://example.org/v1", "a");
    REFUSED(1, "/nowhere", "next", "-m", "/nowhere/at/all", "a");
    REFUSED(1, "/nowhere/file.txt", "ppl", "-m", m, "/nowhere/file.txt");
    REFUSED(1, "window 99", "ppl", "-m", m, "--window", "99", "Makefile");
    REFUSED(2, "no model", "next", "a");
    REFUSED(2, "one prompt", "next", "-m", m);
    REFUSED(2, "one prompt", "generate", "-m", m, "a", "b");
    REFUSED(2, "belong together", "score", "-m", m, "--context", "a");
    REFUSED(2, "give one of", "score", "-m", m);
    REFUSED(2, "give one of", "score", "-m", m, "--ids", "1", "--text", "a");
    REFUSED(2, "blank-line", "ppl", "-m", m, "--split", "words", "x");
    REFUSED(2, "choose rolling", "ppl", "-m", m, "--method", "slow", "x");
    REFUSED(2, "at least one FILE", "ppl", "-m", m);
    REFUSED(2, "--max-tokens must be 0 or more, got -1", "generate", "-m", m, "--max-tokens", "-1",
            "hello");
    REFUSED(2, "--top-k must be 0 or more, got -2", "generate", "-m", m, "--top-k", "-2", "hello");
}

static void overlength_policies_are_applied_and_said(void **state)
{
    (void)state;
    char many[512] = "1";
    for (int i = 2; i <= TEST_TINY_CONTEXT + 2; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), ",%d", i);
    json_t *o = RUN("next", MODEL, "--overlength", "left", "--ids", many);
    assert_int_equal(json_array_size(list(o, "ids")), TEST_TINY_CONTEXT);
    assert_int_equal(json_integer_value(json_array_get(list(o, "ids"), 0)), 3);
    assert_int_equal(number(json_object_get(o, "dropped"), "count"), 2);
    json_decref(o);
    o = RUN("score", MODEL, "--overlength", "right", "--ids", many);
    assert_int_equal(json_array_size(list(o, "ids")), TEST_TINY_CONTEXT + 1);
    assert_int_equal(json_integer_value(json_array_get(list(o, "ids"), 0)), 1);
    json_decref(o);
    o = RUN("generate", MODEL, "--overlength", "middle", "--max-tokens", "8", "--ids", many);
    assert_int_equal(json_array_size(list(o, "prompt_ids")), TEST_TINY_CONTEXT - 8);
    assert_int_equal(number(json_object_get(o, "dropped"), "first"), 20);
    assert_int_equal(json_array_size(list(o, "ids")), 8);
    json_decref(o);
    struct test_run r = test_assay(NULL, "next", "-m", test_tiny_model(), "--overlength", "left",
                                   "--ids", many, NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.err, "dropped 2 of 50 tokens (positions 0 to 1)"));
    test_run_free(&r);
}

/* A directory without a tokenizer: ids work, text says what is missing. */
static void models_without_tokenizer(void **state)
{
    (void)state;
    char moved[700], tokenizer[700];
    snprintf(tokenizer, sizeof tokenizer, "%s/tokenizer.json", test_tiny_model());
    snprintf(moved, sizeof moved, "%s/text.txt", test_tiny_model());
    assert_int_equal(rename(tokenizer, moved), 0);
    json_t *o = RUN("next", MODEL, "--top", "2", "--ids", "3,4");
    assert_true(json_is_null(json_object_get(json_array_get(list(o, "top"), 0), "token")));
    json_decref(o);
    o = RUN("score", MODEL, "--ids", "3,4,5");
    assert_int_equal(number(o, "tokens"), 2);
    json_decref(o);
    o = RUN("generate", MODEL, "--greedy", "--max-tokens", "3", "--ids", "3,4,5");
    assert_int_equal(json_array_size(list(o, "ids")), 3);
    assert_true(json_is_null(json_object_get(o, "text")));
    json_decref(o);
    struct test_run r = test_assay(NULL, "generate", "-m", test_tiny_model(), "--max-tokens", "3",
                                   "--ids", "3", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strchr(r.out, ','));
    test_run_free(&r);
    REFUSED(1, "text needs a tokenizer (or give --ids)", "next", "-m", (char *)test_tiny_model(),
            "a");
    REFUSED(1, "needs a tokenizer", "generate", "-m", (char *)test_tiny_model(), "a");
    REFUSED(1, "tokenizer", "ppl", "-m", (char *)test_tiny_model(), moved);
    assert_int_equal(rename(moved, tokenizer), 0);
}

/* Tables fit 80 columns, and text for people goes to -o as well. */
static void text_for_people(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".out");
    struct test_run r =
        test_assay(NULL, "next", "-m", test_tiny_model(), "The cat sat on the", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.out, "token"));
    test_run_free(&r);
    r = test_assay(NULL, "score", "-m", test_tiny_model(), "--text", "The cat sat", "-o", path,
                   NULL);
    assert_int_equal(r.rc, 0);
    assert_int_equal(r.out_bytes, 0);
    assert_int_equal(access(path, R_OK), 0);
    unlink(path);
    test_run_free(&r);
    r = test_assay(NULL, "generate", "-m", test_tiny_model(), "--seed", "3", "--max-tokens", "9",
                   "--ignore-eos", "The", NULL);
    json_t *o = RUN("generate", MODEL, "--seed", "3", "--max-tokens", "9", "--ignore-eos", "The");
    const char *text = json_string_value(json_object_get(o, "text"));
    assert_int_equal(r.out_bytes, strlen(text) + 1); /* streamed, and a newline */
    assert_memory_equal(r.out, text, strlen(text));
    json_decref(o);
    test_run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_keeps_its_contract),
        cmocka_unit_test(score_keeps_its_contract),
        cmocka_unit_test(generate_agrees_with_score_and_next),
        cmocka_unit_test(generate_repeats_itself),
        cmocka_unit_test(generate_compare_says_what_is_reproducible),
        cmocka_unit_test(ppl_keeps_its_contract),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(overlength_policies_are_applied_and_said),
        cmocka_unit_test(models_without_tokenizer),
        cmocka_unit_test(text_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
