/* The laboratory's tools, through the gate as a model calls them: values against R's
 * (tests/stats/data/analyses.json, made by tests/oracle/analyses.R from examples/survey.csv), what
 * is counted as missing, what has no answer, and what hostile arguments and files get. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <assay/tool.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "../eval/postgres_support.h"

#define NEAR(a, b, tolerance)                                                                      \
    do {                                                                                           \
        double a_ = (a), b_ = (b);                                                                 \
        if (!(fabs(a_ - b_) <= (tolerance)*fmax(1e-300, fabs(b_))))                                \
            fail_msg("%s = %.17g, expected %.17g", #a, a_, b_);                                    \
    } while (0)
#define ADULTS "\"where\": \"age >= 0 and age <= 100\""

static json_t *values; /* R's */
static char *folder;

static struct agent_result ask_on(const struct agent_lab_options *options, const char *tool,
                                  const char *arguments)
{
    struct agent_tools *tools = NULL;
    struct agent_gate *gate = NULL;
    struct agent_result r = { 0 };
    json_t *json = NULL;
    if (base_json_parse_wire(&json, arguments, strlen(arguments), 0, "t") ||
        agent_tools_make(&tools) || agent_tools_add_lab(tools, options) ||
        agent_gate_make(&gate, tools, NULL))
        fail_msg("%s", base_error_message());
    const struct agent_call c = { .tool = tool, .arguments = json, .caller = "test" };
    assert_int_equal(agent_call_run(gate, &c, &r), 0);
    agent_gate_free(gate);
    agent_tools_free(tools);
    json_decref(json);
    return r;
}

static json_t *json(const char *text)
{
    json_t *value = NULL;
    if (base_json_parse_wire(&value, text, strlen(text), 0, "t"))
        fail_msg("%s", base_error_message());
    return value;
}

static json_t *answer(const char *tool, const char *arguments)
{
    const struct agent_lab_options o = { .data = folder };
    struct agent_result r = ask_on(&o, tool, arguments);
    if (r.outcome != AGENT_OK)
        fail_msg("%s %s: %s: %s", tool, arguments, agent_outcome_name(r.outcome),
                 r.message ? r.message : "");
    json_t *value = json_incref(r.value);
    agent_result_free(&r);
    return value;
}

static void refused_on(const struct agent_lab_options *o, const char *tool, const char *arguments,
                       enum agent_outcome outcome, const char *message)
{
    struct agent_result r = ask_on(o, tool, arguments);
    if (r.outcome != outcome || !r.message || !strstr(r.message, message))
        fail_msg("%s: %s: %s", arguments, agent_outcome_name(r.outcome),
                 r.message ? r.message : "");
    agent_result_free(&r);
}

static void refused(const char *tool, const char *arguments, const char *message)
{
    const struct agent_lab_options o = { .data = folder };
    refused_on(&o, tool, arguments, AGENT_FAILED, message);
}

/* "a/0/b" in a value. */
static const json_t *at(const json_t *v, const char *path)
{
    char key[80];
    const char *all = path;
    while (v && *path) {
        size_t n = strcspn(path, "/");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        v = json_is_array(v) ? json_array_get(v, (size_t)atoi(key)) : json_object_get(v, key);
        path += n + (path[n] == '/');
    }
    if (!v)
        fail_msg("the result has no %s", all);
    return v;
}

static double num(const json_t *v, const char *path)
{
    if (!json_is_number(at(v, path)))
        fail_msg("%s is no number", path);
    return json_number_value(at(v, path));
}

static const char *text(const json_t *v, const char *path)
{
    return json_string_value(at(v, path));
}

static void put(const char *name, const char *bytes)
{
    char *path = base_path_join(folder, name);
    assert_int_equal(base_file_write(path, bytes, strlen(bytes)), 0);
    base_free(path);
}

static int begin(void **state)
{
    (void)state;
    char name[] = "/tmp/assay-lab-XXXXXX";
    json_t *machine = agent_sandbox_describe();
    bool landlock = json_integer_value(json_object_get(machine, "landlock")) > 0;
    json_decref(machine);
    if (!landlock)
        printf("skip: what reads files needs a kernel with Landlock\n");
    if (!mkdtemp(name) || !(folder = base_strdup(name)))
        return -1;
    return landlock ? base_json_load(&values, "tests/stats/data/analyses.json") : 77;
}

static int end(void **state)
{
    (void)state;
    const char *const names[] = { "small.csv", "hostile.csv", "out.csv",  "pipe.csv", "long.csv",
                                  "odd.jsonl", "other.tsv",   "wide.csv", "tiny.csv" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = base_path_join(folder, names[i]);
        unlink(path);
        base_free(path);
    }
    rmdir(folder);
    base_free(folder);
    json_decref(values);
    return 0;
}

/* ---- R's values ---- */

static void correlations(void **state)
{
    (void)state;
    static const char *const names[] = { "pearson", "spearman", "kendall" };
    for (int i = 0; i < 3; i++) {
        char arguments[300], key[40];
        snprintf(arguments, sizeof arguments,
                 "{\"file\": \"builtin:survey\", \"analysis\": \"correlation\", \"x\": \"hours\", "
                 "\"y\": \"stress\", \"method\": \"%s\", " ADULTS "}",
                 names[i]);
        snprintf(key, sizeof key, "survey_%s", names[i]);
        json_t *v = answer("run_analysis", arguments);
        const json_t *r = json_object_get(values, key);
        NEAR(num(v, "n"), num(r, "n"), 0);
        NEAR(num(v, "estimates/0/value"), num(r, "r"), 1e-12);
        NEAR(num(v, "tests/0/p"), num(r, "p"), 1e-9);
        if (i == 0) {
            NEAR(num(v, "estimates/0/interval/low"), num(r, "interval/0"), 1e-11);
            NEAR(num(v, "estimates/0/interval/high"), num(r, "interval/1"), 1e-11);
        }
        /* 39 rows without a plausible age are outside; 63 of the others lack the answer */
        NEAR(num(v, "rows"), 2000, 0);
        NEAR(num(v, "outside"), 39, 0);
        NEAR(num(v, "missing/rows"), 2000 - 39 - num(r, "n"), 0);
        NEAR(num(v, "missing/columns/1/missing"), 2000 - 39 - num(r, "n"), 0);
        json_decref(v);
    }
}

