/* Classifiers as files; the format is in model.h. Nothing of a file is believed before it is
 * checked: sizes against what is left, names, order of terms, finiteness of every number. */
#include "classify/model.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/reader.h"
#include "base/text.h"
#include <math.h>
#include <string.h>

static const char magic[8] = { 'A', 'S', 'S', 'A', 'Y', 'C', 'L', 'F' };
enum { VERSION = 1 };
static const size_t most_header = (size_t)256 << 20, most_columns = (size_t)1 << 31;

int classify_model_train(struct classify_model *m, const struct classify_data *d,
                         const struct classify_columns *columns,
                         const struct classify_text_options *text,
                         const struct classify_words *stop, bool standardise,
                         struct classify_strategy strategy, const struct classify_fit_options *o)
{
    *m = (struct classify_model){ .linear = o->linear, .rows = d->rows, .seed = o->seed };
    struct classify_matrix x = { 0 }, coded = { 0 };
    bool with_coded = strategy.resampler == CLASSIFY_RESAMPLE_SMOTENC && columns->categories;
    int rc = classify_features_fit(&m->features, d, columns, text, stop, standardise, NULL, 0);
    if (!rc)
        rc = classify_features_rows(&m->features, d, NULL, 0, false, &x);
    if (!rc && with_coded)
        rc = classify_features_rows(&m->features, d, NULL, 0, true, &coded);
    if (!rc)
        rc = classify_fit(&m->fitted, strategy, o, &m->features, &x, with_coded ? &coded : NULL,
                          d->y, d->classes, classify_data_names(d));
    if (!rc && !(m->label = base_alloc_zero(d->classes, sizeof *m->label)))
        rc = BASE_E_MEMORY;
    for (size_t k = 0; k < d->classes && !rc; k++)
        if (!(m->label[k] = base_strdup(d->label[k])))
            rc = BASE_E_MEMORY;
    if (!rc && !(m->strategy = base_strdup(classify_strategy_name(strategy))))
        rc = BASE_E_MEMORY;
    classify_matrix_free(&x);
    classify_matrix_free(&coded);
    if (rc)
        classify_model_free(m);
    return rc;
}

/* ---- writing ---- */

static json_t *json_words(const struct classify_words *w)
{
    json_t *list = json_array();
    for (size_t i = 0; i < w->n; i++)
        json_array_append_new(
            list, base_json_text(w->bytes + w->first[i], w->first[i + 1] - w->first[i]));
    return list;
}

static json_t *json_doubles(const double *x, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, base_json_number(x[i]));
    return list;
}

static json_t *header_make(const struct classify_model *m)
{
    const struct classify_features *f = &m->features;
    const struct classify_text_options *t = &f->text.options;
    json_t *labels = json_array(), *numbers = json_array(), *categories = json_array();
    for (size_t k = 0; k < m->fitted.classes; k++)
        json_array_append_new(labels, base_json_text(m->label[k], strlen(m->label[k])));
    for (size_t j = 0; j < f->numbers; j++)
        json_array_append_new(numbers, json_pack("{s:o, s:o, s:o}", "name",
                                                 base_json_text(f->number[j], strlen(f->number[j])),
                                                 "mean", base_json_number(f->mean[j]), "scale",
                                                 base_json_number(f->scale[j])));
    for (size_t j = 0; j < f->categories; j++)
        json_array_append_new(categories,
                              json_pack("{s:o, s:o}", "name",
                                        base_json_text(f->category[j], strlen(f->category[j])),
                                        "levels", json_words(&f->level[j])));
    json_t *text = json_null();
    if (f->has_text)
        text = json_pack("{s:o, s:I, s:I, s:I, s:I, s:b, s:b, s:b, s:s}", "column",
                         base_json_text(f->text_column, strlen(f->text_column)), "terms",
                         (json_int_t)f->text.terms.n, "stop", (json_int_t)f->text.stop.n,
                         "ngram_min", (json_int_t)t->ngram_min, "ngram_max",
                         (json_int_t)t->ngram_max, "keep_case", t->keep_case, "sublinear",
                         t->sublinear, "binary", t->binary, "norm", classify_norm_names[t->norm]);
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "learner",
        classify_learner_names[m->linear.learner], "strategy", m->strategy, "solver",
        classify_solver_names[m->linear.solver], "c", base_json_number(m->linear.c), "tolerance",
        base_json_number(m->linear.tolerance), "bias", base_json_number(m->linear.bias), "rows",
        (json_int_t)m->rows, "seed", (json_int_t)m->seed, "labels", labels, "share",
        json_doubles(m->fitted.share, m->fitted.classes), "trained_share",
        json_doubles(m->fitted.trained_share, m->fitted.classes), "text", text, "numbers", numbers,
        "categories", categories);
}

