/* Chosen columns of a file in memory; see columns.h. */
#include "sampling/columns.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

int sampling_columns_open(struct sampling_columns *c, const char *path,
                          const struct data_table_options *options)
{
    *c = (struct sampling_columns){ 0 };
    return data_table_open(&c->table, path, options);
}

bool sampling_columns_has(const struct sampling_columns *c, const char *name)
{
    for (size_t i = 0; i < data_table_columns(c->table); i++)
        if (strcmp(data_table_column(c->table, i), name) == 0)
            return true;
    return false;
}

/* Parts of "A*B"; a column that has that whole name goes first. */
static int find_parts(struct sampling_columns *c, const char *name, struct sampling_column *out)
{
    if (!out->category || !strchr(name, '*') || sampling_columns_has(c, name)) {
        out->parts = 1;
        return data_table_find(c->table, name, &out->part[0]);
    }
    int rc = 0;
    while (rc == 0) {
        const char *star = strchr(name, '*');
        size_t length = star ? (size_t)(star - name) : strlen(name);
        if (out->parts == SAMPLING_COLUMN_PARTS)
            return base_error_set(BASE_E_LIMIT, "at most %d columns can be crossed",
                                  SAMPLING_COLUMN_PARTS);
        char *one = base_strndup(name, length);
        rc = one ? data_table_find(c->table, one, &out->part[out->parts++]) : BASE_E_MEMORY;
        base_free(one);
        if (!star)
            break;
        name = star + 1;
    }
    return rc;
}

int sampling_columns_want(struct sampling_columns *c, const char *name, bool category,
                          size_t *index)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->column[i].category == category && strcmp(c->column[i].name, name) == 0) {
            *index = i;
            return 0;
        }
    struct sampling_column *grown = base_realloc(c->column, c->n + 1, sizeof *grown);
    if (!grown)
        return BASE_E_MEMORY;
    c->column = grown;
    struct sampling_column *k = &c->column[c->n];
    *k = (struct sampling_column){ .category = category };
    int rc = find_parts(c, name, k);
    if (rc == 0 && !(k->name = base_strdup(name)))
        rc = BASE_E_MEMORY;
    if (rc == 0 && category)
        rc = base_table_new(&k->index, 64);
    if (rc) {
        base_free(k->name);
        return rc;
    }
    *index = c->n++;
    return 0;
}

static int grow(struct sampling_columns *c)
{
    size_t more = c->capacity ? c->capacity * 2 : 1024;
    for (size_t i = 0; i < c->n; i++) {
        struct sampling_column *k = &c->column[i];
        void *p = k->category ? base_realloc(k->code, more, sizeof *k->code)
                              : base_realloc(k->number, more, sizeof *k->number);
        if (!p)
            return BASE_E_MEMORY;
        if (k->category)
            k->code = p;
        else
            k->number = p;
    }
    if (c->judge) {
        uint8_t *p = base_realloc(c->keep, more, 1);
        if (!p)
            return BASE_E_MEMORY;
        c->keep = p;
    }
    c->capacity = more;
    return 0;
}

static int add_level(struct sampling_column *k, struct data_cell key, uint32_t *code)
{
    if (k->n_levels == k->levels_capacity) {
        size_t more = k->levels_capacity ? k->levels_capacity * 2 : 16;
        char **p = base_realloc(k->levels, more, sizeof *p);
        if (!p)
            return BASE_E_MEMORY;
        k->levels = p;
        k->levels_capacity = more;
    }
    if (k->n_levels >= UINT32_MAX - 1)
        return base_error_set(BASE_E_LIMIT, "column %s has too many values", k->name);
    char *level = base_strndup(key.bytes, key.length);
    if (!level)
        return BASE_E_MEMORY;
    int rc = base_table_put(k->index, key.bytes, key.length, (int64_t)k->n_levels);
    if (rc) {
        base_free(level);
        return rc;
    }
    *code = (uint32_t)k->n_levels;
    k->levels[k->n_levels++] = level;
    return 0;
}

bool sampling_name_ambiguous(const char *name, size_t n, size_t parts)
{
    size_t places = 0;
    for (size_t i = 0; i + 3 <= n; i++)
        places += memcmp(name + i, " / ", 3) == 0;
    return places >= parts;
}

/* Two sets of values with one name would be counted as one: the second is refused. What an
 * ambiguous name stands for is kept in the index too, divided by a byte that names do not hold. */
static int check_name(struct sampling_columns *c, struct sampling_column *k,
                      const struct data_cell *cells, struct data_cell name, bool known)
{
    struct base_buffer values = { 0 };
    int rc = 0;
    for (size_t i = 0; i < k->parts && !rc; i++) {
        rc = base_buffer_append(&values, "\x1f", 1);
        if (!rc)
            rc = base_buffer_append(&values, cells[k->part[i]].bytes, cells[k->part[i]].length);
    }
    if (!rc && !base_table_get(k->index, values.data, values.length))
        rc = known ? base_error_set(BASE_E_FORMAT,
                                    "%s: column %s: two sets of values have the name \"%.*s\": "
                                    "write \" / \" in the values otherwise",
                                    data_table_place(c->table), k->name,
                                    name.length > 60 ? 60 : (int)name.length, name.bytes)
                   : base_table_put(k->index, values.data, values.length, 0);
    base_buffer_free(&values);
    return rc;
}

