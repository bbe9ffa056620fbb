/* assay graph describe: a graph in figures. */
#include "base/memory.h"
#include "cli/display.h"
#include "cli/graph_input.h"
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_graph_describe = {
    .name = "graph describe",
    .synopsis = "[options] EDGES",
    .summary = "A graph in figures: degrees, components, clustering, cores, distances",
    .details =
        "Counts of nodes, edges, components, triangles and cores are exact, and so are clustering "
        "and assortativity. The diameter is that of the largest component: exact, or bounds when "
        "--searches breadth-first searches did not decide it. The mean distance is estimated from "
        "--sources random nodes and carries its standard error; with as many sources as nodes it "
        "is exact.\n\n"
        "Average clustering is given twice, because both are in use: over all nodes, where those "
        "with fewer than two edges count 0 (as networkx), and over the others only. A directed "
        "graph is described without its directions, with in- and out-degrees, reciprocity and "
        "strong components beside.\n\n"
        "  assay graph describe builtin:friends\n"
        "  assay graph describe --sources 1000 --json edges.csv.zst",
    .run = run,
};
static const struct cli_command *const self = &cli_command_graph_describe;

static json_t *spread_json(const struct graph_spread *s)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "mean", base_json_number(s->mean),
                     "sd", base_json_number(s->sd), "min", base_json_number(s->min), "q25",
                     base_json_number(s->q[GRAPH_Q25]), "median", base_json_number(s->q[GRAPH_Q50]),
                     "q75", base_json_number(s->q[GRAPH_Q75]), "q90",
                     base_json_number(s->q[GRAPH_Q90]), "q99", base_json_number(s->q[GRAPH_Q99]),
                     "max", base_json_number(s->max));
}

static json_t *counts_json(const struct graph_description *d)
{
    json_t *o = json_object();
    char key[24];
    for (uint64_t k = 0; o && k <= (uint64_t)d->degree.max; k++) {
        if (!d->degree_count[k])
            continue;
        snprintf(key, sizeof key, "%llu", (unsigned long long)k);
        json_object_set_new(o, key, json_integer((json_int_t)d->degree_count[k]));
    }
    return o;
}

static json_t *to_json(const struct graph *g, const struct graph_description *d)
{
    json_t *sizes = json_array();
    for (uint32_t i = 0; sizes && i < d->components; i++)
        json_array_append_new(sizes, json_integer((json_int_t)d->component_size[i]));
    json_t *o = json_pack(
        "{s:b, s:b, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:I, s:{s:I, s:I, s:o}}", "directed",
        g->directed, "weighted", g->weight != NULL, "nodes", (json_int_t)d->nodes, "edges",
        (json_int_t)d->edges, "loops_dropped", (json_int_t)g->loops, "repeated_dropped",
        (json_int_t)g->repeated, "header", g->header, "density", base_json_number(d->density),
        "degree", spread_json(&d->degree), "degree_counts", counts_json(d), "isolated",
        (json_int_t)d->isolated, "components", "number", (json_int_t)d->components, "largest",
        (json_int_t)d->component_size[0], "sizes", sizes);
    json_t *more = json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:{s:I, s:I}, s:{s:I, s:I, s:b, s:I}, s:{s:o, s:o, s:o, s:I, "
        "s:b}}",
        "triangles", (json_int_t)d->triangles, "average_clustering",
        base_json_number(d->clustering), "average_clustering_degree_2_up",
        base_json_number(d->clustering_two), "transitivity", base_json_number(d->transitivity),
        "assortativity", base_json_number(d->assortativity), "core", "k", (json_int_t)d->core,
        "nodes", (json_int_t)d->core_nodes, "diameter", "low", (json_int_t)d->diameter_low, "high",
        (json_int_t)d->diameter_high, "exact", d->diameter_low == d->diameter_high, "searches",
        (json_int_t)d->searches, "distance", "mean", base_json_number(d->distance), "se",
        base_json_number(d->distance_se), "q90", base_json_number(d->distance_90), "sources",
        (json_int_t)d->sources, "exact", d->sources == d->component_size[0]);
    if (o && more && json_object_update(o, more) == 0 && g->directed)
        json_object_set_new(
            o, "directions",
            json_pack("{s:I, s:o, s:o, s:o, s:{s:I, s:I}}", "pairs", (json_int_t)d->pairs,
                      "reciprocity", base_json_number(d->reciprocity), "in", spread_json(&d->in),
                      "out", spread_json(&d->out), "strong_components", "number",
                      (json_int_t)d->strong, "largest", (json_int_t)d->strong_largest));
    json_decref(more);
    return o;
}

