/* assay graph sample: a sample of a graph by one of 27 methods, as edges and as a file of nodes. */
#include "base/progress.h"
#include "cli/display.h"
#include "cli/graph_input.h"
#include <assay/graph_sample.h>
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_graph_sample = {
    .name = "graph sample",
    .synopsis = "METHOD -n N|--frac F [options] EDGES",
    .summary = "Draw a sample of a graph, by one of 27 methods",
    .details =
        "EDGES is an edge list (CSV, TSV, blanks; plain or compressed) or GraphML. The sample is "
        "written as an edge list, or as GraphML when -o FILE ends in .graphml; --nodes FILE writes "
        "its nodes with how often each was visited and its weight, for `assay graph estimate`. "
        "With --json a summary is printed instead of the edges; -o FILE still gets those.\n\n"
        "Nodes from the whole list: random-node, degree, pagerank, node-neighbors. Edges: "
        "random-edge, edge-induction, edge-partial-induction, node-edge, hybrid. Walks: "
        "random-walk, restart, jump, metropolis-hastings, non-backtracking, circulated, "
        "common-neighbor, frontier, loop-erased. Growing from a node: bfs, dfs, snowball, "
        "forest-fire, spikyball, diffusion, diffusion-tree, community, shortest-path. --methods "
        "says what each is.\n\n"
        "-n counts nodes, whatever the method. Where no more nodes can be reached the sample ends "
        "and the summary says why; --exhausted restart goes on from a random node elsewhere. "
        "A directed graph is walked both ways; the sample keeps the directions.\n\n"
        "  assay graph sample random-walk -n 500 --seed 1 edges.csv -o sample.csv\n"
        "  assay graph sample metropolis-hastings --steps 100000 --nodes n.csv edges.csv.gz "
        "-o walk.graphml\n"
        "  assay graph sample forest-fire --p 0.7 --burn leskovec --frac 0.1 --json edges.csv",
    .run = run,
};
static const struct cli_command *const self = &cli_command_graph_sample;

#define NOT_GIVEN INT64_MIN
struct arguments {
    int64_t size, edges, steps, seeds, walkers, k, burn_in, max_steps;
    double frac, damping, restart_p, jump_p, alpha, p, initial, power;
    const char *start, *exhausted, *induce, *burn, *ball, *circulate, *expansion, *nodes_file;
    bool methods;
    struct cli_graph_input input;
};

/* ---- options that belong to some methods only ---- */

#define M(name) (1u << GRAPH_##name)
static const struct {
    const char *option;
    unsigned methods;
} belongs[] = {
    { "damping", M(PAGERANK) },
    { "restart-p", M(RESTART) },
    { "jump-p", M(JUMP) },
    { "alpha", M(METROPOLIS_HASTINGS) },
    { "p", M(EDGE_PARTIAL_INDUCTION) | M(HYBRID) | M(FOREST_FIRE) | M(SPIKYBALL) },
    { "walkers", M(FRONTIER) },
    { "k", M(SNOWBALL) },
    { "burn", M(FOREST_FIRE) },
    { "ball", M(SPIKYBALL) },
    { "initial", M(SPIKYBALL) },
    { "power", M(SPIKYBALL) },
    { "circulate", M(CIRCULATED) },
    { "expansion", M(COMMUNITY) },
};
#undef M

/* 0, or 2 after saying for which methods the option is. */
static int check_belongs(const char *option, bool given, enum graph_sample_method m)
{
    char list[256] = "";
    if (!given)
        return 0;
    for (size_t i = 0; i < sizeof belongs / sizeof *belongs; i++) {
        if (strcmp(belongs[i].option, option) != 0 || belongs[i].methods >> m & 1)
            continue;
        for (int k = 0; k < GRAPH_METHODS; k++)
            if (belongs[i].methods >> k & 1)
                snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? ", " : "",
                         graph_sample_about((enum graph_sample_method)k)->name);
        return cli_usage(self, "--%s is for %s, not for %s", option, list,
                         graph_sample_about(m)->name);
    }
    return 0;
}

