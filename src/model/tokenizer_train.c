/* Training a byte-level BPE: count the words of the files, then join the most frequent pair of
 * neighbours again and again (Sennrich et al. 2016), among equals the pair with the smaller ids.
 *
 * Counts are kept up to date: each pair knows the words it stands in, so a merge touches only
 * those; a heap holds the pairs by count, and an entry whose count has changed since is put back
 * with the true one when it comes up. The result is that of recounting everything before every
 * merge.
 *
 * Files are streamed: a chunk ends between a letter and the blank or line end behind it, where
 * every split pattern ends a word and nothing looks across; so the words are those of the whole
 * file. Text of special tokens is left out. */
#include "base/file.h"
#include "base/progress.h"
#include "model/tokenizer_private.h"
#include <errno.h>
#include <stdlib.h>
#include <utf8proc.h>

#define CHUNK ((size_t)1 << 20)

struct word {
    uint64_t count;
    uint32_t text, length;    /* in words.text, raw bytes */
    uint32_t symbol, symbols; /* in trainer.symbols */
};
struct pair {
    uint32_t left, right;
    int64_t count;
    uint32_t *words; /* where it may stand (indices, ascending, no repeats) */
    uint32_t word_count, word_room;
};
struct waiting {
    int64_t count;
    uint32_t left, right; /* for ties */
    uint32_t pair;
};
struct trainer {
    const struct tokenizer_train_options *options;
    struct tokenizer *t; /* its steps split, its vocabulary gathers the pieces */
    struct tokenizer_split_work split;
    struct tokenizer_text text;

    struct base_buffer text_pool;
    struct word *words;
    size_t word_count, word_room;
    uint32_t *slot; /* word index + 1 */
    size_t slots;

    uint32_t *symbols;
    size_t symbol_count;
    struct pair *pairs;
    size_t pair_count, pair_room;
    uint32_t *pair_slot; /* pair index + 1 */
    size_t pair_slots;
    struct waiting *heap;
    size_t heap_count, heap_room;

    struct tokenizer_span *merges; /* .begin left, .end right: ids */
    size_t merge_count, merge_room;
};

static int grow(void *p, size_t *room, size_t need, size_t size)
{
    void *old, *fresh;
    if (need <= *room)
        return 0;
    size_t bigger = *room ? *room * 2 : 256;
    while (bigger < need)
        bigger *= 2;
    memcpy(&old, p, sizeof old);
    fresh = base_realloc(old, bigger, size);
    if (!fresh)
        return BASE_E_MEMORY;
    memcpy(p, &fresh, sizeof fresh);
    *room = bigger;
    return 0;
}

/* ---- counting words -------------------------------------------------------------------------- */

static int words_rehash(struct trainer *r)
{
    size_t slots = r->slots ? r->slots * 2 : 4096;
    uint32_t *slot = base_alloc_zero(slots, sizeof *slot);
    if (!slot)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < r->word_count; i++) {
        const struct word *w = &r->words[i];
        size_t at = tokenizer_mix(r->text_pool.data + w->text, w->length) & (slots - 1);
        while (slot[at])
            at = (at + 1) & (slots - 1);
        slot[at] = (uint32_t)i + 1;
    }
    base_free(r->slot);
    r->slot = slot;
    r->slots = slots;
    return 0;
}

static int count_word(struct trainer *r, const char *text, size_t n)
{
    if (r->slots < (r->word_count + 1) * 2 && words_rehash(r))
        return BASE_E_MEMORY;
    size_t at = tokenizer_mix(text, n) & (r->slots - 1);
    for (; r->slot[at]; at = (at + 1) & (r->slots - 1)) {
        struct word *w = &r->words[r->slot[at] - 1];
        if (w->length == n && memcmp(r->text_pool.data + w->text, text, n) == 0) {
            w->count++;
            return 0;
        }
    }
    if (r->text_pool.length + n > UINT32_MAX || r->word_count >= UINT32_MAX - 1)
        return base_error_set(BASE_E_LIMIT, "tokenizer train: more than 4 GiB of distinct words");
    if (grow(&r->words, &r->word_room, r->word_count + 1, sizeof *r->words))
        return BASE_E_MEMORY;
    r->words[r->word_count] =
        (struct word){ .count = 1, .text = (uint32_t)r->text_pool.length, .length = (uint32_t)n };
    r->slot[at] = (uint32_t)++r->word_count;
    return base_buffer_append(&r->text_pool, text, n);
}

