/*
 * lib/native/symbolise.c: from an address of this process to function, file and line, by libdw.
 *
 * What libdw has learnt about the loaded files is kept, because reading debug information is slow, and thrown
 * away when a library came or went since. Debug information is looked for in the files themselves and below
 * /usr/lib/debug by build id; never on the network, which libdw's standard search may do. Where there is
 * none, the symbol tables still give the function, of static ones too as long as the file was not stripped.
 */
#include "native/symbolise.h"

#include <dlfcn.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/raw_line.h"

static pthread_mutex_t lock =
        PTHREAD_MUTEX_INITIALIZER; /* over all that follows; libdw has none of its own */
static Dwfl *dwfl;
static unsigned long long loads; /* how often libraries had come and gone when dwfl was made */

static int find_debuginfo(Dwfl_Module *mod, void **userdata, const char *module_name, GElf_Addr base,
                          const char *file_name, const char *debuglink_file, GElf_Word debuglink_crc,
                          char **ret_debuginfo_file_name)
{
        return dwfl_build_id_find_debuginfo(mod, userdata, module_name, base, file_name, debuglink_file,
                                            debuglink_crc, ret_debuginfo_file_name);
}

static const char *last_part(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* The program's own file may have been replaced by a newer one: then /proc still leads to the old one. */
static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
                    char **ret_file_name, Elf **ret_elf)
{
        static const char deleted[] = " (deleted)";
        size_t len = strlen(name), end = sizeof(deleted) - 1;
        int fd;

        if (len > end && strcmp(name + len - end, deleted) == 0 &&
            strncmp(last_part(name), program_invocation_short_name, strlen(program_invocation_short_name)) ==
                    0) {
                fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
                if (fd >= 0)
                        return fd;
        }
        return dwfl_linux_proc_find_elf(mod, userdata, name, base, ret_file_name, ret_elf);
}

static int note_loads(struct dl_phdr_info *info, size_t size, void *arg)
{
        *(unsigned long long *)arg = info->dlpi_adds + info->dlpi_subs;
        return 1; /* the same in each */
}

static void refresh_locked(void)
{
        static const Dwfl_Callbacks callbacks = {
                .find_elf = find_elf,
                .find_debuginfo = find_debuginfo,
        };
        unsigned long long now = 0;

        dl_iterate_phdr(note_loads, &now);
        if (dwfl && loads == now)
                return;
        if (dwfl)
                dwfl_end(dwfl);
        loads = now;
        dwfl = dwfl_begin(&callbacks);
        if (dwfl && (dwfl_linux_proc_report(dwfl, getpid()) != 0 || dwfl_report_end(dwfl, NULL, NULL) != 0)) {
                dwfl_end(dwfl); /* no /proc */
                dwfl = NULL;
        }
}

/* The source line of an address; NULL when it is not known. */
static const char *find_line(Dwfl_Module *mod, GElf_Addr addr, int *ret_number)
{
        Dwfl_Line *line = dwfl_module_getsrc(mod, addr);
        Dwarf_Die *unit = NULL;
        Dwarf_Addr bias;

        if (line)
                return dwfl_lineinfo(line, NULL, ret_number, NULL, NULL, NULL);
        /* clang leaves out the table from addresses to units that this uses: ask each unit. */
        while ((unit = dwfl_module_nextcu(mod, unit, &bias))) {
                Dwarf_Line *found =
                        dwarf_haspc(unit, addr - bias) > 0 ? dwarf_getsrc_die(unit, addr - bias) : NULL;

                if (found && dwarf_lineno(found, ret_number) == 0)
                        return dwarf_linesrc(found, NULL, NULL);
        }
        return NULL;
}

static void symbolise_locked(GElf_Addr addr, char *buf, size_t size)
{
        Dwfl_Module *mod = dwfl ? dwfl_addrmodule(dwfl, addr) : NULL;
        const char *function, *file, *module;
        GElf_Off offset = 0;
        GElf_Sym sym;
        int number = 0;

        if (!mod) {
                symbolise_plainly((void *)(uintptr_t)addr, buf, size);
                return;
        }
        module = dwfl_module_info(mod, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        function = dwfl_module_addrinfo(mod, addr, &offset, &sym, NULL, NULL, NULL);
        if (!function) { /* after a call that does not return, as abort(), at the end of a function */
                function = dwfl_module_addrinfo(mod, addr - 1, &offset, &sym, NULL, NULL, NULL);
                offset += function != NULL;
        }
        /* A return address is that of the instruction after the call, which may be of the next line. */
        file = find_line(mod, offset ? addr - 1 : addr, &number);
        if (!function && !file)
                symbolise_plainly((void *)(uintptr_t)addr, buf, size);
        else if (file)
                snprintf(buf, size, "%s+0x%llx (%s:%d)", function ? function : "?",
                         (unsigned long long)offset, last_part(file), number);
        else
                snprintf(buf, size, "%s+0x%llx (%s)", function, (unsigned long long)offset,
                         last_part(module ? module : "?"));
}

void symbolise(void *address, char *buf, size_t size)
{
        pthread_mutex_lock(&lock);
        refresh_locked();
        symbolise_locked((GElf_Addr)(uintptr_t)address, buf, size);
        pthread_mutex_unlock(&lock);
}

void symbolise_in_copy(void)
{
        lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        dwfl = NULL; /* lost with the copy */
}

void symbolise_plainly(const void *address, char *buf, size_t size)
{
        struct dl_find_object object;
        struct raw_line l = {};

        if (!size)
                return;
        if (_dl_find_object((void *)address, &object) == 0) {
                const char *name = object.dlfo_link_map->l_name;

                raw_add(&l, last_part(*name ? name : program_invocation_name));
                raw_add(&l, "+0x");
                raw_add_number(&l, (uintptr_t)address - object.dlfo_link_map->l_addr, 16);
        } else {
                raw_add(&l, "0x");
                raw_add_number(&l, (uintptr_t)address, 16);
        }
        if (l.len > size - 1)
                l.len = size - 1;
        memcpy(buf, l.text, l.len);
        buf[l.len] = '\0';
}
