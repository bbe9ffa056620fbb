/* Vectors against people's judgements (word pairs) and against analogies, by gensim's rules: case
 * is ignored, the first word of a spelling counts, lines with unknown words are left out and
 * counted. */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "embed/near.h"
#include "embed/words.h"
#include <assay/data.h>
#include <assay/stats.h>
#include <math.h>
#include <string.h>
#include <utf8proc.h>

#define NEAREST 5 /* candidates of an analogy: gensim's number */

/* str.upper by simple mappings and the sharp s. */
static int upper_of(struct base_buffer *out, const char *s, size_t n)
{
    base_buffer_clear(out);
    int rc = base_buffer_reserve(out, n + 4);
    for (size_t i = 0; i < n && rc == 0;) {
        uint32_t code;
        char text[4];
        const size_t length = base_utf8_decode(s + i, n - i, &code);
        if (length == 0) {
            rc = base_buffer_append(out, s + i++, 1);
            continue;
        }
        i += length;
        if (code == 0xdf) {
            rc = base_buffer_puts(out, "SS");
            continue;
        }
        code = (uint32_t)utf8proc_toupper((utf8proc_int32_t)code);
        rc = base_buffer_append(out, text, base_utf8_encode(code, text));
    }
    return rc;
}

/* The spellings in capitals of the first words. */
struct spellings {
    struct embed_words *words; /* spelling -> number */
    uint32_t *first;           /* [spellings] the first word with it */
    uint32_t *of;              /* [limit] the spelling of a word */
    size_t limit;
    struct base_buffer upper;
};

static void spellings_free(struct spellings *s)
{
    embed_words_free(s->words);
    base_free(s->first);
    base_free(s->of);
    base_buffer_free(&s->upper);
}

static int spellings_make(struct spellings *s, const struct embed_vectors *v, size_t restrict_to)
{
    *s = (struct spellings){ .limit = restrict_to && restrict_to < v->n ? restrict_to : v->n };
    int rc = embed_words_new(&s->words);
    if (rc == 0 && (!(s->first = base_alloc(s->limit + 1, sizeof *s->first)) ||
                    !(s->of = base_alloc(s->limit + 1, sizeof *s->of))))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; i < s->limit && rc == 0; i++) {
        const char *word = embed_vectors_word(v, i);
        bool is_new = false;
        if ((rc = upper_of(&s->upper, word, strlen(word))) == 0 &&
            (rc = embed_words_add(s->words, s->upper.data, s->upper.length, &s->of[i], &is_new)) ==
                0 &&
            is_new)
            s->first[s->of[i]] = (uint32_t)i;
    }
    return rc;
}

/* Number of a spelling, -1 = unknown, below -1 = error */
static int64_t spelling(struct spellings *s, const char *word, size_t n)
{
    int rc = upper_of(&s->upper, word, n);
    return rc ? rc - 1 : embed_words_find(s->words, s->upper.data, s->upper.length);
}

/* ---- lines ---- */

/* The whole of a file, decompressed. */
static int read_all(struct base_buffer *b, const char *path)
{
    struct data_stream *stream = NULL;
    size_t n = 1;
    int rc = data_stream_open(&stream, path);
    while (rc == 0 && n > 0)
        if ((rc = base_buffer_reserve(b, 65536)) == 0 &&
            (rc = data_stream_read(stream, b->data + b->length, 65536, &n)) == 0)
            b->length += n;
    data_stream_close(stream);
    return rc;
}

struct field {
    const char *at;
    size_t n;
};
/* The next line of text[*from..bytes) and its fields, divided by tabs or by blanks. */
static bool next_fields(const char *text, size_t bytes, size_t *from, bool tabs,
                        struct field *field, size_t most, size_t *n)
{
    if (*from >= bytes)
        return false;
    const char *end = memchr(text + *from, '\n', bytes - *from);
    const size_t to = end ? (size_t)(end - text) : bytes;
    *n = 0;
    size_t i = *from;
    *from = to + 1;
    while (i < to) {
        size_t j = i;
        while (j < to &&
               (tabs ? text[j] != '\t' : text[j] != ' ' && text[j] != '\t' && text[j] != '\r'))
            j++;
        size_t a = i, b = j;
        while (a < b && (text[a] == ' ' || text[a] == '\r'))
            a++;
        while (b > a && (text[b - 1] == ' ' || text[b - 1] == '\r'))
            b--;
        if (b > a) {
            if (*n < most)
                field[*n] = (struct field){ text + a, b - a };
            ++*n;
        }
        i = j + 1;
    }
    return true;
}

static bool number_of(struct field f, double *out)
{
    const struct data_cell cell = { f.at, f.n };
    return data_cell_number(cell, out);
}

/* ---- word pairs ---- */

static int correlate(enum stats_correlation_kind kind, const double *x, const double *y, size_t n,
                     double level, double *r, double *low, double *high, double *p)
{
    struct stats_correlation c;
    *r = *low = *high = *p = NAN;
    if (stats_correlate(kind, x, y, n, level, &c))
        return -1;
    *r = c.r;
    *low = c.interval.low;
    *high = c.interval.high;
    *p = c.p;
    return 0;
}

