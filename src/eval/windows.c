/* How a long text is cut for perplexity. Three conventions are in use and give different figures on
 * the same model and text; all three are here by the names of who uses them (eval.h has the
 * definitions).
 *
 * Coordinates: ids[0] is the prefix token, ids[1..length] the text. */
#include "base/memory.h"
#include <assay/eval.h>

struct list {
    struct eval_window *at;
    size_t count, capacity;
};

static int append(struct list *l, struct eval_window w)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity * 2 + 8;
        struct eval_window *more = base_realloc(l->at, capacity, sizeof *more);
        if (!more) {
            base_free(l->at);
            *l = (struct list){ 0 };
            return BASE_E_MEMORY;
        }
        l->at = more;
        l->capacity = capacity;
    }
    l->at[l->count++] = w;
    return 0;
}

static int give(struct list *l, struct eval_window **out, size_t *n)
{
    *out = l->at;
    *n = l->count;
    return 0;
}

int eval_windows_rolling(size_t length, size_t max, size_t context, struct eval_window **out,
                         size_t *n)
{
    struct list l = { 0 };
    *out = NULL;
    *n = 0;
    if (max == 0 || context == 0 || context > max)
        return base_error_set(BASE_E_ARGUMENT,
                              "rolling windows: the context (%zu) must lie within 1 and the window "
                              "(%zu)",
                              context, max);
    size_t step = max - context + 1;
    for (size_t done = 0; done < length;) {
        size_t predict = done == 0 ? max : step;
        if (predict > length - done)
            predict = length - done;
        size_t end = done + predict; /* the last target's index in ids */
        size_t first = end > max ? end - max : 0;
        struct eval_window w = { .first = first, .count = end - first, .to = end - first };
        w.from = w.to - predict;
        if (append(&l, w))
            return BASE_E_MEMORY;
        done = end;
    }
    return give(&l, out, n);
}

int eval_windows_strided(size_t length, size_t begin, size_t max, size_t stride,
                         struct eval_window **out, size_t *n)
{
    struct list l = { 0 };
    *out = NULL;
    *n = 0;
    if (max < 2 || stride == 0 || stride > max)
        return base_error_set(BASE_E_ARGUMENT,
                              "strided windows: the stride (%zu) must lie within 1 and the window "
                              "(%zu), the window be 2 or more",
                              stride, max);
    size_t stop = length + 1;
    for (size_t first = begin, reached = begin; first < stop; first += stride) {
        size_t end = stop - first > max ? first + max : stop;
        /* targets reached .. end-1, of which the window's own first token has nothing before it */
        size_t target = reached > first ? reached : first + 1;
        struct eval_window w = { .first = first, .count = end - first };
        w.from = target - 1 - first;
        w.to = end - 1 - first;
        if (w.to > w.from && append(&l, w))
            return BASE_E_MEMORY;
        reached = end;
        if (end == stop)
            break;
    }
    return give(&l, out, n);
}

int eval_windows_chunked(size_t length, size_t begin, size_t size, struct eval_window **out,
                         size_t *n)
{
    struct list l = { 0 };
    *out = NULL;
    *n = 0;
    if (size < 4)
        return base_error_set(BASE_E_ARGUMENT, "chunks must be 4 tokens or more, not %zu", size);
    for (size_t first = begin; length + 1 - first >= size; first += size) {
        struct eval_window w = { .first = first, .count = size, .from = size / 2, .to = size - 1 };
        if (append(&l, w))
            return BASE_E_MEMORY;
    }
    return give(&l, out, n);
}
