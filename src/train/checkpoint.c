/* Checkpoints on disk.
 *
 * step-0000000042/weights.safetensors    every parameter by its canonical name
 *                 moments.safetensors    "m.NAME" and "v.NAME"
 *                 state.json             format, step, cursor, recipe, bytes and sha256 of the two
 * files
 *
 * state.json is written last and names the others' hashes, so a directory without it, or with a
 * file cut short or changed, is recognised. The directory is made under another name and renamed
 * when all is on the disk. There is no time or machine in any of the files: two runs that did the
 * same steps have equal bytes. */
#include "train/checkpoint.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "model/archive.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORMAT = 1, PATH = 4096 };
static const char *const file_names[] = { "weights.safetensors", "moments.safetensors" };
#define STORED (sizeof(real) == 8 ? TENSOR_F64 : TENSOR_F32)

void train_state_free(struct train_state *s)
{
    json_decref(s->recipe);
    s->recipe = NULL;
}
static int join(char out[PATH], const char *directory, const char *name)
{
    if (snprintf(out, PATH, "%s/%s", directory, name) >= PATH)
        return base_error_set(BASE_E_LIMIT, "%s/%s: path longer than %d bytes", directory, name,
                              PATH - 1);
    return 0;
}
static int directory_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd);
    int error = errno;
    if (fd >= 0)
        close(fd);
    return failed ? base_error_set(BASE_E_IO, "%s: %s", path, strerror(error)) : 0;
}
/* Removes a checkpoint directory: it holds plain files only. */
static void directory_remove(const char *path)
{
    char name[PATH];
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            join(name, path, e->d_name) == 0)
            unlink(name);
    if (d)
        closedir(d);
    rmdir(path);
}

/* ---- writing ---- */

/* One tensor per parameter and prefix, in order: all of the first prefix, then all of the second.
 */
