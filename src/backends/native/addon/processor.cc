#include "processor.h"

#include <string.h>

#if defined(__linux__) && defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace cria {

#if defined(__x86_64__)

bool processorRuns(const char* set) {
  // These questions include whether the system saves the registers.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (strcmp(set, "scalar") == 0) return true;
  if (strcmp(set, "avx2") == 0) return avx2;
  if (strcmp(set, "avx512") == 0) return avx512;
  if (strcmp(set, "avx512vnni") == 0) return avx512 && __builtin_cpu_supports("avx512vnni");
#ifndef __APPLE__
  if (strcmp(set, "avxvnni") == 0) {
    unsigned a, b, c, d;
    return avx2 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 4));
  }
#endif
  return false;
}

#elif defined(__aarch64__)

#ifdef __APPLE__
static bool has(const char* feature) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(feature, &value, &size, nullptr, 0) == 0 && value != 0;
}
bool processorRuns(const char* set) {
  if (strcmp(set, "neon") == 0) return true;
  const bool dotprod = has("hw.optional.arm.FEAT_DotProd") && has("hw.optional.arm.FEAT_FP16");
  if (strcmp(set, "dotprod") == 0) return dotprod;
  return strcmp(set, "i8mm") == 0 && dotprod && has("hw.optional.arm.FEAT_I8MM");
}
#else
bool processorRuns(const char* set) {
  // HWCAP_ASIMDHP, HWCAP_ASIMDDP and HWCAP2_I8MM of <asm/hwcap.h>, which older systems do not name.
  const bool half = getauxval(AT_HWCAP) & (1ul << 10);
  const bool dotprod = half && (getauxval(AT_HWCAP) & (1ul << 20));
  if (strcmp(set, "neon") == 0) return true;
  if (strcmp(set, "dotprod") == 0) return dotprod;
  return strcmp(set, "i8mm") == 0 && dotprod && (getauxval(AT_HWCAP2) & (1ul << 13));
}
#endif

#else
bool processorRuns(const char*) { return false; }
#endif

}  // namespace cria
