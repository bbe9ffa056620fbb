/* assay embed stability: how far similarities and neighbours change when the documents are drawn
 * again. */
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/cmd_embed.h"
#include "dist/dist.h"
#include "report/chart.h"
#include <math.h>
#include <string.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_embed_stability = {
    .name = "embed stability",
    .synopsis = "FILE... [--pair A,B]... [--word W]... [--models N] [options]",
    .summary = "Intervals of similarities and neighbours: train again on documents drawn again",
    .details =
        "Trains one model on all documents and --models more, each on one thread (and spread over "
        "ranks under mpirun; the result is the same for any number of either). --resample "
        "bootstrap "
        "draws as many documents with replacement; subsample deals them out into parts (Politis "
        "and "
        "Romano's interval); seeds keeps the documents and changes the seed, which shows the noise "
        "of training alone.\n\n"
        "Intervals are order statistics: the 2nd and 19th of 20 values (called 90 %), the 2nd and "
        "39th of 40 (95 %). Beside each stands its real coverage: how often one more draw falls "
        "into it (17/21 = 0.8095, 37/41 = 0.9024). A model without one of the words (it is drawn "
        "too "
        "rarely there) is left out and counted.\n\n"
        "Neighbours: the share of models that count each of the full model's neighbours among "
        "theirs, and the mean overlap (Jaccard index) of the lists of any two models. Words and "
        "texts are made into tokens alike: government is looked up as govern.\n\n"
        "When random pairs of words have a mean cosine near 1, training was too short for this "
        "much "
        "text: every similarity is high and means nothing. That is said.\n\n"
        "  assay embed stability builtin:stories --epochs 30 --pair boat,river --word boat\n"
        "  assay embed stability news.txt --models 40 --pair war,peace --plot war.png\n"
        "  mpirun -n 4 assay embed stability news.txt --models 200 --word war --json",
    .run = run,
};

struct state {
    struct embed_source source;
    struct embed_how how;
    struct embed_stability_options o;
    struct cli_strings pairs, words;
    const char *resample, *plot;
    int64_t models, near, common;
    double level;
    char **token; /* [2 pairs + words] as the corpus has them */
    const char **asked;
    struct embed_corpus *corpus;
    struct base_progress *progress;
};

static int on_progress(void *context, size_t done, size_t total)
{
    (void)total;
    base_progress_update(context, done, NULL);
    return 0;
}

/* ---- what was asked ---- */

static int check(const struct cli_command *self, struct state *s)
{
    int k = 0;
    while (k < EMBED_RESAMPLINGS && strcmp(s->resample, embed_resampling_names[k]) != 0)
        k++;
    if (k == EMBED_RESAMPLINGS)
        return cli_usage(self, "--resample %s: choose bootstrap, subsample or seeds", s->resample);
    s->o.resampling = (enum embed_resampling)k;
    if (s->models < 2 || s->models > 100000)
        return cli_usage(self, "--models must be 2 to 100000");
    if (s->near < 1 || s->near > EMBED_MOST_NEAR)
        return cli_usage(self, "--near must be 1 to %d", EMBED_MOST_NEAR);
    if (s->common < 0)
        return cli_usage(self, "--common must not be negative");
    if (!(s->level >= 0 && s->level < 1))
        return cli_usage(self, "--level must be between 0 and 1");
    if (s->plot && !base_ends_with(s->plot, ".png") && !base_ends_with(s->plot, ".svg") &&
        !base_ends_with(s->plot, ".pdf"))
        return cli_usage(self, "--plot %s: the name must end in .png, .svg or .pdf", s->plot);
    for (size_t i = 0; i < s->pairs.count; i++) {
        const char *comma = strchr(s->pairs.at[i], ',');
        if (!comma || comma == s->pairs.at[i] || !comma[1] || strchr(comma + 1, ','))
            return cli_usage(self, "--pair %s: give two words with a comma between",
                             s->pairs.at[i]);
    }
    s->o.models = (size_t)s->models;
    s->o.near = (size_t)s->near;
    s->o.common = (size_t)s->common;
    s->o.level = s->level;
    return embed_how_take(self, &s->how, s->source.graph != NULL);
}

