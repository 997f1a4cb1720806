#include <stdlib.h>

#include "shared/resolve.h"
#include "tests/support/claims.h"

static void must_not_answer(const struct sl_addresses *addresses, const struct sl_err *why,
                            void *arg);

/* With LeakSanitizer this tells whether the loop let evdns finish. */
static void leave_while_asking(const char *name)
{
    struct sl_err err = { 0 };
    struct sl_loop *loop = sl_loop_new(&err);
    struct sl_resolver *resolver = sl_resolver_new(loop, must_not_answer, NULL, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(resolver);
    sl_resolver_start(resolver, name);
    sl_resolver_free(resolver);
    sl_loop_free(loop);
}

CLAIM(resolve__leaves_nothing_behind_when_the_loop_ends_before_the_answer)
{
    leave_while_asking("localhost"); /* /etc/hosts: answered within the call */
    leave_while_asking("127.0.0.1");
    leave_while_asking("name.invalid"); /* a name server: not answered yet */
}

CLAIM(resolve__leaves_nothing_behind_when_questions_replace_each_other)
{
    struct sl_err err = { 0 };
    struct sl_loop *loop = sl_loop_new(&err);
    struct sl_resolver *resolver = sl_resolver_new(loop, must_not_answer, NULL, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(resolver);
    sl_resolver_start(resolver, "one.invalid");
    sl_resolver_start(resolver, "127.0.0.1");
    sl_resolver_start(resolver, "two.invalid");
    sl_resolver_cancel(resolver);
    sl_resolver_free(resolver);
    sl_loop_free(loop);
}

static void must_not_answer(const struct sl_addresses *addresses, const struct sl_err *why,
                            void *arg)
{
    (void)addresses;
    (void)why;
    (void)arg;
    CU_FAIL("answered though it was cancelled");
}
