/* The whole of lab 3 in C: the same command line, the same output, the same exit codes.
 *
 *     cc -O1 -Wall -Wextra -Werror -o whole whole.c && LAB_PROGRAM=$PWD/whole just lab 3
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* Says which call failed and why. Returns the exit status for that. */
static int failed(const char *call)
{
    char line[256];
    int length = snprintf(line, sizeof line, "zombie: %s: %s\n", call, strerror(errno));
    if (RETRY(write(2, line, (size_t)length)) == -1)
        return 1; /* nobody is left to be told */
    return 1;
}

/* Prints a line at once. Returns 0, or 1 after having said why not. */
__attribute__((format(printf, 1, 2))) static int say(const char *format, ...)
{
    char line[128];
    va_list arguments;
    va_start(arguments, format);
    size_t length = (size_t)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (size_t done = 0; done < length;) {
        long n = RETRY(write(1, line + done, length - done));
        if (n == -1)
            return failed("write");
        done += (size_t)n;
    }
    return 0;
}

/* Reaps this child. Returns its exit status, or 1 if it did not exit by itself, or -1 after having said why not. */
static int reap(pid_t child)
{
    int status;
    if (RETRY(waitpid(child, &status, 0)) == -1) {
        failed("waitpid");
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* A pidfd of the calling process, close-on-exec by itself. */
static int pidfd_of_myself(void)
{
    return (int)syscall(SYS_pidfd_open, getpid(), 0);
}

static int wait_for_end(int pidfd)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    if (RETRY(poll(&fd, 1, -1)) == -1)
        return failed("poll");
    return 0;
}

/* ---- Step 1, orphan ---- */

static int orphan_child(int parent_life, int to_parent)
{
    if (say("child: parent %d\n", (int)getppid()))
        return 1;
    if (RETRY(write(to_parent, "!", 1)) == -1)
        return failed("write");
    if (wait_for_end(parent_life))
        return 1;
    return say("child: adopted by %d\n", (int)getppid());
}

static int orphan_parent(pid_t child, int from_child)
{
    char byte;
    long n = RETRY(read(from_child, &byte, 1));
    if (n == 1 && say("parent: leaving\n") == 0)
        return 0; /* and the child stays */
    if (n == -1)
        failed("read");
    if (n != 0) /* at the end of file the child has ended by itself, and has said why */
        kill(child, SIGKILL);
    reap(child);
    return 1;
}

static int orphan(void)
{
    int pipe_fds[2];
    int parent_life = pidfd_of_myself();
    if (parent_life == -1)
        return failed("pidfd_open");
    if (pipe2(pipe_fds, O_CLOEXEC) == -1)
        return failed("pipe2");
    pid_t child = fork();
    if (child == -1)
        return failed("fork");
    if (child == 0) {
        close(pipe_fds[0]);
        _exit(orphan_child(parent_life, pipe_fds[1]));
    }
    close(pipe_fds[1]);
    return orphan_parent(child, pipe_fds[0]);
}

/* ---- Step 2, zombie ---- */

/* Prints what the kernel says about this process at this moment. */
static int look(pid_t pid)
{
    char path[32], stat[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return errno == ENOENT ? say("child %d is gone\n", (int)pid) : failed("open");
    long n = RETRY(read(fd, stat, sizeof stat - 1));
    close(fd);
    if (n == -1)
        return failed("read");
    stat[n] = '\0';
    char *bracket = strrchr(stat, ')'); /* the last one: a command may itself hold brackets */
    return say("child %d is %c\n", (int)pid, bracket ? bracket[2] : '?');
}

static int zombie(void)
{
    pid_t child = fork();
    if (child == -1)
        return failed("fork");
    if (child == 0)
        _exit(0);
    siginfo_t info;
    int looked;
    if (RETRY(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT)) == -1)
        looked = failed("waitid");
    else
        looked = look(child);
    if (reap(child) == -1 || looked)
        return 1;
    return look(child);
}

/* ---- Step 3, double ---- */

static int worker(int middle_life)
{
    if (wait_for_end(middle_life))
        return 1;
    return say("worker: adopted by %d\n", (int)getppid()) || say("worker: done\n");
}

static int middle(void)
{
    int middle_life = pidfd_of_myself();
    if (middle_life == -1)
        return failed("pidfd_open");
    pid_t child = fork();
    if (child == -1)
        return failed("fork");
    if (child == 0)
        _exit(worker(middle_life));
    return 0;
}

static int double_fork(void)
{
    pid_t child = fork();
    if (child == -1)
        return failed("fork");
    if (child == 0)
        _exit(middle());
    if (reap(child) != 0)
        return 1; /* the middle process has said why */
    return say("main: free\n");
}

/* ---- Step 4, ignore ---- */

static int ignore(int n)
{
    int status = 0;
    if (signal(SIGCHLD, SIG_IGN) == SIG_ERR)
        return failed("signal");
    for (int i = 0; i < n && status == 0; i++) {
        pid_t child = fork();
        if (child == -1)
            status = failed("fork");
        if (child == 0)
            _exit(0);
    }
    while (wait(NULL) != -1 || errno == EINTR)
        ;
    if (errno != ECHILD)
        return failed("wait");
    return status ? status : say("%d children ended, ECHILD\n", n);
}

/* ---- Step 5, handler ---- */

static int wake_fd;

static void on_sigchld(int signal_number)
{
    int saved = errno;
    (void)signal_number;
    if (write(wake_fd, "!", 1) == -1) {
        /* The pipe is full, and main wakes without this byte. */
    }
    errno = saved;
}

/* Forks n children that end together, when this function closes its end of the gate. */
static int fork_children(int n)
{
    int gate[2], status = 0;
    if (pipe2(gate, O_CLOEXEC) == -1)
        return failed("pipe2");
    for (int i = 0; i < n && status == 0; i++) {
        pid_t child = fork();
        if (child == -1)
            status = failed("fork");
        if (child == 0) {
            char byte;
            close(gate[1]);
            _exit(RETRY(read(gate[0], &byte, 1)) == -1 ? failed("read") : 0);
        }
    }
    close(gate[0]);
    close(gate[1]);
    return status;
}

/* Reaps all that have ended, and no more. Returns how many, or -1 if there is no child at all any more. */
static int reap_ended(void)
{
    int reaped = 0;
    for (;;) {
        long pid = RETRY(waitpid(-1, NULL, WNOHANG));
        if (pid == 0)
            return reaped;
        if (pid == -1)
            return reaped ? reaped : -1;
        reaped++;
    }
}

static int handler(int n)
{
    int wake[2];
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) == -1)
        return failed("pipe2");
    wake_fd = wake[1];
    struct sigaction action = {.sa_handler = on_sigchld, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    if (sigaction(SIGCHLD, &action, NULL) == -1)
        return failed("sigaction");
    int status = fork_children(n);
    int reaped = 0;
    for (int now; (now = reap_ended()) != -1; reaped += now) {
        struct pollfd fd = {.fd = wake[0], .events = POLLIN};
        char bytes[64];
        if (now > 0)
            continue; /* there may be none left to sleep for */
        if (RETRY(poll(&fd, 1, -1)) == -1)
            return failed("poll");
        if (RETRY(read(wake[0], bytes, sizeof bytes)) == -1 && errno != EAGAIN)
            return failed("read");
    }
    return status ? status : say("reaped %d\n", reaped);
}

