/* Linear classifiers of two classes: the support vector machine with squared hinge loss and
 * logistic regression, both with L2 penalty, as LIBLINEAR (Fan et al. 2008) and scikit-learn's
 * LinearSVC pose them. With rows x_i, y_i = +-1, the constant feature `bias` appended to every row
 * (its weight is penalised like the others), and k_i copies of row i of class weight c(y_i):
 *
 *     SVM       min_w  w.w/2 + C sum_i k_i c(y_i) max(0, 1 - y_i w.x_i)^2
 *     logistic  min_w  w.w/2 + C sum_i k_i c(y_i) ln(1 + exp(-y_i w.x_i))
 *
 * Both are strictly convex: one solution, whichever solver finds it.
 *
 *     primal          our own: Newton's method with conjugate gradients (newton.c), no random
 * order. Copies of a row cost nothing: they are one row with C k_i dual            our own, SVM
 * alone: coordinate descent with shrinking (Hsieh et al. 2008). LIBLINEAR's -s 1 draws its order
 * from rand(), this one from a stream of its own, so that many can run at once and each gives the
 * same bits at any thread count; copies as above liblinear       LIBLINEAR -s 2 (SVM), -s 0
 * (logistic): trust region Newton, no random order liblinear-dual  LIBLINEAR -s 1 (SVM), -s 7
 * (logistic), one at a time and rand() seeded before each, so that they are repeatable too
 *
 * LIBLINEAR's library is loaded with the first problem that needs it. */
#ifndef CLASSIFY_LINEAR_H
#define CLASSIFY_LINEAR_H
#include "classify/matrix.h"
#include <stdbool.h>

enum classify_learner { CLASSIFY_SVM, CLASSIFY_LOGISTIC, CLASSIFY_LEARNERS };
enum classify_solver {
    CLASSIFY_SOLVER_PRIMAL,
    CLASSIFY_SOLVER_DUAL, /* SVM alone */
    CLASSIFY_SOLVER_LIBLINEAR,
    CLASSIFY_SOLVER_LIBLINEAR_DUAL,
    CLASSIFY_SOLVERS
};
extern const char *const classify_learner_names[CLASSIFY_LEARNERS]; /* "svm", "logistic" */
extern const char *const classify_solver_names[CLASSIFY_SOLVERS];   /* "primal", "dual", ... */

struct classify_linear_options {
    enum classify_learner learner;
    enum classify_solver solver;
    double c;
    double tolerance;      /* LIBLINEAR's -e: of the projected gradient (dual), or relative to the
                              first gradient (primal) */
    size_t max_iterations; /* Newton steps, or passes over the rows; LIBLINEAR has its own 1000 */
    double bias;           /* value of the constant feature; 0 = none */
    uint64_t seed;         /* of the order of rows */
};
#define CLASSIFY_LINEAR_OPTIONS_DEFAULT                                                            \
    {                                                                                              \
        .c = 1, .tolerance = 1e-4, .max_iterations = 1000, .bias = 1                               \
    }
struct classify_linear_problem {
    const struct classify_matrix *x;
    const bool *positive;  /* [rows] y_i = +1 */
    const uint32_t *count; /* [rows] copies, 0 leaves a row out; NULL = one of each */
    double weight[2];      /* class weight of negatives, positives; > 0 */
};
struct classify_linear_result {
    size_t iterations; /* steps or passes; 0: LIBLINEAR does not tell */
    bool converged;    /* false: the most passes were made before the tolerance was met */
};
/* w [columns + 1]: weights, then the intercept (weight of the bias feature times its value).
 * BASE_E_ARGUMENT when only one class is left, or the options cannot be; BASE_E_INTERRUPTED. */
int classify_linear_train(const struct classify_linear_problem *p,
                          const struct classify_linear_options *options, double *w,
                          struct classify_linear_result *result);
/* What is minimised, at w (as given back above). For tests and reports. */
double classify_linear_objective(const struct classify_linear_problem *p,
                                 const struct classify_linear_options *options, const double *w);
/* score[i] = w.x_i + intercept for every row; w [columns + 1]. */
void classify_linear_scores(const struct classify_matrix *x, const double *w, double *score);
#endif
