"""Where one of our ends meets a peer that is not ours, through the router."""

import dataclasses

from . import pairs
from .h2_peer import H2Peer, PeerStream, h2_client, h2_server
from .pairs import RouteportEnd
from .programs import App, Connection, legacy_program, listen


@dataclasses.dataclass
class Meeting:
    """Our `end` with its `program`, and the `peer`, over a stream that is open."""

    end: RouteportEnd
    program: Connection
    peer: H2Peer
    stream: PeerStream
    app: App = None  # beside our server

    def open_another(self):
        """A second stream of the same carrier, and its program."""
        if self.app:
            stream = self.peer.open()
            return stream, self.app.accept()
        program = legacy_program(self.end.port)
        stream = self.peer.wait_asked()
        stream.answer(200)
        return stream, program


class Pod:
    """In the place of our server: a peer for each connection that the client opens."""

    def __init__(self, place, port):
        self._certificates = place.certificates
        self.listener = listen(port)
        self.port = port

    def accept(self, **how):
        return h2_server(self._certificates, self.listener, **how)

    def close(self):
        self.listener.close()


def start_server(place, app, pod_port, **options):
    return pairs.routeport_server(place, app.address, port=pod_port, multiplex="yes", **options)


def start_client(place, router, **options):
    return pairs.routeport_client(place, router.port, multiplex="yes", **options)


def meet_server(place, router, app, server, **how):
    """Our server, which has a carrier from somebody else's client."""
    peer = h2_client(place.certificates, router.port, **how)
    peer.ping()  # the server's SETTINGS are here, and obeyed in what the library says
    stream = peer.connect()
    program = app.accept()
    assert stream.wait_answer() == {":status": "200"}
    return Meeting(server, program, peer, stream, app)


def meet_client(client, pod, **how):
    """Our client, which has a carrier to somebody else's server."""
    program = legacy_program(client.port)  # who waits for a carrier has one dialled at once
    peer = pod.accept(**how)
    stream = peer.wait_asked()
    stream.answer(200)
    peer.ping()
    return Meeting(client, program, peer, stream)
