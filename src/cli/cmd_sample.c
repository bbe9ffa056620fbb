/* assay sample: rows of a table by a design. */
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/display.h"
#include "cli/table_options.h"
#include <assay/sampling.h>
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_sample = {
    .name = "sample",
    .synopsis = "METHOD [options] FILE",
    .summary = "Draw rows of a table by a design, with probabilities and weights",
    .details =
        "FILE is CSV, TSV, JSON Lines or JSON, plain or .gz, .bz2, .zst; - is standard input; "
        "builtin:survey is an example. The sample is written as CSV (--to tsv or jsonl) with the "
        "columns _pi, _weight, _stratum, _psu, _fpc, which `assay estimate` reads. With --json a "
        "summary is printed instead of the rows; -o FILE still gets those.\n\n"
        "With equal probabilities: random (also --replace), reservoir (one pass over a stream of "
        "unknown length), bernoulli, systematic, stratified, cluster (also in two stages, or "
        "clusters made by k-means), balanced (cube method). With unequal ones: pps (true pi-ps: "
        "systematic, brewer, sampford, pivotal), weighted (successive draws, as pandas), reservoir "
        "with --weights. Without probabilities: quota, convenience, purposive, snowball.\n\n"
        "--where CONDITION says which rows are the population: 'age >= 18 and age <= 99', "
        "'region in (\"North\", \"East\") and income is not missing'.\n\n"
        "  assay sample random -n 100 --seed 1 builtin:survey\n"
        "  assay sample stratified --by region -n 200 builtin:survey -o sample.csv\n"
        "  assay sample pps --size company_size --using sampford -n 50 builtin:survey\n"
        "  assay sample cluster --cluster company -n 12 --second 5 builtin:survey\n"
        "  zcat huge.csv.gz | assay sample reservoir -n 1000 -",
    .run = run,
};
static const struct cli_command *const self = &cli_command_sample;

struct arguments {
    int64_t n, interval, kmeans, second, waves, coupons, stop_at;
    double frac, second_frac;
    const char *where, *allocation, *variable, *weights, *size, *using_, *cluster, *id, *referrer,
        *to, *joint;
    struct cli_strings by, on, quota, start;
    bool singletons, replace, two_pass, shuffle, plain;
    struct cli_table_input input;
};

struct state {
    struct sampling_options o;
    struct sampling_report report;
    struct base_progress *progress;
    const char *path;
};

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    struct state *s = context;
    if (!s->progress)
        s->progress = base_progress_begin("sample", "bytes", total);
    base_progress_update(s->progress, done, NULL);
}

static int name_of(const char *option, const char *text, const char *const *names, int n, int *out)
{
    if (!text)
        return 0;
    for (int i = 0; i < n; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return 0;
        }
    char list[256] = "";
    for (int i = 0; i < n; i++) {
        strcat(list, i == 0 ? "" : i + 1 == n ? " or " : ", ");
        strcat(list, names[i]);
    }
    return cli_usage(self, "--%s %s: choose %s", option, text, list);
}

