/*
 * lib/http/lane.c: libcurl's multi interface, driven by the green thread that made the request.
 *
 * libcurl tells which descriptors it waits for and when it wants to be called at the latest; the green thread
 * waits for just that. Giving up is leaving the loop: removing the handle closes a half-finished connection.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "http/http_priv.h"

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
        struct lane *l = arg;
        unsigned i = 0;

        assert_on_hub();
        (void)easy, (void)socket_arg;
        while (i < l->n_fds && l->fds[i].fd != fd)
                i++;
        if (what == CURL_POLL_REMOVE) {
                if (i < l->n_fds)
                        l->fds[i] = l->fds[--l->n_fds];
                return 0;
        }
        if (i == LANE_FDS_MAX)
                return -1;
        if (i == l->n_fds)
                l->n_fds++;
        l->fds[i] = (struct green_pollfd){ .fd = fd,
                                           .events = (what & CURL_POLL_IN ? GREEN_READ : 0U) |
                                                     (what & CURL_POLL_OUT ? GREEN_WRITE : 0U) };
        return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
        struct lane *l = arg;

        assert_on_hub();
        (void)multi;
        l->timer = ms < 0 ? deadline_never() : deadline_in_ms(ms);
        return 0;
}

struct lane *lane_new(struct error *err)
{
        struct lane *l = NEW(struct lane);

        list_init(&l->link);
        l->timer = deadline_never();
        l->multi = curl_multi_init();
        l->easy = curl_easy_init();
        if (!l->multi || !l->easy) {
                lane_free(l);
                error_set(err, ERR_LIMIT, "no memory for an HTTP request");
                return NULL;
        }
        curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
        curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, on_timer);
        curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
        curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, 4L);
        return l;
}

void lane_free(struct lane *l)
{
        if (!l)
                return;
        curl_easy_cleanup(l->easy);
        curl_multi_cleanup(l->multi);
        free(l);
}

static int HUB_ONLY act(struct lane *l, curl_socket_t fd, int mask, int *ret_running, struct error *err)
{
        CURLMcode code = curl_multi_socket_action(l->multi, fd, mask, ret_running);

        if (code == CURLM_OK)
                return 0;
        return error_set(err, ERR_PROTOCOL, "libcurl: %s", curl_multi_strerror(code));
}

/* Until something happened or `until`. How many of l->fds are ready. */
static int YIELDS wait_until(struct lane *l, struct deadline until, struct error *err)
{
        int n;

        if (l->n_fds == 0)
                return green_sleep_until(until, err);
        n = green_wait_fds(l->fds, l->n_fds, until, err);
        return n < 0 && err->code == ERR_TIMEOUT ? 0 : n;
}

static int HUB_ONLY serve_ready(struct lane *l, int *ret_running, struct error *err)
{
        struct green_pollfd ready[LANE_FDS_MAX];
        unsigned n = l->n_fds;

        /* A copy: libcurl changes what it waits for while it is served. */
        for (unsigned i = 0; i < n; i++)
                ready[i] = l->fds[i];
        for (unsigned i = 0; i < n; i++) {
                int mask = (ready[i].revents & GREEN_READ ? CURL_CSELECT_IN : 0) |
                           (ready[i].revents & GREEN_WRITE ? CURL_CSELECT_OUT : 0);

                if (mask && act(l, ready[i].fd, mask, ret_running, err) < 0)
                        return -1;
        }
        return 0;
}

static int YIELDS step(struct lane *l, const struct lane_call *call, struct deadline *idle, int *ret_running,
                       struct error *err)
{
        int ready = wait_until(l, deadline_earlier(deadline_earlier(l->timer, call->by), *idle), err);

        if (ready < 0)
                return -1;
        *err = (struct error){};
        if (ready > 0) {
                *idle = deadline_in_s(call->idle_s);
                if (serve_ready(l, ret_running, err) < 0)
                        return -1;
        } else if (deadline_passed(call->by)) {
                return error_set(err, ERR_TIMEOUT, "no complete answer in time");
        } else if (deadline_passed(*idle)) {
                return error_set(err, ERR_TIMEOUT, "nothing moved for %.0f s", call->idle_s);
        }
        if (*ret_running && deadline_passed(l->timer)) {
                l->timer = deadline_never();
                return act(l, CURL_SOCKET_TIMEOUT, 0, ret_running, err);
        }
        return 0;
}

static int YIELDS steps(struct lane *l, const struct lane_call *call, struct error *err)
{
        struct deadline idle = deadline_in_s(call->idle_s);
        int running = 1;

        while (running) {
                if (deadline_passed(call->by))
                        return error_set(err, ERR_TIMEOUT, "no complete answer in time");
                if (step(l, call, &idle, &running, err) < 0)
                        return -1;
                if (call->between(call->arg, err) < 0)
                        return -1;
        }
        return 0;
}

static CURLcode result_of(struct lane *l)
{
        CURLcode code = CURLE_GOT_NOTHING;
        CURLMsg *msg;
        int left;

        while ((msg = curl_multi_info_read(l->multi, &left)))
                if (msg->msg == CURLMSG_DONE && msg->easy_handle == l->easy)
                        code = msg->data.result;
        return code;
}

int lane_run(struct lane *l, const struct lane_call *call, CURLcode *ret_code, struct error *err)
{
        CURLMcode added;
        int r;

        added = curl_multi_add_handle(l->multi, l->easy);
        if (added != CURLM_OK)
                return error_set(err, ERR_PROTOCOL, "libcurl: %s", curl_multi_strerror(added));
        r = steps(l, call, err);
        if (r == 0)
                *ret_code = result_of(l);
        curl_multi_remove_handle(l->multi, l->easy);
        return r;
}
