/* filter_list: what is done to responses before they are judged, as lm-eval's filters do it.
 *
 *   regex             re.findall, one match chosen by group_select, the first group that matched,
 *                     stripped; fallback when there is none
 *   multi_choice_regex   regex; else a text of the document's "choices", which becomes "(A)",
 * "(B)",
 *                     ...; else a letter after a colon
 *   lowercase uppercase strip|remove_whitespace map      each response by itself
 *   take_first take_first_k majority_vote                choose among an item's responses
 *
 * Patterns are Python's; PCRE2 reads them (Unicode classes on), a pattern it cannot read is refused
 * when the task is opened. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/memory.h"
#include "eval/python_text.h"
#include "eval/task_private.h"
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step_kind { REGEX, CHOICES, LOWER, UPPER, STRIP, MAP, FIRST, FIRST_K, MAJORITY };
struct task_filter_step {
    enum step_kind kind;
    pcre2_code *regex;
    json_int_t group_select;
    const char *fallback;
    const json_t *mapping, *otherwise; /* map */
    const json_t *regexes_to_ignore;   /* list of strings or NULL; multi_choice_regex */
    bool ignore_case, ignore_punctuation;
    size_t k;
};

/* ---- regular expressions ---- */

static int compile(const char *pattern, pcre2_code **out)
{
    int code;
    PCRE2_SIZE offset;
    *out = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                         PCRE2_UTF | PCRE2_UCP | PCRE2_ALT_BSUX, &code, &offset, NULL);
    if (*out)
        return 0;
    PCRE2_UCHAR message[200];
    pcre2_get_error_message(code, message, sizeof message);
    return base_error_set(BASE_E_UNSUPPORTED, "regular expression \"%s\": %s (at %zu)", pattern,
                          (char *)message, (size_t)offset);
}

/* Matches from *from on; an empty match is not taken where the one before was empty. 1, 0 or
 * negative; *from moves behind the match. */
static int next_match(const pcre2_code *regex, pcre2_match_data *data, const char *s, size_t n,
                      size_t *from, bool *was_empty)
{
    if (*from > n)
        return 0;
    int rc = pcre2_match(regex, (PCRE2_SPTR)s, n, *from, *was_empty ? PCRE2_NOTEMPTY_ATSTART : 0,
                         data, NULL);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0)
        return base_error_set(rc == PCRE2_ERROR_MATCHLIMIT ? BASE_E_LIMIT : BASE_E_FORMAT,
                              "a filter's regular expression failed on a response (PCRE2 %d)", rc);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
    *was_empty = at[0] == at[1];
    *from = at[1];
    return 1;
}

/* What re.findall gives for the current match, with lm-eval's choice among groups: the whole match
 * without groups, the only group, or the first group that is not empty. A view into s; false: all
 * groups are empty. */
static bool chosen_group(const pcre2_code *regex, pcre2_match_data *data, const char *s,
                         const char **text, size_t *n)
{
    uint32_t groups;
    pcre2_pattern_info(regex, PCRE2_INFO_CAPTURECOUNT, &groups);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
    for (uint32_t g = groups ? 1 : 0; g <= groups; g++) {
        bool set = at[2 * g] != PCRE2_UNSET && at[2 * g + 1] >= at[2 * g];
        *text = set ? s + at[2 * g] : s;
        *n = set ? at[2 * g + 1] - at[2 * g] : 0;
        if (*n > 0 || groups <= 1)
            return true;
    }
    return false;
}

static json_t *stripped(const char *s, size_t n)
{
    char *copy = base_strndup(s, n);
    if (!copy)
        return NULL;
    const char *inner = python_strip(copy, &n);
    json_t *text = json_stringn(inner, n);
    base_free(copy);
    return text;
}

/* The match that group_select (from 0, or from the end when negative) chooses; *out NULL when there
 * is none. */
static int find_match(const pcre2_code *regex, json_int_t group_select, const char *s, json_t **out)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(regex, NULL);
    size_t n = strlen(s), from = 0, count = 0, wanted = 0, length = 0;
    bool was_empty = false, found = false;
    const char *text = s;
    int rc = data ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    if (rc == 0 && group_select < 0) { /* count first */
        while ((rc = next_match(regex, data, s, n, &from, &was_empty)) > 0)
            count++;
        wanted = count + (size_t)group_select;
        if ((size_t)-group_select > count)
            wanted = SIZE_MAX;
        from = 0;
        was_empty = false;
    } else {
        wanted = (size_t)group_select;
    }
    for (size_t i = 0; rc == 0 && wanted != SIZE_MAX && i <= wanted; i++) {
        rc = next_match(regex, data, s, n, &from, &was_empty);
        if (rc <= 0)
            break;
        rc = 0;
        found = i == wanted && chosen_group(regex, data, s, &text, &length);
    }
    if (rc >= 0) {
        *out = found ? stripped(text, length) : NULL;
        rc = *out || !found ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    }
    pcre2_match_data_free(data);
    return rc;
}

