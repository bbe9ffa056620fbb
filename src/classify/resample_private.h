/* Shared by the files of resample.h: one call's data, counted and checked. */
#ifndef CLASSIFY_RESAMPLE_PRIVATE_H
#define CLASSIFY_RESAMPLE_PRIVATE_H
#include "classify/resample.h"

struct resample_job {
    const struct classify_matrix *x;
    const uint32_t *y;
    size_t classes;
    const struct classify_resample_options *options;
    size_t *count;              /* [classes] rows of each class */
    uint32_t smallest, largest; /* of the classes with rows; of equals the lowest number */
    /* what a method fills */
    uint32_t *keep; /* base_free; rows of x that stay, ascending, then copies (oversampling) */
    size_t kept;
    struct classify_matrix made; /* rows that are of no row of x */
    uint32_t *made_label;        /* base_free; [made.rows] */
};

/* Counts y into the job. BASE_E_ARGUMENT when there are not two classes with rows. */
int resample_job_begin(struct resample_job *job, const struct classify_matrix *x, const uint32_t *y,
                       size_t classes, const struct classify_resample_options *options);
void resample_job_free(struct resample_job *job);
/* Rows of class c, ascending, as a new array [count[c]] (base_free); NULL without memory. */
uint32_t *resample_class_rows(const struct resample_job *job, uint32_t c);
/* Rows to add to class c so that it reaches the ratio; 0 for the largest and those beyond. */
size_t resample_to_add(const struct resample_job *job, uint32_t c);
/* Rows of class c that the ratio leaves; its count for the smallest and those below. */
size_t resample_to_leave(const struct resample_job *job, uint32_t c);
/* BASE_E_ARGUMENT, naming the class, unless class c has `need` rows. */
int resample_need(const struct resample_job *job, uint32_t c, size_t need, const char *why);
/* The class's name, or "class 3"; in buffer where it must be made. */
const char *resample_class_name(const struct resample_job *job, uint32_t c, char buffer[32]);
/* All rows of x stay. */
int resample_keep_all(struct resample_job *job);

/* The families; each fills keep and made. */
int resample_smote(struct resample_job *job);    /* SMOTE, Borderline 1 and 2, ADASYN, SMOTENC */
int resample_nearmiss(struct resample_job *job); /* NearMiss 1 to 3 */
int resample_clean(struct resample_job *job);    /* Tomek, ENN, RENN, AllKNN, NCR */
/* For the combined methods: the smallest class is cleaned as well. */
int resample_clean_all(struct resample_job *job, enum classify_resampler method);

/* Between which rows a class's new rows are made. */
struct resample_pairs {
    uint32_t class;
    size_t bases, k;
    uint32_t *base;     /* [bases] rows of x to start from */
    uint32_t *neighbor; /* [bases][k] rows of x to go towards */
    size_t *times;      /* [bases] how often each base serves (ADASYN), or NULL: as drawn */
    size_t add;         /* rows to make */
};
struct resample_draw {
    size_t base, neighbor; /* places in base and in its k neighbours */
    double lambda;
};
/* The pairs of class c by the job's method (smote_tomek and smote_enn: SMOTE). */
int resample_pairs_find(const struct resample_job *job, uint32_t c, struct resample_pairs *pairs);
void resample_pairs_free(struct resample_pairs *pairs);
/* The job's own draws, [pairs->add]. */
void resample_pairs_draw(const struct resample_job *job, const struct resample_pairs *pairs,
                         struct resample_draw *draw);
/* Appends a row to job->made for each of draw [pairs->add]. */
int resample_pairs_make(struct resample_job *job, const struct resample_pairs *pairs,
                        const struct resample_draw *draw);

/* Neighbours among the class's own rows by SMOTE-NC's distance, [n][k] rows of x. */
int resample_nominal_neighbors(const struct resample_job *job, const uint32_t *row, size_t n,
                               size_t k, uint32_t *neighbor);
/* The value of column c in row r of x. */
double resample_value(const struct classify_matrix *x, uint32_t r, uint32_t c);

/* The sum in NumPy's order: eight running sums up to 128 values, halves above (pairwise summation,
 * Higham 1993). Where imbalanced-learn rounds or compares a sum, the same bits decide here. */
double resample_sum(const double *v, size_t n);
/* Whether the options leave k or m to the method, and what they are. */
size_t resample_k(const struct resample_job *job, size_t own);
#endif
