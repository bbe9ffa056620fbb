/* Options and numbers of `assay estimate` and `assay margins`. */
#include "cli/cmd_survey.h"
#include "base/memory.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

void *survey_keep(size_t n, size_t bytes)
{
    static struct kept {
        struct kept *next;
        _Alignas(max_align_t) char data[];
    } * all;
    size_t total;
    if (base_mul_size(n, bytes, &total) || base_add_size(total, sizeof *all, &total))
        return NULL;
    struct kept *one = base_alloc(1, total);
    if (!one)
        return NULL;
    one->next = all;
    all = one;
    return one->data;
}

int survey_names(const struct cli_command *command, const struct cli_strings *given,
                 const char *const **names, size_t *n)
{
    size_t count = 0;
    *names = NULL;
    *n = 0;
    for (size_t i = 0; i < given->count; i++)
        for (const char *p = given->at[i]; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
            if (strcspn(p, ",") == 0)
                return cli_usage(command, "\"%s\": an empty name", given->at[i]);
            count++;
        }
    if (!count)
        return 0;
    const char **list = survey_keep(count, sizeof *list);
    if (!list)
        return cli_fail(command);
    for (size_t i = 0; i < given->count; i++) {
        /* cut where it stands: the arguments are the program's own to change */
        for (char *p = (char *)(uintptr_t)given->at[i]; p;) {
            list[(*n)++] = p;
            if ((p = strchr(p, ',')))
                *p++ = 0;
        }
    }
    *names = list;
    return 0;
}

int survey_design_parse(const struct cli_command *command, const struct survey_arguments *a,
                        struct sampling_design *d, struct data_table_options *table)
{
    *d = (struct sampling_design){ .weights = a->weights,
                                   .pi = a->pi,
                                   .joint = a->joint,
                                   .yates_grundy = a->yates_grundy,
                                   .none = a->no_design,
                                   .poststratify = a->poststratify,
                                   .rake = a->rake.at,
                                   .n_rake = a->rake.count };
    *table = (struct data_table_options){ 0 };
    int rc;
    if ((rc = survey_names(command, &a->strata, &d->strata, &d->n_strata)) ||
        (rc = survey_names(command, &a->psu, &d->psu, &d->n_psu)) ||
        (rc = survey_names(command, &a->fpc, &d->fpc, &d->n_fpc)))
        return rc;
    if (a->pps) {
        int k = stats_choose(command, "--pps", a->pps, sampling_unequal_names, SAMPLING_UNEQUALS);
        if (k < 0)
            return -k;
        d->unequal = (enum sampling_unequal)k;
    } else if (a->joint) {
        d->unequal = SAMPLING_UNEQUAL_JOINT;
    }
    if (d->unequal == SAMPLING_UNEQUAL_JOINT && !a->joint)
        return cli_usage(command, "--pps joint needs --joint FILE");
    if (a->joint && d->unequal != SAMPLING_UNEQUAL_JOINT)
        return cli_usage(command, "--joint FILE goes with --pps joint, not %s", a->pps);
    if (a->yates_grundy && d->unequal < SAMPLING_UNEQUAL_HARTLEY_RAO)
        return cli_usage(command, "--yates-grundy goes with --pps hartley-rao, overton or joint");
    if (a->lonely) {
        int k = stats_choose(command, "--lonely", a->lonely, stats_lonely_names, STATS_LONELIES);
        if (k < 0)
            return -k;
        d->lonely = (enum stats_lonely)k;
    }
    if (d->none && (a->weights || a->pi || d->n_strata || d->n_psu || d->n_fpc || a->pps))
        return cli_usage(command, "--no-design goes with no other option of the design");
    if (a->format && data_format_parse(a->format, &table->format))
        return cli_usage(command, "--format: %s", base_error_message());
    if (a->delimiter) {
        const char *c = strcmp(a->delimiter, "\\t") == 0 ? "\t" : a->delimiter;
        if (strlen(c) != 1)
            return cli_usage(command, "--delimiter %s: one character", a->delimiter);
        table->delimiter = *c;
    }
    return 0;
}

const char *survey_show(double x)
{
    static char buffers[16][64];
    static unsigned next;
    char *text = buffers[next++ % 16];
    snprintf(text, 64, isnan(x) ? "-" : fabs(x) >= 1e5 && fabs(x) < 1e15 ? "%.0f" : "%.6g", x);
    return text;
}

const char *survey_show_interval(const struct stats_interval *i)
{
    static char buffers[8][140];
    static unsigned next;
    char *text = buffers[next++ % 8];
    if (isnan(i->low) && isnan(i->high))
        return "-";
    snprintf(text, 140, "%s .. %s", survey_show(i->low), survey_show(i->high));
    return text;
}
