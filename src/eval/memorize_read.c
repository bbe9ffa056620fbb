/* Items and texts for the memorization measures out of record files: see memorize.h. Which keys
 * hold what is found in the first row by usual names unless it is said; a later row that lacks one
 * of them is an error with its line. */
#include "base/hash.h"
#include "base/memory.h"
#include "eval/fields.h"
#include <assay/data.h>
#include <assay/memorize.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const exact_names[] = { "exact", "seen_prompt", "prompt", "question", NULL };
static const char *const paraphrase_names[] = { "paraphrases", "paraphrase", NULL };
static const char *const target_names[] = { "target", "answer", "completion", NULL };
static const char *const counterfactual_names[] = { "counterfactual", NULL };
static const char *const dose_names[] = { "repeats", "repetitions", "dose", NULL };
static const char *const id_names[] = { "id", NULL };
static const char *const text_names[] = { "text", "input", "content", NULL };
static const char *const label_names[] = { "member", "label", NULL };

/* ---- items ---- */

static int keep(struct eval_memorize_set *s, char *text)
{
    if (s->n_strings == s->string_room) {
        size_t room = s->string_room * 2 + 256;
        char **more = base_realloc(s->strings, room, sizeof *more);
        if (!more) {
            base_free(text);
            return BASE_E_MEMORY;
        }
        s->strings = more;
        s->string_room = room;
    }
    s->strings[s->n_strings++] = text;
    return 0;
}

static int take_text(struct eval_memorize_set *s, const json_t *row, const char *pattern,
                     const char *where, const char *before, const char **out)
{
    char *text, *whole = NULL;
    int rc = eval_field_fill(row, pattern, where, &text);
    if (rc)
        return rc;
    whole = *before ? base_format("%s%s", before, text) : text;
    if (whole != text)
        base_free(text);
    if (!whole)
        return BASE_E_MEMORY;
    *out = whole;
    return keep(s, whole);
}

/* The paraphrases of all keys; a key may hold a list of texts. */
static int take_paraphrases(struct eval_memorize_set *s, const json_t *row, const char *where,
                            struct eval_memorize_item *item)
{
    size_t most = 0, n = 0;
    for (size_t k = 0; k < s->keys.n_paraphrases; k++) {
        const json_t *v = eval_field_find(row, s->keys.paraphrases[k]);
        most += json_is_array(v) ? json_array_size(v) : 1;
    }
    if (most == 0)
        return 0;
    const char **list = base_alloc(most, sizeof *list);
    if (!list)
        return BASE_E_MEMORY;
    int rc = keep(s, (char *)list);
    for (size_t k = 0; rc == 0 && k < s->keys.n_paraphrases; k++) {
        const char *name = s->keys.paraphrases[k];
        const json_t *v = eval_field_find(row, name);
        for (size_t i = 0; rc == 0 && json_is_array(v) && i < json_array_size(v); i++) {
            const char *text = json_string_value(json_array_get(v, i));
            char *copy = text ? base_strdup(text) : NULL;
            if (!text)
                rc = base_error_set(BASE_E_FORMAT, "%s: \"%s\": entry %zu is not text", where, name,
                                    i);
            else
                rc = copy ? keep(s, copy) : BASE_E_MEMORY;
            list[n++] = copy;
        }
        if (rc == 0 && !json_is_array(v))
            rc = take_text(s, row, name, where, "", &list[n++]);
    }
    item->paraphrases = list;
    item->n_paraphrases = n;
    return rc;
}

/* Items of one exact prompt and target (or of one value of --cluster) belong together. */
static int cluster_of(struct base_table *clusters, const struct eval_memorize_item *item,
                      const char *given, size_t *out)
{
    char *key = given ? base_strdup(given) : base_format("%s\x1f%s", item->exact, item->target);
    if (!key)
        return BASE_E_MEMORY;
    const int64_t *known = base_table_get(clusters, key, strlen(key));
    int64_t id = known ? *known : (int64_t)base_table_count(clusters);
    int rc = known ? 0 : base_table_put(clusters, key, strlen(key), id);
    *out = (size_t)id;
    base_free(key);
    return rc;
}

