/*
 * tests/integration/virt_rig.h: one libvirt driver with everything a test needs beside it. Each helper
 * asserts.
 */
#pragma once

#include "green/sync.h"
#include "virt_env.h"

struct rig {
        struct virt_driver *d;
        char *root, *uri;       /* owned; NULL when the test has them */
        const char *vnc_listen; /* set before it is opened; NULL: no graphics */
        const char *virt_type;  /* so is this; NULL: qemu */
        struct green_cond changed;
        struct told told;
        unsigned seen;
};

/* Starts the driver without waiting. call_timeout_s 0: the default. Keepalive every second, two missed end
 * it. */
void HUB_ONLY rig_open_uri(struct rig *r, const char *uri, double call_timeout_s);
void YIELDS rig_connect(struct rig *r);    /* waits for the connection and its event */
void YIELDS rig_open_embed(struct rig *r); /* a new folder, connected */
void YIELDS rig_close(struct rig *r);

void YIELDS expect_event(struct rig *r, enum virt_event_kind kind, const char *uuid);
struct guest_info YIELDS info_of(struct rig *r, const char *uuid);
void YIELDS remove_guest(struct rig *r, const struct test_guest *g);
