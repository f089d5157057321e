"""The scripted model itself: it speaks its dialects, follows its scripts, counts, fails as told, and lets go."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from models.scripts import Edit, Fault, Script, Shell, Tool, Turn, Usage, Write, fails, loops, no_op, works
from models.server import Model, serve
from models.tools import call_for

TOOL = {"type": "object", "properties": {"path": {"type": "string"}, "content": {"type": "string"}}}
ASK = "Write the file."
CHAT = {"type": "function", "function": {"name": "write", "parameters": TOOL}}
FLAT = {"type": "function", "name": "write", "parameters": TOOL}
GEMINI = {"functionDeclarations": [{"name": "write", "parametersJsonSchema": TOOL}]}
PLAIN = [{"role": "user", "content": ASK}]
DIALECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": PLAIN, "tools": [CHAT]}),
    "responses": ("/v1/responses", {"input": [{"role": "user", "content": [{"type": "input_text", "text": ASK}]}], "tools": [FLAT]}),
    "messages": ("/v1/messages", {"messages": PLAIN, "tools": [{"name": "write", "input_schema": TOOL}]}),
    "gemini": ("/v1beta/models/m:generateContent", {"contents": [{"role": "user", "parts": [{"text": ASK}]}], "tools": [GEMINI]}),
}


def post(model: Model, path: str, body: dict[str, Any], timeout: float = 5) -> tuple[int, str]:
    where = urlsplit(model.url)
    client = http.client.HTTPConnection(where.hostname or "", where.port, timeout=timeout)
    client.request("POST", path, json.dumps({"model": "m", **body}))
    answer = client.getresponse()
    return answer.status, answer.read().decode()


@pytest.mark.parametrize("name", DIALECTS)
def test_each_dialect_offers_the_clients_own_tool_whole_and_streamed(name: str) -> None:
    path, body = DIALECTS[name]
    with serve(works(Write("a.txt", "one"))) as model:
        status, whole = post(model, path, body)
        _, streamed = post(model, path.replace(":generate", ":streamGenerate"), body | {"stream": True})
    assert status == 200
    for text in (whole, streamed):
        assert "a.txt" in text
        assert '"write"' in text
    assert streamed.startswith(("data: ", "event: "))
    assert [(seen.model, seen.tools, seen.turn, seen.stream) for seen in model.requests] == [
        ("m", ("write",), 0, False),
        ("m", ("write",), 0, True),
    ]


def test_place_in_the_script_is_read_from_the_conversation() -> None:
    talk = [{"role": "user", "content": ASK}, {"role": "assistant", "content": "", "tool_calls": []}, {"role": "tool", "content": "ok"}]
    with serve(works(Write("a.txt", "one"), Write("b.txt", "two"))) as model:
        path, body = DIALECTS["chat"]
        assert "a.txt" in post(model, path, body)[1]
        assert "b.txt" in post(model, path, body | {"messages": talk})[1]
        assert "Done." in post(model, path, body | {"messages": talk + talk[1:]})[1]
        assert "Done." in post(model, path, body | {"messages": talk + 5 * talk[1:]})[1]


def test_script_is_chosen_by_the_prompt() -> None:
    path, body = DIALECTS["messages"]
    with serve(no_op("nothing"), works(Write("a.txt", "one"), when="the file")) as model:
        assert "a.txt" in post(model, path, body)[1]
        other = {"messages": [{"role": "user", "content": "Do nothing."}]}
        assert "all tests pass" in post(model, path, body | other)[1]


def test_usage_is_as_scripted_in_each_dialect() -> None:
    with serve(works(usage=Usage(500, 7, 100))) as model:
        said = {name: json.loads(post(model, path, body)[1]) for name, (path, body) in DIALECTS.items()}
    assert said["chat"]["usage"]["prompt_tokens_details"] == {"cached_tokens": 100}
    assert (said["responses"]["usage"]["input_tokens"], said["responses"]["usage"]["output_tokens"]) == (500, 7)
    assert (said["messages"]["usage"]["input_tokens"], said["messages"]["usage"]["cache_read_input_tokens"]) == (400, 100)
    assert said["gemini"]["usageMetadata"]["promptTokenCount"] == 500


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_faults_come_with_their_status_in_the_words_of_the_dialect(status: int) -> None:
    with serve(fails(status=status)) as model:
        for path, body in DIALECTS.values():
            got, text = post(model, path, body)
            assert got == status
            assert json.loads(text)["error"]["message"]
    assert model.statuses() == [status] * 4


def test_fault_that_comes_twice_is_over_the_third_time() -> None:
    path, body = DIALECTS["responses"]
    with serve(fails(status=429, times=2)) as model:
        assert [post(model, path, body)[0] for _ in range(3)] == [429, 429, 200]


def test_endless_script_never_ends() -> None:
    offered = {"bash": {"properties": {"command": {"type": "string"}}}}
    script = loops("date")
    assert script.turn(99) == Turn(actions=(Shell("date"),))
    call = call_for(script.turn(99).actions[0], offered)
    assert call is not None
    assert call.arguments == {"command": "date"}


def test_cut_answers_end_in_the_middle() -> None:
    path, body = DIALECTS["chat"]
    with serve(fails("cut")) as model:
        for stream in (False, True):
            with pytest.raises(http.client.IncompleteRead):
                post(model, path, body | {"stream": stream})
    assert model.statuses() == [0, 0]


def test_hanging_request_is_let_go_when_the_server_closes_and_nothing_listens_any_more() -> None:
    path, body = DIALECTS["chat"]
    ended: list[float] = []

    def wait(model: Model) -> None:
        with pytest.raises(http.client.RemoteDisconnected):
            post(model, path, body, timeout=20)
        ended.append(time.monotonic())

    with serve(fails("hang")) as model:
        thread = threading.Thread(target=wait, args=(model,))
        thread.start()
        time.sleep(0.3)
        assert (model.calls, ended) == (1, [])
    thread.join(5)
    assert ended
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(model.url).port or 0), 1)


def test_what_a_client_lacks_its_shell_does() -> None:
    shell = {"exec_command": {"properties": {"cmd": {"type": "string"}}}}
    listed = {"run": {"properties": {"command": {"type": "array"}}}}
    made = call_for(Write("a b.txt", "x"), shell)
    assert made is not None
    assert made.name == "exec_command"
    assert "'a b.txt'" in made.arguments["cmd"]
    changed = call_for(Edit("a", "old", "new"), listed)
    assert changed is not None
    assert changed.arguments["command"][:2] == ["sh", "-c"]
    named = call_for(Edit("a", "old", "new"), {"edit": {"properties": {"filePath": {}, "oldString": {}, "newString": {}}}})
    assert named is not None
    assert named.arguments == {"filePath": "a", "oldString": "old", "newString": "new"}
    assert call_for(Write("a", "x"), {}) is None
    assert call_for(Tool("odd", {"x": 1}), {}) is not None


def test_unknown_paths_are_refused_and_remembered() -> None:
    with serve(Script((Turn("hello", fault=Fault(times=0)),))) as model:
        assert post(model, "/v1/telemetry", {})[0] == 404
    assert model.strangers == ["POST /v1/telemetry"]
    assert model.calls == 0
