/* assay embed similar, similarity, analogy, evaluate: questions to word vectors. */
#include "base/file.h"
#include "base/memory.h"
#include "cli/cmd_embed.h"
#include <assay/stats.h>
#include <math.h>
#include <string.h>

static int run_similar(int argc, char **argv);
static int run_similarity(int argc, char **argv);
static int run_analogy(int argc, char **argv);
static int run_evaluate(int argc, char **argv);

const struct cli_command cli_command_embed_similar = {
    .name = "embed similar",
    .synopsis = "VECTORS WORD... [--minus WORD]... [--top N]",
    .summary = "The words whose vectors are nearest",
    .details =
        "VECTORS is what `assay embed train` or gensim wrote (word2vec's text or binary format). "
        "Several words are asked for together: the nearest to the mean of their unit vectors, less "
        "those of --minus. These are gensim's most_similar and its numbers.\n\n"
        "How far such a list can be trusted, `assay embed stability` says.\n\n"
        "  assay embed similar stories.vec boat\n"
        "  assay embed similar wiki.bin king woman --minus man --restrict 30000",
    .run = run_similar,
};
const struct cli_command cli_command_embed_similarity = {
    .name = "embed similarity",
    .synopsis = "VECTORS WORD WORD [WORD WORD]...",
    .summary = "Cosines of pairs of words",
    .details = "  assay embed similarity stories.vec boat river boat kitchen",
    .run = run_similarity,
};
const struct cli_command cli_command_embed_analogy = {
    .name = "embed analogy",
    .synopsis = "VECTORS A B C [--top N]",
    .summary = "A is to B as C is to which word?",
    .details = "The words nearest to B - A + C, each as a unit vector (3CosAdd), without A, B and "
               "C.\n\n"
               "  assay embed analogy wiki.bin man king woman",
    .run = run_analogy,
};
const struct cli_command cli_command_embed_evaluate = {
    .name = "embed evaluate",
    .synopsis = "VECTORS [--pairs FILE]... [--analogies FILE]...",
    .summary = "Word vectors against human similarity scores and analogies, with intervals",
    .details =
        "--pairs: lines of word, tab, word, tab, score (WordSim-353, SimLex-999); Spearman's and "
        "Pearson's correlation of scores and cosines, with Fisher's intervals. --analogies: "
        "questions-words.txt; the share of right answers per section with Wilson's intervals. Case "
        "is ignored; lines with a word that has no vector are left out and counted. The rules are "
        "those of gensim's evaluate_word_pairs and evaluate_word_analogies.\n\n"
        "  assay embed evaluate wiki.bin --pairs wordsim353.tsv --analogies questions-words.txt",
    .run = run_evaluate,
};

struct answer {
    const struct embed_vectors *v;
    struct embed_near *near;
    size_t n;
};

