/* Archives: what safetensors, GGUF and PyTorch zip files have in common. Finds the files (one file,
 * a directory, an index of shards), maps them, hands each to its reader, and answers look-ups.
 *
 * Invariants once model_archive_open has returned 0: every tensor's [data, data + bytes) lies in a
 * mapped file or in a block the archive owns; bytes is exactly what dtype and shape ask for; names
 * are unique, non-empty, valid UTF-8. */
#include "model/archive_private.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *archive_keep(struct model_archive *a, void *block)
{
    if (!block)
        return NULL;
    if (a->n_blocks == a->block_room) {
        size_t room = a->block_room ? 2 * a->block_room : 64;
        void **grown = base_realloc(a->blocks, room, sizeof *grown);
        if (!grown) {
            base_free(block);
            return NULL;
        }
        a->blocks = grown;
        a->block_room = room;
    }
    return a->blocks[a->n_blocks++] = block;
}

const char *archive_shown(const char *name, size_t n, char out[ARCHIVE_SHOWN])
{
    size_t k = 0;
    for (; k < n && k < 60; k++)
        out[k] = name[k] >= 32 && name[k] < 127 ? name[k] : '?';
    if (k < n) {
        memcpy(out + k, "...", 3);
        k += 3;
    }
    out[k] = 0;
    return out;
}

int archive_elements(int rank, const int64_t *shape, size_t *n)
{
    *n = 1;
    for (int i = 0; i < rank; i++)
        if (shape[i] < 0 || base_mul_size(*n, (size_t)shape[i], n))
            return -1;
    return 0;
}

int archive_add(struct model_archive *a, const char *name, size_t n,
                const struct model_tensor *tensor)
{
    char shown[ARCHIVE_SHOWN];
    if (n == 0)
        return base_error_set(BASE_E_FORMAT, "%s: a tensor has an empty name", tensor->file);
    if (memchr(name, 0, n) || base_utf8_invalid(name, n) != n)
        return base_error_set(BASE_E_FORMAT, "%s: tensor name '%s' is not valid UTF-8 text",
                              tensor->file, archive_shown(name, n, shown));
    if (base_table_get(a->by_name, name, n))
        return base_error_set(BASE_E_FORMAT, "%s: tensor '%s' appears twice", tensor->file,
                              archive_shown(name, n, shown));
    if (a->n_tensors == a->tensor_room) {
        size_t room = a->tensor_room ? 2 * a->tensor_room : 256;
        struct model_tensor *grown = base_realloc(a->tensors, room, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        a->tensors = grown;
        a->tensor_room = room;
    }
    char *copy = archive_keep(a, base_strndup(name, n));
    if (!copy)
        return BASE_E_MEMORY;
    int rc = base_table_put(a->by_name, name, n, (int64_t)a->n_tensors);
    if (rc)
        return rc;
    a->tensors[a->n_tensors] = *tensor;
    a->tensors[a->n_tensors++].name = copy;
    return 0;
}

/* Reads one file that is in place in a->files, by its content. */
static int read_file(struct model_archive *a, const struct archive_file *f, bool first)
{
    enum model_archive_format format = MODEL_SAFETENSORS;
    const uint8_t *p = f->data;
    if (f->bytes >= 4 && !memcmp(p, "GGUF", 4))
        format = MODEL_GGUF;
    else if (f->bytes >= 4 && !memcmp(p, "FUGG", 4))
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: a byte-swapped GGUF file: write it again as little-endian",
                              f->name);
    else if (f->bytes >= 4 && (!memcmp(p, "PK\3\4", 4) || !memcmp(p, "PK\5\6", 4)))
        format = MODEL_TORCH;
    else if (f->bytes >= 3 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5 && p[2] != 0)
        return base_error_set(
            BASE_E_UNSUPPORTED,
            "%s: a PyTorch file in the old (before 1.6) pickle format: load it with torch and "
            "torch.save it again, which writes the zip format",
            f->name);
    else if (f->bytes >= 4 &&
             (!memcmp(p, "lmgg", 4) || !memcmp(p, "fmgg", 4) || !memcmp(p, "tjgg", 4)))
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s: a ggml file older than GGUF: convert it to GGUF with llama.cpp",
                              f->name);
    else if (!base_ends_with(f->name, ".safetensors") &&
             (f->bytes < 9 || (p[7] | p[6] | p[5] | p[4]) != 0))
        return base_error_set(BASE_E_FORMAT,
                              "%s: not a weights file: neither safetensors, GGUF nor a PyTorch zip",
                              f->name);
    if (!first && format != a->format)
        return base_error_set(BASE_E_FORMAT, "%s: the shards of one model are of different formats",
                              f->name);
    if (!first && format == MODEL_GGUF)
        return base_error_set(
            BASE_E_FORMAT, "%s: an index names shards in GGUF format: open the .gguf file itself",
            f->name);
    a->format = format;
    if (format == MODEL_GGUF)
        return gguf_read(a, f);
    if (format == MODEL_TORCH)
        return torchzip_read(a, f);
    return safetensors_read(a, f);
}

