/* assay rescore: saved samples judged again. */
#include "base/memory.h"
#include "cli/display.h"
#include "eval/rescore.h"
#include "eval/store.h"
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_rescore = {
    .name = "rescore",
    .synopsis = "[options] RUN",
    .summary = "Judge saved samples again, with other metrics or filters; no model is asked",
    .details =
        "RUN is a run's directory, a samples_*.jsonl file (Assay's or lm-eval's), or the id of a "
        "run in the store. Its answers are judged by the task as the run recorded it, or by "
        "--task; "
        "--metric and --filter replace the task's own. The result is a new run that names the "
        "first "
        "one as its parent, in a directory of its own and in the store, and can be compared with "
        "it.\n\n"
        "A filter is written as in a task's filter_list: "
        "{name: number, filter: [{function: regex, regex_pattern: '(\\d+)'}, {function: "
        "take_first}]}.\n\n"
        "  assay rescore results/gpt2 --metric acc --metric acc_norm -o results/gpt2-rescored\n"
        "  assay rescore samples_gsm8k_2025-05-30T15-39-12.jsonl --task my/gsm8k.yaml",
    .run = run,
};

struct arguments {
    const char *task, *include, *store;
    struct cli_strings only, metrics, filters;
    double level;
    bool no_store;
};

static json_t *get(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static bool same_number(const json_t *a, const json_t *b)
{
    return json_is_number(a) && json_is_number(b) && json_number_value(a) == json_number_value(b);
}

/* A table of every metric, beside what the parent had. */
static int lay_out(struct base_buffer *b, const struct eval_run *parent, const json_t *results,
                   const char *id, const char *directory, const char *store)
{
    const struct cli_column columns[] = {
        { "task", false, true },  { "metric", false, false },        { "n", true, false },
        { "value", true, false }, { "95 % interval", false, false }, { "before", true, false },
    };
    struct cli_table t = { .columns = columns, .n_columns = 6 };
    const char *task, *key;
    json_t *metrics, *m;
    json_object_foreach((json_t *)(uintptr_t)results, task, metrics)
    {
        json_object_foreach(metrics, key, m)
        {
            const json_t *value = get(m, "value"), *ci = get(m, "ci");
            const json_t *before = get(get(get(eval_run_results(parent), task), key), "value");
            if (!value)
                continue;
            cli_table_add(&t, "%s", task);
            cli_table_add(&t, "%s", key);
            cli_table_add(&t, "%lld", (long long)json_integer_value(get(m, "n")));
            if (json_is_number(value))
                cli_table_add(&t, "%.4f", json_number_value(value));
            else
                cli_table_add(&t, "-");
            if (json_is_number(json_array_get(ci, 0)))
                cli_table_add(&t, "%.4f .. %.4f", json_number_value(json_array_get(ci, 0)),
                              json_number_value(json_array_get(ci, 1)));
            else
                cli_table_add(&t, "none");
            if (!json_is_number(before))
                cli_table_add(&t, "-");
            else if (same_number(value, before))
                cli_table_add(&t, "same");
            else
                cli_table_add(&t, "%.4f", json_number_value(before));
        }
    }
    int rc = cli_table_append(b, &t);
    if (rc == 0)
        rc = base_buffer_printf(b, "\n  run %s, rescored from %s, in %s", id,
                                json_string_value(get(eval_run_record(parent), "id")), directory);
    if (rc == 0 && store)
        rc = base_buffer_puts(b, " and in the store");
    return rc ? rc : base_buffer_puts(b, "\n");
}

static json_t *command_line(int argc, char **argv)
{
    json_t *list = json_pack("[s]", "assay");
    for (int i = 0; list && i < argc; i++)
        json_array_append_new(list, base_json_text(argv[i], strlen(argv[i])));
    return list;
}

static int run(int argc, char **argv)
{
    struct arguments a = { .level = 0.95 };
    int n;
    const struct cli_option options[] = {
        { "task", 0, CLI_STRING, &a.task, "NAME|FILE",
          "Judge by this task instead of the one the run recorded." },
        { "include", 0, CLI_STRING, &a.include, "DIR", "A further directory of task files." },
        { "only", 0, CLI_STRINGS, &a.only, "TASK", "Only this task of the run; may repeat." },
        { "metric", 0, CLI_STRINGS, &a.metrics, "NAME",
          "Metric instead of the task's; may repeat." },
        { "filter", 0, CLI_STRINGS, &a.filters, "MAPPING",
          "Filter instead of the task's, as in filter_list; may repeat." },
        { "level", 0, CLI_DOUBLE, &a.level, "P", "Confidence of the intervals (default 0.95)." },
        { "store", 0, CLI_STRING, &a.store, "FILE|URL",
          "Another store (see assay runs), or none." },
        { "no-store", 0, CLI_FLAG, &a.no_store, NULL, "Only write the directory." },
        { "output", 'o', CLI_STRING, &cli_common.output, "DIR",
          "Directory of the new run (default: rescored-ID)." },
        { 0 }
    };
    json_t *command = command_line(argc, argv);
    int rc = cli_parse(&cli_command_rescore, options, false, argc, argv, &n);
    if (rc || n != 1 || !(a.level > 0 && a.level < 1)) {
        json_decref(command);
        return rc < 0   ? 0
               : rc     ? rc
               : n != 1 ? cli_usage(&cli_command_rescore, "give one run")
                        : cli_usage(&cli_command_rescore, "--level must be between 0 and 1");
    }
    struct eval_rescore_options how = {
        .task = a.task,
        .include = a.include,
        .only = a.only.at,
        .n_only = a.only.count,
        .metrics = a.metrics.at,
        .n_metrics = a.metrics.count,
        .filters = a.filters.at,
        .n_filters = a.filters.count,
        .command = command,
        .level = a.level,
        .seed = (uint64_t)cli_common.seed,
    };
    struct eval_run *parent = NULL;
    char *id = NULL, *directory = NULL;
    json_t *results = NULL;
    if (a.store && strcmp(a.store, "none") == 0) {
        a.no_store = true;
        a.store = NULL;
    }
    base_interrupt_install();
    int failed = eval_run_open(&parent, argv[1], a.store);
    if (failed == 0) {
        const char *of = json_string_value(get(eval_run_record(parent), "id"));
        directory = cli_common.output ? base_strdup(cli_common.output)
                                      : base_format("rescored-%s", of ? of : "run");
        failed = directory ? eval_rescore(parent, &how, directory, &id, &results) : BASE_E_MEMORY;
    }
    cli_common.output = NULL; /* it was the run's directory, not a file for what is printed */
    if (failed == 0 && !a.no_store && (failed = eval_store_import(a.store, directory, NULL)) > 0)
        failed = 0;
    if (failed) {
        rc = cli_fail(&cli_command_rescore);
    } else if (cli_common.json) {
        rc = cli_print_json(&cli_command_rescore,
                            json_pack("{s:s, s:s, s:s, s:O}", "run", id, "parent",
                                      json_string_value(get(eval_run_record(parent), "id")),
                                      "directory", directory, "results", results));
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, parent, results, id, directory, a.no_store ? NULL : "");
        rc = cli_print_text(&cli_command_rescore, &b, rc);
    }
    json_decref(results);
    json_decref(command);
    base_free(id);
    base_free(directory);
    eval_run_close(parent);
    return rc;
}
