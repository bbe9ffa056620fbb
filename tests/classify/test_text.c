/* Words, n-grams and TF-IDF against scikit-learn 1.9 (tests/oracle/classify_small.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include "base/memory.h"
#include "classify/text.h"
#include "classify/words.h"
#include <assay/data.h>
#include <math.h>

static const char *const texts[6] = {
    "The quick brown fox, the lazy dog; the end.",
    "A quick-witted fox_9 met 2 lazy DOGS",
    "Crème brûlée and ΟΔΟΣ ΣΑΣ, İstanbul",
    "e\u0301clair ½ ２３ x Ⅳ²",
    "the the the dog",
    "",
};

/* "column value" pairs of every row, and the terms. */
struct expected {
    const char *terms; /* joined by '|' */
    const char *rows[6];
};

static void count_all(struct classify_counts *c, const struct classify_text_options *o,
                      const struct classify_words *stop)
{
    *c = (struct classify_counts){ 0 };
    for (int i = 0; i < 6; i++)
        assert_int_equal(classify_counts_add(c, o, stop, texts[i], strlen(texts[i])), 0);
}

static void check_rows(const struct classify_matrix *m, const struct expected *e)
{
    assert_int_equal(m->rows, 6);
    for (size_t i = 0; i < 6; i++) {
        const char *at = e->rows[i];
        for (size_t j = m->first[i]; j < m->first[i + 1]; j++) {
            char *end;
            assert_int_equal(strtoul(at, &end, 10), m->column[j]);
            double value = strtod(end, &end);
            assert_true(fabs(value - m->value[j]) < 1e-15);
            at = end;
        }
        assert_int_equal(strspn(at, " "), strlen(at));
    }
}

