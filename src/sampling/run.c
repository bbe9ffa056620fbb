/* A sample of a file: which way a design goes through it.
 *
 *   one pass, nothing held:     bernoulli, systematic by interval, convenience, quota, purposive
 *   one pass, the sample held:  random with n (Algorithm L), reservoir (with weights: A-ExpJ)
 *   two passes, counts held:    random by fraction, with replacement or two_pass; systematic by n;
 *                               stratified; cluster
 *   two passes, 8 bytes a row:  weighted, pps, balanced, k-means
 *   referral graph held:        snowball (referral.c)
 *
 * A design that needs two passes over standard input or a pipe copies it to a nameless temporary
 * file first. */
#include "base/json.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/table.h"
#include "sampling/run.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

static const char *const names[SAMPLING_METHODS] = {
    "random", "bernoulli",   "systematic", "stratified", "weighted",  "pps",      "cluster",
    "quota",  "convenience", "purposive",  "snowball",   "reservoir", "balanced",
};

int sampling_method_parse(const char *name, enum sampling_method *out)
{
    for (int i = 0; i < SAMPLING_METHODS; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum sampling_method)i;
            return 0;
        }
    return base_error_set(BASE_E_ARGUMENT,
                          "sampling method \"%s\": choose random, bernoulli, systematic, "
                          "stratified, weighted, pps, cluster, quota, convenience, purposive, "
                          "snowball, reservoir or balanced",
                          name);
}

const char *sampling_method_name(enum sampling_method m)
{
    return m < SAMPLING_METHODS ? names[m] : "?";
}

