#!/bin/sh
# Prints the -D flags for what this nghttp2 has and not every one has.  Linking alone
# tells: distributions carry new calls back into old versions.
#
#	sh tools/nghttp2-flags.sh COMPILER FLAG...
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# links CALL COMPILER FLAG...
links() {
	printf '#include <nghttp2/nghttp2.h>\nint main(void) { return (int)(long)%s; }\n' "$1" >"$scratch/try.c"
	shift
	"$@" -w "$scratch/try.c" -o "$scratch/try" -lnghttp2 2>"$scratch/why"
}

links nghttp2_option_new "$@" || {
	cat "$scratch/why" >&2
	echo "nghttp2-flags: nothing links with nghttp2: is it installed? (make deps)" >&2
	exit 1
}
if links nghttp2_option_set_stream_reset_rate_limit "$@"; then
	echo -DNGHTTP2_HAS_RESET_RATE_LIMIT
fi
if links nghttp2_option_set_glitch_rate_limit "$@"; then
	echo -DNGHTTP2_HAS_GLITCH_RATE_LIMIT
fi
