// The Node-API face of the native backend. A backend is an object of the addon (a `Machine`: memory, threads, kernels of one
// instruction set) behind an external value. Arguments come from our own TypeScript side, which checks them; what
// could make the process crash is checked again here.
#include <node_api.h>

#include <string.h>

#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "call.h"
#include "processor.h"

namespace cria {

#define X(set)                    \
  namespace set {                 \
  extern const Command commands[]; \
  extern const Layout layout;     \
  }
CRIA_INSTRUCTION_SETS
#undef X

namespace {

/** The best first. */
const InstructionSet instructionSets[] = {
#define X(set) {#set, set::commands, &set::layout},
    CRIA_INSTRUCTION_SETS
#undef X
};

const char* const operationNames[] = {
#define X(name) #name,
    CRIA_OPERATIONS(X)
#undef X
};
constexpr int64_t operationCount = sizeof operationNames / sizeof operationNames[0];

/** Version of this interface: addon.ts has the same number. */
constexpr int32_t addonVersion = 1;

/** Words of a command before its operands: opcode, number of operands, units. */
constexpr int64_t headWords = 3;

// Each function below ends with the value it returns or with a pending exception.

/** create(instruction set, threads): a machine. */
napi_value create(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const std::string name = call.text(0);
  const int64_t threads = call.integer(1);
  if (threads < 1 || threads > 1024) return fail(env, "the number of threads is out of range");
  const InstructionSet* found = nullptr;
  for (const InstructionSet& set : instructionSets)
    if (name == set.name && processorRuns(set.name)) found = &set;
  if (!found) return fail(env, "this processor does not have that instruction set");
  Environment* environment = nullptr;
  napi_get_instance_data(env, reinterpret_cast<void**>(&environment));
  std::unique_ptr<Machine> machine;
  try {
    machine = std::make_unique<Machine>(int32_t(threads), *found);
    environment->machines.insert(machine.get());
  } catch (const std::exception& error) {
    return fail(env, (std::string("the threads cannot be started: ") + error.what()).c_str());
  }
  napi_value result;
  napi_create_external(env, machine.release(), nullptr, nullptr, &result);
  return result;
}

/** end(machine): frees all of it. */
napi_value end(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  if (!machine) return nullptr;
  Environment* environment = nullptr;
  napi_get_instance_data(env, reinterpret_cast<void**>(&environment));
  environment->machines.erase(machine);
  delete machine;
  return call.nothing();
}

/** run(machine, words, count of words, interrupt cell): whether all of it ran. */
napi_value run(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  if (!machine) return nullptr;
  const Call::Bytes bytes = call.bytes(1);
  const double* words = reinterpret_cast<const double*>(bytes.data);
  const int64_t count = call.integer(2);
  if (!words || count < 0 || uint64_t(count) * 8 > bytes.size) return fail(env, "a list of commands is too short");
  int64_t tasks = 0;
  for (int64_t at = 0; at < count; tasks++) {
    if (count - at < headWords) return fail(env, "a command is cut off");
    const int64_t operation = int64_t(words[at]), operands = int64_t(words[at + 1]);
    if (operation < 0 || operation >= operationCount || operands < 0 || operands > count - at - headWords)
      return fail(env, "a command is not one");
    at += headWords + operands;
  }
  if (tasks > machine->taskRoom) {
    machine->tasks.reset(new Task[size_t(tasks) * 2]);
    machine->taskRoom = tasks * 2;
  }
  int64_t at = 0;
  for (int64_t i = 0; i < tasks; i++) {
    Task& task = machine->tasks[i];
    task.command = machine->set.commands[int64_t(words[at])];
    task.args = words + at + headWords;
    task.units = int64_t(words[at + 2]);
    task.claimed.store(0, std::memory_order_relaxed);
    task.finished.store(0, std::memory_order_relaxed);
    at += headWords + int64_t(words[at + 1]);
  }
  const Call::Bytes cell = call.bytes(3);
  const auto* interrupt = cell.size >= 4 ? reinterpret_cast<const std::atomic<int32_t>*>(cell.data) : nullptr;
  return call.make(machine->pool.run(machine->tasks.get(), tasks, interrupt));
}

/** allocate(machine, bytes, bytes at its start in small pages): the address of zeros, or 0. */
napi_value allocate(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  return machine ? call.make(machine->memory.allocate(uint64_t(call.integer(1)), uint64_t(call.integer(2)))) : nullptr;
}

/** reserve(machine, bytes, bytes at its start in small pages): the address of space to commit, or 0. */
napi_value reserve(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  return machine ? call.make(machine->memory.reserve(uint64_t(call.integer(1)), uint64_t(call.integer(2)))) : nullptr;
}

/** commit(machine, address, bytes): whether there was memory. */
napi_value commit(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  if (!machine) return nullptr;
  const uint64_t bytes = uint64_t(call.integer(2));
  if (!machine->memory.contains(call.address(1), bytes)) return fail(env, "memory that was not taken");
  return call.make(machine->memory.commit(call.address(1), bytes));
}

/** discard(machine, address, bytes) */
napi_value discard(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  if (!machine) return nullptr;
  const uint64_t bytes = uint64_t(call.integer(2));
  if (!machine->memory.contains(call.address(1), bytes)) return fail(env, "memory that was not taken");
  machine->memory.discard(call.address(1), bytes);
  return call.nothing();
}

/** map(machine, file descriptor, offset, bytes): the address of a file's bytes, or 0. */
napi_value map(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  if (!machine) return nullptr;
  return call.make(machine->memory.map(int(call.integer(1)), uint64_t(call.integer(2)), uint64_t(call.integer(3))));
}

/** trim(): gives memory that the process has freed back to the system. */
napi_value trim(napi_env env, napi_callback_info info) {
  trimHeap();
  return Call(env, info).nothing();
}

/** release(machine, address): gives back what allocate, reserve or map gave. */
napi_value release(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  if (!machine) return nullptr;
  if (!machine->memory.release(call.address(1))) return fail(env, "memory that was not taken");
  return call.nothing();
}

/** write(machine, address, typed array) */
napi_value write(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  if (!machine) return nullptr;
  const Call::Bytes bytes = call.bytes(2);
  if (!machine->memory.contains(call.address(1), bytes.size)) return fail(env, "memory that was not taken");
  if (bytes.size > 0) memcpy(call.address(1), bytes.data, bytes.size);
  return call.nothing();
}

/** move(machine, from, to, bytes): the stretches may overlap. */
napi_value move(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  if (!machine) return nullptr;
  const uint64_t bytes = uint64_t(call.integer(3));
  if (!machine->memory.contains(call.address(1), bytes) || !machine->memory.contains(call.address(2), bytes))
    return fail(env, "memory that was not taken");
  memmove(call.address(2), call.address(1), bytes);
  return call.nothing();
}

/** read(machine, address, typed array to fill) */
napi_value read(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  if (!machine) return nullptr;
  const Call::Bytes bytes = call.bytes(2);
  if (!machine->memory.contains(call.address(1), bytes.size)) return fail(env, "memory that was not taken");
  if (bytes.size > 0) memcpy(bytes.data, call.address(1), bytes.size);
  return call.nothing();
}

/**
 * keep(machine, unfinished path, path, pieces): writes pieces of memory into a file in the background: address, bytes and
 * offset of each. Whether it began.
 */
napi_value keep(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Machine* machine = call.machine();
  if (!machine) return nullptr;
  const Call::Bytes words = call.bytes(3);
  const double* numbers = reinterpret_cast<const double*>(words.data);
  std::vector<Piece> pieces;
  for (uint64_t i = 0; i + 3 <= words.size / 8; i += 3) {
    const Piece piece{reinterpret_cast<const uint8_t*>(uintptr_t(numbers[i])), uint64_t(numbers[i + 1]),
                      uint64_t(numbers[i + 2])};
    if (!machine->memory.contains(piece.data, piece.bytes)) return fail(env, "memory that was not taken");
    pieces.push_back(piece);
  }
  try {
    return call.make(machine->writer.start(call.text(1), call.text(2), std::move(pieces)));
  } catch (const std::exception& error) {
    return fail(env, error.what());
  }
}

/** Answers a question of a machine's layout whose arguments are whole numbers. */
template <class... Numbers>
napi_value answer(napi_env env, napi_callback_info info, int64_t (*Layout::*question)(Numbers...)) {
  const Call call(env, info);
  Machine* machine = call.machine();
  if (!machine) return nullptr;
  size_t index = 0;
  // Braces, because they are evaluated from left to right.
  const std::tuple<Numbers...> numbers{(static_cast<Numbers>(call.integer(++index)))...};
  return call.make(double(std::apply(machine->set.layout->*question, numbers)));
}

#define CRIA_QUESTION(name) \
  napi_value name(napi_env env, napi_callback_info info) { return answer(env, info, &Layout::name); }
CRIA_QUESTION(packedBytes)
CRIA_QUESTION(packUnits)
CRIA_QUESTION(formBytes)
CRIA_QUESTION(formUnits)
CRIA_QUESTION(linearUnits)
CRIA_QUESTION(inputGradientBytes)
CRIA_QUESTION(inputGradientPackUnits)
CRIA_QUESTION(inputGradientUnits)
CRIA_QUESTION(weightGradientTokens)
CRIA_QUESTION(weightGradientBytes)
CRIA_QUESTION(weightGradientPackUnits)
CRIA_QUESTION(weightGradientUnits)
CRIA_QUESTION(rmsNormGradientUnits)
CRIA_QUESTION(pageBytes)
CRIA_QUESTION(attentionTile)
CRIA_QUESTION(attentionRange)
CRIA_QUESTION(attentionPartBytes)
#undef CRIA_QUESTION

napi_value namesOf(napi_env env, const std::vector<const char*>& names) {
  napi_value list;
  napi_create_array_with_length(env, names.size(), &list);
  for (size_t i = 0; i < names.size(); i++) {
    napi_value name;
    napi_create_string_utf8(env, names[i], NAPI_AUTO_LENGTH, &name);
    napi_set_element(env, list, uint32_t(i), name);
  }
  return list;
}

napi_value initialize(napi_env env, napi_value exports) {
  // Freed when the environment ends, also when its worker is terminated.
  napi_set_instance_data(
      env, new Environment, [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); }, nullptr);
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {
      {"create", create},   {"end", end},         {"run", run},
      {"allocate", allocate}, {"reserve", reserve}, {"commit", commit},
      {"discard", discard}, {"map", map},         {"release", release}, {"trim", trim},
      {"write", write},     {"read", read}, {"move", move}, {"keep", keep},       {"packedBytes", packedBytes},
      {"packUnits", packUnits}, {"formBytes", formBytes}, {"formUnits", formUnits},
      {"linearUnits", linearUnits}, {"pageBytes", pageBytes},
      {"inputGradientBytes", inputGradientBytes},
      {"inputGradientPackUnits", inputGradientPackUnits},
      {"inputGradientUnits", inputGradientUnits},
      {"weightGradientTokens", weightGradientTokens},
      {"weightGradientBytes", weightGradientBytes},
      {"weightGradientPackUnits", weightGradientPackUnits},
      {"weightGradientUnits", weightGradientUnits},
      {"rmsNormGradientUnits", rmsNormGradientUnits},
      {"attentionTile", attentionTile}, {"attentionRange", attentionRange},
      {"attentionPartBytes", attentionPartBytes},
  };
  for (const auto& [name, function] : functions) {
    napi_value value;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  napi_value version;
  napi_create_int32(env, addonVersion, &version);
  napi_set_named_property(env, exports, "version", version);
  napi_value layoutName;
  napi_create_string_utf8(env, CRIA_LAYOUT, NAPI_AUTO_LENGTH, &layoutName);
  napi_set_named_property(env, exports, "layout", layoutName);
  std::vector<const char*> runnable;
  for (const InstructionSet& set : instructionSets)
    if (processorRuns(set.name)) runnable.push_back(set.name);
  napi_set_named_property(env, exports, "instructionSets", namesOf(env, runnable));
  const std::vector<const char*> operations(operationNames, operationNames + operationCount);
  napi_set_named_property(env, exports, "operations", namesOf(env, operations));
  return exports;
}

}  // namespace
}  // namespace cria

NAPI_MODULE_INIT() { return cria::initialize(env, exports); }
