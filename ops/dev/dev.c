#include "ops/dev/dev.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/commands.h"
#include "ops/dev/dev_control.h"
#include "ops/dev/dev_demo.h"
#include "ops/dev/dev_supervise.h"
#include "ops/flags.h"
#include "shared/nearest.h"

#define DEMO_COUNT_DEFAULT 300
#define DEMO_COUNT_MAX     1000000

const char ops_dev_usage[] =
    "  (no verb)            start RabbitMQ, Postgres, publisher and consumer; stay until Ctrl-C\n"
    "    --servers          RabbitMQ and Postgres only; other commands do not use such a stack by "
    "themselves\n"
    "    --demo             then send sample events and prove the rows that came of them\n"
    "    --count N          so many sample events (300)\n"
    "    --once             end after the demonstration; also without a terminal\n"
    "  stop [NAME]          stop rabbitmq, postgres, publisher, consumer, or everything\n"
    "  start NAME           start it again\n"
    "  status [-o FORMAT]   what runs where; exit status 1 unless everything is ready\n"
    "  env                  addresses as shell lines: eval \"$(sluice dev env)\"\n"
    "  demo [--count N]     the demonstration on the running stack\n"
    "  rabbitmqctl ARG…     rabbitmqctl against the stack's broker\n"
    "  reset                forget everything: removes the state directory of a stopped stack\n";

static int start_stack(const struct dev_home *home, int argc, char **argv);
static int run_verb(const struct dev_home *home, int argc, char **argv);
static int one_process(const struct dev_home *home, int argc, char **argv,
                       int (*act)(const struct dev_home *, enum dev_who));
static bool read_flags(const struct ops_flag *flags, size_t count, int argc, char **argv);
static int wrong(const char *what);

int ops_dev(int argc, char **argv)
{
    struct dev_home home = { 0 };
    struct sl_err err = { 0 };

    if (!dev_home_find(&home, &err)) {
        return ops_report("dev", &err);
    }
    if (argc > 1 && argv[1][0] != '-') {
        bool is_about_running = strcmp(argv[1], "reset") != 0;
        if (is_about_running) {
            (void)ops_stack_find(home.dir); /* the usual directory stays when none runs */
        }
        return run_verb(&home, argc - 1, argv + 1);
    }
    return start_stack(&home, argc, argv);
}

static int start_stack(const struct dev_home *home, int argc, char **argv)
{
    struct sl_err err = { 0 };
    pid_t pid = 0;
    bool servers = false;
    bool demo = false;
    bool once = false;
    int64_t count = DEMO_COUNT_DEFAULT;
    const struct ops_flag flags[] = {
        { .name = "servers", .kind = OPS_FLAG_SWITCH, .out = &servers },
        { .name = "demo", .kind = OPS_FLAG_SWITCH, .out = &demo },
        { .name = "once", .kind = OPS_FLAG_SWITCH, .out = &once },
        { .name = "count", .kind = OPS_FLAG_COUNT, .out = &count, .min = 1, .max = DEMO_COUNT_MAX },
    };

    if (!read_flags(flags, SL_COUNT(flags), argc, argv)) {
        return EX_USAGE;
    }
    if (servers && demo) {
        return wrong("--demo needs a publisher and a consumer, which --servers leaves out");
    }
    if (once && !demo) {
        return wrong("--once is for --demo");
    }
    int lock = dev_home_claim(home, &err);
    if (lock < 0) {
        bool is_running = ops_stack_is_running(home->dir, &pid);
        fprintf(stderr, "sluice dev: %s%s\n", err.text,
                is_running ? "; look at it: sluice dev status, or end it: sluice dev stop" : "");
        return is_running ? EX_TEMPFAIL : sl_err_exit_status(&err);
    }
    bool has_terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    struct dev_supervise_opts opts = { .servers_only = servers,
                                       .with_demo = demo,
                                       .ends_after_demo = once || !has_terminal,
                                       .demo_count = (unsigned)count };
    fprintf(stderr, "sluice dev: starting in %s\n", home->dir);
    int status = dev_supervise(home, &opts);
    close(lock);
    return status;
}

/* argv[0] is the verb. */
static int run_verb(const struct dev_home *home, int argc, char **argv)
{
    const char *verb = argv[0];
    enum ops_output output = OPS_OUTPUT_TABLE;
    int64_t count = DEMO_COUNT_DEFAULT;
    const struct ops_flag status_flags[] = { OPS_FLAGS_ROWS(output) };
    const struct ops_flag demo_flags[] = {
        { .name = "count", .kind = OPS_FLAG_COUNT, .out = &count, .min = 1, .max = DEMO_COUNT_MAX },
    };

    if (strcmp(verb, "rabbitmqctl") == 0) {
        return dev_control_rabbitmqctl(home, argc - 1, argv + 1);
    }
    if (strcmp(verb, "start") == 0) {
        return one_process(home, argc, argv, dev_control_start);
    }
    if (strcmp(verb, "stop") == 0) {
        return argc == 1 ? dev_control_stop_all(home)
                         : one_process(home, argc, argv, dev_control_stop);
    }
    if (strcmp(verb, "status") == 0) {
        return read_flags(status_flags, SL_COUNT(status_flags), argc, argv)
                   ? dev_control_status(home, output)
                   : EX_USAGE;
    }
    if (strcmp(verb, "demo") == 0) {
        return read_flags(demo_flags, SL_COUNT(demo_flags), argc, argv)
                   ? dev_demo(home, (unsigned)count)
                   : EX_USAGE;
    }
    if (strcmp(verb, "env") == 0) {
        return read_flags(NULL, 0, argc, argv) ? dev_control_env(home) : EX_USAGE;
    }
    if (strcmp(verb, "reset") == 0) {
        return read_flags(NULL, 0, argc, argv) ? dev_control_reset(home) : EX_USAGE;
    }
    static const char *const verbs[] = { "stop", "start",       "status", "env",
                                         "demo", "rabbitmqctl", "reset" };
    const char *nearest = sl_nearest(sl_span_of(verb), verbs, SL_COUNT(verbs));
    if (nearest != NULL) {
        struct sl_err err = { 0 };
        (void)sl_fail(&err, SL_E_USAGE, "there is no verb '%.40s'; did you mean %s?", verb,
                      nearest);
        return ops_report("dev", &err);
    }
    return wrong("the verbs are stop, start, status, env, demo, rabbitmqctl and reset");
}

static int one_process(const struct dev_home *home, int argc, char **argv,
                       int (*act)(const struct dev_home *, enum dev_who))
{
    enum dev_who who = argc == 2 ? dev_who_find(argv[1]) : DEV_WHO_COUNT;
    if (who == DEV_WHO_COUNT) {
        return wrong("name one of rabbitmq, postgres, publisher and consumer");
    }
    return act(home, who);
}

/* Flags only: no verb here takes a word. */
static bool read_flags(const struct ops_flag *flags, size_t count, int argc, char **argv)
{
    struct sl_err err = { 0 };
    int first = 0;
    if (ops_flags_read(flags, count, argc, argv, 0, 0, &first, &err)) {
        return true;
    }
    (void)wrong(err.text);
    return false;
}

static int wrong(const char *what)
{
    struct sl_err err = { 0 };
    (void)sl_fail(&err, SL_E_USAGE, "%s", what);
    return ops_report("dev", &err);
}
