/* A drawing of a small graph on report's canvas: edges below, nodes above, labels where there is
 * room, colours with a legend.
 *
 * Areas of nodes grow with their degree. An edge within a colour has a pale shade of it, one
 * between two is grey; the more edges, the paler. Labels go by degree, each to the first of four
 * places beside its node that is free of other labels and of large nodes. */
#include "base/memory.h"
#include "report/canvas.h"
#include <assay/graph.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN    28.0
#define LABEL     10.0 /* text size */
#define MOST_TEXT 24   /* characters of a label */

struct box {
    double left, top, right, bottom;
};
struct picture {
    const struct graph *g;
    const struct graph_picture *o;
    struct report_canvas c;
    double *x, *y, *r; /* on paper */
    uint32_t *order;   /* by degree, the largest first */
    struct box *taken; /* of labels */
    size_t n_taken;
    double top; /* where the drawing begins */
};

static struct report_color color_of(const struct picture *p, uint32_t v)
{
    if (!p->o->color)
        return p->c.theme->palette[0];
    if (p->o->color[v] >= p->o->n_names || p->o->color[v] >= REPORT_PALETTE)
        return p->c.theme->axis;
    return p->c.theme->palette[p->o->color[v]];
}

static uint64_t degree(const struct graph *g, uint32_t v)
{
    return graph_degree(g, v) + (g->directed ? g->in_first[v + 1] - g->in_first[v] : 0);
}

static int by_degree(const void *a, const void *b, void *context)
{
    uint32_t u = *(const uint32_t *)a, v = *(const uint32_t *)b;
    uint64_t d = degree(context, u), e = degree(context, v);
    return d != e ? (d < e ? 1 : -1) : (u > v) - (u < v);
}

/* Title, subtitle, legend; leaves p->top below them. */
static void head(struct picture *p, const char *const *legend, const struct report_color *colors,
                 size_t n)
{
    const struct graph_picture *o = p->o;
    double y = MARGIN, x = MARGIN;
    if (o->title) {
        report_canvas_color(&p->c, p->c.theme->text, 1);
        report_canvas_text(&p->c, MARGIN, y + 10, 15, true, REPORT_LEFT, o->title);
        y += 22;
    }
    if (o->subtitle) {
        report_canvas_color(&p->c, p->c.theme->muted, 1);
        report_canvas_text(&p->c, MARGIN, y + 8, 11, false, REPORT_LEFT, o->subtitle);
        y += 18;
    }
    if (n && o->color_title) {
        report_canvas_color(&p->c, p->c.theme->muted, 1);
        report_canvas_text(&p->c, x, y + 9, 11, false, REPORT_LEFT, o->color_title);
        x += report_canvas_text_width(&p->c, 11, false, o->color_title) + 14;
    }
    for (size_t i = 0; i < n; i++) {
        double wide = report_canvas_text_width(&p->c, 11, false, legend[i]) + 30;
        if (x > MARGIN && x + wide > p->c.width - MARGIN) {
            x = MARGIN;
            y += 18;
        }
        report_canvas_color(&p->c, colors[i], 1);
        report_cairo.arc(p->c.cr, x + 5, y + 5, 5, 0, 2 * M_PI);
        report_cairo.fill(p->c.cr);
        report_canvas_color(&p->c, p->c.theme->text, 1);
        report_canvas_text(&p->c, x + 15, y + 9, 11, false, REPORT_LEFT, legend[i]);
        x += wide;
    }
    p->top = n ? y + 26 : y + 6;
}

/* The legend's rows: the first colours by name, the rest as one. */
static int head_with_legend(struct picture *p)
{
    const struct graph_picture *o = p->o;
    char *legend[REPORT_PALETTE + 1] = { 0 };
    struct report_color colors[REPORT_PALETTE + 1];
    uint32_t count[REPORT_PALETTE + 1] = { 0 }, n = 0;
    int rc = 0;
    for (uint32_t v = 0; o->color && v < p->g->nodes; v++)
        count[o->color[v] < o->n_names && o->color[v] < REPORT_PALETTE ? o->color[v]
                                                                       : REPORT_PALETTE]++;
    for (uint32_t i = 0; o->color && i <= REPORT_PALETTE && !rc; i++) {
        if (!count[i])
            continue;
        colors[n] = i < REPORT_PALETTE ? p->c.theme->palette[i] : p->c.theme->axis;
        legend[n] = base_format("%s (%u)", i < REPORT_PALETTE ? o->names[i] : "other", count[i]);
        rc = legend[n++] ? 0 : BASE_E_MEMORY;
    }
    if (!rc)
        head(p, (const char *const *)legend, colors, n);
    for (uint32_t i = 0; i < n; i++)
        base_free(legend[i]);
    return rc;
}

