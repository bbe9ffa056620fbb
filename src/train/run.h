/* A training run in memory: what setup.c builds and loop.c drives. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H
#include "model/gradient.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/data.h"
#include "train/log.h"
#include "train/optimiser.h"

enum { TRAIN_PATH = 4096 };

/* Rows of one step (or of one evaluation pass) and the arrays behind them. */
struct train_batch {
    struct model_row *rows; /* [capacity] */
    int32_t *ids, *targets; /* [capacity, length] */
    bool *starts;
    size_t capacity, count, length;
    size_t labels; /* targets that are not -1 */
};
struct train_run {
    const struct train_config *config;
    struct tokenizer *tokenizer; /* NULL with format ids */
    char *tokenizer_source;      /* tokenizer.json to copy along, or NULL */
    struct model *model;
    struct model_parameter **parameters;
    size_t n_parameters;
    struct train_documents train, validation;
    struct train_rows *rows, *validation_rows; /* the latter NULL without validation data */
    struct train_batch batch, evaluation;
    struct train_optimiser *optimiser;
    struct train_state state;
    struct train_log log;
    uint64_t steps;      /* to do in all */
    uint64_t total_rows; /* of all epochs; UINT64_MAX when the run is counted in steps */
    size_t micro_rows;
    char checkpoints[TRAIN_PATH]; /* OUTPUT/checkpoints */
    char checkpoint[TRAIN_PATH];  /* the newest, or "" */
    uint64_t checkpoint_step;
};
/* Everything up to the first step: model, data, optimiser, and the checkpoint when there is one. On
 * failure too, train_run_close frees what was made. */
int train_run_open(struct train_run *r, const struct train_config *c);
void train_run_close(struct train_run *r);
/* Fills the batch with the next n rows from the cursor, which moves on. */
int train_batch_fill(struct train_batch *b, struct train_rows *rows, size_t n, uint64_t *epoch,
                     uint64_t *row);
#endif
