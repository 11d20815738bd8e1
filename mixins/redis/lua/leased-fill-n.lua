--@include mark
-- Fills leased entries, each only while the lease is the caller's.
-- KEYS: the entries. ARGV: 1 lease token, 2 time to live in ms, 3… one payload for each key.
local prefix = 'v' .. run_mark() .. ':'
for i, key in ipairs(KEYS) do
  if redis.call('GET', key) == 'l' .. ARGV[1] then
    redis.call('SET', key, prefix .. ARGV[i + 2], 'PX', ARGV[2])
  end
end
return redis.status_reply('OK')
