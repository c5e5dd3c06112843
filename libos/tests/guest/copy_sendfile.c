/* copy_file_range and sendfile: offsets, short counts, overlap, and refusals. */
#include "check.h"
#include <sys/sendfile.h>

int main(void) {
    scratch();
    char text[32] = "";
    int from = (int)NEED(open(make_file("from", "0123456789"), O_RDWR));
    int to = (int)NEED(open("to", O_RDWR | O_CREAT, 0600));
    int ends[2];
    NEED(pipe(ends));

    CHECK_EQ(copy_file_range(from, NULL, to, NULL, 4, 0), 4);
    CHECK_EQ(lseek(from, 0, SEEK_CUR), 4);
    CHECK_EQ(lseek(to, 0, SEEK_CUR), 4);
    off_t in = 8, out = 6;
    CHECK_EQ(copy_file_range(from, &in, to, &out, 100, 0), 2);
    CHECK_EQ(in, 10);
    CHECK_EQ(out, 8);
    CHECK_EQ(lseek(from, 0, SEEK_CUR), 4);
    CHECK_EQ(pread(to, text, sizeof text, 0), 8);
    CHECK(memcmp(text, "0123\0\0" "89", 8) == 0);
    CHECK_EQ(copy_file_range(from, &in, to, NULL, 5, 0), 0);
    in = 0;
    out = 2;
    CHECK_ERR(copy_file_range(from, &in, from, &out, 5, 0), EINVAL);
    out = 10;
    CHECK_EQ(copy_file_range(from, &in, from, &out, 5, 0), 5);
    CHECK_ERR(copy_file_range(from, NULL, to, NULL, 1, 1), EINVAL);
    CHECK_ERR(copy_file_range(-1, NULL, to, NULL, 1, 0), EBADF);
    CHECK_ERR(copy_file_range(from, NULL, (int)NEED(open("to", O_RDONLY)), NULL, 1, 0), EBADF);
    CHECK_ERR(copy_file_range((int)NEED(open(".", O_RDONLY)), NULL, to, NULL, 1, 0), EISDIR);
    CHECK_ERR(copy_file_range(from, NULL, ends[1], NULL, 1, 0), EINVAL);
    CHECK_ERR(copy_file_range(from, NULL, (int)NEED(open("to", O_WRONLY | O_APPEND)), NULL, 1, 0),
              EBADF);

    in = 3;
    CHECK_EQ(sendfile(ends[1], from, &in, 4), 4);
    CHECK_EQ(in, 7);
    CHECK_EQ(read(ends[0], text, sizeof text), 4);
    CHECK(memcmp(text, "3456", 4) == 0);
    lseek(from, 13, SEEK_SET);
    CHECK_EQ(sendfile(to, from, NULL, 100), 2);
    CHECK_EQ(lseek(from, 0, SEEK_CUR), 15);
    CHECK_EQ(sendfile(to, from, NULL, 100), 0);
    CHECK_ERR(sendfile(to, -1, NULL, 1), EBADF);
    CHECK_ERR(sendfile(-1, from, NULL, 1), EBADF);
    in = -1;
    CHECK_ERR(sendfile(to, from, &in, 1), EINVAL);
    in = 0;
    CHECK_ERR(sendfile(to, ends[0], &in, 1), ESPIPE);
    return VERDICT();
}
