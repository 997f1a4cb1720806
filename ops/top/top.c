#include "ops/top/top.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "ops/commands.h"
#include "ops/flags.h"
#include "ops/top/top_page.h"
#include "ops/top/top_screen.h"
#include "shared/clock.h"

#define EVERY_MS_DEFAULT 2000
#define EVERY_MS_MIN     500
#define EVERY_MS_MAX     (60 * 60 * 1000)
#define COUNT_MAX        1000000
#define PAGE_BYTES_MAX   (256u * 1024u)
#define STALE_MS         3000 /* beyond --every */
#define MILLI            1000
#define NS_PER_MS        1000000
#define NS_PER_S         1000000000
#define STOP_S           5 /* for a look to end, once nobody wants it */
#define HINT_BYTES       128u
#define END_OF_INPUT     '\x04' /* Ctrl-D */

const char ops_top_usage[] =
    "  --every D         between two looks (2s)\n"
    "  --once            one page of a look of --every, then end; so also where there is no terminal\n"
    "  --count N         so many looks, then end (0: until q)\n"
    "  --state-dir DIR   where this machine's publisher keeps its socket; default: SLUICE_STATE_DIR, the local\n"
    "                    stack, /var/lib/sluice\n"
    "  -o table|json|ndjson  for people (default) or for programs: an object a look\n"
    "Publisher: answers a second by status, its way to the broker, its journal. Then the broker's delays, the\n"
    "database, and a line a subsystem, the gravest first: IN/S and OUT/S since the look before, P95 from received to\n"
    "applied in the last minute or two (of the consumer that SLUICE_CONSUMER_URL names), DEAD letters that are open.\n"
    "What is not known is unknown (null for programs). q leaves. NO_COLOR is honoured.\n";

struct top {
    int64_t every_ms;
    int64_t count;
    bool once;
    const char *state_dir;
    enum ops_output output;
    struct ops_address address;
    struct sl_subsystems subsystems;
    struct ops_top_eyes *eyes;
    struct sl_buf page;
    /* Shared with the looker. */
    pthread_mutex_t lock;
    struct ops_top_look latest;
    int64_t latest_ms; /* monotonic; 0: none yet */
    bool is_over;
    pthread_cond_t wake; /* of the looker, to its end */
    int pipe[2];         /* the looker says that there is a new one */
    pthread_t looker;
    /* The looker's own. */
    struct ops_top_look scratch;
};

static bool read_wish(struct top *top, int argc, char **argv, struct sl_err *err);
static bool print_looks(struct top *top, struct sl_err *err);
static bool print_look(struct top *top, struct sl_err *err);
static void top_done(struct top *top);
static bool watch(struct top *top, struct sl_err *err);
static bool start_looker(struct top *top, struct sl_err *err);
static void stop_looker(struct top *top);
static void *look_again(void *arg);
static void draw(struct top *top);
static bool wants_colour(void);

int ops_top(int argc, char **argv)
{
    /* Looks are large, and a look that is still waiting for an answer outlives the command. */
    static struct top top = { .every_ms = EVERY_MS_DEFAULT,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .wake = PTHREAD_COND_INITIALIZER };
    struct sl_err err = { 0 };
    sl_buf_init(&top.page, PAGE_BYTES_MAX);
    bool is_done = read_wish(&top, argc, argv, &err);
    bool is_screen = top.output == OPS_OUTPUT_TABLE && !top.once && top.count == 0 &&
                     ops_top_screen_is_possible();
    is_done = is_done && (is_screen ? watch(&top, &err) : print_looks(&top, &err));
    top_done(&top);
    return is_done ? EX_OK : ops_report("top", &err);
}

static void top_done(struct top *top)
{
    ops_top_eyes_free(top->eyes);
    sl_buf_done(&top->page);
    sl_subsystems_done(&top->subsystems);
    ops_address_done(&top->address);
}

static bool read_wish(struct top *top, int argc, char **argv, struct sl_err *err)
{
    const struct ops_flag flags[] = {
        { .name = "every",
          .kind = OPS_FLAG_DURATION,
          .out = &top->every_ms,
          .min = EVERY_MS_MIN,
          .max = EVERY_MS_MAX },
        { .name = "count", .kind = OPS_FLAG_COUNT, .out = &top->count, .max = COUNT_MAX },
        { .name = "once", .kind = OPS_FLAG_SWITCH, .out = &top->once },
        { .name = "state-dir", .kind = OPS_FLAG_TEXT, .out = (void *)&top->state_dir },
        OPS_FLAGS_ROWS(top->output),
    };
    int first = 0;
    if (!ops_flags_read(flags, SL_COUNT(flags), argc, argv, 0, 0, &first, err)) {
        return false;
    }
    if (top->output == OPS_OUTPUT_CSV) {
        return sl_fail(err, SL_E_USAGE, "a look is no table of rows: -o table, json or ndjson");
    }
    if (!ops_address_open(&top->address, err) ||
        !ops_sections_load(&top->address, &top->subsystems, err)) {
        return false;
    }
    top->eyes = ops_top_eyes_new(&top->address, &top->subsystems, top->state_dir, err);
    return top->eyes != NULL;
}

