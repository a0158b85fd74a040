/*
 * agent/compute/guestprops.c: what image properties and flavor extra specs make of a guest, as nova's driver
 * reads them (nova-contract 7.1). A value that makes no sense is refused with its key.
 */
#include "compute/compute_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* oslo's bool_from_string. */
bool guestprops_true(const char *s)
{
        static const char *const words[] = { "1", "t", "true", "on", "y", "yes" };

        for (size_t w = 0; s && w < ARRAY_SIZE(words); w++)
                if (strcasecmp(s, words[w]) == 0)
                        return true;
        return false;
}

/* ---- values ---- */

static const char *image_property(const struct instance *i, const char *name)
{
        CLEANUP(freep) char *key = xasprintf("image_%s", name);
        const char *value = instance_system_meta(i, key);

        return value && *value ? value : NULL;
}

static int parse_number(const char *what, const char *key, const char *text, int64_t least, int64_t *ret,
                        struct error *err)
{
        char *end = NULL;
        long long n;

        errno = 0;
        n = strtoll(text, &end, 10);
        if (errno || end == text || *end || n < least)
                return error_set(err, NOVA_INVALID_INPUT, "%s %s=%.64s is not a number of at least %lld",
                                 what, key, text, (long long)least);
        *ret = n;
        return 0;
}

static int extra_number(const struct flavor *f, const char *key, int64_t least, int64_t *ret,
                        struct error *err)
{
        const char *text = flavor_extra_spec(f, key);

        return text ? parse_number("flavor extra spec", key, text, least, ret, err) : 0;
}

static int image_number(const struct instance *i, const char *key, int64_t *ret, struct error *err)
{
        const char *text = image_property(i, key);

        return text ? parse_number("image property", key, text, 0, ret, err) : 0;
}

/* Of these words, or refused. The word in lower case, as nova keeps it. */
static int one_of(const char *key, const char *value, const char *const *words, size_t n, char **ret,
                  struct error *err)
{
        for (size_t w = 0; w < n; w++) {
                if (strcasecmp(value, words[w]) == 0) {
                        replace_str(ret, words[w]);
                        return 0;
                }
        }
        return error_set(err, NOVA_INVALID_INPUT, "%s=%.64s is not supported by this agent", key, value);
}
#define ONE_OF(key, value, words, ret, err) one_of(key, value, words, ARRAY_SIZE(words), ret, err)

/* What flavor and image may both set, and must then agree on. */
static int agreed(const struct instance *i, const char *name, const char **ret, struct error *err)
{
        CLEANUP(freep) char *extra = xasprintf("hw:%s", name);
        CLEANUP(freep) char *property = xasprintf("hw_%s", name);
        const char *flavor = flavor_extra_spec(&i->flavor, extra), *image = image_property(i, property);

        if (flavor && image && guestprops_true(flavor) != guestprops_true(image))
                return error_set(err, NOVA_INVALID_INPUT,
                                 "flavor extra spec %s=%.32s conflicts with image property %s=%.32s", extra,
                                 flavor, property, image);
        *ret = flavor ? flavor : image;
        return 0;
}

/* ---- CPU topology ---- */

struct topology {
        int64_t sockets, cores, threads;
};

static int read_topology(const struct instance *i, const char *infix, struct topology *flavor,
                         struct topology *image, struct error *err)
{
        const struct {
                const char *name;
                int64_t *flavor, *image;
        } fields[] = {
                { "sockets", &flavor->sockets, &image->sockets },
                { "cores", &flavor->cores, &image->cores },
                { "threads", &flavor->threads, &image->threads },
        };

        for (size_t f = 0; f < ARRAY_SIZE(fields); f++) {
                CLEANUP(freep) char *extra = xasprintf("hw:cpu_%s%s", infix, fields[f].name);
                CLEANUP(freep) char *property = xasprintf("hw_cpu_%s%s", infix, fields[f].name);

                if (extra_number(&i->flavor, extra, 0, fields[f].flavor, err) < 0 ||
                    image_number(i, property, fields[f].image, err) < 0)
                        return -1;
        }
        return 0;
}

static bool exceeds(const struct topology *a, const struct topology *limit)
{
        return (limit->sockets && a->sockets > limit->sockets) || (limit->cores && a->cores > limit->cores) ||
               (limit->threads && a->threads > limit->threads);
}

/* 0 is no limit. */
static int64_t at_most(int64_t limit, int64_t vcpus)
{
        return limit && limit < vcpus ? limit : vcpus;
}

static unsigned score(const struct topology *t, const struct topology *want)
{
        return (want->sockets && t->sockets == want->sockets) + (want->cores && t->cores == want->cores) +
               (want->threads && t->threads == want->threads);
}

/* nova's order among equally wanted ones: few threads, then many sockets. */
static bool better(const struct topology *a, const struct topology *b, const struct topology *want)
{
        if (score(a, want) != score(b, want))
                return score(a, want) > score(b, want);
        if (a->threads != b->threads)
                return a->threads < b->threads;
        return a->sockets > b->sockets;
}

