/* REST endpoints that give a table, as resources.
 *
 *   assay://endpoints/NAME                  columns, how many rows, the first ones
 *   assay://endpoints/NAME/rows/FROM-TO     rows as objects, column -> value
 *   assay://endpoints/NAME/body             the answer's own text
 *
 * The address is the user's, given when the server starts; nothing that a client says becomes part
 * of it. GET over http or https, no redirect followed, ENDPOINT_SECONDS and ENDPOINT_BYTES at most.
 * A key is read from the environment (ASSAY_ENDPOINT_NAME_TOKEN), sent as a bearer token over https
 * or to this machine only, and stands in no message; what is behind '?' is not shown either. An
 * answer is kept for a moment, so that the pages of one reading agree.
 *
 * JSON: an array of objects, or an object whose only array of objects it is, or one object, which
 * is one row. CSV as RFC 4180, the first row names the columns. */
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "mcp/lab.h"
#include "model/http.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENDPOINT_BYTES   ((size_t)8 << 20)
#define ENDPOINT_SECONDS 10.0
#define KEPT_SECONDS     5.0

/* ASSAY_ENDPOINT_NAME_TOKEN, the name in capitals, '_' for what is no letter or digit. */
static int token_find(struct lab_endpoint *e)
{
    char *name = base_format("ASSAY_ENDPOINT_%s_TOKEN", e->name);
    if (!name)
        return BASE_E_MEMORY;
    for (char *c = name; *c; c++)
        *c = *c >= 'a' && *c <= 'z'                                 ? (char)(*c - 'a' + 'A')
             : (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ? *c
                                                                    : '_';
    const char *token = getenv(name);
    base_free(name);
    if (token && *token && !(e->token = base_strdup(token)))
        return BASE_E_MEMORY;
    return 0;
}

int mcp_lab_endpoint_open(struct lab_endpoint *e, const char *given)
{
    pthread_mutex_init(&e->lock, NULL);
    size_t n = strcspn(given, "=");
    const char *url = given[n] ? given + n + 1 : "";
    size_t name = strspn(given, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    if (!n || name != n || n > 64 || !*url)
        return base_error_set(BASE_E_ARGUMENT,
                              "endpoint %.64s: expected NAME=URL, the name of letters, digits, - "
                              "and _",
                              given);
    size_t scheme = !strncasecmp(url, "http://", 7) ? 7 : !strncasecmp(url, "https://", 8) ? 8 : 0;
    size_t host = scheme ? strcspn(url + scheme, "/?#") : 0;
    if (!host || strpbrk(url, " \t\r\n") || strlen(url) > LAB_URI_BYTES)
        return base_error_set(BASE_E_ARGUMENT,
                              "endpoint %.*s: expected an address of http or https", (int)n, given);
    if (memchr(url + scheme, '@', host))
        return base_error_set(BASE_E_ARGUMENT,
                              "endpoint %.*s: its address holds a name or password: put the key "
                              "into the environment (ASSAY_ENDPOINT_NAME_TOKEN)",
                              (int)n, given);
    e->name = base_strndup(given, n);
    e->url = base_strdup(url);
    return e->name && e->url ? token_find(e) : BASE_E_MEMORY;
}

void mcp_lab_endpoint_close(struct lab_endpoint *e)
{
    pthread_mutex_destroy(&e->lock);
    base_free(e->name);
    base_free(e->url);
    base_free(e->token);
    base_buffer_free(&e->body);
}

/* ---- the answer ---- */

static int judge(struct lab_endpoint *e, const struct model_http_response *r,
                 const struct base_buffer *body)
{
    if (r->status >= 300 && r->status < 400)
        return base_error_set(
            BASE_E_IO,
            "%s: the server answers with a redirect (%ld), which is not followed: "
            "give the address that it leads to",
            e->name, r->status);
    if (r->status != 200)
        return base_error_set(BASE_E_IO, "%s: the server answers with status %ld", e->name,
                              r->status);
    size_t blank = body->data ? strspn(body->data, " \t\r\n") : 0;
    char first = body->data ? body->data[blank] : 0;
    bool json = strcasestr(r->type, "json"), csv = strcasestr(r->type, "csv");
    e->csv = csv || (!json && first != '[' && first != '{');
    if (e->csv && !csv && strncasecmp(r->type, "text/plain", 10) != 0 && *r->type)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: the server gives %.60s: expected JSON or CSV", e->name, r->type);
    return 0;
}

/* The body as it is now, or was up to `age` seconds ago; e->lock is held. */
static int fetch(struct lab_endpoint *e, double age)
{
    if (e->at > 0 && base_clock() - e->at < age)
        return 0;
    const struct model_http_options options = { .token = e->token,
                                                .silence_seconds = ENDPOINT_SECONDS,
                                                .seconds = ENDPOINT_SECONDS,
                                                .stay = true };
    struct model_http *h = NULL;
    struct model_http_response response = { 0 };
    struct base_buffer body = { 0 };
    int rc = model_http_open(&h, &options);
    if (!rc)
        rc = mcp_lab_rename(model_http_get(h, e->url, ENDPOINT_BYTES, &body, &response), e->url,
                            e->name);
    if (!rc)
        rc = judge(e, &response, &body);
    model_http_close(h);
    e->at = 0;
    base_buffer_free(&e->body);
    if (rc) {
        base_buffer_free(&body);
        return rc;
    }
    e->body = body;
    e->at = base_clock();
    return 0;
}

static int find(struct mcp_lab *l, const struct lab_values *v, struct lab_endpoint **out)
{
    const char *name = mcp_lab_value(v, "endpoint");
    for (size_t i = 0; i < l->endpoints; i++)
        if (strcmp(l->endpoint[i].name, name) == 0) {
            *out = &l->endpoint[i];
            return 0;
        }
    return MCP_NOT_MINE;
}

static bool is_rows(const json_t *value)
{
    return json_is_array(value) &&
           (!json_array_size(value) || json_is_object(json_array_get(value, 0)));
}

static int rows_of_json(const struct lab_endpoint *e, json_t **out)
{
    json_t *all, *found = NULL, *value;
    const char *key;
    int rc =
        base_json_parse_wire(&all, e->body.data ? e->body.data : "", e->body.length, 64, e->name);
    if (rc)
        return rc;
    unsigned arrays = 0;
    json_object_foreach(all, key, value) if (is_rows(value))
    {
        found = value;
        arrays++;
    }
    if (is_rows(all))
        *out = json_incref(all);
    else if (json_is_object(all) && arrays == 1)
        *out = json_incref(found);
    else if (json_is_object(all) && arrays == 0)
        *out = json_pack("[O]", all);
    else
        rc = base_error_set(BASE_E_UNSUPPORTED,
                            "%s: expected an array of objects, or an object with one such array",
                            e->name);
    json_decref(all);
    size_t i;
    if (!rc)
        json_array_foreach(*out, i, value) if (!json_is_object(value))
        {
            rc = base_error_set(BASE_E_FORMAT, "%s: row %zu is no object", e->name, i + 1);
            json_decref(*out);
            *out = NULL;
            break;
        }
    return rc ? rc : *out ? 0 : BASE_E_MEMORY;
}

static int rows_of_csv(const struct lab_endpoint *e, json_t **out)
{
    const struct data_records_options options = { .format = DATA_FORMAT_CSV };
    char path[64] = "";
    int fd = memfd_create("endpoint", MFD_CLOEXEC), rc = 0;
    for (size_t at = 0; fd >= 0 && at < e->body.length && !rc;) {
        ssize_t n = write(fd, e->body.data + at, e->body.length - at);
        rc = n > 0 ? 0 : BASE_E_IO;
        at += n > 0 ? (size_t)n : 0;
    }
    if (fd < 0 || rc) {
        rc = base_error_set(BASE_E_IO, "%s: no memory to read the answer in", e->name);
    } else {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        rc = mcp_lab_rename(data_rows_read(out, path, &options, 0), path, e->name);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

/* All rows of the present answer; a new reference. csv, bytes: of it; may be NULL. */
static int rows_of(struct lab_endpoint *e, json_t **out, bool *csv, size_t *bytes)
{
    *out = NULL;
    pthread_mutex_lock(&e->lock);
    int rc = fetch(e, KEPT_SECONDS);
    if (!rc)
        rc = e->csv ? rows_of_csv(e, out) : rows_of_json(e, out);
    if (csv && bytes) {
        *csv = e->csv;
        *bytes = e->body.length;
    }
    pthread_mutex_unlock(&e->lock);
    return rc;
}

static int part(const json_t *all, uint64_t from, uint64_t to, bool brief, json_t *rows, bool *more)
{
    size_t bytes = 0, n = json_array_size(all);
    int rc = 1;
    for (uint64_t i = from - 1; i < n && i < to && rc == 1; i++)
        rc = mcp_lab_row_add(rows, json_incref(json_array_get(all, (size_t)i)), brief, &bytes);
    *more = from - 1 + json_array_size(rows) < n;
    return rc < 0 ? rc : 0;
}

/* ---- resources ---- */

int mcp_lab_endpoint_read(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct lab_endpoint *e = NULL;
    json_t *all = NULL, *rows = json_array(), *columns = json_array(), *value;
    const char *key;
    bool more, csv = false;
    size_t bytes = 0;
    int rc = find(l, v, &e);
    if (!rc)
        rc = rows && columns ? rows_of(e, &all, &csv, &bytes) : BASE_E_MEMORY;
    if (!rc)
        rc = part(all, 1, LAB_FIRST, true, rows, &more);
    json_object_foreach(json_array_get(all, 0), key, value)
    {
        if (json_array_append_new(columns, json_pack("{s:s}", "name", key)))
            rc = BASE_E_MEMORY;
    }
    if (!rc)
        rc = mcp_lab_put(&out->text,
                         json_pack("{s:s, s:s%, s:s, s:I, s:I, s:O, s:O, s:s}", "name", e->name,
                                   "url", e->url, strcspn(e->url, "?#"), "format",
                                   csv ? "csv" : "json", "bytes", (json_int_t)bytes, "rows",
                                   (json_int_t)json_array_size(all), "columns", columns, "first",
                                   rows, "note",
                                   "rows are read as assay://endpoints/NAME/rows/FROM-TO"));
    json_decref(all);
    json_decref(rows);
    json_decref(columns);
    return rc;
}

int mcp_lab_endpoint_rows(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct lab_endpoint *e = NULL;
    json_t *all = NULL, *rows = json_array();
    uint64_t from, to;
    bool more;
    int rc = find(l, v, &e);
    if (!rc)
        rc = mcp_lab_page(v, LAB_ROWS_MOST, &from, &to);
    if (!rc)
        rc = rows ? rows_of(e, &all, NULL, NULL) : BASE_E_MEMORY;
    if (!rc)
        rc = part(all, from, to, false, rows, &more);
    if (!rc) {
        more = more && json_array_size(rows);
        char *next = mcp_lab_next("assay://endpoints/{endpoint}/rows/", e->name, NULL, more, from,
                                  to, json_array_size(rows));
        rc = more && !next ? BASE_E_MEMORY
                           : mcp_lab_put_page(&out->text,
                                              json_pack("{s:s, s:I}", "name", e->name, "of",
                                                        (json_int_t)json_array_size(all)),
                                              "rows", from, rows, next);
        base_free(next);
    }
    json_decref(all);
    json_decref(rows);
    return rc;
}

int mcp_lab_endpoint_body(struct mcp_lab *l, const struct lab_values *v, struct lab_content *out)
{
    struct lab_endpoint *e = NULL;
    int rc = find(l, v, &e);
    if (rc)
        return rc;
    pthread_mutex_lock(&e->lock);
    rc = fetch(e, KEPT_SECONDS);
    if (!rc && e->body.length > LAB_READ_MOST)
        rc = base_error_set(BASE_E_LIMIT, "%s: the answer has %zu bytes: read its rows", e->name,
                            e->body.length);
    if (!rc)
        rc = base_buffer_append(&out->text, e->body.data ? e->body.data : "", e->body.length);
    out->mime = e->csv ? "text/csv" : "application/json";
    pthread_mutex_unlock(&e->lock);
    return rc;
}

int mcp_lab_endpoint_stamp(struct mcp_lab *l, const struct lab_values *v, uint64_t *stamp)
{
    struct lab_endpoint *e = NULL;
    int rc = find(l, v, &e);
    if (rc)
        return rc;
    pthread_mutex_lock(&e->lock);
    rc = fetch(e, 2 * KEPT_SECONDS); /* not every second */
    if (!rc)
        *stamp = base_hash64(e->body.data ? e->body.data : "", e->body.length, 1);
    pthread_mutex_unlock(&e->lock);
    return rc;
}

int mcp_lab_endpoints_list(struct mcp_lab *l, json_t *list)
{
    int rc = 0;
    for (size_t i = 0; i < l->endpoints && !rc; i++) {
        const struct lab_endpoint *e = &l->endpoint[i];
        char *what =
            base_format("The table that %.*s gives: columns, how many rows, the first ones.",
                        (int)strcspn(e->url, "?#"), e->url);
        rc = what ? mcp_lab_list_add(list,
                                     mcp_lab_uri("assay://endpoints/{endpoint}", e->name, NULL),
                                     e->name, NULL, what, "application/json", -1, -1)
                  : BASE_E_MEMORY;
        base_free(what);
    }
    return rc;
}
