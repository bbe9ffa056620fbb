/* The configuration file of a training run: YAML -> struct train_config, through one table.
 *
 * Every key stands once in `keys`: its dotted name, its type, where it lies in the struct, its
 * range and what a resumed run may do with it. Parsing, unknown-key messages, the printed
 * configuration and the comparison at resume all walk this table, so a key cannot be parsed and
 * then forgotten. A test checks that docs/train.md names each of them. */
#include "train/config.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include <math.h>
#include <string.h>

enum kind { INTEGER, NUMBER, FLAG, TEXT, TEXTS, CHOICE, PAIR, TREE };
struct key {
    const char *name;
    enum kind kind;
    size_t offset;
    double min, max;
    const char *const *choices;
    enum train_key_class class;
};
static const char *const format_names[] = { "text", "jsonl", "ids", NULL };
static const char *const packing_names[] = { "split", "whole", "none", NULL };
static const char *const resume_names[] = { "auto", "always", "never", NULL };
const char *const train_schedule_names[] = { "constant", "linear", "cosine", "wsd", NULL };
const char *const train_convention_names[] = { "hf", "llmc", NULL };
const char *const train_dtype_names[] = { "f32", "bf16", "f16", NULL };

#define AT(field) offsetof(struct train_config, field)
#define FREE      TRAIN_KEY_FREE
#define TUNED     TRAIN_KEY_TUNED
#define FIXED     TRAIN_KEY_FIXED
#define BIG       9007199254740992.0 /* 2^53: every integer below is a double */
static const struct key keys[] = {
    { "model.init", TREE, AT(model_init), 0, 0, NULL, FREE },
    { "model.config", TEXT, AT(model_config), 0, 0, NULL, FREE },
    { "model.base", TEXT, AT(model_base), 0, 0, NULL, FREE },
    { "tokenizer", TEXT, AT(tokenizer), 0, 0, NULL, FREE },
    { "data.train", TEXTS, AT(train), 0, 0, NULL, FREE },
    { "data.validation", TEXTS, AT(validation), 0, 0, NULL, FREE },
    { "data.format", CHOICE, AT(format), 0, 0, format_names, FREE },
    { "data.field", TEXT, AT(field), 0, 0, NULL, FREE },
    { "data.separator", TEXT, AT(separator), 0, 0, NULL, FREE },
    { "data.trim", FLAG, AT(trim), 0, 0, NULL, FREE },
    { "data.add_special", FLAG, AT(add_special), 0, 0, NULL, FREE },
    { "data.append_eos", FLAG, AT(append_eos), 0, 0, NULL, FREE },
    { "data.eos", TEXT, AT(eos), 0, 0, NULL, FREE },
    { "data.shuffle", FLAG, AT(shuffle), 0, 0, NULL, FIXED },
    { "sequence_length", INTEGER, AT(sequence_length), 0, 1 << 24, NULL, FIXED },
    { "packing", CHOICE, AT(packing), 0, 0, packing_names, FIXED },
    { "mask_documents", FLAG, AT(mask_documents), 0, 0, NULL, FIXED },
    { "batch_rows", INTEGER, AT(batch_rows), 1, 1 << 20, NULL, FIXED },
    { "micro_batch_rows", INTEGER, AT(micro_batch_rows), 0, 1 << 20, NULL, FREE },
    { "steps", INTEGER, AT(steps), 1, 1e12, NULL, TUNED },
    { "epochs", INTEGER, AT(epochs), 1, 1e6, NULL, TUNED },
    { "optimiser.lr", NUMBER, AT(lr), 0, 1e6, NULL, TUNED },
    { "optimiser.betas", PAIR, AT(betas), 0, 1, NULL, TUNED },
    { "optimiser.eps", NUMBER, AT(eps), 0, 1, NULL, TUNED },
    { "optimiser.weight_decay", NUMBER, AT(weight_decay), 0, 1e6, NULL, TUNED },
    { "schedule.name", CHOICE, AT(schedule), 0, 0, train_schedule_names, TUNED },
    { "schedule.convention", CHOICE, AT(convention), 0, 0, train_convention_names, TUNED },
    { "schedule.warmup_steps", INTEGER, AT(warmup_steps), 0, 1e12, NULL, TUNED },
    { "schedule.decay_steps", INTEGER, AT(decay_steps), 0, 1e12, NULL, TUNED },
    { "schedule.final_lr_fraction", NUMBER, AT(final_lr_fraction), 0, 1, NULL, TUNED },
    { "clip", NUMBER, AT(clip), 0, 1e9, NULL, TUNED },
    { "dropout", NUMBER, AT(dropout), 0, 0.999999, NULL, TUNED },
    { "recompute", FLAG, AT(recompute), 0, 0, NULL, FREE },
    { "seed", INTEGER, AT(seed), 0, BIG, NULL, FIXED },
    { "threads", INTEGER, AT(threads), 0, 65536, NULL, FREE },
    { "evaluation.every", INTEGER, AT(evaluation_every), 0, 1e12, NULL, FREE },
    { "evaluation.rows", INTEGER, AT(evaluation_rows), 0, 1e12, NULL, FREE },
    { "checkpoint.every", INTEGER, AT(checkpoint_every), 0, 1e12, NULL, FREE },
    { "checkpoint.keep", INTEGER, AT(checkpoint_keep), 1, 1e6, NULL, FREE },
    { "checkpoint.resume", CHOICE, AT(resume), 0, 0, resume_names, FREE },
    { "output", TEXT, AT(output), 0, 0, NULL, FREE },
    { "save_dtype", CHOICE, AT(save_dtype), 0, 0, train_dtype_names, FREE },
    { "log.every", INTEGER, AT(log_every), 1, 1e12, NULL, FREE },
};
enum { KEYS = sizeof keys / sizeof keys[0] };

