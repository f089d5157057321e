"""The pages for people. Forms answer with a redirect, so that reloading a page repeats nothing."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from . import items
from .database import get_connection
from .validation import MAX_TITLE_CHARACTERS, InvalidItem, parse_new_item

blueprint = Blueprint("pages", __name__)

ITEM_PATH = "/items/<item:item_id>"
FILTERS = {"all": None, "open": False, "done": True}


@blueprint.get("/")
def index() -> str:
    """The list with the form that adds to it."""
    return render_list()


@blueprint.post("/items")
def add() -> Response | tuple[str, int]:
    """Add the item of the form, or show the list again with what is wrong."""
    title = request.form.get("title", "")
    try:
        items.add_item(get_connection(), **parse_new_item({"title": title}))
    except InvalidItem as error:
        return render_list(title, error.fields["title"]), 422
    return back_to_list()


@blueprint.post(f"{ITEM_PATH}/done")
def mark(item_id: int) -> Response:
    """Mark the item as done (`done=1`) or as open again (`done=0`)."""
    wanted = request.form.get("done")
    if wanted not in {"0", "1"}:
        abort(400, "done must be 0 or 1.")
    items.change_item(get_connection(), item_id, done=wanted == "1")
    return back_to_list()


@blueprint.get(f"{ITEM_PATH}/edit")
def edit(item_id: int) -> str:
    """The form that changes the title."""
    return render_edit(items.get_item(get_connection(), item_id))


@blueprint.post(f"{ITEM_PATH}/edit")
def rename(item_id: int) -> Response | tuple[str, int]:
    """Store the new title, or show the form again with what is wrong."""
    item = items.get_item(get_connection(), item_id)
    title = request.form.get("title", "")
    try:
        items.change_item(get_connection(), item_id, **parse_new_item({"title": title}))
    except InvalidItem as error:
        return render_edit(item, title, error.fields["title"]), 422
    return back_to_list()


@blueprint.post(f"{ITEM_PATH}/delete")
def delete(item_id: int) -> Response:
    """Remove the item for good."""
    items.delete_item(get_connection(), item_id)
    return back_to_list()


@blueprint.post("/items/delete-done")
def delete_done() -> Response:
    """Remove every item that is done for good."""
    items.delete_done_items(get_connection())
    return back_to_list()


@blueprint.get("/about")
def about_page() -> str:
    """What the application is for."""
    return render_template("about.html")


def chosen_filter() -> str:
    """Which items the visitor looks at: `all`, `open` or `done`; aborts with 400 for another word."""
    chosen = request.values.get("show", "all")
    if chosen not in FILTERS:
        abort(400, "show must be all, open or done.")
    return chosen


def back_to_list() -> Response:
    """A redirect to the list, filtered as it was before."""
    show = chosen_filter()
    return redirect(url_for("pages.index", show=None if show == "all" else show), 303)


def render_list(title: str = "", problem: str = "") -> str:
    """The list; `title` and `problem` are what was typed and what is wrong with it."""
    show = chosen_filter()
    connection = get_connection()
    return render_template(
        "index.html",
        items=items.list_items(connection, FILTERS[show]),
        counts=items.count_items(connection),
        show=show,
        title=title,
        problem=problem,
        max_title=MAX_TITLE_CHARACTERS,
    )


def render_edit(item: items.Item, title: str | None = None, problem: str = "") -> str:
    """The form for one title; `title` and `problem` are what was typed and what is wrong with it."""
    return render_template(
        "edit.html",
        item=item,
        show=chosen_filter(),
        title=item.title if title is None else title,
        problem=problem,
        max_title=MAX_TITLE_CHARACTERS,
    )
