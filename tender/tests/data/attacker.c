/* A program in the libOS's place: the strongest attacker there is, with code of its own choice at the
 * image's entry point, in its signal handler and in the hypercall window.
 *
 * Arguments: WHERE NUMBER [ARGUMENT…]; makes that call from there.
 *   window   a `syscall` instruction in the hypercall window
 *   stray    a `syscall` instruction anywhere else
 *   hidden   the bytes of `syscall` inside another instruction
 *   int80    the 32-bit entry, from the hypercall window
 *   stray80  the 32-bit entry, from anywhere else
 * or one word:
 *   hello    writes "hello" and ends with status 7
 *   boot     writes some of the boot information as text
 *   net      writes the network interfaces of the boot information as text
 *   share    writes the shared folders of the boot information as text
 *   block    writes the disks and drivers of the boot information as text
 *   fetch    writes the first 64 bytes of `greeting` in the first shared folder, or the error
 *   await    writes how its first shared folder ends
 *   echo     sends back one frame of EtherType 0x88b5 on the first network interface, as it came
 *   phases   writes the steps of start-up in nanoseconds, and the time until now
 *   wx       writes to its own code
 *   smash    reads below the stack
 *   forever  waits for a signal
 * Arguments may be the words `buffer` (readable, writable memory) and `null`.
 * Status 90: the call returned (its result is on standard output). Status 91: a handler ran; the
 * signal is on standard output. */
typedef unsigned long u64;
typedef unsigned int u32;

#define SYSCALL                                                                                    \
    "mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; mov %rcx, %rdx; mov %r8, %r10; mov %r9, %r8;" \
    "mov 8(%rsp), %r9;"

__asm__(".pushsection .text.hypercall, \"ax\"\n"
        ".globl libos_hypercall_start, libos_hypercall_end\n"
        "libos_hypercall_start:\n"
        "call_window:" SYSCALL "syscall; ret\n"
        "call_int80: push %rbx; mov %edi, %eax; mov %esi, %ebx; xchg %rcx, %rdx; int $0x80; pop %rbx; ret\n"
        "libos_hypercall_end:\n"
        ".popsection\n"
        "call_stray:" SYSCALL "syscall; ret\n"
        /* mov $0x90c3050f, %r11d: the immediate is `syscall; ret; nop`. */
        "call_hidden:" SYSCALL "jmp 1f + 2; 1: .byte 0x41, 0xbb, 0x0f, 0x05, 0xc3, 0x90\n"
        "call_stray80: push %rbx; mov %edi, %eax; mov %esi, %ebx; xchg %rcx, %rdx; int $0x80; pop %rbx; ret\n"
        ".globl _start\n"
        "_start: xor %ebp, %ebp; call start; ud2\n"
        ".globl libos_signal_entry, libos_gate\n"
        "libos_signal_entry: and $-16, %rsp; call handler; ud2\n"
        "libos_gate: ud2\n");

long call_window(long, long, long, long, long, long, long);
long call_stray(long, long, long, long, long, long, long);
long call_hidden(long, long, long, long, long, long, long);
long call_int80(long, long, long, long, long, long, long);
long call_stray80(long, long, long, long, long, long, long);

static void finish(int status) {
    for (;;)
        call_window(231, status, 0, 0, 0, 0, 0);
}

static u64 length(const char *text) {
    u64 n = 0;
    while (text[n])
        n++;
    return n;
}

static void say(const char *text) { call_window(1, 1, (long)text, (long)length(text), 0, 0, 0); }

static void say_number(u64 value) {
    char digits[20];
    int at = 20;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    call_window(1, 1, (long)(digits + at), 20 - at, 0, 0, 0);
}

static void say_signed(long value) {
    if (value < 0)
        say("-");
    say_number(value < 0 ? -(u64)value : (u64)value);
}

struct array {
    const void *ptr;
    u64 len;
};

/* BootInfo as C sees it; the test that uses `boot` compares its size with the Rust side's. */
struct boot {
    u64 magic;
    u32 abi_version, size;
    u64 options, image_bias, libos[2], stubs[2];
    struct array sites;
    u64 vdso[2], vdso_clock_gettime, rootfs[2], memory[2], memory_limit;
    struct array stack_zones;
    u64 main_stack[2], boot_stack[2], signal_stack[2], exec_arena[2];
    struct {
        u64 load_bias, entry, phdr, phnum, extent[2], break_start, file[2];
        struct array path;
    } app;
    struct array handles, args, env, cwd, hostname;
    u32 ids[4];
    u64 hwcap[2];
    unsigned char seed[32];
    u32 mix_rdrand, tick_us;
    struct {
        u32 present, flags[4];
        unsigned char line, control[19];
        unsigned short window[4];
    } terminal;
    struct array phases;
    u64 started_ns;
    struct array cpuinfo;
    u64 host_memory, ignored_signals;
    struct array interfaces, dns, dns_search, shares, blocks, modules;
};

