// The 8-bit form of activations, for linear with integer weights.
#include "quantize.h"

namespace cria::CRIA_ISA {

int64_t formBytesInt(int64_t tokens, int64_t columns) { return tokens * recordBytes(columns); }
int64_t formUnitsInt(int64_t tokens) { return tokens; }

/** Operands: x, records, tokens, columns. Unit: a token. */
void QuantizeRows(const double* args, int64_t begin, int64_t end, Thread&) {
  const int64_t columns = int64_t(args[3]);
  for (int64_t t = begin; t < end; t++) {
    quantizeRow(pointer<float>(args[0]) + t * columns, columns, pointer<uint8_t>(args[1]) + t * recordBytes(columns));
  }
}

}  // namespace cria::CRIA_ISA
