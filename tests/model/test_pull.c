/* Pulling from a hub that this program plays: two local HTTP servers, the hub and, on another port,
 * the host that large files are redirected to. Broken connections, wrong bytes, refusals, hostile
 * lists. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/progress.h"
#include "model/http.h"
#include "model/hub.h"
#include "model/hub_choose.h"
#include <microhttpd.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "support.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define HELLO  "ce013625030ba8dba906f756967f9e9ca394464a" /* git hash-object of "hello\n" */
#define EMPTY  "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" /* and of nothing */
enum { LARGE = 1000000 };

struct file {
    const char *path, *body;
    size_t bytes;
    bool large; /* SHA-256 in the list, redirected to the other host */
};
/* What the servers do, and what they saw. One request at a time: no lock needed beyond the join
 * that each finished request is. */
static struct {
    struct file files[16];
    size_t n;
    const char *list;  /* instead of the true list */
    bool no_digests;   /* the list holds paths only */
    bool no_etag;      /* nor is there one with the bytes */
    long cut_after;    /* break the connection after so many bytes of a large file */
    bool ignore_range; /* answer 200 with everything */
    long wrong_range;  /* answer 206 with another place */
    bool wrong_bytes;  /* large files differ from their digest */
    size_t extra;      /* more bytes than announced */
    int fail_status;   /* for the next fail_count requests to the hub */
    int fail_count;
    const char *fail_code; /* X-Error-Code with it */
    int hub_requests, large_requests;
    uint64_t large_bytes;
    char last_range[64], hub_authorization[64], large_authorization[64];
} play;
static struct MHD_Daemon *hub, *storage;
static char endpoint[64], storage_url[64], cache[64];
static char *large;

struct sending {
    const char *body;
    size_t bytes, cut;
};
static ssize_t sending_read(void *context, uint64_t at, char *to, size_t room)
{
    struct sending *s = context;
    if (at >= s->cut)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = s->bytes - at < room ? s->bytes - at : room;
    if (n > s->cut - at)
        n = s->cut - at;
    for (size_t i = 0; i < n; i++)
        to[i] = s->body[(at + i) % LARGE];
    play.large_bytes += n;
    return (ssize_t)n;
}

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, struct MHD_Response *r)
{
    enum MHD_Result ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result reply_text(struct MHD_Connection *c, unsigned status, const char *text)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                             MHD_RESPMEM_MUST_COPY);
    if (play.fail_code && status >= 400)
        MHD_add_response_header(r, "X-Error-Code", play.fail_code);
    return reply(c, status, r);
}

static const struct file *file_find(const char *path)
{
    for (size_t i = 0; i < play.n; i++)
        if (!strcmp(play.files[i].path, path))
            return &play.files[i];
    return NULL;
}

static enum MHD_Result list_send(struct MHD_Connection *c)
{
    if (play.list)
        return reply_text(c, 200, play.list);
    json_t *siblings = json_array();
    for (size_t i = 0; i < play.n; i++) {
        const struct file *f = &play.files[i];
        char hex[65];
        base_sha256(f->body, f->bytes, hex);
        json_t *s = json_pack("{ss}", "rfilename", f->path);
        if (!play.no_digests)
            json_object_set_new(s, "size", json_integer((json_int_t)f->bytes));
        if (!play.no_digests && f->large)
            json_object_set_new(s, "lfs",
                                json_pack("{sssI}", "sha256", hex, "size", (json_int_t)f->bytes));
        if (!play.no_digests)
            json_object_set_new(s, "blobId", json_string(f->bytes ? HELLO : EMPTY));
        json_array_append_new(siblings, s);
    }
    json_t *list = json_pack("{sssssO}", "id", "lab/tiny", "sha", COMMIT, "siblings", siblings);
    char *text = json_dumps(list, 0);
    enum MHD_Result ok = reply_text(c, 200, text);
    free(text);
    json_decref(list);
    json_decref(siblings);
    return ok;
}

