/* Weights files: what other programs write is read; what Assay writes reads back; what is broken is
 * refused with one line; memory running out at any point leaks nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/archive.h"
#include "support.h"
#include <math.h>

static const struct model_tensor *tensor(const struct model_archive *a, const char *name)
{
    const struct model_tensor *t = model_archive_find(a, name);
    if (!t)
        fail_msg("no tensor %s", name);
    return t;
}

/* Values of t against f(i), i in row-major order. */
static void values_are(const struct model_tensor *t, size_t n, double (*f)(size_t))
{
    float v[64];
    assert_true(n <= 64);
    assert_int_equal(tensor_to_f32(t->dtype, t->data, n, v), 0);
    for (size_t i = 0; i < n; i++)
        assert_true((double)v[i] == f(i));
}
static double value_a(size_t i)
{
    return (double)i * 0.5 - 2;
}
static double value_b(size_t i)
{
    return (double)i / 8;
}
static double value_c(size_t i)
{
    return (double)i * 3 - 4;
}
static double value_transposed(size_t i)
{
    return value_a(i % 3 * 4 + i / 3);
}
static double value_tail(size_t i)
{
    return value_a((1 + i / 2) * 4 + 2 + i % 2);
}
static double value_row(size_t i)
{
    return value_a(8 + i);
}
static double value_scalar(size_t i)
{
    (void)i;
    return 1.25;
}

static void common_tensors(const struct model_archive *a)
{
    const struct model_tensor *t = tensor(a, "a.weight");
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->shape[0], 3);
    assert_int_equal(t->shape[1], 4);
    assert_int_equal(t->bytes, 48);
    values_are(t, 12, value_a);
    assert_int_equal(tensor(a, "b")->dtype, TENSOR_F16);
    values_are(tensor(a, "b"), 5, value_b);
}

static void python_safetensors(void **state)
{
    (void)state;
    struct model_archive *a;
    assert_int_equal(model_archive_open(&a, "tests/model/data/peer.safetensors"), 0);
    assert_int_equal(model_archive_format(a), MODEL_SAFETENSORS);
    assert_int_equal(model_archive_count(a), 6);
    common_tensors(a);
    values_are(tensor(a, "c"), 4, value_c);
    values_are(tensor(a, "s"), 1, value_scalar);
    assert_int_equal(tensor(a, "s")->rank, 0);
    assert_int_equal(tensor(a, "z")->bytes, 0);
    assert_int_equal(tensor(a, "z")->shape[1], 3);
    int64_t third;
    memcpy(&third, (const char *)tensor(a, "i")->data + 16, 8);
    assert_true(third == (int64_t)1 << 40);
    assert_string_equal(json_string_value(json_object_get(model_archive_metadata(a), "format")),
                        "pt");
    assert_ptr_equal(model_archive_find(a, "tied"), tensor(a, "b")); /* an alias in the metadata */
    assert_null(model_archive_find(a, "format"));
    assert_null(model_archive_array(a, "format"));
    model_archive_close(a);
}

static void python_torch(void **state)
{
    (void)state;
    struct model_archive *a;
    if (model_archive_open(&a, "tests/model/data/peer.bin"))
        fail_msg("%s", base_error_message());
    assert_int_equal(model_archive_format(a), MODEL_TORCH);
    assert_int_equal(model_archive_count(a), 10);
    common_tensors(a);
    values_are(tensor(a, "c"), 4, value_c);
    values_are(tensor(a, "s"), 1, value_scalar);
    assert_int_equal(tensor(a, "z")->bytes, 0);
    assert_int_equal(tensor(a, "i")->dtype, TENSOR_I64);
    assert_int_equal(tensor(a, "a.T")->shape[0], 4);
    values_are(tensor(a, "a.T"), 12, value_transposed);
    values_are(tensor(a, "a.tail"), 4, value_tail);
    values_are(tensor(a, "a.row"), 4, value_row);
    assert_ptr_equal(tensor(a, "again")->data, tensor(a, "a.weight")->data);
    model_archive_close(a);
    assert_int_equal(model_archive_open(&a, "tests/model/data/peer_checkpoint.bin"), 0);
    assert_int_equal(model_archive_count(a), 1);
    values_are(tensor(a, "b"), 5, value_b);
    model_archive_close(a);
    assert_int_equal(model_archive_open(&a, "tests/model/data/peer_legacy.bin"),
                     BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "torch.save it again"));
    assert_int_equal(model_archive_open(&a, "tests/model/data/peer_foreign.bin"),
                     BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "numpy"));
}

