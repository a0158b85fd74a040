/*
 * lib/messaging/envelope.c: bytes to requests and replies, and back. Pure: tables and fuzzing test it.
 *
 * oslo wraps twice: the body is an object with a version and a text, and the text is the JSON of the message
 * itself. A failure within a reply is once more a text of JSON (nova-contract 1.5).
 */
#include "messaging/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

#define VERSION_KEY    "oslo.version"
#define MESSAGE_KEY    "oslo.message"
#define CONTEXT_PREFIX "_context_"

/* ---- the envelope itself ---- */

static int check_envelope_version(const struct jval *version, struct error *err)
{
        const char *text = jval_text(version, NULL);

        if (!text)
                return error_set(err, ERR_PROTOCOL, VERSION_KEY ": expected text, got %s",
                                 jval_type_name(jval_type(version)));
        if (!rpc_version_compatible("2.0", text))
                return error_set(err, ERR_PROTOCOL, "envelope version %.16s is not understood (2.0 is)",
                                 text);
        return 0;
}

static bool take(const char **at, const char *end, const char *word)
{
        size_t len = strlen(word);

        while (*at < end && **at == ' ')
                ++*at;
        if ((size_t)(end - *at) < len || memcmp(*at, word, len) != 0)
                return false;
        *at += len;
        return true;
}

