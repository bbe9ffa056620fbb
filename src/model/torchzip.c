/* PyTorch's zip format (torch.save since 1.6): a zip whose members are stored, not compressed:
 *
 *   NAME/data.pkl    the state dict as a pickle, tensors refer to storages by key
 *   NAME/data/KEY    a storage's bytes, mapped as they lie
 *   NAME/byteorder   "little" (absent in older files)
 *
 * Read here: the zip's central directory (with zip64). The pickle is torchpickle.c's. */
#include "base/memory.h"
#include "base/reader.h"
#include "model/archive_private.h"
#include "model/torchpickle.h"
#include <string.h>

struct member {
    const char *name;
    size_t name_bytes;
    uint64_t offset; /* of the local header */
    uint64_t stored, size;
    uint16_t method, flags;
};
struct zip {
    const struct archive_file *file;
    struct member *members;
    size_t n;
    struct base_table *names; /* name -> index */
    const char *prefix;       /* "NAME/" */
    size_t prefix_bytes;
};

/* Where the central directory lies and how many entries it has: from the end record, or from the
 * zip64 end record where the former says 0xffff.... */
static int find_directory(const struct archive_file *f, uint64_t *offset, uint64_t *entries)
{
    size_t end = 0, farthest = f->bytes > 22 + 65535 ? f->bytes - 22 - 65535 : 0;
    bool found = false;
    for (size_t at = f->bytes >= 22 ? f->bytes - 22 : 0; f->bytes >= 22; at--) {
        if (!memcmp(f->data + at, "PK\5\6", 4)) {
            end = at;
            found = true;
            break;
        }
        if (at == farthest)
            break;
    }
    if (!found)
        return base_error_set(BASE_E_FORMAT, "%s: a zip file without its directory: truncated?",
                              f->name);
    struct base_reader r = base_reader_make(f->data, f->bytes);
    base_reader_seek(&r, end + 10);
    *entries = base_reader_u16(&r);
    base_reader_u32(&r);
    *offset = base_reader_u32(&r);
    if (*entries != 0xffff && *offset != 0xffffffff)
        return 0;
    if (end < 20 || memcmp(f->data + end - 20, "PK\6\7", 4))
        return *offset != 0xffffffff
                   ? 0
                   : base_error_set(BASE_E_FORMAT, "%s: no zip64 locator", f->name);
    base_reader_seek(&r, end - 20 + 8);
    uint64_t record = base_reader_u64(&r);
    if (record > f->bytes || !base_reader_seek(&r, (size_t)record) ||
        base_reader_u32(&r) != 0x06064b50 || !base_reader_skip(&r, 28))
        return base_error_set(BASE_E_FORMAT,
                              "%s: the zip64 end record is not where the locator says", f->name);
    *entries = base_reader_u64(&r);
    base_reader_u64(&r);
    *offset = base_reader_u64(&r);
    return base_reader_ok(&r)
               ? 0
               : base_error_set(BASE_E_FORMAT, "%s: the zip64 end record is cut off", f->name);
}

/* The zip64 extra field (id 1) holds, in this order, those of size, stored size and offset that did
 * not fit. */
static int read_zip64(const uint8_t *extra, size_t n, struct member *m)
{
    struct base_reader r = base_reader_make(extra, n);
    while (base_reader_left(&r) >= 4) {
        uint16_t id = base_reader_u16(&r), length = base_reader_u16(&r);
        const uint8_t *p = base_reader_take(&r, length);
        if (!p || id != 1)
            continue;
        struct base_reader e = base_reader_make(p, length);
        if (m->size == 0xffffffff)
            m->size = base_reader_u64(&e);
        if (m->stored == 0xffffffff)
            m->stored = base_reader_u64(&e);
        if (m->offset == 0xffffffff)
            m->offset = base_reader_u64(&e);
        return base_reader_ok(&e) ? 0 : -1;
    }
    return 0;
}

static int read_directory(struct zip *z)
{
    const struct archive_file *f = z->file;
    struct base_reader r = base_reader_make(f->data, f->bytes);
    uint64_t offset = 0, entries = 0;
    char shown[ARCHIVE_SHOWN];
    int rc = find_directory(f, &offset, &entries);
    if (rc)
        return rc;
    if (offset > f->bytes || !base_reader_seek(&r, (size_t)offset) ||
        entries > base_reader_left(&r) / 46)
        return base_error_set(BASE_E_FORMAT, "%s: the zip directory lies outside the file",
                              f->name);
    z->members = base_alloc((size_t)entries, sizeof *z->members);
    if (!z->members || base_table_new(&z->names, (size_t)entries))
        return BASE_E_MEMORY;
    for (; z->n < entries; z->n++) {
        struct member *m = &z->members[z->n];
        uint32_t signature = base_reader_u32(&r);
        base_reader_skip(&r, 4);
        m->flags = base_reader_u16(&r);
        m->method = base_reader_u16(&r);
        base_reader_skip(&r, 8); /* time, date, crc */
        m->stored = base_reader_u32(&r);
        m->size = base_reader_u32(&r);
        uint16_t name = base_reader_u16(&r), extra = base_reader_u16(&r),
                 comment = base_reader_u16(&r);
        base_reader_skip(&r, 8); /* disk, attributes */
        m->offset = base_reader_u32(&r);
        m->name = (const char *)base_reader_take(&r, name);
        m->name_bytes = name;
        const uint8_t *p = base_reader_take(&r, extra);
        base_reader_skip(&r, comment);
        if (!base_reader_ok(&r) || signature != 0x02014b50 || read_zip64(p, extra, m))
            return base_error_set(BASE_E_FORMAT, "%s: entry %zu of the zip directory is damaged",
                                  f->name, z->n);
        if (base_table_get(z->names, m->name, name))
            return base_error_set(BASE_E_FORMAT, "%s: '%s' is in the zip twice", f->name,
                                  archive_shown(m->name, name, shown));
        if ((rc = base_table_put(z->names, m->name, name, (int64_t)z->n)))
            return rc;
    }
    return 0;
}

