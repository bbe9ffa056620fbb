/* What commands that read a table have in common: its format, and lists of columns. */
#ifndef CLI_TABLE_OPTIONS_H
#define CLI_TABLE_OPTIONS_H
#include "cli/cli.h"
#include <assay/data.h>

struct cli_table_input {
    const char *format, *delimiter, *comment;
    bool no_header, pad;
};
#define CLI_TABLE_OPTIONS(input)                                                                     \
    { "format",                                                                                      \
      0,                                                                                             \
      CLI_STRING,                                                                                    \
      &(input).format,                                                                               \
      "FORMAT",                                                                                      \
      "csv, tsv, jsonl, json or lines (default: by the file's name; standard input: csv)." },        \
        { "delimiter", 0,                                                                            \
          CLI_STRING,  &(input).delimiter,                                                           \
          "C",         "What stands between columns: a character, tab, or space for any blanks." },  \
        { "no-header",        0,    CLI_FLAG,                                                        \
          &(input).no_header, NULL, "The first row is data; columns are named 0, 1, ..." },          \
        { "comment", 0, CLI_STRING, &(input).comment, "C", "Lines that begin with C are no rows." }, \
    {                                                                                                \
        "pad", 0, CLI_FLAG, &(input).pad, NULL, "Fill short rows with empty cells."                  \
    }
/* The options as the reader takes them; 0, or 2 after a usage message. */
int cli_table_parse(const struct cli_command *command, const struct cli_table_input *input,
                    struct data_table_options *out);
/* Names given in one option, several times or divided by commas; 0 or an exit code. Free in both
 * cases. */
int cli_names(const struct cli_command *command, const struct cli_strings *given,
              const char *const **names, size_t *n);
void cli_names_free(const char *const *names, size_t n); /* NULL is fine */
#endif
