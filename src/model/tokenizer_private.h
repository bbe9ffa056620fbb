/* The tokenizer's own parts, shared by src/model/tokenizer_*.c.
 *
 * Encoding is a pipeline: added tokens are cut out of the raw text; each stretch between them is
 * normalised (struct tokenizer_normalizer, a list), cut into words (struct tokenizer_step, a list)
 * and each word becomes ids (BPE, unigram, WordPiece or whole words); a template then adds the
 * model's special tokens. Every byte of an intermediate text carries the range of the original
 * bytes it came from (struct tokenizer_text), so offsets are exact whatever the normalisers did.
 * Decoding is a chain of stages (struct tokenizer_stage) that pass on fragments of text.
 *
 * A loaded tokenizer is never changed: all scratch memory lives in the call, so threads may share
 * it. */
#ifndef MODEL_TOKENIZER_PRIVATE_H
#define MODEL_TOKENIZER_PRIVATE_H
#include "base/buffer.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include <assay/tokenizer.h>
#include <string.h>

#define TOKENIZER_MAX_TEXT ((size_t)1 << 31) /* offsets are 32-bit */
#define TOKENIZER_MAX_ID   ((size_t)1 << 24)
#define TOKENIZER_MAX_FILE ((size_t)1 << 30)
#define TOKENIZER_SPACE    "\xe2\x96\x81" /* U+2581, SentencePiece's visible space */

/* ---- vocabulary: id <-> piece ---------------------------------------------------------------- */

struct tokenizer_span {
    uint32_t begin, end;
};

struct tokenizer_vocabulary {
    char *text;                /* all pieces, each followed by a NUL */
    size_t used, room;         /* bytes */
    struct tokenizer_span *at; /* per id: where its piece starts (TOKENIZER_HOLE: none) and ends */
    size_t count;              /* ids are 0 .. count-1 */
    size_t id_room;
    uint64_t *slot; /* open addressing: hash in the upper half, id + 1 in the lower; 0 is empty */
    size_t slots;   /* power of two */
    size_t entries;
    bool last_wins; /* a piece given twice: the later id is found (GGUF); otherwise an error */
};
#define TOKENIZER_HOLE UINT32_MAX
/* BASE_E_FORMAT when the id has another piece or the piece another id, BASE_E_LIMIT for a huge id.
 */
int tokenizer_vocabulary_put(struct tokenizer_vocabulary *v, size_t id, const char *piece, size_t n,
                             const char *where);
/* -1 when absent. */
int32_t tokenizer_vocabulary_find(const struct tokenizer_vocabulary *v, const char *piece,
                                  size_t n);
/* NULL for a hole. */
const char *tokenizer_vocabulary_piece(const struct tokenizer_vocabulary *v, int32_t id, size_t *n);
/* Room for the given number of ids and bytes (an optimisation only). */
int tokenizer_vocabulary_reserve(struct tokenizer_vocabulary *v, size_t ids, size_t bytes);
void tokenizer_vocabulary_free(struct tokenizer_vocabulary *v);

/* Fast hash of a short string (quality enough for open addressing, not for identity). */
static inline uint64_t tokenizer_mix(const char *s, size_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ (n * 0xff51afd7ed558ccdu);
    while (n >= 8) {
        uint64_t w;
        memcpy(&w, s, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
        s += 8, n -= 8;
    }
    uint64_t w = 0;
    if (n)
        memcpy(&w, s, n);
    h = (h ^ w) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 29);
}

/* ---- text with its origin -------------------------------------------------------------------- */

struct tokenizer_text {
    const char *data; /* into the caller's text while identity, else == own */
    size_t n;
    bool identity;   /* byte i is byte base + i of the original */
    uint32_t base;   /* where the stretch starts in the original */
    uint32_t *begin; /* not identity: byte i comes from [begin[i], end[i]) */
    uint32_t *end;   /* an inserted byte has begin == end */
    char *own;       /* memory behind data */
    size_t room;     /* bytes of own, begin and end */
};
void tokenizer_text_clear(struct tokenizer_text *t); /* empty, not identity, memory kept */
void tokenizer_text_free(struct tokenizer_text *t);
int tokenizer_text_add(struct tokenizer_text *t, const char *bytes, size_t n, uint32_t begin,
                       uint32_t end);
