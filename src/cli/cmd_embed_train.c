/* assay embed train, convert: vectors of words out of texts, and from one file format to another.
 */
#include "base/memory.h"
#include "base/progress.h"
#include "cli/cmd_embed.h"
#include <math.h>
#include <string.h>

static int run_train(int argc, char **argv);
static int run_convert(int argc, char **argv);

const struct cli_command cli_command_embed_train = {
    .name = "embed train",
    .synopsis = "FILE... -o VECTORS [--method cbow|skipgram] [options]",
    .summary = "Train word vectors (word2vec) on texts, or node vectors on a graph",
    .details =
        "A FILE is plain text with a document per line (--whole: one document), or CSV, TSV, JSON "
        "or "
        "JSONL with the text in --field; compressed or not. Tokens are made as gensim's "
        "preprocess_documents makes them unless --tokens says otherwise. With --graph the "
        "documents "
        "are random walks over an edge list and the words are nodes (DeepWalk; node2vec with "
        "--return and --in-out).\n\n"
        "Training is the sequential algorithm: the same seed gives the same bits, whatever "
        "--threads "
        "says. --hogwild lets threads write into the same vectors without waiting for one another, "
        "which is faster and never twice the same. VECTORS is written in word2vec's text format, "
        "with --binary in its binary one; gensim reads both.\n\n"
        "After training, the mean cosine of random pairs of words is shown: near 1 all vectors "
        "point "
        "the same way, and every neighbour means nothing. More --epochs help, or a larger "
        "--alpha.\n\n"
        "  assay embed train builtin:stories -o stories.vec --epochs 20\n"
        "  assay embed train wiki.txt.zst --tokens plain --binary -o wiki.bin\n"
        "  assay embed train --graph edges.csv -o nodes.vec",
    .run = run_train,
};
const struct cli_command cli_command_embed_convert = {
    .name = "embed convert",
    .synopsis = "VECTORS -o FILE [--binary]",
    .summary = "Word vectors from text to binary and back, checked on the way",
    .details =
        "Reads word2vec's text and binary formats (told apart by their bytes; --from decides), "
        "also "
        "compressed and, with --no-header, text without the first line (GloVe). Every count and "
        "length is checked against the file, numbers must be finite. Text is written with the "
        "fewest digits that read back as the same numbers.\n\n"
        "  assay embed convert stories.vec -o stories.bin --binary\n"
        "  assay embed convert glove.6B.100d.txt --no-header -o glove.bin --binary",
    .run = run_convert,
};

static int on_progress(void *context, uint64_t done, uint64_t total, double alpha)
{
    char note[48];
    (void)total;
    snprintf(note, sizeof note, "alpha %.4f", alpha);
    base_progress_update(context, done, note);
    return 0;
}

static const char *random_pairs_word(double cosine)
{
    return cosine > EMBED_UNDERTRAINED ? "UNDER-TRAINED: all vectors point nearly the same way; "
                                         "neighbours mean nothing. Try more --epochs"
                                       : NULL;
}

/* The vectors are then as they were drawn, and look like any others. */
static const char nothing_learnt[] = "NOTHING WAS LEARNT: no word had another one beside it; the "
                                     "vectors are random. Give more text, "
                                     "or thin it less (--sample 0)";

static int show_train(struct base_buffer *b, const struct embed_corpus *c,
                      const struct embed_train_report *r, double cosine, const char *path)
{
    int rc = base_buffer_printf(
        b,
        "  %llu documents, %llu tokens, %zu types; %llu words (%llu types were rarer), %llu tokens "
        "of them\n  trained %llu examples; ",
        (unsigned long long)c->documents, (unsigned long long)c->tokens, c->types,
        (unsigned long long)r->words, (unsigned long long)r->dropped, (unsigned long long)r->tokens,
        (unsigned long long)r->trained);
    if (rc == 0)
        rc = isnan(r->loss) ? base_buffer_puts(b, "the last epoch's loss was not measured")
                            : base_buffer_printf(b, "loss %.4f nats in the last epoch", r->loss);
    if (rc == 0)
        rc = base_buffer_printf(b, "\n  mean cosine of random pairs %s\n",
                                embed_cosine_text(cosine).text);
    if (rc == 0 && r->trained == 0)
        rc = cli_append_wrapped(b, 2, nothing_learnt);
    if (rc == 0 && random_pairs_word(cosine))
        rc = cli_append_wrapped(b, 2, random_pairs_word(cosine));
    return rc ? rc : base_buffer_printf(b, "  wrote %s\n", path);
}

