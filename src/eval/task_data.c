/* A task's documents: which files, where they are, and how their records become documents.
 *
 * Files come from dataset_kwargs.data_files (or data_files): a name, a list, or a mapping from
 * split to either. Without them dataset_path names a dataset of the Hub, and a copy of it is looked
 * for: PATH/[NAME/]SPLIT.jsonl (.json, .csv, .tsv) or BASENAME/[NAME/]SPLIT.jsonl. Every name is
 * looked for under each directory of --data (several, divided by ':'), beside the YAML file and in
 * the current directory, as it is and with .zst, .gz and .bz2 after it.
 *
 * What the datasets library does to records on the way is done here too, for templates and hashes
 * depend on it: all documents of a file have all its columns (null where a record lacks one), in
 * the order in which the columns appear first; CSV columns become integers, numbers or booleans
 * where every value is one, and pandas' names for a missing value become null. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/task_private.h"
#include <assay/data.h>
#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

static json_t *get(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}
static const char *get_string(const json_t *object, const char *key)
{
    return json_string_value(get(object, key));
}

/* ---- where ---- */

/* folder/name, as it is or compressed: new string, or NULL when there is no such file. */
static char *probe(const char *folder, const char *name)
{
    static const char *const suffixes[] = { "", ".zst", ".gz", ".bz2" };
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *full = base_format("%s%s", name, suffixes[i]);
        char *path = full ? task_path_join(folder, full) : NULL;
        base_free(full);
        if (path && task_file_exists(path))
            return path;
        base_free(path);
    }
    return NULL;
}

/* Looks for name in every directory; NULL when it is nowhere (or memory ran out). */
static char *search(const struct eval_task *t, const char *name)
{
    char *found = NULL;
    if (*name == '/')
        return probe(NULL, name);
    for (const char *d = t->options.data; d && *d && !found;) {
        size_t n = strcspn(d, ":");
        char *folder = base_strndup(d, n);
        if (folder && n > 0)
            found = probe(folder, name);
        base_free(folder);
        d += n + (d[n] == ':');
    }
    found = found ? found : probe(t->source.folder, name);
    return found ? found : probe(".", name);
}

/* A file of a dataset of the Hub. */
static char *search_hub(const struct eval_task *t, const char *split)
{
    static const char *const endings[] = { "jsonl", "json", "csv", "tsv" };
    const char *path = get_string(t->config, "dataset_path");
    const char *name = get_string(t->config, "dataset_name");
    const char *roots[2] = { path, path ? base_path_name(path) : NULL };
    char *found = NULL;
    for (size_t r = 0; path && r < 2 && !found; r++)
        for (int named = name != NULL; named >= 0 && !found; named--)
            for (size_t e = 0; e < 4 && !found; e++) {
                char *file = base_format("%s/%s%s%s.%s", roots[r], named ? name : "",
                                         named ? "/" : "", split, endings[e]);
                found = file ? search(t, file) : NULL;
                base_free(file);
            }
    return found;
}

static bool is_loader(const char *path)
{
    return !path || !strcmp(path, "json") || !strcmp(path, "csv") || !strcmp(path, "text");
}

/* The names given for a split: a string or a list; NULL when there are none. */
static int split_names(const struct eval_task *t, const char *split, const json_t **out)
{
    const struct task_source *s = &t->source;
    const json_t *kwargs = get(t->config, "dataset_kwargs");
    const json_t *files =
        get(t->config, "data_files") ? get(t->config, "data_files") : get(kwargs, "data_files");
    const char *path = get_string(t->config, "dataset_path");
    *out = NULL;
    if (!files) {
        if (is_loader(path))
            return task_refuse(s, BASE_E_FORMAT, path ? "dataset_path" : NULL,
                               "dataset_kwargs.data_files is missing: it names the data's files");
        return 0;
    }
    if (path && !is_loader(path))
        return task_refuse(s, BASE_E_UNSUPPORTED, "dataset_path",
                           "with data_files, only json, csv and text are read (here: %s)", path);
    *out = json_is_object(files) ? get(files, split) : files;
    if (!*out)
        return task_refuse(s, BASE_E_FORMAT, "data_files", "no file for split \"%s\"", split);
    if (!json_is_string(*out) && !json_is_array(*out))
        return task_refuse(s, BASE_E_FORMAT, "data_files", "expected file names");
    return 0;
}

