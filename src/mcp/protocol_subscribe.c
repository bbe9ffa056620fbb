/* Who hears of changed lists and resources.
 *
 * Through 2025-11-25 a session subscribes to resources one by one and hears of changed lists
 * without asking. In 2026-07-28 a request, subscriptions/listen, says what it wants to hear, and
 * everything that it hears carries its id. Over HTTP that request's stream is open as long as it
 * listens: the thread that answers it also sends, what there is to send waits in a queue. On
 * standard output the subscription stays when the answering thread has gone on to other requests.
 *
 * A thread looks at every subscribed resource's stamp once a second, and at the list of resources
 * every five seconds (less often where listing is slow), as long as somebody wants to hear it. */
#include "base/hash.h"
#include "base/memory.h"
#include "mcp/protocol_private.h"
#include <string.h>
#include <time.h>

#define URIS_MOST          1000 /* of one session or subscription */
#define SUBSCRIPTIONS_MOST 100  /* of one session */
#define QUEUED_MOST        1000

struct mcp_subscription {
    struct mcp_subscription *next;
    struct mcp_session *session;
    json_t *id;
    bool wants[MCP_CHANGES];
    json_t *uris;         /* an object with these keys */
    struct mcp_peer peer; /* when it lasts */
    bool lasting;
    json_t *queue; /* when it does not */
};

static const char *const methods[MCP_CHANGES] = { "notifications/tools/list_changed",
                                                  "notifications/prompts/list_changed",
                                                  "notifications/resources/list_changed" };

/* ---- telling; the server's lock is held ---- */

/* params is taken over. What does not fit in a queue that nobody empties is dropped. */
static void tell_subscription(struct mcp_subscription *sub, const char *method, json_t *params)
{
    json_t *meta = params ? json_pack("{s:O}", MCP_META "subscriptionId", sub->id) : NULL;
    if (!meta || json_object_set_new(params, "_meta", meta)) {
        json_decref(params);
        return;
    }
    json_t *message = mcp_notification(method, params);
    if (message && sub->lasting)
        sub->peer.send(sub->peer.context, message);
    else if (message && json_array_size(sub->queue) < QUEUED_MOST)
        json_array_append(sub->queue, message);
    json_decref(message);
}

static void tell_session(struct mcp_session *s, const char *method, json_t *params)
{
    json_t *message = mcp_notification(method, params);
    if (message)
        s->send(s->send_context, message);
    json_decref(message);
}

/* Legacy sessions hear only after initialize. */
static bool hears(const struct mcp_session *s)
{
    return s->send && mcp_session_version(s);
}

