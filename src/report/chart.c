/* Line charts and bar charts on a canvas; see chart.h for what they promise.
 *
 * Layout, from the top: title, subtitle, legend (as many rows as it needs), plot, tick labels, axis
 * label, note. The plot's left edge is placed after the widest tick label of the y axis. Series are
 * drawn in order, bands first, so that lines are never hidden by another's interval. */
#include "report/chart.h"
#include "base/memory.h"
#include "report/axis.h"
#include "report/canvas.h"
#include <assay/base.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PAD = 16, TITLE = 15, SMALL = 11, GAP = 8, SWATCH = 18 };

struct plot {
    struct report_canvas canvas;
    struct report_scale x, y;
    const struct report_axis *x_axis, *y_axis;
    double left, right, top, bottom; /* of the plot area, points */
    size_t missing;                  /* values that cannot be drawn */
};

static double place_x(const struct plot *p, double v)
{
    return p->left + report_scale_at(&p->x, v) * (p->right - p->left);
}

static double place_y(const struct plot *p, double v)
{
    return p->bottom - report_scale_at(&p->y, v) * (p->bottom - p->top);
}

static int axis_check(const struct report_axis *a, const char *name)
{
    if (a->fixed &&
        !(isfinite(a->min) && isfinite(a->max) && a->min < a->max && (!a->log || a->min > 0)))
        return base_error_set(BASE_E_ARGUMENT, "chart: the %s axis cannot go from %g to %g%s", name,
                              a->min, a->max, a->log ? " on a log scale" : "");
    return 0;
}

static int size_check(int width, int height, int scale)
{
    if (width < 160 || width > 4096 || height < 100 || height > 4096 || scale < 1 || scale > 4)
        return base_error_set(
            BASE_E_ARGUMENT,
            "chart: %d x %d points at scale %d: expected 160-4096 x 100-4096 at 1-4", width, height,
            scale);
    return 0;
}

static void axis_title(const struct report_axis *a, char *out, size_t bytes)
{
    if (a->label && a->unit)
        snprintf(out, bytes, "%s [%s]", a->label, a->unit);
    else
        snprintf(out, bytes, "%s", a->label ? a->label : a->unit ? a->unit : "");
}

/* Title and subtitle at the top; returns the y below them. */
static double titles_draw(struct report_canvas *c, const char *title, const char *subtitle)
{
    double y = PAD;
    if (title && *title) {
        report_canvas_color(c, c->theme->text, 1);
        report_canvas_text(c, PAD, y + TITLE, TITLE, true, REPORT_LEFT, title);
        y += TITLE + GAP;
    }
    if (subtitle && *subtitle) {
        report_canvas_color(c, c->theme->muted, 1);
        report_canvas_text(c, PAD, y + SMALL, SMALL, false, REPORT_LEFT, subtitle);
        y += SMALL + GAP;
    }
    return y;
}

struct legend_entry {
    const char *name;
    struct report_color color;
    enum report_style style;
    bool block; /* a filled square (bars) instead of a line */
};

static void legend_swatch(struct report_canvas *c, const struct legend_entry *e, double x, double y)
{
    cairo_t *cr = c->cr;
    report_canvas_color(c, e->color, e->style == REPORT_FAINT ? 0.4 : 1);
    double middle = y - SMALL * 0.36;
    if (e->block) {
        report_cairo.rectangle(cr, x + 4, middle - 5, 10, 10);
        report_cairo.fill(cr);
    } else if (e->style == REPORT_POINTS) {
        report_cairo.arc(cr, x + SWATCH / 2.0, middle, 2.6, 0, 2 * M_PI);
        report_cairo.fill(cr);
    } else {
        double dash[] = { 5, 3 };
        if (e->style == REPORT_DASHED)
            report_cairo.set_dash(cr, dash, 2, 0);
        report_canvas_line(c, x, middle, x + SWATCH, middle, e->style == REPORT_FAINT ? 1 : 2);
        report_cairo.set_dash(cr, NULL, 0, 0);
    }
}

/* Entries in rows from the left; returns the y below them. A single entry still says what is shown.
 */