/* Appends bytes [from, to) of other with their origins. */
int tokenizer_text_copy(struct tokenizer_text *t, const struct tokenizer_text *other, size_t from,
                        size_t to);
static inline uint32_t tokenizer_text_begin(const struct tokenizer_text *t, size_t i)
{
    return t->identity ? t->base + (uint32_t)i : t->begin[i];
}
/* The end of what byte i came from. */
static inline uint32_t tokenizer_text_end(const struct tokenizer_text *t, size_t i)
{
    return t->identity ? t->base + (uint32_t)i + 1 : t->end[i];
}
/* The code point at s (n >= 1) and its length; a byte that is not UTF-8 counts as one U+FFFD. */
static inline size_t tokenizer_char(const char *s, size_t n, uint32_t *code)
{
    if ((unsigned char)*s < 0x80) {
        *code = (unsigned char)*s;
        return 1;
    }
    size_t k = base_utf8_decode(s, n, code);
    if (k == 0)
        *code = 0xfffd, k = 1;
    return k;
}

struct tokenizer_spans {
    struct tokenizer_span *at;
    size_t count, room;
};
int tokenizer_spans_add(struct tokenizer_spans *s, size_t begin, size_t end);

/* ---- patterns -------------------------------------------------------------------------------- */

struct tokenizer_pattern {
    void *code; /* pcre2_code, NULL for a literal */
    char *literal;
    size_t n;
};
struct tokenizer_matcher; /* scratch for matching: one per call */
/* A regular expression as Hugging Face's library (Oniguruma) reads it: \s, \w and $ are translated.
 * where names it in messages. */
int tokenizer_pattern_regex(struct tokenizer_pattern *p, const char *regex, size_t n,
                            const char *where);
int tokenizer_pattern_literal(struct tokenizer_pattern *p, const char *text, size_t n);
void tokenizer_pattern_free(struct tokenizer_pattern *p);
/* The first match at or after from: 1 with its range, 0 when none, or an error. Bytes of the
 * subject that are not UTF-8 match like a symbol. */
int tokenizer_pattern_find(const struct tokenizer_pattern *p, struct tokenizer_matcher **m,
                           const char *subject, size_t n, size_t from, size_t *begin, size_t *end);
/* Must be called before a new subject is given to tokenizer_pattern_find. */
void tokenizer_matcher_reset(struct tokenizer_matcher *m);
void tokenizer_matcher_free(struct tokenizer_matcher *m);
extern const char tokenizer_pattern_gpt2[], tokenizer_pattern_llama3[], tokenizer_pattern_qwen2[];
/* The split patterns of a GGUF `tokenizer.ggml.pre` name: up to 5, NULL-terminated; NULL when the
 * name is not known. */
const char *const *tokenizer_pattern_gguf(const char *pre, bool *ignore_merges);

/* ---- added tokens ---------------------------------------------------------------------------- */

struct tokenizer_added {
    char *content; /* what is searched (normalised where the token asks for it) */
    size_t n;
    int32_t id;
    bool special, single_word, left_strip, right_strip;
    bool normalized; /* searched in the normalised text, and normalised itself */
    bool as_is;      /* with normalized: the content is already what stands in a normalised text */
};
struct tokenizer_added_set {
    struct tokenizer_added *at; /* sorted by content */
    size_t count, room;
    uint32_t first[257]; /* tokens that start with byte b: first[b] .. first[b+1]-1 */
};
int tokenizer_added_put(struct tokenizer_added_set *s, const struct tokenizer_added *token);
void tokenizer_added_sort(struct tokenizer_added_set *s);
void tokenizer_added_free(struct tokenizer_added_set *s);
/* The longest token that starts at s, or NULL. */
const struct tokenizer_added *tokenizer_added_longest(const struct tokenizer_added_set *set,
                                                      const char *s, size_t n);
