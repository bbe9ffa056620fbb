/* GGUF, versions 2 and 3, little-endian: reading.
 *
 *   "GGUF" u32 version, u64 tensors, u64 keys
 *   key:    string name, u32 type, value        string: u64 length, bytes
 *   tensor: string name, u32 dims, u64 ne[dims] (innermost first), u32 type, u64 offset
 *   padding to general.alignment (default 32), then the data; each tensor's offset is the end of
 * the one before, rounded up to the alignment
 *
 * Every length is checked against the bytes that are left before anything is allocated, so memory
 * stays proportional to the file. Arrays stay in the file (struct model_array). */
#include "base/memory.h"
#include "base/reader.h"
#include "base/text.h"
#include "model/archive_private.h"
#include "model/gguf_types.h"
#include <math.h>
#include <string.h>

#define MAX_BLOCKS  100000
#define SMALL_ARRAY 1024 /* numbers; such arrays are in the metadata too */

const struct gguf_value_type GGUF_VALUE_TYPES[MODEL_GGUF_TYPES] = {
    [MODEL_GGUF_U8] = { "u8", 1 },         [MODEL_GGUF_I8] = { "i8", 1 },
    [MODEL_GGUF_U16] = { "u16", 2 },       [MODEL_GGUF_I16] = { "i16", 2 },
    [MODEL_GGUF_U32] = { "u32", 4 },       [MODEL_GGUF_I32] = { "i32", 4 },
    [MODEL_GGUF_F32] = { "f32", 4 },       [MODEL_GGUF_BOOL] = { "bool", 1 },
    [MODEL_GGUF_STRING] = { "string", 0 }, [MODEL_GGUF_ARRAY] = { "array", 0 },
    [MODEL_GGUF_U64] = { "u64", 8 },       [MODEL_GGUF_I64] = { "i64", 8 },
    [MODEL_GGUF_F64] = { "f64", 8 },
};

/* ggml's tensor type numbers; -1 = a type that Assay has no name for. */
static const struct {
    uint32_t type;
    enum tensor_dtype dtype;
} TENSOR_TYPES[] = {
    { 0, TENSOR_F32 },   { 1, TENSOR_F16 },   { 2, TENSOR_Q4_0 },  { 3, TENSOR_Q4_1 },
    { 6, TENSOR_Q5_0 },  { 7, TENSOR_Q5_1 },  { 8, TENSOR_Q8_0 },  { 10, TENSOR_Q2_K },
    { 11, TENSOR_Q3_K }, { 12, TENSOR_Q4_K }, { 13, TENSOR_Q5_K }, { 14, TENSOR_Q6_K },
    { 24, TENSOR_I8 },   { 25, TENSOR_I16 },  { 26, TENSOR_I32 },  { 27, TENSOR_I64 },
    { 28, TENSOR_F64 },  { 30, TENSOR_BF16 },
};
#define N_TENSOR_TYPES (int)(sizeof TENSOR_TYPES / sizeof *TENSOR_TYPES)

int gguf_tensor_type(enum tensor_dtype dtype)
{
    for (int i = 0; i < N_TENSOR_TYPES; i++)
        if (TENSOR_TYPES[i].dtype == dtype)
            return (int)TENSOR_TYPES[i].type;
    return -1;
}

/* A string's bytes in place, or NULL when it does not fit. */
static const char *read_string(struct base_reader *r, size_t *n)
{
    uint64_t length = base_reader_u64(r);
    if (length > base_reader_left(r)) {
        r->failed = true;
        return NULL;
    }
    *n = (size_t)length;
    return (const char *)base_reader_take(r, (size_t)length);
}