/* The files of a split: *paths a new list of strings, or empty and *missing (new string) says what
 * was looked for. */
static int locate(const struct eval_task *t, const char *split, json_t **paths, char **missing)
{
    const json_t *names = NULL;
    *missing = NULL;
    *paths = json_array();
    int rc = *paths ? split_names(t, split, &names) : base_error_set(BASE_E_MEMORY, "memory");
    if (rc)
        goto out;
    size_t n = !names ? 1 : json_is_string(names) ? 1 : json_array_size(names);
    for (size_t i = 0; i < n && !*missing; i++) {
        const char *name =
            !names ? NULL
                   : json_string_value(json_is_string(names) ? names : json_array_get(names, i));
        char *path = name ? search(t, name) : names ? NULL : search_hub(t, split);
        if (path)
            json_array_append_new(*paths, json_string(path));
        else if (name)
            *missing = base_strdup(name);
        else
            *missing = base_format(
                "%s/%s%s%s.jsonl", get_string(t->config, "dataset_path"),
                get_string(t->config, "dataset_name") ? get_string(t->config, "dataset_name") : "",
                get_string(t->config, "dataset_name") ? "/" : "", split);
        base_free(path);
        if (!path && !*missing)
            rc = BASE_E_MEMORY;
    }
out:
    if (rc || *missing) {
        json_decref(*paths);
        *paths = NULL;
    }
    return rc;
}

static const char *evaluated_split(const struct eval_task *t)
{
    const char *split = get_string(t->config, "test_split");
    split = split ? split : get_string(t->config, "validation_split");
    if (split)
        return split;
    /* One file and no word about splits: that file. */
    const json_t *files = get(t->config, "data_files");
    return files && !json_is_object(files) ? "test" : NULL;
}

int task_data_locate(const struct eval_task *t, char **path, char **missing)
{
    const char *split = evaluated_split(t);
    json_t *paths = NULL;
    *path = *missing = NULL;
    if (!split)
        return task_refuse(&t->source, BASE_E_FORMAT, NULL,
                           "neither test_split nor validation_split is given");
    int rc = locate(t, split, &paths, missing);
    if (rc == 0 && paths) {
        *path = base_strdup(json_string_value(json_array_get(paths, 0)));
        rc = *path ? 0 : BASE_E_MEMORY;
    }
    json_decref(paths);
    return rc;
}

/* ---- records ---- */

/* Options of the csv and text loaders (datasets' names), beside our record_lines. */
struct reading {
    struct data_records_options options;
    const char *columns[64];
    char *start; /* record_start */
    bool typed;  /* CSV: find the columns' types */
    bool whole;  /* sample_by: document */
};

static int read_columns(const struct eval_task *t, const json_t *list, const char *key,
                        struct reading *r)
{
    const json_t *name;
    size_t i;
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > 64)
        return task_refuse(&t->source, BASE_E_FORMAT, key, "expected a list of 1 to 64 names");
    json_array_foreach((json_t *)(uintptr_t)list, i, name)
    {
        if (!json_is_string(name))
            return task_refuse(&t->source, BASE_E_FORMAT, key, "expected names");
        r->columns[i] = json_string_value(name);
    }
    r->options.columns = r->columns;
    r->options.n_columns = json_array_size(list);
    return 0;
}

