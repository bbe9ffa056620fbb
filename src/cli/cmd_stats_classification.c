/* assay stats classification: predictions against truth. */
#include "cli/cmd_stats.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_stats_classification = {
    .name = "stats classification",
    .synopsis = "FILE --truth NAME (--predicted NAME | --score NAME | --probability NAME...)",
    .summary = "Accuracy, precision, recall, F1, MCC, AUC, calibration, each with an interval",
    .details =
        "--predicted: labels. Gives the confusion matrix, figures of every label, and accuracy, "
        "precision, recall and F1 (micro, macro, weighted; with two labels or --positive also of "
        "the "
        "positive one), MCC and Cohen's kappa, all as scikit-learn has them. --confidence adds the "
        "calibration of the predictions.\n\n"
        "--score: a number that is higher for the positive label. Gives ROC-AUC, average "
        "precision, "
        "the area under the precision-recall curve and the true positive rate at --fpr; scores in "
        "[0, 1] are also taken as probabilities: prediction above 0.5, Brier score, ECE.\n\n"
        "--probability, once per label: columns named as the labels. The largest is the prediction "
        "(the first one wins ties).\n\n"
        "Intervals are percentile bootstraps over items of one and the same resamples; shares have "
        "Wilson's interval, the AUC DeLong's.\n\n"
        "  assay stats classification items.csv --truth gold --predicted answer\n"
        "  assay stats classification items.csv --truth member --score loss_ratio --fpr 0.01",
    .run = run,
};
static const struct cli_command *const self = &cli_command_stats_classification;

enum { MOST_PROBABILITIES = 60 };
struct arguments {
    const char *truth, *predicted, *score, *confidence, *positive, *zero_division;
    struct cli_strings probability;
    int64_t bins, resamples;
    double fpr, level, zero;
    struct stats_how how;
};

/* Everything that was found; parts that were not asked for are empty. */
struct result {
    size_t n, skipped;
    const char **labels;                 /* [k], sorted; the strings are the fields' */
    size_t k, positive;                  /* positive = k: none */
    uint32_t *truth, *predicted;         /* [n], places in labels; predicted NULL: none */
    double *confidence, *right, *square; /* [n] or NULL */
    double *matrix;                      /* [k][k] */
    struct stats_metric metric[STATS_METRICS], rank[STATS_RANKS], calibration[STATS_CALIBRATIONS];
    struct stats_bin *bin;
    bool ranked;
};

static int label_order(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    char *end_x, *end_y;
    double u = strtod(x, &end_x), v = strtod(y, &end_y);
    if (end_x != x && !*end_x && end_y != y && !*end_y && u != v)
        return u < v ? -1 : 1;
    return strcmp(x, y);
}

static size_t label_place(const struct result *r, const char *label)
{
    for (size_t j = 0; j < r->k; j++)
        if (strcmp(r->labels[j], label) == 0)
            return j;
    return r->k;
}

/* The union of the fields' labels and the probabilities' names, sorted. */
static int collect_labels(struct result *r, const struct stats_field *field, size_t n_fields)
{
    size_t most = 0;
    for (size_t f = 0; f < n_fields; f++)
        most += field[f].label ? field[f].n_labels : 1;
    if (!(r->labels = base_alloc(most, sizeof *r->labels)))
        return BASE_E_MEMORY;
    for (size_t f = 0; f < n_fields; f++)
        for (size_t j = 0; j < (field[f].label ? field[f].n_labels : 1); j++) {
            const char *label = field[f].label ? field[f].labels[j] : field[f].title;
            if (label_place(r, label) == r->k)
                r->labels[r->k++] = label;
            if (r->k > 4096)
                return base_error_set(
                    BASE_E_LIMIT, "column %s has more than 4096 labels: is it a column of text?",
                    field[f].title);
        }
    qsort(r->labels, r->k, sizeof *r->labels, label_order);
    return 0;
}