static int apply_regex(const struct task_filter_step *step, const char *s, json_t **out)
{
    int rc = find_match(step->regex, step->group_select, s, out);
    if (rc == 0 && !*out && !(*out = json_string(step->fallback)))
        rc = base_error_set(BASE_E_MEMORY, "out of memory");
    return rc;
}

int task_regex_remove(const char *pattern, const char *s, char **out)
{
    pcre2_code *regex = NULL;
    *out = NULL;
    int rc = compile(pattern, &regex);
    if (rc)
        return rc;
    struct base_buffer b = { 0 };
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(regex, NULL);
    size_t n = strlen(s), from = 0, copied = 0;
    bool was_empty = false;
    rc = data ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    while (rc == 0 && (rc = next_match(regex, data, s, n, &from, &was_empty)) > 0) {
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
        rc = base_buffer_append(&b, s + copied, at[0] - copied);
        copied = at[1];
    }
    rc = rc ? rc : base_buffer_append(&b, s + copied, n - copied);
    if (rc == 0 && !(*out = base_buffer_take(&b)))
        rc = BASE_E_MEMORY;
    base_buffer_free(&b);
    pcre2_match_data_free(data);
    pcre2_code_free(regex);
    return rc;
}

/* ---- multi_choice_regex ---- */

/* What is not looked at: patterns, then case, then punctuation (Unicode's). New string. */
static int without_ignored(const struct task_filter_step *step, const char *s, char **out)
{
    const json_t *regex;
    size_t i;
    char *text = base_strdup(s), *next = NULL;
    int rc = text ? 0 : BASE_E_MEMORY;
    json_array_foreach((json_t *)(uintptr_t)step->regexes_to_ignore, i, regex)
    {
        rc = rc ? rc : task_regex_remove(json_string_value(regex), text, &next);
        if (rc)
            break;
        base_free(text);
        text = next;
    }
    if (rc == 0 && step->ignore_case) {
        next = python_lower(text);
        base_free(text);
        text = next;
        rc = text ? 0 : BASE_E_MEMORY;
    }
    if (rc == 0 && step->ignore_punctuation &&
        (rc = task_regex_remove("\\p{P}", text, &next)) == 0) {
        base_free(text);
        text = next;
    }
    if (rc)
        base_free(text);
    *out = rc ? NULL : text;
    return rc;
}

/* The choices of a document as lm-eval searches for them: texts without what is ignored. */
struct choice_text {
    char *text;
    size_t length; /* len(re.escape(text)): longer ones are tried first */
    size_t number;
};

