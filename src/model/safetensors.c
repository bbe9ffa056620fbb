/* safetensors: u64 little-endian header length N <= 100,000,000; N bytes of JSON
 * {"__metadata__": {string: string}, name: {"dtype", "shape", "data_offsets": [begin, end]}, ...};
 * then the data, to which the offsets are relative.
 *
 * A file is accepted only when the tensors, sorted by offset, tile the data exactly: no hole, no
 * overlap, nothing after the last. So a file has one reading, and nothing can hide in it. */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/reader.h"
#include "base/text.h"
#include "model/archive_private.h"
#include <stdlib.h>
#include <string.h>

#define HEADER_LIMIT 100000000u

/* In the order of the reference writer: ascending alignment; it writes the last first. */
static const struct {
    const char *name;
    enum tensor_dtype dtype;
} DTYPES[] = {
    { "BOOL", TENSOR_BOOL },       { "U8", TENSOR_U8 },           { "I8", TENSOR_I8 },
    { "F8_E5M2", TENSOR_F8_E5M2 }, { "F8_E4M3", TENSOR_F8_E4M3 }, { "I16", TENSOR_I16 },
    { "U16", TENSOR_U16 },         { "F16", TENSOR_F16 },         { "BF16", TENSOR_BF16 },
    { "I32", TENSOR_I32 },         { "U32", TENSOR_U32 },         { "F32", TENSOR_F32 },
    { "F64", TENSOR_F64 },         { "I64", TENSOR_I64 },         { "U64", TENSOR_U64 },
};
#define N_DTYPES (int)(sizeof DTYPES / sizeof *DTYPES)

static int dtype_rank(enum tensor_dtype dtype)
{
    for (int i = 0; i < N_DTYPES; i++)
        if (DTYPES[i].dtype == dtype)
            return i;
    return -1;
}

struct entry {
    const char *name; /* the JSON key */
    struct model_tensor tensor;
    uint64_t begin, end;
};

