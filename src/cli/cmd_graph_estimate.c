/* assay graph estimate: what samples of a graph say of the whole. Three modes: files of nodes,
 * referral chains, network scale-up. */
#include "base/memory.h"
#include "cli/display.h"
#include "cli/graph_input.h"
#include <assay/graph_estimate.h>
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_graph_estimate = {
    .name = "graph estimate",
    .synopsis = "NODES.csv... | --referral FILE | --scale-up FILE [options]",
    .summary = "Means, shares and sizes of a graph from samples, re-weighted",
    .details =
        "NODES.csv is what `assay graph sample --nodes` writes: node, visits, degree, weight. A "
        "walk comes by nodes of many edges more often; its mean degree, shares and size are "
        "re-weighted by the weights of its method (Hansen-Hurwitz), or by 1/degree (--weights "
        "degree: RDS-II, Volz and Heckathorn). --attributes FILE --column C adds the mean of a "
        "column of numbers or the share of each value of another (--share makes numbers values). "
        "The number of nodes is estimated by collisions: how often different visits met the same "
        "node.\n\n"
        "Give several independent samples (other seeds): then intervals come from how much they "
        "differ, and hold for any method. From a single sample its visits are taken for "
        "independent draws, which the steps of a walk are not: the interval is too narrow, and so "
        "it is labelled.\n\n"
        "--referral FILE is a table of persons (--id, --recruiter, --degree): RDS-II with "
        "intervals by bootstrap of the referral trees. --scale-up FILE is a survey of how many "
        "persons of each group the respondents know: the size of the --hidden group by Killworth's "
        "method, from groups of --known size in a --population.\n\n"
        "  assay graph sample random-walk --steps 500 --seed 1 --nodes 1.csv builtin:friends "
        "--json\n"
        "  assay graph estimate 1.csv 2.csv 3.csv 4.csv 5.csv --attributes builtin:people --column "
        "plays\n"
        "  assay graph estimate --referral rds.csv --recruiter by --degree knows --column job\n"
        "  assay graph estimate --scale-up survey.csv --population 1e6 --known nurses=8000 "
        "--hidden homeless",
    .run = run,
};
static const struct cli_command *const self = &cli_command_graph_estimate;

struct arguments {
    const char *attributes, *id, *column, *weights;
    const char *referral, *recruiter, *degree;
    const char *scale_up, *hidden;
    struct cli_strings known;
    double population, level;
    int64_t resamples;
    bool share;
};

/* One line of the result. */
struct row {
    char *name;
    struct graph_estimate e;
    bool share;
};
struct result {
    struct row *row;
    size_t n, room;
    struct base_buffer notes; /* paragraphs below the table, divided by newlines */
    json_t *json;
};

static const char *const bases[] = {
    "none",           "independent draws", "between samples", "collision count",
    "tree bootstrap", "respondents"
};

static json_t *estimate_json(const struct graph_estimate *e)
{
    return json_pack("{s:o, s:o, s:[o, o], s:o, s:s, s:o}", "estimate", base_json_number(e->value),
                     "se", base_json_number(e->se), "ci", base_json_number(e->low),
                     base_json_number(e->high), "unweighted", base_json_number(e->plain),
                     "interval", bases[e->basis], "n", base_json_number(e->count));
}

static int add_row(struct result *r, const char *name, const struct graph_estimate *e, bool share)
{
    if (r->n == r->room) {
        size_t room = r->room ? 2 * r->room : 16;
        struct row *grown = base_realloc(r->row, room, sizeof *grown);
        if (!grown)
            return BASE_E_MEMORY;
        r->row = grown;
        r->room = room;
    }
    char *copy = base_strdup(name);
    if (!copy)
        return BASE_E_MEMORY;
    r->row[r->n++] = (struct row){ copy, *e, share };
    return 0;
}

static void result_free(struct result *r)
{
    for (size_t i = 0; i < r->n; i++)
        base_free(r->row[i].name);
    base_free(r->row);
    base_buffer_free(&r->notes);
    json_decref(r->json);
}

