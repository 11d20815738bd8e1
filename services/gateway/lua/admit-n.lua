--@include mark
-- Admits a request in one round trip: finds the session behind an access token, where there is one, takes from a token
-- bucket, and tells how far who stands behind the session has seen each shard. The bucket is kept as the time when it will be
-- full again (the "generic cell rate algorithm": the same as counting tokens, in one number).
-- KEYS: 1 the token bucket; with a session, the prefix of the buckets of who stands behind it. 2 (optional) the session's
--   leased entry; the bucket is then `<KEYS[1]><class>:<payer>`, which has the same hash tag. The payer is the user, the
--   app where it asks for nobody, or user and app (see payerName). 3 (optional) the prefix of what has been seen; the user,
--   or the app where it asks for nobody, follows. An entry that is missing is begun (see remember-1).
-- ARGV: 1 capacity (0: no limit), 2 window ms, 3 cost (0: only look whether 1 would pass; -1: give one back); with a session also 4 class,
--   5 "user" (counted by user, whatever the app) or "user and app"; with KEYS[3] also 6 ms that an entry lives.
-- Result: { the session's payload or '', what has been seen ("shard=timeline:position …"), ms since the entry was begun,
--   1 where it passes, else 0, tokens left, ms until the bucket is full, ms until the next token }; no more than the
--   first where the session is not there, the first three where there is no limit.
local bucket = KEYS[1]
local payload = ''
local seen, age = '', 0
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
if KEYS[2] then
  local mark = run_mark()
  local prefix = 'v' .. mark .. ':'
  local stored = redis.call('GET', KEYS[2])
  if not stored or string.sub(stored, 1, #prefix) ~= prefix then return { '' } end
  payload = string.sub(stored, #prefix + 1)
  local user = string.match(payload, '^%d+')
  if not user then return { payload } end
  user = string.sub(user, 1, 19)
  local client = string.match(payload, ' (rc%S+)')
  if client and user == '0000000000000000000' then user = client end
  if KEYS[3] then
    local entry = redis.call('GET', KEYS[3] .. user)
    if entry and string.sub(entry, 1, #prefix) == prefix then
      local since, rest = string.match(entry, '^[^:]*:(%d+) ?(.*)$')
      seen, age = rest, math.max(0, math.floor(now - since))
    else
      redis.call('SET', KEYS[3] .. user, prefix .. string.format('%.0f', now), 'PX', ARGV[6])
    end
  end
  if client and user ~= client and ARGV[5] ~= 'user' then user = user .. ':' .. client end
  bucket = bucket .. ARGV[4] .. ':' .. user
end

local capacity = tonumber(ARGV[1])
if capacity == 0 then return { payload, seen, age } end
local window = tonumber(ARGV[2])
local cost = tonumber(ARGV[3])
local interval = window / capacity
local full = math.max(now, tonumber(redis.call('GET', bucket) or '0'))
local passes = full + interval - now <= window
if cost < 0 or (passes and cost > 0) then
  full = math.max(now, full + cost * interval)
  redis.call('SET', bucket, string.format('%.3f', full), 'PX', math.max(1, math.ceil(full - now)))
end
return {
  payload,
  seen,
  age,
  passes and 1 or 0,
  math.floor((window - (full - now)) / interval + 0.001),
  math.ceil(full - now),
  passes and 0 or math.ceil(full + interval - window - now),
}
