/* What the tests of tasks share: task files from text, answers from numbers. */
#ifndef TASK_SUPPORT_H
#define TASK_SUPPORT_H
#include "base/json.h"
#include "base/memory.h"
#include <assay/task.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

/* A task of the YAML text, over a data file of the JSON lines; both lie in temporary files whose
 * names are filled in: %s in the YAML is the data file. NULL when it is refused. */
static inline struct eval_task *task_of(const char *yaml, const char *data,
                                        const struct eval_task_options *options)
{
    static const struct eval_task_options plain = EVAL_TASK_OPTIONS_DEFAULT;
    const char *rows = test_temporary_path(".jsonl"), *file = test_temporary_path(".yaml");
    char text[8192];
    struct eval_task *t = NULL;
    test_write_file(rows, data, strlen(data));
    int n = snprintf(text, sizeof text, yaml, rows);
    assert_in_range(n, 1, sizeof text - 1);
    test_write_file(file, text, (size_t)n);
    if (eval_task_open(&t, file, options ? options : &plain))
        t = NULL;
    unlink(rows);
    unlink(file);
    return t;
}

/* The message with which a YAML text is refused. */
static inline const char *refusal(const char *yaml)
{
    struct eval_task *t = task_of(yaml, "{\"q\":\"a\",\"a\":\"b\"}\n", NULL);
    assert_null(t);
    return base_error_message();
}

static inline double value_at(const json_t *results, const char *metric, const char *key)
{
    const json_t *v = json_object_get(json_object_get(results, metric), key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}
#endif
