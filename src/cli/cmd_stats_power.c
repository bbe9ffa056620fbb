/* assay stats power: how many items, what difference, what power; one of the three from the others.
 */
#include "cli/cmd_stats.h"
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_stats_power = {
    .name = "stats power",
    .synopsis = "--test NAME [options]",
    .summary = "Sample size, detectable difference or power, whichever is not given",
    .details =
        "--test items (default): two models on the same items. --difference in score, --n items "
        "and "
        "--power: give two, the third is computed. The variance of the difference comes from --w2 "
        "(per item), or from --var-a, --var-b and --correlation of the scores, or from a FILE with "
        "a "
        "pilot's scores (--first, --second). With --answers-a K answers per item of variance "
        "--answer-var-a within an item (and -b), that part shrinks with K (Miller 2024).\n\n"
        "--test mcnemar: 0/1 scores; --p10 and --p01 are the shares of items that only the first "
        "or "
        "only the second model gets right. Power is exact.\n\n"
        "--test t-one (one sample or pairs), t-two, z-two: --effect is the difference in standard "
        "deviations (Cohen's d; or --p1 and --p2 for z-two); --n is per group, --ratio the second "
        "group's size over the first's.\n\n"
        "--test width: items until an interval is --width wide (from end to end), for a mean "
        "(--sd) "
        "or a proportion (--p).\n\n"
        "  assay stats power --difference 0.03 --w2 0.11\n"
        "  assay stats power --test mcnemar --p10 0.08 --p01 0.05 --power 0.9\n"
        "  assay stats power --test width --p 0.7 --width 0.04",
    .run = run,
};

enum { ITEMS, MCNEMAR, T_ONE, T_TWO, Z_TWO, WIDTH, TESTS };
static const char *const test_names[TESTS] = { "items", "mcnemar", "t-one",
                                               "t-two", "z-two",   "width" };

struct arguments {
    const char *test, *alternative, *first, *second, *method;
    double n, power, difference, effect, alpha, level, ratio;
    double w2, var_a, var_b, correlation, answers_a, answers_b, answer_var_a, answer_var_b;
    double p10, p01, p1, p2, p, sd, width;
    int kind, side;
    struct stats_how how;
};

/* What is known and what was found, for both kinds of output. */
struct found {
    const char *solved; /* "n", "difference", "effect", "power", "width" */
    double n, n2, power, difference;
    double exact, midp; /* mcnemar */
    double variance;    /* items: per item */
};

static const struct cli_command *const self = &cli_command_stats_power;

/* Exactly one of three is to be found: its place, or -1 after a usage message. */
static int missing_of(const double *v, const char *const *names)
{
    int missing = -1, count = 0;
    for (int k = 0; k < 3; k++)
        if (isnan(v[k])) {
            missing = k;
            count++;
        }
    if (count == 1)
        return missing;
    cli_usage(self, "give two of %s, %s and %s: the third is computed", names[0], names[1],
              names[2]);
    return -1;
}

static double t_or_z_power(const struct arguments *a, double n, double d)
{
    double power = NAN, m = n * a->ratio;
    int rc = a->kind == T_ONE ? stats_power_t_one(d, n, a->alpha, a->side, &power)
             : a->kind == T_TWO
                 ? stats_power_t_two(d, n, m, a->alpha, a->side, &power)
                 : stats_power_z(d * sqrt(n / (n + m) * m), a->alpha, a->side, &power);
    return rc ? NAN : power;
}

struct solving {
    const struct arguments *a;
    double fixed, sign;
};
static double power_of_n(double n, const void *context)
{
    const struct solving *s = context;
    return t_or_z_power(s->a, n, s->fixed);
}
static double power_of_effect(double d, const void *context)
{
    const struct solving *s = context;
    return t_or_z_power(s->a, s->fixed, s->sign * d);
}

