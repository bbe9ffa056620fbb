/* assay embed sentences: vectors of sentences out of a language model, and how far their
 * similarities can be trusted. */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/cmd_embed.h"
#include <assay/data.h>
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_embed_sentences = {
    .name = "embed sentences",
    .synopsis = "-m MODEL FILE [--pair I,J]... [--layer N] [--center] [options]",
    .summary = "Sentence vectors from a model's hidden states, with intervals of similarity",
    .details =
        "FILE has a sentence per line. A sentence's vector is the mean of its tokens' hidden "
        "states "
        "after block --layer (0: the embeddings; default: the last block); special tokens do not "
        "count. Lines are numbered from 1, blank ones left out. --vectors writes the vectors in "
        "word2vec's format with those numbers as words, for `assay embed similar`.\n\n"
        "Intervals come from drawing every sentence's tokens again (--resamples sets), by order "
        "statistics as in `assay embed stability`, each with its real coverage. Hidden states "
        "share "
        "a large common part: when random sentences have a mean cosine near 1, that is said, and "
        "--center takes the mean over the sentences away.\n\n"
        "  assay embed sentences -m builtin:tiny lines.txt --pair 1,2 --pair 1,3 --center\n"
        "  assay embed sentences -m DIR lines.txt --layer 6 --vectors lines.vec",
    .run = run,
};

struct lines {
    char **text;
    size_t n, room;
};

static void lines_free(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        base_free(l->text[i]);
    base_free(l->text);
}

static int add_line(struct lines *l, const char *path, size_t line, const char *s, size_t n)
{
    while (n > 0 && (s[n - 1] == '\r' || s[n - 1] == ' '))
        n--;
    if (n == 0)
        return 0;
    if (base_utf8_invalid(s, n) < n || memchr(s, 0, n))
        return base_error_set(BASE_E_FORMAT, "%s:%zu: not UTF-8 text", path, line);
    if (l->n == l->room) {
        const size_t room = l->room ? 2 * l->room : 64;
        char **wide = base_realloc(l->text, room, sizeof *wide);
        if (!wide)
            return BASE_E_MEMORY;
        l->text = wide;
        l->room = room;
    }
    return (l->text[l->n] = base_strndup(s, n)) ? (l->n++, 0) : BASE_E_MEMORY;
}

static int read_lines(struct lines *l, const char *path)
{
    struct data_stream *stream = NULL;
    struct base_buffer b = { 0 };
    size_t n = 1, line = 0;
    int rc = data_stream_open(&stream, path);
    while (rc == 0 && n > 0)
        if ((rc = base_buffer_reserve(&b, 65536)) == 0 &&
            (rc = data_stream_read(stream, b.data + b.length, 65536, &n)) == 0)
            b.length += n;
    data_stream_close(stream);
    for (size_t i = 0; rc == 0 && i < b.length;) {
        const char *end = memchr(b.data + i, '\n', b.length - i);
        const size_t to = end ? (size_t)(end - b.data) : b.length;
        rc = add_line(l, path, ++line, b.data + i, to - i);
        i = to + 1;
    }
    base_buffer_free(&b);
    if (rc == 0 && l->n == 0)
        rc = base_error_set(BASE_E_ARGUMENT, "%s: there is no sentence in it", path);
    return rc;
}

static int parse_pairs(const struct cli_command *self, const struct cli_strings *pairs, size_t *out)
{
    for (size_t i = 0; i < pairs->count; i++) {
        int32_t *id = NULL;
        size_t n = 0;
        const bool good =
            cli_parse_ids(pairs->at[i], &id, &n) == 0 && n == 2 && id[0] >= 1 && id[1] >= 1;
        if (good) {
            out[2 * i] = (size_t)id[0] - 1;
            out[2 * i + 1] = (size_t)id[1] - 1;
        }
        base_free(id);
        if (!good)
            return cli_usage(self, "--pair %s: give the numbers of two sentences, as 1,2",
                             pairs->at[i]);
    }
    return 0;
}

static json_t *to_json(const struct embed_sentences *s, const struct embed_sentences_options *o)
{
    json_t *pairs = json_array();
    for (size_t i = 0; i < s->n_pairs; i++) {
        const struct embed_spread *x = &s->pair[i];
        json_array_append_new(
            pairs,
            json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "a", (json_int_t)o->pair[2 * i] + 1,
                      "b", (json_int_t)o->pair[2 * i + 1] + 1, "estimate",
                      base_json_number(x->estimate), "mean", base_json_number(x->mean), "sd",
                      base_json_number(x->sd), "ci", embed_json_interval(x->low, x->high),
                      "coverage_new_draw", base_json_number(x->coverage)));
    }
    json_t *overlap = s->overlap ? json_array() : json_null();
    for (size_t i = 0; s->overlap && i < s->n; i++)
        json_array_append_new(overlap, base_json_number(s->overlap[i]));
    return json_pack("{s:I, s:I, s:I, s:I, s:b, s:I, s:o, s:o, s:b, s:o, s:o}", "sentences",
                     (json_int_t)s->n, "size", (json_int_t)s->size, "layer", (json_int_t)s->layer,
                     "cut", (json_int_t)s->cut, "center", o->center, "resamples",
                     (json_int_t)o->resamples, "level", base_json_number(o->level), "random_cosine",
                     base_json_number(s->random_cosine), "alike", s->undertrained, "pairs", pairs,
                     "overlap", overlap);
}

/* Bytes of the beginning of a sentence: whole characters, at most 24 bytes. */
static int beginning(const char *s)
{
    const size_t n = strlen(s);
    return n <= 24 ? (int)n : (int)base_utf8_complete(s, 24);
}

