"""The test machine's disk: Debian as its packages make it, the sensor installed as people install it.  Made once, then
kept.

Each layer has a name made of what went into it, and is made anew only when that changes:

    base-KEY.tar        mmdebstrap: a minimal system
    kernel-VERSION/     the stock kernel, its ELF image, and an initrd that mounts the disk and starts systemd
    machine-KEY.ext4    base + sensor + `ringfence host install` + the harness's hand
"""

import hashlib
import importlib.metadata
import lzma
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).resolve().parent.parent
GUEST: Final = Path(__file__).resolve().parent / "guest"
SUITE: Final = "bookworm"
PACKAGES: Final = ("systemd", "systemd-sysv", "udev", "kmod", "python3")
KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
KERNEL: Final = "linux-image-amd64"
MODULES: Final = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")
APPLETS: Final = ("sh", "mount", "mkdir", "insmod", "switch_root", "sleep", "cat")
DISK_BYTES: Final = 1_200_000_000
PREFIX: Final = "/opt/ringfence"
CLI_MODULE: Final = "ringfence.programs.cli"
PYTHON: Final = f"{PREFIX}/bin/python"
SITE: Final = "lib/python3.11/site-packages"
QUIET: Final = tuple(
    "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer"
    " systemd-firstboot.service systemd-networkd.service".split()
)
"""What would only take time from an emulated processor."""

PROTECTED: Final = ("/usr/local", "/srv")

ALONE: Final = ("--no-console", "--allow-unproven")
"""How it is installed: as on a host whose control plane is elsewhere, and so that a harmful release is not refused for
want of a proof.
"""

SLOWER: Final = 10
WAITS: Final = tuple(
    "QUESTION_DEADLINE_MS QUESTION_GRACE_MS SCANNER_WAIT_MS HEARTBEAT_STALE_MS STANDBY_STALE_MS ZYGOTE_STALE_MS"
    " PROCESS_READY_MS PROCESS_RETIRE_MS OPERATOR_WAIT_MS OPERATOR_QUICK_WAIT_MS OPERATOR_REQUEST_MS SERVER_READY_MS"
    " SERVER_STOP_MS LINEAGE_WAIT_MS SHADOW_SCAN_MS_MAX SHADOW_END_MS".split()
)
"""Waits of the installed sensor that are `SLOWER` times as long, as the emulated processor is slower.  Nothing else in
it is changed.
"""

INIT: Final = """#!/bin/sh
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
while read m; do insmod /lib/modules/$m.ko; done < /lib/modules/order
i=0; while ! mount -t ext4 -o rw /dev/vda /new 2>/dev/null; do sleep 0.1; i=$((i+1)); [ $i = 300 ] && exec sh; done
mount --move /proc /new/proc; mount --move /sys /new/sys; mount --move /dev /new/dev
exec switch_root /new /lib/systemd/systemd
"""


@dataclass(frozen=True, slots=True)
class Image:
    """What a machine is started from."""

    kernel: Path
    initrd: Path
    disk: Path


def image(cache: Path) -> Image:
    """The image, from the cache as far as it is fresh."""
    cache.mkdir(parents=True, exist_ok=True)
    kernel = _kernel(cache)
    base = _base(cache)
    disk = cache / f"machine-{_key(_inputs(), base.name)}.ext4"
    if not disk.exists():
        _forget(cache, "machine-*")
        _forget(cache, "prepared-*")
        _machine(base, disk)
    return Image(kernel / "vmlinux", kernel / "initrd.img", disk)


def _inputs() -> Iterator[bytes]:
    files = [path for folder in ("src", "content", "vm/guest") for path in sorted((ROOT / folder).rglob("*"))]
    for path in [*files, Path(__file__), ROOT / "constraints.txt", ROOT / "pyproject.toml"]:
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(ROOT).as_posix().encode()
            yield path.read_bytes()


