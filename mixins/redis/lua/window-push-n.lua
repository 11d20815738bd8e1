--@include window
-- Pushes one id to many windowed lists.
-- KEYS: the lists. ARGV: 1 id, 2 entries kept, 3 slack. Result: OK.
local keep, slack = tonumber(ARGV[2]), tonumber(ARGV[3])
for _, key in ipairs(KEYS) do
  window_push(key, ARGV[1], keep, slack)
end
return redis.status_reply('OK')
