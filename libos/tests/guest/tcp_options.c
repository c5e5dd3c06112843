/* Options of IPPROTO_TCP: each is set and read back within its range, and refused outside; TCP_INFO tells the state. */
#include "net.h"

struct range {
    int option, initial, good, bad;
    const char *name;
};
#define NO_BAD INT_MIN

static void integers(int fd) {
    static const struct range options[] = {
        {TCP_NODELAY, 0, 1, NO_BAD, "TCP_NODELAY"},
        {TCP_CORK, 0, 1, NO_BAD, "TCP_CORK"},
        {TCP_KEEPIDLE, 7200, 30, 0, "TCP_KEEPIDLE"},
        {TCP_KEEPIDLE, 30, 32767, 32768, "TCP_KEEPIDLE"},
        {TCP_KEEPINTVL, 75, 5, 0, "TCP_KEEPINTVL"},
        {TCP_KEEPCNT, 9, 3, 128, "TCP_KEEPCNT"},
        {TCP_SYNCNT, 6, 2, 256, "TCP_SYNCNT"},
        {TCP_LINGER2, 60, 10, NO_BAD, "TCP_LINGER2"},
        {TCP_USER_TIMEOUT, 0, 5000, -1, "TCP_USER_TIMEOUT"},
        {TCP_WINDOW_CLAMP, 0, 8192, NO_BAD, "TCP_WINDOW_CLAMP"},
        {TCP_FASTOPEN_CONNECT, 0, 1, 2, "TCP_FASTOPEN_CONNECT"},
        {TCP_NOTSENT_LOWAT, -1, 4096, NO_BAD, "TCP_NOTSENT_LOWAT"},
    };
    for (size_t i = 0; i < COUNT(options); i++) {
        const struct range *o = &options[i];
        int before = check_failures;
        if (o->initial != -1)
            CHECK_EQ(option_of(fd, IPPROTO_TCP, o->option), o->initial);
        CHECK_OK(set_option(fd, IPPROTO_TCP, o->option, o->good));
        CHECK_EQ(option_of(fd, IPPROTO_TCP, o->option), o->good);
        if (o->bad != NO_BAD)
            CHECK_ERR(set_option(fd, IPPROTO_TCP, o->option, o->bad), EINVAL);
        CHECK_EQ(option_of(fd, IPPROTO_TCP, o->option), o->good);
        if (check_failures != before)
            printf("  with %s\n", o->name);
    }
}

static void segment_size(void) {
    int fd = new_socket(AF_INET, SOCK_STREAM), pair[2];
    CHECK_EQ(option_of(fd, IPPROTO_TCP, TCP_MAXSEG), 536);
    CHECK_OK(set_option(fd, IPPROTO_TCP, TCP_MAXSEG, 1000));
    CHECK_ERR(set_option(fd, IPPROTO_TCP, TCP_MAXSEG, 87), EINVAL);
    CHECK_ERR(set_option(fd, IPPROTO_TCP, TCP_MAXSEG, 32768), EINVAL);
    close(fd);
    tcp_pair(pair);
    CHECK(option_of(pair[0], IPPROTO_TCP, TCP_MAXSEG) >= 536);
    close_pair(pair);
}