static int append_text(struct base_buffer *b, const struct embed_sentences *s,
                       const struct embed_sentences_options *o, const struct lines *l)
{
    char level[32];
    snprintf(level, sizeof level, "\"%g %%\"", 100 * o->level);
    const struct cli_column columns[] = { { "sentences", false, true },
                                          { "cosine", true, false },
                                          { level, false, false },
                                          { "coverage", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 4 };
    int rc =
        base_buffer_printf(b,
                           "  %zu sentences, %zu numbers each, after block %zu%s\n  mean cosine "
                           "of random pairs %s\n",
                           s->n, s->size, s->layer, o->center ? ", centred" : "",
                           embed_cosine_text(s->random_cosine).text);
    if (rc == 0 && s->cut)
        rc = base_buffer_printf(b, "  %zu sentences were longer than the model's context: cut\n",
                                s->cut);
    if (rc == 0 && s->undertrained)
        rc = cli_append_wrapped(b, 2,
                                "All vectors point nearly the same way, whatever the sentence: the "
                                "similarities below mean little. Try --center.");
    for (size_t i = 0; i < s->n_pairs; i++) {
        const struct embed_spread *x = &s->pair[i];
        const char *a = l->text[o->pair[2 * i]], *b2 = l->text[o->pair[2 * i + 1]];
        cli_table_add(&t, "%zu, %zu: %.*s / %.*s", o->pair[2 * i] + 1, o->pair[2 * i + 1] + 1,
                      beginning(a), a, beginning(b2), b2);
        cli_table_add(&t, "%.3f", x->estimate);
        if (x->rank) {
            cli_table_add(&t, "%.3f .. %.3f", x->low, x->high);
            cli_table_add(&t, "%.4f", x->coverage);
        } else {
            cli_table_add(&t, "none");
            cli_table_add(&t, "-");
        }
    }
    if (rc == 0 && s->n_pairs)
        rc = base_buffer_puts(b, "\n");
    if (s->n_pairs && (rc = rc ? rc : cli_table_append(b, &t)))
        return rc;
    if (rc == 0 && s->overlap) {
        double sum = 0;
        for (size_t i = 0; i < s->n; i++)
            sum += s->overlap[i];
        rc = base_buffer_printf(
            b, "\n  Overlap of the %zu nearest sentences between resamples: %.3f\n", o->near,
            sum / (double)s->n);
    }
    return rc;
}

static int run(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_embed_sentences;
    struct embed_sentences_options o = { .layer = -1 };
    struct cli_strings pairs = { 0 };
    const char *vectors = NULL;
    bool binary = false;
    int64_t resamples = 20, near = 10;
    int n;
    const struct cli_option options[] = {
        { "pair", 0, CLI_STRINGS, &pairs, "I,J", "Two sentences by number; may repeat." },
        { "layer", 0, CLI_INT, &o.layer, "N",
          "Hidden states after block N; 0: embeddings (default: the last block)." },
        { "center", 0, CLI_FLAG, &o.center, NULL, "Take the mean over all sentences away." },
        { "resamples", 0, CLI_INT, &resamples, "N", "Sets of tokens drawn again (default 20)." },
        { "level", 0, CLI_DOUBLE, &o.level, "P",
          "What the intervals are called (default 0.9 below 40 resamples, else 0.95)." },
        { "near", 0, CLI_INT, &near, "N", "Neighbours whose overlap is measured (default 10)." },
        { "vectors", 0, CLI_STRING, &vectors, "FILE",
          "Write the vectors, word2vec's text format." },
        { "binary", 0, CLI_FLAG, &binary, NULL, "Write them in the binary format." },
        { 0 }
    };
    int rc = cli_parse(self, options, true, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 1)
        return cli_usage(self, "give one FILE of sentences, a line each (- is standard input)");
    if (resamples < 2 || resamples > 100000 || near < 1 || near > EMBED_MOST_NEAR)
        return cli_usage(self, "--resamples must be 2 to 100000, --near 1 to %d", EMBED_MOST_NEAR);
    if (!(o.level >= 0 && o.level < 1))
        return cli_usage(self, "--level must be between 0 and 1");
    if ((rc = cli_plain_name(self, "--vectors", vectors)))
        return rc;
    size_t *pair = base_alloc(2 * pairs.count + 1, sizeof *pair);
    if (!pair)
        return cli_fail(self);
    o.resamples = (size_t)resamples;
    o.near = (size_t)near;
    o.level = o.level > 0 ? o.level : resamples < 40 ? 0.90 : 0.95;
    o.seed = (uint64_t)cli_common.seed;
    o.pair = pair;
    o.n_pairs = pairs.count;
    struct model *m = NULL;
    struct embed_sentences *s = NULL;
    struct lines l = { 0 };
    base_interrupt_install();
    if ((rc = parse_pairs(self, &pairs, pair)) || (rc = cli_load_model(self, &m)))
        goto out;
    rc = read_lines(&l, argv[1]);
    if (rc == 0)
        rc = embed_sentences_run(&s, m, (const char *const *)l.text, l.n, &o);
    if (rc == 0 && vectors)
        rc = embed_vectors_write(s->vectors, vectors,
                                 binary ? EMBED_FORMAT_BINARY : EMBED_FORMAT_TEXT, false);
    if (rc) {
        rc = cli_fail(self);
    } else if (cli_common.json) {
        rc = cli_print_json(self, to_json(s, &o));
    } else {
        struct base_buffer b = { 0 };
        rc = append_text(&b, s, &o, &l);
        rc = cli_print_text(self, &b, rc);
    }
out:
    embed_sentences_free(s);
    lines_free(&l);
    model_free(m);
    base_free(pair);
    return rc;
}