static int note(struct result *r, const char *text)
{
    return base_buffer_printf(&r->notes, "%s\n", text);
}

/* ---- a column of values: a mean, or a share of each level ---- */
/* Fills y [n] for the mean (level == UINT32_MAX) or the share of a level. */
static void values(const struct graph_attribute *a, size_t n, uint32_t level, double *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a->code[i] == UINT32_MAX ? NAN
               : level == UINT32_MAX    ? a->number[i]
                                        : a->code[i] == level;
}

typedef int estimate_fn(const void *context, const double *y, struct graph_estimate *out);

static int add_column(struct result *r, const struct arguments *a,
                      const struct graph_attribute *attribute, size_t n, estimate_fn *fn,
                      const void *context)
{
    double *y = base_alloc(n, sizeof *y);
    bool share = a->share || !attribute->number;
    json_t *all = json_object();
    int rc = y && all ? 0 : BASE_E_MEMORY;
    if (!rc && share && attribute->levels > 50)
        rc = base_error_set(BASE_E_ARGUMENT, "--column %s has %u different values, more than 50",
                            a->column, attribute->levels);
    if (!rc && attribute->missing == n)
        rc = base_error_set(BASE_E_ARGUMENT, "--column %s: no value for any of the nodes",
                            a->column);
    for (uint32_t l = 0; l < (share ? attribute->levels : 1) && !rc; l++) {
        struct graph_estimate e;
        values(attribute, n, share ? l : UINT32_MAX, y);
        if ((rc = fn(context, y, &e)))
            break;
        char *name = share ? base_format("%s = %s", a->column, attribute->level[l])
                           : base_format("mean %s", a->column);
        rc = name ? add_row(r, name, &e, share) : BASE_E_MEMORY;
        base_free(name);
        if (share)
            json_object_set_new(all, attribute->level[l], estimate_json(&e));
        else
            json_object_set_new(r->json, "mean", estimate_json(&e));
    }
    if (!rc && share)
        json_object_set(r->json, "shares", all);
    json_decref(all);
    if (!rc && attribute->missing) {
        char text[160];
        snprintf(text, sizeof text, "%llu of %zu nodes have no value of %s and are left out.",
                 (unsigned long long)attribute->missing, n, a->column);
        rc = note(r, text);
    }
    base_free(y);
    return rc;
}

/* ---- samples ---- */
struct samples {
    struct graph_walk *walk;
    const double **y;
    size_t k;
    double level;
};

static int mean_of_samples(const void *context, const double *y, struct graph_estimate *out)
{
    const struct samples *s = context;
    size_t at = 0;
    for (size_t j = 0; j < s->k; j++) {
        s->y[j] = y + at;
        at += s->walk[j].n;
    }
    return graph_estimate_mean(s->walk, s->k, s->y, s->level, out);
}

