/* Values as JSON Schema compares them; see include/assay/schema.h, schema_private.h. */
#include "agent/schema_private.h"
#include "base/memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool agent_json_integer(const json_t *x)
{
    if (json_is_integer(x))
        return true;
    if (!json_is_real(x))
        return false;
    double v = json_real_value(x);
    return isfinite(v) && v == floor(v);
}

static bool equal_numbers(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return json_integer_value(a) == json_integer_value(b);
    if (json_is_real(a) && json_is_real(b))
        return json_real_value(a) == json_real_value(b);
    const json_t *whole = json_is_integer(a) ? a : b, *real = json_is_integer(a) ? b : a;
    double v = json_real_value(real);
    /* beyond 2^63 no 64-bit integer is equal; below, the conversion back is exact */
    return v == floor(v) && fabs(v) < 9223372036854775808.0 &&
           (json_int_t)v == json_integer_value(whole);
}

bool agent_json_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return equal_numbers(a, b);
    if (json_typeof(a) != json_typeof(b))
        return false;
    switch (json_typeof(a)) {
    case JSON_STRING:
        return json_string_length(a) == json_string_length(b) &&
               memcmp(json_string_value(a), json_string_value(b), json_string_length(a)) == 0;
    case JSON_ARRAY: {
        size_t n = json_array_size(a);
        if (json_array_size(b) != n)
            return false;
        for (size_t i = 0; i < n; i++)
            if (!agent_json_equal(json_array_get(a, i), json_array_get(b, i)))
                return false;
        return true;
    }
    case JSON_OBJECT: {
        if (json_object_size(a) != json_object_size(b))
            return false;
        for (void *it = json_object_iter((json_t *)a); it;
             it = json_object_iter_next((json_t *)a, it)) {
            const json_t *other =
                json_object_getn(b, json_object_iter_key(it), json_object_iter_key_len(it));
            if (!other || !agent_json_equal(json_object_iter_value(it), other))
                return false;
        }
        return true;
    }
    default:
        return true; /* null, true, false: the type is the value */
    }
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 29;
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 32;
}

static uint64_t hash_bytes(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u ^ n; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
    return mix(h);
}

/* Equal values have equal hashes. */
static uint64_t hash(const json_t *x)
{
    switch (json_typeof(x)) {
    case JSON_STRING:
        return hash_bytes(json_string_value(x), json_string_length(x));
    case JSON_INTEGER:
    case JSON_REAL: {
        double v = json_number_value(x) + 0.0; /* integers that agree as doubles share a hash */
        uint64_t bits;
        memcpy(&bits, &v, sizeof bits);
        return mix(bits + 1);
    }
    case JSON_ARRAY: {
        uint64_t h = 2;
        for (size_t i = 0; i < json_array_size(x); i++)
            h = mix(h * 31 + hash(json_array_get(x, i)));
        return h;
    }
    case JSON_OBJECT: {
        uint64_t h = 3;
        for (void *it = json_object_iter((json_t *)x); it;
             it = json_object_iter_next((json_t *)x, it))
            h += mix(hash_bytes(json_object_iter_key(it), json_object_iter_key_len(it)) * 31 +
                     hash(json_object_iter_value(it)));
        return mix(h);
    }
    default:
        return mix(0x100 + (uint64_t)json_typeof(x));
    }
}

struct hashed {
    uint64_t hash;
    const json_t *value;
};
static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const struct hashed *)a)->hash, y = ((const struct hashed *)b)->hash;
    return (x > y) - (x < y);
}

int agent_json_unique(const json_t *array)
{
    size_t n = json_array_size(array);
    if (n < 2)
        return 1;
    struct hashed *h = base_alloc(n, sizeof *h);
    if (!h)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        h[i] = (struct hashed){ hash(json_array_get(array, i)), json_array_get(array, i) };
    qsort(h, n, sizeof *h, by_hash);
    int unique = 1;
    for (size_t i = 0; i < n && unique; i++)
        for (size_t j = i + 1; j < n && h[j].hash == h[i].hash && unique; j++)
            unique = !agent_json_equal(h[i].value, h[j].value);
    base_free(h);
    return unique;
}

/* x = digits * 10^exponent by the shortest decimal form that reads back as x: what was written. */
static bool decimal(double x, uint64_t *digits, int *exponent)
{
    char text[40];
    for (int precision = 14; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, fabs(x));
        if (strtod(text, NULL) == fabs(x))
            break;
    }
    *digits = 0;
    char *e = strchr(text, 'e');
    if (!e)
        return false;
    int places = 0;
    for (char *p = text; p < e; p++)
        if (*p >= '0' && *p <= '9') {
            *digits = *digits * 10 + (unsigned)(*p - '0');
            places += p > text;
        }
    *exponent = (int)strtol(e + 1, NULL, 10) - places;
    while (*digits && *digits % 10 == 0) {
        *digits /= 10;
        ++*exponent;
    }
    return true;
}

bool agent_json_multiple(double x, double m)
{
    uint64_t a, b;
    int ea, eb;
    if (x == 0)
        return true;
    if (!isfinite(x) || !isfinite(m) || !decimal(x, &a, &ea) || !decimal(m, &b, &eb))
        return false;
    if (ea >= eb) { /* a 10^(ea - eb) mod b; b < 10^17, so the products fit */
        a %= b;
        for (int i = eb; i < ea && a; i++)
            a = a * 10 % b;
        return a == 0;
    }
    /* b 10^(eb - ea) must divide a < 10^17 */
    for (int i = ea; i < eb; i++) {
        if (a % 10)
            return false;
        a /= 10;
    }
    return a % b == 0;
}
