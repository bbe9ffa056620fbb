/* SentencePiece's precompiled character map: a double-array trie from UTF-8 keys to NUL-terminated
 * replacements.
 *
 * Layout: u32 bytes of the trie, the trie (u32 units, little-endian), then the replacements. A
 * unit: bits 0-7 the label (bit 31 set marks a value unit, whose low 31 bits are the value), bit 8
 * says that a value hangs below, bits 10-30 are the offset, shifted by 8 more when bit 9 is set. A
 * child of node p by byte c is unit p ^ offset(p) ^ c. Every index is checked. */
#include "base/reader.h"
#include "model/tokenizer_private.h"

struct tokenizer_charsmap {
    uint32_t *units;
    size_t count;
    char *strings;
    size_t bytes;
};

int tokenizer_charsmap_new(struct tokenizer_charsmap **out, const void *blob, size_t bytes,
                           const char *where)
{
    struct base_reader r = base_reader_make(blob, bytes);
    uint32_t trie = base_reader_u32(&r);
    if (!base_reader_ok(&r) || trie % 4 || trie == 0 || trie > base_reader_left(&r))
        return base_error_set(BASE_E_FORMAT,
                              "%s: precompiled_charsmap: trie of %u bytes in a map of %zu", where,
                              trie, bytes);
    struct tokenizer_charsmap *m = base_alloc_zero(1, sizeof *m);
    if (!m)
        return BASE_E_MEMORY;
    m->count = trie / 4;
    m->units = base_alloc(m->count, sizeof *m->units);
    if (m->units)
        for (size_t i = 0; i < m->count; i++)
            m->units[i] = base_reader_u32(&r);
    m->bytes = base_reader_left(&r);
    const uint8_t *strings = m->bytes ? base_reader_take(&r, m->bytes) : NULL;
    m->strings = base_alloc(m->bytes + 1, 1);
    if (!m->units || !m->strings) {
        tokenizer_charsmap_free(m);
        return BASE_E_MEMORY;
    }
    if (m->bytes)
        memcpy(m->strings, strings, m->bytes);
    m->strings[m->bytes] = 0;
    if (base_utf8_invalid(m->strings, m->bytes) != m->bytes) {
        tokenizer_charsmap_free(m);
        return base_error_set(BASE_E_FORMAT, "%s: precompiled_charsmap: replacements are not UTF-8",
                              where);
    }
    *out = m;
    return 0;
}

void tokenizer_charsmap_free(struct tokenizer_charsmap *m)
{
    if (!m)
        return;
    base_free(m->units);
    base_free(m->strings);
    base_free(m);
}

static uint32_t unit_offset(uint32_t unit)
{
    return (unit >> 10) << ((unit & 0x200) >> 6);
}

const char *tokenizer_charsmap_find(const struct tokenizer_charsmap *m, const char *s, size_t n,
                                    bool shortest, size_t *used)
{
    const char *found = NULL;
    size_t node = unit_offset(m->units[0]);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        node ^= c;
        if (node >= m->count || (m->units[node] & 0x800000ffu) != c)
            break;
        uint32_t unit = m->units[node];
        node ^= unit_offset(unit);
        if (!(unit & 0x100))
            continue;
        if (node >= m->count)
            break;
        size_t value = m->units[node] & 0x7fffffffu;
        if (value >= m->bytes)
            break;
        found = m->strings + value;
        *used = i + 1;
        if (shortest)
            break;
    }
    return found;
}

int tokenizer_base64(const char *text, size_t n, void **out, size_t *bytes, const char *where)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *data = base_alloc(n / 4 * 3 + 3, 1);
    size_t used = 0;
    uint32_t bits = 0;
    int have = 0;
    if (!data)
        return BASE_E_MEMORY;
    while (n && text[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        const char *d = text[i] ? strchr(digits, text[i]) : NULL;
        if (!d) {
            base_free(data);
            return base_error_set(BASE_E_FORMAT, "%s: precompiled_charsmap: not base64 at byte %zu",
                                  where, i);
        }
        bits = bits << 6 | (uint32_t)(d - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            data[used++] = (uint8_t)(bits >> have);
        }
    }
    *out = data;
    *bytes = used;
    return 0;
}
