#include "log/log_layout.h"

#include <cerrno>

#include "heap/file/posix_file.h"

namespace nvm::log {

void check(const tools::PoolView& view) {
  view.require(tools::PoolKind::log, kMajor);
  const auto damaged = [&](const std::string& what) {
    heap::throw_error(ErrorKind::corrupt, view.path(), "damaged: " + what, EUCLEAN);
  };
  if (view.size() < kStart) damaged("there is no room for a log");
  const LogDescriptor& log = descriptor_of(view);
  if (log.start != kStart) damaged("the log begins at " + std::to_string(log.start));
  if (log.end > view.size())
    damaged("truncated: the log ends at " + std::to_string(log.end) + ", the pool has only " +
            std::to_string(view.size()) + " bytes");
  if (log.write < log.start || log.write > log.end)
    damaged("the next byte would be written at " + std::to_string(log.write));
}

}  // namespace nvm::log