/* The words as the corpus has them. */
static int find_words(struct state *s)
{
    const size_t pairs = s->pairs.count, words = s->words.count;
    int rc = 0;
    s->token = base_alloc_zero(2 * pairs + words + 1, sizeof *s->token);
    s->asked = base_alloc_zero(2 * pairs + words + 1, sizeof *s->asked);
    if (!s->token || !s->asked)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < pairs && rc == 0; i++) {
        const char *comma = strchr(s->pairs.at[i], ',');
        char *first = base_strndup(s->pairs.at[i], (size_t)(comma - s->pairs.at[i]));
        rc = first ? embed_source_word(&s->source, s->corpus, first, &s->token[2 * i])
                   : BASE_E_MEMORY;
        base_free(first);
        if (rc == 0)
            rc = embed_source_word(&s->source, s->corpus, comma + 1, &s->token[2 * i + 1]);
    }
    for (size_t i = 0; i < words && rc == 0; i++)
        rc = embed_source_word(&s->source, s->corpus, s->words.at[i], &s->token[2 * pairs + i]);
    for (size_t i = 0; i < 2 * pairs + words; i++)
        s->asked[i] = s->token[i];
    s->o.pair = s->asked;
    s->o.n_pairs = pairs;
    s->o.word = s->asked + 2 * pairs;
    s->o.n_words = words;
    return rc;
}

/* ---- JSON ---- */

static json_t *json_spread(const struct embed_spread *x, size_t models)
{
    json_t *values = json_array();
    for (size_t b = 0; b < models; b++)
        json_array_append_new(values, base_json_number(x->value[b]));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o}", "estimate",
                     base_json_number(x->estimate), "mean", base_json_number(x->mean), "sd",
                     base_json_number(x->sd), "ci", embed_json_interval(x->low, x->high),
                     "coverage_new_draw", base_json_number(x->coverage), "models",
                     (json_int_t)x->models, "missing", (json_int_t)x->missing, "values", values);
}

static json_t *to_json(const struct embed_stability *r)
{
    const size_t models = r->options.models;
    json_t *pairs = json_array(), *words = json_array();
    for (size_t i = 0; i < r->options.n_pairs; i++) {
        json_t *one = json_pack("{s:s, s:s}", "a", r->pair[i].a, "b", r->pair[i].b);
        json_t *rest = json_spread(&r->pair[i].similarity, models);
        json_object_update(one, rest);
        json_decref(rest);
        json_array_append_new(pairs, one);
    }
    for (size_t i = 0; i < r->options.n_words; i++) {
        const struct embed_stability_word *w = &r->word[i];
        json_t *near = json_array();
        for (size_t k = 0; k < w->n_near; k++) {
            json_t *one = json_pack("{s:s, s:o}", "word", w->near[k].word, "share",
                                    base_json_number(w->near[k].share));
            json_t *rest = json_spread(&w->near[k].spread, models);
            json_object_update(one, rest);
            json_decref(rest);
            json_array_append_new(near, one);
        }
        json_array_append_new(
            words, json_pack("{s:s, s:o, s:o, s:I, s:I, s:o}", "word", w->word, "overlap",
                             base_json_number(w->overlap), "overlap_with_full",
                             base_json_number(w->overlap_full), "models", (json_int_t)w->models,
                             "missing", (json_int_t)w->missing, "near", near));
    }
    json_t *o = json_pack(
        "{s:s, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:b, s:[I, I], s:o, s:o}", "resample",
        embed_resampling_names[r->options.resampling], "models", (json_int_t)models, "level",
        base_json_number(r->options.level), "documents", (json_int_t)r->documents, "tokens",
        (json_int_t)r->tokens, "words", (json_int_t)r->words, "random_cosine",
        base_json_number(r->random_cosine), "random_cosine_models",
        embed_json_interval(r->random_cosine_low, r->random_cosine_high), "undertrained",
        r->undertrained, "words_models", (json_int_t)r->words_least, (json_int_t)r->words_most,
        "pairs", pairs, "neighbours", words);
    json_object_set_new(o, "overlap_common", base_json_number(r->common_overlap));
    json_object_set_new(o, "common_words", json_integer((json_int_t)r->common_words));
    json_object_set_new(o, "near", json_integer((json_int_t)r->options.near));
    json_object_set_new(o, "options", embed_how_json(&r->options.train));
    return o;
}

/* ---- text ---- */

static void add_spread(struct cli_table *t, const struct embed_spread *x)
{
    cli_table_add(t, isnan(x->estimate) ? "-" : "%.3f", x->estimate);
    if (x->rank)
        cli_table_add(t, "%.3f .. %.3f", x->low, x->high);
    else
        cli_table_add(t, "none");
    if (x->rank)
        cli_table_add(t, "%.4f", x->coverage);
    else
        cli_table_add(t, "-");
    cli_table_add(t, "%zu", x->models);
}

static int lay_out_pairs(struct base_buffer *b, const struct embed_stability *r, const char *level)
{
    const struct cli_column columns[] = { { "pair", false, true },
                                          { "cosine", true, false },
                                          { level, false, false },
                                          { "coverage", true, false },
                                          { "models", true, false } };
    struct cli_table t = { .columns = columns, .n_columns = 5 };
    if (r->options.n_pairs == 0)
        return 0;
    for (size_t i = 0; i < r->options.n_pairs; i++) {
        cli_table_add(&t, "%s  %s", r->pair[i].a, r->pair[i].b);
        add_spread(&t, &r->pair[i].similarity);
    }
    int rc = base_buffer_puts(b, "\n");
    return rc ? rc : cli_table_append(b, &t);
}

