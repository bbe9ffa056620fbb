/* Charts: what stands in the files is where it should be, the same bytes every time, and data that
 * cannot be drawn never makes a wrong picture. */
#include "base/file.h"
#include "base/library.h"
#include "base/memory.h"
#include "report/axis.h"
#include "report/chart.h"
#include <cairo.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "support.h"

#define BLUE   "stroke:rgb(14.509804%,38.823529%,92.156863%)" /* first of the light palette */
#define ORANGE "stroke:rgb(87.843137%,47.843137%,6.27451%)"   /* second */
#define GRID   "stroke:rgb(90.196078%,91.764706%,93.333333%)" /* light grid */
#define NEAR   0.005 /* Cairo's coordinates are multiples of 1/256 */

static char *file_read(const char *path, size_t *bytes)
{
    char *data = NULL;
    assert_int_equal(base_file_read(path, 0, &data, bytes), 0);
    return data;
}

/* The vertices of the k-th path with this stroke ("M x y L x y"); -1 when there is no k-th. */
static int svg_path(const char *svg, const char *style, int k, double (*xy)[2], int room)
{
    for (const char *at = svg; (at = strstr(at, "<path style=\"")); at++) {
        const char *end = strchr(at, '>');
        const char *hit = strstr(at, style);
        if (!hit || hit > end || k-- > 0)
            continue;
        const char *d = strstr(at, " d=\"");
        assert_true(d && d < end);
        int n = 0;
        for (d += 4; *d != '"';) {
            if (*d == 'M' || *d == 'L') {
                char *next;
                assert_true(n < room);
                xy[n][0] = strtod(d + 1, &next);
                xy[n][1] = strtod(next, &next);
                n++;
                d = next;
            } else
                d++;
        }
        return n;
    }
    return -1;
}

static int svg_paths(const char *svg, const char *style)
{
    static double xy[8192][2];
    int k = 0;
    while (svg_path(svg, style, k, xy, 8192) >= 0)
        k++;
    return k;
}

/* With fixed axes the first and last grid line are y's ends and reach from x's minimum to its
 * maximum: the points must lie where the grid says. */
static void points_at_their_coordinates(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".svg");
    double x[] = { 0, 2.5, 5, 10 }, y[] = { 0, 25, 100, 50 };
    struct report_series s = { .name = "loss", .x = x, .y = y, .n = 4 };
    struct report_chart c = { .title = "t", .series = &s, .n_series = 1 };
    c.x = (struct report_axis){ .label = "step", .fixed = true, .max = 10 };
    c.y = (struct report_axis){ .label = "loss", .unit = "nats", .fixed = true, .max = 100 };
    assert_int_equal(report_chart_write(&c, path), 0);
    size_t bytes;
    char *svg = file_read(path, &bytes);
    double low[2][2], high[2][2], line[16][2];
    int grids = svg_paths(svg, GRID);
    assert_int_equal(svg_path(svg, GRID, 0, low, 2), 2);
    assert_int_equal(svg_path(svg, GRID, grids - 1, high, 2), 2);
    assert_true(low[0][1] > high[0][1]);                   /* y grows upwards */
    assert_int_equal(svg_path(svg, BLUE, 1, line, 16), 4); /* 0 is the legend's swatch */
    for (int i = 0; i < 4; i++) {
        assert_float_equal(line[i][0], low[0][0] + x[i] / 10 * (low[1][0] - low[0][0]), NEAR);
        assert_float_equal(line[i][1], low[0][1] + y[i] / 100 * (high[0][1] - low[0][1]), NEAR);
    }
    assert_non_null(strstr(svg, "width=\"800pt\" height=\"480pt\""));
    base_free(svg);
    unlink(path);
}

static void log_axis_is_logarithmic(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".svg");
    double v[] = { 1, 10, 100, 1000 };
    struct report_series s = { .x = v, .y = v, .n = 4 };
    struct report_axis axis = { .log = true, .fixed = true, .min = 1, .max = 1000 };
    struct report_chart c = { .x = axis, .y = axis, .series = &s, .n_series = 1 };
    assert_int_equal(report_chart_write(&c, path), 0);
    size_t bytes;
    char *svg = file_read(path, &bytes);
    double line[8][2];
    assert_int_equal(svg_path(svg, BLUE, 0, line, 8), 4);
    for (int i = 1; i < 4; i++)
        for (int k = 0; k < 2; k++)
            assert_float_equal(line[i][k] - line[i - 1][k], (line[3][k] - line[0][k]) / 3,
                               2 * NEAR);
    assert_true(line[3][0] > line[0][0] + 600 && line[3][1] < line[0][1] - 300);
    base_free(svg);
    unlink(path);
}

