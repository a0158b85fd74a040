/*
 * lib/base/clock.h: time as a type of its own, and a clock that tests can replace.
 *
 * A deadline is an absolute instant of the monotonic clock: it is made once at the edge (an RPC arrives) and
 * handed down, never re-started half way. All functions may be called from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

struct deadline {
        int64_t ns; /* monotonic; INT64_MAX is never */
};

int64_t clock_now_ns(void);       /* monotonic */
double clock_since_s(int64_t ns); /* since then */
int64_t clock_wall_us(void);      /* microseconds since 1970, UTC */
time_t clock_wall_s(void);

struct deadline deadline_never(void);
struct deadline deadline_now(void); /* already passed: "do not wait" */
struct deadline deadline_in_ns(int64_t ns);
struct deadline deadline_in_ms(int64_t ms);
struct deadline deadline_in_s(double s);
struct deadline deadline_earlier(struct deadline a, struct deadline b);
bool deadline_passed(struct deadline d);
int64_t deadline_left_ms(struct deadline d); /* rounded up; 0 when passed, INT64_MAX when never */

/*
 * For tests: from now on the monotonic and the wall clock stand still and move only by clock_fake_advance();
 * the hub advances it to its next timer instead of sleeping. clock_fake_stop() returns to real time.
 */
void clock_fake_start(void);
void clock_fake_advance(int64_t ns);
void clock_fake_stop(void);
bool clock_is_fake(void);
int64_t clock_fake_elapsed_ms(void); /* since clock_fake_start() */