/* A member's bytes in the map. */
static int member_bytes(const struct zip *z, const struct member *m, const uint8_t **data,
                        size_t *bytes)
{
    const struct archive_file *f = z->file;
    char shown[ARCHIVE_SHOWN];
    archive_shown(m->name, m->name_bytes, shown);
    if (m->method || m->flags & 1 || m->stored != m->size)
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: '%s' is %s in the zip: PyTorch stores its members as they are; "
                              "save the file again "
                              "with torch.save",
                              f->name, shown, m->flags & 1 ? "encrypted" : "compressed");
    struct base_reader r = base_reader_make(f->data, f->bytes);
    if (m->offset > f->bytes || !base_reader_seek(&r, (size_t)m->offset) ||
        base_reader_u32(&r) != 0x04034b50 || !base_reader_skip(&r, 22))
        return base_error_set(BASE_E_FORMAT, "%s: '%s': no member where the zip directory says",
                              f->name, shown);
    uint16_t name = base_reader_u16(&r), extra = base_reader_u16(&r);
    base_reader_skip(&r, name);
    base_reader_skip(&r, extra);
    if (!base_reader_ok(&r) || m->size > base_reader_left(&r))
        return base_error_set(BASE_E_FORMAT, "%s: '%s': %llu bytes do not fit in the file", f->name,
                              shown, (unsigned long long)m->size);
    *data = f->data + r.position;
    *bytes = (size_t)m->size;
    return 0;
}

/* The member prefix + name, or NULL. */
static const struct member *find_member(const struct zip *z, const char *name, size_t n)
{
    char full[512];
    if (z->prefix_bytes + n > sizeof full)
        return NULL;
    memcpy(full, z->prefix, z->prefix_bytes);
    memcpy(full + z->prefix_bytes, name, n);
    const int64_t *at = base_table_get(z->names, full, z->prefix_bytes + n);
    return at ? &z->members[*at] : NULL;
}

static int find_storage(void *context, const char *key, size_t n, const uint8_t **data,
                        size_t *bytes)
{
    const struct zip *z = context;
    char name[64] = "data/", shown[ARCHIVE_SHOWN];
    const struct member *m = NULL;
    if (n < sizeof name - 5) {
        memcpy(name + 5, key, n);
        m = find_member(z, name, n + 5);
    }
    if (!m)
        return base_error_set(BASE_E_FORMAT, "%s: storage '%s' is not in the zip", z->file->name,
                              archive_shown(key, n, shown));
    return member_bytes(z, m, data, bytes);
}

int torchzip_read(struct model_archive *a, const struct archive_file *f)
{
    struct zip z = { .file = f };
    const struct member *pickle = NULL, *order;
    const uint8_t *data;
    size_t bytes;
    int rc = read_directory(&z);
    if (rc)
        goto out;
    for (size_t i = 0; i < z.n && !pickle; i++) {
        const struct member *m = &z.members[i];
        const char *slash = memchr(m->name, '/', m->name_bytes);
        if (slash && m->name_bytes - (size_t)(slash - m->name) == 9 &&
            !memcmp(slash, "/data.pkl", 9)) {
            pickle = m;
            z.prefix = m->name;
            z.prefix_bytes = (size_t)(slash - m->name) + 1;
        }
    }
    if (!pickle) {
        rc = base_error_set(BASE_E_FORMAT,
                            "%s: a zip file, but no PyTorch weights: it has no NAME/data.pkl",
                            f->name);
        goto out;
    }
    if (find_member(&z, "constants.pkl", 13)) {
        rc = base_error_set(BASE_E_UNSUPPORTED,
                            "%s: a TorchScript program, not a state dict: save model.state_dict()",
                            f->name);
        goto out;
    }
    if ((order = find_member(&z, "byteorder", 9))) {
        if ((rc = member_bytes(&z, order, &data, &bytes)))
            goto out;
        if (bytes != 6 || memcmp(data, "little", 6)) {
            rc = base_error_set(BASE_E_UNSUPPORTED, "%s: its numbers are not little-endian",
                                f->name);
            goto out;
        }
    }
    if (!(rc = member_bytes(&z, pickle, &data, &bytes)))
        rc = torch_unpickle(a, f, data, bytes, find_storage, &z);
out:
    base_free(z.members);
    base_table_free(z.names);
    return rc;
}