/* Every option that a design does not use is an error, not a silence. */
static int check(const struct sampling_options *o)
{
#define M(x) (1u << SAMPLING_##x)
    const unsigned me = 1u << o->method;
    const struct {
        bool given;
        unsigned allowed;
        const char *what;
    } uses[] = {
        { o->n > 0, (unsigned)~(M(BERNOULLI) | M(PURPOSIVE)), "-n" },
        { o->frac != 0,
          (unsigned)~(M(RESERVOIR) | M(CONVENIENCE) | M(QUOTA) | M(PURPOSIVE) | M(SNOWBALL)),
          "--frac" },
        { o->n_by > 0, M(STRATIFIED) | M(SYSTEMATIC) | M(PPS) | M(CLUSTER) | M(QUOTA), "--by" },
        { o->allocation == SAMPLING_NEYMAN || o->variable, M(STRATIFIED), "--allocation neyman" },
        { o->allocation == SAMPLING_EQUAL, M(STRATIFIED) | M(SYSTEMATIC) | M(PPS) | M(CLUSTER),
          "--allocation equal" },
        { o->singletons, M(STRATIFIED) | M(SYSTEMATIC) | M(PPS) | M(CLUSTER), "--singletons" },
        { o->joint != NULL, M(PPS), "--joint" },
        { o->replace, M(RANDOM), "--replace" },
        { o->two_pass, M(RANDOM), "--two-pass" },
        { o->interval > 0, M(SYSTEMATIC), "--interval" },
        { o->weights != NULL, M(WEIGHTED) | M(RESERVOIR) | M(PPS) | M(BALANCED),
          "--weights or --size" },
        { o->cluster != NULL, M(CLUSTER), "--cluster" },
        { o->kmeans > 0, M(CLUSTER), "--kmeans" },
        { o->n_on > 0, M(CLUSTER) | M(BALANCED), "--on" },
        { o->second > 0 || o->second_frac > 0, M(CLUSTER), "--second" },
        { o->n_quota > 0, M(QUOTA), "--quota" },
        { o->id || o->referrer || o->n_seeds || o->waves || o->coupons, M(SNOWBALL),
          "--id, --referrer, --start, --waves, --coupons" },
        { o->size > 0, M(SNOWBALL), "--stop-at" },
    };
#undef M
    const char *name = names[o->method];
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (uses[i].given && !(uses[i].allowed & me))
            return base_error_set(BASE_E_ARGUMENT, "%s does not use %s", name, uses[i].what);
    const char *missing = NULL;
    bool amount = o->n > 0 || o->frac > 0;
    switch (o->method) {
    case SAMPLING_BERNOULLI:
        missing = o->frac > 0 && o->frac <= 1 ? NULL : "--frac between 0 and 1";
        break;
    case SAMPLING_SYSTEMATIC:
        missing = amount || o->interval ? NULL : "-n, --frac or --interval";
        if (o->interval && (amount || o->n_by))
            return base_error_set(BASE_E_ARGUMENT,
                                  "systematic by --interval goes without -n, --frac and --by");
        break;
    case SAMPLING_STRATIFIED:
        missing = !o->n_by ? "--by COLUMN" : amount ? NULL : "-n or --frac";
        if (o->allocation == SAMPLING_NEYMAN && !o->variable)
            missing = "--variable COLUMN for --allocation neyman";
        else if (o->variable && o->allocation != SAMPLING_NEYMAN)
            return base_error_set(BASE_E_ARGUMENT, "--variable is for --allocation neyman");
        break;
    case SAMPLING_WEIGHTED:
    case SAMPLING_PPS:
        if (o->joint && o->pps != SAMPLING_PPS_SYSTEMATIC && o->pps != SAMPLING_PPS_SAMPFORD)
            return base_error_set(BASE_E_ARGUMENT,
                                  "joint probabilities are known for systematic and sampford, not "
                                  "for %s",
                                  sampling_pps_names[o->pps]);
        missing = !o->weights ? (o->method == SAMPLING_PPS ? "--size COLUMN" : "--weights COLUMN")
                  : amount    ? NULL
                              : "-n or --frac";
        break;
    case SAMPLING_CLUSTER:
        missing = !o->cluster && !o->kmeans ? "--cluster COLUMN, or --kmeans K with --on COLUMNS"
                  : o->kmeans && !o->n_on   ? "--on COLUMNS for --kmeans"
                  : amount                  ? NULL
                                            : "-n or --frac (clusters)";
        if (o->cluster && (o->kmeans || o->n_on))
            return base_error_set(BASE_E_ARGUMENT,
                                  "clusters are either in a column or made by k-means, not both");
        if (o->kmeans && o->n_by)
            return base_error_set(BASE_E_ARGUMENT, "clusters of k-means go without --by");
        break;
    case SAMPLING_QUOTA:
        if (o->n && o->n_quota)
            return base_error_set(BASE_E_ARGUMENT, "quota takes either -n or --quota");
        missing = !o->n_by ? "--by COLUMN" : o->n || o->n_quota ? NULL : "-n or --quota VALUE=N";
        break;
    case SAMPLING_PURPOSIVE:
        missing = o->where ? NULL : "--where CONDITION";
        break;
    case SAMPLING_SNOWBALL:
        missing = !o->id || !o->referrer ? "--id COLUMN and --referrer COLUMN"
                  : !o->n && !o->n_seeds ? "-n (seeds at random) or --start ID"
                                         : NULL;
        if (!missing && o->size && (o->n_seeds ? o->n_seeds : o->n) > o->size)
            return base_error_set(BASE_E_ARGUMENT, "--stop-at %llu is below the %llu seeds",
                                  (ull)o->size, (ull)(o->n_seeds ? o->n_seeds : o->n));
        break;
    case SAMPLING_BALANCED:
        missing = !o->n_on ? "--on COLUMNS to balance on" : amount ? NULL : "-n or --frac";
        break;
    case SAMPLING_CONVENIENCE:
    case SAMPLING_RESERVOIR:
        missing = o->n ? NULL : "-n";
        break;
    default:
        missing = amount ? NULL : "-n or --frac";
    }
    if (missing)
        return base_error_set(BASE_E_ARGUMENT, "%s needs %s", name, missing);
    if (o->n && o->frac != 0)
        return base_error_set(BASE_E_ARGUMENT, "either -n or --frac, not both");
    if (o->frac < 0 || !isfinite(o->frac) || o->second_frac < 0 || o->second_frac > 1)
        return base_error_set(BASE_E_ARGUMENT, "fractions are between 0 and 1");
    return 0;
}

/* ---- giving rows ---- */
struct output {
    const struct sampling_sink *sink;
    struct sampling_report *report;
    struct base_buffer text;
};

static int give(struct output *out, const struct base_buffer *text, const struct sampling_row *row)
{
    int rc = out->sink->give(out->sink->context, text, row);
    if (rc)
        return rc;
    out->report->n++;
    if (isfinite(row->weight))
        out->report->weights =
            (isnan(out->report->weights) ? 0 : out->report->weights) + row->weight;
    return 0;
}