/* NetAddress, NetRoute and NetInterface as C sees them. */
struct address {
    u32 version, prefix;
    unsigned char bytes[16];
};

struct route {
    struct address destination, gateway;
    u32 metric;
};

struct interface {
    u32 handle, framing, flags, mtu;
    unsigned char mac[6];
    unsigned short reserved;
    struct array name, addresses, routes;
};

__attribute__((used)) void handler(int signal) {
    say("signal ");
    say_number((u64)signal);
    say("\n");
    finish(91);
}

static char buffer[8192];
static char initialised[16] = "0123456789abcde";

static int same(struct array text, const char *word) {
    if (text.len != length(word))
        return 0;
    for (u64 i = 0; i < text.len; i++)
        if (((const char *)text.ptr)[i] != word[i])
            return 0;
    return 1;
}

static long number(struct array text) {
    if (same(text, "buffer"))
        return (long)buffer;
    if (same(text, "null"))
        return 0;
    u64 value = 0;
    const char *digits = text.ptr;
    u64 i = digits[0] == '-';
    for (; i < text.len; i++)
        value = value * 10 + (u64)(digits[i] - '0');
    return digits[0] == '-' ? -(long)value : (long)value;
}

static void line(const char *name, u64 value) {
    say(name);
    say(" ");
    say_number(value);
    say("\n");
}

static void say_text(const char *name, struct array text) {
    say(name);
    say(" ");
    call_window(1, 1, (long)text.ptr, (long)text.len, 0, 0, 0);
    say("\n");
}

static void probe(const char *name, u64 start, u64 len) {
    line(name, len);
    if (!len)
        return;
    volatile char *first = (volatile char *)start;
    if (first[0] | first[len - 1])
        say("not zero\n");
    first[0] = first[len - 1] = 1;
}

__attribute__((noinline, used)) static void say_boot(const struct boot *boot) {
    u64 stack;
    __asm__("mov %%rsp, %0" : "=r"(stack));
    line("magic", boot->magic);
    line("size", boot->size);
    line("size_in_c", sizeof *boot);
    line("ignored_signals", boot->ignored_signals);
    line("terminal", boot->terminal.present);
    line("rows", boot->terminal.window[0]);
    line("columns", boot->terminal.window[1]);
    line("options", boot->options);
    line("bias", boot->image_bias);
    line("on_boot_stack", stack > boot->boot_stack[0] && stack <= boot->boot_stack[0] + boot->boot_stack[1]);
    probe("memory", boot->memory[0], boot->memory[1]);
    probe("main_stack", boot->main_stack[0], boot->main_stack[1]);
    probe("signal_stack", boot->signal_stack[0], boot->signal_stack[1]);
    probe("exec_arena", boot->exec_arena[0], boot->exec_arena[1]);
    line("memory_limit", boot->memory_limit);
    const u64 *zone = boot->stack_zones.ptr;
    for (u64 i = 0; i < boot->stack_zones.len; i++, zone += 4)
        for (u64 slot = 0; slot < zone[3]; slot++)
            probe("slot", zone[0] + slot * zone[1] + zone[2], zone[1] - zone[2]);
    const u32 *handle = boot->handles.ptr;
    for (u64 i = 0; i < boot->handles.len; i++, handle += 14)
        line("handle", handle[0] * 1000 + handle[1]);
    for (u64 i = 0; i < boot->args.len; i++)
        say_text("arg", ((const struct array *)boot->args.ptr)[i]);
    for (u64 i = 0; i < boot->env.len; i++)
        say_text("env", ((const struct array *)boot->env.ptr)[i]);
    say_text("cwd", boot->cwd);
    say_text("hostname", boot->hostname);
    say_text("path", boot->app.path);
    for (u64 i = 0; i < sizeof buffer; i++)
        if (buffer[i])
            say("bss is not zero\n");
    say(initialised);
    say("\n");
    finish(0);
}

static void say_bytes(const unsigned char *bytes, u64 len) {
    static const char digits[] = "0123456789abcdef";
    char text[2];
    for (u64 i = 0; i < len; i++) {
        text[0] = digits[bytes[i] >> 4];
        text[1] = digits[bytes[i] & 15];
        call_window(1, 1, (long)text, 2, 0, 0, 0);
    }
}

