#include "ops/doctor/deployed.h"

#include <unistd.h>

#include "ops/stack.h"

#define MISTAKES_BYTES_MAX 8192u

static const struct sl_conf_key publisher_keys[] = {
#define SL_CONF(field, TYPE, ...)                                                                  \
    SL_CONF_ROW(struct ops_deployed_publisher, field, TYPE, __VA_ARGS__)
#include "publisher/config.def"
#undef SL_CONF
};
static const struct sl_conf_key consumer_keys[] = {
#define SL_CONF(field, TYPE, ...)                                                                  \
    SL_CONF_ROW(struct ops_deployed_consumer, field, TYPE, __VA_ARGS__)
#include "consumer/config.def"
#undef SL_CONF
};

static void keep_new_lines(struct sl_span lines, struct sl_buf *mistakes);
static bool has_key(const struct sl_conf_key *keys, size_t count, const char *name);

void ops_deployed_read(struct ops_deployed *deployed, char *const *environment,
                       struct sl_buf *mistakes)
{
    SL_DONE(sl_buf_done) struct sl_buf of_consumer = { 0 };
    SL_DONE(sl_conf_source_done) struct sl_conf_source source = { 0 };
    sl_buf_init(&of_consumer, mistakes->bytes_max);
    sl_conf_source_init(&source, environment, mistakes);
    sl_conf_read(publisher_keys, SL_COUNT(publisher_keys), &source, &deployed->publisher, mistakes);
    sl_conf_read(consumer_keys, SL_COUNT(consumer_keys), &source, &deployed->consumer,
                 &of_consumer);
    keep_new_lines(sl_buf_span(&of_consumer), mistakes);
}

/* Both daemons complain about a key that both have. */
static void keep_new_lines(struct sl_span lines, struct sl_buf *mistakes)
{
    struct sl_span line = { 0 };
    while (sl_span_split(&lines, '\n', &line)) {
        struct sl_span known = sl_buf_span(mistakes);
        if (line.bytes > 0 && memmem(known.data, known.bytes, line.data, line.bytes) == NULL) {
            sl_buf_append_span(mistakes, line);
            sl_buf_append_char(mistakes, '\n');
        }
    }
}

void ops_deployed_done(struct ops_deployed *deployed)
{
    sl_conf_done(publisher_keys, SL_COUNT(publisher_keys), &deployed->publisher);
    sl_conf_done(consumer_keys, SL_COUNT(consumer_keys), &deployed->consumer);
}

char *ops_deployed_secret(const char *name)
{
    SL_DONE(sl_buf_done) struct sl_buf ignored = { 0 };
    SL_DONE(sl_conf_source_done) struct sl_conf_source source = { 0 };
    sl_buf_init(&ignored, MISTAKES_BYTES_MAX);
    sl_conf_source_init(&source, environ, &ignored);
    char *value = sl_conf_secret(&source, name, &ignored);
    return value != NULL ? value : ops_stack_lookup(name);
}

const struct sl_conf_key *ops_deployed_key(size_t i)
{
    if (i < SL_COUNT(publisher_keys)) {
        return &publisher_keys[i];
    }
    size_t skipped = i - SL_COUNT(publisher_keys);
    for (size_t k = 0; k < SL_COUNT(consumer_keys); k++) {
        bool is_new = !has_key(publisher_keys, SL_COUNT(publisher_keys), consumer_keys[k].env);
        if (is_new && skipped-- == 0) {
            return &consumer_keys[k];
        }
    }
    return NULL;
}

static bool has_key(const struct sl_conf_key *keys, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].env, name) == 0) {
            return true;
        }
    }
    return false;
}
