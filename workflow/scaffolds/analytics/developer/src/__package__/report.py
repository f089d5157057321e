"""Write the report as one HTML page that needs no other file and runs no script.

Every text is escaped in `cell`, `tag` or `paragraph`; nothing else puts text into the page.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files

import pandas as pd

from . import about
from .figures import Figures, Headline
from .schema import CURRENCY
from .validation import Checked

SHOWN_FINDINGS = 50
Column = tuple[str, str, Callable[[object], str]]


def money(cents: int) -> str:
    """Cents as an amount, such as 1,234.50."""
    return f"{cents / 100:,.2f}"


def count(number: int) -> str:
    """A whole number with commas between thousands."""
    return f"{number:,}"


def percent(share: float) -> str:
    """A share from 0 to 1 in percent, such as 12.3 %."""
    return f"{share:.1%}".replace("%", " %")


def html_page(figures: Figures, checked: Checked, images: dict[str, bytes]) -> str:
    """The whole report."""
    head = figures.headline
    body = [
        header(head),
        key_figures(head),
        section(
            "Revenue by month",
            picture(images["monthly_revenue"], "Bars: revenue of each month; line: mean of three months"),
            fold("Table of all months", month_table(figures.monthly)),
        ),
        section(
            "Categories and regions",
            side_by_side(
                picture(images["categories"], "Bars: revenue and share of each category"),
                picture(images["regions"], "Field per region and category: revenue"),
            ),
            side_by_side(group_table(figures.categories, "category"), group_table(figures.regions, "region")),
        ),
        section("Top products", product_table(figures.products)),
        section(
            "New and returning customers",
            paragraph(
                f"{count(head.returning_customers)} of {count(head.customers)} customers ordered more than once. "
                f"They bring {percent(head.returning_revenue_share)} of the revenue."
            ),
            picture(images["customers"], "Stacked bars: new and returning customers of each month"),
        ),
        section("Data quality", quality(checked)),
    ]
    style = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{tag('title', about.TITLE)}\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + f"\n</main>\n{tag('footer', f'{about.TITLE} {about.VERSION}')}\n</body>\n</html>\n"
    )


def header(head: Headline) -> str:
    """Title, description and goal of the project, and the days that the data cover."""
    span = f"Orders from {head.first_day.date()} to {head.last_day.date()}"
    described = paragraph(about.DESCRIPTION) if about.DESCRIPTION.strip() else ""
    goal = f'<p class="goal"><strong>Goal</strong> {escape(about.GOAL)}</p>'
    return f'<header><p class="span">{escape(span)}</p>{tag("h1", about.TITLE)}{described}{goal}</header>'


def key_figures(head: Headline) -> str:
    """The headline figures as tiles."""
    growth = "less than two years of data"
    if head.growth is not None:
        growth = f"{'+' if head.growth >= 0 else ''}{percent(head.growth)} in a year"
    best = f"best month: {head.best_month.strftime('%B %Y')}"
    tiles = [
        (f"Revenue ({CURRENCY})", money(head.revenue_cents), growth),
        ("Orders", count(head.orders), f"{count(head.units)} units"),
        (f"Average order ({CURRENCY})", money(head.average_order_cents), best),
        ("Returning customers", percent(head.returning_share), f"of {count(head.customers)} customers"),
    ]
    made = (
        f'<div class="tile"><dt>{escape(name)}</dt><dd class="figure">{escape(figure)}</dd>'
        f"<dd>{escape(note)}</dd></div>"
        for name, figure, note in tiles
    )
    return f'<dl class="tiles">{"".join(made)}</dl>'


def month_table(monthly: pd.DataFrame) -> str:
    """One line per month."""
    columns: list[Column] = [
        ("month", "Month", str),
        ("revenue_cents", f"Revenue ({CURRENCY})", money),
        ("orders", "Orders", count),
        ("new_customers", "New customers", count),
        ("returning_customers", "Returning customers", count),
    ]
    return table(monthly.reset_index(), columns)


def group_table(groups: pd.DataFrame, column: str) -> str:
    """One line per group of `column`."""
    return table(groups, [(column, column.capitalize(), str), *REVENUE_COLUMNS])


def product_table(products: pd.DataFrame) -> str:
    """One line per product."""
    return table(products, [("product", "Product", str), ("category", "Category", str), *REVENUE_COLUMNS])


REVENUE_COLUMNS: list[Column] = [
    ("revenue_cents", f"Revenue ({CURRENCY})", money),
    ("share", "Share", percent),
    ("orders", "Orders", count),
    ("units", "Units", count),
]


def quality(checked: Checked) -> str:
    """How many rows were read and rejected, and the bad values by name."""
    rows, findings = checked.rows, checked.findings
    if not findings:
        return paragraph(f"All {count(rows)} rows of the order file are valid.")
    said = paragraph(
        f"Of {count(rows)} rows, {count(len(checked.orders))} are valid and {count(checked.rejected)} rejected. "
        "Rejected rows are in no figure; rejects.csv lists every bad value."
    )
    shown = pd.DataFrame(findings[:SHOWN_FINDINGS])
    columns: list[Column] = [(name, name.capitalize(), str) for name in ("file", "row", "column", "value", "reason")]
    listed = table(shown, columns)
    more = len(findings) - SHOWN_FINDINGS
    return said + listed + (paragraph(f"{count(more)} more are in rejects.csv.") if more > 0 else "")


def table(rows: pd.DataFrame, columns: Sequence[Column]) -> str:
    """An HTML table; each column is (name in `rows`, heading, how to show a value)."""
    numeric = [pd.api.types.is_numeric_dtype(rows[name]) for name, _, _ in columns]
    heads = "".join(cell("th", heading, right) for (_, heading, _), right in zip(columns, numeric, strict=True))
    names = [name for name, _, _ in columns]
    lines = []
    for values in rows[names].itertuples(index=False):
        cells = zip(values, columns, numeric, strict=True)
        lines.append("".join(cell("td", show(value), right) for value, (_, _, show), right in cells))
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="scroll"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def cell(name: str, text: str, right: bool) -> str:
    """A cell of a table with its text escaped; numbers stand at the right."""
    mark = ' class="number"' if right else ""
    return f"<{name}{mark}>{escape(text)}</{name}>"


def tag(name: str, text: str) -> str:
    """An element with its text escaped."""
    return f"<{name}>{escape(text)}</{name}>"


def paragraph(text: str) -> str:
    """A paragraph with its text escaped."""
    return tag("p", text)


def section(heading: str, *parts: str) -> str:
    """A part of the page under a heading."""
    return f"<section>{tag('h2', heading)}\n{join(parts)}\n</section>"


def side_by_side(*parts: str) -> str:
    """Parts next to each other where the window is wide enough."""
    return f'<div class="pair">{join(f"<div>{part}</div>" for part in parts)}</div>'


def fold(label: str, content: str) -> str:
    """Content that opens at a click."""
    return f"<details>{tag('summary', label)}\n{content}</details>"


def picture(image: bytes, meaning: str) -> str:
    """A PNG image inside the page, with its meaning for those who cannot see it."""
    return f'<img alt="{escape(meaning)}" src="data:image/png;base64,{base64.b64encode(image).decode()}">'


def join(parts: Iterable[str]) -> str:
    """Parts one below the other in the source of the page."""
    return "\n".join(parts)
