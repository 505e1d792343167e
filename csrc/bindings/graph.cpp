#include <pybind11/stl/filesystem.h>

#include "bindings/bindings.hpp"
#include "bindings/vectors.hpp"
#include "index/hnsw_index.hpp"

namespace astraweave::bindings {
namespace {

using index::HnswIndex;

std::unique_ptr<HnswIndex> make(std::size_t dims, const std::string& metric,
                                const std::string& storage, std::size_t m,
                                std::size_t ef_construction, std::size_t ef_search,
                                std::uint64_t seed) {
  index::HnswOptions options;
  options.dims = dims;
  options.metric = index::parse_metric(metric);
  options.storage = index::parse_storage(storage);
  options.m = m;
  options.ef_construction = ef_construction;
  options.ef_search = ef_search;
  options.seed = seed;
  return std::make_unique<HnswIndex>(options);
}

void insert(HnswIndex& self, const IdArray& ids, const FloatArray& vectors,
            const std::optional<TagArray>& tags, std::size_t threads) {
  const auto span = flat(ids, "ids");
  check_shape(vectors, static_cast<py::ssize_t>(span.size()), self.dims());
  const auto each = tags_of(tags, span.size());
  const float* data = vectors.data();
  const py::gil_scoped_release release;
  self.insert(span, data, each, threads);
}

py::tuple search(const HnswIndex& self, const FloatArray& query, std::size_t k,
                 const std::optional<IdArray>& allowed, std::optional<index::Tags> any_tags,
                 std::size_t ef) {
  check_shape(query, -1, self.dims());
  const float* data = query.data();
  const index::Scope scope = scope_of(allowed, any_tags);
  std::vector<index::Hit> hits;
  {
    const py::gil_scoped_release release;
    hits = self.search(data, k, scope, ef);
  }
  return as_arrays(hits, static_cast<py::ssize_t>(hits.size()));
}

py::tuple search_many(const HnswIndex& self, const FloatArray& queries, std::size_t k,
                      const std::optional<IdArray>& allowed, std::optional<index::Tags> any_tags,
                      std::size_t threads, std::size_t ef) {
  const py::ssize_t m = queries.ndim() > 0 ? queries.shape(0) : 0;
  check_shape(queries, m, self.dims());
  const float* data = queries.data();
  const index::Scope scope = scope_of(allowed, any_tags);
  index::Hits hits;
  {
    const py::gil_scoped_release release;
    hits = self.search_many(data, static_cast<std::size_t>(m), k, scope, ef, threads);
  }
  return as_arrays(hits.all, std::vector<py::ssize_t>{m, static_cast<py::ssize_t>(hits.per_query)});
}

py::bytes to_bytes(const HnswIndex& self) {
  std::string bytes;
  {
    const py::gil_scoped_release release;
    bytes = self.to_bytes();
  }
  return py::bytes(bytes);
}

}  // namespace

void bind_graph(py::module_& module) {
  using Release = py::call_guard<py::gil_scoped_release>;
  const index::HnswOptions usual;
  py::class_<HnswIndex> type(module, "HnswIndex");
  type.def(py::init(&make), py::arg("dimensions"), py::arg("metric"),
           py::arg("storage") = "float32", py::kw_only(), py::arg("m") = usual.m,
           py::arg("ef_construction") = usual.ef_construction,
           py::arg("ef_search") = usual.ef_search, py::arg("seed") = usual.seed)
      .def_property_readonly("nbytes", &HnswIndex::bytes)
      .def("insert", &insert, py::arg("ids"), py::arg("vectors"), py::arg("tags") = py::none(),
           py::arg("threads") = 1)
      .def("search", &search, py::arg("query"), py::arg("k"), py::arg("allowed") = py::none(),
           py::arg("any_tags") = py::none(), py::arg("ef") = 0)
      .def("search_many", &search_many, py::arg("queries"), py::arg("k"),
           py::arg("allowed") = py::none(), py::arg("any_tags") = py::none(),
           py::arg("threads") = 1, py::arg("ef") = 0)
      .def("to_bytes", &to_bytes)
      .def("verify", &HnswIndex::verify, Release());
  define_common(type);
}

}  // namespace astraweave::bindings
