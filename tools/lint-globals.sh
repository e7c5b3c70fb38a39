#!/bin/sh
# No mutable global but the log's: looks for what can be written in the object files of
# the folder $1 (common/, client/, server/ in it).
set -eu

# FILE SYMBOL-PATTERN # why it may be
allowed() {
	cat <<-'END'
		common/base/log.o .* # one log per program; guarded by its own lock
		common/base/log_cause.o causes(_lock)?|kinds # what was logged of late; guarded by its own lock
		common/tls/bio.o bio_method|once\.[0-9]+ # made once by the first caller, only read from then on
		common/tls/context.o (secrets|asked)_index|once\.[0-9]+ # the same
	END
}

folder=${1:?usage: lint-globals.sh BUILD-FOLDER}
objects=$(find "$folder/common" "$folder/client" "$folder/server" -name '*.o' | sort)
[ -n "$objects" ] || {
	echo "lint-globals: no object files in $folder" >&2
	exit 1
}
faults=$(
	for object in $objects; do
		name=${object#"$folder"/}
		# .data.rel.ro is written by the loader alone, before main().
		nm --defined-only -f sysv "$object" |
			awk -F'|' -v file="$name" '
				{ gsub(/ /, "", $1); gsub(/ /, "", $7) }
				$7 ~ /^(\.(data|bss|tdata|tbss)(\.|$)|\*COM\*)/ && $7 !~ /^\.data\.rel\.ro/ && $4 !~ /SECTION/ {
					print file, $1
				}'
	done | while read -r file symbol; do
		allowed | sed 's/#.*//' | while read -r allowed_file pattern; do
			[ "$file" = "$allowed_file" ] && echo "$symbol" | grep -Eqx "$pattern" && echo yes
		done | grep -q yes || echo "$file: $symbol can be written by anybody: pass it down instead"
	done
)
[ -z "$faults" ] || {
	echo "$faults" >&2
	exit 1
}
