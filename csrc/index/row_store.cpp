#include "index/row_store.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "error.hpp"
#include "simd/half/half.hpp"
#include "simd/prefetch.hpp"
#include "simd/scan/scan.hpp"

namespace astraweave::index {

std::string_view storage_name(Storage storage) noexcept {
  switch (storage) {
    case Storage::kFloat16:
      return "float16";
    case Storage::kInt8:
      return "int8";
    case Storage::kFloat32:
      break;
  }
  return "float32";
}

Storage parse_storage(std::string_view name) {
  for (const Storage storage : {Storage::kFloat32, Storage::kFloat16, Storage::kInt8}) {
    if (storage_name(storage) == name) return storage;
  }
  throw Error(ErrorCode::kInput,
              "storage '" + std::string(name) + "' is unknown; say 'float32', 'float16' or 'int8'");
}

std::size_t RowStore::row_bytes() const noexcept {
  switch (storage_) {
    case Storage::kFloat16:
      return dims() * sizeof(std::uint16_t);
    case Storage::kInt8:
      return sizeof(float) + dims();
    case Storage::kFloat32:
      break;
  }
  return dims() * sizeof(float);
}

void RowStore::write_bytes(std::size_t slot, char* out) const noexcept {
  switch (storage_) {
    case Storage::kFloat32:
      std::memcpy(out, floats_.row(slot), row_bytes());
      break;
    case Storage::kFloat16:
      std::memcpy(out, halves_.row(slot), row_bytes());
      break;
    case Storage::kInt8: {
      const float scale = codes_.scale(slot);
      std::memcpy(out, &scale, sizeof scale);
      std::memcpy(out + sizeof scale, codes_.row(slot), dims());
    }
  }
}

bool RowStore::read_bytes(std::size_t slot, const char* bytes) {
  if (storage_ == Storage::kInt8) {
    float scale = 0;
    std::memcpy(&scale, bytes, sizeof scale);
    const auto* codes = reinterpret_cast<const std::uint8_t*>(bytes + sizeof scale);
    const bool good = std::isfinite(scale) && scale >= 0 &&
                      std::all_of(codes, codes + dims(), [](std::uint8_t c) { return c != 0; });
    if (good) codes_.write_codes(slot, codes, scale);
    return good;
  }
  std::vector<float> row(dims());
  if (storage_ == Storage::kFloat32) {
    std::memcpy(row.data(), bytes, row_bytes());
  } else {
    for (float& number : row) {
      std::uint16_t half = 0;
      std::memcpy(&half, bytes, sizeof half);
      bytes += sizeof half;
      number = simd::from_half(half);
    }
  }
  if (!std::all_of(row.begin(), row.end(), [](float x) { return std::isfinite(x); })) return false;
  write(slot, row.data());
  return true;
}

void RowStore::reserve_more(std::size_t n) {
  codes_.reserve_more(n);
  if (storage_ == Storage::kFloat32) floats_.reserve_more(n);
  if (storage_ == Storage::kFloat16) halves_.reserve_more(n);
}

void RowStore::push_zero() {
  codes_.push_zero();
  if (storage_ == Storage::kFloat32) floats_.push_zero();
  if (storage_ == Storage::kFloat16) halves_.push_zero();
}

void RowStore::append(const RowStore& more) {
  codes_.append(more.codes_);
  floats_.append(more.floats_);
  halves_.append(more.halves_);
}

void RowStore::write(std::size_t slot, const float* vector) noexcept {
  switch (storage_) {
    case Storage::kFloat32:
      std::copy_n(vector, dims(), floats_.writable(slot));
      codes_.write(slot, vector);
      break;
    case Storage::kFloat16: {
      std::uint16_t* row = halves_.writable(slot);
      std::transform(vector, vector + dims(), row, simd::to_half);
      codes_.write(slot, row);
      break;
    }
    case Storage::kInt8:
      codes_.write_rounded(slot, vector);
  }
}

void RowStore::read(std::size_t slot, float* out) const noexcept {
  switch (storage_) {
    case Storage::kFloat32:
      std::copy_n(floats_.row(slot), dims(), out);
      break;
    case Storage::kFloat16:
      std::transform(halves_.row(slot), halves_.row(slot) + dims(), out, simd::from_half);
      break;
    case Storage::kInt8:
      codes_.decode(slot, out);
  }
}

void RowStore::pop() noexcept {
  codes_.pop();
  if (storage_ == Storage::kFloat32) floats_.pop();
  if (storage_ == Storage::kFloat16) halves_.pop();
}

void RowStore::copy_over(std::size_t from, std::size_t to) noexcept { copy_from(*this, from, to); }

void RowStore::copy_from(const RowStore& other, std::size_t from, std::size_t to) noexcept {
  codes_.copy_from(other.codes_, from, to);
  if (storage_ == Storage::kFloat32) floats_.copy_from(other.floats_, from, to);
  if (storage_ == Storage::kFloat16) halves_.copy_from(other.halves_, from, to);
}

RowScorer::RowScorer(const RowStore& rows, const float* query, bool l2)
    : rows_(rows), query_(query), l2_(l2), tier_(simd::active_tier()) {
  if (rows.storage() == Storage::kInt8) decoded_.resize(rows.stride());
}

void RowScorer::score(std::size_t first, std::size_t n, float* scores) noexcept {
  const std::size_t stride = rows_.stride();
  const simd::ScanF32 kernel =
      l2_ ? simd::scan_l2_f32_kernel(tier_) : simd::scan_dot_f32_kernel(tier_);
  switch (rows_.storage()) {
    case Storage::kFloat32:
      kernel(query_, rows_.floats_.row(first), stride, n, stride, scores);
      break;
    case Storage::kFloat16:
      (l2_ ? simd::scan_l2_f16_kernel(tier_) : simd::scan_dot_f16_kernel(tier_))(
          query_, rows_.halves_.row(first), rows_.halves_.stride(), n, stride, scores);
      break;
    case Storage::kInt8:
      for (std::size_t i = 0; i < n; ++i) {
        rows_.codes_.decode(first + i, decoded_.data());
        kernel(query_, decoded_.data(), stride, 1, stride, scores + i);
      }
  }
  if (l2_) {
    for (std::size_t i = 0; i < n; ++i) scores[i] = -scores[i];
  }
}

void RowScorer::prefetch(std::size_t slot) const noexcept {
  switch (rows_.storage()) {
    case Storage::kFloat32:
      simd::prefetch(rows_.floats_.row(slot), rows_.dims() * sizeof(float));
      break;
    case Storage::kFloat16:
      simd::prefetch(rows_.halves_.row(slot), rows_.dims() * sizeof(std::uint16_t));
      break;
    case Storage::kInt8:
      simd::prefetch(rows_.codes_.row(slot), rows_.dims());
  }
}

}  // namespace astraweave::index