static int item_read(struct eval_memorize_set *s, const json_t *row, const char *where,
                     struct base_table *clusters)
{
    if (s->n == s->room) {
        size_t room = s->room * 2 + 64;
        struct eval_memorize_item *items = base_realloc(s->items, room, sizeof *items);
        if (items)
            s->items = items;
        const char **ids = items ? base_realloc(s->ids, room, sizeof *ids) : NULL;
        if (!ids)
            return BASE_E_MEMORY;
        s->ids = ids;
        s->room = room;
    }
    struct eval_memorize_item *item = &s->items[s->n];
    const struct eval_memorize_keys *k = &s->keys;
    const char *cluster = NULL;
    *item = (struct eval_memorize_item){ .dose = NAN };
    int rc = take_text(s, row, k->exact, where, "", &item->exact);
    if (rc == 0)
        rc = take_text(s, row, k->target, where, k->delimiter, &item->target);
    if (rc == 0 && strlen(item->target) == strlen(k->delimiter))
        rc = base_error_set(BASE_E_FORMAT, "%s: \"%s\" is empty: nothing to predict", where,
                            k->target);
    if (rc == 0)
        rc = take_paraphrases(s, row, where, item);
    if (rc == 0 && k->counterfactual)
        rc = take_text(s, row, k->counterfactual, where, k->delimiter, &item->counterfactual);
    if (rc == 0 && item->counterfactual && strcmp(item->counterfactual, item->target) == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: \"%s\" and \"%s\" are the same text", where,
                            k->target, k->counterfactual);
    if (rc == 0 && k->dose)
        rc = eval_field_number(row, k->dose, where, &item->dose);
    if (rc == 0 && k->dose && !(item->dose >= 0))
        rc = base_error_set(BASE_E_FORMAT, "%s: \"%s\" is %g: expected 0 or more", where, k->dose,
                            item->dose);
    if (rc == 0 && k->cluster)
        rc = take_text(s, row, k->cluster, where, "", &cluster);
    if (rc == 0 && k->id) {
        rc = take_text(s, row, k->id, where, "", &s->ids[s->n]);
    } else if (rc == 0) {
        char *number = base_format("%zu", s->n);
        s->ids[s->n] = number;
        rc = number ? keep(s, number) : BASE_E_MEMORY;
    }
    if (rc == 0)
        rc = cluster_of(clusters, item, cluster, &item->cluster);
    s->n += rc == 0;
    return rc;
}

static int keys_find(struct eval_memorize_set *s, const json_t *row, const char *where)
{
    struct eval_memorize_keys *k = &s->keys;
    if (!k->exact)
        k->exact = eval_field_first(row, exact_names);
    if (!k->target)
        k->target = eval_field_first(row, target_names);
    if (!k->exact || !k->target)
        return base_error_set(
            BASE_E_FORMAT, "%s: no %s: say which key holds it with --%s (usual names: %s)", where,
            k->exact ? "target" : "exact prompt", k->exact ? "target" : "exact",
            k->exact ? "target, answer, completion" : "exact, seen_prompt, prompt, question");
    if (k->n_paraphrases == 0) {
        const char *found = eval_field_first(row, paraphrase_names);
        if (!found && strcmp(k->exact, "seen_prompt") == 0 && eval_field_find(row, "prompt"))
            found = "prompt";
        s->found_paraphrase[0] = found;
        k->paraphrases = s->found_paraphrase;
        k->n_paraphrases = found != NULL;
    }
    if (!k->counterfactual)
        k->counterfactual = eval_field_first(row, counterfactual_names);
    if (!k->dose)
        k->dose = eval_field_first(row, dose_names);
    if (!k->id)
        k->id = eval_field_first(row, id_names);
    return 0;
}

