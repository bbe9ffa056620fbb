/* Endpoints that this program plays: log-likelihoods by echo, texts over both APIs, refusals,
 * retries, rates, several at a time. */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/progress.h"
#include <assay/backend.h>
#include <math.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "support.h"

#define SECRET "sk-secret-0123456789"

static struct {
    pthread_mutex_t lock;
    int fail_status, fail_count; /* the next fail_count requests */
    const char *retry_after;
    bool no_logprobs, bos, old_limit_refused, echo_key;
    int requests, at_once, most_at_once;
    int pause_ms;
    double began[64];
    char last_body[4096], last_key[128], last_version[32], last_path[64];
    int models;
} play = { .lock = PTHREAD_MUTEX_INITIALIZER, .models = 1 };
static struct MHD_Daemon *server;
static char root[64];

/* Words with the blank before them, and their probabilities by a rule. */
static double rule(const char *token, size_t n)
{
    double x = 0;
    for (size_t i = 0; i < n; i++)
        x += (unsigned char)token[i] % 13;
    return -x / 16;
}

static size_t characters(const char *s, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

static json_t *echo(const json_t *in)
{
    const char *prompt = json_string_value(json_object_get(in, "prompt"));
    json_t *tokens = json_array(), *values = json_array(), *tops = json_array(),
           *offsets = json_array();
    size_t at = 0, n = strlen(prompt), shift = 0;
    if (play.bos) {
        json_array_append_new(tokens, json_string("<s>"));
        json_array_append_new(values, json_null());
        json_array_append_new(tops, json_null());
        json_array_append_new(offsets, json_integer(0));
        shift = 3;
    }
    while (at < n) {
        size_t end = at + 1;
        while (end < n && prompt[end] != ' ')
            end++;
        double p = rule(prompt + at, end - at);
        bool first = at == 0 && !play.bos;
        json_array_append_new(tokens, json_stringn(prompt + at, end - at));
        json_array_append_new(values, first ? json_null() : json_real(p));
        /* words of even length are the most probable ones */
        json_array_append_new(tops, first ? json_null()
                                          : json_pack("{s:f}", "x", (end - at) % 2 ? p + 0.5 : p));
        json_array_append_new(offsets, json_integer((json_int_t)(characters(prompt, at) + shift)));
        at = end;
    }
    json_array_append_new(tokens, json_string(" more"));
    json_array_append_new(values, json_real(-0.1));
    json_array_append_new(tops, json_pack("{s:f}", " more", -0.1));
    json_array_append_new(offsets, json_integer((json_int_t)(characters(prompt, n) + shift)));
    json_t *logprobs = json_pack("{s:o, s:o, s:o, s:o}", "tokens", tokens, "token_logprobs", values,
                                 "top_logprobs", tops, "text_offset", offsets);
    if (play.no_logprobs) {
        json_decref(logprobs);
        logprobs = json_null();
    }
    return json_pack("{s:[{s:s, s:o}]}", "choices", "text", "", "logprobs", logprobs);
}

static json_t *answer(const char *path, const json_t *in, unsigned *status)
{
    char text[512];
    const json_t *messages = json_object_get(in, "messages"),
                 *last = json_array_get(messages, json_array_size(messages) - 1);
    const char *said = json_string_value(json_object_get(last, "content"));
    if (strcmp(path, "/v1/models") == 0) {
        json_t *list = json_array();
        for (int i = 0; i < play.models; i++)
            json_array_append_new(list, json_pack("{s:s}", "id", i ? "second" : "only-model"));
        return json_pack("{s:o}", "data", list);
    }
    if (strcmp(path, "/v1/completions") == 0 && json_is_true(json_object_get(in, "echo")))
        return echo(in);
    if (strcmp(path, "/v1/completions") == 0)
        return json_pack("{s:[{s:s}], s:{s:i}}", "choices", "text", " by completion. STOP here",
                         "usage", "completion_tokens", 5);
    if (play.old_limit_refused && json_object_get(in, "max_tokens")) {
        *status = 400;
        return json_pack("{s:{s:s}}", "error", "message", "use 'max_completion_tokens' instead");
    }
    snprintf(text, sizeof text, "You said: %s (seed %lld). STOP here", said ? said : "?",
             (long long)json_integer_value(json_object_get(in, "seed")));
    if (strcmp(path, "/v1/chat/completions") == 0)
        return json_pack("{s:[{s:{s:s, s:s}}], s:{s:i}}", "choices", "message", "role", "assistant",
                         "content", text, "usage", "completion_tokens", 7);
    if (strcmp(path, "/v1/messages") == 0)
        return json_pack("{s:[{s:s, s:s}], s:{s:i}}", "content", "type", "text", "text", text,
                         "usage", "output_tokens", 9);
    *status = 404;
    return json_pack("{s:{s:s}}", "error", "message", "no such endpoint");
}

static enum MHD_Result serve(void *context, struct MHD_Connection *c, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *bytes, void **own)
{
    (void)context, (void)version, (void)method;
    struct base_buffer *body = *own;
    if (!body) {
        *own = calloc(1, sizeof *body);
        return *own ? MHD_YES : MHD_NO;
    }
    if (*bytes) {
        base_buffer_append(body, data, *bytes);
        *bytes = 0;
        return MHD_YES;
    }
    pthread_mutex_lock(&play.lock);
    if (play.requests < 64)
        play.began[play.requests] = base_clock();
    play.requests++;
    if (++play.at_once > play.most_at_once)
        play.most_at_once = play.at_once;
    unsigned status = 200;
    const char *key = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
    if (!key)
        key = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "x-api-key");
    const char *dated = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "anthropic-version");
    snprintf(play.last_key, sizeof play.last_key, "%s", key ? key : "");
    snprintf(play.last_version, sizeof play.last_version, "%s", dated ? dated : "");
    json_t *sent = json_loads(body->data ? body->data : "{}", 0, NULL);
    char *compact = json_dumps(sent, JSON_COMPACT);
    snprintf(play.last_body, sizeof play.last_body, "%s", compact ? compact : "");
    free(compact);
    json_decref(sent);
    snprintf(play.last_path, sizeof play.last_path, "%s", url);
    bool failing = play.fail_count > 0;
    if (failing) {
        play.fail_count--;
        status = (unsigned)play.fail_status;
    }
    pthread_mutex_unlock(&play.lock);
    if (play.pause_ms) {
        struct timespec t = { 0, play.pause_ms * 1000000L };
        nanosleep(&t, NULL);
    }
    json_t *in = json_loadb(body->data ? body->data : "{}", body->data ? body->length : 2, 0, NULL),
           *out = failing ? json_pack("{s:{s:s+}}", "error", "message", "not now ",
                                      play.echo_key ? SECRET : "")
                          : answer(url, in, &status);
    char *text = json_dumps(out, 0);
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (failing && play.retry_after)
        MHD_add_response_header(r, "Retry-After", play.retry_after);
    enum MHD_Result ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    json_decref(in);
    json_decref(out);
    base_buffer_free(body);
    free(body);
    *own = NULL;
    pthread_mutex_lock(&play.lock);
    play.at_once--;
    pthread_mutex_unlock(&play.lock);
    return ok;
}

