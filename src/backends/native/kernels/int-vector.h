// Products of bytes, four at a time onto one 32-bit lane: what each instruction set has for it, under the same names.
// A lane is a row of a panel; the weights of four columns are its four bytes, the token's four activations are the
// same in every lane. All results are exact.
#pragma once

#include "int-layout.h"
#include "vector.h"

namespace cria::CRIA_ISA {

// Bytes          a vector of bytes, LANES x 4
// Integers       LANES 32-bit integers
// NibbleSum      running sum of products with weights of 0..15, at most 32 a lane
// ByteSum        running sum of products with weights of -128..127, at most 32 a lane
//
// A NibbleSum is begun with the record's offset for int4, whose weights are w - 8, and with 0 for int4-min.
//
// Where a weight is used for many tokens it is unpacked first (matrix-int.h). Bytes become what `addUnpacked` takes:
// 16-bit numbers, two columns a lane, where that is faster (`bytesWiden`), otherwise bytes as they are.

#if defined(__AVX512BW__)

using Bytes = __m512i;
using Integers = __m512i;
static inline Bytes loadBytes(const void* p) { return _mm512_loadu_si512(p); }
static inline Bytes broadcastFour(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, 4);
  return _mm512_set1_epi32(four);
}
static inline Bytes lowNibbles(Bytes w) { return _mm512_and_si512(w, _mm512_set1_epi8(15)); }
static inline Bytes highNibbles(Bytes w) { return lowNibbles(_mm512_srli_epi16(w, 4)); }
static inline Integers broadcastInteger(int32_t value) { return _mm512_set1_epi32(value); }
static inline void storeBytes(void* p, Bytes v) { _mm512_storeu_si512(p, v); }
static inline Vector toFloats(Integers v) { return _mm512_cvtepi32_ps(v); }

#if defined(__AVX512VNNI__)
static inline Integers dotFour(Integers sum, Bytes w, Bytes x) { return _mm512_dpbusd_epi32(sum, w, x); }
static inline Bytes flipSigns(Bytes w) { return _mm512_xor_si512(w, _mm512_set1_epi8(char(0x80))); }
#else
static inline __m512i pairs(Bytes w, Bytes x) { return _mm512_maddubs_epi16(w, x); }
static inline __m512i addPairs(__m512i a, __m512i b) { return _mm512_add_epi16(a, b); }
static inline Integers sumOfPairs(__m512i v) { return _mm512_madd_epi16(v, _mm512_set1_epi16(1)); }
static inline Integers addIntegers(Integers a, Integers b) { return _mm512_add_epi32(a, b); }
static inline Bytes magnitudes(Bytes w) { return _mm512_abs_epi8(w); }
/** x with the signs of w. (0 stays for w = 0 in the product only.) */
static inline Bytes withSigns(Bytes x, Bytes w) {
  return _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w), _mm512_setzero_si512(), x);
}
static inline Bytes evenBytes(Bytes v) { return _mm512_srai_epi16(_mm512_slli_epi16(v, 8), 8); }
static inline Bytes oddBytes(Bytes v) { return _mm512_srai_epi16(v, 8); }
static inline Integers sumOfProducts(Bytes a, Bytes b) { return _mm512_madd_epi16(a, b); }
#endif

#elif defined(__AVX2__)

