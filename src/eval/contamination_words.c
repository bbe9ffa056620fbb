/* Words and runs of words out of raw text: the inner loop of the contamination scan.
 *
 * Bytes of ASCII go through a table (a letter in lower case, a digit, a blank, or nothing);
 * characters beyond it are folded by utf8proc, the last ones seen from a small cache. Normalised
 * words are written one after another with a blank between, so a run of n words is one stretch of
 * bytes, which is compared as a whole. The run's hash rolls: with word hashes h,
 *
 *   H = sum_j h_j B^(n-1-j) mod 2^64;   next H = H B + h_new - h_old B^n. */
#include "base/text.h"
#include "eval/contamination.h"
#include "eval/space.h"
#include <string.h>
#include <utf8proc.h>

#define BASE 0x9E3779B97F4A7C15u /* odd */

enum { DROP, BLANK, BEYOND, LETTER }; /* LETTER: and everything above it is the letter itself */
enum { KIND_WORD, KIND_DROP, KIND_BLANK, KIND_IDEOGRAPH, KIND_LONG };

#define BEYOND16                                                                                   \
    BEYOND, BEYOND, BEYOND, BEYOND, BEYOND, BEYOND, BEYOND, BEYOND, BEYOND, BEYOND, BEYOND,        \
        BEYOND, BEYOND, BEYOND, BEYOND, BEYOND
#define ROW(c) (c), (c) + 1, (c) + 2, (c) + 3, (c) + 4
static const uint8_t table[256] = {
    [128] = BEYOND16, BEYOND16,         BEYOND16,         BEYOND16,         BEYOND16,
    BEYOND16,         BEYOND16,         BEYOND16,         [9] = BLANK,      [10] = BLANK,
    [11] = BLANK,     [12] = BLANK,     [13] = BLANK,     [28] = BLANK,     [29] = BLANK,
    [30] = BLANK,     [31] = BLANK,     [32] = BLANK,     ['0'] = ROW('0'), ['5'] = ROW('5'),
    ['a'] = ROW('a'), ['f'] = ROW('f'), ['k'] = ROW('k'), ['p'] = ROW('p'), ['u'] = ROW('u'),
    ['z'] = 'z',      ['A'] = ROW('a'), ['F'] = ROW('f'), ['K'] = ROW('k'), ['P'] = ROW('p'),
    ['U'] = ROW('u'), ['Z'] = 'z',
};
#undef ROW
#undef BEYOND16

void contamination_scanner_init(struct contamination_scanner *s, size_t n)
{
    memset(s, 0, sizeof *s);
    s->n = n;
    s->limit = CONTAMINATION_USUAL;
    s->power = 1;
    for (size_t i = 0; i < n; i++)
        s->power *= BASE;
}

/* A word's hash, eight bytes at a time; the bytes behind it in norm are writable and ignored. */
static uint64_t word_hash(const char *word, size_t bytes)
{
    uint64_t h = bytes * 0xff51afd7ed558ccdu, v;
    for (; bytes >= 8; word += 8, bytes -= 8) {
        memcpy(&v, word, 8);
        h = (h ^ v) * 0x9FB21C651E98DF25u;
        h ^= h >> 32;
    }
    if (bytes) {
        memcpy(&v, word, 8);
        h = (h ^ (v & (~(uint64_t)0 >> (64 - 8 * bytes)))) * 0x9FB21C651E98DF25u;
        h ^= h >> 32;
    }
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 29;
}

static bool ideograph(uint32_t c)
{
    return (c >= 0x3040 && c <= 0x30ff) || (c >= 0x31f0 && c <= 0x31ff) ||
           (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff);
}

static bool in_word(utf8proc_int32_t code)
{
    utf8proc_category_t c = utf8proc_category(code);
    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_NO;
}

