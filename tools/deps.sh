#!/bin/sh
# Installs what building, demo, tests, lint and bench need.  Nothing missing: nothing is
# done.  No daemon is started, neither now nor at the next boot; units that were there
# before stay as they are.
#
#	sh tools/deps.sh [--list]
#
# apt: tried on Debian 12.  dnf (RHEL, Fedora, UBI): written with care, untried.
set -eu

# Debian and Ubuntu | RHEL and Fedora | what for.  "-" where there is none.
packages() {
	cat <<-'END'
		gcc                 | gcc                 | the compiler
		libc6-dev           | glibc-devel         | its headers, and libc.a for make static
		make                | make                | the Makefile
		pkgconf             | pkgconf             | tells the version of inih
		libssl-dev          | openssl-devel       | TLS
		libev-dev           | libev-devel         | event loops
		libinih-dev         | inih-devel          | INI files
		libc-ares-dev       | c-ares-devel        | names to addresses
		libnghttp2-dev      | libnghttp2-devel    | HTTP/2 carriers
		check               | check-devel         | unit tests
		libsubunit-dev      | subunit-devel       | Check links with it
		python3             | python3             | integration tests, the demo's tap
		python3-pytest      | python3-pytest      | integration tests
		python3-pytest-xdist | python3-pytest-xdist | several of them at once
		python3-yaml        | python3-pyyaml      | reads examples/openshift in the tests
		python3-aiosmtpd    | python3-aiosmtpd    | reads PROXY headers in the tests
		python3-h2          | python3-h2          | a peer in tests: HTTP/2 that is not ours
		python3-cryptography | python3-cryptography | forges TLS records in the tests
		tshark              | wireshark-cli       | a judge in tests: names the frames
		python3-prometheus-client | python3-prometheus_client | reads /metrics in the tests
		libfaketime         | libfaketime         | steps the clock in the tests
		curl                | curl                | asks the status port in the tests
		openssl             | openssl             | certificates; s_client and s_server as peers
		haproxy             | haproxy             | stands in for the OpenShift router
		stunnel4            | stunnel             | a peer in tests, the bench's yardstick
		redis-server        | redis               | an app in demo and tests
		redis-tools         | redis               | redis-cli, redis-benchmark
		postgresql          | postgresql-server   | an app in tests
		postgresql-contrib  | postgresql-contrib  | pgbench
		nginx-light         | nginx               | a peer in tests
		libnginx-mod-stream | nginx-mod-stream    | TLS without HTTP in nginx
		socat               | socat               | a peer in tests
		tinyproxy-bin       | tinyproxy           | an HTTP proxy in tests
		iperf3              | iperf3              | one TCP connection, the yardstick on long paths
		iproute2            | iproute             | ss
		procps              | procps-ng           | ps, pgrep
		util-linux          | util-linux          | setpriv, unshare, nsenter, taskset
		mount               | util-linux          | a root folder of the test's own for systemd
		systemd             | systemd             | runs the shipped units in the tests
		libseccomp2         | libseccomp          | filters of system calls in the tests
		binutils            | binutils            | readelf
		clang               | clang               | lint: the second compiler; make fuzz, clang
		libclang-rt-dev     | compiler-rt         | make fuzz, clang: libFuzzer, sanitizers
		valgrind            | valgrind            | make valgrind
		llvm                | llvm                | make coverage
		clang-format        | clang-tools-extra   | lint: how the code looks
		clang-tidy          | clang-tools-extra   | lint
		cppcheck            | cppcheck            | lint
		shellcheck          | ShellCheck          | lint: scripts
		mandoc              | mandoc              | lint: manual pages
		zsh                 | zsh                 | its completion in the tests
		-                   | glibc-static        | make static
		-                   | libasan             | make asan
		-                   | libubsan            | make asan
		-                   | libtsan             | make tsan
	END
}

# What would start by itself after a fresh install on Debian and Ubuntu.
units="haproxy.service stunnel.target redis-server.service postgresql.service nginx.service iperf3.service"
init_scripts="haproxy stunnel4 redis-server postgresql nginx"

say() {
	printf 'deps: %s\n' "$*"
}

die() {
	printf 'deps: %s\n' "$*" >&2
	exit 1
}

# column NUMBER: that column of the table, each name once.
column() {
	packages | awk -F'|' -v c="$1" '{ gsub(/[ \t]/, "", $c); if ($c != "-" && !seen[$c]++) print $c }'
}

# The rest needs root: run this script again with sudo.
become_root() {
	[ "$(id -u)" -eq 0 ] && return
	command -v sudo >/dev/null 2>&1 ||
		die "these packages are missing, and installing needs root or sudo: $missing"
	say "installing with sudo: $missing"
	exec sudo sh "$0"
}

has_unit() {
	[ -e "/lib/systemd/system/$1" ] || [ -e "/usr/lib/systemd/system/$1" ]
}

