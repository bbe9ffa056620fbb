/* Chosen columns of a whole table in memory: numbers, categories as codes, text.
 *
 * Memory per row: 8 bytes a number, 4 a category, 8 plus the text's length. Strings lie in blocks
 * that never move, so that pointers into them are handed out while the table is still read. */
#include "base/hash.h"
#include "base/memory.h"
#include <assay/data.h>
#include <math.h>
#include <string.h>

#define ARENA_BLOCK 65536

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    char bytes[];
};
/* A column while it grows. */
struct growing {
    size_t index;             /* column of the table */
    struct base_table *codes; /* category -> code */
    size_t levels_capacity;
};
struct frame_memory {
    struct arena_block *blocks;
};

static char *arena_text(struct frame_memory *m, struct data_cell cell)
{
    size_t need;
    if (base_add_size(cell.length, 1, &need))
        return NULL;
    struct arena_block *b = m->blocks;
    if (!b || b->size - b->used < need) {
        size_t size = need > ARENA_BLOCK ? need : ARENA_BLOCK, bytes;
        if (base_add_size(size, sizeof *b, &bytes) || !(b = base_alloc(bytes, 1)))
            return NULL;
        *b = (struct arena_block){ m->blocks, 0, size };
        m->blocks = b;
    }
    char *to = b->bytes + b->used;
    memcpy(to, cell.bytes, cell.length);
    to[cell.length] = 0;
    b->used += need;
    return to;
}

static int grow(struct data_column *c, enum data_kind kind, size_t capacity)
{
    void *p = kind == DATA_NUMBER     ? base_realloc(c->number, capacity, sizeof *c->number)
              : kind == DATA_CATEGORY ? base_realloc(c->code, capacity, sizeof *c->code)
                                      : base_realloc(c->text, capacity, sizeof *c->text);
    if (!p)
        return BASE_E_MEMORY;
    if (kind == DATA_NUMBER)
        c->number = p;
    else if (kind == DATA_CATEGORY)
        c->code = p;
    else
        c->text = p;
    return 0;
}

static int add_category(struct data_column *c, struct growing *g, struct frame_memory *m,
                        struct data_cell cell, uint32_t *code)
{
    const int64_t *known = base_table_get(g->codes, cell.bytes, cell.length);
    if (known) {
        *code = (uint32_t)*known;
        return 0;
    }
    if (c->n_levels == UINT32_MAX - 1)
        return base_error_set(BASE_E_LIMIT, "column %s has more than %u different values", c->name,
                              UINT32_MAX - 1);
    if (c->n_levels == g->levels_capacity) {
        size_t more = g->levels_capacity ? g->levels_capacity * 2 : 16;
        char **grown = base_realloc(c->levels, more, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        c->levels = grown;
        g->levels_capacity = more;
    }
    int rc = base_table_put(g->codes, cell.bytes, cell.length, (int64_t)c->n_levels);
    if (rc)
        return rc;
    if (!(c->levels[c->n_levels] = arena_text(m, cell)))
        return BASE_E_MEMORY;
    *code = (uint32_t)c->n_levels++;
    return 0;
}

static int add_cell(struct data_column *c, struct growing *g, struct frame_memory *m,
                    const struct data_table *t, enum data_kind kind, size_t row,
                    struct data_cell cell)
{
    bool missing = data_cell_missing(cell);
    c->missing += missing;
    if (kind == DATA_NUMBER) {
        c->number[row] = NAN;
        if (!missing && !data_cell_number(cell, &c->number[row]))
            return base_error_set(BASE_E_FORMAT, "%s: column %s: expected a number, got \"%.*s\"%s",
                                  data_table_place(t), c->name,
                                  (int)(cell.length < 60 ? cell.length : 60), cell.bytes,
                                  cell.length < 60 ? "" : "...");
    } else if (kind == DATA_CATEGORY) {
        c->code[row] = UINT32_MAX;
        if (!missing)
            return add_category(c, g, m, cell, &c->code[row]);
    } else {
        c->text[row] = NULL;
        if (!missing && !(c->text[row] = arena_text(m, cell)))
            return BASE_E_MEMORY;
    }
    return 0;
}

int data_frame_read(struct data_frame *out, const char *path,
                    const struct data_table_options *options, const struct data_column_want *want,
                    size_t n)
{
    *out = (struct data_frame){ 0 };
    struct data_frame f = { .n = n };
    struct data_table *t = NULL;
    struct growing *g = NULL;
    struct frame_memory *m = base_alloc_zero(1, sizeof *m);
    const struct data_cell *cells;
    size_t capacity = 0;
    int rc = BASE_E_MEMORY;
    f.memory = m;
    if (!m || !(g = base_alloc_zero(n + 1, sizeof *g)) ||
        !(f.column = base_alloc_zero(n + 1, sizeof *f.column)) ||
        (rc = data_table_open(&t, path, options)))
        goto out;
    rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        if ((rc = data_table_find(t, want[i].name, &g[i].index)))
            goto out;
        struct data_cell name = { data_table_column(t, g[i].index), 0 };
        name.length = strlen(name.bytes);
        if (!(f.column[i].name = arena_text(m, name)))
            rc = BASE_E_MEMORY;
        if (!rc && want[i].kind == DATA_CATEGORY)
            rc = base_table_new(&g[i].codes, 16);
    }
    if (rc)
        goto out;
    while ((rc = data_table_next(t, &cells)) == 1) {
        if (f.rows == capacity) {
            capacity = capacity ? capacity + capacity / 2 : 1024;
            for (size_t i = 0; i < n; i++)
                if ((rc = grow(&f.column[i], want[i].kind, capacity)))
                    goto out;
        }
        for (size_t i = 0; i < n; i++)
            if ((rc = add_cell(&f.column[i], &g[i], m, t, want[i].kind, f.rows, cells[g[i].index])))
                goto out;
        f.rows++;
        if (f.rows % 65536 == 0 && base_interrupted()) {
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
            goto out;
        }
    }
    for (size_t i = 0; i < n && !rc; i++) /* asked for means not NULL, even without rows */
        if (f.rows == 0)
            rc = grow(&f.column[i], want[i].kind, 1);
out:
    for (size_t i = 0; g && i < n; i++)
        base_table_free(g[i].codes);
    base_free(g);
    data_table_close(t);
    if (rc)
        data_frame_free(&f);
    else
        *out = f;
    return rc;
}

void data_frame_free(struct data_frame *f)
{
    struct frame_memory *m = f->memory;
    for (size_t i = 0; f->column && i < f->n; i++) {
        base_free(f->column[i].number);
        base_free(f->column[i].code);
        base_free(f->column[i].levels);
        base_free(f->column[i].text);
    }
    base_free(f->column);
    while (m && m->blocks) {
        struct arena_block *next = m->blocks->next;
        base_free(m->blocks);
        m->blocks = next;
    }
    base_free(m);
    *f = (struct data_frame){ 0 };
}
