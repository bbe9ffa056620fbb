/* Confusion matrices and reliability diagrams as picture files; see chart.h. */
#include "base/memory.h"
#include "report/axis.h"
#include "report/canvas.h"
#include "report/chart.h"
#include <assay/base.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PAD = 16, TITLE = 15, SMALL = 11, GAP = 8, CELL_MIN = 46, CELL_HEIGHT = 40 };

/* The colour between the background and the palette's first. */
static struct report_color shade(const struct report_canvas *c, double share)
{
    struct report_color from = c->theme->background, to = report_canvas_palette(c, 0);
    double w = 0.04 + 0.96 * share;
    return (struct report_color){ from.r + (to.r - from.r) * w, from.g + (to.g - from.g) * w,
                                  from.b + (to.b - from.b) * w };
}

static void cell(struct report_canvas *c, double x, double y, double width, double count,
                 double share)
{
    char text[48];
    report_canvas_color(c, shade(c, share), 1);
    report_cairo.rectangle(c->cr, x + 1, y + 1, width - 2, CELL_HEIGHT - 2);
    report_cairo.fill(c->cr);
    report_canvas_color(c, share > 0.55 ? c->theme->background : c->theme->text, 1);
    report_number(count, text);
    report_canvas_text(c, x + width / 2, y + 18, SMALL + 1, true, REPORT_CENTER, text);
    snprintf(text, sizeof text, "%.0f %%", 100 * share);
    report_canvas_text(c, x + width / 2, y + 32, SMALL - 2, false, REPORT_CENTER, text);
}

/* Text widths are asked of a canvas, and a canvas needs its size: the widest label is estimated
 * first with six points a letter, which DejaVu Sans at this size rarely exceeds. */
static double label_room(const struct report_heat *h)
{
    size_t widest = 0;
    for (size_t i = 0; i < h->n; i++)
        widest = strlen(h->labels[i]) > widest ? strlen(h->labels[i]) : widest;
    return fmin(180, 7.0 * (double)widest);
}

int report_heat_write(const struct report_heat *h, const char *path)
{
    if (h->n == 0 || h->n > 64)
        return base_error_set(BASE_E_ARGUMENT, "heat map: %zu labels: expected 1 to 64", h->n);
    for (size_t i = 0; i < h->n * h->n; i++)
        if (!(h->counts[i] >= 0) || !isfinite(h->counts[i]))
            return base_error_set(BASE_E_ARGUMENT,
                                  "heat map: count %g of row %zu, column %zu: "
                                  "expected a number from 0",
                                  h->counts[i], i / h->n, i % h->n);
    double room = label_room(h), n = (double)h->n;
    double cell_width = fmax(CELL_MIN, fmin(room + 8, 96));
    double left = PAD + room + GAP;
    double width = h->width ? h->width : fmax(320, left + n * cell_width + PAD);
    if (h->width)
        cell_width = (width - left - PAD) / n;
    double top = PAD + (h->title ? TITLE + GAP : 0) + (h->subtitle ? SMALL + GAP : 0) +
                 (h->column_label ? SMALL + GAP : 0) + SMALL + GAP;
    double height = top + n * CELL_HEIGHT + PAD;
    if (width > 4096 || height > 4096 || cell_width < 20)
        return base_error_set(BASE_E_ARGUMENT,
                              "heat map: %zu labels do not fit into %.0f x %.0f points", h->n,
                              width, height);
    struct report_canvas c;
    int rc =
        report_canvas_begin(&c, path, ceil(width), ceil(height), h->scale ? h->scale : 2, h->dark);
    if (rc)
        return rc;
    double y = PAD;
    report_canvas_color(&c, c.theme->text, 1);
    if (h->title) {
        report_canvas_text(&c, PAD, y + TITLE, TITLE, true, REPORT_LEFT, h->title);
        y += TITLE + GAP;
    }
    report_canvas_color(&c, c.theme->muted, 1);
    if (h->subtitle) {
        report_canvas_text(&c, PAD, y + SMALL, SMALL, false, REPORT_LEFT, h->subtitle);
        y += SMALL + GAP;
    }
    if (h->column_label)
        report_canvas_text(&c, left, y + SMALL, SMALL, true, REPORT_LEFT, h->column_label);
    if (h->row_label)
        report_canvas_text(&c, left - GAP, top - GAP, SMALL, true, REPORT_RIGHT, h->row_label);
    for (size_t i = 0; i < h->n; i++) {
        double sum = 0, at = top + (double)i * CELL_HEIGHT;
        for (size_t j = 0; j < h->n; j++)
            sum += h->counts[i * h->n + j];
        report_canvas_color(&c, c.theme->text, 1);
        report_canvas_text(&c, left - GAP, at + CELL_HEIGHT / 2.0 + 4, SMALL, false, REPORT_RIGHT,
                           h->labels[i]);
        report_canvas_text(&c, left + cell_width * ((double)i + 0.5), top - GAP, SMALL, false,
                           REPORT_CENTER, h->labels[i]);
        for (size_t j = 0; j < h->n; j++) {
            double count = h->counts[i * h->n + j];
            cell(&c, left + cell_width * (double)j, at, cell_width, count,
                 sum > 0 ? count / sum : 0);
        }
    }
    return report_canvas_write(&c);
}

int report_calibration_write(const struct report_calibration *c, const char *path)
{
    double *xy = base_alloc(4 * (c->n ? c->n : 1), sizeof *xy);
    if (!xy)
        return BASE_E_MEMORY;
    double *x = xy, *y = xy + c->n, *low = xy + 2 * c->n, *high = xy + 3 * c->n;
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (!(c->weight[i] > 0))
            continue;
        x[n] = c->confidence[i];
        y[n] = c->accuracy[i];
        low[n] = c->low && c->high ? c->low[i] : c->accuracy[i];
        high[n++] = c->low && c->high ? c->high[i] : c->accuracy[i];
    }
    static const double ends[2] = { 0, 1 };
    struct report_series series[2] = {
        { .name = "as sure as right",
          .x = ends,
          .y = ends,
          .n = 2,
          .style = REPORT_DASHED,
          .color = 6 },
        { .name = "answers, by confidence",
          .x = x,
          .y = y,
          .low = low,
          .high = high,
          .n = n,
          .style = REPORT_POINTS,
          .interval = REPORT_WHISKERS,
          .color = 1 },
    };
    struct report_chart chart = {
        .title = c->title,
        .subtitle = c->subtitle,
        .x = { .label = "confidence", .fixed = true, .min = 0, .max = 1 },
        .y = { .label = "share that is right", .fixed = true, .min = 0, .max = 1 },
        .series = series,
        .n_series = 2,
        .width = 460,
        .height = 460,
        .scale = c->scale,
        .dark = c->dark,
    };
    int rc = report_chart_write(&chart, path);
    base_free(xy);
    return rc;
}