size_t train_key_count(void)
{
    return KEYS;
}
const char *train_key_name(size_t i)
{
    return keys[i].name;
}
enum train_key_class train_key_class(size_t i)
{
    return keys[i].class;
}

/* ---- where a key stands, and which one was meant ---- */

static const char *last_part(const char *dotted)
{
    const char *dot = strrchr(dotted, '.');
    return dot ? dot + 1 : dotted;
}
/* The first line (1-based) of the file on which the last part of the dotted key is followed by a
 * colon; 0 when there is none (the key came from an override). */
static size_t line_of(const char *text, const char *dotted)
{
    const char *key = last_part(dotted);
    size_t n = strlen(key), line = 1;
    for (const char *p = text; p && *p; p++) {
        if (*p == '\n') {
            line++;
            continue;
        }
        bool starts = p == text || strchr(" \t\n{,\"'", p[-1]) != NULL;
        if (!starts || strncmp(p, key, n) != 0)
            continue;
        const char *q = p + n;
        while (*q == '"' || *q == '\'' || *q == ' ')
            q++;
        if (*q == ':')
            return line;
    }
    return 0;
}
/* Levenshtein distance of short strings (beyond 64 bytes: far). */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[65];
    if (n > 64 || m > 64)
        return 1000;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[m];
}
/* The known key nearest to an unknown one: whole names are compared, and also the last parts, so
 * that a top-level "lr" finds "optimiser.lr". */
static const char *nearest(const char *unknown)
{
    const char *best = keys[0].name;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < KEYS; i++) {
        const char *tail = last_part(unknown), *known = last_part(keys[i].name);
        size_t whole = 2 * distance(unknown, keys[i].name),
               part = strncmp(known, tail, strlen(tail)) == 0 && strlen(tail) > 2
                          ? 3
                          : 2 * distance(tail, known) + 4,
               d = whole < part ? whole : part;
        size_t section = (size_t)(tail - unknown);
        if (section && strncmp(unknown, keys[i].name, section) == 0)
            d = d < 3 ? 0 : d - 3; /* a key of the section it stands in is more likely meant */
        if (d < least) {
            least = d;
            best = keys[i].name;
        }
    }
    return best;
}
struct source {
    const char *name, *text;
};
enum { PLACE = 512 };
/* "train.yaml:12: optimiser.lr" for messages, in the given buffer of PLACE bytes. */
static const char *place(const struct source *s, const char *key, char *buffer)
{
    size_t line = line_of(s->text, key);
    if (line)
        snprintf(buffer, PLACE, "%s:%zu: %s", s->name, line, key);
    else
        snprintf(buffer, PLACE, "%s: %s", s->name, key);
    return buffer;
}

/* ---- one value ---- */

