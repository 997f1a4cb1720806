/*
 * claims - CUnit tests whose names are claims.
 *
 *     CLAIM(backoff__never_waits_longer_than_its_cap)
 *     {
 *         CU_ASSERT(…);
 *     }
 *
 * A claim registers itself, so one that is written is run. tests/support/claims.c holds main.
 */
#ifndef TESTS_SUPPORT_CLAIMS_H
#define TESTS_SUPPORT_CLAIMS_H

#include <CUnit/Basic.h>

void claims_register(const char *name, void (*fn)(void));

#define CLAIM(name)                                                                                \
    static void name(void);                                                                        \
    __attribute__((constructor)) static void name##_register(void)                                 \
    {                                                                                              \
        claims_register(#name, name);                                                              \
    }                                                                                              \
    static void name(void)

#endif
