#include "common/worker/listen_socket.h"

#include "common/base/socket.h"

#include <stdlib.h>
#include <unistd.h>

struct listen_socket *
listen_socket_hold(struct listen_socket *door)
{
	atomic_fetch_add(&door->holders, 1);
	return door;
}

void
listen_socket_release(struct listen_socket *door)
{
	const struct address *at = &door->address;

	if (atomic_fetch_sub(&door->holders, 1) > 1)
		return;
	for (size_t i = 0; i < door->count; i++)
		if (door->fds[i] >= 0)
			close(door->fds[i]);
	if (!door->lent && at->any.sa_family == AF_UNIX && at->un.sun_path[0] != '\0')
		(void)unlink(at->un.sun_path);
	free(door);
}

struct listen_socket *
listen_socket_open(const struct address *address, size_t workers,
    const struct socket_option_list *options, struct socket_activation *inherited,
    struct err *e)
{
	struct listen_socket *door = malloc(sizeof(*door) + workers * sizeof(int));
	int fd = -1;

	if (door == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (inherited != NULL)
		fd = socket_activation_take(inherited, address);
	*door = (struct listen_socket){
	    .address = *address, .lent = fd >= 0, .count = workers};
	if (fd < 0 && (fd = socket_listen(address, options, e)) < 0) {
		free(door);
		return NULL;
	}
	atomic_init(&door->holders, 1);
	for (size_t i = 0; i < workers; i++)
		door->fds[i] = i == 0 ? fd : -1;
	for (size_t i = 1; i < workers; i++)
		if ((door->fds[i] = socket_listen_shared(fd, options, e)) < 0) {
			listen_socket_release(door);
			return NULL;
		}
	return door;
}