static int by_length(const void *a, const void *b)
{
    const struct choice_text *x = a, *y = b;
    if (x->length != y->length)
        return x->length > y->length ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int add_choice(struct base_buffer *pattern, struct choice_text *c)
{
    int rc = pattern->length ? base_buffer_puts(pattern, "|") : 0;
    for (const char *s = c->text; rc == 0 && *s; s++) {
        bool plain = (unsigned char)*s >= 128 || *s == '_' || (*s >= '0' && *s <= '9') ||
                     (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');
        rc = plain ? 0 : base_buffer_puts(pattern, "\\");
        rc = rc ? rc : base_buffer_append(pattern, s, 1);
    }
    return rc;
}

/* Searches a response for pattern; what is found and is choice i's text becomes its letter. */
static int find_choice(const char *pattern, const struct task_filter_step *step, const char *s,
                       const struct choice_text *choices, size_t n, json_t **out)
{
    pcre2_code *regex = NULL;
    int rc = compile(pattern, &regex);
    rc = rc ? rc : find_match(regex, step->group_select, s, out);
    pcre2_code_free(regex);
    const char *found = rc == 0 ? json_string_value(*out) : NULL;
    size_t which = SIZE_MAX;
    /* of equal texts the last one's letter stands, as in a Python dictionary */
    for (size_t i = 0; found && i < n; i++)
        if (strcmp(choices[i].text, found) == 0 &&
            (which == SIZE_MAX || choices[i].number > choices[which].number))
            which = i;
    if (found && *found && which != SIZE_MAX) {
        char letter[8];
        snprintf(letter, sizeof letter, "(%c)", (char)('A' + choices[which].number));
        json_decref(*out);
        *out = json_string(letter);
        rc = *out ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    }
    return rc;
}

static bool nothing(const json_t *found)
{
    return !found || json_string_length(found) == 0;
}

static int apply_choices(const struct task_filter_step *step, const char *s, const json_t *doc,
                         json_t **out)
{
    const json_t *list = json_object_get(doc, "choices"), *one;
    size_t n = json_array_size(list), i;
    struct choice_text texts[26] = { { 0 } }, letters[26];
    char names[26][2], *heard = NULL;
    struct base_buffer pattern = { 0 };
    *out = NULL;
    if (n == 0 || n > 26)
        return base_error_set(BASE_E_FORMAT, "multi_choice_regex: a document needs \"choices\", a "
                                             "list of 1 to 26 texts");
    int rc = find_match(step->regex, step->group_select, s, out);
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        size_t bytes;
        const char *text = json_string_value(one);
        if (rc == 0 && !text)
            rc = base_error_set(BASE_E_FORMAT, "multi_choice_regex: choice %zu is no text", i);
        if (rc)
            break;
        const char *inner = python_strip(text, &bytes);
        char *copy = base_strndup(inner, bytes);
        rc = copy ? without_ignored(step, copy, &texts[i].text) : BASE_E_MEMORY;
        base_free(copy);
        if (rc)
            break;
        texts[i].number = letters[i].number = i;
        texts[i].length = python_length(texts[i].text);
        for (const char *c = texts[i].text; *c; c++)
            texts[i].length += strchr("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", *c) != NULL;
        names[i][0] = (char)('A' + i);
        names[i][1] = 0;
        letters[i].text = names[i];
    }
    if (rc == 0 && nothing(*out)) {
        json_decref(*out);
        *out = NULL;
        qsort(texts, n, sizeof *texts, by_length);
        for (i = 0; rc == 0 && i < n; i++)
            rc = add_choice(&pattern, &texts[i]);
        rc = rc ? rc : base_buffer_puts(&pattern, "");
        rc = rc ? rc : without_ignored(step, s, &heard);
        rc = rc ? rc : find_choice(pattern.data, step, heard, texts, n, out);
    }
    if (rc == 0 && nothing(*out)) {
        json_decref(*out);
        *out = NULL;
        base_buffer_clear(&pattern);
        rc = base_buffer_puts(&pattern, ":\\s*(");
        for (i = 0; rc == 0 && i < n; i++)
            rc = base_buffer_printf(&pattern, "%s%s", i ? "|" : "", names[i]);
        rc = rc ? rc : base_buffer_puts(&pattern, ")");
        rc = rc ? rc : find_choice(pattern.data, step, s, letters, n, out);
    }
    if (rc == 0 && nothing(*out)) {
        json_decref(*out);
        *out = json_string(step->fallback);
        rc = *out ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    }
    for (i = 0; i < n; i++)
        base_free(texts[i].text);
    base_buffer_free(&pattern);
    base_free(heard);
    return rc;
}

/* ---- reading filter_list ---- */

static int check_regexes(const json_t *list, const struct task_source *source)
{
    const json_t *regex;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)list, i, regex)
    {
        char *text = NULL;
        if (!json_is_string(regex))
            return task_refuse(source, BASE_E_FORMAT, "regexes_to_ignore", "expected strings");
        int rc = task_regex_remove(json_string_value(regex), "", &text);
        base_free(text);
        if (rc)
            return task_refuse(source, rc, "regexes_to_ignore", "%s", base_error_message());
    }
    return 0;
}