/* Without a screen: the first look is only what the rates begin at. */
static bool print_looks(struct top *top, struct sl_err *err)
{
    const struct timespec pause = { .tv_sec = top->every_ms / MILLI,
                                    .tv_nsec = top->every_ms % MILLI * NS_PER_MS };
    bool is_endless = top->count == 0 && !top->once && top->output == OPS_OUTPUT_NDJSON;
    int64_t wanted = top->once || top->count == 0 ? 1 : top->count;
    bool is_done = true;
    ops_top_look(top->eyes, &top->latest);
    for (int64_t shown = 0; is_done && (is_endless || shown < wanted); shown++) {
        (void)nanosleep(&pause, NULL);
        ops_top_look(top->eyes, &top->latest);
        is_done = print_look(top, err);
    }
    return is_done;
}

static bool print_look(struct top *top, struct sl_err *err)
{
    const struct ops_top_paper paper = { .hint = "" };
    sl_buf_reset(&top->page);
    if (top->output == OPS_OUTPUT_TABLE) {
        ops_top_page(&top->latest, &paper, &top->page);
    } else {
        ops_top_json(&top->latest, &top->page);
        sl_buf_append_char(&top->page, '\n');
    }
    if (!sl_buf_ok(&top->page)) {
        return sl_fail(err, SL_E_LIMIT, "the page does not fit");
    }
    return (fwrite(top->page.data, 1, top->page.used_bytes, stdout) == top->page.used_bytes &&
            fflush(stdout) == 0) ||
           sl_fail(err, SL_E_IO, "standard output cannot be written");
}

/* Screen ---------------------------------------------------------------------------------------- */

static bool watch(struct top *top, struct sl_err *err)
{
    SL_DONE(ops_top_screen_close) struct ops_top_screen screen = { 0 };
    if (!start_looker(top, err)) {
        return false;
    }
    if (!ops_top_screen_open(&screen, err)) {
        stop_looker(top);
        return false;
    }
    while (!ops_top_screen_is_over()) {
        draw(top);
        char key = ops_top_screen_wait(top->pipe[0], MILLI);
        if (key == 'q' || key == 'Q' || key == END_OF_INPUT) {
            break;
        }
    }
    ops_top_screen_close(&screen);
    stop_looker(top);
    return true;
}

static bool start_looker(struct top *top, struct sl_err *err)
{
    sigset_t all;
    sigset_t before;
    if (pipe2(top->pipe, O_CLOEXEC) != 0) {
        return sl_fail(err, SL_E_IO, "no pipe can be had");
    }
    /* Signals are the screen's: the looker's waits are not cut short by them. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&top->looker, NULL, look_again, top);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure == 0 || sl_fail(err, SL_E_MEMORY, "no thread can be had");
}

/* The terminal is the person's again by now. A look that does not end is left behind with the process: what it uses must not be freed. */
static void stop_looker(struct top *top)
{
    struct timespec limit;
    (void)pthread_mutex_lock(&top->lock);
    top->is_over = true;
    (void)pthread_cond_signal(&top->wake);
    (void)pthread_mutex_unlock(&top->lock);
    (void)clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += STOP_S;
    if (pthread_timedjoin_np(top->looker, NULL, &limit) != 0) {
        (void)fflush(stdout);
        _exit(EX_OK);
    }
    (void)close(top->pipe[0]);
    (void)close(top->pipe[1]);
}

static void *look_again(void *arg)
{
    struct top *top = arg;
    bool is_over = false;
    while (!is_over) {
        struct timespec next;
        (void)clock_gettime(CLOCK_REALTIME, &next);
        next.tv_sec += top->every_ms / MILLI;
        next.tv_nsec += top->every_ms % MILLI * NS_PER_MS;
        next.tv_sec += next.tv_nsec / NS_PER_S;
        next.tv_nsec %= NS_PER_S;
        ops_top_look(top->eyes, &top->scratch);
        (void)pthread_mutex_lock(&top->lock);
        top->latest = top->scratch;
        top->latest_ms = sl_clock_mono_ms();
        ssize_t woken = write(top->pipe[1], "", 1);
        while (!top->is_over && pthread_cond_timedwait(&top->wake, &top->lock, &next) == 0) {
        }
        is_over = top->is_over || woken != 1;
        (void)pthread_mutex_unlock(&top->lock);
    }
    return NULL;
}

static void draw(struct top *top)
{
    static struct ops_top_look copy; /* large; only the screen's thread comes here */
    char hint[HINT_BYTES];
    struct ops_top_paper paper = { .hint = hint, .has_colour = wants_colour() };
    (void)pthread_mutex_lock(&top->lock);
    copy = top->latest;
    int64_t age_ms = sl_clock_mono_ms() - top->latest_ms;
    bool is_there = top->latest_ms != 0;
    (void)pthread_mutex_unlock(&top->lock);
    for (size_t i = 0; i < copy.queues.count; i++) {
        copy.items[i].facts = &copy.queues.items[i]; /* not the looker's */
    }
    ops_top_screen_size(&paper.columns, &paper.rows);
    snprintf(hint, sizeof hint, "every %" PRId64 ".%" PRId64 " s, q leaves%s",
             top->every_ms / MILLI, top->every_ms % MILLI / 100,
             age_ms > top->every_ms + STALE_MS ? "; WAITING FOR AN ANSWER" : "");
    sl_buf_reset(&top->page);
    if (is_there) {
        ops_top_page(&copy, &paper, &top->page);
    } else {
        sl_buf_append_text(&top->page, "sluice top  looking; q leaves\n");
    }
    ops_top_screen_show(sl_buf_span(&top->page));
}

/* no-color.org: any value but an empty one. */
static bool wants_colour(void)
{
    const char *no = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return (no == NULL || *no == '\0') && (terminal == NULL || strcmp(terminal, "dumb") != 0);
}
