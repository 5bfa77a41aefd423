// Transactions of the heap: what they commit, undo and leave to recovery.
#include <filesystem>
#include <thread>
#include <vector>

#include "heap/undo/tx_state.h"
#include "heap/undo/undo_slots.h"
#include "heap_fixture.h"

namespace nvm::heap::testing {
namespace {

class Transaction : public HeapTest {
 protected:
  static constexpr size_t kCells = 1000;

  // A block of words that the root names, so that many places can be changed.
  void make_cells() {
    mutate(*pool_, [&](Operation& op) {
      const Offset block = op.allocate_blob(kCells * 8);
      auto* words = op.at<uint64_t>(block, kCells * 8);
      pmem::zero(words, kCells * 8);
      op.written(words, kCells * 8);
      op.set(&op.pool().root().root, block);
    });
  }
  static uint64_t* cell(Pool& pool, size_t i) {
    return pool.at<uint64_t>(pool.root().root, kCells * 8) + i;
  }
  void set_cell(size_t i, uint64_t value) {
    mutate(*pool_, [&](Operation& op) { op.set(cell(op.pool(), i), value); });
  }
  Offset allocate(uint64_t bytes = 32) {
    return mutate(*pool_, [&](Operation& op) { return op.allocate_blob(bytes); });
  }
  void free(Offset block) {
    mutate(*pool_, [&](Operation& op) { op.free(block); });
  }
  void end_aborted() {
    pool_->abort();
    pool_->end_failed();
  }
};

TEST_F(Transaction, WhatWasReadStandsUntilAnythingMayHaveChanged) {
  make_cells();
  const auto look = [&] { return read(*pool_, [&] { return pool_->latch().times_locked(); }); };
  uint64_t seen = look();
  EXPECT_EQ(look(), seen);
  EXPECT_TRUE(pool_->stands(seen));
  const auto falls = [&] {
    const bool fell = !pool_->stands(seen);
    seen = look();
    return fell && pool_->stands(seen);
  };
  set_cell(1, 10);
  EXPECT_TRUE(falls());
  pool_->begin();
  seen = look();
  set_cell(2, 20);
  EXPECT_TRUE(falls());
  end_aborted();
  EXPECT_TRUE(falls());
  pool_->close();
  EXPECT_FALSE(pool_->stands(seen));
}

TEST_F(Transaction, OneWordSurvivesReopening) {
  set_word(42);
  reopen();
  EXPECT_EQ(word(), 42U);
}

TEST_F(Transaction, CommitKeepsEveryChange) {
  make_cells();
  pool_->begin();
  for (size_t i = 0; i < kCells; ++i) set_cell(i, i + 1);
  pool_->commit();
  reopen();
  for (size_t i = 0; i < kCells; ++i) ASSERT_EQ(*cell(*pool_, i), i + 1);
}

TEST_F(Transaction, AbortRestoresEveryChange) {
  make_cells();
  for (size_t i = 0; i < kCells; ++i) set_cell(i, i);
  pool_->begin();
  for (int round = 0; round < 3; ++round)
    for (size_t i = 0; i < kCells; ++i) set_cell(i, 7);
  end_aborted();
  for (size_t i = 0; i < kCells; ++i) ASSERT_EQ(*cell(*pool_, i), i);
}

TEST_F(Transaction, ACutInTheMiddleUndoesAll) {
  make_cells();
  set_cell(0, 5);
  pool_->begin();
  for (size_t i = 0; i < kCells; ++i) set_cell(i, 9);
  cut([](Pool& copy) {
    EXPECT_EQ(*cell(copy, 0), 5U);
    for (size_t i = 1; i < kCells; ++i) ASSERT_EQ(*cell(copy, i), 0U);
  });
  pool_->commit();
  EXPECT_EQ(*cell(*pool_, 0), 9U);
}

TEST_F(Transaction, RangesAreRestoredByAbortAndRecovery) {
  make_cells();
  for (size_t i = 0; i < kCells; ++i) set_cell(i, i);
  const auto move = [](Operation& op) {
    uint64_t* const first = cell(op.pool(), 0);
    op.change(first, (kCells - 1) * 8);
    pmem::move(first, first + 1, (kCells - 1) * 8);
    op.written(first, (kCells - 1) * 8);
  };
  pool_->begin();
  mutate(*pool_, move);
  mutate(*pool_, move);
  EXPECT_EQ(*cell(*pool_, 0), 2U);
  cut([](Pool& copy) {
    for (size_t i = 0; i < kCells; ++i) ASSERT_EQ(*cell(copy, i), i);
  });
  end_aborted();
  for (size_t i = 0; i < kCells; ++i) ASSERT_EQ(*cell(*pool_, i), i);
}

TEST_F(Transaction, AFailedOperationUndoesOnlyItself) {
  make_cells();
  pool_->begin();
  set_cell(0, 1);
  EXPECT_THROW(mutate(*pool_,
                      [](Operation& op) {
                        uint64_t* const first = cell(op.pool(), 0);
                        op.change(first, 16);
                        pmem::store(first, uint64_t{99});
                        op.set(first + 5, 99);
                        throw Error(ErrorKind::value, "on purpose");
                      }),
               Error);
  set_cell(2, 3);
  pool_->commit();
  reopen();
  EXPECT_EQ(*cell(*pool_, 0), 1U);
  EXPECT_EQ(*cell(*pool_, 1), 0U);
  EXPECT_EQ(*cell(*pool_, 2), 3U);
  EXPECT_EQ(*cell(*pool_, 5), 0U);
}

TEST_F(Transaction, ManyAllocationsAreThereOrNot) {
  const uint64_t before = blocks(*pool_);
  pool_->begin();
  for (int i = 0; i < 500; ++i) allocate();
  cut([before](Pool& copy) { EXPECT_EQ(blocks(copy), before); });
  pool_->commit();
  EXPECT_EQ(blocks(*pool_), before + 500);

  pool_->begin();
  for (int i = 0; i < 500; ++i) allocate();
  end_aborted();
  EXPECT_EQ(blocks(*pool_), before + 500);
}

TEST_F(Transaction, ManyFreesAreDoneOrNot) {
  const uint64_t before = blocks(*pool_);
  std::vector<Offset> made;
  for (int i = 0; i < 300; ++i) made.push_back(allocate());
  pool_->begin();
  for (const Offset block : made) free(block);
  cut([before](Pool& copy) { EXPECT_EQ(blocks(copy), before + 300); });
  end_aborted();
  EXPECT_EQ(blocks(*pool_), before + 300);
  pool_->begin();
  for (const Offset block : made) free(block);
  pool_->commit();
  EXPECT_EQ(blocks(*pool_), before);
}

TEST_F(Transaction, OneOperationMayAllocateAndFreeHundreds) {
  const uint64_t before = blocks(*pool_);
  std::vector<Offset> made;
  mutate(*pool_, [&](Operation& op) {
    made.clear();
    for (int i = 0; i < 300; ++i) made.push_back(op.allocate_blob(48));
  });
  EXPECT_EQ(blocks(*pool_), before + 300);
  EXPECT_THROW(mutate(*pool_,
                      [&](Operation& op) {
                        for (int i = 0; i < 100; ++i) op.allocate_blob(48);
                        throw Error(ErrorKind::value, "on purpose");
                      }),
               Error);
  EXPECT_EQ(blocks(*pool_), before + 300);
  mutate(*pool_, [&](Operation& op) {
    for (const Offset block : made) op.free(block);
    op.set(&op.pool().root().root, 8);
  });
  EXPECT_EQ(blocks(*pool_), before);
  EXPECT_EQ(word(), 8U);
}

TEST_F(Transaction, ABlockMadeAndFreedInsideNeverComesToBe) {
  const uint64_t before = blocks(*pool_);
  mutate(*pool_, [](Operation& op) { op.free(op.allocate_blob(64)); });
  EXPECT_EQ(blocks(*pool_), before);
  pool_->begin();
  free(allocate());
  for (int i = 0; i < 100; ++i) free(allocate());
  pool_->commit();
  EXPECT_EQ(blocks(*pool_), before);
}

TEST_F(Transaction, ADamagedOffsetIsNotFreed) {
  const Offset block = allocate(256);
  const uint64_t before = blocks(*pool_);
  for (const uint64_t damaged :
       {uint64_t{8}, block - 8, block + 8, block + 16, block + 112, block + (1 << 20),
        block - (1 << 20), block + (uint64_t{1} << 40), ~uint64_t{0}})
    EXPECT_THROW(free(damaged), Error) << damaged;
  EXPECT_EQ(blocks(*pool_), before);
  free(block);
  EXPECT_THROW(free(block), Error);
}

TEST_F(Transaction, AfterAnAbortThatFindsLimboDamagedThePoolCanOnlyBeClosed) {
  pool_->begin();
  set_word(5);
  pool_->at<LimboSegment>(pool_->root().limbo)->capacity = 0;
  pool_->abort();
  pool_->end_failed();
  const Offset limbo = pool_->root().limbo;
  try {
    set_word(6);
    FAIL() << "a broken pool was changed";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), "limbo list: a damaged segment at offset " + std::to_string(limbo));
  }
  pool_->close();
  EXPECT_TRUE(pool_->closed());
}