static int best_topology(int64_t vcpus, const struct topology *most, const struct topology *want,
                         struct topology *ret, struct error *err)
{
        struct topology best = {};

        for (int64_t t = 1; t <= most->threads; t++) {
                for (int64_t c = 1; vcpus % t == 0 && c <= most->cores; c++) {
                        struct topology here = { vcpus / t / c, c, t };

                        if (vcpus / t % c == 0 && here.sockets >= 1 && here.sockets <= most->sockets &&
                            (!best.sockets || better(&here, &best, want)))
                                best = here;
                }
        }
        if (!best.sockets)
                return error_set(err, NOVA_INVALID_INPUT,
                                 "no CPU topology within the limits of flavor and image has %lld vcpus",
                                 (long long)vcpus);
        *ret = best;
        return 0;
}

static int apply_topology(const struct instance *i, struct guest_spec *s, struct error *err)
{
        struct topology flavor_max = {}, image_max = {}, flavor = {}, image = {}, most, want, best = {};
        int64_t vcpus = i->flavor.vcpus;

        if (vcpus < 1 || vcpus > 4096)
                return error_set(err, NOVA_INVALID_INPUT, "a guest of %lld vcpus", (long long)vcpus);
        if (read_topology(i, "max_", &flavor_max, &image_max, err) < 0 ||
            read_topology(i, "", &flavor, &image, err) < 0)
                return -1;
        if (exceeds(&image_max, &flavor_max))
                return error_set(err, NOVA_INVALID_INPUT,
                                 "image properties hw_cpu_max_* are above the flavor's hw:cpu_max_*");
        most = (struct topology){
                .sockets = image_max.sockets ? image_max.sockets : flavor_max.sockets,
                .cores = image_max.cores ? image_max.cores : flavor_max.cores,
                .threads = image_max.threads ? image_max.threads : flavor_max.threads,
        };
        if (exceeds(&flavor, &most))
                flavor = (struct topology){};
        if (exceeds(&image, &most))
                return error_set(err, NOVA_INVALID_INPUT,
                                 "image properties hw_cpu_* are above the limits of flavor and image");
        want = image.sockets || image.cores || image.threads ? image : flavor;
        most.sockets = at_most(most.sockets, vcpus);
        most.cores = at_most(most.cores, vcpus);
        most.threads = at_most(most.threads, vcpus);
        if (best_topology(vcpus, &most, &want, &best, err) < 0)
                return -1;
        s->cpu_sockets = best.sockets;
        s->cpu_cores = best.cores;
        s->cpu_threads = best.threads;
        return 0;
}

/* ---- devices ---- */

static int apply_video(const struct instance *i, struct guest_spec *s, struct error *err)
{
        static const char *const models[] = { "cirrus", "qxl", "vga",  "vmvga", "xen",
                                              "virtio", "gop", "none", "bochs" };
        const char *model = image_property(i, "hw_video_model");
        int64_t ram = 0, most = 0;

        if (model && ONE_OF("image property hw_video_model", model, models, &s->video_model, err) < 0)
                return -1;
        if (image_number(i, "hw_video_ram", &ram, err) < 0 ||
            extra_number(&i->flavor, "hw_video:ram_max_mb", 0, &most, err) < 0)
                return -1;
        if (ram > most)
                return error_set(err, NOVA_INVALID_INPUT,
                                 "image property hw_video_ram=%lld is above the flavor's "
                                 "hw_video:ram_max_mb=%lld",
                                 (long long)ram, (long long)most);
        s->video_ram_mb = ram;
        return 0;
}

/* An input bus that the image names, or that was recorded for it, brings a keyboard, as in nova. */
static int apply_input(const struct instance *i, struct guest_spec *s, struct error *err)
{
        static const char *const buses[] = { "usb", "virtio" };
        const char *bus = image_property(i, "hw_input_bus");

        if (!bus)
                return 0;
        if (ONE_OF("image property hw_input_bus", bus, buses, &s->pointer_bus, err) < 0)
                return -1;
        replace_str(&s->keyboard_bus, s->pointer_bus);
        return 0;
}

static int apply_controllers(const struct instance *i, struct guest_spec *s, struct error *err)
{
        static const char *const scsi[] = { "buslogic",   "ibmvscsi",    "lsilogic", "lsisas1068",
                                            "lsisas1078", "virtio-scsi", "vmpvscsi" };
        static const char *const actions[] = { "none", "pause", "poweroff", "reset", "disabled" };
        const char *model = image_property(i, "hw_scsi_model");
        const char *action = image_property(i, "hw_watchdog_action");

        if (model && strcasecmp(model, "lsilogicsas") == 0)
                model = "lsisas1068";
        else if (model && strcasecmp(model, "paravirtual") == 0)
                model = "vmpvscsi";
        if (model && ONE_OF("image property hw_scsi_model", model, scsi, &s->scsi_model, err) < 0)
                return -1;
        if (!action)
                action = flavor_extra_spec(&i->flavor, "hw:watchdog_action");
        if (!action || !*action)
                return 0;
        if (ONE_OF("watchdog action", action, actions, &s->watchdog_action, err) < 0)
                return -1;
        if (strcmp(s->watchdog_action, "disabled") == 0)
                replace_str(&s->watchdog_action, NULL);
        return 0;
}

