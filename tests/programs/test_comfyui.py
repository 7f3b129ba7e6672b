"""The ComfyUI client against a stub that answers the documented routes, and in a run."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from postpipe import api
from postpipe.programs import comfyui
from tests.clips import make_clip

WORKFLOW = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
    "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "out"}},
}


class Stub(ThreadingHTTPServer):
    """Keeps what it was sent; gives pictures back as they came. `fault` makes it misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.inputs: dict[str, bytes] = {}
        self.prompts: dict[str, str] = {}
        self.asked: dict[str, int] = {}
        self.fault = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Stub

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, body: bytes | dict[str, Any], status: int = 200) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/upload/image":
            head = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n"
            form = {part.get_param("name", header="content-disposition"): part for part in _parts(head + body)}
            assert form["overwrite"].get_payload() == "true"
            assert form["type"].get_payload() == "input"
            folder, name = str(form["subfolder"].get_payload()), str(form["image"].get_filename())
            content = form["image"].get_payload(decode=True)
            assert isinstance(content, bytes)
            self.server.inputs[f"{folder}/{name}"] = content
            self.answer({"name": name, "subfolder": folder, "type": "input"})
        elif self.path == "/prompt":
            sent = json.loads(body)
            assert sent["client_id"]
            if self.server.fault == "refused":
                self.answer({"error": {"message": "no such model"}, "node_errors": {}}, 400)
                return
            number = f"id-{len(self.server.prompts)}"
            self.server.prompts[number] = sent["prompt"]["1"]["inputs"]["image"]
            self.answer({"prompt_id": number, "number": 1, "node_errors": {}})

    def do_GET(self) -> None:
        route = urlsplit(self.path)
        if route.path.startswith("/history/"):
            self.history(route.path.rpartition("/")[2])
        elif route.path == "/view":
            query = {key: value[0] for key, value in parse_qs(route.query, keep_blank_values=True).items()}
            assert query["type"] == "output"
            self.answer(self.server.inputs[query["filename"].removeprefix("made_").replace("~", "/")])

    def history(self, number: str) -> None:
        self.server.asked[number] = self.server.asked.get(number, 0) + 1
        if self.server.fault == "never" or self.server.asked[number] < 2:
            self.answer({})
        elif self.server.fault == "error":
            told = ["execution_error", {"node_type": "ImageInvert", "exception_message": "out of memory"}]
            status = {"status_str": "error", "completed": False, "messages": [told]}
            self.answer({number: {"outputs": {}, "status": status}})
        else:
            made = "made_" + self.server.prompts[number].replace("/", "~")
            image = {"filename": made, "subfolder": "", "type": "output"}
            preview = {"filename": "x.png", "subfolder": "", "type": "temp"}
            outputs = {"3": {"images": [image]}, "9": {"images": [preview]}}
            if self.server.fault == "two":
                outputs["4"] = {"images": [image]}
            status = {"status_str": "success", "completed": True, "messages": []}
            self.answer({number: {"outputs": outputs, "status": status}})


def _parts(document: bytes) -> list[Message]:
    parts = BytesParser().parsebytes(document).get_payload()
    assert isinstance(parts, list)
    return parts


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfyui, "POLL_SECONDS", 0.01)


def send(stub: Stub, tmp_path: Path, **options: Any) -> list[Path]:
    given, back = tmp_path / "in", tmp_path / "out"
    given.mkdir()
    back.mkdir()
    for number in range(3):
        (given / f"frame_{number:06}.png").write_bytes(bytes([number]) * 10)
    workflow = json.loads(json.dumps(options.pop("workflow", WORKFLOW)))
    chosen = {"load": None, "save": None, "seconds": 1.0, **options}
    comfyui.process(comfyui.Server(stub.url), workflow, given, back, **chosen)
    return sorted(back.iterdir())


def test_each_picture_goes_through_and_keeps_its_name(stub: Stub, tmp_path: Path) -> None:
    made = send(stub, tmp_path)
    assert [path.name for path in made] == ["frame_000000.png", "frame_000001.png", "frame_000002.png"]
    assert [path.read_bytes() for path in made] == [bytes([number]) * 10 for number in range(3)]
    assert all(name.startswith("postpipe/") for name in stub.inputs)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("refused", "answered with 400: .*no such model"),
        ("error", "the workflow failed: ImageInvert: out of memory"),
        ("never", "not done within 1 s"),
        ("two", "saved 2 pictures, not one; name the node that saves it with --save"),
    ],
)
def test_what_goes_wrong_is_said(fault: str, says: str, stub: Stub, tmp_path: Path) -> None:
    stub.fault = fault
    with pytest.raises(comfyui.ComfyError, match=says):
        send(stub, tmp_path)


def test_nodes_can_be_named(stub: Stub, tmp_path: Path) -> None:
    stub.fault = "two"
    workflow = {**WORKFLOW, "7": {"class_type": "LoadImage", "inputs": {"image": "style.png"}}}
    assert len(send(stub, tmp_path, workflow=workflow, load="1", save="4")) == 3
    with pytest.raises(comfyui.ComfyError, match="has 2 LoadImage nodes; name one with --load"):
        comfyui.load_node(workflow, None)
    with pytest.raises(comfyui.ComfyError, match="has no node 12"):
        comfyui.load_node(workflow, "12")


def test_no_server_and_no_workflow(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"x")
    with pytest.raises(comfyui.ComfyError, match=r"does not answer .*is ComfyUI running"):
        comfyui.Server("http://127.0.0.1:9").upload(picture, "a.png")
    with pytest.raises(comfyui.ComfyError, match="write the server as"):
        comfyui.Server("127.0.0.1:8188")
    for text, says in (("{", "cannot be read"), ('{"nodes": []}', "no workflow in API format"), ("[]", "API format")):
        picture.write_text(text)
        with pytest.raises(comfyui.ComfyError, match=says):
            comfyui.read_workflow(picture)


def test_as_an_outside_tool(stub: Stub, tmp_path: Path) -> None:
    workflow, takes = tmp_path / "workflow.json", tmp_path / "takes"
    workflow.write_text(json.dumps(WORKFLOW))
    takes.mkdir()
    make_clip(takes / "scene01_take01.mp4", frames=4)
    command = [
        "{python}",
        "-m",
        "postpipe.programs.comfyui",
        str(workflow),
        "{input}",
        "{output}",
        "--server",
        stub.url,
    ]
    settings: dict[str, Any] = {"outside": {"comfy": {"kind": "frames", "command": command}}}
    document = api.run(takes, tmp_path / "out", settings=settings).document()
    assert document["takes"][0]["outside"][0]["failed"] is None
    assert document["sequence"]["frames"] == 4
    assert len(stub.prompts) == 4
    stub.fault = "error"
    workflow.write_text(json.dumps({**WORKFLOW, "5": {}}))  # another workflow runs again
    with pytest.raises(api.DeliveryError, match="workflow failed: ImageInvert: out of memory"):
        api.run(takes, tmp_path / "out", settings=settings)


def test_its_command_line(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["comfyui", str(tmp_path / "none.json"), "a", "b", "--server", stub.url])
    with pytest.raises(SystemExit, match=r"none\.json: cannot be read"):
        comfyui.main()
