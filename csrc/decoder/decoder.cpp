#include "decoder/decoder.hpp"

#include <cmath>
#include <string>
#include <utility>

#include "error.hpp"

namespace astraweave::decoder {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::kInput, why); }

std::size_t context_of(const Shape& shape, const DecoderOptions& options) {
  if (options.context_tokens <= shape.context) {
    return options.context_tokens == 0 ? shape.context : options.context_tokens;
  }
  throw Error(ErrorCode::kConfig, "the model's context is " + std::to_string(shape.context) +
                                      " tokens, not " + std::to_string(options.context_tokens));
}

}  // namespace

Decoder::Decoder(std::shared_ptr<const Weights> weights, std::shared_ptr<threads::Team> team,
                 const DecoderOptions& options)
    : weights_(std::move(weights)),
      team_(std::move(team)),
      pages_({shape().layers, shape().kv_heads, shape().head_size, options.kv_kind},
             options.kv_bytes, options.max_sequences, context_of(shape(), options)),
      attention_(pages_, shape().heads, 1.0F / std::sqrt(static_cast<float>(shape().head_size)),
                 team_->threads()),
      forward_(*weights_, attention_, team_->threads()) {}

void Decoder::check(const StepBatch& batch) const {
  if (batch.sequences.size() != batch.counts.size()) {
    refuse("there are " + std::to_string(batch.sequences.size()) + " sequences and " +
           std::to_string(batch.counts.size()) + " counts");
  }
  std::size_t total = 0;
  for (const std::int32_t count : batch.counts) {
    if (count < 1) refuse("a sequence gets 1 or more tokens, not " + std::to_string(count));
    total += static_cast<std::size_t>(count);
  }
  if (total != batch.tokens.size()) {
    refuse("the counts say " + std::to_string(total) + " tokens, and there are " +
           std::to_string(batch.tokens.size()));
  }
  for (const std::int32_t token : batch.tokens) {
    if (token < 0 || static_cast<std::size_t>(token) >= shape().vocabulary) {
      refuse("the vocabulary has " + std::to_string(shape().vocabulary) + " tokens: there is no " +
             std::to_string(token));
    }
  }
  std::int64_t before = -1;
  for (const std::int32_t place : batch.wanted) {
    if (place <= before || static_cast<std::size_t>(place) >= total) {
      refuse("wanted places must be ascending and below " + std::to_string(total) + "; " +
             std::to_string(place) + " is not");
    }
    before = place;
  }
}

void Decoder::step(const StepBatch& batch, float* logits) {
  check(batch);
  if (batch.tokens.empty()) return;
  std::vector<KvPages::Growth> growths;
  parts_.clear();
  positions_.clear();
  for (std::size_t i = 0; i < batch.sequences.size(); ++i) {
    const std::size_t first = pages_.length(batch.sequences[i]);
    const auto count = static_cast<std::size_t>(batch.counts[i]);
    growths.push_back({batch.sequences[i], count});
    parts_.push_back({batch.sequences[i], first, count});
    for (std::size_t j = 0; j < count; ++j) {
      positions_.push_back(static_cast<std::uint32_t>(first + j));
    }
  }
  threads::Team::Step step(*team_);
  pages_.append(growths);
  try {
    attention_.prepare(parts_);
    forward_.reserve(batch.tokens.size(), batch.wanted.size());
  } catch (...) {
    for (const Attention::Part& part : parts_) pages_.truncate(part.sequence, part.first);
    throw;
  }
  if (!forward_.run(step, batch.tokens, positions_, batch.wanted, logits)) {
    throw Error(ErrorCode::kModel,
                "the model computed what is no number; its weights may be damaged: verify it");
  }
}

}  // namespace astraweave::decoder
