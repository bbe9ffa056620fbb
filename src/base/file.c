/* Files. Reading is by map or whole; writing is to a temporary file in the same directory that
 * takes the target's name only after it is on the disk, so a reader sees the old file or the new
 * one. */
#include "base/file.h"
#include "base/buffer.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail_errno(const char *path, const char *doing)
{
    return base_error_set(BASE_E_IO, "%s: %s: %s", path, doing, strerror(errno));
}

/* Opens for reading; refuses directories with a plain message. *info is fstat's. */
static int open_to_read(const char *path, struct stat *info)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail_errno(path, "cannot open");
    }
    if (fstat(fd, info)) {
        int rc = fail_errno(path, "cannot stat");
        close(fd);
        return rc;
    }
    if (S_ISDIR(info->st_mode)) {
        close(fd);
        return base_error_set(BASE_E_IO, "%s: is a directory, expected a file", path);
    }
    return fd;
}

int base_open_beneath(const char *directory, const char *path, int flags)
{
    int root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return fail_errno(directory, "cannot open");
    struct open_how how = { .flags = (uint64_t)flags | O_CLOEXEC,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    int error = errno;
    close(root);
    if (fd >= 0)
        return fd;
    return error == EXDEV || error == EACCES || error == ELOOP
               ? base_error_set(BASE_E_ARGUMENT, "%.200s: outside of what may be read", path)
               : base_error_set(BASE_E_IO, "%.200s: %s", path, strerror(error));
}

int base_map_open(struct base_map *m, const char *path)
{
    *m = (struct base_map){ 0 };
    struct stat info;
    int fd = open_to_read(path, &info);
    if (fd < 0) {
        return fd;
    }
    int rc = 0;
    if (!S_ISREG(info.st_mode)) {
        rc = base_error_set(BASE_E_IO, "%s: not a regular file, cannot be mapped", path);
        goto out;
    }
    m->path = base_strdup(path);
    if (!m->path) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    m->bytes = (size_t)info.st_size;
    if (m->bytes) {
        void *p = mmap(NULL, m->bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            rc = fail_errno(path, "cannot map");
            goto out;
        }
        m->data = p;
    }
out:
    close(fd);
    if (rc) {
        base_free(m->path);
        *m = (struct base_map){ 0 };
    }
    return rc;
}

void base_map_close(struct base_map *m)
{
    if (m->data) {
        munmap((void *)(uintptr_t)m->data, m->bytes);
    }
    base_free(m->path);
    *m = (struct base_map){ 0 };
}

void base_map_drop(const struct base_map *m, const void *from, size_t bytes)
{
    /* Whole pages inside the range only: the edges may hold a neighbour's bytes. */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = ((uintptr_t)from + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)from + bytes) / page * page;
    if (m->data && start >= (uintptr_t)m->data && start < end &&
        end <= (uintptr_t)m->data + m->bytes) {
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
}

int base_file_read(const char *path, size_t max_bytes, char **data, size_t *bytes)
{
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    struct stat info = { 0 };
    int fd = standard ? STDIN_FILENO : open_to_read(path, &info);
    if (fd < 0) {
        return fd;
    }
    struct base_buffer b = { 0 };
    int rc = 0;
    if (S_ISREG(info.st_mode) && info.st_size > 0 &&
        (!max_bytes || (size_t)info.st_size <= max_bytes)) {
        rc = base_buffer_reserve(&b, (size_t)info.st_size + 1);
    }
    while (!rc) {
        rc = base_buffer_reserve(&b, 1);
        if (rc) {
            break;
        }
        if (b.capacity - b.length - 1 < 4096 && !S_ISREG(info.st_mode)) {
            rc = base_buffer_reserve(&b, 65536);
            if (rc) {
                break;
            }
        }
        ssize_t n = read(fd, b.data + b.length, b.capacity - b.length - 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = fail_errno(name, "cannot read");
        } else if (n == 0) {
            break;
        } else {
            b.length += (size_t)n;
            b.data[b.length] = 0;
            if (max_bytes && b.length > max_bytes) {
                rc = base_error_set(BASE_E_LIMIT, "%s: larger than the limit of %zu bytes", name,
                                    max_bytes);
            }
        }
    }
    if (!standard) {
        close(fd);
    }
    if (rc) {
        base_buffer_free(&b);
        return rc;
    }
    if (bytes) {
        *bytes = b.length;
    }
    *data = base_buffer_take(&b);
    return *data ? 0 : BASE_E_MEMORY;
}

bool base_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool base_file_is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int base_file_make_directories(const char *path)
{
    char *copy = base_strdup(path);
    if (!copy) {
        return BASE_E_MEMORY;
    }
    int rc = 0;
    for (char *p = copy; *p && !rc;) {
        p += strspn(p, "/");
        p += strcspn(p, "/");
        char after = *p;
        *p = 0;
        if (*copy && mkdir(copy, 0777) && (errno != EEXIST || !base_file_is_directory(copy))) {
            rc = fail_errno(copy, "cannot make the directory");
        }
        *p = after;
    }
    base_free(copy);
    return rc;
}

char *base_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    return base_format("%s%s%s", dir, n && dir[n - 1] != '/' ? "/" : "", name);
}