/* The next token in text from `at` on (leftmost, then longest; single_word and the two strips
 * honoured). floor is where the previous one ended. Returns NULL when there is none. */
const struct tokenizer_added *tokenizer_added_next(const struct tokenizer_added_set *set,
                                                   const char *text, size_t n, size_t *at,
                                                   size_t floor, bool special, size_t *begin,
                                                   size_t *end);

/* ---- normalisers ----------------------------------------------------------------------------- */

enum tokenizer_normalizer_kind {
    NORMALIZE_NFC,
    NORMALIZE_NFD,
    NORMALIZE_NFKC,
    NORMALIZE_NFKD,
    NORMALIZE_LOWERCASE,
    NORMALIZE_STRIP_ACCENTS, /* drops marks (category M) */
    NORMALIZE_STRIP_MN,      /* drops non-spacing marks only: what BERT does after NFD */
    NORMALIZE_STRIP,
    NORMALIZE_PREPEND,
    NORMALIZE_REPLACE,
    NORMALIZE_CHARSMAP,
    NORMALIZE_BERT_CLEAN,
    NORMALIZE_BERT_CHINESE,
    NORMALIZE_NMT,
    NORMALIZE_BYTES,         /* GPT-2's byte alphabet */
    NORMALIZE_SENTENCEPIECE, /* white space rules of SentencePiece, after its charsmap */
};
struct tokenizer_charsmap; /* SentencePiece's precompiled character map */
struct tokenizer_normalizer {
    enum tokenizer_normalizer_kind kind;
    bool left, right; /* STRIP: which ends. SENTENCEPIECE: left = dummy prefix, right = as suffix */
    bool collapse;    /* SENTENCEPIECE: remove extra white space */
    bool escape;      /* SENTENCEPIECE: blank becomes U+2581 */
    bool graphemes;   /* CHARSMAP: look up whole grapheme clusters first, as Hugging Face does */
    char *content;    /* PREPEND, REPLACE */
    size_t n;
    struct tokenizer_pattern pattern; /* REPLACE */
    struct tokenizer_charsmap *map;   /* CHARSMAP */
};
void tokenizer_normalizer_free(struct tokenizer_normalizer *n);
/* Runs a list over *t. verbatim (may be NULL): pieces that a charsmap must leave as they are. */
int tokenizer_normalize(const struct tokenizer_normalizer *list, size_t count,
                        const struct tokenizer_added_set *verbatim, struct tokenizer_text *t,
                        struct tokenizer_text *scratch, struct tokenizer_matcher **m);
int tokenizer_charsmap_new(struct tokenizer_charsmap **out, const void *blob, size_t bytes,
                           const char *where);
void tokenizer_charsmap_free(struct tokenizer_charsmap *map);
/* Base64 (RFC 4648, padding optional) into a new block (base_free). */
int tokenizer_base64(const char *text, size_t n, void **out, size_t *bytes, const char *where);
/* The replacement of the longest (or shortest) key that starts at s; *used is the key's length.
 * NULL when no key does. */
const char *tokenizer_charsmap_find(const struct tokenizer_charsmap *map, const char *s, size_t n,
                                    bool shortest, size_t *used);

/* ---- cutting into words ---------------------------------------------------------------------- */

