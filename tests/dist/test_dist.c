/* Ranks: one alone, and several under mpirun (the program starts itself again). Under ASan leaks
 * are not looked for there: Open MPI keeps what it made until the process ends. */
#include "dist/dist.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

/* What every rank of `ranks` does; 0 when all is as it should be. */
static int work(void)
{
    if (dist_start())
        return 10;
    int rank = dist_rank(), size = dist_size(), rc = 0;
    const char *expected = getenv("TEST_RANKS");
    if (!expected || size != atoi(expected))
        rc = 11;
    char word[16] = "";
    if (rank == 0)
        strcpy(word, "from rank 0");
    if (dist_broadcast(word, sizeof word) || strcmp(word, "from rank 0"))
        rc = 12;
    /* different lengths, one of them 0, in the order of ranks, twice */
    struct base_buffer all = { 0 };
    char own[8];
    memset(own, 'a' + rank, sizeof own);
    for (int round = 0; round < 2; round++)
        if (dist_gather(own, (size_t)rank * 2, &all))
            rc = 13;
    if (rank == 0 && (size != 3 || all.length != 12 || memcmp(all.data, "bbccccbbcccc", 12)))
        rc = 14;
    base_buffer_free(&all);
    if (dist_agree(0))
        rc = 15;
    int outcome = dist_agree(rank == 0 ? 0 : base_error_set(BASE_E_IO, "disk %d full", rank));
    if (outcome != BASE_E_IO || strcmp(base_error_message(), "rank 1: disk 1 full"))
        rc = 16;
    dist_stop();
    return rc;
}

static void alone(void **state)
{
    (void)state;
    char data[4] = "abc";
    struct base_buffer all = { 0 };
    assert_int_equal(dist_start(), 0);
    assert_int_equal(dist_rank(), 0);
    assert_int_equal(dist_size(), 1);
    assert_int_equal(dist_broadcast(data, sizeof data), 0);
    assert_int_equal(dist_gather(data, 3, &all), 0);
    assert_memory_equal(all.data, "abc", 3);
    assert_int_equal(dist_agree(0), 0);
    assert_int_equal(dist_agree(base_error_set(BASE_E_LIMIT, "full")), BASE_E_LIMIT);
    assert_string_equal(base_error_message(), "full");
    base_buffer_free(&all);
    dist_stop();
}

static char program[1024];

static void three(void **state)
{
    (void)state;
    if (access("/usr/bin/mpirun", X_OK) != 0) {
        printf("skip: %s needs mpirun\n", __func__);
        skip();
    }
    char command[2048];
    snprintf(command, sizeof command,
             "TEST_RANKS=3 ASAN_OPTIONS=detect_leaks=0 mpirun --allow-run-as-root --oversubscribe "
             "-n 3 %s ranks 2>&1",
             program);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "ranks") == 0)
        return work();
    snprintf(program, sizeof program, "%s", argv[0]);
    const struct CMUnitTest tests[] = { cmocka_unit_test(alone), cmocka_unit_test(three) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
