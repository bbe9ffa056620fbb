/* memorize: does a model repeat what it read, or does it know? Prompts as they stood in the
 * training text against paraphrases of them, counterfactual answers, how often a text was told
 * against how well it is kept, and scores that tell members of a training text from others. */
#ifndef ASSAY_MEMORIZE_H
#define ASSAY_MEMORIZE_H
#include <assay/eval.h>

/* ---- a paired quantity: the same items under two conditions ---- */
struct eval_paired {
    size_t n;              /* items with both values */
    size_t clusters;       /* = n without clusters */
    double mean_a, mean_b; /* NaN for n == 0 */
    double difference;     /* mean of a - b */
    /* Of the difference: sqrt(C/(C-1) sum_c (sum_{i in c} (d_i - mean d))^2) / n, which is sd/sqrt
     * n where every item is a cluster of its own. NaN with fewer than 2 clusters. */
    double se;
    struct stats_interval ci; /* t with C - 1 degrees of freedom; NaN without se */
    double p_t;               /* two-sided, difference = 0, by t; NaN where all d are the same */
    /* Two-sided sign-flip test of the cluster sums (Fisher 1935): no assumption but that under the
     * null a and b could be exchanged. All 2^C assignments for C <= 20, else 20,000 random ones,
     * p = (1 + those at least as extreme) / 20,001. */
    double p_flip;
};
/* a, b [n]; pairs in which one is NaN are left out. cluster [n]: equal numbers belong together;
 * NULL = every item by itself. n == 0 gives NaN everywhere. */
int eval_paired_compare(const double *a, const double *b, const size_t *cluster, size_t n,
                        double level, uint64_t seed, struct eval_paired *out);

/* ---- asking ---- */
struct eval_memorize_options {
    enum eval_bos bos;
    enum eval_overlength overlength; /* of contexts */
    double level;                    /* of intervals */
    uint64_t seed;                   /* of the sign-flip test */
    size_t batch_tokens;             /* tokens per forward; never changes a result */
    void (*on_progress)(void *context, size_t done); /* of items or texts; may be NULL */
    void *context;
};
#define EVAL_MEMORIZE_OPTIONS_DEFAULT                                                              \
    {                                                                                              \
        .level = 0.95, .batch_tokens = 2048                                                        \
    }

/* A continuation under a context; both borrowed, valid UTF-8, the delimiter part of one of them. */
struct eval_question {
    const char *context, *continuation;
};
struct eval_answer {
    double logprob;            /* natural log, summed over the continuation's tokens */
    size_t tokens;             /* of the continuation */
    bool greedy;               /* greedy decoding writes it */
    bool boundary_retokenized; /* see eval_pair_encode */
    size_t cut;                /* tokens of context that overlength dropped */
};
/* answers [n]. A failure names the question by its number, from 0. */
int eval_questions_score(struct model *m, const struct eval_question *questions, size_t n,
                         const struct eval_memorize_options *options, struct eval_answer *answers);

/* ---- exact against paraphrased prompts ---- */
/* All strings borrowed. */
struct eval_memorize_item {
    const char *exact;              /* the prompt as it stood in the training text */
    const char *const *paraphrases; /* [n_paraphrases], may be none */
    size_t n_paraphrases;
    const char *target;
    const char *counterfactual; /* a plausible wrong target, or NULL */
    double dose;                /* how often the text was told; NaN = not known */
    size_t cluster;             /* items of the same number belong together */
};
enum eval_memorize_prompt { EVAL_PROMPT_EXACT, EVAL_PROMPT_PARAPHRASE, EVAL_PROMPTS };
/* What one kind of prompt gives. With several paraphrases each figure is the mean over them, so
 * that the item stays the unit of every test; NaN without paraphrases. */
