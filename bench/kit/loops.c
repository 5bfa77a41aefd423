/*
 * The loops of bench/kit in C: what the libraries cost without Python. Each function makes what it
 * needs at a path where nothing is yet, removes it again, and returns nanoseconds for one turn; -1
 * if the library failed.
 */
#include <libpmem.h>
#include <libpmem2.h>
#include <libpmemblk.h>
#include <libpmemlog.h>
#include <memkind.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MODE = 0600 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Flushes each slice of `bytes` of a mapped file in turn. */
double persist(const char *path, size_t size, size_t bytes, long turns) {
  int is_pmem;
  size_t mapped;
  char *base = pmem_map_file(path, size, PMEM_FILE_CREATE, MODE, &mapped, &is_pmem);
  if (base == NULL) return -1;
  const size_t slices = size / bytes;
  memset(base, 1, size);
  const double start = now();
  for (long i = 0; i < turns; ++i) {
    char *slice = base + (size_t)i % slices * bytes;
    if (is_pmem)
      pmem_persist(slice, bytes);
    else if (pmem_msync(slice, bytes) != 0)
      return -1;
  }
  const double end = now();
  pmem_unmap(base, mapped);
  unlink(path);
  return (end - start) / (double)turns;
}

/* Copies `bytes` to the beginning of a mapped file. */
double memcpy_persist(const char *path, size_t size, size_t bytes, long turns) {
  int is_pmem;
  size_t mapped;
  char *base = pmem_map_file(path, size, PMEM_FILE_CREATE, MODE, &mapped, &is_pmem);
  char *source = malloc(bytes);
  if (base == NULL || source == NULL) return -1;
  memset(source, 1, bytes);
  memset(base, 0, size);
  const double start = now();
  for (long i = 0; i < turns; ++i) pmem_memcpy_persist(base, source, bytes);
  const double end = now();
  free(source);
  pmem_unmap(base, mapped);
  unlink(path);
  return (end - start) / (double)turns;
}

/* Takes and flushes each slice of a mapped file: in C there is nothing to take. */
double persist_slice(const char *path, size_t size, size_t bytes, long turns) {
  return persist(path, size, bytes, turns);
}

/* A new file of `size` bytes, mapped; NULL if it cannot be. */
static struct pmem2_map *map_new(const char *path, size_t size) {
  struct pmem2_source *source = NULL;
  struct pmem2_config *config = NULL;
  struct pmem2_map *map = NULL;
  const int descriptor = open(path, O_RDWR | O_CREAT, MODE);
  if (descriptor < 0 || ftruncate(descriptor, (off_t)size) != 0) return NULL;
  if (pmem2_source_from_fd(&source, descriptor) == 0 && pmem2_config_new(&config) == 0 &&
      pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) == 0)
    pmem2_map_new(&map, config, source);
  pmem2_config_delete(&config);
  pmem2_source_delete(&source);
  close(descriptor);
  return map;
}

/* Flushes each slice of `bytes` of a map of libpmem2's in turn. */
double map_persist(const char *path, size_t size, size_t bytes, long turns) {
  struct pmem2_map *map = map_new(path, size);
  if (map == NULL) return -1;
  const pmem2_persist_fn function = pmem2_get_persist_fn(map);
  char *base = pmem2_map_get_address(map);
  const size_t slices = size / bytes;
  memset(base, 1, size);
  const double start = now();
  for (long i = 0; i < turns; ++i) function(base + (size_t)i % slices * bytes, bytes);
  const double end = now();
  pmem2_map_delete(&map);
  unlink(path);
  return (end - start) / (double)turns;
}

/* Copies `bytes` to the beginning of a map of libpmem2's. */
double map_memcpy(const char *path, size_t size, size_t bytes, long turns) {
  struct pmem2_map *map = map_new(path, size);
  char *source = malloc(bytes);
  if (map == NULL || source == NULL) return -1;
  const pmem2_memcpy_fn function = pmem2_get_memcpy_fn(map);
  char *base = pmem2_map_get_address(map);
  memset(source, 1, bytes);
  memset(base, 0, size);
  const double start = now();
  for (long i = 0; i < turns; ++i) function(base, source, bytes, 0);
  const double end = now();
  free(source);
  pmem2_map_delete(&map);
  unlink(path);
  return (end - start) / (double)turns;
}

/* Allocates `bytes` from a heap in the folder of the path, and frees them. */
double heap_allocate(const char *path, size_t size, size_t bytes, long turns) {
  memkind_t kind;
  char folder[4096];
  strncpy(folder, path, sizeof folder - 1);
  folder[sizeof folder - 1] = 0;
  *strrchr(folder, '/') = 0;
  if (memkind_create_pmem(folder, size, &kind) != 0) return -1;
  int failed = 0;
  const double start = now();
  for (long i = 0; i < turns; ++i) {
    void *memory = memkind_malloc(kind, bytes);
    failed |= memory == NULL;
    memkind_free(kind, memory);
  }
  const double end = now();
  memkind_destroy_kind(kind);
  return failed ? -1 : (end - start) / (double)turns;
}

double log_append(const char *path, size_t size, size_t bytes, long turns) {
  PMEMlogpool *log = pmemlog_create(path, size, MODE);
  char *data = malloc(bytes);
  if (log == NULL || data == NULL) return -1;
  memset(data, 1, bytes);
  int failed = 0;
  const double start = now();
  for (long i = 0; i < turns; ++i) failed |= pmemlog_append(log, data, bytes);
  const double end = now();
  free(data);
  pmemlog_close(log);
  unlink(path);
  return failed ? -1 : (end - start) / (double)turns;
}

static double blocks(const char *path, size_t size, size_t bytes, long turns, int reading) {
  PMEMblkpool *pool = pmemblk_create(path, bytes, size, MODE);
  char *data = malloc(bytes);
  if (pool == NULL || data == NULL) return -1;
  memset(data, 1, bytes);
  const long count = (long)pmemblk_nblock(pool);
  int failed = 0;
  for (long i = 0; i < count; ++i) failed |= pmemblk_write(pool, data, i);
  const double start = now();
  if (reading)
    for (long i = 0; i < turns; ++i) failed |= pmemblk_read(pool, data, i % count);
  else
    for (long i = 0; i < turns; ++i) failed |= pmemblk_write(pool, data, i % count);
  const double end = now();
  free(data);
  pmemblk_close(pool);
  unlink(path);
  return failed ? -1 : (end - start) / (double)turns;
}

double block_read(const char *path, size_t size, size_t bytes, long turns) {
  return blocks(path, size, bytes, turns, 1);
}

double block_write(const char *path, size_t size, size_t bytes, long turns) {
  return blocks(path, size, bytes, turns, 0);
}
