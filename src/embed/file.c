/* word2vec's file formats.
 *
 * Text:    "N SIZE\n", then N lines "word x1 ... xSIZE\n" (GloVe's lack the first line).
 * Binary:  "N SIZE\n", then N times: the word, a blank, SIZE little-endian floats, and, from
 *          word2vec.c but not from gensim, "\n". */
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/reader.h"
#include "base/text.h"
#include "embed/words.h"
#include <assay/data.h>
#include <assay/embed.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_WORD 4096 /* bytes */

struct parser {
    const char *name;
    struct base_reader r;
    uint64_t line;  /* text: the line being read, from 1 */
    uint64_t words; /* announced (binary, text with a header) */
    size_t size;
    bool header;
    size_t repeated;
    struct embed_vectors *v;
};

/* The next line of text without its end; false at the end of the file. */
static bool next_line(struct parser *p, const char **at, size_t *n)
{
    const size_t left = base_reader_left(&p->r);
    if (left == 0)
        return false;
    const char *s = (const char *)p->r.data + p->r.position;
    const char *end = memchr(s, '\n', left);
    *at = s;
    *n = end ? (size_t)(end - s) : left;
    base_reader_skip(&p->r, *n + (end != NULL));
    p->line++;
    while (*n > 0 && (s[*n - 1] == '\r' || s[*n - 1] == ' ' || s[*n - 1] == '\t'))
        --*n;
    return true;
}

static int parse_header(struct parser *p)
{
    const char *s;
    size_t n;
    uint64_t value[2];
    if (!next_line(p, &s, &n))
        return base_error_set(BASE_E_FORMAT, "%s: the file is empty", p->name);
    for (int k = 0; k < 2; k++) {
        size_t digits = 0;
        value[k] = 0;
        while (n > 0 && (*s == ' ' || *s == '\t')) {
            s++;
            n--;
        }
        for (; n > 0 && *s >= '0' && *s <= '9' && digits < 18; s++, n--, digits++)
            value[k] = value[k] * 10 + (uint64_t)(*s - '0');
        if (digits == 0 || (n > 0 && *s != ' ' && *s != '\t'))
            return base_error_set(BASE_E_FORMAT,
                                  "%s:1: expected the numbers of words and of dimensions (text "
                                  "without that line: assay embed convert --no-header)",
                                  p->name);
    }
    if (n > 0)
        return base_error_set(BASE_E_FORMAT, "%s:1: expected two numbers, there is more", p->name);
    if (value[0] == 0 || value[1] == 0)
        return base_error_set(BASE_E_FORMAT, "%s:1: %llu words of %llu numbers: nothing to read",
                              p->name, (unsigned long long)value[0], (unsigned long long)value[1]);
    p->words = value[0];
    p->size = value[1];
    return 0;
}

/* Whether what follows the first word looks like decimal numbers. */
static bool looks_like_text(const struct parser *p)
{
    const char *s = (const char *)p->r.data + p->r.position;
    const size_t left = base_reader_left(&p->r);
    const char *blank = memchr(s, ' ', left < MOST_WORD ? left : MOST_WORD);
    if (!blank)
        return true;
    const size_t rest = left - (size_t)(blank - s) - 1;
    const size_t n = p->size <= rest / 2 ? 2 * p->size : rest;
    for (size_t i = 0; i < n && i < 4096; i++)
        if (!blank[1 + i] || !strchr("0123456789+-.eE nafiNAFI\t\r\n", blank[1 + i]))
            return false;
    return true;
}

static int add_word(struct parser *p, const char *place, const char *word, size_t n, bool *is_new)
{
    uint32_t number;
    if (n == 0)
        return base_error_set(BASE_E_FORMAT, "%s: an empty word", place);
    if (memchr(word, 0, n) || base_utf8_invalid(word, n) < n)
        return base_error_set(BASE_E_FORMAT, "%s: the word is not UTF-8 text", place);
    int rc = embed_words_add(p->v->words, word, n, &number, is_new);
    if (rc == 0 && !*is_new)
        p->repeated++;
    return rc;
}

