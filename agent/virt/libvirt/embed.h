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
 *
 * ERR_BUSY when another process has the folder open. That must be found out before: the embedded driver can
 * be started only once in a process, and every open after one that failed fails too, whatever was the matter.
 * After embed_opened() the folder is ours until the process ends, and this does nothing more.
 */
int BLOCKS embed_prepare(const char *root, struct error *err);
void BLOCKS embed_opened(void);
/* The open failed: from now on embed_prepare() answers with this error, and that only a restart helps. */
void BLOCKS embed_failed(struct error *err);
/*
 * Waits, for a few seconds at most, until libvirt has adopted the guests it found at the open. It does so in
 * threads of its own, and a process that exits meanwhile takes libraries away from under them and crashes.
 */
void BLOCKS embed_settle(void);
