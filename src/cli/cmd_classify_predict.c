/* assay classify predict: a saved classifier applied to a table. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/cmd_classify.h"
#include "cli/display.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_classify_predict = {
    .name = "classify predict",
    .synopsis = "MODEL FILE [--label COL] [--prior SHARES] [options]",
    .summary = "Classes of a table's rows by a classifier that `assay classify --save` kept",
    .details =
        "Writes the rows of FILE as CSV with the columns _predicted and _score added (more than "
        "two classes: the highest score), and for a logistic classifier _probability of the "
        "predicted class, or with two classes of the positive one. The columns are found by the "
        "names that the classifier was trained with. Rows in which a number or category is missing "
        "get empty cells, and are counted.\n\n"
        "Probabilities are corrected for the shares that the strategy trained with (Elkan 2001). "
        "By default they are for a world where classes have the shares of the training table; "
        "--prior says otherwise: the share of the positive class (0.02), or every class's "
        "(0.5,0.3,0.2), or em, which estimates the shares from the rows themselves (Saerens, "
        "Latinne and Decaestecker 2002). --uncorrected leaves them as trained. Predictions of a "
        "logistic classifier of two classes are the more probable class after the correction; "
        "--threshold moves the line.\n\n"
        "With --label COL, which then holds the truth, the confusion matrix and measures are shown "
        "on standard error, or in the JSON.\n\n"
        "  assay classify predict indian.model new.csv -o scored.csv\n"
        "  assay classify predict indian.model new.csv --prior em --json",
    .run = run,
};
static const struct cli_command *const self = &cli_command_classify_predict;

struct arguments {
    const char *label, *prior;
    bool uncorrected;
    double threshold; /* NaN: not given */
    struct classify_file file;
};

/* Where the model's columns are in the table. */
struct places {
    size_t text, label, *number, *category;
};

/* One reading of the table, row after row: nothing is kept, so the file may be larger than memory.
 * A prior by EM reads it twice. */
struct reading {
    const struct classify_model *model;
    struct data_table *table;
    struct places place;
    double *number;             /* [numbers] of the row */
    struct data_cell *category; /* [categories] */
    double *score;              /* [outputs] */
    const struct data_cell *cell;
    struct base_progress *progress;
};

/* What is found on the way. */
struct found {
    uint64_t rows, missing;
    uint64_t unknown;  /* labels that are none of the model's */
    double *matrix;    /* [classes][classes] with --label */
    double *prior;     /* [classes] */
    size_t iterations; /* of EM */
};

static int places_find(struct places *p, const struct data_table *t, const struct classify_model *m,
                       const char *label)
{
    const struct classify_features *f = &m->features;
    int rc = 0;
    p->number = base_alloc(f->numbers, sizeof *p->number);
    p->category = base_alloc(f->categories, sizeof *p->category);
    if (!p->number || !p->category)
        return BASE_E_MEMORY;
    if (f->has_text)
        rc = data_table_find(t, f->text_column, &p->text);
    for (size_t j = 0; j < f->numbers && !rc; j++)
        rc = data_table_find(t, f->number[j], &p->number[j]);
    for (size_t j = 0; j < f->categories && !rc; j++)
        rc = data_table_find(t, f->category[j], &p->category[j]);
    return rc || !label ? rc : data_table_find(t, label, &p->label);
}

/* A label as a class; with a positive class against others, every other name is the other one. */
static uint32_t class_of(const struct classify_model *m, struct data_cell cell)
{
    for (size_t k = 0; k < m->fitted.classes; k++)
        if (strlen(m->label[k]) == cell.length && memcmp(m->label[k], cell.bytes, cell.length) == 0)
            return (uint32_t)k;
    return m->fitted.classes == 2 && strcmp(m->label[0], "other") == 0 && cell.length ? 0
                                                                                      : UINT32_MAX;
}

static void reading_close(struct reading *r)
{
    base_progress_end(r->progress);
    data_table_close(r->table);
    base_free(r->place.number);
    base_free(r->place.category);
    base_free(r->number);
    base_free(r->category);
    base_free(r->score);
    *r = (struct reading){ 0 };
}

