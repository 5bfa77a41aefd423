// The steps of creation and growth, so that tests can end the process between any two of them.
#pragma once

namespace nvm::heap {

enum class Step {
  temporary_made,     // a file of a temporary name, empty
  space_allocated,    // all of its bytes are there
  heap_made,          // libpmemobj has initialised it
  root_made,          // with a root object of zeros
  about_to_publish,   // the caller has filled the root object
  published,          // the file has its name
  file_extended,      // growth: the file is longer than its heap
  closed_for_growth,  // libpmemobj has let it go
  heap_extended,      // the descriptor knows the new size
  grown,              // and it is open again
};

// Called after each step if set. For tests; not thread-safe.
inline void (*step_hook)(Step) = nullptr;

inline void passed(Step step) {
  if (step_hook != nullptr) step_hook(step);
}

}  // namespace nvm::heap
