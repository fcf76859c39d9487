// The kernels of one instruction set: opcode to command, and the sizes that go with them.
#include "kernels.h"

namespace cria::CRIA_ISA {

extern const Command commands[] = {
#define CRIA_ENTRY(name) name,
    CRIA_OPERATIONS(CRIA_ENTRY)
#undef CRIA_ENTRY
};

static int64_t packedBytes(int64_t kind, int64_t rows, int64_t columns) {
  return isInteger(kind) ? packedBytesInt(kind, rows, columns) : packedBytesDense(kind, rows, columns);
}

static int64_t packUnits(int64_t kind, int64_t first, int64_t count) {
  return isInteger(kind) ? packUnitsInt(kind, first, count) : packUnitsDense(kind, first, count);
}

static int64_t formBytes(int64_t kind, int64_t tokens, int64_t columns) {
  return isInteger(kind) ? formBytesInt(tokens, columns) : formBytesDense(tokens, columns);
}

static int64_t formUnits(int64_t kind, int64_t tokens) {
  return isInteger(kind) ? formUnitsInt(tokens) : formUnitsDense(tokens);
}

static int64_t linearUnits(int64_t kind, int64_t tokens, int64_t rows, int64_t columns) {
  return isInteger(kind) ? linearUnitsInt(kind, tokens, rows, columns) : linearUnitsDense(kind, tokens, rows, columns);
}

extern const Layout layout = {packedBytes, packUnits, formBytes, formUnits, linearUnits,
                              inputGradientBytes, inputGradientPackUnits, inputGradientUnits, weightGradientTokens, weightGradientBytes,
                              weightGradientPackUnits, weightGradientUnits, rmsNormGradientUnits, pageBytes,
                              attentionTile, attentionRange, attentionPartBytes};

}  // namespace cria::CRIA_ISA