static int put_u32(struct base_buffer *b, size_t x)
{
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(x >> 8 * i);
    return base_buffer_append(b, bytes, sizeof bytes);
}

static int put_u64(struct base_buffer *b, uint64_t x)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(x >> 8 * i);
    return base_buffer_append(b, bytes, sizeof bytes);
}

static int put_doubles(struct base_buffer *b, const double *x, size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        uint64_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        rc = put_u64(b, bits);
    }
    return rc;
}

static int put_words(struct base_buffer *b, const struct classify_words *w)
{
    int rc = 0;
    for (size_t i = 0; i < w->n && !rc; i++) {
        size_t n = w->first[i + 1] - w->first[i];
        rc = put_u32(b, n);
        if (!rc)
            rc = base_buffer_append(b, w->bytes + w->first[i], n);
    }
    return rc;
}

int classify_model_save(const struct classify_model *m, const char *path)
{
    struct base_buffer b = { 0 };
    json_t *header = header_make(m);
    char *text = header ? base_json_dump(header, false) : NULL;
    int rc = text ? 0 : base_error_set(BASE_E_MEMORY, "out of memory while writing %s", path);
    if (!rc && strlen(text) > most_header)
        rc = base_error_set(BASE_E_LIMIT, "%s: %zu bytes of labels and levels", path, strlen(text));
    if (!rc)
        rc = base_buffer_append(&b, magic, sizeof magic);
    if (!rc)
        rc = put_u32(&b, VERSION);
    if (!rc)
        rc = put_u32(&b, strlen(text));
    if (!rc)
        rc = base_buffer_puts(&b, text);
    if (!rc && m->features.has_text) {
        rc = put_words(&b, &m->features.text.terms);
        if (!rc)
            rc = put_words(&b, &m->features.text.stop);
        if (!rc)
            rc = put_doubles(&b, m->features.text.idf, m->features.text.terms.n);
    }
    if (!rc)
        rc = put_doubles(&b, m->fitted.w, m->fitted.outputs * (m->fitted.columns + 1));
    if (!rc)
        rc = put_u64(&b, base_hash64(b.data, b.length, 1));
    if (!rc)
        rc = base_file_write(path, b.data, b.length);
    json_decref(header);
    base_free(text);
    base_buffer_free(&b);
    return rc;
}

/* ---- reading ---- */

static int bad(const char *name, const char *what)
{
    return base_error_set(BASE_E_FORMAT, "%s: %s: not a classifier of assay classify --save", name,
                          what);
}

static int choose(const char *name, const char *key, const char *value, const char *const *names,
                  size_t n, int *out)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(value, names[i]) == 0) {
            *out = (int)i;
            return 0;
        }
    return base_error_set(BASE_E_FORMAT, "%s: %s: '%s' is not known", name, key, value);
}

static json_t *list_of(const json_t *object, const char *key, const char *name, int *rc)
{
    json_t *list = json_object_get(object, key);
    if (!*rc && !json_is_array(list))
        *rc = base_error_set(BASE_E_FORMAT, "%s: %s: expected a list", name, key);
    return *rc ? NULL : list;
}

static int string_of(const json_t *value, const char *name, const char *key, char **out)
{
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
        return base_error_set(BASE_E_FORMAT, "%s: %s: expected a text", name, key);
    *out = base_strdup(json_string_value(value));
    return *out ? 0 : BASE_E_MEMORY;
}

