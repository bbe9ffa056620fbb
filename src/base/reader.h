/* One bounded little-endian byte reader for every binary format. Reading past the end sets
 * `failed`, returns 0/NULL, and every later read fails too: check once per structure with
 * base_reader_ok(). */
#ifndef BASE_READER_H
#define BASE_READER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct base_reader {
    const uint8_t *data;
    size_t bytes;    /* total */
    size_t position; /* next byte to read, <= bytes */
    bool failed;
};
static inline struct base_reader base_reader_make(const void *data, size_t bytes)
{
    return (struct base_reader){ .data = data, .bytes = bytes };
}
static inline size_t base_reader_left(const struct base_reader *r)
{
    return r->failed ? 0 : r->bytes - r->position;
}
static inline bool base_reader_ok(const struct base_reader *r)
{
    return !r->failed;
}
/* A view of the next n bytes (not copied), or NULL. */
const uint8_t *base_reader_take(struct base_reader *r, size_t n);
bool base_reader_skip(struct base_reader *r, size_t n);
bool base_reader_seek(struct base_reader *r, size_t position);
uint8_t base_reader_u8(struct base_reader *r);
uint16_t base_reader_u16(struct base_reader *r);
uint32_t base_reader_u32(struct base_reader *r);
uint64_t base_reader_u64(struct base_reader *r);
float base_reader_f32(struct base_reader *r);
double base_reader_f64(struct base_reader *r);
#endif
