"""Read what a file says of itself: its C2PA manifest, validated by the C2PA project's own library.

Nothing is fetched unless the user asks for it: neither manifests that are kept elsewhere, nor the state of
certificates, nor the keys of identities.
"""

from __future__ import annotations

import functools
import json
import mimetypes
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from postpipe.errors import SettingsError
from postpipe.media.interrupts import held_back
from postpipe.provenance import TOLERATED, Check, Manifest, Provenance, State, Trust, TrustList

if TYPE_CHECKING:
    import c2pa

DEPTH = 16
"""Manifests within manifests are followed so far: nobody reads further, and a file may be made to have no end."""

BUFFER_BYTES = 1 << 20
"""The library reads in small pieces."""


def settings(trust: Trust, time_stamps: str | None = None) -> dict[str, Any]:
    """Return the library's settings; `time_stamps` is the address of an authority that may be asked."""
    anchors = [{"trust_kind": one.kind, "trust_anchors": one.pem, "trust_uri": one.name} for one in trust.lists]
    found: dict[str, Any] = {
        "trust": {"anchors": anchors},
        "verify": {
            "remote_manifest_fetch": trust.network,
            "ocsp_fetch": trust.network,
            "verify_after_sign": False,  # what is signed is read again as a whole
        },
        # Nothing may be put into free space without being noticed: the specification leaves out no more than it must.
        "builder": {"thumbnail": {"enabled": False}, "bmff_hash_exclude_free_and_skip_boxes": False},
    }
    if not trust.network:
        found["core"] = {"allowed_network_hosts": [urlsplit(time_stamps).netloc] if time_stamps else []}
    return found


@functools.lru_cache(maxsize=4)
def context(trust: Trust) -> c2pa.Context:
    """Return the library's context in which files are read."""
    import c2pa

    return c2pa.Context.from_dict(settings(trust))


def read_trust(signers: tuple[Path, ...], stampers: tuple[Path, ...], *, network: bool) -> Trust:
    """Return whom to trust. Raises `SettingsError` naming every list that is none."""
    if signers or stampers:
        from cryptography import x509
    lists, problems = [], []
    kinds: tuple[tuple[tuple[Path, ...], Literal["manifest", "tsa"]], ...] = ((signers, "manifest"), (stampers, "tsa"))
    for paths, kind in kinds:
        for path in paths:
            try:
                pem = path.read_bytes()
                x509.load_pem_x509_certificates(pem)
                lists.append(TrustList(path.name, kind, pem.decode()))
            except OSError as error:
                problems.append(f"{path}: cannot be read ({error.strerror}); name a trust list, a file of certificates")
            except ValueError:
                problems.append(f"{path}: holds no certificate; name a trust list in PEM")
    if problems:
        raise SettingsError(problems)
    return Trust(tuple(lists), network)


def read_credentials(path: Path, trust: Trust) -> Provenance:
    """Return what a file says of itself, and whether it holds. A file that cannot be read is an answer too."""
    import c2pa

    try:
        if not path.stat().st_size:
            return Provenance("unreadable", reason="it is empty")
        with (
            held_back(),
            path.open("rb", buffering=BUFFER_BYTES) as file,
            c2pa.Reader(None, file, context=context(trust)) as reader,
        ):
            return _verdict(json.loads(reader.json()), reader.get_validation_state())
    except OSError as error:
        return Provenance("unreadable", reason=error.strerror or str(error))
    except c2pa.C2paError.NotSupported:
        if mimetypes.guess_type(path.name)[0] in c2pa.Reader.get_supported_mime_types():
            return Provenance("unreadable", reason=f"what is in it is no {path.suffix} file")
        return Provenance("unsupported")
    except c2pa.C2paError as error:
        return _fault(error)


def _fault(error: c2pa.C2paError) -> Provenance:
    """Return what it means that the library gave up on a file."""
    import c2pa

    kind, _, words = str(error).partition(": ")
    if isinstance(error, c2pa.C2paError.ManifestNotFound):
        return Provenance("absent")
    if kind == "Remote" or isinstance(error, c2pa.C2paError.RemoteManifest):
        reason = f"its manifest is kept elsewhere and was not fetched: {words.rpartition(' ')[2]}"
        return Provenance("unreadable", checks=(Check.of("manifest.inaccessible"),), reason=reason)
    if isinstance(error, c2pa.C2paError.Io) or "asset could not be parsed" in words:
        return Provenance("unreadable", reason=words or kind)
    return Provenance("invalid", checks=(Check.of("general.error"),), reason=words or kind)


