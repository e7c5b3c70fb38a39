#include "common/tls/conn_internal.h"

#include <pthread.h>
#include <string.h>

static int
bio_read(BIO *bio, char *bytes, size_t most, size_t *n)
{
	struct tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*n = t->input_left < most ? t->input_left : most;
	if (t->state == TLS_HANDSHAKE && SSL_is_server(t->ssl) &&
	    !tls_hello_look(t, t->input, *n)) {
		t->hello_size.too_large = true;
		t->input_left = *n = 0;
	}
	if (*n == 0) {
		if (!t->feign_eof)
			BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(bytes, t->input, *n);
	t->input += *n;
	t->input_left -= *n;
	return 1;
}

bool
tls_bio_put_aside(struct tls *t)
{
	size_t used = t->scratch_used;

	t->scratch_used = 0;
	return buf_append(&t->out, t->reactor->out, used);
}

/* Never refuses bytes: what the scratch space cannot hold is kept. */
static int
bio_write(BIO *bio, const char *bytes, size_t length, size_t *n)
{
	struct tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*n = length;
	if (t->scratch_used + length > REACTOR_OUT &&
	    (!tls_bio_put_aside(t) || length > REACTOR_OUT))
		return 0;
	memcpy(t->reactor->out + t->scratch_used, bytes, length);
	t->scratch_used += length;
	return 1;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
	struct tls *t = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_EOF:
		return t->feign_eof;
	case BIO_CTRL_FLUSH:
	case BIO_CTRL_DUP:
		return 1;
	default:
		return 0;
	}
}

static BIO_METHOD *bio_method;

static void
make_bio_method(void)
{
	bio_method =
	    BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "routeport");
	if (bio_method == NULL)
		return;
	BIO_meth_set_read_ex(bio_method, bio_read);
	BIO_meth_set_write_ex(bio_method, bio_write);
	BIO_meth_set_ctrl(bio_method, bio_control);
}

BIO *
tls_bio_new(struct tls *t)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_bio_method);
	if (bio_method == NULL || (bio = BIO_new(bio_method)) == NULL)
		return NULL;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	return bio;
}
