/*
 * lib/base/url.h: the parts that the URLs of services have in common. Pure; any thread. Errors are
 * ERR_INVALID and never quote the input, which may hold a password; `url` names it in them: "database URL".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * A percent-decoded copy of len bytes, NULL on error; `what` names the part. %00 is refused: it would cut the
 * text short for everyone who reads it.
 */
char *url_decode(const char *s, size_t len, bool plus_is_space, const char *url, const char *what,
                 struct error *err);

/*
 * host, host:port, [::1]:port, or nothing: localhost. *ret_host is the caller's (what was there is freed),
 * also when the port is wrong; *port keeps its value when none is given.
 */
int url_address(const char *s, size_t len, const char *url, char **ret_host, unsigned *port,
                struct error *err);

/*
 * What follows the "?". With an @ in it the ? most likely belongs to a password, and no name of it may be
 * told.
 */
int url_check_query(const char *query, const char *url, struct error *err);
