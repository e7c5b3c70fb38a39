"""What the two programs of a stream say to each other where any words will do."""

from .programs import Ending, random_bytes

WORDS = random_bytes(5000)


def echo(stream, words=WORDS):
    """Words pass both ways."""
    for one, other in ((stream.one, stream.other), (stream.other, stream.one)):
        one.send(words)
        assert other.receive(len(words)) == words


def finish(stream):
    """Both end in good order."""
    stream.one.finish()
    assert stream.other.receive_to_end() == (b"", Ending.FIN)
    stream.other.finish()
    assert stream.one.receive_to_end() == (b"", Ending.FIN)
