// Lab 2, wait and waitpid, in C: every step, by other calls than the reference where there are others.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define USAGE                                                                                      \
    "usage: lab-wait one 0..255 | order | first | nohang | status exit 0..255 | "                  \
    "status kill SIGNAL | status stop | all 0..64 | run PROGRAM [ARG...]"

enum { THREE = 3 };

// What the error path must do besides reaping: a stopped child would never end by itself.
static pid_t may_be_stopped = 0;

// Writes a whole line by one write(2), whatever its length.
static bool write_line(int fd, const char *format, va_list arguments)
{
    char *line;
    int length = vasprintf(&line, format, arguments);
    if (length < 0)
        return false;
    ssize_t done = 0;
    for (int at = 0; at < length && done >= 0; at += done) {
        do
            done = write(fd, line + at, (size_t)(length - at));
        while (done < 0 && errno == EINTR);
    }
    int error = errno;
    free(line);
    errno = error;
    return done >= 0;
}

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    // If stderr cannot be written to either, nobody is left to be told.
    (void)write_line(STDERR_FILENO, format, arguments);
    va_end(arguments);
}

// Tells that `call` failed, and ends the program once every child that it made is reaped.
static _Noreturn void fail(const char *call)
{
    complain("wait: %s: %s\n", call, strerror(errno));
    if (may_be_stopped != 0)
        kill(may_be_stopped, SIGKILL);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    exit(1);
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!write_line(STDOUT_FILENO, format, arguments))
        fail("write");
    va_end(arguments);
}

static _Noreturn void usage(const char *what, const char *which)
{
    complain("wait: %s%s; %s\n", what, which, USAGE);
    exit(2);
}

// Sleeps until `deadline`, which a signal does not move.
static void sleep_until(const struct timespec *deadline)
{
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, deadline, NULL) == EINTR)
        ;
}

static void add_millis(struct timespec *time, long millis)
{
    time->tv_nsec += millis * 1000000;
    time->tv_sec += time->tv_nsec / 1000000000;
    time->tv_nsec %= 1000000000;
}

// Forks a child that sleeps and exits with `code`.
static pid_t spawn(long millis, int code)
{
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child > 0)
        return child;
    if (millis > 0) {
        struct timespec end;
        clock_gettime(CLOCK_MONOTONIC, &end);
        add_millis(&end, millis);
        sleep_until(&end);
    }
    _exit(code);
}

static void three(pid_t children[THREE])
{
    static const long sleeps[THREE] = {300, 100, 200};
    for (int i = 0; i < THREE; i++)
        children[i] = spawn(sleeps[i], i + 1);
}

// `TERM` for 15; NULL for the real-time signals. The C library calls 29 by its older name, POLL.
static const char *abbreviation(int signal)
{
    return signal == SIGIO ? "IO" : sigabbrev_np(signal);
}

// waitid, but a signal does not end it. Returns false where there is no such child.
static bool next_change(idtype_t type, id_t id, siginfo_t *info, int options)
{
    info->si_pid = 0;
    while (waitid(type, id, info, options) < 0) {
        if (errno == ECHILD)
            return false;
        if (errno != EINTR)
            fail("waitid");
    }
    return true;
}

// Waits for a child that must be there and must exit, and returns its code.
static int exit_code(idtype_t type, id_t id, pid_t *which)
{
    siginfo_t info;
    if (!next_change(type, id, &info, WEXITED))
        fail("waitid");
    if (info.si_code != CLD_EXITED) {
        errno = ECANCELED;
        fail("child");
    }
    if (which != NULL)
        *which = info.si_pid;
    return info.si_status;
}

static void one(int code)
{
    pid_t child = spawn(0, code);
    say("child %d exited with %d\n", (int)child, exit_code(P_PID, (id_t)child, NULL));
}

static void order(void)
{
    pid_t children[THREE];
    three(children);
    for (int i = 0; i < THREE; i++)
        say("child %d exited with %d\n", i + 1, exit_code(P_PID, (id_t)children[i], NULL));
}

static void first(void)
{
    pid_t children[THREE];
    three(children);
    for (int left = THREE; left > 0;) {
        pid_t which;
        int code = exit_code(P_ALL, 0, &which);
        for (int i = 0; i < THREE; i++) {
            if (children[i] == which) {
                say("child %d exited with %d\n", i + 1, code);
                left--;
            }
        }
    }
}

static void nohang(void)
{
    pid_t child = spawn(500, 7);
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (;;) {
        siginfo_t info;
        if (!next_change(P_PID, (id_t)child, &info, WEXITED | WNOHANG))
            fail("waitid");
        if (info.si_pid == child) {
            say("child exited with %d\n", info.si_status);
            return;
        }
        say("working\n");
        add_millis(&next, 100);
        sleep_until(&next);
    }
}

// The end of a child in which `call` failed.
static _Noreturn void leave(const char *call)
{
    complain("wait: %s: %s\n", call, strerror(errno));
    _exit(1);
}

