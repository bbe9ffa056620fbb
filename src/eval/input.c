/* Text to ids for evaluation: one BOS policy, the context/continuation split, and what happens to
 * inputs longer than the model takes.
 *
 * BOS is put in front here, from the policy, and text is always encoded without the tokenizer's own
 * additions: so BOS is never doubled and never forgotten, and a tokenizer that would append an EOS
 * cannot break a prompt. */
#include "base/memory.h"
#include "base/text.h"
#include "eval/space.h"
#include <assay/eval.h>
#include <string.h>

int eval_bos_id(const struct tokenizer *t, enum eval_bos policy, int32_t *id)
{
    *id = -1;
    int32_t bos = tokenizer_bos(t);
    if (policy == EVAL_BOS_NO)
        return 0;
    if (policy == EVAL_BOS_YES) {
        if (bos < 0)
            return base_error_set(BASE_E_ARGUMENT,
                                  "a BOS is asked for, but the tokenizer has none");
        *id = bos;
        return 0;
    }
    /* what the tokenizer puts in front of a text */
    struct tokenizer_encoding e = { 0 };
    int rc = tokenizer_encode(t, "a", 1, NULL, &e);
    if (rc == 0 && bos >= 0 && e.count > 0 && e.ids[0] == bos)
        *id = bos;
    tokenizer_encoding_free(&e);
    return rc;
}

int32_t eval_prefix_id(const struct tokenizer *t)
{
    int32_t bos = tokenizer_bos(t);
    return bos >= 0 ? bos : tokenizer_eos(t);
}

void eval_ids_free(struct eval_ids *ids)
{
    base_free(ids->at);
    *ids = (struct eval_ids){ 0 };
}

static int check_text(const char *what, const char *text, size_t bytes)
{
    size_t bad = base_utf8_invalid(text, bytes);
    if (bad == bytes)
        return 0;
    return base_error_set(BASE_E_FORMAT,
                          "%s: byte %zu (0x%02x) is not valid UTF-8: convert the text first", what,
                          bad, (unsigned char)text[bad]);
}

/* [front] (if >= 0) and the text's ids. A text that writes its own BOS (a rendered chat template)
 * does not get a second one. */
static int encode_after(const struct tokenizer *t, const char *text, size_t bytes, int32_t front,
                        struct eval_ids *out)
{
    const struct tokenizer_options plain = { .add_special = false, .parse_special = true };
    struct tokenizer_encoding e = { 0 };
    int rc = bytes ? tokenizer_encode(t, text, bytes, &plain, &e) : 0;
    if (rc)
        return rc;
    *out = (struct eval_ids){ .fixed = front >= 0 };
    if (front >= 0 && e.count && e.ids[0] == front)
        front = -1;
    out->at = base_alloc(e.count + 1, sizeof *out->at);
    if (out->at) {
        if (front >= 0)
            out->at[out->count++] = front;
        if (e.count)
            memcpy(out->at + out->count, e.ids, e.count * sizeof *e.ids);
        out->count += e.count;
    }
    tokenizer_encoding_free(&e);
    return out->at ? 0 : BASE_E_MEMORY;
}

int eval_encode(const struct tokenizer *t, const char *what, const char *text, size_t bytes,
                enum eval_bos policy, struct eval_ids *out)
{
    *out = (struct eval_ids){ 0 };
    if (bytes == 0)
        return base_error_set(BASE_E_ARGUMENT, "%s is empty: at least one character is needed",
                              what);
    int32_t bos;
    int rc = check_text(what, text, bytes);
    if (rc || (rc = eval_bos_id(t, policy, &bos)) || (rc = encode_after(t, text, bytes, bos, out)))
        return rc;
    if (out->count > out->fixed)
        return 0;
    eval_ids_free(out);
    return base_error_set(BASE_E_ARGUMENT, "%s has no tokens for this tokenizer", what);
}

