"""Streams that find no way: what their programs see, and what the log says of it."""

from .pairs import parse_line
from .programs import is_reset, random_bytes

TIMES = 3  # how often a cause comes up: its words are to come once
WORDS = random_bytes(5000)


def expect_refusal(client):
    """Programs that meet a failure see a reset, and never an end that looks clean."""
    for _ in range(TIMES):
        assert is_reset(client.port, WORDS)


def expect_words(end, why, *details):
    """`TIMES` close lines say `why`, and one line in all says it in words, which is returned."""
    for _ in range(TIMES):
        end.expect_close(why)
    (line,) = end.complaints()
    fields = parse_line(line)
    assert (fields["event"], fields["why"]) == ("failed", why)
    assert " " in fields["detail"], "no words for a person"
    for detail in details:
        assert detail in line
    return line
