/* Samples of a graph: 27 methods behind one call, what a sample says of how it came about, and its
 * file of nodes.
 *
 * Loops and directions: a directed graph is walked as if its edges led both ways (an arc and its
 * opposite are one way); the sample keeps the directions. Weights of edges are carried along; only
 * spikyball draws by them.
 *
 * A sample is a pure function of graph, options and seed: no clock, no thread. */
#ifndef ASSAY_GRAPH_SAMPLE_H
#define ASSAY_GRAPH_SAMPLE_H
#include <assay/graph.h>
#include <math.h>

enum graph_sample_method {
    GRAPH_RANDOM_NODE,
    GRAPH_DEGREE,
    GRAPH_PAGERANK,
    GRAPH_RANDOM_EDGE,
    GRAPH_EDGE_INDUCTION,
    GRAPH_EDGE_PARTIAL_INDUCTION,
    GRAPH_NODE_EDGE,
    GRAPH_HYBRID,
    GRAPH_RANDOM_WALK,
    GRAPH_RESTART,
    GRAPH_JUMP,
    GRAPH_METROPOLIS_HASTINGS,
    GRAPH_NON_BACKTRACKING,
    GRAPH_CIRCULATED,
    GRAPH_COMMON_NEIGHBOR,
    GRAPH_LOOP_ERASED,
    GRAPH_FRONTIER,
    GRAPH_SNOWBALL,
    GRAPH_FOREST_FIRE,
    GRAPH_SPIKYBALL,
    GRAPH_DIFFUSION,
    GRAPH_DIFFUSION_TREE,
    GRAPH_COMMUNITY,
    GRAPH_BFS,
    GRAPH_DFS,
    GRAPH_SHORTEST_PATH,
    GRAPH_NODE_NEIGHBORS,
    GRAPH_METHODS
};
/* What a method can do; the bits of graph_sample_about. */
enum {
    GRAPH_SAMPLE_WALKED = 1,  /* it uses edges, so `walked` can be asked */
    GRAPH_SAMPLE_TREE = 2,    /* it gives walked edges unless told otherwise */
    GRAPH_SAMPLE_STEPS = 4,   /* its length can be given in steps */
    GRAPH_SAMPLE_EDGES = 8,   /* its size can be given in edges */
    GRAPH_SAMPLE_SEEDS = 16,  /* its size can be given in seed nodes */
    GRAPH_SAMPLE_START = 32,  /* it begins at a node, which can be given */
    GRAPH_SAMPLE_WEIGHTS = 64 /* its nodes have known weights */
};
struct graph_sample_about {
    const char *name;    /* as on the command line */
    const char *summary; /* one line */
    unsigned can;
};
const struct graph_sample_about *graph_sample_about(enum graph_sample_method m);
/* By name; BASE_E_ARGUMENT lists them. */
int graph_sample_method_find(const char *name, enum graph_sample_method *out);

enum graph_sample_exhausted { GRAPH_EXHAUSTED_STOP, GRAPH_EXHAUSTED_RESTART };
enum graph_sample_induce { GRAPH_INDUCE_AUTO, GRAPH_INDUCE_NODES, GRAPH_INDUCE_WALKED };
enum graph_sample_burn {
    GRAPH_BURN_LITTLEBALLOFFUR, /* 1, 2, ... neighbours, mean 1/p */
    GRAPH_BURN_LESKOVEC         /* 0, 1, ... neighbours, mean p/(1-p) */
};
enum graph_sample_ball {
    GRAPH_BALL_EDGE,
    GRAPH_BALL_HUB,
    GRAPH_BALL_CORE,
    GRAPH_BALL_FIRE,
    GRAPH_BALL_FIRECORE
};
enum graph_sample_circulate { GRAPH_CIRCULATE_EDGE, GRAPH_CIRCULATE_NODE };
enum graph_sample_expansion { GRAPH_EXPANSION_NEW, GRAPH_EXPANSION_OUTSIDE };

