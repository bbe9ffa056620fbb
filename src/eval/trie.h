/* Token sequences as a compressed trie (a radix tree): every token prefix that several of them
 * share stands in it once.
 *
 * A node is a run of tokens, [begin, end) of any of the keys that pass through it; its parent ends
 * where it begins. Children of a node begin with different tokens and stand in the order of those.
 * A key ends exactly at a node's end; equal keys end at the same node. */
#ifndef EVAL_TRIE_H
#define EVAL_TRIE_H
#include <assay/base.h>

#define EVAL_TRIE_NONE SIZE_MAX

struct eval_trie_key {
    const int32_t *ids; /* [count], borrowed while the trie is built */
    size_t count;       /* >= 1 */
};
struct eval_trie_node {
    size_t begin, end; /* tokens begin .. end-1 of its keys */
    size_t lo, hi;     /* order[lo .. hi) are the keys through it; those that end here come first */
    size_t first_child; /* EVAL_TRIE_NONE: a leaf */
    size_t last_child;
    size_t next; /* sibling */
};
struct eval_trie {
    struct eval_trie_node *nodes;
    size_t count;
    size_t *order; /* [n]: keys in ascending order of their tokens, equal ones by number */
    size_t first_root, last_root;
};
/* O(n log n) comparisons of sequences, at most 2 n nodes. */
int eval_trie_build(struct eval_trie *out, const struct eval_trie_key *keys, size_t n);
void eval_trie_free(struct eval_trie *t);
#endif