/* Gives the row in hand. */
static int give_now(struct output *out, struct sampling_source *s, const struct sampling_row *row)
{
    base_buffer_clear(&out->text);
    int rc = out->sink->keep(out->sink->context, s->table, s->cells, &out->text);
    return rc ? rc : give(out, &out->text, row);
}

static void set_pi(struct sampling_row *row, double pi)
{
    row->pi = pi;
    row->weight = 1 / pi;
}

/* Passes over rows until the next one is number `next` (from 0) of the population: 1, 0, negative.
 */
static int pass_until(struct sampling_source *s, uint64_t next)
{
    int rc = 1;
    uint64_t passed;
    while (rc == 1 && s->population < next)
        rc = sampling_source_pass(s, next - s->population, &passed);
    return rc;
}

/* ---- one pass ---- */
static int run_bernoulli(struct sampling_source *s, struct output *out)
{
    struct base_rng rng = base_rng_make(s->o->seed, BASE_RNG_ROWS, SAMPLING_ITEM_MAIN);
    double p = s->o->method == SAMPLING_BERNOULLI ? s->o->frac : 1 / (double)s->o->interval;
    uint64_t next = s->o->method == SAMPLING_BERNOULLI ? sampling_skip_bernoulli(&rng, p)
                                                       : base_rng_below(&rng, s->o->interval);
    int rc;
    while ((rc = pass_until(s, next)) == 1 && (rc = sampling_source_next(s)) == 1) {
        struct sampling_row row = sampling_row_of(s);
        set_pi(&row, p);
        row.fpc = p;
        if ((rc = give_now(out, s, &row)))
            return rc;
        next += s->o->method == SAMPLING_BERNOULLI ? 1 + sampling_skip_bernoulli(&rng, p)
                                                   : s->o->interval;
    }
    return rc;
}

static int run_convenience(struct sampling_source *s, struct output *out)
{
    int rc = 0;
    while ((s->o->method == SAMPLING_PURPOSIVE || out->report->n < s->o->n) &&
           (rc = sampling_source_next(s)) == 1) {
        struct sampling_row row = sampling_row_of(s);
        if ((rc = give_now(out, s, &row)))
            return rc;
    }
    if (rc == 0 && s->o->method == SAMPLING_CONVENIENCE && out->report->n < s->o->n)
        rc = sampling_note(out->report, "there are only %llu rows", (ull)out->report->n);
    return rc < 0 ? rc : 0;
}

/* "VALUE=N": how many rows of a stratum are wanted. */
static int read_quotas(struct sampling_frame *f, const struct sampling_options *o, uint64_t *open)
{
    for (size_t i = 0; i < o->n_quota; i++) {
        const char *sign = strrchr(o->quota[i], '=');
        char *end = NULL;
        errno = 0;
        ull n = sign ? strtoull(sign + 1, &end, 10) : 0;
        if (!sign || sign == o->quota[i] || sign[1] < '0' || sign[1] > '9' || *end || errno)
            return base_error_set(BASE_E_ARGUMENT, "quota \"%s\": expected VALUE=N, as in North=50",
                                  o->quota[i]);
        size_t k = (size_t)(sign - o->quota[i]);
        if (base_table_get(f->index, o->quota[i], k))
            return base_error_set(BASE_E_ARGUMENT, "quota \"%s\": this value has one already",
                                  o->quota[i]);
        int rc = base_table_put(f->index, o->quota[i], k, (int64_t)i);
        if (rc)
            return rc;
        *open += n > 0;
        f->group[i] = (struct sampling_group){ .N = n };
    }
    return 0;
}

