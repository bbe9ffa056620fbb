/* Rows out of a block of delimited text: the inner loop of everything that streams a table.
 *
 * 64 bytes at a time become two bit masks: the special bytes (delimiter, quote, \n, \r) and the
 * bytes beyond ASCII. The loop visits special bytes only; what lies between them is never looked at
 * one by one. A cell is a pair (pointer into the block, length); only cells with "" inside, or with
 * text behind their closing quote, are copied, once the row is complete.
 *
 * The grammar is that of records_csv.c, so that both readers give the same fields: a field that
 * begins with a quote goes to the closing quote, "" is one quote, line ends inside belong to it,
 * what follows the closing quote up to the delimiter is added; a quote elsewhere is a character
 * like any other. Lines end with \n, \r\n or \r; empty lines are passed over.
 *
 * A row must lie in the block as a whole. When it does not, data_table_fill moves it to the front,
 * reads more (at least doubling what there is of a long row) and the row is begun again: the cost
 * of a row stays linear in its length. */
#include "base/memory.h"
#include "base/text.h"
#include "data/table.h"
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Sets scan to the 64 bytes from base on. The block has DATA_SCAN_PAD bytes behind its end; bits of
 * those are cleared. */
static inline void scan_load(struct data_table *t, size_t base)
{
    uint64_t special = 0, cells = 0, high = 0;
    const unsigned char *p = (const unsigned char *)t->block + base;
    unsigned char quote = t->quote < 0 ? '\n' : (unsigned char)t->quote;
#ifdef __SSE2__
    const __m128i d = _mm_set1_epi8((char)t->delimiter), q = _mm_set1_epi8((char)quote);
    const __m128i lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r');
#define SIXTEEN(i)                                                                                 \
    do {                                                                                           \
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * (i)));                \
        __m128i c = _mm_cmpeq_epi8(x, d);                                                          \
        __m128i m = _mm_or_si128(_mm_or_si128(c, _mm_cmpeq_epi8(x, q)),                            \
                                 _mm_or_si128(_mm_cmpeq_epi8(x, lf), _mm_cmpeq_epi8(x, cr)));      \
        cells |= (uint64_t)(unsigned)_mm_movemask_epi8(c) << 16 * (i);                             \
        special |= (uint64_t)(unsigned)_mm_movemask_epi8(m) << 16 * (i);                           \
        high |= (uint64_t)(unsigned)_mm_movemask_epi8(x) << 16 * (i);                              \
    } while (0)
    SIXTEEN(0); /* one by one: gcc 12 does not unroll them at -O2 */
    SIXTEEN(1);
    SIXTEEN(2);
    SIXTEEN(3);
#undef SIXTEEN
#else
    for (int i = 0; i < 64; i++) {
        unsigned char c = p[i];
        special |= (uint64_t)(c == t->delimiter || c == quote || c == '\n' || c == '\r') << i;
        cells |= (uint64_t)(c == t->delimiter) << i;
        high |= (uint64_t)(c >> 7) << i;
    }
#endif
    if (t->end - base < 64) {
        uint64_t there = ((uint64_t)1 << (t->end - base)) - 1;
        special &= there;
        cells &= there;
        high &= there;
    }
    t->scan = (struct data_scan){ base, special, cells, high, true };
}

size_t data_utf8_invalid(const char *bytes, size_t n)
{
    size_t i = 0;
    while (i < n) {
#ifdef __SSE2__
        while (n - i >= 16) {
            __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(bytes + i));
            int high = _mm_movemask_epi8(x);
            if (high) {
                i += (size_t)__builtin_ctz((unsigned)high);
                break;
            }
            i += 16;
        }
#endif
        if (i == n)
            break;
        if ((unsigned char)bytes[i] < 0x80) {
            i++;
            continue;
        }
        uint32_t code;
        size_t length = base_utf8_decode(bytes + i, n - i, &code);
        if (length == 0)
            return i;
        i += length;
    }
    return n;
}

/* The cells listed in t->quoted, without their quotes, in scratch. */
static int unquote(struct data_table *t)
{
    base_buffer_clear(&t->scratch);
    size_t bytes = 0;
    for (size_t k = 0; k < t->n_quoted; k++)
        bytes += t->cells[t->quoted[k]].length;
    int rc = base_buffer_reserve(&t->scratch, bytes);
    if (rc)
        return rc;
    char *to = t->scratch.data;
    for (size_t k = 0; k < t->n_quoted; k++) {
        struct data_cell *cell = &t->cells[t->quoted[k]];
        const char *p = cell->bytes + 1, *end = cell->bytes + cell->length, *q;
        cell->bytes = to;
        while ((q = memchr(p, t->quote, (size_t)(end - p)))) {
            memcpy(to, p, (size_t)(q - p));
            to += q - p;
            p = q + 1;
            if (p == end || *p != (char)t->quote)
                break; /* the closing one; what follows is text */
            *to++ = (char)t->quote;
            p++;
        }
        memcpy(to, p, (size_t)(end - p));
        to += end - p;
        cell->length = (size_t)(to - cell->bytes);
    }
    return 0;
}

