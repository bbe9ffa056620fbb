/* GGUF version 3: writing. Keys first (given ones, then those copied from another file), then the
 * tensors' descriptions, then their data, each aligned to 32 bytes. */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/archive_private.h"
#include "model/gguf_types.h"
#include <math.h>
#include <string.h>

#define ALIGNMENT 32

static int put(struct base_buffer *b, uint64_t value, unsigned bytes)
{
    uint8_t p[8];
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(value >> (8 * i));
    return base_buffer_append(b, p, bytes);
}

static int put_string(struct base_buffer *b, const char *s, size_t n)
{
    int rc = put(b, n, 8);
    return rc ? rc : base_buffer_append(b, s, n);
}

static int type_named(const char *name)
{
    for (int i = 0; name && i < MODEL_GGUF_TYPES; i++)
        if (!strcmp(name, GGUF_VALUE_TYPES[i].name))
            return i;
    return -1;
}

/* One element; -1 when value does not fit the type. */
static int put_value(struct base_buffer *b, enum model_gguf_type type, const json_t *value)
{
    static const int64_t lowest[] = {
        [MODEL_GGUF_U8] = 0,          [MODEL_GGUF_I8] = INT8_MIN,  [MODEL_GGUF_U16] = 0,
        [MODEL_GGUF_I16] = INT16_MIN, [MODEL_GGUF_U32] = 0,        [MODEL_GGUF_I32] = INT32_MIN,
        [MODEL_GGUF_U64] = 0,         [MODEL_GGUF_I64] = INT64_MIN
    };
    static const int64_t highest[] = {
        [MODEL_GGUF_U8] = UINT8_MAX,  [MODEL_GGUF_I8] = INT8_MAX,    [MODEL_GGUF_U16] = UINT16_MAX,
        [MODEL_GGUF_I16] = INT16_MAX, [MODEL_GGUF_U32] = UINT32_MAX, [MODEL_GGUF_I32] = INT32_MAX,
        [MODEL_GGUF_U64] = INT64_MAX, [MODEL_GGUF_I64] = INT64_MAX
    };
    uint64_t bits = 0;
    float f;
    double d;
    switch (type) {
    case MODEL_GGUF_STRING:
        return json_is_string(value)
                   ? put_string(b, json_string_value(value), json_string_length(value))
                   : -1;
    case MODEL_GGUF_BOOL:
        return json_is_boolean(value) ? put(b, json_is_true(value), 1) : -1;
    case MODEL_GGUF_F32:
        f = (float)json_number_value(value);
        memcpy(&bits, &f, 4);
        return json_is_number(value) ? put(b, bits, 4) : -1;
    case MODEL_GGUF_F64:
        d = json_number_value(value);
        memcpy(&bits, &d, 8);
        return json_is_number(value) ? put(b, bits, 8) : -1;
    case MODEL_GGUF_ARRAY:
        return -1;
    default:
        if (!json_is_integer(value) || json_integer_value(value) < lowest[type] ||
            json_integer_value(value) > highest[type])
            return -1;
        return put(b, (uint64_t)json_integer_value(value), GGUF_VALUE_TYPES[type].bytes);
    }
}

/* {"type": .., "value": ..} or {"type": "array", "of": .., "value": [..]} */
static int put_key(struct base_buffer *b, const char *path, const char *key, const json_t *item)
{
    const json_t *value = json_object_get(item, "value");
    int type = type_named(json_string_value(json_object_get(item, "type"))), rc;
    if ((rc = put_string(b, key, strlen(key))))
        return rc;
    if (type == MODEL_GGUF_ARRAY) {
        int of = type_named(json_string_value(json_object_get(item, "of")));
        if (of < 0 || of == MODEL_GGUF_ARRAY || !json_is_array(value))
            return base_error_set(BASE_E_ARGUMENT, "%s: key '%s': not a GGUF array", path, key);
        if ((rc = put(b, MODEL_GGUF_ARRAY, 4)) || (rc = put(b, (uint64_t)of, 4)) ||
            (rc = put(b, json_array_size(value), 8)))
            return rc;
        for (size_t i = 0; i < json_array_size(value); i++)
            if ((rc = put_value(b, (enum model_gguf_type)of, json_array_get(value, i))))
                return rc == -1
                           ? base_error_set(BASE_E_ARGUMENT, "%s: key '%s': element %zu is no %s",
                                            path, key, i, GGUF_VALUE_TYPES[of].name)
                           : rc;
        return 0;
    }
    if (type < 0 || (rc = put(b, (uint64_t)type, 4)) ||
        (rc = put_value(b, (enum model_gguf_type)type, value)))
        return type >= 0 && rc != -1 ? rc
                                     : base_error_set(BASE_E_ARGUMENT,
                                                      "%s: key '%s': its value does not fit its "
                                                      "type",
                                                      path, key);
    return 0;
}

