"""TLS 1.2 lets a peer ask for a new handshake inside the connection, as often as it likes, which costs
far more to answer than to ask.  Ours is not to be had for it."""

from harness import pairs
from harness.pairs import Pair
from harness.talks import echo

WORKERS = [1]
KINDS = ["raw"]
PEERS = 10


def test_renegotiation_is_refused_and_neighbours_notice_nothing(
    place, app, router, start_server, start_client, pod_port
):
    options = {"sslVersion": "TLSv1.2", "multiplex": "no"}
    server = start_server(app.address, **options)
    neighbour = Pair(start_client(router.port, **options), server, app).open()
    echo(neighbour)
    for _ in range(PEERS):
        peer = pairs.openssl_client(place, pod_port, "-no_ign_eof", "-tls1_2", "-msg", "-msgfile", "/dev/stderr")
        visitor = app.accept()
        peer.write(b"R\n")
        peer.wait_line("<<< .*Alert .*no_renegotiation")
        echo(neighbour)
        assert len(peer.lines_with("<<< .* ServerHello$")) == 1
        assert peer.wait_exit() != 0
        assert visitor.receive_to_end()[0] == b""
    echo(neighbour)
