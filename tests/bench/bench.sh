#!/bin/sh
# Builds the load and measures; bench.py says how to choose what.
#	ROUTEPORT_BUILD=folder sh tests/bench/bench.sh [options of bench.py]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${ROUTEPORT_BUILD:=$here/../../build}"
mkdir -p "$ROUTEPORT_BUILD/tests/bench"
load=$ROUTEPORT_BUILD/tests/bench/load
${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -o "$load" "$here/load.c" -pthread
exec python3 -B "$here/bench.py" --build "$ROUTEPORT_BUILD" --load "$load" "$@"
