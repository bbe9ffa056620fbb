/* Generation: n samples of one prompt in one batch.
 *
 * The prompt runs once; every sample is a fork of its cached keys and values, and draws its first
 * token from the same row of logits. Then all unfinished samples advance by one token per forward.
 * Because logits do not depend on the batch and a draw depends on (seed, stream, step) alone,
 * sample i is the same text whatever runs beside it.
 *
 * Text. The decoder is fed the prompt first and what it says to that is dropped, so that the text
 * is exactly what follows the prompt (decoders that strip the first blank would lose one
 * otherwise). text[0..sent) has been handed out. The end of the rest may be the beginning of a stop
 * string: the longest such suffix is held back until the next token decides. Invariant: no stop
 * string begins before `sent`. */
#include "base/buffer.h"
#include "base/memory.h"
#include <assay/sampler.h>
#include <string.h>

struct sample {
    struct model_sequence *sequence;
    struct tokenizer_stream *stream; /* NULL without a tokenizer */
    struct base_buffer text;
    size_t sent;
    int32_t *ids;     /* [capacity]: the prompt, then what was drawn */
    double *logprobs; /* [capacity], from the first drawn token on */
    size_t drawn, capacity;
    const char *finish; /* NULL while it runs */
};

struct run {
    const struct generate_options *options;
    const struct tokenizer *tokenizer; /* NULL when the model has none */
    struct sampler *sampler;
    size_t n_prompt;
    struct sample *samples;
    size_t *active; /* item of the batch -> sample */
    int32_t *feed;  /* item of the batch -> its token: a sample's own ids move when they grow */
    struct model_item *items;
    generate_text_fn *on_text;
    void *context;
};

static int draw(struct run *r, struct sample *s, const real *logits)
{
    size_t n = r->n_prompt + s->drawn;
    if (s->drawn == s->capacity) {
        size_t capacity = s->capacity * 2 + 32;
        int32_t *ids = base_realloc(s->ids, r->n_prompt + capacity, sizeof *ids);
        if (!ids)
            return BASE_E_MEMORY;
        s->ids = ids;
        double *logprobs = base_realloc(s->logprobs, capacity, sizeof *logprobs);
        if (!logprobs)
            return BASE_E_MEMORY;
        s->logprobs = logprobs;
        s->capacity = capacity;
    }
    int rc = sampler_next(r->sampler, logits, s->ids, n,
                          r->options->first_stream + (uint64_t)(s - r->samples), s->drawn,
                          &s->ids[n], &s->logprobs[s->drawn]);
    if (rc == 0)
        s->drawn++;
    return rc;
}

/* The prompt's last row: every sample draws from it. */
static int on_prompt_logits(void *context, size_t item, size_t first_row, size_t rows,
                            const real *logits)
{
    (void)item, (void)first_row, (void)rows;
    struct run *r = context;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->options->samples; i++)
        rc = draw(r, &r->samples[i], logits);
    return rc;
}

static int on_step_logits(void *context, size_t item, size_t first_row, size_t rows,
                          const real *logits)
{
    (void)first_row, (void)rows;
    struct run *r = context;
    return draw(r, &r->samples[r->active[item]], logits);
}

/* Hands out text[sent..end). */
static int emit(struct run *r, struct sample *s, size_t end)
{
    size_t begin = s->sent;
    if (end <= begin)
        return 0;
    s->sent = end;
    if (!r->on_text)
        return 0;
    return r->on_text(r->context, (size_t)(s - r->samples), s->text.data + begin, end - begin);
}

/* Looks for stop strings in the text not handed out. Found: cuts the text before the earliest and
 * returns true. *safe: how far text is certain not to belong to one. */
static bool stop_found(const struct run *r, struct sample *s, size_t *safe)
{
    size_t from = s->sent, length = s->text.length, first = SIZE_MAX, held = 0;
    const char *const *stop = r->options->stop;
    for (; stop && *stop; stop++) {
        size_t n = strlen(*stop), left = length - from;
        const char *at = left ? memmem(s->text.data + from, left, *stop, n) : NULL;
        if (at && (size_t)(at - s->text.data) < first)
            first = (size_t)(at - s->text.data);
        for (size_t k = n - 1 < left ? n - 1 : left; k > held; k--)
            if (memcmp(s->text.data + length - k, *stop, k) == 0)
                held = k;
    }
    *safe = first != SIZE_MAX ? first : length - held;
    if (first == SIZE_MAX)
        return false;
    s->text.length = first;
    s->text.data[first] = 0;
    return true;
}

