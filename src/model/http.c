/* The HTTP client; see http.h. One curl handle, so that connections are reused from file to file.
 *
 * A transfer is a loop of attempts. An attempt that brought bytes resets the count of failures: a
 * slow, breaking line finishes in the end, a dead one fails after `retries` waits. */
#define CURL_DISABLE_TYPECHECK /* its macros cannot wrap a function pointer */
#include "model/http.h"
#include "base/library.h"
#include "base/memory.h"
#include "base/progress.h"
#include <assay/base.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* The functions of libcurl that are used: the library is loaded with the first request. */
#define CURL_FUNCTIONS(X)                                                                          \
    X(global_init)                                                                                 \
    X(easy_init)                                                                                   \
    X(easy_setopt)                                                                                 \
    X(easy_perform)                                                                                \
    X(easy_getinfo)                                                                                \
    X(easy_strerror)                                                                               \
    X(easy_cleanup)                                                                                \
    X(slist_append)                                                                                \
    X(slist_free_all)
static struct {
#define X(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(X)
#undef X
} curl;

static void curl_start(void)
{
    curl.global_init(CURL_GLOBAL_DEFAULT);
}

static int curl_load(void)
{
    static const char *const names[] = {
#define X(name) "curl_" #name,
        CURL_FUNCTIONS(X)
#undef X
    };
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int rc =
        base_library_load("libcurl.so.4", "libcurl4", names, &curl, sizeof names / sizeof names[0]);
    if (!rc)
        pthread_once(&once, curl_start);
    return rc;
}

struct model_http {
    CURL *easy;
    char *token, *token_header;
    int retries;
    double retry_seconds, silence_seconds, seconds;
    bool stay;
    char error[CURL_ERROR_SIZE];
};

/* One attempt's state, shared by the callbacks. */
struct attempt {
    struct model_http *h;
    struct model_http_response *response;
    struct base_buffer *body; /* to memory, or NULL */
    const void *post;         /* what is sent, or NULL: GET */
    size_t post_bytes;
    const char *const *headers; /* NULL-terminated, or NULL */
    int fd;                     /* to a file, or -1 */
    uint64_t from, written;     /* the file's bytes at the start of the attempt and now */
    uint64_t limit;
    model_http_progress *progress;
    void *context;
    int64_t range_from; /* first byte of the Content-Range of the present response, -1 = none */
    double retry_after; /* seconds the server asks to wait, -1 = not said */
    bool begun;         /* the final response's body has begun */
    uint64_t received;  /* body bytes of this attempt */
    int error;          /* base error code with the message set; stops the transfer */
};

int model_http_open(struct model_http **out, const struct model_http_options *options)
{
    *out = NULL;
    int rc = curl_load();
    if (rc)
        return rc;
    struct model_http *h = base_alloc_zero(1, sizeof *h);
    if (!h)
        return BASE_E_MEMORY;
    h->retries = options->retries;
    h->retry_seconds = options->retry_seconds;
    h->silence_seconds = options->silence_seconds > 0 ? options->silence_seconds : 60;
    h->seconds = options->seconds;
    h->stay = options->stay;
    h->easy = curl.easy_init();
    if (options->token && *options->token) {
        /* a token with a line break could add headers */
        if (strpbrk(options->token, "\r\n"))
            rc = base_error_set(BASE_E_ARGUMENT, "the token holds a line break");
        else if (!(h->token = base_strdup(options->token)) ||
                 !(h->token_header = base_strdup(options->token_header ? options->token_header
                                                                       : "Authorization: Bearer ")))
            rc = BASE_E_MEMORY;
    }
    if (!rc && !h->easy)
        rc = base_error_set(BASE_E_MEMORY, "libcurl cannot start a session");
    if (rc) {
        model_http_close(h);
        return rc;
    }
    *out = h;
    return 0;
}

void model_http_close(struct model_http *h)
{
    if (!h)
        return;
    if (h->easy)
        curl.easy_cleanup(h->easy);
    base_free(h->token);
    base_free(h->token_header);
    base_free(h);
}