static int print_answer(const struct cli_command *self, const struct answer *a, json_t *question)
{
    if (cli_common.json) {
        json_t *list = json_array();
        for (size_t i = 0; i < a->n; i++)
            json_array_append_new(list,
                                  json_pack("{s:o, s:o}", "word",
                                            json_string(embed_vectors_word(a->v, a->near[i].word)),
                                            "similarity", base_json_number(a->near[i].similarity)));
        json_object_set_new(question, "similar", list);
        return cli_print_json(self, question);
    }
    json_decref(question);
    const struct cli_column columns[] = { { "word", false, true }, { "cosine", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 2 };
    struct base_buffer b = { 0 };
    for (size_t i = 0; i < a->n; i++) {
        cli_table_add(&t, "%s", embed_vectors_word(a->v, a->near[i].word));
        cli_table_add(&t, "%.4f", a->near[i].similarity);
    }
    const int rc = cli_table_append(&b, &t);
    return cli_print_text(self, &b, rc);
}

static int find_words(const struct embed_vectors *v, const char *const *word, size_t n,
                      uint32_t *id)
{
    for (size_t i = 0; i < n; i++) {
        size_t at;
        int rc = embed_vectors_need(v, word[i], &at);
        if (rc)
            return rc;
        id[i] = (uint32_t)at;
    }
    return 0;
}

/* positive words, less negative ones */
static int ask(const struct cli_command *self, const char *path, const char *const *positive,
               size_t n_positive, const char *const *negative, size_t n_negative,
               int64_t restrict_to, int64_t top)
{
    struct answer a = { 0 };
    struct embed_vectors *v = NULL;
    uint32_t *id = NULL;
    if (top < 1 || top > 1000000)
        return cli_usage(self, "--top must be 1 to 1000000");
    if (restrict_to < 0)
        return cli_usage(self, "--restrict must not be negative");
    int rc = embed_open(self, &v, path);
    if (rc)
        return rc;
    if ((size_t)top > v->n)
        top = (int64_t)v->n;
    id = base_alloc(n_positive + n_negative + 1, sizeof *id);
    a.near = base_alloc((size_t)top, sizeof *a.near);
    rc = id && a.near ? 0 : BASE_E_MEMORY;
    if (rc == 0)
        rc = find_words(v, positive, n_positive, id);
    if (rc == 0)
        rc = find_words(v, negative, n_negative, id + n_positive);
    if (rc == 0)
        rc = embed_similar(v, id, n_positive, id + n_positive, n_negative, (size_t)restrict_to,
                           (size_t)top, a.near, &a.n);
    a.v = v;
    if (rc) {
        rc = cli_fail(self);
    } else {
        json_t *p = json_array(), *m = json_array();
        for (size_t i = 0; i < n_positive; i++)
            json_array_append_new(p, json_string(positive[i]));
        for (size_t i = 0; i < n_negative; i++)
            json_array_append_new(m, json_string(negative[i]));
        rc = print_answer(self, &a, json_pack("{s:o, s:o}", "positive", p, "negative", m));
    }
    base_free(id);
    base_free(a.near);
    embed_vectors_free(v);
    return rc;
}

static int run_similar(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_embed_similar;
    struct cli_strings minus = { 0 };
    int64_t top = 10, restrict_to = 0;
    int n;
    const struct cli_option options[] = {
        { "minus", 0, CLI_STRINGS, &minus, "WORD", "A word to go away from; may repeat." },
        { "top", 0, CLI_INT, &top, "N", "Words shown (default 10)." },
        { "restrict", 0, CLI_INT, &restrict_to, "N",
          "Search the first N words only: the most frequent ones (default: all)." },
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n < 1 || (n < 2 && minus.count == 0))
        return cli_usage(self, "give VECTORS and at least one WORD");
    return ask(self, argv[1], (const char *const *)(argv + 2), (size_t)n - 1, minus.at, minus.count,
               restrict_to, top);
}

static int run_analogy(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_embed_analogy;
    int64_t top = 5, restrict_to = 0;
    int n;
    const struct cli_option options[] = {
        { "top", 0, CLI_INT, &top, "N", "Words shown (default 5)." },
        { "restrict", 0, CLI_INT, &restrict_to, "N", "Search the first N words only." },
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 4)
        return cli_usage(self, "give VECTORS and three words: A is to B as C is to ...");
    const char *positive[2] = { argv[3], argv[4] }, *negative[1] = { argv[2] };
    return ask(self, argv[1], positive, 2, negative, 1, restrict_to, top);
}

static int run_similarity(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_embed_similarity;
    struct embed_vectors *v = NULL;
    int n;
    const struct cli_option options[] = { { 0 } };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n < 3 || n % 2 == 0)
        return cli_usage(self, "give VECTORS and pairs of words");
    if ((rc = embed_open(self, &v, argv[1])))
        return rc;
    const struct cli_column columns[] = { { "word", false, false },
                                          { "word", false, true },
                                          { "cosine", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 3 };
    struct base_buffer b = { 0 };
    json_t *list = json_array();
    for (int i = 2; i <= n && rc == 0; i += 2) {
        uint32_t id[2];
        if ((rc = find_words(v, (const char *const *)(argv + i), 2, id)))
            break;
        const double cosine = embed_similarity(v, id[0], id[1]);
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "a", argv[i], "b", argv[i + 1],
                                              "similarity", base_json_number(cosine)));
        cli_table_add(&t, "%s", argv[i]);
        cli_table_add(&t, "%s", argv[i + 1]);
        cli_table_add(&t, "%.4f", cosine);
    }
    const int laid = cli_table_append(&b, &t);
    embed_vectors_free(v);
    if (rc == 0 && cli_common.json) {
        base_buffer_free(&b);
        return cli_print_json(self, json_pack("{s:o}", "pairs", list));
    }
    json_decref(list);
    return cli_print_text(self, &b, rc ? rc : laid);
}

/* ---- evaluate ---- */

static json_t *json_pairs(const struct embed_pairs_result *r)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "file", r->name, "pairs",
                     (json_int_t)r->pairs, "unknown", (json_int_t)r->unknown, "invalid",
                     (json_int_t)r->invalid, "spearman", base_json_number(r->spearman),
                     "spearman_ci", embed_json_interval(r->spearman_low, r->spearman_high),
                     "spearman_p", base_json_number(r->spearman_p), "pearson",
                     base_json_number(r->pearson), "pearson_ci",
                     embed_json_interval(r->pearson_low, r->pearson_high), "pearson_p",
                     base_json_number(r->pearson_p));
}

static json_t *json_section(const struct embed_analogy_section *s)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:o, s:o}", "section", s->name, "questions",
                     (json_int_t)s->questions, "known", (json_int_t)s->known, "right",
                     (json_int_t)s->right, "accuracy",
                     base_json_number(s->known ? (double)s->right / (double)s->known : NAN), "ci",
                     embed_json_interval(s->low, s->high));
}

