/*
 * Any bytes in the place of TLS.  The first byte says in whose:
 *
 *	even	a peer's own, against our server or (2) our client
 *	odd	those of a real peer, with somebody in the middle who spoils them
 *
 * Of the second kind each step is a byte, the lower three bits of which say what happens,
 * the next to which direction (up: to the server), the upper four how much:
 *
 *	0 pass		so many times 37 bytes; none: all that is there
 *	1 flip		one bit of the next byte
 *	2 drop		so many bytes
 *	3 insert	so many of the script's
 *	4 give		so many times 100 bytes of plaintext
 *	5 finish	the end that writes this way
 *	6 abort		the same
 *	7 repeat	the next bytes, so many
 *
 * Whoever is in the middle, an end reads what the other one was given, from the front,
 *and finds it complete only when it is.
 */
#include "common/tls/conn.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/script.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MOST = 4096, /* bytes that one read in the middle takes */
	DAY = 86400,
};

static char host[] = "orders.apps.example";

/* For all plays: making these is dear. */
static struct reactor reactor;
static SSL_CTX *server_context, *client_context;

/* ---- contexts -------------------------------------------------------------------- */

static void
add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	MUST(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

/* For both ends, and its own issuer. */
static X509 *
make_certificate(EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	X509_NAME *name;

	MUST(certificate != NULL);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 1000L * DAY);
	name = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (unsigned char *)"fuzz", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	X509_set_pubkey(certificate, key);
	add_extension(certificate, NID_subject_alt_name, "DNS:orders.apps.example");
	add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
	MUST(X509_sign(certificate, key, EVP_sha256()) > 0);
	return certificate;
}

