#include "ops/top/top_screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SECOND_SCREEN "\033[?1049h\033[?25l" /* and no cursor */
#define FIRST_SCREEN  "\033[?25h\033[?1049l"
#define HOME          "\033[H"
#define CLEAR_LINE    "\033[K"
#define CLEAR_REST    "\033[J"

static volatile sig_atomic_t is_over;

static void on_signal(int number);
static void on_resize(int number);

bool ops_top_screen_is_possible(void)
{
    return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
}

bool ops_top_screen_open(struct ops_top_screen *screen, struct sl_err *err)
{
    const struct sigaction end = { .sa_handler = on_signal };
    const struct sigaction resize = { .sa_handler = on_resize };
    if (tcgetattr(STDIN_FILENO, &screen->before) != 0) {
        return sl_fail(err, SL_E_IO, "the terminal does not say how it is set: %s",
                       strerror(errno));
    }
    struct termios keys = screen->before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    (void)sigaction(SIGINT, &end, NULL);
    (void)sigaction(SIGTERM, &end, NULL);
    (void)sigaction(SIGHUP, &end, NULL);
    (void)sigaction(SIGWINCH, &resize, NULL);
    if (tcsetattr(STDIN_FILENO, TCSANOW, &keys) != 0) {
        return sl_fail(err, SL_E_IO, "the terminal cannot be set: %s", strerror(errno));
    }
    screen->is_open = true;
    fputs(SECOND_SCREEN, stdout);
    (void)fflush(stdout);
    return true;
}

void ops_top_screen_close(struct ops_top_screen *screen)
{
    if (screen->is_open) {
        fputs(FIRST_SCREEN, stdout);
        (void)fflush(stdout);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
        screen->is_open = false;
    }
}

void ops_top_screen_size(size_t *out_columns, size_t *out_rows)
{
    struct winsize size = { 0 };
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *out_columns = size.ws_col;
    *out_rows = size.ws_row;
}

/* Line by line over what was there: nothing flickers. */
void ops_top_screen_show(struct sl_span page)
{
    struct sl_span line = { 0 };
    fputs(HOME, stdout);
    while (page.bytes > 0 && sl_span_split(&page, '\n', &line)) {
        printf("%.*s" CLEAR_LINE "\n", SL_SPAN_ARGS(line));
    }
    fputs(CLEAR_REST, stdout);
    is_over = fflush(stdout) == 0 ? is_over : 1;
}

char ops_top_screen_wait(int wake_fd, int64_t wait_ms)
{
    struct pollfd ends[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                             { .fd = wake_fd, .events = POLLIN } };
    char key = '\0';
    if (is_over != 0 || poll(ends, 2, (int)wait_ms) <= 0) {
        return '\0';
    }
    if ((ends[1].revents & POLLIN) != 0) {
        char waking[64];
        (void)!read(wake_fd, waking, sizeof waking);
    }
    if ((ends[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && read(STDIN_FILENO, &key, 1) != 1) {
        is_over = 1;
    }
    return key;
}

bool ops_top_screen_is_over(void)
{
    return is_over != 0;
}

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

/* Only ends the wait. */
static void on_resize(int number)
{
    (void)number;
}
