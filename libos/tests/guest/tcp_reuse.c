/* SO_REUSEADDR and SO_REUSEPORT of TCP: who may bind and listen where, also while connections wait for their end. */
#include "net.h"

static int bind_with(int option, const address_t *address, int wanted) {
    int fd = new_socket(address->any.sa_family, SOCK_STREAM);
    if (option)
        CHECK_OK(set_option(fd, SOL_SOCKET, option, 1));
    if (wanted)
        CHECK_ERR(try_bind(fd, address), wanted);
    else
        CHECK_OK(try_bind(fd, address));
    return fd;
}

int main(void) {
    address_t address, any;
    int first = bound_socket(AF_INET, SOCK_STREAM, &address);
    any = address;
    any.v4.sin_addr.s_addr = htonl(INADDR_ANY);
    close(bind_with(0, &address, EADDRINUSE));
    close(bind_with(0, &any, EADDRINUSE));
    /* Both must have the option. */
    close(bind_with(SO_REUSEADDR, &address, EADDRINUSE));
    CHECK_OK(set_option(first, SOL_SOCKET, SO_REUSEADDR, 1));
    int second = bind_with(SO_REUSEADDR, &address, 0);
    int third = bind_with(SO_REUSEADDR, &any, 0);
    CHECK_OK(listen(first, 1));
    CHECK_ERR(listen(second, 1), EADDRINUSE);
    CHECK_ERR(listen(third, 1), EADDRINUSE);
    close(bind_with(SO_REUSEADDR, &address, EADDRINUSE));
    close(second), close(third);
    /* Another address of the loopback is another place. */
    address_t other = address;
    other.v4.sin_addr.s_addr = htonl(0x7f000002);
    close(bind_with(0, &other, 0));

    /* The side that closes first keeps the port for a while; a new listener needs the option. */
    int client = connected_to(&address);
    int accepted = (int)NEED(accept(first, NULL, NULL));
    char byte;
    close(accepted);
    CHECK_EQ(read(client, &byte, 1), 0);
    close(client), close(first);
    close(bind_with(0, &address, EADDRINUSE));
    first = bind_with(SO_REUSEADDR, &address, 0);
    CHECK_OK(listen(first, 1));
    client = connected_to(&address);
    accepted = (int)NEED(accept(first, NULL, NULL));
    close(client), close(accepted), close(first);

    /* SO_REUSEPORT: several listeners at once, and each connection reaches one of them. */
    int group[2];
    address = loopback(AF_INET, 0);
    group[0] = bind_with(SO_REUSEPORT, &address, 0);
    address = local_address(group[0]);
    group[1] = bind_with(SO_REUSEPORT, &address, 0);
    close(bind_with(0, &address, EADDRINUSE));
    close(bind_with(SO_REUSEADDR, &address, EADDRINUSE));
    int reached[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        CHECK_OK(listen(group[i], 64));
        set_nonblocking(group[i]);
    }
    for (int i = 0; i < 64; i++) {
        client = connected_to(&address);
        for (int j = 0; j < 2; j++) {
            int fd = accept(group[j], NULL, NULL);
            if (fd >= 0)
                reached[j]++, close(fd);
        }
        close(client);
    }
    CHECK_EQ(reached[0] + reached[1], 64);
    CHECK(reached[0] > 0);
    CHECK(reached[1] > 0);
    close(group[0]), close(group[1]);
    CHECK_EQ(option_of(new_socket(AF_INET, SOCK_STREAM), SOL_SOCKET, SO_REUSEPORT), 0);
    return VERDICT();
}
