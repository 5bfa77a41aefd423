// Shapes: the attribute names that records share, and the classes they belong to (heap/format.h).
//
// A shape on the medium is one name and a reference to the shape without it; here it is read once
// and kept, until something in the pool is undone (a shape made in an aborted transaction is none).
// Shapes are linked per class, newest first, and never freed or changed.
//
// Threads: callers hold the latch. What is returned is valid until it is let go: nothing is undone
// meanwhile. Looking up a known shape takes no lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "heap/operation.h"
#include "heap/pool.h"
#include "object/value/cell.h"

namespace nvm::object {

inline constexpr uint64_t kMaxAttributes = 128;  // of a shape without a dict
inline constexpr uint64_t kMaxShapes = 4096;     // of a class

// A shape as it lies in a pool, read and checked.
struct ShapeInfo {
  Offset offset;
  uint64_t class_id;
  bool dict;                       // attributes are in the dict of slot 0
  std::vector<std::string> names;  // by slot; UTF-8
  std::unordered_map<std::string_view, int32_t> slots;

  uint64_t count() const { return dict ? 1 : names.size(); }
  int32_t slot(std::string_view name) const;  // -1: absent
};

// What is known of the shapes of a class.
struct ClassShapes {
  Offset newest = 0;
  uint64_t count = 0;
  uint64_t largest = 0;                              // attributes
  Offset dict = 0;                                   // the shape of instances that use a dict
  std::unordered_map<std::string, Offset> children;  // by parent and name
};

class ShapeCache {
 public:
  // Throws Error(corrupt) if there is no sound shape at `offset`.
  const ShapeInfo& shape(heap::Pool& pool, Offset offset);
  // REQUIRES: class_id is known; the latch is held exclusively.
  const ClassShapes& shapes_of(heap::Operation& op, uint64_t class_id);
  // The id of a class, 0 if it is not in the table.
  uint64_t class_id(heap::Pool& pool, std::string_view name);

  static std::string child_key(Offset parent, std::string_view name);

 private:
  // Known shapes by offset: slots are filled once, and read without a lock.
  struct Known {
    explicit Known(size_t slots) : places(slots) {}
    std::vector<std::atomic<const ShapeInfo*>> places;  // their number is a power of two
    const ShapeInfo* find(Offset offset) const;
    void insert(const ShapeInfo* shape);
  };

  void forget_what_was_undone(heap::Pool& pool);
  const ShapeInfo& learn(heap::Pool& pool, Offset offset);
  void learn_newer(heap::Operation& op, ClassShapes& known, uint64_t class_id, Offset newest);

  std::mutex mutex_;  // guards all but what is atomic
  std::atomic<uint64_t> epoch_{0};
  std::atomic<Known*> known_{nullptr};
  std::vector<std::unique_ptr<Known>> tables_;  // the last one is known_; others may be in use
  std::vector<std::unique_ptr<const ShapeInfo>> shapes_;
  std::unordered_map<uint64_t, ClassShapes> classes_;
  std::unordered_map<std::string, uint64_t> class_ids_;
  uint64_t class_ids_known_ = 0;
};

// Reads a shape as it lies there, whether it is known or not. Throws Error(corrupt) if it is none.
void check_shape(const heap::Pool& pool, Offset offset);

// The shape that follows `parent` (0: none yet) when `name` is added; made if it is new (a block, a
// name and a link). 0 if the class has kMaxShapes already.
Offset shape_with(heap::Operation& op, uint64_t class_id, Offset parent, std::string_view name);
// The class's shape for instances that use a dict.
Offset dict_shape(heap::Operation& op, uint64_t class_id);

}  // namespace nvm::object
