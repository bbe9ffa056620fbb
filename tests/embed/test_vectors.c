/* Questions, evaluation and files of vectors against gensim (values: tests/oracle/embed.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include "base/memory.h"
#include "embed/words.h"
#include <assay/embed.h>

/* The oracle's 60 words of 10 numbers. */
static struct embed_vectors *sixty(void)
{
    struct embed_vectors *v = NULL;
    assert_int_equal(embed_vectors_new(&v, 60, 10), 0);
    for (size_t i = 0; i < 60; i++) {
        char word[16];
        uint32_t number;
        snprintf(word, sizeof word, i < 58 ? "w%zu" : i == 58 ? "W3" : "W5", i);
        assert_int_equal(embed_words_add(v->words, word, strlen(word), &number, NULL), 0);
        for (size_t k = 0; k < 10; k++)
            v->vector[i * v->stride + k] =
                (float)((double)((i * 7919 + k * 104729 + i * i * 31 + k * k * k * 17) % 1009) /
                            1009 -
                        0.5);
    }
    embed_vectors_measure(v);
    return v;
}

static void expect_near(const struct embed_vectors *v, const uint32_t *positive, size_t np,
                        const uint32_t *negative, size_t nn, size_t restrict_to,
                        const char *const words[4], const double cosine[4])
{
    struct embed_near near[4];
    size_t n;
    assert_int_equal(embed_similar(v, positive, np, negative, nn, restrict_to, 4, near, &n), 0);
    assert_int_equal(n, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(embed_vectors_word(v, near[i].word), words[i]);
        assert_true(fabs(near[i].similarity - cosine[i]) < 2e-6);
    }
}

static void test_questions(void **state)
{
    (void)state;
    struct embed_vectors *v = sixty();
    assert_true(fabs(embed_similarity(v, 1, 2) - 0.979503989) < 2e-7);
    assert_true(fabs(embed_similarity(v, 7, 50) - 0.296414703) < 2e-7);
    const uint32_t one[] = { 1 }, two[] = { 2, 3 }, nine[] = { 9 }, minus[] = { 4, 6 };
    expect_near(v, one, 1, NULL, 0, 0, (const char *const[]){ "w4", "w14", "w56", "w28" },
                (const double[]){ 0.999810, 0.997934, 0.997335, 0.991912 });
    expect_near(v, two, 2, one, 1, 0, (const char *const[]){ "w23", "w8", "w44", "w39" },
                (const double[]){ 1.000000, 0.999196, 0.988708, 0.984196 });
    expect_near(v, nine, 1, minus, 2, 30, (const char *const[]){ "w24", "w11", "w5", "w0" },
                (const double[]){ 0.752335, 0.745668, 0.390634, 0.386650 });
    size_t at;
    assert_int_equal(embed_vectors_need(v, "w1x", &at), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "\"w1x\" has no vector (near it: w1"));
    embed_vectors_free(v);
}

static void test_pairs(void **state)
{
    (void)state;
    struct embed_vectors *v = sixty();
    struct embed_pairs_result r;
    const char *path = test_temporary_path(".tsv");
    FILE *f = fopen(path, "w");
    fputs("# comment\n", f);
    for (int i = 0; i < 30; i++)
        fprintf(f, "w%d\tW%d\t%.2f\n", i, i + 7, (i * 37 % 100) / 10.0);
    fputs("w1\tnothing\t3.0\nbad line\n", f);
    fclose(f);
    assert_int_equal(embed_evaluate_pairs(v, path, 300000, 0.95, &r), 0);
    assert_int_equal(r.pairs, 31);
    assert_int_equal(r.unknown, 1);
    assert_int_equal(r.invalid, 1);
    assert_true(r.defined);
    assert_true(fabs(r.spearman - 0.137708565) < 1e-8);
    assert_true(fabs(r.spearman_p - 0.468035261) < 1e-8);
    assert_true(fabs(r.pearson - 0.143222589) < 1e-6);
    assert_true(r.spearman_low < r.spearman && r.spearman < r.spearman_high);
    embed_pairs_result_free(&r);
    assert_int_equal(embed_evaluate_pairs(v, path, 5, 0.95, &r), 0); /* nothing is known */
    assert_false(r.defined);
    assert_int_equal(r.unknown, 31);
    embed_pairs_result_free(&r);
    test_write_file(path, "no pairs\n", 9);
    assert_int_equal(embed_evaluate_pairs(v, path, 0, 0.95, &r), BASE_E_FORMAT);
    embed_vectors_free(v);
}

