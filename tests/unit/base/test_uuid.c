/* Identifiers. */
#include "base/uuid.h"

#include <string.h>

#include "suite.h"

START_TEST(identifiers_are_random_and_well_formed)
{
        char a[UUID_LEN + 1], b[UUID_LEN + 1], hex[UUID_HEX_LEN + 1];

        uuid_new(a);
        uuid_new(b);
        ck_assert(uuid_is(a) && uuid_is(b));
        ck_assert_str_ne(a, b);
        ck_assert_int_eq(a[14], '4');
        ck_assert_ptr_nonnull(strchr("89ab", a[19]));

        uuid_new_hex(hex);
        ck_assert_uint_eq(strspn(hex, "0123456789abcdef"), UUID_HEX_LEN);
        ck_assert_uint_eq(strlen(hex), UUID_HEX_LEN);
        ck_assert_int_eq(hex[12], '4');
        ck_assert_ptr_nonnull(strchr("89ab", hex[16]));
}
END_TEST

START_TEST(what_is_no_identifier_is_known)
{
        ck_assert(uuid_is("1AEB40DE-2f89-4592-937b-87071fc71407"));
        ck_assert(!uuid_is(NULL) && !uuid_is("") && !uuid_is("1aeb40de-2f89-4592-937b-87071fc7140"));
        ck_assert(!uuid_is("1aeb40de-2f89-4592-937b-87071fc714077") &&
                  !uuid_is("1aeb40de+2f89-4592-937b-87071fc71407"));
        ck_assert(!uuid_is("1aeb40dg-2f89-4592-937b-87071fc71407"));
}
END_TEST

START_TEST(random_parts_are_below_one_and_differ)
{
        double least = 1, most = 0;

        for (int i = 0; i < 100; i++) {
                double r = random_part();

                ck_assert(r >= 0 && r < 1);
                least = r < least ? r : least;
                most = r > most ? r : most;
        }
        ck_assert(most - least > 0.1); /* by chance it is not: once in 10 to the 90 runs */
}
END_TEST

UNIT_SUITE("uuid", identifiers_are_random_and_well_formed, what_is_no_identifier_is_known,
           random_parts_are_below_one_and_differ)
