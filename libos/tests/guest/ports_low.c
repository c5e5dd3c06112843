/* Ports that need a privilege: those below net.ipv4.ip_unprivileged_port_start, and no other. */
#include "net.h"

static void of(int type, int port, int start) {
    int fd = new_socket(AF_INET, type);
    address_t address = loopback(AF_INET, port);
    int result = try_bind(fd, &address);
    /* Another program of the host may have it. */
    if (result == -1 && errno == EADDRINUSE && port >= start)
        return;
    if (port >= start)
        CHECK_EQ(result, 0);
    else
        CHECK(result == -1 && errno == EACCES);
    close(fd);
}

int main(void) {
    int start = -1;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
    NEED(file ? 0 : -1);
    CHECK_EQ(fscanf(file, "%d", &start), 1);
    fclose(file);
    CHECK(start >= 0 && start <= 65536);
    if (getuid() == 0)
        NEED(setuid(65534));
    int ports[] = {1, 80, 443, 1023, 1024, 8080};
    for (unsigned i = 0; i < sizeof ports / sizeof *ports; i++) {
        of(SOCK_STREAM, ports[i], start);
        of(SOCK_DGRAM, ports[i], start);
    }
    return VERDICT();
}
