/* Names and keys of results files, and the values of metrics in samples; see results_private.h. */
#include "base/buffer.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/results_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

char *eval_results_sanitize(const char *name)
{
    static const char unsafe[] = "\"<>:/|\\?*[]";
    struct base_buffer b = { 0 };
    int rc = base_buffer_puts(&b, "");
    for (const char *p = name; *p && rc == 0;) {
        size_t bad = strspn(p, unsafe), good = strcspn(p + bad, unsafe);
        if (bad)
            rc = base_buffer_puts(&b, "__");
        if (rc == 0 && good)
            rc = base_buffer_append(&b, p + bad, good);
        p += bad + good;
    }
    /* "." and ".." are names that a directory has already */
    if (rc == 0 && b.length && strspn(b.data, ".") == b.length)
        rc = base_buffer_puts(&b, "_");
    if (rc == 0 && b.length == 0)
        rc = base_buffer_puts(&b, "_");
    if (rc) {
        base_buffer_free(&b);
        return NULL;
    }
    return base_buffer_take(&b);
}

size_t eval_results_split_key(const char *key, const char **filter)
{
    const char *comma = strchr(key, ',');
    *filter = comma ? comma + 1 : NULL;
    return comma ? (size_t)(comma - key) : 0;
}

bool eval_results_is_stderr(const char *metric, size_t n)
{
    static const char suffix[] = "_stderr";
    size_t m = sizeof suffix - 1;
    return n > m && memcmp(metric + n - m, suffix, m) == 0;
}

bool eval_results_is_perplexity(const char *metric)
{
    static const char *const names[] = { "perplexity", "word_perplexity", "byte_perplexity",
                                         "bits_per_byte" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(metric, names[i]) == 0)
            return true;
    return false;
}

bool eval_results_is_member(const char *key)
{
    static const char *const names[] = {
        "doc_id",     "doc",      "target",         "arguments",   "resps",   "filter",
        "metrics",    "doc_hash", "prompt_hash",    "target_hash", "logit_0", "schema",
        "prompt_0",   "truth",    "filtered_resps", "category",    "cluster", "strategy",
        "prediction", "assay",    "labels",         "task_name",   "task",    "hallucination"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(key, names[i]) == 0)
            return true;
    return false;
}

bool eval_results_higher_is_better(const json_t *task_config, const char *metric)
{
    size_t i;
    const json_t *entry, *list = json_object_get(task_config, "metric_list");
    json_array_foreach(list, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "metric"));
        const json_t *better = json_object_get(entry, "higher_is_better");
        if (name && strcmp(name, metric) == 0 && json_is_boolean(better))
            return json_is_true(better);
    }
    static const char *const lower[] = { "brier", "brier_score", "ece", "loss",
                                         "nll",   "wer",         "cer", "ter" };
    for (i = 0; i < sizeof lower / sizeof *lower; i++)
        if (strcmp(metric, lower[i]) == 0)
            return false;
    return !eval_results_is_perplexity(metric);
}

/* A JSON number, boolean, or Python's text for one ("nan", "-Infinity", "0.5"). */
static bool number_of(const json_t *value, double *out)
{
    if (json_is_number(value)) {
        *out = json_number_value(value);
        return true;
    }
    if (json_is_boolean(value)) {
        *out = json_is_true(value);
        return true;
    }
    const char *text = json_string_value(value);
    char *end;
    if (!text || !*text)
        return false;
    *out = strtod(text, &end);
    return *end == 0;
}

enum eval_value_kind eval_results_value(const json_t *sample, const char *metric, double *value,
                                        double *weight)
{
    const json_t *v = json_object_get(sample, metric);
    *weight = 1;
    if (!v || json_is_null(v))
        return EVAL_VALUE_MISSING;
    if (!json_is_string(v) && number_of(v, value)) {
        /* lm-eval's "perplexity" (of LAMBADA) is one log-likelihood per item: exp(-mean) */
        if (strcmp(metric, "perplexity") == 0)
            *value = -*value;
        return strcmp(metric, "perplexity") == 0 ? EVAL_VALUE_RATIO : EVAL_VALUE_NUMBER;
    }
    if (json_is_string(v)) {
        const char *text = json_string_value(v);
        return strcasecmp(text, "nan") == 0 || strstr(text, "nfinity")
                   ? (number_of(v, value), EVAL_VALUE_NUMBER)
                   : EVAL_VALUE_OTHER;
    }
    if (eval_results_is_perplexity(metric) && json_is_array(v) && json_array_size(v) == 2 &&
        number_of(json_array_get(v, 0), value) && number_of(json_array_get(v, 1), weight)) {
        *value = -*value;
        return EVAL_VALUE_RATIO;
    }
    return EVAL_VALUE_OTHER;
}

/* ---- Python's JSON ---- */

