#!/bin/sh
# The README's option table is what the program says.
#
#	readme-table.sh --check BUILD-FOLDER	differs: shows how, exit 1
#	readme-table.sh --write BUILD-FOLDER	puts the program's table in
set -eu

mode=${1:?usage: readme-table.sh --check or --write, and the build folder}
program=${2:-build}/routeport-client
readme=README.md

if ! grep -q '^<!-- options -->$' "$readme" || ! grep -q '^<!-- /options -->$' "$readme"; then
	echo "readme-table: $readme has no lines <!-- options --> and <!-- /options -->" >&2
	exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$program" --options-markdown >"$folder/table"
[ -s "$folder/table" ] || {
	echo "readme-table: $program --options-markdown prints nothing" >&2
	exit 1
}
awk -v table="$folder/table" '
	/^<!-- \/options -->$/ { inside = 0 }
	!inside { print }
	/^<!-- options -->$/ {
		inside = 1
		while ((getline line < table) > 0)
			print line
	}' "$readme" >"$folder/readme"
case $mode in
--check)
	diff -u "$readme" "$folder/readme" || {
		echo "readme-table: the option table in $readme is old: sh tools/readme-table.sh --write" >&2
		exit 1
	}
	;;
--write) cmp -s "$readme" "$folder/readme" || cat "$folder/readme" >"$readme" ;;
*)
	echo "readme-table: --check or --write, not $mode" >&2
	exit 1
	;;
esac
