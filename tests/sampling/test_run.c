/* Samples of files: rows come as often as their _pi says, strata and clusters carry the right
 * sizes, one pass and two give the same kind of sample, and what cannot be is refused with a
 * reason. Conditions. Splits have scikit-learn's sizes. */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/rng.h"
#include <assay/sampling.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "law.h"
#include "support.h"

#ifdef __SANITIZE_ADDRESS__
#define RUNS 400
#else
#define RUNS 4000
#endif
#define ROWS 12

static const char table_text[] =
    "id,g,c,x,y,by\n"
    "a,N,1,1,10,\nb,N,1,2,20,a\nc,N,2,3,5,a\nd,N,2,1,7,b\ne,N,3,4,9,b\n"
    "f,S,1,2,30,\ng,S,1,6,25,f\nh,S,4,1,14,f\ni,S,4,3,16,g\n"
    "j,S,5,2,12,a\nk,S,5,5,40,j\nl,S,5,2,22,j\n";

/* A sink that remembers. */
struct memory {
    size_t n;
    struct sampling_row row[64];
    char stratum[64][32], psu[64][32];
};
static int memory_begin(void *context, const struct data_table *t, const struct sampling_options *o)
{
    (void)t;
    (void)o;
    ((struct memory *)context)->n = 0;
    return 0;
}
static int memory_keep(void *context, const struct data_table *t, const struct data_cell *cells,
                       struct base_buffer *text)
{
    (void)context;
    (void)t;
    return base_buffer_append(text, cells[0].bytes, cells[0].length);
}
static int memory_give(void *context, const struct base_buffer *text,
                       const struct sampling_row *row)
{
    struct memory *m = context;
    assert_true(m->n < 64);
    assert_int_equal(text->data[0], 'a' + (int)row->number - 1);
    snprintf(m->stratum[m->n], 32, "%.*s", (int)row->stratum.length, row->stratum.bytes);
    snprintf(m->psu[m->n], 32, "%.*s", (int)row->psu.length, row->psu.bytes ? row->psu.bytes : "");
    m->row[m->n++] = *row;
    return 0;
}

static struct memory got;
static struct sampling_report report;

static int sample(const char *path, struct sampling_options o)
{
    const struct sampling_sink sink = { memory_begin, memory_keep, memory_give, &got };
    sampling_report_free(&report);
    return sampling_run(&o, path, NULL, &sink, &report);
}

static const char *table_path;
static int write_table(void **state)
{
    (void)state;
    table_path = test_temporary_path(".csv");
    test_write_file(table_path, table_text, sizeof table_text - 1);
    return 0;
}
static int remove_table(void **state)
{
    (void)state;
    sampling_report_free(&report);
    return unlink(table_path);
}

/* Each row comes with the frequency of its _pi, and 1/_pi estimates the total of y without bias.
 * conditional: the pi are given a threshold, not the design's: only the total is checked. */
static void check_design(struct sampling_options o, bool conditional)
{
    const double y[ROWS] = { 10, 20, 5, 7, 9, 30, 25, 14, 16, 12, 40, 22 };
    double hits[ROWS] = { 0 }, pi[ROWS] = { 0 }, mean = 0, square = 0;
    for (int r = 0; r < RUNS; r++) {
        o.seed = (uint64_t)r;
        assert_int_equal(sample(table_path, o), 0);
        assert_int_equal(report.rows, ROWS);
        double total = 0, weights = 0;
        for (size_t k = 0; k < got.n; k++) {
            size_t i = (size_t)got.row[k].number - 1;
            hits[i]++;
            pi[i] = got.row[k].pi;
            total += y[i] * got.row[k].weight;
            weights += got.row[k].weight;
            assert_true(fabs(got.row[k].pi * got.row[k].weight - 1) < 1e-12);
            assert_true(k == 0 || got.row[k - 1].number <= got.row[k].number);
        }
        assert_true(got.n == 0 || fabs(weights - report.weights) < 1e-9);
        mean += total / RUNS;
        square += total * total / RUNS;
    }
    for (int i = 0; i < ROWS && !conditional; i++)
        assert_true(fabs(hits[i] / RUNS - pi[i]) < 5 * sqrt(pi[i] / RUNS) + 1e-12);
    assert_true(fabs(mean - 210) < 5 * sqrt((square - mean * mean) / RUNS) + 1e-9);
}

