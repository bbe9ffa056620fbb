/* The contamination scan against one that takes text apart by hand: the same hits, counts and
 * places for every block size and number of threads; normalisation; records, directories and packed
 * files; scores of clean items; failing allocations. */
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include <assay/contamination.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static struct eval_contamination *start(size_t ngram, size_t block)
{
    struct eval_contamination_options o = EVAL_CONTAMINATION_OPTIONS_DEFAULT;
    struct eval_contamination *c;
    o.ngram = ngram;
    o.block = block;
    if (eval_contamination_new(&c, &o))
        fail_msg("%s", base_error_message());
    return c;
}

static void add(struct eval_contamination *c, const char *id, const char *text, double score)
{
    size_t bytes = strlen(text);
    if (eval_contamination_add(c, id, &text, &bytes, 1, score))
        fail_msg("%s", base_error_message());
}

static void scan(struct eval_contamination *c, const char *path)
{
    if (eval_contamination_scan(c, &path, 1))
        fail_msg("%s", base_error_message());
}

static void write_text(const char *path, const char *text)
{
    test_write_file(path, text, strlen(text));
}

/* Whether `text` is found in `corpus` as one run of all its words. */
static bool found(size_t n, const char *text, const char *corpus)
{
    const char *path = test_temporary_path(".txt");
    struct eval_contamination *c = start(n, 0);
    write_text(path, corpus);
    add(c, "x", text, NAN);
    scan(c, path);
    struct eval_contamination_item x = eval_contamination_at(c, 0);
    if (x.runs != 1)
        fail_msg("\"%s\" has %zu runs of %zu words", text, x.runs, n);
    eval_contamination_free(c);
    unlink(path);
    return x.hits == 1;
}

static void words_are_compared_plainly(void **state)
{
    (void)state;
    assert_true(found(3, "Don't PANIC, now!", "they said: “don’t panic now”."));
    assert_true(found(3, "don't panic now", "x DONT\n\n\t--- Panic ... now"));
    assert_false(found(3, "don't panic now", "do not panic now"));
    assert_true(found(2,
                      "caf\xc3\xa9"
                      " \xc3\x9c"
                      "ber",
                      "xx CAFE\xcc\x81 u\xcc\x88"
                      "BER yy")); /* NFC, NFD */
    assert_true(found(2, "Straße 12", "strasse ｘ STRASSE １２"));
    assert_true(found(4, "我爱你们", "（我 爱，你们）"));
    assert_true(found(3, "東京 x", "在東京x"));
    assert_true(found(2, "alpha beta",
                      "alpha\xc2\xa0"
                      ""
                      "beta")); /* no-break space divides */
    assert_true(found(2, "alpha beta",
                      "al\xff"
                      ""
                      "pha be\xe2\x80\xad"
                      "ta")); /* broken, invisible */
    assert_false(found(2, "alpha beta", "alphabeta alpha. x beta"));
    assert_true(found(1, "word", "word"));
    assert_false(found(2, "a b", "b a"));
}

static void long_words_end_runs(void **state)
{
    (void)state;
    static char text[20000], corpus[40000];
    memset(text, 'x', 4096); /* the longest word that counts */
    strcpy(text + 4096, " tail");
    snprintf(corpus, sizeof corpus, "a %s b", text);
    assert_true(found(2, text, corpus));
    memset(corpus, 'x', 4097);
    strcpy(corpus + 4097, " tail");
    assert_false(found(2, text, corpus));
    struct eval_contamination *c = start(2, 0);
    add(c, "long", corpus, NAN);
    assert_int_equal(eval_contamination_at(c, 0).runs, 0);
    assert_int_equal(eval_contamination_at(c, 0).words, 2);
    eval_contamination_free(c);
}

/* ---- against the obvious way ---- */

enum { N = 3, ITEMS = 12, WORDS = 4000 };

static char corpus[WORDS * 12];
static size_t starts[WORDS];
static char words[WORDS][4];

