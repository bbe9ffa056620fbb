/* Which files of a repository a model needs (hub.h); on its own for tests. */
#ifndef MODEL_HUB_CHOOSE_H
#define MODEL_HUB_CHOOSE_H
#include "model/hub.h"

/* Marks chosen[i] for the files to get. Without include: the configuration, the tokenizer, and one
 * set of weights: model*.safetensors, else other .safetensors, else pytorch_model*.bin, else a
 * single .gguf, all of the repository's root. Nothing to choose is BASE_E_UNSUPPORTED and says what
 * there is. */
int model_hub_choose(const struct model_hub_file *files, size_t n,
                     const struct model_hub_options *options, const char *name, bool *chosen);
#endif
