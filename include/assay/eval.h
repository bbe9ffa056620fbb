/* eval: measuring a model on text. This header holds what perplexity and scoring need: how text
 * becomes ids (one stated policy for BOS and for inputs that are too long), where a continuation
 * begins, which windows a long text is cut into, and perplexity with intervals over documents. */
#ifndef ASSAY_EVAL_H
#define ASSAY_EVAL_H
#include <assay/model.h>
#include <assay/stats.h>

/* Whether a sequence begins with the tokenizer's beginning-of-sequence token. */
enum eval_bos {
    EVAL_BOS_AUTO, /* as the tokenizer's own post-processor does */
    EVAL_BOS_YES,
    EVAL_BOS_NO,
};
/* The id that the policy puts in front, or -1 for none. EVAL_BOS_YES without a BOS in the
 * vocabulary is an error. */
int eval_bos_id(const struct tokenizer *t, enum eval_bos policy, int32_t *id);
/* The token that stands in where nothing precedes (lm-eval's prefix token): BOS, else EOS, else -1.
 */
int32_t eval_prefix_id(const struct tokenizer *t);

/* A piece of text as ids. */
struct eval_ids {
    int32_t *at; /* [count] */
    size_t count;
    size_t fixed; /* how many in front came from the BOS policy: 0 or 1; never cut off */
};
void eval_ids_free(struct eval_ids *ids);
/* Text must be valid UTF-8 (BASE_E_FORMAT naming the byte) and not empty (BASE_E_ARGUMENT). `what`
 * names it in messages: "the prompt". */
int eval_encode(const struct tokenizer *t, const char *what, const char *text, size_t bytes,
                enum eval_bos policy, struct eval_ids *out);

/* Context and continuation as lm-eval splits them: blanks at the end of the context move to the
 * continuation, both are tokenised together, and the continuation is what follows the context's own
 * tokens. Where a token spans the border, the cut is at the longest common prefix of
 * encode(context) and encode(context + continuation), and boundary_retokenized is set. An empty
 * context becomes the prefix token. */
struct eval_pair {
    struct eval_ids ids;  /* all */
    size_t context_count; /* ids that are context; the rest is scored */
    bool boundary_retokenized;
};
int eval_pair_encode(const struct tokenizer *t, const char *context, size_t context_bytes,
                     const char *continuation, size_t continuation_bytes, enum eval_bos policy,
                     struct eval_pair *out);
/* lm-eval's own split: encode(context), then what is left of encode(context + continuation) after
 * as many tokens as the context has by itself. Where a token spans the border
 * (boundary_retokenized) that is not the text any more: the characters that this token takes from
 * the continuation are lost. For figures that are to be lm-eval's. Where nothing would be left: as
 * eval_pair_encode. */
int eval_pair_encode_lm_eval(const struct tokenizer *t, const char *context, size_t context_bytes,
                             const char *continuation, size_t continuation_bytes,
                             enum eval_bos policy, struct eval_pair *out);
void eval_pair_free(struct eval_pair *p);

/* What to do with more ids than a model takes. */
enum eval_overlength {
    EVAL_OVERLENGTH_ERROR,
    EVAL_OVERLENGTH_LEFT,   /* drop from the left: the newest tokens stay */
    EVAL_OVERLENGTH_RIGHT,  /* drop from the right: the first tokens stay */
    EVAL_OVERLENGTH_MIDDLE, /* drop in the middle: half from each end stays */
};
/* "error", "left", "right", "middle"; anything else is BASE_E_ARGUMENT naming the choices. */
int eval_overlength_parse(const char *name, enum eval_overlength *out);
struct eval_cut {
    size_t first, count; /* dropped ids: [first, first + count) of the original; count 0 = none */
};
/* Shortens ids[0..*n) to at most `limit`, never touching the first `fixed` and the last `tail`.
 * Error policy, or a limit that cannot be met: BASE_E_LIMIT with the numbers. cut may be NULL. */
int eval_overlength_apply(int32_t *ids, size_t *n, size_t fixed, size_t tail, size_t limit,
                          enum eval_overlength policy, struct eval_cut *cut);

/* A window of a token sequence with a prefix token in front: ids[0] is the prefix, ids[1..length]
 * the text. Inputs are ids[first .. first + count); the rows from .. to-1 predict ids[first + row +
 * 1]. */
struct eval_window {
    size_t first, count;
    size_t from, to;
};
/* lm-eval's rolling windows (get_rolling_token_windows): every token is predicted once; windows
 * after the first see `context` tokens (1 = lm-eval's choice) before what they predict; the last
 * one is filled up with more context. 1 <= context <= max. New array (base_free). */
int eval_windows_rolling(size_t length, size_t max, size_t context, struct eval_window **out,
                         size_t *n);
/* Hugging Face's strided windows over ids[begin .. length] (begin 0 with BOS, 1 without): a window
 * of `max` every `stride` tokens, each scoring only what the one before had not reached. */
int eval_windows_strided(size_t length, size_t begin, size_t max, size_t stride,
                         struct eval_window **out, size_t *n);
