/* Which rows train and which test. Every split is a pure function of labels and seed.
 *
 *     every     rows 0, n, 2n ... are the test (no chance in it)
 *     fraction  test = ceil(fraction n) rows at random, train = the rest; stratified: each class
 *               gives the train its share n_c train / n, rounded down, and the largest remainders
 *               one more (ties: the lower class), as scikit-learn's train_test_split has it
 *     folds     k folds; stratified as scikit-learn's StratifiedKFold: with the rows in the order
 *               of their classes, row p goes to fold p mod k, which says how many rows of a class a
 *               fold gets; which ones is drawn */
#ifndef CLASSIFY_SPLIT_H
#define CLASSIFY_SPLIT_H
#include <assay/base.h>
#include <stdbool.h>

enum classify_split_kind { CLASSIFY_SPLIT_EVERY, CLASSIFY_SPLIT_FRACTION, CLASSIFY_SPLIT_FOLDS };
struct classify_split_options {
    enum classify_split_kind kind;
    size_t every;    /* at least 2 */
    double fraction; /* in (0, 1) */
    size_t folds;    /* at least 2 */
    bool stratify;
    uint64_t seed;
};
/* fold [n]: number of the fold in which the row is tested; of a hold-out (every, fraction) 0 for
 * the test rows and UINT32_MAX for the others. y [n] below classes. *folds: how many (1 for a
 * hold-out). BASE_E_ARGUMENT when a class cannot be in every train and test (stratified), or a
 * part would be empty; class_name [classes] or NULL is for the message. */
int classify_split(const uint32_t *y, size_t classes, size_t n,
                   const struct classify_split_options *options, const char *const *class_name,
                   uint32_t *fold, size_t *folds);
#endif
