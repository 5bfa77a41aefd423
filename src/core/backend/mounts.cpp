#include "backend/mounts.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace nvm::backend {
namespace {

// In a line of the mount table, before the type.
constexpr std::string_view kAfterOptionalFields = " - ";

std::string read_text(const std::string& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// Cuts off and returns what comes before the next `separator`, or all there is.
std::string_view take(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return head;
}

// The value of "mnt_id:\t29" in /proc/self/fdinfo/N.
std::string_view mount_id(std::string_view fdinfo) {
  while (!fdinfo.empty()) {
    std::string_view line = take(fdinfo, '\n');
    if (take(line, ':') != "mnt_id") continue;
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return line;
  }
  return {};
}

}  // namespace

bool Mount::has_option(std::string_view name) const {
  std::string_view rest = options;
  while (!rest.empty()) {
    if (take(rest, ',') == name) return true;
  }
  return false;
}

// A line of proc_pid_mountinfo(5):
//   36 35 98:0 /root /mount rw,noatime master:1 - ext3 /dev/root rw,errors=continue
Mount find_mount(std::string_view mountinfo, std::string_view mount_id) {
  while (!mountinfo.empty() && !mount_id.empty()) {
    std::string_view line = take(mountinfo, '\n');
    if (take(line, ' ') != mount_id) continue;
    const size_t separator = line.find(kAfterOptionalFields);
    if (separator == std::string_view::npos) return {};
    line.remove_prefix(separator + kAfterOptionalFields.size());
    Mount mount;
    mount.type = take(line, ' ');
    take(line, ' ');  // the device
    mount.options = line;
    return mount;
  }
  return {};
}

Mount mount_of(int fd) {
  const std::string fdinfo = read_text("/proc/self/fdinfo/" + std::to_string(fd));
  return find_mount(read_text("/proc/self/mountinfo"), mount_id(fdinfo));
}

}  // namespace nvm::backend
