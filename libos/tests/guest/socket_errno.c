/* The socket-errno table: every call on a socket in every state; one line each with the result or errno.
 *
 * The program itself promises nothing: ci/guest compares the output of the image with that of Linux, line by
 * line. Output: compared with Linux.
 */
#include "net.h"
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/un.h>

/* A kind of socket. */
struct kind {
    const char *name;
    int family, type;
};

static const struct kind kinds[] = {
    {"tcp4", AF_INET, SOCK_STREAM},       {"tcp6", AF_INET6, SOCK_STREAM},
    {"udp4", AF_INET, SOCK_DGRAM},        {"udp6", AF_INET6, SOCK_DGRAM},
    {"unix-stream", AF_UNIX, SOCK_STREAM}, {"unix-dgram", AF_UNIX, SOCK_DGRAM},
    {"unix-seqpacket", AF_UNIX, SOCK_SEQPACKET},
};

/* What a state is made of: the socket under test, and others that must live as long. */
struct scene {
    const struct kind *kind;
    int fd, peer, server;
    struct sockaddr_storage peer_name;
    socklen_t peer_length;
};

static int number;

static socklen_t new_name(const struct kind *kind, struct sockaddr_storage *name) {
    if (kind->family != AF_UNIX) {
        address_t address = loopback(kind->family, 0);
        memcpy(name, &address, sizeof *name);
        return address_length(&address);
    }
    struct sockaddr_un *path = (struct sockaddr_un *)name;
    memset(name, 0, sizeof *name);
    path->sun_family = AF_UNIX;
    int length = snprintf(path->sun_path, sizeof path->sun_path, "socket-%d", number++);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length + 1);
}

/* A bound socket of the kind; its name. */
static int make_bound(struct scene *scene, struct sockaddr_storage *name, socklen_t *length) {
    int fd = (int)NEED(socket(scene->kind->family, scene->kind->type | SOCK_NONBLOCK, 0));
    *length = new_name(scene->kind, name);
    NEED(bind(fd, (struct sockaddr *)name, *length));
    *length = sizeof *name;
    NEED(getsockname(fd, (struct sockaddr *)name, length));
    return fd;
}

static int connects(const struct kind *kind) {
    return kind->type != SOCK_DGRAM;
}

static void fresh(struct scene *scene) {
    scene->fd = (int)NEED(socket(scene->kind->family, scene->kind->type | SOCK_NONBLOCK, 0));
}

static void bound(struct scene *scene) {
    struct sockaddr_storage name;
    socklen_t length;
    scene->fd = make_bound(scene, &name, &length);
}

static void listening(struct scene *scene) {
    bound(scene);
    listen(scene->fd, 2);
}

static void listening_with_one(struct scene *scene) {
    scene->fd = make_bound(scene, &scene->peer_name, &scene->peer_length);
    NEED(listen(scene->fd, 2));
    scene->peer = (int)NEED(socket(scene->kind->family, scene->kind->type, 0));
    NEED(connect(scene->peer, (struct sockaddr *)&scene->peer_name, scene->peer_length));
    wait_ready(scene->fd, POLLIN);
}

/* A connection in progress, to a listener whose backlog is full. */
static void connecting(struct scene *scene) {
    scene->server = make_bound(scene, &scene->peer_name, &scene->peer_length);
    NEED(listen(scene->server, 0));
    scene->peer = (int)NEED(socket(scene->kind->family, scene->kind->type, 0));
    NEED(connect(scene->peer, (struct sockaddr *)&scene->peer_name, scene->peer_length));
    fresh(scene);
    connect(scene->fd, (struct sockaddr *)&scene->peer_name, scene->peer_length);
}

/* A connection that was refused, before anybody has asked. */
static void refused(struct scene *scene) {
    scene->server = make_bound(scene, &scene->peer_name, &scene->peer_length);
    fresh(scene);
    connect(scene->fd, (struct sockaddr *)&scene->peer_name, scene->peer_length);
    if (!connects(scene->kind)) {
        close(scene->server);
        scene->server = -1;
        if (scene->kind->family != AF_UNIX)
            send(scene->fd, "x", 1, 0);
    }
    if (scene->kind->family != AF_UNIX)
        wait_ready(scene->fd, POLLERR);
}

