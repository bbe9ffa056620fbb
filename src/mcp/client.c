/* The client's session: hello in both eras, requests and the rounds they take, lists; see client.h
 * and include/assay/mcp.h.
 *
 * The era of sessions (until 2025-11-25): `initialize`, then requests as they are. The one without
 * (2026-07-28): `server/discover`, then requests that each say in params._meta which revision they
 * are of and what their client can do; an answer may ask for input, and then the request is made
 * again with that input and the state that came with the question, under an id of its own. */
#include "base/json.h"
#include "base/memory.h"
#include "mcp/client.h"
#include "mcp/protocol.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAGES_MOST    1000
#define ROUNDS_MOST   10
#define VERSIONS_MOST 3
#define TTL_LEAST     5.0 /* seconds: a list is not asked for again sooner */

static const char *const legacy_versions[] = { "2024-11-05", "2025-03-26", "2025-06-18",
                                               MCP_VERSION_LEGACY };

/* ---- one request ---- */

static int meta_set(json_t *meta, const char *key, json_t *value)
{
    return json_object_set_new(meta, key, value) ? BASE_E_MEMORY : 0;
}

/* A copy of params with what the era and the watchers want in _meta. */
static int params_make(struct mcp_client *c, const char *method, const json_t *params,
                       const struct mcp_watch *watch, json_int_t id, json_t **out)
{
    json_t *copy = params ? json_copy((json_t *)(uintptr_t)params) : json_object();
    const json_t *given = json_object_get(copy, "_meta");
    json_t *meta = json_is_object(given) ? json_copy((json_t *)(uintptr_t)given) : json_object();
    bool watched = (c->o.told || (watch && watch->progress)) && strcmp(method, "tools/call") == 0;
    int rc = copy && meta ? 0 : BASE_E_MEMORY;
    if (!rc && c->modern) {
        rc = meta_set(meta, MCP_META "protocolVersion", json_string(MCP_VERSION_MODERN));
        if (!rc)
            rc = meta_set(meta, MCP_META "clientInfo",
                          json_pack("{s:s, s:s, s:s}", "name", "assay", "title", "Assay", "version",
                                    ASSAY_VERSION));
        if (!rc)
            rc = meta_set(meta, MCP_META "clientCapabilities", json_incref(c->can));
        if (!rc && c->o.log)
            rc = meta_set(meta, MCP_META "logLevel", json_string(c->o.log));
    }
    if (!rc && watched && !json_object_get(meta, "progressToken"))
        rc = meta_set(meta, "progressToken", json_integer(id));
    if (!rc && json_object_size(meta) && json_object_set(copy, "_meta", meta))
        rc = BASE_E_MEMORY;
    json_decref(meta);
    if (rc)
        json_decref(copy);
    else
        *out = copy;
    return rc;
}

/* One message and its answer, a whole message; params is borrowed. */
static int exchange(struct mcp_client *c, const char *method, const json_t *params,
                    const struct mcp_watch *watch, json_t **answer)
{
    double seconds = watch && watch->timeout > 0 ? watch->timeout : c->o.timeout;
    struct mcp_exchange x = {
        .method = method, .id = ++c->next_id, .until = mcp_now() + seconds, .watch = watch
    };
    json_t *full = NULL;
    int rc = params_make(c, method, params, watch, x.id, &full);
    json_t *message =
        rc ? NULL : json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id", x.id, "method", method);
    if (!rc && (!message || (json_object_size(full) && json_object_set(message, "params", full))))
        rc = BASE_E_MEMORY;
    x.message = message;
    x.params = full;
    *answer = NULL;
    c->refused = c->timed_out = false;
    if (!rc)
        rc = c->transport->exchange(c, &x);
    if (!rc)
        *answer = x.answer;
    else
        json_decref(x.answer);
    json_decref(message);
    json_decref(full);
    return rc;
}

static int error_of(const char *method, const json_t *error)
{
    const char *text = json_string_value(json_object_get(error, "message"));
    return base_error_set(BASE_E_FORMAT, "%.100s: %lld: %.600s", method,
                          (long long)json_integer_value(json_object_get(error, "code")),
                          text ? text : "(no message)");
}

