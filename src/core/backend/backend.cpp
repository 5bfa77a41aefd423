// Names, the plain memory functions, and the way from libpmemobj's calls to a Backend.
#include "backend/backend.h"

#include <libpmem.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "backend/kinds.h"
#include "pmem/error.h"
#include "pmem/interpose/interpose.h"

namespace nvm::backend {
namespace {

namespace interpose = pmem::interpose;

constexpr std::array<std::pair<Kind, std::string_view>, 3> kNames{{
    {Kind::dax, "dax"},
    {Kind::memory, "memory"},
    {Kind::journal, "journal"},
}};

Backend& backend_of(void* context) { return *static_cast<Backend*>(context); }

constexpr interpose::Operations kOperations{
    .is_pmem = [](void* context, const void* address, size_t length) -> bool {
      return backend_of(context).is_pmem(address, length);
    },
    .flush = [](void* context, const void* address,
                size_t length) { backend_of(context).flush(address, length); },
    .drain = [](void* context) { backend_of(context).drain(); },
    .deep_flush = [](void* context, const void* address,
                     size_t length) { backend_of(context).deep_flush(address, length); },
    .msync = [](void* context, const void* address,
                size_t length) { backend_of(context).msync(address, length); },
    .copy = [](void* context, void* destination, const void* source, size_t length, unsigned flags)
        -> void* { return backend_of(context).copy(destination, source, length, flags); },
    .move = [](void* context, void* destination, const void* source, size_t length, unsigned flags)
        -> void* { return backend_of(context).move(destination, source, length, flags); },
    .set = [](void* context, void* destination, int byte, size_t length, unsigned flags) -> void* {
      return backend_of(context).set(destination, byte, length, flags);
    },
};

#if NVM_CRASH_HOOKS
Factory factory = nullptr;
#endif

// What libpmem's memory functions do after the last byte is stored.
void flush_and_drain(Backend& backend, const void* address, size_t length, unsigned flags) {
  if ((flags & PMEM_F_MEM_NOFLUSH) != 0) return;
  backend.flush(address, length);
  if ((flags & PMEM_F_MEM_NODRAIN) == 0) backend.drain();
}

}  // namespace

std::string_view name_of(Kind kind) noexcept {
  for (const auto& [known, name] : kNames) {
    if (known == kind) return name;
  }
  return "unknown";
}

Kind kind_from_name(std::string_view name) {
  for (const auto& [kind, known] : kNames) {
    if (known == name) return kind;
  }
  throw Error(ErrorKind::value,
              "backend must be 'dax', 'journal' or 'memory', not '" + std::string(name) + "'");
}

#if NVM_CRASH_HOOKS
Factory set_factory(Factory next) noexcept { return std::exchange(factory, next); }
#endif

std::unique_ptr<Backend> make(Kind kind) {
#if NVM_CRASH_HOOKS
  if (factory != nullptr) return factory(kind);
#endif
  switch (kind) {
    case Kind::dax:
      return make_dax();
    case Kind::memory:
      return make_memory();
    case Kind::journal:
      break;  // it is made with what it needs of its pool: journal::Journal
  }
  throw Error(ErrorKind::internal, "a backend that cannot be made by its kind alone");
}

bool Backend::is_pmem(const void*, size_t) noexcept { return true; }

int Backend::msync(const void* address, size_t length) noexcept {
  flush(address, length);
  drain();
  return 0;
}

int Backend::deep_flush(const void* address, size_t length) noexcept {
  flush(address, length);
  return 0;
}

void* Backend::copy(void* destination, const void* source, size_t length, unsigned flags) noexcept {
  std::memcpy(destination, source, length);
  flush_and_drain(*this, destination, length, flags);
  return destination;
}

void* Backend::move(void* destination, const void* source, size_t length, unsigned flags) noexcept {
  std::memmove(destination, source, length);
  flush_and_drain(*this, destination, length, flags);
  return destination;
}

void* Backend::set(void* destination, int byte, size_t length, unsigned flags) noexcept {
  std::memset(destination, byte, length);
  flush_and_drain(*this, destination, length, flags);
  return destination;
}

void attach(Backend& backend, const void* base, size_t length) {
  if (!interpose::attach(base, length, {&kOperations, &backend})) {
    throw Error(ErrorKind::os,
                "more than " + std::to_string(interpose::kMaxRanges) + " pools are open", EMFILE);
  }
  backend.attached(base, length);
}

void detach(const void* base) noexcept {
  void* const context = interpose::detach(base).context;
  if (context != nullptr) backend_of(context).detached();
}

Opening::Opening(Backend& backend) noexcept
    : before_(static_cast<Backend*>(interpose::set_opening({&kOperations, &backend}).context)) {}

Opening::~Opening() {
  interpose::set_opening(before_ == nullptr ? interpose::Target{}
                                            : interpose::Target{&kOperations, before_});
}

}  // namespace nvm::backend
