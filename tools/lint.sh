#!/bin/sh
# Everything that can be said against the code without running it.  All checks run; the
# first words of each that fails stand above its "no".  LINT=name runs one of them alone:
# format, tidy, cppcheck, shell, gcc, clang, folders, globals, generated, man, links.
set -u

cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
# The folders of both compilers' builds.
gcc_build=$BUILD/gcc
clang_build=$BUILD/clang
jobs=$(nproc 2>/dev/null || echo 2)
MAKEFLAGS=''
export MAKEFLAGS

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

c_files() {
	find common client server tests/unit tests/fuzz tests/bench tests/integration -name '*.[ch]' | sort
}

format() {
	c_files | xargs clang-format --dry-run -Werror 2>&1 |
		sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: error: .*/\1/p' | sort -u >"$scratch/ugly"
	[ -s "$scratch/ugly" ] || return 0
	echo "to be put right by: clang-format -i $(tr '\n' ' ' <"$scratch/ugly")"
	return 1
}

# The tests are built with every warning on, and that is enough for them.
tidy() {
	# shellcheck disable=SC2016 # the inner shell's $1
	find common client server -name '*.c' | sort | xargs -P "$jobs" -n 1 sh -c '
		out=$(clang-tidy --quiet "$1" -- -std=c11 -D_GNU_SOURCE -DROUTEPORT_VERSION=\"lint\" -I. 2>&1) ||
			{ printf "%s\n" "$out" | grep -v "warnings generated"; exit 1; }' tidy
}

# cppcheck knows no system header, but lists need the macros of one.
cppcheck_all() {
	queue=$(echo '#include <sys/queue.h>' | cc -E -x c - | sed -n 's/^# 1 "\(.*queue\.h\)".*/\1/p')
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j "$jobs" \
		--enable=warning,performance,portability --suppress=missingIncludeSystem \
		--include="$queue" -D_GNU_SOURCE -DROUTEPORT_VERSION='"lint"' -I. common client server
}

shell() {
	{
		find certs tools tests examples -name '*.sh'
		echo .ci/run
	} | sort | xargs shellcheck && shellcheck --shell=bash completion/routeport.bash
}

# They see each other as if they were installed.
man_pages() {
	for section in 5 8; do
		mkdir -p "$scratch/man/man$section" && cp man/*."$section" "$scratch/man/man$section" || return 1
	done
	MANPATH=$scratch/man mandoc -T lint -W style man/*.[58]
}

# build COMPILER FOLDER: both programs, the unit tests and what is fuzzed, warnings being errors.
build() {
	# shellcheck disable=SC2046 # one target per word
	make --no-print-directory -s -j "$jobs" CI=1 CC="$1" BUILD="$2" all \
		$(find tests/unit tests/fuzz -name 'test_*.c' -o -name 'fuzz_*.c' | sed "s,^,$2/,; s,\.c\$,,")
}

failed=0
passed=0
# step NAME COMMAND...: what it prints is shown only when it fails.
step() {
	name=$1
	shift
	[ -z "${LINT-}" ] || [ "$LINT" = "$name" ] || return 0
	begun=$(date +%s)
	if "$@" >"$scratch/out" 2>&1; then
		verdict=yes
		passed=$((passed + 1))
	else
		verdict=NO
		failed=$((failed + 1))
		cat "$scratch/out"
	fi
	printf '  %-7s %-8s %s (%ds)\n' LINT "$name" "$verdict" $(($(date +%s) - begun))
}

step format format
step shell shell
step cppcheck cppcheck_all
step gcc build gcc "$gcc_build"
step clang build clang "$clang_build"
step folders /usr/bin/python3 tools/lint-folders.py "$gcc_build"
step globals sh tools/lint-globals.sh "$gcc_build"
step generated /usr/bin/python3 tools/generated.py --check "$gcc_build"
step man man_pages
step links /usr/bin/python3 tools/lint-links.py
step tidy tidy
if [ "$failed" -ne 0 ]; then
	echo "lint: $failed of $((passed + failed)) checks say no"
	exit 1
fi
echo "lint: nothing to say"