static double legend_draw(struct report_canvas *c, const struct legend_entry *entries, size_t n,
                          double y)
{
    double x = PAD;
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        double width = SWATCH + 6 + report_canvas_text_width(c, SMALL, false, entries[i].name) + 18;
        if (x > PAD && x + width > c->width - PAD) {
            x = PAD;
            y += SMALL + 7;
        }
        legend_swatch(c, &entries[i], x, y + SMALL);
        report_canvas_color(c, c->theme->text, 1);
        report_canvas_text(c, x + SWATCH + 6, y + SMALL, SMALL, false, REPORT_LEFT,
                           entries[i].name);
        x += width;
        any = true;
    }
    return any ? y + SMALL + GAP : y;
}

static void note_draw(struct plot *p)
{
    if (p->missing == 0)
        return;
    char note[128];
    snprintf(note, sizeof note, "%zu value%s not drawn: not finite%s", p->missing,
             p->missing == 1 ? "" : "s",
             (p->x_axis && p->x_axis->log) || (p->y_axis && p->y_axis->log)
                 ? ", or not positive on a log axis"
                 : "");
    report_canvas_color(&p->canvas, p->canvas.theme->muted, 1);
    report_canvas_text(&p->canvas, p->canvas.width - PAD, p->canvas.height - 6, 9, false,
                       REPORT_RIGHT, note);
}

/* Grid, tick labels and axis titles. Lines lie on half points so that they are sharp. */
static void frame_draw(struct plot *p)
{
    struct report_canvas *c = &p->canvas;
    char label[256];
    for (size_t i = 0; i < p->y.n_ticks; i++) {
        double y = place_y(p, p->y.tick[i]);
        report_canvas_color(c, c->theme->grid, 1);
        report_canvas_line(c, p->left, y, p->right, y, 1);
        report_scale_label(&p->y, i, label);
        report_canvas_color(c, c->theme->muted, 1);
        report_canvas_text(c, p->left - GAP, y + SMALL * 0.36, SMALL, false, REPORT_RIGHT, label);
    }
    report_canvas_color(c, c->theme->axis, 1);
    report_canvas_line(c, p->left, p->bottom, p->right, p->bottom, 1);
    for (size_t i = 0; i < p->x.n_ticks; i++) {
        double x = place_x(p, p->x.tick[i]);
        report_canvas_color(c, c->theme->axis, 1);
        report_canvas_line(c, x, p->bottom, x, p->bottom + 4, 1);
        report_scale_label(&p->x, i, label);
        report_canvas_color(c, c->theme->muted, 1);
        report_canvas_text(c, x, p->bottom + 6 + SMALL, SMALL, false, REPORT_CENTER, label);
    }
    axis_title(p->x_axis, label, sizeof label);
    if (*label) {
        report_canvas_color(c, c->theme->text, 1);
        report_canvas_text(c, (p->left + p->right) / 2, p->bottom + 14 + 2 * SMALL, SMALL, false,
                           REPORT_CENTER, label);
    }
}

/* The y axis' title stands above the plot's top left corner: it is read without turning the head.
 */
static double y_title_draw(struct plot *p, double y)
{
    char label[256];
    axis_title(p->y_axis, label, sizeof label);
    if (!*label)
        return y;
    report_canvas_color(&p->canvas, p->canvas.theme->text, 1);
    report_canvas_text(&p->canvas, PAD, y + SMALL, SMALL, false, REPORT_LEFT, label);
    return y + SMALL + GAP;
}

static double labels_width(struct report_canvas *c, const struct report_scale *s)
{
    double widest = 0;
    char label[32];
    for (size_t i = 0; i < s->n_ticks; i++) {
        report_scale_label(s, i, label);
        widest = fmax(widest, report_canvas_text_width(c, SMALL, false, label));
    }
    return widest;
}

static void range_add(double v, const struct report_axis *a, double *low, double *high)
{
    if (report_drawable(a, v)) {
        *low = fmin(*low, v);
        *high = fmax(*high, v);
    }
}

static bool point_drawable(const struct report_chart *ch, const struct report_series *s, size_t i)
{
    return report_drawable(&ch->x, s->x[i]) && report_drawable(&ch->y, s->y[i]);
}

static void ranges_find(const struct report_chart *ch, struct plot *p, double x[2], double y[2])
{
    x[0] = y[0] = INFINITY;
    x[1] = y[1] = -INFINITY;
    for (size_t k = 0; k < ch->n_series; k++) {
        const struct report_series *s = &ch->series[k];
        for (size_t i = 0; i < s->n; i++) {
            if (!point_drawable(ch, s, i)) {
                p->missing++;
                continue;
            }
            range_add(s->x[i], &ch->x, &x[0], &x[1]);
            range_add(s->y[i], &ch->y, &y[0], &y[1]);
            if (s->low && s->high) {
                range_add(s->low[i], &ch->y, &y[0], &y[1]);
                range_add(s->high[i], &ch->y, &y[0], &y[1]);
            }
        }
    }
}

