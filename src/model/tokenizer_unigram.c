/* The unigram model (Kudo 2018): of all ways to cut a word into pieces, the one with the greatest
 * sum of log probabilities (Viterbi). And WordPiece: the longest piece that fits, from the left.
 *
 * best[j] = max over pieces that end at j of best[start] + score; among equals the first found
 * (shorter starts come first) stays. A character that no piece covers alone is unknown, at a score
 * 10 below the worst piece's; unknown neighbours are one token. Pieces are found with a trie whose
 * edges (node, byte) -> node lie in one hash table. */
#include "model/tokenizer_private.h"
#include <math.h>

struct tokenizer_best {
    double score;
    uint32_t begin; /* of the piece that ends here; UINT32_MAX: not reached */
    int32_t id;     /* -1 unknown */
};

static size_t edge_slot(const struct tokenizer_unigram *u, uint64_t key)
{
    uint64_t h = key * 0x9e3779b97f4a7c15u;
    size_t at = (h ^ h >> 32) & (u->edge_slots - 1);
    while (u->edge_key[at] && u->edge_key[at] != key)
        at = (at + 1) & (u->edge_slots - 1);
    return at;
}

static int edges_grow(struct tokenizer_unigram *u)
{
    size_t old_slots = u->edge_slots, slots = old_slots ? old_slots * 2 : 1024;
    uint64_t *old_key = u->edge_key, *key = base_alloc_zero(slots, sizeof *key);
    uint32_t *old_to = u->edge_to, *to = base_alloc(slots, sizeof *to);
    if (!key || !to) {
        base_free(key);
        base_free(to);
        return BASE_E_MEMORY;
    }
    u->edge_key = key;
    u->edge_to = to;
    u->edge_slots = slots;
    for (size_t i = 0; i < old_slots; i++)
        if (old_key[i]) {
            size_t at = edge_slot(u, old_key[i]);
            key[at] = old_key[i];
            to[at] = old_to[i];
        }
    base_free(old_key);
    base_free(old_to);
    return 0;
}

static int node_add(struct tokenizer_unigram *u, uint32_t *node)
{
    if (u->nodes == u->node_room) {
        size_t room = u->node_room ? u->node_room * 2 : 1024;
        int32_t *id = base_realloc(u->node_id, room, sizeof *id);
        if (!id)
            return BASE_E_MEMORY;
        u->node_id = id;
        u->node_room = room;
    }
    u->node_id[u->nodes] = -1;
    *node = (uint32_t)u->nodes++;
    return 0;
}

int tokenizer_unigram_prepare(struct tokenizer_unigram *u, const struct tokenizer_vocabulary *v,
                              size_t count)
{
    uint32_t root;
    double worst = 0;
    bool any = false;
    if (node_add(u, &root))
        return BASE_E_MEMORY;
    for (size_t id = 0; id < count; id++) {
        size_t n;
        const char *piece = tokenizer_vocabulary_piece(v, (int32_t)id, &n);
        if (!piece || !n || !u->usable[id])
            continue;
        if (!any || u->score[id] < worst)
            worst = u->score[id];
        any = true;
        uint32_t node = root;
        for (size_t i = 0; i < n; i++) {
            if (u->edge_slots < (u->edges + 1) * 2 && edges_grow(u))
                return BASE_E_MEMORY;
            uint64_t key = ((uint64_t)node << 8 | (uint8_t)piece[i]) + 1;
            size_t at = edge_slot(u, key);
            if (!u->edge_key[at]) {
                uint32_t fresh;
                if (node_add(u, &fresh))
                    return BASE_E_MEMORY;
                u->edge_key[at] = key;
                u->edge_to[at] = fresh;
                u->edges++;
            }
            node = u->edge_to[at];
        }
        u->node_id[node] = (int32_t)id;
    }
    u->unknown_score = worst - 10;
    return 0;
}

/* Relaxes the edge [begin, end) with the given piece. */
static void relax(struct tokenizer_best *best, size_t begin, size_t end, int32_t id, double score)
{
    double total = best[begin].score + score;
    if (best[end].begin == UINT32_MAX || total > best[end].score)
        best[end] = (struct tokenizer_best){ total, (uint32_t)begin, id };
}

