/* Shared libraries that only some commands need, loaded when they are first used. Cairo and libcurl
 * draw in some forty more libraries and cost 15-25 ms at every start; most commands use neither.
 *
 * A room lists the functions it uses once, as a struct of function pointers (an X macro keeps
 * names, types and order together), and calls base_library_load before its first use:
 *
 *     #define FUNCTIONS(X) X(create) X(destroy)
 *     struct thing_functions {
 *     #define X(name) __typeof__(thing_##name) *name;
 *         FUNCTIONS(X)
 *     #undef X
 *     };
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H
#include <assay/base.h>

/* Loads `file` ("libcairo.so.2") and stores the addresses of the n functions in `names` into
 * `functions`, a struct of exactly n function pointers (all NULL before). Does nothing when that
 * has been done. Thread-safe. BASE_E_UNSUPPORTED, naming the Debian package, when the library or
 * one of the functions is missing. The library stays loaded. */
int base_library_load(const char *file, const char *package, const char *const *names,
                      void *functions, size_t n);
#endif
