/* Rotary positions. Pair i of a head's first `rotary` dims turns by position * f_i radians, with
 * f_i = base^(-2i/rotary) and then one of the ways to stretch a model's context. Frequencies and
 * angles are doubles: at position 100,000 a float angle is off by 0.004 rad. */
#include "base/memory.h"
#include "tensor/kernels_table.h"
#include "tensor/parallel.h"
#include <math.h>

#define TAU 6.28318530717958647692

struct tensor_rope {
    struct tensor_rope_options options; /* divisors not kept */
    size_t pairs;
    double attention; /* factor on cosines and sines */
    double frequency[];
};

/* Llama 3.1: wavelengths above context/low are divided by factor, those below context/high are
 * kept, between them the two are mixed linearly in the number of turns over the context. */
static double llama3_frequency(double f, const struct tensor_rope_options *o)
{
    const double turns = o->original_context * f / TAU;
    if (turns > o->high_frequency_factor)
        return f;
    if (turns < o->low_frequency_factor)
        return f / o->factor;
    const double mix =
        (turns - o->low_frequency_factor) / (o->high_frequency_factor - o->low_frequency_factor);
    return (1 - mix) * f / o->factor + mix * f;
}

/* YaRN: the pair (a real number) that makes `turns` turns over the original context:
 *   context * base^(-2i/rotary) = 2 pi turns. */
static double yarn_pair(double turns, const struct tensor_rope_options *o)
{
    return (double)o->rotary * log(o->original_context / (turns * TAU)) / (2 * log(o->base));
}
static double yarn_frequency(double f, size_t i, const struct tensor_rope_options *o)
{
    double low = yarn_pair(o->beta_fast, o), high = yarn_pair(o->beta_slow, o);
    if (!o->no_truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, (double)o->rotary - 1);
    if (low == high)
        high += 0.001; /* as the authors do: a ramp of no length */
    const double ramp = fmin(fmax(((double)i - low) / (high - low), 0), 1);
    return f / o->factor * ramp + f * (1 - ramp);
}
static double yarn_scale(double factor, double m)
{
    return factor <= 1 ? 1 : 0.1 * m * log(factor) + 1;
}

static double attention_factor(const struct tensor_rope_options *o)
{
    if (o->attention_factor != 0)
        return o->attention_factor;
    if (o->scaling == TENSOR_ROPE_YARN) {
        if (o->mscale != 0 && o->mscale_all_dim != 0)
            return yarn_scale(o->factor, o->mscale) / yarn_scale(o->factor, o->mscale_all_dim);
        return yarn_scale(o->factor, 1);
    }
    if (o->scaling == TENSOR_ROPE_LONGROPE && o->factor > 1)
        return sqrt(1 + log(o->factor) / log(o->original_context));
    return 1;
}

static int check(const struct tensor_rope_options *o)
{
    const bool stretched = o->scaling != TENSOR_ROPE_NONE;
    const bool by_context = stretched && o->scaling != TENSOR_ROPE_LINEAR;
    if (o->rotary == 0 || o->rotary % 2)
        return base_error_set(BASE_E_ARGUMENT, "rope: rotary dims are %zu, expected an even number",
                              o->rotary);
    if (!(o->base > 1) || !isfinite(o->base))
        return base_error_set(BASE_E_ARGUMENT, "rope: theta is %g, expected a number above 1",
                              o->base);
    if ((unsigned)o->scaling > TENSOR_ROPE_LONGROPE)
        return base_error_set(BASE_E_ARGUMENT, "rope: unknown scaling %d", (int)o->scaling);
    if (stretched && (!(o->factor > 0) || !isfinite(o->factor)))
        return base_error_set(BASE_E_ARGUMENT, "rope: factor is %g, expected a number above 0",
                              o->factor);
    if (by_context && (!(o->original_context > 1) || !isfinite(o->original_context)))
        return base_error_set(BASE_E_ARGUMENT,
                              "rope: original context is %g, expected a number of positions",
                              o->original_context);
    if (o->scaling == TENSOR_ROPE_LLAMA3 &&
        !(o->low_frequency_factor > 0 && o->high_frequency_factor > o->low_frequency_factor))
        return base_error_set(
            BASE_E_ARGUMENT,
            "rope: llama3 frequency factors are %g and %g, expected 0 < low < high",
            o->low_frequency_factor, o->high_frequency_factor);
    if (o->scaling == TENSOR_ROPE_YARN && !(o->beta_slow > 0 && o->beta_fast > 0))
        return base_error_set(BASE_E_ARGUMENT,
                              "rope: yarn betas are %g (fast) and %g (slow), expected above 0",
                              o->beta_fast, o->beta_slow);
    if (o->scaling == TENSOR_ROPE_LONGROPE && !o->divisors)
        return base_error_set(
            BASE_E_ARGUMENT, "rope: longrope needs a divisor for each of %zu pairs", o->rotary / 2);
    return 0;
}