static int read_kwargs(const struct eval_task *t, struct reading *r)
{
    const json_t *kwargs = get(t->config, "dataset_kwargs");
    const struct task_source *s = &t->source;
    const char *key, *path = get_string(t->config, "dataset_path");
    json_t *value;
    int rc = 0;
    r->options.format = DATA_FORMAT_AUTO;
    if (path && !strcmp(path, "csv")) {
        r->options.format = DATA_FORMAT_CSV;
        r->options.quote = '"';
    } else if (path && !strcmp(path, "text")) {
        r->options.format = DATA_FORMAT_LINES;
    }
    if (get(t->config, "record_lines")) {
        r->options.format = DATA_FORMAT_LINES;
        rc = read_columns(t, get(t->config, "record_lines"), "record_lines", r);
    }
    if (rc == 0 && get(t->config, "record_start")) {
        if (!get_string(t->config, "record_start"))
            return task_refuse(s, BASE_E_FORMAT, "record_start", "expected a regular expression");
        r->options.format = DATA_FORMAT_LINES;
        r->start = base_strdup(get_string(t->config, "record_start"));
        rc = r->start ? 0 : BASE_E_MEMORY;
    }
    json_object_foreach((json_t *)(uintptr_t)kwargs, key, value)
    {
        if (rc)
            return rc;
        const char *text = json_string_value(value);
        if (!strcmp(key, "data_files") || !strcmp(key, "trust_remote_code") || json_is_null(value))
            continue;
        if (!strcmp(key, "column_names") || !strcmp(key, "names"))
            rc = read_columns(t, value, key, r);
        else if ((!strcmp(key, "delimiter") || !strcmp(key, "sep")) && text && strlen(text) == 1)
            r->options.delimiter = text[0];
        else if (!strcmp(key, "quoting") && json_is_integer(value))
            r->options.quote = json_integer_value(value) == 3 ? -1 : '"';
        else if (!strcmp(key, "field") && text)
            r->options.field = text;
        else if (!strcmp(key, "sample_by") && text &&
                 (!strcmp(text, "line") || !strcmp(text, "document")))
            r->whole = !strcmp(text, "document");
        else
            rc = task_refuse(s, BASE_E_UNSUPPORTED, key,
                             "not supported in dataset_kwargs, or not of the right type");
    }
    return rc;
}

/* An embedded file: JSON Lines. */
static int read_builtin(const char *path, json_t *rows)
{
    char *text;
    size_t bytes, line = 0;
    int rc = task_file_read(path, &text, &bytes);
    if (rc)
        return rc;
    for (char *p = text, *end; rc == 0 && *p; p = end + (*end != 0)) {
        end = p + strcspn(p, "\n");
        line++;
        if (end == p)
            continue;
        json_t *row = NULL;
        rc = base_json_parse(&row, p, (size_t)(end - p), path);
        if (rc == 0 && json_array_append_new(rows, row))
            rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", path);
        else if (rc)
            base_error_prefix(rc, "line %zu", line);
    }
    base_free(text);
    return rc;
}

/* Ends the record that is being put together from lines; blank ones are dropped. */
static int flush(struct base_buffer *b, json_t *rows)
{
    bool blank = !b->data || strspn(b->data, " \t\r\n") == b->length;
    int rc = 0;
    if (!blank) {
        json_t *row = json_object();
        if (!row || json_object_set_new(row, "text", json_stringn(b->data, b->length)) ||
            json_array_append_new(rows, row))
            rc = base_error_set(BASE_E_MEMORY, "out of memory");
    }
    base_buffer_clear(b);
    return rc;
}

/* Records of several lines: a new one begins at every line that record_start matches, or the whole
 * file is one. Lines are joined by newlines; the column is "text". */
static int read_joined(struct data_records *records, const struct reading *r, json_t *rows)
{
    struct base_buffer b = { 0 };
    pcre2_code *regex = NULL;
    pcre2_match_data *data = NULL;
    json_t *row;
    int code, rc = 0, more = 0;
    PCRE2_SIZE offset;
    if (r->start) {
        regex = pcre2_compile((PCRE2_SPTR)r->start, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP,
                              &code, &offset, NULL);
        if (!regex)
            return base_error_set(BASE_E_FORMAT, "record_start: not a regular expression (at %zu)",
                                  (size_t)offset);
        data = pcre2_match_data_create_from_pattern(regex, NULL);
        rc = data ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    }
    bool first = true;
    while (rc == 0 && (more = data_records_next(records, &row)) > 0) {
        const json_t *line = json_object_get(row, "text");
        const char *text = json_string_value(line);
        size_t n = json_string_length(line);
        if (regex && pcre2_match(regex, (PCRE2_SPTR)text, n, 0, 0, data, NULL) >= 0) {
            rc = flush(&b, rows);
            first = true;
        }
        rc = rc || first ? rc : base_buffer_puts(&b, "\n");
        rc = rc ? rc : base_buffer_append(&b, text, n);
        first = false;
        json_decref(row);
    }
    rc = rc ? rc : more;
    rc = rc ? rc : flush(&b, rows);
    base_buffer_free(&b);
    pcre2_match_data_free(data);
    pcre2_code_free(regex);
    return rc;
}

