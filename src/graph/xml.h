/* As much XML as graph files need, streamed: elements, attributes, text, CDATA, comments, character
 * references and the five entities of the standard. Refused: document types (whose entities can
 * expand without end), encodings other than UTF-8, markup longer than 1 MiB, depth beyond 64. */
#ifndef GRAPH_XML_H
#define GRAPH_XML_H
#include "base/buffer.h"
#include <assay/data.h>

#define GRAPH_XML_DEPTH 64
#define GRAPH_XML_MOST  ((size_t)1 << 20)

enum graph_xml_event { GRAPH_XML_END_OF_FILE, GRAPH_XML_START, GRAPH_XML_END, GRAPH_XML_TEXT };
struct graph_xml {
    struct data_stream *stream;
    unsigned char *block;
    size_t at, end;
    uint64_t line;
    struct base_buffer text;  /* of a TEXT event, references resolved */
    struct base_buffer tag;   /* of a START: name, NUL, then attribute name, NUL, value, NUL ... */
    size_t attributes;        /* how many */
    const char *name;         /* START and END: local name (without prefix) */
    struct base_buffer stack; /* names of open elements, NUL after each */
    size_t depth;
    size_t open[GRAPH_XML_DEPTH];
    bool self_closed; /* an END is due */
    bool root_seen;
};
int graph_xml_open(struct graph_xml *x, const char *path);
/* The next event: enum graph_xml_event, or negative. Strings live until the next call. */
int graph_xml_next(struct graph_xml *x);
/* Value of an attribute of the last START, or NULL. */
const char *graph_xml_attribute(const struct graph_xml *x, const char *name);
void graph_xml_close(struct graph_xml *x);
/* base_error_set with FILE:LINE before it. */
int graph_xml_fail(const struct graph_xml *x, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#endif
