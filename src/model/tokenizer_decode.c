/* Decoding: pieces flow through the tokenizer's chain of stages, each of which hands fragments of
 * text to the next. A fragment says whether it begins and whether it ends a piece, so that stages
 * that join pieces (byte level, fuse) need not hold back what is already certain: a stream gets
 * every character as soon as nothing that follows can change it.
 *
 * tokenizer_decode is the stream put through at once, so the two cannot differ. Bytes that are not
 * UTF-8 become U+FFFD as in Hugging Face's library: per maximal subpart for byte-level text, per
 * byte for a run of <0x..> tokens that is not UTF-8 as a whole (which is why such a run is held
 * until it ends). */
#include "model/tokenizer_private.h"

struct stage_state {
    const struct tokenizer_stage *stage;
    struct base_buffer held;
    size_t pieces; /* begun so far */
    size_t left;   /* STRIP: how many may still go at this piece's start */
    bool open;     /* inside an output piece */
    bool begun;    /* SENTENCEPIECE: some text has been given out */
};
struct tokenizer_stream {
    const struct tokenizer *t;
    bool skip_special;
    struct base_buffer out;
    struct tokenizer_matcher *matcher;
    size_t count;
    struct stage_state state[];
};

void tokenizer_stage_free(struct tokenizer_stage *s)
{
    base_free(s->content);
    tokenizer_pattern_free(&s->pattern);
    *s = (struct tokenizer_stage){ 0 };
}

static int put(struct tokenizer_stream *s, size_t i, const char *text, size_t n, bool begin,
               bool end);