int tokenizer_unigram_word(const struct tokenizer_unigram *u, struct tokenizer_unigram_work *w,
                           const char *word, size_t n, struct tokenizer_tokens *out)
{
    if (n + 1 > w->room) {
        size_t room = w->room ? w->room : 256;
        while (room < n + 1)
            room *= 2;
        struct tokenizer_best *best = base_realloc(w->best, room, sizeof *best);
        if (!best)
            return BASE_E_MEMORY;
        w->best = best;
        w->room = room;
    }
    struct tokenizer_best *best = w->best;
    for (size_t i = 0; i <= n; i++)
        best[i] = (struct tokenizer_best){ 0, UINT32_MAX, -1 };
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t k = tokenizer_char(word + i, n - i, &code);
        uint32_t node = 0;
        bool single = false;
        for (size_t j = i; j < n && u->edge_slots; j++) {
            uint64_t key = ((uint64_t)node << 8 | (uint8_t)word[j]) + 1;
            size_t at = edge_slot(u, key);
            if (!u->edge_key[at])
                break;
            node = u->edge_to[at];
            int32_t id = u->node_id[node];
            if (id < 0)
                continue;
            single = single || j + 1 == i + k;
            relax(best, i, j + 1, id, u->score[id]);
        }
        if (!single)
            relax(best, i, i + k, -1, u->unknown_score);
        i += k;
    }
    /* walk back, then put the pieces in order */
    size_t start = out->count;
    for (size_t j = n; j > 0;) {
        size_t begin = best[j].begin;
        int32_t id = best[j].id;
        if (id < 0) {
            while (begin > 0 && best[begin].id < 0 && best[begin].begin != UINT32_MAX)
                begin = best[begin].begin;
            if (u->has_fallback) {
                for (size_t b = j; b > begin; b--)
                    if (tokenizer_tokens_add(out, u->fallback[(uint8_t)word[b - 1]], 1))
                        return BASE_E_MEMORY;
                j = begin;
                continue;
            }
            id = u->unknown;
            if (id < 0)
                return base_error_set(
                    BASE_E_FORMAT, "tokenizer: the text has a character that no piece covers, and "
                                   "the vocabulary has no unknown token");
        }
        if (tokenizer_tokens_add(out, id, j - begin))
            return BASE_E_MEMORY;
        j = begin;
    }
    for (size_t a = start, b = out->count; a + 1 < b; a++, b--) {
        struct tokenizer_token swap = out->at[a];
        out->at[a] = out->at[b - 1];
        out->at[b - 1] = swap;
    }
    return 0;
}

void tokenizer_unigram_free(struct tokenizer_unigram *u)
{
    base_free(u->score);
    base_free(u->usable);
    base_free(u->edge_key);
    base_free(u->edge_to);
    base_free(u->node_id);
    *u = (struct tokenizer_unigram){ 0 };
}

int tokenizer_wordpiece_word(const struct tokenizer_wordpiece *p,
                             const struct tokenizer_vocabulary *v, struct base_buffer *scratch,
                             const char *word, size_t n, struct tokenizer_tokens *out)
{
    size_t start = out->count, characters = 0, prefix = p->prefix ? strlen(p->prefix) : 0;
    for (size_t i = 0; i < n; characters++) {
        uint32_t code;
        i += tokenizer_char(word + i, n - i, &code);
    }
    bool whole = p->whole || characters > p->max_characters;
    if (p->whole) {
        int32_t id = tokenizer_vocabulary_find(v, word, n);
        if (id >= 0)
            return tokenizer_tokens_add(out, id, n);
    }
    /* candidates are prefix + word[i..j): the prefix stands once in front of a copy of the rest */
    for (size_t i = 0; i < n && !whole;) {
        size_t lead = i ? prefix : 0;
        base_buffer_clear(scratch);
        if (base_buffer_append(scratch, p->prefix ? p->prefix : "", lead) ||
            base_buffer_append(scratch, word + i, n - i))
            return BASE_E_MEMORY;
        size_t j = n;
        int32_t id = -1;
        while (j > i) {
            id = tokenizer_vocabulary_find(v, scratch->data, lead + (j - i));
            if (id >= 0)
                break;
            j--;
            while (j > i && ((unsigned char)word[j] & 0xc0) == 0x80)
                j--;
        }
        if (id < 0) {
            whole = true;
            break;
        }
        if (tokenizer_tokens_add(out, id, j - i))
            return BASE_E_MEMORY;
        i = j;
    }
    if (!whole)
        return 0;
    out->count = start; /* one unknown token for the whole word */
    if (p->unknown < 0)
        return base_error_set(BASE_E_FORMAT,
                              "tokenizer: a word is not in the vocabulary, which has "
                              "no unknown token");
    return tokenizer_tokens_add(out, p->unknown, n);
}
