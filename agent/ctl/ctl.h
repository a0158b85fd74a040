/*
 * agent/ctl/ctl.h: compute-agentctl: commands for people and scripts, over the agent's local socket.
 *
 * A command is a function and a row in main.c's table. It reads its own arguments (parse.h), asks the agent
 * (remote.c) or the database (database.c), prints (output.h), and returns the exit status; what went wrong it
 * has told on stderr by then.
 */
#pragma once

#include "conf/conf.h"
#include "ctl/parse.h"
#include "json/json.h"
#include "messaging/rpc_client.h"
#include "model/instance.h"
#include "store/store.h"

/* Scripts rely on these: a status is never given another meaning. 78 is that of the agent itself, too. */
#define CTL_EXITS(X)                                                    \
        X(CTL_OK, 0, "done")                                            \
        X(CTL_FAILED, 1, "failed, or health is \"fail\"")               \
        X(CTL_USAGE, 2, "wrong usage")                                  \
        X(CTL_UNREACHABLE, 3, "the agent is not running, or went away") \
        X(CTL_TIMEOUT, 4, "it took too long")                           \
        X(CTL_DENIED, 5, "whoever runs this may not")                   \
        X(CTL_CONF, 78, "the configuration cannot be used")

enum ctl_exit {
#define X(name, status, meaning) name = (status),
        CTL_EXITS(X)
#undef X
};

struct ctl {
        /* what the command line said */
        const char *config_file; /* NULL: the default one */
        const char *socket;      /* NULL: out of the configuration */
        const char *colour;      /* NULL: auto */
        bool json, help, version;
        double timeout_s; /* 0: not given */
        const struct ctl_command *command;
        int argc; /* of the command: what follows its name */
        char **argv;
        /* opened when first needed, closed by main.c */
        struct conf *conf;
        struct tpool *tpool;
        struct rpc_client *client;
        struct store store; /* store.db NULL: not opened */
        struct deadline by; /* of the whole command; set by ctl_arguments() */
        /* Not NULL: the command is not to run, its options go here. They are valid during the call. */
        void (*listen)(const struct ctl_option *options, void *arg);
        void *listen_arg;
};

#define CTL_NAME "compute-agentctl"

struct ctl_command {
        const char *name, *synopsis;
        const char *summary; /* NULL: not for people, and not told to them */
        enum ctl_exit (*run)(struct ctl *c);
        const char *help; /* more of it, or NULL */
};

extern const struct ctl_command ctl_commands[]; /* ends with a NULL name */
const struct ctl_command *ctl_find_command(const char *name);
/* Those before or after any command; those without a help are other names of others. */
#define CTL_GLOBALS 9
void ctl_global_options(struct ctl *c, struct ctl_option to[CTL_GLOBALS + 1]);
void ctl_print_usage(struct ctl *c);
/* The options of one command, with NULL in `to`. Caller frees. */
struct ctl_option *YIELDS ctl_options_of(const struct ctl_command *k);

/*
 * Reads c->argv by options (ends with a NULL name) and the global ones, and n_words words at least `least`.
 * False: *ret_status is the exit status; usage, or what is wrong with the arguments, was printed. Sets c->by.
 */
bool ctl_arguments(struct ctl *c, const struct ctl_option *options, const char **words, unsigned least,
                   unsigned most, enum ctl_exit *ret_status);
/* For a command that may wait for guests: another default deadline. */
void ctl_may_take_long(struct ctl *c);

