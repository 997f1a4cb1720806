#include "ops/topology/bindings.h"

#include "ops/api.h"
#include "shared/json/json.h"

#define ANSWER_BYTES_MAX (16u * 1024u * 1024u)
#define NODES_MAX        1000000u

bool ops_bindings_list(const char *api_url, const struct sl_amqp_url *url, struct sl_arena *arena,
                       struct ops_bindings *out, struct sl_err *err)
{
    SL_DONE(sl_buf_done) struct sl_buf body = { 0 };
    sl_buf_init(&body, ANSWER_BYTES_MAX);
    return ops_api_get(api_url, url, "bindings", &body, err) &&
           ops_bindings_parse(sl_buf_span(&body), arena, out, err);
}

bool ops_bindings_parse(struct sl_span json, struct sl_arena *arena, struct ops_bindings *out,
                        struct sl_err *err)
{
    struct sl_json_parser *parser = sl_json_parser_new(json.bytes + 1);
    if (parser == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for the list of bindings");
    }
    const struct sl_json *root = sl_json_parse(parser, arena, json, 2, NODES_MAX, err);
    sl_json_parser_free(parser);
    if (root == NULL || root->type != SL_JSON_ARRAY) {
        return root == NULL ? sl_err_wrap(err, "the list of bindings")
                            : sl_fail(err, SL_E_JSON_MALFORMED, "the list of bindings is no list");
    }
    struct ops_bindings list = { 0 };
    list.items = sl_arena_array(arena, root->child_count, sizeof *list.items);
    if (list.items == NULL) {
        return sl_fail(err, SL_E_MEMORY, "no memory for %zu bindings", root->child_count);
    }
    for (const struct sl_json *item = root->first; item != NULL; item = item->next) {
        struct ops_binding *binding = &list.items[list.count++];
        binding->source = sl_json_text(sl_json_get(item, "source"), arena, true, NULL);
        binding->destination = sl_json_text(sl_json_get(item, "destination"), arena, true, NULL);
        binding->routing_key = sl_json_text(sl_json_get(item, "routing_key"), arena, true, NULL);
        binding->properties_key =
            sl_json_text(sl_json_get(item, "properties_key"), arena, true, NULL);
        struct sl_span type =
            sl_json_text(sl_json_get(item, "destination_type"), arena, true, NULL);
        binding->to_exchange = sl_span_is(type, "exchange");
    }
    *out = list;
    return true;
}

bool ops_bindings_have(const struct ops_bindings *bindings, const struct sl_amqp_declare *declare)
{
    bool to_exchange = declare->kind == SL_AMQP_BIND_EXCHANGE;
    for (size_t i = 0; i < bindings->count; i++) {
        const struct ops_binding *binding = &bindings->items[i];
        if (binding->to_exchange == to_exchange &&
            sl_span_is(binding->destination, declare->name) &&
            sl_span_is(binding->source, declare->source) &&
            sl_span_eq(binding->routing_key, sl_span_of(declare->routing_key))) {
            return true;
        }
    }
    return false;
}
