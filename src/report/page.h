/* A report as one HTML file: no network, no other file, light and dark by the reader's setting,
 * from a telephone's width to a desk's, and fit to be printed. Figures are made of HTML and inline
 * SVG, so that their text can be searched and copied; charts as picture files are chart.h's
 * business.
 *
 * Errors are kept: after the first failed append every call does nothing, and report_page_write
 * returns it. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H
#include "base/buffer.h"
#include "report/chart.h"
#include <stdint.h>

struct report_page {
    struct base_buffer body; /* HTML between the header and the end */
    struct base_buffer menu; /* links to the sections */
    char *title, *subtitle;
    bool open; /* a section is open */
    int rc;
};
/* subtitle may be NULL. Always end with report_page_free. */
void report_page_begin(struct report_page *p, const char *title, const char *subtitle);
void report_page_free(struct report_page *p);
/* Writes the page atomically; returns the first error there was. */
int report_page_write(struct report_page *p, const char *path);

/* HTML as it is; text with &, <, > and quotes escaped and invalid UTF-8 repaired. */
void report_page_html(struct report_page *p, const char *html);
void report_page_format(struct report_page *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void report_page_text(struct report_page *p, const char *text);
void report_page_text_n(struct report_page *p, const char *text, size_t bytes);
/* Ends the section before it. id: letters, digits, '-'. */
void report_page_section(struct report_page *p, const char *id, const char *heading);
void report_page_paragraph(struct report_page *p, const char *text);
/* JSON text inside <script type="application/json" id="...">, where "<" is written \u003c so that
 * nothing in it ends the element. */
void report_page_data(struct report_page *p, const char *id, const char *json, size_t bytes);

/* Bars with whiskers, a number beside each. */
void report_page_bars(struct report_page *p, const struct report_bars *bars);
/* A matrix of counts as a table whose cells are shaded by their share of the row. */
void report_page_heat(struct report_page *p, const struct report_heat *heat);
/* A reliability diagram: how often answers of a stated confidence are right. */
void report_page_calibration(struct report_page *p, const struct report_calibration *c);
/* The browser of samples: expects report_page_data under id "samples-data" (src/eval/report.c says
 * in what form). */
void report_page_browser(struct report_page *p);
#endif