static int archive_new(struct model_archive **out, const char *path, size_t n_files)
{
    struct model_archive *a = base_alloc_zero(1, sizeof *a);
    if (!a)
        return BASE_E_MEMORY;
    a->path = base_strdup(path);
    a->files = base_alloc_zero(n_files, sizeof *a->files);
    a->metadata = json_object();
    if (!a->path || !a->files || base_table_new(&a->by_name, 256) ||
        base_table_new(&a->by_key, 64)) {
        model_archive_close(a);
        return BASE_E_MEMORY;
    }
    if (!a->metadata) {
        model_archive_close(a);
        return base_error_set(BASE_E_MEMORY, "out of memory for the metadata of %s", path);
    }
    *out = a;
    return 0;
}

/* Maps a file as the archive's next one and reads it. */
static int add_file(struct model_archive *a, const char *path)
{
    struct archive_file *f = &a->files[a->n_files];
    int rc = base_map_open(&f->map, path);
    if (rc)
        return rc;
    a->n_files++;
    f->data = f->map.data;
    f->bytes = f->map.bytes;
    f->name = base_strdup(path);
    if (!f->name)
        return BASE_E_MEMORY;
    return read_file(a, f, a->n_files == 1);
}

static int open_single(struct model_archive **out, const char *path, const char *file)
{
    struct model_archive *a = NULL;
    int rc = archive_new(&a, path, 1);
    if (!rc)
        rc = add_file(a, file);
    if (rc) {
        model_archive_close(a);
        return rc;
    }
    *out = a;
    return 0;
}

/* An index is {"weight_map": {tensor: shard file, ...}}. Tensors and shards must agree both ways.
 */
