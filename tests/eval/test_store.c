/* The store: what goes in comes out, in SQLite and in PostgreSQL; what fails leaves it as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "eval/results_run.h"
#include "eval/store_database.h"
#include "postgres_support.h"
#include "run_support.h"

static struct eval_store *open_store(const char *where, enum eval_store_mode mode)
{
    struct eval_store *s;
    if (eval_store_open(&s, where, mode))
        fail_msg("%s", base_error_message());
    return s;
}

static struct eval_run *open_run(const char *where, const char *store)
{
    struct eval_run *r;
    if (eval_run_open(&r, where, store))
        fail_msg("%s", base_error_message());
    return r;
}

static void add_run(const char *store, const char *directory, int expected)
{
    struct eval_store *s = open_store(store, EVAL_STORE_WRITE);
    struct eval_run *r = open_run(directory, store);
    int rc = eval_store_add(s, r);
    if (rc < 0)
        fail_msg("%s", base_error_message());
    assert_int_equal(rc, expected);
    eval_run_close(r);
    eval_store_close(s);
}

static void says(const char *part)
{
    if (!strstr(base_error_message(), part))
        fail_msg("\"%s\" does not say \"%s\"", base_error_message(), part);
}

static int count_row(void *context, const struct store_value *columns, size_t n)
{
    (void)columns;
    (void)n;
    ++*(int *)context;
    return 0;
}

/* The same run from its directory and from the store. */
static void check_same(const char *directory, const char *id, const char *store)
{
    struct eval_run *a = open_run(directory, store), *b = open_run(id, store);
    static const char *const tasks[] = { "sums", "words" };
    static const char *const metrics[] = { "acc", "score", "word_perplexity", "acc,none" };
    assert_true(json_equal(eval_run_results(a), eval_run_results(b)));
    assert_true(json_equal(eval_run_config(a), eval_run_config(b)));
    assert_string_equal(eval_run_name(a), eval_run_name(b));
    for (size_t t = 0; t < 2; t++) {
        for (size_t m = 0; m < 4; m++) {
            struct eval_column x, y;
            assert_int_equal(eval_run_column(a, tasks[t], metrics[m], &x), 0);
            if (eval_run_column(b, tasks[t], metrics[m], &y))
                fail_msg("%s", base_error_message());
            assert_int_equal(x.n, y.n);
            assert_int_equal(x.binary, y.binary);
            assert_int_equal(!x.weight, !y.weight);
            assert_int_equal(!x.cluster, !y.cluster);
            assert_int_equal(!x.cluster, t == 0);
            if (x.cluster)
                assert_memory_equal(x.cluster, y.cluster, x.n * sizeof *x.cluster);
            assert_memory_equal(x.hash, y.hash, x.n * sizeof *x.hash);
            assert_memory_equal(x.doc, y.doc, x.n * sizeof *x.doc);
            assert_memory_equal(x.value, y.value, x.n * sizeof *x.value);
            if (x.weight)
                assert_memory_equal(x.weight, y.weight, x.n * sizeof *x.weight);
            eval_column_free(&x);
            eval_column_free(&y);
        }
        struct eval_samples *x, *y;
        json_t *p, *q;
        assert_int_equal(eval_samples_open(&x, a, tasks[t]), 0);
        assert_int_equal(eval_samples_open(&y, b, tasks[t]), 0);
        while (eval_samples_next(x, &p) > 0) {
            if (eval_samples_next(y, &q) <= 0)
                fail_msg("%s", base_error_message());
            assert_true(json_equal(p, q));
            json_decref(p);
            json_decref(q);
        }
        assert_int_equal(eval_samples_next(y, &q), 0);
        eval_samples_close(x);
        eval_samples_close(y);
    }
    eval_run_close(a);
    eval_run_close(b);
}

static size_t count_runs(const char *store)
{
    struct eval_store *s = open_store(store, EVAL_STORE_READ);
    json_t *runs;
    if (eval_store_list(s, &runs))
        fail_msg("%s", base_error_message());
    size_t n = json_array_size(runs);
    json_decref(runs);
    eval_store_close(s);
    return n;
}

