/* corpus: writes the training text and the held-out items of the built-in model.
 *
 *   corpus [--seed N] [--documents N] [--train FILE] [--heldout DIR]
 *
 * The training text is a run of documents, each followed by <|endoftext|>. The same seed and number
 * of documents give the same bytes on every machine. */
#include "corpus.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED_DEFAULT      1
#define DOCUMENTS_DEFAULT 150000
#define PATH_BYTES        4096

void corpus_put(struct corpus *c, const char *text)
{
    if (!c->error)
        c->error = base_buffer_puts(c->out, text);
}

void corpus_printf(struct corpus *c, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    corpus_put(c, text);
}

size_t corpus_below(struct corpus *c, size_t n)
{
    return (size_t)base_rng_below(&c->rng, n);
}

bool corpus_chance(struct corpus *c, size_t percent)
{
    return corpus_below(c, 100) < percent;
}

void corpus_sample(struct corpus *c, size_t *order, size_t total, size_t n)
{
    for (size_t i = 0; i < total; i++)
        order[i] = i;
    for (size_t i = 0; i < n && i + 1 < total; i++) { /* Fisher-Yates, the first n places only */
        size_t j = i + corpus_below(c, total - i), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}

uint64_t corpus_hash(const char *a, const char *b, uint64_t salt)
{
    /* FNV-1a over both strings with a mark between them, then the finaliser of splitmix64: kept
     * here, so that the split never moves when the library's table hash changes */
    uint64_t h = 0xcbf29ce484222325u ^ salt;
    for (; *a; a++)
        h = (h ^ (unsigned char)*a) * 0x100000001b3u;
    h = (h ^ 0xff) * 0x100000001b3u;
    for (; *b; b++)
        h = (h ^ (unsigned char)*b) * 0x100000001b3u;
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    return h ^ h >> 31;
}

/* What a document is about, in parts of 1000 documents. A document of lists is short (about 45
 * tokens, the others 100 to 250): by tokens the lists, the hardest skill, are half of the text. */
enum { SHARE_LISTS = 710, SHARE_FACTS = 120, SHARE_REVIEWS = 140, SHARE_STORIES = 18 };

int corpus_document(uint64_t seed, uint64_t index, struct base_buffer *out)
{
    struct corpus c = { .rng = base_rng_make(seed, BASE_RNG_CORPUS, index), .out = out };
    size_t kind = corpus_below(&c, 1000);
    char locker[128];
    if (kind < SHARE_LISTS)
        corpus_lists_document(&c);
    else if ((kind -= SHARE_LISTS) < SHARE_FACTS)
        corpus_facts_document(&c);
    else if ((kind -= SHARE_FACTS) < SHARE_REVIEWS)
        corpus_reviews_document(&c);
    else if (kind - SHARE_REVIEWS < SHARE_STORIES)
        corpus_story_document(&c);
    else
        corpus_sums_document(&c);
    /* one repeated sentence at the end of each of the documents 0, 8, 16, ... until all are told
     */
    if (index % 8 == 0 && corpus_locker_sentence((size_t)(index / 8), locker, sizeof locker))
        corpus_printf(&c, "%s\n", locker);
    return c.error;
}

#ifndef CORPUS_NO_MAIN
static int write_train(const char *path, uint64_t seed, uint64_t documents)
{
    struct base_writer w = { 0 };
    struct base_buffer text = { 0 };
    int rc = base_writer_open(&w, path);
    for (uint64_t i = 0; rc == 0 && i < documents; i++) {
        base_buffer_clear(&text);
        rc = corpus_document(seed, i, &text);
        if (rc == 0)
            rc = base_buffer_puts(&text, CORPUS_SEPARATOR);
        if (rc == 0)
            rc = base_writer_write(&w, text.data, text.length);
    }
    if (rc == 0)
        rc = base_writer_commit(&w);
    base_writer_abort(&w);
    base_buffer_free(&text);
    return rc;
}

/* One object a line. Takes the reference to items. */
static int write_items(const char *directory, const char *name, json_t *items)
{
    char path[PATH_BYTES];
    struct base_buffer text = { 0 };
    int rc = items ? 0 : base_error_set(BASE_E_MEMORY, "%s: out of memory", name);
    for (size_t i = 0; rc == 0 && i < json_array_size(items); i++) {
        char *line = json_dumps(json_array_get(items, i), JSON_COMPACT);
        rc = line ? base_buffer_printf(&text, "%s\n", line) : BASE_E_MEMORY;
        free(line);
    }
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (rc == 0)
        rc = base_file_write(path, text.data, text.length);
    base_buffer_free(&text);
    json_decref(items);
    return rc;
}

static int write_heldout(const char *directory, uint64_t seed)
{
    int rc = base_file_make_directories(directory);
    if (rc == 0)
        rc = write_items(directory, "facts.jsonl", corpus_facts_heldout(seed));
    if (rc == 0)
        rc = write_items(directory, "sentiment.jsonl", corpus_reviews_heldout(seed));
    if (rc == 0)
        rc = write_items(directory, "counting.jsonl", corpus_lists_heldout(seed));
    if (rc == 0)
        rc = write_items(directory, "counting_pairs.jsonl", corpus_list_pairs_heldout(seed));
    if (rc == 0)
        rc = write_items(directory, "sums.jsonl", corpus_sums_heldout(seed));
    if (rc == 0)
        rc = write_items(directory, "lockers.jsonl", corpus_lockers_heldout());
    return rc;
}

int main(int argc, char **argv)
{
    uint64_t seed = SEED_DEFAULT, documents = DOCUMENTS_DEFAULT;
    const char *train = NULL, *heldout = NULL;
    int rc = 0;
    for (int i = 1; i < argc; i += 2) {
        char *end = "";
        if (i + 1 < argc && !strcmp(argv[i], "--seed"))
            seed = strtoull(argv[i + 1], &end, 10);
        else if (i + 1 < argc && !strcmp(argv[i], "--documents"))
            documents = strtoull(argv[i + 1], &end, 10);
        else if (i + 1 < argc && !strcmp(argv[i], "--train"))
            train = argv[i + 1];
        else if (i + 1 < argc && !strcmp(argv[i], "--heldout"))
            heldout = argv[i + 1];
        else
            end = argv[i];
        if (*end) {
            fprintf(stderr, "corpus: cannot read '%s'\n", argv[i]);
            fprintf(stderr,
                    "usage: corpus [--seed N] [--documents N] [--train FILE] [--heldout DIR]\n");
            return 2;
        }
    }
    if (train)
        rc = write_train(train, seed, documents);
    if (rc == 0 && heldout)
        rc = write_heldout(heldout, seed);
    if (rc != 0)
        fprintf(stderr, "corpus: %s\n", base_error_message());
    return rc != 0;
}
#endif