static void python_gguf(void **state)
{
    (void)state;
    struct model_archive *a;
    if (model_archive_open(&a, "tests/model/data/peer.gguf"))
        fail_msg("%s", base_error_message());
    assert_int_equal(model_archive_format(a), MODEL_GGUF);
    assert_int_equal(model_archive_count(a), 3);
    common_tensors(a);
    const struct model_tensor *q = tensor(a, "q");
    assert_int_equal(q->dtype, TENSOR_Q8_0);
    assert_int_equal(q->shape[0], 2);
    assert_int_equal(q->shape[1], 32);
    float v[64];
    assert_int_equal(tensor_to_f32(q->dtype, q->data, 64, v), 0);
    for (int i = 0; i < 64; i++)
        assert_true(fabs((double)v[i] - (i - 31.5)) < 0.13);
    const json_t *m = model_archive_metadata(a);
    assert_int_equal(json_integer_value(json_object_get(m, "llama.context_length")), 64);
    assert_true(json_is_true(json_object_get(m, "test.flag")));
    assert_true(json_integer_value(json_object_get(m, "test.big")) == -((int64_t)1 << 40));
    assert_true(json_real_value(json_object_get(m, "test.double")) == 0.1);
    assert_null(json_object_get(m, "tokenizer.ggml.tokens"));
    const struct model_array *tokens = model_archive_array(a, "tokenizer.ggml.tokens");
    const struct model_array *scores = model_archive_array(a, "tokenizer.ggml.scores");
    const struct model_array *types = model_archive_array(a, "tokenizer.ggml.token_type");
    assert_int_equal(model_array_count(tokens), 3);
    assert_int_equal(model_array_type(tokens), MODEL_GGUF_STRING);
    size_t n;
    const char *s = model_array_string(tokens, 1, &n);
    assert_int_equal(n, 6);
    assert_memory_equal(s, "\xe2\x96\x81the", 6);
    assert_null(model_array_string(tokens, 3, &n));
    assert_null(model_array_string(scores, 0, &n));
    assert_true(model_array_double(scores, 2) == -2.25);
    assert_int_equal(model_array_int(types, 0), 3);
    assert_true(model_array_is_number(types) && !model_array_is_number(tokens));
    assert_null(model_archive_array(a, "test.flag"));
    model_archive_close(a);
}

/* -- malformed safetensors
 * ------------------------------------------------------------------------- */

static void safetensors_verdict(const char *header, size_t data, const char *complaint)
{
    struct base_buffer b = { 0 };
    uint64_t n = strlen(header);
    struct model_archive *a = NULL;
    base_buffer_append(&b, &n, 8);
    base_buffer_puts(&b, header);
    for (size_t i = 0; i < data; i++)
        base_buffer_append(&b, "", 1);
    int rc = model_archive_open_memory(&a, b.data, b.length, "test.safetensors");
    if (complaint) {
        assert_int_not_equal(rc, 0);
        if (!strstr(base_error_message(), complaint))
            fail_msg("'%s' does not say '%s'", base_error_message(), complaint);
        assert_null(strchr(base_error_message(), '\n'));
    } else if (rc) {
        fail_msg("%s", base_error_message());
    }
    model_archive_close(a);
    base_buffer_free(&b);
}

