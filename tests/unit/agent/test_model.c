/* tests of agent/model: states, instances, faults, identifiers */
#include "model/fault.h"
#include "model/instance.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "suite.h"

START_TEST(names_of_states_come_back_as_the_same_states)
{
        for (int s = VM_ACTIVE; s < VM_STATES; s++) {
                ck_assert_str_ne(vm_state_name(s), "unknown");
                ck_assert_int_eq(vm_state_parse(vm_state_name(s)), s);
        }
        for (int s = TASK_SCHEDULING; s < TASK_STATES; s++) {
                ck_assert_str_ne(task_state_name(s), "unknown");
                ck_assert_int_eq(task_state_parse(task_state_name(s)), s);
        }
}
END_TEST

START_TEST(states_have_the_names_of_the_rows)
{
        ck_assert_str_eq(vm_state_name(VM_SOFT_DELETED), "soft-delete");
        ck_assert_str_eq(vm_state_name(VM_SHELVED_OFFLOADED), "shelved_offloaded");
        ck_assert_str_eq(task_state_name(TASK_POWERING_OFF), "powering-off");
        ck_assert_str_eq(task_state_name(TASK_BLOCK_DEVICE_MAPPING), "block_device_mapping");
        ck_assert_str_eq(task_state_name(TASK_SHELVING_IMAGE_PENDING_UPLOAD),
                         "shelving_image_pending_upload");
        ck_assert_str_eq(power_state_name(POWER_SHUTDOWN), "shutdown");
        ck_assert_str_eq(power_state_name(5), "unknown");
}
END_TEST

START_TEST(a_state_of_another_release_is_unknown)
{
        ck_assert_int_eq(vm_state_parse("hibernating"), VM_UNKNOWN);
        ck_assert_int_eq(vm_state_parse(NULL), VM_UNKNOWN);
        ck_assert_int_eq(task_state_parse("levitating"), TASK_UNKNOWN);
        ck_assert_int_eq(task_state_parse(""), TASK_UNKNOWN);
        ck_assert_int_eq(task_state_parse(NULL), TASK_NONE);
        ck_assert_ptr_null(task_state_name(TASK_NONE));
}
END_TEST

START_TEST(expecting_nothing_accepts_all)
{
        struct task_expect any = EXPECT_ANY, none = EXPECT(TASK_NONE),
                           two = EXPECT(TASK_SCHEDULING, TASK_NONE);

        ck_assert(task_expected(&any, TASK_DELETING));
        ck_assert(task_expected(&none, TASK_NONE));
        ck_assert(!task_expected(&none, TASK_DELETING));
        ck_assert(task_expected(&two, TASK_NONE) && task_expected(&two, TASK_SCHEDULING));
        ck_assert(!task_expected(&two, TASK_UNKNOWN));
}
END_TEST

static const struct {
        const char *template_, *name;
} names[] = {
        { "instance-%08x", "instance-000000ff" },
        { "i%d", "i255" },
        { "%X", "FF" },
        { "vm-%5d-%%", "vm-  255-%" },
        { "%010d", "0000000255" },
        { "instance", NULL },
        { "", NULL },
        { "%d%d", NULL },
        { "%s", NULL },
        { "instance-%", NULL },
        { "%n", NULL },
        { "%ld", NULL },
};

START_TEST(domain_names_follow_the_template)
{
        struct instance i = { .id = 255 };
        CLEANUP(freep) char *name = instance_domain_name(&i, names[_i].template_);

        if (names[_i].name)
                ck_assert_str_eq(name, names[_i].name);
        else
                ck_assert_ptr_null(name);
}
END_TEST

