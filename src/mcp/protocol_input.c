/* What a request needs from the client before it can be answered.
 *
 * Through 2025-11-25 the client is asked while the request waits. In 2026-07-28 the result says
 * what is wanted ("input_required") and the client makes the request again with its answers. What
 * the server must not forget in between travels with the client as requestState:
 *
 *   BASE64URL(payload) "." HEX(HMAC-SHA256(secret, payload))
 *   payload = {"principal", "expires": Unix seconds, "request": SHA-256 of method and parameters
 *              (without _meta, inputResponses and requestState), "asked": [keys],
 *              "given": {key: answer}}
 *
 * signed with a secret of this server's own, so that it is worth nothing to another principal, for
 * another request, later, or with a bit changed. HMAC: RFC 2104. */
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "mcp/protocol_private.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define STATE_MOST ((size_t)1 << 20)

int mcp_secret_make(unsigned char secret[32])
{
    size_t at = 0;
    while (at < 32) {
        ssize_t n = getrandom(secret + at, 32 - at, 0);
        if (n < 0 && errno != EINTR)
            return base_error_set(BASE_E_IO, "no random bytes: %s", strerror(errno));
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void from_hex(const char *hex, unsigned char *out, size_t n)
{
    for (size_t i = 0; i < 2 * n; i++) {
        unsigned char v = (unsigned char)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
        out[i / 2] = i % 2 ? (unsigned char)(out[i / 2] | v) : (unsigned char)(v << 4);
    }
}

/* HMAC-SHA256 with a key of 32 bytes: H(K ^ opad, H(K ^ ipad, text)), blocks of 64 bytes. */
static int hmac(const unsigned char key[32], const char *text, size_t n, char hex[BASE_SHA256_HEX])
{
    unsigned char pad[64], inner[32];
    struct base_sha256 *h = NULL;
    memset(pad, 0x36, sizeof pad);
    for (int i = 0; i < 32; i++)
        pad[i] ^= key[i];
    int rc = base_sha256_begin(&h);
    if (rc)
        return rc;
    base_sha256_add(h, pad, sizeof pad);
    base_sha256_add(h, text, n);
    base_sha256_end(h, hex);
    from_hex(hex, inner, sizeof inner);
    for (int i = 0; i < 64; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    rc = base_sha256_begin(&h);
    if (rc)
        return rc;
    base_sha256_add(h, pad, sizeof pad);
    base_sha256_add(h, inner, sizeof inner);
    base_sha256_end(h, hex);
    return 0;
}

/* ---- base64url without padding, RFC 4648 ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int encode(struct base_buffer *out, const char *text, size_t n)
{
    int rc = base_buffer_reserve(out, n / 3 * 4 + 4);
    for (size_t i = 0; i < n && !rc; i += 3) {
        uint32_t v = 0;
        size_t k = n - i < 3 ? n - i : 3;
        for (size_t j = 0; j < 3; j++)
            v = v << 8 | (j < k ? (unsigned char)text[i + j] : 0);
        char four[4];
        for (int j = 0; j < 4; j++)
            four[j] = digits[v >> (18 - 6 * j) & 63];
        rc = base_buffer_append(out, four, k + 1);
    }
    return rc;
}

/* False when it is not what encode gives. */
static bool decode(struct base_buffer *out, const char *text, size_t n)
{
    uint32_t v = 0;
    int bits = 0;
    for (size_t i = 0; i < n; i++) {
        const char *at = text[i] ? strchr(digits, text[i]) : NULL;
        if (!at)
            return false;
        v = v << 6 | (uint32_t)(at - digits);
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        char byte = (char)(v >> bits & 255);
        if (base_buffer_append(out, &byte, 1))
            return false;
    }
    return bits < 6 && (v & ((1u << bits) - 1)) == 0;
}

/* ---- the state ---- */

/* SHA-256 of what the request asks for, apart from its rounds. */
static int digest(const struct mcp_request *r, char hex[BASE_SHA256_HEX])
{
    json_t *params = json_copy((json_t *)(uintptr_t)r->params);
    static const char *const not_of_it[] = { "_meta", "inputResponses", "requestState" };
    for (size_t i = 0; i < sizeof not_of_it / sizeof *not_of_it; i++)
        json_object_del(params, not_of_it[i]);
    json_t *all = params ? json_pack("[s, o]", r->method, params) : NULL;
    char *text =
        all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17)) : NULL;
    int rc = text ? base_sha256(text, strlen(text), hex) : BASE_E_MEMORY;
    base_free(text);
    json_decref(all);
    return rc;
}

static int seal(struct mcp_request *r, json_t **state)
{
    char request[BASE_SHA256_HEX], mac[BASE_SHA256_HEX];
    struct base_buffer b = { 0 };
    json_t *asked = json_array();
    const char *key;
    json_t *value;
    int rc = asked ? digest(r, request) : BASE_E_MEMORY;
    json_object_foreach(r->known, key, value)
    {
        if (!rc && json_array_append_new(asked, json_string(key)))
            rc = BASE_E_MEMORY;
    }
    json_object_foreach(r->wanted, key, value)
    {
        if (!rc && json_array_append_new(asked, json_string(key)))
            rc = BASE_E_MEMORY;
    }
    json_t *given = rc ? NULL : r->given ? json_incref(r->given) : json_object();
    json_t *payload =
        rc ? NULL
           : json_pack("{s:s, s:I, s:s, s:O, s:o}", "principal", r->s->principal, "expires",
                       (json_int_t)time(NULL) + r->s->server->state_seconds, "request", request,
                       "asked", asked, "given", given);
    char *text = payload ? json_dumps(payload, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    if (!rc)
        rc = text ? hmac(r->s->server->secret, text, strlen(text), mac) : BASE_E_MEMORY;
    if (!rc)
        rc = encode(&b, text, strlen(text));
    if (!rc)
        rc = base_buffer_printf(&b, ".%s", mac);
    *state = rc ? NULL : json_stringn(b.data, b.length);
    if (!rc && !*state)
        rc = BASE_E_MEMORY;
    base_free(text);
    json_decref(payload);
    json_decref(asked);
    base_buffer_free(&b);
    return rc;
}

/* What is wrong with the state; NULL when nothing is. Fills known and given. */
static const char *unseal(struct mcp_request *r, const char *state, size_t n)
{
    static const char broken[] = "params.requestState is not one that was given";
    char mac[BASE_SHA256_HEX], request[BASE_SHA256_HEX];
    struct base_buffer text = { 0 };
    json_t *payload = NULL;
    const char *problem = broken;
    const char *dot = n <= STATE_MOST ? memchr(state, '.', n) : NULL;
    if (!dot || n - (size_t)(dot + 1 - state) != BASE_SHA256_HEX - 1 ||
        !decode(&text, state, (size_t)(dot - state)) || !text.length ||
        hmac(r->s->server->secret, text.data, text.length, mac))
        goto out;
    unsigned differ = 0; /* in a time that does not tell where */
    for (size_t i = 0; i < BASE_SHA256_HEX - 1; i++)
        differ |= (unsigned char)(mac[i] ^ dot[1 + i]);
    if (differ || base_json_parse_wire(&payload, text.data, text.length, 0, "state"))
        goto out;
    const char *principal = json_string_value(json_object_get(payload, "principal"));
    const char *of = json_string_value(json_object_get(payload, "request"));
    json_t *asked = json_object_get(payload, "asked"), *given = json_object_get(payload, "given");
    problem = "params.requestState belongs to another request";
    if (!principal || strcmp(principal, r->s->principal) != 0 || !of || digest(r, request) ||
        strcmp(of, request) != 0)
        goto out;
    problem = "params.requestState has expired";
    if (json_integer_value(json_object_get(payload, "expires")) < (json_int_t)time(NULL))
        goto out;
    problem = NULL;
    r->given = json_incref(given);
    r->known = json_object();
    size_t i;
    const json_t *key;
    json_array_foreach(asked, i, key)
        json_object_set_new(r->known, json_string_value(key), json_true());
out:
    json_decref(payload);
    base_buffer_free(&text);
    return problem;
}

int mcp_input_begin(struct mcp_request *r)
{
    const json_t *state = json_object_get(r->params, "requestState");
    const json_t *answers = json_object_get(r->params, "inputResponses");
    if (!r->modern || (!state && !answers))
        return 1;
    if (state && !json_is_string(state))
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.requestState: expected a string");
    if (answers && !json_is_object(answers))
        return mcp_refuse(r, MCP_INVALID_PARAMS, "params.inputResponses: expected an object");
    const char *key, *problem;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)answers, key, value)
    {
        if (!json_is_object(value))
            return mcp_refuse(r, MCP_INVALID_PARAMS,
                              "params.inputResponses: \"%.64s\": expected an object", key);
    }
    if (state && (problem = unseal(r, json_string_value(state), json_string_length(state))))
        return mcp_refuse(r, MCP_INVALID_PARAMS, "%s", problem);
    if (!r->given && !(r->given = json_object()))
        return BASE_E_MEMORY;
    /* what a state holds stays as it was said */
    return answers && json_object_update_missing(r->given, (json_t *)(uintptr_t)answers)
               ? BASE_E_MEMORY
               : 1;
}