static bool interval_drawable(const struct report_chart *ch, const struct report_series *s,
                              size_t i)
{
    return s->low && s->high && report_drawable(&ch->x, s->x[i]) &&
           report_drawable(&ch->y, s->low[i]) && report_drawable(&ch->y, s->high[i]);
}

/* Each unbroken run of intervals is one polygon: along the highs, back along the lows. */
static void band_draw(struct plot *p, const struct report_chart *ch, const struct report_series *s,
                      struct report_color color)
{
    cairo_t *cr = p->canvas.cr;
    report_canvas_color(&p->canvas, color, 0.18);
    for (size_t i = 0; i < s->n;) {
        if (!interval_drawable(ch, s, i)) {
            i++;
            continue;
        }
        size_t end = i;
        for (; end < s->n && interval_drawable(ch, s, end); end++)
            report_cairo.line_to(cr, place_x(p, s->x[end]), place_y(p, s->high[end]));
        for (size_t j = end; j-- > i;)
            report_cairo.line_to(cr, place_x(p, s->x[j]), place_y(p, s->low[j]));
        report_cairo.close_path(cr);
        report_cairo.fill(cr);
        i = end;
    }
}

static void whiskers_draw(struct plot *p, const struct report_chart *ch,
                          const struct report_series *s, struct report_color color)
{
    report_canvas_color(&p->canvas, color, 0.8);
    for (size_t i = 0; i < s->n; i++) {
        if (!interval_drawable(ch, s, i))
            continue;
        double x = place_x(p, s->x[i]), low = place_y(p, s->low[i]), high = place_y(p, s->high[i]);
        report_canvas_line(&p->canvas, x, low, x, high, 1.2);
        report_canvas_line(&p->canvas, x - 3, low, x + 3, low, 1.2);
        report_canvas_line(&p->canvas, x - 3, high, x + 3, high, 1.2);
    }
}

/* Adds points i .. end-1 to the path. With many points per column of the plot only each column's
 * first, lowest, highest and last are kept: the picture is the same, the file stays small. */
static void run_path(struct plot *p, const struct report_series *s, size_t i, size_t end)
{
    cairo_t *cr = p->canvas.cr;
    bool thin = end - i > 8 * (size_t)(p->right - p->left);
    while (i < end) {
        size_t stop = i + 1, low = i, high = i;
        double column = floor(place_x(p, s->x[i]));
        if (thin)
            for (; stop < end && floor(place_x(p, s->x[stop])) == column; stop++) {
                if (s->y[stop] < s->y[low])
                    low = stop;
                if (s->y[stop] > s->y[high])
                    high = stop;
            }
        size_t keep[4] = { i, low < high ? low : high, low < high ? high : low, stop - 1 };
        for (int k = 0; k < 4; k++)
            if (k == 0 || keep[k] != keep[k - 1])
                report_cairo.line_to(cr, place_x(p, s->x[keep[k]]), place_y(p, s->y[keep[k]]));
        i = stop;
    }
}

static void dot_draw(struct plot *p, double x, double y, double radius)
{
    report_cairo.new_sub_path(p->canvas.cr);
    report_cairo.arc(p->canvas.cr, place_x(p, x), place_y(p, y), radius, 0, 2 * M_PI);
    report_cairo.fill(p->canvas.cr);
}

static void line_draw(struct plot *p, const struct report_chart *ch, const struct report_series *s,
                      struct report_color color)
{
    cairo_t *cr = p->canvas.cr;
    double dash[] = { 6, 4 };
    report_canvas_color(&p->canvas, color, s->style == REPORT_FAINT ? 0.32 : 1);
    for (size_t i = 0; i < s->n;) {
        if (!point_drawable(ch, s, i)) {
            i++;
            continue;
        }
        size_t end = i;
        while (end < s->n && point_drawable(ch, s, end))
            end++;
        if (s->style == REPORT_POINTS || end - i == 1) {
            for (; i < end; i++)
                dot_draw(p, s->x[i], s->y[i], s->style == REPORT_FAINT ? 1.5 : 2.6);
            continue;
        }
        report_cairo.set_line_width(cr, s->style == REPORT_FAINT ? 1 : 2);
        if (s->style == REPORT_DASHED)
            report_cairo.set_dash(cr, dash, 2, 0);
        run_path(p, s, i, end);
        report_cairo.stroke(cr);
        report_cairo.set_dash(cr, NULL, 0, 0);
        i = end;
    }
}