/* A request of hello: no rounds, the result is new. */
static int simple(struct mcp_client *c, const char *method, const json_t *params, json_t **result)
{
    json_t *answer = NULL;
    int rc = exchange(c, method, params, NULL, &answer);
    const json_t *error = json_object_get(answer, "error");
    *result = NULL;
    if (error) {
        c->refused = true;
        rc = error_of(method, error);
    } else if (!rc && !json_is_object(json_object_get(answer, "result"))) {
        rc = base_error_set(BASE_E_FORMAT, "%s: the result is not an object", method);
    } else if (!rc) {
        *result = json_incref(json_object_get(answer, "result"));
    }
    json_decref(answer);
    return rc;
}

/* ---- hello ---- */

static const char *legacy_known(const char *version)
{
    for (size_t i = 0; version && i < sizeof legacy_versions / sizeof *legacy_versions; i++)
        if (strcmp(version, legacy_versions[i]) == 0)
            return legacy_versions[i];
    return NULL;
}

static int keep(json_t **place, json_t *value)
{
    json_t *copy = json_is_object(value) ? json_incref(value) : json_object();
    if (!copy)
        return BASE_E_MEMORY;
    json_decref(*place);
    *place = copy;
    return 0;
}

/* version NULL: the newest. */
static int hello_legacy(struct mcp_client *c, const char *version)
{
    json_t *result = NULL, *params;
    c->modern = false;
    c->version = NULL;
    params = json_pack("{s:s, s:O, s:{s:s, s:s, s:s}}", "protocolVersion",
                       version ? version : MCP_VERSION_LEGACY, "capabilities", c->can, "clientInfo",
                       "name", "assay", "title", "Assay", "version", ASSAY_VERSION);
    int rc = params ? simple(c, "initialize", params, &result) : BASE_E_MEMORY;
    json_decref(params);
    if (rc)
        return rc;
    const char *theirs = json_string_value(json_object_get(result, "protocolVersion"));
    c->version = legacy_known(theirs);
    if (!c->version)
        rc = base_error_set(BASE_E_UNSUPPORTED,
                            "the server speaks revision \"%.40s\", not known here",
                            theirs ? theirs : "");
    if (!rc)
        rc = keep(&c->server, json_object_get(result, "serverInfo"));
    if (!rc)
        rc = keep(&c->offers, json_object_get(result, "capabilities"));
    json_decref(result);
    json_t *note = rc ? NULL : mcp_client_note("notifications/initialized", NULL);
    if (!rc)
        rc = note ? c->transport->send(c, note, mcp_now() + c->o.timeout) : BASE_E_MEMORY;
    json_decref(note);
    if (!rc && c->transport->listen && (c->o.told || c->o.asked))
        rc = c->transport->listen(c);
    if (!rc && c->o.log && json_object_get(c->offers, "logging")) {
        json_t *level = json_pack("{s:s}", "level", c->o.log);
        rc = level ? simple(c, "logging/setLevel", level, &result) : BASE_E_MEMORY;
        json_decref(level);
        json_decref(result);
    }
    return rc;
}

/* The newest revision of the list that both know, NULL = none. */
static const char *best_of(const json_t *supported)
{
    const char *best = NULL;
    for (size_t i = 0; i < json_array_size(supported); i++) {
        const char *s = json_string_value(json_array_get(supported, i));
        if (s && strcmp(s, MCP_VERSION_MODERN) == 0)
            return MCP_VERSION_MODERN;
        s = legacy_known(s);
        if (s && (!best || strcmp(s, best) > 0))
            best = s;
    }
    return best;
}

static const json_t *supported_of(const json_t *error)
{
    bool unsupported =
        json_integer_value(json_object_get(error, "code")) == MCP_UNSUPPORTED_VERSION;
    return unsupported ? json_object_get(json_object_get(error, "data"), "supported") : NULL;
}

