/* The laboratory as an MCP provider: opening it, and its table of resources. What each kind of
 * resource is stands at the head of its file; lab.h lists them. */
#include "mcp/lab.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

static bool always(const struct mcp_lab *l)
{
    (void)l;
    return true;
}
static bool has_databases(const struct mcp_lab *l)
{
    return l->databases > 0;
}
static bool has_endpoints(const struct mcp_lab *l)
{
    return l->endpoints > 0;
}
static bool has_store(const struct mcp_lab *l)
{
    return l->store != NULL;
}

#define JSON_TYPE "application/json"
const struct lab_route mcp_lab_routes[] = {
    { "assay://data", "data", "Data sets", "All data sets: names, formats, sizes.", JSON_TYPE,
      always, mcp_lab_data_index, mcp_lab_data_stamp },
    { "assay://data/{name}", "data-set", "A data set",
      "What a data set holds: columns with their types, missing values and spread, what looks "
      "wrong, and the first rows.",
      JSON_TYPE, always, mcp_lab_data_read, mcp_lab_data_stamp },
    { "assay://data/{name}/rows/{from}-{to}", "data-set-rows", "Rows of a data set",
      "Rows as objects, counted from 1, TO included, at most 1,000; \"next\" is the address of the "
      "page behind.",
      JSON_TYPE, always, mcp_lab_data_rows, mcp_lab_data_stamp },
    { "assay://data/{name}/columns/{column}", "data-set-column", "A column of a data set",
      "One column: its type, missing values, spread, most frequent values, what looks wrong.",
      JSON_TYPE, always, mcp_lab_data_column, mcp_lab_data_stamp },
    { "assay://data/{name}/text", "data-set-text", "The text of a data set",
      "The file itself, up to 1 MiB.", NULL, always, mcp_lab_data_text, mcp_lab_data_stamp },
    { "assay://data/{name}/bytes/{from}-{to}", "data-set-bytes", "A part of a data set's text",
      "Bytes of the file, counted from 1, TO included, at most 1 MiB.", NULL, always,
      mcp_lab_data_part, mcp_lab_data_stamp },
    { "assay://tables", "tables", "Tables of databases",
      "All tables of the databases, with their columns.", JSON_TYPE, has_databases,
      mcp_lab_tables_index, mcp_lab_table_stamp },
    { "assay://tables/{database}/{table}", "table", "A table of a database",
      "A table's columns, how many rows it has, and the first ones.", JSON_TYPE, has_databases,
      mcp_lab_table_read, mcp_lab_table_stamp },
    { "assay://tables/{database}/{table}/rows/{from}-{to}", "table-rows", "Rows of a table",
      "Rows as objects, counted from 1, TO included, at most 1,000; \"next\" is the address of the "
      "page behind.",
      JSON_TYPE, has_databases, mcp_lab_table_rows, mcp_lab_table_stamp },
    { "assay://endpoints/{endpoint}", "endpoint", "The table of a REST endpoint",
      "Columns, how many rows, and the first ones, as the endpoint gives them now.", JSON_TYPE,
      has_endpoints, mcp_lab_endpoint_read, mcp_lab_endpoint_stamp },
    { "assay://endpoints/{endpoint}/rows/{from}-{to}", "endpoint-rows", "Rows of a REST endpoint",
      "Rows as objects, counted from 1, TO included, at most 1,000; \"next\" is the address of the "
      "page behind.",
      JSON_TYPE, has_endpoints, mcp_lab_endpoint_rows, mcp_lab_endpoint_stamp },
    { "assay://endpoints/{endpoint}/body", "endpoint-body", "What a REST endpoint answers",
      "The answer's own text, up to 4 MiB.", NULL, has_endpoints, mcp_lab_endpoint_body,
      mcp_lab_endpoint_stamp },
    { "assay://runs", "runs", "Runs", "The runs of the store, newest first, with their figures.",
      JSON_TYPE, has_store, mcp_lab_runs_index, mcp_lab_run_stamp },
    { "assay://runs/{id}", "run", "A run",
      "What a run measured, with intervals, and with what: model, tasks, options, environment.",
      JSON_TYPE, has_store, mcp_lab_run_read, mcp_lab_run_stamp },
    { "assay://runs/{id}/report", "run-report", "A run's report", "The run as one HTML page.",
      "text/html", has_store, mcp_lab_run_report, mcp_lab_run_stamp },
    { "assay://runs/{id}/samples/{task}/{from}-{to}", "run-samples", "Samples of a run",
      "Questions, answers and how they were judged, counted from 1, TO included, at most 1,000; "
      "\"next\" is the address of the page behind.",
      JSON_TYPE, has_store, mcp_lab_run_samples, mcp_lab_run_stamp },
};
const size_t mcp_lab_route_count = sizeof mcp_lab_routes / sizeof *mcp_lab_routes;

