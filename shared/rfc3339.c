#include "shared/rfc3339.h"

#define DAY_S INT64_C(86400)

/* Reads the text from left to right; a failure sticks. */
struct cursor {
    struct sl_span rest;
    bool is_wrong;
};

static int take_number(struct cursor *cursor, unsigned digits, int min, int max);
static char take_char(struct cursor *cursor, const char *allowed);
static int64_t take_offset_s(struct cursor *cursor);
static int days_in(int year, int month);
static int64_t days_since_1970(int year, int month, int day);

bool sl_rfc3339_parse(struct sl_span text, int64_t *out_s)
{
    struct cursor cursor = { .rest = text };
    int year = take_number(&cursor, 4, 0, 9999);
    take_char(&cursor, "-");
    int month = take_number(&cursor, 2, 1, 12);
    take_char(&cursor, "-");
    int day = take_number(&cursor, 2, 1, days_in(year, month));
    take_char(&cursor, "Tt ");
    int hour = take_number(&cursor, 2, 0, 23);
    take_char(&cursor, ":");
    int minute = take_number(&cursor, 2, 0, 59);
    take_char(&cursor, ":");
    int second = take_number(&cursor, 2, 0, 60);
    if (cursor.rest.bytes > 0 && cursor.rest.data[0] == '.') {
        take_char(&cursor, ".");
        do {
            take_number(&cursor, 1, 0, 9);
        } while (!cursor.is_wrong && cursor.rest.bytes > 0 && cursor.rest.data[0] >= '0' &&
                 cursor.rest.data[0] <= '9');
    }
    int64_t offset_s = take_offset_s(&cursor);
    if (cursor.is_wrong || cursor.rest.bytes > 0) {
        return false;
    }
    *out_s = days_since_1970(year, month, day) * DAY_S + hour * 3600 + minute * 60 +
             (second == 60 ? 59 : second) - offset_s;
    return true;
}

static int take_number(struct cursor *cursor, unsigned digits, int min, int max)
{
    int number = 0;
    for (unsigned i = 0; i < digits; i++) {
        number = number * 10 + (take_char(cursor, "0123456789") - '0');
    }
    cursor->is_wrong = cursor->is_wrong || number < min || number > max;
    return cursor->is_wrong ? min : number;
}

/* The next byte, when it is one of those. */
static char take_char(struct cursor *cursor, const char *allowed)
{
    if (cursor->is_wrong || cursor->rest.bytes == 0 || cursor->rest.data[0] == '\0' ||
        strchr(allowed, cursor->rest.data[0]) == NULL) {
        cursor->is_wrong = true;
        return '0';
    }
    char taken = cursor->rest.data[0];
    cursor->rest = sl_span_make(cursor->rest.data + 1, cursor->rest.bytes - 1);
    return taken;
}

static int64_t take_offset_s(struct cursor *cursor)
{
    char sign = take_char(cursor, "Zz+-");
    if (sign == 'Z' || sign == 'z' || cursor->is_wrong) {
        return 0;
    }
    int hours = take_number(cursor, 2, 0, 23);
    take_char(cursor, ":");
    int minutes = take_number(cursor, 2, 0, 59);
    int64_t offset_s = hours * 3600 + minutes * 60;
    return sign == '-' ? -offset_s : offset_s;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

/* Years begin in March here, so that the leap day is the last one; eras are 400 years. */
static int64_t days_since_1970(int year, int month, int day)
{
    int64_t shifted = year - (month <= 2 ? 1 : 0);
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t of_era = shifted - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}