static int hello_modern(struct mcp_client *c)
{
    c->modern = true;
    for (int tries = 0;; tries++) {
        json_t *answer = NULL;
        int rc = exchange(c, "server/discover", NULL, NULL, &answer);
        if (rc)
            return rc;
        const json_t *error = json_object_get(answer, "error");
        json_t *result = json_object_get(answer, "result");
        const char *best =
            best_of(error ? supported_of(error) : json_object_get(result, "supportedVersions"));
        bool modern = best && strcmp(best, MCP_VERSION_MODERN) == 0;
        if (best && !modern) { /* another era */
            json_decref(answer);
            return hello_legacy(c, best);
        }
        if (error && modern && tries < VERSIONS_MOST) {
            json_decref(answer);
            continue;
        }
        if (error) {
            c->refused = true;
            rc = error_of("server/discover", error);
        } else if (!modern) {
            rc = base_error_set(BASE_E_UNSUPPORTED,
                                "the server speaks no revision that is known here");
        } else {
            json_t *info = json_object_get(json_object_get(result, "_meta"), MCP_META "serverInfo");
            rc = keep(&c->server, info ? info : json_object_get(result, "serverInfo"));
            if (!rc)
                rc = keep(&c->offers, json_object_get(result, "capabilities"));
            c->version = MCP_VERSION_MODERN;
        }
        json_decref(answer);
        return rc;
    }
}

static int hello(struct mcp_client *c, const char *version)
{
    if (version && strcmp(version, MCP_VERSION_MODERN) == 0)
        return hello_modern(c);
    int rc = hello_legacy(c, version);
    if (!rc || version || !c->refused || c->broken)
        return rc;
    /* a server of the era without sessions knows no initialize; what it said of it comes first */
    char *why = base_strdup(base_error_message());
    if (why && hello_modern(c) == 0)
        rc = 0;
    else if (why)
        base_error_set(rc, "%s", why);
    base_free(why);
    return rc;
}

/* ---- requests ---- */

/* Goes on in another revision of the server's list; false when there is none. */
static bool move_on(struct mcp_client *c, const json_t *supported)
{
    const char *best = best_of(supported);
    if (!best)
        return false;
    return strcmp(best, MCP_VERSION_MODERN) == 0 || hello_legacy(c, best) == 0;
}

/* Has each of the server's questions answered; the answers and its state go into params. */
static int give_input(struct mcp_client *c, const json_t *result, json_t *params)
{
    const json_t *requests = json_object_get(result, "inputRequests"),
                 *state = json_object_get(result, "requestState");
    json_t *responses = json_object(), *request;
    const char *key;
    int rc = responses ? 0 : BASE_E_MEMORY;
    if (!json_is_object(requests) && !json_is_string(state))
        rc = base_error_set(BASE_E_FORMAT,
                            "the server wants input and says neither which nor in what state");
    json_object_foreach((json_t *)(uintptr_t)requests, key, request)
    {
        if (rc)
            break;
        const char *method = json_string_value(json_object_get(request, "method"));
        json_t *given = NULL;
        rc = method ? mcp_client_ask(c, method, json_object_get(request, "params"), &given)
                    : base_error_set(BASE_E_FORMAT, "inputRequests.%.60s: no method", key);
        if (!rc && json_object_set_new(responses, key, given))
            rc = BASE_E_MEMORY;
    }
    if (!rc && json_is_object(requests) && json_object_set(params, "inputResponses", responses))
        rc = BASE_E_MEMORY;
    else if (!rc && !json_is_object(requests))
        json_object_del(params, "inputResponses");
    if (!rc && json_is_string(state)) {
        if (json_object_set(params, "requestState", (json_t *)(uintptr_t)state))
            rc = BASE_E_MEMORY;
    } else if (!rc) {
        json_object_del(params, "requestState");
    }
    json_decref(responses);
    return rc;
}

static int list_locked(struct mcp_client *c, const char *key, json_t **out);

/* Over HTTP without sessions a call repeats some arguments as headers: the tool's schema must be
 * known, and a tool whose annotations break the rules is none. */
