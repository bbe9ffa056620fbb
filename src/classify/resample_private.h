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

/* One made row: a of x towards b of x by lambda; appended to out. Values a + lambda (b - a), zeros
 * left out. The column and value arrays are scratch of x->columns places. */
int resample_blend(struct classify_matrix *out, const struct classify_matrix *x, uint32_t a,
                   uint32_t b, double lambda, uint32_t *column, double *value);
#endif
