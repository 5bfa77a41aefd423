// The workload on the core as users get it.
#include "power/workload.h"

int main(int argc, char** argv) { return nvm::power::run(argc, argv); }
