"""What a test tells: one line per thing it looked at, and the agent's log when something was not so."""
import contextlib
import sys


class Report:
    def __init__(self):
        self.mistakes = 0

    def check(self, what, true, *details):
        if true:
            print('ok: ' + what, flush=True)
            return True
        print('NOT OK: ' + what, flush=True)
        for line in details:
            print('    %s' % (line,), flush=True)
        self.mistakes += 1
        return False

    def same(self, what, differences, meant, step):
        """No difference but the meant ones."""
        left = [d for d in differences if not any([m.covers(step, d) for m in meant])]
        self.check(what, not left, *left)

    def all_met(self, what, meant):
        late = [m for m in meant if m.missing]
        self.check(what, not late, *('does not occur any more: %s in %s (%s)'
                                     % (m.where.pattern, ', '.join(sorted(m.missing)), m.reason) for m in late))

    @contextlib.contextmanager
    def to_the_end_of(self, world):
        """Whatever happens in it, the world is closed and the program exits with what was found."""
        try:
            yield
        except AssertionError as e:
            self.check(str(e), False)
        finally:
            log = world.log()
            world.close()
        if self.mistakes:
            print('---- the end of the log of the agent')
            print('\n'.join(log.splitlines()[-60:]))
        sys.exit(1 if self.mistakes else 0)
