/* Weights as they lie in files: safetensors, GGUF, PyTorch zip. One view for all three: a list of
 * named, typed, shaped byte ranges that point into memory maps, plus metadata. Nothing is converted
 * here. */
#ifndef MODEL_ARCHIVE_H
#define MODEL_ARCHIVE_H
#include "base/json.h"
#include "tensor/dtype.h"
#include <stdbool.h>

#define MODEL_TENSOR_MAX_RANK 8
struct model_tensor {
    const char *name;
    enum tensor_dtype dtype;
    int rank;                             /* 0 = scalar */
    int64_t shape[MODEL_TENSOR_MAX_RANK]; /* outermost first (GGUF's order is turned round), row-major contiguous */
    const void *data;                     /* into the archive's memory; unaligned is possible */
    size_t bytes;
    const char *file; /* the file it lies in, for messages */
};
enum model_archive_format { MODEL_SAFETENSORS, MODEL_GGUF, MODEL_TORCH };
struct model_archive;

/* Opens a weights file (kind recognised by content), or a directory: model.safetensors,
 * model.safetensors.index.json + shards, pytorch_model.bin, pytorch_model.bin.index.json + shards
 * (also *.bin.index.json / *.safetensors.index.json with other stems), in that order.
 * Everything is validated here (reference: models-and-tuning.md): after 0, every tensor's data is in bounds. */
int model_archive_open(struct model_archive **out, const char *path);
/* From memory (built-in model, fuzzing); data must outlive the archive. name is for messages. */
int model_archive_open_memory(struct model_archive **out, const void *data, size_t bytes, const char *name);
void model_archive_close(struct model_archive *a);
enum model_archive_format model_archive_format(const struct model_archive *a);
size_t model_archive_count(const struct model_archive *a);
const struct model_tensor *model_archive_at(const struct model_archive *a, size_t i); /* in file order */
/* By name; aliases in safetensors metadata (tied weights: "a":"b" where b is a tensor and a is not) resolve to their tensor. NULL when absent. */
const struct model_tensor *model_archive_find(const struct model_archive *a, const char *name);
/* safetensors __metadata__ (string -> string) or GGUF key/value pairs (arrays as JSON arrays except
 * very long ones, see model_gguf_array); {} for torch. Borrowed. */
const json_t *model_archive_metadata(const struct model_archive *a);
const char *model_archive_path(const struct model_archive *a);
/* Files it was read from, for hashing and info. */
size_t model_archive_files(const struct model_archive *a);
const char *model_archive_file(const struct model_archive *a, size_t i);
/* Tells the kernel that a tensor's pages are not needed now (it has been packed). */
void model_archive_drop(const struct model_archive *a, const struct model_tensor *t);

/* Writing: describe all tensors first, then give their bytes in the same order (streamed, nothing is
 * held). commit makes the file appear; close without commit leaves nothing. */
struct model_archive_writer;
struct model_tensor_plan {
    const char *name;
    enum tensor_dtype dtype;
    int rank;
    int64_t shape[MODEL_TENSOR_MAX_RANK];
};
/* safetensors: header padded to 8; tensors lie sorted by dtype (largest alignment first) then name in the file, but are
 * given by the caller in plan order. metadata: string -> string object or NULL. */
int model_safetensors_create(struct model_archive_writer **out, const char *path, const struct model_tensor_plan *plan, size_t n, const json_t *metadata);
/* GGUF v3, alignment 32. metadata: an object whose values are {"type":"u32","value":..} or, for arrays,
 * {"type":"array","of":"string","value":[..]}. */
int model_gguf_create(struct model_archive_writer **out, const char *path, const struct model_tensor_plan *plan, size_t n, const json_t *metadata);
int model_archive_write(struct model_archive_writer *w, size_t i, const void *data, size_t bytes);
int model_archive_commit(struct model_archive_writer *w);
void model_archive_writer_close(struct model_archive_writer *w);
#endif
