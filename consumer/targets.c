#include "consumer/targets.h"

#include <stdio.h>
#include <stdlib.h>

#define TOKEN_BYTES_MAX 512u

static void read_url(char **out, const struct sl_subsystem *subsystem,
                     const struct sl_subsystem_url *url, const struct sl_conf_source *source,
                     struct sl_buf *mistakes);
static char *read_variable(const char *name, enum sl_conf_type type,
                           const struct sl_conf_source *source, struct sl_buf *mistakes);
static void read_keys(struct con_target *target, const struct sl_subsystem *subsystem,
                      const struct sl_conf_source *source, struct sl_buf *mistakes);
static void read_bearer(struct con_target *target, const struct sl_subsystem *subsystem,
                        const struct sl_conf_source *source, struct sl_buf *mistakes);
static void add_key(struct con_target *target, const char *name, struct sl_span secret,
                    struct sl_buf *mistakes);

void con_target_read(struct con_target *target, const struct sl_subsystem *subsystem,
                     const struct sl_conf_source *source, struct sl_buf *mistakes)
{
    *target = (struct con_target){ 0 };
    bool is_known = sl_scheme_preset(SL_SPAN_LITERAL("standard-webhooks"), &target->scheme);
    SL_ASSERT(is_known);
    read_url(&target->url, subsystem, &subsystem->url, source, mistakes);
    if (subsystem->on_dead.kind == SL_CALL_HTTP) {
        read_url(&target->dead_url, subsystem, &subsystem->on_dead.url, source, mistakes);
    }
    if (subsystem->on_trip.kind == SL_CALL_HTTP) {
        read_url(&target->trip_url, subsystem, &subsystem->on_trip.url, source, mistakes);
    }
    if (subsystem->secret != NULL) {
        read_keys(target, subsystem, source, mistakes);
    }
    if (subsystem->bearer != NULL) {
        read_bearer(target, subsystem, source, mistakes);
    }
}

void con_target_done(struct con_target *target)
{
    free(target->url);
    free(target->dead_url);
    free(target->trip_url);
    for (size_t i = 0; i < target->key_count; i++) {
        sl_hmac_key_free(target->keys[i]);
    }
    if (target->bearer != NULL) {
        explicit_bzero(target->bearer, strlen(target->bearer));
    }
    free(target->bearer);
    *target = (struct con_target){ 0 };
}

static void read_url(char **out, const struct sl_subsystem *subsystem,
                     const struct sl_subsystem_url *url, const struct sl_conf_source *source,
                     struct sl_buf *mistakes)
{
    if (url->text == NULL) {
        return;
    }
    *out = url->is_variable ? read_variable(url->text, SL_CONF_TEXT, source, mistakes)
                            : strdup(url->text);
    if (*out == NULL) {
        sl_buf_printf(mistakes, "%s: must be set: [%s] calls it\n", url->text, subsystem->name);
        return;
    }
    const char *fault = sl_subsystem_url_fault(sl_span_of(*out));
    if (fault != NULL) {
        sl_buf_printf(mistakes, "%s: %s\n", url->text, fault);
    }
}

/* Its value, or what the file named by <NAME>_FILE holds; NULL when neither is set. */
static char *read_variable(const char *name, enum sl_conf_type type,
                           const struct sl_conf_source *source, struct sl_buf *mistakes)
{
    char *value = NULL;
    const struct sl_conf_key key = { .offset = 0, .type = type, .env = name };
    sl_conf_read(&key, 1, source, &value, mistakes);
    return value;
}

static void read_keys(struct con_target *target, const struct sl_subsystem *subsystem,
                      const struct sl_conf_source *source, struct sl_buf *mistakes)
{
    char *value = read_variable(subsystem->secret, SL_CONF_SECRET, source, mistakes);
    if (value == NULL) {
        sl_buf_printf(mistakes,
                      "%s: must be set: [%s] signs with it; such as whsec_ and 32 random "
                      "bytes in base64\n",
                      subsystem->secret, subsystem->name);
        return;
    }
    struct sl_span rest = sl_span_of(value);
    struct sl_span secret = { 0 };
    while (sl_span_split(&rest, ',', &secret)) {
        add_key(target, subsystem->secret, secret, mistakes);
    }
    explicit_bzero(value, strlen(value));
    free(value);
}

static void read_bearer(struct con_target *target, const struct sl_subsystem *subsystem,
                        const struct sl_conf_source *source, struct sl_buf *mistakes)
{
    char *value = read_variable(subsystem->bearer, SL_CONF_SECRET, source, mistakes);
    bool is_plain = value != NULL && strlen(value) <= TOKEN_BYTES_MAX;
    for (const char *at = value; is_plain && *at != '\0'; at++) {
        is_plain = *at > ' ' && *at < 0x7f;
    }
    if (value == NULL) {
        sl_buf_printf(mistakes, "%s: must be set: [%s] sends it as its bearer token\n",
                      subsystem->bearer, subsystem->name);
    } else if (!is_plain || asprintf(&target->bearer, "Bearer %s", value) < 0) {
        target->bearer = NULL;
        sl_buf_printf(mistakes, "%s: a token is at most %u visible ASCII characters\n",
                      subsystem->bearer, TOKEN_BYTES_MAX);
    }
    if (value != NULL) {
        explicit_bzero(value, strlen(value));
        free(value);
    }
}

static void add_key(struct con_target *target, const char *name, struct sl_span secret,
                    struct sl_buf *mistakes)
{
    const char *objection = sl_scheme_secret_objection(&target->scheme, secret);
    struct sl_err why = { 0 };
    if (objection != NULL) {
        sl_buf_printf(mistakes, "%s: %s\n", name, objection);
    } else if (target->key_count == CON_TARGET_KEYS_MAX) {
        sl_buf_printf(mistakes, "%s: at most %u secrets, the old one and the new one\n", name,
                      CON_TARGET_KEYS_MAX);
    } else {
        target->keys[target->key_count] = sl_scheme_key_new(&target->scheme, secret, &why);
        if (target->keys[target->key_count] == NULL) {
            sl_buf_printf(mistakes, "%s: %s\n", name, why.text);
        } else {
            target->key_count++;
        }
    }
}
