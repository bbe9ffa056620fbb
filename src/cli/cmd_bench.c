/* assay bench: how fast and how large. Each figure is the median of repeated runs after one that
 * warms up; minimum and maximum tell how quiet the machine was. Token ids are random (from --seed):
 * speed does not depend on them. */
#include "base/memory.h"
#include "base/progress.h"
#include "base/rng.h"
#include "cli/bench.h"
#include "cli/cli.h"
#include "model/gradient.h"
#include "model/hold.h"
#include "train/optimiser.h"
#include <assay/base.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int run(int argc, char **argv);
const struct cli_command cli_command_bench = {
    .name = "bench",
    .synopsis = "forward|decode|train -m MODEL [options] | machine | --make SHAPE DIR",
    .summary = "Measure tokens per second and memory",
    .details =
        "forward computes the logits of every position of BATCH sequences of TOKENS tokens. decode "
        "appends TOKENS tokens one by one to BATCH sequences that already hold CONTEXT tokens. "
        "train "
        "does whole steps (forward, backward, AdamW) on BATCH rows of TOKENS tokens. Each prints "
        "the "
        "median of the repeated runs, with the fastest and the slowest; peak_bytes is the "
        "process's "
        "largest resident set while it ran.\n\n"
        "machine measures the limits of this computer: float multiply-adds per second on all "
        "threads, and bytes read from memory per second in huge and in small pages.\n\n"
        "--make writes a model of a known shape with random weights (no tokenizer) to measure "
        "with: "
        "gpt2-124m, llama-160m, pythia-160m, opt-125m.\n\n"
        "  assay bench --make gpt2-124m /tmp/gpt2\n"
        "  assay bench forward -m /tmp/gpt2 --tokens 1024\n"
        "  assay bench decode -m /tmp/gpt2 --tokens 64 --dtype q8_0\n"
        "  assay bench train -m /tmp/gpt2 --batch 2 --tokens 128\n"
        "  assay bench machine\n",
    .run = run,
};

struct bench {
    struct model *model;
    size_t batch, tokens, context, prefix;
    int32_t *ids; /* [batch, longest sequence] */
    size_t stride;
    struct model_sequence **sequences; /* [batch] */
    struct model_item *items;          /* [batch] */
    int32_t *next;                     /* [batch]: decode's next token */
    struct train_optimiser *optimiser;
    uint64_t step;
};

/* Wall-clock time, and CPU time of all threads: where others share the machine, CPU time at one
 * thread is the steadier figure. */
struct bench_time {
    double wall, cpu;
};

static struct bench_time time_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (struct bench_time){ base_clock(), (double)t.tv_sec + 1e-9 * (double)t.tv_nsec };
}

static struct bench_time time_since(struct bench_time start)
{
    struct bench_time now = time_now();
    return (struct bench_time){ now.wall - start.wall, now.cpu - start.cpu };
}

/* ---- one run of each kind; *spent gets its time ---- */

static int logits_ignore(void *context, size_t item, size_t first, size_t rows, const real *logits)
{
    (void)context, (void)item, (void)first, (void)rows, (void)logits;
    return 0;
}

static int logits_argmax(void *context, size_t item, size_t first, size_t rows, const real *logits)
{
    struct bench *b = context;
    size_t vocabulary = model_vocabulary(b->model), best = 0;
    const real *row = logits + (rows - 1) * vocabulary;
    (void)first;
    for (size_t i = 1; i < vocabulary; i++)
        if (row[i] > row[best])
            best = i;
    b->next[item] = (int32_t)best;
    return 0;
}

static void sequences_free(struct bench *b)
{
    for (size_t i = 0; b->sequences && i < b->batch; i++) {
        model_sequence_free(b->sequences[i]);
        b->sequences[i] = NULL;
    }
}

/* Fresh sequences; with a prefix, forks of one sequence that holds it (computed here, once). */
static int sequences_make(struct bench *b, struct model_sequence **shared)
{
    int rc = 0;
    *shared = NULL;
    if (b->prefix) {
        rc = model_sequence_new(shared, b->model);
        struct model_item item = { *shared, b->ids, b->prefix, b->prefix };
        if (!rc)
            rc = model_forward(b->model, &item, 1, NULL, NULL, NULL);
    }
    for (size_t i = 0; i < b->batch && !rc; i++)
        rc = *shared ? model_sequence_fork(&b->sequences[i], *shared, b->prefix)
                     : model_sequence_new(&b->sequences[i], b->model);
    return rc;
}

