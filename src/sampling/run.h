/* What the files of sampling_run share: reading the population, the frame, and the selection. */
#ifndef SAMPLING_RUN_H
#define SAMPLING_RUN_H
#include "base/buffer.h"
#include "base/hash.h"
#include <assay/sampling.h>

#define SAMPLING_COLUMNS_MOST 64

/* Items of the streams BASE_RNG_ROWS: one for the main draw, then one per stratum or cluster. */
enum { SAMPLING_ITEM_MAIN = 0, SAMPLING_ITEM_STRATUM = 1 };
#define SAMPLING_ITEM_CLUSTER ((uint64_t)1 << 40)
#define SAMPLING_ITEM_SHUFFLE ((uint64_t)1 << 50)

/* A file that can be read twice (input.c). */
struct sampling_input {
    const char *given, *path; /* open this */
    struct data_table_options table;
    char copied[64]; /* /proc/self/fd/N, or "" */
    int fd;
};
/* once: it is read only once, nothing needs to be copied. */
int sampling_input_open(struct sampling_input *in, const char *path,
                        const struct data_table_options *table, bool once);
/* Returns rc, with the input named in the message as the person named it. */
int sampling_input_close(struct sampling_input *in, int rc);

/* The population: rows of the file for which the condition holds. */
struct sampling_source {
    const struct sampling_options *o;
    struct data_table *table;
    struct sampling_condition *condition;
    size_t by[SAMPLING_COLUMNS_MOST], on[SAMPLING_COLUMNS_MOST];
    size_t weights, cluster, variable, id, referrer; /* columns, where the options name them */
    const struct data_cell *cells;                   /* the present row */
    uint64_t rows, population;
    struct base_buffer key, name; /* of the present row's stratum or cluster */
};
int sampling_source_open(struct sampling_source *s, const struct sampling_options *o,
                         const char *path, const struct data_table_options *table);
/* The next row of the population: 1, 0, negative. */
int sampling_source_next(struct sampling_source *s);
/* Passes over up to `rows` rows of the population without having them in hand; in steps, so ask
 * again: *passed tells how many. 1, 0 at the end, negative. */
int sampling_source_pass(struct sampling_source *s, uint64_t rows, uint64_t *passed);
void sampling_source_close(struct sampling_source *s);
/* A number in a column of the present row; a missing one is an error. */
int sampling_source_number(struct sampling_source *s, size_t column, double *out);

/* A group of rows that is drawn from on its own: a stratum, a cluster, or everything. */
struct sampling_group {
    char *name;    /* stratum as shown */
    char *cluster; /* cluster as shown, or NULL */
    size_t stratum;
    uint64_t N; /* rows */
    double mean, square;
    uint64_t measured; /* rows of the variable that are numbers */
    /* the selection */
    uint64_t *pick; /* [n] ordinals within the group, ascending, repeated with replacement */
    uint64_t n, at, seen;
    bool all; /* every row */
    double pi, fpc, fpc2;
    double weight; /* 1/pi without its rounding */
};
struct sampling_frame {
    uint64_t N;
    struct base_table *index; /* key -> group */
    struct sampling_group *group;
    size_t n_groups, groups_capacity;
    struct base_table *stratum_index; /* clusters: key -> stratum */
    char **stratum;                   /* names of strata */
    size_t n_strata, strata_capacity;
    /* per row, where the design asks for them */
    bool rows;       /* designs that draw in the whole population by number */
    double *size;    /* [N] */
    double *x;       /* [n_on][capacity], later [n_on * N] */
    uint32_t *of;    /* [N] stratum */
    uint32_t *label; /* [N] cluster made by k-means */
    size_t capacity;
    unsigned char *taken; /* [N] the selection */
    double *pi;           /* [N] */
    double fpc;           /* of all rows drawn by number */
    double *joint;        /* [taken * taken] in the order of rows, or NULL */
};
int sampling_frame_read(struct sampling_frame *f, const struct sampling_options *o,
                        const char *path, const struct data_table_options *table,
                        struct sampling_report *report);
void sampling_frame_free(struct sampling_frame *f);
/* The group of the present row: its number, or negative. make: a new one is added. */
int sampling_frame_group(struct sampling_frame *f, struct sampling_source *s, bool make,
                         size_t *group);
/* n or frac as a number of units out of N. */
int sampling_size(const struct sampling_options *o, uint64_t N, const char *units, uint64_t *n);
/* Fills the selection by the options' design. */
int sampling_select(struct sampling_frame *f, const struct sampling_options *o,
                    struct sampling_report *report);
/* Snowball and RDS (referral.c): the whole run. */
int sampling_run_referral(const struct sampling_options *o, const char *path,
                          const struct data_table_options *table, const struct sampling_sink *sink,
                          struct sampling_report *report);
/* Adds to report->note. */
int sampling_note(struct sampling_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct sampling_row sampling_row_of(const struct sampling_source *s);
#endif