static const char questions[] =
    ": first\nw0 w1 W2 w57\nw1 w2 W3 w23\nw2 w3 W4 w1\nw3 w4 W5 w57\nw4 w5 W6 w52\nw5 w6 W7 w21\n"
    "w6 w7 W8 w57\nw7 w8 W9 w23\nw8 w9 W10 W3\nw9 w10 W11 w57\nw10 w11 W12 w46\nw11 w12 W13 w55\n"
    "w12 w13 W14 w57\nw13 w14 W15 w4\nw14 w15 W16 w54\nw15 w16 W17 w57\nw16 w17 W18 w52\n"
    "w17 w18 W19 w53\nw18 w19 W20 w57\nw19 w20 W21 w54\nw20 w21 W22 w48\nw21 w22 W23 w57\n"
    "w22 w23 W24 w8\nw23 w24 W25 w54\nw24 w25 W26 w57\nw25 w26 W27 w8\nw26 w27 W28 w35\n"
    "w27 w28 W29 w57\nw28 w29 W30 w25\nw29 w30 W31 w44\nw30 w31 W32 w57\nw31 w32 W33 w41\n"
    "w32 w33 W34 w25\nw33 w34 W35 w57\nw34 w35 W36 w49\nw35 w36 W37 w33\nw36 w37 W38 w57\n"
    "w37 w38 W39 w23\nw38 w39 W40 w30\nw39 w40 W41 w57\n"
    ": second part\nw1 w2 w3 nothing\nw1 w2\nw4 w5 w6 w7\n";

static void test_analogies(void **state)
{
    (void)state;
    struct embed_vectors *v = sixty();
    struct embed_analogies_result r;
    const char *path = test_temporary_path(".txt");
    test_write_file(path, questions, sizeof questions - 1);
    assert_int_equal(embed_evaluate_analogies(v, path, 300000, 0.95, &r), 0);
    assert_int_equal(r.n, 2);
    assert_string_equal(r.section[0].name, "first");
    assert_string_equal(r.section[1].name, "second part");
    assert_int_equal(r.section[0].known, 40);
    assert_int_equal(r.section[0].right, 26);
    assert_int_equal(r.section[1].questions, 2);
    assert_int_equal(r.section[1].known, 1);
    assert_int_equal(r.section[1].right, 0);
    assert_int_equal(r.total.right, 26);
    assert_int_equal(r.total.known, 41);
    assert_int_equal(r.invalid, 1);
    /* Wilson's interval of 26 of 41 */
    assert_true(fabs(r.total.low - 0.4811) < 2e-3 && fabs(r.total.high - 0.7633) < 5e-3);
    embed_analogies_result_free(&r);
    test_write_file(path, "w1 w2 w3 w4\n", 12);
    assert_int_equal(embed_evaluate_analogies(v, path, 0, 0.95, &r), BASE_E_FORMAT);
    embed_vectors_free(v);
}

static void expect_same(const struct embed_vectors *a, const struct embed_vectors *b)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->size, b->size);
    for (size_t i = 0; i < a->n; i++) {
        assert_string_equal(embed_vectors_word(a, i), embed_vectors_word(b, i));
        assert_memory_equal(a->vector + i * a->stride, b->vector + i * b->stride,
                            a->stride * sizeof *a->vector);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct embed_vectors *v = sixty(), *back = NULL;
    v->vector[0] = 1.17549435e-38f;
    v->vector[1] = 3.40282347e38f / 1e20f;
    v->vector[2] = -0.1f;
    embed_vectors_measure(v);
    for (int k = 0; k < 3; k++) {
        const char *path = test_temporary_path(".vec");
        const struct embed_read_options how = { .no_header = k == 2 };
        size_t repeated = 9;
        assert_int_equal(
            embed_vectors_write(v, path, k == 1 ? EMBED_FORMAT_BINARY : EMBED_FORMAT_TEXT, k == 2),
            0);
        assert_int_equal(embed_vectors_read(&back, path, &how, &repeated), 0);
        assert_int_equal(repeated, 0);
        expect_same(v, back);
        embed_vectors_free(back);
        unlink(path);
    }
    embed_vectors_free(v);
}

static int parse(const void *data, size_t bytes, const struct embed_read_options *how,
                 struct embed_vectors **v, size_t *repeated)
{
    return embed_vectors_parse(v, data, bytes, "f.vec", how, repeated);
}

