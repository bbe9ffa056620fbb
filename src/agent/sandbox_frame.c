/* Frames of workers, and progress; see sandbox_frame.h. */
#include "agent/sandbox_frame.h"
#include "base/memory.h"
#include "base/text.h"
#include <assay/tool.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define HEAD 5 /* kind and length */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the worker's side ---- */

bool agent_frame_write(int fd, char kind, const void *head, size_t n, const void *text, size_t m)
{
    uint32_t length = (uint32_t)(n + m);
    unsigned char first[HEAD] = { (unsigned char)kind, (unsigned char)length,
                                  (unsigned char)(length >> 8), (unsigned char)(length >> 16),
                                  (unsigned char)(length >> 24) };
    struct iovec parts[3] = { { first, HEAD },
                              { (void *)(uintptr_t)head, n },
                              { (void *)(uintptr_t)text, m } };
    for (int at = 0; at < 3;) {
        ssize_t written = writev(fd, parts + at, 3 - at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0 && parts[at].iov_len)
            return false;
        while (at < 3 && (size_t)written >= parts[at].iov_len)
            written -= (ssize_t)parts[at++].iov_len;
        if (at < 3) {
            parts[at].iov_base = (char *)parts[at].iov_base + written;
            parts[at].iov_len -= (size_t)written;
        }
    }
    return true;
}

/* Of the worker's one call. */
static struct {
    pthread_mutex_t lock; /* a tool's threads may tell */
    int fd;               /* 0 = this is no worker */
    double told_at;
    bool pending;
    double numbers[2];
    char message[FRAME_MESSAGE_MOST];
    size_t bytes;
} here = { .lock = PTHREAD_MUTEX_INITIALIZER };

void agent_frame_listen(int fd)
{
    here.fd = fd;
    here.pending = false;
    here.told_at = 0;
}

/* Under the lock. */
static void tell(void)
{
    here.pending = false;
    here.told_at = now();
    agent_frame_write(here.fd, 'p', here.numbers, sizeof here.numbers, here.message, here.bytes);
}

void agent_tool_progress(double done, double total, const char *message)
{
    if (!isfinite(done) || !isfinite(total) || done < 0 || total < 0)
        return;
    pthread_mutex_lock(&here.lock);
    if (!here.fd) {
        pthread_mutex_unlock(&here.lock);
        return;
    }
    here.numbers[0] = done;
    here.numbers[1] = total;
    size_t n = message ? strnlen(message, FRAME_MESSAGE_MOST) : 0;
    if (n)
        memcpy(here.message, message, n);
    here.bytes = n == FRAME_MESSAGE_MOST ? base_utf8_complete(here.message, n) : n;
    here.pending = true;
    if (now() - here.told_at >= FRAME_PROGRESS_EVERY)
        tell();
    pthread_mutex_unlock(&here.lock);
}

void agent_frame_finish(int fd, char kind, const char *text, size_t n)
{
    pthread_mutex_lock(&here.lock);
    if (here.pending && here.fd)
        tell();
    here.fd = 0; /* no thread tells anything after this */
    agent_frame_write(fd, kind, "", 0, text, n);
    pthread_mutex_unlock(&here.lock);
}

/* ---- the gate's side ---- */

/* Text from a worker, made valid UTF-8 without control characters of its own making. */
static bool text_take(char *out, size_t size, const char *bytes, size_t n)
{
    size_t length = 0;
    char *whole = base_utf8_repair(bytes, n, &length);
    if (!whole)
        return false;
    if (length > size - 1)
        length = base_utf8_complete(whole, size - 1);
    for (size_t i = 0; i < length; i++)
        out[i] = whole[i] ? whole[i] : ' ';
    out[length] = 0;
    base_free(whole);
    return true;
}

static bool progress_take(struct agent_frames *f, const char *payload, size_t n)
{
    double numbers[2];
    if (n < sizeof numbers || ++f->told > FRAME_PROGRESS_MOST)
        return false;
    memcpy(numbers, payload, sizeof numbers);
    for (int i = 0; i < 2; i++)
        if (!isfinite(numbers[i]) || numbers[i] < 0)
            return false;
    f->done = numbers[0];
    f->total = numbers[1];
    f->news = true;
    return text_take(f->message, sizeof f->message, payload + sizeof numbers, n - sizeof numbers);
}

enum agent_frame_state agent_frames_take(struct agent_frames *f, const char *data, size_t size)
{
    size_t at = 0;
    struct base_buffer *b = &f->bytes;
    if (f->kind && size) /* not one byte after the last frame */
        return AGENT_FRAME_BROKEN;
    if (base_buffer_append(b, data, size))
        return AGENT_FRAME_MEMORY;
    while (b->length - at >= HEAD) {
        const unsigned char *p = (const unsigned char *)b->data + at;
        char kind = (char)p[0];
        size_t n = p[1] | (size_t)p[2] << 8 | (size_t)p[3] << 16 | (size_t)p[4] << 24;
        if (kind == 'r' && n > f->most)
            return AGENT_FRAME_LARGE;
        if (!(kind == 'r' || (kind == 'p' && n <= 2 * sizeof(double) + FRAME_MESSAGE_MOST) ||
              ((kind == 'e' || kind == 'c') && n <= FRAME_ERROR_MOST)))
            return AGENT_FRAME_BROKEN;
        if (b->length - at - HEAD < n)
            break;
        const char *payload = b->data + at + HEAD;
        at += HEAD + n;
        if (kind == 'p') {
            if (!progress_take(f, payload, n))
                return AGENT_FRAME_BROKEN;
            continue;
        }
        if (at != b->length) /* not one byte after the last frame */
            return AGENT_FRAME_BROKEN;
        f->kind = kind;
        memmove(b->data, payload, n);
        b->length = n;
        b->data[n] = 0;
        return AGENT_FRAME_FINE;
    }
    if (at) {
        memmove(b->data, b->data + at, b->length - at);
        b->length -= at;
        b->data[b->length] = 0;
    }
    return AGENT_FRAME_FINE;
}

void agent_frames_free(struct agent_frames *f)
{
    base_buffer_free(&f->bytes);
}
