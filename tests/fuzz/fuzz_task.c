/* Task descriptions: any text is either a task or refused with a message. The text is read as a
 * file (of memory), as a user's would be. */
#include <assay/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct eval_task_options options = EVAL_TASK_OPTIONS_DEFAULT;
    char path[64];
    int fd = memfd_create("task", 0);
    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (int s = EVAL_STRATEGY_TASK; s <= EVAL_STRATEGY_ICL; s++) {
        json_t *config = NULL;
        options.strategy = (enum eval_strategy_kind)s;
        if (eval_task_check(path, &options, &config) == 0)
            json_decref(config);
        else if (!*base_error_message())
            abort();
    }
    close(fd);
    return 0;
}
