/* The report of two runs: what stands in the file, and how it behaves in a real browser: no errors,
 * no network, the filter, a telephone's width, dark and printed. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/report.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support.h"
#include "browser.h"

enum { ITEMS = 120 };
static const char *const labels[2] = { "negative", "positive" };

/* Item i of a run: which label is true, and which one the run says. */
static int truth(int i)
{
    return i % 3 == 0;
}
static int said(int i, int skill)
{
    return i % skill == 0 ? !truth(i) : truth(i);
}

static json_t *sample_make(int i, int skill)
{
    char text[200], hash[65];
    snprintf(text, sizeof text, "Review: the plot of film %d is <b>odd</b> & new.\nSentiment:", i);
    snprintf(hash, sizeof hash, "%064x", i + 1);
    int right = said(i, skill) == truth(i);
    double p[2] = { said(i, skill) == 0 ? -0.1 : -2.4, said(i, skill) == 1 ? -0.1 : -2.4 };
    return json_pack(
        "{s:i, s:{s:s}, s:s, s:{s:{s:s,s:s}, s:{s:s,s:s}}, s:[[[s,s]],[[s,s]]], s:[[s,s],[s,s]], "
        "s:s, s:[s], s:s, s:s, s:s, s:f, s:{s:i, s:i, s:[f,f], s:[b,b], s:s}}",
        "doc_id", i, "doc", "text", text, "target", truth(i) ? "1" : "0", "arguments", "gen_args_0",
        "arg_0", text, "arg_1", " negative", "gen_args_1", "arg_0", text, "arg_1", " positive",
        "resps", p[0] > p[1] ? "-0.1" : "-2.4", "True", p[1] > p[0] ? "-0.1" : "-2.4", "False",
        "filtered_resps", "-0.1", "True", "-2.4", "False", "filter", "none", "metrics", "acc",
        "doc_hash", hash, "prompt_hash", hash, "target_hash", hash, "acc", (double)right, "assay",
        "gold", truth(i), "prediction", said(i, skill), "logprobs", p[0], p[1], "greedy",
        p[0] > p[1], p[1] > p[0], "category", i % 2 ? "films" : "books");
}

/* What `assay eval --strategies` keeps of two tasks: three pairs, one of which is not to be tested,
 * and one of scores that are not 0 or 1. */
static json_t *strategies_make(void)
{
    return json_pack(
        "{s:[{s:s, s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:[f,f], s:f, s:{s:i, s:i, s:f, s:f}, s:s, "
        "s:f, s:f}, {s:s, s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:[f,f], s:f, s:{s:i, s:i, s:f, s:f}, "
        "s:s, s:f, s:f}, {s:s, s:s, s:s, s:i, s:s}], s:[{s:s, s:s, s:s, s:i, s:f, s:f, s:f, s:f, "
        "s:[f,f], s:f, s:s, s:f, s:f}]}",
        "reviews", "a", "instruction", "b", "cloze", "metric", "acc", "n", 120, "mean_a", 0.6,
        "mean_b", 0.75, "difference", 0.15, "stderr", 0.04, "ci", 0.071, 0.226, "level", 0.9,
        "mcnemar", "b", 4, "c", 22, "exact", 0.00054, "midp", 0.00031, "test", "mcnemar mid-p", "p",
        0.00031, "p_adjusted", 0.00062, "a", "instruction", "b", "icl", "metric", "acc", "n", 120,
        "mean_a", 0.6, "mean_b", 0.575, "difference", -0.025, "stderr", 0.03, "ci", -0.0833, 0.0334,
        "level", 0.9, "mcnemar", "b", 8, "c", 5, "exact", 0.58, "midp", 0.4244, "test",
        "mcnemar mid-p", "p", 0.4244, "p_adjusted", 0.4244, "a", "cloze", "b", "icl", "metric",
        "acc", "n", 0, "reason", "no items <that> both have", "sums", "a", "instruction", "b",
        "icl", "metric", "f1", "n", 40, "mean_a", 0.31, "mean_b", 0.42, "difference", 0.11,
        "stderr", 0.05, "ci", 0.012, 0.208, "level", 0.9, "test", "paired t", "p", 0.029,
        "p_adjusted", 0.029);
}

