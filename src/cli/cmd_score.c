/* assay score: the log-probability of given ids, of a text, or of a continuation after a context.
 */
#include "base/memory.h"
#include "cli/display.h"
#include "cli/input.h"
#include "eval/npy.h"
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_score = {
    .name = "score",
    .synopsis = "-m MODEL (--ids LIST | --text TEXT | --context TEXT --continuation TEXT)",
    .summary = "Log-probabilities of ids, a text, or a continuation",
    .details =
        "--ids scores token ids as they are: nothing is put in front, so the first has no "
        "log-probability. --text scores a text (- reads standard input); it begins with BOS where "
        "the "
        "tokenizer puts one (--bos), which then carries no figure itself.\n\n"
        "--context and --continuation score the continuation only. Both are tokenised together and "
        "split as lm-eval does: blanks at the end of the context count as the continuation's; the "
        "continuation is what follows the context's own tokens. An empty context is replaced by "
        "BOS, "
        "or EOS.\n\n"
        "\"greedy\" says whether every scored token is the model's most probable one. --logits "
        "writes "
        "the raw logits of all positions as a NumPy file, float32 [tokens, vocabulary].\n\n"
        "  assay score -m builtin:tiny --context 'The capital of France is' --continuation ' "
        "Paris'",
    .run = run,
};

struct state {
    struct model *model;
    const struct tokenizer *tokenizer; /* NULL: ids only */
    struct eval_ids ids;
    size_t context_count; /* ids[0 .. context_count) are not scored */
    bool pair, retokenized;
    struct eval_cut cut;
    double *logprobs; /* [count], NaN where there is none */
    bool *greedy;     /* [count] */
    struct eval_npy npy;
};

/* Row r of the logits predicts id r + 1. */
static int on_logits(void *context, size_t item, size_t first_row, size_t rows, const real *logits)
{
    (void)item;
    struct state *s = context;
    size_t vocabulary = model_vocabulary(s->model);
    int rc = eval_npy_write(&s->npy, logits, rows);
    for (size_t i = 0; rc == 0 && i < rows; i++) {
        const real *row = logits + i * vocabulary;
        size_t target = first_row + i + 1, best = 0;
        if (target >= s->ids.count || target < s->context_count)
            continue;
        for (size_t v = 1; v < vocabulary; v++)
            best = row[v] > row[best] ? v : best;
        s->logprobs[target] = model_log_softmax_at(row, vocabulary, s->ids.at[target]);
        s->greedy[target] = (int32_t)best == s->ids.at[target];
    }
    return rc;
}

static int compute(struct state *s, const char *logits_path)
{
    struct model_sequence *sequence = NULL;
    size_t n = s->ids.count;
    s->logprobs = base_alloc(n, sizeof *s->logprobs);
    s->greedy = base_alloc_zero(n, sizeof *s->greedy);
    if (!s->logprobs || !s->greedy)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        s->logprobs[i] = NAN;
    int rc = model_sequence_new(&sequence, s->model);
    if (rc == 0 && logits_path) {
        rc = eval_npy_open(&s->npy, logits_path, n, model_vocabulary(s->model));
        if (rc == 0) {
            struct model_item item = { sequence, s->ids.at, n, 0 };
            rc = model_forward(s->model, &item, 1, on_logits, s, NULL);
            if (rc)
                eval_npy_abort(&s->npy);
            else
                rc = eval_npy_commit(&s->npy);
        }
    } else if (rc == 0 && n > 1) {
        size_t first = s->context_count > 0 ? s->context_count : 1;
        const int32_t *targets = s->ids.at + first;
        double *logprobs = s->logprobs + first;
        bool *greedy = s->greedy + first;
        struct model_item item = { sequence, s->ids.at, n - 1, first - 1 };
        rc = model_score(s->model, &item, 1, &targets, &logprobs, &greedy, NULL);
    }
    model_sequence_free(sequence);
    for (size_t i = s->context_count > 0 ? s->context_count : 1; rc == 0 && i < n; i++)
        if (isnan(s->logprobs[i]))
            rc = base_error_set(BASE_E_NUMERIC,
                                "the model's log-probability at position %zu is not a number", i);
    return rc;
}

