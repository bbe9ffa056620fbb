/* assay next: what a model expects after a prompt. */
#include "base/memory.h"
#include "cli/display.h"
#include "cli/input.h"
#include <assay/sampler.h>
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_next = {
    .name = "next",
    .synopsis = "-m MODEL [--top K] [--target TEXT]... PROMPT",
    .summary = "Show the most probable next tokens after a prompt",
    .details =
        "PROMPT is text, or - for standard input; --ids gives token ids instead. Shown are the "
        "--top K "
        "most probable next tokens, and for each --target its probability, log-probability and "
        "rank "
        "(1 = most probable).\n\n"
        "A target is tokenised together with the prompt, so write its leading blank: --target ' "
        "Paris'. Where that is more than one token, p, log-probability and rank are those of the "
        "first, "
        "and the probability of the whole is shown beside it.\n\n"
        "  assay next -m builtin:tiny --top 5 --target ' Paris' 'The capital of France is'",
    .run = run,
};

struct target {
    const char *text;
    int32_t *ids;
    size_t count;
    size_t rank;      /* of the first token */
    double logp, all; /* of the first token, of all tokens */
    bool retokenized; /* tokenised apart: it melts into the prompt's last token otherwise */
};

struct state {
    struct model *model;
    const struct tokenizer *tokenizer; /* NULL: ids only */
    bool by_ids;                       /* the prompt was given as ids */
    struct eval_ids prompt;
    struct eval_cut cut;
    real *logits; /* [vocabulary] */
    double lse;
    struct sampler_candidate *scratch;
    size_t top;
    struct target *targets;
    size_t n_targets;
};

static int keep_row(void *context, size_t item, size_t first_row, size_t rows, const real *logits)
{
    (void)item, (void)first_row, (void)rows;
    struct state *s = context;
    memcpy(s->logits, logits, model_vocabulary(s->model) * sizeof *logits);
    return 0;
}

/* A target's ids: what the prompt's tokens are followed by when both are tokenised together; by
 * itself where the prompt was given as ids or would be tokenised differently. */
static int encode_target(struct state *s, const struct cli_input *input, const char *prompt,
                         size_t bytes, struct target *t)
{
    enum eval_bos bos;
    enum eval_overlength overlength;
    struct eval_ids joint = { 0 };
    size_t length = strlen(t->text);
    int rc = cli_input_policies(input, &bos, &overlength);
    if (rc)
        return rc;
    if (!s->tokenizer)
        return base_error_set(BASE_E_ARGUMENT,
                              "--target needs a tokenizer, and the model has none");
    t->retokenized = true;
    if (prompt) {
        char *whole = base_alloc(bytes + length + 1, 1);
        if (!whole)
            return BASE_E_MEMORY;
        memcpy(whole, prompt, bytes);
        memcpy(whole + bytes, t->text, length);
        rc = eval_encode(s->tokenizer, "the target", whole, length ? bytes + length : 0, bos,
                         &joint);
        base_free(whole);
        if (rc)
            return rc;
        if (joint.count > s->prompt.count &&
            memcmp(joint.at, s->prompt.at, s->prompt.count * sizeof *joint.at) == 0) {
            t->count = joint.count - s->prompt.count;
            memmove(joint.at, joint.at + s->prompt.count, t->count * sizeof *joint.at);
            t->ids = joint.at;
            t->retokenized = false;
            return 0;
        }
        eval_ids_free(&joint);
    }
    if ((rc = eval_encode(s->tokenizer, "the target", t->text, length, EVAL_BOS_NO, &joint)))
        return rc;
    t->ids = joint.at;
    t->count = joint.count;
    if (length < 2 || t->text[0] != ' ')
        return 0;
    /* tokenizers that put a blank in front of every text would see two of them */
    struct eval_ids bare;
    if ((rc = eval_encode(s->tokenizer, "the target", t->text + 1, length - 1, EVAL_BOS_NO, &bare)))
        return rc;
    const char *piece = tokenizer_piece(s->tokenizer, bare.at[0]);
    if (piece && strncmp(piece, "\xe2\x96\x81", 3) == 0) {
        base_free(t->ids);
        t->ids = bare.at;
        t->count = bare.count;
    } else {
        eval_ids_free(&bare);
    }
    return 0;
}