/* "compute-agentctl: TEXT" on stderr. Returns status. */
enum ctl_exit ctl_complain(enum ctl_exit status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with "TEXT: error"; the status follows from the error. */
enum ctl_exit ctl_error(const struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- parts a command needs: CTL_OK, or told and the status to return ---- */

enum ctl_exit ctl_need_conf(struct ctl *c);
enum ctl_exit YIELDS ctl_need_tpool(struct ctl *c);
enum ctl_exit YIELDS ctl_need_agent(struct ctl *c);
/* One that takes requests already: while it starts, only its admin methods answer. */
enum ctl_exit YIELDS ctl_need_serving_agent(struct ctl *c);
enum ctl_exit YIELDS ctl_need_store(struct ctl *c); /* implies the configuration */

/* remote.c. Takes over args (NULL: none). */
enum ctl_exit YIELDS ctl_ask(struct ctl *c, const char *ns, const char *version, const char *method,
                             struct jval *args, struct jval **ret);
enum ctl_exit YIELDS ctl_ask_admin(struct ctl *c, const char *method, struct jval *args, struct jval **ret);
/* To the compute methods, as the control plane sends them. */
enum ctl_exit YIELDS ctl_cast(struct ctl *c, const char *method, struct jval *args,
                              const struct request_context *ctx);

#define COMPUTE_VERSION "6.0" /* what a Zed control plane sends (nova-contract 3.3) */

/* ---- database.c ---- */

/* By uuid, else by display name; several of one name are an error that lists them. */
enum ctl_exit YIELDS ctl_find_instance(struct ctl *c, const char *name_or_uuid, struct instance **ret);

/* Follows an instance until what ctx's request began is over, printing each state it goes through. */
struct ctl_outcome {
        bool gone;    /* deleted */
        bool failed;  /* the action ended with an error, or the instance is in error */
        char *reason; /* of that; owned; may be NULL */
        enum vm_state vm_state;
        enum power_state power_state;
        double seconds;
};
enum ctl_exit YIELDS ctl_watch(struct ctl *c, const struct instance *i, const struct request_context *ctx,
                               struct ctl_outcome *ret);
/* Without wait: says that it was requested. With: watches, says how it ended. */
enum ctl_exit YIELDS ctl_conclude(struct ctl *c, const struct instance *i, const struct request_context *ctx,
                                  bool wait);
void ctl_tell_outcome(const struct ctl *c, const struct instance *i, const struct request_context *ctx,
                      const struct ctl_outcome *how);
/* Name of the compute node of this host, for build requests. Caller frees. */
enum ctl_exit YIELDS ctl_node_name(struct ctl *c, char **ret);

/* ---- the commands ---- */

enum ctl_exit YIELDS ctl_status(struct ctl *c);
enum ctl_exit YIELDS ctl_instances(struct ctl *c);
enum ctl_exit YIELDS ctl_threads(struct ctl *c);
enum ctl_exit YIELDS ctl_pools(struct ctl *c);
enum ctl_exit YIELDS ctl_locks(struct ctl *c);
enum ctl_exit YIELDS ctl_jobs(struct ctl *c);
enum ctl_exit YIELDS ctl_top(struct ctl *c);
enum ctl_exit YIELDS ctl_tasks(struct ctl *c);
enum ctl_exit YIELDS ctl_health(struct ctl *c);
enum ctl_exit YIELDS ctl_log_level(struct ctl *c);
enum ctl_exit YIELDS ctl_drain(struct ctl *c);
enum ctl_exit YIELDS ctl_undrain(struct ctl *c);
enum ctl_exit YIELDS ctl_resync(struct ctl *c);
enum ctl_exit YIELDS ctl_report(struct ctl *c);
enum ctl_exit YIELDS ctl_call(struct ctl *c);
enum ctl_exit YIELDS ctl_db_init(struct ctl *c);
enum ctl_exit YIELDS ctl_images(struct ctl *c);
enum ctl_exit YIELDS ctl_image_import(struct ctl *c);
enum ctl_exit YIELDS ctl_boot(struct ctl *c);
enum ctl_exit YIELDS ctl_stop(struct ctl *c);
enum ctl_exit YIELDS ctl_start(struct ctl *c);
enum ctl_exit YIELDS ctl_reboot(struct ctl *c);
enum ctl_exit YIELDS ctl_pause(struct ctl *c);
enum ctl_exit YIELDS ctl_unpause(struct ctl *c);
enum ctl_exit YIELDS ctl_suspend(struct ctl *c);
enum ctl_exit YIELDS ctl_resume(struct ctl *c);
enum ctl_exit YIELDS ctl_delete(struct ctl *c);
enum ctl_exit YIELDS ctl_soft_delete(struct ctl *c);
enum ctl_exit YIELDS ctl_restore(struct ctl *c);
enum ctl_exit YIELDS ctl_nmi(struct ctl *c);
enum ctl_exit YIELDS ctl_console(struct ctl *c);
enum ctl_exit YIELDS ctl_vnc(struct ctl *c);
enum ctl_exit YIELDS ctl_diagnostics(struct ctl *c);
enum ctl_exit YIELDS ctl_completion(struct ctl *c);
enum ctl_exit YIELDS ctl_complete(struct ctl *c);