enum tokenizer_step_kind {
    STEP_SPLIT,     /* by a pattern */
    STEP_CLASS,     /* by a class of characters */
    STEP_METASPACE, /* blank -> U+2581, and one in front */
    STEP_PREFIX,    /* a blank in front of what does not start with one */
    STEP_BYTES,     /* bytes become GPT-2's alphabet */
    STEP_MARK,      /* before a U+2581 that follows something else */
    STEP_FIXED,     /* every n characters */
};
enum tokenizer_behavior {
    BEHAVIOR_REMOVED,
    BEHAVIOR_ISOLATED,
    BEHAVIOR_MERGED_WITH_PREVIOUS,
    BEHAVIOR_MERGED_WITH_NEXT,
    BEHAVIOR_CONTIGUOUS,
};
enum tokenizer_class {
    CLASS_NUMERIC,
    CLASS_PUNCTUATION, /* ASCII punctuation and categories P* */
    CLASS_SPACE,
    CLASS_CHARACTER, /* one given code point */
};
struct tokenizer_step {
    enum tokenizer_step_kind kind;
    enum tokenizer_behavior behavior;
    bool invert;
    enum tokenizer_class class;
    uint32_t code; /* CLASS_CHARACTER, METASPACE's replacement */
    enum { PREFIX_NEVER, PREFIX_FIRST, PREFIX_ALWAYS } prefix;
    size_t length; /* STEP_FIXED */
    struct tokenizer_pattern pattern;
};
struct tokenizer_split_work {
    struct tokenizer_text scratch;
    struct tokenizer_spans words, more; /* the result is in words */
    struct tokenizer_spans matches;
    struct tokenizer_matcher *matcher;
};
/* Cuts bytes [begin, end) of *t (which may be rewritten: then it holds only that stretch) into
 * w->words. */
int tokenizer_split(const struct tokenizer_step *steps, size_t count, struct tokenizer_text *t,
                    size_t begin, size_t end, struct tokenizer_split_work *w);
bool tokenizer_class_has(enum tokenizer_class class, uint32_t code, uint32_t which);

/* GPT-2's alphabet: each byte has a printable code point < 512. */
uint32_t tokenizer_byte_to_code(uint8_t byte);
int tokenizer_code_to_byte(uint32_t code); /* -1 when the code stands for no byte */

/* ---- words to ids ---------------------------------------------------------------------------- */

/* A token and how many bytes of the word it covers. */
struct tokenizer_token {
    int32_t id;
    uint32_t width;
};
struct tokenizer_tokens {
    struct tokenizer_token *at;
    size_t count, room;
};
int tokenizer_tokens_add(struct tokenizer_tokens *t, int32_t id, size_t width);

struct tokenizer_merge {
    uint64_t key; /* left << 32 | right, plus 1 so that 0 is empty */
    uint32_t rank;
    int32_t id;
};
struct tokenizer_bpe {
    struct tokenizer_merge *merges; /* open addressing */
    size_t slots, count;
    uint32_t *rank;  /* SentencePiece mode: per id, the place of its score; pairs are found by their
                        text */
    bool byte_level; /* words come as raw bytes and are looked up in GPT-2's alphabet */
    bool ignore_merges;
    bool fuse_unknown;
    int32_t unknown;       /* -1: characters not in the vocabulary are dropped */
    int32_t fallback[256]; /* ids of <0x00> .. <0xFF>, -1 each when not used */
    bool has_fallback;
    int32_t code_id[512];  /* ids of the single characters below U+0200, -1 when absent */
    int32_t last_merge;    /* while loading: what the merge before became */
    char *prefix, *suffix; /* continuing_subword_prefix, end_of_word_suffix; NULL when empty */
};
struct tokenizer_bpe_work { /* scratch */
    struct tokenizer_symbol *symbols;
    size_t symbol_room;
    struct tokenizer_candidate *heap;
    size_t heap_count, heap_room;
    struct base_buffer mapped;
};
int tokenizer_bpe_merge_put(struct tokenizer_bpe *b, int32_t left, int32_t right, uint32_t rank,
                            int32_t id);
int tokenizer_bpe_reserve(struct tokenizer_bpe *b, size_t merges);
/* Fills code_id and fallback from the vocabulary. */
void tokenizer_bpe_prepare(struct tokenizer_bpe *b, const struct tokenizer_vocabulary *v,
                           bool byte_fallback);
