#include "decoder/kv_pages.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "error.hpp"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <sys/mman.h>
#endif

namespace astraweave::decoder {
namespace {

[[maybe_unused]] constexpr std::size_t kHugePage = std::size_t{1} << 21;
constexpr std::size_t kMostBytes = std::size_t{1} << 46;  // what an address can reach

std::size_t pages_for(std::size_t tokens) noexcept {
  return tokens / KvPages::kPageTokens + (tokens % KvPages::kPageTokens != 0);
}

std::size_t checked_page_bytes(const KvShape& shape) {
  const auto within = [](std::size_t value, std::size_t most) {
    return value >= 1 && value <= most;
  };
  if (!within(shape.layers, 1024) || !within(shape.kv_heads, 1024) ||
      !within(shape.head_size, 256) || shape.head_size % 16 != 0) {
    throw Error(ErrorCode::kConfig,
                "a KV memory needs 1 to 1024 layers and heads, and a head size of 16, 32, .. 256; "
                "got " +
                    std::to_string(shape.layers) + " layers, " + std::to_string(shape.kv_heads) +
                    " heads of " + std::to_string(shape.head_size));
  }
  return shape.layers * shape.kv_heads * simd::block_bytes(shape.kind, shape.head_size);
}

std::size_t page_count(const KvShape& shape, std::size_t budget_bytes, std::size_t max_sequences,
                       std::size_t context_tokens) {
  const std::size_t page_bytes = checked_page_bytes(shape);
  if (max_sequences < 1 || max_sequences > 65536 || context_tokens < 1 ||
      context_tokens > std::size_t{1} << 24) {
    throw Error(ErrorCode::kConfig,
                "a KV memory is for 1 to 65,536 sequences of 1 to 16,777,216 tokens");
  }
  const std::size_t budget = std::min(budget_bytes, kMostBytes) / page_bytes;
  if (budget == 0) {
    throw Error(ErrorCode::kConfig, "a KV memory of " + std::to_string(budget_bytes) +
                                        " bytes is too small: one page of 16 tokens takes " +
                                        std::to_string(page_bytes));
  }
  return std::min({budget, max_sequences * pages_for(context_tokens), std::size_t{1} << 31});
}

}  // namespace

#if defined(_WIN32)

LazyMemory::LazyMemory(std::size_t bytes) : bytes_(bytes) {
  mapping_ = ::VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  data_ = static_cast<std::byte*>(mapping_);
  if (mapping_ == nullptr) {
    throw Error(ErrorCode::kCapacity, "no room for " + std::to_string(bytes) + " bytes of KV");
  }
}

LazyMemory::~LazyMemory() { ::VirtualFree(mapping_, 0, MEM_RELEASE); }

#else

LazyMemory::LazyMemory(std::size_t bytes) : bytes_(bytes + kHugePage) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#if defined(MAP_NORESERVE)
  flags |= MAP_NORESERVE;
#endif
  mapping_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (mapping_ == MAP_FAILED) {
    throw Error(ErrorCode::kCapacity, "no room for " + std::to_string(bytes) + " bytes of KV");
  }
  void* begin = mapping_;
  std::size_t room = bytes_;
  data_ = static_cast<std::byte*>(std::align(kHugePage, bytes, begin, room));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  (void)::madvise(data_, bytes, MADV_HUGEPAGE);
#endif
}

LazyMemory::~LazyMemory() { ::munmap(mapping_, bytes_); }

#endif

KvPages::KvPages(const KvShape& shape, std::size_t budget_bytes, std::size_t max_sequences,
                 std::size_t context_tokens)
    : shape_(shape),
      context_tokens_(context_tokens),
      block_bytes_(simd::block_bytes(shape.kind, shape.head_size)),
      references_(page_count(shape, budget_bytes, max_sequences, context_tokens)),
      memory_(references_.size() * checked_page_bytes(shape)),
      sequences_(max_sequences) {
  std::vector<Page> room;
  room.reserve(references_.size());  // so that dropping a page never allocates
  free_ = decltype(free_)(std::greater<>(), std::move(room));
}

KvPages::Sequence KvPages::open() {
  const auto place = std::find_if(sequences_.begin(), sequences_.end(),
                                  [](const State& state) { return !state.open; });
  if (place == sequences_.end()) {
    throw Error(ErrorCode::kCapacity, "all " + std::to_string(sequences_.size()) +
                                          " sequences are open; release one first");
  }
  place->open = true;
  ++open_;
  return static_cast<Sequence>(place - sequences_.begin());
}

KvPages::Sequence KvPages::fork(Sequence from, std::size_t tokens) {
  const std::size_t length = state(from).length;
  if (tokens > length) {
    throw Error(ErrorCode::kInput, "sequence " + std::to_string(from) + " has " +
                                       std::to_string(length) + " tokens, not " +
                                       std::to_string(tokens));
  }
  const std::span<const Page> shared = pages(from).first(pages_for(tokens));
  std::vector<Page> pages(shared.begin(), shared.end());
  const Sequence made = open();
  State& fresh = state(made);
  fresh.pages = std::move(pages);
  fresh.length = tokens;
  for (const Page page : fresh.pages) ++references_[page];
  return made;
}