/* Runs the prompt, then scores what follows the first token of longer targets. */
static int compute(struct state *s)
{
    struct model_sequence *sequence = NULL, *fork = NULL;
    size_t vocabulary = model_vocabulary(s->model), n = s->prompt.count;
    double *logprobs = NULL;
    int rc = model_sequence_new(&sequence, s->model);
    struct model_item item = { sequence, s->prompt.at, n, n - 1 };
    if (rc || (rc = model_forward(s->model, &item, 1, keep_row, s, NULL)))
        goto out;
    s->lse = model_log_sum_exp(s->logits, vocabulary);
    if (!isfinite(s->lse)) {
        rc = base_error_set(BASE_E_NUMERIC, "the model's logits are not finite numbers");
        goto out;
    }
    for (size_t i = 0; i < s->n_targets; i++) {
        struct target *t = &s->targets[i];
        real own = s->logits[t->ids[0]];
        t->rank = 1;
        for (size_t v = 0; v < vocabulary; v++)
            t->rank += s->logits[v] > own || (s->logits[v] == own && (int32_t)v < t->ids[0]);
        t->logp = t->all = (double)own - s->lse;
        if (t->count == 1)
            continue;
        if (n + t->count - 1 > model_context(s->model)) {
            t->all = NAN; /* no room behind the prompt */
            continue;
        }
        logprobs = base_alloc(t->count - 1, sizeof *logprobs);
        if (!logprobs) {
            rc = BASE_E_MEMORY;
            goto out;
        }
        const int32_t *rest = t->ids + 1;
        if ((rc = model_sequence_fork(&fork, sequence, n)))
            goto out;
        struct model_item more = { fork, t->ids, t->count - 1, 0 };
        if ((rc = model_score(s->model, &more, 1, &rest, &logprobs, NULL, NULL)))
            goto out;
        for (size_t k = 0; k + 1 < t->count; k++)
            t->all += logprobs[k];
        model_sequence_free(fork);
        base_free(logprobs);
        fork = NULL;
        logprobs = NULL;
    }
    struct sampler_candidates c = { .at = s->scratch, .count = vocabulary };
    for (size_t v = 0; v < vocabulary; v++)
        s->scratch[v] = (struct sampler_candidate){ .id = (int32_t)v, .logit = s->logits[v] };
    sampler_sort(&c, s->top);
out:
    model_sequence_free(fork);
    model_sequence_free(sequence);
    base_free(logprobs);
    return rc;
}

/* The token as it reads after the prompt; NULL text without a tokenizer. */
static int token_text(const struct state *s, int32_t id, char **text, size_t *bytes)
{
    *text = NULL;
    *bytes = 0;
    if (!s->tokenizer)
        return 0;
    return cli_token_text(s->tokenizer, s->prompt.at[s->prompt.count - 1], id, text, bytes);
}

static int print_json(const struct state *s)
{
    json_t *top = json_array(), *targets = json_array();
    for (size_t i = 0; i < s->top; i++) {
        char *text;
        size_t bytes;
        if (token_text(s, s->scratch[i].id, &text, &bytes)) {
            json_decref(top);
            json_decref(targets);
            return cli_fail(&cli_command_next);
        }
        double logp = (double)s->scratch[i].logit - s->lse;
        json_array_append_new(
            top, json_pack("{s:i, s:o, s:o, s:o}", "id", (int)s->scratch[i].id, "token",
                           text ? base_json_text(text, bytes) : json_null(), "p",
                           base_json_number(exp(logp)), "logp", base_json_number(logp)));
        base_free(text);
    }
    for (size_t i = 0; i < s->n_targets; i++) {
        const struct target *t = &s->targets[i];
        json_array_append_new(
            targets, json_pack("{s:o, s:i, s:o, s:o, s:I, s:o, s:o, s:o, s:b}", "text",
                               base_json_text(t->text, strlen(t->text)), "id", (int)t->ids[0], "p",
                               base_json_number(exp(t->logp)), "logp", base_json_number(t->logp),
                               "rank", (json_int_t)t->rank, "ids", cli_json_ids(t->ids, t->count),
                               "whole_p", base_json_number(exp(t->all)), "whole_logp",
                               base_json_number(t->all), "retokenized", t->retokenized));
    }
    return cli_print_json(&cli_command_next,
                          json_pack("{s:o, s:o, s:o, s:o}", "ids",
                                    cli_json_ids(s->prompt.at, s->prompt.count), "top", top,
                                    "targets", targets, "dropped", cli_json_cut(&s->cut)));
}

static int add_token_cell(struct cli_table *table, const struct state *s, int32_t id)
{
    char *text;
    size_t bytes;
    int rc = token_text(s, id, &text, &bytes);
    if (rc)
        return rc;
    if (text)
        cli_table_add(table, "\"%.*s\"", (int)bytes, text);
    else
        cli_table_add(table, "%s", "");
    base_free(text);
    return 0;
}

