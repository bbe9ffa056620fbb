/* Files: reading, mapping, and writing that leaves the old file whole whatever fails. */
#include "base/file.h"
#include "base/memory.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[] = "/tmp/assay-file-XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static size_t entries(const char *path)
{
    size_t n = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d)) {
        n++;
    }
    closedir(d);
    return n - 2;
}

static int remove_directory(void **state)
{
    (void)state;
    return entries(directory) == 0 ? rmdir(directory)
                                   : -1; /* a test that leaves a file fails here */
}

static void assert_holds(const char *path, const char *expected)
{
    char *data;
    size_t n;
    assert_int_equal(base_file_read(path, 0, &data, &n), 0);
    assert_int_equal(n, strlen(expected));
    assert_string_equal(data, expected);
    base_free(data);
}

static void write_and_read_back(void **state)
{
    (void)state;
    long live = base_alloc_live();
    char *path = base_path_join(directory, "a");
    assert_int_equal(base_file_write(path, "one", 3), 0);
    assert_holds(path, "one");
    chmod(path, 0640);
    assert_int_equal(base_file_write(path, "", 0), 0);
    assert_holds(path, "");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640); /* replacing keeps the mode */
    assert_int_equal(entries(directory), 1);
    unlink(path);
    base_free(path);
    assert_int_equal(base_alloc_live(), live);
}

static void abort_keeps_the_old_file(void **state)
{
    (void)state;
    char *path = base_path_join(directory, "a");
    assert_int_equal(base_file_write(path, "old", 3), 0);
    struct base_writer w;
    assert_int_equal(base_writer_open(&w, path), 0);
    assert_int_equal(base_writer_write(&w, "new", 3), 0);
    assert_holds(path, "old");
    base_writer_abort(&w);
    base_writer_abort(&w);
    assert_holds(path, "old");
    assert_int_equal(entries(directory), 1);
    unlink(path);
    base_free(path);
}

static void link_is_written_through(void **state)
{
    (void)state;
    char *path = base_path_join(directory, "real"), *link = base_path_join(directory, "link");
    assert_int_equal(base_file_write(path, "old", 3), 0);
    assert_int_equal(symlink("real", link), 0);
    assert_int_equal(base_file_write(link, "new", 3), 0);
    assert_holds(path, "new");
    struct stat info;
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    unlink(link);
    unlink(path);
    base_free(path);
    base_free(link);
}

static void full_disk_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(base_file_write("/dev/full", "x", 1), BASE_E_IO);
    assert_non_null(strstr(base_error_message(), "/dev/full"));
    assert_non_null(strstr(base_error_message(), "No space left"));
    assert_int_equal(base_file_write("/dev/null", "x", 1), 0);
}

/* A limit on file size stands in for a disk that fills up half way. */
static void failing_half_way_keeps_the_old_file(void **state)
{
    (void)state;
    char *path = base_path_join(directory, "a");
    assert_int_equal(base_file_write(path, "old", 3), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 100000, 100000 });
        char *big = base_alloc_zero(300000, 1);
        int rc = base_file_write(path, big, 300000);
        _exit(rc == BASE_E_IO && strstr(base_error_message(), path) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_holds(path, "old");
    assert_int_equal(entries(directory), 1);
    unlink(path);
    base_free(path);
}

static void impossible_places(void **state)
{
    (void)state;
    assert_int_equal(base_file_write(directory, "x", 1), BASE_E_IO);
    assert_non_null(strstr(base_error_message(), "directory"));
    assert_int_equal(base_file_write("/nonexistent/x", "x", 1), BASE_E_IO);
    char *data;
    size_t n;
    assert_int_equal(base_file_read(directory, 0, &data, &n), BASE_E_IO);
    assert_non_null(strstr(base_error_message(), "directory"));
    assert_int_equal(base_file_read("/nonexistent", 0, &data, &n), BASE_E_IO);
    assert_non_null(strstr(base_error_message(), "/nonexistent: cannot open: No such file"));
    struct base_map m;
    assert_int_equal(base_map_open(&m, directory), BASE_E_IO);
    assert_int_equal(base_map_open(&m, "/dev/null"), BASE_E_IO);
    assert_int_equal(base_map_open(&m, "/nonexistent"), BASE_E_IO);
    base_map_close(&m); /* harmless after a failure */
}