static int open_index(struct model_archive **out, const char *path, const char *index)
{
    struct model_archive *a = NULL;
    struct base_table *shards = NULL; /* shard name -> file number */
    json_t *root = NULL, *value;
    const char *name;
    char *directory = NULL, *full = NULL, shown[ARCHIVE_SHOWN];
    size_t slash = (size_t)(base_path_name(index) - index);
    int rc = base_json_load(&root, index);
    if (rc)
        goto out;
    const json_t *map = json_object_get(root, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0) {
        rc = base_error_set(BASE_E_FORMAT, "%s: weight_map: expected an object of tensor -> file",
                            index);
        goto out;
    }
    directory = slash ? base_strndup(index, slash) : base_strdup("");
    if (!directory || base_table_new(&shards, 16)) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    if ((rc = archive_new(&a, path, json_object_size(map))))
        goto out;
    json_object_foreach((json_t *)map, name, value)
    {
        const char *shard = json_string_value(value);
        if (!shard || !*shard || strchr(shard, '/') || !strcmp(shard, "..")) {
            rc = base_error_set(
                BASE_E_FORMAT, "%s: weight_map: '%s': expected the name of a file beside the index",
                index, archive_shown(name, strlen(name), shown));
            goto out;
        }
        if (base_table_get(shards, shard, strlen(shard)))
            continue;
        if ((rc = base_table_put(shards, shard, strlen(shard), (int64_t)a->n_files)))
            goto out;
        base_free(full);
        full = base_format("%s%s", directory, shard);
        if (!full) {
            rc = BASE_E_MEMORY;
            goto out;
        }
        if ((rc = add_file(a, full))) {
            rc = base_error_prefix(rc, "%s", index);
            goto out;
        }
    }
    for (size_t i = 0; i < a->n_tensors; i++) {
        const char *shard = json_string_value(json_object_get(map, a->tensors[i].name));
        if (!shard || strcmp(shard, base_path_name(a->tensors[i].file))) {
            rc = base_error_set(
                BASE_E_FORMAT, "%s: tensor '%s' is in %s but weight_map puts it %s%s", index,
                archive_shown(a->tensors[i].name, strlen(a->tensors[i].name), shown),
                base_path_name(a->tensors[i].file), shard ? "in " : "nowhere", shard ? shard : "");
            goto out;
        }
    }
    json_object_foreach((json_t *)map, name, value)
    {
        if (!base_table_get(a->by_name, name, strlen(name))) {
            rc = base_error_set(BASE_E_FORMAT, "%s: tensor '%s' should be in %s but is not", index,
                                archive_shown(name, strlen(name), shown), json_string_value(value));
            goto out;
        }
    }
    *out = a;
    a = NULL;
out:
    base_free(full);
    base_free(directory);
    base_table_free(shards);
    json_decref(root);
    model_archive_close(a);
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The weights file of a directory: the usual names first, then whatever single file of a known kind
 * is there. *file is a new path. */
static int find_in_directory(const char *path, char **file)
{
    static const char *const usual[] = { "model.safetensors", "model.safetensors.index.json",
                                         "pytorch_model.bin", "pytorch_model.bin.index.json" };
    static const char *const endings[] = { ".safetensors.index.json", ".bin.index.json",
                                           ".safetensors", ".gguf", ".bin" };
    char **names = NULL;
    size_t n = 0, room = 0;
    int rc = 0;
    *file = NULL;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        char *p = base_path_join(path, usual[i]);
        if (!p)
            return BASE_E_MEMORY;
        if (base_file_exists(p)) {
            *file = p;
            return 0;
        }
        base_free(p);
    }
    DIR *d = opendir(path);
    if (!d)
        return base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));
    for (struct dirent *e; (e = readdir(d));) {
        if (n == room) {
            room = room ? 2 * room : 32;
            char **grown = base_realloc(names, room, sizeof *grown);
            if (!grown) {
                rc = BASE_E_MEMORY;
                goto out;
            }
            names = grown;
        }
        if (!(names[n] = base_strdup(e->d_name))) {
            rc = BASE_E_MEMORY;
            goto out;
        }
        n++;
    }
    if (n)
        qsort(names, n, sizeof *names, compare_names);
    for (size_t e = 0; e < sizeof endings / sizeof *endings && !*file; e++) {
        const char *found = NULL;
        for (size_t i = 0; i < n; i++) {
            if (!base_ends_with(names[i], endings[e]) || !strcmp(names[i], "training_args.bin"))
                continue;
            if (found) {
                rc = base_error_set(BASE_E_ARGUMENT,
                                    "%s: several weights files (%s, %s, ...): name one of them",
                                    path, found, names[i]);
                goto out;
            }
            found = names[i];
        }
        if (found && !(*file = base_path_join(path, found))) {
            rc = BASE_E_MEMORY;
            goto out;
        }
    }
    if (!*file)
        rc = base_error_set(
            BASE_E_ARGUMENT,
            "%s: no weights in this directory: expected model.safetensors, pytorch_model.bin, an "
            "index of shards, or a .gguf file",
            path);
out:
    for (size_t i = 0; i < n; i++)
        base_free(names[i]);
    base_free(names);
    closedir(d);
    return rc;
}

int model_archive_open(struct model_archive **out, const char *path)
{
    char *file = NULL;
    int rc;
    *out = NULL;
    if (!base_file_is_directory(path))
        return base_ends_with(path, ".index.json") ? open_index(out, path, path)
                                                   : open_single(out, path, path);
    if ((rc = find_in_directory(path, &file)))
        return rc;
    rc = base_ends_with(file, ".index.json") ? open_index(out, path, file)
                                             : open_single(out, path, file);
    base_free(file);
    return rc;
}

