/* Which tasks there are: built-in ones, and those of a directory of YAML files (options->include),
 * which come first. Names are tasks, groups (lists of tasks, groups, or either with overrides) and
 * tags (every task that carries one). lm-eval's rules: api/group.py, tasks/_index.py, _factory.py.
 *
 * A directory may hold thousands of files: a name is looked for in the files' text first, and only
 * those that contain it are parsed. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/task_private.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 16 };

/* ---- all YAML files ---- */

struct names {
    char **at;
    size_t n, room;
};

void eval_names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        base_free(names[i]);
    base_free(names);
}

/* Takes name (NULL: memory ran out). */
static int names_add(struct names *l, char *name)
{
    if (name && l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 16;
        char **more = base_realloc(l->at, room, sizeof *more);
        if (more) {
            l->at = more;
            l->room = room;
        }
    }
    if (!name || l->n == l->room) {
        base_free(name);
        return BASE_E_MEMORY;
    }
    l->at[l->n++] = name;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int walk(const char *folder, int depth, struct names *files)
{
    DIR *d = opendir(folder);
    if (!d)
        return base_error_set(BASE_E_IO, "%s: %s", folder, strerror(errno));
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.' || !strcmp(e->d_name, "__pycache__"))
            continue;
        char *path = base_path_join(folder, e->d_name);
        if (!path) {
            rc = BASE_E_MEMORY;
        } else if (base_ends_with(path, ".yaml") || base_ends_with(path, ".yml")) {
            rc = names_add(files, path);
        } else {
            if (depth < MAX_DEPTH && base_file_is_directory(path))
                rc = walk(path, depth + 1, files);
            base_free(path);
        }
    }
    closedir(d);
    return rc;
}

static int all_files(const struct eval_task_options *o, struct names *files)
{
    int rc = 0;
    if (o->include)
        rc = walk(o->include, 0, files);
    if (rc == 0 && files->n)
        qsort(files->at, files->n, sizeof *files->at, by_text);
    for (size_t i = 0; rc == 0 && task_builtin_path(i); i++)
        if (base_ends_with(task_builtin_path(i), ".yaml"))
            rc = names_add(files, base_format("builtin:%s", task_builtin_path(i)));
    return rc;
}

/* ---- names ---- */

static const char *name_of(const json_t *config)
{
    const json_t *group = json_object_get(config, "group");
    const json_t *name = json_is_string(group) ? group : json_object_get(config, "task");
    return json_string_value(name);
}

static bool has_tag(const json_t *config, const char *tag)
{
    const json_t *tags = json_object_get(config, "tag"), *one;
    size_t i;
    if (json_is_string(tags))
        return !strcmp(json_string_value(tags), tag);
    json_array_foreach((json_t *)(uintptr_t)tags, i,
                       one) if (json_is_string(one) &&
                                !strcmp(json_string_value(one), tag)) return true;
    return false;
}

static bool is_path(const char *name)
{
    return strchr(name, '/') || base_ends_with(name, ".yaml") || base_ends_with(name, ".yml");
}

/* Does the text say "task: NAME" or "group: NAME" on a line of its own? */
static bool claims(const char *text, const char *name)
{
    for (const char *p = text; (p = strstr(p, name)) != NULL; p++) {
        const char *start = p, *end = p + strlen(name);
        while (start > text && strchr(" \t\"'", start[-1]))
            start--;
        end += strspn(end, " \t\"'\r");
        if (*end && *end != '\n' && *end != '#')
            continue;
        if ((start - text >= 5 && !strncmp(start - 5, "task:", 5)) ||
            (start - text >= 6 && !strncmp(start - 6, "group:", 6)))
            return true;
    }
    return false;
}

/* The description with this name: 1, or 0 when there is none. A file that says it is the one but
 * cannot be read is the failure. */