// An entry that is restored over another one of the log.
TEST_F(Transaction, ALogThatUndoesItselfIsRefused) {
  constexpr uint64_t header_words = 2;  // of the segment, before its slots of two words
  pool_->begin();
  set_word(5);
  for (int i = 0; i < 40; ++i) allocate();  // more than one publish takes: a batch is noted
  uint64_t* const slots = pool_->at<uint64_t>(pool_->root().tx.first_segment, 1000) + header_words;
  uint64_t batch = 1;
  while (slots[2 * batch + 1] >> kNumberBits != kBatch) ASSERT_LT(++batch, 50U);
  const uint64_t number = slots[1] & kNumberMask;
  const auto place = static_cast<uint64_t>(reinterpret_cast<const char*>(&slots[2 * batch]) -
                                           pool_->file().base());
  const uint64_t sound[] = {slots[0], slots[1]};
  slots[1] = place / sizeof(uint64_t) << kNumberBits | number;
  const uint64_t counts[] = {~uint64_t{0}, uint64_t{1} << 40, 41, 500};
  for (const uint64_t count : counts) {
    slots[0] = count;
    std::filesystem::copy_file(path(), path(std::to_string(count)));
  }
  slots[0] = sound[0];
  slots[1] = sound[1];
  end_aborted();
  pool_.reset();
  for (const uint64_t count : counts) {
    try {
      open_at(path(std::to_string(count)));
      ADD_FAILURE() << "opened: " << count;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt) << error.what();
    }
  }
}

