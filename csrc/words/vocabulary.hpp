// Numbers for terms, shared by all shelves of a world.
//
// Contract: a term has one number from 0 on, for good; terms that no memory holds any more keep
// theirs (some 20 bytes and the term itself), since nothing here outlives a session.
//
// Threads: whoever calls holds callers(), and so does whoever works with a shelf that shares it: a
// question takes microseconds, and one lock for all shelves is one that nobody can take in the
// wrong order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace astraweave::words {

using Term = std::uint32_t;
inline constexpr Term kNoTerm = 0xFFFFFFFF;

class Vocabulary {
 public:
  // The number of a term, a new one where it has none. Throws Error(kCapacity) when all are taken.
  Term add(std::string_view term);
  // kNoTerm where it has none.
  Term find(std::string_view term) const noexcept;
  std::size_t size() const noexcept { return ends_.size(); }
  std::size_t bytes() const noexcept;
  std::mutex& callers() const noexcept { return callers_; }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    Term term = kNoTerm;
  };
  std::string_view text_of(Term term) const noexcept;
  std::size_t place_of(std::string_view term, std::uint32_t hash) const noexcept;
  void grow();

  mutable std::mutex callers_;
  std::string texts_;
  std::vector<std::size_t> ends_;
  std::vector<Slot> slots_;  // a power of two, at most three quarters taken
};

}  // namespace astraweave::words