static void malformed_safetensors(void **state)
{
    (void)state;
#define T(dtype, shape, begin, end)                                                                \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"
    safetensors_verdict("{\"a\":" T("F32", "[2]", "0", "8") "}", 8, NULL);
    safetensors_verdict("{\"b\":" T("U8", "[1]", "8", "9") ",\"a\":" T("F32", "[2]", "0", "8") "}",
                        9, NULL);
    safetensors_verdict("{}  ", 0, NULL);
    safetensors_verdict("{}", 1, "cover 0 bytes");
    safetensors_verdict("[]", 0, "not a JSON object");
    safetensors_verdict("{\"a\":3}", 0, "expected {\"dtype\"");
    safetensors_verdict(
        "{\"a\":" T("F32", "[2]", "0", "8") ",\"a\":" T("F32", "[2]", "8", "16") "}", 16,
        "duplicate");
    safetensors_verdict("{\"\":" T("F32", "[2]", "0", "8") "}", 8, "empty name");
    safetensors_verdict("{\"a\":" T("F32", "[-2]", "0", "8") "}", 8, ">= 0");
    safetensors_verdict("{\"a\":" T("F32", "[2.0]", "0", "8") "}", 8, ">= 0");
    safetensors_verdict("{\"a\":" T("F32", "[2]", "-8", "0") "}", 8, "run backwards");
    safetensors_verdict("{\"a\":" T("F32", "[2]", "0", "9") "}", 9, "need 8 bytes");
    safetensors_verdict("{\"a\":" T("F4", "[2]", "0", "1") "}", 1, "unknown dtype");
    safetensors_verdict("{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, "9 dimensions");
    safetensors_verdict("{\"a\":" T("F32", "[4611686018427387904,2,2]", "0", "0") "}", 0,
                        "overflows");
    safetensors_verdict("{\"a\":" T("F32", "[2]", "4", "12") "}", 12, "expected to begin at 0");
    safetensors_verdict("{\"a\":" T("F32", "[2]", "0", "8") "}", 7, "within the 7 bytes");
    safetensors_verdict("{\"__metadata__\":[]}", 0, "__metadata__");
    safetensors_verdict("{\"__metadata__\":{\"k\":1}}", 0, "expected a string");
    safetensors_verdict("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets");
}

static void shared_malformed(void **state)
{
    (void)state;
    TEST_NEEDS_SHARED("models/safetensors-malformed/expected.tsv");
    FILE *f = fopen(test_shared_path("models/safetensors-malformed/expected.tsv"), "r");
    char line[512], name[600];
    int seen = 0;
    while (fgets(line, sizeof line, f)) {
        char *tab = strchr(line, '\t');
        if (!tab)
            continue;
        *tab = 0;
        snprintf(name, sizeof name, "models/safetensors-malformed/%s", line);
        struct model_archive *a = NULL;
        int rc = model_archive_open(&a, test_shared_path(name));
        if ((rc == 0) != !strncmp(tab + 1, "OK", 2))
            fail_msg("%s: wanted %s, got %d %s", line, tab + 1, rc, rc ? base_error_message() : "");
        model_archive_close(a);
        seen++;
    }
    fclose(f);
    assert_int_equal(seen, 21);
}

/* -- malformed GGUF: a sound file with one field changed
 * --------------------------------------------- */

struct gguf {
    uint32_t version, alignment_type, alignment, array_type, type, rank;
    uint64_t tensors, keys, array_count, string_length, ne0, offset;
    const char *key, *name, *second_name;
    size_t cut; /* bytes taken from the end */
    int64_t blocks;
};
#define SOUND_GGUF                                                                                 \
    {                                                                                              \
        .version = 3, .alignment_type = 4, .alignment = 32, .array_type = 8, .tensors = 2,         \
        .keys = 4, .array_count = 2, .string_length = 5, .ne0 = 4, .rank = 2, .offset = 32,        \
        .key = "list", .name = "x", .second_name = "y", .blocks = 1                                \
    }

static void put(struct base_buffer *b, uint64_t v, size_t bytes)
{
    base_buffer_append(b, &v, bytes);
}
static void put_string(struct base_buffer *b, const char *s)
{
    put(b, strlen(s), 8);
    base_buffer_append(b, s, strlen(s));
}

static int open_gguf(struct model_archive **a, struct gguf g, struct base_buffer *b)
{
    base_buffer_clear(b);
    base_buffer_puts(b, "GGUF");
    put(b, g.version, 4);
    put(b, g.tensors, 8);
    put(b, g.keys, 8);
    put_string(b, "general.architecture");
    put(b, 8, 4);
    put(b, g.string_length, 8);
    base_buffer_puts(b, "llama");
    put_string(b, "general.alignment");
    put(b, g.alignment_type, 4);
    put(b, g.alignment, 4);
    put_string(b, "llama.block_count");
    put(b, 11, 4);
    put(b, (uint64_t)g.blocks, 8);
    put_string(b, g.key);
    put(b, 9, 4);
    put(b, g.array_type, 4);
    put(b, g.array_count, 8);
    put_string(b, "one");
    put_string(b, "two");
    put_string(b, g.name);
    put(b, g.rank, 4);
    put(b, g.ne0, 8);
    put(b, 1, 8);
    put(b, g.type, 4);
    put(b, 0, 8);
    put_string(b, g.second_name);
    put(b, 1, 4);
    put(b, 3, 8);
    put(b, 0, 4);
    put(b, g.offset, 8);
    while (b->length % 32)
        put(b, 0, 1);
    for (int i = 0; i < 44; i++)
        put(b, 0, 1);
    return model_archive_open_memory(a, b->data, b->length - g.cut, "test.gguf");
}

static void malformed_gguf(void **state)
{
    (void)state;
    struct base_buffer b = { 0 };
    struct model_archive *a;
    struct gguf sound = SOUND_GGUF;
    if (open_gguf(&a, sound, &b))
        fail_msg("%s", base_error_message());
    assert_int_equal(model_archive_count(a), 2);
    assert_int_equal(tensor(a, "x")->shape[1], 4);
    model_archive_close(a);
#define REFUSED(change, complaint)                                                                 \
    do {                                                                                           \
        struct gguf g = SOUND_GGUF;                                                                \
        g.change;                                                                                  \
        assert_int_not_equal(open_gguf(&a, g, &b), 0);                                             \
        if (!strstr(base_error_message(), complaint))                                              \
            fail_msg("'%s' does not say '%s'", base_error_message(), complaint);                   \
        assert_null(strchr(base_error_message(), '\n'));                                           \
    } while (0)
    REFUSED(version = 1, "version 1");
    REFUSED(version = 4, "version 4");
    REFUSED(version = 0x03000000, "big-endian");
    REFUSED(tensors = UINT64_MAX, "do not fit");
    REFUSED(tensors = 3, "expected 64"); /* the padding is read as a tensor */
    REFUSED(keys = (uint64_t)1 << 60, "do not fit");
    REFUSED(string_length = UINT64_MAX, "does not fit");
    REFUSED(string_length = (uint64_t)1 << 40, "does not fit");
    REFUSED(alignment = 0, "power of two");
    REFUSED(alignment = 24, "power of two");
    REFUSED(alignment_type = 5, "expected a u32");
    REFUSED(alignment = 1u << 31, "expected");
    REFUSED(array_type = 9, "nesting");
    REFUSED(array_type = 13, "unknown type");
    REFUSED(array_count = UINT64_MAX / 8, "does not fit");
    REFUSED(array_count = 1000, "fit");
    REFUSED(key = "", "1 to 65535");
    REFUSED(key = "general.alignment", "appears twice");
    REFUSED(key = "\xff", "1 to 65535");
    REFUSED(name = "", "empty name");
    REFUSED(name = "y", "appears twice");
    REFUSED(name = "0123456789012345678901234567890123456789012345678901234567890123", "64 bytes");
    REFUSED(rank = 5, "5 dimensions");
    REFUSED(ne0 = UINT64_MAX, "dimension 0");
    REFUSED(ne0 = INT64_MAX, "more bytes than the file");
    REFUSED(ne0 = 8000, "more bytes than the file");
    REFUSED(type = 4, "type 4");
    REFUSED(type = 8, "block of 32");
    REFUSED(offset = 0, "expected 32");
    REFUSED(offset = 64, "expected 32");
    REFUSED(cut = 1, "truncated");
    REFUSED(cut = 45, "truncated");
    REFUSED(blocks = -1, "block_count");
    REFUSED(blocks = (int64_t)1 << 40, "block_count");
    /* every prefix of a sound file is refused or (never) read past its end */
    for (size_t cut = 1; cut < b.length; cut++) {
        struct gguf g = SOUND_GGUF;
        g.cut = cut;
        a = NULL;
        assert_int_not_equal(open_gguf(&a, g, &b), 0);
    }
    base_buffer_free(&b);
}

/* -- malformed torch zips
 * ------------------------------------------------------------------------------ */

struct zip_entry {
    const char *name;
    const char *data;
    size_t bytes;
    unsigned method;
};

/* A zip of stored members, as PyTorch writes them but for the alignment. */
static void make_zip(struct base_buffer *b, const struct zip_entry *e, size_t n)
{
    size_t at[8];
    base_buffer_clear(b);
    for (size_t i = 0; i < n; i++) {
        at[i] = b->length;
        put(b, 0x04034b50, 4);
        put(b, 0, 4);
        put(b, e[i].method, 2);
        put(b, 0, 8);
        put(b, e[i].bytes, 4);
        put(b, e[i].bytes, 4);
        put(b, strlen(e[i].name), 2);
        put(b, 0, 2);
        base_buffer_puts(b, e[i].name);
        base_buffer_append(b, e[i].data, e[i].bytes);
    }
    size_t directory = b->length;
    for (size_t i = 0; i < n; i++) {
        put(b, 0x02014b50, 4);
        put(b, 0, 6);
        put(b, e[i].method, 2);
        put(b, 0, 8);
        put(b, e[i].bytes, 4);
        put(b, e[i].bytes, 4);
        put(b, strlen(e[i].name), 2);
        put(b, 0, 8);
        put(b, 0, 4);
        put(b, at[i], 4);
        base_buffer_puts(b, e[i].name);
    }
    size_t size = b->length - directory;
    put(b, 0x06054b50, 4);
    put(b, 0, 4);
    put(b, n, 2);
    put(b, n, 2);
    put(b, size, 4);
    put(b, directory, 4);
    put(b, 0, 2);
}

/* Text of a pickle in which hex escapes are spelled out; NULs are allowed. */
#define PICKLE(s) s, sizeof s - 1
#define HEAD      "\x80\x02"
#define STORAGE                                                                                    \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                                             \
    "0X\3\0\0\0cpuK\6tQ"
/* {"w": _rebuild_tensor_v2(storage, offset, size, stride, False, OrderedDict())} */
#define TENSOR(offset, size, stride)                                                               \
    "X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(" STORAGE offset size stride "\x89"             \
    "ccollections\nOrderedDict\n)RtRs"

static void torch_verdict(const char *pickle, size_t n, const char *complaint)
{
    static const char floats[24] = { 0 };
    struct base_buffer b = { 0 };
    struct model_archive *a = NULL;
    struct zip_entry e[] = { { "m/data.pkl", pickle, n, 0 },
                             { "m/data/0", floats, sizeof floats, 0 } };
    make_zip(&b, e, 2);
    int rc = model_archive_open_memory(&a, b.data, b.length, "test.bin");
    if (!complaint && rc)
        fail_msg("%s", base_error_message());
    if (complaint) {
        assert_int_not_equal(rc, 0);
        if (!strstr(base_error_message(), complaint))
            fail_msg("'%s' does not say '%s'", base_error_message(), complaint);
        assert_null(strchr(base_error_message(), '\n'));
    }
    model_archive_close(a);
    base_buffer_free(&b);
}

static void malformed_pickles(void **state)
{
    (void)state;
    torch_verdict(PICKLE(HEAD "}."), NULL);
    torch_verdict(PICKLE(HEAD "}" TENSOR("K\0", "K\2K\3\x86", "K\3K\1\x86") "."), NULL);
    torch_verdict(PICKLE(HEAD "}" TENSOR("K\0", "K\3K\2\x86", "K\1K\3\x86") "."),
                  NULL); /* transposed */
    torch_verdict(PICKLE(HEAD "}" TENSOR("K\0", "K\2K\4\x86", "K\4K\1\x86") "."),
                  "does not fit in its storage");
    torch_verdict(PICKLE(HEAD "}" TENSOR("K\1", "K\2K\3\x86", "K\3K\1\x86") "."),
                  "beyond its storage");
    torch_verdict(PICKLE(HEAD "}" TENSOR("K\7", "K\1\x85", "K\1\x85") "."),
                  "does not fit in its storage");
    torch_verdict(PICKLE(HEAD "}" TENSOR("J\xff\xff\xff\xff", "K\1\x85", "K\1\x85") "."),
                  "impossible size");
    torch_verdict(PICKLE(HEAD "}" TENSOR("K\0", "J\xff\xff\xff\xff\x85", "K\1\x85") "."),
                  "impossible size");
    torch_verdict(PICKLE(HEAD "}" TENSOR("K\0", "K\2\x85", "J\xff\xff\xff\xff\x85") "."),
                  "strides");
    torch_verdict(PICKLE(HEAD "}" TENSOR("K\0", "K\2\x85",
                                         "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85") "."),
                  "strides");
    torch_verdict(PICKLE(HEAD "}" TENSOR("K\0", "K\2\x85", "K\1K\1\x86") "."), "make no tensor");
    torch_verdict(PICKLE(HEAD "}" TENSOR("K\0", "X\1\0\0\0a\x85", "K\1\x85") "."),
                  "make no tensor");
    torch_verdict(PICKLE(HEAD "cos\nsystem\nX\2\0\0\0ls\x85R."), "'os.system'");
    torch_verdict(PICKLE(HEAD "\x8c\2os\x8c\6system\x93)R."), "'os.system'");
    torch_verdict(PICKLE(HEAD "cbuiltins\neval\n)R."), "'builtins.eval'");
    torch_verdict(PICKLE(HEAD "}(ios\nsystem\n."), "opcode 0x69 'i'");
    torch_verdict(PICKLE(HEAD "}\x81."), "opcode 0x81");
    torch_verdict(PICKLE(HEAD "ctorch\nFloatStorage\n)R."), "is a type");
    torch_verdict(PICKLE(HEAD "}"), "without STOP");
    torch_verdict(PICKLE(""), "without STOP");
    torch_verdict(PICKLE(HEAD "."), "stack is empty");
    torch_verdict(PICKLE(HEAD "}(."), "mark is left");
    torch_verdict(PICKLE(HEAD "K\1."), "found an int");
    torch_verdict(PICKLE(HEAD "}K\1\x86."), "found a tuple");
    torch_verdict(PICKLE(HEAD "\x86."), "stack is empty");
    torch_verdict(PICKLE(HEAD "h\5."), "never stored");
    torch_verdict(PICKLE(HEAD "}r\xff\xff\xff\xff."), "memo index");
    torch_verdict(PICKLE(HEAD "t."), "no mark");
    torch_verdict(PICKLE(HEAD "](K\1u."), "no dict");
    torch_verdict(PICKLE(HEAD "}(K\1u."), "without a value");
    torch_verdict(PICKLE(HEAD "}K\1a."), "no list");
    torch_verdict(PICKLE(HEAD "}X\xff\xff\xff\xff"), "longer than the file");
    torch_verdict(PICKLE(HEAD "}\x8a\x09\1\1\1\1\1\1\1\1\1."), "beyond 64 bits");
    torch_verdict(PICKLE(HEAD "}J\1"), "within an opcode");
    torch_verdict(PICKLE(HEAD "K\1Q."), "no storage");
    torch_verdict(PICKLE("\x80\x09}."), "protocol");
    /* a list that holds itself is freed once */
    torch_verdict(PICKLE(HEAD "]q\0h\0a."), "found a list");
    /* two tensors of one name; a storage that is not there */
    torch_verdict(PICKLE(HEAD "}" TENSOR("K\0", "K\2\x85", "K\1\x85")
                             TENSOR("K\0", "K\3\x85", "K\1\x85") "."),
                  "appears twice");
    torch_verdict(PICKLE(HEAD "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                              "9X\3\0\0\0cpuK\6tQ."),
                  "'9' is not in the zip");
    torch_verdict(PICKLE(HEAD "(X\7\0\0\0storagectorch\nDoubleStorage\nX\1\0\0\0"
                              "0X\3\0\0\0cpuK\6tQ."),
                  "do not fit in its 24 bytes");
}

static void malformed_zips(void **state)
{
    (void)state;
    struct base_buffer b = { 0 };
    struct model_archive *a = NULL;
    struct zip_entry e[] = { { "m/data.pkl", HEAD "}.", 4, 0 }, { "m/byteorder", "little", 6, 0 } };
    make_zip(&b, e, 2);
    assert_int_equal(model_archive_open_memory(&a, b.data, b.length, "test.bin"), 0);
    model_archive_close(a);
    for (size_t n = 0; n < b.length; n++)
        assert_int_not_equal(model_archive_open_memory(&a, b.data, n, "test.bin"), 0);
    e[1].data = "bigend";
    make_zip(&b, e, 2);
    assert_int_equal(model_archive_open_memory(&a, b.data, b.length, "test.bin"),
                     BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "little-endian"));
    e[0].method = 8;
    make_zip(&b, e, 1);
    assert_int_equal(model_archive_open_memory(&a, b.data, b.length, "test.bin"),
                     BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "compressed"));
    e[0] = (struct zip_entry){ "m/other", "", 0, 0 };
    make_zip(&b, e, 1);
    assert_int_equal(model_archive_open_memory(&a, b.data, b.length, "test.bin"), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "data.pkl"));
    e[1] = (struct zip_entry){ "m/other", "", 0, 0 };
    make_zip(&b, e, 2);
    assert_int_equal(model_archive_open_memory(&a, b.data, b.length, "test.bin"), BASE_E_FORMAT);
    assert_non_null(strstr(base_error_message(), "twice"));
    base_buffer_free(&b);
}

