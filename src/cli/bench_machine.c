/* What this machine can do at best, so that results can be stated as a part of it.
 *
 * Arithmetic: chains of fused multiply-adds in registers only, twelve independent ones per thread,
 * more than latency times units (4 cycles x 2). Memory: every thread sums its part of a block of
 * 512 MiB, far larger than any cache; once in 2 MiB pages, once in 4 KiB pages, where the
 * prefetchers stop at each page's end and translations are missed. */
#include "base/memory.h"
#include "base/progress.h"
#include "cli/bench.h"
#include <assay/base.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { CHAINS = 12 };
#define BLOCK ((size_t)512 << 20)

/* One thread's work: `rounds` of CHAINS fused multiply-adds of `lanes` floats; and the sum of n
 * floats (n a multiple of 128). Both return a value so that nothing can be left out. */
struct variant {
    const char *name;
    unsigned lanes;
    float (*multiply_add)(long rounds);
    float (*sum)(const float *x, size_t n);
};

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static float multiply_add_512(long rounds)
{
    __m512 c[CHAINS], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
    for (int i = 0; i < CHAINS; i++)
        c[i] = _mm512_set1_ps((float)i);
    for (long r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            c[i] = _mm512_fmadd_ps(c[i], a, b);
    for (int i = 1; i < CHAINS; i++)
        c[0] = _mm512_add_ps(c[0], c[i]);
    return _mm512_reduce_add_ps(c[0]);
}

__attribute__((target("avx512f"))) static float sum_512(const float *x, size_t n)
{
    __m512 s[8];
    for (int k = 0; k < 8; k++)
        s[k] = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 128)
#pragma GCC unroll 8
        for (int k = 0; k < 8; k++)
            s[k] = _mm512_add_ps(s[k], _mm512_load_ps(x + i + 16 * (size_t)k));
    for (int k = 1; k < 8; k++)
        s[0] = _mm512_add_ps(s[0], s[k]);
    return _mm512_reduce_add_ps(s[0]);
}

__attribute__((target("avx2,fma"))) static float multiply_add_256(long rounds)
{
    __m256 c[CHAINS], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
    float out[8];
    for (int i = 0; i < CHAINS; i++)
        c[i] = _mm256_set1_ps((float)i);
    for (long r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            c[i] = _mm256_fmadd_ps(c[i], a, b);
    for (int i = 1; i < CHAINS; i++)
        c[0] = _mm256_add_ps(c[0], c[i]);
    _mm256_storeu_ps(out, c[0]);
    return out[0] + out[7];
}

__attribute__((target("avx2"))) static float sum_256(const float *x, size_t n)
{
    __m256 s[8];
    float out[8];
    for (int k = 0; k < 8; k++)
        s[k] = _mm256_setzero_ps();
    for (size_t i = 0; i < n; i += 64)
#pragma GCC unroll 8
        for (int k = 0; k < 8; k++)
            s[k] = _mm256_add_ps(s[k], _mm256_load_ps(x + i + 8 * (size_t)k));
    for (int k = 1; k < 8; k++)
        s[0] = _mm256_add_ps(s[0], s[k]);
    _mm256_storeu_ps(out, s[0]);
    return out[0] + out[7];
}
#endif

static float multiply_add_portable(long rounds)
{
    float c[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        c[i] = (float)i;
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++)
            c[i] = c[i] * 0.999f + 0.001f;
    for (int i = 1; i < CHAINS; i++)
        c[0] += c[i];
    return c[0];
}

static float sum_portable(const float *x, size_t n)
{
    float s[16] = { 0 };
    for (size_t i = 0; i < n; i += 16)
        for (int k = 0; k < 16; k++)
            s[k] += x[i + (size_t)k];
    for (int k = 1; k < 16; k++)
        s[0] += s[k];
    return s[0];
}

static struct variant variant_choose(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return (struct variant){ "AVX-512", 16, multiply_add_512, sum_512 };
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (struct variant){ "AVX2", 8, multiply_add_256, sum_256 };
#endif
    return (struct variant){ "portable", 1, multiply_add_portable, sum_portable };
}

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The sum over threads of work per second of that thread's CPU time. On
 * a quiet machine that is work per second; on one that others use, time given to them does not
 * count. */
static double flops_run(const struct variant *v, int threads, long rounds, volatile float *sink)
{
    float total = 0;
    double rate = 0, each = 2.0 * CHAINS * v->lanes * (double)rounds;
#pragma omp parallel for num_threads(threads) schedule(static, 1) reduction(+ : total, rate)
    for (int t = 0; t < threads; t++) {
        double start = thread_seconds();
        total += v->multiply_add(rounds);
        rate += each / (thread_seconds() - start);
    }
    *sink = total;
    return rate;
}

static double flops_best(const struct variant *v, int threads, double seconds)
{
    volatile float sink = 0;
    double best = 0, end = base_clock() + seconds;
    for (int runs = 0; runs < 3 || base_clock() < end; runs++) {
        double rate = flops_run(v, threads, 1 << 21, &sink);
        best = rate > best ? rate : best;
    }
    (void)sink;
    return best;
}

static int stream_best(const struct variant *v, int threads, double seconds, bool huge, double *out)
{
    const size_t page = (size_t)2 << 20;
    void *block =
        mmap(NULL, BLOCK + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return base_error_set(BASE_E_MEMORY, "out of memory: 512 MiB for the memory measurement");
    float *x = (float *)(((uintptr_t)block + page - 1) & ~(page - 1));
    madvise(x, BLOCK, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    size_t part = BLOCK / sizeof *x / (size_t)threads / 1024 * 1024;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; t++)
        memset(x + (size_t)t * part, 1, part * sizeof *x);
    volatile float sink = 0;
    double best = 0, end = base_clock() + seconds;
    for (int runs = 0; runs < 3 || base_clock() < end; runs++) {
        float total = 0;
        double rate = 0;
#pragma omp parallel for num_threads(threads) schedule(static, 1) reduction(+ : total, rate)
        for (int t = 0; t < threads; t++) {
            double start = thread_seconds();
            total += v->sum(x + (size_t)t * part, part);
            rate += (double)(part * sizeof *x) / (thread_seconds() - start);
        }
        sink = total;
        best = rate > best ? rate : best;
    }
    (void)sink;
    munmap(block, BLOCK + page);
    *out = best;
    return 0;
}

int bench_machine_measure(struct bench_machine *out, double seconds)
{
    struct variant v = variant_choose();
    *out = (struct bench_machine){ .isa = v.name, .threads = base_threads() };
    out->flops = flops_best(&v, out->threads, seconds / 3);
    int rc = stream_best(&v, out->threads, seconds / 3, true, &out->bytes_huge);
    return rc ? rc : stream_best(&v, out->threads, seconds / 3, false, &out->bytes_small);
}
