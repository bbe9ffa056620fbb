/* The restricted unpickler of PyTorch files. Private to the model room. */
#ifndef MODEL_TORCHPICKLE_H
#define MODEL_TORCHPICKLE_H
#include "model/archive_private.h"

/* Finds the bytes of the storage with that key (n bytes): 0, or an error that is set. */
typedef int torch_storage_fn(void *context, const char *key, size_t n, const uint8_t **data,
                             size_t *bytes);
/* Runs the pickle program and adds every tensor of the state dict to the archive. */
int torch_unpickle(struct model_archive *a, const struct archive_file *f, const uint8_t *data,
                   size_t bytes, torch_storage_fn *storage, void *context);
#endif