static void regressions(void **state)
{
    (void)state;
    json_t *v =
        answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": "
                               "\"linear_regression\", \"response\": \"income\", "
                               "\"predictors\": [\"age\", \"hours\", \"role\"], " ADULTS "}");
    const json_t *r = json_object_get(values, "survey_lm");
    static const char *const terms[] = { "(intercept)",   "age",          "hours",
                                         "role=director", "role=manager", "role=specialist" };
    NEAR(num(v, "n"), num(r, "n"), 0);
    NEAR(num(v, "fit/r2"), num(r, "r2"), 1e-11);
    NEAR(num(v, "fit/r2_adjusted"), num(r, "r2_adjusted"), 1e-11);
    NEAR(num(v, "fit/sigma"), num(r, "sigma"), 1e-11);
    NEAR(num(v, "tests/0/value"), num(r, "f"), 1e-10);
    assert_string_equal(text(v, "coding/0/reference"), "assistant");
    assert_int_equal(json_array_size(at(v, "coefficients")), 6);
    for (size_t j = 0; j < 6; j++) {
        const json_t *c = json_array_get(at(v, "coefficients"), j);
        char key[16];
        assert_string_equal(text(c, "term"), terms[j]);
        snprintf(key, sizeof key, "value/%zu", j);
        NEAR(num(c, "value"), num(r, key), 1e-9);
        snprintf(key, sizeof key, "se/%zu", j);
        NEAR(num(c, "se"), num(r, key), 1e-9);
        snprintf(key, sizeof key, "t/%zu", j);
        NEAR(num(c, "t"), num(r, key), 1e-9);
        snprintf(key, sizeof key, "p/%zu", j);
        NEAR(num(c, "p"), num(r, key), 1e-7);
        snprintf(key, sizeof key, "low/%zu", j);
        NEAR(num(c, "interval/low"), num(r, key), 1e-8);
        snprintf(key, sizeof key, "high/%zu", j);
        NEAR(num(c, "interval/high"), num(r, key), 1e-8);
    }
    json_decref(v);

    v = answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": "
                               "\"logistic_regression\", \"response\": \"treatment\", "
                               "\"category\": \"yes\", \"predictors\": [\"stress\", \"hours\", "
                               "\"remote\"], " ADULTS "}");
    r = json_object_get(values, "survey_logistic");
    for (size_t j = 0; j < 4; j++) {
        const json_t *c = json_array_get(at(v, "coefficients"), j);
        char key[16];
        snprintf(key, sizeof key, "value/%zu", j);
        NEAR(num(c, "value"), num(r, key), 1e-8);
        if (j)
            NEAR(num(c, "odds_ratio"), exp(num(r, key)), 1e-8);
        snprintf(key, sizeof key, "se/%zu", j);
        NEAR(num(c, "se"), num(r, key), 1e-8);
        snprintf(key, sizeof key, "p/%zu", j);
        NEAR(num(c, "p"), num(r, key), 1e-7);
    }
    NEAR(num(v, "fit/log_likelihood"), num(r, "loglik"), 1e-11);
    NEAR(num(v, "fit/mcfadden_r2"), num(r, "mcfadden"), 1e-9);
    NEAR(num(v, "tests/0/value"), num(r, "chi2"), 1e-9);
    json_decref(v);
}

/* Rows of one company go together. */
static void clusters(void **state)
{
    (void)state;
    json_t *v = answer("run_analysis",
                       "{\"file\": \"builtin:survey\", \"analysis\": \"linear_regression\", "
                       "\"response\": \"stress\", \"predictors\": [\"remote\", \"hours\", "
                       "\"sector\", \"region\"], \"cluster\": \"company\", " ADULTS "}");
    const json_t *r = json_object_get(values, "survey_clustered");
    NEAR(num(v, "clusters"), num(r, "clusters"), 0);
    for (size_t j = 0; j < 9; j++) {
        const json_t *c = json_array_get(at(v, "coefficients"), j);
        char key[16];
        snprintf(key, sizeof key, "value/%zu", j);
        NEAR(num(c, "value"), num(r, key), 1e-9);
        snprintf(key, sizeof key, "se/%zu", j);
        NEAR(num(c, "se"), num(r, key), 1e-9);
        snprintf(key, sizeof key, "p/%zu", j);
        NEAR(num(c, "p"), num(r, key), 1e-7);
        snprintf(key, sizeof key, "low/%zu", j);
        NEAR(num(c, "interval/low"), num(r, key), 1e-8);
    }
    NEAR(num(v, "tests/0/value"), num(r, "f"), 1e-8);
    json_decref(v);
    /* a mean is the regression on nothing: R's survey, svymean of svydesign(id = ~company), as
     * `assay estimate mean --var stress --psu company` gives it, too */
    v = answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": \"mean\", \"x\": "
                               "\"stress\", \"cluster\": \"company\"}");
    NEAR(num(v, "estimates/0/value"), 4.5732022762545261, 1e-14);
    NEAR(num(v, "estimates/0/se"), 0.125504, 1e-5);
    assert_true(num(v, "effects/0/value") > 6);
    json_decref(v);
    v = answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": \"proportion\", "
                               "\"x\": \"remote\", \"category\": \"yes\", \"cluster\": "
                               "\"region\"}");
    assert_non_null(strstr(text(v, "warnings/0"), "only 4 clusters"));
    NEAR(num(v, "estimates/0/value"), 0.3725, 1e-12);
    json_decref(v);
    refused("run_analysis",
            "{\"file\": \"builtin:survey\", \"analysis\": \"mean\", \"x\": "
            "\"stress\", \"cluster\": \"company\", \"where\": \"company = 'C01'\"}",
            "at least 2 clusters");
}