static void check(const struct classify_text_options *o, const char *stop_words,
                  const struct expected *e)
{
    struct classify_words stop = { 0 };
    struct classify_counts c;
    struct classify_text t;
    struct classify_matrix m, again;
    long live = base_alloc_live();
    if (stop_words) {
        const char *path = test_temporary_path(".txt");
        test_write_file(path, stop_words, strlen(stop_words));
        assert_int_equal(classify_words_stop(&stop, path), 0);
        unlink(path);
    }
    count_all(&c, o, stop_words ? &stop : NULL);
    assert_int_equal(classify_text_fit(&t, &c, o, stop_words ? &stop : NULL, NULL, 0), 0);
    const char *at = e->terms;
    for (size_t k = 0; k < t.terms.n; k++) {
        size_t n = strcspn(at, "|"), have = t.terms.first[k + 1] - t.terms.first[k];
        assert_int_equal(n, have);
        assert_memory_equal(at, t.terms.bytes + t.terms.first[k], n);
        at += n + (at[n] == '|');
    }
    assert_int_equal(*at, 0);
    assert_int_equal(classify_matrix_begin(&m, t.terms.n), 0);
    assert_int_equal(classify_text_rows(&t, &c, NULL, 0, &m), 0);
    check_rows(&m, e);
    /* a text on its own gives the same row */
    assert_int_equal(classify_matrix_begin(&again, t.terms.n), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(classify_text_apply(&t, texts[i], strlen(texts[i]), &again), 0);
    check_rows(&again, e);
    classify_matrix_free(&m);
    classify_matrix_free(&again);
    classify_text_free(&t);
    classify_counts_free(&c);
    classify_words_free(&stop);
    assert_int_equal(base_alloc_live(), live);
}

static void test_reference(void **state)
{
    (void)state;
    check(&(struct classify_text_options){ 0 }, NULL,
          &(struct expected){
              "and|brown|brûlée|clair|crème|dog|dogs|end|fox|fox_9|lazy|met|quick|stanbul|the|"
              "witted|οδος|σας|ⅳ²|２３",
              { "1 0.30056901416295156 5 0.24647089131297267 7 0.30056901416295156 8 "
                "0.30056901416295156 10 0.24647089131297267 12 0.24647089131297267 14 "
                "0.7394126739389181",
                "6 0.43254606386088895 9 0.43254606386088895 10 0.3546939600231492 11 "
                "0.43254606386088895 12 0.3546939600231492 15 0.43254606386088895",
                "0 0.408248290463863 2 0.408248290463863 4 0.408248290463863 13 "
                "0.408248290463863 16 0.408248290463863 17 0.408248290463863",
                "3 0.5773502691896257 18 0.5773502691896257 19 0.5773502691896257",
                "5 0.31622776601683794 14 0.9486832980505139", "" } });
    check(&(struct classify_text_options){ .ngram_max = 2, .ngram_min = 1, .min_df = 2 }, NULL,
          &(struct expected){ "dog|lazy|quick|the",
                              { "0 0.28867513459481287 1 0.28867513459481287 2 "
                                "0.28867513459481287 3 0.8660254037844387",
                                "1 0.7071067811865476 2 0.7071067811865476", "", "",
                                "0 0.31622776601683794 3 0.9486832980505139", "" } });
    check(&(struct classify_text_options){ .max_df = 0.4, .sublinear = true }, NULL,
          &(struct expected){
              "and|brown|brûlée|clair|crème|dog|dogs|end|fox|fox_9|lazy|met|quick|stanbul|the|"
              "witted|οδος|σας|ⅳ²|２３",
              { "1 0.3540241132028095 5 0.29030483721144845 7 0.3540241132028095 8 "
                "0.3540241132028095 10 0.29030483721144845 12 0.29030483721144845 14 "
                "0.6092372988317409",
                "6 0.43254606386088895 9 0.43254606386088895 10 0.3546939600231492 11 "
                "0.43254606386088895 12 0.3546939600231492 15 0.43254606386088895",
                "0 0.408248290463863 2 0.408248290463863 4 0.408248290463863 13 "
                "0.408248290463863 16 0.408248290463863 17 0.408248290463863",
                "3 0.5773502691896257 18 0.5773502691896257 19 0.5773502691896257",
                "5 0.430165282498796 14 0.9027501480103624", "" } });
    check(
        &(struct classify_text_options){ .norm = CLASSIFY_NORM_L1, .no_smooth = true }, "the and\n",
        &(struct expected){
            "brown|brûlée|clair|crème|dog|dogs|end|fox|fox_9|lazy|met|quick|stanbul|witted|"
            "οδος|σας|ⅳ²|２３",
            { "0 0.19028951904119099 4 0.14304381429214233 6 0.19028951904119099 7 "
              "0.19028951904119099 9 0.14304381429214233 11 0.14304381429214233",
              "5 0.18170475006797956 8 0.18170475006797956 9 0.1365904998640409 10 "
              "0.18170475006797956 11 0.1365904998640409 13 0.18170475006797956",
              "1 0.2 3 0.2 12 0.2 14 0.2 15 0.2",
              "2 0.3333333333333333 16 0.3333333333333333 17 0.3333333333333333", "4 1.0", "" } });
    check(&(struct classify_text_options){ .norm = CLASSIFY_NORM_NONE,
                                           .no_idf = true,
                                           .max_terms = 4 },
          NULL,
          &(struct expected){ "dog|lazy|quick|the",
                              { "0 1 1 1 2 1 3 3", "1 1 2 1", "", "", "0 1 3 3", "" } });
    check(&(struct classify_text_options){ .ngram_min = 2, .ngram_max = 3, .binary = true }, "the",
          &(struct expected){
              "and οδος|and οδος σας|brown fox|brown fox lazy|brûlée and|brûlée and οδος|clair "
              "２３|clair ２３ ⅳ²|crème brûlée|crème brûlée and|dog end|fox lazy|fox lazy dog|"
              "fox_9 met|fox_9 met lazy|lazy dog|lazy dog end|lazy dogs|met lazy|met lazy dogs|"
              "quick brown|quick brown fox|quick witted|quick witted fox_9|witted fox_9|witted "
              "fox_9 met|οδος σας|οδος σας stanbul|σας stanbul|２３ ⅳ²",
              { "2 0.3333333333333333 3 0.3333333333333333 10 0.3333333333333333 11 "
                "0.3333333333333333 12 0.3333333333333333 15 0.3333333333333333 16 "
                "0.3333333333333333 20 0.3333333333333333 21 0.3333333333333333",
                "13 0.3333333333333333 14 0.3333333333333333 17 0.3333333333333333 18 "
                "0.3333333333333333 19 0.3333333333333333 22 0.3333333333333333 23 "
                "0.3333333333333333 24 0.3333333333333333 25 0.3333333333333333",
                "0 0.3333333333333333 1 0.3333333333333333 4 0.3333333333333333 5 "
                "0.3333333333333333 8 0.3333333333333333 9 0.3333333333333333 26 "
                "0.3333333333333333 27 0.3333333333333333 28 0.3333333333333333",
                "6 0.5773502691896257 7 0.5773502691896257 29 0.5773502691896257", "", "" } });
}

static void test_refused(void **state)
{
    (void)state;
    struct classify_counts c;
    struct classify_text t;
    struct classify_text_options o = { 0 };
    count_all(&c, &o, NULL);
    assert_int_equal(
        classify_text_fit(&t, &c, &(struct classify_text_options){ .min_df = 5 }, NULL, NULL, 0),
        BASE_E_ARGUMENT);
    assert_int_equal(classify_text_fit(&t, &c,
                                       &(struct classify_text_options){ .min_df = 3, .max_df = .2 },
                                       NULL, NULL, 0),
                     BASE_E_ARGUMENT);
    assert_int_equal(
        classify_text_fit(&t, &c, &(struct classify_text_options){ .ngram_min = 3, .ngram_max = 2 },
                          NULL, NULL, 0),
        BASE_E_ARGUMENT);
    /* min_df below 1 is a share: 0.3 of 6 rows is 1.8 */
    assert_int_equal(
        classify_text_fit(&t, &c, &(struct classify_text_options){ .min_df = .3 }, NULL, NULL, 0),
        0);
    assert_int_equal(t.terms.n, 4);
    classify_text_free(&t);
    /* a fold: terms of the chosen rows alone */
    const uint32_t row[2] = { 4, 1 };
    assert_int_equal(classify_text_fit(&t, &c, &o, NULL, row, 2), 0);
    assert_int_equal(t.terms.n, 8);
    assert_true(fabs(t.idf[0] - (log(3. / 2) + 1)) < 1e-15);
    struct classify_matrix m;
    assert_int_equal(classify_matrix_begin(&m, t.terms.n), 0);
    assert_int_equal(classify_text_rows(&t, &c, (uint32_t[]){ 0 }, 1, &m), 0);
    assert_int_equal(m.first[1], 4); /* dog lazy quick the; fox and brown are unknown */
    classify_matrix_free(&m);
    classify_text_free(&t);
    classify_counts_free(&c);
}

static void test_long_and_hostile(void **state)
{
    (void)state;
    /* 300 different words in one text take the heap's way; the order must be that of the terms */
    char text[4096];
    size_t n = 0;
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "w%03d ", (i * 77) % 300);
    struct classify_counts c = { 0 };
    struct classify_text_options o = { 0 };
    struct classify_text t;
    struct classify_matrix m;
    assert_int_equal(classify_counts_add(&c, &o, NULL, text, n), 0);
    assert_int_equal(classify_text_fit(&t, &c, &o, NULL, NULL, 0), 0);
    assert_int_equal(classify_matrix_begin(&m, t.terms.n), 0);
    assert_int_equal(classify_text_rows(&t, &c, NULL, 0, &m), 0);
    assert_int_equal(classify_text_apply(&t, text, n, &m), 0);
    for (size_t j = 0; j < 600; j++) {
        assert_int_equal(m.column[j], j % 300);
        assert_true(fabs(m.value[j] - 1 / sqrt(300)) < 1e-15);
    }
    classify_matrix_free(&m);
    classify_text_free(&t);
    classify_counts_free(&c);
    /* bytes that are not UTF-8 end a word; letters that grow in lower case have room */
    struct classify_cut cut = { 0 };
    assert_int_equal(classify_cut_make(&cut,
                                       "ab\xff"
                                       "cd\xc3",
                                       6, false, NULL),
                     0);
    assert_int_equal(cut.n, 2);
    char grow[4000];
    for (int i = 0; i < 2000; i++)
        memcpy(grow + 2 * i, "\xc8\xba", 2); /* U+023A, lower case U+2C65 of three bytes */
    assert_int_equal(classify_cut_make(&cut, grow, sizeof grow, false, NULL), 0);
    assert_int_equal(cut.n, 1);
    assert_int_equal(cut.end[0] - cut.start[0], 6000);
    classify_cut_free(&cut);
}

