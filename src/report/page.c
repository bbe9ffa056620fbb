/* The page of a report; see page.h. What the reader sees of it is decided in page.css, what moves
 * in page.js; the assembler puts both into the program, and they are written into every page. */
#include "report/page.h"
#include "base/embed.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "report/axis.h"
#include <assay/base.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COLORS = 8 }; /* --c0 .. --c7 in page.css */
BASE_EMBED(report_page_css, "src/report/page.css");
BASE_EMBED(report_page_js, "src/report/page.js");

static void keep(struct report_page *p, int rc)
{
    if (!p->rc)
        p->rc = rc;
}

void report_page_html(struct report_page *p, const char *html)
{
    if (!p->rc)
        keep(p, base_buffer_puts(&p->body, html));
}

void report_page_format(struct report_page *p, const char *format, ...)
{
    if (p->rc)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text)
        keep(p, base_error_set(BASE_E_LIMIT,
                               "report: a formatted part of the page is longer than "
                               "%zu bytes",
                               sizeof text - 1));
    else
        keep(p, base_buffer_append(&p->body, text, (size_t)n));
}

/* Text for an element or a quoted attribute. */
static int escape(struct base_buffer *out, const char *text, size_t bytes)
{
    size_t length;
    char *clean = base_utf8_repair(text, bytes, &length);
    if (!clean)
        return BASE_E_MEMORY;
    int rc = 0;
    size_t from = 0;
    for (size_t i = 0; i <= length && !rc; i++) {
        const char *with = i == length       ? ""
                           : clean[i] == '&' ? "&amp;"
                           : clean[i] == '<' ? "&lt;"
                           : clean[i] == '>' ? "&gt;"
                           : clean[i] == '"' ? "&quot;"
                                             : NULL;
        if (!with)
            continue;
        rc = base_buffer_append(out, clean + from, i - from);
        if (!rc)
            rc = base_buffer_puts(out, with);
        from = i + 1;
    }
    base_free(clean);
    return rc;
}

void report_page_text_n(struct report_page *p, const char *text, size_t bytes)
{
    if (!p->rc)
        keep(p, escape(&p->body, text, bytes));
}

void report_page_text(struct report_page *p, const char *text)
{
    if (text)
        report_page_text_n(p, text, strlen(text));
}

void report_page_begin(struct report_page *p, const char *title, const char *subtitle)
{
    memset(p, 0, sizeof *p);
    p->title = base_strdup(title);
    p->subtitle = base_strdup(subtitle ? subtitle : "");
    if (!p->title || !p->subtitle)
        p->rc = BASE_E_MEMORY;
}

void report_page_free(struct report_page *p)
{
    base_buffer_free(&p->body);
    base_buffer_free(&p->menu);
    base_free(p->title);
    base_free(p->subtitle);
    memset(p, 0, sizeof *p);
}

void report_page_section(struct report_page *p, const char *id, const char *heading)
{
    if (p->open)
        report_page_html(p, "</section>\n");
    p->open = true;
    report_page_format(p, "<section id=\"%s\"><h2>", id);
    report_page_text(p, heading);
    report_page_html(p, "</h2>\n");
    if (p->rc)
        return;
    int rc = base_buffer_printf(&p->menu, "<a href=\"#%s\">", id);
    if (!rc)
        rc = escape(&p->menu, heading, strlen(heading));
    keep(p, rc ? rc : base_buffer_puts(&p->menu, "</a>\n"));
}

void report_page_paragraph(struct report_page *p, const char *text)
{
    report_page_html(p, "<p>");
    report_page_text(p, text);
    report_page_html(p, "</p>\n");
}

void report_page_data(struct report_page *p, const char *id, const char *json, size_t bytes)
{
    report_page_format(p, "<script type=\"application/json\" id=\"%s\">", id);
    for (size_t from = 0; from < bytes && !p->rc;) {
        const char *at = memchr(json + from, '<', bytes - from);
        size_t end = at ? (size_t)(at - json) : bytes;
        keep(p, base_buffer_append(&p->body, json + from, end - from));
        if (at)
            report_page_html(p, "\\u003c");
        from = end + (at != NULL);
    }
    report_page_html(p, "</script>\n");
}