static enum MHD_Result on_hub(void *context, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *bytes, void **state)
{
    (void)context, (void)method, (void)version, (void)data, (void)bytes, (void)state;
    const char *token = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
    snprintf(play.hub_authorization, sizeof play.hub_authorization, "%s", token ? token : "");
    play.hub_requests++;
    if (!strcmp(url, "/api/models")) {
        const char *words = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "search");
        assert_string_equal(words, "tinny");
        return reply_text(
            c, 200,
            "[{\"id\":\"lab/tiny\"},{\"id\":\"else/tinny-2\"},{\"id\":\"\\u001b[2Jevil\"}]");
    }
    if (play.fail_count > 0) {
        play.fail_count--;
        return reply_text(c, (unsigned)play.fail_status, "no");
    }
    if (!strcmp(url, "/api/models/lab/tiny/revision/main"))
        return list_send(c);
    static const char resolve[] = "/lab/tiny/resolve/" COMMIT "/";
    const struct file *f =
        strncmp(url, resolve, strlen(resolve)) ? NULL : file_find(url + strlen(resolve));
    if (!f)
        return reply_text(c, 404, "none");
    char hex[65], to[256];
    if (f->large) {
        struct MHD_Response *r = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        base_sha256(f->body, f->bytes, hex);
        snprintf(to, sizeof to, "%s/%s?signature=x", storage_url, f->path);
        MHD_add_response_header(r, "Location", to);
        snprintf(to, sizeof to, "\"%s\"", hex);
        if (!play.no_etag)
            MHD_add_response_header(r, "X-Linked-Etag", to);
        return reply(c, 302, r);
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(f->bytes, (void *)(uintptr_t)f->body,
                                                             MHD_RESPMEM_MUST_COPY);
    if (!play.no_etag)
        MHD_add_response_header(r, "ETag", f->bytes ? "W/\"" HELLO "\"" : "\"" EMPTY "\"");
    return reply(c, 200, r);
}

static enum MHD_Result on_storage(void *context, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *bytes, void **state)
{
    (void)context, (void)method, (void)version, (void)data, (void)bytes, (void)state;
    const char *token = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
    const char *range = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Range");
    snprintf(play.large_authorization, sizeof play.large_authorization, "%s", token ? token : "");
    snprintf(play.last_range, sizeof play.last_range, "%s", range ? range : "");
    play.large_requests++;
    const struct file *f = file_find(url + 1);
    if (!f)
        return reply_text(c, 404, "none");
    size_t from = 0;
    if (range && !play.ignore_range)
        assert_int_equal(sscanf(range, "bytes=%zu-", &from), 1);
    struct sending *s = malloc(sizeof *s);
    *s = (struct sending){ f->body + from, f->bytes - from + play.extra, SIZE_MAX };
    if (play.wrong_bytes)
        s->body = f->body + 1, s->bytes = f->bytes;
    if (play.cut_after >= 0)
        s->cut = (size_t)play.cut_after;
    struct MHD_Response *r =
        MHD_create_response_from_callback(s->bytes, 65536, sending_read, s, free);
    char header[128];
    snprintf(header, sizeof header, "bytes %zu-%zu/%zu", from + (size_t)play.wrong_range,
             f->bytes - 1, f->bytes);
    if (from > 0)
        MHD_add_response_header(r, "Content-Range", header);
    return reply(c, from > 0 ? 206 : 200, r);
}

static struct MHD_Daemon *server_start(MHD_AccessHandlerCallback handler, char url[64])
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handler,
                                            NULL, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_END);
    assert_non_null(d);
    snprintf(url, 64, "http://127.0.0.1:%u",
             MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    return d;
}

static int servers_start(void **state)
{
    (void)state;
    base_progress_quiet(true);
    large = malloc(2 * LARGE);
    for (size_t i = 0; i < 2 * LARGE; i++)
        large[i] = (char)(i * 2654435761u >> 13);
    hub = server_start(on_hub, endpoint);
    storage = server_start(on_storage, storage_url);
    return 0;
}

static int servers_stop(void **state)
{
    (void)state;
    MHD_stop_daemon(hub);
    MHD_stop_daemon(storage);
    free(large);
    return 0;
}

