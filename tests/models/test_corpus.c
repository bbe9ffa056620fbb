/* The built-in model's corpus: the same seed gives the same text, and no held-out item is in it.
 * The generator is a program of its own (models/), so its sources are part of this test program. */
#define CORPUS_NO_MAIN
#include "../../models/corpus.c"
#include "../../models/corpus_facts.c"
#include "../../models/corpus_lists.c"
#include "../../models/corpus_reviews.c"
#include "../../models/corpus_stories.c"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SEED      1
#define DOCUMENTS 22000 /* so many hold every locker sentence */

static struct base_buffer train; /* the text, with a line break before it */

static int make_text(void **state)
{
    (void)state;
    if (base_buffer_puts(&train, "\n"))
        return -1;
    for (uint64_t i = 0; i < DOCUMENTS; i++)
        if (corpus_document(SEED, i, &train) || base_buffer_puts(&train, CORPUS_SEPARATOR "\n"))
            return -1;
    return 0;
}

static int free_text(void **state)
{
    (void)state;
    base_buffer_free(&train);
    return 0;
}

static size_t occurrences(const char *text)
{
    size_t n = 0, bytes = strlen(text);
    for (const char *p = train.data;
         (p = memmem(p, train.length - (size_t)(p - train.data), text, bytes)); p++)
        n++;
    return n;
}

static const char *text_of(const json_t *item, const char *key)
{
    const char *s = json_string_value(json_object_get(item, key));
    assert_non_null(s);
    return s;
}

/* before + item[key] + middle + item[key2] + after occurs nowhere in the text. */
static void assert_absent(json_t *items, size_t expected, const char *before, const char *key,
                          const char *middle, const char *key2, const char *after)
{
    assert_int_equal(json_array_size(items), expected);
    for (size_t i = 0; i < expected; i++) {
        const json_t *item = json_array_get(items, i);
        char text[1024];
        snprintf(text, sizeof text, "%s%s%s%s%s", before, text_of(item, key), middle,
                 key2 ? text_of(item, key2) : "", after);
        if (occurrences(text))
            fail_msg("held-out item in the training text: %s", text);
    }
    json_decref(items);
}

static void test_facts_are_held_out(void **state)
{
    (void)state;
    json_t *items = corpus_facts_heldout(SEED);
    for (size_t i = 0; i < json_array_size(items);
         i++) { /* seen in another phrasing, with its answer */
        const json_t *item = json_array_get(items, i);
        char text[1024];
        bool found = false;
        snprintf(text, sizeof text, "%s %s", text_of(item, "seen_prompt"), text_of(item, "answer"));
        if (!occurrences(text))
            fail_msg("not in the training text: %s", text);
        for (size_t k = 0; k < CHOICES; k++)
            found = found ||
                    !strcmp(json_string_value(json_array_get(json_object_get(item, "choices"), k)),
                            text_of(item, "answer"));
        assert_true(found);
        assert_string_not_equal(text_of(item, "counterfactual"), text_of(item, "answer"));
    }
    assert_absent(items, json_array_size(items), "", "prompt", " ", "answer", "");
}

static void test_reviews_are_held_out(void **state)
{
    (void)state;
    assert_absent(corpus_reviews_heldout(SEED), REVIEWS_TESTED, "", "text", "", NULL, "");
    for (size_t side = 0; side < 2;
         side++) /* also in other words: no held-out pair in the plainest clause */
        for (size_t i = 0; i < CORPUS_COUNT(adjectives[side]); i++)
            for (size_t k = 0; k < CORPUS_COUNT(film_things); k++) {
                char text[128];
                snprintf(text, sizeof text, "The %s is %s", film_things[k], adjectives[side][i]);
                if (pair_held_out(film_things[k], adjectives[side][i]))
                    assert_int_equal(occurrences(text), 0);
            }
}