static void run_make(const char *directory, const char *model, int skill)
{
    json_t *config = json_pack("{s:s, s:{s:s, s:s}, s:{s:{s:s}}, s:{s:i}}", "command", "assay eval",
                               "model", "model", model, "hash", "0123abcd", "tasks", "reviews",
                               "task", "reviews", "options", "seed", 7);
    struct eval_run_writer *w;
    assert_int_equal(eval_run_create(&w, directory, config), 0);
    int right = 0, matrix[2][2] = { { 0 } };
    for (int i = 0; i < ITEMS; i++) {
        json_t *sample = sample_make(i, skill);
        assert_non_null(sample);
        assert_int_equal(eval_run_add(w, "reviews", sample), 0);
        json_decref(sample);
        right += said(i, skill) == truth(i);
        matrix[truth(i)][said(i, skill)]++;
    }
    double acc = (double)right / ITEMS;
    json_t *results = json_pack(
        "{s:{s:{s:f, s:f, s:[f,f], s:s, s:i, s:s, s:b}, s:i, s:{s:{s:{s:f,s:[f,f]}}, "
        "s:{s:{s:f,s:[f,f]}}}, s:{s:[s,s], s:[[i,i],[i,i]]}, s:[{s:i, s:f, s:f}]}}",
        "reviews", "acc", "value", acc, "stderr", sqrt(acc * (1 - acc) / (ITEMS - 1)), "ci",
        acc - 0.06, acc + 0.05, "method", "wilson", "n", ITEMS, "filter", "none",
        "higher_is_better", 1, "n", ITEMS, "by_category", "films", "acc", "value", 0.8, "ci", 0.68,
        0.89, "books", "acc", "value", 0.7, "ci", 0.57, 0.8, "confusion", "labels", labels[0],
        labels[1], "matrix", matrix[0][0], matrix[0][1], matrix[1][0], matrix[1][1], "calibration",
        "n", ITEMS, "confidence", 0.909, "accuracy", acc);
    assert_non_null(results);
    json_t *strategies = skill == 3 ? strategies_make() : NULL;
    assert_true(skill != 3 || strategies);
    if (strategies)
        assert_int_equal(eval_run_compared(w, strategies), 0);
    assert_int_equal(eval_run_finish(w, results), 0);
    eval_run_writer_free(w);
    json_decref(strategies);
    json_decref(results);
    json_decref(config);
}

struct fixture {
    char a[512], b[512], page[512], plots[512];
};

static void fixture_make(struct fixture *f)
{
    snprintf(f->a, sizeof f->a, "%s", test_temporary_path("-run-a"));
    snprintf(f->b, sizeof f->b, "%s", test_temporary_path("-run-b"));
    snprintf(f->page, sizeof f->page, "%s", test_temporary_path("-report.html"));
    snprintf(f->plots, sizeof f->plots, "%s", test_temporary_path("-plots"));
    run_make(f->a, "small", 3);
    run_make(f->b, "large", 8);
}

static void report_make(const struct fixture *f, size_t *plots)
{
    struct eval_run *runs[2];
    assert_int_equal(eval_run_open(&runs[0], f->a, NULL), 0);
    assert_int_equal(eval_run_open(&runs[1], f->b, NULL), 0);
    struct eval_report_options o = EVAL_REPORT_OPTIONS_DEFAULT;
    o.plots = f->plots;
    o.samples = 100;
    assert_int_equal(eval_report_write((const struct eval_run *const *)runs, 2, f->page, &o, plots),
                     0);
    eval_run_close(runs[0]);
    eval_run_close(runs[1]);
}

