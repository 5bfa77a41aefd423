// PersistentTuple.
#pragma once

#include <Python.h>

#include "container.h"

namespace nvm::bindings {

bool is_tuple(PyObject* object) noexcept;

// All items in an ordinary tuple.
Ref tuple_snapshot(Proxy* self);

}  // namespace nvm::bindings
