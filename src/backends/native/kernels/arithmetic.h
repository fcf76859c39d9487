// Scalar arithmetic that several kernels need, written so that compilers vectorize loops over it.
#pragma once

#include <string.h>

#include "kernels.h"

namespace cria::CRIA_ISA {

static inline float floatOfBits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

static inline uint32_t bitsOfFloat(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

static inline float bfloatToFloat(uint16_t bits) { return floatOfBits(uint32_t(bits) << 16); }

/** Exact, subnormal and infinite numbers included. */
static inline float halfToFloat(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000) << 16;
  const uint32_t magnitude = uint32_t(bits & 0x7fff) << 13;
  // The exponent is moved by a product, which handles subnormal numbers; only infinity and NaN need more.
  const float scaled = floatOfBits(magnitude) * 0x1p112f;
  const uint32_t special = (bits & 0x7c00) == 0x7c00 ? 0x7f800000u | magnitude : bitsOfFloat(scaled);
  return floatOfBits(special | sign);
}

/** Rounds to nearest, ties to even; too large becomes infinity. */
static inline uint16_t floatToHalf(float value) {
  const uint32_t bits = bitsOfFloat(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return uint16_t(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return uint16_t(sign | 0x7c00);
  if (magnitude < 0x38800000) {
    // Adding 0.5 leaves the rounded subnormal number in the low bits.
    const float shifted = floatOfBits(magnitude) + 0.5f;
    return uint16_t(sign | (bitsOfFloat(shifted) - 0x3f000000));
  }
  const uint32_t rounded = magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1);
  return uint16_t(sign | (rounded >> 13));
}

/** The nearest whole number, ties to even, for |x| < 2^22. */
static inline float roundToEven(float x) { return (x + 12582912.0f) - 12582912.0f; }

/** e^x within 2 units in the last place; 0 below -87.3, infinity above 88.7. (Cody & Waite's reduction.) */
static inline float exponential(float x) {
  const float bounded = smaller(larger(x, -88.0f), 89.0f);
  const float n = roundToEven(bounded * 1.44269504f);
  const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // 2^n in two factors: the product goes to infinity by itself, and the lowest results to zero.
  const int32_t whole = int32_t(n);
  const int32_t half = whole >> 1;
  const float low = floatOfBits(uint32_t(half + 127) << 23);
  const float high = floatOfBits(uint32_t(whole - half + 127) << 23);
  const float y = p * low * high;
  return x < -87.33f ? 0.0f : x != x ? x : y;
}

}  // namespace cria::CRIA_ISA
