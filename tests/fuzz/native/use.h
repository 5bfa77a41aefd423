// A damaged pool in use: opened, checked, read, collected and closed.
#pragma once

#include "fuzz/native/input.h"

namespace nvm::fuzz {

// What check() finds nothing in can be read, and stays sound.
void use(const Damaged& damaged);

}  // namespace nvm::fuzz