static void corpus_make(uint64_t seed)
{
    static const char *const gaps[] = { " ", "\n", " -- ", ", ", "\n\n", " '" };
    struct base_rng rng = base_rng_make(seed, BASE_RNG_USER, 0);
    size_t at = 0;
    for (size_t i = 0; i < WORDS; i++) {
        starts[i] = at;
        words[i][0] = (char)('a' + base_rng_below(&rng, 5));
        words[i][1] = base_rng_below(&rng, 4) ? 0 : (char)('a' + base_rng_below(&rng, 3));
        words[i][2] = 0;
        at += (size_t)sprintf(corpus + at, "%s%s", words[i], gaps[base_rng_below(&rng, 6)]);
    }
}

static void check_against_naive(size_t block, int threads)
{
    const char *path = test_temporary_path(".txt");
    struct eval_contamination *c = start(N, block);
    struct base_rng rng = base_rng_make(77, BASE_RNG_USER, 1);
    static char items[ITEMS][20][4];
    write_text(path, corpus);
    for (int i = 0; i < ITEMS; i++) {
        char text[200] = "", id[12];
        for (int k = 0; k < 20; k++) {
            items[i][k][0] = (char)('a' + base_rng_below(&rng, 5));
            items[i][k][1] = base_rng_below(&rng, 4) ? 0 : (char)('a' + base_rng_below(&rng, 3));
            items[i][k][2] = 0;
            sprintf(text + strlen(text), "%s ", items[i][k]);
        }
        sprintf(id, "%d", i);
        add(c, id, text, NAN);
    }
    base_threads_set(threads);
    scan(c, path);
    base_threads_set(0);
    struct eval_contamination_report r;
    assert_int_equal(eval_contamination_report(c, &r), 0);
    assert_true(r.words == WORDS && r.bytes == strlen(corpus) && r.files == 1);
    for (int i = 0; i < ITEMS; i++) {
        size_t hits = 0;
        bool covered[20] = { false };
        for (int k = 0; k + N <= 20; k++) {
            uint64_t count = 0, byte = 0, line = 1;
            for (size_t w = 0; w + N <= WORDS; w++) {
                bool same = true;
                for (int j = 0; j < N; j++)
                    same = same && strcmp(words[w + (size_t)j], items[i][k + j]) == 0;
                if (same && count++ == 0)
                    byte = starts[w];
            }
            if (count == 0)
                continue;
            for (uint64_t p = 0; p < byte; p++)
                line += corpus[p] == '\n';
            struct eval_contamination_hit h;
            assert_true(eval_contamination_hit(c, (size_t)i, hits, &h));
            if (h.count != count || h.first.byte != byte || h.first.line != line)
                fail_msg("block %zu, %d threads, item %d word %d: count %d byte %d line %d, wanted "
                         "%d %d %d",
                         block, threads, i, k, (int)h.count, (int)h.first.byte, (int)h.first.line,
                         (int)count, (int)byte, (int)line);
            hits++;
            for (int j = 0; j < N; j++)
                covered[k + j] = true;
        }
        size_t n_covered = 0;
        for (int k = 0; k < 20; k++)
            n_covered += covered[k];
        struct eval_contamination_item x = eval_contamination_at(c, (size_t)i);
        assert_true(x.runs == 20 - N + 1 && x.words == 20);
        assert_int_equal(x.hits, hits);
        assert_int_equal(x.covered, n_covered);
        assert_true(x.dirty == (hits > 0));
    }
    eval_contamination_free(c);
    unlink(path);
}

static void any_block_and_threads(void **state)
{
    (void)state;
    static const size_t blocks[] = { 0, 7, 64, 1000, 5000 };
    for (uint64_t seed = 1; seed < 4; seed++) {
        corpus_make(seed);
        for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
            for (int threads = 1; threads <= 3; threads++)
                check_against_naive(blocks[b], threads);
    }
}

