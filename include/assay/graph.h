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
    char *name_bytes;         /* what the names stand in */
    uint64_t loops, repeated; /* dropped when read */
    bool header;              /* the edge list's first row was taken as a header */
};
enum graph_format {
    GRAPH_FORMAT_AUTO,  /* by name: .graphml; .csv, .tsv, .jsonl are edge lists of that kind; of
                           other names the first line tells (',', tab, ';', blanks, or '<');
                           standard input is CSV */
    GRAPH_FORMAT_EDGES, /* an edge list, whatever its name */
    GRAPH_FORMAT_GRAPHML
};
struct graph_read_options {
    struct data_table_options table; /* edge list: CSV, TSV, blanks; plain or compressed */
    const char *source, *target;     /* columns; NULL = the first two */
    const char *weight;              /* column, GraphML: key; finite, >= 0; NULL = none */
    enum graph_format format;
    bool directed; /* GraphML says itself what it is; asking an undirected one for directions is
                      BASE_E_ARGUMENT, and so are columns, header and delimiter there */
};
/* An edge list or GraphML, plain or compressed; options NULL = all zero.
 *
 * Edge lists. The header is told apart by itself: the first row is one when a column is asked for
 * by name, when its two cells are not whole numbers while the second row's are, or when they are
 * usual headings (source and target, from and to, src and dst, node_1 and node_2, id_1 and id_2,
 * ...); table.header decides otherwise. Lines that begin with '%', or with '#' and a blank, are
 * comments when the first line of a file is one. A name is any cell that is not empty; "7" and "07"
 * are two names. A node that only has a loop is a node without edges. Of repeated edges (in either
 * direction when undirected) the first stays, with its weight.
 *
 * GraphML: nodes (named by their data "name" when all have different ones, else by their id) and
 * edges of one graph; nested graphs, hyperedges, ports and edges of the other direction than the
 * graph's are BASE_E_UNSUPPORTED.
 *
 * At most 2^32 - 2 nodes and edges (BASE_E_LIMIT). A file without any edge or node is
 * BASE_E_FORMAT. */
int graph_read(struct graph **out, const char *path, const struct graph_read_options *options);
/* From arrays (copied): edges as given, loops and repetitions dropped; weight [edges] or NULL;
 * names [nodes] or NULL (copied). Indices beyond nodes are BASE_E_ARGUMENT. */
int graph_make(struct graph **out, uint32_t nodes, const uint32_t *source, const uint32_t *target,
               const double *weight, uint64_t edges, bool directed, const char *const *names);
void graph_free(struct graph *g); /* NULL is fine */
static inline uint64_t graph_degree(const struct graph *g, uint32_t v)
{
    return g->first[v + 1] - g->first[v];
}
/* Index of the edge u-v (u->v), or UINT64_MAX: binary search; u and v below nodes. */
uint64_t graph_edge_find(const struct graph *g, uint32_t u, uint32_t v);
/* The name of node v, in buffer when it is its number. */
const char *graph_name(const struct graph *g, uint32_t v, char buffer[24]);
/* The node of that name, or UINT32_MAX. Slow (looks at every name): for options, not for loops. */
uint32_t graph_node_find(const struct graph *g, const char *name);
/* CSV (header source,target[,weight]) or, where path ends in .graphml, GraphML; atomically. "-" is
 * CSV on standard output. CSV holds edges: nodes without any are not in it. */
int graph_write(const struct graph *g, const char *path);
/* The subgraph of `keep` [n] nodes (distinct), numbered in that order: all edges between them, or
 * only those listed (indices of g's edges, ends within keep, repetitions dropped). Old names and
 * weights stay. */
int graph_induced(struct graph **out, const struct graph *g, const uint32_t *keep, size_t n);
int graph_of_edges(struct graph **out, const struct graph *g, const uint32_t *keep, size_t n,
                   const uint64_t *edges, size_t n_edges);

/* ---- PageRank (pagerank.c) ---- */
struct graph_pagerank_options {
    double damping;        /* 0 <= d < 1 */
    double tolerance;      /* wanted error; see the bounds below */
    const double *restart; /* [nodes] >= 0, not all 0; NULL = the same for all. Where the surfer
                              goes with 1 - d, and from nodes without a way out */
    bool weighted;         /* by edge weights, which the graph must have */
};
#define GRAPH_PAGERANK_OPTIONS_DEFAULT                                                             \
    {                                                                                              \
        .damping = .85, .tolerance = 1e-12                                                         \
    }
