// Vectors of floats, one width an instruction set: the few operations that the kernels are written in.
// Knows no layout and no operation of the model.
#pragma once
#include <math.h>

#include "arithmetic.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace cria::CRIA_ISA {

#if defined(__AVX512F__)

using Vector = __m512;
constexpr int LANES = 16;
static inline Vector load(const float* p) { return _mm512_loadu_ps(p); }
static inline void store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
static inline Vector broadcast(float value) { return _mm512_set1_ps(value); }
/** a * b + c, rounded once. */
static inline Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
static inline Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
static inline Vector sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
static inline Vector mul(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
static inline Vector div(Vector a, Vector b) { return _mm512_div_ps(a, b); }
static inline Vector maximum(Vector a, Vector b) { return _mm512_max_ps(a, b); }
static inline Vector minimum(Vector a, Vector b) { return _mm512_min_ps(a, b); }
static inline Vector squareRoot(Vector a) { return _mm512_sqrt_ps(a); }
/** The first `count` floats, zeros after them; nothing beyond is touched. */
static inline Vector loadSome(const float* p, int count) {
  return _mm512_maskz_loadu_ps(__mmask16((1u << count) - 1), p);
}
static inline void storeSome(float* p, Vector v, int count) {
  _mm512_mask_storeu_ps(p, __mmask16((1u << count) - 1), v);
}
/** Half-precision numbers, exactly. */
static inline Vector loadHalves(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
/** Rounded to nearest, ties to even. */
static inline void storeHalves(uint16_t* p, Vector v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, 0));
}
/** The first `count` lanes of a, then those of b. */
static inline Vector firstLanes(Vector a, int count, Vector b) {
  const int kept = count < 0 ? 0 : count > 16 ? 16 : count;
  return _mm512_mask_blend_ps(__mmask16((1u << kept) - 1), b, a);
}
/** a, but 0 in the lanes where x is less than `limit`. */
static inline Vector zeroWhereLess(Vector a, Vector x, Vector limit) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, limit, _CMP_NLT_UQ), a);
}
/** 2^round(x), and x - round(x) through `fraction`; x within -126..127. */
static inline Vector powerOfTwo(Vector x, Vector& fraction) {
  const __m512 rounded = _mm512_roundscale_ps(x, 8);
  fraction = _mm512_sub_ps(x, rounded);
  const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(rounded), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
}

#elif defined(__AVX2__)

using Vector = __m256;
constexpr int LANES = 8;
static inline Vector load(const float* p) { return _mm256_loadu_ps(p); }
static inline void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
static inline Vector broadcast(float value) { return _mm256_set1_ps(value); }
static inline Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
static inline Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
static inline Vector sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
static inline Vector mul(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
static inline Vector div(Vector a, Vector b) { return _mm256_div_ps(a, b); }
static inline Vector maximum(Vector a, Vector b) { return _mm256_max_ps(a, b); }
static inline Vector minimum(Vector a, Vector b) { return _mm256_min_ps(a, b); }
static inline Vector squareRoot(Vector a) { return _mm256_sqrt_ps(a); }
static inline __m256i maskOf(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline Vector loadSome(const float* p, int count) { return _mm256_maskload_ps(p, maskOf(count)); }
static inline void storeSome(float* p, Vector v, int count) { _mm256_maskstore_ps(p, maskOf(count), v); }
static inline Vector loadHalves(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
static inline void storeHalves(uint16_t* p, Vector v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, 0));
}
static inline Vector firstLanes(Vector a, int count, Vector b) {
  return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(maskOf(count)));
}
static inline Vector zeroWhereLess(Vector a, Vector x, Vector limit) {
  return _mm256_and_ps(a, _mm256_cmp_ps(x, limit, _CMP_NLT_UQ));
}
static inline Vector powerOfTwo(Vector x, Vector& fraction) {
  const __m256 rounded = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  fraction = _mm256_sub_ps(x, rounded);
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(rounded), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}

#elif defined(__ARM_NEON)

