/* Writing weights: the part that does not depend on the format. A writer knows where each tensor's
 * bytes go; the caller streams them in plan order; commit flushes, syncs and renames, so that a
 * reader sees the whole file or none. */
#include "base/memory.h"
#include "model/archive_private.h"
#include <errno.h>
#include <string.h>

int archive_writer_new(struct model_archive_writer **out, const char *path,
                       const struct model_tensor_plan *plan, size_t n)
{
    struct model_archive_writer *w = base_alloc_zero(1, sizeof *w);
    int rc = w && (w->slots = base_alloc_zero(n, sizeof *w->slots)) ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < n && !rc; i++) {
        size_t elements, row = plan[i].rank ? (size_t)plan[i].shape[plan[i].rank - 1] : 1;
        w->n = i + 1;
        if (!(w->slots[i].name = base_strdup(plan[i].name)))
            rc = BASE_E_MEMORY;
        else if (!*plan[i].name)
            rc = base_error_set(BASE_E_ARGUMENT, "%s: a tensor has an empty name", path);
        else if (plan[i].rank < 0 || plan[i].rank > MODEL_TENSOR_MAX_RANK ||
                 archive_elements(plan[i].rank, plan[i].shape, &elements) ||
                 row % tensor_dtype_describe(plan[i].dtype)->block ||
                 tensor_dtype_bytes(plan[i].dtype, elements, &w->slots[i].bytes))
            rc =
                base_error_set(BASE_E_ARGUMENT, "%s: tensor '%s': its shape cannot be stored as %s",
                               path, plan[i].name, tensor_dtype_describe(plan[i].dtype)->name);
    }
    if (!rc)
        rc = base_writer_open(&w->file, path);
    if (rc) {
        model_archive_writer_close(w);
        return rc;
    }
    *out = w;
    return 0;
}

/* Moves to the file position of slot i; a gap before it (alignment) reads as zeros. */
static int seek_to(struct model_archive_writer *w, uint64_t offset)
{
    if (fseeko(w->file.stream, (off_t)offset, SEEK_SET))
        return base_error_set(BASE_E_IO, "%s: %s", w->file.path, strerror(errno));
    return 0;
}

int model_archive_write(struct model_archive_writer *w, size_t i, const void *data, size_t bytes)
{
    while (w->next < i && w->slots[w->next].written == w->slots[w->next].bytes)
        w->next++;
    if (i >= w->n || i != w->next)
        return base_error_set(
            BASE_E_ARGUMENT, "%s: tensors must be written in plan order, each whole: expected '%s'",
            w->file.path, w->next < w->n ? w->slots[w->next].name : "the end");
    struct archive_slot *s = &w->slots[i];
    if (bytes > s->bytes - s->written)
        return base_error_set(BASE_E_ARGUMENT, "%s: tensor '%s': %zu bytes given, %zu fit",
                              w->file.path, s->name, s->written + bytes, s->bytes);
    if (s->written == 0) {
        int rc = seek_to(w, s->offset);
        if (rc)
            return rc;
    }
    s->written += bytes;
    return base_writer_write(&w->file, data, bytes);
}

int model_archive_commit(struct model_archive_writer *w)
{
    uint64_t end = 0;
    for (size_t i = 0; i < w->n; i++) {
        struct archive_slot *s = &w->slots[i];
        if (s->written != s->bytes)
            return base_error_set(BASE_E_ARGUMENT, "%s: tensor '%s': %zu of %zu bytes were written",
                                  w->file.path, s->name, s->written, s->bytes);
        end = s->offset + s->bytes > end ? s->offset + s->bytes : end;
    }
    if (end < w->total && w->n) { /* alignment after the last tensor */
        int rc = seek_to(w, w->total - 1);
        if (!rc)
            rc = base_writer_write(&w->file, "", 1);
        if (rc)
            return rc;
    }
    return base_writer_commit(&w->file);
}

void model_archive_writer_close(struct model_archive_writer *w)
{
    if (!w)
        return;
    base_writer_abort(&w->file);
    for (size_t i = 0; i < w->n; i++)
        base_free(w->slots[i].name);
    base_free(w->slots);
    base_free(w);
}
