/* Rows made between rows; see resample.h. Until the search for neighbours lands, these say so. */
#include "classify/resample_private.h"

static int without_neighbors(struct resample_job *job)
{
    return base_error_set(BASE_E_UNSUPPORTED, "%s needs the search for neighbours",
                          classify_resampler_name(job->options->method));
}
int resample_smote(struct resample_job *job)
{
    return without_neighbors(job);
}
int resample_nearmiss(struct resample_job *job)
{
    return without_neighbors(job);
}
int resample_clean(struct resample_job *job)
{
    return without_neighbors(job);
}
int resample_clean_all(struct resample_job *job, enum classify_resampler method)
{
    (void)method;
    return without_neighbors(job);
}