static int from_samples(struct result *r, const struct arguments *a, struct samples *s)
{
    struct graph_estimate e;
    size_t n = 0, at = 0;
    double visits = 0;
    int rc = 0;
    for (size_t j = 0; j < s->k; j++)
        n += s->walk[j].n;
    const char **names = base_alloc(n, sizeof *names);
    double *degree = base_alloc(n, sizeof *degree);
    if (!names || !degree)
        rc = BASE_E_MEMORY;
    for (size_t j = 0; j < s->k && !rc; j++)
        for (size_t i = 0; i < s->walk[j].n; i++) {
            names[at] = s->walk[j].name[i];
            degree[at++] = s->walk[j].degree[i];
            visits += s->walk[j].visits[i];
        }
    if (rc || (rc = mean_of_samples(s, degree, &e)) || (rc = add_row(r, "mean degree", &e, false)))
        goto out;
    json_object_set_new(r->json, "mean_degree", estimate_json(&e));
    json_object_set_new(r->json, "samples", json_integer((json_int_t)s->k));
    json_object_set_new(r->json, "visits", json_real(visits));
    if (a->column) {
        struct graph_attribute attribute;
        if ((rc =
                 graph_attribute_read(&attribute, a->attributes, NULL, a->id, a->column, names, n)))
            goto out;
        rc = add_column(r, a, &attribute, n, mean_of_samples, s);
        graph_attribute_free(&attribute);
    }
    if (rc || (rc = graph_estimate_size(s->walk, s->k, s->level, &e)) ||
        (rc = add_row(r, "nodes (by collisions)", &e, false)))
        goto out;
    json_object_set_new(r->json, "nodes", estimate_json(&e));
    json_object_set_new(r->json, "collisions", json_real(e.count));
    char text[320];
    snprintf(text, sizeof text, "%zu sample%s, %.0f visits, %.0f collisions%s.", s->k,
             s->k == 1 ? "" : "s", visits, e.count, s->k == 1 ? "" : " between different samples");
    if ((rc = note(r, text)))
        goto out;
    rc = s->k == 1
             ? note(r, "One sample: the intervals take its visits for independent draws. Those of "
                       "a walk are not, so they are too narrow, and steps in a row collide more "
                       "often, so the number of nodes comes out too small. Give several samples "
                       "with different seeds.")
         : s->k < 5 ? note(r, "Intervals from the differences between the samples (few: they are "
                              "wide); that of the nodes from the number of collisions.")
                    : note(r, "Intervals from the differences between the samples.");
out:
    base_free(names);
    base_free(degree);
    return rc;
}

static int do_samples(struct result *r, const struct arguments *a, char **files, size_t k)
{
    struct samples s = { .k = k, .level = a->level };
    enum graph_weights how = GRAPH_WEIGHTS_FILE;
    if (a->weights && strcmp(a->weights, "degree") == 0)
        how = GRAPH_WEIGHTS_DEGREE;
    else if (a->weights && strcmp(a->weights, "none") == 0)
        how = GRAPH_WEIGHTS_NONE;
    s.walk = base_alloc_zero(k, sizeof *s.walk);
    s.y = base_alloc(k, sizeof *s.y);
    int rc = s.walk && s.y ? 0 : BASE_E_MEMORY;
    for (size_t j = 0; j < k && !rc; j++)
        if ((rc = graph_walk_read(&s.walk[j], files[j], NULL)) == 0)
            rc = graph_walk_weigh(&s.walk[j], how, files[j]);
    json_object_set_new(r->json, "kind", json_string("samples"));
    if (!rc)
        rc = from_samples(r, a, &s);
    for (size_t j = 0; s.walk && j < k; j++)
        graph_walk_free(&s.walk[j]);
    base_free(s.walk);
    base_free(s.y);
    return rc;
}

/* ---- referral chains ---- */
struct chains {
    struct graph_referrals r;
    const struct arguments *a;
};

static int mean_of_chains(const void *context, const double *y, struct graph_estimate *out)
{
    const struct chains *c = context;
    return graph_estimate_rds(&c->r, y, (size_t)c->a->resamples, (uint64_t)cli_common.seed,
                              c->a->level, out);
}

