/* sampling: estimates from a file whose rows were sampled. The design is read from columns: those
 * named, or those that `assay sample` adds (_pi, _weight, _stratum, _psu, _fpc, _fpc2); the
 * mathematics is that of <assay/survey.h>. Rows are held in memory: a sample, not a population. */
#ifndef ASSAY_ESTIMATE_H
#define ASSAY_ESTIMATE_H
#include <assay/data.h>
#include <assay/survey.h>

/* Variance of unequal-probability samples. */
enum sampling_unequal {
    SAMPLING_UNEQUAL_AUTO,    /* BREWER when there is _pi, it varies, and no fpc; else nothing of
                                 its own */
    SAMPLING_UNEQUAL_REPLACE, /* as if drawn with replacement: never too small, ignores pi */
    SAMPLING_UNEQUAL_BREWER,
    SAMPLING_UNEQUAL_HARTLEY_RAO,
    SAMPLING_UNEQUAL_OVERTON,
    SAMPLING_UNEQUAL_JOINT, /* from a file of joint probabilities */
    SAMPLING_UNEQUALS
};
extern const char *const sampling_unequal_names[SAMPLING_UNEQUALS]; /* "auto", "replace", ... */

struct sampling_design {
    const char *weights; /* column of weights */
    const char *pi;      /* column of inclusion probabilities; weights are 1 / pi without weights */
    /* A column for each stage, outermost first; "A*B" crosses columns of strata. A stratum column
     * too few: no strata at that stage. One fpc more than psu: rows are the last stage's units. */
    const char *const *strata, *const *psu, *const *fpc;
    size_t n_strata, n_psu, n_fpc;
    enum sampling_unequal unequal;
    const char *joint; /* file of n x n numbers, in the order of the rows: SAMPLING_UNEQUAL_JOINT */
    bool yates_grundy;
    enum stats_lonely lonely;
    bool none; /* no design: rows are a simple random sample with replacement, _columns ignored */
    /* Tables of population totals: a CSV file whose columns are columns of the sample, and one more
     * with the totals (or shares that sum to 1, which then keep the weights' sum). */
    const char *poststratify;
    const char *const *rake;
    size_t n_rake;
};

enum sampling_estimand {
    SAMPLING_MEAN,
    SAMPLING_TOTAL, /* without a variable: the size */
    SAMPLING_RATIO,
    SAMPLING_QUANTILE,
    SAMPLING_PROPORTION,
    SAMPLING_ESTIMANDS
};
extern const char *const sampling_estimand_names[SAMPLING_ESTIMANDS]; /* "mean", ... */
struct sampling_estimate_options {
    enum sampling_estimand what;
    const char *const *variable; /* columns */
    size_t n_variables;
    const char *over; /* ratio: column below the line */
    const double *q;  /* quantile */
    size_t n_q;
    const char *const *value; /* proportion: these categories only; none = all */
    size_t n_values;
    const char *const *by; /* domains: columns, "A*B" crossed */
    size_t n_by;
    const char *where; /* a condition (see sampling.h): rows for which it holds are the domain */
    double level;
    int interval; /* enum stats_survey_interval of proportions and quantiles; -1: logit, wald */
    enum stats_quantile_rule rule;
    double size;       /* known population size: means are totals over it (0 = estimated, Hajek) */
    bool skip_missing; /* rows without a value are left out, as a domain is */
    struct sampling_design design;
};
#define SAMPLING_ESTIMATE_DEFAULT                                                                  \
    {                                                                                              \
        .level = 0.95, .interval = -1                                                              \
    }
struct sampling_estimate {
    char *variable;    /* NULL for a size */
    char *category;    /* of a proportion, or NULL */
    double q;          /* of a quantile, else NaN */
    char *by, *domain; /* column and its value; NULL = all rows */
    struct stats_survey_estimate e;
};
struct sampling_estimates {
    struct sampling_estimate *at;
    size_t n;
    size_t rows;
    size_t units, strata; /* of the first stage */
    uint64_t skipped;     /* rows left out for a missing value */
    uint64_t no_domain;   /* rows without a value in a column of domains */
    bool weighted;
    double weight_sum;
    char *design; /* a sentence for people: how variance was found */
};
/* table NULL = all zero. Errors name FILE:LINE and column. */
int sampling_estimate(struct sampling_estimates *out, const char *path,
                      const struct data_table_options *table,
                      const struct sampling_estimate_options *options);
void sampling_estimates_free(struct sampling_estimates *e);

/* ---- a sample against its population ---- */
struct sampling_margins_options {
    const char *const *by; /* columns both files have; "A*B" crossed */
    size_t n_by;
    const char *count; /* column of the population file with how many units a row stands for */
    double level;
    enum stats_survey_interval interval;
    struct sampling_design design;
    /* The sample was drawn from the population without replacement, in equal chances: its size is
     * the fpc. BASE_E_ARGUMENT when the design has strata, clusters or an fpc of its own. */
    bool fpc;
};
#define SAMPLING_MARGINS_DEFAULT                                                                   \
    {                                                                                              \
        .level = 0.95, .interval = STATS_SURVEY_LOGIT                                              \
    }
struct sampling_margin_cell {
    char *value;
    double population, share; /* units, and share of all that have a value */
    uint64_t n;               /* rows of the sample */
    struct stats_survey_estimate e;
    double difference; /* e.estimate - share */
    double z, p;       /* difference / se; two-sided by t with e.df */
};
struct sampling_margin {
    char *by;
    struct sampling_margin_cell *cell; /* most frequent in the population first */
    size_t n;
    uint64_t sample_missing, population_missing;
    /* values in the sample that the population lacks: rows of the sample, an example */
    uint64_t unknown;
    char *unknown_value;
    struct stats_survey_fit fit; /* over cells with a population; NaN when there is no test */
    char *no_fit;                /* why, or NULL */
    double dissimilarity;        /* 1/2 sum |sample share - population share| */
};
struct sampling_margins {
    struct sampling_margin *at;
    size_t n;
    uint64_t population_rows, sample_rows;
    bool weighted;
    char *design;
};
int sampling_margins(struct sampling_margins *out, const char *sample, const char *population,
                     const struct data_table_options *table,
                     const struct sampling_margins_options *options);
void sampling_margins_free(struct sampling_margins *m);
#endif
