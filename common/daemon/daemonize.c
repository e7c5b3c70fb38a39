#include "common/daemon/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void
daemonize_init(struct daemonize *b)
{
	*b = (struct daemonize){.ready = -1, .null = -1};
}

/* The exit status of the process that was started. */
static int
await(pid_t child, int ready)
{
	int status = 0;
	char byte;
	ssize_t n;

	do
		n = read(ready, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return EXIT_SUCCESS;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

bool
daemonize_enter(struct daemonize *b, struct err *e)
{
	int ready[2];
	pid_t child;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return err_errno(e, errno, "going to the background");
	if ((child = fork()) < 0) {
		err_errno(e, errno, "going to the background");
		close(ready[0]);
		close(ready[1]);
		return false;
	}
	if (child > 0) {
		close(ready[1]);
		_exit(await(child, ready[0]));
	}
	close(ready[0]);
	(void)setsid();
	b->ready = ready[1];
	b->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	return true;
}

void
daemonize_ready(struct daemonize *b)
{
	if (b->ready < 0)
		return;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && b->null >= 0; fd++)
		(void)dup2(b->null, fd);
	if (b->null > STDERR_FILENO)
		close(b->null);
	(void)!write(b->ready, "", 1);
	close(b->ready);
	daemonize_init(b);
}