static int start(void **state)
{
    (void)state;
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0,
                              NULL, NULL, serve, NULL, MHD_OPTION_SOCK_ADDR, &here, MHD_OPTION_END);
    if (!server)
        return -1;
    snprintf(root, sizeof root, "http://127.0.0.1:%u/v1",
             (unsigned)MHD_get_daemon_info(server, MHD_DAEMON_INFO_BIND_PORT)->port);
    setenv("OPENAI_API_KEY", SECRET, 1);
    setenv("ANTHROPIC_API_KEY", SECRET "-a", 1);
    base_progress_quiet(true);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    MHD_stop_daemon(server);
    return 0;
}

static int reset(void **state)
{
    (void)state;
    pthread_mutex_lock(&play.lock);
    play.fail_count = play.requests = play.most_at_once = play.pause_ms = 0;
    play.retry_after = NULL;
    play.no_logprobs = play.bos = play.old_limit_refused = play.echo_key = false;
    play.models = 1;
    pthread_mutex_unlock(&play.lock);
    return 0;
}

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static struct eval_backend *open_backend(const char *suffix, struct eval_remote_options o)
{
    char address[128];
    struct eval_backend *b = NULL;
    snprintf(address, sizeof address, "%s%s", root, suffix);
    o.retry_seconds = 0.01;
    if (eval_backend_remote(&b, address, &o))
        fail_msg("%s", base_error_message());
    return b;
}

static const struct eval_remote_options plain = EVAL_REMOTE_OPTIONS_DEFAULT;

static void scores(struct eval_backend *b, const char *context, const char *continuation,
                   struct eval_response *got)
{
    struct eval_request r = { EVAL_REQUEST_LOGLIKELIHOOD, text(context), text(continuation), NULL,
                              0 };
    const struct eval_request *list[] = { &r };
    memset(got, 0, sizeof *got);
    if (eval_backend_ask(b, list, 1, got, NULL, NULL))
        fail_msg("%s", base_error_message());
}