static int read_file(const struct eval_task *t, const char *path, struct reading *r, json_t *rows)
{
    struct data_records *records = NULL;
    json_t *row;
    if (base_starts_with(path, "builtin:"))
        return read_builtin(path, rows);
    struct data_records_options options = r->options;
    const char *loader = get_string(t->config, "dataset_path");
    int rc = data_records_open(&records, path, &options);
    if (rc == BASE_E_ARGUMENT && loader && !strcmp(loader, "json")) {
        options.format = DATA_FORMAT_JSON;
        rc = data_records_open(&records, path, &options);
    }
    if (rc)
        return rc;
    if (r->start || r->whole) {
        rc = read_joined(records, r, rows);
        rc = rc ? base_error_prefix(rc, "%s", path) : 0;
    } else {
        while ((rc = data_records_next(records, &row)) > 0)
            if (json_array_append_new(rows, row)) {
                rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", path);
                break;
            }
    }
    data_records_close(records);
    return rc;
}

/* ---- what the datasets library does to records ---- */

static bool is_missing(const char *s)
{
    static const char *const names[] = { "",         "#N/A", "#N/A N/A", "#NA",    "-1.#IND",
                                         "-1.#QNAN", "-NaN", "-nan",     "1.#IND", "1.#QNAN",
                                         "<NA>",     "N/A",  "NA",       "NULL",   "NaN",
                                         "None",     "n/a",  "nan",      "null" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i], s))
            return true;
    return false;
}

enum column_type { INTEGERS = 1, NUMBERS = 2, FLAGS = 4 };
static unsigned types_of(const char *s)
{
    char *end;
    unsigned types = 0;
    if (!strcasecmp(s, "true") || !strcasecmp(s, "false"))
        return FLAGS;
    if (strspn(s, "+-.0123456789eE") != strlen(s))
        return 0;
    errno = 0;
    strtoll(s, &end, 10);
    types |= *end == 0 && errno == 0 ? INTEGERS : 0;
    strtod(s, &end);
    return types | (*end == 0 ? NUMBERS : 0);
}

static int type_column(json_t *rows, const char *column)
{
    unsigned types = INTEGERS | NUMBERS | FLAGS;
    bool missing = false, any = false;
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *s = json_string_value(json_object_get(row, column));
        if (!s || is_missing(s)) {
            missing = true;
            continue;
        }
        any = true;
        types &= types_of(s);
    }
    if (missing) /* pandas: a column of integers with gaps holds numbers */
        types &= ~(unsigned)INTEGERS;
    json_array_foreach(rows, i, row)
    {
        const char *s = json_string_value(json_object_get(row, column));
        json_t *value = NULL;
        if (!s || is_missing(s))
            value = json_null();
        else if (any && types & INTEGERS)
            value = json_integer(strtoll(s, NULL, 10));
        else if (any && types & NUMBERS)
            value = json_real(strtod(s, NULL));
        else if (any && types & FLAGS)
            value = json_boolean(!strcasecmp(s, "true"));
        else
            continue;
        if (json_object_set_new(row, column, value))
            return base_error_set(BASE_E_MEMORY, "out of memory");
    }
    return 0;
}

static bool same_keys(json_t *a, json_t *b)
{
    void *i = json_object_iter(a), *j = json_object_iter(b);
    for (; i && j; i = json_object_iter_next(a, i), j = json_object_iter_next(b, j))
        if (strcmp(json_object_iter_key(i), json_object_iter_key(j)) != 0)
            return false;
    return !i && !j;
}

