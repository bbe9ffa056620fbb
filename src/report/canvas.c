/* Cairo surfaces as files that are the same bytes every time; see canvas.h.
 * What would differ from run to run is taken out: PDF's creation date is fixed, and SVG's
 * id="surfaceN" (N counts the surfaces of the process) becomes id="chart". */
#include "report/canvas.h"
#include "base/file.h"
#include "base/library.h"
#include "base/memory.h"
#include "base/text.h"
#include <string.h>
#include <strings.h>

struct report_cairo_functions report_cairo;

static int cairo_load(void)
{
    static const char *const names[] = {
#define X(name) "cairo_" #name,
        REPORT_CAIRO(X)
#undef X
    };
    return base_library_load("libcairo.so.2", "libcairo2", names, &report_cairo,
                             sizeof names / sizeof names[0]);
}

/* Eight hues that stay apart for readers with red-green blindness when taken in order (blue,
 * orange, green, magenta, ...), darker for the light theme and lighter for the dark one. */
#define HEX(v)                                                                                     \
    {                                                                                              \
        ((v) >> 16 & 255) / 255.0, ((v) >> 8 & 255) / 255.0, ((v)&255) / 255.0                     \
    }
static const struct report_theme light = {
    .background = HEX(0xffffff),
    .text = HEX(0x1f2933),
    .muted = HEX(0x616e7c),
    .grid = HEX(0xe6eaee),
    .axis = HEX(0x9aa5b1),
    .palette = { HEX(0x2563eb), HEX(0xe07a10), HEX(0x0f8a5f), HEX(0xc0268a), HEX(0x7048c8),
                 HEX(0x8a6a2f), HEX(0x0e8fb3), HEX(0xc9302c) },
};
static const struct report_theme dark_theme = {
    .background = HEX(0x14181f),
    .text = HEX(0xe4e7eb),
    .muted = HEX(0x9aa5b1),
    .grid = HEX(0x29303a),
    .axis = HEX(0x52606d),
    .palette = { HEX(0x6ea8fe), HEX(0xffae57), HEX(0x4fd1a1), HEX(0xf48fc8), HEX(0xb79cf5),
                 HEX(0xd1b67c), HEX(0x5ccfe6), HEX(0xf28b82) },
};

