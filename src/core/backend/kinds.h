// The backends that there are, one file each.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace nvm::backend {

std::unique_ptr<Backend> make_dax();
std::unique_ptr<Backend> make_memory();

// Until the journal is built.
[[noreturn]] void refuse_journal();

}  // namespace nvm::backend
