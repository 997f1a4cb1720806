#include "shared/amqp/amqp_papers.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/claims.h"

#define MISTAKES_BYTES_MAX 4096u
#define FILES_MAX          3u

static char folder[] = "/tmp/sluice-papers-XXXXXX";

/* A self-signed pair NAME.crt and NAME.key below the folder, made by the command that an operator uses. */
static void make_pair(const char *name)
{
    char command[512];
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
             "-subj /CN=%s -keyout %s/%s.key -out %s/%s.crt 2>/dev/null",
             name, folder, name, folder, name);
    CU_ASSERT_FATAL(system(command) == 0);
}

static const char *path(char room[128], const char *name)
{
    if (name != NULL) {
        snprintf(room, 128, "%s/%s", folder, name);
    }
    return name == NULL ? NULL : room;
}

CLAIM(amqp_papers__what_cannot_be_used_is_named_with_its_key)
{
    static const struct {
        const char *url;
        const char *files[FILES_MAX]; /* authority, certificate, key */
        const char *mistakes;         /* each a part of its line, in order; "": none */
        size_t lines;
    } rows[] = {
        { "amqps://u:p@h", { NULL, NULL, NULL }, "", 0 },
        { "amqp://u:p@h", { NULL, NULL, NULL }, "", 0 },
        { "amqps://u:p@h", { "one.crt", "one.crt", "one.key" }, "", 0 },
        { "amqps://u:p@h", { "one.crt", NULL, NULL }, "", 0 },
        { "amqps://u:p@h", { NULL, "one.crt", "one.key" }, "", 0 },
        { "amqps://u:p@h",
          { NULL, "one.crt", NULL },
          "SLUICE_AMQP_CERT: needs SLUICE_AMQP_KEY",
          1 },
        { "amqps://u:p@h",
          { NULL, NULL, "one.key" },
          "SLUICE_AMQP_KEY: needs SLUICE_AMQP_CERT",
          1 },
        { "amqp://u:p@h", { "one.crt", NULL, NULL }, "are used with amqps:// only", 1 },
        { "amqp://u:p@h", { NULL, "one.crt", "one.key" }, "are used with amqps:// only", 1 },
        { "amqps://u:p@h",
          { "none", NULL, NULL },
          "SLUICE_AMQP_CA: no authority can be read from",
          1 },
        { "amqps://u:p@h",
          { "one.key", NULL, NULL },
          "SLUICE_AMQP_CA: no authority can be read",
          1 },
        { "amqps://u:p@h", { NULL, "none", "one.key" }, "SLUICE_AMQP_CERT: no certificate can", 1 },
        { "amqps://u:p@h",
          { NULL, "empty", "one.key" },
          "SLUICE_AMQP_CERT: no certificate can",
          1 },
        { "amqps://u:p@h", { NULL, "one.crt", "none" }, "SLUICE_AMQP_KEY: no key for the", 1 },
        { "amqps://u:p@h", { NULL, "one.crt", "two.key" }, "SLUICE_AMQP_KEY: no key for the", 1 },
        { "amqps://u:p@h", { "none", "empty", "none" }, "SLUICE_AMQP_CERT: no certificate can", 2 },
    };
    char room[FILES_MAX][128];
    CU_ASSERT_FATAL(mkdtemp(folder) != NULL);
    make_pair("one");
    make_pair("two");
    fclose(fopen(path(room[0], "empty"), "w"));
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(sl_amqp_url_done) struct sl_amqp_url url = { 0 };
        SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
        struct sl_err err = { 0 };
        sl_buf_init(&mistakes, MISTAKES_BYTES_MAX);
        CU_ASSERT_FATAL(sl_amqp_url_parse(rows[i].url, &url, &err));
        sl_amqp_papers_set(&url,
                           &(struct sl_tls_papers){
                               .ca = (char *)(uintptr_t)path(room[0], rows[i].files[0]),
                               .certificate = (char *)(uintptr_t)path(room[1], rows[i].files[1]),
                               .key = (char *)(uintptr_t)path(room[2], rows[i].files[2]) },
                           &mistakes);
        size_t lines = 0;
        for (size_t at = 0; at < mistakes.used_bytes; at++) {
            lines += mistakes.data[at] == '\n' ? 1 : 0;
        }
        CU_ASSERT_EQUAL(lines, rows[i].lines);
        CU_ASSERT(lines == 0 || strstr(mistakes.data, rows[i].mistakes) != NULL);
    }
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CU_ASSERT(system(command) == 0);
}

CLAIM(amqp_papers__an_address_that_is_missing_or_wrong_is_one_mistake_by_its_key)
{
    static const struct {
        const char *url;
        const char *said;
    } rows[] = {
        { NULL, "AMQP_URL: must be set" },
        { "http://host", "AMQP_URL: " },
        { "amqp://user:word@host:5672", NULL },
    };
    for (size_t i = 0; i < SL_COUNT(rows); i++) {
        SL_DONE(sl_amqp_url_done) struct sl_amqp_url url = { 0 };
        SL_DONE(sl_buf_done) struct sl_buf mistakes = { 0 };
        sl_buf_init(&mistakes, 4096);
        sl_amqp_papers_read(rows[i].url, &(struct sl_tls_papers){ 0 }, &url, &mistakes);
        CU_ASSERT_EQUAL(mistakes.used_bytes == 0, rows[i].said == NULL);
        if (rows[i].said != NULL && mistakes.data != NULL) {
            CU_ASSERT_PTR_NOT_NULL(strstr(mistakes.data, rows[i].said));
            CU_ASSERT_PTR_EQUAL(strchr(mistakes.data, '\n'),
                                mistakes.data + mistakes.used_bytes - 1);
        }
    }
}