static void loglikelihoods(void **state)
{
    (void)state;
    for (int bos = 0; bos < 2; bos++) {
        struct eval_backend *b = open_backend("#m", plain);
        struct eval_response r;
        play.bos = bos;
        scores(b, "The cat sat", " on mats", &r);
        assert_true(fabs(r.logprob - rule(" on", 3) - rule(" mats", 5)) < 1e-12);
        assert_true(r.first_logprob == rule(" on", 3));
        assert_int_equal(r.tokens, 2);
        assert_false(r.greedy);
        assert_false(r.boundary_retokenized);
        /* the context's last blank belongs to the continuation */
        scores(b, "The cat sat ", "mats here", &r);
        assert_true(fabs(r.logprob - rule(" mats", 5) - rule(" here", 5)) < 1e-12);
        assert_false(r.boundary_retokenized);
        scores(b, "The cat", " sat", &r);
        assert_true(r.greedy);
        /* characters, not bytes */
        scores(b, "caf\xc3\xa9 \xe2\x82\xac", " sat", &r);
        assert_true(r.logprob == rule(" sat", 4) && r.tokens == 1);
        /* a token spans the border */
        scores(b, "The ca", "t sat", &r);
        assert_true(r.boundary_retokenized);
        assert_true(fabs(r.logprob - rule(" cat", 4) - rule(" sat", 4)) < 1e-12);
        eval_backend_free(b);
    }
    assert_string_equal(play.last_key, "Bearer " SECRET);
}

static int ask_one(struct eval_backend *b, const struct eval_request *r, struct eval_response *got)
{
    memset(got, 0, sizeof *got);
    return eval_backend_ask(b, &r, 1, got, NULL, NULL);
}

static void what_cannot_be_had(void **state)
{
    (void)state;
    struct eval_request ll = { EVAL_REQUEST_LOGLIKELIHOOD, text("a"), text(" b"), NULL, 0 },
                        rolling = { EVAL_REQUEST_ROLLING, text(""), text("a b"), NULL, 0 },
                        first = { EVAL_REQUEST_LOGLIKELIHOOD, text(""), text("a b"), NULL, 0 };
    struct eval_response got;
    struct eval_backend *b = open_backend("/chat/completions#m", plain);
    assert_int_equal(ask_one(b, &ll, &got), BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "chat"));
    eval_backend_free(b);
    b = open_backend("/messages#m", plain);
    assert_int_equal(ask_one(b, &ll, &got), BASE_E_UNSUPPORTED);
    eval_backend_free(b);
    b = open_backend("#m", plain);
    assert_int_equal(ask_one(b, &rolling, &got), BASE_E_UNSUPPORTED);
    assert_int_equal(play.requests, 0); /* refused before anything was sent */
    assert_int_equal(ask_one(b, &first, &got), BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "first token"));
    play.no_logprobs = true;
    assert_int_equal(ask_one(b, &ll, &got), BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "log-probabilities"));
    eval_backend_free(b);
    assert_int_equal(eval_backend_remote(&b, "https://user:pass@host/v1#m", NULL), BASE_E_ARGUMENT);
}

static void texts(void **state)
{
    (void)state;
    char *until[] = { text("STOP"), text("\n\n") };
    struct eval_generation g = { until, 2, 32, true, 0.7, 0.9, 0, 2 };
    struct eval_request r = { EVAL_REQUEST_GENERATE, text("Hello"), NULL, &g, 41 };
    struct eval_response got;
    struct eval_backend *b = open_backend("", plain); /* the only model, by its list */
    assert_int_equal(ask_one(b, &r, &got), 0);
    assert_int_equal(got.n_texts, 2);
    assert_string_equal(got.texts[0], "You said: Hello (seed 41). ");
    assert_string_equal(got.texts[1], "You said: Hello (seed 42). ");
    assert_int_equal(got.tokens, 14);
    eval_response_clear(&got);
    assert_non_null(strstr(play.last_body, "\"model\":\"only-model\""));
    assert_non_null(strstr(play.last_body, "\"stop\":[\"STOP\",\"\\n\\n\"]"));
    json_t *d = eval_backend_describe(b);
    assert_string_equal(json_string_value(json_object_get(d, "model")), "only-model");
    char *dump = json_dumps(d, 0);
    assert_null(strstr(dump, SECRET));
    free(dump);
    json_decref(d);
    play.old_limit_refused = true;
    g.sample = false;
    g.repeats = 1;
    assert_int_equal(ask_one(b, &r, &got), 0);
    assert_non_null(strstr(play.last_body, "\"max_completion_tokens\":32"));
    eval_response_clear(&got);
    eval_backend_free(b);

    b = open_backend("/completions#m", plain);
    assert_int_equal(ask_one(b, &r, &got), 0);
    assert_string_equal(got.texts[0], " by completion. ");
    eval_response_clear(&got);
    eval_backend_free(b);

    struct eval_remote_options o = plain;
    o.messages = true;
    r.context = text("[{\"role\":\"system\",\"content\":\"Be brief.\"},"
                     "{\"role\":\"user\",\"content\":\"Why?\"}]");
    b = open_backend("/messages#claude", o);
    assert_int_equal(ask_one(b, &r, &got), 0);
    assert_string_equal(got.texts[0], "You said: Why? (seed 0). ");
    assert_non_null(strstr(play.last_body, "\"system\":\"Be brief.\""));
    assert_non_null(strstr(play.last_body, "\"stop_sequences\":[\"STOP\"]"));
    assert_string_equal(play.last_key, SECRET "-a");
    assert_string_equal(play.last_version, "2023-06-01");
    eval_response_clear(&got);
    eval_backend_free(b);
    play.models = 2;
    assert_int_equal(eval_backend_remote(&b, root, NULL), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "only-model"));
}

