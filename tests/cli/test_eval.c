/* assay eval as scripts see it: the contract's keys, files of a run, a run that was killed and goes
 * on, ranks, strategies, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>
#include "support.h"

static const char *assay(void)
{
    const char *program = getenv("ASSAY_PROGRAM");
    return program && *program ? program : "./assay";
}

/* Runs a shell line; its standard output as JSON (NULL when that is none). */
static json_t *run(int *status, const char *format, ...) __attribute__((format(printf, 2, 3)));
static json_t *run(int *status, const char *format, ...)
{
    char line[4000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    json_t *out = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL);
    *status = pclose(f);
    *status = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128;
    return out;
}

static const json_t *at(const json_t *o, const char *a, const char *b, const char *c)
{
    o = json_object_get(o, a);
    o = b ? json_object_get(o, b) : o;
    return c ? json_object_get(o, c) : o;
}

static void remove_tree(const char *path)
{
    char line[1200];
    snprintf(line, sizeof line, "rm -rf '%s'", path);
    assert_int_equal(system(line), 0);
}

/* The whole samples file of a task, new string. */
static char *samples(const char *run_directory, const char *task)
{
    char line[1500], *text = malloc(4000000);
    snprintf(line, sizeof line, "cat '%s'/*/samples_%s_*.jsonl", run_directory, task);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, 3999999, f);
    text[n] = 0;
    assert_int_equal(pclose(f), 0);
    assert_true(n > 100);
    return text;
}

static void contract(void **state)
{
    (void)state;
    const char *dir = test_temporary_path("");
    int status;
    json_t *o =
        run(&status, "%s eval -m builtin:tiny -t facts,sums --limit 12 -o %s --store none --json",
            assay(), dir);
    assert_int_equal(status, 0);
    assert_non_null(json_string_value(json_object_get(o, "run")));
    const json_t *acc = at(o, "results", "facts", "acc");
    assert_true(json_is_number(json_object_get(acc, "value")) &&
                json_is_number(json_object_get(acc, "stderr")) &&
                json_array_size(json_object_get(acc, "ci")) == 2);
    assert_true(json_is_number(at(at(o, "results", "sums", "exact_match"), "value", NULL, NULL)));
    assert_int_equal(json_integer_value(at(o, "runner", "items", NULL)), 24);
    json_decref(o);
    char *lines = samples(dir, "facts");
    size_t n = 0;
    for (char *c = lines; *c; c++)
        n += *c == '\n';
    assert_int_equal(n, 12);
    json_t *first = json_loads(lines, JSON_DISABLE_EOF_CHECK, NULL);
    assert_int_equal(json_integer_value(json_object_get(first, "doc_id")), 0);
    assert_int_equal(strlen(json_string_value(json_object_get(first, "doc_hash"))), 64);
    json_decref(first);
    free(lines);
    /* the same command again: everything is there */
    o = run(&status, "%s eval -m builtin:tiny -t facts,sums --limit 12 -o %s --store none --json",
            assay(), dir);
    assert_int_equal(status, 0);
    assert_int_equal(json_integer_value(at(o, "runner", "asked", NULL)), 0);
    json_decref(o);
    remove_tree(dir);
}

/* The tokens that requests had, computed or shared. */
static json_int_t tokens(const json_t *o)
{
    return json_integer_value(at(o, "backend", "forward_tokens", NULL)) +
           json_integer_value(at(o, "backend", "shared_tokens", NULL));
}

static void same_for_all_ways(void **state)
{
    (void)state;
    static const char *const ways[] = { "", "--threads 1 --batch-tokens 1", "--batch-tokens 100000",
                                        "--threads 3 --compute f32" };
    json_t *first = NULL;
    json_int_t input = 0, requests = 0;
    int status;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        json_t *o = run(&status,
                        "%s eval -m builtin:tiny -t facts,sums,counting --limit 10 "
                        "--num-fewshot 2 --json %s",
                        assay(), ways[i]);
        assert_int_equal(status, 0);
        if (!first)
            first = json_incref(json_object_get(o, "results"));
        input = tokens(o);
        requests = json_integer_value(at(o, "backend", "requests", NULL));
        assert_true(json_equal(json_object_get(o, "results"), first));
        json_decref(o);
    }
    if (access("/usr/bin/mpirun", X_OK) == 0) {
        json_t *o = run(&status,
                        "ASAN_OPTIONS=detect_leaks=0 mpirun --allow-run-as-root "
                        "--oversubscribe -n 2 %s eval -m builtin:tiny "
                        "-t facts,sums,counting --limit 10 --num-fewshot 2 --json",
                        assay());
        assert_int_equal(status, 0);
        assert_true(json_equal(json_object_get(o, "results"), first));
        assert_int_equal(json_integer_value(at(o, "runner", "ranks", NULL)), 2);
        /* counters are those of both ranks */
        assert_int_equal(json_integer_value(at(o, "backend", "requests", NULL)), requests);
        assert_int_equal(json_integer_value(at(o, "runner", "asked", NULL)), requests);
        assert_int_equal(tokens(o), input);
        json_decref(o);
    }
    json_decref(first);
}

