"""A name server of the test's own, for names in `connect`."""

import ipaddress
import random
import socket
import struct
import threading

HEADER = struct.Struct("!HHHHHH")
A, IN, ANSWER, NO_SUCH_NAME = 1, 1, 0x8580, 0x8583


class NameServer:
    """Answers over UDP, unless it `is_silent`; a name that is not in `names` does not exist.

    resolv.conf knows no ports but 53, which is root's; so the address is one that nobody
    else has.  PermissionError: this user may not listen there.
    """

    def __init__(self, names):
        self._names = names
        self.is_silent = False
        self.address = "127." + ".".join(str(random.randint(1, 254)) for _ in range(3))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.address, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            query, asker = self._socket.recvfrom(4096)
            if not query:
                return
            if not self.is_silent:
                self._socket.sendto(self._answer(query), asker)

    def _answer(self, query):
        number = HEADER.unpack_from(query)[0]
        labels, at = [], HEADER.size
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii"))
            at += 1 + query[at]
        question = query[HEADER.size : at + 5]
        kind = struct.unpack_from("!H", query, at + 1)[0]
        address = self._names.get(".".join(labels).lower())
        if address is None:
            return HEADER.pack(number, NO_SUCH_NAME, 1, 0, 0, 0) + question
        if kind != A:
            return HEADER.pack(number, ANSWER, 1, 0, 0, 0) + question
        record = struct.pack("!HHHIH", 0xC00C, A, IN, 0, 4) + ipaddress.ip_address(address).packed
        return HEADER.pack(number, ANSWER, 1, 1, 0, 0) + question + record

    def close(self):
        """An empty datagram ends the thread."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (self.address, 53))
        self._thread.join()
        self._socket.close()
