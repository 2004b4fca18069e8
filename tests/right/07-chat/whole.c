// Right for steps 1 to 7 of lab 7: the chat room over UDP, in C.
/*
 *     cc -O1 -Wall -Wextra -Werror -o whole whole.c && LAB_PROGRAM=$PWD/whole just lab 7
 *
 * Other ways than the solution's: signals end a ppoll(2), the receiver writes into a pipe, the error queue is read when a
 * send or a receive has failed, and the line on a terminal is erased by `CSI 2 K`.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* A call that a signal interrupted is made again. (glibc has this macro too; musl has not.) */
#define RETRY(call)                                        \
    __extension__({                                        \
        long result_;                                      \
        do {                                               \
            result_ = (long)(call);                        \
        } while (result_ == -1 && errno == EINTR);         \
        result_;                                           \
    })

enum { LONGEST = 1024, LONGEST_NAME = 32, BUFFER = 4000, STRANGERS = 1024, PATIENCE = 5000 };

static const char TOO_LONG[] = "a message has 1,024 bytes at most";
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- What both sides need ---- */

static int complain(const char *call, const char *why)
{
    fprintf(stderr, "chat: %s: %s\n", call, why);
    return 1;
}

static int failed(const char *call)
{
    return complain(call, strerror(errno));
}

/* Prints these bytes at once. Returns 0, or 1 after having said why not. */
static int print(const char *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        long n = RETRY(write(1, bytes + done, length - done));
        if (n == -1)
            return errno == EPIPE ? 1 : failed("write");
        done += (size_t)n;
    }
    return 0;
}

/* Prints a line by one write. */
static int say(const char *one, const char *two, const char *three, const char *four)
{
    char line[2 * BUFFER];
    int n = snprintf(line, sizeof line, "%s%s%s%s\n", one, two, three, four);
    return print(line, (size_t)n);
}

/* SIGPIPE ends us; the others set a flag, while ppoll sleeps and only then: nothing comes between a look and a sleep. */
static void listen_to_signals(const int *signals, sigset_t *sleeping)
{
    struct sigaction act = {.sa_handler = on_signal};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (; *signals; signals++) {
        sigaddset(&blocked, *signals);
        sigaction(*signals, &act, NULL);
    }
    sigprocmask(SIG_BLOCK, &blocked, sleeping);
}

static long long now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000LL + at.tv_nsec / 1000000;
}

/* Sleeps until one of these is ready, the time is over (0: never), or a signal has come. Returns 0 if the time is over. */
static int nap(struct pollfd *fds, nfds_t count, const sigset_t *sleeping, long long until)
{
    for (;;) {
        long long left = until > now() ? until - now() : 0;
        struct timespec time = {left / 1000, left % 1000 * 1000000};
        int n = ppoll(fds, count, until ? &time : NULL, sleeping);
        if (n > 0 || (n == 0 && until))
            return n;
        for (nfds_t i = 0; i < count; i++)
            fds[i].revents = 0;
        if (stop)
            return 1;
    }
}

/* IP:PORT or [IP]:PORT. Returns the length of the address, 0: it is none. */
static socklen_t parse_address(const char *text, struct sockaddr_storage *addr)
{
    char host[64], *end;
    const char *colon = strrchr(text, ':');
    memset(addr, 0, sizeof *addr);
    if (!colon || (size_t)(colon - text) >= sizeof host || colon[1] < '0' || colon[1] > '9')
        return 0;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end || port > 65535)
        return 0;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    struct sockaddr_in *four = (void *)addr;
    struct sockaddr_in6 *six = (void *)addr;
    size_t length = strlen(host);
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return sizeof *four;
    }
    if (host[0] != '[' || host[length - 1] != ']')
        return 0;
    host[length - 1] = 0;
    if (inet_pton(AF_INET6, host + 1, &six->sin6_addr) != 1)
        return 0;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    return sizeof *six;
}

