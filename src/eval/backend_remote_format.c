/* The bodies of requests to endpoints and of their answers; see backend_remote.h.
 *
 * Log-likelihoods by /completions: the endpoint echoes the prompt with the log-probability of each
 * of its tokens; those that lie in the continuation are summed. Where tokens begin is told in
 * characters (text_offset). Blanks at the end of the context count as the continuation's, as with
 * local models. */
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/backend_remote.h"
#include "eval/space.h"
#include <math.h>
#include <string.h>

enum { MOST_STOPS = 4 }; /* what OpenAI's API takes; the others cut the text here */

void eval_remote_complaint(const char *body, size_t bytes, char *out, size_t room)
{
    json_t *o = NULL;
    const char *text = NULL;
    if (bytes && base_json_parse(&o, body, bytes, "answer") == 0) {
        const json_t *error = json_object_get(o, "error");
        text = json_string_value(json_object_get(json_is_object(error) ? error : o, "message"));
        if (!text)
            text = json_string_value(error);
    }
    if (!text)
        text = bytes ? body : "no further explanation";
    size_t n = strnlen(text, text == body ? bytes : SIZE_MAX);
    n = n < room - 1 ? n : base_utf8_complete(text, room - 1);
    memcpy(out, text, n);
    out[n] = 0;
    json_decref(o);
}

/* ---- requests ---- */

static json_t *stops(const struct eval_generation *g, bool blank_too)
{
    json_t *list = json_array();
    for (size_t i = 0; i < g->n_until && json_array_size(list) < MOST_STOPS; i++)
        if (blank_too || !eval_space_only(g->until[i], strlen(g->until[i])))
            json_array_append_new(list, json_string(g->until[i]));
    return list;
}

static int read_messages(const struct eval_remote_call *c, json_t **messages)
{
    if (c->messages)
        return base_json_parse(messages, c->request->context, strlen(c->request->context),
                               "messages");
    *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", c->request->context);
    return *messages ? 0 : base_error_set(BASE_E_FORMAT, "the prompt is not valid UTF-8");
}

/* The Messages API takes the system's message beside the others. */
static void move_system(json_t *body, json_t *messages)
{
    json_t *m;
    size_t i;
    json_array_foreach(messages, i, m)
    {
        const char *role = json_string_value(json_object_get(m, "role"));
        if (role && strcmp(role, "system") == 0) {
            json_object_set(body, "system", json_object_get(m, "content"));
            json_array_remove(messages, i);
            return;
        }
    }
}

static void put(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value);
}

static int write_generation(const struct eval_remote_call *c, json_t *o)
{
    const struct eval_generation *g = c->request->generation;
    bool anthropic = c->path == EVAL_REMOTE_MESSAGES;
    json_t *messages = NULL, *list = stops(g, !anthropic);
    int rc = 0;
    put(o, c->completion_tokens ? "max_completion_tokens" : "max_tokens",
        json_integer((json_int_t)g->max_tokens));
    put(o, "temperature", json_real(g->sample ? g->temperature : 0));
    if (g->sample && g->top_p < 1)
        put(o, "top_p", json_real(g->top_p));
    if (g->sample && g->top_k > 0 && anthropic)
        put(o, "top_k", json_integer(g->top_k));
    if (!anthropic && g->sample)
        put(o, "seed", json_integer((json_int_t)((c->request->seed + c->repeat) & 0x7fffffff)));
    if (json_array_size(list))
        json_object_set(o, anthropic ? "stop_sequences" : "stop", list);
    json_decref(list);
    if (c->path == EVAL_REMOTE_COMPLETIONS) {
        put(o, "prompt", json_string(c->request->context));
        return json_object_get(o, "prompt")
                   ? 0
                   : base_error_set(BASE_E_FORMAT, "the prompt is not valid UTF-8");
    }
    rc = read_messages(c, &messages);
    if (rc == 0 && anthropic)
        move_system(o, messages);
    if (rc == 0)
        put(o, "messages", messages);
    return rc;
}

/* One token is written because some endpoints refuse to write none; it is not looked at. */
static int write_echo(const struct eval_remote_call *c, json_t *o)
{
    const struct eval_request *r = c->request;
    char *whole = base_format("%s%s", r->context, r->continuation);
    if (!whole)
        return BASE_E_MEMORY;
    json_t *prompt = json_string(whole);
    base_free(whole);
    if (!prompt)
        return base_error_set(BASE_E_FORMAT, "the prompt is not valid UTF-8");
    put(o, "prompt", prompt);
    put(o, "max_tokens", json_integer(1));
    put(o, "temperature", json_integer(0));
    put(o, "logprobs", json_integer(1));
    put(o, "echo", json_true());
    return 0;
}

int eval_remote_write(const struct eval_remote_call *c, char **body)
{
    json_t *o = json_pack("{s:s}", "model", c->model);
    *body = NULL;
    int rc = !o ? base_error_set(BASE_E_ARGUMENT, "the model's name is not valid UTF-8")
             : c->request->kind == EVAL_REQUEST_GENERATE ? write_generation(c, o)
                                                         : write_echo(c, o);
    if (rc == 0 && !(*body = base_json_dump(o, false)))
        rc = BASE_E_MEMORY;
    json_decref(o);
    return rc;
}

/* ---- answers ---- */

static int unreadable(const char *what)
{
    return base_error_set(BASE_E_FORMAT, "the endpoint's answer has no %s", what);
}

