// The C interface of the core: the hot operations for an interpreter whose JIT calls C functions
// far faster than extension modules (PyPy; src/nvm/_pypy/front.py).
//
// What it is not: complete. Each function does the plain case in one call and answers "no" to all
// else (kNo, or a negative size): another thread's transaction, a closed, forked or stale object,
// an index out of range, damage, a full pool, a value that no cell can tell by itself. The caller
// then takes the bindings' own method, which waits, grows the pool or says what is wrong. A call
// that has answered "no" has changed nothing.
//
// Conventions
//   - A handle is the address of a pinned heap::Handle (0: none). The caller keeps it pinned, and
//     the Pool alive, for the duration of the call.
//   - All numbers are int64_t: an unsigned result costs PyPy's JIT a long integer.
//   - A cell that is given out is a constant, an integer, a float or a short text (cell.h); one
//   that
//     is taken is a constant, an integer or a float.
//   - Text keys are ASCII.
//
// Threads: as in access.h. Nothing here waits but for the latch, so that a caller may hold any lock
// of his own; no exception leaves.
#pragma once

#include <cstdint>

#include "heap/operation.h"

extern "C" {

// No value's cell: the plain case does not apply.
inline constexpr int64_t kNo = 0;
// No value's cell either: the key is not there, or the place of an attribute is to be found anew.
// Its tag is among those that cell.h keeps back.
inline constexpr int64_t kAbsent = int64_t{6} << 48;
// Nor this one: the value is a text of at most kMostText characters, all of them Latin-1, which the
// function of the same name with _text in it copies out. (By then it may be another value.)
inline constexpr int64_t kText = int64_t{7} << 48;
inline constexpr int64_t kMostText = 1024;

int64_t nvm_list_size(int64_t handle) noexcept;
int64_t nvm_list_get(int64_t handle, int64_t index) noexcept;  // negative ones count from the end
// The *_text functions copy to `text`, which has room for kMostText, and return the length or -1.
int64_t nvm_list_get_text(int64_t handle, int64_t index, char* text) noexcept;
// As nvm_list_get; and the item and those that follow it to an Ahead.
int64_t nvm_list_get_ahead(int64_t handle, int64_t index, int64_t most, int64_t* ahead) noexcept;
int64_t nvm_list_set(int64_t handle, int64_t index, int64_t cell) noexcept;  // 1: done
int64_t nvm_list_append(int64_t handle, int64_t cell) noexcept;              // 1: done
int64_t nvm_list_pop(int64_t handle, int64_t index) noexcept;                // the item

// The items from start up to stop, as in a slice, from one moment, to `cells`: how many, or -1 if
// they are more than `most`, or one of them is no cell that can be given out.
int64_t nvm_list_slice(int64_t handle, int64_t start, int64_t stop, int64_t most,
                       int64_t* cells) noexcept;
// Puts `count` cells in the place of these items. 1: done.
int64_t nvm_list_splice(int64_t handle, int64_t start, int64_t stop, int64_t count,
                        const int64_t* cells) noexcept;
// Puts `after` in the place of all items, which are `before`, as nvm_list_slice gave them. 1: done;
// kAbsent if they are others by now.
int64_t nvm_list_replace(int64_t handle, int64_t count, const int64_t* before,
                         const int64_t* after) noexcept;

int64_t nvm_dict_size(int64_t handle) noexcept;
int64_t nvm_dict_get(int64_t handle, const char* key, int64_t length) noexcept;
int64_t nvm_dict_get_text(int64_t handle, const char* key, int64_t length, char* text) noexcept;
int64_t nvm_dict_get_at(int64_t handle, int64_t key) noexcept;  // of integer keys
int64_t nvm_dict_get_at_text(int64_t handle, int64_t key, char* text) noexcept;
// 1 if the key is there, kAbsent if not.
int64_t nvm_dict_has(int64_t handle, const char* key, int64_t length) noexcept;
int64_t nvm_dict_has_at(int64_t handle, int64_t key) noexcept;
int64_t nvm_dict_set(int64_t handle, const char* key, int64_t length, int64_t cell) noexcept;
int64_t nvm_dict_set_at(int64_t handle, int64_t key, int64_t cell) noexcept;
// 1: done; kAbsent if the key is not there.
int64_t nvm_dict_delete(int64_t handle, const char* key, int64_t length) noexcept;
int64_t nvm_dict_delete_at(int64_t handle, int64_t key) noexcept;
// Sets `count` entries as one operation. 1: done. Each is three numbers: the length of its key's
// text, or -1; the key, if it is a number; the value's cell. The texts of all keys stand one after
// the other. (An element of a set has the value None.)
int64_t nvm_dict_update(int64_t handle, int64_t count, const int64_t* entries,
                        const char* texts) noexcept;

// The next entry after a DictCursor, which it moves on, of a dict or set. Answers 1 and gives key,
// length of its text, value and length of its text: as cells, or kText with the text copied to
// where there is room for kMostText; what the parts do not name is not looked at. kNo at the end
// too.
int64_t nvm_dict_next(int64_t handle, int64_t cursor, int64_t parts, int64_t* entry, char* key_text,
                      char* value_text) noexcept;

// All keys of a dict or set, from one moment, to `cells`: how many, or -1 if they are more than
// `most`, or one of them is neither a cell that can be given out nor a text. That is kText plus its
// length; the texts stand in `texts` one after the other, which has room for `room` characters, of
// which kMostText stay free (-1 if that is too few). What they take stands behind the last cell,
// where there is room for one more.
int64_t nvm_dict_keys(int64_t handle, int64_t most, int64_t* cells, int64_t room,
                      char* texts) noexcept;

// Byte arrays: an index, and start and stop of a slice, as in lists.
int64_t nvm_bytes_size(int64_t handle) noexcept;
int64_t nvm_bytes_get(int64_t handle, int64_t index) noexcept;  // -1: no
// To `to`, how many; -1 if they are more than `most`.
int64_t nvm_bytes_slice(int64_t handle, int64_t start, int64_t stop, int64_t most,
                        char* to) noexcept;
int64_t nvm_bytes_set(int64_t handle, int64_t index, int64_t byte) noexcept;  // 1: done
// Puts other bytes in the place of a slice's; "no" where buffers forbid that. 1: done.
int64_t nvm_bytes_splice(int64_t handle, int64_t start, int64_t stop, const char* content,
                         int64_t length) noexcept;
int64_t nvm_bytes_append(int64_t handle, int64_t byte) noexcept;  // 1: done
int64_t nvm_bytes_pop(int64_t handle, int64_t index) noexcept;    // the byte, or -1

// An attribute by the place that was found for it. kAbsent unless the pool's undo_epoch() is still
// `epoch`, and the record's shape that one.
int64_t nvm_record_get(int64_t handle, int64_t epoch, int64_t place) noexcept;
int64_t nvm_record_get_text(int64_t handle, int64_t epoch, int64_t place, char* text) noexcept;
int64_t nvm_record_set(int64_t handle, int64_t epoch, int64_t place, int64_t cell) noexcept;

// Floats in cells. kNo if it takes more than a cell (a NaN with a payload).
int64_t nvm_cell_of_real(double value) noexcept;
double nvm_real_of_cell(int64_t cell) noexcept;

}  // extern "C"

