--@include mark
-- Adds a member to marked sets, or removes it; a set that is not stored is deleted, which kills a fill under way.
-- KEYS: the sets. ARGV: 1 "add" or "remove", 2 member. Result: OK.
local mark, command = run_mark(), ARGV[1] == 'add' and 'SADD' or 'SREM'
for _, key in ipairs(KEYS) do
  if redis.call('SISMEMBER', key, mark) == 1 then
    redis.call(command, key, ARGV[2])
  else
    redis.call('DEL', key)
  end
end
return redis.status_reply('OK')