static int read_entry(const struct archive_file *f, const char *name, const json_t *value,
                      struct entry *e)
{
    char shown[ARCHIVE_SHOWN], shown_type[ARCHIVE_SHOWN];
    const json_t *shape = json_object_get(value, "shape"),
                 *offsets = json_object_get(value, "data_offsets");
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    size_t n, bytes;
    archive_shown(name, strlen(name), shown);
    if (!json_is_object(value) || !dtype || !json_is_array(shape) || !json_is_array(offsets) ||
        json_array_size(offsets) != 2 || !json_is_integer(json_array_get(offsets, 0)) ||
        !json_is_integer(json_array_get(offsets, 1)))
        return base_error_set(
            BASE_E_FORMAT,
            "%s: tensor '%s': expected {\"dtype\": string, \"shape\": [..], \"data_offsets\": "
            "[begin, end]}",
            f->name, shown);
    int k = 0;
    while (k < N_DTYPES && strcmp(DTYPES[k].name, dtype))
        k++;
    if (k == N_DTYPES)
        return base_error_set(BASE_E_UNSUPPORTED, "%s: tensor '%s': unknown dtype '%s'", f->name,
                              shown, archive_shown(dtype, strlen(dtype), shown_type));
    if (json_array_size(shape) > MODEL_TENSOR_MAX_RANK)
        return base_error_set(BASE_E_LIMIT, "%s: tensor '%s': %zu dimensions, at most %d are read",
                              f->name, shown, json_array_size(shape), MODEL_TENSOR_MAX_RANK);
    *e = (struct entry){ .name = name, .tensor = { .dtype = DTYPES[k].dtype, .file = f->name } };
    e->tensor.rank = (int)json_array_size(shape);
    for (int i = 0; i < e->tensor.rank; i++) {
        const json_t *d = json_array_get(shape, (size_t)i);
        e->tensor.shape[i] = json_integer_value(d);
        if (!json_is_integer(d) || e->tensor.shape[i] < 0)
            return base_error_set(BASE_E_FORMAT, "%s: tensor '%s': shape: expected integers >= 0",
                                  f->name, shown);
    }
    if (archive_elements(e->tensor.rank, e->tensor.shape, &n) ||
        tensor_dtype_bytes(e->tensor.dtype, n, &bytes))
        return base_error_set(BASE_E_FORMAT, "%s: tensor '%s': the size of its shape overflows",
                              f->name, shown);
    json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    json_int_t end = json_integer_value(json_array_get(offsets, 1));
    if (begin < 0 || end < begin)
        return base_error_set(BASE_E_FORMAT,
                              "%s: tensor '%s': data_offsets [%lld, %lld] run backwards", f->name,
                              shown, (long long)begin, (long long)end);
    e->begin = (uint64_t)begin;
    e->end = (uint64_t)end;
    if (e->end - e->begin != bytes)
        return base_error_set(
            BASE_E_FORMAT,
            "%s: tensor '%s': dtype and shape need %zu bytes but data_offsets give %llu", f->name,
            shown, bytes, (unsigned long long)(e->end - e->begin));
    e->tensor.bytes = bytes;
    return 0;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* string -> string; the first shard to name a key wins. */
static int read_metadata(struct model_archive *a, const struct archive_file *f,
                         const json_t *metadata)
{
    char shown[ARCHIVE_SHOWN];
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return base_error_set(BASE_E_FORMAT, "%s: __metadata__: expected an object of strings",
                              f->name);
    json_object_foreach((json_t *)metadata, key, value)
    {
        if (!json_is_string(value))
            return base_error_set(BASE_E_FORMAT, "%s: __metadata__: '%s': expected a string",
                                  f->name, archive_shown(key, strlen(key), shown));
        if (!json_object_get(a->metadata, key) && json_object_set(a->metadata, key, value))
            return base_error_set(BASE_E_MEMORY, "%s: out of memory for the metadata", f->name);
    }
    return 0;
}

int safetensors_read(struct model_archive *a, const struct archive_file *f)
{
    struct base_reader r = base_reader_make(f->data, f->bytes);
    json_t *root = NULL, *value;
    struct entry *entries = NULL;
    const char *name;
    size_t n = 0;
    uint64_t length = base_reader_u64(&r), at = 0;
    int rc = 0;
    if (!base_reader_ok(&r))
        return base_error_set(BASE_E_FORMAT, "%s: %zu bytes: too short for a safetensors file",
                              f->name, f->bytes);
    if (length > HEADER_LIMIT)
        return base_error_set(BASE_E_FORMAT,
                              "%s: header of %llu bytes: at most %u are allowed in safetensors",
                              f->name, (unsigned long long)length, HEADER_LIMIT);
    if (length > base_reader_left(&r))
        return base_error_set(BASE_E_FORMAT,
                              "%s: the header should be %llu bytes but the file ends after %zu",
                              f->name, (unsigned long long)length, base_reader_left(&r));
    const char *header = (const char *)base_reader_take(&r, (size_t)length);
    const uint8_t *data = f->data + r.position;
    size_t data_bytes = base_reader_left(&r);
    if (length == 0 || base_utf8_invalid(header, (size_t)length) != length)
        return base_error_set(BASE_E_FORMAT, "%s: the header is not UTF-8 text", f->name);
    if ((rc = base_json_parse(&root, header, (size_t)length, f->name)))
        return base_error_prefix(rc, "safetensors header");
    if (!json_is_object(root)) {
        rc = base_error_set(BASE_E_FORMAT, "%s: the header is not a JSON object", f->name);
        goto out;
    }
    entries = base_alloc(json_object_size(root), sizeof *entries);
    if (!entries) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    json_object_foreach(root, name, value)
    {
        rc = strcmp(name, "__metadata__") ? read_entry(f, name, value, &entries[n++])
                                          : read_metadata(a, f, value);
        if (rc)
            goto out;
    }
    if (n)
        qsort(entries, n, sizeof *entries, compare_entries);
    for (size_t i = 0; i < n; i++) {
        struct entry *e = &entries[i];
        char shown[ARCHIVE_SHOWN];
        if (e->begin != at || e->end > data_bytes) {
            rc = base_error_set(
                BASE_E_FORMAT,
                "%s: tensor '%s': data_offsets [%llu, %llu]: expected to begin at %llu and end "
                "within the %zu bytes of data",
                f->name, archive_shown(e->name, strlen(e->name), shown),
                (unsigned long long)e->begin, (unsigned long long)e->end, (unsigned long long)at,
                data_bytes);
            goto out;
        }
        at = e->end;
        e->tensor.data = data ? data + e->begin : NULL;
        if ((rc = archive_add(a, e->name, strlen(e->name), &e->tensor)))
            goto out;
    }
    if (at != data_bytes)
        rc = base_error_set(BASE_E_FORMAT,
                            "%s: the tensors cover %llu bytes but the file holds %zu bytes of data",
                            f->name, (unsigned long long)at, data_bytes);
out:
    base_free(entries);
    json_decref(root);
    return rc;
}

/* Writing. The header is laid out as the reference implementation does: keys dtype, shape,
 * data_offsets; tensors in the order they lie in the file; blanks up to a multiple of 8. */

static int append_json_string(struct base_buffer *b, const char *s)
{
    json_t *v = json_string(s);
    char *text = v ? base_json_dump(v, false) : NULL;
    int rc = text ? base_buffer_puts(b, text)
             : base_utf8_invalid(s, strlen(s)) < strlen(s)
                 ? base_error_set(BASE_E_ARGUMENT, "a name is not UTF-8 text")
                 : base_error_set(BASE_E_MEMORY, "out of memory");
    base_free(text);
    json_decref(v);
    return rc;
}

struct order {
    const char *name;
    int rank;
    size_t i;
};

static int compare_order(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    return x->rank != y->rank ? y->rank - x->rank : strcmp(x->name, y->name);
}

int model_safetensors_create(struct model_archive_writer **out, const char *path,
                             const struct model_tensor_plan *plan, size_t n, const json_t *metadata)
{
    struct model_archive_writer *w = NULL;
    struct order *order = NULL;
    struct base_buffer b = { 0 };
    uint64_t offset = 0, length;
    uint8_t prefix[8];
    int rc = 0;
    *out = NULL;
    for (size_t i = 0; i < n; i++)
        if (dtype_rank(plan[i].dtype) < 0)
            return base_error_set(BASE_E_ARGUMENT,
                                  "%s: tensor '%s': safetensors has no %s: choose f32, f16 or bf16",
                                  path, plan[i].name, tensor_dtype_describe(plan[i].dtype)->name);
    if ((rc = archive_writer_new(&w, path, plan, n)))
        return rc;
    if (!(order = base_alloc(n, sizeof *order))) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        order[i] = (struct order){ plan[i].name, dtype_rank(plan[i].dtype), i };
    if (n)
        qsort(order, n, sizeof *order, compare_order);
    if ((rc = base_buffer_puts(&b, "{")))
        goto out;
    if (metadata && json_object_size(metadata)) {
        const char *key, *separator = "";
        json_t *value;
        if ((rc = base_buffer_puts(&b, "\"__metadata__\":{")))
            goto out;
        json_object_foreach((json_t *)metadata, key, value)
        {
            if (!json_is_string(value)) {
                rc =
                    base_error_set(BASE_E_ARGUMENT, "%s: metadata '%s' is not a string", path, key);
                goto out;
            }
            if ((rc = base_buffer_puts(&b, separator)) || (rc = append_json_string(&b, key)) ||
                (rc = base_buffer_puts(&b, ":")) ||
                (rc = append_json_string(&b, json_string_value(value))))
                goto out;
            separator = ",";
        }
        if ((rc = base_buffer_puts(&b, n ? "}," : "}")))
            goto out;
    }
    for (size_t k = 0; k < n; k++) {
        const struct model_tensor_plan *p = &plan[order[k].i];
        struct archive_slot *s = &w->slots[order[k].i];
        if (k && !strcmp(p->name, plan[order[k - 1].i].name)) {
            rc = base_error_set(BASE_E_ARGUMENT, "%s: tensor '%s' is planned twice", path, p->name);
            goto out;
        }
        if ((rc = append_json_string(&b, p->name)) ||
            (rc = base_buffer_printf(&b, ":{\"dtype\":\"%s\",\"shape\":[",
                                     DTYPES[order[k].rank].name)))
            goto out;
        for (int d = 0; d < p->rank; d++)
            if ((rc = base_buffer_printf(&b, d ? ",%lld" : "%lld", (long long)p->shape[d])))
                goto out;
        s->offset = offset;
        offset += s->bytes;
        if ((rc = base_buffer_printf(&b, "],\"data_offsets\":[%llu,%llu]}%s",
                                     (unsigned long long)s->offset, (unsigned long long)offset,
                                     k + 1 < n ? "," : "")))
            goto out;
    }
    if ((rc = base_buffer_puts(&b, "}")))
        goto out;
    while (b.length % 8)
        if ((rc = base_buffer_puts(&b, " ")))
            goto out;
    length = b.length;
    for (int i = 0; i < 8; i++)
        prefix[i] = (uint8_t)(length >> (8 * i));
    if (length > HEADER_LIMIT) {
        rc = base_error_set(BASE_E_LIMIT,
                            "%s: the header would be %zu bytes, beyond safetensors' limit", path,
                            b.length);
        goto out;
    }
    if ((rc = base_writer_write(&w->file, prefix, 8)) ||
        (rc = base_writer_write(&w->file, b.data, b.length)))
        goto out;
    for (size_t i = 0; i < n; i++)
        w->slots[i].offset += 8 + length;
    w->total = 8 + length + offset;
    *out = w;
    w = NULL;
out:
    base_buffer_free(&b);
    base_free(order);
    model_archive_writer_close(w);
    return rc;
}
