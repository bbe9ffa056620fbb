/* Headless Chromium for tests of pages, driven over its debugging pipe (DevTools protocol: JSON
 * messages ended by a NUL, written to the browser's descriptor 3 and read from its 4). Collects
 * what the page's console and script errors say, and every request that is not for the page itself.
 * Header-only; include after support.h. */
#ifndef TESTS_BROWSER_H
#define TESTS_BROWSER_H
#include "support.h"

struct browser {
    pid_t pid;
    int to, from;
    int last;   /* id of the last message */
    char *held; /* bytes read and not yet used */
    size_t n_held;
    char session[80];
    char profile[512];
    char errors[4096];   /* console errors, uncaught exceptions, log entries of level error */
    char requests[4096]; /* URLs other than the page's own and data: */
    char page[1024];
    int loaded; /* load events so far */
};

/* Path of a Chromium, or NULL: then the caller says so and skips. */
static inline const char *browser_program(void)
{
    static const char *const paths[] = { "/usr/bin/chromium", "/usr/bin/chromium-browser",
                                         "/usr/bin/google-chrome" };
    for (size_t i = 0; i < 3; i++)
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    return NULL;
}

static inline void browser_note(char *list, size_t room, const char *text)
{
    size_t at = strlen(list);
    snprintf(list + at, room - at, "%s\n", text ? text : "(no text)");
}

/* One message from the browser; events are noted on the way. */
static inline json_t *browser_read(struct browser *b)
{
    for (;;) {
        char *end = b->n_held ? memchr(b->held, 0, b->n_held) : NULL;
        if (end) {
            size_t n = (size_t)(end - b->held);
            json_t *message = json_loadb(b->held, n, 0, NULL);
            memmove(b->held, end + 1, b->n_held - n - 1);
            b->n_held -= n + 1;
            return message;
        }
        struct pollfd fd = { b->from, POLLIN, 0 };
        b->held = realloc(b->held, b->n_held + 65536);
        ssize_t got = poll(&fd, 1, 60000) > 0 ? read(b->from, b->held + b->n_held, 65536) : 0;
        if (got <= 0) {
            fprintf(stderr, "the browser does not answer\n");
            return NULL;
        }
        b->n_held += (size_t)got;
    }
}

static inline void browser_event(struct browser *b, const json_t *message)
{
    const char *method = json_string_value(json_object_get(message, "method"));
    const json_t *p = json_object_get(message, "params");
    if (!method)
        return;
    if (!strcmp(method, "Page.loadEventFired"))
        b->loaded++;
    else if (!strcmp(method, "Runtime.exceptionThrown")) {
        const json_t *d = json_object_get(p, "exceptionDetails");
        const char *text =
            json_string_value(json_object_get(json_object_get(d, "exception"), "description"));
        browser_note(b->errors, sizeof b->errors,
                     text ? text : json_string_value(json_object_get(d, "text")));
    } else if (!strcmp(method, "Runtime.consoleAPICalled")) {
        const char *type = json_string_value(json_object_get(p, "type"));
        if (type && (!strcmp(type, "error") || !strcmp(type, "warning")))
            browser_note(b->errors, sizeof b->errors, type);
    } else if (!strcmp(method, "Log.entryAdded")) {
        const json_t *e = json_object_get(p, "entry");
        const char *level = json_string_value(json_object_get(e, "level"));
        if (level && !strcmp(level, "error"))
            browser_note(b->errors, sizeof b->errors,
                         json_string_value(json_object_get(e, "text")));
    } else if (!strcmp(method, "Network.requestWillBeSent")) {
        const char *url = json_string_value(json_object_get(json_object_get(p, "request"), "url"));
        if (url && strncmp(url, "data:", 5) != 0 && strncmp(url, b->page, strlen(b->page)) != 0)
            browser_note(b->requests, sizeof b->requests, url);
    }
}

/* Sends a command (params: a new reference, or NULL) and waits for its result (json_decref). */
static inline json_t *browser_call(struct browser *b, const char *method, json_t *params)
{
    json_t *message = json_pack("{s:i, s:s, s:o}", "id", ++b->last, "method", method, "params",
                                params ? params : json_object());
    if (*b->session)
        json_object_set_new(message, "sessionId", json_string(b->session));
    char *text = json_dumps(message, JSON_COMPACT);
    size_t left = strlen(text) + 1;
    for (const char *at = text; left;) {
        ssize_t n = write(b->to, at, left);
        if (n <= 0)
            break;
        at += n;
        left -= (size_t)n;
    }
    free(text);
    json_decref(message);
    while ((message = browser_read(b))) {
        const json_t *id = json_object_get(message, "id");
        if (json_is_integer(id) && json_integer_value(id) == b->last) {
            json_t *result = json_incref(json_object_get(message, "result"));
            if (!result)
                fprintf(stderr, "%s: %s\n", method,
                        json_string_value(
                            json_object_get(json_object_get(message, "error"), "message")));
            json_decref(message);
            return result;
        }
        browser_event(b, message);
        json_decref(message);
    }
    return NULL;
}

static inline void browser_do(struct browser *b, const char *method, json_t *params)
{
    json_decref(browser_call(b, method, params));
}