/* Radii, and places scaled into the room below the head, both ways alike. */
static void fit(struct picture *p)
{
    const struct graph *g = p->g;
    double left = INFINITY, right = -INFINITY, low = INFINITY, high = -INFINITY, most = 1;
    for (uint32_t v = 0; v < g->nodes; v++) {
        left = fmin(left, p->o->x[v]);
        right = fmax(right, p->o->x[v]);
        low = fmin(low, p->o->y[v]);
        high = fmax(high, p->o->y[v]);
        most = fmax(most, (double)degree(g, v));
    }
    double wide = p->c.width - 2 * MARGIN, tall = p->c.height - p->top - MARGIN;
    /* nodes together cover about a twenty-fifth of the paper */
    double sum = 0;
    for (uint32_t v = 0; v < g->nodes; v++)
        sum += 1.5 + (double)degree(g, v);
    double unit = sqrt(wide * tall / 25 / M_PI / sum);
    double largest = fmin(unit * sqrt(1.5 + most), 18);
    unit = largest / sqrt(1.5 + most);
    for (uint32_t v = 0; v < g->nodes; v++)
        p->r[v] = fmax(unit * sqrt(1.5 + (double)degree(g, v)), 1.3);
    wide -= 2 * largest;
    tall -= 2 * largest;
    double scale = fmin(wide / fmax(right - left, 1e-9), tall / fmax(high - low, 1e-9));
    if (!(right - left > 1e-9) && !(high - low > 1e-9))
        scale = 1;
    scale = fmin(scale, 160); /* two nodes need not be a page apart */
    double ox = p->c.width / 2 - scale * (left + right) / 2;
    double oy = p->top + (p->c.height - p->top - MARGIN) / 2 - scale * (low + high) / 2;
    for (uint32_t v = 0; v < g->nodes; v++) {
        p->x[v] = ox + scale * p->o->x[v];
        p->y[v] = oy + scale * p->o->y[v];
    }
}

static void arrow(struct picture *p, uint32_t s, uint32_t t, double size)
{
    double dx = p->x[t] - p->x[s], dy = p->y[t] - p->y[s], length = hypot(dx, dy);
    if (length < p->r[t] + size)
        return;
    dx /= length;
    dy /= length;
    double x = p->x[t] - dx * (p->r[t] + .8), y = p->y[t] - dy * (p->r[t] + .8);
    report_cairo.move_to(p->c.cr, x, y);
    report_cairo.line_to(p->c.cr, x - dx * size - dy * size * .45, y - dy * size + dx * size * .45);
    report_cairo.line_to(p->c.cr, x - dx * size + dy * size * .45, y - dy * size - dx * size * .45);
    report_cairo.close_path(p->c.cr);
    report_cairo.fill(p->c.cr);
}

static void edges(struct picture *p)
{
    const struct graph *g = p->g;
    double many = (double)g->edges;
    double alpha = fmax(.12, fmin(.65, 12 / sqrt(many + 1))), width = many > 3000 ? .6 : .9;
    /* those between colours lie below */
    for (int within = 0; within < 2; within++)
        for (uint64_t i = 0; i < g->edges; i++) {
            uint32_t s = g->source[i], t = g->target[i];
            bool same = p->o->color && p->o->color[s] == p->o->color[t];
            if (same != (within == 1))
                continue;
            report_canvas_color(&p->c, same ? color_of(p, s) : p->c.theme->muted,
                                same ? fmin(1, 1.25 * alpha) : alpha);
            report_canvas_line(&p->c, p->x[s], p->y[s], p->x[t], p->y[t], width);
            if (g->directed && g->edges <= 3000)
                arrow(p, s, t, 5);
        }
}

static void nodes(struct picture *p)
{
    for (uint32_t i = 0; i < p->g->nodes; i++) { /* large ones first: none is hidden */
        uint32_t v = p->order[i];
        report_canvas_color(&p->c, p->c.theme->background, 1);
        report_cairo.arc(p->c.cr, p->x[v], p->y[v], p->r[v] + .8, 0, 2 * M_PI);
        report_cairo.fill(p->c.cr);
        report_canvas_color(&p->c, color_of(p, v), 1);
        report_cairo.arc(p->c.cr, p->x[v], p->y[v], p->r[v], 0, 2 * M_PI);
        report_cairo.fill(p->c.cr);
    }
}

