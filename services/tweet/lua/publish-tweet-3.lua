--@include mark
--@include window
-- Makes a committed tweet known: its body, its author's own list and, where it was made just now, that it exists (unless
-- it is deleted already). Of an older one the tombstone may have been lost: whether it exists is asked of the truth. A
-- body that was erased stays so.
-- KEYS: 1 state, 2 body, 3 the author's list. ARGV: 1 id, 2 body, 3 time to live in ms, 4 entries kept, 5 slack,
--   6 "new" or "known".
local prefix = 'v' .. run_mark() .. ':'
local state = redis.call('GET', KEYS[1])
if ARGV[6] == 'new' and (not state or string.sub(state, 1, #prefix) ~= prefix) then
  redis.call('SET', KEYS[1], prefix .. '1', 'PX', ARGV[3])
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3], 'NX')
window_push(KEYS[3], ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5]))
return redis.status_reply('OK')
