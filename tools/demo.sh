#!/bin/sh
# Redis through a stand-in of the OpenShift router, shown step by step.  Everything runs
# on 127.0.0.1, in a temporary folder, and is gone afterwards.  Exits with 1 if anything
# is not as it is told here.
set -eu

cd "$(dirname "$0")/.."
build=${BUILD:-build}
route=redis.apps.demo.test
secret="the-launch-code-is-$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')"
begun=$(date +%s)

folder=$(mktemp -d "${TMPDIR:-/tmp}/routeport-demo.XXXXXX")
pids=''

# Ends what this script started, by process id.
stop_all() {
	for pid in $pids; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in $pids; do
		wait "$pid" 2>/dev/null || true
	done
	pids=''
}
trap 'stop_all; rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -t 1 ]; then
	bold=$(printf '\033[1m')
	plain=$(printf '\033[0m')
else
	bold=''
	plain=''
fi
title() {
	printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}
say() {
	printf '   %s\n' "$*"
}
show() {
	printf '   | %s\n' "$@"
}

# The demo is not as told: say so, and show the logs.
fail() {
	printf '\ndemo: %s\n' "$*" >&2
	for log in "$folder"/*.log; do
		[ -s "$log" ] || continue
		printf -- '--- %s\n' "${log##*/}" >&2
		tail -n 20 "$log" >&2
	done
	exit 1
}

# start NAME COMMAND...: in the background, its output in NAME.log; sets $pid.
start() {
	name=$1
	shift
	"$@" >"$folder/$name.log" 2>&1 </dev/null &
	pid=$!
	pids="$pid $pids"
}

# wait_for WHAT COMMAND...: until it succeeds, 10 s at most, while all programs live.
wait_for() {
	what=$1
	shift
	turns=0
	until "$@" >/dev/null 2>&1; do
		turns=$((turns + 1))
		[ "$turns" -lt 200 ] || fail "$what did not come within 10 seconds"
		for p in $pids; do
			kill -0 "$p" 2>/dev/null || fail "a program ended while waiting for: $what"
		done
		sleep 0.05
	done
}

# stop_well PID: by SIGTERM, on which it has to end with 0.
stop_well() {
	kill "$1"
	code=0
	wait "$1" || code=$?
	[ "$code" -eq 0 ] || fail "a program did not end well on SIGTERM: exit $code"
	pids=$(printf ' %s ' "$pids" | sed "s/ $1 / /")
}

# field NAME LINE: the value of NAME=value in a log line, without quotes.
field() {
	printf '%s\n' "$2" | sed -n "s/.* $1=\"\([^\"]*\)\".*/\1/p; t; s/.* $1=\([^ ]*\).*/\1/p"
}

for program in haproxy redis-server redis-cli openssl python3; do
	command -v "$program" >/dev/null 2>&1 ||
		PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null 2>&1 ||
		fail "$program is not installed; make deps installs it"
done
PATH=$PATH:/usr/sbin:/sbin
for program in routeport-client routeport-server; do
	[ -x "$build/$program" ] || fail "$build/$program is not built; make builds it"
done

