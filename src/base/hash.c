/* SHA-256 (libcrypto), a 64-bit hash for tables, and the table itself.
 *
 * Table: open addressing with linear probing, at most 2/3 full, so a probe always meets an empty
 * slot. Keys lie in one growing block and slots hold offsets into it: growing either never moves a
 * key's identity. There is no removal. */
#include "base/hash.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/library.h"
#include "base/memory.h"
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The functions of libcrypto that are used; linked, it would cost 2 ms at every start. */
#define CRYPTO(X)                                                                                  \
    X(EVP_MD_CTX_new)                                                                              \
    X(EVP_MD_CTX_free)                                                                             \
    X(EVP_DigestInit_ex) X(EVP_DigestUpdate) X(EVP_DigestFinal_ex) X(EVP_sha256) X(EVP_sha1)
static struct {
#define X(name) __typeof__(name) *name;
    CRYPTO(X)
#undef X
} crypto;

static int crypto_load(void)
{
    static const char *const names[] = {
#define X(name) #name,
        CRYPTO(X)
#undef X
    };
    return base_library_load("libcrypto.so.3", "libssl3", names, &crypto,
                             sizeof names / sizeof *names);
}

/* A running digest; sha256 is the only one that callers stream. */
struct base_sha256 {
    EVP_MD_CTX *context;
};

static int digest_begin(struct base_sha256 **out, bool sha1)
{
    int rc = crypto_load();
    if (rc) {
        return rc;
    }
    struct base_sha256 *h = base_alloc_zero(1, sizeof *h);
    if (!h) {
        return BASE_E_MEMORY;
    }
    h->context = crypto.EVP_MD_CTX_new();
    if (!h->context || !crypto.EVP_DigestInit_ex(
                           h->context, sha1 ? crypto.EVP_sha1() : crypto.EVP_sha256(), NULL)) {
        crypto.EVP_MD_CTX_free(h->context);
        base_free(h);
        return base_error_set(BASE_E_MEMORY, "libcrypto could not start %s",
                              sha1 ? "SHA-1" : "SHA-256");
    }
    *out = h;
    return 0;
}

int base_sha256_begin(struct base_sha256 **out)
{
    return digest_begin(out, false);
}

void base_sha256_add(struct base_sha256 *h, const void *data, size_t bytes)
{
    crypto.EVP_DigestUpdate(h->context, data, bytes);
}

void base_sha256_end(struct base_sha256 *h, char hex[BASE_SHA256_HEX])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };
    unsigned length = 0;
    crypto.EVP_DigestFinal_ex(h->context, digest, &length);
    for (unsigned i = 0; i < length; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[2 * length] = 0;
    crypto.EVP_MD_CTX_free(h->context);
    base_free(h);
}

int base_sha256(const void *data, size_t bytes, char hex[BASE_SHA256_HEX])
{
    struct base_sha256 *h;
    int rc = base_sha256_begin(&h);
    hex[0] = 0;
    if (!rc) {
        base_sha256_add(h, data, bytes);
        base_sha256_end(h, hex);
    }
    return rc;
}

/* The digest of a file; git's SHA-1 begins with the file's kind and length. */
static int digest_file(const char *path, bool git, char hex[BASE_SHA256_HEX])
{
    struct base_map map;
    int rc = base_map_open(&map, path);
    if (rc) {
        return rc;
    }
    struct base_sha256 *h;
    rc = digest_begin(&h, git);
    if (!rc) {
        if (git) {
            char head[40];
            int n = snprintf(head, sizeof head, "blob %zu", map.bytes);
            base_sha256_add(h, head, (size_t)n + 1);
        }
        const size_t step = 16u << 20; /* read pages are given back: a 10 GB file costs 16 MB */
        for (size_t at = 0; at < map.bytes; at += step) {
            size_t n = map.bytes - at < step ? map.bytes - at : step;
            base_sha256_add(h, map.data + at, n);
            base_map_drop(&map, map.data + at, n);
        }
        base_sha256_end(h, hex);
    }
    base_map_close(&map);
    return rc;
}

int base_sha256_file(const char *path, char hex[BASE_SHA256_HEX])
{
    return digest_file(path, false, hex);
}

int base_git_id_file(const char *path, char hex[BASE_SHA256_HEX])
{
    return digest_file(path, true, hex);
}

