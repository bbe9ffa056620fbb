/* The training loop. One step:
 *
 *   rows      the next batch_rows rows from the data cursor
 *   gradient  of (1/labels) * sum of token losses over ALL rows of the step, accumulated over
 *             micro-batches: the scale is the whole step's, so splitting it changes nothing
 *   clip      by the global norm; a loss or norm that is no number stops here, before any change
 *   AdamW     at the schedule's rate
 *   then      evaluation, a line in the log, a checkpoint, when they are due
 *
 * The state moves to step + 1 only after AdamW; an interruption before leaves the state of the last
 * whole step, which is what is saved. */
#include "train/run.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const double MIB = 1024.0 * 1024.0;

static struct model_pass pass_of(const struct train_run *r)
{
    const struct train_config *c = r->config;
    return (struct model_pass){ .dropout = c->dropout,
                                .seed = (uint64_t)c->seed,
                                .step = r->state.step,
                                .recompute = c->recompute };
}
/* What the run will need and how it is set up, before it starts. */
static size_t announce(const struct train_run *r)
{
    size_t weights[2] = { 0 }, tensors[2] = { 0 }, elements = 0;
    for (size_t i = 0; i < r->n_parameters; i++) {
        const struct model_parameter *p = r->parameters[i];
        size_t n = p->rows * p->columns;
        elements += n;
        if (!p->frozen) {
            weights[p->decay] += n;
            tensors[p->decay]++;
        }
    }
    struct model_pass pass = pass_of(r);
    size_t parameters = elements * sizeof(real), moments = train_optimiser_bytes(r->optimiser),
           activations = model_backward_bytes(r->model, r->micro_rows, r->batch.length, &pass),
           total = 2 * parameters + moments + activations;
    base_log("model: %s, %zu parameters, context %zu", model_architecture(r->model),
             model_parameters(r->model), model_context(r->model));
    base_log(
        "AdamW: weight decay %g on %zu tensors (%zu weights), none on %zu (%zu: biases and norms)",
        r->config->weight_decay, tensors[1], weights[1], tensors[0], weights[0]);
    base_log("steps: %" PRIu64 ", each of %lld rows (%zu at a time) of %zu tokens", r->steps,
             (long long)r->config->batch_rows, r->micro_rows, r->batch.length);
    base_log(
        "memory: about %.1f MiB (parameters %.1f, gradients %.1f, moments %.1f, activations %.1f)",
        (double)total / MIB, (double)parameters / MIB, (double)parameters / MIB,
        (double)moments / MIB, (double)activations / MIB);
    return total;
}

