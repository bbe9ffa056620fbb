/* Tokens against gensim's, string by string (values: tests/oracle/embed.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "embed/text.h"
#include <assay/embed.h>
#include <stdlib.h>
#include <time.h>

static void expect(enum embed_tokens kind, const char *text, const char *tokens, size_t count)
{
    struct embed_text *t = NULL;
    struct base_buffer b = { 0 };
    size_t n = 0;
    assert_int_equal(embed_text_new(&t, kind), 0);
    assert_int_equal(embed_text_split(t, text, strlen(text), &b, &n), 0);
    assert_string_equal(b.data ? b.data : "", tokens);
    assert_int_equal(n, count);
    base_buffer_free(&b);
    embed_text_free(t);
}

static void test_gensim(void **state)
{
    (void)state;
    expect(EMBED_TOKENS_GENSIM,
           "<i>Hel 9lo</i> <b>Wo9 rld</b>! Th3     weather_is really g00d today, isn't it?",
           "hel rld weather todai isn", 5);
    expect(EMBED_TOKENS_GENSIM,
           "a<>b <x>y< z> <<q> TECHNOLOGY possibly Assemblies flying Stra\xc3\x9f"
           "e \xce\xa3\xce\x9f\xce\xa6\xce\x9f\xce\xa3 \xc4\xb0stanbul na\xc3\xafve",
           "technolog possibl assembl fly stra\xc3\x9f"
           "e \xcf\x83\xce\xbf\xcf\x86\xce\xbf\xcf\x82 i\xcc\x87stanbul na\xc3\xafv",
           8);
    expect(EMBED_TOKENS_GENSIM,
           "caresses ponies relational conditional hopefulness apologising doublying happily "
           "trilogies logi bly",
           "caress poni relat condit hope apologis doubli happili trilogi logi bly", 11);
    expect(EMBED_TOKENS_GENSIM, "", "", 0);
    expect(EMBED_TOKENS_GENSIM, "the of 12 ab <unclosed tail", "unclos tail", 2);
    expect(EMBED_TOKENS_GENSIM, "aaa <b <c> ddd> <> eee < > fff <<>> ggg", "aaa ddd eee fff ggg",
           5);
}

/* Tags that never close were looked for again at each of them: an hour for these four megabytes. */
static void test_open_tags(void **state)
{
    (void)state;
    const size_t n = (size_t)4 << 20;
    char *text = malloc(n + 1);
    struct embed_text *t = NULL;
    struct base_buffer out = { 0 };
    size_t count = 0;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        text[i] = '<';
    text[n / 2] = '>';
    assert_int_equal(embed_text_new(&t, EMBED_TOKENS_GENSIM), 0);
    const clock_t begin = clock();
    assert_int_equal(embed_text_split(t, text, n, &out, &count), 0);
    assert_int_equal(count, 0);
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 10);
    embed_text_free(t);
    base_buffer_free(&out);
    free(text);
}

static void test_simple_and_plain(void **state)
{
    (void)state;
    expect(EMBED_TOKENS_SIMPLE,
           "<i>Hel 9lo</i> <b>Wo9 rld</b>! Th3     weather_is really g00d today, isn't it?",
           "hel lo wo rld th weather_is really today isn it", 10);
    expect(EMBED_TOKENS_SIMPLE, "\xc4\xb0stanbul _hidden a abcdefghijklmnop abcdefghijklmno",
           "stanbul abcdefghijklmno", 2);
    expect(EMBED_TOKENS_PLAIN, "  The Cat,\tsat\xe2\x80\x83on \xc2\xa0 it\n", "The Cat, sat on it",
           5);
}

static void test_stop_words(void **state)
{
    (void)state;
    static const char *const in[] = { "a", "about", "yourselves", "yours", "your", "the", "un" };
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        assert_true(embed_is_stop_word(in[i], strlen(in[i])));
    assert_false(embed_is_stop_word("", 0));
    assert_false(embed_is_stop_word("yourse", 6));
    assert_false(embed_is_stop_word("zzz", 3));
}