struct eval_memorize_value {
    double p, logp;    /* of the target */
    double odds;       /* ln(p / (1 - p)), 1 - p taken as at least 2^-52 */
    double extracted;  /* 1: greedy decoding writes the target; with paraphrases the share */
    double preference; /* ln p(target) - ln p(counterfactual); NaN without one */
    double favoured;   /* 1: preference > 0; with paraphrases the share */
};
struct eval_memorize_record {
    struct eval_memorize_value of[EVAL_PROMPTS];
    size_t tokens; /* of the target under the exact prompt */
};
enum eval_memorize_quantity {
    EVAL_MEMORIZE_P,
    EVAL_MEMORIZE_LOGP,
    EVAL_MEMORIZE_ODDS,
    EVAL_MEMORIZE_EXTRACTED,
    EVAL_MEMORIZE_PREFERENCE,
    EVAL_MEMORIZE_FAVOURED,
    EVAL_MEMORIZE_QUANTITIES
};
/* Items told equally often, under the exact prompt. */
struct eval_memorize_dose {
    double dose;
    size_t n;
    double p;                    /* mean */
    struct stats_interval p_ci;  /* percentile bootstrap over items; NaN for n < 2 */
    double logp;                 /* mean */
    double odds;                 /* mean */
    size_t extracted;            /* items */
    struct stats_interval ex_ci; /* Wilson, of the share */
    double other;                /* mean p of the paraphrases, NaN without */
};
struct eval_memorize_report {
    size_t items, paired; /* paired: with a paraphrase */
    size_t questions, tokens;
    size_t retokenized, cut; /* questions concerned */
    size_t clamped;          /* answers with 1 - p below 2^-52 */
                             /* t over clusters; of shares Wilson's, for p(1-p)/SE^2 items */
    struct stats_interval mean_ci[EVAL_PROMPTS][EVAL_MEMORIZE_QUANTITIES];
    double mean[EVAL_PROMPTS][EVAL_MEMORIZE_QUANTITIES]; /* NaN without values */
    size_t count[EVAL_PROMPTS][EVAL_MEMORIZE_QUANTITIES];
    struct eval_paired paired_of[EVAL_MEMORIZE_QUANTITIES]; /* exact - paraphrase */
    double ratio;                   /* geometric mean of p(exact) / p(paraphrase): exp(diff ln p) */
    struct stats_interval ratio_ci; /* exp of the interval of the difference */
    struct eval_memorize_dose *doses; /* ascending; NULL without doses */
    size_t n_doses;
    /* Least squares of the log-odds on log2(1 + dose): the change per doubling. NaN with fewer than
     * three items or one dose. */
    double slope, slope_se, slope_p;
    struct stats_interval slope_ci;
};
/* Asks and judges. records [n] (may be NULL), report freed with eval_memorize_report_free. */
int eval_memorize_run(struct model *m, const struct eval_memorize_item *items, size_t n,
                      const struct eval_memorize_options *options,
                      struct eval_memorize_record *records, struct eval_memorize_report *report);
/* The report of records already there (what eval_memorize_run ends with). */
int eval_memorize_judge(const struct eval_memorize_item *items,
                        const struct eval_memorize_record *records, size_t n,
                        const struct eval_memorize_options *options,
                        struct eval_memorize_report *report);
void eval_memorize_report_free(struct eval_memorize_report *r);

/* ---- items out of files ---- */
/* Which key (path, pattern: "{a} {b}") of a record holds what; NULL = found by its usual name in
 * the first record: exact, seen_prompt, prompt, question; paraphrases, paraphrase, or prompt beside
 * seen_prompt; target, answer, completion; counterfactual; repeats, repetitions, dose; id. */
struct eval_memorize_keys {
    const char *exact;
    const char *const *paraphrases; /* [n_paraphrases] keys of texts or lists of texts */
    size_t n_paraphrases;
    const char *target, *counterfactual, *dose, *id;
    const char *cluster;   /* NULL: records of one exact prompt and target belong together */
    const char *delimiter; /* in front of target and counterfactual; NULL = " " */
};
/* Items with all their strings. */
struct eval_memorize_set {
    struct eval_memorize_item *items; /* [n] */
    const char **ids;                 /* [n] */
    size_t n, clusters;
    struct eval_memorize_keys keys; /* as found */
    const char *found_paraphrase[1];
    char **strings; /* what the items point to */
    size_t n_strings, string_room, room;
};
/* Any record file of data.h. Keys are borrowed as long as the set lives; the set must not be moved.
 * limit 0 = all. */
int eval_memorize_read(struct eval_memorize_set *s, const char *path,
                       const struct eval_memorize_keys *keys, size_t limit);
void eval_memorize_set_free(struct eval_memorize_set *s);

/* ---- members of the training text against others ---- */
/* What a text gets; each oriented so that more means "rather a member". Carlini et al. 2021
 * (arXiv:2012.07805), Shi et al. 2024 (Min-K%), Zhang et al. 2024 (Min-K%++). */