/* The place of text in names[n], or -1 after a usage message; 0 when not given. */
static int choice(const char *option, const char *text, const char *const *names, int n)
{
    char list[128] = "";
    for (int i = 0; i < n; i++) {
        if (!text || strcmp(text, names[i]) == 0)
            return i;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", names[i]);
    }
    cli_usage(self, "--%s %s: choose %s", option, text, list);
    return -1;
}

static int parse_choices(const struct arguments *a, struct graph_sample_options *o)
{
    static const char *const exhausted[] = { "stop", "restart" };
    static const char *const induce[] = { "auto", "nodes", "walked" };
    static const char *const burn[] = { "littleballoffur", "leskovec" };
    static const char *const ball[] = { "edge", "hub", "core", "fire", "firecore" };
    static const char *const circulate[] = { "edge", "node" };
    static const char *const expansion[] = { "new", "outside" };
    int c[6];
    if ((c[0] = choice("exhausted", a->exhausted, exhausted, 2)) < 0 ||
        (c[1] = choice("induce", a->induce, induce, 3)) < 0 ||
        (c[2] = choice("burn", a->burn, burn, 2)) < 0 ||
        (c[3] = choice("ball", a->ball ? a->ball : "fire", ball, 5)) < 0 ||
        (c[4] = choice("circulate", a->circulate, circulate, 2)) < 0 ||
        (c[5] = choice("expansion", a->expansion, expansion, 2)) < 0)
        return 2;
    o->exhausted = (enum graph_sample_exhausted)c[0];
    o->induce = (enum graph_sample_induce)c[1];
    o->burn = (enum graph_sample_burn)c[2];
    o->ball = (enum graph_sample_ball)c[3];
    o->circulate = (enum graph_sample_circulate)c[4];
    o->expansion = (enum graph_sample_expansion)c[5];
    return 0;
}

static int check_given(const struct arguments *a, enum graph_sample_method m)
{
    const struct {
        const char *option;
        bool given;
    } given[] = {
        { "damping", !isnan(a->damping) },
        { "restart-p", !isnan(a->restart_p) },
        { "jump-p", !isnan(a->jump_p) },
        { "alpha", !isnan(a->alpha) },
        { "p", !isnan(a->p) },
        { "initial", !isnan(a->initial) },
        { "power", !isnan(a->power) },
        { "walkers", a->walkers != NOT_GIVEN },
        { "k", a->k != NOT_GIVEN },
        { "burn", a->burn != NULL },
        { "ball", a->ball != NULL },
        { "circulate", a->circulate != NULL },
        { "expansion", a->expansion != NULL },
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof given / sizeof *given && rc == 0; i++)
        rc = check_belongs(given[i].option, given[i].given, m);
    return rc;
}

static int whole(const char *option, int64_t value, uint64_t *out)
{
    if (value == NOT_GIVEN)
        return 0;
    if (value < 1)
        return cli_usage(self, "--%s is at least 1, not %lld", option, (long long)value);
    *out = (uint64_t)value;
    return 0;
}

static int parse(const struct arguments *a, struct graph_sample_options *o)
{
    int rc = check_given(a, o->method);
    if (rc || (rc = parse_choices(a, o)) || (rc = whole("size", a->size, &o->nodes)) ||
        (rc = whole("edges", a->edges, &o->edges)) || (rc = whole("steps", a->steps, &o->steps)) ||
        (rc = whole("seeds", a->seeds, &o->seeds)) ||
        (rc = whole("walkers", a->walkers, &o->walkers)) || (rc = whole("k", a->k, &o->k)) ||
        (rc = whole("burn-in", a->burn_in, &o->burn_in)) ||
        (rc = whole("max-steps", a->max_steps, &o->max_steps)))
        return rc;
    if ((a->size != NOT_GIVEN) + (a->edges != NOT_GIVEN) + (a->steps != NOT_GIVEN) +
            (a->seeds != NOT_GIVEN) + !isnan(a->frac) !=
        1)
        return cli_usage(self, "give one size: -n N or --frac F (nodes), or --edges, --steps, "
                               "--seeds where the method has them");
    if (!isnan(a->frac) && !(a->frac > 0 && a->frac <= 1))
        return cli_usage(self, "--frac is above 0 and at most 1, not %g", a->frac);
    o->damping = isnan(a->damping) ? o->damping : a->damping;
    o->restart_p = isnan(a->restart_p) ? o->restart_p : a->restart_p;
    o->jump_p = isnan(a->jump_p) ? o->jump_p : a->jump_p;
    o->alpha = isnan(a->alpha) ? o->alpha : a->alpha;
    o->initial = isnan(a->initial) ? o->initial : a->initial;
    o->power = isnan(a->power) ? o->power : a->power;
    o->p = a->p;
    o->seed = (uint64_t)cli_common.seed;
    o->weights = a->nodes_file != NULL;
    return 0;
}

