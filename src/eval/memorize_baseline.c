/* The bag-of-words baseline: naive Bayes that never saw the model (see memorize.h). Where it tells
 * members from others as well as a score of the model does, the two sets of texts differ in what
 * they say, and the score is no evidence of memorization (Das et al. 2024, Meeus et al. 2024).
 *
 * Only sums of whole numbers and a fixed order of additions: the result is the same everywhere. */
#include "base/hash.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"
#include <assay/memorize.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

struct bag {
    uint32_t *word; /* [n] ids of the text's words, ascending, repeats kept */
    size_t n, capacity;
};

static bool in_word(uint32_t code)
{
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_NO);
}

static int bag_add(struct bag *b, struct base_table *words, const char *word, size_t bytes)
{
    const int64_t *known = base_table_get(words, word, bytes);
    int64_t id = known ? *known : (int64_t)base_table_count(words);
    if (!known) {
        int rc = base_table_put(words, word, bytes, id);
        if (rc)
            return rc;
    }
    if (b->n == b->capacity) {
        size_t capacity = b->capacity * 2 + 64;
        uint32_t *more = base_realloc(b->word, capacity, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        b->word = more;
        b->capacity = capacity;
    }
    b->word[b->n++] = (uint32_t)id;
    return 0;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int bag_fill(struct bag *b, struct base_table *words, const char *text, size_t bytes)
{
    char *lower;
    size_t n, from = 0;
    int rc = eval_text_lower(text, bytes, &lower, &n);
    if (rc)
        return rc;
    for (size_t i = 0; rc == 0 && i <= n;) {
        uint32_t code = 0;
        size_t length = i < n ? base_utf8_decode(lower + i, n - i, &code) : 0;
        if (length == 0 || !in_word(code)) {
            if (i > from)
                rc = bag_add(b, words, lower + from, i - from);
            from = i + (length ? length : 1);
        }
        i += length ? length : 1;
    }
    base_free(lower);
    if (b->n)
        qsort(b->word, b->n, sizeof *b->word, ascending);
    return rc;
}

/* fold[i] of every text: different texts are shuffled within their class and dealt out in turn. */
static int folds_deal(const char *const *texts, const size_t *bytes, const bool *label, size_t n,
                      size_t folds, uint64_t seed, size_t *fold)
{
    struct base_table *seen = NULL;
    size_t *order = base_alloc(n, sizeof *order), *first = base_alloc(n, sizeof *first);
    int rc = order && first ? base_table_new(&seen, n) : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const int64_t *known = base_table_get(seen, texts[i], bytes[i]);
        first[i] = known ? (size_t)*known : i;
        if (!known)
            rc = base_table_put(seen, texts[i], bytes[i], (int64_t)i);
    }
    for (int class = 0; rc == 0 && class < 2; class ++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i++)
            if (first[i] == i && label[i] == (class == 1))
                order[m++] = i;
        if (m < folds) {
            rc = base_error_set(BASE_E_ARGUMENT,
                                "the baseline's cross-validation in %zu folds needs as many "
                                "different texts of each class, but there are %zu %s",
                                folds, m, class ? "members" : "non-members");
            break;
        }
        struct base_rng rng = base_rng_make(seed, BASE_RNG_SHUFFLE, (uint64_t) class);
        for (size_t i = m; i > 1; i--) {
            size_t j = (size_t)base_rng_below(&rng, i), swap = order[i - 1];
            order[i - 1] = order[j];
            order[j] = swap;
        }
        for (size_t i = 0; i < m; i++)
            fold[order[i]] = i % folds;
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        fold[i] = fold[first[i]];
    base_table_free(seen);
    base_free(order);
    base_free(first);
    return rc;
}

/* Scores the texts of one fold by counts of the others. count [2 * vocabulary] scratch. */
static void fold_score(const struct bag *bags, const bool *label, const size_t *fold, size_t n,
                       size_t which, size_t vocabulary, uint32_t *count, double *scores)
{
    double total[2] = { 0, 0 };
    size_t different = 0;
    memset(count, 0, 2 * vocabulary * sizeof *count);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; fold[i] != which && k < bags[i].n; k++) {
            count[label[i] * vocabulary + bags[i].word[k]]++;
            total[label[i]] += 1;
        }
    for (size_t w = 0; w < vocabulary; w++)
        different += count[w] + count[vocabulary + w] > 0;
    double base = log((total[0] + (double)different) / (total[1] + (double)different));
    for (size_t i = 0; i < n; i++) {
        if (fold[i] != which)
            continue;
        scores[i] = 0;
        for (size_t k = 0; k < bags[i].n; k++) {
            uint32_t w = bags[i].word[k], other = count[w], member = count[vocabulary + w];
            if (other + member)
                scores[i] += log((member + 1.0) / (other + 1.0)) + base;
        }
    }
}

int eval_baseline_score(const char *const *texts, const size_t *bytes, const bool *label, size_t n,
                        size_t folds, uint64_t seed, double *scores, size_t *fold_of)
{
    struct base_table *words = NULL;
    uint32_t *count = NULL;
    if (folds < 2)
        return base_error_set(BASE_E_ARGUMENT, "cross-validation needs 2 folds or more, not %zu",
                              folds);
    struct bag *bags = base_alloc_zero(n, sizeof *bags);
    size_t *fold = base_alloc(n, sizeof *fold);
    int rc = bags && fold ? base_table_new(&words, 4096) : BASE_E_MEMORY;
    if (rc == 0)
        rc = folds_deal(texts, bytes, label, n, folds, seed, fold);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = bag_fill(&bags[i], words, texts[i], bytes[i]);
    if (rc)
        goto out;
    size_t vocabulary = base_table_count(words);
    count = base_alloc(2 * vocabulary, sizeof *count);
    if (!count)
        rc = BASE_E_MEMORY;
    for (size_t k = 0; rc == 0 && k < folds; k++)
        fold_score(bags, label, fold, n, k, vocabulary, count, scores);
    if (fold_of)
        memcpy(fold_of, fold, n * sizeof *fold);
out:
    for (size_t i = 0; bags && i < n; i++)
        base_free(bags[i].word);
    base_free(bags);
    base_free(fold);
    base_free(count);
    base_table_free(words);
    return rc;
}