static void inclusion(void **state)
{
    (void)state;
    static const char *const by[] = { "g" }, *const on[] = { "y" };
    check_design((struct sampling_options){ .method = SAMPLING_RANDOM, .n = 4 }, false);
    check_design((struct sampling_options){ .method = SAMPLING_RANDOM, .n = 4, .two_pass = true },
                 false);
    check_design((struct sampling_options){ .method = SAMPLING_RANDOM, .frac = 0.25 }, false);
    check_design((struct sampling_options){ .method = SAMPLING_RANDOM, .n = 5, .replace = true },
                 false);
    check_design((struct sampling_options){ .method = SAMPLING_BERNOULLI, .frac = 0.3 }, false);
    check_design((struct sampling_options){ .method = SAMPLING_SYSTEMATIC, .n = 5 }, false);
    check_design((struct sampling_options){ .method = SAMPLING_SYSTEMATIC, .interval = 5 }, false);
    check_design(
        (struct sampling_options){ .method = SAMPLING_SYSTEMATIC, .n = 5, .by = by, .n_by = 1 },
        false);
    check_design(
        (struct sampling_options){ .method = SAMPLING_STRATIFIED, .n = 5, .by = by, .n_by = 1 },
        false);
    check_design((struct sampling_options){ .method = SAMPLING_STRATIFIED,
                                            .n = 6,
                                            .by = by,
                                            .n_by = 1,
                                            .allocation = SAMPLING_NEYMAN,
                                            .variable = "y" },
                 false);
    check_design((struct sampling_options){ .method = SAMPLING_CLUSTER, .n = 2, .cluster = "c" },
                 false);
    check_design(
        (struct sampling_options){
            .method = SAMPLING_CLUSTER, .n = 3, .cluster = "c", .second = 2 },
        false);
    check_design((struct sampling_options){ .method = SAMPLING_CLUSTER,
                                            .n = 4,
                                            .cluster = "c",
                                            .by = by,
                                            .n_by = 1,
                                            .second_frac = 0.5 },
                 false);
    check_design((struct sampling_options){ .method = SAMPLING_WEIGHTED, .n = 4, .weights = "x" },
                 false);
    for (int m = 0; m < SAMPLING_PPS_METHODS; m++)
        check_design(
            (struct sampling_options){
                .method = SAMPLING_PPS, .n = 4, .weights = "x", .pps = (enum sampling_pps)m },
            false);
    check_design(
        (struct sampling_options){
            .method = SAMPLING_PPS, .n = 4, .weights = "x", .by = by, .n_by = 1 },
        false);
    check_design((struct sampling_options){ .method = SAMPLING_RESERVOIR, .n = 5 }, false);
    check_design((struct sampling_options){ .method = SAMPLING_RESERVOIR, .n = 5, .weights = "x" },
                 true);
    check_design(
        (struct sampling_options){ .method = SAMPLING_BALANCED, .n = 5, .on = on, .n_on = 1 },
        false);
}

/* ---- the whole law of designs, by enumeration ---- */

/* Law p times that of an independent choice among other units, whose law is q. */
static void law_cross(double *p, const double *q)
{
    static double product[1 << ROWS];
    memset(product, 0, sizeof product);
    for (size_t a = 0; a < (size_t)1 << ROWS; a++)
        for (size_t b = 0; p[a] > 0 && b < (size_t)1 << ROWS; b++)
            if (q[b] > 0)
                product[a | b] += p[a] * q[b];
    memcpy(p, product, sizeof product);
}

static void law_nothing(double *p)
{
    memset(p, 0, sizeof(double) << ROWS);
    p[0] = 1;
}

/* n of the units in the set `of`, each choice as likely as another. */
static void law_choose(double *p, size_t of, int n)
{
    double ways = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t s = of;; s = (s - 1) & of) {
            if (__builtin_popcountll(s) == n)
                *(pass ? &p[s] : &ways) += pass ? 1 / ways : 1;
            if (s == 0)
                break;
        }
}

/* n of the clusters, and in each `second` units, or all of a cluster that has no more. */
static void law_clusters(double *p, const size_t *cluster, int clusters, int n, int second)
{
    static double one[1 << ROWS], member[1 << ROWS];
    double ways = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int chosen = 0; chosen < 1 << clusters; chosen++) {
            if (__builtin_popcount((unsigned)chosen) != n)
                continue;
            ways += !pass;
            if (!pass)
                continue;
            law_nothing(one);
            for (int c = 0; c < clusters; c++) {
                int size = __builtin_popcountll(cluster[c]);
                if (!(chosen >> c & 1))
                    continue;
                memset(member, 0, sizeof member);
                law_choose(member, cluster[c], size < second ? size : second);
                law_cross(one, member);
            }
            for (size_t s = 0; s < (size_t)1 << ROWS; s++)
                p[s] += one[s] / ways;
        }
}

