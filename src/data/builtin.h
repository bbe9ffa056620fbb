/* Example data inside the program: "builtin:NAME" wherever a file is read. */
#ifndef DATA_BUILTIN_H
#define DATA_BUILTIN_H
#include <stddef.h>

struct data_builtin {
    const char *name; /* "survey" */
    const char *file; /* "survey.csv": its ending tells the format */
    const char *bytes, *end;
    const char *what; /* one line for people */
};
extern const struct data_builtin data_builtins[];
extern const size_t data_builtin_count;

/* The entry of a path "builtin:NAME"; NULL when path does not begin with "builtin:", or after
 * base_error_set (BASE_E_ARGUMENT, listing the names) when there is none of that name. */
const struct data_builtin *data_builtin_find(const char *path);
#endif
