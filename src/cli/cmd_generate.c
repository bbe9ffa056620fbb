/* assay generate: continue a prompt. */
#include "base/memory.h"
#include "base/progress.h"
#include "cli/display.h"
#include "cli/input.h"
#include "eval/compare.h"
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_generate = {
    .name = "generate",
    .synopsis = "-m MODEL [--max-tokens N] [--greedy | sampling options] PROMPT",
    .summary = "Continue a prompt, by any decoding strategy",
    .details =
        "Without options every token is drawn from the model's own distribution. Steps run in this "
        "order: penalties, DRY, temperature, top-n-sigma, top-k, typical, top-p, min-p, XTC, draw. "
        "Penalties look at prompt and text, or at the last --penalty-window tokens of both.\n\n"
        "The same --seed gives the same text, whatever else runs beside it: sample i of --samples "
        "N is "
        "what --stream i gives alone.\n\n"
        "--compare runs eight strategies side by side, each several times with the same seed and "
        "with "
        "others, and says which are reproducible and why.\n\n"
        "  assay generate -m builtin:tiny --greedy --max-tokens 30 'Once upon a time'\n"
        "  assay generate -m builtin:tiny --top-p 0.9 --samples 3 --seed 7 --stop . 'The sea'\n"
        "  assay generate -m builtin:tiny --compare 'Once upon a time'",
    .run = run,
};

static const char *const default_breakers[] = { "\n", ":", "\"", "*" };

struct arguments {
    struct cli_input input;
    int64_t max_tokens, samples, stream, repeats;
    int64_t top_k, dry_allowed_length, penalty_window, min_keep;
    bool greedy, ignore_eos, keep_special, compare;
    struct cli_strings stop, breakers;
    const char *stop_ids;
    struct generate_options options;
};

struct state {
    struct arguments *a;
    struct model *model;
    const struct tokenizer *tokenizer;
    struct eval_ids prompt;
    struct eval_cut cut;
    const char **stop; /* NULL-terminated */
    int32_t *stop_ids;
    struct sampler_breaker *breakers;
    size_t n_breakers;
};

/* Text goes out while it comes when there is one sample to show to people. */
static int on_text(void *context, size_t sample, const char *text, size_t bytes)
{
    (void)context, (void)sample;
    fwrite(text, 1, bytes, stdout);
    fflush(stdout);
    return 0;
}

static json_t *json_sampling(const struct sampler_options *o)
{
    return json_pack(
        "{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, "
        "s:I}",
        "temperature", base_json_number(o->temperature), "temperature_range",
        base_json_number(o->temperature_range), "temperature_exponent",
        base_json_number(o->temperature_exponent), "top_k", (json_int_t)o->top_k, "top_p",
        base_json_number(o->top_p), "min_p", base_json_number(o->min_p), "typical_p",
        base_json_number(o->typical_p), "top_n_sigma", base_json_number(o->top_n_sigma),
        "xtc_probability", base_json_number(o->xtc_probability), "xtc_threshold",
        base_json_number(o->xtc_threshold), "repetition_penalty",
        base_json_number(o->repetition_penalty), "presence_penalty",
        base_json_number(o->presence_penalty), "frequency_penalty",
        base_json_number(o->frequency_penalty), "dry_multiplier",
        base_json_number(o->dry_multiplier), "dry_base", base_json_number(o->dry_base),
        "dry_allowed_length", (json_int_t)o->dry_allowed_length, "penalty_window",
        (json_int_t)o->penalty_window);
}

static json_t *json_result(const struct generate_result *r)
{
    json_t *logprobs = json_array();
    double sum = 0;
    for (size_t i = 0; i < r->count; i++) {
        json_array_append_new(logprobs, base_json_number(r->logprobs[i]));
        sum += r->logprobs[i];
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:I}", "text",
                     r->text ? base_json_text(r->text, r->text_bytes) : json_null(), "ids",
                     cli_json_ids(r->ids, r->count), "logprobs", logprobs, "logprob",
                     base_json_number(sum), "finish", r->finish, "tokens", (json_int_t)r->count);
}

