"""The server's CA and certificate: what they are good for, when they are renewed, what is refused."""

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from ringfence.control.tls import TlsFiles, fingerprint, prepare_certificates, server_context
from ringfence.model.errors import ClockWentBack, StateVersionForeign, UsageRefused
from ringfence.model.limits import CA_LIFE_DAYS, CERTIFICATE_LIFE_DAYS, CERTIFICATE_RENEW_DAYS

DAY_MS = 86_400_000
NOW = 1_800_000_000_000


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    """Four files that do not exist yet."""
    return TlsFiles.below(tmp_path)


def test_the_first_call_makes_all_and_the_second_nothing(files: TlsFiles) -> None:
    assert prepare_certificates(files, names=("10.0.0.5",), now_unix_ms=NOW)
    made = [path.read_bytes() for path in (files.ca_certificate, files.ca_key, files.certificate, files.key)]
    assert not prepare_certificates(files, names=("10.0.0.5",), now_unix_ms=NOW + DAY_MS)
    assert made == [path.read_bytes() for path in (files.ca_certificate, files.ca_key, files.certificate, files.key)]
    assert {path.stat().st_mode & 0o777 for path in (files.ca_key, files.key)} == {0o600}
    assert len(fingerprint(files)) == 64


def test_the_ca_may_sign_for_its_names_only(files: TlsFiles) -> None:
    prepare_certificates(files, names=("control.example",), now_unix_ms=NOW)
    ca = x509.load_pem_x509_certificate(files.ca_certificate.read_bytes())
    permitted = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert permitted.critical
    assert [str(name.value) for name in permitted.value.permitted_subtrees or []] == [
        "control.example", "localhost", "127.0.0.1/32", "::1/128",
    ]  # fmt: skip
    with pytest.raises(UsageRefused, match=r"bank\.example"):
        prepare_certificates(files, names=("bank.example",), now_unix_ms=NOW)


def test_the_certificate_is_renewed_before_it_ends_and_the_ca_stays(files: TlsFiles) -> None:
    prepare_certificates(files, names=(), now_unix_ms=NOW)
    ca = files.ca_certificate.read_bytes()
    good_days = CERTIFICATE_LIFE_DAYS - CERTIFICATE_RENEW_DAYS
    assert not prepare_certificates(files, names=(), now_unix_ms=NOW + (good_days - 1) * DAY_MS)
    assert prepare_certificates(files, names=(), now_unix_ms=NOW + good_days * DAY_MS)
    assert files.ca_certificate.read_bytes() == ca


@pytest.mark.parametrize("damaged", ["certificate", "key"])
def test_a_pair_that_does_not_fit_is_made_anew(files: TlsFiles, damaged: str) -> None:
    prepare_certificates(files, names=(), now_unix_ms=NOW)
    getattr(files, damaged).write_text("damaged")
    assert prepare_certificates(files, names=(), now_unix_ms=NOW)


def test_a_certificate_of_another_ca_is_made_anew(files: TlsFiles, tmp_path: Path) -> None:
    prepare_certificates(files, names=(), now_unix_ms=NOW)
    (tmp_path / "other").mkdir()
    other = TlsFiles.below(tmp_path / "other")
    prepare_certificates(other, names=(), now_unix_ms=NOW)
    files.certificate.write_bytes(other.certificate.read_bytes())
    files.key.write_bytes(other.key.read_bytes())
    assert prepare_certificates(files, names=(), now_unix_ms=NOW)


def test_a_ca_is_never_replaced_silently(files: TlsFiles) -> None:
    prepare_certificates(files, names=(), now_unix_ms=NOW)
    with pytest.raises(ClockWentBack):
        prepare_certificates(files, names=(), now_unix_ms=NOW - DAY_MS)
    with pytest.raises(StateVersionForeign, match="ended"):
        prepare_certificates(files, names=(), now_unix_ms=NOW + CA_LIFE_DAYS * DAY_MS)
    files.ca_key.unlink()
    with pytest.raises(StateVersionForeign, match="cannot be read"):
        prepare_certificates(files, names=(), now_unix_ms=NOW)


def test_a_real_client_that_pins_the_ca_shakes_hands(files: TlsFiles) -> None:
    import time  # noqa: PLC0415  # this one test needs the machine's own time: openssl looks at it

    prepare_certificates(files, names=("127.0.0.1",), now_unix_ms=time.time_ns() // 1_000_000)
    ours, theirs = socket.socketpair()
    server = threading.Thread(target=lambda: server_context(files).wrap_socket(theirs, server_side=True).close())
    server.start()
    with ssl.create_default_context(cafile=str(files.ca_certificate)).wrap_socket(
        ours, server_hostname="127.0.0.1"
    ) as connection:
        assert connection.version() == "TLSv1.3"
        assert connection.recv(1) == b""
    server.join()
