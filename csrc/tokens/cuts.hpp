// Where a text may be cut in two so that the halves, counted apart, give the count of the whole,
// whatever either half is.
//
// What a piece is may depend on what follows it (spaces on the next word, a word on "'s"), so most
// borders between pieces are not such places. These are, because no expression that pieces are
// scanned by has a match that reaches across them, and what stands before needs no look beyond:
//   kAtSpaces     between an ASCII letter or digit and ASCII whitespace
//   kAtWordEnds   between any letter or number and what is none, nor a mark, nor an apostrophe
//   kWhereApart   as kAtSpaces but after any character, where the vocabulary has no token that
//                 holds this pair of characters (models without a splitter, as Gemma and Mistral)
//   kNowhere      a tokenizer of which nothing of the kind is known
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tokens/added_tokens.hpp"
#include "tokens/model.hpp"
#include "tokens/normalizer.hpp"
#include "tokens/splitter.hpp"

namespace astraweave::tokens {

class Cuts {
 public:
  enum class Kind { kNowhere, kAtSpaces, kAtWordEnds, kWhereApart };

  // `added`: the tokens that are looked for in the text first. `model` outlives this.
  Cuts(const Normalizer& normalizer, const Splitter& splitter, const std::vector<AddedToken>& added,
       const Model& model);

  Kind kind() const noexcept { return kind_; }
  // The last place in first..size - 1 where `text` may be cut, or the first one; npos: none.
  std::size_t last(std::string_view text, std::size_t first) const;
  std::size_t next(std::string_view text, std::size_t first) const;

 private:
  bool may_cut(std::string_view text, std::size_t at) const;
  Kind kind_of(const Normalizer& normalizer, const Splitter& splitter) const;
  bool spares_all(const std::vector<AddedToken>& added, const Normalizer& normalizer) const;
  bool spares(std::string_view content) const;

  const Model* model_;
  Kind kind_ = Kind::kNowhere;
  bool only_spaces_ = false;              // not before tabs and newlines
  std::array<std::string, 128> becomes_;  // kWhereApart: whitespace as the model sees it
};

}  // namespace astraweave::tokens
