/* embed: vectors of words, and how far they can be trusted. Text to tokens as gensim makes them,
 * word2vec (Mikolov et al. 2013a, b), questions to vectors, the word2vec file formats, and
 * stability: what similarities and neighbours become when the documents are drawn again.
 *
 * Numbers are `real` (float; double in the float64 build). Everything is a function of the corpus,
 * the options and the seed: threads and ranks change nothing (but for `hogwild`, which says so). */
#ifndef ASSAY_EMBED_H
#define ASSAY_EMBED_H
#include <assay/base.h>
#include <assay/real.h>
#include <stdbool.h>

/* ---- text to tokens (text.c, stem.c) ---- */
enum embed_tokens {
    EMBED_TOKENS_GENSIM, /* gensim's preprocess_documents: lower case; <tags> removed; ASCII
                            punctuation -> blank; digits removed; 337 stop words and words under
                            three characters left out; Porter's stemmer as gensim has it */
    EMBED_TOKENS_SIMPLE, /* gensim's simple_preprocess: lower-case runs of letters, 2 to 15 long */
    EMBED_TOKENS_PLAIN,  /* whatever white space divides */
    EMBED_TOKENS_KINDS
};
/* "gensim", "simple", "plain" */
extern const char *const embed_tokens_names[EMBED_TOKENS_KINDS];
struct embed_text;
/* Loads libstemmer for EMBED_TOKENS_GENSIM (BASE_E_UNSUPPORTED names the package). One thread at a
 * time may use it. */
int embed_text_new(struct embed_text **out, enum embed_tokens kind);
void embed_text_free(struct embed_text *t); /* NULL is fine */
/* Appends the tokens of a text, divided by single blanks, to *out (a struct base_buffer, which is
 * not emptied first), and their number to *n. Bytes that are not UTF-8: BASE_E_FORMAT with the
 * offset. */
struct base_buffer;
int embed_text_split(struct embed_text *t, const char *text, size_t bytes, struct base_buffer *out,
                     size_t *n);

/* ---- a corpus: documents as numbers of words (corpus.c) ---- */
struct embed_corpus {
    size_t types;              /* distinct tokens, numbered in order of first appearance */
    uint64_t tokens;           /* in all */
    uint64_t documents;        /* also those without a token that will be used */
    uint32_t *token;           /* [tokens] */
    uint64_t *start;           /* [documents + 1] */
    struct embed_words *words; /* words.h */
    uint64_t capacity, document_capacity;
    uint64_t spill; /* from so many tokens on they stand in a nameless file, see corpus.c */
    int file;       /* that file, -1 = none: tokens are in memory */
};
enum embed_encoding { EMBED_UTF8, EMBED_LATIN1 };
struct embed_corpus_options {
    enum embed_tokens tokens;
    enum embed_encoding encoding; /* of plain files; others must be UTF-8 (BASE_E_ARGUMENT) */
    const char *field; /* CSV, TSV, JSON, JSONL: the column of the text (default "text") */
    bool whole; /* plain files: the file is one document; else every line that is not blank */
    void (*on_progress)(void *context, uint64_t bytes_done, uint64_t bytes_total);
    void *context;
};
int embed_corpus_new(struct embed_corpus **out);
void embed_corpus_free(struct embed_corpus *c); /* NULL is fine */
/* One document of tokens divided by blanks, as embed_text_split gives them. */
int embed_corpus_add(struct embed_corpus *c, const char *tokens, size_t bytes);
/* Documents of a file ("-": standard input; .gz, .bz2, .zst; .csv, .tsv, .json, .jsonl by --field).
 * BASE_E_FORMAT with FILE:LINE for bytes that are not UTF-8. */
int embed_corpus_read(struct embed_corpus *c, const char *path,
                      const struct embed_corpus_options *options);
const char *embed_corpus_word(const struct embed_corpus *c, uint32_t type);
/* The word's number, or -1. */
int64_t embed_corpus_find(const struct embed_corpus *c, const char *word);

