/* assay split: rows into training, validation and test parts, or folds. */
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
const struct cli_command cli_command_split = {
    .name = "split",
    .synopsis = "[--test SIZE] [--validation SIZE] [options] FILE",
    .summary = "Divide rows into train, validation and test parts, or into folds",
    .details =
        "Writes all rows with a column _part (train, validation, test) or, with --folds K, _fold "
        "(1 .. K); with --files PREFIX instead PREFIX.train.csv and so on, the columns as they are."
        " A SIZE below 1 is a share of the rows (rounded up, as scikit-learn does), from 1 on a "
        "number of rows; train is what is left, or --train SIZE.\n\n"
        "Rows are shuffled by --seed. --stratify COLUMN gives every part each value in proportion; "
        "--group COLUMN keeps rows of one value together (sizes count groups); --time COLUMN puts "
        "the earliest rows into train and the latest into test (numbers, or text such as "
        "2025-01-31 that sorts by time); --in-order takes the file's order for time.\n\n"
        "  assay split --test 0.25 --stratify treatment builtin:survey -o parts.csv\n"
        "  assay split --test 0.2 --validation 0.1 --group company --files survey builtin:survey\n"
        "  assay split --folds 5 --stratify treatment builtin:survey",
    .run = run,
};
static const struct cli_command *const self = &cli_command_split;

#define PARTS 3
static const char *const part_names[PARTS] = { "train", "validation", "test" };

struct arguments {
    double train, validation, test;
    int64_t folds;
    const char *stratify, *group, *time, *files, *column, *to;
    bool in_order;
    struct cli_table_input input;
};

/* The parts that were asked for, train first. */
static int parts_of(const struct arguments *a, const char **name, double *share, uint64_t *count,
                    size_t *n)
{
    const double size[PARTS] = { a->train, a->validation, a->test };
    *n = 0;
    for (int k = 0; k < PARTS; k++) {
        if (size[k] < 0 || (size[k] > 1 && size[k] != floor(size[k])) || size[k] > 1e15)
            return cli_usage(self, "--%s %g: a share below 1, or a whole number of rows",
                             part_names[k], size[k]);
        if (k > 0 && size[k] == 0)
            continue;
        name[*n] = part_names[k];
        share[*n] = size[k] < 1 ? size[k] : 0;
        count[(*n)++] = size[k] < 1 ? 0 : (uint64_t)size[k];
    }
    if (*n < 2 && !a->folds)
        return cli_usage(self, "say how large: --test SIZE, --validation SIZE, or --folds K");
    if (a->folds && (*n > 1 || a->train != 0))
        return cli_usage(self, "either --folds or parts");
    if (a->folds < 0)
        return cli_usage(self, "--folds must be positive");
    return 0;
}

static int format_of(const struct arguments *a, enum data_format *out)
{
    *out = DATA_FORMAT_CSV;
    const char *name = cli_common.output ? cli_common.output : "";
    if (a->to) {
        if (data_format_parse(a->to, out) ||
            (*out != DATA_FORMAT_CSV && *out != DATA_FORMAT_TSV && *out != DATA_FORMAT_JSONL))
            return cli_usage(self, "--to %s: choose csv, tsv or jsonl", a->to);
    } else if (base_ends_with(name, ".tsv")) {
        *out = DATA_FORMAT_TSV;
    } else if (base_ends_with(name, ".jsonl")) {
        *out = DATA_FORMAT_JSONL;
    }
    return 0;
}

static const char *label(const struct sampling_split_options *o, size_t k)
{
    static char number[24];
    if (!o->folds)
        return o->name[k];
    snprintf(number, sizeof number, "%zu", k + 1);
    return number;
}

static int show(const struct sampling_split *s, const struct sampling_split_options *o)
{
    if (!cli_common.json) {
        struct base_buffer b = { 0 };
        int rc = 0;
        for (size_t k = 0; k < s->n && !rc; k++)
            rc = base_buffer_printf(&b, "%s%s %llu", k ? ", " : "", label(o, k),
                                    (unsigned long long)s->size[k]);
        if (!rc)
            base_log("split: %llu rows: %s%s", (unsigned long long)s->rows,
                     o->folds ? "folds " : "", b.data ? b.data : "");
        base_buffer_free(&b);
        return rc ? cli_fail(self) : 0;
    }
    json_t *j = json_object(), *sizes = json_object();
    for (size_t k = 0; k < s->n; k++)
        json_object_set_new(sizes, label(o, k), json_integer((json_int_t)s->size[k]));
    json_object_set_new(j, "rows", json_integer((json_int_t)s->rows));
    json_object_set_new(j, o->folds ? "folds" : "parts", sizes);
    if (o->group)
        json_object_set_new(j, "groups", json_integer((json_int_t)s->groups));
    json_object_set_new(j, "seed", json_integer((json_int_t)o->seed));
    cli_common.output = NULL; /* that file has the rows */
    return cli_print_json(self, j);
}