/* One number of the given type at p (any alignment): as integer, saturating, and as double. */
static void number_at(enum model_gguf_type type, const uint8_t *p, int64_t *integer, double *real)
{
    struct base_reader r = base_reader_make(p, 8);
    r.bytes = GGUF_VALUE_TYPES[type].bytes;
    uint64_t u;
    *integer = 0;
    *real = 0;
    switch (type) {
    case MODEL_GGUF_U8:
    case MODEL_GGUF_BOOL:
        *integer = base_reader_u8(&r);
        break;
    case MODEL_GGUF_I8:
        *integer = (int8_t)base_reader_u8(&r);
        break;
    case MODEL_GGUF_U16:
        *integer = base_reader_u16(&r);
        break;
    case MODEL_GGUF_I16:
        *integer = (int16_t)base_reader_u16(&r);
        break;
    case MODEL_GGUF_U32:
        *integer = base_reader_u32(&r);
        break;
    case MODEL_GGUF_I32:
        *integer = (int32_t)base_reader_u32(&r);
        break;
    case MODEL_GGUF_I64:
        *integer = (int64_t)base_reader_u64(&r);
        break;
    case MODEL_GGUF_U64:
        u = base_reader_u64(&r);
        *integer = u > INT64_MAX ? INT64_MAX : (int64_t)u;
        *real = (double)u;
        return;
    case MODEL_GGUF_F32:
    case MODEL_GGUF_F64:
        *real = type == MODEL_GGUF_F32 ? (double)base_reader_f32(&r) : base_reader_f64(&r);
        if (*real >= 0x1p63)
            *integer = INT64_MAX;
        else if (*real >= -0x1p63)
            *integer = (int64_t)*real;
        else
            *integer = *real < 0 ? INT64_MIN : 0; /* NaN is 0 */
        return;
    default:
        return;
    }
    *real = (double)*integer;
}

static json_t *scalar_json(enum model_gguf_type type, const uint8_t *p)
{
    int64_t integer;
    double real;
    number_at(type, p, &integer, &real);
    if (type == MODEL_GGUF_BOOL)
        return json_boolean(integer);
    if (type == MODEL_GGUF_F32 || type == MODEL_GGUF_F64 ||
        (type == MODEL_GGUF_U64 && real > (double)INT64_MAX))
        return base_json_number(real);
    return json_integer(integer);
}

/* The array after its type field; r stands at the element type. */
static int read_array(struct model_archive *a, const struct archive_file *f, struct base_reader *r,
                      const char *key, struct model_array **out)
{
    struct model_array v = { 0 };
    uint32_t type = base_reader_u32(r);
    uint64_t count = base_reader_u64(r);
    if (!base_reader_ok(r))
        return base_error_set(BASE_E_FORMAT, "%s: key '%s': the file ends in the array's header",
                              f->name, key);
    if (type >= MODEL_GGUF_TYPES || type == MODEL_GGUF_ARRAY)
        return base_error_set(BASE_E_FORMAT, "%s: key '%s': array of %s %u", f->name, key,
                              type == MODEL_GGUF_ARRAY ? "arrays (nesting is not allowed): type"
                                                       : "unknown type",
                              (unsigned)type);
    v.type = (enum model_gguf_type)type;
    size_t least = v.type == MODEL_GGUF_STRING ? 8 : GGUF_VALUE_TYPES[type].bytes;
    if (count > base_reader_left(r) / least)
        return base_error_set(
            BASE_E_FORMAT,
            "%s: key '%s': an array of %llu elements does not fit in the %zu bytes left", f->name,
            key, (unsigned long long)count, base_reader_left(r));
    v.count = (size_t)count;
    v.data = f->data + r->position;
    if (v.type == MODEL_GGUF_STRING) {
        if (!(v.at = archive_keep(a, base_alloc(v.count, sizeof *v.at))))
            return BASE_E_MEMORY;
        size_t start = r->position, n;
        for (size_t i = 0; i < v.count; i++) {
            v.at[i] = r->position - start;
            if (!read_string(r, &n))
                return base_error_set(BASE_E_FORMAT,
                                      "%s: key '%s': string %zu of %zu does not fit in the file",
                                      f->name, key, i, v.count);
        }
    } else {
        const uint8_t *p = base_reader_take(r, v.count * least);
        for (size_t i = 0; v.type == MODEL_GGUF_BOOL && i < v.count; i++)
            if (p[i] > 1)
                return base_error_set(BASE_E_FORMAT,
                                      "%s: key '%s': bool %zu is %u, expected 0 or 1", f->name, key,
                                      i, p[i]);
    }
    struct model_array *kept = archive_keep(a, base_alloc(1, sizeof v));
    if (!kept)
        return BASE_E_MEMORY;
    *kept = v;
    *out = kept;
    return 0;
}