static const char *type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "a mapping";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return "null";
    default:
        return "a boolean";
    }
}
static int expected(const struct source *s, const struct key *k, const char *what, const json_t *v)
{
    char where[PLACE], shown[64] = "";
    if (json_is_string(v))
        snprintf(shown, sizeof shown, " \"%.48s\"", json_string_value(v));
    return base_error_set(BASE_E_FORMAT, "%s: expected %s, got %s%s", place(s, k->name, where),
                          what, type_name(v), shown);
}
static int in_range(const struct source *s, const struct key *k, double x)
{
    char where[PLACE];
    if (x >= k->min && x <= k->max)
        return 0;
    return base_error_set(BASE_E_FORMAT, "%s: expected a value from %g to %g, got %g",
                          place(s, k->name, where), k->min, k->max, x);
}
static void strings_free(struct train_strings *s)
{
    for (size_t i = 0; i < s->count; i++)
        base_free(s->at[i]);
    base_free(s->at);
    *s = (struct train_strings){ 0 };
}
static int strings_set(const struct source *s, const struct key *k, struct train_strings *out,
                       const json_t *v)
{
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    strings_free(out);
    out->at = base_alloc_zero(n, sizeof *out->at);
    if (!out->at)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_is_array(v) ? json_array_get(v, i) : v;
        if (!json_is_string(one))
            return expected(s, k, "a string or a list of strings", one);
        out->at[i] = base_strdup(json_string_value(one));
        if (!out->at[i])
            return BASE_E_MEMORY;
        out->count++;
    }
    return 0;
}
static int choice_set(const struct source *s, const struct key *k, int *at, const json_t *v)
{
    struct base_buffer list = { 0 };
    for (size_t i = 0; k->choices[i]; i++) {
        if (json_is_string(v) && strcmp(json_string_value(v), k->choices[i]) == 0) {
            base_buffer_free(&list);
            *at = (int)i;
            return 0;
        }
        base_buffer_printf(&list, "%s%s", i ? ", " : "one of ", k->choices[i]);
    }
    int rc = expected(s, k, list.data ? list.data : "another value", v);
    base_buffer_free(&list);
    return rc;
}
static int value_set(const struct source *s, const struct key *k, struct train_config *c, json_t *v)
{
    void *at = (char *)c + k->offset;
    int rc;
    switch (k->kind) {
    case INTEGER: {
        /* 1e5 and 2.0 are integers to the person who wrote them */
        double x = json_number_value(v);
        if (!json_is_integer(v) && !(json_is_real(v) && x == floor(x)))
            return expected(s, k, "an integer", v);
        rc = in_range(s, k, x);
        if (!rc)
            *(int64_t *)at = (int64_t)x; /* exact: the range is within 2^53 */
        return rc;
    }
    case NUMBER:
        if (!json_is_number(v))
            return expected(s, k, "a number", v);
        rc = in_range(s, k, json_number_value(v));
        if (!rc)
            *(double *)at = json_number_value(v);
        return rc;
    case PAIR:
        if (!json_is_array(v) || json_array_size(v) != 2)
            return expected(s, k, "a list of two numbers", v);
        for (size_t i = 0; i < 2; i++) {
            const json_t *one = json_array_get(v, i);
            if (!json_is_number(one))
                return expected(s, k, "two numbers", one);
            rc = in_range(s, k, json_number_value(one));
            if (rc)
                return rc;
            ((double *)at)[i] = json_number_value(one);
        }
        return 0;
    case FLAG:
        if (!json_is_boolean(v))
            return expected(s, k, "true or false", v);
        *(bool *)at = json_is_true(v);
        return 0;
    case TEXT: {
        if (!json_is_string(v))
            return expected(s, k, "a string", v);
        char *copy = base_strdup(json_string_value(v));
        if (!copy)
            return BASE_E_MEMORY;
        base_free(*(char **)at);
        *(char **)at = copy;
        return 0;
    }
    case TEXTS:
        return strings_set(s, k, at, v);
    case TREE:
        if (!json_is_object(v))
            return expected(s, k, "a mapping (a model configuration)", v);
        json_decref(*(json_t **)at);
        *(json_t **)at = json_incref(v);
        return 0;
    case CHOICE:
        return choice_set(s, k, at, v);
    }
    return 0;
}

/* ---- the whole file ---- */