/* A fresh cache and a repository with the usual contents, some of which nobody needs. */
static int setup(void **state)
{
    (void)state;
    snprintf(cache, sizeof cache, "/tmp/assay-pull-XXXXXX");
    assert_non_null(mkdtemp(cache));
    memset(&play, 0, sizeof play);
    play.cut_after = -1;
    const struct file files[] = {
        { "config.json", "hello\n", 6, false },
        { "merges.txt", "", 0, false },
        { "model.safetensors", large, LARGE, true },
        { "pytorch_model.bin", large, LARGE / 2, true },
        { "README.md", "hello\n", 6, false },
        { "onnx/model.onnx", large, 1000, true },
        { "sub dir/weights.safetensors", large, 5000, true },
    };
    memcpy(play.files, files, sizeof files);
    play.n = sizeof files / sizeof files[0];
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char *argv[] = { "/bin/rm", "-rf", cache, NULL };
    struct test_run r = test_spawn(argv, NULL);
    test_run_free(&r);
    return 0;
}

static struct model_hub_options options_make(void)
{
    struct model_hub_options o = MODEL_HUB_OPTIONS_DEFAULT;
    o.endpoint = endpoint;
    o.cache = cache;
    o.retries = 0;
    o.retry_seconds = 0.001;
    return o;
}

static const char *cached(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/models--lab--tiny/%s", cache, name);
    return path;
}

static const char *blob_of(size_t bytes, const char *suffix)
{
    char hex[65], name[128];
    base_sha256(large, bytes, hex);
    snprintf(name, sizeof name, "blobs/%s%s", hex, suffix);
    return cached(name);
}

static off_t size_of(const char *path)
{
    struct stat s;
    return stat(path, &s) ? -1 : s.st_size;
}

static void assert_fails(int expected, const struct model_hub_options *o, const char *name,
                         const char *words)
{
    struct model_hub_result r;
    int rc = model_hub_pull(&r, name, o);
    if (rc != expected || !strstr(base_error_message(), words))
        fail_msg("expected %d with '%s', got %d: %s", expected, words, rc,
                 rc ? base_error_message() : "success");
    assert_null(r.directory);
}

static void whole_model(void **state)
{
    (void)state;
    struct model_hub_options o = options_make();
    struct model_hub_result r;
    o.token = "hf_secret";
    assert_int_equal(model_hub_pull(&r, "lab/tiny", &o), 0);
    assert_string_equal(r.commit, COMMIT);
    assert_string_equal(r.directory, cached("snapshots/" COMMIT));
    assert_int_equal(r.n, 3);
    assert_string_equal(r.files[0].path, "config.json");
    assert_string_equal(r.files[1].path, "merges.txt");
    assert_string_equal(r.files[2].path, "model.safetensors");
    assert_int_equal(r.bytes, LARGE + 6);
    assert_int_equal(r.received, LARGE + 6);
    char *data, target[256];
    size_t bytes;
    assert_int_equal(
        base_file_read(cached("snapshots/" COMMIT "/model.safetensors"), 0, &data, &bytes), 0);
    assert_int_equal(bytes, LARGE);
    assert_memory_equal(data, large, LARGE);
    base_free(data);
    ssize_t n = readlink(cached("snapshots/" COMMIT "/config.json"), target, sizeof target - 1);
    assert_int_equal(n, strlen("../../blobs/" HELLO));
    assert_memory_equal(target, "../../blobs/" HELLO, (size_t)n);
    assert_int_equal(base_file_read(cached("refs/main"), 0, &data, &bytes), 0);
    assert_string_equal(data, COMMIT);
    base_free(data);
    assert_int_equal(size_of(blob_of(LARGE, ".part")), -1);
    /* the token went to the hub and not to the other host */
    assert_string_equal(play.hub_authorization, "Bearer hf_secret");
    assert_string_equal(play.large_authorization, "");
    assert_int_equal(play.large_requests, 1);
    model_hub_result_free(&r);
    /* once more: only the list is asked for */
    int before = play.hub_requests;
    assert_int_equal(model_hub_pull(&r, "lab/tiny", &o), 0);
    assert_int_equal(play.hub_requests, before + 1);
    assert_true(r.files[0].cached && r.files[1].cached && r.files[2].cached);
    assert_int_equal(r.received, 0);
    model_hub_result_free(&r);
}

