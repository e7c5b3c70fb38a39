/*
 * What a static file does without.  libcrypto and c-ares mention calls that load shared
 * libraries or ask NSS, which a static file cannot do where nothing is installed.  None
 * of our rooms makes these calls: names are looked up by c-ares itself, from
 * /etc/hosts and DNS.  The linker turns them into those below (--wrap, see the
 * Makefile), and each says "not here".  Only static programs contain this file.
 */
#include <netdb.h>
#include <stddef.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): ld's spelling */
void *__wrap_dlopen(const char *file, int mode);
int __wrap_getaddrinfo(const char *host, const char *service,
    const struct addrinfo *hints, struct addrinfo **list);
void __wrap_freeaddrinfo(struct addrinfo *list);
int __wrap_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
    socklen_t host_size, char *service, socklen_t service_size, int flags);
struct hostent *__wrap_gethostbyname(const char *name);
struct servent *__wrap_getservbyname(const char *name, const char *protocol);
int __wrap_getservbyport_r(int port, const char *protocol, struct servent *entry,
    char *buffer, size_t size, struct servent **result);

/* libcrypto: providers and engines in files of their own. */
void *
__wrap_dlopen(const char *file, int mode)
{
	(void)file;
	(void)mode;
	return NULL;
}

/* libcrypto: BIO_lookup(), BIO_ADDR_hostname_string(), BIO_gethostbyname(). */
int
__wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **list)
{
	(void)host;
	(void)service;
	(void)hints;
	*list = NULL;
	return EAI_FAIL;
}

void
__wrap_freeaddrinfo(struct addrinfo *list)
{
	(void)list; /* always NULL: __wrap_getaddrinfo() gives none */
}

int
__wrap_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
    socklen_t host_size, char *service, socklen_t service_size, int flags)
{
	(void)address;
	(void)length;
	(void)host;
	(void)host_size;
	(void)service;
	(void)service_size;
	(void)flags;
	return EAI_FAIL;
}

struct hostent *
__wrap_gethostbyname(const char *name)
{
	(void)name;
	return NULL;
}

/* c-ares: services by name, and their names by number; ours are always numbers. */
struct servent *
__wrap_getservbyname(const char *name, const char *protocol)
{
	(void)name;
	(void)protocol;
	return NULL;
}

int
__wrap_getservbyport_r(int port, const char *protocol, struct servent *entry,
    char *buffer, size_t size, struct servent **result)
{
	(void)port;
	(void)protocol;
	(void)entry;
	(void)buffer;
	(void)size;
	*result = NULL;
	return 0;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