/* ---- output ---- */

static int list_methods_json(void)
{
    json_t *list = json_array();
    for (int m = 0; m < GRAPH_METHODS; m++) {
        const struct graph_sample_about *about = graph_sample_about((enum graph_sample_method)m);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "method", about->name,
                                              "summary", about->summary, "kind",
                                              about->can & GRAPH_SAMPLE_TREE ? "walked" : "induced",
                                              "weights", (about->can & GRAPH_SAMPLE_WEIGHTS) != 0));
    }
    return cli_print_json(self, json_pack("{s:o}", "methods", list));
}

static int list_methods(void)
{
    static const struct cli_column columns[] = { { "method", false, false },
                                                 { "what it is", false, true },
                                                 { "edges", false, false },
                                                 { "weights", false, false } };
    struct cli_table t = { .columns = columns, .n_columns = 4 };
    struct base_buffer b = { 0 };
    for (int m = 0; m < GRAPH_METHODS; m++) {
        const struct graph_sample_about *about = graph_sample_about((enum graph_sample_method)m);
        cli_table_add(&t, "%s", about->name);
        cli_table_add(&t, "%s", about->summary);
        cli_table_add(&t, "%s", about->can & GRAPH_SAMPLE_TREE ? "walked" : "induced");
        cli_table_add(&t, "%s", about->can & GRAPH_SAMPLE_WEIGHTS ? "yes" : "-");
    }
    return cli_print_text(self, &b, cli_table_append(&b, &t));
}

static const char *const statuses[] = { "complete", "exhausted", "limit" };

static json_t *summary(const struct graph *g, const struct graph *sub, const struct graph_sample *s,
                       const struct graph_sample_options *o)
{
    char number[24];
    json_t *j =
        json_pack("{s:s, s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:s, s:b, s:{s:I, s:I}}", "method",
                  graph_sample_about(o->method)->name, "seed", (json_int_t)o->seed, "nodes",
                  (json_int_t)sub->nodes, "edges", (json_int_t)sub->edges, "status",
                  statuses[s->status], "reason", s->reason, "steps", (json_int_t)s->steps,
                  "restarts", (json_int_t)s->restarts, "kind", s->walked ? "walked" : "induced",
                  "weights", (graph_sample_about(o->method)->can & GRAPH_SAMPLE_WEIGHTS) != 0,
                  "graph", "nodes", (json_int_t)g->nodes, "edges", (json_int_t)g->edges);
    if (!j)
        return NULL;
    const char *asked = o->edges ? "edges" : o->steps ? "steps" : o->seeds ? "seeds" : "nodes";
    json_object_set_new(
        j, "asked",
        json_pack("{s:I}", asked, (json_int_t)(o->nodes + o->edges + o->steps + o->seeds)));
    if (s->start != GRAPH_NO_NODE) {
        const char *name = graph_name(g, s->start, number);
        json_object_set_new(j, "start", base_json_text(name, strlen(name)));
    }
    return j;
}

