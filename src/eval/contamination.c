/* Walking through a corpus, and what was found: see contamination.h.
 *
 * The corpus is read block by block; while threads scan one block, one of them reads the next. A
 * block of plain text is divided at blanks into segments; a segment owns the runs that begin in it
 * and reads on behind its end to finish them. Runs that the block's end cuts off begin the next
 * block: their raw text is carried over. So every run of a file is seen exactly once, whatever the
 * sizes and the number of threads, and hits are merged in the order of the text.
 *
 * Records (.jsonl, .csv, ...) are gathered into blocks of whole texts; no run crosses them. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "eval/contamination.h"
#include "eval/fields.h"
#include <assay/data.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 64, SEGMENTS_PER_THREAD = 4 };

struct hit {
    uint32_t gram;
    uint32_t record; /* of record blocks */
    uint64_t line;   /* before the hit: within the segment, from 0; of records the record's */
    uint64_t byte;   /* offset in the block, or in the record's text */
};
struct segment {
    size_t from, to;   /* bytes, or records */
    uint64_t newlines; /* of plain text */
    struct hit *hits;
    size_t n_hits, room;
    size_t next; /* of plain text: where its first unfinished run begins, or SIZE_MAX */
    int rc;
    char message[512]; /* a failure's, for messages belong to the thread they are set in */
};
struct record {
    size_t from, bytes;
    uint64_t line;
};
/* What is read at once. Plain text: data[carry_room ..) is filled by reading, what was carried over
 * is put before it. */
struct block {
    char *data;
    size_t room; /* of data */
    size_t from, to;
    struct record *records;
    size_t n_records, record_room;
    bool last; /* nothing comes after it */
    bool skip; /* begin behind the next blank: the carry was too long */
    int rc;
    char message[512];
};
struct reader {
    struct data_stream *stream;   /* plain text */
    struct data_records *records; /* or records */
    size_t size, carry_room;
    const char *field;
};

/* ---- reading ---- */

static int block_fill_text(struct reader *r, struct block *b)
{
    b->from = b->to = r->carry_room;
    b->skip = false;
    while (b->to < r->carry_room + r->size) {
        size_t n;
        int rc = data_stream_read(r->stream, b->data + b->to, r->carry_room + r->size - b->to, &n);
        if (rc)
            return rc;
        if (n == 0) {
            b->last = true;
            break;
        }
        b->to += n;
    }
    return 0;
}

