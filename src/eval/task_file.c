/* Task descriptions as files: built-in or on disk, YAML, includes, and the list of keys.
 *
 * lm-eval's loader (tasks/_yaml_loader.py): an included file's keys are taken first, in the order
 * of the includes, then the file's own; a file that includes itself is refused. !function names
 * Python code, which Assay does not run. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/task_private.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_INCLUDES = 32 };
static const char builtin_prefix[] = "builtin:";

void task_source_clear(struct task_source *s)
{
    base_free(s->path);
    base_free(s->folder);
    base_free(s->text);
    *s = (struct task_source){ 0 };
}

size_t task_source_line(const struct task_source *s, const char *key)
{
    size_t n = strlen(key), line = 1;
    for (const char *p = s->text; p && *p; p++) {
        if (*p == '\n') {
            line++;
            continue;
        }
        bool starts = p == s->text || strchr(" \t\n{,\"'", p[-1]) != NULL;
        if (!starts || strncmp(p, key, n) != 0)
            continue;
        const char *q = p + n;
        while (*q == '"' || *q == '\'' || *q == ' ')
            q++;
        if (*q == ':')
            return line;
    }
    return 0;
}

int task_refuse(const struct task_source *s, int code, const char *key, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t line = key ? task_source_line(s, key) : 0;
    if (line)
        return base_error_set(code, "%s:%zu: %s: %s", s->path, line, key, message);
    return base_error_set(code, "%s: %s%s%s", s->path, key ? key : "", key ? ": " : "", message);
}

/* ---- files ---- */

int task_file_read(const char *path, char **text, size_t *bytes)
{
    if (!base_starts_with(path, builtin_prefix))
        return base_file_read(path, 0, text, bytes);
    const char *data;
    if (!task_builtin(path + strlen(builtin_prefix), &data, bytes))
        return base_error_set(BASE_E_IO, "%s: no such built-in file", path);
    *text = base_strndup(data, *bytes);
    return *text ? 0 : BASE_E_MEMORY;
}

bool task_file_exists(const char *path)
{
    const char *data;
    size_t bytes;
    if (base_starts_with(path, builtin_prefix))
        return task_builtin(path + strlen(builtin_prefix), &data, &bytes);
    return base_file_exists(path) && !base_file_is_directory(path);
}

char *task_path_join(const char *folder, const char *name)
{
    if (*name == '/' || !folder || base_starts_with(name, builtin_prefix))
        return base_strdup(name);
    if (!base_starts_with(folder, builtin_prefix))
        return base_path_join(folder, name);
    /* Built-in files are looked up by their exact path: take "x/../" and "./" out. */
    char *path = base_path_join(folder, name), *up, *here;
    while (path && (here = strstr(path, "/./")) != NULL)
        memmove(here, here + 2, strlen(here + 2) + 1);
    while (path && (up = strstr(path, "/../")) != NULL) {
        char *start = up;
        while (start > path + strlen(builtin_prefix) && start[-1] != '/')
            start--;
        memmove(start, up + 4, strlen(up + 4) + 1);
    }
    return path;
}

static char *folder_of(const char *path)
{
    const char *name = base_path_name(path);
    return name == path ? base_strdup(".") : base_strndup(path, (size_t)(name - path) - 1);
}

/* ---- YAML with includes ---- */

struct chain { /* the files that led here, to see a circle */
    const char *path;
    const struct chain *above;
};

static int load(const char *path, const struct chain *above, int depth, json_t **config,
                struct task_source *source);

static int include(json_t *merged, const struct task_source *source, const json_t *name,
                   const struct chain *chain, int depth)
{
    json_t *other = NULL;
    struct task_source theirs = { 0 };
    if (!json_is_string(name))
        return task_refuse(source, BASE_E_FORMAT, "include", "expected a file name or a list");
    char *path = task_path_join(source->folder, json_string_value(name));
    if (!path)
        return BASE_E_MEMORY;
    int rc = load(path, chain, depth + 1, &other, &theirs);
    if (rc)
        base_error_prefix(rc, "%s: include", source->path);
    else if (json_object_update(merged, other))
        rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", source->path);
    json_decref(other);
    task_source_clear(&theirs);
    base_free(path);
    return rc;
}

static int load(const char *path, const struct chain *above, int depth, json_t **config,
                struct task_source *source)
{
    struct chain chain = { path, above };
    json_t *own = NULL, *merged = NULL;
    size_t bytes;
    int rc = 0;
    for (const struct chain *c = above; c; c = c->above)
        if (!strcmp(c->path, path) || depth > MAX_INCLUDES)
            return base_error_set(BASE_E_FORMAT, "%s: includes itself", path);
    *source = (struct task_source){ .path = base_strdup(path), .folder = folder_of(path) };
    if (!source->path || !source->folder)
        rc = BASE_E_MEMORY;
    rc = rc ? rc : task_file_read(path, &source->text, &bytes);
    rc = rc ? rc : base_yaml_parse(&own, source->text, bytes, path);
    if (rc == BASE_E_UNSUPPORTED && strstr(base_error_message(), "!function")) {
        /* "FILE:LINE:COLUMN: tag ..." */
        char place[512] = "";
        const char *tag = strstr(base_error_message(), ": tag ");
        if (tag)
            snprintf(place, sizeof place, "%.*s", (int)(tag - base_error_message()),
                     base_error_message());
        rc = base_error_set(BASE_E_UNSUPPORTED,
                            "%s: !function names Python code, which Assay does not run: write it "
                            "as a template (see docs/tasks.md), or prepare the data's fields",
                            place);
    }
    if (rc == 0 && !json_is_object(own))
        rc = base_error_set(BASE_E_FORMAT, "%s: expected a mapping of keys", path);
    json_t *includes = rc ? NULL : json_object_get(own, "include");
    if (rc == 0 && includes && !json_is_null(includes)) {
        merged = json_object();
        if (!merged)
            rc = BASE_E_MEMORY;
        for (size_t i = 0; rc == 0 && i < (json_is_array(includes) ? json_array_size(includes) : 1);
             i++)
            rc = include(merged, source,
                         json_is_array(includes) ? json_array_get(includes, i) : includes, &chain,
                         depth);
        if (rc == 0 && (json_object_del(own, "include") || json_object_update(merged, own)))
            rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", path);
        json_decref(own);
        own = merged;
        merged = NULL;
    }
    if (rc) {
        json_decref(own);
        task_source_clear(source);
        return rc;
    }
    *config = own;
    return 0;
}

