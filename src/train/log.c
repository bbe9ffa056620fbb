/* log.jsonl: {"step":1,"epoch":0,"loss":..,"lr":..,"grad_norm":..,"tokens":..,"tokens_per_s":..}
 * and, where it was measured, "validation_loss". Losses have all their digits, so that two runs can
 * be compared to the bit; the time-dependent rate has one. */
#include "train/log.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <errno.h>
#include <math.h>
#include <string.h>

static int remember(struct train_log *log, const struct train_entry *entry)
{
    if (log->count == log->capacity) {
        size_t capacity = log->capacity ? 2 * log->capacity : 256;
        struct train_entry *more = base_realloc(log->entries, capacity, sizeof *more);
        if (!more)
            return BASE_E_MEMORY;
        log->entries = more;
        log->capacity = capacity;
    }
    log->entries[log->count++] = *entry;
    return 0;
}
static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}
/* Keeps the whole lines of the next steps in turn up to `step`. */
static int keep_lines(struct train_log *log, const char *text, size_t left, uint64_t step,
                      struct base_buffer *kept)
{
    int rc = 0;
    while (left && !rc) {
        const char *end = memchr(text, '\n', left);
        if (!end)
            break;
        size_t n = (size_t)(end - text) + 1;
        json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        double at = number(o, "step");
        if (at >= 1 && at <= (double)step &&
            (!log->count || at > (double)log->entries[log->count - 1].step)) {
            struct train_entry e = { .step = (uint64_t)at,
                                     .epoch = (uint64_t)fmax(0, number(o, "epoch")),
                                     .tokens = (uint64_t)fmax(0, number(o, "tokens")),
                                     .loss = number(o, "loss"),
                                     .lr = number(o, "lr"),
                                     .gradient_norm = number(o, "grad_norm"),
                                     .tokens_per_second = number(o, "tokens_per_s"),
                                     .validation_loss = number(o, "validation_loss") };
            rc = base_buffer_append(kept, text, n);
            if (!rc)
                rc = remember(log, &e);
        }
        json_decref(o);
        text += n;
        left -= n;
    }
    return rc;
}
int train_log_open(struct train_log *log, const char *path, uint64_t step)
{
    *log = (struct train_log){ 0 };
    struct base_buffer kept = { 0 };
    char *text = NULL;
    size_t bytes = 0;
    int rc = (log->path = base_strdup(path)) ? 0 : BASE_E_MEMORY;
    if (!rc && step && base_file_exists(path))
        rc = base_file_read(path, 0, &text, &bytes);
    if (!rc)
        rc = keep_lines(log, text, bytes, step, &kept);
    if (!rc)
        rc = base_file_write(path, kept.data ? kept.data : "", kept.length);
    if (!rc && !(log->stream = fopen(path, "ae")))
        rc = base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));
    base_free(text);
    base_buffer_free(&kept);
    if (rc)
        train_log_close(log);
    return rc;
}
int train_log_add(struct train_log *log, const struct train_entry *e)
{
    json_t *o =
        json_pack("{s:I, s:I, s:o, s:f, s:o, s:I, s:f}", "step", (json_int_t)e->step, "epoch",
                  (json_int_t)e->epoch, "loss", base_json_number(e->loss), "lr", e->lr, "grad_norm",
                  base_json_number(e->gradient_norm), "tokens", (json_int_t)e->tokens,
                  "tokens_per_s", floor(10 * e->tokens_per_second + 0.5) / 10);
    if (o && !isnan(e->validation_loss))
        json_object_set_new(o, "validation_loss", base_json_number(e->validation_loss));
    char *line = o ? base_json_dump(o, false) : NULL;
    int rc =
        line ? remember(log, e) : base_error_set(BASE_E_MEMORY, "%s: out of memory", log->path);
    if (!rc && (fprintf(log->stream, "%s\n", line) < 0 || fflush(log->stream)))
        rc = base_error_set(BASE_E_IO, "%s: %s", log->path, strerror(errno));
    base_free(line);
    json_decref(o);
    return rc;
}
void train_log_close(struct train_log *log)
{
    if (log->stream)
        fclose(log->stream);
    base_free(log->path);
    base_free(log->entries);
    *log = (struct train_log){ 0 };
}
