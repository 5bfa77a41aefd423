// nvm.pmem2: what its files share.
//
// Invariants
//   1. A source has a descriptor of its own: what becomes of the caller's does not matter.
//   2. A Map keeps its reservation, or the buffer it was made from, alive and in place.
//   3. Every range that is given to a map's functions lies in the map: libpmem2 does not check.
#pragma once

#include <libpmem2.h>

#include "kit/kit.h"
#include "kit/memory.h"

namespace nvm::bindings::kit::pmem2 {

struct Source {
  PyObject_HEAD pmem2_source* source;  // null: closed
  int descriptor;                      // -1: anonymous
  PyObject* name;                      // of the file, as it was given; null: none
};

struct Reservation {
  PyObject_HEAD pmem2_vm_reservation* reservation;  // null: deleted
};

// What a map is made with. What is not set is libpmem2's default.
struct Settings {
  pmem2_granularity granularity;
  size_t length = 0;  // 0: to the end of the source
  size_t offset = 0;
  pmem2_sharing_type sharing = PMEM2_SHARED;
  unsigned protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE;
  size_t reservation_offset = 0;
};

struct Config {
  PyObject_HEAD pmem2_config* config;
  Settings settings;
  bool granularity_set;
  Reservation* reservation;  // null: none
};

struct Map {
  MemoryObject memory;
  pmem2_map* map;
  pmem2_granularity granularity;
  bool readable;
  Reservation* reservation;  // null: not in one
  Py_buffer existing;        // obj null: mapped by libpmem2
  pmem2_persist_fn persist;
  pmem2_flush_fn flush;
  pmem2_drain_fn drain;
  pmem2_memmove_fn move;
  pmem2_memcpy_fn copy;
  pmem2_memset_fn fill;
};

// The names of nvm._pmem2, which has the enumerations and the error (errors.cpp).
struct Names {
  PyObject* granularity = nullptr;
  PyObject* sharing = nullptr;
  PyObject* protection = nullptr;
  PyObject* bad_block = nullptr;
  PyObject* make_error = nullptr;
};
extern Names names;

// The errno that a code of libpmem2 stands for (errors.cpp).
int errno_of(int code) noexcept;
// Throws the Error of nvm.pmem2 for a code of libpmem2 that is not 0. `name` may be null.
void check_code(int code, PyObject* name = nullptr);
// A member of an enumeration from it or its value, as an int; throws its ValueError.
long member_argument(PyObject* enumeration, PyObject* argument);
Ref member_of(PyObject* enumeration, long value);

// The arguments as these types; throw a TypeError, or a ValueError if they are closed.
Source* source_argument(PyObject* argument);            // source.cpp
Config* config_argument(PyObject* argument);            // config.cpp
Reservation* reservation_argument(PyObject* argument);  // reservation.cpp

// The Map of a map of libpmem2's; a new reference, null if there is none (map.cpp).
Ref map_object(pmem2_map* map) noexcept;
// The map, in a reservation or not, of an object; throws a TypeError or ValueError.
Map* map_argument(PyObject* argument);

void register_names(PyObject* module);        // errors.cpp
void register_source(PyObject* module);       // source.cpp
void register_bad_blocks(PyObject* module);   // bad_blocks.cpp
void register_reservation(PyObject* module);  // reservation.cpp
void register_config(PyObject* module);       // config.cpp
void register_map(PyObject* module);          // map.cpp

// source.bad_blocks()
Ref make_bad_blocks(Source* source);

}  // namespace nvm::bindings::kit::pmem2
