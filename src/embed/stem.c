/* Porter's stemmer as gensim has it, by libstemmer's "porter" (Porter 1980; Snowball).
 *
 * gensim's PorterStemmer has two rules that libstemmer's "porter" lacks (they are from Porter's
 * later C program, where they are marked as departures): step 2 takes -bli to -ble after any stem
 * of measure > 0, not only -abli to -able, and -logi to -log. So possibly -> possibl, not possibli,
 * and technology -> technolog. Of 33,012 words of WikiText-2 and two books, 46 differ.
 *
 * They come out right by turning the word, before it is stemmed, into one that "porter" takes to
 * the same stem. Steps 1a to 1c end in X-bli or X-logi for a word of the forms X-bl|log + y ys yed
 * yeds ying yings i is ies ied ieds iing iings and no other. With measure m(X) > 0 gensim then has
 * X-ble or X-log before step 3; and X-ble and X-log themselves pass steps 1 and 2 of "porter"
 * unchanged. */
#include "embed/text.h"
#include "base/library.h"
#include "base/memory.h"
#include <libstemmer.h>
#include <string.h>

#define STEMMER_FUNCTIONS(X) X(new) X(delete) X(stem) X(length)
static struct {
#define X(name) __typeof__(sb_stemmer_##name) *name;
    STEMMER_FUNCTIONS(X)
#undef X
} snowball;

struct embed_stemmer {
    struct sb_stemmer *porter;
    char *word; /* the turned word */
    size_t room;
};

int embed_stemmer_new(struct embed_stemmer **out)
{
    static const char *const names[] = {
#define X(name) "sb_stemmer_" #name,
        STEMMER_FUNCTIONS(X)
#undef X
    };
    *out = NULL;
    int rc = base_library_load("libstemmer.so.0d", "libstemmer0d", names, &snowball,
                               sizeof names / sizeof *names);
    if (rc)
        return rc;
    struct embed_stemmer *s = base_alloc_zero(1, sizeof *s);
    if (!s)
        return BASE_E_MEMORY;
    if (!(s->porter = snowball.new("porter", "UTF_8"))) {
        base_free(s);
        return base_error_set(BASE_E_UNSUPPORTED, "libstemmer.so.0d has no stemmer \"porter\"");
    }
    *out = s;
    return 0;
}

void embed_stemmer_free(struct embed_stemmer *s)
{
    if (!s)
        return;
    snowball.delete(s->porter);
    base_free(s->word);
    base_free(s);
}

/* Porter's measure of w[0..n): how often a vowel is followed by a consonant; y is a vowel after a
 * consonant. Only whether it is 0 is asked. */
static bool has_measure(const char *w, size_t n)
{
    bool vowel_before = false, vowel = false;
    for (size_t i = 0; i < n; i++) {
        vowel = (w[i] && strchr("aeiou", w[i])) || (w[i] == 'y' && i > 0 && !vowel_before);
        if (vowel_before && !vowel)
            return true;
        vowel_before = vowel;
    }
    return false;
}

/* Length of X-bl or X-log when the word is one of the forms above, else 0. */
static size_t departing(const char *word, size_t n)
{
    static const char *const ends[] = { "yings", "iings", "ying", "iing", "yeds", "ieds", "yed",
                                        "ied",   "ies",   "ys",   "is",   "y",    "i" };
    for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
        const size_t k = strlen(ends[e]);
        if (n < k + 3 || memcmp(word + n - k, ends[e], k) != 0)
            continue;
        const size_t m = n - k;
        if (memcmp(word + m - 2, "bl", 2) == 0 && has_measure(word, m - 2))
            return m;
        if (memcmp(word + m - 3, "log", 3) == 0 && has_measure(word, m - 3))
            return m;
        return 0;
    }
    return 0;
}

int embed_stemmer_stem(struct embed_stemmer *s, const char *word, size_t bytes, const char **stem,
                       size_t *n)
{
    const size_t m = departing(word, bytes);
    if (m) {
        if (s->room < m + 1) {
            char *wide = base_realloc(s->word, m + 64, 1);
            if (!wide)
                return BASE_E_MEMORY;
            s->word = wide;
            s->room = m + 64;
        }
        memcpy(s->word, word, m);
        bytes = m;
        if (word[m - 1] == 'l')
            s->word[bytes++] = 'e';
        word = s->word;
    }
    if (bytes > INT32_MAX / 4)
        return base_error_set(BASE_E_LIMIT, "a word of %zu bytes", bytes);
    const sb_symbol *out = snowball.stem(s->porter, (const sb_symbol *)word, (int)bytes);
    if (!out) {
        base_error_set(BASE_E_MEMORY, "out of memory while stemming");
        return BASE_E_MEMORY;
    }
    *stem = (const char *)out;
    *n = (size_t)snowball.length(s->porter);
    return 0;
}
