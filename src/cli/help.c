/* Help for people: one command or all, on a terminal or as a man page, from the same tables that
 * the parser uses. */
#include "cli/internal.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MEASURE = 100 }; /* lines longer than this are hard to read, however wide the terminal */

/* Appends text filled to `columns`; following lines are indented. `at` columns of the first line
 * are used already. */
static void fill(struct base_buffer *b, const char *text, size_t n, int at, int indent, int columns)
{
    bool first = true;
    for (size_t i = 0; i < n;) {
        size_t begin = i + strspn(text + i, " \n");
        if (begin >= n) {
            break;
        }
        size_t length = strcspn(text + begin, " \n");
        length = begin + length > n ? n - begin : length;
        int width = base_utf8_columns(text + begin, length);
        if (!first && at + 1 + width > columns) {
            base_buffer_printf(b, "\n%*s", indent, "");
            at = indent;
        } else if (!first) {
            base_buffer_puts(b, " ");
            at++;
        }
        base_buffer_append(b, text + begin, length);
        at += width;
        first = false;
        i = begin + length;
    }
    base_buffer_puts(b, "\n");
}

/* The end of the paragraph at p: a run of verbatim lines or of lines to fill. */
static const char *paragraph_end(const char *p, bool *verbatim)
{
    *verbatim = strncmp(p, "  ", 2) == 0;
    const char *end = p;
    while (*end && *end != '\n' && (strncmp(end, "  ", 2) == 0) == *verbatim) {
        end += strcspn(end, "\n");
        end += *end == '\n';
    }
    return end;
}

static void put_details(struct base_buffer *b, const char *p, int columns)
{
    while (*p) {
        bool verbatim;
        const char *end = paragraph_end(p, &verbatim);
        if (verbatim) {
            base_buffer_append(b, p, (size_t)(end - p));
            base_buffer_puts(b, end > p && end[-1] == '\n' ? "" : "\n");
        } else {
            fill(b, p, (size_t)(end - p), 0, 0, columns);
        }
        bool gap = *end == '\n';
        while (*end == '\n') {
            end++;
        }
        if (gap && *end) {
            base_buffer_puts(b, "\n");
        }
        p = end;
    }
}

/* "-m, --model MODEL" */
static void put_option_name(struct base_buffer *b, const struct cli_option *o)
{
    if (o->letter) {
        base_buffer_printf(b, "-%c, ", o->letter);
    }
    base_buffer_printf(b, "--%s%s%s", o->name, o->argument ? " " : "",
                       o->argument ? o->argument : "");
}

struct option_list {
    struct base_buffer *b;
    int columns, widest;
    bool common, any; /* which half is being listed; whether it has any */
};

static void measure_option(void *context, const struct cli_option *o, bool common)
{
    struct option_list *list = context;
    struct base_buffer name = { 0 };
    put_option_name(&name, o);
    int width = (int)name.length + (o->letter ? 0 : 4);
    list->widest = width > list->widest ? width : list->widest;
    list->any = list->any || common == list->common;
    base_buffer_free(&name);
}

static void list_option(void *context, const struct cli_option *o, bool common)
{
    struct option_list *list = context;
    if (common != list->common) {
        return;
    }
    struct base_buffer name = { 0 };
    base_buffer_puts(&name, o->letter ? "" : "    ");
    put_option_name(&name, o);
    int column = 2 + list->widest + 2;
    if (name.data) {
        base_buffer_printf(list->b, "  %-*s  ", list->widest, name.data);
        fill(list->b, o->help, strlen(o->help), column, column, list->columns);
    }
    base_buffer_free(&name);
}

static int usable(int columns)
{
    return columns - 1 > MEASURE ? MEASURE : columns < 40 ? 40 : columns - 1;
}

static void heading(struct base_buffer *b, const char *text, bool bold)
{
    base_buffer_printf(b, "\n%s%s%s\n", bold ? "\033[1m" : "", text, bold ? "\033[0m" : "");
}

void cli_help_command(struct base_buffer *b, const struct cli_command *command, int columns,
                      bool bold)
{
    columns = usable(columns);
    base_buffer_printf(b, "assay %s: ", command->name);
    int used = 8 + (int)strlen(command->name);
    fill(b, command->summary, strlen(command->summary), used, 2, columns);
    heading(b, "Usage", bold);
    base_buffer_printf(b, "  assay %s ", command->name);
    int at = 9 + (int)strlen(command->name);
    fill(b, command->synopsis, strlen(command->synopsis), at, at, columns);
    if (command->details && *command->details) {
        base_buffer_puts(b, "\n");
        put_details(b, command->details, columns);
    }
    for (int common = 0; common <= 1; common++) {
        struct option_list list = { .b = b, .columns = columns, .common = common };
        cli_describe(command, measure_option, &list);
        list.widest = list.widest > 30 ? 30 : list.widest;
        if (list.any) {
            heading(b, common ? "Options of every command" : "Options", bold);
            cli_describe(command, list_option, &list);
        }
    }
}

