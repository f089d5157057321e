"""The pages as a person in a browser uses them: by following links and sending the forms that are there."""

from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser

import pytest


@dataclass
class Page(HTMLParser):
    """What the tests want to know about a page: its text, its links, its forms, its elements by id."""

    html: str
    text: str = ""
    links: list[str] = field(default_factory=list)
    forms: list[dict] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str | None]] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "a":
            self.links.append(given["href"])
        if tag == "form":
            self.forms.append({"action": given["action"], "method": given["method"], "fields": {}})
        if tag == "input":
            self.forms[-1]["fields"][given["name"]] = given.get("value", "")

    def handle_data(self, data):
        self.text += data

    def form(self, end):
        """The one form whose address ends so."""
        (found,) = [form for form in self.forms if form["action"].endswith(end)]
        return found


@pytest.fixture
def visit(client):
    """Opens a page that must be there."""

    def open_page(address="/"):
        response = client.get(address)
        assert response.status_code == 200, response.text
        return Page(response.text)

    return open_page


@pytest.fixture
def send(client):
    """Sends a form as a browser does and follows the redirect."""

    def send_form(form, **fields):
        response = client.post(
            form["action"],
            data={**form["fields"], **fields},
            headers={"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
        )
        assert response.status_code == 303, response.text
        return Page(client.get(response.headers["Location"]).text)

    return send_form


def test_an_empty_list_says_so(visit):
    assert "Nothing here yet" in visit().text


def test_a_person_adds_completes_reopens_edits_and_deletes_an_item(client, visit, send):
    page = send(visit().form("/items"), title="  Water the plants ")
    assert "Water the plants" in page.text
    assert "1 thing left" in page.text

    page = send(page.form("/items/1/done"))
    assert client.get("/api/items/1").json["done"] is True
    assert "Everything is done" in page.text

    page = send(page.form("/items/1/done"))
    assert client.get("/api/items/1").json["done"] is False

    assert "/items/1/edit" in page.links
    page = send(visit("/items/1/edit").form("/edit"), title="Water the roses")
    assert "Water the roses" in page.text
    assert "Water the plants" not in page.text

    page = send(page.form("/items/1/delete"))
    assert "Water the roses" not in page.text
    assert client.get("/api/items").json == []


def test_the_edit_form_starts_with_the_title(visit, add):
    item = add('The "old" title')
    assert visit(f"/items/{item['id']}/edit").form("/edit")["fields"]["title"] == 'The "old" title'


def test_each_filter_shows_its_items(visit, add):
    add("to come")
    add("there", done=True)
    assert {"/", "/?show=open", "/?show=done"} <= set(visit().links)
    assert "to come" in visit("/?show=open").text
    assert "there" not in visit("/?show=open").text
    assert "there" in visit("/?show=done").text
    assert "to come" not in visit("/?show=done").text


def test_the_filter_stays_when_a_form_is_sent(client, visit, add):
    add("first")
    form = visit("/?show=open").form("/items/1/done")
    assert client.post(form["action"], data=form["fields"]).headers["Location"] == "/?show=open"
    assert "Nothing is open" in visit("/?show=open").text


def test_deleting_the_done_items_keeps_the_open_ones(client, visit, send, add):
    stays = add("to come")
    add("there", done=True)
    send(visit().form("/delete-done"))
    assert client.get("/api/items").json == [stays]


@pytest.mark.parametrize(
    ("title", "problem"),
    [("", "must not be empty"), ("  ", "must not be empty"), ("a" * 201, "at most 200"), ("a\0", "control")],
)
def test_an_invalid_title_is_shown_again_with_what_is_wrong(client, add, title, problem):
    item = add("as it was")
    for address in ("/items", f"/items/{item['id']}/edit"):
        response = client.post(address, data={"title": title})
        page = Page(response.text)
        assert response.status_code == 422
        assert problem in page.text
        assert ("aria-invalid", "true") in page.attributes
        assert escape(title).replace("\0", "") in response.text.replace("\0", "")
    assert client.get("/api/items").json == [item]


@pytest.mark.parametrize("show", ["", "?show=open", "?show=done"])
def test_markup_in_a_title_is_shown_as_text(visit, add, show):
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>"
    add(attack, done="done" in show)
    for page in (visit(f"/{show}"), visit("/items/1/edit")):
        assert "<script" not in page.html
        assert "<img src=x" not in page.html
        assert "script" not in page.tags
        assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert attack in visit(f"/{show}").text


def test_markup_in_a_refused_title_is_shown_as_text(client):
    page = Page(client.post("/items", data={"title": '"><script>alert(1)</script>' + "a" * 200}).text)
    assert "script" not in page.tags


def test_the_pages_say_what_the_application_is_for(visit, module):
    about = module("about")
    for page in (visit(), visit("/about")):
        assert about.TITLE in page.text
        assert about.VERSION in page.text
        assert about.DESCRIPTION in page.text
        assert about.PRIMARY_GOAL in page.text
    assert all(goal in visit("/about").text for goal in about.SECONDARY_GOALS)


def test_pages_need_no_script_and_nothing_from_other_sites(client, visit, add):
    add("there", done=True)
    for page in (visit(), visit("/about"), visit("/items/1/edit")):
        assert not {"script", "style", "iframe"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name == "style"]
        addresses = [value for name, value in page.attributes if name in {"href", "src", "action"}]
        assert all(address.startswith(("/", "#")) and address[1:2] != "/" for address in addresses)
        files = [address for address in addresses if address.startswith("/static/")]
        assert files
        assert {client.get(address).status_code for address in files} == {200}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("address", ["/items/1/edit", "/items/99999999999999999999/edit", "/nothing"])
def test_an_unknown_page_is_404_and_leads_back(client, method, address):
    response = client.open(address, method=method)
    assert response.status_code == 404
    assert response.mimetype == "text/html"
    assert "/" in Page(response.text).links


@pytest.mark.parametrize(
    ("address", "fields", "status"),
    [
        ("/items/7/delete", {}, 404),
        ("/items/7/done", {"done": "1"}, 404),
        ("/items/1/done", {}, 400),
        ("/items/1/done", {"done": "perhaps"}, 400),
        ("/items", {"title": "a" * 20_000}, 413),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(client, add, address, fields, status):
    item = add("as it was")
    assert client.post(address, data=fields).status_code == status
    assert client.get("/api/items").json == [item]


def test_an_unknown_filter_is_400(client):
    assert client.get("/?show=everything").status_code == 400