/* Which palette entry each series has: its own choice, or the next one in turn. */
static size_t color_of(const struct report_chart *ch, size_t k)
{
    if (ch->series[k].color > 0)
        return (size_t)ch->series[k].color - 1;
    size_t turn = 0;
    for (size_t i = 0; i < k; i++)
        turn += ch->series[i].color <= 0;
    return turn;
}

static void empty_draw(struct plot *p)
{
    report_canvas_color(&p->canvas, p->canvas.theme->muted, 1);
    report_canvas_text(&p->canvas, (p->left + p->right) / 2, (p->top + p->bottom) / 2, TITLE, false,
                       REPORT_CENTER, "no data");
}

static double chart_legend(struct plot *p, const struct report_chart *ch, double y)
{
    struct legend_entry *entries = base_alloc(ch->n_series, sizeof *entries);
    if (!entries)
        return -1;
    size_t n = 0;
    for (size_t k = 0; k < ch->n_series; k++)
        if (ch->series[k].name)
            entries[n++] =
                (struct legend_entry){ ch->series[k].name,
                                       report_canvas_palette(&p->canvas, color_of(ch, k)),
                                       ch->series[k].style, false };
    y = legend_draw(&p->canvas, entries, n, y);
    base_free(entries);
    return y;
}

int report_chart_write(const struct report_chart *ch, const char *path)
{
    int width = ch->width ? ch->width : 800, height = ch->height ? ch->height : 480,
        scale = ch->scale ? ch->scale : 2;
    int rc = size_check(width, height, scale);
    if (!rc)
        rc = axis_check(&ch->x, "x");
    if (!rc)
        rc = axis_check(&ch->y, "y");
    if (rc)
        return rc;
    struct plot p = { .x_axis = &ch->x, .y_axis = &ch->y };
    if ((rc = report_canvas_begin(&p.canvas, path, width, height, scale, ch->dark)))
        return rc;
    double x[2], y[2];
    ranges_find(ch, &p, x, y);
    double top = chart_legend(&p, ch, titles_draw(&p.canvas, ch->title, ch->subtitle));
    if (top < 0) {
        report_canvas_drop(&p.canvas);
        return BASE_E_MEMORY;
    }
    p.top = y_title_draw(&p, top) + 4;
    p.bottom = height - PAD - SMALL - 8 - (ch->x.label || ch->x.unit ? SMALL + GAP : 0) -
               (p.missing ? 8 : 0);
    p.right = width - PAD - 8;
    report_scale_make(&p.y, &ch->y, y[0], y[1], (int)((p.bottom - p.top) / 48), false);
    p.left = ceil(PAD + labels_width(&p.canvas, &p.y) + GAP);
    report_scale_make(&p.x, &ch->x, x[0], x[1], (int)((p.right - p.left) / 84), false);
    frame_draw(&p);
    if (x[0] > x[1])
        empty_draw(&p);
    /* a fixed range may cut curves: clip, with room for the width of a line at the edges */
    report_cairo.save(p.canvas.cr);
    report_cairo.rectangle(p.canvas.cr, p.left - 1, p.top - 3, p.right - p.left + 4,
                           p.bottom - p.top + 4);
    report_cairo.clip(p.canvas.cr);
    for (size_t k = 0; k < ch->n_series; k++)
        if (ch->series[k].interval == REPORT_BAND)
            band_draw(&p, ch, &ch->series[k], report_canvas_palette(&p.canvas, color_of(ch, k)));
    for (size_t k = 0; k < ch->n_series; k++) {
        struct report_color color = report_canvas_palette(&p.canvas, color_of(ch, k));
        if (ch->series[k].interval == REPORT_WHISKERS)
            whiskers_draw(&p, ch, &ch->series[k], color);
        line_draw(&p, ch, &ch->series[k], color);
    }
    report_cairo.restore(p.canvas.cr);
    note_draw(&p);
    return report_canvas_write(&p.canvas);
}

