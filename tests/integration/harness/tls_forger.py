"""A TLS peer that goes on by hand once the handshake is done: it seals whatever records it likes, by
the keys that the handshake made.  AES-GCM under TLS 1.2 (RFC 5288) and 1.3 (RFC 8446)."""

import contextlib
import hashlib
import hmac
import select
import socket
import ssl
import struct
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import waiting
from .certificates import HOST
from .tls_peer import TlsPeer, context_for

ALERT, HANDSHAKE, DATA = 21, 22, 23
LEGACY_VERSION = 0x0303

CLIENT_HELLO = b"\x01\0\0\0"  # the header is as far as anybody looks who refuses a renegotiation
HELLO_REQUEST = b"\0\0\0\0"
NEW_SESSION_TICKET = b"\x04\0\0\x0f" + struct.pack("!II", 7200, 1) + b"\x01n" + b"\0\1t" + b"\0\0"


def _hash_of(cipher):
    return hashlib.sha384 if "SHA384" in cipher else hashlib.sha256


def _prf(secret, seed, count, digest):
    """RFC 5246, 5."""
    output, a = b"", seed
    while len(output) < count:
        a = hmac.digest(secret, a, digest)
        output += hmac.digest(secret, a + seed, digest)
    return output[:count]


def _expand(secret, label, count, digest):
    """HKDF-Expand-Label of RFC 8446, 7.1, for at most one block."""
    label = b"tls13 " + label
    info = struct.pack("!HB", count, len(label)) + label + b"\0" + b"\1"
    return hmac.digest(secret, info, digest)[:count]


class Forger(TlsPeer):
    def __init__(self, sock, context, keys, **role):
        self._server = role.get("server_side", False)
        self._first_words = {}
        context.keylog_filename = str(keys)
        super().__init__(sock, context, **role)
        self._incoming.read()  # nothing that still comes is for OpenSSL
        name = self._tls.cipher()[0]
        self._digest = _hash_of(name)
        self._key_size = 16 if "128" in name else 32
        secrets = [line.split() for line in keys.read_text(encoding="ascii").splitlines() if line[0] != "#"]
        self._derive({row[0]: (bytes.fromhex(row[1]), bytes.fromhex(row[2])) for row in secrets})
        sock.setblocking(False)

    def _note(self, whose, piece):
        self._first_words.setdefault(whose, piece)

    def _derive(self, secrets):
        self._is_new = self._tls.version() == "TLSv1.3"
        if self._is_new:
            secret = secrets[("SERVER" if self._server else "CLIENT") + "_TRAFFIC_SECRET_0"][1]
            self._cipher = AESGCM(_expand(secret, b"key", self._key_size, self._digest))
            self._iv = _expand(secret, b"iv", 12, self._digest)
            self._sequence = 0
            return
        client_random, secret = secrets["CLIENT_RANDOM"]
        server_random = self._first_words["ours" if self._server else "theirs"][11:43]  # of ServerHello
        size = self._key_size
        block = _prf(secret, b"key expansion" + server_random + client_random, 2 * size + 8, self._digest)
        at = int(self._server)
        self._cipher = AESGCM(block[at * size : (at + 1) * size])
        self._iv = block[2 * size + 4 * at :][:4]
        self._sequence = 1  # Finished was the first

    def seal(self, kind, content):
        number = struct.pack("!Q", self._sequence)
        self._sequence += 1
        if self._is_new:
            nonce = bytes(a ^ b for a, b in zip(self._iv, bytes(4) + number))
            header = struct.pack("!BHH", DATA, LEGACY_VERSION, len(content) + 17)
            return header + self._cipher.encrypt(nonce, content + bytes([kind]), header)
        associated = number + struct.pack("!BHH", kind, LEGACY_VERSION, len(content))
        body = number + self._cipher.encrypt(self._iv + number, content, associated)
        return struct.pack("!BHH", kind, LEGACY_VERSION, len(body)) + body

    def flood(self, kind, content, most, reads=True):
        """Send such records until the far end has ended the connection, or taken `most` bytes.
        `reads`: what it answers is read, and thrown away."""
        deadline = time.monotonic() + waiting.LIMIT
        taken, unsent = 0, b""
        while taken < most:
            unsent = unsent or b"".join(self.seal(kind, content) for _ in range(500))
            assert time.monotonic() < deadline, "the far end neither takes the records nor ends"
            happened = self._wait(select.POLLOUT | (select.POLLIN if reads else 0))
            try:
                if happened & select.POLLIN and not self._socket.recv(1 << 20):
                    return
                sent = self._socket.send(unsent)
            except BlockingIOError:
                continue
            except OSError:
                return
            taken, unsent = taken + sent, unsent[sent:]
        return

    def _wait(self, events):
        poller = select.poll()
        poller.register(self._socket, events)
        return sum(event for _, event in poller.poll(100))

    def wait_end(self):
        """Until the far end has closed the connection, or reset it."""
        self._socket.settimeout(waiting.LIMIT)
        with contextlib.suppress(ConnectionResetError):
            while self._socket.recv(1 << 20):
                pass


def _context(certificates, role, version, protocol):
    identity = {"client": certificates.client, "server": certificates.server}[role]
    purpose = {"client": ssl.PROTOCOL_TLS_CLIENT, "server": ssl.PROTOCOL_TLS_SERVER}[role]
    context = context_for(purpose, identity, certificates.authority, version)
    context.set_ciphers("ECDHE+AESGCM")
    if role == "server":
        context.num_tickets = 0
    if protocol:
        context.set_alpn_protocols([protocol])
    return context


def forging_client(place, router_port, version, protocol=None):
    context = _context(place.certificates, "client", version, protocol)
    sock = socket.create_connection(("127.0.0.1", router_port), waiting.LIMIT)
    return Forger(sock, context, place.folder / f"keys-{sock.fileno()}", server_hostname=HOST)


def forging_server(place, listener, version, protocol=None):
    """Takes the next connection of `listener`."""
    context = _context(place.certificates, "server", version, protocol)
    sock = listener.accept()[0]
    return Forger(sock, context, place.folder / f"keys-{sock.fileno()}", server_side=True)