# Ports that are free now, all held until the last is known.
# shellcheck disable=SC2046 # one number per word
set -- $(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
print(*(s.getsockname()[1] for s in held))')
client_port=$1
bare_port=$2
tap_port=$3
router_port=$4
server_port=$5
redis_port=$6

# --------------------------------------------------------------------------------------
title "routeport: redis-cli talks to redis through an OpenShift passthrough route"
printf '\n   %s\n' 'redis-cli --> routeport-client ==> tap ==> HAProxy ==> routeport-server --> redis'
printf '%-17s%-21s%-8s%-12s%-21s%s\n' '' ":$client_port" ":$tap_port" ":$router_port" \
	":$server_port" ":$redis_port"
say '--> plain TCP   ==> TLS   Everything is on 127.0.0.1; HAProxy is set up as the router is.'

title "1. Certificates: a private CA, one for the server (the route's name), one for the client"
sh certs/make-certs.sh "$route" "$folder/certs" >"$folder/certs.log" 2>&1 ||
	fail "certs/make-certs.sh failed"
for role in server client; do
	show "$role: $(openssl x509 -in "$folder/certs/$role/tls.crt" -noout -subject -nameopt RFC2253), $(openssl x509 -in "$folder/certs/$role/tls.crt" -noout -ext subjectAltName | sed -n 's/^ *\(.*:.*\)$/\1/p' | tail -n 1)"
done

# --------------------------------------------------------------------------------------
title "2. The pod: redis, and routeport-server beside it"
start redis redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no \
	--dir "$folder"
wait_for "redis" redis-cli -h 127.0.0.1 -p "$redis_port" ping
cat >"$folder/server.ini" <<END
[redis]
accept = 127.0.0.1:$server_port
connect = 127.0.0.1:$redis_port
cert = $folder/certs/server/tls.crt
key = $folder/certs/server/tls.key
CAfile = $folder/certs/server/ca.crt
END
start server "$build/routeport-server" "$folder/server.ini"
server_pid=$pid
wait_for "routeport-server to be ready" grep -q 'event=ready' "$folder/server.log"
say "redis listens on 127.0.0.1:$redis_port alone; routeport-server takes TLS on :$server_port"

title "3. The router: HAProxy reads the SNI and passes the bytes on; it has no key for them"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
	-subj "/CN=*.apps.demo.test" -addext "subjectAltName=DNS:*.apps.demo.test" \
	-keyout "$folder/default.key" -out "$folder/default.crt" 2>/dev/null
cat "$folder/default.crt" "$folder/default.key" >"$folder/default.pem"
echo "^redis\\.apps\\.demo\\.test\$ 1" >"$folder/passthrough.map"
echo "^redis\\.apps\\.demo\\.test\$ be_tcp:demo:redis" >"$folder/backend.map"
cat >"$folder/haproxy.cfg" <<END
global
    tune.bufsize 32768
    tune.maxrewrite 8192
    ssl-default-bind-options ssl-min-ver TLSv1.2
    log stdout format raw local0
defaults
    timeout connect 5s
    timeout client 30s
    timeout client-fin 1s
    timeout server 30s
    timeout server-fin 1s
    timeout tunnel 1h
    timeout http-request 10s
frontend public_ssl
    mode tcp
    bind 127.0.0.1:$router_port
    log global
    log-format "sni=%[capture.req.hdr(0)] backend=%b bytes_to_pod=%U bytes_from_pod=%B"
    tcp-request inspect-delay 5s
    tcp-request content capture req.ssl_sni len 253 if { req_ssl_hello_type 1 }
    tcp-request content accept if { req_ssl_hello_type 1 }
    acl sni req.ssl_sni -m found
    acl passthrough req.ssl_sni,lower,map_reg($folder/passthrough.map) -m found
    use_backend %[req.ssl_sni,lower,map_reg($folder/backend.map)] if sni passthrough
    default_backend be_no_route
backend be_tcp:demo:redis
    mode tcp
    balance source
    hash-type consistent
    server pod 127.0.0.1:$server_port
backend be_no_route
    mode tcp
    server default unix@$folder/default.sock send-proxy
frontend no_route
    mode http
    bind unix@$folder/default.sock ssl crt $folder/default.pem accept-proxy
    default_backend be_empty
backend be_empty
    mode http
END
start router haproxy -db -f "$folder/haproxy.cfg"
wait_for "the router" python3 -c "import socket; socket.create_connection(('127.0.0.1', $router_port)).close()"
start tap python3 tools/tap.py "$tap_port" "$router_port" "$folder/wire"
wait_for "the tap" grep -q ready "$folder/tap.log"
say "one route: $route; in front of it a tap that records every byte"

title "4. The legacy host: routeport-client"
cat >"$folder/client.ini" <<END
[redis]
accept = 127.0.0.1:$client_port
connect = 127.0.0.1:$tap_port
sni = $route
multiplex = yes
cert = $folder/certs/client/tls.crt
key = $folder/certs/client/tls.key
CAfile = $folder/certs/client/ca.crt
END
start client "$build/routeport-client" "$folder/client.ini"
client_pid=$pid
wait_for "routeport-client to be ready" grep -q 'event=ready' "$folder/client.log"
say "takes plain TCP on 127.0.0.1:$client_port and wraps it in TLS for $route"

# --------------------------------------------------------------------------------------
title "5. redis-cli, which knows nothing of TLS"
set_answer=$(redis-cli -h 127.0.0.1 -p "$client_port" set code "$secret")
get_answer=$(redis-cli -h 127.0.0.1 -p "$client_port" get code)
show "> set code $secret" "$set_answer" "> get code" "$get_answer"
[ "$set_answer $get_answer" = "OK $secret" ] || fail "redis did not answer as it should"
direct=$(redis-cli -h 127.0.0.1 -p "$redis_port" get code)
[ "$direct" = "$secret" ] || fail "the value did not arrive in redis"
say "Asked in the pod, redis has the same value: it went all the way."

two_closed() {
	[ "$(grep -c 'event=close why=finished' "$folder/$1.log")" -ge 2 ]
}
wait_for "the client's close lines" two_closed client
wait_for "the server's close lines" two_closed server
# The router logs a connection when it ends: the client, told to stop, ends its own.
stop_well "$client_pid"
routed() {
	grep -q "^sni=$route backend=be_tcp:demo:redis " "$folder/router.log"
}
wait_for "the router's log line" routed

title "6. What each of them saw"
router_line=$(grep "^sni=$route " "$folder/router.log" | tail -n 1)
client_line=$(grep 'event=close why=finished' "$folder/client.log" | tail -n 1)
server_line=$(grep 'event=close why=finished' "$folder/server.log" | tail -n 1)
say "The router, one TLS connection, which carried both streams or one of them:"
show "$router_line"
say "routeport-client:"
show "$client_line"
say "routeport-server:"
show "$server_line"
tls=$(field tls "$client_line")
[ "$tls" = "$(field tls "$server_line")" ] || fail "the ends do not agree about the TLS version"
case $tls in TLSv1.[23]) ;; *) fail "unexpected TLS version: $tls" ;; esac
case $(field names "$client_line") in *"$route"*) ;; *) fail "the client's log does not name the server" ;; esac
[ -n "$(field names "$server_line")" ] || fail "the server's log does not name the client"
up=$(field up "$client_line")
down=$(field down "$client_line")
[ "$up $down" = "$(field up "$server_line") $(field down "$server_line")" ] ||
	fail "the ends do not agree about the bytes"
