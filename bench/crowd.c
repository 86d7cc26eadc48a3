/* A crowd of idle processes to look at: crowd N starts them and ends them when its input ends. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? atoi(argv[1]) : 0;
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