TEST_F(Transaction, NestedOnesJoinTheOuterOne) {
  pool_->begin();
  set_word(2);
  pool_->begin();
  set_word(3);
  pool_->commit();
  EXPECT_TRUE(pool_->in_transaction());
  pool_->abort();
  pool_->end_failed();
  EXPECT_FALSE(pool_->in_transaction());
  EXPECT_EQ(word(), 1U);
}

TEST_F(Transaction, AfterAnAbortInsideNothingIsCommitted) {
  pool_->begin();
  set_word(2);
  pool_->begin();
  pool_->abort();
  pool_->end_failed();
  EXPECT_THROW(set_word(3), Error);
  EXPECT_THROW(read(*pool_, [] { return 0; }), Error);
  EXPECT_THROW(pool_->commit(), Error);
  EXPECT_FALSE(pool_->in_transaction());
  EXPECT_EQ(word(), 1U);
  set_word(4);
  EXPECT_EQ(word(), 4U);
}

TEST_F(Transaction, CommitAndAbortOutsideAreErrors) {
  EXPECT_THROW(pool_->commit(), Error);
  EXPECT_THROW(pool_->abort(), Error);
}

TEST_F(Transaction, GenerationsWrapWithoutHarm) {
  make_cells();
  constexpr uint64_t kWrap = uint64_t{1} << 20;
  pool_->root().tx.state = tx_state(kWrap - 3, Phase::idle);
  for (uint64_t round = 1; round < 8; ++round) {
    pool_->begin();
    for (size_t i = 0; i < 20; ++i) set_cell(i, round);
    if (round % 2 == 0) {
      cut([round](Pool& copy) { EXPECT_EQ(*cell(copy, 3), round - 1); });
      end_aborted();
      EXPECT_EQ(*cell(*pool_, 3), round - 1);
    } else {
      pool_->commit();
    }
    const uint64_t now = *cell(*pool_, 3);
    cut([now](Pool& copy) { EXPECT_EQ(*cell(copy, 3), now); });
  }
}