void KvPages::append(Sequence sequence, std::size_t count) {
  const Growth growth{sequence, count};
  append({&growth, 1});
}

void KvPages::append(std::span<const Growth> growths) {
  std::vector<bool> seen(sequences_.size());
  std::size_t wanted = 0;
  for (const Growth& growth : growths) {
    State& grown = state(growth.sequence);
    wanted += pages_wanted(grown, growth.count);
    grown.pages.reserve(pages_for(grown.length + growth.count));
    if (seen[static_cast<std::size_t>(growth.sequence)]) {
      throw Error(ErrorCode::kInput, "sequence " + std::to_string(growth.sequence) +
                                         " is there twice; give each once");
    }
    seen[static_cast<std::size_t>(growth.sequence)] = true;
  }
  if (wanted > references_.size() - used_) {
    throw Error(ErrorCode::kCapacity, "the KV memory is full: " + std::to_string(wanted) +
                                          " pages of 16 tokens are wanted, " +
                                          std::to_string(references_.size() - used_) + " are free");
  }
  for (const Growth& growth : growths) grow(state(growth.sequence), growth.count);
}

// Fresh pages, and one for the copy of a last page that others hold too. Of several sequences that
// share their last page the final one needs no copy; its page is counted all the same.
std::size_t KvPages::pages_wanted(const State& state, std::size_t count) const {
  if (count > context_tokens_ - state.length) {
    throw Error(ErrorCode::kCapacity,
                std::to_string(count) + " tokens more than " + std::to_string(state.length) +
                    " do not fit into a context of " + std::to_string(context_tokens_));
  }
  const bool copies =
      count > 0 && state.length % kPageTokens != 0 && references_[state.pages.back()] > 1;
  return pages_for(state.length + count) - state.pages.size() + copies;
}

void KvPages::grow(State& state, std::size_t count) noexcept {
  if (count == 0) return;
  if (state.length % kPageTokens != 0 && references_[state.pages.back()] > 1) {
    const Page own = take();
    copy(state.pages.back(), own);
    drop(state.pages.back());
    state.pages.back() = own;
  }
  state.length += count;
  while (state.pages.size() < pages_for(state.length)) state.pages.push_back(take());
}

void KvPages::truncate(Sequence sequence, std::size_t tokens) {
  State& kept = state(sequence);
  if (tokens > kept.length) {
    throw Error(ErrorCode::kInput, "sequence " + std::to_string(sequence) + " has " +
                                       std::to_string(kept.length) + " tokens, not " +
                                       std::to_string(tokens));
  }
  for (; kept.pages.size() > pages_for(tokens); kept.pages.pop_back()) drop(kept.pages.back());
  kept.length = tokens;
}

void KvPages::release(Sequence sequence) {
  truncate(sequence, 0);
  state(sequence).open = false;
  --open_;
}

bool KvPages::is_open(Sequence sequence) const noexcept {
  return sequence >= 0 && static_cast<std::size_t>(sequence) < sequences_.size() &&
         sequences_[static_cast<std::size_t>(sequence)].open;
}

const KvPages::State& KvPages::state(Sequence sequence) const {
  if (!is_open(sequence)) {
    throw Error(ErrorCode::kInput, "there is no open sequence " + std::to_string(sequence));
  }
  return sequences_[static_cast<std::size_t>(sequence)];
}

KvPages::State& KvPages::state(Sequence sequence) {
  return const_cast<State&>(std::as_const(*this).state(sequence));
}

std::size_t KvPages::length(Sequence sequence) const { return state(sequence).length; }

std::span<const KvPages::Page> KvPages::pages(Sequence sequence) const {
  return state(sequence).pages;
}

KvReport KvPages::report() const noexcept {
  const std::size_t page_bytes = shape_.layers * shape_.kv_heads * block_bytes_;
  return {references_.size() * kPageTokens, used_ * kPageTokens, references_.size() * page_bytes,
          used_ * page_bytes, open_};
}

KvPages::Page KvPages::take() noexcept {
  Page page = static_cast<Page>(touched_);
  if (free_.empty()) {
    ++touched_;
  } else {
    page = free_.top();
    free_.pop();
  }
  references_[page] = 1;
  ++used_;
  return page;
}

void KvPages::drop(Page page) noexcept {
  if (--references_[page] > 0) return;
  --used_;
  free_.push(page);
}

void KvPages::copy(Page from, Page to) const noexcept {
  for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
    for (std::size_t head = 0; head < shape_.kv_heads; ++head) {
      std::memcpy(block(to, layer, head), block(from, layer, head), block_bytes_);
    }
  }
}

}  // namespace astraweave::decoder
