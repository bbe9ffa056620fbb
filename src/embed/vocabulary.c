/* The vocabulary of a set of documents; see vocabulary.h.
 *
 * Thinning (word2vec.c, gensim): a token of a word with c of N tokens stays with probability
 *     min(1, (sqrt(c / (s N)) + 1) s N / c),  s = sample.
 * Noise: word i with probability count_i^exponent / sum. */
#include "embed/vocabulary.h"
#include "base/memory.h"
#include "embed/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    uint64_t count;
    uint32_t type;
};
/* Falling counts; equal ones in order of first appearance. */
static int by_count(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return (x->type > y->type) - (x->type < y->type);
}

static int make_words(struct embed_vocabulary *v, const struct embed_corpus *c,
                      const uint64_t *pick, uint64_t n_pick, uint64_t min_count)
{
    uint64_t *count = base_alloc_zero(c->types + 1, sizeof *count);
    struct entry *entry = NULL;
    int rc = BASE_E_MEMORY;
    if (!count)
        goto out;
    if (!pick)
        n_pick = c->documents;
    for (uint64_t i = 0; i < n_pick; i++) {
        const uint64_t d = pick ? pick[i] : i;
        for (uint64_t k = c->start[d]; k < c->start[d + 1]; k++)
            count[c->token[k]]++;
    }
    uint64_t most = 0;
    for (size_t i = 0; i < c->types; i++) {
        v->n += count[i] >= min_count && count[i] > 0;
        v->dropped += count[i] < min_count && count[i] > 0;
        most = count[i] > most ? count[i] : most;
    }
    if (v->n == 0) {
        rc = most == 0 ? base_error_set(BASE_E_ARGUMENT, "there is no word to train on")
                       : base_error_set(BASE_E_ARGUMENT,
                                        "no word occurs %llu times (the most frequent one has "
                                        "%llu): give more text, or a smaller --min-count",
                                        (unsigned long long)min_count, (unsigned long long)most);
        goto out;
    }
    if (!(entry = base_alloc(v->n, sizeof *entry)) ||
        !(v->type = base_alloc(v->n, sizeof *v->type)) ||
        !(v->count = base_alloc(v->n, sizeof *v->count)) ||
        !(v->index = base_alloc(c->types + 1, sizeof *v->index)))
        goto out;
    size_t n = 0;
    for (size_t i = 0; i < c->types; i++) {
        v->index[i] = EMBED_NONE;
        if (count[i] >= min_count && count[i] > 0)
            entry[n++] = (struct entry){ count[i], (uint32_t)i };
    }
    qsort(entry, n, sizeof *entry, by_count);
    for (size_t i = 0; i < n; i++) {
        v->type[i] = entry[i].type;
        v->count[i] = entry[i].count;
        v->index[entry[i].type] = (uint32_t)i;
        v->tokens += entry[i].count;
    }
    rc = 0;
out:
    base_free(count);
    base_free(entry);
    return rc;
}

static int make_thinning(struct embed_vocabulary *v, double sample)
{
    if (!(v->keep = base_alloc(v->n, sizeof *v->keep)))
        return BASE_E_MEMORY;
    const double threshold = sample > 0 ? sample * (double)v->tokens : (double)v->tokens;
    for (size_t i = 0; i < v->n; i++) {
        const double c = (double)v->count[i];
        const double p = (sqrt(c / threshold) + 1) * (threshold / c);
        v->keep[i] = p < 1 ? (uint32_t)(p * 4294967295.0) : UINT32_MAX;
    }
    return 0;
}

