/* assay ppl: perplexity of a model on texts, by the three conventions in use, side by side. */
#include "base/memory.h"
#include "base/progress.h"
#include "cli/display.h"
#include "cli/input.h"
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_ppl = {
    .name = "ppl",
    .synopsis = "-m MODEL [--split HOW] [options] FILE...",
    .summary = "Perplexity on texts: rolling, strided and chunk, with intervals",
    .details =
        "A FILE is plain text (one document, or several by --split) or .jsonl (a document per "
        "line, in "
        "--field); - is standard input. Three conventions are in use, and they give different "
        "figures "
        "for the same model and text, so all three are shown, each with its specification:\n\n"
        "rolling, as lm-eval: disjoint windows, every token is scored; the first window begins "
        "with "
        "BOS (or EOS), later ones with the token before them. strided, as in Hugging Face's "
        "documentation: overlapping windows every --stride tokens, each scoring what is new. "
        "chunk, as "
        "llama.cpp: disjoint chunks of --chunk tokens, only the second half of each is scored, the "
        "incomplete rest is left out.\n\n"
        "Intervals are over documents (percentile bootstrap; delta method beside it), for "
        "documents "
        "are what was sampled. A single document is divided into its windows instead, which is "
        "said. "
        "bits/byte and the per-word figure allow comparing models with different tokenizers.\n\n"
        "  assay ppl -m builtin:tiny --split blank-line story.txt\n"
        "  assay ppl -m builtin:tiny --method rolling --field body reviews.jsonl",
    .run = run,
};

static const char *const method_names[EVAL_PERPLEXITY_METHODS] = { "rolling", "strided", "chunk" };
static const char *const method_origins[EVAL_PERPLEXITY_METHODS] = {
    "lm-eval loglikelihood_rolling", "Hugging Face, perplexity of fixed-length models",
    "llama.cpp perplexity"
};

struct arguments {
    struct cli_strings methods;
    const char *split, *field, *mark, *bos;
    int64_t window, stride, chunk, resamples;
    double level;
};

struct state {
    struct model *model;
    struct eval_perplexity *perplexity;
    struct eval_perplexity_options options;
    struct eval_perplexity_report report;
    struct base_progress *progress;
    const char *split;
};

static void on_progress(void *context, uint64_t bytes_done)
{
    struct state *s = context;
    base_progress_update(s->progress, bytes_done, NULL);
}

static json_t *json_interval(const struct stats_interval *i)
{
    return json_pack("[o, o]", base_json_number(i->low), base_json_number(i->high));
}

static json_t *json_spec(const struct state *s, int k)
{
    const struct eval_perplexity_report *r = &s->report;
    int32_t front = k == EVAL_ROLLING ? r->prefix : r->bos;
    json_t *spec = json_pack("{s:s, s:I}", "convention", method_origins[k], "window",
                             (json_int_t)(k == EVAL_CHUNKED ? r->chunk : r->window));
    if (!spec)
        return NULL;
    if (k == EVAL_STRIDED)
        json_object_set_new(spec, "stride", json_integer((json_int_t)r->stride));
    json_object_set_new(spec, "prefix_id", front >= 0 ? json_integer(front) : json_null());
    json_object_set_new(spec, "scored",
                        json_string(k == EVAL_ROLLING ? "every token once"
                                    : k == EVAL_STRIDED
                                        ? "what each window adds; not the first token of a text "
                                          "without BOS"
                                        : "positions window/2+1 to window-1 of full chunks"));
    json_object_set_new(spec, "denominator", json_string("scored tokens"));
    return spec;
}

