--@include mark
-- Fills leased entries, each only while the lease is the caller's.
-- KEYS: the entries. ARGV: 1 lease token, 2 time to live in ms, 3… one payload for each key.
local mark = run_mark()
local prefix, lease = 'v' .. mark .. ':', 'l' .. mark .. ':' .. ARGV[1]
for i, key in ipairs(KEYS) do
  if redis.call('GET', key) == lease then
    redis.call('SET', key, prefix .. ARGV[i + 2], 'PX', ARGV[2])
  end
end
return redis.status_reply('OK')
