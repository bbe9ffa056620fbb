/* The progress line, logging, the terminal's width and the clock. All of it goes to standard error
 * and none of it changes a result. */
#include "base/progress.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct base_progress {
    char *label, *unit;
    uint64_t total;
    double started, drawn; /* drawn: when the line was last written */
};

static atomic_bool quiet_process;
static atomic_bool
    line_visible; /* a progress line stands on the terminal: a log line clears it first */

void base_progress_quiet(bool quiet)
{
    atomic_store(&quiet_process, quiet);
}

int base_terminal_columns(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

double base_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void line_clear(void)
{
    if (atomic_exchange(&line_visible, false)) {
        fputs("\r\033[K", stderr);
    }
}

void base_log(const char *format, ...)
{
    if (atomic_load(&quiet_process)) {
        return;
    }
    char line[4096]; /* what is logged may name what others have written */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    base_text_clean(line);
    line_clear();
    fprintf(stderr, "%s\n", line);
}

struct base_progress *base_progress_begin(const char *label, const char *unit, uint64_t total)
{
    if (atomic_load(&quiet_process) || !isatty(STDERR_FILENO)) {
        return NULL;
    }
    struct base_progress *p = base_alloc_zero(1, sizeof *p);
    if (!p) {
        return NULL; /* no progress line is no reason to stop */
    }
    p->label = base_strdup(label);
    p->unit = base_strdup(unit ? unit : "");
    if (!p->label || !p->unit) {
        base_free(p->label);
        base_free(p->unit);
        base_free(p);
        return NULL;
    }
    p->total = total;
    p->started = base_clock();
    p->drawn = p->started - 1;
    return p;
}

/* 950, 8.1k, 2.4M: three significant digits at most */
static void put_quantity(struct base_buffer *b, double x)
{
    static const char *const suffix[] = { "", "k", "M", "G", "T" };
    size_t i = 0;
    while (x >= 999.5 && i < 4) {
        x /= 1000;
        i++;
    }
    base_buffer_printf(b, "%.*f%s", x < 9.95 && (i > 0 || x < 1) ? 1 : 0, x, suffix[i]);
}

static void put_duration(struct base_buffer *b, double seconds)
{
    unsigned long s = (unsigned long)(seconds + 0.5);
    if (s >= 3600) {
        base_buffer_printf(b, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    } else {
        base_buffer_printf(b, "%lu:%02lu", s / 60, s % 60);
    }
}

/* How many leading bytes of s fit into `columns` terminal columns. */
static size_t fitting_bytes(const char *s, size_t n, int columns)
{
    size_t i = 0;
    int used = 0;
    while (i < n) {
        uint32_t code;
        size_t length = base_utf8_decode(s + i, n - i, &code);
        length += length == 0;
        used += base_utf8_columns(s + i, length);
        if (used > columns) {
            break;
        }
        i += length;
    }
    return i;
}

void base_progress_update(struct base_progress *p, uint64_t done, const char *note)
{
    if (!p) {
        return;
    }
    double now = base_clock();
    if (now - p->drawn < 0.1 && !(p->total && done >= p->total)) {
        return;
    }
    p->drawn = now;
    double elapsed = now - p->started;
    double rate = elapsed > 0 ? (double)done / elapsed : 0;
    struct base_buffer line = { 0 };
    base_buffer_printf(&line, "%s  ", p->label);
    if (p->total) {
        enum { BAR = 20 };
        double part = done < p->total ? (double)done / (double)p->total : 1;
        char bar[BAR + 1];
        for (int i = 0; i < BAR; i++) {
            bar[i] = i < (int)floor(part * BAR) ? '#' : '.';
        }
        bar[BAR] = 0;
        base_buffer_printf(&line, "[%s]  ", bar);
        put_quantity(&line, (double)done);
        base_buffer_puts(&line, "/");
        put_quantity(&line, (double)p->total);
    } else {
        put_quantity(&line, (double)done);
    }
    if (elapsed > 0.5 && done > 0) {
        base_buffer_puts(&line, "  ");
        put_quantity(&line, rate);
        base_buffer_printf(&line, " %s/s", p->unit);
    }
    if (note && *note) {
        base_buffer_printf(&line, "  %s", note);
    }
    if (p->total > done && elapsed > 1 && done > 0) {
        base_buffer_puts(&line, "  ");
        put_duration(&line, (double)(p->total - done) / rate);
        base_buffer_puts(&line, " left");
    }
    if (line.data) {
        /* One column stays free: a full last column makes some terminals wrap. */
        size_t n = fitting_bytes(line.data, line.length, base_terminal_columns(STDERR_FILENO) - 1);
        fprintf(stderr, "\r\033[K%.*s", (int)n, line.data);
        fflush(stderr);
        atomic_store(&line_visible, true);
    }
    base_buffer_free(&line);
}

void base_progress_end(struct base_progress *p)
{
    if (p) {
        line_clear();
        base_free(p->label);
        base_free(p->unit);
        base_free(p);
    }
}
