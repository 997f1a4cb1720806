#include "shared/mailbox.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct sl_mailbox {
    struct event *wake;
    int wake_fd;
    size_t letters_max;

    pthread_mutex_t lock; /* of what follows */
    struct sl_letter *oldest;
    struct sl_letter **end; /* where the next one is hung up */
    size_t count;           /* posted and not opened, without answers */
    bool is_woken;
};

static void on_wake(evutil_socket_t fd, short what, void *arg);
static void hang_up(struct sl_mailbox *mailbox, struct sl_letter *letter);

struct sl_mailbox *sl_mailbox_new(struct sl_loop *loop, size_t letters_max, struct sl_err *err)
{
    SL_ASSERT(letters_max > 0);
    struct sl_mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (mailbox == NULL) {
        sl_fail(err, SL_E_MEMORY, "no memory for a mailbox");
        return NULL;
    }
    mailbox->letters_max = letters_max;
    mailbox->end = &mailbox->oldest;
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mailbox->wake_fd < 0) {
        sl_fail(err, SL_E_IO, "no eventfd: %s", strerror(errno));
        sl_mailbox_free(mailbox);
        return NULL;
    }
    mailbox->wake =
        event_new(sl_loop_base(loop), mailbox->wake_fd, EV_READ | EV_PERSIST, on_wake, mailbox);
    if (mailbox->wake == NULL || event_add(mailbox->wake, NULL) != 0) {
        sl_fail(err, SL_E_MEMORY, "cannot watch a mailbox");
        sl_mailbox_free(mailbox);
        return NULL;
    }
    return mailbox;
}

void sl_mailbox_free(struct sl_mailbox *mailbox)
{
    if (mailbox == NULL) {
        return;
    }
    if (mailbox->wake != NULL) {
        event_free(mailbox->wake);
    }
    if (mailbox->wake_fd >= 0) {
        (void)close(mailbox->wake_fd);
    }
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}

bool sl_mailbox_post(struct sl_mailbox *mailbox, struct sl_letter *letter)
{
    pthread_mutex_lock(&mailbox->lock);
    bool has_room = mailbox->count < mailbox->letters_max;
    if (has_room) {
        mailbox->count++;
        hang_up(mailbox, letter);
    }
    pthread_mutex_unlock(&mailbox->lock);
    return has_room;
}

void sl_mailbox_answer(struct sl_mailbox *mailbox, struct sl_letter *letter)
{
    pthread_mutex_lock(&mailbox->lock);
    hang_up(mailbox, letter);
    pthread_mutex_unlock(&mailbox->lock);
}

/* Under the lock. The loop is woken once for all that come before it looks. */
static void hang_up(struct sl_mailbox *mailbox, struct sl_letter *letter)
{
    static const uint64_t one = 1;
    letter->next = NULL;
    *mailbox->end = letter;
    mailbox->end = &letter->next;
    if (!mailbox->is_woken) {
        mailbox->is_woken = true;
        while (write(mailbox->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    uint64_t count = 0;
    while (read((int)fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    sl_mailbox_open(arg);
}

/* Those that come meanwhile wait for the next turn of the loop. */
void sl_mailbox_open(struct sl_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct sl_letter *letter = mailbox->oldest;
    mailbox->oldest = NULL;
    mailbox->end = &mailbox->oldest;
    mailbox->count = 0;
    mailbox->is_woken = false;
    pthread_mutex_unlock(&mailbox->lock);
    while (letter != NULL) {
        struct sl_letter *next = letter->next;
        letter->open(letter); /* it may be gone, or on its way again */
        letter = next;
    }
}
