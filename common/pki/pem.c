#include "common/pki/credentials_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What OpenSSL has against something, in its own words; the queue is empty then. */
const char *
pem_openssl_message(void)
{
	unsigned long last = ERR_peek_last_error();
	const char *words = ERR_reason_error_string(last);

	ERR_clear_error();
	return words ? words : "unknown error";
}

bool
pem_openssl_says(int library, int reason)
{
	unsigned long last = ERR_peek_last_error();

	return ERR_GET_LIB(last) == library && ERR_GET_REASON(last) == reason;
}

/* Any file that is no regular one is refused: a folder cannot be read, and a pipe could
 * make us wait for ever. */
BIO *
pem_open(const char *what, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	FILE *file = NULL;
	BIO *bio;

	if (fd < 0 || fstat(fd, &st) != 0) {
		err_errno(e, errno, "%s %s", what, path);
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(e, "%s %s: is %s, not a file", what, path,
		    S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
		goto fail;
	}
	file = fdopen(fd, "r");
	bio = file ? BIO_new_fp(file, BIO_CLOSE) : NULL;
	if (bio)
		return bio;
	err_set(e, "%s %s: out of memory", what, path);
fail:
	if (file)
		fclose(file);
	else if (fd >= 0)
		close(fd);
	return NULL;
}

/* One certificate more of a PEM file.  NULL at its end, or with @e set if it is broken.
 */
X509 *
pem_next_certificate(
    BIO *bio, const char *what, const char *path, int number, struct err *e)
{
	X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);

	if (certificate)
		return certificate;
	if (!pem_openssl_says(ERR_LIB_PEM, PEM_R_NO_START_LINE))
		err_set(e, "%s %s: certificate number %d in it cannot be read: %s", what,
		    path, number, pem_openssl_message());
	else if (number == 1 && !pem_blame_form(bio, what, path, e))
		err_set(e, "%s %s: no certificate in it", what, path);
	ERR_clear_error();
	return NULL;
}