static int print_json(const struct state *s, const struct generate_result *results)
{
    const struct generate_options *o = &s->a->options;
    json_t *object = json_result(&results[0]), *samples = json_array();
    for (size_t i = 0; i < o->samples; i++)
        json_array_append_new(samples, json_result(&results[i]));
    if (object) {
        json_object_set_new(object, "samples", samples);
        json_object_set_new(object, "prompt_ids", cli_json_ids(s->prompt.at, s->prompt.count));
        json_object_set_new(object, "seed", json_integer((json_int_t)o->sampling.seed));
        json_object_set_new(object, "stream", json_integer((json_int_t)o->first_stream));
        json_object_set_new(object, "sampling", json_sampling(&o->sampling));
        json_object_set_new(object, "dropped", cli_json_cut(&s->cut));
    } else {
        json_decref(samples);
    }
    return cli_print_json(&cli_command_generate, object);
}

static int append_ids(struct base_buffer *b, const struct generate_result *r)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->count; i++)
        rc = base_buffer_printf(b, "%s%d", i ? "," : "", r->ids[i]);
    return rc;
}

static int lay_out(struct base_buffer *b, const struct state *s,
                   const struct generate_result *results)
{
    int rc = 0;
    size_t n = s->a->options.samples;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct generate_result *r = &results[i];
        if (n > 1)
            rc = base_buffer_printf(b, "%s[%zu] %zu tokens, %s\n", i ? "\n" : "",
                                    (size_t)s->a->stream + i, r->count, r->finish);
        if (rc == 0)
            rc = r->text ? base_buffer_append(b, r->text, r->text_bytes) : append_ids(b, r);
        if (rc == 0)
            rc = base_buffer_puts(b, "\n");
    }
    return rc;
}

static int run_plain(struct state *s)
{
    const struct generate_options *o = &s->a->options;
    bool live = !cli_common.json && !cli_common.output && o->samples == 1 && s->tokenizer;
    struct generate_result *results = base_alloc_zero(o->samples, sizeof *results);
    int rc = results ? generate(s->model, s->prompt.at, s->prompt.count, o, live ? on_text : NULL,
                                NULL, results)
                     : BASE_E_MEMORY;
    if (rc) {
        rc = cli_fail(&cli_command_generate);
    } else if (cli_common.json) {
        rc = print_json(s, results);
    } else if (live) {
        putchar('\n');
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, s, results);
        rc = cli_print_text(&cli_command_generate, &b, rc);
    }
    if (rc == 0)
        for (size_t i = 0; i < o->samples; i++)
            if (strcmp(results[i].finish, "interrupted") == 0)
                rc = 1;
    for (size_t i = 0; results && i < o->samples; i++)
        generate_result_free(&results[i]);
    base_free(results);
    return rc;
}

static json_t *json_texts(const struct generate_result *results, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array,
                              json_pack("{s:o, s:o, s:s}", "text",
                                        results[i].text
                                            ? base_json_text(results[i].text, results[i].text_bytes)
                                            : json_null(),
                                        "ids", cli_json_ids(results[i].ids, results[i].count),
                                        "finish", results[i].finish));
    return array;
}

static json_t *json_comparison(const struct state *s, const struct eval_comparison *all)
{
    json_t *list = json_array();
    for (size_t i = 0; i < eval_strategy_count; i++) {
        const struct eval_comparison *c = &all[i];
        json_array_append_new(
            list,
            json_pack("{s:s, s:b, s:b, s:b, s:I, s:I, s:o, s:o, s:s, s:o, s:o, s:o}", "strategy",
                      eval_strategies[i].name, "reproducible", c->reproducible, "batch_independent",
                      c->batch_independent, "seed_matters", c->distinct > 1, "distinct",
                      (json_int_t)c->distinct, "seeds", (json_int_t)c->repeats + 1, "mean_logprob",
                      base_json_number(c->mean_logprob), "distinct_bigrams",
                      base_json_number(c->distinct_bigrams), "why", c->why, "same_seed",
                      json_texts(c->same, c->repeats), "other_seeds",
                      json_texts(c->other, c->repeats), "sampling",
                      json_sampling(&eval_strategies[i].sampling)));
    }
    return json_pack("{s:o, s:I, s:I, s:o}", "prompt_ids",
                     cli_json_ids(s->prompt.at, s->prompt.count), "seed",
                     (json_int_t)s->a->options.sampling.seed, "repeats", (json_int_t)s->a->repeats,
                     "strategies", list);
}

