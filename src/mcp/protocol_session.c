/* Servers and sessions: requests that run, their cancellation, and questions to the client.
 *
 * A session's lock is held for moments only, never while something is sent or a tool runs. The
 * order of locks is server, then session. */
#include "base/memory.h"
#include "mcp/protocol_private.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ASK_SECONDS 300 /* a person may have to think */

void mcp_condition_make(pthread_cond_t *c)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(c, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

int mcp_server_make(struct mcp_server **out, const struct mcp_server_options *options)
{
    struct mcp_server *s = base_alloc_zero(1, sizeof *s);
    *out = NULL;
    if (!s)
        return BASE_E_MEMORY;
    s->o = *options;
    s->state_seconds = 900;
    s->list_seconds = 5;
    s->pause_ms = 50;
    int rc = mcp_secret_make(s->secret);
    if (rc) {
        base_free(s);
        return rc;
    }
    pthread_mutex_init(&s->lock, NULL);
    mcp_condition_make(&s->moved);
    *out = s;
    return 0;
}

void mcp_server_free(struct mcp_server *s)
{
    if (!s)
        return;
    mcp_watcher_stop(s);
    json_decref(s->stamps);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    base_free(s);
}

void mcp_caller_set(char caller[128], const json_t *info)
{
    const char *name = json_string_value(json_object_get(info, "name"));
    snprintf(caller, 128, "mcp:%.100s", name ? name : "?");
}

int mcp_session_make(struct mcp_session **out, struct mcp_server *server, const char *name,
                     const char *principal)
{
    struct mcp_session *s = base_alloc_zero(1, sizeof *s);
    *out = NULL;
    if (!s)
        return BASE_E_MEMORY;
    s->server = server;
    s->name = name ? base_strdup(name) : NULL;
    s->principal = base_strdup(principal);
    if ((name && !s->name) || !s->principal) {
        base_free(s->name);
        base_free(s->principal);
        base_free(s);
        return BASE_E_MEMORY;
    }
    s->level = MCP_WARNING;
    mcp_caller_set(s->caller, NULL);
    pthread_mutex_init(&s->lock, NULL);
    mcp_condition_make(&s->moved);
    pthread_mutex_lock(&server->lock);
    s->next = server->sessions;
    server->sessions = s;
    pthread_mutex_unlock(&server->lock);
    *out = s;
    return 0;
}

void mcp_session_end(struct mcp_session *s)
{
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

void mcp_session_free(struct mcp_session *s)
{
    if (!s)
        return;
    struct mcp_server *server = s->server;
    pthread_mutex_lock(&s->lock);
    s->ended = s->closing = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    mcp_unsubscribe_all(s, NULL, false);
    pthread_mutex_lock(&s->lock);
    while (s->n_begun)
        pthread_cond_wait(&s->moved, &s->lock);
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_lock(&server->lock);
    struct mcp_session **at = &server->sessions;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    pthread_mutex_unlock(&server->lock);
    mcp_unsubscribe_all(s, NULL, false); /* what a last request began */
    while (s->running) {
        struct mcp_running *next = s->running->next;
        json_decref(s->running->id);
        base_free(s->running);
        s->running = next;
    }
    json_decref(s->capabilities);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    base_free(s->name);
    base_free(s->principal);
    base_free(s);
}

const char *mcp_session_version(const struct mcp_session *s)
{
    struct mcp_session *own = (struct mcp_session *)(uintptr_t)s;
    pthread_mutex_lock(&own->lock);
    const char *version = own->version;
    pthread_mutex_unlock(&own->lock);
    return version;
}

void mcp_session_listen(struct mcp_session *s, void (*send)(void *context, const json_t *message),
                        void *context)
{
    pthread_mutex_lock(&s->server->lock);
    s->send = send;
    s->send_context = context;
    pthread_mutex_unlock(&s->server->lock);
}

/* ---- requests that run ---- */

static struct mcp_running *note(struct mcp_session *s, const json_t *id, bool begun)
{
    struct mcp_running *run = base_alloc_zero(1, sizeof *run);
    if (!run)
        return NULL;
    run->id = json_incref((json_t *)(uintptr_t)id);
    run->begun = begun;
    struct mcp_running **last = &s->running;
    while (*last)
        last = &(*last)->next;
    *last = run;
    return run;
}

int mcp_run_note(struct mcp_session *s, const json_t *id)
{
    pthread_mutex_lock(&s->lock);
    bool noted = note(s, id, false);
    pthread_mutex_unlock(&s->lock);
    return noted ? 0 : BASE_E_MEMORY;
}

struct mcp_running *mcp_run_begin(struct mcp_session *s, const json_t *id)
{
    pthread_mutex_lock(&s->lock);
    struct mcp_running *run = s->running;
    while (run && (run->begun || !json_equal(run->id, id)))
        run = run->next;
    if (!run)
        run = note(s, id, true);
    if (run) {
        run->begun = true;
        s->n_begun++;
    }
    pthread_mutex_unlock(&s->lock);
    return run;
}

void mcp_run_end(struct mcp_session *s, struct mcp_running *run)
{
    pthread_mutex_lock(&s->lock);
    struct mcp_running **at = &s->running;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    json_decref(run->id);
    base_free(run);
    s->n_begun--;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

void mcp_run_cancel(struct mcp_session *s, const json_t *id)
{
    pthread_mutex_lock(&s->lock);
    for (struct mcp_running *run = s->running; run; run = run->next)
        if (json_equal(run->id, id))
            run->cancelled = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    mcp_unsubscribe_all(s, id, true);
}

bool mcp_is_cancelled(void *request)
{
    const struct mcp_request *r = request;
    pthread_mutex_lock(&r->s->lock);
    bool cancelled = r->running->cancelled || r->s->closing;
    pthread_mutex_unlock(&r->s->lock);
    return cancelled || base_interrupted() || (r->peer->gone && r->peer->gone(r->peer->context));
}

/* ---- to the other side ---- */

void mcp_tell(struct mcp_request *r, const char *method, json_t *params)
{
    json_t *message = mcp_notification(method, params);
    if (message && r->peer->send)
        r->peer->send(r->peer->context, message);
    json_decref(message);
}

bool mcp_client_can(const struct mcp_request *r, const char *capability)
{
    const json_t *can = json_object_get(r->capabilities, capability);
    if (!json_is_object(can))
        return false;
    /* elicitation without a word of its modes is that of forms */
    return strcmp(capability, "elicitation") != 0 || json_object_get(can, "form") ||
           !json_object_get(can, "url");
}

void mcp_asked_answer(struct mcp_session *s, const json_t *id, const json_t *message)
{
    pthread_mutex_lock(&s->lock);
    for (struct mcp_asked *a = s->asked; a; a = a->next)
        if (!a->answer && json_is_integer(id) && json_integer_value(id) == a->id)
            a->answer = json_incref((json_t *)(uintptr_t)message);
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

/* Waits for the answer; 0 when it has come. */
static int wait_answer(struct mcp_request *r, const struct mcp_asked *asked)
{
    struct mcp_session *s = r->s;
    struct timespec now, until;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t last = now.tv_sec + ASK_SECONDS;
    for (;;) {
        if (mcp_is_cancelled(r))
            return base_error_set(BASE_E_INTERRUPTED, "the request was cancelled");
        clock_gettime(CLOCK_MONOTONIC, &now);
        until = now;
        until.tv_nsec += 20000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_mutex_lock(&s->lock);
        if (!asked->answer && !s->ended)
            pthread_cond_timedwait(&s->moved, &s->lock, &until);
        bool answered = asked->answer, ended = s->ended;
        pthread_mutex_unlock(&s->lock);
        if (answered)
            return 0;
        if (ended)
            return base_error_set(BASE_E_IO, "the client has gone without an answer");
        if (now.tv_sec >= last)
            return base_error_set(BASE_E_LIMIT, "the client has not answered in %d s", ASK_SECONDS);
    }
}

int mcp_ask(struct mcp_request *r, const char *method, json_t *params, json_t **result)
{
    struct mcp_session *s = r->s;
    struct mcp_asked asked = { 0 };
    *result = NULL;
    if (!params)
        return BASE_E_MEMORY;
    if (!r->peer->send) {
        json_decref(params);
        return base_error_set(BASE_E_ARGUMENT, "the client cannot be asked here");
    }
    pthread_mutex_lock(&s->lock);
    asked.id = ++s->last_asked;
    asked.next = s->asked;
    s->asked = &asked;
    pthread_mutex_unlock(&s->lock);
    json_t *message = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", asked.id, "method",
                                method, "params", params);
    int rc = !message ? BASE_E_MEMORY
             : !r->peer->send(r->peer->context, message)
                 ? base_error_set(BASE_E_IO, "the client has gone")
                 : wait_answer(r, &asked);
    json_decref(message);
    pthread_mutex_lock(&s->lock);
    struct mcp_asked **at = &s->asked;
    while (*at != &asked)
        at = &(*at)->next;
    *at = asked.next;
    pthread_mutex_unlock(&s->lock);
    const json_t *error = json_object_get(asked.answer, "error");
    if (!rc && error) {
        const char *said = json_string_value(json_object_get(error, "message"));
        rc = base_error_set(BASE_E_FORMAT, "the client answered %s with an error: %.200s", method,
                            said ? said : "?");
    } else if (!rc) {
        *result = json_incref(json_object_get(asked.answer, "result"));
    }
    json_decref(asked.answer);
    return rc;
}