/* One key and its value into *k and, for scalars, into the metadata. */
static int read_key(struct model_archive *a, const struct archive_file *f, struct base_reader *r,
                    size_t index, struct archive_key *k)
{
    char shown[ARCHIVE_SHOWN];
    size_t n = 0;
    const char *name = read_string(r, &n);
    if (!name)
        return base_error_set(BASE_E_FORMAT, "%s: key %zu does not fit in the file", f->name,
                              index);
    archive_shown(name, n, shown);
    if (n == 0 || n > 65535 || memchr(name, 0, n) || base_utf8_invalid(name, n) != n)
        return base_error_set(BASE_E_FORMAT,
                              "%s: key %zu ('%s'): expected 1 to 65535 bytes of text", f->name,
                              index, shown);
    if (base_table_get(a->by_key, name, n))
        return base_error_set(BASE_E_FORMAT, "%s: key '%s' appears twice", f->name, shown);
    int rc = base_table_put(a->by_key, name, n, (int64_t)index);
    if (rc)
        return rc;
    if (!(k->name = archive_keep(a, base_strndup(name, n))))
        return BASE_E_MEMORY;
    uint32_t type = base_reader_u32(r);
    if (!base_reader_ok(r) || type >= MODEL_GGUF_TYPES)
        return base_error_set(BASE_E_FORMAT, "%s: key '%s': unknown value type %u", f->name, shown,
                              (unsigned)type);
    k->type = (enum model_gguf_type)type;
    k->value = f->data + r->position;
    size_t start = r->position;
    json_t *json = NULL;
    if (k->type == MODEL_GGUF_ARRAY) {
        if ((rc = read_array(a, f, r, shown, &k->array)))
            return rc;
        k->bytes = r->position - start;
        if (k->array->type == MODEL_GGUF_STRING || k->array->count > SMALL_ARRAY)
            return 0;
        json = json_array(); /* per-layer numbers and the like */
        for (size_t i = 0; json && i < k->array->count; i++)
            if (json_array_append_new(
                    json,
                    scalar_json(k->array->type,
                                k->array->data + i * GGUF_VALUE_TYPES[k->array->type].bytes))) {
                json_decref(json);
                json = NULL;
            }
        if (json_object_set_new_nocheck(a->metadata, k->name, json))
            return base_error_set(BASE_E_MEMORY, "%s: out of memory for the metadata", f->name);
        return 0;
    }
    if (k->type == MODEL_GGUF_STRING) {
        const char *text = read_string(r, &n);
        json = text ? base_json_text(text, n) : NULL;
    } else {
        const uint8_t *p = base_reader_take(r, GGUF_VALUE_TYPES[type].bytes);
        if (p && k->type == MODEL_GGUF_BOOL && *p > 1)
            return base_error_set(BASE_E_FORMAT, "%s: key '%s': bool is %u, expected 0 or 1",
                                  f->name, shown, *p);
        json = p ? scalar_json(k->type, p) : NULL;
    }
    if (!base_reader_ok(r))
        return base_error_set(BASE_E_FORMAT, "%s: key '%s': its value does not fit in the file",
                              f->name, shown);
    k->bytes = r->position - start;
    if (json_object_set_new_nocheck(a->metadata, k->name, json))
        return base_error_set(BASE_E_MEMORY, "%s: out of memory for the metadata", f->name);
    return 0;
}