/* ---- Step 6, daemon ---- */

struct pidfile {
    int fd;
    char path[PATH_MAX]; /* absolute, since the daemon goes to / */
};

/* Whether the path still leads to the open file: 1, 0, or -1 with errno. */
static int is_own(const struct pidfile *file)
{
    struct stat own, there;
    if (fstat(file->fd, &own) == -1)
        return -1;
    if (lstat(file->path, &there) == -1)
        return errno == ENOENT ? 0 : -1;
    return own.st_dev == there.st_dev && own.st_ino == there.st_ino;
}

static int remove_pidfile(const struct pidfile *file)
{
    int own = is_own(file);
    if (own == -1)
        return failed("lstat");
    /* The caller and its daemon may both be removing it, when the daemon could not report: one of them is first. */
    if (own && unlink(file->path) == -1 && errno != ENOENT)
        return failed("unlink");
    return 0;
}

static int make_absolute(struct pidfile *file, const char *path)
{
    char directory[PATH_MAX] = "";
    if (path[0] != '/' && !getcwd(directory, sizeof directory))
        return failed("getcwd");
    const char *between = directory[0] ? "/" : "";
    if ((size_t)snprintf(file->path, sizeof file->path, "%s%s%s", directory, between, path) >= sizeof file->path) {
        errno = ENAMETOOLONG;
        return failed("open");
    }
    return 0;
}

/* Opens and locks the file. Where a daemon holds the lock, nothing is changed. The lock of flock belongs to
 * the open file, which is inherited: taken here by the caller, it lasts until the daemon has ended. */