int eval_memorize_read(struct eval_memorize_set *s, const char *path,
                       const struct eval_memorize_keys *keys, size_t limit)
{
    *s = (struct eval_memorize_set){ .keys = *keys };
    if (!s->keys.delimiter)
        s->keys.delimiter = " ";
    struct data_records *records = NULL;
    struct base_table *clusters = NULL;
    json_t *row = NULL;
    int rc = data_records_open(&records, path, NULL);
    if (rc == 0)
        rc = base_table_new(&clusters, 256);
    while (rc == 0 && !(limit && s->n == limit) && (rc = data_records_next(records, &row)) > 0) {
        const char *where = data_records_place(records);
        rc = s->n == 0 ? keys_find(s, row, where) : 0;
        if (rc == 0)
            rc = item_read(s, row, where, clusters);
        json_decref(row);
    }
    s->clusters = clusters ? base_table_count(clusters) : 0;
    base_table_free(clusters);
    data_records_close(records);
    if (rc == 0 && s->n == 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: there are no records", path);
    if (rc)
        eval_memorize_set_free(s);
    return rc;
}

void eval_memorize_set_free(struct eval_memorize_set *s)
{
    for (size_t i = 0; i < s->n_strings; i++)
        base_free(s->strings[i]);
    base_free(s->strings);
    base_free(s->items);
    base_free(s->ids);
    *s = (struct eval_memorize_set){ 0 };
}

/* ---- labelled texts ---- */

static int label_of(const json_t *row, const char *name, const char *where, bool *out)
{
    static const char *const yes[] = { "member", "members", "true", "yes", "train", "seen", "in" };
    static const char *const no[] = { "non-member", "nonmember", "non-members", "false", "no",
                                      "test",       "unseen",    "heldout",     "out" };
    const json_t *v = eval_field_find(row, name);
    const char *s = json_string_value(v);
    double number;
    for (size_t i = 0; s && i < sizeof yes / sizeof *yes; i++)
        if (strcasecmp(s, yes[i]) == 0) {
            *out = true;
            return 0;
        }
    for (size_t i = 0; s && i < sizeof no / sizeof *no; i++)
        if (strcasecmp(s, no[i]) == 0) {
            *out = false;
            return 0;
        }
    if (eval_field_number(row, name, where, &number))
        return s ? base_error_set(BASE_E_FORMAT,
                                  "%s: \"%s\" is \"%.60s\": expected member or non-member, true or "
                                  "false, or a number (more than 0 is a member)",
                                  where, name, s)
                 : BASE_E_FORMAT;
    *out = number > 0;
    return 0;
}

static int text_keep(struct eval_member_set *s, char *text, const char *id, bool label)
{
    if (s->n == s->room) {
        size_t room = s->room * 2 + 64;
        char **texts = base_realloc(s->texts, room, sizeof *texts);
        if (texts)
            s->texts = texts;
        size_t *bytes = texts ? base_realloc(s->bytes, room, sizeof *bytes) : NULL;
        if (bytes)
            s->bytes = bytes;
        char **ids = bytes ? base_realloc(s->ids, room, sizeof *ids) : NULL;
        if (ids)
            s->ids = ids;
        bool *labels = ids ? base_realloc(s->label, room, sizeof *labels) : NULL;
        if (!labels) {
            base_free(text);
            return BASE_E_MEMORY;
        }
        s->label = labels;
        s->room = room;
    }
    char *name = base_strdup(id);
    if (!name) {
        base_free(text);
        return BASE_E_MEMORY;
    }
    s->texts[s->n] = text;
    s->bytes[s->n] = strlen(text);
    s->ids[s->n] = name;
    s->label[s->n++] = label;
    return 0;
}

int eval_members_read(struct eval_member_set *s, const char *path, const char *text_key,
                      const char *label_key, const bool *label, size_t limit)
{
    struct data_records *records = NULL;
    json_t *row = NULL;
    size_t count = 0;
    int rc = data_records_open(&records, path, NULL);
    while (rc == 0 && !(limit && count == limit) && (rc = data_records_next(records, &row)) > 0) {
        const char *where = data_records_place(records);
        char *text = NULL;
        bool member = label && *label;
        rc = 0;
        if (!text_key && !(text_key = eval_field_first(row, text_names)))
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: no text: say which key holds it with --text (usual names: "
                                "text, input, content)",
                                where);
        if (rc == 0 && !label && !label_key && !(label_key = eval_field_first(row, label_names)))
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: no label: say which key tells members with --label (usual "
                                "names: member, label), or give --members and --others",
                                where);
        if (rc == 0 && !label)
            rc = label_of(row, label_key, where, &member);
        if (rc == 0)
            rc = eval_field_fill(row, text_key, where, &text);
        if (rc == 0 && !*text) {
            rc = base_error_set(BASE_E_FORMAT, "%s: \"%s\" is empty", where, text_key);
            base_free(text);
        }
        if (rc == 0)
            rc = text_keep(s, text, where, member);
        count += rc == 0;
        json_decref(row);
    }
    data_records_close(records);
    return rc;
}

void eval_member_set_free(struct eval_member_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        base_free(s->texts[i]);
        base_free(s->ids[i]);
    }
    base_free(s->texts);
    base_free(s->bytes);
    base_free(s->ids);
    base_free(s->label);
    *s = (struct eval_member_set){ 0 };
}
