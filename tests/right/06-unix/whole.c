/* The whole of lab 6 in C: the same command line, the same output, the same exit codes.
 *
 *     cc -O1 -Wall -Wextra -Werror -o whole whole.c && LAB_PROGRAM=$PWD/whole just lab 6
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
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

enum { BUFFER = 65536, LINE = 65536 };

/* Says what failed and why. Returns the exit status for that. */
static int complain(const char *call, const char *why)
{
    fprintf(stderr, "unix: %s: %s\n", call, why);
    return 1;
}

static int failed(const char *call)
{
    return complain(call, strerror(errno));
}

/* Prints these bytes at once. Returns 0, or 1 after having said why not. */
static int print(const void *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        long n = RETRY(write(1, (const char *)bytes + done, length - done));
        if (n == -1)
            return errno == EPIPE ? 1 : failed("write");
        done += (size_t)n;
    }
    return 0;
}

/* Prints a line, made of two parts, by one write. */
static int say(const char *prefix, const char *bytes, size_t length)
{
    size_t before = strlen(prefix);
    char *line = malloc(before + length + 1);
    if (!line)
        return failed("malloc");
    memcpy(line, prefix, before);
    memcpy(line + before, bytes, length);
    line[before + length] = '\n';
    int told = print(line, before + length + 1);
    free(line);
    return told;
}

/* ---- Step 1, kind ---- */

static char letter(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return '-';
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFSOCK: return 's';
    case S_IFIFO: return 'p';
    case S_IFCHR: return 'c';
    case S_IFBLK: return 'b';
    default: return '?';
    }
}

static int kind(int count, char **paths)
{
    int status = 0;
    for (int i = 0; i < count; i++) {
        struct stat there;
        if (lstat(paths[i], &there) == -1) {
            status = failed(paths[i]);
            continue;
        }
        char prefix[] = {letter(there.st_mode), ' ', 0};
        if (say(prefix, paths[i], strlen(paths[i])))
            return 1;
    }
    return status;
}

/* ---- Steps 3 and 4: the listening socket and its file ---- */

struct listener {
    struct sockaddr_un address;
    struct stat file;
    int socket, directory, signals;
};

/* The address, or 1 after having said that the path is too long. */
static int address(struct sockaddr_un *to, const char *path, const char *call)
{
    memset(to, 0, sizeof *to);
    to->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof to->sun_path)
        return complain(call, strerror(ENAMETOOLONG));
    memcpy(to->sun_path, path, strlen(path));
    return 0;
}

/* Opens the directory of the path: the lock is on it. */
static int open_directory(const char *path)
{
    char name[sizeof ((struct sockaddr_un *)0)->sun_path];
    const char *slash = strrchr(path, '/');
    if (!slash)
        return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    memcpy(name, path, length);
    name[length] = 0;
    return open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* From here on these signals wait until they are asked for. */
static int open_signals(void)
{
    sigset_t ends, blocked;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    blocked = ends;
    sigaddset(&blocked, SIGPIPE);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    return signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Whether it is a socket that nobody has open. */
static int is_stale(const struct sockaddr_un *at)
{
    struct stat there;
    if (lstat(at->sun_path, &there) == -1 || !S_ISSOCK(there.st_mode))
        return 0;
    int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe == -1)
        return 0;
    long refused = RETRY(connect(probe, (const struct sockaddr *)at, sizeof *at)) == -1 && errno == ECONNREFUSED;
    close(probe);
    return (int)refused;
}

/* With the lock in hand. */
static int bind_and_listen(struct listener *l)
{
    const struct sockaddr *at = (const struct sockaddr *)&l->address;
    l->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->socket == -1)
        return failed("socket");
    umask(0177);
    int bound = bind(l->socket, at, sizeof l->address);
    if (bound == -1 && errno == EADDRINUSE) {
        if (!is_stale(&l->address))
            return complain("bind", strerror(EADDRINUSE));
        if (unlink(l->address.sun_path) == -1)
            return failed("unlink");
        bound = bind(l->socket, at, sizeof l->address);
    }
    if (bound == -1)
        return failed("bind");
    if (lstat(l->address.sun_path, &l->file) == 0 && listen(l->socket, SOMAXCONN) == 0)
        return 0;
    failed("listen");
    unlink(l->address.sun_path);
    return 1;
}

/* Removes the file, if it is still the one that bind made. The socket is open: nobody else has its number. */
static int tidy(struct listener *l)
{
    struct stat there;
    if (RETRY(flock(l->directory, LOCK_EX)) == -1)
        return failed("flock");
    int is_there = lstat(l->address.sun_path, &there) == 0;
    int own = is_there && there.st_dev == l->file.st_dev && there.st_ino == l->file.st_ino;
    int status = own && unlink(l->address.sun_path) == -1 ? failed("unlink") : 0;
    flock(l->directory, LOCK_UN);
    close(l->socket);
    return status;
}

