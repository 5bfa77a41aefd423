// nvm.pmem2.BadBlocks: the bad blocks of a source.
#include <algorithm>
#include <vector>

#include "kit/pmem2/pmem2.h"

namespace nvm::bindings::kit::pmem2 {

namespace {

PyTypeObject* bad_blocks_type = nullptr;

struct BadBlocks {
  PyObject_HEAD pmem2_badblock_context* context;
  Source* source;  // whose descriptor the context uses
  // Those that were told: clearing any other range would destroy what it holds.
  std::vector<pmem2_badblock>* told;
};

BadBlocks* as_blocks(PyObject* self) noexcept { return reinterpret_cast<BadBlocks*>(self); }

void check_source(const BadBlocks* self) {
  source_argument(reinterpret_cast<PyObject*>(self->source));
}

PyObject* next(PyObject* self) {
  return guarded([&]() -> PyObject* {
    BadBlocks* blocks = as_blocks(self);
    check_source(blocks);
    pmem2_badblock block{};
    const int code = pmem2_badblock_next(blocks->context, &block);
    if (code == PMEM2_E_NO_BAD_BLOCK_FOUND) return nullptr;
    check_code(code, blocks->source->name);
    blocks->told->push_back(block);
    return PyObject_CallFunction(names.bad_block, "nn", static_cast<Py_ssize_t>(block.offset),
                                 static_cast<Py_ssize_t>(block.length));
  });
}

PyObject* clear(PyObject* self, PyObject* argument) {
  return guarded([&] {
    BadBlocks* blocks = as_blocks(self);
    check_source(blocks);
    if (PyObject_IsInstance(argument, names.bad_block) != 1)
      raise(PyExc_TypeError, "clear() needs a BadBlock, not %.200s", Py_TYPE(argument)->tp_name);
    const pmem2_badblock block{
        size_argument(checked(PySequence_GetItem(argument, 0)).get(), "offset"),
        size_argument(checked(PySequence_GetItem(argument, 1)).get(), "length")};
    const auto same = [&](const pmem2_badblock& other) {
      return other.offset == block.offset && other.length == block.length;
    };
    if (std::none_of(blocks->told->begin(), blocks->told->end(), same))
      raise(PyExc_ValueError, "%R is not a block that this iterator has given", argument);
    check_code(pmem2_badblock_clear(blocks->context, &block), blocks->source->name);
    return none();
  });
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (as_blocks(self)->context != nullptr) pmem2_badblock_context_delete(&as_blocks(self)->context);
  delete as_blocks(self)->told;
  Py_CLEAR(as_blocks(self)->source);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"clear", clear, METH_O,
     "clear($self, block, /)\n--\n\n"
     "Put a healthy block of zeros in place of a bad one, which this iterator has given. What it\n"
     "held is lost."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("An iterator over a source's bad blocks: BadBlock(offset, "
                                  "length), in bytes.")},
    {Py_tp_new, as_slot(refuse_new)},
    {Py_tp_dealloc, as_slot(dealloc)},
    {Py_tp_iter, as_slot(PyObject_SelfIter)},
    {Py_tp_iternext, as_slot(next)},
    {Py_tp_methods, methods},
    {0, nullptr}};

PyType_Spec spec = {"nvm.pmem2.BadBlocks", sizeof(BadBlocks), 0, kPlainFlags, slots};

}  // namespace

Ref make_bad_blocks(Source* source) {
  Ref self = checked(bad_blocks_type->tp_alloc(bad_blocks_type, 0));
  BadBlocks* blocks = as_blocks(self.get());
  blocks->told = new std::vector<pmem2_badblock>;
  Py_INCREF(source);
  blocks->source = source;
  check_code(pmem2_badblock_context_new(&blocks->context, source->source), source->name);
  return self;
}

void register_bad_blocks(PyObject* module) {
  bad_blocks_type = add_named_type(module, "Pmem2BadBlocks", spec);
}

}  // namespace nvm::bindings::kit::pmem2
