#include "shared/daemon_log.h"

#include <unistd.h>

bool sl_daemon_log_open(const char *service, enum sl_level level, enum sl_log_format format,
                        struct sl_log **out_log, struct sl_metrics **out_metrics,
                        struct sl_err *err)
{
    *out_log = sl_log_new(&(struct sl_log_opts){ .service = service,
                                                 .version = SLUICE_VERSION,
                                                 .level = level,
                                                 .format = format,
                                                 .fd = STDERR_FILENO },
                          err);
    *out_metrics = *out_log == NULL ? NULL : sl_metrics_new(err);
    if (*out_metrics == NULL) {
        return false;
    }
    sl_series_set(sl_metrics_series(*out_metrics, SL_M_BUILD_INFO, SLUICE_VERSION, NULL), 1);
    sl_log_count_dropped(*out_log, sl_metrics_series(*out_metrics, SL_M_LOG_DROPPED, NULL, NULL));
    return true;
}