/* Draws by the design against law.p: every sample's frequency, and every row's _pi. */
static void check_law(struct sampling_options o)
{
    const char *wish = getenv("ASSAY_DRAWS"); /* 1000000: as often as in test_law */
    int runs = wish ? atoi(wish) : 10 * RUNS;
    double pi[ROWS];
    law.N = ROWS;
    memset(count, 0, sizeof count);
    law_inclusion(pi);
    for (int r = 0; r < runs; r++) {
        size_t set = 0;
        o.seed = (uint64_t)r;
        assert_int_equal(sample(table_path, o), 0);
        for (size_t k = 0; k < got.n; k++) {
            size_t i = (size_t)got.row[k].number - 1;
            set |= (size_t)1 << i;
            assert_true(fabs(got.row[k].pi - pi[i]) < 1e-12);
        }
        count[set]++;
    }
    law_check(runs);
}

static void laws(void **state)
{
    (void)state;
    static const char *const by[] = { "g" };
    static double south[1 << ROWS];
    /* rows a to l are bits 0 to 11; c is 1 1 2 2 3 | 1 1 4 4 5 5 5, g is N | S */
    const size_t N = 0x01f, S = 0xfe0;
    const size_t whole[5] = { 0x063, 0x00c, 0x010, 0x180, 0xe00 };
    const size_t north[3] = { 0x003, 0x00c, 0x010 }, southern[3] = { 0x060, 0x180, 0xe00 };

    law_begin(ROWS);
    law_nothing(law.p);
    memset(south, 0, sizeof south);
    law_choose(south, N, 2);
    law_cross(law.p, south);
    memset(south, 0, sizeof south);
    law_choose(south, S, 3);
    law_cross(law.p, south);
    check_law(
        (struct sampling_options){ .method = SAMPLING_STRATIFIED, .n = 5, .by = by, .n_by = 1 });

    law_begin(ROWS);
    law_clusters(law.p, whole, 5, 2, ROWS);
    check_law((struct sampling_options){ .method = SAMPLING_CLUSTER, .n = 2, .cluster = "c" });

    law_begin(ROWS);
    law_clusters(law.p, whole, 5, 3, 2);
    check_law((struct sampling_options){
        .method = SAMPLING_CLUSTER, .n = 3, .cluster = "c", .second = 2 });

    law_begin(ROWS);
    law_clusters(law.p, north, 3, 2, 1);
    memset(south, 0, sizeof south);
    law_clusters(south, southern, 3, 2, 1);
    law_cross(law.p, south);
    check_law((struct sampling_options){
        .method = SAMPLING_CLUSTER, .n = 4, .cluster = "c", .by = by, .n_by = 1, .second = 1 });
}

static void strata_and_clusters(void **state)
{
    (void)state;
    static const char *const by[] = { "g" };
    assert_int_equal(sample(table_path,
                            (struct sampling_options){
                                .method = SAMPLING_STRATIFIED, .n = 5, .by = by, .n_by = 1 }),
                     0);
    assert_int_equal(report.n_strata, 2);
    assert_string_equal(report.strata[0].name, "N");
    assert_true(report.strata[0].N == 5 && report.strata[0].n == 2); /* 5 * 5/12 = 2.08 */
    assert_true(report.strata[1].N == 7 && report.strata[1].n == 3);
    for (size_t k = 0; k < got.n; k++) {
        bool south = got.stratum[k][0] == 'S';
        assert_true(south == (got.row[k].number > 5));
        assert_true(got.row[k].fpc == (south ? 7 : 5));
        assert_true(fabs(got.row[k].pi - (south ? 3 / 7.0 : 2 / 5.0)) < 1e-15);
        assert_null(got.row[k].psu.bytes);
    }
    /* clusters of the same name in two strata are two */
    assert_int_equal(sample(table_path, (struct sampling_options){ .method = SAMPLING_CLUSTER,
                                                                   .n = 6,
                                                                   .cluster = "c",
                                                                   .by = by,
                                                                   .n_by = 1,
                                                                   .second = 1 }),
                     0);
    assert_true(report.clusters == 6 && report.clusters_taken == 6 && got.n == 6);
    const double size[6] = { 2, 2, 1, 2, 2, 3 };
    const char *const name[6] = { "1", "2", "3", "1", "4", "5" };
    for (int k = 0; k < 6; k++) {
        assert_string_equal(got.psu[k], name[k]);
        assert_true(got.row[k].fpc == 3 && got.row[k].fpc2 == size[k]);
        assert_true(got.row[k].weight == size[k]);
    }
    /* with replacement: no fpc, every draw its own unit */
    assert_int_equal(
        sample(table_path,
               (struct sampling_options){ .method = SAMPLING_RANDOM, .n = 40, .replace = true }),
        0);
    bool again = false;
    for (size_t k = 0; k < got.n; k++) {
        assert_true(isnan(got.row[k].fpc) && fabs(got.row[k].weight - 0.3) < 1e-15);
        again |= strchr(got.psu[k], '.') != NULL;
    }
    assert_true(again);
    /* Neyman: in proportion to N_h S_h, S^2 = 33.7 and 98.9 */
    assert_int_equal(sample(table_path, (struct sampling_options){ .method = SAMPLING_STRATIFIED,
                                                                   .n = 6,
                                                                   .by = by,
                                                                   .n_by = 1,
                                                                   .allocation = SAMPLING_NEYMAN,
                                                                   .variable = "y" }),
                     0);
    assert_true(fabs(report.strata[0].deviation - sqrt(33.7)) < 1e-12);
    assert_true(report.strata[0].n == 2 && report.strata[1].n == 4); /* 1.77 and 4.23 */
}

