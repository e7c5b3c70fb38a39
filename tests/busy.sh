#!/bin/sh
# The tests again and again while other processes keep all cores busy: a slow machine must
# fail none.  Stops at the first run that fails, and says which it was.
#
#	sh tests/busy.sh UNIT-RUNS INTEGRATION-RUNS LOG
#
# Environment: MAKE; BUSY: so many processes, else one for each core.
set -eu

unit_runs=$1
integration_runs=$2
log=$3
busy=''

# Works until nobody waits for it any more.
work() {
	# shellcheck disable=SC2016 # for the other shell
	exec sh -c 'while kill -0 "$1" 2>/dev/null; do
		n=0
		while [ $n -lt 100000 ]; do n=$((n + 1)); done
	done' busy "$$"
}

stop_work() {
	# shellcheck disable=SC2086 # words
	[ -z "$busy" ] || kill $busy 2>/dev/null || true
}

# again COUNT GOAL: that goal of the Makefile so many times.
again() {
	run=1
	while [ "$run" -le "$1" ]; do
		began=$(date +%s)
		if ! PYTEST_ADDOPTS="-x ${PYTEST_ADDOPTS-}" ${MAKE:-make} --no-print-directory "$2" >"$log" 2>&1; then
			cat "$log"
			echo "check-busy: run $run of $1 of \"make $2\" failed, see $log" >&2
			exit 1
		fi
		echo "check-busy: run $run of $1 of \"make $2\" passed in $(($(date +%s) - began)) s"
		run=$((run + 1))
	done
}

trap stop_work EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
count=${BUSY:-$(nproc)}
while [ "$count" -gt 0 ]; do
	work &
	busy="$busy $!"
	count=$((count - 1))
done
again "$unit_runs" unit
again "$integration_runs" integration