namespace nvm::capi {

// Cells that were read before they are asked for, while nobody was in a transaction. They may be
// given as long as the pool stands (Pool::stands), which ends when a transaction begins, too. Two
// words of the pool, which are there as long as it is, tell so without a call.
struct Ahead {
  int64_t count;
  int64_t words;         // the address of an int64_t: the latch's times_locked
  int64_t times_locked;  // what stood there when the cells were read
  int64_t state;         // where the pool's state is, counted from there: 0 means open
  int64_t cells[];       // at most `most`; they tell their values by themselves
};

// Where an iterator over a dict is. A dict of another size, or in another body, ends it.
struct DictCursor {
  uint64_t size;
  uint64_t version;
  uint64_t position;
  uint64_t remaining;
};
// The parts of an entry that are wanted.
inline constexpr int64_t kKeys = 1;
inline constexpr int64_t kValues = 2;

struct Function {
  const char* name;
  // The result, then the parameters: i int64_t, a int64_t*, d double, s char*.
  const char* signature;
  int64_t address;
};

// All functions, for the bindings to hand out; ends with a null name.
const Function* functions() noexcept;

// What nvm_list_replace does, for who can wait.
int64_t replace_items(heap::Operation& op, heap::Offset list, int64_t count, const int64_t* before,
                      const int64_t* after);

// A record::Place in one number; kNo for one that is no slot.
int64_t packed_place(uint64_t shape, int32_t slot) noexcept;

}  // namespace nvm::capi