TEST_F(Transaction, ManyMoreChangesThanOneSegmentHolds) {
  constexpr size_t kWords = 200000;
  mutate(*pool_, [&](Operation& op) {
    const Offset block = op.allocate_blob(kWords * 8);
    pmem::zero(op.at<char>(block, kWords * 8), kWords * 8);
    op.set(&op.pool().root().root, block);
  });
  const uint64_t before = blocks(*pool_);
  const auto fill = [&](uint64_t value) {
    for (size_t begin = 0; begin < kWords; begin += 1000)
      mutate(*pool_, [&](Operation& op) {
        auto* words = op.at<uint64_t>(op.pool().root().root, kWords * 8);
        for (size_t i = begin; i < begin + 1000; ++i) op.set(words + i, value + i);
      });
  };
  pool_->begin();
  fill(1);
  EXPECT_EQ(pool_->at<uint64_t>(word(), kWords * 8)[kWords - 1], kWords);
  cut([](Pool& copy) {
    EXPECT_EQ(copy.at<uint64_t>(copy.root().root, kWords * 8)[kWords - 1], 0U);
  });
  end_aborted();
  EXPECT_EQ(pool_->at<uint64_t>(word(), kWords * 8)[5], 0U);
  pool_->begin();
  fill(2);
  pool_->commit();
  EXPECT_EQ(pool_->at<uint64_t>(word(), kWords * 8)[5], 7U);
  EXPECT_EQ(blocks(*pool_), before);  // the log's further segments are given back
}

TEST_F(Transaction, GrowsThePoolInTheMiddle) {
  const uint64_t size = pool_->file().size();
  pool_->begin();
  for (int i = 0; i < 40; ++i) allocate(1 << 20);
  EXPECT_GT(pool_->file().size(), size);
  cut([](Pool& copy) { EXPECT_LT(blocks(copy), 5U); });
  pool_->commit();
  const uint64_t after = blocks(*pool_);
  reopen();
  EXPECT_EQ(blocks(*pool_), after);
}

TEST_F(Transaction, AFullPoolUndoesTheOperationAndGoesOn) {
  std::vector<Offset> made;
  const auto fill = [&] {
    for (;;) made.push_back(allocate(1 << 20));
  };
  EXPECT_THROW(fill(), Error);
  set_word(3);
  EXPECT_EQ(word(), 3U);
  for (const Offset block : made) free(block);
  EXPECT_NE(allocate(1 << 20), 0U);
}

TEST_F(Transaction, AnOperationThatFailsInsideGivesItsRoomBack) {
  pool_->begin();
  const uint64_t before = blocks(*pool_);
  EXPECT_THROW(mutate(*pool_,
                      [](Operation& op) {
                        for (int i = 0; i < 100; ++i) op.allocate_blob(64);
                        throw Error(ErrorKind::value, "on purpose");
                      }),
               Error);
  EXPECT_EQ(blocks(*pool_), before);
  allocate();
  pool_->commit();
  EXPECT_EQ(blocks(*pool_), before + 1);
}

TEST_F(Transaction, TenMillionChanges) {
  constexpr size_t kWords = 10'000'000;
  pool_.reset();
  open(uint64_t{1} << 30);
  const Offset block = allocate(kWords * 8);
  set_word(block);
  const auto words = [&] { return pool_->at<uint64_t>(block, kWords * 8); };
  pmem::zero(words(), kWords * 8);
  const auto count_up = [&] {
    for (size_t begin = 0; begin < kWords; begin += kWords / 100)
      mutate(*pool_, [&](Operation& op) {
        for (size_t i = begin; i < begin + kWords / 100; ++i) op.set(words() + i, i + 1);
      });
  };
  pool_->begin();
  count_up();
  EXPECT_EQ(words()[kWords - 1], kWords);
  end_aborted();
  EXPECT_EQ(words()[kWords - 1], 0U);
  EXPECT_EQ(words()[0], 0U);
  pool_->begin();
  count_up();
  pool_->commit();
  EXPECT_EQ(words()[kWords / 2], kWords / 2 + 1);
}

// ---- Limbo

TEST_F(Transaction, AnUnreferencedObjectIsFreedAtOnceUnlessPinned) {
  const auto make = [](Operation& op) { return op.allocate_object(Type::list, 40); };
  mutate(*pool_, make);  // the limbo list's first segment stays
  const uint64_t before = blocks(*pool_);
  mutate(*pool_, make);
  EXPECT_EQ(blocks(*pool_), before);

  Handle* handle = nullptr;
  const Offset object = mutate(*pool_, [&](Operation& op) {
    const Offset made = make(op);
    if (handle != nullptr) op.pool().handles().unpin(handle);
    handle = op.pool().handles().pin(made);
    return made;
  });
  EXPECT_EQ(blocks(*pool_), before + 1);
  EXPECT_TRUE(pool_->limbo().contains(object));
  cut([before](Pool& copy) { EXPECT_EQ(blocks(copy), before); });  // the next open frees it
  pool_->handles().unpin(handle);
  set_word(2);
  EXPECT_EQ(blocks(*pool_), before);
}