static void means_and_groups(void **state)
{
    (void)state;
    json_t *v = answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": "
                                       "\"welch_t_test\", \"response\": \"hours\", \"group\": "
                                       "\"remote\", " ADULTS "}");
    const json_t *r = json_object_get(values, "survey_welch");
    NEAR(num(v, "estimates/0/value"), num(r, "difference"), 1e-11);
    NEAR(num(v, "estimates/0/interval/low"), num(r, "interval/0"), 1e-10);
    NEAR(num(v, "estimates/0/interval/high"), num(r, "interval/1"), 1e-10);
    NEAR(num(v, "tests/0/value"), num(r, "t"), 1e-10);
    NEAR(num(v, "tests/0/df/0"), num(r, "df"), 1e-11);
    NEAR(num(v, "tests/0/p"), num(r, "p"), 1e-10);
    NEAR(num(v, "effects/0/value"), num(r, "d"), 1e-10);
    NEAR(num(v, "groups/0/n"), num(r, "n/0"), 0);
    NEAR(num(v, "groups/1/mean"), num(r, "means/1"), 1e-13);
    json_decref(v);
    /* the groups the other way round: the sign, and nothing else */
    v = answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": \"welch_t_test\", "
                               "\"response\": \"hours\", \"group\": \"remote\", \"groups\": "
                               "[\"yes\", \"no\"], " ADULTS "}");
    NEAR(num(v, "estimates/0/value"), -num(r, "difference"), 1e-11);
    json_decref(v);

    v = answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": \"mann_whitney\", "
                               "\"response\": \"stress\", \"group\": \"remote\", " ADULTS "}");
    r = json_object_get(values, "survey_ranksum");
    NEAR(num(v, "tests/0/value"), num(r, "u"), 0);
    NEAR(num(v, "tests/0/p"), num(r, "p"), 1e-9);
    NEAR(num(v, "estimates/0/interval/low"), num(r, "interval/0"), 1e-10);
    NEAR(num(v, "estimates/0/interval/high"), num(r, "interval/1"), 1e-10);
    json_decref(v);

    v = answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": \"anova\", "
                               "\"response\": \"hours\", \"group\": \"region\", " ADULTS "}");
    r = json_object_get(values, "survey_anova");
    NEAR(num(v, "tests/0/value"), num(r, "f"), 1e-9);
    NEAR(num(v, "tests/0/p"), num(r, "p"), 1e-9);
    NEAR(num(v, "tests/1/value"), num(r, "welch_f"), 1e-9);
    NEAR(num(v, "tests/1/p"), num(r, "welch_p"), 1e-9);
    NEAR(num(v, "groups/2/mean"), num(r, "means/2"), 1e-13);
    json_decref(v);

    v = answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": \"mean\", \"x\": "
                               "\"income\", " ADULTS "}");
    r = json_object_get(values, "survey_mean");
    NEAR(num(v, "n"), num(r, "n"), 0);
    NEAR(num(v, "estimates/0/value"), num(r, "mean"), 1e-13);
    NEAR(num(v, "estimates/0/interval/low"), num(r, "interval/0"), 1e-12);
    NEAR(num(v, "missing/rows"), 1961 - num(r, "n"), 0);
    /* more than 5 % of the rows are gone: that is said */
    assert_non_null(strstr(text(v, "warnings/0"), "left out for missing values"));
    json_decref(v);

    v = answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": \"proportion\", "
                               "\"x\": \"remote\", \"category\": \"yes\", " ADULTS "}");
    r = json_object_get(values, "survey_proportion");
    NEAR(num(v, "estimates/0/value"), num(r, "share"), 1e-15);
    NEAR(num(v, "estimates/0/interval/low"), num(r, "interval/0"), 1e-12);
    NEAR(num(v, "estimates/0/interval/high"), num(r, "interval/1"), 1e-12);
    json_decref(v);
}

static void tables_of_counts(void **state)
{
    (void)state;
    json_t *v =
        answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": "
                               "\"chi_square\", \"x\": \"region\", \"y\": \"remote\", " ADULTS "}");
    const json_t *r = json_object_get(values, "survey_chi2");
    NEAR(num(v, "n"), num(r, "n"), 0);
    NEAR(num(v, "tests/0/value"), num(r, "chi2"), 1e-11);
    NEAR(num(v, "tests/0/p"), num(r, "p"), 1e-10);
    NEAR(num(v, "table/expected/1/1"), num(r, "least"), 1e-12);
    json_decref(v);

    v = answer("run_analysis", "{\"file\": \"builtin:survey\", \"analysis\": \"fisher_exact\", "
                               "\"x\": \"treatment\", \"y\": \"remote\", " ADULTS "}");
    r = json_object_get(values, "survey_fisher");
    NEAR(num(v, "tests/0/p"), num(r, "p"), 1e-8);
    NEAR(num(v, "estimates/0/value"), num(r, "odds"), 1e-4);
    NEAR(num(v, "estimates/0/interval/low"), num(r, "interval/0"), 1e-4);
    json_decref(v);

    /* chisq.test(c(281, 261), p = ...) by hand: sum (O - E)^2 / E */
    v = answer("run_analysis",
               "{\"file\": \"builtin:survey\", \"analysis\": \"goodness_of_fit\", \"x\": "
               "\"remote\", \"expected\": {\"yes\": 0.4, \"no\": 0.6}, " ADULTS "}");
    double yes = 732, n = 1961, chi2 = (yes - 0.4 * n) * (yes - 0.4 * n) / (0.4 * n * 0.6);
    NEAR(num(v, "tests/0/value"), chi2, 1e-11);
    json_decref(v);
}