static int add_text(struct run *r, struct sample *s, const char *piece, size_t bytes)
{
    int rc = base_buffer_append(&s->text, piece, bytes);
    if (rc)
        return rc;
    size_t safe;
    if (stop_found(r, s, &safe))
        s->finish = "stop";
    return emit(r, s, safe);
}

static bool ends_text(const struct run *r, int32_t id)
{
    if (!r->options->ignore_eos && r->tokenizer && id == tokenizer_eos(r->tokenizer))
        return true;
    for (size_t i = 0; i < r->options->n_stop_ids; i++)
        if (r->options->stop_ids[i] == id)
            return true;
    return false;
}

/* Matrices are often padded beyond the vocabulary; such rows can be drawn, but are no text. */
static bool is_text(const struct tokenizer *t, int32_t id)
{
    return (size_t)id < tokenizer_vocabulary(t) && tokenizer_piece(t, id);
}

/* What the token just drawn means: text, and whether the sample ends with it. */
static int accept(struct run *r, struct sample *s, size_t context_limit)
{
    int rc = 0;
    int32_t id = s->ids[r->n_prompt + s->drawn - 1];
    const char *piece;
    size_t bytes;
    if (ends_text(r, id)) {
        s->finish = "eos";
    } else if (s->stream && is_text(r->tokenizer, id)) {
        if ((rc = tokenizer_stream_put(s->stream, id, &piece, &bytes)) ||
            (rc = add_text(r, s, piece, bytes)))
            return rc;
    }
    if (!s->finish && s->drawn == r->options->max_tokens)
        s->finish = "length";
    if (!s->finish && r->n_prompt + s->drawn > context_limit)
        s->finish = "context";
    return 0;
}

/* The end of a sample's text: what the decoder and the search for stop strings held back. */
static int finish_text(struct run *r, struct sample *s)
{
    if (!s->stream || strcmp(s->finish, "stop") == 0)
        return 0;
    const char *piece;
    size_t bytes;
    int rc = tokenizer_stream_flush(s->stream, &piece, &bytes);
    if (rc == 0 && bytes > 0)
        rc = add_text(r, s, piece, bytes);
    return rc ? rc : emit(r, s, s->text.length);
}

static int check_prompt(const struct model *m, const int32_t *prompt, size_t n)
{
    size_t vocabulary = model_vocabulary(m), limit = model_context(m);
    if (n == 0)
        return base_error_set(BASE_E_ARGUMENT, "the prompt is empty: at least one token is needed");
    if (n > limit)
        return base_error_set(BASE_E_LIMIT,
                              "the prompt has %zu tokens, but %s holds at most %zu: shorten it", n,
                              model_path(m), limit);
    for (size_t i = 0; i < n; i++)
        if (prompt[i] < 0 || (size_t)prompt[i] >= vocabulary)
            return base_error_set(BASE_E_ARGUMENT,
                                  "prompt: id %d at position %zu is not in the vocabulary of %s "
                                  "(0 to %zu)",
                                  prompt[i], i, model_path(m), vocabulary - 1);
    return 0;
}

static int begin_sample(struct run *r, struct sample *s, const int32_t *prompt)
{
    s->ids = base_alloc(r->n_prompt, sizeof *s->ids);
    if (!s->ids)
        return BASE_E_MEMORY;
    memcpy(s->ids, prompt, r->n_prompt * sizeof *prompt);
    if (!r->tokenizer)
        return 0;
    int rc = tokenizer_stream_new(&s->stream, r->tokenizer, !r->options->keep_special);
    const char *piece;
    size_t bytes;
    for (size_t i = 0; rc == 0 && i < r->n_prompt; i++)
        if (is_text(r->tokenizer, prompt[i]))
            rc = tokenizer_stream_put(s->stream, prompt[i], &piece, &bytes);
    return rc ? rc : base_buffer_reserve(&s->text, 1);
}

static void end_sample(struct sample *s)
{
    model_sequence_free(s->sequence);
    tokenizer_stream_free(s->stream);
    base_buffer_free(&s->text);
    base_free(s->ids);
    base_free(s->logprobs);
}