void cli_help_all(struct base_buffer *b, int columns, bool bold)
{
    columns = usable(columns);
    base_buffer_puts(b, "Assay " ASSAY_VERSION ": a laboratory for language models\n");
    heading(b, "Usage", bold);
    base_buffer_puts(b, "  assay COMMAND [options]\n  assay help COMMAND\n");
    int widest = 0;
    for (size_t i = 0; i < cli_row_count; i++) {
        int width = cli_rows[i].command ? (int)strlen(cli_rows[i].command->name) : 0;
        widest = width > widest ? width : widest;
    }
    const char *group = "";
    for (size_t i = 0; i < cli_row_count; i++) {
        const struct cli_command *c = cli_rows[i].command;
        if (c) {
            if (strcmp(group, cli_rows[i].group) != 0) {
                group = cli_rows[i].group;
                heading(b, group, bold);
            }
            base_buffer_printf(b, "  %-*s  ", widest, c->name);
            fill(b, c->summary, strlen(c->summary), widest + 4, widest + 4, columns);
        }
    }
    static const char closing[] =
        "Results go to standard output, everything else to standard error. Exit code 0: done, 1: "
        "failed (the message says what), 2: wrong usage.";
    base_buffer_puts(b, "\n");
    fill(b, closing, strlen(closing), 0, 0, columns);
}

/* troff: a leading dot or quote and every backslash and hyphen are special */
static void put_troff(struct base_buffer *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool line_start = b->length == 0 || b->data[b->length - 1] == '\n';
        if (line_start && (s[i] == '.' || s[i] == '\'')) {
            base_buffer_puts(b, "\\&");
        }
        if (s[i] == '\\') {
            base_buffer_puts(b, "\\e");
        } else if (s[i] == '-') {
            base_buffer_puts(b, "\\-");
        } else {
            base_buffer_append(b, s + i, 1);
        }
    }
}

static void man_option(void *context, const struct cli_option *o, bool common)
{
    (void)common;
    struct base_buffer *b = context, name = { 0 };
    put_option_name(&name, o);
    base_buffer_puts(b, ".TP\n.B ");
    put_troff(b, name.data ? name.data : "", name.length);
    base_buffer_puts(b, "\n");
    put_troff(b, o->help, strlen(o->help));
    base_buffer_puts(b, "\n");
    base_buffer_free(&name);
}

static void man_title(struct base_buffer *b, const char *name)
{
    base_buffer_puts(b, ".TH ASSAY");
    for (const char *p = name; *p; p++) {
        if (p == name) {
            base_buffer_puts(b, "\\-");
        }
        char c = *p == ' ' ? '-' : (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
        put_troff(b, &c, 1);
    }
    base_buffer_puts(b, " 1 \"\" \"Assay " ASSAY_VERSION "\" \"Assay\"\n.SH NAME\nassay");
    for (const char *p = name; *p; p++) {
        base_buffer_puts(b, p == name ? "\\-" : "");
        put_troff(b, *p == ' ' ? "-" : p, 1);
    }
}

void cli_help_man(struct base_buffer *b, const struct cli_command *command)
{
    man_title(b, command ? command->name : "");
    const char *summary = command ? command->summary : "a laboratory for language models";
    base_buffer_puts(b, " \\- ");
    put_troff(b, summary, strlen(summary));
    base_buffer_puts(b, "\n.SH SYNOPSIS\n.B assay ");
    if (!command) {
        base_buffer_puts(b, "COMMAND [options]\n.SH COMMANDS\n");
        for (size_t i = 0; i < cli_row_count; i++) {
            const struct cli_command *c = cli_rows[i].command;
            if (c) {
                base_buffer_printf(b, ".TP\n.B %s\n", c->name);
                put_troff(b, c->summary, strlen(c->summary));
                base_buffer_puts(b, "\n");
            }
        }
    } else {
        put_troff(b, command->name, strlen(command->name));
        base_buffer_puts(b, "\n");
        put_troff(b, command->synopsis, strlen(command->synopsis));
        base_buffer_puts(b, "\n.SH DESCRIPTION\n");
        for (const char *p = command->details ? command->details : ""; *p;) {
            bool verbatim;
            const char *end = paragraph_end(p, &verbatim);
            base_buffer_puts(b, verbatim ? ".PP\n.nf\n" : ".PP\n");
            put_troff(b, p, (size_t)(end - p));
            base_buffer_puts(b, end > p && end[-1] == '\n' ? "" : "\n");
            base_buffer_puts(b, verbatim ? ".fi\n" : "");
            p = end + strspn(end, "\n");
        }
        base_buffer_puts(b, ".SH OPTIONS\n");
        cli_describe(command, man_option, b);
    }
    base_buffer_puts(b, ".SH EXIT STATUS\n0: done. 1: failed; the message says what, where and "
                        "what to do. 2: wrong usage.\n");
}

void cli_help_print(const struct cli_command *command)
{
    struct base_buffer b = { 0 };
    bool bold = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    cli_help_command(&b, command, base_terminal_columns(STDOUT_FILENO), bold);
    fputs(b.data ? b.data : "", stdout);
    base_buffer_free(&b);
}
