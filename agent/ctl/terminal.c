/*
 * agent/ctl/terminal.c: the terminal by plain escape codes, which all that are left today understand.
 *
 * While the alternate screen is shown Ctrl-C is a key like others; a signal from elsewhere first gives the
 * terminal back, then ends the program as it would have.
 */
#include "ctl/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "ctl/output.h"
#include "green/green.h"

#define ENTER "\033[?1049h\033[?25l" /* alternate screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"

/* ---- colours, width ---- */

static enum { AUTO, ALWAYS, NEVER } colours = AUTO;

bool terminal_set_colours(const char *when)
{
        static const char *const words[] = { [AUTO] = "auto", [ALWAYS] = "always", [NEVER] = "never" };

        for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
                if (strcmp(words[i], when) != 0)
                        continue;
                colours = i;
                return true;
        }
        return false;
}

static bool is_dumb(void)
{
        const char *term = getenv("TERM");

        return !term || strcmp(term, "dumb") == 0;
}

bool colours_wanted(int fd)
{
        const char *no_color = getenv("NO_COLOR");

        if (colours != AUTO)
                return colours == ALWAYS;
        return isatty(fd) && !(no_color && *no_color) && !is_dumb();
}

unsigned terminal_width(int fd)
{
        struct winsize size;

        return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* ---- the alternate screen ---- */

static struct termios before;
static volatile sig_atomic_t entered;
static int signals = -1;

/* In a handler, too. */
static void give_back(void)
{
        if (!entered)
                return;
        entered = 0;
        if (write(STDOUT_FILENO, LEAVE, strlen(LEAVE)) < 0) {
                /* the terminal is gone: nothing is left to be given back */
        }
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void end_by_signal(int sig)
{
        give_back();
        signal(sig, SIG_DFL);
        raise(sig);
}

bool terminal_is_live(void)
{
        return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !is_dumb();
}

int terminal_enter(struct error *err)
{
        static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGABRT, SIGSEGV };
        struct termios keys;
        sigset_t winch;

        if (tcgetattr(STDIN_FILENO, &before) < 0)
                return error_system(err, errno, "asking the terminal for its settings");
        sigemptyset(&winch);
        sigaddset(&winch, SIGWINCH);
        sigprocmask(SIG_BLOCK, &winch, NULL);
        signals = signalfd(-1, &winch, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signals < 0)
                return error_system(err, errno, "watching the terminal's size");
        for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
                signal(deadly[i], end_by_signal);
        keys = before;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
        entered = 1;
        if (tcsetattr(STDIN_FILENO, TCSANOW, &keys) < 0) {
                entered = 0;
                return error_system(err, errno, "setting the terminal");
        }
        atexit(give_back);
        fputs(ENTER, stdout);
        fflush(stdout);
        return 0;
}

void terminal_leave(void)
{
        give_back();
        closep(&signals);
}

void terminal_size(unsigned *ret_rows, unsigned *ret_columns)
{
        struct winsize size = {};

        *ret_rows = 24;
        *ret_columns = 80;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col) {
                *ret_rows = size.ws_row;
                *ret_columns = size.ws_col;
        }
}

void terminal_draw(const char *text)
{
        struct strbuf CLEANUP(strbuf_free) out = {};
        unsigned rows, columns;

        terminal_size(&rows, &columns);
        strbuf_adds(&out, "\033[H");
        for (unsigned row = 0; row < rows && *text; row++) {
                size_t len = strcspn(text, "\n");
                char CLEANUP(freep) *line = xstrndup(text, len);

                strbuf_adds(&out, row ? "\n" : "");
                add_cut(line, columns, &out);
                strbuf_adds(&out, "\033[K");
                text += len + (text[len] == '\n');
        }
        strbuf_adds(&out, "\033[J");
        fputs(out.data, stdout);
        fflush(stdout);
}

int terminal_key(struct deadline by)
{
        struct green_pollfd fds[] = { { .fd = STDIN_FILENO, .events = GREEN_READ },
                                      { .fd = signals, .events = GREEN_READ } };
        struct signalfd_siginfo info;
        struct error ignored;
        char key;

        if (green_wait_fds(fds, ARRAY_SIZE(fds), by, &ignored) < 0)
                return ignored.code == ERR_TIMEOUT ? 0 : 'q';
        if (fds[1].revents && read(signals, &info, sizeof(info)) < 0)
                return 0;
        if (!fds[0].revents)
                return 0;
        return read(STDIN_FILENO, &key, 1) == 1 ? key : 'q'; /* the terminal was closed */
}