/* Every word of the two departures of gensim's Porter that WikiText-2 and two books have. */
static void test_stems(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "analogy", "analog" },     { "anthologies", "antholog" },
        { "apology", "apolog" },     { "archaeology", "archaeolog" },
        { "assemblies", "assembl" }, { "disassembly", "disassembl" },
        { "dumbly", "dumbl" },       { "forcibly", "forcibl" },
        { "humbly", "humbl" },       { "incredibly", "incred" },
        { "ostensibly", "ostens" },  { "sensibly", "sensibl" },
        { "superbly", "superbl" },   { "technologies", "technolog" },
        { "visibly", "visibl" },     { "responsibly", "respons" },
        { "probably", "probabl" },   { "comfortably", "comfort" },
        { "ably", "abli" },          { "oology", "oologi" },
        { "flying", "fly" },
    };
    struct embed_stemmer *s = NULL;
    assert_int_equal(embed_stemmer_new(&s), 0);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *stem;
        size_t n;
        char got[64];
        assert_int_equal(embed_stemmer_stem(s, pairs[i][0], strlen(pairs[i][0]), &stem, &n), 0);
        snprintf(got, sizeof got, "%.*s", (int)n, stem);
        assert_string_equal(got, pairs[i][1]);
    }
    embed_stemmer_free(s);
}

static void test_bad_bytes(void **state)
{
    (void)state;
    struct embed_text *t = NULL;
    struct base_buffer b = { 0 };
    size_t n = 0;
    assert_int_equal(embed_text_new(&t, EMBED_TOKENS_PLAIN), 0);
    assert_int_equal(embed_text_split(t, "ab\xa3", 3, &b, &n), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "byte 3 (0xa3)"));
    base_buffer_free(&b);
    embed_text_free(t);
}

/* FNV-1a of all documents' tokens, as the oracle has it. */
static uint64_t fnv(const struct embed_corpus *c)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (uint64_t d = 0; d < c->documents; d++) {
        for (uint64_t i = c->start[d]; i < c->start[d + 1]; i++) {
            if (i > c->start[d])
                h = (h ^ ' ') * 0x100000001b3u;
            for (const char *s = embed_corpus_word(c, c->token[i]); *s; s++)
                h = (h ^ (unsigned char)*s) * 0x100000001b3u;
        }
        h = (h ^ '\n') * 0x100000001b3u;
    }
    return h;
}

static void test_lee(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/gensim/lee.cor");
    static const struct {
        const char *name;
        enum embed_tokens kind;
        uint64_t documents, tokens, fnv;
    } expected[] = {
        { "lee_background.cor", EMBED_TOKENS_GENSIM, 300, 30872, 0xa0284410629f5be5u },
        { "lee_background.cor", EMBED_TOKENS_SIMPLE, 300, 58152, 0x6981735122eba66eu },
        { "lee.cor", EMBED_TOKENS_GENSIM, 50, 2219, 0x214183de94e0f5b4u },
        { "lee.cor", EMBED_TOKENS_SIMPLE, 50, 3869, 0xb8ee1a913e8532e9u },
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct embed_corpus *c = NULL;
        const struct embed_corpus_options how = { .tokens = expected[i].kind,
                                                  .encoding = EMBED_LATIN1 };
        char name[100];
        snprintf(name, sizeof name, "sampling/gensim/%s", expected[i].name);
        assert_int_equal(embed_corpus_new(&c), 0);
        assert_int_equal(embed_corpus_read(c, test_shared_path(name), &how), 0);
        assert_int_equal(c->documents, expected[i].documents);
        assert_int_equal(c->tokens, expected[i].tokens);
        assert_true(fnv(c) == expected[i].fnv);
        embed_corpus_free(c);
    }
}

/* gensim's own output for the background corpus, word by word. */
static void test_lee_preprocessed(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("sampling/gensim/lee_background.preprocessed.txt");
    struct embed_corpus *ours = NULL, *theirs = NULL;
    struct embed_corpus_options how = { .tokens = EMBED_TOKENS_GENSIM, .encoding = EMBED_LATIN1 };
    assert_int_equal(embed_corpus_new(&ours), 0);
    assert_int_equal(embed_corpus_new(&theirs), 0);
    assert_int_equal(
        embed_corpus_read(ours, test_shared_path("sampling/gensim/lee_background.cor"), &how), 0);
    how = (struct embed_corpus_options){ .tokens = EMBED_TOKENS_PLAIN };
    assert_int_equal(
        embed_corpus_read(
            theirs, test_shared_path("sampling/gensim/lee_background.preprocessed.txt"), &how),
        0);
    assert_int_equal(ours->tokens, theirs->tokens);
    for (uint64_t i = 0; i < ours->tokens; i++)
        assert_string_equal(embed_corpus_word(ours, ours->token[i]),
                            embed_corpus_word(theirs, theirs->token[i]));
    embed_corpus_free(ours);
    embed_corpus_free(theirs);
}

