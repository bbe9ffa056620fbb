/* Pulling a model from a hub; see hub.h for the protocol and the cache.
 *
 * What the hub says is not trusted: names are checked before they become paths, digests and commits
 * must be hexadecimal before they become file names, sizes bound what is written, and a blob is
 * renamed into place only when its digest is the announced one. Two pulls of one file at the same
 * time are kept apart by a lock on the .part file. */
#include "model/hub.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "model/http.h"
#include "model/hub_choose.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { LIST_LIMIT = 64 << 20, FILES_LIMIT = 100000, PATH_LIMIT = 1024 };
/* An announced size is a bound; a file without one still has to end somewhere. */
#define UNKNOWN_LIMIT (1ULL << 40)

struct pull {
    const struct model_hub_options *o;
    const char *name;
    struct model_http *http;
    char *top, *blobs, *snapshot; /* the model's directories in the cache */
    struct base_progress *bar;
    uint64_t before; /* bytes of the files already done, for the bar */
    struct model_hub_result *out;
};

int model_hub_cache(char **out)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool from_xdg = xdg && *xdg == '/'; /* the XDG specification: relative paths are ignored */
    *out = NULL;
    if (!from_xdg && (!home || !*home))
        return base_error_set(
            BASE_E_ARGUMENT, "no place for the cache: set HOME or XDG_CACHE_HOME, or give --cache");
    *out = from_xdg ? base_format("%s/assay/hub", xdg) : base_format("%s/.cache/assay/hub", home);
    return *out ? 0 : BASE_E_MEMORY;
}

bool model_hub_path_safe(const char *path)
{
    size_t n = strlen(path);
    if (n == 0 || n > PATH_LIMIT || base_utf8_invalid(path, n) != n || strchr(path, '\\'))
        return false;
    for (const char *s = path; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127)
            return false;
    for (const char *part = path;; part += strcspn(part, "/") + 1) {
        size_t length = strcspn(part, "/");
        if (length == 0 || length > 255 || (length <= 2 && strspn(part, ".") >= length))
            return false;
        if (!part[length])
            return true;
    }
}

static bool is_hex(const char *s, size_t digits)
{
    return strlen(s) == digits && strspn(s, "0123456789abcdef") == digits;
}

/* ORG/NAME or NAME, of letters, digits and - _ . as the hub allows them. */
static int name_check(const char *name)
{
    size_t slashes = 0;
    for (const char *s = name; *s; s++)
        slashes += *s == '/';
    bool good =
        *name && slashes <= 1 && strlen(name) <= 193 && !strstr(name, "--") &&
        !strstr(name, "..") && model_hub_path_safe(name) &&
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") ==
            strlen(name);
    return good ? 0
                : base_error_set(BASE_E_ARGUMENT,
                                 "'%s' is no model's name: expected ORG/NAME, for example "
                                 "openai-community/gpt2",
                                 name);
}

static int endpoint_check(const char *endpoint)
{
    if (!base_starts_with(endpoint, "https://") && !base_starts_with(endpoint, "http://"))
        return base_error_set(BASE_E_ARGUMENT,
                              "endpoint '%s': expected a URL that begins with https:// or http://",
                              endpoint);
    if (strchr(endpoint, '@') || strchr(endpoint, '?') || strchr(endpoint, '#'))
        return base_error_set(BASE_E_ARGUMENT,
                              "the endpoint must be a plain URL, without user name, password or "
                              "query; the token comes from HF_TOKEN");
    return 0;
}

/* endpoint + path, without a doubled slash. */
static int url_begin(struct base_buffer *url, const struct pull *p)
{
    size_t n = strlen(p->o->endpoint);
    while (n > 0 && p->o->endpoint[n - 1] == '/')
        n--;
    return base_buffer_append(url, p->o->endpoint, n);
}

