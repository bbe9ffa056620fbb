/* What the `assay stats` commands share: columns of numbers and labels out of files, and the pieces
 * of their output. */
#ifndef CMD_STATS_H
#define CMD_STATS_H
#include "cli/cli.h"
#include "cli/display.h"
#include <assay/stats.h>

/* Options of every command that reads a FILE. */
struct stats_how {
    const char *format; /* --format, NULL = by name and content */
    bool skip_missing;
};
#define STATS_FILE_OPTIONS(how)                                                                    \
    {                                                                                              \
        "format",   0,                                                                             \
        CLI_STRING, &(how).format,                                                                 \
        "FORMAT",   "csv, tsv, json, jsonl or lines (default: by the file's name and first line)." \
    },                                                                                             \
    {                                                                                              \
        "skip-missing", 0, CLI_FLAG, &(how).skip_missing, NULL,                                    \
            "Leave out rows with an empty or NaN cell (default: an error that names the row)."     \
    }

/* One column to read. */
struct stats_field {
    const char *name;   /* a column's name, or its number from 1; NULL: whatever the file has */
    const char *option; /* how the user would name it, for messages ("--column") */
    bool label;         /* text, numbered in order of first appearance; else a number */
    /* out */
    char *title;   /* the column's name */
    double *x;     /* [n] numbers, or */
    uint32_t *id;  /* [n] numbers of labels */
    char **labels; /* [n_labels] */
    size_t n_labels;
};
struct stats_sample {
    struct stats_field *field; /* the caller's */
    size_t n_fields;
    size_t n;       /* rows */
    size_t skipped; /* with missing cells */
    size_t capacity;
};
/* Reads the columns `field` [n_fields] of a file ("-": standard input). Fields without a name take
 * the file's columns in order when their numbers agree. Fails with FILE:LINE, column and content.
 * Release with stats_sample_free, also after failure. */
int stats_sample_read(struct stats_sample *s, const char *path, const struct stats_how *how,
                      struct stats_field *field, size_t n_fields);
void stats_sample_free(struct stats_sample *s);

/* Two samples from one file with two columns or from two files of one; paired: equally long. */
struct stats_two {
    struct stats_sample sample[2];
    struct stats_field field[4]; /* first, second, cluster */
    const double *x[2];
    size_t n[2];
    const char *title[2];
    const uint32_t *cluster; /* NULL, or [n] */
    size_t clusters;
    bool two_files;
};
/* argv[1..n] are the files. Returns 0, or the exit code after the message. */
int stats_two_read(const struct cli_command *command, struct stats_two *two, char **argv, int n,
                   const struct stats_how *how, const char *first, const char *second,
                   const char *cluster, bool paired);
void stats_two_free(struct stats_two *two);

json_t *stats_json_interval(const struct stats_interval *i);
/* "0.0703", "4e-06", "< 1e-300": four significant digits. One of eight static buffers in turn. */
const char *stats_show_p(double p);
/* A number in six significant digits, "-" for NaN. Buffers as above. */
const char *stats_show(double x);
const char *stats_show_interval(const struct stats_interval *i);
/* "no evidence", "weak evidence", "evidence", "strong evidence" against no difference. */
const char *stats_words_p(double p);
/* Wrapped sentences under a table. */
int stats_say(struct base_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Level and alpha in (0, 1): 0 or the usage code. */
int stats_check_share(const struct cli_command *command, const char *option, double value);
/* The place of `name` among names, or the usage code (2) negated after a message that lists them.
 */
int stats_choose(const struct cli_command *command, const char *option, const char *name,
                 const char *const *names, int n);
#endif