struct total {
    double sum;
    size_t tokens;
    bool greedy;
};

static struct total add_up(const struct state *s)
{
    struct total t = { .greedy = true };
    for (size_t i = 0; i < s->ids.count; i++)
        if (!isnan(s->logprobs[i])) {
            t.sum += s->logprobs[i];
            t.tokens++;
            t.greedy = t.greedy && s->greedy[i];
        }
    return t;
}

static double perplexity(const struct total *t)
{
    return t->tokens ? exp(-t->sum / (double)t->tokens) : NAN;
}

static int print_json(const struct state *s)
{
    struct total total = add_up(s);
    json_t *logprobs = json_array(), *greedy = json_array(), *pieces = json_array();
    for (size_t i = 0; i < s->ids.count; i++) {
        bool scored = !isnan(s->logprobs[i]);
        const char *piece = NULL;
        if (s->tokenizer && (size_t)s->ids.at[i] < tokenizer_vocabulary(s->tokenizer))
            piece = tokenizer_piece(s->tokenizer, s->ids.at[i]);
        json_array_append_new(logprobs, base_json_number(s->logprobs[i]));
        json_array_append_new(greedy, scored ? json_boolean(s->greedy[i]) : json_null());
        json_array_append_new(pieces, piece ? base_json_text(piece, strlen(piece)) : json_null());
    }
    json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:b, s:I, s:o, s:o, s:b, s:o}", "ids",
                               cli_json_ids(s->ids.at, s->ids.count), "pieces", pieces, "logprobs",
                               logprobs, "sum", base_json_number(total.sum), "greedy", total.greedy,
                               "tokens", (json_int_t)total.tokens, "perplexity",
                               base_json_number(perplexity(&total)), "greedy_tokens", greedy, "bos",
                               s->ids.fixed > 0, "dropped", cli_json_cut(&s->cut));
    if (s->pair && object) {
        json_object_set_new(object, "context_tokens", json_integer((json_int_t)s->context_count));
        json_object_set_new(
            object, "continuation_ids",
            cli_json_ids(s->ids.at + s->context_count, s->ids.count - s->context_count));
        json_object_set_new(object, "boundary_retokenized", json_boolean(s->retokenized));
    }
    return cli_print_json(&cli_command_score, object);
}

static int lay_out(struct base_buffer *b, const struct state *s)
{
    static const struct cli_column columns[] = { { "", true, false },   { "token", false, true },
                                                 { "id", true, false }, { "ln p", true, false },
                                                 { "p", true, false },  { "", false, false },
                                                 { "", false, false } };
    struct cli_table table = { .columns = columns, .n_columns = 7 };
    int room = cli_columns() - 60, width = room < 10 ? 10 : room > 40 ? 40 : room, rc = 0;
    for (size_t i = 0; rc == 0 && i < s->ids.count; i++) {
        char *text = NULL;
        size_t bytes = 0;
        if (s->tokenizer)
            rc = cli_token_text(s->tokenizer, i ? s->ids.at[i - 1] : -1, s->ids.at[i], &text,
                                &bytes);
        cli_table_add(&table, "%zu", i);
        if (text)
            cli_table_add(&table, "\"%.*s\"", (int)bytes, text);
        else
            cli_table_add(&table, "%s", "");
        base_free(text);
        cli_table_add(&table, "%d", s->ids.at[i]);
        if (isnan(s->logprobs[i])) {
            for (int k = 0; k < 4; k++)
                cli_table_add(&table, "%s", "");
            continue;
        }
        struct base_buffer bar = { 0 };
        int failed = cli_append_bar(&bar, exp(s->logprobs[i]), width);
        rc = rc ? rc : failed;
        cli_table_add(&table, "%.4f", s->logprobs[i]);
        cli_table_add(&table, "%.4f", exp(s->logprobs[i]));
        cli_table_add(&table, "%s", s->greedy[i] ? "greedy" : "");
        cli_table_add(&table, "%s", bar.data ? bar.data : "");
        base_buffer_free(&bar);
    }
    int failed = cli_table_append(b, &table);
    rc = rc ? rc : failed;
    struct total total = add_up(s);
    if (rc == 0)
        rc = base_buffer_printf(b, "\n  %zu token%s scored, ln p = %.4f", total.tokens,
                                total.tokens == 1 ? "" : "s", total.sum);
    if (rc == 0 && total.tokens)
        rc = base_buffer_printf(b, ", perplexity %.4f, %s\n", perplexity(&total),
                                total.greedy ? "all of them greedy" : "not greedy");
    else if (rc == 0)
        rc = base_buffer_puts(b, " (nothing precedes a single token)\n");
    if (rc == 0 && s->retokenized)
        rc = base_buffer_puts(b,
                              "  A token spans the border of context and continuation: the cut is "
                              "before it.\n");
    return rc;
}

