/* The bounded little-endian reader. Invariant: position <= bytes; once failed, nothing is read
 * again. Numbers are put together byte by byte: the input need not be aligned, the host may be of
 * any order. */
#include "base/reader.h"
#include <string.h>

const uint8_t *base_reader_take(struct base_reader *r, size_t n)
{
    if (r->failed || n > r->bytes - r->position) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->data + r->position;
    r->position += n;
    return p;
}

bool base_reader_skip(struct base_reader *r, size_t n)
{
    base_reader_take(r, n);
    return !r->failed;
}

bool base_reader_seek(struct base_reader *r, size_t position)
{
    if (r->failed || position > r->bytes) {
        r->failed = true;
        return false;
    }
    r->position = position;
    return true;
}

/* sum of byte[i] * 256^i over the next n <= 8 bytes; 0 when they are not there */
static uint64_t little_endian(struct base_reader *r, size_t n)
{
    const uint8_t *p = base_reader_take(r, n);
    uint64_t value = 0;
    for (size_t i = 0; p && i < n; i++) {
        value |= (uint64_t)p[i] << 8 * i;
    }
    return value;
}

uint8_t base_reader_u8(struct base_reader *r)
{
    return (uint8_t)little_endian(r, 1);
}

uint16_t base_reader_u16(struct base_reader *r)
{
    return (uint16_t)little_endian(r, 2);
}

uint32_t base_reader_u32(struct base_reader *r)
{
    return (uint32_t)little_endian(r, 4);
}

uint64_t base_reader_u64(struct base_reader *r)
{
    return little_endian(r, 8);
}

float base_reader_f32(struct base_reader *r)
{
    uint32_t bits = base_reader_u32(r);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double base_reader_f64(struct base_reader *r)
{
    uint64_t bits = base_reader_u64(r);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