static void not_probability_samples(void **state)
{
    (void)state;
    static const char *const by[] = { "g" }, *const quota[] = { "S=2", "N=1" };
    assert_int_equal(
        sample(table_path,
               (struct sampling_options){
                   .method = SAMPLING_QUOTA, .by = by, .n_by = 1, .quota = quota, .n_quota = 2 }),
        0);
    assert_true(got.n == 3 && got.row[0].number == 1 && got.row[1].number == 6 &&
                got.row[2].number == 7);
    assert_true(report.complete && isnan(got.row[0].pi) && isnan(got.row[0].weight));
    assert_int_equal(
        sample(table_path, (struct sampling_options){ .method = SAMPLING_CONVENIENCE, .n = 3 }), 0);
    assert_true(got.n == 3 && got.row[2].number == 3);
    assert_int_equal(sample(table_path, (struct sampling_options){ .method = SAMPLING_PURPOSIVE,
                                                                   .where = "x > 3 and g = 'S'" }),
                     0);
    assert_true(got.n == 2 && got.row[0].number == 7 && got.row[1].number == 11);
    /* a referred b, c, j; b: d, e; j: k, l; f: g, h; g: i */
    static const char *const start[] = { "a" };
    struct sampling_options snowball = {
        .method = SAMPLING_SNOWBALL, .id = "id", .referrer = "by", .seeds = start, .n_seeds = 1
    };
    assert_int_equal(sample(table_path, snowball), 0);
    const double wave[8] = { 0, 1, 1, 2, 2, 1, 2, 2 };
    const double degree[8] = { 3, 3, 1, 1, 1, 3, 1, 1 };
    assert_true(got.n == 8 && report.waves == 2);
    for (int k = 0; k < 8; k++) {
        assert_true(got.row[k].wave == wave[k] && isnan(got.row[k].pi));
        assert_true(fabs(got.row[k].weight - 12 / 6.0 / degree[k]) < 1e-12);
    }
    snowball.coupons = 1;
    assert_int_equal(sample(table_path, snowball), 0);
    assert_true(got.n == 3 || got.n == 2); /* a, one of b c j, one of theirs */
    snowball.coupons = 0;
    snowball.waves = 1;
    assert_int_equal(sample(table_path, snowball), 0);
    assert_int_equal(got.n, 4);
}

static void refuse(struct sampling_options o, const char *message)
{
    long live;
    sampling_report_free(&report);
    live = base_alloc_live();
    assert_int_not_equal(sample(table_path, o), 0);
    assert_int_equal(base_alloc_live(), live);
    if (!strstr(base_error_message(), message))
        fprintf(stderr, "%s\n", base_error_message());
    assert_non_null(strstr(base_error_message(), message));
}

