#!/bin/sh
# Builds the load and the long path, and measures; bench.py says how to choose what.
#	ROUTEPORT_BUILD=folder sh tests/bench/bench.sh [options of bench.py]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${ROUTEPORT_BUILD:=$here/../../build}"
tools=$ROUTEPORT_BUILD/tests/bench
mkdir -p "$tools"
for tool in load delay path; do
	${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -o "$tools/$tool" \
		"$here/$tool.c" "$here/meter.c" "$here/sockets.c" -pthread
done
exec python3 -B "$here/bench.py" --build "$ROUTEPORT_BUILD" "$@"
