/* Reading in a worker: a process that may open only what its tool names, with its memory, processor
 * time and answer bounded (agent/sandbox.h). A hostile file can break nothing but the worker. */
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "mcp/lab.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#define CUT_BYTES       300 /* of a cell among the first rows */
#define FIRST_BYTES     ((size_t)32 << 10)
#define FAILURE_SECONDS 10

/* ---- in the worker ---- */

int mcp_lab_answer(const struct lab_op *ops, size_t n, const json_t *arguments, void *question,
                   json_t **out)
{
    const char *name = json_string_value(json_object_get(arguments, "op"));
    struct base_buffer text = { 0 };
    int rc = base_error_set(BASE_E_ARGUMENT, "no such question");
    for (size_t i = 0; i < n && name; i++)
        if (strcmp(ops[i].name, name) == 0)
            rc = ops[i].run(question, &text);
    *out = rc ? NULL : base_json_text(text.data ? text.data : "", text.length);
    base_buffer_free(&text);
    if (!rc && !*out)
        rc = base_error_set(BASE_E_MEMORY, "the answer is too large for the worker's memory");
    return rc ? base_error_prefix(rc, "%d", rc) : 0; /* the code goes with its message */
}

/* ---- in the server ---- */

const char *mcp_lab_op_name(const struct lab_op *ops, size_t n,
                            int (*run)(void *question, struct base_buffer *out))
{
    for (size_t i = 0; i < n; i++)
        if (ops[i].run == run)
            return ops[i].name;
    return "";
}

static int tool_add(struct mcp_lab *l, const char *name, agent_tool_fn *run, void *context,
                    struct agent_capabilities needs)
{
    needs.cpu_ms = 8000;
    needs.wall_ms = 20000;
    needs.memory = (size_t)768 << 20;
    needs.output = 4 * LAB_READ_MOST; /* a text as JSON may be longer than itself */
    const struct agent_tool tool = { .name = name,
                                     .description = "A reading of the laboratory's.",
                                     .input = "{\"type\": \"object\"}",
                                     .needs = needs,
                                     .run = run,
                                     .context = context };
    return agent_tools_add(l->tools, &tool);
}

int mcp_lab_nest_open(struct mcp_lab *l)
{
    const char *const data[] = { l->data, NULL };
    /* Reading a store in WAL mode makes a file beside it. */
    const char *const store[] = { l->store_folder, l->report_folder, NULL };
    const struct agent_capabilities on_data = { .read = l->data ? data : NULL },
                                    on_store = { .write = store };
    int rc = agent_tools_make(&l->tools);
    if (!rc)
        rc = tool_add(l, "data", mcp_lab_data_tool, l, on_data);
    if (!rc)
        rc = tool_add(l, "task", mcp_lab_task_tool, l, on_data);
    if (!rc && l->store_folder)
        rc = tool_add(l, "store", mcp_lab_store_tool, l, on_store);
    for (size_t i = 0; i < l->databases && !rc; i++) {
        struct lab_database *d = &l->database[i];
        const struct agent_capabilities on_database = { .read = d->files.at };
        char name[40];
        snprintf(name, sizeof name, "database-%zu", i);
        if (!d->postgres)
            rc = tool_add(l, name, mcp_lab_database_tool, d, on_database);
    }
    return rc ? rc : agent_nest_make(&l->nest, l->tools, AGENT_NEST_ALONE);
}

void mcp_lab_nest_close(struct mcp_lab *l)
{
    agent_nest_free(l->nest);
    agent_tools_free(l->tools);
}

static int failed(const char *message)
{
    char *rest = NULL;
    long code = strtol(message, &rest, 10);
    if (rest == message || strncmp(rest, ": ", 2) != 0 || code >= 0)
        return base_error_set(BASE_E_IO, "%s", message);
    return base_error_set(code == BASE_E_MEMORY ? BASE_E_LIMIT : (int)code, "%s", rest + 2);
}

/* One of LAB_WORKERS places, and a nest that lives: one that has died is made anew once nobody asks
 * it any more. */
static int place_take(struct mcp_lab *l)
{
    int rc = 0;
    pthread_mutex_lock(&l->workers_lock);
    while (l->workers == LAB_WORKERS || (l->workers && !agent_nest_alive(l->nest)))
        pthread_cond_wait(&l->workers_free, &l->workers_lock);
    if (!l->nest || !agent_nest_alive(l->nest)) {
        agent_nest_free(l->nest);
        l->nest = NULL;
        rc = agent_nest_make(&l->nest, l->tools, AGENT_NEST_ALONE);
    }
    l->workers += !rc;
    pthread_mutex_unlock(&l->workers_lock);
    return rc;
}

