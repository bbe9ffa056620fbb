/* A log that shows tampering; see include/assay/tool.h.
 *
 * A line is {"seq", "time", ..., "previous", "hash"}: previous is the hash of the line before (64
 * zeros for the first), hash the SHA-256 of the line's bytes with `,"hash":"..."` taken out. So a
 * line cannot be changed, taken out, put in or moved without every later hash being wrong; an end
 * cut off leaves a whole log, which only a hash kept elsewhere tells (--head).
 *
 * Appending: lock the file, read the last line (another process may have written), write one line
 * with one write, unlock, and wait until a fdatasync that began after the write has ended. A line
 * that a dying machine left half written has no newline at its end; the next writer takes it out
 * and says so in a line of its own. */
#include "agent/audit.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ZEROS     "0000000000000000000000000000000000000000000000000000000000000000"
#define LINE_MOST ((size_t)4 << 20)
static const char line_begin[] = "{\"seq\":"; /* of every line */

struct agent_audit {
    int fd;
    char *path;
    pthread_mutex_t lock; /* flock is per open file: threads need their own */
    uint64_t seq;         /* of the last line */
    char head[BASE_SHA256_HEX];
    off_t size; /* where that line ends */
    /* Lines are kept together: while one thread waits for fdatasync the others write, and the next
     * fdatasync is for all of them. Under the lock. */
    pthread_cond_t kept;
    off_t safe;   /* what a crash of the machine cannot take */
    bool keeping; /* a thread is in fdatasync */
    int lost;     /* errno of one that failed: the kernel has forgotten what it could not write, and
                     would say that all is well the next time */
};

static int io_error(const char *path, const char *what)
{
    return base_error_set(BASE_E_IO, "%s: cannot %s the audit log: %s", path, what,
                          strerror(errno));
}

/* Where the hash key begins in a line (without its newline), or NULL. */
static const char *hash_find(const char *line, size_t n)
{
    static const char key[] = ",\"hash\":\"";
    const size_t tail = strlen(key) + 64 + 2;
    if (n < tail + 1 || line[n - 1] != '}' || line[n - 2] != '"' ||
        memcmp(line + n - tail, key, strlen(key)) != 0)
        return NULL;
    return line + n - tail;
}

/* The hash that a line should have. */
static int hash_line(const char *line, const char *at, char hex[BASE_SHA256_HEX])
{
    struct base_sha256 *h;
    int rc = base_sha256_begin(&h);
    if (rc)
        return rc;
    base_sha256_add(h, line, (size_t)(at - line));
    base_sha256_add(h, "}", 1);
    base_sha256_end(h, hex);
    return 0;
}

static int no_log(const char *path)
{
    return base_error_set(BASE_E_FORMAT,
                          "%s: the last line is not one of an audit log: assay audit verify says "
                          "more; give another file",
                          path);
}

/* Number and hash of a whole line. */
static int line_read(const char *path, const char *line, size_t n, uint64_t *seq, char hex[65])
{
    const char *at = hash_find(line, n);
    json_t *o = NULL;
    if (!at || base_json_parse_wire(&o, line, n, 0, path) ||
        !json_is_integer(json_object_get(o, "seq"))) {
        json_decref(o);
        return no_log(path);
    }
    *seq = (uint64_t)json_integer_value(json_object_get(o, "seq"));
    memcpy(hex, at + 9, 64);
    hex[64] = 0;
    json_decref(o);
    return 0;
}

/* Reads the last line where the file has changed since. Under the lock. half: bytes of a last line
 * without an end, which are cut off. */
