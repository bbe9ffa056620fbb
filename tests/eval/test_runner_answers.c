/* Journal and cache: what is put is found, exactly; torn and foreign bytes are passed over, keys
 * tell apart whatever an answer depends on. */
#include "base/file.h"
#include "base/memory.h"
#include "eval/answers.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static struct eval_response response(int i)
{
    return (struct eval_response){ .logprob = -1.0 / 3 - i,
                                   .first_logprob = -nextafter(0.1, 1) * (i + 1),
                                   .greedy = i & 1,
                                   .tokens = (size_t)i + 1,
                                   .boundary_retokenized = i & 2,
                                   .cut = (size_t)i * 3,
                                   .ids = { 1, -7, 3000000 + i },
                                   .n_ids = 3 };
}

static void same(const struct eval_response *a, const struct eval_response *b)
{
    assert_true(a->logprob == b->logprob && a->first_logprob == b->first_logprob);
    assert_true(a->greedy == b->greedy && a->skipped == b->skipped &&
                a->boundary_retokenized == b->boundary_retokenized);
    assert_true(a->tokens == b->tokens && a->cut == b->cut && a->n_ids == b->n_ids);
    assert_memory_equal(a->ids, b->ids, a->n_ids * sizeof *a->ids);
    assert_int_equal(a->n_texts, b->n_texts);
    for (size_t i = 0; i < a->n_texts; i++)
        assert_string_equal(a->texts[i], b->texts[i]);
}

static void key_of(int i, uint8_t key[EVAL_KEY_BYTES])
{
    char context[32];
    snprintf(context, sizeof context, "context %d", i);
    struct eval_request r = { EVAL_REQUEST_LOGLIKELIHOOD, context, text(" x"), NULL, 0 };
    assert_int_equal(eval_answer_key("model", &r, key), 0);
}

static void put(const char *path, int from, int to)
{
    struct eval_answers *a;
    uint8_t key[EVAL_KEY_BYTES];
    assert_int_equal(eval_answers_open(&a, NULL, 0, path), 0);
    for (int i = from; i < to; i++) {
        struct eval_response r = response(i);
        char *texts[] = { text(""), text("a\nb \xc3\xa9") };
        if (i % 3 == 0) {
            r.texts = texts;
            r.n_texts = 2;
        }
        key_of(i, key);
        assert_int_equal(eval_answers_put(a, key, &r), 0);
    }
    assert_int_equal(eval_answers_flush(a), 0);
    eval_answers_close(a);
}

/* How many of 0 .. n-1 are found; those that are must be right. */
static int found(const char *path, int n)
{
    struct eval_answers *a;
    const char *const files[] = { "/nonexistent/answers", path };
    int hits = 0;
    assert_int_equal(eval_answers_open(&a, files, 2, NULL), 0);
    for (int i = 0; i < n; i++) {
        uint8_t key[EVAL_KEY_BYTES];
        struct eval_response got, expected = response(i);
        char *texts[] = { text(""), text("a\nb \xc3\xa9") };
        key_of(i, key);
        int rc = eval_answers_find(a, key, &got);
        assert_in_range(rc, 0, 1);
        hits += rc;
        if (rc == 0)
            continue;
        if (i % 3 == 0) {
            expected.texts = texts;
            expected.n_texts = 2;
        }
        same(&got, &expected);
        eval_response_clear(&got);
    }
    assert_int_equal(eval_answers_count(a), hits);
    eval_answers_close(a);
    return hits;
}

static void kept_exactly(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".journal");
    assert_int_equal(found(path, 20), 0);
    put(path, 0, 12);
    assert_int_equal(found(path, 20), 12);
    put(path, 8, 20); /* some again */
    assert_int_equal(found(path, 20), 20);
    unlink(path);
}