static void not_weights(void **state)
{
    (void)state;
    struct model_archive *a;
    assert_int_not_equal(model_archive_open(&a, "/nonexistent/model.safetensors"), 0);
    assert_non_null(strstr(base_error_message(), "/nonexistent/model.safetensors"));
    assert_int_not_equal(model_archive_open(&a, "Makefile"), 0);
    assert_non_null(strstr(base_error_message(), "not a weights file"));
    assert_int_not_equal(model_archive_open(&a, "tests"), 0);
    assert_non_null(strstr(base_error_message(), "no weights in this directory"));
    assert_int_not_equal(model_archive_open_memory(&a, "FUGG\0\0\0\3", 8, "x"), 0);
    assert_non_null(strstr(base_error_message(), "byte-swapped"));
}

/* -- writing
 * ------------------------------------------------------------------------------------------- */

static const float WEIGHTS[8] = { 1, -2, 0.5f, 3, 1e-3f, -7, 65504, 0 };
static const struct model_tensor_plan PLAN[] = {
    { "z.bias", TENSOR_F32, 1, { 8 } },   { "a.half", TENSOR_F16, 2, { 2, 4 } },
    { "empty", TENSOR_F32, 2, { 0, 4 } }, { "a.brain", TENSOR_BF16, 2, { 4, 2 } },
    { "scalar", TENSOR_F32, 0, { 0 } },
};