static void place_give(struct mcp_lab *l)
{
    pthread_mutex_lock(&l->workers_lock);
    l->workers--;
    pthread_cond_broadcast(&l->workers_free);
    pthread_mutex_unlock(&l->workers_lock);
}

/* The answer is a JSON string. */
static int unpack(const char *name, const struct base_buffer *answer, struct base_buffer *out)
{
    json_t *text = NULL;
    int rc = base_json_parse_wire(&text, answer->data ? answer->data : "", answer->length, 0, name);
    if (!rc)
        rc = base_buffer_append(out, json_string_value(text), json_string_length(text));
    json_decref(text);
    return rc;
}

int mcp_lab_work(struct mcp_lab *l, const char *tool, const char *name, json_t *arguments,
                 struct base_buffer *out)
{
    char *input = arguments ? base_json_dump(arguments, false) : NULL;
    struct agent_ended ended = { 0 };
    json_decref(arguments);
    int rc = input ? place_take(l) : BASE_E_MEMORY;
    if (!rc) {
        const struct agent_tool *of = agent_tools_find(l->tools, tool);
        const struct agent_job job = {
            .tool = of, .needs = &of->needs, .input = input, .input_bytes = strlen(input)
        };
        rc = agent_sandbox_run(l->nest, &job, &ended);
        place_give(l);
    }
    base_free(input);
    if (rc)
        return rc;
    switch (ended.end) {
    case AGENT_END_OK:
        rc = unpack(name, &ended.answer, out);
        break;
    case AGENT_END_FAILED: /* the message says what of, already */
        rc = failed(ended.message);
        break;
    case AGENT_END_CANCELLED:
        rc = base_error_set(BASE_E_INTERRUPTED, "%s: %s", name, ended.message);
        break;
    default:
        rc = base_error_set(BASE_E_LIMIT, "%s: %s", name, ended.message);
    }
    base_buffer_free(&ended.answer);
    return rc;
}

int mcp_lab_failure_keep(struct lab_failure *f, int code)
{
    f->code = code;
    f->at = base_clock();
    snprintf(f->why, sizeof f->why, "%s", code ? base_error_message() : "");
    return code;
}

int mcp_lab_failure_again(const struct lab_failure *f)
{
    return f->code && base_clock() - f->at < FAILURE_SECONDS ? base_error_set(f->code, "%s", f->why)
                                                             : 0;
}

int mcp_lab_put(struct base_buffer *out, json_t *value)
{
    char *text = value ? base_json_dump(value, false) : NULL;
    int rc = text ? base_buffer_puts(out, text) : BASE_E_MEMORY;
    base_free(text);
    json_decref(value);
    return rc;
}

int mcp_lab_put_short(struct base_buffer *out, json_t *value)
{
    char *text = value ? json_dumps(value, JSON_REAL_PRECISION(15)) : NULL;
    int rc = text ? base_buffer_puts(out, text) : BASE_E_MEMORY;
    base_free(text);
    json_decref(value);
    return rc;
}

int mcp_lab_rename(int code, const char *from, const char *to)
{
    const char *message = base_error_message(), *at = strstr(message, from);
    if (!at)
        return code;
    char *copy = base_strdup(message);
    if (!copy)
        return code;
    size_t before = (size_t)(at - message);
    base_error_set(code, "%.*s%s%s", (int)before, copy, to, copy + before + strlen(from));
    base_free(copy);
    return code;
}

uint64_t mcp_lab_stamp(const struct stat *st, uint64_t before)
{
    const int64_t what[] = { (int64_t)st->st_dev, (int64_t)st->st_ino, (int64_t)st->st_size,
                             (int64_t)st->st_mtim.tv_sec, (int64_t)st->st_mtim.tv_nsec };
    return base_hash64(what, sizeof what, before);
}

