/* The gradient of an embedding that is also the head.
 *
 * It has two sources: the head's product over all tokens, H, and the looked-up rows, E. Backward
 * reaches them at different times (H first, E when a group of rows has come down to the input), so
 * a single running sum would depend on how rows were grouped or split into calls. Each is therefore
 * a chain of its own over the tokens in order, and between calls
 *
 *   gradient[id] = H[id] + E[id]   for ids that were looked up since model_gradients_zero
 *   gradient[id] = H[id]           for the others
 *
 * H and E are kept apart for the looked-up ids only: a few thousand rows of the vocabulary. */
#include "base/memory.h"
#include "model/internal.h"
#include <string.h>

static size_t row_bytes(const struct model_slot *table)
{
    return table->columns * sizeof(real);
}

void model_tied_begin(struct model *m)
{
    struct model_slot *table = model_slot(m, MODEL_EMBED, 0, false);
    const struct model_tied *t = &m->tied;
    for (size_t i = 0; i < t->count; i++)
        memcpy(table->gradient + (size_t)t->ids[i] * table->columns, t->head + i * table->columns,
               row_bytes(table));
}

/* Room for `more` further ids. What is there stays valid when memory is out. */
static int grow(struct model_tied *t, const struct model_slot *table, size_t more)
{
    if (!t->place) {
        t->place = base_alloc(table->rows, sizeof *t->place);
        if (!t->place)
            return BASE_E_MEMORY;
        memset(t->place, 0xff, table->rows * sizeof *t->place);
    }
    size_t need = t->count + more;
    if (need <= t->capacity)
        return 0;
    if (need < 2 * t->capacity)
        need = 2 * t->capacity;
    if (need > table->rows)
        need = table->rows;
    int32_t *ids = base_realloc(t->ids, need, sizeof *ids);
    if (!ids)
        return BASE_E_MEMORY;
    t->ids = ids;
    real *head = base_realloc(t->head, need, row_bytes(table));
    if (!head)
        return BASE_E_MEMORY;
    t->head = head;
    real *lookup = base_realloc(t->lookup, need, row_bytes(table));
    if (!lookup)
        return BASE_E_MEMORY;
    t->lookup = lookup;
    t->capacity = need;
    return 0;
}

int model_tied_lookup(struct model *m, const real *dy, const int32_t *ids, int32_t *places,
                      size_t n, double scale)
{
    struct model_slot *table = model_slot(m, MODEL_EMBED, 0, false);
    struct model_tied *t = &m->tied;
    const size_t most = table->rows - t->count; /* ids that can still be new */
    const int rc = grow(t, table, n < most ? n : most);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++) {
        int32_t *place = &t->place[ids[i]];
        if (*place < 0) {
            memset(t->lookup + t->count * table->columns, 0, row_bytes(table));
            t->ids[t->count] = ids[i];
            *place = (int32_t)t->count++;
        }
        places[i] = *place;
    }
    tensor_embed_gradient(t->lookup, dy, places, n, table->columns, scale);
    return 0;
}

void model_tied_end(struct model *m)
{
    struct model_slot *table = model_slot(m, MODEL_EMBED, 0, false);
    struct model_tied *t = &m->tied;
    for (size_t i = 0; i < t->count; i++) {
        real *row = table->gradient + (size_t)t->ids[i] * table->columns;
        memcpy(t->head + i * table->columns, row, row_bytes(table));
        tensor_add(row, row, t->lookup + i * table->columns, table->columns);
    }
}

void model_tied_forget(struct model *m)
{
    struct model_tied *t = &m->tied;
    for (size_t i = 0; i < t->count; i++)
        t->place[t->ids[i]] = -1;
    t->count = 0;
}

void model_tied_free(struct model *m)
{
    base_free(m->tied.place);
    base_free(m->tied.ids);
    base_free(m->tied.head);
    base_free(m->tied.lookup);
    m->tied = (struct model_tied){ 0 };
}
