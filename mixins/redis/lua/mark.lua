-- The run id of the Redis process that runs this, as a negative integer (48 bits of it), so that a set of ids which
-- holds it stays in Redis's compact integer encoding. What was stored under another mark may lack writes that a
-- failover lost, and counts as missing.
local function run_mark()
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  return string.format('-%.0f', tonumber(string.sub(run, 1, 12), 16))
end
