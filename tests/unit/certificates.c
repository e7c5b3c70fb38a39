#include "tests/unit/certificates.h"

#include <check.h>
#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder of the test that runs in this process; "" until it is needed. */
static char folder[64];
static pid_t folder_owner;

static void
remove_folder(void)
{
	DIR *dir = getpid() == folder_owner ? opendir(folder) : NULL;
	const struct dirent *entry;

	if (!dir) /* a fork of the test: not its to remove */
		return;
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0); /* "." and ".." refuse */
	closedir(dir);
	rmdir(folder);
}

char *
certificates_path(const char *name)
{
	char path[512];
	char *copy;

	if (!folder[0]) {
		snprintf(folder, sizeof(folder), "/tmp/routeport-test-XXXXXX");
		ck_assert_ptr_nonnull(mkdtemp(folder));
		/* A test may look at its files as another user. */
		ck_assert_int_eq(chmod(folder, 0755), 0);
		folder_owner = getpid();
		atexit(remove_folder);
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	copy = strdup(path);
	ck_assert_ptr_nonnull(copy);
	return copy;
}

static void
add_extension(X509 *x509, X509V3_CTX *context, int nid, const char *value)
{
	X509_EXTENSION *extension;

	if (!value)
		return;
	extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
	ck_assert_msg(extension != NULL, "bad extension %s: %s", OBJ_nid2sn(nid), value);
	ck_assert_int_eq(X509_add_ext(x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void
add_extensions(X509 *x509, const struct certificate_wish *wish)
{
	X509V3_CTX context;
	const char *usage =
	    wish->is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature";

	X509V3_set_ctx(
	    &context, wish->issuer ? wish->issuer->x509 : x509, x509, NULL, NULL, 0);
	add_extension(x509, &context, NID_basic_constraints,
	    wish->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (wish->usage)
		usage = wish->usage;
	add_extension(x509, &context, NID_key_usage, usage);
	add_extension(x509, &context, NID_subject_key_identifier, "hash");
	add_extension(x509, &context, NID_subject_alt_name, wish->names);
	add_extension(x509, &context, NID_authority_key_identifier,
	    wish->names_key ? "keyid:always" : NULL);
	add_extension(x509, &context, NID_ext_key_usage, wish->purpose);
	if (wish->purpose_twice)
		add_extension(x509, &context, NID_ext_key_usage, wish->purpose);
	add_extension(x509, &context, NID_tlsfeature, wish->feature);
}

static void
set_serial(X509 *x509)
{
	unsigned char bytes[8];
	BIGNUM *number;

	ck_assert_int_eq(RAND_bytes(bytes, sizeof(bytes)), 1);
	bytes[0] &= 0x7f;
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ck_assert_ptr_nonnull(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)));
	BN_free(number);
}

static void
add_to_subject(X509 *x509, int attribute, const char *value)
{
	if (value)
		X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), attribute,
		    MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0);
}

static EVP_PKEY *
make_key(const struct certificate_wish *wish)
{
	if (wish->ed25519)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return wish->rsa_bits > 0 ? EVP_RSA_gen((unsigned)wish->rsa_bits)
				  : EVP_EC_gen("P-256");
}

/* An Ed25519 key signs without a digest of its own. */
static const EVP_MD *
digest_of(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
}

struct certificate
certificate_make(const struct certificate_wish *wish)
{
	struct certificate c = {.x509 = X509_new()};
	bool usual = wish->begins == 0 && wish->ends == 0;
	const struct certificate *issuer = wish->issuer ? wish->issuer : &c;

	c.key = make_key(wish);
	ck_assert_ptr_nonnull(c.x509);
	ck_assert_ptr_nonnull(c.key);
	X509_set_version(c.x509, X509_VERSION_3);
	set_serial(c.x509);
	X509_gmtime_adj(X509_getm_notBefore(c.x509), usual ? -3600 : wish->begins);
	X509_gmtime_adj(X509_getm_notAfter(c.x509), usual ? 86400 : wish->ends);
	add_to_subject(c.x509, NID_organizationName, wish->organization);
	add_to_subject(c.x509, NID_organizationalUnitName, wish->unit);
	add_to_subject(c.x509, NID_commonName, wish->common_name);
	X509_set_issuer_name(c.x509, X509_get_subject_name(issuer->x509));
	X509_set_pubkey(c.x509, c.key);
	add_extensions(c.x509, wish);
	ck_assert_int_gt(X509_sign(c.x509, issuer->key, digest_of(issuer->key)), 0);
	return c;
}

struct certificate
certificate_make_ca(void)
{
	return certificate_make(
	    &(struct certificate_wish){.common_name = "test CA", .is_ca = true});
}

struct certificate
certificate_make_leaf(const char *names, const struct certificate *issuer)
{
	return certificate_make(&(struct certificate_wish){.common_name = "leaf",
	    .names = names,
	    .purpose = "serverAuth,clientAuth",
	    .issuer = issuer});
}

void
certificate_free(struct certificate *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	memset(c, 0, sizeof(*c));
}

static FILE *
create(const char *path)
{
	FILE *file = fopen(path, "w");

	ck_assert_msg(file != NULL, "cannot write %s", path);
	return file;
}

char *
certificate_write(
    const char *name, const struct certificate *c, const struct certificate *chain)
{
	char *path = certificates_path(name);
	FILE *file = create(path);

	if (c)
		ck_assert_int_eq(PEM_write_X509(file, c->x509), 1);
	if (chain)
		ck_assert_int_eq(PEM_write_X509(file, chain->x509), 1);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

char *
certificate_write_key(const char *name, const struct certificate *c, const char *password)
{
	char *path = certificates_path(name);
	FILE *file = create(path);

	/* The last argument is the password's text when no callback is given. */
	ck_assert_int_eq(
	    PEM_write_PKCS8PrivateKey(file, c->key, password ? EVP_aes_256_cbc() : NULL,
		NULL, 0, NULL, (void *)password),
	    1);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

char *
certificate_write_pkcs12(const char *name, const struct certificate *c,
    const struct certificate *chain, const char *password)
{
	char *path = certificates_path(name);
	FILE *file = create(path);
	STACK_OF(X509) *others = sk_X509_new_null();
	PKCS12 *box;

	if (chain)
		sk_X509_push(others, chain->x509);
	box = PKCS12_create(password, "ours", c->key, c->x509, others, 0, 0, 0, 0, 0);
	ck_assert_ptr_nonnull(box);
	ck_assert_int_eq(i2d_PKCS12_fp(file, box), 1);
	ck_assert_int_eq(fclose(file), 0);
	PKCS12_free(box);
	sk_X509_free(others);
	return path;
}

char *
certificate_write_crl(const char *name, const struct certificate *issuer,
    const struct certificate *revoked, long ends)
{
	char *path = certificates_path(name);
	FILE *file = create(path);
	X509_CRL *list = X509_CRL_new();
	ASN1_TIME *begun = X509_gmtime_adj(NULL, -200000);
	ASN1_TIME *end = X509_gmtime_adj(NULL, ends);

	X509_CRL_set_version(list, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->x509));
	X509_CRL_set1_lastUpdate(list, begun);
	X509_CRL_set1_nextUpdate(list, end);
	if (revoked) {
		X509_REVOKED *entry = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(
		    entry, X509_get_serialNumber(revoked->x509));
		X509_REVOKED_set_revocationDate(entry, begun);
		X509_CRL_add0_revoked(list, entry);
	}
	ck_assert_int_gt(X509_CRL_sign(list, issuer->key, digest_of(issuer->key)), 0);
	ck_assert_int_eq(PEM_write_X509_CRL(file, list), 1);
	ck_assert_int_eq(fclose(file), 0);
	ASN1_TIME_free(begun);
	ASN1_TIME_free(end);
	X509_CRL_free(list);
	return path;
}

/* @ends 0: it does not say until when.  An issuer that signs itself leaves its
 * certificate out, as RFC 6960, 4.2.1 allows: whoever asks has it. */
static unsigned char *
make_ocsp(const struct certificate *c, const struct certificate *issuer,
    const struct certificate *signer, int status, long begins, long ends, size_t *length)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), c->x509, issuer->x509);
	ASN1_TIME *begun = X509_gmtime_adj(NULL, begins),
		  *end = ends != 0 ? X509_gmtime_adj(NULL, ends) : NULL;
	OCSP_RESPONSE *response;
	unsigned char *der = NULL;
	int n;

	ck_assert_ptr_nonnull(OCSP_basic_add1_status(
	    basic, id, status, OCSP_REVOKED_STATUS_KEYCOMPROMISE, begun, begun, end));
	ck_assert_int_eq(OCSP_basic_sign(basic, signer->x509, signer->key, EVP_sha256(),
			     NULL, signer == issuer ? OCSP_NOCERTS : 0),
	    1);
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	n = i2d_OCSP_RESPONSE(response, &der);
	ck_assert_int_gt(n, 0);
	*length = (size_t)n;
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(begun);
	ASN1_TIME_free(end);
	return der;
}

unsigned char *
certificate_ocsp(const struct certificate *c, const struct certificate *issuer,
    const struct certificate *signer, int status, long ends, size_t *length)
{
	return make_ocsp(c, issuer, signer, status, -200000, ends, length);
}

unsigned char *
certificate_ocsp_undated(const struct certificate *c, const struct certificate *issuer,
    long begins, size_t *length)
{
	return make_ocsp(c, issuer, issuer, V_OCSP_CERTSTATUS_GOOD, begins, 0, length);
}

char *
certificates_write_text(const char *name, const char *text)
{
	char *path = certificates_path(name);
	FILE *file = create(path);

	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}