static void test_file(void **state)
{
    (void)state;
    struct fixture f;
    fixture_make(&f);
    long live = base_alloc_live();
    size_t plots = 0, bytes;
    report_make(&f, &plots);
    assert_int_equal(base_alloc_live(), live);
    /* results, categories, strategies, and for each run confusion and calibration: PNG and SVG */
    assert_int_equal(plots, 2 * (3 + 2 * 2));
    char path[600], *html;
    snprintf(path, sizeof path, "%s/confusion-reviews-2.png", f.plots);
    assert_true(base_file_exists(path));
    assert_int_equal(base_file_read(f.page, 0, &html, &bytes), 0);
    assert_non_null(strstr(html, "<h1>small and large on reviews</h1>"));
    assert_non_null(strstr(html, "<td class=\"n\">0.6667</td>"));
    assert_non_null(strstr(html, "<td class=\"n\">-0.2083</td>"));
    assert_non_null(strstr(html, "<td class=\"n\">10 : 35</td>"));
    assert_non_null(strstr(html, "<td class=\"tight better\">B is better</td>"));
    assert_non_null(strstr(html, "0123abcd"));
    snprintf(path, sizeof path, "%s/strategies-1.png", f.plots);
    assert_true(base_file_exists(path));
    /* what eval stored, second minus first; the tie of none is said, not shown */
    assert_non_null(strstr(html, "<td class=\"tight\">cloze \u2212 instruction</td>"
                                 "<td class=\"n\">120</td><td class=\"n\">0.7500</td>"
                                 "<td class=\"n\">0.6000</td><td class=\"n\">+0.1500</td>"
                                 "<td class=\"n\">+0.0710 to +0.2260</td>"
                                 "<td class=\"n\">22 : 4</td><td class=\"n\">0.00031</td>"
                                 "<td class=\"n better\">0.00062</td>"));
    assert_non_null(strstr(html, "<td class=\"n\">-0.0250</td>"
                                 "<td class=\"n\">-0.0833 to +0.0334</td>"
                                 "<td class=\"n\">5 : 8</td><td class=\"n\">0.424</td>"
                                 "<td class=\"n\">0.424</td>"));
    assert_non_null(strstr(html, "no items &lt;that&gt; both have"));
    assert_non_null(strstr(html, "90&nbsp;% interval"));
    assert_non_null(strstr(html, "Whiskers: 90 % intervals."));
    assert_non_null(strstr(html, "40 more stand in the samples files"));
    assert_null(strstr(html, "<b>odd"));
    assert_null(strstr(html, "http://"));
    assert_null(strstr(html, "https://"));
    base_free(html);
}

