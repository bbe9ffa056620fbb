/* Words of a text, and sets of words.
 *
 * Lower-casing is Python's str.lower: the simple mapping of every code point, but U+0130 becomes
 * two code points, and capital sigma at the end of a word becomes U+03C2 (Unicode 15, 3.13,
 * Final_Sigma). A word character is a letter (L*), a number (N*) or an underscore, which is what \w
 * means to Python's re: combining marks are not among them.
 *
 * The set keeps all strings in one block and looks them up by open addressing, at most half full,
 * with 32 bits of hash beside each string so that a comparison of bytes nearly always succeeds. */
#include "classify/words.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include <string.h>
#include <utf8proc.h>

/* ---- a set of strings ---- */

static uint32_t words_hash(const char *bytes, size_t n)
{
    uint64_t h = base_hash64(bytes, n, 0);
    return (uint32_t)(h ^ h >> 32);
}

/* The slot that holds the string, or the free one where it would go. */
static size_t words_slot(const struct classify_words *w, const char *bytes, size_t n, uint32_t hash)
{
    size_t mask = w->slots - 1, at = hash & mask;
    for (; w->slot[at]; at = (at + 1) & mask) {
        uint32_t i = w->slot[at] - 1;
        if (w->hash[i] == hash && w->first[i + 1] - w->first[i] == n &&
            memcmp(w->bytes + w->first[i], bytes, n) == 0)
            break;
    }
    return at;
}

uint32_t classify_words_find(const struct classify_words *w, const char *bytes, size_t n)
{
    if (!w->slots)
        return UINT32_MAX;
    return w->slot[words_slot(w, bytes, n, words_hash(bytes, n))] - 1;
}

static int words_grow(struct classify_words *w)
{
    size_t slots = w->slots ? 2 * w->slots : 256;
    uint32_t *slot = base_alloc_zero(slots, sizeof *slot);
    if (!slot)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < w->n; i++) {
        size_t at = w->hash[i] & (slots - 1);
        while (slot[at])
            at = (at + 1) & (slots - 1);
        slot[at] = (uint32_t)i + 1;
    }
    base_free(w->slot);
    w->slot = slot;
    w->slots = slots;
    return 0;
}

static int words_reserve(struct classify_words *w, size_t bytes)
{
    if (w->used + bytes > w->capacity || !w->bytes) {
        size_t capacity = w->capacity + w->capacity / 2 + bytes + 256;
        char *block = base_realloc(w->bytes, capacity, 1);
        if (!block)
            return BASE_E_MEMORY;
        w->bytes = block;
        w->capacity = capacity;
    }
    if (w->n == w->word_capacity || !w->first) {
        size_t capacity = w->word_capacity + w->word_capacity / 2 + 64;
        size_t *first = base_realloc(w->first, capacity + 1, sizeof *first);
        if (!first)
            return BASE_E_MEMORY;
        w->first = first;
        first[w->n] = w->used;
        uint32_t *hash = base_realloc(w->hash, capacity, sizeof *hash);
        if (!hash)
            return BASE_E_MEMORY;
        w->hash = hash;
        w->word_capacity = capacity;
    }
    return 2 * (w->n + 1) > w->slots ? words_grow(w) : 0;
}

int classify_words_add(struct classify_words *w, const char *bytes, size_t n, uint32_t *number)
{
    uint32_t hash = words_hash(bytes, n);
    if (w->slots) {
        size_t at = words_slot(w, bytes, n, hash);
        if (w->slot[at]) {
            *number = w->slot[at] - 1;
            return 0;
        }
    }
    if (w->n >= UINT32_MAX - 2)
        return base_error_set(BASE_E_LIMIT, "more than %u different terms: raise --min-df",
                              UINT32_MAX - 2);
    int rc = words_reserve(w, n);
    if (rc)
        return rc;
    memcpy(w->bytes + w->used, bytes, n);
    w->used += n;
    w->hash[w->n] = hash;
    w->slot[words_slot(w, bytes, n, hash)] = (uint32_t)w->n + 1;
    *number = (uint32_t)w->n++;
    w->first[w->n] = w->used;
    return 0;
}

void classify_words_free(struct classify_words *w)
{
    base_free(w->bytes);
    base_free(w->first);
    base_free(w->slot);
    base_free(w->hash);
    *w = (struct classify_words){ 0 };
}

/* Function words of English, the project's own list: articles, pronouns, prepositions,
 * conjunctions, auxiliaries and the commonest adverbs. */
static const char english[] =
    "a about above across after afterwards again against all almost alone along already also "
    "although always am among amongst an and another any anybody anyone anything anyway anywhere "
    "are around as at away be became because become becomes been before behind being below beside "
    "besides between beyond both but by can cannot could did do does doing done down during each "
    "either else elsewhere enough etc even ever every everybody everyone everything everywhere "
    "except few for from further get gets given goes got had has have having he hence her here "
    "hers herself him himself his how however if in indeed instead into is it its itself just "
    "last least less lest let like likewise many may maybe me meanwhile might mine more moreover "
    "most mostly much must my myself near neither never nevertheless next no nobody none nor not "
    "nothing now nowhere of off often on once one only onto or other others otherwise ought our "
    "ours ourselves out over own per perhaps quite rather really same several shall she should "
    "since so some somebody somehow someone something sometimes somewhere still such than that the "
    "their theirs them themselves then there therefore these they this those though through "
    "throughout thus till to together too toward towards under unless until up upon us very was we "
    "well were what whatever when whenever where whereas wherever whether which while who whoever "
    "whole whom whose why will with within without would yet you your yours yourself yourselves";

