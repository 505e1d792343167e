// A decoder: sequences of tokens whose keys and values are kept, and steps that append to them.
//
// Contract: one thread at a time (decoders that share a team or weights do not disturb each other).
// What throws has changed no sequence: kInput for batches that make no sense, kCapacity for what
// does not fit, std::bad_alloc. Only kModel is different: logits that are no numbers, behind which
// the sequences of the batch are undefined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "decoder/attention.hpp"
#include "decoder/forward.hpp"
#include "decoder/kv_pages.hpp"
#include "decoder/weights.hpp"
#include "threads/team.hpp"

namespace astraweave::decoder {

struct DecoderOptions {
  simd::KvKind kv_kind = simd::KvKind::kHalf;
  std::size_t kv_bytes = std::size_t{64} << 20;
  std::size_t max_sequences = 16;
  std::size_t context_tokens = 0;  // of a sequence, at most the model's own; 0: that
};

// Tokens to append: counts[i] of them, 1 or more, to sequences[i], each named once. wanted: places
// in tokens, ascending, after which logits are wanted.
struct StepBatch {
  std::span<const std::int32_t> sequences;
  std::span<const std::int32_t> counts;
  std::span<const std::int32_t> tokens;
  std::span<const std::int32_t> wanted;
};

class Decoder {
 public:
  Decoder(std::shared_ptr<const Weights> weights, std::shared_ptr<threads::Team> team,
          const DecoderOptions& options);

  // Logits of the i-th wanted row go to logits + i * logits_stride(); in whole strides.
  void step(const StepBatch& batch, float* logits);
  std::size_t logits_stride() const noexcept { return forward_.logits_stride(); }

  const Shape& shape() const noexcept { return weights_->shape(); }
  // To open, fork, truncate, release and measure sequences.
  KvPages& sequences() noexcept { return pages_; }
  std::size_t workspace_bytes() const noexcept { return forward_.bytes(); }

 private:
  void check(const StepBatch& batch) const;

  std::shared_ptr<const Weights> weights_;
  std::shared_ptr<threads::Team> team_;
  KvPages pages_;
  Attention attention_;
  Forward forward_;
  std::vector<Attention::Part> parts_;
  std::vector<std::uint32_t> positions_;
};

}  // namespace astraweave::decoder
