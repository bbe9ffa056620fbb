/* A corpus in memory: every token as the number of its word, four bytes each, and where documents
 * begin. Words are numbered as they first appear, so that a resample's vocabulary can be counted
 * without reading text again.
 *
 * From SPILL tokens on (1 GiB) they stand in a nameless file in $TMPDIR (or /var/tmp) that is
 * mapped into memory: the system keeps of it what fits, and training reads it from end to end. So a
 * corpus may be larger than memory; its vocabulary may not. */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/builtin.h"
#include "embed/words.h"
#include <assay/data.h>
#include <assay/embed.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPILL ((uint64_t)1 << 28) /* tokens */
#define MAX_DOCUMENT                                                                               \
    ((size_t)1 << 30) /* bytes of one document: a guard against a missing line end */

int embed_corpus_new(struct embed_corpus **out)
{
    struct embed_corpus *c = base_alloc_zero(1, sizeof *c);
    *out = NULL;
    if (!c)
        return BASE_E_MEMORY;
    c->document_capacity = 64;
    c->spill = SPILL;
    c->file = -1;
    c->start = base_alloc_zero(c->document_capacity + 1, sizeof *c->start);
    if (!c->start || embed_words_new(&c->words)) {
        embed_corpus_free(c);
        return BASE_E_MEMORY;
    }
    *out = c;
    return 0;
}

void embed_corpus_free(struct embed_corpus *c)
{
    if (!c)
        return;
    if (c->file >= 0) {
        munmap(c->token, c->capacity * sizeof *c->token);
        close(c->file);
    } else {
        base_free(c->token);
    }
    base_free(c->start);
    embed_words_free(c->words);
    base_free(c);
}

const char *embed_corpus_word(const struct embed_corpus *c, uint32_t type)
{
    return embed_words_text(c->words, type);
}

int64_t embed_corpus_find(const struct embed_corpus *c, const char *word)
{
    return embed_words_find(c->words, word, strlen(word));
}

/* Room for `room` tokens in the file, which is made when there is none yet. */
static int grow_file(struct embed_corpus *c, uint64_t room)
{
    const char *directory = getenv("TMPDIR");
    const size_t bytes = room * sizeof *c->token;
    int file = c->file;
    if (!directory || !*directory)
        directory = "/var/tmp";
    if (file < 0 && (file = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) < 0)
        return base_error_set(BASE_E_IO, "%s: cannot make a temporary file for the corpus: %s",
                              directory, strerror(errno));
    /* posix_fallocate, so that a full disk is an error here and no signal later */
    const int failed = posix_fallocate(file, 0, (off_t)bytes);
    void *map = failed ? MAP_FAILED
                : c->file >= 0
                    ? mremap(c->token, c->capacity * sizeof *c->token, bytes, MREMAP_MAYMOVE)
                    : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) {
        const int code = failed ? failed : errno;
        if (c->file < 0)
            close(file);
        return base_error_set(BASE_E_IO,
                              "%s: no room for a corpus of %llu tokens: %s (TMPDIR "
                              "names another place)",
                              directory, (unsigned long long)c->tokens, strerror(code));
    }
    if (c->file < 0) {
        if (c->tokens)
            memcpy(map, c->token, c->tokens * sizeof *c->token);
        base_free(c->token);
    }
    c->file = file;
    c->token = map;
    c->capacity = room;
    return 0;
}

static int push(struct embed_corpus *c, uint32_t token)
{
    if (c->tokens == c->capacity) {
        const uint64_t room = c->capacity ? c->capacity * 2 : 4096;
        if (room > c->spill) {
            int rc = grow_file(c, room);
            if (rc)
                return rc;
        } else {
            uint32_t *wide = base_realloc(c->token, room, sizeof *wide);
            if (!wide)
                return BASE_E_MEMORY;
            c->token = wide;
            c->capacity = room;
        }
    }
    c->token[c->tokens++] = token;
    return 0;
}

int embed_corpus_add(struct embed_corpus *c, const char *tokens, size_t bytes)
{
    if (c->documents == c->document_capacity) {
        const uint64_t room = c->document_capacity * 2;
        uint64_t *wide = base_realloc(c->start, room + 1, sizeof *wide);
        if (!wide)
            return BASE_E_MEMORY;
        c->start = wide;
        c->document_capacity = room;
    }
    const uint64_t before = c->tokens;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < bytes;) {
        const char *blank = memchr(tokens + i, ' ', bytes - i);
        const size_t end = blank ? (size_t)(blank - tokens) : bytes;
        uint32_t number;
        if (end > i && (rc = embed_words_add(c->words, tokens + i, end - i, &number, NULL)) == 0)
            rc = push(c, number);
        i = end + 1;
    }
    c->types = c->words->n;
    if (rc) {
        c->tokens = before;
        return rc;
    }
    c->start[++c->documents] = c->tokens;
    return 0;
}

/* ---- files ---- */

struct reader {
    struct embed_corpus *corpus;
    const struct embed_corpus_options *options;
    struct embed_text *text;
    struct base_buffer tokens, wide;
};

static bool is_blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r' && s[i] != '\n' && s[i] != '\f')
            return false;
    return true;
}

