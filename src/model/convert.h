/* convert: a model from one file layout to another: Hugging Face directory <-> GGUF, PyTorch .bin
 * -> safetensors, and changes of number format. The weights are streamed row by row; rows move as
 * the architecture table says (fused and permuted queries, keys, values), values are touched only
 * when the number format changes or the layout stores 1 + w.
 *
 * A GGUF written here also carries what its own keys cannot say (assay.config, assay.hf.*,
 * tokenizer.huggingface.json), so that converting back gives the same bytes. Other programs ignore
 * such keys. */
#ifndef MODEL_CONVERT_H
#define MODEL_CONVERT_H
#include "base/json.h"

/* dst: NAME.gguf, NAME.safetensors (weights alone), or a directory (made if need be). dtype: "f32",
 * "f16", "bf16", "q8_0" (GGUF only), or NULL to keep the stored formats. In GGUF, vectors and
 * position tables stay f32 as llama.cpp wants them, and q8_0 falls back to f16 for rows that are no
 * multiple of 32. *report (may be NULL; json_decref): {"source", "destination", "from", "to",
 * "architecture", "tensors", "bytes", "dtypes": {..}, "tokenizer", "remarks": [..]}. Files appear
 * whole or not at all. */
int model_convert(const char *src, const char *dst, const char *dtype, json_t **report);
#endif