/* The common checks on what is asked to be found. */
static int check_request(const struct arguments *a)
{
    int rc = stats_check_share(self, "--alpha", a->alpha);
    if (rc == 0 && !isnan(a->power) && !(a->power > a->alpha && a->power < 1))
        rc = cli_usage(self, "--power is between --alpha (%g) and 1, not %g", a->alpha, a->power);
    if (rc == 0 && !isnan(a->n) && !(a->n >= 1))
        rc = cli_usage(self, "--n is at least 1, not %g", a->n);
    return rc;
}

static int solve_t(struct arguments *a, struct found *f)
{
    if (!isnan(a->p1) || !isnan(a->p2)) {
        if (a->kind != Z_TWO || !isnan(a->effect) || isnan(a->p1) || isnan(a->p2))
            return cli_usage(self, "--p1 and --p2 go together, in place of --effect of z-two");
        if (stats_effect_proportions(a->p1, a->p2, &a->effect))
            return cli_fail(self);
    }
    const double v[3] = { a->n, a->effect, a->power };
    static const char *const names[3] = { "--n", "--effect", "--power" };
    int missing = missing_of(v, names);
    if (missing < 0)
        return 2;
    if (!(a->ratio > 0))
        return cli_usage(self, "--ratio is positive, not %g", a->ratio);
    double least = a->kind == Z_TWO ? 1e-6 : a->kind == T_ONE ? 1.5 : 2.5 / (1 + a->ratio);
    struct solving s = { a, a->n, a->side == STATS_LESS ? -1 : 1 };
    f->n = a->n;
    f->difference = a->effect;
    f->power = a->power;
    if (missing == 0) {
        s.fixed = a->effect;
        bool wrong = a->effect == 0 || (a->side == STATS_LESS && a->effect > 0) ||
                     (a->side == STATS_GREATER && a->effect < 0);
        f->n = wrong ? INFINITY : stats_solve(power_of_n, &s, a->power, least, 1e12);
        if (isinf(f->n)) {
            base_error_set(BASE_E_ARGUMENT,
                           "no number of values gives power %g for an effect of %g (%s)", a->power,
                           a->effect, stats_alternative_names[a->side]);
            return cli_fail(self);
        }
    } else if (missing == 1) {
        f->difference = stats_solve(power_of_effect, &s, a->power, 0, 1e3);
        if (isinf(f->difference) || isnan(t_or_z_power(a, a->n, 1))) {
            base_error_set(BASE_E_ARGUMENT, "with n = %g no effect reaches power %g", a->n,
                           a->power);
            return cli_fail(self);
        }
        f->difference *= s.sign;
    } else {
        f->power = t_or_z_power(a, a->n, a->effect);
        if (isnan(f->power))
            return cli_fail(self);
    }
    static const char *const solved[3] = { "n", "effect", "power" };
    f->solved = solved[missing];
    f->n2 = a->kind == T_ONE ? NAN : f->n * a->ratio;
    return 0;
}

/* w2 from what was given: itself, variances and correlation, or a pilot. */
static int find_w2(struct arguments *a, char **argv, int n)
{
    bool variances = !isnan(a->var_a) || !isnan(a->var_b);
    if (!isnan(a->w2) + variances + (n > 0) != 1)
        return cli_usage(self, "give the variance once: --w2, or --var-a and --var-b (and "
                               "--correlation), or a pilot's FILE");
    if (!isnan(a->w2))
        return 0;
    if (variances) {
        if (!(a->var_a >= 0 && a->var_b >= 0) || !(fabs(a->correlation) <= 1))
            return cli_usage(self, "--var-a and --var-b go together and are not negative; "
                                   "--correlation is between -1 and 1");
        a->w2 = a->var_a + a->var_b - 2 * a->correlation * sqrt(a->var_a * a->var_b);
        return 0;
    }
    struct stats_two two;
    struct stats_paired p;
    int rc = stats_two_read(self, &two, argv, n, &a->how, a->first, a->second, NULL, true);
    if (rc == 0 && stats_paired(two.x[0], two.x[1], two.n[0], NULL, 0, 0.95, &p))
        rc = cli_fail(self);
    if (rc == 0)
        a->w2 = p.se * p.se * (double)p.n;
    stats_two_free(&two);
    return rc;
}

