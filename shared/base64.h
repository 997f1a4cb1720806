/*
 * base64 - bytes as text and back, in the standard alphabet.
 *
 * Decides only. Reading is strict: padding as the standard says, no other byte, no unused bits set; so every text has one meaning.
 * Source: RFC 4648 section 4.
 * Threads: no state.
 */
#ifndef SHARED_BASE64_H
#define SHARED_BASE64_H

#include <stdint.h>

#include "shared/scope.h"
#include "shared/span.h"

/* Room for the text of `bytes` bytes, with a NUL. */
#define SL_BASE64_ROOM(bytes) (((bytes) + 2) / 3 * 4 + 1)

void sl_base64_encode(const uint8_t *data, size_t bytes, char *out_text);
/* False when text is not base64 or decodes to more than room bytes. out_data may hold a part then. */
bool sl_base64_decode(struct sl_span text, uint8_t *out_data, size_t room,
                      size_t *out_bytes) SL_MUST;

#endif
