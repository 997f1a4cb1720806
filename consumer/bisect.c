#include "consumer/bisect.h"

#include <string.h>

#include "shared/scope.h"

static void push(struct con_bisect *bisect, struct con_slice slice, bool is_first_half);
static void cut(struct con_bisect *bisect);

void con_bisect_init(struct con_bisect *bisect, size_t count)
{
    SL_ASSERT(count <= CON_BISECT_EVENTS_MAX);
    *bisect = (struct con_bisect){ 0 };
    push(bisect, (struct con_slice){ 0, count }, false);
}

/* An empty slice is none. */
static void push(struct con_bisect *bisect, struct con_slice slice, bool is_first_half)
{
    if (slice.count > 0) {
        SL_ASSERT(bisect->todo_count < CON_BISECT_SLICES_MAX);
        bisect->todo[bisect->todo_count] = slice;
        bisect->is_first_half[bisect->todo_count] = is_first_half;
        bisect->todo_count++;
    }
}

bool con_bisect_next(const struct con_bisect *bisect, struct con_slice *out_slice)
{
    if (bisect->todo_count == 0) {
        return false;
    }
    *out_slice = bisect->todo[bisect->todo_count - 1];
    return true;
}

void con_bisect_passed(struct con_bisect *bisect)
{
    SL_ASSERT(bisect->todo_count > 0);
    bisect->todo_count--;
    bool holds_guilt = bisect->is_first_half[bisect->todo_count];
    if (holds_guilt && bisect->todo[bisect->todo_count - 1].count > 1) {
        cut(bisect);
    }
}

bool con_bisect_failed(struct con_bisect *bisect)
{
    SL_ASSERT(bisect->todo_count > 0);
    if (bisect->todo[bisect->todo_count - 1].count == 1) {
        bisect->todo_count--;
        return true;
    }
    cut(bisect);
    return false;
}

static void cut(struct con_bisect *bisect)
{
    struct con_slice slice = bisect->todo[--bisect->todo_count];
    size_t half = slice.count / 2;
    push(bisect, (struct con_slice){ slice.first + half, slice.count - half }, false);
    push(bisect, (struct con_slice){ slice.first, half }, true);
}

void con_bisect_suspect(struct con_bisect *bisect, size_t index)
{
    SL_ASSERT(bisect->todo_count > 0);
    struct con_slice slice = bisect->todo[--bisect->todo_count];
    SL_ASSERT(index >= slice.first);
    SL_ASSERT(index < slice.first + slice.count);
    push(bisect, (struct con_slice){ index + 1, slice.first + slice.count - index - 1 }, false);
    push(bisect, (struct con_slice){ slice.first, index - slice.first }, false);
    push(bisect, (struct con_slice){ index, 1 }, false);
}

bool con_bisect_put_off(struct con_bisect *bisect)
{
    SL_ASSERT(bisect->todo_count > 0);
    if (bisect->todo_count == 1 || bisect->put_off_count == CON_BISECT_PUT_OFF_MAX) {
        return false;
    }
    size_t others = bisect->todo_count - 1;
    struct con_slice slice = bisect->todo[others];
    memmove(bisect->todo + 1, bisect->todo, others * sizeof bisect->todo[0]);
    memmove(bisect->is_first_half + 1, bisect->is_first_half,
            others * sizeof bisect->is_first_half[0]);
    bisect->todo[0] = slice;
    bisect->is_first_half[0] = false; /* what is below it then is not its other half */
    bisect->put_off_count++;
    return true;
}
