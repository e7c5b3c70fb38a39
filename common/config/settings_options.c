#include "common/config/settings_options.h"

#include "common/config/option.h"

#include <openssl/ssl.h>
#include <string.h>
#include <strings.h>

#define NAMED(name)                                                                      \
	{                                                                                \
#name, SSL_OP_##name                                                     \
	}

/* Those of SSL_CTX_set_options(3); some have no effect any more. */
static const struct {
	const char *name;
	uint64_t bits;
} options[] = {
    NAMED(ALL),
    NAMED(ALLOW_NO_DHE_KEX),
    NAMED(CIPHER_SERVER_PREFERENCE),
    NAMED(CLEANSE_PLAINTEXT),
    NAMED(COOKIE_EXCHANGE),
    NAMED(CRYPTOPRO_TLSEXT_BUG),
    NAMED(DISABLE_TLSEXT_CA_NAMES),
    NAMED(DONT_INSERT_EMPTY_FRAGMENTS),
    NAMED(ENABLE_KTLS),
    NAMED(ENABLE_MIDDLEBOX_COMPAT),
    NAMED(EPHEMERAL_RSA),
    NAMED(LEGACY_SERVER_CONNECT),
    NAMED(MICROSOFT_BIG_SSLV3_BUFFER),
    NAMED(MICROSOFT_SESS_ID_BUG),
    NAMED(MSIE_SSLV2_RSA_PADDING),
    NAMED(NETSCAPE_CA_DN_BUG),
    NAMED(NETSCAPE_CHALLENGE_BUG),
    NAMED(NETSCAPE_DEMO_CIPHER_CHANGE_BUG),
    NAMED(NETSCAPE_REUSE_CIPHER_CHANGE_BUG),
    NAMED(NO_ANTI_REPLAY),
    NAMED(NO_COMPRESSION),
    NAMED(NO_ENCRYPT_THEN_MAC),
    NAMED(NO_EXTENDED_MASTER_SECRET),
    NAMED(NO_QUERY_MTU),
    NAMED(NO_RENEGOTIATION),
    NAMED(NO_SESSION_RESUMPTION_ON_RENEGOTIATION),
    NAMED(NO_SSLv2),
    NAMED(NO_SSLv3),
    NAMED(NO_TICKET),
    NAMED(NO_TLSv1),
    NAMED(NO_TLSv1_1),
    NAMED(NO_TLSv1_2),
    NAMED(NO_TLSv1_3),
    NAMED(PKCS1_CHECK_1),
    NAMED(PKCS1_CHECK_2),
    NAMED(PRIORITIZE_CHACHA),
    NAMED(SAFARI_ECDHE_ECDSA_BUG),
    NAMED(SINGLE_DH_USE),
    NAMED(SINGLE_ECDH_USE),
    NAMED(SSLEAY_080_CLIENT_DH_BUG),
    NAMED(SSLREF2_REUSE_CERT_TYPE_BUG),
    NAMED(TLSEXT_PADDING),
    NAMED(TLS_BLOCK_PADDING_BUG),
    NAMED(TLS_D5_BUG),
    NAMED(TLS_ROLLBACK_BUG),
};

/* The one that may be meant, or NULL. */
static const char *
nearest(const char *name)
{
	size_t best = option_misspelt(name);
	const char *near = NULL;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		size_t letters = option_distance(name, options[i].name);

		if (letters <= best) {
			best = letters - 1;
			near = options[i].name;
		}
	}
	return near;
}

static bool
refuse(const char *name, bool off, struct err *e)
{
	const char *near = nearest(name);

	err_set(e,
	    "is none that routeport knows (SSL_CTX_set_options(3) without SSL_OP_), or "
	    "would make it less safe");
	if (near != NULL)
		err_set(e, "there is no such option of OpenSSL's; the nearest is %s%s",
		    off ? "-" : "", near);
	return false;
}

bool
settings_option_bits(const char *text, uint64_t *bits, bool *off, struct err *e)
{
	const char *name = text;

	*off = *name == '-';
	name += *off ? 1 : 0;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcasecmp(options[i].name, name) != 0)
			continue;
		*bits = options[i].bits;
		if (!*off || (*bits & SETTINGS_OPTIONS_ALWAYS) == 0)
			return true;
		return err_set(e, "is refused: routeport neither renegotiates nor "
				  "compresses; remove the line");
	}
	return refuse(name, *off, e);
}
