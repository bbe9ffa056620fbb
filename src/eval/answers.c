/* Journal and cache of answers; see answers.h. */
#include "eval/answers.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/reader.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char magic[8] = { 'A', 'S', 'Y', 'A', 'N', 'S', 'W', '1' };
enum { HEAD = 8 + 4 + EVAL_KEY_BYTES, TAIL = 8, GATHER = 65536 };
#define WRITE_SECONDS 0.5
#define SYNC_SECONDS  5.0

/* ---- keys ---- */

static void add_text(struct base_sha256 *h, const char *text)
{
    uint64_t n = text ? strlen(text) : UINT64_MAX;
    base_sha256_add(h, &n, sizeof n);
    if (text)
        base_sha256_add(h, text, strlen(text));
}

static void add_number(struct base_sha256 *h, uint64_t x)
{
    base_sha256_add(h, &x, sizeof x);
}

static void add_real(struct base_sha256 *h, double x)
{
    base_sha256_add(h, &x, sizeof x);
}

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

int eval_answer_key(const char *identity, const struct eval_request *r, uint8_t key[EVAL_KEY_BYTES])
{
    struct base_sha256 *h;
    char hex[BASE_SHA256_HEX];
    int rc = base_sha256_begin(&h);
    if (rc)
        return rc;
    add_text(h, identity);
    add_number(h, (uint64_t)r->kind);
    add_text(h, r->context);
    add_text(h, r->continuation);
    if (r->kind == EVAL_REQUEST_GENERATE) {
        const struct eval_generation *g = r->generation;
        add_number(h, g->n_until);
        for (size_t i = 0; i < g->n_until; i++)
            add_text(h, g->until[i]);
        add_number(h, g->max_tokens);
        add_number(h, g->repeats);
        add_number(h, g->sample);
        if (g->sample) {
            add_real(h, g->temperature);
            add_real(h, g->top_p);
            add_number(h, (uint64_t)g->top_k);
            add_number(h, r->seed);
        }
    }
    base_sha256_end(h, hex);
    for (size_t i = 0; i < EVAL_KEY_BYTES; i++)
        key[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return 0;
}

/* ---- a response as bytes ---- */

static int put_u32(struct base_buffer *b, uint32_t x)
{
    uint8_t bytes[4] = { (uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24) };
    return base_buffer_append(b, bytes, sizeof bytes);
}

static int put_u64(struct base_buffer *b, uint64_t x)
{
    int rc = put_u32(b, (uint32_t)x);
    return rc ? rc : put_u32(b, (uint32_t)(x >> 32));
}

static int put_f64(struct base_buffer *b, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return put_u64(b, bits);
}

int eval_answer_pack(struct base_buffer *b, const struct eval_response *r)
{
    uint32_t flags =
        (uint32_t)r->greedy | (uint32_t)r->boundary_retokenized << 1 | (uint32_t)r->skipped << 2;
    int rc;
    if ((rc = put_f64(b, r->logprob)) || (rc = put_f64(b, r->first_logprob)) ||
        (rc = put_u64(b, r->tokens)) || (rc = put_u64(b, r->cut)) || (rc = put_u32(b, flags)) ||
        (rc = put_u32(b, (uint32_t)r->n_ids)) || (rc = put_u32(b, (uint32_t)r->n_texts)))
        return rc;
    for (size_t i = 0; rc == 0 && i < r->n_ids; i++)
        rc = put_u32(b, (uint32_t)r->ids[i]);
    for (size_t i = 0; rc == 0 && i < r->n_texts; i++) {
        size_t n = strlen(r->texts[i]);
        if (n > UINT32_MAX)
            return base_error_set(BASE_E_LIMIT, "a text beyond 4 GiB cannot be kept");
        if ((rc = put_u32(b, (uint32_t)n)) == 0)
            rc = base_buffer_append(b, r->texts[i], n);
    }
    return rc;
}

int eval_answer_unpack(const void *data, size_t bytes, struct eval_response *r, size_t *used)
{
    struct base_reader in = base_reader_make(data, bytes);
    *r = (struct eval_response){ .logprob = base_reader_f64(&in) };
    r->first_logprob = base_reader_f64(&in);
    r->tokens = base_reader_u64(&in);
    r->cut = base_reader_u64(&in);
    uint32_t flags = base_reader_u32(&in), n_ids = base_reader_u32(&in),
             n_texts = base_reader_u32(&in);
    if (!base_reader_ok(&in) || flags > 7 || n_ids > 8 || n_texts > base_reader_left(&in) / 4)
        return base_error_set(BASE_E_FORMAT, "these %zu bytes are no kept answer", bytes);
    r->greedy = flags & 1;
    r->boundary_retokenized = flags & 2;
    r->skipped = flags & 4;
    r->n_ids = n_ids;
    for (size_t i = 0; i < n_ids; i++)
        r->ids[i] = (int32_t)base_reader_u32(&in);
    if (n_texts) {
        r->texts = base_alloc_zero(n_texts, sizeof *r->texts);
        if (!r->texts)
            return BASE_E_MEMORY;
        r->n_texts = n_texts;
    }
    for (size_t i = 0; i < n_texts; i++) {
        uint32_t n = base_reader_u32(&in);
        const uint8_t *text = base_reader_take(&in, n);
        if (!text)
            break;
        r->texts[i] = base_strndup((const char *)text, n);
        if (!r->texts[i])
            return BASE_E_MEMORY;
    }
    if (!base_reader_ok(&in))
        return base_error_set(BASE_E_FORMAT, "these %zu bytes are no kept answer", bytes);
    if (used)
        *used = in.position;
    return 0;
}

/* ---- files ---- */

struct eval_answers {
    struct base_map *maps;
    size_t n_maps;
    struct base_table *index; /* key -> payload's place: map in the upper bits, offset below */
    int fd;                   /* to append to, or -1 */
    char *path;
    struct base_buffer pending;
    double written, synced; /* when */
};
#define PLACE_BITS 40

/* The records of a map into the index. */
static int index_map(struct eval_answers *a, size_t number)
{
    const struct base_map *m = &a->maps[number];
    for (size_t at = 0; m->bytes - at >= HEAD + TAIL;) {
        struct base_reader r = base_reader_make(m->data + at, m->bytes - at);
        const uint8_t *start = base_reader_take(&r, sizeof magic);
        uint32_t n = base_reader_u32(&r);
        const uint8_t *key = base_reader_take(&r, EVAL_KEY_BYTES);
        if (memcmp(start, magic, sizeof magic) == 0 && base_reader_skip(&r, n)) {
            uint64_t sum = base_reader_u64(&r);
            if (base_reader_ok(&r) && sum == base_hash64(start + 8, HEAD - 8 + n, 0)) {
                int rc = base_table_put(a->index, (const char *)key, EVAL_KEY_BYTES,
                                        (int64_t)((uint64_t)number << PLACE_BITS | (at + HEAD)));
                if (rc)
                    return rc;
                at += HEAD + n + TAIL;
                continue;
            }
        }
        /* no record: the next place that may begin one */
        const uint8_t *next = memmem(m->data + at + 1, m->bytes - at - 1, magic, sizeof magic);
        if (!next)
            break;
        at = (size_t)(next - m->data);
    }
    return 0;
}

int eval_answers_open(struct eval_answers **out, const char *const *files, size_t n,
                      const char *append)
{
    *out = NULL;
    struct eval_answers *a = base_alloc_zero(1, sizeof *a);
    if (!a)
        return BASE_E_MEMORY;
    a->fd = -1;
    a->maps = base_alloc_zero(n, sizeof *a->maps);
    int rc = a->maps ? base_table_new(&a->index, 1024) : BASE_E_MEMORY;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (!base_file_exists(files[i]))
            continue;
        rc = base_map_open(&a->maps[a->n_maps], files[i]);
        if (rc)
            break;
        a->n_maps++;
        if (a->maps[a->n_maps - 1].bytes >> PLACE_BITS)
            rc = base_error_set(BASE_E_LIMIT, "%s: beyond 1 TiB", files[i]);
        if (rc == 0)
            rc = index_map(a, a->n_maps - 1);
    }
    if (rc == 0 && append) {
        a->path = base_strdup(append);
        if (!a->path)
            rc = BASE_E_MEMORY;
        else if ((a->fd = open(append, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0)
            rc = base_error_set(BASE_E_IO, "%s: %s", append, strerror(errno));
    }
    a->written = a->synced = base_clock();
    if (rc)
        eval_answers_close(a);
    else
        *out = a;
    return rc;
}

size_t eval_answers_count(const struct eval_answers *a)
{
    return base_table_count(a->index);
}

int eval_answers_find(const struct eval_answers *a, const uint8_t key[EVAL_KEY_BYTES],
                      struct eval_response *response)
{
    const int64_t *place = base_table_get(a->index, (const char *)key, EVAL_KEY_BYTES);
    if (!place)
        return 0;
    const struct base_map *m = &a->maps[(uint64_t)*place >> PLACE_BITS];
    size_t at = (size_t)((uint64_t)*place & (((uint64_t)1 << PLACE_BITS) - 1));
    struct base_reader r = base_reader_make(m->data, m->bytes);
    base_reader_seek(&r, at - EVAL_KEY_BYTES - 4);
    uint32_t n = base_reader_u32(&r);
    int rc = eval_answer_unpack(m->data + at, n, response, NULL);
    return rc ? base_error_prefix(rc, "%s", m->path) : 1;
}

static int write_out(struct eval_answers *a)
{
    const char *data = a->pending.data;
    size_t n = a->pending.length;
    if (a->fd < 0 || n == 0)
        return 0;
    int rc = 0;
    while (flock(a->fd, LOCK_EX) && errno == EINTR)
        continue;
    while (n > 0) {
        ssize_t k = write(a->fd, data, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            rc = base_error_set(BASE_E_IO, "%s: cannot append: %s", a->path, strerror(errno));
            break;
        }
        data += k;
        n -= (size_t)k;
    }
    flock(a->fd, LOCK_UN);
    base_buffer_clear(&a->pending);
    a->written = base_clock();
    return rc;
}

static int sync_out(struct eval_answers *a)
{
    a->synced = base_clock();
    /* a pipe or a device cannot be synced, and need not be */
    if (a->fd >= 0 && fdatasync(a->fd) && errno != EINVAL && errno != EROFS)
        return base_error_set(BASE_E_IO, "%s: cannot sync: %s", a->path, strerror(errno));
    return 0;
}

int eval_answers_put(struct eval_answers *a, const uint8_t key[EVAL_KEY_BYTES],
                     const struct eval_response *response)
{
    struct base_buffer payload = { 0 };
    if (a->fd < 0)
        return 0;
    size_t start = a->pending.length;
    int rc = eval_answer_pack(&payload, response);
    if (rc == 0 && payload.length > UINT32_MAX)
        rc = base_error_set(BASE_E_LIMIT, "an answer beyond 4 GiB cannot be kept");
    if (rc == 0 && (rc = base_buffer_append(&a->pending, magic, sizeof magic)) == 0 &&
        (rc = put_u32(&a->pending, (uint32_t)payload.length)) == 0 &&
        (rc = base_buffer_append(&a->pending, key, EVAL_KEY_BYTES)) == 0 &&
        (rc = base_buffer_append(&a->pending, payload.data, payload.length)) == 0)
        rc = put_u64(&a->pending,
                     base_hash64(a->pending.data + start + 8, HEAD - 8 + payload.length, 0));
    base_buffer_free(&payload);
    if (rc) {
        a->pending.length = start; /* no half record among whole ones */
        return rc;
    }
    double now = base_clock();
    if (a->pending.length >= GATHER || now - a->written > WRITE_SECONDS)
        rc = write_out(a);
    if (rc == 0 && now - a->synced > SYNC_SECONDS)
        rc = sync_out(a);
    return rc;
}

int eval_answers_flush(struct eval_answers *a)
{
    int rc = write_out(a);
    return rc ? rc : sync_out(a);
}

void eval_answers_close(struct eval_answers *a)
{
    if (!a)
        return;
    (void)write_out(a);
    if (a->fd >= 0)
        close(a->fd);
    for (size_t i = 0; i < a->n_maps; i++)
        base_map_close(&a->maps[i]);
    base_free(a->maps);
    base_table_free(a->index);
    base_buffer_free(&a->pending);
    base_free(a->path);
    base_free(a);
}
