/* neighbours DEVICE ADDRESS ABSENT
 *
 * Sends a datagram to the neighbour ADDRESS and one to ABSENT, where nobody is, and prints what /proc/net/arp, SIOCGARP and
 * RTM_GETNEIGH then say of both. Nothing but the hardware address differs from Linux. */
#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRIES = 100, DISCARD_PORT = 9, RESOLVED = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE };

static void require(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static struct sockaddr_in address_of(const char *text) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(DISCARD_PORT) };
    require(inet_pton(AF_INET, text, &address.sin_addr) == 1, text);
    return address;
}

static void print_hardware(const unsigned char *address) {
    for (int i = 0; i < 6; i++) printf("%s%02x", i ? ":" : "", address[i]);
}

static int ask(int fd, const char *device, const char *address, struct arpreq *request) {
    struct sockaddr_in wanted = address_of(address);
    memset(request, 0, sizeof *request);
    memcpy(&request->arp_pa, &wanted, sizeof wanted);
    strncpy(request->arp_dev, device, sizeof request->arp_dev - 1);
    return ioctl(fd, SIOCGARP, request);
}

static void by_ioctl(int fd, const char *device, const char *address) {
    struct arpreq found;
    require(ask(fd, device, address, &found) == 0, "SIOCGARP");
    printf("SIOCGARP: family %d flags %#x ", found.arp_ha.sa_family, found.arp_flags);
    print_hardware((unsigned char *)found.arp_ha.sa_data);
    puts("");
}

static void by_file(const char *address) {
    char line[200];
    FILE *table = fopen("/proc/net/arp", "r");
    require(table != NULL, "/proc/net/arp");
    size_t len = strlen(address);
    for (int number = 0; fgets(line, sizeof line, table); number++)
        if (number == 0 || (strncmp(line, address, len) == 0 && line[len] == ' ')) fputs(line, stdout);
    fclose(table);
}

static void print_neighbour(struct nlmsghdr *message, const char *address) {
    struct ndmsg *header = NLMSG_DATA(message);
    struct in_addr wanted = address_of(address).sin_addr;
    unsigned char *hardware = NULL;
    int is_it = 0, has_times = 0, has_probes = 0;
    int rest = (int)NLMSG_PAYLOAD(message, sizeof *header);
    for (struct rtattr *a = (struct rtattr *)(header + 1); RTA_OK(a, rest); a = RTA_NEXT(a, rest)) {
        if (a->rta_type == NDA_DST) is_it = memcmp(RTA_DATA(a), &wanted, sizeof wanted) == 0;
        if (a->rta_type == NDA_LLADDR) hardware = RTA_DATA(a);
        has_times |= a->rta_type == NDA_CACHEINFO && RTA_PAYLOAD(a) == sizeof(struct nda_cacheinfo);
        has_probes |= a->rta_type == NDA_PROBES;
    }
    if (!is_it) return;
    printf("RTM_GETNEIGH: family %d type %d flags %d times %d probes %d ", header->ndm_family, header->ndm_type,
        header->ndm_flags, has_times, has_probes);
    printf("%s ", header->ndm_state & RESOLVED ? "resolved" : header->ndm_state == NUD_INCOMPLETE ? "incomplete" : "failed");
    hardware ? print_hardware(hardware) : (void)printf("nowhere");
    puts("");
}

static void by_netlink(const char *device, const char *address) {
    struct {
        struct nlmsghdr header;
        struct ndmsg body;
        struct rtattr attribute;
        unsigned index;
    } request = {
        { sizeof request, RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 },
        { .ndm_family = AF_INET },
        { sizeof(struct rtattr) + sizeof(unsigned), NDA_IFINDEX },
        if_nametoindex(device),
    };
    static char buffer[1 << 16];
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    require(fd >= 0 && send(fd, &request, sizeof request, 0) == sizeof request, "netlink");
    for (;;) {
        int len = (int)recv(fd, buffer, sizeof buffer, 0);
        require(len > 0, "netlink");
        for (struct nlmsghdr *m = (void *)buffer; NLMSG_OK(m, len); m = NLMSG_NEXT(m, len)) {
            if (m->nlmsg_type == NLMSG_DONE) {
                close(fd);
                return;
            }
            require(m->nlmsg_type == RTM_NEWNEIGH, "RTM_NEWNEIGH");
            print_neighbour(m, address);
        }
    }
}

int main(int count, char **arguments) {
    if (count != 4) {
        fputs("expected: neighbours DEVICE ADDRESS ABSENT\n", stderr);
        return 2;
    }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 2; i < 4; i++) {
        struct sockaddr_in address = address_of(arguments[i]);
        require(sendto(fd, "?", 1, 0, (struct sockaddr *)&address, sizeof address) == 1, "sendto");
    }
    struct arpreq found = { .arp_flags = 0 };
    for (int i = 0; i < TRIES && !(found.arp_flags & ATF_COM); i++) {
        usleep(5000);
        require(ask(fd, arguments[1], arguments[2], &found) == 0, "SIOCGARP");
    }
    for (int i = 2; i < 4; i++) {
        by_file(arguments[i]);
        by_ioctl(fd, arguments[1], arguments[i]);
        by_netlink(arguments[1], arguments[i]);
    }
    return 0;
}