static void say_address(const char *name, struct address address) {
    say(name);
    say(" ");
    say_number(address.version);
    say(" ");
    say_bytes(address.bytes, 16);
    say("/");
    say_number(address.prefix);
    say("\n");
}

static void say_net(const struct boot *boot) {
    const struct interface *interface = boot->interfaces.ptr;
    for (u64 i = 0; i < boot->interfaces.len; i++, interface++) {
        say_text("interface", interface->name);
        line("handle", interface->handle);
        line("handle_kind", ((const u32 *)boot->handles.ptr)[14 * interface->handle]);
        line("handle_fd", ((const u32 *)boot->handles.ptr)[14 * interface->handle + 1]);
        line("framing", interface->framing);
        line("flags", interface->flags);
        line("mtu", interface->mtu);
        say("mac ");
        say_bytes(interface->mac, 6);
        say("\n");
        for (u64 j = 0; j < interface->addresses.len; j++)
            say_address("address", ((const struct address *)interface->addresses.ptr)[j]);
        for (u64 j = 0; j < interface->routes.len; j++) {
            say_address("destination", ((const struct route *)interface->routes.ptr)[j].destination);
            say_address("gateway", ((const struct route *)interface->routes.ptr)[j].gateway);
        }
    }
    for (u64 i = 0; i < boot->dns.len; i++)
        say_address("dns", ((const struct address *)boot->dns.ptr)[i]);
    for (u64 i = 0; i < boot->dns_search.len; i++)
        say_text("search", ((const struct array *)boot->dns_search.ptr)[i]);
    finish(0);
}

struct pollfd {
    u32 fd;
    short events, revents;
};

/* Echoes one frame of the EtherType for local experiments (0x88b5), behind its virtio header. */
static void echo_frame(const struct boot *boot) {
    static unsigned char frame[70000];
    const struct interface *interface = boot->interfaces.ptr;
    u32 fd = ((const u32 *)boot->handles.ptr)[14 * interface->handle + 1];
    say("ready\n");
    for (;;) {
        struct pollfd polled = {fd, 1, 0};
        call_window(271, (long)&polled, 1, 0, 0, 0, 0);
        long len = call_window(0, fd, (long)frame, sizeof frame, 0, 0, 0);
        if (len == 0) {
            say("end\n");
            finish(0);
        }
        if (len < 26 || frame[22] != 0x88 || frame[23] != 0xb5)
            continue;
        long written = call_window(1, fd, (long)frame, len, 0, 0, 0);
        say_signed(written);
        say("\n");
        finish(0);
    }
}

struct share {
    u32 handle, flags;
    struct array target;
};

struct block {
    struct array name;
    u32 handle, sync_handle;
    u64 len;
    u32 flags, fs;
    struct array mount;
};

static u32 handle_kind(const struct boot *boot, u32 handle) {
    return ((const u32 *)boot->handles.ptr)[14 * handle];
}

/* Drivers are asked for a version that none knows: it answers with null, from code that was moved to where it lies. */
struct module {
    u32 kind, abi;
    u64 start, len;
    u64 (*entry)(const u32 *host);
};

static void say_blocks(const struct boot *boot) {
    const struct block *block = boot->blocks.ptr;
    for (u64 i = 0; i < boot->blocks.len; i++, block++) {
        say_text("block", block->name);
        line("handle_kind", handle_kind(boot, block->handle));
        if (block->sync_handle != ~0u)
            line("sync_handle_kind", handle_kind(boot, block->sync_handle));
        line("len", block->len);
        line("flags", block->flags);
        line("fs", block->fs);
        say_text("mount", block->mount);
    }
    const struct module *module = boot->modules.ptr;
    for (u64 i = 0; i < boot->modules.len; i++, module++) {
        static const u32 no_host[2] = {~0u, ~0u};
        line("module", module->kind);
        line("abi", module->abi);
        line("inside", (u64)module->entry - module->start < module->len);
        line("answer", module->entry(no_host));
    }
    finish(0);
}

static u32 share_fd(const struct boot *boot) {
    const struct share *share = boot->shares.ptr;
    return ((const u32 *)boot->handles.ptr)[14 * share->handle + 1];
}

static void say_shares(const struct boot *boot) {
    const struct share *share = boot->shares.ptr;
    for (u64 i = 0; i < boot->shares.len; i++, share++) {
        say_text("share", share->target);
        line("handle_kind", ((const u32 *)boot->handles.ptr)[14 * share->handle]);
        line("flags", share->flags);
    }
    finish(0);
}