/* Rows in order, in micro-batches. loss and labels are added to. */
static int run_rows(struct train_run *r, const struct train_batch *b, struct model_pass *pass,
                    double *loss, size_t *labels)
{
    for (size_t at = 0; at < b->count; at += r->micro_rows) {
        if (base_interrupted())
            return base_error_set(BASE_E_INTERRUPTED, "interrupted");
        size_t n = b->count - at < r->micro_rows ? b->count - at : r->micro_rows;
        pass->row_offset = at;
        int rc = model_backward(r->model, b->rows + at, n, pass, loss, labels);
        if (rc)
            return rc;
    }
    return 0;
}
static int evaluate(struct train_run *r, double *loss)
{
    struct model_pass pass = { .forward_only = true, .scale = 1 };
    uint64_t epoch = 0, row = 0;
    double sum = 0;
    size_t labels = 0;
    int rc = train_rows_plan(r->validation_rows, 0);
    size_t rows = r->validation_rows->count;
    if (r->config->evaluation_rows && (size_t)r->config->evaluation_rows < rows)
        rows = (size_t)r->config->evaluation_rows;
    for (size_t at = 0; at < rows && !rc; at += r->evaluation.capacity) {
        size_t n = rows - at < r->evaluation.capacity ? rows - at : r->evaluation.capacity;
        rc = train_batch_fill(&r->evaluation, r->validation_rows, n, &epoch, &row);
        if (!rc)
            rc = run_rows(r, &r->evaluation, &pass, &sum, &labels);
    }
    *loss = rc || !labels ? NAN : sum / (double)labels;
    return rc;
}
static int factor_at(const struct train_run *r, uint64_t step, double *factor)
{
    const struct train_config *c = r->config;
    uint64_t decay = c->decay_steps < 0 ? r->steps / 5 : (uint64_t)c->decay_steps;
    return train_schedule_factor(train_schedule_names[c->schedule],
                                 train_convention_names[c->convention], step, r->steps,
                                 (uint64_t)c->warmup_steps, decay, c->final_lr_fraction, factor);
}
/* One step from r->state; on success the state has moved on and *e says what happened. */
static int step(struct train_run *r, struct train_entry *e)
{
    const struct train_config *c = r->config;
    uint64_t epoch = r->state.epoch, row = r->state.row,
             left = r->total_rows == UINT64_MAX
                        ? UINT64_MAX
                        : r->total_rows - r->state.step * (uint64_t)c->batch_rows;
    size_t n = left < (uint64_t)c->batch_rows ? (size_t)left : (size_t)c->batch_rows, labels = 0;
    double sum = 0, factor, start = base_clock();
    int rc = train_batch_fill(&r->batch, r->rows, n, &epoch, &row);
    if (!rc)
        rc = factor_at(r, r->state.step, &factor);
    if (rc)
        return rc;
    model_gradients_zero(r->model);
    struct model_pass pass = pass_of(r);
    pass.scale = 1.0 / (double)r->batch.labels;
    rc = run_rows(r, &r->batch, &pass, &sum, &labels);
    if (rc)
        return rc;
    double loss = sum / (double)labels, norm = train_optimiser_gradient_norm(r->optimiser);
    if (!isfinite(loss) || !isfinite(norm))
        return base_error_set(
            BASE_E_NUMERIC,
            "step %" PRIu64 ": the loss is %g and the gradient norm %g; %s%s; a "
            "smaller optimiser.lr, a longer schedule.warmup_steps or clip may help",
            r->state.step + 1, loss, norm,
            r->checkpoint[0] ? "the last good state is in " : "nothing was saved yet",
            r->checkpoint);
    double lr = c->lr * factor;
    train_optimiser_step(r->optimiser, r->state.step + 1, lr, train_clip_factor(norm, c->clip));
    double seconds = base_clock() - start;
    r->state.step++;
    r->state.epoch = epoch;
    r->state.row = row;
    r->state.tokens += labels;
    r->state.loss = loss;
    *e = (struct train_entry){ .step = r->state.step,
                               .epoch = epoch,
                               .tokens = r->state.tokens,
                               .loss = loss,
                               .lr = lr,
                               .gradient_norm = norm,
                               .tokens_per_second = (double)labels / seconds,
                               .validation_loss = NAN };
    return 0;
}
static int picture(struct train_run *r)
{
    char title[256];
    snprintf(title, sizeof title, "%s, %zu parameters", model_architecture(r->model),
             model_parameters(r->model));
    char *path = base_path_join(r->config->output, "loss.png");
    int rc = path ? train_log_draw(&r->log, path, title) : BASE_E_MEMORY;
    base_free(path);
    return rc;
}
static int save(struct train_run *r)
{
    if (!r->state.step || (r->checkpoint[0] && r->checkpoint_step == r->state.step))
        return 0;
    int rc = train_checkpoint_save(r->checkpoints, &r->state, r->optimiser,
                                   (size_t)r->config->checkpoint_keep, r->checkpoint);
    if (rc)
        return rc;
    r->checkpoint_step = r->state.step;
    return picture(r);
}
static bool due(int64_t every, uint64_t step)
{
    return every > 0 && step % (uint64_t)every == 0;
}
static int loop(struct train_run *r, struct train_summary *s)
{
    const struct train_config *c = r->config;
    struct base_progress *progress = base_progress_begin("train", "steps", r->steps);
    bool terminal = isatty(STDERR_FILENO);
    uint64_t tokens_before = r->state.tokens;
    double rate = 0; /* of label tokens per second, smoothed */
    int rc = 0;
    base_progress_update(progress, r->state.step, "");
    while (r->state.step < r->steps && !rc) {
        struct train_entry e;
        double start = base_clock();
        rc = step(r, &e);
        if (rc)
            break;
        s->seconds += base_clock() - start;
        rate = rate > 0 ? 0.9 * rate + 0.1 * e.tokens_per_second : e.tokens_per_second;
        bool last = r->state.step == r->steps;
        int evaluated = 0;
        if (r->validation_rows && (last || due(c->evaluation_every, r->state.step))) {
            evaluated = evaluate(r, &e.validation_loss);
            if (!evaluated)
                s->validation_loss = e.validation_loss;
        }
        rc = train_log_add(&r->log, &e);
        char note[128];
        snprintf(note, sizeof note, "%.0f tokens/s  loss %.4f", rate, e.loss);
        base_progress_update(progress, r->state.step, note);
        if (!terminal && (last || due(c->log_every, r->state.step))) {
            double left = s->seconds / (double)(r->state.step - s->first_step) *
                          (double)(r->steps - r->state.step);
            base_log("step %" PRIu64 "/%" PRIu64
                     "  loss %.4f  lr %.3g  grad norm %.3f  %.0f tokens/s"
                     "  %.0f:%02.0f left",
                     r->state.step, r->steps, e.loss, e.lr, e.gradient_norm, rate, floor(left / 60),
                     floor(fmod(left, 60)));
        }
        if (!isnan(e.validation_loss))
            base_log("step %" PRIu64 "/%" PRIu64 "  validation loss %.4f (perplexity %.2f)",
                     r->state.step, r->steps, e.validation_loss, exp(e.validation_loss));
        if (!rc)
            rc = evaluated;
        if (!rc && (last || due(c->checkpoint_every, r->state.step)))
            rc = save(r);
    }
    base_progress_end(progress);
    if (s->seconds > 0)
        s->tokens_per_second = (double)(r->state.tokens - tokens_before) / s->seconds;
    if (rc == BASE_E_INTERRUPTED) {
        rc = save(r);
        if (!rc)
            rc = base_error_set(BASE_E_INTERRUPTED,
                                "stopped at step %" PRIu64 " of %" PRIu64
                                "; %s%s; the same command continues there",
                                r->state.step, r->steps,
                                r->checkpoint[0] ? "saved as " : "nothing to save yet",
                                r->checkpoint);
    }
    return rc;
}