using Vector = float32x4_t;
constexpr int LANES = 4;
static inline Vector load(const float* p) { return vld1q_f32(p); }
static inline void store(float* p, Vector v) { vst1q_f32(p, v); }
static inline Vector broadcast(float value) { return vdupq_n_f32(value); }
static inline Vector fma(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
static inline Vector add(Vector a, Vector b) { return vaddq_f32(a, b); }
static inline Vector sub(Vector a, Vector b) { return vsubq_f32(a, b); }
static inline Vector mul(Vector a, Vector b) { return vmulq_f32(a, b); }
static inline Vector div(Vector a, Vector b) { return vdivq_f32(a, b); }
static inline Vector maximum(Vector a, Vector b) { return vmaxq_f32(a, b); }
static inline Vector minimum(Vector a, Vector b) { return vminq_f32(a, b); }
static inline Vector squareRoot(Vector a) { return vsqrtq_f32(a); }
static inline Vector loadSome(const float* p, int count) {
  float lanes[4] = {0, 0, 0, 0};
  for (int i = 0; i < count; i++) lanes[i] = p[i];
  return vld1q_f32(lanes);
}
static inline void storeSome(float* p, Vector v, int count) {
  float lanes[4];
  vst1q_f32(lanes, v);
  for (int i = 0; i < count; i++) p[i] = lanes[i];
}
static inline Vector loadHalves(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
static inline void storeHalves(uint16_t* p, Vector v) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v))); }
static inline Vector firstLanes(Vector a, int count, Vector b) {
  const int32_t index[4] = {0, 1, 2, 3};
  return vbslq_f32(vcltq_s32(vld1q_s32(index), vdupq_n_s32(count)), a, b);
}
static inline Vector zeroWhereLess(Vector a, Vector x, Vector limit) {
  return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(a), vcltq_f32(x, limit)));
}
static inline Vector powerOfTwo(Vector x, Vector& fraction) {
  const float32x4_t rounded = vrndnq_f32(x);
  fraction = vsubq_f32(x, rounded);
  const int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(rounded), vdupq_n_s32(127));
  return vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23));
}

#else

#define CRIA_SCALAR_VECTORS
using Vector = float;
constexpr int LANES = 1;
static inline Vector load(const float* p) { return *p; }
static inline void store(float* p, Vector v) { *p = v; }
static inline Vector broadcast(float value) { return value; }
static inline Vector fma(Vector a, Vector b, Vector c) { return a * b + c; }
static inline Vector add(Vector a, Vector b) { return a + b; }
static inline Vector sub(Vector a, Vector b) { return a - b; }
static inline Vector mul(Vector a, Vector b) { return a * b; }
static inline Vector div(Vector a, Vector b) { return a / b; }
static inline Vector maximum(Vector a, Vector b) { return a > b ? a : b; }
static inline Vector minimum(Vector a, Vector b) { return a < b ? a : b; }
static inline Vector squareRoot(Vector a) { return sqrtf(a); }
static inline Vector loadSome(const float* p, int count) { return count > 0 ? *p : 0.0f; }
static inline void storeSome(float* p, Vector v, int count) {
  if (count > 0) *p = v;
}
static inline Vector loadHalves(const uint16_t* p) { return halfToFloat(*p); }
static inline void storeHalves(uint16_t* p, Vector v) { *p = floatToHalf(v); }
static inline Vector firstLanes(Vector a, int count, Vector b) { return count > 0 ? a : b; }
static inline Vector zeroWhereLess(Vector a, Vector x, Vector limit) { return x < limit ? 0.0f : a; }
static inline Vector powerOfTwo(Vector x, Vector& fraction) {
  const float rounded = nearbyintf(x);
  fraction = x - rounded;
  return floatOfBits(uint32_t(int32_t(rounded) + 127) << 23);
}

#endif

static inline Vector zero() { return broadcast(0.0f); }

