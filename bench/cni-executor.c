/*
 * Executes a CNI plugin for many pods as a container runtime does, and prints how long each execution took, in
 * microseconds, one a line. In C, since starting a process from Node.js costs more than what is measured here.
 *
 *   cni-executor turn|burst PLUGIN CONFIG-FILE VERB NAME...
 *
 * Container, pod and network namespace have the same name. `burst` starts all before it waits for the first. What a
 * plugin that fails has printed goes to standard error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct execution {
    pid_t pid;
    int answer;
    double started, took;
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void die(const char *what) {
    fprintf(stderr, "cni-executor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void start(struct execution *execution, char **arguments, const char *name) {
    char container[128], netns[160], args[256], verb[32];
    snprintf(verb, sizeof verb, "CNI_COMMAND=%s", arguments[4]);
    snprintf(container, sizeof container, "CNI_CONTAINERID=%s", name);
    snprintf(netns, sizeof netns, "CNI_NETNS=/run/netns/%s", name);
    snprintf(args, sizeof args, "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=%s", name);
    char *environment[] = {verb, container, netns, args, "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin:/usr/lib/cni", NULL};
    char *command[] = {arguments[2], NULL};
    posix_spawn_file_actions_t files;
    execution->answer = memfd_create("answer", MFD_CLOEXEC);
    if (execution->answer < 0) die("memfd_create");
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, arguments[3], O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, execution->answer, 1);
    execution->started = now();
    errno = posix_spawn(&execution->pid, arguments[2], &files, NULL, command, environment);
    if (errno != 0) die(arguments[2]);
    posix_spawn_file_actions_destroy(&files);
}

/* Waits for any of them. */
static void finish(struct execution *executions, int count) {
    int status, answer_size;
    char answer[4096];
    pid_t pid = wait(&status);
    double ended = now();
    if (pid < 0) die("wait");
    for (int i = 0; i < count; i++) {
        struct execution *execution = &executions[i];
        if (execution->pid != pid) continue;
        execution->took = ended - execution->started;
        if (status != 0) {
            answer_size = pread(execution->answer, answer, sizeof answer, 0);
            fprintf(stderr, "call %d ended with status %d: %.*s\n", i, status, answer_size < 0 ? 0 : answer_size, answer);
            exit(1);
        }
        close(execution->answer);
    }
}

int main(int argc, char **argv) {
    int count = argc - 5;
    if (count < 1) {
        fprintf(stderr, "usage: cni-executor turn|burst PLUGIN CONFIG-FILE VERB NAME...\n");
        return 2;
    }
    int is_burst = strcmp(argv[1], "burst") == 0;
    struct execution *executions = calloc(count, sizeof *executions);
    double started = now();
    for (int i = 0; i < count; i++) {
        start(&executions[i], argv, argv[5 + i]);
        if (!is_burst) finish(executions, i + 1);
    }
    for (int i = 0; is_burst && i < count; i++) finish(executions, count);
    printf("%.1f\n", now() - started);
    for (int i = 0; i < count; i++) printf("%.1f\n", executions[i].took);
    return 0;
}
