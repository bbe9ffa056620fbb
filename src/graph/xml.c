/* A streaming reader of plain XML; xml.h says how much of it. Own and small because the files come
 * from anywhere: igraph reads GraphML through libxml2 with document types, entities and a
 * process-wide error state, from a plain FILE only, and says neither file nor line of what is
 * wrong. */
#include "graph/xml.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BLOCK 65536

int graph_xml_fail(const struct graph_xml *x, int code, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return base_error_set(code, "%s:%llu: %s", data_stream_name(x->stream),
                          (unsigned long long)x->line, text);
}

/* The next byte, -1 at the end, below -1 an error. */
static int take(struct graph_xml *x)
{
    if (x->at == x->end) {
        int rc = data_stream_read(x->stream, x->block, BLOCK, &x->end);
        x->at = 0;
        if (rc)
            return rc - 1;
        if (x->end == 0)
            return -1;
    }
    int c = x->block[x->at++];
    x->line += c == '\n';
    return c;
}

static void give_back(struct graph_xml *x)
{
    x->line -= x->block[--x->at] == '\n';
}

static int broken(const struct graph_xml *x, int c, const char *where)
{
    if (c < -1)
        return c + 1;
    return graph_xml_fail(x, BASE_E_FORMAT, "the file ends in the middle of %s", where);
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(int c)
{
    return c == '_' || c == ':' || c == '-' || c == '.' || c >= 128 || (c >= '0' && c <= '9') ||
           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int push(struct graph_xml *x, struct base_buffer *b, int c)
{
    char byte = (char)c;
    if (c == 0)
        return graph_xml_fail(x, BASE_E_FORMAT, "a NUL byte is not XML");
    if (b->length >= GRAPH_XML_MOST)
        return graph_xml_fail(x, BASE_E_LIMIT, "a piece of markup or text is larger than 1 MiB");
    return base_buffer_append(b, &byte, 1);
}

/* After '&': the character or entity, appended. */
static int reference(struct graph_xml *x, struct base_buffer *to)
{
    static const struct {
        const char *name;
        char c;
    } known[] = { { "lt", '<' }, { "gt", '>' }, { "amp", '&' }, { "quot", '"' }, { "apos", '\'' } };
    char name[16];
    size_t n = 0;
    int c;
    while ((c = take(x)) >= 0 && c != ';' && n < sizeof name - 1 && c > ' ')
        name[n++] = (char)c;
    name[n] = 0;
    if (c < 0)
        return broken(x, c, "a reference");
    for (size_t i = 0; c == ';' && i < 5; i++)
        if (strcmp(name, known[i].name) == 0)
            return push(x, to, known[i].c);
    uint32_t code = 0;
    if (c == ';' && name[0] == '#' && n > 1) {
        bool hex = name[1] == 'x';
        size_t i = hex ? 2 : 1;
        for (; i < n && code < 0x200000; i++) {
            int digit = name[i] >= '0' && name[i] <= '9'          ? name[i] - '0'
                        : hex && name[i] >= 'a' && name[i] <= 'f' ? name[i] - 'a' + 10
                        : hex && name[i] >= 'A' && name[i] <= 'F' ? name[i] - 'A' + 10
                                                                  : -1;
            if (digit < 0)
                break;
            code = code * (hex ? 16 : 10) + (uint32_t)digit;
        }
        bool allowed = code == '\t' || code == '\n' || code == '\r' ||
                       (code >= 32 && code < 0xd800) || (code > 0xdfff && code < 0x110000);
        char bytes[4];
        if (i == n && n > (hex ? 2u : 1u) && allowed)
            return base_buffer_append(to, bytes, base_utf8_encode(code, bytes));
    }
    return graph_xml_fail(x, BASE_E_FORMAT, "\"&%s%s\" is not a reference that is known here", name,
                          c == ';' ? ";" : "");
}

/* Passes over everything up to `end` ("-->", "?>"); with `keep` the bytes before it stay there. */
static int pass(struct graph_xml *x, const char *end, struct base_buffer *keep, const char *what)
{
    size_t n = strlen(end), seen = 0;
    char last[4] = { 0 };
    int c;
    while ((c = take(x)) >= 0) {
        int rc = keep ? push(x, keep, c) : 0;
        if (rc)
            return rc;
        memmove(last, last + 1, 3);
        last[3] = (char)c;
        if (++seen >= n && memcmp(last + 4 - n, end, n) == 0) {
            if (keep)
                keep->data[keep->length -= n] = 0;
            return 0;
        }
    }
    return broken(x, c, what);
}

static int expect(struct graph_xml *x, const char *word, const char *what)
{
    for (; *word; word++) {
        int c = take(x);
        if (c < 0)
            return broken(x, c, what);
        if (c != *word)
            return graph_xml_fail(x, BASE_E_UNSUPPORTED,
                                  "%s: document types and their declarations are not read: remove "
                                  "them",
                                  what);
    }
    return 0;
}

/* <?xml ... encoding="..."?> and other instructions. */
static int instruction(struct graph_xml *x)
{
    base_buffer_clear(&x->tag);
    int rc = pass(x, "?>", &x->tag, "an instruction <? ?>");
    if (rc || !x->tag.data || strncmp(x->tag.data, "xml", 3) != 0)
        return rc;
    const char *at = strstr(x->tag.data, "encoding");
    if (!at)
        return 0;
    at += strcspn(at, "\"'");
    if (*at && strncasecmp(at + 1, "utf-8", 5) != 0 && strncasecmp(at + 1, "us-ascii", 8) != 0)
        return graph_xml_fail(x, BASE_E_UNSUPPORTED,
                              "its encoding is not UTF-8: convert it first (iconv)");
    return 0;
}

static int name_take(struct graph_xml *x, int c, struct base_buffer *to, int *after)
{
    size_t from = to->length;
    int rc = 0;
    for (; c >= 0 && is_name(c) && !rc; c = take(x))
        rc = push(x, to, c);
    if (rc)
        return rc;
    if (c < 0)
        return broken(x, c, "a tag");
    if (to->length == from)
        return graph_xml_fail(x, BASE_E_FORMAT, "expected a name in a tag");
    *after = c;
    char nul = 0;
    return base_buffer_append(to, &nul, 1);
}

static int blanks(struct graph_xml *x, int c)
{
    while (is_blank(c))
        c = take(x);
    return c;
}

static int attribute(struct graph_xml *x, int c, int *after)
{
    int rc = name_take(x, c, &x->tag, &c);
    if (rc)
        return rc;
    c = blanks(x, c);
    if (c != '=')
        return c < 0 ? broken(x, c, "a tag")
                     : graph_xml_fail(x, BASE_E_FORMAT, "an attribute has no value");
    int quote = blanks(x, take(x));
    if (quote != '"' && quote != '\'')
        return quote < 0 ? broken(x, quote, "a tag")
                         : graph_xml_fail(x, BASE_E_FORMAT, "an attribute's value needs quotes");
    while ((c = take(x)) >= 0 && c != quote && !rc)
        rc = c == '&'   ? reference(x, &x->tag)
             : c == '<' ? graph_xml_fail(x, BASE_E_FORMAT, "'<' inside an attribute's value")
                        : push(x, &x->tag, is_blank(c) ? ' ' : c);
    if (rc)
        return rc;
    if (c < 0)
        return broken(x, c, "an attribute");
    char nul = 0;
    x->attributes++;
    *after = take(x);
    return base_buffer_append(&x->tag, &nul, 1);
}

static int check_utf8(struct graph_xml *x, const struct base_buffer *b)
{
    if (!b->length || base_utf8_invalid(b->data, b->length) == b->length)
        return 0;
    return graph_xml_fail(x, BASE_E_FORMAT, "bytes that are not valid UTF-8");
}

static const char *local(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

static int start(struct graph_xml *x, int c)
{
    base_buffer_clear(&x->tag);
    x->attributes = 0;
    if (x->depth == 0 && x->root_seen)
        return graph_xml_fail(x, BASE_E_FORMAT, "a second root element");
    if (x->depth == GRAPH_XML_DEPTH)
        return graph_xml_fail(x, BASE_E_LIMIT, "elements are nested deeper than %d",
                              GRAPH_XML_DEPTH);
    int rc = name_take(x, c, &x->tag, &c);
    while (!rc) {
        bool divided = is_blank(c);
        c = blanks(x, c);
        if (c == '>' || c == '/')
            break;
        if (c < 0)
            return broken(x, c, "a tag");
        if (!divided)
            return graph_xml_fail(x, BASE_E_FORMAT, "attributes must be divided by blanks");
        rc = attribute(x, c, &c);
    }
    if (rc)
        return rc;
    x->self_closed = c == '/';
    if (x->self_closed && (c = take(x)) != '>')
        return c < 0 ? broken(x, c, "a tag")
                     : graph_xml_fail(x, BASE_E_FORMAT, "expected '>' after '/' in a tag");
    if ((rc = check_utf8(x, &x->tag)))
        return rc;
    x->open[x->depth++] = x->stack.length;
    x->root_seen = true;
    x->name = local(x->tag.data);
    return base_buffer_append(&x->stack, x->tag.data, strlen(x->tag.data) + 1);
}

static int end(struct graph_xml *x)
{
    int after = 0, c = take(x);
    base_buffer_clear(&x->text);
    int rc = name_take(x, c, &x->text, &after);
    if (rc)
        return rc;
    if ((after = blanks(x, after)) != '>')
        return after < 0 ? broken(x, after, "a tag")
                         : graph_xml_fail(x, BASE_E_FORMAT, "expected '>' at the end of a tag");
    if (x->depth == 0)
        return graph_xml_fail(x, BASE_E_FORMAT, "</%.60s> closes nothing", x->text.data);
    const char *top = x->stack.data + x->open[x->depth - 1];
    if (strcmp(top, x->text.data) != 0)
        return graph_xml_fail(x, BASE_E_FORMAT, "</%.60s> where </%.60s> was expected",
                              x->text.data, top);
    x->stack.length = x->open[--x->depth];
    x->name = local(x->text.data);
    return 0;
}

/* Text up to the next tag, CDATA included. 1 when there is any. */
static int text(struct graph_xml *x, int c)
{
    int rc = 0;
    base_buffer_clear(&x->text);
    for (; c >= 0 && c != '<' && !rc; c = take(x))
        rc = c == '&' ? reference(x, &x->text) : push(x, &x->text, c);
    if (rc)
        return rc;
    if (c < -1)
        return c + 1;
    if (c == '<')
        give_back(x);
    return check_utf8(x, &x->text);
}

int graph_xml_next(struct graph_xml *x)
{
    int rc;
    if (x->self_closed) {
        x->self_closed = false;
        x->stack.length = x->open[--x->depth];
        x->name = local(x->stack.data + x->open[x->depth]);
        return GRAPH_XML_END;
    }
    for (;;) {
        int c = take(x);
        if (c < -1)
            return c + 1;
        if (c == -1) {
            if (x->depth)
                return graph_xml_fail(x, BASE_E_FORMAT, "the file ends inside <%.60s>",
                                      x->stack.data + x->open[x->depth - 1]);
            return x->root_seen ? GRAPH_XML_END_OF_FILE
                                : graph_xml_fail(x, BASE_E_FORMAT, "there is no element");
        }
        if (c != '<') {
            if (x->depth == 0) {
                if (!is_blank(c))
                    return graph_xml_fail(x, BASE_E_FORMAT,
                                          "text outside the root element: is this GraphML?");
                continue;
            }
            rc = text(x, c);
            return rc ? rc : GRAPH_XML_TEXT;
        }
        if ((c = take(x)) < 0)
            return broken(x, c, "a tag");
        if (c == '/')
            return (rc = end(x)) ? rc : GRAPH_XML_END;
        if (c == '?') {
            if ((rc = instruction(x)))
                return rc;
            continue;
        }
        if (c != '!')
            return (rc = start(x, c)) ? rc : GRAPH_XML_START;
        if ((c = take(x)) < 0)
            return broken(x, c, "a tag");
        if (c == '-') {
            if ((rc = expect(x, "-", "<!-")) || (rc = pass(x, "-->", NULL, "a comment")))
                return rc;
            continue;
        }
        if (c != '[' || x->depth == 0)
            return graph_xml_fail(x, BASE_E_UNSUPPORTED,
                                  "document types and their declarations are not read: remove "
                                  "<!DOCTYPE ...>");
        base_buffer_clear(&x->text);
        if ((rc = expect(x, "CDATA[", "<![")) ||
            (rc = pass(x, "]]>", &x->text, "a CDATA section")) || (rc = check_utf8(x, &x->text)))
            return rc;
        return GRAPH_XML_TEXT;
    }
}

const char *graph_xml_attribute(const struct graph_xml *x, const char *name)
{
    const char *at = x->tag.data + strlen(x->tag.data) + 1;
    for (size_t i = 0; i < x->attributes; i++) {
        const char *value = at + strlen(at) + 1;
        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

int graph_xml_open(struct graph_xml *x, const char *path)
{
    memset(x, 0, sizeof *x);
    x->line = 1;
    int rc = data_stream_open(&x->stream, path);
    if (rc)
        return rc;
    if (!(x->block = base_alloc(BLOCK, 1)))
        rc = BASE_E_MEMORY;
    for (size_t n = 1; !rc && x->end < 4 && n > 0; x->end += n)
        rc = data_stream_read(x->stream, x->block + x->end, BLOCK - x->end, &n);
    if (!rc && x->end >= 2 && (x->block[0] >= 0xfe || x->block[0] == 0 || x->block[1] == 0))
        rc = graph_xml_fail(x, BASE_E_UNSUPPORTED,
                            "is not UTF-8: convert it first (iconv -f UTF-16 -t UTF-8)");
    if (!rc && x->end >= 3 && memcmp(x->block, "\xef\xbb\xbf", 3) == 0)
        x->at = 3;
    if (rc)
        graph_xml_close(x);
    return rc;
}

void graph_xml_close(struct graph_xml *x)
{
    data_stream_close(x->stream);
    base_free(x->block);
    base_buffer_free(&x->text);
    base_buffer_free(&x->tag);
    base_buffer_free(&x->stack);
    memset(x, 0, sizeof *x);
}