static void connected(struct scene *scene) {
    if (scene->kind->family == AF_UNIX) {
        int pair[2];
        NEED(socketpair(AF_UNIX, scene->kind->type | SOCK_NONBLOCK, 0, pair));
        scene->fd = pair[0], scene->peer = pair[1];
        return;
    }
    int server = make_bound(scene, &scene->peer_name, &scene->peer_length);
    fresh(scene);
    if (connects(scene->kind)) {
        NEED(listen(server, 1));
        connect(scene->fd, (struct sockaddr *)&scene->peer_name, scene->peer_length);
        wait_ready(server, POLLIN);
        scene->peer = (int)NEED(accept4(server, NULL, NULL, SOCK_NONBLOCK));
        close(server);
        wait_ready(scene->fd, POLLOUT);
        connect(scene->fd, (struct sockaddr *)&scene->peer_name, scene->peer_length);
        return;
    }
    NEED(connect(scene->fd, (struct sockaddr *)&scene->peer_name, scene->peer_length));
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    NEED(getsockname(scene->fd, (struct sockaddr *)&own, &length));
    NEED(connect(server, (struct sockaddr *)&own, length));
    scene->peer = server;
}

static void with_data(struct scene *scene) {
    connected(scene);
    NEED(send(scene->peer, "some data", 9, 0));
    wait_ready(scene->fd, POLLIN);
}

static void shut_read(struct scene *scene) {
    connected(scene);
    shutdown(scene->fd, SHUT_RD);
}

static void shut_write(struct scene *scene) {
    connected(scene);
    shutdown(scene->fd, SHUT_WR);
    sleep_ms(1);
}

static void shut_both(struct scene *scene) {
    connected(scene);
    shutdown(scene->fd, SHUT_RDWR);
    sleep_ms(1);
}

static void peer_shut_write(struct scene *scene) {
    connected(scene);
    shutdown(scene->peer, SHUT_WR);
    if (connects(scene->kind))
        wait_ready(scene->fd, POLLIN);
}

static void peer_shut_both(struct scene *scene) {
    connected(scene);
    shutdown(scene->peer, SHUT_RDWR);
    if (connects(scene->kind))
        wait_ready(scene->fd, POLLIN);
}

static void peer_closed(struct scene *scene) {
    connected(scene);
    close(scene->peer);
    scene->peer = -1;
    if (connects(scene->kind))
        wait_ready(scene->fd, POLLIN);
}

static void both_ended(struct scene *scene) {
    connected(scene);
    shutdown(scene->fd, SHUT_WR);
    close(scene->peer);
    scene->peer = -1;
    if (connects(scene->kind))
        wait_ready(scene->fd, POLLIN);
    sleep_ms(1);
}

/* Reset by a peer that closed with unread data. */
static void reset(struct scene *scene) {
    connected(scene);
    NEED(send(scene->fd, "unread", 6, 0));
    wait_ready(scene->peer, POLLIN);
    close(scene->peer);
    scene->peer = -1;
    if (connects(scene->kind))
        wait_ready(scene->fd, POLLIN);
}

static void reset_and_told(struct scene *scene) {
    reset(scene);
    char byte;
    (void)!recv(scene->fd, &byte, 1, MSG_DONTWAIT);
}

static void disconnected(struct scene *scene) {
    connected(scene);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    connect(scene->fd, &none, sizeof none);
}

struct state {
    const char *name;
    void (*enter)(struct scene *);
    int only_connecting, only_inet;
};

static const struct state states[] = {
    {"fresh", fresh, 0, 0},
    {"bound", bound, 0, 0},
    {"listening", listening, 1, 0},
    {"listening with one waiting", listening_with_one, 1, 0},
    {"connecting", connecting, 1, 0},
    {"refused", refused, 0, 0},
    {"connected", connected, 0, 0},
    {"connected with data", with_data, 0, 0},
    {"shut for reading", shut_read, 0, 0},
    {"shut for writing", shut_write, 0, 0},
    {"shut for both", shut_both, 0, 0},
    {"peer shut for writing", peer_shut_write, 0, 0},
    {"peer shut for both", peer_shut_both, 0, 0},
    {"peer closed", peer_closed, 0, 0},
    {"both ended", both_ended, 1, 0},
    {"reset", reset, 0, 0},
    {"reset and told", reset_and_told, 0, 0},
    {"disconnected", disconnected, 0, 1},
};

static char buffer[64];
static struct iovec part = {buffer, 4};

