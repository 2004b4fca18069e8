// Right for steps 1 to 6 of lab 4: the models and the three servers in C, on one table of clients.
// The functions are the system's own, so that each can be looked up as it stands: `man 2 poll`, `man 7 epoll`.

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (32 * 1024)
#define BOUND (256 * 1024)
#define MOST 4096

struct client {
    bool open, ended, readable;
    uint64_t written;
    size_t owed, from, room;
    char *bytes, peer[64];
};

enum how { SELECT, POLL, EPOLL, EDGE };

static struct client clients[MOST];
static int listener, wake[2], table, highest, count;
static bool accepting = true, waiting;
static enum how how;

static _Noreturn void fail(const char *call)
{
    fprintf(stderr, "poll: %s: %s\n", call, strerror(errno));
    exit(1);
}

static _Noreturn void usage(void)
{
    fputs("usage: lab-poll read blocking|nonblocking|timeout 0..60000 | select|poll|epoll|edge ADDR\n", stderr);
    exit(2);
}

static void say(const char *line)
{
    if (write(1, line, strlen(line)) < 0)
        fail("write");
}

// Step 1. One read of standard input, with the flag as asked for and put back.
static ssize_t read_once(bool nonblock)
{
    static char buffer[4096];
    int flags = fcntl(0, F_GETFL);
    fcntl(0, F_SETFL, nonblock ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
    ssize_t n;
    while ((n = read(0, buffer, sizeof buffer)) < 0 && errno == EINTR)
        ;
    int error = errno;
    fcntl(0, F_SETFL, flags);
    errno = error;
    return n;
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

// In `select`, whose time is exact; anew after each interruption, up to the same moment.
static bool ready_by(int64_t deadline)
{
    for (;;) {
        int64_t left = deadline > now() ? deadline - now() : 0;
        struct timeval time = {left / 1000000000, left % 1000000000 / 1000 + 1};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(0, &set);
        int n = select(1, &set, NULL, NULL, &time);
        if (n >= 0)
            return n > 0;
        if (errno != EINTR)
            fail("select");
    }
}

static void models(const char *model, const char *ms)
{
    bool timeout = strcmp(model, "timeout") == 0;
    int64_t deadline = timeout ? now() + atoll(ms) * 1000000 : 0;
    ssize_t n = -1;
    errno = EAGAIN;
    if (!timeout)
        n = read_once(strcmp(model, "nonblocking") == 0);
    while (timeout && n < 0 && errno == EAGAIN && ready_by(deadline))
        n = read_once(true);
    if (n < 0 && errno != EAGAIN && !timeout)
        fail("read");
    char line[64];
    if (n > 0)
        snprintf(line, sizeof line, "read %zd bytes\n", n);
    else if (n == 0)
        strcpy(line, "end of input\n");
    else if (timeout)
        snprintf(line, sizeof line, "nothing within %s ms\n", ms);
    else
        strcpy(line, "nothing yet (EAGAIN)\n");
    say(line);
}

// The servers. What a client waits for:
static bool wants_read(struct client *c) { return c->open && !c->ended && c->owed < BOUND; }
static bool wants_write(struct client *c) { return c->open && c->owed > 0; }

static void interest(int op, int fd, bool in, bool out)
{
    struct epoll_event event = {.data.fd = fd};
    event.events = how == EDGE ? EPOLLIN | EPOLLOUT | EPOLLET : (in ? EPOLLIN : 0) | (out ? EPOLLOUT : 0);
    if (epoll_ctl(table, op, fd, &event) < 0)
        fail("epoll_ctl");
}

static void close_client(int fd)
{
    struct client *c = &clients[fd];
    char line[128];
    snprintf(line, sizeof line, "close %s %llu\n", c->peer, (unsigned long long)c->written);
    free(c->bytes);
    memset(c, 0, sizeof *c);
    if (close(fd) < 0)
        fail("close");
    count--;
    if (!accepting && how == EPOLL)
        interest(EPOLL_CTL_MOD, listener, true, false);
    accepting = true;
    say(line);
}

static void pay(int fd)
{
    struct client *c = &clients[fd];
    while (c->owed > 0) {
        ssize_t n = send(fd, c->bytes + c->from, c->owed, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            c->ended = true;
            c->owed = 0;
        }
        if (n < 0)
            return;
        c->written += (size_t)n;
        c->from += (size_t)n;
        c->owed -= (size_t)n;
    }
    c->from = 0;
}

static void owe(struct client *c, const char *bytes, size_t n)
{
    if (c->from + c->owed + n > c->room) {
        memmove(c->bytes, c->bytes + c->from, c->owed);
        c->from = 0;
        if (c->owed + n > c->room) {
            c->room = c->owed + n;
            c->bytes = realloc(c->bytes, c->room);
            if (c->bytes == NULL)
                fail("realloc");
        }
    }
    memcpy(c->bytes + c->from + c->owed, bytes, n);
    c->owed += n;
}

// One read; false when nothing more is to be had now.
static bool take(int fd)
{
    static char buffer[CHUNK];
    struct client *c = &clients[fd];
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n > 0) {
        owe(c, buffer, (size_t)n);
        pay(fd);
        return true;
    }
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno == EAGAIN)
        return false;
    c->ended = true;
    if (n < 0)
        c->owed = 0;
    return false;
}

