// nvm.pmem2: libpmem2. One line for each of its types.
#include "kit/pmem2/pmem2.h"

namespace nvm::bindings::kit {

void register_pmem2(PyObject* module) {
  pmem2::register_names(module);
  pmem2::register_source(module);
  pmem2::register_bad_blocks(module);
  pmem2::register_reservation(module);
  pmem2::register_config(module);
  pmem2::register_map(module);
}

}  // namespace nvm::bindings::kit
