/* mknod and mkfifo: named pipes with their opening rules, plain files, refusals. */
#include "check.h"

static void *open_for_reading(void *unused) {
    (void)unused;
    return (void *)(intptr_t)open("fifo", O_RDONLY);
}

int main(void) {
    scratch();
    struct stat status;
    char text[8] = "";
    CHECK_OK(mkfifo("fifo", 0640));
    CHECK_OK(stat("fifo", &status));
    CHECK(S_ISFIFO(status.st_mode));
    CHECK_ERR(mkfifo("fifo", 0600), EEXIST);
    CHECK_ERR(mkfifo("missing/x", 0600), ENOENT);
    CHECK_OK(mknod("plain", S_IFREG | 0600, 0));
    CHECK_OK(stat("plain", &status));
    CHECK(S_ISREG(status.st_mode));
    CHECK_ERR(mknod("x", S_IFDIR | 0700, 0), EPERM);
    CHECK_ERR(mknod("x", 0170000, 0), EINVAL);

    CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    int early = (int)CHECK_OK(open("fifo", O_RDONLY | O_NONBLOCK));
    CHECK_EQ(read(early, text, 1), 0);
    close(early);
    /* A blocking open of each end waits for the other. */
    pthread_t reader = start_thread(open_for_reading, NULL);
    sleep_ms(30);
    int out = (int)CHECK_OK(open("fifo", O_WRONLY));
    void *opened;
    pthread_join(reader, &opened);
    int in = (int)(intptr_t)opened;
    CHECK(in >= 0);
    CHECK_EQ(write(out, "named", 5), 5);
    CHECK_EQ(read(in, text, sizeof text), 5);
    close(out);
    CHECK_EQ(read(in, text, sizeof text), 0);
    CHECK_ERR(lseek(in, 0, SEEK_SET), ESPIPE);
    return VERDICT();
}
