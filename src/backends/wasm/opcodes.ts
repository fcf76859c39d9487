// The contract between the TypeScript side and the AssemblyScript kernels: one table op -> kernel, the form of a
// command, and the cells at the start of every heap. Compiled by both compilers, so it is plain numbers only.

/**
 * What a command does. A command is 16 words of 4 bytes: opcode, claim counter (0 when recorded), number of
 * units, "no barrier after me" flag, then 12 operands. Threads claim units until none is left.
 */
export enum Op {
  /** Copy bytes between heaps; runs in JavaScript (kernels/main.ts `hostCopy`). */
  CopyBetweenHeaps = 1,
  /** Run a command of another heap; runs in JavaScript (kernels/main.ts `hostRun`). */
  RunInHeap = 2,
  /** embedding -> kernels/rows.ts `embeddingUnit` */
  Embedding = 3,
  /** rows -> kernels/rows.ts `copyRowsUnit` */
  CopyRows = 4,
  /** linear, the activations' 8-bit form -> kernels/quantize.ts `quantizeUnit` */
  Quantize = 5,
  /** linear, one token -> kernels/vector-int.ts, kernels/vector-dense.ts */
  LinearVector = 6,
  /** linear, many tokens -> kernels/matrix-int.ts, kernels/matrix-dense.ts */
  LinearMatrix = 7,
  /** rmsNorm -> kernels/elementwise.ts `rmsNormUnit` */
  RmsNorm = 8,
  /** rope -> kernels/elementwise.ts `ropeUnit` */
  Rope = 9,
  /** swiGlu -> kernels/elementwise.ts `swiGluUnit` */
  SwiGlu = 10,
  /** add -> kernels/elementwise.ts `addUnit` */
  Add = 11,
  /** attention, keys and values into their slots -> kernels/cache.ts `storeUnit` */
  StoreKeysValues = 12,
  /** attention -> kernels/attention.ts `attentionUnit` */
  Attention = 13,
  /** PageStore.copy -> kernels/cache.ts `copyPageUnit` */
  CopyPage = 14,
  /** linear with plain weights, many tokens: the activations' order -> kernels/matrix-dense.ts `interleaveUnit` */
  Interleave = 15,
  // Training. All kernels not named otherwise are in kernels/gradients.ts.
  /** weight -> `packWeightUnit` */
  PackWeight = 16,
  /** gradients of linear, operands transposed -> `gatherColumnsUnit` */
  GatherColumns = 17,
  /** linearInputGradient, the weight as floats -> kernels/rows.ts `decodeUnit` */
  DecodeWeight = 18,
  /** embeddingGradient, rowsGradient -> `addRowsUnit` */
  AddRows = 19,
  /** rmsNormGradient, of x -> `rmsNormGradientUnit` */
  RmsNormGradient = 20,
  /** rmsNormGradient, of the gain -> `gainGradientUnit` */
  GainGradient = 21,
  /** attentionGradient -> kernels/attention-gradient.ts `attentionGradientUnit` */
  AttentionGradient = 22,
  /** swiGluGradient -> `swiGluGradientUnit` */
  SwiGluGradient = 23,
  /** logProbabilities -> kernels/losses.ts `logProbabilitiesUnit` */
  LogProbabilities = 24,
  /** logProbabilitiesGradient -> kernels/losses.ts `logProbabilitiesGradientUnit` */
  LogProbabilitiesGradient = 25,
  /** crossEntropy -> kernels/losses.ts `crossEntropyUnit` */
  CrossEntropy = 26,
  /** crossEntropyGradient -> kernels/losses.ts `crossEntropyGradientUnit` */
  CrossEntropyGradient = 27,
  /** scale -> `scaleUnit` */
  Scale = 28,
  /** fill -> `fillUnit` */
  Fill = 29,
  /** squaredNorm, of a part -> `squaresUnit` */
  Squares = 30,
  /** squaredNorm, the parts together -> `sumUnit` */
  Sum = 31,
  /** adamW -> `adamWUnit` */
  AdamW = 32,
}

export const COMMAND_BYTES = 64
/** Words of a command. */
export const WORD_OP = 0
export const WORD_CLAIMED = 1
export const WORD_UNITS = 2
export const WORD_NO_BARRIER = 3
export const WORD_ARGS = 4

/** Kinds of weight, in the order of `weightKinds`. */
export enum Kind {
  F32 = 0,
  F16 = 1,
  BF16 = 2,
  Int8 = 3,
  Int8Channel = 4,
  Int4 = 5,
  Int4Min = 6,
}

/** Rows of a panel: integer kinds and dense kinds. */
export const INT_PANEL = 16
export const DENSE_PANEL = 8
/** Values along K that share a scale. */
export const GROUP = 32
export const INT4_BLOCK = 288
export const INT4_MIN_BLOCK = 320
export const INT8_BLOCK = 544
export const INT8_CHANNEL_BLOCK = 512

/** Elements of a unit of the flat operations. */
export const FLAT_UNIT = 4096
/** Columns of a unit that adds up over the tokens. */
export const COLUMN_BLOCK = 64
/** Query rows that attentionGradient handles together. */
export const GRADIENT_ROWS = 4
/** Largest number of tokens of one LinearMatrix command: their accumulators are in the thread's scratch. */
export const MAX_MATRIX_TOKENS = 512
/** Tokens whose activations lie side by side for LinearMatrix: with integer weights, with plain ones. */
export const INT_TOKENS = 4
export const DENSE_TOKENS = 8
/** Largest number of slots whose scores a row has at once, and whose keys or values are made floats at once. */
export const ATTENTION_SLOTS = 128
export const ATTENTION_PART = 64
/** Largest number of tokens of a tile of attention. */
export const ATTENTION_TOKENS = 8

/** Byte addresses of the control cells in every heap; only those of heap 0 are used by the threads. */
export const CELL_EPOCH = 1024
export const CELL_MODE = 1028
export const CELL_LIST = 1032
export const CELL_COUNT = 1036
export const CELL_THREADS = 1040
export const CELL_ARRIVED = 1088
export const CELL_GENERATION = 1152
export const CELL_SLEEPERS = 1156
export const CELL_STOP = 1160
export const CELL_FAILED = 1216
export const CELL_INTERRUPT = 1280
/** Tenths of a second without any progress after which a waiting thread gives the run up. */
export const CELL_PATIENCE = 1408
/** Looks at a cell before a waiting thread goes to sleep. */
export const CELL_SPINS = 1412
/** Vector constants of the kernels. */
export const CELL_CONSTANTS = 1472
/** First byte after the control cells. Here each thread has a line to itself, in which it counts its units, and scratch. */
export const CONTROL_END = 4096
export const THREAD_LINE = 64
/** A thread's scratch in every heap: see the kernels for what they keep there. */
export const SCRATCH_BYTES = 256 * 1024

/** What a worker is to do when the epoch moves. */
export const MODE_RUN = 0
export const MODE_LEAVE = 1
export const MODE_QUIT = 2

/** Results of a run, also the values of CELL_STOP; CELL_FAILED holds 1 + thread, or FAILED_TIMEOUT. */
export const RUN_OK = 0
export const RUN_INTERRUPTED = 1
export const RUN_FAILED = 2
export const FAILED_TIMEOUT = 1000
