/*
 * The loops of bench/kit in C: what the libraries cost without Python. Each function makes what it
 * needs at a path where nothing is yet, removes it again, and returns nanoseconds for one turn; -1
 * if the library failed.
 */
#include <libpmem.h>
#include <libpmemblk.h>
#include <libpmemlog.h>
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