int embed_evaluate_pairs(const struct embed_vectors *v, const char *path, size_t restrict_to,
                         double level, struct embed_pairs_result *out)
{
    struct spellings s = { 0 };
    struct base_buffer b = { 0 };
    double *gold = NULL, *ours = NULL;
    size_t room = 0, used = 0;
    *out = (struct embed_pairs_result){ 0 };
    int rc = read_all(&b, path);
    if (rc == 0)
        rc = spellings_make(&s, v, restrict_to);
    if (rc == 0 && !(out->name = base_strdup(path)))
        rc = BASE_E_MEMORY;
    struct field f[3];
    size_t n;
    for (size_t from = 0; rc == 0 && next_fields(b.data, b.length, &from, true, f, 3, &n);) {
        double value;
        if (n == 0 || f[0].at[0] == '#')
            continue;
        if (n != 3 || !number_of(f[2], &value)) {
            out->invalid++;
            continue;
        }
        out->pairs++;
        const int64_t i = spelling(&s, f[0].at, f[0].n), j = spelling(&s, f[1].at, f[1].n);
        if (i < -1 || j < -1) {
            rc = BASE_E_MEMORY;
        } else if (i < 0 || j < 0) {
            out->unknown++;
        } else {
            if (used == room) {
                room = room ? room * 2 : 512;
                double *g = base_realloc(gold, room, sizeof *g), *o = NULL;
                if (g) {
                    gold = g;
                    if ((o = base_realloc(ours, room, sizeof *o)))
                        ours = o;
                }
                if (!g || !o) {
                    rc = BASE_E_MEMORY;
                    break;
                }
            }
            gold[used] = value;
            ours[used++] = embed_similarity(v, s.first[i], s.first[j]);
        }
    }
    if (rc == 0 && out->pairs == 0)
        rc = base_error_set(BASE_E_FORMAT,
                            "%s: no line is \"word TAB word TAB number\" (%zu lines are not)", path,
                            out->invalid);
    if (rc == 0)
        out->defined = correlate(STATS_SPEARMAN, gold, ours, used, level, &out->spearman,
                                 &out->spearman_low, &out->spearman_high, &out->spearman_p) == 0 &&
                       correlate(STATS_PEARSON, gold, ours, used, level, &out->pearson,
                                 &out->pearson_low, &out->pearson_high, &out->pearson_p) == 0;
    base_free(gold);
    base_free(ours);
    spellings_free(&s);
    base_buffer_free(&b);
    if (rc)
        embed_pairs_result_free(out);
    return rc;
}

void embed_pairs_result_free(struct embed_pairs_result *r)
{
    base_free(r->name);
    *r = (struct embed_pairs_result){ 0 };
}

/* ---- analogies ---- */

struct question {
    uint32_t word[4]; /* spellings; the fourth is the answer */
    size_t section;
    bool right;
};

static int read_questions(struct spellings *s, const struct base_buffer *b, const char *path,
                          struct embed_analogies_result *out, struct question **questions,
                          size_t *count)
{
    size_t room = 0, sections = 0, n, line = 0;
    struct field f[4];
    for (size_t from = 0; next_fields(b->data, b->length, &from, false, f, 4, &n);) {
        line++;
        if (n == 0)
            continue;
        if (f[0].at[0] == ':') {
            if (out->n == sections) {
                sections = sections ? sections * 2 : 16;
                struct embed_analogy_section *wide =
                    base_realloc(out->section, sections, sizeof *wide);
                if (!wide)
                    return BASE_E_MEMORY;
                out->section = wide;
            }
            /* ": name", or ":name"; a name may have blanks */
            const char *end = memchr(f[0].at, '\n', b->length - (size_t)(f[0].at - b->data));
            const char *name = f[0].at + 1;
            size_t length = (size_t)((end ? end : b->data + b->length) - name);
            while (length > 0 && (*name == ' ' || *name == ':')) {
                name++;
                length--;
            }
            while (length > 0 && (name[length - 1] == '\r' || name[length - 1] == ' '))
                length--;
            out->section[out->n] =
                (struct embed_analogy_section){ .name = base_strndup(name, length) };
            if (!out->section[out->n++].name)
                return BASE_E_MEMORY;
            continue;
        }
        if (out->n == 0)
            return base_error_set(BASE_E_FORMAT,
                                  "%s:%zu: a question before the first \": section\"", path, line);
        if (n != 4) {
            out->invalid++;
            continue;
        }
        struct embed_analogy_section *section = &out->section[out->n - 1];
        section->questions++;
        int64_t id[4];
        bool known = true;
        for (int k = 0; k < 4; k++) {
            if ((id[k] = spelling(s, f[k].at, f[k].n)) < -1)
                return BASE_E_MEMORY;
            known = known && id[k] >= 0;
        }
        if (!known)
            continue;
        section->known++;
        if (*count == room) {
            room = room ? room * 2 : 1024;
            struct question *wide = base_realloc(*questions, room, sizeof *wide);
            if (!wide)
                return BASE_E_MEMORY;
            *questions = wide;
        }
        struct question *q = &(*questions)[(*count)++];
        q->section = out->n - 1;
        for (int k = 0; k < 4; k++)
            q->word[k] = (uint32_t)id[k];
    }
    return 0;
}

