/*
 * tests/integration/virt_env.h: private hypervisors for tests: folders of the embedded driver, a libvirtd.
 *
 * virt_env_main() runs the suite in a child of a process that collects orphans (QEMU leaves its parent), so
 * that libvirt sees a dead QEMU gone at once, and nothing that a test started outlives the program.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "green/green.h"
#include "model/states.h"
#include "virt/driver.h"

/* For main(): make the folder and the guest's image, run, clean up. Returns the exit status. */
int virt_env_main(int (*run_suite)(void));
struct TTest;
int virt_env_suite(const char *name, const struct TTest *const *tests, size_t n);
const char *virt_env_dir(void);   /* the program's own folder below /tmp */
const char *virt_env_guest(void); /* the tiny guest's raw image */

/* "qemu:///embed?root=..." of a new folder that shares what is known of QEMU with the others. Freed by
 * caller. */
char *virt_env_embed(char **ret_root);

/* ---- what a driver tells ---- */

struct told {
        struct virt_event events[256];
        unsigned n;
        struct green_cond *changed;
};
void on_told(const struct virt_event *ev, void *arg); /* for virt_driver.on_event, with a struct told */
/* Waits for the next event of that kind (and uuid, unless NULL) after *from; moves *from behind it. */
int YIELDS wait_told(struct told *t, unsigned *from, enum virt_event_kind kind, const char *uuid,
                     struct deadline by, struct error *err);

/* ---- guests ---- */

struct test_guest {
        char dir[256];
        char uuid[UUID_LEN + 1];
        struct guest_disk disk;
        struct guest_spec spec;
};
/* A folder below root with a copy of the image and a console log; number makes uuid and name. */
void test_guest_init(struct test_guest *g, const char *root, unsigned number);
void test_guest_free(struct test_guest *g);
bool console_holds(const struct test_guest *g, const char *text);
/* Waits until the console log holds the text. */
int YIELDS wait_console(const struct test_guest *g, const char *text, struct deadline by, struct error *err);
void console_clear(const struct test_guest *g);
/* The QEMU process of a guest of the embedded driver, from libvirt's pid file; 0 if there is none. */
pid_t qemu_pid(const char *root, const struct test_guest *g);

/* ---- a libvirtd of our own ---- */

struct libvirtd {
        char dir[256], uri[512];
        pid_t pid; /* 0: not running */
};
bool libvirtd_can_run(char *why, size_t size);
void libvirtd_init(struct libvirtd *l);
void libvirtd_start(struct libvirtd *l);
void libvirtd_kill(struct libvirtd *l,
                   int signal); /* and waits for its end unless it is SIGSTOP or SIGCONT */
unsigned open_descriptors(void);