static void maps(void **state)
{
    (void)state;
    long live = base_alloc_live();
    char *path = base_path_join(directory, "a"), *bytes = base_alloc(3, 5000);
    for (size_t i = 0; i < 15000; i++) {
        bytes[i] = (char)(i * 7);
    }
    assert_int_equal(base_file_write(path, bytes, 15000), 0);
    struct base_map m;
    assert_int_equal(base_map_open(&m, path), 0);
    assert_int_equal(m.bytes, 15000);
    assert_memory_equal(m.data, bytes, 15000);
    base_map_drop(&m, m.data + 1, 14000);
    base_map_drop(&m, m.data, 15000);
    assert_memory_equal(m.data, bytes, 15000);
    base_map_close(&m);
    assert_int_equal(base_file_write(path, "", 0), 0);
    assert_int_equal(base_map_open(&m, path), 0);
    assert_null(m.data);
    assert_int_equal(m.bytes, 0);
    base_map_close(&m);
    unlink(path);
    base_free(path);
    base_free(bytes);
    assert_int_equal(base_alloc_live(), live);
}

static void read_limit_and_standard_input(void **state)
{
    (void)state;
    char *path = base_path_join(directory, "a"), *data;
    size_t n;
    char *big = base_alloc_zero(200000, 1);
    memset(big, 'x', 200000);
    assert_int_equal(base_file_write(path, big, 200000), 0);
    assert_int_equal(base_file_read(path, 200000, &data, &n), 0);
    base_free(data);
    assert_int_equal(base_file_read(path, 199999, &data, &n), BASE_E_LIMIT);
    int saved = dup(0), ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        for (size_t i = 0; i < 200000;) {
            ssize_t k = write(ends[1], big + i, 200000 - i);
            i += k > 0 ? (size_t)k : 0;
        }
        _exit(0);
    }
    close(ends[1]);
    dup2(ends[0], 0);
    close(ends[0]);
    assert_int_equal(base_file_read("-", 0, &data, &n), 0);
    assert_int_equal(n, 200000);
    assert_memory_equal(data, big, n);
    dup2(saved, 0);
    close(saved);
    waitpid(child, NULL, 0);
    base_free(data);
    base_free(big);
    unlink(path);
    base_free(path);
}

static void paths_and_directories(void **state)
{
    (void)state;
    assert_string_equal(base_path_name("/a/b.c"), "b.c");
    assert_string_equal(base_path_name("b.c"), "b.c");
    char *a = base_path_join("x/", "y"), *b = base_path_join("x", "y");
    assert_string_equal(a, "x/y");
    assert_string_equal(b, "x/y");
    base_free(a);
    base_free(b);
    char *deep = base_path_join(directory, "p//q/r/"), *file = base_path_join(directory, "f");
    assert_int_equal(base_file_make_directories(deep), 0);
    assert_int_equal(base_file_make_directories(deep), 0);
    assert_true(base_file_is_directory(deep));
    assert_int_equal(base_file_write(file, "", 0), 0);
    assert_true(base_file_exists(file) && !base_file_is_directory(file));
    char *under = base_path_join(file, "x");
    assert_int_equal(base_file_make_directories(under), BASE_E_IO);
    assert_int_equal(base_file_make_directories(file), BASE_E_IO);
    unlink(file);
    for (const char *const *d = (const char *const[]){ "p/q/r", "p/q", "p", NULL }; *d; d++) {
        char *path = base_path_join(directory, *d);
        rmdir(path);
        base_free(path);
    }
    base_free(deep);
    base_free(file);
    base_free(under);
}

static void failed_allocations(void **state)
{
    (void)state;
    char *path = base_path_join(directory, "a");
    long live = base_alloc_live();
    for (long n = 1; n < 12; n++) {
        base_alloc_fail_after(n);
        int rc = base_file_write(path, "x", 1);
        base_alloc_fail_after(0);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        assert_int_equal(base_alloc_live(), live);
        base_alloc_fail_after(n);
        char *data;
        rc = base_file_read("/proc/self/maps", 0, &data, NULL);
        base_alloc_fail_after(0);
        if (!rc) {
            base_free(data);
        }
        assert_int_equal(base_alloc_live(), live);
    }
    unlink(path);
    assert_int_equal(entries(directory), 0);
    base_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_and_read_back),
        cmocka_unit_test(abort_keeps_the_old_file),
        cmocka_unit_test(link_is_written_through),
        cmocka_unit_test(full_disk_is_an_error),
        cmocka_unit_test(failing_half_way_keeps_the_old_file),
        cmocka_unit_test(impossible_places),
        cmocka_unit_test(maps),
        cmocka_unit_test(read_limit_and_standard_input),
        cmocka_unit_test(paths_and_directories),
        cmocka_unit_test(failed_allocations),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