/* The arguments as the library takes them; 0 or an exit code. */
static int options_of(const struct arguments *a, struct sampling_options *o)
{
    const struct {
        const char *name;
        int64_t value;
    } counts[] = { { "-n", a->n },
                   { "--interval", a->interval },
                   { "--kmeans", a->kmeans },
                   { "--second", a->second },
                   { "--waves", a->waves },
                   { "--coupons", a->coupons },
                   { "--stop-at", a->stop_at } };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].value < 0)
            return cli_usage(self, "%s must be positive", counts[i].name);
    if (a->weights && a->size)
        return cli_usage(self, "--weights and --size are one thing: give one");
    if (a->second && a->second_frac != 0)
        return cli_usage(self, "either --second or --second-frac");
    int allocation = 0, pps = SAMPLING_PPS_SYSTEMATIC, rc;
    if ((rc = name_of("allocation", a->allocation, sampling_allocation_names, SAMPLING_ALLOCATIONS,
                      &allocation)) ||
        (rc = name_of("using", a->using_, sampling_pps_names, SAMPLING_PPS_METHODS, &pps)))
        return rc;
    if (a->joint && a->shuffle)
        return cli_usage(self, "--joint is in the order of the rows: not with --shuffle");
    if (a->using_ && o->method != SAMPLING_PPS)
        return cli_usage(self, "--using is for pps");
    o->n = (uint64_t)a->n;
    o->frac = a->frac;
    o->seed = (uint64_t)cli_common.seed;
    o->where = a->where;
    o->allocation = (enum sampling_allocation)allocation;
    o->variable = a->variable;
    o->singletons = a->singletons;
    o->replace = a->replace;
    o->two_pass = a->two_pass;
    o->interval = (uint64_t)a->interval;
    o->weights = a->weights ? a->weights : a->size;
    o->pps = (enum sampling_pps)pps;
    o->joint = a->joint;
    o->cluster = a->cluster;
    o->kmeans = (uint64_t)a->kmeans;
    o->second = (uint64_t)a->second;
    o->second_frac = a->second_frac;
    o->id = a->id;
    o->referrer = a->referrer;
    o->waves = (uint64_t)a->waves;
    o->coupons = (uint64_t)a->coupons;
    o->size = (uint64_t)a->stop_at;
    if ((rc = cli_names(self, &a->by, &o->by, &o->n_by)) ||
        (rc = cli_names(self, &a->on, &o->on, &o->n_on)) ||
        (rc = cli_names(self, &a->quota, &o->quota, &o->n_quota)) ||
        (rc = cli_names(self, &a->start, &o->seeds, &o->n_seeds)))
        return rc;
    return 0;
}

/* The output's format: named, or by the name of -o. */
static int format_of(const struct arguments *a, enum data_format *out)
{
    *out = DATA_FORMAT_CSV;
    if (a->to) {
        if (data_format_parse(a->to, out) ||
            (*out != DATA_FORMAT_CSV && *out != DATA_FORMAT_TSV && *out != DATA_FORMAT_JSONL))
            return cli_usage(self, "--to %s: choose csv, tsv or jsonl", a->to);
        return 0;
    }
    const char *name = cli_common.output ? cli_common.output : "";
    if (base_ends_with(name, ".tsv"))
        *out = DATA_FORMAT_TSV;
    else if (base_ends_with(name, ".jsonl") || base_ends_with(name, ".ndjson"))
        *out = DATA_FORMAT_JSONL;
    return 0;
}

