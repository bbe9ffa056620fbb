/* Documents out of files, one at a time. Files are memory-mapped and walked from front to end;
 * pages behind are given back, so a large file costs its largest document. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/space.h"
#include <assay/eval.h>
#include <stdio.h>
#include <string.h>

#define END_OF_TEXT "<|endoftext|>"
#define DROP_STEP   ((size_t)16 << 20) /* bytes behind that are worth a system call */

struct eval_documents {
    struct eval_documents_options options;
    const char *const *files; /* [n_files], the caller's */
    size_t n_files, file;     /* file: the one open, n_files at the end */
    bool open;
    struct base_map map;
    char *piped; /* standard input's text, instead of a map */
    const char *text;
    size_t bytes, at; /* at: next byte to look at */
    size_t line;      /* of `at`, 1-based */
    uint64_t before;  /* bytes of earlier files */
    uint64_t total;
    json_t *record; /* the JSONL line whose text was handed out */
    size_t dropped; /* bytes of the map already given back */
    struct base_buffer name;
};

static int total_bytes(const char *const *files, size_t n, uint64_t *total)
{
    *total = 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(files[i], "-") == 0)
            continue;
        struct base_map map;
        int rc = base_map_open(&map, files[i]);
        if (rc)
            return rc;
        *total += map.bytes;
        base_map_close(&map);
    }
    return 0;
}

int eval_documents_open(struct eval_documents **out, const char *const *files, size_t n,
                        const struct eval_documents_options *options)
{
    *out = NULL;
    uint64_t total;
    int rc = total_bytes(files, n, &total); /* also: every file can be opened, before any work */
    if (rc)
        return rc;
    struct eval_documents *d = base_alloc_zero(1, sizeof *d);
    if (!d)
        return BASE_E_MEMORY;
    d->options = *options;
    if (!d->options.mark)
        d->options.mark = END_OF_TEXT;
    if (!d->options.field)
        d->options.field = "text";
    d->files = files;
    d->n_files = n;
    d->total = total;
    *out = d;
    return 0;
}

uint64_t eval_documents_bytes(const struct eval_documents *d)
{
    return d->total;
}

static void close_file(struct eval_documents *d)
{
    if (d->open && !d->piped)
        base_map_close(&d->map);
    base_free(d->piped);
    d->piped = NULL;
    d->open = false;
}

static int open_file(struct eval_documents *d)
{
    const char *path = d->files[d->file];
    int rc;
    if (strcmp(path, "-") == 0) {
        rc = base_file_read(path, 0, &d->piped, &d->bytes);
        d->text = d->piped;
        d->total += rc ? 0 : d->bytes;
    } else {
        rc = base_map_open(&d->map, path);
        d->text = rc == 0 && d->map.data ? (const char *)d->map.data : "";
        d->bytes = d->map.bytes;
    }
    if (rc)
        return rc;
    d->open = true;
    d->at = d->dropped = 0;
    d->line = 1;
    return 0;
}

static size_t count_lines(const char *text, size_t bytes)
{
    size_t lines = 0;
    for (const char *p = text; bytes && (p = memchr(p, '\n', bytes - (size_t)(p - text))); p++)
        lines++;
    return lines;
}

/* The line at d->at without its end; moves on. */
static void take_line(struct eval_documents *d, const char **text, size_t *bytes)
{
    const char *from = d->text + d->at, *end = memchr(from, '\n', d->bytes - d->at);
    size_t length = end ? (size_t)(end - from) : d->bytes - d->at;
    d->at += length + (end != NULL);
    d->line += end != NULL;
    if (length > 0 && from[length - 1] == '\r')
        length--;
    *text = from;
    *bytes = length;
}

/* The next document of the open file as a view and the line it begins in; false at the file's end.
 */