void tokenizer_fallback_ids(const struct tokenizer_vocabulary *v, int32_t ids[256], bool *all);
int tokenizer_bpe_word(const struct tokenizer_bpe *b, const struct tokenizer_vocabulary *v,
                       struct tokenizer_bpe_work *w, const char *word, size_t n,
                       struct tokenizer_tokens *out);
void tokenizer_bpe_free(struct tokenizer_bpe *b);
void tokenizer_bpe_work_free(struct tokenizer_bpe_work *w);

struct tokenizer_unigram {
    double *score;   /* per id */
    uint8_t *usable; /* per id: takes part in the search */
    double unknown_score;
    int32_t unknown;
    int32_t fallback[256];
    bool has_fallback;
    uint64_t *edge_key; /* trie: node << 8 | byte, plus 1; open addressing */
    uint32_t *edge_to;
    size_t edges, edge_slots;
    int32_t *node_id; /* per node: the piece that ends here, or -1 */
    size_t nodes, node_room;
};
struct tokenizer_unigram_work {
    struct tokenizer_best *best;
    size_t room;
};
/* score and usable are owned by u and filled; builds the trie. */
int tokenizer_unigram_prepare(struct tokenizer_unigram *u, const struct tokenizer_vocabulary *v,
                              size_t count);
int tokenizer_unigram_word(const struct tokenizer_unigram *u, struct tokenizer_unigram_work *w,
                           const char *word, size_t n, struct tokenizer_tokens *out);
void tokenizer_unigram_free(struct tokenizer_unigram *u);

struct tokenizer_wordpiece {
    char *prefix;
    int32_t unknown;
    size_t max_characters;
    bool whole; /* word level: the word or unknown, nothing smaller */
};
int tokenizer_wordpiece_word(const struct tokenizer_wordpiece *p,
                             const struct tokenizer_vocabulary *v, struct base_buffer *scratch,
                             const char *word, size_t n, struct tokenizer_tokens *out);

/* ---- decoding -------------------------------------------------------------------------------- */

enum tokenizer_stage_kind {
    STAGE_BYTE_LEVEL,
    STAGE_BYTE_FALLBACK,
    STAGE_FUSE,
    STAGE_STRIP,
    STAGE_REPLACE,
    STAGE_METASPACE,
    STAGE_WORDPIECE,
    STAGE_SUFFIX, /* </w> becomes a blank, or nothing at the end */
    STAGE_JOIN,   /* no decoder at all: pieces with blanks between */
    STAGE_SENTENCEPIECE,
};
struct tokenizer_stage {
    enum tokenizer_stage_kind kind;
    char *content; /* STRIP: one character; REPLACE: the new text; METASPACE, WORDPIECE, SUFFIX: the
                      mark */
    size_t n;
    size_t start, stop;               /* STRIP: how many at each end */
    bool prefix;                      /* METASPACE, SENTENCEPIECE: the first blank is dropped */
    bool cleanup;                     /* WORDPIECE; SENTENCEPIECE: every leading blank is dropped */
    struct tokenizer_pattern pattern; /* REPLACE */
};
void tokenizer_stage_free(struct tokenizer_stage *s);

/* ---- the tokenizer --------------------------------------------------------------------------- */

enum tokenizer_model_kind { MODEL_BPE, MODEL_UNIGRAM, MODEL_WORDPIECE };
enum tokenizer_entry { /* SentencePiece's and GGUF's kinds of vocabulary entries */
                       ENTRY_NORMAL = 1,
                       ENTRY_UNKNOWN,
                       ENTRY_CONTROL,
                       ENTRY_USER,
                       ENTRY_UNUSED,
                       ENTRY_BYTE,
};
struct tokenizer {
    struct tokenizer_vocabulary vocabulary;
    enum tokenizer_model_kind kind;
    struct tokenizer_bpe bpe;
    struct tokenizer_unigram unigram;
    struct tokenizer_wordpiece wordpiece;

