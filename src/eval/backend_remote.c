/* A model behind an address. Several workers send requests, each over a connection of its own; the
 * calling thread hands answers on as they come. Retries, Retry-After and timeouts are the HTTP
 * client's (model/http.h); the rate limit is here: no two requests begin closer than a minute over
 * the rate.
 *
 * The key is read from the environment, given to the HTTP client, and kept nowhere else. */
#include "eval/backend_remote.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "model/http.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define MOST_BYTES   ((size_t)64 << 20) /* of an answer */
#define CONCURRENCY  4
#define MOST_AT_ONCE 256

struct remote {
    struct eval_backend base;
    struct eval_remote_options options;
    char *root;  /* address without the endpoint's path, no '/' at its end */
    char *model; /* name */
    bool anthropic;
    bool only;                  /* the address names one endpoint: */
    enum eval_remote_path path; /* this one */
    bool completion_tokens;     /* learnt from a refusal; guarded by an ask's lock */
    uint64_t requests, sent, tokens, retokenized;
};

/* One HTTP request: a request's text number `repeat`, or its log-likelihood. */
struct unit {
    size_t request, repeat;
};
struct pool {
    struct remote *b;
    const struct eval_request *const *requests;
    struct eval_response *responses;
    struct unit *units;
    size_t n_units, next; /* next to be sent */
    size_t *open;         /* [requests]: units not yet done */
    size_t *done;         /* [requests]: those complete, in the order they became so */
    size_t n_done, n_running;
    double begin; /* when the next request may begin */
    int rc;
    char message[600];
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static const char *key_name(const struct remote *b)
{
    return b->anthropic ? "ANTHROPIC_API_KEY" : "OPENAI_API_KEY";
}

static int open_connection(const struct remote *b, struct model_http **out)
{
    struct model_http_options o = {
        .token = getenv(key_name(b)),
        .token_header = b->anthropic ? "x-api-key: " : NULL,
        .retries = b->options.retries,
        .retry_seconds = b->options.retry_seconds,
        .silence_seconds = b->options.timeout,
    };
    return model_http_open(out, &o);
}

static const char *const path_names[] = { "/completions", "/chat/completions", "/messages" };

/* Which endpoint answers a request; an error where none can. */
static int choose_path(const struct remote *b, const struct eval_request *r,
                       enum eval_remote_path *path)
{
    if (r->kind == EVAL_REQUEST_ROLLING)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "rolling log-likelihoods need the model's own tokenizer: they cannot "
                              "be had from an endpoint");
    if (r->kind == EVAL_REQUEST_GENERATE) {
        *path = b->only ? b->path : b->anthropic ? EVAL_REMOTE_MESSAGES : EVAL_REMOTE_CHAT;
        if (b->options.messages && *path == EVAL_REMOTE_COMPLETIONS)
            return base_error_set(BASE_E_UNSUPPORTED,
                                  "%s takes no messages: leave --chat out, or give the address "
                                  "without /completions",
                                  path_names[*path]);
        return 0;
    }
    *path = b->only ? b->path : b->anthropic ? EVAL_REMOTE_MESSAGES : EVAL_REMOTE_COMPLETIONS;
    if (*path != EVAL_REMOTE_COMPLETIONS || b->options.messages)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "log-likelihoods cannot be had over chat (%s gives no probabilities "
                              "of a given text): use a task that generates, or an endpoint with "
                              "/completions",
                              *path == EVAL_REMOTE_COMPLETIONS ? "--chat" : path_names[*path]);
    return 0;
}

/* ---- one exchange ---- */

static void hide_key(const struct remote *b, char *text)
{
    const char *key = getenv(key_name(b));
    size_t n = key ? strlen(key) : 0;
    for (char *at = text; n > 3 && (at = strstr(at, key));)
        memset(at, '*', n);
}

static int refused(const struct remote *b, const char *url, long status,
                   const struct base_buffer *body)
{
    char complaint[400];
    eval_remote_complaint(body->data ? body->data : "", body->length, complaint, sizeof complaint);
    hide_key(b, complaint);
    if (status == 401 || status == 403)
        return base_error_set(BASE_E_IO, "%s: status %ld: %s (the key is read from %s)", url,
                              status, complaint, key_name(b));
    return base_error_set(BASE_E_IO, "%s: status %ld: %s", url, status, complaint);
}