static int numbers_read(struct classify_features *f, const json_t *header, const char *name)
{
    int rc = 0;
    const json_t *list = list_of(header, "numbers", name, &rc);
    if (rc)
        return rc;
    f->numbers = json_array_size(list);
    f->number = base_alloc_zero(f->numbers, sizeof *f->number);
    f->mean = base_alloc_zero(f->numbers, sizeof *f->mean);
    f->scale = base_alloc_zero(f->numbers, sizeof *f->scale);
    if (!f->number || !f->mean || !f->scale)
        return BASE_E_MEMORY;
    for (size_t j = 0; j < f->numbers && !rc; j++) {
        const json_t *o = json_array_get(list, j);
        if (!json_is_object(o))
            return bad(name, "numbers");
        rc = string_of(json_object_get(o, "name"), name, "numbers: name", &f->number[j]);
        if (!rc)
            rc = base_json_get_double(o, "mean", name, true, &f->mean[j]);
        if (!rc)
            rc = base_json_get_double(o, "scale", name, true, &f->scale[j]);
        if (!rc && !(f->scale[j] > 0))
            rc = base_error_set(BASE_E_FORMAT, "%s: numbers: scale %g of %s must be positive", name,
                                f->scale[j], f->number[j]);
    }
    return rc;
}

static int categories_read(struct classify_features *f, const json_t *header, const char *name)
{
    int rc = 0;
    const json_t *list = list_of(header, "categories", name, &rc);
    if (rc)
        return rc;
    f->categories = json_array_size(list);
    f->category = base_alloc_zero(f->categories, sizeof *f->category);
    f->level = base_alloc_zero(f->categories, sizeof *f->level);
    f->level_first = base_alloc_zero(f->categories + 1, sizeof *f->level_first);
    if (!f->category || !f->level || !f->level_first)
        return BASE_E_MEMORY;
    for (size_t j = 0; j < f->categories && !rc; j++) {
        const json_t *o = json_array_get(list, j), *levels = NULL;
        if (!json_is_object(o))
            return bad(name, "categories");
        rc = string_of(json_object_get(o, "name"), name, "categories: name", &f->category[j]);
        levels = list_of(o, "levels", name, &rc);
        for (size_t l = 0; !rc && l < json_array_size(levels); l++) {
            const json_t *level = json_array_get(levels, l);
            uint32_t number;
            if (!json_is_string(level))
                return bad(name, "levels");
            rc = classify_words_add(&f->level[j], json_string_value(level),
                                    json_string_length(level), &number);
            if (!rc && number != l)
                rc = base_error_set(BASE_E_FORMAT, "%s: levels of %s: one is there twice", name,
                                    f->category[j]);
        }
        f->level_first[j + 1] = f->level_first[j] + f->level[j].n;
    }
    return rc;
}

static int shares_read(double **out, const json_t *header, const char *key, size_t n,
                       const char *name)
{
    int rc = 0;
    const json_t *list = list_of(header, key, name, &rc);
    if (rc)
        return rc;
    if (json_array_size(list) != n)
        return base_error_set(BASE_E_FORMAT, "%s: %s: %zu values for %zu labels", name, key,
                              json_array_size(list), n);
    if (!(*out = base_alloc(n, sizeof **out)))
        return BASE_E_MEMORY;
    for (size_t k = 0; k < n; k++) {
        (*out)[k] = json_number_value(json_array_get(list, k));
        if (!((*out)[k] > 0 && (*out)[k] < 1))
            return base_error_set(BASE_E_FORMAT, "%s: %s: value %zu must be between 0 and 1", name,
                                  key, k + 1);
    }
    return 0;
}

