/* assay graph draw: a picture of a small graph. */
#include "base/memory.h"
#include "base/progress.h"
#include "cli/display.h"
#include "cli/graph_input.h"
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_graph_draw = {
    .name = "graph draw",
    .synopsis = "-o FILE.svg [options] EDGES",
    .summary = "Draw a small graph, as SVG, PNG or PDF",
    .details =
        "Nodes are placed by forces: edges pull, nodes push (--layout force, Fruchterman and "
        "Reingold), or so that distances on paper are like distances in the graph (--layout "
        "spring, Kamada and Kawai, for up to some hundred nodes). Components are laid out each by "
        "itself. The area of a node grows with its degree; colours are communities (Louvain), or "
        "--color COLUMN of the table --attributes. Labels go to the nodes of highest degree, as "
        "many as --labels says and fit.\n\n"
        "The same seed gives the same picture, byte for byte, with the same igraph and fonts. "
        "Large graphs (above 10,000 nodes) are refused: draw a sample.\n\n"
        "  assay graph draw builtin:friends -o friends.svg\n"
        "  assay graph draw builtin:friends --attributes builtin:people --color club -o clubs.png\n"
        "  assay graph sample snowball -n 200 --k 5 edges.csv -o s.graphml\n"
        "  assay graph draw s.graphml --dark -o s.pdf",
    .run = run,
};
static const struct cli_command *const self = &cli_command_graph_draw;

struct arguments {
    struct cli_graph_input input;
    const char *layout, *attributes, *id, *color, *title;
    int64_t labels, width, height, scale;
    bool dark;
};
struct drawing {
    struct graph *g;
    double *x, *y;
    uint32_t *membership;
    char **names; /* of colours, ours */
    uint32_t n_names;
    double modularity;
    struct graph_attribute attribute;
};

static int name_communities(struct drawing *d, uint32_t n)
{
    if (!(d->names = base_alloc_zero(n, sizeof *d->names)))
        return BASE_E_MEMORY;
    d->n_names = n;
    for (uint32_t i = 0; i < n; i++)
        if (!(d->names[i] = base_format("%u", i + 1)))
            return BASE_E_MEMORY;
    return 0;
}

static int read_attribute(struct drawing *d, const struct arguments *a)
{
    const uint32_t n = d->g->nodes;
    char *numbers = base_alloc(n, 24);
    const char **names = base_alloc(n, sizeof *names);
    int rc = numbers && names ? 0 : BASE_E_MEMORY;
    for (uint32_t v = 0; v < n && !rc; v++)
        names[v] = graph_name(d->g, v, numbers + 24 * (size_t)v);
    rc = rc ? rc
            : graph_attribute_read(&d->attribute, a->attributes, NULL, a->id, a->color, names, n);
    if (!rc && d->attribute.missing == n)
        rc = base_error_set(BASE_E_ARGUMENT, "%s: none of the nodes is in it (by column %s)",
                            a->attributes, a->id ? a->id : "1");
    if (!rc && d->attribute.missing)
        base_log("%s: nothing on %llu of %u nodes", a->attributes,
                 (unsigned long long)d->attribute.missing, n);
    base_free(numbers);
    base_free(names);
    return rc;
}

static int draw(struct drawing *d, const struct arguments *a, enum graph_layout layout)
{
    struct graph *g = d->g;
    struct graph_picture p = { .title = a->title,
                               .labels = a->labels,
                               .width = (int)a->width,
                               .height = (int)a->height,
                               .scale = (int)a->scale,
                               .dark = a->dark };
    char subtitle[160];
    uint32_t communities = 0;
    int rc = 0;
    d->x = base_alloc(g->nodes, sizeof *d->x);
    d->y = base_alloc(g->nodes, sizeof *d->y);
    if (!d->x || !d->y)
        return BASE_E_MEMORY;
    /* first, as it refuses graphs that are too large to draw */
    double aspect = (double)a->width / (double)a->height;
    if ((rc = graph_layout_make(g, layout, (uint64_t)cli_common.seed, aspect, d->x, d->y)))
        return rc;
    size_t at = (size_t)snprintf(subtitle, sizeof subtitle, "%u nodes, %llu %s", g->nodes,
                                 (unsigned long long)g->edges, g->directed ? "arcs" : "edges");
    if (a->color && strcmp(a->color, "none") != 0) {
        if ((rc = read_attribute(d, a)))
            return rc;
        p.color = d->attribute.code;
        p.names = (const char *const *)d->attribute.level;
        p.n_names = d->attribute.levels;
        p.color_title = a->color;
    } else if (!a->color) {
        if (!(d->membership = base_alloc(g->nodes, sizeof *d->membership)))
            return BASE_E_MEMORY;
        if ((rc = graph_communities(g, (uint64_t)cli_common.seed, d->membership, &communities,
                                    &d->modularity)) ||
            (rc = name_communities(d, communities)))
            return rc;
        p.color = d->membership;
        p.names = (const char *const *)d->names;
        p.n_names = communities;
        p.color_title = "community";
        if (!isnan(d->modularity))
            snprintf(subtitle + at, sizeof subtitle - at, "; %u communities, modularity %.2f",
                     communities, d->modularity);
    }
    p.subtitle = subtitle;
    p.x = d->x;
    p.y = d->y;
    return graph_picture_write(g, &p, cli_common.output);
}