/* A request of FUSE: 40 bytes of header, and what follows; then its answer. The handle does not block. */
static unsigned char message[256];

static long ask(u32 fd, u32 opcode, u64 node, u64 body) {
    u32 *words = (u32 *)message;
    words[0] = (u32)(40 + body);
    words[1] = opcode;
    *(u64 *)(message + 8) = opcode;
    *(u64 *)(message + 16) = node;
    for (int i = 24; i < 40; i++)
        message[i] = 0;
    call_window(1, fd, (long)message, 40 + (long)body, 0, 0, 0);
    struct pollfd polled = {fd, 1, 0};
    call_window(271, (long)&polled, 1, 0, 0, 0, 0);
    long len = call_window(0, fd, (long)message, sizeof message, 0, 0, 0);
    if (len >= 16 && words[1] == 0)
        return len;
    say("error ");
    say_signed(len < 16 ? len : (int)words[1]);
    say("\n");
    finish(1);
    return 0;
}

static void fetch(const struct boot *boot) {
    u32 fd = share_fd(boot);
    const char *name = "greeting";
    for (u64 i = 0; i <= length(name); i++)
        message[40 + i] = (unsigned char)name[i];
    ask(fd, 1, 1, length(name) + 1);
    u64 node = *(u64 *)(message + 16);
    for (int i = 40; i < 48; i++)
        message[i] = 0;
    ask(fd, 14, node, 8);
    u64 handle = *(u64 *)(message + 16);
    for (int i = 40; i < 80; i++)
        message[i] = 0;
    *(u64 *)(message + 40) = handle;
    message[56] = 64;
    long len = ask(fd, 15, node, 40);
    call_window(1, 1, (long)message + 16, len - 16, 0, 0, 0);
    finish(0);
}

static void await_end(const struct boot *boot) {
    u32 fd = share_fd(boot);
    say("ready\n");
    struct pollfd polled = {fd, 1, 0};
    call_window(271, (long)&polled, 1, 0, 0, 0, 0);
    say("read ");
    say_signed(call_window(0, fd, (long)message, sizeof message, 0, 0, 0));
    say(", write ");
    say_signed(call_window(1, fd, (long)message, 40, 0, 0, 0));
    say("\n");
    finish(0);
}

struct phase {
    struct array name;
    u64 nanoseconds;
};

static void say_phases(const struct boot *boot) {
    u64 now[2];
    call_window(228, 1, (long)now, 0, 0, 0, 0);
    const struct phase *phase = boot->phases.ptr;
    for (u64 i = 0; i < boot->phases.len; i++) {
        say_text("phase", phase[i].name);
        line("ns", phase[i].nanoseconds);
    }
    line("total", now[0] * 1000000000 + now[1] - boot->started_ns);
    finish(0);
}

__attribute__((used)) void start(const struct boot *boot) {
    const struct array *args = boot->args.ptr;
    if (boot->args.len < 2)
        finish(100);
    struct array where = args[1];
    if (same(where, "hello")) {
        say("hello\n");
        finish(7);
    }
    if (same(where, "boot"))
        say_boot(boot);
    if (same(where, "net"))
        say_net(boot);
    if (same(where, "share"))
        say_shares(boot);
    if (same(where, "block"))
        say_blocks(boot);
    if (same(where, "fetch"))
        fetch(boot);
    if (same(where, "await"))
        await_end(boot);
    if (same(where, "echo"))
        echo_frame(boot);
    if (same(where, "phases"))
        say_phases(boot);
    if (same(where, "wx"))
        *(volatile char *)(u64)&say_boot = 0x90;
    if (same(where, "smash"))
        (void)*(volatile char *)(boot->boot_stack[0] - 1);
    if (same(where, "forever")) {
        say("waiting\n");
        for (;;)
            call_window(271, 0, 0, 0, 0, 0, 0);
    }
    long a[7] = {0};
    for (u64 i = 2; i < boot->args.len && i < 9; i++)
        a[i - 2] = number(args[i]);
    long (*call)(long, long, long, long, long, long, long) = 0;
    if (same(where, "window"))
        call = call_window;
    if (same(where, "stray"))
        call = call_stray;
    if (same(where, "hidden"))
        call = call_hidden;
    if (same(where, "int80"))
        call = call_int80;
    if (same(where, "stray80"))
        call = call_stray80;
    if (!call)
        finish(101);
    long result = call(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    say_signed(result);
    say("\n");
    finish(90);
}
