/* graph: undirected and directed graphs in memory, how they are read and written, what describes
 * them, and samples of them. Nodes are numbered 0 .. nodes - 1 in the order in which the file first
 * names them (numbers in ascending order when all names are whole numbers, so that a result does
 * not depend on the order of lines). */
#ifndef ASSAY_GRAPH_H
#define ASSAY_GRAPH_H
#include <assay/base.h>
#include <assay/data.h>
#include <stdbool.h>

/* Simple by default: loops and repeated edges are dropped when read and counted. Every array is
 * the graph's. Read-only for all but src/graph/load.c. */
struct graph {
    uint32_t nodes;
    uint64_t edges;
    bool directed;
    uint32_t *source,
        *target; /* [edges]; undirected: source < target; ascending by (source, target) */
    /* Adjacency (compressed rows). neighbor[first[v] .. first[v + 1]) are v's neighbours,
     * ascending; undirected: both directions stand there. edge[i] is the edge's index in
     * source/target. For a directed graph these are the successors and `in_first`, `in_neighbor`,
     * `in_edge` the predecessors (NULL for an undirected one). */
    uint64_t *first;    /* [nodes + 1] */
    uint32_t *neighbor; /* [2 * edges] or [edges] */
    uint32_t *edge;
    uint64_t *in_first;
    uint32_t *in_neighbor, *in_edge;
    double *weight;           /* [edges] or NULL */
    char **name;              /* [nodes]; NULL when every name is its number 0 .. nodes - 1 */
    uint64_t loops, repeated; /* dropped when read */
};
struct graph_read_options {
    struct data_table_options table; /* edge list: CSV, TSV, blanks; plain or compressed */
    const char *source, *target;     /* columns; NULL = the first two */
    const char *weight;              /* column; NULL = none */
    bool directed;
};
/* An edge list (header told apart by itself: a first row whose cells are not whole numbers while
 * the second row's are is a header; DATA_HEADER_YES/NO decide), or GraphML by its name (.graphml,
 * also compressed). At most 2^32 - 2 nodes. */
int graph_read(struct graph **out, const char *path, const struct graph_read_options *options);
/* From arrays (copied): edges as given, loops and repetitions dropped. names [nodes] or NULL. */
int graph_make(struct graph **out, uint32_t nodes, const uint32_t *source, const uint32_t *target,
               uint64_t edges, bool directed, const char *const *names);
void graph_free(struct graph *g); /* NULL is fine */
static inline uint64_t graph_degree(const struct graph *g, uint32_t v)
{
    return g->first[v + 1] - g->first[v];
}
/* Index of the edge u-v (u->v), or UINT64_MAX: binary search. */
uint64_t graph_edge_find(const struct graph *g, uint32_t u, uint32_t v);
/* The name of node v, in buffer when it is its number. */
const char *graph_name(const struct graph *g, uint32_t v, char buffer[24]);
/* CSV (header source,target[,weight]) or GraphML by the path's extension; atomically. "-" is CSV on
 * standard output. */
int graph_write(const struct graph *g, const char *path);
/* The subgraph of `keep` [n] nodes (distinct): all edges between them, or only those listed. Old
 * names stay. map, when not NULL, gets the old index of each new node (base_free). */
int graph_induced(struct graph **out, const struct graph *g, const uint32_t *keep, size_t n);
int graph_of_edges(struct graph **out, const struct graph *g, const uint32_t *keep, size_t n,
                   const uint64_t *edges, size_t n_edges);
#endif