static void write_plan(struct model_archive_writer *w)
{
    uint16_t half[8], brain[8];
    tensor_from_f32(TENSOR_F16, WEIGHTS, 8, half);
    tensor_from_f32(TENSOR_BF16, WEIGHTS, 8, brain);
    assert_int_equal(model_archive_write(w, 0, WEIGHTS, 12), 0);
    assert_int_equal(model_archive_write(w, 0, WEIGHTS + 3, 20), 0);
    assert_int_equal(model_archive_write(w, 1, half, 16), 0);
    assert_int_equal(model_archive_write(w, 3, brain, 16), 0);
    assert_int_equal(model_archive_write(w, 4, WEIGHTS + 5, 4), 0);
}

static void read_back(const char *path, enum model_archive_format format)
{
    struct model_archive *a;
    uint16_t half[8], brain[8];
    tensor_from_f32(TENSOR_F16, WEIGHTS, 8, half);
    tensor_from_f32(TENSOR_BF16, WEIGHTS, 8, brain);
    if (model_archive_open(&a, path))
        fail_msg("%s", base_error_message());
    assert_int_equal(model_archive_format(a), format);
    assert_int_equal(model_archive_count(a), 5);
    for (size_t i = 0; i < 5; i++) {
        const struct model_tensor *t = tensor(a, PLAN[i].name);
        assert_int_equal(t->dtype, PLAN[i].dtype);
        assert_int_equal(t->rank, PLAN[i].rank);
        for (int d = 0; d < t->rank; d++)
            assert_int_equal(t->shape[d], PLAN[i].shape[d]);
    }
    assert_memory_equal(tensor(a, "z.bias")->data, WEIGHTS, 32);
    assert_memory_equal(tensor(a, "a.half")->data, half, 16);
    assert_memory_equal(tensor(a, "a.brain")->data, brain, 16);
    assert_memory_equal(tensor(a, "scalar")->data, WEIGHTS + 5, 4);
    model_archive_close(a);
}

