-- The mark of a master for as long as it is in charge: the first 48 bits of its replication id, which is new when a
-- process starts, and when a replica is promoted, be it one that was a master before. Negative, as an integer, so that a
-- set of ids which holds it stays in Redis's compact integer encoding. What was stored under another mark may lack
-- writes that a failover lost, and counts as missing.
local function run_mark()
  local info = redis.call('INFO', 'replication')
  local _, found = string.find(info, 'master_replid:', 1, true)
  return string.format('-%.0f', tonumber(string.sub(info, found + 1, found + 12), 16))
end