def _key(*parts: Iterable[bytes] | str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for piece in [part.encode()] if isinstance(part, str) else part:
            digest.update(len(piece).to_bytes(8, "big") + piece)
    return digest.hexdigest()[:16]


def _forget(cache: Path, pattern: str) -> None:
    for path in cache.glob(pattern):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _run(*words: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        command = " ".join(map(str, words[:6]))
        raise RuntimeError(f"{command} … ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


# --- Debian -----------------------------------------------------------------------------------------------------------


def _base(cache: Path) -> Path:
    """A minimal system, as this machine's own package sources give it."""
    sources = _sources()
    base = cache / f"base-{_key(SUITE, *PACKAGES, *sources)}.tar"
    if not base.exists():
        _forget(cache, "base-*")
        part = base.with_suffix(".part.tar")
        with tempfile.NamedTemporaryFile("w", suffix=".list") as listed:
            listed.write("".join(sources))
            listed.flush()
            words = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
            _run(*words, SUITE, part, listed.name)
        part.replace(base)
    return base


def _sources() -> list[str]:
    """Lines for apt: Debian's own archives of this machine, and no others."""
    form = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    found = set()
    for line in _run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines():
        origin, address, release, component = line.split("|")
        if origin == "Debian" and component == "main" and release.startswith(SUITE):
            found.add(f"deb [signed-by={KEYRING}] {address} {release} main\n")
    return sorted(found)


def _kernel(cache: Path) -> Path:
    """The stock kernel that `KERNEL` depends on now."""
    depends = _run("apt-cache", "depends", KERNEL)
    named = re.search(r"Depends: (linux-image-[0-9]\S+)", depends)
    if named is None:
        raise RuntimeError(f"{KERNEL} names no kernel:\n{depends}")
    policy = re.search(r"Candidate: (\S+)", _run("apt-cache", "policy", named.group(1)))
    kernel = cache / f"kernel-{named.group(1)}-{policy.group(1) if policy else ''}".replace("+", "_")
    if not (kernel / "initrd.img").exists():
        _forget(cache, "kernel-*")
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            _run("apt-get", "download", named.group(1), cwd=Path(scratch))
            (package,) = Path(scratch).glob("*.deb")
            _run("dpkg-deb", "-x", package, f"{scratch}/root")
            kernel.mkdir()
            (image_file,) = Path(scratch, "root/boot").glob("vmlinuz-*")
            (kernel / "vmlinux").write_bytes(_elf_in(image_file.read_bytes()))
            _initrd(Path(scratch) / "root", kernel / "initrd.img")
    return kernel


def _elf_in(packed: bytes) -> bytes:
    """The kernel itself, which QEMU starts without a boot loader."""
    for magic, unpack in ((b"\xfd7zXZ\0", _unxz), (b"\x1f\x8b\x08", _gunzip)):
        at = packed.find(magic)
        while at >= 0:  # the magic also occurs by chance
            try:
                found = unpack(packed[at:])
                if found.startswith(b"\x7fELF"):
                    return found
            except (zlib.error, lzma.LZMAError):
                pass
            at = packed.find(magic, at + 1)
    raise RuntimeError("there is no compressed kernel in the package")


def _unxz(data: bytes) -> bytes:
    return lzma.LZMADecompressor().decompress(data)


def _gunzip(data: bytes) -> bytes:
    return zlib.decompressobj(31).decompress(data)


def _initrd(root: Path, target: Path) -> None:
    """Busybox and the few modules between the kernel and its disk."""
    (version,) = [path.name for path in (root / "lib/modules").iterdir()]
    _run("depmod", "-b", root, version)
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch)
        for folder in ("bin", "lib/modules", "proc", "sys", "dev", "new"):
            (tree / folder).mkdir(parents=True)
        shutil.copy("/bin/busybox", tree / "bin/busybox")
        for name in APPLETS:
            (tree / "bin" / name).symlink_to("busybox")
        order: list[str] = []
        for module in MODULES:
            for line in _run("modprobe", "-d", root, "-S", version, "--show-depends", module).splitlines():
                path = Path(line.split()[1]) if line.startswith("insmod") else None
                if path is not None and path.stem not in order:
                    order.append(path.stem)
                    shutil.copy(path, tree / "lib/modules" / f"{path.stem}.ko")
        (tree / "lib/modules/order").write_text("".join(f"{name}\n" for name in order))
        (tree / "init").write_text(INIT)
        (tree / "init").chmod(0o755)
        names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
        packed = subprocess.run(
            ["cpio", "-o", "-H", "newc", "--quiet"], cwd=tree, input=names.encode(), capture_output=True, check=True
        )
        target.write_bytes(packed.stdout)


# --- the sensor on it
# ---------------------------------------------------------------------------------------------------


def _machine(base: Path, disk: Path) -> None:
    """The disk of one machine on which Ringfence was installed and has never run."""
    with tempfile.TemporaryDirectory(dir=disk.parent) as scratch:
        root = Path(scratch) / "root"
        root.mkdir()
        _run("tar", "-C", root, "-xf", base, "--exclude=./dev")
        for folder in ("dev", "srv", "usr/local/sbin", "usr/lib/vm", "root/releases"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        _install_sensor(root)
        _settle_system(root)
        part = disk.with_suffix(".part")
        part.unlink(missing_ok=True)
        with part.open("wb") as file:
            file.truncate(DISK_BYTES)
        _run("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-d", root, part)
        part.replace(disk)


def _install_sensor(root: Path) -> None:
    """A virtual environment with the wheel and what it needs, as this environment has them."""
    _run("chroot", root, "python3", "-m", "venv", "--without-pip", PREFIX)
    site = root / PREFIX.lstrip("/") / SITE
    for name in _needed("ringfence"):
        if name != "ringfence":
            _copy_distribution(name, site)
    with tempfile.TemporaryDirectory() as scratch:
        python = ROOT / ".venv/bin/python"
        pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check")
        _run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", scratch, ROOT)
        (wheel,) = Path(scratch).glob("*.whl")
        _run(*pip, "install", "--no-deps", "--target", site, wheel)
    _slow_down(site / "ringfence/model/limits.py")
    compile_all = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash")
    _run("chroot", root, "python3", *compile_all, f"{PREFIX}/{SITE}", "/usr/lib/python3.11")


def _slow_down(limits: Path) -> None:
    text = limits.read_text()
    for name in WAITS:
        text, found = re.subn(
            rf"^{name}: Final = ([0-9_]+)$", lambda value: f"{value[0]} * {SLOWER}", text, count=1, flags=re.MULTILINE
        )
        if not found:
            raise RuntimeError(f"there is no limit {name}")
    limits.write_text(text)


def _needed(name: str) -> set[str]:
    """A distribution and everything that it needs to run, by normal name."""
    found: set[str] = set()
    pending = [name]
    while pending:
        one = re.sub(r"[-_.]+", "-", pending.pop()).lower()
        if one in found:
            continue
        found.add(one)
        for text in importlib.metadata.requires(one) or []:
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                pending.append(wanted.name)
    return found


def _copy_distribution(name: str, site: Path) -> None:
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files or []:
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(file.locate()), target)


def _settle_system(root: Path) -> None:
    """Units, the harness's hand, and nothing that asks a person at the first boot."""
    shutil.copy(GUEST / "agent.py", root / "usr/lib/vm/agent.py")
    shutil.copy(GUEST / "hasty_up.py", root / "usr/lib/vm/hasty_up.py")
    shutil.copy(GUEST / "site-check", root / "usr/local/sbin/site-check")
    (root / "usr/local/sbin/site-check").chmod(0o755)
    (root / "etc/hostname").write_text("machine\n")
    (root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
    protect = [word for path in PROTECTED for word in ("--protect", path)]
    # the command asks the kernel what is mounted: in a namespace of its own, so that nothing of it stays behind
    install = f'mount -t proc proc "$0/proc" && exec chroot "$0" {PYTHON} -I -m {CLI_MODULE} host install "$@"'
    _run("unshare", "--mount", "sh", "-c", install, root, *protect, "--mode", "enforce", *ALONE, "--image")
    system = root / "etc/systemd/system"
    installed = _command_of(system / "ringfence.service")
    commands = {
        "@UP@": installed.replace("-I -m ringfence.programs.cli", "-I /usr/lib/vm/hasty_up.py"),
        "@HEALTH@": _command_of(system / "ringfence-boot-health.service"),
    }
    for part in (GUEST / "units.txt").read_text().split("=== ")[1:]:
        name, _, text = part.partition("\n")
        for word, command in commands.items():
            text = text.replace(word, command)
        (system / name).parent.mkdir(exist_ok=True)
        (system / name).write_text(text)
    for unit in ("serial-getty@ttyS0.service", "getty@tty1.service", "getty-static.service", *QUIET):
        _run("systemctl", "--quiet", "--root", root, "mask", unit)
    _run("systemctl", "--quiet", "--root", root, "enable", "vm-agent.service")
    _run("systemctl", "--quiet", "--root", root, "set-default", "multi-user.target")


def _command_of(unit: Path) -> str:
    found = re.search(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{unit} starts nothing")
    return found.group(1)
