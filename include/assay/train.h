/* train: teach a model from text. A run is described by one YAML file (docs/train.md names every
 * key), writes everything it makes into one output directory, and continues there after it was
 * stopped or killed, to the bit as if it had never stopped.
 *
 * OUTPUT/train.json         the configuration with every default filled in
 * OUTPUT/cache/             tokenised documents, keyed by the hash of file, tokenizer and settings
 * OUTPUT/checkpoints/step-N the whole state after step N (weights, moments, data cursor)
 * OUTPUT/log.jsonl          one line per step; OUTPUT/loss.png draws it
 * OUTPUT/model/             the trained model in HF layout */
#ifndef ASSAY_TRAIN_H
#define ASSAY_TRAIN_H
#include <assay/base.h>
#include <stdbool.h>
#include <stdint.h>

struct train_config;
/* Reads a configuration. overrides: n strings "key=value" ("optimiser.lr=1e-3"; the value is YAML)
 * that replace what the file says. An unknown key, a wrong type or a value out of range is
 * BASE_E_FORMAT naming file, line, key and the nearest known key. Free with train_config_free. */
int train_config_load(struct train_config **out, const char *path, const char *const *overrides,
                      size_t n);
/* The same from memory; name is for messages. */
int train_config_parse(struct train_config **out, const char *text, size_t bytes, const char *name,
                       const char *const *overrides, size_t n);
void train_config_free(struct train_config *c);
const char *train_config_output(const struct train_config *c); /* the output directory; borrowed */

/* What a run did. Losses are nats per label token; NAN where there is none. */
struct train_summary {
    uint64_t first_step; /* steps done before this run began (0, or where it resumed) */
    uint64_t step;       /* steps done now */
    uint64_t steps;      /* steps wanted */
    uint64_t tokens;     /* label tokens seen over the whole training */
    double loss;         /* of the last step */
    double validation_loss;
    double seconds;           /* of this run's steps */
    double tokens_per_second; /* label tokens of this run over those seconds */
    size_t parameters;
    size_t predicted_bytes; /* parameters, gradients, moments and activations, before the start */
    size_t peak_bytes;      /* the process's largest resident set, as the kernel counted it */
    char model[4096];      /* directory of the final model, "" when the run did not reach its end */
    char checkpoint[4096]; /* the newest checkpoint, "" when there is none */
};
/* Trains as the configuration says. BASE_E_INTERRUPTED after base_interrupted(): a checkpoint was
 * written, the message says how to go on. BASE_E_NUMERIC when the loss or the gradients stop being
 * numbers: weights and checkpoints stay as they were before that step. The summary is filled as far
 * as the run came, on failure too. */
int train_run(const struct train_config *c, struct train_summary *summary);

/* The learning rate's factor (0..1) in step s (0-based) of `steps`, by name:
 * "constant", "linear", "cosine", "wsd" (warm-up, stable, decay), each in two conventions:
 *   hf    warm-up s/W: the first step has rate 0 (transformers.optimization)
 *   llmc  warm-up (s+1)/W (Karpathy's llm.c)
 * floor is the factor at the end. decay_steps is wsd's last phase; there hf decays linearly and
 * llmc by 1 - sqrt(t). BASE_E_ARGUMENT on an unknown name. */
int train_schedule_factor(const char *name, const char *convention, uint64_t s, uint64_t steps,
                          uint64_t warmup_steps, uint64_t decay_steps, double floor,
                          double *factor);
#endif
