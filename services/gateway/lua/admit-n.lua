--@include mark
-- Admits a request in one round trip: finds the session behind an access token, where there is one, and takes from a
-- token bucket. The bucket is kept as the time when it will be full again (the "generic cell rate algorithm": the same
-- as counting tokens, in one number).
-- KEYS: 1 the token bucket; with a session, the prefix of the buckets of who stands behind it. 2 (optional) the session's
--   leased entry; the bucket is then `<KEYS[1]><class>:<payer>`, which has the same hash tag. The payer is the user, the
--   app where it asks for nobody, or user and app (see payerName).
-- ARGV: 1 capacity (0: no limit), 2 window ms, 3 cost (0: only look whether 1 would pass; -1: give one back); with a session also 4 class,
--   5 "user" (counted by user, whatever the app) or "user and app".
-- Result: { the session's payload or '', 1 where it passes, else 0, tokens left, ms until the bucket is full, ms until
--   the next token }; the payload alone where the session is not there or there is no limit.
local bucket = KEYS[1]
local payload = ''
if KEYS[2] then
  local prefix = 'v' .. run_mark() .. ':'
  local stored = redis.call('GET', KEYS[2])
  if not stored or string.sub(stored, 1, #prefix) ~= prefix then return { '' } end
  payload = string.sub(stored, #prefix + 1)
  local user = string.match(payload, '^%d+')
  if not user then return { payload } end
  user = string.sub(user, 1, 19)
  local client = string.match(payload, ' (rc%S+)')
  if client and user == '0000000000000000000' then user = client
  elseif client and ARGV[5] ~= 'user' then user = user .. ':' .. client end
  bucket = bucket .. ARGV[4] .. ':' .. user
end

local capacity = tonumber(ARGV[1])
if capacity == 0 then return { payload } end
local window = tonumber(ARGV[2])
local cost = tonumber(ARGV[3])
local interval = window / capacity
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local full = math.max(now, tonumber(redis.call('GET', bucket) or '0'))
local passes = full + interval - now <= window
if cost < 0 or (passes and cost > 0) then
  full = math.max(now, full + cost * interval)
  redis.call('SET', bucket, string.format('%.3f', full), 'PX', math.max(1, math.ceil(full - now)))
end
return {
  payload,
  passes and 1 or 0,
  math.floor((window - (full - now)) / interval + 0.001),
  math.ceil(full - now),
  passes and 0 or math.ceil(full + interval - window - now),
}
