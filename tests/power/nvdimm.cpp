#include "power/nvdimm.h"

#include <libpmem.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace nvm::power {
namespace {

void require(bool good, const std::string& what) {
  if (!good) throw Error(ErrorKind::os, what);
}

// The kernel's flags of the mapping that begins there; "sf": MAP_SYNC (proc(5), VmFlags).
bool is_mapped_with_sync(const void* address) {
  std::ostringstream begin;
  begin << std::hex << reinterpret_cast<uintptr_t>(address) << '-';
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  while (std::getline(maps, line) && !line.starts_with(begin.str())) continue;
  while (std::getline(maps, line) && !line.starts_with("VmFlags:")) continue;
  return line.find(" sf") != std::string::npos;
}

// libpmem knows what it has mapped itself; libpmemobj maps without it.
bool libpmem_finds_pmem(const std::string& path) {
  constexpr size_t length = 1 << 20;
  size_t mapped = 0;
  int is_pmem = 0;
  void* const address =
      pmem_map_file(path.c_str(), length, PMEM_FILE_CREATE, 0600, &mapped, &is_pmem);
  require(address != nullptr, std::string("pmem_map_file: ") + pmem_errormsg());
  is_pmem &= pmem_is_pmem(address, mapped);
  pmem_unmap(address, mapped);
  ::unlink(path.c_str());
  return is_pmem != 0;
}

}  // namespace

void check_nvdimm(const heap::Pool& pool) {
  const backend::Medium& medium = pool.file().medium();
  require(medium.kind == backend::Kind::dax, medium.fs_name + " did not get the dax backend");
  require(medium.durable, "the dax backend is not durable there");
  require(is_mapped_with_sync(pool.file().base()), "the pool is not mapped with MAP_SYNC");
  require(libpmem_finds_pmem(pool.path() + ".probe"), "no persistent memory to libpmem");
}

}  // namespace nvm::power