static void test_browser(void **state)
{
    (void)state;
    if (!browser_program()) {
        printf("skip: %s needs Chromium (Debian's package chromium)\n", __func__);
        skip();
    }
    struct fixture f;
    fixture_make(&f);
    report_make(&f, NULL);
    struct browser b;
    assert_true(browser_start(&b));
    char url[600];
    snprintf(url, sizeof url, "file://%s", f.page);
    browser_size(&b, 1280, 900);
    browser_media(&b, "", "light");
    assert_true(browser_open(&b, url));
    browser_picture(&b, "report-desktop");
    /* strategies: a point and whiskers for each pair that was tested, the difference at its place
     * between the ends of its interval, and the line of no difference between -0.025 and 0 */
#define STRATEGY(what) "document.querySelector" what
    assert_int_equal(browser_number(&b, STRATEGY("All('#strategies .bar u').length")), 3);
    assert_int_equal(browser_number(&b, STRATEGY("All('#strategies .bar i').length")), 3);
    assert_int_equal(browser_number(&b, STRATEGY("All('#strategies tbody tr').length")), 4);
#define MIDDLE(e) "((r)=>r.left+r.width/2)(" e ".getBoundingClientRect())"
    assert_int_equal(
        browser_number(&b, "[...document.querySelectorAll('#strategies .bar')].every(e=>{const "
                           "w=e.querySelector('i').getBoundingClientRect(), "
                           "m=" MIDDLE("e.querySelector('u')") "; return w.left<m && m<w.right;})"),
        1);
    assert_int_equal(
        browser_number(&b, "{const u=[...document.querySelectorAll('#strategies .bar "
                           "u')].map(e=>" MIDDLE("e") "), z=" MIDDLE(
                               "document.querySelector('#strategies .ref')") "; u[0]>z && u[1]<z "
                                                                             "&& u[2]>z}"),
        1);
    assert_int_equal(browser_number(&b, "[...document.querySelectorAll('nav a')].some(a=>"
                                        "a.getAttribute('href')==='#strategies')"),
                     1);
#define COUNT "document.getElementById('sample-count').textContent"
    /* 100 of each run's 120 samples; 50 rows at a time */
    assert_int_equal(browser_number(&b, COUNT " === '200 of 200 samples'"), 1);
    assert_int_equal(browser_number(&b, "document.querySelectorAll('#sample-list > li').length"),
                     50);
    assert_int_equal(browser_number(&b, "document.getElementById('sample-more').click(),"
                                        "document.querySelectorAll('#sample-list > li').length"),
                     100);
    /* wrong ones of the first run: every third of the first 100 */
#define CHOOSE(id, value)                                                                          \
    "{const e=document.getElementById('" id "');e.value='" value                                   \
    "';e.dispatchEvent(new Event('input'));}"
    browser_number(&b, CHOOSE("sample-judged", "false") CHOOSE("sample-task", "0"));
    assert_int_equal(browser_number(&b, COUNT " === '34 of 200 samples'"), 1);
    browser_number(&b, CHOOSE("sample-category", "films"));
    assert_int_equal(browser_number(&b, COUNT " === '17 of 200 samples'"), 1);
    browser_number(&b, CHOOSE("sample-text", "FILM 27 "));
    assert_int_equal(browser_number(&b, COUNT " === '1 of 200 samples'"), 1);
    assert_int_equal(browser_number(&b, "location.hash === "
                                        "'#text=film+27+&task=0&right=false&category=films'"),
                     1);
    /* an opened sample shows the prompt and the join */
    browser_number(&b, "document.querySelector('#sample-list details').open = true");
    browser_number(&b, "document.querySelector('#sample-list details')"
                       ".dispatchEvent(new Event('toggle'))");
    assert_int_equal(
        browser_number(&b, "document.querySelector('#sample-list pre').textContent.startsWith("
                           "'Review: the plot of film 27 is <b>odd</b> & new.↵\\n')"),
        1);
    assert_int_equal(
        browser_number(&b, "document.querySelector('#sample-list mark').textContent.endsWith("
                           "'Sentiment:')"),
        1);
    assert_int_equal(
        browser_number(&b, "document.querySelector('#sample-list mark.answer').textContent ==="
                           "'\u00b7negative'"),
        1);
    browser_picture(&b, "report-sample");
    /* the filter is kept in the address */
    char kept[800];
    snprintf(kept, sizeof kept, "%s?again#right=true&task=1", url);
    assert_true(browser_open(&b, kept));
    assert_int_equal(browser_number(&b, COUNT " === '87 of 200 samples'"), 1);
    /* telephone, dark, printed */
    snprintf(b.page, sizeof b.page, "%s", url);
    browser_size(&b, 390, 844);
    assert_int_equal(browser_number(&b, "document.documentElement.scrollWidth"), 390);
    browser_picture(&b, "report-phone");
    browser_size(&b, 1280, 900);
    browser_media(&b, "", "dark");
    assert_int_equal(browser_number(&b, "getComputedStyle(document.body).backgroundColor === "
                                        "'rgb(20, 24, 31)'"),
                     1);
    browser_picture(&b, "report-dark");
    browser_media(&b, "print", "dark");
    assert_int_equal(browser_number(&b, "getComputedStyle(document.body).backgroundColor === "
                                        "'rgb(255, 255, 255)'"),
                     1);
    assert_int_equal(
        browser_number(&b, "getComputedStyle(document.querySelector('nav')).display === 'none'"),
        1);
    browser_picture(&b, "report-print");
    assert_string_equal(b.errors, "");
    assert_string_equal(b.requests, "");
    browser_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_browser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
