/* The file of a sample's nodes: CSV node,visits,degree,weight. */
#include "base/json.h"
#include "base/buffer.h"
#include "base/file.h"
#include "graph/sample.h"
#include <errno.h>
#include <string.h>

/* How many different nodes v has an edge with, whichever way it leads: both lists ascend. */
static uint64_t neighbors(const struct graph *g, uint32_t v)
{
    uint64_t n = graph_degree(g, v);
    if (!g->directed)
        return n;
    uint64_t i = g->first[v];
    for (uint64_t k = g->in_first[v]; k < g->in_first[v + 1]; k++) {
        while (i < g->first[v + 1] && g->neighbor[i] < g->in_neighbor[k])
            i++;
        n += i == g->first[v + 1] || g->neighbor[i] != g->in_neighbor[k];
    }
    return n;
}

static int append_row(struct base_buffer *b, const struct graph *g, const struct graph_sample *s,
                      uint64_t i)
{
    char number[24], weight[BASE_DOUBLE_TEXT];
    uint32_t v = s->node[i];
    const char *name = graph_name(g, v, number);
    int rc = data_cell_write(b, (struct data_cell){ name, strlen(name) }, ',', '"');
    if (rc == 0)
        rc = base_buffer_printf(b, ",%llu,%llu,", (unsigned long long)s->visits[i],
                                (unsigned long long)neighbors(g, v));
    if (rc == 0 && s->weight)
        rc = base_buffer_puts(b, base_double_text(s->weight[i], weight));
    return rc ? rc : base_buffer_puts(b, "\n");
}

int graph_sample_write_nodes(const struct graph *g, const struct graph_sample *s, const char *path)
{
    bool out = strcmp(path, "-") == 0;
    struct base_writer w = { 0 };
    struct base_buffer b = { 0 };
    int rc = out ? 0 : base_writer_open(&w, path);
    FILE *stream = out ? stdout : w.stream;
    if (rc == 0)
        rc = base_buffer_puts(&b, "node,visits,degree,weight\n");
    for (uint64_t i = 0; i <= s->nodes && rc == 0; i++) {
        if (i < s->nodes)
            rc = append_row(&b, g, s, i);
        if (rc || (i < s->nodes && b.length < 65536))
            continue;
        if (fwrite(b.data, 1, b.length, stream) != b.length)
            rc = base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));
        base_buffer_clear(&b);
    }
    if (rc == 0 && !out)
        rc = base_writer_commit(&w);
    if (!out)
        base_writer_abort(&w);
    base_buffer_free(&b);
    return rc;
}
