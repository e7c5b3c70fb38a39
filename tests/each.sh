#!/bin/sh
# Run programs one after the other, all of them even if one fails.  What one writes is kept
# beside it; of one that fails the end is shown, of the others only the last line.
#
#	sh tests/each.sh WHAT 'PROGRAM [ARGUMENT...]'...
set -u

what=$1
shift
failed=0 names=''

for command in "$@"; do
	program=${command%% *}
	name=${program##*/}
	status=0
	# shellcheck disable=SC2086 # words
	$command >"$program.log" 2>&1 || status=$?
	if [ "$status" -eq 0 ]; then
		printf '  %-7s %s: %s\n' "$what" "$name" "$(tail -n 1 "$program.log")"
		continue
	fi
	failed=$((failed + 1))
	# Check's own words name the cases that failed.
	names="$names
$what: $name failed (status $status), see $program.log
$(grep -aE '^[^ ]+:[0-9]+:[FE]:' "$program.log")"
	echo "---- $name"
	tail -n 100 "$program.log"
	echo "----"
done
[ "$failed" -eq 0 ] && exit 0
printf '%s: %s of %s programs failed%s\n' "$what" "$failed" "$#" "$names" >&2
exit 1
