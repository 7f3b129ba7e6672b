"""A ComfyUI workflow as an outside tool: `{python} -m postpipe.programs.comfyui WORKFLOW {input} {output}`.

Every picture of the folder `{input}` goes through the workflow of a ComfyUI server, and what comes out is written to
`{output}` under the same name. WORKFLOW is the file that ComfyUI saves with *Export (API)*. The routes are those that
ComfyUI documents (docs.comfy.org, *Routes*): `/upload/image`, `/prompt`, `/history/{prompt_id}` and `/view`. The server
is asked on this machine unless another is named; neither proxies nor redirections are followed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

SERVER = "http://127.0.0.1:8188"
FOLDER = "postpipe"
"""Below ComfyUI's own folder of inputs."""
POLL_SECONDS = 0.2
_ANSWER_SECONDS = 60.0
_MOST_WORDS = 300


class ComfyError(Exception):
    """What the server, or the workflow, does not do; its text is for the user."""


class _NoRedirect(HTTPRedirectHandler):
    """Stay on the server that was named."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


class Server:
    """A ComfyUI server at `url`."""

    def __init__(self, url: str) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ComfyError(f"{url}: write the server as http://127.0.0.1:8188")
        self._url = url.rstrip("/")
        self._opener: OpenerDirector = build_opener(ProxyHandler({}), _NoRedirect())
        self._client = uuid.uuid4().hex

    def upload(self, picture: Path, name: str) -> str:
        """Upload a picture; return the name by which a LoadImage node finds it."""
        boundary = uuid.uuid4().hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
            "Content-Type: image/png\r\n\r\n"
        )
        fields = "".join(
            f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}'
            for key, value in (("subfolder", FOLDER), ("type", "input"), ("overwrite", "true"))
        )
        body = head.encode() + picture.read_bytes() + f"{fields}\r\n--{boundary}--\r\n".encode()
        answer = self._json("/upload/image", body, f"multipart/form-data; boundary={boundary}")
        return f"{answer['subfolder']}/{answer['name']}" if answer.get("subfolder") else str(answer["name"])

    def queue(self, workflow: dict[str, Any]) -> str:
        """Queue a workflow; return its id."""
        answer = self._json("/prompt", json.dumps({"prompt": workflow, "client_id": self._client}).encode())
        if answer.get("node_errors") or "prompt_id" not in answer:
            raise ComfyError(f"the workflow is refused: {_brief(answer.get('node_errors') or answer)}")
        return str(answer["prompt_id"])

    def outputs(self, prompt: str, timeout_seconds: float) -> dict[str, Any]:
        """Wait until a queued workflow is done; return what its nodes gave."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            entry = self._json(f"/history/{prompt}").get(prompt)
            if entry is not None:
                status = entry.get("status") or {}
                if status.get("status_str") == "error":
                    raise ComfyError(f"the workflow failed: {_brief(_exception(status))}")
                if status.get("completed", True):
                    outputs: dict[str, Any] = entry["outputs"]
                    return outputs
            if time.monotonic() > deadline:
                raise ComfyError(f"the workflow was not done within {timeout_seconds:g} s")
            time.sleep(POLL_SECONDS)

    def view(self, image: dict[str, Any]) -> bytes:
        """Return the bytes of a picture that a workflow gave."""
        query = {key: image.get(key, "") for key in ("filename", "subfolder", "type")}
        return self._answer(Request(f"{self._url}/view?{urlencode(query)}"))  # noqa: S310 - http or https

    def _json(self, route: str, body: bytes | None = None, kind: str = "application/json") -> dict[str, Any]:
        request = Request(self._url + route, body, {"Content-Type": kind} if body else {})  # noqa: S310 - as above
        answer = self._answer(request)
        try:
            found = json.loads(answer)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ComfyError(
                f"{self._url} is no ComfyUI server: {route} is answered with {_brief(answer.decode(errors='replace'))}"
            )
        return found

    def _answer(self, request: Request) -> bytes:
        try:
            with self._opener.open(request, timeout=_ANSWER_SECONDS) as answer:
                content: bytes = answer.read()
                return content
        except HTTPError as error:
            said = _brief(error.read().decode(errors="replace"))
            raise ComfyError(f"{request.full_url} is answered with {error.code}: {said}") from error
        except (URLError, TimeoutError, ConnectionError) as error:
            raise ComfyError(
                f"{self._url} does not answer ({getattr(error, 'reason', error)}); is ComfyUI running?"
            ) from error


