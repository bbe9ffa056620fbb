/* What the `assay embed` commands share; see cmd_embed.h. */
#include "cli/cmd_embed.h"
#include "base/memory.h"
#include "base/progress.h"
#include <assay/graph.h>
#include <string.h>

static void on_read(void *context, uint64_t done, uint64_t total)
{
    (void)total;
    base_progress_update(context, done, NULL);
}

static int check(const struct cli_command *command, struct embed_source *s,
                 enum embed_encoding *encoding, int n)
{
    int k = 0;
    if (s->graph && n > 0)
        return cli_usage(command, "give texts or --graph EDGES, not both");
    if (!s->graph && n < 1)
        return cli_usage(command, "give at least one FILE of text (- is standard input)");
    if (s->graph && (s->tokens || s->encoding || s->field || s->whole))
        return cli_usage(command, "--tokens, --encoding, --field and --whole are for texts, not "
                                  "for --graph");
    if (!s->graph && (s->directed || s->weight || s->walks != EMBED_NOT_GIVEN ||
                      s->length != EMBED_NOT_GIVEN || !isnan(s->p) || !isnan(s->q)))
        return cli_usage(command, "--directed, --weight, --walks, --length, --return and --in-out "
                                  "are for --graph");
    s->tokens = s->tokens ? s->tokens : "gensim";
    s->encoding = s->encoding ? s->encoding : "utf-8";
    s->walks = s->walks == EMBED_NOT_GIVEN ? 10 : s->walks;
    s->length = s->length == EMBED_NOT_GIVEN ? 40 : s->length;
    s->p = isnan(s->p) ? 1 : s->p;
    s->q = isnan(s->q) ? 1 : s->q;
    while (k < EMBED_TOKENS_KINDS && strcmp(s->tokens, embed_tokens_names[k]) != 0)
        k++;
    if (k == EMBED_TOKENS_KINDS)
        return cli_usage(command, "--tokens %s: choose gensim, simple or plain", s->tokens);
    s->kind = (enum embed_tokens)k;
    const bool latin = strcmp(s->encoding, "latin-1") == 0 || strcmp(s->encoding, "latin1") == 0 ||
                       strcmp(s->encoding, "iso-8859-1") == 0;
    if (!latin && strcmp(s->encoding, "utf-8") != 0 && strcmp(s->encoding, "utf8") != 0)
        return cli_usage(command, "--encoding %s: choose utf-8 or latin-1", s->encoding);
    *encoding = latin ? EMBED_LATIN1 : EMBED_UTF8;
    if (s->walks < 1 || s->walks > 1000000 || s->length < 1 || s->length > 1000000)
        return cli_usage(command, "--walks and --length must be 1 to 1000000");
    if (!(s->p > 0 && s->q > 0))
        return cli_usage(command, "--return and --in-out must be positive");
    return 0;
}

int embed_source_read(const struct cli_command *command, struct embed_source *s,
                      struct embed_corpus **out, const char *const *paths, int n)
{
    enum embed_encoding encoding = EMBED_UTF8;
    *out = NULL;
    int rc = check(command, s, &encoding, n);
    if (rc)
        return rc;
    if (s->graph) {
        struct graph *g = NULL;
        const struct graph_read_options how = { .directed = s->directed, .weight = s->weight };
        const struct embed_walk_options walk = { .walks = (unsigned)s->walks,
                                                 .length = (unsigned)s->length,
                                                 .p = s->p,
                                                 .q = s->q,
                                                 .seed = (uint64_t)cli_common.seed };
        s->kind = EMBED_TOKENS_PLAIN;
        rc = graph_read(&g, s->graph, &how);
        if (rc == 0)
            rc = embed_walks(out, g, &walk);
        graph_free(g);
        return rc ? cli_fail(command) : 0;
    }
    struct base_progress *progress = base_progress_begin("reading", "bytes", 0);
    const struct embed_corpus_options how = { .tokens = s->kind,
                                              .encoding = encoding,
                                              .field = s->field,
                                              .whole = s->whole,
                                              .on_progress = on_read,
                                              .context = progress };
    rc = embed_corpus_new(out);
    for (int i = 0; i < n && rc == 0; i++)
        rc = embed_corpus_read(*out, paths[i], &how);
    base_progress_end(progress);
    if (rc == 0 && (*out)->tokens == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "%s%s: there is no word in it", paths[0],
                            n > 1 ? " and others" : "");
    if (rc) {
        embed_corpus_free(*out);
        *out = NULL;
        return cli_fail(command);
    }
    return 0;
}