using Bytes = __m256i;
using Integers = __m256i;
static inline Bytes loadBytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
static inline Bytes broadcastFour(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, 4);
  return _mm256_set1_epi32(four);
}
static inline Bytes lowNibbles(Bytes w) { return _mm256_and_si256(w, _mm256_set1_epi8(15)); }
static inline Bytes highNibbles(Bytes w) { return lowNibbles(_mm256_srli_epi16(w, 4)); }
static inline Integers broadcastInteger(int32_t value) { return _mm256_set1_epi32(value); }
static inline void storeBytes(void* p, Bytes v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
static inline Vector toFloats(Integers v) { return _mm256_cvtepi32_ps(v); }

#if defined(__AVXVNNI__)
static inline Integers dotFour(Integers sum, Bytes w, Bytes x) { return _mm256_dpbusd_avx_epi32(sum, w, x); }
static inline Bytes flipSigns(Bytes w) { return _mm256_xor_si256(w, _mm256_set1_epi8(char(0x80))); }
#else
static inline __m256i pairs(Bytes w, Bytes x) { return _mm256_maddubs_epi16(w, x); }
/** A sum that stays as it is: GCC would reorder the additions, run out of registers and spill most of the products. */
static inline __m256i inOrder(__m256i sum) {
  __asm__("" : "+x"(sum));
  return sum;
}
static inline __m256i addPairs(__m256i a, __m256i b) { return inOrder(_mm256_add_epi16(a, b)); }
static inline Integers sumOfPairs(__m256i v) { return _mm256_madd_epi16(v, _mm256_set1_epi16(1)); }
static inline Integers addIntegers(Integers a, Integers b) { return inOrder(_mm256_add_epi32(a, b)); }
static inline Bytes magnitudes(Bytes w) { return _mm256_abs_epi8(w); }
static inline Bytes withSigns(Bytes x, Bytes w) { return _mm256_sign_epi8(x, w); }
/** The bytes of even or odd place, as 16-bit numbers. */
static inline Bytes evenBytes(Bytes v) { return _mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8); }
static inline Bytes oddBytes(Bytes v) { return _mm256_srai_epi16(v, 8); }
static inline Integers sumOfProducts(Bytes a, Bytes b) { return _mm256_madd_epi16(a, b); }
#endif

#elif defined(__ARM_NEON)

using Bytes = int8x16_t;
using Integers = int32x4_t;
static inline Bytes loadBytes(const void* p) { return vld1q_s8(static_cast<const int8_t*>(p)); }
static inline Bytes broadcastFour(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}
static inline Bytes lowNibbles(Bytes w) { return vandq_s8(w, vdupq_n_s8(15)); }
static inline Bytes highNibbles(Bytes w) { return vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(w), 4)); }
static inline Integers broadcastInteger(int32_t value) { return vdupq_n_s32(value); }
static inline void storeBytes(void* p, Bytes v) { vst1q_s8(static_cast<int8_t*>(p), v); }
static inline Vector toFloats(Integers v) { return vcvtq_f32_s32(v); }

#else

struct Bytes {
  int8_t at[4];
};
using Integers = int32_t;
static inline Bytes loadBytes(const void* p) {
  Bytes w;
  memcpy(w.at, p, 4);
  return w;
}
static inline Bytes broadcastFour(const int8_t* p) { return loadBytes(p); }
static inline Bytes lowNibbles(Bytes w) {
  for (int8_t& value : w.at) value &= 15;
  return w;
}
static inline Bytes highNibbles(Bytes w) {
  for (int8_t& value : w.at) value = int8_t(uint8_t(value) >> 4);
  return w;
}
static inline Integers broadcastInteger(int32_t value) { return value; }
static inline void storeBytes(void* p, Bytes v) { memcpy(p, v.at, 4); }
static inline Vector toFloats(Integers v) { return float(v); }

#endif

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)

// The first operand has no sign: bytes are moved up by 128, and the sum starts with -128 times the activations.
using NibbleSum = Integers;
using ByteSum = Integers;
static inline NibbleSum beginNibbles(int32_t offset) { return broadcastInteger(offset); }
static inline NibbleSum addNibbles(NibbleSum sum, Bytes w, Bytes x) { return dotFour(sum, w, x); }
static inline Integers endNibbles(NibbleSum sum, int32_t) { return sum; }
static inline ByteSum beginBytes(int32_t offset) { return broadcastInteger(offset * 16); }
static inline ByteSum addBytes(ByteSum sum, Bytes w, Bytes x) { return dotFour(sum, flipSigns(w), x); }
static inline Integers endBytes(ByteSum sum) { return sum; }

#elif defined(__AVX512BW__) || defined(__AVX2__)