static int tensors_write(const char *path, const struct train_optimiser *o,
                         const char *const prefixes[], const real *const arrays[],
                         size_t n_prefixes)
{
    struct model_archive_writer *w = NULL;
    size_t n = o->count * n_prefixes, done = 0;
    struct model_tensor_plan *plan = base_alloc_zero(n, sizeof *plan);
    char **names = base_alloc_zero(n, sizeof *names);
    int rc = plan && names ? 0 : BASE_E_MEMORY;
    for (size_t i = 0; i < n && !rc; i++) {
        const struct model_parameter *p = o->parameters[i % o->count];
        names[i] = base_format("%s%s", prefixes[i / o->count], p->name);
        if (!names[i])
            rc = BASE_E_MEMORY;
        plan[i] = (struct model_tensor_plan){ .name = names[i],
                                              .dtype = STORED,
                                              .rank = 2,
                                              .shape = { (int64_t)p->rows, (int64_t)p->columns } };
    }
    if (!rc)
        rc = model_safetensors_create(&w, path, plan, n, NULL);
    for (; done < n && !rc; done++) {
        const struct model_parameter *p = o->parameters[done % o->count];
        const real *from = arrays[done / o->count];
        const real *data = from ? from + o->offset[done % o->count] : p->value;
        rc = model_archive_write(w, done, data, p->rows * p->columns * sizeof *data);
    }
    if (!rc)
        rc = model_archive_commit(w);
    if (w)
        model_archive_writer_close(w);
    for (size_t i = 0; names && i < n; i++)
        base_free(names[i]);
    base_free(names);
    base_free(plan);
    return rc;
}
static int state_write(const char *directory, const struct train_state *s)
{
    char path[PATH], hex[BASE_SHA256_HEX];
    char *text = NULL;
    int rc = 0;
    json_t *files = json_object();
    json_t *o = json_pack("{s:i, s:I, s:I, s:I, s:I, s:o, s:s, s:O}", "format", FORMAT, "step",
                          (json_int_t)s->step, "epoch", (json_int_t)s->epoch, "row",
                          (json_int_t)s->row, "tokens", (json_int_t)s->tokens, "loss",
                          base_json_number(s->loss), "data", s->data_key, "recipe", s->recipe);
    if (!o || !files)
        rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", directory);
    for (size_t i = 0; i < 2 && !rc; i++) {
        struct stat st;
        rc = join(path, directory, file_names[i]);
        if (!rc)
            rc = base_sha256_file(path, hex);
        if (!rc && stat(path, &st))
            rc = base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));
        if (!rc && json_object_set_new(
                       files, file_names[i],
                       json_pack("{s:I, s:s}", "bytes", (json_int_t)st.st_size, "sha256", hex)))
            rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", path);
    }
    if (!rc && json_object_set(o, "files", files))
        rc = base_error_set(BASE_E_MEMORY, "%s: out of memory", directory);
    if (!rc && !(text = base_json_dump(o, true)))
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = join(path, directory, "state.json");
    if (!rc)
        rc = base_file_write(path, text, strlen(text));
    base_free(text);
    json_decref(files);
    json_decref(o);
    return rc;
}
/* "step-42" -> 42; -1 for any other name. */
static int64_t step_of(const char *name)
{
    int64_t step;
    if (!base_starts_with(name, "step-") || name[5] < '0' || name[5] > '9')
        return -1;
    char *end;
    errno = 0;
    step = strtoll(name + 5, &end, 10);
    return *end || errno ? -1 : step;
}
static int descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}
/* Steps of the checkpoints in a directory, newest first (base_free). */
static int list(const char *directory, int64_t **steps, size_t *n)
{
    size_t capacity = 0;
    *steps = NULL;
    *n = 0;
    DIR *d = opendir(directory);
    if (!d && errno == ENOENT)
        return 0;
    if (!d)
        return base_error_set(BASE_E_IO, "%s: %s", directory, strerror(errno));
    for (struct dirent *e; (e = readdir(d));) {
        int64_t step = step_of(e->d_name);
        if (step < 0)
            continue;
        if (*n == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            int64_t *more = base_realloc(*steps, capacity, sizeof *more);
            if (!more) {
                closedir(d);
                base_free(*steps);
                *steps = NULL;
                return BASE_E_MEMORY;
            }
            *steps = more;
        }
        (*steps)[(*n)++] = step;
    }
    closedir(d);
    if (*n)
        qsort(*steps, *n, sizeof **steps, descending);
    return 0;
}
static int step_path(char out[PATH], const char *directory, const char *prefix, int64_t step)
{
    char name[64];
    snprintf(name, sizeof name, "%sstep-%010" PRId64, prefix, step);
    return join(out, directory, name);
}
int train_checkpoint_save(const char *directory, const struct train_state *s,
                          const struct train_optimiser *o, size_t keep, char *path)
{
    char writing[PATH], final[PATH], file[PATH];
    const char *const none[] = { "" }, *const moments[] = { "m.", "v." };
    const real *const values[] = { NULL }, *const arrays[] = { o->m, o->v };
    int rc = base_file_make_directories(directory);
    if (!rc)
        rc = step_path(writing, directory, ".writing-", (int64_t)s->step);
    if (!rc)
        rc = step_path(final, directory, "", (int64_t)s->step);
    if (rc)
        return rc;
    directory_remove(writing);
    rc = base_file_make_directories(writing);
    if (!rc)
        rc = join(file, writing, file_names[0]);
    if (!rc)
        rc = tensors_write(file, o, none, values, 1);
    if (!rc)
        rc = join(file, writing, file_names[1]);
    if (!rc)
        rc = tensors_write(file, o, moments, arrays, 2);
    if (!rc)
        rc = state_write(writing, s);
    if (!rc)
        rc = directory_sync(writing);
    if (!rc && rename(writing, final)) {
        /* the step is there already (a run extended or saved twice): exchange the two at once */
        if ((errno != ENOTEMPTY && errno != EEXIST) ||
            renameat2(AT_FDCWD, writing, AT_FDCWD, final, RENAME_EXCHANGE))
            rc = base_error_set(BASE_E_IO, "%s: cannot rename to %s: %s", writing, final,
                                strerror(errno));
    }
    if (!rc)
        rc = directory_sync(directory);
    directory_remove(writing);
    if (rc)
        return rc;
    if (path)
        memcpy(path, final, PATH);
    int64_t *steps;
    size_t n;
    rc = list(directory, &steps, &n);
    for (size_t i = keep; i < n && !rc; i++)
        if (steps[i] != (int64_t)s->step && !step_path(file, directory, "", steps[i]))
            directory_remove(file);
    base_free(steps);
    return rc;
}
void train_checkpoint_sweep(const char *directory)
{
    char path[PATH];
    DIR *d = opendir(directory);
    for (struct dirent *e; d && (e = readdir(d));)
        if (base_starts_with(e->d_name, ".writing-step-") && !join(path, directory, e->d_name))
            directory_remove(path);
    if (d)
        closedir(d);
}

