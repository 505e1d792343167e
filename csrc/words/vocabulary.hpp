// Numbers for terms, shared by all shelves of a world.
//
// Contract: a term has one number from 0 on, for good; terms that no memory holds any more keep
// theirs (some 20 bytes and the term itself), since nothing here outlives a session. Thread-safe.
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
  std::size_t size() const noexcept;
  std::size_t bytes() const noexcept;

 private:
  struct Slot {
    std::uint32_t hash = 0;
    Term term = kNoTerm;
  };
  std::string_view text_of(Term term) const noexcept;
  std::size_t place_of(std::string_view term, std::uint32_t hash) const noexcept;
  void grow();

  mutable std::mutex mutex_;
  std::string texts_;
  std::vector<std::size_t> ends_;
  std::vector<Slot> slots_;  // a power of two, at most three quarters taken
};

}  // namespace astraweave::words
