/* The JSON Schema Test Suite's files: groups of a schema and instances with the verdict that is
 * expected. See include/assay/schema.h. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include <assay/schema.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FAILURES_MOST 100
#define DEPTH_MOST    16

struct documents {
    struct agent_schema_document *at;
    size_t n;
};

static int json_read(const char *path, json_t **out)
{
    char *text;
    size_t bytes;
    int rc = base_file_read(path, 0, &text, &bytes);
    if (rc)
        return rc;
    rc = base_json_parse_wire(out, text, bytes, 0, path);
    base_free(text);
    return rc;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Every .json below dir, as http://localhost:1234/ and its path below the top. */
static int documents_read(struct documents *d, const char *dir, const char *below, int depth)
{
    struct dirent **names = NULL;
    int n = depth < DEPTH_MOST ? scandir(dir, &names, NULL, by_name) : 0, rc = 0;
    if (n < 0)
        return base_error_set(BASE_E_IO, "%s: %s", dir, strerror(errno));
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        char *path = name[0] != '.' && !rc ? base_format("%s/%s", dir, name) : NULL;
        char *relative = path ? base_format("%s%s", below, name) : NULL;
        struct stat st;
        if (relative && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            char *inner = base_format("%s/", relative);
            rc = inner ? documents_read(d, path, inner, depth + 1) : BASE_E_MEMORY;
            base_free(inner);
        } else if (relative && base_ends_with(name, ".json")) {
            struct agent_schema_document *grown = base_realloc(d->at, d->n + 1, sizeof *grown);
            if (grown)
                d->at = grown;
            char *uri = base_format("http://localhost:1234/%s", relative);
            json_t *json = NULL;
            rc = grown && uri ? json_read(path, &json) : BASE_E_MEMORY;
            if (rc)
                base_free(uri);
            else
                d->at[d->n++] = (struct agent_schema_document){ uri, json };
        } else if (name[0] != '.' && !relative && !rc) {
            rc = BASE_E_MEMORY;
        }
        base_free(relative);
        base_free(path);
        free(names[i]);
    }
    free(names);
    return rc;
}

static int failure_add(struct agent_schema_suite *out, const char *file, const json_t *group,
                       const json_t *test, bool expected, const char *message)
{
    out->failed++;
    if (json_array_size(out->failures) >= FAILURES_MOST)
        return 0;
    json_t *o = json_pack(
        "{s:s, s:O?, s:O?, s:b, s:s}", "file", file, "group", json_object_get(group, "description"),
        "test", json_object_get(test, "description"), "expected", expected, "message", message);
    return o && !json_array_append_new(out->failures, o) ? 0 : BASE_E_MEMORY;
}

static int group_run(const struct documents *d, const char *file, const json_t *group,
                     struct agent_schema_suite *out)
{
    struct agent_schema_options options = { .documents = d->at, .n_documents = d->n };
    json_t *schema = json_object_get(group, "schema"), *tests = json_object_get(group, "tests");
    if (!schema || !json_is_array(tests))
        return base_error_set(
            BASE_E_FORMAT, "%s: expected an array of groups with \"schema\" and \"tests\"", file);
    struct agent_schema *s = NULL;
    int compiled = agent_schema_compile(&s, schema, file, &options), rc = 0;
    char *why = compiled ? base_strdup(base_error_message()) : NULL;
    size_t i;
    const json_t *test;
    out->groups++;
    json_array_foreach(tests, i, test)
    {
        json_t *errors = NULL;
        bool expected = json_is_true(json_object_get(test, "valid"));
        int got =
            compiled ? compiled : agent_schema_check(s, json_object_get(test, "data"), &errors);
        if (got >= 0 && got == expected)
            out->passed++;
        else if (!rc)
            rc = failure_add(
                out, file, group, test, expected,
                compiled  ? why ? why : "out of memory"
                : got < 0 ? base_error_message()
                : got     ? "found valid"
                      : json_string_value(json_object_get(json_array_get(errors, 0), "message")));
        json_decref(errors);
    }
    base_free(why);
    agent_schema_free(s);
    return rc;
}

/* "remotes" beside DIR or a parent of it; NULL when there is none. */
static char *remotes_find(const char *dir)
{
    char *at = realpath(dir, NULL), *found = NULL;
    while (at && !found) {
        char *slash = strrchr(at, '/');
        if (!slash || slash == at)
            break;
        *slash = 0;
        struct stat st;
        char *path = base_format("%s/remotes", at);
        if (path && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            found = path;
        else
            base_free(path);
    }
    free(at);
    return found;
}

int agent_schema_suite_run(const char *dir, const char *remotes, struct agent_schema_suite *out)
{
    struct documents d = { 0 };
    struct dirent **names = NULL;
    char *found = remotes ? NULL : remotes_find(dir);
    *out = (struct agent_schema_suite){ .failures = json_array() };
    int rc = out->failures ? 0 : BASE_E_MEMORY, n = 0;
    if (!rc && (remotes || found))
        rc = documents_read(&d, remotes ? remotes : found, "", 0);
    if (!rc && (n = scandir(dir, &names, NULL, by_name)) < 0)
        rc = base_error_set(BASE_E_IO, "%s: %s", dir, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (!rc && base_ends_with(names[i]->d_name, ".json")) {
            char *path = base_format("%s/%s", dir, names[i]->d_name);
            json_t *groups = NULL;
            rc = path ? json_read(path, &groups) : BASE_E_MEMORY;
            if (!rc && !json_is_array(groups))
                rc = base_error_set(BASE_E_FORMAT, "%s: expected an array of groups", path);
            size_t k;
            const json_t *group;
            json_array_foreach(groups, k, group)
            {
                if (!rc)
                    rc = group_run(&d, names[i]->d_name, group, out);
            }
            out->files++;
            json_decref(groups);
            base_free(path);
        }
        free(names[i]);
    }
    free(names);
    if (!rc && !out->files)
        rc = base_error_set(BASE_E_FORMAT, "%s: no .json file is here", dir);
    for (size_t i = 0; i < d.n; i++) {
        base_free((char *)(uintptr_t)d.at[i].uri);
        json_decref(d.at[i].json);
    }
    base_free(d.at);
    base_free(found);
    if (rc) {
        json_decref(out->failures);
        out->failures = NULL;
    }
    return rc;
}