static int lay_out_word(struct base_buffer *b, const struct embed_stability *r, size_t i,
                        const char *level)
{
    const struct embed_stability_word *w = &r->word[i];
    const struct cli_column columns[] = {
        { w->word, false, true },    { "cosine", true, false }, { level, false, false },
        { "coverage", true, false }, { "models", true, false }, { "neighbour in", true, false }
    };
    struct cli_table t = { .columns = columns, .n_columns = 6 };
    for (size_t k = 0; k < w->n_near; k++) {
        cli_table_add(&t, "%s", w->near[k].word);
        add_spread(&t, &w->near[k].spread);
        cli_table_add(&t, isnan(w->near[k].share) ? "-" : "%.0f %%", 100 * w->near[k].share);
    }
    int rc = base_buffer_puts(b, "\n");
    if (rc == 0)
        rc = cli_table_append(b, &t);
    if (rc == 0)
        rc = base_buffer_printf(b, "  overlap of %zu neighbours: ", r->options.near);
    if (rc == 0 && isnan(w->overlap))
        rc = base_buffer_puts(b, "the word is in fewer than two models");
    else if (rc == 0)
        rc = base_buffer_printf(b, "%.2f between models, %.2f with the full model", w->overlap,
                                w->overlap_full);
    if (rc == 0 && w->missing)
        rc = base_buffer_printf(b, "; %zu models lack the word", w->missing);
    return rc ? rc : base_buffer_puts(b, "\n");
}

static int lay_out(struct base_buffer *b, const struct embed_stability *r)
{
    const size_t m = r->options.models;
    char level[32], text[512];
    snprintf(level, sizeof level, "\"%g %%\"", 100 * r->options.level);
    int rc = base_buffer_printf(
        b,
        "  %llu documents, %llu tokens, %llu words; %zu models (%s), their vocabularies\n  %llu to "
        "%llu words; mean cosine of random pairs %s (models %s .. %s)\n",
        (unsigned long long)r->documents, (unsigned long long)r->tokens,
        (unsigned long long)r->words, m, embed_resampling_names[r->options.resampling],
        (unsigned long long)r->words_least, (unsigned long long)r->words_most,
        embed_cosine_text(r->random_cosine).text, embed_cosine_text(r->random_cosine_low).text,
        embed_cosine_text(r->random_cosine_high).text);
    if (rc == 0 && r->undertrained)
        rc =
            cli_append_wrapped(b, 2,
                               "UNDER-TRAINED: all vectors point nearly the same way, whatever the "
                               "word. The similarities below are high for that reason and mean "
                               "nothing; try more --epochs.");
    if (rc == 0)
        rc = lay_out_pairs(b, r, level);
    for (size_t i = 0; i < r->options.n_words && rc == 0; i++)
        rc = lay_out_word(b, r, i, level);
    if (rc == 0 && r->common_words)
        rc =
            base_buffer_printf(b,
                               "\n  Overlap of %zu neighbours between models, mean of the %zu most "
                               "frequent words: %.3f\n",
                               r->options.near, r->common_words, r->common_overlap);
    if (rc == 0 && r->options.n_pairs + r->options.n_words) {
        const size_t k = (size_t)floor((double)m * (1 - r->options.level) / 2 + 1e-9) + 1;
        snprintf(text, sizeof text,
                 r->options.resampling == EMBED_SUBSAMPLE
                     ? "Intervals: Politis and Romano's, from the values %zu and %zu of %zu; "
                       "coverage: how often one more part falls between those."
                     : "Intervals: the values %zu and %zu of %zu in order; coverage: how often the "
                       "cosine of one more draw falls between.",
                 k, m + 1 - k, m);
        rc = base_buffer_puts(b, "\n");
        if (rc == 0)
            rc = cli_append_wrapped(b, 2, text);
    }
    return rc;
}

/* ---- picture ---- */