printf '   %-31s %s\n' "SNI that the router saw" "$(printf '%s\n' "$router_line" | sed 's/^sni=\([^ ]*\).*/\1/')" \
	"TLS version" "$tls" \
	"the client knows the server as" "$(field names "$client_line")" \
	"the server knows the client as" "$(field names "$server_line")" \
	"plain bytes to and from redis" "$up and $down, the same at both ends"

title "7. The wire between client and router"
size=$(wc -c <"$folder/wire")
in_wire() {
	grep -a -c -F -e "$1" "$folder/wire" || true
}
[ "$(in_wire "$route")" -gt 0 ] || fail "the SNI is not in the record of the wire: the search proves nothing"
[ "$(in_wire "$secret")" -eq 0 ] || fail "the value stored in redis is in the wire"
say "$size bytes recorded, both directions."
say "The name $route is in it: TLS shows it, and the router needs it."
say "The value $secret is not."

# --------------------------------------------------------------------------------------
title "8. A client without a certificate"
cat >"$folder/bare.ini" <<END
[redis]
accept = 127.0.0.1:$bare_port
connect = 127.0.0.1:$tap_port
sni = $route
CAfile = $folder/certs/client/ca.crt
END
start bare "$build/routeport-client" "$folder/bare.ini"
wait_for "the second client to be ready" grep -q 'event=ready' "$folder/bare.log"
before=$(redis-cli -h 127.0.0.1 -p "$redis_port" info stats | sed -n 's/^total_connections_received:\([0-9]*\).*/\1/p')
bare_answer=$(redis-cli -h 127.0.0.1 -p "$bare_port" get code 2>&1 || true)
show "> get code" "$bare_answer"
case $bare_answer in *"$secret"*) fail "a client without a certificate was let in" ;; esac
wait_for "the server's words about it" grep -q 'why=cert-missing' "$folder/server.log"
wait_for "the client's words about it" grep -q 'event=failed' "$folder/bare.log"
after=$(redis-cli -h 127.0.0.1 -p "$redis_port" info stats | sed -n 's/^total_connections_received:\([0-9]*\).*/\1/p')
# One more is our own question.
[ "$after" -eq $((before + 1)) ] || fail "redis heard of a client that shows no certificate"
say "routeport-server says:"
show "$(grep 'why=cert-missing' "$folder/server.log" | tail -n 1)"
say "the client without a certificate says:"
show "$(grep 'event=failed' "$folder/bare.log" | tail -n 1)"
say "Redis heard nothing of it."

# --------------------------------------------------------------------------------------
title "9. The end"
stop_well "$server_pid"
stop_all
say "Both ended with 0 on SIGTERM; the rest is stopped, the folder removed."
say "All as told, in $(($(date +%s) - begun)) seconds."
