"""No writes from other sites, and the headers that browsers obey."""

import pytest

ADDRESSES = ["/", "/about", "/health", "/api/items", "/api/items/7", "/nothing", "/static/style.css"]
WRITES = [
    ("POST", "/items", {"data": {"title": "forged"}}),
    ("POST", "/items/1/delete", {}),
    ("POST", "/items/1/done", {"data": {"done": "1"}}),
    ("POST", "/items/1/edit", {"data": {"title": "forged"}}),
    ("POST", "/items/delete-done", {}),
    ("POST", "/api/items", {"json": {"title": "forged"}}),
    ("PATCH", "/api/items/1", {"json": {"title": "forged"}}),
    ("DELETE", "/api/items/1", {}),
]
FROM_ANOTHER_SITE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:8001"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "null"},
    {"Origin": "http://["},
]
FROM_THIS_SITE = [
    {},
    {"Origin": "http://localhost"},
    {"Origin": "https://localhost"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", FROM_ANOTHER_SITE, ids=str)
@pytest.mark.parametrize(("method", "address", "body"), WRITES)
def test_a_write_from_another_site_is_refused(client, add, method, address, body, headers):
    item = add("mine")
    assert client.open(address, method=method, headers=headers, **body).status_code == 403
    assert client.get("/api/items").json == [item]


@pytest.mark.parametrize("headers", FROM_THIS_SITE, ids=str)
def test_a_write_from_this_site_or_a_program_is_accepted(client, headers):
    assert client.post("/items", data={"title": "mine"}, headers=headers).status_code == 303
    assert [item["title"] for item in client.get("/api/items").json] == ["mine"]


def test_reading_is_allowed_from_a_link_on_another_site(client):
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_carries_the_security_headers(client, address):
    headers = client.get(address).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("address", ["/", "/api/items"])
def test_what_a_person_typed_is_not_kept_in_caches(client, address):
    assert client.get(address).headers["Cache-Control"] == "no-store"


def test_no_cookie_is_set(client):
    response = client.post("/items", data={"title": "mine"})
    assert "Set-Cookie" not in response.headers


def test_json_is_never_sent_as_a_page(client, add):
    add("<script>alert(1)</script>")
    assert client.get("/api/items").mimetype == "application/json"
