#!/bin/sh
# Unit tests under valgrind's memcheck, then our programs in some of the integration tests.
# It makes everything some thirty times slower, and a case that waits for something may not
# get it in time: that is no finding.  What valgrind itself says is one.
#
#	sh tests/valgrind.sh BUILD UNIT-TEST...		T='words' picks other integration tests
set -eu

build=$(cd "$1" && pwd)
shift
logs=$build/valgrind
rm -rf "$logs"
mkdir -p "$logs"
check="valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect --log-file=$logs/%p.log"
export CK_VERBOSITY=minimal CK_DEFAULT_TIMEOUT=600

for test in "$@"; do
	# shellcheck disable=SC2086 # words
	$check "$test" 2>/dev/null || echo "  (some of it did not come in time)"
done

# Programs that start the real ones under it; the tests take them for ours.
for role in client server; do
	program=$logs/routeport-$role
	# shellcheck disable=SC2016 # for the program
	printf '#!/bin/sh\nexec %s %s "$@"\n' "$check" "$build/routeport-$role" >"$program"
	chmod 755 "$program"
done
ROUTEPORT_BUILD=$logs ROUTEPORT_TEST_LIMIT=240 /usr/bin/python3 -m pytest -q -p no:cacheprovider -n 2 \
	tests/integration/test_endings.py tests/integration/test_reload.py \
	-k "${T:-not workers-3 and (before_fin or resets or secret_that_is_swapped)}" --tb=line ||
	echo "  (some of it did not come in time)"

# A warning about what valgrind does not know is no error.
if grep -lE '^==[0-9]+== (Invalid|Use of|Conditional jump|Syscall param|Mismatched|Source and destination|.*(definitely|indirectly) lost)' \
	"$logs"/*.log >"$logs/found"; then
	xargs head -n 40 <"$logs/found"
	echo "valgrind: $(wc -l <"$logs/found") processes had errors; all is in $logs"
	exit 1
fi
echo "valgrind: no error in $(find "$logs" -name '*.log' | wc -l) processes"