static void writes_safetensors(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".safetensors");
    struct model_archive_writer *w;
    json_t *metadata = json_pack("{s:s, s:s}", "format", "pt", "quote\"", "\xc3\xa9\n");
    assert_int_equal(model_safetensors_create(&w, path, PLAN, 5, metadata), 0);
    write_plan(w);
    assert_int_equal(model_archive_commit(w), 0);
    model_archive_writer_close(w);
    read_back(path, MODEL_SAFETENSORS);
    char *file;
    size_t bytes;
    assert_int_equal(base_file_read(path, 0, &file, &bytes), 0);
    uint64_t header;
    memcpy(&header, file, 8);
    assert_int_equal(header % 8, 0);
    assert_int_equal(file[8], '{');
    /* larger alignment first, then by name */
    const char *order[] = { "\"empty\"", "\"scalar\"", "\"z.bias\"", "\"a.brain\"", "\"a.half\"" };
    for (int i = 0; i < 4; i++)
        assert_true(strstr(file + 8, order[i]) < strstr(file + 8, order[i + 1]));
    base_free(file);
    struct model_archive *a;
    assert_int_equal(model_archive_open(&a, path), 0);
    assert_true(json_equal(model_archive_metadata(a), metadata));
    model_archive_close(a);
    json_decref(metadata);
    unlink(path);
}