static int forward_run(struct bench *b, struct bench_time *spent)
{
    struct model_sequence *shared = NULL;
    struct bench_time start = time_now();
    int rc = sequences_make(b, &shared);
    for (size_t i = 0; i < b->batch; i++)
        b->items[i] = (struct model_item){ b->sequences[i], b->ids + i * b->stride, b->tokens, 0 };
    if (!rc)
        rc = model_forward(b->model, b->items, b->batch, logits_ignore, b, NULL);
    *spent = time_since(start);
    sequences_free(b);
    model_sequence_free(shared);
    return rc;
}

static int decode_run(struct bench *b, struct bench_time *spent)
{
    struct model_sequence *shared = NULL;
    int rc = sequences_make(b, &shared);
    for (size_t i = 0; i < b->batch; i++)
        b->items[i] = (struct model_item){ b->sequences[i], b->ids + i * b->stride, b->context,
                                           b->context - 1 };
    if (!rc)
        rc = model_forward(b->model, b->items, b->batch, logits_argmax, b, NULL);
    struct bench_time start = time_now();
    for (size_t t = 0; t < b->tokens && !rc; t++) {
        for (size_t i = 0; i < b->batch; i++)
            b->items[i] = (struct model_item){ b->sequences[i], &b->next[i], 1, 0 };
        rc = model_forward(b->model, b->items, b->batch, logits_argmax, b, NULL);
        if (base_interrupted())
            rc = base_error_set(BASE_E_INTERRUPTED, "interrupted");
    }
    *spent = time_since(start);
    sequences_free(b);
    model_sequence_free(shared);
    return rc;
}

static int train_once(struct bench *b, struct bench_time *spent)
{
    struct model_row *rows = base_alloc_zero(b->batch, sizeof *rows);
    if (!rows)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < b->batch; i++) /* target: the next id; stride is tokens + 1 */
        rows[i] = (struct model_row){ .ids = b->ids + i * b->stride,
                                      .targets = b->ids + i * b->stride + 1,
                                      .n = b->tokens };
    struct model_pass pass = { .scale = 1.0 / (double)(b->batch * b->tokens), .step = b->step };
    double loss = 0;
    size_t labels = 0;
    struct bench_time start = time_now();
    model_gradients_zero(b->model);
    int rc = model_backward(b->model, rows, b->batch, &pass, &loss, &labels);
    if (!rc) {
        double norm = train_optimiser_gradient_norm(b->optimiser);
        train_optimiser_step(b->optimiser, ++b->step, 1e-4, train_clip_factor(norm, 1));
    }
    *spent = time_since(start);
    base_free(rows);
    return rc;
}

/* ---- measuring ---- */

/* The largest resident set since the last reset, in bytes; 0 when the kernel does not tell. */
static size_t peak_bytes(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long long kilobytes = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kilobytes) == 1)
            break;
    if (f)
        fclose(f);
    return (size_t)kilobytes * 1024;
}

