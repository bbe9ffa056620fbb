/* A report's page: what stands in it is what was given, escaped; heat maps and reliability diagrams
 * as picture files. How a browser shows it is tested in tests/eval/test_report.c. */
#include "base/file.h"
#include "base/memory.h"
#include "report/page.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"

static char *page_text(struct report_page *p)
{
    const char *path = test_temporary_path("-page.html");
    assert_int_equal(report_page_write(p, path), 0);
    char *data = NULL;
    size_t bytes;
    assert_int_equal(base_file_read(path, 0, &data, &bytes), 0);
    return data;
}

static void test_escape(void **state)
{
    (void)state;
    long live = base_alloc_live();
    struct report_page p;
    report_page_begin(&p, "a < b & \"c\"", "<script>alert(1)</script>");
    report_page_section(&p, "one", "R&D");
    report_page_paragraph(&p, "x < y \xff z");
    static const char json[] = "{\"a\":\"</script><b>\"}";
    report_page_data(&p, "data", json, sizeof json - 1);
    char *html = page_text(&p);
    assert_non_null(strstr(html, "<title>a &lt; b &amp; &quot;c&quot;</title>"));
    assert_non_null(strstr(html, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_non_null(strstr(html, "<a href=\"#one\">R&amp;D</a>"));
    assert_non_null(strstr(html, "<p>x &lt; y \xef\xbf\xbd z</p>"));
    assert_non_null(strstr(html, "{\"a\":\"\\u003c/script>\\u003cb>\"}</script>"));
    assert_null(strstr(html, "http:"));
    assert_null(strstr(html, "https:"));
    assert_null(strstr(html, "src="));
    base_free(html);
    report_page_free(&p);
    assert_int_equal(base_alloc_live(), live);
}

/* 0 .. 1 fixed: a bar's width is its value, the whisker's place its interval. */
static void test_bars(void **state)
{
    (void)state;
    static const char *const categories[] = { "red", "blue" };
    static const char *const groups[] = { "A", "B" };
    double values[] = { 0.5, 0.25, NAN, 1 }, low[] = { 0.4, 0.2, NAN, 0.9 },
           high[] = { 0.6, 0.35, NAN, 1 }, chance = 0.25;
    struct report_bars bars = { .title = "Skills",
                                .value = { .fixed = true, .min = 0, .max = 1 },
                                .categories = categories,
                                .n = 2,
                                .groups = groups,
                                .n_groups = 2,
                                .values = values,
                                .low = low,
                                .high = high,
                                .reference = &chance,
                                .reference_name = "chance" };
    struct report_page p;
    report_page_begin(&p, "t", NULL);
    report_page_bars(&p, &bars);
    char *html = page_text(&p);
    assert_non_null(strstr(html, "<b style=\"left:0.00%;width:50.00%;background:var(--c0)\"></b>"
                                 "<i style=\"left:40.00%;width:20.00%\"></i>"));
    assert_non_null(strstr(html, "<b style=\"left:0.00%;width:25.00%;background:var(--c1)\"></b>"));
    assert_non_null(strstr(html, "<span class=\"ref\" style=\"left:25.00%\">"));
    assert_non_null(strstr(html, "<span>no value</span>"));
    assert_non_null(strstr(html, "<span>0.250 <small>0.200 to 0.350</small></span>"));
    base_free(html);
    report_page_free(&p);
}

static const char *const labels[] = { "negative", "neutral", "positive" };
static const double counts[] = { 40, 5, 5, 10, 0, 10, 0, 0, 0 };

static void test_heat(void **state)
{
    (void)state;
    struct report_heat heat = { .title = "Confusion",
                                .row_label = "true",
                                .column_label = "predicted",
                                .labels = labels,
                                .n = 3,
                                .counts = counts };
    struct report_page p;
    report_page_begin(&p, "t", NULL);
    report_page_heat(&p, &heat);
    char *html = page_text(&p);
    assert_non_null(
        strstr(html, "<td class=\"strong\" style=\"--w:80%\">40<small>80 %</small></td>"));
    assert_non_null(strstr(html, "<td style=\"--w:50%\">10<small>50 %</small></td>"));
    assert_non_null(strstr(html, "<td style=\"--w:0%\">0<small>0 %</small></td>"));
    base_free(html);
    report_page_free(&p);
    assert_int_equal(report_heat_write(&heat, test_temporary_path("-heat.svg")), 0);
    assert_int_equal(report_heat_write(&heat, test_temporary_path("-heat.png")), 0);
    static const double wrong[] = { -1 };
    heat.counts = wrong;
    heat.n = 1;
    assert_int_equal(report_heat_write(&heat, test_temporary_path("-heat2.svg")), BASE_E_ARGUMENT);
    assert_non_null(strstr(base_error_message(), "count -1 of row 0, column 0"));
}

static void test_calibration(void **state)
{
    (void)state;
    double confidence[] = { 0.1, 0.5, 0.9 }, accuracy[] = { 0.2, 0.5, 0.7 },
           low[] = { 0.1, 0.4, 0.6 }, high[] = { 0.3, 0.6, 0.8 }, weight[] = { 4, 0, 16 };
    struct report_calibration c = { .title = "Calibration",
                                    .confidence = confidence,
                                    .accuracy = accuracy,
                                    .low = low,
                                    .high = high,
                                    .weight = weight,
                                    .n = 3 };
    struct report_page p;
    report_page_begin(&p, "t", NULL);
    report_page_calibration(&p, &c);
    char *html = page_text(&p);
    /* the plot's square is 300 wide from (40, 10) */
    assert_non_null(strstr(html, "<circle cx=\"70.0\" cy=\"250.0\" r=\"5.5\">"));
    assert_non_null(strstr(html, "<circle cx=\"310.0\" cy=\"100.0\" r=\"8.0\">"));
    assert_null(strstr(html, "cx=\"190.0\"")); /* an empty bin */
    base_free(html);
    report_page_free(&p);
    assert_int_equal(report_calibration_write(&c, test_temporary_path("-calibration.png")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_bars),
        cmocka_unit_test(test_heat),
        cmocka_unit_test(test_calibration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