/* "<0x41>" -> 0x41, or -1. */
static int fallback_byte(const char *s, size_t n)
{
    if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>')
        return -1;
    int value = 0;
    for (int i = 3; i < 5; i++) {
        char c = s[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static int put_byte_level(struct tokenizer_stream *s, size_t i, const char *text, size_t n,
                          bool begin)
{
    struct stage_state *st = &s->state[i];
    bool mapped = true; /* every character stands for a byte; if not, the piece is text */
    for (size_t at = 0; at < n && mapped;) {
        uint32_t code;
        at += tokenizer_char(text + at, n - at, &code);
        mapped = tokenizer_code_to_byte(code) >= 0;
    }
    int rc = 0;
    if (!mapped)
        rc = base_buffer_append(&st->held, text, n);
    for (size_t at = 0; at < n && mapped && !rc;) {
        uint32_t code;
        at += tokenizer_char(text + at, n - at, &code);
        char byte = (char)tokenizer_code_to_byte(code);
        rc = base_buffer_append(&st->held, &byte, 1);
    }
    size_t whole = rc ? 0 : base_utf8_complete(st->held.data, st->held.length);
    if (whole == 0)
        return rc;
    (void)begin;
    size_t length;
    char *clean = base_utf8_repair(st->held.data, whole, &length);
    if (!clean)
        return BASE_E_MEMORY;
    memmove(st->held.data, st->held.data + whole, st->held.length - whole);
    st->held.length -= whole;
    rc = put(s, i + 1, clean, length, !st->open, false);
    st->open = true;
    base_free(clean);
    return rc;
}

/* Gives out the run of byte tokens: as text when it is UTF-8, else one U+FFFD per byte.
 * per_character is SentencePiece's rule: what is UTF-8 stays, only the bad bytes are replaced. */
static int release_bytes(struct tokenizer_stream *s, size_t i, bool per_character)
{
    struct stage_state *st = &s->state[i];
    size_t n = st->held.length;
    if (n == 0)
        return 0;
    st->begun = true;
    int rc = 0;
    if (base_utf8_invalid(st->held.data, n) == n) {
        rc = put(s, i + 1, st->held.data, n, true, true);
    } else {
        struct base_buffer text = { 0 };
        for (size_t at = 0; at < n && !rc;) {
            uint32_t code;
            size_t k = base_utf8_decode(st->held.data + at, n - at, &code);
            if (k && per_character) {
                rc = base_buffer_append(&text, st->held.data + at, k);
            } else {
                k = 1;
                rc = base_buffer_append(&text, "\xef\xbf\xbd", 3);
            }
            at += k;
        }
        if (!rc)
            rc = put(s, i + 1, text.data, text.length, true, true);
        base_buffer_free(&text);
    }
    base_buffer_clear(&st->held);
    return rc;
}

static int put_strip(struct tokenizer_stream *s, size_t i, const char *text, size_t n, bool begin,
                     bool end)
{
    struct stage_state *st = &s->state[i];
    const struct tokenizer_stage *g = st->stage;
    if (begin) {
        st->left = g->start;
        base_buffer_clear(&st->held);
    }
    while (st->left && g->n && n >= g->n && memcmp(text, g->content, g->n) == 0) {
        text += g->n, n -= g->n;
        st->left--;
    }
    if (n)
        st->left = 0;
    if (!g->stop)
        return put(s, i + 1, text, n, begin, end);
    /* hold the trailing characters that may be the piece's last ones */
    int rc = base_buffer_append(&st->held, text, n);
    if (rc)
        return rc;
    size_t keep = 0, length = st->held.length;
    while (keep < g->stop && g->n && (keep + 1) * g->n <= length &&
           memcmp(st->held.data + length - (keep + 1) * g->n, g->content, g->n) == 0)
        keep++;
    size_t give = length - keep * g->n;
    rc = put(s, i + 1, st->held.data ? st->held.data : "", give, begin, end);
    if (end)
        base_buffer_clear(&st->held);
    else if (give) {
        memmove(st->held.data, st->held.data + give, length - give);
        st->held.length = length - give;
    }
    return rc;
}

/* Whole pieces only: fragments are gathered until the piece ends. */
static int put_replace(struct tokenizer_stream *s, size_t i, const char *text, size_t n, bool begin,
                       bool end)
{
    struct stage_state *st = &s->state[i];
    const struct tokenizer_stage *g = st->stage;
    struct base_buffer out = { 0 };
    int rc = 0;
    if (begin)
        base_buffer_clear(&st->held);
    if (!(begin && end)) {
        rc = base_buffer_append(&st->held, text, n);
        if (rc || !end)
            return rc;
        text = st->held.data ? st->held.data : "";
        n = st->held.length;
    }
    size_t at = 0, last = 0;
    tokenizer_matcher_reset(s->matcher);
    while (at <= n && !rc) {
        size_t from, to;
        int hit = tokenizer_pattern_find(&g->pattern, &s->matcher, text, n, at, &from, &to);
        if (hit <= 0) {
            rc = hit;
            break;
        }
        rc = base_buffer_append(&out, text + last, from - last);
        if (!rc)
            rc = base_buffer_append(&out, g->content, g->n);
        last = to;
        at = to > from ? to : to + 1;
        while (at < n && ((unsigned char)text[at] & 0xc0) == 0x80)
            at++;
    }
    if (!rc)
        rc = base_buffer_append(&out, text + last, n - last);
    if (!rc)
        rc = put(s, i + 1, out.data ? out.data : "", out.length, true, true);
    base_buffer_free(&out);
    return rc;
}

static int put_metaspace(struct tokenizer_stream *s, size_t i, const char *text, size_t n,
                         bool begin, bool end)
{
    struct stage_state *st = &s->state[i];
    const struct tokenizer_stage *g = st->stage;
    struct base_buffer out = { 0 };
    int rc = 0;
    for (size_t at = 0; at < n && !rc;) {
        if (g->n && n - at >= g->n && memcmp(text + at, g->content, g->n) == 0) {
            if (!(g->prefix && st->pieces == 1)) /* the first piece loses its marks */
                rc = base_buffer_append(&out, " ", 1);
            at += g->n;
        } else {
            rc = base_buffer_append(&out, text + at++, 1);
        }
    }
    if (!rc)
        rc = put(s, i + 1, out.data ? out.data : "", out.length, begin, end);
    base_buffer_free(&out);
    return rc;
}

/* BERT's tidying of one piece: a blank before punctuation and in English contractions goes. */
static int cleanup(struct base_buffer *b)
{
    static const char *const rules[][2] = {
        { " .", "." },   { " ?", "?" },     { " !", "!" },     { " ,", "," },
        { " ' ", "'" },  { " n't", "n't" }, { " 'm", "'m" },   { " do not", " don't" },
        { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
    };
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        size_t from = strlen(rules[r][0]), to = strlen(rules[r][1]); /* to <= from */
        for (size_t i = 0; i + from <= b->length;) {
            if (memcmp(b->data + i, rules[r][0], from) != 0) {
                i++;
                continue;
            }
            memcpy(b->data + i, rules[r][1], to);
            memmove(b->data + i + to, b->data + i + from, b->length - i - from + 1);
            b->length -= from - to;
            i += to;
        }
    }
    return 0;
}

static int put_wordpiece(struct tokenizer_stream *s, size_t i, const char *text, size_t n,
                         bool begin, bool end)
{
    struct stage_state *st = &s->state[i];
    const struct tokenizer_stage *g = st->stage;
    struct base_buffer out = { 0 };
    int rc = 0;
    if (begin && st->pieces > 1) {
        if (g->n && n >= g->n && memcmp(text, g->content, g->n) == 0)
            text += g->n, n -= g->n;
        else
            rc = base_buffer_append(&out, " ", 1);
    }
    if (!rc)
        rc = base_buffer_append(&out, text, n);
    if (!rc && g->cleanup && out.length)
        rc = cleanup(&out);
    if (!rc)
        rc = put(s, i + 1, out.data ? out.data : "", out.length, begin, end);
    base_buffer_free(&out);
    return rc;
}

/* Gives out the held piece; its end-of-word marks become blanks, or nothing in the last piece. */
static int release_suffix(struct tokenizer_stream *s, size_t i, bool last)
{
    struct stage_state *st = &s->state[i];
    const struct tokenizer_stage *g = st->stage;
    struct base_buffer out = { 0 };
    int rc = 0;
    for (size_t at = 0; at < st->held.length && !rc;) {
        if (g->n && st->held.length - at >= g->n &&
            memcmp(st->held.data + at, g->content, g->n) == 0) {
            if (!last)
                rc = base_buffer_append(&out, " ", 1);
            at += g->n;
        } else {
            rc = base_buffer_append(&out, st->held.data + at++, 1);
        }
    }
    base_buffer_clear(&st->held);
    if (!rc)
        rc = put(s, i + 1, out.data ? out.data : "", out.length, true, true);
    base_buffer_free(&out);
    return rc;
}

static int put_sentencepiece(struct tokenizer_stream *s, size_t i, const char *text, size_t n)
{
    struct stage_state *st = &s->state[i];
    size_t mark = strlen(TOKENIZER_SPACE);
    struct base_buffer out = { 0 };
    int rc = 0;
    if (!st->begun && st->stage->prefix && n >= mark && memcmp(text, TOKENIZER_SPACE, mark) == 0) {
        text += mark, n -= mark;         /* the blank that encoding put in front */
        st->begun = !st->stage->cleanup; /* where blanks are dropped, those of later pieces too */
    }
    st->begun = st->begun || n > 0;
    for (size_t at = 0; at < n && !rc;) {
        if (n - at >= mark && memcmp(text + at, TOKENIZER_SPACE, mark) == 0) {
            rc = base_buffer_append(&out, " ", 1);
            at += mark;
        } else {
            rc = base_buffer_append(&out, text + at++, 1);
        }
    }
    if (!rc)
        rc = put(s, i + 1, out.data ? out.data : "", out.length, true, true);
    base_buffer_free(&out);
    return rc;
}

/* One fragment into stage i (or the output, behind the last stage). */
static int put(struct tokenizer_stream *s, size_t i, const char *text, size_t n, bool begin,
               bool end)
{
    if (i == s->count)
        return base_buffer_append(&s->out, text, n);
    struct stage_state *st = &s->state[i];
    st->pieces += begin;
    int rc, byte;
    switch (st->stage->kind) {
    case STAGE_BYTE_LEVEL:
        return put_byte_level(s, i, text, n, begin);
    case STAGE_BYTE_FALLBACK:
        byte = begin && end ? fallback_byte(text, n) : -1;
        if (byte >= 0) {
            char c = (char)byte;
            return base_buffer_append(&st->held, &c, 1);
        }
        rc = release_bytes(s, i, false);
        return rc ? rc : put(s, i + 1, text, n, begin, end);
    case STAGE_FUSE:
        rc = put(s, i + 1, text, n, !st->open, false);
        st->open = true;
        return rc;
    case STAGE_STRIP:
        return put_strip(s, i, text, n, begin, end);
    case STAGE_REPLACE:
        return put_replace(s, i, text, n, begin, end);
    case STAGE_METASPACE:
        return put_metaspace(s, i, text, n, begin, end);
    case STAGE_WORDPIECE:
        return put_wordpiece(s, i, text, n, begin, end);
    case STAGE_SUFFIX:
        rc = begin && st->pieces > 1 ? release_suffix(s, i, false) : 0;
        return rc ? rc : base_buffer_append(&st->held, text, n);
    case STAGE_JOIN:
        if (begin && st->pieces > 1) {
            rc = put(s, i + 1, " ", 1, true, false);
            return rc ? rc : put(s, i + 1, text, n, false, end);
        }
        return put(s, i + 1, text, n, begin, end);
    case STAGE_SENTENCEPIECE:
        rc = release_bytes(s, i, true);
        return rc ? rc : put_sentencepiece(s, i, text, n);
    }
    return 0;
}

/* No more pieces: everything held goes on, stage after stage. */
static int finish(struct tokenizer_stream *s)
{
    int rc = 0;
    for (size_t i = 0; i < s->count && !rc; i++) {
        struct stage_state *st = &s->state[i];
        size_t length;
        char *clean;
        switch (st->stage->kind) {
        case STAGE_BYTE_LEVEL:
            clean = base_utf8_repair(st->held.data ? st->held.data : "", st->held.length, &length);
            rc = clean ? put(s, i + 1, clean, length, !st->open, true) : BASE_E_MEMORY;
            base_free(clean);
            break;
        case STAGE_BYTE_FALLBACK:
        case STAGE_SENTENCEPIECE:
            rc = release_bytes(s, i, st->stage->kind == STAGE_SENTENCEPIECE);
            break;
        case STAGE_FUSE:
            rc = put(s, i + 1, "", 0, !st->open, true);
            break;
        case STAGE_SUFFIX:
            rc = st->pieces ? release_suffix(s, i, true) : 0;
            break;
        default:
            break;
        }
        base_buffer_clear(&st->held);
        st->pieces = 0;
        st->open = st->begun = false;
    }
    return rc;
}

int tokenizer_stream_new(struct tokenizer_stream **out, const struct tokenizer *t,
                         bool skip_special)
{
    struct tokenizer_stream *s = base_alloc_zero(1, sizeof *s + t->stage_count * sizeof *s->state);
    if (!s)
        return BASE_E_MEMORY;
    s->t = t;
    s->skip_special = skip_special;
    s->count = t->stage_count;
    for (size_t i = 0; i < s->count; i++)
        s->state[i].stage = &t->stages[i];
    *out = s;
    return 0;
}

void tokenizer_stream_free(struct tokenizer_stream *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        base_buffer_free(&s->state[i].held);
    base_buffer_free(&s->out);
    tokenizer_matcher_free(s->matcher);
    base_free(s);
}

/* One id into the chain; what comes out is appended to s->out. */
static int stream_id(struct tokenizer_stream *s, int32_t id)
{
    const struct tokenizer *t = s->t;
    if (id < 0 || (size_t)id >= t->vocabulary.count)
        return base_error_set(BASE_E_ARGUMENT, "token id %d is not in the vocabulary (0 to %zu)",
                              id, t->vocabulary.count ? t->vocabulary.count - 1 : 0);
    size_t n;
    const char *piece = tokenizer_vocabulary_piece(&t->vocabulary, id, &n);
    if (!piece ||
        (s->skip_special && t->special[id] && !(t->entry && t->entry[id] == ENTRY_UNKNOWN)))
        return 0;
    if (t->entry && s->count) {
        /* SentencePiece: bytes join the run, control pieces are nothing, unknown has its own look
         */
        struct stage_state *st = &s->state[0];
        int byte = t->entry[id] == ENTRY_BYTE ? fallback_byte(piece, n) : -1;
        if (byte >= 0) {
            char c = (char)byte;
            return base_buffer_append(&st->held, &c, 1);
        }
        if (t->entry[id] == ENTRY_UNKNOWN && t->unknown_surface) {
            piece = t->unknown_surface;
            n = strlen(piece);
        }
    }
    return put(s, 0, piece, n, true, true);
}

int tokenizer_stream_put(struct tokenizer_stream *s, int32_t id, const char **piece, size_t *bytes)
{
    base_buffer_clear(&s->out);
    int rc = stream_id(s, id);
    *piece = s->out.data ? s->out.data : "";
    *bytes = s->out.length;
    return rc;
}

int tokenizer_stream_flush(struct tokenizer_stream *s, const char **piece, size_t *bytes)
{
    base_buffer_clear(&s->out);
    int rc = finish(s);
    *piece = s->out.data ? s->out.data : "";
    *bytes = s->out.length;
    return rc;
}

int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                     char **text, size_t *bytes)
{
    struct tokenizer_stream *s;
    int rc = tokenizer_stream_new(&s, t, skip_special);
    if (rc)
        return rc;
    for (size_t i = 0; i < n && !rc; i++)
        rc = stream_id(s, ids[i]);
    if (!rc)
        rc = finish(s);
    if (!rc) {
        size_t length = s->out.length;
        *text = base_buffer_take(&s->out);
        if (!*text)
            rc = BASE_E_MEMORY;
        else if (bytes)
            *bytes = length;
    }
    tokenizer_stream_free(s);
    return rc;
}
