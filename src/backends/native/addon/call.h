// What the functions of the addon work on (machines, and the environment that owns them), and how they read their arguments.
#pragma once

#include <node_api.h>

#include <stdint.h>

#include <memory>
#include <set>
#include <string>

#include "../kernels/command.h"
#include "../kernels/operations.h"
#include "memory.h"
#include "pool.h"
#include "writer.h"

namespace cria {

struct InstructionSet {
  const char* name;
  const Command* commands;
  const Layout* layout;
};

struct Machine {
  Machine(int32_t threads, const InstructionSet& set) : pool(threads), set(set) {}
  Pool pool;
  Memory memory;
  const InstructionSet& set;
  std::unique_ptr<Task[]> tasks;
  int64_t taskRoom = 0;
  /** Last, so that it ends before the memory that it reads. */
  Writer writer;
};

/** What an environment (a thread of Node with this addon) holds: it frees all of it when it ends, however that happens. */
struct Environment {
  std::set<Machine*> machines;
  ~Environment() {
    for (Machine* machine : machines) delete machine;
  }
};

/** Throws an Error; the value is for the caller to return. */
inline napi_value fail(napi_env env, const char* message) {
  napi_throw_error(env, nullptr, message);
  return nullptr;
}

/** Arguments of a call, and values to return. Numbers are doubles, addresses too. */
struct Call {
  napi_env env;
  napi_value values[8];
  size_t count = 8;

  Call(napi_env env, napi_callback_info info) : env(env) { napi_get_cb_info(env, info, &count, values, nullptr, nullptr); }

  double number(size_t index) const {
    double value = 0;
    if (index < count) napi_get_value_double(env, values[index], &value);
    return value;
  }
  int64_t integer(size_t index) const { return int64_t(number(index)); }
  uint8_t* address(size_t index) const { return reinterpret_cast<uint8_t*>(uintptr_t(number(index))); }

  std::string text(size_t index) const {
    size_t length = 0;
    if (index >= count || napi_get_value_string_utf8(env, values[index], nullptr, 0, &length) != napi_ok) return {};
    std::string text(length + 1, '\0');
    napi_get_value_string_utf8(env, values[index], &text[0], text.size(), &length);
    text.resize(length);
    return text;
  }

  /** The machine that an external value stands for; null, with an exception, after its end. */
  Machine* machine() const {
    Environment* environment = nullptr;
    napi_get_instance_data(env, reinterpret_cast<void**>(&environment));
    void* data = nullptr;
    if (count > 0) napi_get_value_external(env, values[0], &data);
    Machine* machine = static_cast<Machine*>(data);
    if (environment && environment->machines.count(machine)) return machine;
    fail(env, "this machine has ended");
    return nullptr;
  }

  struct Bytes {
    uint8_t* data = nullptr;
    uint64_t size = 0;
  };
  /** The bytes of a typed array. */
  Bytes bytes(size_t index) const {
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    if (index >= count || napi_get_typedarray_info(env, values[index], &type, &length, &data, nullptr, nullptr) != napi_ok)
      return {};
    const size_t width = type == napi_float64_array || type == napi_bigint64_array || type == napi_biguint64_array ? 8
                         : type == napi_float32_array || type == napi_int32_array || type == napi_uint32_array     ? 4
                         : type == napi_int16_array || type == napi_uint16_array                                   ? 2
                                                                                                                   : 1;
    return {static_cast<uint8_t*>(data), length * width};
  }

  napi_value make(double value) const {
    napi_value result;
    napi_create_double(env, value, &result);
    return result;
  }
  napi_value make(bool value) const {
    napi_value result;
    napi_get_boolean(env, value, &result);
    return result;
  }
  napi_value make(const void* address) const { return make(double(uintptr_t(address))); }
  napi_value nothing() const {
    napi_value result;
    napi_get_undefined(env, &result);
    return result;
  }
};

}  // namespace cria