/* Vose's way (1991) to fill Walker's tables. */
static int make_noise(struct embed_vocabulary *v, double exponent)
{
    const size_t n = v->n;
    double *p = base_alloc(n, sizeof *p);
    uint32_t *list =
        base_alloc(n, sizeof *list); /* small ones from the front, large from the back */
    int rc = BASE_E_MEMORY;
    if (!p || !list || !(v->accept = base_alloc(n, sizeof *v->accept)) ||
        !(v->alias = base_alloc(n, sizeof *v->alias)))
        goto out;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += p[i] = pow((double)v->count[i], exponent);
    if (!(sum > 0) || !isfinite(sum) || !isfinite((double)n / sum)) {
        rc = base_error_set(BASE_E_ARGUMENT,
                            "noise in proportion to count^%g: the powers do not fit into a double; "
                            "choose an exponent nearer to 0",
                            exponent);
        goto out;
    }
    size_t small = 0, large = n;
    for (size_t i = 0; i < n; i++) {
        p[i] *= (double)n / sum;
        if (p[i] < 1)
            list[small++] = (uint32_t)i;
        else
            list[--large] = (uint32_t)i;
    }
    while (small > 0 && large < n) {
        const uint32_t s = list[--small], l = list[large];
        v->accept[s] = (uint32_t)(p[s] * 4294967296.0);
        v->alias[s] = l;
        p[l] = p[l] + p[s] - 1;
        if (p[l] < 1) {
            large++;
            list[small++] = l;
        }
    }
    /* what is left is 1 but for rounding */
    for (size_t i = 0; i < small; i++) {
        v->accept[list[i]] = UINT32_MAX;
        v->alias[list[i]] = list[i];
    }
    for (size_t i = large; i < n; i++) {
        v->accept[list[i]] = UINT32_MAX;
        v->alias[list[i]] = list[i];
    }
    rc = 0;
out:
    base_free(p);
    base_free(list);
    return rc;
}

/* Huffman's tree from counts in falling order: two queues, words from the rare end and inner nodes
 * in the order they were made (van Leeuwen 1976). Inner node k is n + k; the root is the last. */
static int make_tree(struct embed_vocabulary *v)
{
    const size_t n = v->n, nodes = 2 * n;
    uint64_t *weight = base_alloc(nodes, sizeof *weight);
    uint32_t *parent = base_alloc(nodes, sizeof *parent);
    uint8_t *side = base_alloc_zero(nodes, 1);
    int rc = BASE_E_MEMORY;
    if (!weight || !parent || !side || !(v->path = base_alloc(n + 1, sizeof *v->path)))
        goto out;
    memcpy(weight, v->count, n * sizeof *weight);
    size_t leaf = n, inner = n; /* words before leaf and nodes from inner on are not yet joined */
    for (size_t made = n; made + 1 < nodes; made++) {
        size_t least[2];
        for (int k = 0; k < 2; k++)
            least[k] =
                leaf > 0 && (inner >= made || weight[leaf - 1] <= weight[inner]) ? --leaf : inner++;
        weight[made] = weight[least[0]] + weight[least[1]];
        parent[least[0]] = parent[least[1]] = (uint32_t)made;
        side[least[1]] = 1;
    }
    const size_t root = nodes - 2;
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        size_t depth = 0;
        for (size_t at = i; at != root && n > 1; at = parent[at])
            depth++;
        v->path[i] = total;
        total += depth;
        v->depth = depth > v->depth ? depth : v->depth;
    }
    v->path[n] = total;
    if (v->depth > EMBED_MOST_TARGETS) {
        rc = base_error_set(BASE_E_LIMIT, "Huffman's tree is %zu deep, at most %d is possible",
                            v->depth, EMBED_MOST_TARGETS);
        goto out;
    }
    if (!(v->point = base_alloc(total + 1, sizeof *v->point)) ||
        !(v->code = base_alloc(total + 1, sizeof *v->code)))
        goto out;
    for (size_t i = 0; i < n; i++) {
        uint64_t to = v->path[i + 1];
        for (size_t at = i; at != root && n > 1; at = parent[at]) {
            v->code[--to] = side[at];
            v->point[to] = parent[at] - (uint32_t)n;
        }
    }
    rc = 0;
out:
    base_free(weight);
    base_free(parent);
    base_free(side);
    return rc;
}

int embed_vocabulary_make(struct embed_vocabulary *v, const struct embed_corpus *c,
                          const uint64_t *pick, uint64_t n_pick,
                          const struct embed_train_options *o)
{
    *v = (struct embed_vocabulary){ 0 };
    int rc = make_words(v, c, pick, n_pick, o->min_count);
    if (rc == 0)
        rc = make_thinning(v, o->sample);
    if (rc == 0)
        rc = o->hierarchical ? make_tree(v) : make_noise(v, o->exponent);
    if (rc)
        embed_vocabulary_free(v);
    return rc;
}

void embed_vocabulary_free(struct embed_vocabulary *v)
{
    base_free(v->type);
    base_free(v->count);
    base_free(v->index);
    base_free(v->keep);
    base_free(v->accept);
    base_free(v->alias);
    base_free(v->path);
    base_free(v->point);
    base_free(v->code);
    *v = (struct embed_vocabulary){ 0 };
}