static int solve_items(struct arguments *a, struct found *f, char **argv, int files)
{
    if (isnan(a->power) && (isnan(a->n) || isnan(a->difference)))
        a->power = 0.8;
    const double v[3] = { a->n, a->difference, a->power };
    static const char *const names[3] = { "--n", "--difference", "--power" };
    int missing = missing_of(v, names), rc;
    if (missing < 0)
        return 2;
    if ((rc = find_w2(a, argv, files)))
        return rc;
    struct stats_items items = { a->w2, a->answer_var_a, a->answer_var_b, a->answers_a,
                                 a->answers_b };
    f->n = a->n;
    f->difference = a->difference;
    f->power = a->power;
    rc = missing == 0   ? stats_sample_items(&items, a->difference, a->alpha, a->power, &f->n)
         : missing == 1 ? stats_detectable_items(&items, a->n, a->alpha, a->power, &f->difference)
                        : stats_power_items(&items, a->n, a->difference, a->alpha, &f->power);
    static const char *const solved[3] = { "n", "difference", "power" };
    f->solved = solved[missing];
    f->variance = a->w2 + a->answer_var_a / a->answers_a + a->answer_var_b / a->answers_b;
    return rc ? cli_fail(self) : 0;
}

/* The discordant difference that n pairs show, the discordant share staying the same. */
struct discordant {
    double total, n, alpha;
};
static double mcnemar_power_of(double d, const void *context)
{
    const struct discordant *k = context;
    struct stats_power_mcnemar m;
    return stats_power_mcnemar((k->total + d) / 2, (k->total - d) / 2, k->n, k->alpha, &m) ? NAN
                                                                                           : m.midp;
}

static int solve_mcnemar(struct arguments *a, struct found *f)
{
    struct stats_power_mcnemar m;
    if (isnan(a->p10) || isnan(a->p01))
        return cli_usage(self, "--test mcnemar needs --p10 and --p01");
    if (isnan(a->n) == isnan(a->power) && isnan(a->n))
        a->power = 0.8;
    f->solved = isnan(a->n) ? "n" : isnan(a->power) ? "power" : "difference";
    f->n = a->n;
    f->power = a->power;
    f->difference = a->p10 - a->p01;
    if (isnan(a->n)) {
        if (stats_sample_mcnemar(a->p10, a->p01, a->alpha, a->power, &f->n))
            return cli_fail(self);
    } else if (!isnan(a->power)) {
        struct discordant k = { a->p10 + a->p01, a->n, a->alpha };
        f->difference = stats_solve(mcnemar_power_of, &k, a->power, 0, k.total);
        if (isinf(f->difference)) {
            base_error_set(BASE_E_ARGUMENT,
                           "with %g items of which a share of %g is discordant no difference "
                           "reaches power %g",
                           a->n, k.total, a->power);
            return cli_fail(self);
        }
        a->p10 = (k.total + f->difference) / 2;
        a->p01 = (k.total - f->difference) / 2;
    }
    if (stats_power_mcnemar(a->p10, a->p01, ceil(f->n), a->alpha, &m))
        return cli_fail(self);
    f->exact = m.exact;
    f->midp = m.midp;
    f->power = strcmp(f->solved, "power") == 0 ? m.midp : f->power;
    return 0;
}

