/* Rows of a sample as CSV, TSV or JSON Lines, with the columns of the design behind their own:
 *
 *   _pi       probability of inclusion (with replacement: expected number of draws)
 *   _weight   1/_pi; snowball: RDS-II
 *   _stratum  values of --by, " / " between several; empty without strata
 *   _psu      cluster, or the row's number in the file, from 1
 *   _fpc      first-stage units of the stratum's population; below 1: the sampled fraction; empty
 *             with replacement and with unequal probabilities
 *   _fpc2     two stages: rows of the cluster
 *   _wave     snowball: 0 = seed
 *
 * A CSV row is written as it stood in the file, where that was the same dialect. */
#include "base/json.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/table.h"
#include "sampling/run.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sampling_writer {
    FILE *stream;
    struct sampling_writer_options options;
    char delimiter;
    int quote;
    bool as_it_is; /* rows need no new quoting */
    bool two_stages, waves;
    struct base_buffer block; /* what waits for the next fwrite, or for shuffling */
    size_t *end;              /* shuffle: where each row ends */
    size_t n, capacity;
};

static int flush(struct sampling_writer *w)
{
    size_t n = w->block.length;
    if (n && fwrite(w->block.data, 1, n, w->stream) != n)
        return base_error_set(BASE_E_IO, "cannot write the sample: %s", strerror(errno));
    base_buffer_clear(&w->block);
    return 0;
}

