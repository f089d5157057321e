"""Draw the plots of the report as PNG images; the same figures give the same bytes.

The Agg canvas draws them, without pyplot and its global state, so that no display is needed.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from .figures import Figures
from .schema import CURRENCY

INK, MUTED, GRID = "#1f2933", "#5f6c7b", "#e4e7eb"
MONTH_LABELS = 12
ACCENT, SECOND, PALE = "#1f6f78", "#e0a458", "#eaf3f3"
STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.bottom": False,
    "ytick.left": False,
    "legend.frameon": False,
}


def draw(figures: Figures) -> dict[str, bytes]:
    """The PNG image of each plot by its name."""
    return {
        "monthly_revenue": render(monthly_revenue, figures.monthly, (9.6, 3.6)),
        "customers": render(customers, figures.monthly, (9.6, 3.2)),
        "categories": render(categories, figures.categories, (4.7, 3.2)),
        "regions": render(region_categories, figures.region_categories, (4.7, 3.2)),
    }


def render(plot: Callable[[Axes, pd.DataFrame], None], table: pd.DataFrame, size: tuple[float, float]) -> bytes:
    """The image that `plot(axes, table)` draws, `size` in inches."""
    with rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        plot(figure.add_subplot(), table)
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=170, metadata={"Software": None})
    return image.getvalue()


def monthly_revenue(axes: Axes, table: pd.DataFrame) -> None:
    """A bar per month and the mean of three months as a line."""
    revenue = table["revenue_cents"] / 100
    axes.bar(range(len(revenue)), revenue, color=ACCENT, width=0.72, label="Revenue")
    mean = revenue.rolling(3).mean()
    axes.plot(range(len(revenue)), mean, color=SECOND, linewidth=2.2, label="Mean of three months")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylabel(f"{CURRENCY} per month")
    axes.legend(loc="upper left", ncols=2)
    axes.margins(y=0.18)
    label_months(axes, table.index)


def customers(axes: Axes, table: pd.DataFrame) -> None:
    """New and returning customers of each month, stacked."""
    spots, new = range(len(table)), table["new_customers"]
    axes.bar(spots, table["returning_customers"], bottom=new, color=ACCENT, width=0.72, label="Returning")
    axes.bar(spots, new, color=SECOND, width=0.72, label="New")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("Customers with an order")
    axes.legend(loc="upper left", ncols=2)
    axes.margins(y=0.18)
    label_months(axes, table.index)


def categories(axes: Axes, table: pd.DataFrame) -> None:
    """A lying bar per category, the largest on top, with its share."""
    table = table.iloc[::-1]
    bars = axes.barh(table["category"], table["revenue_cents"] / 100, color=ACCENT, height=0.62)
    axes.bar_label(bars, [f"{share:.1%}" for share in table["share"]], padding=5, color=MUTED)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.get_major_locator().set_params(nbins=5)
    axes.set_xlabel(f"Revenue in {CURRENCY}")
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.18)


def region_categories(axes: Axes, table: pd.DataFrame) -> None:
    """A field per region and category, the darker the more revenue."""
    shades = LinearSegmentedColormap.from_list("shades", [PALE, ACCENT])
    axes.imshow(table, cmap=shades, aspect="auto", vmin=0)
    axes.set_xticks([spot + 0.5 for spot in range(table.shape[1])], minor=True)
    axes.set_yticks([spot + 0.5 for spot in range(table.shape[0])], minor=True)
    axes.set_xticks(range(table.shape[1]), table.columns)
    axes.set_yticks(range(table.shape[0]), table.index)
    axes.grid(visible=False)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", bottom=False, left=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(f"Revenue in thousand {CURRENCY}")
    darkest = table.to_numpy().max()
    for row, region in enumerate(table.index):
        for column, category in enumerate(table.columns):
            cents = table.loc[region, category]
            color = "white" if cents > 0.6 * darkest else INK
            axes.text(column, row, f"{cents / 100_000:.1f}", ha="center", va="center", color=color)


def label_months(axes: Axes, months: pd.PeriodIndex) -> None:
    """Name at most about twelve months below the bars, the year below the first and each January named."""
    step = -(-len(months) // MONTH_LABELS)
    spots = range(0, len(months), step)
    names = [months[spot].strftime("%b") for spot in spots]
    years = [months[spot].year for spot in spots]
    for place, year in enumerate(years):
        if place == 0 or year != years[place - 1]:
            names[place] += f"\n{year}"
    axes.set_xticks(list(spots), names)
    axes.set_xlim(-0.6, len(months) - 0.4)
    axes.grid(axis="x", visible=False)
