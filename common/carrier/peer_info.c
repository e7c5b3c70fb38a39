#include "common/carrier/link.h"

#include "common/base/socket.h"

#include <stdio.h>
#include <string.h>

/* What an app may be told besides. */
static void
add_proof(const struct link *l, X509 *certificate, struct link_facts *facts)
{
	const struct service_settings *s = l->service->settings;
	SSL *ssl = l->tls.ssl;

	socket_ends(l->tls.fd, &facts->ours, &facts->peers);
	facts->cipher = SSL_get_cipher_name(ssl);
	facts->shown = certificate != NULL;
	/* Where nobody looked at who issued it the result is good, too. */
	facts->verified = facts->shown && (s->verify_chain || s->verify_peer) &&
			  SSL_get_verify_result(ssl) == X509_V_OK;
	if (certificate != NULL)
		identity_common_name(
		    certificate, facts->common_name, sizeof(facts->common_name));
}

void
link_facts(const struct link *l, struct link_facts *facts)
{
	SSL *ssl = l->tls.ssl;
	const char *sni = l->target != NULL
			      ? l->service->settings->sni
			      : SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	const char *psk;

	*facts = (struct link_facts){
	    .tls = SSL_get_version(ssl),
	    .resumed = tls_is_resumed(&l->tls),
	};
	if (sni != NULL)
		strncat(facts->sni, sni, sizeof(facts->sni) - 1);
	if (certificate != NULL)
		identity_names(certificate, facts->names, sizeof(facts->names));
	else if ((psk = tls_psk_identity(&l->tls)) != NULL)
		snprintf(facts->names, sizeof(facts->names), "PSK:%s", psk);
	if (l->service->settings->protocol == PROTOCOL_PROXY)
		add_proof(l, certificate, facts);
}
