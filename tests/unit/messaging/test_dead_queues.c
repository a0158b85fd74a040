/* Reply queues nobody reads: remembered for a minute, and never more than the table holds. */
#include <stdio.h>

#include "messaging/dead_queues.h"
#include "suite.h"

static struct dead_queues d;

START_TEST(a_name_is_known_for_a_minute)
{
        clock_fake_start();
        ck_assert(!dead_queues_has(&d, "a"));
        dead_queues_add(&d, "a");
        clock_fake_advance(59 * NS_PER_S);
        ck_assert(dead_queues_has(&d, "a"));
        ck_assert(!dead_queues_has(&d, "b"));
        dead_queues_add(&d, "a"); /* again: its minute begins anew */
        clock_fake_advance(59 * NS_PER_S);
        ck_assert(dead_queues_has(&d, "a"));
        clock_fake_advance(2 * NS_PER_S);
        ck_assert(!dead_queues_has(&d, "a"));
        dead_queues_free(&d);
        clock_fake_stop();
}
END_TEST

START_TEST(when_full_the_oldest_goes)
{
        char name[32];

        clock_fake_start();
        for (int i = 0; i < DEAD_QUEUES_MAX + 1; i++) {
                snprintf(name, sizeof(name), "reply_%d", i);
                dead_queues_add(&d, name);
                clock_fake_advance(NS_PER_MS);
        }
        ck_assert(!dead_queues_has(&d, "reply_0"));
        ck_assert(dead_queues_has(&d, "reply_1"));
        ck_assert(dead_queues_has(&d, name));
        dead_queues_free(&d);
        ck_assert(!dead_queues_has(&d, name));
        clock_fake_stop();
}
END_TEST

UNIT_SUITE("dead-queues", a_name_is_known_for_a_minute, when_full_the_oldest_goes)