static json_t *json_method(const struct state *s, int k)
{
    const struct eval_perplexity_result *r = &s->report.result[k];
    if (r->missing)
        return json_pack("{s:n, s:n, s:i, s:s, s:o}", "ppl", "ci", "tokens", 0, "reason",
                         r->missing, "spec", json_spec(s, k));
    json_t *o = json_pack(
        "{s:o, s:o, s:o, s:s, s:I, s:o, s:o, s:I, s:o, s:I, s:o, s:I}", "ppl",
        base_json_number(r->ppl), "ci",
        r->has_interval ? json_interval(&r->bootstrap) : json_null(), "ci_delta",
        r->has_interval ? json_interval(&r->delta) : json_null(), "ci_unit", r->unit, "ci_units",
        (json_int_t)r->units, "ci_level", base_json_number(s->options.level), "ci_note",
        r->interval_note ? json_string(r->interval_note) : json_null(), "tokens",
        (json_int_t)r->tokens, "nll", base_json_number(r->nll), "bytes", (json_int_t)r->bytes,
        "bits_per_byte", base_json_number(r->bits_per_byte), "windows", (json_int_t)r->windows);
    if (!o)
        return NULL;
    if (k == EVAL_ROLLING) {
        json_object_set_new(o, "words", json_integer((json_int_t)r->words));
        json_object_set_new(o, "word_ppl", base_json_number(r->word_ppl));
        json_object_set_new(o, "byte_ppl", base_json_number(exp(r->nll / (double)r->bytes)));
    }
    if (k == EVAL_STRIDED)
        json_object_set_new(o, "ppl_documented", base_json_number(r->ppl_documented));
    json_object_set_new(o, "spec", json_spec(s, k));
    return o;
}

static int print_json(const struct state *s)
{
    const struct eval_perplexity_report *r = &s->report;
    json_t *o = json_object();
    for (int k = 0; k < EVAL_PERPLEXITY_METHODS; k++)
        if (s->options.methods[k])
            json_object_set_new(o, method_names[k], json_method(s, k));
    json_object_set_new(o, "documents", json_integer((json_int_t)r->documents));
    json_object_set_new(o, "empty_documents", json_integer((json_int_t)r->empty));
    json_object_set_new(o, "split", json_string(s->split));
    json_object_set_new(o, "tokens", json_integer((json_int_t)r->tokens));
    json_object_set_new(o, "bytes", json_integer((json_int_t)r->bytes));
    json_object_set_new(o, "words", json_integer((json_int_t)r->words));
    json_object_set_new(o, "forward_tokens", json_integer((json_int_t)r->forward_tokens));
    json_object_set_new(o, "shared_tokens", json_integer((json_int_t)r->shared_tokens));
    json_object_set_new(o, "resamples", json_integer((json_int_t)s->options.resamples));
    json_object_set_new(o, "seed", json_integer((json_int_t)s->options.seed));
    return cli_print_json(&cli_command_ppl, o);
}

/* One line on how a method's figure came about. */
static int append_spec(struct base_buffer *b, const struct state *s, int k)
{
    const struct eval_perplexity_report *r = &s->report;
    int rc = base_buffer_printf(b, "  %-8s ", method_names[k]);
    if (rc)
        return rc;
    if (k == EVAL_ROLLING)
        return base_buffer_printf(b, "windows of %zu, prefix id %d (lm-eval)", r->window,
                                  r->prefix);
    rc = k == EVAL_STRIDED
             ? base_buffer_printf(b, "windows of %zu, stride %zu", r->window, r->stride)
             : base_buffer_printf(b, "chunks of %zu, second halves", r->chunk);
    if (rc == 0)
        rc = r->bos >= 0 ? base_buffer_printf(b, ", BOS %d", r->bos)
                         : base_buffer_puts(b, ", no BOS");
    return rc ? rc : base_buffer_puts(b, k == EVAL_STRIDED ? " (Hugging Face)" : " (llama.cpp)");
}