int data_table_split_delimited(struct data_table *t)
{
    const unsigned char delimiter = t->delimiter;
    const int quote = t->quote;
    size_t start, closed, skip, n;
    uint64_t lines, quote_lines;
    bool inside, plain;
    int rc;
again:
    if (t->at == t->end) {
        if ((rc = data_table_fill(t)) < 0)
            return rc;
        if (rc == 0 && t->at == t->end)
            return 0;
    }
    if (t->after_return && t->block[t->at] == '\n') {
        t->after_return = false;
        t->at++;
        goto again;
    }
    t->after_return = false;
    if (t->comment >= 0 && (unsigned char)t->block[t->at] == t->comment) {
        char *newline;
        while (!(newline = memchr(t->block + t->at, '\n', t->end - t->at))) {
            if ((rc = data_table_fill(t)) < 0)
                return rc;
            if (rc == 0) {
                t->at = t->end;
                return 0;
            }
        }
        t->at = (size_t)(newline - t->block) + 1;
        t->line++;
        goto again;
    }
    /* a row begins at `at` */
    start = t->at;
    if (!t->scan.valid || start - t->scan.base >= 64)
        scan_load(t, start);
    else
        t->scan.special &= ~(uint64_t)0 << (start - t->scan.base);
    struct data_scan scan = t->scan; /* kept in registers; bits used up are known by place */
    const char *block = t->block;
    bool high = scan.high >> (start - scan.base) != 0;
    n = 0;
    t->n_quoted = 0;
    lines = quote_lines = 0;
    inside = false; /* within quotes */
    plain = true;   /* the cell has no quotes to remove */
    closed = skip = SIZE_MAX;
    struct data_cell *cells = t->cells;
    size_t room = t->cells_capacity;
    for (;;) {
        while (scan.special == 0) {
            size_t next = scan.base + 64;
            if (next >= t->end) {
                if (!t->at_eof) {
                    if ((rc = data_table_fill(t)) < 0)
                        return rc;
                    goto again; /* everything moved; the row is the same */
                }
                if (inside)
                    return base_error_set(BASE_E_FORMAT,
                                          "%s:%llu: the quote that opens here is never closed",
                                          data_stream_name(t->stream),
                                          (unsigned long long)(t->line + quote_lines + 1));
                next = t->end; /* the last line may lack its end */
                t->scan.valid = false;
                goto end_of_row_at_end;
            }
            scan_load(t, next);
            scan = t->scan;
            high |= scan.high != 0;
        }
        unsigned bit = (unsigned)__builtin_ctzll(scan.special);
        size_t i = scan.base + bit;
        scan.special &= scan.special - 1;
        if (!inside && closed == SIZE_MAX && scan.cells >> bit & 1 && n < room) { /* mostly */
            cells[n].bytes = block + start;
            cells[n++].length = i - start;
            start = i + 1;
            continue;
        }
        unsigned char c = (unsigned char)block[i];
        if (inside) {
            if (c == '\n') {
                lines++;
            } else if (c == quote && i != skip) {
                if (i + 1 == t->end && !t->at_eof) { /* is it doubled? */
                    if ((rc = data_table_fill(t)) < 0)
                        return rc;
                    goto again;
                }
                if (i + 1 < t->end && (unsigned char)block[i + 1] == quote) {
                    skip = i + 1;
                    plain = false;
                } else {
                    inside = false;
                    closed = i;
                }
            }
            continue;
        }
        if (c == quote && c != '\n' && c != '\r') {
            if (i == start) {
                inside = true;
                quote_lines = lines;
            }
            continue;
        }
        if (c != delimiter && i == t->at) { /* an empty line */
            t->after_return = c == '\r';
            t->at = i + 1;
            t->line++;
            goto again;
        }
        if (n == room) {
            t->n_cells = n;
            if ((rc = data_table_more_cells(t)))
                return rc;
            cells = t->cells;
            room = t->cells_capacity;
        }
        cells[n].bytes = block + start;
        cells[n].length = i - start;
        if (closed != SIZE_MAX) { /* it began with a quote */
            if (plain && closed == i - 1) {
                cells[n].bytes++;
                cells[n].length -= 2;
            } else {
                if (t->n_quoted == t->quoted_capacity && (rc = data_table_more_quoted(t)))
                    return rc;
                t->quoted[t->n_quoted++] = n;
            }
            closed = SIZE_MAX;
            plain = true;
        }
        n++;
        start = i + 1;
        if (c == delimiter)
            continue;
        t->row_end = i;
        t->after_return = c == '\r';
        break;
    }
    goto done;
end_of_row_at_end:
    if (n == room) {
        t->n_cells = n;
        if ((rc = data_table_more_cells(t)))
            return rc;
        cells = t->cells;
    }
    cells[n] = (struct data_cell){ t->block + start, t->end - start };
    if (closed != SIZE_MAX) {
        if (t->n_quoted == t->quoted_capacity && (rc = data_table_more_quoted(t)))
            return rc;
        t->quoted[t->n_quoted++] = n;
    }
    n++;
    t->row_end = t->end;
    start = t->end;
done:
    t->row = t->at;
    t->row_line = t->line + 1;
    t->line += lines + 1;
    t->at = start;
    t->n_cells = n;
    t->high = high;
    if (t->row_end - t->row > t->max_record)
        return base_error_set(
            BASE_E_LIMIT, "%s:%llu: the row that begins here is larger than %zu bytes",
            data_stream_name(t->stream), (unsigned long long)t->row_line, t->max_record);
    return t->n_quoted && (rc = unquote(t)) ? rc : 1;
}

