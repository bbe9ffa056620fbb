/* assay graph pagerank: PageRank of every node, with a bound on the error. */
#include "base/json.h"
#include "base/memory.h"
#include "cli/display.h"
#include "cli/graph_input.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_graph_pagerank = {
    .name = "graph pagerank",
    .synopsis = "[options] EDGES",
    .summary = "PageRank of every node, exact to a stated bound",
    .details =
        "A surfer follows an edge chosen at random with probability --damping and else restarts at "
        "a node chosen at random, or among the --restart nodes; from a node without a way out it "
        "always restarts. The value of a node is the share of time spent there. Undirected edges "
        "lead both ways; --directed takes them from source to target. --weight chooses edges in "
        "proportion to a column.\n\n"
        "The values are computed until a bound on their error is below --tolerance: the relative "
        "error of every single node, or the sum of absolute errors where some nodes are never "
        "restarted at. The bound is shown; it holds whatever the graph.\n\n"
        "The table shows the --top nodes; -o FILE.csv and --json give all of them.\n\n"
        "  assay graph pagerank builtin:friends\n"
        "  assay graph pagerank --directed --damping 0.9 links.csv.gz -o rank.csv\n"
        "  assay graph pagerank --restart Anna --restart Ben=2 friends.csv",
    .run = run,
};
static const struct cli_command *const self = &cli_command_graph_pagerank;

struct arguments {
    struct cli_graph_input input;
    struct cli_strings restart;
    int64_t top;
    struct graph_pagerank_options o;
};

/* "NAME" or "NAME=WEIGHT"; a name that holds '=' is taken whole when there is such a node. */
static int add_restart(const struct graph *g, const char *text, double *restart)
{
    uint32_t v = graph_node_find(g, text);
    double weight = 1;
    const char *equals = strrchr(text, '=');
    if (v == UINT32_MAX && equals) {
        char *name = base_strndup(text, (size_t)(equals - text));
        if (!name)
            return BASE_E_MEMORY;
        v = graph_node_find(g, name);
        base_free(name);
        if (!data_cell_number((struct data_cell){ equals + 1, strlen(equals + 1) }, &weight) ||
            weight < 0)
            return base_error_set(BASE_E_ARGUMENT,
                                  "--restart %s: expected NODE or NODE=WEIGHT, a weight of 0 or "
                                  "more",
                                  text);
    }
    if (v == UINT32_MAX)
        return base_error_set(BASE_E_ARGUMENT, "--restart %s: there is no such node", text);
    restart[v] += weight;
    return 0;
}

struct ranked {
    double value;
    uint32_t node;
};
static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? 1 : -1;
    return (x->node > y->node) - (x->node < y->node);
}

static json_t *to_json(const struct graph *g, const double *value, const struct graph_pagerank *a,
                       const struct arguments *o)
{
    char name[24];
    json_t *all = json_object();
    for (uint32_t v = 0; all && v < g->nodes; v++)
        if (json_object_set_new(all, graph_name(g, v, name), json_real(value[v]))) {
            json_decref(all);
            return NULL;
        }
    return json_pack("{s:o, s:f, s:o, s:f, s:f, s:I, s:I, s:I, s:I, s:b}", "pagerank", all,
                     "damping", o->o.damping, "relative_error_bound", base_json_number(a->relative),
                     "total_error_bound", a->total, "tolerance", o->o.tolerance, "sweeps",
                     (json_int_t)a->sweeps, "nodes", (json_int_t)g->nodes, "edges",
                     (json_int_t)g->edges, "dangling", (json_int_t)a->dangling, "directed",
                     g->directed);
}

static int print_csv(const struct graph *g, const double *value)
{
    struct base_buffer b = { 0 };
    char name[24], number[BASE_DOUBLE_TEXT];
    int rc = base_buffer_puts(&b, "node,pagerank\n");
    for (uint32_t v = 0; v < g->nodes && !rc; v++) {
        const char *text = graph_name(g, v, name);
        rc = data_cell_write(&b, (struct data_cell){ text, strlen(text) }, ',', '"');
        rc = rc ? rc : base_buffer_printf(&b, ",%s\n", base_double_text(value[v], number));
    }
    return cli_print_text(self, &b, rc);
}

