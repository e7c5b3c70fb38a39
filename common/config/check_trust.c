#include "common/config/check_trust.h"

#include "common/config/check_identity.h"

static bool
has_ca(const struct service_settings *s)
{
	return s->ca_file != NULL || s->ca_path != NULL || s->ca_store != NULL;
}

bool
settings_knows_peers(const struct service_settings *s)
{
	return s->verify_chain || s->verify_peer || s->check_fingerprint.count > 0;
}

/* ---- what the lines imply -------------------------------------------------------- */

/* The obsolete level stands for the lines that are not there. */
static void
take_level(const struct draft *d)
{
	enum verify_level level = d->s->verify_level;
	struct service_settings *s = d->s;

	if (settings_given(d, "verifyChain") == NULL)
		s->verify_chain = level != VERIFY_IGNORE && level != VERIFY_PEER;
	if (settings_given(d, "verifyPeer") == NULL)
		s->verify_peer = level >= VERIFY_CHAIN_AND_PEER;
	if (settings_given(d, "requireCert") == NULL)
		s->require_cert = level >= VERIFY_CHAIN;
}

/* A yes requires a certificate, unless requireCert comes after it. */
static void
imply_require_cert(const struct draft *d, const char *option, bool yes)
{
	const struct ini_entry *line = settings_given(d, option);

	if (line != NULL && yes &&
	    settings_later(line, settings_given(d, "requireCert")) == line)
		d->s->require_cert = true;
}

/* The line by which the chain is verified, or is not; NULL: by default. */
static const struct ini_entry *
chain_line(const struct draft *d)
{
	const struct ini_entry *line = settings_given(d, "verifyChain");

	return line != NULL ? line : settings_given(d, "verify");
}

static void
imply(const struct draft *d)
{
	struct service_settings *s = d->s;

	if (settings_given(d, "verify") != NULL)
		take_level(d);
	if (s->verify_peer && chain_line(d) == NULL)
		s->verify_chain = false;
	imply_require_cert(d, "verifyChain", s->verify_chain);
	imply_require_cert(d, "verifyPeer", s->verify_peer);
}

/* ---- what would be less safe than it looks --------------------------------------- */

/* A check of names is worth nothing where nothing vouches for them. */
static bool
check_names_are_vouched_for(const struct draft *d, struct err *e)
{
	const struct ini_entry *rule = settings_rule_on_names(d);

	if (d->s->verify_chain || d->s->verify_peer || rule == NULL)
		return true;
	err_set(e,
	    "%s proves nothing with verifyChain = no, for anybody can write any name "
	    "into a certificate of their own",
	    rule->name);
	return settings_add_error(d, rule, e);
}

static bool
check_lists_have_a_chain(const struct draft *d, struct err *e)
{
	const struct ini_entry *line =
	    settings_later(settings_given(d, "CRLfile"), settings_given(d, "CRLpath"));

	if (d->s->ocsp_aia)
		line = settings_later(line, settings_given(d, "OCSPaia"));
	line = settings_later(line, settings_given(d, "OCSP"));
	if (d->s->verify_chain || line == NULL)
		return true;
	err_set(e,
	    "%s needs verifyChain = yes: it is the issuer who revokes, and without the "
	    "chain nobody looks at that one",
	    line->name);
	return settings_add_error(d, line, e);
}

static bool
check_peers_are_there(const struct draft *d, struct err *e)
{
	const struct ini_entry *line = settings_given(d, "verifyPeer");

	if (!d->s->verify_peer || has_ca(d->s))
		return true;
	err_set(e, "verifyPeer needs the peers' own certificates: add \"CAfile = FILE\" "
		   "with them");
	return settings_add_error(
	    d, line != NULL ? line : settings_given(d, "verify"), e);
}

/* With keys alone nobody shows a certificate, and one that is shown all the same is
 * refused, for nobody vouches for it. */
static bool
check_rules_have_certificates(const struct draft *d, struct err *e)
{
	const struct ini_entry *rule = settings_rule_on_names(d);

	if (rule == NULL)
		rule = settings_given(d, "checkFingerprint");
	if (d->s->psk_secrets == NULL || has_ca(d->s) || rule == NULL)
		return true;
	err_set(e,
	    "%s is about certificates, and with PSKsecrets alone nobody shows one: add "
	    "\"CAfile = FILE\", or remove the line",
	    rule->name);
	return settings_add_error(d, rule, e);
}

static bool
check_identity(const struct draft *d, struct err *e)
{
	const struct ini_entry *line = settings_given(d, "PSKidentity");

	if (line == NULL || d->s->psk_secrets != NULL)
		return true;
	err_set(e, "PSKidentity needs keys: add \"PSKsecrets = FILE\"");
	return settings_add_error(d, line, e);
}

bool
settings_check_trust(const struct draft *d, struct err *e)
{
	struct service_settings *s = d->s;

	imply(d);
	/* Written out, it would let in whoever shows any certificate. */
	if (s->psk_secrets != NULL && !has_ca(s))
		s->verify_chain = true;
	s->system_ca = s->role == ROLE_CLIENT && s->verify_chain && !has_ca(s) &&
		       s->psk_secrets == NULL;
	return check_identity(d, e) && check_rules_have_certificates(d, e) &&
	       check_names_are_vouched_for(d, e) && check_lists_have_a_chain(d, e) &&
	       check_peers_are_there(d, e);
}

/* ---- whom the server lets in ----------------------------------------------------- */

static bool
check_somebody_is_kept_out(const struct draft *d, struct err *e)
{
	const struct service_settings *s = d->s;

	if (s->require_cert && !settings_knows_peers(s)) {
		err_set(e,
		    "a certificate that is not verified keeps nobody out: remove the "
		    "line, or add \"requireCert = no\" to let anyone in");
		return settings_add_error(d, chain_line(d), e);
	}
	if (!s->verify_chain || has_ca(s) || s->psk_secrets != NULL ||
	    !(s->require_cert || chain_line(d) != NULL || settings_has_rules(d)))
		return true;
	err_set(e,
	    "nothing says whom to let in: add \"CAfile = FILE\" with the CA of the "
	    "clients' certificates, or \"requireCert = no\" to let anyone in");
	if (settings_rule_on_names(d) == NULL && s->check_fingerprint.count > 0)
		err_set(e,
		    "checkFingerprint alone decides only if the chain does not matter: "
		    "add \"verifyChain = no\", or \"CAfile = FILE\" with the CA of the "
		    "clients' certificates");
	return settings_add_error(d, NULL, e);
}

bool
settings_check_client_trust(const struct draft *d, struct err *e)
{
	struct service_settings *s = d->s;
	bool judged;

	if (s->cert.count == 0 && s->psk_secrets == NULL) {
		err_set(e,
		    "cert is missing: a server needs a certificate, add \"cert = FILE\"");
		return settings_add_error(d, NULL, e);
	}
	if (!check_somebody_is_kept_out(d, e))
		return false;
	if (s->cert.count == 0)
		s->require_cert = false; /* there is nobody to ask for one */
	judged =
	    settings_knows_peers(s) && (has_ca(s) || !s->verify_chain ||
					   (s->psk_secrets != NULL && s->require_cert));
	s->ask_cert = judged || settings_given(d, "verify") != NULL;
	if (!s->require_cert && s->cert.count > 0)
		settings_warn(
		    d, judged ? "requireCert = no: who shows no certificate is let in too"
			      : "requireCert = no: anyone is let in");
	return true;
}
