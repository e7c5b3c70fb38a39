#include "common/worker/listen_socket.h"

#include "common/base/socket.h"

#include <stdlib.h>
#include <unistd.h>

struct listen_socket *
listen_socket_hold(struct listen_socket *listen_socket)
{
	atomic_fetch_add(&listen_socket->holders, 1);
	return listen_socket;
}

void
listen_socket_release(struct listen_socket *listen_socket)
{
	const struct address *at = &listen_socket->address;

	if (atomic_fetch_sub(&listen_socket->holders, 1) > 1)
		return;
	for (size_t i = 0; i < listen_socket->count; i++)
		if (listen_socket->fds[i] >= 0)
			close(listen_socket->fds[i]);
	if (!listen_socket->lent && at->any.sa_family == AF_UNIX &&
	    at->un.sun_path[0] != '\0')
		(void)unlink(at->un.sun_path);
	free(listen_socket);
}

struct listen_socket *
listen_socket_open(const struct address *address, size_t workers,
    const struct socket_option_list *options, struct socket_activation *inherited,
    struct err *e)
{
	struct listen_socket *listen_socket =
	    malloc(sizeof(*listen_socket) + workers * sizeof(int));
	int fd = -1;

	if (listen_socket == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (inherited != NULL)
		fd = socket_activation_take(inherited, address);
	*listen_socket = (struct listen_socket){
	    .address = *address, .lent = fd >= 0, .count = workers};
	if (fd < 0 && (fd = socket_listen(address, options, e)) < 0) {
		free(listen_socket);
		return NULL;
	}
	atomic_init(&listen_socket->holders, 1);
	for (size_t i = 0; i < workers; i++)
		listen_socket->fds[i] = i == 0 ? fd : -1;
	for (size_t i = 1; i < workers; i++)
		if ((listen_socket->fds[i] = socket_listen_shared(fd, options, e)) < 0) {
			listen_socket_release(listen_socket);
			return NULL;
		}
	return listen_socket;
}