static int read_step(struct task_filter_step *step, const json_t *given,
                     const struct task_source *source, enum eval_output output)
{
    static const struct {
        const char *name;
        enum step_kind kind;
    } kinds[] = {
        { "regex", REGEX },
        { "multi_choice_regex", CHOICES },
        { "lowercase", LOWER },
        { "uppercase", UPPER },
        { "strip", STRIP },
        { "remove_whitespace", STRIP },
        { "map", MAP },
        { "take_first", FIRST },
        { "take_first_k", FIRST_K },
        { "majority_vote", MAJORITY },
    };
    const char *name = json_string_value(json_object_get(given, "function"));
    size_t i = 0, n = sizeof kinds / sizeof kinds[0];
    if (!name)
        return task_refuse(source, BASE_E_FORMAT, "filter", "every step needs function: NAME");
    while (i < n && strcmp(kinds[i].name, name) != 0)
        i++;
    if (i == n)
        return task_refuse(source, BASE_E_UNSUPPORTED, "function", "filter %s is not supported",
                           name);
    step->kind = kinds[i].kind;
    if (output != EVAL_OUTPUT_GENERATE && step->kind != FIRST)
        return task_refuse(source, BASE_E_UNSUPPORTED, "function",
                           "filter %s is for generate_until", name);
    step->fallback = "[invalid]";
    const char *key, *pattern = "#### (\\-?[0-9\\.\\,]+)";
    json_t *value;
    bool have_k = false;
    json_object_foreach((json_t *)(uintptr_t)given, key, value)
    {
        bool regex = step->kind == REGEX || step->kind == CHOICES, known = !strcmp(key, "function");
        if (regex && !strcmp(key, "regex_pattern") && json_is_string(value)) {
            pattern = json_string_value(value);
            known = true;
        } else if (regex && !strcmp(key, "group_select") && json_is_integer(value)) {
            step->group_select = json_integer_value(value);
            known = true;
        } else if (regex && !strcmp(key, "fallback") && json_is_string(value)) {
            step->fallback = json_string_value(value);
            known = true;
        } else if (step->kind == CHOICES && !strcmp(key, "ignore_case") && json_is_boolean(value)) {
            step->ignore_case = json_is_true(value);
            known = true;
        } else if (step->kind == CHOICES && !strcmp(key, "ignore_punctuation") &&
                   json_is_boolean(value)) {
            step->ignore_punctuation = json_is_true(value);
            known = true;
        } else if (step->kind == CHOICES && !strcmp(key, "regexes_to_ignore") &&
                   (json_is_array(value) || json_is_null(value))) {
            int rc = check_regexes(value, source);
            if (rc)
                return rc;
            step->regexes_to_ignore = json_is_null(value) ? NULL : value;
            known = true;
        } else if (step->kind == MAP && !strcmp(key, "mapping_dict") && json_is_object(value)) {
            step->mapping = value;
            known = true;
        } else if (step->kind == MAP && !strcmp(key, "default_value")) {
            step->otherwise = value;
            known = true;
        } else if (step->kind == FIRST_K && !strcmp(key, "k") && json_integer_value(value) > 0) {
            step->k = (size_t)json_integer_value(value);
            known = have_k = true;
        }
        if (!known)
            return task_refuse(source, BASE_E_UNSUPPORTED, key,
                               "not an option of filter %s, or not of the right type", name);
    }
    if (step->kind == FIRST_K && !have_k)
        return task_refuse(source, BASE_E_FORMAT, "function", "take_first_k needs k");
    if (step->kind == REGEX || step->kind == CHOICES) {
        int rc = compile(pattern, &step->regex);
        if (rc)
            return task_refuse(source, rc, "regex_pattern", "%s", base_error_message());
    }
    return 0;
}

int task_filters_init(struct task_filter **out, size_t *n, const json_t *list,
                      const struct task_source *source, enum eval_output output)
{
    size_t count = json_is_array(list) ? json_array_size(list) : 0;
    *n = 0;
    *out = NULL;
    if (list && count == 0)
        return task_refuse(source, BASE_E_FORMAT, "filter_list", "expected a list of filters");
    struct task_filter *filters = base_alloc_zero(count ? count : 1, sizeof *filters);
    if (!filters)
        return BASE_E_MEMORY;
    *out = filters;
    *n = count ? count : 1;
    if (count == 0) { /* lm-eval's default */
        filters[0].name = "none";
        filters[0].steps = base_alloc_zero(1, sizeof *filters[0].steps);
        if (!filters[0].steps)
            return BASE_E_MEMORY;
        filters[0].n_steps = 1;
        filters[0].steps[0].kind = FIRST;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(list, i), *steps = json_object_get(entry, "filter");
        const char *key;
        json_t *value;
        filters[i].name = json_string_value(json_object_get(entry, "name"));
        if (!filters[i].name || !json_is_array(steps))
            return task_refuse(source, BASE_E_FORMAT, "filter_list",
                               "every entry needs name: and filter: (a list of steps)");
        json_object_foreach((json_t *)(uintptr_t)entry, key, value)
        {
            if (strcmp(key, "name") != 0 && strcmp(key, "filter") != 0)
                return task_refuse(source, BASE_E_UNSUPPORTED, key, "not a key of a filter");
        }
        filters[i].steps = base_alloc_zero(json_array_size(steps) + 1, sizeof *filters[i].steps);
        if (!filters[i].steps)
            return BASE_E_MEMORY;
        for (size_t j = 0; j < json_array_size(steps); j++) {
            int rc = read_step(&filters[i].steps[j], json_array_get(steps, j), source, output);
            filters[i].n_steps = j + 1;
            if (rc)
                return rc;
        }
    }
    return 0;
}

