/*
 * What a context is told to use: provider, versions, ciphers, groups, and OpenSSL's own
 * options and commands, as far as they leave the rest as safe as it is.
 */
#include "common/config/settings_options.h"
#include "common/tls/internal.h"

#include <openssl/err.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- options --------------------------------------------------------------------- */

/* Nothing that is written takes these away: a cut stream must never look complete, no
 * peer asks for handshakes without end, and none is too old to know what it agreed on. */
static const uint64_t always = SETTINGS_OPTIONS_ALWAYS;
static const uint64_t never = SSL_OP_IGNORE_UNEXPECTED_EOF |
			      SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
			      SSL_OP_ALLOW_CLIENT_RENEGOTIATION;

static bool
set_option(SSL_CTX *context, const char *text, struct err *e)
{
	uint64_t bits;
	bool off;

	if (!settings_option_bits(text, &bits, &off, e))
		return err_prefix(e, "options = %s", text);
	if (off)
		SSL_CTX_clear_options(context, bits);
	else
		SSL_CTX_set_options(context, bits);
	return true;
}

bool
tls_options_end(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	for (size_t i = 0; i < s->options.count; i++)
		if (!set_option(context, s->options.items[i], e))
			return false;
	SSL_CTX_set_options(context, always);
	SSL_CTX_clear_options(context, never);
	if (tls_asks_about_clients(s))
		SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	return tls_ciphers_drop(context, s, e);
}

/* ---- commands -------------------------------------------------------------------- */

static bool
run_command(SSL_CONF_CTX *conf, const char *text, struct err *e)
{
	const char *colon = strchr(text, ':');
	char name[80];
	int result;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, ":"), text);
	result = SSL_CONF_cmd(conf, name, colon != NULL ? colon + 1 : NULL);
	ERR_clear_error();
	if (result == -2)
		return err_set(e,
		    "config = %s: OpenSSL knows no command %s that fits here (see "
		    "SSL_CONF_cmd(3); certificates are named by cert, key and CAfile)",
		    text, name);
	if (result == -3)
		return err_set(
		    e, "config = %s: needs a parameter, as in %s:VALUE", text, name);
	return result > 0 || err_set(e, "config = %s: OpenSSL refuses the value", text);
}

/* First of all, so that what has an option of its own has the last word. */
static bool
run_commands(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	unsigned int role =
	    s->role == ROLE_SERVER ? SSL_CONF_FLAG_SERVER : SSL_CONF_FLAG_CLIENT;
	SSL_CONF_CTX *conf;
	bool ok = true;

	if (s->config.count == 0)
		return true;
	if ((conf = SSL_CONF_CTX_new()) == NULL)
		return err_set(e, "out of memory");
	SSL_CONF_CTX_set_flags(conf, SSL_CONF_FLAG_FILE | role);
	SSL_CONF_CTX_set_ssl_ctx(conf, context);
	for (size_t i = 0; ok && i < s->config.count; i++)
		ok = run_command(conf, s->config.items[i], e);
	if (ok && SSL_CONF_CTX_finish(conf) != 1)
		ok = err_set(e, "config: OpenSSL refuses the commands together");
	ERR_clear_error();
	SSL_CONF_CTX_free(conf);
	return ok;
}

/* ---- lists ----------------------------------------------------------------------- */

static int
set_curves(SSL_CTX *context, const char *list)
{
	return (int)SSL_CTX_set1_groups_list(context, list);
}

/* Set a list of names with colons between them.  Each is tried alone first: OpenSSL drops
 * what it does not know as long as one name is left, and never says which. */
static bool
set_list(SSL_CTX *context, const char *option, const char *list,
    int (*set)(SSL_CTX *, const char *), struct err *e)
{
	const char *name = list;

	while (name && *name) {
		char one[80];
		size_t length = strcspn(name, ":");

		snprintf(one, sizeof(one), "%.*s", (int)length, name);
		if (set(context, one) != 1)
			return err_set(
			    e, "%s = %s: OpenSSL knows no \"%s\"", option, list, one);
		name += length + (name[length] == ':');
	}
	if (list && set(context, list) != 1)
		return err_set(e, "%s = %s: OpenSSL refuses it", option, list);
	return true;
}

