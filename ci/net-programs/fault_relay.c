/* fault_relay INSIDE OUTSIDE LOSS DUPLICATE REORDER DELAY_MS SEED
 *
 * Joins two links by forwarding frames both ways, and damages the traffic: LOSS, DUPLICATE and REORDER are per cent
 * of the frames, DELAY_MS is what every frame waits. For kernels without netem. INSIDE is an interface whose frames are
 * taken (a tap that a guest holds); OUTSIDE is a tap that is made here and gets what comes from INSIDE. Frames keep their
 * virtio_net_hdr, so that large ones stay whole. Prints "up" when it forwards; ends with its standard input. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST = 65536 + 64, WAITING = 4096 };

struct frame {
    double due;
    size_t length;
    int to;
    char bytes[];
};

static struct frame *waiting[WAITING];
static int waiting_count;
static double loss, duplicate, reorder, delay_ms;
static uint64_t state;
static long forwarded, lost, duplicated, reordered;

static void require(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* True in so many per cent of the calls (xorshift, so that a seed repeats a run). */
static int chance(double per_cent) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / (double)(1ULL << 53) * 100 < per_cent;
}

static int open_inside(const char *name) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL)), one = 1, size = 8 << 20;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
    require(fd >= 0, "socket(AF_PACKET)");
    all.mr_ifindex = address.sll_ifindex = (int)if_nametoindex(name);
    require(address.sll_ifindex != 0, name);
    require(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) == 0, "PACKET_VNET_HDR");
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    require(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    return fd;
}

static int open_outside(const char *name) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    require(fd >= 0, "/dev/net/tun");
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    require(ioctl(fd, TUNSETIFF, &request) == 0, "TUNSETIFF");
    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
    return fd;
}

static void enqueue(const char *bytes, size_t length, int to, double due) {
    if (waiting_count == WAITING)
        return;
    struct frame *frame = malloc(sizeof *frame + length);
    require(frame != NULL, "malloc");
    frame->due = due;
    frame->length = length;
    frame->to = to;
    memcpy(frame->bytes, bytes, length);
    waiting[waiting_count++] = frame;
}

static void take(int from, int to) {
    static char bytes[LONGEST];
    for (int i = 0; i < 64; i++) {
        ssize_t length = read(from, bytes, sizeof bytes);
        if (length <= 0)
            return;
        if (chance(loss)) {
            lost++;
            continue;
        }
        double due = now_ms() + delay_ms;
        if (chance(reorder)) {
            reordered++;
            due += 3 + delay_ms;
        }
        enqueue(bytes, (size_t)length, to, due);
        if (chance(duplicate)) {
            duplicated++;
            enqueue(bytes, (size_t)length, to, due);
        }
    }
}

/* Sends what is due, in the order of coming; returns milliseconds until the next is, or -1. */
static int send_due(void) {
    double now = now_ms(), next = -1;
    int kept = 0;
    for (int i = 0; i < waiting_count; i++) {
        struct frame *frame = waiting[i];
        if (frame->due <= now) {
            forwarded += write(frame->to, frame->bytes, frame->length) > 0;
            free(frame);
        } else {
            if (next < 0 || frame->due < next)
                next = frame->due;
            waiting[kept++] = frame;
        }
    }
    waiting_count = kept;
    return next < 0 ? -1 : (int)(next - now) + 1;
}

int main(int argc, char **argv) {
    if (argc != 8) {
        fputs("usage: fault_relay INSIDE OUTSIDE LOSS DUPLICATE REORDER DELAY_MS SEED\n", stderr);
        return 2;
    }
    int outside = open_outside(argv[2]), inside = open_inside(argv[1]), timeout = -1;
    loss = atof(argv[3]);
    duplicate = atof(argv[4]);
    reorder = atof(argv[5]);
    delay_ms = atof(argv[6]);
    state = strtoull(argv[7], NULL, 0) * 2 + 1;
    puts("up");
    fflush(stdout);
    for (;;) {
        struct pollfd set[3] = {{inside, POLLIN, 0}, {outside, POLLIN, 0}, {0, POLLIN, 0}};
        poll(set, 3, timeout);
        if (set[2].revents) {
            char byte;
            if (read(0, &byte, 1) <= 0)
                break;
        }
        take(inside, outside);
        take(outside, inside);
        timeout = send_due();
    }
    printf("%ld forwarded, %ld lost, %ld duplicated, %ld reordered\n", forwarded, lost, duplicated, reordered);
    return 0;
}
