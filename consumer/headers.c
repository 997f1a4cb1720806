#include "consumer/headers.h"

#include "consumer/text.h"

/* AMQP 0-9-1, 4.2.5.5: a name with its length, a type, and a length or the eight bytes of a number. */
#define NAME_OVERHEAD_BYTES 2u
#define TEXT_OVERHEAD_BYTES 4u
#define NUMBER_BYTES        8u

static void put(struct con_headers *headers, struct sl_amqp_header header, size_t value_bytes);

void con_headers_text(struct con_headers *headers, const char *name, struct sl_span text,
                      size_t bytes_max)
{
    if (text.data != NULL) {
        struct sl_span cut = con_text_cut(text, bytes_max);
        put(headers, (struct sl_amqp_header){ .name = name, .text = cut },
            TEXT_OVERHEAD_BYTES + cut.bytes);
    }
}

void con_headers_number(struct con_headers *headers, const char *name, int64_t number)
{
    put(headers, (struct sl_amqp_header){ .name = name, .number = number }, NUMBER_BYTES);
}

static void put(struct con_headers *headers, struct sl_amqp_header header, size_t value_bytes)
{
    SL_ASSERT(headers->count < CON_HEADERS_MAX);
    size_t bytes = NAME_OVERHEAD_BYTES + strlen(header.name) + value_bytes;
    if (bytes <= CON_HEADERS_BYTES_MAX - headers->used_bytes) {
        headers->items[headers->count++] = header;
        headers->used_bytes += bytes;
    }
}