/* One "name   value" line. */
__attribute__((format(printf, 3, 4))) static int line(struct base_buffer *b, const char *name,
                                                      const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return base_buffer_printf(b, "  %-21s%s\n", name, text);
}

/* A figure with `digits` of them (significant ones, or decimals when `fixed`); "-" when there is
 * none.
 */
struct figure {
    char text[32];
};
static struct figure figure(double x, int digits, bool fixed)
{
    struct figure f = { "-" };
    if (!isnan(x))
        snprintf(f.text, sizeof f.text, fixed ? "%.*f" : "%.*g", digits, x);
    return f;
}

static int spread_line(struct base_buffer *b, const char *name, const struct graph_spread *s)
{
    int rc = line(b, name, "mean %.2f, sd %s", s->mean, figure(s->sd, 2, true).text);
    return rc ? rc
              : line(b, "", "min %g, median %g, 90 %% %g, 99 %% %g, max %g", s->min,
                     s->q[GRAPH_Q50], s->q[GRAPH_Q90], s->q[GRAPH_Q99], s->max);
}

/* Degrees in bins of doubling width. */
static int histogram(struct base_buffer *b, const struct graph_description *d)
{
    const struct cli_column columns[] = { { "degree", true, false },
                                          { "nodes", true, false },
                                          { "", false, false } };
    struct cli_table t = { .columns = columns, .n_columns = 3 };
    uint64_t most = 0, largest = (uint64_t)d->degree.max;
    struct base_buffer bar = { 0 };
    int rc = 0;
    for (int pass = 0; pass < 2; pass++)
        for (uint64_t from = 0; from <= largest && !rc; from = from ? 2 * from : 1) {
            uint64_t to = from ? 2 * from - 1 : 0, count = 0;
            for (uint64_t k = from; k <= to && k <= largest; k++)
                count += d->degree_count[k];
            if (pass == 0) {
                most = count > most ? count : most;
                continue;
            }
            if (from == 0 && count == 0)
                continue;
            base_buffer_clear(&bar);
            rc = cli_append_bar(&bar, (double)count / (double)most, 36);
            if (from == to)
                cli_table_add(&t, "%llu", (unsigned long long)from);
            else
                cli_table_add(&t, "%llu-%llu", (unsigned long long)from, (unsigned long long)to);
            cli_table_add(&t, "%llu", (unsigned long long)count);
            cli_table_add(&t, "%s", bar.data ? bar.data : "");
        }
    int added = cli_table_append(b, &t);
    base_buffer_free(&bar);
    return rc ? rc : added;
}

