/* A survey design out of a file's columns: what `estimate` and `margins` share. */
#ifndef SAMPLING_DESIGN_H
#define SAMPLING_DESIGN_H
#include "sampling/columns.h"
#include <assay/estimate.h>

#define SAMPLING_NONE SIZE_MAX
struct sampling_totals {
    char *path, *name; /* file; its columns joined by '*' */
    size_t column;     /* of the sample */
    char **levels;     /* values in the file, and */
    double *total;     /* their totals */
    size_t n;
};
struct sampling_survey {
    struct sampling_columns columns;
    struct stats_survey *survey;
    size_t weight, pi, stratum[STATS_SURVEY_STAGES], psu[STATS_SURVEY_STAGES],
        fpc[STATS_SURVEY_STAGES]; /* in columns, or SAMPLING_NONE */
    size_t n_psu, n_fpc;
    bool automatic; /* the columns of `assay sample` */
    bool unknown; /* with a _pi that is empty throughout: quota, convenience, purposive, snowball */
    struct sampling_totals *totals;
    size_t n_totals;
    size_t units, strata;
    double population; /* size of a finite population for a design without fpc; 0 = none */
    char *text;
};
/* Three steps, between which the caller asks for columns of its own (sampling_columns_want):
 * opening, reading the rows, and the design with its post-stratification and raking. */
int sampling_survey_open(struct sampling_survey *s, const char *path,
                         const struct data_table_options *table,
                         const struct sampling_design *design);
int sampling_survey_build(struct sampling_survey *s, const struct sampling_design *design);
void sampling_survey_close(struct sampling_survey *s);

/* Levels of a category in their order for people: as numbers when all are, else by bytes.
 * order [n_levels], base_free. */
int sampling_levels_order(const struct sampling_column *column, size_t **order);
#endif
