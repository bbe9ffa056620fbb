/* A model in this process answers. All requests of an ask become paths of token ids, the paths a
 * trie (trie.h), and every node of the trie runs through the model once:
 *
 *   context A ─┬─ " Paris"        one forward for the context, whose last row scores the first
 *              ├─ " London"       token of every continuation; a continuation of one token needs
 *              └─ " New " ─ ...   nothing more
 *
 * Nodes run in the order of a depth-first walk, as many together as fill a batch: a node whose
 * parent has run is ready; the stack of ready nodes has the deepest on top, so the keys and values
 * of a finished branch go before the next branch starts. The last child of a node takes over its
 * sequence, the others fork it. Texts being generated advance by a token in every forward, beside
 * the nodes.
 *
 * Logits do not depend on the batch, and what is made of a row depends on the row and its path
 * alone; sums run in the order of a path's tokens. So answers are the same for any batch, number of
 * threads, or company. */
#include "base/json.h"
#include "base/memory.h"
#include "eval/backend_local.h"
#include "eval/trie.h"
#include "tensor/kernels_table.h"
#include "tensor/ops.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BATCH_TOKENS 2016 /* four whole chunks of the forward pass */
#define BATCH_ITEMS  512  /* at most in one forward */
#define CACHE_BYTES  ((size_t)512 << 20)
#define CACHE_PAGES  96
#define PAGE         32 /* positions in a page */
#define DRAFTS       64 /* texts generated at a time */

/* What a node of the trie holds while the walk is at it. */
struct visit {
    size_t parent;
    size_t waiting; /* children that have not begun */
    size_t pages;   /* of keys and values that its sequence may hold by itself */
    struct model_sequence *sequence;
};
struct walk {
    struct eval_local *b;
    const struct eval_request *const *requests;
    struct eval_response *responses;
    eval_answered_fn *on_answered;
    void *context;

    struct eval_encoded *encoded; /* [requests] */
    size_t *first_path;           /* [requests + 1]: whose paths are first_path[i] .. */
    size_t *open;                 /* [requests]: paths (or texts) not yet done */
    struct eval_path *paths;
    size_t n_paths;
    struct eval_trie trie;
    struct visit *visits; /* [trie.count] */
    size_t *stack, depth;
    size_t live, budget; /* pages */

    struct eval_draft *drafts;
    size_t n_drafts, drafts_capacity;

    /* the batch: first the drafts, then nodes */
    struct model_item *items;
    size_t *nodes; /* item -> node */
    size_t n_items, items_capacity, n_fed;
    double *partition; /* [block of rows]: log-sum-exp */
    int32_t *best;
    size_t rows_capacity;
};

static bool generates(const struct walk *w, const struct eval_path *p)
{
    return w->requests[p->request]->kind == EVAL_REQUEST_GENERATE;
}

/* ---- paths ---- */

static int plan_paths(struct walk *w, size_t n)
{
    size_t total = 0, k = 0;
    for (size_t i = 0; i < n; i++)
        total += w->encoded[i].windows ? w->encoded[i].n_windows : 1;
    w->paths = base_alloc_zero(total, sizeof *w->paths);
    w->first_path = base_alloc(n + 1, sizeof *w->first_path);
    w->open = base_alloc_zero(n, sizeof *w->open);
    if (!w->paths || !w->first_path || !w->open)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const struct eval_encoded *e = &w->encoded[i];
        const struct eval_request *r = w->requests[i];
        w->first_path[i] = k;
        if (e->skipped || (r->kind == EVAL_REQUEST_GENERATE && r->generation->max_tokens == 0))
            continue;
        struct eval_path p = { .request = i, .ids = e->ids.at, .greedy = true };
        if (r->kind == EVAL_REQUEST_GENERATE) {
            p.count = e->ids.count;
            p.from = p.count - 1;
            w->paths[k++] = p;
        } else if (r->kind == EVAL_REQUEST_LOGLIKELIHOOD) {
            p.count = e->ids.count - 1;
            p.from = e->context_count - 1;
            w->paths[k++] = p;
        } else {
            for (size_t j = 0; j < e->n_windows; j++) {
                p.ids = e->ids.at + e->windows[j].first;
                p.count = e->windows[j].count;
                p.from = e->windows[j].from;
                w->paths[k++] = p;
            }
        }
        w->open[i] = k - w->first_path[i];
        for (size_t j = w->first_path[i]; j < k; j++)
            w->b->input_tokens += w->paths[j].count;
    }
    w->first_path[n] = w->n_paths = k;
    return 0;
}