static int apply_rng(const struct instance *i, struct guest_spec *s, struct error *err)
{
        const char *allowed = flavor_extra_spec(&i->flavor, "hw_rng:allowed");

        s->no_rng = allowed && !guestprops_true(allowed);
        if (extra_number(&i->flavor, "hw_rng:rate_bytes", 0, &s->rng_rate_bytes, err) < 0)
                return -1;
        return extra_number(&i->flavor, "hw_rng:rate_period", 0, &s->rng_rate_period_ms, err);
}

static int apply_quotas(const struct instance *i, struct guest_spec *s, struct error *err)
{
        static const char *const keys[GUEST_QUOTAS] = {
                [QUOTA_CPU_SHARES] = "quota:cpu_shares",
                [QUOTA_CPU_QUOTA] = "quota:cpu_quota",
                [QUOTA_CPU_PERIOD] = "quota:cpu_period",
                [QUOTA_DISK_READ_BYTES] = "quota:disk_read_bytes_sec",
                [QUOTA_DISK_READ_IOPS] = "quota:disk_read_iops_sec",
                [QUOTA_DISK_WRITE_BYTES] = "quota:disk_write_bytes_sec",
                [QUOTA_DISK_WRITE_IOPS] = "quota:disk_write_iops_sec",
                [QUOTA_DISK_TOTAL_BYTES] = "quota:disk_total_bytes_sec",
                [QUOTA_DISK_TOTAL_IOPS] = "quota:disk_total_iops_sec",
                [QUOTA_VIF_INBOUND_AVERAGE] = "quota:vif_inbound_average",
                [QUOTA_VIF_INBOUND_PEAK] = "quota:vif_inbound_peak",
                [QUOTA_VIF_INBOUND_BURST] = "quota:vif_inbound_burst",
                [QUOTA_VIF_OUTBOUND_AVERAGE] = "quota:vif_outbound_average",
                [QUOTA_VIF_OUTBOUND_PEAK] = "quota:vif_outbound_peak",
                [QUOTA_VIF_OUTBOUND_BURST] = "quota:vif_outbound_burst",
        };

        for (size_t q = 0; q < GUEST_QUOTAS; q++) {
                /* A negative quota of CPU time is libvirt's word for none. */
                if (extra_number(&i->flavor, keys[q], q == QUOTA_CPU_QUOTA ? -1 : 0, &s->quotas[q], err) < 0)
                        return -1;
        }
        return 0;
}

static int apply_features(const struct instance *i, struct guest_spec *s, struct error *err)
{
        const char *pmu, *boot_menu = image_property(i, "hw_boot_menu");

        if (agreed(i, "pmu", &pmu, err) < 0)
                return -1;
        if (pmu)
                replace_str(&s->pmu, guestprops_true(pmu) ? "on" : "off");
        s->hpet = guestprops_true(image_property(i, "hw_time_hpet"));
        s->qemu_guest_agent = guestprops_true(image_property(i, "hw_qemu_guest_agent"));
        s->hide_hypervisor = guestprops_true(flavor_extra_spec(&i->flavor, "hide_hypervisor_id")) ||
                             guestprops_true(flavor_extra_spec(&i->flavor, "hw:hide_hypervisor_id")) ||
                             guestprops_true(image_property(i, "img_hide_hypervisor_id"));
        s->boot_menu = guestprops_true(boot_menu ? boot_menu : flavor_extra_spec(&i->flavor, "hw:boot_menu"));
        return 0;
}

int guestprops_queues(const struct instance *i, int64_t *ret, struct error *err)
{
        const char *wanted;

        *ret = 0;
        if (i->flavor.vcpus < 2)
                return 0;
        if (agreed(i, "vif_multiqueue_enabled", &wanted, err) < 0)
                return -1;
        if (guestprops_true(wanted))
                *ret = i->flavor.vcpus < 256 ? i->flavor.vcpus : 256; /* Linux has no more on a tap device */
        return 0;
}

int guestprops_apply(const struct instance *i, struct guest_spec *s, struct error *err)
{
        if (guestlimits_check(i, err) < 0 || apply_topology(i, s, err) < 0 || apply_video(i, s, err) < 0 ||
            apply_input(i, s, err) < 0 || apply_controllers(i, s, err) < 0 || apply_rng(i, s, err) < 0 ||
            apply_quotas(i, s, err) < 0)
                return -1;
        return apply_features(i, s, err);
}
