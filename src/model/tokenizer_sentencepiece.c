/* Vocabularies with scores: SentencePiece's .model files (a protobuf message) and GGUF metadata.
 *
 * ModelProto: 1 pieces {1 string piece, 2 float score, 3 enum type}, 2 trainer_spec {3 model_type,
 * 24 treat_whitespace_as_suffix, 35 byte_fallback, 40-43 unk/bos/eos/pad id, 44 unk_surface},
 * 3 normalizer_spec {2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces,
 * 5 escape_whitespaces}. The wire format: varint key = field << 3 | type, then by type a varint, 8
 * bytes, a length and bytes, or 4 bytes. Unknown fields are passed, as protobuf asks. */
#include "base/reader.h"
#include "model/archive.h"
#include "model/tokenizer_private.h"
#include <math.h>
#include <stdlib.h>

/* ---- protobuf -------------------------------------------------------------------------------- */

struct field {
    uint64_t number;
    int type;         /* 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
    uint64_t value;   /* types 0, 1, 5 */
    const void *data; /* type 2 */
    size_t bytes;
};

static uint64_t varint(struct base_reader *r)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t byte = base_reader_u8(r);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    r->failed = true;
    return 0;
}

/* The next field: 1, 0 at the end, -1 when the bytes break the format. */
static int field_next(struct base_reader *r, struct field *f)
{
    if (base_reader_ok(r) && base_reader_left(r) == 0)
        return 0;
    uint64_t key = varint(r);
    *f = (struct field){ .number = key >> 3, .type = (int)(key & 7) };
    switch (f->type) {
    case 0:
        f->value = varint(r);
        break;
    case 1:
        f->value = base_reader_u64(r);
        break;
    case 5:
        f->value = base_reader_u32(r);
        break;
    case 2:
        f->value = varint(r);
        if (f->value > base_reader_left(r))
            return -1;
        f->bytes = (size_t)f->value;
        f->data = f->bytes ? (const void *)base_reader_take(r, f->bytes) : "";
        break;
    default:
        return -1;
    }
    return base_reader_ok(r) && f->number ? 1 : -1;
}

static float float_of(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

/* ---- what both sources share ----------------------------------------------------------------- */

struct scored {
    struct tokenizer *t;
    double *score;
    uint8_t *entry;
    size_t count, room;
    bool unigram, fallback;
    bool dummy_prefix, collapse, escape, suffix;
    bool user_in_normalized; /* SentencePiece looks for user pieces in the normalised text */
    const void *charsmap;
    size_t charsmap_bytes;
    const char *name;
};

static int scored_add(struct scored *s, const char *piece, size_t n, double score, int entry)
{
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 1024;
        double *scores = base_realloc(s->score, room, sizeof *scores);
        if (!scores)
            return BASE_E_MEMORY;
        s->score = scores;
        uint8_t *entries = base_realloc(s->entry, room, 1);
        if (!entries)
            return BASE_E_MEMORY;
        s->entry = entries;
        s->room = room;
    }
    if (entry < ENTRY_NORMAL || entry > ENTRY_BYTE)
        return base_error_set(BASE_E_FORMAT, "%s: piece %zu: type %d is not known", s->name,
                              s->count, entry);
    if (!isfinite(score))
        return base_error_set(BASE_E_FORMAT, "%s: piece %zu: score is not a finite number", s->name,
                              s->count);
    int rc = tokenizer_vocabulary_put(&s->t->vocabulary, s->count, piece, n, s->name);
    if (rc)
        return rc;
    s->score[s->count] = score;
    s->entry[s->count++] = (uint8_t)entry;
    return 0;
}

static int by_score(const void *a, const void *b)
{
    double x = **(const double *const *)a, y = **(const double *const *)b;
    return x > y ? -1 : x < y;
}

