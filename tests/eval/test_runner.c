/* The runner by itself: a task and a backend played here, so that every answer is known. Groups,
 * journal, cache, a process that is killed, failures, ranks: always the same results. */
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/progress.h"
#include "dist/dist.h"
#include "eval/backend.h"
#include <assay/runner.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

/* ---- the task: items of one to four requests, every fifth one generates ---- */

enum { ITEMS = 50 };
struct eval_task {
    size_t next;
    int fail_at; /* item whose making fails, -1: none */
};
static char *stop[] = { NULL };
static struct eval_generation generation = { .until = stop, .max_tokens = 8, .repeats = 2 };

int eval_task_next(struct eval_task *t, struct eval_item *item)
{
    if (t->next == ITEMS)
        return 0;
    if ((int)t->next == t->fail_at)
        return base_error_set(BASE_E_FORMAT, "data.jsonl:%zu: broken", t->next + 1);
    item->doc_id = t->next;
    item->n_requests = t->next % 5 == 4 ? 1 : 1 + t->next % 4;
    item->requests = base_alloc_zero(item->n_requests, sizeof *item->requests);
    if (!item->requests)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < item->n_requests; i++) {
        struct eval_request *r = &item->requests[i];
        r->context = base_format("item %zu", t->next);
        if (t->next % 5 == 4) {
            r->kind = EVAL_REQUEST_GENERATE;
            r->generation = &generation;
        } else {
            r->continuation = base_format(" choice %zu", i);
        }
    }
    t->next++;
    return 1;
}

size_t eval_task_count(const struct eval_task *t)
{
    (void)t;
    return ITEMS;
}

void eval_item_clear(struct eval_item *item)
{
    for (size_t i = 0; item->requests && i < item->n_requests; i++) {
        base_free(item->requests[i].context);
        base_free(item->requests[i].continuation);
    }
    base_free(item->requests);
    memset(item, 0, sizeof *item);
}

int eval_task_judge(const struct eval_task *t, const struct eval_item *item,
                    const struct eval_response *responses, json_t **samples)
{
    (void)t;
    json_t *answers = json_array();
    for (size_t i = 0; i < item->n_requests; i++) {
        json_array_append_new(answers, json_real(responses[i].logprob));
        for (size_t k = 0; k < responses[i].n_texts; k++)
            json_array_append_new(answers, json_string(responses[i].texts[k]));
    }
    *samples = json_pack("[{s:I, s:o}]", "doc_id", (json_int_t)item->doc_id, "answers", answers);
    return 0;
}

struct eval_tally {
    json_t *all;
};
int eval_tally_new(struct eval_tally **out, const struct eval_task *t, double level, uint64_t seed)
{
    (void)t, (void)seed;
    assert_true(level == 0.95);
    *out = base_alloc_zero(1, sizeof **out);
    (*out)->all = json_array();
    return 0;
}
int eval_tally_add(struct eval_tally *y, const json_t *sample)
{
    return json_array_append(y->all, (json_t *)(uintptr_t)sample);
}
int eval_tally_finish(struct eval_tally *y, json_t **results)
{
    *results = json_incref(y->all);
    return 0;
}
void eval_tally_free(struct eval_tally *y)
{
    if (y)
        json_decref(y->all);
    base_free(y);
}

/* ---- the backend: an answer is a hash of its request ---- */

struct fake {
    struct eval_backend base;
    size_t asked, answered;
    size_t die_after;  /* answers before this process is killed; 0: never */
    size_t fail_after; /* answers before it fails; 0: never */
};

static int fake_ask(struct eval_backend *b, const struct eval_request *const *requests, size_t n,
                    struct eval_response *responses, eval_answered_fn *on_answered, void *context)
{
    struct fake *f = (struct fake *)b;
    f->asked += n;
    for (size_t k = 0; k < n; k++) {
        size_t i = n - 1 - k; /* in another order than asked */
        const struct eval_request *q = requests[i];
        struct eval_response *r = &responses[i];
        uint64_t hash = base_hash64(q->context, strlen(q->context), 1);
        if (q->continuation)
            hash ^= base_hash64(q->continuation, strlen(q->continuation), 2);
        r->logprob = -(double)hash / 3e18;
        r->tokens = hash % 7 + 1;
        if (q->kind == EVAL_REQUEST_GENERATE) {
            r->n_texts = 2;
            r->texts = base_alloc_zero(2, sizeof *r->texts);
            for (size_t j = 0; j < 2; j++) /* long, so that the journal is written out */
                r->texts[j] = base_format("%020zu %*s", (size_t)hash + j, 20000, "");
        }
        if (f->die_after && f->answered == f->die_after)
            kill(getpid(), SIGKILL);
        if (f->fail_after && f->answered == f->fail_after)
            return base_error_set(BASE_E_IO, "the endpoint is gone");
        f->answered++;
        int rc = on_answered(context, i, r);
        if (rc)
            return rc;
    }
    return 0;
}
static json_t *nothing(const struct eval_backend *b)
{
    (void)b;
    return json_object();
}
static void keep(struct eval_backend *b)
{
    (void)b;
}
static const struct eval_backend_class fake_class = { fake_ask, nothing, nothing, keep };