static void tell(const struct graph *g, const struct graph *sub, const struct graph_sample *s,
                 const struct graph_sample_options *o)
{
    char restarts[48] = "";
    if (s->restarts)
        snprintf(restarts, sizeof restarts, ", %llu restart%s", (unsigned long long)s->restarts,
                 s->restarts == 1 ? "" : "s");
    base_log("%s: %u of %u nodes, %llu of %llu edges (%s); %llu steps%s",
             graph_sample_about(o->method)->name, sub->nodes, g->nodes,
             (unsigned long long)sub->edges, (unsigned long long)g->edges,
             s->walked ? "walked" : "induced", (unsigned long long)s->steps, restarts);
    if (s->status != GRAPH_SAMPLE_COMPLETE)
        base_log("fewer than asked for: %s", s->reason);
}

static int output(const struct arguments *a, const struct graph *g, const struct graph_sample *s,
                  const struct graph_sample_options *o)
{
    struct graph *sub = NULL;
    int rc = graph_sample_graph(&sub, g, s);
    const char *path = cli_common.output ? cli_common.output : cli_common.json ? NULL : "-";
    if (rc == 0 && a->nodes_file)
        rc = graph_sample_write_nodes(g, s, a->nodes_file);
    if (rc == 0 && path)
        rc = graph_write(sub, path);
    if (rc) {
        rc = cli_fail(self);
    } else if (cli_common.json) {
        cli_common.output = NULL; /* that is the edges */
        rc = cli_print_json(self, summary(g, sub, s, o));
    } else {
        tell(g, sub, s, o);
    }
    graph_free(sub);
    return rc;
}

/* Shown only when a draw takes long: most are over before the first call. */
struct progress {
    struct base_progress *line;
    uint64_t steps, total; /* of steps when steps is not 0, else of nodes */
};
static void on_progress(void *context, uint64_t nodes, uint64_t steps)
{
    struct progress *p = context;
    char note[64];
    if (!p->line)
        p->line = base_progress_begin("sample", p->steps ? "steps" : "nodes", p->total);
    snprintf(note, sizeof note, "%llu %s", (unsigned long long)(p->steps ? nodes : steps),
             p->steps ? "nodes" : "steps");
    base_progress_update(p->line, p->steps ? steps : nodes, note);
}

static int sample(const struct arguments *a, struct graph_sample_options *o, const char *path)
{
    struct graph *g = NULL;
    struct graph_sample *s = NULL;
    struct progress progress = { .steps = o->steps };
    int rc = cli_graph_read(self, &a->input, path, &g);
    if (rc)
        return rc;
    if (!isnan(a->frac)) {
        o->nodes = (uint64_t)llround(a->frac * g->nodes);
        o->nodes = o->nodes ? o->nodes : 1;
    }
    if (a->start && (o->start = graph_node_find(g, a->start)) == GRAPH_NO_NODE) {
        base_error_set(BASE_E_ARGUMENT, "%s: there is no node \"%s\" to start from", path,
                       a->start);
        rc = cli_fail(self);
        goto out;
    }
    progress.total = o->steps ? o->steps + o->burn_in : o->nodes;
    o->on_progress = on_progress;
    o->context = &progress;
    rc = graph_sample_draw(&s, g, o);
    base_progress_end(progress.line);
    if (rc) {
        rc = cli_fail(self);
    } else {
        rc = output(a, g, s, o);
    }
out:
    graph_sample_free(s);
    graph_free(g);
    return rc;
}

