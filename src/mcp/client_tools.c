/* A server's tools among our own, and the file that pins them; see include/assay/mcp.h.
 *
 * Nothing a server says of its tools grants anything: every one of them counts as reaching the
 * outside, so that the gate asks before it is called unless a policy allows it. What a tool says of
 * itself is what a model will read, so it is pinned: a line of JSON for each tool,
 *
 *     {"server": "COMMAND or URL", "tool": "NAME", "sha256": "..."}
 *
 * with the SHA-256 of its name, title, description, schemas and annotations as compact JSON, keys
 * sorted. The file is read and appended to under a lock, and a server of which one tool is not what
 * it was is refused as a whole. When a server says during a session that its tools have changed,
 * they are looked at again before the next call; so are those of a server that has died, which is
 * started anew for the next call. */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "mcp/client.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PINS_MOST   ((size_t)16 << 20)
#define NAME_MOST   64
#define OUTPUT_MOST ((size_t)4 << 20)

struct mcp_remote {
    struct mcp_client *c;
    char *name; /* as the server has it */
    char hash[BASE_SHA256_HEX];
    struct mcp_remote *next;
};

void mcp_remotes_free(struct mcp_remote *r)
{
    while (r) {
        struct mcp_remote *next = r->next;
        base_free(r->name);
        base_free(r);
        r = next;
    }
}

/* What a model is told of a tool, hashed. */
static int hash_of(const json_t *tool, char hash[BASE_SHA256_HEX])
{
    static const char *const keys[] = { "name",        "title",        "description",
                                        "inputSchema", "outputSchema", "annotations" };
    json_t *said = json_object();
    int rc = said ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !rc; i++) {
        json_t *value = json_object_get(tool, keys[i]);
        if (value && json_object_set(said, keys[i], value))
            rc = BASE_E_MEMORY;
    }
    char *text = rc ? NULL : json_dumps(said, JSON_COMPACT | JSON_SORT_KEYS);
    if (!rc)
        rc = text ? base_sha256(text, strlen(text), hash) : BASE_E_MEMORY;
    base_free(text);
    json_decref(said);
    return rc;
}

/* ---- pins ---- */

struct pins {
    const char *path;
    int fd;
    json_t *known;          /* tool -> hash, of this server */
    struct base_buffer add; /* lines */
};

static int pins_read(struct pins *p, const char *server)
{
    char *text = NULL;
    size_t bytes = 0, number = 0;
    int rc = base_file_read(p->path, PINS_MOST, &text, &bytes);
    for (size_t at = 0; at < bytes && !rc;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t n = end ? (size_t)(end - text) - at : bytes - at;
        json_t *line = NULL;
        char name[600];
        number++;
        snprintf(name, sizeof name, "%.500s:%zu", p->path, number);
        if (n)
            rc = base_json_parse(&line, text + at, n, name);
        const char *of = json_string_value(json_object_get(line, "server")),
                   *tool = json_string_value(json_object_get(line, "tool"));
        json_t *hash = json_object_get(line, "sha256");
        if (!rc && n && (!of || !tool || json_string_length(hash) != BASE_SHA256_HEX - 1 || !end))
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: expected one line {\"server\", \"tool\", \"sha256\"}", name);
        if (!rc && n && strcmp(of, server) == 0 && json_object_set(p->known, tool, hash))
            rc = BASE_E_MEMORY;
        json_decref(line);
        at += n + 1;
    }
    base_free(text);
    return rc;
}

/* Opens and locks the file, made if need be. */
static int pins_open(struct pins *p, const char *path, const char *server)
{
    *p = (struct pins){ .path = path, .fd = -1 };
    if (!path)
        return 0;
    p->known = json_object();
    p->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (p->fd < 0 || flock(p->fd, LOCK_EX))
        return base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));
    return p->known ? pins_read(p, server) : BASE_E_MEMORY;
}