static bool cut_document(struct eval_documents *d, const char **text, size_t *bytes, size_t *line)
{
    if (d->at >= d->bytes && !(d->bytes == 0 && d->at == 0 && d->options.split == EVAL_SPLIT_NONE))
        return false;
    *line = d->line;
    *text = d->text + d->at;
    switch (d->options.split) {
    case EVAL_SPLIT_NONE:
        *bytes = d->bytes;
        d->at = d->bytes + 1;
        return true;
    case EVAL_SPLIT_LINE:
        take_line(d, text, bytes);
        return true;
    case EVAL_SPLIT_END: {
        size_t left = d->bytes - d->at, length = strlen(d->options.mark);
        const char *mark = memmem(*text, left, d->options.mark, length);
        *bytes = mark ? (size_t)(mark - *text) : left;
        d->line += count_lines(*text, *bytes);
        d->at += *bytes + (mark ? length : 0);
        return true;
    }
    case EVAL_SPLIT_BLANK: {
        const char *row, *end = NULL;
        size_t n;
        while (d->at < d->bytes) {
            size_t here = d->line;
            take_line(d, &row, &n);
            if (!eval_space_only(row, n)) {
                if (!end) {
                    *text = row;
                    *line = here;
                }
                end = row + n;
            } else if (end) {
                break;
            }
        }
        *bytes = end ? (size_t)(end - *text) : 0;
        return true;
    }
    }
    return false;
}

static int record_text(struct eval_documents *d, const char *row, size_t n, const char **text,
                       size_t *bytes)
{
    json_decref(d->record);
    d->record = NULL;
    int rc = base_json_parse(&d->record, row, n, d->name.data);
    if (rc)
        return rc;
    const json_t *value =
        json_is_object(d->record) ? json_object_get(d->record, d->options.field) : NULL;
    if (!json_is_string(value))
        return base_error_set(BASE_E_FORMAT, "%s: no text under \"%s\" (name the key with --field)",
                              d->name.data, d->options.field);
    *text = json_string_value(value);
    *bytes = json_string_length(value);
    return 0;
}

int eval_documents_next(struct eval_documents *d, const char **text, size_t *bytes,
                        const char **name, uint64_t *done)
{
    while (d->file < d->n_files) {
        int rc = d->open ? 0 : open_file(d);
        if (rc)
            return rc;
        const char *path = d->files[d->file];
        bool records = base_ends_with(path, ".jsonl") || base_ends_with(path, ".ndjson");
        size_t line = d->line, from = d->at;
        bool more = records ? d->at < d->bytes : cut_document(d, text, bytes, &line);
        if (!more) {
            d->before += d->bytes;
            close_file(d);
            d->file++;
            continue;
        }
        const char *row = NULL;
        size_t n = 0;
        if (records) {
            take_line(d, &row, &n);
            if (eval_space_only(row, n))
                continue;
        } else if (d->options.split != EVAL_SPLIT_NONE && eval_space_only(*text, *bytes)) {
            continue;
        }
        if (!d->piped && from - d->dropped >= DROP_STEP) {
            base_map_drop(&d->map, d->text + d->dropped, from - d->dropped);
            d->dropped = from;
        }
        base_buffer_clear(&d->name);
        bool whole = !records && d->options.split == EVAL_SPLIT_NONE;
        rc = whole ? base_buffer_puts(&d->name, path)
                   : base_buffer_printf(&d->name, "%s:%zu", path, line);
        if (rc || (records && (rc = record_text(d, row, n, text, bytes))))
            return rc;
        size_t bad = base_utf8_invalid(*text, *bytes);
        if (bad < *bytes)
            return base_error_set(
                BASE_E_FORMAT, "%s: byte %zu (0x%02x) is not valid UTF-8: convert the file first",
                d->name.data, bad, (unsigned char)(*text)[bad]);
        *name = d->name.data;
        *done = d->before + (d->at < d->bytes ? d->at : d->bytes);
        return 1;
    }
    return 0;
}

void eval_documents_close(struct eval_documents *d)
{
    if (!d)
        return;
    close_file(d);
    json_decref(d->record);
    base_buffer_free(&d->name);
    base_free(d);
}
