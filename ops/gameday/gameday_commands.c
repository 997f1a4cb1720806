#include "ops/gameday/gameday_commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/gameday/gameday_wave.h"
#include "shared/config/ini.h"
#include "shared/file.h"

#define FILE_BYTES_MAX     65536u
#define MISTAKES_BYTES_MAX 4096u

#define PID_OF(name) "$(awk '$1 == \"" name "\" && $3 > 1 { print $3 }' \"$SLUICE_DEV_DIR/status\")"
#define PSQL         "eval \"$(\"$SLUICE\" dev env)\" && psql \"$DATABASE_URL\" -Xqv ON_ERROR_STOP=1 -c "

/* What each fault is on a local stack. The storm's customers are known by their name (ops/gameday/gameday_wave.c). */
static const struct ops_gameday_command of_stack[OPS_GAMEDAY_COUNT] = {
    [OPS_GAMEDAY_BROKER_STOP] = { "\"$SLUICE\" dev stop rabbitmq",
                                  "\"$SLUICE\" dev start rabbitmq" },
    [OPS_GAMEDAY_BROKER_FREEZE] = { "kill -STOP \"" PID_OF("rabbitmq") "\"",
                                    "kill -CONT \"" PID_OF("rabbitmq") "\"" },
    [OPS_GAMEDAY_POSTGRES_KILL] = { "kill -KILL \"" PID_OF("postgres") "\" && \"$SLUICE\" dev "
                                                                       "stop postgres",
                                    "\"$SLUICE\" dev start postgres" },
    [OPS_GAMEDAY_DISK_FULL] = { "\"$SLUICE\" dev rabbitmqctl -q set_disk_free_limit 100000GB",
                                "\"$SLUICE\" dev rabbitmqctl -q set_disk_free_limit 50MB" },
    [OPS_GAMEDAY_CONSUMER_CRASH_LOOP] = { "pid=" PID_OF(
                                              "consumer") "; [ -z \"$pid\" ] || kill -KILL \"$pid\"",
                                          "\"$SLUICE\" dev start consumer" },
    [OPS_GAMEDAY_POISON_FLOOD] = { NULL,
                                   "\"$SLUICE\" dead park --type " OPS_GAMEDAY_POISON_TYPE
                                   " --subsystem billing --reason 'game day' --for 15m && "
                                   "\"$SLUICE\" breaker close billing " OPS_GAMEDAY_POISON_TYPE },
    [OPS_GAMEDAY_RETRY_STORM] = { PSQL
                                  "\"CREATE OR REPLACE FUNCTION gameday_refuse() RETURNS trigger "
                                  "LANGUAGE plpgsql AS \\$\\$ BEGIN IF NEW.name = 'Game Day' THEN "
                                  "RAISE 'game day' USING ERRCODE = 'SLRTY'; END IF; RETURN NEW; "
                                  "END \\$\\$; CREATE OR REPLACE TRIGGER gameday_refuse BEFORE "
                                  "INSERT OR UPDATE ON billing_customer FOR EACH ROW EXECUTE "
                                  "FUNCTION gameday_refuse()\"",
                                  PSQL "\"SET client_min_messages = warning; DROP FUNCTION IF "
                                       "EXISTS gameday_refuse CASCADE\"" },
};

struct reading {
    struct ops_gameday_commands *commands;
    const char *file;
    const char *wanted; /* section */
    bool is_wanted;     /* the current one */
    struct sl_buf *mistakes;
};

static bool read_file(struct ops_gameday_commands *commands, const char *path,
                      enum ops_gameday_inventory inventory, struct sl_err *err);
static bool use_stack(struct ops_gameday_commands *commands, const struct ops_address *address,
                      struct sl_err *err);
static void on_section(void *arg, struct sl_span name, size_t line);
static void on_pair(void *arg, struct sl_span key, struct sl_span value, size_t line);

bool ops_gameday_commands_open(struct ops_gameday_commands *commands,
                               const struct ops_address *address,
                               enum ops_gameday_inventory inventory, struct sl_err *err)
{
    char program[PATH_MAX];
    ssize_t bytes = readlink("/proc/self/exe", program, sizeof program - 1);
    if (bytes <= 0) {
        return sl_fail(err, SL_E_IO, "/proc/self/exe: %s", strerror(errno));
    }
    program[bytes] = '\0';
    if (setenv("SLUICE", program, 1) != 0) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the environment");
    }
    if (address->settings.gameday != NULL) {
        return read_file(commands, address->settings.gameday, inventory, err);
    }
    return inventory != OPS_GAMEDAY_STAGING || address->stack.count == 0 ||
           use_stack(commands, address, err);
}

static bool read_file(struct ops_gameday_commands *commands, const char *path,
                      enum ops_gameday_inventory inventory, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf text = { 0 };
    sl_buf_init(&text, FILE_BYTES_MAX);
    if (!sl_file_read(path, &text)) {
        return sl_fail(err, SL_E_CONFIG, "SLUICE_GAMEDAY: %.200s: %s", path,
                       sl_buf_ok(&text) ? strerror(errno) : "too large");
    }
    commands->text = strndup(sl_buf_span(&text).data, text.used_bytes);
    return commands->text == NULL
               ? sl_fail(err, SL_E_MEMORY, "no memory for %.200s", path)
               : ops_gameday_commands_read(commands, commands->text, path, inventory, err);
}