/* A field's own label numbers as places in the sorted list. */
static int place_labels(const struct result *r, const struct stats_field *f, uint32_t **out)
{
    uint32_t *map = base_alloc(f->n_labels, sizeof *map);
    *out = base_alloc(r->n, sizeof **out);
    if (!map || !*out) {
        base_free(map);
        return BASE_E_MEMORY;
    }
    for (size_t j = 0; j < f->n_labels; j++)
        map[j] = (uint32_t)label_place(r, f->labels[j]);
    for (size_t i = 0; i < r->n; i++)
        (*out)[i] = map[f->id[i]];
    base_free(map);
    return 0;
}

static int choose_positive(const struct arguments *a, struct result *r, bool needed)
{
    r->positive = r->k;
    if (a->positive) {
        r->positive = label_place(r, a->positive);
        if (r->positive == r->k)
            return base_error_set(BASE_E_ARGUMENT, "--positive %s: no item has this label",
                                  a->positive);
    } else if (r->k == 2) {
        r->positive = 1;
    } else if (needed) {
        return base_error_set(
            BASE_E_ARGUMENT,
            "the truth has %zu labels: say with --positive which one the score is "
            "for",
            r->k);
    }
    return 0;
}

static int room_for(struct result *r, bool square)
{
    r->predicted = r->predicted ? r->predicted : base_alloc(r->n, sizeof *r->predicted);
    r->confidence = base_alloc(r->n, sizeof *r->confidence);
    r->right = base_alloc(r->n, sizeof *r->right);
    r->square = square ? base_alloc(r->n, sizeof *r->square) : NULL;
    return r->predicted && r->confidence && r->right && (r->square || !square) ? 0 : BASE_E_MEMORY;
}

/* Predictions, confidences and Brier terms from a probability of the positive label. */
static int from_score(struct result *r, const double *score)
{
    int rc = room_for(r, true);
    for (size_t i = 0; i < r->n && rc == 0; i++) {
        bool yes = score[i] > 0.5;
        double truth = r->truth[i] == r->positive;
        r->predicted[i] = (uint32_t)(yes ? r->positive : 1 - r->positive);
        r->confidence[i] = yes ? score[i] : 1 - score[i];
        r->right[i] = r->predicted[i] == r->truth[i];
        r->square[i] = (score[i] - truth) * (score[i] - truth);
    }
    return rc;
}

static int from_probabilities(struct result *r, const struct stats_field *p, size_t count)
{
    int rc = room_for(r, true);
    for (size_t i = 0; i < r->n && rc == 0; i++) {
        size_t best = 0, truth = count;
        double sum = 0;
        r->square[i] = 0;
        for (size_t j = 0; j < count; j++) {
            if (!(p[j].x[i] >= 0 && p[j].x[i] <= 1))
                return base_error_set(BASE_E_ARGUMENT, "item %zu, column %s: %g is no probability",
                                      i + 1, p[j].title, p[j].x[i]);
            sum += p[j].x[i];
            best = p[j].x[i] > p[best].x[i] ? j : best;
            if (strcmp(p[j].title, r->labels[r->truth[i]]) == 0)
                truth = j;
        }
        if (truth == count)
            return base_error_set(BASE_E_ARGUMENT,
                                  "item %zu: no --probability is given for label %s", i + 1,
                                  r->labels[r->truth[i]]);
        if (fabs(sum - 1) > 1e-3)
            return base_error_set(BASE_E_ARGUMENT,
                                  "item %zu: the probabilities add up to %g, not 1", i + 1, sum);
        for (size_t j = 0; j < count; j++)
            r->square[i] += (p[j].x[i] - (j == truth)) * (p[j].x[i] - (j == truth));
        r->predicted[i] = (uint32_t)label_place(r, p[best].title);
        r->confidence[i] = p[best].x[i];
        r->right[i] = r->predicted[i] == r->truth[i];
    }
    return rc;
}