/* ---- vectors (vectors.c, file.c) ---- */
struct embed_vectors {
    size_t n;        /* words */
    size_t room;     /* rows allocated */
    size_t size;     /* numbers of a vector */
    size_t stride;   /* reals from one to the next: size rounded up to 16, the rest 0 */
    real *vector;    /* [n][stride], 64-byte aligned */
    real *norm;      /* [n] Euclidean lengths */
    uint64_t *count; /* [n] occurrences; NULL when not known (a file does not say) */
    struct embed_words *words;
};
int embed_vectors_new(struct embed_vectors **out, size_t n, size_t size);
void embed_vectors_free(struct embed_vectors *v); /* NULL is fine */
/* Computes norm from vector. */
void embed_vectors_measure(struct embed_vectors *v);
const char *embed_vectors_word(const struct embed_vectors *v, size_t i);
/* Its number, or -1. */
int64_t embed_vectors_find(const struct embed_vectors *v, const char *word);
/* The same, or BASE_E_ARGUMENT that names the nearest words. */
int embed_vectors_need(const struct embed_vectors *v, const char *word, size_t *out);
/* Cosine of words i and j; 0 when one of them is the zero vector. */
double embed_similarity(const struct embed_vectors *v, size_t i, size_t j);

struct embed_near {
    uint32_t word;
    double similarity;
};
/* gensim's most_similar (3CosAdd: Mikolov et al. 2013c; Levy & Goldberg 2014): the words nearest to
 * the mean of the unit vectors of positive [n_positive] less those of negative, without the words
 * of the question, among the first `restrict` words (0 = all). out has room for `top`; *n is how
 * many there are. Equal similarities: the lower number first. */
int embed_similar(const struct embed_vectors *v, const uint32_t *positive, size_t n_positive,
                  const uint32_t *negative, size_t n_negative, size_t restrict_to, size_t top,
                  struct embed_near *out, size_t *n);
/* Mean cosine of `pairs` random pairs of different words (of the first 10,000): near 0 for trained
 * vectors, near 1 when training was too short to part them. */
double embed_random_cosine(const struct embed_vectors *v, size_t pairs, uint64_t seed);

enum embed_format { EMBED_FORMAT_AUTO, EMBED_FORMAT_TEXT, EMBED_FORMAT_BINARY };
/* word2vec's text or binary format ("-": standard input). AUTO tells them apart by the bytes after
 * the first word. Every count, size and length is checked against the file; numbers must be finite;
 * a word that comes twice keeps its first vector (gensim's rule) and is counted in *repeated (may
 * be NULL). header false: text without the first line (GloVe). limit: at most so many words; 0 =
 * all. */
struct embed_read_options {
    enum embed_format format;
    bool no_header;
    size_t limit;
};
int embed_vectors_read(struct embed_vectors **out, const char *path,
                       const struct embed_read_options *options, size_t *repeated);
/* The same from memory; name for messages. What the fuzz target calls. */
int embed_vectors_parse(struct embed_vectors **out, const void *data, size_t bytes,
                        const char *name, const struct embed_read_options *options,
                        size_t *repeated);
/* Text: the shortest decimal numbers that read back as the same floats. Atomic. "-" is standard
 * output. BASE_E_ARGUMENT for a word with a blank or line end in it. */
int embed_vectors_write(const struct embed_vectors *v, const char *path, enum embed_format format,
                        bool no_header);

/* ---- word2vec (train.c) ---- */
enum embed_method { EMBED_CBOW, EMBED_SKIPGRAM };
struct embed_train_options {
    enum embed_method method;
    bool hierarchical; /* hierarchical softmax (Morin & Bengio 2005; Huffman's tree) */
    unsigned negative; /* noise words per example; 0 with hierarchical */
    double exponent;   /* noise words come in proportion to count^exponent */
    double sample;     /* words above this share of the corpus are thinned; 0 = none */
    double alpha, alpha_end;
    unsigned window; /* at most so many words to each side; shrunk at random, 1 .. window */
    unsigned size;
    unsigned epochs;
    uint64_t min_count;
    uint64_t seed;
    bool hogwild; /* threads write into the same matrices: faster, and never twice the same */
    int threads;  /* of hogwild; 0 = base_threads(). Without it training is sequential */
    /* Called now and then on the calling thread; non-zero stops with BASE_E_INTERRUPTED. */
    int (*on_progress)(void *context, uint64_t done, uint64_t total, double alpha);
    void *context;
};
#define EMBED_TRAIN_OPTIONS_DEFAULT                                                                \
    {                                                                                              \
        .negative = 5, .exponent = 0.75, .sample = 1e-3, .alpha = 0.025, .alpha_end = 1e-4,        \
        .window = 5, .size = 100, .epochs = 5, .min_count = 5, .seed = 1                           \
    }