int tensor_rope_new(struct tensor_rope **out, const struct tensor_rope_options *options)
{
    *out = NULL;
    const int rc = check(options);
    if (rc)
        return rc;
    const size_t pairs = options->rotary / 2;
    struct tensor_rope *rope = base_alloc(1, sizeof *rope + pairs * sizeof rope->frequency[0]);
    if (!rope)
        return BASE_E_MEMORY;
    rope->options = *options;
    rope->options.divisors = NULL;
    rope->pairs = pairs;
    rope->attention = attention_factor(options);
    for (size_t i = 0; i < pairs; i++) {
        const double f = pow(options->base, -2.0 * (double)i / (double)options->rotary);
        switch (options->scaling) {
        case TENSOR_ROPE_NONE:
            rope->frequency[i] = f;
            break;
        case TENSOR_ROPE_LINEAR:
            rope->frequency[i] = f / options->factor;
            break;
        case TENSOR_ROPE_LLAMA3:
            rope->frequency[i] = llama3_frequency(f, options);
            break;
        case TENSOR_ROPE_YARN:
            rope->frequency[i] = yarn_frequency(f, i, options);
            break;
        case TENSOR_ROPE_LONGROPE:
            rope->frequency[i] = f / options->divisors[i];
            break;
        }
    }
    *out = rope;
    return 0;
}

void tensor_rope_free(struct tensor_rope *rope)
{
    base_free(rope);
}

double tensor_rope_frequency(const struct tensor_rope *rope, size_t i)
{
    return rope->frequency[i];
}

void tensor_rope_angles(const struct tensor_rope *rope, real *angles, const int32_t *positions,
                        size_t rows)
{
    const size_t pairs = rope->pairs;
    const int threads = parallel_threads(rows * pairs, 600);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++) {
        real *row = angles + r * 2 * pairs;
        for (size_t i = 0; i < pairs; i++) {
            double s, c;
            sincos((double)positions[r] * rope->frequency[i], &s, &c);
            row[i] = (real)(c * rope->attention);
            row[pairs + i] = (real)(s * rope->attention);
        }
    }
}

static void turn(const struct tensor_rope *rope, real *x, const real *angles, size_t rows,
                 size_t ld, size_t heads, size_t head_dim, real direction)
{
    const struct tensor_kernels *k = tensor_kernels();
    const size_t pairs = rope->pairs;
    const int threads = parallel_threads(rows * heads * pairs, 12);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++) {
        const real *cosine = angles + r * 2 * pairs;
        for (size_t h = 0; h < heads; h++)
            k->rotate(x + r * ld + h * head_dim, cosine, cosine + pairs, direction, pairs,
                      rope->options.interleaved);
    }
}

void tensor_rope_apply(const struct tensor_rope *rope, real *x, const real *angles, size_t rows,
                       size_t ld, size_t heads, size_t head_dim)
{
    turn(rope, x, angles, rows, ld, heads, head_dim, 1);
}

void tensor_rope_backward(const struct tensor_rope *rope, real *dx, const real *angles, size_t rows,
                          size_t ld, size_t heads, size_t head_dim)
{
    turn(rope, dx, angles, rows, ld, heads, head_dim, -1);
}
