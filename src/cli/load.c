/* Loading the model that -m names, for every command that runs one. */
#include "cli/cli.h"
#include <string.h>

static int load(const struct cli_command *command, struct model **out, bool in_place)
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
    options.in_place = in_place;
    if (strcmp(cli_common.compute, "bf16") == 0) {
        options.compute = MODEL_COMPUTE_BF16;
    }
    return model_load(out, cli_common.model, &options) ? cli_fail(command) : 0;
}

int cli_load_model(const struct cli_command *command, struct model **out)
{
    return load(command, out, false);
}

int cli_load_model_once(const struct cli_command *command, struct model **out)
{
    return load(command, out, true);
}