/* rank[id]: the place of the piece's score among all, equal scores sharing one. */
static int bpe_ranks(struct scored *s)
{
    const double **order = base_alloc(s->count, sizeof *order);
    uint32_t *rank = base_alloc(s->count, sizeof *rank);
    if (!order || !rank) {
        base_free(order);
        base_free(rank);
        return BASE_E_MEMORY;
    }
    for (size_t i = 0; i < s->count; i++)
        order[i] = &s->score[i];
    qsort(order, s->count, sizeof *order, by_score);
    uint32_t place = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (i && *order[i] != *order[i - 1])
            place++;
        rank[order[i] - s->score] = place;
    }
    for (size_t i = 0; i < s->count; i++)
        if (s->entry[i] != ENTRY_NORMAL) /* never the result of joining */
            rank[i] = UINT32_MAX;
    base_free(order);
    s->t->bpe.rank = rank;
    return 0;
}

static int scored_normalizers(struct scored *s)
{
    struct tokenizer_normalizer *n;
    int rc;
    if (s->charsmap_bytes) {
        rc = tokenizer_normalizer_add(s->t, &n);
        if (rc)
            return rc;
        n->kind = NORMALIZE_CHARSMAP;
        rc = tokenizer_charsmap_new(&n->map, s->charsmap, s->charsmap_bytes, s->name);
        if (rc)
            return rc;
    }
    rc = tokenizer_normalizer_add(s->t, &n);
    if (rc)
        return rc;
    n->kind = NORMALIZE_SENTENCEPIECE;
    n->left = s->dummy_prefix;
    n->right = s->suffix;
    n->collapse = s->collapse;
    n->escape = s->escape;
    return 0;
}

/* Turns the gathered pieces into the model; takes score and entry over. */
static int scored_finish(struct scored *s)
{
    struct tokenizer *t = s->t;
    int32_t unknown = -1;
    int rc = 0;
    if (s->count == 0)
        return base_error_set(BASE_E_FORMAT, "%s: no pieces: not a SentencePiece model", s->name);
    for (size_t i = 0; i < s->count && !rc; i++) {
        if (s->entry[i] == ENTRY_UNKNOWN && unknown < 0)
            unknown = (int32_t)i;
        bool special = s->entry[i] == ENTRY_CONTROL;
        if (!special && s->entry[i] != ENTRY_USER)
            continue;
        size_t n;
        const char *piece = tokenizer_vocabulary_piece(&t->vocabulary, (int32_t)i, &n);
        struct tokenizer_added token = { .special = special, .id = (int32_t)i, .n = n };
        token.content = (char *)piece;
        token.normalized = token.as_is = !special && s->user_in_normalized;
        if (n)
            rc = tokenizer_added_put(&t->listed, &token);
    }
    if (!rc)
        rc = scored_normalizers(s);
    if (rc)
        return rc;
    if (s->unigram) {
        struct tokenizer_unigram *u = &t->unigram;
        t->kind = MODEL_UNIGRAM;
        u->unknown = unknown;
        u->usable = base_alloc_zero(s->count, 1);
        if (!u->usable)
            return BASE_E_MEMORY;
        for (size_t i = 0; i < s->count; i++)
            u->usable[i] = s->entry[i] == ENTRY_NORMAL;
        u->score = s->score;
        s->score = NULL;
        if (s->fallback)
            tokenizer_fallback_ids(&t->vocabulary, u->fallback, &u->has_fallback);
        rc = tokenizer_unigram_prepare(u, &t->vocabulary, s->count);
    } else {
        t->kind = MODEL_BPE;
        t->bpe.unknown = unknown;
        t->bpe.fuse_unknown = true;
        rc = bpe_ranks(s);
        tokenizer_bpe_prepare(&t->bpe, &t->vocabulary, s->fallback);
    }
    t->entry = s->entry;
    s->entry = NULL;
    struct tokenizer_stage *stage;
    if (!rc)
        rc = tokenizer_stage_add(t, &stage);
    if (!rc) {
        stage->kind = STAGE_SENTENCEPIECE;
        stage->prefix = s->dummy_prefix || s->collapse;
        stage->cleanup = s->collapse;
    }
    if (!rc && !t->unknown_surface) {
        t->unknown_surface = base_strdup(" \xe2\x81\x87 ");
        rc = t->unknown_surface ? 0 : BASE_E_MEMORY;
    }
    return rc;
}

/* ---- .model ---------------------------------------------------------------------------------- */

