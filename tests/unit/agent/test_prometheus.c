/* tests/unit/agent/test_prometheus.c: the text format, above all what must be escaped. */
#include "monitor/prometheus.h"

#include <math.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "suite.h"

static void expect(struct strbuf *b, const char *text)
{
        ck_assert_str_eq(b->data, text);
        strbuf_free(b);
}

START_TEST(a_family_has_help_and_type_before_its_samples)
{
        struct strbuf b = {};

        prometheus_counter(&b, "x_total", "What it counts.", 3);
        prometheus_gauge(&b, "y_seconds", "How long.", 0.25);
        expect(&b, "# HELP x_total What it counts.\n# TYPE x_total counter\nx_total 3\n"
                   "# HELP y_seconds How long.\n# TYPE y_seconds gauge\ny_seconds 0.25\n");
}
END_TEST

START_TEST(labels_are_escaped)
{
        struct strbuf b = {};
        const struct prometheus_label labels[] = { { "a", "quote\" back\\slash\nline" }, { "b", "" } };

        prometheus_sample_with(&b, "x", labels, 2, 1);
        expect(&b, "x{a=\"quote\\\" back\\\\slash\\nline\",b=\"\"} 1\n");
}
END_TEST

START_TEST(numbers_are_exact_and_the_special_ones_have_their_names)
{
        struct strbuf b = {};

        prometheus_sample(&b, "n", 123456789012345.0);
        prometheus_sample(&b, "n", -2);
        prometheus_sample(&b, "n", 1764000000.5);
        prometheus_sample(&b, "n", NAN);
        prometheus_sample(&b, "n", INFINITY);
        prometheus_sample(&b, "n", -INFINITY);
        expect(&b, "n 123456789012345\nn -2\nn 1764000000.5\nn NaN\nn +Inf\nn -Inf\n");
}
END_TEST

START_TEST(a_histogram_adds_up_from_bound_to_bound)
{
        struct strbuf b = {};
        struct histogram h = {};
        const struct prometheus_label label = { "a", "b" };

        histogram_add(&h, 50000);
        histogram_add(&h, 4 * NS_PER_MS);
        histogram_add(&h, 1000 * NS_PER_S);
        prometheus_histogram_with(&b, "x", &label, 1, &h);
        expect(&b, "x_bucket{a=\"b\",le=\"0.0001\"} 1\nx_bucket{a=\"b\",le=\"0.001\"} 1\n"
                   "x_bucket{a=\"b\",le=\"0.005\"} 2\nx_bucket{a=\"b\",le=\"0.025\"} 2\n"
                   "x_bucket{a=\"b\",le=\"0.1\"} 2\nx_bucket{a=\"b\",le=\"0.5\"} 2\n"
                   "x_bucket{a=\"b\",le=\"1\"} 2\nx_bucket{a=\"b\",le=\"5\"} 2\n"
                   "x_bucket{a=\"b\",le=\"30\"} 2\nx_bucket{a=\"b\",le=\"300\"} 2\n"
                   "x_bucket{a=\"b\",le=\"+Inf\"} 3\n"
                   "x_sum{a=\"b\"} 1000.00405\nx_count{a=\"b\"} 3\n");
}
END_TEST

UNIT_SUITE("prometheus", a_family_has_help_and_type_before_its_samples, labels_are_escaped,
           numbers_are_exact_and_the_special_ones_have_their_names, a_histogram_adds_up_from_bound_to_bound)
