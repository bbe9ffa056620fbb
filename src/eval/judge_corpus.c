/* BLEU, chrF and TER as SacreBLEU 2.6 defines them by default, which is what lm-eval computes.
 *
 *   BLEU (Papineni et al. 2002)   bp exp(1/4 sum_n ln p_n), p_n in per cent = matches / n-grams
 * over the corpus, n = 1 .. 4; matches are clipped at the most any reference has; a p_n without
 *       matches is 100 / (2^k total), k counting such orders (mteval's smoothing); bp = exp(1 -
 * r/h) for h < r, r the reference length nearest to the response's (the shorter of two). Words of
 *       mteval-v13a.
 *   chrF (Popovic 2015)   F_2 of precision and recall of character n-grams, n = 1 .. 6, without
 * white space, averaged over the orders that both sides have; chrF++ adds words, n = 1, 2. Of
 *       several references the one with the best F counts.
 *   TER (Snover et al. 2006)   edits / average reference length: insertions, deletions,
 *       substitutions, and shifts of word sequences, found greedily as Tercom does, with the beam
 *       around the diagonal that SacreBLEU has. Lower case, words at white space. */
#include "eval/judge_corpus.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/python_text.h"
#include <math.h>
#include <string.h>

enum { BLEU_ORDER = 4, CHARACTERS = 6, WORDS = 2 };

static int out_of_memory(void)
{
    return base_error_set(BASE_E_MEMORY, "out of memory while scoring text");
}

/* ---- words ---- */

/* Pieces of a text, [begin[i], end[i]) in bytes. */
struct pieces {
    char *text; /* owned */
    size_t *begin, *end;
    size_t n;
};

static void pieces_free(struct pieces *p)
{
    base_free(p->text);
    base_free(p->begin);
    base_free(p->end);
    *p = (struct pieces){ 0 };
}

/* Takes text over; room for a piece per byte and one more. */
static int pieces_make(struct pieces *p, char *text)
{
    size_t n = text ? strlen(text) + 2 : 0;
    *p = (struct pieces){ .text = text,
                          .begin = base_alloc(n, sizeof *p->begin),
                          .end = base_alloc(n, sizeof *p->end) };
    if (text && p->begin && p->end)
        return 0;
    pieces_free(p);
    return out_of_memory();
}

/* The code point at s, and its bytes; a byte that is none stands for itself. */
static size_t next_character(const char *s, size_t left, uint32_t *code)
{
    size_t n = base_utf8_decode(s, left, code);
    if (n == 0) {
        *code = (unsigned char)*s;
        n = 1;
    }
    return n;
}

/* str.split() */
static void split(struct pieces *p)
{
    size_t length = strlen(p->text), at = 0;
    bool inside = false;
    p->n = 0;
    while (at < length) {
        uint32_t code;
        size_t step = next_character(p->text + at, length - at, &code);
        bool space = python_isspace(code);
        if (!space && !inside)
            p->begin[p->n++] = at;
        if (!space)
            p->end[p->n - 1] = at + step;
        inside = !space;
        at += step;
    }
}

/* ''.join(s.split()), each character a piece. */
static int characters(const char *s, struct pieces *p)
{
    int rc = pieces_make(p, base_strdup(s));
    if (rc)
        return rc;
    size_t length = strlen(s), to = 0;
    for (size_t at = 0; at < length;) {
        uint32_t code;
        size_t step = next_character(s + at, length - at, &code);
        if (!python_isspace(code)) {
            memcpy(p->text + to, s + at, step);
            p->begin[p->n] = to;
            p->end[p->n++] = to += step;
        }
        at += step;
    }
    p->text[to] = 0;
    return 0;
}

static bool punctuation(char c)
{
    return c && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c) != NULL;
}