/* Cut at every byte: whole records stay, and what is appended behind the tear is found too. */
static void torn_anywhere(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".journal");
    char *whole;
    size_t bytes;
    put(path, 0, 4);
    assert_int_equal(base_file_read(path, 0, &whole, &bytes), 0);
    int last = -1;
    for (size_t n = 0; n <= bytes; n++) {
        test_write_file(path, whole, n);
        int hits = found(path, 4);
        assert_true(hits >= last && hits <= 4);
        last = hits;
        if (n % 7 == 0) {
            put(path, 4, 6);
            assert_int_equal(found(path, 6), hits + 2);
        }
    }
    assert_int_equal(last, 4);
    /* a flipped byte costs its own record only */
    for (size_t n = 0; n < bytes; n++) {
        whole[n] ^= 0x20;
        test_write_file(path, whole, bytes);
        whole[n] ^= 0x20;
        assert_int_equal(found(path, 4), 3);
    }
    base_free(whole);
    unlink(path);
}

static void keys_differ(void **state)
{
    (void)state;
    char *until[] = { text("\n"), text("stop") };
    struct eval_generation g = { until, 2, 16, false, 0, 1, 0, 1 };
    struct eval_request r = { EVAL_REQUEST_GENERATE, text("context"), NULL, &g, 1 };
    uint8_t first[EVAL_KEY_BYTES], key[EVAL_KEY_BYTES];
    assert_int_equal(eval_answer_key("model", &r, first), 0);
    r.seed = 2; /* greedy: the seed is not used */
    assert_int_equal(eval_answer_key("model", &r, key), 0);
    assert_memory_equal(key, first, sizeof key);
#define DIFFERS(change, undo)                                                                      \
    do {                                                                                           \
        change;                                                                                    \
        assert_int_equal(eval_answer_key("model", &r, key), 0);                                    \
        assert_memory_not_equal(key, first, sizeof key);                                           \
        undo;                                                                                      \
    } while (0)
    DIFFERS(g.max_tokens = 17, g.max_tokens = 16);
    DIFFERS(g.n_until = 1, g.n_until = 2);
    DIFFERS(g.sample = true, g.sample = false);
    DIFFERS(g.repeats = 2, g.repeats = 1);
    DIFFERS(r.context = text("contex"), r.context = text("context"));
    DIFFERS(r.kind = EVAL_REQUEST_ROLLING, r.kind = EVAL_REQUEST_GENERATE);
    DIFFERS(r.continuation = text(""), r.continuation = NULL);
    assert_int_equal(eval_answer_key("other", &r, key), 0);
    assert_memory_not_equal(key, first, sizeof key);
    /* a border between the texts cannot move unseen */
    struct eval_request a = { EVAL_REQUEST_LOGLIKELIHOOD, text("ab"), text("c"), NULL, 0 },
                        b = { EVAL_REQUEST_LOGLIKELIHOOD, text("a"), text("bc"), NULL, 0 };
    assert_int_equal(eval_answer_key("model", &a, first), 0);
    assert_int_equal(eval_answer_key("model", &b, key), 0);
    assert_memory_not_equal(key, first, sizeof key);
    g.sample = true;
    assert_int_equal(eval_answer_key("model", &r, first), 0);
    DIFFERS(g.temperature = 0.5, g.temperature = 0);
    DIFFERS(g.top_p = 0.5, g.top_p = 1);
    DIFFERS(g.top_k = 5, g.top_k = 0);
    DIFFERS(r.seed = 9, r.seed = 2);
}

static void memory_runs_out(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".journal");
    put(path, 0, 4);
    int rc = -1;
    for (long n = 1; rc; n++) {
        struct eval_answers *a = NULL;
        const char *const files[] = { path };
        uint8_t key[EVAL_KEY_BYTES];
        key_of(3, key);
        struct eval_response r = { 0 };
        long live = base_alloc_live();
        base_alloc_fail_after(n);
        rc = eval_answers_open(&a, files, 1, path);
        if (rc == 0) {
            rc = eval_answers_find(a, key, &r);
            if (rc == 1)
                rc = eval_answers_put(a, key, &r);
        }
        base_alloc_fail_after(0);
        if (rc)
            assert_int_equal(rc, BASE_E_MEMORY);
        eval_response_clear(&r);
        eval_answers_close(a);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_int_equal(found(path, 4), 4);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_exactly),
        cmocka_unit_test(torn_anywhere),
        cmocka_unit_test(keys_differ),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