static int headers_learn(struct mcp_client *c, const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "name"));
    json_t *tools = NULL;
    if (!c->modern || !c->http || !name)
        return 0;
    int rc = c->headers && json_object_get(c->headers, name) ? 0 : list_locked(c, "tools", &tools);
    json_decref(tools);
    const json_t *map = json_object_get(c->headers, name);
    if (!rc && !map) /* the server will say that there is none */
        return json_object_set_new(c->headers, name, json_object()) ? BASE_E_MEMORY : 0;
    if (!rc && json_is_string(map))
        rc = base_error_set(BASE_E_UNSUPPORTED, "tool %.80s: %s", name, json_string_value(map));
    return rc;
}

/* Does what an answer asks for: 1 = make the request again, 0 = *result is there. */
static int settle(struct mcp_client *c, const char *method, json_t *params, json_t *answer,
                  int *rounds, int *errors, json_t **result)
{
    const json_t *error = json_object_get(answer, "error");
    json_t *value = json_object_get(answer, "result");
    if (error) {
        int code = (int)json_integer_value(json_object_get(error, "code"));
        bool again = *errors < VERSIONS_MOST && c->modern;
        ++*errors;
        if (again && code == MCP_UNSUPPORTED_VERSION && move_on(c, supported_of(error)))
            return 1;
        if (again && code == MCP_HEADER_MISMATCH && c->headers && *errors == 1) {
            json_decref(c->headers); /* the tools have changed since they were listed */
            c->headers = NULL;
            return 1;
        }
        c->refused = true;
        return error_of(method, error);
    }
    if (!json_is_object(value))
        return base_error_set(BASE_E_FORMAT, "%.100s: the result is not an object", method);
    const char *type = json_string_value(json_object_get(value, "resultType"));
    if (c->modern && type && strcmp(type, "input_required") == 0) {
        if (++*rounds > ROUNDS_MOST)
            return base_error_set(BASE_E_LIMIT, "%.100s: the server asked for input %d times",
                                  method, ROUNDS_MOST);
        int rc = give_input(c, value, params);
        return rc ? base_error_prefix(rc, "%.100s", method) : 1;
    }
    if (c->modern && type && strcmp(type, "complete") != 0)
        return base_error_set(BASE_E_UNSUPPORTED, "%.100s: a result of type \"%.40s\" is not known",
                              method, type);
    *result = json_incref(value);
    return 0;
}

static int request_locked(struct mcp_client *c, const char *method, const json_t *given,
                          const struct mcp_watch *watch, json_t **result)
{
    json_t *params = given ? json_copy((json_t *)(uintptr_t)given) : json_object();
    int rounds = 0, errors = 0, sessions = 0, rc = params ? 1 : BASE_E_MEMORY;
    bool call = strcmp(method, "tools/call") == 0;
    while (rc > 0) {
        json_t *answer = NULL;
        if (c->broken)
            rc = base_error_set(BASE_E_IO, "the server is gone");
        else if (!call || !(rc = headers_learn(c, params)))
            rc = exchange(c, method, params, watch, &answer);
        if (rc && c->session_lost && !sessions++) { /* begun anew, once */
            c->session_lost = false;
            if (!(rc = hello_legacy(c, c->version)))
                rc = 1;
            continue;
        }
        if (!rc)
            rc = settle(c, method, params, answer, &rounds, &errors, result);
        json_decref(answer);
    }
    json_decref(params);
    return rc;
}

/* The lock, for as long as a request may wait. */
static int take_turn(struct mcp_client *c, const struct mcp_watch *watch)
{
    double until = mcp_now() + (watch && watch->timeout > 0 ? watch->timeout : c->o.timeout);
    for (;;) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += 20000000;
        t.tv_sec += t.tv_nsec / 1000000000;
        t.tv_nsec %= 1000000000;
        if (pthread_mutex_timedlock(&c->lock, &t) == 0)
            return 0;
        if (base_interrupted() || (watch && watch->cancelled && watch->cancelled(watch->context)))
            return base_error_set(BASE_E_INTERRUPTED, "cancelled");
        if (mcp_now() >= until)
            return base_error_set(BASE_E_IO, "the server is busy with another request");
    }
}

