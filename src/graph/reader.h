/* What reads graphs, whatever the format: edges come one after another as pairs of names, and a
 * graph comes out.
 *
 * Names that are plain whole numbers below 2^32 - 1 are kept as such (nothing is hashed, eight
 * bytes an edge); with the first other name all that came before become interned strings. */
#ifndef GRAPH_READER_H
#define GRAPH_READER_H
#include <assay/graph.h>

/* Strings numbered in the order of first appearance. Start zeroed. */
struct graph_names {
    char *bytes; /* names, each ended by NUL */
    size_t length, room;
    uint64_t *at;   /* [n] where each begins */
    uint32_t *hash; /* [n] */
    uint32_t n, most;
    uint32_t *slot; /* [slots] a power of two; index + 1, 0 = free */
    size_t slots;
};
int graph_names_add(struct graph_names *t, const char *name, size_t length, uint32_t *index);
uint32_t graph_names_find(const struct graph_names *t, const char *name, size_t length);
void graph_names_free(struct graph_names *t);

struct graph_reader {
    bool interned;
    bool directed, weighted;
    uint32_t *source, *target; /* numbers, or indices of names */
    double *weight;
    size_t edges, room;
    struct graph_names names;
};
int graph_reader_add(struct graph_reader *r, struct data_cell source, struct data_cell target,
                     double weight);
/* The graph; numbers in ascending order when all names are whole numbers. */
int graph_reader_finish(struct graph_reader *r, struct graph **out);
void graph_reader_free(struct graph_reader *r);

/* A graph from arrays that the callee takes over and may reorder (base_free; also on failure).
 * weight may be NULL. Names come afterwards. */
int graph_build(struct graph **out, uint32_t nodes, uint32_t *source, uint32_t *target,
                double *weight, uint64_t edges, bool directed);
/* name [nodes] and what it points into become g's. Left out (freed) when they are 0, 1, ... */
void graph_names_set(struct graph *g, char **name, char *bytes);

int graph_read_graphml(struct graph **out, const char *path,
                       const struct graph_read_options *options);
#endif