struct files {
    struct base_writer *at;
    size_t n, capacity;
};

/* The stream of each part: standard output or -o, or a file each. */
static int open_all(struct files *f, void **stream, const struct arguments *a,
                    const struct sampling_split_options *o, enum data_format format)
{
    const char *ending = format == DATA_FORMAT_TSV     ? "tsv"
                         : format == DATA_FORMAT_JSONL ? "jsonl"
                                                       : "csv";
    size_t n = a->files ? f->capacity : 1;
    for (size_t k = 0; k < n; k++) {
        char *path = NULL;
        if (a->files && !(path = o->folds ? base_format("%s.fold%zu.%s", a->files, k + 1, ending)
                                          : base_format("%s.%s.%s", a->files, o->name[k], ending)))
            return BASE_E_MEMORY;
        bool output = !a->files && cli_common.output && strcmp(cli_common.output, "-") != 0;
        const char *name = path              ? path
                           : output          ? cli_common.output
                           : cli_common.json ? "/dev/null"
                                             : NULL;
        if (!name) {
            stream[k] = stdout;
            continue;
        }
        int rc = base_writer_open(&f->at[f->n], name);
        base_free(path);
        if (rc)
            return rc;
        stream[k] = f->at[f->n++].stream;
    }
    return 0;
}

static int divide(const char *path, const struct data_table_options *table,
                  const struct arguments *a, const struct sampling_split_options *o,
                  enum data_format format)
{
    struct sampling_split s = { 0 };
    struct files f = { .capacity = o->folds ? (size_t)o->folds : o->n_parts };
    void **stream = base_alloc_zero(f.capacity + 1, sizeof *stream);
    f.at = base_alloc_zero(f.capacity + 1, sizeof *f.at);
    int rc = stream && f.at ? open_all(&f, stream, a, o, format) : BASE_E_MEMORY;
    const char *column = a->files ? NULL : a->column ? a->column : o->folds ? "_fold" : "_part";
    if (!rc)
        rc = sampling_split_run(&s, path, table, o, column, format, stream);
    for (size_t k = 0; k < f.n; k++) {
        if (!rc)
            rc = base_writer_commit(&f.at[k]);
        else
            base_writer_abort(&f.at[k]);
    }
    base_free(stream);
    base_free(f.at);
    rc = rc ? cli_fail(self) : show(&s, o);
    sampling_split_free(&s);
    return rc;
}

static int run(int argc, char **argv)
{
    struct arguments a = { 0 };
    const char *name[PARTS];
    double share[PARTS];
    uint64_t count[PARTS];
    enum data_format format;
    struct data_table_options table;
    int n;
    const struct cli_option options[] = {
        { "test", 0, CLI_DOUBLE, &a.test, "SIZE", "Share (below 1) or number of test rows." },
        { "validation", 0, CLI_DOUBLE, &a.validation, "SIZE", "The same for a validation part." },
        { "train", 0, CLI_DOUBLE, &a.train, "SIZE",
          "The same for train (default: what is left; else the rest is left out)." },
        { "folds", 'k', CLI_INT, &a.folds, "K", "K folds of equal size instead." },
        { "stratify", 0, CLI_STRING, &a.stratify, "COL", "Each value of COL in proportion." },
        { "group", 0, CLI_STRING, &a.group, "COL", "Rows of one value of COL stay together." },
        { "time", 0, CLI_STRING, &a.time, "COL", "Earliest rows to train, latest to test." },
        { "in-order", 0, CLI_FLAG, &a.in_order, NULL, "The same by the file's order." },
        { "files", 0, CLI_STRING, &a.files, "PREFIX", "A file for each part." },
        { "column", 0, CLI_STRING, &a.column, "NAME", "Name of the column (_part, _fold)." },
        { "to", 0, CLI_STRING, &a.to, "FORMAT", "Write csv (default), tsv or jsonl." },
        CLI_TABLE_OPTIONS(a.input),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 1)
        return cli_usage(self, "give one FILE (- is standard input)");
    struct sampling_split_options o = { .seed = (uint64_t)cli_common.seed,
                                        .name = name,
                                        .share = share,
                                        .count = count,
                                        .stratify = a.stratify,
                                        .group = a.group,
                                        .time = a.time,
                                        .in_order = a.in_order,
                                        .folds = (uint64_t)a.folds };
    if ((rc = parts_of(&a, name, share, count, &o.n_parts)) ||
        (rc = cli_table_parse(self, &a.input, &table)) || (rc = format_of(&a, &format)))
        return rc;
    if (a.files && (a.column || cli_common.output))
        return cli_usage(self, "--files goes without -o and --column");
    if (a.folds)
        o.n_parts = 0;
    base_interrupt_install();
    return divide(argv[1], &table, &a, &o, format);
}
