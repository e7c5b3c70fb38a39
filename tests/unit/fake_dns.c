#include "tests/unit/fake_dns.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEADER = 12,
	PACKET = 512,
	TYPE_CNAME = 5,
	SERVFAIL = 2,
	NXDOMAIN = 3,
};

struct packet {
	uint8_t bytes[PACKET];
	size_t length;
};

static void
put(struct packet *p, const void *bytes, size_t n)
{
	ck_assert_uint_le(p->length + n, PACKET);
	memcpy(p->bytes + p->length, bytes, n);
	p->length += n;
}

static void
put16(struct packet *p, unsigned value)
{
	uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	put(p, bytes, sizeof(bytes));
}

/* "a.b" in the packet's form. */
static void
put_name(struct packet *p, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");
		uint8_t length = (uint8_t)n;

		put(p, &length, 1);
		put(p, name, n);
		name += n;
		name += *name == '.';
	}
	put(p, "", 1);
}

/* Read the question's name.  Returns where its type stands. */
static size_t
get_name(const uint8_t *packet, size_t length, char *name, size_t size)
{
	size_t at = HEADER, used = 0;

	while (at < length && packet[at] != 0) {
		size_t n = packet[at++];

		ck_assert(at + n < length && used + n + 1 < size);
		memcpy(name + used, packet + at, n);
		used += n;
		name[used++] = '.';
		at += n;
	}
	name[used > 0 ? used - 1 : 0] = '\0';
	return at + 1;
}

static const struct fake_record *
find(const struct fake_dns *dns, const char *name, int type, bool *exists)
{
	const struct fake_record *found = NULL;

	*exists = false;
	for (size_t i = 0; i < dns->count; i++) {
		if (strcasecmp(dns->records[i].name, name) != 0)
			continue;
		*exists = true;
		if (dns->records[i].type == type)
			found = &dns->records[i];
	}
	return found;
}

/* One answer: a name's type and data. */
static void
put_record(
    struct packet *p, const char *name, int type, int ttl, const void *data, size_t n)
{
	put_name(p, name);
	put16(p, (unsigned)type);
	put16(p, 1);
	put16(p, 0);
	put16(p, ttl == FAKE_DNS_NO_TTL ? 0 : ttl == 0 ? 60 : (unsigned)ttl);
	put16(p, (unsigned)n);
	put(p, data, n);
	p->bytes[7]++; /* ANCOUNT */
}

static void
put_addresses(struct packet *p, const struct fake_record *record)
{
	const char *owner = record->alias != NULL ? record->alias : record->name;
	struct packet alias = {.length = 0};
	uint8_t address[16];

	if (record->alias != NULL) {
		put_name(&alias, record->alias);
		put_record(p, record->name, TYPE_CNAME, record->alias_ttl, alias.bytes,
		    alias.length);
	}
	for (size_t i = 0; i < FAKE_DNS_MOST && record->data[i] != NULL; i++) {
		bool v4 = record->type == FAKE_DNS_A;

		ck_assert_int_eq(
		    inet_pton(v4 ? AF_INET : AF_INET6, record->data[i], address), 1);
		put_record(p, owner, record->type, record->ttl, address, v4 ? 4 : 16);
	}
}

static void
reply(const struct fake_dns *dns, const uint8_t *question, size_t length, size_t end,
    const struct fake_record *record, int rcode, const void *to, socklen_t to_length)
{
	struct packet p = {.length = 0};

	ck_assert_uint_le(end, length);
	put(&p, question, end);
	p.bytes[2] = 0x85; /* an answer, authoritative, recursion desired ... */
	p.bytes[3] = (uint8_t)(0x80 | rcode); /* ... and available */
	memset(p.bytes + 6, 0, 6);            /* no records yet */
	if (record != NULL)
		put_addresses(&p, record);
	sendto(dns->io.fd, p.bytes, p.length, 0, to, to_length);
}

/* @late: a held question that is answered now. */
static void
answer(struct fake_dns *dns, const uint8_t *question, size_t length, const void *from,
    socklen_t from_length, bool late)
{
	char name[256];
	size_t at = get_name(question, length, name, sizeof(name));
	int type = question[at] << 8 | question[at + 1];
	int *asked = type == FAKE_DNS_A ? &dns->asked_a : &dns->asked_aaaa;
	bool exists;
	const struct fake_record *record = find(dns, name, type, &exists);
	int instead = record != NULL ? record->instead : 0;

	*asked += !late;
	if (instead == FAKE_DNS_SILENT || (instead == FAKE_DNS_LOST && *asked == 1))
		return;
	if (instead == FAKE_DNS_HELD && !late) {
		memcpy(dns->held, question, length);
		memcpy(dns->held_by, from, from_length);
		dns->held_length = length;
		dns->held_by_length = from_length;
		return;
	}
	reply(dns, question, length, at + 4, instead == FAKE_DNS_SERVFAIL ? NULL : record,
	    instead == FAKE_DNS_SERVFAIL ? SERVFAIL
	    : exists                     ? 0
					 : NXDOMAIN,
	    from, from_length);
}

static void
on_question(struct ev_loop *loop, ev_io *io, int events)
{
	struct fake_dns *dns = io->data;
	struct sockaddr_storage from;
	socklen_t from_length = sizeof(from);
	uint8_t question[PACKET];
	ssize_t n;

	(void)loop;
	(void)events;
	n = recvfrom(io->fd, question, sizeof(question), MSG_DONTWAIT,
	    (struct sockaddr *)&from, &from_length);
	if (n > HEADER)
		answer(dns, question, (size_t)n, &from, from_length, false);
}

void
fake_dns_release(struct fake_dns *dns)
{
	ck_assert_uint_gt(dns->held_length, 0);
	answer(dns, dns->held, dns->held_length, dns->held_by, dns->held_by_length, true);
	dns->held_length = 0;
}

/* By a new file: a second writing within the clock's tick would not show in the old. */
void
fake_dns_point_to(struct fake_dns *dns, const char *address)
{
	char fresh[sizeof(dns->resolv_conf) + 4];
	FILE *f;

	snprintf(fresh, sizeof(fresh), "%s.new", dns->resolv_conf);
	ck_assert_ptr_nonnull(f = fopen(fresh, "w"));
	fprintf(f, "search short.test\nnameserver %s\n", address);
	fclose(f);
	ck_assert_int_eq(rename(fresh, dns->resolv_conf), 0);
}

void
fake_dns_start(struct fake_dns *dns, struct ev_loop *loop, const char *address,
    uint16_t port, const struct fake_record *records, size_t count)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t length = sizeof(in);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int file;

	memset(dns, 0, sizeof(*dns));
	ck_assert_int_eq(inet_pton(AF_INET, address, &in.sin_addr), 1);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, length), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &length), 0);
	dns->port = ntohs(in.sin_port);
	dns->loop = loop;
	dns->records = records;
	dns->count = count;
	ev_io_init(&dns->io, on_question, fd, EV_READ);
	dns->io.data = dns;
	ev_io_start(loop, &dns->io);
	snprintf(
	    dns->resolv_conf, sizeof(dns->resolv_conf), "/tmp/routeport-resolv-XXXXXX");
	ck_assert_int_ge(file = mkstemp(dns->resolv_conf), 0);
	close(file);
	fake_dns_point_to(dns, address);
}

void
fake_dns_stop(struct fake_dns *dns)
{
	ev_io_stop(dns->loop, &dns->io);
	close(dns->io.fd);
	unlink(dns->resolv_conf);
}