/* All that a store of either kind must do. */
static void check_store(const char *store)
{
    char one[256], two[256], id[2][16], prefix[16];
    struct eval_store *s;
    snprintf(one, sizeof one, "%s", test_temporary_path("-run"));
    snprintf(two, sizeof two, "%s", test_temporary_path("-run"));
    run_make(one, 1, 3000, id[0]); /* several parts of samples: 1 MiB each */
    run_make(two, 2, 20, id[1]);
    add_run(store, one, 0);
    add_run(store, two, 0);
    add_run(store, two, 1); /* there already */
    assert_int_equal(count_runs(store), 2);
    check_same(one, id[0], store);
    check_same(two, id[1], store);

    s = open_store(store, EVAL_STORE_READ);
    json_t *runs;
    assert_int_equal(eval_store_list(s, &runs), 0);
    for (size_t i = 0; i < 2; i++) {
        json_t *run = json_array_get(runs, i), *sums;
        bool first = strcmp(json_string_value(json_object_get(run, "id")), id[0]) == 0;
        assert_string_equal(json_string_value(json_object_get(run, "model")),
                            first ? "model-1" : "model-2");
        sums = json_object_get(json_object_get(run, "tasks"), "sums");
        assert_int_equal(json_integer_value(json_object_get(sums, "n")), first ? 3000 : 20);
        assert_string_equal(json_string_value(json_object_get(sums, "metric")), "acc");
        assert_int_equal(json_array_size(json_object_get(sums, "ci")), 2);
    }
    json_decref(runs);

    char *full;
    snprintf(prefix, sizeof prefix, "%.6s", id[0]);
    assert_int_equal(eval_store_find(s, prefix, &full), 0);
    assert_string_equal(full, id[0]);
    base_free(full);
    assert_int_equal(eval_store_find(s, "", &full), BASE_E_ARGUMENT);
    says("several runs");
    assert_int_equal(eval_store_find(s, "000000000000f", &full), BASE_E_ARGUMENT);
    says("no run of that id");
    struct eval_column c;
    assert_int_equal(eval_store_column(s, id[0], "sums", "f1", &c), BASE_E_ARGUMENT);
    says("acc,none score,none");
    assert_int_equal(eval_store_delete(s, "ffffffffffff"), BASE_E_ARGUMENT);
    assert_int_equal(eval_store_delete(s, id[0]), 0);
    /* nothing of it is left in any table */
    const struct store_value value = store_text(id[0]);
    static const char *const tables[] = { "assay_task", "assay_metric", "assay_column",
                                          "assay_sample" };
    for (size_t i = 0; i < 4; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT 1 FROM %s WHERE run = $1", tables[i]);
        int found = 0;
        assert_int_equal(store_query(s, sql, &value, 1, count_row, &found), 0);
        assert_int_equal(found, 0);
    }
    eval_store_close(s);
    assert_int_equal(count_runs(store), 1);
    add_run(store, one, 0);
    check_same(one, id[0], store);
    run_remove(one);
    run_remove(two);
}

/* Two processes, each adding runs to a store that neither has made yet: all are there in the end.
 */
