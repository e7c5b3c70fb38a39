"""A TLS peer that does what no program should: it ends TLS in every wrong way."""

import socket
import ssl

from . import waiting
from .certificates import HOST
from .programs import remember

RECORD = b"\x17\x03\x03\x00\x40"  # the header of a record with 64 bytes of application data


class TlsPeer:
    """One TLS connection over memory, so that every byte on the wire is the test's own.

    `meanwhile` is called in the middle of the handshake: the other end has said its first word,
    and waits for our next one.
    """

    def __init__(self, sock, context, meanwhile=None, **role):
        self._socket = sock
        self._meanwhile = meanwhile
        remember(sock)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, **role)
        self._run(self._tls.do_handshake)

    def _run(self, step, *arguments):
        """Take one step of TLS, fetching what it needs from the wire."""
        while True:
            try:
                return step(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                piece = self._socket.recv(65536)
                assert piece, "the connection ended in the middle of TLS"
                self._note("theirs", piece)
                self._incoming.write(piece)
                if self._meanwhile:
                    meanwhile, self._meanwhile = self._meanwhile, None
                    meanwhile()
            finally:
                self._flush()

    def _flush(self):
        if self._outgoing.pending:
            piece = self._outgoing.read()
            self._note("ours", piece)
            self._socket.sendall(piece)

    def _note(self, whose, piece):
        """For who has to know what is on the wire."""

    @property
    def session(self):
        """For another connection of the same context."""
        return self._tls.session

    def send(self, data):
        self._run(self._tls.write, data)

    def receive(self, count):
        received = b""
        while len(received) < count:
            received += self._run(self._tls.read, count - len(received))
        return received

    def wait_alert(self):
        """Read until the other end aborts; says with which alert."""
        try:
            while self._run(self._tls.read, 65536):
                pass
        except ssl.SSLError as error:
            return error.reason
        raise AssertionError("a clean end came, no alert")

    # The ends

    def end_with_fin(self):
        """FIN without close_notify."""
        self._socket.close()

    def end_with_reset(self):
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()

    def end_inside_a_record(self):
        self._socket.sendall(RECORD + bytes(10))
        self._socket.close()

    def end_with_garbage(self):
        """A record that is not authentic."""
        self._socket.sendall(RECORD + bytes(64))

    def end_with_alert(self):
        """A fatal alert, which OpenSSL sends when it is fed such a record itself."""
        self._incoming.write(RECORD + bytes(64))
        try:
            self._tls.read(1)
        except ssl.SSLError:
            pass
        self._flush()


def context_for(purpose, identity, authority, version=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(purpose)
    context.load_cert_chain(identity.certificate, identity.key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    return context


def tls_client(certificates, router_port, version=ssl.TLSVersion.TLSv1_3, protocol=None, **how):
    """In the place of our client; `protocol` is offered by ALPN."""
    context = context_for(ssl.PROTOCOL_TLS_CLIENT, certificates.client, certificates.authority, version)
    if protocol:
        context.set_alpn_protocols([protocol])
    sock = socket.create_connection(("127.0.0.1", router_port), waiting.LIMIT)
    return TlsPeer(sock, context, server_hostname=HOST, **how)


def tls_server(certificates, listener, version=ssl.TLSVersion.TLSv1_3):
    """In the place of our server: takes the next connection of `listener`."""
    context = context_for(ssl.PROTOCOL_TLS_SERVER, certificates.server, certificates.authority, version)
    return TlsPeer(listener.accept()[0], context, server_side=True)