static void writes_gguf(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".gguf"), *second = test_temporary_path(".gguf");
    struct model_archive_writer *w;
    struct model_archive *a, *b;
    json_t *metadata = json_pack(
        "{s:{s:s,s:s}, s:{s:s,s:i}, s:{s:s,s:f}, s:{s:s,s:b}, s:{s:s,s:s,s:[s,s]}, "
        "s:{s:s,s:s,s:[i,i,i]}, s:n}",
        "general.architecture", "type", "string", "value", "llama", "llama.block_count", "type",
        "u32", "value", 1, "eps", "type", "f32", "value", 1e-5, "flag", "type", "bool", "value", 1,
        "words", "type", "array", "of", "string", "value", "a", "\xe2\x96\x81", "ids", "type",
        "array", "of", "i32", "value", -1, 2, 3, "left out");
    assert_non_null(metadata);
    assert_int_equal(model_gguf_create(&w, path, PLAN, 5, metadata, NULL), 0);
    write_plan(w);
    assert_int_equal(model_archive_commit(w), 0);
    model_archive_writer_close(w);
    read_back(path, MODEL_GGUF);
    assert_int_equal(model_archive_open(&a, path), 0);
    const json_t *m = model_archive_metadata(a);
    assert_int_equal(json_object_size(m), 5); /* the short array of numbers too */
    assert_true((float)json_real_value(json_object_get(m, "eps")) == 1e-5f);
    const struct model_array *ids = model_archive_array(a, "ids");
    assert_int_equal(model_array_type(ids), MODEL_GGUF_I32);
    assert_int_equal(model_array_int(ids, 0), -1);
    size_t n;
    assert_memory_equal(model_array_string(model_archive_array(a, "words"), 1, &n), "\xe2\x96\x81",
                        3);
    /* a part of a split model says so */
    json_t *split = json_pack("{s:{s:s,s:i}}", "split.count", "type", "u16", "value", 3);
    assert_int_equal(model_gguf_create(&w, second, PLAN, 5, split, a), 0);
    write_plan(w);
    assert_int_equal(model_archive_commit(w), 0);
    model_archive_writer_close(w);
    json_decref(split);
    assert_int_equal(model_archive_open(&b, second), BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "one of 3 parts"));
    /* copying: everything but what the new metadata says anew or leaves out */
    json_t *change =
        json_pack("{s:{s:s,s:i}, s:n}", "llama.block_count", "type", "u32", "value", 7, "flag");
    assert_int_equal(model_gguf_create(&w, second, PLAN, 5, change, a), 0);
    write_plan(w);
    assert_int_equal(model_archive_commit(w), 0);
    model_archive_writer_close(w);
    assert_int_equal(model_archive_open(&b, second), 0);
    m = model_archive_metadata(b);
    assert_int_equal(json_integer_value(json_object_get(m, "llama.block_count")), 7);
    assert_null(json_object_get(m, "flag"));
    assert_int_equal(model_array_count(model_archive_array(b, "words")), 2);
    assert_int_equal(model_array_int(model_archive_array(b, "ids"), 2), 3);
    char one[65], two[65];
    assert_int_equal(model_archive_hash(a, one), 0);
    assert_int_equal(model_archive_hash(b, two), 0);
    assert_string_equal(one, two);
    model_archive_close(a);
    model_archive_close(b);
    json_decref(change);
    json_decref(metadata);
    unlink(path);
    unlink(second);
}

static void writing_is_all_or_nothing(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".safetensors");
    struct model_archive_writer *w;
    test_write_file(path, "old", 3);
    assert_int_equal(model_safetensors_create(&w, path, PLAN, 5, NULL), 0);
    assert_int_equal(model_archive_write(w, 1, WEIGHTS, 16),
                     BASE_E_ARGUMENT); /* not the next one */
    assert_int_equal(model_archive_write(w, 0, WEIGHTS, 32), 0);
    assert_int_equal(model_archive_write(w, 0, WEIGHTS, 4), BASE_E_ARGUMENT); /* too much */
    assert_int_equal(model_archive_commit(w), BASE_E_ARGUMENT);               /* too little */
    model_archive_writer_close(w);
    char *file;
    size_t bytes;
    assert_int_equal(base_file_read(path, 0, &file, &bytes), 0);
    assert_string_equal(file, "old");
    base_free(file);
    unlink(path);
    struct model_tensor_plan bad[] = { { "a", TENSOR_Q8_0, 2, { 32, 2 } },
                                       { "a", TENSOR_F32, 1, { 1 } } };
    assert_int_equal(model_safetensors_create(&w, path, bad, 1, NULL), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "q8_0"));
    assert_int_equal(model_gguf_create(&w, path, bad, 1, NULL, NULL),
                     BASE_E_ARGUMENT); /* rows of 2 */
    bad[0].dtype = TENSOR_F32;
    assert_int_equal(model_safetensors_create(&w, path, bad, 2, NULL), BASE_E_ARGUMENT); /* twice */
    assert_int_equal(model_gguf_create(&w, path, bad, 2, NULL, NULL), BASE_E_ARGUMENT);
    assert_int_equal(access(path, F_OK), -1);
    json_t *wrong = json_pack("{s:{s:s,s:i}}", "k", "type", "u8", "value", 256);
    assert_int_equal(model_gguf_create(&w, path, PLAN, 1, wrong, NULL), BASE_E_ARGUMENT);
    json_decref(wrong);
}

/* -- shards
 * ---------------------------------------------------------------------------------------------- */

static void write_shard(const char *path, const struct model_tensor_plan *plan)
{
    struct model_archive_writer *w;
    assert_int_equal(model_safetensors_create(&w, path, plan, 1, NULL), 0);
    assert_int_equal(model_archive_write(w, 0, WEIGHTS, 32), 0);
    assert_int_equal(model_archive_commit(w), 0);
    model_archive_writer_close(w);
}

