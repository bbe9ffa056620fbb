/* What the parts of the contamination scan share: words out of text, runs of words, and the table
 * of the items' runs. */
#ifndef EVAL_CONTAMINATION_H
#define EVAL_CONTAMINATION_H
#include "base/buffer.h"
#include <assay/contamination.h>

enum { CONTAMINATION_WORD_MAX = 4096, CONTAMINATION_RUN_MAX = 64, CONTAMINATION_BATCH = 64 };

/* A run of words as the scanner sees it. */
struct contamination_run {
    uint64_t hash;    /* sum of word hashes times powers of an odd base, mod 2^64 */
    const char *text; /* the normalised words with one blank between; valid during the call */
    size_t bytes;
    size_t from;   /* offset of its first byte in the raw text */
    uint64_t word; /* words counted before it */
};
/* Gets the runs in order, some at a time, so that their places in a table can be fetched together;
 * non-zero stops. */
typedef int contamination_runs_fn(void *context, const struct contamination_run *runs, size_t n);

/* How a character beyond ASCII is written in a normalised word: kept for the last ones seen. */
struct contamination_fold {
    uint32_t code; /* 0 = empty */
    uint8_t kind, length;
    char bytes[22];
};
/* ROOM holds twice the longest run, so that moving it to the front is rare. */
enum { CONTAMINATION_FOLDS = 1024, CONTAMINATION_ROOM = 1 << 19, CONTAMINATION_USUAL = 1 << 16 };

struct contamination_scanner {
    size_t n;       /* words in a run */
    uint64_t power; /* base^n */
    struct contamination_word {
        uint64_t hash;
        size_t raw;                /* where it begins in the raw text */
        size_t from;               /* and in norm */
    } ring[CONTAMINATION_RUN_MAX]; /* word k since the last break at k mod 64 */
    size_t have;                   /* words since the last break */
    uint64_t hash;                 /* of the last min(have, n) words */
    uint64_t words;                /* ended ones that begin before `own`, in all calls */
    size_t at;                     /* used of norm */
    size_t limit;                  /* moved to the front beyond this */
    struct contamination_fold fold[CONTAMINATION_FOLDS];
    struct contamination_run batch[CONTAMINATION_BATCH];
    size_t n_batch;
    char norm[CONTAMINATION_ROOM + CONTAMINATION_WORD_MAX + 64];
};
/* Large (some 100 KB): allocate it. */
void contamination_scanner_init(struct contamination_scanner *s, size_t n);
/* Reads text[from .. end) and gives the runs whose first word begins before `own`; stops once no
 * further run can. The word at `end` is taken as ended when `closed`. *next (may be NULL): where
 * the first word begins whose run was cut off by the end, `end` when no word is in hand, SIZE_MAX
 * when nothing is left to come. Begins anew: no run goes across calls. */
int contamination_scan_text(struct contamination_scanner *s, const char *text, size_t from,
                            size_t own, size_t end, bool closed, contamination_runs_fn *fn,
                            void *context, size_t *next);

/* ---- the items' runs ---- */
struct contamination_gram {
    uint64_t hash;
    size_t from;          /* in texts */
    uint32_t bytes, file; /* file: of the first */
    uint64_t count;       /* in the corpus */
    uint64_t line, byte;  /* of the first */
};
struct contamination_place {
    uint32_t gram, word; /* the run that begins at this word of the item */
};
struct contamination_item {
    char *id;
    double score;
    size_t first, n; /* places[first .. first + n) */
    size_t words;
};
struct eval_contamination {
    struct eval_contamination_options options;
    char *corpus_field;
    struct base_buffer texts; /* normalised runs of the items */
    struct contamination_gram *grams;
    size_t n_grams, gram_room;
    uint32_t *slots; /* [slot_mask + 1] gram + 1; 0 = empty */
    size_t slot_mask;
    uint64_t *filter; /* [filter_mask + 1] bits of the hashes there are: most lookups end here */
    size_t filter_mask;
    struct contamination_place *places;
    size_t n_places, place_room;
    struct contamination_item *items;
    size_t n_items, item_room;
    char **files; /* corpus files in the order they were read */
    size_t n_files, file_room;
    uint64_t corpus_bytes, corpus_words;
    struct contamination_scanner *scanner; /* of the items */
    bool scored;
};
/* The gram with exactly this text, or NULL. */
struct contamination_gram *contamination_find(const struct eval_contamination *c,
                                              const struct contamination_run *run);
/* Makes the filter; done before each scan. */
int contamination_filter_make(struct eval_contamination *c);
/* Two bits of one word of the filter: with 16 bits a run, one lookup in 64 passes by chance. */
static inline uint64_t contamination_filter_word(const struct eval_contamination *c, uint64_t hash,
                                                 uint64_t *bits)
{
    uint64_t h = (hash ^ hash >> 29) * 0x9E3779B97F4A7C15u;
    *bits = (uint64_t)1 << (h >> 58) | (uint64_t)1 << (h >> 52 & 63);
    return h >> 12 & c->filter_mask;
}
static inline void contamination_filter_fetch(const struct eval_contamination *c, uint64_t hash)
{
    uint64_t bits;
    __builtin_prefetch(&c->filter[contamination_filter_word(c, hash, &bits)]);
}
static inline bool contamination_filter_has(const struct eval_contamination *c, uint64_t hash)
{
    uint64_t bits, word = contamination_filter_word(c, hash, &bits);
    return (c->filter[word] & bits) == bits;
}
#endif
