/* What samples of a graph say of the whole: means and shares from walks, sizes from repeated
 * visits, estimates from referral chains and from who knows how many of whom.
 *
 * Every interval says what it rests on (struct graph_estimate.basis); docs/graph-estimate.md has
 * the coverage measured by simulation. */
#ifndef ASSAY_GRAPH_ESTIMATE_H
#define ASSAY_GRAPH_ESTIMATE_H
#include <assay/graph.h>

/* One sample: the file of nodes that `assay graph sample --nodes` writes. */
struct graph_walk {
    size_t n;
    char **name;                      /* [n] */
    double *visits, *degree, *weight; /* [n] > 0, >= 0, > 0; weight NULL: the file has none */
};
/* Columns node, visits, degree and, if there, weight (all cells of it empty = none; some = an
 * error). visits not whole or below 1, a negative degree, a weight not above 0, a node twice are
 * BASE_E_FORMAT. */
int graph_walk_read(struct graph_walk *out, const char *path,
                    const struct data_table_options *options);
void graph_walk_free(struct graph_walk *w); /* zeroed is fine */

enum graph_weights {
    GRAPH_WEIGHTS_FILE,   /* the file's column */
    GRAPH_WEIGHTS_DEGREE, /* 1 / degree: RDS-II (Volz & Heckathorn 2008); of simple walks */
    GRAPH_WEIGHTS_NONE    /* all 1 */
};
/* weight = by `how`; BASE_E_ARGUMENT where that cannot be (no column, a degree of 0). */
int graph_walk_weigh(struct graph_walk *w, enum graph_weights how, const char *name);

enum graph_basis {
    GRAPH_BASIS_NONE,  /* no interval */
    GRAPH_BASIS_DRAWS, /* one sample, its visits taken for independent draws: too narrow for walks,
                          whose steps are alike */
    GRAPH_BASIS_SAMPLES, /* independent samples compared with each other */
    GRAPH_BASIS_COUNT,   /* the number of collisions is a Poisson count */
    GRAPH_BASIS_TREE,    /* bootstrap of referral trees (Baraff, McCormick & Raftery 2016) */
    GRAPH_BASIS_PERSONS  /* respondents as a simple random sample */
};
struct graph_estimate {
    double value, se, low, high; /* NaN where there is none */
    double plain;                /* the same without weights */
    enum graph_basis basis;
    double count; /* what it rests on: visits with a value; collisions; respondents */
};
/* Mean of y over the graph's nodes from k samples: ratio estimate (Hajek; of Hansen-Hurwitz
 * weights) m = sum v w y / sum v w, y[j][i] for node i of sample j, NaN = not known (left out). k =
 * 1: the variance of a mean of independent draws, z = w (y - m); k > 1: of the samples' totals of v
 * w (y - m), with k - 1 degrees of freedom. */
int graph_estimate_mean(const struct graph_walk *walks, size_t k, const double *const *y,
                        double level, struct graph_estimate *out);
/* Nodes of the graph by collisions (Katzir, Liberty & Somekh 2011, for any weights): two draws i, j
 * with chances of 1/w are the same node with probability q = sum p^2, and E[w_j / w_i] = N q, so
 *   N = sum over pairs of (w_j / w_i + w_i / w_j) / 2 / (pairs that are the same node).
 * k = 1: all pairs of visits (steps of a walk that follow each other collide more often, so N comes
 * out too small); k > 1: pairs of visits in different samples only. Interval: from five samples on
 * by leaving out one at a time (on the logarithm, t with k - 1), below that from the count of
 * collisions. Without any collision the value is infinite. */
int graph_estimate_size(const struct graph_walk *walks, size_t k, double level,
                        struct graph_estimate *out);

/* ---- Referral chains (respondent-driven sampling) ---- */
struct graph_referrals {
    size_t n, seeds,
        longest; /* persons; those nobody named; waves of the longest chain, 0 = seed */
    char **name; /* [n] */
    uint32_t *recruiter, *wave; /* [n] UINT32_MAX = a seed */
    double *degree;             /* [n] > 0 */
};
/* A table of persons: id, who recruited them (empty, NA, 0 where nobody of that id is in the table
 * = a seed), how many they know. A cycle, an unknown recruiter, a degree not above 0 are
 * BASE_E_FORMAT. */
int graph_referrals_read(struct graph_referrals *out, const char *path,
                         const struct data_table_options *options, const char *id,
                         const char *recruiter, const char *degree);
void graph_referrals_free(struct graph_referrals *r); /* zeroed is fine */
/* RDS-II (Volz & Heckathorn 2008): m = sum (y / d) / sum (1 / d) over those with y; the interval
 * by `resamples` bootstraps of the trees: seeds drawn again, then for each person as many of their
 * recruits. */
int graph_estimate_rds(const struct graph_referrals *r, const double *y, size_t resamples,
                       uint64_t seed, double level, struct graph_estimate *out);

/* ---- Network scale-up (Killworth et al. 1998) ---- */
struct graph_scale_up {
    struct graph_estimate size; /* of the hidden group; plain: NaN */
    double se_model;            /* Killworth's: sqrt(N size / sum of degrees) */
    double degree;              /* mean personal network: N sum m / sum N_k / respondents */
    double *back, *back_low, *back_high; /* [known] each known group from the others */
};
/* known [k] groups with count m[j][i] of respondent i and true size[j]; hidden [n] counts;
 * population N. Size = sum hidden / sum m * sum size, a ratio of means over respondents (its se by
 * linearisation, t with n - 1). Counts are >= 0 (NaN: the respondent is left out). */
int graph_estimate_scale_up(const double *const *m, const double *size, size_t k,
                            const double *hidden, size_t n, double population, double level,
                            struct graph_scale_up *out);
void graph_scale_up_free(struct graph_scale_up *s); /* zeroed is fine */
#endif
