#include "shared/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char letter);

void sl_base64_encode(const uint8_t *data, size_t bytes, char *out_text)
{
    size_t at = 0;
    for (size_t i = 0; i < bytes; i += 3) {
        size_t have = bytes - i < 3 ? bytes - i : 3;
        uint32_t group = (uint32_t)data[i] << 16;
        group |= have > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        group |= have > 2 ? data[i + 2] : 0;
        for (size_t j = 0; j < 4; j++) {
            out_text[at++] = j <= have ? alphabet[group >> (18 - 6 * j) & 0x3Fu] : '=';
        }
    }
    out_text[at] = '\0';
}

bool sl_base64_decode(struct sl_span text, uint8_t *out_data, size_t room, size_t *out_bytes)
{
    size_t padding = 0;
    if (text.bytes % 4 != 0) {
        return false;
    }
    while (padding < 2 && padding < text.bytes && text.data[text.bytes - 1 - padding] == '=') {
        padding++;
    }
    size_t letters = text.bytes - padding;
    size_t bytes = letters * 6 / 8;
    if (bytes > room) {
        return false;
    }
    uint32_t bits = 0;
    size_t at = 0;
    for (size_t i = 0; i < letters; i++) {
        int value = value_of(text.data[i]);
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0) {
            out_data[at++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
    }
    uint32_t unused = padding == 2 ? 0x0Fu : padding == 1 ? 0x03u : 0;
    *out_bytes = bytes;
    return (bits & unused) == 0;
}

/* -1 when it is not in the alphabet. */
static int value_of(char letter)
{
    const char *found = letter == '\0' ? NULL : strchr(alphabet, letter);
    return found == NULL ? -1 : (int)(found - alphabet);
}
