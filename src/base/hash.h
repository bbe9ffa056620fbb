/* Hashing: SHA-256 for identity (FIPS 180-4, by libcrypto), FNV-1a/mix for tables. libcrypto is
 * loaded with the first digest; where it is missing, what is needed to install is the error. */
#ifndef BASE_HASH_H
#define BASE_HASH_H
#include <stddef.h>
#include <stdint.h>

#define BASE_SHA256_HEX 65 /* 64 digits and NUL */
struct base_sha256;        /* streaming state */
int base_sha256_begin(struct base_sha256 **out);
void base_sha256_add(struct base_sha256 *h, const void *data, size_t bytes);
void base_sha256_end(struct base_sha256 *h, char hex[BASE_SHA256_HEX]);     /* frees h */
int base_sha256(const void *data, size_t bytes, char hex[BASE_SHA256_HEX]); /* hex "" on failure */
int base_sha256_file(const char *path, char hex[BASE_SHA256_HEX]);
/* git's name for a file: SHA-1 of "blob <bytes>\0" and the bytes; 40 digits. */
int base_git_id_file(const char *path, char hex[BASE_SHA256_HEX]);

uint64_t base_hash64(const void *data, size_t bytes, uint64_t seed);

/* A string-keyed table of int64 (open addressing, keys may hold NUL bytes, copied). */
struct base_table;
int base_table_new(struct base_table **out, size_t expected);
int base_table_put(struct base_table *t, const char *key, size_t n, int64_t value); /* replaces */
/* Pointer to the value, or NULL. Valid until the next put. */
const int64_t *base_table_get(const struct base_table *t, const char *key, size_t n);
size_t base_table_count(const struct base_table *t);
void base_table_free(struct base_table *t);
#endif