static void caption(struct report_page *p, const char *title, const char *subtitle)
{
    if (!title && !subtitle)
        return;
    report_page_html(p, "<figcaption>");
    report_page_text(p, title);
    if (subtitle && *subtitle) {
        report_page_html(p, "<span class=\"sub\">");
        report_page_text(p, subtitle);
        report_page_html(p, "</span>");
    }
    report_page_html(p, "</figcaption>\n");
}

static double percent(const struct report_scale *s, double v)
{
    return 100 * fmin(1, fmax(0, report_scale_at(s, v)));
}

static void bar(struct report_page *p, const struct report_bars *b, const struct report_scale *s,
                size_t i, size_t group)
{
    report_page_html(p, "<div class=\"bar\">");
    if (isfinite(b->values[i])) {
        double zero = percent(s, 0), end = percent(s, b->values[i]);
        if (!b->points)
            report_page_format(p,
                               "<b style=\"left:%.2f%%;width:%.2f%%;background:var(--c%zu)\"></b>",
                               fmin(zero, end), fabs(end - zero), group % COLORS);
        if (b->low && b->high && isfinite(b->low[i]) && isfinite(b->high[i])) {
            double low = percent(s, b->low[i]), high = percent(s, b->high[i]);
            report_page_format(p, "<i style=\"left:%.2f%%;width:%.2f%%\"></i>", low, high - low);
        }
        if (b->points)
            report_page_format(p, "<u style=\"left:%.2f%%;background:var(--c%zu)\"></u>", end,
                               group % COLORS);
    }
    report_page_html(p, "</div>");
}

/* Shares of a scale from 0 to 1 all get three decimals, so that they stand below one another. */
static void value_text(const struct report_bars *b, double v, char out[32])
{
    if (b->value.fixed && b->value.min == 0 && b->value.max == 1)
        snprintf(out, 32, "%.3f", v);
    else if (b->points && fabs(v) < 100)
        snprintf(out, 32, "%+.4f", v);
    else
        report_number(v, out);
}

static void bar_number(struct report_page *p, const struct report_bars *b, size_t i)
{
    char value[32], low[32], high[32];
    if (!isfinite(b->values[i])) {
        report_page_html(p, "<span>no value</span>");
        return;
    }
    value_text(b, b->values[i], value);
    report_page_format(p, "<span>%s", value);
    if (b->low && b->high && isfinite(b->low[i]) && isfinite(b->high[i])) {
        value_text(b, b->low[i], low);
        value_text(b, b->high[i], high);
        report_page_format(p, " <small>%s to %s</small>", low, high);
    }
    report_page_html(p, "</span>");
}

static void legend(struct report_page *p, const struct report_bars *b)
{
    if (!(b->groups && b->n_groups > 1) && !(b->reference && b->reference_name))
        return;
    report_page_html(p, "<div class=\"legend\">");
    for (size_t g = 0; b->groups && b->n_groups > 1 && g < b->n_groups; g++) {
        report_page_format(p, "<span><i style=\"background:var(--c%zu)\"></i>", g % COLORS);
        report_page_text(p, b->groups[g]);
        report_page_html(p, "</span>");
    }
    if (b->reference && b->reference_name) {
        report_page_html(p, "<span>\u250a ");
        report_page_text(p, b->reference_name);
        report_page_html(p, "</span>");
    }
    report_page_html(p, "</div>\n");
}

