/* The search for neighbours: every path gives what comparing all pairs by the definition gives, to
 * the last bit, on data with ties, identical and empty rows, lengths that differ by many orders,
 * more points than a block or a leaf holds; with every instruction set and number of threads. */
#include "resample_data.h"

#include "classify/neighbors_private.h"

static struct classify_matrix x;
static uint32_t all[9000], query[9000], near[90000], near_plain[90000];
static double far[90000], far_plain[90000];

/* rows x columns; share of places filled; kind of values: 0 real, 1 few whole numbers, 2 real of
 * length 1, 3 real with lengths from 1e-20 to 1e20; every ninth row repeats an earlier one, the
 * last are empty */
static void fill(size_t rows, size_t columns, double share, int kind, uint64_t seed)
{
    double *row = calloc(columns, sizeof *row);
    uint32_t *column = calloc(columns, sizeof *column);
    assert_int_equal(classify_matrix_begin(&x, columns), 0);
    for (size_t i = 0; i < rows; i++) {
        size_t n = 0;
        double sum = 0;
        if (i > 20 && i % 9 == 0) {
            uint32_t earlier = (uint32_t)(lcg_next(&seed) * (double)i);
            struct classify_matrix one = { 0 };
            assert_int_equal(classify_matrix_begin(&one, columns), 0);
            assert_int_equal(classify_matrix_take(&one, &x, &earlier, 1), 0);
            assert_int_equal(classify_matrix_add(&x, one.column, one.value, one.first[1]), 0);
            classify_matrix_free(&one);
            continue;
        }
        double scale = kind == 3 ? pow(10, 40 * lcg_next(&seed) - 20) : 1;
        for (size_t c = 0; c < columns && i + 5 < rows; c++) {
            /* early columns are fuller, as words are */
            if (lcg_next(&seed) >= share * (c < columns / 8 ? 5 : 1))
                continue;
            double u = lcg_next(&seed) - (kind == 2 ? 0 : 0.5);
            column[n] = (uint32_t)c;
            row[n] = kind == 1 ? floor(4 * u) : u * scale;
            sum += row[n] * row[n];
            n++;
        }
        for (size_t j = 0; kind == 2 && j < n; j++)
            row[j] /= sqrt(sum);
        assert_int_equal(classify_matrix_add(&x, column, row, n), 0);
    }
    free(row);
    free(column);
    for (size_t i = 0; i < rows; i++)
        all[i] = (uint32_t)i;
}

static void compare(const char *what, const struct neighbor_search *s)
{
    for (size_t i = 0; i < s->queries * s->k; i++)
        if (near[i] != near_plain[i] || memcmp(&far[i], &far_plain[i], sizeof *far))
            fail_msg("%s: query %zu, neighbour %zu is %u at %.17g, not %u at %.17g", what, i / s->k,
                     i % s->k, near[i], far[i], near_plain[i], far_plain[i]);
}

struct candidate {
    double key;
    uint32_t row;
};
static int candidate_compare(const void *a, const void *b)
{
    const struct candidate *p = a, *q = b;
    return p->key != q->key ? (p->key > q->key) - (p->key < q->key)
                            : (p->row > q->row) - (p->row < q->row);
}

/* Every pair by the definition. */
static void search_plain(const struct neighbor_search *s)
{
    static struct candidate all_of[9000];
    for (size_t i = 0; i < s->queries; i++) {
        size_t n = 0;
        for (size_t j = 0; j < s->points; j++) {
            double d2 = classify_distance2(&x, s->query[i], s->point[j]);
            if (s->point[j] != s->query[i])
                all_of[n++] = (struct candidate){ s->farthest ? -d2 : d2, s->point[j] };
        }
        qsort(all_of, n, sizeof *all_of, candidate_compare);
        for (size_t j = 0; j < s->k; j++) {
            near_plain[i * s->k + j] = j < n ? all_of[j].row : UINT32_MAX;
            far_plain[i * s->k + j] = j < n ? fabs(all_of[j].key) : INFINITY;
        }
    }
}