static int reading_open(struct reading *r, const struct classify_model *m, const char *path,
                        const struct data_table_options *table, const char *label)
{
    uint64_t done = 0, total = 0;
    *r = (struct reading){ .model = m };
    int rc = data_table_open(&r->table, path, table);
    if (!rc)
        rc = places_find(&r->place, r->table, m, label);
    if (!rc) {
        r->number = base_alloc(m->features.numbers, sizeof *r->number);
        r->category = base_alloc(m->features.categories, sizeof *r->category);
        r->score = base_alloc(m->fitted.outputs, sizeof *r->score);
        rc = r->number && r->category && r->score ? 0 : BASE_E_MEMORY;
    }
    if (rc)
        return rc;
    data_table_progress(r->table, &done, &total);
    r->progress = base_progress_begin("predict", "bytes", total);
    return 0;
}

/* The next row and its scores; *missing: it has none. 1, 0 at the end, or negative. */
static int reading_next(struct reading *r, bool *missing)
{
    const struct classify_features *f = &r->model->features;
    int rc = data_table_next(r->table, &r->cell);
    if (rc != 1)
        return rc;
    if (data_table_count(r->table) % 1024 == 0) {
        uint64_t done = 0, total = 0;
        data_table_progress(r->table, &done, &total);
        base_progress_update(r->progress, done, NULL);
        if (base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
    }
    *missing = false;
    for (size_t j = 0; j < f->numbers; j++) {
        struct data_cell v = r->cell[r->place.number[j]];
        if (data_cell_missing(v))
            *missing = true;
        else if (!data_cell_number(v, &r->number[j]))
            return base_error_set(BASE_E_FORMAT, "%s: column %s: '%.*s' is not a number",
                                  data_table_place(r->table), f->number[j],
                                  (int)(v.length < 40 ? v.length : 40), v.bytes);
    }
    for (size_t j = 0; j < f->categories; j++) {
        r->category[j] = r->cell[r->place.category[j]];
        *missing = *missing || data_cell_missing(r->category[j]);
    }
    if (*missing)
        return 1;
    struct classify_matrix x;
    rc = classify_matrix_begin(&x, r->model->fitted.columns);
    if (!rc)
        rc = classify_features_apply(
            f, f->has_text ? r->cell[r->place.text] : (struct data_cell){ "", 0 }, r->number,
            r->category, &x);
    if (!rc)
        rc = classify_scores(&r->model->fitted, &x, r->score);
    classify_matrix_free(&x);
    return rc ? base_error_prefix(rc, "%s", data_table_place(r->table)) : 1;
}

/* Every row's scores, for EM: out [n][outputs] (base_free). */
static int scores_read(const struct classify_model *m, const char *path,
                       const struct data_table_options *table, double **out, size_t *n)
{
    struct reading r;
    size_t capacity = 0, outputs = m->fitted.outputs;
    bool missing;
    int rc = reading_open(&r, m, path, table, NULL), more = 0;
    *out = NULL;
    *n = 0;
    while (!rc && (more = reading_next(&r, &missing)) == 1) {
        if (missing)
            continue;
        if (*n == capacity) {
            capacity += capacity / 2 + 1024;
            double *grown = base_realloc(*out, capacity, outputs * sizeof *grown);
            if (!grown) {
                rc = BASE_E_MEMORY;
                break;
            }
            *out = grown;
        }
        memcpy(*out + (*n)++ * outputs, r.score, outputs * sizeof **out);
    }
    reading_close(&r);
    return rc ? rc : more < 0 ? more : 0;
}

/* The shares for which probabilities hold. */
static int prior_make(const struct arguments *a, const struct classify_model *m, const char *path,
                      const struct data_table_options *table, double *prior, size_t *iterations)
{
    size_t k = m->fitted.classes, n = 0;
    memcpy(prior, m->fitted.share, k * sizeof *prior);
    if (!a->prior)
        return 0;
    if (strcmp(a->prior, "em") == 0) {
        double *score = NULL;
        if (strcmp(path, "-") == 0)
            return base_error_set(BASE_E_ARGUMENT,
                                  "--prior em reads the table twice: give a file, not standard "
                                  "input");
        int failed = scores_read(m, path, table, &score, &n);
        if (!failed && !n)
            failed =
                base_error_set(BASE_E_ARGUMENT, "--prior em: there are no rows to estimate from");
        if (!failed)
            failed = classify_estimate_prior(&m->fitted, score, n, prior, iterations);
        base_free(score);
        return failed;
    }
    struct classify_list list;
    int rc = classify_list_split(&list, a->prior, "--prior", false);
    double sum = 0;
    n = list.n;
    if (!rc && n != k && !(k == 2 && n == 1))
        rc = base_error_set(BASE_E_ARGUMENT, "--prior %s: expected %zu shares%s", a->prior, k,
                            k == 2 ? ", or the positive class's alone" : "");
    for (size_t i = 0; i < n && !rc; i++) {
        double share;
        if ((rc = base_parse_double(list.at[i], "--prior", &share)))
            break;
        if (!(share > 0 && share < 1))
            rc = base_error_set(BASE_E_ARGUMENT, "--prior: a share is between 0 and 1, not %g",
                                share);
        prior[n == 1 ? 1 : i] = share;
        sum += share;
    }
    if (!rc && n == 1)
        prior[0] = 1 - prior[1];
    else if (!rc && fabs(sum - 1) > 1e-6)
        rc = base_error_set(BASE_E_ARGUMENT, "--prior %s: the shares add up to %g, not 1", a->prior,
                            sum);
    classify_list_free(&list);
    return rc;
}

/* What is said of one scored row. */
struct said {
    uint32_t class;
    double score, probability; /* probability NaN without */
};

static struct said say(const struct arguments *a, const struct classify_model *m,
                       const double *score, const double *prior, double *p)
{
    size_t k = m->fitted.classes;
    struct said s = { classify_decide(score, k), score[0], NAN };
    if (m->linear.learner != CLASSIFY_LOGISTIC) {
        s.score = score[k == 2 ? 0 : s.class];
        return s;
    }
    classify_probabilities(&m->fitted, score, a->uncorrected ? NULL : prior, p);
    if (k == 2) {
        s.class = p[1] > (isnan(a->threshold) ? 0.5 : a->threshold);
        s.probability = p[1];
        return s;
    }
    for (size_t c = 0; c < k; c++)
        s.class = p[c] > p[s.class] ? (uint32_t)c : s.class;
    s.score = score[s.class];
    s.probability = p[s.class];
    return s;
}

static int header_write(struct base_buffer *b, const struct data_table *t, char delimiter,
                        bool probability)
{
    int rc = 0;
    static const char *const added[] = { "_predicted", "_score", "_probability" };
    for (size_t j = 0; j < data_table_columns(t) && !rc; j++) {
        const char *name = data_table_column(t, j);
        for (int i = 0; i < 3; i++)
            if (strcmp(name, added[i]) == 0)
                return base_error_set(BASE_E_ARGUMENT,
                                      "the file has a column %s already: rename it first", name);
        rc = base_buffer_append(b, &delimiter, j > 0);
        if (!rc)
            rc = data_cell_write(b, (struct data_cell){ name, strlen(name) }, delimiter, 0);
    }
    for (int i = 0; i < 2 + probability && !rc; i++)
        rc = base_buffer_printf(b, "%c%s", delimiter, added[i]);
    return rc ? rc : base_buffer_puts(b, "\n");
}

/* One row with what is added, to b; s NULL: missing cells. */
static int row_write(struct base_buffer *b, struct data_cell raw, char delimiter,
                     const struct classify_model *m, const struct said *s)
{
    bool probability = m->linear.learner == CLASSIFY_LOGISTIC;
    int rc = base_buffer_append(b, raw.bytes, raw.length);
    if (rc)
        return rc;
    if (!s)
        return base_buffer_printf(b, "%c%c%.*s\n", delimiter, delimiter, probability, &delimiter);
    const char *label = m->label[s->class];
    rc = base_buffer_append(b, &delimiter, 1);
    if (!rc)
        rc = data_cell_write(b, (struct data_cell){ label, strlen(label) }, delimiter, 0);
    if (!rc)
        rc = base_buffer_printf(b, "%c%.9g", delimiter, s->score);
    if (!rc && probability)
        rc = base_buffer_printf(b, "%c%.9g", delimiter, s->probability);
    return rc ? rc : base_buffer_puts(b, "\n");
}

static json_t *json_row(const struct classify_model *m, const struct said *s)
{
    json_t *row = json_pack("{s:s, s:o}", "predicted", m->label[s->class], "score",
                            base_json_number(s->score));
    if (m->linear.learner == CLASSIFY_LOGISTIC)
        json_object_set_new(row, "probability", base_json_number(s->probability));
    return row;
}

/* Reads, says and writes; to out, or to the list `rows` of JSON. */
static int rows_go(const struct arguments *a, struct reading *r, struct found *f, FILE *out,
                   char delimiter, json_t *rows)
{
    const struct classify_model *m = r->model;
    size_t k = m->fitted.classes;
    struct base_buffer b = { 0 };
    double *p = base_alloc(k, sizeof *p);
    bool missing = false;
    int rc = p ? 0 : BASE_E_MEMORY, more = 0;
    if (!rc && out)
        rc = header_write(&b, r->table, delimiter, m->linear.learner == CLASSIFY_LOGISTIC);
    while (!rc && (more = reading_next(r, &missing)) == 1) {
        struct said s = { 0 };
        f->rows++;
        f->missing += missing;
        if (!missing)
            s = say(a, m, r->score, f->prior, p);
        if (a->label) {
            uint32_t truth = class_of(m, r->cell[r->place.label]);
            if (truth == UINT32_MAX)
                f->unknown++;
            else if (!missing)
                f->matrix[truth * k + s.class]++;
        }
        if (rows)
            json_array_append_new(rows, missing ? json_null() : json_row(m, &s));
        else
            rc = row_write(&b, data_table_raw(r->table), delimiter, m, missing ? NULL : &s);
        if (!rc && b.length > 1 << 16) {
            fwrite(b.data, 1, b.length, out); /* checked with ferror at the end */
            base_buffer_clear(&b);
        }
    }
    if (out && b.length)
        fwrite(b.data, 1, b.length, out);
    base_buffer_free(&b);
    base_free(p);
    return rc ? rc : more < 0 ? more : 0;
}

static json_t *json_result(const struct arguments *a, const struct classify_model *m,
                           const struct found *f, json_t *rows)
{
    size_t k = m->fitted.classes;
    double all = 0;
    json_t *labels = json_array(), *shares = json_array();
    for (size_t c = 0; c < k; c++) {
        json_array_append_new(labels, json_string(m->label[c]));
        json_array_append_new(shares, base_json_number(f->prior[c]));
    }
    json_t *out =
        json_pack("{s:s, s:s, s:o, s:I, s:I}", "learner", classify_learner_names[m->linear.learner],
                  "strategy", m->strategy, "labels", labels, "rows", (json_int_t)f->rows, "missing",
                  (json_int_t)f->missing);
    if (m->linear.learner == CLASSIFY_LOGISTIC && !a->uncorrected)
        json_object_set_new(out, "prior", shares);
    else
        json_decref(shares);
    if (f->iterations)
        json_object_set_new(out, "em_iterations", json_integer((json_int_t)f->iterations));
    for (size_t i = 0; i < k * k; i++)
        all += f->matrix[i];
    if (all > 0) {
        json_t *confusion = json_array(), *measures = json_object();
        double value[CLASSIFY_MEASURES];
        classify_measures(f->matrix, k, NAN, NAN, value);
        for (size_t i = 0; i < k; i++) {
            json_t *row = json_array();
            for (size_t j = 0; j < k; j++)
                json_array_append_new(row, json_integer((json_int_t)f->matrix[i * k + j]));
            json_array_append_new(confusion, row);
        }
        for (int i = 0; i < CLASSIFY_MEASURES; i++)
            if (!isnan(value[i]))
                json_object_set_new(measures, classify_measure_names[i],
                                    base_json_number(value[i]));
        json_object_set_new(out, "confusion", confusion);
        json_object_set_new(out, "measures", measures);
    }
    json_object_set_new(out, "predictions", rows);
    return out;
}

/* What a person wants to know beside the rows. */
static void tell(const struct arguments *a, const struct classify_model *m, const struct found *f)
{
    size_t k = m->fitted.classes;
    double all = 0, value[CLASSIFY_MEASURES];
    if (f->missing)
        base_log("%llu of %llu rows have missing cells and no prediction",
                 (unsigned long long)f->missing, (unsigned long long)f->rows);
    if (f->iterations && k == 2)
        base_log("estimated share of %s: %.4f (trained on a table with %.4f)", m->label[1],
                 f->prior[1], m->fitted.share[1]);
    if (!a->label)
        return;
    for (size_t i = 0; i < k * k; i++)
        all += f->matrix[i];
    if (f->unknown)
        base_log("%llu labels are none of the classifier's: left out of the measures",
                 (unsigned long long)f->unknown);
    if (all == 0)
        return;
    classify_measures(f->matrix, k, NAN, NAN, value);
    if (k == 2)
        base_log("TN %.0f FP %.0f FN %.0f TP %.0f: TNR %.4f, TPR %.4f", f->matrix[0], f->matrix[1],
                 f->matrix[2], f->matrix[3], value[CLASSIFY_TNR], value[CLASSIFY_TPR]);
    base_log("accuracy %.4f, balanced %.4f, MCC %.4f", value[CLASSIFY_ACCURACY],
             value[CLASSIFY_BALANCED_ACCURACY], value[CLASSIFY_MCC]);
}

/* Whether the file's name, without its compression, ends so. */
static bool named(const char *path, const char *extension)
{
    static const char *const packed[] = { "", ".gz", ".bz2", ".zst" };
    char end[32];
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
        snprintf(end, sizeof end, "%s%s", extension, packed[i]);
        if (base_ends_with(path, end))
            return true;
    }
    return false;
}

