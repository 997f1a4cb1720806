#include "shared/pg/pg_text.h"

#include <ctype.h>
#include <string.h>

static size_t secret_at(const char *at, const char *const *secrets, size_t count);

void sl_pg_text_clean(const char *message, const char *const *secrets, size_t secret_count,
                      char *out, size_t out_bytes)
{
    static const char mask[] = "***";
    size_t used = 0;
    SL_ASSERT(out_bytes > sizeof mask);
    for (const char *at = message; *at != '\0' && *at != '\n' && *at != '\r';) {
        size_t secret_bytes = secret_at(at, secrets, secret_count);
        const char *piece = secret_bytes > 0 ? mask : at;
        size_t bytes = secret_bytes > 0 ? sizeof mask - 1 : 1;
        if (used + bytes >= out_bytes) {
            break;
        }
        memcpy(out + used, piece, bytes);
        used += bytes;
        at += secret_bytes > 0 ? secret_bytes : 1;
    }
    out[used] = '\0';
}

/* Bytes of the secret that starts here; 0 when none does. */
static size_t secret_at(const char *at, const char *const *secrets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t bytes = secrets[i] == NULL ? 0 : strlen(secrets[i]);
        if (bytes > 0 && strncmp(at, secrets[i], bytes) == 0) {
            return bytes;
        }
    }
    return 0;
}

void sl_pg_text_cut_value(char *message, const char *sqlstate)
{
    if (strncmp(sqlstate, "22", 2) != 0) {
        return;
    }
    char *value = strstr(message, ": \"");
    if (value != NULL) {
        *value = '\0';
    }
}

void sl_pg_text_take_sqlstate(char *message, char out_sqlstate[SL_SQLSTATE_BYTES])
{
    const size_t bytes = SL_SQLSTATE_BYTES - 1;
    out_sqlstate[0] = '\0';
    for (char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        char *code = at + 3;
        size_t length = 0;
        while (length < bytes &&
               (isdigit((unsigned char)code[length]) || isupper((unsigned char)code[length]))) {
            length++;
        }
        if (length == bytes && strncmp(code + bytes, ": ", 2) == 0) {
            memcpy(out_sqlstate, code, bytes);
            out_sqlstate[bytes] = '\0';
            char *rest = code + bytes + 2;
            memmove(at + 2, rest, strlen(rest) + 1);
            return;
        }
    }
}
