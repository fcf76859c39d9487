// Placeholder until the kernels exist: see the wasm backend.
