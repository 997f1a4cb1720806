/*
 * sluice - the operator's program. The commands are in ops/commands.c.
 */
#include "ops/commands.h"

int main(int argc, char **argv)
{
    return ops_commands_run(argc, argv);
}