void report_page_bars(struct report_page *p, const struct report_bars *b)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < b->n * b->n_groups; i++) {
        double ends[3] = { b->values[i], b->low ? b->low[i] : NAN, b->high ? b->high[i] : NAN };
        for (int k = 0; k < 3; k++)
            if (isfinite(ends[k])) {
                low = fmin(low, ends[k]);
                high = fmax(high, ends[k]);
            }
    }
    if (b->reference && isfinite(*b->reference)) {
        low = fmin(low, *b->reference);
        high = fmax(high, *b->reference);
    }
    struct report_scale s;
    report_scale_make(&s, &b->value, low, high, 6, true);
    report_page_html(p, "<figure>");
    caption(p, b->title, b->subtitle);
    legend(p, b);
    report_page_html(p, "<div class=\"bars\">\n");
    for (size_t r = 0; r < b->n; r++) {
        report_page_html(p, "<div class=\"name\">");
        report_page_text(p, b->categories[r]);
        report_page_html(p, b->points ? "</div><div class=\"track points\">"
                                      : "</div><div class=\"track\">");
        for (size_t g = 0; g < b->n_groups; g++)
            bar(p, b, &s, r * b->n_groups + g, g);
        if (b->reference && isfinite(*b->reference))
            report_page_format(p, "<span class=\"ref\" style=\"left:%.2f%%\"></span>",
                               percent(&s, *b->reference));
        report_page_html(p, "</div><div class=\"num\">");
        for (size_t g = 0; g < b->n_groups; g++)
            bar_number(p, b, r * b->n_groups + g);
        report_page_html(p, "</div>\n");
    }
    report_page_html(p, "</div></figure>\n");
}

void report_page_heat(struct report_page *p, const struct report_heat *h)
{
    report_page_html(p, "<figure class=\"heat\">");
    caption(p, h->title, h->subtitle);
    report_page_html(p, "<div class=\"wide\"><table><thead><tr><th><span class=\"sub\">");
    if (h->row_label && h->column_label) {
        report_page_text(p, h->row_label);
        report_page_html(p, " \u2193, ");
        report_page_text(p, h->column_label);
        report_page_html(p, " \u2192");
    }
    report_page_html(p, "</span></th>");
    for (size_t j = 0; j < h->n; j++) {
        report_page_html(p, "<th>");
        report_page_text(p, h->labels[j]);
        report_page_html(p, "</th>");
    }
    report_page_html(p, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < h->n; i++) {
        double sum = 0;
        for (size_t j = 0; j < h->n; j++)
            sum += h->counts[i * h->n + j];
        report_page_html(p, "<tr><th>");
        report_page_text(p, h->labels[i]);
        report_page_html(p, "</th>");
        for (size_t j = 0; j < h->n; j++) {
            double count = h->counts[i * h->n + j], share = sum > 0 ? count / sum : 0;
            report_page_format(p, "<td%s style=\"--w:%.0f%%\">%.15g<small>%.0f %%</small></td>",
                               share > 0.55 ? " class=\"strong\"" : "", 100 * share, count,
                               100 * share);
        }
        report_page_html(p, "</tr>\n");
    }
    report_page_html(p, "</tbody></table></div></figure>\n");
}

void report_page_calibration(struct report_page *p, const struct report_calibration *c)
{
    enum { LEFT = 40, TOP = 10, SIDE = 300 };
    double most = 0;
    for (size_t i = 0; i < c->n; i++)
        most = fmax(most, c->weight[i]);
    report_page_html(p, "<figure>");
    caption(p, c->title, c->subtitle);
    report_page_html(p, "<svg class=\"plot\" viewBox=\"0 0 360 356\" role=\"img\" "
                        "aria-label=\"reliability diagram\">");
    for (int t = 0; t <= 5; t++) {
        double y = TOP + SIDE - SIDE * t / 5.0, x = LEFT + SIDE * t / 5.0;
        report_page_format(p,
                           "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                           "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.1f</text>"
                           "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.1f</text>",
                           LEFT, LEFT + SIDE, y, y, LEFT - 6, y + 4, t / 5.0, x, TOP + SIDE + 16,
                           t / 5.0);
    }
    report_page_format(p,
                       "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>"
                       "<line class=\"diagonal\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>"
                       "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">confidence</text>"
                       "<text transform=\"translate(11 %d) rotate(-90)\" "
                       "text-anchor=\"middle\">share that is right</text>",
                       LEFT, LEFT + SIDE, TOP + SIDE, TOP + SIDE, LEFT, LEFT + SIDE, TOP + SIDE,
                       TOP, LEFT + SIDE / 2, TOP + SIDE + 36, TOP + SIDE / 2);
    for (size_t i = 0; i < c->n; i++) {
        if (!(c->weight[i] > 0) || !isfinite(c->confidence[i]) || !isfinite(c->accuracy[i]))
            continue;
        double x = LEFT + SIDE * c->confidence[i], y = TOP + SIDE * (1 - c->accuracy[i]);
        if (c->low && c->high && isfinite(c->low[i]) && isfinite(c->high[i]))
            report_page_format(p,
                               "<line class=\"whisker\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
                               "y2=\"%.1f\"/>",
                               x, x, TOP + SIDE * (1 - c->low[i]), TOP + SIDE * (1 - c->high[i]));
        report_page_format(p,
                           "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>%.15g answers, "
                           "confidence %.3f, right %.3f</title></circle>",
                           x, y, 3 + 5 * sqrt(c->weight[i] / most), c->weight[i], c->confidence[i],
                           c->accuracy[i]);
    }
    report_page_html(p, "</svg></figure>\n");
}

