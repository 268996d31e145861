/* SPDX-License-Identifier: MIT
 * Runs a program that dies, as by kill -9, right before its n-th system call
 * that changes a file or a file's locks, or sends something to a server:
 *
 *     die_at N PROGRAM ARGUMENT ...
 *
 * Its exit status is the program's: 137 when it died so, another one when it
 * came to its end before. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLED = 128 + SIGKILL, OUR_FAULT = 125 };

static bool
changes_something(unsigned long long number)
{
    static const long calls[] = {SYS_write,     SYS_pwrite64,  SYS_fsync,
                                 SYS_fdatasync, SYS_ftruncate, SYS_fcntl,
                                 SYS_unlinkat,  SYS_linkat,    SYS_renameat2,
                                 SYS_fallocate, SYS_sendto};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (number == (unsigned long long)calls[i])
            return true;
#ifdef SYS_unlink /* not everywhere */
    if (number == SYS_unlink || number == SYS_rename || number == SYS_link)
        return true;
#endif
    return false;
}

/* The thread stands before a call that counts. */
static bool
is_due(pid_t thread)
{
    struct __ptrace_syscall_info info;
    return ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0 &&
           info.op == PTRACE_SYSCALL_INFO_ENTRY &&
           changes_something(info.entry.nr);
}

static void
follow(pid_t thread, int status)
{
    int number = WSTOPSIG(status);
    bool trap =
        number == SIGTRAP || number == SIGSTOP || number == (SIGTRAP | 0x80);
    ptrace(PTRACE_SYSCALL, thread, NULL, trap ? 0 : number);
}

static int
watch(pid_t child, int n)
{
    int status;
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0)
            return OUR_FAULT;
        if (thread == child && WIFEXITED(status))
            return WEXITSTATUS(status);
        if (thread == child && WIFSIGNALED(status))
            return 128 + WTERMSIG(status);
        if (!WIFSTOPPED(status))
            continue;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80) && is_due(thread) && --n == 0)
            kill(child, SIGKILL);
        else
            follow(thread, status);
    }
}

int
main(int argc, char **argv)
{
    const long options =
        PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    int status;
    if (argc < 3)
        return OUR_FAULT;
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execv(argv[2], argv + 2);
        _exit(OUR_FAULT);
    }
    if (child < 0 || waitpid(child, &status, 0) != child ||
        !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, child, NULL, options) != 0) {
        perror("die_at");
        return OUR_FAULT;
    }
    ptrace(PTRACE_SYSCALL, child, NULL, NULL);
    return watch(child, atoi(argv[1]));
}
