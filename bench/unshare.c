/* What unshare(2) takes in C, each time in a fresh child: the peer of `nsedu bench create`.
 *
 * unshare ROUNDS FLAGS...   prints a line for each round: nanoseconds for each of the flags, in turn.
 *
 * Like ours, a child that is not root's has a user namespace of its own first, and has taken the road
 * to the kernel and the clock a few times before it counts.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        _exit(1);
    }
}

static void put(const char *path, const char *text, int length)
{
    int fd = open(path, O_WRONLY);
    must(fd >= 0 && write(fd, text, length) == length, path);
    close(fd);
}

static void become_able(void)
{
    char map[64];
    int uid = geteuid(), gid = getegid();

    if (uid == 0)
        return;
    must(unshare(CLONE_NEWUSER) == 0, "unshare user");
    put("/proc/self/setgroups", "deny", 4);
    put("/proc/self/uid_map", map, sprintf(map, "0 %d 1", uid));
    put("/proc/self/gid_map", map, sprintf(map, "0 %d 1", gid));
}

static long timed(int flags)
{
    struct timespec start, end;

    clock_gettime(CLOCK_MONOTONIC, &start);
    must(unshare(flags) == 0, "unshare");
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (end.tv_sec - start.tv_sec) * 1000000000L + end.tv_nsec - start.tv_nsec;
}

int main(int count, char **words)
{
    int rounds = count > 1 ? atoi(words[1]) : 0;
    int channel[2];
    long taken;

    must(pipe(channel) == 0, "pipe");
    for (int round = -1; round < rounds; round++) { /* the first does not count */
        for (int i = 2; i < count; i++) {
            pid_t child = fork();
            must(child >= 0, "fork");
            if (child == 0) {
                become_able();
                for (int again = 0; again < 3; again++)
                    timed(0);
                taken = timed(strtol(words[i], NULL, 0));
                must(write(channel[1], &taken, sizeof taken) == sizeof taken, "write");
                _exit(0);
            }
            must(read(channel[0], &taken, sizeof taken) == sizeof taken, "read");
            waitpid(child, NULL, 0);
            if (round >= 0)
                printf("%ld%c", taken, i == count - 1 ? '\n' : ' ');
        }
    }
    return 0;
}