int model_http_escape(struct base_buffer *b, const char *text, bool keep_slash)
{
    int rc = 0;
    for (const unsigned char *s = (const unsigned char *)text; *s && !rc; s++) {
        bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                     (*s >= '0' && *s <= '9') || strchr("-._~", *s) || (*s == '/' && keep_slash);
        rc = plain ? base_buffer_append(b, s, 1) : base_buffer_printf(b, "%%%02X", *s);
    }
    return rc;
}

/* "Name: value" -> value when the header has this name. */
static const char *header_value(const char *line, const char *name)
{
    size_t n = strlen(name);
    if (strncasecmp(line, name, n) || line[n] != ':')
        return NULL;
    line += n + 1;
    return line + strspn(line, " \t");
}

/* Copies up to the end of the value, without quotes and the mark of weak tags. */
static void value_copy(char *to, size_t room, const char *value)
{
    if (!strncmp(value, "W/", 2))
        value += 2;
    size_t n = 0;
    for (; *value && n + 1 < room; value++)
        if (*value != '"' && *value != '\r' && *value != '\n')
            to[n++] = *value;
    to[n] = 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct attempt *a = context;
    struct model_http_response *r = a->response;
    char line[1024];
    size_t n = size * count;
    snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), data);
    const char *v;
    if (!strncmp(line, "HTTP/", 5)) { /* a new response of the redirect chain */
        a->range_from = -1;
        a->retry_after = -1;
        r->type[0] = 0;
    } else if ((v = header_value(line, "Content-Type")))
        value_copy(r->type, sizeof r->type, v);
    else if ((v = header_value(line, "X-Linked-Etag")))
        value_copy(r->etag, sizeof r->etag, v);
    else if ((v = header_value(line, "ETag")) && !*r->etag)
        value_copy(r->etag, sizeof r->etag, v);
    else if ((v = header_value(line, "X-Error-Code")))
        value_copy(r->error_code, sizeof r->error_code, v);
    else if ((v = header_value(line, "X-Linked-Size")))
        r->size = strtoll(v, NULL, 10);
    else if ((v = header_value(line, "Retry-After")))
        a->retry_after = strtod(v, NULL);
    else if ((v = header_value(line, "Content-Range"))) {
        long long first, last, whole;
        if (sscanf(v, "bytes %lld-%lld/%lld", &first, &last, &whole) == 3) {
            a->range_from = first;
            if (r->size < 0)
                r->size = whole;
        } else if (sscanf(v, "bytes %lld-%lld", &first, &last) == 2)
            a->range_from = first;
    }
    return n;
}

static int write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, data, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return base_error_set(BASE_E_IO,
                                  errno == ENOSPC || errno == EDQUOT ? "the disk is full"
                                                                     : "cannot write the file: %s",
                                  strerror(errno));
        data += k;
        n -= (size_t)k;
    }
    return 0;
}

/* The first bytes of a file's body: does the answer go on where the file ends, or begin anew? */
static int body_begin(struct attempt *a)
{
    a->begun = true;
    if (a->response->status == 206 && a->range_from != (int64_t)a->from)
        return base_error_set(BASE_E_FORMAT,
                              "asked for the bytes from %llu, the server sends those from %lld",
                              (unsigned long long)a->from, (long long)a->range_from);
    if (a->response->status != 206) {
        if (ftruncate(a->fd, 0) || lseek(a->fd, 0, SEEK_SET) < 0)
            return base_error_set(BASE_E_IO, "cannot empty the file: %s", strerror(errno));
        a->written = 0;
    }
    return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct attempt *a = context;
    size_t n = size * count;
    curl.easy_getinfo(a->h->easy, CURLINFO_RESPONSE_CODE, &a->response->status);
    a->received += n;
    bool good = a->response->status >= 200 && a->response->status < 300;
    if (a->fd >= 0 && !good)
        return a->received > 65536 ? 0 : n; /* an error page: of no use */
    if (a->fd >= 0) {
        if (!a->begun)
            a->error = body_begin(a);
        if (!a->error && n > a->limit - a->written)
            a->error = base_error_set(BASE_E_FORMAT,
                                      "the server sends more than the %llu bytes it announced",
                                      (unsigned long long)a->limit);
        if (!a->error)
            a->error = write_all(a->fd, data, n);
        if (a->error)
            return 0;
        a->written += n;
        if (a->progress)
            a->progress(a->context, a->written);
        return n;
    }
    if (n > a->limit - a->body->length)
        a->error = base_error_set(BASE_E_LIMIT, "the answer is longer than %llu bytes",
                                  (unsigned long long)a->limit);
    else
        a->error = base_buffer_append(a->body, data, n);
    return a->error ? 0 : n;
}