/* Case-folded NFKD of one character, what belongs into a word of it; returns the bytes. */
static size_t fold_bytes(uint32_t code, char out[96])
{
    utf8proc_int32_t parts[24];
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(
        (utf8proc_int32_t)code, parts, 24, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD,
        &boundary);
    size_t bytes = 0;
    for (utf8proc_ssize_t i = 0; i < n && i < 24; i++)
        if (in_word(parts[i]))
            bytes += base_utf8_encode((uint32_t)parts[i], out + bytes);
    return bytes;
}

static const struct contamination_fold *fold_of(struct contamination_scanner *s, uint32_t code)
{
    struct contamination_fold *f = &s->fold[(code * 2654435761u >> 22) % CONTAMINATION_FOLDS];
    if (f->code == code)
        return f;
    char bytes[96];
    f->code = code;
    f->length = 0;
    if (eval_is_space(code)) {
        f->kind = KIND_BLANK;
    } else if (!in_word((utf8proc_int32_t)code)) {
        f->kind = KIND_DROP;
    } else {
        size_t n = fold_bytes(code, bytes);
        f->kind = n == 0 ? KIND_DROP : ideograph(code) ? KIND_IDEOGRAPH : KIND_WORD;
        if (n > sizeof f->bytes) {
            f->kind = KIND_LONG;
        } else {
            memcpy(f->bytes, bytes, n);
            f->length = (uint8_t)n;
        }
    }
    return f;
}

struct scan {
    struct contamination_scanner *s;
    size_t own;
    contamination_runs_fn *fn;
    void *context;
    size_t word; /* where the word being written begins in norm */
    size_t raw;  /* and in the text */
    bool open;   /* a word has begun */
    bool too_long;
    bool done; /* no run that may still come begins before own */
};

/* Hands the gathered runs over: they point into norm, so before it moves. */
static int batch_give(struct scan *x)
{
    size_t n = x->s->n_batch;
    x->s->n_batch = 0;
    return n ? x->fn(x->context, x->s->batch, n) : 0;
}

/* Moves the last words of norm, and the one being written, to its beginning. */
static void norm_compact(struct contamination_scanner *s, size_t *word)
{
    size_t keep = s->have < s->n ? s->have : s->n, from = *word;
    if (keep)
        from = s->ring[(s->have - keep) % CONTAMINATION_RUN_MAX].from;
    memmove(s->norm, s->norm + from, s->at - from);
    for (size_t k = 0; k < keep; k++)
        s->ring[(s->have - 1 - k) % CONTAMINATION_RUN_MAX].from -= from;
    *word -= from;
    s->at -= from;
    s->limit = 2 * s->at;
    if (s->limit < CONTAMINATION_USUAL)
        s->limit = CONTAMINATION_USUAL;
    if (s->limit > CONTAMINATION_ROOM) /* more than the longest run */
        s->limit = CONTAMINATION_ROOM;
}

/* Ends the word that is open and gives the run it completes. */
static int word_end(struct scan *x)
{
    struct contamination_scanner *s = x->s;
    size_t bytes = s->at - x->word;
    x->open = false;
    s->words += x->raw < x->own;
    if (x->too_long) { /* breaks all runs */
        x->too_long = false;
        s->have = 0;
        s->hash = 0;
        s->at = x->word;
        x->done = x->raw >= x->own;
        return 0;
    }
    uint64_t h = word_hash(s->norm + x->word, bytes);
    const struct contamination_word *leaves = &s->ring[(s->have - s->n) % CONTAMINATION_RUN_MAX];
    s->hash = s->hash * BASE + h - (s->have >= s->n ? leaves->hash * s->power : 0);
    s->ring[s->have % CONTAMINATION_RUN_MAX] = (struct contamination_word){ h, x->raw, x->word };
    s->have++;
    s->norm[s->at++] = ' ';
    x->word = s->at;
    if (s->have < s->n)
        return 0;
    const struct contamination_word *first = &s->ring[(s->have - s->n) % CONTAMINATION_RUN_MAX];
    if (first->raw >= x->own) {
        x->done = true;
        return 0;
    }
    s->batch[s->n_batch++] =
        (struct contamination_run){ s->hash, s->norm + first->from, s->at - 1 - first->from,
                                    first->raw, s->words - s->n };
    return s->n_batch == CONTAMINATION_BATCH ? batch_give(x) : 0;
}

