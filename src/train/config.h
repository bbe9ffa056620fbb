/* The training configuration: one struct, one table of keys (config.c) that parses it, checks it,
 * prints it and says what a resumed run may change. */
#ifndef TRAIN_CONFIG_H
#define TRAIN_CONFIG_H
#include "base/json.h"
#include <assay/train.h>

struct train_strings {
    char **at;
    size_t count;
};
enum train_format { TRAIN_TEXT, TRAIN_JSONL, TRAIN_IDS };
enum train_packing { TRAIN_PACK_SPLIT, TRAIN_PACK_WHOLE, TRAIN_PACK_NONE };
enum train_resume { TRAIN_RESUME_AUTO, TRAIN_RESUME_ALWAYS, TRAIN_RESUME_NEVER };

struct train_config {
    char *name;         /* the file, for messages */
    json_t *model_init; /* HF config object, or NULL */
    char *model_config; /* a file with one, or NULL */
    char *model_base;   /* a model to start from, or NULL */
    char *tokenizer;    /* NULL: model_base's; with format ids none is needed */
    struct train_strings train, validation;
    int format; /* enum train_format */
    char *field;
    char *separator;
    char *eos; /* the end-of-document token as a piece; NULL: the tokenizer's, or the separator */
    bool trim, add_special, append_eos, shuffle;
    int64_t sequence_length; /* 0 = the model's context */
    int packing;             /* enum train_packing */
    bool mask_documents;
    int64_t batch_rows, micro_batch_rows; /* micro 0 = batch_rows */
    int64_t steps, epochs;                /* exactly one is > 0 */
    double lr, betas[2], eps, weight_decay;
    int schedule, convention; /* indices into train_schedule_names, train_convention_names */
    int64_t warmup_steps, decay_steps; /* decay -1 = a fifth of the steps */
    double final_lr_fraction;
    double clip; /* 0 = off */
    double dropout;
    bool recompute;
    int64_t seed, threads;
    int64_t evaluation_every, evaluation_rows;
    int64_t checkpoint_every, checkpoint_keep;
    int resume; /* enum train_resume */
    char *output;
    int save_dtype; /* index into train_dtype_names */
    int64_t log_every;
};
/* NULL-terminated */
extern const char *const train_schedule_names[], *const train_convention_names[],
                                                     *const train_dtype_names[];

/* How a key behaves when a run is resumed with another value. */
enum train_key_class {
    TRAIN_KEY_FREE,  /* cannot change the result (threads, log, ...), or names a place */
    TRAIN_KEY_TUNED, /* may change, and is then reported: no longer the run it was */
    TRAIN_KEY_FIXED, /* may not change: the data cursor would point elsewhere */
};
size_t train_key_count(void);
const char *train_key_name(size_t i); /* "optimiser.lr" */
enum train_key_class train_key_class(size_t i);
/* The key's value as JSON; new reference. */
json_t *train_key_value(const struct train_config *c, size_t i);
/* Everything but the FREE keys, flat: {"optimiser.lr": 0.001, ...}; new reference, NULL when out of
 * memory. */
json_t *train_config_recipe(const struct train_config *c);
/* All keys, nested as in the file; new reference. */
json_t *train_config_json(const struct train_config *c);
#endif
