/* Input that a design reads twice: a file is opened twice; standard input and pipes are copied to a
 * nameless temporary file first. */
#include "base/buffer.h"
#include "data/table.h"
#include "sampling/run.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether path must be copied first: not a regular file, and not built in. */
static bool must_copy(const char *path)
{
    struct stat info;
    if (strcmp(path, "-") == 0)
        return fstat(STDIN_FILENO, &info) != 0 || !S_ISREG(info.st_mode) ||
               lseek(STDIN_FILENO, 0, SEEK_CUR) != 0;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

/* Copies path to a file without a name; *fd is it. */
static int copy(const char *path, int *fd)
{
    const char *folder = getenv("TMPDIR");
    char name[4096], block[65536];
    int from = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    if (from < 0)
        return base_error_set(BASE_E_IO, "%s: cannot open: %s", path, strerror(errno));
    snprintf(name, sizeof name, "%s/assay-XXXXXX", folder && *folder ? folder : "/tmp");
    *fd = mkostemp(name, O_CLOEXEC);
    if (*fd < 0)
        rc = base_error_set(BASE_E_IO,
                            "%s: cannot make a temporary copy (this design reads its input twice): "
                            "%s",
                            name, strerror(errno));
    else
        unlink(name);
    while (!rc) {
        ssize_t n = read(from, block, sizeof block), done = 0;
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            rc = base_error_set(BASE_E_IO, "%s: cannot read: %s", path, strerror(errno));
        while (!rc && done < n) {
            ssize_t k = write(*fd, block + done, (size_t)(n - done));
            if (k > 0)
                done += k;
            else if (errno != EINTR)
                rc = base_error_set(BASE_E_IO,
                                    "%s: cannot write the temporary copy: %s (set TMPDIR to where "
                                    "there is room)",
                                    name, strerror(errno));
        }
        if (!rc && base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
    }
    if (from != STDIN_FILENO)
        close(from);
    return rc;
}

int sampling_input_open(struct sampling_input *in, const char *path,
                        const struct data_table_options *table, bool once)
{
    bool beneath = table && table->beneath; /* then it is a regular file */
    bool standard = !beneath && strcmp(path, "-") == 0;
    *in = (struct sampling_input){ .given = path, .path = path, .fd = -1 };
    if (table)
        in->table = *table;
    if (once || beneath || (!standard && !must_copy(path)))
        return 0;
    if (in->table.format == DATA_FORMAT_AUTO) /* the new name says nothing */
        in->table.format = standard ? DATA_FORMAT_CSV : data_format_of_name(path);
    int fd = STDIN_FILENO, rc = 0;
    if (must_copy(path)) {
        rc = copy(path, &in->fd);
        fd = in->fd;
    }
    snprintf(in->copied, sizeof in->copied, "/proc/self/fd/%d", fd);
    in->path = in->copied;
    return rc ? sampling_input_close(in, rc) : 0;
}

int sampling_input_close(struct sampling_input *in, int rc)
{
    size_t n = strlen(in->copied);
    if (rc && n && strncmp(base_error_message(), in->copied, n) == 0) {
        char rest[1024]; /* name the input as the person did */
        snprintf(rest, sizeof rest, "%s", base_error_message() + n);
        base_error_set(rc, "%s%s", strcmp(in->given, "-") == 0 ? "standard input" : in->given,
                       rest);
    }
    if (in->fd >= 0)
        close(in->fd);
    in->fd = -1;
    return rc;
}
