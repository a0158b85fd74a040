/* agent/virt/fake_priv.h: what the fake's operations (fake.c) and its hooks (fake_hooks.c) share. */
#pragma once

#include "base/list.h"
#include "green/sync.h"
#include "virt/fake.h"

enum { FAKE_OPS = 20 };

struct fake_guest {
        struct list link;
        struct guest_info info;
        struct guest_spec spec; /* empty for guests that were only added */
        bool ignores_acpi, no_display;
};

enum plan_kind { PLAN_FAIL, PLAN_HANG, PLAN_SLOW };

struct plan {
        struct list link;
        const char *op; /* a literal */
        enum plan_kind kind;
        int code;
        char text[128];
        double seconds;
};

struct queued_event {
        struct list link;
        struct virt_event ev;
};

struct fake {
        struct virt_driver base;
        struct list guests, plans, events;
        struct green_cond changed; /* an event was queued or handled, the connection came or went */
        struct green *feeder;
        unsigned calls[FAKE_OPS];
        bool connected, started, stopping, delivering;
        int next_id;
        unsigned long n_events, n_reconnects, n_calls, n_timeouts;
        char hostname[256];
        const char *lacks; /* of a virt_type */
        int64_t libvirt_version, qemu_version;
        int64_t vcpus, memory_mb;
};

struct fake *fake_of(const struct virt_driver *d);
/* Index and literal of an operation's name; aborts when there is none. */
unsigned fake_op_index(const char *op);
const char *fake_op_name(unsigned index);
struct fake_guest *fake_find(const struct fake *f, const char *uuid); /* or NULL */
struct fake_guest *fake_add(struct fake *f, const char *uuid, const char *name);
void HUB_ONLY fake_send_event(struct fake *f, const char *uuid, enum virt_event_kind kind);
void HUB_ONLY fake_go_on(struct fake *f, struct fake_guest *g);
void HUB_ONLY fake_go_off(struct fake *f, struct fake_guest *g, enum power_state state);