static int plan_trie(struct walk *w)
{
    struct eval_trie_key *keys = base_alloc(w->n_paths, sizeof *keys);
    if (!keys)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < w->n_paths; i++)
        keys[i] = (struct eval_trie_key){ w->paths[i].ids, w->paths[i].count };
    int rc = eval_trie_build(&w->trie, keys, w->n_paths);
    base_free(keys);
    if (rc)
        return rc;
    w->visits = base_alloc_zero(w->trie.count, sizeof *w->visits);
    w->stack = base_alloc(w->trie.count, sizeof *w->stack);
    return w->visits && w->stack ? 0 : BASE_E_MEMORY;
}

/* Puts siblings on the stack so that the first one lies on top. */
static size_t push(struct walk *w, size_t first, size_t parent)
{
    size_t from = w->depth, n = 0;
    for (size_t c = first; c != EVAL_TRIE_NONE; c = w->trie.nodes[c].next, n++) {
        w->visits[c].parent = parent;
        w->stack[w->depth++] = c;
    }
    for (size_t i = from, j = w->depth; i + 1 < j; i++) {
        size_t swap = w->stack[i];
        w->stack[i] = w->stack[--j];
        w->stack[j] = swap;
    }
    return n;
}

/* ---- answers ---- */

static void describe_input(struct eval_response *r, const struct eval_encoded *e)
{
    r->boundary_retokenized = e->retokenized;
    r->cut = e->cut;
    r->skipped = e->skipped;
    r->n_ids = e->ids.count < 8 ? e->ids.count : 8;
    if (r->n_ids)
        memcpy(r->ids, e->ids.at, r->n_ids * sizeof *r->ids);
}

/* All parts of a request are there: its response is made and handed out. */
static int answer(struct walk *w, size_t request)
{
    struct eval_response *r = &w->responses[request];
    const struct eval_encoded *e = &w->encoded[request];
    describe_input(r, e);
    if (w->requests[request]->kind != EVAL_REQUEST_GENERATE && !r->skipped) {
        r->greedy = true;
        for (size_t i = w->first_path[request]; i < w->first_path[request + 1]; i++) {
            const struct eval_path *p = &w->paths[i];
            if (i == w->first_path[request])
                r->first_logprob = p->first;
            r->logprob += p->sum;
            r->tokens += p->scored;
            r->greedy = r->greedy && p->greedy;
        }
        if (!isfinite(r->logprob))
            return base_error_set(BASE_E_NUMERIC,
                                  "request %zu: the model's log-probability is no finite number",
                                  request);
    }
    struct eval_local *b = w->b;
    b->requests++;
    b->cut += r->cut > 0;
    b->skipped += r->skipped;
    b->retokenized += r->boundary_retokenized;
    return w->on_answered ? w->on_answered(w->context, request, r) : 0;
}

static int path_done(struct walk *w, size_t request)
{
    return --w->open[request] ? 0 : answer(w, request);
}

/* ---- rows of logits ---- */

