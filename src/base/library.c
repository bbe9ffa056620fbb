/* Late loading of shared libraries; see library.h. */
#include "base/library.h"
#include "base/memory.h"
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A process forked while another thread loads something must be able to load, too. */
static void lock_take(void)
{
    pthread_mutex_lock(&lock);
}
static void lock_give(void)
{
    pthread_mutex_unlock(&lock);
}
__attribute__((constructor)) static void lock_follow_forks(void)
{
    pthread_atfork(lock_take, lock_give, lock_give);
}

int base_library_load(const char *file, const char *package, const char *const *names,
                      void *functions, size_t n)
{
    int rc = 0;
    pthread_mutex_lock(&lock);
    void *first = NULL, *handle = NULL;
    memcpy(&first, functions, sizeof first);
    void **found = NULL;
    if (first)
        goto out;
    if (!(found = base_alloc(n, sizeof *found))) {
        rc = BASE_E_MEMORY;
        goto out;
    }
    if (!(handle = dlopen(file, RTLD_NOW | RTLD_LOCAL))) {
        rc = base_error_set(BASE_E_UNSUPPORTED, "cannot load %s (%s): install the package %s", file,
                            dlerror(), package);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        if (!(found[i] = dlsym(handle, names[i]))) {
            rc = base_error_set(BASE_E_UNSUPPORTED, "%s has no function %s: install a newer %s",
                                file, names[i], package);
            goto out;
        }
    /* all or nothing: a function pointer has a data pointer's size on POSIX (dlsym) */
    memcpy(functions, found, n * sizeof *found);
out:
    if (rc && handle)
        dlclose(handle);
    base_free(found);
    pthread_mutex_unlock(&lock);
    return rc;
}