    uint8_t *special; /* per id, vocabulary.count of them (tokenizer_finish) */
    uint8_t *entry;   /* per id enum tokenizer_entry, or NULL (not SentencePiece) */
    struct tokenizer_added_set listed;     /* as read: gathered before tokenizer_finish */
    struct tokenizer_added_set raw;        /* searched in the raw text */
    struct tokenizer_added_set normalized; /* searched in the normalised text */

    struct tokenizer_normalizer *normalizers;
    size_t normalizer_count;
    struct tokenizer_step *steps;
    size_t step_count;
    struct tokenizer_stage *stages;
    size_t stage_count;

    int32_t *before, *after; /* the template: ids in front of and behind the text */
    size_t before_count, after_count;
    bool keeps_bytes; /* bytes that are not UTF-8 reach the vocabulary as they are */
    int32_t bos, eos, pad, unk;
    char *unknown_surface; /* SentencePiece: what an unknown token decodes to */
    char *chat_template;
    char hash[BASE_SHA256_HEX];
};
int tokenizer_new(struct tokenizer **out);
int tokenizer_normalizer_add(struct tokenizer *t, struct tokenizer_normalizer **out);
int tokenizer_step_add(struct tokenizer *t, struct tokenizer_step **out);
int tokenizer_stage_add(struct tokenizer *t, struct tokenizer_stage **out);
/* An added token; a content that the vocabulary does not hold is put there under id. */
int tokenizer_added_list(struct tokenizer *t, struct tokenizer_added token, const char *content,
                         size_t n, size_t id, const char *where);
int tokenizer_template_add(int32_t **ids, size_t *count, int32_t id);
/* Last step of every loader: sorts the added tokens, derives what encoding needs. */
int tokenizer_finish(struct tokenizer *t);

/* Readers. name is for messages. */
int tokenizer_read_json(struct tokenizer *t, const char *text, size_t bytes, const char *name);
int tokenizer_read_files(struct tokenizer *t, const char *vocab, size_t vocab_bytes,
                         const char *merges, size_t merges_bytes, const char *name);
int tokenizer_read_sentencepiece(struct tokenizer *t, const void *data, size_t bytes,
                                 const char *name);
struct model_archive;
int tokenizer_read_gguf(struct tokenizer *t, const struct model_archive *archive);
int tokenizer_read_scored(struct tokenizer *t, const struct model_archive *archive, bool unigram);
/* One line of merges.txt, "left right". joined is scratch. */
int tokenizer_merge_line(struct tokenizer *t, const char *line, size_t n, size_t rank,
                         struct base_buffer *joined, const char *name);
/* An object with those of the given members (16 at most) that the text's object has. The other
 * members are not looked at: tokenizer_config.json's model_max_length is an integer beyond 64 bits.
 */
int tokenizer_json_members(const char *text, size_t bytes, const char *const *keys, size_t count,
                           const char *name, json_t **out);
/* tokenizer_config.json and special_tokens_map.json: names of the special tokens, chat template.
 * whole: the other file does not say which special tokens surround a text, so this one does. */
int tokenizer_read_config(struct tokenizer *t, const char *text, size_t bytes, bool whole,
                          const char *name);
/* Parts of tokenizer.json, given as JSON values. */
int tokenizer_build_normalizer(struct tokenizer *t, const json_t *value, const char *name,
                               int depth);
int tokenizer_build_steps(struct tokenizer *t, const json_t *value, const char *name, int depth);
int tokenizer_build_stages(struct tokenizer *t, const json_t *value, const char *name, int depth);
int tokenizer_build_template(struct tokenizer *t, const json_t *value, const char *name, int depth);
/* GPT-2's chain: [pattern,] bytes; decoder ByteLevel. */
int tokenizer_use_byte_level(struct tokenizer *t, const char *const *patterns, bool prefix_space);
#endif