int classify_words_stop(struct classify_words *w, const char *source)
{
    char *file = NULL;
    const char *at = english;
    int rc = 0;
    if (strcmp(source, "english") != 0) {
        if ((rc = base_file_read(source, (size_t)16 << 20, &file, NULL)))
            return rc;
        at = file;
    }
    uint32_t number;
    while (!rc) {
        at += strspn(at, " \t\r\n");
        size_t n = strcspn(at, " \t\r\n");
        if (!n)
            break;
        rc = classify_words_add(w, at, n, &number);
        at += n;
    }
    base_free(file);
    return rc;
}

/* ---- words of a text ---- */

/* Case properties for Final_Sigma. */
static bool is_cased(uint32_t c)
{
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k == UTF8PROC_CATEGORY_LU || k == UTF8PROC_CATEGORY_LL || k == UTF8PROC_CATEGORY_LT;
}

static bool is_ignorable(uint32_t c)
{
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_ME || k == UTF8PROC_CATEGORY_CF ||
           k == UTF8PROC_CATEGORY_LM || k == UTF8PROC_CATEGORY_SK || c == '\'' || c == '.' ||
           c == ':' || c == 0xb7 || c == 0x2019;
}

static bool final_sigma(const char *text, size_t n, size_t at, size_t length)
{
    uint32_t c = 0;
    bool before = false;
    for (size_t i = at; i > 0 && !before;) {
        do
            i--;
        while (i > 0 && (text[i] & 0xc0) == 0x80);
        if (!base_utf8_decode(text + i, n - i, &c) || (!is_ignorable(c) && !is_cased(c)))
            return false;
        before = is_cased(c);
    }
    for (size_t i = at + length; i < n;) {
        size_t step = base_utf8_decode(text + i, n - i, &c);
        if (!step || (!is_ignorable(c) && !is_cased(c)))
            break;
        if (is_cased(c))
            return false;
        i += step;
    }
    return before;
}

static bool is_word(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return c == '_';
    }
}

/* Lower-cased ASCII word character, or 0: the quick way for most bytes of most texts. */
static const char ascii_word[128] = {
#define LETTER(c) [c - 'a' + 'A'] = c, [c] = c
    LETTER('a'), LETTER('b'), LETTER('c'), LETTER('d'), LETTER('e'), LETTER('f'), LETTER('g'),
    LETTER('h'), LETTER('i'), LETTER('j'), LETTER('k'), LETTER('l'), LETTER('m'), LETTER('n'),
    LETTER('o'), LETTER('p'), LETTER('q'), LETTER('r'), LETTER('s'), LETTER('t'), LETTER('u'),
    LETTER('v'), LETTER('w'), LETTER('x'), LETTER('y'), LETTER('z'), ['0'] = '0', ['1'] = '1',
    ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8',
    ['9'] = '9', ['_'] = '_'
#undef LETTER
};

/* Ends the word that began at `from` and has `letters` code points: kept, or taken back. */
static int cut_end(struct classify_cut *c, size_t from, size_t letters,
                   const struct classify_words *stop)
{
    size_t n = c->text.length - from;
    if (letters < 2 || (stop && classify_words_find(stop, c->text.data + from, n) != UINT32_MAX)) {
        c->text.length = from;
        return 0;
    }
    if (c->n == c->capacity) {
        size_t capacity = c->capacity + c->capacity / 2 + 64;
        size_t *start = base_realloc(c->start, capacity, sizeof *start);
        if (!start)
            return BASE_E_MEMORY;
        c->start = start;
        size_t *end = base_realloc(c->end, capacity, sizeof *end);
        if (!end)
            return BASE_E_MEMORY;
        c->end = end;
        c->capacity = capacity;
    }
    c->start[c->n] = from;
    c->end[c->n++] = c->text.length;
    c->text.data[c->text.length++] = ' '; /* there is room: see below */
    return 0;
}

int classify_cut_make(struct classify_cut *c, const char *text, size_t n, bool keep_case,
                      const struct classify_words *stop)
{
    c->n = 0;
    base_buffer_clear(&c->text);
    /* a lower-case letter takes at most 3/2 of its capital's bytes (U+023A: 2 to 3); a blank per
     * word replaces at least one byte, but for the last */
    size_t room;
    if (base_mul_size(n, 2, &room) || base_add_size(room, 16, &room))
        return base_error_set(BASE_E_LIMIT, "a text of %zu bytes", n);
    int rc = base_buffer_reserve(&c->text, room);
    if (rc)
        return rc;
    size_t from = 0, letters = 0; /* of the word being read */
    for (size_t i = 0; i < n;) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 128) {
            char lower = ascii_word[byte];
            i++;
            if (lower) {
                c->text.data[c->text.length++] = keep_case ? (char)byte : lower;
                letters++;
                continue;
            }
        } else {
            uint32_t code;
            size_t step = base_utf8_decode(text + i, n - i, &code);
            bool dotted = step && code == 0x130 && !keep_case; /* i, then a combining dot */
            if (step && !keep_case)
                code = code == 0x3a3 ? (final_sigma(text, n, i, step) ? 0x3c2 : 0x3c3)
                       : dotted      ? 'i'
                                     : (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
            i += step ? step : 1;
            if (step && is_word(code)) {
                c->text.length += base_utf8_encode(code, c->text.data + c->text.length);
                letters++;
                if (!dotted)
                    continue;
            }
        }
        if (letters && (rc = cut_end(c, from, letters, stop)))
            return rc;
        from = c->text.length;
        letters = 0;
    }
    return letters ? cut_end(c, from, letters, stop) : 0;
}

void classify_cut_free(struct classify_cut *c)
{
    base_buffer_free(&c->text);
    base_free(c->start);
    base_free(c->end);
    *c = (struct classify_cut){ 0 };
}