static long call_bind(struct scene *scene) {
    struct sockaddr_storage name;
    socklen_t length = new_name(scene->kind, &name);
    return bind(scene->fd, (struct sockaddr *)&name, length);
}

static long call_listen(struct scene *scene) {
    return listen(scene->fd, 1);
}

static long call_accept(struct scene *scene) {
    int fd = accept4(scene->fd, NULL, NULL, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0 ? 1 : fd;
}

/* Where nobody listens. */
static long call_connect(struct scene *scene) {
    struct sockaddr_storage name;
    socklen_t length;
    int nobody = make_bound(scene, &name, &length);
    long result = connect(scene->fd, (struct sockaddr *)&name, length);
    int failure = errno;
    close(nobody);
    errno = failure;
    return result;
}

static long call_connect_nowhere(struct scene *scene) {
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    return connect(scene->fd, &none, sizeof none);
}

static long call_read(struct scene *scene) {
    return read(scene->fd, buffer, 4);
}

static long call_readv(struct scene *scene) {
    return readv(scene->fd, &part, 1);
}

static long call_recv_peek(struct scene *scene) {
    return recv(scene->fd, buffer, 4, MSG_PEEK | MSG_DONTWAIT);
}

static long call_recv_oob(struct scene *scene) {
    return recv(scene->fd, buffer, 1, MSG_OOB | MSG_DONTWAIT);
}

static long call_recv_errqueue(struct scene *scene) {
    return recv(scene->fd, buffer, 1, MSG_ERRQUEUE | MSG_DONTWAIT);
}

static long call_recvfrom(struct scene *scene) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    return recvfrom(scene->fd, buffer, 4, 0, (struct sockaddr *)&from, &length);
}

static long call_recvmsg(struct scene *scene) {
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return recvmsg(scene->fd, &message, 0);
}

static long call_recvmmsg(struct scene *scene) {
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    return recvmmsg(scene->fd, &message, 1, 0, NULL);
}

static long call_write(struct scene *scene) {
    return write(scene->fd, "data", 4);
}

static long call_writev(struct scene *scene) {
    return writev(scene->fd, &part, 1);
}

static long call_send(struct scene *scene) {
    return send(scene->fd, "data", 4, MSG_NOSIGNAL);
}

static long call_send_empty(struct scene *scene) {
    return send(scene->fd, "", 0, MSG_NOSIGNAL);
}

static long call_send_bad_pointer(struct scene *scene) {
    return send(scene->fd, (void *)16, 4, MSG_NOSIGNAL);
}

static long call_sendto(struct scene *scene) {
    struct sockaddr_storage name;
    socklen_t length;
    int nobody = make_bound(scene, &name, &length);
    long result = sendto(scene->fd, "data", 4, MSG_NOSIGNAL, (struct sockaddr *)&name, length);
    int failure = errno;
    close(nobody);
    errno = failure;
    return result;
}

static long call_sendmsg(struct scene *scene) {
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return sendmsg(scene->fd, &message, MSG_NOSIGNAL);
}

static long call_sendmmsg(struct scene *scene) {
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    return sendmmsg(scene->fd, &message, 1, MSG_NOSIGNAL);
}

static long call_sendfile(struct scene *scene) {
    static int file = -1;
    if (file == -1)
        file = (int)NEED(open(make_file("content", "text of a file"), O_RDONLY));
    off_t offset = 0;
    return sendfile(scene->fd, file, &offset, 4);
}

static long call_shutdown_read(struct scene *scene) {
    return shutdown(scene->fd, SHUT_RD);
}

static long call_shutdown_write(struct scene *scene) {
    return shutdown(scene->fd, SHUT_WR);
}

static long call_shutdown_both(struct scene *scene) {
    return shutdown(scene->fd, SHUT_RDWR);
}

static long call_getsockname(struct scene *scene) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    return getsockname(scene->fd, (struct sockaddr *)&name, &length);
}

static long call_getpeername(struct scene *scene) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    return getpeername(scene->fd, (struct sockaddr *)&name, &length);
}

static long call_error(struct scene *scene) {
    int value = -1;
    socklen_t length = sizeof value;
    long result = getsockopt(scene->fd, SOL_SOCKET, SO_ERROR, &value, &length);
    return result == 0 ? value : result;
}

static long call_accepting(struct scene *scene) {
    int value = -1;
    socklen_t length = sizeof value;
    long result = getsockopt(scene->fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length);
    return result == 0 ? value : result;
}

