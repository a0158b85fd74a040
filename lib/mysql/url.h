/*
 * lib/mysql/url.h: the URL of a database in SQLAlchemy's form, as nova.conf has it.
 *
 *      mysql+pymysql://user:password@host:port/database?charset=utf8&unix_socket=/path&ssl_ca=/path
 *
 * In user, password and parameters %XX is decoded. A host means TCP, also "localhost"; unix_socket wins.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct db_url {
        char *user, *password, *host, *database, *unix_socket; /* NULL: not given; host: never NULL */
        char *charset;                                         /* "utf8mb3" or "utf8mb4" */
        unsigned port;
        bool tls;    /* any ssl_ parameter was given: never talk without */
        bool verify; /* the certificate must be signed by ssl_ca and name the host */
        char *ssl_ca, *ssl_capath, *ssl_cert, *ssl_key, *ssl_cipher;
        double connect_timeout_s; /* 0: not given */
};

/* ERR_INVALID; the text names what is wrong and never holds the password. */
int db_url_parse(const char *url, struct db_url *ret, struct error *err);
void db_url_free(struct db_url *u); /* wipes the password */
/* "unix:/run/mysqld/mysqld.sock" or "tcp:host:port", with " tls" after it. */
void db_url_peer(const struct db_url *u, char *buf, size_t size);
