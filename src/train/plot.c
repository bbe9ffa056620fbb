/* The loss curve: raw losses pale, their moving average on top, validation losses as points. */
#include "train/log.h"
#include "base/memory.h"
#include "report/chart.h"
#include <math.h>

int train_log_draw(const struct train_log *log, const char *path, const char *title)
{
    size_t n = log->count, checked = 0;
    double *all = base_alloc(5 * n, sizeof *all);
    if (!all)
        return BASE_E_MEMORY;
    double *x = all, *y = all + n, *smooth = all + 2 * n, *vx = all + 3 * n, *vy = all + 4 * n;
    for (size_t i = 0; i < n; i++) {
        x[i] = (double)log->entries[i].step;
        y[i] = log->entries[i].loss;
        if (isfinite(log->entries[i].validation_loss)) {
            vx[checked] = x[i];
            vy[checked++] = log->entries[i].validation_loss;
        }
    }
    report_smooth(y, n, fmax(1, (double)n / 100), smooth);
    struct report_series series[] = {
        { .x = x, .y = y, .n = n, .style = REPORT_FAINT, .color = 1 },
        { .name = "training", .x = x, .y = smooth, .n = n, .style = REPORT_LINE, .color = 1 },
        { .name = "validation",
          .x = vx,
          .y = vy,
          .n = checked,
          .style = REPORT_POINTS,
          .color = 2 },
    };
    struct report_chart chart = { .title = title,
                                  .x = { .label = "step" },
                                  .y = { .label = "loss", .unit = "nats/token" },
                                  .series = series,
                                  .n_series = checked ? 3 : 2 };
    int rc = report_chart_write(&chart, path);
    base_free(all);
    return rc;
}