struct answers {
    uint32_t asked[8][3];
    struct embed_near near[8][NEAREST];
    size_t n[8];
};
static void keep_answer(void *context, size_t q, uint32_t word, double similarity)
{
    struct answers *a = context;
    if (a->n[q] == NEAREST && !(similarity > a->near[q][NEAREST - 1].similarity))
        return;
    if (word != a->asked[q][0] && word != a->asked[q][1] && word != a->asked[q][2])
        embed_near_put(a->near[q], NEAREST, &a->n[q], word, similarity);
}

/* Questions from .. from + n - 1 (n <= 8). */
static int answer(const struct embed_vectors *v, const struct spellings *s,
                  struct question *question, size_t n, real *query)
{
    struct answers a = { .n = { 0 } };
    for (size_t q = 0; q < n; q++) {
        for (int k = 0; k < 3; k++)
            a.asked[q][k] = s->first[question[q].word[k]];
        embed_question(v, a.asked[q] + 1, 2, a.asked[q], 1, query + q * v->stride);
    }
    int rc = embed_near_rows(v, query, n, s->limit, keep_answer, &a);
    for (size_t q = 0; q < n && rc == 0; q++) {
        const uint32_t *word = question[q].word;
        uint32_t said = UINT32_MAX;
        for (size_t k = 0; k < a.n[q]; k++) {
            said = s->of[a.near[q][k].word];
            if (said != word[0] && said != word[1] && said != word[2])
                break; /* not another spelling of a word of the question */
        }
        question[q].right = said == word[3];
    }
    return rc;
}

static int finish(struct embed_analogy_section *s, double level)
{
    struct stats_interval i = { NAN, NAN };
    if (s->known > 0 && stats_interval_wilson((double)s->right, (double)s->known, level, &i))
        return BASE_E_ARGUMENT;
    s->low = i.low;
    s->high = i.high;
    return 0;
}

int embed_evaluate_analogies(const struct embed_vectors *v, const char *path, size_t restrict_to,
                             double level, struct embed_analogies_result *out)
{
    struct spellings s = { 0 };
    struct base_buffer b = { 0 };
    struct question *question = NULL;
    size_t n = 0;
    *out = (struct embed_analogies_result){ 0 };
    int rc = read_all(&b, path);
    if (rc == 0)
        rc = spellings_make(&s, v, restrict_to);
    if (rc == 0 && (!(out->name = base_strdup(path)) || !(out->total.name = base_strdup("total"))))
        rc = BASE_E_MEMORY;
    if (rc == 0)
        rc = read_questions(&s, &b, path, out, &question, &n);
    if (rc == 0 && out->n == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: no line is \": section\"", path);
    if (rc == 0 && n > 0) {
        const int64_t groups = (int64_t)((n + 7) / 8);
        int failed = 0;
#pragma omp parallel num_threads(base_threads())
        {
            real *query = base_alloc_large(8 * v->stride * sizeof *query);
            int mine = query ? 0 : BASE_E_MEMORY;
#pragma omp for schedule(dynamic, 4)
            for (int64_t g = 0; g < groups; g++)
                if (mine == 0 && !base_interrupted())
                    mine = answer(v, &s, question + 8 * g,
                                  n - 8 * (size_t)g < 8 ? n - 8 * (size_t)g : 8, query);
            base_free_large(query, 8 * v->stride * sizeof *query);
            if (mine)
#pragma omp atomic write
                failed = mine;
        }
        rc = failed ? base_error_set(failed, "out of memory while answering analogies")
             : base_interrupted() ? base_error_set(BASE_E_INTERRUPTED, "interrupted")
                                  : 0;
    }
    for (size_t i = 0; i < n && rc == 0; i++)
        out->section[question[i].section].right += question[i].right;
    for (size_t i = 0; i < out->n && rc == 0; i++) {
        out->total.questions += out->section[i].questions;
        out->total.known += out->section[i].known;
        out->total.right += out->section[i].right;
        rc = finish(&out->section[i], level);
    }
    if (rc == 0)
        rc = finish(&out->total, level);
    base_free(question);
    spellings_free(&s);
    base_buffer_free(&b);
    if (rc)
        embed_analogies_result_free(out);
    return rc;
}

void embed_analogies_result_free(struct embed_analogies_result *r)
{
    for (size_t i = 0; i < r->n; i++)
        base_free(r->section[i].name);
    base_free(r->section);
    base_free(r->name);
    base_free(r->total.name);
    *r = (struct embed_analogies_result){ 0 };
}
