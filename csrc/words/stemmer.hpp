// The English stemmer of the Snowball project ("Porter2": M. Porter, "The English (Porter2)
// stemming algorithm", snowballstem.org, as of its version 3), written from its description.
//
// Contract: `word` holds `size` bytes of a word in small letters; apostrophes stand as '. What is
// not a to z counts as a consonant. The stem overwrites the word from its beginning on and is never
// longer; its length is returned. Words that are not ASCII throughout come back as they are. Time
// grows with the length alone, no step looks at more than the word.
#pragma once

#include <cstddef>

namespace astraweave::words {

std::size_t stem(char* word, std::size_t size) noexcept;

}  // namespace astraweave::words