static void tries_again(void **state)
{
    (void)state;
    struct eval_backend *b = open_backend("#m", plain);
    struct eval_response got;
    play.fail_status = 429;
    play.fail_count = 3;
    play.retry_after = "0";
    scores(b, "The cat", " sat", &got);
    assert_int_equal(play.requests, 4);
    play.retry_after = NULL;
    play.fail_status = 503;
    play.fail_count = 2;
    scores(b, "The cat", " sat", &got);
    assert_int_equal(play.requests, 7);
    /* what will not pass is not tried again, and the key does not show */
    struct eval_request ll = { EVAL_REQUEST_LOGLIKELIHOOD, text("a"), text(" b"), NULL, 0 };
    play.fail_status = 401;
    play.fail_count = 1;
    play.echo_key = true;
    assert_int_equal(ask_one(b, &ll, &got), BASE_E_IO);
    assert_int_equal(play.requests, 8);
    assert_non_null(strstr(base_error_message(), "not now"));
    assert_non_null(strstr(base_error_message(), "OPENAI_API_KEY"));
    assert_null(strstr(base_error_message(), SECRET));
    /* in the end it fails */
    play.fail_status = 500;
    play.fail_count = 100;
    assert_int_equal(ask_one(b, &ll, &got), BASE_E_IO);
    assert_int_equal(play.requests, 14);
    eval_backend_free(b);
}

struct told {
    int calls[24];
};

static int on_answered(void *context, size_t request, const struct eval_response *r)
{
    struct told *t = context;
    assert_true(r->tokens > 0);
    t->calls[request]++;
    return 0;
}

static void many_at_once(void **state)
{
    (void)state;
    enum { N = 24 };
    struct eval_request r[N];
    const struct eval_request *list[N];
    struct eval_response got[N] = { 0 };
    struct told told = { { 0 } };
    static const char *const words[] = { " sat", " ran here", " x" };
    for (size_t i = 0; i < N; i++) {
        r[i] = (struct eval_request){ EVAL_REQUEST_LOGLIKELIHOOD, text("The cat"),
                                      text(words[i % 3]), NULL, 0 };
        list[i] = &r[i];
    }
    struct eval_remote_options o = plain;
    o.concurrency = 6;
    play.pause_ms = 20;
    struct eval_backend *b = open_backend("#m", o);
    assert_int_equal(eval_backend_ask(b, list, N, got, on_answered, &told), 0);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(told.calls[i], 1);
        assert_true(got[i].logprob == got[i % 3].logprob);
    }
    assert_true(play.most_at_once > 1 && play.most_at_once <= 6);
    eval_backend_free(b);
    /* 1200 a minute: 50 ms apart */
    o.rate = 1200;
    reset(NULL);
    memset(got, 0, sizeof got);
    b = open_backend("#m", o);
    assert_int_equal(eval_backend_ask(b, list, 8, got, NULL, NULL), 0);
    assert_true(play.began[7] - play.began[0] > 0.3);
    eval_backend_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(loglikelihoods, reset),
        cmocka_unit_test_setup(what_cannot_be_had, reset),
        cmocka_unit_test_setup(texts, reset),
        cmocka_unit_test_setup(tries_again, reset),
        cmocka_unit_test_setup(many_at_once, reset),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