static int read_cell(struct sampling_columns *c, struct sampling_column *k,
                     const struct data_cell *cells, struct base_buffer *joined)
{
    struct data_cell key = cells[k->part[0]];
    bool missing = false;
    for (size_t i = 0; i < k->parts; i++)
        missing |= data_cell_missing(cells[k->part[i]]);
    if (missing && k->missing++ == 0 &&
        !(k->missing_place = base_strdup(data_table_place(c->table))))
        return BASE_E_MEMORY;
    if (!k->category) {
        double x = NAN;
        if (!missing && !data_cell_number(key, &x)) {
            int shown = key.length > 40 ? 40 : (int)key.length;
            return base_error_set(BASE_E_FORMAT,
                                  "%s: column %s: \"%.*s\" is not a number (is it a category?)",
                                  data_table_place(c->table), k->name, shown, key.bytes);
        }
        k->number[c->rows] = x;
        return 0;
    }
    if (missing) {
        k->code[c->rows] = UINT32_MAX;
        return 0;
    }
    if (k->parts > 1) {
        base_buffer_clear(joined);
        int rc = 0;
        for (size_t i = 0; rc == 0 && i < k->parts; i++) {
            rc = i ? base_buffer_puts(joined, " / ") : 0;
            if (rc == 0)
                rc = base_buffer_append(joined, cells[k->part[i]].bytes, cells[k->part[i]].length);
        }
        if (rc)
            return rc;
        key = (struct data_cell){ joined->data, joined->length };
    }
    const int64_t *known = base_table_get(k->index, key.bytes, key.length);
    if (k->parts > 1 && sampling_name_ambiguous(key.bytes, key.length, k->parts)) {
        int rc = check_name(c, k, cells, key, known != NULL);
        if (rc)
            return rc;
        known = base_table_get(k->index, key.bytes, key.length); /* the table may have grown */
    }
    if (known) {
        k->code[c->rows] = (uint32_t)*known;
        return 0;
    }
    if (memchr(key.bytes, 0, key.length)) /* names end there: two values would look the same */
        return base_error_set(BASE_E_FORMAT, "%s: column %s: the value holds a NUL",
                              data_table_place(c->table), k->name);
    return add_level(k, key, &k->code[c->rows]);
}

int sampling_columns_read(struct sampling_columns *c)
{
    struct base_buffer joined = { 0 };
    const struct data_cell *cells;
    int rc;
    while ((rc = data_table_next(c->table, &cells)) > 0) {
        if ((c->rows & 0xffff) == 0 && base_interrupted()) {
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
            break;
        }
        if (c->rows == c->capacity && (rc = grow(c)))
            break;
        if (c->judge) {
            rc = c->judge(c->context, c->table, cells);
            if (rc < 0)
                break;
            c->keep[c->rows] = (uint8_t)rc;
        }
        rc = 0;
        for (size_t i = 0; rc == 0 && i < c->n; i++)
            rc = read_cell(c, &c->column[i], cells, &joined);
        if (rc)
            break;
        c->rows++;
    }
    base_buffer_free(&joined);
    return rc;
}

int sampling_columns_step(struct sampling_columns *c)
{
    struct base_buffer joined = { 0 };
    const struct data_cell *cells;
    int rc = c->capacity ? 0 : grow(c);
    if (rc == 0)
        rc = data_table_next(c->table, &cells);
    if (rc > 0) {
        c->rows = 0;
        for (size_t i = 0; rc > 0 && i < c->n; i++) {
            int cell = read_cell(c, &c->column[i], cells, &joined);
            rc = cell ? cell : 1;
        }
    }
    base_buffer_free(&joined);
    return rc;
}

int sampling_columns_complete(const struct sampling_columns *c, size_t index, const char *what)
{
    const struct sampling_column *k = &c->column[index];
    if (k->missing == 0)
        return 0;
    return base_error_set(BASE_E_FORMAT, "%s: column %s, %s, has no value here (%llu row%s in all)",
                          k->missing_place, k->name, what, (unsigned long long)k->missing,
                          k->missing == 1 ? "" : "s");
}

void sampling_columns_close(struct sampling_columns *c)
{
    data_table_close(c->table);
    for (size_t i = 0; i < c->n; i++) {
        struct sampling_column *k = &c->column[i];
        for (size_t l = 0; l < k->n_levels; l++)
            base_free(k->levels[l]);
        base_free(k->levels);
        base_free(k->name);
        base_free(k->number);
        base_free(k->code);
        base_free(k->missing_place);
        base_table_free(k->index);
    }
    base_free(c->column);
    base_free(c->keep);
    *c = (struct sampling_columns){ 0 };
}
