// Rows of integer weights from the layout of files (weights/kind.ts) into panels (int-layout.h), and back.
#include <string.h>

#include "arithmetic.h"
#include "int-layout.h"

namespace cria::CRIA_ISA {

int64_t packedBytesInt(int64_t kind, int64_t rows, int64_t columns) {
  return ceilingDivide(rows, panelRows) * panelBytes(kind, columns);
}

int64_t packUnitsInt(int64_t, int64_t first, int64_t count) {
  return ceilingDivide(first + count, panelRows) - first / panelRows;
}

/** Bytes of a group in a file before its values, and of a row before its groups. */
static constexpr int64_t groupHeader(int64_t kind) { return kind == Int8Channel ? 0 : kind == Int4Min ? 4 : 2; }
static constexpr int64_t rowHeader(int64_t kind) { return kind == Int8Channel ? 4 : 0; }

/** A row of a file into lane `lane` of a panel. */
template <Kind kind>
static void packRow(const uint8_t* source, int64_t columns, uint8_t* panel, int64_t lane) {
  constexpr int64_t values = valueBytes(kind), parts = values / partBytes;
  const int64_t groups = columns / groupSize;
  if (kind == Int8Channel) memcpy(panel + groups * values + lane * 4, source, 4);
  source += rowHeader(kind);
  for (int64_t g = 0; g < groups; g++) {
    uint8_t* block = panel + g * blockBytes(kind);
    if (kind != Int8Channel) memcpy(block + values + lane * 2, source, 2);
    if (kind == Int4Min) memcpy(block + values + 32 + lane * 2, source + 2, 2);
    source += groupHeader(kind);
    for (int64_t part = 0; part < parts; part++) memcpy(block + part * partBytes + lane * 4, source + part * 4, 4);
    source += parts * 4;
  }
}

template <Kind kind>
static void clearLane(int64_t columns, uint8_t* panel, int64_t lane) {
  constexpr int64_t values = valueBytes(kind);
  const int64_t groups = columns / groupSize;
  if (kind == Int8Channel) memset(panel + groups * values + lane * 4, 0, 4);
  for (int64_t g = 0; g < groups; g++) {
    uint8_t* block = panel + g * blockBytes(kind);
    for (int64_t at = values; at < blockBytes(kind); at += 32) memset(block + at + lane * 2, 0, 2);
    for (int64_t part = 0; part < values; part += partBytes) memset(block + part + lane * 4, 0, 4);
  }
}

template <Kind kind>
static void packPanels(const double* args, int64_t begin, int64_t end) {
  const int64_t first = int64_t(args[2]), count = int64_t(args[3]);
  const int64_t rows = int64_t(args[4]), columns = int64_t(args[5]);
  constexpr int64_t groupBytes = groupHeader(kind) + valueBytes(kind) / panelRows;
  const int64_t bytes = rowHeader(kind) + columns / groupSize * groupBytes;
  const int64_t last = first + count;
  for (int64_t p = first / panelRows + begin; p < first / panelRows + end; p++) {
    uint8_t* panel = pointer<uint8_t>(args[1]) + p * panelBytes(kind, columns);
    const int64_t top = p * panelRows;
    for (int64_t row = larger(top, first); row < smaller(top + panelRows, last); row++) {
      packRow<kind>(pointer<uint8_t>(args[0]) + (row - first) * bytes, columns, panel, row - top);
    }
    if (last != rows) continue;
    for (int64_t row = rows; row < top + panelRows; row++) clearLane<kind>(columns, panel, row - top);
  }
}

/**
 * Operands: source, packed weight, first row, count, rows, columns, kind. The source holds rows `first` to
 * `first + count` in the layout of weights/kind.ts. Unit: a panel that has some of these rows.
 */
void PackInt(const double* args, int64_t begin, int64_t end, Thread&) {
  switch (int64_t(args[6])) {
    case Int8: return packPanels<Int8>(args, begin, end);
    case Int8Channel: return packPanels<Int8Channel>(args, begin, end);
    case Int4: return packPanels<Int4>(args, begin, end);
    default: return packPanels<Int4Min>(args, begin, end);
  }
}

template <class T>
static T read(const uint8_t* address) {
  T value;
  memcpy(&value, address, sizeof value);
  return value;
}

void decodeRowInt(int64_t kind, const uint8_t* weight, int64_t, int64_t columns, int64_t row, float* out) {
  const uint8_t* panel = weight + row / panelRows * panelBytes(kind, columns);
  const int64_t lane = row % panelRows, groups = columns / groupSize, values = valueBytes(kind);
  for (int64_t g = 0; g < groups; g++, out += groupSize) {
    const uint8_t* block = panel + g * blockBytes(kind);
    const uint8_t* words = block + lane * 4;
    const float scale = kind == Int8Channel ? read<float>(panel + groups * values + lane * 4)
                                            : halfToFloat(read<uint16_t>(block + values + lane * 2));
    if (!hasNibbles(kind)) {
      for (int64_t i = 0; i < groupSize; i++) {
        out[i] = float(int8_t(words[i / 4 * partBytes + i % 4])) * scale;
      }
      continue;
    }
    const int32_t middle = kind == Int4 ? 8 : 0;
    for (int64_t i = 0; i < groupSize; i++) {
      const int32_t both = words[i % 16 / 4 * partBytes + i % 4];
      out[i] = float((i < 16 ? both & 15 : both >> 4) - middle) * scale;
    }
    if (kind != Int4Min) continue;
    const float minimum = halfToFloat(read<uint16_t>(block + values + 32 + lane * 2));
    for (int64_t i = 0; i < groupSize; i++) out[i] += minimum;
  }
}

}  // namespace cria::CRIA_ISA