static json_t *json_count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static int print_json(const struct state *s)
{
    const struct sampling_report *r = &s->report;
    const struct sampling_options *o = &s->o;
    json_t *j = json_object(), *strata = json_array();
    json_object_set_new(j, "method", json_string(sampling_method_name(o->method)));
    if (o->method == SAMPLING_PPS)
        json_object_set_new(j, "using", json_string(sampling_pps_names[o->pps]));
    json_object_set_new(j, "file", base_json_text(s->path, strlen(s->path)));
    json_object_set_new(j, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(j, "rows", json_count(r->rows));
    json_object_set_new(j, "population", json_count(r->population));
    json_object_set_new(j, "n", json_count(r->n));
    json_object_set_new(j, "sum_of_weights", base_json_number(r->weights));
    if (o->method == SAMPLING_CLUSTER) {
        json_object_set_new(j, "clusters", json_count(r->clusters));
        json_object_set_new(j, "clusters_taken", json_count(r->clusters_taken));
    }
    if (o->method == SAMPLING_PPS || o->method == SAMPLING_BALANCED)
        json_object_set_new(j, "certain", json_count(r->certain));
    if (o->weights)
        json_object_set_new(j, "never", json_count(r->never));
    if (o->method == SAMPLING_WEIGHTED)
        json_object_set_new(j, "pi_exact", json_boolean(r->exact));
    if (o->method == SAMPLING_SNOWBALL)
        json_object_set_new(j, "waves", json_count(r->waves));
    if (o->method == SAMPLING_SNOWBALL || o->method == SAMPLING_QUOTA)
        json_object_set_new(j, "complete", json_boolean(r->complete));
    for (size_t h = 0; h < r->n_strata; h++) {
        const struct sampling_stratum *t = &r->strata[h];
        json_t *one =
            json_pack("{s:o, s:I, s:I}", "stratum", base_json_text(t->name, strlen(t->name)),
                      "population", (json_int_t)t->N, "n", (json_int_t)t->n);
        if (o->variable) {
            json_object_set_new(one, "deviation", base_json_number(t->deviation));
            json_object_set_new(one, "missing", json_count(t->missing));
        }
        json_array_append_new(strata, one);
    }
    json_object_set_new(j, "strata", strata);
    json_object_set_new(j, "note", r->note ? json_string(r->note) : json_null());
    json_object_set_new(j, "output",
                        cli_common.output ? json_string(cli_common.output) : json_null());
    cli_common.output = NULL; /* that file has the rows */
    return cli_print_json(self, j);
}

static void say(const struct state *s)
{
    const struct sampling_report *r = &s->report;
    char weights[64] = "", clusters[80] = "", strata[64] = "";
    if (isfinite(r->weights))
        snprintf(weights, sizeof weights, "; weights add up to %.10g", r->weights);
    if (s->o.method == SAMPLING_CLUSTER)
        snprintf(clusters, sizeof clusters, " from %llu of %llu clusters",
                 (unsigned long long)r->clusters_taken, (unsigned long long)r->clusters);
    if (r->n_strata)
        snprintf(strata, sizeof strata, ", %zu strata", r->n_strata);
    base_log("%s: %llu of %llu rows%s%s%s", sampling_method_name(s->o.method),
             (unsigned long long)r->n, (unsigned long long)r->population, clusters, strata,
             weights);
    if (r->note)
        base_log("note: %s", r->note);
}

static int draw(struct state *s, const struct data_table_options *table,
                const struct sampling_writer_options *how)
{
    struct base_writer file = { 0 };
    struct sampling_writer *w = NULL;
    FILE *stream = stdout, *nowhere = NULL;
    bool to_file = cli_common.output && strcmp(cli_common.output, "-") != 0;
    int rc = to_file ? base_writer_open(&file, cli_common.output) : 0;
    if (rc)
        return rc;
    if (to_file)
        stream = file.stream;
    else if (cli_common.json)
        stream = nowhere = fopen("/dev/null", "w");
    if (!stream)
        rc = base_error_set(BASE_E_IO, "/dev/null: cannot open");
    if (!rc && !(rc = sampling_writer_new(&w, stream, how))) {
        struct sampling_sink sink = sampling_writer_sink(w);
        rc = sampling_run(&s->o, s->path, table, &sink, &s->report);
        base_progress_end(s->progress);
        s->progress = NULL;
        if (!rc)
            rc = sampling_writer_finish(w);
    }
    sampling_writer_free(w);
    if (nowhere)
        fclose(nowhere);
    if (to_file && !rc)
        rc = base_writer_commit(&file);
    else if (to_file)
        base_writer_abort(&file);
    return rc;
}

static void free_options(struct state *s)
{
    cli_names_free(s->o.by, s->o.n_by);
    cli_names_free(s->o.on, s->o.n_on);
    cli_names_free(s->o.quota, s->o.n_quota);
    cli_names_free(s->o.seeds, s->o.n_seeds);
    sampling_report_free(&s->report);
}

static int run(int argc, char **argv)
{
    struct arguments a = { 0 };
    struct state s = { 0 };
    int n;
    const struct cli_option options[] = {
        { "n", 'n', CLI_INT, &a.n, "N", "Rows to take (cluster: clusters; snowball: seeds)." },
        { "frac", 0, CLI_DOUBLE, &a.frac, "F",
          "Fraction to take instead (bernoulli: the probability)." },
        { "where", 0, CLI_STRING, &a.where, "CONDITION",
          "Only rows for which this holds are the population." },
        { "by", 0, CLI_STRINGS, &a.by, "COL[,COL]", "Columns that make the strata." },
        { "allocation", 0, CLI_STRING, &a.allocation, "HOW",
          "Rows of each stratum: proportional (default), equal, neyman." },
        { "variable", 0, CLI_STRING, &a.variable, "COL", "What neyman looks at." },
        { "singletons", 0, CLI_FLAG, &a.singletons, NULL,
          "Take strata of a single row for certain (else they are an error)." },
        { "replace", 0, CLI_FLAG, &a.replace, NULL, "random: draw with replacement." },
        { "two-pass", 0, CLI_FLAG, &a.two_pass, NULL,
          "random: count first and hold nothing, instead of one pass that holds the sample." },
        { "interval", 0, CLI_INT, &a.interval, "K",
          "systematic: every K-th row from a random start, in one pass." },
        { "weights", 0, CLI_STRING, &a.weights, "COL", "Weights of weighted and reservoir." },
        { "size", 0, CLI_STRING, &a.size, "COL", "Sizes of pps and balanced." },
        { "using", 0, CLI_STRING, &a.using_, "HOW",
          "pps by systematic (default), brewer, sampford, pivotal or random-pivotal." },
        { "joint", 0, CLI_STRING, &a.joint, "FILE",
          "pps by systematic or sampford: write the joint inclusion probabilities." },
        { "cluster", 0, CLI_STRING, &a.cluster, "COL", "Column that names the cluster." },
        { "kmeans", 0, CLI_INT, &a.kmeans, "K", "cluster: make K clusters of the columns --on." },
        { "on", 0, CLI_STRINGS, &a.on, "COL[,COL]",
          "Numeric columns: of k-means, or to balance on." },
        { "second", 0, CLI_INT, &a.second, "N", "cluster: rows of each cluster, a second stage." },
        { "second-frac", 0, CLI_DOUBLE, &a.second_frac, "F",
          "cluster: the same as a fraction (rounded up)." },
        { "quota", 0, CLI_STRINGS, &a.quota, "VALUE=N",
          "quota: so many rows of this value of --by; may repeat. Without: -n of every value." },
        { "id", 0, CLI_STRING, &a.id, "COL", "snowball: column of a row's id." },
        { "referrer", 0, CLI_STRING, &a.referrer, "COL",
          "snowball: column of the id of who referred the row." },
        { "start", 0, CLI_STRINGS, &a.start, "ID[,ID]",
          "snowball: begin with these (else -n at random)." },
        { "waves", 0, CLI_INT, &a.waves, "N", "snowball: at most so many waves." },
        { "coupons", 0, CLI_INT, &a.coupons, "N", "snowball: one row brings in N at most." },
        { "stop-at", 0, CLI_INT, &a.stop_at, "N", "snowball: stop at so many rows." },
        { "shuffle", 0, CLI_FLAG, &a.shuffle, NULL,
          "Rows in random order (default: in the file's order)." },
        { "plain", 0, CLI_FLAG, &a.plain, NULL, "Only the file's own columns." },
        { "to", 0, CLI_STRING, &a.to, "FORMAT",
          "Write csv (default, or by the name of -o), tsv or jsonl." },
        CLI_TABLE_OPTIONS(a.input),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 2)
        return cli_usage(self, n < 2 ? "give a METHOD and a FILE (- is standard input)"
                                     : "give one METHOD and one FILE");
    struct data_table_options table;
    struct sampling_writer_options how = { .shuffle = a.shuffle,
                                           .plain = a.plain,
                                           .seed = (uint64_t)cli_common.seed };
    if (sampling_method_parse(argv[1], &s.o.method))
        return cli_usage(self, "%s", base_error_message());
    if ((rc = options_of(&a, &s.o)) || (rc = cli_table_parse(self, &a.input, &table)) ||
        (rc = format_of(&a, &how.format)))
        goto out;
    s.path = argv[2];
    s.o.on_progress = on_progress;
    s.o.context = &s;
    base_interrupt_install();
    if (draw(&s, &table, &how))
        rc = cli_fail(self);
    else if (cli_common.json)
        rc = print_json(&s);
    else
        say(&s);
out:
    free_options(&s);
    return rc;
}