static int do_referral(struct result *r, const struct arguments *a)
{
    struct chains c = { .a = a };
    struct graph_attribute attribute = { 0 };
    struct graph_estimate e;
    char text[320];
    int rc = graph_referrals_read(&c.r, a->referral, NULL, a->id, a->recruiter, a->degree);
    if (rc)
        return rc;
    json_object_set_new(r->json, "kind", json_string("referral"));
    json_object_set_new(r->json, "persons", json_integer((json_int_t)c.r.n));
    json_object_set_new(r->json, "seeds", json_integer((json_int_t)c.r.seeds));
    json_object_set_new(r->json, "longest_chain", json_integer((json_int_t)c.r.longest));
    if ((rc = mean_of_chains(&c, c.r.degree, &e)) || (rc = add_row(r, "mean degree", &e, false)))
        goto out;
    json_object_set_new(r->json, "mean_degree", estimate_json(&e));
    if (a->column &&
        ((rc = graph_attribute_read(&attribute, a->attributes ? a->attributes : a->referral, NULL,
                                    a->id, a->column, (const char *const *)c.r.name, c.r.n)) ||
         (rc = add_column(r, a, &attribute, c.r.n, mean_of_chains, &c))))
        goto out;
    snprintf(text, sizeof text,
             "%zu persons, %zu of them seeds; the longest chain has %zu waves. Means weighted by "
             "1/degree (RDS-II); intervals by %lld bootstraps of the trees.",
             c.r.n, c.r.seeds, c.r.longest, (long long)a->resamples);
    rc = note(r, text);
    if (!rc && c.r.longest < 3)
        rc =
            note(r, "Chains this short still remember their seeds: the estimates lean on how those "
                    "were chosen.");
    /* do persons recruit their like? against the share of the recruits at large */
    uint64_t pairs = 0, same = 0;
    for (size_t i = 0; a->column && i < c.r.n; i++) {
        uint32_t by = c.r.recruiter[i];
        if (by == UINT32_MAX || attribute.code[i] == UINT32_MAX || attribute.code[by] == UINT32_MAX)
            continue;
        pairs++;
        same += attribute.code[i] == attribute.code[by];
    }
    if (!rc && pairs && (a->share || !attribute.number)) {
        snprintf(text, sizeof text, "%.0f %% of the recruits are as their recruiter in %s.",
                 100 * (double)same / (double)pairs, a->column);
        json_object_set_new(r->json, "same_as_recruiter", json_real((double)same / (double)pairs));
        rc = note(r, text);
    }
out:
    graph_attribute_free(&attribute);
    graph_referrals_free(&c.r);
    return rc;
}

/* ---- scale-up ---- */
static int parse_known(const char *text, char **name, double *size)
{
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text ||
        !data_cell_number((struct data_cell){ equals + 1, strlen(equals + 1) }, size))
        return base_error_set(BASE_E_ARGUMENT, "--known %s: expected COLUMN=SIZE", text);
    *name = base_strndup(text, (size_t)(equals - text));
    return *name ? 0 : BASE_E_MEMORY;
}

static int show_scale_up(struct result *r, const struct arguments *a,
                         const struct graph_scale_up *s, char **names, const double *size, size_t k)
{
    char text[320];
    json_t *known = json_object();
    int rc = known ? add_row(r, a->hidden, &s->size, false) : BASE_E_MEMORY;
    json_object_set_new(r->json, "size", estimate_json(&s->size));
    json_object_set_new(r->json, "se_killworth", base_json_number(s->se_model));
    json_object_set_new(r->json, "mean_network", base_json_number(s->degree));
    for (size_t j = 0; j < k && !rc; j++) {
        json_object_set_new(known, names[j],
                            json_pack("{s:f, s:o, s:[o, o]}", "size", size[j], "from_the_others",
                                      base_json_number(s->back[j]), "ci",
                                      base_json_number(s->back_low[j]),
                                      base_json_number(s->back_high[j])));
        if (k < 2)
            continue;
        snprintf(text, sizeof text, "%s: is %.6g, from the other groups %.6g (%.6g to %.6g)%s",
                 names[j], size[j], s->back[j], s->back_low[j], s->back_high[j],
                 size[j] < s->back_low[j] || size[j] > s->back_high[j]
                     ? ": people hear less, or more, of these than of others"
                     : "");
        rc = note(r, text);
    }
    json_object_set_new(r->json, "known", known);
    if (!rc) {
        snprintf(text, sizeof text,
                 "Respondents know %.4g persons on average. The interval takes them for a random "
                 "sample; Killworth's standard error, which knows only the counts' own chance, is "
                 "%.4g. Neither knows of groups that keep to themselves or are not spoken of.",
                 s->degree, s->se_model);
        rc = note(r, text);
    }
    return rc;
}

