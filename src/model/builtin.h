/* The models that are part of the program: their files lie in the program's own read-only data. */
#ifndef MODEL_BUILTIN_H
#define MODEL_BUILTIN_H
#include <stddef.h>

/* name: "builtin:tiny"; file: "config.json", "tokenizer.json" or "model.safetensors". *data stays
 * valid for the program's life. BASE_E_ARGUMENT for a name that is not there, listing those that
 * are. */
int model_builtin(const char *name, const char *file, const void **data, size_t *bytes);
#endif
