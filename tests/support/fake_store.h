/*
 * tests/support/fake_store.h: agent/store/store.h in memory, for tests of what compute/ writes and when.
 *
 * Linked instead of the real one. It keeps instances, block devices, actions and events with the same
 * compare-and-set, yields in every call, and notes each write as a line of a journal that reads like the
 * steps of nova-contract 3.4:
 *
 *      event+ compute_stop_instance
 *      instance power_state=4 vm_state=stopped task_state=NULL if powering-off
 *      event- compute_stop_instance Success
 */
#pragma once

#include "store/store.h"

void fake_store_reset(void);

/* A row with sane values, with a root disk; the caller may change it. Owned by the store. */
struct instance *fake_store_add(const char *uuid, enum vm_state vm_state, enum task_state task_state);
/* The live row; NULL when there is none. */
struct instance *fake_store_row(const char *uuid);
/* The row with its soft-deleted kin. */
struct instance *fake_store_any_row(const char *uuid);
/* As if it had never been. */
void fake_store_drop(const char *uuid);
void fake_store_add_action(const char *uuid, const char *request_id);
struct block_device *fake_store_root_disk(const char *uuid);
/* One more row, at most three: "blank", "local", "swap", 512. Owned by the store. */
struct block_device *fake_store_add_disk(const char *uuid, const char *source, const char *destination,
                                         const char *format, int64_t size);
/* Of the info cache, "[]" at first. NULL: its row is gone although the instance has an interface. */
void fake_store_set_network_info(const char *uuid, const char *json);
const struct compute_node_row *fake_store_node(void); /* NULL: none */
void fake_store_drop_node(void);
unsigned fake_store_reports(void);
#define FAKE_FORMER_NODE "0e8ff1d0-0000-4000-8000-000000000003"
void fake_store_add_former_node(const char *name); /* a literal */
/* A migration away from this host. */
void fake_store_add_move(const char *uuid, bool evacuation, const char *status);
const char *fake_store_move_status(const char *uuid);
void fake_store_set_min_version(int64_t version);
/* Console tokens that are kept for an instance. */
unsigned fake_store_console_tokens(const char *uuid);
void fake_store_disable_service(bool disabled); /* as nova-api does: in the row */

/* Migrations in status error; those whose instance is deleted and not of this host are stale. */
void fake_store_add_migration(int64_t id, const char *uuid);
unsigned fake_store_migrations(void); /* that are in error still */

/* ---- for the other files of the fake ---- */

/* Each function of store.h begins with this: others run, plans come true. */
int YIELDS fake_store_enter(const char *function, struct deadline by, struct error *err);
void fake_store_reset_host(void);
void fake_store_migration_failed(int64_t id); /* of fake_store_add_migration(), if it is one */
/* A line of the journal, with its newline. */
void fake_store_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const struct instance *fake_store_nth(
        unsigned n); /* of all rows, deleted ones too; NULL: there are no more */

/* The journal since the last call of this; valid until the next. */
const char *fake_store_journal(void);

/* The nth call from now (1: the next) of this function of store.h fails so. */
void fake_store_fail(const char *function, unsigned nth, int code, const char *text);
/* Before the nth call from now of this function, fn runs: rows that change under us. */
void fake_store_before(const char *function, unsigned nth, void (*fn)(void *arg), void *arg);
