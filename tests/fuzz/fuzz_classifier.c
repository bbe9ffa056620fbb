/* Fuzz target: a classifier's file. Also the same bytes with a right checksum behind them, so that
 * what stands behind it is reached. build/fuzz/tests/fuzz/fuzz_classifier CORPUS_DIRECTORY
 * -max_total_time=60 */
#include "base/hash.h"
#include "base/memory.h"
#include "classify/model.h"
#include <stdlib.h>
#include <string.h>

static void try(const uint8_t *data, size_t bytes)
{
    struct classify_model m;
    if (classify_model_parse(&m, data, bytes, "fuzz.model")) {
        if (strchr(base_error_message(), '\n') || !*base_error_message())
            abort();
        return;
    }
    /* what was accepted can be used */
    static const char text[] = "Some words of a TEXT, 12 of them";
    struct classify_matrix x;
    double *number = calloc(m.features.numbers + 1, sizeof *number);
    struct data_cell *category = calloc(m.features.categories + 1, sizeof *category);
    double *score = calloc(m.fitted.outputs, sizeof *score);
    for (size_t j = 0; j < m.features.categories; j++)
        category[j] = (struct data_cell){ "x", 1 };
    if (!number || !category || !score || classify_matrix_begin(&x, m.fitted.columns))
        abort();
    if (!classify_features_apply(&m.features, (struct data_cell){ text, sizeof text - 1 }, number,
                                 category, &x) &&
        !classify_scores(&m.fitted, &x, score) &&
        classify_decide(score, m.fitted.classes) >= m.fitted.classes)
        abort();
    classify_matrix_free(&x);
    classify_model_free(&m);
    free(number);
    free(category);
    free(score);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    try(data, bytes);
    uint8_t *whole = malloc(bytes + 8);
    if (!whole)
        return 0;
    memcpy(whole, data, bytes);
    uint64_t hash = base_hash64(data, bytes, 1);
    for (int i = 0; i < 8; i++)
        whole[bytes + (size_t)i] = (uint8_t)(hash >> 8 * i);
    try(whole, bytes + 8);
    free(whole);
    return 0;
}
