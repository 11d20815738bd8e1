--@include mark
--@include rate
-- How often some followers of an author read their home timelines.
-- KEYS: five for each follower: home list, how often they read, following, and of their partition: pulled authors, since
--   when reads are counted.
-- ARGV: 1 the author, 2 s since 1970, 3 how long reads are remembered (s).
-- Result: followers with a stored home list, their reads a second, those of the ones who pull nobody else.
local mark, now, memory = run_mark(), tonumber(ARGV[2]), tonumber(ARGV[3])
local active, reads, alone = 0, 0, 0
for i = 1, #KEYS, 5 do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    active = active + 1
    local rate = rate_of(KEYS[i + 1], tonumber(redis.call('GET', KEYS[i + 4])), now, memory)
    if rate > 0 then
      -- Both sets hold the mark, and maybe the author.
      local known = 1 + redis.call('SISMEMBER', KEYS[i + 3], ARGV[1])
      local common = redis.call('SINTERCARD', 2, KEYS[i + 2], KEYS[i + 3], 'LIMIT', known + 1)
      reads = reads + rate
      if common <= known then alone = alone + rate end
    end
  end
end
return { active, tostring(reads), tostring(alone) }