static void check(size_t points, size_t queries, size_t k)
{
    struct neighbor_search s = { &x, all, query, points, queries, k, false, near, far };
    for (size_t i = 0; i < queries; i++)
        query[i] = (uint32_t)(i * 7919 % x.rows);
    for (int farthest = 0; farthest <= 1; farthest++) {
        s.farthest = farthest;
        search_plain(&s);
        for (int isa = 0; isa <= 2; isa++) {
            neighbor_isa_limit(isa);
            base_threads_set(1 + isa);
            memset(near, 1, sizeof near);
            assert_int_equal(neighbor_search_sparse(&s), 0);
            compare("sparse", &s);
            memset(near, 1, sizeof near);
            assert_int_equal(neighbor_search_dense(&s), 0);
            compare("dense", &s);
        }
        neighbor_isa_limit(2);
        base_threads_set(0);
    }
}

static void test_paths(void **state)
{
    (void)state;
    for (int kind = 0; kind <= 3; kind++) {
        fill(700, 40, 0.08, kind, 1 + (uint64_t)kind);
        check(700, 200, 4);
        check(350, 200, 1); /* half of the queries are no points */
        check(3, 50, 5);    /* fewer points than neighbours */
        classify_matrix_free(&x);
        fill(500, 9, 0.9, kind, 11 + (uint64_t)kind);
        check(500, 200, 10);
        classify_matrix_free(&x);
    }
    fill(9000, 24, 0.03, 1, 5); /* three blocks, wide lists, thousands of ties */
    check(9000, 30, 6);
    classify_matrix_free(&x);
    fill(9000, 300, 0.02, 2, 6);
    check(9000, 30, 3);
    classify_matrix_free(&x);
    fill(300, 3, 0, 0, 7); /* empty rows only */
    check(300, 20, 3);
    classify_matrix_free(&x);
}

static void test_distance(void **state)
{
    (void)state;
    const double rows[] = { 1, 0, 3, 0, 0, 2, 0, 4, 1, 0, 3, 0 };
    assert_int_equal(classify_matrix_dense(&x, rows, 3, 4), 0);
    assert_true(classify_distance2(&x, 0, 1) == 1 + 4 + 9 + 16);
    assert_true(classify_distance2(&x, 0, 2) == 0);
    const uint32_t points[] = { 0, 1, 2 };
    uint32_t found[6];
    double d2[6];
    assert_int_equal(classify_neighbors_nearest(&x, points, 3, points, 3, 2, found, d2), 0);
    const uint32_t expected[] = { 2, 1, 0, 2, 0, 1 };
    assert_memory_equal(found, expected, sizeof expected);
    assert_true(d2[0] == 0 && d2[1] == 30 && d2[2] == 30 && d2[3] == 30);
    assert_int_equal(classify_neighbors_nearest(&x, points, 1, points, 1, 1, found, d2), 0);
    assert_true(found[0] == UINT32_MAX && isinf(d2[0]));
    x.value[0] = 1e160;
    assert_int_equal(classify_neighbors_nearest(&x, points, 3, points, 3, 1, found, NULL),
                     BASE_E_NUMERIC);
    assert_non_null(strstr(base_error_message(), "row 0: squared length inf"));
    classify_matrix_free(&x);
}

static void test_allocation(void **state)
{
    (void)state;
    fill(300, 40, 0.08, 2, 3);
    long live = base_alloc_live();
    for (int dense = 0; dense <= 1; dense++)
        for (long nth = 1;; nth++) {
            struct neighbor_search s = { &x, all, all, 300, 300, 3, false, near, far };
            base_alloc_fail_after(nth);
            int rc = (dense ? neighbor_search_dense : neighbor_search_sparse)(&s);
            base_alloc_fail_after(0);
            assert_int_equal(base_alloc_live(), live);
            if (rc == 0)
                break;
            assert_int_equal(rc, BASE_E_MEMORY);
        }
    classify_matrix_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
