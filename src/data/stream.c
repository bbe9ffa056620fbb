/* A stream of bytes out of a file, decompressed on the way: gzip, bzip2, Zstandard, or as it is.
 *
 * What a file is, its first bytes say: 1f 8b, "BZh" with 1-9 and the magic of a block or of the
 * end, 28 b5 2f fd (or a skippable frame, 5x 2a 4d 18). All three formats may hold several streams
 * one after another (pigz, bgzip, pbzip2, zstd -B), which are read as one.
 *
 * Memory is constant: one block of input, the decoder's window (Zstandard: at most 128 MiB, else
 * the file is refused), and the caller's buffer. A stream that has failed keeps failing the same
 * way. */
#include "base/file.h"
#include "base/library.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/builtin.h"
#include <assay/data.h>
#include <bzlib.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define BLOCK         65536
#define BOMB_FROM     ((uint64_t)1 << 30) /* so much output is let through at any rate */
#define BOMB_EXPANDED 10000 /* then so many bytes out per byte in; gzip's most is 1032 */

#define ZLIB_FUNCTIONS(X) X(inflateInit2_) X(inflate) X(inflateReset) X(inflateEnd)
#define BZIP_FUNCTIONS(X) X(BZ2_bzDecompressInit) X(BZ2_bzDecompress) X(BZ2_bzDecompressEnd)
#define ZSTD_FUNCTIONS(X)                                                                          \
    X(ZSTD_createDCtx)                                                                             \
    X(ZSTD_decompressStream) X(ZSTD_freeDCtx) X(ZSTD_isError) X(ZSTD_getErrorName)
#define FIELD(name) __typeof__(name) *name;
#define NAME(name)  #name,
static struct {
    ZLIB_FUNCTIONS(FIELD)
} zlib;
static struct {
    BZIP_FUNCTIONS(FIELD)
} bzip;
static struct {
    ZSTD_FUNCTIONS(FIELD)
} zstd;

static int load_zlib(void)
{
    static const char *const names[] = { ZLIB_FUNCTIONS(NAME) };
    return base_library_load("libz.so.1", "zlib1g", names, &zlib, sizeof names / sizeof *names);
}
static int load_bzip(void)
{
    static const char *const names[] = { BZIP_FUNCTIONS(NAME) };
    return base_library_load("libbz2.so.1.0", "libbz2-1.0", names, &bzip,
                             sizeof names / sizeof *names);
}
static int load_zstd(void)
{
    static const char *const names[] = { ZSTD_FUNCTIONS(NAME) };
    return base_library_load("libzstd.so.1", "libzstd1", names, &zstd,
                             sizeof names / sizeof *names);
}

enum coding {
    PLAIN,
    GZIP,
    BZIP2,
    ZSTANDARD,
};
static const char *const coding_names[] = { "plain", "gzip", "bzip2", "Zstandard" };

struct data_stream {
    char *name;
    int fd;
    bool owns_fd;
    enum coding coding;
    uint64_t total; /* bytes of the file, 0 = not known */
    uint64_t taken; /* bytes read from it */
    uint64_t given; /* bytes handed out */
    unsigned char *block;
    const struct data_builtin *builtin; /* then `taken` bytes of it were read, and fd is -1 */
    size_t at, end;                     /* block[at..end) is input not yet used */
    bool at_eof;                        /* the system has no more input */
    bool inside;                        /* in the middle of a compressed stream */
    bool ready;                         /* the decoder below has been set up */
    union {
        z_stream gzip;
        bz_stream bzip2;
        ZSTD_DCtx *zstandard;
    } decoder;
    int failed; /* 0, or what every later read returns, with this message */
    char message[512];
};

static int fail(struct data_stream *s, int code)
{
    s->failed = code;
    snprintf(s->message, sizeof s->message, "%s", base_error_message());
    return code;
}

static void *zlib_allocate(void *opaque, unsigned n, unsigned size)
{
    (void)opaque;
    return base_alloc(n, size);
}
static void *bzip_allocate(void *opaque, int n, int size)
{
    (void)opaque;
    return n < 0 || size < 0 ? NULL : base_alloc((size_t)n, (size_t)size);
}
static void decoder_free(void *opaque, void *p)
{
    (void)opaque;
    base_free(p);
}