static int print_table(const struct graph *g, const struct ranked *ranked,
                       const struct graph_pagerank *a, const struct arguments *o)
{
    const struct cli_column columns[] = {
        { "", true, false },         { "node", false, true },
        { "pagerank", true, false }, { g->directed ? "in-degree" : "degree", true, false },
        { "", false, false },
    };
    struct cli_table t = { .columns = columns, .n_columns = 5 };
    struct base_buffer b = { 0 }, bar = { 0 };
    char name[24];
    int rc = 0;
    for (uint32_t i = 0; i < g->nodes && i < (uint64_t)o->top && !rc; i++) {
        uint32_t v = ranked[i].node;
        base_buffer_clear(&bar);
        rc = cli_append_bar(&bar, ranked[i].value / ranked[0].value, 20);
        cli_table_add(&t, "%u", i + 1);
        cli_table_add(&t, "%s", graph_name(g, v, name));
        cli_table_add(&t, "%.6g", ranked[i].value);
        cli_table_add(&t, "%llu",
                      (unsigned long long)(g->directed ? g->in_first[v + 1] - g->in_first[v]
                                                       : graph_degree(g, v)));
        cli_table_add(&t, "%s", bar.data ? bar.data : "");
    }
    int added = cli_table_append(&b, &t);
    rc = rc ? rc : added;
    char text[256];
    size_t at = (size_t)snprintf(text, sizeof text, "%u nodes, %llu %s, damping %g. ", g->nodes,
                                 (unsigned long long)g->edges, g->directed ? "arcs" : "edges",
                                 o->o.damping);
    if (isinf(a->relative))
        snprintf(text + at, sizeof text - at, "The errors of all values add up to less than %.1e.",
                 a->total);
    else
        snprintf(text + at, sizeof text - at, "Every value is within a part of %.1e of the exact.",
                 a->relative);
    if (!rc && (rc = base_buffer_puts(&b, "\n")) == 0)
        rc = cli_append_wrapped(&b, 2, text);
    base_buffer_free(&bar);
    return cli_print_text(self, &b, rc);
}

static int show(const struct graph *g, const double *value, const struct graph_pagerank *about,
                const struct arguments *a)
{
    if (cli_common.json)
        return cli_print_json(self, to_json(g, value, about, a));
    if (cli_common.output)
        return print_csv(g, value);
    struct ranked *ranked = base_alloc(g->nodes, sizeof *ranked);
    if (!ranked)
        return cli_fail(self);
    for (uint32_t v = 0; v < g->nodes; v++)
        ranked[v] = (struct ranked){ value[v], v };
    qsort(ranked, g->nodes, sizeof *ranked, by_rank);
    int rc = print_table(g, ranked, about, a);
    base_free(ranked);
    return rc;
}

static int run(int argc, char **argv)
{
    struct arguments a = { .top = 10, .o = GRAPH_PAGERANK_OPTIONS_DEFAULT };
    int n;
    const struct cli_option options[] = {
        { "damping", 0, CLI_DOUBLE, &a.o.damping, "D",
          "Probability of following an edge (default 0.85)." },
        { "restart", 0, CLI_STRINGS, &a.restart, "NODE[=W]",
          "Restart at this node only, with weight W; may repeat (default: at all alike)." },
        { "tolerance", 0, CLI_DOUBLE, &a.o.tolerance, "E",
          "Bound to reach on the error (default 1e-12)." },
        { "top", 0, CLI_INT, &a.top, "N", "Nodes in the table (default 10)." },
        CLI_GRAPH_OPTIONS(a.input),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 1)
        return cli_usage(self, "give one file of EDGES (- is standard input)");
    if (!(a.o.damping >= 0 && a.o.damping < 1))
        return cli_usage(self, "--damping is at least 0 and below 1, not %g", a.o.damping);
    if (!(a.o.tolerance > 0))
        return cli_usage(self, "--tolerance is above 0, not %g", a.o.tolerance);
    if (a.top < 1)
        return cli_usage(self, "--top is at least 1, not %lld", (long long)a.top);
    base_interrupt_install();
    struct graph *g = NULL;
    if ((rc = cli_graph_read(self, &a.input, argv[1], &g)))
        return rc;
    struct graph_pagerank about;
    double *value = base_alloc(g->nodes, sizeof *value), *restart = NULL;
    rc = value ? 0 : BASE_E_MEMORY;
    if (!rc && a.restart.count && !(restart = base_alloc_zero(g->nodes, sizeof *restart)))
        rc = BASE_E_MEMORY;
    for (size_t i = 0; i < a.restart.count && !rc; i++)
        rc = add_restart(g, a.restart.at[i], restart);
    a.o.restart = restart;
    a.o.weighted = g->weight != NULL;
    rc = rc ? rc : graph_pagerank(g, &a.o, value, &about);
    rc = rc ? cli_fail(self) : show(g, value, &about, &a);
    base_free(restart);
    base_free(value);
    graph_free(g);
    return rc;
}