static int read_piece(struct scored *s, const struct field *outer)
{
    struct base_reader r = base_reader_make(outer->data, outer->bytes);
    struct field f;
    const char *piece = "";
    size_t n = 0;
    float score = 0;
    int entry = ENTRY_NORMAL, more;
    while ((more = field_next(&r, &f)) > 0) {
        if (f.number == 1 && f.type == 2) {
            piece = f.data;
            n = f.bytes;
        } else if (f.number == 2 && f.type == 5) {
            score = float_of(f.value);
        } else if (f.number == 3 && f.type == 0) {
            entry = f.value > 100 ? 100 : (int)f.value;
        }
    }
    if (more < 0)
        return base_error_set(BASE_E_FORMAT, "%s: piece %zu: broken protobuf", s->name, s->count);
    if (n == 0 || base_utf8_invalid(piece, n) != n || memchr(piece, 0, n))
        return base_error_set(BASE_E_FORMAT, "%s: piece %zu is empty or not UTF-8", s->name,
                              s->count);
    return scored_add(s, piece, n, score, entry);
}

struct ids {
    int32_t unk, bos, eos, pad;
};

static int read_trainer(struct scored *s, const struct field *outer, struct ids *ids)
{
    struct base_reader r = base_reader_make(outer->data, outer->bytes);
    struct field f;
    int more;
    while ((more = field_next(&r, &f)) > 0) {
        if (f.type == 0) {
            int32_t id = (int32_t)(int64_t)f.value;
            switch (f.number) {
            case 3:
                if (f.value != 1 && f.value != 2)
                    return base_error_set(BASE_E_UNSUPPORTED,
                                          "%s: model type %llu: only unigram (1) and BPE (2)",
                                          s->name, (unsigned long long)f.value);
                s->unigram = f.value == 1;
                break;
            case 24:
                s->suffix = f.value != 0;
                break;
            case 35:
                s->fallback = f.value != 0;
                break;
            case 40:
                ids->unk = id;
                break;
            case 41:
                ids->bos = id;
                break;
            case 42:
                ids->eos = id;
                break;
            case 43:
                ids->pad = id;
                break;
            }
        } else if (f.number == 44 && f.type == 2) {
            if (base_utf8_invalid(f.data, f.bytes) != f.bytes)
                return base_error_set(BASE_E_FORMAT, "%s: unk_surface is not UTF-8", s->name);
            base_free(s->t->unknown_surface);
            s->t->unknown_surface = base_strndup(f.data, f.bytes);
            if (!s->t->unknown_surface)
                return BASE_E_MEMORY;
        }
    }
    return more < 0 ? base_error_set(BASE_E_FORMAT, "%s: trainer_spec: broken protobuf", s->name)
                    : 0;
}

static int read_normalizer(struct scored *s, const struct field *outer)
{
    struct base_reader r = base_reader_make(outer->data, outer->bytes);
    struct field f;
    int more;
    while ((more = field_next(&r, &f)) > 0) {
        if (f.number == 2 && f.type == 2) {
            s->charsmap = f.data;
            s->charsmap_bytes = f.bytes;
        } else if (f.type == 0 && f.number == 3) {
            s->dummy_prefix = f.value != 0;
        } else if (f.type == 0 && f.number == 4) {
            s->collapse = f.value != 0;
        } else if (f.type == 0 && f.number == 5) {
            s->escape = f.value != 0;
        }
    }
    return more < 0 ? base_error_set(BASE_E_FORMAT, "%s: normalizer_spec: broken protobuf", s->name)
                    : 0;
}

