"""The comparison as a picture: one panel a figure, one bar a contestant."""

import html

from contestants import Contestant
from figures import FIGURES, Figure, Results
from report import number

COLUMNS = 3
PANEL = 300  # px wide
LABEL = 112  # of that, for the name
VALUE = 62  # and for the number
BAR, GAP = 15, 5
HEAD = 42
MARGIN = 20
TOP = 62

INK, FAINT = "#1f2328", "#59636e"
OURS, TLS, PLAINTEXT = "#0969da", "#8c959f", "#c9a227"


def text(x: float, y: float, words: str, size: int = 12, colour: str = INK, more: str = "") -> str:
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{colour}"{more}>'
            f"{html.escape(words)}</text>")


def colour(who: Contestant) -> str:
    return OURS if who.ours else TLS if who.tls else PLAINTEXT


def panel(results: Results, figure: Figure, left: float, top: float) -> "list[str]":
    medians = [results.median(who.name, figure) for who in results.who]
    most = max((median for median in medians if median is not None), default=0)
    room = PANEL - LABEL - VALUE
    better = "more is better" if figure.more_is_better else "less is better"
    drawn = [text(left, top + 14, f"{figure.title}: {figure.unit}", 13, more=' font-weight="600"'),
             text(left, top + 30, better, 11, FAINT)]
    for i, (who, median) in enumerate(zip(results.who, medians)):
        y = top + HEAD + i * (BAR + GAP)
        drawn.append(text(left + LABEL - 6, y + BAR - 3, who.title, 11,
                          more=' text-anchor="end"'))
        if median is None:
            drawn.append(text(left + LABEL, y + BAR - 3, "not measured", 11, FAINT))
            continue
        width = max(1.0, room * median / most) if most > 0 else 1.0
        drawn.append(f'<rect x="{left + LABEL:.0f}" y="{y:.0f}" width="{width:.1f}"'
                     f' height="{BAR}" rx="2" fill="{colour(who)}"/>')
        drawn.append(text(left + LABEL + width + 5, y + BAR - 3, number(median, figure.digits),
                          11))
    return drawn


def svg(results: Results, words: "list[str]") -> str:
    """`words`: the title, and what it stands on."""
    figures = [figure for figure in FIGURES if figure.chart
               and any(results.values(who.name, figure) for who in results.who)]
    height = HEAD + len(results.who) * (BAR + GAP) + MARGIN
    rows = -(-len(figures) // COLUMNS)
    width = COLUMNS * (PANEL + MARGIN) + MARGIN
    whole = TOP + rows * height + MARGIN
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{whole}"'
        f' viewBox="0 0 {width} {whole}" role="img"'
        ' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
        f"<title>{html.escape(words[0])}</title>",
        f'<rect width="{width}" height="{whole}" fill="#ffffff"/>',
        text(MARGIN, 28, words[0], 17, more=' font-weight="600"'),
        text(MARGIN, 47, " ".join(words[1:]), 11, FAINT),
    ]
    for i, figure in enumerate(figures):
        drawn += panel(results, figure, MARGIN + i % COLUMNS * (PANEL + MARGIN),
                       TOP + i // COLUMNS * height)
    return "\n".join([*drawn, "</svg>"]) + "\n"