/* Days since 1970 of a day of the Gregorian calendar and back: H. Hinnant, "chrono-compatible
 * low-level date algorithms". The C library's functions take a lock that a worker, forked while
 * another thread holds it, would wait for in vain. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned of_era = (unsigned)(year - era * 400);
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

json_t *mcp_lab_time(double seconds)
{
    int64_t all = (int64_t)seconds, days = all / 86400 - (all % 86400 < 0);
    unsigned rest = (unsigned)(all - days * 86400);
    int64_t from = days + 719468, era = (from >= 0 ? from : from - 146096) / 146097;
    unsigned of_era = (unsigned)(from - era * 146097);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100),
             part = (5 * of_year + 2) / 153;
    unsigned month = part < 10 ? part + 3 : part - 9;
    char text[64];
    snprintf(text, sizeof text, "%04lld-%02u-%02uT%02u:%02u:%02uZ",
             (long long)(era * 400 + year + (month <= 2)), month,
             of_year - (153 * part + 2) / 5 + 1, rest / 3600, rest / 60 % 60, rest % 60);
    return json_string(text);
}

double mcp_lab_time_parse(const char *text)
{
    unsigned t[6];
    if (!text ||
        sscanf(text, "%4u-%2u-%2uT%2u:%2u:%2u", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5]) != 6)
        return -1;
    if (t[1] < 1 || t[1] > 12)
        return -1;
    return (double)(days_of(t[0], t[1], t[2]) * 86400 + t[3] * 3600 + t[4] * 60 + t[5]);
}

/* ---- rows ---- */

/* A string's first bytes; anything else that is long as such a string. */
static json_t *cut(const json_t *value)
{
    char *text = json_is_string(value) ? NULL : base_json_dump(value, false);
    const char *s = text ? text : json_string_value(value);
    size_t n = json_is_string(value) ? json_string_length(value) : s ? strlen(s) : 0;
    json_t *out;
    if (n <= CUT_BYTES) {
        out = json_incref((json_t *)(uintptr_t)value);
    } else {
        char *shown = base_format("%.*s…", (int)base_utf8_complete(s, CUT_BYTES), s);
        out = shown ? json_string(shown) : NULL;
        base_free(shown);
    }
    base_free(text);
    return out;
}

static json_t *row_cut(json_t *row)
{
    json_t *out = row ? json_object() : NULL;
    const char *key;
    json_t *value;
    json_object_foreach(row, key, value) if (out && json_object_set_new(out, key, cut(value)))
    {
        json_decref(out);
        out = NULL;
        break;
    }
    json_decref(row);
    return out;
}

int mcp_lab_row_add(json_t *rows, json_t *row, bool brief, size_t *bytes)
{
    row = brief ? row_cut(row) : row;
    char *text = row ? base_json_dump(row, false) : NULL;
    size_t n = text ? strlen(text) + 2 : 0, most = brief ? FIRST_BYTES : LAB_TEXT_MOST;
    base_free(text);
    int rc = text ? *bytes + n <= most : BASE_E_MEMORY;
    if (rc == 1) {
        *bytes += n;
        rc = json_array_append(rows, row) ? BASE_E_MEMORY : 1;
    }
    if (rc == 0 && !brief && !json_array_size(rows))
        rc = base_error_set(BASE_E_LIMIT,
                            "one row has %zu bytes, an answer at most %zu: read its bytes instead",
                            n, LAB_TEXT_MOST);
    json_decref(row);
    return rc;
}

int mcp_lab_rows_objects(const json_t *answer, bool brief, json_t *rows, bool *more)
{
    const json_t *columns = json_object_get(answer, "columns"), *row;
    size_t i, bytes = 0;
    *more = json_is_true(json_object_get(answer, "more"));
    json_array_foreach(json_object_get(answer, "rows"), i, row)
    {
        json_t *o = json_object();
        for (size_t k = 0; o && k < json_array_size(row); k++) {
            const char *name =
                json_string_value(json_object_get(json_array_get(columns, k), "name"));
            if (json_object_set(o, name ? name : "?", json_array_get(row, k))) {
                json_decref(o);
                o = NULL;
            }
        }
        int rc = mcp_lab_row_add(rows, o, brief, &bytes);
        if (rc == 0)
            *more = true;
        if (rc != 1)
            return rc;
    }
    return 0;
}

char *mcp_lab_next(const char *template, const char *a, const char *b, bool more, uint64_t from,
                   uint64_t to, size_t given)
{
    char *base = more ? mcp_lab_uri(template, a, b) : NULL;
    uint64_t next = from + given;
    char *uri = base ? base_format("%s%llu-%llu", base, (unsigned long long)next,
                                   (unsigned long long)(next + to - from))
                     : NULL;
    base_free(base);
    return uri;
}

int mcp_lab_put_page(struct base_buffer *out, json_t *head, const char *key, uint64_t from,
                     json_t *rows, const char *next)
{
    if (!head || json_object_set_new(head, "from", json_integer((json_int_t)from)) ||
        json_object_set_new(head, "to",
                            json_integer((json_int_t)(from + json_array_size(rows)) - 1)) ||
        json_object_set(head, key, rows) ||
        json_object_set_new(head, "next", next ? json_string(next) : json_null())) {
        json_decref(head);
        return BASE_E_MEMORY;
    }
    return mcp_lab_put(out, head);
}
