/* assay tour: a walk through the program on the built-in model. Every stop is a real command, shown
 * as it would be typed and run by starting this program again; nothing is canned. */
#include "cli/internal.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int run(int argc, char **argv);
const struct cli_command cli_command_tour = {
    .name = "tour",
    .synopsis = "[-m MODEL] [--results DIR] [--json]",
    .summary = "A walk through Assay: real commands, real results, a report",
    .details =
        "Runs a handful of commands on the built-in model (or on MODEL), shows each as it would be "
        "typed, and what it prints. The questions are from the part of the built-in model's "
        "world that was held out of its training text. At the end the model and an early "
        "checkpoint "
        "of it are evaluated and compared, and the report is written to --results DIR "
        "(assay-tour).\n\n"
        "  assay tour\n"
        "  assay tour -m path/to/another-model\n",
    .run = run,
};

enum { MOST_WORDS = 16 };
#define TASKS "facts,sentiment,counting,sums"
struct stop {
    const char *title, *why;
    const char *words[MOST_WORDS]; /* the command; MODEL stands for the model */
    const char *input;             /* standard input, or NULL */
};

/* Stand for what is known when the tour begins (place_holder). */
static const char MODEL[] = "MODEL", OTHER[] = "OTHER", RUN[] = "RUN", OTHER_RUN[] = "OTHER_RUN",
                  STORE[] = "STORE", PAGE[] = "PAGE";

static const struct stop stops[] = {
    { "What is this model?",
      "Architecture, parameters, memory, tokenizer: read from the headers, nothing is loaded.",
      { "info", MODEL },
      NULL },
    { "How does it read?",
      "A model sees tokens, not letters. The blank belongs to the word that follows it.",
      { "tokenize", "-m", MODEL, "The capital of Norway is Oslo." },
      NULL },
    { "Does it know a fact?",
      "It learned this fact in other words; this phrasing was held out. Each target gets its "
      "probability and "
      "rank.",
      { "next", "-m", MODEL, "--top", "3", "-t", " Paris", "-t", " Havana",
        "The capital city of France is" },
      NULL },
    { "Can it learn from examples in the prompt?",
      "Two reviews with their sentiment, then a third one from the held-out set.",
      { "next", "-m", MODEL, "--top", "2",
        "Review: What a wonderful story!\nSentiment: positive\n\n"
        "Review: The sound is dull.\nSentiment: negative\n\n"
        "Review: There is nothing terrible about the dialogue.\nSentiment:" },
      NULL },
    { "Can it count?",
      "How many words of the list belong to the category? This list was never seen in training.",
      { "next", "-m", MODEL, "--top", "3",
        "List: oboe green crimson yellow red\nHow many colours?" },
      NULL },
    { "How likely is an answer, as a whole?",
      "Log-probabilities of a continuation, token by token: what benchmarks compare.",
      { "score", "-m", MODEL, "--context", "A young dog is called a", "--continuation", " puppy" },
      NULL },
    { "Let it write",
      "Greedy decoding: always the most probable token, so the text is the same every time.",
      { "generate", "-m", MODEL, "--greedy", "--max-tokens", "48", "One day" },
      NULL },
    { "Does the way of choosing tokens matter?",
      "The strategies side by side, each repeated: which are reproducible, and why.",
      { "generate", "-m", MODEL, "--compare", "--max-tokens", "12", "--seed", "1", "One day" },
      NULL },
    { "How well does it predict a text?",
      "Perplexity by the three conventions in use, each with an interval over documents: one line "
      "is one "
      "document here.",
      { "ppl", "-m", MODEL, "--split", "line", "-" },
      "In Spain, the capital is Madrid.\nThe capital city of France is Paris.\nA young dog is "
      "called a puppy.\n"
      "In Germany, the capital is Berlin.\nThe opposite of hot is cold.\nThe day after Monday is "
      "Tuesday.\n"
      "The colour of snow is white.\nA cow lives in a barn.\n" },
    { "Can a table be trusted?",
      "A made-up survey: types, missing cells, ranges, and what cannot be true.",
      { "describe", "builtin:survey" },
      NULL },
    { "What to do about a rare class?",
      "Made-up recipes, one in twenty is Indian: strategies against imbalance on the same test "
      "rows, with intervals and paired tests.",
      { "classify", "--text", "ingredients", "--label", "cuisine", "--positive", "indian",
        "--compare", "none,under,weights", "builtin:recipes" },
      NULL },
    { "What may a model do?",
      "Call tools: the arguments are checked, the policy asked, the work done in a sandbox.",
      { "tools", "call", "calculator", "--args", "{\"expression\": \"(2^64 - 1) / 3\"}" },
      NULL },
    { "How good is it, with error bars?",
      "The built-in tasks, whose items are held out of the training text: every metric with its "
      "interval.",
      { "eval", "-m", MODEL, "-t", TASKS, "--store", STORE, "-o", RUN },
      NULL },
    { "And a model that was trained less?",
      "The same items, so that the two can be compared one by one.",
      { "eval", "-m", OTHER, "-t", TASKS, "--store", STORE, "-o", OTHER_RUN },
      NULL },
    { "Is the difference real?",
      "Paired tests on the same items, corrected for their number; how many more items would "
      "decide what is open.",
      { "compare", RUN, OTHER_RUN },
      NULL },
    { "The report",
      "Tables, bars, confusion and calibration, and every sample with its exact prompt: one file, "
      "to be opened in a browser.",
      { "report", RUN, OTHER_RUN, "-o", PAGE },
      NULL },
};
enum { STOPS = sizeof stops / sizeof *stops };