const char *base_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The directory that holds path: a new string ("." for a bare name). */
static char *parent_of(const char *path)
{
    const char *name = base_path_name(path);
    if (name == path) {
        return base_strdup(".");
    }
    return base_strndup(path, (size_t)(name - path));
}

static void writer_clear(struct base_writer *w)
{
    base_free(w->path);
    base_free(w->temporary);
    *w = (struct base_writer){ 0 };
}

int base_writer_open(struct base_writer *w, const char *path)
{
    *w = (struct base_writer){ 0 };
    static atomic_uint serial;
    struct stat info;
    bool present = stat(path, &info) == 0;
    char *resolved = NULL, *directory = NULL;
    int fd = -1, rc = 0;
    if (present && S_ISDIR(info.st_mode)) {
        return base_error_set(BASE_E_IO, "%s: is a directory, expected a file to write", path);
    }
    /* A symbolic link keeps pointing where it points: its target is what is replaced. */
    resolved = present ? realpath(path, NULL) : NULL;
    w->path = base_strdup(resolved ? resolved : path);
    free(resolved);
    if (!w->path) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    if (present && !S_ISREG(info.st_mode)) {
        fd = open(path,
                  O_WRONLY | O_CLOEXEC); /* a device or pipe cannot be replaced: write into it */
    } else {
        directory = parent_of(w->path);
        if (!directory) {
            rc = BASE_E_MEMORY;
            goto out;
        }
        do {
            char name[64];
            snprintf(name, sizeof name, ".assay-%ld-%u.tmp", (long)getpid(),
                     atomic_fetch_add(&serial, 1));
            base_free(w->temporary);
            w->temporary = base_path_join(directory, name);
            if (!w->temporary) {
                rc = BASE_E_MEMORY;
                goto out;
            }
            fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        } while (fd < 0 && errno == EEXIST);
    }
    if (fd < 0) {
        rc = fail_errno(path, "cannot write");
        base_free(w->temporary);
        w->temporary = NULL;
        goto out;
    }
    if (present && w->temporary && fchmod(fd, info.st_mode & 07777)) {
        rc = fail_errno(path, "cannot keep the file's mode");
        goto out;
    }
    w->stream = fdopen(fd, "wb");
    if (!w->stream) {
        rc = fail_errno(path, "cannot write");
        goto out;
    }
    fd = -1;
out:
    if (rc) {
        if (fd >= 0) {
            close(fd);
        }
        if (w->temporary) {
            unlink(w->temporary);
        }
        writer_clear(w);
    }
    base_free(directory);
    return rc;
}

int base_writer_write(struct base_writer *w, const void *data, size_t bytes)
{
    if (bytes && fwrite(data, 1, bytes, w->stream) != bytes) {
        return fail_errno(w->path, "cannot write");
    }
    return 0;
}

/* The rename itself is on the disk only when its directory is. */
static int sync_directory(const char *path)
{
    char *directory = parent_of(path);
    if (!directory) {
        return BASE_E_MEMORY;
    }
    int rc = 0, fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        if (fsync(fd) && errno != EINVAL && errno != EROFS) {
            rc = fail_errno(directory, "cannot sync");
        }
        close(fd);
    }
    base_free(directory);
    return rc;
}

int base_writer_commit(struct base_writer *w)
{
    int rc = 0;
    errno = 0;
    bool earlier = ferror(w->stream);
    if (fflush(w->stream) || earlier) {
        errno = errno ? errno : EIO;
        rc = fail_errno(w->path, "cannot write");
    } else if (fsync(fileno(w->stream)) && errno != EINVAL && errno != ENOTSUP) {
        rc = fail_errno(w->path, "cannot sync");
    }
    if (fclose(w->stream) && !rc) {
        rc = fail_errno(w->path, "cannot write");
    }
    w->stream = NULL;
    if (!rc && w->temporary) {
        if (rename(w->temporary, w->path)) {
            rc = fail_errno(w->path, "cannot replace");
        } else {
            base_free(w->temporary);
            w->temporary = NULL;
            rc = sync_directory(w->path);
        }
    }
    base_writer_abort(w);
    return rc;
}

void base_writer_abort(struct base_writer *w)
{
    if (w->stream) {
        fclose(w->stream);
    }
    if (w->temporary) {
        unlink(w->temporary);
    }
    writer_clear(w);
}

int base_file_write(const char *path, const void *data, size_t bytes)
{
    struct base_writer w;
    int rc = base_writer_open(&w, path);
    if (rc) {
        return rc;
    }
    rc = base_writer_write(&w, data, bytes);
    if (rc) {
        base_writer_abort(&w);
        return rc;
    }
    return base_writer_commit(&w);
}