static void resume_after_a_break(void **state)
{
    (void)state;
    struct model_hub_options o = options_make();
    play.cut_after = 300000;
    assert_fails(BASE_E_IO, &o, "lab/tiny", "/lab/tiny/resolve/" COMMIT "/model.safetensors");
    off_t kept = size_of(blob_of(LARGE, ".part"));
    assert_int_equal(kept, 300000);
    assert_int_equal(size_of(cached("snapshots/" COMMIT)), -1); /* nothing half done is visible */
    play.cut_after = -1;
    play.large_bytes = 0;
    struct model_hub_result r;
    assert_int_equal(model_hub_pull(&r, "lab/tiny", &o), 0);
    assert_string_equal(play.last_range, "bytes=300000-");
    assert_int_equal(play.large_bytes, LARGE - 300000);
    assert_int_equal(size_of(blob_of(LARGE, "")), LARGE);
    model_hub_result_free(&r);
}

/* A line that breaks every 200,000 bytes still gets there, with one retry allowed, because each try
 * brings something; one that brings nothing fails after it. */
static void retries(void **state)
{
    (void)state;
    struct model_hub_options o = options_make();
    struct model_hub_result r;
    o.retries = 1;
    play.cut_after = 200000;
    assert_int_equal(model_hub_pull(&r, "lab/tiny", &o), 0);
    assert_int_equal(play.large_requests, 5);
    model_hub_result_free(&r);
    unlink(blob_of(LARGE, ""));
    play.large_requests = 0;
    play.ignore_range = true; /* starts anew each time: no progress, so it must end */
    assert_fails(BASE_E_IO, &o, "lab/tiny", "model.safetensors");
    assert_in_range(play.large_requests, 2, 3);
    play.cut_after = -1;
    play.fail_status = 503; /* busy for a moment */
    play.fail_count = 1;
    assert_int_equal(model_hub_pull(&r, "lab/tiny", &o), 0);
    model_hub_result_free(&r);
    play.fail_count = 2; /* longer than we try */
    assert_fails(BASE_E_IO, &o, "lab/tiny", "HTTP 503");
    o.endpoint = "http://127.0.0.1:1";
    assert_fails(BASE_E_IO, &o, "lab/tiny", "http://127.0.0.1:1/api/models/lab/tiny");
}

static void server_without_ranges(void **state)
{
    (void)state;
    struct model_hub_options o = options_make();
    struct model_hub_result r;
    play.cut_after = 300000;
    assert_fails(BASE_E_IO, &o, "lab/tiny", "model.safetensors");
    play.cut_after = -1;
    play.ignore_range = true;
    assert_int_equal(model_hub_pull(&r, "lab/tiny", &o), 0);
    assert_string_equal(play.last_range, "bytes=300000-");
    assert_int_equal(size_of(blob_of(LARGE, "")), LARGE);
    model_hub_result_free(&r);
}

static void wrong_bytes(void **state)
{
    (void)state;
    struct model_hub_options o = options_make();
    struct model_hub_result r;
    play.wrong_bytes = true;
    assert_fails(BASE_E_FORMAT, &o, "lab/tiny",
                 "model.safetensors: wrong bytes arrived: expected SHA-256 ");
    assert_int_equal(size_of(blob_of(LARGE, ".part")), -1);
    assert_int_equal(size_of(blob_of(LARGE, "")), -1);
    assert_int_equal(size_of(cached("snapshots/" COMMIT)), -1);
    play.wrong_bytes = false;
    unlink(cached("blobs/" HELLO));
    play.files[0].body = "jello\n"; /* a small file that is not its git id */
    assert_fails(BASE_E_FORMAT, &o, "lab/tiny",
                 "config.json: wrong bytes arrived: expected git id " HELLO);
    play.files[0].body = "hello\n";
    play.extra = 10;
    assert_fails(BASE_E_FORMAT, &o, "lab/tiny", "more than the 1000000 bytes it announced");
    play.extra = 0;
    unlink(blob_of(LARGE, ".part"));
    play.cut_after = 5000;
    assert_fails(BASE_E_IO, &o, "lab/tiny", "model.safetensors");
    play.cut_after = -1;
    play.wrong_range = 7;
    assert_fails(BASE_E_FORMAT, &o, "lab/tiny",
                 "asked for the bytes from 5000, the server sends those from 5007");
    play.wrong_range = 0;
    assert_int_equal(model_hub_pull(&r, "lab/tiny", &o), 0);
    model_hub_result_free(&r);
}

