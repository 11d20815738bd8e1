-- The mark of a master for as long as it is in charge: the first 48 bits of its replication id, which is new when a
-- process starts, and when a replica is promoted, be it one that was a master before. Negative, as an integer, so that a
-- set of ids which holds it stays in Redis's compact integer encoding. What was stored under another mark may lack
-- writes that a failover lost, and counts as missing.
-- In a cluster the last four digits of the master's epoch follow. A master that takes a slot has the greatest epoch of all,
-- and a new one where it had not: so a slot that comes back, maybe from where a failover lost writes, comes to another mark.
local function run_mark()
  local info = redis.call('INFO', 'replication')
  local _, found = string.find(info, 'master_replid:', 1, true)
  local mark = string.format('-%.0f', tonumber(string.sub(info, found + 1, found + 12), 16))
  if not CLUSTERED then return mark end
  -- Each replica is listed with its master's epoch, at a hundredth of what CLUSTER INFO costs, which counts all slots.
  local replicas = redis.call('CLUSTER', 'REPLICAS', redis.call('CLUSTER', 'MYID'))
  local epoch = replicas[1] and string.match(replicas[1], '(%d+) %a+$')
    or string.match(redis.call('CLUSTER', 'INFO'), 'cluster_my_epoch:(%d+)')
  return mark .. string.format('%04d', epoch % 10000)
end