/* Every row gets every column, in the order of their first appearance. */
static int unify(json_t *rows, json_t *columns)
{
    size_t i;
    json_t *row, *value;
    const char *key;
    json_array_foreach(rows, i, row)
    {
        if (!json_is_object(row))
            return base_error_set(BASE_E_FORMAT, "record %zu is not an object", i + 1);
        json_object_foreach(row, key, value)
        {
            if (!json_object_get(columns, key) && json_object_set_new(columns, key, json_true()))
                return base_error_set(BASE_E_MEMORY, "out of memory");
        }
    }
    for (i = 0; i < json_array_size(rows); i++) {
        row = json_array_get(rows, i);
        if (same_keys(row, columns))
            continue;
        json_t *full = json_object();
        json_object_foreach(columns, key, value)
        {
            json_t *own = json_object_get(row, key);
            if (json_object_set_new(full, key, own ? json_incref(own) : json_null())) {
                json_decref(full);
                return base_error_set(BASE_E_MEMORY, "out of memory");
            }
        }
        if (json_array_set_new(rows, i, full))
            return base_error_set(BASE_E_MEMORY, "out of memory");
    }
    return 0;
}

/* `where`: {column: value or list of values}. */
static int keep_where(const struct eval_task *t, json_t **rows)
{
    const json_t *where = get(t->config, "where");
    json_t *kept, *row, *wanted;
    const char *key;
    size_t i;
    if (!where)
        return 0;
    if (!json_is_object(where))
        return task_refuse(&t->source, BASE_E_FORMAT, "where", "expected a mapping of columns");
    kept = json_array();
    json_array_foreach(*rows, i, row)
    {
        bool all = true;
        json_object_foreach((json_t *)(uintptr_t)where, key, wanted)
        {
            json_t *value = json_object_get(row, key), *one;
            size_t j;
            bool any = json_equal(value, wanted);
            json_array_foreach(wanted, j, one) any = any || json_equal(value, one);
            all = all && any;
        }
        if (all && json_array_append(kept, row)) {
            json_decref(kept);
            return base_error_set(BASE_E_MEMORY, "out of memory");
        }
    }
    json_decref(*rows);
    *rows = kept;
    return kept ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
}

/* ---- splits ---- */

static int read_split(const struct eval_task *t, const char *split, json_t **out, json_t **columns,
                      char **path)
{
    struct reading r = { 0 };
    json_t *paths = NULL, *rows = json_array(), *names = json_object(), *file;
    char *missing = NULL;
    size_t i;
    int rc = rows && names ? locate(t, split, &paths, &missing)
                           : base_error_set(BASE_E_MEMORY, "out of memory");
    if (rc == 0 && missing)
        rc = base_error_set(BASE_E_IO,
                            "%s: no file %s (also looked for .zst, .gz, .bz2) under %s%s%s or the "
                            "current directory: say --data DIRECTORY",
                            t->name, missing, t->options.data ? t->options.data : "",
                            t->options.data ? ", " : "", t->source.folder);
    rc = rc ? rc : read_kwargs(t, &r);
    json_array_foreach(paths, i, file) rc =
        rc ? rc : read_file(t, json_string_value(file), &r, rows);
    rc = rc ? rc : unify(rows, names);
    const char *first = json_string_value(json_array_get(paths, 0));
    bool csv = r.options.format == DATA_FORMAT_CSV;
    if (rc == 0 && first && r.options.format == DATA_FORMAT_AUTO)
        csv = strstr(base_path_name(first), ".csv") || strstr(base_path_name(first), ".tsv");
    const char *key;
    json_t *value;
    if (csv)
        json_object_foreach(names, key, value) rc = rc ? rc : type_column(rows, key);
    rc = rc ? rc : keep_where(t, &rows);
    if (rc == 0 && json_array_size(rows) == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: split %s holds no documents (%s)", t->name, split,
                            first ? first : "no file");
    if (rc == 0 && path && !(*path = base_strdup(first)))
        rc = BASE_E_MEMORY;
    if (rc) {
        json_decref(rows);
        json_decref(names);
    } else {
        *out = rows;
        if (columns)
            *columns = names;
        else
            json_decref(names);
    }
    base_free(r.start);
    base_free(missing);
    json_decref(paths);
    return rc;
}