enum { PEER = 80 };

static void write_address(const struct sockaddr_storage *addr, char text[PEER])
{
    const struct sockaddr_in *four = (const void *)addr;
    const struct sockaddr_in6 *six = (const void *)addr;
    char host[INET6_ADDRSTRLEN];
    if (addr->ss_family == AF_INET) {
        inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
        snprintf(text, PEER, "%s:%u", host, ntohs(four->sin_port));
    } else {
        inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
        snprintf(text, PEER, "[%s]:%u", host, ntohs(six->sin6_port));
    }
}

/* The next character: how many bytes it has; 0: it is none. Says whether it is a control character. */
static size_t character(const unsigned char *text, size_t length, bool *control)
{
    unsigned first = text[0];
    size_t n = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    *control = first < 32 || first == 127;
    if (n == 0 || n > length)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    unsigned second = n > 1 ? text[1] : 0;
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90)
        || (first == 0xF4 && second > 0x8F))
        return 0;
    *control |= first == 0xC2 && second < 0xA0;
    return n;
}

static uint32_t drops(int sock)
{
    uint32_t words[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof words;
    getsockopt(sock, SOL_SOCKET, SO_MEMINFO, words, &length);
    return words[SK_MEMINFO_DROPS];
}

static int say_lost(unsigned long lost)
{
    char number[32];
    snprintf(number, sizeof number, "%lu", lost);
    return lost ? say("lost ", number, "", "") : 0;
}

/* ---- The server ---- */

struct peer {
    struct sockaddr_storage addr;
    socklen_t length;
    char text[PEER];
};

struct member {
    struct peer peer;
    char name[LONGEST_NAME + 1];
};

static struct member *members;
static size_t member_count, member_room;
static int room_socket;
static unsigned long room_lost, malformed;
static char gone[64][PEER];
static size_t gone_count;
static struct {
    char text[PEER];
    long long at;
} told[STRANGERS];

/* Notes who is gone, by the address that the error is about. Returns whether there was any error. */
static bool read_errors(void)
{
    bool any = false;
    for (;;) {
        union {
            char bytes[512];
            struct cmsghdr align;
        } control;
        struct sockaddr_storage addr;
        struct msghdr message = {&addr, sizeof addr, NULL, 0, control.bytes, sizeof control, 0};
        if (RETRY(recvmsg(room_socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT)) == -1)
            return any;
        any = true;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
            struct sock_extended_err error;
            memcpy(&error, CMSG_DATA(c), sizeof error);
            if (error.ee_errno == ECONNREFUSED && gone_count < 64)
                write_address(&addr, gone[gone_count++]);
        }
    }
}

static void post(const struct peer *to, const char *text, size_t length)
{
    for (int i = 0; i < 64; i++) {
        if (RETRY(sendto(room_socket, text, length, 0, (const void *)&to->addr, to->length)) != -1)
            return;
        int refused = errno == ECONNREFUSED;
        if (!read_errors() && !refused)
            break;
    }
    room_lost++;
}

static void tell_all_but(const char *peer, const char *text, size_t length)
{
    for (size_t i = 0; i < member_count; i++)
        if (strcmp(members[i].peer.text, peer) != 0)
            post(&members[i].peer, text, length);
}

static void notice(const char *peer, const char *name, const char *what)
{
    char text[LONGEST];
    int n = snprintf(text, sizeof text, "%s %s the chat room", name, what);
    tell_all_but(peer, text, (size_t)n);
}

static struct member *member_at(const char *peer)
{
    for (size_t i = 0; i < member_count; i++)
        if (strcmp(members[i].peer.text, peer) == 0)
            return &members[i];
    return NULL;
}