/* Names of the hub that look like the wanted one: ", did you mean a/b, c/d?" or "". Best effort. */
static void suggestions_add(struct base_buffer *message, const struct pull *p)
{
    struct base_buffer url = { 0 }, body = { 0 };
    struct model_http_response response;
    json_t *list = NULL;
    int rc = url_begin(&url, p);
    if (!rc)
        rc = base_buffer_puts(&url, "/api/models?limit=5&search=");
    if (!rc)
        rc = model_http_escape(&url, base_path_name(p->name), false);
    if (!rc && !model_http_get(p->http, url.data, LIST_LIMIT, &body, &response) &&
        response.status == 200 && body.data &&
        !base_json_parse(&list, body.data, body.length, "search")) {
        size_t shown = 0, i;
        json_t *entry;
        json_array_foreach(list, i, entry)
        {
            const char *id = json_string_value(json_object_get(entry, "id"));
            if (id && !name_check(id))
                base_buffer_printf(message, "%s%s", shown++ ? ", " : "; did you mean ", id);
        }
        if (shown)
            base_buffer_puts(message, "?");
    }
    json_decref(list);
    base_buffer_free(&url);
    base_buffer_free(&body);
}

/* A status that is no success, in words that say what to do. `file` NULL = the file list. */
static int status_explain(const struct pull *p, const struct model_http_response *r,
                          const char *file)
{
    const char *code = r->error_code, *name = p->name, *token = p->o->token;
    bool has_token = token && *token;
    if (!strcmp(code, "GatedRepo") || (r->status == 403 && !*code))
        return base_error_set(BASE_E_IO, "%s is gated (HTTP %ld): accept its terms at %s/%s%s",
                              name, r->status, p->o->endpoint, name,
                              has_token ? " with the account of your HF_TOKEN"
                                        : ", then set HF_TOKEN to a token of your account");
    if (!strcmp(code, "RevisionNotFound"))
        return base_error_set(BASE_E_ARGUMENT, "%s has no revision '%s' (HTTP %ld)", name,
                              p->o->revision, r->status);
    if (file && r->status == 404)
        return base_error_set(BASE_E_IO, "%s: %s is listed but not there (HTTP 404)", name, file);
    if (r->status == 401 || r->status == 404) {
        struct base_buffer message = { 0 };
        base_buffer_printf(&message, "%s: HTTP %ld from %s: %s", name, r->status, p->o->endpoint,
                           r->status == 404 ? "there is no such model"
                           : has_token
                               ? "there is no such model, or the HF_TOKEN given may not read it"
                               : "there is no such model, or it is private: set HF_TOKEN to a "
                                 "token that may read it");
        if (!file)
            suggestions_add(&message, p);
        int rc = base_error_set(r->status == 404 ? BASE_E_ARGUMENT : BASE_E_IO, "%s",
                                message.data ? message.data : name);
        base_buffer_free(&message);
        return rc;
    }
    if (r->status == 429)
        return base_error_set(
            BASE_E_IO,
            "%s: the hub asks for fewer requests (HTTP 429): wait, then run the same command again",
            name);
    return base_error_set(BASE_E_IO, "%s%s%s: HTTP %ld%s%s from %s", name, file ? ": " : "",
                          file ? file : "", r->status, *code ? " " : "", code, p->o->endpoint);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct model_hub_file *)a)->path,
                  ((const struct model_hub_file *)b)->path);
}

static int sibling_read(struct model_hub_file *f, const json_t *entry, const char *where)
{
    const char *path = NULL, *digest = NULL;
    int64_t size = -1;
    int rc = base_json_get_string(entry, "rfilename", where, true, &path);
    if (!rc)
        rc = base_json_get_int(entry, "size", where, false, &size);
    if (rc)
        return rc;
    if (!model_hub_path_safe(path))
        return base_error_set(
            BASE_E_FORMAT,
            "%s: it lists a file named '%s', which could be written outside the cache: refused",
            where, path);
    const json_t *lfs = json_object_get(entry, "lfs");
    if (json_is_object(lfs)) {
        rc = base_json_get_string(lfs, "sha256", where, false, &digest);
        if (!rc)
            rc = base_json_get_int(lfs, "size", where, false, &size);
    } else
        rc = base_json_get_string(entry, "blobId", where, false, &digest);
    if (rc)
        return rc;
    if (digest && !is_hex(digest, 40) && !is_hex(digest, 64))
        return base_error_set(BASE_E_FORMAT,
                              "%s: %s: the digest '%.80s' is no SHA-256 and no git id", where, path,
                              digest);
    if (size < -1)
        return base_error_set(BASE_E_FORMAT, "%s: %s: negative size", where, path);
    f->bytes = size;
    snprintf(f->digest, sizeof f->digest, "%s", digest ? digest : "");
    return (f->path = base_strdup(path)) ? 0 : BASE_E_MEMORY;
}

