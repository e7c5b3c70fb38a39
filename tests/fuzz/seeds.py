#!/usr/bin/env python3
"""Writes the scripts from which fuzzing of the h2 carrier starts: corpus/h2_server, corpus/h2_client.

The steps are those of h2_script.h; what stands here are lives of a carrier, honest and not.
"""

import pathlib

CORPUS = pathlib.Path(__file__).parent / "corpus"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 1, 1, 4, 8, 32

MAGIC = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
RESIZE = b"\x3f\xe1\x03"  # the table of headers to 512 bytes, which is due once SETTINGS are acknowledged
OK = RESIZE + b"\x88"  # :status 200
CONNECT = RESIZE + b"\x02\x07CONNECT\x01\x0aorders:443"


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def step(number, owner=0):
    return bytes([owner * 16 + number])


def frame(kind, flags, stream, payload=b""):
    return step(0) + bytes([kind, flags, stream, len(payload)]) + payload


def often(doublings, data):
    """A frame, 2 to the power of `doublings` times."""
    return bytes([data[0] + doublings * 16]) + data[1:]


def raw(data):
    return step(1) + len(data).to_bytes(2, "big") + data


def number(value):
    return value.to_bytes(4, "big")


def setting(name, value):
    return name.to_bytes(2, "big") + number(value)


def sleep(seconds):
    return step(3) + bytes([seconds])


def begin(owner=0, early=0):
    return step(4, owner) + (bytes([early]))


def accept(owner=0):
    return begin(owner)


def refuse(owner=0, reason=9):
    return step(5, owner) + bytes([reason])


def give(units, owner=0):
    return step(6, owner) + bytes([units])


def fill(kind, flags, stream, units):
    return step(13) + bytes([kind, flags, stream, units])


def finish(owner=0):
    return step(7, owner)


def reset(owner=0):
    return step(8, owner)


def release(owner=0):
    return step(9, owner)


def stall(owner=0):
    return step(10, owner)


TURN, DRAIN, DEAF, SHUT, CUT = step(2), step(11), step(12), step(14), step(15)


def odd(script):
    """It ends with its worker."""
    return script if len(script) % 2 else script + TURN


FORWARDED = literal(b"forwarded", b'for="192.0.2.7:4711"')
REFUSAL = RESIZE + literal(b":status", b"502") + literal(b"routeport-error", b"app-unreachable: connect: refused")
HELLO = raw(MAGIC) + TURN * 3 + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0)
ASK = HELLO + frame(HEADERS, END_HEADERS, 1, CONNECT + FORWARDED) + TURN
SERVED = ASK + accept() + TURN
SIMPLY = TURN * 3 + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0) + TURN
ASKED = SIMPLY + begin(early=3) + TURN
OPEN = ASKED + frame(HEADERS, END_HEADERS, 1, OK) + TURN

WIDE = frame(SETTINGS, 0, 0, setting(4, 2**31 - 1)) + frame(WINDOW_UPDATE, 0, 0, number(2**30)) + TURN

# Between an open stream and its peer, whoever asked.
EITHER = {
    "echo": frame(DATA, 0, 1, b"question") + TURN + give(9) + TURN + frame(WINDOW_UPDATE, 0, 0, number(4096)),
    "fin-first": frame(DATA, END_STREAM, 1, b"question") + TURN + give(200) + TURN + finish() + TURN + release(),
    "fin-last": finish() + TURN + frame(DATA, END_STREAM, 1, b"last") + TURN + release() + TURN,
    "reset-by-peer": frame(DATA, 0, 1, b"last") + frame(RST_STREAM, 0, 1, number(10)) + TURN + give(3) + release(),
    "reset-by-us": give(3) + reset() + TURN + frame(DATA, 0, 1, b"too late") + TURN,
    "padded": frame(DATA, PADDED, 1, b"\x05words\0\0\0\0\0") + TURN + frame(DATA, PADDED, 1, b"\xff") + TURN,
    "stalled": stall() + fill(DATA, 0, 1, 250) * 17 + TURN + stall() + TURN + fill(DATA, 0, 1, 250) * 9 + TURN,
    "beyond-the-window": stall() + (fill(DATA, 0, 1, 250) * 8 + TURN) * 3,
    "small-window": frame(SETTINGS, 0, 0, setting(4, 1)) + TURN + give(9) + TURN + frame(SETTINGS, 0, 0, setting(4, 70000)) + TURN,
    "negative-window": give(250) + TURN + frame(SETTINGS, 0, 0, setting(4, 0)) + TURN
    + frame(WINDOW_UPDATE, 0, 1, number(20000)) + TURN + give(9) + TURN + frame(SETTINGS, 0, 0, setting(4, 65535)) + TURN,
    "window-overflow": frame(WINDOW_UPDATE, 0, 1, number(2**31 - 1)) + TURN + frame(WINDOW_UPDATE, 0, 0, number(2**31 - 1)) + TURN,
    "deaf-peer": WIDE + DEAF + give(255) * 8 + TURN * 3 + DEAF + TURN * 3,
    "deaf-for-ever": WIDE + DEAF + give(255) * 8 + finish() + TURN + frame(SETTINGS, 0, 0, setting(4, 2**31 - 1)) + TURN + CUT + TURN,
    "cut": frame(DATA, 0, 1, b"last") + CUT + TURN * 2 + release() + TURN,
    "shut": frame(DATA, END_STREAM, 1) + finish() + SHUT + TURN * 2 + release() + TURN,
    "goaway": frame(GOAWAY, 0, 0, number(1) + number(0)) + TURN + give(1) + finish() + TURN,
    "goaway-with-an-error": frame(GOAWAY, 0, 0, number(1) + number(2)) + TURN,
    "drain": DRAIN + TURN + frame(PING, ACK, 0, b"d\0\0\0\0\0\0\0") + TURN + finish() + frame(DATA, END_STREAM, 1) + TURN + release() + TURN,
    "silence": sleep(31) + TURN + frame(PING, ACK, 0, b"l\0\0\0\0\0\0\0") + TURN + sleep(31) + sleep(11) + TURN,
    "trailers": frame(HEADERS, END_HEADERS | END_STREAM, 1, literal(b"a", b"b")) + TURN,
    "continuation": frame(HEADERS, 0, 1, b"\0\1a") + frame(CONTINUATION, END_HEADERS, 1, b"\1b") + TURN,
    "unknown": frame(11, 255, 1, b"x") + frame(PRIORITY, 0, 1, b"\0\0\0\0\5") + frame(SETTINGS, 0, 0, setting(77, 7)) + TURN,
    "push": frame(PUSH, END_HEADERS, 1, number(2) + CONNECT) + TURN,
    "idle": frame(DATA, 0, 9, b"x") + TURN,
    "huge": raw(b"\xff\xff\xff\0\0\0\0\0\1") + TURN,
    "garbage": raw(b"GET / HTTP/1.1\r\n\r\n") + TURN,
    "pings": often(10, frame(PING, 0, 0, bytes(8))) + TURN,
    "settings": often(9, frame(SETTINGS, 0, 0)) + TURN,
    "empty": often(11, frame(DATA, 0, 1)) + TURN,
    "tiny": stall() + often(11, frame(DATA, 0, 1, b"x")) + TURN + stall() + TURN,
    "growing": (fill(DATA, 0, 1, 250) * 17 + TURN) * 3,
}

