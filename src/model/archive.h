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
    int64_t shape[MODEL_TENSOR_MAX_RANK]; /* outermost first (GGUF's order is turned round),
                                             row-major contiguous */
    const void *data;                     /* into the archive's memory; unaligned is possible */
    size_t bytes;
    const char *file; /* the file it lies in, for messages */
};
enum model_archive_format { MODEL_SAFETENSORS, MODEL_GGUF, MODEL_TORCH };
struct model_archive;

/* Opens a weights file (kind recognised by content), or a directory: model.safetensors,
 * model.safetensors.index.json + shards, pytorch_model.bin, pytorch_model.bin.index.json + shards
 * (also *.bin.index.json / *.safetensors.index.json with other stems), in that order.
 * Everything is validated here (reference: models-and-tuning.md): after 0, every tensor's data is
 * in bounds. */
int model_archive_open(struct model_archive **out, const char *path);
/* From memory (built-in model, fuzzing); data must outlive the archive. name is for messages. */
int model_archive_open_memory(struct model_archive **out, const void *data, size_t bytes,
                              const char *name);
void model_archive_close(struct model_archive *a);
enum model_archive_format model_archive_format(const struct model_archive *a);
size_t model_archive_count(const struct model_archive *a);
const struct model_tensor *model_archive_at(const struct model_archive *a,
                                            size_t i); /* in file order */
/* By name; aliases in safetensors metadata (tied weights: "a":"b" where b is a tensor and a is not)
 * resolve to their tensor. NULL when absent. */
const struct model_tensor *model_archive_find(const struct model_archive *a, const char *name);
/* safetensors __metadata__ (string -> string) or GGUF's scalar and string values (numbers become
 * JSON integers or reals, bad UTF-8 is repaired; arrays of at most 1,024 numbers are JSON arrays);
 * {} for torch. Other GGUF arrays are not here: see model_archive_array. Borrowed. */
const json_t *model_archive_metadata(const struct model_archive *a);

/* A GGUF array, left where it lies in the file: a vocabulary of 150,000 strings costs one table of
 * offsets, no objects. Validated when the archive is opened; lives as long as the archive. */
enum model_gguf_type { /* GGUF's own numbers */
                       MODEL_GGUF_U8,
                       MODEL_GGUF_I8,
                       MODEL_GGUF_U16,
                       MODEL_GGUF_I16,
                       MODEL_GGUF_U32,
                       MODEL_GGUF_I32,
                       MODEL_GGUF_F32,
                       MODEL_GGUF_BOOL,
                       MODEL_GGUF_STRING,
                       MODEL_GGUF_ARRAY, /* never an element type: nested arrays are refused */
                       MODEL_GGUF_U64,
                       MODEL_GGUF_I64,
                       MODEL_GGUF_F64,
                       MODEL_GGUF_TYPES
};
struct model_array;
/* The array of that key; NULL when there is no such key or it is no array (or not a GGUF file). */
const struct model_array *model_archive_array(const struct model_archive *a, const char *key);
size_t model_array_count(const struct model_array *v);
enum model_gguf_type model_array_type(const struct model_array *v);
/* Element i < count of an array of strings: *bytes bytes, NOT NUL-terminated, not checked for
 * UTF-8. NULL when the array holds no strings or i is out of range. */
const char *model_array_string(const struct model_array *v, size_t i, size_t *bytes);
/* Element i < count as a number (bool: 0 or 1; u64 beyond INT64_MAX saturates; reals truncate in
 * _int). 0 when it is no number or i is out of range: ask model_array_is_number first. */
bool model_array_is_number(const struct model_array *v);
int64_t model_array_int(const struct model_array *v, size_t i);
double model_array_double(const struct model_array *v, size_t i);
/* The archive's GGUF keys in file order, for listing: NULL beyond the last. *v (may be NULL) gets
 * the array, or NULL for a scalar, whose value is in model_archive_metadata. */
const char *model_archive_key(const struct model_archive *a, size_t i,
                              const struct model_array **v);

const char *model_archive_path(const struct model_archive *a);
/* Files it was read from, for hashing and info. */
size_t model_archive_files(const struct model_archive *a);
const char *model_archive_file(const struct model_archive *a, size_t i);
/* SHA-256 (hex) of the tensors, in order of their names: name, dtype, shape, bytes. The same
 * weights have the same hash however they are split into files of one format. */
int model_archive_hash(const struct model_archive *a, char hex[65]);
/* Tells the kernel that a tensor's pages are not needed now (it has been packed). */
void model_archive_drop(const struct model_archive *a, const struct model_tensor *t);

/* Writing: describe all tensors first, then give their bytes in the same order (streamed, nothing
 * is held). commit makes the file appear; close without commit leaves nothing. */
struct model_archive_writer;
struct model_tensor_plan {
    const char *name;
    enum tensor_dtype dtype;
    int rank;
    int64_t shape[MODEL_TENSOR_MAX_RANK];
};
/* safetensors: header padded to 8; tensors lie sorted by dtype (largest alignment first) then name
 * in the file, but are given by the caller in plan order. metadata: string -> string object or
 * NULL. */
int model_safetensors_create(struct model_archive_writer **out, const char *path,
                             const struct model_tensor_plan *plan, size_t n,
                             const json_t *metadata);
/* GGUF v3, alignment 32. metadata: an object whose values are {"type":"u32","value":..} or, for
 * arrays,
 * {"type":"array","of":"string","value":[..]} (types: u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 bool
 * string); written in the object's order. copy (may be NULL): a GGUF archive whose keys, where
 * metadata has none of that name, are copied bit for bit; a null value in metadata leaves a key
 * out. */
int model_gguf_create(struct model_archive_writer **out, const char *path,
                      const struct model_tensor_plan *plan, size_t n, const json_t *metadata,
                      const struct model_archive *copy);
/* The next bytes of tensor i: tensors in plan order, each in as many calls as the caller likes. */
int model_archive_write(struct model_archive_writer *w, size_t i, const void *data, size_t bytes);
int model_archive_commit(struct model_archive_writer *w);
void model_archive_writer_close(struct model_archive_writer *w);
#endif