// The child of `status kill`.
static _Noreturn void die_of(int death)
{
    struct rlimit none = {0, 0};
    sigset_t only;
    if (setrlimit(RLIMIT_CORE, &none) < 0)
        leave("setrlimit");
    // Nothing can change what SIGKILL does.
    if (death != SIGKILL && signal(death, SIG_DFL) == SIG_ERR)
        leave("signal");
    sigemptyset(&only);
    sigaddset(&only, death);
    if (sigprocmask(SIG_UNBLOCK, &only, NULL) < 0)
        leave("sigprocmask");
    raise(death);
    leave("raise");
}

// The child of `status stop`.
static _Noreturn void stop(int gate)
{
    char byte;
    // If the parent dies, nobody is left to continue this child.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        leave("prctl");
    if (raise(SIGSTOP) != 0)
        leave("raise");
    while (read(gate, &byte, 1) < 0 && errno == EINTR)
        ;
    _exit(0);
}

// The parent of every `status`. An open `latch` keeps the child of `status stop` from exiting.
static void watch(pid_t child, int latch)
{
    siginfo_t info;
    may_be_stopped = child;
    for (;;) {
        if (!next_change(P_PID, (id_t)child, &info, WEXITED | WSTOPPED | WCONTINUED))
            fail("waitid");
        switch (info.si_code) {
        case CLD_STOPPED:
            say("stopped by SIG%s\n", abbreviation(info.si_status));
            if (kill(child, SIGCONT) < 0)
                fail("kill");
            break;
        case CLD_CONTINUED:
            say("continued\n");
            if (latch >= 0)
                close(latch);
            latch = -1;
            break;
        case CLD_EXITED:
            may_be_stopped = 0;
            say("exited %d\n", info.si_status);
            return;
        case CLD_KILLED:
        case CLD_DUMPED:
            may_be_stopped = 0;
            say("killed by SIG%s\n", abbreviation(info.si_status));
            return;
        }
    }
}

static void status_stop(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        fail("pipe2");
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        close(ends[1]);
        stop(ends[0]);
    }
    close(ends[0]);
    watch(child, ends[1]);
}

static void status_kill(int death)
{
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0)
        die_of(death);
    watch(child, -1);
}

static void all(int count)
{
    siginfo_t info;
    int reaped = 0;
    for (int code = 1; code <= count; code++)
        spawn(0, code);
    while (next_change(P_ALL, 0, &info, WEXITED))
        reaped++;
    say("reaped %d\n", reaped);
}

// The child of `run`.
static _Noreturn void become(char **command)
{
    execvp(command[0], command);
    int error = errno;
    complain("wait: %s: %s\n", command[0], strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

static int run(char **command)
{
    siginfo_t info;
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0)
        become(command);
    if (!next_change(P_PID, (id_t)child, &info, WEXITED))
        fail("waitid");
    if (info.si_code == CLD_EXITED)
        return info.si_status;
    const char *name = abbreviation(info.si_status);
    if (name != NULL)
        complain("wait: %s: killed by SIG%s\n", command[0], name);
    else
        complain("wait: %s: killed by signal %d\n", command[0], info.si_status);
    return 128 + info.si_status;
}

static int number(const char *text, int max)
{
    int value = 0;
    if (*text == '\0')
        usage("no number: ", text);
    for (const char *digit = text; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9')
            usage("no number: ", text);
        value = value * 10 + (*digit - '0');
        if (value > max)
            usage("too great a number: ", text);
    }
    return value;
}

// The number of the standard signal of that name, if its default action kills.
static int deadly(const char *name)
{
    const char *bare = strncmp(name, "SIG", 3) == 0 ? name + 3 : name;
    for (int signal = 1; signal <= 31; signal++) {
        switch (signal) {
        case SIGCHLD: case SIGCONT: case SIGSTOP: case SIGTSTP:
        case SIGTTIN: case SIGTTOU: case SIGURG: case SIGWINCH:
            continue;
        }
        if (strcmp(bare, abbreviation(signal)) == 0)
            return signal;
    }
    usage("no signal that kills by default: ", name);
}

// Whether the arguments are `step`, and `more` further ones.
static bool is(int argc, char **argv, const char *step, int more)
{
    return argc == 2 + more && strcmp(argv[1], step) == 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_DFL);
    if (argc < 2)
        usage("which step?", "");
    if (is(argc, argv, "--help", 0))
        say("%s\n", USAGE);
    else if (is(argc, argv, "one", 1))
        one(number(argv[2], 255));
    else if (is(argc, argv, "order", 0))
        order();
    else if (is(argc, argv, "first", 0))
        first();
    else if (is(argc, argv, "nohang", 0))
        nohang();
    else if (is(argc, argv, "status", 2) && strcmp(argv[2], "exit") == 0)
        watch(spawn(0, number(argv[3], 255)), -1);
    else if (is(argc, argv, "status", 2) && strcmp(argv[2], "kill") == 0)
        status_kill(deadly(argv[3]));
    else if (is(argc, argv, "status", 1) && strcmp(argv[2], "stop") == 0)
        status_stop();
    else if (is(argc, argv, "all", 1))
        all(number(argv[2], 64));
    else if (argc > 2 && strcmp(argv[1], "run") == 0)
        return run(argv + 2);
    else
        usage("no such step, or not with these arguments: ", argv[1]);
    return 0;
}
