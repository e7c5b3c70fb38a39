#include "common/pki/own_chain.h"

#include "common/pki/credentials_internal.h"
#include "common/pki/identity.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* Who looks at each certificate that is needed; @lost: its issuer is not to be found. */
struct visitor {
	void (*visit)(struct visitor *v, X509 *certificate, const char *file, bool lost);
};

static bool
is_self_signed(X509 *certificate)
{
	return X509_self_signed(certificate, 0) == 1;
}

/* Of several in @chain that have issued it the one that holds longest, as a peer will
 * look for one that is good.  NULL: there is none. */
static X509 *
find_issuer(STACK_OF(X509) *chain, X509 *certificate)
{
	X509 *best = NULL;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *one = sk_X509_value(chain, i);

		if (one != certificate &&
		    X509_check_issued(one, certificate) == X509_V_OK &&
		    (best == NULL || identity_expiry(one) > identity_expiry(best)))
			best = one;
	}
	return best;
}

/* Was it issued by a root that we trust? */
static bool
is_by_trusted_root(SSL_CTX *context, X509 *certificate)
{
	X509_STORE_CTX *store = X509_STORE_CTX_new();
	STACK_OF(X509) *found = NULL;
	const X509 *issuer = NULL;

	if (store != NULL &&
	    X509_STORE_CTX_init(store, SSL_CTX_get_cert_store(context), NULL, NULL) == 1)
		found =
		    X509_STORE_CTX_get1_certs(store, X509_get_issuer_name(certificate));
	for (int i = 0; issuer == NULL && i < sk_X509_num(found); i++)
		if (is_self_signed(sk_X509_value(found, i)) &&
		    X509_check_issued(sk_X509_value(found, i), certificate) == X509_V_OK)
			issuer = sk_X509_value(found, i);
	sk_X509_pop_free(found, X509_free);
	X509_STORE_CTX_free(store);
	return issuer != NULL;
}

/* From our own up to the one below the root. */
static void
walk_chain(SSL_CTX *context, X509 *own, STACK_OF(X509) *chain, struct visitor *v)
{
	const char *file = credentials_file_of(own);
	X509 *next = NULL;

	for (int depth = 0; own != NULL && depth <= sk_X509_num(chain); depth++) {
		bool ends = is_self_signed(own) || is_by_trusted_root(context, own);

		next = ends ? NULL : find_issuer(chain, own);
		v->visit(v, own, file, depth == 0 && !ends && next == NULL);
		own = next != NULL && !is_self_signed(next) ? next : NULL;
	}
}

/* Through an SSL of its own, since "the current one" is a place in what is walked, and
 * threads may be using the context. */
static void
walk(SSL_CTX *context, struct visitor *v)
{
	SSL *ssl = SSL_new(context);
	long more = ssl != NULL ? SSL_set_current_cert(ssl, SSL_CERT_SET_FIRST) : 0;
	STACK_OF(X509) *chain = NULL;

	for (; more == 1; more = SSL_set_current_cert(ssl, SSL_CERT_SET_NEXT)) {
		SSL_get0_chain_certs(ssl, &chain);
		walk_chain(context, SSL_get_certificate(ssl), chain, v);
	}
	SSL_free(ssl);
	ERR_clear_error();
}

/* ---- what runs out first ---------------------------------------------------------- */

struct expiry_visitor {
	struct visitor base;
	struct own_expiry *first;
};

static void
note_expiry(struct visitor *v, X509 *certificate, const char *file, bool lost)
{
	struct own_expiry *first = ((struct expiry_visitor *)v)->first;
	time_t at = identity_expiry(certificate);
	char subject[IDENTITY_SUBJECT_SIZE];

	(void)lost;
	if (at == 0 || (first->at != 0 && at >= first->at))
		return;
	first->at = at;
	snprintf(first->text, sizeof(first->text), "cert %s: %s", file,
	    identity_subject(certificate, subject));
}

void
own_chain_expiry(SSL_CTX *context, struct own_expiry *first)
{
	struct expiry_visitor v = {{note_expiry}, first};

	*first = (struct own_expiry){.at = 0};
	walk(context, &v.base);
}

/* ---- what is to be told ----------------------------------------------------------- */

struct check_visitor {
	struct visitor base;
	const struct service_settings *s;
	const struct own_chain_listener *listener;
};

/* Does it say where its issuer's certificate is to be had, as those of public CAs do? */
static bool
says_where_issuer_is(const X509 *certificate)
{
	AUTHORITY_INFO_ACCESS *places =
	    X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(places); i++)
		found |= OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(places, i)->method) ==
			 NID_ad_ca_issuers;
	AUTHORITY_INFO_ACCESS_free(places);
	return found;
}

/*
 * Is the issuer, which we do not have, an intermediate CA?  The authorityKeyIdentifier
 * may name the issuer's issuer (RFC 5280, 4.2.1.1): a root's is itself.  Else it is
 * likely where the CAs were chosen for this service, or the certificate is a public CA's.
 */
static bool
is_issuer_intermediate(X509 *certificate, const struct service_settings *s)
{
	const GENERAL_NAMES *above = X509_get0_authority_issuer(certificate);

	for (int i = 0; i < sk_GENERAL_NAME_num(above); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(above, i);

		if (name->type == GEN_DIRNAME)
			return X509_NAME_cmp(name->d.directoryName,
				   X509_get_issuer_name(certificate)) != 0;
	}
	return s->ca_file != NULL || s->ca_path != NULL || s->ca_store != NULL ||
	       says_where_issuer_is(certificate);
}

static void
check_one(struct visitor *v, X509 *certificate, const char *file, bool lost)
{
	const struct check_visitor *c = (const struct check_visitor *)v;
	char subject[IDENTITY_SUBJECT_SIZE], issuer[IDENTITY_SUBJECT_SIZE];
	char why[IDENTITY_DATES_SIZE];
	struct err e;

	identity_subject(certificate, subject);
	if (!identity_is_current(certificate, why, sizeof(why))) {
		err_set(&e, "cert %s: %s %s", file, subject, why);
		c->listener->tell(c->listener->owner, true, e.text);
	}
	if (!lost || !is_issuer_intermediate(certificate, c->s))
		return;
	identity_distinguished_name(X509_get_issuer_name(certificate), issuer);
	err_set(&e,
	    "cert %s: no certificate of %s, which issued %s, is in it: append it, unless "
	    "it is a root that the far end has",
	    file, issuer, subject);
	c->listener->tell(c->listener->owner, false, e.text);
}

void
own_chain_check(SSL_CTX *context, const struct service_settings *s,
    const struct own_chain_listener *listener)
{
	struct check_visitor v = {{check_one}, s, listener};

	walk(context, &v.base);
}