static int tell(const struct drawing *d)
{
    const char *file = cli_common.output;
    json_t *o = NULL, *places = NULL;
    char name[24];
    if (!cli_common.json) {
        base_log("%s: %u nodes, %llu edges", file, d->g->nodes, (unsigned long long)d->g->edges);
        return 0;
    }
    places = json_object();
    for (uint32_t v = 0; places && v < d->g->nodes; v++) {
        json_t *place = json_pack("{s:f, s:f}", "x", d->x[v], "y", d->y[v]);
        if (d->membership)
            json_object_set_new(place, "community", json_integer(d->membership[v] + 1));
        json_object_set_new(places, graph_name(d->g, v, name), place);
    }
    o = json_pack("{s:s, s:I, s:I, s:o}", "file", file, "nodes", (json_int_t)d->g->nodes, "edges",
                  (json_int_t)d->g->edges, "places", places);
    if (o && d->membership)
        json_object_set_new(o, "modularity", base_json_number(d->modularity));
    cli_common.output = NULL; /* that is the picture */
    return cli_print_json(self, o);
}

static int run(int argc, char **argv)
{
    struct arguments a = { .labels = 30, .width = 960, .height = 720, .scale = 2 };
    struct drawing d = { 0 };
    int n;
    const struct cli_option options[] = {
        { "layout", 0, CLI_STRING, &a.layout, "HOW", "force (default) or spring." },
        { "attributes", 0, CLI_STRING, &a.attributes, "FILE", "A table on the nodes." },
        { "id", 0, CLI_STRING, &a.id, "COLUMN", "Its column of names (default: the first)." },
        { "color", 0, CLI_STRING, &a.color, "COLUMN",
          "Its column for the colours; none = all alike (default: communities)." },
        { "labels", 0, CLI_INT, &a.labels, "N", "Labels at most (default 30)." },
        { "title", 0, CLI_STRING, &a.title, "TEXT", "A title." },
        { "width", 0, CLI_INT, &a.width, "N", "Points (default 960)." },
        { "height", 0, CLI_INT, &a.height, "N", "Points (default 720)." },
        { "scale", 0, CLI_INT, &a.scale, "N", "PNG pixels per point (default 2)." },
        { "dark", 0, CLI_FLAG, &a.dark, NULL, "On a dark ground." },
        CLI_GRAPH_OPTIONS(a.input),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    enum graph_layout layout = GRAPH_LAYOUT_FORCE;
    if (a.layout && strcmp(a.layout, "spring") == 0)
        layout = GRAPH_LAYOUT_SPRING;
    else if (a.layout && strcmp(a.layout, "force") != 0)
        return cli_usage(self, "--layout %s: choose force or spring", a.layout);
    if (n != 1)
        return cli_usage(self, "give one file of EDGES (- is standard input)");
    if (!cli_common.output)
        return cli_usage(self, "say where to: -o FILE.svg (or .png, .pdf)");
    if ((a.color && strcmp(a.color, "none") != 0) != (a.attributes != NULL))
        return cli_usage(self, "--attributes FILE and --color COLUMN go together");
    if (a.labels < 0 || a.width < 160 || a.width > 4096 || a.height < 160 || a.height > 4096 ||
        a.scale < 1 || a.scale > 4)
        return cli_usage(self, "--labels is at least 0, --width and --height are 160 to 4096, "
                               "--scale is 1 to 4");
    base_interrupt_install();
    if ((rc = cli_graph_read(self, &a.input, argv[1], &d.g)))
        return rc;
    rc = draw(&d, &a, layout) ? cli_fail(self) : tell(&d);
    graph_attribute_free(&d.attribute);
    for (uint32_t i = 0; i < d.n_names; i++)
        base_free(d.names[i]);
    base_free(d.names);
    base_free(d.x);
    base_free(d.y);
    base_free(d.membership);
    graph_free(d.g);
    return rc;
}