/* ---- lists ---- */

int mcp_lab_list_add(json_t *list, char *uri, const char *name, const char *title,
                     const char *description, const char *mime, double modified, int64_t bytes)
{
    json_t *o = uri ? json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "uri", uri, "name", name, "title",
                                title, "description", description, "mimeType", mime)
                    : NULL;
    base_free(uri);
    if (o && bytes >= 0 && json_object_set_new(o, "size", json_integer((json_int_t)bytes)))
        goto fail;
    if (o && modified >= 0 &&
        json_object_set_new(o, "annotations",
                            json_pack("{s:o}", "lastModified", mcp_lab_time(modified))))
        goto fail;
    return o && json_array_append_new(list, o) == 0 ? 0 : BASE_E_MEMORY;
fail:
    json_decref(o);
    return BASE_E_MEMORY;
}

static int resources(void *context, json_t *list)
{
    struct mcp_lab *l = context;
    int rc = 0;
    for (size_t i = 0; i < mcp_lab_route_count && !rc; i++) {
        const struct lab_route *r = &mcp_lab_routes[i];
        if (!strchr(r->template, '{') && r->offered(l))
            rc = mcp_lab_list_add(list, base_strdup(r->template), r->name, r->title, r->description,
                                  r->mime, -1, -1);
    }
    if (!rc)
        rc = mcp_lab_data_list(l, list);
    if (!rc)
        rc = mcp_lab_tables_list(l, list);
    if (!rc)
        rc = mcp_lab_endpoints_list(l, list);
    if (rc)
        return rc;
    if (l->store)
        rc = mcp_lab_runs_list(l, list);
    /* a store that cannot be read now keeps nobody from the rest: assay://runs says why */
    return rc == BASE_E_MEMORY || rc == BASE_E_INTERRUPTED ? rc : 0;
}

static int templates(void *context, json_t *list)
{
    struct mcp_lab *l = context;
    for (size_t i = 0; i < mcp_lab_route_count; i++) {
        const struct lab_route *r = &mcp_lab_routes[i];
        if (strchr(r->template, '{') && r->offered(l) &&
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:s, s:s, s:s*}", "uriTemplate",
                                            r->template, "name", r->name, "title", r->title,
                                            "description", r->description, "mimeType", r->mime)))
            return BASE_E_MEMORY;
    }
    return 0;
}

/* ---- one resource ---- */

/* The route of an address and its values (mcp_lab_values_free): 0, MCP_NOT_MINE or negative. */
static int route_find(const struct mcp_lab *l, const char *uri, const struct lab_route **out,
                      struct lab_values *v)
{
    for (size_t i = 0; i < mcp_lab_route_count; i++) {
        int rc = mcp_lab_match(mcp_lab_routes[i].template, uri, v);
        if (rc < 0)
            return rc;
        if (rc && mcp_lab_routes[i].offered(l)) {
            *out = &mcp_lab_routes[i];
            return 0;
        }
        mcp_lab_values_free(v);
    }
    return MCP_NOT_MINE;
}

int mcp_lab_read(struct mcp_lab *l, const char *uri, json_t **contents)
{
    const struct lab_route *route;
    struct lab_values v;
    struct lab_content c = { 0 };
    *contents = NULL;
    int rc = route_find(l, uri, &route, &v);
    if (rc)
        return rc;
    c.mime = route->mime;
    rc = route->read(l, &v, &c);
    if (!rc) {
        *contents =
            json_pack("[{s:s, s:s, s:o}]", "uri", uri, "mimeType", c.mime ? c.mime : "text/plain",
                      "text", base_json_text(c.text.data ? c.text.data : "", c.text.length));
        rc = *contents ? 0 : base_error_set(BASE_E_MEMORY, "%s: out of memory", uri);
    }
    base_buffer_free(&c.text);
    mcp_lab_values_free(&v);
    return rc;
}

static int read_resource(void *context, const char *uri, json_t **contents)
{
    return mcp_lab_read(context, uri, contents);
}

static int stamp_resource(void *context, const char *uri, uint64_t *stamp)
{
    const struct lab_route *route;
    struct lab_values v;
    *stamp = 0;
    int rc = route_find(context, uri, &route, &v);
    if (rc)
        return rc;
    rc = route->stamp(context, &v, stamp);
    mcp_lab_values_free(&v);
    return rc;
}