static int run_quota(struct sampling_source *s, struct output *out)
{
    /* f.index: name of a stratum -> group; N wanted, n taken */
    const struct sampling_options *o = s->o;
    struct sampling_frame f = { 0 }, by_key = { 0 };
    uint64_t open = 0;
    size_t group;
    int rc = base_table_new(&f.index, 64);
    f.group = rc ? NULL : base_alloc_zero(o->n_quota + 1, sizeof *f.group);
    if (!rc && !f.group)
        rc = BASE_E_MEMORY;
    f.n_groups = f.group ? o->n_quota : 0;
    if (!rc && !(rc = base_table_new(&by_key.index, 64)) &&
        !(rc = base_table_new(&by_key.stratum_index, 64)))
        rc = read_quotas(&f, o, &open);
    while (!rc && (o->n_quota == 0 || open > 0)) {
        if ((rc = sampling_source_next(s)) != 1)
            break;
        if ((rc = sampling_frame_group(&by_key, s, true, &group)))
            break;
        struct sampling_group *g = &by_key.group[group];
        const char *name = by_key.stratum[group];
        if (g->N++ == 0) { /* first of its kind */
            const int64_t *wanted = base_table_get(f.index, name, strlen(name));
            g->fpc2 = wanted ? (double)f.group[*wanted].N : o->n_quota ? 0 : (double)o->n;
        }
        if ((double)g->n >= g->fpc2)
            continue;
        struct sampling_row row = sampling_row_of(s);
        row.stratum = (struct data_cell){ name, strlen(name) };
        if ((rc = give_now(out, s, &row)))
            break;
        if ((double)++g->n >= g->fpc2 && o->n_quota)
            open--;
    }
    out->report->complete = o->n_quota > 0 && open == 0;
    if (rc == 0 && o->n_quota && open > 0)
        rc = sampling_note(out->report, "%llu quotas were not filled: the file has no more rows",
                           (ull)open);
    struct sampling_report *r = out->report;
    if (rc >= 0 && !(r->strata = base_alloc_zero(by_key.n_groups + 1, sizeof *r->strata)))
        rc = BASE_E_MEMORY;
    for (size_t h = 0; h < by_key.n_groups && rc >= 0; h++) {
        r->strata[h] = (struct sampling_stratum){ base_strdup(by_key.stratum[h]), by_key.group[h].N,
                                                  by_key.group[h].n, NAN, 0 };
        r->n_strata++;
        if (!r->strata[h].name)
            rc = BASE_E_MEMORY;
    }
    sampling_frame_free(&f);
    sampling_frame_free(&by_key);
    return rc < 0 ? rc : 0;
}

/* ---- one pass, the sample held ---- */
struct slot {
    struct base_buffer text;
    struct sampling_row row;
    double weight;
    bool used;
};

static int by_number(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    if (x->used != y->used)
        return x->used ? -1 : 1;
    return (x->row.number > y->row.number) - (x->row.number < y->row.number);
}

