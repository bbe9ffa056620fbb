/* tokenizer: text to ids and back, bit for bit as the model's own tokenizer does it.
 * Sources: tokenizer.json (Hugging Face), vocab.json + merges.txt, tokenizer.model (SentencePiece),
 * GGUF metadata. Text is UTF-8; invalid bytes are treated as U+FFFD unless the vocabulary has
 * bytes. */
#ifndef ASSAY_TOKENIZER_H
#define ASSAY_TOKENIZER_H
#include <assay/base.h>
#include <stdbool.h>

struct tokenizer;

/* path: a model directory, tokenizer.json, tokenizer.model, a .gguf, or "builtin:tiny". */
int tokenizer_load(struct tokenizer **out, const char *path);
/* tokenizer.json text from memory. */
int tokenizer_load_json(struct tokenizer **out, const char *text, size_t bytes, const char *name);
/* A SentencePiece model (the bytes of a tokenizer.model) from memory. */
int tokenizer_load_sentencepiece(struct tokenizer **out, const void *data, size_t bytes,
                                 const char *name);
void tokenizer_free(struct tokenizer *t);

struct tokenizer_encoding {
    int32_t *ids;
    uint32_t *begin; /* byte offsets into the text of each token's source, [begin, end) */
    uint32_t *end;
    size_t count;
};
struct tokenizer_options {
    bool add_special;   /* run the post-processor: BOS/EOS as the model wants them */
    bool parse_special; /* special tokens written in the text become their ids (HF's default) */
};
#define TOKENIZER_OPTIONS_DEFAULT                                                                  \
    {                                                                                              \
        .add_special = true, .parse_special = true                                                 \
    }
/* options NULL = default. The caller frees with tokenizer_encoding_free (safe on a zeroed struct).
 */
int tokenizer_encode(const struct tokenizer *t, const char *text, size_t bytes,
                     const struct tokenizer_options *options, struct tokenizer_encoding *out);
void tokenizer_encoding_free(struct tokenizer_encoding *e);

/* New NUL-terminated string (base_free; *bytes gets its length: it may hold NULs). Ids out of range
 * are BASE_E_ARGUMENT naming the id. skip_special leaves out special tokens. */
int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                     char **text, size_t *bytes);

/* Streaming: feed ids one by one, get only whole UTF-8 characters; the concatenation of all pieces
 * and the flush equals tokenizer_decode of all ids. */
struct tokenizer_stream;
int tokenizer_stream_new(struct tokenizer_stream **out, const struct tokenizer *t,
                         bool skip_special);
/* *piece is valid until the next call; may be "". */
int tokenizer_stream_put(struct tokenizer_stream *s, int32_t id, const char **piece, size_t *bytes);
int tokenizer_stream_flush(struct tokenizer_stream *s, const char **piece, size_t *bytes);
void tokenizer_stream_free(struct tokenizer_stream *s);

size_t tokenizer_vocabulary(const struct tokenizer *t); /* ids are 0 .. n-1 (holes possible) */
/* The vocabulary entry as stored ("Ġthe", "▁the", "<0x0A>"); NULL for a hole. */
const char *tokenizer_piece(const struct tokenizer *t, int32_t id);
int32_t tokenizer_find(const struct tokenizer *t, const char *piece); /* -1 when absent */
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);
/* Special ids, -1 when the model has none. */
int32_t tokenizer_bos(const struct tokenizer *t);
int32_t tokenizer_eos(const struct tokenizer *t);
int32_t tokenizer_pad(const struct tokenizer *t);
int32_t tokenizer_unk(const struct tokenizer *t);
const char *tokenizer_kind(const struct tokenizer *t); /* "bpe", "unigram", "wordpiece" */
/* SHA-256 (hex) of what defines it: goes into every result. */
const char *tokenizer_hash(const struct tokenizer *t);
/* The chat template's text, or NULL. */
const char *tokenizer_chat_template(const struct tokenizer *t);

/* Training a byte-level BPE (Sennrich et al. 2016; GPT-2's alphabet and split). */
struct tokenizer_train_options {
    size_t vocabulary;          /* final size, with the 256 bytes and the special tokens */
    size_t min_frequency;       /* a pair seen less often is not merged */
    const char *split;          /* "gpt2", "llama3", "qwen2", "digits" */
    const char *const *special; /* NULL-terminated list; they get the first ids */
    bool add_prefix_space;
};
#define TOKENIZER_TRAIN_OPTIONS_DEFAULT                                                            \
    {                                                                                              \
        .vocabulary = 2048, .min_frequency = 2, .split = "gpt2"                                    \
    }
/* Reads files (streamed), writes tokenizer.json atomically. Ties go to the smaller pair of ids: the
 * result depends on nothing but the input. */
int tokenizer_train(const char *const *files, size_t n_files,
                    const struct tokenizer_train_options *options, const char *output);
#endif
