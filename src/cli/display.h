/* Text for people: tables that fit the terminal, bars, tokens made visible. Everything is appended
 * to a buffer and printed at once by cli_print_text, so that -o works for every command. */
#ifndef CLI_DISPLAY_H
#define CLI_DISPLAY_H
#include "base/buffer.h"
#include "cli/cli.h"

/* Writes the buffer to standard output, or atomically to -o FILE; frees it; returns the exit code.
 * rc is an error of building the text: then nothing is printed but the message. */
int cli_print_text(const struct cli_command *command, struct base_buffer *b, int rc);
/* Columns to fill: those of the terminal on standard output, else 80. */
int cli_columns(void);

/* A bar of `width` columns filled to `fraction` (0 to 1) in eighths of a block; not padded. */
int cli_append_bar(struct base_buffer *b, double fraction, int width);
/* Text with control characters as escapes (\n, \t, \x1b) and invalid UTF-8 as U+FFFD, cut with "…"
 * to at most `columns` terminal columns (0: no limit). */
int cli_append_visible(struct base_buffer *b, const char *text, size_t bytes, int columns);

/* Text filled to the terminal's width, every line indented by `indent`, ended by a newline. */
int cli_append_wrapped(struct base_buffer *b, int indent, const char *text);

/* A p-value as a table shows it: four decimals, 4e-26 where those would all be 0, "-" for NaN. */
void cli_p_text(char *out, size_t bytes, double p);

/* A table: columns as wide as their widest cell, one flexible column that is cut with "…" when the
 * whole would be wider than the terminal. Cells may hold UTF-8. */
struct cli_column {
    const char *title;
    bool right;    /* align at the right */
    bool flexible; /* at most one */
};
struct cli_table {
    const struct cli_column *columns;
    size_t n_columns;
    char **cells; /* row by row */
    size_t n_cells, capacity;
    int rc; /* first failure */
};
/* Adds the next cell (printf style), filling rows from left to right. */
void cli_table_add(struct cli_table *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends the table, indented by two columns, and frees its cells. Returns t->rc. */
int cli_table_append(struct base_buffer *b, struct cli_table *t);
#endif
