/*
 * What a look at every process costs in C: for each, one directory, eight readlinks, status and
 * cmdline, with nothing kept.  Does one round for every byte of input, and answers with a byte.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

static const char *const links[] = {
    "ns/mnt", "ns/uts", "ns/ipc", "ns/pid", "ns/net", "ns/user", "ns/cgroup", "ns/time",
};

static void look_at(int proc, const char *name)
{
    static const char *const files[] = {"status", "cmdline"};
    char buffer[4096];
    int directory = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (directory < 0)
        return;
    for (unsigned i = 0; i < sizeof(links) / sizeof(*links); i++)
        if (readlinkat(directory, links[i], buffer, sizeof(buffer)) < 0)
            break;
    for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++) {
        int file = openat(directory, files[i], O_RDONLY | O_CLOEXEC);
        if (file < 0)
            continue;
        while (read(file, buffer, sizeof(buffer)) == sizeof(buffer))
            ;
        close(file);
    }
    close(directory);
}

int main(void)
{
    char byte;

    while (read(STDIN_FILENO, &byte, 1) == 1) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;

        if (!proc)
            return 1;
        while ((entry = readdir(proc)))
            if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
                look_at(dirfd(proc), entry->d_name);
        closedir(proc);
        if (write(STDOUT_FILENO, &byte, 1) != 1)
            return 1;
    }
    return 0;
}