/* Everything in the header but the text's part. */
static int header_read(struct classify_model *m, const json_t *h, const char *name)
{
    const char *learner = "", *solver = "", *strategy = "";
    int64_t rows = 0, seed = 0;
    int rc = base_json_get_string(h, "learner", name, true, &learner), at = 0;
    if (!rc &&
        !(rc = choose(name, "learner", learner, classify_learner_names, CLASSIFY_LEARNERS, &at)))
        m->linear.learner = (enum classify_learner)at;
    if (!rc)
        rc = base_json_get_string(h, "solver", name, true, &solver);
    if (!rc && !(rc = choose(name, "solver", solver, classify_solver_names, CLASSIFY_SOLVERS, &at)))
        m->linear.solver = (enum classify_solver)at;
    if (!rc)
        rc = base_json_get_string(h, "strategy", name, true, &strategy);
    if (!rc && !(m->strategy = base_strdup(strategy)))
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = base_json_get_double(h, "c", name, true, &m->linear.c);
    if (!rc)
        rc = base_json_get_double(h, "tolerance", name, true, &m->linear.tolerance);
    if (!rc)
        rc = base_json_get_double(h, "bias", name, true, &m->linear.bias);
    if (!rc)
        rc = base_json_get_int(h, "rows", name, true, &rows);
    if (!rc)
        rc = base_json_get_int(h, "seed", name, true, &seed);
    m->rows = (uint64_t)rows;
    m->seed = (uint64_t)seed;
    const json_t *labels = list_of(h, "labels", name, &rc);
    if (rc)
        return rc;
    size_t k = json_array_size(labels);
    if (k < 2 || k > 65536)
        return base_error_set(BASE_E_FORMAT, "%s: %zu labels: expected 2 to 65536", name, k);
    if (!(m->label = base_alloc_zero(k, sizeof *m->label)))
        return BASE_E_MEMORY;
    m->fitted.classes = k;
    m->fitted.outputs = k == 2 ? 1 : k;
    for (size_t i = 0; i < k && !rc; i++)
        rc = string_of(json_array_get(labels, i), name, "labels", &m->label[i]);
    if (!rc)
        rc = shares_read(&m->fitted.share, h, "share", k, name);
    if (!rc)
        rc = shares_read(&m->fitted.trained_share, h, "trained_share", k, name);
    if (!rc)
        rc = numbers_read(&m->features, h, name);
    if (!rc)
        rc = categories_read(&m->features, h, name);
    return rc;
}

/* The text's options; how many terms and stop words follow. */
static int text_read(struct classify_model *m, const json_t *h, const char *name, size_t *terms,
                     size_t *stop)
{
    const json_t *o = json_object_get(h, "text");
    struct classify_text_options *t = &m->features.text.options;
    int64_t n_terms = 0, n_stop = 0, low = 0, high = 0;
    const char *norm = "";
    int at = 0, rc;
    *terms = *stop = 0;
    if (json_is_null(o))
        return 0;
    if (!json_is_object(o))
        return bad(name, "text");
    m->features.has_text = true;
    if ((rc = string_of(json_object_get(o, "column"), name, "text: column",
                        &m->features.text_column)) ||
        (rc = base_json_get_int(o, "terms", name, true, &n_terms)) ||
        (rc = base_json_get_int(o, "stop", name, true, &n_stop)) ||
        (rc = base_json_get_int(o, "ngram_min", name, true, &low)) ||
        (rc = base_json_get_int(o, "ngram_max", name, true, &high)) ||
        (rc = base_json_get_bool(o, "keep_case", name, true, &t->keep_case)) ||
        (rc = base_json_get_bool(o, "sublinear", name, true, &t->sublinear)) ||
        (rc = base_json_get_bool(o, "binary", name, true, &t->binary)) ||
        (rc = base_json_get_string(o, "norm", name, true, &norm)) ||
        (rc = choose(name, "norm", norm, classify_norm_names, 3, &at)))
        return rc;
    t->norm = (enum classify_norm)at;
    if (n_terms < 1 || n_terms >= UINT32_MAX || n_stop < 0 || n_stop >= UINT32_MAX || low < 0 ||
        high < 0 || low > 16 || high > 16 || (high && low > high))
        return bad(name, "text: numbers out of range");
    t->ngram_min = (size_t)low;
    t->ngram_max = (size_t)high;
    *terms = (size_t)n_terms;
    *stop = (size_t)n_stop;
    return 0;
}

static int words_read(struct base_reader *r, struct classify_words *w, size_t n, bool ordered,
                      const char *name)
{
    const uint8_t *last = NULL;
    size_t last_n = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t length = base_reader_u32(r), number;
        const uint8_t *bytes = base_reader_take(r, length);
        if (!base_reader_ok(r) || !bytes)
            return base_error_set(BASE_E_FORMAT, "%s: the file ends within word %zu of %zu", name,
                                  i + 1, n);
        if (ordered && last) {
            int order = memcmp(last, bytes, last_n < length ? last_n : length);
            if (order > 0 || (order == 0 && last_n >= length))
                return base_error_set(BASE_E_FORMAT, "%s: term %zu is out of order", name, i + 1);
        }
        if (base_utf8_invalid((const char *)bytes, length) != length)
            return base_error_set(BASE_E_FORMAT, "%s: word %zu is not UTF-8", name, i + 1);
        int rc = classify_words_add(w, (const char *)bytes, length, &number);
        if (rc)
            return rc;
        if (number != i)
            return base_error_set(BASE_E_FORMAT, "%s: word %zu is there twice", name, i + 1);
        last = bytes;
        last_n = length;
    }
    return 0;
}

