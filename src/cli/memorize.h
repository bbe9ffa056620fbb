/* What the commands around memorization and benchmark composition share. */
#ifndef CLI_MEMORIZE_H
#define CLI_MEMORIZE_H
#include "cli/cli.h"
#include <assay/stats.h>

/* [low, high], or null where there is none. */
static inline json_t *cli_json_interval(const struct stats_interval *i)
{
    if (i->low != i->low || i->high != i->high)
        return json_null();
    return json_pack("[o, o]", base_json_number(i->low), base_json_number(i->high));
}
#endif