/* A word as a shell needs it: bare, in '...', or in $'...' when it holds a line end. */
static int put_word(struct base_buffer *b, const char *word)
{
    static const char safe[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,";
    if (*word && word[strspn(word, safe)] == 0) {
        return base_buffer_printf(b, " %s", word);
    }
    bool lines = strchr(word, '\n') != NULL;
    int rc = base_buffer_puts(b, lines ? " $'" : " '");
    for (const char *p = word; *p && !rc; p++) {
        rc = *p == '\n'                            ? base_buffer_puts(b, "\\n")
             : *p == '\'' && !lines                ? base_buffer_puts(b, "'\\''")
             : (*p == '\'' || *p == '\\') && lines ? base_buffer_printf(b, "\\%c", *p)
                                                   : base_buffer_append(b, p, 1);
    }
    return rc ? rc : base_buffer_puts(b, "'");
}

/* What this tour is about. */
struct tour {
    const char *model, *other;
    char *run, *other_run, *store, *page; /* paths */
};

static const char *place_holder(const struct tour *t, const char *word)
{
    return word == MODEL       ? t->model
           : word == OTHER     ? t->other
           : word == RUN       ? t->run
           : word == OTHER_RUN ? t->other_run
           : word == STORE     ? t->store
           : word == PAGE      ? t->page
                               : word;
}

/* Whether a command runs a model, and so takes --compute. */
static bool runs_model(const char *command)
{
    static const char *const without[] = { "info", "tokenize", "compare", "report" };
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        if (strcmp(command, without[i]) == 0) {
            return false;
        }
    }
    return true;
}

/* The program's own arguments for a stop: words with the tour's own put in, then the common
 * options. */
static size_t make_arguments(const struct stop *s, const struct tour *t, char threads[24],
                             char *argv[MOST_WORDS + 8])
{
    size_t n = 0;
    argv[n++] = (char *)(uintptr_t) "assay";
    for (size_t i = 0; i < MOST_WORDS && s->words[i]; i++) {
        argv[n++] = (char *)(uintptr_t)place_holder(t, s->words[i]);
    }
    if (strcmp(cli_common.compute, "f32") != 0 && runs_model(s->words[0])) {
        argv[n++] = (char *)(uintptr_t) "--compute";
        argv[n++] = (char *)(uintptr_t)cli_common.compute;
    }
    if (cli_common.threads) {
        snprintf(threads, 24, "%lld", (long long)cli_common.threads);
        argv[n++] = (char *)(uintptr_t) "--threads";
        argv[n++] = threads;
    }
    if (cli_common.json) {
        argv[n++] = (char *)(uintptr_t) "--json";
    }
    argv[n] = NULL;
    return n;
}

/* A descriptor to read `text` from. */
static int open_input(const char *text)
{
    int fd =
        text ? memfd_create("assay-tour", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && text) {
        size_t n = strlen(text);
        if (write(fd, text, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0) {
            close(fd);
            return -1;
        }
    }
    return fd;
}

/* Runs this program with argv, input on its standard input; its standard output is appended to out,
 * its standard error is ours. *status is waitpid's. */
static int run_self(char **argv, const char *input, struct base_buffer *out, int *status)
{
    int ends[2] = { -1, -1 }, in = open_input(input), rc = 0;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    pid_t child = -1;
    if (in < 0 || pipe2(ends, O_CLOEXEC)) {
        rc = base_error_set(BASE_E_IO, "cannot make a pipe: %s", strerror(errno));
        goto out;
    }
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int error = posix_spawn(&child, "/proc/self/exe", &actions, NULL, argv, environ);
    if (error) {
        rc = base_error_set(BASE_E_IO, "cannot start %s %s: %s", argv[0], argv[1], strerror(error));
        goto out;
    }
    close(ends[1]);
    ends[1] = -1;
    char block[4096];
    for (ssize_t n; (n = read(ends[0], block, sizeof block)) != 0;) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 || rc) {
            break;
        }
        rc = base_buffer_append(out, block, (size_t)n);
    }
    close(ends[0]); /* before waiting: a child that still writes ends by SIGPIPE */
    ends[0] = -1;
    while (waitpid(child, status, 0) < 0 && errno == EINTR) {
    }
out:
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            close(ends[i]);
        }
    }
    if (in >= 0) {
        close(in);
    }
    return rc;
}

/* One stop into `text` (for people) or into the array `list` (JSON). *failed is set when its
 * command did not exit with 0; BASE_E_INTERRUPTED when a signal ended it. */
