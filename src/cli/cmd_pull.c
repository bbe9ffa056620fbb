/* assay pull: a model from the Hugging Face hub into the cache; prints the directory for -m. */
#include "cli/cli.h"
#include "model/hub.h"
#include <assay/base.h>
#include <stdlib.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_pull = {
    .name = "pull",
    .synopsis = "[options] ORG/NAME",
    .summary = "Get a model from the Hugging Face hub",
    .details =
        "Downloads what a model needs (configuration, tokenizer, weights: safetensors before .bin) "
        "and "
        "prints the directory to give to -m. What is there already is not fetched again; an "
        "interrupted "
        "download continues where it stopped. Every file's checksum is compared with the hub's.\n\n"
        "Files lie in $XDG_CACHE_HOME/assay/hub (~/.cache/assay/hub), laid out as huggingface_hub "
        "does it. "
        "A token for gated or private models is read from HF_TOKEN in the environment and sent to "
        "the endpoint only.\n\n"
        "  assay pull openai-community/gpt2\n"
        "  assay next -m \"$(assay pull EleutherAI/pythia-70m)\" \"Paris is the capital of\"\n"
        "  assay pull --include '*.gguf' --exclude '*Q2*' ORG/NAME-GGUF\n",
    .run = run,
};

static json_t *result_json(const char *name, const char *revision, const struct model_hub_result *r)
{
    json_t *files = json_array();
    for (size_t i = 0; i < r->n && files; i++) {
        const struct model_hub_file *f = &r->files[i];
        json_array_append_new(files, json_pack("{sssIssso?sb}", "path", f->path, "bytes",
                                               (json_int_t)f->bytes, "digest", f->digest, "file",
                                               json_sprintf("%s/%s", r->directory, f->path),
                                               "cached", f->cached));
    }
    return json_pack("{sssssssssosIsI}", "model", name, "revision", revision, "commit", r->commit,
                     "directory", r->directory, "files", files, "bytes", (json_int_t)r->bytes,
                     "received_bytes", (json_int_t)r->received);
}

static int run(int argc, char **argv)
{
    struct model_hub_options o = MODEL_HUB_OPTIONS_DEFAULT;
    struct cli_strings include = { 0 }, exclude = { 0 };
    int64_t retries = o.retries;
    if (getenv("HF_ENDPOINT") && *getenv("HF_ENDPOINT"))
        o.endpoint = getenv("HF_ENDPOINT");
    const struct cli_option options[] = {
        { "revision", 0, CLI_STRING, &o.revision, "REV", "Branch, tag or commit (main)." },
        { "include", 0, CLI_STRINGS, &include, "GLOB",
          "Get the files that match instead of the usual choice; may repeat." },
        { "exclude", 0, CLI_STRINGS, &exclude, "GLOB", "Leave out files that match; may repeat." },
        { "endpoint", 0, CLI_STRING, &o.endpoint, "URL",
          "Another hub (HF_ENDPOINT, else https://huggingface.co)." },
        { "cache", 0, CLI_STRING, &o.cache, "DIR", "Another cache directory." },
        { "retries", 0, CLI_INT, &retries, "N",
          "Tries after a failed one, with growing pauses (5)." },
        { 0 },
    };
    int n;
    int rc = cli_parse(&cli_command_pull, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 1)
        return cli_usage(&cli_command_pull, "expected one model's name, ORG/NAME");
    if (retries < 0 || retries > 100)
        return cli_usage(&cli_command_pull, "--retries: expected 0 to 100");
    o.retries = (int)retries;
    o.token = getenv("HF_TOKEN");
    o.include = include.at;
    o.n_include = include.count;
    o.exclude = exclude.at;
    o.n_exclude = exclude.count;
    base_interrupt_install();
    struct model_hub_result r;
    if (model_hub_pull(&r, argv[1], &o))
        return cli_fail(&cli_command_pull);
    if (cli_common.json)
        rc = cli_print_json(&cli_command_pull, result_json(argv[1], o.revision, &r));
    else
        printf("%s\n", r.directory);
    model_hub_result_free(&r);
    return rc;
}
