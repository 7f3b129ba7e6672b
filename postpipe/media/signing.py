"""Sign MP4 and MOV files: who signs, and what is signed, by the C2PA project's own library.

A private key is read when it is used, stays in this process and is written nowhere.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from postpipe.media.credentials import BUFFER_BYTES, context
from postpipe.provenance import Trust

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes

DEVELOPMENT = "postpipe development certificate, vouches for nobody"
"""What a certificate that was made for one run is called, wherever a signer is shown."""

DEVELOPMENT_DAYS = 3650
"""The key is thrown away after the run; without a time stamp, a file is valid only while its certificate is."""

COMMAND_SECONDS = 120

SignBytes = Callable[[bytes], bytes]
"""Signs bytes: ECDSA as r and s one after the other (IEEE P1363), RSA as PSS with SHA-2, or Ed25519."""


class SigningError(Exception):
    """Something that is to sign does not, or a file cannot be signed; its text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs: the certificate chain as PEM, the certificate of the signer first, and its algorithm (`es256`, …)."""

    chain: str
    algorithm: str
    sign: SignBytes


# Who signs


def development_identity() -> Identity:
    """Return a signer that is made for this run, by an authority of its own; both say so in their names."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(text: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "postpipe development, not verified"),
                x509.NameAttribute(NameOID.COMMON_NAME, text),
            ]
        )

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = name("postpipe development authority, vouches for nobody")
    now = datetime.now(UTC)

    def certificate(subject: x509.Name, public: ec.EllipticCurvePublicKey, *, authority: bool) -> x509.Certificate:
        usage = x509.KeyUsage(
            digital_signature=not authority,
            key_cert_sign=authority,
            crl_sign=authority,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            x509.CertificateBuilder(root_name, subject, public, x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=DEVELOPMENT_DAYS))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        )
        if not authority:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purpose, critical=False)
        return builder.sign(root_key, hashes.SHA256())

    chain = [
        certificate(name(DEVELOPMENT), key.public_key(), authority=False),
        certificate(root_name, root_key.public_key(), authority=True),
    ]
    return Identity(_pem(chain), "es256", _key_signer(key, "es256"))


def file_identity(certificate: Path, key: Path, password: str | None) -> Identity:
    """Return the signer of a certificate chain and a private key, both PEM.

    Raises `SigningError` for what is not one, for a wrong password, an expired certificate, a key of another
    certificate, and a chain whose certificates did not issue each other in order.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    chain, pem = _read_chain(certificate), _read(key)
    try:
        private = load_pem_private_key(pem, None if password is None else password.encode())
    except TypeError:
        if password is not None:
            raise SigningError(f"{key}: has no password; take [provenance] password_variable out") from None
        raise SigningError(
            f"{key}: has a password; name the environment variable that holds it: [provenance] password_variable"
        ) from None
    except ValueError as error:
        wrong = password is not None and "password" in str(error).lower()
        fault = "the password is wrong; check the environment variable" if wrong else "is no private key in PEM"
        raise SigningError(f"{key}: {fault}") from None
    except Exception as error:  # the library has an exception of its own for each kind of key that it does not know
        raise SigningError(f"{key}: cannot be used ({type(error).__name__}); give a key in PEM (PKCS #8)") from None

    def public(one: CertificatePublicKeyTypes) -> bytes:
        return one.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    if public(chain[0].public_key()) != public(private.public_key()):  # type: ignore[arg-type]  # same kinds of key
        raise SigningError(f"{key}: is not the key of {certificate}; name the two that belong together")
    algorithm = _algorithm(certificate, chain)
    return Identity(_pem(chain), algorithm, _key_signer(private, algorithm))


def command_identity(certificate: Path, command: Sequence[str]) -> Identity:
    """Return the signer of a certificate chain whose key another program keeps.

    The program gets the bytes to be signed on its standard input and writes the signature, see `SignBytes`, to its
    standard output. Raises `SigningError` like `file_identity`.
    """
    chain = _read_chain(certificate)

    def sign(data: bytes) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 — the user named the program
                list(command), input=data, capture_output=True, timeout=COMMAND_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SigningError(f"{command[0]}: cannot be run ({error}); check [provenance] signer") from None
        if done.returncode or not done.stdout:
            words = done.stderr.decode(errors="replace").strip()[-300:] or "it wrote no signature"
            raise SigningError(f"{command[0]}: ended with {done.returncode}: {words}")
        return done.stdout

    return Identity(_pem(chain), _algorithm(certificate, chain), sign)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SigningError(f"{path}: cannot be read ({error.strerror}); check [provenance]") from None


def _read_chain(path: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, the signer's first. Raises `SigningError`."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        chain = x509.load_pem_x509_certificates(_read(path))
    except ValueError:
        raise SigningError(f"{path}: holds no certificate in PEM; name the signer's chain") from None
    now = datetime.now(UTC)
    for one in chain:
        name = one.subject.rfc4514_string()
        if one.not_valid_after_utc < now:
            raise SigningError(f"{path}: {name} expired on {one.not_valid_after_utc:%Y-%m-%d}; renew it")
        if one.not_valid_before_utc > now:
            raise SigningError(f"{path}: {name} is valid from {one.not_valid_before_utc:%Y-%m-%d} on; check the clock")
    for one, issuer in itertools.pairwise(chain):
        try:
            one.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            raise SigningError(
                f"{path}: {one.subject.rfc4514_string()} was not issued by the certificate after it, "
                f"{issuer.subject.rfc4514_string()}; put the signer's first, then its issuer's, and so on"
            ) from None
    if len(chain) == 1 and chain[0].subject == chain[0].issuer:
        raise SigningError(f"{path}: is signed by itself, which C2PA does not allow; use one that an authority issued")
    return chain


def _pem(chain: Iterable[x509.Certificate]) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return b"".join(one.public_bytes(Encoding.PEM) for one in chain).decode()


def _algorithm(path: Path, chain: Sequence[x509.Certificate]) -> str:
    """Return the algorithm that belongs to the kind of the signer's key. Raises `SigningError`."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    key = chain[0].public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        return "ps256"
    curves = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in curves:
        return curves[key.curve.name]
    raise SigningError(f"{path}: this kind of key cannot sign C2PA; use ECDSA (P-256, P-384, P-521), RSA or Ed25519")