static int from_confidence(struct result *r, const double *confidence)
{
    int rc = room_for(r, false);
    for (size_t i = 0; i < r->n && rc == 0; i++) {
        r->confidence[i] = confidence[i];
        r->right[i] = r->predicted[i] == r->truth[i];
    }
    return rc;
}

static int rank(const struct arguments *a, struct result *r, const double *score,
                const struct stats_bootstrap_options *o)
{
    double *truth = base_alloc(r->n, sizeof *truth);
    if (!truth)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < r->n; i++)
        truth[i] = r->truth[i] == r->positive;
    int rc = stats_rank(score, truth, r->n, a->fpr, o, r->rank);
    r->ranked = rc == 0;
    base_free(truth);
    return rc;
}

static int compute(const struct arguments *a, struct result *r, struct stats_field *field)
{
    struct stats_bootstrap_options o = { .resamples = (size_t)a->resamples,
                                         .seed = (uint64_t)cli_common.seed,
                                         .level = a->level };
    size_t count = a->probability.count, labelled = a->predicted ? 2 : 1;
    struct stats_field *score = a->score ? &field[1] : NULL;
    struct stats_field *confidence = a->confidence ? &field[2] : NULL;
    int rc = collect_labels(r, field, count ? 1 + count : labelled);
    if (rc || (rc = place_labels(r, &field[0], &r->truth)) ||
        (rc = choose_positive(a, r, score != NULL)))
        return rc;
    if (a->predicted && (rc = place_labels(r, &field[1], &r->predicted)))
        return rc;
    if (count) {
        rc = from_probabilities(r, field + 1, count);
    } else if (confidence) {
        rc = from_confidence(r, confidence->x);
    } else if (score) {
        bool probability = r->k == 2;
        for (size_t i = 0; i < r->n; i++)
            probability = probability && score->x[i] >= 0 && score->x[i] <= 1;
        rc = rank(a, r, score->x, &o);
        if (rc == 0 && probability)
            rc = from_score(r, score->x);
    }
    if (rc == 0 && r->predicted) {
        if (!(r->matrix = base_alloc(r->k, r->k * sizeof *r->matrix)))
            return BASE_E_MEMORY;
        if ((rc = stats_confusion(r->truth, r->predicted, r->n, r->k, r->matrix)))
            return rc;
        rc =
            stats_classify(r->truth, r->predicted, r->n, r->k, r->positive, a->zero, &o, r->metric);
    }
    if (rc == 0 && r->confidence) {
        if (!(r->bin = base_alloc((size_t)a->bins, sizeof *r->bin)))
            return BASE_E_MEMORY;
        rc = stats_calibrate(r->confidence, r->right, r->square, r->n, (size_t)a->bins, &o,
                             r->calibration, r->bin);
    }
    return rc;
}

static json_t *json_metric(const struct stats_metric *m)
{
    return json_pack("{s:o, s:o, s:o}", "value", base_json_number(m->value), "stderr",
                     base_json_number(m->se), "ci", stats_json_interval(&m->interval));
}

static void json_metrics(json_t *out, const struct stats_metric *m, const char *const *names, int n)
{
    for (int k = 0; k < n; k++)
        if (!isnan(m[k].value))
            json_object_set_new(out, names[k], json_metric(&m[k]));
}

