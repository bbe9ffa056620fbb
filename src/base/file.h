/* Files: whole-file reading, memory mapping, and writing that is never half done. */
#ifndef BASE_FILE_H
#define BASE_FILE_H
#include <assay/base.h>
#include <stdbool.h>
#include <stdio.h>

/* A read-only memory map. data is NULL when bytes is 0. Closing invalidates every view into it. */
struct base_map {
    const uint8_t *data;
    size_t bytes;
    char *path; /* as opened, for messages */
};
/* Fails with the path and reason (missing, directory, permission). */
int base_map_open(struct base_map *m, const char *path);
void base_map_close(struct base_map *m);
/* Tells the kernel that these mapped pages are not needed now (keeps the resident set small). */
void base_map_drop(const struct base_map *m, const void *from, size_t bytes);

/* Whole file into a new NUL-terminated block (base_free). "-" reads standard input. max_bytes 0 =
 * no limit, else BASE_E_LIMIT beyond it. */
int base_file_read(const char *path, size_t max_bytes, char **data, size_t *bytes);
/* A descriptor of `path` (openat2's flags, O_CLOEXEC added) below `directory`, for paths that
 * somebody else has written: absolute paths, ".." and symbolic links that lead outside fail in the
 * kernel, in one step with the opening, so that nothing can change between check and use. A failure
 * is a negative code. */
int base_open_beneath(const char *directory, const char *path, int flags);
bool base_file_exists(const char *path);
bool base_file_is_directory(const char *path);
int base_file_make_directories(const char *path); /* like mkdir -p */
/* dir + "/" + name, new string (base_free). */
char *base_path_join(const char *dir, const char *name);
/* The part after the last '/'; points into path. */
const char *base_path_name(const char *path);

/* Atomic writing: bytes go to a temporary file in the same directory; commit does fflush, fsync,
 * rename, fsync of the directory. abort (or a crash) leaves the old file untouched. */
struct base_writer {
    FILE *stream; /* write here with fwrite/fprintf; errors are caught at commit */
    char *path;
    char *temporary;
};
int base_writer_open(struct base_writer *w, const char *path);
int base_writer_write(struct base_writer *w, const void *data, size_t bytes);
int base_writer_commit(struct base_writer *w);
void base_writer_abort(struct base_writer *w); /* harmless after commit */
/* All of the above in one call. */
int base_file_write(const char *path, const void *data, size_t bytes);
#endif