/* Copy of text with Python's NaN, Infinity and -Infinity, which JSON does not have, as strings. */
static int quote_numbers(const char *text, size_t n, struct base_buffer *b)
{
    static const char *const words[] = { "-Infinity", "Infinity", "NaN" };
    bool in_string = false;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0;) {
        size_t step = 1;
        const char *word = NULL;
        if (in_string && text[i] == '\\' && i + 1 < n)
            step = 2;
        else if (text[i] == '"')
            in_string = !in_string;
        for (size_t k = 0; !in_string && !word && k < 3; k++)
            if (n - i >= strlen(words[k]) && memcmp(text + i, words[k], strlen(words[k])) == 0)
                word = words[k];
        if (word) {
            rc = base_buffer_printf(b, "\"%s\"", word);
            step = strlen(word);
        } else {
            rc = base_buffer_append(b, text + i, step);
        }
        i += step;
    }
    return rc;
}

int eval_results_parse(json_t **out, const char *text, size_t n, const char *name)
{
    int rc = base_json_parse(out, text, n, name);
    if (rc == BASE_E_FORMAT && (memmem(text, n, "NaN", 3) || memmem(text, n, "Infinity", 8))) {
        struct base_buffer b = { 0 };
        if ((rc = quote_numbers(text, n, &b)) == 0)
            rc = base_json_parse(out, b.data, b.length, name);
        base_buffer_free(&b);
    }
    return rc;
}

/* ---- lm-eval's doc_hash ---- */

static int put_string(struct base_buffer *b, const char *s, size_t n)
{
    int rc = base_buffer_puts(b, "\"");
    for (size_t i = 0; i < n && rc == 0;) {
        size_t plain = 0;
        while (i + plain < n && (unsigned char)s[i + plain] >= 0x20 && s[i + plain] != '"' &&
               s[i + plain] != '\\')
            plain++;
        if (plain) {
            rc = base_buffer_append(b, s + i, plain);
            i += plain;
            continue;
        }
        static const char from[] = "\"\\\n\r\t\f\b", to[] = "\"\\nrtfb";
        const char *known = s[i] ? strchr(from, s[i]) : NULL;
        rc = known ? base_buffer_printf(b, "\\%c", to[known - from])
                   : base_buffer_printf(b, "\\u%04x", (unsigned)(unsigned char)s[i]);
        i++;
    }
    return rc ? rc : base_buffer_puts(b, "\"");
}

/* float.__repr__: the shortest digits that read back as the same double, positional for exponents
 * -4 to 15. */
static int put_real(struct base_buffer *b, double x)
{
    char digits[40];
    int precision = 1;
    do
        snprintf(digits, sizeof digits, "%.*e", precision - 1, x);
    while (strtod(digits, NULL) != x && ++precision <= 17);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent >= -4 && exponent < 16) {
        int decimals = precision - 1 - exponent;
        return base_buffer_printf(b, "%.*f", decimals < 1 ? 1 : decimals, x);
    }
    /* 1e-05, 1.5e+16: C writes it the same way once the precision is the shortest */
    return base_buffer_puts(b, digits);
}

static int put_line(struct base_buffer *b, int depth)
{
    int rc = base_buffer_puts(b, "\n");
    for (int i = 0; i < depth && rc == 0; i++)
        rc = base_buffer_puts(b, "  ");
    return rc;
}

/* Depth is bounded by the parser that made v (2048). */
static int put_value(struct base_buffer *b, const json_t *v, int depth)
{
    int rc = 0;
    size_t i = 0;
    const char *key;
    json_t *member;
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        if (json_object_size(v) == 0)
            return base_buffer_puts(b, "{}");
        json_object_foreach((json_t *)(uintptr_t)v, key, member)
        {
            if ((rc = base_buffer_puts(b, i++ ? "," : "{")) || (rc = put_line(b, depth + 1)) ||
                (rc = put_string(b, key, strlen(key))) || (rc = base_buffer_puts(b, ": ")) ||
                (rc = put_value(b, member, depth + 1)))
                return rc;
        }
        return (rc = put_line(b, depth)) ? rc : base_buffer_puts(b, "}");
    case JSON_ARRAY:
        if (json_array_size(v) == 0)
            return base_buffer_puts(b, "[]");
        json_array_foreach(v, i, member)
        {
            if ((rc = base_buffer_puts(b, i ? "," : "[")) || (rc = put_line(b, depth + 1)) ||
                (rc = put_value(b, member, depth + 1)))
                return rc;
        }
        return (rc = put_line(b, depth)) ? rc : base_buffer_puts(b, "]");
    case JSON_STRING:
        return put_string(b, json_string_value(v), json_string_length(v));
    case JSON_INTEGER:
        return base_buffer_printf(b, "%lld", (long long)json_integer_value(v));
    case JSON_REAL:
        return put_real(b, json_real_value(v));
    case JSON_TRUE:
        return base_buffer_puts(b, "true");
    case JSON_FALSE:
        return base_buffer_puts(b, "false");
    default:
        return base_buffer_puts(b, "null");
    }
}

int eval_document_hash(const json_t *doc, char hex[65])
{
    struct base_buffer b = { 0 };
    int rc = put_value(&b, doc, 0);
    if (rc == 0)
        rc = base_sha256(b.data, b.length, hex);
    base_buffer_free(&b);
    return rc;
}
