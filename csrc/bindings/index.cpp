#include <pybind11/stl/filesystem.h>

#include "bindings/bindings.hpp"
#include "bindings/vectors.hpp"
#include "index/flat_index.hpp"

namespace astraweave::bindings {
namespace {

using index::FlatIndex;

std::unique_ptr<FlatIndex> make(std::size_t dims, const std::string& metric,
                                const std::string& storage) {
  return std::make_unique<FlatIndex>(dims, index::parse_metric(metric),
                                     index::parse_storage(storage));
}

void insert(FlatIndex& self, const IdArray& ids, const FloatArray& vectors,
            const std::optional<TagArray>& tags) {
  const auto span = flat(ids, "ids");
  check_shape(vectors, static_cast<py::ssize_t>(span.size()), self.dims());
  const auto each = tags_of(tags, span.size());
  const float* data = vectors.data();
  const py::gil_scoped_release release;
  self.insert(span, data, each);
}

py::tuple search(const FlatIndex& self, const FloatArray& query, std::size_t k,
                 const std::optional<IdArray>& allowed, std::optional<index::Tags> any_tags) {
  check_shape(query, -1, self.dims());
  const float* data = query.data();
  const index::Scope scope = scope_of(allowed, any_tags);
  std::vector<index::Hit> hits;
  {
    const py::gil_scoped_release release;
    hits = self.search(data, k, scope);
  }
  return as_arrays(hits, static_cast<py::ssize_t>(hits.size()));
}

py::tuple search_many(const FlatIndex& self, const FloatArray& queries, std::size_t k,
                      const std::optional<IdArray>& allowed, std::optional<index::Tags> any_tags,
                      std::size_t threads) {
  const py::ssize_t m = queries.ndim() > 0 ? queries.shape(0) : 0;
  check_shape(queries, m, self.dims());
  const float* data = queries.data();
  const index::Scope scope = scope_of(allowed, any_tags);
  index::Hits hits;
  {
    const py::gil_scoped_release release;
    hits = self.search_many(data, static_cast<std::size_t>(m), k, scope, threads);
  }
  return as_arrays(hits.all, std::vector<py::ssize_t>{m, static_cast<py::ssize_t>(hits.per_query)});
}

// Written straight into the object that Python gets; only making that needs the interpreter.
py::bytes to_bytes(const FlatIndex& self) {
  PyObject* bytes = nullptr;
  {
    const py::gil_scoped_release release;
    self.to_bytes([&bytes](std::size_t size) {
      const py::gil_scoped_acquire acquire;
      bytes = PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(size));
      if (bytes == nullptr) throw py::error_already_set();
      return PyBytes_AS_STRING(bytes);
    });
  }
  return py::reinterpret_steal<py::bytes>(bytes);
}

}  // namespace

void bind_index(py::module_& module) {
  py::class_<FlatIndex> type(module, "FlatIndex");
  type.def(py::init(&make), py::arg("dimensions"), py::arg("metric"),
           py::arg("storage") = "float32")
      .def("insert", &insert, py::arg("ids"), py::arg("vectors"), py::arg("tags") = py::none())
      .def("search", &search, py::arg("query"), py::arg("k"), py::arg("allowed") = py::none(),
           py::arg("any_tags") = py::none())
      .def("search_many", &search_many, py::arg("queries"), py::arg("k"),
           py::arg("allowed") = py::none(), py::arg("any_tags") = py::none(),
           py::arg("threads") = 1)
      .def("to_bytes", &to_bytes);
  define_common(type);
}

}  // namespace astraweave::bindings
