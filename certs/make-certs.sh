#!/bin/sh
# A small private CA, a certificate for the server and one for the client.
#
#	sh certs/make-certs.sh ROUTE-HOST [FOLDER]
#
# FOLDER (default: ROUTE-HOST.certs) gets
#
#	ca.crt ca.key			the CA; its key signs, and is needed nowhere else
#	server/tls.crt tls.key ca.crt	the server's Secret
#	client/tls.crt tls.key ca.crt	what the client's host gets
#
# Nothing that is there is ever overwritten: a CA is used again, a certificate is left.  To
# renew one, or to make one for another client, move server/ or client/ away and run again.
#
# From the environment: CLIENT_NAME, the name in the client's certificate (routeport-client),
# and DAYS, how long both are valid (825; the CA: 3650).  Needs openssl 1.0.2 or newer.
set -eu

client_name=${CLIENT_NAME:-routeport-client}
days=${DAYS:-825}
ca_days=3650
umask 077

fail() {
	printf 'make-certs: %s\n' "$*" >&2
	exit 1
}

# quietly COMMAND...: what it says is shown only when it fails.
quietly() {
	"$@" >"$work/said" 2>&1 && return
	cat "$work/said" >&2
	fail "openssl failed"
}

# check_name WHAT NAME: a DNS name in lower case, as a route's host must be.
check_name() {
	case $2 in
	'') fail "$1 is empty (make certs ROUTE=orders.apps.example.com)" ;;
	*[A-Z]*) fail "$1 '$2': upper case; a route's host is in lower case" ;;
	*[!a-z0-9.-]*) fail "$1 '$2': only letters, digits, '-' and '.' (no scheme, port or wildcard)" ;;
	.* | *. | *..*) fail "$1 '$2': a dot too many" ;;
	-* | *- | *-.* | *.-*) fail "$1 '$2': a '-' at the end of a label" ;;
	*[a-z]*) ;;
	*) fail "$1 '$2': an address, not a name" ;;
	esac
	[ ${#2} -le 253 ] || fail "$1 '$2': more than 253 characters"
	printf '%s' "$2" | tr . '\n' | awk 'length > 63 { exit 1 }' ||
		fail "$1 '$2': a label of more than 63 characters"
}

# A common name has room for 64 characters; the name that counts is subjectAltName.
common_name() {
	if [ ${#1} -le 64 ]; then
		printf '%s' "$1"
	else
		printf '%s' "$1" | sed 's/\..*//'
	fi
}

# Where openssl reads what to write into a certificate.
write_config() {
	cat >"$work/openssl.cnf" <<-END
		[req]
		distinguished_name = nobody
		prompt = no
		[nobody]
		CN = nobody

		[ca]
		basicConstraints = critical, CA:true, pathlen:0
		keyUsage = critical, keyCertSign, cRLSign
		subjectKeyIdentifier = hash

		[server]
		basicConstraints = critical, CA:false
		keyUsage = critical, digitalSignature
		extendedKeyUsage = serverAuth
		subjectKeyIdentifier = hash
		authorityKeyIdentifier = keyid
		subjectAltName = DNS:$host

		[client]
		basicConstraints = critical, CA:false
		keyUsage = critical, digitalSignature
		extendedKeyUsage = clientAuth
		subjectKeyIdentifier = hash
		authorityKeyIdentifier = keyid
		subjectAltName = DNS:$client_name
	END
}

make_key() {
	quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
		-pkeyopt ec_param_enc:named_curve -out "$1"
}

serial() {
	printf '0x%s' "$(openssl rand -hex 16)"
}

# The name differs from every other such CA's: two of one name in one CAfile are mistaken
# for each other.
make_ca() {
	make_key "$work/ca.key"
	quietly openssl req -x509 -new -key "$work/ca.key" -sha256 -days "$ca_days" \
		-subj "/CN=routeport CA $(openssl rand -hex 4)" -set_serial "$(serial)" \
		-config "$work/openssl.cnf" -extensions ca -out "$work/ca.crt"
	chmod 644 "$work/ca.crt"
	mv "$work/ca.key" "$work/ca.crt" "$out"
	printf 'made  %s\n' "$out/ca.crt" "$out/ca.key"
}

use_ca() {
	if [ ! -e "$out/ca.crt" ] && [ ! -e "$out/ca.key" ]; then
		make_ca
		return
	fi
	[ -f "$out/ca.key" ] || fail "$out/ca.crt is there, but no ca.key to sign with"
	[ -f "$out/ca.crt" ] || fail "$out/ca.key is there, but no ca.crt"
	printf 'kept  %s\n' "$out/ca.crt" "$out/ca.key"
}

# make_leaf server|client NAME
make_leaf() {
	mkdir "$work/$1"
	make_key "$work/$1/tls.key"
	quietly openssl req -new -key "$work/$1/tls.key" -sha256 -subj "/CN=$(common_name "$2")" \
		-config "$work/openssl.cnf" -out "$work/request"
	quietly openssl x509 -req -in "$work/request" -CA "$out/ca.crt" -CAkey "$out/ca.key" \
		-set_serial "$(serial)" -sha256 -days "$days" \
		-extfile "$work/openssl.cnf" -extensions "$1" -out "$work/$1/tls.crt"
	cp "$out/ca.crt" "$work/$1/ca.crt"
	chmod 644 "$work/$1/tls.crt" "$work/$1/ca.crt"
	quietly openssl verify -CAfile "$out/ca.crt" "$work/$1/tls.crt"
	mv "$work/$1" "$out/$1"
	printf 'made  %s (%s, %s days)\n' "$out/$1/" "$2" "$days"
}

# keep_leaf server|client NAME: it is there already; is it what was asked for?
keep_leaf() {
	for file in tls.crt tls.key; do
		[ -f "$out/$1/$file" ] || fail "$out/$1 is there, but no $file in it: move it away"
	done
	case $(openssl x509 -in "$out/$1/tls.crt" -noout -checkhost "$2" 2>&1) in
	*"does match"*) ;;
	*) fail "$out/$1/tls.crt is there, and does not name $2: move $out/$1 away" ;;
	esac
	openssl x509 -in "$out/$1/tls.crt" -noout -checkend 0 >/dev/null ||
		fail "$out/$1/tls.crt is there, and has expired: move $out/$1 away"
	printf 'kept  %s (%s)\n' "$out/$1/" "$2"
}

use_leaf() {
	if [ -e "$out/$1" ]; then
		keep_leaf "$1" "$2"
	else
		make_leaf "$1" "$2"
	fi
}

say_what_next() {
	cat <<-END

		Next:
		  in the pod's namespace   oc create secret generic ${host%%.*}-routeport --from-file=$out/server
		  on the client's host     the three files of $out/client; nobody else may read tls.key
		  ca.key                   goes to neither: keep it where you renew certificates
		Both programs take tls.crt as cert, tls.key as key and ca.crt as CAfile.  certs/README.md tells more.
	END
}

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: sh certs/make-certs.sh ROUTE-HOST [FOLDER]" >&2
	exit 2
fi
command -v openssl >/dev/null || fail "the openssl command is missing"
host=$1
check_name "the route's host" "$host"
check_name CLIENT_NAME "$client_name"
case $days in
*[!0-9]* | '' | 0* | ?????*) fail "DAYS '$days': not a number from 1 to 3649" ;;
esac
[ "$days" -lt "$ca_days" ] || fail "DAYS '$days': the CA lives for $ca_days days"

out=${2:-$host.certs}
case $out in
-*) out=./$out ;;
esac
mkdir -p "$out"
work=$(mktemp -d "$out/.making.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Keys belong in no repository.
[ -e "$out/.gitignore" ] || echo '*' >"$out/.gitignore"
write_config
use_ca
use_leaf server "$host"
use_leaf client "$client_name"
openssl x509 -in "$out/ca.crt" -noout -checkend $((days * 86400)) >/dev/null ||
	echo "Note: $out/ca.crt expires within $days days; what it signed is worth nothing after."
say_what_next