static void refusals(void **state)
{
    (void)state;
    static const char *const by[] = { "g" }, *const id[] = { "id" }, *const ref[] = { "by" },
                             *const c[] = { "c" }, *const quota[] = { "N" };
#define O(...) ((struct sampling_options){ __VA_ARGS__ })
    refuse(O(.method = SAMPLING_RANDOM), "random needs -n or --frac");
    refuse(O(.method = SAMPLING_RANDOM, .n = 13), "only 12");
    refuse(O(.method = SAMPLING_RANDOM, .n = 13, .two_pass = true), "only 12");
    refuse(O(.method = SAMPLING_RANDOM, .n = 3, .frac = 0.1), "not both");
    refuse(O(.method = SAMPLING_RANDOM, .n = 3, .by = by, .n_by = 1), "does not use --by");
    refuse(O(.method = SAMPLING_RANDOM, .frac = 0.01), "is none");
    refuse(O(.method = SAMPLING_RANDOM, .n = 3, .where = "x > 100", .two_pass = true),
           "holds for no row");
    refuse(O(.method = SAMPLING_STRATIFIED, .n = 6, .by = id, .n_by = 1),
           "stratum \"a\" has a single row");
    refuse(O(.method = SAMPLING_STRATIFIED, .n = 6, .by = ref, .n_by = 1),
           ":2: column by has no value");
    refuse(O(.method = SAMPLING_STRATIFIED, .n = 3, .by = c, .n_by = 1, .singletons = true),
           "would get none");
    refuse(O(.method = SAMPLING_STRATIFIED, .n = 1, .by = by, .n_by = 1), "would get none");
    refuse(O(.method = SAMPLING_PPS, .n = 3), "pps needs --size");
    refuse(O(.method = SAMPLING_PPS, .n = 3, .weights = "id"), ":2: column id: expected a number");
    refuse(O(.method = SAMPLING_PPS, .n = 3, .weights = "x", .pps = SAMPLING_PPS_BREWER,
             .joint = "/tmp/x"),
           "joint");
    refuse(O(.method = SAMPLING_CLUSTER, .n = 6, .cluster = "c"), "6 clusters are asked for");
    refuse(O(.method = SAMPLING_QUOTA, .by = by, .n_by = 1, .quota = quota, .n_quota = 1),
           "expected VALUE=N");
    refuse(O(.method = SAMPLING_SNOWBALL, .id = "g", .referrer = "by", .n = 1),
           "occurs a second time");
    refuse(O(.method = SAMPLING_RANDOM, .n = 3, .where = "zz > 3"), "no column \"zz\"");
    refuse(O(.method = SAMPLING_RANDOM, .n = 3, .where = "id > 3"), ":2: column id");
    refuse(O(.method = SAMPLING_BERNOULLI, .frac = 1.5), "between 0 and 1");
    refuse(O(.method = SAMPLING_RANDOM, .frac = 1e300, .replace = true), "more draws than");
    static const char *const start[] = { "a", "f", "c" };
    refuse(O(.method = SAMPLING_SNOWBALL, .id = "id", .referrer = "by", .n = 3, .size = 2),
           "--stop-at 2 is below the 3 seeds");
    refuse(O(.method = SAMPLING_SNOWBALL, .id = "id", .referrer = "by", .seeds = start,
             .n_seeds = 3, .size = 2),
           "--stop-at 2 is below the 3 seeds");
    /* what comes from the rows says which file */
    refuse(O(.method = SAMPLING_RANDOM, .n = 13), table_path);
    refuse(O(.method = SAMPLING_CLUSTER, .n = 6, .cluster = "c"), table_path);
    refuse(O(.method = SAMPLING_STRATIFIED, .n = 6, .by = id, .n_by = 1), table_path);
}

/* Sizes that no sum can hold, weights whose ranks no double can, names that are not one string:
 * refused. */
static void extremes(void **state)
{
    (void)state;
    static const double huge[] = { 1e308, 1e308, 1e308, 1 };
    struct base_rng rng = base_rng_make(1, BASE_RNG_ROWS, 0);
    double pi[4];
    uint64_t drawn[4];
    bool exact;
    assert_int_equal(sampling_inclusion(huge, 4, 2, pi), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "divide"));
    assert_int_equal(sampling_inclusion_successive(huge, 4, 2, pi, &exact), BASE_E_ARGUMENT);
    assert_int_equal(sampling_draw_successive(&rng, huge, 4, 2, drawn), BASE_E_ARGUMENT);
    char path[] = "/tmp/assay-test-XXXXXX.csv";
    const int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    static const char text[] = "id,w\na,1e-310\nb,1e-310\nc,1e-310\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    assert_int_equal(sample(path, O(.method = SAMPLING_RESERVOIR, .n = 2, .weights = "w")),
                     BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), ":2: column w: weight 1e-310"));
    /* names that would be one after their NUL, or a key that would be another's */
    static const char *const by[] = { "g" }, *const two[] = { "g", "h" };
    static const char names[] = "id,g,h\na,x\0y,1\nb,x\0z,1\n", parts[] = "id,g,h\na,x\x1fy,z\n";
    test_write_file(path, names, sizeof names - 1);
    assert_int_equal(sample(path, O(.method = SAMPLING_STRATIFIED, .by = by, .n_by = 1, .n = 2,
                                    .singletons = true)),
                     BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), ":2: a stratum's"));
    test_write_file(path, parts, sizeof parts - 1);
    assert_int_equal(sample(path, O(.method = SAMPLING_STRATIFIED, .by = two, .n_by = 2, .n = 1)),
                     BASE_E_FORMAT);
    /* two strata of one name, which the sample's _stratum could not tell apart */
    static const char alike[] = "id,g,h\na,x / y,z\nb,x,y / z\n", apart[] = "id,g,h\na,x / y,z\n"
                                                                            "b,x,z / y\n";
    test_write_file(path, alike, sizeof alike - 1);
    assert_int_equal(sample(path, O(.method = SAMPLING_STRATIFIED, .by = two, .n_by = 2, .n = 2,
                                    .singletons = true)),
                     BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), ":3: two strata have the name \"x / y / z\""));
    test_write_file(path, apart, sizeof apart - 1);
    assert_int_equal(sample(path, O(.method = SAMPLING_STRATIFIED, .by = two, .n_by = 2, .n = 2,
                                    .singletons = true)),
                     0);
    unlink(path);
}

