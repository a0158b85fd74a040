/* Words in lists, yes and no. */
#include "base/words.h"

#include "suite.h"

START_TEST(words_are_found_whole)
{
        ck_assert(words_have("virtio ide ", "ide") && words_have("virtio ide", "ide") &&
                  words_have("ide", "ide"));
        ck_assert(words_have("  virtio  ide ", "virtio"));
        ck_assert(!words_have("virtio ide", "id") && !words_have("virtio ide", "virt"));
        ck_assert(!words_have("virtio ide", "virtio ide") && !words_have("virtio ide", "io ide"));
        ck_assert(!words_have("virtio ide", "") && !words_have("virtio  ide", ""));
        ck_assert(!words_have("", "ide") && !words_have(NULL, "ide") && !words_have(" ", ""));
        ck_assert(!words_have("live_*", "live_a"));
}
END_TEST

START_TEST(patterns_stand_for_all_that_begin_so)
{
        ck_assert(words_match("a live_* b", "live_x") && words_match("live_*", "live_") &&
                  words_match("*", "x"));
        ck_assert(words_match("a live_* b", "b"));
        ck_assert(!words_match("a live_* b", "live") && !words_match("a live_* b", "ab"));
        ck_assert(!words_match(NULL, "a"));
}
END_TEST

START_TEST(yes_and_no_have_four_words_each)
{
        static const char *const yes[] = { "true", "YES", "On", "1" }, *const no[] = { "False", "no", "OFF",
                                                                                       "0" };
        bool b;

        for (int i = 0; i < 4; i++) {
                ck_assert(words_bool(yes[i], &b) && b);
                ck_assert(words_bool(no[i], &b) && !b);
        }
        ck_assert(!words_bool("", &b) && !words_bool("y", &b) && !words_bool("true ", &b) &&
                  !words_bool("2", &b));
}
END_TEST

UNIT_SUITE("words", words_are_found_whole, patterns_stand_for_all_that_begin_so,
           yes_and_no_have_four_words_each)