static void gaps_instead_of_wrong_lines(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".svg");
    double x[] = { 0, 1, 2, 3, 4, 5, 6 }, y[] = { 1, 2, NAN, 3, 4, INFINITY, 5 };
    struct report_series s = { .x = x, .y = y, .n = 7 };
    struct report_chart c = { .series = &s, .n_series = 1 };
    assert_int_equal(report_chart_write(&c, path), 0);
    size_t bytes;
    char *svg = file_read(path, &bytes);
    double line[8][2];
    assert_int_equal(svg_paths(svg, BLUE), 2); /* 0-1 and 3-4; the lone last point is a dot */
    assert_int_equal(svg_path(svg, BLUE, 0, line, 8), 2);
    assert_int_equal(svg_path(svg, BLUE, 1, line, 8), 2);
    base_free(svg);
    /* on a log axis zero and negative values are such gaps too */
    double z[] = { 1, 2, 0, 100, 10, -1, 1 };
    s.y = z;
    c.y.log = true;
    assert_int_equal(report_chart_write(&c, path), 0);
    svg = file_read(path, &bytes);
    assert_int_equal(svg_paths(svg, BLUE), 2);
    base_free(svg);
    unlink(path);
}

static void intervals(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".svg");
    double x[] = { 0, 10 }, y[] = { 5, 5 }, low[] = { 0, 2 }, high[] = { 10, 8 };
    struct report_series s = { .x = x, .y = y, .low = low, .high = high, .n = 2, .color = 2 };
    struct report_chart c = { .series = &s, .n_series = 1 };
    c.x = (struct report_axis){ .fixed = true, .min = -1, .max = 11 };
    c.y = (struct report_axis){ .fixed = true, .max = 10 };
    s.interval = REPORT_WHISKERS;
    assert_int_equal(report_chart_write(&c, path), 0);
    size_t bytes;
    char *svg = file_read(path, &bytes);
    double whisker[2][2], second[2][2], line[4][2];
    assert_int_equal(svg_paths(svg, ORANGE), 7); /* two whiskers of three strokes, and the line */
    assert_int_equal(svg_path(svg, ORANGE, 0, whisker, 2), 2);
    assert_int_equal(svg_path(svg, ORANGE, 3, second, 2), 2);
    assert_int_equal(svg_path(svg, ORANGE, 6, line, 4), 2);
    assert_float_equal(whisker[0][0], line[0][0], NEAR);
    assert_float_equal((whisker[0][1] + whisker[1][1]) / 2, line[0][1], NEAR);
    assert_float_equal(second[1][1] - second[0][1], 0.6 * (whisker[1][1] - whisker[0][1]),
                       2 * NEAR);
    base_free(svg);
    s.interval = REPORT_BAND;
    assert_int_equal(report_chart_write(&c, path), 0);
    svg = file_read(path, &bytes);
    assert_non_null(strstr(svg, "fill-opacity:0.18")); /* the band */
    assert_int_equal(svg_paths(svg, ORANGE), 1);
    base_free(svg);
    unlink(path);
}

/* 200,000 noisy steps stay a small file that still shows the one spike. */
static void many_points_stay_few(void **state)
{
    (void)state;
    enum { N = 200000 };
    double *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    for (int i = 0; i < N; i++) {
        x[i] = i;
        y[i] = 2 + (i * 7919L % 1000) / 1000.0;
    }
    y[123456] = 10;
    const char *path = test_temporary_path(".svg");
    struct report_series s = { .x = x, .y = y, .n = N };
    struct report_chart c = { .y = { .fixed = true, .max = 10 }, .series = &s, .n_series = 1 };
    assert_int_equal(report_chart_write(&c, path), 0);
    size_t bytes;
    char *svg = file_read(path, &bytes);
    assert_true(bytes < 200000);
    static double line[8192][2], grid[2][2];
    int n = svg_path(svg, BLUE, 0, line, 8192);
    assert_in_range(n, 1000, 4000);
    assert_int_equal(svg_path(svg, GRID, svg_paths(svg, GRID) - 1, grid, 2), 2);
    double top = 1e9;
    for (int i = 0; i < n; i++)
        top = fmin(top, line[i][1]);
    assert_float_equal(top, grid[0][1], NEAR); /* the spike reaches 10 */
    base_free(svg);
    free(x);
    free(y);
    unlink(path);
}

