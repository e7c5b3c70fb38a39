#!/bin/sh
# Builds the sidecar's container image from the static server, with whichever of podman,
# buildah and docker is there.  IMAGE=name:tag names it.
set -eu

cd "$(dirname "$0")/.."
server=${BUILD:-build}/static/routeport-server
image=${IMAGE:-routeport:$(sed -n 's/^VERSION := //p' Makefile)}

die() {
	printf 'image: %s\n' "$*" >&2
	exit 1
}

[ -x "$server" ] || die "$server is not built; make static builds it"
if command -v podman >/dev/null 2>&1; then
	builder='podman build'
elif command -v buildah >/dev/null 2>&1; then
	builder='buildah build'
elif command -v docker >/dev/null 2>&1; then
	docker info >/dev/null 2>&1 || die "docker is here, but its engine does not answer, and podman and buildah are not installed"
	builder='docker build'
else
	die "none of podman, buildah and docker is installed; any of them builds examples/Containerfile"
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp examples/Containerfile "$context/Containerfile"
strip -o "$context/routeport-server" "$server"
chmod 755 "$context" "$context/routeport-server"
# shellcheck disable=SC2086 # a command and its first word
$builder -t "$image" -f "$context/Containerfile" "$context" || die "$builder failed"
echo "image: $image, $(wc -c <"$context/routeport-server") bytes of program"