/* Starts the browser; false when it cannot be. */
static inline bool browser_start(struct browser *b)
{
    memset(b, 0, sizeof *b);
    int to[2], from[2];
    if (pipe(to) || pipe(from))
        return false;
    snprintf(b->profile, sizeof b->profile, "%s", test_temporary_path("-browser"));
    char profile[600];
    snprintf(profile, sizeof profile, "--user-data-dir=%s", b->profile);
    b->pid = fork();
    if (b->pid == 0) {
        /* 3 and 4 may be taken by the pipes themselves: first out of the way */
        int in = fcntl(to[0], F_DUPFD, 10), out = fcntl(from[1], F_DUPFD, 10);
        dup2(in, 3);
        dup2(out, 4);
        for (int fd = 5; fd < 64; fd++)
            close(fd);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        execl(browser_program(), "chromium", "--headless", "--no-sandbox", "--disable-gpu",
              "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
              "--disable-background-networking", "--remote-debugging-pipe", profile, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    b->to = to[1];
    b->from = from[0];
    signal(SIGPIPE, SIG_IGN);
    json_t *made = browser_call(b, "Target.createTarget", json_pack("{s:s}", "url", "about:blank"));
    if (!made)
        return false;
    json_t *attached = browser_call(
        b, "Target.attachToTarget",
        json_pack("{s:O, s:b}", "targetId", json_object_get(made, "targetId"), "flatten", 1));
    const char *session = json_string_value(json_object_get(attached, "sessionId"));
    snprintf(b->session, sizeof b->session, "%s", session ? session : "");
    json_decref(made);
    json_decref(attached);
    static const char *const domains[] = { "Page.enable", "Runtime.enable", "Log.enable",
                                           "Network.enable" };
    for (size_t i = 0; i < 4; i++)
        browser_do(b, domains[i], NULL);
    return *b->session != 0;
}

static inline void browser_stop(struct browser *b)
{
    *b->session = 0;
    browser_do(b, "Browser.close", NULL);
    close(b->to);
    close(b->from);
    waitpid(b->pid, NULL, 0);
    free(b->held);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/rm", "rm", "-rf", b->profile, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

static inline void browser_size(struct browser *b, int width, int height)
{
    browser_do(b, "Emulation.setDeviceMetricsOverride",
               json_pack("{s:i, s:i, s:i, s:b}", "width", width, "height", height,
                         "deviceScaleFactor", 1, "mobile", width < 600));
}

/* media: "", "print"; scheme: "light", "dark". */
static inline void browser_media(struct browser *b, const char *media, const char *scheme)
{
    browser_do(b, "Emulation.setEmulatedMedia",
               json_pack("{s:s, s:[{s:s, s:s}]}", "media", media, "features", "name",
                         "prefers-color-scheme", "value", scheme));
}

/* Opens a page and waits for its load event. */
static inline bool browser_open(struct browser *b, const char *url)
{
    int before = b->loaded;
    snprintf(b->page, sizeof b->page, "%.*s", (int)strcspn(url, "#"), url);
    browser_do(b, "Page.navigate", json_pack("{s:s}", "url", url));
    while (b->loaded == before) {
        json_t *message = browser_read(b);
        if (!message)
            return false;
        browser_event(b, message);
        json_decref(message);
    }
    return true;
}

/* The value of an expression in the page (json_decref); NULL when it throws. */
static inline json_t *browser_evaluate(struct browser *b, const char *expression)
{
    json_t *result =
        browser_call(b, "Runtime.evaluate",
                     json_pack("{s:s, s:b}", "expression", expression, "returnByValue", 1));
    json_t *value = NULL;
    if (json_object_get(result, "exceptionDetails"))
        fprintf(stderr, "in the page: %s: %s\n", expression,
                json_string_value(json_object_get(
                    json_object_get(json_object_get(result, "exceptionDetails"), "exception"),
                    "description")));
    else
        value = json_incref(json_object_get(json_object_get(result, "result"), "value"));
    json_decref(result);
    return value;
}

static inline double browser_number(struct browser *b, const char *expression)
{
    json_t *value = browser_evaluate(b, expression);
    double x = json_is_true(value) ? 1 : json_is_number(value) ? json_number_value(value) : -1;
    json_decref(value);
    return x;
}

/* Where $ASSAY_SCREENSHOTS names a directory, the whole page as NAME.png there, for people to look
 * at. */
static inline void browser_picture(struct browser *b, const char *name)
{
    const char *directory = getenv("ASSAY_SCREENSHOTS");
    if (!directory || !*directory)
        return;
    json_t *shot =
        browser_call(b, "Page.captureScreenshot", json_pack("{s:b}", "captureBeyondViewport", 1));
    const char *text = json_string_value(json_object_get(shot, "data"));
    char path[1024], line[8192];
    snprintf(path, sizeof path, "%s/%s.b64", directory, name);
    if (text)
        test_write_file(path, text, strlen(text));
    snprintf(line, sizeof line, "base64 -d '%s' > '%s/%s.png' && rm '%s'", path, directory, name,
             path);
    if (text && system(line) != 0)
        fprintf(stderr, "no picture %s\n", name);
    json_decref(shot);
}
#endif