/* The number at {task: {key}} of "n-samples" in lm-eval's results file of a run. */
static json_int_t counted(const char *dir, const char *task, const char *key)
{
    char line[1500];
    snprintf(line, sizeof line, "cat '%s'/*/results_*.json", dir);
    FILE *f = popen(line, "r");
    json_t *file = json_loadf(f, 0, NULL);
    pclose(f);
    json_int_t n = json_integer_value(at(file, "n-samples", task, key));
    json_decref(file);
    return n;
}

/* --limit and --samples in both forms: which documents were asked, and how many there are. */
static void chosen_documents(void **state)
{
    (void)state;
    const char *dir = test_temporary_path("-chosen"), *file = test_temporary_path(".json");
    int status;
    json_t *o =
        run(&status, "%s eval -m builtin:tiny -t sums --limit 3 -o '%s' --store none --json",
            assay(), dir);
    assert_int_equal(status, 0);
    assert_int_equal(counted(dir, "sums", "effective"), 3);
    json_int_t all = counted(dir, "sums", "original");
    assert_true(all > 3);
    json_decref(o);
    remove_tree(dir);
    static const char text[] = "{\"sums\": [7, 2, 7], \"counting\": [5]}";
    test_write_file(file, text, sizeof text - 1);
    char quoted[200];
    snprintf(quoted, sizeof quoted, "'%s'", text);
    const char *const forms[2] = { quoted, file };
    for (int i = 0; i < 2; i++) {
        o = run(&status,
                "%s eval -m builtin:tiny -t sums,counting --samples %s -o '%s' --store none --json",
                assay(), forms[i], dir);
        assert_int_equal(status, 0);
        char *sums = samples(dir, "sums"), *counting = samples(dir, "counting");
        assert_true(strncmp(sums, "{\"doc_id\": 2,", 13) == 0);
        assert_non_null(strstr(sums, "\n{\"doc_id\": 7,"));
        assert_true(strncmp(counting, "{\"doc_id\": 5,", 13) == 0);
        assert_int_equal(counted(dir, "sums", "effective"), 2);
        assert_int_equal(counted(dir, "sums", "original"), all);
        free(sums);
        free(counting);
        json_decref(o);
        remove_tree(dir);
    }
}

static long journal_bytes(const char *dir)
{
    char path[900];
    struct stat info;
    snprintf(path, sizeof path, "%s/answers.0.journal", dir);
    return stat(path, &info) == 0 ? (long)info.st_size : 0;
}

