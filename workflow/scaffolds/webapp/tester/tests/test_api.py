"""The JSON API as a script sees it."""

import json
import re

import pytest


def test_a_new_list_is_empty(client):
    response = client.get("/api/items")
    assert response.status_code == 200
    assert response.json == []


def test_a_created_item_is_at_its_location(client):
    created = client.post("/api/items", json={"title": "Water the plants"})
    assert created.status_code == 201
    assert created.headers["Location"] == f"/api/items/{created.json['id']}"
    assert client.get(created.headers["Location"]).json == created.json
    assert client.get("/api/items").json == [created.json]


def test_a_new_item_is_open_and_dated_in_utc(add):
    item = add("Water the plants")
    assert set(item) == {"id", "title", "done", "created_at", "updated_at"}
    assert item["title"] == "Water the plants"
    assert item["done"] is False
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", item["created_at"])


def test_an_item_can_be_created_done(add):
    assert add("Already there", done=True)["done"] is True


def test_open_items_come_before_done_ones(client, add):
    for title, done in (("first", True), ("second", False), ("third", False)):
        add(title, done=done)
    assert [item["title"] for item in client.get("/api/items").json] == ["second", "third", "first"]


@pytest.mark.parametrize(("wanted", "titles"), [("true", ["there"]), ("false", ["to come"])])
def test_the_list_can_be_limited_to_done_or_open_items(client, add, wanted, titles):
    add("there", done=True)
    add("to come")
    assert [item["title"] for item in client.get(f"/api/items?done={wanted}").json] == titles


def test_an_unknown_filter_is_refused(client):
    assert client.get("/api/items?done=perhaps").status_code == 400


@pytest.mark.parametrize(
    "change", [{"title": "new"}, {"done": True}, {"title": "new", "done": True}, {"done": False}]
)
def test_a_change_touches_only_what_it_names(client, add, module, monkeypatch, change):
    item, other = add("old"), add("other")
    monkeypatch.setattr(module("items"), "_now", lambda: "2030-01-31T09:30:00Z")
    changed = client.patch(f"/api/items/{item['id']}", json=change)
    assert changed.status_code == 200
    assert changed.json == {**item, **change, "updated_at": "2030-01-31T09:30:00Z"}
    assert client.get(f"/api/items/{item['id']}").json == changed.json
    assert client.get(f"/api/items/{other['id']}").json == other


def test_a_done_item_can_be_opened_again(client, add):
    item = add("not really", done=True)
    assert client.patch(f"/api/items/{item['id']}", json={"done": False}).json["done"] is False


def test_a_deleted_item_is_gone_and_the_others_stay(client, add):
    gone, stays = add("gone"), add("stays")
    response = client.delete(f"/api/items/{gone['id']}")
    assert (response.status_code, response.data) == (204, b"")
    assert client.get(f"/api/items/{gone['id']}").status_code == 404
    assert client.get("/api/items").json == [stays]


def test_the_id_of_a_deleted_item_is_not_given_again(client, add):
    gone = add("gone")
    client.delete(f"/api/items/{gone['id']}")
    assert add("new")["id"] > gone["id"]


@pytest.mark.parametrize("item_id", [1, 0, 10**18, 2**63 - 1, 2**63, "9" * 5000])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_id_is_404(client, method, item_id):
    response = client.open(f"/api/items/{item_id}", method=method, json={"done": True})
    assert response.status_code == 404
    assert response.json["error"]["status"] == 404


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "title"),
        ({"done": True}, "title"),
        ({"title": None}, "title"),
        ({"title": 7}, "title"),
        ({"title": ["a"]}, "title"),
        ({"title": ""}, "title"),
        ({"title": " \t\n "}, "title"),
        ({"title": "a" * 201}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"title": "nul\0"}, "title"),
        ({"title": "half a pair \ud800"}, "title"),
        ({"title": "a", "done": 1}, "done"),
        ({"title": "a", "done": "true"}, "done"),
        ({"title": "a", "done": None}, "done"),
        ({"title": "a", "id": 1}, "id"),
        ({"title": "a", "priority": "high"}, "priority"),
    ],
)
def test_an_invalid_item_is_refused_and_the_field_named(client, fields, wrong):
    response = client.post("/api/items", data=json.dumps(fields), content_type="application/json")
    assert response.status_code == 422
    assert list(response.json["error"]["fields"]) == [wrong]
    assert wrong in response.json["error"]["message"]
    assert client.get("/api/items").json == []


@pytest.mark.parametrize("change", [{}, {"title": " "}, {"done": "yes"}, {"id": 2}, {"title": None}])
def test_an_invalid_change_is_refused_and_changes_nothing(client, add, change):
    item = add("as it was")
    assert client.patch(f"/api/items/{item['id']}", json=change).status_code == 422
    assert client.get("/api/items").json == [item]


def test_every_wrong_field_is_named_at_once(client):
    response = client.post("/api/items", json={"title": "", "done": "no", "x": 1})
    assert set(response.json["error"]["fields"]) == {"title", "done", "x"}


@pytest.mark.parametrize("title", ["a", "a" * 200, "naïve 💡", "0", "'; DROP TABLE items; --"])
def test_a_valid_title_comes_back_as_it_was_sent(client, add, title):
    item = add(title)
    assert client.get(f"/api/items/{item['id']}").json["title"] == title


def test_a_title_is_trimmed_before_it_is_measured(add):
    assert add("  " + "a" * 200 + "\n")["title"] == "a" * 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{'title': 'a'}", b"\xff", b"[]", b'"a"', b"null", b"[" * 10_000]
)
def test_a_body_that_is_no_json_object_is_400(client, body):
    response = client.post("/api/items", data=body, content_type="application/json")
    assert response.status_code == 400
    assert "JSON" in response.json["error"]["message"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_another_content_type_is_415(client, content_type):
    response = client.post("/api/items", data='{"title": "a"}', content_type=content_type)
    assert response.status_code == 415
    assert response.json["error"]["status"] == 415


def test_a_body_that_is_too_large_is_413(client):
    response = client.post("/api/items", json={"title": "a" * 20_000})
    assert response.status_code == 413
    assert response.json["error"]["status"] == 413


def test_another_method_is_405_with_the_allowed_ones(client):
    response = client.put("/api/items", json={"title": "a"})
    assert response.status_code == 405
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))
    assert response.is_json


def test_an_unknown_address_is_404_in_json(client):
    response = client.get("/api/nothing")
    assert response.status_code == 404
    assert response.is_json


def test_a_fault_is_500_in_json_and_tells_nothing(client, database):
    client.application.testing = False
    database.unlink()
    response = client.get("/api/items")
    assert response.status_code == 500
    assert "sqlite" not in response.text.lower()
    assert response.json["error"]["status"] == 500
