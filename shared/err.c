#include "shared/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct code_row {
    enum sl_fault fault;
    const char *name;
    const char *page;
};

static const struct code_row rows[SL_E_COUNT] = {
#define SL_ERR(id, fault_, name_, page_)                                                           \
    [SL_E_##id] = { .fault = SL_FAULT_##fault_, .name = (name_), .page = (page_) },
#include "shared/errors.def"
#undef SL_ERR
};

bool sl_fail(struct sl_err *err, enum sl_code code, const char *fmt, ...)
{
    if (err == NULL) {
        return false;
    }
    err->code = code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return false;
}

bool sl_err_wrap(struct sl_err *err, const char *fmt, ...)
{
    if (err == NULL) {
        return false;
    }
    char inner[sizeof err->text];
    memcpy(inner, err->text, sizeof inner);
    va_list args;
    va_start(args, fmt);
    int used = vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof err->text) {
        snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", inner);
    }
    return false;
}

enum sl_fault sl_err_fault(const struct sl_err *err)
{
    SL_ASSERT(err->code < SL_E_COUNT);
    return rows[err->code].fault;
}

const char *sl_code_name(enum sl_code code)
{
    SL_ASSERT(code < SL_E_COUNT);
    return rows[code].name;
}

const char *sl_code_page(enum sl_code code)
{
    SL_ASSERT(code < SL_E_COUNT);
    return rows[code].page;
}

int sl_err_exit_status(const struct sl_err *err)
{
    static const struct {
        enum sl_code code;
        int status;
    } own[] = { { SL_E_USAGE, EX_USAGE },
                { SL_E_ABSENT, EX_NOINPUT },
                { SL_E_CREATE, EX_CANTCREAT },
                { SL_E_IO, EX_IOERR } };
    for (size_t i = 0; i < SL_COUNT(own); i++) {
        if (err->code == own[i].code) {
            return own[i].status;
        }
    }
    switch (sl_err_fault(err)) {
    case SL_FAULT_TRANSIENT:
        return EX_UNAVAILABLE;
    case SL_FAULT_POISON:
        return EX_DATAERR;
    case SL_FAULT_SETUP:
        return EX_CONFIG;
    case SL_FAULT_BUG:
        return EX_SOFTWARE;
    }
    return EX_SOFTWARE;
}
