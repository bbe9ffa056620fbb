/* Number formats against ggml's numpy reference (tests/oracle/quants.py), exhaustive 16-bit round
 * trips, rounding cases worked by hand, and the k-quant file of ../shared. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/reader.h"
#include "model/archive.h"
#include "tensor/dtype.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static void every_f16_round_trips(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = tensor_f16_to_f32((uint16_t)h);
        assert_int_equal(tensor_f16_from_f32(f), h);
        uint32_t e = h >> 10 & 31, m = h & 1023;
        double want = e == 0    ? ldexp((double)m, -24)
                      : e == 31 ? (m ? NAN : INFINITY)
                                : ldexp(1 + (double)m / 1024, (int)e - 15);
        want = h & 0x8000 ? -want : want;
        if (isnan(want))
            assert_true(isnan(f));
        else
            assert_true((double)f == want && !signbit(f) == !(h & 0x8000));
    }
}

static void every_bf16_round_trips(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        assert_int_equal(bits(tensor_bf16_to_f32((uint16_t)h)), h << 16);
        assert_int_equal(tensor_bf16_from_f32(tensor_bf16_to_f32((uint16_t)h)), h);
    }
}

/* The array functions must agree with the scalar ones for all patterns. */
static void arrays_agree_with_scalars(void **state)
{
    (void)state;
    uint16_t *h = malloc(65536 * 2), *back = malloc(65536 * 2 + 1);
    float *f = malloc(65536 * 4);
    for (int i = 0; i < 65536; i++)
        h[i] = (uint16_t)i;
    for (int brain = 0; brain < 2; brain++) {
        enum tensor_dtype t = brain ? TENSOR_BF16 : TENSOR_F16;
        assert_int_equal(tensor_to_f32(t, h, 65536, f), 0);
        for (int i = 0; i < 65536; i++)
            assert_int_equal(bits(f[i]),
                             bits(brain ? tensor_bf16_to_f32(h[i]) : tensor_f16_to_f32(h[i])));
        /* an odd address: nothing may assume alignment */
        assert_int_equal(tensor_from_f32(t, f, 65536, (char *)back + 1), 0);
        assert_memory_equal((char *)back + 1, h, 65536 * 2);
    }
    free(h);
    free(back);
    free(f);
}

static void rounding_is_to_nearest_even(void **state)
{
    (void)state;
    /* between each pair of neighbours: just below the middle, the middle, just above */
    for (uint32_t h = 0; h < 0x7bff; h++) {
        float a = tensor_f16_to_f32((uint16_t)h), b = tensor_f16_to_f32((uint16_t)(h + 1));
        float middle = (float)(((double)a + (double)b) / 2);
        assert_int_equal(tensor_f16_from_f32(middle), h & 1 ? h + 1 : h);
        assert_int_equal(tensor_f16_from_f32(nextafterf(middle, 0)), h);
        assert_int_equal(tensor_f16_from_f32(nextafterf(middle, INFINITY)), h + 1);
        assert_int_equal(tensor_f16_from_f32(-middle), 0x8000 | (h & 1 ? h + 1 : h));
    }
    assert_int_equal(tensor_f16_from_f32(65519.996f), 0x7bff);
    assert_int_equal(tensor_f16_from_f32(65520.0f), 0x7c00);
    assert_int_equal(tensor_f16_from_f32(1e30f), 0x7c00);
    assert_int_equal(tensor_f16_from_f32(-INFINITY), 0xfc00);
    assert_int_equal(tensor_f16_from_f32(0x1p-25f), 0);
    assert_int_equal(tensor_f16_from_f32(0x1.000002p-25f), 1);
    assert_int_equal(tensor_bf16_from_f32(1.00390625f), 0x3f80); /* 1 + 2^-8: tie, to even */
    assert_int_equal(tensor_bf16_from_f32(1.01171875f), 0x3f82); /* 1 + 3 2^-8: tie, to even */
    assert_int_equal(tensor_bf16_from_f32(3.4e38f), 0x7f80);     /* rounds into infinity */
    /* a NaN whose payload lies only in the bits that are dropped stays a NaN */
    uint32_t u = 0x7f800001;
    float nan_low;
    memcpy(&nan_low, &u, 4);
    assert_true(isnan(tensor_bf16_to_f32(tensor_bf16_from_f32(nan_low))));
    assert_true(isnan(tensor_f16_to_f32(tensor_f16_from_f32(nan_low))));
}

static void blocks_agree_with_ggml(void **state)
{
    (void)state;
    char *data;
    size_t bytes;
    assert_int_equal(base_file_read("tests/tensor/data/quants.bin", 0, &data, &bytes), 0);
    struct base_reader r = base_reader_make(data, bytes);
    int seen = 0;
    while (base_reader_left(&r)) {
        char name[9] = { 0 };
        memcpy(name, base_reader_take(&r, 8), 8);
        uint32_t n = base_reader_u32(&r), size = base_reader_u32(&r);
        const uint8_t *blocks = base_reader_take(&r, size), *weights = base_reader_take(&r, n * 4);
        assert_true(base_reader_ok(&r));
        seen++;
        float *f = malloc(n * 4);
        uint8_t *q = malloc(size);
        if (!strcmp(name, "q8_0enc")) {
            memcpy(f, weights, n * 4);
            assert_int_equal(tensor_from_f32(TENSOR_Q8_0, f, n, q), 0);
            assert_memory_equal(q, blocks, size);
        } else {
            enum tensor_dtype t;
            size_t expected;
            assert_int_equal(tensor_dtype_parse(name, &t), 0);
            assert_int_equal(tensor_dtype_bytes(t, n, &expected), 0);
            assert_int_equal(expected, size);
            assert_int_equal(tensor_to_f32(t, blocks, n, f), 0);
            assert_memory_equal(f, weights, n * 4);
        }
        free(q);
        free(f);
    }
    assert_int_equal(seen, 11);
    base_free(data);
}