static int parse_number(const char *place, const char *s, size_t n, real *out)
{
    char text[64];
    char *end;
    if (n >= sizeof text)
        return base_error_set(BASE_E_FORMAT, "%s: a number of %zu characters", place, n);
    memcpy(text, s, n);
    text[n] = 0;
    const float x = strtof(text, &end);
    /* strtof also reads hexadecimal numbers and names */
    if (end != text + n || n == 0 || strspn(text, "0123456789+-.eE") != n || !isfinite(x))
        return base_error_set(BASE_E_FORMAT, "%s: \"%s\" is not a finite number", place, text);
    *out = (real)x;
    return 0;
}

static int parse_line(struct parser *p, const char *s, size_t n)
{
    char place[600];
    bool is_new = false;
    snprintf(place, sizeof place, "%.500s:%llu", p->name, (unsigned long long)p->line);
    const char *end = s + n, *blank = memchr(s, ' ', n);
    const char *tab = memchr(s, '\t', n);
    if (!blank || (tab && tab < blank))
        blank = tab;
    if (!blank)
        return base_error_set(BASE_E_FORMAT, "%s: a word without numbers", place);
    int rc = add_word(p, place, s, (size_t)(blank - s), &is_new);
    if (rc || !is_new)
        return rc;
    real *row = p->v->vector + (p->v->words->n - 1) * p->v->stride;
    size_t k = 0;
    for (s = blank; s < end;) {
        if (*s == ' ' || *s == '\t') {
            s++;
            continue;
        }
        const char *from = s;
        while (s < end && *s != ' ' && *s != '\t')
            s++;
        if (k == p->size)
            return base_error_set(BASE_E_FORMAT, "%s: more than %zu numbers", place, p->size);
        if ((rc = parse_number(place, from, (size_t)(s - from), &row[k++])))
            return rc;
    }
    return k == p->size
               ? 0
               : base_error_set(BASE_E_FORMAT, "%s: %zu numbers, expected %zu", place, k, p->size);
}

/* Text without a header: its words and numbers are counted first. */
static int count_lines(struct parser *p)
{
    const size_t start = p->r.position;
    const char *s;
    size_t n;
    while (next_line(p, &s, &n)) {
        if (n == 0)
            continue;
        if (p->words++ == 0) {
            const char *end = s + n;
            for (bool inside = true; s < end; s++) {
                const bool blank = *s == ' ' || *s == '\t';
                p->size += !blank && !inside;
                inside = !blank;
            }
        }
    }
    p->r.position = start;
    p->r.failed = false;
    p->line = 0;
    if (p->words == 0 || p->size == 0)
        return base_error_set(BASE_E_FORMAT, "%s: there is no word with numbers", p->name);
    return 0;
}

static int parse_text(struct parser *p, uint64_t wanted)
{
    const char *s;
    size_t n;
    uint64_t done = 0;
    int rc = 0;
    while (rc == 0 && done < wanted && next_line(p, &s, &n)) {
        if (n == 0 && !p->header)
            continue;
        rc = parse_line(p, s, n);
        done++;
    }
    if (rc == 0 && done < wanted)
        rc = base_error_set(BASE_E_FORMAT, "%s: %llu words announced, the file ends after %llu",
                            p->name, (unsigned long long)p->words, (unsigned long long)done);
    return rc;
}