static int room_for_rows(struct walk *w, size_t rows)
{
    if (rows <= w->rows_capacity)
        return 0;
    double *partition = base_realloc(w->partition, rows, sizeof *partition);
    if (!partition)
        return BASE_E_MEMORY;
    w->partition = partition;
    int32_t *best = base_realloc(w->best, rows, sizeof *best);
    if (!best)
        return BASE_E_MEMORY;
    w->best = best;
    w->rows_capacity = rows;
    return 0;
}

/* Rows of a node: every path through it that scores takes its targets. */
static int score_rows(struct walk *w, size_t node, size_t first_row, size_t rows,
                      const real *logits)
{
    const struct eval_trie_node *n = &w->trie.nodes[node];
    size_t vocabulary = model_vocabulary(w->b->model), position = n->begin + first_row;
    int rc = room_for_rows(w, rows);
    if (rc)
        return rc;
    double *partition = w->partition;
    int32_t *best = w->best;
    const int threads = rows * vocabulary < 65536 ? 1 : base_threads();
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t i = 0; i < rows; i++) {
        partition[i] = tensor_log_sum_exp(logits + i * vocabulary, vocabulary);
        best[i] = (int32_t)tensor_argmax(logits + i * vocabulary, vocabulary);
    }
    for (size_t k = n->lo; k < n->hi; k++) {
        struct eval_path *p = &w->paths[w->trie.order[k]];
        if (generates(w, p))
            continue;
        for (size_t i = p->from > position ? p->from - position : 0; i < rows; i++) {
            int32_t target = p->ids[position + i + 1];
            double logprob = (double)logits[i * vocabulary + (size_t)target] - partition[i];
            if (p->scored++ == 0)
                p->first = logprob;
            p->sum += logprob;
            p->greedy = p->greedy && best[i] == target;
        }
    }
    return 0;
}

static int on_logits(void *context, size_t item, size_t first_row, size_t rows, const real *logits)
{
    struct walk *w = context;
    struct eval_local *b = w->b;
    size_t vocabulary = model_vocabulary(b->model);
    b->logit_rows += rows;
    if (item < w->n_fed)
        return eval_draft_draw(&w->drafts[w->nodes[item]], b, logits);
    size_t node = w->nodes[item];
    const struct eval_trie_node *n = &w->trie.nodes[node];
    int rc = score_rows(w, node, first_row, rows, logits);
    /* texts that begin after the node's last row */
    bool last = n->begin + first_row + rows == n->end;
    for (size_t i = 0; rc == 0 && last && i < w->n_drafts; i++) {
        struct eval_draft *d = &w->drafts[i];
        size_t lo = n->lo;
        if (d->drawn > 0 || d->finished)
            continue;
        for (; lo < n->hi && w->paths[w->trie.order[lo]].count == n->end; lo++)
            if (w->trie.order[lo] == d->path) {
                rc = eval_draft_draw(d, b, logits + (rows - 1) * vocabulary);
                break;
            }
    }
    return rc;
}

/* ---- batches ---- */

static size_t pages(size_t from, size_t to)
{
    return (to + PAGE - 1) / PAGE - from / PAGE;
}

/* How many texts begin at a node's end, and the pages they take. */
static size_t drafts_at(const struct walk *w, const struct eval_trie_node *n, size_t *wanted)
{
    size_t texts = 0;
    *wanted = 0;
    for (size_t k = n->lo; k < n->hi; k++) {
        const struct eval_path *p = &w->paths[w->trie.order[k]];
        if (p->count != n->end)
            break;
        if (!generates(w, p))
            continue;
        const struct eval_generation *g = w->requests[p->request]->generation;
        size_t repeats = g->sample && g->repeats > 1 ? g->repeats : 1;
        texts += repeats;
        *wanted += repeats * pages(n->end, n->end + g->max_tokens);
    }
    return texts;
}