static int print_json(const struct arguments *a, const struct result *r)
{
    json_t *out = json_pack("{s:I, s:I, s:o, s:o}", "n", (json_int_t)r->n, "skipped",
                            (json_int_t)r->skipped, "level", base_json_number(a->level), "positive",
                            r->positive < r->k ? json_string(r->labels[r->positive]) : json_null());
    json_t *metrics = json_object(), *labels = json_array();
    for (size_t j = 0; j < r->k; j++)
        json_array_append_new(labels, json_string(r->labels[j]));
    json_object_set_new(out, "labels", labels);
    if (r->matrix) {
        json_t *matrix = json_array(), *by_label = json_object();
        for (size_t i = 0; i < r->k; i++) {
            json_t *row = json_array();
            struct stats_label_metrics l;
            stats_label_metrics(r->matrix, r->k, i, a->zero, &l);
            for (size_t j = 0; j < r->k; j++)
                json_array_append_new(row, json_integer((json_int_t)r->matrix[i * r->k + j]));
            json_array_append_new(matrix, row);
            json_object_set_new(by_label, r->labels[i],
                                json_pack("{s:o, s:o, s:o, s:I}", "precision",
                                          base_json_number(l.precision), "recall",
                                          base_json_number(l.recall), "f1", base_json_number(l.f1),
                                          "support", (json_int_t)l.support));
        }
        json_object_set_new(out, "confusion", matrix);
        json_object_set_new(out, "by_label", by_label);
        json_metrics(metrics, r->metric, stats_metric_names, STATS_METRICS);
    }
    if (r->ranked) {
        json_metrics(metrics, r->rank, stats_rank_names, STATS_RANKS);
        json_object_set_new(out, "fpr", base_json_number(a->fpr));
    }
    if (r->bin) {
        json_t *bins = json_array();
        json_metrics(metrics, r->calibration, stats_calibration_names, STATS_CALIBRATIONS);
        for (int64_t b = 0; b < a->bins; b++)
            json_array_append_new(bins, json_pack("{s:o, s:o, s:I, s:o, s:o, s:o}", "low",
                                                  base_json_number(r->bin[b].low), "high",
                                                  base_json_number(r->bin[b].high), "count",
                                                  (json_int_t)r->bin[b].count, "confidence",
                                                  base_json_number(r->bin[b].confidence), "right",
                                                  base_json_number(r->bin[b].right), "ci",
                                                  stats_json_interval(&r->bin[b].interval)));
        json_object_set_new(out, "bins", bins);
    }
    json_object_set_new(out, "metrics", metrics);
    return cli_print_json(self, out);
}

static void add_metrics(struct cli_table *t, const struct stats_metric *m, const char *const *names,
                        int n)
{
    for (int k = 0; k < n; k++) {
        if (isnan(m[k].value))
            continue;
        cli_table_add(t, "%s", names[k]);
        cli_table_add(t, "%.4f", m[k].value);
        if (isnan(m[k].interval.low))
            cli_table_add(t, "%s", "-");
        else
            cli_table_add(t, "%.4f .. %.4f", m[k].interval.low, m[k].interval.high);
    }
}

