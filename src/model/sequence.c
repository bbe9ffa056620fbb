/* Sequences: token ids and the pages that hold their keys and values. Forks share pages; a page
 * that is shared, or holds positions beyond the sequence's end, is made this sequence's own and
 * cleared behind the end before anything is written to it. */
#include "base/memory.h"
#include "model/internal.h"
#include <string.h>

static struct model_page *page_new(struct model *m)
{
    pthread_mutex_lock(&m->lock);
    struct model_page *p = m->free_pages;
    if (p)
        m->free_pages = p->next;
    pthread_mutex_unlock(&m->lock);
    size_t bytes = m->config.layers * m->page_reals * sizeof(real);
    if (p) {
        memset(p->data, 0, bytes);
    } else {
        p = base_alloc_zero(1, sizeof *p);
        if (!p)
            return NULL;
        p->data = base_alloc_large(bytes);
        if (!p->data) {
            base_free(p);
            return NULL;
        }
    }
    p->filled = 0;
    p->shared = 1;
    p->next = NULL;
    return p;
}

static void page_release(struct model *m, struct model_page *p)
{
    pthread_mutex_lock(&m->lock);
    if (--p->shared == 0) {
        p->next = m->free_pages;
        m->free_pages = p;
    }
    pthread_mutex_unlock(&m->lock);
}

void model_pages_free(struct model *m)
{
    while (m->free_pages) {
        struct model_page *p = m->free_pages;
        m->free_pages = p->next;
        base_free_large(p->data, m->config.layers * m->page_reals * sizeof(real));
        base_free(p);
    }
}

/* Zeroes the slots from `slot` on, in every layer. */
static void page_clear(const struct model *m, struct model_page *p, size_t slot)
{
    const struct model_config *c = &m->config;
    struct tensor_attention a = model_attention_at(m, 0);
    size_t width = tensor_attention_width(&a);
    for (size_t l = 0; l < c->layers; l++) {
        real *keys = p->data + l * m->page_reals;
        real *values = keys + c->kv_heads * c->head_dim * TENSOR_PAGE;
        for (size_t i = 0; i < c->kv_heads * c->head_dim; i++)
            memset(keys + i * TENSOR_PAGE + slot, 0, (TENSOR_PAGE - slot) * sizeof(real));
        for (size_t h = 0; h < c->kv_heads; h++)
            memset(values + (h * TENSOR_PAGE + slot) * width, 0,
                   (TENSOR_PAGE - slot) * width * sizeof(real));
    }
    p->filled = slot;
}

int model_sequence_new(struct model_sequence **out, struct model *m)
{
    *out = base_alloc_zero(1, sizeof **out);
    if (!*out)
        return BASE_E_MEMORY;
    (*out)->model = m;
    return 0;
}

void model_sequence_free(struct model_sequence *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_pages; i++)
        page_release(s->model, s->pages[i]);
    base_free(s->pages);
    base_free(s->ids);
    base_free(s);
}

static int grow(struct model_sequence *s, size_t tokens)
{
    size_t pages = (tokens + TENSOR_PAGE - 1) / TENSOR_PAGE;
    if (tokens > s->capacity) {
        size_t capacity = tokens + tokens / 2 + 64;
        int32_t *ids = base_realloc(s->ids, capacity, sizeof *ids);
        if (!ids)
            return BASE_E_MEMORY;
        s->ids = ids;
        s->capacity = capacity;
    }
    if (pages > s->page_capacity) {
        size_t capacity = pages + pages / 2 + 4;
        struct model_page **list = base_realloc(s->pages, capacity, sizeof *list);
        if (!list)
            return BASE_E_MEMORY;
        s->pages = list;
        s->page_capacity = capacity;
    }
    return 0;
}

int model_sequence_fork(struct model_sequence **out, const struct model_sequence *src, size_t n)
{
    *out = NULL;
    if (n > src->length)
        return base_error_set(BASE_E_ARGUMENT, "cannot fork at token %zu: the sequence has %zu", n,
                              src->length);
    struct model_sequence *s;
    int rc = model_sequence_new(&s, src->model);
    if (!rc)
        rc = grow(s, n);
    if (rc) {
        model_sequence_free(rc == BASE_E_MEMORY ? s : NULL);
        return rc;
    }
    if (n)
        memcpy(s->ids, src->ids, n * sizeof *s->ids);
    s->length = n;
    s->n_pages = (n + TENSOR_PAGE - 1) / TENSOR_PAGE;
    pthread_mutex_lock(&s->model->lock);
    for (size_t i = 0; i < s->n_pages; i++) {
        s->pages[i] = src->pages[i];
        s->pages[i]->shared++;
    }
    pthread_mutex_unlock(&s->model->lock);
    *out = s;
    return 0;
}

int model_sequence_truncate(struct model_sequence *s, size_t n)
{
    if (n > s->length)
        return base_error_set(BASE_E_ARGUMENT, "cannot cut at token %zu: the sequence has %zu", n,
                              s->length);
    size_t keep = (n + TENSOR_PAGE - 1) / TENSOR_PAGE;
    while (s->n_pages > keep)
        page_release(s->model, s->pages[--s->n_pages]);
    s->length = n;
    return 0;
}

int model_sequence_reserve(struct model_sequence *s, size_t n)
{
    struct model *m = s->model;
    int rc = grow(s, s->length + n);
    if (rc)
        return rc;
    size_t slot = s->length % TENSOR_PAGE;
    if (slot && n) { /* the page that goes on */
        struct model_page **last = &s->pages[s->length / TENSOR_PAGE];
        pthread_mutex_lock(&m->lock);
        bool shared = (*last)->shared > 1;
        pthread_mutex_unlock(&m->lock);
        if (shared) {
            struct model_page *own = page_new(m);
            if (!own)
                return BASE_E_MEMORY;
            memcpy(own->data, (*last)->data, m->config.layers * m->page_reals * sizeof(real));
            own->filled = TENSOR_PAGE;
            page_release(m, *last);
            *last = own;
        }
        if ((*last)->filled > slot)
            page_clear(m, *last, slot);
    }
    size_t pages = (s->length + n + TENSOR_PAGE - 1) / TENSOR_PAGE;
    while (s->n_pages < pages) {
        struct model_page *p = page_new(m);
        if (!p)
            return BASE_E_MEMORY;
        s->pages[s->n_pages++] = p;
    }
    return 0;
}

size_t model_page_bytes(const struct model *m)
{
    return m->config.layers * m->page_reals * sizeof(real);
}

size_t model_sequence_length(const struct model_sequence *s)
{
    return s->length;
}

const int32_t *model_sequence_ids(const struct model_sequence *s)
{
    return s->ids;
}
