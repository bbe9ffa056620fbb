/* Asking at the terminal; see approve.h. */
#include "cli/approve.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/display.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SHOWN_BYTES 4000

static void paths(struct base_buffer *b, const char *what, const char *const *list)
{
    for (size_t i = 0; list && list[i]; i++) {
        base_buffer_printf(b, "  %-9s ", what);
        cli_append_visible(b, list[i], strlen(list[i]), 0);
        base_buffer_puts(b, "\n");
    }
}

static void touches(struct base_buffer *b, const struct agent_tool *tool)
{
    const struct agent_capabilities *n = &tool->needs;
    if (n->exec) {
        base_buffer_puts(b, "  program   ");
        cli_append_visible(b, n->exec, strlen(n->exec), 0);
        for (size_t i = 0; n->exec_arguments && n->exec_arguments[i]; i++) {
            base_buffer_puts(b, " ");
            cli_append_visible(b, n->exec_arguments[i], strlen(n->exec_arguments[i]), 0);
        }
        base_buffer_puts(b, "\n");
    }
    paths(b, "reads", n->read);
    paths(b, "writes", n->write);
    if (n->network)
        base_buffer_puts(b, "  network   yes\n");
    if (n->connect)
        paths(b, "connects", (const char *const[]){ n->connect, NULL });
    if (tool->remote)
        base_buffer_puts(b, "  is asked elsewhere, of another program's server\n");
}

/* The arguments, line by line, and the digest that the audit log has of them. */
static void arguments_show(struct base_buffer *b, const json_t *arguments)
{
    char hex[BASE_SHA256_HEX] = "";
    char *key = json_dumps(arguments, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    char *text = json_dumps(arguments, JSON_INDENT(2) | JSON_ENCODE_ANY);
    if (key)
        base_sha256(key, strlen(key), hex);
    base_buffer_printf(b, "with the arguments (SHA-256 %s):\n", hex);
    size_t n = text ? strlen(text) : 0,
           shown = n > SHOWN_BYTES ? base_utf8_complete(text, SHOWN_BYTES) : n;
    for (size_t at = 0; at < shown;) {
        size_t line = strcspn(text + at, "\n");
        if (line > shown - at)
            line = shown - at;
        base_buffer_puts(b, "  ");
        cli_append_visible(b, text + at, line, 0);
        base_buffer_puts(b, "\n");
        at += line + 1;
    }
    if (shown < n)
        base_buffer_printf(b, "  ... and %zu bytes more\n", n - shown);
    base_free(key);
    base_free(text);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A line in time: 1, too late: 0, no line: -1. */
static int line_read(char *line, size_t size, double until)
{
    size_t n = 0;
    for (;;) {
        double left = until - now();
        struct pollfd fd = { STDIN_FILENO, POLLIN, 0 };
        int ready = left > 0 ? poll(&fd, 1, (int)(left * 1000) + 1) : 0;
        if (base_interrupted())
            return -1;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return ready;
        char c;
        if (read(STDIN_FILENO, &c, 1) != 1)
            return -1;
        if (c == '\n') {
            line[n] = 0;
            return 1;
        }
        if (n + 1 < size)
            line[n++] = c;
    }
}

bool cli_approve(void *context, const struct agent_tool *tool, const json_t *arguments,
                 const char *reason)
{
    const struct cli_approval *a = context;
    if (a->yes)
        return true;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    unsigned seconds = a->seconds ? a->seconds : 60;
    struct base_buffer b = { 0 };
    base_buffer_printf(&b, "%s wants to run: ", tool->name);
    cli_append_visible(&b, reason, strlen(reason), 0);
    base_buffer_puts(&b, "\n");
    touches(&b, tool);
    arguments_show(&b, arguments);
    int rc = base_buffer_printf(&b, "Allow this call, within %u seconds? [y/N] ", seconds);
    if (!rc) {
        tcflush(STDIN_FILENO, TCIFLUSH);
        fputs(b.data, stderr);
        fflush(stderr);
    }
    base_buffer_free(&b);
    char line[16] = "";
    int got = rc ? -1 : line_read(line, sizeof line, now() + seconds);
    if (got == 0)
        fprintf(stderr, "\nNo answer in %u seconds: it is not made.\n", seconds);
    return got == 1 && (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0);
}
