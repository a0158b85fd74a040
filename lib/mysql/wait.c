/*
 * lib/mysql/wait.c: where libmariadb would poll, the green thread parks instead.
 *
 * MARIADB_OPT_IO_WAIT hands us a descriptor and nothing else, so a table finds the connection and with it the
 * deadline of the call under way. The timeouts handed in are ignored: they are seconds passed for
 * milliseconds in one place, and 0 for "no limit" in another (design 7).
 *
 * With TLS the direction handed in is wrong when a write is held up: it says "read" there too. Waiting for
 * both directions would spin, since a socket is nearly always writable. So: when the socket is writable at
 * this moment, a read is what is waited for, as long as nothing came in between; the guess is trusted for a
 * moment only and then libmariadb is let to try again. A wrong guess costs that moment, it cannot hang.
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/original.h"
#include "mysql/mysql_priv.h"

/* By descriptor. Belongs to the hub's native thread: connections are used there only. */
static _Thread_local struct {
        struct db_conn **conns;
        size_t size;
} by_fd;

void io_wait_register(struct db_conn *c)
{
        size_t fd = (size_t)c->fd;

        if (fd >= by_fd.size) {
                size_t size = fd + 64;

                by_fd.conns = xrealloc(by_fd.conns, size * sizeof(by_fd.conns[0]));
                for (size_t i = by_fd.size; i < size; i++)
                        by_fd.conns[i] = NULL;
                by_fd.size = size;
        }
        by_fd.conns[fd] = c;
        green_forget_fd(c->fd); /* made by a worker: the number may have had another life here */
}

void io_wait_forget(struct db_conn *c)
{
        size_t left = 0;

        if (c->fd < 0 || (size_t)c->fd >= by_fd.size || by_fd.conns[c->fd] != c)
                return;
        by_fd.conns[c->fd] = NULL;
        for (size_t i = 0; i < by_fd.size; i++)
                left += by_fd.conns[i] != NULL;
        if (!left) {
                free(by_fd.conns);
                by_fd.conns = NULL;
                by_fd.size = 0;
        }
}

void tls_forget_errors(void)
{
        static void (*_Atomic clear)(void);
        static atomic_bool looked;

        /* libmariadb brings OpenSSL with it; one that was built with another TLS library has no such
         * function. */
        if (!atomic_load(&looked)) {
                atomic_store(&clear, (void (*)(void))dlsym(RTLD_DEFAULT, "ERR_clear_error"));
                atomic_store(&looked, true);
        }
        if (atomic_load(&clear))
                atomic_load (&clear)();
}

static bool writable_now(int fd)
{
        struct pollfd p = { .fd = fd, .events = POLLOUT };

        return patcher_original(poll)(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static int YIELDS wait_tls(struct db_conn *c, struct error *err)
{
        struct deadline retry;
        int r;

        if (!writable_now(c->fd))
                return green_wait_fd(c->fd, GREEN_READ | GREEN_WRITE | GREEN_KEPT, c->by, err);
        retry = deadline_in_ms(c->retry_ms);
        r = green_wait_fd(c->fd, GREEN_READ | GREEN_KEPT, deadline_earlier(c->by, retry), err);
        if (r < 0 && err->code == ERR_TIMEOUT && !deadline_passed(c->by)) {
                *err = (struct error){};
                if (c->retry_ms < IO_RETRY_MOST_MS)
                        c->retry_ms *= 2;
                return 1;
        }
        return r;
}

int io_wait(my_socket fd, my_bool is_read, int timeout)
{
        struct db_conn *c = (size_t)fd < by_fd.size ? by_fd.conns[fd] : NULL;
        int r;

        (void)timeout;
        /* Closing, also by db_pool_put(), which must not wait; and whatever was given up already. */
        if (!c || !c->busy || c->wait_err.code)
                return 0;
        assert_green();
        if (c->tls) {
                r = wait_tls(c, &c->wait_err);
                tls_forget_errors();
        } else {
                r = green_wait_fd(fd, (is_read ? GREEN_READ : GREEN_WRITE) | GREEN_KEPT, c->by, &c->wait_err);
        }
        return r > 0;
}
