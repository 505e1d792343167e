#include <cstddef>
#include <string>
#include <vector>

#include "bindings/bindings.hpp"
#include "error.hpp"
#include "simd/dot/dot.hpp"
#include "simd/tier.hpp"

namespace astraweave::bindings {
namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;

float dot(const FloatArray& a, const FloatArray& b) {
  if (a.ndim() != 1 || b.ndim() != 1 || a.size() != b.size()) {
    throw Error(ErrorCode::kInput, "dot needs two vectors of one length, got " +
                                       std::to_string(a.size()) + " and " +
                                       std::to_string(b.size()) + " numbers");
  }
  const float* left = a.data();
  const float* right = b.data();
  const auto n = static_cast<std::size_t>(a.size());
  const py::gil_scoped_release release;
  return simd::dot_f32_kernel(simd::active_tier())(left, right, n);
}

}  // namespace

void bind_simd(py::module_& module) {
  module.def("dot", &dot, py::arg("a"), py::arg("b"));
  module.def("simd_tier", [] { return std::string(simd::tier_name(simd::active_tier())); });
  module.def("simd_tiers", [] {
    std::vector<std::string> names;
    for (const simd::Tier tier : simd::available_tiers()) {
      names.emplace_back(simd::tier_name(tier));
    }
    return py::tuple(py::cast(names));
  });
  module.def("force_simd_tier", &simd::force_tier, py::arg("name"));
  simd::active_tier();  // a wrong ASTRAWEAVE_SIMD is reported here, at import, not in a frame
}

}  // namespace astraweave::bindings
