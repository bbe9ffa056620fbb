/* Graphs: the first byte chooses the format and options, the rest is the file. Whatever it holds,
 * reading ends, and what comes out keeps every promise of graph.h and survives being written and
 * read once more. Files of nodes and referral chains are read too. */
#include "base/memory.h"
#include <assay/graph_estimate.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int holds)
{
    if (!holds)
        abort();
}

static void check(const struct graph *g)
{
    char a[24], b[24];
    demand(g->first[0] == 0 && g->first[g->nodes] == (g->directed ? g->edges : 2 * g->edges));
    for (uint64_t i = 0; i < g->edges; i++) {
        demand(g->source[i] < g->nodes && g->target[i] < g->nodes);
        demand(g->directed ? g->source[i] != g->target[i] : g->source[i] < g->target[i]);
        demand(graph_edge_find(g, g->source[i], g->target[i]) == i);
        demand(!g->weight || g->weight[i] >= 0);
    }
    for (uint32_t v = 0; v < g->nodes; v++) {
        for (uint64_t k = g->first[v] + 1; k < g->first[v + 1]; k++)
            demand(g->neighbor[k - 1] < g->neighbor[k]);
        demand(v == 0 || strcmp(graph_name(g, v - 1, a), graph_name(g, v, b)) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    char path[64], copy[64];
    if (size < 1)
        return 0;
    if (file < 0) {
        file = memfd_create("fuzz", 0);
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    snprintf(copy, sizeof copy, "/tmp/fuzz-graph-%ld%s", (long)getpid(),
             data[0] & 32 ? ".graphml" : ".csv");
    if (ftruncate(file, 0) || pwrite(file, data + 1, size - 1, 0) != (ssize_t)(size - 1))
        return 0;
    struct graph_read_options o = {
        .format = data[0] & 1 ? GRAPH_FORMAT_GRAPHML : GRAPH_FORMAT_AUTO,
        .weight = data[0] & 2 ? "w" : NULL,
        .directed = data[0] & 4,
        .table.header = (data[0] >> 3 & 3) % 3,
        .table.max_record = 1 << 16,
    };
    struct graph *g = NULL, *h = NULL;
    if (graph_read(&g, path, &o) == 0) {
        check(g);
        struct graph_description d;
        if (g->nodes < 300 && graph_describe(&d, g, NULL) == 0)
            graph_description_free(&d);
        struct graph_read_options back = { .weight = g->weight ? "weight" : NULL };
        if (!(data[0] & 32)) { /* GraphML says these itself */
            back.directed = g->directed;
            back.table.header = DATA_HEADER_YES;
        }
        if (g->edges && graph_write(g, copy) == 0) {
            demand(graph_read(&h, copy, &back) == 0);
            check(h);
            demand(h->edges == g->edges && h->nodes <= g->nodes);
        }
        unlink(copy);
    } else
        demand(g == NULL && base_error_message()[0]);
    graph_free(g);
    graph_free(h);
    struct graph_walk w;
    struct data_table_options csv = { .format = DATA_FORMAT_CSV };
    if (graph_walk_read(&w, path, &csv) == 0)
        graph_walk_free(&w);
    struct graph_referrals r;
    if (graph_referrals_read(&r, path, &csv, NULL, "by", "knows") == 0)
        graph_referrals_free(&r);
    return 0;
}
