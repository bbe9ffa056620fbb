/* base: what every room stands on. Errors, version, threads, interruption.
 *
 * Errors: a function that can fail returns 0, or one of the negative codes below after it has
 * called base_error_set(). The message is thread-local, one line, and names what a person needs:
 * file, tensor/line/field, expected, actual, what to do. The library never exits, prints or aborts
 * on bad input. */
#ifndef ASSAY_BASE_H
#define ASSAY_BASE_H

#include <stddef.h>
#include <stdint.h>

#define ASSAY_VERSION "0.1.0"

enum base_error {
    BASE_OK = 0,
    BASE_E_ARGUMENT =
        -1,         /* the caller asked for something that cannot be: bad option, id out of range */
    BASE_E_IO = -2, /* the system said no: open, read, write, network */
    BASE_E_FORMAT = -3, /* a file or text breaks its format's rules */
    BASE_E_UNSUPPORTED =
        -4, /* well-formed, but not something Assay reads (architecture, dtype, opcode) */
    BASE_E_MEMORY = -5,      /* allocation failed */
    BASE_E_LIMIT = -6,       /* beyond a documented limit (context length, depth, size) */
    BASE_E_INTERRUPTED = -7, /* Ctrl-C: what was done is saved */
    BASE_E_NUMERIC = -8,     /* NaN or infinity where a number is needed */
};

/* Sets the calling thread's message (printf style) and returns code, so that callers can write
 * `return base_error_set(BASE_E_IO, "%s: %s", path, strerror(errno));`. */
int base_error_set(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "context: " before the message already set and returns code (which is passed through). */
int base_error_prefix(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The calling thread's last message; "" when none. Valid until the thread's next error. */
const char *base_error_message(void);

/* Threads used by the numerical rooms. 0 means one per available CPU (the default; respects the
 * process's affinity mask). The number never changes a result. */
void base_threads_set(int n);
int base_threads(void);

/* Installs handlers for SIGINT/SIGTERM that only raise a flag; a second signal ends the process.
 * Long loops ask base_interrupted() and stop with BASE_E_INTERRUPTED after saving. */
void base_interrupt_install(void);
int base_interrupted(void);

#endif
