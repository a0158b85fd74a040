/* What the rows say about a guest's hardware: extra specs, network interfaces, device names. */
#include "store_fixture.h"

#include <string.h>

static struct instance *YIELDS read_again(struct desk *desk, const struct instance *i)
{
        struct instance *again = NULL;
        struct error err = {};

        ck_assert_ok(store_instance_get(&desk->store, i->uuid, 0, &again, soon(), &err), err);
        return again;
}

STORE_TEST(what_may_be_refused_is_read_with_the_instance)
{
        struct instance *i = new_instance_named(&desk->store, "special"), *again;

        again = read_again(desk, i);
        ck_assert(!again->has_numa_topology && !again->has_pci_requests);
        ck_assert_uint_eq(again->flavor.n_extra_specs, 0);
        ck_assert_str_eq(again->kernel_id, "");
        instance_free(again);

        run(desk->here.pool, "UPDATE instances SET kernel_id = 'aki-1', vm_mode = 'hvm', "
                             "default_swap_device = '/dev/vdc'");
        run(desk->here.pool,
            "UPDATE instance_extra SET numa_topology = '{}', pci_requests = '[{\"count\": 1}]', "
            "flavor = REPLACE(flavor, '\"extra_specs\":{}', "
            "'\"extra_specs\":{\"hw:pmu\":\"off\",\"quota:cpu_shares\":\"512\"}')");
        again = read_again(desk, i);
        ck_assert(again->has_numa_topology && again->has_pci_requests);
        ck_assert_str_eq(again->kernel_id, "aki-1");
        ck_assert_str_eq(again->vm_mode, "hvm");
        ck_assert_str_eq(again->default_swap_device, "/dev/vdc");
        ck_assert_uint_eq(again->flavor.n_extra_specs, 2);
        ck_assert_str_eq(flavor_extra_spec(&again->flavor, "quota:cpu_shares"), "512");
        instance_free(again);
        instance_free(i);
}

STORE_TEST(device_names_are_saved)
{
        struct instance *i = new_instance_named(&desk->store, "named");
        struct error err = {};

        replace_str(&i->default_ephemeral_device, "/dev/vdb");
        replace_str(&i->default_swap_device, "/dev/vdc");
        ck_assert_ok(store_instance_save(&desk->store, i, COL_EPHEMERAL_DEVICE | COL_SWAP_DEVICE, EXPECT_ANY,
                                         soon(), &err),
                     err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', default_ephemeral_device, default_swap_device) FROM instances",
                      "/dev/vdb|/dev/vdc");
        instance_free(i);
}

STORE_TEST(the_info_cache_is_told_from_one_that_is_missing)
{
        struct instance *i = new_instance_named(&desk->store, "wired");
        CLEANUP(freep)
        char *sql = xasprintf(
                "INSERT INTO virtual_interfaces (address, instance_uuid, uuid, deleted) VALUES "
                "('fa:16:3e:00:00:01', '%s', 'port-1', 0), ('fa:16:3e:00:00:02', '%s', 'port-2', 2)",
                i->uuid, i->uuid);
        struct error err = {};
        unsigned interfaces;
        char *json = NULL;

        ck_assert_ok(store_network_info(&desk->store, i->uuid, &json, &interfaces, soon(), &err), err);
        ck_assert_str_eq(json, "[]");
        ck_assert_uint_eq(interfaces, 0);
        free(take_ptr(&json));
        run(desk->here.pool, sql);
        run(desk->here.pool, "UPDATE instance_info_caches SET network_info = '[{\"id\": \"port-1\"}]'");
        ck_assert_ok(store_network_info(&desk->store, i->uuid, &json, &interfaces, soon(), &err), err);
        ck_assert_str_eq(json, "[{\"id\": \"port-1\"}]");
        ck_assert_uint_eq(interfaces, 1);
        free(take_ptr(&json));
        run(desk->here.pool, "UPDATE instance_info_caches SET deleted = id");
        ck_assert_ok(store_network_info(&desk->store, i->uuid, &json, &interfaces, soon(), &err), err);
        ck_assert_ptr_null(json);
        ck_assert_uint_eq(interfaces, 1);
        instance_free(i);
}

UNIT_SUITE("store-guest", what_may_be_refused_is_read_with_the_instance, device_names_are_saved,
           the_info_cache_is_told_from_one_that_is_missing)
