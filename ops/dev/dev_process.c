#include "ops/dev/dev_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/clock.h"

#define LOOK_EVERY_MS    20
#define LEFTOVER_WAIT_MS 10000
#define TAIL_BYTES       4096
#define TAIL_LINES       15u
#define PROBE_WAIT_US    250000
#define ENVIRON_BYTES    65536
#define READ_BYTES       1024

_Noreturn static void become(const struct dev_spawn *spawn, pid_t parent);
static bool read_all(int fd, int64_t until_ms, struct sl_buf *out);
static void pause_ms(int64_t wait_ms);
static bool has_proof(pid_t pid, const char *proof);

pid_t dev_process_spawn(const struct dev_spawn *spawn, struct sl_err *err)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        (void)sl_fail(err, SL_E_IO, "cannot start %s: %s", spawn->argv[0], strerror(errno));
        return -1;
    }
    if (pid == 0) {
        become(spawn, parent);
    }
    return pid;
}

/* In the child: only calls that are safe between fork and exec. */
_Noreturn static void become(const struct dev_spawn *spawn, pid_t parent)
{
    sigset_t none;
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, spawn->death_signal);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE); /* the supervisor died before the kernel knew of the wish */
    }
    for (int signal_number = 1; signal_number < NSIG; signal_number++) {
        (void)signal(signal_number, SIG_DFL);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    int in = open("/dev/null", O_RDONLY);
    if (in < 0 || dup2(in, STDIN_FILENO) < 0) {
        _exit(EXIT_FAILURE);
    }
    if (spawn->log_path != NULL) {
        int out = open(spawn->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (out < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0) {
            _exit(EXIT_FAILURE);
        }
    }
    if (spawn->output != 0 && dup2(spawn->output, STDOUT_FILENO) < 0) {
        _exit(EXIT_FAILURE);
    }
    (void)close_range(3, ~0U, 0);
    (void)execve(spawn->argv[0], (char *const *)(uintptr_t)spawn->argv, spawn->environment);
    (void)dprintf(STDERR_FILENO, "cannot start %s: %s\n", spawn->argv[0], strerror(errno));
    _exit(127);
}

bool dev_process_capture(const struct dev_spawn *spawn, int64_t wait_ms, struct sl_buf *out,
                         int *out_status, struct sl_err *err)
{
    int ends[2] = { -1, -1 };
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return sl_fail(err, SL_E_IO, "pipe: %s", strerror(errno));
    }
    struct dev_spawn piped = *spawn;
    piped.output = ends[1];
    pid_t pid = dev_process_spawn(&piped, err);
    close(ends[1]);
    bool is_whole = pid > 0 && read_all(ends[0], sl_clock_mono_ms() + wait_ms, out);
    close(ends[0]);
    if (pid < 0) {
        return false;
    }
    if (!is_whole || !dev_process_wait(pid, wait_ms, out_status)) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, out_status, 0);
        return sl_fail(err, SL_E_DEADLINE, "%s: no complete answer within %lld ms", spawn->argv[0],
                       (long long)wait_ms);
    }
    return true;
}

/* True at the end of the stream. */
static bool read_all(int fd, int64_t until_ms, struct sl_buf *out)
{
    for (;;) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        int64_t left_ms = until_ms - sl_clock_mono_ms();
        char *room = sl_buf_reserve(out, READ_BYTES);
        if (left_ms <= 0 || room == NULL || (poll(&ready, 1, (int)left_ms) < 0 && errno != EINTR)) {
            return false;
        }
        if (ready.revents == 0) {
            continue;
        }
        ssize_t got = read(fd, room, READ_BYTES);
        if (got <= 0) {
            return got == 0;
        }
        sl_buf_commit(out, (size_t)got);
    }
}

bool dev_process_has_ended(pid_t pid, int *out_status)
{
    int status = 0;
    pid_t got = waitpid(pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) {
        return false;
    }
    *out_status = got == pid ? status : 0;
    return true;
}

bool dev_process_wait(pid_t pid, int64_t wait_ms, int *out_status)
{
    int64_t until_ms = sl_clock_mono_ms() + wait_ms;
    while (!dev_process_has_ended(pid, out_status)) {
        if (sl_clock_mono_ms() >= until_ms) {
            return false;
        }
        pause_ms(LOOK_EVERY_MS);
    }
    return true;
}

static void pause_ms(int64_t wait_ms)
{
    struct timespec wait = { .tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000 };
    (void)nanosleep(&wait, NULL);
}

void dev_process_describe(int status, char out_text[DEV_EXIT_TEXT_BYTES])
{
    if (WIFSIGNALED(status)) {
        (void)snprintf(out_text, DEV_EXIT_TEXT_BYTES, "killed by signal %d, %s", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
        return;
    }
    (void)snprintf(out_text, DEV_EXIT_TEXT_BYTES, "exit status %d", WEXITSTATUS(status));
}

bool dev_process_end_leftover(const char *pid_path, const char *proof)
{
    FILE *file = fopen(pid_path, "re");
    int number = 0;
    if (file == NULL) {
        return false;
    }
    bool is_number = fscanf(file, "%9d", &number) == 1 && number > 1;
    (void)fclose(file);
    (void)unlink(pid_path);
    if (!is_number || !has_proof(number, proof)) {
        return false;
    }
    (void)kill(number, SIGTERM);
    int64_t until_ms = sl_clock_mono_ms() + LEFTOVER_WAIT_MS;
    while (has_proof(number, proof)) {
        if (sl_clock_mono_ms() >= until_ms) {
            (void)kill(number, SIGKILL);
            break;
        }
        pause_ms(LOOK_EVERY_MS);
    }
    return true;
}

/* The environment of a zombie is empty, so one that has ended proves nothing any more. */
static bool has_proof(pid_t pid, const char *proof)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *file = fopen(path, "re");
    char *held = malloc(ENVIRON_BYTES);
    size_t bytes = file == NULL || held == NULL ? 0 : fread(held, 1, ENVIRON_BYTES - 1, file);
    bool is_found = false;
    for (size_t at = 0; at < bytes && !is_found; at += strlen(held + at) + 1) {
        held[bytes] = '\0';
        is_found = strcmp(held + at, proof) == 0;
    }
    free(held);
    if (file != NULL) {
        (void)fclose(file);
    }
    return is_found;
}

void dev_process_show_tail(const char *log_path)
{
    char tail[TAIL_BYTES + 1];
    FILE *file = fopen(log_path, "re");
    if (file == NULL) {
        return;
    }
    if (fseek(file, -TAIL_BYTES, SEEK_END) != 0) {
        rewind(file);
    }
    size_t bytes = fread(tail, 1, TAIL_BYTES, file);
    (void)fclose(file);
    tail[bytes] = '\0';
    size_t from = bytes;
    for (unsigned lines = 0; from > 0; from--) {
        lines += tail[from - 1] == '\n' && from < bytes;
        if (lines == TAIL_LINES) {
            break;
        }
    }
    char *rest = tail + from;
    char *line = NULL;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (line[0] != '\0') {
            fprintf(stderr, "    | %s\n", line);
        }
    }
}

int dev_process_http_status(uint16_t port, const char *path)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return 0;
    }
    struct timeval wait = { .tv_usec = PROBE_WAIT_US };
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    char answer[16] = "";
    int status = 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        dprintf(fd, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path) > 0 &&
        recv(fd, answer, sizeof answer - 1, MSG_WAITALL) == (ssize_t)sizeof answer - 1 &&
        strncmp(answer, "HTTP/1.1 ", 9) == 0) {
        status = (int)strtol(answer + 9, NULL, 10);
    }
    close(fd);
    return status;
}