static int count_stretch(struct trainer *r, const char *text, size_t n)
{
    if (n == 0)
        return 0;
    r->text.data = text;
    r->text.n = n;
    r->text.identity = true;
    r->text.base = 0;
    int rc = tokenizer_split(r->t->steps, r->t->step_count, &r->text, 0, n, &r->split);
    for (size_t i = 0; i < r->split.words.count && !rc; i++) {
        struct tokenizer_span w = r->split.words.at[i];
        rc = count_word(r, r->text.data + w.begin, w.end - w.begin);
    }
    return rc;
}

static int count_text(struct trainer *r, const char *text, size_t n)
{
    size_t at = 0, last = 0, from, to;
    const struct tokenizer_added *token;
    do {
        token = tokenizer_added_next(&r->t->raw, text, n, &at, last, true, &from, &to);
        int rc = count_stretch(r, text + last, (token ? from : n) - last);
        if (rc)
            return rc;
        last = to;
    } while (token);
    return 0;
}

/* The last place where the text may be cut: behind a letter and before a blank or line end. 0:
 * none. */
static size_t safe_cut(const char *text, size_t n)
{
    for (size_t i = n; i-- > 1;) {
        if (text[i] != ' ' && text[i] != '\n')
            continue;
        for (size_t k = 1; k <= 4 && k <= i; k++) {
            uint32_t code;
            if (base_utf8_decode(text + i - k, k, &code) != k)
                continue;
            utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);
            if (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO)
                return i;
            break;
        }
    }
    return 0;
}

static int count_file(struct trainer *r, const char *path)
{
    struct base_buffer text = { 0 };
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "rb");
    if (!f)
        return base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));
    int rc = 0;
    bool end = false;
    while (!end && !rc) {
        rc = base_buffer_reserve(&text, CHUNK);
        if (rc)
            break;
        size_t got = fread(text.data + text.length, 1, CHUNK, f);
        if (ferror(f)) {
            rc = base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));
            break;
        }
        text.length += got;
        end = got == 0;
        size_t cut = end ? text.length : safe_cut(text.data, text.length);
        if (text.length - cut >= TOKENIZER_MAX_TEXT) {
            rc = base_error_set(BASE_E_LIMIT, "%s: 2 GiB without a blank behind a letter", path);
            break;
        }
        if (cut == 0)
            continue;
        rc = count_text(r, text.data, cut);
        memmove(text.data, text.data + cut, text.length - cut);
        text.length -= cut;
        if (base_interrupted() && !rc)
            rc = base_error_set(BASE_E_INTERRUPTED, "tokenizer train: interrupted while counting");
    }
    if (!standard)
        fclose(f);
    base_buffer_free(&text);
    return rc;
}

/* ---- merging --------------------------------------------------------------------------------- */

/* The pair's index, made when new. */
static int pair_of(struct trainer *r, uint32_t left, uint32_t right, uint32_t *out)
{
    if (r->pair_slots < (r->pair_count + 1) * 2) {
        size_t slots = r->pair_slots ? r->pair_slots * 2 : 4096;
        uint32_t *slot = base_alloc_zero(slots, sizeof *slot);
        if (!slot)
            return BASE_E_MEMORY;
        for (size_t i = 0; i < r->pair_count; i++) {
            uint64_t key = (uint64_t)r->pairs[i].left << 32 | r->pairs[i].right;
            size_t at = tokenizer_mix((const char *)&key, sizeof key) & (slots - 1);
            while (slot[at])
                at = (at + 1) & (slots - 1);
            slot[at] = (uint32_t)i + 1;
        }
        base_free(r->pair_slot);
        r->pair_slot = slot;
        r->pair_slots = slots;
    }
    uint64_t key = (uint64_t)left << 32 | right;
    size_t at = tokenizer_mix((const char *)&key, sizeof key) & (r->pair_slots - 1);
    for (; r->pair_slot[at]; at = (at + 1) & (r->pair_slots - 1)) {
        const struct pair *p = &r->pairs[r->pair_slot[at] - 1];
        if (p->left == left && p->right == right) {
            *out = r->pair_slot[at] - 1;
            return 0;
        }
    }
    if (grow(&r->pairs, &r->pair_room, r->pair_count + 1, sizeof *r->pairs))
        return BASE_E_MEMORY;
    *out = (uint32_t)r->pair_count;
    r->pairs[r->pair_count++] = (struct pair){ .left = left, .right = right };
    r->pair_slot[at] = (uint32_t)r->pair_count;
    return 0;
}

