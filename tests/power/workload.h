// What runs inside the machine whose power is cut: commits, each acknowledged when it has returned.
#pragma once

namespace nvm::power {

// The arguments: BACKEND POOL DEVICE OFFSET COMMITS. Makes so many commits (ledger.h) in a new
// pool, which is closed and opened again now and then, and larger each time; what is acknowledged
// is written to DEVICE at OFFSET, past the page cache. The backend "dax" is not asked for but has
// to be what the file gets by itself. Returns the exit status, and says on stderr what went wrong.
int run(int argc, char** argv);

}  // namespace nvm::power
