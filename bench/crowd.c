/* A crowd of idle processes to look at: crowd N [M] starts N, of which M have a UTS namespace of
   their own, and ends them when its input ends. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? atoi(argv[1]) : 0;
    int apart = argc > 2 ? atoi(argv[2]) : 0;
    char byte;

    setpgid(0, 0);
    for (int i = 0; i < wanted; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            perror("crowd: fork");
            kill(0, SIGKILL);
        }
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* none may outlive the benchmark */
            close(STDIN_FILENO);
            close(STDOUT_FILENO);
            if (i < apart && unshare(CLONE_NEWUTS) == -1)
                unshare(CLONE_NEWUSER | CLONE_NEWUTS);
            for (;;)
                pause();
        }
    }
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    kill(0, SIGKILL);
}