START_TEST(system_metadata_is_set_replaced_and_removed)
{
        CLEANUP(instance_freep) struct instance *i = instance_new();

        ck_assert_ptr_null(instance_system_meta(i, "a"));
        instance_set_system_meta(i, "a", NULL);
        instance_set_system_meta(i, "a", "1");
        instance_set_system_meta(i, "b", "2");
        instance_set_system_meta(i, "c", "3");
        instance_set_system_meta(i, "b", "two");
        ck_assert_str_eq(instance_system_meta(i, "b"), "two");
        instance_set_system_meta(i, "a", NULL);
        ck_assert_ptr_null(instance_system_meta(i, "a"));
        ck_assert_str_eq(instance_system_meta(i, "c"), "3");
        ck_assert_uint_eq(i->n_system_metadata, 2);
}
END_TEST

START_TEST(every_error_has_a_name_outside)
{
        for (int code = NOVA_INSTANCE_NOT_FOUND; code < NOVA_ERRORS_END; code++) {
                const struct nova_exception *e = nova_exception_of(code);

                ck_assert_msg(strcmp(e->class_name, "Exception") != 0, "code %d has no class", code);
                ck_assert_ptr_nonnull(e->module);
                ck_assert_int_ge(e->http_code, 400);
                ck_assert(e->kwarg || e->kwarg_is == KWARG_INSTANCE);
        }
        for (int code = ERR_SYSTEM; code <= ERR_DENIED; code++)
                ck_assert_str_ne(nova_exception_of(code)->class_name, "Exception");
        ck_assert_str_eq(nova_exception_of(ERR_NONE)->class_name, "Exception");
        ck_assert_str_eq(nova_exception_of(NOVA_ERRORS_END)->class_name, "Exception");
        ck_assert_str_eq(nova_exception_of(999)->class_name, "Exception");
        ck_assert_str_eq(nova_exception_of(-1)->class_name, "Exception");
}
END_TEST

START_TEST(errors_mean_what_the_contract_says)
{
        const struct nova_exception *e = nova_exception_of(NOVA_INSTANCE_NOT_FOUND);

        ck_assert_str_eq(e->class_name, "InstanceNotFound");
        ck_assert_str_eq(e->module, "nova.exception");
        ck_assert_int_eq(e->http_code, 404);
        ck_assert_str_eq(e->kwarg, "instance_id");
        ck_assert(!e->aborts_build);
        ck_assert(nova_exception_of(NOVA_FLAVOR_MEMORY_TOO_SMALL)->aborts_build);
        ck_assert(!nova_exception_of(NOVA_IMAGE_NOT_FOUND)->aborts_build);
        ck_assert(!nova_exception_of(NOVA_COMPUTE_RESOURCES_UNAVAILABLE)->aborts_build);
        ck_assert(!nova_exception_of(NOVA_LIBVIRT_ERROR)->aborts_build);
        ck_assert_str_eq(nova_exception_of(ERR_TIMEOUT)->class_name, "TimeoutError");
        ck_assert_str_eq(nova_exception_of(ERR_TIMEOUT)->module, "builtins");
}
END_TEST

START_TEST(the_agents_own_requests_have_an_identifier)
{
        struct request_context c;

        request_context_admin(&c);
        ck_assert(c.is_admin && !c.project_id && !c.user_id);
        ck_assert(!strncmp(c.request_id, "req-", 4) && uuid_is(c.request_id + 4));
        request_context_free(&c);
        ck_assert_ptr_null(c.request_id);
}
END_TEST

int main(void)
{
        const TTest *const tests[] = {
                names_of_states_come_back_as_the_same_states, states_have_the_names_of_the_rows,
                a_state_of_another_release_is_unknown,        expecting_nothing_accepts_all,
                system_metadata_is_set_replaced_and_removed,  every_error_has_a_name_outside,
                errors_mean_what_the_contract_says,           the_agents_own_requests_have_an_identifier,
        };
        Suite *suite = suite_create("model");
        TCase *tcase = tcase_create("model");
        SRunner *runner;
        int failed;

        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_test(tcase, tests[i]);
        tcase_add_loop_test(tcase, domain_names_follow_the_template, 0, ARRAY_SIZE(names));
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