struct embed_train_report {
    uint64_t words;   /* in the vocabulary */
    uint64_t dropped; /* types under min_count */
    uint64_t tokens;  /* of the vocabulary, in the documents that were picked */
    uint64_t trained; /* examples: words that were predicted, over all epochs */
    double loss;      /* mean loss of an example's choices in the last epoch, nats (every 16th
                         example is measured) */
};
/* Trains on the documents pick [n_pick] (NULL: all, once), each a sentence; a document that is
 * picked twice counts twice. Words in order of falling count, equal ones in order of first
 * appearance. BASE_E_ARGUMENT when no word is left. report may be NULL. */
int embed_train(struct embed_vectors **out, const struct embed_corpus *corpus, const uint64_t *pick,
                uint64_t n_pick, const struct embed_train_options *options,
                struct embed_train_report *report);

/* ---- evaluation (evaluate.c) ---- */
struct embed_pairs_result {
    char *name;
    size_t pairs, unknown,
        invalid; /* lines; with a word that has no vector; not word word number */
    double spearman, spearman_low, spearman_high, spearman_p;
    double pearson, pearson_low, pearson_high, pearson_p;
    bool defined; /* at least four pairs with some spread */
};
/* Word pairs with human scores: "word TAB word TAB number"; # begins a comment. Case is ignored
 * (the first, most frequent form counts), among the first `restrict_to` words (0 = all): as
 * gensim's evaluate_word_pairs. */
int embed_evaluate_pairs(const struct embed_vectors *v, const char *path, size_t restrict_to,
                         double level, struct embed_pairs_result *out);
void embed_pairs_result_free(struct embed_pairs_result *r);
struct embed_analogy_section {
    char *name;
    size_t questions, known, right;
    double low, high; /* Wilson's interval of right / known */
};
struct embed_analogies_result {
    char *name;
    size_t n; /* sections */
    struct embed_analogy_section *section;
    struct embed_analogy_section total;
    size_t invalid;
};
/* Questions "a b c d" (a is to b as c is to d) in sections ": name": as gensim's
 * evaluate_word_analogies (3CosAdd, case ignored). */
int embed_evaluate_analogies(const struct embed_vectors *v, const char *path, size_t restrict_to,
                             double level, struct embed_analogies_result *out);
void embed_analogies_result_free(struct embed_analogies_result *r);

/* ---- stability (stability.c) ---- */
enum embed_resampling {
    EMBED_BOOTSTRAP, /* as many documents, drawn with replacement */
    EMBED_SUBSAMPLE, /* the documents dealt out into `models` parts (Politis & Romano 1994) */
    EMBED_SEEDS,     /* the same documents, another seed: the noise of training alone */
    EMBED_RESAMPLINGS
};
extern const char *const embed_resampling_names[EMBED_RESAMPLINGS];
#define EMBED_MOST_NEAR 100
struct embed_stability_options {
    enum embed_resampling resampling;
    size_t models;
    double level;            /* 0 = 0.90 below 40 models, else 0.95 */
    size_t near;             /* neighbours compared, 1 .. EMBED_MOST_NEAR */
    const char *const *pair; /* [2 n_pairs] words whose similarity is wanted */
    size_t n_pairs;
    const char *const *word; /* [n_words] words whose neighbours are wanted */
    size_t n_words;
    size_t common;                    /* overlap over the so many most frequent words */
    struct embed_train_options train; /* its seed is the seed of everything; threads, hogwild: no */
    int (*on_progress)(void *context, size_t done, size_t total);
    void *context;
};
/* An interval by order statistics of the m values s(1) <= ... <= s(m) of the models that have the
 * words: [s(k), s(m + 1 - k)], k = floor(m (1 - level) / 2) + 1. */
