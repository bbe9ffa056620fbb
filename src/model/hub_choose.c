/* The choice of files; see hub_choose.h. Repositories hold the same weights several times
 * (safetensors, .bin, TensorFlow, ONNX, half precision): one set is enough, and safetensors is the
 * one without code. */
#include "model/hub_choose.h"
#include "base/buffer.h"
#include <fnmatch.h>
#include <string.h>

static bool glob_any(const char *const *globs, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (!fnmatch(globs[i], path, 0))
            return true;
    return false;
}

/* Everything beside weights that a model's directory may need. */
static const char *const small[] = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "chat_template.jinja",
    "chat_template.json",
    "adapter_config.json",
};
/* Sets of weights, best first; an index belongs to its shards. */
static const char *const weights[][4] = {
    { "model.safetensors", "model-[0-9]*-of-[0-9]*.safetensors", "model.safetensors.index.json",
      "adapter_model.safetensors" },
    { "*.safetensors", "*.safetensors.index.json" },
    { "pytorch_model.bin", "pytorch_model-[0-9]*-of-[0-9]*.bin", "pytorch_model.bin.index.json",
      "adapter_model.bin" },
    { "*.gguf" },
};
enum { SETS = sizeof weights / sizeof weights[0], GGUF_SET = 3 };

static bool in_set(size_t set, const char *path)
{
    for (size_t i = 0; i < 4 && weights[set][i]; i++)
        if (!fnmatch(weights[set][i], path, 0))
            return true;
    return false;
}

static bool is_weights(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (!strcmp(dot, ".safetensors") || !strcmp(dot, ".bin") || !strcmp(dot, ".gguf"));
}

/* ": a, b, c, ... (12 more)": the paths that pass `only` (NULL = all). */
static void paths_list(struct base_buffer *b, const struct model_hub_file *files, size_t n,
                       bool (*only)(const char *))
{
    size_t shown = 0, left = 0;
    for (size_t i = 0; i < n; i++) {
        if (only && !only(files[i].path))
            continue;
        if (shown == 8)
            left++;
        else
            base_buffer_printf(b, "%s%s", shown++ ? ", " : "", files[i].path);
    }
    if (left)
        base_buffer_printf(b, " and %zu more", left);
}

static int refuse(const struct model_hub_file *files, size_t n, const char *name, const char *why,
                  bool (*only)(const char *))
{
    struct base_buffer b = { 0 };
    paths_list(&b, files, n, only);
    int rc = base_error_set(BASE_E_UNSUPPORTED, "%s: %s: choose with --include; it has: %s", name,
                            why, b.length ? b.data : "no files");
    base_buffer_free(&b);
    return rc;
}

static int choose_default(const struct model_hub_file *files, size_t n, const char *name,
                          bool *chosen)
{
    size_t set = SETS, count = 0;
    for (size_t k = 0; k < SETS && set == SETS; k++)
        for (size_t i = 0; i < n; i++)
            if (!strchr(files[i].path, '/') && is_weights(files[i].path) &&
                in_set(k, files[i].path))
                set = k;
    for (size_t i = 0; i < n; i++) {
        if (strchr(files[i].path, '/'))
            continue;
        for (size_t k = 0; k < sizeof small / sizeof small[0]; k++)
            chosen[i] |= !strcmp(files[i].path, small[k]);
        if (set < SETS && in_set(set, files[i].path)) {
            chosen[i] = true;
            count++;
        }
    }
    if (set == SETS)
        return refuse(files, n, name, "no weights that Assay reads at its root", NULL);
    if (set == GGUF_SET && count > 1)
        return refuse(files, n, name, "several GGUF files", is_weights);
    return 0;
}

int model_hub_choose(const struct model_hub_file *files, size_t n,
                     const struct model_hub_options *o, const char *name, bool *chosen)
{
    memset(chosen, 0, n * sizeof *chosen);
    int rc = 0;
    if (o->n_include)
        for (size_t i = 0; i < n; i++)
            chosen[i] = glob_any(o->include, o->n_include, files[i].path);
    else
        rc = choose_default(files, n, name, chosen);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        chosen[i] = chosen[i] && !glob_any(o->exclude, o->n_exclude, files[i].path);
        count += chosen[i];
    }
    if (!rc && count == 0)
        rc = refuse(files, n, name, "no file is chosen", NULL);
    return rc;
}
