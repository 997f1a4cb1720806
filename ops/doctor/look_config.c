/* look_config - the environment, and the files it names, as both daemons would read them. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ops/doctor/config_facts.h"
#include "ops/doctor/patient.h"
#include "shared/amqp/amqp_papers.h"
#include "shared/embed.h"
#include "shared/signature/sources_read.h"

#define MISTAKES_BYTES_MAX (64u * 1024u)
#define ENTRIES_MAX        4096u

extern const struct sl_embedded embedded_default_subsystems[];

static char **with_stack(struct ops_patient *patient, struct sl_arena *arena);
static void see_mistakes(struct ops_patient *patient, enum ops_check_id id,
                         const struct sl_buf *mistakes);
static void see_subsystems(struct ops_patient *patient, char *const *environment);
static void see_sources(struct ops_patient *patient);
static void read_amqp(struct ops_patient *patient, struct sl_buf *mistakes);

void ops_look_config(struct ops_patient *patient)
{
    SL_DONE(sl_buf_done) struct sl_buf ignored = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    SL_DONE(sl_arena_done) struct sl_arena arena = { 0 };
    sl_buf_init(&ignored, MISTAKES_BYTES_MAX);
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    sl_arena_init(&arena, MISTAKES_BYTES_MAX * 4);
    ops_address_read(&patient->address, &ignored); /* the daemons' tables know these keys too */
    char **environment = with_stack(patient, &arena);
    if (environment == NULL) {
        environment = environ;
    }
    ops_deployed_read(&patient->deployed, environment, &mistakes);
    read_amqp(patient, &mistakes);
    see_mistakes(patient, OPS_CHECK_CONFIG_KEYS, &mistakes);
    see_subsystems(patient, environment);
    see_sources(patient);
    if (patient->environment == NULL) {
        patient->environment = patient->deployed.publisher.sentry_environment;
    }
    const struct ops_config_seen seen = {
        .deployed = &patient->deployed,
        .environment = patient->environment,
        .restricted = patient->address.settings.stripe_restricted_key,
        .publishable = getenv("STRIPE_PUBLISHABLE_KEY"),
        .amqp = patient->has_amqp ? &patient->amqp : NULL,
    };
    ops_config_facts(&seen, &patient->facts);
}

/* The environment, and behind it what the running local stack would add. NULL without memory. */
static char **with_stack(struct ops_patient *patient, struct sl_arena *arena)
{
    const struct ops_stack *stack = &patient->address.stack;
    size_t count = 0;
    while (count < ENTRIES_MAX && environ[count] != NULL) {
        count++;
    }
    char **entries = sl_arena_array(arena, count + stack->count + 1, sizeof *entries);
    if (entries == NULL) {
        return NULL;
    }
    memcpy(entries, environ, count * sizeof *entries);
    for (size_t i = 0; i < stack->count; i++) {
        const char *name = stack->entries[i].name;
        size_t bytes = strlen(name) + strlen(stack->entries[i].value) + 2;
        char *entry = sl_arena_alloc(arena, bytes);
        if (getenv(name) == NULL && entry != NULL) {
            snprintf(entry, bytes, "%s=%s", name, stack->entries[i].value);
            entries[count++] = entry;
        }
    }
    entries[count] = NULL;
    return entries;
}

/* How many lines, and the first of them; nothing of a check that has none. */
static void see_mistakes(struct ops_patient *patient, enum ops_check_id id,
                         const struct sl_buf *mistakes)
{
    struct sl_span rest = sl_buf_span(mistakes);
    struct sl_span line = { 0 };
    struct sl_span first = SL_SPAN_LITERAL("");
    int64_t count = 0;
    while (sl_span_split(&rest, '\n', &line)) {
        first = count == 0 && line.bytes > 0 ? line : first;
        count += line.bytes > 0 ? 1 : 0;
    }
    ops_fact_see(&patient->facts, id, count, "", "%.*s", SL_SPAN_ARGS(first));
}

static void read_amqp(struct ops_patient *patient, struct sl_buf *mistakes)
{
    const struct ops_deployed_publisher *publisher = &patient->deployed.publisher;
    struct sl_err why = { 0 };
    if (publisher->amqp_url == NULL) {
        sl_buf_append_text(mistakes, "AMQP_URL: is not set\n");
    } else if (!sl_amqp_url_parse(publisher->amqp_url, &patient->amqp, &why)) {
        sl_buf_printf(mistakes, "AMQP_URL: %s\n", why.text);
    } else {
        patient->has_amqp = true;
        sl_amqp_papers_set(&patient->amqp,
                           &(struct sl_tls_papers){ .ca = publisher->amqp_ca,
                                                    .certificate = publisher->amqp_cert,
                                                    .key = publisher->amqp_key },
                           mistakes);
    }
    if (publisher->database_url == NULL) {
        sl_buf_append_text(mistakes, "DATABASE_URL: is not set; the consumer needs it\n");
    }
}

static void see_subsystems(struct ops_patient *patient, char *const *environment)
{
    SL_DONE(sl_buf_done) struct sl_buf ignored = { 0 };
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    SL_DONE(sl_conf_source_done) struct sl_conf_source source = { 0 };
    sl_buf_init(&ignored, MISTAKES_BYTES_MAX);
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    const char *file = patient->address.settings.subsystems;
    sl_subsystems_load(file, sl_embedded_span(&embedded_default_subsystems[0]),
                       &patient->subsystems, &mistakes);
    sl_conf_source_init(&source, environment, &ignored);
    sl_subsystems_switch(&patient->subsystems, &source);
    if (mistakes.used_bytes > 0) {
        see_mistakes(patient, OPS_CHECK_CONFIG_SUBSYSTEMS, &mistakes);
        return;
    }
    size_t enabled = 0;
    for (size_t i = 0; i < patient->subsystems.count; i++) {
        enabled += patient->subsystems.items[i].enabled ? 1 : 0;
    }
    ops_fact_see(&patient->facts, OPS_CHECK_CONFIG_SUBSYSTEMS, enabled == 0 ? 1 : 0, "",
                 "%zu of %zu sections %s enabled", enabled, patient->subsystems.count,
                 enabled == 1 ? "is" : "are");
}

static void see_sources(struct ops_patient *patient)
{
    SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
    struct sl_sources sources = { 0 };
    sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
    sl_sources_load(patient->address.settings.sources, &sources, &mistakes);
    if (mistakes.used_bytes > 0) {
        see_mistakes(patient, OPS_CHECK_CONFIG_SOURCES, &mistakes);
    } else {
        ops_fact_see(&patient->facts, OPS_CHECK_CONFIG_SOURCES, 0, "", "%zu sender%s",
                     sources.count, sources.count == 1 ? "" : "s");
    }
}

void ops_patient_done(struct ops_patient *patient)
{
    if (patient->has_amqp) {
        sl_amqp_url_done(&patient->amqp);
    }
    sl_subsystems_done(&patient->subsystems);
    ops_deployed_done(&patient->deployed);
    ops_address_done(&patient->address);
}
