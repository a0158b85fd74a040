"""The picture: what each costs relative to the best of the peers, drawn by gnuplot as SVG."""
import subprocess

from works import FLOOR, OURS, PEERS

STYLES = {  # gnuplot's point type, size, colour
    OURS: (7, 1.4, '#c00000'),
    FLOOR: (2, 0.9, '#404040'),
}
OTHERS = [(5, '#1f77b4'), (9, '#2ca02c'), (11, '#9467bd'), (13, '#8c564b'), (4, '#7f7f7f'), (6, '#e08000')]


def style(peer, number):
    if peer in STYLES:
        return 'pt %d ps %.1f lc rgb "%s"' % STYLES[peer]
    kind, colour = OTHERS[number % len(OTHERS)]
    return 'pt %d ps 0.9 lc rgb "%s"' % (kind, colour)


def script(rows):
    """One line for each work, one point for each peer; 1 is the best peer."""
    shown = [row for row in rows if row.metric.picture and row.best]
    data, plots, others = [], [], 0
    for peer in sorted(PEERS, key=lambda peer: peer.name == OURS):   # ours on top of the others
        points = []
        for place, row in enumerate(reversed(shown)):
            value = row.figures.median(row.metric.name, peer.name)
            if value and value > 0:
                points.append('%.4g %d' % (value / row.peers[row.best], place))
        if points:
            data.append('$%s << END\n%s\nEND' % (peer.name, '\n'.join(points)))
            plots.append('$%s using 1:2 with points %s title "%s"' % (peer.name, style(peer.name, others), peer.title))
            others += peer.name not in STYLES
    names = ', '.join('"%s" %d' % (row.metric.title.replace('"', "'").replace('`', ''), place)
                      for place, row in enumerate(reversed(shown)))
    return '\n'.join(data + [
        'set terminal svg size 960,%d font "sans-serif,12" background "white"' % (150 + 28 * len(shown)),
        'set encoding utf8', 'set termoption noenhanced',
        'set title "Cost relative to the best other runtime (1; further left is better)"',
        'set logscale x', 'set format x "%g"', 'set ytics (%s)' % names,
        'set yrange [-0.5:%d.5]' % (len(shown) - 1), 'set grid xtics ytics lt 1 lc rgb "#d8d8d8"', 'set border 1',
        'set xrange [0.05:*]', 'set bmargin 6',
        'set tics nomirror', 'set key at screen 0.55,0.01 bottom center horizontal maxcols 4', 'set arrow from 1,graph 0 to 1,graph 1 nohead lc rgb "#888888"',
        'plot ' + ', \\\n'.join(plots), ''])


def draw(rows, path):
    if not any(row.metric.picture and row.best for row in rows):
        raise SystemExit('run: nothing to draw: no other runtime was measured')
    with open(path, 'wb') as out:
        subprocess.run(['gnuplot', '-'], input=script(rows).encode(), stdout=out, check=True)