int task_yaml_load(const char *path, json_t **config, struct task_source *source)
{
    return load(path, NULL, 0, config, source);
}

/* ---- keys ---- */

enum key_use { USED, RECORDED, REFUSED };
static const struct key {
    const char *name;
    enum key_use use;
    const char *reason;
} keys[] = {
    { "task", USED, NULL },
    { "task_alias", RECORDED, NULL },
    { "tag", RECORDED, NULL },
    { "group", USED, NULL },
    { "group_alias", RECORDED, NULL },
    { "aggregate_metric_list", USED, NULL },
    { "dataset_path", USED, NULL },
    { "dataset_name", USED, NULL },
    { "dataset_kwargs", USED, NULL },
    { "data_files", USED, NULL },
    { "training_split", USED, NULL },
    { "validation_split", USED, NULL },
    { "test_split", USED, NULL },
    { "fewshot_split", USED, NULL },
    { "doc_to_text", USED, NULL },
    { "doc_to_target", USED, NULL },
    { "doc_to_choice", USED, NULL },
    { "gen_prefix", USED, NULL },
    { "description", USED, NULL },
    { "target_delimiter", USED, NULL },
    { "fewshot_delimiter", USED, NULL },
    { "fewshot_config", USED, NULL },
    { "num_fewshot", USED, NULL },
    { "metric_list", USED, NULL },
    { "output_type", USED, NULL },
    { "generation_kwargs", USED, NULL },
    { "repeats", USED, NULL },
    { "filter_list", USED, NULL },
    { "metadata", RECORDED, NULL },
    { "should_decontaminate", RECORDED, NULL },
    { "doc_to_decontamination_query", RECORDED, NULL },
    /* ours */
    { "strategies", USED, NULL },
    { "cluster", USED, NULL },
    { "category", USED, NULL },
    { "denominator", USED, NULL },
    { "where", USED, NULL },
    { "record_lines", USED, NULL },
    { "record_start", USED, NULL },
    { "summary", RECORDED, NULL },
    /* lm-eval's that need Python, images or code */
    { "process_docs", REFUSED,
      "is Python code; express it in doc_to_text and the like, or prepare the data" },
    { "process_results", REFUSED, "is Python code; use metric_list and filter_list" },
    { "custom_dataset", REFUSED, "is Python code; name the files in dataset_kwargs.data_files" },
    { "class", REFUSED, "is a Python class" },
    { "use_prompt", REFUSED, "takes prompts from a Python package; write doc_to_text" },
    { "doc_to_image", REFUSED, "images are not supported" },
    { "doc_to_audio", REFUSED, "sound is not supported" },
    { "unsafe_code", REFUSED, "generated code is not run here" },
    { "task_list", REFUSED, "lists of variants are not supported; write one file per task" },
    { "include", REFUSED, "is only possible in a file" },
};
enum { KEYS = sizeof keys / sizeof keys[0] };

static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[65];
    if (n > 64 || m > 64)
        return 1000;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[m];
}

const char *task_nearest(const char *word, const char *const *words, size_t n)
{
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 2;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, words[i]);
        if (d < least) {
            least = d;
            best = words[i];
        }
    }
    return best;
}

int task_keys_check(json_t *config, const struct task_source *source)
{
    json_t *ours = json_object_get(json_object_get(config, "metadata"), "assay");
    if (ours) {
        if (!json_is_object(ours))
            return task_refuse(source, BASE_E_FORMAT, "assay", "expected a mapping");
        if (json_object_update(config, ours))
            return base_error_set(BASE_E_MEMORY, "%s: out of memory", source->path);
    }
    const char *names[KEYS], *key;
    for (size_t i = 0; i < KEYS; i++)
        names[i] = keys[i].name;
    json_t *value;
    json_object_foreach(config, key, value)
    {
        const struct key *known = NULL;
        for (size_t i = 0; i < KEYS && !known; i++)
            known = strcmp(keys[i].name, key) ? NULL : &keys[i];
        if (!known) {
            const char *near = task_nearest(key, names, KEYS);
            return task_refuse(source, BASE_E_FORMAT, key, "not a key of a task%s%s%s",
                               near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
        }
        if (known->use == REFUSED && !json_is_null(value) && !json_is_false(value))
            return task_refuse(source, BASE_E_UNSUPPORTED, key, "%s", known->reason);
    }
    return 0;
}
