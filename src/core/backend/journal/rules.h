// The rules that make the journal safe, by name: crash tests leave out one at a time and see that
// it is noticed. In the library itself each holds, at no cost.
#pragma once

#include "pmem/store.h"  // NVM_CRASH_HOOKS

namespace nvm::backend::journal {

enum class Rule {
  none,
  records_are_synced,
  new_blocks_are_synced_before_their_record,
  pages_are_written_after_their_records,
  pages_are_synced_before_records_retire,
  the_mark_is_set_before_the_first_record,
  the_mark_is_removed_after_the_last_page,
  the_journal_is_removed_after_the_mark,
  holes_were_durably_free,
  records_are_whole,
  records_are_of_their_generation,
};

#if NVM_CRASH_HOOKS
inline Rule left_out = Rule::none;  // set while no journal is open
inline bool holds(Rule rule) noexcept { return left_out != rule; }
#else
constexpr bool holds(Rule) noexcept { return true; }
#endif

}  // namespace nvm::backend::journal
