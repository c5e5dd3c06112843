/* /proc/self/maps: parses, is sorted, knows the stack, the heap, fresh maps and their rights. */
#include "check.h"
#include <sys/mman.h>

struct area {
    uintptr_t start, end;
    char rights[5], name[256];
};

static struct area areas[4096];

static int read_areas(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    int count = 0;
    NEED(maps ? 0 : -1);
    while (count < 4096 && fgets(line, sizeof line, maps)) {
        struct area *area = &areas[count++];
        unsigned long offset, inode;
        unsigned major, minor;
        area->name[0] = 0;
        int found = sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %255[^\n]", &area->start, &area->end,
                           area->rights, &offset, &major, &minor, &inode, area->name);
        CHECK(found >= 7);
        CHECK(area->start < area->end);
        if (count > 1)
            CHECK(areas[count - 2].end <= area->start);
    }
    fclose(maps);
    return count;
}

static const struct area *find(const void *at) {
    int count = read_areas();
    for (int i = 0; i < count; i++)
        if ((uintptr_t)at >= areas[i].start && (uintptr_t)at < areas[i].end)
            return &areas[i];
    return NULL;
}

static void expect(const void *at, const char *rights, const char *what) {
    const struct area *area = find(at);
    if (!area) {
        printf("%s at %p: expected an area, found none\n", what, at);
        check_failed();
    } else if (strcmp(area->rights, rights) != 0) {
        printf("%s at %p: expected %s, found %s\n", what, at, rights, area->rights);
        check_failed();
    }
}

static int initialised = 5;

int main(void) {
    int local = 0;
    scratch();
    expect(&local, "rw-p", "stack");
    expect((void *)(uintptr_t)main, "r-xp", "code");
    expect(&initialised, "rw-p", "data");
    const struct area *stack = find(&local);
    CHECK(stack && strstr(stack->name, "[stack]") != NULL);
    expect(sbrk(0) - 1, "rw-p", "heap");

    char *at = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(at == MAP_FAILED ? -1 : 0);
    expect(at, "rw-p", "anonymous map");
    CHECK_OK(mprotect(at + 4096, 4096, PROT_READ));
    expect(at + 4096, "r--p", "read-only part");
    expect(at + 8192, "rw-p", "rest of the map");
    CHECK_OK(mprotect(at, 16384, PROT_NONE));
    expect(at, "---p", "inaccessible map");
    CHECK_OK(munmap(at, 16384));
    CHECK(find(at) == NULL);
    int fd = (int)NEED(open(make_file("mapped-file", "text"), O_RDWR));
    at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    NEED(at == MAP_FAILED ? -1 : 0);
    const struct area *area = find(at);
    CHECK(area && strcmp(area->rights, "rw-s") == 0);
    CHECK(area && strstr(area->name, "/mapped-file") != NULL);
    return VERDICT();
}