static int exchange(struct pool *p, struct model_http *h, const struct unit *u)
{
    struct remote *b = p->b;
    struct eval_response *r = &p->responses[u->request];
    struct base_buffer body = { 0 };
    struct model_http_response answer;
    static const char *const openai[] = { "Content-Type: application/json", NULL },
                             *const anthropic[] = { "Content-Type: application/json",
                                                    "anthropic-version: 2023-06-01", NULL };
    char *out = NULL, *text = NULL, *url = NULL;
    size_t tokens = 0;
    struct eval_remote_call call = { .model = b->model,
                                     .request = p->requests[u->request],
                                     .repeat = u->repeat,
                                     .messages = b->options.messages };
    int rc = choose_path(b, call.request, &call.path);
    if (rc)
        return rc;
    if (!(url = base_format("%s%s", b->root, path_names[call.path])))
        return BASE_E_MEMORY;
    for (bool again = true; rc == 0 && again;) {
        again = false;
        pthread_mutex_lock(&p->lock);
        call.completion_tokens = b->completion_tokens;
        b->sent++;
        pthread_mutex_unlock(&p->lock);
        base_free(out);
        if ((rc = eval_remote_write(&call, &out)))
            break;
        rc = model_http_post(h, url, b->anthropic ? anthropic : openai, out, strlen(out),
                             MOST_BYTES, &body, &answer);
        if (rc == 0 && answer.status == 400 && !call.completion_tokens && body.data &&
            strstr(body.data, "max_completion_tokens")) {
            pthread_mutex_lock(&p->lock);
            b->completion_tokens = again = true;
            pthread_mutex_unlock(&p->lock);
        } else if (rc == 0 && answer.status != 200) {
            rc = refused(b, url, answer.status, &body);
        }
    }
    if (rc == 0) {
        struct eval_response own = { 0 };
        rc = eval_remote_read(&call, body.data ? body.data : "", body.length, &own, &text, &tokens);
        rc = rc ? base_error_prefix(rc, "%s", url) : 0;
        pthread_mutex_lock(&p->lock);
        if (rc == 0 && text) {
            r->texts[u->repeat] = text;
            r->tokens += tokens;
            b->tokens += tokens;
            text = NULL;
        } else if (rc == 0) {
            *r = own;
            b->retokenized += own.boundary_retokenized;
        }
        pthread_mutex_unlock(&p->lock);
    }
    base_free(text);
    base_free(out);
    base_free(url);
    base_buffer_free(&body);
    return rc;
}

/* ---- workers ---- */

static void fail_pool(struct pool *p, int rc)
{
    pthread_mutex_lock(&p->lock);
    if (!p->rc) {
        p->rc = rc;
        strncpy(p->message, base_error_message(), sizeof p->message - 1);
    }
    pthread_mutex_unlock(&p->lock);
}

/* Sleeps until this request may begin. */
static void keep_rate(struct pool *p)
{
    if (p->b->options.rate <= 0)
        return;
    pthread_mutex_lock(&p->lock);
    double now = base_clock(), begin = p->begin > now ? p->begin : now;
    p->begin = begin + 60 / p->b->options.rate;
    pthread_mutex_unlock(&p->lock);
    while ((now = base_clock()) < begin && !base_interrupted()) {
        double left = begin - now < 0.1 ? begin - now : 0.1;
        struct timespec t = { 0, (long)(left * 1e9) };
        nanosleep(&t, NULL);
    }
}

