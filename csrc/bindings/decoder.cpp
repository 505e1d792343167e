#include "decoder/decoder.hpp"

#include <pybind11/stl/filesystem.h>

#include <atomic>

#include "bindings/bindings.hpp"
#include "error.hpp"

namespace astraweave::bindings {
namespace {

using decoder::Decoder;
using decoder::Weights;
using threads::Team;
using Ints = py::array_t<std::int32_t, py::array::c_style | py::array::forcecast>;
// Type as NumPy calls it, shape, offset.
using Row = std::tuple<std::string, std::vector<std::uint64_t>, std::uint64_t>;

std::shared_ptr<Weights> load_weights(const std::filesystem::path& data,
                                      const std::unordered_map<std::string, Row>& tensors,
                                      std::size_t layers, std::size_t width, std::size_t hidden,
                                      std::size_t heads, std::size_t kv_heads,
                                      std::size_t head_size, std::size_t vocabulary,
                                      std::size_t context, float epsilon) {
  decoder::TensorTable table;
  for (const auto& [name, row] : tensors) {
    const auto& [type, shape, offset] = row;
    if (type != "float32" && type != "uint8") {
      throw Error(ErrorCode::kCorruptData, "the tensor " + name + " is of an unknown type");
    }
    table[name] = {type == "uint8" ? decoder::TensorType::kUint8 : decoder::TensorType::kFloat32,
                   shape, offset};
  }
  const decoder::Shape numbers{layers,    width,      hidden,  heads,  kv_heads,
                               head_size, vocabulary, context, epsilon};
  const py::gil_scoped_release release;
  return std::make_shared<Weights>(data, numbers, table);
}

simd::KvKind parse_kind(const std::string& name) {
  if (name == "float16") return simd::KvKind::kHalf;
  if (name == "int8") return simd::KvKind::kByte;
  throw Error(ErrorCode::kConfig,
              "keys and values are kept as float16 or int8, not '" + name + "'");
}

std::span<const std::int32_t> flat(const Ints& values) {
  if (values.ndim() != 1) throw Error(ErrorCode::kInput, "a batch is of flat arrays");
  return {values.data(), static_cast<std::size_t>(values.size())};
}

// A decoder and the array that its logits go to: a caller who keeps an old one keeps its memory.
// Only one thread may be inside; another one is told so.
class BoundDecoder {
 public:
  BoundDecoder(std::shared_ptr<Weights> weights, std::shared_ptr<Team> team,
               const std::string& kv_kind, std::size_t kv_bytes, std::size_t max_sequences,
               std::size_t context_tokens)
      : decoder_(std::move(weights), std::move(team),
                 {parse_kind(kv_kind), kv_bytes, max_sequences, context_tokens}) {}

  // Held by whoever is inside.
  class Entry {
   public:
    explicit Entry(BoundDecoder& self) : busy_(self.busy_) {
      if (busy_.exchange(true, std::memory_order_acquire)) {
        throw Error(ErrorCode::kUsage, "a decoder is used by one thread at a time");
      }
    }
    ~Entry() { busy_.store(false, std::memory_order_release); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    std::atomic<bool>& busy_;
  };

  py::array step(const Ints& sequences, const Ints& counts, const Ints& tokens,
                 const Ints& wanted) {
    const Entry entry(*this);
    const decoder::StepBatch batch{flat(sequences), flat(counts), flat(tokens), flat(wanted)};
    const py::ssize_t rows = wanted.size(), stride = this->stride();
    if (rows > tokens.size()) throw Error(ErrorCode::kInput, "more places than tokens are wanted");
    if (rows > logits_.shape(0)) logits_ = py::array_t<float>({rows, stride});
    float* logits = logits_.mutable_data();
    {
      const py::gil_scoped_release release;
      decoder_.step(batch, logits);
    }
    constexpr auto kFloat = static_cast<py::ssize_t>(sizeof(float));
    const auto vocabulary = static_cast<py::ssize_t>(decoder_.shape().vocabulary);
    return py::array_t<float>({rows, vocabulary}, {stride * kFloat, kFloat}, logits, logits_);
  }

  // Calls a member of the memory of sequences.
  template <auto kMember, class... Arguments>
  auto on_sequences(Arguments... arguments) {
    const Entry entry(*this);
    return (decoder_.sequences().*kMember)(arguments...);
  }

  Decoder& decoder() noexcept { return decoder_; }

 private:
  py::ssize_t stride() const { return static_cast<py::ssize_t>(decoder_.logits_stride()); }

  Decoder decoder_;
  py::array_t<float> logits_{std::vector<py::ssize_t>{0, 0}};
  std::atomic<bool> busy_{false};
};

py::tuple report(BoundDecoder& self) {
  const decoder::KvReport now = self.on_sequences<&decoder::KvPages::report>();
  return py::make_tuple(now.capacity_tokens, now.used_tokens, now.capacity_bytes, now.used_bytes,
                        now.sequences);
}

}  // namespace

void bind_decoder(py::module_& module) {
  using decoder::KvPages;
  using Sequence = KvPages::Sequence;
  py::class_<Team, std::shared_ptr<Team>>(module, "DecoderTeam")
      .def(py::init<std::size_t>(), py::arg("threads"))
      .def_property_readonly("threads", &Team::threads);
  py::class_<Weights, std::shared_ptr<Weights>>(module, "DecoderWeights")
      .def(py::init(&load_weights), py::arg("data"), py::arg("tensors"), py::kw_only(),
           py::arg("layers"), py::arg("width"), py::arg("hidden"), py::arg("heads"),
           py::arg("kv_heads"), py::arg("head_size"), py::arg("vocabulary"), py::arg("context"),
           py::arg("epsilon"))
      .def_property_readonly("nbytes", &Weights::bytes);
  py::class_<BoundDecoder>(module, "Decoder")
      .def(py::init<std::shared_ptr<Weights>, std::shared_ptr<Team>, const std::string&,
                    std::size_t, std::size_t, std::size_t>(),
           py::arg("weights"), py::arg("team"), py::kw_only(), py::arg("kv_kind"),
           py::arg("kv_bytes"), py::arg("max_sequences"), py::arg("context_tokens") = 0)
      .def("open", &BoundDecoder::on_sequences<&KvPages::open>)
      .def("fork", &BoundDecoder::on_sequences<&KvPages::fork, Sequence, std::size_t>,
           py::arg("sequence"), py::arg("tokens"))
      .def("truncate", &BoundDecoder::on_sequences<&KvPages::truncate, Sequence, std::size_t>,
           py::arg("sequence"), py::arg("tokens"))
      .def("release", &BoundDecoder::on_sequences<&KvPages::release, Sequence>, py::arg("sequence"))
      .def("length", &BoundDecoder::on_sequences<&KvPages::length, Sequence>, py::arg("sequence"))
      .def("step", &BoundDecoder::step, py::arg("sequences"), py::arg("counts"), py::arg("tokens"),
           py::arg("wanted"))
      .def("report", &report)
      .def_property_readonly("vocabulary",
                             [](BoundDecoder& self) { return self.decoder().shape().vocabulary; })
      .def_property_readonly(
          "context_tokens",
          [](BoundDecoder& self) { return self.decoder().sequences().context_tokens(); })
      .def_property_readonly("workspace_bytes",
                             [](BoundDecoder& self) { return self.decoder().workspace_bytes(); });
}

}  // namespace astraweave::bindings
