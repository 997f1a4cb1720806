#include "consumer/errand.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "consumer/check.h"
#include "consumer/config.h"
#include "consumer/control.h"

#define HELP_BYTES_MAX  (16u * 1024u)
#define CHECK_BYTES_MAX (1024u * 1024u)

static int help(void);
static int check(const struct con_options *options);
static void show_sections(const struct con_config *config);

int con_errand_run(const struct con_options *options)
{
    switch (options->mode) {
    case CON_MODE_HELP:
        return help();
    case CON_MODE_VERSION:
        puts(CON_PROGRAM " " SLUICE_VERSION);
        return EXIT_SUCCESS;
    case CON_MODE_CHECK:
        return check(options);
    case CON_MODE_RUN: /* no errand */
        break;
    }
    return EXIT_FAILURE;
}

static int help(void)
{
    SL_DONE(sl_buf_done) struct sl_buf text;
    sl_buf_init(&text, HELP_BYTES_MAX);
    sl_buf_append_text(
        &text, CON_PROGRAM
        ": applies events from RabbitMQ to Postgres, each exactly once.\n\n"
        "usage: " CON_PROGRAM " [SUBSYSTEM...]   run these subsystems; default: every enabled one\n"
        "       " CON_PROGRAM
        " --check          say what is wrong with the configuration, or every value that holds; exit 78 or 0\n"
        "       " CON_PROGRAM " --help | --version\n\n"
        "configuration, from the environment:\n");
    con_config_help(&text);
    fputs(sl_buf_span(&text).data, stdout);
    return EXIT_SUCCESS;
}

static int check(const struct con_options *options)
{
    struct sl_err err = { 0 };
    SL_DONE(con_config_done) struct con_config config = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf mistakes;
    SL_DONE(sl_buf_done) struct sl_buf notes;
    sl_buf_init(&mistakes, CHECK_BYTES_MAX);
    sl_buf_init(&notes, CHECK_BYTES_MAX);
    if (!con_config_read(&config, options, environ, &err)) {
        return sl_err_exit_status(&err); /* every mistake has been said */
    }
    show_sections(&config);
    if (!con_check_functions(&config, &mistakes, &notes, &err)) {
        fprintf(stderr, CON_PROGRAM ": %s (%s)\n", err.text, sl_code_name(err.code));
        return sl_err_exit_status(&err);
    }
    fputs(sl_buf_span(&notes).data, stderr);
    return sl_conf_verdict(&mistakes, &err) ? EXIT_SUCCESS : sl_err_exit_status(&err);
}

static void show_sections(const struct con_config *config)
{
    SL_DONE(sl_buf_done) struct sl_buf text;
    sl_buf_init(&text, CHECK_BYTES_MAX);
    for (size_t i = 0; i < config->chosen_count; i++) {
        sl_buf_append_text(&text, i == 0 ? "" : "\n");
        sl_subsystem_tell(config->chosen[i], &text);
    }
    fputs(sl_buf_span(&text).data, stdout);
}