static void serve(int fd, bool in, bool out)
{
    struct client *c = &clients[fd];
    if (!c->open)
        return;
    bool read_before = wants_read(c), write_before = wants_write(c);
    if (out)
        pay(fd);
    c->readable |= in;
    while (c->readable && wants_read(c)) {
        c->readable = take(fd);
        if (how != EDGE)
            break;
    }
    if (how != EDGE)
        c->readable = false;
    if (c->ended && c->owed == 0)
        close_client(fd);
    else if (how == EPOLL && (wants_read(c) != read_before || wants_write(c) != write_before))
        interest(EPOLL_CTL_MOD, fd, wants_read(c), wants_write(c));
}

static void print_address(char *to, size_t size, const struct sockaddr_in *a)
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &a->sin_addr, host, sizeof host);
    snprintf(to, size, "%s:%d", host, ntohs(a->sin_port));
}

static void let_in(void)
{
    while (accepting) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        int fd = accept(listener, (struct sockaddr *)&peer, &size);
        if (fd >= 0) {
            if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                fail("fcntl");
            struct client *c = &clients[fd];
            c->open = true;
            count++;
            print_address(c->peer, sizeof c->peer, &peer);
            char line[128];
            snprintf(line, sizeof line, "open %s\n", c->peer);
            say(line);
            highest = fd > highest ? fd : highest;
            if (how >= EPOLL)
                interest(EPOLL_CTL_ADD, fd, true, false);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            accepting = false;
            if (how == EPOLL)
                interest(EPOLL_CTL_MOD, listener, false, false);
            return;
        } else if (errno == EAGAIN) {
            waiting = false;
            return;
        } else if (errno == EBADF || errno == EFAULT || errno == EINVAL || errno == ENOTSOCK) {
            fail("accept");
        }
    }
}

static void on_signal(int number)
{
    (void)number;
    int error = errno;
    if (write(wake[1], "!", 1) < 0)
        errno = error;
    errno = error;
}

// Each way to sleep tells `serve` who is ready, and answers whether the server goes on.
static bool turn_select(void)
{
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(wake[0], &in);
    if (accepting)
        FD_SET(listener, &in);
    for (int fd = 0; fd <= highest; fd++) {
        if (wants_read(&clients[fd]))
            FD_SET(fd, &in);
        if (wants_write(&clients[fd]))
            FD_SET(fd, &out);
    }
    if (select(highest + 1, &in, &out, NULL, NULL) < 0)
        return errno == EINTR ? true : (fail("select"), false);
    if (FD_ISSET(wake[0], &in))
        return false;
    for (int fd = 0; fd <= highest; fd++)
        if (FD_ISSET(fd, &in) || FD_ISSET(fd, &out))
            serve(fd, FD_ISSET(fd, &in), FD_ISSET(fd, &out));
    if (FD_ISSET(listener, &in))
        let_in();
    return true;
}