static void same_bytes_every_time(void **state)
{
    (void)state;
    static const char *const suffix[] = { ".svg", ".png", ".pdf" };
    static const char *const magic[] = { "<?xm", "\x89PNG", "%PDF" };
    double x[] = { 1, 2, 3 }, y[] = { 3, 1, 2 }, low[] = { 2, 0, 1 }, high[] = { 4, 2, 3 };
    struct report_series s = { .name = "a", .x = x, .y = y, .low = low, .high = high, .n = 3 };
    struct report_chart c = { .title = "Same", .subtitle = "bytes", .series = &s, .n_series = 1 };
    for (int i = 0; i < 3; i++) {
        const char *a = test_temporary_path(suffix[i]), *b = test_temporary_path(suffix[i]);
        assert_int_equal(report_chart_write(&c, a), 0);
        assert_int_equal(report_chart_write(&c, b), 0);
        size_t na, nb;
        char *da = file_read(a, &na), *db = file_read(b, &nb);
        assert_int_equal(na, nb);
        assert_memory_equal(da, db, na);
        assert_memory_equal(da, magic[i], 4);
        if (i == 2)
            assert_non_null(memmem(da, na, "/CreationDate (20000101000000Z)", 31));
        base_free(da);
        base_free(db);
        unlink(a);
        unlink(b);
    }
}

/* Cairo reads the PNG back. */
#define PNG_FUNCTIONS(X)                                                                           \
    X(image_surface_create_from_png)                                                               \
    X(image_surface_get_width)                                                                     \
    X(image_surface_get_height)                                                                    \
    X(image_surface_get_stride)                                                                    \
    X(image_surface_get_data)                                                                      \
    X(surface_destroy)
static struct {
#define X(name) __typeof__(cairo_##name) *name;
    PNG_FUNCTIONS(X)
#undef X
} png;

static uint32_t png_pixel(cairo_surface_t *s, int x, int y)
{
    size_t stride = (size_t)png.image_surface_get_stride(s);
    uint32_t v;
    memcpy(&v, png.image_surface_get_data(s) + (size_t)y * stride + 4 * (size_t)x, 4);
    return v & 0xffffff;
}

static void png_pixels(void **state)
{
    (void)state;
    static const char *const names[] = {
#define X(name) "cairo_" #name,
        PNG_FUNCTIONS(X)
#undef X
    };
    size_t n = sizeof names / sizeof names[0];
    assert_int_equal(base_library_load("libcairo.so.2", "libcairo2", names, &png, n), 0);
    const char *path = test_temporary_path(".png");
    const char *categories[] = { "one", "two" };
    double values[] = { 10, 20 };
    struct report_bars b = { .categories = categories, .n = 2, .n_groups = 1, .values = values };
    b.value = (struct report_axis){ .label = "speed", .fixed = true, .max = 25 };
    b.width = 400;
    b.height = 200;
    for (int dark = 0; dark < 2; dark++)
        for (int scale = 1; scale <= 3; scale += 2) {
            b.dark = dark;
            b.scale = scale;
            assert_int_equal(report_bars_write(&b, path), 0);
            cairo_surface_t *s = png.image_surface_create_from_png(path);
            assert_int_equal(png.image_surface_get_width(s), 400 * scale);
            assert_int_equal(png.image_surface_get_height(s), 200 * scale);
            assert_int_equal(png_pixel(s, 1, 1), dark ? 0x14181f : 0xffffff);
            /* the longest run of the bars' colour in the upper and the lower half: 10 against 20 */
            uint32_t color = dark ? 0x6ea8fe : 0x2563eb;
            int longest[2] = { 0, 0 };
            for (int y = 0; y < 200 * scale; y++) {
                int run = 0;
                for (int x = 0; x < 400 * scale; x++)
                    run += png_pixel(s, x, y) == color;
                int half = y >= 85 * scale;
                longest[half] = run > longest[half] ? run : longest[half];
            }
            assert_true(longest[0] > 90 * scale);
            assert_true(abs(longest[1] - 2 * longest[0]) <= 2 + scale);
            png.surface_destroy(s);
        }
    unlink(path);
}

