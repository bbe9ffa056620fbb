/* The trie of token sequences; see trie.h. Keys are sorted, then inserted in that order: the path
 * of the last key is a stack, and a new key leaves it at the length of the prefix that both share.
 */
#include "eval/trie.h"
#include "base/memory.h"
#include <stdlib.h>

static size_t common_prefix(const struct eval_trie_key *a, const struct eval_trie_key *b)
{
    size_t n = a->count < b->count ? a->count : b->count, i = 0;
    while (i < n && a->ids[i] == b->ids[i])
        i++;
    return i;
}

static int compare(const void *x, const void *y, void *context)
{
    const struct eval_trie_key *keys = context;
    size_t i = *(const size_t *)x, j = *(const size_t *)y;
    const struct eval_trie_key *a = &keys[i], *b = &keys[j];
    size_t n = common_prefix(a, b);
    if (n < a->count && n < b->count)
        return a->ids[n] < b->ids[n] ? -1 : 1;
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    return i < j ? -1 : i > j;
}

/* Appends node `child` to the children of `parent` (NONE: the roots). */
static void adopt(struct eval_trie *t, size_t parent, size_t child)
{
    size_t *first = parent == EVAL_TRIE_NONE ? &t->first_root : &t->nodes[parent].first_child;
    size_t *last = parent == EVAL_TRIE_NONE ? &t->last_root : &t->nodes[parent].last_child;
    if (*first == EVAL_TRIE_NONE)
        *first = child;
    else
        t->nodes[*last].next = child;
    *last = child;
}

int eval_trie_build(struct eval_trie *out, const struct eval_trie_key *keys, size_t n)
{
    *out = (struct eval_trie){ .first_root = EVAL_TRIE_NONE, .last_root = EVAL_TRIE_NONE };
    size_t *path = base_alloc(n ? n : 1, sizeof *path), depth = 0;
    out->order = base_alloc(n ? n : 1, sizeof *out->order);
    out->nodes = base_alloc(n ? n : 1, 2 * sizeof *out->nodes);
    if (!path || !out->order || !out->nodes) {
        base_free(path);
        eval_trie_free(out);
        return BASE_E_MEMORY;
    }
    for (size_t i = 0; i < n; i++)
        out->order[i] = i;
    qsort_r(out->order, n, sizeof *out->order, compare, (void *)(uintptr_t)keys);
    for (size_t i = 0; i < n; i++) {
        const struct eval_trie_key *key = &keys[out->order[i]];
        size_t shared = i ? common_prefix(&keys[out->order[i - 1]], key) : 0;
        while (depth > 0 && out->nodes[path[depth - 1]].begin >= shared)
            out->nodes[path[--depth]].hi = i;
        struct eval_trie_node *top = depth ? &out->nodes[path[depth - 1]] : NULL;
        if (top && top->end > shared) { /* the key leaves in its middle: a lower half splits off */
            struct eval_trie_node *lower = &out->nodes[out->count];
            *lower = *top;
            lower->begin = top->end = shared;
            lower->hi = i;
            lower->next = EVAL_TRIE_NONE;
            top->first_child = top->last_child = out->count++;
        }
        if (key->count > shared) {
            size_t fresh = out->count++;
            out->nodes[fresh] = (struct eval_trie_node){ .begin = shared,
                                                         .end = key->count,
                                                         .lo = i,
                                                         .first_child = EVAL_TRIE_NONE,
                                                         .last_child = EVAL_TRIE_NONE,
                                                         .next = EVAL_TRIE_NONE };
            adopt(out, depth ? path[depth - 1] : EVAL_TRIE_NONE, fresh);
            path[depth++] = fresh;
        }
    }
    while (depth > 0)
        out->nodes[path[--depth]].hi = n;
    base_free(path);
    return 0;
}

void eval_trie_free(struct eval_trie *t)
{
    base_free(t->nodes);
    base_free(t->order);
    *t = (struct eval_trie){ .first_root = EVAL_TRIE_NONE, .last_root = EVAL_TRIE_NONE };
}
