/* assay graph compare: a sample of a graph against the graph. */
#include "cli/display.h"
#include "cli/graph_input.h"
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_graph_compare = {
    .name = "graph compare",
    .synopsis = "[options] SAMPLE GRAPH",
    .summary = "A sample of a graph against the graph: degrees, clustering, components",
    .details =
        "Both are edge lists or GraphML (nodes without edges are only in GraphML); nodes are told "
        "by their names. D is Kolmogorov and Smirnov's: the largest distance between the two "
        "distribution functions, 0 to 1.\n\n"
        "The first row asks who was chosen: degrees in the graph, of the sample's nodes against "
        "all. Its p is the chance of so large a D had as many nodes been drawn at random without "
        "replacement; a small one means that the sample's nodes are not such a draw. The other "
        "rows ask what the sample looks like by itself; what is cut away makes degrees smaller "
        "whoever was chosen, so they have no p.\n\n"
        "--plot FILE.png writes FILE-degree.png, FILE-clustering.png and FILE-components.png.\n\n"
        "  assay graph sample random-walk -n 100 --seed 1 builtin:friends -o walk.graphml\n"
        "  assay graph compare walk.graphml builtin:friends --plot walk.svg",
    .run = run,
};
static const struct cli_command *const self = &cli_command_graph_compare;

static const char *const titles[GRAPH_COMPARE_MEASURES] = {
    "degree in the graph", "degree in the sample", "local clustering", "other components"
};

static json_t *to_json(const struct graph *sample, const struct graph *g,
                       const struct graph_comparison *c)
{
    json_t *o =
        json_pack("{s:{s:I, s:I}, s:{s:I, s:I}, s:I, s:I}", "sample", "nodes",
                  (json_int_t)sample->nodes, "edges", (json_int_t)c->edges, "graph", "nodes",
                  (json_int_t)g->nodes, "edges", (json_int_t)g->edges, "edges_not_in_graph",
                  (json_int_t)c->edges_false, "edges_between_nodes", (json_int_t)c->edges_between);
    json_t *rows = json_object();
    for (int k = 0; o && rows && k < GRAPH_COMPARE_MEASURES; k++) {
        const struct graph_compared *m = &c->measure[k];
        json_object_set_new(rows, graph_compare_names[k],
                            json_pack("{s:o, s:o, s:o, s:o, s:I, s:I}", "ks_d",
                                      base_json_number(m->d), "p", base_json_number(m->p),
                                      "mean_sample", base_json_number(m->mean_sample), "mean_graph",
                                      base_json_number(m->mean_graph), "n_sample",
                                      (json_int_t)m->n_sample, "n_graph", (json_int_t)m->n_graph));
    }
    if (o)
        json_object_set_new(o, "measures", rows);
    else
        json_decref(rows);
    return o;
}

static int lay_out(struct base_buffer *b, const struct graph *sample, const struct graph *g,
                   const struct graph_comparison *c)
{
    const struct cli_column columns[] = {
        { "", false, true },      { "sample", true, false }, { "mean", true, false },
        { "graph", true, false }, { "mean", true, false },   { "D", true, false },
        { "p", true, false },
    };
    struct cli_table t = { .columns = columns, .n_columns = 7 };
    for (int k = 0; k < GRAPH_COMPARE_MEASURES; k++) {
        const struct graph_compared *m = &c->measure[k];
        char p[24], d[24] = "-";
        cli_p_text(p, sizeof p, m->p);
        if (!isnan(m->d))
            snprintf(d, sizeof d, "%.4f", m->d);
        cli_table_add(&t, "%s", titles[k]);
        cli_table_add(&t, "%zu", m->n_sample);
        cli_table_add(&t, isnan(m->mean_sample) ? "-" : "%.4g", m->mean_sample);
        cli_table_add(&t, "%zu", m->n_graph);
        cli_table_add(&t, isnan(m->mean_graph) ? "-" : "%.4g", m->mean_graph);
        cli_table_add(&t, "%s", d);
        cli_table_add(&t, "%s", p);
    }
    int rc = cli_table_append(b, &t);
    if (!rc)
        rc = base_buffer_printf(b,
                                "\n  The largest component holds %.1f %% of the sample and %.1f %% "
                                "of the graph.\n",
                                100 * c->largest_sample, 100 * c->largest_graph);
    if (!rc)
        rc = base_buffer_printf(
            b, "  %u of %u nodes (%.1f %%), %llu of the graph's %llu edges between them.\n",
            sample->nodes, g->nodes, 100.0 * sample->nodes / g->nodes,
            (unsigned long long)(c->edges - c->edges_false), (unsigned long long)c->edges_between);
    if (!rc && c->edges_false)
        rc = base_buffer_printf(b,
                                "  %llu edges of the sample are NOT in the graph: it is no sample "
                                "of it.\n",
                                (unsigned long long)c->edges_false);
    if (!rc)
        rc = cli_append_wrapped(
            b, 2,
            "p: chance of so large a D had the nodes been drawn at random. The other rows compare "
            "the sample as it is, cut edges and all; no draw of values is behind them.");
    return rc;
}

static int run(int argc, char **argv)
{
    struct cli_graph_input input = { 0 };
    struct graph *sample = NULL, *g = NULL;
    struct graph_comparison c = { 0 };
    const char *plot = NULL;
    bool dark = false;
    int n;
    const struct cli_option options[] = {
        { "plot", 0, CLI_STRING, &plot, "FILE",
          "Write charts: .png, .svg or .pdf; -degree, -clustering, -components go before the "
          "ending." },
        { "dark", 0, CLI_FLAG, &dark, NULL, "Charts on a dark ground." },
        CLI_GRAPH_OPTIONS(input),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 2)
        return cli_usage(self, "give two files: the SAMPLE and the GRAPH");
    /* a sample's own columns are those that `assay graph sample` writes */
    struct cli_graph_input own = { .directed = input.directed };
    base_interrupt_install();
    if ((rc = cli_graph_read(self, &own, argv[1], &sample)) == 0 &&
        (rc = cli_graph_read(self, &input, argv[2], &g)) == 0) {
        if (graph_compare(&c, sample, g) || (plot && graph_comparison_plot(&c, plot, dark))) {
            rc = cli_fail(self);
        } else if (cli_common.json) {
            rc = cli_print_json(self, to_json(sample, g, &c));
        } else {
            struct base_buffer b = { 0 };
            rc = lay_out(&b, sample, g, &c);
            rc = cli_print_text(self, &b, rc);
        }
    }
    graph_comparison_free(&c);
    graph_free(sample);
    graph_free(g);
    return rc;
}
