/* File maps: private copies, shared ones coherent with read and write, offsets, the tail, refusals. */
#include "check.h"
#include <sys/mman.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

static void private_map(int fd) {
    char back[8];
    char *map = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
    NEED(map == MAP_FAILED ? -1 : 0);
    CHECK(memcmp(map, "page zero", 9) == 0);
    CHECK(memcmp(map + PAGE, "page one", 8) == 0);
    memcpy(map, "PRIVATE!", 8);
    CHECK_EQ(pread(fd, back, 8, 0), 8);
    CHECK(memcmp(back, "page zer", 8) == 0);
    CHECK_OK(munmap(map, 2 * PAGE));
    map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    CHECK(map != MAP_FAILED && memcmp(map, "page one", 8) == 0);
    CHECK_EQ(map[100], 0); /* The rest of the last page is zero. */
    CHECK_OK(munmap(map, PAGE));
}

static void shared_map(int fd) {
    char back[8];
    char *map = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
    NEED(map == MAP_FAILED ? -1 : 0);
    memcpy(map + 5, "ZERO", 4);
    CHECK_EQ(pread(fd, back, 8, 2), 8);
    CHECK(memcmp(back, "ge ZERO", 7) == 0);
    CHECK_EQ(pwrite(fd, "written", 7, PAGE), 7);
    CHECK(memcmp(map + PAGE, "writtene", 8) == 0);
    /* Two maps of one file are one memory. */
    char *other = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    NEED(other == MAP_FAILED ? -1 : 0);
    other[0] = 'X';
    CHECK_EQ(map[0], 'X');
    CHECK_OK(msync(map, PAGE, MS_SYNC));
    /* The map outlives the descriptor and the name. */
    close(fd);
    CHECK_OK(unlink("f"));
    CHECK_EQ(other[0], 'X');
    CHECK_OK(munmap(map, 2 * PAGE));
    CHECK_EQ(other[5], 'Z');
    CHECK_OK(munmap(other, PAGE));
}

static void refusals(void) {
    make_file("g", "text");
    int readable = (int)NEED(open("g", O_RDONLY)), writable = (int)NEED(open("g", O_WRONLY));
    CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, readable, 0), EACCES);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, writable, 0), EACCES);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, writable, 0), EACCES);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, readable, 1), EINVAL);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, (int)NEED(open(".", O_RDONLY)), 0), ENODEV);
    void *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, readable, 0);
    CHECK(map != MAP_FAILED);
    CHECK_ERR(mprotect(map, PAGE, RW), EACCES);
    map = mmap(NULL, PAGE, RW, MAP_PRIVATE, readable, 0);
    CHECK(map != MAP_FAILED);
}

int main(void) {
    scratch();
    int fd = (int)NEED(open("f", O_RDWR | O_CREAT, 0600));
    CHECK_EQ(pwrite(fd, "page zero", 9, 0), 9);
    CHECK_EQ(pwrite(fd, "page one", 8, PAGE), 8);
    private_map(fd);
    shared_map(fd);
    refusals();
    return VERDICT();
}
