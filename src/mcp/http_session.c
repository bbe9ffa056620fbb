/* Sessions of the revisions with initialize, their streams, and the events that are kept for
 * clients that come back.
 *
 * A stream's events are numbered from 1 and named STREAM-EVENT, unique in the session; STREAM-0 is
 * the empty event that opens a stream. What is kept is bounded, per session and in all: the oldest
 * goes first, and whoever asks for more than is left is told so instead of losing messages in
 * silence. A session without requests or streams for `idle` seconds ends; where there is no room
 * for a new one, the one that has been idle for longest goes, if it was for a minute. */
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "mcp/http.h"
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SPARED 60.0 /* seconds idle before a session gives way to another */

static struct http_session **bucket_of(struct http *h, const char *id)
{
    return &h->sessions[base_hash64(id, strlen(id), 0) % HTTP_BUCKETS];
}

static void session_free(struct http_session *s)
{
    mcp_session_free(s->mcp);
    while (s->first) {
        struct http_event *next = s->first->next;
        base_free(s->first);
        s->first = next;
    }
    while (s->records) {
        struct http_record *next = s->records->next;
        base_free(s->records);
        s->records = next;
    }
    base_free(s);
}

void http_session_leave(struct http_session *s)
{
    struct http *h = s->h;
    s->used = base_clock();
    if (--s->users)
        return;
    h->kept_bytes -= s->kept_bytes;
    pthread_mutex_unlock(&h->lock);
    session_free(s);
    pthread_mutex_lock(&h->lock);
}

void http_session_end(struct http_session *s)
{
    if (s->dead)
        return;
    s->dead = true;
    struct http_session **at = bucket_of(s->h, s->id);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->h->n_sessions--;
    for (struct http_record *r = s->records; r; r = r->next)
        http_record_release(r);
    http_session_leave(s);
}

struct http_session *http_session_find(struct http *h, const char *id)
{
    struct http_session *s = *bucket_of(h, id);
    while (s && !(strlen(id) == sizeof s->id - 1 &&
                  http_equal_constant_time(s->id, id, sizeof s->id - 1)))
        s = s->next;
    if (s)
        s->users++;
    return s;
}

/* The session that nobody uses and nobody has used for longest. */
static struct http_session *idlest(struct http *h)
{
    struct http_session *best = NULL;
    for (size_t i = 0; i < HTTP_BUCKETS; i++)
        for (struct http_session *s = h->sessions[i]; s; s = s->next)
            if (s->users == 1 && (!best || s->used < best->used))
                best = s;
    return best;
}

void http_sessions_expire(struct http *h, double now)
{
    for (;;) {
        struct http_session *s = idlest(h);
        if (!s || now - s->used < h->idle)
            return;
        http_session_end(s);
    }
}

int http_session_make(struct http *h, struct http_session **out)
{
    struct http_session *s = base_alloc_zero(1, sizeof *s);
    unsigned char secret[16];
    *out = NULL;
    if (!s)
        return BASE_E_MEMORY;
    s->h = h;
    s->last = &s->first;
    s->users = 2;
    s->used = base_clock();
    if (getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret) {
        base_free(s);
        return base_error_set(BASE_E_IO, "the system gives no random bytes");
    }
    for (size_t i = 0; i < sizeof secret; i++)
        snprintf(s->id + 2 * i, 3, "%02x", secret[i]);
    int rc = mcp_session_make(&s->mcp, h->mcp, s->id, h->principal);
    if (rc) {
        base_free(s);
        return rc;
    }
    mcp_session_listen(s->mcp, http_session_hear, s);
    pthread_mutex_lock(&h->lock);
    struct http_session *old = h->n_sessions >= h->n_sessions_most ? idlest(h) : NULL;
    if (old && s->used - old->used >= SPARED)
        http_session_end(old);
    bool room = h->n_sessions < h->n_sessions_most;
    if (room) {
        struct http_session **at = bucket_of(h, s->id);
        s->next = *at;
        *at = s;
        h->n_sessions++;
    }
    pthread_mutex_unlock(&h->lock);
    if (!room) {
        session_free(s);
        return base_error_set(BASE_E_LIMIT, "there are %zu sessions, and none is idle",
                              h->n_sessions_most);
    }
    *out = s;
    return 0;
}

/* ---- streams ---- */

/* Forgets streams on which nothing is kept, read or to come. */
static void prune(struct http_session *s)
{
    struct http_record **at = &s->records;
    while (*at) {
        struct http_record *r = *at;
        if (r->kept || !r->ended || r->reader) {
            at = &r->next;
        } else {
            *at = r->next;
            base_free(r);
        }
    }
}

/* Forgets the session's oldest event. */
static void drop_oldest(struct http_session *s)
{
    struct http_event *e = s->first;
    s->first = e->next;
    if (!s->first)
        s->last = &s->first;
    s->kept_bytes -= e->bytes;
    s->h->kept_bytes -= e->bytes;
    e->record->dropped = e->number;
    bool last = --e->record->kept == 0;
    base_free(e);
    if (last)
        prune(s);
}