static void conditions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *truth; /* of rows 1.. : T, F or ? */
    } good[] = {
        { "n > 2", "FT?T" },
        { "n >= 2 and t != 'b'", "FT?T" },
        { "not n > 2", "TF?F" },
        { "! (n > 2) || n > 2", "TT?T" },
        { "n is missing", "FFTF" },
        { "n is not missing and n * 2 + 1 = 7", "FTFF" },
        { "n in (1, 3.0)", "TT?F" },
        { "t not in ('a', \"b\")", "FTTT" },
        { "t = 'it''s'", "FFTF" },
        { "t contains 'x'", "FFFT" },
        { "n - 1 < n % 2 + 1 and `odd name` = 5", "TF?F" },
        { "-n = - 3", "FT?F" },
        { "n / 0 = 1", "????" },
        { "n = `odd name`", "FF?F" },
        { "t < 'b'", "TFFF" },
        { "n > 2 or t = 'it''s'", "FTTT" },
        { "n > 2 AND t = 'it''s'", "FF?F" },
    };
    static const char *const bad[] = { "",          "n >",    "n > 2 2",  "n > 'b",   "(n > 2",
                                       "n is 3",    "n in 3", "n in (1",  "> 3",      "1.2.3 = n",
                                       "n = 2 = 3", "`n > 3", "nope = 1", "and n = 1" };
    const char *path = test_temporary_path(".csv");
    static const char text[] = "n,t,odd name\n1,a,5\n3,c,4\n,it's,\n17,xyz,6\n";
    struct data_table *t;
    struct sampling_condition *c;
    const struct data_cell *cells;
    test_write_file(path, text, sizeof text - 1);
    for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
        assert_int_equal(data_table_open(&t, path, NULL), 0);
        if (sampling_condition_parse(&c, good[k].text, t))
            fail_msg("%s: %s", good[k].text, base_error_message());
        for (size_t i = 0; data_table_next(t, &cells) == 1; i++) {
            int rc = sampling_condition_test(c, t, cells);
            char is = rc == 1 ? 'T' : rc == 0 ? 'F' : rc == 2 ? '?' : 'E';
            if (is != good[k].truth[i])
                fail_msg("%s: row %zu is %c (%s)", good[k].text, i + 1, is, base_error_message());
        }
        sampling_condition_free(c);
        data_table_close(t);
    }
    assert_int_equal(data_table_open(&t, path, NULL), 0);
    long live = base_alloc_live();
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_int_equal(sampling_condition_parse(&c, bad[k], t), BASE_E_ARGUMENT);
        assert_int_equal(base_alloc_live(), live);
    }
    assert_int_equal(sampling_condition_parse(&c, "n > 2 and", t), BASE_E_ARGUMENT);
    assert_string_equal(base_error_message(), "condition \"n > 2 and\": at character 10: expected "
                                              "a column, a number, 'text' or ( (it ends there)");
    char deep[1000];
    memset(deep, '(', 999);
    deep[999] = 0;
    assert_int_equal(sampling_condition_parse(&c, deep, t), BASE_E_LIMIT);
    /* a value where a comparison is needed, and the other way round */
    assert_int_equal(data_table_next(t, &cells), 1);
    assert_int_equal(sampling_condition_parse(&c, "n", t), 0);
    assert_int_equal(sampling_condition_test(c, t, cells), BASE_E_ARGUMENT);
    sampling_condition_free(c);
    assert_int_equal(sampling_condition_parse(&c, "(n = 1) + 2 = 3", t), 0);
    assert_int_equal(sampling_condition_test(c, t, cells), BASE_E_ARGUMENT);
    sampling_condition_free(c);
    data_table_close(t);
    unlink(path);
}

/* What the writer makes of the first rows. */
static char *written(struct sampling_options o, struct sampling_writer_options how)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    struct sampling_writer *w;
    sampling_report_free(&report);
    assert_int_equal(sampling_writer_new(&w, f, &how), 0);
    struct sampling_sink sink = sampling_writer_sink(w);
    assert_int_equal(sampling_run(&o, table_path, NULL, &sink, &report), 0);
    assert_int_equal(sampling_writer_finish(w), 0);
    sampling_writer_free(w);
    fclose(f);
    return text;
}

