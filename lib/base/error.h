/*
 * lib/base/error.h: one error struct, owned by the caller, filled on the way up.
 *
 * A function that can fail takes a `struct error *err` last and returns -1 after filling it; both helpers
 * return -1, so failing is one line. `err` is never NULL. A function either logs or returns an error, never
 * both; code in lib/ only returns. The struct owns no memory and may be copied.
 */
#pragma once

#include <stdbool.h>

enum error_code {
        ERR_NONE = 0,
        ERR_SYSTEM,      /* a system call failed; `sys` is its errno */
        ERR_TIMEOUT,     /* the deadline passed */
        ERR_CANCELLED,   /* the green thread, or its group, is being closed */
        ERR_CLOSED,      /* the other end, or the object itself, was closed */
        ERR_BUSY,        /* someone else has it: retrying later may help */
        ERR_LIMIT,       /* a named bound was reached */
        ERR_INVALID,     /* the input is wrong: retrying does not help */
        ERR_NOT_FOUND,   /* what was named does not exist */
        ERR_PROTOCOL,    /* the peer broke the protocol */
        ERR_EXIT,        /* a subprocess ended with a failure; `sys` is its exit status */
        ERR_DB,          /* the database refused the statement; `sys` is its error number */
        ERR_DB_LOST,     /* the connection to the database was lost; `sys` as above */
        ERR_UNSUPPORTED, /* not available in this build or configuration */
        ERR_DENIED,      /* who asks may not */
        ERR_APP = 1000,  /* from here on the codes belong to the application */
};

#define ERROR_TEXT_MAX 512

struct error {
        int code; /* enum error_code, or the application's */
        int sys;  /* errno, exit status or a server's error number; 0 if none */
        char text[ERROR_TEXT_MAX];
};

/* Sets code and text. Returns -1. */
int error_set(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Sets ERR_SYSTEM, `sys` and "text: strerror(sys)". Returns -1. */
int error_system(struct error *err, int sys, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Puts "text: " before what is there; code and sys stay. Returns -1. */
int error_while(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * One of several things failed: is that the end of all of them, because the green thread is cancelled? Then
 * *err is it. Else the others go on.
 */
bool error_is_cancel(const struct error *one, struct error *err);
/* The code's name for messages of lib/ ("timeout"); "application error" from ERR_APP on. */
const char *error_code_name(int code);