def _key_signer(key: PrivateKeyTypes, algorithm: str) -> SignBytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

    digests = {"es256": hashes.SHA256(), "es384": hashes.SHA384(), "es512": hashes.SHA512(), "ps256": hashes.SHA256()}

    def sign(data: bytes) -> bytes:
        if isinstance(key, ec.EllipticCurvePrivateKey):
            size = (key.curve.key_size + 7) // 8
            halves = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digests[algorithm])))
            return b"".join(half.to_bytes(size, "big") for half in halves)
        if isinstance(key, rsa.RSAPrivateKey):
            digest = digests[algorithm]
            return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        raise AssertionError("_algorithm lets no other key pass")

    return sign


# What is signed


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A file that another one was made of. `label` is what actions call it by, `relationship` as in `Manifest`.

    A `bare` one is taken in without a manifest: it has none, or one that cannot be read.
    """

    path: Path
    label: str
    title: str
    relationship: str
    description: str | None = None
    bare: bool = False


class Signing:
    """A signer at work; a context manager. Time stamps come from `time_stamps` (RFC 3161), where one is named."""

    def __init__(self, identity: Identity, trust: Trust, time_stamps: str | None = None) -> None:
        import c2pa

        self._identity = identity
        self._fault: Exception | None = None
        self._context = context(trust, time_stamps)
        algorithm = c2pa.C2paSigningAlg[identity.algorithm.upper()]
        try:
            self._signer = c2pa.Signer.from_callback(self._sign, algorithm, identity.chain, time_stamps)
        except c2pa.C2paError as error:
            raise SigningError(f"the certificate cannot sign: {error}") from None

    def __enter__(self) -> Signing:
        return self

    def __exit__(self, *_: object) -> None:
        self._signer.close()

    def _sign(self, data: bytes) -> bytes:
        try:
            return self._identity.sign(data)
        except Exception as error:  # of what is raised here the library tells nothing
            self._fault = error
            return b""

    def sign(
        self, source: Path, target: Path, definition: Mapping[str, Any], ingredients: Iterable[Ingredient]
    ) -> None:
        """Write `target`: the file `source` with a manifest. Raises `SigningError`; `target` is gone then.

        `definition` is the manifest as the library takes it. Ingredients are read one after the other, each with the
        manifest that it has.
        """
        import c2pa

        media_type = MEDIA_TYPES[target.suffix.lower()]
        try:
            builder = c2pa.Builder(json.dumps(definition), context=self._context)
            for one in ingredients:
                said = {"title": one.title, "label": one.label, "relationship": one.relationship}
                if one.description:
                    said["description"] = one.description
                with one.path.open("rb", buffering=BUFFER_BYTES) as file:
                    builder.add_ingredient(json.dumps(said), UNKNOWN if one.bare else _media_type(one.path), file)
            with (
                source.open("rb", buffering=BUFFER_BYTES) as given,
                target.open("w+b", buffering=BUFFER_BYTES) as made,
            ):
                builder.sign(self._signer, media_type, given, made)
        except (c2pa.C2paError, OSError) as error:
            target.unlink(missing_ok=True)
            self._fail(error)

    def _fail(self, error: Exception) -> NoReturn:
        fault, self._fault = self._fault or error, None
        if isinstance(fault, SigningError):
            raise fault
        raise SigningError(f"cannot be signed: {fault}") from None


MEDIA_TYPES = {".mp4": "video/mp4", ".mov": "video/quicktime"}
UNKNOWN = "application/octet-stream"
"""What the library does not look into."""


def _media_type(path: Path) -> str:
    """Return the media type of an ingredient, from its first bytes: names mislead, and so the library would be."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "video/mp4"
    return "video/avi" if head[:4] == b"RIFF" and head[8:] == b"AVI " else UNKNOWN


def password_from(variable: str | None) -> str | None:
    """Return the password in an environment variable. Raises `SigningError` where it is not set."""
    if variable is None:
        return None
    password = os.environ.get(variable)
    if password is None:
        raise SigningError(f"the environment variable {variable} ([provenance] password_variable) is not set")
    return password
