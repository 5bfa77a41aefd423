// The backends that there are, one file each.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "backend/probe.h"

namespace nvm::backend {

std::unique_ptr<Backend> make_dax();
std::unique_ptr<Backend> make_memory();

// choose() once the file has been probed.
Medium decide(Probe probe, const std::string& file, std::optional<Kind> wanted);

}  // namespace nvm::backend