static int walk(const struct source *s, struct train_config *c, const char *prefix, json_t *object)
{
    const char *name;
    json_t *v;
    char dotted[256], where[PLACE];
    json_object_foreach(object, name, v)
    {
        snprintf(dotted, sizeof dotted, "%s%s%s", prefix, *prefix ? "." : "", name);
        size_t n = strlen(dotted);
        const struct key *found = NULL;
        bool section = false;
        for (size_t i = 0; i < KEYS; i++) {
            if (strcmp(keys[i].name, dotted) == 0)
                found = &keys[i];
            section = section || (strncmp(keys[i].name, dotted, n) == 0 && keys[i].name[n] == '.');
        }
        if (json_is_null(v) && (found || section))
            continue; /* null leaves the default */
        int rc;
        if (found)
            rc = value_set(s, found, c, v);
        else if (section && json_is_object(v))
            rc = walk(s, c, dotted, v);
        else if (section)
            rc = base_error_set(BASE_E_FORMAT, "%s: expected a mapping, got %s",
                                place(s, dotted, where), type_name(v));
        else
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: unknown key (nearest known key: %s; docs/train.md lists all)",
                                place(s, dotted, where), nearest(dotted));
        if (rc)
            return rc;
    }
    return 0;
}
/* Puts "a.b=value" into the tree as if the file had said so. */
static int override_apply(json_t *root, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return base_error_set(BASE_E_ARGUMENT,
                              "--set %s: expected key=value, such as optimiser.lr=1e-3", text);
    struct base_buffer yaml = { 0 };
    json_t *wrapped = NULL, *at = root;
    char *key = base_strndup(text, (size_t)(equals - text));
    int rc = key ? base_buffer_printf(&yaml, "v: %s\n", equals + 1) : BASE_E_MEMORY;
    if (rc)
        goto out;
    rc = base_yaml_parse(&wrapped, yaml.data, yaml.length, "--set");
    if (rc)
        goto out;
    json_t *value = json_object_get(wrapped, "v");
    char *part = key, *dot;
    while ((dot = strchr(part, '.'))) {
        *dot = 0;
        json_t *next = json_object_get(at, part);
        if (!json_is_object(next)) {
            next = json_object();
            if (!next || json_object_set_new(at, part, next)) {
                rc = base_error_set(BASE_E_MEMORY, "--set %s: out of memory", text);
                goto out;
            }
        }
        at = next;
        part = dot + 1;
    }
    if (json_object_set(at, part, value))
        rc = base_error_set(BASE_E_FORMAT, "--set %s: not a usable key and value", text);
out:
    json_decref(wrapped);
    base_buffer_free(&yaml);
    base_free(key);
    return rc;
}
static int text_default(char **at, const char *value)
{
    *at = base_strdup(value);
    return *at ? 0 : BASE_E_MEMORY;
}
static int check(const struct train_config *c)
{
    int sources = (c->model_init != NULL) + (c->model_config != NULL) + (c->model_base != NULL);
    if (sources != 1)
        return base_error_set(
            BASE_E_FORMAT,
            "%s: model: expected exactly one of init (a new model's configuration), "
            "config (a file with one) and base (a model to continue from), got %d",
            c->name, sources);
    if (!c->train.count)
        return base_error_set(BASE_E_FORMAT, "%s: data.train: expected at least one file", c->name);
    if (!c->output || !*c->output)
        return base_error_set(BASE_E_FORMAT, "%s: output: expected a directory to write to",
                              c->name);
    if ((c->steps > 0) == (c->epochs > 0))
        return base_error_set(BASE_E_FORMAT, "%s: expected exactly one of steps and epochs, got %s",
                              c->name, c->steps > 0 ? "both" : "neither");
    if (!c->tokenizer && !c->model_base && c->format != TRAIN_IDS)
        return base_error_set(BASE_E_FORMAT,
                              "%s: tokenizer: expected a directory or tokenizer.json (a new model "
                              "has none of its own)",
                              c->name);
    if (!(c->betas[0] < 1 && c->betas[1] < 1))
        return base_error_set(BASE_E_FORMAT,
                              "%s: optimiser.betas: expected values below 1, got %g and %g",
                              c->name, c->betas[0], c->betas[1]);
    if (c->micro_batch_rows > c->batch_rows)
        return base_error_set(BASE_E_FORMAT,
                              "%s: micro_batch_rows: expected at most batch_rows = %lld, got %lld",
                              c->name, (long long)c->batch_rows, (long long)c->micro_batch_rows);
    return 0;
}
int train_config_parse(struct train_config **out, const char *text, size_t bytes, const char *name,
                       const char *const *overrides, size_t n)
{
    *out = NULL;
    json_t *root = NULL;
    struct train_config *c = base_alloc_zero(1, sizeof *c);
    if (!c)
        return BASE_E_MEMORY;
    *c = (struct train_config){
        .trim = true,
        .add_special = true,
        .append_eos = true,
        .shuffle = true,
        .mask_documents = true,
        .batch_rows = 8,
        .lr = 1e-3,
        .betas = { 0.9, 0.999 },
        .eps = 1e-8,
        .weight_decay = 0.01,
        .decay_steps = -1,
        .clip = 1.0,
        .checkpoint_every = 500,
        .checkpoint_keep = 2,
        .log_every = 10,
    };
    int rc = text_default(&c->name, name);
    if (!rc)
        rc = text_default(&c->field, "text");
    if (!rc)
        rc = text_default(&c->separator, "<|endoftext|>");
    if (!rc)
        rc = base_yaml_parse(&root, text, bytes, name);
    if (!rc && !json_is_object(root))
        rc = base_error_set(BASE_E_FORMAT, "%s: expected a mapping of keys, got %s", name,
                            type_name(root));
    for (size_t i = 0; i < n && !rc; i++)
        rc = override_apply(root, overrides[i]);
    if (!rc)
        rc = walk(&(struct source){ name, text }, c, "", root);
    if (!rc)
        rc = check(c);
    json_decref(root);
    if (rc)
        train_config_free(c);
    else
        *out = c;
    return rc;
}
int train_config_load(struct train_config **out, const char *path, const char *const *overrides,
                      size_t n)
{
    char *text = NULL;
    size_t bytes;
    *out = NULL;
    int rc = base_file_read(path, (size_t)16 << 20, &text, &bytes);
    if (!rc)
        rc = train_config_parse(out, text, bytes, path, overrides, n);
    base_free(text);
    return rc;
}
void train_config_free(struct train_config *c)
{
    if (!c)
        return;
    json_decref(c->model_init);
    base_free(c->name);
    base_free(c->model_config);
    base_free(c->model_base);
    base_free(c->tokenizer);
    strings_free(&c->train);
    strings_free(&c->validation);
    base_free(c->field);
    base_free(c->separator);
    base_free(c->eos);
    base_free(c->output);
    base_free(c);
}
const char *train_config_output(const struct train_config *c)
{
    return c->output;
}

