/* A trained classifier that can be kept in a file and applied to new tables.
 *
 * The file (version 1; all numbers little-endian):
 *
 *     8 bytes    "ASSAYCLF"
 *     u32        version, 1
 *     u32        bytes of the header
 *     header     one JSON object (UTF-8), see below
 *     terms      per term: u32 bytes, the bytes; ascending, each once
 *     stop       per stop word: u32 bytes, the bytes
 *     f64        idf, one per term
 *     f64        weights, `outputs` rows of columns + 1 (the last is the intercept)
 *     u64        base_hash64 (seed 1) of everything before
 *
 * Header: "learner" "svm"|"logistic"; "strategy"; "solver"; "c", "tolerance", "bias"; "rows";
 * "seed"; "labels" [names]; "share", "trained_share" [numbers]; "text" null or {"column", "terms",
 * "stop", "ngram_min", "ngram_max", "keep_case", "sublinear", "binary", "norm"}; "numbers"
 * [{"name", "mean", "scale"}]; "categories" [{"name", "levels" [names]}]. Columns are the terms,
 * the numbers, then every category's levels; outputs are 1 for two labels, else one per label. */
#ifndef CLASSIFY_MODEL_H
#define CLASSIFY_MODEL_H
#include "classify/strategy.h"

struct classify_model {
    struct classify_features features;
    struct classify_fitted fitted; /* rows, made, iterations: of the training, not in the file */
    char **label;                  /* [fitted.classes] */
    char *strategy;
    struct classify_linear_options linear;
    uint64_t rows; /* trained on */
    uint64_t seed;
};
/* Trains on all rows of the data. */
int classify_model_train(struct classify_model *out, const struct classify_data *data,
                         const struct classify_columns *columns,
                         const struct classify_text_options *text,
                         const struct classify_words *stop, bool standardise,
                         struct classify_strategy strategy,
                         const struct classify_fit_options *options);
/* Written atomically. */
int classify_model_save(const struct classify_model *m, const char *path);
/* BASE_E_FORMAT, naming what, for a file that is not such a model or is damaged; BASE_E_UNSUPPORTED
 * for a later version. */
int classify_model_load(struct classify_model *out, const char *path);
/* The same from memory; name is for messages. */
int classify_model_parse(struct classify_model *out, const void *data, size_t bytes,
                         const char *name);
void classify_model_free(struct classify_model *m); /* zeroed is fine */
#endif
