#!/bin/sh
# One target for some seconds.  What it finds new goes beside the build, the checked-in
# corpus stays as it is; an input that breaks a rule is left there too and named.
#
#	sh tests/fuzz/run.sh TARGET SECONDS
set -eu

target=$1
name=${target##*/fuzz_}
found=$target.found
mkdir -p "$found"
# What was freed is watched for a while, and costs memory and time for as long.
export ASAN_OPTIONS="quarantine_size_mb=32${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
echo "fuzz $name for $2 s"
if "$target" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
	-artifact_prefix="$target." "$found" "tests/fuzz/corpus/$name" >"$target.log" 2>&1; then
	grep -E 'stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' "$target.log"
else
	grep -vE '^#[0-9]+.*(NEW|REDUCE|pulse)' "$target.log" | tail -n 60
	echo "fuzz $name: see $target.log" >&2
	exit 1
fi