static long call_tcp_state(struct scene *scene) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    long result = getsockopt(scene->fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    /* FIN-WAIT-1 becomes FIN-WAIT-2 when the acknowledgement comes, which may be late. */
    if (info.tcpi_state == 4)
        info.tcpi_state = 5;
    return result == 0 ? info.tcpi_state : result;
}

static long call_nodelay(struct scene *scene) {
    int on = 1;
    return setsockopt(scene->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static long call_available(struct scene *scene) {
    int value = -1;
    long result = ioctl(scene->fd, FIONREAD, &value);
    return result == 0 ? value : result;
}

static long call_poll(struct scene *scene) {
    return ready(scene->fd, POLLIN | POLLPRI | POLLOUT | POLLRDHUP, 0);
}

static long call_epoll(struct scene *scene) {
    int epoll = (int)NEED(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP};
    NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, scene->fd, &event));
    long result = epoll_wait(epoll, &event, 1, 0);
    close(epoll);
    return result == 1 ? (long)event.events : result;
}

static long call_seek(struct scene *scene) {
    return lseek(scene->fd, 0, SEEK_CUR);
}

static long call_truncate(struct scene *scene) {
    return ftruncate(scene->fd, 0);
}

static long call_sync(struct scene *scene) {
    return fsync(scene->fd);
}

static const struct {
    const char *name;
    long (*run)(struct scene *);
} calls[] = {
    {"bind", call_bind},
    {"listen", call_listen},
    {"accept", call_accept},
    {"connect to nobody", call_connect},
    {"connect to AF_UNSPEC", call_connect_nowhere},
    {"read", call_read},
    {"readv", call_readv},
    {"recv MSG_PEEK", call_recv_peek},
    {"recv MSG_OOB", call_recv_oob},
    {"recv MSG_ERRQUEUE", call_recv_errqueue},
    {"recvfrom", call_recvfrom},
    {"recvmsg", call_recvmsg},
    {"recvmmsg", call_recvmmsg},
    {"write", call_write},
    {"writev", call_writev},
    {"send", call_send},
    {"send of nothing", call_send_empty},
    {"send from a bad pointer", call_send_bad_pointer},
    {"sendto nobody", call_sendto},
    {"sendmsg", call_sendmsg},
    {"sendmmsg", call_sendmmsg},
    {"sendfile", call_sendfile},
    {"shutdown SHUT_RD", call_shutdown_read},
    {"shutdown SHUT_WR", call_shutdown_write},
    {"shutdown SHUT_RDWR", call_shutdown_both},
    {"getsockname", call_getsockname},
    {"getpeername", call_getpeername},
    {"SO_ERROR", call_error},
    {"SO_ACCEPTCONN", call_accepting},
    {"TCP_INFO's state", call_tcp_state},
    {"set TCP_NODELAY", call_nodelay},
    {"FIONREAD", call_available},
    {"poll", call_poll},
    {"epoll_wait", call_epoll},
    {"lseek", call_seek},
    {"ftruncate", call_truncate},
    {"fsync", call_sync},
};

static void run(const struct kind *kind, const struct state *state, size_t at) {
    struct scene scene = {.kind = kind, .fd = -1, .peer = -1, .server = -1};
    state->enter(&scene);
    memcpy(buffer, "data", 4);
    errno = 0;
    long result = calls[at].run(&scene);
    int failure = errno;
    /* A second call shows what the first one left behind. */
    errno = 0;
    long again = calls[at].run(&scene);
    int failure_again = errno;
    printf("%s, %s, %s: ", kind->name, state->name, calls[at].name);
    if (result == -1)
        printf("%s", check_errno_name(failure));
    else
        printf("%ld", result);
    if (again == -1)
        printf(", then %s\n", check_errno_name(failure_again));
    else
        printf(", then %ld\n", again);
    close(scene.fd);
    if (scene.peer >= 0)
        close(scene.peer);
    if (scene.server >= 0)
        close(scene.server);
}

int main(void) {
    scratch();
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < COUNT(kinds); i++)
        for (size_t j = 0; j < COUNT(states); j++)
            for (size_t k = 0; k < COUNT(calls); k++) {
                if (states[j].only_connecting && !connects(&kinds[i]))
                    continue;
                if (states[j].only_inet && kinds[i].family == AF_UNIX)
                    continue;
                run(&kinds[i], &states[j], k);
            }
    return VERDICT();
}
