"""What must be true of every stream, whatever was done to it: a look at what both programs wrote
down, and the log."""

from collections import defaultdict

from .actors import NUMBER
from .pairs import parse_line


def faults_of_bytes(cast):
    """No byte of a stream twice, none that was not said, no end that was not said."""
    visits = defaultdict(list)
    for visit in cast.visits:
        if visit.wrong:
            yield "the app got other bytes", visit
        if visit.heard < NUMBER:
            if visit.heard or visit.end == "FIN":
                yield "the app got no first line, but something", visit
            continue
        visits[visit.number].append(visit)
        program = cast.programs[visit.number]
        if visit.end == "FIN" and not (program.finished and visit.heard == program.sent):
            yield "the app saw a FIN too early", visit, program
    for number, several in visits.items():
        if len(several) > 1:
            yield "the app got a stream more than once", *several, cast.programs[number]
    for program in cast.programs:
        yield from _faults_of_answer(program, visits[program.number])


def _faults_of_answer(program, visits):
    if program.wrong:
        yield "the program got other bytes", program, visits
    # An app that is gone had its FIN said by its kernel.
    whole = [visit.sent for visit in visits if visit.finished or visit.end == "gone"]
    if program.end == "FIN" and whole != [program.heard]:
        yield "the program saw a FIN too early", program, visits


def faults_of_logs(cast, client):
    """Every stream has one close line with a reason."""
    lines = defaultdict(list)
    for line in client.process.lines_with("event=close"):
        fields = parse_line(line)
        lines[int(fields["peer"].rsplit(":", 1)[1])].append(fields)
    programs = defaultdict(list)
    for program in cast.programs:
        programs[program.port].append(program)
    for port, several in programs.items():
        if len(lines[port]) != len(several):
            yield "not one close line for each", several, lines[port]
    for port, several in lines.items():
        for fields in several:
            if fields["why"] == "none":
                yield "no reason", fields
            if fields["why"] == "finished" and [program.end for program in programs[port]] == ["RST"]:
                yield "the log says finished, the program saw a reset", programs[port], fields
