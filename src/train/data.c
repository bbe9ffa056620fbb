/* Files -> documents of token ids. The result is written once into a cache file (atomically) and
 * memory-mapped from then on, so a corpus need not fit into memory and a second start is immediate.
 *
 * Cache file, little-endian: magic "ASSAYTK1", u64 documents, u64 tokens, u64 dropped, u64 largest
 * id, u64 zero, 64 hex digits of the key, 16 zero bytes (128 in all); i32 ids[tokens], zero padding
 * to 8; u64 from[documents + 1]. The key hashes the files' bytes, the tokenizer's hash and every
 * setting that changes the tokens; a file whose sizes do not fit together is made again.
 *
 * Documents are tokenised in groups by all threads and written in order, so threads change nothing.
 */
#include "train/data.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/progress.h"
#include <string.h>

enum { HEADER = 128, GROUP = 512 };
static const char magic[8] = "ASSAYTK1";

struct document {
    const char *text;
    size_t bytes;
    size_t line;  /* where it starts in its file (jsonl, ids), or 1-based number (text) */
    json_t *held; /* owns text, for jsonl */
    struct tokenizer_encoding encoding;
    int rc;
};
struct builder {
    const struct train_config *config;
    const struct tokenizer *tokenizer;
    struct base_writer writer;
    uint64_t *from;
    size_t documents, capacity, tokens, dropped;
    int32_t largest, eos;
    struct document group[GROUP];
    size_t grouped;
    const char *file;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
static int builder_add(struct builder *b, const int32_t *ids, size_t n)
{
    bool end = b->eos >= 0 && n > 0 && ids[n - 1] != b->eos;
    if (n + end < 2) {
        b->dropped++;
        return 0;
    }
    if (b->documents + 2 > b->capacity) {
        size_t capacity = b->capacity ? 2 * b->capacity : 1024;
        uint64_t *more = base_realloc(b->from, capacity, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        b->from = more;
        b->capacity = capacity;
    }
    for (size_t i = 0; i < n; i++)
        b->largest = ids[i] > b->largest ? ids[i] : b->largest;
    int rc = base_writer_write(&b->writer, ids, n * sizeof *ids);
    if (!rc && end) {
        b->largest = b->eos > b->largest ? b->eos : b->largest;
        rc = base_writer_write(&b->writer, &b->eos, sizeof b->eos);
    }
    b->from[b->documents++] = b->tokens;
    b->tokens += n + end;
    b->from[b->documents] = b->tokens;
    return rc;
}
static void group_clear(struct builder *b)
{
    for (size_t i = 0; i < b->grouped; i++) {
        tokenizer_encoding_free(&b->group[i].encoding);
        json_decref(b->group[i].held);
        b->group[i] = (struct document){ 0 };
    }
    b->grouped = 0;
}
/* Tokenises the waiting documents and writes them. */
static int group_flush(struct builder *b)
{
    struct tokenizer_options options = { .add_special = b->config->add_special,
                                         .parse_special = true };
    int rc = 0;
#pragma omp parallel for schedule(dynamic) num_threads(base_threads())
    for (size_t i = 0; i < b->grouped; i++) {
        struct document *d = &b->group[i];
        d->rc = tokenizer_encode(b->tokenizer, d->text, d->bytes, &options, &d->encoding);
    }
    for (size_t i = 0; i < b->grouped && !rc; i++) {
        struct document *d = &b->group[i];
        if (d->rc) { /* the message is another thread's: fail again here to have it */
            rc = tokenizer_encode(b->tokenizer, d->text, d->bytes, &options, &d->encoding);
            if (rc)
                base_error_prefix(rc, "%s: document %zu", b->file, d->line);
        }
        if (!rc)
            rc = builder_add(b, d->encoding.ids, d->encoding.count);
    }
    group_clear(b);
    return rc ? rc : base_interrupted() ? base_error_set(BASE_E_INTERRUPTED, "interrupted") : 0;
}
/* Takes over held (may be NULL). */
static int group_add(struct builder *b, const char *text, size_t bytes, size_t line, json_t *held)
{
    if (b->config->trim) {
        for (; bytes && is_space(*text); bytes--)
            text++;
        while (bytes && is_space(text[bytes - 1]))
            bytes--;
    }
    if (!bytes) {
        json_decref(held);
        b->dropped++;
        return 0;
    }
    b->group[b->grouped++] =
        (struct document){ .text = text, .bytes = bytes, .line = line, .held = held };
    return b->grouped == GROUP ? group_flush(b) : 0;
}
static int add_text(struct builder *b, const struct base_map *map)
{
    const char *text = (const char *)map->data, *separator = b->config->separator;
    size_t left = map->bytes, n = strlen(separator), number = 1;
    int rc = 0;
    while (left && !rc) {
        const char *cut = n ? memmem(text, left, separator, n) : NULL;
        size_t bytes = cut ? (size_t)(cut - text) : left;
        bool blank = true; /* text after the last separator is most often one newline */
        for (size_t i = 0; i < bytes && blank; i++)
            blank = is_space(text[i]);
        if (!blank)
            rc = group_add(b, text, bytes, number, NULL);
        number++;
        size_t used = cut ? bytes + n : bytes;
        text += used;
        left -= used;
    }
    return rc ? rc : group_flush(b);
}
/* A line of ids: a JSON array, or an object whose field holds one. */
static int add_ids(struct builder *b, const json_t *value, size_t line)
{
    const json_t *list = json_is_object(value) ? json_object_get(value, b->config->field) : value;
    if (!json_is_array(list))
        return base_error_set(BASE_E_FORMAT,
                              "%s:%zu: expected a list of ids, or an object with one in \"%s\"",
                              b->file, line, b->config->field);
    size_t n = json_array_size(list);
    int32_t *ids = base_alloc(n, sizeof *ids);
    int rc = ids ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < n && !rc; i++) {
        const json_t *id = json_array_get(list, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            rc = base_error_set(BASE_E_FORMAT, "%s:%zu: id %zu: expected an integer from 0 to %d",
                                b->file, line, i, INT32_MAX);
        else
            ids[i] = (int32_t)json_integer_value(id);
    }
    if (!rc)
        rc = builder_add(b, ids, n);
    base_free(ids);
    return rc;
}
static int add_lines(struct builder *b, const struct base_map *map)
{
    const char *text = (const char *)map->data;
    size_t left = map->bytes, line = 1;
    int rc = 0;
    for (; left && !rc; line++) {
        const char *cut = memchr(text, '\n', left);
        size_t bytes = cut ? (size_t)(cut - text) : left;
        bool blank = true;
        for (size_t i = 0; i < bytes && blank; i++)
            blank = is_space(text[i]);
        json_t *value = NULL;
        if (!blank) {
            char name[32];
            rc = base_json_parse(&value, text, bytes, b->file);
            snprintf(name, sizeof name, "line %zu", line);
            if (rc)
                base_error_prefix(rc, "%s", name);
        }
        if (value && b->config->format == TRAIN_IDS) {
            rc = add_ids(b, value, line);
            json_decref(value);
        } else if (value) {
            const json_t *field = json_object_get(value, b->config->field);
            if (json_is_string(field)) {
                rc = group_add(b, json_string_value(field), json_string_length(field), line, value);
            } else {
                rc =
                    base_error_set(BASE_E_FORMAT, "%s:%zu: expected an object with a string \"%s\"",
                                   b->file, line, b->config->field);
                json_decref(value);
            }
        }
        size_t used = bytes + (cut != NULL);
        text += used;
        left -= used;
    }
    return rc ? rc : group_flush(b);
}

/* ---- the cache ---- */

static int cache_key(const struct train_config *c, const struct train_strings *files,
                     const struct tokenizer *tokenizer, int32_t eos, char key[BASE_SHA256_HEX])
{
    struct base_buffer b = { 0 };
    int rc = base_buffer_printf(
        &b, "%.8s\ntokenizer %s\nformat %d\nfield %s\nseparator %s\ntrim %d special %d eos %d\n",
        magic, tokenizer ? tokenizer_hash(tokenizer) : "none", c->format, c->field,
        c->format == TRAIN_TEXT ? c->separator : "", c->trim, c->add_special, (int)eos);
    for (size_t i = 0; i < files->count && !rc; i++) {
        char hex[BASE_SHA256_HEX];
        rc = base_sha256_file(files->at[i], hex);
        if (!rc)
            rc = base_buffer_printf(&b, "file %s\n", hex);
    }
    if (!rc)
        base_sha256(b.data, b.length, key);
    base_buffer_free(&b);
    return rc;
}
static void put_u64(uint8_t *at, uint64_t x)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(x >> (8 * i));
}
static uint64_t get_u64(const uint8_t *at)
{
    uint64_t x = 0;
    for (int i = 0; i < 8; i++)
        x |= (uint64_t)at[i] << (8 * i);
    return x;
}
static void header_make(uint8_t header[HEADER], const struct builder *b, const char *key)
{
    memset(header, 0, HEADER);
    memcpy(header, magic, 8);
    put_u64(header + 8, b->documents);
    put_u64(header + 16, b->tokens);
    put_u64(header + 24, b->dropped);
    put_u64(header + 32, (uint64_t)b->largest);
    memcpy(header + 48, key, 64);
}
/* Maps a cache file; false when there is none or it does not hold together. */
static bool cache_map(struct train_documents *d, const char *path)
{
    if (!base_file_exists(path) || base_map_open(&d->map, path))
        return false;
    const uint8_t *data = d->map.data;
    size_t bytes = d->map.bytes, ids, padded, tables;
    if (bytes < HEADER || memcmp(data, magic, 8) != 0 || memcmp(data + 48, d->key, 64) != 0)
        goto bad;
    uint64_t documents = get_u64(data + 8), tokens = get_u64(data + 16);
    if (documents > bytes || tokens > bytes)
        goto bad;
    ids = (size_t)tokens * 4;
    padded = (ids + 7) / 8 * 8;
    tables = ((size_t)documents + 1) * 8;
    if (bytes != HEADER + padded + tables)
        goto bad;
    d->count = (size_t)documents;
    d->tokens = (size_t)tokens;
    d->dropped = (size_t)get_u64(data + 24);
    d->largest = (int32_t)get_u64(data + 32);
    d->ids = (const int32_t *)(const void *)(data + HEADER);
    d->from = (const uint64_t *)(const void *)(data + HEADER + padded);
    for (size_t i = 0; i < d->count; i++)
        if (d->from[i + 1] < d->from[i] + 2 || d->from[i + 1] > tokens)
            goto bad;
    if (d->from[0] == 0 && d->from[d->count] == tokens)
        return true;
bad:
    base_map_close(&d->map);
    return false;
}
static int cache_build(const struct train_config *c, const struct train_strings *files,
                       const struct tokenizer *tokenizer, int32_t eos, const char *path,
                       const char *key)
{
    uint8_t header[HEADER] = { 0 };
    struct builder *b = base_alloc_zero(1, sizeof *b);
    if (!b)
        return BASE_E_MEMORY;
    b->config = c;
    b->tokenizer = tokenizer;
    b->eos = eos;
    uint64_t total = 0, done = 0;
    struct base_progress *progress = NULL;
    struct base_map map = { 0 };
    int rc = base_writer_open(&b->writer, path);
    if (rc) {
        base_free(b);
        return rc;
    }
    rc = base_writer_write(&b->writer, header, HEADER);
    progress = base_progress_begin("tokenise", "files", files->count);
    for (size_t i = 0; i < files->count && !rc; i++) {
        rc = base_map_open(&map, files->at[i]);
        if (rc)
            break;
        b->file = files->at[i];
        total += map.bytes;
        rc = c->format == TRAIN_TEXT ? add_text(b, &map) : add_lines(b, &map);
        group_clear(b);
        base_map_close(&map);
        base_progress_update(progress, ++done, "");
    }
    base_progress_end(progress);
    if (!rc && !b->documents)
        rc = base_error_set(BASE_E_FORMAT, "%s%s: no document of two tokens or more in %zu bytes",
                            files->at[0], files->count > 1 ? " and the other data files" : "",
                            (size_t)total);
    if (!rc && (b->tokens & 1))
        rc = base_writer_write(&b->writer, "\0\0\0", 4);
    if (!rc)
        rc = base_writer_write(&b->writer, b->from, (b->documents + 1) * sizeof *b->from);
    if (!rc && fseek(b->writer.stream, 0, SEEK_SET))
        rc = base_error_set(BASE_E_IO, "%s: cannot seek", path);
    if (!rc) {
        header_make(header, b, key);
        rc = base_writer_write(&b->writer, header, HEADER);
    }
    if (!rc)
        rc = base_writer_commit(&b->writer);
    base_writer_abort(&b->writer);
    base_free(b->from);
    base_free(b);
    return rc;
}
/* The token that ends every document, or -1 for none. Files of ids hold what they hold. */
static int end_token(const struct train_config *c, const struct tokenizer *tokenizer, int32_t *eos)
{
    *eos = -1;
    if (c->format == TRAIN_IDS || !c->append_eos)
        return 0;
    if (c->eos) {
        *eos = tokenizer_find(tokenizer, c->eos);
        return *eos >= 0 ? 0
                         : base_error_set(BASE_E_ARGUMENT,
                                          "%s: data.eos: \"%s\" is not a token of the tokenizer",
                                          c->name, c->eos);
    }
    *eos = tokenizer_eos(tokenizer);
    if (*eos < 0)
        *eos = tokenizer_find(tokenizer, c->separator);
    return *eos >= 0
               ? 0
               : base_error_set(BASE_E_ARGUMENT,
                                "%s: the tokenizer names no end-of-text token: give data.eos, or "
                                "data.append_eos: false",
                                c->name);
}
int train_documents_open(struct train_documents *d, const struct train_config *c,
                         const struct train_strings *files, const struct tokenizer *tokenizer,
                         const char *cache_directory)
{
    *d = (struct train_documents){ 0 };
    char *path = NULL;
    int32_t eos;
    int rc = end_token(c, tokenizer, &eos);
    if (!rc)
        rc = cache_key(c, files, tokenizer, eos, d->key);
    if (!rc)
        rc = base_file_make_directories(cache_directory);
    if (!rc && !(path = base_format("%s/%.16s.tokens", cache_directory, d->key)))
        rc = BASE_E_MEMORY;
    if (!rc) {
        d->cached = cache_map(d, path);
        if (!d->cached)
            rc = cache_build(c, files, tokenizer, eos, path, d->key);
        if (!rc && !d->cached && !cache_map(d, path))
            rc = base_error_set(BASE_E_IO, "%s: was just written but cannot be read back", path);
    }
    base_free(path);
    if (rc)
        train_documents_close(d);
    return rc;
}
void train_documents_close(struct train_documents *d)
{
    base_map_close(&d->map);
    *d = (struct train_documents){ 0 };
}
