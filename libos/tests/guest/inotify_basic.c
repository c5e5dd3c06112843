/* inotify: events of files made, changed, moved and removed in a watched directory; refusals. */
#include "check.h"
#include <sys/inotify.h>

static int fd;

static void expect(uint32_t mask, const char *name) {
    static char buffer[4096] __attribute__((aligned(8)));
    static ssize_t filled, used;
    if (used == filled) {
        filled = read(fd, buffer, sizeof buffer);
        used = 0;
    }
    if (filled <= 0) {
        printf("expected event %#x of %s, found none (%s)\n", mask, name, check_errno_name(errno));
        check_failed();
        filled = used = 0;
        return;
    }
    struct inotify_event *event = (struct inotify_event *)(buffer + used);
    used += (ssize_t)(sizeof *event + event->len);
    CHECK_EQ(event->mask, mask);
    CHECK_STR(event->len ? event->name : "", name);
}

/* One time set alone counts as the access or the write that sets it; both, as an attribute. */
static void changes_of_attributes(void) {
    struct timespec now = {0, UTIME_NOW}, keep = {0, UTIME_OMIT};
    struct timespec both[2] = {now, now}, access[2] = {now, keep}, write[2] = {keep, now};
    make_file("a", "x");
    int watch = (int)CHECK_OK(inotify_add_watch(fd, "a", IN_ACCESS | IN_MODIFY | IN_ATTRIB));
    CHECK_OK(utimensat(AT_FDCWD, "a", both, 0));
    CHECK_OK(utimensat(AT_FDCWD, "a", access, 0));
    CHECK_OK(utimensat(AT_FDCWD, "a", write, 0));
    CHECK_OK(chmod("a", 0640));
    CHECK_OK(truncate("a", 0));
    CHECK_OK(chown("a", geteuid(), (gid_t)-1));
    expect(IN_ATTRIB, "");
    expect(IN_ACCESS, "");
    expect(IN_MODIFY, "");
    expect(IN_ATTRIB, "");
    expect(IN_MODIFY, "");
    expect(IN_ATTRIB, "");
    CHECK_OK(inotify_rm_watch(fd, watch));
    expect(IN_IGNORED, "");
}

int main(void) {
    scratch();
    NEED(mkdir("d", 0755));
    fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd == -1 && errno == ENOSYS)
        SKIP("no inotify here");
    NEED(fd);
    char none[64];
    int watch = (int)CHECK_OK(inotify_add_watch(
        fd, "d", IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVE | IN_CLOSE_WRITE | IN_DELETE_SELF));
    CHECK_ERR(read(fd, none, sizeof none), EAGAIN);
    make_file("d/f", "x");
    NEED(mkdir("d/sub", 0755));
    NEED(rename("d/f", "d/g"));
    NEED(unlink("d/g"));
    NEED(rmdir("d/sub"));
    expect(IN_CREATE, "f");
    expect(IN_MODIFY, "f");
    expect(IN_CLOSE_WRITE, "f");
    expect(IN_CREATE | IN_ISDIR, "sub");
    expect(IN_MOVED_FROM, "f");
    expect(IN_MOVED_TO, "g");
    expect(IN_DELETE, "g");
    expect(IN_DELETE | IN_ISDIR, "sub");
    NEED(rmdir("d"));
    expect(IN_DELETE_SELF, "");
    expect(IN_IGNORED, "");
    CHECK_ERR(inotify_rm_watch(fd, watch), EINVAL);
    changes_of_attributes();
    CHECK_ERR(inotify_add_watch(fd, "missing", IN_CREATE), ENOENT);
    CHECK_ERR(inotify_add_watch(fd, ".", 0), EINVAL);
    CHECK_ERR(inotify_add_watch(-1, ".", IN_CREATE), EBADF);
    CHECK_ERR(inotify_init1(0x7), EINVAL);
    return VERDICT();
}
