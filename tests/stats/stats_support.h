/* What the stats tests share: near-equality with the value shown, and numbers out of JSON. */
#ifndef STATS_SUPPORT_H
#define STATS_SUPPORT_H
#include "base/json.h"
#include "base/memory.h"
#include <assay/stats.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

#define NEAR(a, b, tolerance)                                                                      \
    do {                                                                                           \
        double a_ = (a), b_ = (b);                                                                 \
        if (!(fabs(a_ - b_) <= (tolerance)) && a_ != b_)                                           \
            fail_msg("%s = %.17g, expected %.17g", #a, a_, b_);                                    \
    } while (0)
/* relative */
#define CLOSE(a, b, tolerance) NEAR(a, b, (tolerance)*fabs(b))

/* A number of an object, or of an array in it. */
static inline double num(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_number(v))
        fail_msg("the fixture has no number %s", key);
    return json_number_value(v);
}
static inline double num_at(const json_t *o, const char *key, size_t i)
{
    const json_t *v = json_array_get(json_object_get(o, key), i);
    if (!json_is_number(v))
        fail_msg("the fixture has no number %s[%zu]", key, i);
    return json_number_value(v);
}
/* An array of numbers into x (at most `most`); returns how many. */
static inline size_t numbers(const json_t *array, double *x, size_t most)
{
    size_t n = json_array_size(array);
    assert_true(json_is_array(array) && n <= most);
    for (size_t i = 0; i < n; i++)
        x[i] = json_number_value(json_array_get(array, i));
    return n;
}
static inline json_t *load_fixture(const char *path)
{
    json_t *file = NULL;
    if (base_json_load(&file, path))
        fail_msg("%s", base_error_message());
    return file;
}
static inline int position(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    fail_msg("no %s", name);
    return -1;
}
#endif
