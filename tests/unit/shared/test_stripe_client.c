#include "shared/stripe/stripe_client.h"

#include "tests/unit/shared/http_world.h"

#define CALLS_MAX 32

/* A client of Stripe whose Stripe is the world's server. */
struct talk {
    struct world world;
    struct sl_stripe_client *client;
    int status[CALLS_MAX]; /* of each call, as told */
    unsigned tries[CALLS_MAX];
    enum sl_code code[CALLS_MAX];
    size_t told;
};

static void open_talk(struct talk *talk, int64_t rate, int64_t answer_ms, int64_t budget_ms)
{
    struct sl_err err = { 0 };
    char base[64];
    unsetenv("http_proxy");
    memset(talk, 0, sizeof *talk);
    open_world(&talk->world, &sl_http_limits_default);
    snprintf(base, sizeof base, "http://127.0.0.1:%u/", sl_http_server_port(talk->world.server));
    talk->client = sl_stripe_client_new(&(struct sl_stripe_client_opts){ .loop = talk->world.loop,
                                                                         .base = base,
                                                                         .key = "sk_test_1",
                                                                         .rate = rate,
                                                                         .answer_ms = answer_ms,
                                                                         .budget_ms = budget_ms },
                                        &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(talk->client);
}

static void close_talk(struct talk *talk)
{
    sl_stripe_client_free(talk->client);
    for (size_t i = 0; i < talk->world.held_count; i++) {
        echo(&talk->world, talk->world.held[i]);
    }
    close_world(&talk->world);
}

static void on_answer(const struct sl_stripe_answer *answer, void *arg)
{
    struct talk *talk = arg;
    talk->status[talk->told] = answer->status;
    talk->tries[talk->told] = answer->tries;
    talk->code[talk->told] = answer->err == NULL ? SL_E_NONE : answer->err->code;
    talk->told++;
}

static bool call(struct talk *talk, const char *method, const char *key, struct sl_err *err)
{
    const struct sl_stripe_call call = { .method = method,
                                         .path = "/v1/customers",
                                         .form = SL_SPAN_LITERAL("a=b"),
                                         .account = "acct_1",
                                         .idempotency_key = key };
    return sl_stripe_client_call(talk->client, &call, on_answer, talk, err);
}

static void wait_until_told(struct talk *talk, size_t count)
{
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    while (talk->told < count && sl_clock_mono_ms() < until_ms) {
        turn(&talk->world);
    }
    CU_ASSERT_EQUAL_FATAL(talk->told, count);
}

static struct sl_http_request *wait_for_request(struct talk *talk, size_t place)
{
    int64_t until_ms = sl_clock_mono_ms() + PATIENCE_MS;
    while (talk->world.held_count <= place && sl_clock_mono_ms() < until_ms) {
        turn(&talk->world);
    }
    CU_ASSERT_FATAL(talk->world.held_count > place);
    return talk->world.held[place];
}

static bool says(const struct sl_http_request *request, const char *name, const char *value)
{
    return sl_span_is(sl_http_field(sl_http_request_head(request), name), value);
}

CLAIM(stripe_client__a_post_says_version_account_and_the_same_key_in_every_try)
{
    struct talk talk;
    char first[64] = "";
    open_talk(&talk, 1000, 5000, 0);
    talk.world.holds = true;
    CU_ASSERT_TRUE(call(&talk, "POST", NULL, NULL));
    for (size_t i = 0; i < 2; i++) {
        struct sl_http_request *request = wait_for_request(&talk, i);
        struct sl_span key = sl_http_field(sl_http_request_head(request), "Idempotency-Key");
        CU_ASSERT_TRUE(says(request, "Stripe-Version", SL_STRIPE_API_VERSION));
        CU_ASSERT_TRUE(says(request, "Stripe-Account", "acct_1"));
        CU_ASSERT_TRUE(says(request, "Authorization", "Bearer sk_test_1"));
        CU_ASSERT_TRUE(sl_span_is(sl_http_request_body(request), "a=b"));
        CU_ASSERT_EQUAL(key.bytes, 32);
        if (i == 0) {
            snprintf(first, sizeof first, "%.*s", SL_SPAN_ARGS(key));
        }
        CU_ASSERT_TRUE(sl_span_is(key, first));
        sl_http_reply(request, &(struct sl_http_reply){ .status = i == 0 ? 500 : 200 });
    }
    talk.world.held_count = 0;
    wait_until_told(&talk, 1);
    CU_ASSERT_EQUAL(talk.status[0], 200);
    CU_ASSERT_EQUAL(talk.tries[0], 2);
    close_talk(&talk);
}

CLAIM(stripe_client__calls_go_out_one_gap_apart)
{
    struct talk talk;
    open_talk(&talk, 20, 5000, 0); /* 50 ms */
    int64_t begun_ms = sl_clock_mono_ms();
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_TRUE(call(&talk, "GET", NULL, NULL));
    }
    wait_until_told(&talk, 5);
    CU_ASSERT(sl_clock_mono_ms() - begun_ms >= 4 * 50);
    close_talk(&talk);
}

CLAIM(stripe_client__more_calls_than_it_has_room_for_are_refused)
{
    struct talk talk;
    struct sl_err err = { 0 };
    open_talk(&talk, 1000, 5000, 0);
    for (size_t i = 0; i < SL_STRIPE_CALLS_MAX; i++) {
        CU_ASSERT_TRUE(call(&talk, "GET", NULL, &err));
    }
    CU_ASSERT_FALSE(call(&talk, "GET", NULL, &err));
    CU_ASSERT_EQUAL(err.code, SL_E_LIMIT);
    wait_until_told(&talk, SL_STRIPE_CALLS_MAX);
    CU_ASSERT_TRUE(call(&talk, "GET", NULL, &err));
    wait_until_told(&talk, SL_STRIPE_CALLS_MAX + 1);
    close_talk(&talk);
}

CLAIM(stripe_client__silence_ends_within_the_budget)
{
    struct talk talk;
    open_talk(&talk, 1000, 200, 400);
    talk.world.holds = true;
    int64_t begun_ms = sl_clock_mono_ms();
    CU_ASSERT_TRUE(call(&talk, "GET", NULL, NULL));
    wait_until_told(&talk, 1);
    CU_ASSERT_EQUAL(talk.status[0], 0);
    CU_ASSERT_EQUAL(talk.code[0], SL_E_DEADLINE);
    CU_ASSERT_EQUAL(talk.tries[0], 1); /* the next one would end too late */
    CU_ASSERT(sl_clock_mono_ms() - begun_ms < PATIENCE_MS / 2);
    close_talk(&talk);
}
