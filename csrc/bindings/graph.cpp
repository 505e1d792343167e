#include <pybind11/stl/filesystem.h>

#include "bindings/bindings.hpp"
#include "error.hpp"
#include "index/hnsw_index.hpp"

namespace astraweave::bindings {
namespace {

using index::HnswIndex;
using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using IdArray = py::array_t<index::Id, py::array::c_style | py::array::forcecast>;
using TagArray = py::array_t<index::Tags, py::array::c_style | py::array::forcecast>;

// rows < 0: one vector.
void check_shape(const FloatArray& array, py::ssize_t rows, const HnswIndex& self) {
  const auto dims = static_cast<py::ssize_t>(self.dims());
  const bool right = rows < 0 ? array.ndim() == 1 && array.shape(0) == dims
                              : array.ndim() == 2 && array.shape(0) == rows &&
                                    (array.shape(1) == dims || rows == 0);
  if (right) return;
  std::string got;
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    got += (axis > 0 ? ", " : "") + std::to_string(array.shape(axis));
  }
  const std::string want = (rows < 0 ? "" : std::to_string(rows) + ", ") + std::to_string(dims);
  throw Error(ErrorCode::kInput, "vectors of shape (" + want + ") are needed, got (" + got + ")");
}

template <class T>
std::span<const T> flat(const py::array_t<T, py::array::c_style | py::array::forcecast>& values,
                        const char* what) {
  if (values.ndim() != 1) {
    throw Error(ErrorCode::kInput, std::string(what) + " must be a flat sequence");
  }
  return {values.data(), static_cast<std::size_t>(values.size())};
}

index::Scope scope_of(const std::optional<IdArray>& allowed, std::optional<index::Tags> any_tags) {
  index::Scope scope;
  if (allowed) scope.ids = flat(*allowed, "ids");
  scope.any_tags = any_tags;
  return scope;
}

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
  check_shape(vectors, static_cast<py::ssize_t>(span.size()), self);
  std::span<const index::Tags> each;
  if (tags) {
    each = flat(*tags, "tags");
    if (each.size() != span.size()) {
      throw Error(ErrorCode::kInput, "there are " + std::to_string(span.size()) + " ids and " +
                                         std::to_string(each.size()) + " tags");
    }
  }
  const float* data = vectors.data();
  const py::gil_scoped_release release;
  self.insert(span, data, each, threads);
}

void update(HnswIndex& self, index::Id id, const FloatArray& vector,
            std::optional<index::Tags> tags) {
  check_shape(vector, -1, self);
  const float* data = vector.data();
  const py::gil_scoped_release release;
  self.update(id, data, tags);
}

py::object get(const HnswIndex& self, index::Id id) {
  py::array_t<float> out(static_cast<py::ssize_t>(self.dims()));
  float* data = out.mutable_data();
  bool found = false;
  {
    const py::gil_scoped_release release;
    found = self.get(id, data);
  }
  return found ? py::object(std::move(out)) : py::object(py::none());
}

// Hits as two arrays of a shape.
template <class Shape>
py::tuple as_arrays(const std::vector<index::Hit>& hits, const Shape& shape) {
  py::array_t<index::Id> ids(shape);
  py::array_t<float> scores(shape);
  index::Id* id = ids.mutable_data();
  float* score = scores.mutable_data();
  for (const index::Hit& hit : hits) {
    *id++ = hit.id;
    *score++ = hit.score;
  }
  return py::make_tuple(std::move(ids), std::move(scores));
}

py::tuple search(const HnswIndex& self, const FloatArray& query, std::size_t k,
                 const std::optional<IdArray>& allowed, std::optional<index::Tags> any_tags,
                 std::size_t ef) {
  check_shape(query, -1, self);
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
  check_shape(queries, m, self);
  const float* data = queries.data();
  const index::Scope scope = scope_of(allowed, any_tags);
  index::Hits hits;
  {
    const py::gil_scoped_release release;
    hits = self.search_many(data, static_cast<std::size_t>(m), k, scope, ef, threads);
  }
  return as_arrays(hits.all, std::vector<py::ssize_t>{m, static_cast<py::ssize_t>(hits.per_query)});
}

