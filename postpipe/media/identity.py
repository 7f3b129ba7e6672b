"""Who signs: a certificate and what makes the signatures that belong to it.

A private key is read when it is used, stays in this process and is written nowhere.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes

DEVELOPMENT = "postpipe development certificate, vouches for nobody"
"""What a certificate that was made for one run is called, wherever a signer is shown."""

DEVELOPMENT_DAYS = 3650
"""The key is thrown away after the run; without a time stamp, a file is valid only while its certificate is."""

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


def held_identity(certificate: Path, sign: SignBytes) -> Identity:
    """Return the signer of a certificate chain, PEM, whose key is kept elsewhere: `sign` is what is asked to sign.

    Raises `SigningError` as `file_identity`.
    """
    chain = _read_chain(certificate)
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


def password_from(variable: str | None) -> str | None:
    """Return the password in an environment variable. Raises `SigningError` where it is not set."""
    if variable is None:
        return None
    password = os.environ.get(variable)
    if password is None:
        raise SigningError(f"the environment variable {variable} ([provenance] password_variable) is not set")
    return password