/* ---- runs ---- */

struct outcome {
    int rc;
    json_t *results, *counters;
};

static int in_order(void *context, const json_t *sample)
{
    size_t *next = context;
    assert_int_equal(json_integer_value(json_object_get(sample, "doc_id")), *next);
    ++*next;
    return 0;
}

static struct outcome run_with(struct fake *f, const struct eval_runner_options *o, int fail_at)
{
    struct outcome out = { 0 };
    struct eval_task t = { .fail_at = fail_at };
    struct eval_runner *r = NULL;
    size_t next = 0;
    f->base.class = &fake_class;
    strcpy(f->base.identity, "fake");
    out.rc = eval_runner_new(&r, &f->base, o);
    if (out.rc == 0)
        out.rc = eval_runner_run(r, &t, "fake", in_order, &next, &out.results);
    if (r)
        out.counters = eval_runner_counters(r);
    if (out.rc == 0 && dist_rank() == 0)
        assert_int_equal(next, ITEMS);
    eval_runner_free(r);
    return out;
}

static long counter(const struct outcome *o, const char *name)
{
    return (long)json_integer_value(json_object_get(o->counters, name));
}

static void done(struct outcome *o)
{
    json_decref(o->results);
    json_decref(o->counters);
}

static void remove_directory(const char *path)
{
    DIR *d = opendir(path);
    char name[900];
    for (const struct dirent *e; d && (e = readdir(d));) {
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        unlink(name);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static struct outcome plain(void)
{
    struct fake f = { 0 };
    struct eval_runner_options o = { 0 };
    struct outcome out = run_with(&f, &o, -1);
    assert_int_equal(out.rc, 0);
    return out;
}

static void groups(void **state)
{
    (void)state;
    struct outcome first = plain();
    long requests = counter(&first, "requests");
    assert_int_equal(json_array_size(first.results), ITEMS);
    assert_int_equal(counter(&first, "items"), ITEMS);
    assert_int_equal(counter(&first, "asked"), requests);
    for (size_t size = 1; size < 30; size += 7) {
        struct fake f = { 0 };
        struct eval_runner_options o = { .group = size };
        struct outcome again = run_with(&f, &o, -1);
        assert_int_equal(again.rc, 0);
        assert_true(json_equal(again.results, first.results));
        assert_int_equal(counter(&again, "requests"), requests);
        done(&again);
    }
    done(&first);
}

static void goes_on_after_a_kill(void **state)
{
    (void)state;
    struct outcome first = plain();
    long requests = counter(&first, "requests");
    for (size_t die = 1; die < (size_t)requests; die += 17) {
        const char *directory = test_temporary_path("");
        struct eval_runner_options o = { .directory = directory, .group = 40 };
        pid_t child = fork();
        if (child == 0) {
            struct fake f = { .die_after = die };
            run_with(&f, &o, -1);
            _exit(3);
        }
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        struct fake f = { 0 };
        struct outcome again = run_with(&f, &o, -1);
        assert_int_equal(again.rc, 0);
        assert_true(json_equal(again.results, first.results));
        assert_int_equal(counter(&again, "asked") + counter(&again, "from_journal"), requests);
        if (die > 80) /* the groups before are there whole */
            assert_true(counter(&again, "from_journal") >= 80);
        done(&again);
        /* and once more: nothing is left to ask */
        struct fake idle = { 0 };
        again = run_with(&idle, &o, -1);
        assert_int_equal(idle.asked, 0);
        assert_true(json_equal(again.results, first.results));
        done(&again);
        remove_directory(directory);
    }
    done(&first);
}

static void failures(void **state)
{
    (void)state;
    const char *directory = test_temporary_path("");
    struct eval_runner_options o = { .directory = directory };
    struct fake f = { .fail_after = 60 };
    struct outcome out = run_with(&f, &o, -1);
    assert_int_equal(out.rc, BASE_E_IO);
    assert_string_equal(base_error_message(), "the endpoint is gone");
    assert_null(out.results);
    done(&out);
    struct fake g = { 0 };
    out = run_with(&g, &o, 45);
    assert_int_equal(out.rc, BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "data.jsonl:46"));
    done(&out);
    struct fake h = { 0 };
    out = run_with(&h, &o, -1);
    assert_int_equal(out.rc, 0);
    assert_int_equal(counter(&out, "from_journal"), 60);
    struct outcome first = plain();
    assert_true(json_equal(out.results, first.results));
    done(&first);
    done(&out);
    remove_directory(directory);
}

static void cache(void **state)
{
    (void)state;
    const char *file = test_temporary_path(".cache"), *a = test_temporary_path(""),
               *b = test_temporary_path("");
    struct outcome first = plain();
    struct fake f = { 0 };
    struct eval_runner_options o = { .directory = a, .cache = file };
    struct outcome one = run_with(&f, &o, -1);
    o.directory = b;
    struct fake g = { 0 };
    struct outcome two = run_with(&g, &o, -1);
    assert_int_equal(g.asked, 0);
    assert_int_equal(counter(&two, "from_cache"), counter(&one, "requests"));
    assert_true(json_equal(one.results, first.results) && json_equal(two.results, first.results));
    done(&two);
    /* without the cache: the run's own journal has everything */
    o.cache = NULL;
    struct fake h = { 0 };
    two = run_with(&h, &o, -1);
    assert_int_equal(h.asked, 0);
    assert_true(json_equal(two.results, first.results));
    done(&two);
    done(&one);
    done(&first);
    remove_directory(a);
    remove_directory(b);
    unlink(file);
}

static char program[1024];

/* As a rank: results to a file, by rank 0. */
static int as_rank(const char *directory)
{
    struct fake f = { 0 };
    struct eval_runner_options o = { .directory = directory, .group = 20 };
    if (dist_start())
        return 10;
    struct outcome out = run_with(&f, &o, -1);
    int rc = out.rc ? 11 : 0;
    if (rc == 0 && dist_rank() == 0) {
        char path[900];
        snprintf(path, sizeof path, "%s/results.json", directory);
        json_t *both = json_pack("{s:O, s:O}", "results", out.results, "counters", out.counters);
        rc = json_dump_file(both, path, 0) ? 12 : 0;
        json_decref(both);
    } else if (rc == 0 && (out.results || f.asked == 0)) {
        rc = 13; /* judged elsewhere, or got nothing to do */
    }
    dist_stop();
    done(&out);
    return rc;
}

static void ranks(void **state)
{
    (void)state;
    if (access("/usr/bin/mpirun", X_OK) != 0) {
        printf("skip: %s needs mpirun\n", __func__);
        skip();
    }
    struct outcome first = plain();
    const char *directory = test_temporary_path("");
    for (int n = 3; n > 1; n--) { /* the second run finds the first one's journals */
        char command[2600], path[900];
        snprintf(command, sizeof command,
                 "ASAN_OPTIONS=detect_leaks=0 mpirun --allow-run-as-root "
                 "--oversubscribe -n %d %s rank %s 2>&1",
                 n, program, directory);
        snprintf(path, sizeof path, "%s/results.json", directory);
        if (n == 2) { /* but not all of them */
            char one[900];
            snprintf(one, sizeof one, "%s/answers.1.journal", directory);
            assert_int_equal(unlink(one), 0);
        }
        assert_int_equal(system(command), 0);
        json_t *both = json_load_file(path, 0, NULL);
        assert_true(json_equal(json_object_get(both, "results"), first.results));
        json_t *counters = json_object_get(both, "counters");
        long asked = (long)json_integer_value(json_object_get(counters, "asked")),
             kept = (long)json_integer_value(json_object_get(counters, "from_journal"));
        assert_int_equal(asked + kept, counter(&first, "requests"));
        assert_int_equal(json_integer_value(json_object_get(counters, "ranks")), n);
        assert_true(n == 3 ? kept == 0 : kept > 0 && asked > 0);
        json_decref(both);
    }
    remove_directory(directory);
    done(&first);
}

int main(int argc, char **argv)
{
    base_progress_quiet(true);
    if (argc > 2 && strcmp(argv[1], "rank") == 0)
        return as_rank(argv[2]);
    snprintf(program, sizeof program, "%s", argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups),   cmocka_unit_test(goes_on_after_a_kill),
        cmocka_unit_test(failures), cmocka_unit_test(cache),
        cmocka_unit_test(ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
