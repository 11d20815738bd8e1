-- How often something happens a second: an exponentially weighted average, kept as "<sum> <last> <first>": how often it
-- happened, less what has been forgotten since, and when it did last and first (s since 1970).

local function rate_parse(key)
  local value = redis.call('GET', key) or ''
  local sum, last, first = string.match(value, '^(%S+) (%S+) (%S+)$')
  return tonumber(sum), tonumber(last), tonumber(first)
end

-- It happened `times` more.
local function rate_count(key, times, now, memory)
  local sum, last, first = rate_parse(key)
  local kept = sum and sum * math.exp(math.min(0, last - now) / memory) or 0
  local value = string.format('%.9g %.3f %.3f', kept + times, now, first or now)
  redis.call('SET', key, value, 'EX', math.ceil(4 * memory))
end

-- `since`: when counting began; what is younger than that has not happened before.
local function rate_of(key, since, now, memory)
  local sum, last, first = rate_parse(key)
  if not sum then return 0 end
  local begun = math.min(first, since or first)
  local seconds = memory * (1 - math.exp(math.min(0, begun - now) / memory))
  return sum * math.exp(math.min(0, last - now) / memory) / math.max(1, seconds)
end