/* ---- answers ---- */

/* Whether an answer is what the method's result must be; an accepted form fits its schema. */
static bool fits(const char *method, const json_t *params, const json_t *answer)
{
    if (strcmp(method, "roots/list") == 0)
        return json_is_array(json_object_get(answer, "roots"));
    if (strcmp(method, "sampling/createMessage") == 0) {
        const json_t *content = json_object_get(answer, "content");
        return json_is_string(json_object_get(answer, "role")) &&
               (json_is_object(content) || json_is_array(content));
    }
    const char *action = json_string_value(json_object_get(answer, "action"));
    const json_t *content = json_object_get(answer, "content");
    if (!action || (strcmp(action, "accept") != 0 && strcmp(action, "decline") != 0 &&
                    strcmp(action, "cancel") != 0))
        return false;
    if (strcmp(action, "accept") != 0)
        return true;
    static const struct agent_schema_options own = { .unchecked = true };
    struct agent_schema *schema = NULL;
    bool good = json_is_object(content) &&
                agent_schema_compile(&schema, json_object_get(params, "requestedSchema"), "form",
                                     &own) == 0 &&
                agent_schema_check(schema, content, NULL) == 1;
    agent_schema_free(schema);
    return good;
}

static const char *capability_of(const char *method)
{
    return strcmp(method, "roots/list") == 0               ? "roots"
           : strcmp(method, "sampling/createMessage") == 0 ? "sampling"
                                                           : "elicitation";
}