void report_page_browser(struct report_page *p)
{
    report_page_html(
        p, "<noscript><p>The samples are shown with JavaScript, which is off here; they also stand "
           "in the run's samples files.</p></noscript>\n"
           "<div id=\"sample-tools\" hidden><div class=\"filter\">"
           "<input id=\"sample-text\" type=\"search\" placeholder=\"Search prompts and answers\" "
           "aria-label=\"Search prompts and answers\">"
           "<select id=\"sample-task\" aria-label=\"Task\"><option value=\"\">every task</option>"
           "</select>"
           "<select id=\"sample-judged\" aria-label=\"Right or wrong\">"
           "<option value=\"\">right and wrong</option><option value=\"true\">right</option>"
           "<option value=\"false\">wrong</option></select>"
           "<select id=\"sample-category\" aria-label=\"Category\">"
           "<option value=\"\">every category</option></select></div>\n"
           "<p class=\"muted\" id=\"sample-count\" aria-live=\"polite\"></p>"
           "<ul id=\"sample-list\"></ul>"
           "<div class=\"filter\"><button id=\"sample-more\" type=\"button\">Show more</button>"
           "</div></div>\n");
}

int report_page_write(struct report_page *p, const char *path)
{
    struct base_buffer out = { 0 };
    int rc = p->rc;
    if (!rc)
        rc = base_buffer_puts(&out,
                              "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                              "<meta name=\"viewport\" content=\"width=device-width,"
                              "initial-scale=1\">"
                              "<link rel=\"icon\" href=\"data:,\">\n<title>");
    if (!rc)
        rc = escape(&out, p->title, strlen(p->title));
    if (!rc)
        rc = base_buffer_puts(&out, "</title>\n<style>\n");
    if (!rc)
        rc = base_buffer_append(&out, report_page_css,
                                (size_t)(report_page_css_end - report_page_css));
    if (!rc)
        rc = base_buffer_puts(&out, "</style></head><body>\n<header><h1>");
    if (!rc)
        rc = escape(&out, p->title, strlen(p->title));
    if (!rc)
        rc = base_buffer_puts(&out, "</h1>\n<p class=\"sub\">");
    if (!rc)
        rc = escape(&out, p->subtitle, strlen(p->subtitle));
    if (!rc)
        rc = base_buffer_printf(&out,
                                "</p>\n<nav aria-label=\"Sections\">%s</nav></header>\n<main>\n",
                                p->menu.data ? p->menu.data : "");
    if (!rc && p->body.length)
        rc = base_buffer_append(&out, p->body.data, p->body.length);
    if (!rc)
        rc = base_buffer_printf(&out, "%s</main>\n<footer>Made by Assay %s.</footer>\n<script>\n",
                                p->open ? "</section>" : "", ASSAY_VERSION);
    if (!rc)
        rc =
            base_buffer_append(&out, report_page_js, (size_t)(report_page_js_end - report_page_js));
    if (!rc)
        rc = base_buffer_puts(&out, "</script></body></html>\n");
    if (!rc)
        rc = base_file_write(path, out.data, out.length);
    base_buffer_free(&out);
    return rc;
}