static int read_pair(struct state *s, const struct cli_input *input, const char *context,
                     const char *continuation)
{
    enum eval_bos bos;
    enum eval_overlength overlength;
    struct eval_pair pair;
    const struct tokenizer *t;
    int rc = cli_input_policies(input, &bos, &overlength);
    if (rc)
        return rc;
    if ((rc = model_tokenizer(s->model, &t)))
        return base_error_prefix(rc, "text needs a tokenizer (or give --ids)");
    rc = eval_pair_encode(t, context, strlen(context), continuation, strlen(continuation), bos,
                          &pair);
    if (rc)
        return rc;
    s->ids = pair.ids;
    s->context_count = pair.context_count;
    s->retokenized = pair.boundary_retokenized;
    s->pair = true;
    return 0;
}

static int prepare(struct state *s, const struct cli_input *input, const char *text,
                   const char *context, const char *continuation, bool logits)
{
    if (model_tokenizer(s->model, &s->tokenizer))
        s->tokenizer = NULL;
    int rc = continuation ? read_pair(s, input, context, continuation)
                          : cli_input_ids(input, s->model, "the text", text, &s->ids);
    if (rc)
        return rc;
    /* the last id is only predicted, unless its own logits are wanted */
    size_t limit = model_context(s->model), tail = 0;
    if (!logits && limit < SIZE_MAX)
        limit++;
    if (s->pair) {
        tail = s->ids.count - s->context_count;
    }
    if ((rc = cli_input_fit(input, &s->ids, tail, limit, &s->cut)))
        return rc;
    if (s->pair)
        s->context_count = s->ids.count - tail;
    return 0;
}

static int run(int argc, char **argv)
{
    const char *text = NULL, *context = NULL, *continuation = NULL, *logits = NULL;
    struct cli_input input = { 0 };
    int n;
    const struct cli_option options[] = {
        { "text", 0, CLI_STRING, &text, "TEXT", "Score this text; - reads standard input." },
        { "context", 0, CLI_STRING, &context, "TEXT",
          "What comes before --continuation; may be ''." },
        { "continuation", 0, CLI_STRING, &continuation, "TEXT",
          "Score this text after --context." },
        { "logits", 0, CLI_STRING, &logits, "F.npy",
          "Write the logits of all positions, float32 [tokens, vocabulary]." },
        CLI_INPUT_OPTIONS(input),
        { 0 }
    };
    int rc = cli_parse(&cli_command_score, options, true, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 0)
        return cli_usage(&cli_command_score, "unexpected argument \"%s\": give text with --text",
                         argv[1]);
    if ((context != NULL) != (continuation != NULL))
        return cli_usage(&cli_command_score, "--context and --continuation belong together");
    if ((input.ids != NULL) + (text != NULL) + (continuation != NULL) != 1)
        return cli_usage(&cli_command_score,
                         "give one of --ids, --text, or --context with --continuation");
    struct state s = { 0 };
    if ((rc = cli_load_model_once(&cli_command_score, &s.model)))
        return rc;
    rc = prepare(&s, &input, text, context, continuation, logits != NULL);
    if (rc || (rc = compute(&s, logits))) {
        rc = cli_fail(&cli_command_score);
    } else if (cli_common.json) {
        rc = print_json(&s);
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, &s);
        rc = cli_print_text(&cli_command_score, &b, rc);
    }
    base_free(s.logprobs);
    base_free(s.greedy);
    eval_ids_free(&s.ids);
    model_free(s.model);
    return rc;
}