/* Adds delta to the pair's count; where it grows, the word is noted. */
static int pair_change(struct trainer *r, uint32_t left, uint32_t right, int64_t delta,
                       uint32_t word, uint32_t *index)
{
    int rc = pair_of(r, left, right, index);
    if (rc)
        return rc;
    struct pair *p = &r->pairs[*index];
    p->count += delta;
    if (delta < 0 || (p->word_count && p->words[p->word_count - 1] == word))
        return 0;
    size_t room = p->word_room;
    rc = grow(&p->words, &room, p->word_count + 1, sizeof *p->words);
    p->word_room = (uint32_t)room;
    if (!rc)
        p->words[p->word_count++] = word;
    return rc;
}

static bool before(const struct waiting *a, const struct waiting *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    return a->left != b->left ? a->left < b->left : a->right < b->right;
}

static int heap_add(struct trainer *r, uint32_t index)
{
    if (grow(&r->heap, &r->heap_room, r->heap_count + 1, sizeof *r->heap))
        return BASE_E_MEMORY;
    const struct pair *p = &r->pairs[index];
    struct waiting w = { p->count, p->left, p->right, index };
    size_t i = r->heap_count++;
    for (; i > 0 && before(&w, &r->heap[(i - 1) / 2]); i = (i - 1) / 2)
        r->heap[i] = r->heap[(i - 1) / 2];
    r->heap[i] = w;
    return 0;
}

static struct waiting heap_take(struct trainer *r)
{
    struct waiting top = r->heap[0], last = r->heap[--r->heap_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < r->heap_count; i = child) {
        if (child + 1 < r->heap_count && before(&r->heap[child + 1], &r->heap[child]))
            child++;
        if (!before(&r->heap[child], &last))
            break;
        r->heap[i] = r->heap[child];
    }
    r->heap[i] = last;
    return top;
}

/* Every word as ids of single bytes, and the first counts. */
static int start_words(struct trainer *r)
{
    int32_t byte_id[256];
    for (unsigned b = 0; b < 256; b++) {
        char piece[4];
        byte_id[b] = tokenizer_vocabulary_find(
            &r->t->vocabulary, piece, base_utf8_encode(tokenizer_byte_to_code((uint8_t)b), piece));
    }
    r->symbols = base_alloc(r->text_pool.length, sizeof *r->symbols);
    if (!r->symbols)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < r->word_count; i++) {
        struct word *w = &r->words[i];
        w->symbol = (uint32_t)r->symbol_count;
        w->symbols = w->length;
        for (uint32_t j = 0; j < w->length; j++) {
            uint32_t index;
            r->symbols[r->symbol_count++] =
                (uint32_t)byte_id[(uint8_t)r->text_pool.data[w->text + j]];
            if (j == 0)
                continue;
            const uint32_t *s = &r->symbols[r->symbol_count - 2];
            int rc = pair_change(r, s[0], s[1], (int64_t)w->count, (uint32_t)i, &index);
            if (rc)
                return rc;
        }
    }
    for (size_t i = 0; i < r->pair_count; i++)
        if (heap_add(r, (uint32_t)i))
            return BASE_E_MEMORY;
    return 0;
}

/* Joins the pair to `id` in one word and moves the counts of the neighbours. Pairs that grew are
 * put into the heap afterwards (fresh lists their indices). */
