/*
 * A name server on loopback that answers by a table, in the test's own loop: UDP alone,
 * one question a packet.  A name that is not in the table does not exist.
 */
#ifndef TESTS_UNIT_FAKE_DNS_H
#define TESTS_UNIT_FAKE_DNS_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FAKE_DNS_A = 1,
	FAKE_DNS_AAAA = 28,
	FAKE_DNS_MOST = 20,
	FAKE_DNS_NO_TTL = -1, /* a TTL of 0 */

	/* What is done with a question, where that is no answer. */
	FAKE_DNS_SILENT = 1, /* never answered */
	FAKE_DNS_LOST,       /* not answered the first time */
	FAKE_DNS_HELD,       /* answered once fake_dns_release() is called */
	FAKE_DNS_SERVFAIL,
};

/** What the server says of one name and type; a name with but one type has no data of the
 * other. */
struct fake_record {
	const char *name;
	int type;
	int instead;       /* FAKE_DNS_SILENT ...; 0: answer */
	const char *alias; /* answer by a CNAME to this, and its addresses */
	int ttl;           /* these two in seconds; 0: 60 */
	int alias_ttl;
	const char *data[FAKE_DNS_MOST];
};

struct fake_dns {
	struct ev_loop *loop;
	ev_io io;
	uint16_t port; /* host byte order */
	const struct fake_record *records;
	size_t count;
	int asked_a; /* how often */
	int asked_aaaa;
	uint8_t held[512]; /* a question, and who asked */
	size_t held_length;
	uint8_t held_by[128];
	unsigned held_by_length;
	char resolv_conf[64]; /* the path of a file that names this server */
};

/** Listen at @address and @port (0: any).  Fails the test if that is not possible. */
void fake_dns_start(struct fake_dns *dns, struct ev_loop *loop, const char *address,
    uint16_t port, const struct fake_record *records, size_t count);
void fake_dns_stop(struct fake_dns *dns);

/** Answer the question that is held. */
void fake_dns_release(struct fake_dns *dns);

/** (Re)write dns->resolv_conf to name the server at @address. */
void fake_dns_point_to(struct fake_dns *dns, const char *address);

#endif
