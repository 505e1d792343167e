#include <cstddef>
#include <string>
#include <vector>

#include "bindings/bindings.hpp"
#include "error.hpp"
#include "simd/dot/dot.hpp"
#include "simd/l2/l2.hpp"
#include "simd/scan/scan.hpp"
#include "simd/tier.hpp"

namespace astraweave::bindings {
namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;

std::size_t common_length(const char* what, const FloatArray& a, const FloatArray& b) {
  if (a.ndim() != 1 || b.ndim() != 1 || a.size() != b.size()) {
    throw Error(ErrorCode::kInput, std::string(what) + " needs two vectors of one length, got " +
                                       std::to_string(a.size()) + " and " +
                                       std::to_string(b.size()) + " numbers");
  }
  return static_cast<std::size_t>(a.size());
}

float dot(const FloatArray& a, const FloatArray& b) {
  const std::size_t n = common_length("dot", a, b);
  const float* left = a.data();
  const float* right = b.data();
  const py::gil_scoped_release release;
  return simd::dot_f32_kernel(simd::active_tier())(left, right, n);
}

float l2_squared(const FloatArray& a, const FloatArray& b) {
  const std::size_t n = common_length("l2_squared", a, b);
  const float* left = a.data();
  const float* right = b.data();
  const py::gil_scoped_release release;
  return simd::l2_f32_kernel(simd::active_tier())(left, right, n);
}

template <simd::ScanF32 (*kKernel)(simd::Tier) noexcept>
py::array_t<float> scan(const FloatArray& query, const FloatArray& rows) {
  if (query.ndim() != 1 || rows.ndim() != 2 || rows.shape(1) != query.size()) {
    throw Error(ErrorCode::kInput, "a scan needs a query (n) and rows (m, n)");
  }
  const auto n = static_cast<std::size_t>(rows.shape(0));
  const auto dims = static_cast<std::size_t>(query.size());
  py::array_t<float> scores(rows.shape(0));
  const float* from = rows.data();
  const float* wanted = query.data();
  float* out = scores.mutable_data();
  {
    const py::gil_scoped_release release;
    kKernel(simd::active_tier())(wanted, from, dims, n, dims, out);
  }
  return scores;
}

}  // namespace

void bind_simd(py::module_& module) {
  module.def("dot", &dot, py::arg("a"), py::arg("b"));
  module.def("l2_squared", &l2_squared, py::arg("a"), py::arg("b"));
  module.def("scan_dot", &scan<simd::scan_dot_f32_kernel>, py::arg("query"), py::arg("rows"));
  module.def("scan_l2", &scan<simd::scan_l2_f32_kernel>, py::arg("query"), py::arg("rows"));
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
