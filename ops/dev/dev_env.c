#include "ops/dev/dev_env.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not inherited, neither as such nor as NAME_FILE. */
static const char *const withheld[] = {
    "AMQP_URL",         "DATABASE_URL",          "NOTIFY_SOCKET",         "PORT",
    "RABBITMQ_API_URL", "RABBITMQ_URL",          "SERVICE_NAME",          "SLUICE_CONSUMER_URL",
    "SLUICE_DEV_DIR",   "SLUICE_HTTP_LISTEN",    "SLUICE_METRICS_LISTEN", "SLUICE_PUBLISHER_URL",
    "SLUICE_STATE_DIR", "STRIPE_WEBHOOK_SECRET",
};

static bool is_withheld(const char *item);
static void put(struct dev_env *env, char *item, size_t name_bytes);

void dev_env_inherit(struct dev_env *env)
{
    for (char **item = environ; *item != NULL; item++) {
        const char *equals = strchr(*item, '=');
        if (equals == NULL || is_withheld(*item)) {
            continue;
        }
        put(env, strdup(*item), (size_t)(equals - *item));
    }
}

static bool is_withheld(const char *item)
{
    for (size_t i = 0; i < SL_COUNT(withheld); i++) {
        size_t bytes = strlen(withheld[i]);
        if (strncmp(item, withheld[i], bytes) == 0 &&
            (item[bytes] == '=' || strncmp(item + bytes, "_FILE=", 6) == 0)) {
            return true;
        }
    }
    /* libpq reads PGHOST, PGUSER and two dozen more; PG_POOL_MAX is ours. */
    return strncmp(item, "PG", 2) == 0 && item[2] != '_';
}

void dev_env_set(struct dev_env *env, const char *name, const char *fmt, ...)
{
    va_list args;
    char *value = NULL;
    char *item = NULL;

    va_start(args, fmt);
    int bytes = vasprintf(&value, fmt, args);
    va_end(args);
    if (bytes >= 0 && asprintf(&item, "%s=%s", name, value) < 0) {
        item = NULL;
    }
    if (bytes >= 0) {
        explicit_bzero(value, (size_t)bytes);
        free(value);
    }
    put(env, item, strlen(name));
}

/* Takes item; NULL means there was no memory. */
static void put(struct dev_env *env, char *item, size_t name_bytes)
{
    if (item == NULL) {
        env->failed = true;
        return;
    }
    for (unsigned i = 0; i < env->count; i++) {
        if (strncmp(env->items[i], item, name_bytes + 1) == 0) {
            free(env->items[i]);
            env->items[i] = item;
            return;
        }
    }
    if (env->count == DEV_ENV_MAX) {
        free(item);
        env->failed = true;
        return;
    }
    env->items[env->count++] = item;
}

char *const *dev_env_list(const struct dev_env *env, struct sl_err *err)
{
    if (env->failed) {
        (void)sl_fail(err, SL_E_LIMIT, "environment of more than %u names, or no memory for it",
                      DEV_ENV_MAX);
        return NULL;
    }
    return env->items;
}

void dev_env_done(struct dev_env *env)
{
    for (unsigned i = 0; i < env->count; i++) {
        explicit_bzero(env->items[i], strlen(env->items[i]));
        free(env->items[i]);
    }
    env->count = 0;
    env->items[0] = NULL;
}
