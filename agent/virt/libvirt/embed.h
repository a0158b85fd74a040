/*
 * agent/virt/libvirt/embed.h: the folder of libvirt's embedded driver, made fit before it is opened.
 */
#pragma once

#include "base/context.h"
#include "base/error.h"

/* DIR of "qemu:///embed?root=DIR", or NULL when the URI is another. Caller frees. */
char *embed_root_of(const char *uri);

/*
 * Makes root and root/etc; writes root/etc/qemu.conf unless there is one (guests as root when this process is
 * root; logs to files, because no virtlogd runs; no security driver, namespaces or cgroups: design 3).
 * Removes status files of guests that never got a process: their owner died in those few milliseconds, and
 * libvirt would show them as "paused (starting up)" for ever (design 7).
 */
int BLOCKS embed_prepare(const char *root, struct error *err);