/* read(2), or the same of a built-in file. */
static ssize_t take(struct data_stream *s, void *to, size_t bytes)
{
    if (!s->builtin)
        return read(s->fd, to, bytes);
    size_t left = (size_t)(s->total - s->taken), n = left < bytes ? left : bytes;
    memcpy(to, s->builtin->bytes + s->taken, n);
    return (ssize_t)n;
}

/* More input behind what is left; at_eof when there is none. */
static int fill(struct data_stream *s)
{
    memmove(s->block, s->block + s->at, s->end - s->at);
    s->end -= s->at;
    s->at = 0;
    while (s->end < BLOCK && !s->at_eof) {
        ssize_t n = take(s, s->block + s->end, BLOCK - s->end);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return base_error_set(BASE_E_IO, "%s: cannot read: %s", s->name, strerror(errno));
        s->at_eof = n == 0;
        s->end += (size_t)n;
        s->taken += (uint64_t)n;
        if (s->coding != PLAIN && s->end > 0)
            break; /* a pipe gives what it has; only the magic needs several bytes at once */
        if (s->coding == PLAIN && s->end >= 16)
            break;
    }
    return 0;
}

static enum coding tell(const unsigned char *p, size_t n)
{
    if (n >= 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8)
        return GZIP;
    if (n >= 10 && memcmp(p, "BZh", 3) == 0 && p[3] >= '1' && p[3] <= '9' &&
        (memcmp(p + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 ||
         memcmp(p + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0))
        return BZIP2;
    if (n >= 4 && (memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0 ||
                   ((p[0] & 0xf0) == 0x50 && memcmp(p + 1, "\x2a\x4d\x18", 3) == 0)))
        return ZSTANDARD;
    return PLAIN;
}

static int decoder_begin(struct data_stream *s)
{
    int rc = 0;
    if (s->coding == GZIP) {
        s->decoder.gzip = (z_stream){ .zalloc = zlib_allocate, .zfree = decoder_free };
        if ((rc = load_zlib()))
            return rc;
        /* 16: gzip's frame and nothing else */
        rc = zlib.inflateInit2_(&s->decoder.gzip, 15 + 16, ZLIB_VERSION, (int)sizeof(z_stream));
    } else if (s->coding == BZIP2) {
        s->decoder.bzip2 = (bz_stream){ .bzalloc = bzip_allocate, .bzfree = decoder_free };
        if ((rc = load_bzip()))
            return rc;
        rc = bzip.BZ2_bzDecompressInit(&s->decoder.bzip2, 0, 0);
    } else {
        if ((rc = load_zstd()))
            return rc;
        s->decoder.zstandard = zstd.ZSTD_createDCtx();
        rc = s->decoder.zstandard == NULL;
    }
    if (rc)
        return base_error_set(BASE_E_MEMORY, "%s: no memory to decompress %s", s->name,
                              coding_names[s->coding]);
    s->ready = true;
    return 0;
}

static void decoder_end(struct data_stream *s)
{
    if (!s->ready)
        return;
    if (s->coding == GZIP)
        zlib.inflateEnd(&s->decoder.gzip);
    else if (s->coding == BZIP2)
        bzip.BZ2_bzDecompressEnd(&s->decoder.bzip2);
    else
        zstd.ZSTD_freeDCtx(s->decoder.zstandard);
    s->ready = false;
}

/* s->fd of a file that was named, and its size. */
static int open_file(struct data_stream *s, const char *beneath, const char *path)
{
    struct stat info = { 0 };
    s->fd = beneath ? base_open_beneath(beneath, path, O_RDONLY | O_NONBLOCK)
                    : open(path, O_RDONLY | O_CLOEXEC);
    s->owns_fd = s->fd >= 0;
    if (beneath && s->fd < 0)
        return s->fd;
    if (s->fd < 0 || fstat(s->fd, &info))
        return base_error_set(BASE_E_IO, "%s: cannot open: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return base_error_set(BASE_E_IO, "%s: is a directory, expected a file", path);
    if (beneath && !S_ISREG(info.st_mode))
        return base_error_set(BASE_E_IO, "%s: not a regular file", path);
    if (S_ISREG(info.st_mode))
        s->total = (uint64_t)info.st_size;
    return 0;
}

int data_stream_open(struct data_stream **out, const char *path)
{
    return data_stream_open_beneath(out, NULL, path);
}

int data_stream_open_beneath(struct data_stream **out, const char *beneath, const char *path)
{
    static const struct {
        const char *suffix;
        enum coding coding;
    } suffixes[] = { { ".gz", GZIP }, { ".bz2", BZIP2 }, { ".zst", ZSTANDARD } };
    *out = NULL;
    int rc = 0;
    struct data_stream *s = base_alloc_zero(1, sizeof *s);
    if (!s)
        return BASE_E_MEMORY;
    bool standard = !beneath && strcmp(path, "-") == 0;
    s->fd = standard ? STDIN_FILENO : -1;
    s->name = base_strdup(standard ? "standard input" : path);
    s->block = base_alloc(BLOCK, 1);
    if (!s->name || !s->block) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    if (base_starts_with(path, "builtin:")) {
        if (!(s->builtin = data_builtin_find(path))) {
            rc = BASE_E_ARGUMENT;
            goto out;
        }
        s->total = (uint64_t)(s->builtin->end - s->builtin->bytes);
    } else if (!standard && (rc = open_file(s, beneath, path))) {
        goto out;
    }
    if ((rc = fill(s)))
        goto out;
    s->coding = tell(s->block, s->end);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (base_ends_with(path, suffixes[i].suffix) && s->coding != suffixes[i].coding) {
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: is not %s, though its name says so (%s): rename it or get it "
                                "again",
                                path, coding_names[suffixes[i].coding],
                                s->end ? "its first bytes are others" : "it is empty");
            goto out;
        }
    if (s->coding != PLAIN)
        rc = decoder_begin(s);
    s->inside = s->coding != PLAIN;
out:
    if (rc)
        data_stream_close(s);
    else
        *out = s;
    return rc;
}

/* One step of the decoder: uses input, makes at most `room` bytes at `to`. *ended: a stream is
 * complete. */
static int decode(struct data_stream *s, unsigned char *to, size_t room, size_t *made, bool *ended)
{
    size_t have = s->end - s->at;
    unsigned want = room > 1u << 30 ? 1u << 30 : (unsigned)room;
    int code;
    *ended = false;
    if (s->coding == GZIP) {
        z_stream *z = &s->decoder.gzip;
        z->next_in = s->block + s->at;
        z->avail_in = (unsigned)have;
        z->next_out = to;
        z->avail_out = want;
        code = zlib.inflate(z, Z_NO_FLUSH);
        s->at = s->end - z->avail_in;
        *made = want - z->avail_out;
        *ended = code == Z_STREAM_END;
        if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR)
            return 0;
        return base_error_set(code == Z_MEM_ERROR ? BASE_E_MEMORY : BASE_E_FORMAT,
                              "%s: damaged gzip data before byte %llu: %s", s->name,
                              (unsigned long long)(s->taken - (s->end - s->at)),
                              z->msg ? z->msg : "out of memory");
    }
    if (s->coding == BZIP2) {
        bz_stream *b = &s->decoder.bzip2;
        b->next_in = (char *)s->block + s->at;
        b->avail_in = (unsigned)have;
        b->next_out = (char *)to;
        b->avail_out = want;
        code = bzip.BZ2_bzDecompress(b);
        s->at = s->end - b->avail_in;
        *made = want - b->avail_out;
        *ended = code == BZ_STREAM_END;
        if (code == BZ_OK || code == BZ_STREAM_END)
            return 0;
        return base_error_set(code == BZ_MEM_ERROR ? BASE_E_MEMORY : BASE_E_FORMAT,
                              "%s: damaged bzip2 data before byte %llu%s", s->name,
                              (unsigned long long)(s->taken - (s->end - s->at)),
                              code == BZ_MEM_ERROR ? ": out of memory" : "");
    }
    ZSTD_inBuffer in = { s->block + s->at, have, 0 };
    ZSTD_outBuffer result = { to, room, 0 };
    size_t left = zstd.ZSTD_decompressStream(s->decoder.zstandard, &result, &in);
    s->at += in.pos;
    *made = result.pos;
    if (zstd.ZSTD_isError(left))
        return base_error_set(BASE_E_FORMAT, "%s: damaged Zstandard data before byte %llu: %s",
                              s->name, (unsigned long long)(s->taken - (s->end - s->at)),
                              zstd.ZSTD_getErrorName(left));
    *ended = left == 0;
    return 0;
}

/* Between two compressed streams: 1 when another one begins, 0 at the end. */
static int another(struct data_stream *s)
{
    while (s->end - s->at < 10 && !s->at_eof) { /* fill gives at least a byte, or the end */
        int rc = fill(s);
        if (rc)
            return rc;
    }
    if (s->at == s->end)
        return 0;
    enum coding next = tell(s->block + s->at, s->end - s->at);
    if (next == s->coding) {
        if (s->coding == GZIP)
            zlib.inflateReset(&s->decoder.gzip);
        else if (s->coding == BZIP2) { /* bzlib has no reset */
            decoder_end(s);
            int rc = decoder_begin(s);
            if (rc)
                return rc;
        }
        s->inside = true;
        return 1;
    }
    /* tapes pad with zeros, which every decompressor lets pass */
    for (; s->at < s->end || !s->at_eof; s->at++) {
        if (s->at == s->end) {
            int rc = fill(s);
            if (rc)
                return rc;
            if (s->at == s->end)
                return 0;
        }
        if (s->block[s->at] != 0)
            return base_error_set(BASE_E_FORMAT,
                                  "%s: bytes that are not %s behind the compressed data, at byte "
                                  "%llu",
                                  s->name, coding_names[s->coding],
                                  (unsigned long long)(s->taken - (s->end - s->at)));
    }
    return 0;
}

static int read_compressed(struct data_stream *s, unsigned char *to, size_t bytes, size_t *n)
{
    int rc;
    while (*n == 0) {
        if (!s->inside) {
            if ((rc = another(s)) <= 0)
                return rc;
        }
        if (s->at == s->end && !s->at_eof && (rc = fill(s)))
            return rc;
        size_t before = s->at;
        bool ended;
        if ((rc = decode(s, to, bytes, n, &ended)))
            return rc;
        s->inside = !ended;
        if (!ended && *n == 0 && s->at == before && s->at_eof && s->at == s->end)
            return base_error_set(BASE_E_FORMAT,
                                  "%s: the %s data stops in the middle: the file was cut off (it "
                                  "has %llu bytes)",
                                  s->name, coding_names[s->coding], (unsigned long long)s->taken);
    }
    return 0;
}

int data_stream_read(struct data_stream *s, void *buffer, size_t bytes, size_t *n)
{
    *n = 0;
    int rc;
    if (s->failed)
        return base_error_set(s->failed, "%s", s->message);
    if (bytes == 0)
        return 0;
    if (s->coding == PLAIN && s->at == s->end && bytes >= BLOCK) {
        /* straight into the caller's memory */
        ssize_t got = 0;
        while (!s->at_eof && (got = take(s, buffer, bytes)) < 0)
            if (errno != EINTR)
                return fail(
                    s, base_error_set(BASE_E_IO, "%s: cannot read: %s", s->name, strerror(errno)));
        s->at_eof = got == 0;
        s->taken += (uint64_t)got;
        *n = (size_t)got;
    } else if (s->coding == PLAIN) {
        if (s->at == s->end && !s->at_eof && (rc = fill(s)))
            return fail(s, rc);
        *n = s->end - s->at < bytes ? s->end - s->at : bytes;
        memcpy(buffer, s->block + s->at, *n);
        s->at += *n;
    } else if ((rc = read_compressed(s, buffer, bytes, n))) {
        *n = 0;
        return fail(s, rc);
    }
    s->given += *n;
    if (s->given > BOMB_FROM && s->given / BOMB_EXPANDED > s->taken) {
        *n = 0;
        return fail(s, base_error_set(BASE_E_LIMIT,
                                      "%s: %llu bytes expand to more than %llu: this looks like a "
                                      "decompression bomb; decompress it yourself if it is not",
                                      s->name, (unsigned long long)s->taken,
                                      (unsigned long long)s->given));
    }
    return 0;
}

void data_stream_progress(const struct data_stream *s, uint64_t *done, uint64_t *total)
{
    *done = s->taken - (s->end - s->at);
    *total = s->total;
}

const char *data_stream_name(const struct data_stream *s)
{
    return s->name;
}

void data_stream_close(struct data_stream *s)
{
    if (!s)
        return;
    decoder_end(s);
    if (s->owns_fd)
        close(s->fd);
    base_free(s->block);
    base_free(s->name);
    base_free(s);
}
