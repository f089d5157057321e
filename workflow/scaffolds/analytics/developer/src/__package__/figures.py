"""Compute every figure of the report from valid orders; money in cents, shares from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

YEAR = 12  # months


@dataclass(frozen=True)
class Headline:
    """The figures at the top of the report."""

    first_day: pd.Timestamp
    last_day: pd.Timestamp
    revenue_cents: int
    orders: int
    units: int
    customers: int
    average_order_cents: int
    returning_customers: int
    returning_revenue_cents: int
    best_month: pd.Period
    growth: float | None

    @property
    def returning_share(self) -> float:
        """The part of the customers who ordered more than once."""
        return self.returning_customers / self.customers

    @property
    def returning_revenue_share(self) -> float:
        """The part of the revenue that comes from customers who ordered more than once."""
        return self.returning_revenue_cents / self.revenue_cents


@dataclass(frozen=True)
class Figures:
    """All figures: the headline and a table per question."""

    headline: Headline
    monthly: pd.DataFrame
    categories: pd.DataFrame
    regions: pd.DataFrame
    region_categories: pd.DataFrame
    products: pd.DataFrame


def compute(orders: pd.DataFrame) -> Figures:
    """All figures of at least one valid order row."""
    months = monthly(orders)
    return Figures(
        headline=headline(orders, months),
        monthly=months,
        categories=revenue_by(orders, "category"),
        regions=revenue_by(orders, "region"),
        region_categories=cross_table(orders),
        products=top_products(orders),
    )


def monthly(orders: pd.DataFrame) -> pd.DataFrame:
    """Per calendar month from first to last: revenue, orders, new and returning customers; 0 in months without.

    A customer is new in the month of the first order and returning in each later month with an order.
    """
    first = orders.groupby("customer_id")["month"].transform("min")
    groups = orders.assign(new_customer=orders["customer_id"].where(orders["month"] == first)).groupby("month")
    table = groups.agg(
        revenue_cents=("revenue_cents", "sum"),
        orders=("order_id", "nunique"),
        customers=("customer_id", "nunique"),
        new_customers=("new_customer", "nunique"),
    )
    table["returning_customers"] = table["customers"] - table["new_customers"]
    months = pd.period_range(table.index.min(), table.index.max(), freq="M", name="month")
    return table.reindex(months, fill_value=0)


def revenue_by(orders: pd.DataFrame, column: str) -> pd.DataFrame:
    """Revenue, share of it, orders and units for each value of `column`; the largest revenue first."""
    table = orders.groupby(column).agg(
        revenue_cents=("revenue_cents", "sum"),
        orders=("order_id", "nunique"),
        units=("quantity", "sum"),
    )
    table.insert(1, "share", table["revenue_cents"] / table["revenue_cents"].sum())
    return table.reset_index().sort_values(["revenue_cents", column], ascending=[False, True], ignore_index=True)


def cross_table(orders: pd.DataFrame) -> pd.DataFrame:
    """Revenue in cents with a row for each region and a column for each category; 0 where nothing was sold."""
    return orders.pivot_table(
        index="region", columns="category", values="revenue_cents", aggfunc="sum", fill_value=0
    ).astype("int64")


def top_products(orders: pd.DataFrame, count: int = 10) -> pd.DataFrame:
    """The `count` products with the largest revenue, with their category and share of all revenue."""
    table = revenue_by(orders, "product").head(count)
    table.insert(1, "category", table["product"].map(orders.groupby("product")["category"].first()))
    return table


def headline(orders: pd.DataFrame, months: pd.DataFrame) -> Headline:
    """The key figures; returning customers are those with at least two different orders."""
    counts = orders.groupby("customer_id")["order_id"].nunique()
    returning = counts[counts >= 2].index
    revenue = int(orders["revenue_cents"].sum())
    order_count = int(orders["order_id"].nunique())
    return Headline(
        first_day=orders["order_date"].min(),
        last_day=orders["order_date"].max(),
        revenue_cents=revenue,
        orders=order_count,
        units=int(orders["quantity"].sum()),
        customers=len(counts),
        average_order_cents=round(revenue / order_count),
        returning_customers=len(returning),
        returning_revenue_cents=int(orders.loc[orders["customer_id"].isin(returning), "revenue_cents"].sum()),
        best_month=months["revenue_cents"].idxmax(),
        growth=growth(months["revenue_cents"]),
    )


def growth(revenue: pd.Series) -> float | None:
    """Change of the last twelve months against the twelve before (0.1 is 10 % more); None without two such years."""
    before, last = revenue.iloc[-2 * YEAR : -YEAR].sum(), revenue.iloc[-YEAR:].sum()
    if len(revenue) < 2 * YEAR or before == 0:
        return None
    return float(last / before - 1)
