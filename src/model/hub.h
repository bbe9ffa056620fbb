/* The Hugging Face hub: which files a model has, and getting those that Assay needs into a cache.
 *
 * Protocol: GET {endpoint}/api/models/{name}/revision/{revision}?blobs=true gives the commit and,
 * for each file ("siblings"), its path, size, git blob id, and for large (LFS) files their SHA-256.
 * GET {endpoint}/{name}/resolve/{commit}/{path} gives the bytes, often by a redirect to another
 * host.
 *
 * Cache (the layout of huggingface_hub, so that both can share one):
 *     {cache}/models--ORG--NAME/blobs/{digest}            the bytes, named by SHA-256 or git blob
 * id /blobs/{digest}.part       not yet complete; continued by the next pull
 *                              /snapshots/{commit}/{path} symbolic links into blobs
 *                              /refs/{revision}           the commit that a branch or tag meant
 * A blob gets its final name only after its digest was found right: what has no .part is whole. */
#ifndef MODEL_HUB_H
#define MODEL_HUB_H
#include <assay/base.h>
#include <stdbool.h>
#include <stdint.h>

struct model_hub_options {
    const char *endpoint;       /* "https://huggingface.co" */
    const char *token;          /* NULL = none; goes to the endpoint's origin only */
    const char *revision;       /* branch, tag or commit; "main" */
    const char *cache;          /* NULL = model_hub_cache */
    const char *const *include; /* globs (* also matches '/'); with any, these choose the files
                                   instead of the default */
    size_t n_include;
    const char *const *exclude; /* globs taken away from the choice */
    size_t n_exclude;
    int retries;
    double retry_seconds;
};
#define MODEL_HUB_OPTIONS_DEFAULT                                                                  \
    {                                                                                              \
        .endpoint = "https://huggingface.co", .revision = "main", .retries = 5, .retry_seconds = 1 \
    }

struct model_hub_file {
    char *path;      /* in the repository: "onnx/config.json" */
    int64_t bytes;   /* -1 = not announced */
    char digest[65]; /* SHA-256 (64 digits) or git blob id (40); "" when the hub gave none */
    bool cached;     /* was there already */
};
struct model_hub_result {
    char *directory; /* the snapshot: what -m takes */
    char commit[41];
    struct model_hub_file *files; /* [n] those that were chosen, by path */
    size_t n;
    uint64_t bytes, received; /* of all chosen files; of those that had to be fetched */
};
/* Gets a model. On failure nothing half done is visible: complete files stay for the next try,
 * incomplete ones as .part, wrong ones are removed. */
int model_hub_pull(struct model_hub_result *out, const char *name,
                   const struct model_hub_options *options);
void model_hub_result_free(struct model_hub_result *r);

/* $XDG_CACHE_HOME/assay/hub, else $HOME/.cache/assay/hub; new string (base_free). */
int model_hub_cache(char **out);
/* Whether a path out of a file list may become a file below a directory of ours: relative, no
 * empty, "." or ".." part, no control characters or backslash, valid UTF-8, parts up to 255 bytes.
 */
bool model_hub_path_safe(const char *path);
#endif