/* Only when what would be loaded is the stack whose servers would be hurt. */
static bool use_stack(struct ops_gameday_commands *commands, const struct ops_address *address,
                      struct sl_err *err)
{
    char used[OPS_URL_BYTES];
    char of[OPS_URL_BYTES];
    const char *listen = ops_stack_get(&address->stack, "SLUICE_HTTP_LISTEN");
    if (listen == NULL || !ops_address_from_listen(listen, of)) {
        return true; /* servers only: nobody takes webhooks there */
    }
    if (!ops_address_publisher(address, NULL, used, err)) {
        return false;
    }
    if (strcmp(used, of) != 0) {
        return true; /* the events go elsewhere, so its servers are not ours to stop */
    }
    if (setenv("SLUICE_DEV_DIR", address->stack.dir, 1) != 0) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the environment");
    }
    memcpy(commands->items, of_stack, sizeof commands->items);
    commands->origin = "the local stack";
    return true;
}

bool ops_gameday_commands_read(struct ops_gameday_commands *commands, char *text, const char *file,
                               enum ops_gameday_inventory inventory, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    struct reading reading = { .commands = commands,
                               .file = file,
                               .wanted = ops_gameday_inventory_name(inventory),
                               .mistakes = &mistakes };
    struct sl_ini_visitor visitor = { .arg = &reading,
                                      .on_section = on_section,
                                      .on_pair = on_pair };
    commands->origin = file;
    sl_ini_read(sl_span_of(text), file, &visitor, &mistakes);
    struct sl_span said = sl_span_trim(sl_buf_span(&mistakes));
    return said.bytes == 0 || sl_fail(err, SL_E_CONFIG, "%.*s", SL_SPAN_ARGS(said));
}

static void on_section(void *arg, struct sl_span name, size_t line)
{
    struct reading *reading = arg;
    reading->is_wanted = sl_span_is(name, reading->wanted);
    if (!sl_span_is(name, "staging") && !sl_span_is(name, "prod")) {
        sl_buf_printf(reading->mistakes, "%s:%zu: a section is [staging] or [prod]\n",
                      reading->file, line);
    }
}

static void on_pair(void *arg, struct sl_span key, struct sl_span value, size_t line)
{
    struct reading *reading = arg;
    for (size_t i = 0; i < OPS_GAMEDAY_COUNT; i++) {
        const struct ops_gameday_scenario *scenario = ops_gameday_scenario_at(i);
        size_t bytes = strlen(scenario->name);
        if (key.bytes <= bytes || memcmp(key.data, scenario->name, bytes) != 0) {
            continue;
        }
        struct sl_span verb = sl_span_make(key.data + bytes, key.bytes - bytes);
        bool is_begin = sl_span_is(verb, ".begin");
        if (!is_begin && !sl_span_is(verb, ".end")) {
            continue;
        }
        if (value.bytes == 0) {
            break;
        }
        if (reading->is_wanted) {
            char *command = (char *)(uintptr_t)value.data; /* of the caller's own text */
            command[value.bytes] = '\0'; /* at the line's end or the blanks before it */
            *(is_begin ? &reading->commands->items[i].begin : &reading->commands->items[i].end) =
                command;
        }
        return;
    }
    sl_buf_printf(reading->mistakes,
                  "%s:%zu: '%.*s' is no <scenario>.begin or <scenario>.end with a command\n",
                  reading->file, line, (int)(key.bytes > 60 ? 60 : key.bytes), key.data);
}

void ops_gameday_commands_done(struct ops_gameday_commands *commands)
{
    free(commands->text);
    commands->text = NULL;
}

bool ops_gameday_commands_suffice(const struct ops_gameday_commands *commands,
                                  const struct ops_gameday_scenario *scenario,
                                  enum ops_gameday_inventory inventory, struct sl_err *err)
{
    const struct ops_gameday_command *command = &commands->items[scenario->id];
    const char *section = ops_gameday_inventory_name(inventory);
    if (!scenario->needs_commands || (command->begin != NULL && command->end != NULL)) {
        return true;
    }
    if (commands->origin == NULL) {
        return sl_fail(err, SL_E_CONFIG,
                       "%s touches servers, and nobody has said how: name a file in "
                       "SLUICE_GAMEDAY with %s.begin and %s.end in its section [%s]%s",
                       scenario->name, scenario->name, scenario->name, section,
                       inventory == OPS_GAMEDAY_STAGING ? ", or start a local stack: sluice dev"
                                                        : "");
    }
    return sl_fail(err, SL_E_CONFIG, "%s: section [%s] has no %s.%s", commands->origin, section,
                   scenario->name, command->begin == NULL ? "begin" : "end");
}