static void peak_reset(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f) {
        fputs("5", f);
        fclose(f);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int ids_make(struct bench *b, size_t each)
{
    b->stride = each;
    b->ids = base_alloc(b->batch * each, sizeof *b->ids);
    b->sequences = base_alloc_zero(b->batch, sizeof *b->sequences);
    b->items = base_alloc_zero(b->batch, sizeof *b->items);
    b->next = base_alloc_zero(b->batch, sizeof *b->next);
    if (!b->ids || !b->sequences || !b->items || !b->next)
        return BASE_E_MEMORY;
    struct base_rng rng = base_rng_make((uint64_t)cli_common.seed, BASE_RNG_USER, 0);
    for (size_t i = 0; i < b->batch * each; i++)
        b->ids[i] = (int32_t)base_rng_below(&rng, model_vocabulary(b->model));
    return 0;
}

static int optimiser_make(struct bench *b)
{
    size_t n = model_parameter_count(b->model);
    struct model_parameter **list = base_alloc(n, sizeof *list);
    if (!list)
        return BASE_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        list[i] = model_parameter_at(b->model, i);
    int rc = model_gradients_allocate(b->model);
    if (!rc)
        rc = train_optimiser_new(&b->optimiser, list, n, 0.9, 0.999, 1e-8, 0.01);
    base_free(list);
    return rc;
}

typedef int bench_run(struct bench *b, struct bench_time *spent);

/* Times of `repeat` runs, each kind ascending, after one run that does not count. */
struct bench_result {
    double *wall, *cpu; /* [repeat] */
    size_t repeat;
};

static int measure(struct bench *b, bench_run *one, struct bench_result *r)
{
    struct bench_time spent;
    struct base_progress *bar = base_progress_begin("bench", "runs", r->repeat + 1);
    peak_reset();
    int rc = one(b, &spent);
    for (size_t i = 0; i < r->repeat && !rc; i++) {
        base_progress_update(bar, i + 1, NULL);
        rc =
            base_interrupted() ? base_error_set(BASE_E_INTERRUPTED, "interrupted") : one(b, &spent);
        r->wall[i] = spent.wall;
        r->cpu[i] = spent.cpu;
    }
    base_progress_end(bar);
    qsort(r->wall, r->repeat, sizeof *r->wall, by_value);
    qsort(r->cpu, r->repeat, sizeof *r->cpu, by_value);
    return rc;
}

static double median_of(const double *sorted, size_t n)
{
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static int report(const struct bench *b, const char *what, const char *dtype,
                  const struct bench_result *r)
{
    const double *s = r->wall;
    size_t n = r->repeat;
    double median = median_of(s, n), cpu = median_of(r->cpu, n);
    double tokens = (double)(b->batch * b->tokens);
    size_t peak = peak_bytes();
    if (!cli_common.json) {
        printf("%s %zu x %zu, %s, %s weights, compute %s, %d threads\n", what, b->batch, b->tokens,
               model_architecture(b->model), dtype, cli_common.compute, base_threads());
        printf("  %.1f tokens/s (%.1f to %.1f), %.4g s (CPU %.4g s), %zu runs, peak %.0f MB\n",
               tokens / median, tokens / s[n - 1], tokens / s[0], median, cpu, n,
               (double)peak / 1e6);
        return 0;
    }
    return cli_print_json(
        &cli_command_bench,
        json_pack("{ss ss ss sI sI sI sI sI ss ss si sI sf sf sf sf sf sf sf sI sI}", "what", what,
                  "model", model_path(b->model), "architecture", model_architecture(b->model),
                  "parameters", (json_int_t)model_parameters(b->model), "batch",
                  (json_int_t)b->batch, "tokens", (json_int_t)b->tokens, "context",
                  (json_int_t)b->context, "prefix", (json_int_t)b->prefix, "dtype", dtype,
                  "compute", cli_common.compute, "threads", base_threads(), "repeat", (json_int_t)n,
                  "tokens_per_s", tokens / median, "tokens_per_s_min", tokens / s[n - 1],
                  "tokens_per_s_max", tokens / s[0], "seconds", median, "seconds_min", s[0],
                  "seconds_max", s[n - 1], "cpu_seconds", cpu, "peak_bytes", (json_int_t)peak,
                  "stored_bytes", (json_int_t)model_stored_bytes(b->model)));
}

static int run_machine(double seconds)
{
    struct bench_machine m;
    if (bench_machine_measure(&m, seconds))
        return cli_fail(&cli_command_bench);
    if (cli_common.json)
        return cli_print_json(&cli_command_bench,
                              json_pack("{ss ss si sf sf sf}", "what", "machine", "isa", m.isa,
                                        "threads", m.threads, "flops_per_s", m.flops,
                                        "bytes_per_s_huge_pages", m.bytes_huge,
                                        "bytes_per_s_small_pages", m.bytes_small));
    printf("arithmetic  %.0f GFLOP/s f32 (%s, %d threads)\n", m.flops / 1e9, m.isa, m.threads);
    printf("memory      %.1f GB/s read in huge pages, %.1f GB/s in 4 KiB pages\n",
           m.bytes_huge / 1e9, m.bytes_small / 1e9);
    return 0;
}

static int run_make(const char *shape, const char *directory, const char *dtype)
{
    json_t *config = bench_shape_config(shape);
    if (!config)
        return cli_usage(&cli_command_bench, "--make: no shape '%s': there are %s", shape,
                         bench_shape_names());
    struct model *m = NULL;
    int rc = model_create(&m, config, (uint64_t)cli_common.seed);
    json_decref(config);
    if (!rc)
        rc = model_save(m, directory, dtype ? dtype : "f32", NULL);
    size_t parameters = rc ? 0 : model_parameters(m);
    model_free(m);
    if (rc)
        return cli_fail(&cli_command_bench);
    if (cli_common.json)
        return cli_print_json(&cli_command_bench, json_pack("{ss ss ss sI}", "what", "make",
                                                            "shape", shape, "directory", directory,
                                                            "parameters", (json_int_t)parameters));
    printf("%s: %s, %.1f M random parameters\n", directory, shape, (double)parameters / 1e6);
    return 0;
}

struct settings {
    const char *dtype, *make;
    int64_t tokens, batch, repeat, context, prefix;
};

/* Loads the model as `what` needs it and runs. */
static int run_model(const char *what, const struct settings *o)
{
    bool train = !strcmp(what, "train"), decode = !strcmp(what, "decode");
    struct bench b = { .batch = (size_t)o->batch,
                       .tokens = (size_t)o->tokens,
                       .context = decode ? (size_t)o->context : 0,
                       .prefix = (size_t)o->prefix };
    struct model_options options = MODEL_OPTIONS_DEFAULT;
    enum tensor_dtype dtype = TENSOR_F32;
    struct bench_result result = { base_alloc_zero((size_t)o->repeat, sizeof(double)),
                                   base_alloc_zero((size_t)o->repeat, sizeof(double)),
                                   (size_t)o->repeat };
    int rc = result.wall && result.cpu ? 0 : BASE_E_MEMORY;
    if (!strcmp(cli_common.compute, "bf16"))
        options.compute = MODEL_COMPUTE_BF16;
    options.trainable = train;
    if (!rc && o->dtype)
        rc = tensor_dtype_parse(o->dtype, &dtype);
    if (!rc)
        rc = model_load(&b.model, cli_common.model, &options);
    if (!rc && o->dtype)
        rc = model_weights_hold(b.model, dtype);
    size_t longest = b.prefix + b.context + b.tokens;
    if (!rc && longest > model_context(b.model))
        rc = base_error_set(
            BASE_E_LIMIT,
            "%s: %zu tokens asked for, its context holds %zu: give a smaller --tokens",
            cli_common.model, longest, model_context(b.model));
    if (!rc)
        rc = ids_make(&b, longest + 1);
    if (!rc && train)
        rc = optimiser_make(&b);
    if (!rc)
        rc = measure(&b, train ? train_once : decode ? decode_run : forward_run, &result);
    if (rc)
        rc = cli_fail(&cli_command_bench);
    else
        rc = report(&b, what, o->dtype ? o->dtype : "stored", &result);
    train_optimiser_free(b.optimiser);
    base_free(b.ids);
    base_free(b.sequences);
    base_free(b.items);
    base_free(b.next);
    base_free(result.wall);
    base_free(result.cpu);
    model_free(b.model);
    return rc;
}

static int run(int argc, char **argv)
{
    struct settings o = { .batch = 1, .repeat = 5, .context = 16 };
    const struct cli_option options[] = {
        { "tokens", 0, CLI_INT, &o.tokens, "N",
          "Tokens per sequence (forward 1024, decode 64, train 128)." },
        { "batch", 0, CLI_INT, &o.batch, "N", "Sequences at once (1)." },
        { "dtype", 0, CLI_STRING, &o.dtype, "TYPE",
          "Round the weights in memory to f32, f16, bf16 or q8_0 first; with --make, the file's "
          "type." },
        { "repeat", 0, CLI_INT, &o.repeat, "N", "Runs that count (5)." },
        { "context", 0, CLI_INT, &o.context, "N",
          "decode: tokens that are there before the first measured one (16)." },
        { "prefix", 0, CLI_INT, &o.prefix, "N",
          "forward: tokens that all sequences share, computed once (0)." },
        { "make", 0, CLI_STRING, &o.make, "SHAPE", "Write a model with random weights into DIR." },
        { 0 },
    };
    int n;
    int rc = cli_parse(&cli_command_bench, options, true, argc, argv, &n);
    if (rc)
        return rc < 0 ? 0 : rc;
    base_interrupt_install();
    if (o.make)
        return n == 1 ? run_make(o.make, argv[1], o.dtype)
                      : cli_usage(&cli_command_bench, "--make SHAPE needs one directory");
    const char *what = n == 1 ? argv[1] : "";
    if (!strcmp(what, "machine"))
        return run_machine(3);
    bool forward = !strcmp(what, "forward"), decode = !strcmp(what, "decode"),
         train = !strcmp(what, "train");
    if (!forward && !decode && !train)
        return cli_usage(&cli_command_bench, "expected one of forward, decode, train, machine");
    if (!cli_common.model)
        return cli_usage(&cli_command_bench,
                         "no model given: add -m MODEL, or make one with --make gpt2-124m DIR");
    if (o.tokens == 0)
        o.tokens = forward ? 1024 : decode ? 64 : 128;
    if (o.tokens < 1 || o.tokens > 1 << 20 || o.batch < 1 || o.batch > 4096 || o.repeat < 1 ||
        o.repeat > 1000 || o.context < 1 || o.context > 1 << 20 || o.prefix < 0 ||
        o.prefix > 1 << 20)
        return cli_usage(&cli_command_bench, "--tokens, --batch, --repeat, --context must be at "
                                             "least 1 (and --batch at most 4096, --repeat 1000)");
    if ((o.prefix && !forward) || (train && o.dtype))
        return cli_usage(&cli_command_bench,
                         o.prefix && !forward
                             ? "--prefix goes with forward"
                             : "train computes in f32: --dtype goes with forward and decode");
    return run_model(what, &o);
}
