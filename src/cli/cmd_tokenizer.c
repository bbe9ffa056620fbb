/* assay tokenizer train: learn a byte-level BPE vocabulary from text files. */
#include "base/progress.h"
#include "cli/cli.h"
#include <assay/tokenizer.h>
#include <stdlib.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_tokenizer_train = {
    .name = "tokenizer train",
    .synopsis = "FILE... --vocab-size N -o tokenizer.json",
    .summary = "Learn a byte-level BPE tokenizer from text files",
    .details =
        "Counts the words of the files (\"-\" is standard input) and joins the most frequent pair "
        "of "
        "neighbours until the vocabulary is full. Ties go to the pair with the smaller ids, so the "
        "result depends on nothing but the input. The file is in Hugging Face's format.\n\n"
        "Special tokens get the first ids; their text in the files is left out of the counts.\n\n"
        "  assay tokenizer train book.txt --vocab-size 4096 --special '<|endoftext|>' "
        "-o tokenizer.json\n\n"
        "--split says how text is cut into words before pairs are counted: gpt2, llama3 (digits in "
        "groups of up to three, punctuation keeps line ends), qwen2 (single digits), or digits "
        "(gpt2 with single digits).",
    .run = run,
};

static int run(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_tokenizer_train;
    struct tokenizer_train_options options = TOKENIZER_TRAIN_OPTIONS_DEFAULT;
    int64_t vocabulary = (int64_t)options.vocabulary, frequency = (int64_t)options.min_frequency;
    struct cli_strings special = { 0 };
    const struct cli_option table[] = {
        { "vocab-size", 0, CLI_INT, &vocabulary, "N",
          "Size of the vocabulary with the 256 bytes and the special tokens (default 2048)." },
        { "min-frequency", 0, CLI_INT, &frequency, "N",
          "A pair that is seen less often is not joined (default 2)." },
        { "split", 0, CLI_STRING, &options.split, "NAME",
          "How text is cut into words: gpt2, llama3, qwen2 or digits (default gpt2)." },
        { "special", 0, CLI_STRINGS, &special, "TOKEN",
          "A special token, such as '<|endoftext|>'; may be repeated." },
        { "prefix-space", 0, CLI_FLAG, &options.add_prefix_space, NULL,
          "Put a blank in front of a text that does not start with one." },
        { 0 },
    };
    int files;
    int rc = cli_parse(self, table, false, argc, argv, &files);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (files == 0)
        return cli_usage(self, "no text files given");
    if (!cli_common.output)
        return cli_usage(self, "no output file given: add -o tokenizer.json");
    if (vocabulary < 1 || frequency < 0)
        return cli_usage(self, "--vocab-size and --min-frequency must be positive");
    options.vocabulary = (size_t)vocabulary;
    options.min_frequency = (size_t)frequency;
    const char **list = calloc(special.count + 1, sizeof *list);
    if (!list) {
        base_error_set(BASE_E_MEMORY, "out of memory");
        return cli_fail(self);
    }
    for (size_t i = 0; i < special.count; i++)
        list[i] = special.at[i];
    options.special = list;
    double start = base_clock();
    rc = tokenizer_train((const char *const *)argv + 1, (size_t)files, &options, cli_common.output);
    free(list);
    struct tokenizer *t;
    if (rc || tokenizer_load(&t, cli_common.output))
        return cli_fail(self);
    const char *written = cli_common.output;
    double seconds = base_clock() - start;
    if (cli_common.json) {
        cli_common.output = NULL; /* -o named the tokenizer; the summary goes to standard output */
        json_t *o = json_pack("{s:s,s:I,s:s,s:f}", "output", written, "vocabulary",
                              (json_int_t)tokenizer_vocabulary(t), "hash", tokenizer_hash(t),
                              "seconds", seconds);
        tokenizer_free(t);
        return cli_print_json(self, o);
    }
    printf("%s: %zu entries, %.1f s, sha256 %.12s\n", written, tokenizer_vocabulary(t), seconds,
           tokenizer_hash(t));
    if (tokenizer_vocabulary(t) < options.vocabulary)
        printf("fewer than the %zu asked for: no further pair is seen %zu times\n",
               options.vocabulary, options.min_frequency);
    tokenizer_free(t);
    return 0;
}