// Pairs of products in 16 bits: 32 with nibbles stay within 16 * 15 * 127 a half lane; two with bytes within 2 * 128 * 127.
using NibbleSum = Integers;
using ByteSum = Integers;
static inline NibbleSum beginNibbles(int32_t) { return broadcastInteger(0); }
static inline NibbleSum addNibbles(NibbleSum sum, Bytes w, Bytes x) { return addPairs(sum, pairs(w, x)); }
static inline Integers endNibbles(NibbleSum sum, int32_t offset) {
  return addIntegers(sumOfPairs(sum), broadcastInteger(offset));
}
static inline ByteSum beginBytes(int32_t) { return broadcastInteger(0); }
static inline ByteSum addBytes(ByteSum sum, Bytes w, Bytes x) {
  return addIntegers(sum, sumOfPairs(pairs(magnitudes(w), withSigns(x, w))));
}
static inline Integers endBytes(ByteSum sum) { return sum; }

#elif defined(__ARM_FEATURE_DOTPROD)

using NibbleSum = Integers;
using ByteSum = Integers;
static inline NibbleSum beginNibbles(int32_t offset) { return broadcastInteger(offset); }
static inline NibbleSum addNibbles(NibbleSum sum, Bytes w, Bytes x) { return vdotq_s32(sum, w, x); }
static inline Integers endNibbles(NibbleSum sum, int32_t) { return sum; }
static inline ByteSum beginBytes(int32_t) { return broadcastInteger(0); }
static inline ByteSum addBytes(ByteSum sum, Bytes w, Bytes x) { return vdotq_s32(sum, w, x); }
static inline Integers endBytes(ByteSum sum) { return sum; }

#elif defined(__ARM_NEON)

/** Of lanes 0 and 1, then of lanes 2 and 3. */
struct NibbleSum {
  int16x8_t low, high;
};
struct ByteSum {
  int32x4_t low, high;
};
static inline NibbleSum beginNibbles(int32_t) { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }
static inline NibbleSum addNibbles(NibbleSum sum, Bytes w, Bytes x) {
  return {vmlal_s8(sum.low, vget_low_s8(w), vget_low_s8(x)), vmlal_high_s8(sum.high, w, x)};
}
static inline Integers endNibbles(NibbleSum sum, int32_t offset) {
  return vaddq_s32(vpaddq_s32(vpaddlq_s16(sum.low), vpaddlq_s16(sum.high)), vdupq_n_s32(offset));
}
static inline ByteSum beginBytes(int32_t) { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
static inline ByteSum addBytes(ByteSum sum, Bytes w, Bytes x) {
  return {vpadalq_s16(sum.low, vmull_s8(vget_low_s8(w), vget_low_s8(x))), vpadalq_s16(sum.high, vmull_high_s8(w, x))};
}
static inline Integers endBytes(ByteSum sum) { return vpaddq_s32(sum.low, sum.high); }

#else

using NibbleSum = Integers;
using ByteSum = Integers;
static inline ByteSum beginBytes(int32_t) { return 0; }
static inline ByteSum addBytes(ByteSum sum, Bytes w, Bytes x) {
  for (int i = 0; i < 4; i++) sum += int32_t(w.at[i]) * x.at[i];
  return sum;
}
static inline Integers endBytes(ByteSum sum) { return sum; }
static inline NibbleSum beginNibbles(int32_t offset) { return offset; }
static inline NibbleSum addNibbles(NibbleSum sum, Bytes w, Bytes x) { return addBytes(sum, w, x); }
static inline Integers endNibbles(NibbleSum sum, int32_t) { return sum; }

#endif

#if (defined(__AVX512BW__) && !defined(__AVX512VNNI__)) || (defined(__AVX2__) && !defined(__AVXVNNI__) && !defined(__AVX512BW__))
constexpr bool bytesWiden = true;
static inline ByteSum beginUnpacked(int32_t) { return broadcastInteger(0); }
static inline ByteSum addUnpacked(ByteSum sum, Bytes w, Bytes x) { return addIntegers(sum, sumOfProducts(w, x)); }
#else
constexpr bool bytesWiden = false;
static inline Bytes evenBytes(Bytes v) { return v; }
static inline Bytes oddBytes(Bytes v) { return v; }
static inline ByteSum beginUnpacked(int32_t offset) { return beginBytes(offset); }
static inline ByteSum addUnpacked(ByteSum sum, Bytes w, Bytes x) { return addBytes(sum, w, x); }
#endif

}  // namespace cria::CRIA_ISA