static int lay_out_comparison(struct base_buffer *b, const struct state *s,
                              const struct eval_comparison *all)
{
    static const struct cli_column columns[] = { { "strategy", false, false },
                                                 { "same seed", false, false },
                                                 { "other seeds", false, false },
                                                 { "ln p/token", true, false },
                                                 { "variety", true, false } };
    static const struct cli_column texts[] = { { "", false, false }, { "", false, true } };
    struct cli_table table = { .columns = columns, .n_columns = 5 };
    struct cli_table written = { .columns = texts, .n_columns = 2 };
    for (size_t i = 0; i < eval_strategy_count; i++) {
        const struct eval_comparison *c = &all[i];
        const struct generate_result *r = &c->same[0];
        struct base_buffer ids = { 0 };
        cli_table_add(&table, "%s", eval_strategies[i].name);
        if (c->reproducible && c->batch_independent)
            cli_table_add(&table, "%zu of %zu equal", c->repeats, c->repeats);
        else
            cli_table_add(&table, "%s", "DIFFERENT");
        cli_table_add(&table, "%zu of %zu differ", c->distinct - 1, c->repeats);
        cli_table_add(&table, "%.3f", c->mean_logprob);
        cli_table_add(&table, "%.0f %%", 100 * c->distinct_bigrams);
        if (!r->text)
            append_ids(&ids, r);
        cli_table_add(&written, "%s", eval_strategies[i].name);
        cli_table_add(&written, "%s", r->text ? r->text : ids.data ? ids.data : "");
        base_buffer_free(&ids);
    }
    int rc = cli_table_append(b, &table), failed;
    rc = rc ? rc : base_buffer_puts(b, "\n");
    failed = cli_table_append(b, &written);
    rc = rc ? rc : failed;
    char note[256];
    snprintf(
        note, sizeof note,
        "Seed %llu: %lld runs with it, each from scratch, and one as the first of a batch; %lld "
        "runs with other seeds. Variety: different token pairs among all pairs of a text.",
        (unsigned long long)s->a->options.sampling.seed, (long long)s->a->repeats,
        (long long)s->a->repeats);
    rc = rc ? rc : base_buffer_puts(b, "\n");
    rc = rc ? rc : cli_append_wrapped(b, 2, note);
    rc = rc ? rc : base_buffer_puts(b, "\n");
    for (size_t i = 0; rc == 0 && i < eval_strategy_count; i++) {
        bool said = false; /* once per reason */
        for (size_t j = 0; j < i && !said; j++)
            said = all[j].why == all[i].why;
        if (said)
            continue;
        struct base_buffer names = { 0 };
        for (size_t j = i; rc == 0 && j < eval_strategy_count; j++)
            if (all[j].why == all[i].why)
                rc = base_buffer_printf(&names, "%s%s", names.length ? "; " : "",
                                        eval_strategies[j].name);
        rc = rc ? rc : base_buffer_puts(&names, ":");
        rc = rc ? rc : cli_append_wrapped(b, 2, names.data);
        rc = rc ? rc : cli_append_wrapped(b, 4, all[i].why);
        base_buffer_free(&names);
    }
    return rc;
}

static int run_comparison(struct state *s)
{
    const struct generate_options *o = &s->a->options;
    struct eval_comparison *all = base_alloc_zero(eval_strategy_count, sizeof *all);
    struct base_progress *progress =
        base_progress_begin("compare", "strategies", eval_strategy_count);
    int rc = all ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < eval_strategy_count; i++) {
        base_progress_update(progress, i, eval_strategies[i].name);
        rc = eval_compare(s->model, s->prompt.at, s->prompt.count, o, &eval_strategies[i],
                          o->sampling.seed, (size_t)s->a->repeats, &all[i]);
    }
    base_progress_end(progress);
    if (rc) {
        rc = cli_fail(&cli_command_generate);
    } else if (cli_common.json) {
        rc = cli_print_json(&cli_command_generate, json_comparison(s, all));
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out_comparison(&b, s, all);
        rc = cli_print_text(&cli_command_generate, &b, rc);
    }
    for (size_t i = 0; all && i < eval_strategy_count; i++)
        eval_comparison_free(&all[i]);
    base_free(all);
    return rc;
}

/* How long a prompt may be: all of the context, but when it is cut anyway, cut so that the text
 * fits too. */