static int read_text(const struct eval_remote_call *c, const json_t *o, char **text, size_t *tokens)
{
    const json_t *usage = json_object_get(o, "usage"), *choice, *part;
    struct base_buffer b = { 0 };
    int rc = base_buffer_reserve(&b, 1);
    size_t i;
    const char *piece = NULL;
    if (c->path == EVAL_REMOTE_MESSAGES) {
        const json_t *content = json_object_get(o, "content");
        if (rc == 0 && !json_is_array(content))
            rc = unreadable("\"content\"");
        json_array_foreach(content, i, part)
        {
            piece = json_string_value(json_object_get(part, "text"));
            rc = rc || !piece ? rc : base_buffer_puts(&b, piece);
        }
    } else {
        choice = json_array_get(json_object_get(o, "choices"), 0);
        const json_t *message = json_object_get(choice, "message");
        piece = json_string_value(
            json_object_get(message ? message : choice, message ? "content" : "text"));
        if (rc == 0 && !json_is_object(choice))
            rc = unreadable("\"choices\"");
        rc = rc || !piece ? rc : base_buffer_puts(&b, piece); /* null: nothing was written */
    }
    *tokens = (size_t)json_integer_value(json_object_get(
        usage, c->path == EVAL_REMOTE_MESSAGES ? "output_tokens" : "completion_tokens"));
    *text = rc ? NULL : base_buffer_take(&b);
    base_buffer_free(&b);
    const struct eval_generation *g = c->request->generation;
    for (i = 0; rc == 0 && i < g->n_until; i++) {
        char *at = *g->until[i] ? strstr(*text, g->until[i]) : NULL;
        if (at)
            *at = 0;
    }
    return rc;
}

static size_t characters(const char *text, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* Where token i begins, counted from the prompt's first character. A server that puts a BOS in
 * front counts its text ("<s>") too. */
static long long offset_at(const json_t *offsets, size_t i, long long shift)
{
    return (long long)json_integer_value(json_array_get(offsets, i)) - shift;
}

static bool is_greedy(const json_t *top, double logprob)
{
    const char *token;
    json_t *v;
    if (!json_is_object(top) || !json_object_size(top))
        return false;
    json_object_foreach((json_t *)(uintptr_t)top, token, v)
    {
        if (json_number_value(v) > logprob + 1e-6)
            return false;
    }
    return true;
}

static int read_echo(const struct eval_remote_call *c, const json_t *o, struct eval_response *r)
{
    const struct eval_request *q = c->request;
    const json_t *logprobs =
                     json_object_get(json_array_get(json_object_get(o, "choices"), 0), "logprobs"),
                 *tokens = json_object_get(logprobs, "tokens"),
                 *values = json_object_get(logprobs, "token_logprobs"),
                 *tops = json_object_get(logprobs, "top_logprobs"),
                 *offsets = json_object_get(logprobs, "text_offset");
    size_t n = json_array_size(tokens), context = strlen(q->context),
           stem = eval_space_trim_end(q->context, context);
    long long border = (long long)characters(q->context, stem),
              end = (long long)characters(q->context, context) +
                    (long long)characters(q->continuation, strlen(q->continuation));
    const char *first = json_string_value(json_array_get(tokens, 0));
    if (n == 0 || json_array_size(values) != n || json_array_size(offsets) != n || !first)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "the endpoint gives no log-probabilities of the prompt (echo with "
                              "logprobs, by /completions): log-likelihoods cannot be had from it");
    const char *start = *q->context ? q->context : q->continuation;
    long long shift = n > 1 && !base_starts_with(start, first) && !base_starts_with(first, start)
                          ? (long long)json_integer_value(json_array_get(offsets, 1))
                          : 0;
    size_t from = shift ? 1 : 0;
    while (from < n && offset_at(offsets, from, shift) < border)
        from++;
    if (from > 0 && (from == n || offset_at(offsets, from, shift) > border) && border > 0) {
        from--; /* this token spans the border */
        r->boundary_retokenized = true;
    }
    r->greedy = true;
    for (size_t i = from; i < n && offset_at(offsets, i, shift) < end; i++) {
        const json_t *v = json_array_get(values, i);
        if (!json_is_number(v))
            return base_error_set(BASE_E_UNSUPPORTED,
                                  "the endpoint gives no log-probability for the first token of a "
                                  "prompt: a continuation without context cannot be scored");
        double logprob = json_number_value(v);
        if (r->tokens++ == 0)
            r->first_logprob = logprob;
        r->logprob += logprob;
        r->greedy = r->greedy && is_greedy(json_array_get(tops, i), logprob);
    }
    if (r->tokens == 0)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "the endpoint does not echo the prompt: log-likelihoods cannot be "
                              "had from it");
    return isfinite(r->logprob) ? 0
                                : base_error_set(BASE_E_NUMERIC, "a log-probability is no "
                                                                 "finite number");
}

int eval_remote_read(const struct eval_remote_call *c, const char *body, size_t bytes,
                     struct eval_response *response, char **text, size_t *tokens)
{
    json_t *o = NULL;
    *text = NULL;
    *tokens = 0;
    int rc = base_json_parse(&o, body, bytes, "the endpoint's answer");
    if (rc == 0)
        rc = c->request->kind == EVAL_REQUEST_GENERATE ? read_text(c, o, text, tokens)
                                                       : read_echo(c, o, response);
    json_decref(o);
    return rc;
}
