// What the kernel's mount table says about an open file.
#pragma once

#include <string>
#include <string_view>

namespace nvm::backend {

struct Mount {
  std::string type;     // "ext4", "fuse.sshfs", ...; empty: not known (no /proc)
  std::string options;  // of the file system (not of the mount point), separated by commas

  bool has_option(std::string_view name) const;
};

// By the mount's number, which is exact even where one file system is mounted at several places and
// where an overlay shows the device numbers of what is below it.
Mount mount_of(int fd);

// The same from the table's text; for `mount_of` and its tests.
Mount find_mount(std::string_view mountinfo, std::string_view mount_id);

}  // namespace nvm::backend