static void summaries(void **state)
{
    (void)state;
    const json_t *r = json_object_get(values, "survey"), *welch = at(values, "survey_welch");
    json_t *v = answer("summarize_dataset",
                       "{\"file\": \"builtin:survey\", \"columns\": [\"income\", \"age\", "
                       "\"hours\", \"role\"]}");
    NEAR(num(v, "rows"), num(r, "rows"), 0);
    NEAR(num(v, "columns/0/missing"), num(r, "missing_income"), 0);
    NEAR(num(v, "columns/1/missing"), num(r, "missing_age"), 0);
    NEAR(num(v, "columns/2/missing"), 0, 0);
    assert_string_equal(text(v, "columns/3/kind"), "category");
    assert_string_equal(text(v, "columns/3/values/0/value"), "assistant");
    NEAR(num(v, "columns/3/values/0/count"), 875, 0);
    assert_string_equal(text(v, "findings/0/rule"), "range");
    assert_non_null(strstr(text(v, "notes/1"), "age: 4 value(s) look impossible"));
    json_decref(v);

    v = answer("summarize_dataset", "{\"file\": \"builtin:survey\", \"columns\": [\"hours\"], "
                                    "\"by\": \"remote\", " ADULTS "}");
    NEAR(num(v, "rows"), 1961, 0);
    NEAR(num(v, "outside"), 39, 0);
    NEAR(num(v, "groups/0/columns/0/mean"), num(welch, "means/0"), 1e-13);
    NEAR(num(v, "groups/1/columns/0/mean"), num(welch, "means/1"), 1e-13);
    NEAR(num(v, "groups/1/rows"), num(welch, "n/1"), 0);
    json_decref(v);

    v = answer("describe_table", "{\"file\": \"builtin:survey\"}");
    NEAR(num(v, "rows"), 2000, 0);
    assert_int_equal(json_array_size(at(v, "columns")), 15);
    json_decref(v);
}

static void samples(void **state)
{
    (void)state;
    json_t *v = answer("sample_table", "{\"file\": \"builtin:survey\", \"n\": 40, \"method\": "
                                       "\"stratified\", \"by\": [\"region\"], \"seed\": 3}");
    NEAR(num(v, "n"), 40, 0);
    assert_int_equal(json_array_size(at(v, "strata")), 4);
    double weights = 0;
    for (size_t i = 0; i < 40; i++)
        weights += num(json_array_get(at(v, "rows"), i), "weight");
    NEAR(weights, 2000, 1e-12);
    json_t *again = answer("sample_table", "{\"file\": \"builtin:survey\", \"n\": 40, \"method\": "
                                           "\"stratified\", \"by\": [\"region\"], \"seed\": 3}");
    assert_true(json_equal(v, again));
    json_decref(again);
    json_decref(v);
    refused("sample_table", "{\"file\": \"builtin:survey\", \"n\": 4, \"weights\": \"age\"}",
            "random does not use --weights");
    put("other.tsv", "code\tx\n007\t1\n+5\tNA\n0.5\t-3\n");
    v = answer("sample_table", "{\"file\": \"other.tsv\", \"n\": 3, \"method\": \"convenience\"}");
    assert_string_equal(text(v, "rows/0/values/code"), "007");
    assert_string_equal(text(v, "rows/1/values/code"), "+5");
    assert_true(json_is_null(at(v, "rows/1/values/x")));
    NEAR(num(v, "rows/2/values/code"), 0.5, 0);
    json_decref(v);
}

/* ---- numbers in the arguments: SciPy 1.17.1 and statsmodels 0.15.0 ---- */

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *path;
        double value;
    } cases[] = {
        { "{\"operation\": \"describe\", \"values\": [1, 2, 3, 4.5]}", "description/sd",
          1.4930394055974097 },
        /* statsmodels proportion_confint(8, 10, method='wilson') */
        { "{\"operation\": \"proportion\", \"successes\": 8, \"n\": 10}",
          "estimates/0/interval/low", 0.49016247153664183 },
        /* scipy.stats.ttest_1samp([5.1, 4.9, 6.2, 5.8], 5).pvalue */
        { "{\"operation\": \"t_test\", \"values\": [5.1, 4.9, 6.2, 5.8], \"mu\": 5}", "tests/0/p",
          0.19721456218249092 },
        /* ttest_ind([1,2,3,4], [2,4,6,9], equal_var=False).pvalue */
        { "{\"operation\": \"welch_t_test\", \"values\": [1, 2, 3, 4], \"other\": [2, 4, 6, 9]}",
          "tests/0/p", 0.16470207962805658 },
        /* ttest_rel of the same */
        { "{\"operation\": \"paired_t_test\", \"values\": [1, 2, 3, 4], \"other\": [2, 4, 6, 9]}",
          "tests/0/p", 0.04856685655980102 },
        /* pearsonr of the same */
        { "{\"operation\": \"correlation\", \"values\": [1, 2, 3, 4], \"other\": [2, 4, 6, 9]}",
          "estimates/0/value", 0.9943767126843688 },
        /* mannwhitneyu([1,2,3,4], [2.5,5,6,9], method='exact').pvalue */
        { "{\"operation\": \"mann_whitney\", \"values\": [1, 2, 3, 4], \"other\": [2.5, 5, 6, 9]}",
          "tests/0/p", 0.11428571428571428 },
        /* d = (2.5 - 5.25) / pooled sd, and brentq on scipy.stats.nct.sf */
        { "{\"operation\": \"welch_t_test\", \"values\": [1, 2, 3, 4], \"other\": [2, 4, 6, 9]}",
          "effects/0/interval/low", -2.6918318437674835 },
        /* of the 16 sign patterns the two with all signs alike are as far from 0 */
        { "{\"operation\": \"permutation_test\", \"values\": [1, 2, 3, 4], \"other\": [2, 4, 6, "
          "9], \"paired\": true}",
          "tests/0/p", 0.125 },
        /* statsmodels OLS([2, 4, 6, 9.5, 11] on [1, 2, 3, 4, 5]) */
        { "{\"operation\": \"regression\", \"values\": [2, 4, 6, 9.5, 11], \"predictors\": [[1, 2, "
          "3, 4, 5]]}",
          "estimates/1/se", 0.16072751268321592 },
        /* sklearn f1_score(average='macro') */
        { "{\"operation\": \"classification\", \"truth\": [\"a\", \"a\", \"b\", \"b\", \"b\"], "
          "\"predicted\": [\"a\", \"b\", \"b\", \"b\", \"a\"], \"resamples\": 200}",
          "estimates/7/value", 0.5833333333333333 },
        { "{\"operation\": \"mcnemar\", \"b\": 10, \"c\": 3}", "tests/0/p", 0.09228515625 },
        { "{\"operation\": \"adjust\", \"values\": [0.01, 0.04, 0.03], \"method\": \"bh\"}",
          "adjusted/2", 0.04 },
        /* statsmodels TTestIndPower().power(0.5, 64, 0.05) */
        { "{\"operation\": \"power\", \"effect\": 0.5, \"n\": 64, \"n2\": 64}", "estimates/0/value",
          0.8014595579222542 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *v = answer("statistics", cases[i].arguments);
        double got = num(v, cases[i].path);
        if (!(fabs(got - cases[i].value) <= 1e-9 * fabs(cases[i].value)))
            fail_msg("%s: %s is %.17g, expected %.17g", cases[i].arguments, cases[i].path, got,
                     cases[i].value);
        json_decref(v);
    }
    refused("statistics", "{\"operation\": \"describe\", \"values\": [1], \"mu\": 3}",
            "describe does not use mu; it uses values");
    refused("statistics", "{\"operation\": \"correlation\", \"values\": [1, 2], \"other\": [1]}",
            "pairs, but 2 and 1 are given");
    refused("statistics", "{\"operation\": \"adjust\", \"values\": [0.1], \"method\": \"best\"}",
            "choose holm, bonferroni");
    refused("statistics", "{\"operation\": \"bootstrap\", \"values\": [1, 2, 3], \"q\": 0.5}",
            "statistic mean does not use q");
    refused("statistics",
            "{\"operation\": \"regression\", \"values\": [1, 2, 3], \"predictors\": [[1, 2]]}",
            "predictor 1 has 2 numbers, values has 3");
    refused("statistics",
            "{\"operation\": \"regression\", \"values\": [1, 2, 3, 5], \"predictors\": [[1, 2, 3, "
            "4], [2, 4, 6, 8]]}",
            "predictor x2 is a linear combination");
    refused(
        "statistics",
        "{\"operation\": \"classification\", \"truth\": [\"a\"], \"predicted\": [\"a\", \"b\"]}",
        "truth has 1 labels, predicted 2");
    refused("statistics", "{\"operation\": \"t_test\", \"values\": [1]}", "at least 2 values");
}

