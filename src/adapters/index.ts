export {
  merged,
  withAdapter,
  withRowAdapters,
  type AdaptedRows,
  type Adapter,
  type LowRank,
} from "./low-rank.js"