static void test_lists_are_held_out(void **state)
{
    (void)state;
    assert_absent(corpus_lists_heldout(SEED), LISTS_TESTED, "", "prompt", "", NULL, "");
    assert_absent(corpus_list_pairs_heldout(SEED), PAIRS_TESTED, "", "prompt", "", NULL, "");
    assert_absent(corpus_list_pairs_heldout(SEED), PAIRS_TESTED, "", "prompt_changed", "", NULL,
                  "");
    json_t *items = corpus_lists_heldout(SEED);
    for (size_t i = 0; i < json_array_size(items); i++) { /* the list line alone is new as well */
        const char *prompt = text_of(json_array_get(items, i), "prompt");
        char line[256];
        snprintf(line, sizeof line, "\n%.*s", (int)(strchr(prompt, '\n') + 1 - prompt), prompt);
        assert_int_equal(occurrences(line), 0);
    }
    json_decref(items);
}

static void test_pairs_differ_in_one_word(void **state)
{
    (void)state;
    json_t *items = corpus_list_pairs_heldout(SEED);
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i), *a = json_object_get(item, "words"),
                     *b = json_object_get(item, "words_changed");
        json_int_t d = json_integer_value(json_object_get(item, "count")) -
                       json_integer_value(json_object_get(item, "count_changed"));
        assert_true(d == 1 || d == -1);
        assert_int_equal(json_array_size(a), json_array_size(b));
        for (size_t k = 0; k < json_array_size(a); k++)
            assert_int_equal(strcmp(json_string_value(json_array_get(a, k)),
                                    json_string_value(json_array_get(b, k))) != 0,
                             (json_int_t)k ==
                                 json_integer_value(json_object_get(item, "position")));
    }
    json_decref(items);
}

static void test_words_belong_to_one_category(void **state)
{
    (void)state;
    for (size_t i = 0; i < CATEGORIES * WORDS; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(word_text(i), word_text(k));
}

static void test_sums_are_held_out(void **state)
{
    (void)state;
    json_t *items = corpus_sums_heldout(SEED);
    assert_in_range(json_array_size(items), 30, 80);
    assert_absent(items, json_array_size(items), "\n", "prompt", "", NULL, "");
    for (size_t a = 0; a <= SUM_MAX; a++)
        for (size_t b = 0; b <= SUM_MAX; b++) {
            char text[64];
            snprintf(text, sizeof text, "What is %zu plus %zu?", a, b);
            if (sum_held_out(a, b))
                assert_int_equal(occurrences(text), 0);
        }
}

static void test_lockers_repeat_as_said(void **state)
{
    (void)state;
    json_t *items = corpus_lockers_heldout();
    assert_int_equal(json_array_size(items), 48);
    for (size_t i = 0; i < 48; i++) {
        const json_t *item = json_array_get(items, i);
        char text[128];
        snprintf(text, sizeof text, "%s %s.", text_of(item, "prompt"), text_of(item, "answer"));
        assert_int_equal(occurrences(text), json_integer_value(json_object_get(item, "repeats")));
    }
    json_decref(items);
}

static void test_text_depends_on_seed_and_index_alone(void **state)
{
    (void)state;
    struct base_buffer a = { 0 }, b = { 0 }, other = { 0 };
    char hex[BASE_SHA256_HEX];
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(corpus_document(7, i, &a), 0);
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(corpus_document(7, i, &b), 0);
    assert_int_equal(corpus_document(8, 0, &other), 0);
    assert_string_equal(a.data, b.data);
    assert_int_not_equal(strncmp(a.data, other.data, other.length), 0);
    base_sha256(train.data, train.length, hex);
    print_message("text of %zu bytes, sha256 %.16s\n", train.length, hex);
    base_buffer_free(&a);
    base_buffer_free(&b);
    base_buffer_free(&other);
}

static void test_every_category_word_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < CATEGORIES * WORDS; i++) {
        char text[64];
        snprintf(text, sizeof text, " %s %s", word_text(i), categories[i / WORDS].name);
        assert_true(occurrences(text) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_are_held_out),
        cmocka_unit_test(test_reviews_are_held_out),
        cmocka_unit_test(test_lists_are_held_out),
        cmocka_unit_test(test_pairs_differ_in_one_word),
        cmocka_unit_test(test_words_belong_to_one_category),
        cmocka_unit_test(test_sums_are_held_out),
        cmocka_unit_test(test_lockers_repeat_as_said),
        cmocka_unit_test(test_text_depends_on_seed_and_index_alone),
        cmocka_unit_test(test_every_category_word_is_told),
    };
    return cmocka_run_group_tests(tests, make_text, free_text);
}
