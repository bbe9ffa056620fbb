/* Ranks over MPI; see dist.h. libmpi is loaded when the environment says that this process is one
 * of several, so that no other start pays for it and the program runs where MPI is not installed.
 * In Open MPI communicators and types are addresses of objects in the library: they are looked up
 * like its functions (the binary interface of libmpi.so.40, Open MPI 2 to 5). */
#define OMPI_SKIP_MPICXX 1
#include "dist/dist.h"
#include "base/library.h"
#include "base/memory.h"
#include <dlfcn.h>
#include <limits.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MPI_FUNCTIONS(X)                                                                           \
    X(Init_thread)                                                                                 \
    X(Finalize)                                                                                    \
    X(Comm_rank)                                                                                   \
    X(Comm_size)                                                                                   \
    X(Comm_set_errhandler)                                                                         \
    X(Bcast)                                                                                       \
    X(Gather)                                                                                      \
    X(Gatherv)                                                                                     \
    X(Allgather)                                                                                   \
    X(Error_string)
static struct {
#define X(name) __typeof__(MPI_##name) *name;
    MPI_FUNCTIONS(X)
#undef X
} mpi;
static MPI_Comm world;
static MPI_Datatype byte;
static int rank, size = 1;

/* Variables that Open MPI's mpirun, PMIx (srun) and older Slurm set for every process they start.
 */
static bool one_of_several(void)
{
    static const char *const names[] = { "OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_SIZE" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]))
            return true;
    return false;
}

static int check(int code, const char *what)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (code == MPI_SUCCESS)
        return 0;
    mpi.Error_string(code, text, &length);
    return base_error_set(BASE_E_IO, "MPI: %s: %s", what, text);
}

int dist_start(void)
{
    static const char *const names[] = {
#define X(name) "MPI_" #name,
        MPI_FUNCTIONS(X)
#undef X
    };
    const char *const file = "libmpi.so.40";
    if (!one_of_several())
        return 0;
    /* Open MPI's own plug-ins look for its symbols in the global scope */
    void *handle = dlopen(file, RTLD_NOW | RTLD_GLOBAL);
    int rc = base_library_load(file, "libopenmpi3", names, &mpi, sizeof names / sizeof *names);
    if (rc)
        return base_error_prefix(rc, "started as one of several ranks");
    world = dlsym(handle, "ompi_mpi_comm_world");
    byte = dlsym(handle, "ompi_mpi_byte");
    MPI_Errhandler returns = dlsym(handle, "ompi_mpi_errors_return");
    if (!world || !byte || !returns)
        return base_error_set(BASE_E_UNSUPPORTED, "%s is not Open MPI's: install libopenmpi3",
                              file);
    int provided;
    if ((rc = check(mpi.Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "starting")))
        return rc;
    mpi.Comm_set_errhandler(world, returns);
    if ((rc = check(mpi.Comm_rank(world, &rank), "rank")) == 0)
        rc = check(mpi.Comm_size(world, &size), "size");
    return rc;
}

void dist_stop(void)
{
    if (world)
        mpi.Finalize();
    world = NULL;
}

int dist_rank(void)
{
    return rank;
}

int dist_size(void)
{
    return size;
}

int dist_agree(int rc)
{
    struct outcome {
        int code;
        char message[508];
    };
    if (size == 1)
        return rc;
    struct outcome own = { .code = rc }, *all = base_alloc((size_t)size, sizeof *all);
    if (rc)
        strncpy(own.message, base_error_message(), sizeof own.message - 1);
    if (!all) /* the others wait: there is no way to tell them */
        return BASE_E_MEMORY;
    int failed = check(mpi.Allgather(&own, sizeof own, byte, all, sizeof own, byte, world),
                       "exchanging outcomes");
    for (int i = 0; failed == 0 && i < size; i++)
        if (all[i].code)
            failed = base_error_set(all[i].code, "rank %d: %s", i, all[i].message);
    base_free(all);
    return failed;
}

int dist_broadcast(void *data, size_t bytes)
{
    for (char *at = data; size > 1 && bytes > 0;) {
        int n = bytes < 1 << 30 ? (int)bytes : 1 << 30;
        int rc = check(mpi.Bcast(at, n, byte, 0, world), "broadcast");
        if (rc)
            return rc;
        at += n;
        bytes -= (size_t)n;
    }
    return 0;
}

int dist_gather(const void *data, size_t bytes, struct base_buffer *all)
{
    if (size == 1)
        return base_buffer_append(all, data, bytes);
    int n = (int)bytes, total = 0, *counts = base_alloc((size_t)size, 2 * sizeof *counts);
    int rc = counts ? 0 : BASE_E_MEMORY;
    if (rc == 0 && bytes > INT_MAX / (size_t)size)
        rc = base_error_set(BASE_E_LIMIT, "%zu bytes are too many to gather", bytes);
    if ((rc = dist_agree(rc)))
        goto out;
    rc = check(mpi.Gather(&n, sizeof n, byte, counts, sizeof n, byte, 0, world), "gather");
    if ((rc = dist_agree(rc)))
        goto out;
    int *places = counts + size;
    for (int i = 0; rank == 0 && i < size; i++) {
        places[i] = total;
        total += counts[i];
    }
    if (rank == 0)
        rc = base_buffer_reserve(all, (size_t)total);
    if ((rc = dist_agree(rc)))
        goto out;
    rc = check(mpi.Gatherv(data, n, byte, rank == 0 ? all->data + all->length : NULL, counts,
                           places, byte, 0, world),
               "gather");
    if (rc == 0 && rank == 0)
        all->length += (size_t)total;
out:
    base_free(counts);
    return rc;
}
