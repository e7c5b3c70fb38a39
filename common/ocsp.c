#include "common/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum {
	FEATURE_STATUS_REQUEST = 5, /* the extension that asks for an answer (RFC 6066) */
	/* Seconds by which two clocks may differ. */
	CLOCKS_DIFFER = 300,
};

bool
ocsp_must_staple(const X509 *certificate)
{
	TLS_FEATURE *features = X509_get_ext_d2i(certificate, NID_tlsfeature, NULL, NULL);
	bool must = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		must = must || ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) ==
				   FEATURE_STATUS_REQUEST;
	TLS_FEATURE_free(features);
	ERR_clear_error();
	return must;
}

/* The responder chooses the digest that it names a certificate by. */
static bool
is_about(OCSP_SINGLERESP *single, const X509 *certificate, const X509 *issuer)
{
	const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(single);
	ASN1_OBJECT *digest = NULL;
	OCSP_CERTID *ours;
	bool same;

	OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)id);
	ours = OCSP_cert_to_id(EVP_get_digestbyobj(digest), certificate, issuer);
	same = ours != NULL && OCSP_id_cmp(ours, id) == 0;
	OCSP_CERTID_free(ours);
	return same;
}

static enum ocsp_answer
judge_single(OCSP_SINGLERESP *single, char *why, size_t size)
{
	ASN1_GENERALIZEDTIME *revoked = NULL, *from = NULL, *until = NULL;
	int reason = -1;
	int status = OCSP_single_get0_status(single, &reason, &revoked, &from, &until);

	if (OCSP_check_validity(from, until, CLOCKS_DIFFER, -1) != 1) {
		snprintf(why, size, "is out of date");
		return OCSP_NOTHING;
	}
	if (status == V_OCSP_CERTSTATUS_GOOD)
		return OCSP_GOOD;
	snprintf(why, size, "says %s%s%s", OCSP_cert_status_str(status),
	    reason >= 0 ? ": " : "", reason >= 0 ? OCSP_crl_reason_str(reason) : "");
	return status == V_OCSP_CERTSTATUS_REVOKED ? OCSP_REVOKED : OCSP_NOTHING;
}

static enum ocsp_answer
judge_basic(OCSP_BASICRESP *basic, const X509 *certificate, const X509 *issuer,
    X509_STORE *store, STACK_OF(X509) *chain, char *why, size_t size)
{
	if (OCSP_basic_verify(basic, chain, store, 0) != 1) {
		snprintf(why, size, "is of nobody who may give it");
		return OCSP_NOTHING;
	}
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

		if (is_about(single, certificate, issuer))
			return judge_single(single, why, size);
	}
	snprintf(why, size, "is about another certificate");
	return OCSP_NOTHING;
}

enum ocsp_answer
ocsp_judge(const unsigned char *der, size_t length, const X509 *certificate,
    const X509 *issuer, X509_STORE *store, STACK_OF(X509) *chain, char *why, size_t size)
{
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &der, (long)length);
	OCSP_BASICRESP *basic = NULL;
	enum ocsp_answer answer = OCSP_NOTHING;

	why[0] = '\0';
	if (response == NULL)
		snprintf(why, size, "cannot be read");
	else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		snprintf(why, size, "says %s",
		    OCSP_response_status_str(OCSP_response_status(response)));
	else if ((basic = OCSP_response_get1_basic(response)) == NULL)
		snprintf(why, size, "cannot be read");
	else
		answer = judge_basic(basic, certificate, issuer, store, chain, why, size);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return answer;
}