/* Holds one tool against its pin, or notes that it is to have one. */
static int pins_check(struct pins *p, const char *server, const char *tool, const char *hash)
{
    const char *before = json_string_value(json_object_get(p->known, tool));
    if (p->fd < 0 || (before && strcmp(before, hash) == 0))
        return 0;
    if (before)
        return base_error_set(BASE_E_ARGUMENT,
                              "tool %.80s is not what it was: its description and schemas have the "
                              "hash %s, pinned is %s; if that is as it should be, take its line "
                              "out of %.300s",
                              tool, hash, before, p->path);
    json_t *line = json_pack("{s:o, s:s, s:s}", "server", base_json_text(server, strlen(server)),
                             "tool", tool, "sha256", hash);
    char *text = line ? base_json_dump(line, false) : NULL;
    int rc = text ? base_buffer_printf(&p->add, "%s\n", text) : BASE_E_MEMORY;
    base_free(text);
    json_decref(line);
    return rc;
}

static int pins_write(struct pins *p)
{
    if (!p->add.length)
        return 0;
    off_t end = lseek(p->fd, 0, SEEK_END);
    ssize_t n = write(p->fd, p->add.data, p->add.length);
    if (n == (ssize_t)p->add.length && fsync(p->fd) == 0)
        return 0;
    int rc =
        base_error_set(BASE_E_IO, "%s: cannot be written: %s", p->path,
                       n < 0 || n == (ssize_t)p->add.length ? strerror(errno) : "the disk is full");
    if (n > 0 && ftruncate(p->fd, end)) /* half a line would make the file unreadable */
        rc = base_error_set(BASE_E_IO, "%s: its last line cannot be taken out again: %s", p->path,
                            strerror(errno));
    return rc;
}

static void pins_close(struct pins *p)
{
    if (p->fd >= 0)
        close(p->fd);
    json_decref(p->known);
    base_buffer_free(&p->add);
}

/* ---- a call ---- */

/* The server has said that its tools have changed: has this one? */
static int still_the_same(struct mcp_remote *r)
{
    json_t *tools = NULL, *tool;
    char hash[BASE_SHA256_HEX] = "";
    size_t i;
    int rc = mcp_client_list(r->c, "tools", &tools);
    json_array_foreach(tools, i, tool)
    {
        const char *name = json_string_value(json_object_get(tool, "name"));
        if (!rc && name && strcmp(name, r->name) == 0)
            rc = hash_of(tool, hash);
    }
    json_decref(tools);
    if (!rc && strcmp(hash, r->hash) != 0)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "the tool was changed during the session: its hash was %s and is now "
                            "%s; it is not called",
                            r->hash, *hash ? hash : "none");
    return rc;
}

/* The text of a result's content, in one. */
static int text_of(const json_t *result, struct base_buffer *b)
{
    const json_t *part;
    size_t i;
    int rc = 0;
    json_array_foreach(json_object_get(result, "content"), i, part)
    {
        const char *text = json_string_value(json_object_get(part, "text"));
        if (!rc && text)
            rc = base_buffer_printf(b, "%s%s", b->length ? " " : "", text);
    }
    return rc;
}

static int call_remote(const struct agent_tool *tool, const struct agent_call *call,
                       unsigned wall_ms, json_t **out)
{
    struct mcp_remote *r = tool->context;
    const struct mcp_watch watch = { .cancelled = call->cancelled,
                                     .progress = call->progress,
                                     .context = call->context,
                                     .timeout = wall_ms / 1000.0 };
    json_t *result = NULL;
    bool timed_out = false;
    int rc = mcp_client_wake(r->c);
    if (!rc && (r->c->tools_changed || r->c->tools_doubted))
        rc = still_the_same(r);
    r->c->tools_doubted = rc != 0; /* a change stays one until it is undone */
    if (!rc)
        rc = mcp_client_request_watched(
            r->c, "tools/call",
            json_pack("{s:s, s:O}", "name", r->name, "arguments", call->arguments), &watch,
            &timed_out, &result);
    if (rc)
        return timed_out ? BASE_E_LIMIT : rc == BASE_E_LIMIT ? BASE_E_IO : rc;
    json_t *structured = json_object_get(result, "structuredContent");
    if (json_is_true(json_object_get(result, "isError"))) {
        struct base_buffer b = { 0 };
        rc = text_of(result, &b);
        if (!rc)
            rc = base_error_set(BASE_E_IO, "%.600s", b.length ? b.data : "it gives no reason");
        base_buffer_free(&b);
    } else if (structured) {
        *out = json_incref(structured);
    } else if (tool->output) {
        rc = base_error_set(
            BASE_E_FORMAT, "the result has no structuredContent, and the tool has a schema for it");
    } else {
        json_t *content = json_object_get(result, "content");
        *out = json_pack("{s:o}", "content", content ? json_incref(content) : json_array());
        rc = *out ? 0 : BASE_E_MEMORY;
    }
    json_decref(result);
    return rc;
}