/* Bounds that hold for the given values, not estimates; rounding is in them. */
struct graph_pagerank {
    double relative; /* every value is within this part of the exact one; infinite when some node
                        has no restart */
    double total;    /* sum of all absolute errors */
    unsigned sweeps; /* passes over the edges */
    uint64_t dangling;
};
/* value [nodes], sum 1. BASE_E_NUMERIC when the bound (relative, or total where that is infinite)
 * does not come below tolerance. about may be NULL. */
int graph_pagerank(const struct graph *g, const struct graph_pagerank_options *options,
                   double *value, struct graph_pagerank *about);

/* ---- What describes a graph (measure.c, describe.c) ---- */
/* A copy without directions, weights and names; an arc and its opposite become one edge. */
int graph_undirected(struct graph **out, const struct graph *g);
/* Connected components of an undirected graph, the largest first (of equal ones that with the
 * smallest node). component [nodes] or NULL; size [*n] (base_free). */
int graph_components(const struct graph *g, uint32_t *component, uint64_t **size, uint32_t *n);
/* Triangles through each node of an undirected graph [nodes] and in all. */
int graph_triangles(const struct graph *g, uint64_t *at_node, uint64_t *total);
/* Local clustering of an undirected graph: triangles / (d (d - 1) / 2), NaN where d < 2. */
int graph_clustering(const struct graph *g, double *local, uint64_t *triangles);
/* Core number of each node of an undirected graph (Batagelj & Zaversnik 2003). */
int graph_cores(const struct graph *g, uint32_t *core);
/* Strongly connected components of a directed graph: their number and the largest's size. */
int graph_strong(const struct graph *g, uint32_t *n, uint64_t *largest);
/* Edges from `from` to every node, UINT32_MAX where there is no way; queue [nodes] is scratch that
 * ends as the nodes reached in order of distance. Returns how many are reached. */
uint32_t graph_distances(const struct graph *g, uint32_t from, uint32_t *distance, uint32_t *queue);

enum { GRAPH_Q25, GRAPH_Q50, GRAPH_Q75, GRAPH_Q90, GRAPH_Q99, GRAPH_QUANTILES };
struct graph_spread {
    double mean, sd, min, max;
    double q[GRAPH_QUANTILES]; /* smallest value with at least that share at or below it */
};
struct graph_describe_options {
    uint64_t seed;
    uint32_t sources;  /* searches for the mean distance; at least the component's nodes = exact */
    uint32_t searches; /* at most, for the diameter */
};
#define GRAPH_DESCRIBE_OPTIONS_DEFAULT                                                             \
    {                                                                                              \
        .sources = 100, .searches = 500                                                            \
    }
/* Directed graphs: everything but in/out degree, reciprocity and strong components is of the graph
 * without directions, `density` is of arcs. NaN where a figure does not exist. */
struct graph_description {
    uint32_t nodes;
    uint64_t edges, pairs; /* pairs: edges without their directions */
    double density;
    struct graph_spread degree, in, out;
    uint64_t isolated;
    double reciprocity; /* directed: share of arcs whose opposite is there */
    uint32_t strong;
    uint64_t strong_largest;
    uint32_t components;
    uint64_t *component_size; /* [components] descending */
    uint64_t *degree_count;   /* [degree.max + 1] */
    uint64_t triangles;
    double clustering;     /* mean of local clustering, 0 where a node has fewer than 2 edges */
    double clustering_two; /* mean over nodes of two edges and more */
    double transitivity;   /* 3 triangles / paths of two edges */
    double assortativity;  /* correlation of the degrees at the two ends of an edge */
    uint32_t core;         /* largest k of a k-core */
    uint64_t core_nodes;   /* nodes in it */
    uint32_t diameter_low, diameter_high; /* of the largest component; equal = exact */
    uint32_t searches;
    /* distances within the largest component: of `sources` random nodes to all others */
    double distance, distance_se; /* mean over pairs; se 0 when exact */
    double distance_90; /* smallest distance with 90 % of the pairs within it (interpolated) */
    uint32_t sources;
};
int graph_describe(struct graph_description *out, const struct graph *g,
                   const struct graph_describe_options *options);
void graph_description_free(struct graph_description *d); /* zeroed is fine */

/* ---- A sample against its graph (compare.c) ---- */
/* Largest distance of the two empirical distribution functions; both ascending. NaN when one is
 * empty. */
double graph_ks(const double *a, size_t n, const double *b, size_t m);
/* Chance of a distance of at least d when n of `population` values are drawn at random without
 * replacement: Kolmogorov's limit for d sqrt(n / (1 - n / population)); too large, if anything, for
 * values with ties. */