static int on_tick(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
                   curl_off_t up)
{
    (void)total, (void)now, (void)up_total, (void)up, (void)context;
    return base_interrupted();
}

static bool is_loopback(const char *url)
{
    static const char *const hosts[] = { "http://localhost", "http://127.0.0.1", "http://[::1]" };
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(hosts[i]);
        if (!strncasecmp(url, hosts[i], n) && (!url[n] || strchr(":/", url[n])))
            return true;
    }
    return false;
}

/* One request. Returns curl's code; the headers' list is freed by the caller after it. */
static CURLcode attempt_perform(struct attempt *a, const char *url, struct curl_slist *headers)
{
    struct model_http *h = a->h;
    bool secure = !strncasecmp(url, "https:", 6);
    const char *protocols = secure ? "https" : "http,https";
    const char *ca = getenv("CURL_CA_BUNDLE") ? getenv("CURL_CA_BUNDLE") : getenv("SSL_CERT_FILE");
    char range[32];
    CURL *e = h->easy;
    *h->error = 0;
    curl.easy_setopt(e, CURLOPT_URL, url);
    curl.easy_setopt(e, CURLOPT_ERRORBUFFER, h->error);
    curl.easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(e, CURLOPT_FOLLOWLOCATION, a->post || h->stay ? 0L : 1L);
    if (a->post) {
        curl.easy_setopt(e, CURLOPT_POST, 1L);
        curl.easy_setopt(e, CURLOPT_POSTFIELDS, a->post);
        curl.easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)a->post_bytes);
    } else {
        curl.easy_setopt(e, CURLOPT_HTTPGET, 1L);
    }
    curl.easy_setopt(e, CURLOPT_MAXREDIRS, 10L);
    curl.easy_setopt(e, CURLOPT_PROTOCOLS_STR, protocols);
    curl.easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
    curl.easy_setopt(e, CURLOPT_CONNECTTIMEOUT, 30L);
    curl.easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L); /* silent for so long = broken */
    curl.easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)ceil(h->silence_seconds));
    curl.easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)ceil(1000 * h->seconds));
    curl.easy_setopt(e, CURLOPT_USERAGENT, "assay/" ASSAY_VERSION);
    curl.easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    curl.easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl.easy_setopt(e, CURLOPT_HEADERDATA, a);
    curl.easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl.easy_setopt(e, CURLOPT_WRITEDATA, a);
    curl.easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
    curl.easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_tick);
    if (ca && *ca)
        curl.easy_setopt(e, CURLOPT_CAINFO, ca);
    snprintf(range, sizeof range, "%llu-", (unsigned long long)a->from);
    curl.easy_setopt(e, CURLOPT_RANGE, a->fd >= 0 && a->from > 0 ? range : NULL);
    CURLcode code = curl.easy_perform(e);
    curl.easy_getinfo(e, CURLINFO_RESPONSE_CODE, &a->response->status);
    if (a->response->size < 0 && a->response->status == 200) {
        curl_off_t length = -1;
        curl.easy_getinfo(e, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        a->response->size = length;
    }
    return code;
}

/* Sleeps in small steps, so that Ctrl-C is heard. */
static int wait_seconds(double seconds)
{
    double end = base_clock() + seconds;
    for (double left; (left = end - base_clock()) > 0;) {
        if (base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
        struct timespec t = { 0, (long)(1e9 * fmin(left, 0.1)) };
        nanosleep(&t, NULL);
    }
    return 0;
}

static bool status_passes(long status)
{
    return status == 408 || status == 429 || (status >= 500 && status != 501);
}

static bool code_passes(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return false;
    }
}