static int run_train(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_embed_train;
    struct embed_source source = EMBED_SOURCE_DEFAULT;
    struct embed_how how = EMBED_HOW_DEFAULT;
    bool binary = false;
    int n;
    const struct cli_option options[] = {
        EMBED_SOURCE_OPTIONS(source),
        EMBED_HOW_OPTIONS(how),
        { "hogwild", 0, CLI_FLAG, &how.o.hogwild, NULL,
          "All --threads train the same vectors at once: faster, not reproducible." },
        { "binary", 0, CLI_FLAG, &binary, NULL, "Write the binary format." },
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    const char *path = cli_common.output;
    cli_common.output = NULL; /* what is printed goes to standard output */
    if (!path)
        return cli_usage(self, "say where the vectors go: -o VECTORS");
    if ((rc = embed_how_take(self, &how, source.graph != NULL)))
        return rc;
    base_interrupt_install();
    struct embed_corpus *corpus = NULL;
    struct embed_vectors *v = NULL;
    struct embed_train_report report;
    if ((rc = embed_source_read(self, &source, &corpus, (const char *const *)(argv + 1), n)))
        return rc;
    struct base_progress *progress =
        base_progress_begin("train", "tokens", corpus->tokens * how.o.epochs);
    how.o.on_progress = on_progress;
    how.o.context = progress;
    rc = embed_train(&v, corpus, NULL, 0, &how.o, &report);
    base_progress_end(progress);
    const double cosine = rc ? NAN : embed_random_cosine(v, 1000, how.o.seed);
    if (rc == 0)
        rc = embed_vectors_write(v, path, binary ? EMBED_FORMAT_BINARY : EMBED_FORMAT_TEXT, false);
    if (rc) {
        rc = cli_fail(self);
    } else if (strcmp(path, "-") == 0) {
        base_log("mean cosine of random pairs %s", embed_cosine_text(cosine).text);
        if (report.trained == 0)
            base_log("%s", nothing_learnt);
    } else if (cli_common.json) {
        json_t *o = json_pack(
            "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:b, s:o}", "vectors", path,
            "documents", (json_int_t)corpus->documents, "tokens", (json_int_t)corpus->tokens,
            "types", (json_int_t)corpus->types, "words", (json_int_t)report.words, "rarer",
            (json_int_t)report.dropped, "tokens_of_words", (json_int_t)report.tokens, "examples",
            (json_int_t)report.trained, "loss", base_json_number(report.loss), "random_cosine",
            base_json_number(cosine), "undertrained", cosine > EMBED_UNDERTRAINED, "options",
            embed_how_json(&how.o));
        rc = cli_print_json(self, o);
    } else {
        struct base_buffer b = { 0 };
        rc = show_train(&b, corpus, &report, cosine, path);
        rc = cli_print_text(self, &b, rc);
    }
    embed_vectors_free(v);
    embed_corpus_free(corpus);
    return rc;
}

static int run_convert(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_embed_convert;
    bool binary = false;
    const char *from = "auto";
    int64_t limit = 0;
    struct embed_read_options how = { 0 };
    bool bare = false;
    int n;
    const struct cli_option options[] = {
        { "binary", 0, CLI_FLAG, &binary, NULL, "Write the binary format (default: text)." },
        { "from", 0, CLI_STRING, &from, "FORMAT",
          "What VECTORS is: auto (default), text, binary." },
        { "no-header", 0, CLI_FLAG, &how.no_header, NULL,
          "VECTORS is text without the line of counts (GloVe)." },
        { "bare", 0, CLI_FLAG, &bare, NULL, "Write text without the line of counts." },
        { "limit", 0, CLI_INT, &limit, "N", "Only the first N words." },
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    const char *path = cli_common.output;
    cli_common.output = NULL;
    if (n != 1 || !path)
        return cli_usage(self, "give VECTORS and -o FILE");
    if (strcmp(from, "auto") != 0 && strcmp(from, "text") != 0 && strcmp(from, "binary") != 0)
        return cli_usage(self, "--from %s: choose auto, text or binary", from);
    if (limit < 0)
        return cli_usage(self, "--limit must not be negative");
    if (binary && bare)
        return cli_usage(self, "the binary format has the line of counts always");
    how.format = *from == 't'   ? EMBED_FORMAT_TEXT
                 : *from == 'b' ? EMBED_FORMAT_BINARY
                                : EMBED_FORMAT_AUTO;
    how.limit = (size_t)limit;
    struct embed_vectors *v = NULL;
    size_t repeated = 0;
    if (embed_vectors_read(&v, argv[1], &how, &repeated) ||
        embed_vectors_write(v, path, binary ? EMBED_FORMAT_BINARY : EMBED_FORMAT_TEXT, bare)) {
        rc = cli_fail(self);
    } else if (strcmp(path, "-") == 0) {
        rc = 0;
    } else if (cli_common.json) {
        rc = cli_print_json(self,
                            json_pack("{s:s, s:I, s:I, s:I, s:s}", "vectors", path, "words",
                                      (json_int_t)v->n, "size", (json_int_t)v->size, "repeated",
                                      (json_int_t)repeated, "format", binary ? "binary" : "text"));
    } else {
        struct base_buffer b = { 0 };
        rc = base_buffer_printf(&b, "  wrote %s: %zu words of %zu numbers, %s\n", path, v->n,
                                v->size, binary ? "binary" : "text");
        if (rc == 0 && repeated)
            rc = base_buffer_printf(&b, "  %zu words came again; their first vectors were kept\n",
                                    repeated);
        rc = cli_print_text(self, &b, rc);
    }
    embed_vectors_free(v);
    return rc;
}
