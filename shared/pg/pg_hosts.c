#include "shared/pg/pg_hosts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "shared/span.h"
#include "shared/units.h"

#define PORT_DEFAULT "5432"

static size_t count_parts(const char *list);
static bool read_host(struct sl_span host, struct sl_span address, struct sl_pg_host *out);
static bool read_port(struct sl_span port, struct sl_pg_host *out);

bool sl_pg_hosts_parse(const char *host, const char *hostaddr, const char *port,
                       struct sl_pg_hosts *out, struct sl_err *err)
{
    struct sl_pg_hosts hosts = { 0 };
    size_t host_count = count_parts(host);
    size_t address_count = count_parts(hostaddr);
    size_t port_count = count_parts(port);
    hosts.count = address_count > host_count ? address_count : host_count;
    hosts.count = hosts.count == 0 ? 1 : hosts.count;
    if (hosts.count > SL_PG_HOSTS_MAX) {
        return sl_fail(err, SL_E_CONFIG, "the database address names more than %u hosts",
                       SL_PG_HOSTS_MAX);
    }
    if ((host_count > 0 && address_count > 0 && host_count != address_count) ||
        (port_count > 1 && port_count != hosts.count)) {
        return sl_fail(err, SL_E_CONFIG,
                       "the database address names %zu hosts, %zu addresses and %zu ports; "
                       "they do not pair up",
                       host_count, address_count, port_count);
    }

    struct sl_span rest_hosts = sl_span_of(host_count == 0 ? NULL : host);
    struct sl_span rest_addresses = sl_span_of(address_count == 0 ? NULL : hostaddr);
    struct sl_span rest_ports = sl_span_of(port_count == 0 ? NULL : port);
    struct sl_span one_port = { 0 };
    for (size_t i = 0; i < hosts.count; i++) {
        struct sl_span one_host = { 0 };
        struct sl_span one_address = { 0 };
        (void)sl_span_split(&rest_hosts, ',', &one_host);
        (void)sl_span_split(&rest_addresses, ',', &one_address);
        (void)sl_span_split(&rest_ports, ',', &one_port); /* keeps the last: one port serves all */
        if (!read_host(sl_span_trim(one_host), sl_span_trim(one_address), &hosts.items[i])) {
            return sl_fail(err, SL_E_CONFIG,
                           "host %zu of the database address is no host name, address or socket "
                           "directory (in a URL, @ and / in a password are written %%40 and %%2F)",
                           i + 1);
        }
        if (!read_port(sl_span_trim(one_port), &hosts.items[i])) {
            return sl_fail(err, SL_E_CONFIG,
                           "port %zu of the database address is no number from 1 to 65535 "
                           "(in a URL, : @ and / in a password are written %%3A, %%40 and %%2F)",
                           i + 1);
        }
    }
    *out = hosts;
    return true;
}

static size_t count_parts(const char *list)
{
    if (list == NULL || list[0] == '\0') {
        return 0;
    }
    size_t count = 1;
    for (const char *at = list; *at != '\0'; at++) {
        count += *at == ',';
    }
    return count;
}

static bool is_numeric(const char *text)
{
    uint8_t address[16];
    char plain[SL_PG_ADDRESS_BYTES_MAX + 1];
    size_t bytes = strcspn(text, "%"); /* a zone: fe80::1%eth0 */
    if (bytes >= sizeof plain) {
        return false;
    }
    memcpy(plain, text, bytes);
    plain[bytes] = '\0';
    return (inet_pton(AF_INET, plain, address) == 1 && text[bytes] == '\0') ||
           inet_pton(AF_INET6, plain, address) == 1;
}

static bool is_name(const char *text)
{
    return text[strspn(
               text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] == '\0';
}

static bool read_host(struct sl_span host, struct sl_span address, struct sl_pg_host *out)
{
    if (host.bytes > SL_PG_HOST_BYTES_MAX || address.bytes > SL_PG_ADDRESS_BYTES_MAX) {
        return false;
    }
    memcpy(out->host, host.bytes == 0 ? "" : host.data, host.bytes);
    memcpy(out->address, address.bytes == 0 ? "" : address.data, address.bytes);
    if (address.bytes > 0) {
        return is_numeric(out->address) && (is_name(out->host) || is_numeric(out->host));
    }
    if (host.bytes == 0 || host.data[0] == '/' || host.data[0] == '@') {
        return true;
    }
    if (is_numeric(out->host)) {
        snprintf(out->address, sizeof out->address, "%s", out->host);
        return true;
    }
    out->is_name = true;
    return is_name(out->host);
}

static bool read_port(struct sl_span port, struct sl_pg_host *out)
{
    int64_t number = 0;
    if (port.bytes == 0) {
        port = SL_SPAN_LITERAL(PORT_DEFAULT);
    }
    if (!sl_units_decimal(port, 5, &number) || number < 1 || number > 65535) {
        return false;
    }
    snprintf(out->port, sizeof out->port, "%u", (unsigned)number & 0xffffu);
    return true;
}
