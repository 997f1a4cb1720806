#include "shared/utf8.h"

#include "shared/scope.h"
#include "tests/support/claims.h"

CLAIM(utf8__every_scalar_value_comes_back_and_no_surrogate_does)
{
    size_t wrong = 0;
    for (uint32_t code_point = 0; code_point <= 0x10FFFF; code_point++) {
        char bytes[4];
        unsigned length = sl_utf8_put(code_point, bytes);
        uint32_t read = 0xFFFFFFFFu;
        bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
        unsigned taken = sl_utf8_next(sl_span_make(bytes, length), &read);
        wrong += taken == (is_surrogate ? 0 : length) &&
                         read == (is_surrogate ? 0xFFFFFFFFu : code_point)
                     ? 0
                     : 1;
        for (unsigned cut = 0; cut < length && code_point % 97 == 0; cut++) {
            wrong += sl_utf8_next(sl_span_make(bytes, cut), &read) == 0 ? 0 : 1;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

CLAIM(utf8__malformed_sequences_are_refused)
{
    static const char *const texts[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
        "\xC3\x28",
        "\xE2\x28\xA1",
        "\xE2\x82\x28",
        "\xF0\x28\x8C\xBC",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xC3\xC3",
    };
    for (size_t i = 0; i < SL_COUNT(texts); i++) {
        uint32_t code_point = 7;
        CU_ASSERT(sl_utf8_next(sl_span_of(texts[i]), &code_point) == 0 && code_point == 7);
    }
}