/* Listens, says so, does the work, and tidies up. The work returns 0 for a good end too. */
static int during(const char *path, int (*work)(struct listener *, int), int greets)
{
    struct listener l;
    if (address(&l.address, path, "bind"))
        return 1;
    if ((l.directory = open_directory(path)) == -1)
        return failed("open");
    if (RETRY(flock(l.directory, LOCK_EX)) == -1)
        return failed("flock");
    if ((l.signals = open_signals()) == -1)
        return failed("signalfd");
    if (bind_and_listen(&l))
        return 1;
    flock(l.directory, LOCK_UN);
    int status = say("listening on ", path, strlen(path)) || work(&l, greets);
    return tidy(&l) || status;
}

/* ---- Steps 2 and 5, talk and who ---- */

struct sender {
    char prefix[64];
    char *kept;
    size_t length;
};

static struct pollfd *fds; /* the signals, the listener, the senders */
static struct sender *senders;
static size_t count;

/* Who it is, and whether it may talk. */
static int greet(struct sender *sender, int fd, int greets)
{
    struct ucred who;
    socklen_t size = sizeof who;
    sender->prefix[0] = 0;
    if (!greets)
        return 1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == -1)
        return 0;
    snprintf(sender->prefix, sizeof sender->prefix, "pid %d uid %u: ", (int)who.pid, (unsigned)who.uid);
    return who.uid == 0 || who.uid == geteuid();
}

static int let_in(struct listener *l, int greets)
{
    int fd = (int)RETRY(accept4(l->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd == -1)
        return errno == EAGAIN || errno == ECONNABORTED ? 0 : failed("accept4");
    struct sender new = {.kept = NULL};
    if (!greet(&new, fd, greets)) {
        close(fd);
        return 0;
    }
    struct pollfd *more_fds = realloc(fds, (count + 3) * sizeof *fds);
    fds = more_fds ? more_fds : fds;
    struct sender *more = realloc(senders, (count + 1) * sizeof *senders);
    senders = more ? more : senders;
    if (!more_fds || !more)
        return failed("realloc");
    fds[count + 2] = (struct pollfd){.fd = fd, .events = POLLIN};
    senders[count++] = new;
    return 0;
}

static int say_kept(struct sender *sender)
{
    int told = say(sender->prefix, sender->kept ? sender->kept : "", sender->length);
    free(sender->kept);
    sender->kept = NULL;
    sender->length = 0;
    return told;
}

/* Adds to the line that has begun. What is too long goes out. */
static int keep(struct sender *sender, const char *bytes, size_t length)
{
    if (length == 0)
        return 0;
    if (sender->length + length > LINE && sender->length > 0 && say_kept(sender))
        return 1;
    char *more = realloc(sender->kept, sender->length + length);
    if (!more)
        return failed("realloc");
    memcpy(more + sender->length, bytes, length);
    sender->kept = more;
    sender->length += length;
    return 0;
}

/* Reads once, and prints the lines that are whole now. Returns 1 after a failure; `*stays` is 0 at the end. */
static int hear(struct sender *sender, int fd, int *stays)
{
    static char buffer[BUFFER];
    long n = RETRY(read(fd, buffer, sizeof buffer));
    *stays = n > 0 || (n == -1 && errno == EAGAIN);
    if (n <= 0)
        return !*stays && sender->length > 0 ? say_kept(sender) : 0;
    const char *from = buffer, *end = buffer + n;
    for (const char *at; (at = memchr(from, '\n', (size_t)(end - from))); from = at + 1)
        if (keep(sender, from, (size_t)(at - from)) || say_kept(sender))
            return 1;
    return keep(sender, from, (size_t)(end - from));
}

/* Hears those who are ready, and forgets those who have gone. */
static int hear_all(void)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        int stays = 1;
        if (fds[i + 2].revents && hear(&senders[i], fds[i + 2].fd, &stays))
            return 1;
        if (!stays) {
            close(fds[i + 2].fd);
            continue;
        }
        fds[left + 2] = fds[i + 2];
        senders[left++] = senders[i];
    }
    count = left;
    return 0;
}

static int receive_lines(struct listener *l, int greets)
{
    fds = calloc(2, sizeof *fds);
    if (!fds)
        return failed("calloc");
    fds[0] = (struct pollfd){.fd = l->signals, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = l->socket, .events = POLLIN};
    for (;;) {
        if (RETRY(poll(fds, count + 2, -1)) == -1)
            return failed("poll");
        if (fds[0].revents)
            return 0;
        int knocked = fds[1].revents;
        if (hear_all() || (knocked && let_in(l, greets)))
            return 1;
    }
}

static int connected(const char *path)
{
    struct sockaddr_un at;
    if (address(&at, path, "connect"))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || RETRY(connect(fd, (struct sockaddr *)&at, sizeof at)) == -1) {
        failed("connect");
        return -1;
    }
    return fd;
}

static int send_all(int fd, const char *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        long n = RETRY(send(fd, bytes + done, length - done, MSG_NOSIGNAL));
        if (n == -1)
            return failed("send");
        done += (size_t)n;
    }
    return 0;
}

