/* The command line's own room: one file per command (cmd_*.c), each with a `const struct
 * cli_command cli_command_NAME`, and one option parser for all of them. Commands parse, call the
 * library and print; results to stdout, everything else to stderr.
 *
 * A command's run() must call cli_parse before it does anything else: help, man page and shell
 * completion are made by calling run() in a mode where cli_parse hands the option table on and
 * returns -1. So the options stand in one place only. */
#ifndef CLI_H
#define CLI_H
#include "base/json.h"
#include <assay/model.h>
#include <stdbool.h>
#include <stdio.h>

enum cli_option_kind {
    CLI_FLAG,
    CLI_INT,
    CLI_DOUBLE,
    CLI_STRING,
    CLI_STRINGS /* may repeat */
};
struct cli_option {
    const char *name; /* "model"; given as --model X, --model=X; flags also --no-NAME */
    char letter;      /* 'm' for -m, or 0 */
    enum cli_option_kind kind;
    void *value;          /* bool*, int64_t*, double*, const char**, struct cli_strings* */
    const char *argument; /* "FILE" in the help; NULL for flags */
    const char *help;     /* one sentence */
};
struct cli_strings {
    const char **at; /* lives until the program ends */
    size_t count;
};
/* Options every command takes (--json --seed --threads --quiet -o) are parsed into this. */
struct cli_common {
    bool json;
    bool quiet;
    int64_t seed;
    int64_t threads;     /* 0 = one per CPU */
    const char *output;  /* NULL = standard output */
    const char *model;   /* -m, where the command has it */
    const char *compute; /* "f32" or "bf16" */
};
extern struct cli_common cli_common;

struct cli_command {
    const char *name;     /* "tokenizer train" has a blank */
    const char *synopsis; /* "-m MODEL [options] PROMPT" */
    const char *summary;  /* one line, no full stop */
    /* Paragraphs for `assay help NAME` and the man page, divided by blank lines. Paragraphs are
     * filled; lines that begin with two blanks are shown as they are (examples). */
    const char *details;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit code */
};
/* Parses argv against options (a list that ends with {0}) and the common ones; positionals are left
 * in argv[1..*n_positional]. Returns 0, or 2 after printing usage to stderr, or -1 when help was
 * printed (the command then returns 0). with_model adds -m and --compute. An option of the command
 * hides a common one of the same name. "--" ends the options; "-" and negative numbers are
 * positionals. */
int cli_parse(const struct cli_command *command, const struct cli_option *options, bool with_model,
              int argc, char **argv, int *n_positional);
/* Prints base_error_message() as "assay NAME: message" to stderr; returns 1. */
int cli_fail(const struct cli_command *command);
/* Usage error with its own message; returns 2. */
int cli_usage(const struct cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Refuses a name that promises compression (.gz, .bz2, .zst) for a file to be written, of which
 * there is none: data_stream_open would refuse it later. NULL is fine. cli_parse asks this of -o.
 */
int cli_plain_name(const struct cli_command *command, const char *option, const char *path);
/* Loads cli_common.model with cli_common.compute; "no model given" is a usage error. 0 or exit code
 * after message. */
int cli_load_model(const struct cli_command *command, struct model **out);
/* The same for a command that runs the model once or twice: weights stay in their file where they
 * can (model_options.in_place), which gives the first answer sooner. */
int cli_load_model_once(const struct cli_command *command, struct model **out);
/* Prints one JSON object and a newline to stdout (or to -o FILE); takes the reference (NULL means
 * memory ran out while it was made); returns the exit code. */
int cli_print_json(const struct cli_command *command, json_t *object);
/* "1,2,3" (blanks allowed) to ids (base_free). 0, or BASE_E_ARGUMENT with a message. */
int cli_parse_ids(const char *text, int32_t **ids, size_t *n);

/* Every command by group, in the order of `assay help`. A command is there once an object that
 * defines cli_command_IDENTIFIER is linked; a row without one is simply absent. */
#define CLI_COMMANDS(X)                                                                            \
    X("Start here", tour)                                                                          \
    X("Get and inspect models", info)                                                              \
    X("Get and inspect models", pull)                                                              \
    X("Get and inspect models", convert)                                                           \
    X("Tokenizers", tokenize)                                                                      \
    X("Tokenizers", tokenizer_train)                                                               \
    X("Run a model", next)                                                                         \
    X("Run a model", score)                                                                        \
    X("Run a model", generate)                                                                     \
    X("Run a model", ppl)                                                                          \
    X("Evaluate", eval)                                                                            \
    X("Evaluate", tasks)                                                                           \
    X("Evaluate", compare)                                                                         \
    X("Evaluate", report)                                                                          \
    X("Evaluate", runs)                                                                            \
    X("Evaluate", rescore)                                                                         \
    X("Evaluate", memorize)                                                                        \
    X("Evaluate", memorize_texts)                                                                  \
    X("Evaluate", contamination)                                                                   \
    X("Evaluate", mix)                                                                             \
    X("Statistics", stats_describe)                                                                \
    X("Statistics", stats_ci)                                                                      \
    X("Statistics", stats_bootstrap)                                                               \
    X("Statistics", stats_test)                                                                    \
    X("Statistics", stats_mcnemar)                                                                 \
    X("Statistics", stats_paired)                                                                  \
    X("Statistics", stats_power)                                                                   \
    X("Statistics", stats_adjust)                                                                  \
    X("Statistics", stats_correlation)                                                             \
    X("Statistics", stats_regression)                                                              \
    X("Statistics", stats_classification)                                                          \
    X("Sample data", sample)                                                                       \
    X("Sample data", estimate)                                                                     \
    X("Sample data", describe)                                                                     \
    X("Sample data", split)                                                                        \
    X("Sample data", margins)                                                                      \
    X("Graphs", graph_sample)                                                                      \
    X("Graphs", graph_describe)                                                                    \
    X("Graphs", graph_pagerank)                                                                    \
    X("Graphs", graph_compare)                                                                     \
    X("Graphs", graph_draw)                                                                        \
    X("Graphs", graph_estimate)                                                                    \
    X("Classify", classify)                                                                        \
    X("Classify", classify_predict)                                                                \
    X("Embeddings", embed_train)                                                                   \
    X("Embeddings", embed_similar)                                                                 \
    X("Embeddings", embed_similarity)                                                              \
    X("Embeddings", embed_analogy)                                                                 \
    X("Embeddings", embed_evaluate)                                                                \
    X("Embeddings", embed_stability)                                                               \
    X("Embeddings", embed_convert)                                                                 \
    X("Embeddings", embed_sentences)                                                               \
    X("Train", train)                                                                              \
    X("Tools", tools_list)                                                                         \
    X("Tools", tools_describe)                                                                     \
    X("Tools", tools_call)                                                                         \
    X("Tools", tools_index)                                                                        \
    X("Tools", audit_verify)                                                                       \
    X("Tools", redteam)                                                                            \
    X("Tools", mcp_serve)                                                                          \
    X("Tools", mcp_list)                                                                           \
    X("Tools", mcp_call)                                                                           \
    X("Tools", mcp_read)                                                                           \
    X("Tools", mcp_prompt)                                                                         \
    X("Tools", schema_validate)                                                                    \
    X("Tools", schema_test_suite)                                                                  \
    X("Measure speed", bench)                                                                      \
    X("This program", help)
#endif
