/* Charts of a comparison; see graph.h. */
#include "base/memory.h"
#include "report/chart.h"
#include <assay/graph.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Points of a distribution: share at least x (complement; one per distinct value, for logarithmic
 * axes), or share at most x, as steps. */
struct curve {
    double *x, *y;
    size_t n;
};

static int curve_make(struct curve *c, const double *sorted, size_t n, bool complement)
{
    c->x = base_alloc(n, 2 * sizeof *c->x);
    c->y = base_alloc(n, 2 * sizeof *c->y);
    c->n = 0;
    if (!c->x || !c->y)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n;) {
        size_t j = i;
        while (j < n && sorted[j] == sorted[i])
            j++;
        if (!complement) {
            c->x[c->n] = sorted[i];
            c->y[c->n++] = (double)i / (double)n;
        }
        c->x[c->n] = sorted[i];
        c->y[c->n++] = (complement ? (double)(n - i) : (double)j) / (double)n;
        i = j;
    }
    return 0;
}

static void curve_free(struct curve *c)
{
    base_free(c->x);
    base_free(c->y);
    *c = (struct curve){ 0 };
}

static int chart(const char *path, const char *name, bool dark, const char *title,
                 const char *subtitle, const char *x, const char *y, bool log,
                 const struct curve *curve, const char *const *names, size_t n)
{
    struct report_series series[3];
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    if (!dot || (slash && dot < slash))
        dot = path + strlen(path);
    char *file = base_format("%.*s-%s%s", (int)(dot - path), path, name, dot);
    if (!file)
        return BASE_E_MEMORY;
    memset(series, 0, sizeof series);
    for (size_t i = 0; i < n; i++)
        series[i] = (struct report_series){ .name = names[i],
                                            .x = curve[i].x,
                                            .y = curve[i].y,
                                            .n = curve[i].n,
                                            .style = curve[i].n < 2 ? REPORT_POINTS
                                                     : i == 2       ? REPORT_DASHED
                                                                    : REPORT_LINE,
                                            .color = (int)i + 1 };
    struct report_chart c = { .title = title,
                              .subtitle = subtitle,
                              .x = { .label = x, .log = log },
                              .y = { .label = y, .log = log },
                              .series = series,
                              .n_series = n,
                              .dark = dark };
    int rc = report_chart_write(&c, file);
    base_free(file);
    return rc;
}

int graph_comparison_plot(const struct graph_comparison *c, const char *path, bool dark)
{
    static const char *const names[] = { "graph", "sample", "sample's nodes in the graph" };
    const struct graph_compared *m = c->measure;
    struct curve curve[3] = { 0 };
    char subtitle[160];
    int rc;
    if ((rc = curve_make(&curve[0], m[GRAPH_COMPARE_DEGREE].graph, m[GRAPH_COMPARE_DEGREE].n_graph,
                         true)) ||
        (rc = curve_make(&curve[1], m[GRAPH_COMPARE_DEGREE].sample,
                         m[GRAPH_COMPARE_DEGREE].n_sample, true)) ||
        (rc = curve_make(&curve[2], m[GRAPH_COMPARE_CHOICE].sample,
                         m[GRAPH_COMPARE_CHOICE].n_sample, true)))
        goto out;
    snprintf(subtitle, sizeof subtitle, "D = %.3f within the sample, %.3f for who was chosen",
             m[GRAPH_COMPARE_DEGREE].d, m[GRAPH_COMPARE_CHOICE].d);
    if ((rc = chart(path, "degree", dark, "Degrees", subtitle, "degree",
                    "share of nodes with at least that degree", true, curve, names, 3)))
        goto out;
    static const struct {
        enum graph_compare_measure k;
        const char *name, *title, *x, *y;
        bool log;
    } more[] = {
        { GRAPH_COMPARE_CLUSTERING, "clustering", "Clustering", "local clustering coefficient",
          "share of nodes at or below it", false },
        { GRAPH_COMPARE_COMPONENTS, "components", "Components but the largest",
          "nodes of the component", "share of components of at least that size", true },
    };
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < 3; k++)
            curve_free(&curve[k]);
        const struct graph_compared *x = &m[more[i].k];
        if ((rc = curve_make(&curve[0], x->graph, x->n_graph, more[i].log)) ||
            (rc = curve_make(&curve[1], x->sample, x->n_sample, more[i].log)))
            goto out;
        if (isnan(x->d))
            snprintf(subtitle, sizeof subtitle, "%s",
                     more[i].k == GRAPH_COMPARE_CLUSTERING
                         ? "no node of two edges in one of the two"
                         : "one of the two has one component only");
        else
            snprintf(subtitle, sizeof subtitle, "D = %.3f", x->d);
        if ((rc = chart(path, more[i].name, dark, more[i].title, subtitle, more[i].x, more[i].y,
                        more[i].log, curve, names, 2)))
            goto out;
    }
out:
    for (size_t k = 0; k < 3; k++)
        curve_free(&curve[k]);
    return rc;
}