/* Reads the commit and the files out of the list; out->files then holds all of them. */
static int list_read(struct pull *p, const json_t *list, const char *where)
{
    const char *commit = NULL;
    int rc =
        json_is_object(list) ? 0 : base_error_set(BASE_E_FORMAT, "%s: expected an object", where);
    if (!rc)
        rc = base_json_get_string(list, "sha", where, true, &commit);
    if (!rc && !is_hex(commit, 40))
        rc = base_error_set(BASE_E_FORMAT, "%s: sha: '%.80s' is no commit", where, commit);
    if (rc)
        return rc;
    snprintf(p->out->commit, sizeof p->out->commit, "%s", commit);
    const json_t *siblings = json_object_get(list, "siblings");
    size_t n = json_array_size(siblings);
    if (!json_is_array(siblings) || n > FILES_LIMIT)
        return base_error_set(BASE_E_FORMAT, "%s: siblings: expected an array of at most %d files",
                              where, FILES_LIMIT);
    if (!(p->out->files = base_alloc_zero(n, sizeof *p->out->files)))
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n && !rc; i++) {
        rc = sibling_read(&p->out->files[i], json_array_get(siblings, i), where);
        p->out->n = i + 1;
    }
    if (rc)
        return rc;
    qsort(p->out->files, n, sizeof *p->out->files, by_path);
    for (size_t i = 1; i < n; i++)
        if (!strcmp(p->out->files[i].path, p->out->files[i - 1].path))
            return base_error_set(BASE_E_FORMAT, "%s: lists %s twice", where,
                                  p->out->files[i].path);
    return 0;
}

static int list_fetch(struct pull *p)
{
    struct base_buffer url = { 0 }, body = { 0 };
    struct model_http_response response;
    json_t *list = NULL;
    char *where = base_format("%s: the hub's file list", p->name);
    int rc = where ? url_begin(&url, p) : BASE_E_MEMORY;
    if (!rc)
        rc = base_buffer_printf(&url, "/api/models/%s/revision/", p->name);
    if (!rc)
        rc = model_http_escape(&url, p->o->revision, false);
    if (!rc)
        rc = base_buffer_puts(&url, "?blobs=true");
    if (!rc)
        rc = model_http_get(p->http, url.data, LIST_LIMIT, &body, &response);
    if (!rc && response.status != 200)
        rc = status_explain(p, &response, NULL);
    if (!rc)
        rc = base_json_parse(&list, body.data ? body.data : "", body.length, where);
    if (!rc)
        rc = list_read(p, list, where);
    json_decref(list);
    base_free(where);
    base_buffer_free(&url);
    base_buffer_free(&body);
    return rc;
}

/* The digest of a downloaded file against the announced one; a wrong file is removed. */
static int blob_check(const struct model_hub_file *f, const char *part)
{
    char hex[65] = "";
    bool sha256 = strlen(f->digest) == 64;
    int rc = sha256 ? base_sha256_file(part, hex) : base_git_id_file(part, hex);
    if (rc || !strcmp(hex, f->digest))
        return rc;
    unlink(part);
    return base_error_set(BASE_E_FORMAT,
                          "%s: wrong bytes arrived: expected %s %s, got %s; the file was removed, "
                          "run the command again",
                          f->path, sha256 ? "SHA-256" : "git id", f->digest, hex);
}

static void bar_update(void *context, uint64_t bytes)
{
    struct pull *p = context;
    base_progress_update(p->bar, p->before + bytes, NULL);
}

/* Opens a .part file for this process alone. Another pull that just finished it has renamed it: the
 * lock then is on a file that has another name, so look again. */