static int merge_word(struct trainer *r, uint32_t index, uint32_t left, uint32_t right, uint32_t id,
                      struct tokenizer_spans *fresh)
{
    struct word *w = &r->words[index];
    uint32_t *s = &r->symbols[w->symbol], out = 0, pair;
    int64_t count = (int64_t)w->count;
    int rc = 0;
    for (uint32_t i = 0; i < w->symbols && !rc; i++) {
        if (!(s[i] == left && i + 1 < w->symbols && s[i + 1] == right)) {
            s[out++] = s[i];
            continue;
        }
        if (out > 0) {
            rc = pair_change(r, s[out - 1], left, -count, index, &pair);
            if (!rc)
                rc = pair_change(r, s[out - 1], id, count, index, &pair);
            if (!rc)
                rc = tokenizer_spans_add(fresh, pair, 0);
        }
        if (!rc && i + 2 < w->symbols) {
            rc = pair_change(r, right, s[i + 2], -count, index, &pair);
            if (!rc)
                rc = pair_change(r, id, s[i + 2], count, index, &pair);
            if (!rc)
                rc = tokenizer_spans_add(fresh, pair, 0);
        }
        s[out++] = id;
        i++;
    }
    w->symbols = out;
    return rc;
}

/* Vocabulary entry of left + right: an id that exists already, or a new one. */
static int joined_id(struct trainer *r, uint32_t left, uint32_t right, int32_t *id)
{
    struct base_buffer b = { 0 };
    size_t n, m;
    const char *x = tokenizer_vocabulary_piece(&r->t->vocabulary, (int32_t)left, &n);
    const char *y = tokenizer_vocabulary_piece(&r->t->vocabulary, (int32_t)right, &m);
    int rc = base_buffer_append(&b, x, n);
    if (!rc)
        rc = base_buffer_append(&b, y, m);
    if (!rc) {
        *id = tokenizer_vocabulary_find(&r->t->vocabulary, b.data, b.length);
        if (*id < 0) {
            *id = (int32_t)r->t->vocabulary.count;
            rc = tokenizer_vocabulary_put(&r->t->vocabulary, (size_t)*id, b.data, b.length,
                                          "tokenizer train");
        }
    }
    base_buffer_free(&b);
    return rc;
}

static int spans_order(const void *a, const void *b)
{
    uint32_t x = ((const struct tokenizer_span *)a)->begin;
    uint32_t y = ((const struct tokenizer_span *)b)->begin;
    return x < y ? -1 : x > y;
}

static int merge_all(struct trainer *r)
{
    struct tokenizer_spans fresh = { 0 };
    size_t target = r->options->vocabulary;
    int64_t least = r->options->min_frequency > 1 ? (int64_t)r->options->min_frequency : 1;
    struct base_progress *bar = base_progress_begin("merges", "merge", target);
    int rc = 0;
    while (!rc && r->heap_count && r->t->vocabulary.count < target) {
        struct waiting top = heap_take(r);
        struct pair *p = &r->pairs[top.pair];
        if (top.count != p->count) { /* changed since: back in line with the true count */
            if (p->count >= least)
                rc = heap_add(r, top.pair);
            continue;
        }
        if (p->count < least)
            break;
        int32_t id;
        rc = joined_id(r, p->left, p->right, &id);
        if (!rc)
            rc = grow(&r->merges, &r->merge_room, r->merge_count + 1, sizeof *r->merges);
        if (rc)
            break;
        uint32_t left = p->left, right = p->right, count = p->word_count;
        uint32_t *words = p->words;
        r->merges[r->merge_count++] = (struct tokenizer_span){ left, right };
        p->words = NULL; /* p may move; the list is ours now */
        p->word_count = p->word_room = 0;
        p->count = 0;
        fresh.count = 0;
        for (uint32_t i = 0; i < count && !rc; i++)
            rc = merge_word(r, words[i], left, right, (uint32_t)id, &fresh);
        base_free(words);
        r->pairs[top.pair].count = 0; /* overlapping occurrences (aaa) leave a rest that is none */
        if (fresh.count)
            qsort(fresh.at, fresh.count, sizeof *fresh.at, spans_order);
        for (size_t i = 0; i < fresh.count && !rc; i++)
            if ((i == 0 || fresh.at[i].begin != fresh.at[i - 1].begin) &&
                r->pairs[fresh.at[i].begin].count > 0)
                rc = heap_add(r, fresh.at[i].begin);
        base_progress_update(bar, r->t->vocabulary.count, NULL);
        if (!rc && base_interrupted())
            rc =
                base_error_set(BASE_E_INTERRUPTED, "tokenizer train: interrupted, nothing written");
    }
    base_progress_end(bar);
    base_free(fresh.at);
    return rc;
}

