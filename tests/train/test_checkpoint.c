/* Checkpoints: what is written comes back to the bit; damaged and half-written ones are recognised.
 */
#include "base/file.h"
#include "base/memory.h"
#include "train/checkpoint.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "support.h"

enum { A = 12, B = 5 };
struct fixture {
    real a[A], b[B];
    struct model_parameter list[2], *at[2];
    struct train_optimiser *optimiser;
    struct train_state state;
    char directory[512];
};
static struct fixture make(uint64_t step)
{
    struct fixture f = { 0 };
    for (int i = 0; i < A; i++)
        f.a[i] = (real)sin((double)step + i);
    for (int i = 0; i < B; i++)
        f.b[i] = (real)cos((double)step + i);
    f.state =
        (struct train_state){ .step = step, .epoch = 3, .row = 17, .tokens = 999, .loss = 0.1 };
    memset(f.state.data_key, 'a', BASE_SHA256_HEX - 1);
    f.state.recipe = json_pack("{s:f}", "optimiser.lr", 0.1);
    snprintf(f.directory, sizeof f.directory, "%s", test_temporary_path("-checkpoints"));
    return f;
}
static void bind(struct fixture *f)
{
    f->list[0] =
        (struct model_parameter){ .name = "blocks.0.w", .value = f->a, .rows = 3, .columns = 4 };
    f->list[1] = (struct model_parameter){ .name = "bias", .value = f->b, .rows = 1, .columns = B };
    f->at[0] = &f->list[0];
    f->at[1] = &f->list[1];
    assert_int_equal(train_optimiser_new(&f->optimiser, f->at, 2, 0.9, 0.999, 1e-8, 0), 0);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < f->at[k]->rows * f->at[k]->columns; i++) {
            f->optimiser->m[f->optimiser->offset[k] + i] = (real)(0.001 * (double)(i + 1));
            f->optimiser->v[f->optimiser->offset[k] + i] = (real)(1e-9 * (double)(i + 1));
        }
}
static void done(struct fixture *f)
{
    train_optimiser_free(f->optimiser);
    train_state_free(&f->state);
    char *const argv[] = { "/bin/rm", "-rf", f->directory, NULL };
    struct test_run r = test_spawn(argv, NULL);
    test_run_free(&r);
}
static void roundtrip(void **unused)
{
    (void)unused;
    struct fixture f = make(42), g = make(7);
    bind(&f);
    bind(&g);
    memset(g.optimiser->m, 0, g.optimiser->elements * sizeof(real));
    char path[4096], found[4096];
    assert_int_equal(train_checkpoint_save(f.directory, &f.state, f.optimiser, 2, path), 0);
    assert_int_equal(train_checkpoint_find(f.directory, found), 0);
    assert_string_equal(path, found);
    assert_non_null(strstr(path, "/step-0000000042"));
    assert_int_equal(train_checkpoint_load(found, g.optimiser), 0);
    assert_memory_equal(f.a, g.a, sizeof f.a);
    assert_memory_equal(f.b, g.b, sizeof f.b);
    assert_memory_equal(f.optimiser->m, g.optimiser->m, f.optimiser->elements * sizeof(real));
    assert_memory_equal(f.optimiser->v, g.optimiser->v, f.optimiser->elements * sizeof(real));
    struct train_state s;
    assert_int_equal(train_checkpoint_state(found, &s), 0);
    assert_int_equal(s.step, 42);
    assert_int_equal(s.epoch, 3);
    assert_int_equal(s.row, 17);
    assert_int_equal(s.tokens, 999);
    assert_true(s.loss == 0.1);
    assert_true(json_equal(s.recipe, f.state.recipe));
    assert_string_equal(s.data_key, f.state.data_key);
    train_state_free(&s);
    /* the same step again takes the old one's place */
    f.a[0] = 77;
    assert_int_equal(train_checkpoint_save(f.directory, &f.state, f.optimiser, 2, path), 0);
    assert_int_equal(train_checkpoint_load(path, g.optimiser), 0);
    assert_true(g.a[0] == 77);
    done(&f);
    done(&g);
}
static void keeps_the_newest(void **unused)
{
    (void)unused;
    struct fixture f = make(1);
    bind(&f);
    char name[1024], found[4096];
    for (uint64_t step = 8; step <= 12; step++) {
        f.state.step = step;
        assert_int_equal(train_checkpoint_save(f.directory, &f.state, f.optimiser, 2, NULL), 0);
    }
    for (int step = 8; step <= 12; step++) {
        snprintf(name, sizeof name, "%s/step-%010d", f.directory, step);
        assert_int_equal(base_file_is_directory(name), step >= 11);
    }
    assert_int_equal(train_checkpoint_find(f.directory, found), 0);
    assert_non_null(strstr(found, "step-0000000012"));
    done(&f);
}
static void edit(const char *directory, const char *name, long at, int bytes_off)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    if (bytes_off) {
        assert_int_equal(truncate(path, st.st_size - bytes_off), 0);
        return;
    }
    FILE *f = fopen(path, "r+b");
    fseek(f, at < 0 ? st.st_size + at : at, SEEK_SET);
    int c = fgetc(f);
    fseek(f, -1, SEEK_CUR);
    fputc(c ^ 1, f);
    fclose(f);
}
static void damage_is_recognised(void **unused)
{
    (void)unused;
    struct fixture f = make(1);
    bind(&f);
    char path[4][4096], found[4096], leftover[1024];
    f.state.step = 0;
    assert_int_equal(train_checkpoint_find(f.directory, found), 0);
    assert_string_equal(found, "");
    for (int i = 0; i < 4; i++) {
        f.state.step = (uint64_t)i + 1;
        assert_int_equal(train_checkpoint_save(f.directory, &f.state, f.optimiser, 9, path[i]), 0);
    }
    /* what a killed writer leaves is not a checkpoint and is swept away */
    snprintf(leftover, sizeof leftover, "%s/.writing-step-0000000099", f.directory);
    assert_int_equal(mkdir(leftover, 0755), 0);
    train_checkpoint_sweep(f.directory);
    assert_false(base_file_is_directory(leftover));
    /* one flipped bit in a moment; a file cut short; no state.json; state.json cut short */
    edit(path[3], "moments.safetensors", -3, 0);
    assert_int_equal(train_checkpoint_verify(path[3]), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "sha256"));
    assert_int_equal(train_checkpoint_find(f.directory, found), 0);
    assert_string_equal(found, path[2]);
    edit(path[2], "weights.safetensors", 0, 4);
    assert_int_equal(train_checkpoint_verify(path[2]), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "bytes"));
    assert_int_equal(train_checkpoint_find(f.directory, found), 0);
    assert_string_equal(found, path[1]);
    edit(path[1], "state.json", 0, 10);
    assert_int_equal(train_checkpoint_find(f.directory, found), 0);
    assert_string_equal(found, path[0]);
    char state[4200];
    snprintf(state, sizeof state, "%s/state.json", path[0]);
    unlink(state);
    assert_int_equal(train_checkpoint_find(f.directory, found), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "no whole checkpoint"));
    done(&f);
}
static void another_model_is_refused(void **unused)
{
    (void)unused;
    struct fixture f = make(1), g = make(1);
    bind(&f);
    bind(&g);
    char path[4096];
    assert_int_equal(train_checkpoint_save(f.directory, &f.state, f.optimiser, 1, path), 0);
    g.list[0].rows = 4;
    g.list[0].columns = 3;
    assert_int_equal(train_checkpoint_load(path, g.optimiser), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "blocks.0.w"));
    assert_non_null(strstr(base_error_message(), "[4, 3]"));
    g.list[0].rows = 3;
    g.list[0].columns = 4;
    g.list[1].name = "other";
    assert_int_equal(train_checkpoint_load(path, g.optimiser), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "other is missing"));
    done(&f);
    done(&g);
}
static void allocation_failures(void **unused)
{
    (void)unused;
    struct fixture f = make(5);
    bind(&f);
    char path[4096];
    assert_int_equal(train_checkpoint_save(f.directory, &f.state, f.optimiser, 1, path), 0);
    for (long n = 1; n < 10000; n++) {
        long live = base_alloc_live();
        struct train_state s = { 0 };
        base_alloc_fail_after(n);
        int rc = train_checkpoint_save(f.directory, &f.state, f.optimiser, 1, path);
        if (!rc)
            rc = train_checkpoint_state(path, &s);
        if (!rc)
            rc = train_checkpoint_load(path, f.optimiser);
        base_alloc_fail_after(0);
        train_state_free(&s);
        assert_int_equal(base_alloc_live(), live);
        /* whatever failed, a whole checkpoint is there */
        assert_int_equal(train_checkpoint_find(f.directory, path), 0);
        if (!rc)
            break;
        /* jansson reports some failed allocations as bad JSON */
        if (rc != BASE_E_MEMORY && rc != BASE_E_FORMAT)
            fail_msg("allocation %ld: %d: %s", n, rc, base_error_message());
    }
    done(&f);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roundtrip),
        cmocka_unit_test(keeps_the_newest),
        cmocka_unit_test(damage_is_recognised),
        cmocka_unit_test(another_model_is_refused),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
