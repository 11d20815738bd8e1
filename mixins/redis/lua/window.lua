-- A windowed list: ids, newest first, each once, and a tail, its last element:
--   "<floor>|<mark>"  stored: the list holds every entry with id > floor
--   "l<token>|<mark>" being built under this lease: pushes gather here and are kept when it is published
-- The mark is that of the Redis process: what another one left behind, a lease included, may lack pushes.
-- The tail tells a list (even an empty one) from none, and is evicted together with the entries.

local function newer(a, b)
  return #a > #b or (#a == #b and a > b)
end

local function is_tail(entry)
  return not string.find(entry, '^%d+$')
end

local function parse_tail(tail)
  return string.match(tail, '^(%d+)|(-%d+)$')
end

-- The floor of a stored list; nil and "building" or "missing" otherwise.
local function window_floor(key, mark)
  local tail = redis.call('LINDEX', key, -1)
  if not tail or string.match(tail, '|(-%d+)$') ~= mark then return nil, 'missing' end
  local floor = parse_tail(tail)
  if not floor then return nil, 'building' end
  return floor
end

-- Cuts a list back to its `keep` newest entries; the floor becomes the newest id cut off.
local function window_trim(key, keep)
  local floor, built_on = parse_tail(redis.call('LINDEX', key, -1))
  if not floor then return end
  local cut = redis.call('LINDEX', key, keep)
  redis.call('LTRIM', key, 0, keep - 1)
  redis.call('RPUSH', key, cut .. '|' .. built_on)
end

-- Puts an id that is not the newest into its place. Returns the list's length, or 0 where nothing was to be done.
local function window_insert(key, id)
  local first, step = 0, 8
  while true do
    local part = redis.call('LRANGE', key, first, first + step - 1)
    for _, entry in ipairs(part) do
      if entry == id then return 0 end
      local tail = is_tail(entry)
      local floor = tail and parse_tail(entry)
      if floor and not newer(id, floor) then return 0 end
      if tail or newer(id, entry) then return redis.call('LINSERT', key, 'BEFORE', entry, id) end
    end
    -- Late ids are near the head, mostly.
    first, step = first + step, step * 4
  end
end

-- Adds an id to a list that is stored or being built; a list that is neither stays missing.
local function window_push(key, id, keep, slack)
  local head = redis.call('LINDEX', key, 0)
  if not head then return end
  local length
  -- Nearly always; a tail is longer than an id, or begins with a letter.
  if #head == #id and id > head then
    length = redis.call('LPUSH', key, id)
  else
    length = window_insert(key, id)
  end
  if length > keep + slack + 1 then window_trim(key, keep) end
end

-- The `count` newest entries older than `before` ("": from the top) of a stored list.
-- Returns its floor ("" where it is not stored), "1" where the floor is only that of the slice (there is more below it in
-- the list) or "0", and the ids joined by commas.
local function window_slice(key, mark, before, count)
  local floor = window_floor(key, mark)
  if not floor then return '', '0', '' end
  local ids, first = {}, 0
  while #ids <= count do
    for _, entry in ipairs(redis.call('LRANGE', key, first, first + count)) do
      if is_tail(entry) then
        if #ids <= count then return floor, '0', table.concat(ids, ',') end
      elseif before == '' or newer(before, entry) then
        ids[#ids + 1] = entry
      end
    end
    first = first + count + 1
  end
  return ids[count + 1], '1', table.concat(ids, ',', 1, count)
end
