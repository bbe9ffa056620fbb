/* run_analysis: a question to a table, answered with the estimate, its interval, the test, what it
 * rests on and what to mind. The mathematics is the stats room's; here a question finds its
 * columns.
 *
 * Rows for which the condition does not hold, and rows with a missing value in a column that the
 * analysis uses, are left out and counted. An argument that an analysis does not use is refused. */
#include "agent/lab.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum {
    X = 1,
    Y = 2,
    RESPONSE = 4,
    GROUP = 8,
    PREDICTORS = 16,
    CATEGORICAL = 32,
    GROUPS = 64,
    CATEGORY = 128,
    EXPECTED = 256,
    METHOD = 512,
    ALTERNATIVE = 1024,
    MU = 2048,
    CLUSTER = 4096,
    ARGUMENTS = 13
};
static const char *const argument_names[ARGUMENTS] = {
    "x",        "y",        "response", "group",       "predictors", "categorical", "groups",
    "category", "expected", "method",   "alternative", "mu",         "cluster"
};
static const struct kind {
    const char *name, *title;
    unsigned required, allowed;
    int (*run)(struct lab_analysis *a);
} kinds[] = {
    { "mean", "Mean with interval", X, MU | ALTERNATIVE | CLUSTER, lab_mean },
    { "proportion", "Proportion with interval", X | CATEGORY, CLUSTER, lab_proportion },
    { "correlation", "Correlation", X | Y, METHOD, lab_correlation },
    { "linear_regression", "Linear regression (least squares)", RESPONSE | PREDICTORS,
      CATEGORICAL | CLUSTER, lab_linear },
    { "logistic_regression", "Logistic regression", RESPONSE | PREDICTORS, CATEGORICAL | CATEGORY,
      lab_logistic },
    { "welch_t_test", "Welch's t-test", RESPONSE | GROUP, GROUPS | ALTERNATIVE, lab_welch },
    { "paired_t_test", "Paired t-test", X | Y, 0, lab_paired },
    { "mann_whitney", "Mann-Whitney U test", RESPONSE | GROUP, GROUPS | ALTERNATIVE, lab_ranksum },
    { "anova", "One-way analysis of variance", RESPONSE | GROUP, 0, lab_anova },
    { "chi_square", "Chi-squared test of independence", X | Y, 0, lab_independence },
    { "fisher_exact", "Fisher's exact test", X | Y, ALTERNATIVE, lab_fisher },
    { "goodness_of_fit", "Chi-squared test of fit", X, EXPECTED, lab_goodness },
};

void lab_estimate(json_t *out, const char *key, const char *name, double value, double se,
                  struct stats_interval interval)
{
    lab_add(out, key,
            json_pack("{s:o, s:o, s:o, s:o}", "name", lab_text(name), "value",
                      base_json_number(value), "se", base_json_number(se), "interval",
                      lab_interval(interval)));
}

void lab_test(json_t *out, const char *statistic, double value, const double *df, size_t n_df,
              double p, enum stats_alternative alternative)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n_df; i++)
        json_array_append_new(list, base_json_number(df[i]));
    lab_add(out, "tests",
            json_pack("{s:s, s:o, s:o, s:o, s:s}", "statistic", statistic, "value",
                      base_json_number(value), "df", list, "p", base_json_number(p), "alternative",
                      stats_alternative_names[alternative]));
}

int lab_group(json_t *out, const char *name, const double *x, size_t n, double level)
{
    struct stats_description s;
    struct stats_interval i = { NAN, NAN };
    int rc =
        n ? stats_describe(x, n, &s) : base_error_set(BASE_E_ARGUMENT, "%s has no values", name);
    if (!rc && n >= 2)
        rc = stats_interval_mean(x, n, level, &i);
    if (rc)
        return rc;
    lab_add(out, "groups",
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "name", lab_text(name), "n",
                      lab_count((double)n), "mean", base_json_number(s.mean), "sd",
                      base_json_number(s.sd), "median", base_json_number(s.median), "mean_interval",
                      lab_interval(i)));
    return 0;
}

void lab_summary(json_t *out, const char *format, ...)
{
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_object_set_new(out, "summary", base_json_text(text, strlen(text)));
}

const char *lab_p(double p, char text[32])
{
    if (isnan(p))
        return "no p";
    snprintf(text, 32, p < 1e-15 ? "p < 1e-15" : "p = %.3g", p);
    return text;
}

int lab_run_analysis(const struct agent_tool *tool, const json_t *arguments, json_t **out)
{
    const char *name = lab_string(arguments, "analysis");
    const struct kind *k = kinds;
    int rc = lab_check(arguments);
    while (strcmp(k->name, name) != 0)
        k++; /* the schema has no other */
    if (rc ||
        (rc = lab_uses(k->name, arguments, argument_names, ARGUMENTS, k->required, k->allowed)))
        return rc;
    struct lab_analysis a = { .arguments = arguments,
                              .level = lab_number(arguments, "level", 0.95),
                              .out = json_pack("{s:s, s:s, s:s}", "analysis", k->name, "title",
                                               k->title, "summary", "") };
    rc = a.out ? lab_frame_open(&a.frame, tool, arguments) : BASE_E_MEMORY;
    if (a.out)
        json_object_set_new(a.out, "level", json_real(a.level));
    static const char *const lists[] = { "estimates", "tests", "assumptions", "warnings" };
    for (size_t i = 0; a.out && i < 4; i++)
        json_object_set_new(a.out, lists[i], json_array());
    if (!rc)
        rc = k->run(&a);
    if (!rc) {
        lab_frame_report(&a.frame, a.out);
        double left = (double)a.frame.missing, kept = (double)a.frame.n;
        if (left > 0.05 * (left + kept))
            lab_say(a.out, "warnings",
                    "%.0f of %.0f rows (%.1f %%) were left out for missing values: the figures "
                    "stand for the others only as far as the values are missing at random.",
                    left, left + kept, 100 * left / (left + kept));
    }
    lab_frame_close(&a.frame);
    if (rc)
        json_decref(a.out);
    return rc ? rc : lab_give(a.out, out);
}