static int run_reservoir(struct sampling_source *s, struct output *out)
{
    const struct sampling_options *o = s->o;
    struct base_rng rng = base_rng_make(o->seed, BASE_RNG_ROWS, SAMPLING_ITEM_MAIN);
    struct sampling_reservoir plain;
    struct sampling_exponential weighted = { 0 };
    size_t n = 0, capacity = 0;
    struct slot *slot = NULL;
    int rc = o->weights ? sampling_exponential_begin(&weighted, o->n) : 0;
    sampling_reservoir_begin(&plain, o->n);
    while (!rc) {
        uint64_t k;
        if (!o->weights && plain.seen >= o->n && (rc = pass_until(s, plain.next)) != 1)
            break;
        plain.seen = s->population;
        if ((rc = sampling_source_next(s)) != 1)
            break;
        double weight = 1;
        rc = 0;
        if (o->weights) {
            if ((rc = sampling_source_number(s, s->weights, &weight)))
                break;
            if (weight < 0) {
                rc = base_error_set(BASE_E_FORMAT, "%s: column %s is negative (%g)",
                                    data_table_place(s->table), o->weights, weight);
                break;
            }
            /* an exponential of mean 1 over the weight must be a number, not 0 or infinity */
            if (weight > 0 && (weight < 1e-290 || weight > 1e290)) {
                rc = base_error_set(BASE_E_FORMAT,
                                    "%s: column %s: weight %g: between 1e-290 and 1e290; multiply "
                                    "them all with the same number",
                                    data_table_place(s->table), o->weights, weight);
                break;
            }
            out->report->never += weight == 0;
            k = sampling_exponential_next(&weighted, &rng, weight);
        } else {
            k = sampling_reservoir_next(&plain, &rng);
        }
        if (k == UINT64_MAX)
            continue;
        if (k == capacity) { /* slots are filled in order */
            size_t more = capacity ? 2 * capacity : 64;
            struct slot *grown = base_realloc(slot, more, sizeof *grown);
            if (!grown) {
                rc = BASE_E_MEMORY;
                break;
            }
            memset(grown + capacity, 0, (more - capacity) * sizeof *grown);
            slot = grown;
            capacity = more;
        }
        n = k >= n ? k + 1 : n;
        base_buffer_clear(&slot[k].text);
        rc = out->sink->keep(out->sink->context, s->table, s->cells, &slot[k].text);
        slot[k].row = sampling_row_of(s);
        slot[k].weight = weight;
        slot[k].used = true;
    }
    if (!rc && o->method == SAMPLING_RANDOM && s->population < o->n)
        rc = base_error_set(BASE_E_ARGUMENT, "%llu rows are asked for, but there are only %llu%s",
                            (ull)o->n, (ull)s->population,
                            o->where ? " for which the condition holds" : "");
    if (!rc) {
        uint64_t leave_out = UINT64_MAX;
        double threshold = o->weights ? sampling_exponential_threshold(&weighted, &leave_out) : 0;
        double N = (double)s->population;
        if (leave_out < n)
            slot[leave_out].used = false;
        if (n)
            qsort(slot, n, sizeof *slot, by_number);
        for (size_t i = 0; i < n && slot[i].used && !rc; i++) {
            set_pi(&slot[i].row, !o->weights        ? (o->n < s->population ? (double)o->n / N : 1)
                                 : isinf(threshold) ? 1
                                                    : -expm1(-slot[i].weight * threshold));
            slot[i].row.fpc = o->weights ? NAN : N;
            rc = give(out, &slot[i].text, &slot[i].row);
        }
        if (!rc && out->report->n < o->n)
            rc = sampling_note(out->report, "only %llu rows could be drawn: all are taken",
                               (ull)out->report->n);
        if (!rc && out->report->never)
            rc = sampling_note(out->report, "%llu rows of weight 0 can never be drawn",
                               (ull)out->report->never);
    }
    for (size_t i = 0; i < capacity; i++)
        base_buffer_free(&slot[i].text);
    base_free(slot);
    sampling_exponential_free(&weighted);
    return rc;
}

/* ---- two passes ---- */
/* The second pass: gives what the selection names. */
static int emit(struct sampling_frame *f, struct sampling_source *s, struct output *out)
{
    const struct sampling_options *o = s->o;
    int rc;
    for (;;) {
        struct sampling_group *only = !f->rows && !f->label && f->n_groups == 1 ? f->group : NULL;
        if (only && !only->all) {
            uint64_t next = only->at < only->n ? only->pick[only->at] : UINT64_MAX;
            if ((rc = pass_until(s, next)) != 1)
                return rc;
            only->seen = s->population;
        }
        if ((rc = sampling_source_next(s)) != 1)
            return rc;
        uint64_t i = s->population - 1;
        size_t group = 0;
        struct sampling_row row;
        if (i >= f->N)
            return base_error_set(BASE_E_IO, "%s: the file changed while it was read",
                                  data_table_place(s->table));
        if (f->rows) {
            if (!f->taken[i])
                continue;
            row = sampling_row_of(s);
            set_pi(&row, f->pi[i]);
            row.fpc = f->fpc;
            if (o->n_by) {
                const char *name = f->stratum[f->of[i]];
                row.stratum = (struct data_cell){ name, strlen(name) };
            }
            if ((rc = give_now(out, s, &row)))
                return rc;
            continue;
        }
        if (f->label)
            group = f->label[i];
        else if (f->n_groups > 1 && (rc = sampling_frame_group(f, s, false, &group)))
            return rc;
        struct sampling_group *g = &f->group[group];
        uint64_t ordinal = g->seen++;
        if (!g->all && (g->at == g->n || g->pick[g->at] != ordinal))
            continue;
        row = sampling_row_of(s);
        row.pi = g->pi;
        row.weight = g->weight;
        row.fpc = g->fpc;
        row.fpc2 = g->fpc2;
        if (o->n_by) {
            const char *name = f->stratum[g->stratum];
            row.stratum = (struct data_cell){ name, strlen(name) };
        }
        if (g->cluster)
            row.psu = (struct data_cell){ g->cluster, strlen(g->cluster) };
        if (g->all && (rc = give_now(out, s, &row)))
            return rc;
        for (int draw = 1; !g->all && g->at < g->n && g->pick[g->at] == ordinal; g->at++) {
            char psu[48]; /* every draw is a unit of its own: 17, 17.2, 17.3 */
            if (draw > 1) {
                int k = snprintf(psu, sizeof psu, "%llu.%d", (ull)row.number, draw);
                row.psu = (struct data_cell){ psu, (size_t)k };
            }
            if ((rc = give_now(out, s, &row)))
                return rc;
            draw++;
        }
    }
}