/* %.*g in the fewest digits that read back the same; nothing for NaN. */
static int append_number(struct base_buffer *b, double x, const char *missing)
{
    char text[40];
    if (isnan(x))
        return base_buffer_puts(b, missing);
    if (fabs(x) < 1e15 && x == floor(x)) {
        snprintf(text, sizeof text, "%.0f", x);
        return base_buffer_puts(b, text);
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    return base_buffer_puts(b, text);
}

static int append_text(struct base_buffer *b, const char *bytes, size_t n)
{
    json_t *value = base_json_text(bytes, n);
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    int rc = text ? base_buffer_puts(b, text) : base_error_set(BASE_E_MEMORY, "out of memory");
    json_decref(value);
    if (text)
        base_free(text);
    return rc;
}

/* ---- the header ---- */
static const char *const design_columns[] = { "_pi",  "_weight", "_stratum", "_psu",
                                              "_fpc", "_fpc2",   "_wave" };

static int check_names(const struct data_table *table)
{
    for (size_t i = 0; i < data_table_columns(table); i++)
        for (size_t k = 0; k < sizeof design_columns / sizeof *design_columns; k++)
            if (strcmp(data_table_column(table, i), design_columns[k]) == 0)
                return base_error_set(BASE_E_ARGUMENT,
                                      "the file has a column %s already: is it a sample? Rename "
                                      "the column, or write without the design's columns (--plain)",
                                      design_columns[k]);
    return 0;
}

static int write_begin(void *context, const struct data_table *table,
                       const struct sampling_options *o)
{
    struct sampling_writer *w = context;
    w->two_stages = o->method == SAMPLING_CLUSTER && (o->second || o->second_frac > 0);
    w->waves = o->method == SAMPLING_SNOWBALL;
    w->as_it_is = !table->records && table->format == DATA_FORMAT_CSV &&
                  w->options.format == DATA_FORMAT_CSV && table->delimiter == ',' &&
                  table->quote == '"';
    int rc = w->options.plain ? 0 : check_names(table);
    for (size_t i = 0; w->options.extra && i < data_table_columns(table) && !rc; i++)
        if (strcmp(data_table_column(table, i), w->options.extra) == 0)
            rc = base_error_set(BASE_E_ARGUMENT, "the file has a column %s already: choose another",
                                w->options.extra);
    if (rc || w->options.format == DATA_FORMAT_JSONL)
        return rc;
    for (size_t i = 0; i < data_table_columns(table) && !rc; i++) {
        const char *name = data_table_column(table, i);
        if (i)
            rc = base_buffer_append(&w->block, &w->delimiter, 1);
        if (!rc)
            rc = data_cell_write(&w->block, (struct data_cell){ name, strlen(name) }, w->delimiter,
                                 w->quote);
    }
    for (size_t k = 0; k < 7 && !rc && !w->options.plain; k++) {
        if ((k == 5 && !w->two_stages) || (k == 6 && !w->waves))
            continue;
        rc = base_buffer_printf(&w->block, "%c%s", w->delimiter, design_columns[k]);
    }
    if (!rc && w->options.extra)
        rc = base_buffer_append(&w->block, &w->delimiter, 1);
    if (!rc && w->options.extra)
        rc = data_cell_write(&w->block,
                             (struct data_cell){ w->options.extra, strlen(w->options.extra) },
                             w->delimiter, w->quote);
    if (!rc)
        rc = base_buffer_puts(&w->block, "\n");
    return rc; /* nothing is written before the first row is known to come */
}

/* ---- rows ---- */
static int write_keep(void *context, const struct data_table *table, const struct data_cell *cells,
                      struct base_buffer *text)
{
    const struct sampling_writer *w = context;
    size_t n = data_table_columns(table);
    int rc = 0;
    if (w->options.format == DATA_FORMAT_JSONL) {
        rc = base_buffer_puts(text, "{");
        for (size_t i = 0; i < n && !rc; i++) {
            const char *name = data_table_column(table, i);
            double x;
            if (i)
                rc = base_buffer_puts(text, ", ");
            if (!rc && !(rc = append_text(text, name, strlen(name))))
                rc = base_buffer_puts(text, ": ");
            if (rc)
                break;
            if (cells[i].length == 0)
                rc = base_buffer_puts(text, "null");
            else if (data_cell_number(cells[i], &x) && cells[i].bytes[0] != '+' &&
                     cells[i].length < 16) {
                struct base_buffer number = { 0 };
                rc = append_number(&number, x, "");
                /* a number only if it is written the same way: 007 stays text */
                if (!rc && number.length == cells[i].length &&
                    memcmp(number.data, cells[i].bytes, number.length) == 0)
                    rc = base_buffer_append(text, number.data, number.length);
                else if (!rc)
                    rc = append_text(text, cells[i].bytes, cells[i].length);
                base_buffer_free(&number);
            } else
                rc = append_text(text, cells[i].bytes, cells[i].length);
        }
        return rc;
    }
    /* a row of one empty cell would be an empty line, which no reader counts */
    bool lone = n == 1 && cells[0].length == 0;
    struct data_cell raw = data_table_raw(table);
    if (w->as_it_is && table->n_cells == n && !lone && table->padded == 0)
        return base_buffer_append(text, raw.bytes, raw.length);
    if (lone && w->quote > 0 && w->options.plain && !w->options.extra)
        return base_buffer_puts(text, "\"\"");
    for (size_t i = 0; i < n && !rc; i++) {
        if (i)
            rc = base_buffer_append(text, &w->delimiter, 1);
        if (!rc)
            rc = data_cell_write(text, cells[i], w->delimiter, w->quote);
    }
    return rc;
}

static int append_design(struct sampling_writer *w, const struct sampling_row *row)
{
    struct base_buffer *b = &w->block;
    bool json = w->options.format == DATA_FORMAT_JSONL;
    const double numbers[] = { row->pi, row->weight, 0, 0, row->fpc, row->fpc2, row->wave };
    int rc = 0;
    for (size_t k = 0; k < 7 && !rc; k++) {
        if ((k == 5 && !w->two_stages) || (k == 6 && !w->waves))
            continue;
        rc = json ? base_buffer_printf(b, ", \"%s\": ", design_columns[k])
                  : base_buffer_append(b, &w->delimiter, 1);
        if (rc)
            break;
        struct data_cell cell = k == 2 ? row->stratum : row->psu;
        if (k == 2 || (k == 3 && row->psu.bytes)) {
            rc = json ? append_text(b, cell.bytes, cell.length)
                      : data_cell_write(b, cell, w->delimiter, w->quote);
        } else if (k == 3) {
            rc = base_buffer_printf(b, "%llu", (unsigned long long)row->number);
        } else {
            rc = append_number(b, numbers[k], json ? "null" : "");
        }
    }
    return rc;
}

static int append_extra(struct sampling_writer *w, struct data_cell cell)
{
    const char *name = w->options.extra;
    int rc;
    if (w->options.format != DATA_FORMAT_JSONL) {
        rc = base_buffer_append(&w->block, &w->delimiter, 1);
        return rc ? rc : data_cell_write(&w->block, cell, w->delimiter, w->quote);
    }
    if ((rc = base_buffer_puts(&w->block, ", ")) ||
        (rc = append_text(&w->block, name, strlen(name))) ||
        (rc = base_buffer_puts(&w->block, ": ")))
        return rc;
    return append_text(&w->block, cell.bytes, cell.length);
}

static int write_give(void *context, const struct base_buffer *text, const struct sampling_row *row)
{
    struct sampling_writer *w = context;
    int rc = base_buffer_append(&w->block, text->data, text->length);
    if (!rc && !w->options.plain)
        rc = append_design(w, row);
    if (!rc && w->options.extra)
        rc = append_extra(w, row->stratum);
    if (!rc)
        rc = base_buffer_puts(&w->block, w->options.format == DATA_FORMAT_JSONL ? "}\n" : "\n");
    if (rc || !w->options.shuffle)
        return rc ? rc : w->block.length > 65536 ? flush(w) : 0;
    if (w->n == w->capacity) {
        size_t more = w->capacity ? 2 * w->capacity : 1024;
        size_t *grown = base_realloc(w->end, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        w->end = grown;
        w->capacity = more;
    }
    w->end[w->n++] = w->block.length;
    return 0;
}

int sampling_writer_new(struct sampling_writer **out, void *stream,
                        const struct sampling_writer_options *options)
{
    *out = NULL;
    if (options->format != DATA_FORMAT_CSV && options->format != DATA_FORMAT_TSV &&
        options->format != DATA_FORMAT_JSONL)
        return base_error_set(BASE_E_ARGUMENT, "samples are written as csv, tsv or jsonl");
    struct sampling_writer *w = base_alloc_zero(1, sizeof *w);
    if (!w)
        return BASE_E_MEMORY;
    w->stream = stream;
    w->options = *options;
    w->delimiter = options->format == DATA_FORMAT_TSV ? '\t' : ',';
    w->quote = options->format == DATA_FORMAT_TSV ? -1 : '"';
    *out = w;
    return 0;
}

struct sampling_sink sampling_writer_sink(struct sampling_writer *w)
{
    return (struct sampling_sink){ write_begin, write_keep, write_give, w };
}

int sampling_writer_finish(struct sampling_writer *w)
{
    int rc = 0;
    if (w->options.shuffle && w->n) {
        struct base_rng rng = base_rng_make(w->options.seed, BASE_RNG_ROWS, SAMPLING_ITEM_SHUFFLE);
        uint64_t *order = base_alloc(w->n, sizeof *order);
        if (!order)
            return BASE_E_MEMORY;
        sampling_permute(&rng, w->n, order);
        for (size_t i = 0; i < w->n && !rc; i++) {
            size_t from = order[i] ? w->end[order[i] - 1] : 0, n = w->end[order[i]] - from;
            if (fwrite(w->block.data + from, 1, n, w->stream) != n)
                rc = base_error_set(BASE_E_IO, "cannot write the sample: %s", strerror(errno));
        }
        base_free(order);
        base_buffer_clear(&w->block);
        w->n = 0;
    }
    return rc ? rc : flush(w);
}

void sampling_writer_free(struct sampling_writer *w)
{
    if (!w)
        return;
    base_buffer_free(&w->block);
    base_free(w->end);
    base_free(w);
}
