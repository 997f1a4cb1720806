#include "shared/utf8.h"

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0u) == 0x80u;
}

unsigned sl_utf8_next(struct sl_span text, uint32_t *out_code_point)
{
    const unsigned char *at = (const unsigned char *)text.data;
    if (text.bytes == 0) {
        return 0;
    }
    if (at[0] < 0x80u) {
        *out_code_point = at[0];
        return 1;
    }
    unsigned length = at[0] >= 0xF0u && at[0] <= 0xF4u  ? 4
                      : at[0] >= 0xE0u && at[0] < 0xF0u ? 3
                      : at[0] >= 0xC2u && at[0] < 0xE0u ? 2
                                                        : 0;
    if (length == 0 || text.bytes < length) {
        return 0;
    }
    uint32_t code_point = at[0] & (0xFFu >> (length + 1));
    for (unsigned i = 1; i < length; i++) {
        if (!is_continuation(at[i])) {
            return 0;
        }
        code_point = (code_point << 6) | (at[i] & 0x3Fu);
    }
    bool is_overlong =
        (length == 3 && code_point < 0x800u) || (length == 4 && code_point < 0x10000u);
    bool is_surrogate = code_point >= 0xD800u && code_point <= 0xDFFFu;
    if (is_overlong || is_surrogate || code_point > 0x10FFFFu) {
        return 0;
    }
    *out_code_point = code_point;
    return length;
}

unsigned sl_utf8_put(uint32_t code_point, char out[4])
{
    if (code_point < 0x80u) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800u) {
        out[0] = (char)(0xC0u | (code_point >> 6));
        out[1] = (char)(0x80u | (code_point & 0x3Fu));
        return 2;
    }
    if (code_point < 0x10000u) {
        out[0] = (char)(0xE0u | (code_point >> 12));
        out[1] = (char)(0x80u | ((code_point >> 6) & 0x3Fu));
        out[2] = (char)(0x80u | (code_point & 0x3Fu));
        return 3;
    }
    out[0] = (char)(0xF0u | (code_point >> 18));
    out[1] = (char)(0x80u | ((code_point >> 12) & 0x3Fu));
    out[2] = (char)(0x80u | ((code_point >> 6) & 0x3Fu));
    out[3] = (char)(0x80u | (code_point & 0x3Fu));
    return 4;
}
