/* Conditions: the input is the expression; whatever it says, parsing and testing it end. */
#include "base/memory.h"
#include <assay/sampling.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "n,t,odd name\n1,a,5\n3,c,4\n,it's,\n17,xyz,6\n,,\n";
    static int file = -1;
    char path[64];
    if (file < 0) {
        file = memfd_create("fuzz", 0);
        if (write(file, text, sizeof text - 1) != (ssize_t)(sizeof text - 1))
            abort();
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    char *expression = malloc(size + 1);
    memcpy(expression, data, size);
    expression[size] = 0;
    struct data_table *t;
    struct sampling_condition *c;
    const struct data_cell *cells;
    const struct data_table_options o = { .format = DATA_FORMAT_CSV };
    if (data_table_open(&t, path, &o))
        abort();
    if (sampling_condition_parse(&c, expression, t) == 0) {
        while (data_table_next(t, &cells) == 1) {
            int rc = sampling_condition_test(c, t, cells);
            if (rc > 2)
                abort();
            if (rc < 0)
                break;
        }
        sampling_condition_free(c);
    }
    data_table_close(t);
    free(expression);
    return 0;
}
