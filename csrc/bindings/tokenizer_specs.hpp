// A tokenizer from what Python says of its parts.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tokens/tokenizer.hpp"

namespace astraweave::bindings {

using StepSpec = std::tuple<std::string, std::string, std::string>;  // kind, from, to
using SplitSpec = std::tuple<std::string, std::string, int, bool>;   // see split_step
using AddedSpec = std::tuple<tokens::TokenId, std::string, bool, bool, bool, bool, bool>;
using Merges = std::vector<std::pair<std::string, std::string>>;
using DecoderSpec = std::tuple<std::string, std::vector<StepSpec>, std::string, int, bool>;

// Throws Error(kConfig) for a part that is not known, Error(kCorruptData) for parts that do not
// belong together.
std::shared_ptr<tokens::Tokenizer> make_tokenizer(
    const std::string& model, const std::vector<std::optional<std::string>>& tokens,
    const Merges& merges, const pybind11::dict& options, const std::vector<StepSpec>& normalizer,
    const std::vector<SplitSpec>& splitter, const std::vector<AddedSpec>& added,
    const DecoderSpec& decoder);

}  // namespace astraweave::bindings