#define GRAPH_NO_NODE UINT32_MAX
/* One of nodes, edges, steps, seeds is not 0: the size. */
struct graph_sample_options {
    enum graph_sample_method method;
    uint64_t nodes; /* distinct nodes; more than the graph has is BASE_E_ARGUMENT */
    uint64_t edges; /* distinct edges drawn (edge methods) */
    uint64_t steps; /* steps of the walk, however many nodes that are (walks) */
    uint64_t seeds; /* nodes drawn, each with all its neighbours (node-neighbors) */
    uint64_t seed;
    uint32_t start; /* GRAPH_NO_NODE = drawn uniformly */
    /* When all nodes that can be reached from the start are in the sample and more are wanted:
     * stop, or go on from a node drawn uniformly among those not in the sample. */
    enum graph_sample_exhausted exhausted;
    enum graph_sample_induce induce;
    double damping;   /* pagerank */
    double restart_p; /* restart: back to the start */
    double jump_p;    /* jump: to any node */
    double alpha;     /* metropolis-hastings: accept with min(1, (d_now/d_new)^alpha) */
    double p;         /* NaN = .5 edge-partial-induction, .8 hybrid, .4 forest-fire, .2 spikyball */
    uint64_t walkers; /* frontier */
    uint64_t k;       /* snowball: neighbours per node */
    enum graph_sample_burn burn;
    enum graph_sample_ball ball;
    double initial; /* spikyball: part of the wanted nodes that is drawn to begin with */
    double power;   /* spikyball: exponent of the degree in hub, core and firecore */
    enum graph_sample_circulate circulate; /* circulated: per edge come by, or per node */
    enum graph_sample_expansion expansion; /* community: what is counted */
    uint64_t burn_in;                      /* walks: steps that are not recorded at the beginning */
    uint64_t max_steps;                    /* then the status is GRAPH_SAMPLE_LIMIT */
    /* Now and then while it draws; NULL = not. */
    void (*on_progress)(void *context, uint64_t nodes, uint64_t steps);
    void *context;
    bool weights; /* compute `weight` (jump and restart need a PageRank for it) */
};
#define GRAPH_SAMPLE_OPTIONS_DEFAULT                                                               \
    {                                                                                              \
        .start = GRAPH_NO_NODE, .damping = .85, .restart_p = .1, .jump_p = .1, .alpha = 1,         \
        .p = NAN, .walkers = 10, .k = 50, .ball = GRAPH_BALL_FIRE, .initial = .1, .power = 1,      \
        .max_steps = 1000000000, .weights = true                                                   \
    }

enum graph_sample_status {
    GRAPH_SAMPLE_COMPLETE,  /* as many as asked */
    GRAPH_SAMPLE_EXHAUSTED, /* nothing more can be reached; reason says why */
    GRAPH_SAMPLE_LIMIT      /* max_steps */
};
/* All arrays are the sample's; graph_sample_free. */
struct graph_sample {
    enum graph_sample_status status;
    char reason[192]; /* "" when complete, else a sentence without full stop */
    uint32_t *node;   /* [nodes] in the order in which they came */
    uint64_t nodes;
    /* How often the method met the node: visits of a walk (a rejected or lazy step counts again),
     * drawn edges at the node, drawn neighbourhoods; 1 where a node can come but once. */
    uint64_t *visits;
    /* [nodes] or NULL: visits * weight estimates how many nodes of the graph this one stands for
     * (its mean over samples is 1 or tends to 1 as a walk gets longer), so that
     * sum(visits weight y) / sum(visits weight) estimates the mean of y and the sum above it the
     * total. Where a walk stays in one component it stands for that. docs/graph-sample.md derives
     * each. */
    double *weight;
    bool walked;    /* edge[] is the sample's edges; else all edges between its nodes are */
    uint64_t *edge; /* [edges] ascending indices of the graph's edges, or NULL when not walked */
    uint64_t edges;
    uint64_t steps;    /* moves, draws or nodes worked off, as the method counts */
    uint64_t restarts; /* fires lit again, components left, walks gone back to the start */
    uint32_t start;    /* where it began, GRAPH_NO_NODE when nowhere in particular */
};
int graph_sample_draw(struct graph_sample **out, const struct graph *g,
                      const struct graph_sample_options *options);
void graph_sample_free(struct graph_sample *s); /* NULL is fine */
/* The sample as a graph: nodes in the order of `node`, induced or walked edges. */
int graph_sample_graph(struct graph **out, const struct graph *g, const struct graph_sample *s);
/* CSV `node,visits,degree,weight`, a row per node in the order of `node`; degree is the number
 * of its neighbours in g, whichever way an edge leads; weight is empty where there is none.
 * Atomically; "-" is standard output. */
int graph_sample_write_nodes(const struct graph *g, const struct graph_sample *s, const char *path);
#endif