/* ---- the file -------------------------------------------------------------------------------- */

static json_t *byte_level(bool prefix, bool regex)
{
    return json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel", "add_prefix_space", prefix,
                     "trim_offsets", 0, "use_regex", regex);
}

static json_t *pre_tokenizer(const struct tokenizer_train_options *o)
{
    const char *pattern = strcmp(o->split, "llama3") == 0  ? tokenizer_pattern_llama3
                          : strcmp(o->split, "qwen2") == 0 ? tokenizer_pattern_qwen2
                                                           : NULL;
    if (strcmp(o->split, "gpt2") == 0)
        return byte_level(o->add_prefix_space, true);
    json_t *first = pattern ? json_pack("{s:s,s:{s:s},s:s,s:b}", "type", "Split", "pattern",
                                        "Regex", pattern, "behavior", "Isolated", "invert", 0)
                            : json_pack("{s:s,s:b}", "type", "Digits", "individual_digits", 1);
    return json_pack("{s:s,s:[o,o]}", "type", "Sequence", "pretokenizers", first,
                     byte_level(o->add_prefix_space, !pattern));
}

static json_t *piece_text(const struct tokenizer *t, uint32_t id)
{
    size_t n;
    const char *piece = tokenizer_vocabulary_piece(&t->vocabulary, (int32_t)id, &n);
    return json_stringn(piece, n);
}

static int write_json(struct trainer *r, size_t special_count, const char *output)
{
    const struct tokenizer_train_options *o = r->options;
    json_t *added = json_array(), *vocab = json_object(), *merges = json_array();
    bool ok = added && vocab && merges;
    for (size_t i = 0; i < r->t->vocabulary.count && ok; i++) {
        const char *piece = tokenizer_vocabulary_piece(&r->t->vocabulary, (int32_t)i, NULL);
        ok = json_object_set_new(vocab, piece, json_integer((json_int_t)i)) == 0;
        if (ok && i < special_count)
            ok = json_array_append_new(added, json_pack("{s:I,s:s,s:b,s:b,s:b,s:b,s:b}", "id",
                                                        (json_int_t)i, "content", piece,
                                                        "single_word", 0, "lstrip", 0, "rstrip", 0,
                                                        "normalized", 0, "special", 1)) == 0;
    }
    for (size_t i = 0; i < r->merge_count && ok; i++)
        ok = json_array_append_new(merges, json_pack("[o,o]", piece_text(r->t, r->merges[i].begin),
                                                     piece_text(r->t, r->merges[i].end))) == 0;
    json_t *root = json_pack(
        "{s:s,s:n,s:n,s:o,s:n,s:o,s:o,s:o,s:{s:s,s:n,s:n,s:n,s:n,s:b,s:b,s:b,s:o,s:o}}", "version",
        "1.0", "truncation", "padding", "added_tokens", added, "normalizer", "pre_tokenizer",
        pre_tokenizer(o), "post_processor", byte_level(o->add_prefix_space, true), "decoder",
        byte_level(o->add_prefix_space, true), "model", "type", "BPE", "dropout", "unk_token",
        "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0,
        "ignore_merges", 0, "vocab", vocab, "merges", merges);
    char *text = root && ok ? base_json_dump(root, false) : NULL;
    json_decref(root);
    if (!text)
        return base_error_set(BASE_E_MEMORY, "tokenizer train: out of memory while writing");
    int rc = base_file_write(output, text, strlen(text));
    base_free(text);
    return rc;
}

/* ---- */

