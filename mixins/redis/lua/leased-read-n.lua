--@include mark
-- Reads leased entries; a missing one becomes a lease of the caller.
-- KEYS: the entries. ARGV: 1 lease token, 2 lease ms.
-- Result: for each key "v<payload>" (stored), "l" (missing: the caller fills it) or "w" (missing: somebody fills it).
local prefix = 'v' .. run_mark() .. ':'
local out = redis.call('MGET', unpack(KEYS))
for i, value in ipairs(out) do
  if value and string.sub(value, 1, #prefix) == prefix then
    out[i] = 'v' .. string.sub(value, #prefix + 1)
  elseif value and string.sub(value, 1, 1) == 'l' then
    out[i] = 'w'
  else
    redis.call('SET', KEYS[i], 'l' .. ARGV[1], 'PX', ARGV[2])
    out[i] = 'l'
  end
end
return out