/** The lanes of v combined by halves: one fixed order, whatever the width. */
static inline float sumOf(Vector v) {
  float lanes[LANES];
  store(lanes, v);
  for (int half = LANES / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

static inline float largestOf(Vector v) {
  float lanes[LANES];
  store(lanes, v);
  float largest = lanes[0];
  for (int i = 1; i < LANES; i++) largest = lanes[i] > largest ? lanes[i] : largest;
  return largest;
}

#if !defined(CRIA_SCALAR_VECTORS)
/** e^x within 2 units in the last place; below -87 it stays at e^-87, above 88 at e^88. NaN stays NaN. */
static inline Vector exponential(Vector x) {
  const Vector bounded = minimum(broadcast(88.0f), maximum(broadcast(-87.0f), x));
  Vector fraction;
  const Vector scaled = mul(bounded, broadcast(1.44269504f));
  const Vector power = powerOfTwo(scaled, fraction);
  // The remainder is taken in two steps, since the scaled x has lost its low bits.
  const Vector whole = sub(scaled, fraction);
  Vector r = fma(whole, broadcast(-0.693359375f), bounded);
  r = fma(whole, broadcast(2.12194440e-4f), r);
  Vector p = broadcast(1.9875691500e-4f);
  p = fma(p, r, broadcast(1.3981999507e-3f));
  p = fma(p, r, broadcast(8.3334519073e-3f));
  p = fma(p, r, broadcast(4.1665795894e-2f));
  p = fma(p, r, broadcast(1.6666665459e-1f));
  p = fma(p, r, broadcast(5.0000001201e-1f));
  return mul(fma(mul(p, r), r, add(r, broadcast(1.0f))), power);
}
#endif

/**
 * 2^x for x up to 127, with a relative error of at most 1.2e-7; 0 below -126. 2^n exactly, times a polynomial for the
 * rest in -1/2..1/2 (minimax for the relative error, 1.9e-9: what remains is rounding).
 */
static inline Vector exponential2(Vector x) {
  const Vector lowest = broadcast(-126.0f);
  Vector f;
  const Vector power = powerOfTwo(maximum(lowest, x), f);  // this order keeps NaN
  Vector p = broadcast(1.53458124e-4f);
  p = fma(p, f, broadcast(1.33999309e-3f));
  p = fma(p, f, broadcast(9.61848907e-3f));
  p = fma(p, f, broadcast(5.55032864e-2f));
  p = fma(p, f, broadcast(2.40226462e-1f));
  p = fma(p, f, broadcast(6.93147182e-1f));
  p = fma(p, f, broadcast(1.0f));
  return zeroWhereLess(mul(p, power), x, lowest);
}

/** a . b, in vectors and then what is left, in one fixed order. */
static inline float dot(const float* a, const float* b, int64_t count) {
  Vector sums = zero();
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) sums = fma(load(a + i), load(b + i), sums);
  float sum = sumOf(sums);
  for (; i < count; i++) sum += a[i] * b[i];
  return sum;
}

/**
 * Calls work(get, put) for each vector of elements `first` to `last`: get(p) loads it from the array p, put(p, v) stores it.
 * What does not fill a vector at the end goes through the same arithmetic.
 */
template <class Work>
static inline void overVectors(int64_t first, int64_t last, Work work) {
  int64_t i = first;
  for (; i + LANES <= last; i += LANES) {
    work([i](const float* p) { return load(p + i); }, [i](float* p, Vector v) { store(p + i, v); });
  }
  const int rest = int(last - i);
  if (rest > 0) {
    work([i, rest](const float* p) { return loadSome(p + i, rest); },
         [i, rest](float* p, Vector v) { storeSome(p + i, v, rest); });
  }
}

/** Sum over all elements below `count` of term(get), which gives zero where get gives zeros; in one fixed order. */
template <class Term>
static inline float sumOverVectors(int64_t count, Term term) {
  Vector sums[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * LANES <= count; i += 4 * LANES) {
    for (int64_t j = 0; j < 4; j++) {
      const int64_t at = i + j * LANES;
      sums[j] = add(sums[j], term([at](const float* p) { return load(p + at); }));
    }
  }
  overVectors(i, count, [&](auto get, auto) { sums[0] = add(sums[0], term(get)); });
  return sumOf(add(add(sums[0], sums[2]), add(sums[1], sums[3])));
}

}  // namespace cria::CRIA_ISA