static int do_scale_up(struct result *r, const struct arguments *a)
{
    const size_t k = a->known.count;
    struct data_column_want *want = base_alloc(k + 1, sizeof *want);
    char **names = base_alloc_zero(k, sizeof *names);
    double *size = base_alloc(k, sizeof *size);
    const double **m = base_alloc(k, sizeof *m);
    struct data_frame f = { 0 };
    struct graph_scale_up s = { 0 };
    int rc = want && names && size && m ? 0 : BASE_E_MEMORY;
    for (size_t j = 0; j < k && !rc; j++) {
        rc = parse_known(a->known.at[j], &names[j], &size[j]);
        for (size_t i = 0; i < j && !rc; i++)
            if (strcmp(names[i], names[j]) == 0)
                rc = base_error_set(BASE_E_ARGUMENT, "--known %s is given twice", names[j]);
        if (!rc && strcmp(names[j], a->hidden) == 0)
            rc = base_error_set(BASE_E_ARGUMENT,
                                "--hidden %s is a --known group: its size is wanted, not known",
                                a->hidden);
        want[j] = (struct data_column_want){ names[j], DATA_NUMBER };
    }
    if (rc)
        goto out;
    want[k] = (struct data_column_want){ a->hidden, DATA_NUMBER };
    if ((rc = data_frame_read(&f, a->scale_up, NULL, want, k + 1)))
        goto out;
    for (size_t j = 0; j < k; j++)
        m[j] = f.column[j].number;
    json_object_set_new(r->json, "kind", json_string("scale-up"));
    if ((rc = graph_estimate_scale_up(m, size, k, f.column[k].number, f.rows, a->population,
                                      a->level, &s)) == 0)
        rc = show_scale_up(r, a, &s, names, size, k);
out:
    graph_scale_up_free(&s);
    data_frame_free(&f);
    for (size_t j = 0; names && j < k; j++)
        base_free(names[j]);
    base_free(want);
    base_free(names);
    base_free(size);
    base_free(m);
    return rc;
}

/* ---- output ---- */
static void cell(struct cli_table *t, double x, bool share)
{
    if (isnan(x))
        cli_table_add(t, "-");
    else if (isinf(x))
        cli_table_add(t, "unbounded");
    else if (share)
        cli_table_add(t, "%.4f", x);
    else
        cli_table_add(t, fabs(x) >= 1e5 ? "%.0f" : "%.5g", x);
}

static int lay_out(struct base_buffer *b, const struct result *r, const struct arguments *a)
{
    char level[32];
    snprintf(level, sizeof level, "%g %% interval", 100 * a->level);
    const struct cli_column columns[] = {
        { "", false, true },    { "estimate", true, false }, { "se", true, false },
        { level, true, false }, { "", true, false },         { "unweighted", true, false },
    };
    struct cli_table t = { .columns = columns, .n_columns = 6 };
    for (size_t i = 0; i < r->n; i++) {
        const struct graph_estimate *e = &r->row[i].e;
        cli_table_add(&t, "%s", r->row[i].name);
        cell(&t, e->value, r->row[i].share);
        cell(&t, e->se, r->row[i].share);
        cell(&t, e->low, r->row[i].share);
        cell(&t, e->high, r->row[i].share);
        cell(&t, e->plain, r->row[i].share);
    }
    int rc = cli_table_append(b, &t);
    rc = rc ? rc : base_buffer_puts(b, "\n");
    for (char *line = r->notes.data, *end; !rc && line && *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = 0;
        rc = cli_append_wrapped(b, 2, line);
    }
    return rc;
}