/* ---- opening ---- */

static size_t count(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

/* Databases of one name become NAME, NAME-2, NAME-3. */
static int names_part(struct mcp_lab *l, size_t i)
{
    struct lab_database *d = &l->database[i];
    for (unsigned k = 2;; k++) {
        size_t j = 0;
        while (j < i && strcmp(l->database[j].name, d->name) != 0)
            j++;
        if (j == i)
            return 0;
        char *stem = strrchr(d->name, '-'), *end = NULL;
        bool ours = k > 2 && stem && strtoul(stem + 1, &end, 10) == k - 1 && !*end;
        char *name = base_format("%.*s-%u", (int)(ours ? stem - d->name : (long)strlen(d->name)),
                                 d->name, k);
        if (!name)
            return BASE_E_MEMORY;
        base_free(d->name);
        d->name = name;
    }
}

static int data_open(struct mcp_lab *l, const char *data)
{
    char *whole = realpath(data, NULL);
    if (!whole || !base_file_is_directory(whole)) {
        free(whole);
        return base_error_set(BASE_E_IO, "%s: there is no such directory", data);
    }
    l->data = base_strdup(whole);
    free(whole);
    return l->data ? 0 : BASE_E_MEMORY;
}

int mcp_lab_open(struct mcp_lab **out, const struct mcp_lab_options *o)
{
    *out = NULL;
    struct mcp_lab *l = base_alloc_zero(1, sizeof *l);
    if (!l)
        return BASE_E_MEMORY;
    pthread_mutex_init(&l->workers_lock, NULL);
    pthread_cond_init(&l->workers_free, NULL);
    pthread_mutex_init(&l->tasks_lock, NULL);
    pthread_mutex_init(&l->runs_lock, NULL);
    l->provider = (struct mcp_provider){ .resources = resources,
                                         .templates = templates,
                                         .read = read_resource,
                                         .stamp = stamp_resource,
                                         .prompts = mcp_lab_prompts,
                                         .prompt = mcp_lab_prompt,
                                         .complete = mcp_lab_complete,
                                         .context = l };
    size_t databases = count(o->databases), endpoints = count(o->endpoints);
    l->database = base_alloc_zero(databases, sizeof *l->database);
    l->endpoint = base_alloc_zero(endpoints, sizeof *l->endpoint);
    int rc = l->database && l->endpoint ? 0 : BASE_E_MEMORY;
    if (!rc && o->data)
        rc = data_open(l, o->data);
    for (size_t i = 0; i < databases && !rc; i++) {
        l->databases++;
        rc = mcp_lab_database_open(&l->database[i], o->databases[i]);
        if (!rc)
            rc = names_part(l, i);
    }
    for (size_t i = 0; i < endpoints && !rc; i++) {
        l->endpoints++;
        rc = mcp_lab_endpoint_open(&l->endpoint[i], o->endpoints[i]);
        for (size_t k = 0; k < i && !rc; k++)
            if (strcmp(l->endpoint[k].name, l->endpoint[i].name) == 0)
                rc = base_error_set(BASE_E_ARGUMENT, "endpoint %s: given twice",
                                    l->endpoint[i].name);
    }
    if (!rc && o->store)
        rc = mcp_lab_store_open(l, o->store);
    if (!rc)
        rc = mcp_lab_nest_open(l);
    if (rc) {
        mcp_lab_close(l);
        return rc;
    }
    *out = l;
    return 0;
}

void mcp_lab_close(struct mcp_lab *l)
{
    if (!l)
        return;
    mcp_lab_nest_close(l);
    mcp_lab_folder_remove(l->report_folder);
    for (size_t i = 0; i < l->databases; i++)
        mcp_lab_database_close(&l->database[i]);
    for (size_t i = 0; i < l->endpoints; i++)
        mcp_lab_endpoint_close(&l->endpoint[i]);
    base_free(l->database);
    base_free(l->endpoint);
    base_free(l->data);
    base_free(l->store);
    base_free(l->store_folder);
    base_free(l->report_folder);
    json_decref(l->tasks);
    json_decref(l->runs);
    pthread_mutex_destroy(&l->workers_lock);
    pthread_cond_destroy(&l->workers_free);
    pthread_mutex_destroy(&l->tasks_lock);
    pthread_mutex_destroy(&l->runs_lock);
    base_free(l);
}

const struct mcp_provider *mcp_lab_provider(struct mcp_lab *l)
{
    return &l->provider;
}
