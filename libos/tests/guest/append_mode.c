/* O_APPEND: every write goes to the end, also of several threads at once and after F_SETFL. */
#include "check.h"

enum { WRITERS = 4, LINES = 500 };

static void *append_lines(void *which) {
    char line[8];
    memset(line, 'a' + (int)(intptr_t)which, 7);
    line[7] = '\n';
    int fd = (int)NEED(open("log", O_WRONLY | O_APPEND));
    for (int i = 0; i < LINES; i++)
        CHECK_EQ(write(fd, line, 8), 8);
    close(fd);
    return NULL;
}

int main(void) {
    scratch();
    int fd = (int)NEED(open(make_file("f", "start"), O_RDWR | O_APPEND));
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(write(fd, "1", 1), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
    CHECK_OK(fcntl(fd, F_SETFL, 0));
    lseek(fd, 0, SEEK_SET);
    CHECK_EQ(write(fd, "S", 1), 1);
    char text[16] = "";
    CHECK_EQ(pread(fd, text, 15, 0), 6);
    CHECK_STR(text, "Start1");
    CHECK_OK(fcntl(fd, F_SETFL, O_APPEND));
    CHECK_EQ(write(fd, "2", 1), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 7);

    make_file("log", "");
    pthread_t writers[WRITERS];
    for (intptr_t i = 0; i < WRITERS; i++)
        writers[i] = start_thread(append_lines, (void *)i);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    static char log[WRITERS * LINES * 8 + 1];
    int log_fd = (int)NEED(open("log", O_RDONLY));
    CHECK_EQ(read(log_fd, log, sizeof log), WRITERS * LINES * 8);
    int torn = 0;
    for (int i = 0; i < WRITERS * LINES; i++)
        for (int j = 1; j < 7; j++)
            torn += log[i * 8 + j] != log[i * 8];
    CHECK_EQ(torn, 0);
    return VERDICT();
}