static void test_files(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".txt"), *csv = test_temporary_path(".csv");
    struct embed_corpus *c = NULL;
    struct embed_corpus_options how = { .tokens = EMBED_TOKENS_PLAIN };
    test_write_file(path, "b a b\r\n\n  \nc\xa3", 13);
    assert_int_equal(embed_corpus_new(&c), 0);
    assert_int_equal(embed_corpus_read(c, path, &how), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), ":4: byte 2 (0xa3)"));
    embed_corpus_free(c);
    assert_int_equal(embed_corpus_new(&c), 0);
    how.encoding = EMBED_LATIN1;
    assert_int_equal(embed_corpus_read(c, path, &how), 0);
    assert_int_equal(c->documents, 2);
    assert_int_equal(c->types, 3);
    assert_int_equal(c->tokens, 4);
    assert_string_equal(embed_corpus_word(c, 0), "b");
    assert_string_equal(embed_corpus_word(c, 2), "c\xc2\xa3");
    how = (struct embed_corpus_options){ .tokens = EMBED_TOKENS_PLAIN, .whole = true };
    test_write_file(path, "x y\n\nz", 6);
    assert_int_equal(embed_corpus_read(c, path, &how), 0);
    assert_int_equal(c->documents, 3); /* added to what is there */
    assert_int_equal(c->start[3] - c->start[2], 3);
    how.field = "body";
    test_write_file(csv, "id,body\n1,\"one\ntwo\"\n2,\n", 23);
    assert_int_equal(embed_corpus_read(c, csv, &how), 0);
    assert_int_equal(c->documents, 4);
    assert_int_equal(c->start[4] - c->start[3], 2);
    how.field = "text";
    assert_int_equal(embed_corpus_read(c, csv, &how), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "--field"));
    how = (struct embed_corpus_options){ .field = "body", .encoding = EMBED_LATIN1 };
    assert_int_equal(embed_corpus_read(c, csv, &how), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "UTF-8 only"));
    embed_corpus_free(c);
}

/* A corpus that does not stay in memory is the same corpus. */
static void test_spill(void **state)
{
    (void)state;
    struct embed_corpus *a = NULL, *b = NULL;
    const struct embed_corpus_options how = { .tokens = EMBED_TOKENS_GENSIM };
    const long live = base_alloc_live();
    assert_int_equal(embed_corpus_new(&a), 0);
    assert_int_equal(embed_corpus_new(&b), 0);
    b->spill = 5000;
    assert_int_equal(embed_corpus_read(a, "builtin:stories", &how), 0);
    assert_int_equal(embed_corpus_read(b, "builtin:stories", &how), 0);
    assert_int_equal(a->file, -1);
    assert_true(b->file >= 0);
    assert_int_equal(a->tokens, b->tokens);
    assert_memory_equal(a->token, b->token, a->tokens * sizeof *a->token);
    embed_corpus_free(b);
    setenv("TMPDIR", "/nonexistent", 1);
    assert_int_equal(embed_corpus_new(&b), 0);
    b->spill = 5000;
    assert_int_equal(embed_corpus_read(b, "builtin:stories", &how), BASE_E_IO);
    assert_non_null(strstr(base_error_message(), "/nonexistent: cannot make a temporary file"));
    unsetenv("TMPDIR");
    embed_corpus_free(a);
    embed_corpus_free(b);
    assert_int_equal(base_alloc_live(), live);
}

static void test_allocation(void **state)
{
    (void)state;
    const long live = base_alloc_live();
    int rc = -1;
    for (long n = 1; rc != 0; n++) {
        struct embed_corpus *c = NULL;
        const struct embed_corpus_options how = { .tokens = EMBED_TOKENS_GENSIM };
        base_alloc_fail_after(n);
        rc = embed_corpus_new(&c);
        if (rc == 0)
            rc = embed_corpus_read(c, "builtin:stories", &how);
        base_alloc_fail_after(0);
        embed_corpus_free(c);
        assert_true(n < 2000);
    }
    assert_int_equal(base_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gensim),
        cmocka_unit_test(test_open_tags),
        cmocka_unit_test(test_simple_and_plain),
        cmocka_unit_test(test_stop_words),
        cmocka_unit_test(test_stems),
        cmocka_unit_test(test_bad_bytes),
        cmocka_unit_test(test_lee),
        cmocka_unit_test(test_lee_preprocessed),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_spill),
        cmocka_unit_test(test_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