static int send_lines(const char *path)
{
    static char buffer[BUFFER];
    int fd = connected(path), at_start = 1;
    if (fd == -1)
        return 1;
    for (;;) {
        long n = RETRY(read(0, buffer, sizeof buffer));
        if (n <= 0)
            return n == -1 ? failed("read") : 0;
        for (char *from = buffer, *end = buffer + n; from < end;) {
            char *newline = memchr(from, '\n', (size_t)(end - from));
            char *to = newline ? newline + 1 : end;
            if (at_start && newline == from)
                return 0;
            if (send_all(fd, from, (size_t)(to - from)))
                return 1;
            at_start = newline != NULL;
            from = to;
        }
    }
}

/* ---- Step 6, pass ---- */

/* Room for one descriptor, aligned as a header must be. */
union control {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header;
};

static int give(const char *path, const char *name)
{
    int file = open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (file == -1)
        return failed("open");
    int fd = connected(path);
    if (fd == -1)
        return 1;
    union control control = {.space = {0}};
    struct iovec byte = {.iov_base = "!", .iov_len = 1};
    struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1};
    message.msg_control = &control;
    message.msg_controllen = sizeof control.space;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &file, sizeof file);
    return RETRY(sendmsg(fd, &message, MSG_NOSIGNAL)) == -1 ? failed("sendmsg") : 0;
}

/* Sleeps until the descriptor is ready: 1; or a signal has come: 0. -1: it failed. */
static int ready(struct listener *l, int fd)
{
    struct pollfd both[] = {{.fd = l->signals, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    if (RETRY(poll(both, 2, -1)) == -1) {
        failed("poll");
        return -1;
    }
    return both[0].revents ? 0 : 1;
}

/* The descriptor that came with the message, or -1. */
static int passed(int giver)
{
    union control control;
    char byte;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    message.msg_control = &control;
    message.msg_controllen = sizeof control.space;
    if (RETRY(recvmsg(giver, &message, MSG_CMSG_CLOEXEC)) == -1)
        return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int fd = -1;
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

static int print_file(struct listener *l, int file)
{
    static char buffer[BUFFER];
    for (;;) {
        int is = ready(l, file);
        if (is <= 0)
            return is < 0;
        long n = RETRY(read(file, buffer, sizeof buffer));
        if (n == -1 && errno != EAGAIN)
            return failed("read");
        if (n == 0 || (n > 0 && print(buffer, (size_t)n)))
            return n != 0;
    }
}

static int take_one(struct listener *l, int unused)
{
    (void)unused;
    int giver = -1;
    while (giver == -1) {
        int is = ready(l, l->socket);
        if (is <= 0)
            return is < 0;
        giver = (int)RETRY(accept4(l->socket, NULL, NULL, SOCK_CLOEXEC));
        if (giver == -1 && errno != EAGAIN && errno != ECONNABORTED)
            return failed("accept4");
    }
    int is = ready(l, giver);
    if (is <= 0)
        return is < 0;
    int file = passed(giver);
    close(giver);
    return file == -1 ? complain("recvmsg", "no descriptor") : print_file(l, file);
}

/* ---- Step 7, pair ---- */

/* Reads one message and prints it behind the name. */
static int hear_message(int fd, const char *name)
{
    char message[4];
    for (size_t length = 0; length < sizeof message;) {
        long n = RETRY(read(fd, message + length, sizeof message - length));
        if (n <= 0)
            return n == -1 ? failed("read") : 1;
        length += (size_t)n;
    }
    return say(name, message, sizeof message);
}

static int pair(void)
{
    int ends[2], status;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
        return failed("socketpair");
    pid_t child = fork();
    if (child == -1)
        return failed("fork");
    if (child == 0) {
        close(ends[0]);
        _exit(hear_message(ends[1], "child: ") || send_all(ends[1], "pong", 4));
    }
    close(ends[1]);
    int talked = send_all(ends[0], "ping", 4) || hear_message(ends[0], "parent: ");
    close(ends[0]);
    if (RETRY(waitpid(child, &status, 0)) == -1)
        return failed("waitpid");
    return talked || status != 0;
}

/* ---- The command line ---- */

#define USAGE "usage: unix kind PATH... | recv PATH | send PATH | who PATH | give PATH FILE | take PATH | pair"

int main(int argc, char **argv)
{
    const char *step = argc > 1 ? argv[1] : "";
    int has_path = argc == 3 && *argv[2];
    if (argc == 2 && !strcmp(step, "--help"))
        return say("", USAGE, strlen(USAGE));
    if (argc > 2 && !strcmp(step, "kind"))
        return kind(argc - 2, argv + 2);
    if (has_path && !strcmp(step, "recv"))
        return during(argv[2], receive_lines, 0);
    if (has_path && !strcmp(step, "who"))
        return during(argv[2], receive_lines, 1);
    if (has_path && !strcmp(step, "send"))
        return send_lines(argv[2]);
    if (has_path && !strcmp(step, "take"))
        return during(argv[2], take_one, 0);
    if (argc == 4 && !strcmp(step, "give") && *argv[2] && *argv[3])
        return give(argv[2], argv[3]);
    if (argc == 2 && !strcmp(step, "pair"))
        return pair();
    fprintf(stderr, "unix: no such step; %s\n", USAGE);
    return 2;
}
