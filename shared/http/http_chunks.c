#include "shared/http/http_bytes.h"
#include "shared/http/http_parse.h"

/* Extensions count over a whole body: nobody needs them, and floods of them cost CPU. */
#define EXTENSION_BYTES_MAX 1024u
#define TRAILER_BYTES_MAX   4096u
#define CHUNK_DIGITS_MAX    16u /* 64 bits in hexadecimal */

/* Where a chunked body's reader stands. The zero value is the start. */
enum chunk_state {
    SIZE_FIRST, /* first digit of a size */
    SIZE_MORE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST, /* first byte of a trailer line, or the final CR */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    FINAL_LF,
    FINISHED,
};

static const char *read_chunk_byte(struct sl_http_chunks *chunks, char byte);
static const char *read_size_byte(struct sl_http_chunks *chunks, char byte);
static const char *read_trailer_byte(struct sl_http_chunks *chunks, char byte);
static const char *expect(struct sl_http_chunks *chunks, char byte, char expected,
                          enum chunk_state next);

enum sl_http_parse sl_http_parse_chunks(struct sl_http_chunks *chunks, struct sl_span bytes,
                                        struct sl_span *out_body, size_t *out_used, int *out_status,
                                        const char **out_why)
{
    *out_body = sl_span_make(bytes.data, 0);
    *out_used = 0;
    for (size_t at = 0; at < bytes.bytes && chunks->state != FINISHED;) {
        if (chunks->state == DATA) {
            size_t here = bytes.bytes - at;
            size_t run = chunks->left < here ? (size_t)chunks->left : here;
            *out_body = sl_span_make(bytes.data + at, run);
            *out_used = at + run;
            chunks->left -= run;
            chunks->state = chunks->left == 0 ? DATA_CR : DATA;
            return SL_HTTP_MORE;
        }
        const char *why = read_chunk_byte(chunks, bytes.data[at]);
        if (why != NULL) {
            *out_status = 400;
            *out_why = why;
            return SL_HTTP_BAD;
        }
        at++;
        *out_used = at;
    }
    return chunks->state == FINISHED ? SL_HTTP_DONE : SL_HTTP_MORE;
}

/* One byte of framing; NULL, or what is wrong. */
static const char *read_chunk_byte(struct sl_http_chunks *chunks, char byte)
{
    switch ((enum chunk_state)chunks->state) {
    case SIZE_FIRST:
    case SIZE_MORE:
    case EXTENSION:
        return read_size_byte(chunks, byte);
    case SIZE_LF:
        return expect(chunks, byte, '\n', chunks->left == 0 ? TRAILER_FIRST : DATA);
    case DATA_CR:
        return expect(chunks, byte, '\r', DATA_LF);
    case DATA_LF:
        return expect(chunks, byte, '\n', SIZE_FIRST);
    case TRAILER_FIRST:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return read_trailer_byte(chunks, byte);
    case TRAILER_LF:
        return expect(chunks, byte, '\n', TRAILER_FIRST);
    case FINAL_LF:
        return expect(chunks, byte, '\n', FINISHED);
    case DATA:
    case FINISHED:
        break;
    }
    return "chunk framing lost";
}

static const char *read_size_byte(struct sl_http_chunks *chunks, char byte)
{
    if (chunks->state == EXTENSION) {
        if (byte == '\r') {
            chunks->state = SIZE_LF;
            return NULL;
        }
        chunks->extension_bytes++;
        if (chunks->extension_bytes > EXTENSION_BYTES_MAX) {
            return "chunk extensions too large";
        }
        return sl_http_is(byte, SL_HTTP_VALUE) ? NULL : "malformed chunk extension";
    }
    int digit = sl_http_hex_digit(byte);
    if (digit >= 0) {
        if (chunks->state == SIZE_FIRST) {
            chunks->left = 0;
            chunks->size_digits = 0;
        }
        chunks->size_digits++;
        if (chunks->size_digits > CHUNK_DIGITS_MAX) {
            return "chunk size too long";
        }
        chunks->left = chunks->left << 4 | (uint64_t)digit;
        chunks->state = SIZE_MORE;
        return NULL;
    }
    if (chunks->state == SIZE_MORE && (byte == '\r' || byte == ';')) {
        chunks->state = byte == '\r' ? SIZE_LF : EXTENSION;
        return NULL;
    }
    return "malformed chunk size";
}

static const char *read_trailer_byte(struct sl_http_chunks *chunks, char byte)
{
    chunks->trailer_bytes++;
    if (chunks->trailer_bytes > TRAILER_BYTES_MAX) {
        return "trailers too large";
    }
    if (byte == '\r' && chunks->state != TRAILER_NAME) {
        chunks->state = chunks->state == TRAILER_FIRST ? FINAL_LF : TRAILER_LF;
        return NULL;
    }
    if (chunks->state == TRAILER_VALUE) {
        return sl_http_is(byte, SL_HTTP_VALUE) ? NULL : "malformed trailer";
    }
    if (chunks->state == TRAILER_NAME && byte == ':') {
        chunks->state = TRAILER_VALUE;
        return NULL;
    }
    chunks->state = TRAILER_NAME;
    return sl_http_is(byte, SL_HTTP_TOKEN) ? NULL : "malformed trailer";
}

static const char *expect(struct sl_http_chunks *chunks, char byte, char expected,
                          enum chunk_state next)
{
    if (byte != expected) {
        return "malformed line end in chunked body";
    }
    chunks->state = (int)next;
    return NULL;
}
