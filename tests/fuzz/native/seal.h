// Puts the checksums of a damaged pool right, so that what is damaged is believed.
#pragma once

namespace nvm::fuzz {

class Damaged;

// Those of header, descriptor and heap, of changed lanes' logs, of our undo log's ranges, and of
// the journal's headers and records.
void seal(Damaged& damaged);

}  // namespace nvm::fuzz