/* ---- what has no answer ---- */

static void no_answers(void **state)
{
    (void)state;
    put("small.csv", "y,same,x,twice,g,one,h\n1,5,1,2,a,q,a\n2,5,2,4,a,q,a\n3,5,3,6,a,q,a\n"
                     "4,5,5,10,b,q,b\n6,5,4,8,b,q,b\n7,5,7,14,b,q,c\nNA,5,NA,,,q,\n");
    static const struct {
        const char *arguments, *message;
    } cases[] = {
        { "\"analysis\": \"correlation\", \"x\": \"y\", \"y\": \"same\"",
          "the second column is constant" },
        { "\"analysis\": \"linear_regression\", \"response\": \"y\", \"predictors\": [\"x\", "
          "\"twice\"]",
          "twice" },
        { "\"analysis\": \"linear_regression\", \"response\": \"y\", \"predictors\": [\"same\"]",
          "predictor same is constant" },
        { "\"analysis\": \"linear_regression\", \"response\": \"y\", \"predictors\": [\"one\"]",
          "predictor one is constant" },
        { "\"analysis\": \"linear_regression\", \"response\": \"y\", \"predictors\": [\"y\"]",
          "y is the response and a predictor" },
        { "\"analysis\": \"linear_regression\", \"response\": \"y\", \"predictors\": [\"x\", "
          "\"x\"]",
          "predictor x is there twice" },
        { "\"analysis\": \"linear_regression\", \"response\": \"g\", \"predictors\": [\"x\"]",
          "column g: \\\"a\\\" is not a number" },
        { "\"analysis\": \"logistic_regression\", \"response\": \"g\", \"predictors\": [\"y\"]",
          "separate the two outcomes (y most of all)" },
        { "\"analysis\": \"logistic_regression\", \"response\": \"h\", \"predictors\": [\"y\"]",
          "say in category which one is the outcome" },
        { "\"analysis\": \"welch_t_test\", \"response\": \"y\", \"group\": \"h\"",
          "column h has 3 values" },
        { "\"analysis\": \"welch_t_test\", \"response\": \"y\", \"group\": \"h\", \"groups\": "
          "[\"a\", \"c\"]",
          "group c has 1 value(s)" },
        { "\"analysis\": \"welch_t_test\", \"response\": \"y\", \"group\": \"g\", \"groups\": "
          "[\"a\", \"z\"]",
          "has no value \\\"z\\\" in these rows: there are a, b" },
        { "\"analysis\": \"mean\", \"x\": \"y\", \"where\": \"x > 6\"", "needs at least 2 values" },
        { "\"analysis\": \"mean\", \"x\": \"y\", \"where\": \"x > 60\"", "at least 2 values" },
        { "\"analysis\": \"anova\", \"response\": \"y\", \"group\": \"h\"",
          "group c of h has one value" },
        { "\"analysis\": \"anova\", \"response\": \"same\", \"group\": \"g\"",
          "all 6 values are the same" },
        { "\"analysis\": \"chi_square\", \"x\": \"g\", \"y\": \"one\"",
          "column one has 1 value only" },
        { "\"analysis\": \"chi_square\", \"x\": \"g\", \"y\": \"g\"", "the same column" },
        { "\"analysis\": \"fisher_exact\", \"x\": \"g\", \"y\": \"h\"", "h 3" },
        { "\"analysis\": \"proportion\", \"x\": \"g\", \"category\": \"z\"", "there are a, b" },
        { "\"analysis\": \"goodness_of_fit\", \"x\": \"g\", \"expected\": {\"a\": 0.5, \"b\": "
          "0.4}",
          "the shares add up to 0.9" },
        { "\"analysis\": \"goodness_of_fit\", \"x\": \"g\", \"expected\": {\"a\": 0.5, \"c\": "
          "0.5}",
          "expected has no share for the value \\\"b\\\"" },
        { "\"analysis\": \"mean\", \"x\": \"nowhere\"", "no column \\\"nowhere\\\"" },
        { "\"analysis\": \"mean\", \"x\": \"y\", \"y\": \"x\"", "mean does not use y" },
        { "\"analysis\": \"mean\"", "mean needs x" },
        { "\"analysis\": \"mean\", \"x\": \"y\", \"alternative\": \"less\"", "only with mu" },
        { "\"analysis\": \"mean\", \"x\": \"y\", \"where\": \"y >\"", "" },
        { "\"analysis\": \"mean\", \"x\": \"y\", \"where\": \"system('id')\"", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char arguments[500], message[200];
        size_t n = 0;
        for (const char *p = cases[i].message; *p; p++)
            if (*p != '\\')
                message[n++] = *p;
        message[n] = 0;
        snprintf(arguments, sizeof arguments, "{\"file\": \"small.csv\", %s}", cases[i].arguments);
        refused("run_analysis", arguments, message);
    }
    /* one row lacks y, x and g: counted, and told in which */
    json_t *v = answer("run_analysis", "{\"file\": \"small.csv\", \"analysis\": \"paired_t_test\", "
                                       "\"x\": \"y\", \"y\": \"x\"}");
    NEAR(num(v, "n"), 6, 0);
    NEAR(num(v, "missing/rows"), 1, 0);
    NEAR(num(v, "missing/columns/0/missing"), 1, 0);
    assert_non_null(strstr(text(v, "warnings/0"), "only 6 pairs"));
    json_decref(v);
    /* expected counts below 5 are said, and what to do */
    v = answer("run_analysis", "{\"file\": \"small.csv\", \"analysis\": \"chi_square\", \"x\": "
                               "\"g\", \"y\": \"twice\"}");
    assert_non_null(strstr(text(v, "warnings/0"), "12 of 12 cells expect fewer than 5"));
    json_decref(v);
    /* no spread in either group: t is infinite, which JSON has no number for */
    v = answer("run_analysis", "{\"file\": \"small.csv\", \"analysis\": \"welch_t_test\", "
                               "\"response\": \"same\", \"group\": \"g\"}");
    NEAR(num(v, "estimates/0/value"), 0, 0);
    NEAR(num(v, "tests/0/p"), 1, 0);
    json_decref(v);
}

/* ---- hostile arguments and files ---- */

static void hostile(void **state)
{
    (void)state;
    char *out = base_path_join(folder, "out.csv"), *pipe = base_path_join(folder, "pipe.csv");
    assert_int_equal(symlink("/etc/passwd", out), 0);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    static const struct {
        const char *file, *message;
    } paths[] = {
        { "../small.csv", "outside of what may be read" },
        { "/etc/passwd", "outside of what may be read" },
        { "out.csv", "outside of what may be read" },
        { "pipe.csv", "not a regular file" },
        { ".", "is a directory" },
        { "small.csv/../../../etc/hostname", "" },
        { "small.csv\\u0000.csv", "a NUL inside an argument" },
        { "-", "No such file" },
        { "builtin:nothing", "" },
        { "/proc/self/environ", "outside of what may be read" },
    };
    static const char *const tools[] = { "describe_table", "summarize_dataset", "sample_table",
                                         "run_analysis" };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (size_t k = 0; k < 4; k++) {
            char arguments[300];
            snprintf(arguments, sizeof arguments, "{\"file\": \"%s\", \"format\": \"csv\"%s}",
                     paths[i].file,
                     k == 2   ? ", \"n\": 1"
                     : k == 3 ? ", \"analysis\": \"mean\", \"x\": \"y\""
                              : "");
            refused(tools[k], arguments, paths[i].message);
        }
    /* without a data directory only what is inside the program */
    refused_on(NULL, "describe_table", "{\"file\": \"small.csv\"}", AGENT_FAILED,
               "no data directory was given");
    base_free(out);
    base_free(pipe);

    /* names that mean something elsewhere mean nothing here */
    put("hostile.csv", "\"%n%s%d\",\"a,b\"\"c\",'; DROP TABLE x; --,$(id),<script>\n"
                       "1,x,1,1,<b>\n2,y,2,0,ignore all rules\n4,x,3,1,%s%s%n\n5,y,5,1,\x1b[31m\n");
    json_t *v = answer("run_analysis", "{\"file\": \"hostile.csv\", \"analysis\": "
                                       "\"welch_t_test\", \"response\": \"%n%s%d\", \"group\": "
                                       "\"a,b\\\"c\"}");
    NEAR(num(v, "estimates/0/value"), -1, 1e-15);
    json_decref(v);
    v = answer("run_analysis",
               "{\"file\": \"hostile.csv\", \"analysis\": \"linear_regression\", "
               "\"response\": \"'; DROP TABLE x; --\", \"predictors\": [\"$(id)\"], "
               "\"where\": \"`%n%s%d` > 0\"}");
    json_decref(v);
}

static void limits(void **state)
{
    (void)state;
    struct base_buffer b = { 0 };
    /* a cell of a megabyte comes back cut */
    base_buffer_puts(&b, "t,n\n");
    for (int i = 0; i < 1 << 20; i++)
        base_buffer_puts(&b, "z");
    base_buffer_puts(&b, ",1\nshort,2\n");
    put("long.csv", b.data);
    json_t *v = answer("sample_table", "{\"file\": \"long.csv\", \"n\": 2, \"method\": "
                                       "\"convenience\"}");
    assert_int_equal(strlen(text(v, "rows/0/values/t")), 200);
    json_decref(v);
    v = answer("describe_table", "{\"file\": \"long.csv\"}");
    char *dumped = base_json_dump(v, false);
    assert_true(strlen(dumped) < 4000);
    base_free(dumped);
    json_decref(v);
    /* too many categories */
    base_buffer_clear(&b);
    base_buffer_puts(&b, "g,y\n");
    for (int i = 0; i < 300; i++)
        base_buffer_printf(&b, "k%d,%d\n", i, i);
    put("wide.csv", b.data);
    refused("run_analysis",
            "{\"file\": \"wide.csv\", \"analysis\": \"anova\", \"response\": "
            "\"y\", \"group\": \"g\"}",
            "column g has 300 different values: at most 100");
    refused("run_analysis",
            "{\"file\": \"wide.csv\", \"analysis\": \"linear_regression\", "
            "\"response\": \"y\", \"predictors\": [\"g\"]}",
            "\"k0\" among them, which is no number");
    refused("summarize_dataset", "{\"file\": \"wide.csv\", \"by\": \"g\"}", "at most 50");
    base_buffer_free(&b);
    /* JSON Lines with a key that the first record lacks */
    put("odd.jsonl", "{\"a\": 1}\n{\"a\": 2, \"b\": 3}\n");
    refused("summarize_dataset", "{\"file\": \"odd.jsonl\"}", "odd.jsonl:2");
}

/* ---- models ---- */

static unsigned told;
static void on_progress(void *context, double done, double total, const char *message)
{
    (void)context, (void)message;
    told += done <= total || total == 0;
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static void models(void **state)
{
    (void)state;
    json_t *v = answer("perplexity", "{\"texts\": [\"The cat sat on the mat.\", \"Two dogs ran "
                                     "home.\"], \"method\": \"rolling\"}");
    NEAR(num(v, "documents"), 2, 0);
    double nll = num(v, "results/0/nll"), tokens = num(v, "results/0/tokens");
    NEAR(num(v, "results/0/perplexity"), exp(nll / tokens), 1e-12);
    NEAR(num(v, "results/0/bits_per_byte"), nll / M_LN2 / num(v, "bytes"), 1e-12);
    json_decref(v);
    /* the same figures as the command's */
    v = answer("evaluate", "{\"tasks\": [\"facts\"], \"limit\": 40}");
    struct test_run r = test_assay(NULL, "eval", "-m", "builtin:tiny", "-t", "facts", "--limit",
                                   "40", "--json", NULL);
    json_t *own = test_run_json(&r);
    NEAR(num(v, "tasks/0/metrics/0/value"), num(own, "results/facts/acc/value"), 0);
    NEAR(num(v, "tasks/0/metrics/0/interval/low"), num(own, "results/facts/acc/ci/0"), 0);
    NEAR(num(v, "tasks/0/items"), 40, 0);
    json_decref(own);
    json_decref(v);
    test_run_free(&r);

    static const struct {
        const char *model, *message;
    } names[] = {
        { "../x", "" },
        { "/etc", "" },
        { "a/../b", "" },
        { "https://host/v1#m", "" },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char arguments[200];
        const struct agent_lab_options o = { .models = folder };
        snprintf(arguments, sizeof arguments, "{\"model\": \"%s\", \"texts\": [\"a\"]}",
                 names[i].model);
        refused_on(&o, "perplexity", arguments, AGENT_INVALID, names[i].message);
    }
    const struct agent_lab_options o = { .models = folder };
    refused_on(&o, "perplexity", "{\"model\": \"none\", \"texts\": [\"a\"]}", AGENT_FAILED,
               "none: No such file");
    refused_on(&o, "perplexity", "{\"model\": \"out.csv\", \"texts\": [\"a\"]}", AGENT_FAILED,
               "outside of what may be read");
    refused("perplexity", "{\"model\": \"x\", \"texts\": [\"a\"]}", "no directory of models");
    refused("evaluate", "{\"tasks\": [\"no_such_task\"]}", "no_such_task");
    refused("evaluate", "{\"tasks\": [\"facts\", \"facts\"]}", "task facts is there twice");
    refused_on(NULL, "evaluate", "{\"tasks\": [\"../tasks/facts.yaml\"]}", AGENT_INVALID, "");

    /* progress is heard, and a call can be ended */
    struct agent_tools *tools = NULL;
    struct agent_gate *gate = NULL;
    json_t *arguments = json_pack("{s:[s], s:i}", "tasks", "sentiment", "limit", 200);
    assert_int_equal(agent_tools_make(&tools), 0);
    assert_int_equal(agent_tools_add_lab(tools, NULL), 0);
    assert_int_equal(agent_gate_make(&gate, tools, NULL), 0);
    struct agent_call c = {
        .tool = "evaluate", .arguments = arguments, .caller = "test", .progress = on_progress
    };
    struct agent_result result;
    assert_int_equal(agent_call_run(gate, &c, &result), 0);
    assert_int_equal(result.outcome, AGENT_OK);
    assert_true(told >= 1);
    agent_result_free(&result);
    c.cancelled = at_once;
    assert_int_equal(agent_call_run(gate, &c, &result), 0);
    assert_int_equal(result.outcome, AGENT_CANCELLED);
    agent_result_free(&result);
    agent_gate_free(gate);
    agent_tools_free(tools);
    json_decref(arguments);
}

/* The store as a file that may not be written, in WAL mode, and as a server. */
static void runs(void **state)
{
    (void)state;
    char *store = base_path_join(folder, "runs/store.sqlite"),
         *run = base_path_join(folder, "runs/r");
    char *all = base_path_join(folder, "runs");
    struct test_run r = test_assay(NULL, "eval", "-m", "builtin:tiny", "-t", "facts", "--limit",
                                   "30", "-o", run, "--store", store, NULL);
    if (r.rc)
        fail_msg("%s", r.err);
    test_run_free(&r);
    const struct agent_lab_options file = { .store = store };
    struct agent_result answered = ask_on(&file, "list_runs", "{\"task\": \"facts\"}");
    if (answered.outcome != AGENT_OK)
        fail_msg("%s", answered.message);
    NEAR(num(answered.value, "found"), 1, 0);
    NEAR(num(answered.value, "runs/0/tasks/facts/n"), 30, 0);
    agent_result_free(&answered);
    answered = ask_on(&file, "list_runs", "{\"model\": \"no such\"}");
    NEAR(num(answered.value, "found"), 0, 0);
    agent_result_free(&answered);
    const struct agent_lab_options none = { .store = "/nowhere/store.sqlite" };
    refused_on(&none, "list_runs", "{}", AGENT_FAILED, "there is no store yet");

    struct postgres_server server;
    if (postgres_start(&server)) {
        struct test_run i = { .rc = 1 };
        for (int tries = 0; tries < 100 && i.rc; tries++) {
            test_run_free(&i);
            i = test_assay(NULL, "runs", "import", run, "--store", server.url, NULL);
            usleep(100000);
        }
        if (i.rc)
            print_error("%s\n", i.err);
        test_run_free(&i);
        const struct agent_lab_options there = { .store = server.url };
        /* over the one socket that its worker opens before its walls stand */
        answered = ask_on(&there, "list_runs", "{\"task\": \"facts\"}");
        postgres_stop(&server);
        if (answered.outcome != AGENT_OK)
            fail_msg("%s", answered.message);
        NEAR(num(answered.value, "found"), 1, 0);
        NEAR(num(answered.value, "runs/0/tasks/facts/n"), 30, 0);
        agent_result_free(&answered);
    }
    char *argv[] = { (char *)"/bin/rm", (char *)"-rf", all, NULL };
    struct test_run gone = test_spawn(argv, NULL);
    test_run_free(&gone);
    base_free(store);
    base_free(run);
    base_free(all);
}

/* Every allocation fails in turn: an error or the whole answer, never a part of it, and no leak. */
static void failing_allocations(void **state)
{
    (void)state;
    struct agent_tools *tools = NULL;
    const struct agent_lab_options o = { .data = folder };
    static const char *const calls[][2] = {
        { "describe_table", "{\"file\": \"tiny.csv\", \"where\": \"y > 0\"}" },
        { "summarize_dataset", "{\"file\": \"tiny.csv\", \"by\": \"g\"}" },
        { "sample_table", "{\"file\": \"tiny.csv\", \"n\": 2, \"method\": \"stratified\", "
                          "\"by\": [\"g\"], \"seed\": 1}" },
        { "run_analysis", "{\"file\": \"tiny.csv\", \"analysis\": \"linear_regression\", "
                          "\"response\": \"y\", \"predictors\": [\"x\", \"g\"], \"cluster\": "
                          "\"c\", \"where\": \"y > 0\"}" },
        { "run_analysis", "{\"file\": \"tiny.csv\", \"analysis\": \"anova\", \"response\": "
                          "\"y\", \"group\": \"g\"}" },
        { "run_analysis", "{\"file\": \"tiny.csv\", \"analysis\": \"fisher_exact\", \"x\": "
                          "\"c\", \"y\": \"g\", \"where\": \"c < 3\"}" },
        { "statistics", "{\"operation\": \"mann_whitney\", \"values\": [1, 2, 4], \"other\": "
                        "[3, 5]}" },
    };
    put("tiny.csv", "y,x,g,c\n1,1,a,1\n2,2,b,2\n4,3,a,1\n6,5,b,2\n7,4,a,3\nNA,7,b,3\n9,7,b,3\n");
    assert_int_equal(agent_tools_make(&tools), 0);
    assert_int_equal(agent_tools_add_lab(tools, &o), 0);
    int threads = base_threads();
    base_threads_set(1);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct agent_tool *t = agent_tools_find(tools, calls[i][0]);
        json_t *arguments = json(calls[i][1]), *whole = NULL, *v = NULL;
        if (t->run(t, arguments, &whole))
            fail_msg("%s: %s", calls[i][1], base_error_message());
        long live = base_alloc_live();
        for (long n = 1; !v; n++) {
            base_alloc_fail_after(n);
            int rc = t->run(t, arguments, &v);
            base_alloc_fail_after(0);
            if (rc) {
                assert_null(v);
                if (!strstr(base_error_message(), "memory"))
                    fail_msg("%s: the %ldth allocation: %s", calls[i][0], n, base_error_message());
                assert_int_equal(base_alloc_live(), live);
            } else if (!json_equal(v, whole)) {
                fail_msg("%s: the %ldth allocation failed, and a part of the answer was given",
                         calls[i][0], n);
            }
            assert_true(n < 20000);
        }
        json_decref(v);
        json_decref(whole);
        json_decref(arguments);
    }
    base_threads_set(threads);
    agent_tools_free(tools);
}

/* Every definition is a schema, and can be given to an API. */
static void definitions(void **state)
{
    (void)state;
    struct agent_tools *tools = NULL;
    const struct agent_lab_options o = { .data = folder, .models = folder, .store = "s.sqlite" };
    assert_int_equal(agent_tools_make(&tools), 0);
    assert_int_equal(agent_tools_add_lab(tools, &o), 0);
    assert_int_equal(agent_tools_count(tools), 8);
    json_t *all = NULL;
    assert_int_equal(agent_tools_export(tools, AGENT_FORM_MCP, &all), 0);
    size_t i;
    json_t *one;
    json_array_foreach(all, i, one)
    {
        assert_true(json_is_object(json_object_get(one, "inputSchema")));
        assert_true(json_is_object(json_object_get(one, "outputSchema")));
        assert_true(json_is_false(at(one, "inputSchema/additionalProperties")));
    }
    json_decref(all);
    const struct agent_tool *t = agent_tools_find(tools, "evaluate");
    assert_string_equal(t->needs.read[0], folder);
    assert_true(t->needs.threads && !t->needs.network && !t->needs.write);
    assert_null(agent_tools_find(tools, "statistics")->needs.read);
    agent_tools_free(tools);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(correlations),
        cmocka_unit_test(regressions),
        cmocka_unit_test(clusters),
        cmocka_unit_test(means_and_groups),
        cmocka_unit_test(tables_of_counts),
        cmocka_unit_test(summaries),
        cmocka_unit_test(samples),
        cmocka_unit_test(numbers),
        cmocka_unit_test(no_answers),
        cmocka_unit_test(hostile),
        cmocka_unit_test(limits),
        cmocka_unit_test(models),
        cmocka_unit_test(runs),
        cmocka_unit_test(definitions),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
