/* sampling: designs over tables. Which rows to take, with which probability, and the file of rows
 * that says so: `_pi, _weight, _stratum, _psu, _fpc`.
 *
 * Two layers. The draws work on numbers in memory and can be checked by enumeration; sampling_run
 * applies a design to a file, streaming where the design allows. Units are numbered from 0. Every
 * draw is a pure function of its seed. */
#ifndef ASSAY_SAMPLING_H
#define ASSAY_SAMPLING_H
#include <assay/data.h>

/* ================= draws ================= */
struct base_rng;

/* n of N without replacement, every subset equally likely: ascending in out[n]. Floyd's method with
 * a hash set, or one pass (Fan, Muller & Rezucha 1962) when n > N/16. BASE_E_ARGUMENT when n > N.
 */
int sampling_draw_random(struct base_rng *rng, uint64_t N, uint64_t n, uint64_t *out);
/* n of N with replacement, ascending; a unit may occur several times. */
int sampling_draw_replacement(struct base_rng *rng, uint64_t N, uint64_t n, uint64_t *out);
/* Fractional interval N/n from a start uniform in [0, N/n): unit floor(start + k N/n). Every unit
 * has probability n/N, and exactly n are taken. */
int sampling_draw_systematic(struct base_rng *rng, uint64_t N, uint64_t n, uint64_t *out);
/* How many units to pass over before the next one of a Bernoulli(p) sample: Geometric. */
uint64_t sampling_skip_bernoulli(struct base_rng *rng, double p);
/* A random permutation of 0..n-1 (Fisher and Yates). */
void sampling_permute(struct base_rng *rng, uint64_t n, uint64_t *out);

/* Algorithm L (Li 1994): a uniform sample of n from a stream of unknown length, drawing random
 * numbers only for the rows taken. */
struct sampling_reservoir {
    uint64_t n, seen; /* units seen so far */
    uint64_t next;    /* number of the next unit that enters */
    double w;
};
void sampling_reservoir_begin(struct sampling_reservoir *r, uint64_t n);
/* The slot (0..n-1) that the next unit enters, or UINT64_MAX when it is passed over. */
uint64_t sampling_reservoir_next(struct sampling_reservoir *r, struct base_rng *rng);

/* A-ExpJ (Efraimidis & Spirakis 2006): the same with weights; the sample of n successive draws in
 * proportion to the weights. Ranks E/w (E exponential) are kept; n + 1 of them, so that the last is
 * the threshold of rank conditioning (Cohen & Kaplan 2007): given it, unit i is in the sample with
 * probability 1 - exp(-w_i threshold), and the Horvitz-Thompson estimator with these is unbiased.
 */
struct sampling_exponential {
    uint64_t n;
    size_t held; /* ranks in the heap, at most n + 1 */
    struct sampling_ranked {
        double rank, weight;
        uint64_t slot;
    } * heap;      /* largest rank first */
    double left;   /* weight to pass over before the next entry */
    double weight; /* of all units seen */
    uint64_t seen;
};
int sampling_exponential_begin(struct sampling_exponential *x, uint64_t n);
/* The slot (0..n) that the next unit enters, or UINT64_MAX. weight: >= 0 and finite; a unit of
 * weight 0 never enters. */
uint64_t sampling_exponential_next(struct sampling_exponential *x, struct base_rng *rng,
                                   double weight);
/* At the end: the threshold (INFINITY when at most n units have weight), and the slot to leave out
 * (UINT64_MAX when none). */
double sampling_exponential_threshold(const struct sampling_exponential *x, uint64_t *leave_out);
void sampling_exponential_free(struct sampling_exponential *x);

/* ---- sizes of strata ---- */
/* Largest remainder (Hamilton): parts of n in proportion to share[h] >= 0, never above most[h]
 * (what is cut off goes to the others, in proportion again). Ties go to the earlier stratum.
 * BASE_E_ARGUMENT when n is more than the sum of most. */
int sampling_allocate(size_t H, const double *share, const uint64_t *most, uint64_t n,
                      uint64_t *out);

/* ---- unequal probabilities without replacement, fixed size ---- */
/* pi[i] = n x[i] / sum x; units beyond 1 are taken for certain and the rest shared again (as R's
 * inclusionprobabilities). BASE_E_ARGUMENT when a size is negative or not finite, n times their sum
 * is not finite, or fewer than n are positive. */