/* ---- the end ---- */

/* Files beside tokenizer.json that other programs look for. */
static int companions_copy(const struct train_run *r, const char *to)
{
    static const char *const names[] = {
        "tokenizer_config.json", "special_tokens_map.json", "vocab.json",         "merges.txt",
        "tokenizer.model",       "generation_config.json",  "chat_template.jinja"
    };
    if (!r->tokenizer_source)
        return 0;
    size_t n = (size_t)(base_path_name(r->tokenizer_source) - r->tokenizer_source);
    int rc = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !rc; i++) {
        char *from = base_format("%.*s%s", (int)n, r->tokenizer_source, names[i]),
             *copy = base_path_join(to, names[i]), *data = NULL;
        size_t bytes;
        if (!from || !copy)
            rc = BASE_E_MEMORY;
        else if (base_file_exists(from) && !base_file_exists(copy))
            rc = base_file_read(from, (size_t)256 << 20, &data, &bytes);
        if (!rc && data)
            rc = base_file_write(copy, data, bytes);
        base_free(data);
        base_free(from);
        base_free(copy);
    }
    return rc;
}
static int finish(struct train_run *r, struct train_summary *s)
{
    char path[TRAIN_PATH];
    snprintf(path, sizeof path, "%.4000s/model", r->config->output);
    int rc =
        model_save(r->model, path, train_dtype_names[r->config->save_dtype], r->tokenizer_source);
    if (!rc)
        rc = companions_copy(r, path);
    if (!rc)
        memcpy(s->model, path, sizeof path);
    return rc;
}
int train_run(const struct train_config *c, struct train_summary *s)
{
    struct train_run *r = base_alloc_zero(1, sizeof *r);
    *s = (struct train_summary){ .loss = NAN, .validation_loss = NAN };
    if (!r)
        return BASE_E_MEMORY;
    int rc = train_run_open(r, c);
    if (!rc) {
        s->first_step = r->state.step;
        s->steps = r->steps;
        s->parameters = model_parameters(r->model);
        s->predicted_bytes = announce(r);
        for (size_t i = 0; i < r->log.count; i++) /* of earlier runs, when this one has none */
            if (isfinite(r->log.entries[i].validation_loss))
                s->validation_loss = r->log.entries[i].validation_loss;
        rc = loop(r, s);
        s->step = r->state.step;
        s->tokens = r->state.tokens;
        s->loss = r->state.loss;
        memcpy(s->checkpoint, r->checkpoint, sizeof s->checkpoint);
    }
    if (!rc)
        rc = finish(r, s);
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        s->peak_bytes = (size_t)usage.ru_maxrss * 1024;
    if (!rc)
        base_log("memory: at most %.1f MiB were used, %.1f were predicted for the training itself",
                 (double)s->peak_bytes / MIB, (double)s->predicted_bytes / MIB);
    train_run_close(r);
    base_free(r);
    return rc;
}
