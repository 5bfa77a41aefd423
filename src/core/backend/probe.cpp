#include "backend/probe.h"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "pmem/error.h"

namespace nvm::backend {
namespace {

struct FileSystem {
  uint32_t magic;
  std::string_view name;
  Family family;
};

// Those that linux/magic.h does not name; from the kernel's and the file systems' own sources.
constexpr uint32_t kLustreMagic = 0x0bd00bd0;
constexpr uint32_t kGfs2Magic = 0x01161970;
constexpr uint32_t kGpfsMagic = 0x47504653;
constexpr uint32_t kBeegfsMagic = 0x19830326;
constexpr uint32_t kOrangefsMagic = 0x20030528;
constexpr uint32_t kPanfsMagic = 0xaad7aaea;
constexpr uint32_t kVboxsfMagic = 0x786f4256;

// What is not here is taken for a disk.
constexpr std::array kFileSystems{
    FileSystem{TMPFS_MAGIC, "tmpfs", Family::memory},
    FileSystem{RAMFS_MAGIC, "ramfs", Family::memory},
    FileSystem{HUGETLBFS_MAGIC, "hugetlbfs", Family::memory},
    FileSystem{EXT4_SUPER_MAGIC, "ext4", Family::disk},
    FileSystem{XFS_SUPER_MAGIC, "xfs", Family::disk},
    FileSystem{BTRFS_SUPER_MAGIC, "btrfs", Family::disk},
    FileSystem{F2FS_SUPER_MAGIC, "f2fs", Family::disk},
    FileSystem{OVERLAYFS_SUPER_MAGIC, "overlay", Family::disk},
    FileSystem{FUSE_SUPER_MAGIC, "fuse", Family::disk},
    FileSystem{NFS_SUPER_MAGIC, "nfs", Family::network},
    FileSystem{SMB_SUPER_MAGIC, "smb", Family::network},
    FileSystem{CIFS_SUPER_MAGIC, "cifs", Family::network},
    FileSystem{SMB2_SUPER_MAGIC, "smb2", Family::network},
    FileSystem{V9FS_MAGIC, "9p", Family::network},
    FileSystem{CEPH_SUPER_MAGIC, "ceph", Family::network},
    FileSystem{AFS_SUPER_MAGIC, "afs", Family::network},
    FileSystem{AFS_FS_MAGIC, "afs", Family::network},
    FileSystem{CODA_SUPER_MAGIC, "coda", Family::network},
    FileSystem{NCP_SUPER_MAGIC, "ncpfs", Family::network},
    FileSystem{OCFS2_SUPER_MAGIC, "ocfs2", Family::network},
    FileSystem{kLustreMagic, "lustre", Family::network},
    FileSystem{kGfs2Magic, "gfs2", Family::network},
    FileSystem{kGpfsMagic, "gpfs", Family::network},
    FileSystem{kBeegfsMagic, "beegfs", Family::network},
    FileSystem{kOrangefsMagic, "orangefs", Family::network},
    FileSystem{kPanfsMagic, "panfs", Family::network},
    FileSystem{kVboxsfMagic, "vboxsf", Family::network},
};

// Types in the mount table, where the magic number is that of all of FUSE.
constexpr std::array<std::string_view, 8> kNetworkFuse{
    "fuse.sshfs", "fuse.glusterfs", "fuse.ceph",    "fuse.ceph-fuse",
    "fuse.s3fs",  "fuse.rclone",    "fuse.gcsfuse", "fuse.moosefs",
};

constexpr size_t kProbeLength = 4096;

[[noreturn]] void throw_errno(const std::string& what, const std::string& file) {
  const int error = errno;
  throw Error(ErrorKind::os, what + ": " + std::strerror(error), error, file);
}

bool is_device_dax(dev_t device) {
  const std::string link = "/sys/dev/char/" + std::to_string(major(device)) + ":" +
                           std::to_string(minor(device)) + "/subsystem";
  std::error_code error;
  return std::filesystem::read_symlink(link, error).filename() == "dax";
}

// The kernel grants MAP_SYNC only where a flushed cache line is durable.
bool maps_synchronously(int fd) {
  void* probe = mmap(nullptr, kProbeLength, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
  if (probe == MAP_FAILED) return false;
  munmap(probe, kProbeLength);
  return true;
}

}  // namespace

Probe identify(uint32_t magic, const Mount& mount) {
  Probe probe{.fs_name = mount.type.empty() ? "unknown" : mount.type};
  const auto known = std::find_if(kFileSystems.begin(), kFileSystems.end(),
                                  [&](const FileSystem& each) { return each.magic == magic; });
  if (known != kFileSystems.end()) {
    if (mount.type.empty()) probe.fs_name = known->name;
    probe.family = known->family;
  }
  if (std::find(kNetworkFuse.begin(), kNetworkFuse.end(), mount.type) != kNetworkFuse.end()) {
    probe.family = Family::network;
  }
  // As new kernels spell it, and as old ones do.
  probe.volatile_overlay = mount.type == "overlay" &&
                           (mount.has_option("fsync=volatile") || mount.has_option("volatile"));
  return probe;
}

Probe probe_file(int fd, const std::string& file) {
  struct stat status {};
  if (fstat(fd, &status) != 0) throw_errno("cannot look at the file", file);
  if (S_ISCHR(status.st_mode) && is_device_dax(status.st_rdev)) {
    return {.fs_name = "device dax", .dax = true};
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::os, "not a regular file", EINVAL, file);
  }
  struct statfs fs {};
  if (fstatfs(fd, &fs) != 0) throw_errno("cannot find out the file system", file);
  Probe probe = identify(static_cast<uint32_t>(fs.f_type), mount_of(fd));
  if (probe.family == Family::disk && maps_synchronously(fd)) {
    probe.dax = true;
    probe.fs_name = "fsdax";
  }
  return probe;
}

}  // namespace nvm::backend
