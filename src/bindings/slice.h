// Slices of the persistent sequences.
#pragma once

#include <Python.h>

#include <cstdint>

#include "binding.h"

namespace nvm::bindings {

// A slice as it was given: it means places only where a size is known.
struct Slice {
  Py_ssize_t start;
  Py_ssize_t stop;
  Py_ssize_t step;

  explicit Slice(PyObject* slice) { check(PySlice_Unpack(slice, &start, &stop, &step)); }
};

// The places of a slice in a sequence of some size: begin + k * step for k in [0, count).
struct Places {
  uint64_t begin;
  uint64_t end;  // step 1 only
  int64_t step;
  uint64_t count;

  Places(const Slice& slice, uint64_t size) : step(slice.step) {
    Py_ssize_t start = slice.start;
    Py_ssize_t stop = slice.stop;
    count = static_cast<uint64_t>(
        PySlice_AdjustIndices(static_cast<Py_ssize_t>(size), &start, &stop, slice.step));
    begin = static_cast<uint64_t>(start);
    end = begin + count;
  }
};

}  // namespace nvm::bindings