static int lock_pidfile(struct pidfile *file)
{
    for (;;) {
        int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
        file->fd = open(file->path, flags | O_EXCL, 0644);
        int is_new = file->fd != -1;
        if (!is_new && errno == EEXIST)
            file->fd = open(file->path, flags, 0644);
        if (file->fd == -1)
            return failed("open");
        struct stat own;
        if (fstat(file->fd, &own) == -1)
            return failed("fstat");
        if (!S_ISREG(own.st_mode)) {
            errno = EINVAL;
            return failed("open");
        }
        if (RETRY(flock(file->fd, LOCK_EX | LOCK_NB)) == -1) {
            int ours = is_new && errno != EWOULDBLOCK; /* else another one was quicker to lock it */
            failed("flock");
            if (ours)
                unlink(file->path);
            return 1;
        }
        int there = is_own(file);
        if (there == -1)
            return failed("lstat");
        if (there)
            return 0;
        close(file->fd); /* removed by its daemon after we had opened it */
    }
}

static int write_pid(const struct pidfile *file)
{
    if (ftruncate(file->fd, 0) == -1)
        return failed("ftruncate");
    char line[32];
    int length = snprintf(line, sizeof line, "%d\n", (int)getpid());
    return RETRY(write(file->fd, line, (size_t)length)) == length ? 0 : failed("write");
}

static int leave_streams(int null)
{
    for (int fd = 0; fd <= 2; fd++)
        if (RETRY(dup2(null, fd)) == -1)
            return failed("dup2");
    if (null > 2)
        close(null);
    return 0;
}

static int be_daemon(const struct pidfile *file, int ready)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGPIPE); /* that the caller has gone is an error of write, and not the daemon's death */
    if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
        return failed("sigprocmask");
    sigdelset(&set, SIGPIPE);
    if (chdir("/") == -1)
        return failed("chdir");
    umask(0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null == -1)
        return failed("open");
    if (write_pid(file))
        return 1;
    int status = RETRY(write(ready, "!", 1)) == 1 ? leave_streams(null) : failed("write");
    close(ready);
    if (status == 0)
        RETRY(sigwaitinfo(&set, NULL));
    return remove_pidfile(file) || status;
}

static int session_leader(const struct pidfile *file, int ready)
{
    if (setsid() == -1)
        return failed("setsid");
    pid_t child = fork();
    if (child == -1)
        return failed("fork");
    if (child == 0)
        _exit(be_daemon(file, ready));
    return 0;
}

/* Returns, in the caller, once the daemon has said that it is ready (0) or has failed and said why (1). */
static int start(const struct pidfile *file)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) == -1)
        return failed("pipe2");
    pid_t child = fork();
    if (child == -1)
        return failed("fork");
    if (child == 0) {
        close(ready[0]);
        _exit(session_leader(file, ready[1]));
    }
    close(ready[1]);
    char byte;
    long n, reported = 0;
    while ((n = RETRY(read(ready[0], &byte, 1))) == 1)
        reported++; /* to the end of file: by then the daemon has let go of the pipe, too */
    if (n == -1)
        failed("read");
    reap(child);
    return n == 0 && reported ? 0 : 1;
}

static int daemon_step(const char *path)
{
    static struct pidfile file;
    if (syscall(SYS_close_range, 3, ~0U, 0) == -1)
        return failed("close_range");
    if (make_absolute(&file, path) || lock_pidfile(&file))
        return 1;
    if (start(&file) == 0)
        return 0;
    remove_pidfile(&file);
    return 1;
}

/* ---- The command line ---- */

#define USAGE "usage: zombie orphan | zombie | double | ignore 0..64 | handler 0..64 | daemon PIDFILE\n"

static int usage(const char *wrong)
{
    fprintf(stderr, "zombie: %s; " USAGE, wrong);
    return 2;
}

/* The number from 0 to 64 that the text stands for, or -1. */
static int number(const char *text)
{
    char *end;
    if (*text < '0' || *text > '9')
        return -1;
    long n = strtol(text, &end, 10);
    return *end || n > 64 ? -1 : (int)n;
}

int main(int argc, char **argv)
{
    const char *step = argc > 1 ? argv[1] : "";
    if (argc == 2 && !strcmp(step, "--help"))
        return say("%s", USAGE);
    if (argc == 2 && !strcmp(step, "orphan"))
        return orphan();
    if (argc == 2 && !strcmp(step, "zombie"))
        return zombie();
    if (argc == 2 && !strcmp(step, "double"))
        return double_fork();
    if (argc == 3 && (!strcmp(step, "ignore") || !strcmp(step, "handler"))) {
        int n = number(argv[2]);
        if (n == -1)
            return usage("no number from 0 to 64");
        return *step == 'i' ? ignore(n) : handler(n);
    }
    if (argc == 3 && !strcmp(step, "daemon") && *argv[2])
        return daemon_step(argv[2]);
    return usage("no such step");
}