int sampling_inclusion(const double *x, size_t N, uint64_t n, double *pi);
enum sampling_pps {
    SAMPLING_PPS_SYSTEMATIC,     /* Madow 1949, in the order given */
    SAMPLING_PPS_BREWER,         /* Brewer 1975, draw by draw */
    SAMPLING_PPS_SAMPFORD,       /* Sampford 1967 */
    SAMPLING_PPS_PIVOTAL,        /* Deville & Tillé 1998, in the order given */
    SAMPLING_PPS_RANDOM_PIVOTAL, /* the same in a random order */
    SAMPLING_PPS_METHODS
};
extern const char *const sampling_pps_names[SAMPLING_PPS_METHODS]; /* "systematic", "brewer", ... */
/* pi: in [0, 1], their sum a whole number (within 1e-6). taken[i] becomes 1 or 0. Sampford draws by
 * rejection, and where that takes too long by the exact distribution in N n doubles (BASE_E_LIMIT
 * beyond 5e7). */
int sampling_draw_pps(struct base_rng *rng, enum sampling_pps how, const double *pi, size_t N,
                      unsigned char *taken);
/* Joint inclusion probabilities of the m units in unit[] (ascending): out[m*m], pi on the diagonal.
 * Systematic and Sampford are exact; the others have no closed form: BASE_E_UNSUPPORTED. */
int sampling_joint(enum sampling_pps how, const double *pi, size_t N, const uint64_t *unit,
                   size_t m, double *out);

/* ---- successive draws in proportion to weights (what pandas' sample(weights=) does) ---- */
/* n different units, ascending. */
int sampling_draw_successive(struct base_rng *rng, const double *weight, size_t N, uint64_t n,
                             uint64_t *out);
/* Their inclusion probabilities. Unit i arrives at Exp(w_i); it is in the sample when fewer than n
 * others came before: an integral over time of a Poisson-binomial distribution, exact (to 1e-9)
 * while at most 1,000 units have weight; beyond that Rosén's (1972) 1 - exp(-w_i t), t such that
 * they add up to n. *exact says which. */
int sampling_inclusion_successive(const double *weight, size_t N, uint64_t n, double *pi,
                                  bool *exact);

/* ---- balanced: the cube method (Deville & Tillé 2004; fast flight of Chauvet & Tillé 2006) ----
 */
/* x[p*N], variable v of unit i at x[v*N + i]: the sample's Horvitz-Thompson totals of them equal
 * the population's as nearly as can be; pi is balanced first, so that the size is fixed when the
 * pi add up to a whole number. Landing drops variables from the last. */
int sampling_draw_cube(struct base_rng *rng, const double *pi, const double *x, size_t N, size_t p,
                       unsigned char *taken);

/* ---- clusters of rows that have none: k-means++ and Lloyd on standardised columns ---- */
/* x[p*N] as above; label[i] in 0..k-1, every cluster has a row. At most 100 rounds. */
int sampling_kmeans(struct base_rng *rng, const double *x, size_t N, size_t p, size_t k,
                    uint32_t *label);

/* ---- conditions on a row ----
 *   or:  and { ("or" | "||") and }          and: not { ("and" | "&&") not }
 *   not: [ "not" | "!" ] comparison
 *   comparison: sum [ ("=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" | "contains") sum
 *                   | "is" ["not"] "missing" | ["not"] "in" "(" value { "," value } ")" ]
 *   sum: product { ("+" | "-") product }    product: sign { ("*" | "/" | "%") sign }
 *   sign: [ "-" ] ( number | 'text' | "text" | column | `column` | "(" or ")" )
 * Words in any case. A comparison with a text literal compares bytes; two numbers compare as
 * numbers; two columns as numbers when both are, else as bytes. A column that is not a number where
 * one is needed is an error that names the line. Missing values make a comparison unknown, as in
 * SQL; a row is taken when the condition is true. */
struct sampling_condition;
int sampling_condition_parse(struct sampling_condition **out, const char *text,
                             const struct data_table *table);
/* 1 true, 0 false, 2 unknown, negative on failure. Not thread-safe on one condition. */
int sampling_condition_test(struct sampling_condition *c, const struct data_table *table,
                            const struct data_cell *cells);
