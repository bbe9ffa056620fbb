/* What the tests of model_backward share: the fixtures' models, ids and targets, parameters by
 * name. */
#ifndef TESTS_GRADIENT_SUPPORT_H
#define TESTS_GRADIENT_SUPPORT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "model/gradient.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TOKENS 16
static const char *const FAMILIES[] = { "gpt2",          "gpt_neo",   "gpt_neox", "opt",
                                        "opt_post_norm", "galactica", "llama",    "mistral",
                                        "qwen2",         "qwen3",     "gemma2",   "olmo2",
                                        "phi",           "bloom",     "falcon" };
#define N_FAMILIES (sizeof FAMILIES / sizeof *FAMILIES)

struct fixture {
    struct model *model;
    int32_t ids[MOST_TOKENS], targets[MOST_TOKENS];
    size_t n, labels;
    double loss; /* PyTorch's sum over targets */
};
static inline struct model *fixture_load(const char *path)
{
    struct model *m = NULL;
    struct model_options options = MODEL_OPTIONS_DEFAULT;
    options.trainable = true;
    if (model_load(&m, path, &options)) {
        print_error("%s: %s\n", path, base_error_message());
        fail();
    }
    return m;
}
static inline struct fixture fixture(const char *family)
{
    struct fixture f = { 0 };
    char path[256];
    snprintf(path, sizeof path, "tests/model/data/%s/reference.json", family);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    f.n = json_array_size(json_object_get(json, "ids"));
    assert_in_range(f.n, 1, MOST_TOKENS);
    for (size_t i = 0; i < f.n; i++) {
        f.ids[i] = (int32_t)json_integer_value(json_array_get(json_object_get(json, "ids"), i));
        f.targets[i] =
            (int32_t)json_integer_value(json_array_get(json_object_get(json, "targets"), i));
        f.labels += f.targets[i] >= 0;
    }
    f.loss = json_number_value(json_object_get(json, "loss"));
    json_decref(json);
    snprintf(path, sizeof path, "tests/model/data/%s", family);
    f.model = fixture_load(path);
    assert_int_equal(model_gradients_allocate(f.model), 0);
    return f;
}
static inline struct model_row fixture_row(const struct fixture *f)
{
    return (struct model_row){ .ids = f->ids, .targets = f->targets, .n = f->n };
}
static inline double backward(struct model *m, const struct model_row *rows, size_t n,
                              const struct model_pass *pass)
{
    double loss = 0;
    size_t labels = 0, expected = 0;
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < rows[r].n; i++)
            expected += rows[r].targets[i] >= 0;
    if (model_backward(m, rows, n, pass, &loss, &labels)) {
        print_error("%s: %s\n", model_path(m), base_error_message());
        fail();
    }
    assert_int_equal(labels, expected);
    return loss;
}
/* All gradients end to end, in parameter order, 0 where a frozen one has none. Free it. */
static inline real *all_gradients(struct model *m, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < model_parameter_count(m); i++)
        *n += model_parameter_at(m, i)->rows * model_parameter_at(m, i)->columns;
    real *all = calloc(*n, sizeof *all), *end = all;
    for (size_t i = 0; i < model_parameter_count(m); i++) {
        const struct model_parameter *p = model_parameter_at(m, i);
        if (p->gradient)
            memcpy(end, p->gradient, p->rows * p->columns * sizeof *end);
        end += p->rows * p->columns;
    }
    return all;
}
#endif
