/* The run's history: OUTPUT/log.jsonl, one line per step, and the picture of it. */
#ifndef TRAIN_LOG_H
#define TRAIN_LOG_H
#include <assay/base.h>
#include <stdio.h>

struct train_entry {
    uint64_t step, epoch, tokens;
    double loss, lr, gradient_norm, tokens_per_second;
    double validation_loss; /* NAN when it was not measured */
};
struct train_log {
    FILE *stream;
    char *path;
    struct train_entry *entries; /* all of them, earlier runs' too */
    size_t count, capacity;
};
/* Opens for appending after the lines of steps 1..step: later ones (a run killed after its last
 * checkpoint) and broken ones are taken out, so that no step stands there twice. */
int train_log_open(struct train_log *log, const char *path, uint64_t step);
int train_log_add(struct train_log *log, const struct train_entry *entry);
void train_log_close(struct train_log *log);
/* Draws loss and validation loss over steps as PNG. */
int train_log_draw(const struct train_log *log, const char *path, const char *title);
#endif