static int part_open(const char *part, int *fd)
{
    for (int tries = 0; tries < 3; tries++) {
        struct stat held, named;
        *fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (*fd < 0)
            return base_error_set(BASE_E_IO, "%s: %s", part, strerror(errno));
        if (flock(*fd, LOCK_EX | LOCK_NB)) {
            close(*fd);
            return base_error_set(BASE_E_IO, "%s: another pull is writing this file: wait for it",
                                  part);
        }
        if (!fstat(*fd, &held) && !stat(part, &named) && held.st_ino == named.st_ino &&
            held.st_dev == named.st_dev)
            return 0;
        close(*fd);
    }
    return base_error_set(BASE_E_IO, "%s: another pull keeps replacing this file", part);
}

static int part_download(struct pull *p, struct model_hub_file *f, int fd, const char *part)
{
    struct base_buffer url = { 0 };
    struct model_http_response response;
    int rc = url_begin(&url, p);
    if (!rc)
        rc = base_buffer_printf(&url, "/%s/resolve/%s/", p->name, p->out->commit);
    if (!rc)
        rc = model_http_escape(&url, f->path, true);
    if (!rc)
        rc = model_http_download(p->http, url.data, fd,
                                 f->bytes >= 0 ? (uint64_t)f->bytes : UNKNOWN_LIMIT, bar_update, p,
                                 &response);
    base_buffer_free(&url);
    if (rc == BASE_E_INTERRUPTED)
        return base_error_prefix(rc, "%s: what has arrived is kept, the same command continues",
                                 f->path);
    if (rc)
        return rc;
    if (response.status == 416 && ftruncate(fd, 0) == 0)
        return base_error_set(BASE_E_IO,
                              "%s: the hub has no bytes beyond those kept: they were thrown away, "
                              "run the command again",
                              f->path);
    if (response.status != 200 && response.status != 206)
        return status_explain(p, &response, f->path);
    if (!*f->digest && (is_hex(response.etag, 64) || is_hex(response.etag, 40)))
        memcpy(f->digest, response.etag, strlen(response.etag) + 1);
    int64_t size = f->bytes >= 0 ? f->bytes : response.size;
    struct stat s;
    if (fstat(fd, &s))
        return base_error_set(BASE_E_IO, "%s: %s", part, strerror(errno));
    if (size >= 0 && s.st_size != size)
        return base_error_set(
            BASE_E_IO, "%s: %lld of %lld bytes arrived: run the same command again to continue",
            f->path, (long long)s.st_size, (long long)size);
    f->bytes = s.st_size;
    return 0;
}

/* Renames the checked .part into place; the data reaches the disk before the name does. */
static int part_commit(int fd, const char *part, const char *blob)
{
    if (fsync(fd) || rename(part, blob))
        return base_error_set(BASE_E_IO, "%s: %s", blob, strerror(errno));
    return 0;
}

static bool blob_present(const struct model_hub_file *f, const char *blob)
{
    struct stat s;
    return !stat(blob, &s) && S_ISREG(s.st_mode) && (f->bytes < 0 || s.st_size == f->bytes);
}

/* Brings one file into blobs; *blob gets its path (base_free). */
static int blob_fetch(struct pull *p, struct model_hub_file *f, char **blob)
{
    char hex[BASE_SHA256_HEX], *part = NULL;
    int rc = 0, fd = -1;
    bool known = *f->digest;
    *blob = NULL;
    if (known) {
        *blob = base_format("%s/%s", p->blobs, f->digest);
        part = base_format("%s/%s.part", p->blobs, f->digest);
    } else { /* no digest: nothing says that old bytes belong to this version, so never continued */
        base_sha256(f->path, strlen(f->path), hex);
        part = base_format("%s/unnamed-%s.part", p->blobs, hex);
    }
    if (!part || (known && !*blob)) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    if (known && blob_present(f, *blob)) {
        f->cached = true;
        goto out;
    }
    if ((rc = part_open(part, &fd)))
        goto out;
    struct stat s;
    if (fstat(fd, &s) ||
        ((!known || (f->bytes >= 0 && s.st_size > f->bytes)) && ftruncate(fd, 0))) {
        rc = base_error_set(BASE_E_IO, "%s: %s", part, strerror(errno));
        goto out;
    }
    if (f->bytes < 0 || s.st_size != f->bytes || !known)
        rc = part_download(p, f, fd, part);
    if (!rc && !known && !*f->digest && (rc = base_git_id_file(part, f->digest)))
        goto out;
    if (!rc && !*blob && !(*blob = base_format("%s/%s", p->blobs, f->digest)))
        rc = BASE_E_MEMORY;
    if (!rc)
        rc = blob_check(f, part);
    if (!rc)
        rc = part_commit(fd, part, *blob);
    if (!rc)
        p->out->received += (uint64_t)f->bytes;
out:
    if (fd >= 0)
        close(fd);
    base_free(part);
    return rc;
}