static void test_reader(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        enum embed_format format;
    } bad[] = {
        { "", "the file is empty", 0 },
        { "2\n", "f.vec:1: expected the numbers", 0 },
        { "2 x\n", "f.vec:1: expected the numbers", 0 },
        { "2 2 2\n", "there is more", 0 },
        { "0 5\n", "nothing to read", 0 },
        { "999999999 5\na 1 2 3 4 5\n", "only", 0 },
        { "1 999999999999999999\na 1\n", "only", 0 },
        { "2 2\na 1 2\n", "the file ends after 1", EMBED_FORMAT_TEXT },
        { "1 2\na 1 2 3\n", "f.vec:2: more than 2", 0 },
        { "1 3\na 1 2  \n", "f.vec:2: 2 numbers, expected 3", EMBED_FORMAT_TEXT },
        { "1 2\na 1 nan\n", "f.vec:2: \"nan\" is not a finite number", EMBED_FORMAT_TEXT },
        { "1 2\na 1 1e99\n", "not a finite number", EMBED_FORMAT_TEXT },
        { "1 2\na 1 0x3\n", "not a finite number", EMBED_FORMAT_TEXT },
        { "1 1\n 1 2\n", "an empty word", EMBED_FORMAT_TEXT },
        { "1 1\na\xff 1\n", "not UTF-8", EMBED_FORMAT_TEXT },
        { "1 2\na \x01\x02\x03\x04\x05\x06", "ends too early", EMBED_FORMAT_BINARY },
        { "2 1\na \x01\x02\x03\x04"
          "b \x01\x02",
          "ends too early", EMBED_FORMAT_BINARY },
        { "1 1\n \x01\x02\x03\x04", "an empty word", EMBED_FORMAT_BINARY },
        { "1 1\naaaaaaaa", "the file ends too early", EMBED_FORMAT_BINARY },
    };
    struct embed_vectors *v = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct embed_read_options how = { .format = bad[i].format };
        const int rc = parse(bad[i].text, strlen(bad[i].text), &how, &v, NULL);
        if (rc != BASE_E_FORMAT || !strstr(base_error_message(), bad[i].message))
            fail_msg("case %zu: rc %d, %s", i, rc, base_error_message());
        assert_null(v);
    }
    size_t repeated = 0;
    static const char good[] = "3 2\r\na 1 2 \r\n\xc3\xa9 -3e-1\t4\na 5 6\n";
    assert_int_equal(parse(good, sizeof good - 1, NULL, &v, &repeated), 0);
    assert_int_equal(v->n, 2);
    assert_int_equal(repeated, 1);
    assert_true(v->vector[0] == 1 && v->vector[v->stride] == -0.3f &&
                v->vector[v->stride + 1] == 4);
    embed_vectors_free(v);
    /* word2vec.c ends a binary vector with a line end, gensim does not */
    static const char binary[] = "2 1\na \0\0\x80\x3f\nb \0\0\0\x40";
    assert_int_equal(parse(binary, sizeof binary - 1, NULL, &v, NULL), 0);
    assert_int_equal(v->n, 2);
    assert_true(v->vector[0] == 1 && v->vector[v->stride] == 2);
    embed_vectors_free(v);
    const struct embed_read_options limit = { .limit = 1 };
    assert_int_equal(parse(binary, sizeof binary - 1, &limit, &v, NULL), 0);
    assert_int_equal(v->n, 1);
    embed_vectors_free(v);
    static const char glove[] = "a 1 2\n\nb 3 4";
    const struct embed_read_options bare = { .no_header = true };
    assert_int_equal(parse(glove, sizeof glove - 1, &bare, &v, NULL), 0);
    assert_int_equal(v->n, 2);
    assert_int_equal(v->size, 2);
    embed_vectors_free(v);
}

static void test_allocation(void **state)
{
    (void)state;
    static const char text[] = "2 2\na 1 2\nb 3 4\n";
    const long live = base_alloc_live();
    int rc = -1;
    for (long n = 1; rc != 0; n++) {
        struct embed_vectors *v = NULL;
        base_alloc_fail_after(n);
        rc = parse(text, sizeof text - 1, NULL, &v, NULL);
        base_alloc_fail_after(0);
        embed_vectors_free(v);
        assert_true(n < 100);
    }
    assert_int_equal(base_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions), cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_analogies), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_reader),    cmocka_unit_test(test_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
