#include "shared/amqp/amqp_papers.h"

#include <stdlib.h>

static bool fit_together(const struct sl_amqp_url *url, struct sl_buf *mistakes);
static void try_each(const struct sl_tls_papers *papers, struct sl_buf *mistakes);
static bool can_use(const struct sl_tls_papers *papers, const char *name, struct sl_buf *mistakes);
static bool copy(char **out, const char *text);

void sl_amqp_papers_set(struct sl_amqp_url *url, const struct sl_tls_papers *papers,
                        struct sl_buf *mistakes)
{
    if (!copy(&url->papers.ca, papers->ca) ||
        !copy(&url->papers.certificate, papers->certificate) ||
        !copy(&url->papers.key, papers->key)) {
        sl_buf_append_text(mistakes, "SLUICE_AMQP_CERT: no memory\n");
    } else if (fit_together(url, mistakes)) {
        try_each(&url->papers, mistakes);
    }
}

static bool copy(char **out, const char *text)
{
    *out = text == NULL ? NULL : strdup(text);
    return text == NULL || *out != NULL;
}

static bool fit_together(const struct sl_amqp_url *url, struct sl_buf *mistakes)
{
    const struct sl_tls_papers *papers = &url->papers;
    size_t before = mistakes->used_bytes;
    if (papers->certificate != NULL && papers->key == NULL) {
        sl_buf_append_text(mistakes, "SLUICE_AMQP_CERT: needs SLUICE_AMQP_KEY, its private key\n");
    } else if (papers->certificate == NULL && papers->key != NULL) {
        sl_buf_append_text(mistakes, "SLUICE_AMQP_KEY: needs SLUICE_AMQP_CERT, its certificate\n");
    }
    bool has_any = papers->ca != NULL || papers->certificate != NULL || papers->key != NULL;
    if (has_any && !url->is_tls) {
        sl_buf_append_text(mistakes, "SLUICE_AMQP_CA, SLUICE_AMQP_CERT, SLUICE_AMQP_KEY: are used "
                                     "with amqps:// only, and AMQP_URL is amqp://\n");
    }
    return mistakes->used_bytes == before;
}

/* One more at a time, so that the one which fails is known; a key cannot be compared with no certificate. */
static void try_each(const struct sl_tls_papers *papers, struct sl_buf *mistakes)
{
    struct sl_tls_papers some = { .ca = papers->ca };
    if (papers->ca != NULL) {
        (void)can_use(&some, "SLUICE_AMQP_CA", mistakes);
    }
    some = (struct sl_tls_papers){ .certificate = papers->certificate };
    if (papers->certificate != NULL && can_use(&some, "SLUICE_AMQP_CERT", mistakes)) {
        some.key = papers->key;
        (void)can_use(&some, "SLUICE_AMQP_KEY", mistakes);
    }
}

static bool can_use(const struct sl_tls_papers *papers, const char *name, struct sl_buf *mistakes)
{
    struct sl_err why = { 0 };
    SL_AUTO(sl_tls_client_free) struct sl_tls_client *client = sl_tls_client_new(papers, &why);
    if (client == NULL) {
        sl_buf_printf(mistakes, "%s: %s\n", name, why.text);
    }
    return client != NULL;
}

void sl_amqp_papers_read(const char *url, const struct sl_tls_papers *papers,
                         struct sl_amqp_url *out_url, struct sl_buf *mistakes)
{
    struct sl_err why = { 0 };
    if (url == NULL) {
        sl_buf_append_text(mistakes,
                           "AMQP_URL: must be set, e.g. amqp://user:password@host:5672\n");
    } else if (!sl_amqp_url_parse(url, out_url, &why)) {
        sl_buf_printf(mistakes, "AMQP_URL: %s\n", why.text);
    } else {
        sl_amqp_papers_set(out_url, papers, mistakes);
    }
}
