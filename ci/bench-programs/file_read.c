/* A file of 4 KiB in memory ($TMPDIR, else /tmp) is opened, read and closed. */
#include "measure.h"
#include <fcntl.h>
#include <unistd.h>

int main(void) {
    enum { ROUNDS = 200000 };
    static char block[4096];
    char path[4096];
    const char *directory = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/bench-file-XXXXXX", directory ? directory : "/tmp");
    int fd = mkstemp(path);
    require(fd >= 0, path);
    require(write(fd, block, sizeof block) == sizeof block, "write");
    close(fd);
    double start = now_ns();
    for (int i = 0; i < ROUNDS; i++) {
        fd = open(path, O_RDONLY);
        require(fd >= 0, "open");
        require(read(fd, block, sizeof block) == sizeof block, "read");
        close(fd);
    }
    report(start, ROUNDS);
    unlink(path);
    return 0;
}