static void nothing_to_draw(void **state)
{
    (void)state;
    const char *path = test_temporary_path(".svg");
    struct report_chart c = { .title = "empty" };
    assert_int_equal(report_chart_write(&c, path), 0);
    double nans[] = { NAN, NAN }, x[] = { 0, 1 };
    double huge[] = { -1.7e308, 1.7e308 }, tiny[] = { 5e-324, 5e-324 };
    struct report_series s = { .name = "n", .x = x, .y = nans, .n = 2 };
    c.series = &s;
    c.n_series = 1;
    assert_int_equal(report_chart_write(&c, path), 0);
    for (int log = 0; log < 2; log++) {
        c.y.log = log;
        s.n = 2;
        s.y = huge;
        assert_int_equal(report_chart_write(&c, path), 0);
        s.y = tiny;
        assert_int_equal(report_chart_write(&c, path), 0);
        s.n = 0;
        assert_int_equal(report_chart_write(&c, path), 0);
    }
    /* one point: a dot in an opened range */
    double seven = 7;
    c.y.log = false;
    s = (struct report_series){ .x = &seven, .y = &seven, .n = 1 };
    assert_int_equal(report_chart_write(&c, path), 0);
    size_t bytes;
    char *svg = file_read(path, &bytes);
    assert_int_equal(svg_paths(svg, BLUE), 0);
    assert_non_null(strstr(svg, "fill:rgb(14.509804%,38.823529%,92.156863%)"));
    assert_null(strstr(svg, "nan"));
    base_free(svg);
    struct report_bars b = { .n_groups = 1 };
    assert_int_equal(report_bars_write(&b, path), 0);
    const char *name = "a category whose name is much longer than any chart has room for: "
                       "\xc3\xa9\xc3\xa9\xc3\xa9 \xff\xfe and so on and on and on";
    b = (struct report_bars){ .n = 1, .n_groups = 1, .categories = &name, .values = nans };
    b.title = "bad \xff text";
    assert_int_equal(report_bars_write(&b, path), 0);
    unlink(path);
}

static void refusals(void **state)
{
    (void)state;
    struct report_chart c = { .width = 800 };
    assert_int_equal(report_chart_write(&c, "chart.gif"), BASE_E_ARGUMENT);
    assert_string_equal(base_error_message(),
                        "chart.gif: a chart's file name must end in .png, .svg or .pdf");
    assert_int_equal(report_chart_write(&c, "dir.png/chart"), BASE_E_ARGUMENT);
    assert_int_equal(report_chart_write(&c, "/nonexistent/chart.png"), BASE_E_IO);
    c.width = 100000;
    assert_int_equal(report_chart_write(&c, "chart.png"), BASE_E_ARGUMENT);
    c.width = 0;
    c.y = (struct report_axis){ .fixed = true, .min = 2, .max = 2 };
    assert_int_equal(report_chart_write(&c, "chart.png"), BASE_E_ARGUMENT);
    c.y = (struct report_axis){ .fixed = true, .log = true, .min = 0, .max = 2 };
    assert_int_equal(report_chart_write(&c, "chart.png"), BASE_E_ARGUMENT);
    assert_non_null(
        strstr(base_error_message(), "the y axis cannot go from 0 to 2 on a log scale"));
    struct report_bars b = { .n_groups = 1, .value.log = true };
    assert_int_equal(report_bars_write(&b, "chart.png"), BASE_E_ARGUMENT);
    b = (struct report_bars){ 0 };
    assert_int_equal(report_bars_write(&b, "chart.png"), BASE_E_ARGUMENT);
}