static int solve_width(struct arguments *a, struct found *f)
{
    if (isnan(a->p) == isnan(a->sd))
        return cli_usage(self, "--test width needs --p (a proportion) or --sd (a mean)");
    if (isnan(a->n) == isnan(a->width))
        return cli_usage(self, "give --width or --n: the other is computed");
    int method =
            stats_choose(self, "--method", a->method, stats_proportion_names, STATS_PROPORTIONS),
        rc;
    if (method < 0)
        return 2;
    f->solved = isnan(a->n) ? "n" : "width";
    f->n = a->n;
    f->difference = a->width;
    if (isnan(a->n)) {
        rc = isnan(a->sd) ? stats_sample_width_proportion(method, a->p, a->width, a->level, &f->n)
                          : stats_sample_width_mean(a->sd, a->width, a->level, &f->n);
    } else {
        struct stats_interval i;
        if (!isnan(a->p) && !(a->p >= 0 && a->p <= 1))
            return cli_usage(self, "--p is between 0 and 1, not %g", a->p);
        rc = isnan(a->sd) ? stats_interval_proportion(method, a->p * a->n, a->n, a->level, &i)
                          : stats_interval_t(0, a->sd / sqrt(a->n), a->n - 1, a->level, &i);
        f->difference = rc ? NAN : i.high - i.low;
    }
    return rc ? cli_fail(self) : 0;
}

static int print_json(const struct arguments *a, const struct found *f)
{
    json_t *o = json_pack("{s:s, s:s, s:o}", "test", test_names[a->kind], "solved", f->solved, "n",
                          base_json_number(strcmp(f->solved, "n") == 0 ? ceil(f->n - 1e-9) : f->n));
    if (strcmp(f->solved, "n") == 0)
        json_object_set_new(o, "n_exact", base_json_number(f->n));
    if (a->kind == WIDTH) {
        json_object_set_new(o, "width", base_json_number(f->difference));
        json_object_set_new(o, "level", base_json_number(a->level));
        return cli_print_json(self, o);
    }
    bool standardised = a->kind == T_ONE || a->kind == T_TWO || a->kind == Z_TWO;
    json_object_set_new(o, standardised ? "effect" : "difference", base_json_number(f->difference));
    json_object_set_new(o, "power", base_json_number(f->power));
    json_object_set_new(o, "alpha", base_json_number(a->alpha));
    json_object_set_new(o, "alternative", json_string(stats_alternative_names[a->side]));
    if (standardised && a->kind != T_ONE)
        json_object_set_new(o, "n2", base_json_number(f->n2));
    if (a->kind == ITEMS)
        json_object_set_new(o, "variance", base_json_number(f->variance));
    if (a->kind == MCNEMAR) {
        json_object_set_new(o, "p10", base_json_number(a->p10));
        json_object_set_new(o, "p01", base_json_number(a->p01));
        json_object_set_new(o, "power_exact", base_json_number(f->exact));
        json_object_set_new(o, "power_midp", base_json_number(f->midp));
    }
    return cli_print_json(self, o);
}

static int print_words(const struct arguments *a, const struct found *f)
{
    struct base_buffer b = { 0 };
    double n = strcmp(f->solved, "n") == 0 ? ceil(f->n - 1e-9) : f->n;
    int rc = 0;
    switch (a->kind) {
    case WIDTH:
        rc =
            stats_say(&b, "%.0f items give a %g %% interval %.4g wide (from end to end), at %s %g.",
                      n, 100 * a->level, f->difference,
                      isnan(a->sd) ? "a proportion of" : "a standard deviation of",
                      isnan(a->sd) ? a->p : a->sd);
        break;
    case ITEMS:
        rc = stats_say(&b,
                       "%.0f items show a difference of %.4g between two models with power %.3g, "
                       "tested at alpha = %g (two-sided) on the same items.",
                       n, fabs(f->difference), f->power, a->alpha);
        if (rc == 0)
            rc = stats_say(&b,
                           "Variance of the difference: %.4g per item; the interval around it "
                           "would be +- %.4g (95 %%).",
                           f->variance, 1.959963984540054 * sqrt(f->variance / n));
        break;
    case MCNEMAR:
        rc = stats_say(&b,
                       "%.0f items, of which the shares %.4g and %.4g are right in one model only "
                       "(difference %.4g): McNemar's test at alpha = %g has power %.4f by mid-p, "
                       "%.4f in its exact form.",
                       n, a->p10, a->p01, a->p10 - a->p01, a->alpha, f->midp, f->exact);
        if (rc == 0 && strcmp(f->solved, "n") == 0)
            rc = stats_say(&b,
                           "The number is Connor's (1987) for power %g; the power shown is that "
                           "of the test itself.",
                           a->power);
        break;
    case T_ONE:
        rc = stats_say(&b,
                       "%.0f values (or pairs) and an effect of %.4g standard deviations: a t test "
                       "at alpha = %g (%s) has power %.4f.",
                       n, f->difference, a->alpha, stats_alternative_names[a->side], f->power);
        break;
    default:
        rc = stats_say(&b,
                       "%.0f and %.0f values and an effect of %.4g standard deviations: a %s test "
                       "at alpha = %g (%s) has power %.4f.",
                       n, ceil(n * a->ratio - 1e-9), f->difference, a->kind == T_TWO ? "t" : "z",
                       a->alpha, stats_alternative_names[a->side], f->power);
    }
    return cli_print_text(self, &b, rc);
}

