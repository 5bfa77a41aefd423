#include "object/key/hash_cache.h"

#include "object/caches.h"
#include "object/key/hash.h"
#include "object/key/term.h"
#include "pool_fixture.h"

namespace nvm::object::testing {
namespace {

class HashCacheTest : public PoolTest {
 protected:
  uint64_t hash(const Value& value) { return hash_of(pool(), Term::of(pool(), value)); }
  // Of the root, from now on known.
  Offset hashed_root() {
    hash(Value::object_at(root_object()));
    return root_object();
  }
  bool knows(Offset object) { return caches(pool()).hashes.find(pool(), object).has_hash; }
  Value nested(int64_t innermost) {
    return values.tuple({values.frozenset({Values::integer(innermost)})});
  }
};

TEST_F(HashCacheTest, WhatHoldsOthersIsKnownOnceItIsHashed) {
  set_root(nested(1));
  EXPECT_FALSE(knows(root_object()));
  EXPECT_TRUE(knows(hashed_root()));
  set_root(values.tuple({Values::integer(1)}));
  EXPECT_FALSE(knows(hashed_root()));
}

TEST_F(HashCacheTest, WhatIsFreedIsForgotten) {
  set_root(nested(1));
  const Offset known = hashed_root();
  set_root(Values::none());
  EXPECT_FALSE(knows(known));
  for (int i = 2; i < 100; ++i) {
    set_root(nested(i));
    EXPECT_EQ(hash(Value::object_at(hashed_root())), hash(nested(i)));
  }
}

TEST_F(HashCacheTest, WhatWasUndoneIsForgotten) {
  pool().begin();
  set_root(nested(1));
  const Offset known = hashed_root();
  EXPECT_TRUE(knows(known));
  abort();
  EXPECT_FALSE(knows(known));
}

TEST_F(HashCacheTest, LevelsThatAreStoredOneByOneHashAsThoseStoredAtOnce) {
  Value whole = Values::integer(1), stored = whole;
  for (int level = 0; level < 10'000; ++level) {
    whole = values.frozenset({whole});
    mutate([&](Operation& op) {
      Values outermost;
      replace(op, &op.pool().root().root, outermost.frozenset({stored}));
    });
    stored = Value::object_at(root_object());
  }
  EXPECT_EQ(hash(stored), hash(whole));
}

TEST_F(HashCacheTest, TooManyAreForgotten) {
  HashCache& hashes = caches(pool()).hashes;
  for (Offset object = 1; object <= HashCache::kMost; ++object)
    hashes.learn_hash(pool(), object, object);
  EXPECT_EQ(hashes.find(pool(), 1).hash, 1U);
  hashes.learn_hash(pool(), HashCache::kMost + 1, 7);
  EXPECT_FALSE(knows(1));
  EXPECT_EQ(hashes.find(pool(), HashCache::kMost + 1).hash, 7U);
}

}  // namespace
}  // namespace nvm::object::testing
