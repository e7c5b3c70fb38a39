#include "tests/fuzz/plain_ssl.h"

#include "common/tls/context.h"

#include <string.h>

static bool peer_has_finished;

void
plain_ssl_set_finished(bool finished)
{
	peer_has_finished = finished;
}

/* Named by the linker; nobody includes them. */
int __wrap_SSL_do_handshake(SSL *ssl);
int __wrap_SSL_read_ex(SSL *ssl, void *bytes, size_t most, size_t *n);
int __wrap_SSL_write_ex(SSL *ssl, const void *bytes, size_t length, size_t *n);
int __wrap_SSL_get_error(const SSL *ssl, int result);
int __wrap_SSL_shutdown(SSL *ssl);
int __wrap_SSL_key_update(SSL *ssl, int type);
void __wrap_SSL_get0_alpn_selected(
    const SSL *ssl, const unsigned char **name, unsigned *length);

int
__wrap_SSL_do_handshake(SSL *ssl)
{
	(void)ssl;
	return 1;
}

int
__wrap_SSL_read_ex(SSL *ssl, void *bytes, size_t most, size_t *n)
{
	return BIO_read_ex(SSL_get_rbio(ssl), bytes, most, n);
}

int
__wrap_SSL_write_ex(SSL *ssl, const void *bytes, size_t length, size_t *n)
{
	return BIO_write_ex(SSL_get_wbio(ssl), bytes, length, n);
}

int
__wrap_SSL_get_error(const SSL *ssl, int result)
{
	(void)ssl;
	(void)result;
	return peer_has_finished ? SSL_ERROR_ZERO_RETURN : SSL_ERROR_WANT_READ;
}

int
__wrap_SSL_shutdown(SSL *ssl)
{
	(void)ssl;
	return 0;
}

int
__wrap_SSL_key_update(SSL *ssl, int type)
{
	(void)ssl;
	(void)type;
	return 0;
}

void
__wrap_SSL_get0_alpn_selected(
    const SSL *ssl, const unsigned char **name, unsigned *length)
{
	(void)ssl;
	*name = (const unsigned char *)TLS_PROTOCOL_H2;
	*length = strlen(TLS_PROTOCOL_H2);
}
