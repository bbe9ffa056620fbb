/* Hook plans: a list of wanted points, and counts of what fired. */
#include "model/hooks.h"
#include "base/memory.h"
#include "model/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hook {
    char *name;
    enum model_site site;
    size_t layer, item, position, head;
    model_hook_fn *fn;
    void *context;
    size_t fired;
};
struct model_hooks {
    const struct model *model;
    struct hook *at;
    size_t count, capacity;
};

static const char *const names[MODEL_SITES] = {
    [MODEL_SITE_EMBED] = "hook_embed",
    [MODEL_SITE_RESID_PRE] = "hook_resid_pre",
    [MODEL_SITE_Q] = "attn.hook_q",
    [MODEL_SITE_K] = "attn.hook_k",
    [MODEL_SITE_V] = "attn.hook_v",
    [MODEL_SITE_SCORES] = "attn.hook_attn_scores",
    [MODEL_SITE_PATTERN] = "attn.hook_pattern",
    [MODEL_SITE_Z] = "attn.hook_z",
    [MODEL_SITE_RESULT] = "attn.hook_result",
    [MODEL_SITE_ATTN_OUT] = "hook_attn_out",
    [MODEL_SITE_RESID_MID] = "hook_resid_mid",
    [MODEL_SITE_PRE] = "mlp.hook_pre",
    [MODEL_SITE_POST] = "mlp.hook_post",
    [MODEL_SITE_MLP_OUT] = "hook_mlp_out",
    [MODEL_SITE_RESID_POST] = "hook_resid_post",
    [MODEL_SITE_FINAL] = "ln_final.hook_normalized",
};

const char *model_site_name(enum model_site site)
{
    return names[site];
}

size_t model_site_width(const struct model *m, enum model_site site)
{
    const struct model_config *c = &m->config;
    switch (site) {
    case MODEL_SITE_EMBED:
        return c->embed_width;
    case MODEL_SITE_Q:
    case MODEL_SITE_Z:
        return c->heads * c->head_dim;
    case MODEL_SITE_K:
    case MODEL_SITE_V:
        return c->kv_heads * c->head_dim;
    case MODEL_SITE_SCORES:
    case MODEL_SITE_PATTERN:
        return 0;
    case MODEL_SITE_RESULT:
        return c->heads * c->width;
    case MODEL_SITE_PRE:
    case MODEL_SITE_POST:
        return c->ff;
    default:
        return c->width;
    }
}

int model_hooks_new(struct model_hooks **out, const struct model *m)
{
    *out = base_alloc_zero(1, sizeof **out);
    if (!*out)
        return BASE_E_MEMORY;
    (*out)->model = m;
    return 0;
}

void model_hooks_free(struct model_hooks *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->count; i++)
        base_free(h->at[i].name);
    base_free(h->at);
    base_free(h);
}

static int unknown(const struct model *m, const char *site)
{
    return base_error_set(BASE_E_ARGUMENT,
                          "no site \"%s\": %s has blocks.0 to blocks.%zu with .hook_resid_pre, "
                          ".attn.hook_q|k|v|attn_scores|pattern|z|result, "
                          ".hook_attn_out, %s.mlp.hook_pre|post, .hook_mlp_out, .hook_resid_post, "
                          "and hook_embed, ln_final.hook_normalized",
                          site, m->path, m->config.layers - 1,
                          m->config.parallel ? "" : ".hook_resid_mid, ");
}

int model_hooks_add(struct model_hooks *h, const char *site, size_t item, size_t position,
                    size_t head, model_hook_fn *fn, void *context, size_t *index)
{
    const char *rest = site;
    size_t layer = 0;
    bool block = !strncmp(site, "blocks.", 7);
    if (block) {
        char *end;
        rest = site + 7;
        if (*rest == '*') {
            layer = MODEL_ANY;
            end = (char *)rest + 1;
        } else {
            layer = strtoul(rest, &end, 10);
            if (end == rest || layer >= h->model->config.layers)
                return unknown(h->model, site);
        }
        if (*end != '.')
            return unknown(h->model, site);
        rest = end + 1;
    }
    enum model_site found = MODEL_SITES;
    for (int i = 0; i < MODEL_SITES; i++)
        if (!strcmp(names[i], rest))
            found = i;
    bool outside = found == MODEL_SITE_EMBED || found == MODEL_SITE_FINAL;
    if (found == MODEL_SITES || outside == block ||
        (found == MODEL_SITE_RESID_MID && h->model->config.parallel))
        return unknown(h->model, site);
    if (h->count == h->capacity) {
        size_t capacity = h->capacity ? 2 * h->capacity : 8;
        struct hook *at = base_realloc(h->at, capacity, sizeof *at);
        if (!at)
            return BASE_E_MEMORY;
        h->at = at;
        h->capacity = capacity;
    }
    char *name = base_strdup(site);
    if (!name)
        return BASE_E_MEMORY;
    h->at[h->count] = (struct hook){ name, found, layer, item, position, head, fn, context, 0 };
    if (index)
        *index = h->count;
    h->count++;
    return 0;
}

size_t model_hooks_fired(const struct model_hooks *h, size_t index)
{
    return index < h->count ? h->at[index].fired : 0;
}

int model_hooks_check(const struct model_hooks *h)
{
    for (size_t i = 0; i < h->count; i++)
        if (!h->at[i].fired)
            return base_error_set(
                BASE_E_ARGUMENT,
                "the hook at \"%s\" never fired: no such item, position or head in the run",
                h->at[i].name);
    return 0;
}

bool model_hooks_at(const struct model_hooks *h, enum model_site site, size_t layer)
{
    for (size_t i = 0; h && i < h->count; i++)
        if (h->at[i].site == site && (h->at[i].layer == MODEL_ANY || h->at[i].layer == layer))
            return true;
    return false;
}

int model_hooks_row(const struct model_hooks *h, const struct model_point *p)
{
    for (size_t i = 0; i < h->count; i++) {
        struct hook *k = &h->at[i];
        if (k->site != p->site || (k->layer != MODEL_ANY && k->layer != p->layer) ||
            (k->item != MODEL_ANY && k->item != p->item) ||
            (k->position != MODEL_ANY && k->position != p->position) ||
            (k->head != MODEL_ANY && k->head != p->head))
            continue;
        k->fired++;
        int rc = k->fn(k->context, p);
        if (rc)
            return rc;
    }
    return 0;
}