/* Makes room for `bytes` more. */
static void drop_for(struct http_session *s, size_t bytes)
{
    while (s->first && s->kept_bytes + bytes > HTTP_KEPT_MOST)
        drop_oldest(s);
    while (s->h->kept_bytes + bytes > HTTP_ALL_KEPT) {
        struct http_session *largest = NULL;
        for (size_t i = 0; i < HTTP_BUCKETS; i++)
            for (struct http_session *o = s->h->sessions[i]; o; o = o->next)
                if (o->first && (!largest || o->kept_bytes > largest->kept_bytes))
                    largest = o;
        if (!largest)
            return;
        drop_oldest(largest);
    }
}

void http_record_release(struct http_record *r)
{
    struct http_exchange *x = r->reader;
    if (!x)
        return;
    r->reader = NULL;
    x->record = NULL;
    x->ended = true;
    http_wake(x);
}

void http_record_end(struct http_session *s, struct http_record *r)
{
    r->ended = true;
    http_record_release(r);
    prune(s);
}

/* x reads r from now on; whoever did so before is let go. */
static void attach(struct http_record *r, struct http_exchange *x)
{
    http_record_release(r);
    r->reader = x;
    x->record = r;
    x->state = HTTP_STREAMING;
    x->spoken = base_clock();
}

/* The empty event that says how to come back; before 2025-11-25 clients did not expect one. */
static int prime(struct http_session *s, struct http_record *r)
{
    const char *version = mcp_session_version(s->mcp);
    if (!version || strcmp(version, MCP_VERSION_LEGACY) < 0)
        return http_say(r->reader, ":\n\n", 3);
    char text[80];
    int n = snprintf(text, sizeof text, "id: %llu-0\nretry: %d\ndata: \n\n",
                     (unsigned long long)r->id, HTTP_RETRY_MS);
    return http_say(r->reader, text, (size_t)n);
}

int http_record_open(struct http_session *s, struct http_exchange *x, bool standalone)
{
    struct http_record *r = base_alloc_zero(1, sizeof *r);
    if (!r)
        return BASE_E_MEMORY;
    r->id = ++s->streams;
    r->standalone = standalone;
    /* an old GET's stream that nobody reads has its successor now */
    for (struct http_record *o = s->records; o && standalone; o = o->next)
        if (o->standalone && !o->reader)
            o->ended = true;
    prune(s);
    r->next = s->records; /* the newest is the first */
    s->records = r;
    if (x) {
        attach(r, x);
        return prime(s, r);
    }
    return 0;
}

int http_record_resume(struct http_session *s, uint64_t stream, uint64_t event,
                       struct http_exchange *x)
{
    struct http_record *r = s->records;
    while (r && r->id != stream)
        r = r->next;
    if (!r || event > r->said || event < r->dropped)
        return base_error_set(BASE_E_ARGUMENT, "the events after this Last-Event-ID are kept no "
                                               "more: open a new stream");
    attach(r, x);
    int rc = 0;
    for (const struct http_event *e = s->first; e && !rc; e = e->next)
        if (e->record == r && e->number > event)
            rc = http_say(x, e->text, e->bytes);
    if (!rc && !x->text.length)
        rc = http_say(x, ":\n\n", 3);
    x->ended = r->ended;
    return rc;
}

int http_record_say(struct http_session *s, struct http_record *r, const char *json, bool last)
{
    size_t n = strlen(json);
    struct http_event *e = base_alloc(1, sizeof *e + n + 80);
    if (!e)
        return BASE_E_MEMORY;
    int head =
        snprintf(e->text, 80, "id: %llu-%llu\nevent: message\ndata: ", (unsigned long long)r->id,
                 (unsigned long long)++r->said);
    memcpy(e->text + head, json, n);
    memcpy(e->text + head + n, "\n\n", 2);
    e->bytes = (size_t)head + n + 2;
    e->number = r->said;
    e->record = r;
    e->next = NULL;
    r->ended = r->ended || last;
    int rc = 0;
    struct http_exchange *x = r->reader;
    if (x && x->text.length - x->sent > HTTP_UNREAD_MOST) { /* does not read: may come back */
        x->gone = true;
        http_record_release(r);
    } else if (x) {
        x->ended = r->ended;
        rc = http_say(x, e->text, e->bytes);
    }
    r->kept++; /* before room is made: r must live */
    drop_for(s, e->bytes);
    *s->last = e;
    s->last = &e->next;
    s->kept_bytes += e->bytes;
    s->h->kept_bytes += e->bytes;
    return rc;
}

void http_session_hear(void *session, const json_t *message)
{
    struct http_session *s = session;
    char *json = base_json_compact(message);
    if (!json)
        return;
    pthread_mutex_lock(&s->h->lock);
    struct http_record *to = NULL;
    for (struct http_record *r = s->records; r; r = r->next)
        if (r->standalone && (!to || (r->reader && !to->reader)))
            to = r;
    if (to && !s->dead)
        http_record_say(s, to, json, false);
    pthread_mutex_unlock(&s->h->lock);
    base_free(json);
}
