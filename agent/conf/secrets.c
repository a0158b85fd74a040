/*
 * agent/conf/secrets.c: secrets that do not stand in the configuration itself.
 *
 * A secret KEY may be in a file that KEY_file names, or in a credential of the service manager
 * (LoadCredential= of systemd, which shows it as a file of $CREDENTIALS_DIRECTORY). Whichever it is, there
 * is only one: of two nobody could say which is meant. All are read anew at each reload, although systemd
 * itself reads what a credential is made of only when it starts the service.
 */
#include "conf/conf_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define SECRET_MAX (64 * 1024)

const struct setting *secret_file_of(const struct setting *s)
{
        char key[80];

        if (!(s->flags & SETTING_SECRET))
                return NULL;
        snprintf(key, sizeof(key), "%s_file", s->key);
        return setting_find(s->section, key);
}

const char *secret_credential(const struct setting *s, char *buf, size_t size)
{
        snprintf(buf, size, "compute-agent.%s%s%s", s->section, *s->section ? "." : "", s->key);
        return buf;
}

/* What stands in the file, without the end of its line. err has no name of the file. */
static int read_secret(const char *path, struct strbuf *text, mode_t *ret_mode, struct error *err)
{
        CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_system(err, errno, "cannot be opened");
        *ret_mode = st.st_mode & 0777;
        if (conf_read_text(fd, SECRET_MAX, text, err) < 0)
                return -1;
        while (text->len > 0 && strchr("\r\n", text->data[text->len - 1]))
                strbuf_truncate(text, text->len - 1);
        if (text->len == 0)
                return error_set(err, ERR_INVALID, "is empty");
        if (strlen(text->data) != text->len)
                return error_set(err, ERR_INVALID, "has a NUL character in it");
        return 0;
}

static void burn(struct strbuf *text)
{
        if (text->data)
                explicit_bzero(text->data, text->len);
        strbuf_free(text);
}

struct reading {
        struct conf *conf;
        const char *credentials; /* their directory, or NULL */
        bool optional;
        struct findings *errors, *notes;
};

/* name: "connection_file", or that of the credential. */
static void take_secret(struct reading *r, const struct setting *s, const char *name, const char *path,
                        const struct conf_place *where)
{
        struct strbuf text = {};
        struct error err = {};
        mode_t mode = 0;

        if (read_secret(path, &text, &mode, &err) < 0) {
                finding_at(r->optional ? r->notes : r->errors, where, "%s: %s %s", name, path, err.text);
        } else if (setting_parse(s, text.data, r->conf, &err) < 0) {
                finding_at(r->errors, where, "%s: what stands in %s %s", name, path, err.text);
        } else if (where->origin == ORIGIN_SECRET && (mode & S_IWOTH)) {
                finding_at(r->errors, where, "%s: %s may be written by everyone (mode %03o)", name, path,
                           mode);
        } else {
                r->conf->places[s - settings] = *where;
                if (where->origin == ORIGIN_SECRET && (mode & S_IROTH))
                        finding_at(r->notes, where, "%s: %s is readable by everyone (mode %03o)", name, path,
                                   mode);
        }
        burn(&text);
}

static void read_one(struct reading *r, const struct setting *s, const struct setting *file)
{
        const struct conf_place *here = &r->conf->places[s - settings];
        struct conf_place there = r->conf->places[file - settings];
        const char *path = *setting_text(file, r->conf);
        CLEANUP(freep) char *credential = NULL;
        bool written = here->origin == ORIGIN_FILE && **setting_text(s, r->conf);
        char name[128];

        secret_credential(s, name, sizeof(name));
        if (r->credentials)
                credential = xasprintf("%s/%s", r->credentials, name);
        if (credential && access(credential, F_OK) < 0 && errno == ENOENT)
                free(take_ptr(&credential));
        if (written + (*path != '\0') + (credential != NULL) > 1) {
                finding_at(r->errors, *path ? &there : here, "%s%s%s%s%s exclude one another",
                           written ? s->key : "", written && *path ? " and " : "", *path ? file->key : "",
                           credential ? " and the credential " : "", credential ? name : "");
        } else if (*path) {
                there.origin = ORIGIN_SECRET;
                take_secret(r, s, file->key, path, &there);
        } else if (credential) {
                take_secret(r, s, name, credential, &(struct conf_place){ .origin = ORIGIN_CREDENTIAL });
        }
}

void secrets_read(struct conf *c, bool optional, struct findings *errors, struct findings *notes)
{
        struct reading r = { c, getenv("CREDENTIALS_DIRECTORY"), optional, errors, notes };

        for (const struct setting *s = settings; s->key; s++) {
                const struct setting *file = secret_file_of(s);

                if (file)
                        read_one(&r, s, file);
        }
}
