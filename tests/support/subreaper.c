/*
 * tests/support/subreaper.c: subreaper COMMAND [ARG...]
 *
 * Runs COMMAND and collects every process that loses its parent below it, at once. libvirt waits until the
 * process id of a guest that it ended is gone, which takes as long as the parent takes to collect it: where
 * process 1 is slow (containers), each delete would be (design 7). Exits as COMMAND does.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t command;

static void hand_on(int sig)
{
        if (command > 0)
                kill(command, sig);
}

int main(int argc, char **argv)
{
        struct sigaction pass = { .sa_handler = hand_on, .sa_flags = SA_RESTART };
        int status, result = EXIT_FAILURE;
        pid_t pid;

        if (argc < 2) {
                fprintf(stderr, "usage: subreaper COMMAND [ARG...]\n");
                return 2;
        }
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
                fprintf(stderr, "subreaper: %s\n", strerror(errno));
                return EXIT_FAILURE;
        }
        /* A terminal sends SIGINT to us both: COMMAND decides, and is waited for. */
        signal(SIGINT, SIG_IGN);
        command = fork();
        if (command == 0) {
                signal(SIGINT, SIG_DFL);
                execvp(argv[1], argv + 1);
                fprintf(stderr, "subreaper: %s: %s\n", argv[1], strerror(errno));
                _exit(127);
        }
        if (command < 0) {
                fprintf(stderr, "subreaper: %s\n", strerror(errno));
                return EXIT_FAILURE;
        }
        sigaction(SIGTERM, &pass, NULL);
        sigaction(SIGHUP, &pass, NULL);
        while ((pid = waitpid(-1, &status, 0)) != command)
                if (pid < 0 && errno != EINTR)
                        return EXIT_FAILURE;
        result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return result;
}
