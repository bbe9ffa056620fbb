/* Scores of generated text against a reference: exact match with lm-eval's options, and SQuAD's
 * token F1. */
#include "base/memory.h"
#include "eval/python_text.h"
#include "eval/task_private.h"
#include <string.h>

/* Python's string.punctuation. */
static bool is_punctuation(char c)
{
    return c && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c) != NULL;
}

/* exact_match's options in its order: patterns removed, case, punctuation, digits. New string. */
static char *prepare(const struct task_metric *m, const char *s)
{
    char *text = base_strdup(s), *next;
    const json_t *regex;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)m->regexes_to_ignore, i, regex)
    {
        if (text && task_regex_remove(json_string_value(regex), text, &next)) {
            base_free(text);
            return NULL;
        }
        if (text) {
            base_free(text);
            text = next;
        }
    }
    if (text && m->ignore_case) {
        next = python_lower(text);
        base_free(text);
        text = next;
    }
    char *to = text;
    for (const char *from = text; from && *from; from++)
        if (!(m->ignore_punctuation && is_punctuation(*from)) &&
            !(m->ignore_numbers && *from >= '0' && *from <= '9'))
            *to++ = *from;
    if (to)
        *to = 0;
    return text;
}

int task_exact_match(const struct task_metric *m, const char *prediction, const char *reference)
{
    char *a = prepare(m, prediction), *b = a ? prepare(m, reference) : NULL;
    int result = a && b ? !strcmp(a, b) : BASE_E_MEMORY;
    base_free(a);
    base_free(b);
    return result;
}

/* ---- SQuAD ---- */

struct words {
    char *text; /* owned; words are NUL-terminated views into it */
    char **at;
    size_t n;
};

/* Lower case, no punctuation, no articles, split at white space. */
static int split_words(const char *s, struct words *w)
{
    *w = (struct words){ .text = python_lower(s) };
    if (!w->text)
        return BASE_E_MEMORY;
    char *to = w->text;
    for (const char *from = w->text; *from; from++)
        if (!is_punctuation(*from))
            *to++ = *from;
    *to = 0;
    w->at = base_alloc(strlen(w->text) / 2 + 1, sizeof *w->at);
    if (!w->at)
        return BASE_E_MEMORY;
    char *save = NULL;
    for (char *word = strtok_r(w->text, " \t\n\r\f\v", &save); word;
         word = strtok_r(NULL, " \t\n\r\f\v", &save))
        if (strcmp(word, "a") != 0 && strcmp(word, "an") != 0 && strcmp(word, "the") != 0)
            w->at[w->n++] = word;
    return 0;
}

double task_squad_f1(const char *prediction, const char *reference)
{
    struct words p = { 0 }, r = { 0 };
    double f1 = BASE_E_MEMORY;
    if (split_words(prediction, &p) == 0 && split_words(reference, &r) == 0) {
        size_t common = 0;
        for (size_t i = 0; i < p.n; i++)
            for (size_t j = 0; j < r.n; j++)
                if (r.at[j] && !strcmp(p.at[i], r.at[j])) {
                    common++;
                    r.at[j] = NULL; /* each counts once */
                    break;
                }
        if (p.n == 0 || r.n == 0)
            f1 = p.n == r.n; /* SQuAD 2: two empty answers agree */
        else
            f1 = 2.0 * (double)common / (double)(p.n + r.n);
    }
    base_free(p.text);
    base_free(p.at);
    base_free(r.text);
    base_free(r.at);
    return f1;
}
