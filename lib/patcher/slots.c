/*
 * lib/patcher/slots.c: greening a loaded shared library by rewriting its import slots.
 *
 * What a library calls by name goes through slots that the loader filled, or will fill at the first call:
 * JUMP_SLOT (the usual call), GLOB_DAT (-fno-plt, or an address taken) and an absolute address (an
 * initialised function pointer). What refers to a patched name in any other way could not be redirected: such
 * a library is refused as a whole, before anything is changed. Only the slots of the one library are written,
 * so no other caller of the same function notices. The value found in a slot is never used: in a lazily bound
 * library it is the resolver, which would undo the change at the first call.
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

#if defined(__x86_64__)
enum { SLOT_CALL = R_X86_64_JUMP_SLOT, SLOT_DATA = R_X86_64_GLOB_DAT, SLOT_ADDRESS = R_X86_64_64 };
#elif defined(__aarch64__)
enum { SLOT_CALL = R_AARCH64_JUMP_SLOT, SLOT_DATA = R_AARCH64_GLOB_DAT, SLOT_ADDRESS = R_AARCH64_ABS64 };
#else
#error "lib/patcher knows the import slots of x86-64 and aarch64 only"
#endif

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
                unsigned type = (unsigned)ELF64_R_TYPE(r->r_info);
                const ElfW(Sym) *symbol = &lib->symbols[ELF64_R_SYM(r->r_info)];
                uintptr_t at = lib->base + r->r_offset;
                struct import_slot slot = { .symbol = lib->strings + symbol->st_name, .type = type };
                int result;

                /* without a symbol, or with one that the library defines itself */
                if (ELF64_R_SYM(r->r_info) == 0 || symbol->st_shndx != SHN_UNDEF)
                        continue;
                if (type == SLOT_CALL || type == SLOT_DATA || (type == SLOT_ADDRESS && r->r_addend == 0))
                        slot.at = (void **)at;
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

/* Before anything is changed: can all of it be? */
static int check(const struct import_slot *slot, void *arg)
{
        struct greening *g = arg;
        const struct not_patched_symbol *other = not_patched_find(slot->symbol);

        if (patcher_replacement(slot->symbol) && !slot->at)
                return error_set(g->err, ERR_UNSUPPORTED,
                                 "it refers to %s in a way that cannot be redirected (relocation %u)",
                                 slot->symbol, slot->type);
        if (other && other->harm == NOT_PATCHED_HANDLE && is_patched(PATCH_THREAD))
                return error_set(g->err, ERR_UNSUPPORTED, "it calls %s: %s", slot->symbol, other->because);
        return 0;
}

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

/* After it: does each lead here now? */
static int verify(const struct import_slot *slot, void *arg)
{
        struct greening *g = arg;
        void *fn = patcher_replacement(slot->symbol);

        if (fn && __atomic_load_n(slot->at, __ATOMIC_ACQUIRE) != fn)
                return error_set(g->err, ERR_UNSUPPORTED, "its import slot of %s was not redirected",
                                 slot->symbol);
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
        if (patcher_each_slot(soname, check, &g, err) < 0 ||
            patcher_each_slot(soname, redirect, &g, err) < 0 ||
            patcher_each_slot(soname, verify, &g, err) < 0)
                return error_while(err, "greening %s", soname);
        if (ret_slots)
                *ret_slots = g.slots;
        return 0;
}

struct listing {
        void (*fn)(const struct patcher_import *import, void *arg);
        void *arg;
};

static int list(const struct import_slot *slot, void *arg)
{
        const struct listing *l = arg;
        const struct not_patched_symbol *other = not_patched_find(slot->symbol);
        struct patcher_import import = { .symbol = slot->symbol,
                                         .patched = patched_find(slot->symbol),
                                         .not_patched = other };
        void *fn = patcher_replacement(slot->symbol);

        import.redirected = fn && slot->at && __atomic_load_n(slot->at, __ATOMIC_ACQUIRE) == fn;
        if (import.patched || other)
                l->fn(&import, l->arg);
        return 0;
}

int patcher_list_imports(const char *soname, void (*fn)(const struct patcher_import *import, void *arg),
                         void *arg, struct error *err)
{
        struct listing l = { fn, arg };

        return patcher_each_slot(soname, list, &l, err);
}
