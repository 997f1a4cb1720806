#include "ops/dev.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "ops/dev_control.h"
#include "ops/dev_demo.h"
#include "ops/dev_supervise.h"
#include "shared/units.h"

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
    "  status [-o json]     what runs where; exit status 1 unless everything is ready\n"
    "  env                  addresses as shell lines: eval \"$(sluice dev env)\"\n"
    "  demo [--count N]     the demonstration on the running stack\n"
    "  rabbitmqctl ARG…     rabbitmqctl against the stack's broker\n"
    "  reset                forget everything: removes the state directory of a stopped stack\n";

struct flags {
    bool servers;
    bool demo;
    bool once;
    bool json;
    int64_t count;
};

static int start_stack(const struct dev_home *home, int argc, char **argv);
static int run_verb(const struct dev_home *home, const char *verb, int argc, char **argv);
static bool read_flags(struct flags *out_flags, const char *allowed, int argc, char **argv);
static int one_process(const struct dev_home *home, const char *verb, int argc, char **argv,
                       int (*act)(const struct dev_home *, enum dev_who));
static int wrong(const char *what, const char *which);

int ops_dev(int argc, char **argv)
{
    struct dev_home home = { 0 };
    struct sl_err err = { 0 };

    if (!dev_home_find(&home, &err)) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        return sl_err_exit_status(&err);
    }
    if (argc > 1 && argv[1][0] != '-') {
        return run_verb(&home, argv[1], argc - 2, argv + 2);
    }
    return start_stack(&home, argc - 1, argv + 1);
}

static int start_stack(const struct dev_home *home, int argc, char **argv)
{
    struct flags flags = { .count = DEMO_COUNT_DEFAULT };
    struct sl_err err = { 0 };

    if (!read_flags(&flags, "servers demo count once", argc, argv)) {
        return EX_USAGE;
    }
    if (flags.servers && flags.demo) {
        return wrong("--demo needs more than", "--servers");
    }
    if (flags.once && !flags.demo) {
        return wrong("--once is for", "--demo");
    }
    int lock = dev_home_claim(home, &err);
    if (lock < 0) {
        fprintf(stderr, "sluice dev: %s\n", err.text);
        return sl_err_exit_status(&err);
    }
    bool has_terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    struct dev_supervise_opts opts = { .servers_only = flags.servers,
                                       .with_demo = flags.demo,
                                       .ends_after_demo = flags.once || !has_terminal,
                                       .demo_count = (unsigned)flags.count };
    fprintf(stderr, "sluice dev: starting in %s\n", home->dir);
    int status = dev_supervise(home, &opts);
    close(lock);
    return status;
}

static int run_verb(const struct dev_home *home, const char *verb, int argc, char **argv)
{
    struct flags flags = { .count = DEMO_COUNT_DEFAULT };

    if (strcmp(verb, "rabbitmqctl") == 0) {
        return dev_control_rabbitmqctl(home, argc, argv);
    }
    if (strcmp(verb, "start") == 0) {
        return one_process(home, verb, argc, argv, dev_control_start);
    }
    if (strcmp(verb, "stop") == 0) {
        return argc == 0 ? dev_control_stop_all(home)
                         : one_process(home, verb, argc, argv, dev_control_stop);
    }
    bool is_status = strcmp(verb, "status") == 0;
    bool is_demo = strcmp(verb, "demo") == 0;
    bool is_env = strcmp(verb, "env") == 0;
    if (!is_status && !is_demo && !is_env && strcmp(verb, "reset") != 0) {
        return wrong("no such verb:", verb);
    }
    if (!read_flags(&flags, is_status ? "output" : is_demo ? "count" : "", argc, argv)) {
        return EX_USAGE;
    }
    if (is_status) {
        return dev_control_status(home, flags.json);
    }
    if (is_demo) {
        return dev_demo(home, (unsigned)flags.count);
    }
    return is_env ? dev_control_env(home) : dev_control_reset(home);
}

/* allowed: the names that fit here, separated by spaces. */
static bool read_flags(struct flags *out_flags, const char *allowed, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *flag = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(flag, "--servers") == 0 && strstr(allowed, "servers") != NULL) {
            out_flags->servers = true;
        } else if (strcmp(flag, "--demo") == 0 && strstr(allowed, "demo") != NULL) {
            out_flags->demo = true;
        } else if (strcmp(flag, "--once") == 0 && strstr(allowed, "once") != NULL) {
            out_flags->once = true;
        } else if (strcmp(flag, "--count") == 0 && strstr(allowed, "count") != NULL) {
            if (!sl_units_decimal(sl_span_of(value), 7, &out_flags->count) ||
                out_flags->count < 1 || out_flags->count > DEMO_COUNT_MAX) {
                (void)wrong("--count wants a number from 1 to 1000000, not", value);
                return false;
            }
            i++;
        } else if (strstr(allowed, "output") != NULL &&
                   (strcmp(flag, "-o") == 0 || strcmp(flag, "--output") == 0)) {
            out_flags->json = strcmp(value, "json") == 0;
            if (!out_flags->json && strcmp(value, "table") != 0) {
                (void)wrong("-o wants table or json, not", value);
                return false;
            }
            i++;
        } else {
            (void)wrong("no such argument here:", flag);
            return false;
        }
    }
    return true;
}

static int one_process(const struct dev_home *home, const char *verb, int argc, char **argv,
                       int (*act)(const struct dev_home *, enum dev_who))
{
    enum dev_who who = argc == 1 ? dev_who_find(argv[0]) : DEV_WHO_COUNT;
    if (who == DEV_WHO_COUNT) {
        fprintf(stderr, "sluice dev %s: name one of rabbitmq, postgres, publisher, consumer\n",
                verb);
        return EX_USAGE;
    }
    return act(home, who);
}

static int wrong(const char *what, const char *which)
{
    fprintf(stderr, "sluice dev: %s %s\n", what, which);
    return EX_USAGE;
}