static int record_put(struct block *b, const char *text, size_t bytes, uint64_t line)
{
    if (b->n_records == b->record_room) {
        size_t room = b->record_room * 2 + 256;
        struct record *more = base_realloc(b->records, room, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        b->records = more;
        b->record_room = room;
    }
    if (b->to + bytes > b->room) {
        size_t room = b->room + b->room / 2 + bytes;
        char *more = base_realloc(b->data, room, 1);
        if (!more)
            return BASE_E_MEMORY;
        b->data = more;
        b->room = room;
    }
    memcpy(b->data + b->to, text, bytes);
    b->records[b->n_records++] = (struct record){ b->to, bytes, line };
    b->to += bytes;
    return 0;
}

static int block_fill_records(struct reader *r, struct block *b)
{
    b->from = b->to = b->n_records = 0;
    while (b->to < r->size) {
        json_t *row;
        const char *found;
        size_t bytes;
        int rc = data_records_text_of(r->records, r->field, &found, &bytes, &row);
        if (rc <= 0) {
            b->last = true;
            return rc;
        }
        uint64_t line = data_records_line_of(r->records);
        if (found) {
            if ((rc = record_put(b, found, bytes, line)))
                return rc;
            continue;
        }
        const json_t *v = eval_field_find(row, r->field);
        char *text = NULL;
        if (json_is_string(v)) {
            rc = record_put(b, json_string_value(v), json_string_length(v), line);
        } else {
            rc = eval_field_fill(row, r->field, data_records_place(r->records), &text);
            if (rc == 0)
                rc = record_put(b, text, strlen(text), line);
            else
                rc = base_error_prefix(rc, "the corpus' text (--corpus-field)");
        }
        base_free(text);
        json_decref(row);
        if (rc)
            return rc;
    }
    return 0;
}

static void block_fill(struct reader *r, struct block *b)
{
    b->rc = r->stream ? block_fill_text(r, b) : block_fill_records(r, b);
    if (b->rc)
        snprintf(b->message, sizeof b->message, "%s", base_error_message());
}

/* ---- scanning ---- */

struct scanning {
    const struct eval_contamination *c;
    struct segment *segment;
    const char *text;
    size_t counted; /* newlines are counted up to here */
    uint64_t line;
    uint32_t record;
};

static uint64_t newlines(const char *text, size_t bytes)
{
    uint64_t n = 0;
    for (const char *p = text, *end = text + bytes; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        n++;
    return n;
}

static int hit_add(struct scanning *x, const struct contamination_gram *g, size_t from)
{
    struct segment *s = x->segment;
    if (s->n_hits == s->room) {
        size_t room = s->room * 2 + 64;
        struct hit *more = base_realloc(s->hits, room, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        s->hits = more;
        s->room = room;
    }
    if (x->text) {
        x->line += newlines(x->text + x->counted, from - x->counted);
        x->counted = from;
    }
    s->hits[s->n_hits++] = (struct hit){ (uint32_t)(g - x->c->grams), x->record, x->line, from };
    return 0;
}

static int on_runs(void *context, const struct contamination_run *runs, size_t n)
{
    struct scanning *x = context;
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        contamination_filter_fetch(x->c, runs[i].hash);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (contamination_filter_has(x->c, runs[i].hash)) {
            const struct contamination_gram *g = contamination_find(x->c, &runs[i]);
            if (g)
                rc = hit_add(x, g, runs[i].from);
        }
    return rc;
}

static void segment_scan(const struct eval_contamination *c, struct contamination_scanner *scanner,
                         const struct block *b, struct segment *s, bool records)
{
    struct scanning x = { .c = c, .segment = s };
    s->n_hits = 0;
    s->rc = 0;
    if (records) {
        for (size_t i = s->from; s->rc == 0 && i < s->to; i++) {
            const struct record *r = &b->records[i];
            x.record = (uint32_t)i;
            x.line = r->line;
            s->rc = contamination_scan_text(scanner, b->data + r->from, 0, r->bytes, r->bytes, true,
                                            on_runs, &x, NULL);
        }
    } else {
        x.text = b->data;
        x.counted = s->from;
        s->newlines = newlines(b->data + s->from, s->to - s->from);
        s->rc = contamination_scan_text(scanner, b->data, s->from, s->to, b->to, b->last, on_runs,
                                        &x, &s->next);
    }
    if (s->rc)
        snprintf(s->message, sizeof s->message, "%s", base_error_message());
}

static bool blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Divides the block; returns the number of segments. */
static size_t segments_make(const struct block *b, bool records, struct segment *s, size_t most,
                            size_t least)
{
    size_t n = 0, from = records ? 0 : b->from, to = records ? b->n_records : b->to;
    size_t step = (to - from) / most + 1;
    if (!records && step < least)
        step = least;
    while (!records && b->skip && from < to && !blank(b->data[from]))
        from++;
    while (from < to) {
        size_t end = to - from > step ? from + step : to;
        while (!records && end < to && !blank(b->data[end - 1]))
            end++;
        s[n].from = from;
        s[n++].to = end;
        from = end;
    }
    return n;
}

static void merge(struct eval_contamination *c, const struct segment *s, uint32_t file,
                  uint64_t lines_before, uint64_t byte_base, bool records)
{
    for (size_t i = 0; i < s->n_hits; i++) {
        const struct hit *h = &s->hits[i];
        struct contamination_gram *g = &c->grams[h->gram];
        if (g->count++ == 0) {
            g->file = file;
            g->line = records ? h->line : lines_before + h->line + 1;
            g->byte = h->byte + (records ? 0 : byte_base);
        }
    }
}

struct walk {
    struct eval_contamination *c;
    struct contamination_scanner **scanners; /* [threads] */
    struct segment *segments;
    size_t n_segments;
    struct block blocks[2];
    size_t least; /* bytes of a segment */
    int threads;
    size_t depth;
    uint64_t again; /* words scanned twice */
};

static int no_runs(void *context, const struct contamination_run *runs, size_t n)
{
    (void)context;
    (void)runs;
    (void)n;
    return 0;
}

/* Where the text begins that the next block must see again: the first run that the block's end cut
 * off. What is longer than the room for it is given up, and the next block then begins behind its
 * first blank. Words that are seen again are not counted twice. */
static size_t carry_from(struct walk *w, const struct block *b, size_t n, size_t carry_room)
{
    struct block *next = b == &w->blocks[0] ? &w->blocks[1] : &w->blocks[0];
    size_t at = b->to;
    for (size_t i = 0; i < n; i++)
        at = w->segments[i].next < at ? w->segments[i].next : at;
    next->skip = b->to - at > carry_room || (n == 0 && b->skip);
    if (next->skip)
        return b->to;
    uint64_t before = w->scanners[0]->words;
    contamination_scan_text(w->scanners[0], b->data, at, b->to, b->to, false, no_runs, NULL, NULL);
    w->again += w->scanners[0]->words - before;
    w->scanners[0]->words = before;
    return at;
}

static int blocks_scan(struct walk *w, struct reader *r, uint32_t file)
{
    struct eval_contamination *c = w->c;
    bool records = r->records != NULL;
    uint64_t lines = 0, offset = 0; /* of the block's `from` in the file */
    struct block *b = &w->blocks[0], *next = &w->blocks[1];
    b->last = next->last = false;
    block_fill(r, b);
    for (;;) {
        if (b->rc)
            return base_error_set(b->rc, "%s", b->message);
        size_t n = segments_make(b, records, w->segments, w->n_segments, w->least);
        bool more = !b->last;
        next->last = false;
        next->rc = 0;
        /* iteration 0 reads the next block, the others scan */
#pragma omp parallel for num_threads(w->threads) schedule(dynamic, 1)
        for (size_t i = more ? 0 : 1; i <= n; i++) {
            if (i == 0) {
                block_fill(r, next);
                continue;
            }
            struct contamination_scanner *scanner = NULL;
#pragma omp critical(contamination_scanner)
            for (int t = 0; t < w->threads && !scanner; t++)
                if (w->scanners[t]) {
                    scanner = w->scanners[t];
                    w->scanners[t] = NULL;
                }
            segment_scan(c, scanner, b, &w->segments[i - 1], records);
#pragma omp critical(contamination_scanner)
            for (int t = 0; t < w->threads && scanner; t++)
                if (!w->scanners[t]) {
                    w->scanners[t] = scanner;
                    scanner = NULL;
                }
        }
        for (size_t i = 0; i < n; i++) {
            const struct segment *s = &w->segments[i];
            if (s->rc)
                return base_error_set(s->rc, "%s", s->message);
            if (i == 0 && !records) /* what was skipped in front */
                lines += newlines(b->data + b->from, s->from - b->from);
            merge(c, s, file, lines, offset - b->from, records);
            lines += records ? 0 : s->newlines;
        }
        if (n == 0 && !records)
            lines += newlines(b->data + b->from, b->to - b->from);
        size_t at = records || !more ? b->to : carry_from(w, b, n, r->carry_room);
        c->corpus_bytes += at - b->from;
        if (!records && more) {
            /* lines and offset go on where the carry begins */
            lines -= newlines(b->data + at, b->to - at);
            offset += at - b->from;
            next->from = r->carry_room - (b->to - at);
            memcpy(next->data + next->from, b->data + at, b->to - at);
        }
        if (c->options.on_progress) {
            uint64_t done, total;
            if (records)
                data_records_progress(r->records, &done, &total);
            else
                data_stream_progress(r->stream, &done, &total);
            c->options.on_progress(c->options.context, c->files[file], done, total);
        }
        if (base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
        if (!more)
            return 0;
        struct block *swap = b;
        b = next;
        next = swap;
    }
}

/* ---- files ---- */

static bool record_file(const char *path)
{
    static const char *const packed[] = { ".gz", ".bz2", ".zst" };
    static const char *const kinds[] = { ".jsonl", ".ndjson", ".json", ".csv", ".tsv" };
    size_t n = strlen(path);
    for (size_t i = 0; i < 3; i++)
        if (base_ends_with(path, packed[i])) {
            n -= strlen(packed[i]);
            break;
        }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t k = strlen(kinds[i]);
        if (n > k && strncmp(path + n - k, kinds[i], k) == 0)
            return true;
    }
    return false;
}

static int file_name_keep(struct eval_contamination *c, const char *path)
{
    if (c->n_files == c->file_room) {
        size_t room = c->file_room * 2 + 16;
        char **more = base_realloc(c->files, room, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        c->files = more;
        c->file_room = room;
    }
    char *name = base_strdup(path);
    if (!name)
        return BASE_E_MEMORY;
    c->files[c->n_files++] = name;
    return 0;
}

static int file_scan(struct walk *w, const char *path)
{
    struct eval_contamination *c = w->c;
    size_t unit = c->options.block ? c->options.block : (size_t)4 << 20;
    struct reader r = { .size = unit * (size_t)w->threads, .field = c->corpus_field };
    int rc = file_name_keep(c, path);
    if (rc)
        return rc;
    if (strcmp(path, "-") != 0 && record_file(path)) {
        rc = data_records_open(&r.records, path, NULL);
    } else {
        rc = data_stream_open(&r.stream, path);
        r.carry_room = (size_t)1 << 20;
    }
    size_t need = r.carry_room + r.size;
    for (int i = 0; rc == 0 && i < 2; i++)
        if (w->blocks[i].room < need) {
            char *data = base_realloc(w->blocks[i].data, need, 1);
            if (!data)
                rc = BASE_E_MEMORY;
            else
                w->blocks[i].data = data, w->blocks[i].room = need;
        }
    if (rc == 0)
        rc = blocks_scan(w, &r, (uint32_t)(c->n_files - 1));
    data_stream_close(r.stream);
    data_records_close(r.records);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int path_scan(struct walk *w, const char *path);

static int directory_scan(struct walk *w, const char *path)
{
    char **names = NULL;
    size_t n = 0, room = 0;
    int rc = 0;
    DIR *d = opendir(path);
    if (!d)
        return base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));
    for (struct dirent *e; rc == 0 && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        if (n == room) {
            room = room * 2 + 32;
            char **more = base_realloc(names, room, sizeof *more);
            if (!more) {
                rc = BASE_E_MEMORY;
                break;
            }
            names = more;
        }
        names[n] = base_path_join(path, e->d_name);
        rc = names[n] ? 0 : BASE_E_MEMORY;
        n += rc == 0;
    }
    closedir(d);
    if (n)
        qsort(names, n, sizeof *names, by_name);
    if (++w->depth > DEPTH_MAX)
        rc = base_error_set(BASE_E_LIMIT, "%s: directories are nested more than %d deep", path,
                            DEPTH_MAX);
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        /* below a directory given by name, links to directories and what is no file are passed by
         */
        bool take = lstat(names[i], &st) == 0 &&
                    (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ||
                     (S_ISLNK(st.st_mode) && stat(names[i], &st) == 0 && S_ISREG(st.st_mode)));
        if (rc == 0 && take)
            rc = path_scan(w, names[i]);
        base_free(names[i]);
    }
    base_free(names);
    w->depth--;
    return rc;
}

static int path_scan(struct walk *w, const char *path)
{
    return strcmp(path, "-") != 0 && base_file_is_directory(path) ? directory_scan(w, path)
                                                                  : file_scan(w, path);
}

int eval_contamination_scan(struct eval_contamination *c, const char *const *paths, size_t n)
{
    struct walk w = { .c = c, .threads = base_threads() };
    w.n_segments = (size_t)w.threads * SEGMENTS_PER_THREAD + 1;
    w.least = c->options.block && c->options.block < 4096 ? 1 : 4096;
    int rc = contamination_filter_make(c);
    w.segments = base_alloc_zero(w.n_segments, sizeof *w.segments);
    w.scanners = base_alloc_zero((size_t)w.threads, sizeof *w.scanners);
    if (rc == 0 && !(w.segments && w.scanners))
        rc = BASE_E_MEMORY;
    for (int t = 0; rc == 0 && t < w.threads; t++) {
        w.scanners[t] = base_alloc(1, sizeof **w.scanners);
        if (!w.scanners[t])
            rc = BASE_E_MEMORY;
        else
            contamination_scanner_init(w.scanners[t], c->options.ngram);
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = path_scan(&w, paths[i]);
    c->corpus_words -= w.again;
    for (int t = 0; w.scanners && t < w.threads; t++) {
        c->corpus_words += w.scanners[t] ? w.scanners[t]->words : 0;
        base_free(w.scanners[t]);
    }
    for (size_t i = 0; w.segments && i < w.n_segments; i++)
        base_free(w.segments[i].hits);
    for (int i = 0; i < 2; i++) {
        base_free(w.blocks[i].data);
        base_free(w.blocks[i].records);
    }
    base_free(w.segments);
    base_free(w.scanners);
    return rc;
}

/* ---- what was found ---- */

static bool counts(const struct eval_contamination *c, const struct contamination_gram *g)
{
    return g->count > 0 && (c->options.max_count == 0 || g->count <= c->options.max_count);
}

size_t eval_contamination_items(const struct eval_contamination *c)
{
    return c->n_items;
}

struct eval_contamination_item eval_contamination_at(const struct eval_contamination *c, size_t i)
{
    const struct contamination_item *x = &c->items[i];
    struct eval_contamination_item r = { .id = x->id, .score = x->score, .words = x->words };
    size_t covered_to = 0;
    r.runs = x->n;
    for (size_t k = x->first; k < x->first + x->n; k++) {
        if (!counts(c, &c->grams[c->places[k].gram]))
            continue;
        size_t from = c->places[k].word, to = from + c->options.ngram;
        r.hits++;
        r.covered += to - (from > covered_to ? from : covered_to);
        covered_to = to;
    }
    r.dirty = r.hits > 0 && (double)r.hits > c->options.dirty * (double)r.runs;
    return r;
}

bool eval_contamination_hit(const struct eval_contamination *c, size_t i, size_t k,
                            struct eval_contamination_hit *out)
{
    const struct contamination_item *x = &c->items[i];
    for (size_t p = x->first; p < x->first + x->n; p++) {
        const struct contamination_gram *g = &c->grams[c->places[p].gram];
        if (!counts(c, g) || k-- > 0)
            continue;
        *out = (struct eval_contamination_hit){
            c->texts.data + g->from, g->bytes, g->count, { c->files[g->file], g->line, g->byte }
        };
        return true;
    }
    return false;
}

static void group_judge(const double *v, size_t n, double level, struct eval_contamination_group *g)
{
    bool binary = true;
    double sum = 0;
    *g = (struct eval_contamination_group){ n, stats_mean(v, n), { NAN, NAN } };
    for (size_t i = 0; i < n; i++) {
        binary = binary && (v[i] == 0 || v[i] == 1);
        sum += v[i];
    }
    if (n == 0 || (!binary && n < 2))
        return;
    if ((binary ? stats_interval_wilson(sum, (double)n, level, &g->ci)
                : stats_interval_mean(v, n, level, &g->ci)) != 0)
        g->ci = (struct stats_interval){ NAN, NAN };
}

/* Scores of the judged items, split: clean - all is a difference of a part and the whole. With N
 * items of one population of which n are picked, Var(mean_n - mean_N) = S^2 (1/n - 1/N). */
static int scores_judge(const struct eval_contamination *c, struct eval_contamination_report *r)
{
    double *v = base_alloc(3 * c->n_items, sizeof *v);
    if (!v)
        return BASE_E_MEMORY;
    double *clean = v + c->n_items, *tainted = clean + c->n_items;
    size_t n = 0, n_clean = 0, n_tainted = 0;
    for (size_t i = 0; i < c->n_items; i++) {
        struct eval_contamination_item x = eval_contamination_at(c, i);
        if (x.runs == 0 || isnan(x.score))
            continue;
        v[n++] = x.score;
        if (x.dirty)
            tainted[n_tainted++] = x.score;
        else
            clean[n_clean++] = x.score;
    }
    double level = c->options.level;
    group_judge(v, n, level, &r->all);
    group_judge(clean, n_clean, level, &r->clean);
    group_judge(tainted, n_tainted, level, &r->tainted);
    r->change = r->clean.mean - r->all.mean;
    if (n_clean >= 2 && n_clean < n) {
        double variance = stats_variance(clean, n_clean) * (1 / (double)n_clean - 1 / (double)n);
        if (stats_interval_t(r->change, sqrt(variance), (double)n_clean - 1, level, &r->change_ci))
            r->change_ci = (struct stats_interval){ NAN, NAN };
    }
    base_free(v);
    return 0;
}

int eval_contamination_report(const struct eval_contamination *c,
                              struct eval_contamination_report *r)
{
    *r = (struct eval_contamination_report){ .items = c->n_items,
                                             .runs = c->n_grams,
                                             .files = c->n_files,
                                             .bytes = c->corpus_bytes,
                                             .words = c->corpus_words,
                                             .scored = c->scored,
                                             .share = NAN,
                                             .share_ci = { NAN, NAN },
                                             .change = NAN,
                                             .change_ci = { NAN, NAN } };
    for (size_t i = 0; i < c->n_items; i++) {
        struct eval_contamination_item x = eval_contamination_at(c, i);
        r->judged += x.runs > 0;
        r->dirty += x.dirty;
    }
    for (size_t i = 0; i < c->n_grams; i++) {
        r->runs_hit += counts(c, &c->grams[i]);
        r->boilerplate += c->grams[i].count > 0 && !counts(c, &c->grams[i]);
    }
    int rc = 0;
    if (r->judged) {
        r->share = (double)r->dirty / (double)r->judged;
        rc = stats_interval_wilson((double)r->dirty, (double)r->judged, c->options.level,
                                   &r->share_ci);
    }
    return rc || !c->scored ? rc : scores_judge(c, r);
}