static int lay_out(struct base_buffer *b, const struct state *s)
{
    const struct eval_perplexity_report *r = &s->report;
    char level[32];
    snprintf(level, sizeof level, "%g %% interval", 100 * s->options.level);
    const struct cli_column columns[] = {
        { "", false, false },      { "ppl", true, false },       { level, false, false },
        { "tokens", true, false }, { "bits/byte", true, false }, { "ppl/word", true, false }
    };
    struct cli_table t = { .columns = columns, .n_columns = 6 };
    for (int k = 0; k < EVAL_PERPLEXITY_METHODS; k++) {
        const struct eval_perplexity_result *m = &r->result[k];
        if (!s->options.methods[k])
            continue;
        cli_table_add(&t, "%s", method_names[k]);
        if (m->missing) {
            for (int c = 0; c < 5; c++)
                cli_table_add(&t, "%s", c ? "" : "-");
            continue;
        }
        cli_table_add(&t, "%.3f", m->ppl);
        if (m->has_interval)
            cli_table_add(&t, "%.3f .. %.3f", m->bootstrap.low, m->bootstrap.high);
        else
            cli_table_add(&t, "%s", "none");
        cli_table_add(&t, "%llu", (unsigned long long)m->tokens);
        cli_table_add(&t, "%.4f", m->bits_per_byte);
        if (k == EVAL_ROLLING)
            cli_table_add(&t, "%.2f", m->word_ppl);
        else
            cli_table_add(&t, "%s", "");
    }
    int rc = cli_table_append(b, &t);
    if (rc == 0)
        rc = base_buffer_printf(b, "\n  %zu document%s, %llu tokens, %llu bytes, %llu words",
                                r->documents, r->documents == 1 ? "" : "s",
                                (unsigned long long)r->tokens, (unsigned long long)r->bytes,
                                (unsigned long long)r->words);
    if (rc == 0 && r->empty)
        rc = base_buffer_printf(b, "; %zu empty", r->empty);
    if (rc == 0)
        rc = base_buffer_printf(
            b, ".\n  Ran %llu tokens through the model; %llu more were shared.\n",
            (unsigned long long)r->forward_tokens, (unsigned long long)r->shared_tokens);
    for (int k = 0; rc == 0 && k < EVAL_PERPLEXITY_METHODS; k++) {
        const struct eval_perplexity_result *m = &r->result[k];
        if (!s->options.methods[k] || (rc = append_spec(b, s, k)))
            continue;
        if (m->missing)
            rc = base_buffer_printf(b, "\n           no figure: %s", m->missing);
        else if (m->has_interval)
            rc = base_buffer_printf(b, "\n           %zu %ss; delta method %.3f .. %.3f", m->units,
                                    m->unit, m->delta.low, m->delta.high);
        rc = rc ? rc : base_buffer_puts(b, "\n");
    }
    for (int k = 0; rc == 0 && k < EVAL_PERPLEXITY_METHODS; k++) {
        const char *note = s->options.methods[k] ? r->result[k].interval_note : NULL;
        for (int j = 0; j < k && note; j++)
            if (s->options.methods[j] && r->result[j].interval_note == note)
                note = NULL; /* said already */
        if (note && (rc = base_buffer_puts(b, "  Interval:\n")) == 0)
            rc = cli_append_wrapped(b, 4, note);
    }
    return rc;
}

static int parse_methods(const struct arguments *a, struct eval_perplexity_options *o)
{
    if (a->methods.count == 0)
        return 0;
    for (int k = 0; k < EVAL_PERPLEXITY_METHODS; k++)
        o->methods[k] = false;
    for (size_t i = 0; i < a->methods.count; i++) {
        bool known = false;
        for (int k = 0; k < EVAL_PERPLEXITY_METHODS; k++)
            if (strcmp(a->methods.at[i], method_names[k]) == 0)
                known = o->methods[k] = true;
        if (!known)
            return cli_usage(&cli_command_ppl, "--method %s: choose rolling, strided or chunk",
                             a->methods.at[i]);
    }
    return 0;
}

static int parse_split(const struct arguments *a, enum eval_split *out)
{
    static const char *const names[] = { "none", "blank-line", "line", "eot" };
    for (int i = 0; i < 4; i++)
        if (strcmp(a->split, names[i]) == 0) {
            *out = (enum eval_split)i;
            return 0;
        }
    return cli_usage(&cli_command_ppl, "--split %s: choose none, blank-line, line or eot",
                     a->split);
}

static int check(const struct arguments *a, int n)
{
    if (n < 1)
        return cli_usage(&cli_command_ppl, "give at least one FILE (- is standard input)");
    if (a->window < 0 || a->stride < 0 || a->chunk < 0)
        return cli_usage(&cli_command_ppl, "--window, --stride and --chunk must be positive");
    if (a->resamples < 100 || a->resamples > 10000000)
        return cli_usage(&cli_command_ppl, "--resamples must be 100 to 10000000");
    if (!(a->level > 0 && a->level < 1))
        return cli_usage(&cli_command_ppl, "--level must be between 0 and 1");
    return 0;
}

