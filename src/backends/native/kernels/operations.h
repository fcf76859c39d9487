// Every command that the native backend can run: one line each, the name of the opcode and of its kernel. The order is
// the opcode; the TypeScript side asks the addon for the names, so nothing else has to be kept in step.
#pragma once

#define CRIA_OPERATIONS(X) \
  /* embedding.cc */       \
  X(Embedding)             \
  X(EmbeddingGradient)     \
  /* rows.cc */            \
  X(CopyRows)              \
  X(RowsGradient)          \
  X(Checksum)              \
  /* encode.cc */          \
  X(EncodeRows)            \
  /* elementwise.cc */     \
  X(RmsNorm)               \
  X(Rope)                  \
  X(SwiGlu)                \
  X(Add)                   \
  X(Scale)                 \
  X(Fill)                  \
  X(Accumulate)            \
  /* pack-int.cc */        \
  X(PackInt)               \
  /* quantize.cc */        \
  X(QuantizeRows)          \
  /* linear-int.cc */      \
  X(LinearInt)             \
  /* linear-dense.cc */    \
  X(PackDense)             \
  X(FormDense)             \
  X(LinearDense)           \
  /* linear-gradient.cc */ \
  X(PackInputGradient)     \
  X(LinearInputGradient)   \
  X(PackWeightGradient)    \
  X(LinearWeightGradient)  \
  /* gradients.cc */       \
  X(RmsNormGradient)       \
  X(AddParts)              \
  X(SwiGluGradient)        \
  /* attention-cache.cc */ \
  X(StoreKeysValues)       \
  X(CopyPage)              \
  /* attention.cc */       \
  X(Attention)             \
  X(MergeAttention)        \
  /* attention-gradient.cc */ \
  X(AttentionGradient)     \
  /* losses.cc */          \
  X(LogProbabilities)      \
  X(LogProbabilitiesGradient) \
  X(CrossEntropy)          \
  X(CrossEntropyGradient)  \
  /* optimizer.cc */       \
  X(SquaredNormParts)      \
  X(SumParts)              \
  X(AdamW)
