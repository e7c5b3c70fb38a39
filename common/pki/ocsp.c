#include "common/pki/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum {
	FEATURE_STATUS_REQUEST = 5, /* the extension that asks for an answer (RFC 6066) */
	/* Seconds by which two clocks may differ. */
	CLOCKS_DIFFER = 300,
	/* Seconds for which an answer counts that does not say for how long. */
	UNDATED = 86400,
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

	if (OCSP_check_validity(
		from, until, CLOCKS_DIFFER, until == NULL ? UNDATED : -1) != 1) {
		snprintf(why, size, "is out of date");
		return OCSP_NOTHING;
	}
	if (status == V_OCSP_CERTSTATUS_GOOD)
		return OCSP_GOOD;
	snprintf(why, size, "says %s%s%s", OCSP_cert_status_str(status),
	    reason >= 0 ? ": " : "", reason >= 0 ? OCSP_crl_reason_str(reason) : "");
	return status == V_OCSP_CERTSTATUS_REVOKED ? OCSP_REVOKED : OCSP_NOTHING;
}

static OCSP_SINGLERESP *
find(OCSP_BASICRESP *basic, const struct ocsp_matter *m)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++)
		if (is_about(OCSP_resp_get0(basic, i), m->certificate, m->issuer))
			return OCSP_resp_get0(basic, i);
	return NULL;
}

/* Nobody speaks for himself. */
static bool
add_other(STACK_OF(X509) *list, const struct ocsp_matter *m, X509 *one)
{
	return X509_cmp(one, m->certificate) == 0 || sk_X509_push(list, one) != 0;
}

/* Who may have signed, or lead to the one who did; with TRUSTOTHER whoever is among them
 * is believed.  The issuer always is: an answer that it signs itself may leave its
 * certificate out (RFC 6960, 4.2.1).  The caller calls sk_X509_free(). */
static STACK_OF(X509) *
others(const struct ocsp_matter *m)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	bool ok = list != NULL && add_other(list, m, m->issuer);

	for (int i = 0; ok && i < sk_X509_num(m->chain); i++)
		ok = add_other(list, m, sk_X509_value(m->chain, i));
	if (!ok) {
		sk_X509_free(list);
		return NULL;
	}
	return list;
}

static bool
is_signed(const struct ocsp_matter *m, OCSP_BASICRESP *basic)
{
	STACK_OF(X509) *list = others(m);
	bool ok = list != NULL && OCSP_basic_verify(basic, list, m->store, m->flags) == 1;

	sk_X509_free(list);
	return ok;
}

/* One that leaves the number out that was sent along may be a replay; many do. */
static enum ocsp_answer
judge_basic(const struct ocsp_matter *m, OCSP_BASICRESP *basic, OCSP_REQUEST *request,
    char *why, size_t size)
{
	OCSP_SINGLERESP *single = find(basic, m);
	const char *words;

	if (request != NULL && OCSP_check_nonce(request, basic) == 0)
		words = "is an answer to somebody else";
	else if (!is_signed(m, basic))
		words = "is of nobody who may give it";
	else if (single == NULL)
		words = "is about another certificate";
	else
		return judge_single(single, why, size);
	snprintf(why, size, "%s", words);
	return OCSP_NOTHING;
}

enum ocsp_answer
ocsp_judge_response(const struct ocsp_matter *matter, OCSP_RESPONSE *response,
    OCSP_REQUEST *request, char *why, size_t size)
{
	int status = OCSP_response_status(response);
	OCSP_BASICRESP *basic = NULL;
	enum ocsp_answer answer = OCSP_NOTHING;

	why[0] = '\0';
	if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		snprintf(why, size, "says %s", OCSP_response_status_str(status));
	else if ((basic = OCSP_response_get1_basic(response)) == NULL)
		snprintf(why, size, "cannot be read");
	else
		answer = judge_basic(matter, basic, request, why, size);
	OCSP_BASICRESP_free(basic);
	ERR_clear_error();
	return answer;
}

enum ocsp_answer
ocsp_judge(const struct ocsp_matter *matter, const unsigned char *der, size_t length,
    char *why, size_t size)
{
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &der, (long)length);
	enum ocsp_answer answer = OCSP_NOTHING;

	if (response == NULL)
		snprintf(why, size, "cannot be read");
	else
		answer = ocsp_judge_response(matter, response, NULL, why, size);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return answer;
}

time_t
ocsp_until(const struct ocsp_matter *matter, OCSP_RESPONSE *response)
{
	OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
	OCSP_SINGLERESP *single = basic != NULL ? find(basic, matter) : NULL;
	ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;
	struct tm day;
	time_t when = 0;

	if (single != NULL)
		(void)OCSP_single_get0_status(single, NULL, NULL, &from, &until);
	if (until != NULL && ASN1_TIME_to_tm(until, &day) == 1)
		when = timegm(&day);
	else if (from != NULL && ASN1_TIME_to_tm(from, &day) == 1)
		when = timegm(&day) + UNDATED;
	OCSP_BASICRESP_free(basic);
	ERR_clear_error();
	return when;
}

time_t
ocsp_staple_until(
    const struct ocsp_matter *matter, const unsigned char *der, size_t length)
{
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &der, (long)length);
	time_t until = response != NULL ? ocsp_until(matter, response) : 0;

	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return until;
}