static int check(const struct arguments *a, int n)
{
    const int modes = (n > 0) + (a->referral != NULL) + (a->scale_up != NULL);
    if (modes != 1)
        return cli_usage(self, "give files of nodes, or --referral FILE, or --scale-up FILE");
    if (a->weights &&
        (n == 0 || (strcmp(a->weights, "file") != 0 && strcmp(a->weights, "degree") != 0 &&
                    strcmp(a->weights, "none") != 0)))
        return cli_usage(self, "--weights is file, degree or none, and for files of nodes");
    if (n > 0 && (a->attributes != NULL) != (a->column != NULL))
        return cli_usage(self, "--attributes FILE and --column C go together");
    if (a->referral && (!a->recruiter || !a->degree))
        return cli_usage(self, "--referral needs --recruiter COLUMN and --degree COLUMN");
    if (!a->referral && (a->recruiter || a->degree))
        return cli_usage(self, "--recruiter and --degree are for --referral");
    if (a->scale_up && (!a->hidden || !a->known.count || !(a->population > 0)))
        return cli_usage(
            self, "--scale-up needs --population N, --known COLUMN=SIZE and --hidden COLUMN");
    if (!a->scale_up && (a->hidden || a->known.count || !isnan(a->population)))
        return cli_usage(self, "--population, --known and --hidden are for --scale-up");
    if (a->scale_up && (a->attributes || a->column || a->id || a->share))
        return cli_usage(self, "--attributes, --column, --id and --share are not for --scale-up");
    if (!(a->level > 0 && a->level < 1))
        return cli_usage(self, "--level must be between 0 and 1");
    if (a->resamples < 100 || a->resamples > 10000000)
        return cli_usage(self, "--resamples must be 100 to 10000000");
    return 0;
}

static int run(int argc, char **argv)
{
    struct arguments a = { .level = .95, .resamples = 2000, .population = NAN };
    struct result r = { 0 };
    int n;
    const struct cli_option options[] = {
        { "weights", 0, CLI_STRING, &a.weights, "HOW",
          "file (default), degree (1/degree: RDS-II) or none." },
        { "attributes", 0, CLI_STRING, &a.attributes, "FILE", "A table on the nodes." },
        { "id", 0, CLI_STRING, &a.id, "COLUMN", "Its column of names (default: the first)." },
        { "column", 0, CLI_STRING, &a.column, "COLUMN",
          "The column to estimate the mean of, or the shares of its values." },
        { "share", 0, CLI_FLAG, &a.share, NULL, "Shares also where the values are numbers." },
        { "referral", 0, CLI_STRING, &a.referral, "FILE", "A table of recruited persons." },
        { "recruiter", 0, CLI_STRING, &a.recruiter, "COLUMN",
          "Who recruited a person; empty (or 0, -1, seed) = a seed." },
        { "degree", 0, CLI_STRING, &a.degree, "COLUMN", "How many persons they know." },
        { "resamples", 0, CLI_INT, &a.resamples, "N", "Bootstraps of the trees (default 2000)." },
        { "scale-up", 0, CLI_STRING, &a.scale_up, "FILE",
          "A survey of how many people are known." },
        { "population", 0, CLI_DOUBLE, &a.population, "N", "Size of the whole population." },
        { "known", 0, CLI_STRINGS, &a.known, "COLUMN=SIZE", "A group of known size; may repeat." },
        { "hidden", 0, CLI_STRING, &a.hidden, "COLUMN", "The group whose size is wanted." },
        { "level", 0, CLI_DOUBLE, &a.level, "P", "Confidence of the intervals (default 0.95)." },
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = check(&a, n)))
        return rc;
    base_interrupt_install();
    if (!(r.json = json_object()))
        rc = BASE_E_MEMORY;
    else
        rc = a.referral   ? do_referral(&r, &a)
             : a.scale_up ? do_scale_up(&r, &a)
                          : do_samples(&r, &a, argv + 1, (size_t)n);
    if (rc) {
        rc = cli_fail(self);
    } else if (cli_common.json) {
        json_object_set_new(r.json, "level", json_real(a.level));
        rc = cli_print_json(self, json_incref(r.json));
    } else {
        struct base_buffer b = { 0 };
        rc = lay_out(&b, &r, &a);
        rc = cli_print_text(self, &b, rc);
    }
    result_free(&r);
    return rc;
}