static int plot(const struct embed_stability *r, const char *path)
{
    size_t most = r->options.n_pairs, n = 0;
    for (size_t i = 0; i < r->options.n_words; i++)
        most += r->word[i].n_near;
    if (most == 0)
        return base_error_set(BASE_E_ARGUMENT, "%s: nothing to draw: give --pair or --word", path);
    char **name = base_alloc_zero(most, sizeof *name), subtitle[256];
    double *value = base_alloc(3 * most, sizeof *value), *low = value + most, *high = low + most;
    int rc = name && value ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < r->options.n_pairs + r->options.n_words && rc == 0; i++) {
        const bool pair = i < r->options.n_pairs;
        const struct embed_stability_word *w = pair ? NULL : &r->word[i - r->options.n_pairs];
        for (size_t k = 0; k < (pair ? 1 : w->n_near) && rc == 0; k++) {
            const struct embed_spread *x = pair ? &r->pair[i].similarity : &w->near[k].spread;
            name[n] = base_format("%s, %s", pair ? r->pair[i].a : w->word,
                                  pair ? r->pair[i].b : w->near[k].word);
            value[n] = x->estimate;
            low[n] = x->low;
            high[n] = x->high;
            rc = name[n++] ? 0 : BASE_E_MEMORY;
        }
    }
    if (rc == 0) {
        const size_t m = r->options.models,
                     k = (size_t)floor((double)m * (1 - r->options.level) / 2 + 1e-9) + 1;
        snprintf(subtitle, sizeof subtitle,
                 "bars: all %llu documents; whiskers: %zu models (%s), values %zu and %zu%s",
                 (unsigned long long)r->documents, m, embed_resampling_names[r->options.resampling],
                 k, m + 1 - k, r->undertrained ? "; UNDER-TRAINED" : "");
        const struct report_bars bars = { .title = "Similarity of words",
                                          .subtitle = subtitle,
                                          .value = { .label = "cosine" },
                                          .categories = (const char *const *)name,
                                          .n = n,
                                          .n_groups = 1,
                                          .values = value,
                                          .low = low,
                                          .high = high };
        rc = report_bars_write(&bars, path);
    }
    for (size_t i = 0; i < n; i++)
        base_free(name[i]);
    base_free(name);
    base_free(value);
    return rc;
}

static int study(const struct cli_command *self, struct state *s)
{
    struct embed_stability *r = NULL;
    int rc = find_words(s);
    if ((rc = dist_agree(rc)) == 0) {
        s->progress = base_progress_begin("models", "models", s->o.models);
        s->o.on_progress = on_progress;
        s->o.context = s->progress;
        s->o.train = s->how.o;
        rc = embed_stability_run(&r, s->corpus, &s->o);
        base_progress_end(s->progress);
    }
    if (rc == 0 && dist_rank() == 0 && s->plot)
        rc = plot(r, s->plot);
    if (rc) {
        rc = dist_rank() == 0 ? cli_fail(self) : 1;
    } else if (dist_rank() == 0) {
        if (cli_common.json) {
            rc = cli_print_json(self, to_json(r));
        } else {
            struct base_buffer b = { 0 };
            rc = lay_out(&b, r);
            rc = cli_print_text(self, &b, rc);
        }
    }
    embed_stability_free(r);
    return rc;
}

static int run(int argc, char **argv)
{
    const struct cli_command *self = &cli_command_embed_stability;
    struct state s = { .source = EMBED_SOURCE_DEFAULT,
                       .how = EMBED_HOW_DEFAULT,
                       .resample = "bootstrap",
                       .models = 20,
                       .near = 10,
                       .common = 100 };
    int n;
    const struct cli_option options[] = {
        { "pair", 0, CLI_STRINGS, &s.pairs, "A,B", "A pair of words; may repeat." },
        { "word", 0, CLI_STRINGS, &s.words, "W", "A word whose neighbours are asked; may repeat." },
        { "models", 0, CLI_INT, &s.models, "N", "Models beside the full one (default 20)." },
        { "resample", 0, CLI_STRING, &s.resample, "HOW",
          "bootstrap (default), subsample or seeds." },
        { "level", 0, CLI_DOUBLE, &s.level, "P",
          "What the intervals are called (default 0.9 below 40 models, else 0.95)." },
        { "near", 0, CLI_INT, &s.near, "N", "Neighbours of a word (default 10)." },
        { "common", 0, CLI_INT, &s.common, "N",
          "Overlap over the N most frequent words (default 100)." },
        { "plot", 0, CLI_STRING, &s.plot, "FILE", "Draw the intervals: .png, .svg or .pdf." },
        EMBED_SOURCE_OPTIONS(s.source),
        EMBED_HOW_OPTIONS(s.how),
        { 0 }
    };
    int rc = cli_parse(self, options, false, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    if ((rc = check(self, &s)))
        return rc;
    base_interrupt_install();
    if (dist_start())
        return cli_fail(self);
    if (dist_rank() != 0)
        base_progress_quiet(true);
    rc = embed_source_read(self, &s.source, &s.corpus, (const char *const *)(argv + 1), n);
    /* a rank that could not read has said so; the others must not wait for it */
    if (dist_agree(rc ? BASE_E_IO : 0))
        rc = rc ? rc : 1;
    else
        rc = study(self, &s);
    dist_stop();
    for (size_t i = 0; s.token && i < 2 * s.pairs.count + s.words.count; i++)
        base_free(s.token[i]);
    base_free(s.token);
    base_free(s.asked);
    embed_corpus_free(s.corpus);
    return rc;
}
