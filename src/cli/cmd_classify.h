/* What the files of `assay classify` share: what was asked for, and showing what was found. */
#ifndef CLI_CMD_CLASSIFY_H
#define CLI_CMD_CLASSIFY_H
#include "classify/compare.h"
#include "classify/model.h"
#include "cli/cli.h"

/* A list "a,b,c" taken apart; unique: no item may be there twice. */
struct classify_list {
    char *text;
    const char **at;
    size_t n;
};
int classify_list_split(struct classify_list *list, const char *text, const char *option,
                        bool unique);
void classify_list_free(struct classify_list *list);

/* How the table's file is to be read: --format, --delimiter. */
struct classify_file {
    const char *format, *delimiter;
};
#define CLASSIFY_FILE_OPTIONS(file)                                                                \
    { "format",       0,        CLI_STRING,                                                        \
      &(file).format, "FORMAT", "csv, tsv or jsonl (default: by the file's name)." },              \
    {                                                                                              \
        "delimiter", 0, CLI_STRING, &(file).delimiter, "C",                                        \
            "Character between cells (default: the format's own)."                                 \
    }
int classify_file_options(const struct classify_file *file, struct data_table_options *out);

/* What the results are shown with. */
struct classify_shown {
    const char *path;
    const struct classify_data *data;
    const struct classify_comparison *comparison;
    const struct classify_compare_options *options;
    bool has_text;
    size_t terms; /* all terms of the text column by the options, over all rows */
};
/* Both return the exit code. */
int classify_print_text(const struct cli_command *command, const struct classify_shown *s);
int classify_print_json(const struct cli_command *command, const struct classify_shown *s);
/* PREFIX-roc.EXT, -pr, -rates, -calibration and -confusion-STRATEGY. */
int classify_write_plots(const struct classify_shown *s, const char *prefix, const char *extension);
/* A CSV of the held-out rows: row, truth, and of every strategy prediction and score. */
int classify_write_predictions(const struct classify_shown *s, const char *path);
#endif
