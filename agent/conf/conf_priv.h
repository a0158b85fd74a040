/*
 * agent/conf/conf_priv.h: what the files of the configuration share: the table of settings, and the list of
 * mistakes.
 */
#pragma once

#include <stddef.h>

#include "conf/conf.h"

enum setting_type {
        SETTING_TEXT,
        SETTING_PATH, /* absolute; may begin with $state_path */
        SETTING_CHOICE,
        SETTING_INT,   /* decimal; min to max */
        SETTING_RATIO, /* decimal fraction; min to max */
        SETTING_BOOL,
};

enum setting_flags {
        SETTING_EMPTY_OK = 1 << 0, /* '' is a value: not set */
        SETTING_SECRET = 1 << 1,   /* a URL whose password is never shown; its value is in no message */
        SETTING_HIDDEN = 1 << 2,   /* with SECRET: not a URL, all of it is secret */
};

/* One option that the agent honours: everything that is known about it comes from here. */
struct setting {
        const char *section; /* "": at the top level, nova's [DEFAULT] */
        const char *key;
        enum setting_type type;
        size_t offset;      /* in struct conf */
        const char *preset; /* the default, as it would be written in the file, without quotes */
        int64_t min, max;
        const char *choices; /* separated by blanks */
        unsigned flags;
        /* More than the type says: returns -1 with err "must be ...". Not called for ''. */
        int (*check)(const char *value, struct error *err);
        const char *help; /* sentences */
        const char *unit; /* of a number: "seconds"; NULL: it counts what help says */
        bool reloads;     /* may change while the agent runs: agent/reload.c tells whoever has a copy of it */
};

extern const struct setting
        settings[]; /* sections stay together, the top level comes first; ends with key NULL */
extern const size_t n_settings;

/*
 * Options of nova that mean something to nova-compute and nothing here. They are accepted, so that a file
 * that was carried over from nova keeps working, and a note says why each has no effect.
 */
struct unused_setting {
        const char *section;
        const char *keys; /* words_match(): "live_migration_*" and "*" stand for many */
        const char *because;
        bool missed; /* guests, or their operators, get something else than from nova-compute */
};
extern const struct unused_setting unused_settings[]; /* ends with section NULL */

const struct setting *setting_find(const char *section, const char *key);
const struct unused_setting *unused_find(const char *section, const char *key);
bool section_known(const char *section); /* is there any option, used or not, in a section of this name? */
/* ", did you mean ...?" or "": the nearest names, in this section first. buf is returned. */
const char *suggest_key(const char *section, const char *key, char *buf, size_t size);
const char *suggest_section(const char *section, char *buf, size_t size);

/* Reads the value and stores it. -1: err says what is wrong with it, without naming the option. */
int setting_parse(const struct setting *s, const char *value, struct conf *c, struct error *err);
/* The value as it would be written in the file: quoted, a secret masked. */
void setting_print(const struct setting *s, const struct conf *c, struct strbuf *out);
void setting_write(const struct setting *s, const struct conf *c, struct strbuf *out); /* with secrets */
void setting_defaults(struct conf *c); /* c was all zero; each setting at its default */
bool setting_equal(const struct setting *s, const struct conf *a, const struct conf *b);
bool setting_is_text(const struct setting *s);                /* SETTING_TEXT, _PATH, _CHOICE */
char **setting_text(const struct setting *s, struct conf *c); /* of such a one only */
/* "key" or "[section] key": as messages name it. buf is returned. */
const char *setting_name(const struct setting *s, char *buf, size_t size);
/* The value becomes that of from. A text that is replaced lives on as long as c. */
void setting_take(const struct setting *s, struct conf *c, const struct conf *from);
void retired_free(struct conf *c);

enum conf_origin {
        ORIGIN_DEFAULT,
        ORIGIN_FILE,       /* of the configuration */
        ORIGIN_SECRET,     /* the file that KEY_file names; where that stands */
        ORIGIN_CREDENTIAL, /* of the service manager */
};
struct conf_place {
        enum conf_origin origin;
        unsigned file; /* of conf.files */
        int line;      /* 0: it is at its default */
};
struct conf_place *setting_place(const struct conf *c, const char *section, const char *key);

/* Mistakes and notes, found in any order, printed in the order of their files and lines. */
struct finding {
        unsigned file;
        int line; /* 0: concerns the whole file */
        char *text;
};
struct findings {
        struct finding *items;
        size_t n, cap;
        unsigned file; /* the one that is being read */
};
void finding_add(struct findings *f, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void finding_at(struct findings *f, const struct conf_place *where, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
void findings_free(struct findings *f);
/* value for a message: cut, without control characters. */
const char *shown(const char *value, char *buf, size_t size);

/*
 * Looks at the text before libconfuse does, with the eyes of its lexer, for what libconfuse would accept in
 * silence or stop at. What is good and has an effect goes to clean, each statement on its line, so that
 * libconfuse can read that to its end. text[len] is 0.
 */
void conf_check_text(const char *text, size_t len, struct strbuf *clean, struct findings *errors,
                     struct findings *notes);

void conf_expand_paths(struct conf *c, struct findings *errors); /* $state_path */
/* After that: what depends on the machine (host, my_ip) or on two settings at once. */
void conf_derive(struct conf *c, struct findings *errors, struct findings *notes);

/* The path in a transport_url that is a local socket. */
const char *conf_local_path(const struct conf *c);

/* ---- machine.c ---- */

void conf_check_machine(struct conf *c, struct findings *errors, struct findings *notes);

/* ---- sources.c ---- */

unsigned conf_add_file(struct conf *c, const char *path); /* its number in conf.files */
/* All files that are to be read, into conf.files; a directory that cannot be read is a mistake. */
bool sources_list(struct conf *c, const struct conf_from *from, struct findings *errors,
                  struct findings *notes);

/* ---- secrets.c ---- */

/* KEY_file, the setting that names the file of a secret; NULL: s is no secret. */
const struct setting *secret_file_of(const struct setting *s);
/* The name of the credential that may hold it: "compute-agent.database.connection". buf is returned. */
const char *secret_credential(const struct setting *s, char *buf, size_t size);
/* After the files, before conf_derive(): secrets that stand in files of their own, or are credentials. */
void secrets_read(struct conf *c, bool optional, struct findings *errors, struct findings *notes);
