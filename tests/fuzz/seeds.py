#!/usr/bin/env python3
"""Writes what fuzzing starts from, but for the settings and addresses, which are files of their own.

The steps of the h2 carrier are those of h2_script.h, of which lives of a carrier stand here, honest
and not; those of the others are told in fuzz_endings.c, fuzz_tls.c and fuzz_http_proxy.c.
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

# Endings: two ends, `far` is the other one.

NEAR_END, FAR_END = 0, 8


def come(units, end=NEAR_END):
    return bytes([0 + end + units * 16])


def fin(end=NEAR_END):
    return bytes([1 + end])


def broken(end=NEAR_END):
    return bytes([2 + end])


def room(units, end=NEAR_END):
    return bytes([3 + end + units * 16])


def window(end=NEAR_END):
    return bytes([4 + end])


def breaks(end=NEAR_END):
    return bytes([5 + end])


def delay(calls, end=NEAR_END):
    return bytes([6 + end + calls * 16])


STEP = bytes([7])
ROOMS = room(15) + room(15, FAR_END)

ENDINGS = {
    "both": ROOMS + come(3) + come(2, FAR_END) + STEP + fin() + STEP + fin(FAR_END) + STEP,
    "fin-behind-kept": come(9) + fin() + STEP + room(1, FAR_END) + STEP + room(15, FAR_END) + STEP,
    "half-closed": ROOMS + fin() + STEP + come(5, FAR_END) + STEP + fin(FAR_END) + STEP,
    "reset": ROOMS + come(3) + broken() + STEP + STEP,
    "reset-behind-kept": come(9) + broken() + delay(3, FAR_END) + STEP + room(15, FAR_END) + STEP * 5,
    "reset-after-fin": ROOMS + fin() + STEP + breaks() + come(2, FAR_END) + STEP + fin(FAR_END) + STEP,
    "deaf": ROOMS + breaks(FAR_END) + come(2) + STEP + come(2, FAR_END) + STEP,
    "deaf-with-kept": come(9) + STEP + breaks(FAR_END) + STEP + broken(FAR_END) + STEP,
    "window": window(FAR_END) + come(9) + STEP + room(2, FAR_END) + STEP + fin() + STEP + room(15, FAR_END) + STEP,
    "delayed": ROOMS + broken() + broken(FAR_END) + delay(5) + delay(9, FAR_END) + STEP * 12,
}

# A proxy's answer, cut into pieces.


def answer(*pieces, how=0):
    return bytes([how]) + b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)


PROXY_ANSWERS = {
    "agrees": answer(b"HTTP/1.1 200 OK\r\n\r\n"),
    "agrees-in-pieces": answer(b"HT", b"TP/1.1 200 ", b"Connection established\r\nVia: x\r", b"\n\r", b"\n"),
    "speaks-behind-it": answer(b"HTTP/1.0 200 OK\n\n\x16\x03\x03\0\x02ab", b"more"),
    "informs-first": answer(b"HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", b"rest"),
    "forbids": answer(b"HTTP/1.1 403 Forbidden by rule 7\r\nA: b\r\n\r\n<html>", how=2),
    "wants-another": answer(b"HTTP/1.1 407 Who\r\nproxy-authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n", how=1),
    "wants-basic": answer(b"HTTP/1.1 407 Who\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate:  BASIC realm=x\r\n\r\n"),
    "bad-gateway": answer(b"HTTP/1.1 502\r\n\r\n"),
    "redirects": answer(b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n"),
    "switches": answer(b"HTTP/1.1 101 Switching\r\n\r\n"),
    "is-none": answer(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "says-nothing": answer(how=4),
    "zeros": answer(b"HTTP/1.1 200 \0\0\0\r\n\0\r\n\r\n"),
    "long": answer(*[b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200] + [b"x" * 256] * 33),
    "negative": answer(b"HTTP/1.1 -200 OK\r\n\r\n"),
}

REQUESTS = {
    "get": b"GET /metrics HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\n\r\n",
    "head": b"HEAD /livez?x=1 HTTP/1.0\r\n\r\n",
    "bare": b"GET /readyz HTTP/1.1\nHost: a\n\n",
    "absolute": b"GET http://a:80/livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "post": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
    "no-host": b"GET / HTTP/1.1\r\n\r\n",
    "tab": b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
    "two-hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "version": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "folded": b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
    "empty-lines": b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "long-path": b"GET /" + b"x" * 100 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    "zero": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
}

PROXY_FACTS = {
    "ipv4": b"\0\x50\xc0\0\x02\x01\0\x51\xc0\0\x02\x02\x07" + (b"\0orders.apps.example" + b"x") * 4,
    "ipv6": b"\x01\x50 \x01\r\xb8" + bytes(11) + b"\x01\x01\x51" + bytes(16) + b"\x03" + b"\x30" + b"y" * 100,
    "mapped": b"\x02\xc0\0\x02\x01\0\x50\x7f\0\0\x01\0",
    "unix": b"\x03\x03\x01" + b"\xff" + b"z" * 300,
    "address-4": b"192.0.2.1:80",
    "address-6": b"[2001:db8::1%eth0]:80",
    "address-bare": b"::ffff:192.0.2.1",
}

# TLS: a peer's first bytes, in pieces of 8 times and one; and somebody in the middle.

HELLO_RECORD = (
    b"\x16\x03\x01\0\x9b\x01\0\0\x97\x03\x03" + bytes(range(32)) + b"\0\0\x04\x13\x01\xc0\x2b\x01\0\0\x6a"
    b"\0\0\0\x18\0\x16\0\0\x13orders.apps.example\0\x2b\0\x03\x02\x03\x04\0\x0a\0\x04\0\x02\0\x1d"
    b"\0\x0d\0\x04\0\x02\x04\x03\0\x33\0\x26\0\x24\0\x1d\0\x20" + bytes(range(32)) + b"\0\x10\0\x0e\0\x0c\x0brouteport/1"
)


def pieces(data, size=8):
    return b"".join(bytes([size]) + data[at : at + size * 8 + 1] for at in range(0, len(data), size * 8 + 1))


UP, DOWN = 0, 8


def middle(what, way=UP, amount=0):
    return bytes([what + way + amount * 16])


PASS, FLIP, DROP, INSERT, GIVE, FINISH, ABORT, REPEAT = range(8)
SHAKE = (middle(PASS) + middle(PASS, DOWN)) * 4
MEET = b"\1" + SHAKE
TALK = MEET + middle(GIVE, UP, 9) + middle(GIVE, DOWN, 5)

TLS = {
    "hello": b"\0" + pieces(HELLO_RECORD),
    "hello-byte-by-byte": b"\0" + pieces(HELLO_RECORD, 0),
    "hello-twice": b"\0" + pieces(HELLO_RECORD * 2, 30),
    "http": b"\0" + pieces(b"GET / HTTP/1.1\r\n\r\n"),
    "alert": b"\0" + pieces(b"\x15\x03\x01\0\x02\x02\x28"),
    "close-notify": b"\0" + pieces(b"\x15\x03\x01\0\x02\x01\0"),
    "sslv2": b"\0" + pieces(b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10"),
    "large": b"\0" + pieces(b"\x16\x03\x01\x40\0\x01\x0f\xff\xff" + bytes(3000), 255),
    "server-alert": b"\2" + pieces(b"\x15\x03\x03\0\x02\x02\x70"),
    "server-http": b"\2" + pieces(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "server-hello": b"\2" + pieces(
        b"\x16\x03\x03\0\x5a\x02\0\0\x56\x03\x03" + bytes(32) + b"\x20" + bytes(32) + b"\x13\x01\0\0\x0e"
        b"\0\x2b\0\x02\x03\x04\0\x33\0\x04\0\x1d\0\0"
    ),
    "meet": TALK + middle(PASS) + middle(PASS, DOWN) + middle(FINISH) + middle(FINISH, DOWN) + SHAKE,
    "half-closed": TALK + middle(FINISH) + SHAKE + middle(GIVE, DOWN, 15) + middle(PASS, DOWN) + middle(FINISH, DOWN) + SHAKE,
    "aborted": TALK + middle(ABORT) + SHAKE,
    "cut-before-the-end": TALK + middle(FINISH) + middle(PASS, UP, 2),
    "flipped": TALK + middle(PASS, UP, 3) + middle(FLIP, UP, 3) + middle(PASS),
    "flipped-hello": b"\1" + middle(PASS, UP, 1) + middle(FLIP, UP, 2) + SHAKE,
    "dropped": TALK + middle(DROP, UP, 15) + middle(PASS),
    "repeated": TALK + middle(REPEAT, DOWN, 15) + middle(PASS, DOWN),
    "inserted": TALK + middle(INSERT, UP, 6) + b"\x15\x03\x03\0\x02\x01\0" + middle(PASS),
    "inserted-early": b"\1" + middle(PASS) + middle(INSERT, DOWN, 6) + b"\x15\x03\x03\0\x02\x01\0" + SHAKE,
    "slow": b"\1" + (middle(PASS, UP, 1) * 20 + middle(PASS, DOWN, 15) * 9) * 2,
}

FOLDERS = {
    "h2_server": SERVER,
    "h2_client": CLIENT,
    "endings": ENDINGS,
    "http_proxy": PROXY_ANSWERS,
    "request": REQUESTS,
    "proxy_header": PROXY_FACTS,
    "tls": TLS,
}


def main():
    for folder, scripts in FOLDERS.items():
        (CORPUS / folder).mkdir(parents=True, exist_ok=True)
        for name, script in scripts.items():
            (CORPUS / folder / name).write_bytes(script)


main()
