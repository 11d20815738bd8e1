-- The run id of the Redis process that runs this, as a negative integer (48 bits of it), so that a set of ids which
-- holds it stays in Redis's compact integer encoding. What was stored under another mark may lack writes that a
-- failover lost, and counts as missing.
local function run_mark()
  local info = redis.call('INFO', 'server')
  local _, found = string.find(info, 'run_id:', 1, true)
  return string.format('-%.0f', tonumber(string.sub(info, found + 1, found + 12), 16))
end
