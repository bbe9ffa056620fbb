/* assay train CONFIG: trains a model as a YAML file says. */
#include "cli/cli.h"
#include "base/memory.h"
#include <assay/train.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_train = {
    .name = "train",
    .synopsis = "CONFIG [--set KEY=VALUE]... [--resume] [options]",
    .summary = "Train a model from scratch, or further, as a YAML file says",
    .details =
        "CONFIG names the model, the data, the optimiser and an output directory; every key is "
        "described in docs/train.md. --set replaces single keys: --set optimiser.lr=3e-4 --set "
        "steps=200.\n\n"
        "The output directory gets the tokenised data (cache/), checkpoints, log.jsonl with a line "
        "per "
        "step, loss.png, and at the end the model (model/), which every command takes with -m.\n\n"
        "Ctrl-C saves a checkpoint. The same command continues there, to the bit as if it had "
        "never "
        "stopped. A killed run continues from its last checkpoint.",
    .run = run,
};

static json_t *to_json(const struct train_summary *s, const char *output)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:I}",
                     "output", output, "model", s->model, "checkpoint", s->checkpoint, "first_step",
                     (json_int_t)s->first_step, "step", (json_int_t)s->step, "steps",
                     (json_int_t)s->steps, "parameters", (json_int_t)s->parameters, "tokens",
                     (json_int_t)s->tokens, "loss", base_json_number(s->loss), "validation_loss",
                     base_json_number(s->validation_loss), "seconds", base_json_number(s->seconds),
                     "tokens_per_s", base_json_number(s->tokens_per_second), "predicted_bytes",
                     (json_int_t)s->predicted_bytes, "peak_bytes", (json_int_t)s->peak_bytes);
}
static void print(const struct train_summary *s, const char *output)
{
    printf("%zu parameters, %llu of %llu steps, %llu label tokens\n", s->parameters,
           (unsigned long long)s->step, (unsigned long long)s->steps,
           (unsigned long long)s->tokens);
    if (!isnan(s->loss))
        printf("loss             %.4f nats/token\n", s->loss);
    if (!isnan(s->validation_loss))
        printf("validation loss  %.4f nats/token (perplexity %.2f)\n", s->validation_loss,
               exp(s->validation_loss));
    if (s->seconds > 0)
        printf("time             %.1f s, %.0f tokens/s, peak %.0f MiB\n", s->seconds,
               s->tokens_per_second, (double)s->peak_bytes / 1048576);
    printf("model            %s\nlog              %s/log.jsonl, %s/loss.png\n", s->model, output,
           output);
}
static int run(int argc, char **argv)
{
    struct cli_strings set = { 0 };
    bool resume = false;
    const char *directory = NULL;
    int64_t seed = -1;
    int positionals;
    const struct cli_option options[] = {
        { "set", 0, CLI_STRINGS, &set, "KEY=VALUE", "Replace one key of CONFIG; may be repeated." },
        { "resume", 0, CLI_FLAG, &resume, NULL, "Fail when there is no checkpoint to go on from." },
        { "output", 'o', CLI_STRING, &directory, "DIR", "Replace CONFIG's output directory." },
        { "seed", 0, CLI_INT, &seed, "N", "Replace CONFIG's seed." },
        { 0 },
    };
    int rc = cli_parse(&cli_command_train, options, false, argc, argv, &positionals);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (positionals != 1)
        return cli_usage(&cli_command_train, "expected one configuration file, got %d",
                         positionals);

    struct train_config *config = NULL;
    struct train_summary summary;
    char *overrides[4] = { 0 };
    size_t n = 0;
    int exit_code = 1;
    const char **all = base_alloc(set.count + 4, sizeof *all);
    bool failed = !all;
    if (directory) {
        json_t *quoted = json_string(directory);
        char *text = quoted ? json_dumps(quoted, JSON_ENCODE_ANY) : NULL;
        overrides[n] = base_format("output=%s", text ? text : "");
        failed = failed || !text || !overrides[n++];
        free(text);
        json_decref(quoted);
    }
    if (seed >= 0)
        failed = !(overrides[n++] = base_format("seed=%lld", (long long)seed)) || failed;
    if (resume)
        failed = !(overrides[n++] = base_strdup("checkpoint.resume=always")) || failed;
    if (cli_common.threads > 0)
        failed = !(overrides[n++] = base_format("threads=%lld", (long long)cli_common.threads)) ||
                 failed;
    if (failed)
        goto out;
    if (set.count)
        memcpy(all, set.at, set.count * sizeof *all);
    memcpy(all + set.count, overrides, n * sizeof *all);
    base_interrupt_install();
    if (train_config_load(&config, argv[1], all, set.count + n) || train_run(config, &summary)) {
        cli_fail(&cli_command_train);
        goto out;
    }
    if (cli_common.json) {
        exit_code =
            cli_print_json(&cli_command_train, to_json(&summary, train_config_output(config)));
    } else {
        print(&summary, train_config_output(config));
        exit_code = 0;
    }
out:
    train_config_free(config);
    for (size_t i = 0; i < 4; i++)
        base_free(overrides[i]);
    base_free(all);
    return exit_code;
}