/* One tensor's description; *running is where its data must begin, then where it ends. */
static int read_tensor(struct model_archive *a, const struct archive_file *f, struct base_reader *r,
                       size_t index, size_t alignment, uint64_t *running)
{
    char shown[ARCHIVE_SHOWN];
    struct model_tensor t = { .file = f->name };
    size_t n = 0, elements, row;
    const char *name = read_string(r, &n);
    uint32_t rank = base_reader_u32(r);
    if (!base_reader_ok(r))
        return base_error_set(BASE_E_FORMAT,
                              "%s: the description of tensor %zu does not fit in the file", f->name,
                              index);
    archive_shown(name, n, shown);
    if (n >= 64)
        return base_error_set(BASE_E_FORMAT, "%s: tensor '%s': a name of %zu bytes, GGUF allows 63",
                              f->name, shown, n);
    if (rank > 4)
        return base_error_set(BASE_E_FORMAT, "%s: tensor '%s': %u dimensions, GGUF allows 4",
                              f->name, shown, (unsigned)rank);
    t.rank = (int)rank;
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t ne = base_reader_u64(r);
        if (ne > INT64_MAX)
            return base_error_set(BASE_E_FORMAT, "%s: tensor '%s': dimension %u is %llu", f->name,
                                  shown, (unsigned)i, (unsigned long long)ne);
        t.shape[rank - 1 - i] = (int64_t)ne;
    }
    uint32_t type = base_reader_u32(r);
    uint64_t offset = base_reader_u64(r);
    if (!base_reader_ok(r))
        return base_error_set(BASE_E_FORMAT,
                              "%s: tensor '%s': its description does not fit in the file", f->name,
                              shown);
    int k = 0;
    while (k < N_TENSOR_TYPES && TENSOR_TYPES[k].type != type)
        k++;
    if (k == N_TENSOR_TYPES)
        return base_error_set(
            BASE_E_UNSUPPORTED,
            "%s: tensor '%s': ggml type %u is not read (f32 f16 bf16 f64, q4_0 to q8_0, q2_k to "
            "q6_k and integers are)",
            f->name, shown, (unsigned)type);
    t.dtype = TENSOR_TYPES[k].dtype;
    row = rank ? (size_t)t.shape[rank - 1] : 1;
    if (row % tensor_dtype_describe(t.dtype)->block)
        return base_error_set(
            BASE_E_FORMAT,
            "%s: tensor '%s': rows of %zu weights are no multiple of %s's block of %u", f->name,
            shown, row, tensor_dtype_describe(t.dtype)->name,
            tensor_dtype_describe(t.dtype)->block);
    if (archive_elements(t.rank, t.shape, &elements) ||
        tensor_dtype_bytes(t.dtype, elements, &t.bytes) || t.bytes > f->bytes)
        return base_error_set(BASE_E_FORMAT,
                              "%s: tensor '%s': its shape asks for more bytes than the file has",
                              f->name, shown);
    if (offset != *running)
        return base_error_set(
            BASE_E_FORMAT,
            "%s: tensor '%s': offset %llu, expected %llu (where the one before ends)", f->name,
            shown, (unsigned long long)offset, (unsigned long long)*running);
    /* each tensor is at most the file's size and there are at most bytes/24 of them: no overflow
     * below 2^59 bytes of file, but a total beyond the file is caught here already */
    uint64_t padded = (t.bytes + (alignment - 1)) / alignment * alignment;
    if (offset + t.bytes > f->bytes)
        return base_error_set(
            BASE_E_FORMAT, "%s: tensor '%s': bytes %llu to %llu of the data lie beyond the file",
            f->name, shown, (unsigned long long)offset, (unsigned long long)(offset + t.bytes));
    *running = offset + padded;
    t.data = (const void *)(uintptr_t)offset; /* made a pointer once the data's start is known */
    return archive_add(a, name, n, &t);
}

/* general.alignment: u32, a power of two. */
static int read_alignment(const struct model_archive *a, const struct archive_file *f,
                          size_t *alignment)
{
    const int64_t *at = base_table_get(a->by_key, "general.alignment", 17);
    *alignment = 32;
    if (!at)
        return 0;
    const struct archive_key *k = &a->keys[*at];
    int64_t value = 0;
    double real;
    if (k->type == MODEL_GGUF_U32)
        number_at(k->type, k->value, &value, &real);
    if (k->type != MODEL_GGUF_U32 || value == 0 || (value & (value - 1)))
        return base_error_set(
            BASE_E_FORMAT,
            "%s: general.alignment: expected a u32 that is a power of two, got %s %lld", f->name,
            GGUF_VALUE_TYPES[k->type].name, (long long)value);
    *alignment = (size_t)value;
    return 0;
}

/* {architecture}.block_count sizes every later table: bound it here. */
static int check_blocks(const struct model_archive *a, const struct archive_file *f)
{
    const char *architecture =
        json_string_value(json_object_get(a->metadata, "general.architecture"));
    char key[160];
    if (!architecture || strlen(architecture) > 100)
        return 0;
    snprintf(key, sizeof key, "%s.block_count", architecture);
    const json_t *blocks = json_object_get(a->metadata, key);
    if (blocks && (!json_is_integer(blocks) || json_integer_value(blocks) < 0 ||
                   json_integer_value(blocks) > MAX_BLOCKS))
        return base_error_set(BASE_E_FORMAT, "%s: %s: expected an integer from 0 to %d", f->name,
                              key, MAX_BLOCKS);
    return 0;
}