static struct member *member_called(const char *name)
{
    for (size_t i = 0; i < member_count; i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

static int take_out(const char *peer)
{
    struct member *member = member_at(peer);
    if (!member)
        return 0;
    struct member left = *member;
    memmove(member, member + 1, (size_t)(members + --member_count - member) * sizeof *member);
    notice("", left.name, "left");
    return say("leave ", left.name, " ", left.peer.text);
}

static int forget_the_gone(void)
{
    int bad = 0;
    while (gone_count > 0 && !bad) {
        char peer[PEER];
        memcpy(peer, gone[--gone_count], PEER);
        bad = take_out(peer);
    }
    return bad;
}

/* A stranger is told once a second why it is not heard. */
static bool may_be_told(const char *peer)
{
    long long at = now();
    size_t free = STRANGERS;
    for (size_t i = 0; i < STRANGERS; i++) {
        bool over = !told[i].at || at - told[i].at >= 1000;
        if (strcmp(told[i].text, peer) == 0 && !over)
            return false;
        if (over && (free == STRANGERS || strcmp(told[i].text, peer) == 0))
            free = i;
    }
    if (free == STRANGERS)
        return false;
    memcpy(told[free].text, peer, PEER);
    told[free].at = at;
    return true;
}

static void refuse(const struct peer *from, bool awaited, const char *reason)
{
    if (awaited || member_at(from->text) || may_be_told(from->text))
        post(from, reason, strlen(reason));
}

/* Why nobody may be called that; NULL: he may. */
static const char *name_refused(const char *name, size_t length)
{
    bool control;
    if (length < 1 || length > LONGEST_NAME)
        return "a name has 1 to 32 bytes";
    for (size_t at = 0; at < length; at += character((const void *)(name + at), length - at, &control))
        if (character((const void *)(name + at), length - at, &control) == 0 || control || name[at] == ' ')
            return "a name is text without blanks and control characters";
    return strcmp(name, "admin") == 0 ? "that is the server's own name" : NULL;
}

static int enter(const struct peer *from, const char *name, size_t length)
{
    const char *why = name_refused(name, length);
    if (member_at(from->text))
        why = "you are in the chat room already";
    else if (!why && member_called(name))
        why = "somebody else is called that";
    if (why) {
        refuse(from, true, why);
        return 0;
    }
    if (member_count == member_room) {
        member_room = member_room * 2 + 16;
        members = realloc(members, member_room * sizeof *members);
        if (!members)
            return failed("realloc");
    }
    struct member *member = &members[member_count++];
    member->peer = *from;
    memcpy(member->name, name, length + 1);
    post(from, "OK", 2);
    notice(from->text, name, "entered");
    return say("enter ", name, " ", from->text);
}

static int leave_room(const struct peer *from)
{
    post(from, "EXIT", 4);
    return take_out(from->text);
}

/* Copies a text, with `?` for each control character. False: it is no text. */
static bool clean(const char *from, size_t length, char *to, size_t *written)
{
    bool control;
    *written = 0;
    for (size_t at = 0, n; at < length; at += n) {
        n = character((const void *)(from + at), length - at, &control);
        if (n == 0)
            return false;
        memcpy(to + *written, control ? "?" : from + at, control ? 1 : n);
        *written += control ? 1 : n;
    }
    return true;
}

/* What a message asks for. It ends with a zero byte behind its length. */
static int hear(const struct peer *from, char *message, size_t length)
{
    static char line[2 * LONGEST];
    size_t n;
    bool text = length <= LONGEST && clean(message, length, line, &n);
    if (!text || length < 2 || message[1] != ' ' || !strchr("LCQ", message[0]) || message[0] == 0) {
        malformed++;
        refuse(from, false, "a message is L NAME, C NAME TEXT or Q NAME, in UTF-8, of 1,024 bytes at most");
        return 0;
    }
    char *name = message + 2, *blank = memchr(name, ' ', length - 2);
    if (message[0] == 'L')
        return enter(from, name, length - 2);
    struct member *member = member_at(from->text);
    if (message[0] == 'C' && !blank) {
        malformed++;
        refuse(from, false, "a message is C NAME TEXT");
        return 0;
    }
    size_t name_length = message[0] == 'C' ? (size_t)(blank - name) : length - 2;
    if (!member || strlen(member->name) != name_length || memcmp(member->name, name, name_length) != 0) {
        refuse(from, false, "that is not your name");
        return 0;
    }
    if (message[0] == 'Q')
        return leave_room(from);
    int head = snprintf(line, sizeof line, "%s: ", member->name);
    clean(blank + 1, length - 2 - name_length - 1, line + head, &n);
    tell_all_but(from->text, line, (size_t)head + n);
    return 0;
}

/* The announcer: reads lines, and hands each over, until its input ends or nobody is at the other end. */
static void announcer(int pair)
{
    static char buffer[65536];
    size_t length = 0;
    for (;;) {
        struct pollfd fds[] = {{0, POLLIN, 0}, {pair, POLLIN, 0}};
        if (RETRY(poll(fds, 2, -1)) == -1 || fds[1].revents)
            _exit(0);
        long n = RETRY(read(0, buffer + length, sizeof buffer - length));
        if (n <= 0)
            _exit(0);
        length += (size_t)n;
        char *start = buffer, *end;
        while ((end = memchr(start, '\n', length - (size_t)(start - buffer)))) {
            /* With its newline: an empty line is a message, too. */
            if (++end - start <= LONGEST)
                send(pair, start, (size_t)(end - start), MSG_NOSIGNAL);
            else
                complain("not announced", TOO_LONG);
            start = end;
        }
        length -= (size_t)(start - buffer);
        memmove(buffer, start, length);
        /* No end of it yet, and too long already: what is still to come of it counts, and is not kept. */
        if (length > 2 * LONGEST)
            length = 2 * LONGEST;
    }
}

/* Returns the child; its pair, in our hands, is ours to close. */
static pid_t start_announcer(int *ours)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
        return -failed("socketpair");
    pid_t child = fork();
    if (child == -1)
        return -failed("fork");
    if (child == 0) {
        close(pair[0]);
        announcer(pair[1]);
    }
    close(pair[1]);
    *ours = pair[0];
    return child;
}

static void announce(const char *bytes, size_t length)
{
    static char line[2 * LONGEST] = "admin: ";
    size_t n;
    if (!clean(bytes, length, line + 7, &n))
        complain("not announced", "a message is text in UTF-8");
    else if (n + 7 > LONGEST)
        complain("not announced", TOO_LONG);
    else
        tell_all_but("", line, n + 7);
}

static int open_room(const char *where)
{
    struct sockaddr_storage addr;
    socklen_t length = parse_address(where, &addr);
    int yes = 1, megabytes = 4 << 20;
    room_socket = socket(addr.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (room_socket == -1)
        return failed("socket");
    setsockopt(room_socket, SOL_SOCKET, SO_RCVBUF, &megabytes, sizeof megabytes);
    if (addr.ss_family == AF_INET6)
        setsockopt(room_socket, IPPROTO_IPV6, IPV6_RECVERR, &yes, sizeof yes);
    else
        setsockopt(room_socket, IPPROTO_IP, IP_RECVERR, &yes, sizeof yes);
    if (bind(room_socket, (void *)&addr, length) == -1)
        return failed("bind");
    char text[PEER];
    length = sizeof addr;
    if (getsockname(room_socket, (void *)&addr, &length) == -1)
        return failed("getsockname");
    write_address(&addr, text);
    return say("chat room on ", text, "", "");
}

static int receive_all(void)
{
    static char buffer[65536];
    for (int i = 0; i < 64; i++) {
        struct peer from = {.length = sizeof from.addr};
        long n = RETRY(recvfrom(room_socket, buffer, sizeof buffer - 1, 0, (void *)&from.addr, &from.length));
        if (n == -1 && errno == EAGAIN) {
            read_errors();
            return 0;
        }
        if (n == -1) {
            read_errors();
            continue;
        }
        buffer[n] = 0;
        write_address(&from.addr, from.text);
        if (hear(&from, buffer, (size_t)n))
            return 1;
    }
    return 0;
}

static int serve(const sigset_t *sleeping, int *pair, pid_t child)
{
    char line[LONGEST + 1];
    while (!stop) {
        struct pollfd fds[] = {{room_socket, POLLIN, 0}, {*pair, POLLIN, 0}};
        nap(fds, 2, sleeping, 0);
        if (fds[0].revents && receive_all())
            return 1;
        if (fds[1].revents) {
            long n = RETRY(recv(*pair, line, sizeof line, 0));
            if (n > 0) {
                announce(line, (size_t)n - 1);
            } else {
                close(*pair);
                *pair = -1;
                RETRY(waitpid(child, NULL, 0));
            }
        }
        if (forget_the_gone())
            return 1;
    }
    return 0;
}

static int server(const char *where)
{
    int pair = -1;
    sigset_t sleeping;
    pid_t child = start_announcer(&pair);
    if (child < 0)
        return 1;
    listen_to_signals((int[]){SIGINT, SIGTERM, 0}, &sleeping);
    int bad = open_room(where) || serve(&sleeping, &pair, child);
    if (pair != -1) {
        close(pair);
        RETRY(waitpid(child, NULL, 0));
    }
    if (malformed)
        fprintf(stderr, "chat: %lu messages that could not be understood\n", malformed);
    return bad || say_lost(room_lost + drops(room_socket)) || say("bye", "", "", "");
}

/* ---- The client ---- */

struct client {
    int socket;
    char server[PEER];
    sigset_t sleeping;
    bool terminal, ended, reading_escape;
    struct termios before;
    const char *prompt;
    /* What has been typed: whole lines, and the one that has begun. */
    char typed[65536], line[LONGEST + 2];
    size_t typed_length, line_length;
    char name[LONGEST + 2];
    unsigned long refused;
};

static int no_answer(const struct client *c)
{
    fprintf(stderr, "chat: no answer from %s\n", c->server);
    return 1;
}

/* Draws the line that is being typed anew: its end, as far as there is room for it. */
static int draw(struct client *c, const char *above)
{
    static char out[4 * BUFFER];
    struct winsize size = {0};
    size_t room = ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80, start = c->line_length;
    room = room > strlen(c->prompt) + 1 ? room - strlen(c->prompt) - 1 : 0;
    while (start > 0) {
        size_t at = start - 1;
        while (at > 0 && (c->line[at] & 0xC0) == 0x80)
            at--;
        size_t width = start - at > 1 ? 2 : 1;
        if (width > room)
            break;
        room -= width;
        start = at;
    }
    int n = snprintf(out, sizeof out, "\r\x1b[2K%s%s%.*s", above, c->prompt, (int)(c->line_length - start), c->line + start);
    return print(out, (size_t)n);
}

/* Shows a message on a line of its own, control characters escaped. */
static int show(struct client *c, const char *bytes, size_t length)
{
    static char out[8 * BUFFER];
    size_t n = 0;
    bool control;
    while (length && bytes[0] == '\n')
        bytes++, length--;
    while (length && bytes[length - 1] == '\n')
        length--;
    for (size_t at = 0, step; at < length; at += step) {
        size_t real = character((const void *)(bytes + at), length - at, &control);
        step = real ? real : 1;
        if (!real || control)
            for (size_t i = 0; i < step; i++)
                n += (size_t)sprintf(out + n, "\\x%02x", (unsigned char)bytes[at + i]);
        else
            memcpy(out + n, bytes + at, step), n += step;
    }
    out[n++] = '\n';
    out[n] = 0;
    return c->terminal ? draw(c, out) : print(out, n);
}

static int ask(struct client *c)
{
    c->prompt = "name: ";
    return c->terminal ? draw(c, "") : print(c->prompt, strlen(c->prompt));
}

static void add(struct client *c, char key)
{
    if (c->line_length < LONGEST + 1)
        c->line[c->line_length++] = key;
}

static int press(struct client *c, char key)
{
    char above[LONGEST + 16];
    if (c->reading_escape) {
        c->reading_escape = key == '[' || key == 'O' || (key >= ' ' && key <= '?');
    } else if (key == '\x1b') {
        c->reading_escape = true;
    } else if (key == '\r' || key == '\n') {
        snprintf(above, sizeof above, "%s%.*s\n", c->prompt, (int)c->line_length, c->line);
        memcpy(c->typed + c->typed_length, c->line, c->line_length);
        c->typed_length += c->line_length;
        c->typed[c->typed_length++] = '\n';
        c->line_length = 0;
        c->prompt = "";
        return draw(c, above);
    } else if (key == 4 && c->line_length == 0) {
        c->ended = true;
    } else if (key == 127 || key == 8) {
        while (c->line_length && (c->line[--c->line_length] & 0xC0) == 0x80)
            ;
    } else if (key == 21) {
        c->line_length = 0;
    } else if ((unsigned char)key >= ' ') {
        add(c, key);
    }
    return 0;
}

/* Reads once what has been typed. */
static int read_keyboard(struct client *c)
{
    char bytes[4096];
    size_t room = sizeof c->typed - c->typed_length - LONGEST - 2;
    long n = RETRY(read(0, bytes, room < sizeof bytes ? room : sizeof bytes));
    if (n == -1 && errno == EAGAIN)
        return 0;
    if (n == -1 && errno != EIO)
        return failed("read");
    if (n <= 0) {
        c->ended = true;
        if (c->line_length && !c->terminal) {
            memcpy(c->typed + c->typed_length, c->line, c->line_length);
            c->typed_length += c->line_length;
            c->typed[c->typed_length++] = '\n';
        }
        return 0;
    }
    for (long i = 0; i < n; i++) {
        if (c->terminal) {
            if (press(c, bytes[i]))
                return 1;
        } else if (bytes[i] != '\n') {
            add(c, bytes[i]);
        } else {
            memcpy(c->typed + c->typed_length, c->line, c->line_length);
            c->typed_length += c->line_length;
            c->typed[c->typed_length++] = '\n';
            c->line_length = 0;
        }
    }
    return c->terminal ? draw(c, "") : 0;
}

/* The next whole line, if there is one. */
static bool next_line(struct client *c, char line[LONGEST + 2], size_t *length)
{
    char *end = memchr(c->typed, '\n', c->typed_length);
    if (!end)
        return false;
    *length = (size_t)(end - c->typed);
    memcpy(line, c->typed, *length);
    line[*length] = 0;
    c->typed_length -= *length + 1;
    memmove(c->typed, end + 1, c->typed_length);
    return true;
}

/* Returns 0: sent, or lost; 1: nobody is there; 2: it was too long. */
static int tell(struct client *c, const char *kind, const char *name, const char *text, size_t length)
{
    char message[2 * LONGEST + 64];
    size_t head = (size_t)sprintf(message, "%s%s%s", kind, name, text ? " " : "");
    if (head + length > LONGEST) {
        const char *why = "not sent: a message has 1,024 bytes at most";
        return show(c, why, strlen(why)) ? 1 : 2;
    }
    if (text)
        memcpy(message + head, text, length);
    if (RETRY(send(c->socket, message, head + length, MSG_DONTWAIT)) != -1)
        return 0;
    if (errno != EAGAIN && errno != ENOBUFS && errno != EPERM)
        return no_answer(c);
    c->refused++;
    return 0;
}

/* The receiver: writes each message into a pipe, its length before it. A length of 0xFFFF means that nobody is there. */
static void receiver(struct client *c, int pipe)
{
    struct {
        uint16_t length;
        char bytes[BUFFER];
    } message;
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        struct pollfd fds[] = {{c->socket, POLLIN, 0}, {pipe, 0, 0}};
        if (RETRY(poll(fds, 2, -1)) == -1 || fds[1].revents)
            _exit(0);
        long n = RETRY(recv(c->socket, message.bytes, sizeof message.bytes, MSG_DONTWAIT));
        if (n == -1 && errno == EAGAIN)
            continue;
        message.length = n == -1 ? 0xFFFF : (uint16_t)n;
        if (n == 2 && memcmp(message.bytes, "OK", 2) == 0)
            continue;
        if (RETRY(write(pipe, &message, 2 + (n == -1 ? 0 : (size_t)n))) == -1)
            _exit(0);
        if (n == -1 || (n == 4 && memcmp(message.bytes, "EXIT", 4) == 0))
            _exit(0);
    }
}

/* What the receiver has to tell. 0: shown; 1: that failed, or nobody is there; 2: EXIT. */
static int news(struct client *c, int pipe)
{
    uint16_t length;
    char bytes[BUFFER];
    if (RETRY(read(pipe, &length, 2)) != 2)
        return complain("receiver", "has ended");
    if (length == 0xFFFF)
        return no_answer(c);
    if (length && RETRY(read(pipe, bytes, length)) != length)
        return complain("receiver", "has ended");
    if (length == 4 && memcmp(bytes, "EXIT", 4) == 0)
        return 2;
    return show(c, bytes, length);
}

/* 0: a line; 1: an error; 2: there is none any more. Of what comes meanwhile only EXIT means something. */
static int wait_for_line(struct client *c, char line[LONGEST + 2], size_t *length)
{
    while (!next_line(c, line, length)) {
        struct pollfd fds[] = {{0, POLLIN, 0}, {c->socket, POLLIN, 0}};
        char unasked[5];
        if (c->ended)
            return 2;
        nap(fds, 2, &c->sleeping, 0);
        if (stop)
            return 2;
        if (fds[1].revents && RETRY(recv(c->socket, unasked, 5, MSG_DONTWAIT)) == 4 && memcmp(unasked, "EXIT", 4) == 0)
            return 2;
        if (fds[0].revents && read_keyboard(c))
            return 1;
    }
    return 0;
}

/* Waits for the answer to `L`. Returns its length, or -1 when there is none. */
static long wait_for_answer(struct client *c, char answer[BUFFER])
{
    long long until = now() + PATIENCE;
    for (;;) {
        struct pollfd fds = {c->socket, POLLIN, 0};
        long long left = until - now();
        int n = poll(&fds, 1, left > 0 ? (int)left : 0);
        if (n == 0)
            return -1;
        long length = n == 1 ? recv(c->socket, answer, BUFFER, MSG_DONTWAIT) : -1;
        if (length != -1)
            return length;
        if (errno != EINTR && errno != EAGAIN)
            return -1;
    }
}

/* 0: we are in; 1: an error; 2: we are not, and that is all. */
static int enter_room(struct client *c)
{
    char line[LONGEST + 2], answer[BUFFER], welcome[LONGEST + 16];
    size_t length;
    for (;;) {
        if (ask(c))
            return 1;
        int typed = wait_for_line(c, line, &length);
        if (typed || (length == 1 && line[0] == 'q'))
            return typed ? typed : 2;
        int sent = tell(c, "L", "", line, length);
        if (sent == 1)
            return 1;
        if (sent == 2)
            continue;
        long n = wait_for_answer(c, answer);
        if (n == -1)
            return no_answer(c);
        if (n == 4 && memcmp(answer, "EXIT", 4) == 0)
            return 2;
        if (n != 2 || memcmp(answer, "OK", 2) != 0) {
            if (show(c, answer, (size_t)n))
                return 1;
            continue;
        }
        memcpy(c->name, line, length + 1);
        int end = sprintf(welcome, "welcome, %s", line);
        return show(c, welcome, (size_t)end);
    }
}

/* 0: we are to leave; 1: an error; 2: the room has said EXIT. */
static int talk(struct client *c, int pipe)
{
    char line[LONGEST + 2];
    size_t length;
    for (;;) {
        while (next_line(c, line, &length)) {
            if (length == 1 && line[0] == 'q')
                return 0;
            if (tell(c, "C ", c->name, line, length) == 1)
                return 1;
        }
        if (c->ended || stop)
            return 0;
        struct pollfd fds[] = {{0, POLLIN, 0}, {pipe, POLLIN, 0}};
        nap(fds, 2, &c->sleeping, 0);
        int told = fds[1].revents ? news(c, pipe) : 0;
        if (told)
            return told;
        if (fds[0].revents && read_keyboard(c))
            return 1;
    }
}

static int say_goodbye(struct client *c, int pipe)
{
    long long until = now() + PATIENCE;
    if (tell(c, "Q ", c->name, NULL, 0) == 1)
        return 1;
    for (;;) {
        struct pollfd fds = {pipe, POLLIN, 0};
        stop = 0;
        if (nap(&fds, 1, &c->sleeping, until) == 0)
            return no_answer(c);
        int told = fds.revents ? news(c, pipe) : 0;
        if (told)
            return told == 1;
    }
}

/* From the fork to the reaping of the child. */
static int visit(struct client *c)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == -1)
        return failed("pipe2");
    pid_t child = fork();
    if (child == -1) {
        failed("fork");
        tell(c, "Q ", c->name, NULL, 0);
        return 1;
    }
    if (child == 0) {
        close(ends[0]);
        receiver(c, ends[1]);
    }
    close(ends[1]);
    int how = talk(c, ends[0]);
    int bad = how == 0 ? say_goodbye(c, ends[0]) : how == 1;
    close(ends[0]);
    RETRY(waitpid(child, NULL, 0));
    return bad;
}

