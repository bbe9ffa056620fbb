/* Kept answers from arbitrary bytes: a file of them, and a single one. */
#include "eval/answers.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eval_response r = { 0 };
    struct eval_answers *a = NULL;
    char path[64];
    size_t used;
    (void)eval_answer_unpack(data, size, &r, &used);
    eval_response_clear(&r);
    snprintf(path, sizeof path, "/tmp/assay-fuzz-answers-%ld", (long)getpid());
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
    const char *const files[] = { path };
    uint8_t key[EVAL_KEY_BYTES] = { 0 };
    if (eval_answers_open(&a, files, 1, NULL) == 0 && size >= 12 + EVAL_KEY_BYTES) {
        for (size_t i = 0; i < EVAL_KEY_BYTES; i++)
            key[i] = data[12 + i];
        (void)eval_answers_find(a, key, &r);
        eval_response_clear(&r);
    }
    eval_answers_close(a);
    unlink(path);
    return 0;
}