/* *at is behind the quote that opens a text, then behind the one that closes it. ret has room for all. */
static bool take_text(const char **at, const char *end, char *ret, size_t *ret_len)
{
        static const char short_for[256] = { ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                             ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t' };
        const unsigned char *p = (const unsigned char *)*at, *last = (const unsigned char *)end;
        char *out = ret;

        for (; p < last && *p >= ' '; p++) {
                if (*p == '"') {
                        *at = (const char *)p + 1;
                        *ret_len = (size_t)(out - ret);
                        return true;
                }
                if (*p != '\\')
                        *out++ = (char)*p;
                else if (++p < last && short_for[*p])
                        *out++ = short_for[*p];
                else
                        return false;
        }
        return false;
}

/*
 * The message's text out of an envelope as oslo and this agent write it. The parser takes longer for the one
 * long text of an envelope than for all that is in it. NULL: it is of another form, perhaps a wrong one, and
 * the parser decides. The text is checked for UTF-8 when it is parsed itself. Caller frees.
 */
static char *usual_message(const char *body, size_t len, size_t *ret_len)
{
        const char *at = body, *end = body + len;
        char *text;

        if (!take(&at, end, "{") || !take(&at, end, "\"" VERSION_KEY "\"") || !take(&at, end, ":") ||
            !take(&at, end, "\"2.0\"") || !take(&at, end, ",") || !take(&at, end, "\"" MESSAGE_KEY "\"") ||
            !take(&at, end, ":") || !take(&at, end, "\""))
                return NULL;
        text = malloc((size_t)(end - at) + 1);
        if (text && take_text(&at, end, text, ret_len) && take(&at, end, "}") &&
            (take(&at, end, ""), at == end))
                return text;
        free(text);
        return NULL;
}

static struct jval *parse_message(const char *text, size_t len, struct error *err)
{
        struct jval *v = jval_parse(text, len, err);

        if (!v)
                error_while(err, MESSAGE_KEY);
        return v;
}

/* A body without both keys is the inner message itself. */
static struct jval *open_unusual(const char *body, size_t len, struct error *err)
{
        struct jval CLEANUP(jval_unrefp) *outer = jval_parse(body, len, err);
        struct jval *version, *message;
        const char *text;

        if (!outer)
                return NULL;
        version = jval_get(outer, VERSION_KEY);
        message = jval_get(outer, MESSAGE_KEY);
        if (!version || !message)
                return take_ptr(&outer);
        if (check_envelope_version(version, err) < 0)
                return NULL;
        text = jval_text(message, NULL);
        if (text)
                return parse_message(text, strlen(text), err);
        error_set(err, ERR_PROTOCOL, MESSAGE_KEY ": expected text, got %s",
                  jval_type_name(jval_type(message)));
        return NULL;
}

/* The inner message, owned by the caller. */
static struct jval *open_envelope(const char *body, size_t len, struct error *err)
{
        size_t text_len;
        char CLEANUP(freep) *text = usual_message(body, len, &text_len);
        struct jval *inner = text ? parse_message(text, text_len, err) : open_unusual(body, len, err);

        if (!inner || jval_type(inner) == JVAL_OBJECT)
                return inner;
        error_set(err, ERR_PROTOCOL, "message: expected object, got %s", jval_type_name(jval_type(inner)));
        jval_unref(inner);
        return NULL;
}

/* Takes over message. What is printed has no control characters left that would have to be written otherwise.
 */
static char *close_envelope(struct jval *message, size_t *ret_len)
{
        size_t len;
        char CLEANUP(freep) *text = jval_print(message, &len);
        struct strbuf out = {};
        const char *from = text;

        jval_unref(message);
        strbuf_adds(&out, "{\"" VERSION_KEY "\":\"2.0\",\"" MESSAGE_KEY "\":\"");
        for (const char *p; (p = strpbrk(from, "\"\\")); from = p + 1) {
                const char escaped[2] = { '\\', *p };

                strbuf_add(&out, from, (size_t)(p - from));
                strbuf_add(&out, escaped, 2);
        }
        strbuf_add(&out, from, (size_t)(text + len - from));
        strbuf_adds(&out, "\"}");
        return strbuf_take(&out, ret_len);
}

/* ---- requests ---- */

void rpc_request_free(struct rpc_request *r)
{
        free(r->method);
        free(r->ns);
        free(r->version);
        free(r->unique_id);
        free(r->msg_id);
        free(r->reply_q);
        jval_unref(r->args);
        jval_unref(r->context);
        *r = (struct rpc_request){};
}

/* Text or null or absent. */
static int get_text(const struct jval *message, const char *key, char **ret, struct error *err)
{
        const struct jval *v = jval_get(message, key);

        if (jval_is_null(v))
                return 0;
        if (jval_type(v) != JVAL_TEXT)
                return error_set(err, ERR_PROTOCOL, "%s: expected text, got %s", key,
                                 jval_type_name(jval_type(v)));
        replace_str(ret, jval_text(v, NULL));
        return 0;
}

static int get_timeout(const struct jval *message, int64_t *ret, struct error *err)
{
        const struct jval *v = jval_get(message, "_timeout");
        double seconds;

        if (jval_is_null(v))
                return 0;
        if (jval_type(v) != JVAL_INT && jval_type(v) != JVAL_REAL)
                return error_set(err, ERR_PROTOCOL, "_timeout: expected integer, got %s",
                                 jval_type_name(jval_type(v)));
        seconds = jval_real(v, 0);
        if (seconds < 0 || seconds > 1e9)
                return error_set(err, ERR_PROTOCOL, "_timeout: out of range");
        *ret = (int64_t)seconds;
        return 0;
}

static int get_args(const struct jval *message, struct jval **ret, struct error *err)
{
        struct jval *v = jval_get(message, "args");

        if (jval_is_null(v)) {
                *ret = jval_new_object();
                return 0;
        }
        if (jval_type(v) != JVAL_OBJECT)
                return error_set(err, ERR_PROTOCOL, "args: expected object, got %s",
                                 jval_type_name(jval_type(v)));
        *ret = jval_ref(v);
        return 0;
}

static int collect_context(const char *key, struct jval *v, void *arg)
{
        struct jval *context = arg;
        const size_t prefix = sizeof(CONTEXT_PREFIX) - 1;

        if (strncmp(key, CONTEXT_PREFIX, prefix) == 0)
                jval_set(context, key + prefix, jval_ref(v));
        return 0;
}

/* Whom to answer comes first: a request that is wrong in its other parts can then be answered with that. */
static int read_request(const struct jval *message, struct rpc_request *r, struct error *err)
{
        if (get_text(message, "_msg_id", &r->msg_id, err) < 0 ||
            get_text(message, "_reply_q", &r->reply_q, err) < 0 ||
            get_text(message, "method", &r->method, err) < 0)
                return -1;
        if (!r->method || !r->method[0])
                return error_set(err, ERR_PROTOCOL, "method: missing");
        if (get_text(message, "namespace", &r->ns, err) < 0 ||
            get_text(message, "version", &r->version, err) < 0 ||
            get_text(message, "_unique_id", &r->unique_id, err) < 0 ||
            get_timeout(message, &r->timeout_s, err) < 0 || get_args(message, &r->args, err) < 0)
                return -1;
        if (!r->version)
                r->version = xstrdup("1.0");
        r->context = jval_new_object();
        jval_foreach(message, collect_context, r->context);
        return 0;
}

int envelope_decode_request(const char *body, size_t len, struct rpc_request *ret, struct error *err)
{
        struct jval CLEANUP(jval_unrefp) *message = open_envelope(body, len, err);
        struct rpc_request r = {};

        *ret = (struct rpc_request){};
        if (!message)
                return -1;
        if (read_request(message, &r, err) < 0) {
                ret->msg_id = take_ptr(&r.msg_id);
                ret->reply_q = take_ptr(&r.reply_q);
                rpc_request_free(&r);
                return -1;
        }
        *ret = r;
        return 0;
}

static int add_context(const char *key, struct jval *v, void *arg)
{
        struct jval *message = arg;
        char CLEANUP(freep) *name = xasprintf(CONTEXT_PREFIX "%s", key);

        jval_set(message, name, jval_ref(v));
        return 0;
}

char *envelope_encode_request(const struct rpc_request *r, size_t *ret_len)
{
        struct jval *message = jval_new_object();
        char id[UUID_HEX_LEN + 1];

        jval_set_text(message, "method", r->method);
        jval_set(message, "args", r->args ? jval_ref(r->args) : jval_new_object());
        jval_set_text(message, "version", r->version ? r->version : "1.0");
        if (r->ns)
                jval_set_text(message, "namespace", r->ns);
        if (r->msg_id) {
                jval_set_text(message, "_msg_id", r->msg_id);
                jval_set_text(message, "_reply_q", r->reply_q);
                jval_set(message, "_timeout", r->timeout_s ? jval_new_int(r->timeout_s) : jval_new_null());
        }
        uuid_new_hex(id);
        jval_set_text(message, "_unique_id", r->unique_id ? r->unique_id : id);
        jval_foreach(r->context, add_context, message);
        return close_envelope(message, ret_len);
}

/* ---- replies ---- */

static struct jval *failure_text(const struct rpc_failure *failure)
{
        struct jval CLEANUP(jval_unrefp) *object = jval_new_object();
        struct jval *args = jval_new_array();
        char CLEANUP(freep) *text = NULL;

        jval_set_text(object, "class", failure->class_name);
        jval_set_text(object, "module", failure->module);
        jval_set_text(object, "message", failure->message);
        jval_set(object, "tb", jval_new_array());
        jval_push(args, jval_new_text(failure->message));
        jval_set(object, "args", args);
        jval_set(object, "kwargs", failure->kwargs ? jval_ref(failure->kwargs) : jval_new_object());
        text = jval_print(object, NULL);
        return jval_new_text(text);
}

char *envelope_encode_reply(const char *msg_id, struct jval *result, const struct rpc_failure *failure,
                            bool ending, size_t *ret_len)
{
        struct jval *message = jval_new_object();
        char id[UUID_HEX_LEN + 1];

        uuid_new_hex(id);
        jval_set(message, "result", result && !failure ? jval_ref(result) : jval_new_null());
        jval_set(message, "failure", failure ? failure_text(failure) : jval_new_null());
        jval_set_bool(message, "ending", ending);
        jval_set_text(message, "_msg_id", msg_id);
        jval_set_text(message, "_unique_id", id);
        return close_envelope(message, ret_len);
}

void rpc_reply_free(struct rpc_reply *r)
{
        free(r->msg_id);
        free(r->class_name);
        free(r->module);
        free(r->message);
        jval_unref(r->result);
        jval_unref(r->kwargs);
        *r = (struct rpc_reply){};
}

static int read_failure(const struct jval *v, struct rpc_reply *r, struct error *err)
{
        struct jval CLEANUP(jval_unrefp) *object = NULL;
        const char *text = jval_text(v, NULL);
        struct jval *kwargs;

        if (jval_is_null(v))
                return 0;
        if (!text)
                return error_set(err, ERR_PROTOCOL, "failure: expected text, got %s",
                                 jval_type_name(jval_type(v)));
        object = jval_parse(text, strlen(text), err);
        if (!object)
                return error_while(err, "failure");
        r->failed = true;
        r->class_name = xstrdup(jval_get_text(object, "class", "Exception"));
        r->module = xstrdup(jval_get_text(object, "module", ""));
        text = jval_text(jval_at(jval_get(object, "args"), 0), "");
        r->message = xstrdup(jval_get_text(object, "message", text));
        kwargs = jval_get(object, "kwargs");
        r->kwargs = jval_type(kwargs) == JVAL_OBJECT ? jval_ref(kwargs) : jval_new_object();
        return 0;
}

static int read_reply(const struct jval *message, struct rpc_reply *r, struct error *err)
{
        const struct jval *ending = jval_get(message, "ending");

        if (get_text(message, "_msg_id", &r->msg_id, err) < 0)
                return -1;
        if (!r->msg_id)
                return error_set(err, ERR_PROTOCOL, "_msg_id: missing");
        if (!jval_is_null(ending) && jval_type(ending) != JVAL_BOOL)
                return error_set(err, ERR_PROTOCOL, "ending: expected boolean, got %s",
                                 jval_type_name(jval_type(ending)));
        r->ending = jval_bool(ending, false);
        r->result = jval_ref(jval_get(message, "result"));
        return read_failure(jval_get(message, "failure"), r, err);
}

int envelope_decode_reply(const char *body, size_t len, struct rpc_reply *ret, struct error *err)
{
        struct jval CLEANUP(jval_unrefp) *message = open_envelope(body, len, err);
        struct rpc_reply r = {};

        if (!message)
                return -1;
        if (read_reply(message, &r, err) < 0) {
                rpc_reply_free(&r);
                return -1;
        }
        *ret = r;
        return 0;
}

/* ---- versions and ids ---- */

/* "6.1" or "6.1.2": at most three numbers. */
static bool parse_version(const char *text, unsigned long parts[3])
{
        parts[0] = parts[1] = parts[2] = 0;
        for (int i = 0; i < 3; i++) {
                int digits = 0;

                for (; *text >= '0' && *text <= '9'; text++) {
                        if (++digits > 6)
                                return false;
                        parts[i] = parts[i] * 10 + (unsigned long)(*text - '0');
                }
                if (!digits)
                        return false;
                if (*text == '\0')
                        return i > 0;
                if (*text++ != '.')
                        return false;
        }
        return false;
}

bool rpc_version_compatible(const char *offered, const char *requested)
{
        unsigned long has[3], wants[3];

        if (!parse_version(offered, has) || !parse_version(requested, wants))
                return false;
        if (has[0] != wants[0] || wants[1] > has[1])
                return false;
        return wants[1] < has[1] || wants[2] <= has[2];
}
