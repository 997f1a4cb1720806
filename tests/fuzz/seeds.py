#!/usr/bin/env python3
"""seeds TARGET DIR - writes the first inputs of a fuzz target: the cases somebody thought of, from which it goes on.

What the first byte of an input means is said in the banner of tests/fuzz/fuzz_TARGET.c.
"""
import pathlib
import struct
import sys

HANDSHAKE, FRAMED, SLOW = 1, 2, 4


def frame(kind, channel, payload, end=b"\xce"):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + end


def method(class_id, method_id, arguments=b"", channel=1):
    return frame(1, channel, struct.pack(">HH", class_id, method_id) + arguments)


def short(text):
    return bytes([len(text)]) + text


def tune(channel_max, frame_max, heartbeat):
    return method(10, 30, struct.pack(">HIH", channel_max, frame_max, heartbeat), channel=0)


def header(body_bytes, properties=b"\0\0"):
    return frame(2, 1, struct.pack(">HHQ", 60, 0, body_bytes) + properties)


def nested_table(depth):
    table = b""
    for _ in range(depth):
        table = b"\0F" + struct.pack(">I", len(table)) + table
    return struct.pack(">I", len(table)) + table


def amqp_link():
    start = method(10, 10, b"\0\x09" + struct.pack(">I", 0) + struct.pack(">I", 5) + b"PLAIN" + struct.pack(">I", 5) + b"en_US", channel=0)
    deliver = method(60, 60, short(b"q") + struct.pack(">Q", 1) + b"\0" + short(b"e") + short(b"k"))
    returned = method(60, 50, struct.pack(">H", 312) + short(b"NO_ROUTE") + short(b"e") + short(b"k"))
    in_channel = {
        "ack": method(60, 80, struct.pack(">QB", 1, 0)),
        "ack_multiple": method(60, 80, struct.pack(">QB", 4, 1)),
        "ack_zero": method(60, 80, struct.pack(">QB", 0, 1)),
        "ack_unknown": method(60, 80, struct.pack(">QB", 1 << 63, 0)),
        "ack_twice": method(60, 80, struct.pack(">QB", 2, 0)) * 2,
        "nack": method(60, 120, struct.pack(">QB", 3, 1)),
        "returned_then_ack": returned + header(4) + frame(3, 1, b"body") + method(60, 80, struct.pack(">QB", 1, 0)),
        "returned_empty": returned + header(0),
        "delivery": deliver + header(5) + frame(3, 1, b"he") + frame(3, 1, b"llo"),
        "delivery_empty_body_frame": deliver + header(5) + frame(3, 1, b"") + frame(3, 1, b"hello"),
        "delivery_too_long": deliver + header(2) + frame(3, 1, b"hello"),
        "body_2_63": deliver + header(1 << 63) + frame(3, 1, b"x"),
        "body_2_64": deliver + header((1 << 64) - 1) + frame(3, 1, b"x"),
        "headers": deliver + header(0, struct.pack(">H", 0x2000) + struct.pack(">I", 10) + short(b"a") + b"l" + struct.pack(">q", 7)),
        "headers_deep": deliver + header(0, struct.pack(">H", 0x2000) + nested_table(20000)),
        "headers_wrong_length": deliver + header(0, struct.pack(">H", 0x2000) + struct.pack(">I", 0xFFFFFFFF)),
        "all_properties": deliver + header(0, struct.pack(">H", 0xFFFC) + b"\x01a" * 20),
        "body_first": frame(3, 1, b"x"),
        "blocked": method(10, 60, short(b"low on memory"), channel=0) + method(10, 61, channel=0),
        "close": method(10, 50, struct.pack(">H", 320) + short(b"CONNECTION_FORCED") + struct.pack(">HH", 0, 0), channel=0),
        "channel_close": method(20, 40, struct.pack(">H", 404) + short(b"NOT_FOUND") + struct.pack(">HH", 60, 40)),
        "cancelled": method(60, 30, short(b"q") + b"\0"),
        "heartbeats": frame(8, 0, b"") * 50,
        "wrong_end": frame(8, 0, b"", end=b"\0"),
        "frame_too_large": struct.pack(">BHI", 3, 1, 0x7FFFFFFF),
        "channel_65535": frame(1, 65535, struct.pack(">HH", 60, 80)),
        "truncated": deliver[:-3],
    }
    seeds = {name: bytes([HANDSHAKE]) + stream for name, stream in in_channel.items()}
    seeds.update({f"slow_{name}": bytes([HANDSHAKE | SLOW]) + in_channel[name] for name in ("delivery", "returned_then_ack", "blocked")})
    for name, frame_max in (("0", 0), ("1", 1), ("4095", 4095), ("2_31", 1 << 31), ("2_32", (1 << 32) - 1)):
        seeds[f"frame_max_{name}"] = b"\0" + start + tune(0, frame_max, 1)
    seeds["start"] = b"\0" + start
    seeds["start_deep"] = b"\0" + method(10, 10, b"\0\x09" + nested_table(20000) + struct.pack(">I", 0) * 2, channel=0)
    seeds["old_protocol"] = b"\0AMQP\0\0\x08\0"
    seeds["http"] = b"\0HTTP/1.1 400 Bad Request\r\n\r\n"
    seeds["framed_ack"] = bytes([HANDSHAKE | FRAMED, 1, 1, 0, 13]) + struct.pack(">HHQB", 60, 80, 1, 0)
    return seeds


def journal():
    record = bytes([0, 12]) + b"one payload."
    return {
        "empty": b"\0",
        "records": b"\1" + record * 3,
        "sealed": b"\1" + record * 2 + bytes([130, 4]) + b"seal",
        "gap": b"\1" + record + bytes([8, 4]) + b"gap!" + record,
        "hole": b"\1" + record + bytes([200, 24]) + b"not a record at all here" + record,
        "torn": b"\1" + record + bytes([220, 5]) + b"torn!",
        "zeros": b"\1" + record + bytes([150, 200]) + bytes(200),
        "raw": b"\0" + bytes(range(256)) * 3,
    }


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in {"amqp_link": amqp_link, "journal": journal}.get(target, dict)().items():
        (folder / f"seed_{name}").write_bytes(data)


main()