static bool is_free(const struct picture *p, const struct box *b, uint32_t self)
{
    if (b->left < 4 || b->right > p->c.width - 4 || b->top < p->top - 6 ||
        b->bottom > p->c.height - 4)
        return false;
    for (size_t i = 0; i < p->n_taken; i++) {
        const struct box *t = &p->taken[i];
        if (b->left < t->right + 2 && b->right > t->left - 2 && b->top < t->bottom + 1 &&
            b->bottom > t->top - 1)
            return false;
    }
    for (uint32_t v = 0; v < p->g->nodes; v++) {
        if (v == self || p->r[v] < 3.5)
            continue;
        double dx = p->x[v] - fmax(b->left, fmin(p->x[v], b->right));
        double dy = p->y[v] - fmax(b->top, fmin(p->y[v], b->bottom));
        if (dx * dx + dy * dy < p->r[v] * p->r[v] * .5)
            return false;
    }
    return true;
}

/* Cut to MOST_TEXT characters, with "…". */
static char *label_text(const char *name)
{
    size_t n = 0, characters = 0;
    while (name[n] && characters < MOST_TEXT) {
        do
            n++;
        while (((unsigned char)name[n] & 0xc0) == 0x80);
        characters++;
    }
    return name[n] ? base_format("%.*s…", (int)n, name) : base_strdup(name);
}

static int labels(struct picture *p)
{
    char buffer[24];
    int rc = 0;
    for (uint32_t i = 0; i < p->g->nodes && (int64_t)p->n_taken < p->o->labels && !rc; i++) {
        uint32_t v = p->order[i];
        char *text = label_text(graph_name(p->g, v, buffer));
        if (!text)
            return BASE_E_MEMORY;
        double wide = report_canvas_text_width(&p->c, LABEL, false, text), r = p->r[v] + 3;
        const double at[4][2] = {
            { p->x[v] + r, p->y[v] - LABEL / 2 },
            { p->x[v] - r - wide, p->y[v] - LABEL / 2 },
            { p->x[v] - wide / 2, p->y[v] - r - LABEL },
            { p->x[v] - wide / 2, p->y[v] + r },
        };
        for (int k = 0; k < 4; k++) {
            struct box b = { at[k][0], at[k][1], at[k][0] + wide, at[k][1] + LABEL };
            if (!is_free(p, &b, v))
                continue;
            p->taken[p->n_taken++] = b;
            report_canvas_color(&p->c, p->c.theme->background, .72);
            report_cairo.rectangle(p->c.cr, b.left - 1.5, b.top - .5, wide + 3, LABEL + 2);
            report_cairo.fill(p->c.cr);
            report_canvas_color(&p->c, p->c.theme->text, 1);
            report_canvas_text(&p->c, b.left, b.bottom - 1.5, LABEL, false, REPORT_LEFT, text);
            break;
        }
        base_free(text);
    }
    return rc;
}

int graph_picture_write(const struct graph *g, const struct graph_picture *picture,
                        const char *path)
{
    struct picture p = { .g = g, .o = picture };
    int width = picture->width ? picture->width : 960;
    int height = picture->height ? picture->height : 720;
    int scale = picture->scale ? picture->scale : 2;
    if (g->nodes == 0)
        return base_error_set(BASE_E_ARGUMENT, "the graph has no nodes");
    if (width < 160 || width > 4096 || height < 160 || height > 4096 || scale < 1 || scale > 4)
        return base_error_set(BASE_E_ARGUMENT,
                              "%s: a drawing is 160 to 4096 points wide and high, at scale 1 to 4",
                              path);
    int rc = report_canvas_begin(&p.c, path, width, height, scale, picture->dark);
    if (rc)
        return rc;
    p.x = base_alloc(g->nodes, sizeof *p.x);
    p.y = base_alloc(g->nodes, sizeof *p.y);
    p.r = base_alloc(g->nodes, sizeof *p.r);
    p.order = base_alloc(g->nodes, sizeof *p.order);
    p.taken = base_alloc(g->nodes, sizeof *p.taken);
    rc = p.x && p.y && p.r && p.order && p.taken ? head_with_legend(&p) : BASE_E_MEMORY;
    if (!rc) {
        for (uint32_t v = 0; v < g->nodes; v++)
            p.order[v] = v;
        qsort_r(p.order, g->nodes, sizeof *p.order, by_degree, (void *)(uintptr_t)g);
        fit(&p);
        edges(&p);
        nodes(&p);
        rc = labels(&p);
    }
    rc = rc ? rc : report_canvas_write(&p.c);
    report_canvas_drop(&p.c);
    base_free(p.x);
    base_free(p.y);
    base_free(p.r);
    base_free(p.order);
    base_free(p.taken);
    return rc;
}