static int add_pairs(struct base_buffer *b, const struct embed_pairs_result *r, const char *level)
{
    const struct cli_column columns[] = { { base_path_name(r->name), false, true },
                                          { "r", true, false },
                                          { level, false, false },
                                          { "pairs", true, false },
                                          { "unknown", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 5 };
    const double v[2][3] = { { r->spearman, r->spearman_low, r->spearman_high },
                             { r->pearson, r->pearson_low, r->pearson_high } };
    for (int k = 0; k < 2; k++) {
        cli_table_add(&t, "%s", k ? "Pearson" : "Spearman");
        if (r->defined) {
            cli_table_add(&t, "%.3f", v[k][0]);
            cli_table_add(&t, "%.3f .. %.3f", v[k][1], v[k][2]);
        } else {
            cli_table_add(&t, "-");
            cli_table_add(&t, "too few pairs");
        }
        cli_table_add(&t, "%zu", r->pairs - r->unknown);
        cli_table_add(&t, "%zu", r->unknown);
    }
    const int rc = cli_table_append(b, &t);
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int add_analogies(struct base_buffer *b, const struct embed_analogies_result *r,
                         const char *level)
{
    const struct cli_column columns[] = { { base_path_name(r->name), false, true },
                                          { "right", true, false },
                                          { "of", true, false },
                                          { "share", true, false },
                                          { level, false, false },
                                          { "unknown", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 6 };
    for (size_t i = 0; i <= r->n; i++) {
        const struct embed_analogy_section *s = i < r->n ? &r->section[i] : &r->total;
        cli_table_add(&t, "%s", s->name);
        cli_table_add(&t, "%zu", s->right);
        cli_table_add(&t, "%zu", s->known);
        if (s->known) {
            cli_table_add(&t, "%.3f", (double)s->right / (double)s->known);
            cli_table_add(&t, "%.3f .. %.3f", s->low, s->high);
        } else {
            cli_table_add(&t, "-");
            cli_table_add(&t, "none known");
        }
        cli_table_add(&t, "%zu", s->questions - s->known);
    }
    const int rc = cli_table_append(b, &t);
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int run_evaluate(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_embed_evaluate;
    struct cli_strings pairs = { 0 }, analogies = { 0 };
    int64_t restrict_to = 300000;
    double level = 0.95;
    int n;
    const struct cli_option options[] = {
        { "pairs", 0, CLI_STRINGS, &pairs, "FILE", "Word pairs with scores; may repeat." },
        { "analogies", 0, CLI_STRINGS, &analogies, "FILE", "Analogies in sections; may repeat." },
        { "restrict", 0, CLI_INT, &restrict_to, "N",
          "Only the first N words (default 300000, as gensim; 0: all)." },
        { "level", 0, CLI_DOUBLE, &level, "P", "Confidence of the intervals (default 0.95)." },
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 1 || pairs.count + analogies.count == 0)
        return cli_usage(self, "give VECTORS and at least one of --pairs and --analogies");
    if (!(level > 0 && level < 1) || restrict_to < 0)
        return cli_usage(self, "--level must be between 0 and 1, --restrict not negative");
    base_interrupt_install();
    struct embed_vectors *v = NULL;
    if ((rc = embed_open(self, &v, argv[1])))
        return rc;
    json_t *of_pairs = json_array(), *of_analogies = json_array();
    struct base_buffer b = { 0 };
    char title[32];
    snprintf(title, sizeof title, "%g %% interval", 100 * level);
    for (size_t i = 0; i < pairs.count && rc == 0; i++) {
        struct embed_pairs_result r;
        if ((rc = embed_evaluate_pairs(v, pairs.at[i], (size_t)restrict_to, level, &r)))
            break;
        json_array_append_new(of_pairs, json_pairs(&r));
        rc = add_pairs(&b, &r, title);
        embed_pairs_result_free(&r);
    }
    for (size_t i = 0; i < analogies.count && rc == 0; i++) {
        struct embed_analogies_result r;
        if ((rc = embed_evaluate_analogies(v, analogies.at[i], (size_t)restrict_to, level, &r)))
            break;
        json_t *sections = json_array();
        for (size_t k = 0; k < r.n; k++)
            json_array_append_new(sections, json_section(&r.section[k]));
        json_array_append_new(of_analogies, json_pack("{s:s, s:o, s:o, s:I}", "file", r.name,
                                                      "total", json_section(&r.total), "sections",
                                                      sections, "invalid", (json_int_t)r.invalid));
        rc = add_analogies(&b, &r, title);
        embed_analogies_result_free(&r);
    }
    embed_vectors_free(v);
    if (rc == 0 && cli_common.json) {
        base_buffer_free(&b);
        return cli_print_json(
            self, json_pack("{s:o, s:o}", "pairs", of_pairs, "analogies", of_analogies));
    }
    json_decref(of_pairs);
    json_decref(of_analogies);
    if (b.length)
        b.data[--b.length] = 0; /* no empty line at the end */
    return cli_print_text(self, &b, rc);
}