static int run(int argc, char **argv)
{
    struct arguments a = { .test = "items",
                           .alternative = "two-sided",
                           .method = "wilson",
                           .n = NAN,
                           .power = NAN,
                           .difference = NAN,
                           .effect = NAN,
                           .alpha = 0.05,
                           .level = 0.95,
                           .ratio = 1,
                           .w2 = NAN,
                           .var_a = NAN,
                           .var_b = NAN,
                           .answers_a = 1,
                           .answers_b = 1,
                           .p10 = NAN,
                           .p01 = NAN,
                           .p1 = NAN,
                           .p2 = NAN,
                           .p = NAN,
                           .sd = NAN,
                           .width = NAN };
    int n;
    const struct cli_option options[] = {
        { "test", 0, CLI_STRING, &a.test, "NAME",
          "items (default), mcnemar, t-one, t-two, z-two or width." },
        { "n", 'n', CLI_DOUBLE, &a.n, "N", "Items, pairs, or values per group." },
        { "power", 0, CLI_DOUBLE, &a.power, "P",
          "Chance to show the difference (items, mcnemar: 0.8 where it is not to be found)." },
        { "alpha", 0, CLI_DOUBLE, &a.alpha, "A", "Level of the test (default 0.05)." },
        { "alternative", 0, CLI_STRING, &a.alternative, "SIDE",
          "two-sided (default), greater or less: t and z tests." },
        { "difference", 0, CLI_DOUBLE, &a.difference, "D", "Difference of mean scores (items)." },
        { "w2", 0, CLI_DOUBLE, &a.w2, "V", "Variance of an item's difference (items)." },
        { "var-a", 0, CLI_DOUBLE, &a.var_a, "V", "Variance of the first model's scores." },
        { "var-b", 0, CLI_DOUBLE, &a.var_b, "V", "Variance of the second model's scores." },
        { "correlation", 0, CLI_DOUBLE, &a.correlation, "R",
          "Correlation of the two models' scores (default 0)." },
        { "answers-a", 0, CLI_DOUBLE, &a.answers_a, "K", "Answers per item, first model (1)." },
        { "answers-b", 0, CLI_DOUBLE, &a.answers_b, "K", "Answers per item, second model (1)." },
        { "answer-var-a", 0, CLI_DOUBLE, &a.answer_var_a, "V",
          "Variance of the first model's score within an item (default 0)." },
        { "answer-var-b", 0, CLI_DOUBLE, &a.answer_var_b, "V",
          "Variance of the second model's score within an item (default 0)." },
        { "first", 0, CLI_STRING, &a.first, "NAME", "Column of FILE: the first model's scores." },
        { "second", 0, CLI_STRING, &a.second, "NAME", "Column of FILE: the second model's." },
        { "p10", 0, CLI_DOUBLE, &a.p10, "P", "Share right with the first model only (mcnemar)." },
        { "p01", 0, CLI_DOUBLE, &a.p01, "P", "Share right with the second model only (mcnemar)." },
        { "effect", 0, CLI_DOUBLE, &a.effect, "D", "Difference in standard deviations (t, z)." },
        { "ratio", 0, CLI_DOUBLE, &a.ratio, "R", "Second group's size over the first's (1)." },
        { "p1", 0, CLI_DOUBLE, &a.p1, "P", "First proportion (z-two)." },
        { "p2", 0, CLI_DOUBLE, &a.p2, "P", "Second proportion (z-two)." },
        { "width", 0, CLI_DOUBLE, &a.width, "W", "Width of an interval from end to end (width)." },
        { "p", 0, CLI_DOUBLE, &a.p, "P", "Proportion that is expected (width)." },
        { "sd", 0, CLI_DOUBLE, &a.sd, "S", "Standard deviation that is expected (width)." },
        { "method", 0, CLI_STRING, &a.method, "NAME",
          "Interval of a proportion (width): wilson (default), clopper_pearson, ..." },
        { "level", 0, CLI_DOUBLE, &a.level, "P", "Confidence (width; default 0.95)." },
        STATS_FILE_OPTIONS(a.how),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    a.kind = stats_choose(self, "--test", a.test, test_names, TESTS);
    a.side = a.kind < 0
                 ? 0
                 : stats_choose(self, "--alternative", a.alternative, stats_alternative_names, 3);
    if (a.kind < 0 || a.side < 0)
        return 2;
    if (a.kind != ITEMS && n)
        return cli_usage(self, "a pilot's FILE is for --test items");
    if (a.side != STATS_TWO_SIDED && (a.kind == ITEMS || a.kind == MCNEMAR || a.kind == WIDTH))
        return cli_usage(self, "--test %s is two-sided", test_names[a.kind]);
    /* an option of another test must not be taken in silence */
    const struct {
        const char *name;
        bool given;
        unsigned tests; /* bits */
    } belongs[] = {
        { "--difference", !isnan(a.difference), 1u << ITEMS },
        { "--w2", !isnan(a.w2), 1u << ITEMS },
        { "--var-a", !isnan(a.var_a), 1u << ITEMS },
        { "--var-b", !isnan(a.var_b), 1u << ITEMS },
        { "--p10", !isnan(a.p10), 1u << MCNEMAR },
        { "--p01", !isnan(a.p01), 1u << MCNEMAR },
        { "--effect", !isnan(a.effect), 1u << T_ONE | 1u << T_TWO | 1u << Z_TWO },
        { "--p1", !isnan(a.p1), 1u << Z_TWO },
        { "--p2", !isnan(a.p2), 1u << Z_TWO },
        { "--width", !isnan(a.width), 1u << WIDTH },
        { "--p", !isnan(a.p), 1u << WIDTH },
        { "--sd", !isnan(a.sd), 1u << WIDTH },
        { "--power", !isnan(a.power), ~(1u << WIDTH) },
        { "--ratio", a.ratio != 1, 1u << T_TWO | 1u << Z_TWO },
    };
    for (size_t k = 0; k < sizeof belongs / sizeof *belongs; k++)
        if (belongs[k].given && !(belongs[k].tests >> a.kind & 1))
            return cli_usage(self, "%s does not go with --test %s", belongs[k].name,
                             test_names[a.kind]);
    struct found f = { .n2 = NAN, .difference = NAN, .power = NAN };
    if ((rc = check_request(&a)) || (rc = stats_check_share(self, "--level", a.level)))
        return rc;
    rc = a.kind == ITEMS     ? solve_items(&a, &f, argv, n)
         : a.kind == MCNEMAR ? solve_mcnemar(&a, &f)
         : a.kind == WIDTH   ? solve_width(&a, &f)
                             : solve_t(&a, &f);
    if (rc)
        return rc;
    return cli_common.json ? print_json(&a, &f) : print_words(&a, &f);
}
