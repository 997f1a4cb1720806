#include "ops/secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ops/input.h"

#include "shared/signature/sources_read.h"

#define MISTAKES_BYTES_MAX 8192u
#define NAMES_BYTES        (SL_SOURCES_MAX * (SL_SOURCE_NAME_BYTES + 2u))

static char *read_secret_file(const char *file, struct sl_err *err);
static char *read_variable(const char *variable, struct sl_err *err);

bool ops_source_find(const struct ops_address *address, const char *name, struct sl_source *out,
                     struct sl_err *err)
{
    struct sl_sources sources;
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    sl_sources_load(address->settings.sources, &sources, &mistakes);
    if (!sl_conf_verdict(&mistakes, err)) {
        return false;
    }
    const char *wanted = name == NULL ? SL_SOURCE_STRIPE : name;
    const struct sl_source *found = sl_sources_find(&sources, sl_span_of(wanted));
    if (found != NULL) {
        *out = *found;
        return true;
    }
    struct sl_scheme known;
    if (sl_scheme_preset(sl_span_of(wanted), &known) && known.header[0] != '\0') {
        sl_source_init(out, sl_span_of(wanted), 0); /* a well-known scheme needs no section */
        return true;
    }
    char names[NAMES_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < sources.count; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ", ",
                                 sources.items[i].name);
    }
    return sl_fail(err, SL_E_USAGE, "there is no source '%.40s' in SLUICE_SOURCES; there is %s",
                   wanted, names);
}

bool ops_secrets_open(const struct ops_address *address, const char *variable, const char *file,
                      struct ops_secrets *out, struct sl_err *err)
{
    *out = (struct ops_secrets){ .origin = file != NULL ? file : variable };
    struct sl_err why = { 0 };
    out->text = file != NULL ? read_secret_file(file, &why) : read_variable(variable, &why);
    if (out->text == NULL && why.text[0] != '\0') {
        *err = why;
        return false;
    }
    if (out->text == NULL) {
        const char *value = ops_stack_get(&address->stack, variable);
        out->text = value == NULL ? NULL : strdup(value);
        out->origin = "the local stack";
    }
    struct sl_span rest = sl_span_of(out->text);
    struct sl_span item = { 0 };
    while (out->count < SL_STRIPE_SECRETS_MAX && sl_span_split(&rest, ',', &item)) {
        if (item.bytes > 0) {
            out->items[out->count++] = item;
        }
    }
    if (out->count > 0) {
        return true;
    }
    return file != NULL
               ? sl_fail(err, SL_E_CONFIG, "%s holds no secret", file)
               : sl_fail(
                     err, SL_E_CONFIG,
                     "no signing secret is known: set %s, give --secret-file, or run `sluice dev`",
                     variable);
}

/* The file's bytes without trailing line ends. NULL: err says why. */
static char *read_secret_file(const char *file, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf bytes = { 0 };
    sl_buf_init(&bytes, OPS_SECRETS_BYTES_MAX);
    if (!ops_input_read(file, &bytes, err)) {
        return NULL;
    }
    char *text = strndup(sl_buf_span(&bytes).data, bytes.used_bytes);
    if (bytes.data != NULL) {
        explicit_bzero(bytes.data, bytes.used_bytes);
    }
    size_t count = text == NULL ? 0 : strlen(text);
    while (count > 0 && strchr("\r\n", text[count - 1]) != NULL) {
        text[--count] = '\0';
    }
    if (text == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a secret");
    }
    return text;
}

/* NULL: unset, or err says why. */
static char *read_variable(const char *variable, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    SL_DONE(sl_conf_source_done) struct sl_conf_source source = { 0 };
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    sl_conf_source_init(&source, environ, &mistakes);
    char *text = sl_conf_secret(&source, variable, &mistakes);
    if (!sl_conf_verdict(&mistakes, err)) {
        free(text);
        return NULL;
    }
    return text;
}

void ops_secrets_done(struct ops_secrets *secrets)
{
    if (secrets->text != NULL) {
        explicit_bzero(secrets->text, strlen(secrets->text));
        free(secrets->text);
    }
    *secrets = (struct ops_secrets){ 0 };
}
