/* What every command that gives a model text has in common: where the text comes from, BOS, and
 * what happens when it is too long. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H
#include "cli/cli.h"
#include <assay/eval.h>

struct cli_input {
    const char *ids;        /* --ids */
    const char *bos;        /* --bos */
    const char *overlength; /* --overlength */
};
#define CLI_INPUT_OPTIONS(input)                                                                   \
    { "ids",        0,      CLI_STRING,                                                            \
      &(input).ids, "LIST", "Token ids (1,2,3) instead of text; no BOS is added." },               \
        { "bos",                                                                                   \
          0,                                                                                       \
          CLI_STRING,                                                                              \
          &(input).bos,                                                                            \
          "WHEN",                                                                                  \
          "Whether text begins with BOS: auto (as the tokenizer says; default), yes, no." },       \
    {                                                                                              \
        "overlength", 0, CLI_STRING, &(input).overlength, "POLICY",                                \
            "More tokens than the model takes: error (default), or drop from the left, right, "    \
            "middle."                                                                              \
    }

/* The two policies, checked; 0, or a negative code with a message (usage). */
int cli_input_policies(const struct cli_input *input, enum eval_bos *bos,
                       enum eval_overlength *overlength);
/* An argument as text: "-" is standard input. New string (base_free). */
int cli_input_text(const char *argument, char **text, size_t *bytes);
/* The prompt: --ids if given, else the text by the model's tokenizer. `what` names it in messages.
 */
int cli_input_ids(const struct cli_input *input, struct model *m, const char *what,
                  const char *argument, struct eval_ids *out);
/* Cuts ids to at most `limit` by the policy, never the last `tail`, and says on standard error what
 * was dropped. */
int cli_input_fit(const struct cli_input *input, struct eval_ids *ids, size_t tail, size_t limit,
                  struct eval_cut *cut);
/* {"first","count"} of dropped ids, or null. */
json_t *cli_json_cut(const struct eval_cut *cut);
json_t *cli_json_ids(const int32_t *ids, size_t n);
/* What token id adds to the text after `before` (-1: nothing): new string (base_free), "" for half
 * a character. */
int cli_token_text(const struct tokenizer *t, int32_t before, int32_t id, char **text,
                   size_t *bytes);
#endif