/* Bits set; without the CPU's own instruction, which the oldest x86-64 does not have. */
static inline unsigned count_bits(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (unsigned)(x * 0x0101010101010101u >> 56);
}

uint64_t data_table_pass_delimited(struct data_table *t, uint64_t rows)
{
    uint64_t passed = 0;
    while (passed < rows && t->at < t->end) {
        size_t start = t->at;
        if (t->after_return || (t->comment >= 0 && (unsigned char)t->block[start] == t->comment))
            break;
        if (!t->scan.valid || start - t->scan.base >= 64)
            scan_load(t, start);
        uint64_t from = ~(uint64_t)0 << (start - t->scan.base);
        uint64_t ends, high = t->scan.high & from;
        size_t n = 1;
        while ((ends = t->scan.special & ~t->scan.cells & from) == 0) {
            n += count_bits(t->scan.cells & from);
            if (t->scan.base + 64 >= t->end)
                return passed; /* the rest of the row is not here */
            scan_load(t, t->scan.base + 64);
            from = ~(uint64_t)0;
            high |= t->scan.high;
        }
        unsigned bit = (unsigned)__builtin_ctzll(ends);
        size_t i = t->scan.base + bit;
        n += count_bits(t->scan.cells & from & (((uint64_t)1 << bit) - 1));
        if (t->block[i] != '\n' || i == start || n != t->n_columns || i - start > t->max_record ||
            (high && data_utf8_invalid(t->block + start, i - start) < i - start))
            break;
        t->row = start;
        t->row_end = i;
        t->row_line = ++t->line;
        t->at = i + 1;
        passed++;
    }
    return passed;
}

/* The next line, comments passed over, into row and row_end: 1, 0 at the end, negative. */
static int next_line(struct data_table *t)
{
    for (;;) {
        int rc;
        char *newline;
        while (
            !(newline = t->at < t->end ? memchr(t->block + t->at, '\n', t->end - t->at) : NULL) &&
            !t->at_eof)
            if ((rc = data_table_fill(t)) < 0)
                return rc;
        if (t->at == t->end)
            return 0;
        t->row = t->at;
        t->row_end = newline ? (size_t)(newline - t->block) : t->end;
        t->at = t->row_end + (newline != NULL);
        t->row_line = ++t->line;
        if (t->comment >= 0 && (unsigned char)t->block[t->row] == t->comment)
            continue;
        if (t->row_end > t->row && t->block[t->row_end - 1] == '\r')
            t->row_end--;
        t->high = true;
        if (t->row_end - t->row > t->max_record)
            return base_error_set(
                BASE_E_LIMIT, "%s:%llu: the row that begins here is larger than %zu bytes",
                data_stream_name(t->stream), (unsigned long long)t->row_line, t->max_record);
        return 1;
    }
}

int data_table_split_line(struct data_table *t)
{
    int rc = next_line(t);
    if (rc <= 0)
        return rc;
    t->n_cells = 0;
    if (t->cells_capacity == 0 && (rc = data_table_more_cells(t)))
        return rc;
    t->cells[t->n_cells++] = (struct data_cell){ t->block + t->row, t->row_end - t->row };
    return 1;
}

int data_table_split_blanks(struct data_table *t)
{
    for (;;) {
        int rc = next_line(t);
        if (rc <= 0)
            return rc;
        t->n_cells = 0;
        const char *p = t->block + t->row, *end = t->block + t->row_end;
        for (;;) {
            while (p < end && (*p == ' ' || *p == '\t'))
                p++;
            if (p == end)
                break;
            const char *from = p;
            while (p < end && *p != ' ' && *p != '\t')
                p++;
            if (t->n_cells == t->cells_capacity && (rc = data_table_more_cells(t)))
                return rc;
            t->cells[t->n_cells++] = (struct data_cell){ from, (size_t)(p - from) };
        }
        if (t->n_cells)
            return 1;
    }
}