static void word_add(struct scan *x, size_t raw, const char *bytes, size_t n)
{
    struct contamination_scanner *s = x->s;
    if (!x->open) {
        x->open = true;
        x->raw = raw;
    }
    if (s->at - x->word + n > CONTAMINATION_WORD_MAX) {
        x->too_long = true;
        return;
    }
    memcpy(s->norm + s->at, bytes, n);
    s->at += n;
}

/* A character beyond ASCII at text[i]; returns its length through *length. */
static int beyond(struct scan *x, const char *text, size_t i, size_t end, size_t *length)
{
    uint32_t code;
    int rc = 0;
    *length = base_utf8_decode(text + i, end - i, &code);
    if (*length == 0) { /* a broken byte is dropped */
        *length = 1;
        return 0;
    }
    const struct contamination_fold *f = fold_of(x->s, code);
    char bytes[96];
    if (f->kind == KIND_WORD) {
        word_add(x, i, f->bytes, f->length);
    } else if (f->kind == KIND_LONG) {
        word_add(x, i, bytes, fold_bytes(code, bytes));
    } else if (f->kind == KIND_BLANK || f->kind == KIND_IDEOGRAPH) {
        if (x->open)
            rc = word_end(x);
        if (rc == 0 && !x->done && f->kind == KIND_IDEOGRAPH) {
            word_add(x, i, f->bytes, f->length);
            rc = word_end(x);
        }
    }
    return rc;
}

int contamination_scan_text(struct contamination_scanner *s, const char *text, size_t from,
                            size_t own, size_t end, bool closed, contamination_runs_fn *fn,
                            void *context, size_t *next)
{
    struct scan x = { .s = s, .own = own, .fn = fn, .context = context };
    int rc = 0;
    s->have = 0;
    s->hash = 0;
    s->at = 0;
    s->n_batch = 0;
    for (size_t i = from; i < end && rc == 0 && !x.done;) {
        if (s->at > s->limit) {
            rc = batch_give(&x);
            norm_compact(s, &x.word);
        }
        uint8_t c = table[(uint8_t)text[i]];
        if (c > LETTER) { /* the letters that follow, or as many as a word may have */
            char *out = s->norm + s->at, *stop = s->norm + x.word + CONTAMINATION_WORD_MAX;
            if (!x.open) {
                x.open = true;
                x.raw = i;
            }
            while (out < stop && i < end && (c = table[(uint8_t)text[i]]) > LETTER) {
                *out++ = (char)c;
                i++;
            }
            s->at = (size_t)(out - s->norm);
            if (out == stop && i < end && table[(uint8_t)text[i]] > LETTER) {
                x.too_long = true;
                i++;
            }
        } else if (c == BLANK) {
            if (x.open)
                rc = word_end(&x);
            else if (i >= own && s->have == 0)
                x.done = true; /* nothing that begins before own is open */
            i++;
        } else if (c == BEYOND) {
            size_t length;
            rc = beyond(&x, text, i, end, &length);
            i += length;
        } else {
            i++;
        }
    }
    if (rc == 0 && !x.done && closed && x.open)
        rc = word_end(&x);
    if (rc == 0)
        rc = batch_give(&x);
    /* the first word of which no run was given: of the last n - 1 words, or the open one */
    size_t keep = s->have < s->n - 1 ? s->have : s->n - 1;
    if (next)
        *next = x.done || closed ? SIZE_MAX
                : keep           ? s->ring[(s->have - keep) % CONTAMINATION_RUN_MAX].raw
                : x.open         ? x.raw
                                 : end;
    return rc;
}
