#include "ops/stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/dev/dev_home.h"
#include "tests/support/claims.h"

/* A fresh directory below TMPDIR, removed by the claim that asked for it. */
static void fresh(char out_dir[PATH_MAX])
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(out_dir, PATH_MAX, "%s/sluice-stack-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(out_dir));
    CU_ASSERT_EQUAL(setenv("SLUICE_DEV_DIR", out_dir, 1), 0);
}

static void forget(const char *dir)
{
    struct dev_home home = { 0 };
    struct sl_err err = { 0 };
    (void)snprintf(home.dir, sizeof home.dir, "%s", dir);
    CU_ASSERT_TRUE(dev_home_remove(&home, &err));
    CU_ASSERT_NOT_EQUAL(access(dir, F_OK), 0);
    (void)unsetenv("SLUICE_DEV_DIR");
}

static const char addresses[] = "AMQP_URL=amqp://u:p@127.0.0.1:1\n\nnonsense\nEMPTY=\nA=b=c\n";

/* Addresses as a supervisor with this number writes them. */
static bool save_as(const char *dir, pid_t pid, const char *lines)
{
    char text[512];
    struct sl_err err = { 0 };
    (void)snprintf(text, sizeof text, "%sSTACK_PID=%d\n", lines, (int)pid);
    return ops_stack_save(dir, sl_span_of(text), &err);
}

CLAIM(stack__addresses_come_back_as_they_were_saved)
{
    char dir[PATH_MAX];
    struct ops_stack stack = { 0 };
    struct sl_err err = { 0 };
    fresh(dir);
    CU_ASSERT_TRUE(ops_stack_save(dir, sl_span_of(addresses), &err));
    ops_stack_load(&stack, dir);
    CU_ASSERT_EQUAL(stack.count, 3);
    CU_ASSERT_STRING_EQUAL(ops_stack_get(&stack, "AMQP_URL"), "amqp://u:p@127.0.0.1:1");
    CU_ASSERT_STRING_EQUAL(ops_stack_get(&stack, "EMPTY"), "");
    CU_ASSERT_STRING_EQUAL(ops_stack_get(&stack, "A"), "b=c");
    CU_ASSERT_PTR_NULL(ops_stack_get(&stack, "AMQP"));
    ops_stack_done(&stack);
    forget(dir);
}

CLAIM(stack__a_file_is_believed_only_while_its_supervisor_lives)
{
    char dir[PATH_MAX];
    struct ops_stack stack = { 0 };
    struct sl_err err = { 0 };
    pid_t pid = 0;
    fresh(dir);
    CU_ASSERT_TRUE(save_as(dir, getpid(), addresses));
    ops_stack_open(&stack);
    CU_ASSERT_EQUAL(stack.count, 0);

    int lock = ops_stack_lock(dir, &err);
    CU_ASSERT_TRUE(lock >= 0);
    CU_ASSERT_TRUE(ops_stack_is_running(dir, &pid));
    CU_ASSERT_EQUAL(pid, getpid());
    ops_stack_open(&stack);
    CU_ASSERT_EQUAL(stack.count, 4);
    CU_ASSERT_STRING_EQUAL(stack.dir, dir);
    ops_stack_done(&stack);

    close(lock);
    CU_ASSERT_FALSE(ops_stack_is_running(dir, &pid));
    ops_stack_open(&stack);
    CU_ASSERT_EQUAL(stack.count, 0);
    forget(dir);
}

CLAIM(stack__a_file_of_an_earlier_supervisor_is_not_believed_while_the_next_one_starts)
{
    char dir[PATH_MAX];
    struct ops_stack stack = { 0 };
    struct sl_err err = { 0 };
    fresh(dir);
    CU_ASSERT_TRUE(save_as(dir, getppid(), addresses));
    int lock = ops_stack_lock(dir, &err);
    CU_ASSERT_TRUE(lock >= 0);
    ops_stack_open(&stack);
    CU_ASSERT_EQUAL(stack.count, 0);
    close(lock);
    forget(dir);
}