static int pair_encode(const struct tokenizer *t, const char *context, size_t context_bytes,
                       const char *continuation, size_t continuation_bytes, enum eval_bos policy,
                       bool lm_eval, struct eval_pair *out)
{
    *out = (struct eval_pair){ 0 };
    struct eval_ids before = { 0 };
    char *whole = NULL;
    int32_t front;
    int rc;
    if (continuation_bytes == 0)
        return base_error_set(BASE_E_ARGUMENT, "the continuation is empty: nothing to score");
    if ((rc = check_text("the context", context, context_bytes)) ||
        (rc = check_text("the continuation", continuation, continuation_bytes)) ||
        (rc = eval_bos_id(t, policy, &front)))
        return rc;
    size_t stem = eval_space_trim_end(context, context_bytes);
    if (stem == 0 && front < 0) {
        front = eval_prefix_id(t);
        if (front < 0)
            return base_error_set(BASE_E_ARGUMENT,
                                  "the context is empty and the tokenizer has neither BOS nor EOS "
                                  "to stand in for it: give a context");
    }
    whole = base_alloc(context_bytes + continuation_bytes + 1, 1);
    if (!whole)
        return BASE_E_MEMORY;
    if (context_bytes)
        memcpy(whole, context, context_bytes);
    memcpy(whole + context_bytes, continuation, continuation_bytes);
    if ((rc = encode_after(t, whole, context_bytes + continuation_bytes, front, &out->ids)) ||
        (rc = encode_after(t, whole, stem, front, &before)))
        goto out;
    while (out->context_count < before.count && out->context_count < out->ids.count &&
           out->ids.at[out->context_count] == before.at[out->context_count])
        out->context_count++;
    out->boundary_retokenized = out->context_count < before.count;
    if (lm_eval && out->boundary_retokenized && before.count < out->ids.count) {
        memcpy(out->ids.at, before.at, before.count * sizeof *before.at);
        out->context_count = before.count;
    }
    if (out->context_count == 0) { /* even the first token changed: nothing would precede it */
        front = eval_prefix_id(t);
        eval_ids_free(&out->ids);
        if (front < 0)
            rc =
                base_error_set(BASE_E_ARGUMENT,
                               "context and continuation melt into one token and the tokenizer has "
                               "neither BOS nor EOS to stand before it: give a longer context");
        else
            rc = encode_after(t, whole, context_bytes + continuation_bytes, front, &out->ids);
        if (rc)
            goto out;
        out->context_count = 1;
    }
    if (out->context_count == out->ids.count)
        rc = base_error_set(BASE_E_ARGUMENT, "the continuation has no tokens of its own");
out:
    base_free(whole);
    eval_ids_free(&before);
    if (rc)
        eval_pair_free(out);
    return rc;
}

int eval_pair_encode(const struct tokenizer *t, const char *context, size_t context_bytes,
                     const char *continuation, size_t continuation_bytes, enum eval_bos policy,
                     struct eval_pair *out)
{
    return pair_encode(t, context, context_bytes, continuation, continuation_bytes, policy, false,
                       out);
}

int eval_pair_encode_lm_eval(const struct tokenizer *t, const char *context, size_t context_bytes,
                             const char *continuation, size_t continuation_bytes,
                             enum eval_bos policy, struct eval_pair *out)
{
    return pair_encode(t, context, context_bytes, continuation, continuation_bytes, policy, true,
                       out);
}

void eval_pair_free(struct eval_pair *p)
{
    eval_ids_free(&p->ids);
    *p = (struct eval_pair){ 0 };
}

int eval_overlength_parse(const char *name, enum eval_overlength *out)
{
    static const char *const names[] = { "error", "left", "right", "middle" };
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum eval_overlength)i;
            return 0;
        }
    return base_error_set(BASE_E_ARGUMENT,
                          "overlength policy \"%s\": choose error, left, right or middle", name);
}

int eval_overlength_apply(int32_t *ids, size_t *n, size_t fixed, size_t tail, size_t limit,
                          enum eval_overlength policy, struct eval_cut *cut)
{
    if (cut)
        *cut = (struct eval_cut){ 0, 0 };
    if (*n <= limit)
        return 0;
    size_t drop = *n - limit;
    if (policy == EVAL_OVERLENGTH_ERROR)
        return base_error_set(BASE_E_LIMIT,
                              "the input has %zu tokens, but the model takes at most %zu here: "
                              "shorten it, or cut it with --overlength left, right or middle",
                              *n, limit);
    if (fixed + tail > limit || *n < fixed + tail + drop)
        return base_error_set(BASE_E_LIMIT,
                              "the input has %zu tokens, but the model takes at most %zu here, and "
                              "the last %zu cannot be cut",
                              *n, limit, tail);
    size_t free_count = *n - fixed - tail, first = fixed;
    if (policy == EVAL_OVERLENGTH_RIGHT)
        first = fixed + free_count - drop;
    else if (policy == EVAL_OVERLENGTH_MIDDLE)
        first = fixed + (free_count - drop + 1) / 2;
    memmove(ids + first, ids + first + drop, (*n - first - drop) * sizeof *ids);
    *n = limit;
    if (cut)
        *cut = (struct eval_cut){ first, drop };
    return 0;
}
