/* Added tokens: strings that become one id wherever they stand in a text ("<|endoftext|>").
 * The search is leftmost, then longest. Tokens are sorted by content, so all that share a prefix
 * are neighbours: walking the text narrows a range of candidates byte by byte. */
#include "model/tokenizer_private.h"
#include <stdlib.h>
#include <utf8proc.h>

int tokenizer_added_put(struct tokenizer_added_set *s, const struct tokenizer_added *token)
{
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 8;
        struct tokenizer_added *at = base_realloc(s->at, room, sizeof *at);
        if (!at)
            return BASE_E_MEMORY;
        s->at = at;
        s->room = room;
    }
    char *content = base_strndup(token->content, token->n);
    if (!content)
        return BASE_E_MEMORY;
    s->at[s->count] = *token;
    s->at[s->count++].content = content;
    return 0;
}

static int added_compare(const void *a, const void *b)
{
    const struct tokenizer_added *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int c = memcmp(x->content, y->content, n);
    if (c)
        return c;
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

void tokenizer_added_sort(struct tokenizer_added_set *s)
{
    if (s->count)
        qsort(s->at, s->count, sizeof *s->at, added_compare);
    size_t i = 0;
    for (unsigned b = 0; b < 256; b++) {
        s->first[b] = (uint32_t)i;
        while (i < s->count && (unsigned char)s->at[i].content[0] == b)
            i++;
    }
    s->first[256] = (uint32_t)s->count;
}

void tokenizer_added_free(struct tokenizer_added_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        base_free(s->at[i].content);
    base_free(s->at);
    *s = (struct tokenizer_added_set){ 0 };
}

const struct tokenizer_added *tokenizer_added_longest(const struct tokenizer_added_set *set,
                                                      const char *s, size_t n)
{
    if (!set->count || !n)
        return NULL;
    size_t low = set->first[(unsigned char)*s], high = set->first[(unsigned char)*s + 1];
    const struct tokenizer_added *best = NULL;
    for (size_t depth = 1; low < high; depth++) {
        /* all of [low, high) share the first `depth` bytes with s; the shortest comes first */
        while (low < high && set->at[low].n == depth)
            best = &set->at[low++];
        if (depth == n || low == high)
            break;
        unsigned char want = (unsigned char)s[depth];
        size_t a = low, b = high;
        while (a < b) {
            size_t mid = (a + b) / 2;
            if ((unsigned char)set->at[mid].content[depth] < want)
                a = mid + 1;
            else
                b = mid;
        }
        low = a, b = high;
        while (a < b) {
            size_t mid = (a + b) / 2;
            if ((unsigned char)set->at[mid].content[depth] <= want)
                a = mid + 1;
            else
                b = mid;
        }
        high = a;
    }
    return best;
}

static bool is_word(uint32_t code)
{
    if (code == '_')
        return true;
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_NL) || c == UTF8PROC_CATEGORY_PC;
}

/* Start of the character that ends just before `end`. */
static size_t character_before(const char *s, size_t end, uint32_t *code)
{
    for (size_t k = 1; k <= 4 && k <= end; k++) {
        if (base_utf8_decode(s + end - k, k, code) == k)
            return end - k;
        if (((unsigned char)s[end - k] & 0xc0) != 0x80)
            break;
    }
    *code = 0xfffd;
    return end - 1;
}

const struct tokenizer_added *tokenizer_added_next(const struct tokenizer_added_set *set,
                                                   const char *text, size_t n, size_t *at,
                                                   size_t floor, bool special, size_t *begin,
                                                   size_t *end)
{
    if (!set->count)
        return NULL;
    for (size_t i = *at; i < n; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (set->first[byte] == set->first[byte + 1])
            continue;
        const struct tokenizer_added *t = tokenizer_added_longest(set, text + i, n - i);
        if (!t)
            continue;
        *begin = i;
        *end = i + t->n;
        *at = *end;
        i = *end - 1; /* matches do not overlap, also those that are then left out */
        if (t->special && !special)
            continue;
        uint32_t code;
        if (t->single_word) {
            if (*begin > 0 && (character_before(text, *begin, &code), is_word(code)))
                continue;
            if (*end < n && (tokenizer_char(text + *end, n - *end, &code), is_word(code)))
                continue;
        }
        if (*begin < floor)
            *begin = floor;
        while (t->left_strip && *begin > floor) {
            size_t before = character_before(text, *begin, &code);
            if (before < floor || !tokenizer_class_has(CLASS_SPACE, code, 0))
                break;
            *begin = before;
        }
        while (t->right_strip && *end < n) {
            size_t k = tokenizer_char(text + *end, n - *end, &code);
            if (!tokenizer_class_has(CLASS_SPACE, code, 0))
                break;
            *end += k;
        }
        if (*end < *begin)
            *end = *begin;
        return t;
    }
    *at = n;
    return NULL;
}
