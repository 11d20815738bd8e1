--@include mark
-- Reads entries of any type, whole.
-- KEYS: the entries. Result: the mark of this Redis process, then three elements for each key: its type ("none" where it
--   is gone), what is in it (a string, or the elements of a list or set) and the ms it still has to live.
local out = { run_mark() }
for _, key in ipairs(KEYS) do
  local kind, content = redis.call('TYPE', key).ok, ''
  if kind == 'string' then
    content = redis.call('GET', key)
  elseif kind == 'list' then
    content = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then
    content = redis.call('SMEMBERS', key)
  end
  out[#out + 1], out[#out + 2], out[#out + 3] = kind, content, redis.call('PTTL', key)
end
return out