py::array_t<float> scores(const HnswIndex& self, const FloatArray& query, const IdArray& ids) {
  check_shape(query, -1, self);
  const float* data = query.data();
  const auto wanted = flat(ids, "ids");
  py::array_t<float> out(static_cast<py::ssize_t>(wanted.size()));
  float* to = out.mutable_data();
  {
    const py::gil_scoped_release release;
    self.scores(data, wanted, to);
  }
  return out;
}

py::array_t<index::Id> ids(const HnswIndex& self) {
  std::vector<index::Id> found;
  {
    const py::gil_scoped_release release;
    found = self.ids();
  }
  return py::array_t<index::Id>(static_cast<py::ssize_t>(found.size()), found.data());
}

py::bytes to_bytes(const HnswIndex& self) {
  std::string bytes;
  {
    const py::gil_scoped_release release;
    bytes = self.to_bytes();
  }
  return py::bytes(bytes);
}

std::unique_ptr<HnswIndex> from_bytes(const py::bytes& data) {
  const std::string_view bytes = data;
  const py::gil_scoped_release release;
  return HnswIndex::from_bytes(bytes);
}

}  // namespace

void bind_graph(py::module_& module) {
  using Release = py::call_guard<py::gil_scoped_release>;
  const index::HnswOptions usual;
  py::class_<HnswIndex>(module, "HnswIndex")
      .def(py::init(&make), py::arg("dimensions"), py::arg("metric"),
           py::arg("storage") = "float32", py::kw_only(), py::arg("m") = usual.m,
           py::arg("ef_construction") = usual.ef_construction,
           py::arg("ef_search") = usual.ef_search, py::arg("seed") = usual.seed)
      .def_property_readonly("dimensions", &HnswIndex::dims)
      .def_property_readonly(
          "metric", [](const HnswIndex& self) { return index::metric_name(self.metric()); })
      .def_property_readonly(
          "storage",
          [](const HnswIndex& self) { return index::storage_name(self.options().storage); })
      .def_property_readonly("nbytes", &HnswIndex::bytes)
      .def("insert", &insert, py::arg("ids"), py::arg("vectors"), py::arg("tags") = py::none(),
           py::arg("threads") = 1)
      .def("update", &update, py::arg("id"), py::arg("vector"), py::arg("tags") = py::none())
      .def("set_tags", &HnswIndex::set_tags, py::arg("id"), py::arg("tags"), Release())
      .def("tags", &HnswIndex::tags, py::arg("id"), Release())
      .def("remove", &HnswIndex::remove, py::arg("id"), Release())
      .def("get", &get, py::arg("id"))
      .def("search", &search, py::arg("query"), py::arg("k"), py::arg("allowed") = py::none(),
           py::arg("any_tags") = py::none(), py::arg("ef") = 0)
      .def("search_many", &search_many, py::arg("queries"), py::arg("k"),
           py::arg("allowed") = py::none(), py::arg("any_tags") = py::none(),
           py::arg("threads") = 1, py::arg("ef") = 0)
      .def("scores", &scores, py::arg("query"), py::arg("ids"))
      .def("ids", &ids)
      .def("__len__", &HnswIndex::size, Release())
      .def("__contains__", &HnswIndex::contains, py::arg("id"), Release())
      .def("to_bytes", &to_bytes)
      .def_static("from_bytes", &from_bytes, py::arg("data"))
      .def("save", &HnswIndex::save, py::arg("path"), Release())
      .def_static("load", &HnswIndex::load, py::arg("path"), Release())
      .def("verify", &HnswIndex::verify, Release());
}

}  // namespace astraweave::bindings