int mcp_client_wake(struct mcp_client *c)
{
    const char *version = c->version;
    int rc = take_turn(c, NULL);
    if (rc)
        return rc;
    if (c->broken && !c->http) {
        c->transport->close(c);
        c->broken = false;
        c->tools_doubted = true;
        rc = mcp_client_stdio_open(c, c->name);
        if (!rc)
            rc = hello(c, version);
        if (rc) {
            c->broken = true;
            c->version = version;
        }
    }
    if (!rc && c->transport->hear)
        rc = c->transport->hear(c);
    if (c->modern && c->tools_stale > 0 && mcp_now() > c->tools_stale)
        c->tools_changed = true;
    pthread_mutex_unlock(&c->lock);
    return rc;
}

int mcp_client_request_watched(struct mcp_client *c, const char *method, json_t *params,
                               const struct mcp_watch *watch, bool *timed_out, json_t **result)
{
    *result = NULL;
    int rc = take_turn(c, watch);
    if (timed_out)
        *timed_out = rc == BASE_E_IO;
    if (!rc) {
        rc = request_locked(c, method, params, watch, result);
        if (timed_out)
            *timed_out = rc && c->timed_out;
        pthread_mutex_unlock(&c->lock);
    }
    json_decref(params);
    return rc;
}

int mcp_client_request(struct mcp_client *c, const char *method, json_t *params, json_t **result)
{
    return mcp_client_request_watched(c, method, params, NULL, NULL, result);
}

/* ---- lists ---- */

int mcp_client_leave_out(struct mcp_client *c, const char *tool)
{
    char *text = base_format("%.100s: %s", tool ? tool : "?", base_error_message());
    json_t *line = text ? base_json_text(text, strlen(text)) : NULL;
    base_free(text);
    for (size_t i = 0; line && i < json_array_size(c->left_out); i++)
        if (json_equal(json_array_get(c->left_out, i), line)) { /* it is listed again */
            json_decref(line);
            return 0;
        }
    if (line && !c->left_out)
        c->left_out = json_array();
    return line && c->left_out && !json_array_append_new(c->left_out, line) ? 0 : BASE_E_MEMORY;
}

const json_t *mcp_client_left_out(const struct mcp_client *c)
{
    return c->left_out;
}

/* Keeps each tool's header map, and takes out the tools that have none that is valid. */
static int tools_sift(struct mcp_client *c, json_t *tools)
{
    json_t *all = json_object();
    int rc = all ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < json_array_size(tools) && !rc;) {
        json_t *tool = json_incref(json_array_get(tools, i)); /* it may be taken out */
        const char *name = json_string_value(json_object_get(tool, "name"));
        json_t *map = NULL;
        rc = mcp_header_map(json_object_get(tool, "inputSchema"), &map);
        if (rc == BASE_E_FORMAT) {
            json_array_remove(tools, i);
            map = json_string(base_error_message());
            rc = map ? mcp_client_leave_out(c, name) : BASE_E_MEMORY;
        } else {
            i++;
        }
        if (!rc && name && json_object_set(all, name, map))
            rc = BASE_E_MEMORY;
        json_decref(map);
        json_decref(tool);
    }
    if (rc) {
        json_decref(all);
        return rc;
    }
    json_decref(c->headers);
    c->headers = all;
    return 0;
}