static void refusals_are_explained(void **state)
{
    (void)state;
    struct model_hub_options o = options_make();
    assert_fails(BASE_E_ARGUMENT, &o, "lab/tinny",
                 "there is no such model; did you mean lab/tiny, else/tinny-2?");
    play.fail_status = 401;
    play.fail_count = 1;
    assert_fails(BASE_E_IO, &o, "lab/tinny", "or it is private: set HF_TOKEN");
    play.fail_status = 403;
    play.fail_code = "GatedRepo";
    play.fail_count = 1;
    assert_fails(BASE_E_IO, &o, "lab/tiny",
                 "lab/tiny is gated (HTTP 403): accept its terms at http://127.0.0.1");
    play.fail_status = 404;
    play.fail_code = "RevisionNotFound";
    play.fail_count = 1;
    assert_fails(BASE_E_ARGUMENT, &o, "lab/tiny", "lab/tiny has no revision 'main'");
    play.fail_code = NULL;
    play.fail_status = 429;
    play.fail_count = 1;
    assert_fails(BASE_E_IO, &o, "lab/tiny", "HTTP 429");
    static const char *const names[] = { "",     "/",     "a/",     "/a",    "a/b/c", "../x",
                                         "a/..", "a b/c", "a--b/c", "a/b?c", "a/b#c", "-\n/x" };
    int before = play.hub_requests;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_fails(BASE_E_ARGUMENT, &o, names[i], "is no model's name");
    o.endpoint = "ftp://127.0.0.1";
    assert_fails(BASE_E_ARGUMENT, &o, "lab/tiny",
                 "expected a URL that begins with https:// or http://");
    o.endpoint = "https://me:secret@127.0.0.1";
    assert_fails(BASE_E_ARGUMENT, &o, "lab/tiny", "must be a plain URL");
    assert_null(strstr(base_error_message(), "secret"));
    assert_int_equal(play.hub_requests, before);
}

static void hostile_lists(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "{\"sha\":\"" COMMIT "\",\"siblings\":[{\"rfilename\":\"../../x\"}]}",
        "{\"sha\":\"" COMMIT "\",\"siblings\":[{\"rfilename\":\"/etc/x\"}]}",
        "{\"sha\":\"" COMMIT "\",\"siblings\":[{\"rfilename\":\"a/../../../x\"}]}",
        "{\"sha\":\"" COMMIT "\",\"siblings\":[{\"rfilename\":\"a\\\\..\\\\x\"}]}",
        "{\"sha\":\"" COMMIT "\",\"siblings\":[{\"rfilename\":\"a\\u001b[2J\"}]}",
        "{\"sha\":\"" COMMIT "\",\"siblings\":[{\"rfilename\":\"\"}]}",
        "{\"sha\":\"" COMMIT "\",\"siblings\":[{\"rfilename\":\"./config.json\"}]}",
        "{\"sha\":\"" COMMIT "\",\"siblings\":[{\"rfilename\":3}]}",
        "{\"sha\":\"" COMMIT
        "\",\"siblings\":[{\"rfilename\":\"config.json\",\"blobId\":\"../../../../x\"}]}",
        "{\"sha\":\"" COMMIT "\",\"siblings\":[{\"rfilename\":\"config.json\",\"size\":-5}]}",
        "{\"sha\":\"" COMMIT
        "\",\"siblings\":[{\"rfilename\":\"config.json\"},{\"rfilename\":\"config.json\"}]}",
        "{\"sha\":\"" COMMIT "\",\"siblings\":{}}",
        "{\"sha\":\"../../../../../../tmp/x\",\"siblings\":[]}",
        "{\"siblings\":[]}",
        "[]",
        "<html>",
        "",
    };
    struct model_hub_options o = options_make();
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        play.list = lists[i];
        assert_fails(BASE_E_FORMAT, &o, "lab/tiny", "lab/tiny: the hub's file list");
        assert_int_equal(size_of(cached("")), -1); /* not even a directory */
    }
    assert_true(model_hub_path_safe("a/b.c/..d/.e"));
    assert_false(model_hub_path_safe("a/./b"));
    assert_false(model_hub_path_safe("a//b"));
    assert_false(model_hub_path_safe("a/"));
    assert_false(model_hub_path_safe("\xff"));
}

