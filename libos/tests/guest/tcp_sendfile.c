/* sendfile and splice into and out of TCP: whole files, offsets, partial transfers on a full connection. */
#include "net.h"
#include <sys/sendfile.h>

enum { SIZE = 3 << 20 };

static int pair[2];
static unsigned char *content;

static void *receive_file(void *unused) {
    unsigned char *found = malloc(SIZE);
    CHECK_EQ(receive_all(pair[1], found, SIZE), SIZE);
    CHECK_EQ(memcmp(found, content, SIZE), 0);
    free(found);
    return unused;
}

int main(void) {
    scratch();
    signal(SIGPIPE, SIG_IGN);
    content = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (unsigned char)(i * 31 + (i >> 9));
    int file = (int)NEED(open("file", O_RDWR | O_CREAT, 0600));
    NEED(write(file, content, SIZE) == SIZE ? 0 : -1);
    char text[64] = "";
    tcp_pair(pair);

    off_t offset = 100;
    CHECK_EQ(sendfile(pair[0], file, &offset, 50), 50);
    CHECK_EQ(offset, 150);
    CHECK_EQ(receive_all(pair[1], text, 50), 50);
    CHECK_EQ(memcmp(text, content + 100, 50), 0);
    CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
    CHECK_EQ(sendfile(pair[0], file, NULL, 10), 10);
    CHECK_EQ(lseek(file, 0, SEEK_CUR), 10);
    CHECK_EQ(receive_all(pair[1], text, 10), 10);
    offset = SIZE;
    CHECK_EQ(sendfile(pair[0], file, &offset, 10), 0);

    pthread_t receiver = start_thread(receive_file, NULL);
    offset = 0;
    while (offset < SIZE)
        NEED(sendfile(pair[0], file, &offset, (size_t)(SIZE - offset)) > 0 ? 0 : -1);
    pthread_join(receiver, NULL);

    /* Nonblocking: as much as fits, then EAGAIN; the offset tells how far it came. */
    set_nonblocking(pair[0]);
    CHECK_OK(set_option(pair[0], SOL_SOCKET, SO_SNDBUF, 20000));
    receiver = 0;
    offset = 0;
    long done, total = 0;
    for (int i = 0; i < 10000 && (done = sendfile(pair[0], file, &offset, (size_t)(SIZE - offset))) > 0; i++) {
        total += done;
        if (offset == SIZE)
            offset = 0;
    }
    CHECK_EQ(done, -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(total % SIZE, offset % SIZE);
    close_pair(pair);

    /* splice: pipe to socket, socket to pipe. */
    int ends[2];
    tcp_pair(pair);
    NEED(pipe(ends));
    CHECK_EQ(write(ends[1], "through the pipe", 16), 16);
    CHECK_EQ(splice(ends[0], NULL, pair[0], NULL, 16, 0), 16);
    wait_ready(pair[1], POLLIN);
    CHECK_EQ(splice(pair[1], NULL, ends[1], NULL, 100, 0), 16);
    CHECK_EQ(read(ends[0], text, sizeof text), 16);
    CHECK_EQ(memcmp(text, "through the pipe", 16), 0);
    set_nonblocking(pair[1]);
    CHECK_ERR(splice(pair[1], NULL, ends[1], NULL, 100, 0), EAGAIN);
    CHECK_ERR(splice(pair[1], NULL, pair[0], NULL, 100, 0), EINVAL);
    shutdown(pair[0], SHUT_WR);
    wait_ready(pair[1], POLLIN);
    CHECK_EQ(splice(pair[1], NULL, ends[1], NULL, 100, 0), 0);
    CHECK_ERR(sendfile(pair[0], pair[1], NULL, 10), EINVAL);
    int fresh = new_socket(AF_INET, SOCK_STREAM);
    offset = 0;
    CHECK_ERR(sendfile(fresh, file, &offset, 10), EPIPE);
    return VERDICT();
}
