/* Learning-rate schedules: the factor that multiplies the peak rate in step s of T (0-based), with
 * W steps of warm-up, D steps of decay (wsd only) and a floor f, all as in the two programs whose
 * runs people want to repeat.
 *
 * hf (transformers.optimization): warm-up s/W, so the first step has rate 0; then with
 *   t = (s-W)/(T-W):   linear f + (1-f)(1-t), cosine f + (1-f)(1+cos(pi t))/2,
 *   wsd: warm-up f + (1-f)s/W, 1 until T-D, then f + (1-f)(1-t), t = (s-(T-D))/D
 * llmc (llm.c): warm-up (s+1)/W; then the same linear and cosine with t = (s-W)/(T-W),
 *   wsd: 1 until T-D, then f + (1-f)(1-sqrt(t)) */
#include <assay/train.h>
#include <math.h>
#include <string.h>

int train_schedule_factor(const char *name, const char *convention, uint64_t s, uint64_t steps,
                          uint64_t warmup_steps, uint64_t decay_steps, double floor, double *factor)
{
    bool hf = strcmp(convention, "hf") == 0, wsd = strcmp(name, "wsd") == 0;
    double W = (double)warmup_steps, T = (double)steps, at = (double)s;
    if (!hf && strcmp(convention, "llmc") != 0)
        return base_error_set(BASE_E_ARGUMENT,
                              "schedule convention: expected hf or llmc, got \"%s\"", convention);
    if (!wsd && strcmp(name, "constant") != 0 && strcmp(name, "linear") != 0 &&
        strcmp(name, "cosine") != 0)
        return base_error_set(BASE_E_ARGUMENT,
                              "schedule: expected constant, linear, cosine or wsd, got \"%s\"",
                              name);
    if (s < warmup_steps) {
        double rise = hf ? at / W : (at + 1) / W;
        *factor = hf && wsd ? floor + (1 - floor) * rise : rise;
        return 0;
    }
    if (strcmp(name, "constant") == 0) {
        *factor = 1;
        return 0;
    }
    if (wsd) {
        double D = (double)decay_steps, start = T - D > W ? T - D : W;
        if (at < start) {
            *factor = 1;
            return 0;
        }
        double t = D > 0 ? (at - start) / D : 1;
        t = t < 1 ? t : 1;
        *factor = floor + (1 - floor) * (1 - (hf ? t : sqrt(t)));
        return 0;
    }
    double t = T > W ? (at - W) / (T - W) : 1;
    t = t < 1 ? t : 1;
    double fall = strcmp(name, "linear") == 0 ? 1 - t : 0.5 * (1 + cos(M_PI * t));
    *factor = floor + (1 - floor) * fall;
    return 0;
}
