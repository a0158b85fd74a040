/*
 * lib/patcher/slots.c: greening a loaded shared library by rewriting its import slots.
 *
 * What a library calls by name goes through slots that the loader filled, or will fill at the first call:
 * JUMP_SLOT (the usual call), GLOB_DAT (-fno-plt, or an address taken) and R_X86_64_64 (an initialised
 * function pointer). Only the slots of the one library are written, so no other caller of the same function
 * notices. The value found in a slot is never used: in a lazily bound library it is the resolver, which would
 * undo the change at the first call.
 *
 * After loading, the slots of a library that is bound at once are read-only (RELRO). The kernel protects
 * whole pages, and only those inside: the start is rounded down as the loader does, and so is the end.
 */
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include "base/list.h"
#include "patcher/patcher_priv.h"

struct library {
        const char *soname; /* wanted */
        int (*fn)(const struct import_slot *slot, void *arg);
        void *arg;
        bool found;
        int result;
        /* of the one that was found */
        uintptr_t base, relro_start, relro_end;
        const ElfW(Sym) * symbols;
        const char *strings;
        const ElfW(Rela) * plt, *rela;
        size_t plt_size, rela_size;
        const char *own_name;
};

static const char *last_part(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* glibc has made addresses of the offsets, except in objects that it could not write to (the vdso). */
static const void *dynamic_address(const struct library *lib, ElfW(Addr) value)
{
        return (const void *)(value < lib->base ? lib->base + value : value);
}

static void read_dynamic(struct library *lib, const ElfW(Dyn) * d)
{
        ElfW(Xword) soname = 0;

        for (; d->d_tag != DT_NULL; d++) {
                switch (d->d_tag) {
                case DT_SYMTAB:
                        lib->symbols = dynamic_address(lib, d->d_un.d_ptr);
                        break;
                case DT_STRTAB:
                        lib->strings = dynamic_address(lib, d->d_un.d_ptr);
                        break;
                case DT_JMPREL:
                        lib->plt = dynamic_address(lib, d->d_un.d_ptr);
                        break;
                case DT_PLTRELSZ:
                        lib->plt_size = d->d_un.d_val;
                        break;
                case DT_RELA:
                        lib->rela = dynamic_address(lib, d->d_un.d_ptr);
                        break;
                case DT_RELASZ:
                        lib->rela_size = d->d_un.d_val;
                        break;
                case DT_SONAME:
                        soname = d->d_un.d_val;
                        break;
                }
        }
        lib->own_name = lib->strings && soname ? lib->strings + soname : "";
}

static void read_headers(struct library *lib, const struct dl_phdr_info *info)
{
        const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

        lib->base = info->dlpi_addr;
        lib->symbols = NULL;
        lib->strings = NULL;
        lib->plt = lib->rela = NULL;
        lib->plt_size = lib->rela_size = 0;
        lib->relro_start = lib->relro_end = 0;
        lib->own_name = "";
        for (int i = 0; i < info->dlpi_phnum; i++) {
                const ElfW(Phdr) *p = &info->dlpi_phdr[i];

                if (p->p_type == PT_DYNAMIC)
                        read_dynamic(lib, (const ElfW(Dyn) *)(lib->base + p->p_vaddr));
                if (p->p_type == PT_GNU_RELRO) {
                        lib->relro_start = (lib->base + p->p_vaddr) & ~(page - 1);
                        lib->relro_end = (lib->base + p->p_vaddr + p->p_memsz) & ~(page - 1);
                }
        }
}

static int each_in_table(struct library *lib, const ElfW(Rela) * table, size_t size)
{
        for (size_t i = 0; table && i < size / sizeof(*table); i++) {
                const ElfW(Rela) *r = &table[i];
                unsigned long type = ELF64_R_TYPE(r->r_info);
                const ElfW(Sym) *symbol = &lib->symbols[ELF64_R_SYM(r->r_info)];
                uintptr_t at = lib->base + r->r_offset;
                struct import_slot slot = { .symbol = lib->strings + symbol->st_name, .at = (void **)at };
                int result;

                if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT &&
                    (type != R_X86_64_64 || r->r_addend != 0))
                        continue;
                if (symbol->st_shndx != SHN_UNDEF) /* defined by the library itself */
                        continue;
                slot.relro = at >= lib->relro_start && at < lib->relro_end;
                result = lib->fn(&slot, lib->arg);
                if (result != 0)
                        return result;
        }
        return 0;
}

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
        struct library *lib = arg;

        if (!info->dlpi_name || !info->dlpi_name[0]) /* the program */
                return 0;
        read_headers(lib, info);
        if (strcmp(last_part(info->dlpi_name), lib->soname) != 0 && strcmp(lib->own_name, lib->soname) != 0)
                return 0;
        lib->found = true;
        if (!lib->symbols || !lib->strings)
                return 1;
        lib->result = each_in_table(lib, lib->plt, lib->plt_size);
        if (lib->result == 0)
                lib->result = each_in_table(lib, lib->rela, lib->rela_size);
        return 1;
}

int patcher_each_slot(const char *soname, int (*fn)(const struct import_slot *slot, void *arg), void *arg,
                      struct error *err)
{
        struct library lib = { .soname = last_part(soname), .fn = fn, .arg = arg };

        dl_iterate_phdr(visit, &lib);
        if (!lib.found)
                return error_set(err, ERR_NOT_FOUND, "%s is not loaded", soname);
        return lib.result;
}

/* ---- greening ---- */

struct greening {
        unsigned slots;
        struct error *err;
};

static int redirect(const struct import_slot *slot, void *arg)
{
        const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
        void *start = (void *)((uintptr_t)slot->at & ~(page - 1)); /* a slot is aligned: it is on one page */
        struct greening *g = arg;
        void *fn = patcher_replacement(slot->symbol);

        if (!fn)
                return 0;
        if (slot->relro && mprotect(start, page, PROT_READ | PROT_WRITE) < 0)
                return error_system(g->err, errno, "making the import slot of %s writable", slot->symbol);
        __atomic_store_n(slot->at, fn, __ATOMIC_RELEASE);
        if (slot->relro && mprotect(start, page, PROT_READ) < 0)
                return error_system(g->err, errno, "protecting the import slot of %s", slot->symbol);
        g->slots++;
        return 0;
}

/* Those that own locks or threads which cannot be greened: never, whoever asks. */
static bool must_stay_native(const char *name)
{
        static const char *const prefixes[] = {
                "libvirt", "libglib-",   "libgio-",  "libgobject-", "libmariadb", "libmysqlclient", "libcurl",
                "libc.so", "libpthread", "ld-linux", "libsystemd",  "libasan",    "libtsan",
        };

        for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
                if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
                        return true;
        return false;
}

int patcher_green_library(const char *soname, unsigned *ret_slots, struct error *err)
{
        struct greening g = { .err = err };

        if (must_stay_native(last_part(soname)))
                return error_set(err, ERR_INVALID, "greening %s: it must stay native", soname);
        if (patcher_categories() == 0)
                return error_set(err, ERR_INVALID, "greening %s: monkey_patch() comes first", soname);
        if (patcher_each_slot(soname, redirect, &g, err) < 0)
                return error_while(err, "greening %s", soname);
        if (ret_slots)
                *ret_slots = g.slots;
        return 0;
}