static void small_floats(void **state)
{
    (void)state;
    struct {
        enum tensor_dtype dtype;
        uint8_t byte;
        float value;
    } cases[] = {
        { TENSOR_F8_E4M3, 0x00, 0 },           { TENSOR_F8_E4M3, 0x01, 0x1p-9f },
        { TENSOR_F8_E4M3, 0x07, 7 * 0x1p-9f }, { TENSOR_F8_E4M3, 0x08, 0x1p-6f },
        { TENSOR_F8_E4M3, 0x38, 1 },           { TENSOR_F8_E4M3, 0x7e, 448 },
        { TENSOR_F8_E4M3, 0xbc, -1.5f },       { TENSOR_F8_E5M2, 0x3c, 1 },
        { TENSOR_F8_E5M2, 0x7b, 57344 },       { TENSOR_F8_E5M2, 0x01, 0x1p-16f },
        { TENSOR_F8_E5M2, 0xfc, -INFINITY },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float f;
        assert_int_equal(tensor_to_f32(cases[i].dtype, &cases[i].byte, 1, &f), 0);
        assert_true(f == cases[i].value);
    }
    float f;
    assert_int_equal(tensor_to_f32(TENSOR_F8_E4M3, "\x7f", 1, &f), 0);
    assert_true(isnan(f));
    double wide = 1 + 0x1p-24; /* tie between 1 and 1 + 2^-23 */
    assert_int_equal(tensor_to_f32(TENSOR_F64, &wide, 1, &f), 0);
    assert_true(f == 1);
}

static void what_cannot_be(void **state)
{
    (void)state;
    float w[32] = { 0 };
    char out[64] = { 0 };
    size_t bytes;
    assert_int_equal(tensor_to_f32(TENSOR_I32, out, 1, w), -1);
    assert_int_equal(tensor_from_f32(TENSOR_Q4_K, w, 32, out), -1);
    assert_int_equal(tensor_from_f32(TENSOR_Q8_0, w, 31, out), -1);
    w[3] = NAN;
    assert_int_equal(tensor_from_f32(TENSOR_Q8_0, w, 32, out), -1);
    w[3] = INFINITY;
    assert_int_equal(tensor_from_f32(TENSOR_Q8_0, w, 32, out), -1);
    w[3] = 1e9f; /* the scale would be 7.9e6, beyond f16 */
    assert_int_equal(tensor_from_f32(TENSOR_Q8_0, w, 32, out), -1);
    assert_int_equal(tensor_dtype_bytes(TENSOR_Q8_0, 33, &bytes), -1);
    assert_int_equal(tensor_dtype_bytes(TENSOR_F64, SIZE_MAX / 4, &bytes), -1);
    enum tensor_dtype t;
    assert_int_equal(tensor_dtype_parse("q9", &t), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "q8_0"));
    for (int i = 0; i < TENSOR_DTYPES; i++) {
        assert_int_equal(tensor_dtype_parse(tensor_dtype_describe((enum tensor_dtype)i)->name, &t),
                         0);
        assert_int_equal(t, i);
    }
}

static void shared_kquants(void **state)
{
    (void)state;
    const char *shared = getenv("ASSAY_SHARED");
    char path[512];
    snprintf(path, sizeof path, "%s/data/models/tiny-arch/tiny_kquant.gguf",
             shared ? shared : "../shared");
    if (!base_file_exists(path)) {
        printf("skip: shared_kquants needs ../shared/data/models/tiny-arch\n");
        skip();
    }
    struct model_archive *a;
    if (model_archive_open(&a, path))
        fail_msg("%s", base_error_message());
    snprintf(path, sizeof path, "%s/data/models/tiny-arch/tiny_kquant_ref.json",
             shared ? shared : "../shared");
    json_t *ref;
    assert_int_equal(base_json_load(&ref, path), 0);
    /* {"dequant": {"Q4_K": [..], ..}}: each format's weights as the reference expands them */
    size_t checked = 0;
    const char *type;
    json_t *want;
    json_object_foreach(json_object_get(ref, "dequant"), type, want)
    {
        char name[64];
        snprintf(name, sizeof name, "kq.%s.weight", type);
        const struct model_tensor *t = model_archive_find(a, name);
        assert_non_null(t);
        size_t n = (size_t)t->shape[0];
        assert_int_equal(json_array_size(want), n);
        float *f = malloc(n * 4);
        assert_int_equal(tensor_to_f32(t->dtype, t->data, n, f), 0);
        for (size_t k = 0; k < n; k++)
            assert_true(f[k] == (float)json_number_value(json_array_get(want, k)));
        checked++;
        free(f);
    }
    assert_int_equal(checked, 4);
    json_decref(ref);
    model_archive_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_f16_round_trips),
        cmocka_unit_test(every_bf16_round_trips),
        cmocka_unit_test(arrays_agree_with_scalars),
        cmocka_unit_test(rounding_is_to_nearest_even),
        cmocka_unit_test(blocks_agree_with_ggml),
        cmocka_unit_test(small_floats),
        cmocka_unit_test(what_cannot_be),
        cmocka_unit_test(shared_kquants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