static size_t prompt_limit(const struct state *s)
{
    size_t context = model_context(s->model), wanted = s->a->options.max_tokens;
    enum eval_bos bos;
    enum eval_overlength overlength;
    cli_input_policies(&s->a->input, &bos, &overlength);
    if (s->prompt.count <= context || overlength == EVAL_OVERLENGTH_ERROR)
        return context;
    return wanted < context / 2 ? context - wanted : context - context / 2;
}

static int prepare(struct state *s, const char *prompt)
{
    struct arguments *a = s->a;
    struct generate_options *o = &a->options;
    if (model_tokenizer(s->model, &s->tokenizer))
        s->tokenizer = NULL;
    int rc = cli_input_ids(&a->input, s->model, "the prompt", prompt, &s->prompt);
    if (rc || (rc = cli_input_fit(&a->input, &s->prompt, 0, prompt_limit(s), &s->cut)))
        return rc;
    s->stop = base_alloc_zero(a->stop.count + 1, sizeof *s->stop);
    if (!s->stop)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < a->stop.count; i++)
        s->stop[i] = a->stop.at[i];
    o->stop = a->stop.count ? s->stop : NULL;
    if (a->stop_ids && (rc = cli_parse_ids(a->stop_ids, &s->stop_ids, &o->n_stop_ids)))
        return rc;
    o->stop_ids = s->stop_ids;
    if (o->sampling.dry_multiplier > 0 && s->tokenizer) {
        bool own = a->breakers.count > 0;
        rc = sampler_breakers_from_text(s->tokenizer, own ? a->breakers.at : default_breakers,
                                        own ? a->breakers.count : 4, &s->breakers, &s->n_breakers);
        o->sampling.dry_breakers = s->breakers;
        o->sampling.dry_breaker_count = s->n_breakers;
    }
    return rc;
}

/* What the options contradict; 0 or the usage exit code. */
static int check(struct arguments *a, int n)
{
    const struct cli_command *command = &cli_command_generate;
    if (n != (a->input.ids ? 0 : 1))
        return cli_usage(command, a->input.ids ? "--ids takes the place of the prompt"
                                               : "give one prompt (quote it), or --ids");
    if (a->samples < 1 || a->samples > 100000)
        return cli_usage(command, "--samples must be 1 to 100000");
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {
        { "max-tokens", a->max_tokens },
        { "stream", a->stream },
        { "top-k", a->top_k },
        { "min-keep", a->min_keep },
        { "dry-allowed-length", a->dry_allowed_length },
        { "penalty-window", a->penalty_window },
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].value < 0)
            return cli_usage(command, "--%s must be 0 or more, got %lld", counts[i].name,
                             (long long)counts[i].value);
    if (a->repeats < 1 || a->repeats > 1000)
        return cli_usage(command, "--repeats must be 1 to 1000");
    return 0;
}