static int add_item(struct walk *w, struct model_item item, size_t node)
{
    if (w->n_items == w->items_capacity) {
        size_t capacity = w->items_capacity * 2 + 64;
        struct model_item *items = base_realloc(w->items, capacity, sizeof *items);
        if (!items)
            return BASE_E_MEMORY;
        w->items = items;
        size_t *nodes = base_realloc(w->nodes, capacity, sizeof *nodes);
        if (!nodes)
            return BASE_E_MEMORY;
        w->nodes = nodes;
        w->items_capacity = capacity;
    }
    w->nodes[w->n_items] = node;
    w->items[w->n_items++] = item;
    return 0;
}

/* The drafts of the paths that end at a node. */
static int begin_drafts(struct walk *w, const struct eval_trie_node *n, size_t texts)
{
    if (w->n_drafts + texts > w->drafts_capacity) {
        size_t capacity = w->n_drafts + texts + 16;
        struct eval_draft *more = base_realloc(w->drafts, capacity, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        w->drafts = more;
        w->drafts_capacity = capacity;
    }
    for (size_t k = n->lo; k < n->hi; k++) {
        size_t path = w->trie.order[k];
        const struct eval_path *p = &w->paths[path];
        if (p->count != n->end)
            break;
        if (!generates(w, p))
            continue;
        const struct eval_request *r = w->requests[p->request];
        struct eval_response *response = &w->responses[p->request];
        const struct eval_generation *g = r->generation;
        size_t repeats = g->repeats > 1 ? g->repeats : 1, own = g->sample ? repeats : 1;
        response->texts = base_alloc_zero(repeats, sizeof *response->texts);
        if (!response->texts)
            return BASE_E_MEMORY;
        response->n_texts = repeats;
        w->open[p->request] = own;
        for (size_t i = 0; i < own; i++) {
            struct eval_draft *d = &w->drafts[w->n_drafts];
            int rc = eval_draft_begin(d, w->b, r, path, i);
            w->n_drafts++;
            if (rc)
                return rc;
            d->pages = pages(n->end, n->end + g->max_tokens);
            w->live += d->pages;
        }
    }
    return 0;
}

/* The sequence that a node's tokens are appended to. */
static int begin_node(struct walk *w, size_t node)
{
    struct visit *v = &w->visits[node];
    const struct eval_trie_node *n = &w->trie.nodes[node];
    v->pages = pages(n->begin, n->end);
    if (v->parent == EVAL_TRIE_NONE) {
        w->live += v->pages;
        return model_sequence_new(&v->sequence, w->b->model);
    }
    struct visit *parent = &w->visits[v->parent];
    if (--parent->waiting == 0) {
        v->sequence = parent->sequence;
        parent->sequence = NULL;
        w->live += v->pages;
        v->pages += parent->pages;
        return 0;
    }
    w->live += v->pages;
    return model_sequence_fork(&v->sequence, parent->sequence, n->begin);
}

/* The first row of a node that somebody wants. */
static size_t first_wanted(const struct walk *w, const struct eval_trie_node *n)
{
    size_t from = n->end;
    for (size_t k = n->lo; k < n->hi; k++) {
        const struct eval_path *p = &w->paths[w->trie.order[k]];
        if (p->from < from)
            from = p->from;
    }
    return from > n->begin ? from - n->begin : 0;
}

/* Fills the batch: every text in the making, then nodes from the stack while there is room. */
static int fill(struct walk *w, size_t *tokens)
{
    int rc = 0;
    w->n_items = 0;
    *tokens = 0;
    for (size_t i = 0; rc == 0 && i < w->n_drafts; i++, ++*tokens)
        rc = add_item(w, (struct model_item){ w->drafts[i].sequence, &w->drafts[i].next, 1, 0 }, i);
    w->n_fed = w->n_items;
    while (rc == 0 && w->depth > 0) {
        size_t node = w->stack[w->depth - 1], wanted;
        const struct eval_trie_node *n = &w->trie.nodes[node];
        size_t length = n->end - n->begin, texts = drafts_at(w, n, &wanted);
        wanted += pages(n->begin, n->end);
        if (w->n_items > 0 && (*tokens + length > w->b->options.batch_tokens ||
                               w->n_items >= BATCH_ITEMS || w->live + wanted > w->budget))
            break;
        if (texts > 0 && w->n_drafts > 0 && w->n_drafts + texts > DRAFTS)
            break;
        w->depth--;
        if ((rc = begin_node(w, node)) || (texts && (rc = begin_drafts(w, n, texts))))
            break;
        const struct eval_path *p = &w->paths[w->trie.order[n->lo]];
        rc = add_item(w,
                      (struct model_item){ w->visits[node].sequence, p->ids + n->begin, length,
                                           first_wanted(w, n) },
                      node);
        *tokens += length;
    }
    /* drafts may have moved while others were begun */
    for (size_t i = 0; i < w->n_fed; i++)
        w->items[i].ids = &w->drafts[i].next;
    return rc;
}

static int finish_draft(struct walk *w, struct eval_draft *d)
{
    const struct eval_request *request = d->request;
    size_t index = w->paths[d->path].request;
    struct eval_response *r = &w->responses[index];
    w->live -= d->pages;
    w->b->generated += d->drawn;
    r->tokens += d->drawn;
    r->logprob += d->logprob;
    r->texts[d->repeat] = base_buffer_take(&d->text);
    if (!r->texts[d->repeat])
        return BASE_E_MEMORY;
    /* greedy repeats are all the same text */
    for (size_t i = 1; !request->generation->sample && i < r->n_texts; i++)
        if (!(r->texts[i] = base_strdup(r->texts[0])))
            return BASE_E_MEMORY;
    eval_draft_end(d);
    return path_done(w, index);
}

/* After a forward: texts that are done go, new ones get their sequence, nodes hand over to their
 * children. */
static int settle(struct walk *w)
{
    int rc = 0;
    for (size_t item = w->n_fed; rc == 0 && item < w->n_items; item++) {
        size_t node = w->nodes[item];
        const struct eval_trie_node *n = &w->trie.nodes[node];
        struct visit *v = &w->visits[node];
        for (size_t k = n->lo; rc == 0 && k < n->hi; k++) {
            size_t path = w->trie.order[k];
            if (w->paths[path].count != n->end)
                break;
            if (!generates(w, &w->paths[path])) {
                rc = path_done(w, w->paths[path].request);
                continue;
            }
            for (size_t i = 0; rc == 0 && i < w->n_drafts; i++)
                if (w->drafts[i].path == path && !w->drafts[i].sequence)
                    rc = model_sequence_fork(&w->drafts[i].sequence, v->sequence, n->end);
        }
        v->waiting = push(w, n->first_child, node);
        if (v->waiting == 0) {
            model_sequence_free(v->sequence);
            v->sequence = NULL;
            w->live -= v->pages;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < w->n_drafts; i++) {
        struct eval_draft *d = &w->drafts[i];
        if (rc == 0 && d->finished)
            rc = finish_draft(w, d);
        else
            w->drafts[kept++] = *d;
    }
    w->n_drafts = kept;
    return rc;
}

static int run(struct walk *w)
{
    w->depth = 0;
    push(w, w->trie.first_root, EVAL_TRIE_NONE);
    while (w->depth > 0 || w->n_drafts > 0) {
        if (base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
        size_t tokens;
        int rc = fill(w, &tokens);
        if (rc == 0)
            rc = model_forward(w->b->model, w->items, w->n_items, on_logits, w, NULL);
        if (rc == 0)
            rc = settle(w);
        if (rc)
            return rc;
        w->b->forward_tokens += tokens;
        w->b->path_tokens += tokens - w->n_fed;
        w->b->forwards++;
    }
    return 0;
}

/* Requests without a path: skipped, or nothing to write. */
static int answer_empty(struct walk *w, size_t n)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct eval_response *r = &w->responses[i];
        if (w->first_path[i + 1] > w->first_path[i])
            continue;
        if (!w->encoded[i].skipped) {
            size_t repeats = w->requests[i]->generation->repeats;
            r->n_texts = repeats > 1 ? repeats : 1;
            r->texts = base_alloc_zero(r->n_texts, sizeof *r->texts);
            for (size_t k = 0; r->texts && k < r->n_texts; k++)
                r->texts[k] = base_strdup("");
            if (!r->texts || !r->texts[r->n_texts - 1])
                return BASE_E_MEMORY;
        }
        rc = answer(w, i);
    }
    return rc;
}

static int ask(struct eval_backend *base, const struct eval_request *const *requests, size_t n,
               struct eval_response *responses, eval_answered_fn *on_answered, void *context)
{
    struct eval_local *b = (struct eval_local *)base;
    struct walk w = { .b = b,
                      .requests = requests,
                      .responses = responses,
                      .on_answered = on_answered,
                      .context = context };
    size_t page = model_page_bytes(b->model);
    w.budget = (b->options.cache_bytes ? b->options.cache_bytes : CACHE_BYTES) / (page ? page : 1);
    if (!b->options.cache_bytes && w.budget < CACHE_PAGES)
        w.budget = CACHE_PAGES;
    w.encoded = base_alloc_zero(n, sizeof *w.encoded);
    int rc = w.encoded ? eval_local_encode(b, requests, n, w.encoded) : BASE_E_MEMORY;
    if (rc == 0)
        rc = plan_paths(&w, n);
    if (rc == 0)
        rc = plan_trie(&w);
    if (rc == 0)
        rc = answer_empty(&w, n);
    if (rc == 0)
        rc = run(&w);
    for (size_t i = 0; i < w.n_drafts; i++)
        eval_draft_end(&w.drafts[i]);
    for (size_t i = 0; w.visits && i < w.trie.count; i++)
        model_sequence_free(w.visits[i].sequence);
    for (size_t i = 0; w.encoded && i < n; i++)
        eval_encoded_free(&w.encoded[i]);
    eval_trie_free(&w.trie);
    base_free(w.encoded);
    base_free(w.first_path);
    base_free(w.open);
    base_free(w.paths);
    base_free(w.visits);
    base_free(w.stack);
    base_free(w.drafts);
    base_free(w.items);
    base_free(w.nodes);
    base_free(w.partition);
    base_free(w.best);
    return rc;
}

/* ---- what it is ---- */

static const char *bos_name(enum eval_bos bos)
{
    return bos == EVAL_BOS_YES ? "yes" : bos == EVAL_BOS_NO ? "no" : "auto";
}

static const char *overlength_name(const struct eval_backend_options *o)
{
    static const char *const names[] = { "error", "left", "right", "middle" };
    return o->overlength_skip ? "skip" : names[o->overlength];
}

/* Arithmetic that gives the same bits: the kernels with fused multiply-add agree with each other.
 */
static const char *kernel_name(void)
{
    return strcmp(tensor_kernels()->isa, "v1") == 0 ? "plain" : "fma";
}

static const char *join_name(const struct eval_local *b)
{
    return b->options.lm_eval_join ? "lm-eval" : "common";
}

static const char *compute_name(const struct eval_local *b)
{
    return model_compute_type(b->model) == MODEL_COMPUTE_BF16 ? "bf16" : "f32";
}

/* ["<s>", "1"] as lm-eval records a special token; null when the model has none. */
static json_t *token_pair(const struct tokenizer *t, int32_t id)
{
    const char *piece = id >= 0 ? tokenizer_piece(t, id) : NULL;
    char number[16];
    snprintf(number, sizeof number, "%d", (int)id);
    return piece ? json_pack("[o, s]", base_json_text(piece, strlen(piece)), number) : json_null();
}

static json_t *describe(const struct eval_backend *base)
{
    const struct eval_local *b = (const struct eval_local *)base;
    int32_t bos = -1;
    (void)eval_bos_id(b->tokenizer, b->options.bos, &bos);
    size_t context = model_context(b->model);
    int32_t eos = tokenizer_eos(b->tokenizer);
    return json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:s, s:o, s:s, s:o, s:i, s:s, s:s, s:s, s:s, s:s, "
        "s:o, s:o, s:o, s:o}",
        "backend", "local", "model", model_path(b->model), "architecture",
        model_architecture(b->model), "parameters", (json_int_t)model_parameters(b->model), "hash",
        model_hash(b->model), "tokenizer_hash", tokenizer_hash(b->tokenizer), "context",
        context < SIZE_MAX ? json_integer((json_int_t)context) : json_null(), "bos",
        bos_name(b->options.bos), "bos_id", bos >= 0 ? json_integer(bos) : json_null(), "prefix_id",
        (int)eval_prefix_id(b->tokenizer), "overlength", overlength_name(&b->options), "join",
        join_name(b), "compute", compute_name(b), "kernels", kernel_name(), "identity",
        base->identity, "bos_token", token_pair(b->tokenizer, tokenizer_bos(b->tokenizer)),
        "eos_token", token_pair(b->tokenizer, eos), "pad_token",
        token_pair(b->tokenizer, tokenizer_pad(b->tokenizer)), "eos_id",
        eos >= 0 ? json_integer(eos) : json_null());
}

