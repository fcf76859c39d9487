// What the kernels of the native backend are compiled with, for the addon (build-native.mjs) and for the tests of the
// kernels alone (test-native-kernels.mjs).

/** Instruction sets of a processor, the best first, with the flags that they need. */
export const instructionSets = {
  x64: [
    {
      name: "avx512vnni",
      flags: "-mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni",
    },
    { name: "avx512", flags: "-mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq" },
    { name: "avxvnni", flags: "-mavx2 -mfma -mf16c -mavxvnni" },
    { name: "avx2", flags: "-mavx2 -mfma -mf16c" },
    { name: "scalar", flags: "" },
  ],
  arm64: [
    { name: "i8mm", flags: "-march=armv8.2-a+fp16+dotprod+i8mm" },
    { name: "dotprod", flags: "-march=armv8.2-a+fp16+dotprod" },
    { name: "neon", flags: "-march=armv8-a" },
  ],
}

export const languageFlags = [
  "-std=c++17",
  // A product and a sum are fused only where the code says so: kernels for one token and for many must agree to the bit.
  "-ffp-contract=off",
  "-Wall",
  "-Wextra",
]

export const kernelFlags = ["-fno-exceptions", "-fno-rtti"]