static int list_locked(struct mcp_client *c, const char *key, json_t **out)
{
    bool templates = strcmp(key, "resourceTemplates") == 0, tools = strcmp(key, "tools") == 0;
    json_t *all = json_array();
    char *method = base_format("%s/list", templates ? "resources/templates" : key), *cursor = NULL;
    int rc = all && method ? 0 : BASE_E_MEMORY;
    if (tools)
        c->tools_changed = false;
    for (int page = 0; !rc; page++) {
        json_t *result = NULL, *params = cursor ? json_pack("{s:s}", "cursor", cursor) : NULL;
        if (page == PAGES_MOST)
            rc = base_error_set(BASE_E_LIMIT, "%s: more than %d pages", method, PAGES_MOST);
        else if (cursor && !params)
            rc = BASE_E_MEMORY;
        else
            rc = request_locked(c, method, params, NULL, &result);
        json_t *part = json_object_get(result, key);
        if (!rc && !json_is_array(part))
            rc = base_error_set(BASE_E_FORMAT, "%s: the answer has no list \"%s\"", method, key);
        if (!rc && json_array_extend(all, part))
            rc = BASE_E_MEMORY;
        const json_t *ttl = json_object_get(result, "ttlMs");
        if (!rc && tools && json_is_integer(ttl)) {
            double seconds = (double)json_integer_value(ttl) / 1000;
            c->tools_stale = mcp_now() + (seconds > TTL_LEAST ? seconds : TTL_LEAST);
        }
        const char *next = json_string_value(json_object_get(result, "nextCursor"));
        if (!rc && next && cursor && strcmp(next, cursor) == 0)
            rc = base_error_set(BASE_E_FORMAT, "%s: the page after \"%.60s\" is itself", method,
                                cursor);
        base_free(cursor);
        cursor = next && !rc ? base_strdup(next) : NULL;
        if (next && !rc && !cursor)
            rc = BASE_E_MEMORY;
        json_decref(params);
        json_decref(result);
        if (!cursor)
            break;
    }
    if (!rc && tools && c->modern && c->http)
        rc = tools_sift(c, all);
    base_free(method);
    base_free(cursor);
    if (rc)
        json_decref(all);
    else
        *out = all;
    return rc;
}

int mcp_client_list(struct mcp_client *c, const char *key, json_t **out)
{
    int rc = take_turn(c, NULL);
    *out = NULL;
    if (!rc) {
        rc = list_locked(c, key, out);
        pthread_mutex_unlock(&c->lock);
    }
    return rc;
}

/* ---- open, close ---- */

int mcp_client_open(struct mcp_client **out, const struct mcp_client_options *options)
{
    *out = NULL;
    if (!options->command == !options->url)
        return base_error_set(BASE_E_ARGUMENT, "a server is a command or an address, one of both");
    if (options->version && strcmp(options->version, MCP_VERSION_MODERN) != 0 &&
        !legacy_known(options->version))
        return base_error_set(BASE_E_ARGUMENT,
                              "revision \"%.40s\" is not known: expected 2024-11-05, 2025-03-26, "
                              "2025-06-18, 2025-11-25 or 2026-07-28",
                              options->version);
    struct mcp_client *c = base_alloc_zero(1, sizeof *c);
    if (!c)
        return BASE_E_MEMORY;
    c->o = *options;
    c->http = options->url != NULL;
    c->o.timeout = options->timeout > 0 ? options->timeout : 30;
    pthread_mutex_init(&c->lock, NULL);
    const char *name = options->command ? options->command : options->url;
    c->name = base_strdup(name);
    c->can = options->asked && options->capabilities ? json_deep_copy(options->capabilities)
                                                     : json_object();
    if (options->log)
        c->o.log = base_strdup(options->log);
    int rc = c->name && c->can && !options->log == !c->o.log ? 0 : BASE_E_MEMORY;
    if (!rc)
        rc = options->command ? mcp_client_stdio_open(c, options->command)
                              : mcp_client_http_open(c, options->url, options->token);
    if (!rc)
        rc = hello(c, options->version);
    if (rc) {
        rc = base_error_prefix(rc, "%.200s", name);
        mcp_client_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

void mcp_client_close(struct mcp_client *c)
{
    if (!c)
        return;
    if (c->line)
        c->transport->close(c);
    json_decref(c->server);
    json_decref(c->offers);
    json_decref(c->can);
    json_decref(c->headers);
    json_decref(c->left_out);
    mcp_remotes_free(c->remotes);
    base_free(c->name);
    base_free((char *)(uintptr_t)c->o.log);
    pthread_mutex_destroy(&c->lock);
    base_free(c);
}

const json_t *mcp_client_server(const struct mcp_client *c)
{
    return c->server;
}

const json_t *mcp_client_offers(const struct mcp_client *c)
{
    return c->offers;
}

const char *mcp_client_version(const struct mcp_client *c)
{
    return c->version;
}
