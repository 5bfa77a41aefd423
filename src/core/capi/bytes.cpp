// Byte arrays in the C interface.
#include <cstring>

#include "capi/calls.h"
#include "object/bytearray/bytearray.h"

using namespace nvm::capi;  // NOLINT(google-build-using-namespace): the functions are outside of it

namespace {

namespace bytearray = nvm::object::bytearray;

// Whether buffers may forbid another size.
bool size_is_fixed(Operation& op, Offset offset) {
  nvm::heap::Exports& exports = op.pool().exports();
  return exports.exported(bytearray::place(op.pool(), offset).block) || exports.any_detached();
}

}  // namespace

extern "C" {

int64_t nvm_bytes_size(int64_t handle) noexcept {
  return reading(handle, kNoSize, [](Pool& pool, Offset offset) {
    return static_cast<int64_t>(bytearray::size(pool, offset));
  });
}

int64_t nvm_bytes_get(int64_t handle, int64_t index) noexcept {
  return reading(handle, kNoSize, [&](Pool& pool, Offset offset) {
    const bytearray::Bytes bytes = bytearray::bytes(pool, offset);
    const auto place = place_in(bytes.size(), index);
    return place ? int64_t{bytes[*place]} : kNoSize;
  });
}

int64_t nvm_bytes_slice(int64_t handle, int64_t start, int64_t stop, int64_t most,
                        char* to) noexcept {
  return reading(handle, kNoSize, [&](Pool& pool, Offset offset) {
    const bytearray::Bytes bytes = bytearray::bytes(pool, offset);
    const auto [begin, end] = range_in(bytes.size(), start, stop);
    const uint64_t count = end - begin;
    if (count > static_cast<uint64_t>(most)) return kNoSize;
    if (count != 0) std::memcpy(to, bytes.data() + begin, count);
    return static_cast<int64_t>(count);
  });
}

int64_t nvm_bytes_set(int64_t handle, int64_t index, int64_t byte) noexcept {
  if (byte < 0 || byte > UINT8_MAX) return kNo;
  return changing(handle, kNo, [&](Operation& op, Offset offset) {
    const auto place = place_in(bytearray::size(op.pool(), offset), index);
    if (!place) return kNo;
    bytearray::set(op, offset, *place, static_cast<uint8_t>(byte));
    return kDone;
  });
}

int64_t nvm_bytes_splice(int64_t handle, int64_t start, int64_t stop, const char* content,
                         int64_t length) noexcept {
  return changing(handle, kNo, [&](Operation& op, Offset offset) {
    const auto [begin, end] = range_in(bytearray::size(op.pool(), offset), start, stop);
    const auto count = static_cast<uint64_t>(length);
    if (count != end - begin && size_is_fixed(op, offset)) return kNo;
    if (count != 0 || begin != end)
      bytearray::splice(op, offset, begin, end, {reinterpret_cast<const uint8_t*>(content), count});
    return kDone;
  });
}

int64_t nvm_bytes_append(int64_t handle, int64_t byte) noexcept {
  if (byte < 0 || byte > UINT8_MAX) return kNo;
  const auto one = static_cast<char>(byte);
  return nvm_bytes_splice(handle, INT64_MAX, INT64_MAX, &one, 1);
}

int64_t nvm_bytes_pop(int64_t handle, int64_t index) noexcept {
  return changing(handle, kNoSize, [&](Operation& op, Offset offset) {
    const bytearray::Bytes bytes = bytearray::bytes(op.pool(), offset);
    const auto place = place_in(bytes.size(), index);
    if (!place || size_is_fixed(op, offset)) return kNoSize;
    const int64_t popped = bytes[*place];
    bytearray::splice(op, offset, *place, *place + 1, {});
    return popped;
  });
}

}  // extern "C"
