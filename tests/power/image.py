"""The machine's kernel and first file system, made of Debian packages in build/power.

The kernel is unpacked, never installed: nothing about the host changes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "build" / "power"
KERNEL = FOLDER / "vmlinuz"
INITRAMFS = FOLDER / "initramfs"
INIT = Path(__file__).with_name("init")
BUSYBOX = Path("/bin/busybox")

# Debian's kernel for virtual machines: ext4 and DAX are built in, these are modules.
KERNEL_PACKAGE = "linux-image-cloud-amd64"
MODULES = ("virtio_pci", "virtio_blk", "nfit", "nd_pmem")


def output_of(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def unpack_kernel(folder: Path) -> None:
    """Unpack the package that the kernel's meta-package depends on."""
    dependencies = output_of("apt-cache", "depends", KERNEL_PACKAGE)
    found = re.search(r"Depends: (linux-image-\d\S*)", dependencies)
    if found is None:
        raise SystemExit(f"apt knows no kernel: {KERNEL_PACKAGE} (apt-get update?)")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run(["apt-get", "download", "-qq", found[1]], check=True, cwd=folder)
    (package,) = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    package.unlink()


def modules_in_order(kernel: Path, version: str) -> list[Path]:
    """The modules' files, each after those that it needs."""
    subprocess.run(["depmod", "-b", kernel, version], check=True)
    order: dict[Path, None] = {}
    for module in MODULES:
        # Without the host's modprobe.d, whose rules would change the list.
        listed = output_of(
            *("modprobe", "-C", "/dev/null", "-d", kernel, "-S", version),
            *("--show-depends", module),
        )
        order.update(dict.fromkeys(map(Path, re.findall(r"^insmod (\S+)", listed, re.MULTILINE))))
    return list(order)


def libraries_of(program: Path) -> list[Path]:
    """The shared libraries of a program, the loader included."""
    return [Path(name) for name in re.findall(r"(/\S+) \(0x", output_of("ldd", program))]


def fill(root: Path, kernel: Path, version: str, programs: list[Path]) -> None:
    for name in ("bin", "lib", "lib64", "modules"):
        (root / name).mkdir(parents=True)
    shutil.copy2(INIT, root / "init")
    shutil.copy2(BUSYBOX, root / "bin")
    (root / "bin" / "sh").symlink_to("busybox")
    modules = modules_in_order(kernel, version)
    for module in modules:
        shutil.copy2(module, root / "modules")
    (root / "modules" / "order").write_text("".join(f"{module.name}\n" for module in modules))
    for program in programs:
        subprocess.run(["strip", "-o", root / "bin" / program.name, program], check=True)
        for library in libraries_of(program):
            shutil.copy2(library, root / ("lib64" if library.name.startswith("ld-") else "lib"))


def make(programs: list[Path]) -> None:
    """Make KERNEL and INITRAMFS, with these programs in /bin."""
    kernel = FOLDER / "kernel"
    if not KERNEL.exists():
        unpack_kernel(kernel)
        (image,) = kernel.glob("boot/vmlinuz-*")
        shutil.copy2(image, KERNEL)
    (modules,) = kernel.glob("lib/modules/*")
    root = FOLDER / "root"
    shutil.rmtree(root, ignore_errors=True)
    fill(root, kernel, modules.name, programs)
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    # Not compressed: an emulated processor unpacks slowly. Under its name once it is whole: another
    # machine may be starting.
    new = INITRAMFS.with_suffix(".new")
    with new.open("wb") as file:
        subprocess.run(
            ["cpio", "-o", "-H", "newc", "--quiet"],
            check=True,
            cwd=root,
            input=names.encode(),
            stdout=file,
        )
    new.replace(INITRAMFS)