/* All keys into b; returns how many through *count. */
static int put_keys(struct base_buffer *b, const char *path, const json_t *metadata,
                    const struct model_archive *copy, uint64_t *count)
{
    const char *key;
    json_t *item;
    int rc;
    *count = 0;
    json_object_foreach((json_t *)metadata, key, item)
    {
        if (json_is_null(item))
            continue;
        if (!*key)
            return base_error_set(BASE_E_ARGUMENT, "%s: an empty metadata key", path);
        if ((rc = put_key(b, path, key, item)))
            return rc;
        ++*count;
    }
    for (size_t i = 0; copy && i < copy->n_keys; i++) {
        const struct archive_key *k = &copy->keys[i];
        if (json_object_get(metadata, k->name) || !strcmp(k->name, "general.alignment"))
            continue;
        if ((rc = put_string(b, k->name, strlen(k->name))) || (rc = put(b, k->type, 4)) ||
            (rc = base_buffer_append(b, k->value, k->bytes)))
            return rc;
        ++*count;
    }
    return 0;
}

int model_gguf_create(struct model_archive_writer **out, const char *path,
                      const struct model_tensor_plan *plan, size_t n, const json_t *metadata,
                      const struct model_archive *copy)
{
    struct model_archive_writer *w = NULL;
    struct base_buffer head = { 0 }, keys = { 0 };
    struct base_table *names = NULL;
    uint64_t count, offset = 0;
    int rc;
    *out = NULL;
    if ((rc = base_table_new(&names, n)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(plan[i].name);
        if (gguf_tensor_type(plan[i].dtype) < 0 || plan[i].rank > 4 || length >= 64 ||
            base_table_get(names, plan[i].name, length)) {
            rc = base_error_set(
                BASE_E_ARGUMENT,
                "%s: tensor '%s' (%s, %d dimensions): GGUF takes distinct names below 64 "
                "bytes, at most 4 dimensions, and its own formats",
                path, plan[i].name, tensor_dtype_describe(plan[i].dtype)->name, plan[i].rank);
            goto out;
        }
        if ((rc = base_table_put(names, plan[i].name, length, 0)))
            goto out;
    }
    if ((rc = archive_writer_new(&w, path, plan, n)) ||
        (rc = put_keys(&keys, path, metadata, copy, &count)) ||
        (rc = base_buffer_puts(&head, "GGUF")) || (rc = put(&head, 3, 4)) ||
        (rc = put(&head, n, 8)) || (rc = put(&head, count, 8)) ||
        (rc = base_buffer_append(&head, keys.data ? keys.data : "", keys.length)))
        goto out;
    for (size_t i = 0; i < n; i++) {
        const struct model_tensor_plan *p = &plan[i];
        if ((rc = put_string(&head, p->name, strlen(p->name))) ||
            (rc = put(&head, (uint64_t)p->rank, 4)))
            goto out;
        for (int d = p->rank - 1; d >= 0; d--)
            if ((rc = put(&head, (uint64_t)p->shape[d], 8)))
                goto out;
        if ((rc = put(&head, (uint64_t)gguf_tensor_type(p->dtype), 4)) ||
            (rc = put(&head, offset, 8)))
            goto out;
        w->slots[i].offset = offset;
        offset += (w->slots[i].bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    while (n && head.length % ALIGNMENT)
        if ((rc = put(&head, 0, 1)))
            goto out;
    if ((rc = base_writer_write(&w->file, head.data, head.length)))
        goto out;
    for (size_t i = 0; i < n; i++)
        w->slots[i].offset += head.length;
    w->total = head.length + offset;
    *out = w;
    w = NULL;
out:
    base_table_free(names);
    base_buffer_free(&head);
    base_buffer_free(&keys);
    model_archive_writer_close(w);
    return rc;
}
