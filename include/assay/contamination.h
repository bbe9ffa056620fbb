/* contamination: which items of a task stand, word for word, in a corpus. Runs of n words (13 by
 * default: Brown et al. 2020) of the items are kept in a table; the corpus, of any size, is walked
 * through once.
 *
 * Words: the text is case-folded and decomposed (NFKD), everything that is neither letter, mark nor
 * number is dropped without dividing ("don't" = "dont" = "DON’T"), white space divides. A Chinese
 * or Japanese character (Han, Hiragana, Katakana) is a word by itself. A word beyond 4,096 bytes
 * ends every run. A hit is a run of n words equal byte for byte after this: the table's hash only
 * says where to look. */
#ifndef ASSAY_CONTAMINATION_H
#define ASSAY_CONTAMINATION_H
#include <assay/stats.h>
#include <stdbool.h>

struct eval_contamination_options {
    size_t ngram;       /* words in a run, 1 .. 64 */
    uint64_t max_count; /* runs that the corpus has more often are boilerplate and do not count; 0 =
                           all count */
    double dirty;       /* an item is dirty when its share of hit runs is above this */
    double level;       /* of intervals */
    const char *corpus_field; /* text of records in corpus files (.jsonl, .json, .csv, .tsv); NULL =
                                 "text" */
    size_t
        block; /* bytes of corpus in hand at a time, per thread; 0 = 4 MiB; never changes a result
                */
    void (*on_progress)(void *context, const char *file, uint64_t done, uint64_t total);
    void *context;
};
#define EVAL_CONTAMINATION_OPTIONS_DEFAULT                                                         \
    {                                                                                              \
        .ngram = 13, .level = 0.95                                                                 \
    }

struct eval_contamination;
int eval_contamination_new(struct eval_contamination **out,
                           const struct eval_contamination_options *options);
void eval_contamination_free(struct eval_contamination *c);
/* Adds an item of several texts (runs do not cross from one to the next). score: its metric, NaN
 * for none. Copied. Not after the first scan. */
int eval_contamination_add(struct eval_contamination *c, const char *id, const char *const *texts,
                           const size_t *bytes, size_t n, double score);
/* Adds the records of a file (data.h). fields [n]: keys, paths or patterns; a list or object gives
 * every text in it, a pattern one text. None: "doc" where there is a "doc_id" (a samples file),
 * else every text of the record. id NULL: "doc_id" or "id" where there is one, else the number of
 * the record. metric NULL = no scores. limit 0 = all. */
int eval_contamination_read(struct eval_contamination *c, const char *path,
                            const char *const *fields, size_t n, const char *id, const char *metric,
                            size_t limit);
/* Adds the documents of a task (task.h), named by their doc_id; data: where its files are, or NULL.
 */
int eval_contamination_task(struct eval_contamination *c, const char *name, const char *data,
                            const char *const *fields, size_t n, size_t limit);
/* Walks through files and directories (every file below, in the order of names; hidden ones left
 * out): plain text, or records by the name's ending; .gz, .bz2 and .zst are unpacked. May be called
 * again for more. */
int eval_contamination_scan(struct eval_contamination *c, const char *const *paths, size_t n);

struct eval_contamination_place {
    const char *file; /* NULL: nowhere */
    uint64_t line;    /* from 1; of records the line the record begins in */
    uint64_t byte;    /* from 0, in the unpacked file; of records within the record's text */
};
struct eval_contamination_hit {
    const char *run; /* the words, [bytes], not NUL-terminated */
    size_t bytes;
    uint64_t count;                        /* times in the corpus */
    struct eval_contamination_place first; /* the first of them */
};
struct eval_contamination_item {
    const char *id;
    double score;
    size_t words;
    size_t runs;    /* 0: too short to judge */
    size_t hits;    /* of the runs, in the corpus (and not beyond max_count) */
    size_t covered; /* words that lie in a hit run */
    bool dirty;
};
struct eval_contamination_group {
    size_t n;                 /* items with a score */
    double mean;              /* NaN for none */
    struct stats_interval ci; /* Wilson for 0/1 scores, else t; NaN where there is none */
};
struct eval_contamination_report {
    size_t items, judged, dirty;    /* judged: with at least one run */
    double share;                   /* dirty / judged */
    struct stats_interval share_ci; /* Wilson */
    size_t runs, runs_hit;          /* different ones */
    size_t boilerplate;             /* different runs beyond max_count */
    uint64_t files, bytes, words;   /* of the corpus, unpacked */
    bool scored;
    struct eval_contamination_group all, clean, tainted; /* of judged items */
    /* clean - all: what contamination may have added, negated. Var = Var(clean)(1/n_c - 1/n). */
    double change;
    struct stats_interval change_ci;
};
int eval_contamination_report(const struct eval_contamination *c,
                              struct eval_contamination_report *out);
size_t eval_contamination_items(const struct eval_contamination *c);
struct eval_contamination_item eval_contamination_at(const struct eval_contamination *c, size_t i);
/* The k-th hit run of item i, in the item's order; false when there are no more. */
bool eval_contamination_hit(const struct eval_contamination *c, size_t i, size_t k,
                            struct eval_contamination_hit *out);
#endif
