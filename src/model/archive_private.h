/* What the three readers and the two writers share with archive.c. Private to these files. */
#ifndef MODEL_ARCHIVE_PRIVATE_H
#define MODEL_ARCHIVE_PRIVATE_H
#include "base/file.h"
#include "base/hash.h"
#include "model/archive.h"

struct archive_file {
    struct base_map
        map; /* open when the archive mapped it; data NULL when memory came from the caller */
    const uint8_t *data;
    size_t bytes;
    char *name; /* for messages */
};
struct model_array {
    enum model_gguf_type type;
    size_t count;
    const uint8_t *data; /* first element in the file */
    uint64_t *at;        /* strings: offset of element i's length field from data */
};
/* One GGUF key. The value's bytes are kept so that it can be copied to another file as it is. */
struct archive_key {
    const char *name;
    enum model_gguf_type type;
    const uint8_t *value; /* after the type field */
    size_t bytes;
    struct model_array *array; /* NULL for a scalar */
};
struct model_archive {
    enum model_archive_format format;
    char *path;
    struct archive_file *files;
    size_t n_files;
    struct model_tensor *tensors;
    size_t n_tensors, tensor_room;
    struct base_table *by_name; /* name -> index into tensors */
    json_t *metadata;
    struct archive_key *keys;
    size_t n_keys;
    struct base_table *by_key; /* GGUF key -> index into keys */
    void **blocks;             /* everything that lives as long as the archive */
    size_t n_blocks, block_room;
};

/* Gives a block (base_alloc) to the archive. Returns it, or NULL (freed, error set) when memory is
 * out or block is NULL, so that calls can be nested. */
void *archive_keep(struct model_archive *a, void *block);
/* Appends a tensor; its name (n bytes) is copied. Refuses an empty name, a repeated one, NUL bytes
 * and bad UTF-8. */
int archive_add(struct model_archive *a, const char *name, size_t n,
                const struct model_tensor *tensor);
/* A name from a file as it may stand in a message: printable, at most 60 bytes. Returns out. */
#define ARCHIVE_SHOWN 72
const char *archive_shown(const char *name, size_t n, char out[ARCHIVE_SHOWN]);
/* Product of a shape; -1 on a negative extent or overflow. rank <= MODEL_TENSOR_MAX_RANK. */
int archive_elements(int rank, const int64_t *shape, size_t *n);

/* The readers: validate everything, add the tensors and metadata of f. */
int safetensors_read(struct model_archive *a, const struct archive_file *f);
int gguf_read(struct model_archive *a, const struct archive_file *f);
int torchzip_read(struct model_archive *a, const struct archive_file *f);

/* Writers: plan, offsets, and the file being written. */
struct model_archive_writer {
    struct base_writer file;
    struct archive_slot {
        char *name;
        uint64_t offset; /* in the file */
        size_t bytes, written;
    } * slots;
    size_t n;
    size_t next;    /* tensor being written */
    uint64_t total; /* bytes of the whole file */
};
/* Copies names and sizes of the plan into a new writer and opens the temporary file. Offsets are 0.
 */
int archive_writer_new(struct model_archive_writer **out, const char *path,
                       const struct model_tensor_plan *plan, size_t n);
#endif