static void check_two_processes(const char *store, size_t before)
{
    enum { EACH = 4 };
    char directories[2 * EACH + 1][256];
    for (size_t i = 0; i <= 2 * EACH; i++) {
        snprintf(directories[i], sizeof directories[i], "%s", test_temporary_path("-run"));
        run_make(directories[i], (unsigned)i, 200, NULL);
    }
    pid_t children[2];
    for (size_t k = 0; k < 2; k++) {
        children[k] = fork();
        assert_true(children[k] >= 0);
        if (children[k] == 0) {
            int failed = 0;
            for (size_t i = 0; i <= EACH; i++) { /* the last run is added by both */
                struct eval_store *s = NULL;
                struct eval_run *r = NULL;
                const char *directory = directories[i == EACH ? 2 * EACH : k * EACH + i];
                if (eval_store_open(&s, store, EVAL_STORE_WRITE) ||
                    eval_run_open(&r, directory, store) || eval_store_add(s, r) < 0) {
                    fprintf(stderr, "process %zu: %s\n", k, base_error_message());
                    failed = 1;
                }
                eval_run_close(r);
                eval_store_close(s);
            }
            _exit(failed);
        }
    }
    for (size_t k = 0; k < 2; k++) {
        int status = -1;
        waitpid(children[k], &status, 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(count_runs(store), before + 2 * EACH + 1);
    for (size_t i = 0; i <= 2 * EACH; i++)
        run_remove(directories[i]);
}

static void test_sqlite(void **state)
{
    (void)state;
    char directory[256], store[300];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-store"));
    snprintf(store, sizeof store, "%s/deeper/store.sqlite", directory);
    struct eval_store *s;
    assert_int_equal(eval_store_open(&s, store, EVAL_STORE_READ), BASE_E_IO);
    says("no store yet");
    check_store(store);
    run_remove(directory);
}

static void test_two_processes(void **state)
{
    (void)state;
    char directory[256], store[300];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-store"));
    snprintf(store, sizeof store, "%s/store.sqlite", directory);
    check_two_processes(store, 0);
    run_remove(directory);
}

static void test_default_place(void **state)
{
    (void)state;
    unsetenv("ASSAY_STORE");
    setenv("XDG_DATA_HOME", "/data", 1);
    setenv("HOME", "/home/x", 1);
    char *path = eval_store_default();
    assert_string_equal(path, "/data/assay/store.sqlite");
    base_free(path);
    setenv("XDG_DATA_HOME", "relative", 1); /* the XDG specification: ignored */
    path = eval_store_default();
    assert_string_equal(path, "/home/x/.local/share/assay/store.sqlite");
    base_free(path);
    setenv("ASSAY_STORE", "/other.sqlite", 1);
    path = eval_store_default();
    assert_string_equal(path, "/other.sqlite");
    base_free(path);
    unsetenv("ASSAY_STORE");
    unsetenv("XDG_DATA_HOME");
    unsetenv("HOME");
    assert_null(eval_store_default());
    says("--store FILE");
}

static void test_locked_store(void **state)
{
    (void)state;
    char directory[256], store[300], run[300];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-store"));
    snprintf(store, sizeof store, "%s/store.sqlite", directory);
    snprintf(run, sizeof run, "%s/run", directory);
    run_make(run, 1, 10, NULL);
    struct eval_store *a = open_store(store, EVAL_STORE_WRITE);
    struct eval_store *b = open_store(store, EVAL_STORE_WRITE);
    struct eval_run *r = open_run(run, store);
    assert_int_equal(store_run(a, "BEGIN IMMEDIATE", NULL, 0), 0);
    assert_int_equal(store_wait(b, 50), 0);
    assert_int_equal(eval_store_add(b, r), BASE_E_IO);
    says("locked by another process");
    assert_int_equal(count_runs(store), 0); /* reading goes on */
    assert_int_equal(store_run(a, "COMMIT", NULL, 0), 0);
    assert_int_equal(eval_store_add(b, r), 0);
    eval_run_close(r);
    eval_store_close(a);
    eval_store_close(b);
    run_remove(directory);
}

static void test_full_store(void **state)
{
    (void)state;
    char directory[256], store[300], run[300];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-store"));
    snprintf(store, sizeof store, "%s/store.sqlite", directory);
    snprintf(run, sizeof run, "%s/run", directory);
    run_make(run, 1, 2000, NULL);
    struct eval_store *s = open_store(store, EVAL_STORE_WRITE);
    struct eval_run *r = open_run(run, store);
    assert_int_equal(store_run(s, "PRAGMA max_page_count = 20", NULL, 0), 0);
    assert_int_equal(eval_store_add(s, r), BASE_E_IO);
    says("disk is full");
    assert_int_equal(count_runs(store), 0);
    assert_int_equal(store_run(s, "PRAGMA max_page_count = 100000", NULL, 0), 0);
    assert_int_equal(eval_store_add(s, r), 0);
    eval_run_close(r);
    eval_store_close(s);
    run_remove(directory);
}

static void test_store_of_a_newer_version(void **state)
{
    (void)state;
    const char *store = test_temporary_path(".sqlite");
    struct eval_store *s = open_store(store, EVAL_STORE_WRITE);
    assert_int_equal(store_run(s, "UPDATE assay_store SET value = '99'", NULL, 0), 0);
    eval_store_close(s);
    for (int mode = 0; mode < 2; mode++) {
        assert_int_equal(eval_store_open(&s, store, mode ? EVAL_STORE_WRITE : EVAL_STORE_READ),
                         BASE_E_UNSUPPORTED);
        says("version 99");
    }
    unlink(store);
}

static void test_files_that_are_no_store(void **state)
{
    (void)state;
    struct eval_store *s;
    const char *path = test_temporary_path(".sqlite");
    test_write_file(path,
                    "this is text, and long enough to look at: 100 bytes or so of it, as "
                    "SQLite reads a header",
                    90);
    assert_int_equal(eval_store_open(&s, path, EVAL_STORE_WRITE), BASE_E_FORMAT);
    says("no SQLite file");
    unlink(path);
    /* another program's database is left alone */
    struct eval_store foreign = { 0 };
    path = test_temporary_path(".sqlite");
    assert_int_equal(store_sqlite_open(&foreign, path, EVAL_STORE_WRITE), 0);
    assert_int_equal(store_run(&foreign, "CREATE TABLE bookmarks (url TEXT)", NULL, 0), 0);
    foreign.kind->close(&foreign);
    base_free(foreign.name);
    assert_int_equal(eval_store_open(&s, path, EVAL_STORE_WRITE), BASE_E_FORMAT);
    says("another program's tables");
    unlink(path);
    assert_int_equal(eval_store_open(&s, "/tmp", EVAL_STORE_WRITE), BASE_E_IO);
    says("directory");
    path = test_temporary_path(".sqlite");
    test_write_file(path, "", 0); /* an empty file is an empty database */
    assert_int_equal(eval_store_open(&s, path, EVAL_STORE_READ), BASE_E_FORMAT);
    says("holds no runs yet");
    assert_int_equal(eval_store_open(&s, path, EVAL_STORE_WRITE), 0);
    eval_store_close(s);
    unlink(path);
}

/* Whatever bytes of the file are overwritten: an error or the right answer, never a crash. */
static void test_damaged_store(void **state)
{
    (void)state;
    char directory[256], store[300], run[300], id[16];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-store"));
    snprintf(store, sizeof store, "%s/store.sqlite", directory);
    snprintf(run, sizeof run, "%s/run", directory);
    run_make(run, 1, 300, id);
    add_run(store, run, 0);
    char *bytes;
    size_t n;
    assert_int_equal(base_file_read(store, 0, &bytes, &n), 0);
    char *broken = malloc(n);
    size_t errors = 0, rounds = 0;
    for (size_t page = 0; page < n / 4096; page++, rounds++) {
        memcpy(broken, bytes, n);
        for (size_t i = 0; i < 4096; i += 3)
            broken[page * 4096 + i] = (char)(i * 37 + page);
        test_write_file(store, broken, n);
        struct eval_run *r = NULL;
        struct eval_column c = { 0 };
        struct eval_samples *samples = NULL;
        json_t *sample;
        int rc = eval_run_open(&r, id, store);
        if (rc == 0)
            rc = eval_run_column(r, "sums", "acc", &c);
        for (size_t i = 0; i < c.n; i++)
            assert_float_equal(c.value[i], run_right(1, c.doc[i]), 0);
        if (rc == 0)
            rc = eval_samples_open(&samples, r, "sums");
        while (rc == 0 && (rc = eval_samples_next(samples, &sample)) > 0) {
            json_decref(sample);
            rc = 0;
        }
        errors += rc < 0;
        eval_column_free(&c);
        eval_samples_close(samples);
        eval_run_close(r);
    }
    assert_true(rounds > 5);
    assert_true(errors * 2 > rounds); /* some pages hold what was not asked for */
    free(broken);
    base_free(bytes);
    run_remove(directory);
}

static void test_store_survives_failed_allocations(void **state)
{
    (void)state;
    char directory[256], store[300], run[300], id[16];
    snprintf(directory, sizeof directory, "%s", test_temporary_path("-store"));
    snprintf(store, sizeof store, "%s/store.sqlite", directory);
    snprintf(run, sizeof run, "%s/run", directory);
    run_make(run, 1, 6, id);
    struct eval_run *source = open_run(run, store);
    struct eval_store *s = open_store(store, EVAL_STORE_WRITE);
    long live = base_alloc_live();
    int rc = BASE_E_MEMORY;
    for (long n = 1; rc && n < 5000; n++) {
        base_alloc_fail_after(n);
        rc = eval_store_add(s, source);
        base_alloc_fail_after(0);
        assert_int_equal(base_alloc_live(), live);
        if (rc)
            assert_int_equal(rc, BASE_E_MEMORY);
    }
    assert_int_equal(rc, 0);
    eval_store_close(s);
    eval_run_close(source);
    live = base_alloc_live();
    rc = BASE_E_MEMORY;
    for (long n = 1; rc && n < 5000; n++) {
        struct eval_run *r;
        struct eval_column c = { 0 };
        json_t *runs = NULL;
        base_alloc_fail_after(n);
        if ((rc = eval_run_open(&r, id, store)) == 0) {
            rc = eval_run_column(r, "words", "word_perplexity", &c);
            if (rc == 0)
                rc = eval_store_list(r->store, &runs);
            json_decref(runs);
            eval_column_free(&c);
            eval_run_close(r);
        }
        base_alloc_fail_after(0);
        assert_int_equal(base_alloc_live(), live);
        if (rc)
            assert_int_equal(rc, BASE_E_MEMORY);
    }
    assert_int_equal(rc, 0);
    run_remove(directory);
}

static void test_postgres(void **state)
{
    (void)state;
    struct postgres_server server;
    if (!postgres_start(&server))
        skip();
    struct eval_store *a, *b;
    /* the socket is there a moment before the server takes connections */
    for (int i = 0; eval_store_open(&a, server.url, EVAL_STORE_WRITE) && i < 300; i++)
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    eval_store_close(a);
    check_store(server.url);
    check_two_processes(server.url, 2);
    a = open_store(server.url, EVAL_STORE_WRITE);
    b = open_store(server.url, EVAL_STORE_WRITE);
    /* locked */
    char run[256];
    snprintf(run, sizeof run, "%s", test_temporary_path("-run"));
    run_make(run, 1, 10, NULL);
    struct eval_run *r = open_run(run, server.url);
    assert_int_equal(store_run(a, a->kind->begin, NULL, 0), 0);
    assert_int_equal(store_run(a, a->kind->lock, NULL, 0), 0);
    assert_int_equal(store_wait(b, 50), 0);
    assert_int_equal(eval_store_add(b, r), BASE_E_IO);
    says("locked by another process");
    assert_int_equal(store_run(a, "COMMIT", NULL, 0), 0);
    assert_int_equal(eval_store_add(b, r), 0);
    /* newer */
    assert_int_equal(store_run(a, "UPDATE assay_store SET value = '99'", NULL, 0), 0);
    struct eval_store *c;
    assert_int_equal(eval_store_open(&c, server.url, EVAL_STORE_WRITE), BASE_E_UNSUPPORTED);
    says("version 99");
    eval_store_close(a);
    eval_run_close(r);
    /* gone: an error, not a crash; no password in it */
    postgres_stop(&server);
    json_t *runs;
    assert_int_equal(eval_store_list(b, &runs), BASE_E_IO);
    eval_store_close(b);
    assert_int_equal(
        eval_store_open(&c, "postgresql://me:secret@/x?host=/nonexistent", EVAL_STORE_WRITE),
        BASE_E_IO);
    says("postgresql://me@/x");
    assert_null(strstr(base_error_message(), "secret"));
    run_remove(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_place),
        cmocka_unit_test(test_sqlite),
        cmocka_unit_test(test_two_processes),
        cmocka_unit_test(test_locked_store),
        cmocka_unit_test(test_full_store),
        cmocka_unit_test(test_store_of_a_newer_version),
        cmocka_unit_test(test_files_that_are_no_store),
        cmocka_unit_test(test_damaged_store),
        cmocka_unit_test(test_store_survives_failed_allocations),
        cmocka_unit_test(test_postgres),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