/* snapshot/path -> ../../blobs/digest, relative so that the cache can be moved. */
static int snapshot_link(const struct pull *p, const struct model_hub_file *f)
{
    struct base_buffer target = { 0 };
    char *link = base_path_join(p->snapshot, f->path), *slash, *temporary = NULL;
    int rc = link ? base_buffer_puts(&target, "../../") : BASE_E_MEMORY;
    for (const char *s = f->path; !rc && (s = strchr(s, '/')); s++)
        rc = base_buffer_puts(&target, "../");
    if (!rc)
        rc = base_buffer_printf(&target, "blobs/%s", f->digest);
    if (!rc && (slash = strrchr(link, '/'))) {
        *slash = 0;
        rc = base_file_make_directories(link);
        *slash = '/';
    }
    if (!rc && !(temporary = base_format("%s.link-%ld", link, (long)getpid())))
        rc = BASE_E_MEMORY;
    if (!rc) {
        unlink(temporary);
        if (symlink(target.data, temporary) || rename(temporary, link)) {
            rc = base_error_set(BASE_E_IO, "%s: %s", link, strerror(errno));
            unlink(temporary);
        }
    }
    base_buffer_free(&target);
    base_free(temporary);
    base_free(link);
    return rc;
}

/* The chosen files only; the others are freed. */
static int files_keep(struct pull *p)
{
    struct model_hub_result *r = p->out;
    bool *chosen = base_alloc(r->n, sizeof *chosen);
    if (!chosen)
        return BASE_E_MEMORY;
    int rc = model_hub_choose(r->files, r->n, p->o, p->name, chosen);
    size_t kept = 0;
    for (size_t i = 0; i < r->n && !rc; i++)
        if (chosen[i]) {
            struct model_hub_file t = r->files[kept];
            r->files[kept++] = r->files[i];
            r->files[i] = t;
        }
    for (size_t i = kept; i < r->n && !rc; i++) {
        base_free(r->files[i].path);
        r->files[i].path = NULL;
    }
    if (!rc)
        r->n = kept;
    base_free(chosen);
    return rc;
}

/* Bytes still to come against the room on the disk, before the first of them is asked for. */
static int room_check(const struct pull *p, uint64_t *total)
{
    uint64_t need = 0;
    *total = 0;
    for (size_t i = 0; i < p->out->n; i++) {
        const struct model_hub_file *f = &p->out->files[i];
        if (f->bytes < 0)
            continue;
        *total += (uint64_t)f->bytes;
        char *blob = base_format("%s/%s", p->blobs, f->digest),
             *part = base_format("%s/%s.part", p->blobs, f->digest);
        struct stat s;
        if (blob && part && *f->digest && blob_present(f, blob))
            need += 0;
        else if (part && *f->digest && !stat(part, &s) && s.st_size <= f->bytes)
            need += (uint64_t)(f->bytes - s.st_size);
        else
            need += (uint64_t)f->bytes;
        bool out_of_memory = !blob || !part;
        base_free(blob);
        base_free(part);
        if (out_of_memory)
            return BASE_E_MEMORY;
    }
    struct statvfs v;
    if (!statvfs(p->blobs, &v) && need > (uint64_t)v.f_bavail * v.f_frsize)
        return base_error_set(
            BASE_E_IO,
            "%s: %.3g GB have to come, %s has room for %.3g GB: free some, or give --cache",
            p->name, (double)need / 1e9, p->blobs, (double)v.f_bavail * (double)v.f_frsize / 1e9);
    return 0;
}