static int measure(struct state *s, const char *const *files, size_t n,
                   const struct eval_documents_options *how)
{
    struct eval_documents *documents = NULL;
    const char *text, *name;
    size_t bytes;
    uint64_t done;
    int rc = eval_documents_open(&documents, files, n, how);
    if (rc || (rc = eval_perplexity_new(&s->perplexity, s->model, &s->options)))
        goto out;
    s->progress = base_progress_begin("ppl", "bytes", eval_documents_bytes(documents));
    while ((rc = eval_documents_next(documents, &text, &bytes, &name, &done)) > 0)
        if ((rc = eval_perplexity_add(s->perplexity, name, text, bytes)))
            goto out;
    if (rc == 0)
        rc = eval_perplexity_finish(s->perplexity, &s->report);
    if (rc == 0 && s->report.documents == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "%s%s: there is no text to measure", files[0],
                            n > 1 ? " and others" : "");
out:
    base_progress_end(s->progress);
    s->progress = NULL;
    eval_documents_close(documents);
    return rc;
}

static int run(int argc, char **argv)
{
    struct arguments a = { .split = "none", .level = 0.95, .resamples = 2000 };
    struct state s = { .options = EVAL_PERPLEXITY_OPTIONS_DEFAULT };
    int n;
    const struct cli_option options[] = {
        { "method", 0, CLI_STRINGS, &a.methods, "NAME",
          "rolling, strided or chunk; may repeat (default: all three)." },
        { "window", 0, CLI_INT, &a.window, "N",
          "Tokens per window of rolling and strided (default: the context, at most 2048)." },
        { "stride", 0, CLI_INT, &a.stride, "N", "Stride of strided (default: half the window)." },
        { "chunk", 0, CLI_INT, &a.chunk, "N",
          "Tokens per chunk (default: 512, or the window if that is less)." },
        { "split", 0, CLI_STRING, &a.split, "HOW",
          "Documents of a plain file: none, blank-line, line, or eot (an end-of-text mark)." },
        { "mark", 0, CLI_STRING, &a.mark, "TEXT",
          "The mark of --split eot (default <|endoftext|>)." },
        { "field", 0, CLI_STRING, &a.field, "KEY",
          "Key of the text in .jsonl files (default text)." },
        { "bos", 0, CLI_STRING, &a.bos, "WHEN",
          "Whether strided and chunk begin with BOS: auto (default), yes, no." },
        { "level", 0, CLI_DOUBLE, &a.level, "P", "Confidence of the intervals (default 0.95)." },
        { "resamples", 0, CLI_INT, &a.resamples, "N", "Bootstrap resamples (default 2000)." },
        { 0 }
    };
    int rc = cli_parse(&cli_command_ppl, options, true, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    struct eval_documents_options how = { .mark = a.mark, .field = a.field };
    struct cli_input input = { .bos = a.bos };
    enum eval_overlength unused;
    if ((rc = check(&a, n)) || (rc = parse_methods(&a, &s.options)) ||
        (rc = parse_split(&a, &how.split)))
        return rc;
    if (cli_input_policies(&input, &s.options.bos, &unused))
        return cli_usage(&cli_command_ppl, "%s", base_error_message());
    if (a.mark && !*a.mark)
        return cli_usage(&cli_command_ppl, "--mark must not be empty");
    s.split = a.split;
    s.options.window = (size_t)a.window;
    s.options.stride = (size_t)a.stride;
    s.options.chunk = (size_t)a.chunk;
    s.options.level = a.level;
    s.options.resamples = (size_t)a.resamples;
    s.options.seed = (uint64_t)cli_common.seed;
    s.options.on_progress = on_progress;
    s.options.context = &s;
    base_interrupt_install();
    if ((rc = cli_load_model(&cli_command_ppl, &s.model)))
        return rc;
    if (measure(&s, (const char *const *)(argv + 1), (size_t)n, &how)) {
        rc = cli_fail(&cli_command_ppl);
    } else if (cli_common.json) {
        rc = print_json(&s);
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, &s);
        rc = cli_print_text(&cli_command_ppl, &b, rc);
    }
    eval_perplexity_free(s.perplexity);
    model_free(s.model);
    return rc;
}