void mcp_changed(struct mcp_server *s, enum mcp_change what)
{
    pthread_mutex_lock(&s->lock);
    for (struct mcp_session *one = s->sessions; one; one = one->next)
        if (hears(one))
            tell_session(one, methods[what], json_object());
    for (struct mcp_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (sub->wants[what])
            tell_subscription(sub, methods[what], json_object());
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

static void tell_updated(struct mcp_server *s, const char *uri)
{
    static const char method[] = "notifications/resources/updated";
    for (struct mcp_session *one = s->sessions; one; one = one->next)
        if (hears(one) && json_object_get(one->uris, uri))
            tell_session(one, method, json_pack("{s:s}", "uri", uri));
    for (struct mcp_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (json_object_get(sub->uris, uri))
            tell_subscription(sub, method, json_pack("{s:s}", "uri", uri));
    pthread_cond_broadcast(&s->moved);
}

/* ---- the watcher ---- */

static bool somebody_wants(const struct mcp_server *s, const char *uri)
{
    for (const struct mcp_session *one = s->sessions; one; one = one->next)
        if (json_object_get(one->uris, uri))
            return true;
    for (const struct mcp_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (json_object_get(sub->uris, uri))
            return true;
    return false;
}

static bool somebody_wants_list(const struct mcp_server *s)
{
    for (const struct mcp_session *one = s->sessions; one; one = one->next)
        if (hears(one))
            return true;
    for (const struct mcp_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (sub->wants[MCP_RESOURCES_CHANGED])
            return true;
    return false;
}

/* Looks at every stamp; the providers are asked without the lock. */
static void look_at_stamps(struct mcp_server *s)
{
    json_t *before = json_deep_copy(s->stamps);
    const char *uri;
    json_t *value;
    json_object_foreach(before, uri, value)
    {
        if (!somebody_wants(s, uri)) {
            json_object_del(s->stamps, uri);
            continue;
        }
        uint64_t stamp = 0;
        pthread_mutex_unlock(&s->lock);
        int rc = mcp_stamp(s, uri, &stamp);
        pthread_mutex_lock(&s->lock);
        if (rc == 0 && (json_int_t)stamp != json_integer_value(value)) {
            json_object_set_new(s->stamps, uri, json_integer((json_int_t)stamp));
            tell_updated(s, uri);
        }
    }
    json_decref(before);
}

/* The seconds that it took. */
static double look_at_list(struct mcp_server *s)
{
    struct timespec from, to;
    char digest[BASE_SHA256_HEX] = "";
    pthread_mutex_unlock(&s->lock);
    clock_gettime(CLOCK_MONOTONIC, &from);
    json_t *all = json_array();
    const struct mcp_provider *p = s->o.provider;
    if (all && p->resources(p->context, all) == 0) {
        char *text = json_dumps(all, JSON_COMPACT);
        if (text)
            base_sha256(text, strlen(text), digest);
        base_free(text);
    }
    json_decref(all);
    clock_gettime(CLOCK_MONOTONIC, &to);
    pthread_mutex_lock(&s->lock);
    bool changed = *digest && *s->list_digest && strcmp(digest, s->list_digest) != 0;
    if (*digest)
        memcpy(s->list_digest, digest, sizeof digest);
    if (changed) {
        pthread_mutex_unlock(&s->lock);
        mcp_changed(s, MCP_RESOURCES_CHANGED);
        pthread_mutex_lock(&s->lock);
    }
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
}

static void *watch(void *context)
{
    struct mcp_server *s = context;
    double next_list = 0;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        double t = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
        if (json_object_size(s->stamps))
            look_at_stamps(s);
        if (t >= next_list && s->o.provider && s->o.provider->resources && somebody_wants_list(s)) {
            double took = look_at_list(s);
            next_list = t + (took * 20 > s->list_seconds ? took * 20 : s->list_seconds);
        }
        /* a second, whatever else wakes it */
        now.tv_sec++;
        for (int rc = 0; !s->stopping && rc == 0;)
            rc = pthread_cond_timedwait(&s->moved, &s->lock, &now);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

void mcp_watcher_start(struct mcp_server *s)
{
    pthread_mutex_lock(&s->lock);
    if (!s->watching && !s->stopping)
        s->watching = pthread_create(&s->watcher, NULL, watch, s) == 0;
    pthread_mutex_unlock(&s->lock);
}

void mcp_watcher_stop(struct mcp_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    if (s->watching)
        pthread_join(s->watcher, NULL);
}

/* ---- resources of a session ---- */

/* Notes a stamp unless it is known. The server's lock is held. */
static int note_stamp(struct mcp_server *s, const char *uri, uint64_t stamp)
{
    if (!s->stamps && !(s->stamps = json_object()))
        return BASE_E_MEMORY;
    if (json_object_get(s->stamps, uri))
        return 0;
    return json_object_set_new(s->stamps, uri, json_integer((json_int_t)stamp)) ? BASE_E_MEMORY : 0;
}

int mcp_session_subscribe(struct mcp_session *s, const char *uri, uint64_t stamp)
{
    struct mcp_server *server = s->server;
    pthread_mutex_lock(&server->lock);
    int rc = s->uris || (s->uris = json_object()) ? 0 : BASE_E_MEMORY;
    if (!rc && json_object_size(s->uris) >= URIS_MOST)
        rc = base_error_set(BASE_E_LIMIT, "more than %d subscriptions", URIS_MOST);
    if (!rc)
        rc = note_stamp(server, uri, stamp);
    if (!rc && json_object_set_new(s->uris, uri, json_true()))
        rc = BASE_E_MEMORY;
    pthread_mutex_unlock(&server->lock);
    if (!rc)
        mcp_watcher_start(server);
    return rc;
}

void mcp_session_unsubscribe(struct mcp_session *s, const char *uri)
{
    pthread_mutex_lock(&s->server->lock);
    if (s->uris)
        json_object_del(s->uris, uri);
    pthread_mutex_unlock(&s->server->lock);
}

/* ---- subscriptions/listen ---- */

static void subscription_free(struct mcp_subscription *sub)
{
    if (!sub)
        return;
    json_decref(sub->id);
    json_decref(sub->uris);
    json_decref(sub->queue);
    base_free(sub);
}

static json_t *listen_result(const json_t *id)
{
    return json_pack("{s:s, s:{s:O}}", "resultType", "complete", "_meta", MCP_META "subscriptionId",
                     (json_t *)(uintptr_t)id);
}

void mcp_unsubscribe_all(struct mcp_session *s, const json_t *id, bool cancelled)
{
    struct mcp_server *server = s->server;
    pthread_mutex_lock(&server->lock);
    for (struct mcp_subscription **at = &server->subscriptions; *at;) {
        struct mcp_subscription *sub = *at;
        if (sub->session != s || !sub->lasting || (id && !json_equal(id, sub->id))) {
            at = &sub->next;
            continue;
        }
        *at = sub->next;
        json_t *end = cancelled ? NULL
                                : json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", sub->id,
                                            "result", listen_result(sub->id));
        if (end)
            sub->peer.send(sub->peer.context, end);
        json_decref(end);
        subscription_free(sub);
    }
    if (!id) {
        json_decref(s->uris);
        s->uris = NULL;
    }
    pthread_cond_broadcast(&server->moved);
    pthread_mutex_unlock(&server->lock);
}

/* Reads the filter: what is asked for and offered here, which is also what is acknowledged. */
static int read_filter(struct mcp_request *r, const json_t *filter, struct mcp_subscription *sub,
                       json_t **honored)
{
    const struct mcp_server_options *o = r->o;
    static const char *const keys[MCP_CHANGES] = { "toolsListChanged", "promptsListChanged",
                                                   "resourcesListChanged" };
    const bool offered[MCP_CHANGES] = { o->fixtures, o->fixtures, mcp_has_resources(o) };
    int rc = (*honored = json_object()) && (sub->uris = json_object()) ? 0 : BASE_E_MEMORY;
    for (int i = 0; i < MCP_CHANGES && !rc; i++) {
        sub->wants[i] = offered[i] && json_is_true(json_object_get(filter, keys[i]));
        if (sub->wants[i] && json_object_set_new(*honored, keys[i], json_true()))
            rc = BASE_E_MEMORY;
    }
    const json_t *uris = json_object_get(filter, "resourceSubscriptions");
    json_t *heard = json_array();
    size_t i;
    const json_t *one;
    json_array_foreach(uris, i, one)
    {
        uint64_t stamp = 0;
        const char *uri = json_string_value(one);
        if (rc || i >= URIS_MOST || !uri || mcp_stamp(r->s->server, uri, &stamp))
            continue;
        pthread_mutex_lock(&r->s->server->lock);
        rc = note_stamp(r->s->server, uri, stamp);
        pthread_mutex_unlock(&r->s->server->lock);
        if (json_object_set_new(sub->uris, uri, json_true()) ||
            json_array_append_new(heard, json_string(uri)))
            rc = BASE_E_MEMORY;
    }
    if (json_array_size(heard) && json_object_set(*honored, "resourceSubscriptions", heard))
        rc = BASE_E_MEMORY;
    json_decref(heard);
    return rc;
}

/* Sends what waits, until the request ends. 1 when the reader is gone or has cancelled. */
static bool serve(struct mcp_request *r, struct mcp_subscription *sub)
{
    struct mcp_server *server = r->s->server;
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_mutex_lock(&server->lock);
        if (!json_array_size(sub->queue))
            pthread_cond_timedwait(&server->moved, &server->lock, &until);
        json_t *queue = json_array_size(sub->queue) ? json_copy(sub->queue) : NULL;
        json_array_clear(sub->queue);
        pthread_mutex_unlock(&server->lock);
        size_t i;
        const json_t *message;
        bool heard = true;
        json_array_foreach(queue, i, message) heard =
            heard && r->peer->send(r->peer->context, message);
        json_decref(queue);
        pthread_mutex_lock(&r->s->lock);
        bool closing = r->s->closing;
        pthread_mutex_unlock(&r->s->lock);
        if (!heard || (!closing && mcp_is_cancelled(r)))
            return true;
        if (closing)
            return false;
    }
}

int mcp_listen(struct mcp_request *r)
{
    const json_t *filter = json_object_get(r->params, "notifications");
    struct mcp_server *server = r->s->server;
    json_t *honored = NULL;
    if (!json_is_object(filter))
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.notifications: expected an object");
    if (!r->peer->send)
        return mcp_refuse(r, MCP_INVALID_REQUEST, "nothing can be sent here");
    size_t before = 0;
    pthread_mutex_lock(&server->lock);
    for (const struct mcp_subscription *one = server->subscriptions; one; one = one->next)
        before += one->session == r->s;
    pthread_mutex_unlock(&server->lock);
    if (before >= SUBSCRIPTIONS_MOST)
        return mcp_refuse(r, MCP_INVALID_REQUEST, "more than %d subscriptions", SUBSCRIPTIONS_MOST);
    struct mcp_subscription *sub = base_alloc_zero(1, sizeof *sub);
    if (!sub)
        return BASE_E_MEMORY;
    sub->session = r->s;
    sub->id = json_incref((json_t *)(uintptr_t)r->id);
    sub->lasting = r->peer->lasting;
    sub->peer = *r->peer;
    int rc = (sub->queue = json_array()) ? read_filter(r, filter, sub, &honored) : BASE_E_MEMORY;
    if (rc) {
        json_decref(honored);
        subscription_free(sub);
        return rc;
    }
    json_t *acknowledged = mcp_notification("notifications/subscriptions/acknowledged",
                                            json_pack("{s:o, s:{s:O}}", "notifications", honored,
                                                      "_meta", MCP_META "subscriptionId", sub->id));
    if (!acknowledged) {
        subscription_free(sub);
        return BASE_E_MEMORY;
    }
    /* The acknowledgement is the first that the subscription hears, and what changes after it is
     * heard: one that lasts is sent to under the lock, the other's queue waits for this thread. */
    bool heard = true;
    pthread_mutex_lock(&server->lock);
    if (sub->lasting)
        heard = r->peer->send(r->peer->context, acknowledged);
    sub->next = server->subscriptions;
    server->subscriptions = sub;
    pthread_mutex_unlock(&server->lock);
    if (!sub->lasting)
        heard = r->peer->send(r->peer->context, acknowledged);
    json_decref(acknowledged);
    mcp_watcher_start(server);
    r->silent = true;
    if (sub->lasting) /* cancelled meanwhile? then it ends here */
        return !heard || mcp_is_cancelled(r) ? (mcp_unsubscribe_all(r->s, r->id, true), 0) : 0;
    bool gone = !heard || serve(r, sub);
    pthread_mutex_lock(&server->lock);
    struct mcp_subscription **at = &server->subscriptions;
    while (*at != sub)
        at = &(*at)->next;
    *at = sub->next;
    pthread_mutex_unlock(&server->lock);
    json_t *result = gone ? NULL : listen_result(r->id);
    subscription_free(sub);
    r->silent = gone;
    r->parting = !gone;
    return gone ? 0 : mcp_give(r, result);
}