/* A file with both, which lives as long as this process. */
static void
write_files(char path[64])
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = make_certificate(key);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	FILE *out = fdopen(fd, "w");

	MUST(out != NULL);
	MUST(PEM_write_X509(out, certificate) == 1);
	MUST(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
	MUST(fflush(out) == 0);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static SSL_CTX *
make_context(enum role role, char *file)
{
	static char name[] = "fuzz", *hosts[] = {host}, *files[1];
	static struct service_settings both[2];
	struct service_settings *s = &both[role == ROLE_CLIENT];
	struct err e = {.text = ""};
	SSL_CTX *context;

	files[0] = file;
	*s = (struct service_settings){.name = name,
	    .role = role,
	    .cert = {.items = files, .count = 1},
	    .key = {.items = files, .count = 1},
	    .ca_file = file,
	    .verify_chain = true,
	    .ask_cert = true,
	    .require_cert = true,
	    .tls_min = TLS1_2_VERSION,
	    .keepalive = 30,
	    .keepalive_timeout = 10};
	if (role == ROLE_CLIENT)
		s->check_host.items = hosts, s->check_host.count = 1;
	context = tls_context_new(s, &e);
	if (context == NULL)
		fprintf(stderr, "%s\n", e.text);
	MUST(context != NULL);
	return context;
}

static void
set_stage(void)
{
	static char file[64];
	struct err e = {.text = ""};

	if (server_context != NULL)
		return;
	MUST(log_open(NULL, true, &e)); /* lines are made, and go nowhere */
	log_set_level(LOG_LEVEL_DEBUG);
	MUST(reactor_init(&reactor, ev_loop_new(EVFLAG_AUTO), &e));
	write_files(file);
	server_context = make_context(ROLE_SERVER, file);
	client_context = make_context(ROLE_CLIENT, file);
}

/* ---- an end ------------------------------------------------------------------------ */

struct end {
	struct tls tls;
	int fd, outside; /* its socket's two ends */
	bool is_client;
	uint64_t given, got; /* bytes of plaintext */
	bool finished;       /* it was told to say so */
	bool cut;            /* and to abort */
	const struct end *other;
};

static uint8_t
byte_at(const struct end *e, uint64_t position)
{
	return (uint8_t)(position * 167 + (position >> 8) * 13 + e->is_client);
}

static void
end_open(struct end *e, bool is_client)
{
	int fds[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	*e = (struct end){.fd = fds[0], .outside = fds[1], .is_client = is_client};
	MUST(tls_init(
	    &e->tls, &reactor, is_client ? client_context : server_context, e->fd));
	if (is_client)
		MUST(tls_prepare(&e->tls, host, NULL, true));
}

static void
end_close(struct end *e)
{
	tls_clear(&e->tls);
	close(e->fd);
	close(e->outside);
	MUST(ERR_peek_error() == 0);
}

/* What it read is what the other one was given. */
static void
check_plaintext(struct end *e, const struct batch *batch)
{
	for (int i = 0; i < batch->count; i++) {
		const uint8_t *bytes = batch->parts[i].iov_base;

		for (size_t k = 0; k < batch->parts[i].iov_len; k++) {
			MUST(e->other != NULL && e->got < e->other->given);
			MUST(bytes[k] == byte_at(e->other, e->got));
			e->got++;
		}
	}
}

static void
end_step(struct end *e)
{
	struct tls *t = &e->tls;
	struct batch batch;

	if (t->state == TLS_HANDSHAKE)
		tls_handshake(t);
	while (t->state == TLS_OPEN) {
		batch = (struct batch){.count = 0};
		tls_take(t, reactor.plain, &batch);
		check_plaintext(e, &batch);
		if (batch.length == 0)
			break;
	}
	if (t->state == TLS_FINISHED) /* complete, and meant to be */
		MUST(e->other != NULL && e->other->finished && e->got == e->other->given);
	if (t->state == TLS_BROKEN)
		MUST(t->reason != REASON_NONE && t->reason != REASON_FINISHED);
	if (t->state != TLS_HANDSHAKE && !t->deaf)
		tls_flush(t);
	MUST(t->scratch_used == 0);
}

static void
end_give(struct end *e, size_t n)
{
	static uint8_t bytes[1600];
	struct batch batch = {.count = 0};

	if (e->tls.state == TLS_HANDSHAKE || e->finished || e->cut || e->tls.deaf ||
	    tls_room(&e->tls) < n || n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(e, e->given + i);
	batch_add(&batch, bytes, n);
	if (tls_give(&e->tls, &batch))
		e->given += n;
}

static void
end_tell(struct end *e, bool abort)
{
	if (e->tls.state == TLS_HANDSHAKE || e->tls.deaf || e->cut)
		return;
	if (abort) {
		e->cut = true;
		tls_abort(&e->tls);
	} else {
		e->finished = true;
		tls_finish(&e->tls);
	}
	tls_flush(&e->tls);
}

/* ---- plays ------------------------------------------------------------------------- */

/* What an end that has given up does not read any more is lost. */
static void
put(const struct end *to, const uint8_t *bytes, size_t n)
{
	(void)send(to->outside, bytes, n, MSG_NOSIGNAL);
}

/* Nobody without a key comes through. */
static void
play_peer(struct script *s, bool is_client)
{
	struct end e;
	size_t n;
	uint8_t nothing[MOST];

	end_open(&e, is_client);
	end_step(&e);
	while (s->left > 0 && e.tls.state == TLS_HANDSHAKE) {
		const uint8_t *piece =
		    script_bytes(s, (size_t)script_next(s) * 8 + 1, &n);

		put(&e, piece, n);
		end_step(&e);
		while (recv(e.outside, nothing, sizeof(nothing), 0) > 0)
			;
	}
	shutdown(e.outside, SHUT_WR);
	end_step(&e);
	MUST(e.tls.state == TLS_BROKEN);
	end_close(&e);
}

/* Bytes on their way; `from` wrote them. */
static void
pass(const struct end *from, const struct end *to, size_t most, uint8_t flip, int times)
{
	uint8_t bytes[MOST];
	ssize_t n = recv(from->outside, bytes, most < MOST ? most : MOST, 0);

	if (n <= 0)
		return;
	bytes[0] ^= flip;
	for (int i = 0; i < times; i++)
		put(to, bytes, (size_t)n);
}

static void
play_step(struct script *s, struct end *from, struct end *to)
{
	uint8_t step = script_next(s);
	size_t n, amount = step / 16;
	const uint8_t *bytes;

	if (step & 8) {
		struct end *swap = from;

		from = to;
		to = swap;
	}
	switch (step % 8) {
	case 0:
		pass(from, to, amount > 0 ? amount * 37 : MOST, 0, 1);
		break;
	case 1:
		pass(from, to, 1, (uint8_t)(1 << amount % 8), 1);
		break;
	case 2:
		pass(from, to, amount + 1, 0, 0);
		break;
	case 3:
		bytes = script_bytes(s, amount + 1, &n);
		put(to, bytes, n);
		break;
	case 4:
		end_give(from, amount * 100);
		break;
	case 5:
		end_tell(from, false);
		break;
	case 6:
		end_tell(from, true);
		break;
	default:
		pass(from, to, amount + 1, 0, 2);
		break;
	}
	end_step(from);
	end_step(to);
}

/* TLS breaks, or is over, once TCP is. */
static void
play_both(struct script *s)
{
	struct end client, server, *ends[] = {&client, &server};

	end_open(&client, true);
	end_open(&server, false);
	client.other = &server;
	server.other = &client;
	end_step(&client);
	while (s->left > 0)
		play_step(s, &client, &server);
	for (int i = 0; i < 2; i++) {
		shutdown(ends[i]->outside, SHUT_WR);
		end_step(ends[i]);
		MUST(ends[i]->tls.state == TLS_FINISHED ||
		     ends[i]->tls.state == TLS_BROKEN);
	}
	end_close(&client);
	end_close(&server);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = {.data = data, .left = size};
	uint8_t how = script_next(&script);

	set_stage();
	if (how % 2 == 0)
		play_peer(&script, how & 2);
	else
		play_both(&script);
	return 0;
}