/* The finaliser of MurmurHash3 (Appleby): every input bit reaches every output bit. */
static uint64_t mix64(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

uint64_t base_hash64(const void *data, size_t bytes, uint64_t seed)
{
    /* FNV-1a's step over 8-byte words, each mixed first. */
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325u ^ mix64(seed ^ bytes);
    for (; bytes >= 8; bytes -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ mix64(word)) * 0x100000001b3u;
    }
    if (bytes) {
        uint64_t word = 0;
        memcpy(&word, p, bytes);
        h = (h ^ mix64(word)) * 0x100000001b3u;
    }
    return mix64(h);
}

struct table_slot {
    uint64_t hash; /* 0 = empty */
    size_t key, n; /* in keys */
    int64_t value;
};
struct base_table {
    struct table_slot *slots;
    size_t capacity; /* a power of two */
    size_t count;
    struct base_buffer keys;
};

static uint64_t key_hash(const char *key, size_t n)
{
    uint64_t h = base_hash64(key, n, 0);
    return h ? h : 1;
}

/* The key's slot, or the empty one where it belongs. */
static struct table_slot *slot_find(const struct base_table *t, const char *key, size_t n,
                                    uint64_t hash)
{
    for (size_t i = hash & (t->capacity - 1);; i = (i + 1) & (t->capacity - 1)) {
        struct table_slot *slot = &t->slots[i];
        if (slot->hash == 0 || (slot->hash == hash && slot->n == n &&
                                (n == 0 || memcmp(t->keys.data + slot->key, key, n) == 0))) {
            return slot;
        }
    }
}

int base_table_new(struct base_table **out, size_t expected)
{
    size_t capacity = 16;
    while (capacity / 3 * 2 < expected) {
        if (base_mul_size(capacity, 2, &capacity)) {
            return base_error_set(BASE_E_MEMORY, "out of memory: a table of %zu keys", expected);
        }
    }
    struct base_table *t = base_alloc_zero(1, sizeof *t);
    if (!t) {
        return BASE_E_MEMORY;
    }
    t->capacity = capacity;
    t->slots = base_alloc_zero(capacity, sizeof *t->slots);
    if (!t->slots) {
        base_free(t);
        return BASE_E_MEMORY;
    }
    *out = t;
    return 0;
}

static int table_grow(struct base_table *t)
{
    size_t capacity;
    if (base_mul_size(t->capacity, 2, &capacity)) {
        return base_error_set(BASE_E_MEMORY, "out of memory: a table of %zu keys", t->count);
    }
    struct table_slot *slots = base_alloc_zero(capacity, sizeof *slots);
    if (!slots) {
        return BASE_E_MEMORY;
    }
    for (size_t i = 0; i < t->capacity; i++) {
        if (t->slots[i].hash) {
            size_t j = t->slots[i].hash & (capacity - 1);
            while (slots[j].hash) {
                j = (j + 1) & (capacity - 1);
            }
            slots[j] = t->slots[i];
        }
    }
    base_free(t->slots);
    t->slots = slots;
    t->capacity = capacity;
    return 0;
}

int base_table_put(struct base_table *t, const char *key, size_t n, int64_t value)
{
    uint64_t hash = key_hash(key, n);
    struct table_slot *slot = slot_find(t, key, n, hash);
    if (!slot->hash) {
        if (t->count + 1 > t->capacity / 3 * 2) {
            int rc = table_grow(t);
            if (rc) {
                return rc;
            }
            slot = slot_find(t, key, n, hash);
        }
        size_t at = t->keys.length;
        int rc = base_buffer_append(&t->keys, key, n);
        if (rc) {
            return rc;
        }
        *slot = (struct table_slot){ .hash = hash, .key = at, .n = n };
        t->count++;
    }
    slot->value = value;
    return 0;
}

const int64_t *base_table_get(const struct base_table *t, const char *key, size_t n)
{
    struct table_slot *slot = slot_find(t, key, n, key_hash(key, n));
    return slot->hash ? &slot->value : NULL;
}

size_t base_table_count(const struct base_table *t)
{
    return t->count;
}

void base_table_free(struct base_table *t)
{
    if (t) {
        base_buffer_free(&t->keys);
        base_free(t->slots);
        base_free(t);
    }
}