static void choices(void **state)
{
    (void)state;
    struct model_hub_options o = options_make();
    struct model_hub_result r;
    const char *include[] = { "*.safetensors", "README.*" }, *exclude[] = { "model.*" };
    o.include = include;
    o.n_include = 2;
    o.exclude = exclude;
    o.n_exclude = 1;
    assert_int_equal(model_hub_pull(&r, "lab/tiny", &o), 0);
    assert_int_equal(r.n, 2);
    assert_string_equal(r.files[0].path, "README.md");
    assert_string_equal(r.files[1].path, "sub dir/weights.safetensors");
    assert_int_equal(size_of(cached("snapshots/" COMMIT "/sub dir/weights.safetensors")), 5000);
    model_hub_result_free(&r);
    include[0] = include[1] = "none*";
    assert_fails(BASE_E_UNSUPPORTED, &o, "lab/tiny",
                 "no file is chosen: choose with --include; it has: README.md, config.json");
    /* sets of weights, best first */
    struct model_hub_file f[] = { { .path = "a.gguf" },
                                  { .path = "b.gguf" },
                                  { .path = "config.json" },
                                  { .path = "pytorch_model-00001-of-00002.bin" },
                                  { .path = "training_args.bin" },
                                  { .path = "x/model.safetensors" },
                                  { .path = "other.safetensors" } };
    bool chosen[7];
    o = options_make();
    assert_int_equal(model_hub_choose(f, 7, &o, "n", chosen), 0);
    assert_true(!chosen[0] && !chosen[1] && chosen[2] && !chosen[3] && !chosen[4] && !chosen[5] &&
                chosen[6]);
    assert_int_equal(model_hub_choose(f, 6, &o, "n", chosen), 0);
    assert_true(!chosen[0] && !chosen[1] && chosen[2] && chosen[3] && !chosen[4] && !chosen[5]);
    assert_int_equal(model_hub_choose(f, 3, &o, "n", chosen), BASE_E_UNSUPPORTED);
    assert_non_null(strstr(base_error_message(),
                           "n: several GGUF files: choose with --include; it has: a.gguf, b.gguf"));
    assert_int_equal(model_hub_choose(f + 1, 2, &o, "n", chosen), 0);
    assert_true(chosen[0] && chosen[1]);
    assert_int_equal(model_hub_choose(f + 2, 1, &o, "n", chosen), BASE_E_UNSUPPORTED);
}

/* A mirror that lists paths only: digests come with the bytes, or are computed. */
static void list_without_digests(void **state)
{
    (void)state;
    struct model_hub_options o = options_make();
    struct model_hub_result r;
    play.no_digests = true;
    assert_int_equal(model_hub_pull(&r, "lab/tiny", &o), 0);
    assert_string_equal(r.files[0].digest, HELLO);
    assert_int_equal(strlen(r.files[2].digest), 64);
    assert_int_equal(r.bytes, LARGE + 6);
    model_hub_result_free(&r);
    play.wrong_bytes = true;
    assert_fails(BASE_E_FORMAT, &o, "lab/tiny", "model.safetensors: wrong bytes arrived");
    play.wrong_bytes = false;
    play.no_etag = true;
    assert_int_equal(model_hub_pull(&r, "lab/tiny", &o), 0);
    assert_string_equal(r.files[0].digest, HELLO);
    assert_int_equal(strlen(r.files[2].digest), 40);
    model_hub_result_free(&r);
}

static void no_room(void **state)
{
    (void)state;
    struct model_hub_options o = options_make();
    play.list = "{\"sha\":\"" COMMIT "\",\"siblings\":[{\"rfilename\":\"model.safetensors\","
                "\"size\":4000000000000000,\"blobId\":\"" HELLO "\"}]}";
    assert_fails(BASE_E_IO, &o, "lab/tiny", "4e+06 GB have to come");
    o.cache = "/dev/null/x";
    assert_fails(BASE_E_IO, &o, "lab/tiny", "/dev/null");
}