/* Split steps, special tokens (first ids) and the 256 bytes in the order of their code points. */
static int prepare(struct trainer *r, size_t *special_count)
{
    const struct tokenizer_train_options *o = r->options;
    static const char *const gpt2[] = { tokenizer_pattern_gpt2, NULL };
    static const char *const llama3[] = { tokenizer_pattern_llama3, NULL };
    static const char *const qwen2[] = { tokenizer_pattern_qwen2, NULL };
    const char *const *patterns = gpt2;
    struct tokenizer *t = r->t;
    int rc = 0;
    *special_count = 0;
    if (strcmp(o->split, "llama3") == 0) {
        patterns = llama3;
    } else if (strcmp(o->split, "qwen2") == 0) {
        patterns = qwen2;
    } else if (strcmp(o->split, "digits") == 0) {
        struct tokenizer_step *step;
        rc = tokenizer_step_add(t, &step);
        if (!rc) {
            step->kind = STEP_CLASS;
            step->class = CLASS_NUMERIC;
            step->behavior = BEHAVIOR_ISOLATED;
        }
    } else if (strcmp(o->split, "gpt2") != 0) {
        return base_error_set(BASE_E_ARGUMENT,
                              "split \"%s\" is not known: gpt2, llama3, qwen2 or digits", o->split);
    }
    for (const char *const *s = o->special; s && *s && !rc; s++) {
        struct tokenizer_added token = { .special = true };
        if (!**s || base_utf8_invalid(*s, strlen(*s)) != strlen(*s))
            rc = base_error_set(BASE_E_ARGUMENT, "special token \"%s\": empty or not UTF-8", *s);
        else if (tokenizer_find(t, *s) >= 0)
            rc = base_error_set(BASE_E_ARGUMENT, "special token \"%s\" is given twice", *s);
        else
            rc = tokenizer_added_list(t, token, *s, strlen(*s), (*special_count)++, "special");
    }
    for (uint32_t code = 0; code < 512 && !rc; code++) {
        char piece[4];
        size_t n = base_utf8_encode(code, piece);
        if (tokenizer_code_to_byte(code) < 0)
            continue;
        if (tokenizer_vocabulary_find(&t->vocabulary, piece, n) >= 0)
            rc = base_error_set(BASE_E_ARGUMENT, "special token \"%.*s\" is one of the 256 bytes",
                                (int)n, piece);
        else
            rc = tokenizer_vocabulary_put(&t->vocabulary, t->vocabulary.count, piece, n,
                                          "tokenizer train");
    }
    if (!rc && o->vocabulary < t->vocabulary.count)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "vocabulary of %zu: 256 bytes and %zu special tokens need %zu",
                            o->vocabulary, *special_count, t->vocabulary.count);
    if (!rc && o->vocabulary > TOKENIZER_MAX_ID)
        rc = base_error_set(BASE_E_LIMIT, "vocabulary of %zu: the limit is %zu", o->vocabulary,
                            TOKENIZER_MAX_ID);
    if (!rc)
        rc = tokenizer_use_byte_level(t, patterns, o->add_prefix_space);
    if (!rc)
        rc = tokenizer_finish(t); /* the byte step goes to BPE: words stay raw bytes */
    return rc;
}

int tokenizer_train(const char *const *files, size_t n_files,
                    const struct tokenizer_train_options *options, const char *output)
{
    static const struct tokenizer_train_options defaults = TOKENIZER_TRAIN_OPTIONS_DEFAULT;
    struct trainer r = { .options = options ? options : &defaults };
    size_t special_count;
    int rc = tokenizer_new(&r.t);
    if (rc)
        return rc;
    rc = prepare(&r, &special_count);
    for (size_t i = 0; i < n_files && !rc; i++)
        rc = count_file(&r, files[i]);
    if (!rc && r.word_count == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "tokenizer train: the files hold no text");
    if (!rc)
        rc = start_words(&r);
    if (!rc)
        rc = merge_all(&r);
    if (!rc)
        rc = write_json(&r, special_count, output);
    for (size_t i = 0; i < r.pair_count; i++)
        base_free(r.pairs[i].words);
    base_free(r.pairs);
    base_free(r.pair_slot);
    base_free(r.heap);
    base_free(r.merges);
    base_free(r.symbols);
    base_free(r.words);
    base_free(r.slot);
    base_buffer_free(&r.text_pool);
    tokenizer_text_free(&r.text);
    tokenizer_text_free(&r.split.scratch);
    base_free(r.split.words.at);
    base_free(r.split.more.at);
    base_free(r.split.matches.at);
    tokenizer_matcher_free(r.split.matcher);
    tokenizer_free(r.t);
    return rc;
}