SERVER = {name: SERVED + script for name, script in EITHER.items()} | {
    "refused": ASK + refuse() + TURN + frame(DATA, 0, 1, b"early") + TURN,
    "released": ASK + release() + TURN,
    "rapid-reset": HELLO + b"".join(
        frame(HEADERS, END_HEADERS, stream, CONNECT) + frame(RST_STREAM, 0, stream, number(8)) for stream in range(1, 60, 2)
    ) + TURN + accept() + TURN,
    "many": HELLO + b"".join(frame(HEADERS, END_HEADERS, stream, CONNECT) for stream in range(1, 50, 2)) + TURN
    + accept(3) + give(5, 3) + TURN + refuse(4) + TURN + finish(3) + TURN,
    "no-connect": HELLO + frame(HEADERS, END_HEADERS, 1, RESIZE + b"\x82\x86\x84\x41\x01a") + frame(DATA, END_STREAM, 1, b"body") + TURN,
    "no-authority": HELLO + frame(HEADERS, END_HEADERS | END_STREAM, 1, RESIZE + b"\x02\x07CONNECT") + TURN,
    "prioritised": HELLO + frame(HEADERS, END_HEADERS | PRIORITISED, 1, b"\0\0\0\0\5" + CONNECT) + TURN,
    "bomb": HELLO + frame(HEADERS, END_HEADERS, 1, CONNECT + b"\x40\x01x\x7f\x01" + bytes(128) + b"\xbe" * 90) + TURN,
    "half-a-request": odd(HELLO + frame(HEADERS, 0, 1, CONNECT) + TURN),
    "early-fin": HELLO + frame(HEADERS, END_HEADERS, 1, CONNECT) + frame(DATA, END_STREAM, 1, b"all") + TURN + accept() + TURN,
}

CLIENT = {name: OPEN + script for name, script in EITHER.items()} | {
    "refused": ASKED + frame(HEADERS, END_HEADERS | END_STREAM, 1, REFUSAL) + frame(RST_STREAM, 0, 1, number(0)) + TURN + release(),
    "refused-stream": ASKED + frame(RST_STREAM, 0, 1, number(7)) + TURN + release() + begin(1) + TURN,
    "informed": ASKED + frame(HEADERS, END_HEADERS, 1, RESIZE + literal(b":status", b"103")) * 3 + frame(HEADERS, END_HEADERS, 1, OK) + TURN,
    "goaway-below": ASKED + begin(1, 2) + begin(2) + TURN + frame(GOAWAY, 0, 0, number(1) + number(0)) + TURN + release(1) + release(2),
    "late": begin() + begin(1) + TURN + sleep(6) + begin(2, 9) + SIMPLY + frame(HEADERS, END_HEADERS, 5, OK) + TURN + give(3, 2) + TURN,
    "few-streams": frame(SETTINGS, 0, 0, setting(3, 1)) + TURN + begin() + begin(1) + TURN + release() + TURN + begin(1) + TURN,
    "no-answer": ASKED + frame(DATA, 0, 1, b"not yet") + TURN,
}


def main():
    for folder, scripts in (("h2_server", SERVER), ("h2_client", CLIENT)):
        (CORPUS / folder).mkdir(parents=True, exist_ok=True)
        for name, script in scripts.items():
            (CORPUS / folder / name).write_bytes(script)


main()
