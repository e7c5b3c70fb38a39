/* Any facts in a PROXY header, which is then read as the specification has it; and any
 * text as an address that a peer names. */
#include "common/net/proxy_protocol.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/script.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIXED = 16, /* bytes of version 2 in front of the addresses */
	TEXTS = 4,
	LONGEST = 300, /* bytes of a text */
};

static struct address
make_address(struct script *s)
{
	struct address a = {.length = sizeof(struct sockaddr_in)};
	size_t n;
	const uint8_t *bytes;

	switch (script_next(s) % 4) {
	case 0:
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons(script_next(s));
		bytes = script_bytes(s, sizeof(a.in.sin_addr), &n);
		memcpy(&a.in.sin_addr, bytes, n);
		break;
	case 1:
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons((uint16_t)(script_next(s) * 257));
		bytes = script_bytes(s, sizeof(a.in6.sin6_addr), &n);
		memcpy(&a.in6.sin6_addr, bytes, n);
		break;
	case 2: /* ::ffff:a.b.c.d */
		a.in6.sin6_family = AF_INET6;
		memset(a.in6.sin6_addr.s6_addr + 10, 0xff, 2);
		bytes = script_bytes(s, 4, &n);
		memcpy(a.in6.sin6_addr.s6_addr + 12, bytes, n);
		break;
	default:
		a.any.sa_family = AF_UNIX;
		break;
	}
	return a;
}

static void
make_text(struct script *s, char text[LONGEST + 1])
{
	size_t n;
	const uint8_t *bytes = script_bytes(s, (size_t)script_next(s) + 20, &n);

	memcpy(text, bytes, n);
	text[n] = '\0';
}

/* ---- readers --------------------------------------------------------------------- */

static void
read_v1(const uint8_t *header, size_t length)
{
	char line[108], family[8], from[64], to[64], end;
	unsigned from_port, to_port;
	struct in6_addr in6;

	MUST(length < sizeof(line));
	memcpy(line, header, length);
	line[length] = '\0';
	MUST(strlen(line) == length && strcmp(line + length - 2, "\r\n") == 0);
	if (strcmp(line, "PROXY UNKNOWN\r\n") == 0)
		return;
	/* NOLINTNEXTLINE(cert-err34-c): the range is looked at */
	MUST(sscanf(line, "PROXY %7s %63s %63s %5u %5u%c", family, from, to, &from_port,
		 &to_port, &end) == 6);
	MUST(from_port <= 65535 && to_port <= 65535 && end == '\r');
	if (strcmp(family, "TCP4") == 0) {
		MUST(inet_pton(AF_INET, from, &in6) == 1);
		MUST(inet_pton(AF_INET, to, &in6) == 1);
		return;
	}
	MUST(strcmp(family, "TCP6") == 0);
	MUST(inet_pton(AF_INET6, from, &in6) == 1 && strchr(from, '.') == NULL);
	MUST(inet_pton(AF_INET6, to, &in6) == 1 && strchr(to, '.') == NULL);
}

/* Type, length and value fill the space to its last byte; one kind holds others. */
static void
read_values(const uint8_t *at, const uint8_t *end, bool inside)
{
	while (at < end) {
		size_t length;

		MUST(end - at >= 3);
		length = (size_t)(at[1] << 8 | at[2]);
		MUST((size_t)(end - at) >= 3 + length);
		if (at[0] == 0x20) {
			MUST(!inside && length >= 5);
			read_values(at + 3 + 5, at + 3 + length, true);
		} else {
			MUST(length > 0 && length <= PROXY_PROTOCOL_TEXT);
		}
		at += 3 + length;
	}
}

static void
read_v2(const uint8_t *header, size_t length)
{
	static const uint8_t signature[] = "\r\n\r\n\0\r\nQUIT\n";
	size_t addresses;

	MUST(length >= FIXED);
	MUST(memcmp(header, signature, sizeof(signature) - 1) == 0);
	MUST(header[12] == 0x21 || header[12] == 0x20);
	switch (header[13]) {
	case 0x00:
		addresses = 0;
		break;
	case 0x11:
		addresses = 12;
		break;
	default:
		MUST(header[13] == 0x21);
		addresses = 36;
		break;
	}
	MUST(FIXED + (size_t)(header[14] << 8 | header[15]) == length);
	MUST(length >= FIXED + addresses);
	read_values(header + FIXED + addresses, header + length, false);
}

/* ---------------------------------------------------------------------------------- */

static void
write_both(struct script *s)
{
	char texts[TEXTS][LONGEST + 1];
	struct address from = make_address(s), to = make_address(s);
	uint8_t flags = script_next(s);
	/* Of just that size, so that a sanitizer sees what is written behind it. */
	uint8_t *header = malloc(PROXY_PROTOCOL_SIZE);
	struct proxy_facts facts = {.from = &from,
	    .to = &to,
	    .shown = flags & 1,
	    .shown_now = flags & 2,
	    .verified = flags & 4};

	MUST(header != NULL);
	for (int i = 0; i < TEXTS; i++)
		make_text(s, texts[i]);
	facts.sni = texts[0];
	facts.tls = texts[1];
	facts.cipher = texts[2];
	facts.common_name = texts[3];
	read_v1(header, proxy_protocol_write(header, 1, &facts));
	read_v2(header, proxy_protocol_write(header, 2, &facts));
	free(header);
}

/* What is read is written as what is read as the same. */
static void
read_address(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), shown[ADDRESS_TEXT_SIZE], again[ADDRESS_TEXT_SIZE];
	struct address address, same;

	MUST(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (proxy_protocol_read_address(&address, text)) {
		MUST(address.any.sa_family == AF_INET ||
		     address.any.sa_family == AF_INET6);
		address_format(&address, shown, sizeof(shown));
		MUST(proxy_protocol_read_address(&same, shown));
		address_format(&same, again, sizeof(again));
		MUST(strcmp(shown, again) == 0);
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = {.data = data, .left = size};

	read_address(data, size);
	write_both(&script);
	return 0;
}