/* The pool of examples, by lm-eval's order: fewshot split, given samples, training, validation,
 * test. */
static int load_shots(struct eval_task *t, const char *evaluated)
{
    const json_t *c = t->config, *config = get(c, "fewshot_config");
    const char *split = get_string(config, "split"), *test = get_string(c, "test_split");
    split = split ? split : get_string(c, "fewshot_split");
    t->shot_excludes_item = split && test ? !strcmp(split, test) : !split && !test;
    json_t *samples = get(config, "samples");
    if (!split && samples) {
        t->shot_docs = json_incref(samples);
        return 0;
    }
    split = split ? split : get_string(c, "training_split");
    split = split ? split : get_string(c, "validation_split");
    split = split ? split : evaluated;
    if (!strcmp(split, evaluated)) {
        t->shot_docs = json_incref(t->docs);
        return 0;
    }
    return read_split(t, split, &t->shot_docs, NULL, NULL);
}

/* fewshot_indices: the pool is those documents, in that order; from the end when negative. */
static int choose_shots(struct eval_task *t)
{
    const json_t *indices = get(get(t->config, "fewshot_config"), "fewshot_indices"), *one;
    json_int_t n = (json_int_t)json_array_size(t->shot_docs);
    size_t i;
    if (json_array_size(indices) == 0)
        return 0;
    json_t *chosen = json_array();
    if (!chosen)
        return base_error_set(BASE_E_MEMORY, "out of memory");
    json_array_foreach((json_t *)(uintptr_t)indices, i, one)
    {
        json_int_t at = json_integer_value(one);
        at += at < 0 ? n : 0;
        if (at < 0 || at >= n ||
            json_array_append(chosen, json_array_get(t->shot_docs, (size_t)at))) {
            json_decref(chosen);
            return task_refuse(&t->source, BASE_E_FORMAT, "fewshot_indices",
                               "there is no document %lld: the split has %lld",
                               (long long)json_integer_value(one), (long long)n);
        }
    }
    json_decref(t->shot_docs);
    t->shot_docs = chosen;
    return 0;
}

static void bind(struct task_field *f, const json_t *columns)
{
    f->column = json_is_string(f->given) && json_object_get(columns, json_string_value(f->given));
}

int task_data_load(struct eval_task *t)
{
    const char *split = evaluated_split(t);
    if (!split)
        return task_refuse(&t->source, BASE_E_FORMAT, NULL,
                           "neither test_split nor validation_split is given");
    int rc = read_split(t, split, &t->docs, &t->columns, &t->data_path);
    if (rc == 0 && t->shots > 0)
        rc = load_shots(t, split);
    if (rc == 0 && t->shots > 0)
        rc = choose_shots(t);
    return rc ? rc : task_data_bind(t);
}

int task_data_bind(struct eval_task *t)
{
    int rc = 0;
    struct task_form *forms[2] = { &t->form, &t->shot_form };
    for (int i = 0; i < 2; i++) {
        bind(&forms[i]->text, t->columns);
        bind(&forms[i]->target, t->columns);
        bind(&forms[i]->choice, t->columns);
        bind(&forms[i]->gen_prefix, t->columns);
    }
    struct task_field *others[4] = { &t->description, &t->cluster, &t->category, &t->denominator };
    for (int i = 0; i < 4; i++)
        bind(others[i], t->columns);
    /* As lm-eval: the first document shows what kind the task is. */
    json_t *doc = json_array_get(t->docs, 0), *text = NULL, *target = NULL;
    if (task_field_set(&t->form.choice) && task_field_set(&t->form.text)) {
        rc = task_doc_text(t, &t->form, doc, &text);
        t->multiple_input = rc == 0 && json_is_integer(text);
    }
    rc = rc ? rc : task_doc_target(t, &t->form, doc, &target);
    t->multiple_target = rc == 0 && json_is_array(target);
    json_decref(text);
    json_decref(target);
    return rc ? base_error_prefix(rc, "document 0") : 0;
}