static int doubles_read(struct base_reader *r, double **out, size_t n, const char *name,
                        const char *what)
{
    size_t bytes;
    if (base_mul_size(n, 8, &bytes) || bytes > base_reader_left(r))
        return base_error_set(BASE_E_FORMAT, "%s: %zu %s expected, but the file ends before", name,
                              n, what);
    if (!(*out = base_alloc(n, sizeof **out)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = base_reader_f64(r);
        if (!isfinite((*out)[i]))
            return base_error_set(BASE_E_FORMAT, "%s: %s: value %zu is %g", name, what, i + 1,
                                  (*out)[i]);
    }
    return 0;
}

int classify_model_parse(struct classify_model *m, const void *data, size_t bytes, const char *name)
{
    *m = (struct classify_model){ 0 };
    struct base_reader r = base_reader_make(data, bytes);
    json_t *header = NULL;
    const uint8_t *start = base_reader_take(&r, sizeof magic);
    if (!start || memcmp(start, magic, sizeof magic) != 0)
        return bad(name, "begins otherwise");
    uint32_t version = base_reader_u32(&r), length = base_reader_u32(&r);
    if (base_reader_ok(&r) && version != VERSION)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: version %u of the format; this program reads %d", name, version,
                              VERSION);
    const uint8_t *text = base_reader_take(&r, length);
    if (!base_reader_ok(&r) || !text || length > most_header)
        return base_error_set(BASE_E_FORMAT, "%s: the file ends within its header", name);
    if (bytes - r.position < 8)
        return base_error_set(BASE_E_FORMAT, "%s: the file ends too early", name);
    struct base_reader end = base_reader_make(data, bytes);
    base_reader_seek(&end, bytes - 8);
    if (base_reader_u64(&end) != base_hash64(data, bytes - 8, 1))
        return base_error_set(BASE_E_FORMAT,
                              "%s: the checksum is wrong: the file is damaged or incomplete", name);
    r.bytes -= 8;
    size_t terms = 0, stop = 0, columns, weights;
    int rc = base_json_parse(&header, (const char *)text, length, name);
    if (!rc && !json_is_object(header))
        rc = bad(name, "header");
    if (!rc)
        rc = header_read(m, header, name);
    if (!rc)
        rc = text_read(m, header, name, &terms, &stop);
    if (!rc)
        rc = words_read(&r, &m->features.text.terms, terms, true, name);
    if (!rc)
        rc = words_read(&r, &m->features.text.stop, stop, false, name);
    if (!rc && m->features.has_text)
        rc = doubles_read(&r, &m->features.text.idf, terms, name, "idf values");
    if (!rc) {
        columns = classify_features_columns(&m->features);
        m->fitted.columns = columns;
        if (columns == 0 || columns > most_columns ||
            base_mul_size(columns + 1, m->fitted.outputs, &weights))
            rc = base_error_set(BASE_E_FORMAT, "%s: %zu columns", name, columns);
        else
            rc = doubles_read(&r, &m->fitted.w, weights, name, "weights");
    }
    if (!rc && base_reader_left(&r))
        rc = base_error_set(BASE_E_FORMAT, "%s: %zu bytes too many at the end", name,
                            base_reader_left(&r));
    m->fitted.converged = true;
    json_decref(header);
    if (rc)
        classify_model_free(m);
    return rc;
}

int classify_model_load(struct classify_model *m, const char *path)
{
    struct base_map map;
    *m = (struct classify_model){ 0 };
    int rc = base_map_open(&map, path);
    if (rc)
        return rc;
    rc = classify_model_parse(m, map.data, map.bytes, path);
    base_map_close(&map);
    return rc;
}

void classify_model_free(struct classify_model *m)
{
    for (size_t k = 0; m->label && k < m->fitted.classes; k++)
        base_free(m->label[k]);
    base_free(m->label);
    base_free(m->strategy);
    classify_features_free(&m->features);
    classify_fitted_free(&m->fitted);
    *m = (struct classify_model){ 0 };
}
