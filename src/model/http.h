/* A small HTTP client on libcurl: a body into memory, or a file that continues where it stopped.
 *
 * The token is sent to the origin (scheme, host, port) of the first URL only; a redirect to another
 * origin goes without it. It is never sent over plain HTTP except to this machine, and appears in
 * no message. Redirects from https never lead to http. */
#ifndef MODEL_HTTP_H
#define MODEL_HTTP_H
#include "base/buffer.h"
#include <stdbool.h>
#include <stdint.h>

struct model_http_options {
    const char *token;        /* NULL or "" = none; borrowed */
    int retries;              /* tries after the first one that failed without bringing a byte */
    double retry_seconds;     /* wait before the first retry; doubled each time, at most 60 s */
    const char *token_header; /* what the token stands in; NULL = "Authorization: Bearer " */
    double silence_seconds;   /* no byte for so long is a broken connection; 0 = 60 */
    double seconds;           /* for the whole of one answer; 0 = as long as bytes come */
    bool stay;                /* a redirect is a result like any other, not followed */
};
struct model_http;
int model_http_open(struct model_http **out, const struct model_http_options *options);
void model_http_close(struct model_http *h);

/* What the last response said. */
struct model_http_response {
    long status;   /* of the last response of the redirect chain */
    char etag[80]; /* X-Linked-Etag of any response in the chain, else the first one's ETag; no
                      quotes, no W/ */
    char error_code[64]; /* X-Error-Code ("GatedRepo"), "" = none */
    char type[80];       /* Content-Type of the last response, "" = none */
    int64_t size; /* X-Linked-Size, else the whole file's size by Content-Length or Content-Range;
                     -1 = unknown */
};
/* GET into body. A status of 400 and above is a result, not an error (body then holds what the
 * server wrote); no connection after all retries is BASE_E_IO. Status 429 and 5xx are retried as
 * well. */
int model_http_get(struct model_http *h, const char *url, size_t max_bytes,
                   struct base_buffer *body, struct model_http_response *response);

/* POST of data with headers ("Name: value", NULL-terminated) into body; everything else as
 * model_http_get, but a redirect is not followed: it is a result like any other. */
int model_http_post(struct model_http *h, const char *url, const char *const *headers,
                    const void *data, size_t bytes, size_t max_bytes, struct base_buffer *body,
                    struct model_http_response *response);

typedef void model_http_progress(void *context, uint64_t bytes_in_file);
/* GET into the file fd, whose present bytes are taken as the beginning of the same body (Range); a
 * server that answers with the whole body makes it start anew. After a broken connection it goes on
 * where it was. More than max_bytes in all is BASE_E_FORMAT (a server that does not stop). */
int model_http_download(struct model_http *h, const char *url, int fd, uint64_t max_bytes,
                        model_http_progress *progress, void *context,
                        struct model_http_response *response);

/* Appends text with everything but letters, digits and -._~ as %XX; '/' is kept when keep_slash. */
int model_http_escape(struct base_buffer *b, const char *text, bool keep_slash);
#endif
