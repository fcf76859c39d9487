// What is fixed by the Llama 3.2 family: its pre-tokenizer pattern and the names of its special tokens.

/** The pre-tokenizer of Llama 3 (Meta's reference tokenizer, `pat_str`). */
export const llama3Pattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" +
  "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const named = [
  "begin_of_text",
  "end_of_text",
  "reserved_special_token_0",
  "reserved_special_token_1",
  "finetune_right_pad_id",
  "step_id",
  "start_header_id",
  "end_header_id",
  "eom_id",
  "eot_id",
  "python_tag",
]

/** The 256 special tokens of Llama 3.2 in order of their ids, which follow those of the vocabulary (128000 up). */
export const llama3SpecialTokens: readonly string[] = Array.from({ length: 256 }, (_, i) =>
  i < named.length ? `<|${named[i]}|>` : `<|reserved_special_token_${i - named.length + 2}|>`,
)

/** Those of them that prompts, answers and training are made of: what a vocabulary cannot do without. */
export const llama3ChatTokens: readonly string[] = llama3SpecialTokens.filter(
  (text) => !/reserved|step/.test(text),
)