/* ---- adding ---- */

/* The server's name as ours may be: [A-Za-z0-9_-], at most 64; told apart by a hash when it is cut.
 */
static void name_make(char out[NAME_MOST + 1], const char *prefix, const char *name)
{
    char whole[512];
    int n = prefix ? snprintf(whole, sizeof whole, "%s_%s", prefix, name)
                   : snprintf(whole, sizeof whole, "%s", name);
    for (char *s = whole; *s; s++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *s))
            *s = '_';
    if (n <= NAME_MOST)
        snprintf(out, NAME_MOST + 1, "%.64s", whole);
    else
        snprintf(out, NAME_MOST + 1, "%.55s_%08x", whole,
                 (unsigned)base_hash64(name, strlen(name), 0));
}

static int add_one(struct mcp_client *c, struct agent_tools *t, const char *prefix,
                   const json_t *tool, const char *name, const char *hash)
{
    json_t *input = json_object_get(tool, "inputSchema"),
           *output = json_object_get(tool, "outputSchema");
    char ours[NAME_MOST + 1];
    name_make(ours, NULL, name);
    if (agent_tools_find(t, ours))
        name_make(ours, prefix, name);
    struct mcp_remote *r = base_alloc_zero(1, sizeof *r);
    char *in = input ? json_dumps(input, JSON_COMPACT) : base_strdup("{\"type\": \"object\"}");
    char *out = output ? json_dumps(output, JSON_COMPACT) : NULL;
    if (r) {
        r->c = c;
        r->name = base_strdup(name);
        snprintf(r->hash, sizeof r->hash, "%s", hash);
        r->next = c->remotes;
        c->remotes = r;
    }
    int rc = r && r->name && in && (out || !output) ? 0 : BASE_E_MEMORY;
    const struct agent_tool added = {
        .name = ours,
        .title = json_string_value(json_object_get(tool, "title")),
        .description = json_string_value(json_object_get(tool, "description")),
        .input = in,
        .output = out,
        .open_world = true,
        .needs = { .network = true,
                   .wall_ms = (unsigned)(c->o.timeout * 1000),
                   .output = OUTPUT_MOST },
        .remote = call_remote,
        .context = r,
    };
    if (!rc)
        rc = agent_tools_add(t, &added);
    if (rc && rc != BASE_E_MEMORY) /* one that cannot be used does not keep out the others */
        rc = mcp_client_leave_out(c, name);
    base_free(in);
    base_free(out);
    return rc;
}

int mcp_client_add_tools(struct mcp_client *c, struct agent_tools *t, const char *prefix,
                         const char *path)
{
    json_t *tools = NULL, *tool;
    struct pins pins = { .fd = -1 };
    char hash[BASE_SHA256_HEX];
    size_t i;
    if (!json_object_get(c->offers, "tools"))
        return 0; /* it claims none */
    int rc = mcp_client_list(c, "tools", &tools);
    if (!rc)
        rc = pins_open(&pins, path, c->name);
    json_array_foreach(tools, i, tool)
    {
        const char *name = json_string_value(json_object_get(tool, "name"));
        if (!rc && !name)
            rc = base_error_set(BASE_E_FORMAT, "tools/list: tool %zu has no name", i + 1);
        if (!rc)
            rc = hash_of(tool, hash);
        if (!rc)
            rc = pins_check(&pins, c->name, name, hash);
    }
    if (!rc)
        rc = pins_write(&pins);
    pins_close(&pins);
    json_array_foreach(tools, i, tool) if (!rc && !(rc = hash_of(tool, hash))) rc =
        add_one(c, t, prefix, tool, json_string_value(json_object_get(tool, "name")), hash);
    json_decref(tools);
    return rc ? base_error_prefix(rc, "%.200s", c->name) : 0;
}
