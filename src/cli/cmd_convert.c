/* assay convert: from one layout or number format to another. */
#include "base/buffer.h"
#include "cli/cli.h"
#include "model/convert.h"
#include <inttypes.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_convert = {
    .name = "convert",
    .synopsis = "[--dtype f32|f16|bf16|q8_0] SOURCE DESTINATION",
    .summary = "Convert a model: Hugging Face directory, GGUF, PyTorch; number formats",
    .details =
        "SOURCE is a directory in Hugging Face layout (safetensors or PyTorch .bin), a .gguf file, "
        "or bare weights. "
        "DESTINATION is a .gguf file, a directory, or a .safetensors file (weights alone).\n\n"
        "Without --dtype, numbers stay as they are stored, and a directory that went to GGUF and "
        "back has the "
        "same bytes. In GGUF, vectors and position tables are f32; q8_0 falls back to f16 for rows "
        "that are no "
        "multiple of 32.\n\n"
        "  assay convert models/tiny tiny.gguf --dtype q8_0\n"
        "  assay convert tiny.gguf models/tiny-again",
    .run = run,
};

static int run(int argc, char **argv)
{
    const char *dtype = NULL;
    int positional = 0;
    const struct cli_option options[] = {
        { "dtype", 0, CLI_STRING, &dtype, "TYPE",
          "Number format of the weights: f32, f16, bf16, or q8_0 (GGUF only)." },
        { 0 },
    };
    const struct cli_command *command = &cli_command_convert;
    int rc = cli_parse(command, options, false, argc, argv, &positional);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (positional != 2)
        return cli_usage(command, "expected SOURCE and DESTINATION");
    json_t *report = NULL, *value;
    const char *key;
    size_t i;
    if (model_convert(argv[1], argv[2], dtype, &report))
        return cli_fail(command);
    if (!cli_common.quiet)
        json_array_foreach(json_object_get(report, "remarks"), i, value)
            fprintf(stderr, "assay convert: %s\n", json_string_value(value));
    if (cli_common.json)
        return cli_print_json(command, report);
    printf("%s: %" JSON_INTEGER_FORMAT " tensors, %.1f MiB (",
           json_string_value(json_object_get(report, "destination")),
           json_integer_value(json_object_get(report, "tensors")),
           (double)json_integer_value(json_object_get(report, "bytes")) / 1048576);
    i = 0;
    json_object_foreach(json_object_get(report, "dtypes"), key, value)
        printf("%s%" JSON_INTEGER_FORMAT " %s", i++ ? ", " : "", json_integer_value(value), key);
    printf("); tokenizer: %s\n", json_string_value(json_object_get(report, "tokenizer"))
                                     ? json_string_value(json_object_get(report, "tokenizer"))
                                     : "not part of it");
    json_decref(report);
    return 0;
}
