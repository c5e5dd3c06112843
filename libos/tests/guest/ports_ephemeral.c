/* Ports that the system chooses: within the range of /proc/sys, all different, and an error when none is left. */
#include "net.h"
#include <sys/resource.h>

static unsigned char seen[65536];

static void note(int fd, int low, int high) {
    address_t address = local_address(fd);
    int port = port_of(&address);
    CHECK(port >= low && port <= high);
    CHECK_EQ(seen[port], 0);
    seen[port] = 1;
}

int main(void) {
    int low = 0, high = 0, last = -1;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    NEED(file ? 0 : -1);
    CHECK_EQ(fscanf(file, "%d %d", &low, &high), 2);
    fclose(file);
    CHECK(low > 1023 && high > low && high < 65536);
    address_t address, to;
    int server = listener(AF_INET, 128, &to);
    for (int i = 0; i < 100; i++)
        note(bound_socket(AF_INET, SOCK_STREAM, &address), low, high);
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < 100; i++)
        note(connected_to(&to), low, high);
    close(server);

    /* As many UDP sockets as there are ports, if so many descriptors may be open. */
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    memset(seen, 0, sizeof seen);
    int opened = 0, failure = 0;
    for (; opened <= high - low + 1; opened++) {
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        if (fd == -1) {
            failure = errno;
            break;
        }
        address = loopback(AF_INET, 0);
        if (try_bind(fd, &address) == -1) {
            failure = errno;
            last = fd;
            break;
        }
        note(fd, low, high);
    }
    if (failure == EMFILE) {
        CHECK((rlim_t)opened + 300 > limit.rlim_cur);
        return VERDICT();
    }
    CHECK_EQ(failure, EADDRINUSE);
    CHECK(opened > (high - low) / 2 && opened <= high - low + 1);
    /* One is given back: there is one again. */
    close(last - 1);
    address = loopback(AF_INET, 0);
    CHECK_OK(try_bind(last, &address));
    return VERDICT();
}