static int catch_up(struct agent_audit *a, size_t *half)
{
    struct stat st;
    *half = 0;
    if (fstat(a->fd, &st))
        return io_error(a->path, "look at");
    if (!st.st_nlink)
        return base_error_set(BASE_E_IO,
                              "%s: the audit log was removed: what is written would be lost; start "
                              "again with another",
                              a->path);
    if (st.st_size == a->size)
        return 0;
    if (st.st_size < a->size)
        return base_error_set(BASE_E_FORMAT, "%s: the audit log has become shorter", a->path);
    size_t want = (size_t)(st.st_size - a->size);
    if (want > LINE_MOST)
        want = LINE_MOST;
    char *tail = base_alloc(want, 1);
    if (!tail)
        return BASE_E_MEMORY;
    int rc = 0;
    if (pread(a->fd, tail, want, st.st_size - (off_t)want) != (ssize_t)want) {
        rc = io_error(a->path, "read");
        goto out;
    }
    size_t end = want;
    while (end && tail[end - 1] != '\n')
        end--;
    *half = want - end;
    if (end) {
        size_t begin = end - 1;
        while (begin && tail[begin - 1] != '\n')
            begin--;
        rc = line_read(a->path, tail + begin, end - 1 - begin, &a->seq, a->head);
    } else if (st.st_size > (off_t)want) {
        rc = base_error_set(BASE_E_FORMAT, "%s: a line of more than %zu bytes", a->path, LINE_MOST);
    }
    /* what is no beginning of a line of ours is somebody's text */
    size_t same = *half < sizeof line_begin - 1 ? *half : sizeof line_begin - 1;
    if (!rc && memcmp(tail + end, line_begin, same) != 0)
        rc = no_log(a->path);
    if (!rc && *half && ftruncate(a->fd, st.st_size - (off_t)*half))
        rc = io_error(a->path, "mend the end of");
    if (!rc)
        a->size = st.st_size - (off_t)*half;
out:
    base_free(tail);
    return rc;
}

int agent_audit_open(struct agent_audit **out, const char *path)
{
    struct agent_audit *a = base_alloc_zero(1, sizeof *a);
    if (!a || !(a->path = base_strdup(path))) {
        base_free(a);
        return BASE_E_MEMORY;
    }
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->kept, NULL);
    memcpy(a->head, ZEROS, 65);
    a->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;
    int rc = 0;
    if (a->fd < 0)
        rc = io_error(path, "open");
    else if (fstat(a->fd, &st) || !S_ISREG(st.st_mode))
        rc = base_error_set(BASE_E_ARGUMENT, "%s: an audit log must be a regular file", path);
    if (rc) {
        agent_audit_close(a);
        return rc;
    }
    *out = a;
    return 0;
}

void agent_audit_close(struct agent_audit *a)
{
    if (!a)
        return;
    if (a->fd >= 0)
        close(a->fd);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->kept);
    base_free(a->path);
    base_free(a);
}

static int append(struct agent_audit *a, json_t *entry)
{
    struct timespec t;
    struct tm tm;
    char when[40], stamp[64];
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(stamp, sizeof stamp, "%s.%03ldZ", when, t.tv_nsec / 1000000);
    json_t *line = json_pack("{s:I, s:s}", "seq", (json_int_t)(a->seq + 1), "time", stamp);
    char *text = NULL;
    struct base_buffer b = { 0 };
    int rc = BASE_E_MEMORY;
    if (!line || json_object_update(line, entry) ||
        json_object_set_new(line, "previous", json_string(a->head)) ||
        !(text = base_json_compact(line)))
        goto out;
    size_t n = strlen(text);
    char hex[BASE_SHA256_HEX];
    if ((rc = base_sha256(text, n, hex)) || (rc = base_buffer_append(&b, text, n - 1)) ||
        (rc = base_buffer_printf(&b, ",\"hash\":\"%s\"}\n", hex)))
        goto out;
    ssize_t written = write(a->fd, b.data, b.length);
    if (written != (ssize_t)b.length) { /* a full disk: nothing of the line stays */
        rc = written < 0
                 ? io_error(a->path, "write")
                 : base_error_set(BASE_E_IO, "%s: cannot write the audit log: disk full", a->path);
        if (written > 0 && ftruncate(a->fd, a->size))
            rc = io_error(a->path, "mend the end of");
        goto out;
    }
    memcpy(a->head, hex, 65);
    a->seq++;
    a->size += written;
out:
    json_decref(line);
    base_free(text);
    base_buffer_free(&b);
    return rc;
}

