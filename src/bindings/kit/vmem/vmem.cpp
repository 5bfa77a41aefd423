// nvm.vmem: libmemkind. One line for each of its parts.
#include "kit/vmem/vmem.h"

#include <array>
#include <cerrno>

namespace nvm::bindings::kit {

namespace vmem {

namespace {

int errno_of(int code) noexcept {
  switch (code) {
    case MEMKIND_ERROR_UNAVAILABLE:
    case MEMKIND_ERROR_MEMTYPE_NOT_AVAILABLE:
      return ENODEV;
    case MEMKIND_ERROR_MMAP:
    case MEMKIND_ERROR_MBIND:
    case MEMKIND_ERROR_MALLOC:
    case MEMKIND_ERROR_HUGETLB:
    case MEMKIND_ERROR_ARENAS_CREATE:
      return ENOMEM;
    case MEMKIND_ERROR_TOOMANY:
      return ENFILE;
    case MEMKIND_ERROR_OPERATION_FAILED:
    case MEMKIND_ERROR_RUNTIME:
      return EIO;
    default:
      return EINVAL;
  }
}

}  // namespace

void check_memkind(int code, const std::string& file) {
  if (code == MEMKIND_SUCCESS) return;
  std::array<char, MEMKIND_ERROR_MESSAGE_SIZE> message{};
  memkind_error_message(code, message.data(), message.size());
  throw_library_error(errno_of(code), message.data(), file);
}

}  // namespace vmem

void register_vmem(PyObject* module) {
  vmem::register_heap(module);
  vmem::register_buffer(module);
  vmem::register_kinds(module);
  vmem::register_numpy(module);
}

}  // namespace nvm::bindings::kit