static int header_add(struct curl_slist **headers, const char *line)
{
    struct curl_slist *more = line ? curl.slist_append(*headers, line) : NULL;
    if (!more)
        return base_error_set(BASE_E_MEMORY, "out of memory: request headers");
    *headers = more;
    return 0;
}

static int headers_make(const struct attempt *a, const char *url, struct curl_slist **headers)
{
    const struct model_http *h = a->h;
    int rc = 0;
    *headers = NULL;
    for (size_t i = 0; !rc && a->headers && a->headers[i]; i++)
        rc = header_add(headers, a->headers[i]);
    if (rc || !h->token || (strncasecmp(url, "https:", 6) && !is_loopback(url)))
        return rc;
    char *line = base_format("%s%s", h->token_header, h->token);
    rc = header_add(headers, line);
    base_free(line);
    return rc;
}

/* The host of a URL for messages: signed addresses of a redirect must not be shown, so only the
 * first. */
static int transfer_failed(const struct attempt *a, CURLcode code, const char *url)
{
    if (a->error)
        return base_error_prefix(a->error, "%s", url);
    if (base_interrupted())
        return base_error_set(BASE_E_INTERRUPTED, "%s: interrupted", url);
    return base_error_set(BASE_E_IO, "%s: %s", url,
                          *a->h->error ? a->h->error : curl.easy_strerror(code));
}

static int transfer(struct attempt *a, const char *url)
{
    struct curl_slist *headers;
    int rc = headers_make(a, url, &headers);
    uint64_t furthest =
        0; /* a server without ranges starts anew each time: that alone is no progress */
    for (int failures = 0; !rc;) {
        *a->response = (struct model_http_response){ .size = -1 };
        a->begun = false;
        a->received = 0;
        a->retry_after = -1;
        if (a->fd >= 0) {
            off_t end = lseek(a->fd, 0, SEEK_END);
            a->from = a->written = end > 0 ? (uint64_t)end : 0;
            furthest = a->from > furthest ? a->from : furthest;
        } else
            base_buffer_clear(a->body);
        CURLcode code = attempt_perform(a, url, headers);
        bool again = code ? code_passes(code) && !a->error && !base_interrupted()
                          : status_passes(a->response->status);
        if (!again) {
            if (code)
                rc = transfer_failed(a, code, url);
            break;
        }
        failures = a->begun && a->written > furthest ? 1 : failures + 1;
        if (a->written > furthest)
            furthest = a->written;
        if (failures > a->h->retries) {
            if (code)
                rc = transfer_failed(a, code, url);
            break;
        }
        double wait =
            a->retry_after >= 0 ? a->retry_after : a->h->retry_seconds * exp2(failures - 1);
        base_log("%s: %s: trying again in %.3g s", url,
                 code ? curl.easy_strerror(code) : "the server is busy", fmin(wait, 60));
        rc = wait_seconds(fmin(wait, 60));
    }
    curl.slist_free_all(headers);
    return rc;
}

int model_http_get(struct model_http *h, const char *url, size_t max_bytes,
                   struct base_buffer *body, struct model_http_response *response)
{
    struct attempt a = { .h = h, .response = response, .body = body, .fd = -1, .limit = max_bytes };
    return transfer(&a, url);
}

int model_http_post(struct model_http *h, const char *url, const char *const *headers,
                    const void *data, size_t bytes, size_t max_bytes, struct base_buffer *body,
                    struct model_http_response *response)
{
    struct attempt a = { .h = h,
                         .response = response,
                         .body = body,
                         .post = data,
                         .post_bytes = bytes,
                         .headers = headers,
                         .fd = -1,
                         .limit = max_bytes };
    return transfer(&a, url);
}

int model_http_download(struct model_http *h, const char *url, int fd, uint64_t max_bytes,
                        model_http_progress *progress, void *context,
                        struct model_http_response *response)
{
    struct attempt a = { .h = h,
                         .response = response,
                         .fd = fd,
                         .limit = max_bytes,
                         .progress = progress,
                         .context = context };
    return transfer(&a, url);
}