TEST_F(Transaction, TheFirstReferenceTakesAnObjectOffLimbo) {
  Handle* handle = nullptr;
  const Offset object = mutate(*pool_, [&](Operation& op) {
    const Offset made = op.allocate_object(Type::list, 40);
    handle = op.pool().handles().pin(made);
    return made;
  });
  mutate(*pool_, [&](Operation& op) {
    op.set(&op.pool().root().root, object);
    op.refer(object);
  });
  EXPECT_FALSE(pool_->limbo().contains(object));
  pool_->handles().unpin(handle);
  EXPECT_TRUE(pool_->file().is_allocated(object));
  mutate(*pool_, [&](Operation& op) {
    op.set(&op.pool().root().root, 1);
    op.drop(object);
  });
  EXPECT_FALSE(pool_->file().is_allocated(object));
}

TEST_F(Transaction, AbortPutsAnObjectBackOnLimboAndStalesTheNewOnes) {
  Handle* handle = nullptr;
  const Offset object = mutate(*pool_, [&](Operation& op) {
    const Offset made = op.allocate_object(Type::list, 40);
    handle = op.pool().handles().pin(made);
    return made;
  });
  pool_->begin();
  Handle* young = nullptr;
  mutate(*pool_, [&](Operation& op) {
    op.refer(object);
    young = op.pool().handles().pin(op.allocate_object(Type::list, 40));
  });
  end_aborted();
  EXPECT_EQ(young->offset(), 0U);
  EXPECT_TRUE(pool_->limbo().contains(object));
  pool_->handles().unpin(young);
  pool_->handles().unpin(handle);
  set_word(2);
  EXPECT_FALSE(pool_->file().is_allocated(object));
}

// ---- Threads

TEST_F(Transaction, OthersWaitForItsEnd) {
  pool_->begin();
  set_word(2);
  uint64_t seen = 0;
  std::thread reader([&] { seen = read(*pool_, [&] { return word(); }); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  set_word(3);
  pool_->commit();
  reader.join();
  EXPECT_EQ(seen, 3U);
}

TEST_F(Transaction, AWaitMayTimeOut) {
  pool_->begin();
  std::thread other([&] { EXPECT_THROW(pool_->begin(0.05), Error); });
  other.join();
  pool_->commit();
}

TEST_F(Transaction, ADeadThreadsTransactionIsUndoneByTheNext) {
  std::thread([&] {
    pool_->begin();
    set_word(9);
  }).join();
  EXPECT_EQ(read(*pool_, [&] { return word(); }), 1U);
  set_word(4);
  EXPECT_EQ(word(), 4U);
}

TEST_F(Transaction, TwoThreadsOfTwoPoolsAreToldOfTheirDeadlock) {
  const auto other = open_at(path("other"));
  pool_->begin();
  std::thread thread([&] {
    other->begin();
    try {
      pool_->begin();
      pool_->commit();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::transaction);
    }
    other->commit();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  try {
    other->begin();
    other->commit();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::transaction);
  }
  pool_->commit();
  thread.join();
}

TEST_F(Transaction, ReadersShareAndForbidWrites) {
  pool_->begin_reading();
  EXPECT_THROW(set_word(2), Error);
  std::thread([&] {
    pool_->begin_reading();
    EXPECT_EQ(read(*pool_, [&] { return word(); }), 1U);
    pool_->end_reading();
  }).join();
  std::thread([&] { EXPECT_THROW(pool_->begin(0.05), Error); }).join();
  pool_->end_reading();
  set_word(2);
}

TEST_F(Transaction, AClosedPoolRefusesEverything) {
  pool_->begin();
  set_word(2);
  pool_->close();
  pool_->close();
  EXPECT_THROW(set_word(3), Error);
  EXPECT_THROW(pool_->begin(), Error);
  EXPECT_THROW(read(*pool_, [] { return 0; }), Error);
  open();
  EXPECT_EQ(word(), 1U);
}

}  // namespace
}  // namespace nvm::heap::testing