enum eval_member_score {
    EVAL_MEMBER_LOSS,      /* -ln PPL */
    EVAL_MEMBER_REFERENCE, /* ln PPL of the reference model / ln PPL */
    EVAL_MEMBER_LOWER,     /* ln PPL of the lowercased text / ln PPL */
    EVAL_MEMBER_ZLIB,      /* bytes of zlib's compression (level 6, as Python's) / ln PPL */
    EVAL_MEMBER_FIXED
};
#define EVAL_MEMBER_K_MAX 16
struct eval_member_options {
    struct eval_memorize_options ask;
    const int
        *k; /* [n_k] percentages, 1 .. 100, of Min-K% and Min-K%++; at most EVAL_MEMBER_K_MAX */
    size_t n_k;
    struct model *reference; /* for EVAL_MEMBER_REFERENCE; NULL = none; borrowed */
};
/* One text's figures, NaN where there is none (a text of one token; no reference). */
struct eval_member_record {
    size_t tokens; /* scored */
    double lnppl, lnppl_lower, lnppl_reference;
    size_t zlib; /* bytes */
    double score[EVAL_MEMBER_FIXED];
    double min_k[EVAL_MEMBER_K_MAX];   /* mean of the lowest max(1, floor(K n / 100)) ln p */
    double min_kpp[EVAL_MEMBER_K_MAX]; /* the same of (ln p - mu) / sigma, mu = E_p[ln p], sigma^2 =
                                          Var_p[ln p] at each position */
};
/* Texts with labels, grown by eval_members_read; start with zeroes. */
struct eval_member_set {
    char **texts;
    size_t *bytes;
    char **ids;  /* "FILE:LINE" */
    bool *label; /* true = member */
    size_t n, room;
};
/* Appends a record file's texts. text_key: key, path or pattern; NULL = text, input, content.
 * label: what all texts of the file are, or NULL to read it from label_key (NULL = member, label):
 * true, member, train... or a number above 0 is a member. */
int eval_members_read(struct eval_member_set *s, const char *path, const char *text_key,
                      const char *label_key, const bool *label, size_t limit);
void eval_member_set_free(struct eval_member_set *s);

/* texts [n] with their byte counts; records [n]. Texts longer than the model's context are scored
 * in windows that overlap by half. */
int eval_members_score(struct model *m, const char *const *texts, const size_t *bytes, size_t n,
                       const struct eval_member_options *options,
                       struct eval_member_record *records);
/* Lowercase of valid UTF-8 by Unicode's simple mapping; new string (base_free). */
int eval_text_lower(const char *text, size_t bytes, char **out, size_t *out_bytes);
/* len(zlib.compress(text)) as Python has it. */
int eval_zlib_bytes(const char *text, size_t bytes, size_t *out);

/* The baseline that never saw the model: multinomial naive Bayes over words (lowercased runs of
 * letters, marks and digits), score = sum_w count(w) (ln (c_1w + 1)/(N_1 + V) - ln (c_0w + 1)/(N_0
 * + V)), V the different words of the other folds (a word they do not have is passed over), c and N
 * counts of words in their members (1) and others (0). Folds are stratified, drawn by seed; equal
 * texts are always in one fold. label [n]: true = member. scores [n]; fold [n] (may be NULL) gets
 * the fold of each text. */
int eval_baseline_score(const char *const *texts, const size_t *bytes, const bool *label, size_t n,
                        size_t folds, uint64_t seed, double *scores, size_t *fold);

/* How well a score tells members from others (stats_rank). */
struct eval_member_power {
    size_t members, others;       /* with a finite score */
    double auc;                   /* Mann-Whitney, ties count half */
    double auc_se;                /* DeLong, DeLong and Clarke-Pearson 1988 */
    struct stats_interval auc_ci; /* normal on the logit scale; bootstrap where auc_se is 0 */
    double tpr;                   /* largest true positive rate with at most `fpr` false ones */
    struct stats_interval tpr_ci; /* percentile bootstrap over texts */
};
/* scores, label [n]; NaN scores are left out. At least one of each class. */
int eval_member_judge(const double *scores, const bool *label, size_t n, double fpr, double level,
                      size_t resamples, uint64_t seed, struct eval_member_power *out);
/* Difference of two scores' AUC on the same texts (DeLong's covariance): normal interval, p. */
struct eval_member_difference {
    double difference, se, p;
    struct stats_interval ci;
};
int eval_member_compare(const double *a, const double *b, const bool *label, size_t n, double level,
                        struct eval_member_difference *out);
#endif
