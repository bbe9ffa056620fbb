/* What `assay estimate` and `assay margins` share: the options that say how the rows were drawn. */
#ifndef CMD_SURVEY_H
#define CMD_SURVEY_H
#include "cli/cmd_stats.h"
#include <assay/estimate.h>

struct survey_arguments {
    const char *weights, *pi, *pps, *joint, *lonely, *poststratify, *format, *delimiter;
    struct cli_strings strata, psu, fpc, rake;
    bool yates_grundy, no_design;
};
#define SURVEY_OPTIONS(a)                                                                               \
    { "weights", 0, CLI_STRING, &(a).weights, "COL", "Column of weights." },                            \
        { "strata",    0,           CLI_STRINGS,                                                        \
          &(a).strata, "COL[,COL]", "Column of strata, one for each stage; A*B crosses two columns." }, \
        { "psu",    0,           CLI_STRINGS,                                                           \
          &(a).psu, "COL[,COL]", "Columns of sampling units (clusters), outermost first." },            \
        { "fpc",                                                                                        \
          0,                                                                                            \
          CLI_STRINGS,                                                                                  \
          &(a).fpc,                                                                                     \
          "COL[,COL]",                                                                                  \
          "For each stage, how many units its population has, or the share that was drawn." },          \
        { "pi", 0, CLI_STRING, &(a).pi, "COL", "Column of inclusion probabilities." },                  \
        { "pps",                                                                                        \
          0,                                                                                            \
          CLI_STRING,                                                                                   \
          &(a).pps,                                                                                     \
          "HOW",                                                                                        \
          "Variance of unequal probabilities: replace, brewer (default), hartley-rao, overton, "        \
          "joint." },                                                                                   \
        { "joint",                                                                                      \
          0,                                                                                            \
          CLI_STRING,                                                                                   \
          &(a).joint,                                                                                   \
          "FILE",                                                                                       \
          "The joint probabilities of --pps joint: a square of numbers in the order of the "            \
          "rows." },                                                                                    \
        { "yates-grundy",                                                                               \
          0,                                                                                            \
          CLI_FLAG,                                                                                     \
          &(a).yates_grundy,                                                                            \
          NULL,                                                                                         \
          "Yates and Grundy's form of the variance in place of Horvitz and Thompson's." },              \
        { "lonely",   0,                                                                                \
          CLI_STRING, &(a).lonely,                                                                      \
          "HOW",      "A stratum with a single unit: fail (default), remove, adjust or average." },     \
        { "no-design", 0,                                                                               \
          CLI_FLAG,    &(a).no_design,                                                                  \
          NULL,        "Rows are independent and equal; pass over the columns _weight, _psu ..." },     \
        { "poststratify",                                                                               \
          0,                                                                                            \
          CLI_STRING,                                                                                   \
          &(a).poststratify,                                                                            \
          "FILE",                                                                                       \
          "CSV of population totals: columns of the sample, and a last one with the totals." },         \
        { "rake",    0,      CLI_STRINGS,                                                               \
          &(a).rake, "FILE", "The same for one margin of several; may repeat." },                       \
        { "format",    0,        CLI_STRING,                                                            \
          &(a).format, "FORMAT", "csv, tsv, json or jsonl (default: by the file's name; csv)." },       \
    {                                                                                                   \
        "delimiter", 0, CLI_STRING, &(a).delimiter, "C",                                                \
            "Character between cells (default: the "                                                    \
            "format's)."                                                                                \
    }
/* Memory that lives until the program ends, and stays reachable for leak checkers; NULL: none. */
void *survey_keep(size_t n, size_t bytes);
/* Names of an option that may repeat or hold commas, which are cut where they stand; the array
 * lives until the program ends. 0 or an exit code. */
int survey_names(const struct cli_command *command, const struct cli_strings *given,
                 const char *const **names, size_t *n);
/* The design and the file's format out of the arguments; 0 or an exit code. */
int survey_design_parse(const struct cli_command *command, const struct survey_arguments *a,
                        struct sampling_design *design, struct data_table_options *table);
/* A number for a table: six digits, or as many as stand before the point. */
const char *survey_show(double x);
const char *survey_show_interval(const struct stats_interval *i);
#endif
