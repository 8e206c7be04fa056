"""Learning curves as an SVG picture: one panel a cache, one below the other, so that it stays legible on a telephone. Colours and
backgrounds follow the reader's light or dark scheme."""

import html
import math

WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 390, 300, 50, 12, 30, 42
LEGEND = 88
# Okabe and Ito 2008, told apart by colour-blind readers; the dark ones are lightened for dark pages. Markers differ as well.
LINES = {
    "train": ("#6b6b6b", "#b5b5b5", "circle"),
    "train --auto": ("#c2410c", "#ff8a4c", "square"),
    "LogisticRegressionCV": ("#0067a5", "#62b5f0", "triangle"),
    "linear SVM": ("#00795c", "#3ecfa5", "diamond"),
    "k-NN": ("#9c3f7d", "#e59bcb", "cross"),
    "LDA": ("#7a5c00", "#e5c04b", "bar"),
}
STYLE = """
text{font:12px system-ui,sans-serif;fill:#222}.title{font-weight:600;font-size:13px}.grid{stroke:#ddd}.page{fill:#fff}
%s
@media(prefers-color-scheme:dark){text{fill:#e6e6e6}.grid{stroke:#444}.page{fill:#161616}
%s}
"""


def marker(kind, x, y):
    shapes = {
        "circle": "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
        "square": "m-3.5 -3.5h7v7h-7z",
        "triangle": "m0 -4.5l4 7.5h-8z",
        "diamond": "m0 -4.5l4 4.5l-4 4.5l-4 -4.5z",
        "cross": "m-3.5 -3.5l7 7m0 -7l-7 7",
        "bar": "m-4.5 0h9m-4.5 -4.5v9",
    }
    filled = "" if kind in ("cross", "bar") else " f"
    return f"M{x:.1f} {y:.1f}{shapes[kind]}", filled


def colours(place):
    lines = (f".c{i}{{stroke:{LINES[name][place]}}}.c{i}.f{{fill:{LINES[name][place]}}}" for i, name in enumerate(LINES))
    return "".join(lines)


def panel(result, numbers, top):
    points = result["points"]
    ends = [end for line in points.values() for _, m, h in line for end in ((m - h, m + h) if h == h else (m,))]
    low, high = math.floor(10 * max(0, min(ends))) / 10, math.ceil(10 * min(1, max(ends))) / 10
    across, down = WIDTH - LEFT - RIGHT, PANEL - TOP - BOTTOM

    def x(number):
        return LEFT + 12 + (across - 24) * math.log(number / numbers[0]) / max(math.log(numbers[-1] / numbers[0]), 1e-9)

    def y(value):
        return top + TOP + down * (high - min(max(value, low), high)) / max(high - low, 0.1)

    out = [f'<text class="title" x="{LEFT}" y="{top + 18}">{html.escape(result["cache"])}: test accuracy</text>']
    for tick in range(round(10 * low), round(10 * high) + 1):
        at = y(tick / 10)
        out.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{10 * tick} %</text>')
    for number in numbers:
        out.append(f'<text x="{x(number):.1f}" y="{top + PANEL - 24}" text-anchor="middle">{number}</text>')
    middle = LEFT + across / 2
    out.append(f'<text x="{middle}" y="{top + PANEL - 7}" text-anchor="middle">train images a class</text>')
    shown = [name for name in LINES if name in points]
    for place, name in enumerate(shown):
        i = list(LINES).index(name)
        off = 3.2 * (place - (len(shown) - 1) / 2)
        spots = [(x(number) + off, m, h) for number, m, h in points[name]]
        line = " ".join(f"{px:.1f},{y(m):.1f}" for px, m, _ in spots)
        bars = "".join(f"M{px:.1f} {y(m - h):.1f}V{y(m + h):.1f}" for px, m, h in spots if h == h)
        width = 2.6 if name == "train --auto" else 1.4
        out.append(f'<polyline class="c{i}" points="{line}" fill="none" stroke-width="{width}"/>')
        out.append(f'<path class="c{i}" d="{bars}" stroke-opacity=".55"/>')
        for px, m, _ in spots:
            path, filled = marker(LINES[name][2], px, y(m))
            out.append(f'<path class="c{i}{filled}" d="{path}" stroke-width="1.4"/>')
    return out


def legend(names, top):
    out = []
    for place, name in enumerate(names):
        i = list(LINES).index(name)
        px, py = (24, 204)[place % 2], top + 20 + 24 * (place // 2)
        path, filled = marker(LINES[name][2], px + 11, py - 4)
        out.append(f'<path class="c{i}" d="M{px} {py - 4}h22" stroke-width="{2.6 if name == "train --auto" else 1.4}"/>')
        out.append(f'<path class="c{i}{filled}" d="{path}" stroke-width="1.4"/><text x="{px + 28}" y="{py}">{html.escape(name)}</text>')
    return out


def svg(results, numbers):
    """One panel for each of `results`: accuracy against images a class, with intervals."""
    names = [name for name in LINES if name in results[0]["points"]]
    height = len(results) * PANEL + LEGEND
    title = "Test accuracy against the number of train images of each class"
    body = [part for i, result in enumerate(results) for part in panel(result, numbers, i * PANEL)]
    body += legend(names, len(results) * PANEL)
    style = STYLE % (colours(0), colours(1))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
            f'aria-label="{title}"><title>{title}</title><style>{style}</style>'
            f'<rect class="page" width="100%" height="100%"/>' + "\n".join(body) + "</svg>\n")
