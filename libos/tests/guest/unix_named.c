/* Unix stream sockets with names: bind, listen, connect, accept, addresses, abstract names, refusals. */
#include "check.h"
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un address(const char *path) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strncpy(name.sun_path, path, sizeof name.sun_path - 1);
    return name;
}

static void *echo_upper(void *listener) {
    char text[16];
    int fd = (int)NEED(accept4((int)(intptr_t)listener, NULL, NULL, SOCK_CLOEXEC));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    long count = NEED(read(fd, text, sizeof text));
    for (long i = 0; i < count; i++)
        text[i] -= 'a' - 'A';
    CHECK_EQ(write(fd, text, (size_t)count), count);
    close(fd);
    return NULL;
}

static void converse(const struct sockaddr_un *name, socklen_t length) {
    char text[16] = "";
    int listener = (int)NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    NEED(bind(listener, (const struct sockaddr *)name, length));
    NEED(listen(listener, 5));
    pthread_t server = start_thread(echo_upper, (void *)(intptr_t)listener);
    int client = (int)NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_OK(connect(client, (const struct sockaddr *)name, length));
    struct sockaddr_un peer;
    socklen_t peer_length = sizeof peer;
    CHECK_OK(getpeername(client, (struct sockaddr *)&peer, &peer_length));
    CHECK_EQ(peer_length, length);
    CHECK(memcmp(&peer, name, length) == 0);
    CHECK_EQ(write(client, "hello", 5), 5);
    CHECK_EQ(read(client, text, sizeof text), 5);
    CHECK_STR(text, "HELLO");
    CHECK_EQ(read(client, text, sizeof text), 0);
    pthread_join(server, NULL);
    CHECK_ERR(connect(client, (const struct sockaddr *)name, length), EISCONN);
    close(client);
    close(listener);
}

static void refusals(void) {
    struct sockaddr_un used = address("s"), missing = address("missing");
    struct sockaddr_un plain = address(make_file("plain", ""));
    const struct sockaddr *to_used = (struct sockaddr *)&used;
    int fd = (int)NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_ERR(connect(fd, (struct sockaddr *)&missing, sizeof missing), ENOENT);
    CHECK_ERR(connect(fd, (struct sockaddr *)&plain, sizeof plain), ECONNREFUSED);
    CHECK_ERR(connect(fd, to_used, sizeof used), ECONNREFUSED);
    CHECK_ERR(bind(fd, to_used, sizeof used), EADDRINUSE);
    CHECK_ERR(listen(fd, 1), EINVAL);
    CHECK_ERR(accept(fd, NULL, NULL), EINVAL);
    CHECK_ERR(getpeername(fd, (struct sockaddr *)&used, &(socklen_t){sizeof used}), ENOTCONN);
    CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), ENOTCONN);
    CHECK_ERR(read(fd, &used, 1), EINVAL);
    CHECK_ERR(open("s", O_RDONLY), ENXIO);
    struct stat status;
    CHECK_OK(stat("s", &status));
    CHECK(S_ISSOCK(status.st_mode));
    int listener = (int)NEED(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    struct sockaddr_un other = address("other");
    NEED(bind(listener, (struct sockaddr *)&other, sizeof other));
    CHECK_ERR(bind(listener, (struct sockaddr *)&missing, sizeof missing), EINVAL);
    NEED(listen(listener, 1));
    CHECK_ERR(accept(listener, NULL, NULL), EAGAIN);
    /* Once nobody listens, the name refuses. */
    close(listener);
    CHECK_ERR(connect(fd, (struct sockaddr *)&other, sizeof other), ECONNREFUSED);
    CHECK_ERR(socket(AF_UNIX, 99, 0), EINVAL);
    CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 77), EPROTONOSUPPORT);
}

int main(void) {
    scratch();
    struct sockaddr_un named = address("s");
    converse(&named, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 2));
    struct sockaddr_un abstract = address("");
    memcpy(abstract.sun_path, "\0guest-test-abstract", 20);
    converse(&abstract, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 20));
    /* An abstract name is free again once closed. */
    converse(&abstract, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 20));
    refusals();
    return VERDICT();
}
