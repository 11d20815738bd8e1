--@include mark
-- Reads leased entries; a missing one becomes a lease of the caller.
-- KEYS: the entries. ARGV: 1 lease token, 2 lease ms.
-- Result: for each key "v<payload>" (stored), "l" (missing: the caller fills it) or "w" (missing: somebody fills it).
-- A lease carries the mark of the Redis process that gave it: what another one left behind may lack invalidations.
local mark = run_mark()
local prefix, lease = 'v' .. mark .. ':', 'l' .. mark .. ':'
local out = redis.call('MGET', unpack(KEYS))
for i, value in ipairs(out) do
  if value and string.sub(value, 1, #prefix) == prefix then
    out[i] = 'v' .. string.sub(value, #prefix + 1)
  elseif value and string.sub(value, 1, #lease) == lease then
    out[i] = 'w'
  else
    redis.call('SET', KEYS[i], lease .. ARGV[1], 'PX', ARGV[2])
    out[i] = 'l'
  end
end
return out
