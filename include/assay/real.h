/* The engine's number type. Everything in tensor, model and train computes in `real`: float in the
 * program, double in the float64 build (make MODE=f64), which exists to check the float build
 * against and to run gradient checks to 1e-6 and better. */
#ifndef ASSAY_REAL_H
#define ASSAY_REAL_H
#ifdef ASSAY_FLOAT64
typedef double real;
#define REAL(x) x
#else
typedef float real;
#define REAL(x) x##f
#endif
#endif
