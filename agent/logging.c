/* agent/logging.c: from settings to the options of lib/base/log.h. */
#include "logging.h"

#include <string.h>

#define LOG_MODULE "agent"
#include "base/log.h"
#include "log_journal.h"

static struct log_limits limits_of(const struct conf *c)
{
        struct log_limits l = {
                .repeat_s = (unsigned)c->log_repeat_interval,
                .rate_limit_interval = (unsigned)c->rate_limit_interval,
                .rate_limit_burst = (unsigned)c->rate_limit_burst,
                .rate_limit_except = LOG_CRITICAL + 1,
        };

        if (*c->rate_limit_except_level)
                log_level_parse(c->rate_limit_except_level, &l.rate_limit_except);
        return l;
}

/* Where lines go: a file that is named comes first. */
static int choose_sink(const char *file, const struct conf *c, struct log_options *log, struct error *err)
{
        bool always = strcmp(c->use_journal, "true") == 0;

        log->file = *file ? file : NULL;
        if (log->file || strcmp(c->use_journal, "false") == 0)
                return 0;
        if (always && !log_journal_is_there())
                return error_set(err, ERR_INVALID,
                                 "use_journal is true, but there is no journal on this machine");
        if (always || log_journal_is_stderr())
                log->sink = log_journal_write;
        return 0;
}

int logging_start(const struct options *opt, const struct conf *c, struct error *err)
{
        struct log_options log = { .level = LOG_INFO, .limits = limits_of(c) };

        if (opt->has_log_level)
                log.level = opt->log_level;
        else
                log_level_parse(c->debug ? "debug" : c->log_level, &log.level);
        if (choose_sink(opt->log_file ? opt->log_file : c->log_file, c, &log, err) < 0 ||
            log_set_module_levels(c->default_log_levels, err) < 0)
                return -1;
        return log_start(&log, err);
}

void logging_follow_settings(const struct conf *c)
{
        struct log_limits l = limits_of(c);

        log_set_limits(&l);
}