void task_filters_free(struct task_filter *filters, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < filters[i].n_steps; j++)
            pcre2_code_free(filters[i].steps[j].regex);
        base_free(filters[i].steps);
    }
    base_free(filters);
}

/* ---- applying ---- */

/* One response through one step that looks at it alone. null counts as "" for regex, as there. */
static int apply_one(const struct task_filter_step *step, const json_t *response, const json_t *doc,
                     json_t **out)
{
    const char *s = json_is_string(response) ? json_string_value(response) : "";
    char *mapped = NULL;
    json_t *found;
    switch (step->kind) {
    case REGEX:
        return apply_regex(step, s, out);
    case CHOICES:
        return apply_choices(step, s, doc, out);
    case LOWER:
    case UPPER:
        mapped = step->kind == LOWER ? python_lower(s) : python_upper(s);
        *out = mapped ? json_string(mapped) : NULL;
        base_free(mapped);
        break;
    case STRIP:
        *out = stripped(s, strlen(s));
        break;
    default: /* MAP */
        found = json_object_get(step->mapping, s);
        *out = found             ? json_incref(found)
               : step->otherwise ? json_incref((json_t *)(uintptr_t)step->otherwise)
                                 : json_null();
        break;
    }
    return *out ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
}

/* The most frequent element; the first of those with the same count. */
static json_t *majority(const json_t *list)
{
    size_t best = 0, most = 0, n = json_array_size(list);
    for (size_t i = 0; i < n; i++) {
        size_t count = 0;
        for (size_t j = 0; j < n; j++)
            count += (size_t)json_equal(json_array_get(list, i), json_array_get(list, j));
        if (count > most) {
            most = count;
            best = i;
        }
    }
    return json_array_get(list, best);
}

int task_filter_apply(const struct task_filter *f, const json_t *responses, const json_t *doc,
                      json_t **out, json_t **all)
{
    json_t *list = json_copy((json_t *)(uintptr_t)responses), *kept = NULL;
    bool chosen = false; /* list is one response, no longer a list */
    int rc = list ? 0 : base_error_set(BASE_E_MEMORY, "out of memory");
    for (size_t i = 0; rc == 0 && i < f->n_steps; i++) {
        const struct task_filter_step *step = &f->steps[i];
        if (chosen) {
            if (step->kind == FIRST)
                continue;
            rc = base_error_set(BASE_E_UNSUPPORTED,
                                "filter %s: a step after take_first has nothing to work on",
                                f->name);
            break;
        }
        if (step->kind >= FIRST && !kept)
            kept = json_incref(list);
        if (step->kind == FIRST_K && json_array_size(list) < step->k) {
            rc = base_error_set(BASE_E_FORMAT,
                                "filter %s: take_first_k needs %zu responses an item, there are "
                                "%zu: raise repeats",
                                f->name, step->k, json_array_size(list));
            break;
        }
        json_t *next = step->kind == FIRST ? json_incref(json_array_get(list, 0)) : json_array();
        chosen = step->kind == FIRST;
        if (!next)
            rc = chosen ? base_error_set(BASE_E_FORMAT, "an item has no response")
                        : base_error_set(BASE_E_MEMORY, "out of memory");
        if (step->kind == MAJORITY && json_array_append(next, majority(list)))
            rc = base_error_set(BASE_E_MEMORY, "out of memory");
        for (size_t j = 0; rc == 0 && !chosen && step->kind != MAJORITY &&
                           j < json_array_size(list) && (step->kind != FIRST_K || j < step->k);
             j++) {
            json_t *one = NULL;
            if (step->kind == FIRST_K)
                one = json_incref(json_array_get(list, j));
            else
                rc = apply_one(step, json_array_get(list, j), doc, &one);
            if (rc == 0 && json_array_append_new(next, one))
                rc = base_error_set(BASE_E_MEMORY, "out of memory");
        }
        json_decref(list);
        list = next;
    }
    if (rc) {
        json_decref(list);
        json_decref(kept);
        return rc;
    }
    *all = kept ? kept : json_incref(list);
    *out = list;
    return 0;
}
