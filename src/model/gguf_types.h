/* GGUF's type numbers, shared by its reader and writer. */
#ifndef MODEL_GGUF_TYPES_H
#define MODEL_GGUF_TYPES_H
#include "model/archive.h"

struct gguf_value_type {
    const char *name;
    unsigned bytes; /* 0 for strings and arrays */
};
extern const struct gguf_value_type GGUF_VALUE_TYPES[MODEL_GGUF_TYPES];
/* ggml's number for a stored format, or -1 when GGUF has none. */
int gguf_tensor_type(enum tensor_dtype dtype);
#endif
