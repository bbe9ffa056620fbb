/* What the `assay embed` commands share: texts or graphs as a corpus, options of training, vectors
 * from files, intervals as JSON. */
#ifndef CMD_EMBED_H
#define CMD_EMBED_H
#include "cli/cli.h"
#include "cli/display.h"
#include <assay/embed.h>
#include <math.h>

/* Where a corpus comes from, as the options say; NULL, EMBED_NOT_GIVEN and NaN: not given. */
enum { EMBED_NOT_GIVEN = -1 };
struct embed_source {
    const char *tokens, *encoding, *field;
    bool whole;
    const char *graph; /* an edge list: walks instead of texts */
    bool directed;
    const char *weight;
    int64_t walks, length;
    double p, q;
    enum embed_tokens kind; /* out */
};
#define EMBED_SOURCE_DEFAULT                                                                       \
    {                                                                                              \
        .walks = EMBED_NOT_GIVEN, .length = EMBED_NOT_GIVEN, .p = NAN, .q = NAN                    \
    }
#define EMBED_SOURCE_OPTIONS(s)                                                                        \
    { "tokens",                                                                                        \
      0,                                                                                               \
      CLI_STRING,                                                                                      \
      &(s).tokens,                                                                                     \
      "HOW",                                                                                           \
      "gensim (preprocess_documents: stop words out, Porter's stems; default), "                       \
      "simple (simple_preprocess), or plain (white space divides)." },                                 \
        { "encoding", 0, CLI_STRING, &(s).encoding, "NAME", "utf-8 (default) or latin-1." },           \
        { "field",    0,        CLI_STRING,                                                            \
          &(s).field, "COLUMN", "Column of the text in CSV, TSV and JSON files (default text)." },     \
        { "whole",    0,    CLI_FLAG,                                                                  \
          &(s).whole, NULL, "A plain file is one document (default: every line is one)." },            \
        { "graph",    0,                                                                               \
          CLI_STRING, &(s).graph,                                                                      \
          "EDGES",    "An edge list instead of texts: words are nodes, documents are random walks." }, \
        { "directed", 0, CLI_FLAG, &(s).directed, NULL, "The edges of --graph have a direction." },    \
        { "weight",   0,                                                                               \
          CLI_STRING, &(s).weight,                                                                     \
          "COLUMN",   "Column of the edges' weights: walks prefer heavy edges (default: none)." },     \
        { "walks", 0, CLI_INT, &(s).walks, "N", "Walks from every node (default 10)." },               \
        { "length", 0, CLI_INT, &(s).length, "N", "Nodes of a walk (default 40)." },                   \
        { "return",                                                                                    \
          0,                                                                                           \
          CLI_DOUBLE,                                                                                  \
          &(s).p,                                                                                      \
          "P",                                                                                         \
          "node2vec's p: above 1, walks turn back less "                                               \
          "(default 1: DeepWalk)." },                                                                  \
    {                                                                                                  \
        "in-out", 0, CLI_DOUBLE, &(s).q, "Q",                                                          \
            "node2vec's q: above 1, walks stay near (default 1: DeepWalk)."                            \
    }
/* Checks the options and reads the corpus: paths [n], or the graph. 0 or an exit code after the
 * message. */
int embed_source_read(const struct cli_command *command, struct embed_source *s,
                      struct embed_corpus **out, const char *const *paths, int n);
/* A word as the corpus or the vectors have it: itself, or what the tokens make of it; new string.
 */
int embed_source_word(const struct embed_source *s, const struct embed_corpus *corpus,
                      const char *word, char **out);

/* A mean cosine as it is shown: three decimals, or "-" when there are no pairs. */
struct embed_figure {
    char text[16];
};
struct embed_figure embed_cosine_text(double cosine);

struct embed_how {
    struct embed_train_options o;
    const char *method;
    int64_t negative, window, size, epochs, min_count;
};
#define EMBED_HOW_DEFAULT                                                                          \
    {                                                                                              \
        .o = EMBED_TRAIN_OPTIONS_DEFAULT, .negative = 5, .window = 5, .size = 100, .epochs = 5,    \
        .min_count = 5                                                                             \
    }
#define EMBED_HOW_OPTIONS(h)                                                                       \
    { "method",    0,      CLI_STRING,                                                             \
      &(h).method, "NAME", "cbow (default for texts) or skipgram (default for graphs)." },         \
        { "hierarchical",      0,    CLI_FLAG,                                                     \
          &(h).o.hierarchical, NULL, "Hierarchical softmax instead of negative sampling." },       \
        { "negative", 0, CLI_INT, &(h).negative, "N", "Noise words per example (default 5)." },    \
        { "exponent",      0,   CLI_DOUBLE,                                                        \
          &(h).o.exponent, "X", "Noise words come in proportion to count^X (default 0.75)." },     \
        { "size", 0, CLI_INT, &(h).size, "N", "Numbers of a vector (default 100)." },              \
        { "window",    0,   CLI_INT,                                                               \
          &(h).window, "N", "Words to each side, shrunk at random to 1 .. N (default 5)." },       \
        { "epochs", 0, CLI_INT, &(h).epochs, "N", "Times the text is read (default 5)." },         \
        { "min-count",    0,   CLI_INT,                                                            \
          &(h).min_count, "N", "Leave out words that occur less often (default 5)." },             \
        { "sample",                                                                                \
          0,                                                                                       \
          CLI_DOUBLE,                                                                              \
          &(h).o.sample,                                                                           \
          "X",                                                                                     \
          "Thin words that are more than this share of the text (default 0.001; 0: none)." },      \
        { "alpha", 0, CLI_DOUBLE, &(h).o.alpha, "X", "First rate of learning (default 0.025)." },  \
    {                                                                                              \
        "alpha-end", 0, CLI_DOUBLE, &(h).o.alpha_end, "X", "Last one (default 0.0001)."            \
    }
/* Options to h->o; 0 or the usage code. */
int embed_how_take(const struct cli_command *command, struct embed_how *h, bool graph);
json_t *embed_how_json(const struct embed_train_options *o);

/* Vectors of a file, and the words of a question in it; 0 or an exit code after the message. */
int embed_open(const struct cli_command *command, struct embed_vectors **out, const char *path);
json_t *embed_json_interval(double low, double high);
#endif