int embed_source_word(const struct embed_source *s, const struct embed_corpus *corpus,
                      const char *word, char **out)
{
    struct embed_text *text = NULL;
    struct base_buffer b = { 0 };
    size_t n = 0;
    *out = NULL;
    if (embed_corpus_find(corpus, word) >= 0)
        return (*out = base_strdup(word)) ? 0 : BASE_E_MEMORY;
    int rc = embed_text_new(&text, s->kind);
    if (rc == 0)
        rc = embed_text_split(text, word, strlen(word), &b, &n);
    if (rc == 0 && (n != 1 || embed_corpus_find(corpus, b.data) < 0))
        rc = base_error_set(BASE_E_ARGUMENT, "\"%s\"%s%s%s does not occur in the corpus", word,
                            n == 1 ? " (as a token: \"" : "", n == 1 ? b.data : "",
                            n == 1 ? "\")" : "");
    if (rc == 0 && !(*out = base_strdup(b.data)))
        rc = BASE_E_MEMORY;
    embed_text_free(text);
    base_buffer_free(&b);
    return rc;
}

struct embed_figure embed_cosine_text(double cosine)
{
    struct embed_figure f = { "-" };
    if (!isnan(cosine))
        snprintf(f.text, sizeof f.text, "%.3f", cosine);
    return f;
}

int embed_how_take(const struct cli_command *command, struct embed_how *h, bool graph)
{
    const char *method = h->method ? h->method : graph ? "skipgram" : "cbow";
    if (strcmp(method, "skipgram") != 0 && strcmp(method, "cbow") != 0)
        return cli_usage(command, "--method %s: choose cbow or skipgram", method);
    h->o.method = *method == 'c' ? EMBED_CBOW : EMBED_SKIPGRAM;
    if (h->negative < 1 || h->negative > 63)
        return cli_usage(command, "--negative must be 1 to 63");
    if (h->window < 1 || h->window > 500)
        return cli_usage(command, "--window must be 1 to 500");
    if (h->size < 1 || h->size > 10000)
        return cli_usage(command, "--size must be 1 to 10000");
    if (h->epochs < 1 || h->epochs > 1000000)
        return cli_usage(command, "--epochs must be 1 to 1000000");
    if (h->min_count < 1)
        return cli_usage(command, "--min-count must be at least 1");
    if (!(h->o.sample >= 0 && h->o.sample <= 1))
        return cli_usage(command, "--sample must be 0 to 1");
    if (!(h->o.alpha > 0 && h->o.alpha <= 1) || !(h->o.alpha_end >= 0 && h->o.alpha_end <= 1))
        return cli_usage(command, "--alpha and --alpha-end must be between 0 and 1");
    h->o.negative = (unsigned)h->negative;
    h->o.window = (unsigned)h->window;
    h->o.size = (unsigned)h->size;
    h->o.epochs = (unsigned)h->epochs;
    h->o.min_count = (uint64_t)h->min_count;
    h->o.seed = (uint64_t)cli_common.seed;
    return 0;
}

json_t *embed_how_json(const struct embed_train_options *o)
{
    json_t *j =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "method",
                  o->method == EMBED_CBOW ? "cbow" : "skipgram", "size", (json_int_t)o->size,
                  "window", (json_int_t)o->window, "epochs", (json_int_t)o->epochs, "min_count",
                  (json_int_t)o->min_count, "sample", base_json_number(o->sample), "alpha",
                  base_json_number(o->alpha), "alpha_end", base_json_number(o->alpha_end));
    json_object_set_new(j, "output", json_string(o->hierarchical ? "hierarchical" : "negative"));
    if (!o->hierarchical) {
        json_object_set_new(j, "negative", json_integer((json_int_t)o->negative));
        json_object_set_new(j, "exponent", base_json_number(o->exponent));
    }
    json_object_set_new(j, "hogwild", json_boolean(o->hogwild));
    json_object_set_new(j, "seed", json_integer((json_int_t)o->seed));
    return j;
}

int embed_open(const struct cli_command *command, struct embed_vectors **out, const char *path)
{
    size_t repeated = 0;
    if (embed_vectors_read(out, path, NULL, &repeated))
        return cli_fail(command);
    if (repeated)
        base_log("%s: %zu words come again; their first vectors were kept", path, repeated);
    return 0;
}

json_t *embed_json_interval(double low, double high)
{
    return json_pack("[o, o]", base_json_number(low), base_json_number(high));
}
