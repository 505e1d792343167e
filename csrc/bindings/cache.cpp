// get() and put() are called for every prompt, so they are plain C functions of the type:
// pybind11's own way of calling costs more than the look-up.
//
// Both run with the GIL held, for they take a tenth of a microsecond. A shard's lock may be held by
// a thread without the GIL (saving), so they only spin for it a little; then they let go of the GIL
// and wait, and nobody ever waits for the GIL with a shard's lock in hand.
#include <pybind11/stl/filesystem.h>

#include <cmath>
#include <string>
#include <string_view>

#include "bindings/bindings.hpp"
#include "cache/prompt_cache.hpp"
#include "error.hpp"

namespace astraweave::bindings {
namespace {

using cache::PromptCache;

PyObject* raise(const char* kind, const std::string& message) {
  const py::object type = py::module_::import("astraweave.errors").attr(kind);
  PyErr_SetString(type.ptr(), message.c_str());
  return nullptr;
}

PromptCache* self_of(PyObject* self) {
  auto* instance = reinterpret_cast<py::detail::instance*>(self);
  auto* cache = static_cast<PromptCache*>(instance->get_value_and_holder().value_ptr());
  if (cache == nullptr) raise("UsageError", "the cache was never set up: call super().__init__()");
  return cache;
}

// The bytes of a str (its UTF-8) or of a bytes; they live as long as the object. False: raised.
bool view_of(PyObject* object, const char* what, std::string_view& out) {
  if (PyUnicode_Check(object)) {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(object, &size);
    if (data != nullptr) {
      out = {data, static_cast<std::size_t>(size)};
      return true;
    }
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return false;
    PyErr_Clear();
    raise("InputError", std::string(what) + " holds half a character (a lone surrogate); clean it");
    return false;
  }
  if (PyBytes_Check(object)) {
    out = {PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))};
    return true;
  }
  raise("InputError", std::string(what) + " must be str or bytes, not " + Py_TYPE(object)->tp_name);
  return false;
}

// Seconds; false: raised.
bool seconds_of(PyObject* object, const char* what, double& out) {
  out = PyFloat_AsDouble(object);
  if (out == -1.0 && PyErr_Occurred() != nullptr) return false;
  if (std::isfinite(out)) return true;
  raise("InputError", std::string(what) + " must be a finite number of seconds");
  return false;
}

PyObject* answer(std::string_view value, bool text) {
  const auto size = static_cast<Py_ssize_t>(value.size());
  return text ? PyUnicode_DecodeUTF8(value.data(), size, nullptr)
              : PyBytes_FromStringAndSize(value.data(), size);
}