/* llama.cpp's chunks: disjoint, `size` tokens, the second half of each is scored; an incomplete
 * last chunk is left out. */
int eval_windows_chunked(size_t length, size_t begin, size_t size, struct eval_window **out,
                         size_t *n);

/* ---- perplexity ---- */
enum eval_perplexity_method { EVAL_ROLLING, EVAL_STRIDED, EVAL_CHUNKED, EVAL_PERPLEXITY_METHODS };
struct eval_perplexity_options {
    bool methods[EVAL_PERPLEXITY_METHODS];
    size_t window;       /* rolling and strided; 0 = the model's context, at most 2048 */
    size_t stride;       /* 0 = half of the window */
    size_t chunk;        /* 0 = the smaller of 512 (llama.cpp's default) and the window */
    enum eval_bos bos;   /* of strided and chunked; rolling always has its prefix token in front */
    double level;        /* of the intervals */
    size_t resamples;    /* bootstrap */
    uint64_t seed;       /* bootstrap */
    size_t batch_tokens; /* tokens per forward; does not change results */
    void (*on_progress)(void *context, uint64_t bytes_done); /* may be NULL */
    void *context;
};
#define EVAL_PERPLEXITY_OPTIONS_DEFAULT                                                            \
    {                                                                                              \
        .methods = { true, true, true }, .level = 0.95, .resamples = 2000, .batch_tokens = 2048    \
    }
struct eval_perplexity_result {
    const char *missing; /* why there is no figure, else NULL; then all below is 0 */
    double nll;          /* nats, sum over scored tokens */
    uint64_t tokens;     /* scored */
    uint64_t bytes;      /* of text that the scored tokens stand for */
    uint64_t
        words; /* rolling only: parts between runs of white space (lm-eval's re.split(r"\s+")) */
    size_t windows;
    double ppl;            /* exp(nll / tokens) */
    double bits_per_byte;  /* nll / ln 2 / bytes */
    double word_ppl;       /* rolling only: exp(nll / words), else NaN */
    double ppl_documented; /* strided only: the figure of the code in Hugging Face's documentation,
                              which weights each window's mean by (its new tokens - 1); else NaN */
    /* Interval of ppl over units: documents, or the windows of the only document. */
    bool has_interval;
    const char *unit; /* "document", "window" */
    size_t units;
    struct stats_interval bootstrap; /* percentile */
    struct stats_interval delta;     /* t interval of the ratio nll/tokens on the log scale */
    const char *interval_note; /* why there is none, or what to mind; NULL for nothing to say */
};
struct eval_perplexity_report {
    struct eval_perplexity_result result[EVAL_PERPLEXITY_METHODS];
    size_t documents;              /* with at least one token */
    size_t empty;                  /* documents without */
    uint64_t tokens, bytes, words; /* of all documents, unprefixed */
    uint64_t forward_tokens;       /* run through the model */
    uint64_t
        shared_tokens; /* that did not have to run again: windows several methods have in common */
    size_t window, stride, chunk;
    int32_t prefix; /* token in front of rolling's first window */
    int32_t bos;    /* in front of strided and chunked, or -1 */
};
struct eval_perplexity;
/* The model must have a tokenizer. */
int eval_perplexity_new(struct eval_perplexity **out, struct model *m,
                        const struct eval_perplexity_options *options);
/* Adds a document. `name` is for messages. Runs the model whenever enough has gathered; keeps no
 * text. */
int eval_perplexity_add(struct eval_perplexity *p, const char *name, const char *text,
                        size_t bytes);
/* Runs what is left and reports. Strings in the report are static. */
int eval_perplexity_finish(struct eval_perplexity *p, struct eval_perplexity_report *out);
void eval_perplexity_free(struct eval_perplexity *p);

/* ---- documents in files ---- */
enum eval_split {
    EVAL_SPLIT_NONE,  /* a file is a document */
    EVAL_SPLIT_BLANK, /* blank lines divide */
    EVAL_SPLIT_LINE,  /* every line that is not blank */
    EVAL_SPLIT_END,   /* an end-of-text mark divides */
};
struct eval_documents_options {
    enum eval_split split; /* of plain files */
    const char *mark;      /* for EVAL_SPLIT_END; NULL = "<|endoftext|>" */
    const char *field;     /* of .jsonl files: a document per line in this key; NULL = "text" */
};
struct eval_documents;
/* Files are memory-mapped and walked through; "-" is standard input. */
int eval_documents_open(struct eval_documents **out, const char *const *files, size_t n,
                        const struct eval_documents_options *options);
uint64_t eval_documents_bytes(const struct eval_documents *d); /* of all files together */
/* 1 and a view (valid until the next call) of one document and its name ("FILE:LINE"), 0 at the
 * end, negative on failure. Text is checked to be UTF-8. *done: bytes of files walked through
 * before it. */
int eval_documents_next(struct eval_documents *d, const char **text, size_t *bytes,
                        const char **name, uint64_t *done);
void eval_documents_close(struct eval_documents *d);

/* Words as lm-eval counts them: len(re.split(r"\s+", text)) in Python. Valid UTF-8. */
uint64_t eval_word_count(const char *text, size_t bytes);
#endif