static bool turn_poll(void)
{
    static struct pollfd fds[MOST];
    nfds_t n = 0;
    fds[n++] = (struct pollfd){wake[0], POLLIN, 0};
    if (accepting)
        fds[n++] = (struct pollfd){listener, POLLIN, 0};
    for (int fd = 0; fd <= highest; fd++) {
        struct client *c = &clients[fd];
        short events = (wants_read(c) ? POLLIN : 0) | (wants_write(c) ? POLLOUT : 0);
        if (events != 0)
            fds[n++] = (struct pollfd){fd, events, 0};
    }
    if (poll(fds, n, -1) < 0)
        return errno == EINTR ? true : (fail("poll"), false);
    bool knock = false;
    for (nfds_t i = 0; i < n; i++) {
        if (fds[i].revents == 0)
            continue;
        if (fds[i].fd == wake[0])
            return false;
        bool broken = fds[i].revents & (POLLHUP | POLLERR);
        if (fds[i].fd == listener)
            knock = true;
        else
            serve(fds[i].fd, broken || fds[i].revents & POLLIN, broken || fds[i].revents & POLLOUT);
    }
    if (knock)
        let_in();
    return true;
}

static bool turn_epoll(void)
{
    struct epoll_event events[64];
    int n = epoll_wait(table, events, 64, -1);
    if (n < 0)
        return errno == EINTR ? true : (fail("epoll_wait"), false);
    for (int i = 0; i < n; i++) {
        int fd = events[i].data.fd;
        uint32_t got = events[i].events;
        if (fd == wake[0])
            return false;
        bool broken = got & (EPOLLHUP | EPOLLERR);
        if (fd == listener)
            waiting = true;
        else
            serve(fd, broken || got & EPOLLIN, broken || got & EPOLLOUT);
    }
    if (waiting)
        let_in();
    return true;
}

static void run(struct sockaddr_in *address)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t most = how == SELECT ? FD_SETSIZE : MOST;
    if (limit.rlim_cur > most)
        limit.rlim_cur = most;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0)
        fail("pipe2");
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        fail("socket");
    socklen_t size = sizeof *address;
    if (bind(listener, (struct sockaddr *)address, size) < 0)
        fail("bind");
    if (listen(listener, SOMAXCONN) < 0 || getsockname(listener, (struct sockaddr *)address, &size) < 0)
        fail("listen");
    char where[64], line[128];
    print_address(where, sizeof where, address);
    snprintf(line, sizeof line, "listening on %s\n", where);
    say(line);
    highest = listener > wake[1] ? listener : wake[1];
    if (how >= EPOLL) {
        table = epoll_create1(EPOLL_CLOEXEC);
        if (table < 0)
            fail("epoll_create1");
        interest(EPOLL_CTL_ADD, wake[0], true, false);
        interest(EPOLL_CTL_ADD, listener, true, false);
    }
    while (how == SELECT ? turn_select() : how == POLL ? turn_poll() : turn_epoll())
        ;
    say("bye\n");
}

static bool parse(const char *text, struct sockaddr_in *address)
{
    char host[64], *end;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host || colon[1] < '0' || colon[1] > '9')
        return false;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    unsigned long port = strtoul(colon + 1, &end, 10);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t)port);
    return *end == '\0' && port <= 65535 && inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"select", "poll", "epoll", "edge"};
    struct sockaddr_in address;
    if (argc >= 3 && strcmp(argv[1], "read") == 0) {
        bool plain = strcmp(argv[2], "blocking") == 0 || strcmp(argv[2], "nonblocking") == 0;
        bool timed = argc == 4 && strcmp(argv[2], "timeout") == 0 && argv[3][0] != '\0' && strlen(argv[3]) <= 5
            && strspn(argv[3], "0123456789") == strlen(argv[3]) && atoi(argv[3]) <= 60000;
        if (!(plain && argc == 3) && !timed)
            usage();
        models(argv[2], timed ? argv[3] : "");
        return 0;
    }
    for (how = SELECT; argc == 3 && how <= EDGE; how++) {
        if (strcmp(argv[1], names[how]) == 0 && parse(argv[2], &address)) {
            run(&address);
            return 0;
        }
    }
    usage();
}
