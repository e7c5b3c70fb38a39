#include "client/client.h"
#include "common/daemon/command.h"

int
main(int argc, char **argv)
{
	return command_main(&client_program, argc, argv);
}