static int lookup(const char *name, const struct eval_task_options *o, json_t **config,
                  struct task_source *source)
{
    struct names files = { 0 };
    int rc = all_files(o, &files), found = 0;
    for (size_t i = 0; rc == 0 && !found && i < files.n; i++) {
        char *text;
        size_t bytes;
        if (task_file_read(files.at[i], &text, &bytes))
            continue;
        bool mentions = strstr(text, name) != NULL, claimed = mentions && claims(text, name);
        base_free(text);
        if (!mentions)
            continue;
        int failed = task_yaml_load(files.at[i], config, source);
        if (failed) {
            rc = claimed ? failed : 0;
            continue;
        }
        const char *own = name_of(*config);
        found = own && !strcmp(own, name);
        if (!found) {
            json_decref(*config);
            *config = NULL;
            task_source_clear(source);
        }
    }
    eval_names_free(files.at, files.n);
    return rc ? rc : found;
}

/* Member `name` of a group's list, with the overrides on the way to it: 1, 0 or negative. *item:
 * the overrides, a new object (its "task" is the member's own name). */
static int member(const json_t *group, const char *name, const json_t *above, json_t **item)
{
    static const char *const structure[] = { "group",    "group_alias",           "task",
                                             "metadata", "aggregate_metric_list", "tag" };
    json_t *list = json_object_get(group, "task"), *one, *value;
    json_t *overrides = above ? json_copy((json_t *)(uintptr_t)above) : json_object();
    const char *key;
    size_t i;
    int found = 0;
    if (!overrides)
        return base_error_set(BASE_E_MEMORY, "out of memory");
    json_object_foreach((json_t *)(uintptr_t)group, key, value)
    {
        bool own = true;
        for (i = 0; i < sizeof structure / sizeof structure[0]; i++)
            own = own && strcmp(structure[i], key) != 0;
        if (own)
            json_object_set(overrides, key, value);
    }
    json_array_foreach(list, i, one)
    {
        const char *task =
            json_string_value(json_is_string(one) ? one : json_object_get(one, "task"));
        if (task && !strcmp(task, name)) {
            *item = json_copy(overrides);
            if (json_is_object(one))
                json_object_update(*item, one);
            json_object_set_new(*item, "task", json_string(name));
            found = 1;
            break;
        }
        if (json_is_array(json_object_get(one, "task")))
            found = member(one, name, overrides, item);
        if (found)
            break;
    }
    json_decref(overrides);
    return found;
}

static int find_member(const char *name, const char *colons, const struct eval_task_options *o,
                       json_t **config, struct task_source *source)
{
    char *group = base_strndup(name, (size_t)(colons - name));
    const char *task = colons + 2;
    json_t *parent = NULL, *item = NULL, *base = NULL;
    struct task_source theirs = { 0 };
    int rc = group ? task_find(group, o, &parent, source) : BASE_E_MEMORY;
    if (rc == 0) {
        int found = member(parent, task, NULL, &item);
        rc = found > 0 ? 0
             : found   ? found
                       : base_error_set(BASE_E_ARGUMENT, "%s: group %s has no member %s",
                                        source->path, group, task);
    }
    int known = rc ? rc : lookup(task, o, &base, &theirs);
    if (known > 0) { /* messages should name the task's own file */
        struct task_source swap = *source;
        *source = theirs;
        theirs = swap;
    }
    rc = known < 0 ? known : rc;
    if (rc == 0) {
        base = base ? base : json_object();
        if (!base || json_object_update(base, item) ||
            json_object_set_new(base, "task", json_string(name)))
            rc = base_error_set(BASE_E_MEMORY, "out of memory");
    }
    if (rc) {
        json_decref(base);
        task_source_clear(source);
    } else {
        *config = base;
    }
    task_source_clear(&theirs);
    json_decref(parent);
    json_decref(item);
    base_free(group);
    return rc;
}

