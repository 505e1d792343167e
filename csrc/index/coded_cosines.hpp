// Cosines of one question to unit vectors of 8 bits a number, row by row.
//
// Contract:
//   query       dims finite numbers
//   rows        row r begins at rows + r * stride; codes 1 to 255 stand for -127 to 127 (see
//               simd/codes). stride is dims rounded up to simd::kCodeBlock
//   scales      n factors: a row's vector is its numbers times its factor
//   cosines     n results: scales[r] * sum over d of query[d] * number[r][d], with the query
//               rounded to 12 bits, so off by at most |row| sqrt(dims) max|query| / 7688 (0.25 % of
//               what is the largest number of the query); NaN where the factor is
// The result depends on neither the SIMD tier nor the rows beside it.
//
// Floor: 10,000 rows of 384 are 3.8 MB from the second or third cache; every part of it is
// multiplied twice, by the upper and the lower half of the query.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace astraweave::index {

void coded_cosines(std::span<const float> query, const std::uint8_t* rows, const float* scales,
                   std::size_t n, float* cosines);

}  // namespace astraweave::index
