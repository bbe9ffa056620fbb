/* evaluate: what the built-in model can do on its held-out items, with Wilson's intervals.
 *
 *   evaluate MODEL HELDOUT_DIRECTORY [--json]
 *
 * An item is right "by choice" when the right answer has the largest log-probability among the
 * choices (the first wins ties), and "exactly" when greedy decoding writes it: every token of " " +
 * answer is the most probable one given those before it. Few-shot prompts take their k examples
 * from the other held-out reviews, drawn with a fixed seed. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/rng.h"
#include <assay/model.h>
#include <assay/stats.h>
#include <stdio.h>
#include <string.h>

#define CHOICES_MAX 16
#define LONGEST     8 /* words in a list */
#define SEED        1

static const char *const labels[] = { "negative", "positive" };

struct score {
    double right, total;
};

/* Reads one JSON object a line into a new array. */
static int items_read(json_t **out, const char *directory, const char *name)
{
    char *path = base_path_join(directory, name), *text = NULL;
    size_t bytes, line = 0;
    json_t *items = json_array();
    int rc = path && items ? base_file_read(path, 0, &text, &bytes) : BASE_E_MEMORY;
    for (char *p = text; rc == 0 && *p;) {
        size_t n = strcspn(p, "\n");
        json_t *item;
        char where[64];
        snprintf(where, sizeof where, "%s:%zu", name, ++line);
        rc = base_json_parse(&item, p, n, where);
        if (rc == 0 && json_array_append_new(items, item))
            rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", where);
        p += n + (p[n] == '\n');
    }
    base_free(text);
    base_free(path);
    if (rc != 0)
        json_decref(items);
    else
        *out = items;
    return rc;
}

/* Log-probability of " " + each answer after prompt, and whether greedy decoding writes it. */
static int answers_score(struct model *m, const char *prompt, const char *const *answers, size_t n,
                         double *logprob, bool *greedy)
{
    const struct tokenizer *t;
    struct model_sequence *sequences[CHOICES_MAX] = { NULL };
    struct tokenizer_encoding whole[CHOICES_MAX] = { 0 }, head = { 0 };
    struct model_item items[CHOICES_MAX];
    double *logprobs[CHOICES_MAX] = { NULL };
    bool *hits[CHOICES_MAX] = { NULL };
    const int32_t *targets[CHOICES_MAX];
    struct base_buffer text = { 0 };
    int rc = model_tokenizer(m, &t);
    if (rc == 0)
        rc = tokenizer_encode(t, prompt, strlen(prompt), NULL, &head);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        base_buffer_clear(&text);
        rc = base_buffer_printf(&text, "%s %s", prompt, answers[i]);
        if (rc == 0)
            rc = tokenizer_encode(t, text.data, text.length, NULL, &whole[i]);
        if (rc == 0)
            rc = model_sequence_new(&sequences[i], m);
        if (rc != 0)
            break;
        if (whole[i].count <= head.count) {
            rc = base_error_set(BASE_E_FORMAT, "\"%s\": the answer adds no token", text.data);
            break;
        }
        size_t k = whole[i].count - head.count;
        logprobs[i] = base_alloc(k, sizeof **logprobs);
        hits[i] = base_alloc(k, sizeof **hits);
        if (!logprobs[i] || !hits[i])
            rc = BASE_E_MEMORY;
        targets[i] = whole[i].ids + head.count;
        items[i] =
            (struct model_item){ sequences[i], whole[i].ids, whole[i].count - 1, head.count - 1 };
    }
    if (rc == 0)
        rc = model_score(m, items, n, targets, logprobs, hits, NULL);
    for (size_t i = 0; i < n; i++) {
        logprob[i] = 0;
        greedy[i] = true;
        for (size_t k = 0; rc == 0 && k < whole[i].count - head.count; k++) {
            logprob[i] += logprobs[i][k];
            greedy[i] = greedy[i] && hits[i][k];
        }
        base_free(logprobs[i]);
        base_free(hits[i]);
        model_sequence_free(sequences[i]);
        tokenizer_encoding_free(&whole[i]);
    }
    tokenizer_encoding_free(&head);
    base_buffer_free(&text);
    return rc;
}