int gguf_read(struct model_archive *a, const struct archive_file *f)
{
    struct base_reader r = base_reader_make(f->data, f->bytes);
    base_reader_skip(&r, 4);
    uint32_t version = base_reader_u32(&r);
    uint64_t tensors = base_reader_u64(&r), keys = base_reader_u64(&r), running = 0;
    size_t alignment, first = a->n_tensors;
    int rc;
    if (!base_reader_ok(&r))
        return base_error_set(BASE_E_FORMAT, "%s: %zu bytes: too short for a GGUF file", f->name,
                              f->bytes);
    if ((version & 0xffff) == 0 && version)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: a big-endian GGUF file: write it again as little-endian",
                              f->name);
    if (version < 2 || version > 3)
        return base_error_set(BASE_E_UNSUPPORTED, "%s: GGUF version %u: versions 2 and 3 are read",
                              f->name, (unsigned)version);
    /* a key takes at least 8 + 1 + 4 + 1 bytes, a tensor 8 + 1 + 4 + 4 + 8 */
    if (keys > base_reader_left(&r) / 14 || tensors > base_reader_left(&r) / 25)
        return base_error_set(BASE_E_FORMAT,
                              "%s: %llu keys and %llu tensors do not fit in %zu bytes", f->name,
                              (unsigned long long)keys, (unsigned long long)tensors, f->bytes);
    if (!(a->keys = base_alloc_zero((size_t)keys, sizeof *a->keys)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < keys; i++) {
        if ((rc = read_key(a, f, &r, i, &a->keys[i])))
            return rc;
        a->n_keys = i + 1;
    }
    if ((rc = read_alignment(a, f, &alignment)) || (rc = check_blocks(a, f)))
        return rc;
    const json_t *parts = json_object_get(a->metadata, "split.count");
    if (json_is_integer(parts) && json_integer_value(parts) > 1)
        return base_error_set(
            BASE_E_UNSUPPORTED,
            "%s: one of %lld parts of a model: join them first (llama-gguf-split --merge)", f->name,
            (long long)json_integer_value(parts));
    for (size_t i = 0; i < tensors; i++)
        if ((rc = read_tensor(a, f, &r, i, alignment, &running)))
            return rc;
    size_t start;
    if (base_add_size(r.position, alignment - 1, &start))
        return base_error_set(BASE_E_FORMAT, "%s: general.alignment is beyond the file", f->name);
    start = start / alignment * alignment;
    for (size_t i = first; i < a->n_tensors; i++) {
        struct model_tensor *t = &a->tensors[i];
        size_t offset = (size_t)(uintptr_t)t->data;
        char shown[ARCHIVE_SHOWN];
        if (start > f->bytes || offset > f->bytes - start || t->bytes > f->bytes - start - offset)
            return base_error_set(
                BASE_E_FORMAT,
                "%s: tensor '%s': its %zu bytes should begin at %zu but the file ends at %zu: "
                "truncated?",
                f->name, archive_shown(t->name, strlen(t->name), shown), t->bytes, start + offset,
                f->bytes);
        t->data = f->data + start + offset;
    }
    return 0;
}

const struct model_array *model_archive_array(const struct model_archive *a, const char *key)
{
    const int64_t *at = base_table_get(a->by_key, key, strlen(key));
    return at ? a->keys[*at].array : NULL;
}

size_t model_array_count(const struct model_array *v)
{
    return v->count;
}

enum model_gguf_type model_array_type(const struct model_array *v)
{
    return v->type;
}

const char *model_array_string(const struct model_array *v, size_t i, size_t *bytes)
{
    *bytes = 0;
    if (v->type != MODEL_GGUF_STRING || i >= v->count)
        return NULL;
    const uint8_t *p = v->data + v->at[i];
    struct base_reader r = base_reader_make(p, 8);
    *bytes = (size_t)base_reader_u64(&r);
    return (const char *)p + 8;
}

bool model_array_is_number(const struct model_array *v)
{
    return v->type != MODEL_GGUF_STRING;
}

int64_t model_array_int(const struct model_array *v, size_t i)
{
    int64_t integer = 0;
    double real;
    if (v->type != MODEL_GGUF_STRING && i < v->count)
        number_at(v->type, v->data + i * GGUF_VALUE_TYPES[v->type].bytes, &integer, &real);
    return integer;
}

double model_array_double(const struct model_array *v, size_t i)
{
    int64_t integer;
    double real = 0;
    if (v->type != MODEL_GGUF_STRING && i < v->count)
        number_at(v->type, v->data + i * GGUF_VALUE_TYPES[v->type].bytes, &integer, &real);
    return real;
}

const char *model_archive_key(const struct model_archive *a, size_t i, const struct model_array **v)
{
    if (i >= a->n_keys)
        return NULL;
    if (v)
        *v = a->keys[i].array;
    return a->keys[i].name;
}