static int parse_binary(struct parser *p, uint64_t wanted)
{
    for (uint64_t i = 0; i < wanted; i++) {
        char place[600];
        bool is_new = false;
        const size_t at = p->r.position;
        snprintf(place, sizeof place, "%.500s: word %llu at byte %zu", p->name,
                 (unsigned long long)i + 1, at);
        const char *s = (const char *)p->r.data + at;
        size_t left = base_reader_left(&p->r);
        while (left > 0 && *s == '\n') {
            s++;
            left--;
            base_reader_skip(&p->r, 1);
        }
        const char *blank = memchr(s, ' ', left < MOST_WORD ? left : MOST_WORD);
        if (!blank)
            return base_error_set(BASE_E_FORMAT, "%s: %s", place,
                                  left < MOST_WORD ? "the file ends too early"
                                                   : "no blank after the word");
        base_reader_skip(&p->r, (size_t)(blank - s) + 1);
        int rc = add_word(p, place, s, (size_t)(blank - s), &is_new);
        if (rc)
            return rc;
        if (base_reader_left(&p->r) / 4 < p->size)
            return base_error_set(BASE_E_FORMAT, "%s: the file ends too early", place);
        if (!is_new) {
            base_reader_skip(&p->r, 4 * p->size);
            continue;
        }
        real *row = p->v->vector + (p->v->words->n - 1) * p->v->stride;
        for (size_t k = 0; k < p->size; k++) {
            const float x = base_reader_f32(&p->r);
            if (!isfinite(x))
                return base_error_set(BASE_E_FORMAT, "%s: number %zu is not finite", place, k + 1);
            row[k] = (real)x;
        }
    }
    return 0;
}

int embed_vectors_parse(struct embed_vectors **out, const void *data, size_t bytes,
                        const char *name, const struct embed_read_options *options,
                        size_t *repeated)
{
    const struct embed_read_options how = options ? *options : (struct embed_read_options){ 0 };
    struct parser p = { .name = name,
                        .r = base_reader_make(data, bytes),
                        .header = !how.no_header };
    enum embed_format format = how.format;
    *out = NULL;
    if (how.no_header && format == EMBED_FORMAT_BINARY)
        return base_error_set(BASE_E_ARGUMENT, "%s: the binary format has a header always", name);
    int rc = how.no_header ? count_lines(&p) : parse_header(&p);
    if (rc)
        return rc;
    if (how.no_header)
        format = EMBED_FORMAT_TEXT;
    else if (format == EMBED_FORMAT_AUTO)
        format = looks_like_text(&p) ? EMBED_FORMAT_TEXT : EMBED_FORMAT_BINARY;
    const uint64_t wanted = how.limit && how.limit < p.words ? how.limit : p.words;
    /* a word takes at least a letter, a blank, and per number 4 bytes, or a digit and a blank */
    const size_t each = format == EMBED_FORMAT_BINARY ? 4 : 2, left = base_reader_left(&p.r) + 2;
    if (p.size > left / each || wanted > left / (each * p.size))
        return base_error_set(BASE_E_FORMAT,
                              "%s: %llu words of %zu numbers announced, but only %zu bytes follow",
                              name, (unsigned long long)p.words, p.size, base_reader_left(&p.r));
    if ((rc = embed_vectors_new(&p.v, wanted, p.size)))
        return rc;
    rc = format == EMBED_FORMAT_TEXT ? parse_text(&p, wanted) : parse_binary(&p, wanted);
    if (rc) {
        embed_vectors_free(p.v);
        return rc;
    }
    p.v->n = p.v->words->n;
    embed_vectors_measure(p.v);
    if (repeated)
        *repeated = p.repeated;
    *out = p.v;
    return 0;
}

/* Whether the file must go through a decompressing stream. */
static bool is_streamed(const char *path)
{
    return strcmp(path, "-") == 0 || base_ends_with(path, ".gz") || base_ends_with(path, ".bz2") ||
           base_ends_with(path, ".zst") || base_starts_with(path, "builtin:");
}