/* ---- reading ---- */

static int get_u64(const json_t *o, const char *key, const char *where, uint64_t *out)
{
    int64_t x = 0;
    int rc = base_json_get_int(o, key, where, true, &x);
    if (!rc && x < 0)
        rc = base_error_set(BASE_E_FORMAT, "%s: %s: expected a value from 0, got %" PRId64, where,
                            key, x);
    *out = (uint64_t)x;
    return rc;
}
static int state_load(const char *path, json_t **out, char file[PATH])
{
    int64_t format = 0;
    int rc = join(file, path, "state.json");
    if (!rc)
        rc = base_json_load(out, file);
    if (!rc && !json_is_object(*out))
        rc = base_error_set(BASE_E_FORMAT, "%s: expected an object", file);
    if (!rc)
        rc = base_json_get_int(*out, "format", file, true, &format);
    if (!rc && format != FORMAT)
        rc = base_error_set(BASE_E_FORMAT,
                            "%s: checkpoint format %" PRId64 ", this program reads %d", file,
                            format, FORMAT);
    return rc;
}
int train_checkpoint_verify(const char *path)
{
    char file[PATH], hex[BASE_SHA256_HEX];
    json_t *o = NULL;
    int rc = state_load(path, &o, file);
    for (size_t i = 0; i < 2 && !rc; i++) {
        struct stat st;
        const char *sha = NULL;
        int64_t bytes = 0;
        const json_t *entry = json_object_get(json_object_get(o, "files"), file_names[i]);
        if (!json_is_object(entry)) {
            rc = base_error_set(BASE_E_FORMAT, "%s: files: %s is missing", file, file_names[i]);
            break;
        }
        rc = base_json_get_int(entry, "bytes", file, true, &bytes);
        if (!rc)
            rc = base_json_get_string(entry, "sha256", file, true, &sha);
        char tensors[PATH];
        if (!rc)
            rc = join(tensors, path, file_names[i]);
        if (!rc && stat(tensors, &st))
            rc = base_error_set(BASE_E_FORMAT, "%s: %s", tensors, strerror(errno));
        if (!rc && st.st_size != bytes)
            rc = base_error_set(BASE_E_FORMAT, "%s: expected %" PRId64 " bytes, got %lld", tensors,
                                bytes, (long long)st.st_size);
        if (!rc)
            rc = base_sha256_file(tensors, hex);
        if (!rc && strcmp(hex, sha) != 0)
            rc = base_error_set(BASE_E_FORMAT, "%s: expected sha256 %s, got %s", tensors, sha, hex);
    }
    json_decref(o);
    return rc;
}
int train_checkpoint_find(const char *directory, char *path)
{
    int64_t *steps;
    size_t n;
    int rc = list(directory, &steps, &n);
    path[0] = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        char candidate[PATH];
        rc = step_path(candidate, directory, "", steps[i]);
        if (rc)
            break;
        rc = train_checkpoint_verify(candidate);
        if (!rc) {
            memcpy(path, candidate, PATH);
            break;
        }
        if (rc == BASE_E_MEMORY)
            break;
        base_log("checkpoint step-%010" PRId64 " is damaged (%s); %s", steps[i],
                 base_error_message(), i + 1 < n ? "trying the one before it" : "none is left");
        rc = i + 1 < n
                 ? 0
                 : base_error_set(BASE_E_FORMAT,
                                  "%s: no whole checkpoint among %zu; move the directory away "
                                  "to start anew",
                                  directory, n);
    }
    base_free(steps);
    return rc;
}
int train_checkpoint_state(const char *path, struct train_state *s)
{
    char file[PATH];
    json_t *o = NULL;
    const char *key = NULL;
    double loss = NAN;
    *s = (struct train_state){ 0 };
    int rc = state_load(path, &o, file);
    if (!rc)
        rc = get_u64(o, "step", file, &s->step);
    if (!rc)
        rc = get_u64(o, "epoch", file, &s->epoch);
    if (!rc)
        rc = get_u64(o, "row", file, &s->row);
    if (!rc)
        rc = get_u64(o, "tokens", file, &s->tokens);
    if (!rc)
        rc = base_json_get_double(o, "loss", file, false, &loss);
    if (!rc)
        rc = base_json_get_string(o, "data", file, true, &key);
    if (!rc && strlen(key) != BASE_SHA256_HEX - 1)
        rc = base_error_set(BASE_E_FORMAT, "%s: data: expected 64 hex digits", file);
    if (!rc && !json_is_object(json_object_get(o, "recipe")))
        rc = base_error_set(BASE_E_FORMAT, "%s: recipe: expected an object", file);
    if (!rc) {
        s->loss = loss;
        memcpy(s->data_key, key, BASE_SHA256_HEX);
        s->recipe = json_incref(json_object_get(o, "recipe"));
    }
    json_decref(o);
    return rc;
}
static int tensors_read(const char *directory, const char *name, const struct train_optimiser *o,
                        const char *const prefixes[], real *const arrays[], size_t n_prefixes)
{
    char path[PATH];
    struct model_archive *a = NULL;
    size_t n = o->count * n_prefixes;
    int rc = join(path, directory, name);
    if (!rc)
        rc = model_archive_open(&a, path);
    if (!rc && model_archive_count(a) != n)
        rc = base_error_set(BASE_E_FORMAT, "%s: expected %zu tensors for this model, got %zu", path,
                            n, model_archive_count(a));
    for (size_t i = 0; i < n && !rc; i++) {
        struct model_parameter *p = o->parameters[i % o->count];
        char *wanted = base_format("%s%s", prefixes[i / o->count], p->name);
        if (!wanted) {
            rc = BASE_E_MEMORY;
            break;
        }
        const struct model_tensor *t = model_archive_find(a, wanted);
        real *array = arrays[i / o->count];
        real *to = array ? array + o->offset[i % o->count] : p->value;
        if (!t)
            rc = base_error_set(BASE_E_FORMAT, "%s: tensor %s is missing", path, wanted);
        else if (t->dtype != STORED || t->rank != 2 || t->shape[0] != (int64_t)p->rows ||
                 t->shape[1] != (int64_t)p->columns)
            rc = base_error_set(BASE_E_FORMAT,
                                "%s: tensor %s: expected %s [%zu, %zu], got %s of rank %d [%" PRId64
                                ", %" PRId64 "]",
                                path, wanted, tensor_dtype_describe(STORED)->name, p->rows,
                                p->columns, tensor_dtype_describe(t->dtype)->name, t->rank,
                                t->rank > 0 ? t->shape[0] : 0, t->rank > 1 ? t->shape[1] : 0);
        else
            memcpy(to, t->data, t->bytes);
        base_free(wanted);
    }
    model_archive_close(a);
    return rc;
}
int train_checkpoint_load(const char *path, struct train_optimiser *o)
{
    const char *const none[] = { "" }, *const moments[] = { "m.", "v." };
    real *const values[] = { NULL }, *const arrays[] = { o->m, o->v };
    int rc = tensors_read(path, file_names[0], o, none, values, 1);
    if (!rc)
        rc = tensors_read(path, file_names[1], o, moments, arrays, 2);
    return rc;
}
