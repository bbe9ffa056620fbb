/* Graphs as files: CSV of edges, and GraphML. Names are turned into cells (or escaped) once per
 * node and not once per edge; bytes go out in blocks. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "graph/reader.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLOCK ((size_t)1 << 18)

struct sink {
    struct base_writer writer;
    bool standard;
    struct base_buffer b;
};

static int flush(struct sink *s)
{
    int rc = 0;
    if (!s->standard)
        rc = base_writer_write(&s->writer, s->b.data, s->b.length);
    else if (fwrite(s->b.data, 1, s->b.length, stdout) != s->b.length)
        rc = base_error_set(BASE_E_IO, "standard output: %s", strerror(errno));
    base_buffer_clear(&s->b);
    return rc;
}

/* Cells of all names one after another; node v's is at[v] .. at[v + 1]. */
struct cells {
    struct base_buffer bytes;
    uint64_t *at;
};

static int escape(struct base_buffer *b, const char *s)
{
    int rc = 0;
    for (; *s && !rc; s++) {
        const char *entity = *s == '&'   ? "&amp;"
                             : *s == '<' ? "&lt;"
                             : *s == '>' ? "&gt;"
                             : *s == '"' ? "&quot;"
                                         : NULL;
        if (entity)
            rc = base_buffer_puts(b, entity);
        else if ((unsigned char)*s < 32)
            rc = *s == '\t' || *s == '\n' || *s == '\r'
                     ? base_buffer_printf(b, "&#%d;", *s)
                     : base_error_set(BASE_E_UNSUPPORTED,
                                      "a name holds the control character %d, which XML cannot "
                                      "hold: write CSV",
                                      *s);
        else
            rc = base_buffer_append(b, s, 1);
    }
    return rc;
}

static int cells_make(struct cells *c, const struct graph *g, bool graphml)
{
    char buffer[24];
    if (!(c->at = base_alloc((size_t)g->nodes + 1, sizeof *c->at)))
        return BASE_E_MEMORY;
    for (uint32_t v = 0; v < g->nodes; v++) {
        const char *name = graph_name(g, v, buffer);
        c->at[v] = c->bytes.length;
        int rc = graphml ? escape(&c->bytes, name)
                         : data_cell_write(&c->bytes, (struct data_cell){ name, strlen(name) }, ',',
                                           '"');
        if (rc)
            return rc;
    }
    c->at[g->nodes] = c->bytes.length;
    return 0;
}

static int put_name(struct base_buffer *b, const struct cells *c, uint32_t v)
{
    return base_buffer_append(b, c->bytes.data + c->at[v], c->at[v + 1] - c->at[v]);
}

/* The shortest decimal that reads back as the same double. */
static int put_weight(struct base_buffer *b, double w)
{
    char text[32];
    for (int digits = 6; digits <= 17; digits++) {
        double back;
        snprintf(text, sizeof text, "%.*g", digits, w);
        if (sscanf(text, "%lf", &back) == 1 && back == w)
            break;
    }
    return base_buffer_puts(b, text);
}

static int write_csv(struct sink *s, const struct graph *g, const struct cells *c)
{
    int rc = base_buffer_puts(&s->b, g->weight ? "source,target,weight\n" : "source,target\n");
    for (uint64_t i = 0; i < g->edges && !rc; i++) {
        if (s->b.length > BLOCK && (rc = flush(s)))
            break;
        if ((rc = put_name(&s->b, c, g->source[i])) || (rc = base_buffer_append(&s->b, ",", 1)) ||
            (rc = put_name(&s->b, c, g->target[i])))
            break;
        if (g->weight &&
            ((rc = base_buffer_append(&s->b, ",", 1)) || (rc = put_weight(&s->b, g->weight[i]))))
            break;
        rc = base_buffer_append(&s->b, "\n", 1);
    }
    return rc;
}

static int write_graphml(struct sink *s, const struct graph *g, const struct cells *c)
{
    int rc = base_buffer_printf(
        &s->b,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n"
        "%s  <graph edgedefault=\"%s\">\n",
        g->weight
            ? "  <key id=\"weight\" for=\"edge\" attr.name=\"weight\" attr.type=\"double\"/>\n"
            : "",
        g->directed ? "directed" : "undirected");
    for (uint32_t v = 0; v < g->nodes && !rc; v++) {
        if (s->b.length > BLOCK && (rc = flush(s)))
            break;
        if ((rc = base_buffer_puts(&s->b, "    <node id=\"")) || (rc = put_name(&s->b, c, v)))
            break;
        rc = base_buffer_puts(&s->b, "\"/>\n");
    }
    for (uint64_t i = 0; i < g->edges && !rc; i++) {
        if (s->b.length > BLOCK && (rc = flush(s)))
            break;
        if ((rc = base_buffer_puts(&s->b, "    <edge source=\"")) ||
            (rc = put_name(&s->b, c, g->source[i])) ||
            (rc = base_buffer_puts(&s->b, "\" target=\"")) ||
            (rc = put_name(&s->b, c, g->target[i])))
            break;
        if (!g->weight)
            rc = base_buffer_puts(&s->b, "\"/>\n");
        else if ((rc = base_buffer_puts(&s->b, "\"><data key=\"weight\">")) == 0 &&
                 (rc = put_weight(&s->b, g->weight[i])) == 0)
            rc = base_buffer_puts(&s->b, "</data></edge>\n");
    }
    return rc ? rc : base_buffer_puts(&s->b, "  </graph>\n</graphml>\n");
}

int graph_write(const struct graph *g, const char *path)
{
    struct sink s = { .standard = strcmp(path, "-") == 0 };
    struct cells c = { 0 };
    bool graphml = base_ends_with(path, ".graphml");
    int rc = cells_make(&c, g, graphml);
    if (rc == 0 && !s.standard)
        rc = base_writer_open(&s.writer, path);
    if (rc)
        goto out;
    rc = graphml ? write_graphml(&s, g, &c) : write_csv(&s, g, &c);
    if (rc == 0)
        rc = flush(&s);
    if (rc == 0 && s.standard && fflush(stdout))
        rc = base_error_set(BASE_E_IO, "standard output: %s", strerror(errno));
    if (!s.standard) {
        if (rc == 0)
            rc = base_writer_commit(&s.writer);
        else
            base_writer_abort(&s.writer);
    }
out:
    base_buffer_free(&s.b);
    base_buffer_free(&c.bytes);
    base_free(c.at);
    return rc;
}
