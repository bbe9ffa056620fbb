/* Errors, threads, interruption: the state that every room shares, and nothing else of that kind.
 *
 * A message is one line by construction: control bytes (newlines, escape sequences that a hostile
 * file name could carry to a terminal) become blanks, bytes that are no UTF-8 become "?", and a
 * message too long is cut at a character boundary. */
#include "base/text.h"
#include <assay/base.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { MESSAGE_BYTES = 2048 };
static _Thread_local char message[MESSAGE_BYTES];

/* Writes text into the thread's message as one clean line. */
static void message_store(const char *text)
{
    size_t n = strlen(text);
    if (n > MESSAGE_BYTES - 1) {
        n = base_utf8_complete(text, MESSAGE_BYTES - 1);
    }
    memcpy(message, text, n);
    message[n] = 0;
    base_text_clean(message);
}

int base_error_set(int code, const char *format, ...)
{
    /* Formatted aside first: an argument may be the current message itself. */
    char text[MESSAGE_BYTES + 4];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    message_store(text);
    return code;
}

int base_error_prefix(int code, const char *format, ...)
{
    char text[MESSAGE_BYTES + 4];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (n >= 0 && (size_t)n < sizeof text) {
        snprintf(text + n, sizeof text - (size_t)n, ": %s", message);
    }
    message_store(text);
    return code;
}

const char *base_error_message(void)
{
    return message;
}

static atomic_int threads_wanted;

void base_threads_set(int n)
{
    atomic_store(&threads_wanted, n > 0 ? n : 0);
#ifdef _OPENMP
    omp_set_num_threads(base_threads());
#endif
}

int base_threads(void)
{
    int n = atomic_load(&threads_wanted);
    if (n > 0) {
        return n;
    }
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        return CPU_COUNT(&set);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than a cpu_set_t holds */
    return online > 0 ? (int)online : 1;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    if (interrupted) {
        signal(number, SIG_DFL);
        raise(number);
    }
    interrupted = 1;
}

void base_interrupt_install(void)
{
    /* SA_RESTART: a write to a file must not fail half way because someone pressed Ctrl-C. */
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int base_interrupted(void)
{
    return interrupted;
}
