--@include mark
-- Stores entries whatever is there, which kills any lease.
-- KEYS: the entries. ARGV: 1 time to live in ms, 2… one payload for each key.
local prefix = 'v' .. run_mark() .. ':'
-- What is stale goes in any case: a full Redis refuses a script's first write unless that frees memory.
redis.call('DEL', unpack(KEYS))
for i, key in ipairs(KEYS) do
  redis.call('SET', key, prefix .. ARGV[i + 1], 'PX', ARGV[1])
end
return redis.status_reply('OK')