/* Bars */

enum { BAR = 14, BAR_GAP = 3, ROW_GAP = 12 };

static double bars_legend(struct plot *p, const struct report_bars *b, double y)
{
    struct legend_entry *entries = base_alloc(b->n_groups + 1, sizeof *entries);
    if (!entries)
        return -1;
    size_t n = 0;
    for (size_t g = 0; b->groups && g < b->n_groups; g++)
        entries[n++] = (struct legend_entry){ b->groups[g], report_canvas_palette(&p->canvas, g),
                                              REPORT_LINE, true };
    if (b->reference && b->reference_name)
        entries[n++] =
            (struct legend_entry){ b->reference_name, p->canvas.theme->text, REPORT_DASHED, false };
    y = legend_draw(&p->canvas, entries, n, y);
    base_free(entries);
    return y;
}

/* Text that fits into width points, cut with an ellipsis at a character's boundary when it must be.
 */
static void text_fitted(struct report_canvas *c, double right, double y, double width,
                        const char *text)
{
    if (report_canvas_text_width(c, SMALL, false, text) <= width) {
        report_canvas_text(c, right, y, SMALL, false, REPORT_RIGHT, text);
        return;
    }
    char cut[256];
    size_t keep = strlen(text) < sizeof cut - 4 ? strlen(text) : sizeof cut - 4;
    do {
        while (keep > 0 && ((unsigned char)text[--keep] & 0xc0) == 0x80)
            ;
        snprintf(cut, sizeof cut, "%.*s\u2026", (int)keep, text);
    } while (keep > 0 && report_canvas_text_width(c, SMALL, false, cut) > width);
    report_canvas_text(c, right, y, SMALL, false, REPORT_RIGHT, cut);
}

static void bar_draw(struct plot *p, const struct report_bars *b, size_t row, size_t group,
                     double y, double thick)
{
    size_t i = row * b->n_groups + group;
    struct report_canvas *c = &p->canvas;
    double v = b->values[i];
    if (!isfinite(v)) {
        report_canvas_color(c, c->theme->muted, 1);
        report_canvas_text(c, place_x(p, 0) + 4, y + thick / 2 + 4, SMALL, false, REPORT_LEFT,
                           "no value");
        return;
    }
    double zero = place_x(p, 0), end = place_x(p, v), text_from = b->points ? end : fmax(end, zero);
    report_canvas_color(c, report_canvas_palette(c, group), 1);
    if (!b->points) {
        report_cairo.rectangle(c->cr, fmin(zero, end), y, fabs(end - zero), thick);
        report_cairo.fill(c->cr);
    }
    if (b->low && b->high && isfinite(b->low[i]) && isfinite(b->high[i])) {
        double low = place_x(p, b->low[i]), high = place_x(p, b->high[i]), middle = y + thick / 2;
        report_canvas_color(c, c->theme->text, 0.85);
        report_canvas_line(c, low, middle, high, middle, 1.2);
        report_canvas_line(c, low, middle - 3, low, middle + 3, 1.2);
        report_canvas_line(c, high, middle - 3, high, middle + 3, 1.2);
        text_from = fmax(text_from, high);
    }
    if (b->points) { /* over its whiskers */
        report_canvas_color(c, report_canvas_palette(c, group), 1);
        report_cairo.new_sub_path(c->cr);
        report_cairo.arc(c->cr, end, y + thick / 2, fmin(4.5, thick / 2), 0, 2 * M_PI);
        report_cairo.fill(c->cr);
    }
    char number[32], label[40];
    report_number(v, number);
    snprintf(label, sizeof label, "%s%s", b->points && v > 0 ? "+" : "", number);
    report_canvas_color(c, c->theme->text, 1);
    report_canvas_text(c, text_from + 5, y + thick / 2 + 4, SMALL, false, REPORT_LEFT, label);
}

static int bars_check(const struct report_bars *b)
{
    if (b->value.log)
        return base_error_set(BASE_E_ARGUMENT, "bar chart: a log axis has no zero for bars to "
                                               "start from; use a line chart with points");
    if (b->n_groups == 0 || b->n_groups > 64 || b->n > 4096)
        return base_error_set(
            BASE_E_ARGUMENT, "bar chart: %zu rows of %zu bars: expected up to 4096 rows of 1 to 64",
            b->n, b->n_groups);
    return axis_check(&b->value, "value");
}