int embed_vectors_read(struct embed_vectors **out, const char *path,
                       const struct embed_read_options *options, size_t *repeated)
{
    *out = NULL;
    if (!is_streamed(path)) {
        struct base_map map;
        int rc = base_map_open(&map, path);
        if (rc)
            return rc;
        rc = embed_vectors_parse(out, map.data, map.bytes, path, options, repeated);
        base_map_close(&map);
        return rc;
    }
    struct data_stream *stream = NULL;
    struct base_buffer b = { 0 };
    size_t n = 1;
    int rc = data_stream_open(&stream, path);
    while (rc == 0 && n > 0)
        if ((rc = base_buffer_reserve(&b, (size_t)1 << 20)) == 0 &&
            (rc = data_stream_read(stream, b.data + b.length, (size_t)1 << 20, &n)) == 0)
            b.length += n;
    if (rc == 0)
        rc =
            embed_vectors_parse(out, b.data, b.length, data_stream_name(stream), options, repeated);
    data_stream_close(stream);
    base_buffer_free(&b);
    return rc;
}

/* ---- writing ---- */

/* The shortest decimal number that reads back as x. */
static size_t number_text(float x, char out[32])
{
    char text[2][320]; /* at most 16 are used; compilers foresee any number of digits */
    int digits = 8, kept = 0;
    snprintf(text[0], sizeof text[0], "%.8g", (double)x);
    if (strtof(text[0], NULL) != x) {
        snprintf(text[0], sizeof text[0], "%.9g", (double)x);
    } else {
        while (digits > 1) {
            snprintf(text[!kept], sizeof text[0], "%.*g", --digits, (double)x);
            if (strtof(text[!kept], NULL) != x)
                break;
            kept = !kept;
        }
    }
    const size_t n = strlen(text[kept]);
    memcpy(out, text[kept], n + 1);
    return n;
}

static int append_row(struct base_buffer *b, const struct embed_vectors *v, size_t i, bool binary)
{
    const char *word = embed_vectors_word(v, i);
    const real *row = v->vector + i * v->stride;
    if (word[strcspn(word, " \t\n\r")])
        return base_error_set(BASE_E_ARGUMENT,
                              "\"%s\" has white space in it: these formats cannot hold that", word);
    int rc = base_buffer_puts(b, word);
    if (rc == 0 && binary)
        rc = base_buffer_append(b, " ", 1);
    for (size_t k = 0; k < v->size && rc == 0; k++) {
        const float x = (float)row[k];
        char text[32];
        if (binary) {
            rc = base_buffer_append(b, &x, sizeof x);
            continue;
        }
        text[0] = ' ';
        rc = base_buffer_append(b, text, 1);
        if (rc == 0)
            rc = base_buffer_append(b, text, number_text(x, text));
    }
    return rc || binary ? rc : base_buffer_append(b, "\n", 1);
}

int embed_vectors_write(const struct embed_vectors *v, const char *path, enum embed_format format,
                        bool no_header)
{
    const bool binary = format == EMBED_FORMAT_BINARY;
    struct base_writer w = { 0 };
    struct base_buffer b = { 0 };
    const bool to_output = strcmp(path, "-") == 0;
    int rc = to_output ? 0 : base_writer_open(&w, path);
    if (rc == 0 && !(no_header && !binary))
        rc = base_buffer_printf(&b, "%zu %zu\n", v->n, v->size);
    for (size_t i = 0; i <= v->n && rc == 0; i++) {
        if (i < v->n && (rc = append_row(&b, v, i, binary)))
            break;
        if (b.length < ((size_t)1 << 20) && i < v->n)
            continue;
        if (to_output)
            rc = fwrite(b.data, 1, b.length, stdout) == b.length
                     ? 0
                     : base_error_set(BASE_E_IO, "cannot write to standard output");
        else
            rc = base_writer_write(&w, b.data, b.length);
        base_buffer_clear(&b);
    }
    if (rc == 0 && !to_output)
        rc = base_writer_commit(&w);
    if (!to_output)
        base_writer_abort(&w);
    base_buffer_free(&b);
    return rc;
}