# --- apt ------------------------------------------------------------------------------

apt_missing() {
	for package in $(column 1); do
		state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
		[ "$state" = installed ] || printf '%s ' "$package"
	done
}

policy=/usr/sbin/policy-rc.d
cluster_conf=/etc/postgresql-common/createcluster.conf
our_policy=''
kept_conf=''
new_units=''
new_scripts=''

# While packages are configured nothing may start: Debian asks this file.
forbid_starts() {
	if [ -e "$policy" ]; then
		for script in $init_scripts; do
			code=0
			"$policy" "$script" start >/dev/null 2>&1 || code=$?
			[ "$code" -eq 101 ] ||
				die "$policy is there and would let $script start: move it away while this runs"
		done
		return
	fi
	our_policy=yes
	printf '#!/bin/sh\n# of routeport, while it installs packages: start nothing\nexit 101\n' >"$policy"
	chmod 755 "$policy"
}

# PostgreSQL's package makes a database and has it run at boot, unless told not to.
forbid_cluster() {
	if [ -e "$cluster_conf" ]; then
		state=$(dpkg-query -W -f '${db:Status-Status}' postgresql 2>/dev/null || true)
		[ "$state" != installed ] || return 0
		kept_conf=$(mktemp "$cluster_conf.XXXXXX")
		cp -p "$cluster_conf" "$kept_conf"
		grep -v '^[[:space:]]*create_main_cluster' "$kept_conf" >"$cluster_conf" || true
		printf 'create_main_cluster = false\n' >>"$cluster_conf"
	else
		mkdir -p "${cluster_conf%/*}"
		cat >"$cluster_conf" <<-'END'
			# Written by routeport's make deps: PostgreSQL is there for tests, which make
			# databases of their own.  Without this line the package makes one and runs it.
			create_main_cluster = false
		END
	fi
}

note_new_units() {
	for unit in $units; do
		has_unit "$unit" || new_units="$new_units $unit"
	done
	for script in $init_scripts; do
		[ -e "/etc/init.d/$script" ] || new_scripts="$new_scripts $script"
	done
}

disable_new_units() {
	for unit in $new_units; do
		has_unit "$unit" || continue
		deb-systemd-helper disable "$unit" >/dev/null 2>&1 || true
		# What that leaves: links that the helper did not make itself.
		find /etc/systemd/system -path '*.wants/*' -name "$unit" -type l -delete 2>/dev/null || true
	done
	for script in $new_scripts; do
		[ -e "/etc/init.d/$script" ] || continue
		update-rc.d "$script" disable >/dev/null 2>&1 || true
	done
}

# However it ends: nothing that is new starts at boot, and what was put aside comes back.
apt_undo() {
	disable_new_units
	[ -z "$our_policy" ] || rm -f "$policy"
	[ -z "$kept_conf" ] || mv -f "$kept_conf" "$cluster_conf"
	our_policy=''
	kept_conf=''
}

apt_install() {
	export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 UCF_FORCE_CONFFOLD=1
	trap 'apt_undo' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	note_new_units
	forbid_starts
	forbid_cluster
	say "missing: $missing"
	apt-get update -q || say "apt-get update failed; trying with the lists that are there"
	# shellcheck disable=SC2086 # a list of words
	apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-confold \
		-o Dpkg::Options::=--force-confdef $missing ||
		die "apt-get could not install all of: $missing"
}

# --- dnf (untried) --------------------------------------------------------------------

dnf_missing() {
	for package in $(column 2); do
		rpm -q --quiet --whatprovides "$package" 2>/dev/null || printf '%s ' "$package"
	done
}

# An rpm enables no unit that the system's presets do not name, and starts none.
dnf_install() {
	say "missing: $missing"
	say "dnf is untried here; some of these live in EPEL and CRB (CodeReady Builder)"
	# shellcheck disable=SC2086 # a list of words
	dnf -y install --setopt=install_weak_deps=False $missing || die "dnf could not install all of: $missing
deps: RHEL: subscription-manager repos --enable codeready-builder-for-rhel-9-\$(uname -m)-rpms
deps: others: dnf config-manager --set-enabled crb; and: dnf install epel-release"
}

# --------------------------------------------------------------------------------------

if [ "${1-}" = --list ]; then
	packages
	exit 0
fi
if command -v apt-get >/dev/null 2>&1; then
	with=apt
elif command -v dnf >/dev/null 2>&1; then
	with=dnf
else
	packages >&2
	die "neither apt-get nor dnf is here: install what the list above names in your system's way"
fi
missing=$("${with}_missing")
missing=${missing% }
if [ -z "$missing" ]; then
	say "nothing to do"
	exit 0
fi
become_root
"${with}_install"
missing=$("${with}_missing")
missing=${missing% }
[ -z "$missing" ] || die "still missing: $missing"
say "done; no daemon was started"