int model_archive_open_memory(struct model_archive **out, const void *data, size_t bytes,
                              const char *name)
{
    struct model_archive *a = NULL;
    *out = NULL;
    int rc = archive_new(&a, name, 1);
    if (rc)
        return rc;
    struct archive_file *f = &a->files[a->n_files++];
    f->data = data;
    f->bytes = bytes;
    f->name = base_strdup(name);
    rc = f->name ? read_file(a, f, true) : BASE_E_MEMORY;
    if (rc) {
        model_archive_close(a);
        return rc;
    }
    *out = a;
    return 0;
}

void model_archive_close(struct model_archive *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n_files; i++) {
        if (a->files[i].map.path)
            base_map_close(&a->files[i].map);
        base_free(a->files[i].name);
    }
    for (size_t i = 0; i < a->n_blocks; i++)
        base_free(a->blocks[i]);
    base_free(a->blocks);
    base_free(a->files);
    base_free(a->tensors);
    base_free(a->keys);
    base_free(a->path);
    base_table_free(a->by_name);
    base_table_free(a->by_key);
    json_decref(a->metadata);
    base_free(a);
}

enum model_archive_format model_archive_format(const struct model_archive *a)
{
    return a->format;
}

size_t model_archive_count(const struct model_archive *a)
{
    return a->n_tensors;
}

const struct model_tensor *model_archive_at(const struct model_archive *a, size_t i)
{
    return &a->tensors[i];
}

const struct model_tensor *model_archive_find(const struct model_archive *a, const char *name)
{
    const int64_t *at = base_table_get(a->by_name, name, strlen(name));
    if (!at && a->format == MODEL_SAFETENSORS) {
        const char *other = json_string_value(json_object_get(a->metadata, name));
        at = other ? base_table_get(a->by_name, other, strlen(other)) : NULL;
    }
    return at ? &a->tensors[*at] : NULL;
}

const json_t *model_archive_metadata(const struct model_archive *a)
{
    return a->metadata;
}

const char *model_archive_path(const struct model_archive *a)
{
    return a->path;
}

size_t model_archive_files(const struct model_archive *a)
{
    return a->n_files;
}

const char *model_archive_file(const struct model_archive *a, size_t i)
{
    return a->files[i].name;
}

static int compare_tensors(const void *a, const void *b)
{
    const struct model_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

int model_archive_hash(const struct model_archive *a, char hex[65])
{
    struct base_sha256 *h;
    const struct model_tensor **order = base_alloc(a->n_tensors, sizeof *order);
    int rc = order ? base_sha256_begin(&h) : BASE_E_MEMORY;
    if (rc) {
        base_free(order);
        return rc;
    }
    for (size_t i = 0; i < a->n_tensors; i++)
        order[i] = &a->tensors[i];
    if (a->n_tensors)
        qsort(order, a->n_tensors, sizeof *order, compare_tensors);
    for (size_t i = 0; i < a->n_tensors; i++) {
        const struct model_tensor *t = order[i];
        const char *dtype = tensor_dtype_describe(t->dtype)->name;
        int64_t rank = t->rank;
        base_sha256_add(h, t->name, strlen(t->name) + 1);
        base_sha256_add(h, dtype, strlen(dtype) + 1);
        base_sha256_add(h, &rank, sizeof rank);
        base_sha256_add(h, t->shape, (size_t)t->rank * sizeof *t->shape);
        base_sha256_add(h, t->data, t->bytes);
        model_archive_drop(a, t);
    }
    base_sha256_end(h, hex);
    base_free(order);
    return 0;
}

void model_archive_drop(const struct model_archive *a, const struct model_tensor *t)
{
    const uint8_t *p = t->data;
    for (size_t i = 0; i < a->n_files; i++) {
        const struct archive_file *f = &a->files[i];
        if (f->map.data && p >= f->data && p < f->data + f->bytes)
            base_map_drop(&f->map, p, t->bytes);
    }
}