static void deferred_accept(void) {
    address_t address;
    int fd = listener(AF_INET, 4, &address);
    CHECK_EQ(option_of(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
    CHECK_OK(set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1));
    CHECK_EQ(option_of(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 1);
    /* A connection is accepted once it has sent something. */
    int client = connected_to(&address);
    CHECK_EQ(ready(fd, POLLIN, 30), 0);
    CHECK_EQ(write(client, "x", 1), 1);
    CHECK_EQ(wait_ready(fd, POLLIN), POLLIN);
    int accepted = (int)NEED(accept(fd, NULL, NULL));
    char byte;
    CHECK_EQ(recv(accepted, &byte, 1, MSG_DONTWAIT), 1);
    close(accepted), close(client), close(fd);
}

/* What is corked goes out when the cork is drawn, or TCP_NODELAY set anew. */
static void cork(void) {
    int pair[2];
    char text[8];
    tcp_pair(pair);
    CHECK_OK(set_option(pair[0], IPPROTO_TCP, TCP_CORK, 1));
    CHECK_EQ(write(pair[0], "one", 3), 3);
    CHECK_EQ(ready(pair[1], POLLIN, 20), 0);
    CHECK_EQ(write(pair[0], "two", 3), 3);
    CHECK_OK(set_option(pair[0], IPPROTO_TCP, TCP_CORK, 0));
    wait_ready(pair[1], POLLIN);
    CHECK_EQ(recv(pair[1], text, sizeof text, 0), 6);
    CHECK_EQ(send(pair[0], "three", 5, MSG_MORE), 5);
    CHECK_EQ(ready(pair[1], POLLIN, 20), 0);
    CHECK_EQ(send(pair[0], "!", 1, 0), 1);
    wait_ready(pair[1], POLLIN);
    CHECK_EQ(recv(pair[1], text, sizeof text, 0), 6);
    close_pair(pair);
}

static void information(void) {
    enum { ESTABLISHED = 1, CLOSE_WAIT = 8, CLOSED = 7, LISTEN = 10, FIN_WAIT1 = 4, FIN_WAIT2 = 5 };
    struct tcp_info info;
    socklen_t length = sizeof info;
    int pair[2], fd = new_socket(AF_INET, SOCK_STREAM);
    CHECK_OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
    CHECK_EQ(info.tcpi_state, CLOSED);
    address_t address;
    int server = listener(AF_INET, 7, &address);
    CHECK_OK(getsockopt(server, IPPROTO_TCP, TCP_INFO, &info, &length));
    CHECK_EQ(info.tcpi_state, LISTEN);
    CHECK_EQ(info.tcpi_sacked, 7); /* of a listener: its backlog */
    tcp_pair(pair);
    CHECK_OK(getsockopt(pair[0], IPPROTO_TCP, TCP_INFO, &info, &length));
    CHECK_EQ(info.tcpi_state, ESTABLISHED);
    CHECK(info.tcpi_snd_mss >= 536);
    CHECK(info.tcpi_rcv_mss > 0);
    CHECK(info.tcpi_snd_cwnd > 0);
    CHECK(info.tcpi_rto > 0);
    CHECK_EQ(info.tcpi_retransmits, 0);
    shutdown(pair[0], SHUT_WR);
    wait_ready(pair[1], POLLIN);
    CHECK_OK(getsockopt(pair[1], IPPROTO_TCP, TCP_INFO, &info, &length));
    CHECK_EQ(info.tcpi_state, CLOSE_WAIT);
    CHECK_OK(getsockopt(pair[0], IPPROTO_TCP, TCP_INFO, &info, &length));
    CHECK(info.tcpi_state == FIN_WAIT1 || info.tcpi_state == FIN_WAIT2);
    length = 1;
    CHECK_OK(getsockopt(pair[0], IPPROTO_TCP, TCP_INFO, &info, &length));
    CHECK_EQ(length, 1);
    close_pair(pair), close(fd), close(server);
}

int main(void) {
    int pair[2], fd = new_socket(AF_INET, SOCK_STREAM);
    integers(fd);
    close(fd);
    segment_size();
    deferred_accept();
    cork();
    information();
    tcp_pair(pair);
    CHECK_EQ(option_of(pair[0], IPPROTO_TCP, TCP_QUICKACK), 1);
    CHECK_OK(set_option(pair[0], IPPROTO_TCP, TCP_QUICKACK, 0));
    CHECK_EQ(option_of(pair[0], IPPROTO_TCP, TCP_QUICKACK), 0);
    CHECK_OK(set_option(pair[0], IPPROTO_TCP, TCP_NODELAY, 17));
    CHECK_EQ(option_of(pair[0], IPPROTO_TCP, TCP_NODELAY), 1);
    CHECK_ERR(setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, "", 1), EINVAL);
    CHECK_ERR(set_option(pair[0], IPPROTO_TCP, 9999, 1), ENOPROTOOPT);
    int value;
    socklen_t length = sizeof value;
    CHECK_ERR(getsockopt(pair[0], IPPROTO_TCP, 9999, &value, &length), ENOPROTOOPT);
    CHECK_ERR(syscall(SYS_setsockopt, pair[0], IPPROTO_TCP, TCP_NODELAY, 16, 4), EFAULT);
    char name[16] = "";
    length = sizeof name;
    CHECK_OK(getsockopt(pair[0], IPPROTO_TCP, TCP_CONGESTION, name, &length));
    CHECK(name[0] != 0);
    CHECK_OK(setsockopt(pair[0], IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    CHECK_ERR(setsockopt(pair[0], IPPROTO_TCP, TCP_CONGESTION, "nonsense", 8), ENOENT);
    close_pair(pair);
    return VERDICT();
}
