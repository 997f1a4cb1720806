#include "consumer/handler.h"

#include "consumer/billing/billing_handler.h"
#include "consumer/handlers/http_handler.h"
#include "consumer/handlers/sql_handler.h"

bool con_handler_init(struct con_handler *handler, const struct con_handler_opts *opts,
                      struct sl_err *err)
{
    switch (opts->subsystem->handler) {
    case SL_HANDLER_BILLING:
        return con_billing_handler_init(handler, opts, err);
    case SL_HANDLER_SQL:
        return con_sql_handler_init(handler, opts->subsystem, err);
    case SL_HANDLER_HTTP:
        return con_http_handler_init(handler, opts, err);
    }
    return sl_fail(err, SL_E_BUG, "there is no such handler");
}

void con_handler_done(struct con_handler *handler)
{
    if (handler->self != NULL) {
        handler->type->free(handler->self);
        handler->self = NULL;
    }
}
