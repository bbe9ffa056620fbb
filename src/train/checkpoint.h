/* Checkpoints: the whole state of a run after a step, as a directory that is either there and whole
 * or not there. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H
#include "base/hash.h"
#include "base/json.h"
#include "train/optimiser.h"

/* All that a run is besides weights and moments. Random numbers are counter-based: seed and step
 * are the generator's whole state. */
struct train_state {
    uint64_t step;       /* steps done */
    uint64_t epoch, row; /* the next row to use: the data cursor */
    uint64_t tokens;     /* label tokens seen */
    double loss;         /* of the last step; NAN before the first */
    char data_key[BASE_SHA256_HEX];
    json_t *recipe; /* train_config_recipe; owned */
};
void train_state_free(struct train_state *s); /* the recipe */

/* Writes DIRECTORY/step-N atomically: into DIRECTORY/.writing-step-N, every file fsynced, then one
 * rename. An existing step-N is exchanged. Then removes all but the newest `keep`. path (4096
 * bytes, may be NULL) gets the name. */
int train_checkpoint_save(const char *directory, const struct train_state *s,
                          const struct train_optimiser *o, size_t keep, char *path);
/* The newest checkpoint that is whole: sizes and SHA-256 of its files are checked. Damaged ones are
 * reported by base_log and passed over. 0 and path (4096 bytes) "" when the directory holds none at
 * all; BASE_E_FORMAT when it holds only damaged ones. */
int train_checkpoint_find(const char *directory, char *path);
/* Removes what a killed run left half written. */
void train_checkpoint_sweep(const char *directory);
/* 0 when the checkpoint is whole; else BASE_E_FORMAT naming file, expected and actual. */
int train_checkpoint_verify(const char *path);
/* The state alone (state.json). The caller frees it with train_state_free. */
int train_checkpoint_state(const char *path, struct train_state *s);
/* Weights and moments into the optimiser's parameters. Names, shapes and count must agree exactly.
 */
int train_checkpoint_load(const char *path, struct train_optimiser *o);
#endif