/* ---- files ---- */

static void records_and_directories(void **state)
{
    (void)state;
    char dir[600], path[700];
    snprintf(dir, sizeof dir, "%s", test_temporary_path(""));
    snprintf(path, sizeof path, "%s/b/c", dir);
    assert_int_equal(base_file_make_directories(path), 0);
    snprintf(path, sizeof path, "%s/b/c/two.jsonl", dir);
    write_text(path, "{\"text\":\"nothing\"}\n\n{\"text\":\"one two\\nthree four\"}\n"
                     "{\"text\":\"one two\"}\n{\"text\":\"three four five\"}\n");
    snprintf(path, sizeof path, "%s/a.txt", dir);
    write_text(path, "x\nthree four five six\n");
    snprintf(path, sizeof path, "%s/.hidden", dir);
    write_text(path, "one two three four five six");
    struct eval_contamination *c = start(4, 0);
    add(c, "i", "One two three four", NAN);
    add(c, "j", "two three four five", NAN); /* only across records */
    add(c, "k", "three four five six", NAN);
    add(c, "short", "one two", NAN);
    scan(c, dir);
    struct eval_contamination_hit h;
    assert_true(eval_contamination_hit(c, 0, 0, &h));
    assert_non_null(strstr(h.first.file, "/b/c/two.jsonl"));
    assert_true(h.first.line == 3 && h.count == 1 && h.first.byte == 0);
    assert_true(h.bytes == 18 && memcmp(h.run, "one two three four", 18) == 0);
    assert_false(eval_contamination_hit(c, 0, 1, &h));
    assert_false(eval_contamination_at(c, 1).dirty);
    assert_true(eval_contamination_hit(c, 2, 0, &h));
    assert_true(h.first.line == 2 && h.first.byte == 2);
    struct eval_contamination_report r;
    assert_int_equal(eval_contamination_report(c, &r), 0);
    assert_true(r.items == 4 && r.judged == 3 && r.dirty == 2 && r.files == 2);
    assert_true(fabs(r.share - 2.0 / 3) < 1e-15 && !r.scored);
    const char *const missing = "/no/such/corpus";
    assert_int_equal(eval_contamination_scan(c, &missing, 1), BASE_E_IO);
    const char *text = "late";
    size_t bytes = 4;
    assert_int_equal(eval_contamination_add(c, "late", &text, &bytes, 1, NAN), BASE_E_ARGUMENT);
    eval_contamination_free(c);
    snprintf(path, sizeof path, "%s/b/c/two.jsonl", dir);
    write_text(path, "{\"body\":\"nothing\"}\n");
    c = start(4, 0);
    add(c, "i", "One two three four", NAN);
    const char *where = path;
    assert_int_equal(eval_contamination_scan(c, &where, 1), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "--corpus-field"));
    eval_contamination_free(c);
    static const char *const parts[] = { "/b/c/two.jsonl", "/a.txt", "/.hidden", "/b/c", "/b", "" };
    for (size_t i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "%s%s", dir, parts[i]);
        remove(path);
    }
}

