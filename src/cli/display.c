/* Text for people: see display.h. */
#include "cli/display.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

#define INDENT 2
#define GAP    2
#define NARROW 8 /* a flexible column is never cut below this */

int cli_columns(void)
{
    return cli_common.output ? 100 : base_terminal_columns(STDOUT_FILENO);
}

int cli_print_text(const struct cli_command *command, struct base_buffer *b, int rc)
{
    if (rc == 0 && cli_common.output && strcmp(cli_common.output, "-") != 0)
        rc = base_file_write(cli_common.output, b->data ? b->data : "", b->length);
    else if (rc == 0 && b->length)
        fwrite(b->data, 1, b->length, stdout); /* main reports a failed standard output */
    base_buffer_free(b);
    return rc ? cli_fail(command) : 0;
}

int cli_append_bar(struct base_buffer *b, double fraction, int width)
{
    static const char *const parts[8] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
    fraction = fraction > 0 ? fmin(fraction, 1) : 0;
    int eighths = (int)lround(fraction * width * 8), rc = 0;
    for (int i = 0; rc == 0 && i < eighths / 8; i++)
        rc = base_buffer_puts(b, "█");
    return rc ? rc : base_buffer_puts(b, parts[eighths % 8]);
}

/* One character of text (at least one byte) in the form it is shown in. */
static size_t visible(const char *text, size_t bytes, char out[8])
{
    uint32_t code;
    size_t n = base_utf8_decode(text, bytes, &code);
    if (n == 0) {
        strcpy(out, "\xef\xbf\xbd");
        return 1;
    }
    if (code == '\n' || code == '\t' || code == '\r')
        snprintf(out, 8, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
    else if (code < 0x20 || (code >= 0x7f && code < 0xa0))
        snprintf(out, 8, "\\x%02x", (unsigned)code);
    else
        memcpy(out, text, n), out[n] = 0;
    return n;
}

int cli_append_visible(struct base_buffer *b, const char *text, size_t bytes, int columns)
{
    char one[8];
    int total = 0, rc = 0;
    for (size_t i = 0; columns > 0 && i < bytes && total <= columns;) {
        i += visible(text + i, bytes - i, one);
        total += base_utf8_columns(one, strlen(one));
    }
    bool cut = columns > 0 && total > columns;
    int used = 0;
    for (size_t i = 0; rc == 0 && i < bytes;) {
        i += visible(text + i, bytes - i, one);
        int width = base_utf8_columns(one, strlen(one));
        if (cut && used + width > columns - 1)
            return base_buffer_puts(b, "…");
        used += width;
        rc = base_buffer_puts(b, one);
    }
    return rc;
}

int cli_append_wrapped(struct base_buffer *b, int indent, const char *text)
{
    int rc = 0, at = 0;
    while (rc == 0 && *text) {
        size_t n = strcspn(text, " ");
        int width = base_utf8_columns(text, n);
        if (at == 0 || at + 1 + width > cli_columns()) {
            rc = base_buffer_printf(b, "%s%*s", at ? "\n" : "", indent, "");
            at = indent;
        } else {
            rc = base_buffer_puts(b, " ");
            at++;
        }
        rc = rc ? rc : base_buffer_append(b, text, n);
        at += width;
        text += n + strspn(text + n, " ");
    }
    return rc ? rc : base_buffer_puts(b, "\n");
}

void cli_p_text(char *out, size_t bytes, double p)
{
    if (isnan(p))
        snprintf(out, bytes, "-");
    else if (p < 1e-300)
        snprintf(out, bytes, "<1e-300");
    else
        snprintf(out, bytes, p < 0.0001 ? "%.0e" : "%.4f", p);
}

void cli_table_add(struct cli_table *t, const char *format, ...)
{
    if (t->n_cells == t->capacity) {
        size_t capacity = t->capacity * 2 + 64;
        char **more = base_realloc(t->cells, capacity, sizeof *more);
        if (!more) {
            t->rc = BASE_E_MEMORY;
            return;
        }
        t->cells = more;
        t->capacity = capacity;
    }
    char small[512], *text;
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    text = base_alloc((size_t)n + 1, 1);
    if (text)
        vsnprintf(text, (size_t)n + 1, format, again);
    else
        t->rc = BASE_E_MEMORY;
    va_end(again);
    t->cells[t->n_cells++] = text;
}

static int append_padding(struct base_buffer *b, int n)
{
    return n > 0 ? base_buffer_printf(b, "%*s", n, "") : 0;
}

static int append_row(struct base_buffer *b, const struct cli_table *t, char *const *cells,
                      const int *widths)
{
    int rc = append_padding(b, INDENT),
        owed = 0; /* blanks that are written only before more text */
    for (size_t c = 0; rc == 0 && c < t->n_columns; c++) {
        const char *cell = cells ? cells[c] : t->columns[c].title;
        struct base_buffer shown = { 0 };
        rc = cli_append_visible(&shown, cell, strlen(cell), t->columns[c].flexible ? widths[c] : 0);
        int width = shown.length ? base_utf8_columns(shown.data, shown.length) : 0;
        int pad = widths[c] - width;
        if (t->columns[c].right)
            owed += pad;
        if (rc == 0 && shown.length && (rc = append_padding(b, owed)) == 0) {
            rc = base_buffer_append(b, shown.data, shown.length);
            owed = 0;
        }
        if (!t->columns[c].right)
            owed += pad;
        owed += GAP;
        base_buffer_free(&shown);
    }
    return rc ? rc : base_buffer_puts(b, "\n");
}

int cli_table_append(struct base_buffer *b, struct cli_table *t)
{
    int widths[32] = { 0 }, total = INDENT, rc = t->rc;
    size_t n = t->n_columns < 32 ? t->n_columns : 32, rows = n ? t->n_cells / n : 0;
    for (size_t c = 0; rc == 0 && c < n; c++) {
        widths[c] = base_utf8_columns(t->columns[c].title, strlen(t->columns[c].title));
        for (size_t r = 0; r < rows; r++) {
            const char *cell = t->cells[r * n + c];
            struct base_buffer shown = { 0 };
            cli_append_visible(&shown, cell, strlen(cell), 0);
            int width = shown.length ? base_utf8_columns(shown.data, shown.length) : 0;
            widths[c] = width > widths[c] ? width : widths[c];
            base_buffer_free(&shown);
        }
        total += widths[c] + (c ? GAP : 0);
    }
    for (size_t c = 0; c < n; c++)
        if (t->columns[c].flexible && total > cli_columns()) {
            int width = widths[c] - (total - cli_columns());
            widths[c] = width > NARROW ? width : NARROW;
        }
    bool titled = false;
    for (size_t c = 0; c < n; c++)
        titled = titled || *t->columns[c].title;
    if (rc == 0 && titled)
        rc = append_row(b, t, NULL, widths);
    for (size_t r = 0; rc == 0 && r < rows; r++)
        rc = append_row(b, t, t->cells + r * n, widths);
    for (size_t i = 0; i < t->n_cells; i++)
        base_free(t->cells[i]);
    base_free(t->cells);
    t->cells = NULL;
    t->n_cells = t->capacity = 0;
    return rc;
}