void sampling_condition_free(struct sampling_condition *c);

/* ================= a sample of a file ================= */
enum sampling_method {
    SAMPLING_RANDOM,
    SAMPLING_BERNOULLI,
    SAMPLING_SYSTEMATIC,
    SAMPLING_STRATIFIED,
    SAMPLING_WEIGHTED,
    SAMPLING_PPS,
    SAMPLING_CLUSTER,
    SAMPLING_QUOTA,
    SAMPLING_CONVENIENCE,
    SAMPLING_PURPOSIVE,
    SAMPLING_SNOWBALL,
    SAMPLING_RESERVOIR,
    SAMPLING_BALANCED,
    SAMPLING_METHODS
};
/* "random", ...; BASE_E_ARGUMENT lists them. */
int sampling_method_parse(const char *name, enum sampling_method *out);
const char *sampling_method_name(enum sampling_method m);
enum sampling_allocation {
    SAMPLING_PROPORTIONAL,
    SAMPLING_EQUAL,
    SAMPLING_NEYMAN, /* in proportion to N_h S_h of `variable` */
    SAMPLING_ALLOCATIONS
};
extern const char *const sampling_allocation_names[SAMPLING_ALLOCATIONS];
struct sampling_options {
    enum sampling_method method;
    uint64_t n;  /* rows (clusters of SAMPLING_CLUSTER); 0 = by frac */
    double frac; /* of the rows (clusters); 0 = by n; Bernoulli's probability */
    uint64_t seed;
    const char *where;     /* only rows for which this holds are the population; NULL = all */
    const char *const *by; /* columns whose values together are the stratum */
    size_t n_by;
    enum sampling_allocation allocation;
    const char *variable; /* Neyman's */
    bool singletons;      /* a stratum of one row is taken instead of being an error */
    bool replace;         /* random: with replacement */
    bool two_pass;        /* random with n: count first, hold nothing; else Algorithm L */
    uint64_t interval;    /* systematic: every interval-th row, in one pass; 0 = by n or frac */
    const char *weights;  /* column of weights (weighted, reservoir) or sizes (pps, balanced) */
    enum sampling_pps pps;
    const char *joint;     /* pps systematic or sampford: a file for the joint probabilities of the
                              sample, n lines of n numbers in the order of the file's rows; NULL */
    const char *cluster;   /* column of clusters, or NULL with kmeans */
    uint64_t kmeans;       /* clusters to make */
    const char *const *on; /* numeric columns: of kmeans, or to balance on */
    size_t n_on;
    uint64_t second; /* rows of each cluster at the second stage; 0 = all, or by frac */
    double second_frac;
    const char *const *quota; /* "VALUE=N" ...; without, n rows of every value */
    size_t n_quota;
    const char *id, *referrer; /* snowball: columns of a row's id and of who referred it */
    const char *const *seeds;  /* ids to begin with; without, n at random */
    size_t n_seeds;
    uint64_t waves;   /* at most; 0 = until nobody is left */
    uint64_t coupons; /* whom one person brings in, at most; 0 = all */
    uint64_t size;    /* stop at so many rows; 0 = no limit */
    void (*on_progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};
/* How a row came into the sample. weight = 1 / pi. NaN where there is none: a sample that is not a
 * probability sample has neither pi nor weight (snowball has RDS-II's weight only). */
struct sampling_row {
    uint64_t number;          /* of the row in the file, from 1 */
    double pi, weight;        /* with replacement: pi is the expected number of draws */
    struct data_cell stratum; /* values joined by " / "; empty when there are none */
    struct data_cell psu;     /* cluster; bytes NULL: the row's number */
    double fpc;               /* size of the stratum's population in first-stage units; below 1: the
                                 sampled fraction of it; NaN: with replacement, or unequal */
    double fpc2;              /* two stages: rows of the cluster; else NaN */
    double wave;              /* snowball: 0 = seed; else NaN */
};
/* Where rows go. `keep` is called while the row is in hand and appends what is to be written of it;
 * `give` later, in the order of output, with that text and how the row came in. */
struct sampling_sink {
    int (*begin)(void *context, const struct data_table *table,
                 const struct sampling_options *options);
    int (*keep)(void *context, const struct data_table *table, const struct data_cell *cells,
                struct base_buffer *text);
    int (*give)(void *context, const struct base_buffer *text, const struct sampling_row *row);
    void *context;
};
struct sampling_stratum {
    char *name;
    uint64_t N, n;    /* rows (clusters of SAMPLING_CLUSTER) of population and sample */
    double deviation; /* Neyman: S_h of the variable; else NaN */
    uint64_t missing; /* Neyman: rows without a value */
};
struct sampling_report {
    uint64_t rows;                     /* of the file */
    uint64_t population;               /* of them the condition holds (all without one) */
    uint64_t clusters, clusters_taken; /* cluster designs */
    uint64_t n;                        /* rows given */
    uint64_t certain;                  /* of them with pi = 1 in an unequal design */
    uint64_t never;                    /* rows of size or weight 0, which cannot be drawn */
    uint64_t waves;                    /* snowball: waves made */
    bool exact;                        /* weighted: the pi are exact, not Rosén's */
    bool complete;                     /* quota, snowball: what was asked for was reached */
    double weights;                    /* sum of the weights given; NaN without */
    struct sampling_stratum *strata;   /* NULL without --by */
    size_t n_strata;
    char *note; /* something a person must know; NULL = nothing */
};
void sampling_report_free(struct sampling_report *r);
/* table NULL = all zero. Standard input, when a design needs the file twice, is first copied to a
 * nameless temporary file. */
int sampling_run(const struct sampling_options *options, const char *path,
                 const struct data_table_options *table, const struct sampling_sink *sink,
                 struct sampling_report *report);

/* ---- a sink that writes CSV, TSV or JSON Lines ---- */
struct sampling_writer;
struct base_writer;
struct sampling_writer_options {
    enum data_format format; /* CSV, TSV or JSONL */
    bool shuffle;            /* a random order instead of the file's: rows wait in memory */
    uint64_t seed;
    bool plain;        /* without the columns of the design */
    const char *extra; /* plain: one further column of this name, sampling_row.stratum in it */
};
/* Rows go to `stream` (FILE *), which stays the caller's. */
int sampling_writer_new(struct sampling_writer **out, void *stream,
                        const struct sampling_writer_options *options);
struct sampling_sink sampling_writer_sink(struct sampling_writer *w);
/* What still waits is written; errors of the stream show here at the latest. */
int sampling_writer_finish(struct sampling_writer *w);
void sampling_writer_free(struct sampling_writer *w); /* NULL is fine */

/* ================= splits ================= */
struct sampling_split_options {
    uint64_t seed;
    /* Part k has count[k] rows, or ceil(share[k] rows) where count[k] is 0; the first part gets
     * what the others leave, unless it has a share or count of its own (then floor). As
     * scikit-learn's train_test_split for two parts. */
    const char *const *name; /* parts, the first is what remains: train, test ... */
    const double *share;
    const uint64_t *count;
    size_t n_parts;
    const char *stratify; /* column; parts have each value in proportion (largest remainder) */
    const char *group;    /* column; rows of one value go to one part; shares are of groups */
    const char *time;     /* column; rows in its order: first part the earliest, last the latest */
    bool in_order;        /* no shuffling: the file's order is time */
    uint64_t folds;       /* instead of parts: fold numbers 1..folds of equal size */
};
struct sampling_split {
    uint64_t rows;
    uint32_t *part; /* [rows] index of the part, or fold - 1 */
    uint64_t *size; /* [n_parts or folds] rows of each */
    size_t n;
    uint64_t groups;
};
/* A value missing in the column of stratify, group or time is BASE_E_FORMAT naming the line. */
int sampling_split_make(struct sampling_split *out, const char *path,
                        const struct data_table_options *table,
                        const struct sampling_split_options *options);
/* The same, and the rows written: with `column`, all to stream[0] with the part's name (folds: its
 * number) in that further column; else each part to its own stream (FILE *), the columns as they
 * are. Rows of no part are left out. */
int sampling_split_run(struct sampling_split *out, const char *path,
                       const struct data_table_options *table,
                       const struct sampling_split_options *options, const char *column,
                       enum data_format format, void *const *stream);
void sampling_split_free(struct sampling_split *s);
#endif