static int lay_out(struct base_buffer *b, const struct state *s)
{
    static const struct cli_column columns[] = { { "", true, false },     { "token", false, true },
                                                 { "id", true, false },   { "p", true, false },
                                                 { "ln p", true, false }, { "", false, false } };
    struct cli_table table = { .columns = columns, .n_columns = 6 };
    int room = cli_columns() - 60, rc = 0;
    int width = room < 10 ? 10 : room > 50 ? 50 : room;
    for (size_t i = 0; rc == 0 && i < s->top; i++) {
        double logp = (double)s->scratch[i].logit - s->lse;
        struct base_buffer bar = { 0 };
        cli_table_add(&table, "%zu", i + 1);
        rc = add_token_cell(&table, s, s->scratch[i].id);
        cli_table_add(&table, "%d", s->scratch[i].id);
        cli_table_add(&table, "%.4f", exp(logp));
        cli_table_add(&table, "%.3f", logp);
        rc = rc ? rc : cli_append_bar(&bar, exp(logp), width);
        cli_table_add(&table, "%s", bar.data ? bar.data : "");
        base_buffer_free(&bar);
    }
    int failed = cli_table_append(b, &table);
    rc = rc ? rc : failed;
    if (rc || s->n_targets == 0)
        return rc;
    static const struct cli_column target_columns[] = {
        { "target", false, true },  { "id", true, false },   { "p", true, false },
        { "ln p", true, false },    { "rank", true, false }, { "tokens", true, false },
        { "p of all", true, false }
    };
    struct cli_table targets = { .columns = target_columns, .n_columns = 7 };
    for (size_t i = 0; i < s->n_targets; i++) {
        const struct target *t = &s->targets[i];
        cli_table_add(&targets, "\"%s\"", t->text);
        cli_table_add(&targets, "%d", t->ids[0]);
        cli_table_add(&targets, "%.6f", exp(t->logp));
        cli_table_add(&targets, "%.3f", t->logp);
        cli_table_add(&targets, "%zu", t->rank);
        cli_table_add(&targets, "%zu", t->count);
        cli_table_add(&targets, "%.3g", exp(t->all));
    }
    rc = base_buffer_puts(b, "\n");
    failed = cli_table_append(b, &targets);
    rc = rc ? rc : failed;
    for (size_t i = 0; rc == 0 && i < s->n_targets; i++)
        if (s->targets[i].retokenized && !s->by_ids)
            rc = base_buffer_printf(b,
                                    "  \"%s\" is tokenised apart from the prompt, whose last token "
                                    "it would change.\n",
                                    s->targets[i].text);
    return rc;
}

static int prepare(struct state *s, const struct cli_input *input, const char *argument)
{
    size_t vocabulary = model_vocabulary(s->model);
    char *prompt = NULL;
    size_t bytes = 0;
    if (model_tokenizer(s->model, &s->tokenizer))
        s->tokenizer = NULL;
    int rc = 0;
    if (!input->ids) {
        const struct tokenizer *needed;
        enum eval_bos bos;
        enum eval_overlength overlength;
        if ((rc = model_tokenizer(s->model, &needed)))
            return base_error_prefix(rc, "text needs a tokenizer (or give --ids)");
        if ((rc = cli_input_policies(input, &bos, &overlength)) ||
            (rc = cli_input_text(argument, &prompt, &bytes)) ||
            (rc = eval_encode(needed, "the prompt", prompt, bytes, bos, &s->prompt)))
            goto out;
    } else if ((rc = cli_input_ids(input, s->model, "the prompt", NULL, &s->prompt))) {
        goto out;
    }
    for (size_t i = 0; rc == 0 && i < s->n_targets; i++)
        rc = encode_target(s, input, prompt, bytes, &s->targets[i]);
    if (rc || (rc = cli_input_fit(input, &s->prompt, 0, model_context(s->model), &s->cut)))
        goto out;
    s->top = s->top < vocabulary ? s->top : vocabulary;
    s->logits = base_alloc(vocabulary, sizeof *s->logits);
    s->scratch = base_alloc(vocabulary, sizeof *s->scratch);
    if (!s->logits || !s->scratch)
        rc = BASE_E_MEMORY;
out:
    base_free(prompt);
    return rc;
}

static int run(int argc, char **argv)
{
    int64_t top = 10;
    struct cli_strings targets = { 0 };
    struct cli_input input = { 0 };
    int n;
    const struct cli_option options[] = {
        { "top", 'k', CLI_INT, &top, "K", "How many tokens to show (default 10)." },
        { "target", 't', CLI_STRINGS, &targets, "TEXT",
          "Also show probability and rank of this continuation; may repeat." },
        CLI_INPUT_OPTIONS(input),
        { 0 }
    };
    int rc = cli_parse(&cli_command_next, options, true, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != (input.ids ? 0 : 1))
        return cli_usage(&cli_command_next, input.ids ? "--ids takes the place of the prompt"
                                                      : "give one prompt (quote it), or --ids");
    if (top < 0)
        return cli_usage(&cli_command_next, "--top must be 0 or more");
    struct state s = { .top = (size_t)top, .n_targets = targets.count, .by_ids = input.ids };
    if ((rc = cli_load_model_once(&cli_command_next, &s.model)))
        return rc;
    s.targets = base_alloc_zero(targets.count, sizeof *s.targets);
    for (size_t i = 0; s.targets && i < targets.count; i++)
        s.targets[i].text = targets.at[i];
    rc = s.targets ? prepare(&s, &input, argv[1]) : BASE_E_MEMORY;
    if (rc || (rc = compute(&s))) {
        rc = cli_fail(&cli_command_next);
    } else if (cli_common.json) {
        rc = print_json(&s);
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, &s);
        rc = cli_print_text(&cli_command_next, &b, rc);
    }
    for (size_t i = 0; s.targets && i < s.n_targets; i++)
        base_free(s.targets[i].ids);
    base_free(s.targets);
    base_free(s.logits);
    base_free(s.scratch);
    eval_ids_free(&s.prompt);
    model_free(s.model);
    return rc;
}