def _exception(status: dict[str, Any]) -> object:
    """Return the message of the node that failed, where the history has it."""
    for message in status.get("messages", ()):
        if message[0] == "execution_error":
            return f"{message[1].get('node_type')}: {message[1].get('exception_message')}"
    return status


def _brief(value: object) -> str:
    text = " ".join((value if isinstance(value, str) else json.dumps(value)).split())
    return text if len(text) <= _MOST_WORDS else text[: _MOST_WORDS - 1] + "…"


def load_node(workflow: dict[str, Any], named: str | None) -> str:
    """Return the node that pictures go into: the one that is named, or the only LoadImage. Raises `ComfyError`."""
    if named is not None:
        if not isinstance(workflow.get(named), dict):
            raise ComfyError(f"the workflow has no node {named}")
        return named
    found = [key for key, node in workflow.items() if isinstance(node, dict) and node.get("class_type") == "LoadImage"]
    if len(found) != 1:
        raise ComfyError(f"the workflow has {len(found)} LoadImage nodes; name one with --load")
    return found[0]


def result(outputs: dict[str, Any], named: str | None) -> dict[str, Any]:
    """Return the one picture that a workflow saved, of the node that is named where one is. Raises `ComfyError`."""
    nodes = {key: node.get("images", []) for key, node in outputs.items() if named in (None, key)}
    found = [image for images in nodes.values() for image in images if named or image.get("type") == "output"]
    if len(found) != 1:
        raise ComfyError(f"the workflow saved {len(found)} pictures, not one; name the node that saves it with --save")
    image: dict[str, Any] = found[0]
    return image


def process(
    server: Server,
    workflow: dict[str, Any],
    given: Path,
    back: Path,
    load: str | None,
    save: str | None,
    seconds: float,
) -> None:
    """Send every picture of the folder `given` through a workflow and write the results to `back`."""
    node = load_node(workflow, load)
    run = uuid.uuid4().hex[:12]
    for picture in sorted(given.iterdir()):
        name = server.upload(picture, f"{run}_{picture.name}")
        workflow[node]["inputs"]["image"] = name
        image = result(server.outputs(server.queue(workflow), seconds), save)
        suffix = Path(image["filename"]).suffix.lower()
        (back / picture.name).with_suffix(suffix).write_bytes(server.view(image))


def read_workflow(path: Path) -> dict[str, Any]:
    """Return a workflow in API format. Raises `ComfyError` for anything else."""
    try:
        workflow = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ComfyError(f"{path}: cannot be read ({error})") from error
    if not isinstance(workflow, dict) or not workflow or "nodes" in workflow:
        raise ComfyError(f"{path}: is no workflow in API format; export it with Export (API)")
    return workflow


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="comfyui", description="Send a folder of pictures through a ComfyUI workflow."
    )
    parser.add_argument("workflow", type=Path, help="the workflow in API format")
    parser.add_argument("input", type=Path, help="folder of pictures")
    parser.add_argument("output", type=Path, help="folder for the results")
    parser.add_argument("--server", default=SERVER, help=f"default: {SERVER}")
    parser.add_argument("--load", help="the node that pictures go into; default: the only LoadImage")
    parser.add_argument("--save", help="the node whose picture is taken; default: the only one that saves")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for one picture")
    given = parser.parse_args()
    try:
        workflow = read_workflow(given.workflow)
        process(Server(given.server), workflow, given.input, given.output, given.load, given.save, given.timeout)
    except ComfyError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