static int run(int argc, char **argv)
{
    struct arguments a = {
        .size = NOT_GIVEN,
        .edges = NOT_GIVEN,
        .steps = NOT_GIVEN,
        .seeds = NOT_GIVEN,
        .walkers = NOT_GIVEN,
        .k = NOT_GIVEN,
        .burn_in = NOT_GIVEN,
        .max_steps = NOT_GIVEN,
        .frac = NAN,
        .damping = NAN,
        .restart_p = NAN,
        .jump_p = NAN,
        .alpha = NAN,
        .p = NAN,
        .initial = NAN,
        .power = NAN,
    };
    struct graph_sample_options o = GRAPH_SAMPLE_OPTIONS_DEFAULT;
    int n;
    const struct cli_option options[] = {
        { "size", 'n', CLI_INT, &a.size, "N", "Nodes of the sample." },
        { "frac", 0, CLI_DOUBLE, &a.frac, "F", "The same as a part of the graph's nodes." },
        { "edges", 0, CLI_INT, &a.edges, "N",
          "Edges drawn instead (random-edge, edge-induction, node-edge, hybrid)." },
        { "steps", 0, CLI_INT, &a.steps, "N",
          "Steps walked instead, however many nodes that are (walks)." },
        { "seeds", 0, CLI_INT, &a.seeds, "N",
          "Nodes drawn instead, each with all its neighbours (node-neighbors)." },
        { "nodes", 0, CLI_STRING, &a.nodes_file, "FILE",
          "Write the nodes as CSV: node, visits, degree, weight." },
        { "start", 0, CLI_STRING, &a.start, "NODE", "Where to begin (default: a random node)." },
        { "exhausted", 0, CLI_STRING, &a.exhausted, "WHAT",
          "When no more can be reached: stop (default), or restart from a random node." },
        { "induce", 0, CLI_STRING, &a.induce, "EDGES",
          "All edges between the nodes (nodes), those the method used (walked), or as it is usual "
          "for the method (auto, default)." },
        { "burn-in", 0, CLI_INT, &a.burn_in, "N",
          "Walks: steps at the beginning that are not recorded." },
        { "max-steps", 0, CLI_INT, &a.max_steps, "N", "Stop after so many (default 1e9)." },
        { "damping", 0, CLI_DOUBLE, &a.damping, "D", "pagerank: the damping (default 0.85)." },
        { "restart-p", 0, CLI_DOUBLE, &a.restart_p, "P",
          "restart: probability of going back to the start (default 0.1)." },
        { "jump-p", 0, CLI_DOUBLE, &a.jump_p, "P",
          "jump: probability of a jump to any node (default 0.1)." },
        { "alpha", 0, CLI_DOUBLE, &a.alpha, "A",
          "metropolis-hastings: a step is accepted with (d_now/d_new)^A (default 1)." },
        { "p", 0, CLI_DOUBLE, &a.p, "P",
          "edge-partial-induction: part of the edges kept (0.5); hybrid: part of node-edge (0.8); "
          "forest-fire: of burning (0.4); spikyball: part of the edges drawn (0.2)." },
        { "walkers", 0, CLI_INT, &a.walkers, "N", "frontier: walkers (default 10)." },
        { "k", 0, CLI_INT, &a.k, "K", "snowball: neighbours each node names (default 50)." },
        { "burn", 0, CLI_STRING, &a.burn, "LAW",
          "forest-fire: neighbours lit, littleballoffur (1, 2, ... with mean 1/p; default) or "
          "leskovec (0, 1, ... with mean p/(1-p))." },
        { "ball", 0, CLI_STRING, &a.ball, "KIND",
          "spikyball: edge, hub, core, fire (default), firecore." },
        { "initial", 0, CLI_DOUBLE, &a.initial, "F",
          "spikyball: part of the sample drawn to begin with (default 0.1)." },
        { "power", 0, CLI_DOUBLE, &a.power, "A",
          "spikyball: exponent of the degree in hub, core, firecore (default 1)." },
        { "circulate", 0, CLI_STRING, &a.circulate, "BY",
          "circulated: ways on are used up per edge come by (edge, default) or per node." },
        { "expansion", 0, CLI_STRING, &a.expansion, "COUNT",
          "community: neighbours the sample does not know yet (new, default), or all not in it "
          "(outside, as littleballoffur)." },
        CLI_GRAPH_OPTIONS(a.input),
        { "methods", 0, CLI_FLAG, &a.methods, NULL, "List the methods." },
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = cli_plain_name(self, "--nodes", a.nodes_file)))
        return rc;
    if (a.methods)
        return cli_common.json ? list_methods_json() : list_methods();
    if (n != 2)
        return cli_usage(self, "give a METHOD and a file of EDGES (- is standard input)");
    if (graph_sample_method_find(argv[1], &o.method))
        return cli_usage(self, "%s", base_error_message());
    if ((rc = parse(&a, &o)))
        return rc;
    base_interrupt_install();
    return sample(&a, &o, argv[2]);
}