static const char *text_of(const json_t *item, const char *key)
{
    const char *s = json_string_value(json_object_get(item, key));
    return s ? s : "";
}

static void score_add(struct score *s, bool right)
{
    s->right += right;
    s->total += 1;
}

/* Prints the line and puts the same into the report. */
static int score_tell(json_t *report, const char *name, struct score s, bool quiet)
{
    struct stats_interval ci;
    int rc = stats_interval_wilson(s.right, s.total, 0.95, &ci);
    if (rc != 0)
        return rc;
    if (!quiet)
        printf("%-44s %5.1f %%  [%5.1f, %5.1f]  %4.0f of %.0f\n", name, 100 * s.right / s.total,
               100 * ci.low, 100 * ci.high, s.right, s.total);
    json_object_set_new(report, name,
                        json_pack("{s:f,s:f,s:f,s:i}", "accuracy", s.right / s.total, "low", ci.low,
                                  "high", ci.high, "items", (int)s.total));
    return 0;
}

static int facts_evaluate(struct model *m, const char *directory, json_t *report, bool quiet)
{
    json_t *items;
    struct score choice = { 0 }, exact = { 0 }, seen = { 0 };
    int rc = items_read(&items, directory, "facts.jsonl");
    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i), *array = json_object_get(item, "choices");
        const char *answers[CHOICES_MAX];
        double logprob[CHOICES_MAX];
        bool greedy[CHOICES_MAX];
        size_t n = json_array_size(array), best = 0, right = 0;
        if (n == 0 || n > CHOICES_MAX) {
            rc =
                base_error_set(BASE_E_FORMAT, "facts.jsonl:%zu: choices: expected 1 to %d, got %zu",
                               i + 1, CHOICES_MAX, n);
            break;
        }
        for (size_t k = 0; k < n; k++) {
            answers[k] = json_string_value(json_array_get(array, k));
            answers[k] = answers[k] ? answers[k] : "";
            if (!strcmp(answers[k], text_of(item, "answer")))
                right = k;
        }
        rc = answers_score(m, text_of(item, "prompt"), answers, n, logprob, greedy);
        for (size_t k = 1; k < n; k++)
            if (logprob[k] > logprob[best])
                best = k;
        score_add(&choice, best == right);
        score_add(&exact, greedy[right]);
        if (rc == 0)
            rc =
                answers_score(m, text_of(item, "seen_prompt"), &answers[right], 1, logprob, greedy);
        score_add(&seen, greedy[0]);
    }
    if (rc == 0)
        rc = score_tell(report, "facts, held-out phrasing, by choice", choice, quiet);
    if (rc == 0)
        rc = score_tell(report, "facts, held-out phrasing, exactly", exact, quiet);
    if (rc == 0)
        rc = score_tell(report, "facts, a phrasing that was seen, exactly", seen, quiet);
    json_decref(items);
    return rc;
}

/* k examples and the review itself. */
static int review_prompt(struct base_buffer *text, const json_t *items, size_t at, size_t k)
{
    struct base_rng rng = base_rng_make(SEED, BASE_RNG_USER, at * 16 + k);
    size_t used[8];
    int rc = 0;
    base_buffer_clear(text);
    for (size_t i = 0; rc == 0 && i < k;) {
        size_t j = (size_t)base_rng_below(&rng, json_array_size(items));
        bool fresh = j != at;
        for (size_t u = 0; u < i; u++)
            fresh = fresh && used[u] != j;
        if (!fresh)
            continue;
        used[i++] = j;
        rc = base_buffer_printf(text, "Review: %s\nSentiment: %s\n\n",
                                text_of(json_array_get(items, j), "text"),
                                text_of(json_array_get(items, j), "label"));
    }
    if (rc == 0)
        rc = base_buffer_printf(
            text, "Review: %s\nSentiment:", text_of(json_array_get(items, at), "text"));
    return rc;
}

