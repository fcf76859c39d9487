// Stands in for the compiler's header where a test runs kernels of an instruction set that this processor lacks: the
// portable versions of SIMDe under the names of the intrinsics, and what SIMDe lacks.
#pragma once
#define SIMDE_NO_NATIVE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <math.h>
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
#include <string.h>

#define _MM_FROUND_NO_EXC SIMDE_MM_FROUND_NO_EXC
#define _mm256_dpbusd_avx_epi32 simde_mm256_dpbusd_epi32
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 simde_mm512_madd_epi16

typedef uint16_t __mmask16;

template <class To, class From>
static inline To emulatedCast(From from) {
  To to;
  static_assert(sizeof to == sizeof from, "the same bits");
  memcpy(&to, &from, sizeof to);
  return to;
}

/** Lanes from a function of their index. */
template <class Result, class Element, class Lane>
static inline Result emulatedLanes(Lane lane) {
  Element lanes[sizeof(Result) / sizeof(Element)];
  for (size_t i = 0; i < sizeof(Result) / sizeof(Element); i++) lanes[i] = lane(i);
  Result result;
  memcpy(&result, lanes, sizeof result);
  return result;
}

template <class Element>
struct EmulatedArray {
  Element at[64 / sizeof(Element)];
};

static inline __m512 _mm512_cvtepi32_ps(__m512i v) {
  const auto lanes = emulatedCast<EmulatedArray<int32_t>>(v);
  return emulatedLanes<__m512, float>([&](size_t i) { return float(lanes.at[i]); });
}
static inline __m512i _mm512_cvtps_epi32(__m512 v) {
  const auto lanes = emulatedCast<EmulatedArray<float>>(v);
  return emulatedLanes<__m512i, int32_t>([&](size_t i) { return int32_t(nearbyintf(lanes.at[i])); });
}
static inline __m512i _mm512_cvtepu16_epi32(__m256i v) {
  uint16_t lanes[16];
  memcpy(lanes, &v, sizeof lanes);
  return emulatedLanes<__m512i, int32_t>([&](size_t i) { return int32_t(lanes[i]); });
}
static inline __m512 _mm512_cvtph_ps(__m256i v) {
  __m128i halves[2];
  memcpy(halves, &v, sizeof halves);
  const __m256 floats[2] = {_mm256_cvtph_ps(halves[0]), _mm256_cvtph_ps(halves[1])};
  __m512 result;
  memcpy(&result, floats, sizeof result);
  return result;
}
static inline __m256i emulatedHalves(__m512 v) {
  __m256 floats[2];
  memcpy(floats, &v, sizeof floats);
  const __m128i halves[2] = {_mm256_cvtps_ph(floats[0], 0), _mm256_cvtps_ph(floats[1], 0)};
  __m256i result;
  memcpy(&result, halves, sizeof result);
  return result;
}
#define _mm512_cvtps_ph(v, rounding) emulatedHalves(v)
/** Only what the mask names is touched. */
static inline __m512 _mm512_maskz_loadu_ps(__mmask16 mask, const void* p) {
  return emulatedLanes<__m512, float>(
      [&](size_t i) { return mask >> i & 1 ? static_cast<const float*>(p)[i] : 0.0f; });
}
static inline void _mm512_mask_storeu_ps(void* p, __mmask16 mask, __m512 v) {
  const auto lanes = emulatedCast<EmulatedArray<float>>(v);
  for (size_t i = 0; i < 16; i++) {
    if (mask >> i & 1) static_cast<float*>(p)[i] = lanes.at[i];
  }
}