static void killed(void **state)
{
    (void)state;
    const char *whole = test_temporary_path(""), *dir = test_temporary_path("");
    static const char *const tasks = "facts,sentiment,counting,translation";
    int status;
    json_t *first =
        run(&status, "%s eval -m builtin:tiny -t %s --limit 100 -o %s --store none --json", assay(),
            tasks, whole);
    assert_int_equal(status, 0);
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execl(assay(), "assay", "eval", "-m", "builtin:tiny", "-t", tasks, "--limit", "100", "-o",
              dir, "--store", "none", "--json", "--quiet", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 20000 && journal_bytes(dir) == 0; i++) {
        struct timespec t = { 0, 1000000 };
        nanosleep(&t, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    json_t *again =
        run(&status, "%s eval -m builtin:tiny -t %s --limit 100 -o %s --store none --json", assay(),
            tasks, dir);
    assert_int_equal(status, 0);
    assert_true(json_integer_value(at(again, "runner", "from_journal", NULL)) > 0);
    assert_true(json_equal(json_object_get(again, "results"), json_object_get(first, "results")));
    static const char *const names[] = { "facts", "sentiment", "counting", "translation" };
    for (size_t i = 0; i < 4; i++) {
        char *a = samples(whole, names[i]), *b = samples(dir, names[i]);
        assert_string_equal(a, b);
        free(a);
        free(b);
    }
    json_decref(first);
    json_decref(again);
    remove_tree(whole);
    remove_tree(dir);
}

static void strategies(void **state)
{
    (void)state;
    int status;
    const char *dir = test_temporary_path("-strategies"), *store = test_temporary_path(".sqlite");
    json_t *o = run(&status,
                    "%s eval -m builtin:tiny -t facts --limit 20 --strategies "
                    "instruction,cloze,icl -o '%s' --store '%s' --json",
                    assay(), dir, store);
    assert_int_equal(status, 0);
    assert_non_null(at(o, "results", "facts@cloze", "favoured"));
    const json_t *pairs = at(o, "strategies", "facts", NULL);
    assert_int_equal(json_array_size(pairs), 3);
    const json_t *p = json_array_get(pairs, 0);
    assert_string_equal(json_string_value(json_object_get(p, "a")), "instruction");
    assert_string_equal(json_string_value(json_object_get(p, "b")), "cloze");
    double difference =
        json_number_value(at(o, "results", "facts@cloze", "acc")
                              ? at(at(o, "results", "facts@cloze", "acc"), "value", NULL, NULL)
                              : NULL) -
        json_number_value(at(at(o, "results", "facts@instruction", "acc"), "value", NULL, NULL));
    double told = json_number_value(json_object_get(p, "difference"));
    assert_true(told - difference < 1e-12 && difference - told < 1e-12);
    assert_true(json_number_value(json_object_get(p, "p_adjusted")) >=
                json_number_value(json_object_get(p, "p")));
    assert_true(json_array_size(at(o, "cloze", "facts@cloze", NULL)) > 0);
    /* the run keeps them, in its files, on the page and through the store; rescored they are made
     * anew from the samples, and come out the same */
    json_t *record, *again;
    char path[1200], line[4000];
    snprintf(path, sizeof path, "%s/run.json", dir);
    record = json_load_file(path, 0, NULL);
    assert_true(
        json_equal(json_object_get(record, "strategies"), json_object_get(o, "strategies")));
    json_decref(record);
    snprintf(line, sizeof line,
             "%s report --store '%s' %s -o '%s/page.html' --no-draw >/dev/null && "
             "grep -q 'cloze \u2212 instruction' '%s/page.html'",
             assay(), store, json_string_value(json_object_get(o, "run")), dir, dir);
    assert_int_equal(system(line), 0);
    again = run(&status, "%s rescore '%s' -o '%s/again' --store none --json", assay(), dir, dir);
    assert_int_equal(status, 0);
    json_decref(again);
    snprintf(path, sizeof path, "%s/again/run.json", dir);
    record = json_load_file(path, 0, NULL);
    assert_true(
        json_equal(json_object_get(record, "strategies"), json_object_get(o, "strategies")));
    json_decref(record);
    json_decref(o);
    remove_tree(dir);
}

/* A task of a file goes by the name it has there; a model's path may begin with ".."; what was
 * written is read again, by the store too. */
static void names(void **state)
{
    (void)state;
    const char *dir = test_temporary_path("-names"), *file = test_temporary_path(".yaml"),
               *data = test_temporary_path(".jsonl"), *store = test_temporary_path(".sqlite");
    char yaml[2000], here[1000], model[1100];
    static const char line[] = "{\"q\": \"The capital of France is\", \"a\": \"Paris\"}\n";
    test_write_file(data, line, sizeof line - 1);
    snprintf(yaml, sizeof yaml,
             "task: mine\ndataset_path: json\ndataset_kwargs: {data_files: %s}\n"
             "test_split: train\noutput_type: multiple_choice\ndoc_to_text: '{{q}}'\n"
             "doc_to_choice: [Rome, Paris]\ndoc_to_target: '{{a}}'\n",
             data);
    test_write_file(file, yaml, strlen(yaml));
    assert_non_null(getcwd(here, sizeof here));
    snprintf(model, sizeof model, "..%s/models/tiny", strrchr(here, '/'));
    int status;
    json_t *o = run(&status, "%s eval -m %s -t %s -o %s --store %s --json", assay(), model, file,
                    dir, store);
    assert_int_equal(status, 0);
    const json_t *acc = at(o, "results", "mine", "acc");
    assert_true(json_number_value(json_object_get(acc, "value")) == 1);
    json_decref(o);
    o = run(&status, "%s runs --store %s --json", assay(), store);
    assert_int_equal(status, 0);
    assert_non_null(o);
    json_decref(o);
    remove_tree(dir);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        int status;
    } cases[] = {
        { "-m builtin:tiny", 2 },
        { "-t facts", 2 },
        { "-m builtin:tiny -t facts extra", 2 },
        { "-m builtin:tiny -t facts --overlength sometimes", 2 },
        { "-m builtin:tiny -t facts --strategies cloze,cloze", 2 },
        { "-m builtin:tiny -t facts --strategies luck", 2 },
        { "-m builtin:tiny -t facts --samples 1 --limit 2", 2 },
        { "-m builtin:tiny -t facts --samples '{\"sums\": [1]}'", 1 },
        { "-m builtin:tiny -t facts --samples '{\"facts\": [-1]}'", 1 },
        { "-m builtin:tiny -t facts --samples '{\"facts\": []}'", 1 },
        { "-m builtin:tiny -t facts --samples '{\"facts\": [99999999]}'", 1 },
        { "-m builtin:tiny -t facts --limit -1", 2 },
        { "-m builtin:tiny -t facts --level 1", 2 },
        { "-m builtin:tiny -t facts --join never", 2 },
        { "-m builtin:tiny -t facts --fewshot-rng dice", 2 },
        { "-m builtin:tiny -t facts --samples 3-1", 1 },
        { "-m builtin:tiny -t no_such_task", 1 },
        { "-m /no/such/model -t facts", 1 },
        { "-m http://user:key@127.0.0.1:1/v1#m -t facts", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status;
        json_t *o = run(&status, "%s eval %s --json 2>/dev/null", assay(), cases[i].arguments);
        if (status != cases[i].status || o)
            fail_msg("%s: exit %d", cases[i].arguments, status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contract),         cmocka_unit_test(same_for_all_ways),
        cmocka_unit_test(chosen_documents), cmocka_unit_test(killed),
        cmocka_unit_test(strategies),       cmocka_unit_test(names),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
