#include "common/carrier/route_check.h"

#include "common/base/log.h"

#include <stdio.h>

/* It was not selected, or the offer was refused by an alert. */
static bool
is_refused(const struct tls *t)
{
	return t->state == TLS_BROKEN ? t->reason == REASON_NO_PROTOCOL : !tls_is_h2(t);
}

bool
route_is_downgraded(
    struct target *target, const struct tls *tls, char detail[TLS_DETAIL_SIZE])
{
	if (!is_refused(tls) || !target_spoke_h2(target))
		return false;
	snprintf(detail, TLS_DETAIL_SIZE,
	    "%s has spoken " TLS_PROTOCOL_H2 " before and does not select it any more: "
	    "probably the router answers now (is the route still passthrough?), or a "
	    "server that is no routeport.  If that is meant, change this section (or "
	    "write multiplex = no in it) and reload: that forgets what was spoken before",
	    target->text);
	return true;
}

void
route_note(struct target *target, const struct tls *tls)
{
	const struct service_settings *s =
	    tls_context_settings(SSL_get_SSL_CTX(tls->ssl));

	if (tls_is_h2(tls)) {
		target_set_h2(target);
		return;
	}
	if (s->cert.count == 0 || tls->asked_us || tls_psk_identity(tls) != NULL ||
	    !target_tells_once(target))
		return;
	log_event(LOG_LEVEL_WARNING, "not-asked", LOG_TEXT("service", s->name),
	    LOG_WORD("target", target->text),
	    LOG_TEXT("detail",
		"there is a cert, but the far end never asked for it, nor "
		"selected " TLS_PROTOCOL_H2
		": is the route passthrough? Else the router reads what is sent"));
}

void
route_note_loss(struct target *target, const struct tls *tls)
{
	const struct service_settings *s =
	    tls_context_settings(SSL_get_SSL_CTX(tls->ssl));
	double now = reactor_now(), silence = now - tls->moved;
	double interval = target_note_loss(target, tls->opened, now, silence, tls->borne);
	struct err detail;

	if (interval == 0 || interval >= s->keepalive)
		return;
	(void)err_set(&detail,
	    "something on the way cuts connections after %.1f s of "
	    "silence: from now on none is silent for more than %.1f s. Set "
	    "keepalive below the former, or, if it is the router, raise the "
	    "route's annotation haproxy.router.openshift.io/timeout-tunnel",
	    silence, interval);
	log_event(LOG_LEVEL_WARNING, "idle-limit", LOG_TEXT("service", s->name),
	    LOG_WORD("target", target->text), LOG_DECIMAL("silence", silence, 1),
	    LOG_DECIMAL("keepalive", interval, 1), LOG_TEXT("detail", detail.text));
}