static int run(int argc, char **argv)
{
    struct arguments a = { .max_tokens = 64,
                           .samples = 1,
                           .repeats = 3,
                           .dry_allowed_length = 2,
                           .options = GENERATE_OPTIONS_DEFAULT };
    struct sampler_options *o = &a.options.sampling;
    int n;
    const struct cli_option options[] = {
        { "max-tokens", 'n', CLI_INT, &a.max_tokens, "N", "Most tokens to generate (default 64)." },
        { "greedy", 'g', CLI_FLAG, &a.greedy, NULL, "Always the most probable token." },
        { "temperature", 0, CLI_DOUBLE, &o->temperature, "T",
          "Divide logits by T (default 1; 0 = greedy)." },
        { "temperature-range", 0, CLI_DOUBLE, &o->temperature_range, "R",
          "Temperature between T-R and T+R by the entropy of the distribution." },
        { "temperature-exponent", 0, CLI_DOUBLE, &o->temperature_exponent, "E",
          "Exponent of the normalised entropy for --temperature-range (default 1)." },
        { "top-k", 'k', CLI_INT, &a.top_k, "K", "Draw among the K most probable tokens." },
        { "top-p", 'p', CLI_DOUBLE, &o->top_p, "P",
          "Draw among the most probable tokens that together reach P." },
        { "min-p", 0, CLI_DOUBLE, &o->min_p, "P",
          "Draw among tokens at least P times as probable as the best." },
        { "typical-p", 0, CLI_DOUBLE, &o->typical_p, "P",
          "Draw among the tokens of most typical surprise that together exceed P." },
        { "top-n-sigma", 0, CLI_DOUBLE, &o->top_n_sigma, "N",
          "Draw among tokens whose logit is within N standard deviations of the best." },
        { "xtc-probability", 0, CLI_DOUBLE, &o->xtc_probability, "P",
          "With this chance, exclude all top choices but the least probable of them." },
        { "xtc-threshold", 0, CLI_DOUBLE, &o->xtc_threshold, "P",
          "From which probability on a token is a top choice (default 0.1)." },
        { "repetition-penalty", 0, CLI_DOUBLE, &o->repetition_penalty, "R",
          "Divide positive logits of seen tokens by R, multiply negative ones." },
        { "presence-penalty", 0, CLI_DOUBLE, &o->presence_penalty, "A",
          "Subtract A from the logits of seen tokens." },
        { "frequency-penalty", 0, CLI_DOUBLE, &o->frequency_penalty, "A",
          "Subtract A for every time a token was seen." },
        { "penalty-window", 0, CLI_INT, &a.penalty_window, "N",
          "Penalties and DRY look at the last N tokens (default 0: all)." },
        { "dry-multiplier", 0, CLI_DOUBLE, &o->dry_multiplier, "M",
          "DRY: strength of the penalty on tokens that lengthen a repetition." },
        { "dry-base", 0, CLI_DOUBLE, &o->dry_base, "B",
          "DRY: growth of the penalty per repeated token (default 1.75)." },
        { "dry-allowed-length", 0, CLI_INT, &a.dry_allowed_length, "N",
          "DRY: repetitions shorter than this are free (default 2)." },
        { "dry-breaker", 0, CLI_STRINGS, &a.breakers, "TEXT",
          "DRY: text that ends a repetition (default newline, colon, quote, asterisk)." },
        { "min-keep", 0, CLI_INT, &a.min_keep, "N", "No filter leaves fewer tokens than this." },
        { "samples", 's', CLI_INT, &a.samples, "N", "How many texts to generate (default 1)." },
        { "stream", 0, CLI_INT, &a.stream, "I", "Number of the first sample's random stream." },
        { "stop", 0, CLI_STRINGS, &a.stop, "TEXT", "End before this text; may repeat." },
        { "stop-ids", 0, CLI_STRING, &a.stop_ids, "LIST", "End at these token ids." },
        { "ignore-eos", 0, CLI_FLAG, &a.ignore_eos, NULL, "Go on after the end-of-text token." },
        { "keep-special", 0, CLI_FLAG, &a.keep_special, NULL, "Show special tokens in the text." },
        { "compare", 0, CLI_FLAG, &a.compare, NULL, "Run the strategies side by side." },
        { "repeats", 0, CLI_INT, &a.repeats, "N",
          "--compare: runs per strategy with the same seed, and with others (default 3)." },
        CLI_INPUT_OPTIONS(a.input),
        { 0 }
    };
    int rc = cli_parse(&cli_command_generate, options, true, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = check(&a, n)))
        return rc;
    a.options.max_tokens = (size_t)a.max_tokens;
    a.options.samples = (size_t)a.samples;
    a.options.first_stream = (uint64_t)a.stream;
    a.options.ignore_eos = a.ignore_eos;
    a.options.keep_special = a.keep_special;
    o->top_k = a.top_k;
    o->dry_allowed_length = (size_t)a.dry_allowed_length;
    o->penalty_window = (size_t)a.penalty_window;
    o->min_keep = (size_t)a.min_keep;
    o->seed = (uint64_t)cli_common.seed;
    if (a.greedy)
        o->temperature = o->temperature_range = 0;
    struct state s = { .a = &a };
    base_interrupt_install();
    if ((rc = cli_load_model(&cli_command_generate, &s.model)))
        return rc;
    rc = prepare(&s, argv[1]);
    if (rc)
        rc = cli_fail(&cli_command_generate);
    else
        rc = a.compare ? run_comparison(&s) : run_plain(&s);
    sampler_breakers_free(s.breakers, s.n_breakers);
    base_free(s.stop);
    base_free(s.stop_ids);
    eval_ids_free(&s.prompt);
    model_free(s.model);
    return rc;
}
