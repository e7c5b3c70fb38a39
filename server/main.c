#include "server/server.h"
#include "common/daemon/command.h"

int
main(int argc, char **argv)
{
	return command_main(&server_program, argc, argv);
}