PyObject* get(PyObject* self, PyObject* const* arguments, Py_ssize_t count) try {
  if (count != 2) return raise("InputError", "get takes a key and the time");
  const PromptCache* cache = self_of(self);
  std::string_view key;
  double now = 0;
  if (cache == nullptr || !view_of(arguments[0], "a key", key) ||
      !seconds_of(arguments[1], "the time", now)) {
    return nullptr;
  }
  {
    const cache::Found found = cache->get(key, now, cache::Wait::kSpin);
    if (found) return answer(found->value(), found->text);
    if (!found.busy()) Py_RETURN_NONE;
  }
  std::string value;
  bool hit = false;
  bool text = false;
  {
    const py::gil_scoped_release release;
    const cache::Found found = cache->get(key, now);
    hit = static_cast<bool>(found);
    if (hit) {
      value = found->value();
      text = found->text;
    }
  }
  if (!hit) Py_RETURN_NONE;
  return answer(value, text);
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

// put(key, value, now, ttl_s, tag): ttl_s is None for ever, tag is "" for none.
PyObject* put(PyObject* self, PyObject* const* arguments, Py_ssize_t count) try {
  if (count != 5) return raise("InputError", "put takes key, value, time, ttl_s and tag");
  PromptCache* cache = self_of(self);
  cache::NewEntry entry;
  if (cache == nullptr || !view_of(arguments[0], "a key", entry.key) ||
      !view_of(arguments[1], "a value", entry.value) ||
      !seconds_of(arguments[2], "the time", entry.born) ||
      !view_of(arguments[4], "a tag", entry.tag)) {
    return nullptr;
  }
  entry.text = PyUnicode_Check(arguments[1]) != 0;
  if (arguments[3] != Py_None) {
    double ttl = 0;
    if (!seconds_of(arguments[3], "ttl_s", ttl)) return nullptr;
    if (!(ttl > 0)) return raise("InputError", "ttl_s must be above 0; None keeps for ever");
    entry.expires = entry.born + ttl;
  }
  cache::Put outcome = cache->put(entry, cache::Wait::kSpin);
  if (outcome == cache::Put::kBusy) {
    const py::gil_scoped_release release;
    outcome = cache->put(entry);
  }
  return PyBool_FromLong(outcome == cache::Put::kKept);
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

cache::Admission parse_admission(const std::string& name) {
  if (name == "lru") return cache::Admission::kLru;
  if (name == "tinylfu") return cache::Admission::kTinyLfu;
  throw Error(ErrorCode::kConfig, "admission '" + name + "' is unknown; say 'lru' or 'tinylfu'");
}

py::dict stats(const PromptCache& self) {
  cache::Stats stats;
  {
    const py::gil_scoped_release release;
    stats = self.stats();
  }
  py::dict out;
  out["hits"] = stats.hits;
  out["misses"] = stats.misses;
  out["evictions"] = stats.evictions;
  out["expired"] = stats.expired;
  out["rejected"] = stats.rejected;
  out["invalidated"] = stats.invalidated;
  out["entries"] = stats.entries;
  out["bytes"] = stats.bytes;
  return out;
}

std::string_view checked_view(const py::object& object, const char* what) {
  std::string_view view;
  if (!view_of(object.ptr(), what, view)) throw py::error_already_set();
  return view;
}

double checked_time(double now) {
  if (!std::isfinite(now)) {
    throw Error(ErrorCode::kInput, "the time must be a finite number of seconds");
  }
  return now;
}

py::bytes to_bytes(const PromptCache& self, double now) {
  checked_time(now);
  std::string data;
  {
    const py::gil_scoped_release release;
    data = self.to_bytes(now);
  }
  return {data};
}

}  // namespace

void bind_cache(py::module_& module) {
  using Release = py::call_guard<py::gil_scoped_release>;
  py::class_<PromptCache> type(module, "PromptCache");
  type.def(py::init([](std::size_t max_bytes, const std::string& admission, std::size_t shards,
                       std::optional<std::uint64_t> seed) {
             cache::Options options;
             options.max_bytes = max_bytes;
             options.admission = parse_admission(admission);
             options.shards = shards;
             options.seed = seed;
             return std::make_unique<PromptCache>(options);
           }),
           py::arg("max_bytes"), py::arg("admission") = "lru", py::arg("shards") = 0,
           py::arg("seed") = py::none())
      .def_property_readonly("max_bytes", &PromptCache::max_bytes)
      .def_property_readonly("max_entry_bytes", &PromptCache::max_entry_bytes)
      .def_property_readonly("shards", &PromptCache::shards)
      .def(
          "remove",
          [](PromptCache& self, const py::object& key) {
            const std::string_view view = checked_view(key, "a key");
            const py::gil_scoped_release release;
            return self.remove(view);
          },
          py::arg("key"))
      .def(
          "invalidate",
          [](PromptCache& self, const py::object& tag) {
            const std::string_view view = checked_view(tag, "a tag");
            const py::gil_scoped_release release;
            return self.invalidate(view);
          },
          py::arg("tag"))
      .def(
          "purge", [](PromptCache& self, double now) { return self.purge(checked_time(now)); },
          py::arg("now"), Release())
      .def("clear", &PromptCache::clear, Release())
      .def("stats", &stats)
      .def("__len__", &PromptCache::size, Release())
      .def("to_bytes", &to_bytes, py::arg("now"))
      .def(
          "load_bytes",
          [](PromptCache& self, const py::bytes& data, double now) {
            checked_time(now);
            const auto view = static_cast<std::string_view>(data);
            const py::gil_scoped_release release;
            return self.load_bytes(view, now);
          },
          py::arg("data"), py::arg("now"))
      .def(
          "save",
          [](const PromptCache& self, const std::filesystem::path& path, double now) {
            self.save(path, checked_time(now));
          },
          py::arg("path"), py::arg("now"), Release())
      .def(
          "load",
          [](PromptCache& self, const std::filesystem::path& path, double now) {
            return self.load(path, checked_time(now));
          },
          py::arg("path"), py::arg("now"), Release());
  type.attr("ENTRY_OVERHEAD") = cache::kEntryOverhead;
  add_method(type, "get", &get);
  add_method(type, "put", &put);
}

}  // namespace astraweave::bindings