static void two_pulls_at_once(void **state)
{
    (void)state;
    struct model_hub_options o = options_make();
    struct model_hub_result r;
    assert_int_equal(base_file_make_directories(cached("blobs")), 0);
    FILE *other = fopen(blob_of(LARGE, ".part"), "wb");
    assert_int_equal(flock(fileno(other), LOCK_EX), 0);
    assert_fails(BASE_E_IO, &o, "lab/tiny", "another pull is writing this file");
    fclose(other);
    assert_int_equal(model_hub_pull(&r, "lab/tiny", &o), 0);
    model_hub_result_free(&r);
}

static void out_of_memory(void **state)
{
    (void)state;
    struct model_hub_options o = options_make();
    /* jansson allocates through base/memory.h: the server must not be the one that fails */
    char list[512], hex[65];
    play.files[2].bytes = 1000;
    base_sha256(large, 1000, hex);
    snprintf(list, sizeof list,
             "{\"sha\":\"" COMMIT
             "\",\"siblings\":[{\"rfilename\":\"config.json\",\"blobId\":\"" HELLO
             "\",\"size\":6},{\"rfilename\":\"model.safetensors\",\"lfs\":{\"sha256\":\"%s\","
             "\"size\":1000}}]}",
             hex);
    play.list = list;
    long live = base_alloc_live();
    int failures = 0;
    for (long n = 1; n < 120; n++) {
        struct model_hub_result r;
        base_alloc_fail_after(n);
        int rc = model_hub_pull(&r, "lab/tiny", &o);
        base_alloc_fail_after(0);
        if (!rc)
            model_hub_result_free(&r);
        failures += rc != 0;
        assert_int_equal(base_alloc_live(), live);
        /* inside jansson a failed allocation looks like bad text */
        if (rc != 0 && rc != BASE_E_MEMORY && rc != BASE_E_FORMAT)
            fail_msg("allocation %ld: %d %s", n, rc, base_error_message());
    }
    assert_true(failures > 20);
}

static void command(void **state)
{
    (void)state;
    setenv("HF_TOKEN", "hf_secret", 1);
    setenv("HF_ENDPOINT", endpoint, 1);
    struct test_run r = test_assay(NULL, "pull", "--json", "--cache", cache, "lab/tiny", NULL);
    assert_int_equal(r.rc, 0);
    assert_string_equal(play.hub_authorization, "Bearer hf_secret");
    assert_null(strstr(r.out, "hf_secret"));
    json_t *v = test_run_json(&r);
    assert_non_null(v);
    assert_string_equal(json_string_value(json_object_get(v, "directory")),
                        cached("snapshots/" COMMIT));
    assert_int_equal(json_array_size(json_object_get(v, "files")), 3);
    json_decref(v);
    test_run_free(&r);
    r = test_assay(NULL, "pull", "--cache", cache, "lab/tiny", NULL);
    assert_int_equal(r.rc, 0);
    assert_int_equal(strncmp(r.out, cached("snapshots/" COMMIT), r.out_bytes - 1), 0);
    test_run_free(&r);
    r = test_assay(NULL, "pull", "--cache", cache, "--retries", "0", "lab/tinny", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "did you mean lab/tiny"));
    assert_null(strstr(r.err, "hf_secret"));
    test_run_free(&r);
    r = test_assay(NULL, "pull", NULL);
    assert_int_equal(r.rc, 2);
    test_run_free(&r);
    unsetenv("HF_TOKEN");
    unsetenv("HF_ENDPOINT");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(whole_model),
        T(resume_after_a_break),
        T(retries),
        T(server_without_ranges),
        T(wrong_bytes),
        T(refusals_are_explained),
        T(hostile_lists),
        T(choices),
        T(list_without_digests),
        T(no_room),
        T(two_pulls_at_once),
        T(out_of_memory),
        T(command),
    };
    return cmocka_run_group_tests(tests, servers_start, servers_stop);
}
