#include "decoder/shape.hpp"

#include <cmath>
#include <string>

#include "error.hpp"
#include "simd/product/product.hpp"

namespace astraweave::decoder {
namespace {

void within(const char* name, std::size_t value, std::size_t least, std::size_t most,
            std::size_t multiple) {
  if (value >= least && value <= most && value % multiple == 0) return;
  throw Error(ErrorCode::kConfig, std::string(name) + " " + std::to_string(value) +
                                      " is not what the native decoder computes: a multiple of " +
                                      std::to_string(multiple) + " from " + std::to_string(least) +
                                      " to " + std::to_string(most));
}

}  // namespace

void Shape::check() const {
  constexpr std::size_t kBlock = simd::kProductBlock;
  within("layers", layers, 1, 1024, 1);
  within("width", width, kBlock, 1 << 17, kBlock);
  within("hidden", hidden, kBlock, 1 << 19, kBlock);
  within("kv_heads", kv_heads, 1, 1024, 1);
  within("heads", heads, kv_heads, 1024, kv_heads);
  within("head_size", head_size, 16, 256, 16);
  within("heads times head_size", queries(), kBlock, 1 << 17, kBlock);
  within("vocabulary", vocabulary, 1, 1 << 22, 1);
  within("context", context, 1, 1 << 22, 1);
  if (!(epsilon >= 0.0F && std::isfinite(epsilon))) {
    throw Error(ErrorCode::kConfig, "epsilon must be a number from 0 on");
  }
}

}  // namespace astraweave::decoder