/*
 * A hybrid group, which also a quantum computer would not break, where OpenSSL has it: as
 * of 3.5, or by a provider.  A share of it and one of the usual kind are sent along where
 * that can be asked for (3.5 again), so that no peer has to ask for another one.
 */
static void
prefer_hybrid(SSL_CTX *context)
{
	static const char *const lists[] = {
	    "*X25519MLKEM768:*X25519:P-256:X448:P-384:P-521",
	    "X25519MLKEM768:X25519:P-256:X448:P-384:P-521",
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (set_curves(context, lists[i]) == 1)
			break;
	ERR_clear_error();
}

bool
tls_options_has(const struct service_settings *s, const char *command)
{
	size_t length = strlen(command);

	for (size_t i = 0; i < s->config.count; i++)
		if (strncasecmp(s->config.items[i], command, length) == 0 &&
		    s->config.items[i][length] == ':')
			return true;
	return false;
}

static bool
set_versions(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	int min = (int)SSL_CTX_get_min_proto_version(context);
	int max = (int)SSL_CTX_get_max_proto_version(context);

	/* What openssl.cnf or config say may be stricter. */
	if (s->tls_min > min)
		min = s->tls_min;
	if (max == 0 || (s->tls_max != 0 && s->tls_max < max))
		max = s->tls_max;
	if (SSL_CTX_set_min_proto_version(context, min) != 1 ||
	    SSL_CTX_set_max_proto_version(context, max) != 1)
		return err_set(e, "sslVersion: OpenSSL does not have these TLS versions");
	return (max == 0 || min <= max) ||
	       err_set(e, "sslVersion: config, or OpenSSL's own configuration "
			  "(openssl.cnf), leaves no TLS version");
}

bool
tls_options_load(SSL_CTX *context, const struct service_settings *s, struct err *e)
{
	int level = (int)s->security_level;

	SSL_CTX_set_security_level(context, level);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	if (!run_commands(context, s, e) || !set_versions(context, s, e))
		return false;
	if (!set_list(
		context, "ciphersuites", s->ciphersuites, SSL_CTX_set_ciphersuites, e) ||
	    !set_list(context, "curves", s->curves, set_curves, e))
		return false;
	if (s->curves == NULL && !tls_options_has(s, "Curves") &&
	    !tls_options_has(s, "Groups"))
		prefer_hybrid(context);
	/* For DHE in TLS 1.2: a group as strong as the certificate's key. */
	if (s->role == ROLE_SERVER && !tls_options_has(s, "DHParameters"))
		SSL_CTX_set_dh_auto(context, 1);
	if (s->ciphers && SSL_CTX_set_cipher_list(context, s->ciphers) != 1)
		return err_set(
		    e, "ciphers = %s: OpenSSL knows no cipher in it", s->ciphers);
	/* The ciphers may name a level of their own. */
	if (SSL_CTX_get_security_level(context) < level)
		SSL_CTX_set_security_level(context, level);
	return true;
}

/* ---- the provider ---------------------------------------------------------------- */

/* The base provider reads keys, which the FIPS provider does not. */
static bool
has_fips(void)
{
	return OSSL_PROVIDER_try_load(NULL, "fips", 1) != NULL &&
	       OSSL_PROVIDER_try_load(NULL, "base", 1) != NULL;
}

SSL_CTX *
tls_options_begin(const struct service_settings *s, struct err *e)
{
	const SSL_METHOD *method =
	    s->role == ROLE_SERVER ? TLS_server_method() : TLS_client_method();
	SSL_CTX *context;

	if (s->fips && !has_fips()) {
		err_set(e, "fips = yes: OpenSSL has no FIPS provider here: install it "
			   "(openssl fipsinstall; openssl list -providers shows it), or "
			   "remove the line");
		return NULL;
	}
	context = SSL_CTX_new_ex(NULL, s->fips ? "fips=yes" : NULL, method);
	if (!context)
		err_set(e, "OpenSSL cannot start");
	return context;
}