bool mcp_require(struct mcp_request *r, const char *capability)
{
    if (mcp_client_can(r, capability))
        return true;
    if (r->modern) {
        r->status = 400;
        r->data = json_pack("{s:{s:{}}}", "requiredCapabilities", capability);
    }
    mcp_refuse(r, r->modern ? MCP_MISSING_CAPABILITY : MCP_INVALID_REQUEST,
               "the client has not said that it can do %s, which this needs", capability);
    return false;
}

static int set(json_t **object, const char *key, json_t *value)
{
    if (!*object)
        *object = json_object();
    return *object ? json_object_set(*object, key, value) : -1;
}

int mcp_input(struct mcp_request *r, const char *key, const char *method, json_t *params,
              bool asked_for, const json_t **answer)
{
    int rc = 0;
    *answer = NULL;
    if (!params)
        return BASE_E_MEMORY;
    json_t *given = json_object_get(r->given, key), *now = NULL;
    if (given && (!asked_for || json_object_get(r->known, key)) && fits(method, params, given)) {
        *answer = given;
        rc = 1;
    } else if (!mcp_require(r, capability_of(method))) {
        rc = 0;
    } else if (r->modern) {
        json_t *question = json_pack("{s:s, s:O}", "method", method, "params", params);
        rc = question && !set(&r->wanted, key, question) ? 0 : BASE_E_MEMORY;
        json_decref(question);
        /* an answer that does not do must not come back in the state */
        json_object_del(r->given, key);
    } else if ((rc = mcp_ask(r, method, json_incref(params), &now))) {
        rc = rc == BASE_E_MEMORY ? rc
                                 : mcp_refuse(r, MCP_INTERNAL_ERROR, "%s", base_error_message());
    } else if (!fits(method, params, now)) {
        rc = mcp_refuse(r, MCP_INTERNAL_ERROR, "the client's answer to %s is not one", method);
    } else {
        rc = set(&r->given, key, now) ? BASE_E_MEMORY : 1;
        *answer = now;
    }
    json_decref(now); /* the request holds it */
    json_decref(params);
    return rc;
}

bool mcp_input_wanted(const struct mcp_request *r)
{
    return json_object_size(r->wanted) > 0 && !r->code;
}

int mcp_give_input(struct mcp_request *r)
{
    json_t *state = NULL;
    int rc = seal(r, &state);
    if (rc)
        return rc == BASE_E_MEMORY ? rc
                                   : mcp_refuse(r, MCP_INTERNAL_ERROR, "%s", base_error_message());
    return mcp_give(r, json_pack("{s:s, s:O, s:o}", "resultType", "input_required", "inputRequests",
                                 r->wanted, "requestState", state));
}
