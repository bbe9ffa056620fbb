/* Activation functions by name, plain and gated, forward and backward. The functions themselves
 * are in kernels_activation.h. */
#include "tensor/kernels_table.h"
#include "tensor/parallel.h"
#include <string.h>

/* Nanoseconds per 16 elements, measured on AVX-512 and rounded up: what parallel_threads wants. */
#define COST 12

/* Names of Hugging Face's ACT2FN; the first of each function is its canonical one. */
static const struct {
    const char *name;
    enum tensor_activation f;
} NAMES[] = {
    { "gelu", TENSOR_GELU },
    { "gelu_new", TENSOR_GELU_TANH },
    { "gelu_fast", TENSOR_GELU_TANH },
    { "gelu_pytorch_tanh", TENSOR_GELU_TANH },
    { "gelu_accurate", TENSOR_GELU_TANH },
    { "quick_gelu", TENSOR_GELU_QUICK },
    { "silu", TENSOR_SILU },
    { "swish", TENSOR_SILU },
    { "relu", TENSOR_RELU },
    { "relu2", TENSOR_RELU_SQUARED },
    { "sigmoid", TENSOR_SIGMOID },
    { "tanh", TENSOR_TANH },
    { "linear", TENSOR_IDENTITY },
};
#define N_NAMES (sizeof NAMES / sizeof *NAMES)

int tensor_activation_parse(const char *name, enum tensor_activation *out)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        if (!strcmp(name, NAMES[i].name)) {
            *out = NAMES[i].f;
            return 0;
        }
    }
    return base_error_set(BASE_E_UNSUPPORTED,
                          "activation \"%s\": expected one of gelu, gelu_new, gelu_fast, "
                          "gelu_pytorch_tanh, gelu_accurate, quick_gelu, silu, swish, relu, relu2, "
                          "sigmoid, tanh, linear",
                          name);
}

const char *tensor_activation_name(enum tensor_activation f)
{
    for (size_t i = 0; i < N_NAMES; i++)
        if (NAMES[i].f == f)
            return NAMES[i].name;
    return "?";
}

void tensor_activate(enum tensor_activation f, real *y, const real *x, size_t n)
{
    const struct tensor_activation_kernels *k = &tensor_kernels()->activation[f];
    const int threads = parallel_threads(n, COST);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int t = 0; t < threads; t++) {
        size_t from, to;
        parallel_share(n, t, threads, &from, &to);
        k->row(y + from, x + from, to - from);
    }
}

void tensor_activate_backward(enum tensor_activation f, real *dx, const real *dy, const real *x,
                              size_t n)
{
    const struct tensor_activation_kernels *k = &tensor_kernels()->activation[f];
    const int threads = parallel_threads(n, COST);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int t = 0; t < threads; t++) {
        size_t from, to;
        parallel_share(n, t, threads, &from, &to);
        k->back(dx + from, dy + from, x + from, to - from);
    }
}

void tensor_gate(enum tensor_activation f, real *y, const real *gate_up, size_t rows, size_t ff)
{
    const struct tensor_activation_kernels *k = &tensor_kernels()->activation[f];
    const int threads = parallel_threads(rows * ff, COST);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++) {
        const real *gate = gate_up + 2 * r * ff;
        k->gate(y + r * ff, gate, gate + ff, ff);
    }
}

void tensor_gate_backward(enum tensor_activation f, real *d_gate_up, const real *dy,
                          const real *gate_up, size_t rows, size_t ff)
{
    const struct tensor_activation_kernels *k = &tensor_kernels()->activation[f];
    const int threads = parallel_threads(rows * ff, COST);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (size_t r = 0; r < rows; r++) {
        const real *gate = gate_up + 2 * r * ff;
        real *d_gate = d_gate_up + 2 * r * ff;
        k->gate_back(d_gate, d_gate + ff, dy + r * ff, gate, gate + ff, ff);
    }
}