CLAIM(stack__one_directory_has_one_supervisor)
{
    char dir[PATH_MAX];
    struct sl_err err = { 0 };
    fresh(dir);
    int first = ops_stack_lock(dir, &err);
    CU_ASSERT_TRUE(first >= 0);
    CU_ASSERT_EQUAL(ops_stack_lock(dir, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, dir));
    close(first);
    int second = ops_stack_lock(dir, &err);
    CU_ASSERT_TRUE(second >= 0);
    close(second);
    forget(dir);
}

CLAIM(stack__a_file_that_others_may_write_is_not_read)
{
    char dir[PATH_MAX];
    char path[PATH_MAX];
    struct ops_stack stack = { 0 };
    struct sl_err err = { 0 };
    struct stat about;
    fresh(dir);
    CU_ASSERT_TRUE(ops_stack_save(dir, sl_span_of(addresses), &err));
    CU_ASSERT_TRUE(ops_stack_path(path, dir, "stack.env", &err));
    CU_ASSERT_EQUAL(stat(path, &about), 0);
    CU_ASSERT_EQUAL(about.st_mode & 0777, 0600);
    CU_ASSERT_EQUAL(chmod(path, 0622), 0);
    ops_stack_load(&stack, dir);
    CU_ASSERT_EQUAL(stack.count, 0);
    ops_stack_done(&stack);
    forget(dir);
}

CLAIM(stack__the_environment_comes_before_the_stack)
{
    char dir[PATH_MAX];
    struct sl_err err = { 0 };
    fresh(dir);
    CU_ASSERT_TRUE(save_as(dir, getpid(), "STACK_TEST_NAME=stack\n"));
    int lock = ops_stack_lock(dir, &err);

    char *value = ops_stack_lookup("STACK_TEST_NAME");
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_STRING_EQUAL(value, "stack");
    free(value);
    CU_ASSERT_EQUAL(setenv("STACK_TEST_NAME", "environment", 1), 0);
    value = ops_stack_lookup("STACK_TEST_NAME");
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_STRING_EQUAL(value, "environment");
    free(value);
    (void)unsetenv("STACK_TEST_NAME");
    CU_ASSERT_PTR_NULL(ops_stack_lookup("STACK_TEST_OTHER"));
    close(lock);
    forget(dir);
}

CLAIM(dev_home__a_directory_that_holds_other_things_is_refused_and_left_alone)
{
    char dir[PATH_MAX];
    char path[PATH_MAX];
    struct dev_home home = { 0 };
    struct sl_err err = { 0 };
    fresh(dir);
    CU_ASSERT_TRUE(ops_stack_path(path, dir, "precious", &err));
    CU_ASSERT_TRUE(ops_stack_make_dir(path, 0700, &err));
    CU_ASSERT_TRUE(dev_home_find(&home, &err));
    CU_ASSERT_STRING_EQUAL(home.dir, dir);
    CU_ASSERT_EQUAL(dev_home_claim(&home, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "precious"));
    CU_ASSERT_TRUE(dev_home_remove(&home, &err));
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    CU_ASSERT_EQUAL(rmdir(path), 0);
    forget(dir);
}

CLAIM(dev_home__claimed_twice_in_a_row_it_is_the_same_home)
{
    char dir[PATH_MAX];
    char script[PATH_MAX];
    struct dev_home home = { 0 };
    struct sl_err err = { 0 };
    struct stat about;
    fresh(dir);
    CU_ASSERT_TRUE(dev_home_find(&home, &err));
    for (int i = 0; i < 2; i++) {
        int lock = dev_home_claim(&home, &err);
        CU_ASSERT_TRUE(lock >= 0);
        CU_ASSERT_EQUAL(dev_home_claim(&home, &err), -1);
        close(lock);
    }
    dev_home_path(&home, script, "scripts/%s", "postgres.sh");
    CU_ASSERT_EQUAL(stat(script, &about), 0);
    CU_ASSERT_EQUAL(about.st_mode & 0777, 0755);
    forget(dir);
}