/* chrF++'s words: a mark at the end of a word, or else at its beginning, is a word of its own. */
static int chrf_words(const char *s, struct pieces *p)
{
    struct pieces plain;
    int rc = pieces_make(&plain, base_strdup(s));
    if (rc || (rc = pieces_make(p, base_strdup(s)))) {
        if (plain.text)
            pieces_free(&plain);
        return rc;
    }
    split(&plain);
    for (size_t i = 0; i < plain.n; i++) {
        size_t begin = plain.begin[i], end = plain.end[i], cut = 0;
        uint32_t code;
        bool single = next_character(s + begin, end - begin, &code) == end - begin;
        if (!single && punctuation(s[end - 1]))
            cut = end - 1;
        else if (!single && punctuation(s[begin]))
            cut = begin + 1;
        if (cut) {
            p->begin[p->n] = begin;
            p->end[p->n++] = cut;
            begin = cut;
        }
        p->begin[p->n] = begin;
        p->end[p->n++] = end;
    }
    pieces_free(&plain);
    return 0;
}

/* ---- mteval-v13a ---- */

static int replace_all(struct base_buffer *b, const char *what, const char *by)
{
    struct base_buffer out = { 0 };
    size_t n = strlen(what);
    int rc = base_buffer_puts(&out, "");
    for (const char *s = b->data, *hit; rc == 0 && *s; s = hit + n) {
        if (!(hit = strstr(s, what))) {
            rc = base_buffer_puts(&out, s);
            break;
        }
        rc = base_buffer_append(&out, s, (size_t)(hit - s));
        rc = rc ? rc : base_buffer_puts(&out, by);
    }
    base_buffer_free(b);
    *b = out;
    return rc;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Marks that become words wherever they stand: [\{-\~\[-\` -\&\(-\+\:-\@\/] */
static bool mark(char c)
{
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
           (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

static bool stop(char c)
{
    return c == '.' || c == ',';
}

/* The four substitutions of the language-dependent part, each over the whole text. Two characters
 * that match are used up, as re.sub has it. */
static int substitute(struct base_buffer *b, int which)
{
    struct base_buffer out = { 0 };
    int rc = base_buffer_puts(&out, "");
    for (const char *s = b->data; rc == 0 && *s;) {
        char c = s[0], d = s[1];
        if (which == 0 && mark(c)) {
            rc = base_buffer_printf(&out, " %c ", c);
            s++;
        } else if (which == 1 && !digit(c) && stop(d)) {
            rc = base_buffer_printf(&out, "%c %c ", c, d);
            s += 2;
        } else if (which == 2 && stop(c) && d && !digit(d)) {
            rc = base_buffer_printf(&out, " %c %c", c, d);
            s += 2;
        } else if (which == 3 && digit(c) && d == '-') {
            rc = base_buffer_printf(&out, "%c - ", c);
            s += 2;
        } else {
            rc = base_buffer_append(&out, s, 1);
            s++;
        }
    }
    base_buffer_free(b);
    *b = out;
    return rc;
}

/* s.rstrip() as a new string. */
static char *without_end(const char *s)
{
    size_t end = 0, length = strlen(s), step;
    for (size_t at = 0; at < length; at += step) {
        uint32_t code;
        step = next_character(s + at, length - at, &code);
        if (!python_isspace(code))
            end = at + step;
    }
    return base_strndup(s, end);
}

static int bleu_words(const char *s, struct pieces *p)
{
    static const char *const replaced[][2] = { { "<skipped>", "" }, { "-\n", "" },
                                               { "\n", " " },       { "&quot;", "\"" },
                                               { "&amp;", "&" },    { "&lt;", "<" },
                                               { "&gt;", ">" } };
    char *line = without_end(s);
    struct base_buffer b = { 0 };
    int rc = line ? base_buffer_puts(&b, line) : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < sizeof replaced / sizeof *replaced; i++)
        rc = replace_all(&b, replaced[i][0], replaced[i][1]);
    base_free(line);
    line = rc ? NULL : base_format(" %s ", b.data);
    base_buffer_clear(&b);
    rc = line ? base_buffer_puts(&b, line) : out_of_memory();
    base_free(line);
    for (int i = 0; rc == 0 && i < 4; i++)
        rc = substitute(&b, i);
    rc = rc ? rc : pieces_make(p, base_strdup(b.data));
    base_buffer_free(&b);
    if (rc == 0)
        split(p);
    return rc;
}

/* ---- n-grams ---- */

/* The n-gram of n pieces from i on as a key: their texts with a blank between words, order in
 * front, for words of one text. */
static int gram(struct base_buffer *key, const struct pieces *p, size_t i, size_t n, bool words)
{
    char order = (char)n;
    base_buffer_clear(key);
    int rc = base_buffer_append(key, &order, 1);
    if (!words)
        return rc ? rc
                  : base_buffer_append(key, p->text + p->begin[i], p->end[i + n - 1] - p->begin[i]);
    for (size_t k = i; rc == 0 && k < i + n; k++) {
        rc = base_buffer_append(key, p->text + p->begin[k], p->end[k] - p->begin[k]);
        rc = rc ? rc : base_buffer_puts(key, " ");
    }
    return rc;
}

/* Adds one to a key's count; *count: what it is now. */
static int count_one(struct base_table *t, const struct base_buffer *key, int64_t *count)
{
    const int64_t *known = base_table_get(t, key->data, key->length);
    *count = (known ? *known : 0) + 1;
    return base_table_put(t, key->data, key->length, *count);
}

/* Counts n-grams of p, n = 1 .. orders: into `most` the greatest count any text had so far. */
static int count_reference(const struct pieces *p, size_t orders, bool words,
                           struct base_table *most)
{
    struct base_table *own = NULL;
    struct base_buffer key = { 0 };
    int rc = base_table_new(&own, p->n * orders + 1);
    for (size_t n = 1; rc == 0 && n <= orders; n++)
        for (size_t i = 0; rc == 0 && i + n <= p->n; i++) {
            int64_t count;
            rc = gram(&key, p, i, n, words);
            rc = rc ? rc : count_one(own, &key, &count);
            const int64_t *known = rc ? NULL : base_table_get(most, key.data, key.length);
            if (rc == 0 && (!known || *known < count))
                rc = base_table_put(most, key.data, key.length, count);
        }
    base_buffer_free(&key);
    base_table_free(own);
    return rc;
}

/* match [orders]: n-grams of p that the reference has, each as often as that at most. */
static int count_matches(const struct pieces *p, size_t orders, bool words,
                         const struct base_table *reference, double *match)
{
    struct base_table *own = NULL;
    struct base_buffer key = { 0 };
    int rc = base_table_new(&own, p->n * orders + 1);
    for (size_t n = 1; rc == 0 && n <= orders; n++) {
        match[n - 1] = 0;
        for (size_t i = 0; rc == 0 && i + n <= p->n; i++) {
            int64_t count;
            rc = gram(&key, p, i, n, words);
            rc = rc ? rc : count_one(own, &key, &count);
            const int64_t *there = rc ? NULL : base_table_get(reference, key.data, key.length);
            match[n - 1] += there && count <= *there;
        }
    }
    base_buffer_free(&key);
    base_table_free(own);
    return rc;
}

static double grams(size_t pieces, size_t order)
{
    return pieces >= order ? (double)(pieces - order + 1) : 0;
}

/* ---- BLEU: [response length, reference length, matches 1..4, n-grams 1..4] ---- */

static int bleu_counts(const char *response, const char *const *references, size_t n, double *out)
{
    struct pieces hyp = { 0 };
    struct base_table *most = NULL;
    size_t nearest = 0;
    int rc = bleu_words(response, &hyp);
    rc = rc ? rc : base_table_new(&most, 64);
    for (size_t k = 0; rc == 0 && k < n; k++) {
        struct pieces ref = { 0 };
        rc = bleu_words(references[k], &ref);
        rc = rc ? rc : count_reference(&ref, BLEU_ORDER, true, most);
        size_t gap = ref.n > hyp.n ? ref.n - hyp.n : hyp.n - ref.n;
        size_t best = nearest > hyp.n ? nearest - hyp.n : hyp.n - nearest;
        if (k == 0 || gap < best || (gap == best && ref.n < nearest))
            nearest = ref.n;
        pieces_free(&ref);
    }
    if (rc == 0) {
        out[0] = (double)hyp.n;
        out[1] = (double)nearest;
        rc = count_matches(&hyp, BLEU_ORDER, true, most, out + 2);
        for (size_t k = 1; k <= BLEU_ORDER; k++)
            out[1 + BLEU_ORDER + k] = grams(hyp.n, k);
    }
    base_table_free(most);
    pieces_free(&hyp);
    return rc;
}

static double bleu_score(const double *s)
{
    const double *match = s + 2, *total = s + 2 + BLEU_ORDER;
    double brevity = s[0] >= s[1] ? 1 : s[0] > 0 ? exp(1 - s[1] / s[0]) : 0, smooth = 1, sum = 0;
    if (match[0] + match[1] + match[2] + match[3] == 0)
        return 0;
    for (int n = 0; n < BLEU_ORDER; n++) {
        if (total[n] == 0)
            return 0; /* an order that does not occur at all: ln 0 */
        if (match[n] == 0)
            smooth *= 2;
        sum += log(match[n] == 0 ? 100 / (smooth * total[n]) : 100 * match[n] / total[n]);
    }
    return brevity * exp(sum / BLEU_ORDER);
}

/* ---- chrF: for each order [response's n-grams, reference's, matches] ---- */

static double chrf_score(const double *s, size_t orders)
{
    double precision = 0, recall = 0, both = 0;
    const double beta2 = 4;
    for (size_t k = 0; k < orders; k++) {
        double hyp = s[3 * k], ref = s[3 * k + 1], match = s[3 * k + 2];
        if (hyp > 0 && ref > 0) {
            precision += match / hyp;
            recall += match / ref;
            both++;
        }
    }
    if (both == 0 || precision + recall == 0)
        return 0;
    precision /= both;
    recall /= both;
    return 100 * ((1 + beta2) * precision * recall / (beta2 * precision + recall));
}

/* The orders of one kind of piece against one reference. */
static int chrf_part(const struct pieces *hyp, const struct pieces *ref, size_t orders, bool words,
                     double *out)
{
    struct base_table *table = NULL;
    double match[CHARACTERS];
    int rc = base_table_new(&table, ref->n * orders + 1);
    rc = rc ? rc : count_reference(ref, orders, words, table);
    rc = rc ? rc : count_matches(hyp, orders, words, table, match);
    for (size_t n = 1; rc == 0 && n <= orders; n++) {
        double there = grams(ref->n, n);
        out[3 * (n - 1)] = there > 0 ? grams(hyp->n, n) : 0; /* none to be hit: none counted */
        out[3 * (n - 1) + 1] = there;
        out[3 * (n - 1) + 2] = match[n - 1];
    }
    base_table_free(table);
    return rc;
}

static int chrf_counts(const char *response, const char *const *references, size_t n, size_t words,
                       double *out)
{
    struct pieces hyp = { 0 }, hyp_words = { 0 };
    size_t orders = CHARACTERS + words;
    double best = -1;
    int rc = characters(response, &hyp);
    rc = rc || words == 0 ? rc : chrf_words(response, &hyp_words);
    for (size_t k = 0; rc == 0 && k < n; k++) {
        struct pieces ref = { 0 }, ref_words = { 0 };
        double own[EVAL_CORPUS_WIDEST];
        rc = characters(references[k], &ref);
        rc = rc ? rc : chrf_part(&hyp, &ref, CHARACTERS, false, own);
        if (rc == 0 && words) {
            rc = chrf_words(references[k], &ref_words);
            rc = rc ? rc : chrf_part(&hyp_words, &ref_words, words, true, own + 3 * CHARACTERS);
        }
        double score = rc ? 0 : chrf_score(own, orders);
        if (rc == 0 && score > best) {
            best = score;
            memcpy(out, own, 3 * orders * sizeof *out);
        }
        pieces_free(&ref);
        pieces_free(&ref_words);
    }
    pieces_free(&hyp);
    pieces_free(&hyp_words);
    return rc;
}

/* ---- TER: [edits, reference length] ---- */

enum { SHIFT_SIZE = 10, SHIFT_DISTANCE = 50, BEAM = 25, CANDIDATES = 1000 };
enum step { NONE, SAME, CHANGE, TAKE, LEAVE }; /* take: a word of the reference; leave: of ours */

/* Words as numbers; the matrix [hyp + 1][ref + 1] of costs and last steps. */
struct ter {
    const int64_t *ref;
    size_t n_ref, n_hyp;
    int64_t *cost;
    uint8_t *last;
    int64_t *align;                  /* [n_ref]: the response's word at it, -1: before the first */
    uint8_t *wrong, *wrong_ref;      /* [n_hyp], [n_ref] */
    int64_t *words, *shifted, *best; /* [n_hyp] each */
    uint8_t *trace;                  /* [n_hyp + n_ref] */
};

static const int64_t far_away = (int64_t)1 << 60;

/* Levenshtein's distance within a beam around the (sloped) diagonal. */
static int64_t distance(struct ter *t, const int64_t *hyp)
{
    size_t n = t->n_hyp, m = t->n_ref, row = m + 1;
    double slope = n ? (double)m / (double)n : 1;
    int64_t beam = BEAM < slope / 2 ? (int64_t)ceil(slope / 2 + BEAM) : BEAM;
    for (size_t j = 0; j <= m; j++) {
        t->cost[j] = (int64_t)j;
        t->last[j] = TAKE;
    }
    for (size_t i = 1; i <= n; i++) {
        int64_t *cost = t->cost + i * row, middle = (int64_t)floor((double)i * slope);
        uint8_t *last = t->last + i * row;
        int64_t from = middle - beam > 0 ? middle - beam : 0;
        int64_t to = middle + beam < (int64_t)m + 1 ? middle + beam : (int64_t)m + 1;
        for (size_t j = 0; j <= m; j++) {
            cost[j] = far_away;
            last[j] = NONE;
        }
        for (size_t j = (size_t)from; j < (i == n ? m + 1 : (size_t)to); j++) {
            if (j == 0) {
                cost[0] = cost[-(int64_t)row] + 1;
                last[0] = LEAVE;
                continue;
            }
            bool same = hyp[i - 1] == t->ref[j - 1];
            int64_t change = cost[j - 1 - row] + !same, leave = cost[j - row] + 1,
                    take = cost[j - 1] + 1;
            if (change < cost[j]) {
                cost[j] = change;
                last[j] = same ? SAME : CHANGE;
            }
            if (leave < cost[j]) {
                cost[j] = leave;
                last[j] = LEAVE;
            }
            if (take < cost[j]) {
                cost[j] = take;
                last[j] = TAKE;
            }
        }
    }
    return t->cost[n * row + m];
}

/* From the matrix: which word of ours stands at each of the reference's, and which are wrong. */
static void align(struct ter *t)
{
    size_t i = t->n_hyp, j = t->n_ref, n = 0;
    while (i > 0 || j > 0) {
        uint8_t step = t->last[i * (t->n_ref + 1) + j];
        t->trace[n++] = step;
        i -= step != TAKE && i > 0;
        j -= step != LEAVE && j > 0;
    }
    int64_t ours = -1;
    size_t theirs = 0, own = 0;
    while (n > 0) {
        uint8_t step = t->trace[--n];
        ours += step != TAKE;
        if (step != LEAVE) {
            t->align[theirs] = ours;
            t->wrong_ref[theirs++] = step != SAME;
        }
        if (step != TAKE)
            t->wrong[own++] = step != SAME;
    }
}

/* `length` words from `start` moved to `target`, where the words before and behind close up. */
static void shift(const int64_t *w, size_t n, size_t start, size_t length, size_t target,
                  int64_t *out)
{
    size_t k = 0;
    if (target < start) {
        for (size_t i = 0; i < target; i++)
            out[k++] = w[i];
        for (size_t i = start; i < start + length; i++)
            out[k++] = w[i];
        for (size_t i = target; i < start; i++)
            out[k++] = w[i];
        for (size_t i = start + length; i < n; i++)
            out[k++] = w[i];
        return;
    }
    size_t middle = target > start + length ? target : length + target;
    middle = middle < n ? middle : n;
    for (size_t i = 0; i < start; i++)
        out[k++] = w[i];
    for (size_t i = start + length; i < middle; i++)
        out[k++] = w[i];
    for (size_t i = start; i < start + length; i++)
        out[k++] = w[i];
    for (size_t i = middle; i < n; i++)
        out[k++] = w[i];
}

static bool any(const uint8_t *flags, size_t n)
{
    return memchr(flags, 1, n) != NULL;
}

struct found {
    bool is;
    int64_t gain;
    size_t length, start, target;
};

static bool better(const struct found *a, const struct found *b)
{
    if (!b->is || a->gain != b->gain)
        return !b->is || a->gain > b->gain;
    if (a->length != b->length)
        return a->length > b->length;
    return a->start != b->start ? a->start < b->start : a->target < b->target;
}

/* All places for the sequence of `length` words that stands at `start` of ours and at `at` of the
 * reference. */
static void try_places(struct ter *t, int64_t before, size_t start, size_t at, size_t length,
                       struct found *best, size_t *tried)
{
    int64_t previous = -1;
    if (!any(t->wrong + start, length) || !any(t->wrong_ref + at, length) ||
        (t->align[at] >= (int64_t)start && t->align[at] < (int64_t)(start + length)))
        return;
    for (int64_t offset = -1; offset < (int64_t)length; offset++) {
        int64_t place = (int64_t)at + offset, target;
        if (place >= (int64_t)t->n_ref)
            return;
        target = place < 0 ? 0 : t->align[place] + 1;
        if (target == previous)
            continue;
        previous = target;
        shift(t->words, t->n_hyp, start, length, (size_t)target, t->shifted);
        struct found one = { true, before - distance(t, t->shifted), length, start,
                             (size_t)target };
        ++*tried;
        if (better(&one, best)) {
            *best = one;
            memcpy(t->best, t->shifted, t->n_hyp * sizeof *t->best);
        }
    }
}

/* The shift that helps most; its gain in *gain. */
static void best_shift(struct ter *t, int64_t *gain, size_t *tried)
{
    struct found best = { 0 };
    int64_t before = distance(t, t->words);
    align(t);
    for (size_t start = 0; start < t->n_hyp && *tried < CANDIDATES; start++)
        for (size_t at = 0; at < t->n_ref && *tried < CANDIDATES; at++) {
            if ((start > at ? start - at : at - start) > SHIFT_DISTANCE)
                continue;
            for (size_t n = 1; n <= SHIFT_SIZE && start + n <= t->n_hyp && at + n <= t->n_ref &&
                               t->words[start + n - 1] == t->ref[at + n - 1] && *tried < CANDIDATES;
                 n++)
                try_places(t, before, start, at, n, &best, tried);
        }
    *gain = best.is ? best.gain : 0;
}

static int64_t ter_edits(struct ter *t)
{
    size_t tried = 0;
    int64_t shifts = 0, gain;
    if (t->n_ref == 0)
        return (int64_t)t->n_hyp;
    for (;;) {
        best_shift(t, &gain, &tried);
        if (tried >= CANDIDATES || gain <= 0)
            break;
        shifts++;
        memcpy(t->words, t->best, t->n_hyp * sizeof *t->words);
    }
    return shifts + distance(t, t->words);
}

/* Words of a text as numbers of a table. New array of p->n + 1. */
static int number_words(const char *s, struct base_table *table, int64_t **out, size_t *n)
{
    char *plain = without_end(s), *lower = plain ? python_lower(plain) : NULL;
    struct pieces p = { 0 };
    base_free(plain);
    int rc = pieces_make(&p, lower);
    *out = NULL;
    if (rc)
        return rc;
    split(&p);
    *n = p.n;
    if (!(*out = base_alloc(p.n + 1, sizeof **out)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < p.n; i++) {
        const char *word = p.text + p.begin[i];
        size_t bytes = p.end[i] - p.begin[i];
        const int64_t *known = base_table_get(table, word, bytes);
        (*out)[i] = known ? *known : (int64_t)base_table_count(table);
        if (!known)
            rc = base_table_put(table, word, bytes, (*out)[i]);
    }
    pieces_free(&p);
    return rc;
}

static int ter_one(const int64_t *hyp, size_t n_hyp, const int64_t *ref, size_t n_ref,
                   int64_t *edits)
{
    struct ter t = { .ref = ref, .n_ref = n_ref, .n_hyp = n_hyp };
    size_t cells;
    int rc = base_mul_size(n_hyp + 1, n_ref + 1, &cells)
                 ? base_error_set(BASE_E_LIMIT, "ter: texts of %zu and %zu words", n_hyp, n_ref)
                 : 0;
    if (rc)
        return rc;
    t.cost = base_alloc(cells, sizeof *t.cost);
    t.last = base_alloc(cells, sizeof *t.last);
    t.align = base_alloc(n_ref + 1, sizeof *t.align);
    t.wrong = base_alloc_zero(n_hyp + 1, 1);
    t.wrong_ref = base_alloc_zero(n_ref + 1, 1);
    t.words = base_alloc(3 * n_hyp + 1, sizeof *t.words);
    t.trace = base_alloc(n_hyp + n_ref + 1, 1);
    if (t.cost && t.last && t.align && t.wrong && t.wrong_ref && t.words && t.trace) {
        t.shifted = t.words + n_hyp;
        t.best = t.shifted + n_hyp;
        memcpy(t.words, hyp, n_hyp * sizeof *hyp);
        *edits = ter_edits(&t);
    } else {
        rc = BASE_E_MEMORY;
    }
    base_free(t.cost);
    base_free(t.last);
    base_free(t.align);
    base_free(t.wrong);
    base_free(t.wrong_ref);
    base_free(t.words);
    base_free(t.trace);
    return rc;
}

static int ter_counts(const char *response, const char *const *references, size_t n, double *out)
{
    struct base_table *table = NULL;
    int64_t *hyp = NULL, best = far_away;
    size_t n_hyp = 0, lengths = 0;
    int rc = base_table_new(&table, 64);
    rc = rc ? rc : number_words(response, table, &hyp, &n_hyp);
    for (size_t k = 0; rc == 0 && k < n; k++) {
        int64_t *ref = NULL, edits = 0;
        size_t n_ref = 0;
        rc = number_words(references[k], table, &ref, &n_ref);
        rc = rc ? rc : ter_one(hyp, n_hyp, ref, n_ref, &edits);
        best = edits < best ? edits : best;
        lengths += n_ref;
        base_free(ref);
    }
    out[0] = (double)best;
    out[1] = (double)lengths / (double)n;
    base_free(hyp);
    base_table_free(table);
    return rc;
}

static double ter_score(const double *s)
{
    return s[1] > 0 ? 100 * (s[0] / s[1]) : s[0] > 0 ? 100 : 0;
}

/* ---- by name ---- */

static const struct {
    const char *name, *signature;
    size_t width;
} known[] = {
    { "bleu", "case:mixed|eff:no|tok:13a|smooth:exp", 2 + 2 * BLEU_ORDER },
    { "chrf", "case:mixed|eff:yes|nc:6|nw:0|space:no", 3 * CHARACTERS },
    { "chrf++", "case:mixed|eff:yes|nc:6|nw:2|space:no", 3 * (CHARACTERS + WORDS) },
    { "ter", "case:lc|tok:tercom|norm:no|punct:yes|asian:no", 2 },
};
enum { KNOWN = sizeof known / sizeof *known };

size_t eval_corpus_width(const char *metric)
{
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(metric, known[i].name) == 0)
            return known[i].width;
    return 0;
}

const char *eval_corpus_signature(const char *metric)
{
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(metric, known[i].name) == 0)
            return known[i].signature;
    return NULL;
}

int eval_corpus_counts(const char *metric, const char *response, const json_t *references,
                       double *out)
{
    size_t n = json_is_array(references) ? json_array_size(references) : 1;
    const char **texts = base_alloc(n, sizeof *texts);
    int rc = texts ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const json_t *one = json_is_array(references) ? json_array_get(references, i) : references;
        texts[i] = json_string_value(one);
        if (!texts[i])
            rc = base_error_set(BASE_E_FORMAT, "%s: a reference must be a text", metric);
    }
    if (rc == 0 && n == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: an item without a reference", metric);
    if (rc == 0)
        rc = strcmp(metric, "bleu") == 0   ? bleu_counts(response, texts, n, out)
             : strcmp(metric, "ter") == 0  ? ter_counts(response, texts, n, out)
             : strcmp(metric, "chrf") == 0 ? chrf_counts(response, texts, n, 0, out)
                                           : chrf_counts(response, texts, n, WORDS, out);
    base_free(texts);
    return rc;
}

double eval_corpus_score(const char *metric, const double *sums)
{
    return strcmp(metric, "bleu") == 0   ? bleu_score(sums)
           : strcmp(metric, "ter") == 0  ? ter_score(sums)
           : strcmp(metric, "chrf") == 0 ? chrf_score(sums, CHARACTERS)
                                         : chrf_score(sums, CHARACTERS + WORDS);
}
