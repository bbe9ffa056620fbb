/* The primal solver behind linear.h: Newton's method with conjugate gradients, for both losses. */
#ifndef CLASSIFY_NEWTON_H
#define CLASSIFY_NEWTON_H
#include "classify/linear.h"

/* w [columns + 1] as classify_linear_train gives it. The end is LIBLINEAR's: |gradient| is at most
 * tolerance * max(1, min(positives, negatives)) / rows times that at w = 0. */
int classify_newton_train(const struct classify_linear_problem *p,
                          const struct classify_linear_options *options, double *w,
                          struct classify_linear_result *result);
#endif