static void scores_of_the_clean(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".jsonl"), *text = test_temporary_path(".txt");
    write_text(path,
               "{\"doc_id\":4,\"doc\":{\"q\":\"the first question here\",\"c\":[\"a b c d\"]},"
               "\"acc\":1,\"x\":\"alpha beta gamma\"}\n"
               "{\"doc_id\":7,\"doc\":{\"q\":\"the second question there\"},\"acc\":0}\n"
               "{\"doc_id\":9,\"doc\":{\"q\":\"the third question there\"},\"acc\":\"1\"}\n"
               "{\"doc_id\":10,\"doc\":{\"q\":\"no\"},\"acc\":1}\n");
    write_text(text, "alpha beta gamma. The FIRST question! b c d");
    struct eval_contamination *c = start(3, 0);
    if (eval_contamination_read(c, path, NULL, 0, NULL, "acc", 0))
        fail_msg("%s", base_error_message());
    scan(c, text);
    assert_string_equal(eval_contamination_at(c, 0).id, "4");
    struct eval_contamination_item x = eval_contamination_at(c, 0);
    assert_true(x.runs == 4 && x.words == 8 && x.hits == 2 && x.covered == 6);
    struct eval_contamination_report r;
    assert_int_equal(eval_contamination_report(c, &r), 0);
    assert_true(r.scored && r.all.n == 3 && r.clean.n == 2 && r.tainted.n == 1);
    assert_true(fabs(r.all.mean - 2.0 / 3) < 1e-15 && r.clean.mean == 0.5 && r.tainted.mean == 1);
    assert_true(fabs(r.change + 1.0 / 6) < 1e-15);
    /* SE = sqrt(1/2 (1/2 - 1/3)), t with 1 degree of freedom */
    assert_true(fabs(r.change_ci.high - (-1.0 / 6 + 12.706204736174694 * sqrt(1.0 / 12))) < 1e-9);
    eval_contamination_free(c);
    /* fields, patterns and boilerplate */
    struct eval_contamination_options o = EVAL_CONTAMINATION_OPTIONS_DEFAULT;
    o.ngram = 3;
    o.max_count = 1;
    assert_int_equal(eval_contamination_new(&c, &o), 0);
    const char *const fields[] = { "doc.q", "{doc_id} {acc} z" };
    assert_int_equal(eval_contamination_read(c, path, fields, 2, NULL, NULL, 2), 0);
    write_text(text, "the first question the first question 7 0 Z");
    scan(c, text);
    assert_int_equal(eval_contamination_report(c, &r), 0);
    assert_true(r.items == 2 && r.dirty == 1 && r.boilerplate == 1 && r.runs_hit == 1);
    assert_false(eval_contamination_at(c, 0).dirty);
    eval_contamination_free(c);
    c = start(3, 0);
    assert_true(eval_contamination_read(c, path, fields, 2, "nix", NULL, 0) < 0);
    eval_contamination_free(c);
    o.ngram = 65;
    assert_int_equal(eval_contamination_new(&c, &o), BASE_E_ARGUMENT);
    o.ngram = 5;
    o.dirty = 1;
    assert_int_equal(eval_contamination_new(&c, &o), BASE_E_ARGUMENT);
    unlink(path);
    unlink(text);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".jsonl"), *text = test_temporary_path(".txt");
    write_text(path,
               "{\"id\":\"a\",\"q\":\"one two three four\"}\n{\"id\":\"b\",\"q\":\"five six\"}\n");
    write_text(text, "zero one two three\nfour five six\n");
    struct eval_contamination_options o = EVAL_CONTAMINATION_OPTIONS_DEFAULT;
    o.ngram = 2;
    o.block = 8;
    base_threads_set(1);
    long live = base_alloc_live();
    int rc = -1;
    for (long n = 1; rc != 0 && n < 10000; n++) {
        struct eval_contamination *c = NULL;
        base_alloc_fail_after(n);
        rc = eval_contamination_new(&c, &o);
        rc = rc ? rc : eval_contamination_read(c, path, NULL, 0, NULL, NULL, 0);
        rc = rc ? rc : eval_contamination_scan(c, &text, 1);
        rc = rc ? rc : eval_contamination_scan(c, &path, 0);
        base_alloc_fail_after(0);
        eval_contamination_free(c);
        if (base_alloc_live() != live)
            fail_msg("allocation %ld: %ld blocks left", n, base_alloc_live() - live);
    }
    base_threads_set(0);
    assert_int_equal(rc, 0);
    unlink(path);
    unlink(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_compared_plainly), cmocka_unit_test(long_words_end_runs),
        cmocka_unit_test(any_block_and_threads),      cmocka_unit_test(records_and_directories),
        cmocka_unit_test(scores_of_the_clean),        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