double graph_ks_p(double d, double n, double population);

enum graph_compare_measure {
    GRAPH_COMPARE_CHOICE,     /* degrees in the graph: of the sample's nodes against all */
    GRAPH_COMPARE_DEGREE,     /* degrees in the sample against those in the graph */
    GRAPH_COMPARE_CLUSTERING, /* local clustering of nodes of two edges and more, each in its own */
    GRAPH_COMPARE_COMPONENTS, /* sizes of components but the largest */
    GRAPH_COMPARE_MEASURES
};
extern const char *const graph_compare_names[GRAPH_COMPARE_MEASURES];
struct graph_comparison {
    struct graph_compared {
        double *sample, *graph; /* ascending; [n_sample], [n_graph] */
        size_t n_sample, n_graph;
        double mean_sample, mean_graph; /* NaN where there is no value */
        double d, p;                    /* p: GRAPH_COMPARE_CHOICE only, else NaN */
    } measure[GRAPH_COMPARE_MEASURES];
    double largest_sample, largest_graph; /* share of nodes in the largest component */
    uint64_t edges;         /* of the sample, without directions when one of the two has none */
    uint64_t edges_false;   /* of them, those the graph does not have */
    uint64_t edges_between; /* of the graph, between the sample's nodes */
};
/* Nodes are told by their names; one the graph does not have is BASE_E_ARGUMENT. */
int graph_compare(struct graph_comparison *out, const struct graph *sample, const struct graph *g);
void graph_comparison_free(struct graph_comparison *c); /* zeroed is fine */
/* Charts of degrees (complementary distribution, log-log), clustering (distribution) and components
 * (complementary, log-log) beside each other's: FILE.png becomes FILE-degree.png ... (.svg, .pdf).
 */
int graph_comparison_plot(const struct graph_comparison *c, const char *path, bool dark);

/* ---- Pictures of small graphs (layout.c, picture.c) ---- */
/* Communities by Louvain's method (Blondel et al. 2008; igraph), directions ignored, weights used:
 * membership [nodes], the largest community first, and its modularity. */
int graph_communities(const struct graph *g, uint64_t seed, uint32_t *membership, uint32_t *n,
                      double *modularity);
enum graph_layout {
    GRAPH_LAYOUT_FORCE, /* Fruchterman & Reingold (1991) */
    GRAPH_LAYOUT_SPRING /* Kamada & Kawai (1989): distances on paper like distances in the graph */
};
#define GRAPH_DRAW_MOST 10000 /* nodes; more is BASE_E_LIMIT */
/* Places [nodes], about one node in each unit of area; components laid out each by itself and
 * packed to about `aspect` (width / height). The same seed gives the same places with the same
 * igraph. */
int graph_layout_make(const struct graph *g, enum graph_layout method, uint64_t seed, double aspect,
                      double *x, double *y);

struct graph_picture {
    const char *title, *subtitle; /* NULL = none */
    const double *x, *y;          /* [nodes] */
    const uint32_t *color;    /* [nodes] index into names, UINT32_MAX = none; NULL = all alike */
    const char *const *names; /* [n_names] of the legend, the most frequent first */
    uint32_t n_names;
    const char *color_title; /* what the colours are: "community" */
    int64_t labels;          /* at most so many, of the nodes of highest degree, where they fit */
    int width, height;       /* points; 0 = 960 x 720 */
    int scale;               /* PNG pixels per point; 0 = 2 */
    bool dark;
};
/* .png, .svg or .pdf; areas of nodes grow with their degree. */
int graph_picture_write(const struct graph *g, const struct graph_picture *picture,
                        const char *path);

/* ---- What a table says of nodes (attribute.c) ---- */
struct graph_attribute {
    uint32_t *code; /* [n] level of each name, UINT32_MAX where the table has none */
    char **level;   /* [levels], the most frequent among the names first */
    uint64_t *count;
    uint32_t levels;
    double *number; /* [n] when every level is a number (NaN where missing), else NULL */
    uint64_t missing;
};
/* Column `column` of the table at path for the nodes `names` [n], found by column `id` (NULL = the
 * first). A name that stands twice in the table is BASE_E_FORMAT. */
int graph_attribute_read(struct graph_attribute *out, const char *path,
                         const struct data_table_options *options, const char *id,
                         const char *column, const char *const *names, size_t n);
void graph_attribute_free(struct graph_attribute *a); /* zeroed is fine */
#endif