/* {cache}/models--ORG--NAME and the directories in it that do not depend on success. */
static int directories_make(struct pull *p, const char *cache)
{
    const char *base = base_path_name(p->name);
    int org = base > p->name ? (int)(base - p->name - 1) : 0;
    p->top = base_format("%s/models--%.*s%s%s", cache, org, p->name, org ? "--" : "", base);
    if (!p->top || !(p->blobs = base_format("%s/blobs", p->top)) ||
        !(p->snapshot = base_format("%s/snapshots/%s", p->top, p->out->commit)))
        return BASE_E_MEMORY;
    return base_file_make_directories(p->blobs);
}

/* refs/REVISION records which commit a branch or tag meant; a revision with odd characters is not
 * recorded (nothing reads it back). */
static int ref_write(const struct pull *p)
{
    if (!strcmp(p->o->revision, p->out->commit) || !model_hub_path_safe(p->o->revision))
        return 0;
    char *ref = base_format("%s/refs/%s", p->top, p->o->revision);
    char *slash = ref ? strrchr(ref, '/') : NULL;
    if (!slash)
        return BASE_E_MEMORY;
    *slash = 0;
    int rc = base_file_make_directories(ref);
    *slash = '/';
    if (!rc)
        rc = base_file_write(ref, p->out->commit, strlen(p->out->commit));
    base_free(ref);
    return rc;
}

static int files_fetch(struct pull *p)
{
    uint64_t total = 0;
    int rc = room_check(p, &total);
    if (rc)
        return rc;
    p->bar = base_progress_begin("pull", "B", total);
    for (size_t i = 0; i < p->out->n && !rc; i++) {
        struct model_hub_file *f = &p->out->files[i];
        char *blob = NULL;
        rc = blob_fetch(p, f, &blob);
        if (!rc && f->bytes < 0) {
            struct stat s;
            f->bytes = stat(blob, &s) ? 0 : s.st_size;
        }
        if (!rc) {
            p->before += (uint64_t)f->bytes;
            p->out->bytes += (uint64_t)f->bytes;
        }
        base_free(blob);
    }
    base_progress_end(p->bar);
    /* all bytes are there: now the names */
    if (!rc)
        rc = base_file_make_directories(p->snapshot);
    for (size_t i = 0; i < p->out->n && !rc; i++)
        rc = snapshot_link(p, &p->out->files[i]);
    return rc ? rc : ref_write(p);
}

int model_hub_pull(struct model_hub_result *out, const char *name,
                   const struct model_hub_options *options)
{
    *out = (struct model_hub_result){ 0 };
    struct pull p = { .o = options, .name = name, .out = out };
    struct model_http_options http = { .token = options->token,
                                       .retries = options->retries,
                                       .retry_seconds = options->retry_seconds };
    char *cache = NULL;
    int rc = name_check(name);
    if (!rc)
        rc = endpoint_check(options->endpoint);
    if (!rc && !*options->revision)
        rc = base_error_set(BASE_E_ARGUMENT,
                            "the revision is empty: give a branch, a tag or a commit");
    if (!rc)
        rc = options->cache ? ((cache = base_strdup(options->cache)) ? 0 : BASE_E_MEMORY)
                            : model_hub_cache(&cache);
    if (!rc)
        rc = model_http_open(&p.http, &http);
    if (!rc)
        rc = list_fetch(&p);
    if (!rc)
        rc = files_keep(&p);
    if (!rc)
        rc = directories_make(&p, cache);
    if (!rc)
        rc = files_fetch(&p);
    if (!rc) {
        out->directory = p.snapshot;
        p.snapshot = NULL;
    } else
        model_hub_result_free(out);
    model_http_close(p.http);
    base_free(p.top);
    base_free(p.blobs);
    base_free(p.snapshot);
    base_free(cache);
    return rc;
}

void model_hub_result_free(struct model_hub_result *r)
{
    for (size_t i = 0; r->files && i < r->n; i++)
        base_free(r->files[i].path);
    base_free(r->files);
    base_free(r->directory);
    *r = (struct model_hub_result){ 0 };
}