static void *work(void *context)
{
    struct pool *p = context;
    struct model_http *h = NULL;
    int rc = open_connection(p->b, &h);
    while (rc == 0) {
        pthread_mutex_lock(&p->lock);
        bool stop = p->rc || p->next == p->n_units;
        struct unit u = stop ? (struct unit){ 0, 0 } : p->units[p->next++];
        pthread_mutex_unlock(&p->lock);
        if (stop)
            break;
        keep_rate(p);
        rc = base_interrupted() ? base_error_set(BASE_E_INTERRUPTED, "interrupted")
                                : exchange(p, h, &u);
        pthread_mutex_lock(&p->lock);
        if (rc == 0 && --p->open[u.request] == 0) {
            p->done[p->n_done++] = u.request;
            pthread_cond_signal(&p->changed);
        }
        pthread_mutex_unlock(&p->lock);
    }
    if (rc)
        fail_pool(p, rc);
    model_http_close(h);
    pthread_mutex_lock(&p->lock);
    p->n_running--;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Hands answers on until the workers are through. */
static void collect(struct pool *p, eval_answered_fn *on_answered, void *context)
{
    size_t told = 0;
    bool silent = false; /* somebody said stop: nothing more is told */
    pthread_mutex_lock(&p->lock);
    while (p->n_running > 0 || told < p->n_done) {
        if (told == p->n_done) {
            pthread_cond_wait(&p->changed, &p->lock);
            continue;
        }
        size_t request = p->done[told++];
        pthread_mutex_unlock(&p->lock);
        p->b->requests++;
        int rc = on_answered && !silent ? on_answered(context, request, &p->responses[request]) : 0;
        if (rc)
            fail_pool(p, rc);
        silent = silent || rc;
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
}

static int plan(struct pool *p, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        const struct eval_request *r = p->requests[i];
        enum eval_remote_path path;
        int rc = choose_path(p->b, r, &path); /* refused before anything is sent */
        if (rc)
            return rc;
        size_t repeats = r->kind == EVAL_REQUEST_GENERATE && r->generation->repeats > 1
                             ? r->generation->repeats
                             : 1;
        total += repeats;
        if (r->kind == EVAL_REQUEST_GENERATE) {
            p->responses[i].texts = base_alloc_zero(repeats, sizeof *p->responses[i].texts);
            if (!p->responses[i].texts)
                return BASE_E_MEMORY;
            p->responses[i].n_texts = repeats;
        }
    }
    p->units = base_alloc(total, sizeof *p->units);
    p->open = base_alloc(n, sizeof *p->open);
    p->done = base_alloc(n, sizeof *p->done);
    if (!p->units || !p->open || !p->done)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        p->open[i] = p->responses[i].n_texts ? p->responses[i].n_texts : 1;
        for (size_t k = 0; k < p->open[i]; k++)
            p->units[p->n_units++] = (struct unit){ i, k };
    }
    return 0;
}

static int ask(struct eval_backend *base, const struct eval_request *const *requests, size_t n,
               struct eval_response *responses, eval_answered_fn *on_answered, void *context)
{
    struct remote *b = (struct remote *)base;
    struct pool p = { .b = b, .requests = requests, .responses = responses };
    pthread_t threads[MOST_AT_ONCE];
    size_t started = 0;
    pthread_mutex_init(&p.lock, NULL);
    pthread_cond_init(&p.changed, NULL);
    int rc = plan(&p, n);
    for (size_t i = 0; rc == 0 && i < b->options.concurrency && i < p.n_units; i++) {
        pthread_mutex_lock(&p.lock);
        p.n_running++;
        pthread_mutex_unlock(&p.lock);
        int code = pthread_create(&threads[i], NULL, work, &p);
        if (code) {
            pthread_mutex_lock(&p.lock);
            p.n_running--;
            pthread_mutex_unlock(&p.lock);
            if (started == 0)
                rc = base_error_set(BASE_E_IO, "cannot start a thread: %s", strerror(code));
            break;
        }
        started++;
    }
    if (rc == 0)
        collect(&p, on_answered, context);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (rc == 0 && p.rc)
        rc = base_error_set(p.rc, "%s", p.message);
    pthread_cond_destroy(&p.changed);
    pthread_mutex_destroy(&p.lock);
    base_free(p.units);
    base_free(p.open);
    base_free(p.done);
    return rc;
}

/* ---- what it is ---- */

static json_t *describe(const struct eval_backend *base)
{
    const struct remote *b = (const struct remote *)base;
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "backend", "remote", "model", b->model,
                     "address", b->root, "api", b->anthropic ? "anthropic" : "openai", "messages",
                     b->options.messages, "identity", base->identity);
}

static json_t *counters(const struct eval_backend *base)
{
    const struct remote *b = (const struct remote *)base;
    return json_pack("{s:I, s:I, s:I, s:I}", "requests", (json_int_t)b->requests, "sent",
                     (json_int_t)b->sent, "generated_tokens", (json_int_t)b->tokens,
                     "boundary_retokenized", (json_int_t)b->retokenized);
}

static void remote_free(struct eval_backend *base)
{
    struct remote *b = (struct remote *)base;
    base_free(b->root);
    base_free(b->model);
    base_free(b);
}