static int reviews_evaluate(struct model *m, const char *directory, json_t *report, bool quiet)
{
    static const size_t shots[] = { 0, 2, 4, 6 };
    json_t *items;
    struct base_buffer text = { 0 };
    int rc = items_read(&items, directory, "sentiment.jsonl");
    if (rc != 0)
        return rc;
    for (size_t s = 0; rc == 0 && s < sizeof shots / sizeof *shots; s++) {
        struct score choice = { 0 }, exact = { 0 };
        char name[64];
        for (size_t i = 0; rc == 0 && i < json_array_size(items); i++) {
            double logprob[2];
            bool greedy[2];
            size_t right = !strcmp(text_of(json_array_get(items, i), "label"), labels[1]);
            rc = review_prompt(&text, items, i, shots[s]);
            if (rc == 0)
                rc = answers_score(m, text.data, labels, 2, logprob, greedy);
            score_add(&choice, (logprob[1] > logprob[0]) == right);
            score_add(&exact, greedy[right]);
        }
        snprintf(name, sizeof name, "sentiment, %zu examples, by choice", shots[s]);
        if (rc == 0)
            rc = score_tell(report, name, choice, quiet);
        snprintf(name, sizeof name, "sentiment, %zu examples, exactly", shots[s]);
        if (rc == 0)
            rc = score_tell(report, name, exact, quiet);
    }
    base_buffer_free(&text);
    json_decref(items);
    return rc;
}

/* Files of {"prompt", "answer"}; lists also by their length. */
static int prompts_evaluate(struct model *m, const char *directory, const char *file,
                            const char *what, json_t *report, bool quiet)
{
    json_t *items;
    struct score all = { 0 }, by_length[LONGEST + 1] = { { 0, 0 } };
    char name[64];
    int rc = items_read(&items, directory, file);
    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *answer = text_of(item, "answer");
        size_t length = json_array_size(json_object_get(item, "words"));
        double logprob;
        bool greedy;
        rc = answers_score(m, text_of(item, "prompt"), &answer, 1, &logprob, &greedy);
        score_add(&all, greedy);
        if (length > 0 && length <= LONGEST)
            score_add(&by_length[length], greedy);
    }
    if (rc == 0)
        rc = score_tell(report, what, all, quiet);
    for (size_t n = 1; rc == 0 && n <= LONGEST; n++) {
        if (by_length[n].total == 0)
            continue;
        snprintf(name, sizeof name, "  %s, %zu word%s", what, n, n > 1 ? "s" : "");
        rc = score_tell(report, name, by_length[n], quiet);
    }
    json_decref(items);
    return rc;
}

int main(int argc, char **argv)
{
    struct model *m = NULL;
    bool quiet = argc == 4 && !strcmp(argv[3], "--json");
    json_t *report = json_object();
    int rc;
    if (argc < 3 || argc > 4 || (argc == 4 && !quiet)) {
        fprintf(stderr, "usage: evaluate MODEL HELDOUT_DIRECTORY [--json]\n");
        json_decref(report);
        return 2;
    }
    rc = model_load(&m, argv[1], NULL);
    if (rc == 0)
        rc = facts_evaluate(m, argv[2], report, quiet);
    if (rc == 0)
        rc = reviews_evaluate(m, argv[2], report, quiet);
    if (rc == 0)
        rc = prompts_evaluate(m, argv[2], "counting.jsonl", "counting, exactly", report, quiet);
    if (rc == 0)
        rc = prompts_evaluate(m, argv[2], "sums.jsonl", "sums, exactly", report, quiet);
    if (rc == 0)
        rc = prompts_evaluate(m, argv[2], "lockers.jsonl", "lockers (all repetitions), exactly",
                              report, quiet);
    if (rc == 0 && quiet) {
        char *text = base_json_dump(report, true);
        printf("%s\n", text ? text : "");
        base_free(text);
    }
    if (rc != 0)
        fprintf(stderr, "evaluate: %s\n", base_error_message());
    model_free(m);
    json_decref(report);
    return rc != 0;
}
