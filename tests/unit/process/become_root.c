/* tests/unit/process/become_root.c: what sudo does, as far as test_execute.c needs it: installed set-user-ID.
 */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
        if (argc < 2 || setresuid(0, 0, 0) < 0)
                return 126;
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        return 127;
}