static void writing(void **state)
{
    (void)state;
    static const char *const by[] = { "g", "c" };
    struct sampling_options o = { .method = SAMPLING_STRATIFIED,
                                  .n = 12,
                                  .by = by,
                                  .n_by = 2,
                                  .singletons = true,
                                  .where = "id <= 'e' and x < 4" };
    o.n = 4;
    char *text = written(o, (struct sampling_writer_options){ .format = DATA_FORMAT_CSV });
    assert_string_equal(text, "id,g,c,x,y,by,_pi,_weight,_stratum,_psu,_fpc\n"
                              "a,N,1,1,10,,1,1,N / 1,1,2\nb,N,1,2,20,a,1,1,N / 1,2,2\n"
                              "c,N,2,3,5,a,1,1,N / 2,3,2\nd,N,2,1,7,b,1,1,N / 2,4,2\n");
    free(text);
    o.n = 2;
    text = written(o, (struct sampling_writer_options){ .format = DATA_FORMAT_JSONL });
    assert_non_null(strstr(text, "\"x\": "));
    assert_non_null(
        strstr(text, "\"_pi\": 0.5, \"_weight\": 2, \"_stratum\": \"N / 2\", \"_psu\": "));
    free(text);
    o = (struct sampling_options){ .method = SAMPLING_CONVENIENCE, .n = 1 };
    text = written(o, (struct sampling_writer_options){ .format = DATA_FORMAT_TSV, .plain = true });
    assert_string_equal(text, "id\tg\tc\tx\ty\tby\na\tN\t1\t1\t10\t\n");
    free(text);
    /* shuffled: the same rows in another order, the same for the same seed */
    o = (struct sampling_options){ .method = SAMPLING_RANDOM, .n = 12 };
    struct sampling_writer_options how = { .format = DATA_FORMAT_CSV, .shuffle = true, .seed = 3 };
    char *first = written(o, how), *second = written(o, how);
    how.shuffle = false;
    char *ordered = written(o, how);
    assert_string_equal(first, second);
    assert_string_not_equal(first, ordered);
    assert_int_equal(strlen(first), strlen(ordered));
    free(first);
    free(second);
    free(ordered);
}

static void splits(void **state)
{
    (void)state;
    static const char *const names[] = { "train", "test" };
    /* scikit-learn 1.9.1: train_test_split sizes for n rows and test_size */
    static const struct {
        uint64_t n;
        double share;
        uint64_t train, test;
    } sizes[] = { { 10, 0.25, 7, 3 },   { 11, 0.3, 7, 4 },         { 30, 0.1, 27, 3 },
                  { 101, 0.2, 80, 21 }, { 2000, 0.25, 1500, 500 }, { 7, 0.01, 6, 1 } };
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const char *path = test_temporary_path(".csv");
        FILE *f = fopen(path, "w");
        fputs("v,t\n", f);
        for (uint64_t i = 0; i < sizes[k].n; i++)
            fprintf(f, "%s,%d\n", i % 3 ? "p" : "q", (int)(i * 7 % 11));
        fclose(f);
        const double share[2] = { 0, sizes[k].share };
        const uint64_t count[2] = { 0, 0 };
        struct sampling_split_options o = {
            .name = names, .share = share, .count = count, .n_parts = 2, .seed = k
        };
        struct sampling_split s;
        assert_int_equal(sampling_split_make(&s, path, NULL, &o), 0);
        assert_int_equal(s.size[0], sizes[k].train);
        assert_int_equal(s.size[1], sizes[k].test);
        sampling_split_free(&s);
        o.stratify = "v"; /* each part has each value within one row of its share */
        if (sizes[k].test > 1) {
            assert_int_equal(sampling_split_make(&s, path, NULL, &o), 0);
            double q = 0;
            for (uint64_t i = 0; i < s.rows; i += 3)
                q += s.part[i] == 1;
            assert_int_equal(s.size[1], sizes[k].test);
            assert_true(fabs(q - (double)((sizes[k].n + 2) / 3) * (double)sizes[k].test /
                                     (double)sizes[k].n) <= 1);
            sampling_split_free(&s);
        }
        o.stratify = NULL;
        o.time = "t"; /* nothing in test is earlier than anything in train */
        assert_int_equal(sampling_split_make(&s, path, NULL, &o), 0);
        int latest = -1, earliest = 99;
        for (uint64_t i = 0; i < s.rows; i++) {
            int t = (int)(i * 7 % 11);
            if (s.part[i] == 0 && t > latest)
                latest = t;
            if (s.part[i] == 1 && t < earliest)
                earliest = t;
        }
        assert_true(latest <= earliest);
        sampling_split_free(&s);
        unlink(path);
    }
}

