/* The built-in models' files, included as they are by the assembler: no start-up cost, pages are
 * read when a model is loaded. */
#include "model/builtin.h"
#include "base/embed.h"
#include <assay/base.h>
#include <string.h>

#if __has_include("../../models/tiny/config.json")
BASE_EMBED(builtin_tiny_config, "models/tiny/config.json");
BASE_EMBED(builtin_tiny_tokenizer, "models/tiny/tokenizer.json");
BASE_EMBED(builtin_tiny_weights, "models/tiny/model.safetensors");
/* the same run stopped early: configuration and tokenizer are the same files */
BASE_EMBED(builtin_early_weights, "models/tiny-early/model.safetensors");
#endif

static const struct {
    const char *model, *file, *begin, *end;
} files[] = {
#if __has_include("../../models/tiny/config.json")
    { "builtin:tiny", "config.json", builtin_tiny_config, builtin_tiny_config_end },
    { "builtin:tiny", "tokenizer.json", builtin_tiny_tokenizer, builtin_tiny_tokenizer_end },
    { "builtin:tiny", "model.safetensors", builtin_tiny_weights, builtin_tiny_weights_end },
    { "builtin:tiny-early", "config.json", builtin_tiny_config, builtin_tiny_config_end },
    { "builtin:tiny-early", "tokenizer.json", builtin_tiny_tokenizer, builtin_tiny_tokenizer_end },
    { "builtin:tiny-early", "model.safetensors", builtin_early_weights, builtin_early_weights_end },
#endif
    { NULL, NULL, NULL, NULL },
};

int model_builtin(const char *name, const char *file, const void **data, size_t *bytes)
{
    for (size_t i = 0; files[i].model; i++)
        if (!strcmp(files[i].model, name) && !strcmp(files[i].file, file)) {
            *data = files[i].begin;
            *bytes = (size_t)(files[i].end - files[i].begin);
            return 0;
        }
    return base_error_set(
        BASE_E_ARGUMENT,
        "no built-in model \"%s\" (file %s): there are builtin:tiny and builtin:tiny-early", name,
        file);
}