static int visit(const struct stop *s, size_t number, const struct tour *t,
                 struct base_buffer *text, json_t *list, bool *failed)
{
    char *argv[MOST_WORDS + 8], threads[24];
    size_t n = make_arguments(s, t, threads, argv);
    struct base_buffer command = { 0 }, out = { 0 };
    int status = 0, rc = base_buffer_puts(&command, "assay");
    for (size_t i = 1; i < n && !rc; i++) {
        rc = put_word(&command, argv[i]);
    }
    if (!rc && !list) {
        rc = base_buffer_printf(text, "%s%zu. %s\n%s\n\n%s$ %s\n", number > 1 ? "\n" : "", number,
                                s->title, s->why, s->input ? s->input : "", command.data);
        if (!rc && !cli_common.output) {
            fputs(text->data, stdout);
            fflush(stdout);
            base_buffer_clear(text);
        }
    }
    double begin = base_clock();
    rc = rc ? rc : run_self(argv, s->input, &out, &status);
    double seconds = base_clock() - begin;
    if (!rc && WIFSIGNALED(status)) {
        rc = base_error_set(BASE_E_INTERRUPTED, "`%s` was ended by signal %d (%s)", command.data,
                            WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    if (rc) {
        goto out;
    }
    int code = WEXITSTATUS(status);
    *failed = *failed || code != 0;
    if (list) {
        json_t *result = NULL;
        if (code == 0) {
            rc = base_json_parse(&result, out.data, out.length, command.data);
        }
        if (!rc &&
            json_array_append_new(list, json_pack("{ss ss si sf so}", "title", s->title, "command",
                                                  command.data, "exit", code, "seconds", seconds,
                                                  "result", result ? result : json_null()))) {
            rc = base_error_set(BASE_E_MEMORY, "out of memory while writing JSON");
        }
    } else {
        rc = base_buffer_append(text, out.data ? out.data : "", out.length);
        if (!rc && !cli_common.output) {
            fwrite(text->data, 1, text->length, stdout);
            fflush(stdout);
            base_buffer_clear(text);
        }
    }
out:
    base_buffer_free(&command);
    base_buffer_free(&out);
    return rc;
}

static void tour_free(struct tour *t)
{
    base_free(t->run);
    base_free(t->other_run);
    base_free(t->store);
    base_free(t->page);
}

/* The model is compared with an early checkpoint of the built-in one, or, when it is another model,
 * with the built-in one. */
static int tour_make(struct tour *t, const char *directory)
{
    *t = (struct tour){ .model = cli_common.model ? cli_common.model : "builtin:tiny" };
    t->other = strcmp(t->model, "builtin:tiny") == 0 ? "builtin:tiny-early" : "builtin:tiny";
    t->run = base_path_join(directory, "model");
    t->other_run = base_path_join(directory, "other");
    t->store = base_path_join(directory, "store.sqlite");
    t->page = base_path_join(directory, "report.html");
    if (!t->run || !t->other_run || !t->store || !t->page) {
        tour_free(t);
        return BASE_E_MEMORY;
    }
    return base_file_make_directories(directory);
}

static int run(int argc, char **argv)
{
    const char *directory = "assay-tour";
    const struct cli_option options[] = {
        { "results", 0, CLI_STRING, &directory, "DIR",
          "Where the runs and the report go (assay-tour)." },
        { 0 },
    };
    int n;
    int rc = cli_parse(&cli_command_tour, options, true, argc, argv, &n);
    if (rc) {
        return rc < 0 ? 0 : rc;
    }
    if (n > 0) {
        return cli_usage(&cli_command_tour, "unexpected argument \"%s\"", argv[1]);
    }
    struct tour tour;
    if (tour_make(&tour, directory)) {
        return cli_fail(&cli_command_tour);
    }
    json_t *list = cli_common.json ? json_array() : NULL;
    struct base_buffer text = { 0 };
    bool failed = false;
    double begin = base_clock();
    for (size_t i = 0; i < STOPS && !rc; i++) {
        rc = visit(&stops[i], i + 1, &tour, &text, list, &failed);
    }
    double seconds = base_clock() - begin;
    if (!rc && !cli_common.json) {
        char *full = realpath(tour.page, NULL);
        rc = base_buffer_printf(
            &text,
            "\nThat was the tour: %d commands in %.1f seconds. `assay help` lists all "
            "commands;\nREADME.md has more to try. Open the report in a browser:\n  file://%s\n",
            STOPS, seconds, full ? full : tour.page);
        free(full);
    }
    if (!rc && cli_common.json) {
        rc = cli_print_json(&cli_command_tour,
                            json_pack("{ss ss so sf}", "model", tour.model, "report", tour.page,
                                      "steps", list, "seconds", seconds));
        base_buffer_free(&text);
        tour_free(&tour);
        return rc ? rc : failed;
    }
    json_decref(list);
    if (!rc && cli_common.output) {
        rc = base_file_write(cli_common.output, text.data, text.length);
    } else if (!rc) {
        fputs(text.data, stdout);
    }
    base_buffer_free(&text);
    tour_free(&tour);
    return rc ? cli_fail(&cli_command_tour) : failed;
}