static void take_terminal(struct client *c)
{
    c->terminal = isatty(0) && isatty(1) && tcgetattr(0, &c->before) == 0;
    if (!c->terminal)
        return;
    struct termios keys = c->before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    tcsetattr(0, TCSANOW, &keys);
}

static int client(const char *where)
{
    static struct client c = {.prompt = ""};
    struct sockaddr_storage addr;
    socklen_t length = parse_address(where, &addr);
    int megabytes = 4 << 20;
    write_address(&addr, c.server);
    c.socket = socket(addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (c.socket == -1)
        return failed("socket");
    setsockopt(c.socket, SOL_SOCKET, SO_RCVBUF, &megabytes, sizeof megabytes);
    if (connect(c.socket, (void *)&addr, length) == -1)
        return failed("connect");
    listen_to_signals((int[]){SIGINT, SIGTERM, SIGHUP, SIGQUIT, 0}, &c.sleeping);
    take_terminal(&c);
    int how = enter_room(&c);
    int bad = how == 0 ? visit(&c) : how == 1;
    if (c.terminal) {
        print("\r\x1b[2K", 5);
        tcsetattr(0, TCSANOW, &c.before);
    }
    return say_lost(c.refused + drops(c.socket)) || bad;
}

static int usage(void)
{
    fprintf(stderr, "chat: usage: lab-chat server [ADDR] | client [ADDR]\n");
    return 2;
}

int main(int count, char **args)
{
    struct sockaddr_storage addr;
    const char *where = count > 2 ? args[2] : "127.0.0.1:8888";
    if (count == 2 && strcmp(args[1], "--help") == 0)
        return say("usage: lab-chat server [ADDR] | client [ADDR]", "", "", "");
    if (count < 2 || count > 3 || parse_address(where, &addr) == 0)
        return usage();
    if (strcmp(args[1], "server") == 0)
        return server(where);
    return strcmp(args[1], "client") == 0 ? client(where) : usage();
}
