/* Log-probabilities of continuations under contexts, many at a time. Questions are encoded in
 * order and run in batches of about batch_tokens tokens, one that comes again is run once; the
 * model's results do not depend on what is run together, so the batch size is only a matter of
 * speed. */
#include "base/hash.h"
#include "base/memory.h"
#include <assay/memorize.h>
#include <math.h>
#include <string.h>

enum { BATCH_QUESTIONS = 256 };

struct batch {
    struct eval_pair pair[BATCH_QUESTIONS];
    struct model_sequence *sequence[BATCH_QUESTIONS];
    struct model_item item[BATCH_QUESTIONS];
    const int32_t *target[BATCH_QUESTIONS];
    double *logprob[BATCH_QUESTIONS];
    bool *greedy[BATCH_QUESTIONS];
    struct eval_answer *answer[BATCH_QUESTIONS];
    size_t n, tokens;
};

static void batch_clear(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        eval_pair_free(&b->pair[i]);
        model_sequence_free(b->sequence[i]);
        base_free(b->logprob[i]);
        base_free(b->greedy[i]);
    }
    b->n = b->tokens = 0;
}

/* Encodes a question into the batch's next place. */
static int batch_add(struct batch *b, struct model *m, const struct tokenizer *t,
                     const struct eval_question *q, const struct eval_memorize_options *options,
                     struct eval_answer *answer)
{
    size_t i = b->n;
    struct eval_pair *p = &b->pair[i];
    struct eval_cut cut;
    size_t context = 0, continuation = 0;
    while (q->context[context])
        context++;
    while (q->continuation[continuation])
        continuation++;
    int rc =
        eval_pair_encode(t, q->context, context, q->continuation, continuation, options->bos, p);
    if (rc)
        return rc;
    b->sequence[i] = NULL;
    b->logprob[i] = NULL;
    b->greedy[i] = NULL;
    b->n++;
    size_t scored = p->ids.count - p->context_count, limit = model_context(m);
    /* the last id is only predicted; one id must stay in front of the scored ones */
    if (limit < SIZE_MAX)
        limit++;
    rc = eval_overlength_apply(p->ids.at, &p->ids.count, p->ids.fixed, scored, limit,
                               options->overlength, &cut);
    if (rc)
        return rc;
    p->context_count = p->ids.count - scored;
    if (p->context_count == 0)
        return base_error_set(BASE_E_LIMIT, "the continuation fills the model's whole context");
    for (size_t k = 0; k < p->ids.count; k++)
        if (p->ids.at[k] < 0 || (size_t)p->ids.at[k] >= model_vocabulary(m))
            return base_error_set(BASE_E_ARGUMENT, "id %d is not in the model's vocabulary",
                                  p->ids.at[k]);
    b->logprob[i] = base_alloc(scored, sizeof *b->logprob[i]);
    b->greedy[i] = base_alloc(scored, sizeof *b->greedy[i]);
    if (!b->logprob[i] || !b->greedy[i])
        return BASE_E_MEMORY;
    if ((rc = model_sequence_new(&b->sequence[i], m)))
        return rc;
    b->target[i] = p->ids.at + p->context_count;
    b->item[i] =
        (struct model_item){ b->sequence[i], p->ids.at, p->ids.count - 1, p->context_count - 1 };
    b->answer[i] = answer;
    *answer = (struct eval_answer){ .tokens = scored,
                                    .greedy = true,
                                    .boundary_retokenized = p->boundary_retokenized,
                                    .cut = cut.count };
    b->tokens += p->ids.count;
    return 0;
}

static int batch_run(struct batch *b, struct model *m)
{
    int rc = b->n ? model_score(m, b->item, b->n, b->target, b->logprob, b->greedy, NULL) : 0;
    for (size_t i = 0; rc == 0 && i < b->n; i++) {
        struct eval_answer *a = b->answer[i];
        for (size_t k = 0; k < a->tokens; k++) {
            a->logprob += b->logprob[i][k];
            a->greedy = a->greedy && b->greedy[i][k];
        }
        if (isnan(a->logprob))
            rc = base_error_set(BASE_E_NUMERIC, "the model's log-probability is not a number");
    }
    batch_clear(b);
    return rc;
}

/* Index of the first question with the same texts, for each. */
static int repeats_find(const struct eval_question *q, size_t n, size_t *first)
{
    struct base_table *seen;
    int rc = base_table_new(&seen, n);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        char *key = base_format("%s%c%s", q[i].context, 1, q[i].continuation);
        const int64_t *known = key ? base_table_get(seen, key, strlen(key)) : NULL;
        size_t j = known ? (size_t)*known : i;
        if (!key)
            rc = BASE_E_MEMORY;
        else if (!known)
            rc = base_table_put(seen, key, strlen(key), (int64_t)i);
        else if (strcmp(q[j].context, q[i].context)) /* a text that holds the divider itself */
            j = i;
        first[i] = j;
        base_free(key);
    }
    base_table_free(seen);
    return rc;
}

int eval_questions_score(struct model *m, const struct eval_question *questions, size_t n,
                         const struct eval_memorize_options *options, struct eval_answer *answers)
{
    const struct tokenizer *t;
    int rc = model_tokenizer(m, &t);
    if (rc)
        return base_error_prefix(rc, "text needs a tokenizer");
    struct batch *b = base_alloc_zero(1, sizeof *b);
    size_t *first = base_alloc(n, sizeof *first);
    rc = b && first ? repeats_find(questions, n, first) : BASE_E_MEMORY;
    size_t budget = options->batch_tokens ? options->batch_tokens : 2048;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (first[i] != i)
            continue;
        rc = batch_add(b, m, t, &questions[i], options, &answers[i]);
        if (rc)
            rc = base_error_prefix(rc, "question %zu", i);
        if (rc == 0 && (b->n == BATCH_QUESTIONS || b->tokens >= budget)) {
            rc = batch_run(b, m);
            if (rc == 0 && options->on_progress)
                options->on_progress(options->context, i + 1);
            if (rc == 0 && base_interrupted())
                rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
        }
    }
    if (rc == 0)
        rc = batch_run(b, m);
    for (size_t i = 0; rc == 0 && i < n; i++)
        answers[i] = answers[first[i]];
    if (b)
        batch_clear(b);
    base_free(b);
    base_free(first);
    return rc;
}
