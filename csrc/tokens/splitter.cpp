#include "tokens/splitter.hpp"

#include "error.hpp"
#include "tokens/normalizer.hpp"
#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

std::string_view between(const char* start, const char* stop) {
  return {start, static_cast<std::size_t>(stop - start)};
}

// Cuts by the class of each character: those of `alone` are pieces of their own, those of `dropped`
// vanish, runs of the others (and of `grouped`) stay together.
template <typename Emit>
void by_class(std::string_view text, int alone, int dropped, int grouped, Emit&& emit) {
  const char *start = text.data(), *end = start + text.size();
  bool in_group = false;
  const auto flush = [&](const char* stop) {
    if (start < stop) emit(between(start, stop));
  };
  for (const char* at = start; at < end;) {
    const char* before = at;
    const int flag = flags(decode_utf8(at));
    if (flag & dropped) {
      flush(before);
      start = at;
    } else if (flag & alone) {
      flush(before);
      emit(between(before, at));
      start = at;
    } else if (const bool grouping = (flag & grouped) != 0; grouping != in_group) {
      flush(before);
      start = before;
      in_group = grouping;
    }
  }
  flush(end);
}

template <typename Emit>
void by_literal(std::string_view text, const SplitStep& step, Emit&& emit) {
  using Behaviour = SplitStep::Behaviour;
  const std::size_t size = step.text.size();
  std::size_t start = 0, from = 0;
  const auto flush = [&](std::size_t stop) {
    if (start < stop) emit(text.substr(start, stop - start));
    start = stop;
  };
  for (std::size_t hit; (hit = text.find(step.text, from)) != std::string_view::npos;) {
    from = hit + size;
    switch (step.behaviour) {
      case Behaviour::kRemoved:
        flush(hit);
        start = from;
        break;
      case Behaviour::kIsolated:
        flush(hit);
        flush(from);
        break;
      case Behaviour::kWithPrevious:
        flush(from);
        break;
      case Behaviour::kWithNext:
        flush(hit);
        break;
    }
  }
  flush(text.size());
}

}  // namespace

Splitter::Splitter(std::vector<SplitStep> steps) : steps_(std::move(steps)) {
  using Kind = SplitStep::Kind;
  for (const SplitStep& step : steps_) {
    require_utf8(step.text, "what a splitter looks for");
    const bool counts_digits = step.rules.family != ScanRules::Family::kGpt2;
    if (step.kind == Kind::kScan && counts_digits && step.rules.max_digits < 1) {
      throw Error(ErrorCode::kConfig, "a scanner's groups of digits must have 1 or more");
    }
    if ((step.kind == Kind::kMetaspace || step.kind == Kind::kLiteral) && step.text.empty()) {
      throw Error(ErrorCode::kConfig, "a splitter at a text needs the text");
    }
  }
  if (steps_.empty() || steps_.back().kind != Kind::kScan || steps_.size() > 2) return;
  if (steps_.size() == 1) {
    piece_rules_.emplace(steps_[0].rules, DigitCut::kNone);
  } else if (steps_[0].kind == Kind::kDigits) {
    piece_rules_.emplace(steps_[1].rules, steps_[0].single ? DigitCut::kSingle : DigitCut::kRuns);
  }
}

void Splitter::apply(std::size_t at, std::string_view piece, bool is_start,
                     const Sink& sink) const {
  if (piece.empty()) return;
  if (at == steps_.size()) return sink(piece);
  const SplitStep& step = steps_[at];
  const char* const text_start = piece.data();
  const auto next = [&](std::string_view part) {
    apply(at + 1, part, is_start && part.data() == text_start, sink);
  };
  using Kind = SplitStep::Kind;
  switch (step.kind) {
    case Kind::kScan: {
      const char *start = piece.data(), *end = start + piece.size();
      while (start < end) {
        const char* stop = scan(step.rules, start, end);
        next(between(start, stop));
        start = stop;
      }
      return;
    }
    case Kind::kDigits:
      return step.single ? by_class(piece, kNumeric, 0, 0, next)
                         : by_class(piece, 0, 0, kNumeric, next);
    case Kind::kBert:
      return by_class(piece, kPunctuation, kSpace, 0, next);
    case Kind::kWhitespace:
      return by_class(piece, 0, kSpace, 0, next);
    case Kind::kPrefixSpace: {
      if (piece.front() == ' ') return apply(at + 1, piece, is_start, sink);
      const std::string spaced = " " + std::string(piece);
      return apply(at + 1, spaced, is_start, sink);
    }
    case Kind::kMetaspace: {
      std::string marked = replace_all(piece, " ", step.text);
      const bool wanted = step.scheme == SplitStep::Scheme::kAlways ||
                          (step.scheme == SplitStep::Scheme::kFirst && is_start);
      if (wanted && !marked.starts_with(step.text)) marked.insert(0, step.text);
      if (!step.single) return apply(at + 1, marked, is_start, sink);
      return by_literal(marked, step,
                        [&](std::string_view part) { apply(at + 1, part, false, sink); });
    }
    case Kind::kLiteral:
      return by_literal(piece, step, next);
  }
}

}  // namespace astraweave::tokens
