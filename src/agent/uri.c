/* URI references; see uri.h. */
#include "agent/uri.h"
#include "base/buffer.h"
#include "base/memory.h"
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* A part of a reference: NULL start = absent. */
struct part {
    const char *start;
    size_t n;
};
struct parts {
    struct part scheme, authority, path, query;
};

/* RFC 3986, appendix B. */
static struct parts split(const char *s)
{
    struct parts p = { 0 };
    size_t n = strcspn(s, ":/?#");
    if (s[n] == ':' && n && isalpha((unsigned char)s[0])) {
        p.scheme = (struct part){ s, n };
        s += n + 1;
    }
    if (s[0] == '/' && s[1] == '/') {
        n = strcspn(s + 2, "/?#");
        p.authority = (struct part){ s + 2, n };
        s += 2 + n;
    }
    n = strcspn(s, "?#");
    p.path = (struct part){ s, n };
    s += n;
    if (*s == '?')
        p.query = (struct part){ s + 1, strcspn(s + 1, "#") };
    return p;
}

/* Section 5.2.4, in place on b->data[from..]. */
static void remove_dots(struct base_buffer *b, size_t from)
{
    char *path = b->data + from, *out = path;
    const char *in = path;
    while (*in) {
        size_t n = 1 + strcspn(in + (*in == '/'), "/") - (*in != '/'); /* with its leading slash */
        const char *name = in + (*in == '/');
        size_t length = n - (*in == '/');
        bool last = in[n] == 0, slash = *in == '/';
        if (length == 1 && name[0] == '.') {
            if (last && slash)
                *out++ = '/';
        } else if (length == 2 && name[0] == '.' && name[1] == '.') {
            while (out > path && *--out != '/') {
            }
            if (last && slash)
                *out++ = '/';
        } else {
            memmove(out, in, n);
            out += n;
        }
        in += n;
    }
    *out = 0;
    b->length = (size_t)(out - b->data);
}

char *agent_uri_resolve(const char *base, const char *reference)
{
    struct parts b = split(base ? base : ""), r = split(reference), t = r;
    bool merge = false, dots = true;
    if (!r.scheme.start) {
        t.scheme = b.scheme;
        if (!r.authority.start) {
            t.authority = b.authority;
            if (!r.path.n) {
                t.path = b.path;
                dots = false;
                if (!r.query.start)
                    t.query = b.query;
            } else if (r.path.start[0] != '/') {
                merge = true;
            }
        }
    }
    struct base_buffer out = { 0 };
    int rc = base_buffer_puts(&out, "");
    if (!rc && t.scheme.start)
        rc = base_buffer_printf(&out, "%.*s:", (int)t.scheme.n, t.scheme.start);
    if (!rc && t.authority.start)
        rc = base_buffer_printf(&out, "//%.*s", (int)t.authority.n, t.authority.start);
    size_t from = out.length;
    if (!rc && merge) {
        size_t keep = b.path.n;
        while (keep && b.path.start[keep - 1] != '/')
            keep--;
        if (b.authority.start && !b.path.n)
            rc = base_buffer_puts(&out, "/");
        else
            rc = base_buffer_append(&out, b.path.start, keep);
    }
    if (!rc)
        rc = base_buffer_append(&out, t.path.start, t.path.n);
    if (!rc && dots && (t.path.n || merge))
        remove_dots(&out, from);
    if (!rc && t.query.start)
        rc = base_buffer_printf(&out, "?%.*s", (int)t.query.n, t.query.start);
    if (rc) {
        base_buffer_free(&out);
        return NULL;
    }
    return base_buffer_take(&out);
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

char *agent_uri_fragment(const char *reference)
{
    const char *hash = strchr(reference, '#');
    char *out = base_strdup(hash ? hash + 1 : "");
    if (!out)
        return NULL;
    char *to = out;
    for (const char *p = out; *p; p++) {
        if (*p == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
            *to++ = (char)(hex(p[1]) * 16 + hex(p[2]));
            p += 2;
        } else {
            *to++ = *p;
        }
    }
    *to = 0;
    return out;
}