static void test_memory(void **state)
{
    (void)state;
    long live = base_alloc_live();
    bool done = false;
    for (long k = 1; k < 400 && !done; k++) {
        struct classify_counts c = { 0 };
        struct classify_text t = { 0 };
        struct classify_matrix m = { 0 };
        struct classify_words stop = { 0 };
        struct classify_text_options o = { .ngram_max = 2, .ngram_min = 1 };
        base_alloc_fail_after(k);
        int rc = classify_words_stop(&stop, "english");
        for (int i = 0; i < 6 && !rc; i++)
            rc = classify_counts_add(&c, &o, &stop, texts[i], strlen(texts[i]));
        if (!rc)
            rc = classify_text_fit(&t, &c, &o, &stop, NULL, 0);
        if (!rc)
            rc = classify_matrix_begin(&m, t.terms.n);
        if (!rc)
            rc = classify_text_rows(&t, &c, NULL, 0, &m);
        if (!rc)
            rc = classify_text_apply(&t, texts[0], strlen(texts[0]), &m);
        base_alloc_fail_after(0);
        done = rc == 0;
        assert_true(done || rc == BASE_E_MEMORY);
        classify_matrix_free(&m);
        classify_text_free(&t);
        classify_counts_free(&c);
        classify_words_free(&stop);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_true(done);
}

static void test_recipes(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/recipes/recipes.csv.zst");
    struct data_table *table;
    const struct data_cell *cell;
    struct classify_counts c = { 0 };
    struct classify_text_options o = { .ngram_min = 1, .ngram_max = 2 };
    assert_int_equal(
        data_table_open(&table, test_shared_path("sampling/recipes/recipes.csv.zst"), NULL), 0);
    while (data_table_next(table, &cell) == 1)
        assert_int_equal(classify_counts_add(&c, &o, NULL, cell[2].bytes, cell[2].length), 0);
    data_table_close(table);
    assert_int_equal(c.rows, 39774);
    assert_int_equal(c.terms.n, 81045); /* 3,010 words and 78,035 pairs, as scikit-learn has them */
    size_t pairs = 0;
    for (size_t i = 0; i < c.terms.n; i++)
        pairs += memchr(c.terms.bytes + c.terms.first[i], ' ',
                        c.terms.first[i + 1] - c.terms.first[i]) != NULL;
    assert_int_equal(c.terms.n - pairs, 3010);
    classify_counts_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_and_hostile), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_recipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