/* Returns when what is written up to `end` is on the disk. Under the lock, which it gives back
 * while it waits. */
static int keep(struct agent_audit *a, off_t end)
{
    while (a->safe < end && !a->lost) {
        if (a->keeping) {
            pthread_cond_wait(&a->kept, &a->lock);
            continue;
        }
        off_t now = a->size;
        a->keeping = true;
        pthread_mutex_unlock(&a->lock);
        int error = fdatasync(a->fd) ? errno : 0;
        pthread_mutex_lock(&a->lock);
        a->keeping = false;
        if (error)
            a->lost = error;
        else if (now > a->safe)
            a->safe = now;
        pthread_cond_broadcast(&a->kept);
    }
    errno = a->lost;
    return a->lost ? io_error(a->path, "keep") : 0;
}

int agent_audit_append(struct agent_audit *a, json_t *entry)
{
    pthread_mutex_lock(&a->lock);
    while (flock(a->fd, LOCK_EX) && errno == EINTR) {
    }
    size_t half = 0;
    int rc = catch_up(a, &half);
    if (!rc && half) {
        json_t *note = json_pack("{s:s, s:I}", "event", "a half-written line was taken out",
                                 "bytes", (json_int_t)half);
        rc = note ? append(a, note) : BASE_E_MEMORY;
        json_decref(note);
    }
    if (!rc)
        rc = append(a, entry);
    flock(a->fd, LOCK_UN);
    if (!rc)
        rc = keep(a, a->size);
    pthread_mutex_unlock(&a->lock);
    return rc;
}

/* ---- verifying ---- */

static int problem(struct agent_audit_report *r, uint64_t line, const char *what)
{
    r->first_bad = line;
    r->problem = base_strdup(what);
    return r->problem ? 0 : BASE_E_MEMORY;
}

/* One line without its newline; 0, or an error of our own. */
static int verify_line(const char *path, const char *line, size_t n, struct agent_audit_report *r)
{
    uint64_t seq;
    char hex[65], stated[65];
    const char *at = hash_find(line, n);
    json_t *o = NULL;
    if (!at || line_read(path, line, n, &seq, stated))
        return problem(r, r->lines, "not a line of an audit log");
    int rc = hash_line(line, at, hex);
    if (!rc)
        rc = base_json_parse_wire(&o, line, n, 0, path);
    const char *previous = json_string_value(json_object_get(o, "previous"));
    if (!rc && strcmp(hex, stated) != 0)
        rc = problem(r, r->lines, "its hash is not that of its bytes: it was changed");
    else if (!rc && (!previous || strcmp(previous, r->head) != 0))
        rc = problem(r, r->lines,
                     "it does not follow the line before: one was taken out, put in or moved");
    else if (!rc && seq != r->lines)
        rc = problem(r, r->lines, "its number is not that of its place");
    json_decref(o);
    if (!rc && !r->first_bad)
        memcpy(r->head, stated, 65);
    return rc;
}

int agent_audit_verify(const char *path, const char *head, struct agent_audit_report *out)
{
    *out = (struct agent_audit_report){ 0 };
    memcpy(out->head, ZEROS, 65);
    FILE *f = fopen(path, "re");
    if (!f)
        return base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    int rc = 0;
    bool seen = !head || strcmp(head, ZEROS) == 0;
    while (!rc && !out->first_bad && (n = getline(&line, &capacity, f)) > 0) {
        out->lines++;
        if (line[n - 1] != '\n')
            rc = problem(out, out->lines, "the line is only half there");
        else
            rc = verify_line(path, line, (size_t)n - 1, out);
        seen |= !rc && !out->first_bad && head && strcmp(out->head, head) == 0;
    }
    if (!rc && ferror(f))
        rc = base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));
    if (!rc && !out->first_bad && !seen)
        rc = problem(out, out->lines + 1,
                     "the line with the given hash is not here: the end was "
                     "cut off, or this is another log");
    free(line);
    fclose(f);
    return rc;
}