/* One more token for every unfinished sample; *running is how many were left before it. */
static int step(struct run *r, struct model *m, size_t *running)
{
    size_t n = 0;
    for (size_t i = 0; i < r->options->samples; i++) {
        struct sample *s = &r->samples[i];
        if (s->finish)
            continue;
        if (base_interrupted()) {
            s->finish = "interrupted";
            continue;
        }
        r->active[n] = i;
        r->feed[n] = s->ids[r->n_prompt + s->drawn - 1];
        r->items[n] = (struct model_item){ .sequence = s->sequence, .ids = &r->feed[n], .n = 1 };
        n++;
    }
    *running = n;
    if (n == 0)
        return 0;
    int rc = model_forward(m, r->items, n, on_step_logits, r, NULL);
    size_t limit = model_context(m);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = accept(r, &r->samples[r->active[i]], limit);
    return rc;
}

/* Moves the sample's arrays into the result. */
static int take_result(struct run *r, struct sample *s, struct generate_result *out)
{
    int rc = finish_text(r, s);
    if (rc)
        return rc;
    out->finish = s->finish;
    out->count = s->drawn;
    out->ids = s->ids;
    memmove(s->ids, s->ids + r->n_prompt, s->drawn * sizeof *s->ids);
    s->ids = NULL;
    out->logprobs = s->logprobs;
    s->logprobs = NULL;
    if (s->stream) {
        out->text_bytes = s->text.length;
        out->text = base_buffer_take(&s->text);
        if (!out->text)
            return BASE_E_MEMORY;
    }
    return 0;
}

static int check_stops(const struct run *r)
{
    const char *const *stop = r->options->stop;
    if (stop && *stop && !r->tokenizer)
        return base_error_set(
            BASE_E_ARGUMENT, "stop strings need a tokenizer, and the model has none: use stop ids");
    for (; stop && *stop; stop++)
        if (!**stop)
            return base_error_set(BASE_E_ARGUMENT, "a stop string is empty");
    return 0;
}

int generate(struct model *m, const int32_t *prompt, size_t n_prompt,
             const struct generate_options *options, generate_text_fn *on_text, void *context,
             struct generate_result *results)
{
    size_t samples = options->samples;
    struct run r = {
        .options = options, .n_prompt = n_prompt, .on_text = on_text, .context = context
    };
    struct model_sequence *computed = NULL;
    memset(results, 0, samples * sizeof *results);
    int rc = check_prompt(m, prompt, n_prompt);
    if (rc)
        return rc;
    if (model_tokenizer(m, &r.tokenizer))
        r.tokenizer = NULL; /* fine: ids only */
    if ((rc = check_stops(&r)) ||
        (rc = sampler_new(&r.sampler, &options->sampling, model_vocabulary(m))))
        goto out;
    r.samples = base_alloc_zero(samples, sizeof *r.samples);
    r.active = base_alloc(samples, sizeof *r.active);
    r.feed = base_alloc(samples, sizeof *r.feed);
    r.items = base_alloc(samples, sizeof *r.items);
    if (!r.samples || !r.active || !r.feed || !r.items) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    rc = model_sequence_new(&computed, m);
    for (size_t i = 0; rc == 0 && i < samples; i++)
        rc = begin_sample(&r, &r.samples[i], prompt);
    if (rc)
        goto out;
    if (options->max_tokens > 0 && samples > 0) {
        struct model_item item = { computed, prompt, n_prompt, n_prompt - 1 };
        rc = model_forward(m, &item, 1, on_prompt_logits, &r, NULL);
        for (size_t i = 0; rc == 0 && i < samples; i++) {
            struct sample *s = &r.samples[i];
            rc = model_sequence_fork(&s->sequence, computed, n_prompt);
            if (rc == 0)
                rc = accept(&r, s, model_context(m));
        }
        for (size_t running = samples; rc == 0 && running > 0;)
            rc = step(&r, m, &running);
    }
    for (size_t i = 0; rc == 0 && i < samples; i++) {
        if (!r.samples[i].finish)
            r.samples[i].finish = "length"; /* max_tokens 0 */
        rc = take_result(&r, &r.samples[i], &results[i]);
    }
out:
    for (size_t i = 0; r.samples && i < samples; i++) {
        end_sample(&r.samples[i]);
        if (rc)
            generate_result_free(&results[i]);
    }
    model_sequence_free(computed);
    sampler_free(r.sampler);
    base_free(r.samples);
    base_free(r.active);
    base_free(r.feed);
    base_free(r.items);
    return rc;
}

void generate_result_free(struct generate_result *r)
{
    base_free(r->ids);
    base_free(r->logprobs);
    base_free(r->text);
    *r = (struct generate_result){ 0 };
}