/* ---- back to JSON ---- */

json_t *train_key_value(const struct train_config *c, size_t i)
{
    const void *at = (const char *)c + keys[i].offset;
    switch (keys[i].kind) {
    case INTEGER:
        /* unset steps and epochs are 0, an unset decay is -1: below their range */
        if ((double)*(const int64_t *)at < keys[i].min)
            return json_null();
        return json_integer(*(const int64_t *)at);
    case NUMBER:
        return base_json_number(*(const double *)at);
    case PAIR:
        return json_pack("[f,f]", ((const double *)at)[0], ((const double *)at)[1]);
    case FLAG:
        return json_boolean(*(const bool *)at);
    case TEXT:
        return *(char *const *)at ? json_string(*(char *const *)at) : json_null();
    case CHOICE:
        return json_string(keys[i].choices[*(const int *)at]);
    case TREE:
        return *(json_t *const *)at ? json_incref(*(json_t *const *)at) : json_null();
    case TEXTS: {
        const struct train_strings *s = at;
        json_t *list = json_array();
        for (size_t j = 0; list && j < s->count; j++)
            json_array_append_new(list, json_string(s->at[j]));
        return list;
    }
    }
    return NULL;
}
json_t *train_config_recipe(const struct train_config *c)
{
    json_t *o = json_object();
    for (size_t i = 0; o && i < KEYS; i++)
        if (keys[i].class != FREE && json_object_set_new(o, keys[i].name, train_key_value(c, i))) {
            json_decref(o);
            o = NULL;
        }
    if (!o)
        base_error_set(BASE_E_MEMORY, "%s: out of memory", c->name);
    return o;
}
json_t *train_config_json(const struct train_config *c)
{
    json_t *root = json_object();
    for (size_t i = 0; root && i < KEYS; i++) {
        const char *dot = strchr(keys[i].name, '.');
        json_t *at = root;
        if (dot) {
            char section[64];
            snprintf(section, sizeof section, "%.*s", (int)(dot - keys[i].name), keys[i].name);
            at = json_object_get(root, section);
            if (!at) {
                at = json_object();
                json_object_set_new(root, section, at);
            }
        }
        json_object_set_new(at, last_part(keys[i].name), train_key_value(c, i));
    }
    return root;
}
