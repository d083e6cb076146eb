"""The server's own certificate authority and its certificate, made at first start and renewed without a person.

1. The CA's key never leaves `DIR/server/ca.key` (0600); the CA may sign for the names it was made for and for this
   machine, nothing else (name constraints), so a stolen CA key cannot pretend to be the rest of the internet.
2. The server's certificate lives `CERTIFICATE_LIFE_DAYS` and is renewed when `CERTIFICATE_RENEW_DAYS` are left, when
   the names change, or when it does not fit its key or CA.
3. A CA that has ended, or has not begun because the clock went back, is never replaced silently: hosts pin it.

Hosts and `ringfence up` trust `ca.pem`; browsers show a warning until a person imports it.
"""

import datetime as dt
import ipaddress
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ringfence.model.errors import ClockWentBack, StateVersionForeign, UsageRefused
from ringfence.model.limits import CA_LIFE_DAYS, CERTIFICATE_LIFE_DAYS, CERTIFICATE_RENEW_DAYS

_ALWAYS_NAMED: Final = ("localhost", "127.0.0.1", "::1")
_BACKDATED: Final = dt.timedelta(minutes=10)
"""A host whose clock is a little slow must not find the certificate "not yet valid"."""

_PRIVATE_MODE: Final = 0o600
_PUBLIC_MODE: Final = 0o644


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the four files are."""

    ca_certificate: Path
    ca_key: Path
    certificate: Path
    key: Path

    @classmethod
    def below(cls, directory: Path) -> "TlsFiles":
        """The files of a server's state directory."""
        return cls(directory / "ca.pem", directory / "ca.key", directory / "server.pem", directory / "server.key")


def prepare_certificates(files: TlsFiles, *, names: tuple[str, ...], now_unix_ms: int) -> bool:
    """Make whatever is missing, damaged or about to end.  Returns whether there is a new certificate.

    `names` are the DNS names and addresses that hosts and browsers use, besides those of this machine.
    Raises `ClockWentBack` when the CA has not begun yet, `StateVersionForeign` when the CA is unreadable or has ended,
    `UsageRefused` when the CA may not sign for one of the names.
    """
    now = dt.datetime.fromtimestamp(now_unix_ms / 1000, dt.UTC)
    if not files.ca_key.exists() and not files.ca_certificate.exists():
        _make_ca(files, names, now)
    ca_key, ca = _load_ca(files, now)
    _check_permitted(ca, names)
    if _is_good(files, ca, names, now):
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(f"Ringfence server {names[0] if names else _ALWAYS_NAMED[0]}"))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(min(now + dt.timedelta(days=CERTIFICATE_LIFE_DAYS), ca.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in _all(names)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_key_usage(is_ca=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    # Key first: a crash in between leaves a pair that does not fit, which the next start notices and makes anew.
    write_durably(files.key, _private_pem(key), _PRIVATE_MODE)
    write_durably(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), _PUBLIC_MODE)
    return True


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.2 and up with the server's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(files.certificate, files.key)
    return context


def fingerprint(files: TlsFiles) -> str:
    """SHA-256 of the CA's certificate, for a person to compare."""
    return x509.load_pem_x509_certificate(files.ca_certificate.read_bytes()).fingerprint(hashes.SHA256()).hex()


def _make_ca(files: TlsFiles, names: tuple[str, ...], now: dt.datetime) -> None:
    """Make a CA that can sign for this server's names only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name("Ringfence server CA")
    permitted = [_constraint(name) for name in _all(names)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + dt.timedelta(days=CA_LIFE_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
        .add_extension(_key_usage(is_ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_durably(files.ca_key, _private_pem(key), _PRIVATE_MODE)
    write_durably(files.ca_certificate, certificate.public_bytes(serialization.Encoding.PEM), _PUBLIC_MODE)


def _load_ca(files: TlsFiles, now: dt.datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Read the CA and refuse one that is damaged, over, or not begun."""
    way_out = (
        f"restore {files.ca_key} and {files.ca_certificate} from a copy; removing both makes every host enrol again"
    )
    try:
        key = serialization.load_pem_private_key(files.ca_key.read_bytes(), password=None)
        ca = x509.load_pem_x509_certificate(files.ca_certificate.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise StateVersionForeign(f"the server's CA cannot be read: {error}", way_out) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or ca.public_key() != key.public_key():
        raise StateVersionForeign("the server's CA certificate does not fit its key", way_out)
    if now < ca.not_valid_before_utc:
        raise ClockWentBack(
            f"the clock says {now:%Y-%m-%d %H:%M} UTC, its CA was made at {ca.not_valid_before_utc:%Y-%m-%d %H:%M}",
            "set the clock and start again",
        )
    if now >= ca.not_valid_after_utc:
        raise StateVersionForeign(f"the server's CA ended at {ca.not_valid_after_utc:%Y-%m-%d}", way_out)
    return key, ca


def _is_good(files: TlsFiles, ca: x509.Certificate, names: tuple[str, ...], now: dt.datetime) -> bool:
    """Whether the certificate can be used for some time, for these names, with this key, under this CA."""
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
        certificate.verify_directly_issued_by(ca)
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    renew_at = certificate.not_valid_after_utc - dt.timedelta(days=CERTIFICATE_RENEW_DAYS)
    return (
        certificate.not_valid_before_utc <= now < renew_at
        and certificate.public_key() == key.public_key()
        and all(_general_name(name) in named for name in _all(names))
    )


def _check_permitted(ca: x509.Certificate, names: tuple[str, ...]) -> None:
    """Refuse a name that the CA was not made for.  Raises `UsageRefused`."""
    permitted = ca.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    for name in _all(names):
        if _constraint(name) not in permitted:
            raise UsageRefused(
                f"the server's CA was not made for the name {name}",
                "listen where it was made for; or remove ca.pem and ca.key of the state directory's server/ and enrol"
                " every host again",
            )


def _all(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names the server answers to: those given, and this machine's own; each once."""
    return tuple(dict.fromkeys((*names, *_ALWAYS_NAMED)))


def _general_name(name: str) -> x509.GeneralName:
    """An IP address or a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _constraint(name: str) -> x509.GeneralName:
    """The same as a name constraint: one address is a network of one."""
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name)


def _name(text: str) -> x509.Name:
    """A distinguished name with one part."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    """What the key may do: a CA signs certificates, a server signs handshakes."""
    return x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key as it is kept: not encrypted, because nobody is there to type a password when the machine starts."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_durably(file: Path, data: bytes, mode: int) -> None:
    """Write a file durably and all at once, never readable by more than `mode` says."""
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
