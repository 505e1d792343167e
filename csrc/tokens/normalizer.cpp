#include "tokens/normalizer.hpp"

#include <algorithm>

#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

template <typename Rewrite>
std::string rewrite_each(std::string_view text, Rewrite&& rewrite) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    rewrite(out, decode_utf8(at));
  }
  return out;
}

std::u32string decomposed(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    append_decomposition(out, decode_utf8(at));
  }
  // Canonical order: each run of combining characters by its classes, stably.
  const auto by_class = [](char32_t a, char32_t b) {
    return combining_class(a) < combining_class(b);
  };
  for (auto at = out.begin(); at != out.end();) {
    if (combining_class(*at) == 0) {
      ++at;
      continue;
    }
    const auto stop = std::find_if(at, out.end(), [](char32_t c) { return !combining_class(c); });
    std::stable_sort(at, stop, by_class);
    at = stop;
  }
  return out;
}

// Canonical composition in place: each character joins the last starter unless something between
// them blocks it (Unicode Standard, section 3.11, D117).
void compose_all(std::u32string& text) {
  std::size_t write = 0, starter = std::u32string::npos;
  int last_class = 0;
  for (const char32_t code : std::u32string(text)) {
    const int this_class = combining_class(code);
    if (starter != std::u32string::npos) {
      const bool adjacent = write == starter + 1;
      if (adjacent || (last_class != 0 && last_class < this_class)) {
        if (const char32_t joined = compose(text[starter], code)) {
          text[starter] = joined;
          continue;
        }
      }
    }
    if (this_class == 0) starter = write;
    last_class = this_class;
    text[write++] = code;
  }
  text.resize(write);
}

std::string encoded(const std::u32string& text) {
  std::string out;
  out.reserve(text.size() * 2);
  for (const char32_t code : text) append_utf8(out, code);
  return out;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<signed char>(c) >= 0; });
}

// Whether a text is certainly in NFC: each of its characters is of a range that is stable in itself
// and that nothing of these ranges composes with.
bool is_plainly_nfc(std::string_view text) {
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    if (static_cast<signed char>(*at) >= 0) {
      ++at;
      continue;
    }
    const char32_t code = decode_utf8(at);
    const auto within = [code](char32_t first, char32_t last) {
      return first <= code && code <= last;
    };
    const bool stable = code < 0x300 || within(0x2010, 0x2027) || within(0x2030, 0x205E) ||
                        within(0x400, 0x481) || within(0x4E00, 0x9FFF) || within(0x3041, 0x3096) ||
                        within(0x30A1, 0x30FA) || within(0xAC00, 0xD7A3) ||
                        within(0xFF01, 0xFF5E) || within(0x1F300, 0x1FAFF);
    if (!stable) return false;
  }
  return true;
}

bool leaves_alone(const NormalizerStep& step, std::string_view text, bool continues) {
  using Kind = NormalizerStep::Kind;
  switch (step.kind) {
    case Kind::kNfc:
      return is_plainly_nfc(text);
    case Kind::kNfd:
      return is_ascii(text);
    case Kind::kPrepend:
      return continues;
    default:
      return false;
  }
}

std::string apply_step(const NormalizerStep& step, std::string_view text) {
  using Kind = NormalizerStep::Kind;
  switch (step.kind) {
    case Kind::kCleanText:
      return rewrite_each(text, [](std::string& out, char32_t code) {
        const auto flag = flags(code);
        if (flag & kControl) return;
        append_utf8(out, flag & kBlank ? U' ' : code);
      });
    case Kind::kSpaceCjk:
      return rewrite_each(text, [](std::string& out, char32_t code) {
        if (!has(code, kIdeograph)) return append_utf8(out, code);
        out += ' ';
        append_utf8(out, code);
        out += ' ';
      });
    case Kind::kLowercase:
      return rewrite_each(text, append_lowercase);
    case Kind::kStripAccents:
      return rewrite_each(text, [](std::string& out, char32_t code) {
        if (!has(code, kAccent)) append_utf8(out, code);
      });
    case Kind::kStripBertAccents:
      return rewrite_each(text, [](std::string& out, char32_t code) {
        if (!has(code, kBertAccent)) append_utf8(out, code);
      });
    case Kind::kNfd:
      return encoded(decomposed(text));
    case Kind::kNfc: {
      std::u32string points = decomposed(text);
      compose_all(points);
      return encoded(points);
    }
    case Kind::kPrepend:
      return text.empty() ? std::string() : step.to + std::string(text);
    case Kind::kReplace:
      return replace_all(text, step.from, step.to);
  }
  return std::string(text);
}

}  // namespace

Normalizer::Normalizer(std::vector<NormalizerStep> steps) : steps_(std::move(steps)) {
  for (const NormalizerStep& step : steps_) {
    require_utf8(step.from, "what a normalizer replaces");
    require_utf8(step.to, "what a normalizer writes");
  }
}

std::string_view Normalizer::apply(std::string_view text, std::string& buffer,
                                   bool continues) const {
  for (const NormalizerStep& step : steps_) {
    if (leaves_alone(step, text, continues)) continue;
    buffer = apply_step(step, text);
    text = buffer;
  }
  return text;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  for (std::size_t hit; !from.empty() && (hit = text.find(from, at)) != std::string_view::npos;
       at = hit + from.size()) {
    out.append(text, at, hit - at).append(to);
  }
  return out.append(text, at);
}

}  // namespace astraweave::tokens
