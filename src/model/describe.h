/* describe: everything `assay info` says about a model, as one JSON object. */
#ifndef MODEL_DESCRIBE_H
#define MODEL_DESCRIBE_H
#include "base/json.h"
#include "model/archive.h"

struct model_describe_options {
    bool tensors; /* a "table" of all tensors */
    bool hash;    /* SHA-256 of every file and of the model: reads everything */
};
/* path: a directory in HF layout, a .gguf file, "builtin:tiny", or a bare weights file
 * (safetensors, PyTorch .bin, index of shards), which is only judged and listed. Nothing is
 * converted or packed.
 *
 *   {"path", "format", "files": [{"path", "bytes"[, "sha256"]}], "tensors", "elements",
 * "stored_bytes", "dtypes": {name: {"tensors", "elements", "bytes"}}, "metadata", "architecture",
 * "parameters", "config": {..}, "memory": {..}        where there is a config "tokenizer": {"kind",
 * "vocabulary", "bos", "eos", "pad", "unk", "hash", "chat_template"} or null
 *    [, "tokenizer_error"]
 *    [, "model_hash"][, "table": [{"name", "dtype", "shape", "bytes", "file"}]]}
 *
 * Bytes are bytes; kv_bytes_per_1k_tokens is 2 * layers * kv_heads * head_dim * sizeof(real) *
 * 1000. The caller owns *out. Errors: what model_archive_open, config and tokenizer say; a
 * directory without config.json. */
int model_describe(json_t **out, const char *path, const struct model_describe_options *options);
#endif