int report_bars_write(const struct report_bars *b, const char *path)
{
    int rc = bars_check(b);
    if (rc)
        return rc;
    double row = (double)b->n_groups * (BAR + BAR_GAP) + ROW_GAP;
    double wanted = 150 + row * (double)(b->n ? b->n : 2);
    int width = b->width ? b->width : 800, scale = b->scale ? b->scale : 2;
    int height = b->height ? b->height : (int)fmin(4096, wanted);
    if ((rc = size_check(width, height, scale)))
        return rc;
    struct plot p = { .x_axis = &b->value };
    if ((rc = report_canvas_begin(&p.canvas, path, width, height, scale, b->dark)))
        return rc;
    struct report_canvas *c = &p.canvas;
    double low = INFINITY, high = -INFINITY, names = 0;
    for (size_t i = 0; i < b->n * b->n_groups; i++) {
        if (!isfinite(b->values[i])) {
            p.missing++;
            continue;
        }
        range_add(b->values[i], &b->value, &low, &high);
        if (b->low && b->high) {
            range_add(b->low[i], &b->value, &low, &high);
            range_add(b->high[i], &b->value, &low, &high);
        }
    }
    if (b->reference)
        range_add(*b->reference, &b->value, &low, &high);
    for (size_t r = 0; r < b->n; r++)
        names = fmax(names, report_canvas_text_width(c, SMALL, false, b->categories[r]));
    names = fmin(names, width * 0.4);
    double top = bars_legend(&p, b, titles_draw(c, b->title, b->subtitle));
    if (top < 0) {
        report_canvas_drop(c);
        return BASE_E_MEMORY;
    }
    p.top = top + 4;
    p.left = ceil(PAD + names + GAP);
    p.right = width - PAD - 48; /* room for the value beside the longest bar */
    p.bottom = height - PAD - SMALL - 8 - (b->value.label || b->value.unit ? SMALL + GAP : 0) -
               (p.missing ? 8 : 0);
    report_scale_make(&p.x, &b->value, low, high, (int)((p.right - p.left) / 84), true);
    for (size_t i = 0; i < p.x.n_ticks; i++) {
        double x = place_x(&p, p.x.tick[i]);
        report_canvas_color(c, c->theme->grid, 1);
        report_canvas_line(c, x, p.top, x, p.bottom, 1);
    }
    frame_draw(&p);
    if (b->n == 0 || low > high)
        empty_draw(&p);
    row = (p.bottom - p.top) / (double)(b->n ? b->n : 1);
    double thick = fmin(22, (row - fmin(ROW_GAP, row * 0.3)) / (double)b->n_groups - BAR_GAP);
    for (size_t r = 0; r < b->n && low <= high; r++) {
        double block = (double)b->n_groups * (thick + BAR_GAP) - BAR_GAP;
        double y = p.top + row * (double)r + (row - block) / 2;
        report_canvas_color(c, c->theme->text, 1);
        text_fitted(c, p.left - GAP, y + block / 2 + 4, names + 1, b->categories[r]);
        for (size_t g = 0; g < b->n_groups; g++)
            bar_draw(&p, b, r, g, y + (double)g * (thick + BAR_GAP), fmax(thick, 1));
    }
    report_canvas_color(c, c->theme->axis, 1);
    if (p.x.min <= 0 && p.x.max >= 0)
        report_canvas_line(c, place_x(&p, 0), p.top, place_x(&p, 0), p.bottom, 1);
    if (b->reference && isfinite(*b->reference)) {
        double dash[] = { 5, 4 }, x = place_x(&p, *b->reference);
        report_canvas_color(c, c->theme->text, 0.8);
        report_cairo.set_dash(c->cr, dash, 2, 0);
        report_canvas_line(c, x, p.top, x, p.bottom, 1.5);
        report_cairo.set_dash(c->cr, NULL, 0, 0);
    }
    note_draw(&p);
    return report_canvas_write(c);
}

void report_smooth(const double *y, size_t n, double half_life, double *out)
{
    double keep = half_life > 0 ? exp2(-1 / half_life) : 0, sum = 0, weight = 0;
    for (size_t i = 0; i < n; i++) {
        sum *= keep;
        weight *= keep;
        if (isfinite(y[i])) {
            sum += y[i];
            weight += 1;
        }
        out[i] = weight > 0 ? sum / weight : NAN;
    }
}
