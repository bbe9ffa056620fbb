/* Loading the model that -m names, for every command that runs one. */
#include "cli/cli.h"
#include <string.h>

int cli_load_model(const struct cli_command *command, struct model **out)
{
    if (!cli_common.model) {
        return cli_usage(command, "no model given: add -m MODEL (a directory, a .gguf file, or "
                                  "builtin:tiny)");
    }
    if (strncmp(cli_common.model, "http://", 7) == 0 ||
        strncmp(cli_common.model, "https://", 8) == 0) {
        base_error_set(BASE_E_UNSUPPORTED,
                       "%s: models behind an address cannot be run by this version: give a "
                       "directory, a .gguf file or builtin:tiny (assay pull fetches models)",
                       cli_common.model);
        return cli_fail(command);
    }
    struct model_options options = MODEL_OPTIONS_DEFAULT;
    if (strcmp(cli_common.compute, "bf16") == 0) {
        options.compute = MODEL_COMPUTE_BF16;
    }
    return model_load(out, cli_common.model, &options) ? cli_fail(command) : 0;
}
