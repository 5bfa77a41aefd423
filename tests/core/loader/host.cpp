// Opens libraries as an interpreter opens extension modules and prints what the plugin answers.
//
//   host [local:LIBRARY | global:LIBRARY]... PLUGIN
//
// The libraries are opened before the plugin, as if by other extension modules. Prints
// "interposed=0 passes_through=1" or the like; exits with 2 if something cannot be opened.
#include <dlfcn.h>

#include <cstdio>
#include <string>

namespace {

void* open_library(const std::string& name, int scope) {
  void* handle = dlopen(name.c_str(), RTLD_NOW | scope);
  if (handle == nullptr) std::fprintf(stderr, "%s\n", dlerror());
  return handle;
}

bool open_first(const std::string& argument) {
  const size_t colon = argument.find(':');
  const bool global = argument.substr(0, colon) == "global";
  return open_library(argument.substr(colon + 1), global ? RTLD_GLOBAL : RTLD_LOCAL) != nullptr;
}

int ask(void* plugin, const char* name) {
  return reinterpret_cast<int (*)()>(dlsym(plugin, name))();
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc - 1; ++i) {
    if (!open_first(argv[i])) return 2;
  }
  void* plugin = open_library(argv[argc - 1], RTLD_LOCAL);
  if (plugin == nullptr) return 2;
  const int interposed = ask(plugin, "plugin_interposed");
  const int passes_through = ask(plugin, "plugin_passes_through");
  std::printf("interposed=%d passes_through=%d\n", interposed, passes_through);
  return 0;
}
