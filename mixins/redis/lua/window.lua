-- A windowed list: ids in no strict order, possibly repeated, and a tail, its last element:
--   "<floor>|<mark>"  stored: the list holds every entry with id > floor
--   "l<token>"        being built under this lease: pushes gather here and are kept when it is published
-- The tail makes LPUSHX tell a list (even an empty one) from none, and is evicted together with the entries.

-- The floor of a stored list; nil and "building" or "missing" otherwise.
local function window_floor(key, mark)
  local tail = redis.call('LINDEX', key, -1)
  if not tail then return nil, 'missing' end
  local floor, built_on = string.match(tail, '^(%d+)|(-%d+)$')
  if floor then
    if built_on == mark then return floor end
    return nil, 'missing'
  end
  return nil, 'building'
end

-- Cuts a list back to its `keep` latest positions; the floor becomes the greatest id cut off, which is right in any order.
local function window_trim(key, keep)
  local floor, built_on = string.match(redis.call('LINDEX', key, -1), '^(%d+)|(-%d+)$')
  if not floor then return end
  for _, id in ipairs(redis.call('LRANGE', key, keep, -2)) do
    if #id > #floor or (#id == #floor and id > floor) then floor = id end
  end
  redis.call('LTRIM', key, 0, keep - 1)
  redis.call('RPUSH', key, floor .. '|' .. built_on)
end

-- Adds an id to a list that is stored or being built; a list that is neither stays missing.
local function window_push(key, id, keep, slack)
  if redis.call('LPUSHX', key, id) > keep + slack + 1 then window_trim(key, keep) end
end