int tokenizer_read_sentencepiece(struct tokenizer *t, const void *data, size_t bytes,
                                 const char *name)
{
    struct base_reader r = base_reader_make(data, bytes);
    struct scored s = { .t = t,
                        .unigram = true,
                        .dummy_prefix = true,
                        .collapse = true,
                        .escape = true,
                        .user_in_normalized = true,
                        .name = name };
    struct ids ids = { .unk = 0, .bos = 1, .eos = 2, .pad = -1 };
    struct field f;
    int rc = 0, more;
    while (!rc && (more = field_next(&r, &f)) != 0) {
        if (more < 0)
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: byte %zu: neither JSON nor a SentencePiece model (broken "
                                "protobuf)",
                                name, r.position);
        else if (f.type == 2 && f.number == 1)
            rc = read_piece(&s, &f);
        else if (f.type == 2 && f.number == 2)
            rc = read_trainer(&s, &f, &ids);
        else if (f.type == 2 && f.number == 3)
            rc = read_normalizer(&s, &f);
        else if (f.type == 2 && f.number == 5) { /* denormalizer_spec */
            struct scored inner = { .name = name };
            rc = read_normalizer(&inner, &f);
            if (!rc && inner.charsmap_bytes)
                rc =
                    base_error_set(BASE_E_UNSUPPORTED, "%s: a denormalizer is not supported", name);
        }
    }
    if (!rc)
        rc = scored_finish(&s);
    if (!rc) {
        int32_t n = (int32_t)t->vocabulary.count;
        t->unk = ids.unk >= 0 && ids.unk < n ? ids.unk : -1;
        t->bos = ids.bos >= 0 && ids.bos < n && t->entry[ids.bos] == ENTRY_CONTROL ? ids.bos : -1;
        t->eos = ids.eos >= 0 && ids.eos < n && t->entry[ids.eos] == ENTRY_CONTROL ? ids.eos : -1;
        t->pad = ids.pad >= 0 && ids.pad < n ? ids.pad : -1;
    }
    base_free(s.score);
    base_free(s.entry);
    return rc;
}

/* ---- GGUF ------------------------------------------------------------------------------------ */

int tokenizer_read_scored(struct tokenizer *t, const struct model_archive *archive, bool unigram)
{
    const json_t *meta = model_archive_metadata(archive);
    const struct model_array *tokens = model_archive_array(archive, "tokenizer.ggml.tokens");
    const struct model_array *types = model_archive_array(archive, "tokenizer.ggml.token_type");
    const struct model_array *scores = model_archive_array(archive, "tokenizer.ggml.scores");
    const struct model_array *map =
        model_archive_array(archive, "tokenizer.ggml.precompiled_charsmap");
    struct scored s = { .t = t,
                        .unigram = unigram,
                        .fallback = true,
                        .dummy_prefix = true,
                        .collapse = unigram,
                        .escape = true,
                        .name = model_archive_path(archive) };
    uint8_t *bytes = NULL;
    size_t count = model_array_count(tokens);
    if (!scores || model_array_count(scores) != count ||
        (types && model_array_count(types) != count))
        return base_error_set(BASE_E_FORMAT,
                              "%s: tokenizer.ggml.scores and token_type: expected %zu elements, as "
                              "tokens has",
                              s.name, count);
    int rc =
        base_json_get_bool(meta, "tokenizer.ggml.add_space_prefix", s.name, false, &s.dummy_prefix);
    if (!rc)
        rc = base_json_get_bool(meta, "tokenizer.ggml.remove_extra_whitespaces", s.name, false,
                                &s.collapse);
    for (size_t i = 0; i < count && !rc; i++) {
        size_t n;
        const char *piece = model_array_string(tokens, i, &n);
        int64_t entry = types ? model_array_int(types, i) : ENTRY_NORMAL;
        if (!piece)
            rc = base_error_set(BASE_E_FORMAT, "%s: tokenizer.ggml.tokens[%zu]: expected a string",
                                s.name, i);
        else
            rc = scored_add(&s, piece, n, model_array_double(scores, i),
                            entry < 0 || entry > 100 ? 100 : (int)entry);
    }
    if (!rc && map && model_array_is_number(map)) {
        s.charsmap_bytes = model_array_count(map);
        bytes = base_alloc(s.charsmap_bytes, 1);
        if (!bytes)
            rc = BASE_E_MEMORY;
        for (size_t i = 0; i < s.charsmap_bytes && !rc; i++)
            bytes[i] = (uint8_t)model_array_int(map, i);
        s.charsmap = bytes;
    }
    if (!rc)
        rc = scored_finish(&s);
    base_free(bytes);
    base_free(s.score);
    base_free(s.entry);
    return rc;
}