static json_t *counters(const struct eval_backend *base)
{
    const struct eval_local *b = (const struct eval_local *)base;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "requests",
                     (json_int_t)b->requests, "forward_tokens", (json_int_t)b->forward_tokens,
                     "shared_tokens", (json_int_t)(b->input_tokens - b->path_tokens), "logit_rows",
                     (json_int_t)b->logit_rows, "forwards", (json_int_t)b->forwards,
                     "generated_tokens", (json_int_t)b->generated, "cut", (json_int_t)b->cut,
                     "skipped", (json_int_t)b->skipped, "boundary_retokenized",
                     (json_int_t)b->retokenized);
}

static void local_free(struct eval_backend *base)
{
    struct eval_local *b = (struct eval_local *)base;
    sampler_free(b->sampler);
    base_free(b);
}

static int identify(struct eval_local *b)
{
    struct base_sha256 *h;
    const char *hash = model_hash(b->model);
    if (!*hash)
        return BASE_E_MEMORY;
    int rc = base_sha256_begin(&h);
    if (rc)
        return rc;
    const char *const parts[] = { "assay local 1",
                                  hash,
                                  tokenizer_hash(b->tokenizer),
                                  compute_name(b),
                                  kernel_name(),
                                  bos_name(b->options.bos),
                                  overlength_name(&b->options),
                                  join_name(b) };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        base_sha256_add(h, parts[i], strlen(parts[i]) + 1);
    base_sha256_end(h, b->base.identity);
    return 0;
}

int eval_backend_local(struct eval_backend **out, struct model *m,
                       const struct eval_backend_options *options)
{
    static const struct eval_backend_class class = { ask, describe, counters, local_free };
    *out = NULL;
    struct eval_local *b = base_alloc_zero(1, sizeof *b);
    if (!b)
        return BASE_E_MEMORY;
    b->base.class = &class;
    b->model = m;
    b->options = options ? *options : (struct eval_backend_options)EVAL_BACKEND_OPTIONS_DEFAULT;
    if (b->options.batch_tokens == 0)
        b->options.batch_tokens = BATCH_TOKENS;
    int32_t bos;
    int rc = model_tokenizer(m, &b->tokenizer);
    if (rc == 0)
        rc = eval_bos_id(b->tokenizer, b->options.bos, &bos);
    if (rc == 0)
        rc = identify(b);
    if (rc) {
        base_free(b);
        return rc;
    }
    *out = &b->base;
    return 0;
}
