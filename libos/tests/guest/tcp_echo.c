/* TCP over the loopback: connect, accept, echo, end; IPv4, IPv6, and IPv4 through an IPv6 socket. */
#include "net.h"

static void *echo_once(void *argument) {
    int server = *(int *)argument, flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    address_t peer;
    socklen_t length = sizeof peer;
    int client = (int)NEED(accept4(server, &peer.any, &length, flags));
    CHECK_EQ(fcntl(client, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(client, F_GETFL), O_RDWR | O_NONBLOCK);
    char text[256];
    for (;;) {
        wait_ready(client, POLLIN);
        ssize_t received = NEED(recv(client, text, sizeof text, 0));
        if (received == 0)
            break;
        send_all(client, text, (size_t)received);
    }
    close(client);
    return (void *)(long)port_of(&peer);
}

static void converse(int server, const address_t *address) {
    pthread_t echo = start_thread(echo_once, &server);
    int client = connected_to(address);
    char text[32] = "";
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(write(client, "round and back", 14), 14);
        CHECK_EQ(receive_all(client, text, 14), 14);
        CHECK_STR(text, "round and back");
    }
    address_t own = local_address(client);
    CHECK_EQ(shutdown(client, SHUT_WR), 0);
    CHECK_EQ(read(client, text, sizeof text), 0);
    void *seen_port;
    pthread_join(echo, &seen_port);
    CHECK_EQ((long)seen_port, port_of(&own));
    close(client);
}

/* A listener on all of IPv6 takes IPv4 too, and shows such a peer as ::ffff:127.0.0.1. */
static void mapped(void) {
    int server = new_socket(AF_INET6, SOCK_STREAM);
    address_t any = {.v6 = {.sin6_family = AF_INET6}}, address, peer;
    CHECK_EQ(option_of(server, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    NEED(try_bind(server, &any));
    NEED(listen(server, 5));
    any = local_address(server);
    address = loopback(AF_INET, port_of(&any));
    converse(server, &address);
    int client = connected_to(&address);
    socklen_t length = sizeof peer;
    int accepted = (int)NEED(accept(server, &peer.any, &length));
    CHECK_EQ(length, sizeof peer.v6);
    char text[64];
    CHECK_STR(inet_ntop(AF_INET6, &peer.v6.sin6_addr, text, sizeof text), "::ffff:127.0.0.1");
    address_t own = local_address(accepted);
    CHECK_STR(inet_ntop(AF_INET6, &own.v6.sin6_addr, text, sizeof text), "::ffff:127.0.0.1");
    close(client);
    close(accepted);
    address = loopback(AF_INET6, port_of(&any));
    converse(server, &address);

    /* An IPv6 socket connects to an IPv4 listener by the mapped address. */
    int server4 = listener(AF_INET, 1, &address);
    address_t to = {.v6 = {.sin6_family = AF_INET6, .sin6_port = address.v4.sin_port}};
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.v6.sin6_addr);
    client = connected_to(&to);
    accepted = (int)NEED(accept(server4, &peer.any, &length));
    CHECK_EQ(peer.any.sa_family, AF_INET);
    CHECK_EQ(peer.v4.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    close(client), close(accepted), close(server), close(server4);
}

int main(void) {
    int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        address_t address;
        int server = listener(families[i], 5, &address);
        CHECK_EQ(option_of(server, SOL_SOCKET, SO_ACCEPTCONN), 1);
        converse(server, &address);
        close(server);
    }
    mapped();
    /* Any address of 127/8 is the loopback; 0.0.0.0 as a destination too. */
    address_t other = {.v4 = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f010203)}}};
    int server = new_socket(AF_INET, SOCK_STREAM);
    NEED(try_bind(server, &other));
    NEED(listen(server, 1));
    other = local_address(server);
    int client = connected_to(&other);
    close(client), close(server);
    server = listener(AF_INET, 1, &other);
    other.v4.sin_addr.s_addr = 0;
    client = connected_to(&other);
    address_t own = local_address(client);
    CHECK_EQ(own.v4.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    close(client), close(server);
    return VERDICT();
}