static void sharded_directory(void **state)
{
    (void)state;
    char directory[600], one[700], two[700], index[700];
    snprintf(directory, sizeof directory, "%s", test_temporary_path(".model"));
    snprintf(one, sizeof one, "%s/model-00001-of-00002.safetensors", directory);
    snprintf(two, sizeof two, "%s/model-00002-of-00002.safetensors", directory);
    snprintf(index, sizeof index, "%s/model.safetensors.index.json", directory);
    assert_int_equal(base_file_make_directories(directory), 0);
    write_shard(one, &(struct model_tensor_plan){ "a", TENSOR_F32, 1, { 8 } });
    write_shard(two, &(struct model_tensor_plan){ "b", TENSOR_F32, 2, { 2, 4 } });
    struct model_archive *a;
#define INDEX(s)                                                                                   \
    test_write_file(index, "{\"weight_map\":" s "}", sizeof "{\"weight_map\":" s "}" - 1)
    INDEX(
        "{\"a\":\"model-00001-of-00002.safetensors\",\"b\":\"model-00002-of-00002.safetensors\"}");
    assert_int_equal(model_archive_open(&a, directory), 0);
    assert_int_equal(model_archive_count(a), 2);
    assert_int_equal(model_archive_files(a), 2);
    assert_memory_equal(tensor(a, "b")->data, WEIGHTS, 32);
    model_archive_close(a);
    static const struct {
        const char *map, *complaint;
    } bad[] = {
        { "{\"a\":\"model-00001-of-00002.safetensors\",\"c\":\"model-00002-of-00002.safetensors\"}",
          "nowhere" },
        { "{\"a\":\"model-00002-of-00002.safetensors\",\"b\":\"model-00001-of-00002.safetensors\"}",
          "weight_map puts" },
        { "{\"a\":\"model-00001-of-00002.safetensors\",\"c\":\"model-00001-of-00002.safetensors\"}",
          "should be in" },
        { "{\"a\":\"missing.safetensors\"}", "missing.safetensors" },
        { "{\"a\":\"../model-00001-of-00002.safetensors\"}", "beside the index" },
        { "{\"a\":3}", "beside the index" },
        { "{}", "weight_map" },
        { "[]", "weight_map" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[512];
        int n = snprintf(text, sizeof text, "{\"weight_map\":%s}", bad[i].map);
        test_write_file(index, text, (size_t)n);
        assert_int_not_equal(model_archive_open(&a, directory), 0);
        if (!strstr(base_error_message(), bad[i].complaint))
            fail_msg("'%s' does not say '%s'", base_error_message(), bad[i].complaint);
    }
    unlink(one);
    unlink(two);
    unlink(index);
    rmdir(directory);
}

/* -- memory
 * ------------------------------------------------------------------------------------------------
 */

/* Every allocation fails once: a clean error, and nothing is left behind. */
static void out_of_memory(void **state)
{
    (void)state;
    static const char *const files[] = { "tests/model/data/peer.safetensors",
                                         "tests/model/data/peer.bin",
                                         "tests/model/data/peer.gguf" };
    for (size_t i = 0; i < 3; i++) {
        long live = base_alloc_live(), n = 1;
        for (;; n++) {
            struct model_archive *a = NULL;
            base_alloc_fail_after(n);
            int rc = model_archive_open(&a, files[i]);
            base_alloc_fail_after(0);
            model_archive_close(a);
            if (base_alloc_live() != live)
                fail_msg("%s: allocation %ld: %ld blocks leaked", files[i], n,
                         base_alloc_live() - live);
            if (!rc)
                break;
            /* jansson may call it a syntax error when it is its lexer that gets no memory */
            assert_true(rc == BASE_E_MEMORY || rc == BASE_E_FORMAT);
        }
        assert_true(n > 10);
    }
    json_t *metadata =
        json_pack("{s:{s:s,s:s}}", "general.architecture", "type", "string", "value", "llama");
    json_t *strings = json_pack("{s:s}", "format", "pt");
    for (int gguf = 0; gguf < 2; gguf++) {
        const char *path = test_temporary_path(".weights");
        long live = base_alloc_live();
        for (long n = 1;; n++) {
            struct model_archive_writer *w = NULL;
            base_alloc_fail_after(n);
            int rc = gguf ? model_gguf_create(&w, path, PLAN, 5, metadata, NULL)
                          : model_safetensors_create(&w, path, PLAN, 5, strings);
            base_alloc_fail_after(0);
            model_archive_writer_close(w);
            assert_int_equal(base_alloc_live(), live);
            assert_int_equal(access(path, F_OK), -1);
            if (!rc)
                break;
        }
    }
    json_decref(metadata);
    json_decref(strings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(python_safetensors), cmocka_unit_test(python_torch),
        cmocka_unit_test(python_gguf),        cmocka_unit_test(malformed_safetensors),
        cmocka_unit_test(shared_malformed),   cmocka_unit_test(malformed_gguf),
        cmocka_unit_test(malformed_pickles),  cmocka_unit_test(malformed_zips),
        cmocka_unit_test(not_weights),        cmocka_unit_test(writes_safetensors),
        cmocka_unit_test(writes_gguf),        cmocka_unit_test(writing_is_all_or_nothing),
        cmocka_unit_test(sharded_directory),  cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
