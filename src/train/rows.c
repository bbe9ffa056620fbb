/* Documents -> rows: the order of documents and rows in an epoch, and where each row begins and
 * ends.
 *
 * Everything here is a pure function of (documents, settings, seed, epoch): a data cursor is the
 * pair (epoch, row), and resuming plans the same epoch again. Orders are Fisher-Yates permutations
 * drawn from the streams (seed, SHUFFLE, 2 epoch) for documents and 2 epoch + 1 for rows. Rows are
 * permuted too: otherwise the pieces of a long document would follow each other within a batch. */
#include "train/data.h"
#include "base/memory.h"
#include "base/rng.h"
#include <string.h>

int train_rows_new(struct train_rows **out, const struct train_documents *documents, size_t length,
                   enum train_packing packing, bool mask, bool shuffle, uint64_t seed)
{
    *out = NULL;
    struct train_rows *r = base_alloc_zero(1, sizeof *r);
    if (!r)
        return BASE_E_MEMORY;
    *r = (struct train_rows){ .documents = documents,
                              .length = length,
                              .packing = packing,
                              .mask = mask,
                              .shuffle = shuffle,
                              .seed = seed,
                              .epoch = UINT64_MAX };
    r->order = base_alloc(documents->count, sizeof *r->order);
    if (!r->order) {
        train_rows_free(r);
        return BASE_E_MEMORY;
    }
    *out = r;
    return 0;
}
void train_rows_free(struct train_rows *r)
{
    if (!r)
        return;
    base_free(r->order);
    base_free(r->rows);
    base_free(r->row_order);
    base_free(r);
}
static void permute(size_t *at, size_t n, bool shuffle, uint64_t seed, uint64_t item)
{
    for (size_t i = 0; i < n; i++)
        at[i] = i;
    struct base_rng rng = base_rng_make(seed, BASE_RNG_SHUFFLE, item);
    for (size_t i = n; shuffle && i > 1; i--) {
        size_t j = (size_t)base_rng_below(&rng, i), t = at[i - 1];
        at[i - 1] = at[j];
        at[j] = t;
    }
}
/* Places of the i-th document in order: see the header. The last document has nobody after it. */
static size_t places(const struct train_rows *r, size_t i)
{
    const uint64_t *from = r->documents->from + r->order[i];
    size_t n = (size_t)(from[1] - from[0]);
    bool last = r->mask || r->packing == TRAIN_PACK_NONE || i + 1 == r->documents->count;
    return n - last;
}
static int row_add(struct train_rows *r, size_t document, size_t offset)
{
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 256;
        struct train_place *more = base_realloc(r->rows, capacity, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        r->rows = more;
        r->capacity = capacity;
    }
    r->rows[r->count++] = (struct train_place){ .document = document, .offset = offset };
    return 0;
}
int train_rows_plan(struct train_rows *r, uint64_t epoch)
{
    if (r->epoch == epoch)
        return 0;
    r->epoch = UINT64_MAX; /* until the plan is whole */
    r->count = 0;
    permute(r->order, r->documents->count, r->shuffle, r->seed, 2 * epoch);
    size_t room = 0; /* places left in the current row */
    for (size_t i = 0; i < r->documents->count; i++) {
        size_t n = places(r, i), offset = 0;
        if (r->packing == TRAIN_PACK_NONE || (r->packing == TRAIN_PACK_WHOLE && n > room))
            room = 0;
        while (offset < n) {
            if (!room) {
                if (row_add(r, i, offset))
                    return BASE_E_MEMORY;
                room = r->length;
            }
            size_t used = n - offset < room ? n - offset : room;
            r->rows[r->count - 1].places += used;
            offset += used;
            room -= used;
        }
    }
    size_t *order = base_realloc(r->row_order, r->count, sizeof *order);
    if (!order)
        return BASE_E_MEMORY;
    r->row_order = order;
    permute(order, r->count, r->shuffle, r->seed, 2 * epoch + 1);
    r->epoch = epoch;
    return 0;
}
size_t train_rows_fill(const struct train_rows *r, size_t i, int32_t *ids, int32_t *targets,
                       bool *document_start)
{
    const struct train_documents *d = r->documents;
    const struct train_place *row = &r->rows[r->row_order[i]];
    size_t document = row->document, offset = row->offset, n = places(r, document);
    for (size_t k = 0; k < row->places; k++) {
        /* documents of no places do not occur: each has two tokens or more */
        if (offset == n) {
            document++;
            offset = 0;
            n = places(r, document);
        }
        const uint64_t *from = d->from + r->order[document];
        size_t tokens = (size_t)(from[1] - from[0]);
        ids[k] = d->ids[from[0] + offset];
        targets[k] = offset + 1 < tokens ? d->ids[from[0] + offset + 1]
                                         : d->ids[d->from[r->order[document + 1]]];
        document_start[k] = k == 0 || (r->mask && offset == 0);
        offset++;
    }
    return row->places;
}