/* address -> root, endpoint, model. */
static int read_address(struct remote *b, const char *address)
{
    const char *mark = strchr(address, '#');
    size_t n = mark ? (size_t)(mark - address) : strlen(address);
    const char *host = strstr(address, "://");
    host = host ? host + 3 : address;
    size_t host_bytes = strcspn(host, "/#?");
    if (memchr(host, '@', host_bytes))
        return base_error_set(BASE_E_ARGUMENT,
                              "keys and passwords do not belong into an address: set %s",
                              key_name(b));
    while (n > 0 && address[n - 1] == '/')
        n--;
    if (!(b->root = base_strndup(address, n)))
        return BASE_E_MEMORY;
    static const enum eval_remote_path order[] = { EVAL_REMOTE_CHAT, EVAL_REMOTE_COMPLETIONS,
                                                   EVAL_REMOTE_MESSAGES };
    for (size_t i = 0; i < 3 && !b->only; i++)
        if (base_ends_with(b->root, path_names[order[i]])) {
            b->root[n - strlen(path_names[order[i]])] = 0;
            b->only = true;
            b->path = order[i];
        }
    b->anthropic = b->options.api == EVAL_REMOTE_ANTHROPIC;
    if (b->options.api == EVAL_REMOTE_AUTO)
        b->anthropic = b->only ? b->path == EVAL_REMOTE_MESSAGES
                               : memmem(host, host_bytes, "anthropic", 9) != NULL;
    if (b->only && b->anthropic != (b->path == EVAL_REMOTE_MESSAGES))
        return base_error_set(BASE_E_ARGUMENT, "%s is no endpoint of %s's API", path_names[b->path],
                              b->anthropic ? "Anthropic" : "OpenAI");
    if (mark && mark[1] && !(b->model = base_strdup(mark + 1)))
        return BASE_E_MEMORY;
    return 0;
}

/* The endpoint's only model. */
static int find_model(struct remote *b)
{
    struct model_http *h = NULL;
    struct base_buffer body = { 0 };
    struct model_http_response answer;
    json_t *o = NULL;
    char *url = base_format("%s/models", b->root);
    int rc = url ? open_connection(b, &h) : BASE_E_MEMORY;
    if (rc == 0)
        rc = model_http_get(h, url, MOST_BYTES, &body, &answer);
    if (rc == 0 && answer.status != 200)
        rc = base_error_prefix(refused(b, url, answer.status, &body),
                               "no model named (give it as %s#NAME)", b->root);
    if (rc == 0)
        rc = base_json_parse(&o, body.data, body.length, url);
    const json_t *list = json_object_get(o, "data");
    const char *id = json_string_value(json_object_get(json_array_get(list, 0), "id"));
    if (rc == 0 && (json_array_size(list) != 1 || !id))
        rc = base_error_set(BASE_E_ARGUMENT, "%s offers %zu models%s%s%s: name one, as %s#NAME",
                            b->root, json_array_size(list), id ? " (" : "", id ? id : "",
                            id ? ", ...)" : "", b->root);
    else if (rc == 0 && !(b->model = base_strdup(id)))
        rc = BASE_E_MEMORY;
    json_decref(o);
    base_buffer_free(&body);
    model_http_close(h);
    base_free(url);
    return rc;
}

static int identify(struct remote *b)
{
    struct base_sha256 *h;
    int rc = base_sha256_begin(&h);
    if (rc)
        return rc;
    const char *const parts[] = { "assay remote 1",
                                  b->root,
                                  b->model,
                                  b->anthropic ? "anthropic" : "openai",
                                  b->only ? path_names[b->path] : "",
                                  b->options.messages ? "messages" : "" };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        base_sha256_add(h, parts[i], strlen(parts[i]) + 1);
    base_sha256_end(h, b->base.identity);
    return 0;
}

int eval_backend_remote(struct eval_backend **out, const char *address,
                        const struct eval_remote_options *options)
{
    static const struct eval_backend_class class = { ask, describe, counters, remote_free };
    *out = NULL;
    struct remote *b = base_alloc_zero(1, sizeof *b);
    if (!b)
        return BASE_E_MEMORY;
    b->base.class = &class;
    b->options = options ? *options : (struct eval_remote_options)EVAL_REMOTE_OPTIONS_DEFAULT;
    struct eval_remote_options *o = &b->options;
    o->concurrency = o->concurrency == 0 ? CONCURRENCY : o->concurrency;
    o->concurrency = o->concurrency > MOST_AT_ONCE ? MOST_AT_ONCE : o->concurrency;
    o->retries = o->retries < 0 ? 5 : o->retries;
    o->retry_seconds = o->retry_seconds > 0 ? o->retry_seconds : 1;
    o->timeout = o->timeout > 0 ? o->timeout : 300;
    int rc = read_address(b, address);
    if (rc == 0 && !b->model)
        rc = find_model(b);
    if (rc == 0)
        rc = identify(b);
    if (rc)
        remote_free(&b->base);
    else
        *out = &b->base;
    return rc;
}