static void out_of_memory(void **state)
{
    (void)state;
    double x[] = { 1, 2 };
    struct report_series s = { .name = "a", .x = x, .y = x, .n = 2 };
    struct report_chart c = { .title = "t", .series = &s, .n_series = 1 };
    const char *path = test_temporary_path(".svg");
    assert_int_equal(report_chart_write(&c, path), 0);
    long live = base_alloc_live();
    int failures = 0;
    for (long n = 1; n < 400; n++) {
        base_alloc_fail_after(n);
        int rc = report_chart_write(&c, path);
        base_alloc_fail_after(0);
        assert_int_equal(base_alloc_live(), live);
        assert_true(rc == 0 || rc == BASE_E_MEMORY);
        failures += rc != 0;
    }
    assert_true(failures > 3);
    unlink(path);
}

static void ticks(void **state)
{
    (void)state;
    struct report_scale s;
    char label[32];
    struct report_axis axis = { .fixed = true, .min = 0, .max = 10 };
    report_scale_make(&s, &axis, 0, 0, 5, false);
    assert_int_equal(s.n_ticks, 6);
    for (int i = 0; i < 6; i++)
        assert_true(s.tick[i] == 2 * i);
    axis.max = 20000;
    report_scale_make(&s, &axis, 0, 0, 9, false);
    report_scale_label(&s, 1, label);
    assert_int_equal(s.n_ticks, 9);
    assert_string_equal(label, "2.5k");
    axis = (struct report_axis){ .fixed = true, .min = -0.001, .max = 0.001 };
    report_scale_make(&s, &axis, 0, 0, 5, false);
    report_scale_label(&s, 0, label);
    assert_string_equal(label, "-0.0010");
    report_scale_label(&s, 2, label);
    assert_string_equal(label, "0");
    axis = (struct report_axis){ .log = true };
    report_scale_make(&s, &axis, 0.001, 1000, 7, false);
    assert_int_equal(s.n_ticks, 7);
    report_scale_label(&s, 0, label);
    assert_string_equal(label, "0.001");
    report_scale_label(&s, 6, label);
    assert_string_equal(label, "1k");
    report_scale_make(&s, &axis, 1e-300, 1e300, 6, false); /* many decades: evenly thinned */
    assert_in_range(s.n_ticks, 4, 8);
    report_number(12345, label);
    assert_string_equal(label, "12.35k");
    report_number(0.00001234, label);
    assert_string_equal(label, "1.23e-05");
}

static void smoothing(void **state)
{
    (void)state;
    /* half-life 1 makes w = 1/2; the weighted means by hand */
    double y[] = { NAN, 8, 6, NAN, 2 }, out[5];
    report_smooth(y, 5, 1, out);
    assert_true(isnan(out[0]));
    assert_float_equal(out[1], 8, 1e-12);
    assert_float_equal(out[2], (6 + 4) / 1.5, 1e-12);
    assert_float_equal(out[3], (6 + 4) / 1.5, 1e-12);
    assert_float_equal(out[4], (2 + 6 / 4.0 + 8 / 8.0) / (1 + 1 / 4.0 + 1 / 8.0), 1e-12);
    report_smooth(y, 5, 0, out); /* no smoothing */
    assert_float_equal(out[2], 6, 1e-12);
}

static void late_libraries(void **state)
{
    (void)state;
    void *functions[1] = { NULL };
    const char *const names[] = { "no_such_function" };
    assert_int_equal(base_library_load("libnone.so.9", "libnone9", names, functions, 1),
                     BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "install the package libnone9"));
    assert_int_equal(base_library_load("libc.so.6", "libc6", names, functions, 1),
                     BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(), "libc.so.6 has no function no_such_function"));
    assert_null(functions[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_at_their_coordinates),
        cmocka_unit_test(log_axis_is_logarithmic),
        cmocka_unit_test(gaps_instead_of_wrong_lines),
        cmocka_unit_test(intervals),
        cmocka_unit_test(many_points_stay_few),
        cmocka_unit_test(same_bytes_every_time),
        cmocka_unit_test(png_pixels),
        cmocka_unit_test(nothing_to_draw),
        cmocka_unit_test(refusals),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(ticks),
        cmocka_unit_test(smoothing),
        cmocka_unit_test(late_libraries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