struct embed_spread {
    double estimate; /* of the model of all documents; NaN when it lacks a word */
    size_t models;   /* m */
    size_t missing;  /* models without one of the words: left out */
    size_t rank;     /* k; 0 = no interval (m < 2) */
    double mean, sd;
    double low, high;
    double coverage; /* how often the next draw falls between: (m + 1 - 2k) / (m + 1) */
    double *value;   /* [models wanted] in order of models, NaN where missing */
};
struct embed_stability_pair {
    const char *a, *b;
    struct embed_spread similarity;
};
struct embed_stability_word {
    const char *word;
    double overlap;      /* mean Jaccard index of the neighbours over pairs of models */
    double overlap_full; /* and between each model and the one of all documents */
    size_t models, missing;
    size_t n_near;
    struct embed_stability_near {
        char *word;
        double similarity; /* in the model of all documents */
        double share;      /* of the models that have `word`, how many count it a neighbour */
        struct embed_spread spread; /* of the similarity */
    } * near;                       /* the neighbours in the model of all documents */
};
struct embed_stability {
    struct embed_stability_options options;       /* as used */
    uint64_t documents, tokens, words;            /* of the model of all documents */
    double random_cosine;                         /* of the model of all documents */
    double random_cosine_low, random_cosine_high; /* smallest and largest over the models */
    bool undertrained;                            /* random_cosine > EMBED_UNDERTRAINED */
    double *tau;                                  /* [models] documents in each part (SUBSAMPLE) */
    uint64_t words_least, words_most;             /* vocabulary of the models */
    struct embed_stability_pair *pair;
    struct embed_stability_word *word;
    double common_overlap; /* mean Jaccard over the `common` words and pairs of models */
    size_t common_words;   /* how many of them had neighbours in at least two models */
};
#define EMBED_UNDERTRAINED 0.8
/* Trains one model of all documents and `models` more, on base_threads() threads, each model on
 * one; over the ranks of dist (every rank calls this; the result is rank 0's, others get an empty
 * one). The result does not depend on either number. */
int embed_stability_run(struct embed_stability **out, const struct embed_corpus *corpus,
                        const struct embed_stability_options *options);
void embed_stability_free(struct embed_stability *s); /* NULL is fine */
/* Order statistics of values [n] (NaN = missing) into *out, whose value array is not touched. */
int embed_spread_make(const double *value, size_t n, double level, struct embed_spread *out);

/* ---- vectors of sentences (sentences.c) and of nodes (walks.c) ---- */
struct model;
struct embed_sentences_options {
    int64_t layer;    /* residual stream after this block, 0 = embeddings; -1 = the last one */
    bool center;      /* less the mean over all sentences */
    size_t resamples; /* of each sentence's tokens */
    double level;
    uint64_t seed;
    const size_t *pair; /* [2 n_pairs] */
    size_t n_pairs;
    size_t near;
};
struct embed_sentences {
    size_t n, size, layer;
    size_t *tokens; /* [n] */
    size_t cut;     /* sentences that were longer than the model's context: cut off */
    struct embed_vectors *vectors; /* words are "1", "2", ... */
    double random_cosine;
    bool undertrained; /* here: vectors that point the same way whatever the sentence */
    size_t n_pairs;
    struct embed_spread *pair; /* [n_pairs] */
    double *overlap; /* [n] mean Jaccard index of the `near` nearest sentences over pairs of
                        resamples; NULL when n is too small */
};
/* Mean over a sentence's tokens of the model's hidden states; the spread comes from drawing the
 * tokens of every sentence again. text [n] NUL-terminated. */
int embed_sentences_run(struct embed_sentences **out, struct model *m, const char *const *text,
                        size_t n, const struct embed_sentences_options *options);
void embed_sentences_free(struct embed_sentences *s);

struct graph;
struct embed_walk_options {
    unsigned walks;  /* from every node (DeepWalk: 80) */
    unsigned length; /* nodes of a walk (DeepWalk: 40) */
    double p, q;     /* node2vec's return and in-out weights; 1, 1 = DeepWalk */
    uint64_t seed;
};
/* Random walks as documents whose words are the nodes' names (Perozzi et al. 2014; Grover &
 * Leskovec 2016). A walk ends early at a node without a way out. */
int embed_walks(struct embed_corpus **out, const struct graph *g,
                const struct embed_walk_options *options);
#endif
