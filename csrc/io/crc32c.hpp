// CRC-32C (Castagnoli, as in RFC 3720), the checksum of our own file formats.
#pragma once

#include <cstddef>
#include <cstdint>

namespace astraweave::io {

// Of one stretch of bytes; pass an earlier result to go on from it.
std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t previous = 0) noexcept;

}  // namespace astraweave::io
