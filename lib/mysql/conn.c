/*
 * lib/mysql/conn.c: one connection: making it in the tpool, and what surrounds each exchange with the server.
 *
 * Resolving, connecting, the TLS handshake, authentication and the session's settings block, so they are one
 * job on a worker. When it is done the socket is made non-blocking and the callback of wait.c is set: from
 * then on libmariadb's blocking calls park the green thread. Without O_NONBLOCK a read over TLS would hold
 * the hub.
 */
#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <mysqld_error.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/original.h"
#include "mysql/mysql_priv.h"

/* A job may outlive the one who waited for it, so it has its own copy of everything. */
struct connect_job {
        struct tpool_job base;
        struct db_url url;
        char *init_command, *peer;
        unsigned timeout_s;
        MYSQL *mysql; /* the result, until the caller takes it */
};

/* Is a number of the server or of libmariadb the end of a connection? */
static bool db_number_is_loss(unsigned number)
{
        if (number >= CR_MIN_ERROR && number <= CR_MYSQL_LAST_ERROR)
                return true;
        if (number >= CER_MIN_ERROR && number <= CR_MARIADB_LAST_ERROR)
                return true;
        switch (number) {
        case ER_CON_COUNT_ERROR:
        case ER_TOO_MANY_USER_CONNECTIONS:
        case ER_SERVER_SHUTDOWN:
        case ER_NORMAL_SHUTDOWN:
        case ER_NEW_ABORTING_CONNECTION:
        case ER_ABORTING_CONNECTION:
        case ER_CONNECTION_KILLED:
        case ER_NET_PACKET_TOO_LARGE:
        case ER_NET_READ_ERROR_FROM_PIPE:
        case ER_NET_FCNTL_ERROR:
        case ER_NET_PACKETS_OUT_OF_ORDER:
        case ER_NET_UNCOMPRESS_ERROR:
        case ER_NET_READ_ERROR:
        case ER_NET_READ_INTERRUPTED:
        case ER_NET_ERROR_ON_WRITE:
        case ER_NET_WRITE_INTERRUPTED:
                return true;
        default:
                return false;
        }
}

/* ---- connecting, on a worker ---- */