static int unknown(const char *name, const struct eval_task_options *o)
{
    json_t *list = NULL, *entry;
    const char *near = NULL, *words[1024];
    size_t i, n = 0;
    if (eval_tasks_list(o, false, &list) == 0) {
        json_array_foreach(list, i, entry) if (n < 1024) words[n++] =
            json_string_value(json_object_get(entry, "name"));
        near = task_nearest(name, words, n);
    }
    int rc =
        base_error_set(BASE_E_ARGUMENT,
                       "no task, group or tag \"%s\"%s%s%s; `assay tasks` lists them, "
                       "--include DIRECTORY adds more",
                       name, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    json_decref(list);
    return rc;
}

int task_find(const char *name, const struct eval_task_options *options, json_t **config,
              struct task_source *source)
{
    const char *colons = strstr(name, "::");
    if (colons && colons != name)
        return find_member(name, colons, options, config, source);
    if (is_path(name))
        return task_yaml_load(name, config, source);
    int rc = lookup(name, options, config, source);
    return rc > 0 ? 0 : rc ? rc : unknown(name, options);
}

/* ---- expansion ---- */

static int add_once(struct names *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (!strcmp(l->at[i], name))
            return 0;
    return names_add(l, base_strdup(name));
}

static int expand(const char *name, const struct eval_task_options *o, int depth, struct names *l);

/* Members of a group named `path` ("a" or "a.yaml"). A member with overrides, its own or the
 * group's, is "path::member"; so is one that stands only in the group. */
static int expand_group(const char *path, const json_t *group, bool overridden,
                        const struct eval_task_options *o, int depth, struct names *l)
{
    static const char *const structure[] = { "group",    "group_alias",           "task",
                                             "metadata", "aggregate_metric_list", "tag" };
    json_t *list = json_object_get(group, "task"), *one, *value;
    const char *key;
    size_t i;
    int rc = 0;
    json_object_foreach((json_t *)(uintptr_t)group, key, value)
    {
        bool own = true;
        for (i = 0; i < sizeof structure / sizeof structure[0]; i++)
            own = own && strcmp(structure[i], key) != 0;
        overridden = overridden || own;
    }
    if (json_is_string(list))
        return overridden ? names_add(l, base_format("%s::%s", path, json_string_value(list)))
                          : expand(json_string_value(list), o, depth + 1, l);
    if (!json_is_array(list))
        return base_error_set(BASE_E_FORMAT, "%s: a group needs task: (a list of tasks)", path);
    json_array_foreach(list, i, one)
    {
        const char *task =
            json_string_value(json_is_string(one) ? one : json_object_get(one, "task"));
        const char *inner = json_string_value(json_object_get(one, "group"));
        bool own = overridden || (json_is_object(one) && json_object_size(one) > 1);
        if (json_is_array(json_object_get(one, "task")))
            rc = expand_group(path, one, overridden, o, depth + 1, l);
        else if (inner)
            rc = expand(inner, o, depth + 1, l);
        else if (!task)
            rc = base_error_set(BASE_E_FORMAT, "%s: member %zu of the group has no name", path, i);
        else if (own)
            rc = names_add(l, base_format("%s::%s", path, task));
        else
            rc = expand(task, o, depth + 1, l);
        if (rc)
            return rc;
    }
    return 0;
}

static int expand_tag(const char *tag, const struct eval_task_options *o, struct names *l)
{
    struct names files = { 0 }, found = { 0 };
    int rc = all_files(o, &files);
    for (size_t i = 0; rc == 0 && i < files.n; i++) {
        json_t *config = NULL;
        struct task_source source = { 0 };
        if (task_yaml_load(files.at[i], &config, &source))
            continue;
        const char *name = json_string_value(json_object_get(config, "task"));
        if (name && !json_object_get(config, "group") && has_tag(config, tag))
            rc = add_once(&found, name);
        json_decref(config);
        task_source_clear(&source);
    }
    if (found.n)
        qsort(found.at, found.n, sizeof *found.at, by_text);
    for (size_t i = 0; rc == 0 && i < found.n; i++)
        rc = add_once(l, found.at[i]);
    if (rc == 0 && found.n == 0)
        rc = unknown(tag, o);
    eval_names_free(files.at, files.n);
    eval_names_free(found.at, found.n);
    return rc;
}

static int expand(const char *name, const struct eval_task_options *o, int depth, struct names *l)
{
    json_t *config = NULL;
    struct task_source source = { 0 };
    if (depth > MAX_DEPTH)
        return base_error_set(BASE_E_FORMAT, "group %s contains itself", name);
    if (strstr(name, "::"))
        return add_once(l, name);
    int found =
        is_path(name) ? task_yaml_load(name, &config, &source) : lookup(name, o, &config, &source);
    int rc = found < 0 ? found : 0;
    if (rc == 0 && !config)
        rc = expand_tag(name, o, l);
    else if (rc == 0 && json_object_get(config, "group"))
        rc = expand_group(name, config, false, o, depth, l);
    else if (rc == 0)
        rc = add_once(l, name);
    json_decref(config);
    task_source_clear(&source);
    return rc;
}

/* Calls fn for each of "a, b,c". */
static int each_name(const char *names, int (*fn)(void *context, const char *name), void *context)
{
    int rc = 0;
    size_t count = 0;
    for (const char *p = names; rc == 0 && *p;) {
        size_t n = strcspn(p, ",");
        char *name = base_strndup(p, n), *start = name;
        p += n + (p[n] == ',');
        if (!name)
            return BASE_E_MEMORY;
        while (*start == ' ')
            start++;
        for (size_t end = strlen(start); end > 0 && start[end - 1] == ' ';)
            start[--end] = 0;
        if (*start) {
            rc = fn(context, start);
            count++;
        }
        base_free(name);
    }
    return rc || count ? rc : base_error_set(BASE_E_ARGUMENT, "no task is named");
}

struct expansion {
    const struct eval_task_options *options;
    struct names list;
};
static int expand_one(void *context, const char *name)
{
    struct expansion *e = context;
    return expand(name, e->options, 0, &e->list);
}

int eval_tasks_expand(const char *names, const struct eval_task_options *options, char ***out,
                      size_t *n)
{
    struct expansion e = { options, { 0 } };
    int rc = each_name(names, expand_one, &e);
    if (rc) {
        eval_names_free(e.list.at, e.list.n);
        return rc;
    }
    *out = e.list.at;
    *n = e.list.n;
    return 0;
}

/* ---- listing ---- */

static json_t *members_of(const json_t *config)
{
    json_t *list = json_object_get(config, "task"), *names = json_array(), *one;
    size_t i;
    if (json_is_string(list))
        json_array_append(names, list);
    json_array_foreach(list, i, one)
    {
        json_t *name = json_is_string(one) ? one : json_object_get(one, "group");
        json_array_append(names, name ? name : json_object_get(one, "task"));
    }
    return names;
}

/* A task as the list shows it: its type, where its data is or what is missing, or why it cannot be
 * used. New object. */
static json_t *describe_task(const char *path, const json_t *config, const char *failure,
                             const struct eval_task_options *o, bool count)
{
    const char *name = name_of(config), *type = NULL;
    const json_t *summary = json_object_get(config, "summary");
    const json_t *ours = json_object_get(json_object_get(config, "metadata"), "assay");
    summary = summary ? summary : json_object_get(ours, "summary");
    char *reason = failure ? base_strdup(failure) : NULL, *data = NULL, *missing = NULL;
    struct eval_task *t = NULL;
    json_t *items = json_null();
    if (!failure && name) {
        struct eval_task_options options = *o;
        options.strategy = EVAL_STRATEGY_TASK;
        json_t *checked = NULL;
        const char *which = path;
        if (base_starts_with(path, "builtin:"))
            which = name;
        if (eval_task_check(which, &options, &checked)) {
            reason = base_strdup(base_error_message());
        } else {
            struct eval_task probe = { .name = (char *)(uintptr_t)name, .options = options };
            probe.config = checked;
            probe.source.path = probe.source.folder = NULL;
            probe.source.folder = strrchr(path, '/')
                                      ? base_strndup(path, (size_t)(strrchr(path, '/') - path))
                                      : base_strdup(".");
            probe.source.path = base_strdup(path);
            if (!probe.source.path || !probe.source.folder ||
                task_data_locate(&probe, &data, &missing))
                reason = base_strdup(base_error_message());
            else if (missing)
                reason = base_format("no %s: say --data DIRECTORY", missing);
            base_free(probe.source.path);
            base_free(probe.source.folder);
        }
        json_decref(checked);
        if (!reason && count) {
            if (eval_task_open(&t, which, &options))
                reason = base_strdup(base_error_message());
            else
                items = json_integer((json_int_t)eval_task_count(t));
        }
    }
    type = json_string_value(json_object_get(config, "output_type"));
    json_t *entry =
        json_pack("{s:s?, s:s, s:s, s:O?, s:s, s:s?, s:s?, s:o}", "name", name, "kind", "task",
                  "type", type ? type : "generate_until", "description", summary, "source",
                  base_starts_with(path, "builtin:") ? "built-in" : path, "data", data, "missing",
                  reason, "items", items);
    eval_task_free(t);
    base_free(reason);
    base_free(data);
    base_free(missing);
    return entry;
}

static int by_name(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;
    return strcmp(json_string_value(json_object_get(*x, "name")),
                  json_string_value(json_object_get(*y, "name")));
}

static int sort_list(json_t *list)
{
    size_t n = json_array_size(list);
    json_t **all = base_alloc(n, sizeof *all);
    if (!all)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        all[i] = json_incref(json_array_get(list, i));
    qsort(all, n, sizeof *all, by_name);
    for (size_t i = 0; i < n; i++)
        json_array_set_new(list, i, all[i]);
    base_free(all);
    return 0;
}

int eval_tasks_list(const struct eval_task_options *options, bool count, json_t **list)
{
    struct names files = { 0 };
    json_t *tags = json_object(), *seen = json_object(), *tag, *one;
    *list = json_array();
    int rc = *list && tags && seen ? all_files(options, &files)
                                   : base_error_set(BASE_E_MEMORY, "out of memory");
    for (size_t i = 0; rc == 0 && i < files.n; i++) {
        json_t *config = NULL, *entry = NULL;
        struct task_source source = { 0 };
        char *failure = NULL;
        bool builtin = base_starts_with(files.at[i], "builtin:");
        if (task_yaml_load(files.at[i], &config, &source)) {
            /* named by its file, with the reason */
            failure = base_strdup(base_error_message());
            config = json_pack("{s:s}", "task", base_path_name(files.at[i]));
        }
        const char *name = name_of(config);
        if (name && !json_object_get(seen, name)) {
            json_object_set_new(seen, name, json_true());
            if (!failure && json_object_get(config, "group"))
                entry = json_pack("{s:s, s:s, s:n, s:O?, s:s, s:n, s:n, s:n, s:o}", "name", name,
                                  "kind", "group", "type", "description",
                                  json_object_get(json_object_get(config, "metadata"), "summary"),
                                  "source", builtin ? "built-in" : files.at[i], "data", "missing",
                                  "items", "members", members_of(config));
            else
                entry = describe_task(files.at[i], config, failure, options, count);
            rc = json_array_append_new(*list, entry) ? BASE_E_MEMORY : 0;
            tag = json_object_get(config, "tag");
            for (size_t j = 0; tag && j < (json_is_array(tag) ? json_array_size(tag) : 1); j++) {
                one = json_is_array(tag) ? json_array_get(tag, j) : tag;
                const char *t = json_string_value(one);
                if (t && !json_object_get(tags, t))
                    json_object_set_new(tags, t, json_array());
                if (t)
                    json_array_append_new(json_object_get(tags, t), json_string(name));
            }
        }
        json_decref(config);
        task_source_clear(&source);
        base_free(failure);
    }
    const char *key;
    json_object_foreach(tags, key, tag)
    {
        if (rc == 0 && !json_object_get(seen, key))
            json_array_append_new(*list,
                                  json_pack("{s:s, s:s, s:n, s:n, s:s, s:n, s:n, s:n, s:O}", "name",
                                            key, "kind", "tag", "type", "description", "source", "",
                                            "data", "missing", "items", "members", tag));
    }
    rc = rc ? rc : sort_list(*list);
    if (rc) {
        json_decref(*list);
        *list = NULL;
    }
    json_decref(tags);
    json_decref(seen);
    eval_names_free(files.at, files.n);
    return rc;
}
