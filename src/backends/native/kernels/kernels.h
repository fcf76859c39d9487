// What a kernel file sees. Every .cc file of this folder is compiled once for each instruction set, with CRIA_ISA naming
// it, and everything a kernel file defines lies in `namespace cria::CRIA_ISA`.
//
// Rules of the folder: C++17; no exceptions, no allocation, no Node. No inline function or template outside of that
// namespace may be called (std::min and its like neither): the linker keeps one copy of such a function, and that one
// may have been compiled for a better processor than this one.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "command.h"
#include "operations.h"

#ifndef CRIA_ISA
#error "CRIA_ISA names the instruction set that this file is compiled for"
#endif

namespace cria::CRIA_ISA {

#define CRIA_DECLARE(name) void name(const double* args, int64_t begin, int64_t end, Thread& thread);
CRIA_OPERATIONS(CRIA_DECLARE)
#undef CRIA_DECLARE

/** An operand that is an address. */
template <class T>
static inline T* pointer(double address) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(address));
}

template <class T>
constexpr T smaller(T a, T b) {
  return a < b ? a : b;
}
template <class T>
constexpr T larger(T a, T b) {
  return a > b ? a : b;
}
constexpr int64_t ceilingDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// pack-int.cc, quantize.cc, linear-int.cc (integer kinds) and linear-dense.cc (the others): see Layout.
int64_t packedBytesInt(int64_t kind, int64_t rows, int64_t columns);
int64_t packUnitsInt(int64_t kind, int64_t first, int64_t count);
int64_t formBytesInt(int64_t tokens, int64_t columns);
int64_t formUnitsInt(int64_t tokens);
int64_t linearUnitsInt(int64_t kind, int64_t tokens, int64_t rows, int64_t columns);
/** Row `row` of a packed weight [rows, columns] as floats. */
void decodeRowInt(int64_t kind, const uint8_t* weight, int64_t rows, int64_t columns, int64_t row, float* out);

int64_t packedBytesDense(int64_t kind, int64_t rows, int64_t columns);
int64_t packUnitsDense(int64_t kind, int64_t first, int64_t count);
int64_t formBytesDense(int64_t tokens, int64_t columns);
int64_t formUnitsDense(int64_t tokens);
int64_t linearUnitsDense(int64_t kind, int64_t tokens, int64_t rows, int64_t columns);
void decodeRowDense(int64_t kind, const uint8_t* weight, int64_t rows, int64_t columns, int64_t row, float* out);

// linear-gradient.cc: see Layout.
int64_t inputGradientBytes(int64_t rows, int64_t columns);
int64_t inputGradientPackUnits(int64_t rows);
int64_t inputGradientUnits(int64_t tokens, int64_t columns);
int64_t weightGradientTokens(int64_t rows, int64_t columns);
int64_t weightGradientBytes(int64_t tokens, int64_t rows, int64_t columns);
int64_t weightGradientPackUnits(int64_t tokens);
int64_t weightGradientUnits(int64_t rows, int64_t columns);

// gradients.cc
int64_t rmsNormGradientUnits(int64_t rows);

// attention-cache.cc and attention.cc
int64_t pageBytes(int64_t kvHeads, int64_t headWidth, int64_t pageTokens, int64_t element);
int64_t attentionTile(int64_t group, int64_t headWidth);
int64_t attentionRange(int64_t pageTokens);
int64_t attentionPartBytes(int64_t rows, int64_t headWidth);

// table.cc
extern const Command commands[];
extern const Layout layout;

}  // namespace cria::CRIA_ISA
