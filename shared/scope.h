/*
 * scope - the few compiler attributes that all of our C leans on.
 *
 * What it is: scope-based cleanup, must-use results, and assertions that stay on in release.
 * Refuses: anything that hides control flow; a macro here frees, marks or aborts, nothing else.
 * Threads: no state.
 */
#ifndef SHARED_SCOPE_H
#define SHARED_SCOPE_H

#include <stddef.h>

#define SL_MUST              __attribute__((warn_unused_result))
#define SL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* A pointer variable: fn is called with its value at scope end when it is not NULL. */
#define SL_AUTO(fn) __attribute__((cleanup(fn##_auto)))
/* A struct variable: fn is called with its address at scope end. */
#define SL_DONE(fn) __attribute__((cleanup(fn)))

/* Defines fn##_auto, once per translation unit that uses SL_AUTO(fn). */
#define SL_DEFINE_AUTO(type, fn)                                                                   \
    static inline void fn##_auto(type *held)                                                       \
    {                                                                                              \
        if (*held != NULL) {                                                                       \
            fn(*held);                                                                             \
        }                                                                                          \
    }

/* Moves ownership out of a variable that SL_AUTO would free. */
#define SL_TAKE(held)                                                                              \
    __extension__({                                                                                \
        __typeof__(held) taken_ = (held);                                                          \
        (held) = NULL;                                                                             \
        taken_;                                                                                    \
    })

#define SL_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What must be true inside our own code. Never used on input from outside. */
#define SL_ASSERT(condition)                                                                       \
    ((condition) ? (void)0 : sl_assert_failed(#condition, __FILE__, __LINE__, __func__))

/* Writes one line to stderr and aborts. */
__attribute__((noreturn)) void sl_assert_failed(const char *condition, const char *file, int line,
                                                const char *function);

#endif