def _verdict(document: Mapping[str, Any], state: str) -> Provenance:
    """Return the library's report in our words. `state` is `Valid`, `Trusted` or `Invalid`."""
    manifests: Mapping[str, Any] = document["manifests"]
    label = document["active_manifest"]
    results = document.get("validation_results", {})
    active = results.get("activeManifest", {})
    deltas = {one["ingredientAssertionURI"]: one["validationDeltas"] for one in results.get("ingredientDeltas", [])}
    verdict: State = "trusted" if state == "Trusted" else "valid" if state == "Valid" else "invalid"
    checks = [Check.of(code) for code in _codes(active, "failure")]
    for uri, delta in deltas.items():
        checks += [Check.of(code, _title(manifests, uri)) for code in _codes(delta, "failure")]
    hashes = [code for code in (*_codes(active, "success"), *_codes(active, "failure")) if "Hash." in code]
    intact = all(code.endswith(".match") for code in hashes) if hashes else None
    manifest = _manifest(manifests, label, deltas, depth=0, state=verdict, failures=_codes(active, "failure"))
    return Provenance(verdict, manifest, tuple(dict.fromkeys(checks)), intact, trust_list=results.get("trustListUri"))


def _codes(statuses: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    return tuple(status["code"] for status in statuses.get(kind, []))


def _title(manifests: Mapping[str, Any], uri: str) -> str:
    """Return the title of the ingredient that `self#jumbf=/c2pa/MANIFEST/c2pa.assertions/INGREDIENT` means."""
    *_, owner, _, name = ["", "", "", *uri.split("/")]
    ingredients = manifests.get(owner, {}).get("ingredients", [])
    found: Mapping[str, Any] = next((one for one in ingredients if one.get("label") == name), {})
    return str(found.get("title") or name)


def _manifest(
    manifests: Mapping[str, Any],
    label: str,
    deltas: Mapping[str, Any],
    *,
    depth: int,
    state: State,
    failures: Iterable[str],
    title: str | None = None,
    relationship: str | None = None,
) -> Manifest:
    said: Mapping[str, Any] = manifests.get(label, {})
    signature = said.get("signature_info") or {}
    actions = [action for action in _actions(said) if isinstance(action.get("action"), str)]
    ingredients = said.get("ingredients", []) if depth < DEPTH else []
    return Manifest(
        title=title or said.get("title"),
        state=state,
        relationship=relationship,
        generator=_generator(said),
        signer=signature.get("common_name") or signature.get("issuer"),
        issuer=signature.get("issuer"),
        signed_at=signature.get("time"),
        actions=tuple(action["action"] for action in actions),
        source_types=tuple(
            dict.fromkeys(str(action["digitalSourceType"]) for action in actions if action.get("digitalSourceType"))
        ),
        failures=tuple(dict.fromkeys(failures)),
        ingredients=tuple(_ingredient(manifests, label, one, deltas, depth + 1) for one in ingredients),
    )


def _ingredient(
    manifests: Mapping[str, Any], owner: str, said: Mapping[str, Any], deltas: Mapping[str, Any], depth: int
) -> Manifest:
    """Return an ingredient with the state that it had when it was taken in, and what was found wrong since."""
    title, relationship = said.get("title"), said.get("relationship")
    label = said.get("active_manifest")
    if label is None:
        return Manifest(title, "absent", relationship)
    recorded = said.get("validation_results", {})
    active = recorded.get("activeManifest", {})
    failures = [*_codes(active, "failure"), *_codes(said, "validation_status")]
    within = [delta["validationDeltas"] for delta in recorded.get("ingredientDeltas", [])]
    failures += [code for delta in within for code in _codes(delta, "failure")]
    uri = f"self#jumbf=/c2pa/{owner}/c2pa.assertions/{said.get('label')}"
    failures += _codes(deltas.get(uri, {}), "failure")
    state: State = "valid"
    if any(not code.startswith(TOLERATED) for code in failures):
        state = "invalid"
    elif not failures and "signingCredential.trusted" in _codes(active, "success"):
        state = "trusted"
    return _manifest(
        manifests, label, deltas, depth=depth, state=state, failures=failures, title=title, relationship=relationship
    )


def _actions(said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for assertion in said.get("assertions", []):
        if str(assertion.get("label")).startswith("c2pa.actions") and isinstance(assertion.get("data"), dict):
            yield from (action for action in assertion["data"].get("actions", []) if isinstance(action, dict))


def _generator(said: Mapping[str, Any]) -> str | None:
    """Return what made it: `Sora`, `Adobe Premiere Pro (Beta) 25.0.0`."""
    info = next((one for one in said.get("claim_generator_info") or [] if one.get("name")), None)
    if info is not None:
        return " ".join(str(info[key]) for key in ("name", "version") if info.get(key))
    plain = said.get("claim_generator")
    return str(plain).partition(" ")[0].replace("_", " ").replace("/", " ") if plain else None