static int add_text(struct reader *r, const char *s, size_t n)
{
    size_t count = 0;
    int rc = 0;
    if (r->options->encoding == EMBED_LATIN1) {
        base_buffer_clear(&r->wide);
        for (size_t i = 0; rc == 0 && i < n; i++) {
            char text[4];
            rc = base_buffer_append(&r->wide, text, base_utf8_encode((unsigned char)s[i], text));
        }
        if (rc)
            return rc;
        s = r->wide.data;
        n = r->wide.length;
    }
    base_buffer_clear(&r->tokens);
    if ((rc = embed_text_split(r->text, s, n, &r->tokens, &count)))
        return rc;
    return embed_corpus_add(r->corpus, r->tokens.data ? r->tokens.data : "", r->tokens.length);
}

/* Lines of a stream; the last one may lack its line end. */
static int read_lines(struct reader *r, struct data_stream *stream)
{
    const bool whole = r->options->whole;
    struct base_buffer b = { 0 };
    size_t from = 0, looked = 0, n = 1;
    uint64_t line = 0, done, total, shown = 0;
    int rc = 0;
    while (rc == 0 && n > 0) {
        if (from > 0) { /* what is left of the last block to the front */
            memmove(b.data, b.data + from, b.length - from);
            b.length -= from;
            looked -= from;
            from = 0;
        }
        if (b.length > MAX_DOCUMENT) {
            rc = base_error_set(BASE_E_LIMIT, "%s:%llu: a document of more than 1 GiB%s",
                                data_stream_name(stream), (unsigned long long)line + 1,
                                whole ? "" : ": is a line a document here?");
            break;
        }
        if ((rc = base_buffer_reserve(&b, (size_t)1 << 18)) ||
            (rc = data_stream_read(stream, b.data + b.length, (size_t)1 << 18, &n)))
            break;
        b.length += n;
        for (; rc == 0 && !whole && looked < b.length;) {
            const char *end = memchr(b.data + looked, '\n', b.length - looked);
            if (!end) {
                looked = b.length;
                break;
            }
            line++;
            const size_t bytes = (size_t)(end - b.data) - from;
            if (!is_blank(b.data + from, bytes) && (rc = add_text(r, b.data + from, bytes)))
                base_error_prefix(rc, "%s:%llu", data_stream_name(stream),
                                  (unsigned long long)line);
            from = looked = (size_t)(end - b.data) + 1;
        }
        data_stream_progress(stream, &done, &total);
        if (r->options->on_progress && done - shown > 1000000) {
            r->options->on_progress(r->options->context, done, total);
            shown = done;
        }
        if (rc == 0 && base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
    }
    if (rc == 0 && !is_blank(b.data + from, b.length - from) &&
        (rc = add_text(r, b.data + from, b.length - from)))
        base_error_prefix(rc, "%s:%llu", data_stream_name(stream), (unsigned long long)line + 1);
    base_buffer_free(&b);
    return rc;
}

static int read_records(struct reader *r, const char *path)
{
    const char *field = r->options->field ? r->options->field : "text";
    struct data_records *records = NULL;
    json_t *row = NULL;
    int rc = data_records_open(&records, path, NULL);
    while (rc == 0 && (rc = data_records_next(records, &row)) > 0) {
        const json_t *value = json_object_get(row, field);
        rc = 0;
        if (!value || !(json_is_string(value) || json_is_null(value)))
            rc = base_error_set(
                BASE_E_FORMAT, "%s: %s \"%s\": name the column of the text (--field)",
                data_records_place(records), value ? "no text in" : "no column", field);
        else if (json_is_string(value) &&
                 !is_blank(json_string_value(value), json_string_length(value)) &&
                 (rc = add_text(r, json_string_value(value), json_string_length(value))))
            base_error_prefix(rc, "%s", data_records_place(records));
        json_decref(row);
        if (rc == 0 && base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
    }
    data_records_close(records);
    return rc;
}

/* Whether the name (without what says that it is compressed) is that of records. */
static bool has_records(const char *path)
{
    static const char *const ends[] = { ".csv", ".tsv", ".json", ".jsonl", ".ndjson" };
    static const char *const packed[] = { ".gz", ".bz2", ".zst" };
    const struct data_builtin *builtin = data_builtin_find(path);
    if (builtin)
        path = builtin->file;
    size_t n = strlen(path);
    for (int i = 0; i < 3; i++) {
        const size_t k = strlen(packed[i]);
        if (n > k && strcmp(path + n - k, packed[i]) == 0) {
            n -= k;
            break;
        }
    }
    for (int i = 0; i < 5; i++) {
        const size_t k = strlen(ends[i]);
        if (n > k && memcmp(path + n - k, ends[i], k) == 0)
            return true;
    }
    return false;
}

int embed_corpus_read(struct embed_corpus *c, const char *path,
                      const struct embed_corpus_options *options)
{
    struct reader r = { .corpus = c, .options = options };
    struct data_stream *stream = NULL;
    int rc = embed_text_new(&r.text, options->tokens);
    if (rc)
        return rc;
    if (has_records(path) && options->encoding != EMBED_UTF8) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s: CSV, TSV and JSON are read as UTF-8 only: convert it first (iconv "
                            "-f LATIN1 -t UTF-8)",
                            path);
    } else if (has_records(path)) {
        rc = read_records(&r, path);
    } else if ((rc = data_stream_open(&stream, path)) == 0) {
        rc = read_lines(&r, stream);
        data_stream_close(stream);
    }
    embed_text_free(r.text);
    base_buffer_free(&r.tokens);
    base_buffer_free(&r.wide);
    return rc;
}
