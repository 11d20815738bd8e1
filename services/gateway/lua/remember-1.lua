--@include mark
-- Adds to what somebody has seen of the shards. An entry is `v<mark>:<since, ms> <shard>=<timeline>:<position> …`; one that
-- another Redis process wrote may lack what came later, so it is begun anew.
-- KEYS: 1 the entry.
-- ARGV: 1 ms that the entry lives, then shard, timeline, position of each.
-- Result: nothing.
local prefix = 'v' .. run_mark() .. ':'
local entry = redis.call('GET', KEYS[1])
local since, seen = nil, {}
if entry and string.sub(entry, 1, #prefix) == prefix then
  since = string.match(entry, '^[^:]*:(%d+)')
  for shard, timeline, position in string.gmatch(entry, ' ([^=]+)=(%d+):(%d+)') do
    seen[shard] = { tonumber(timeline), tonumber(position) }
  end
else
  local time = redis.call('TIME')
  since = string.format('%.0f', time[1] * 1000 + time[2] / 1000)
end
for i = 2, #ARGV, 3 do
  local timeline, position = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local known = seen[ARGV[i]]
  if not known or timeline > known[1] or (timeline == known[1] and position > known[2]) then
    seen[ARGV[i]] = { timeline, position }
  end
end
local text = prefix .. since
for shard, at in pairs(seen) do
  text = text .. ' ' .. shard .. '=' .. string.format('%.0f:%.0f', at[1], at[2])
end
redis.call('SET', KEYS[1], text, 'PX', ARGV[1])
