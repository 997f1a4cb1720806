#include "consumer/bisect.h"

#include "shared/scope.h"

void con_bisect_init(struct con_bisect *bisect, size_t count)
{
    SL_ASSERT(count <= CON_BISECT_EVENTS_MAX);
    *bisect = (struct con_bisect){ 0 };
    if (count > 0) {
        bisect->todo[bisect->todo_count++] = (struct con_slice){ 0, count };
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
}

bool con_bisect_failed(struct con_bisect *bisect)
{
    SL_ASSERT(bisect->todo_count > 0);
    struct con_slice slice = bisect->todo[--bisect->todo_count];
    if (slice.count == 1) {
        return true;
    }
    SL_ASSERT(bisect->todo_count + 2 <= CON_BISECT_SLICES_MAX);
    size_t half = slice.count / 2;
    bisect->todo[bisect->todo_count++] =
        (struct con_slice){ slice.first + half, slice.count - half };
    bisect->todo[bisect->todo_count++] = (struct con_slice){ slice.first, half };
    return false;
}