static cairo_status_t canvas_append(void *closure, const unsigned char *data, unsigned n)
{
    return base_buffer_append(closure, data, n) ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static int canvas_kind(const char *path, enum report_file *kind)
{
    const char *dot = strrchr(base_path_name(path), '.');
    static const char *const names[] = { ".png", ".svg", ".pdf" };
    for (size_t i = 0; dot && i < 3; i++)
        if (!strcasecmp(dot, names[i])) {
            *kind = (enum report_file)i;
            return 0;
        }
    return base_error_set(BASE_E_ARGUMENT, "%s: a chart's file name must end in .png, .svg or .pdf",
                          path);
}

int report_canvas_begin(struct report_canvas *c, const char *path, double width, double height,
                        int scale, bool dark)
{
    memset(c, 0, sizeof *c);
    int rc = canvas_kind(path, &c->kind);
    if (!rc)
        rc = cairo_load();
    if (rc)
        return rc;
    c->path = path;
    c->width = width;
    c->height = height;
    c->theme = dark ? &dark_theme : &light;
    if (c->kind == REPORT_PNG)
        c->surface = report_cairo.image_surface_create(CAIRO_FORMAT_RGB24, (int)width * scale,
                                                       (int)height * scale);
    else if (c->kind == REPORT_SVG)
        c->surface =
            report_cairo.svg_surface_create_for_stream(canvas_append, &c->bytes, width, height);
    else {
        c->surface =
            report_cairo.pdf_surface_create_for_stream(canvas_append, &c->bytes, width, height);
        report_cairo.pdf_surface_set_metadata(c->surface, CAIRO_PDF_METADATA_CREATE_DATE,
                                              "2000-01-01T00:00:00Z");
    }
    c->cr = report_cairo.create(c->surface);
    if (report_cairo.status(c->cr)) {
        rc = base_error_set(BASE_E_MEMORY, "%s: cannot make a chart of %g x %g points: %s", path,
                            width, height,
                            report_cairo.status_to_string(report_cairo.status(c->cr)));
        report_canvas_drop(c);
        return rc;
    }
    if (c->kind == REPORT_PNG)
        report_cairo.scale(c->cr, scale, scale);
    /* widths of text must not depend on the screen's hinting settings */
    cairo_font_options_t *font = report_cairo.font_options_create();
    report_cairo.font_options_set_hint_style(font, CAIRO_HINT_STYLE_NONE);
    report_cairo.font_options_set_hint_metrics(font, CAIRO_HINT_METRICS_OFF);
    report_cairo.font_options_set_antialias(font, CAIRO_ANTIALIAS_GRAY);
    report_cairo.set_font_options(c->cr, font);
    report_cairo.font_options_destroy(font);
    report_canvas_color(c, c->theme->background, 1);
    report_cairo.paint(c->cr);
    return 0;
}

/* id="surface12" -> id="chart": the only process-wide count in Cairo's SVG. */
static int svg_name_fix(struct base_buffer *b)
{
    static const char mark[] = "id=\"surface";
    char *at = b->data ? strstr(b->data, mark) : NULL;
    char *end = at ? strchr(at + strlen(mark), '"') : NULL;
    if (!end)
        return 0;
    struct base_buffer fixed = { 0 };
    int rc = base_buffer_append(&fixed, b->data, (size_t)(at - b->data));
    if (!rc)
        rc = base_buffer_puts(&fixed, "id=\"chart");
    if (!rc)
        rc = base_buffer_append(&fixed, end, b->length - (size_t)(end - b->data));
    if (rc) {
        base_buffer_free(&fixed);
        return rc;
    }
    base_buffer_free(b);
    *b = fixed;
    return 0;
}

int report_canvas_write(struct report_canvas *c)
{
    int rc = 0;
    cairo_status_t status = report_cairo.status(c->cr);
    if (!status) {
        report_cairo.show_page(c->cr);
        report_cairo.surface_flush(c->surface);
        if (c->kind == REPORT_PNG)
            status = report_cairo.surface_write_to_png_stream(c->surface, canvas_append, &c->bytes);
        else {
            report_cairo.surface_finish(c->surface);
            status = report_cairo.surface_status(c->surface);
        }
    }
    if (status)
        rc = base_error_set(status == CAIRO_STATUS_NO_MEMORY ? BASE_E_MEMORY : BASE_E_ARGUMENT,
                            "%s: cannot draw the chart: %s", c->path,
                            report_cairo.status_to_string(status));
    if (!rc && c->kind == REPORT_SVG)
        rc = svg_name_fix(&c->bytes);
    if (!rc)
        rc = base_file_write(c->path, c->bytes.data, c->bytes.length);
    report_canvas_drop(c);
    return rc;
}

void report_canvas_drop(struct report_canvas *c)
{
    if (c->cr)
        report_cairo.destroy(c->cr);
    if (c->surface)
        report_cairo.surface_destroy(c->surface);
    base_buffer_free(&c->bytes);
    c->cr = NULL;
    c->surface = NULL;
}

void report_canvas_color(struct report_canvas *c, struct report_color color, double alpha)
{
    report_cairo.set_source_rgba(c->cr, color.r, color.g, color.b, alpha);
}

struct report_color report_canvas_palette(const struct report_canvas *c, size_t i)
{
    return c->theme->palette[i % REPORT_PALETTE];
}

static void font_set(struct report_canvas *c, double size, bool bold)
{
    report_cairo.select_font_face(c->cr, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                                  bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    report_cairo.set_font_size(c->cr, size);
}

/* Cairo goes into an error state on invalid UTF-8: such text (file names) is repaired first. */
static char *text_valid(const char *text)
{
    size_t length;
    return base_utf8_repair(text, strlen(text), &length);
}

double report_canvas_text_width(struct report_canvas *c, double size, bool bold, const char *text)
{
    char *valid = text_valid(text);
    if (!valid)
        return 0;
    cairo_text_extents_t e;
    font_set(c, size, bold);
    report_cairo.text_extents(c->cr, valid, &e);
    base_free(valid);
    return e.x_advance;
}

void report_canvas_text(struct report_canvas *c, double x, double y, double size, bool bold,
                        enum report_align align, const char *text)
{
    char *valid = text_valid(text);
    if (!valid)
        return;
    double width = align == REPORT_LEFT ? 0 : report_canvas_text_width(c, size, bold, valid);
    font_set(c, size, bold);
    report_cairo.move_to(c->cr,
                         align == REPORT_LEFT    ? x
                         : align == REPORT_RIGHT ? x - width
                                                 : x - width / 2,
                         y);
    report_cairo.show_text(c->cr, valid);
    base_free(valid);
}

void report_canvas_line(struct report_canvas *c, double x0, double y0, double x1, double y1,
                        double width)
{
    report_cairo.set_line_width(c->cr, width);
    report_cairo.move_to(c->cr, x0, y0);
    report_cairo.line_to(c->cr, x1, y1);
    report_cairo.stroke(c->cr);
}
