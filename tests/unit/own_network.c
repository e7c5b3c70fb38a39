#include "tests/unit/own_network.h"

#include <check.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void
set_loopback(bool up)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	request.ifr_flags = up ? IFF_UP : 0;
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

bool
own_network_enter(void)
{
	const char *fork = getenv("CK_FORK");

	if (fork != NULL && strcmp(fork, "no") == 0)
		return false;
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	set_loopback(true);
	return true;
}

void
own_network_cut(void)
{
	set_loopback(false);
}
