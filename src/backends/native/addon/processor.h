// Which instruction sets this processor and this system can run.
#pragma once

namespace cria {

/** By the names of scripts/build-native.mjs; false for names that are not known. */
bool processorRuns(const char* instructionSet);

}  // namespace cria