static int lay_out(struct base_buffer *b, const struct graph *g, const struct graph_description *d)
{
    int rc = line(b, "nodes", "%u", d->nodes);
    rc = rc ? rc
            : line(b, g->directed ? "arcs" : "edges", "%llu%s", (unsigned long long)d->edges,
                   g->directed ? " (directed)" : "");
    if (!rc && (g->loops || g->repeated))
        rc = line(b, "dropped", "%llu loops, %llu repetitions", (unsigned long long)g->loops,
                  (unsigned long long)g->repeated);
    rc = rc ? rc : line(b, "density", "%s", figure(d->density, 4, false).text);
    rc = rc ? rc : spread_line(b, "degree", &d->degree);
    if (!rc && g->directed)
        rc = spread_line(b, "in-degree", &d->in);
    if (!rc && g->directed)
        rc = spread_line(b, "out-degree", &d->out);
    if (!rc && g->directed)
        rc = line(b, "reciprocity", "%s", figure(d->reciprocity, 4, false).text);
    if (!rc && d->isolated)
        rc = line(b, "isolated nodes", "%llu", (unsigned long long)d->isolated);
    rc = rc ? rc
            : line(b, "components", "%u; the largest has %llu nodes (%.1f %%)", d->components,
                   (unsigned long long)d->component_size[0],
                   100 * (double)d->component_size[0] / d->nodes);
    if (!rc && g->directed)
        rc = line(b, "strong components", "%u; the largest has %llu nodes", d->strong,
                  (unsigned long long)d->strong_largest);
    rc = rc ? rc : line(b, "triangles", "%llu", (unsigned long long)d->triangles);
    rc = rc ? rc
            : line(b, "average clustering", "%.4g over all nodes, %s over those of degree 2 up",
                   d->clustering, figure(d->clustering_two, 4, false).text);
    rc = rc ? rc
            : line(b, "global clustering", "%s (transitivity)",
                   figure(d->transitivity, 4, false).text);
    rc = rc ? rc
            : line(b, "assortativity", "%s (correlation of degrees)",
                   figure(d->assortativity, 4, false).text);
    rc = rc ? rc
            : line(b, "deepest core", "k = %u, %llu nodes", d->core,
                   (unsigned long long)d->core_nodes);
    if (!rc)
        rc = d->diameter_low == d->diameter_high
                 ? line(b, "diameter", "%u (exact, %u searches)", d->diameter_low, d->searches)
                 : line(b, "diameter", "%u to %u (bounds after %u searches)", d->diameter_low,
                        d->diameter_high, d->searches);
    if (!rc && isnan(d->distance))
        rc = line(b, "mean distance", "- (no two nodes are connected)");
    else if (!rc && d->sources == d->component_size[0])
        rc = line(b, "mean distance", "%.4f (exact)", d->distance);
    else if (!rc)
        rc = line(b, "mean distance", "%.4f (se %s, from %u nodes)", d->distance,
                  figure(d->distance_se, 4, true).text, d->sources);
    if (!rc && !isnan(d->distance_90))
        rc = line(b, "", "90 %% of pairs within %.2f", d->distance_90);
    rc = rc ? rc : base_buffer_puts(b, "\n");
    return rc ? rc : histogram(b, d);
}

static int run(int argc, char **argv)
{
    struct graph_describe_options o = GRAPH_DESCRIBE_OPTIONS_DEFAULT;
    struct cli_graph_input input = { 0 };
    int64_t sources = o.sources, searches = o.searches;
    int n;
    const struct cli_option options[] = {
        { "sources", 0, CLI_INT, &sources, "N",
          "Nodes from which distances are measured (default 100)." },
        { "searches", 0, CLI_INT, &searches, "N",
          "Searches at most for the diameter (default 500)." },
        CLI_GRAPH_OPTIONS(input),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 1)
        return cli_usage(self, "give one file of EDGES (- is standard input)");
    if (sources < 1 || sources > UINT32_MAX || searches < 1 || searches > UINT32_MAX)
        return cli_usage(self, "--sources and --searches are at least 1");
    o.seed = (uint64_t)cli_common.seed;
    o.sources = (uint32_t)sources;
    o.searches = (uint32_t)searches;
    base_interrupt_install();
    struct graph *g = NULL;
    struct graph_description d = { 0 };
    if ((rc = cli_graph_read(self, &input, argv[1], &g)))
        return rc;
    if (graph_describe(&d, g, &o)) {
        rc = cli_fail(self);
    } else if (cli_common.json) {
        rc = cli_print_json(self, to_json(g, &d));
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, g, &d);
        rc = cli_print_text(self, &b, rc);
    }
    graph_description_free(&d);
    graph_free(g);
    return rc;
}
