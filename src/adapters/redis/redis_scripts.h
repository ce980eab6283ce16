// What must happen at once in Redis, in Lua. Source: docs/protocol.md section 7.5 (guards),
// docs/redis.md (fencing, siblings).
#pragma once

#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/redis/resp.h"

namespace sidecar::redis_scripts {

// All scripts: KEYS[1] is the leader's key and ARGV[1] the leader's token, or empty when
// anybody may write. They answer 'NOTLEADER' when the token is not the one in force.

/// Begins every script.
#define SIDECAR_FENCE                                            \
  "local function get(key) local v = redis.pcall('GET', key); "  \
  "if type(v) == 'string' then return v end; return false end\n" \
  "if ARGV[1] ~= '' and get(KEYS[1]) ~= ARGV[1] then return 'NOTLEADER' end\n"

#define SIDECAR_PUT                                                     \
  "local function put(key, value, ttl) "                                \
  "if tonumber(ttl) > 0 then redis.call('SET', key, value, 'EX', ttl) " \
  "else redis.call('SET', key, value) end end\n"

#define SIDECAR_NOW                                     \
  "local function now() local t = redis.call('TIME'); " \
  "return string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)) end\n"

/// A whole record. KEYS: leader, list, sibling, then the values' keys, the list first. ARGV:
/// token, '1' = only if the list is there, ttl, as_of, date of the list, the sibling's value,
/// the sibling that it was made from (or ''), then value and date of each key; a date of 'now'
/// is Redis' own. Answers the number of values written; 'OLDER', 'ABSENT', or 'CHANGED': the
/// sibling knows of changes that its new value has to keep.
inline constexpr std::string_view kWriteRecord = SIDECAR_FENCE SIDECAR_PUT SIDECAR_NOW R"(
if ARGV[2] == '1' and not get(KEYS[2] .. '#timestamp') then return 'ABSENT' end
local held = get(KEYS[3])
if held and held ~= ARGV[7] then
  local as_of, list, changed = string.match(held, '^(%d+) (%d+) (%d+) ')
  if as_of then
    if tonumber(as_of) > tonumber(ARGV[4]) and tonumber(list) >= tonumber(ARGV[5]) then return 'OLDER' end
    if tonumber(changed) >= tonumber(ARGV[4]) then return 'CHANGED' end
  end
end
local written = 0
local list_written = false
for i = 4, #KEYS do
  local value, stamp = ARGV[8 + (i - 4) * 2], ARGV[9 + (i - 4) * 2]
  if stamp == 'now' then stamp = now() end
  local at = tonumber(get(KEYS[i] .. '#timestamp') or '')
  if stamp == '0' or not at or at <= tonumber(stamp) then
    put(KEYS[i], value, ARGV[3])
    put(KEYS[i] .. '#timestamp', stamp, ARGV[3])
    written = written + 1
    if i == 4 then list_written = true end
  end
end
if list_written then put(KEYS[3], ARGV[6], ARGV[3]) end
return written
)";

/// Usage of one feature. KEYS: leader, list, usage. ARGV: token, ttl, value, date or 'now'.
inline constexpr std::string_view kWriteUsage = SIDECAR_FENCE SIDECAR_PUT SIDECAR_NOW R"(
if not get(KEYS[2] .. '#timestamp') then return 'ABSENT' end
local stamp = ARGV[4]
if stamp == 'now' then stamp = now() end
local at = tonumber(get(KEYS[3] .. '#timestamp') or '')
if at and at > tonumber(stamp) then return 'OLDER' end
put(KEYS[3], ARGV[3], ARGV[2])
put(KEYS[3] .. '#timestamp', stamp, ARGV[2])
return 1
)";

/// A sibling's new value, if it still has the one that the new one was made from. KEYS: leader,
/// sibling. ARGV: token, ttl, the former value, the new one.
inline constexpr std::string_view kReplaceSibling = SIDECAR_FENCE SIDECAR_PUT R"(
if get(KEYS[2]) ~= ARGV[3] then return 'CHANGED' end
put(KEYS[2], ARGV[4], ARGV[2])
return 1
)";

/// KEYS: leader, then what to delete. ARGV: token.
inline constexpr std::string_view kDelete = SIDECAR_FENCE R"(
for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end
return 1
)";

/// KEYS: leader, key. ARGV: token, milliseconds to live or 0. Its value is Redis' time.
inline constexpr std::string_view kStampTime = SIDECAR_FENCE SIDECAR_NOW R"(
if tonumber(ARGV[2]) > 0 then redis.call('SET', KEYS[2], now(), 'PX', ARGV[2])
else redis.call('SET', KEYS[2], now()) end
return 1
)";

/// Prolongs the lease. KEYS: leader. ARGV: token, milliseconds.
inline constexpr std::string_view kRenew = SIDECAR_FENCE R"(
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
)";

/// Gives back a lock that is ours, and tells who waits. KEYS: lock. ARGV: token, channel, message.
inline constexpr std::string_view kRelease = SIDECAR_FENCE R"(
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
)";

/// The command that runs a script.
inline RedisCommand Run(std::string_view script, std::vector<std::string> keys, std::vector<std::string> arguments) {
  RedisCommand command{"EVAL", std::string(script), std::to_string(keys.size())};
  std::move(keys.begin(), keys.end(), std::back_inserter(command));
  std::move(arguments.begin(), arguments.end(), std::back_inserter(command));
  return command;
}

#undef SIDECAR_FENCE
#undef SIDECAR_PUT
#undef SIDECAR_NOW

}  // namespace sidecar::redis_scripts
