#include "common/tunnel/send_proxy.h"

#include "common/net/proxy_protocol.h"

#include <errno.h>
#include <sys/socket.h>

/* The whole header in one send(): what a fresh socket does not take, it never will. */
static enum reason
send_header(int fd, const uint8_t *header, size_t length, struct err *e)
{
	ssize_t n = send(fd, header, length, MSG_NOSIGNAL);

	if (n == (ssize_t)length)
		return REASON_NONE;
	if (n < 0)
		err_errno(e, errno, "send the PROXY header");
	else
		err_set(e, "send the PROXY header: the app's socket has no room for it");
	return REASON_APP_UNREACHABLE;
}

/*
 * Without addresses in it the header would have the app take the stream for one from its
 * own host, which it may trust.  So that is said only where there are none at all, as on
 * Unix sockets, and not where a lost connection does not tell them.
 */
enum reason
send_proxy_header(int fd, const struct service_settings *settings,
    const struct channel *channel, const char *peer, struct err *e)
{
	uint8_t header[PROXY_PROTOCOL_SIZE];
	struct link_facts space;
	const struct link_facts *known;
	struct proxy_facts facts;
	struct address from;

	if (settings->protocol != PROTOCOL_PROXY)
		return REASON_NONE;
	known = channel_facts(channel, &space);
	if (!proxy_protocol_read_address(&from, peer))
		from = known->peers;
	if (from.length == 0 || known->ours.length == 0) {
		err_set(
		    e, "the connection is gone, and nobody is there to name to the app");
		return REASON_CARRIER_LOST;
	}
	facts = (struct proxy_facts){
	    .from = &from,
	    .to = &known->ours,
	    .sni = known->sni,
	    .tls = known->tls,
	    .cipher = known->cipher,
	    .common_name = known->common_name,
	    .shown = known->shown,
	    .shown_now = known->shown && !known->resumed,
	    .verified = known->verified,
	};
	return send_header(fd, header,
	    proxy_protocol_write(header, settings->protocol_version, &facts), e);
}
