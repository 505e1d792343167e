#include "words/vocabulary.hpp"

#include "error.hpp"

namespace astraweave::words {
namespace {

// FNV-1a with a last stir: terms are short.
std::uint32_t hash_of(std::string_view term) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : term) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  hash ^= hash >> 29;
  return static_cast<std::uint32_t>(hash * 0x9e3779b97f4a7c15u >> 32);
}

}  // namespace

std::string_view Vocabulary::text_of(Term term) const noexcept {
  const std::size_t start = term == 0 ? 0 : ends_[term - 1];
  return std::string_view(texts_).substr(start, ends_[term] - start);
}

// Where the term stands, or where it would.
std::size_t Vocabulary::place_of(std::string_view term, std::uint32_t hash) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].term != kNoTerm &&
         (slots_[at].hash != hash || text_of(slots_[at].term) != term)) {
    at = (at + 1) & mask;
  }
  return at;
}

void Vocabulary::grow() {
  std::vector<Slot> larger(slots_.empty() ? 1024 : slots_.size() * 2);
  const std::size_t mask = larger.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.term == kNoTerm) continue;
    std::size_t at = slot.hash & mask;
    while (larger[at].term != kNoTerm) at = (at + 1) & mask;
    larger[at] = slot;
  }
  slots_.swap(larger);
}

Term Vocabulary::add(std::string_view term) {
  const std::uint32_t hash = hash_of(term);
  if ((ends_.size() + 1) * 4 > slots_.size() * 3) grow();
  const std::size_t at = place_of(term, hash);
  if (slots_[at].term != kNoTerm) return slots_[at].term;
  if (ends_.size() >= kNoTerm) throw Error(ErrorCode::kCapacity, "there are too many words");
  texts_.resize(ends_.empty() ? 0 : ends_.back());  // what an addition without memory has left
  texts_ += term;
  ends_.push_back(texts_.size());
  slots_[at] = {hash, static_cast<Term>(ends_.size() - 1)};
  return slots_[at].term;
}

Term Vocabulary::find(std::string_view term) const noexcept {
  return slots_.empty() ? kNoTerm : slots_[place_of(term, hash_of(term))].term;
}

std::size_t Vocabulary::bytes() const noexcept {
  return texts_.capacity() + ends_.capacity() * sizeof(std::size_t) +
         slots_.capacity() * sizeof(Slot);
}

}  // namespace astraweave::words
