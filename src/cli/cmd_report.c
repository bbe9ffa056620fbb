/* assay report: runs as one HTML file to read, keep and send, and their plots as pictures. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/internal.h"
#include "eval/report.h"
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_report = {
    .name = "report",
    .synopsis = "[options] RUN...",
    .summary = "One HTML file about runs: results, comparison, errors, samples",
    .details =
        "A RUN is a directory that `assay eval -o` or lm-eval wrote, or the id of a run in the "
        "store. The page needs no network and no other file: tables with intervals, bars by "
        "category, confusion and calibration, every sample with its exact prompt and a filter, and "
        "what the run was measured with. Several runs stand side by side and are compared item by "
        "item.\n\n"
        "The page is written to -o FILE (report.html in the first run's directory), every plot as "
        "PNG and SVG to --plots DIR (plots/ beside the page).\n\n"
        "  assay report results/tiny\n"
        "  assay report results/early results/tiny -o comparison.html",
    .run = run,
};

enum { MOST_RUNS = 16 };

/* Where the page goes when -o does not say: into the first run's directory, else here. */
static char *default_output(const char *where)
{
    return base_file_is_directory(where) ? base_path_join(where, "report.html")
                                         : base_strdup("report.html");
}

/* "plots" in the directory of the page. */
static char *default_plots(const char *page)
{
    size_t directory = (size_t)(base_path_name(page) - page);
    return base_format("%.*splots", (int)directory, page);
}

static int run(int argc, char **argv)
{
    const char *title = NULL, *plots = NULL, *store = NULL;
    int64_t samples = 500;
    bool draw = true;
    const struct cli_option options[] = {
        { "title", 0, CLI_STRING, &title, "TEXT", "The page's title." },
        { "samples", 0, CLI_INT, &samples, "N",
          "Most samples of each task in the browser (500); 0 leaves it out." },
        { "plots", 0, CLI_STRING, &plots, "DIR", "Where the plots go as PNG and SVG." },
        { "draw", 0, CLI_FLAG, &draw, NULL, "Write the plots (--no-draw: only the page)." },
        { "store", 0, CLI_STRING, &store, "WHERE",
          "The store in which ids of runs are looked up." },
        { 0 },
    };
    int n, rc = cli_parse(&cli_command_report, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n < 1 || n > MOST_RUNS)
        return cli_usage(&cli_command_report, "expected 1 to %d runs, got %d", MOST_RUNS, n);
    if (samples < 0)
        return cli_usage(&cli_command_report, "--samples must be 0 or more");

    struct eval_run *runs[MOST_RUNS] = { NULL };
    char *page = cli_common.output ? base_strdup(cli_common.output) : default_output(argv[1]);
    char *directory = !draw ? NULL : plots ? base_strdup(plots) : page ? default_plots(page) : NULL;
    json_t *result = NULL;
    size_t n_plots = 0;
    rc = page && (directory || !draw) ? 0 : BASE_E_MEMORY;
    for (int i = 0; i < n && !rc; i++)
        rc = eval_run_open(&runs[i], argv[1 + i], store);
    if (!rc) {
        struct eval_report_options o = { .title = title,
                                         .samples = (size_t)samples,
                                         .plots = directory };
        rc = eval_report_write((const struct eval_run *const *)runs, (size_t)n, page, &o, &n_plots);
    }
    if (rc)
        rc = cli_fail(&cli_command_report);
    else if (cli_common.json) {
        cli_common.output = NULL; /* that is the page */
        result = json_pack("{s:s, s:i, s:I, s:s?}", "report", page, "runs", n, "plots",
                           (json_int_t)n_plots, "plots_directory", directory);
        rc = cli_print_json(&cli_command_report, result);
    } else {
        printf("%s\n", page);
        if (n_plots && !cli_common.quiet)
            fprintf(stderr, "%zu plots in %s\n", n_plots, directory);
    }
    for (int i = 0; i < n; i++)
        eval_run_close(runs[i]);
    base_free(page);
    base_free(directory);
    return rc;
}