static int append_confusion(struct base_buffer *b, const struct arguments *a,
                            const struct result *r)
{
    struct cli_column *columns = base_alloc_zero(r->k + 5, sizeof *columns);
    if (!columns)
        return BASE_E_MEMORY;
    bool whole = r->k <= 8; /* more columns than that are for --json */
    size_t n = 0;
    columns[n++] = (struct cli_column){ "truth \\ predicted", false, false };
    for (size_t j = 0; j < r->k && whole; j++)
        columns[n++] = (struct cli_column){ r->labels[j], true, false };
    static const char *const more[4] = { "precision", "recall", "f1", "support" };
    for (int j = 0; j < 4; j++)
        columns[n++] = (struct cli_column){ more[j], true, false };
    struct cli_table t = { .columns = columns, .n_columns = n };
    for (size_t i = 0; i < r->k; i++) {
        struct stats_label_metrics l;
        stats_label_metrics(r->matrix, r->k, i, a->zero, &l);
        cli_table_add(&t, "%s", r->labels[i]);
        for (size_t j = 0; j < r->k && whole; j++)
            cli_table_add(&t, "%.0f", r->matrix[i * r->k + j]);
        cli_table_add(&t, "%.4f", l.precision);
        cli_table_add(&t, "%.4f", l.recall);
        cli_table_add(&t, "%.4f", l.f1);
        cli_table_add(&t, "%.0f", l.support);
    }
    int rc = cli_table_append(b, &t);
    base_free(columns);
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int append_bins(struct base_buffer *b, const struct arguments *a, const struct result *r)
{
    const struct cli_column columns[] = { { "confidence", false, false },
                                          { "items", true, false },
                                          { "mean", true, false },
                                          { "right", true, false },
                                          { "interval", false, false } };
    struct cli_table t = { .columns = columns, .n_columns = 5 };
    for (int64_t k = 0; k < a->bins; k++) {
        const struct stats_bin *bin = &r->bin[k];
        if (bin->count == 0)
            continue;
        cli_table_add(&t, "%.3g .. %.3g", bin->low, bin->high);
        cli_table_add(&t, "%.0f", bin->count);
        cli_table_add(&t, "%.4f", bin->confidence);
        cli_table_add(&t, "%.4f", bin->right);
        cli_table_add(&t, "%.4f .. %.4f", bin->interval.low, bin->interval.high);
    }
    int rc = base_buffer_puts(b, "\n");
    int table = cli_table_append(b, &t);
    return rc ? rc : table;
}

static int print_words(const struct arguments *a, const struct result *r)
{
    struct base_buffer b = { 0 };
    int rc = r->matrix ? append_confusion(&b, a, r) : 0;
    char head[32], tpr[32];
    snprintf(head, sizeof head, "%g %% interval", 100 * a->level);
    snprintf(tpr, sizeof tpr, "tpr at fpr %g", a->fpr);
    const char *ranks[STATS_RANKS];
    memcpy(ranks, stats_rank_names, sizeof ranks);
    ranks[STATS_TPR_AT_FPR] = tpr;
    const struct cli_column columns[] = { { "", false, false },
                                          { "value", true, false },
                                          { head, false, false } };
    struct cli_table t = { .columns = columns, .n_columns = 3 };
    if (r->matrix)
        add_metrics(&t, r->metric, stats_metric_names, STATS_METRICS);
    if (r->ranked)
        add_metrics(&t, r->rank, ranks, STATS_RANKS);
    if (r->bin)
        add_metrics(&t, r->calibration, stats_calibration_names, STATS_CALIBRATIONS);
    int table = cli_table_append(&b, &t);
    rc = rc ? rc : table;
    if (rc == 0 && r->bin)
        rc = append_bins(&b, a, r);
    double most = 0;
    for (size_t i = 0; r->matrix && i < r->k; i++) {
        struct stats_label_metrics l;
        stats_label_metrics(r->matrix, r->k, i, a->zero, &l);
        most = fmax(most, l.support / (double)r->n);
    }
    if (rc == 0 && r->matrix)
        rc = stats_say(&b,
                       "%zu items, %zu labels. Always answering the most frequent label would be "
                       "right on %.1f %%; these predictions are on %.1f %%.",
                       r->n, r->k, 100 * most, 100 * r->metric[STATS_ACCURACY].value);
    if (rc == 0 && r->positive < r->k)
        rc = stats_say(&b, "Positive label: %s.", r->labels[r->positive]);
    if (rc == 0 && r->ranked)
        rc = stats_say(&b, "An AUC of 0.5 is guessing: the interval %s it.",
                       r->rank[STATS_ROC_AUC].interval.low <= 0.5 &&
                               r->rank[STATS_ROC_AUC].interval.high >= 0.5
                           ? "includes"
                           : "excludes");
    if (rc == 0 && r->skipped)
        rc = stats_say(&b, "%zu rows with missing cells were left out.", r->skipped);
    return cli_print_text(self, &b, rc);
}

static int check(struct arguments *a, int n)
{
    int given = (a->predicted != NULL) + (a->score != NULL) + (a->probability.count > 0);
    if (n != 1 || !a->truth || given != 1)
        return cli_usage(self, "give one FILE, --truth, and one of --predicted, --score and "
                               "--probability");
    if (a->confidence && !a->predicted)
        return cli_usage(self, "--confidence goes with --predicted");
    if (a->probability.count == 1 || a->probability.count > MOST_PROBABILITIES)
        return cli_usage(self, "--probability is given once for each label, 2 to 60 times");
    if (a->bins < 1 || a->bins > 255)
        return cli_usage(self, "--bins is 1 to 255");
    if (a->resamples < 10 || a->resamples > 10000000)
        return cli_usage(self, "--resamples is 10 to 10000000");
    if (!(a->fpr >= 0 && a->fpr <= 1))
        return cli_usage(self, "--fpr is between 0 and 1, not %g", a->fpr);
    static const char *const zeros[] = { "0", "1", "nan" };
    int zero = stats_choose(self, "--zero-division", a->zero_division, zeros, 3);
    if (zero < 0)
        return 2;
    a->zero = zero == 2 ? NAN : zero;
    return stats_check_share(self, "--level", a->level);
}

static int run(int argc, char **argv)
{
    struct arguments a = {
        .bins = 10, .resamples = 2000, .fpr = 0.01, .level = 0.95, .zero_division = "0"
    };
    int n;
    const struct cli_option options[] = {
        { "truth", 0, CLI_STRING, &a.truth, "NAME", "Column of the true labels." },
        { "predicted", 0, CLI_STRING, &a.predicted, "NAME", "Column of the predicted labels." },
        { "score", 0, CLI_STRING, &a.score, "NAME",
          "Column of a score or probability of the positive label." },
        { "probability", 0, CLI_STRINGS, &a.probability, "NAME",
          "Column of a label's probability, named as the label; one for each." },
        { "confidence", 0, CLI_STRING, &a.confidence, "NAME",
          "Column of the predictions' confidences (with --predicted)." },
        { "positive", 0, CLI_STRING, &a.positive, "LABEL",
          "The positive label (default: of two, the later one in order)." },
        { "zero-division", 0, CLI_STRING, &a.zero_division, "V",
          "What 0/0 gives in precision, recall and F1: 0 (default), 1 or nan." },
        { "fpr", 0, CLI_DOUBLE, &a.fpr, "F", "False positive rate of tpr_at_fpr (default 0.01)." },
        { "bins", 0, CLI_INT, &a.bins, "N", "Bins of the calibration (default 10)." },
        { "resamples", 0, CLI_INT, &a.resamples, "N", "Bootstrap resamples (default 2000)." },
        { "level", 0, CLI_DOUBLE, &a.level, "P", "Confidence of the intervals (default 0.95)." },
        STATS_FILE_OPTIONS(a.how),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = check(&a, n)))
        return rc;
    struct stats_field field[64] = { { .name = a.truth, .option = "--truth", .label = true } };
    size_t fields = 1;
    if (a.predicted)
        field[fields++] =
            (struct stats_field){ .name = a.predicted, .option = "--predicted", .label = true };
    if (a.score)
        field[fields++] = (struct stats_field){ .name = a.score, .option = "--score" };
    if (a.confidence)
        field[fields++] = (struct stats_field){ .name = a.confidence, .option = "--confidence" };
    for (size_t j = 0; j < a.probability.count; j++)
        field[fields++] =
            (struct stats_field){ .name = a.probability.at[j], .option = "--probability" };
    struct stats_sample s;
    struct result r = { 0 };
    rc = stats_sample_read(&s, argv[1], &a.how, field, fields);
    r.n = s.n;
    r.skipped = s.skipped;
    if (rc == 0)
        rc = compute(&a, &r, field);
    rc = rc ? cli_fail(self) : cli_common.json ? print_json(&a, &r) : print_words(&a, &r);
    base_free(r.labels);
    base_free(r.truth);
    base_free(r.predicted);
    base_free(r.confidence);
    base_free(r.right);
    base_free(r.square);
    base_free(r.matrix);
    base_free(r.bin);
    stats_sample_free(&s);
    return rc;
}
