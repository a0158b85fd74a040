/* agent/virt/libvirt/vir_error.c: libvirt's error of this native thread as one of ours. */
#include "virt/libvirt/vir_error.h"

#include <stdarg.h>
#include <stdio.h>

#include <libvirt/virterror.h>

#include "model/fault.h"

/* The same test as nova's (nova-contract 7.6), and the two codes that only a lost connection gives. */
static bool connection_to_blame(const virError *e)
{
        if (e->code == VIR_ERR_NO_CONNECT || e->code == VIR_ERR_INVALID_CONN)
                return true;
        return (e->code == VIR_ERR_SYSTEM_ERROR || e->code == VIR_ERR_INTERNAL_ERROR) &&
               (e->domain == VIR_FROM_REMOTE || e->domain == VIR_FROM_RPC);
}

int vir_error(struct error *err, const char *fmt, ...)
{
        const virError *e = virGetLastError();
        const char *message = e && e->message ? e->message : "libvirt gave no reason";
        int code = NOVA_LIBVIRT_ERROR;
        char doing[128];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(doing, sizeof(doing), fmt, ap);
        va_end(ap);
        if (e && e->code == VIR_ERR_NO_DOMAIN)
                code = NOVA_INSTANCE_NOT_FOUND;
        else if (e && connection_to_blame(e))
                code = NOVA_HYPERVISOR_UNAVAILABLE;
        error_set(err, code, "%s: %s", doing, message);
        err->sys = e ? e->code : 0;
        return -1;
}

static void say_nothing(void *arg, virErrorPtr e)
{
        (void)arg;
        (void)e;
}

void vir_error_silence(void)
{
        virSetErrorFunc(NULL, say_nothing);
}