static void set_options(MYSQL *m, const struct connect_job *job)
{
        const struct db_url *u = &job->url;
        unsigned protocol = u->unix_socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP, no = 0;
        unsigned long packet_max = RESULT_BYTES_MAX + (1u << 20);
        my_bool yes = 1, verify = u->verify;

        /* Said outright, else libmariadb takes "localhost" for its built-in unix socket. */
        mysql_optionsv(m, MYSQL_OPT_PROTOCOL, &protocol);
        mysql_optionsv(m, MYSQL_OPT_CONNECT_TIMEOUT, &job->timeout_s);
        mysql_optionsv(m, MYSQL_OPT_READ_TIMEOUT, &job->timeout_s);
        mysql_optionsv(m, MYSQL_OPT_WRITE_TIMEOUT, &job->timeout_s);
        mysql_optionsv(m, MYSQL_OPT_LOCAL_INFILE, &no);
        mysql_optionsv(m, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_max);
        mysql_optionsv(m, MYSQL_SET_CHARSET_NAME, u->charset);
        if (job->init_command)
                mysql_optionsv(m, MYSQL_INIT_COMMAND, job->init_command);
        if (!u->tls)
                return;
        mysql_ssl_set(m, u->ssl_key, u->ssl_cert, u->ssl_ca, u->ssl_capath, u->ssl_cipher);
        mysql_optionsv(m, MYSQL_OPT_SSL_ENFORCE, &yes);
        mysql_optionsv(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

static int BLOCKS connect_run(struct tpool_job *base, struct error *err)
{
        struct connect_job *job = CONTAINER_OF(base, struct connect_job, base);
        const struct db_url *u = &job->url;
        unsigned number;
        int fd, flags;

        assert_on_worker();
        tls_forget_errors();
        job->mysql = mysql_init(NULL);
        if (!job->mysql)
                return error_set(err, ERR_SYSTEM, "libmariadb: out of memory");
        set_options(job->mysql, job);
        if (!mysql_real_connect(job->mysql, u->unix_socket ? NULL : u->host, u->user, u->password,
                                u->database, u->unix_socket ? 0 : u->port, u->unix_socket,
                                CLIENT_FOUND_ROWS)) {
                number = mysql_errno(job->mysql);
                error_set(err, db_number_is_loss(number) ? ERR_DB_LOST : ERR_DB, "%s (%u)",
                          mysql_error(job->mysql), number);
                err->sys = (int)number;
                return -1;
        }
        if (u->tls && !mysql_get_ssl_cipher(job->mysql))
                return error_set(err, ERR_DB, "the server does not speak TLS");
        fd = (int)mysql_get_socket(job->mysql);
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return error_system(err, errno, "making the socket non-blocking");
        mysql_optionsv(job->mysql, MARIADB_OPT_IO_WAIT, io_wait);
        return 0;
}

static void connect_drop(struct tpool_job *base)
{
        struct connect_job *job = CONTAINER_OF(base, struct connect_job, base);

        mysql_close(job->mysql); /* NULL is allowed; nobody waits: io_wait() does not know it */
        db_url_free(&job->url);
        free(job->init_command);
        free(job->peer);
        free(job);
}

static const struct tpool_ops connect_ops = { .name = "mysql_real_connect",
                                              .run = connect_run,
                                              .drop = connect_drop };

static struct db_url url_copy(const struct db_url *u)
{
        struct db_url copy = *u;

        copy.user = xstrdup(u->user);
        copy.password = xstrdup(u->password);
        copy.host = xstrdup(u->host);
        copy.database = xstrdup(u->database);
        copy.unix_socket = xstrdup(u->unix_socket);
        copy.charset = xstrdup(u->charset);
        copy.ssl_ca = xstrdup(u->ssl_ca);
        copy.ssl_capath = xstrdup(u->ssl_capath);
        copy.ssl_cert = xstrdup(u->ssl_cert);
        copy.ssl_key = xstrdup(u->ssl_key);
        copy.ssl_cipher = xstrdup(u->ssl_cipher);
        return copy;
}

static MYSQL *YIELDS connect_in_tpool(struct db_pool *p, struct deadline by, struct error *err)
{
        struct connect_job *job = NEW(struct connect_job);
        struct deadline mine = deadline_in_s(p->connect_timeout_s);
        MYSQL *mysql = NULL;

        job->base.ops = &connect_ops;
        snprintf(job->base.what, sizeof(job->base.what), "%.63s", p->peer);
        job->url = url_copy(&p->url);
        job->init_command = xstrdup(p->init_command);
        job->timeout_s = (unsigned)p->connect_timeout_s + 1; /* the pool gives up first */
        if (tpool_call(p->tpool, &job->base, deadline_earlier(by, mine), err) == 0)
                mysql = take_ptr(&job->mysql);
        tpool_job_done(&job->base);
        if (!mysql && err->code == ERR_TIMEOUT && !deadline_passed(by)) /* ours, not the caller's */
                error_set(err, ERR_DB_LOST, "no answer within %g s", p->connect_timeout_s);
        return mysql;
}

struct db_conn *conn_open(struct db_pool *p, struct deadline by, struct error *err)
{
        struct db_conn *c = NEW(struct db_conn);

        c->pool = p;
        c->fd = -1;
        c->of_url = p->url_count;
        list_init(&c->link);
        list_init(&c->stmts);
        conn_set_state(c, CONN_CONNECTING);
        c->mysql = connect_in_tpool(p, by, err);
        if (!c->mysql) {
                error_while(err, "connecting to %s", p->peer);
                conn_set_state(c, CONN_CLOSED);
                free(c);
                return NULL;
        }
        c->fd = (int)mysql_get_socket(c->mysql);
        c->tls = mysql_get_ssl_cipher(c->mysql) != NULL;
        c->born_ns = clock_now_ns();
        io_wait_register(c);
        snprintf(p->server_version, sizeof(p->server_version), "%s", mysql_get_server_info(c->mysql));
        conn_set_state(c, CONN_LENT);
        return c;
}

void conn_close(struct db_conn *c)
{
        int fd =
                (int)mysql_get_socket(c->mysql); /* -1: libmariadb closed it; c->fd may be another's by now */

        if (c->state == CONN_BROKEN && fd >= 0)
                shutdown(fd, SHUT_RDWR); /* no farewell: the server may be in the middle of something */
        conn_set_state(c, CONN_CLOSED);
        if (fd >= 0)
                green_forget_fd(fd);
        mysql_close(c->mysql);
        io_wait_forget(c);
        stmts_free(c);
        free(c);
}

bool conn_is_stale(struct db_conn *c)
{
        struct pollfd p = { .fd = c->fd, .events = POLLIN | POLLRDHUP };

        return patcher_original(poll)(&p, 1, 0) != 0;
}

/* ---- around each exchange ---- */

int conn_begin(struct db_conn *c, struct deadline by, struct error *err)
{
        if (c->busy || (c->state != CONN_LENT && c->state != CONN_BROKEN)) {
                fprintf(stderr, "lib/mysql: a connection that is %s is used by two\n",
                        c->busy ? "busy" : conn_state_name(c->state));
                abort();
        }
        if (c->state == CONN_BROKEN)
                return error_set(err, ERR_DB_LOST, "the connection to %s was lost before", c->pool->peer);
        if (deadline_passed(by))
                return error_set(err, ERR_TIMEOUT, "no time left for the database");
        c->busy = true;
        c->by = by;
        c->began_ns = clock_now_ns();
        c->sent = false;
        c->wait_err = (struct error){};
        c->retry_ms = IO_RETRY_FIRST_MS;
        c->pool->queries++;
        if (c->tls)
                tls_forget_errors();
        return 0;
}

void conn_end(struct db_conn *c)
{
        c->busy = false;
        histogram_add(&c->pool->times, clock_now_ns() - c->began_ns);
}

void conn_break(struct db_conn *c, const struct error *why)
{
        if (c->state == CONN_BROKEN)
                return;
        snprintf(c->pool->last_error, sizeof(c->pool->last_error), "%.255s", why->text);
        c->pool->lost = true;
        conn_set_state(c, CONN_BROKEN);
}

int conn_fail(struct db_conn *c, unsigned number, const char *text, struct error *err)
{
        c->pool->errors++;
        if (c->wait_err.code) {
                *err = c->wait_err;
                error_while(err, "waiting for the database");
        } else {
                error_set(err, db_number_is_loss(number) ? ERR_DB_LOST : ERR_DB, "%s (%u)", text, number);
                err->sys = (int)number;
        }
        if (err->code != ERR_DB)
                conn_break(c, err);
        return -1;
}

int conn_simple(struct db_conn *c, const char *sql, struct deadline by, struct error *err)
{
        int r = 0;

        if (conn_begin(c, by, err) < 0)
                return -1;
        if (mysql_real_query(c->mysql, sql, strlen(sql)))
                r = conn_fail(c, mysql_errno(c->mysql), mysql_error(c->mysql), err);
        conn_end(c);
        return r;
}