/* The delimiter that was read is the one that is written. */
static int delimiter_of(const struct data_table_options *table, const char *path, char *out)
{
    bool by_name = table->format == DATA_FORMAT_AUTO;
    if (table->format == DATA_FORMAT_JSONL ||
        (by_name && (named(path, ".jsonl") || named(path, ".ndjson"))))
        return base_error_set(BASE_E_UNSUPPORTED,
                              "%s is JSON Lines: use --json for the predictions of its rows", path);
    *out = table->delimiter                                                       ? table->delimiter
           : table->format == DATA_FORMAT_TSV || (by_name && named(path, ".tsv")) ? '\t'
                                                                                  : ',';
    return 0;
}

static int work(const struct arguments *a, const char *model, const char *path)
{
    struct classify_model m = { 0 };
    struct data_table_options table = { 0 };
    struct reading r = { 0 };
    struct found f = { 0 };
    struct base_writer writer = { 0 };
    const char *output =
        cli_common.output && strcmp(cli_common.output, "-") != 0 ? cli_common.output : NULL;
    json_t *rows = cli_common.json ? json_array() : NULL;
    char delimiter = ',';
    int rc = classify_model_load(&m, model);
    if (!rc && m.linear.learner != CLASSIFY_LOGISTIC && (a->prior || a->uncorrected))
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s is a support vector machine: it has scores and no probabilities "
                            "(train with --learner logistic)",
                            model);
    if (!rc && !isnan(a->threshold) &&
        (m.linear.learner != CLASSIFY_LOGISTIC || m.fitted.classes != 2))
        rc = base_error_set(BASE_E_ARGUMENT,
                            "%s: --threshold is for a logistic classifier of two classes", model);
    if (!rc)
        rc = classify_file_options(&a->file, &table);
    if (!rc && !rows)
        rc = delimiter_of(&table, path, &delimiter);
    if (!rc) {
        f.prior = base_alloc(m.fitted.classes, sizeof *f.prior);
        f.matrix = base_alloc_zero(m.fitted.classes, m.fitted.classes * sizeof *f.matrix);
        rc = f.prior && f.matrix ? prior_make(a, &m, path, &table, f.prior, &f.iterations)
                                 : BASE_E_MEMORY;
    }
    if (!rc)
        rc = reading_open(&r, &m, path, &table, a->label);
    if (!rc && !rows && output)
        rc = base_writer_open(&writer, output);
    if (!rc)
        rc = rows_go(a, &r, &f, rows ? NULL : output ? writer.stream : stdout, delimiter, rows);
    if (!rc && writer.stream)
        rc = base_writer_commit(&writer);
    base_writer_abort(&writer);
    reading_close(&r);
    int code = 0;
    if (rc) {
        code = cli_fail(self);
        json_decref(rows);
    } else if (rows) {
        code = cli_print_json(self, json_result(a, &m, &f, rows));
    } else {
        tell(a, &m, &f);
    }
    base_free(f.prior);
    base_free(f.matrix);
    classify_model_free(&m);
    return code;
}

static int run(int argc, char **argv)
{
    struct arguments a = { .threshold = NAN };
    int n;
    const struct cli_option options[] = {
        { "label", 0, CLI_STRING, &a.label, "COL", "Column of the true classes, to be measured." },
        { "prior", 0, CLI_STRING, &a.prior, "SHARES",
          "Shares of the classes among these rows, or em (default: those of the training table)." },
        { "uncorrected", 0, CLI_FLAG, &a.uncorrected, NULL, "Probabilities as trained." },
        { "threshold", 0, CLI_DOUBLE, &a.threshold, "P",
          "Probability above which two classes' positive one is predicted (default 0.5)." },
        CLASSIFY_FILE_OPTIONS(a.file),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (n != 2)
        return cli_usage(self, "give MODEL and FILE (- is standard input)");
    if (a.prior && a.uncorrected)
        return cli_usage(self, "--prior and --uncorrected exclude each other");
    if (!isnan(a.threshold) && !(a.threshold > 0 && a.threshold < 1))
        return cli_usage(self, "--threshold is between 0 and 1, not %g", a.threshold);
    base_interrupt_install();
    return work(&a, argv[1], argv[2]);
}
