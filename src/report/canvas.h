/* Where charts are drawn: a Cairo surface that becomes the bytes of a PNG, SVG or PDF, and the
 * colours of the two themes. Text is DejaVu Sans (Debian's default), so that widths are the same
 * everywhere. */
#ifndef REPORT_CANVAS_H
#define REPORT_CANVAS_H
#include "base/buffer.h"
#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <stdbool.h>

/* The functions of Cairo that are used: the library is loaded with the first chart
 * (base/library.h). */
#define REPORT_CAIRO(X)                                                                            \
    X(arc)                                                                                         \
    X(clip)                                                                                        \
    X(close_path)                                                                                  \
    X(create)                                                                                      \
    X(destroy)                                                                                     \
    X(fill)                                                                                        \
    X(font_options_create)                                                                         \
    X(font_options_destroy)                                                                        \
    X(font_options_set_antialias)                                                                  \
    X(font_options_set_hint_metrics)                                                               \
    X(font_options_set_hint_style)                                                                 \
    X(image_surface_create)                                                                        \
    X(line_to)                                                                                     \
    X(move_to)                                                                                     \
    X(new_sub_path)                                                                                \
    X(paint)                                                                                       \
    X(pdf_surface_create_for_stream)                                                               \
    X(pdf_surface_set_metadata)                                                                    \
    X(rectangle)                                                                                   \
    X(restore)                                                                                     \
    X(save)                                                                                        \
    X(scale)                                                                                       \
    X(select_font_face)                                                                            \
    X(set_dash)                                                                                    \
    X(set_font_options)                                                                            \
    X(set_font_size)                                                                               \
    X(set_line_width)                                                                              \
    X(set_source_rgba)                                                                             \
    X(show_page)                                                                                   \
    X(show_text)                                                                                   \
    X(status)                                                                                      \
    X(status_to_string)                                                                            \
    X(stroke)                                                                                      \
    X(surface_destroy)                                                                             \
    X(surface_finish)                                                                              \
    X(surface_flush)                                                                               \
    X(surface_status)                                                                              \
    X(surface_write_to_png_stream)                                                                 \
    X(svg_surface_create_for_stream)                                                               \
    X(text_extents)
struct report_cairo_functions {
#define X(name) __typeof__(cairo_##name) *name;
    REPORT_CAIRO(X)
#undef X
};
extern struct report_cairo_functions report_cairo;

#define REPORT_PALETTE 8
struct report_color {
    double r, g, b;
};
struct report_theme {
    struct report_color background, text, muted, grid, axis;
    struct report_color palette[REPORT_PALETTE];
};
enum report_file { REPORT_PNG, REPORT_SVG, REPORT_PDF };
struct report_canvas {
    cairo_surface_t *surface;
    cairo_t *cr;
    enum report_file kind;
    const struct report_theme *theme;
    double width, height; /* points */
    struct base_buffer bytes;
    const char *path; /* borrowed */
};
enum report_align { REPORT_LEFT, REPORT_CENTER, REPORT_RIGHT };

/* Chooses the format by path's extension and fills the background. width and height in points,
 * scale in PNG pixels per point. Always end with canvas_write or canvas_drop. */
int report_canvas_begin(struct report_canvas *c, const char *path, double width, double height,
                        int scale, bool dark);
/* Finishes the drawing and writes the file atomically. */
int report_canvas_write(struct report_canvas *c);
void report_canvas_drop(struct report_canvas *c); /* harmless after write */

void report_canvas_color(struct report_canvas *c, struct report_color color, double alpha);
struct report_color report_canvas_palette(const struct report_canvas *c, size_t i);
/* Text with its baseline at y; invalid UTF-8 is repaired. */
void report_canvas_text(struct report_canvas *c, double x, double y, double size, bool bold,
                        enum report_align align, const char *text);
double report_canvas_text_width(struct report_canvas *c, double size, bool bold, const char *text);
/* Straight line of the given width, placed on the pixel grid by the caller. */
void report_canvas_line(struct report_canvas *c, double x0, double y0, double x1, double y1,
                        double width);
#endif