static bool holds_sample(const struct sampling_options *o)
{
    return o->method == SAMPLING_RESERVOIR ||
           (o->method == SAMPLING_RANDOM && o->n && !o->replace && !o->two_pass);
}

static bool one_pass(const struct sampling_options *o)
{
    return holds_sample(o) || o->method == SAMPLING_BERNOULLI || o->method == SAMPLING_QUOTA ||
           o->method == SAMPLING_CONVENIENCE || o->method == SAMPLING_PURPOSIVE ||
           (o->method == SAMPLING_SYSTEMATIC && o->interval);
}

static int run_one_pass(const struct sampling_options *o, const char *path,
                        const struct data_table_options *table, struct output *out)
{
    struct sampling_source s;
    int rc = sampling_source_open(&s, o, path, table);
    if (rc)
        return rc;
    if (!(rc = out->sink->begin(out->sink->context, s.table, o)))
        rc = holds_sample(o)               ? run_reservoir(&s, out)
             : o->method == SAMPLING_QUOTA ? run_quota(&s, out)
             : o->method == SAMPLING_BERNOULLI || o->method == SAMPLING_SYSTEMATIC
                 ? run_bernoulli(&s, out)
                 : run_convenience(&s, out);
    out->report->rows = s.rows;
    out->report->population = s.population;
    sampling_source_close(&s);
    return rc;
}

static int write_joint(const char *path, const double *joint, size_t n)
{
    struct base_writer w;
    int rc = base_writer_open(&w, path);
    if (rc)
        return rc;
    char number[BASE_DOUBLE_TEXT];
    for (size_t i = 0; i < n * n; i++)
        fprintf(w.stream, "%s%c", base_double_text(joint[i], number), (i + 1) % n ? ' ' : '\n');
    return base_writer_commit(&w);
}

static int run_two_passes(const struct sampling_options *o, const char *path,
                          const struct data_table_options *table, struct output *out)
{
    struct sampling_frame f;
    struct sampling_source s;
    int rc = sampling_frame_read(&f, o, path, table, out->report);
    if (!rc && !(rc = sampling_select(&f, o, out->report)) &&
        !(rc = sampling_source_open(&s, o, path, table))) {
        if (!(rc = out->sink->begin(out->sink->context, s.table, o)))
            rc = emit(&f, &s, out);
        if (!rc && s.population != f.N)
            rc = base_error_set(BASE_E_IO, "%s: the file changed while it was read", path);
        if (!rc && f.joint)
            rc = write_joint(o->joint, f.joint, out->report->n);
        sampling_source_close(&s);
    }
    sampling_frame_free(&f);
    return rc;
}

int sampling_run(const struct sampling_options *o, const char *path,
                 const struct data_table_options *table, const struct sampling_sink *sink,
                 struct sampling_report *report)
{
    *report = (struct sampling_report){ .exact = true, .complete = true, .weights = NAN };
    struct output out = { .sink = sink, .report = report };
    struct sampling_input in;
    int rc = check(o);
    if (rc || (rc = sampling_input_open(&in, path, table, one_pass(o))))
        goto out;
    rc = one_pass(o) ? run_one_pass(o, in.path, &in.table, &out)
         : o->method == SAMPLING_SNOWBALL
             ? sampling_run_referral(o, in.path, &in.table, sink, report)
             : run_two_passes(o, in.path, &in.table, &out);
    rc = sampling_input_close(&in, data_error_in(rc, in.path));
out:
    base_buffer_free(&out.text);
    if (rc)
        sampling_report_free(report);
    return rc;
}

void sampling_report_free(struct sampling_report *r)
{
    for (size_t i = 0; i < r->n_strata; i++)
        base_free(r->strata[i].name);
    base_free(r->strata);
    base_free(r->note);
    *r = (struct sampling_report){ 0 };
}
