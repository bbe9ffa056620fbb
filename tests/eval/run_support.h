/* Runs made up for tests of results, store and comparison. Header-only; after cmocka.h. */
#ifndef TESTS_RUN_SUPPORT_H
#define TESTS_RUN_SUPPORT_H
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/results_private.h"
#include "support.h"
#include <assay/results.h>
#include <dirent.h>
#include <math.h>
#include <stdint.h>

static inline json_t *run_json(const char *text)
{
    json_t *value = NULL;
    if (base_json_parse(&value, text, strlen(text), "test"))
        fail_msg("%s", base_error_message());
    return value;
}

static inline void run_remove(const char *path)
{
    char *argv[] = { (char *)"/bin/rm", (char *)"-rf", (char *)(uintptr_t)path, NULL };
    struct test_run r = test_spawn(argv, NULL);
    test_run_free(&r);
}

/* The one file of `folder` whose name begins with prefix (base_free), or NULL. */
static inline char *run_find_file(const char *folder, const char *prefix)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    char *found = NULL;
    for (struct dirent *e; (e = readdir(d));)
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0) {
            assert_null(found);
            found = base_path_join(folder, e->d_name);
        }
    closedir(d);
    return found;
}

/* Item i of a task: documents of two tasks differ, those of two runs do not. */
static inline json_t *run_sample(const char *task, size_t i, const char *filter, double acc,
                                 double score, double logprob)
{
    char text[512], hex[65];
    snprintf(text, sizeof text,
             "{\"doc_id\": %zu, \"doc\": {\"task\": \"%s\", \"question\": \"%zu + 1 =\"}, "
             "\"target\": \"%zu\", \"arguments\": {}, \"resps\": [], \"filtered_resps\": [], "
             "\"filter\": \"%s\", \"metrics\": [\"acc\", \"score\", \"word_perplexity\"], "
             "\"prompt_hash\": \"p\", \"target_hash\": \"t\", \"acc\": %g, \"score\": %.17g, "
             "\"word_perplexity\": [%.17g, %zu]}",
             i, task, i, i + 1, filter, acc, score, logprob, i % 7 + 1);
    json_t *s = run_json(text);
    assert_int_equal(eval_document_hash(json_object_get(s, "doc"), hex), 0);
    json_object_set_new(s, "doc_hash", json_string(hex));
    if (strcmp(task, "words") == 0) { /* three items share a passage */
        snprintf(text, sizeof text, "passage %zu", i / 3);
        json_object_set_new(s, "assay", json_pack("{s:s}", "cluster", text));
    }
    return s;
}

/* Whether model `who` is right on item i: a fixed pattern that differs between models. */
static inline int run_right(unsigned who, size_t i)
{
    uint32_t h = (uint32_t)(i * 2654435761u) ^ who * 40503u;
    h ^= h >> 15;
    h *= 2246822519u;
    h ^= h >> 13;
    return h % 10 < 5 + who % 4;
}

/* A finished run of `who` in directory: tasks "sums" (n items) and "words" (n / 2). */
static inline void run_make(const char *directory, unsigned who, size_t n, char id[16])
{
    struct eval_run_writer *w;
    char text[512];
    snprintf(text, sizeof text,
             "{\"command\": [\"assay\", \"eval\"], \"model\": {\"model\": \"model-%u\", \"hash\": "
             "\"h%u\", \"tokenizer_hash\": \"t\"}, \"tasks\": {\"sums\": {\"task\": \"sums\"}, "
             "\"words\": {\"task\": \"words\"}}, \"options\": {}, \"environment\": {}}",
             who, who);
    json_t *config = run_json(text);
    if (eval_run_create(&w, directory, config))
        fail_msg("%s", base_error_message());
    size_t right[2] = { 0 }, counts[2] = { n, n / 2 };
    const char *const tasks[] = { "sums", "words" };
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < counts[t]; i++) {
            int acc = run_right(who, i + t * 1000);
            json_t *s = run_sample(tasks[t], i, "none", acc, sin((double)(i + who)),
                                   -(double)(i % 5) - 0.25 * who);
            if (eval_run_add(w, tasks[t], s))
                fail_msg("%s", base_error_message());
            json_decref(s);
            right[t] += (size_t)acc;
        }
    snprintf(
        text, sizeof text,
        "{\"sums\": {\"acc\": {\"value\": %.17g, \"stderr\": 0.01, \"ci\": [0.25, 0.75], "
        "\"method\": \"wilson\", \"n\": %zu, \"filter\": \"none\"}, \"score\": {\"value\": 0.5, "
        "\"filter\": \"none\"}}, \"words\": {\"acc\": {\"value\": %.17g, \"stderr\": null, "
        "\"n\": %zu, \"filter\": \"none\"}}}",
        (double)right[0] / (double)n, n, (double)right[1] / (double)(n / 2), n / 2);
    json_t *results = run_json(text);
    if (eval_run_finish(w, results))
        fail_msg("%s", base_error_message());
    if (id)
        snprintf(id, 16, "%s", eval_run_id(w));
    eval_run_writer_free(w);
    json_decref(config);
    json_decref(results);
}
#endif
