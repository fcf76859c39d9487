// Keys and values of a batch go into their pages: see attention.h for where.
#include "attention.h"
#include "vector.h"

namespace cria::CRIA_ISA {

int64_t pageBytes(int64_t kvHeads, int64_t headWidth, int64_t pageTokens, int64_t element) {
  return CacheForm{kvHeads, headWidth, pageTokens, element}.pageOffset(0, 1);
}

namespace {

constexpr int64_t pieceFields = 4;

void convert(const float* from, int64_t count, float* to) { memcpy(to, from, size_t(count) * 4); }

void convert(const float* from, int64_t count, uint16_t* to) {
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) storeHalves(to + i, load(from + i));
  for (; i < count; i++) to[i] = floatToHalf(from[i]);
}

/** Row of E keys or values as elements of the cache, in `line`, then to their places. */
template <class Element>
void storeSlot(const float* key, const float* value, const CacheForm& form, uint8_t* page, int64_t slot, Element* line) {
  Element* keys = reinterpret_cast<Element*>(page);
  convert(key, form.width, line);
  Element* at = keys + (slot - slot % panelColumns) * form.width + slot % panelColumns;
  for (int64_t e = 0; e < form.width; e++) at[e * panelColumns] = line[e];

  Element* values = keys + form.pageColumns() * form.width;
  convert(value, form.width, line);
  for (int64_t e = 0; e < form.width; e += panelColumns) {
    const int64_t count = smaller(panelColumns, form.width - e);
    memcpy(values + e * form.pageTokens + slot * panelColumns, line + e, size_t(count) * sizeof(Element));
  }
}

}  // namespace

/** Operands: from, to, unused, then as StoreKeysValues', up to the bytes of an element. Unit: a kv head of a page. */
void CopyPage(const double* args, int64_t begin, int64_t end, Thread&) {
  const CacheForm form = cacheFormOf(args);
  uint8_t* pages = pointer<uint8_t>(args[3]);
  for (int64_t head = begin; head < end; head++) {
    memcpy(pages + form.pageOffset(head, int64_t(args[1])), pages + form.pageOffset(head, int64_t(args[0])),
           size_t(form.headBytes()));
  }
}

/**
 * Operands: key, value, data, pages of the layer, kv heads, unused, head width, page tokens, bytes of an element, where the
 * pieces are in data. A piece: first row, rows, page, slot of its first row in that page.
 * Unit: piece x kv head.
 */
void StoreKeysValues(const double* args, int64_t begin, int64_t end, Thread& thread) {
  const CacheForm form = cacheFormOf(args);
  const int64_t stride = form.kvHeads * form.width;
  for (int64_t unit = begin; unit < end; unit++) {
    const int32_t* piece = pointer<int32_t>(args[2]) + int64_t(args[9]) + unit / form.kvHeads * pieceFields;
    const int64_t head = unit % form.kvHeads;
    uint8_t* page = pointer<uint8_t>(args[3]) + form.pageOffset(head, piece[2]);
    for (int64_t i = 0; i < piece[1]; i++) {
      const int64_t from = (piece[0] + i) * stride + head * form.width;
      const float* key = pointer<float>(args[0]) + from;
      const float* value = pointer<float>(args[1]) + from;
      if (form.element == 2) storeSlot(key, value, form, page, piece[3] + i, reinterpret_cast<uint16_t*>(thread.scratch));
      else storeSlot(key, value, form, page, piece[3] + i, reinterpret_cast<float*>(thread.scratch));
    }
  }
}

}  // namespace cria::CRIA_ISA