static void grouped_splits_and_folds(void **state)
{
    (void)state;
    static const char *const names[] = { "train", "test" };
    const double share[2] = { 0, 0.3 };
    const uint64_t count[2] = { 0, 0 };
    struct sampling_split_options o = {
        .name = names, .share = share, .count = count, .n_parts = 2, .group = "company", .seed = 5
    };
    struct sampling_split s;
    static const struct data_column_want want[] = { { "company", DATA_CATEGORY },
                                                    { "treatment", DATA_CATEGORY } };
    struct data_frame f;
    assert_int_equal(data_frame_read(&f, "builtin:survey", NULL, want, 2), 0);
    assert_int_equal(sampling_split_make(&s, "builtin:survey", NULL, &o), 0);
    uint32_t part[96];
    memset(part, 0xff, sizeof part);
    size_t test_groups = 0;
    for (size_t i = 0; i < f.rows; i++) {
        uint32_t g = f.column[0].code[i];
        assert_true(part[g] == UINT32_MAX || part[g] == s.part[i]);
        test_groups += part[g] == UINT32_MAX && s.part[i] == 1;
        part[g] = s.part[i];
    }
    assert_int_equal(test_groups, 29); /* ceil(0.3 * 96) */
    sampling_split_free(&s);
    struct sampling_split_options folds = { .folds = 7, .stratify = "treatment", .seed = 1 };
    assert_int_equal(sampling_split_make(&s, "builtin:survey", NULL, &folds), 0);
    size_t yes[7] = { 0 }, all = 0;
    for (size_t i = 0; i < f.rows; i++)
        yes[s.part[i]] += f.column[1].code[i] == 1, all += f.column[1].code[i] == 1;
    for (int k = 0; k < 7; k++) {
        assert_true(s.size[k] == 285 || s.size[k] == 286);
        assert_true(yes[k] == all / 7 || yes[k] == all / 7 + 1);
    }
    sampling_split_free(&s);
    data_frame_free(&f);
    o.group = NULL;
    o.stratify = "id";
    assert_int_equal(sampling_split_make(&s, "builtin:survey", NULL, &o), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "\"P0001\" has a single row"));
    folds.stratify = NULL;
    folds.folds = 2001;
    assert_int_equal(sampling_split_make(&s, "builtin:survey", NULL, &folds), BASE_E_ARGUMENT);
}

static void allocation_failures(void **state)
{
    (void)state;
    static const char *const by[] = { "g" }, *const on[] = { "y" };
    const struct sampling_options designs[] = {
        { .method = SAMPLING_RANDOM, .n = 4 },
        { .method = SAMPLING_RESERVOIR, .n = 4, .weights = "x" },
        { .method = SAMPLING_STRATIFIED, .n = 5, .by = by, .n_by = 1, .where = "x > 0" },
        { .method = SAMPLING_CLUSTER, .n = 2, .cluster = "c", .second = 1 },
        { .method = SAMPLING_CLUSTER, .n = 2, .kmeans = 3, .on = on, .n_on = 1 },
        { .method = SAMPLING_PPS, .n = 3, .weights = "x", .pps = SAMPLING_PPS_SAMPFORD },
        { .method = SAMPLING_WEIGHTED, .n = 3, .weights = "x" },
        { .method = SAMPLING_BALANCED, .n = 3, .on = on, .n_on = 1 },
        { .method = SAMPLING_QUOTA, .n = 1, .by = by, .n_by = 1 },
        { .method = SAMPLING_SNOWBALL, .n = 2, .id = "id", .referrer = "by" },
    };
    for (size_t k = 0; k < sizeof designs / sizeof *designs; k++) {
        int rc = -1;
        for (long n = 1; rc; n++) {
            sampling_report_free(&report);
            long live = base_alloc_live();
            base_alloc_fail_after(n);
            rc = sample(table_path, designs[k]);
            base_alloc_fail_after(0);
            assert_true(rc == 0 || rc == BASE_E_MEMORY);
            if (rc)
                assert_int_equal(base_alloc_live(), live);
        }
    }
    sampling_report_free(&report);
    struct sampling_split_options folds = { .folds = 3, .stratify = "g" };
    int rc = -1;
    for (long n = 1; rc; n++) {
        struct sampling_split s = { 0 };
        long live = base_alloc_live();
        base_alloc_fail_after(n);
        rc = sampling_split_make(&s, table_path, NULL, &folds);
        base_alloc_fail_after(0);
        sampling_split_free(&s);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        assert_int_equal(base_alloc_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inclusion),
        cmocka_unit_test(laws),
        cmocka_unit_test(strata_and_clusters),
        cmocka_unit_test(not_probability_samples),
        cmocka_unit_test(refusals),
        cmocka_unit_test(extremes),
        cmocka_unit_test(conditions),
        cmocka_unit_test(writing),
        cmocka_unit_test(splits),
        cmocka_unit_test(grouped_splits_and_folds),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, write_table, remove_table);
}
